//! Two guests on one processor and one memory: one tries every address by every kind of access, the other goes on with
//! its work in between. Each sees its own bytes and nothing else, and nothing of the host is there.

mod bench;

use bench::{CODE, DATA, EXECUTE, Machine, STACK, WRITE};
use machine::{Exception, Gpr, Trap};
use x86::X86Processor;

/// What the guest that works has in all its bytes, and what the other writes wherever it may.
const SECRET: u8 = 0xa5;
const MARK: u64 = 0x7373_7373_7373_7373;
/// Pages that only the guest that works has, and that only the other has.
const THEIRS: u64 = 0x50_0000;
const OURS: u64 = 0x70_0000;

/// Ways to reach the eight bytes at rsi, which end with `syscall`.
const READS: &[&[u8]] = &[
    &[0x48, 0x8b, 0x06, 0x0f, 0x05],                                     // mov rax,[rsi]
    &[0x48, 0x8b, 0x04, 0xce, 0x0f, 0x05],                               // mov rax,[rsi+rcx*8], rcx being 0
    &[0x48, 0x8b, 0x06, 0x48, 0x8b, 0x56, 0x40, 0x0f, 0x05],             // mov rax,[rsi] ; mov rdx,[rsi+0x40]
    &[0xc5, 0xfe, 0x6f, 0x06, 0xc4, 0xe1, 0xf9, 0x7e, 0xc0, 0x0f, 0x05], // vmovdqu ymm0,[rsi] ; vmovq rax,xmm0
    &[0x48, 0x89, 0xf4, 0x58, 0x0f, 0x05],                               // mov rsp,rsi ; pop rax
    &[0x48, 0x31, 0xc0, 0x48, 0x03, 0x06, 0x9c, 0x0f, 0x05],             // xor rax,rax ; add rax,[rsi] ; pushfq
    &[0x64, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0, 0x0f, 0x05],             // mov rax,fs:[0]
    &[0x48, 0xad, 0x0f, 0x05],                                           // lodsq
];
const WRITES: &[&[u8]] = &[
    &[0x48, 0x89, 0x1e, 0x0f, 0x05],                         // mov [rsi],rbx
    &[0x48, 0x89, 0x5e, 0x40, 0x48, 0x89, 0x1e, 0x0f, 0x05], // mov [rsi+0x40],rbx ; mov [rsi],rbx
    &[0x48, 0x8d, 0x66, 0x08, 0x53, 0x0f, 0x05],             // lea rsp,[rsi+8] ; push rbx
    &[0x48, 0x89, 0xf7, 0x48, 0x89, 0xd8, 0xff, 0xc1, 0xf3, 0x48, 0xab, 0x0f, 0x05], // rdi=rsi, rax=rbx, ecx+1; rep stosq
];

struct Guests {
    probing: Machine,
    working: Machine,
    processor: X86Processor,
    routines: Vec<u64>,
}

impl Guests {
    fn new() -> Guests {
        // The one that works overwrites its page with the secret again and again.
        // mov rdi,rbx ; mov ecx,512 ; rep stosq ; mov rax,[rbx+0x7f8] ; syscall
        let mut working = Machine::with_code(&[
            0x48, 0x89, 0xdf, 0xb9, 0, 2, 0, 0, 0xf3, 0x48, 0xab, 0x48, 0x8b, 0x83, 0xf8, 7, 0, 0, 0x0f, 0x05,
        ]);
        for page in 0..4 {
            working.map(THEIRS + (page << 12), WRITE);
        }
        // The other has an address space of its own in the same memory.
        let mut probing = Machine::new();
        std::mem::swap(&mut probing.memory, &mut working.memory);
        probing.table = machine::PageTable::new(machine::PagingScheme::x86_64(), &mut probing.memory).unwrap();
        probing.tlb = machine::Tlb::new(&probing.memory);
        probing.map(CODE, EXECUTE);
        for page in [STACK, DATA, OURS, OURS + 0x1000] {
            probing.map(page, WRITE);
        }
        let mut routines = Vec::new();
        for (index, routine) in READS.iter().chain(WRITES).enumerate() {
            routines.push(CODE + index as u64 * 64);
            probing.poke(CODE + index as u64 * 64, routine);
        }
        Guests { probing, working, processor: X86Processor::new().unwrap(), routines }
    }

    fn swap_memory(&mut self) {
        std::mem::swap(&mut self.probing.memory, &mut self.working.memory);
    }

    /// Lets the other guest work on one of its pages.
    fn work(&mut self, turn: u64) {
        self.swap_memory();
        let page = [THEIRS, THEIRS + 0x1000, DATA, STACK][turn as usize % 4];
        let secret = u64::from_ne_bytes([SECRET; 8]);
        self.working.registers.rip = CODE;
        self.working.registers.set(Gpr::Rbx, page);
        self.working.registers.set(Gpr::Rax, secret);
        assert_eq!(self.working.run(&mut self.processor, 10_000).trap, Trap::Syscall);
        assert_eq!(self.working.registers.get(Gpr::Rax), secret);
        self.swap_memory();
    }

    /// Whether the page table of the one that tries permits an access.
    fn is_permitted(&self, address: u64, length: u64, write: bool) -> bool {
        let entry = |at: u64| {
            let entry = self.probing.table.entry(&self.probing.memory, at);
            if write { entry.is_writable() } else { entry.is_readable() }
        };
        let end = address.checked_add(length - 1);
        // The table knows nothing of the bits above those it translates.
        end.is_some_and(|end| end >> 47 == 0 && entry(address) && entry(end))
    }

    /// Tries one access; it may succeed exactly if the page table of the one that tries says so.
    fn probe(&mut self, routine: usize, address: u64) {
        let registers = &mut self.probing.registers;
        registers.rip = self.routines[routine];
        registers.fs_base = address;
        registers.rflags = 2;
        for (register, value) in [(Gpr::Rsi, address), (Gpr::Rbx, MARK), (Gpr::Rcx, 0), (Gpr::Rsp, STACK + 0x800)] {
            registers.set(register, value);
        }
        let write = routine >= READS.len();
        let before = self.is_permitted(address, 8, write).then(|| self.probing.peek_number(address));
        let exit = self.probing.run(&mut self.processor, 100);
        match exit.trap {
            Trap::Syscall => {
                let before = before.unwrap_or_else(|| panic!("routine {routine} reached {address:#x}"));
                if !write {
                    assert_eq!(self.probing.registers.get(Gpr::Rax), before, "routine {routine} at {address:#x}");
                }
            }
            Trap::PageFault(_) | Trap::Exception(Exception::GeneralProtection | Exception::StackFault) => {
                // The widest routine touches 72 bytes.
                assert!(
                    !self.is_permitted(address, 72, write),
                    "routine {routine} faults at {address:#x}: {:?}",
                    exit.trap
                );
            }
            other => panic!("routine {routine} at {address:#x}: {other:?}"),
        }
    }

    /// The one that works has its secret everywhere, and the other's mark nowhere.
    fn check(&mut self) {
        self.swap_memory();
        for page in [THEIRS, THEIRS + 0x1000, DATA, STACK] {
            assert!(self.working.peek(page, 4096).iter().all(|byte| *byte == SECRET), "{page:#x}");
        }
        for page in [THEIRS + 0x2000, THEIRS + 0x3000, DATA + 0x1000] {
            assert!(self.working.peek(page, 4096).iter().all(|byte| *byte == 0), "{page:#x}");
        }
        self.swap_memory();
    }
}

/// Addresses at which something of the host, of the other guest or of the one that tries is, and what is beside them.
fn interesting(guests: &Guests) -> Vec<u64> {
    let mut addresses = Vec::new();
    let mut around = |address: u64| {
        addresses.extend([-72, -8, -1, 0, 1, 4088, 4089, 4096].map(|by| address.wrapping_add_signed(by)));
    };
    for page in [CODE, DATA, STACK, OURS, OURS + 0x1000, THEIRS, THEIRS + 0x1000] {
        around(page);
    }
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    for line in maps.lines() {
        let (range, _) = line.split_once(' ').unwrap();
        let (start, end) = range.split_once('-').unwrap();
        let [start, end] = [start, end].map(|number| u64::from_str_radix(number, 16).unwrap());
        around(start);
        around(start / 2 + end / 2);
        around(end);
    }
    // Every frame, where the host has it.
    for frame in 0..64 {
        around(guests.probing.memory.host_base() + (frame << 12));
    }
    for bit in 12..64 {
        around(1 << bit);
        around((1_u64 << bit).wrapping_neg());
    }
    addresses
}

#[test]
fn a_guest_that_tries_every_address_sees_its_own_bytes_only() {
    let mut guests = Guests::new();
    let on_the_heap = vec![SECRET; 1 << 20];
    let on_the_stack = [SECRET; 64];
    let mut addresses = interesting(&guests);
    addresses.extend([on_the_heap.as_ptr() as u64, on_the_heap.as_ptr() as u64 + 0x8_0000]);
    addresses.extend([on_the_stack.as_ptr() as u64, std::ptr::from_ref(&guests) as u64]);
    for (turn, address) in addresses.iter().enumerate() {
        for routine in 0..guests.routines.len() {
            guests.probe(routine, *address);
        }
        guests.work(turn as u64);
    }
    assert!(on_the_heap.iter().chain(&on_the_stack).all(|byte| *byte == SECRET));
    guests.check();
}

#[test]
fn of_four_gigabytes_a_guest_sees_the_pages_that_it_has() {
    let mut guests = Guests::new();
    for turn in 0..4 {
        guests.work(turn);
    }
    for page in 0..1_u64 << 20 {
        guests.probe(page as usize % READS.len(), page << 12 | (page * 8) & 0xf80);
        if page % 1024 == 0 {
            guests.work(page / 1024);
        }
    }
    guests.check();
}
