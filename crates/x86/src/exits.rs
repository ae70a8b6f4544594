//! Why translated code comes back, and from which guest state: tables of plain words, small and quick to save and load.
//!
//! An exit's number, which translated code leaves in `context::EXIT`, is where its words begin.

use crate::cache::PageName;
use crate::plan::{Access, Segment};

/// A place in a block from which the guest's exact state can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Point {
    /// The instruction that is next; it has had no effect.
    pub(crate) rip: u64,
    /// Instructions and accesses that the block took from the budget and that have not happened: to be added to it.
    pub(crate) refund: i32,
    /// Guest registers whose values are in their spill words.
    pub(crate) evicted: u16,
}

/// An access that the inlined check did not permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Miss {
    pub(crate) point: Point,
    pub(crate) access: Access,
    /// The first byte that the check covers, relative to the access, and how many it covers.
    pub(crate) low: i32,
    pub(crate) size: u16,
    /// Whether the check asked for permission to write.
    pub(crate) write: bool,
    /// Where the TLB is looked up.
    pub(crate) retry: u64,
    /// Behind the check; the register `addend` then holds what to add to the address.
    pub(crate) pass: u64,
    pub(crate) addend: u8,
}

/// A direct jump to another block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// Where its 32-bit displacement is.
    pub(crate) site: u64,
    /// The guest address to which it jumps.
    pub(crate) target: u64,
    /// The page from which it jumps.
    pub(crate) page: PageName,
    /// Whether the block to which it leads is to check each access by itself.
    pub(crate) apart: bool,
}

/// Why translated code came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Miss(Miss),
    /// A direct jump that is not linked.
    Link(Link),
    /// Go on at this address; nothing to link.
    Go(u64),
    /// Go on at the address in `context::RIP`. If nothing can be there, the jump did not happen: the point is the jump's,
    /// and rsp has moved so far.
    Indirect {
        point: Point,
        moved: i32,
    },
    /// The slice's last blocks are not linked: this is where the next one begins.
    Stop(u64),
    /// Fewer instructions are left than the block has.
    Budget(Point),
    /// One instruction to be executed outside of translated code.
    Step(Point),
    /// `syscall`, and the address behind it.
    Syscall {
        point: Point,
        next: u64,
    },
    /// The x87 registers are needed; then go on here.
    LoadX87(u64),
}

const MISS: u32 = 0;
const LINK: u32 = 1;
const GO: u32 = 2;
const INDIRECT: u32 = 3;
const BUDGET: u32 = 4;
const STEP: u32 = 5;
const SYSCALL: u32 = 6;
const LOAD_X87: u32 = 7;
const STOP: u32 = 8;
/// In place of a register's number.
const NO_REGISTER: u32 = 31;

/// Exits by number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exits {
    pub(crate) words: Vec<u32>,
}

impl Exits {
    /// The number that the next exit gets.
    pub(crate) fn next(&self) -> u32 {
        self.words.len() as u32
    }

    pub(crate) fn push(&mut self, exit: Exit) {
        match exit {
            Exit::Miss(miss) => {
                self.point(MISS, miss.point);
                self.words.extend(registers(&miss));
                self.address(miss.access.displacement as u64);
                self.words.extend([miss.retry as u32, miss.pass as u32]);
            }
            Exit::Link(link) => {
                self.words.extend([LINK | u32::from(link.apart) << 8, link.site as u32]);
                self.address(link.target);
                self.words.push(link.page.0);
            }
            Exit::Go(target) => {
                self.words.push(GO);
                self.address(target);
            }
            Exit::Stop(target) => {
                self.words.push(STOP);
                self.address(target);
            }
            Exit::Indirect { point, moved } => {
                self.point(INDIRECT, point);
                self.words.push(moved as u32);
            }
            Exit::Budget(point) => self.point(BUDGET, point),
            Exit::Step(point) => self.point(STEP, point),
            Exit::Syscall { point, next } => {
                self.point(SYSCALL, point);
                self.address(next);
            }
            Exit::LoadX87(at) => self.words.extend([LOAD_X87, at as u32]),
        }
    }

    /// The exit of a number.
    pub(crate) fn get(&self, number: u32) -> Exit {
        let words = &self.words[number as usize..];
        let point = || read_point(words);
        match words[0] & 0xff {
            MISS => Exit::Miss(read_miss(words)),
            LINK => Exit::Link(Link {
                site: u64::from(words[1]),
                target: long(words, 2),
                page: PageName(words[4]),
                apart: words[0] >> 8 != 0,
            }),
            GO => Exit::Go(long(words, 1)),
            STOP => Exit::Stop(long(words, 1)),
            INDIRECT => Exit::Indirect { point: point(), moved: words[4] as i32 },
            BUDGET => Exit::Budget(point()),
            STEP => Exit::Step(point()),
            SYSCALL => Exit::Syscall { point: point(), next: long(words, 4) },
            LOAD_X87 => Exit::LoadX87(u64::from(words[1])),
            other => panic!("exit {number} is of kind {other}, which there is not"),
        }
    }

    fn point(&mut self, kind: u32, point: Point) {
        self.words.push(kind | u32::from(point.evicted) << 8);
        self.address(point.rip);
        self.words.push(point.refund as u32);
    }

    fn address(&mut self, address: u64) {
        self.words.extend([address as u32, (address >> 32) as u32]);
    }
}

fn long(words: &[u32], at: usize) -> u64 {
    u64::from(words[at]) | u64::from(words[at + 1]) << 32
}

fn read_point(words: &[u32]) -> Point {
    Point { rip: long(words, 1), refund: words[3] as i32, evicted: (words[0] >> 8) as u16 }
}

/// Registers, sizes and permissions of a miss.
fn registers(miss: &Miss) -> [u32; 3] {
    let Miss { access, .. } = miss;
    let (index, scale) = access.index.map_or((NO_REGISTER, 0), |(register, scale)| (register.into(), scale.into()));
    let segment = match access.segment {
        None => 0,
        Some(Segment::Fs) => 1,
        Some(Segment::Gs) => 2,
    };
    let base = access.base.map_or(NO_REGISTER, u32::from);
    let writes = u32::from(access.write) | u32::from(miss.write) << 1;
    [
        base | index << 5 | scale << 10 | segment << 12 | writes << 14 | u32::from(miss.addend) << 16,
        u32::from(access.size) | u32::from(miss.size) << 16,
        miss.low as u32,
    ]
}

fn read_miss(words: &[u32]) -> Miss {
    let [packed, sizes] = [words[4], words[5]];
    let register = |number: u32| (number != NO_REGISTER).then_some(number as u8);
    let access = Access {
        base: register(packed & 31),
        index: register(packed >> 5 & 31).map(|register| (register, (packed >> 10 & 3) as u8)),
        displacement: long(words, 7) as i64,
        segment: match packed >> 12 & 3 {
            0 => None,
            1 => Some(Segment::Fs),
            _ => Some(Segment::Gs),
        },
        size: sizes as u16,
        write: packed >> 14 & 1 != 0,
        ..Access::nowhere()
    };
    Miss {
        point: read_point(words),
        access,
        low: words[6] as i32,
        size: (sizes >> 16) as u16,
        write: packed >> 15 & 1 != 0,
        retry: u64::from(words[9]),
        pass: u64::from(words[10]),
        addend: (packed >> 16) as u8,
    }
}

/// A host instruction that may raise an exception of the guest's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) pc: u64,
    pub(crate) point: Point,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exits_come_back_as_they_were_pushed() {
        let point = Point { rip: 0xffff_8000_1234_5678, refund: -5, evicted: 0x1fff };
        let plain = Access { base: Some(4), displacement: -8, size: 8, write: true, ..Access::nowhere() };
        let indexed = Access {
            index: Some((15, 3)),
            displacement: 0x7fff_1234_5678,
            segment: Some(Segment::Gs),
            size: 64,
            ..Access::nowhere()
        };
        let miss = |access| Miss { point, access, low: -1000, size: 1024, write: true, retry: 9, pass: 10, addend: 15 };
        let exits = [
            Exit::Miss(miss(plain)),
            Exit::Miss(miss(indexed)),
            Exit::Link(Link { site: 7, target: u64::MAX, page: PageName(3), apart: true }),
            Exit::Go(1 << 47),
            Exit::Stop(1 << 46),
            Exit::Indirect { point, moved: -8 },
            Exit::Budget(point),
            Exit::Step(point),
            Exit::Syscall { point, next: 3 },
            Exit::LoadX87(0x800_0000),
        ];
        let mut table = Exits::default();
        let numbers = exits.map(|exit| {
            let number = table.next();
            table.push(exit);
            number
        });
        assert_eq!(numbers.map(|number| table.get(number)), exits);
    }
}
