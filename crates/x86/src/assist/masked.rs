//! Masked vector accesses: elements that are masked off are not accessed and cannot fault. Intel SDM 2C `vmaskmov`,
//! `vpmaskmov`, `vpgather`; 2B `maskmovdqu`, `maskmovq`.

use super::Core;
use super::operand::{get, truncate};
use iced_x86::{Instruction, Mnemonic, OpKind, Register};
use machine::Trap;
use machine::mmu::Access;

/// Bytes of the index elements and of the data elements of a gather.
fn gather_sizes(mnemonic: Mnemonic) -> Option<(usize, usize)> {
    Some(match mnemonic {
        Mnemonic::Vgatherdps | Mnemonic::Vpgatherdd => (4, 4),
        Mnemonic::Vgatherdpd | Mnemonic::Vpgatherdq => (4, 8),
        Mnemonic::Vgatherqps | Mnemonic::Vpgatherqd => (8, 4),
        Mnemonic::Vgatherqpd | Mnemonic::Vpgatherqq => (8, 8),
        _ => return None,
    })
}

/// Whether the mnemonic is one of the eight gathers.
pub(super) fn is_gather(mnemonic: Mnemonic) -> bool {
    gather_sizes(mnemonic).is_some()
}

impl Core<'_, '_> {
    fn vector(&mut self, register: Register) -> &mut [u8; 32] {
        &mut self.registers.extended.ymm[register.number()]
    }

    /// `vgather..`: destination, [base + index * scale], mask. Each element done clears its mask, so that after a fault
    /// the rest can go on; the next rip.
    pub(super) fn gather(&mut self, instruction: &Instruction) -> Result<u64, Trap> {
        let (index_size, data_size) = gather_sizes(instruction.mnemonic()).unwrap_or((4, 4));
        let (target, mask) = (instruction.op0_register(), instruction.op2_register());
        let indices = instruction.memory_index();
        if target.number() == mask.number() || target.number() == indices.number() || mask.number() == indices.number()
        {
            return Err(self.invalid_opcode());
        }
        // The wider of data and indices fills the vector.
        let width = target.size().max(indices.size());
        let elements = width / index_size.max(data_size);
        let base = instruction.memory_base();
        let base_size = if base.is_gpr() { base.size() } else { 8 };
        let start = instruction.memory_displacement64();
        let start = if base.is_gpr() { start.wrapping_add(get(self.registers, base)) } else { start };
        let scale = u64::from(instruction.memory_index_scale());
        let segment_base = self.segment_base(instruction.memory_segment());
        let (_, segment) = self.memory_operand(instruction);

        for element in 0..elements {
            let place = element * data_size..(element + 1) * data_size;
            if self.vector(mask)[place.end - 1] & 0x80 == 0 {
                self.vector(mask)[place].fill(0);
                continue;
            }
            let index = &self.vector(indices)[element * index_size..(element + 1) * index_size];
            let index = match index_size {
                4 => i32::from_le_bytes([index[0], index[1], index[2], index[3]]) as u64,
                _ => u64::from_le_bytes(std::array::from_fn(|byte| index[byte])),
            };
            let offset = truncate(start.wrapping_add(index.wrapping_mul(scale)), base_size);
            let value = self.read_number(offset.wrapping_add(segment_base), data_size, segment)?;
            self.vector(target)[place.clone()].copy_from_slice(&value.to_le_bytes()[..data_size]);
            self.vector(mask)[place].fill(0);
        }
        self.vector(mask).fill(0);
        self.vector(target)[elements * data_size..].fill(0);
        Ok(instruction.next_ip())
    }

    /// `vmaskmovps`, `vmaskmovpd`, `vpmaskmovd`, `vpmaskmovq`; the next rip.
    pub(super) fn masked_move(&mut self, instruction: &Instruction) -> Result<u64, Trap> {
        let stores = instruction.op0_kind() == OpKind::Memory;
        let mask = *self.vector(instruction.op1_register());
        let vector = if stores { instruction.op2_register() } else { instruction.op0_register() };
        let width = vector.size();
        let size = match instruction.mnemonic() {
            Mnemonic::Vmaskmovpd | Mnemonic::Vpmaskmovq => 8,
            _ => 4,
        };
        let (address, segment) = self.memory_operand(instruction);
        let access = if stores { Access::Write } else { Access::Read };
        let chosen = |offset: &usize| mask[offset + size - 1] & 0x80 != 0;
        for offset in (0..width).step_by(size).filter(chosen) {
            self.touch(address.wrapping_add(offset as u64), size, access, segment)?;
        }
        let value = *self.vector(vector);
        let mut result = [0; 32];
        for offset in (0..width).step_by(size).filter(chosen) {
            let place = address.wrapping_add(offset as u64);
            if stores {
                self.store(place, &value[offset..offset + size])?;
            } else {
                self.load(place, &mut result[offset..offset + size])?;
            }
        }
        if !stores {
            *self.vector(vector) = result;
        }
        Ok(instruction.next_ip())
    }

    /// `maskmovdqu`, `vmaskmovdqu`: the bytes of the first operand whose mask byte has its sign set go to [rdi]; the
    /// next rip. (`maskmovq` finds its operands in MMX registers.)
    pub(super) fn masked_bytes(&mut self, instruction: &Instruction) -> Result<u64, Trap> {
        let (value, mask) = (instruction.op1_register(), instruction.op2_register());
        let (width, value, mask) = if value.is_mm() {
            if self.registers.extended.fxsave[2] & 0x80 != 0 {
                return Err(Trap::Exception(machine::Exception::X87));
            }
            (8, self.mmx(value), self.mmx(mask))
        } else {
            let (value, mask) = (*self.vector(value), *self.vector(mask));
            (16, std::array::from_fn(|index| value[index]), std::array::from_fn(|index| mask[index]))
        };
        let rdi = match instruction.op0_kind() {
            OpKind::MemorySegEDI => Register::EDI,
            _ => Register::RDI,
        };
        let base = self.segment_base(instruction.memory_segment());
        let address = get(self.registers, rdi).wrapping_add(base);
        let chosen = |index: &usize| mask[*index] & 0x80 != 0;
        for index in (0..width).filter(chosen) {
            let place = address.wrapping_add(index as u64);
            self.touch(place, 1, Access::Write, super::memory::Segment::Data)?;
        }
        for index in (0..width).filter(chosen) {
            self.store(address.wrapping_add(index as u64), &value[index..=index])?;
        }
        if width == 8 {
            // Using MMX registers empties none and puts the top of the stack to 0. Intel SDM 1 9.5.1.
            super::x87::enter_mmx(&mut self.registers.extended);
        }
        Ok(instruction.next_ip())
    }

    fn mmx(&self, register: Register) -> [u8; 16] {
        let state = &self.registers.extended;
        let top = usize::from(state.fxsave[3] >> 3 & 7);
        let start = 32 + 16 * ((register.number() + 8 - top) % 8);
        std::array::from_fn(|index| if index < 8 { state.fxsave[start + index] } else { 0 })
    }
}
