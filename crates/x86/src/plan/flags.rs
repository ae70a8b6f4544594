//! Which of the six arithmetic flags an instruction reads and which it overwrites. Flags are sets of
//! `iced_x86::RflagsBits`, of which these are the lowest six.

use iced_x86::{Instruction, Mnemonic, OpKind};

/// OF, SF, ZF, AF, CF and PF.
pub(crate) const ALL_FLAGS: u8 = 0x3f;

/// The flags that the instruction may read.
pub(crate) fn flags_read(instruction: &Instruction) -> u8 {
    (instruction.rflags_read() & u32::from(ALL_FLAGS)) as u8
}

/// The flags that the instruction certainly sets, whatever its operands are.
///
/// Flags that the manuals leave undefined are often left alone by processors (imul on AMD), so they count only where
/// processors are known to compute them: logic clears AF, shifts compute AF and OF.
pub(crate) fn flags_killed(instruction: &Instruction) -> u8 {
    use Mnemonic::{And, Or, Rcl, Rcr, Rol, Ror, Sal, Sar, Shl, Shld, Shr, Shrd, Test, Xor};
    let mnemonic = instruction.mnemonic();
    if matches!(mnemonic, Rcl | Rcr | Rol | Ror | Sal | Sar | Shl | Shld | Shr | Shrd) {
        // A count of zero leaves all flags alone; of a count in cl nothing is known. For rotations through the
        // carry the count is taken modulo 9 or 17.
        let constant = instruction.op_kind(instruction.op_count() - 1) == OpKind::Immediate8;
        if !constant || instruction.immediate8() & 0x1f == 0 || matches!(mnemonic, Rcl | Rcr) {
            return 0;
        }
    }
    if instruction.is_string_instruction() && (instruction.has_rep_prefix() || instruction.has_repne_prefix()) {
        // With rcx = 0 nothing is compared.
        return 0;
    }
    let mut killed = instruction.rflags_modified();
    if !matches!(mnemonic, And | Or | Xor | Test | Sal | Sar | Shl | Shld | Shr | Shrd) {
        killed &= !instruction.rflags_undefined();
    }
    (killed & u32::from(ALL_FLAGS)) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use iced_x86::{Decoder, DecoderOptions};

    fn decode(bytes: &[u8]) -> Instruction {
        Decoder::with_ip(64, bytes, 0, DecoderOptions::NONE).decode()
    }

    #[test]
    fn a_shift_by_zero_or_by_cl_leaves_flags_alone() {
        assert_eq!(flags_killed(&decode(&[0xd3, 0xe0])), 0);
        assert_eq!(flags_killed(&decode(&[0xc1, 0xe0, 0x20])), 0);
        assert_eq!(flags_killed(&decode(&[0xc1, 0xe0, 0x03])), ALL_FLAGS);
        assert_eq!(flags_killed(&decode(&[0xd1, 0xe0])), ALL_FLAGS);
    }

    #[test]
    fn a_multiplication_defines_only_carry_and_overflow() {
        let defined = iced_x86::RflagsBits::CF | iced_x86::RflagsBits::OF;
        assert_eq!(u32::from(flags_killed(&decode(&[0x0f, 0xaf, 0xc1]))), defined);
    }

    #[test]
    fn an_increment_keeps_the_carry() {
        let killed = flags_killed(&decode(&[0xff, 0xc0]));
        assert_eq!(u32::from(killed) & iced_x86::RflagsBits::CF, 0);
        assert_ne!(u32::from(killed) & iced_x86::RflagsBits::ZF, 0);
        assert_eq!(u32::from(flags_read(&decode(&[0x13, 0xc0]))), iced_x86::RflagsBits::CF);
    }
}
