//! Memory operands: addressing forms of every kind that name a chosen place, and something meaningful there.

use super::generate::{Case, is_canonical, memory_size, register, required_alignment};
use super::random::Random;
use super::world::World;
use iced_x86::{Mnemonic, OpCodeOperandKind as Kind, Register};
use machine::Gpr;

impl Case {
    /// Chooses an addressing form, and registers so that it names a chosen place.
    pub fn address(&mut self, random: &mut Random) {
        let code = self.instruction.code();
        let size = memory_size(&self.instruction);
        let natural = match required_alignment(&self.instruction) {
            1 => size.next_power_of_two().min(8),
            required => required as usize,
        };
        let target = World::target(size, natural, random);
        self.contents(target, size, random);
        if random.percent(12) && code.op_code().op_kinds().iter().all(|kind| *kind != Kind::seg_rBX_al) {
            self.instruction.set_segment_prefix(random.pick(&[Register::FS, Register::GS]));
        }
        let mut offset = target.wrapping_sub(self.base(self.instruction.segment_prefix()));
        if !is_canonical(offset) {
            // AMD's processors want it canonical also without the segment's base.
            self.instruction.set_segment_prefix(Register::None);
            offset = target;
        }
        if code.op_code().op_kinds().contains(&Kind::mem_offs) {
            let short = offset < 1 << 32 && random.percent(20);
            self.instruction.set_memory_displ_size(if short { 4 } else { 8 });
            self.instruction.set_memory_displacement64(offset);
            return;
        }
        if self.instruction.mnemonic() == Mnemonic::Xlatb {
            let al = self.registers.get(Gpr::Rax) & 0xff;
            let noise = if self.instruction.memory_base() == Register::EBX { random.next() << 32 } else { 0 };
            let rbx = offset.wrapping_sub(al);
            self.registers.set(Gpr::Rbx, if noise != 0 { rbx & 0xffff_ffff | noise } else { rbx });
            return;
        }
        let vector_index = self.instruction.memory_index().is_vector_register();
        if vector_index {
            self.vector_indices(random);
        }
        // Without REX only the low eight registers can be named.
        let high_byte = (0..self.instruction.op_count()).any(|operand| {
            matches!(self.instruction.op_register(operand), Register::AH | Register::BH | Register::CH | Register::DH)
        });
        let saves = matches!(memory_size(&self.instruction), 832);
        let choices = if high_byte { 8 } else { 16 };
        let short = random.percent(12) && offset < 1 << 32;
        let first = if short { Register::EAX } else { Register::RAX };
        // edx:eax says what to save.
        let spare = |number: u64| if saves && (number == 0 || number == 2) { 6 } else { number };
        let form = random.below(if vector_index { 80 } else { 100 });
        self.instruction.set_memory_displ_size(1);
        match form {
            // base, and perhaps an index
            0..80 => {
                let base = spare(random.below(choices));
                self.instruction.set_memory_base(register(first, base));
                if self.in_block && self.displace(offset, first, base, high_byte, random) {
                    return;
                }
                let mut displacement = match random.below(4) {
                    0 => 0,
                    1 => random.next() as i8 as i64,
                    _ => random.next() as i32 as i64 >> random.below(24),
                };
                let mut rest = offset.wrapping_sub(displacement as u64);
                if !vector_index && random.percent(50) {
                    let index = spare(random.below(choices));
                    if index != Gpr::Rsp as u64 {
                        let scale = 1 << random.below(4);
                        self.instruction.set_memory_index(register(first, index));
                        self.instruction.set_memory_index_scale(scale);
                        if index == base {
                            let value = rest / u64::from(scale + 1);
                            displacement += (rest - value * u64::from(scale + 1)) as i64;
                            rest = value;
                        } else {
                            let value = if random.percent(70) {
                                random.below(4096)
                            } else {
                                self.registers.general[index as usize]
                            };
                            self.registers.general[index as usize] = value;
                            rest = rest.wrapping_sub(value.wrapping_mul(u64::from(scale)));
                        }
                    }
                } else if vector_index {
                    self.instruction.set_memory_index_scale(1 << random.below(4));
                }
                self.set_displacement(displacement);
                let noise = if short { random.next() << 32 } else { 0 };
                self.registers.general[base as usize] = if short { rest & 0xffff_ffff | noise } else { rest };
            }
            // index alone
            80..86 => {
                let index = spare(random.pick(&[0, 1, 2, 3, 5, 6, 7]));
                let scale = random.pick(&[2, 4, 8]);
                let value = random.below(0x1000_0000) / u64::from(scale);
                let displacement = offset.wrapping_sub(value * u64::from(scale)) as i64;
                if i32::try_from(displacement).is_err() {
                    return self.absolute(offset);
                }
                self.instruction.set_memory_index(register(first, index));
                self.instruction.set_memory_index_scale(scale);
                self.instruction.set_memory_displacement64(displacement as u64);
                self.instruction.set_memory_displ_size(if short { 4 } else { 8 });
                self.registers.general[index as usize] = value;
            }
            // relative to rip
            86..95 => {
                self.instruction.set_memory_base(Register::RIP);
                self.instruction.set_memory_displacement64(offset);
                self.instruction.set_memory_displ_size(8);
            }
            _ => self.absolute(offset),
        }
    }

    /// Reaches the place from registers as they are, by the displacement alone. Whether that is possible.
    fn displace(&mut self, offset: u64, first: Register, base: u64, low: bool, random: &mut Random) -> bool {
        if self.instruction.memory_index() != Register::None || first != Register::RAX {
            return false;
        }
        let mut value = self.registers.general[base as usize];
        let index = random.below(if low { 8 } else { 16 });
        let scale = 1 << random.below(4);
        let has_index = index != Gpr::Rsp as u64 && random.percent(40);
        if has_index {
            value = value.wrapping_add(self.registers.general[index as usize].wrapping_mul(u64::from(scale)));
        }
        let displacement = offset.wrapping_sub(value) as i64;
        if i32::try_from(displacement).is_err() {
            return false;
        }
        if has_index {
            self.instruction.set_memory_index(register(first, index));
            self.instruction.set_memory_index_scale(scale);
        }
        self.set_displacement(displacement);
        true
    }

    fn absolute(&mut self, offset: u64) {
        self.instruction.set_memory_displacement64(offset);
        self.instruction.set_memory_displ_size(8);
    }

    fn set_displacement(&mut self, displacement: i64) {
        self.instruction.set_memory_displacement64(displacement as u64);
        self.instruction.set_memory_displ_size(u32::from(displacement != 0));
    }

    /// Small indices, random masks.
    fn vector_indices(&mut self, random: &mut Random) {
        let wide = matches!(
            self.instruction.mnemonic(),
            Mnemonic::Vgatherqps | Mnemonic::Vgatherqpd | Mnemonic::Vpgatherqd | Mnemonic::Vpgatherqq
        );
        let number = self.instruction.memory_index().number();
        let far = random.percent(10);
        for chunk in self.registers.extended.ymm[number].chunks_exact_mut(if wide { 8 } else { 4 }) {
            let index = if far { random.next() as i32 as i64 >> 16 } else { random.next() as i8 as i64 };
            chunk.copy_from_slice(&index.to_le_bytes()[..chunk.len()]);
        }
        if random.percent(60) {
            let number = self.instruction.op2_register().number();
            for byte in self.registers.extended.ymm[number].iter_mut().skip(3).step_by(4) {
                *byte |= 0x80;
            }
        }
    }

    /// Puts something meaningful to the operand's place.
    fn contents(&mut self, target: u64, size: usize, random: &mut Random) {
        let landing = World::landing(self.registers.rip, random);
        let mut bytes: Vec<u8> = match self.instruction.mnemonic() {
            Mnemonic::Jmp | Mnemonic::Call => landing.to_le_bytes().to_vec(),
            Mnemonic::Ldmxcsr | Mnemonic::Vldmxcsr if random.percent(80) => {
                (random.next() as u32 & 0xffff).to_le_bytes().to_vec()
            }
            Mnemonic::Fld | Mnemonic::Fbld if size == 10 => random.extended().to_vec(),
            _ => (0..size.div_ceil(8)).flat_map(|_| random.word().to_le_bytes()).collect(),
        };
        bytes.truncate(size);
        match self.instruction.mnemonic() {
            Mnemonic::Fxrstor | Mnemonic::Fxrstor64 if random.percent(90) => {
                bytes[24..28].copy_from_slice(&(random.next() as u32 & 0xffff).to_le_bytes());
            }
            Mnemonic::Xrstor | Mnemonic::Xrstor64 => {
                if random.percent(90) {
                    bytes[24..28].copy_from_slice(&(random.next() as u32 & 0xffff).to_le_bytes());
                }
                if random.percent(95) {
                    bytes[512..576].fill(0);
                    let valid = random.below(8);
                    bytes[512] = valid as u8;
                    if random.percent(40) {
                        bytes[520] = if random.percent(90) { 7 } else { random.below(8) as u8 };
                        bytes[527] = 0x80;
                    }
                }
            }
            Mnemonic::Xsave
            | Mnemonic::Xsave64
            | Mnemonic::Xsaveopt
            | Mnemonic::Xsaveopt64
            | Mnemonic::Xsavec
            | Mnemonic::Xsavec64 => {
                // Modified-state optimisation looks at the address of the last restore; the header must be plausible.
                bytes[512..576].fill(0);
                bytes[512] = random.below(8) as u8;
            }
            _ => {}
        }
        self.patch_if_mapped(target, &bytes);
    }
}
