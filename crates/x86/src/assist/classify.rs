//! Which instructions there are, and who executes each.

use iced_x86::{Code, CpuidFeature, Instruction, Mnemonic, OpKind};

/// What this processor has: x86-64-v3, as `cpuid` says ([`super::cpuid()`]), and what is a no-operation on processors
/// that do not have it.
pub const FEATURES: &[CpuidFeature] = &[
    CpuidFeature::INTEL8086,
    CpuidFeature::INTEL186,
    CpuidFeature::INTEL286,
    CpuidFeature::INTEL386,
    CpuidFeature::INTEL486,
    CpuidFeature::X64,
    CpuidFeature::AVX,
    CpuidFeature::AVX2,
    CpuidFeature::BMI1,
    CpuidFeature::BMI2,
    CpuidFeature::CET_IBT,
    CpuidFeature::CLDEMOTE,
    CpuidFeature::CLFSH,
    CpuidFeature::CMOV,
    CpuidFeature::CMPXCHG16B,
    CpuidFeature::CPUID,
    CpuidFeature::CX8,
    CpuidFeature::F16C,
    CpuidFeature::FMA,
    CpuidFeature::FPU,
    CpuidFeature::FPU287,
    CpuidFeature::FPU387,
    CpuidFeature::FSGSBASE,
    CpuidFeature::FXSR,
    CpuidFeature::LZCNT,
    CpuidFeature::MMX,
    CpuidFeature::MOVBE,
    CpuidFeature::MSR,
    CpuidFeature::MULTIBYTENOP,
    CpuidFeature::PAUSE,
    CpuidFeature::POPCNT,
    CpuidFeature::PREFETCHITI,
    CpuidFeature::PREFETCHW,
    CpuidFeature::RDPMC,
    CpuidFeature::RDTSCP,
    CpuidFeature::SSE,
    CpuidFeature::SSE2,
    CpuidFeature::SSE3,
    CpuidFeature::SSE4_1,
    CpuidFeature::SSE4_2,
    CpuidFeature::SSSE3,
    CpuidFeature::SYSCALL,
    CpuidFeature::TSC,
    CpuidFeature::XSAVE,
    CpuidFeature::XSAVEC,
    CpuidFeature::XSAVEOPT,
];

/// Who executes an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handler {
    /// The host's processor, its memory operand in a buffer.
    Generic,
    /// Jumps, calls, returns, loops.
    Control,
    /// `int`, `int3`, `int1`, `syscall`.
    Interrupt,
    /// push, pop, enter, leave.
    Stack,
    /// movs, cmps, scas, lods, stos.
    String,
    /// bt, bts, btr, btc with a bit offset in a register and the string in memory.
    BitString,
    /// xlatb.
    TranslateByte,
    /// lea.
    Address,
    /// Hints and fences: nothing observable.
    Nothing,
    /// clflush: a read access and nothing else.
    Flush,
    /// mov to and from segment registers.
    Selector,
    /// cpuid, rdtsc, xgetbv, fs and gs bases.
    System,
    /// fxsave, xsave, fnstenv and so on.
    State,
    /// Vector gathers.
    Gather,
    /// vmaskmov, vpmaskmov.
    MaskedMove,
    /// maskmovdqu, maskmovq.
    MaskedBytes,
    /// #GP: for the kernel only.
    Privileged,
    /// #UD: undefined, or not of this processor.
    Undefined,
}

/// Who executes the instruction.
pub fn handler(instruction: &Instruction) -> Handler {
    use Mnemonic as M;
    let mnemonic = instruction.mnemonic();
    match mnemonic {
        // No-operations where control-flow enforcement is off or absent.
        M::Rdsspd | M::Rdsspq => return Handler::Nothing,
        M::Sgdt | M::Sidt | M::Sldt | M::Smsw | M::Str | M::Rdpmc => return Handler::Privileged,
        M::Ud0 | M::Ud1 | M::Ud2 | M::INVALID => return Handler::Undefined,
        _ => {}
    }
    if instruction.cpuid_features().iter().any(|feature| !FEATURES.contains(feature)) {
        return Handler::Undefined;
    }
    if instruction.is_privileged() {
        return Handler::Privileged;
    }
    if instruction.is_string_instruction() {
        return Handler::String;
    }
    if (0..instruction.op_count()).any(|operand| {
        instruction.op_kind(operand) == OpKind::Register && instruction.op_register(operand).is_segment_register()
    }) {
        return match mnemonic {
            M::Mov => Handler::Selector,
            M::Push | M::Pop => Handler::Stack,
            _ => Handler::Undefined,
        };
    }
    if instruction.is_jcc_short_or_near() {
        return Handler::Control;
    }
    match mnemonic {
        M::Jmp | M::Call => match instruction.code() {
            Code::Jmp_m1616 | Code::Jmp_m1632 | Code::Jmp_m1664 => Handler::Undefined,
            Code::Call_m1616 | Code::Call_m1632 | Code::Call_m1664 => Handler::Undefined,
            _ => Handler::Control,
        },
        M::Ret | M::Retf | M::Iretq => Handler::Control,
        M::Loop | M::Loope | M::Loopne | M::Jcxz | M::Jecxz | M::Jrcxz => Handler::Control,
        M::Int | M::Int1 | M::Int3 | M::Syscall => Handler::Interrupt,
        M::Push | M::Pop | M::Pushf | M::Pushfq | M::Popf | M::Popfq | M::Enter | M::Leave => Handler::Stack,
        M::Bt | M::Bts | M::Btr | M::Btc
            if instruction.op0_kind() == OpKind::Memory && instruction.op1_kind() == OpKind::Register =>
        {
            Handler::BitString
        }
        M::Xlatb => Handler::TranslateByte,
        M::Lea => Handler::Address,
        M::Nop | M::Reservednop | M::Pause | M::Endbr64 | M::Endbr32 | M::Cldemote => Handler::Nothing,
        M::Lfence | M::Mfence | M::Sfence | M::Prefetchit0 | M::Prefetchit1 => Handler::Nothing,
        M::Prefetch | M::Prefetchw | M::Prefetchnta => Handler::Nothing,
        M::Prefetcht0 | M::Prefetcht1 | M::Prefetcht2 => Handler::Nothing,
        M::Clflush => Handler::Flush,
        M::Cpuid | M::Rdtsc | M::Rdtscp | M::Xgetbv => Handler::System,
        M::Rdfsbase | M::Rdgsbase | M::Wrfsbase | M::Wrgsbase => Handler::System,
        M::Fxsave | M::Fxsave64 | M::Fxrstor | M::Fxrstor64 => Handler::State,
        M::Xsave | M::Xsave64 | M::Xsaveopt | M::Xsaveopt64 | M::Xsavec | M::Xsavec64 => Handler::State,
        M::Xrstor | M::Xrstor64 | M::Stmxcsr | M::Ldmxcsr | M::Vstmxcsr | M::Vldmxcsr => Handler::State,
        M::Fnstenv | M::Fldenv | M::Fnsave | M::Frstor => Handler::State,
        M::Vmaskmovps | M::Vmaskmovpd | M::Vpmaskmovd | M::Vpmaskmovq => Handler::MaskedMove,
        M::Maskmovq | M::Maskmovdqu | M::Vmaskmovdqu => Handler::MaskedBytes,
        M::Lar | M::Lsl | M::Verr | M::Verw | M::Lss | M::Lfs | M::Lgs | M::Iret | M::Iretd => Handler::Undefined,
        mnemonic if super::masked::is_gather(mnemonic) => Handler::Gather,
        _ => Handler::Generic,
    }
}

/// The alignment of the memory operand below which an instruction raises #GP, 1 if it takes any. Intel SDM 1 4.1.1 and
/// 2A 2.4.
pub fn alignment(instruction: &Instruction) -> u64 {
    use Mnemonic as M;
    let size = instruction.memory_size().size() as u64;
    match instruction.mnemonic() {
        M::Cmpxchg16b => 16,
        M::Vmovaps | M::Vmovapd | M::Vmovdqa | M::Vmovntps | M::Vmovntpd | M::Vmovntdq | M::Vmovntdqa => size,
        M::Movups | M::Movupd | M::Movdqu | M::Lddqu => 1,
        M::Pcmpestri | M::Pcmpestrm | M::Pcmpistri | M::Pcmpistrm => 1,
        M::Pcmpestri64 | M::Pcmpestrm64 => 1,
        _ if instruction.code().encoding() == iced_x86::EncodingKind::Legacy && size == 16 => 16,
        _ => 1,
    }
}
