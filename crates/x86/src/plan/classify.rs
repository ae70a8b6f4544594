//! From a decoded instruction to what is known about it. What is not listed here as translatable is executed one by
//! one outside of translated code, where it gets its exact meaning, or its exception.

use super::{Access, Kind, Planned, Segment, flags_killed, flags_read};
use iced_x86::{CpuidFeature, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register};

/// The number of the general-purpose register that a register is or is part of.
pub(crate) fn general(register: Register) -> Option<u8> {
    register.is_gpr().then(|| register.full_register().number() as u8)
}

/// Classifies instructions. Holds what is expensive to make anew.
#[derive(Debug)]
pub(crate) struct Classifier {
    factory: InstructionInfoFactory,
}

impl Classifier {
    pub(crate) fn new() -> Classifier {
        Classifier { factory: InstructionInfoFactory::new() }
    }

    /// What is known about an instruction. `bytes` is where its bytes are in the plan.
    pub(crate) fn classify(&mut self, instruction: Instruction, bytes: u16) -> Planned {
        let mut planned = Planned {
            instruction,
            kind: Kind::Step,
            reads: 0,
            writes: 0,
            flags_read: super::ALL_FLAGS,
            flags_killed: 0,
            live: super::ALL_FLAGS,
            live_after: super::ALL_FLAGS,
            high_byte: false,
            expected: None,
            x87: false,
            may_fault: false,
            accesses: [None; 2],
            bytes,
        };
        if instruction.mnemonic() == Mnemonic::Syscall {
            planned.kind = Kind::Syscall;
            return planned;
        }
        let Some(family) = family(&instruction) else { return planned };
        let Some(kind) = self.kind(&instruction, family, &mut planned) else {
            (planned.reads, planned.writes, planned.accesses) = (0, 0, [None; 2]);
            return planned;
        };
        planned.kind = kind;
        planned.flags_read = flags_read(&instruction);
        planned.flags_killed = flags_killed(&instruction);
        planned.x87 = family == Family::X87;
        planned.may_fault = matches!(family, Family::X87 | Family::Vector)
            || matches!(instruction.mnemonic(), Mnemonic::Div | Mnemonic::Idiv | Mnemonic::Cmpxchg16b);
        planned
    }

    /// How the instruction is translated, if at all; fills in registers and accesses.
    fn kind(&mut self, instruction: &Instruction, family: Family, planned: &mut Planned) -> Option<Kind> {
        use Mnemonic::{
            Call, Cld, Endbr32, Endbr64, Jmp, Lea, Leave, Movsb, Movsd, Movsq, Movsw, Nop, Pause, Pop, Push,
            Reservednop, Ret, Stosb, Stosd, Stosq, Stosw,
        };
        let mnemonic = instruction.mnemonic();
        // Translated code runs only with DF clear. What is reserved for hints may be something else on the host.
        if matches!(mnemonic, Nop | Reservednop | Endbr32 | Endbr64 | Pause | Cld) || is_prefetch(mnemonic) {
            return Some(Kind::Nothing);
        }
        if instruction.is_jcc_short_or_near() {
            return Some(Kind::Conditional);
        }
        if instruction.is_jmp_short_or_near() {
            return Some(Kind::JumpDirect);
        }
        if instruction.is_call_near() {
            planned.accesses[0] = Some(Access::stack(-8, true));
            (planned.reads, planned.writes) = (1 << 4, 1 << 4);
            return Some(Kind::CallDirect);
        }
        if instruction.is_string_instruction() {
            let size = string_size(mnemonic)?;
            let repeated = instruction.has_rep_prefix() || instruction.has_repne_prefix();
            let plain = instruction.segment_prefix() == Register::None && has_full_addresses(instruction);
            let moves = matches!(mnemonic, Movsb | Movsw | Movsd | Movsq);
            let stores = matches!(mnemonic, Stosb | Stosw | Stosd | Stosq);
            if !plain || !(moves || stores) {
                return None;
            }
            if repeated {
                planned.reads = if moves { 1 << 1 | 1 << 6 | 1 << 7 } else { 1 | 1 << 1 | 1 << 7 };
                planned.writes = if moves { 1 << 1 | 1 << 6 | 1 << 7 } else { 1 << 1 | 1 << 7 };
                return Some(Kind::RepeatString);
            }
            if !moves {
                return None;
            }
            let access = |base, write| Some(Access { base: Some(base), size, write, ..Access::nowhere() });
            planned.reads = 1 << 6 | 1 << 7;
            planned.writes = planned.reads;
            planned.accesses = [access(6, false), access(7, true)];
            return Some(Kind::MoveString);
        }

        let info = self.factory.info(instruction);
        for used in info.used_registers() {
            let Some(number) = general(used.register()) else { continue };
            match used.access() {
                OpAccess::Write if used.register().size() >= 4 => planned.writes |= 1 << number,
                OpAccess::Write | OpAccess::CondWrite | OpAccess::ReadWrite | OpAccess::ReadCondWrite => {
                    planned.reads |= 1 << number;
                    planned.writes |= 1 << number;
                }
                _ => planned.reads |= 1 << number,
            }
        }
        let mut memory = None;
        for operand in 0..instruction.op_count() {
            match instruction.op_kind(operand) {
                OpKind::Register => {
                    let register = instruction.op_register(operand);
                    planned.high_byte |= matches!(register, Register::AH | Register::BH | Register::CH | Register::DH);
                    if register.is_segment_register() || register.is_cr() || register.is_dr() || register.is_tr() {
                        return None;
                    }
                }
                OpKind::Memory => memory = Some(info.op_access(operand)),
                _ => {}
            }
        }
        if mnemonic == Lea {
            return match instruction.memory_base() {
                Register::RIP => Some(Kind::LeaRip),
                Register::EIP => None,
                _ => Some(Kind::Register),
            };
        }
        let Some(access) = memory else {
            return match mnemonic {
                Push | Pop if instruction.stack_pointer_increment().unsigned_abs() != 8 => None,
                Push => {
                    planned.accesses[0] = Some(Access::stack(-8, true));
                    let register = instruction.op0_kind() == OpKind::Register;
                    Some(if register { Kind::PushRegister } else { Kind::PushImmediate })
                }
                Pop => {
                    planned.accesses[0] = Some(Access::stack(0, false));
                    Some(Kind::PopRegister)
                }
                Leave if instruction.stack_pointer_increment() == 0 || instruction.op_count() == 0 => {
                    planned.accesses[0] = Some(Access { base: Some(5), ..Access::stack(0, false) });
                    planned.reads = 1 << 5;
                    planned.writes = 1 << 4 | 1 << 5;
                    (instruction.code() == iced_x86::Code::Leaveq).then_some(Kind::Leave)
                }
                Ret => {
                    planned.accesses[0] = Some(Access::stack(0, false));
                    is_near_return(instruction).then_some(Kind::Return)
                }
                Call => {
                    planned.accesses[0] = Some(Access::stack(-8, true));
                    (instruction.code() == iced_x86::Code::Call_rm64).then_some(Kind::CallRegister)
                }
                Jmp => (instruction.code() == iced_x86::Code::Jmp_rm64).then_some(Kind::JumpRegister),
                _ => Some(Kind::Register),
            };
        };
        let write = match access {
            OpAccess::Read => false,
            OpAccess::Write | OpAccess::ReadWrite => true,
            // A conditional load is a load to the page table; masked and conditional stores are not understood here.
            OpAccess::CondRead if is_conditional_move(mnemonic) => false,
            OpAccess::ReadCondWrite if is_compare_exchange(mnemonic) => true,
            _ => return None,
        };
        let access = data_access(instruction, write)?;
        planned.accesses[0] = Some(access);
        match mnemonic {
            Push => {
                planned.accesses[1] = Some(Access::stack(-8, true));
                (access.size == 8).then_some(Kind::PushMemory)
            }
            Call => {
                planned.accesses[1] = Some(Access::stack(-8, true));
                (instruction.code() == iced_x86::Code::Call_rm64).then_some(Kind::CallMemory)
            }
            Jmp => (instruction.code() == iced_x86::Code::Jmp_rm64).then_some(Kind::JumpMemory),
            Pop => None,
            _ if family == Family::Vector && access.size > 32 => None,
            _ => Some(Kind::Memory),
        }
    }
}

/// What an instruction belongs to, as far as it is translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Integer,
    /// x87 and MMX.
    X87,
    Vector,
}

/// The family of an instruction that a guest processor has and that is translated.
fn family(instruction: &Instruction) -> Option<Family> {
    use CpuidFeature as Feature;
    let mut family = Family::Integer;
    for feature in instruction.cpuid_features() {
        match *feature {
            Feature::INTEL8086
            | Feature::INTEL8086_ONLY
            | Feature::INTEL186
            | Feature::INTEL286
            | Feature::INTEL386
            | Feature::INTEL386_ONLY
            | Feature::INTEL486
            | Feature::X64
            | Feature::CX8
            | Feature::CMOV => {
                if !is_plain_integer(instruction.mnemonic()) {
                    return None;
                }
            }
            Feature::CMPXCHG16B
            | Feature::BMI1
            | Feature::BMI2
            | Feature::LZCNT
            | Feature::POPCNT
            | Feature::MOVBE
            | Feature::MULTIBYTENOP
            | Feature::CET_IBT
            | Feature::PAUSE
            | Feature::PREFETCHW => {}
            Feature::FPU | Feature::FPU287 | Feature::FPU387 | Feature::MMX => {
                if !is_plain_x87(instruction.mnemonic()) {
                    return None;
                }
                family = Family::X87;
            }
            Feature::SSE
            | Feature::SSE2
            | Feature::SSE3
            | Feature::SSSE3
            | Feature::SSE4_1
            | Feature::SSE4_2
            | Feature::AVX
            | Feature::AVX2
            | Feature::FMA
            | Feature::F16C => {
                if !is_plain_vector(instruction.mnemonic()) {
                    return None;
                }
                if family == Family::Integer {
                    family = Family::Vector;
                }
            }
            _ => return None,
        }
    }
    if family == Family::Vector && uses_mmx(instruction) {
        family = Family::X87;
    }
    Some(family)
}

fn uses_mmx(instruction: &Instruction) -> bool {
    (0..instruction.op_count())
        .any(|operand| instruction.op_kind(operand) == OpKind::Register && instruction.op_register(operand).is_mm())
}

/// Instructions of the base set that user mode executes on registers and at most one memory operand.
fn is_plain_integer(mnemonic: Mnemonic) -> bool {
    use Mnemonic::*;
    matches!(
        mnemonic,
        Adc | Add
            | And
            | Bsf
            | Bsr
            | Bswap
            | Bt
            | Btc
            | Btr
            | Bts
            | Call
            | Cbw
            | Cdq
            | Cdqe
            | Clc
            | Cld
            | Cmc
            | Cmp
            | Cmpxchg
            | Cmpxchg8b
            | Cqo
            | Cwd
            | Cwde
            | Dec
            | Div
            | Idiv
            | Imul
            | Inc
            | Ja
            | Jae
            | Jb
            | Jbe
            | Je
            | Jg
            | Jge
            | Jl
            | Jle
            | Jmp
            | Jne
            | Jno
            | Jnp
            | Jns
            | Jo
            | Jp
            | Js
            | Lahf
            | Lea
            | Leave
            | Mov
            | Movsb
            | Movsd
            | Movsq
            | Movsw
            | Movsx
            | Movsxd
            | Movzx
            | Mul
            | Neg
            | Nop
            | Not
            | Or
            | Pop
            | Push
            | Rcl
            | Rcr
            | Ret
            | Rol
            | Ror
            | Sahf
            | Sal
            | Sar
            | Sbb
            | Seta
            | Setae
            | Setb
            | Setbe
            | Sete
            | Setg
            | Setge
            | Setl
            | Setle
            | Setne
            | Setno
            | Setnp
            | Setns
            | Seto
            | Setp
            | Sets
            | Shl
            | Shld
            | Shr
            | Shrd
            | Stc
            | Stosb
            | Stosd
            | Stosq
            | Stosw
            | Sub
            | Test
            | Xadd
            | Xchg
            | Xor
    ) || is_conditional_move(mnemonic)
}

fn is_conditional_move(mnemonic: Mnemonic) -> bool {
    use Mnemonic::*;
    matches!(
        mnemonic,
        Cmova
            | Cmovae
            | Cmovb
            | Cmovbe
            | Cmove
            | Cmovg
            | Cmovge
            | Cmovl
            | Cmovle
            | Cmovne
            | Cmovno
            | Cmovnp
            | Cmovns
            | Cmovo
            | Cmovp
            | Cmovs
    )
}

fn is_compare_exchange(mnemonic: Mnemonic) -> bool {
    matches!(mnemonic, Mnemonic::Cmpxchg | Mnemonic::Cmpxchg8b | Mnemonic::Cmpxchg16b)
}

fn is_prefetch(mnemonic: Mnemonic) -> bool {
    use Mnemonic::{Prefetchnta, Prefetcht0, Prefetcht1, Prefetcht2, Prefetchw};
    matches!(mnemonic, Prefetchnta | Prefetcht0 | Prefetcht1 | Prefetcht2 | Prefetchw)
}

/// x87 and MMX but for what stores or loads environments, whose size depends on prefixes, and masked stores.
fn is_plain_x87(mnemonic: Mnemonic) -> bool {
    use Mnemonic::*;
    !matches!(
        mnemonic,
        Fldenv | Fnstenv | Fstenv | Fsave | Fnsave | Frstor | Maskmovq | Fstdw | Fstsg | Fsetpm | Frstpm
    )
}

/// Vector instructions but for masked stores and loads, which touch memory only in part, and gathers.
fn is_plain_vector(mnemonic: Mnemonic) -> bool {
    use Mnemonic::*;
    !matches!(
        mnemonic,
        Maskmovq | Maskmovdqu | Vmaskmovdqu | Vmaskmovps | Vmaskmovpd | Vpmaskmovd | Vpmaskmovq | Clflush
    )
}

fn has_full_addresses(instruction: &Instruction) -> bool {
    (0..instruction.op_count()).all(|operand| {
        !matches!(
            instruction.op_kind(operand),
            OpKind::MemorySegESI
                | OpKind::MemoryESEDI
                | OpKind::MemorySegEDI
                | OpKind::MemorySegSI
                | OpKind::MemoryESDI
        )
    })
}

fn is_near_return(instruction: &Instruction) -> bool {
    matches!(instruction.code(), iced_x86::Code::Retnq | iced_x86::Code::Retnq_imm16)
}

/// Bytes of one element.
fn string_size(mnemonic: Mnemonic) -> Option<u16> {
    use Mnemonic::{Movsb, Movsd, Movsq, Movsw, Stosb, Stosd, Stosq, Stosw};
    match mnemonic {
        Movsb | Stosb => Some(1),
        Movsw | Stosw => Some(2),
        Movsd | Stosd => Some(4),
        Movsq | Stosq => Some(8),
        _ => None,
    }
}

/// The access of an explicit memory operand, if it is of a translated form.
fn data_access(instruction: &Instruction, write: bool) -> Option<Access> {
    use Mnemonic::{Bt, Btc, Btr, Bts};
    if matches!(instruction.mnemonic(), Bt | Btc | Btr | Bts) && instruction.op1_kind() == OpKind::Register {
        // The bit offset in the register moves the address.
        return None;
    }
    if instruction.is_vsib() || is_absolute_move(instruction) {
        return None;
    }
    let size = instruction.memory_size().size() as u16;
    if size == 0 || size > 64 {
        return None;
    }
    let (base, index) = (instruction.memory_base(), instruction.memory_index());
    for register in [base, index] {
        if register != Register::None && register != Register::RIP && !register.is_gpr64() {
            return None;
        }
    }
    let segment = match instruction.segment_prefix() {
        Register::FS => Some(Segment::Fs),
        Register::GS => Some(Segment::Gs),
        _ => None,
    };
    // For an address relative to rip this is the address itself.
    let displacement = instruction.memory_displacement64() as i64;
    let absolute = base == Register::RIP || base == Register::None && index == Register::None;
    if !absolute && i32::try_from(displacement).is_err() {
        return None;
    }
    let scale = instruction.memory_index_scale().trailing_zeros() as u8;
    let base = if base == Register::RIP { None } else { general(base) };
    let index = general(index).map(|index| (index, scale));
    Some(Access { base, index, displacement, segment, size, write, ..Access::nowhere() })
}

/// Moves between rax and a 64-bit address in the instruction itself.
fn is_absolute_move(instruction: &Instruction) -> bool {
    use iced_x86::Code::*;
    matches!(
        instruction.code(),
        Mov_AL_moffs8
            | Mov_AX_moffs16
            | Mov_EAX_moffs32
            | Mov_RAX_moffs64
            | Mov_moffs8_AL
            | Mov_moffs16_AX
            | Mov_moffs32_EAX
            | Mov_moffs64_RAX
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use iced_x86::{Decoder, DecoderOptions};

    fn classify(bytes: &[u8]) -> Planned {
        let instruction = Decoder::with_ip(64, bytes, 0x1000, DecoderOptions::NONE).decode();
        Classifier::new().classify(instruction, 0)
    }

    #[test]
    fn what_is_not_the_guests_business_is_stepped() {
        for bytes in [
            &[0x0f, 0xa2][..],                     // cpuid
            &[0x0f, 0x31],                         // rdtsc
            &[0xcc],                               // int3
            &[0x0f, 0x0b],                         // ud2
            &[0xf4],                               // hlt
            &[0x9c],                               // pushfq
            &[0xf3, 0x0f, 0xc7, 0xf8],             // rdpid rax
            &[0xf3, 0x48, 0x0f, 0xae, 0xd0],       // wrfsbase rax
            &[0x8e, 0xe0],                         // mov fs,eax
            &[0x66, 0x50],                         // push ax
            &[0x67, 0x8b, 0x00],                   // mov eax,[eax]
            &[0x0f, 0xa3, 0x08],                   // bt [rax],ecx
            &[0x0f, 0x01, 0xd0],                   // xgetbv
            &[0x62, 0xf1, 0x7c, 0x48, 0x10, 0x00], // vmovups zmm0,[rax]
            &[0xc4, 0xe2, 0x7d, 0x2c, 0x00],       // vmaskmovps ymm0,ymm0,[rax]
            &[0x0f, 0xc7, 0xf0],                   // rdrand eax
        ] {
            assert_eq!(classify(bytes).kind, Kind::Step, "{bytes:x?}");
        }
        assert_eq!(classify(&[0x0f, 0x05]).kind, Kind::Syscall);
    }

    #[test]
    fn registers_and_accesses_are_found() {
        let planned = classify(&[0x4a, 0x03, 0x44, 0xf5, 0x08]); // add rax,[rbp+r14*8+8]
        assert_eq!(planned.kind, Kind::Memory);
        assert_eq!((planned.reads, planned.writes), (1 | 1 << 5 | 1 << 14, 1));
        let access = planned.accesses[0].unwrap();
        assert_eq!((access.base, access.index, access.displacement), (Some(5), Some((14, 3)), 8));
        assert_eq!((access.size, access.write), (8, false));
        let planned = classify(&[0x64, 0x48, 0x8b, 0x04, 0x25, 0x28, 0, 0, 0]); // mov rax,fs:[0x28]
        assert_eq!(planned.accesses[0].unwrap().segment, Some(Segment::Fs));
        assert_eq!((planned.reads, planned.writes), (0, 1));
        let planned = classify(&[0xf0, 0x0f, 0xb1, 0x0f]); // lock cmpxchg [rdi],ecx
        assert_eq!(planned.kind, Kind::Memory);
        assert!(planned.accesses[0].unwrap().write);
        let planned = classify(&[0x8b, 0x05, 0x10, 0, 0, 0]); // mov eax,[rip+0x10]
        assert_eq!(planned.accesses[0].unwrap().constant(), Some(0x1016));
        assert_eq!(classify(&[0x0f, 0x44, 0x07]).kind, Kind::Memory); // cmove eax,[rdi]
        assert_eq!(classify(&[0xc9]).kind, Kind::Leave);
        assert_eq!(classify(&[0x66, 0x0f, 0x6f, 0x07]).kind, Kind::Memory); // movdqa xmm0,[rdi]
        assert!(classify(&[0x0f, 0x6f, 0xc1]).x87); // movq mm0,mm1
        assert!(classify(&[0x66, 0x0f, 0xd6, 0x07]).may_fault); // movq [rdi],xmm0
        assert_eq!(classify(&[0xf3, 0xa4]).kind, Kind::RepeatString);
    }
}
