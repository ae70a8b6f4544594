//! `bt`, `bts`, `btr`, `btc` of a bit string in memory whose offset is a register: the offset moves the address.
//! Intel SDM 2A `bt`, and 1 4.6.1 (bit strings). And `xlatb`.

use super::Core;
use super::operand::{FLAG_CARRY, address_size, get, truncate};
use iced_x86::{Instruction, Mnemonic, Register};
use machine::mmu::Access;
use machine::{Gpr, Trap};

impl Core<'_, '_> {
    /// Executes one of them; the next rip.
    pub(super) fn bit_string(&mut self, instruction: &Instruction) -> Result<u64, Trap> {
        let register = instruction.op1_register();
        let size = register.size();
        let bits = 8 * size as u32;
        let unused = 64 - bits;
        let offset = (get(self.registers, register) << unused) as i64 >> unused;
        let element = offset >> bits.ilog2();
        let bit = offset as u64 & u64::from(bits - 1);

        let mut address = self.effective_address(instruction);
        address = address.wrapping_add((element as u64).wrapping_mul(size as u64));
        if address_size(instruction) == 4 {
            address = truncate(address, 4);
        }
        address = address.wrapping_add(self.segment_base(instruction.memory_segment()));
        let segment = self.memory_operand(instruction).1;

        let access = if instruction.mnemonic() == Mnemonic::Bt { Access::Read } else { Access::Write };
        self.touch(address, size, access, segment)?;
        let mut bytes = [0; 8];
        self.load(address, &mut bytes[..size])?;
        let value = u64::from_le_bytes(bytes);
        let changed = match instruction.mnemonic() {
            Mnemonic::Bts => value | 1 << bit,
            Mnemonic::Btr => value & !(1 << bit),
            _ => value ^ 1 << bit,
        };
        if access == Access::Write {
            self.store(address, &changed.to_le_bytes()[..size])?;
        }
        self.registers.rflags = self.registers.rflags & !FLAG_CARRY | ((value >> bit & 1) * FLAG_CARRY);
        Ok(instruction.next_ip())
    }

    /// `xlatb`: al becomes the byte at rbx + al.
    pub(super) fn translate_byte(&mut self, instruction: &Instruction) -> Result<u64, Trap> {
        let base = instruction.memory_base();
        let offset = get(self.registers, base).wrapping_add(get(self.registers, Register::AL));
        let address = truncate(offset, base.size()).wrapping_add(self.segment_base(instruction.memory_segment()));
        let value = self.read_number(address, 1, super::memory::Segment::Data)?;
        let rax = self.registers.get(Gpr::Rax);
        self.registers.set(Gpr::Rax, rax & !0xff | value);
        Ok(instruction.next_ip())
    }
}
