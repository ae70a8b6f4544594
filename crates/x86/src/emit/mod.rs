//! From a plan to host code. `registers` says where guest registers are, `check` how memory is reached, `encode` how
//! guest instructions are written; `stack`, `jumps` and `strings` hold the instructions that are expanded.

pub(crate) mod assembler;
mod check;
mod encode;
mod jumps;
mod registers;
mod stack;
mod strings;

use crate::cache::PageName;
use crate::exits::{Exit, Exits, Fault, Point};
use crate::native::context;
use crate::plan::{End, Kind, Plan};
use assembler::{Assembler, Condition, R14, R15, RCX, based, word};
use check::Cover;
use iced_x86::Encoder;
use registers::Hosts;

/// An instruction that cannot be written with the registers chosen. It is to be stepped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unencodable {
    pub(crate) at: usize,
}

/// A page whose contents a block depends on besides the one it begins in: what must be in its slot of the table of
/// executable pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Guard {
    /// The word of the TLB block.
    pub(crate) word: usize,
    /// The page's name.
    pub(crate) page: PageName,
}

/// Writes blocks. What it wrote last is in its public fields.
pub(crate) struct Emitter {
    pub(crate) hot: Assembler,
    pub(crate) cold: Assembler,
    /// Its exits; their numbers count on from `first_exit`.
    pub(crate) exits: Exits,
    /// Instructions that may fault, by ascending address, if they are noted.
    pub(crate) faults: Vec<Fault>,
    /// Whether instructions that may fault are noted.
    pub(crate) notes_faults: bool,
    /// Where the block is entered.
    pub(crate) entry: u64,
    encoder: Encoder,
    hosts: Hosts,
    first_exit: u32,
    page: PageName,
    /// Whether jumps lead straight to other blocks once these are there.
    links: bool,
    /// A jump to `native::leave_address` in reach of a near jump.
    pub(crate) way_out: u64,
    /// Sites of reads and of writes so far.
    sites: [usize; 2],
    /// What the registers of groups stand for.
    covers: Vec<Cover>,
    /// For each instruction, in how many instructions each guest register is used again.
    uses: Vec<[u8; 16]>,
    /// For each instruction, how many data accesses are before it; at last, how many there are.
    accesses: Vec<u32>,
    /// Instructions and accesses of the block being written.
    charge: i32,
}

impl std::fmt::Debug for Emitter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Emitter").field("entry", &self.entry).field("exits", &self.exits).finish_non_exhaustive()
    }
}

/// Where the next block goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) hot: u64,
    pub(crate) cold: u64,
    /// The number of the block's first exit.
    pub(crate) first_exit: u32,
    /// The page of the guest's code.
    pub(crate) page: PageName,
}

impl Emitter {
    /// An emitter whose exits jump to `way_out`.
    pub(crate) fn new(way_out: u64) -> Emitter {
        Emitter {
            hot: Assembler::default(),
            cold: Assembler::default(),
            exits: Exits::default(),
            faults: Vec::new(),
            notes_faults: false,
            entry: 0,
            encoder: Encoder::new(64),
            hosts: Hosts::new(),
            first_exit: 0,
            page: PageName(0),
            links: true,
            way_out,
            sites: [0; 2],
            covers: Vec::new(),
            uses: Vec::new(),
            accesses: Vec::new(),
            charge: 0,
        }
    }

    /// Writes a block.
    ///
    /// # Errors
    /// [`Unencodable`] if an instruction cannot be written; nothing of the block is to be used then.
    pub(crate) fn block(&mut self, plan: &Plan, place: Place, guard: Option<Guard>) -> Result<(), Unencodable> {
        self.hot.restart(place.hot);
        self.cold.restart(place.cold);
        self.exits.words.clear();
        self.faults.clear();
        (self.first_exit, self.page, self.links) = (place.first_exit, place.page, plan.links);
        self.hosts = Hosts::new();
        self.covers.clear();
        self.covers.resize(plan.groups, Cover::default());
        self.find_uses(plan);
        self.count_accesses(plan);
        self.charge = charge(plan.counted(), self.accesses[plan.counted() as usize]);
        self.hot.align();
        self.entry = self.hot.here();
        self.prologue(plan, guard);
        for at in 0..plan.instructions.len() {
            self.instruction(plan, at)?;
        }
        if let End::Continue(target) = plan.end {
            self.reload_all(0);
            self.link_hot(plan, target);
        }
        Ok(())
    }

    fn count_accesses(&mut self, plan: &Plan) {
        self.accesses.clear();
        self.accesses.push(0);
        let mut count = 0;
        self.accesses.extend(plan.instructions.iter().map(|planned| {
            count += planned.access_count();
            count
        }));
    }

    /// What runs before the first instruction: is the other page the same, are the x87 registers there, is the budget
    /// large enough?
    fn prologue(&mut self, plan: &Plan, guard: Option<Guard>) {
        let live = plan.live != 0;
        if let Some(guard) = guard {
            let exit = self.cold.here();
            self.cold_exit_after_test(live, Exit::Go(plan.start));
            if live {
                self.hot.copy(R15, RCX);
                self.hot.load32(RCX, word(guard.word));
                self.hot.lea(RCX, based(RCX, (guard.page.0 as i32).wrapping_neg()));
                self.hot.jump_unless_rcx_zero(exit);
                self.hot.copy(RCX, R15);
            } else {
                self.hot.compare_memory32(word(guard.word), guard.page.0 as i32);
                self.hot.jump_if(Condition::NotEqual as u8, exit);
            }
        }
        if plan.instructions.iter().any(|planned| planned.x87) {
            let exit = self.cold.here();
            self.cold_exit_after_test(live, Exit::LoadX87(self.entry));
            if live {
                self.hot.copy(R15, RCX);
                self.hot.load(RCX, word(context::X87_ABSENT));
                self.hot.jump_unless_rcx_zero(exit);
                self.hot.copy(RCX, R15);
            } else {
                self.hot.compare_memory64(word(context::X87_ABSENT), 0);
                self.hot.jump_if(Condition::NotEqual as u8, exit);
            }
        }
        if self.charge != 0 {
            let exit = self.cold.here();
            let point = Point { rip: plan.start, refund: self.charge, evicted: 0 };
            self.cold_exit_after_test(live, Exit::Budget(point));
            if live {
                self.hot.load(R14, word(context::BUDGET));
                self.hot.copy(R15, RCX);
                self.hot.lea(R14, based(R14, -self.charge));
                self.hot.store(word(context::BUDGET), R14);
                self.hot.pext(RCX, R14, word(context::SIGN));
                self.hot.jump_unless_rcx_zero(exit);
                self.hot.copy(RCX, R15);
            } else {
                self.hot.subtract_memory(word(context::BUDGET), self.charge);
                self.hot.jump_if(Condition::Sign as u8, exit);
            }
        }
    }

    /// A cold exit from a test that kept rcx in r15 if flags are live.
    fn cold_exit_after_test(&mut self, live: bool, exit: Exit) {
        if live {
            self.cold.copy(RCX, R15);
        }
        let number = self.exit_number();
        self.push_exit(exit);
        self.exit_cold(number);
    }

    fn instruction(&mut self, plan: &Plan, at: usize) -> Result<(), Unencodable> {
        let planned = &plan.instructions[at];
        if planned.kind == Kind::Nothing {
            return Ok(());
        }
        self.prepare(plan, at);
        match planned.kind {
            Kind::Nothing => {}
            Kind::Register => {
                self.note_fault(plan, at);
                self.encode(plan, at, None)?;
            }
            Kind::Memory => {
                let operand = self.check(plan, at, 0);
                self.note_fault(plan, at);
                self.encode(plan, at, Some(operand))?;
            }
            Kind::LeaRip => self.lea_rip(plan, at),
            Kind::PushRegister | Kind::PushImmediate => self.push(plan, at),
            Kind::PushMemory => self.push_memory(plan, at),
            Kind::PopRegister => self.pop(plan, at),
            Kind::Leave => self.leave(plan, at),
            Kind::CallDirect => self.call_direct(plan, at),
            Kind::CallRegister => self.call_register(plan, at),
            Kind::CallMemory => self.call_memory(plan, at),
            Kind::Return => self.return_near(plan, at),
            Kind::JumpDirect => self.jump_direct(plan, at),
            Kind::JumpRegister => self.jump_register(plan, at),
            Kind::JumpMemory => self.jump_memory(plan, at),
            Kind::Conditional => self.conditional(plan, at),
            Kind::MoveString => self.move_string(plan, at),
            Kind::RepeatString => self.repeat_string(plan, at),
            Kind::Syscall => {
                let next = planned.instruction.next_ip();
                self.leave_to(plan, at, |point| Exit::Syscall { point, next });
            }
            Kind::Step => self.leave_to(plan, at, Exit::Step),
        }
        self.finish(plan, at);
        Ok(())
    }

    fn lea_rip(&mut self, plan: &Plan, at: usize) {
        let instruction = &plan.instructions[at].instruction;
        let register = instruction.op0_register();
        let number = crate::plan::general(register).expect("`lea` has a general register");
        let host = self.host(number);
        let address = instruction.memory_displacement64();
        match register.size() {
            8 => self.hot.constant(host, address),
            4 => self.hot.constant(host, u64::from(address as u32)),
            _ => {
                // mov r16,imm16
                self.hot.byte(0x66);
                if host & 8 != 0 {
                    self.hot.byte(0x41);
                }
                self.hot.byte(0xb8 | host & 7);
                self.hot.append(&(address as u16).to_le_bytes());
            }
        }
    }

    /// Leaves the block before its last instruction.
    fn leave_to(&mut self, plan: &Plan, at: usize, exit: impl Fn(Point) -> Exit) {
        self.reload_all(0);
        let number = self.exit_number();
        self.push_exit(exit(self.point(plan, at)));
        self.hot.store_immediate(word(context::EXIT), number as i32);
        self.hot.jump(self.way_out);
    }

    /// The state before instruction `at`.
    fn point(&self, plan: &Plan, at: usize) -> Point {
        let rip = plan.instructions[at].instruction.ip();
        Point { rip, refund: self.refund(at), evicted: self.hosts.evicted }
    }

    /// What the budget gets back if only the first `count` instructions happen.
    fn refund(&self, count: usize) -> i32 {
        self.charge - charge(count as u32, self.accesses[count])
    }

    /// Notes that the next host instruction accesses memory for instruction `at`. It faults if the address is one that
    /// a site matches which remembers no page.
    fn note_access(&mut self, plan: &Plan, at: usize) {
        if self.notes_faults {
            let fault = Fault { pc: self.hot.here(), point: self.point(plan, at) };
            self.faults.push(fault);
        }
    }

    fn note_fault(&mut self, plan: &Plan, at: usize) {
        if plan.instructions[at].may_fault {
            self.note_access(plan, at);
        }
    }

    /// Emits, in the cold code, what gives the budget back what did not happen. Takes r14.
    fn refund_cold(&mut self, refund: i32) {
        if refund != 0 {
            self.cold.load(R14, word(context::BUDGET));
            self.cold.lea(R14, based(R14, refund));
            self.cold.store(word(context::BUDGET), R14);
        }
    }

    fn exit_number(&self) -> u32 {
        self.first_exit + self.exits.next()
    }

    fn push_exit(&mut self, exit: Exit) {
        self.exits.push(exit);
    }

    /// Emits, in the cold code, an exit with a number.
    fn exit_cold(&mut self, number: u32) {
        self.cold.store_immediate(word(context::EXIT), number as i32);
        self.cold.jump(self.way_out);
    }
}

/// Instructions and accesses as the budget counts them.
pub(crate) fn charge(instructions: u32, accesses: u32) -> i32 {
    ((instructions << 20) as i32) - accesses as i32
}
