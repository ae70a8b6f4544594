//! Operands: general-purpose registers of all widths, effective addresses, conditions.

use super::Core;
use super::memory::Segment;
use iced_x86::{ConditionCode, Instruction, OpKind, Register};
use machine::{Gpr, Registers};

/// CF, PF, AF, ZF, SF, DF and OF.
pub(crate) const FLAG_CARRY: u64 = 1 << 0;
/// PF.
pub(crate) const FLAG_PARITY: u64 = 1 << 2;
/// AF.
pub(crate) const FLAG_ADJUST: u64 = 1 << 4;
/// ZF.
pub(crate) const FLAG_ZERO: u64 = 1 << 6;
/// SF.
pub(crate) const FLAG_SIGN: u64 = 1 << 7;
/// DF.
pub(crate) const FLAG_DIRECTION: u64 = 1 << 10;
/// OF.
pub(crate) const FLAG_OVERFLOW: u64 = 1 << 11;

/// The low `size` bytes of a number.
pub(crate) fn truncate(value: u64, size: usize) -> u64 {
    if size >= 8 { value } else { value & ((1 << (8 * size)) - 1) }
}

/// The value of a general-purpose register of any width, zero-extended.
pub(crate) fn get(registers: &Registers, register: Register) -> u64 {
    let number = register.number();
    match register.size() {
        1 if (4..8).contains(&number) => registers.general[number - 4] >> 8 & 0xff,
        1 => registers.general[if number < 4 { number } else { number - 4 }] & 0xff,
        size => truncate(registers.general[number], size),
    }
}

/// Sets a general-purpose register of any width: 32 bits clear the upper half, fewer leave the rest.
pub(crate) fn set(registers: &mut Registers, register: Register, value: u64) {
    let number = register.number();
    match register.size() {
        1 if (4..8).contains(&number) => {
            let whole = &mut registers.general[number - 4];
            *whole = *whole & !0xff00 | (value & 0xff) << 8;
        }
        1 => {
            let whole = &mut registers.general[if number < 4 { number } else { number - 4 }];
            *whole = *whole & !0xff | value & 0xff;
        }
        2 => registers.general[number] = registers.general[number] & !0xffff | value & 0xffff,
        4 => registers.general[number] = value & 0xffff_ffff,
        _ => registers.general[number] = value,
    }
}

/// Whether a condition holds under the given flags. Intel SDM 1 appendix B.
pub(crate) fn holds(condition: ConditionCode, flags: u64) -> bool {
    let has = |flag| flags & flag != 0;
    let less = has(FLAG_SIGN) != has(FLAG_OVERFLOW);
    match condition {
        ConditionCode::None => true,
        ConditionCode::o => has(FLAG_OVERFLOW),
        ConditionCode::no => !has(FLAG_OVERFLOW),
        ConditionCode::b => has(FLAG_CARRY),
        ConditionCode::ae => !has(FLAG_CARRY),
        ConditionCode::e => has(FLAG_ZERO),
        ConditionCode::ne => !has(FLAG_ZERO),
        ConditionCode::be => has(FLAG_CARRY) || has(FLAG_ZERO),
        ConditionCode::a => !has(FLAG_CARRY) && !has(FLAG_ZERO),
        ConditionCode::s => has(FLAG_SIGN),
        ConditionCode::ns => !has(FLAG_SIGN),
        ConditionCode::p => has(FLAG_PARITY),
        ConditionCode::np => !has(FLAG_PARITY),
        ConditionCode::l => less,
        ConditionCode::ge => !less,
        ConditionCode::le => less || has(FLAG_ZERO),
        ConditionCode::g => !less && !has(FLAG_ZERO),
    }
}

/// The bytes of an address computed by the instruction: 8, or 4 after the prefix 67h.
pub(crate) fn address_size(instruction: &Instruction) -> usize {
    let registers = [instruction.memory_base(), instruction.memory_index()];
    match registers.into_iter().find(|register| register.is_gpr() || register.is_ip()) {
        Some(register) => register.size(),
        None if instruction.memory_displ_size() == 4 => 4,
        None => 8,
    }
}

impl Core<'_, '_> {
    /// The base to add for a segment register: only fs and gs have one in 64-bit mode.
    pub(crate) fn segment_base(&self, segment: Register) -> u64 {
        match segment {
            Register::FS => self.registers.fs_base,
            Register::GS => self.registers.gs_base,
            _ => 0,
        }
    }

    /// The address of the explicit memory operand without the segment's base. Not for vector indices.
    pub(crate) fn effective_address(&self, instruction: &Instruction) -> u64 {
        let mut address = instruction.memory_displacement64();
        let base = instruction.memory_base();
        // iced-x86 gives rip-relative displacements as absolute addresses.
        if base.is_gpr() {
            address = address.wrapping_add(get(self.registers, base));
        }
        let index = instruction.memory_index();
        if index.is_gpr() {
            let scale = u64::from(instruction.memory_index_scale());
            address = address.wrapping_add(get(self.registers, index).wrapping_mul(scale));
        }
        if address_size(instruction) == 4 { address & 0xffff_ffff } else { address }
    }

    /// The linear address of the explicit memory operand, and what a non-canonical one raises.
    pub(crate) fn memory_operand(&self, instruction: &Instruction) -> (u64, Segment) {
        let segment = instruction.memory_segment();
        let address = self.effective_address(instruction).wrapping_add(self.segment_base(segment));
        (address, if segment == Register::SS { Segment::Stack } else { Segment::Data })
    }

    /// The value of a source operand: register, immediate or memory of at most 8 bytes.
    pub(crate) fn source(&mut self, instruction: &Instruction, operand: u32) -> Result<u64, machine::Trap> {
        match instruction.op_kind(operand) {
            OpKind::Register => Ok(get(self.registers, instruction.op_register(operand))),
            OpKind::Memory => {
                let (address, segment) = self.memory_operand(instruction);
                self.read_number(address, instruction.memory_size().size(), segment)
            }
            _ => Ok(instruction.immediate(operand)),
        }
    }

    /// rsp.
    pub(crate) fn stack_pointer(&self) -> u64 {
        self.registers.get(Gpr::Rsp)
    }
}
