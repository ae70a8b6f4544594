//! The slow way to execute: one instruction, precisely, whatever it is. [`crate::step`] fetches, decodes and asks
//! [`classify`] who executes; most instructions go to the host's processor on a buffer ([`generic`]), the rest is Rust.
//!
//! An executor checks everything that can fault before it changes anything. What it returns is the next rip.

mod bits;
pub mod classify;
mod control;
mod cpuid;
mod generic;
mod masked;
mod memory;
mod operand;
mod stack;
mod state;
mod string;
mod system;
mod x87;

pub use cpuid::{XCR0, XSAVE_BYTES, cpuid};
pub(crate) use generic::Plan;
pub(crate) use state::clean_x87;

use crate::native::ExecutableMemory;
use classify::Handler;
use iced_x86::{Formatter, Instruction, InstructionInfoFactory, IntelFormatter, Mnemonic};
use machine::mmu::Access;
use machine::{Exception, Registers, Space, Trap};

/// RFLAGS.TF: #DB after each instruction.
pub(crate) const FLAG_TRAP: u64 = 1 << 8;

/// Where single instructions run on the host's processor.
#[derive(Debug)]
pub(crate) struct NativeUnit {
    memory: ExecutableMemory,
    base: u64,
    block: Box<[u64]>,
    bounce: usize,
    info: InstructionInfoFactory,
}

/// One instruction's execution: what it may use, and what it says about itself.
pub(crate) struct Core<'a, 's> {
    pub(crate) native: &'a mut NativeUnit,
    pub(crate) space: &'a mut Space<'s>,
    pub(crate) registers: &'a mut Registers,
    /// What `rdtsc` answers.
    pub(crate) time_stamp: u64,
    /// How many processors `cpuid` tells of.
    pub(crate) processors: u32,
    /// Data accesses so far; they count if the instruction completes.
    pub(crate) accesses: u64,
    /// The instruction's bytes, as far as they could be fetched.
    pub(crate) bytes: &'a [u8],
}

impl Core<'_, '_> {
    /// Executes an instruction that has no native plan; the next rip.
    pub(crate) fn assist(&mut self, instruction: &Instruction, handler: Handler) -> Result<u64, Trap> {
        match handler {
            Handler::Control => self.control(instruction),
            Handler::Interrupt => self.software_interrupt(instruction),
            Handler::Stack => self.stack(instruction),
            Handler::String => self.string(instruction),
            Handler::BitString => self.bit_string(instruction),
            Handler::TranslateByte => self.translate_byte(instruction),
            Handler::Address => Ok(self.load_address(instruction)),
            Handler::Nothing => Ok(instruction.next_ip()),
            Handler::Flush => {
                let (address, segment) = self.memory_operand(instruction);
                self.touch(address, 1, Access::Read, segment)?;
                Ok(instruction.next_ip())
            }
            Handler::Selector => self.move_selector(instruction),
            Handler::System => self.system(instruction),
            Handler::State => self.state(instruction),
            Handler::Gather => self.gather(instruction),
            Handler::MaskedMove => self.masked_move(instruction),
            Handler::MaskedBytes => self.masked_bytes(instruction),
            Handler::Privileged => Err(Trap::Exception(Exception::GeneralProtection)),
            Handler::Generic | Handler::Undefined => Err(self.invalid_opcode()),
        }
    }

    /// Executes an instruction on the host's processor; the next rip.
    pub(crate) fn native(&mut self, instruction: &Instruction, plan: Plan, slot: usize) -> Result<u64, Trap> {
        self.generic(instruction, plan, slot)
    }

    /// #UD for the current instruction.
    pub(crate) fn invalid_opcode(&self) -> Trap {
        invalid_opcode(self.bytes, self.registers.rip)
    }
}

/// #UD for an instruction with these bytes at `rip`, with its text if it is one that this processor lacks. `ud0`, `ud1` and
/// `ud2` are none of those: to be undefined is what they are for. See the Intel SDM, volume 2, UD.
pub(crate) fn invalid_opcode(bytes: &[u8], rip: u64) -> Trap {
    let instruction = iced_x86::Decoder::with_ip(64, bytes, rip, iced_x86::DecoderOptions::NONE).decode();
    let undefined = matches!(instruction.mnemonic(), Mnemonic::INVALID | Mnemonic::Ud0 | Mnemonic::Ud1 | Mnemonic::Ud2);
    let text = (!undefined).then(|| {
        let mut text = String::new();
        IntelFormatter::new().format(&instruction, &mut text);
        text
    });
    let bytes = if instruction.is_invalid() { bytes } else { &bytes[..instruction.len()] };
    Trap::Exception(Exception::InvalidOpcode { bytes: bytes.to_vec(), instruction: text })
}
