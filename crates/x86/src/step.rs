//! Executes exactly one guest instruction, any instruction at all.
//!
//! It is the reference for the translator, finishes a slice exactly, and does what translated code leaves out.

use crate::assist::classify::{self, Handler};
use crate::assist::{self, Core, FLAG_TRAP, NativeUnit, Plan};
use iced_x86::{Decoder, DecoderError, DecoderOptions, Instruction};
use machine::mmu::{self, Access};
use machine::tlb_model::Use;
use machine::{Exception, Exit, Processor, Registers, Slice, Space, Trap};

/// Instructions remembered, a power of two: one for each of the low bits of rip.
const SLOTS: usize = 8192;
/// The longest instruction. Intel SDM 2A 2.3.11.
const MAX_LENGTH: usize = 15;

/// An instruction met before.
#[derive(Clone)]
struct Known {
    bytes: [u8; MAX_LENGTH],
    instruction: Instruction,
    handler: Handler,
    plan: Option<Plan>,
}

/// Executes single instructions; remembers what it decoded.
pub struct Stepper {
    native: NativeUnit,
    processors: u32,
    known: Vec<Option<Box<Known>>>,
}

impl std::fmt::Debug for Stepper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stepper").field("processors", &self.processors).finish_non_exhaustive()
    }
}

impl Stepper {
    /// A stepper whose `cpuid` tells of `processors` processors.
    ///
    /// # Errors
    /// `Unsupported` if the host's processor is not an x86-64-v3; the host's error if it gives no executable memory.
    pub fn new(processors: u32) -> std::io::Result<Stepper> {
        Ok(Stepper { native: NativeUnit::new(SLOTS)?, processors, known: vec![None; SLOTS] })
    }

    /// Executes the instruction at rip. Adds its data accesses to [`machine::Tlb::accesses`] if it completes.
    ///
    /// # Errors
    /// The trap. A fault leaves registers and memory as they were, but for the iterations of a repeated string
    /// instruction, and the elements of a gather, that are done; after a trap (`Breakpoint`, `SingleStep`, `Overflow`,
    /// `Syscall`) rip is behind the instruction. [`is_retired`] tells the two apart.
    pub fn step(&mut self, space: &mut Space<'_>, registers: &mut Registers, time_stamp: u64) -> Result<(), Trap> {
        let rip = registers.rip;
        let mut code = Code::fetch(space, rip)?;
        let slot = (rip ^ rip >> 13) as usize & (SLOTS - 1);
        let hit = matches!(&self.known[slot], Some(known) if known.instruction.ip() == rip && code.begins_with(known));
        if !hit {
            self.known[slot] = None;
            self.known[slot] = Some(Box::new(self.decode(space, &mut code, rip, slot)?));
        }
        let Some(known) = &self.known[slot] else { unreachable!("the slot was just filled") };
        if let Some(model) = &mut space.model {
            let last = rip.wrapping_add(known.instruction.len() as u64 - 1);
            model.access(rip, Use::Fetch);
            if model.page(last) != model.page(rip) {
                model.access(last, Use::Fetch);
            }
        }
        let single_step = registers.rflags & FLAG_TRAP != 0;
        let mut core = Core {
            native: &mut self.native,
            space,
            registers,
            time_stamp,
            processors: self.processors,
            accesses: 0,
            bytes: code.bytes(),
        };
        let next = match known.plan {
            Some(plan) => core.native(&known.instruction, plan, slot)?,
            None => core.assist(&known.instruction, known.handler)?,
        };
        core.registers.rip = next;
        core.space.tlb.accesses += core.accesses;
        if single_step {
            return Err(Trap::Exception(Exception::SingleStep));
        }
        Ok(())
    }

    fn decode(&mut self, space: &mut Space<'_>, code: &mut Code, rip: u64, slot: usize) -> Result<Known, Trap> {
        let mut decoder = Decoder::with_ip(64, code.bytes(), rip, DecoderOptions::NONE);
        let mut instruction = decoder.decode();
        let mut error = decoder.last_error();
        // Only an instruction that goes on behind the page's end needs the next page.
        if error == DecoderError::NoMoreBytes && code.length < MAX_LENGTH {
            code.fetch_rest(space, rip)?;
            let mut decoder = Decoder::with_ip(64, code.bytes(), rip, DecoderOptions::NONE);
            instruction = decoder.decode();
            error = decoder.last_error();
        }
        match error {
            DecoderError::None => {}
            // Longer than any instruction may be. Intel SDM 3A 6.15, interrupt 13.
            _ if instruction.len() >= MAX_LENGTH => return Err(Trap::Exception(Exception::GeneralProtection)),
            _ => return Err(assist::invalid_opcode(code.bytes(), rip)),
        }
        let mut bytes = [0; MAX_LENGTH];
        let length = instruction.len();
        bytes[..length].copy_from_slice(&code.bytes[..length]);
        let handler = classify::handler(&instruction);
        let plan = match handler {
            Handler::Generic => self.native.prepare(&instruction, slot),
            _ => None,
        };
        Ok(Known { bytes, instruction, handler, plan })
    }
}

/// Whether an instruction that ended in this trap is complete: what comes before it in the run does not come again.
pub fn is_retired(trap: &Trap) -> bool {
    match trap {
        Trap::Syscall | Trap::Budget => true,
        Trap::PageFault(_) => false,
        Trap::Exception(exception) => {
            matches!(exception, Exception::Breakpoint | Exception::SingleStep | Exception::Overflow)
        }
    }
}

/// Bytes at rip, as far as fetched.
struct Code {
    bytes: [u8; MAX_LENGTH],
    length: usize,
}

impl Code {
    /// The bytes up to the end of the page.
    fn fetch(space: &mut Space<'_>, rip: u64) -> Result<Code, Trap> {
        let mut code = Code { bytes: [0; MAX_LENGTH], length: 0 };
        code.append(space, rip)?;
        Ok(code)
    }

    /// The bytes on the next page.
    fn fetch_rest(&mut self, space: &mut Space<'_>, rip: u64) -> Result<(), Trap> {
        self.append(space, rip.wrapping_add(self.length as u64))
    }

    fn append(&mut self, space: &mut Space<'_>, address: u64) -> Result<(), Trap> {
        let unused = 64 - space.table.scheme().canonical_bits();
        if (address as i64) << unused >> unused != address as i64 {
            return Err(Trap::Exception(Exception::GeneralProtection));
        }
        // The counters are about data: how often code is fetched depends on the way it is run.
        let misses = space.tlb.misses;
        let found = mmu::translate(space.memory, space.table, space.tlb, address, Access::Execute);
        space.tlb.misses = misses;
        if let (Err(_), Some(model)) = (&found, &mut space.model) {
            model.fault(Use::Fetch);
        }
        let (frame, offset) = found.map_err(Trap::PageFault)?;
        let source = &space.memory.bytes(frame)[offset..];
        let length = source.len().min(MAX_LENGTH - self.length);
        self.bytes[self.length..self.length + length].copy_from_slice(&source[..length]);
        self.length += length;
        Ok(())
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// Whether the bytes begin with those of a known instruction.
    fn begins_with(&self, known: &Known) -> bool {
        let length = known.instruction.len();
        self.length >= length && self.bytes[..length] == known.bytes[..length]
    }
}

/// A processor that does nothing but step: slow, and the measure of the fast one.
impl Processor for Stepper {
    fn run(&mut self, mut space: Space<'_>, registers: &mut Registers, slice: Slice) -> Exit {
        let mut instructions = 0;
        while instructions < slice.instructions {
            let time_stamp = slice.time_stamp.wrapping_add(instructions);
            if let Err(trap) = self.step(&mut space, registers, time_stamp) {
                instructions += u64::from(is_retired(&trap));
                return Exit { trap, instructions };
            }
            instructions += 1;
        }
        Exit { trap: Trap::Budget, instructions }
    }
}
