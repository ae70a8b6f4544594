//! push, pop, pushfq, popfq, enter, leave. Intel SDM 2A and 2B.

use super::Core;
use super::memory::Segment;
use super::operand::{get, set};
use super::system;
use iced_x86::{Code, Instruction, Mnemonic, OpKind, Register};
use machine::mmu::Access;
use machine::registers::RFLAGS_USER;
use machine::{Gpr, Trap};

/// The flags that `pushfq` shows as zero: VM and RF.
const FLAGS_HIDDEN: u64 = 3 << 16;

impl Core<'_, '_> {
    /// Stores below rsp, then moves rsp.
    pub(super) fn push_number(&mut self, size: usize, value: u64) -> Result<(), Trap> {
        let rsp = self.stack_pointer().wrapping_sub(size as u64);
        self.write_number(rsp, size, value, Segment::Stack)?;
        self.registers.set(Gpr::Rsp, rsp);
        Ok(())
    }

    /// Executes one of them; the next rip.
    pub(super) fn stack(&mut self, instruction: &Instruction) -> Result<u64, Trap> {
        let next = instruction.next_ip();
        match instruction.mnemonic() {
            Mnemonic::Push => {
                let (size, value) = self.pushed(instruction)?;
                self.push_number(size, value)?;
            }
            Mnemonic::Pushf => self.push_number(2, self.registers.rflags & !FLAGS_HIDDEN)?,
            Mnemonic::Pushfq => self.push_number(8, self.registers.rflags & !FLAGS_HIDDEN)?,
            Mnemonic::Pop => self.pop(instruction)?,
            Mnemonic::Popf | Mnemonic::Popfq => {
                let (size, mask) =
                    if instruction.mnemonic() == Mnemonic::Popf { (2, RFLAGS_USER & 0xffff) } else { (8, RFLAGS_USER) };
                let rsp = self.stack_pointer();
                let flags = self.read_number(rsp, size, Segment::Stack)?;
                self.registers.rflags = self.registers.rflags & !mask | flags & mask;
                self.registers.set(Gpr::Rsp, rsp.wrapping_add(size as u64));
            }
            Mnemonic::Leave => {
                let size = if instruction.code() == Code::Leavew { 2 } else { 8 };
                let frame = self.registers.get(Gpr::Rbp);
                let saved = self.read_number(frame, size, Segment::Stack)?;
                self.registers.set(Gpr::Rsp, frame.wrapping_add(size as u64));
                set(self.registers, if size == 2 { Register::BP } else { Register::RBP }, saved);
            }
            _ => self.enter(instruction)?,
        }
        Ok(next)
    }

    /// What a `push` stores, and in how many bytes.
    fn pushed(&mut self, instruction: &Instruction) -> Result<(usize, u64), Trap> {
        Ok(match instruction.op0_kind() {
            OpKind::Register if instruction.op0_register().is_segment_register() => {
                let size = if matches!(instruction.code(), Code::Pushw_FS | Code::Pushw_GS) { 2 } else { 8 };
                (size, system::selector(instruction.op0_register()))
            }
            OpKind::Register => {
                let register = instruction.op0_register();
                (register.size(), get(self.registers, register))
            }
            OpKind::Memory => (instruction.memory_size().size(), self.source(instruction, 0)?),
            _ => {
                let size = if matches!(instruction.code(), Code::Push_imm16 | Code::Pushw_imm8) { 2 } else { 8 };
                (size, instruction.immediate(0))
            }
        })
    }

    fn pop(&mut self, instruction: &Instruction) -> Result<(), Trap> {
        let register = instruction.op0_register();
        let rsp = self.stack_pointer();
        match instruction.op0_kind() {
            OpKind::Register if register.is_segment_register() => {
                let size = if matches!(instruction.code(), Code::Popw_FS | Code::Popw_GS) { 2 } else { 8 };
                let value = self.read_number(rsp, size, Segment::Stack)?;
                self.load_selector(register, value & 0xffff)?;
                self.registers.set(Gpr::Rsp, rsp.wrapping_add(size as u64));
            }
            OpKind::Register => {
                let value = self.read_number(rsp, register.size(), Segment::Stack)?;
                self.registers.set(Gpr::Rsp, rsp.wrapping_add(register.size() as u64));
                set(self.registers, register, value);
            }
            _ => {
                let size = instruction.memory_size().size();
                let value = self.read_number(rsp, size, Segment::Stack)?;
                // An address that uses rsp sees it already moved.
                self.registers.set(Gpr::Rsp, rsp.wrapping_add(size as u64));
                let (address, segment) = self.memory_operand(instruction);
                if let Err(trap) = self.write_number(address, size, value, segment) {
                    self.registers.set(Gpr::Rsp, rsp);
                    return Err(trap);
                }
            }
        }
        Ok(())
    }

    fn enter(&mut self, instruction: &Instruction) -> Result<(), Trap> {
        let size = if instruction.code() == Code::Enterw_imm16_imm8 { 2 } else { 8 };
        let local = u64::from(instruction.immediate16());
        let level = u64::from(instruction.immediate8_2nd() & 31);
        let (rsp, rbp) = (self.stack_pointer(), self.registers.get(Gpr::Rbp));
        let frame = rsp.wrapping_sub(size as u64);
        let pushes = 1 + level;
        let bottom = rsp.wrapping_sub(pushes * size as u64);
        self.touch(bottom, pushes as usize * size, Access::Write, Segment::Stack)?;
        for index in 1..level {
            let address = rbp.wrapping_sub(index * size as u64);
            self.touch(address, size, Access::Read, Segment::Stack)?;
        }
        // The processor checks that the new stack can be written. Intel SDM 2A `enter`.
        self.touch(bottom.wrapping_sub(local), size, Access::Write, Segment::Stack)?;
        self.store(frame, &rbp.to_le_bytes()[..size])?;
        for index in 1..level {
            let mut word = [0; 8];
            self.load(rbp.wrapping_sub(index * size as u64), &mut word[..size])?;
            self.store(frame.wrapping_sub(index * size as u64), &word[..size])?;
        }
        if level > 0 {
            self.store(bottom, &frame.to_le_bytes()[..size])?;
        }
        set(self.registers, if size == 2 { Register::BP } else { Register::RBP }, frame);
        self.registers.set(Gpr::Rsp, bottom.wrapping_sub(local));
        Ok(())
    }
}
