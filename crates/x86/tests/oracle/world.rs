//! The same memory twice: host memory at the guest's addresses, and a guest machine.

use super::bench::{ALL, Machine, READ, WRITE};
use super::random::Random;
use machine::Registers;
use x86::native::oracle::{Event, Host};

/// Two pages of code.
pub const CODE: u64 = 0x2000_0000;
pub const CODE_BYTES: u64 = 0x2000;
/// Data, page by page: `-` absent, `w` writable, `r` read-only. The last writable ones are the stack.
const DATA: u64 = 0x2100_0000;
const PAGES: &[u8] = b"-wwwwr-ww-wwww-";
/// Where rsp points.
pub const STACK_MIDDLE: u64 = DATA + 0xb_f80;

/// Bytes to be put somewhere before the run.
#[derive(Clone, Debug)]
pub struct Patch {
    pub address: u64,
    pub bytes: Vec<u8>,
}

pub struct World {
    pub host: Host,
    pub guest: Machine,
    /// What the data pages hold in both, to find differences fast.
    pages: Vec<u64>,
    /// Where something else than breakpoints is in the code.
    code: std::ops::Range<u64>,
}

impl World {
    pub fn new(random: &mut Random) -> World {
        let mut host = Host::new().unwrap();
        let mut guest = Machine::new();
        host.map(CODE..CODE + CODE_BYTES, true, true).unwrap();
        for page in (CODE..CODE + CODE_BYTES).step_by(0x1000) {
            guest.map(page, ALL);
        }
        let mut pages = Vec::new();
        for (index, kind) in PAGES.iter().enumerate() {
            let page = DATA + (index as u64) * 0x1000;
            if *kind == b'-' {
                continue;
            }
            host.map(page..page + 0x1000, *kind == b'w', false).unwrap();
            // Neighbours are sometimes neighbours in physical memory, too.
            if random.percent(50) {
                guest.memory.allocate().unwrap();
            }
            guest.map(page, if *kind == b'w' { WRITE } else { READ });
            if *kind == b'w' {
                pages.push(page);
            }
        }
        let mut world = World { host, guest, pages, code: CODE..CODE + CODE_BYTES };
        world.fill(random);
        world.set_code(CODE, &[]);
        world
    }

    /// New random contents everywhere.
    pub fn fill(&mut self, random: &mut Random) {
        for page in self.pages.clone() {
            let bytes: Vec<u8> = (0..512).flat_map(|_| random.word().to_le_bytes()).collect();
            self.set(page, &bytes);
        }
    }

    pub fn set(&mut self, address: u64, bytes: &[u8]) {
        self.host.write(address, bytes);
        self.guest.poke(address, bytes);
    }

    /// The contents of the writable data pages.
    pub fn snapshot(&self) -> Vec<u8> {
        self.pages.iter().flat_map(|page| self.guest.peek(*page, 4096)).collect()
    }

    /// Puts a snapshot back on both sides.
    pub fn restore(&mut self, snapshot: &[u8]) {
        for (page, bytes) in self.pages.clone().into_iter().zip(snapshot.chunks_exact(4096)) {
            self.set(page, bytes);
        }
    }

    /// Puts a snapshot back in the guest.
    pub fn restore_guest(&mut self, snapshot: &[u8]) {
        for (page, bytes) in self.pages.clone().into_iter().zip(snapshot.chunks_exact(4096)) {
            self.guest.poke(page, bytes);
        }
    }

    pub fn apply(&mut self, patches: &[Patch]) {
        for patch in patches {
            self.set(patch.address, &patch.bytes);
        }
    }

    /// Nothing but breakpoints, and these bytes.
    pub fn set_code(&mut self, address: u64, bytes: &[u8]) {
        let last = std::mem::replace(&mut self.code, address..address + bytes.len() as u64);
        self.set(last.start, &vec![0xcc; (last.end - last.start) as usize]);
        // A bit string may have reached it.
        if self.host.bytes(CODE, CODE_BYTES as usize) != [0xcc; CODE_BYTES as usize] {
            self.set(CODE, &[0xcc; CODE_BYTES as usize]);
        }
        self.set(address, bytes);
    }

    /// Runs natively; how it ended.
    pub fn run_host(&mut self, registers: &mut Registers) -> Event {
        self.host.run(registers)
    }

    /// The addresses at which host and guest differ, and both bytes. Makes them equal again.
    pub fn differences(&mut self) -> Vec<(u64, u8, u8)> {
        let mut found = Vec::new();
        for page in self.pages.clone().into_iter().chain([CODE, CODE + 0x1000]) {
            let host = self.host.bytes(page, 4096);
            let frame = self.guest.table.entry(&self.guest.memory, page).frame();
            let guest = self.guest.memory.bytes(frame);
            if host == guest {
                continue;
            }
            for (offset, (host, guest)) in host.iter().zip(guest).enumerate() {
                if host != guest {
                    found.push((page + offset as u64, *host, *guest));
                }
            }
            self.guest.poke(page, host);
        }
        found
    }

    /// Whether all of these bytes are writable data.
    pub fn is_data(address: u64, length: usize) -> bool {
        let end = address.wrapping_add(length as u64);
        let mut page = address & !0xfff;
        if address < DATA || end < address || end > DATA + PAGES.len() as u64 * 0x1000 {
            return false;
        }
        while page < end {
            if PAGES[((page - DATA) >> 12) as usize] != b'w' {
                return false;
            }
            page += 0x1000;
        }
        true
    }

    /// A place for an operand of so many bytes: mostly in writable memory, sometimes across a page border, sometimes
    /// where it faults.
    pub fn target(size: usize, alignment: usize, random: &mut Random) -> u64 {
        let size = size as u64;
        let page = |index: u64| DATA + index * 0x1000;
        let across = |border: u64, random: &mut Random| border - random.below(size.max(2));
        let address = match random.below(1000) {
            0..100 => across(page(random.pick(&[2, 3, 4])), random),
            100..130 => across(page(5), random),
            130..150 => page(5) + random.below(0x1000 - size.min(0xf00)),
            150..170 => across(page(6), random),
            170..190 => page(6) + random.below(0x1000),
            190..210 => across(page(7), random),
            210..215 => random.pick(&[1 << 47, (1 << 47) - 4, 1 << 63, u64::MAX - 7, u64::MAX << 47]),
            215..400 => page(random.pick(&[1, 2, 3, 7])) + random.below(0x1000),
            // Enough room on both sides for what is counted in elements.
            _ => page(2) + random.below(0x1000) / alignment as u64 * alignment as u64,
        };
        if random.percent(60) { address / alignment as u64 * alignment as u64 } else { address }
    }

    /// A place in the code, not at the instruction at `rip`.
    pub fn landing(rip: u64, random: &mut Random) -> u64 {
        let place = CODE + random.below(CODE_BYTES);
        if place.abs_diff(rip) < 20 { rip + 30 + random.below(100) } else { place }
    }
}
