//! What is not the guest's business: identification, time, segment bases and selectors, XCR0.

use super::Core;
use super::cpuid::{XCR0, cpuid};
use super::operand::{get, set};
use iced_x86::{Instruction, Mnemonic, OpKind, Register};
use machine::{Exception, Gpr, Trap};

/// The selector of 64-bit user code, Linux arch/x86/include/asm/segment.h `__USER_CS`.
pub(super) const CODE_SELECTOR: u64 = 0x33;
/// The selector of user data, `__USER_DS`.
pub(super) const STACK_SELECTOR: u64 = 0x2b;

/// What user mode reads from a segment register.
pub(super) fn selector(register: Register) -> u64 {
    match register {
        Register::CS => CODE_SELECTOR,
        Register::SS => STACK_SELECTOR,
        _ => 0,
    }
}

impl Core<'_, '_> {
    /// Loads a segment register. There are but the null selector and user data; both have base 0.
    pub(super) fn load_selector(&mut self, register: Register, value: u64) -> Result<(), Trap> {
        let allowed = match register {
            Register::SS => value == STACK_SELECTOR,
            Register::CS => return Err(self.invalid_opcode()),
            _ => value < 4 || value == STACK_SELECTOR,
        };
        if !allowed {
            return Err(Trap::Exception(Exception::GeneralProtection));
        }
        match register {
            Register::FS => self.registers.fs_base = 0,
            Register::GS => self.registers.gs_base = 0,
            _ => {}
        }
        Ok(())
    }

    /// `mov` from or to a segment register; the next rip.
    pub(super) fn move_selector(&mut self, instruction: &Instruction) -> Result<u64, Trap> {
        if instruction.op0_kind() == OpKind::Register && instruction.op0_register().is_segment_register() {
            let value = self.source(instruction, 1)?;
            self.load_selector(instruction.op0_register(), value & 0xffff)?;
            return Ok(instruction.next_ip());
        }
        let value = selector(instruction.op1_register());
        if instruction.op0_kind() == OpKind::Register {
            set(self.registers, instruction.op0_register(), value);
        } else {
            let (address, segment) = self.memory_operand(instruction);
            self.write_number(address, 2, value, segment)?;
        }
        Ok(instruction.next_ip())
    }

    /// `cpuid`, `rdtsc`, `rdtscp`, `xgetbv`, `rdfsbase` and its like; the next rip.
    pub(super) fn system(&mut self, instruction: &Instruction) -> Result<u64, Trap> {
        let (rax, rcx) = (self.registers.get(Gpr::Rax), self.registers.get(Gpr::Rcx));
        let register = instruction.op0_register();
        match instruction.mnemonic() {
            Mnemonic::Cpuid => {
                let bits = self.space.table.scheme().address_bits();
                let answer = cpuid(rax as u32, rcx as u32, self.processors, bits);
                for (register, value) in [Gpr::Rax, Gpr::Rbx, Gpr::Rcx, Gpr::Rdx].into_iter().zip(answer) {
                    self.registers.set(register, u64::from(value));
                }
            }
            Mnemonic::Rdtsc => self.set_edx_eax(self.time_stamp),
            Mnemonic::Rdtscp => {
                self.set_edx_eax(self.time_stamp);
                // TSC_AUX as Linux sets it: node << 12 | processor. There is but the first.
                self.registers.set(Gpr::Rcx, 0);
            }
            Mnemonic::Xgetbv => match rcx as u32 {
                0 => self.set_edx_eax(XCR0),
                1 => self.set_edx_eax(super::state::components_in_use(&self.registers.extended)),
                _ => return Err(Trap::Exception(Exception::GeneralProtection)),
            },
            Mnemonic::Rdfsbase => set(self.registers, register, self.registers.fs_base),
            Mnemonic::Rdgsbase => set(self.registers, register, self.registers.gs_base),
            _ => {
                let base = get(self.registers, register);
                if !self.is_canonical(base) {
                    return Err(Trap::Exception(Exception::GeneralProtection));
                }
                match instruction.mnemonic() {
                    Mnemonic::Wrfsbase => self.registers.fs_base = base,
                    _ => self.registers.gs_base = base,
                }
            }
        }
        Ok(instruction.next_ip())
    }

    fn set_edx_eax(&mut self, value: u64) {
        self.registers.set(Gpr::Rax, value & 0xffff_ffff);
        self.registers.set(Gpr::Rdx, value >> 32);
    }
}
