//! Which accesses of a block are a known distance apart, so that one check can serve several.
//!
//! Registers are followed symbolically: each holds a value, named by a number, plus an offset. Accesses whose base and
//! index hold the same values belong to one group; their offsets tell how far apart they are.

use super::{Access, Kind, Plan, Planned, Segment, general};
use iced_x86::{Instruction, Mnemonic, OpKind, Register};

/// A register's content: a named value and what was added to it since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Symbol {
    value: u32,
    offset: i64,
}

/// What accesses of a group have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    base: Option<u32>,
    index: Option<(u32, u8)>,
    segment: Option<Segment>,
    /// The page of a constant address.
    page: Option<u64>,
}

/// Sets group and offset of all accesses of a plan; the number of groups.
pub(crate) fn assign(plan: &mut Plan) -> usize {
    let mut registers: [Symbol; 16] = std::array::from_fn(|number| Symbol { value: number as u32, offset: 0 });
    let mut next_value = 16;
    let mut keys: Vec<Key> = Vec::new();
    for planned in &mut plan.instructions {
        for access in planned.accesses.iter_mut().flatten() {
            let (key, offset, base_offset) = symbolic(access, &registers);
            let group = keys.iter().position(|known| *known == key).unwrap_or_else(|| {
                keys.push(key);
                keys.len() - 1
            });
            (access.group, access.offset, access.base_offset) = (group as u16, offset, base_offset);
        }
        execute(planned, &mut registers, &mut next_value);
    }
    keys.len()
}

fn symbolic(access: &Access, registers: &[Symbol; 16]) -> (Key, i64, i64) {
    let mut offset = access.displacement;
    let base = access.base.map(|number| registers[usize::from(number)]);
    let index = access.index.map(|(number, scale)| (registers[usize::from(number)], scale));
    if let Some(base) = base {
        offset = offset.wrapping_add(base.offset);
    }
    if let Some((index, scale)) = index {
        offset = offset.wrapping_add(index.offset << scale);
    }
    let key = Key {
        base: base.map(|base| base.value),
        index: index.map(|(index, scale)| (index.value, scale)),
        segment: access.segment,
        page: access.constant().map(|address| address >> 12),
    };
    (key, offset, base.map_or(0, |base| base.offset))
}

/// Follows what an instruction does to the registers.
fn execute(planned: &Planned, registers: &mut [Symbol; 16], next_value: &mut u32) {
    const RSP: usize = 4;
    const RBP: usize = 5;
    let mut unknown = || {
        *next_value += 1;
        Symbol { value: *next_value, offset: 0 }
    };
    match planned.kind {
        Kind::PushRegister | Kind::PushImmediate | Kind::PushMemory => {
            registers[RSP].offset = registers[RSP].offset.wrapping_sub(8);
        }
        Kind::PopRegister => {
            registers[RSP].offset = registers[RSP].offset.wrapping_add(8);
            if let Some(number) = general(planned.instruction.op0_register()) {
                registers[usize::from(number)] = unknown();
            }
        }
        Kind::CallDirect => registers[RSP].offset = registers[RSP].offset.wrapping_sub(8),
        Kind::Return => {
            let parameters = super::return_parameters(&planned.instruction);
            registers[RSP].offset = registers[RSP].offset.wrapping_add(8 + i64::from(parameters));
        }
        Kind::Leave => {
            registers[RSP] = Symbol { offset: registers[RBP].offset.wrapping_add(8), ..registers[RBP] };
            registers[RBP] = unknown();
        }
        _ => match known_result(&planned.instruction, registers) {
            Some((number, symbol)) => registers[usize::from(number)] = symbol,
            None => {
                for (number, register) in registers.iter_mut().enumerate() {
                    if planned.writes >> number & 1 != 0 {
                        *register = unknown();
                    }
                }
            }
        },
    }
}

/// The register that an instruction sets to a known distance from another, and that.
fn known_result(instruction: &Instruction, registers: &[Symbol; 16]) -> Option<(u8, Symbol)> {
    use Mnemonic::{Add, Dec, Inc, Lea, Mov, Sub};
    let mnemonic = instruction.mnemonic();
    if !matches!(mnemonic, Add | Dec | Inc | Lea | Mov | Sub) || instruction.op0_kind() != OpKind::Register {
        return None;
    }
    let to = instruction.op0_register();
    if !to.is_gpr64() {
        return None;
    }
    let number = general(to)?;
    let moved = |from: u8, by: i64| {
        let from = registers[usize::from(from)];
        Some((number, Symbol { offset: from.offset.wrapping_add(by), ..from }))
    };
    let immediate = || {
        let constant = matches!(instruction.op1_kind(), OpKind::Immediate8to64 | OpKind::Immediate32to64);
        constant.then(|| instruction.immediate(1) as i64)
    };
    match mnemonic {
        Add => moved(number, immediate()?),
        Sub => moved(number, immediate()?.wrapping_neg()),
        Inc => moved(number, 1),
        Dec => moved(number, -1),
        Mov if instruction.op1_kind() == OpKind::Register => moved(general(instruction.op1_register())?, 0),
        Lea if instruction.memory_index() == Register::None && instruction.memory_base().is_gpr64() => {
            moved(general(instruction.memory_base())?, instruction.memory_displacement64() as i64)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Classifier;
    use super::*;
    use iced_x86::{Decoder, DecoderOptions};

    fn groups(bytes: &[u8]) -> Vec<(u16, i64)> {
        let mut plan = Plan::new();
        let mut classifier = Classifier::new();
        for instruction in &mut Decoder::with_ip(64, bytes, 0x1000, DecoderOptions::NONE) {
            plan.instructions.push(classifier.classify(instruction, 0));
        }
        assign(&mut plan);
        let accesses = plan.instructions.iter().flat_map(|planned| planned.accesses.iter().flatten());
        accesses.map(|access| (access.group, access.offset)).collect()
    }

    #[test]
    fn a_function_entry_is_one_group() {
        // push rbx; push rbp; sub rsp,0x18; mov [rsp+8],rdi; mov rax,rsp; mov rcx,[rax]
        let code = [0x53, 0x55, 0x48, 0x83, 0xec, 0x18, 0x48, 0x89, 0x7c, 0x24, 8, 0x48, 0x89, 0xe0, 0x48, 0x8b, 0x08];
        assert_eq!(groups(&code), [(0, -8), (0, -16), (0, -0x20), (0, -0x28)]);
    }

    #[test]
    fn a_register_that_was_loaded_begins_a_group() {
        // mov rdi,[rdi]; mov rax,[rdi]; mov rax,[rdi+8]; add edi,8; mov rax,[rdi]
        let code = [0x48, 0x8b, 0x3f, 0x48, 0x8b, 0x07, 0x48, 0x8b, 0x47, 8, 0x83, 0xc7, 8, 0x48, 0x8b, 0x07];
        assert_eq!(groups(&code), [(0, 0), (1, 0), (1, 8), (2, 0)]);
    }

    #[test]
    fn an_index_that_moves_moves_by_its_scale() {
        // mov eax,[rdi+rcx*4]; inc rcx; mov eax,[rdi+rcx*4+4]
        let code = [0x8b, 0x04, 0x8f, 0x48, 0xff, 0xc1, 0x8b, 0x44, 0x8f, 4];
        assert_eq!(groups(&code), [(0, 0), (0, 8)]);
    }
}
