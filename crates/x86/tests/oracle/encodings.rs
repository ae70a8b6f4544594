//! All encodings that the processor supports, from the decoder's table, and which of them can be compared.

use iced_x86::{Code, EncodingKind, Instruction, Mnemonic, OpCodeOperandKind};
use x86::assist::classify::{self, Handler};

/// Why an encoding is not compared with the host; `None` if it is.
pub fn why_not_compared(code: Code) -> Option<&'static str> {
    match code.mnemonic() {
        Mnemonic::Movsxd if code == Code::Movsxd_r16_rm16 => {
            Some("reads two bytes on Intel's processors, four on AMD's")
        }
        Mnemonic::Cpuid | Mnemonic::Xgetbv => Some("answers what belljar's processor is"),
        Mnemonic::Rdtsc | Mnemonic::Rdtscp => Some("answers the run's own clock"),
        Mnemonic::Syscall => Some("leaves to the kernel"),
        Mnemonic::Reservednop if format!("{code:?}").ends_with("0F0D") => {
            Some("a no-operation on Intel's processors, undefined on AMD's")
        }
        Mnemonic::Int | Mnemonic::Int1 | Mnemonic::Int3 => Some("ends the native run"),
        Mnemonic::Mov | Mnemonic::Pop
            if code.op_code().op_kinds().first() == Some(&OpCodeOperandKind::seg_reg)
                || matches!(code, Code::Popq_FS | Code::Popq_GS | Code::Popw_FS | Code::Popw_GS) =>
        {
            Some("changes the host's segments")
        }
        _ => None,
    }
}

/// The supported encodings, in the order of the decoder's table.
pub fn supported() -> Vec<Code> {
    Code::values().filter(|code| is_supported(*code)).collect()
}

fn is_supported(code: Code) -> bool {
    let info = code.op_code();
    if !info.is_instruction() || !info.mode64() || info.fwait() || info.decoder_option() != 0 {
        return false;
    }
    if !matches!(info.encoding(), EncodingKind::Legacy | EncodingKind::VEX) {
        return false;
    }
    // In 64-bit mode Intel's processors ignore the prefix 66h on near branches, so these are never decoded.
    let amd_only = |kind: &OpCodeOperandKind| {
        matches!(
            kind,
            OpCodeOperandKind::br16_1
                | OpCodeOperandKind::br16_2
                | OpCodeOperandKind::br32_1
                | OpCodeOperandKind::br32_4
        )
    };
    if info.op_kinds().iter().any(amd_only) || !info.intel_decoder64() {
        return false;
    }
    let mut instruction = Instruction::default();
    instruction.set_code(code);
    // Memory operands decide between some handlers, but never about support.
    let handler = classify::handler(&instruction);
    !matches!(handler, Handler::Undefined | Handler::Privileged)
}

/// Whether only general-purpose registers and flags take part.
pub fn is_integer(code: Code) -> bool {
    use iced_x86::CpuidFeature as F;
    let integer = |feature: &F| {
        matches!(
            feature,
            F::INTEL8086
                | F::INTEL186
                | F::INTEL286
                | F::INTEL386
                | F::INTEL486
                | F::X64
                | F::CMOV
                | F::BMI1
                | F::BMI2
                | F::LZCNT
                | F::MOVBE
                | F::POPCNT
                | F::CX8
                | F::CMPXCHG16B
        )
    };
    code.cpuid_features().iter().all(integer)
}
