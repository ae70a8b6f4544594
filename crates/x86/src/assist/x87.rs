//! `fnstenv`, `fldenv`, `fnsave`, `frstor`: the x87 state in its old layouts. Intel SDM 1 8.1.10, figures 8-9 and 8-11.

use super::Core;
use super::memory::Segment;
use super::state::{clean_x87, settle_x87};
use iced_x86::{Code, Instruction, Mnemonic};
use machine::mmu::Access;
use machine::registers::ExtendedState;
use machine::{Exception, Trap};

/// Bytes of one register.
const REGISTER: usize = 10;
/// Where the registers are in the `fxsave` image, and how far apart.
const REGISTERS: usize = 32;

fn half(state: &ExtendedState, offset: usize) -> u16 {
    u16::from_le_bytes([state.fxsave[offset], state.fxsave[offset + 1]])
}

fn register(state: &ExtendedState, index: usize) -> &[u8] {
    &state.fxsave[REGISTERS + 16 * index..][..REGISTER]
}

/// The full tag word: two bits for each physical register. Intel SDM 1 8.1.7.
fn tag_word(state: &ExtendedState) -> u16 {
    let top = usize::from(half(state, 2) >> 11 & 7);
    let mut tags = 0;
    for physical in 0..8 {
        let value = register(state, (physical + 8 - top) % 8);
        let exponent = u16::from_le_bytes([value[8], value[9]]) & 0x7fff;
        let significand = u64::from_le_bytes(std::array::from_fn(|index| value[index]));
        let tag = if state.fxsave[4] >> physical & 1 == 0 {
            3
        } else if exponent == 0 && significand == 0 {
            1
        } else if exponent == 0 || exponent == 0x7fff || significand >> 63 == 0 {
            2
        } else {
            0
        };
        tags |= tag << (2 * physical);
    }
    tags
}

/// The tags as `fxsave` abridges them.
fn abridge(tags: u16) -> u8 {
    (0..8).filter(|physical| tags >> (2 * physical) & 3 != 3).map(|physical| 1 << physical).sum()
}

impl Core<'_, '_> {
    pub(super) fn x87_environment(
        &mut self,
        instruction: &Instruction,
        address: u64,
        segment: Segment,
    ) -> Result<(), Trap> {
        let short = matches!(
            instruction.code(),
            Code::Fnstenv_m14byte | Code::Fldenv_m14byte | Code::Fnsave_m94byte | Code::Frstor_m94byte
        );
        let field = if short { 2 } else { 4 };
        let environment = 7 * field;
        let whole = environment + 8 * REGISTER;
        match instruction.mnemonic() {
            Mnemonic::Fnstenv | Mnemonic::Fnsave => {
                let with_registers = instruction.mnemonic() == Mnemonic::Fnsave;
                let length = if with_registers { whole } else { environment };
                self.touch(address, length, Access::Write, segment)?;
                let state = &mut self.registers.extended;
                let mut image = vec![0; length];
                for (index, value) in [half(state, 0), half(state, 2), tag_word(state)].into_iter().enumerate() {
                    image[index * field..index * field + 2].copy_from_slice(&value.to_le_bytes());
                }
                if !short {
                    // The upper halves of the words and of the data selector are ones.
                    for index in [0, 1, 2, 6] {
                        image[index * field + 2..index * field + 4].fill(0xff);
                    }
                }
                if with_registers {
                    for index in 0..8 {
                        image[environment + REGISTER * index..][..REGISTER].copy_from_slice(register(state, index));
                    }
                    // As `fninit`: the registers keep their contents but are tagged empty.
                    put_top_to_zero(state);
                    state.fxsave[..5].copy_from_slice(&ExtendedState::initial().fxsave[..5]);
                } else {
                    // All exceptions are masked.
                    state.fxsave[0] |= 0x3f;
                    settle_x87(state);
                }
                self.store(address, &image)
            }
            _ => {
                if self.registers.extended.fxsave[2] & 0x80 != 0 {
                    return Err(Trap::Exception(Exception::X87));
                }
                let with_registers = instruction.mnemonic() == Mnemonic::Frstor;
                let length = if with_registers { whole } else { environment };
                self.touch(address, length, Access::Read, segment)?;
                let mut image = vec![0; length];
                self.load(address, &mut image)?;
                let state = &mut self.registers.extended;
                let old_top = usize::from(half(state, 2) >> 11 & 7);
                state.fxsave[0..2].copy_from_slice(&image[..2]);
                state.fxsave[2..4].copy_from_slice(&image[field..field + 2]);
                state.fxsave[4] = abridge(u16::from_le_bytes([image[2 * field], image[2 * field + 1]]));
                if with_registers {
                    for index in 0..8 {
                        state.fxsave[REGISTERS + 16 * index..][..REGISTER]
                            .copy_from_slice(&image[environment + REGISTER * index..][..REGISTER]);
                    }
                } else {
                    // The physical registers stay; the image lists them from the top of the stack.
                    let top = usize::from(half(state, 2) >> 11 & 7);
                    state.fxsave[REGISTERS..REGISTERS + 128].rotate_left((top + 8 - old_top) % 8 * 16);
                }
                clean_x87(state);
                settle_x87(state);
                Ok(())
            }
        }
    }
}

/// What every MMX instruction but `emms` does to the x87 state: the top becomes 0, all tags valid.
pub(super) fn enter_mmx(state: &mut ExtendedState) {
    put_top_to_zero(state);
    state.fxsave[4] = 0xff;
}

/// Changes the top of the stack; the physical registers stay, and the image lists them from the top.
fn put_top_to_zero(state: &mut ExtendedState) {
    let top = usize::from(half(state, 2) >> 11 & 7);
    state.fxsave[REGISTERS..REGISTERS + 128].rotate_right(top * 16);
    state.fxsave[3] &= !0x38;
}
