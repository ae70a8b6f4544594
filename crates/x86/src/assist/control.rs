//! Jumps, calls, returns, loops, and the instructions that trap by design.

use super::Core;
use super::memory::Segment;
use super::operand::{FLAG_ZERO, get, holds, set, truncate};
use super::system::{CODE_SELECTOR, STACK_SELECTOR};
use iced_x86::{Code, Instruction, Mnemonic, OpKind, Register};
use machine::mmu::Access;
use machine::registers::RFLAGS_USER;
use machine::{Exception, Gpr, Trap};

const GENERAL_PROTECTION: Trap = Trap::Exception(Exception::GeneralProtection);

impl Core<'_, '_> {
    /// Executes an instruction that may jump; the next rip.
    pub(super) fn control(&mut self, instruction: &Instruction) -> Result<u64, Trap> {
        let next = instruction.next_ip();
        match instruction.mnemonic() {
            Mnemonic::Jmp => {
                let target = self.target(instruction)?;
                self.checked(target)
            }
            Mnemonic::Call => {
                let target = self.target(instruction)?;
                let rsp = self.stack_pointer().wrapping_sub(8);
                self.touch(rsp, 8, Access::Write, Segment::Stack)?;
                let target = self.checked(target)?;
                self.store(rsp, &next.to_le_bytes())?;
                self.registers.set(Gpr::Rsp, rsp);
                Ok(target)
            }
            Mnemonic::Ret => self.ret(instruction),
            Mnemonic::Retf => self.far_return(instruction),
            Mnemonic::Iretq => self.interrupt_return(),
            Mnemonic::Loop | Mnemonic::Loope | Mnemonic::Loopne => {
                let counter = counter(instruction);
                let count = truncate(get(self.registers, counter).wrapping_sub(1), counter.size());
                let zero = self.registers.rflags & FLAG_ZERO != 0;
                let again = match instruction.mnemonic() {
                    Mnemonic::Loope => zero,
                    Mnemonic::Loopne => !zero,
                    _ => true,
                };
                let target = if count != 0 && again { self.checked(instruction.near_branch64())? } else { next };
                set(self.registers, counter, count);
                Ok(target)
            }
            Mnemonic::Jcxz | Mnemonic::Jecxz | Mnemonic::Jrcxz => {
                let empty = get(self.registers, counter(instruction)) == 0;
                if empty { self.checked(instruction.near_branch64()) } else { Ok(next) }
            }
            _ => {
                let taken = holds(instruction.condition_code(), self.registers.rflags);
                if taken { self.checked(instruction.near_branch64()) } else { Ok(next) }
            }
        }
    }

    /// `lea`; the next rip.
    pub(super) fn load_address(&mut self, instruction: &Instruction) -> u64 {
        let address = self.effective_address(instruction);
        set(self.registers, instruction.op0_register(), address);
        instruction.next_ip()
    }

    fn target(&mut self, instruction: &Instruction) -> Result<u64, Trap> {
        match instruction.op0_kind() {
            OpKind::Register | OpKind::Memory => self.source(instruction, 0),
            _ => Ok(instruction.near_branch64()),
        }
    }

    /// A jump to a non-canonical address faults at the jump. Intel SDM 2A, `jmp`.
    fn checked(&self, target: u64) -> Result<u64, Trap> {
        if self.is_canonical(target) { Ok(target) } else { Err(GENERAL_PROTECTION) }
    }

    fn ret(&mut self, instruction: &Instruction) -> Result<u64, Trap> {
        let rsp = self.stack_pointer();
        let target = self.read_number(rsp, 8, Segment::Stack)?;
        let target = self.checked(target)?;
        let extra = if instruction.op_count() == 1 { u64::from(instruction.immediate16()) } else { 0 };
        self.registers.set(Gpr::Rsp, rsp.wrapping_add(8 + extra));
        Ok(target)
    }

    /// `retf` to the one code segment there is. Intel SDM 2B `ret`.
    fn far_return(&mut self, instruction: &Instruction) -> Result<u64, Trap> {
        let size = match instruction.code() {
            Code::Retfw | Code::Retfw_imm16 => 2,
            Code::Retfd | Code::Retfd_imm16 => 4,
            _ => 8,
        };
        let rsp = self.stack_pointer();
        let target = self.read_number(rsp, size, Segment::Stack)?;
        let selector = self.read_number(rsp.wrapping_add(size as u64), 2, Segment::Stack)?;
        if selector != CODE_SELECTOR {
            return Err(GENERAL_PROTECTION);
        }
        let target = self.checked(target)?;
        let extra = if instruction.op_count() == 1 { u64::from(instruction.immediate16()) } else { 0 };
        self.registers.set(Gpr::Rsp, rsp.wrapping_add(2 * size as u64 + extra));
        Ok(target)
    }

    /// `iretq` to the segments there are. Intel SDM 2A `iret`.
    fn interrupt_return(&mut self) -> Result<u64, Trap> {
        let rsp = self.stack_pointer();
        self.touch(rsp, 40, Access::Read, Segment::Stack)?;
        let mut words = [0; 5];
        for (index, word) in words.iter_mut().enumerate() {
            *word = self.read_number(rsp.wrapping_add(8 * index as u64), 8, Segment::Stack)?;
        }
        let [target, code, flags, stack_pointer, stack] = words;
        if code & 0xffff != CODE_SELECTOR || stack & 0xffff != STACK_SELECTOR {
            return Err(GENERAL_PROTECTION);
        }
        let target = self.checked(target)?;
        self.registers.rflags = self.registers.rflags & !RFLAGS_USER | flags & RFLAGS_USER;
        self.registers.set(Gpr::Rsp, stack_pointer);
        Ok(target)
    }

    /// `int n`, `int3`, `int1`, `syscall`. Linux's interrupt table lets user mode use 3, 4 and 80h only; 80h is the
    /// 32-bit system call, which this kernel, like one without CONFIG_IA32_EMULATION, does not have.
    pub(super) fn software_interrupt(&mut self, instruction: &Instruction) -> Result<u64, Trap> {
        let next = instruction.next_ip();
        let exception = match instruction.mnemonic() {
            Mnemonic::Syscall => {
                let flags = self.registers.rflags;
                self.registers.set(Gpr::Rcx, next);
                self.registers.set(Gpr::R11, flags);
                self.registers.rip = next;
                return Err(Trap::Syscall);
            }
            Mnemonic::Int3 => Exception::Breakpoint,
            Mnemonic::Int1 => Exception::SingleStep,
            _ => match instruction.immediate8() {
                3 => Exception::Breakpoint,
                4 => Exception::Overflow,
                _ => return Err(GENERAL_PROTECTION),
            },
        };
        self.registers.rip = next;
        Err(Trap::Exception(exception))
    }
}

/// rcx or ecx, as the address size says.
fn counter(instruction: &Instruction) -> Register {
    match instruction.code() {
        Code::Jecxz_rel8_64 | Code::Loop_rel8_64_ECX | Code::Loope_rel8_64_ECX | Code::Loopne_rel8_64_ECX => {
            Register::ECX
        }
        _ => Register::RCX,
    }
}
