//! Guest instructions with other registers or another memory operand.

use super::assembler::Operand;
use super::{Emitter, Unencodable};
use crate::plan::{Plan, general};
use iced_x86::{OpKind, Register};

const BYTES: [Register; 16] = [
    Register::AL,
    Register::CL,
    Register::DL,
    Register::BL,
    Register::SPL,
    Register::BPL,
    Register::SIL,
    Register::DIL,
    Register::R8L,
    Register::R9L,
    Register::R10L,
    Register::R11L,
    Register::R12L,
    Register::R13L,
    Register::R14L,
    Register::R15L,
];
const WORDS: [Register; 16] = [
    Register::AX,
    Register::CX,
    Register::DX,
    Register::BX,
    Register::SP,
    Register::BP,
    Register::SI,
    Register::DI,
    Register::R8W,
    Register::R9W,
    Register::R10W,
    Register::R11W,
    Register::R12W,
    Register::R13W,
    Register::R14W,
    Register::R15W,
];
const DOUBLE_WORDS: [Register; 16] = [
    Register::EAX,
    Register::ECX,
    Register::EDX,
    Register::EBX,
    Register::ESP,
    Register::EBP,
    Register::ESI,
    Register::EDI,
    Register::R8D,
    Register::R9D,
    Register::R10D,
    Register::R11D,
    Register::R12D,
    Register::R13D,
    Register::R14D,
    Register::R15D,
];
const QUAD_WORDS: [Register; 16] = [
    Register::RAX,
    Register::RCX,
    Register::RDX,
    Register::RBX,
    Register::RSP,
    Register::RBP,
    Register::RSI,
    Register::RDI,
    Register::R8,
    Register::R9,
    Register::R10,
    Register::R11,
    Register::R12,
    Register::R13,
    Register::R14,
    Register::R15,
];

/// The register of a number and a size in bytes.
fn register(number: u8, size: usize) -> Register {
    let table = match size {
        1 => &BYTES,
        2 => &WORDS,
        4 => &DOUBLE_WORDS,
        _ => &QUAD_WORDS,
    };
    table[usize::from(number)]
}

impl Emitter {
    /// Emits instruction `at` with the host registers that hold its operands, and its memory operand replaced.
    pub(super) fn encode(&mut self, plan: &Plan, at: usize, memory: Option<Operand>) -> Result<(), Unencodable> {
        let planned = &plan.instructions[at];
        if memory.is_none() && Self::all_own(planned.reads, planned.writes) {
            self.hot.append(plan.code(planned));
            return Ok(());
        }
        let mut instruction = planned.instruction;
        for operand in 0..instruction.op_count() {
            if instruction.op_kind(operand) == OpKind::Register {
                let from = instruction.op_register(operand);
                if let Some(number) = general(from).filter(|number| self.host_differs(*number)) {
                    instruction.set_op_register(operand, register(self.host(number), from.size()));
                }
            }
        }
        match memory {
            Some(operand) => {
                instruction.set_segment_prefix(Register::None);
                let base = operand.base.map_or(Register::None, |base| register(base, 8));
                instruction.set_memory_base(base);
                let (index, scale) = operand.index.unwrap_or((0, 0));
                instruction.set_memory_index(operand.index.map_or(Register::None, |_| register(index, 8)));
                instruction.set_memory_index_scale(1 << scale);
                instruction.set_memory_displacement64(operand.displacement as i64 as u64);
                instruction.set_memory_displ_size(u32::from(operand.displacement != 0));
                // One host thread runs all guest threads, so every instruction is atomic.
                instruction.set_has_lock_prefix(false);
            }
            None => {
                // `lea`: its address registers are operands too.
                let (base, index) = (instruction.memory_base(), instruction.memory_index());
                if let Some(number) = general(base).filter(|number| self.host_differs(*number)) {
                    instruction.set_memory_base(register(self.host(number), base.size()));
                }
                if let Some(number) = general(index).filter(|number| self.host_differs(*number)) {
                    instruction.set_memory_index(register(self.host(number), index.size()));
                }
                if base != Register::None && instruction.memory_displ_size() == 0 {
                    // rbp and r13 need a displacement, and the encoder adds it only if it may choose its size.
                    instruction.set_memory_displ_size(u32::from(instruction.memory_displacement64() != 0));
                }
            }
        }
        let mut buffer = self.encoder.take_buffer();
        buffer.clear();
        self.encoder.set_buffer(buffer);
        if self.encoder.encode(&instruction, self.hot.here()).is_err() {
            return Err(Unencodable { at });
        }
        let buffer = self.encoder.take_buffer();
        self.hot.append(&buffer);
        self.encoder.set_buffer(buffer);
        Ok(())
    }

    fn host_differs(&self, number: u8) -> bool {
        number >= super::registers::FIRST_IN_MEMORY
    }
}
