//! Random instances of an encoding: operands of every kind, and registers and memory that make them meaningful.

use super::random::Random;
use super::world::{CODE, Patch, World};
use iced_x86::{Code, Encoder, Instruction, Mnemonic, OpCodeOperandKind as Kind, OpKind, Register};
use machine::registers::RFLAGS_USER;
use machine::{Gpr, Registers};

/// One instance: its bytes at `registers.rip`, the registers before it, and memory to be set before it.
pub struct Case {
    pub instruction: Instruction,
    pub bytes: Vec<u8>,
    pub registers: Registers,
    pub patches: Vec<Patch>,
    /// Registers are rather taken as they are than set.
    pub in_block: bool,
}

/// Random registers: flags, integers, vectors, x87.
pub fn registers(random: &mut Random) -> Registers {
    let mut registers = Registers::new();
    for value in &mut registers.general {
        *value = random.integer();
    }
    // DF makes most string instructions run off; TF and AC end everything.
    let flags = RFLAGS_USER & !(1 << 8) & !(1 << 18);
    registers.rflags |= random.next() & flags;
    if random.percent(70) {
        registers.rflags &= !(1 << 10);
    }
    registers.fs_base = random.next() & 0xff_fff8;
    registers.gs_base = random.next() & 0xff_ffff;
    let state = &mut registers.extended;
    for register in &mut state.ymm {
        for word in register.chunks_exact_mut(8) {
            word.copy_from_slice(&random.word().to_le_bytes());
        }
    }
    state.mxcsr = match random.below(10) {
        0..6 => 0x1f80,
        6..9 => 0x1f80 | random.next() as u32 & 0xe07f,
        _ => random.next() as u32 & 0xffff,
    };
    let control = match random.below(10) {
        0..5 => 0x37f,
        5..9 => 0x7f | random.next() as u16 & 0xf00,
        _ => 0x40 | random.next() as u16 & 0xf3f,
    };
    let status = if random.percent(50) { 0 } else { random.next() as u16 & 0x7f7f };
    let status = if status & !control & 0x3f != 0 { status | 0x8080 } else { status };
    state.fxsave[0..2].copy_from_slice(&control.to_le_bytes());
    state.fxsave[2..4].copy_from_slice(&status.to_le_bytes());
    let tags = random.next() as u8;
    state.fxsave[4] = random.pick(&[0, 0xff, 0xff, 0xff, tags]);
    for register in 0..8 {
        state.fxsave[32 + 16 * register..][..10].copy_from_slice(&random.extended());
    }
    registers.set(Gpr::Rsp, super::world::STACK_MIDDLE + (random.below(64) * 8));
    if random.percent(10) {
        registers.set(Gpr::Rsp, super::world::STACK_MIDDLE + random.below(512));
    }
    registers
}

/// An instance of `code`, or `None` if the encoder refuses this combination of operands.
pub fn case(code: Code, random: &mut Random) -> Option<Case> {
    let mut registers = registers(random);
    let length_limit = 16;
    registers.rip = if random.percent(10) {
        CODE + 0x1000 - 1 - random.below(length_limit)
    } else {
        CODE + 0x400 + random.below(0x800)
    };
    let mut case = Case {
        instruction: Instruction::default(),
        bytes: Vec::new(),
        registers,
        patches: Vec::new(),
        in_block: false,
    };
    case.build(code, random)?;
    Some(case)
}

/// An instance of `code` for a block of several, to run at `rip` after `registers`. What it needs differently in the
/// general-purpose registers is for the caller to set first; memory and vectors it takes as they are.
pub fn next_case(code: Code, random: &mut Random, rip: u64, before: &Registers) -> Option<Case> {
    let mut registers = before.clone();
    registers.rip = rip;
    let mut case =
        Case { instruction: Instruction::default(), bytes: Vec::new(), registers, patches: Vec::new(), in_block: true };
    case.build(code, random)?;
    case.registers.extended = before.extended.clone();
    Some(case)
}

/// `mov register, value`.
pub fn load_immediate(number: usize, value: u64) -> Vec<u8> {
    let mut bytes = vec![0x48 | (number >> 3) as u8, 0xb8 | (number & 7) as u8];
    bytes.extend(value.to_le_bytes());
    bytes
}

pub fn register(base: Register, number: u64) -> Register {
    base + number as u32
}

impl Case {
    /// An instruction without bytes or memory, to be described.
    pub fn of(instruction: Instruction, registers: Registers) -> Case {
        Case { instruction, bytes: Vec::new(), registers, patches: Vec::new(), in_block: false }
    }

    fn build(&mut self, code: Code, random: &mut Random) -> Option<()> {
        let info = code.op_code();
        self.instruction.set_code(code);
        // No REX prefix is possible beside AH to DH.
        let high_byte = random.percent(15);
        for (operand, kind) in info.op_kinds().iter().enumerate() {
            self.operand(operand as u32, *kind, high_byte, random)?;
        }
        if info.can_use_lock_prefix() && self.has_memory() && random.percent(20) {
            self.instruction.set_has_lock_prefix(true);
        }
        if info.can_use_rep_prefix() && self.instruction.is_string_instruction() && random.percent(70) {
            self.instruction.set_has_rep_prefix(true);
        } else if info.can_use_repne_prefix() && self.instruction.is_string_instruction() && random.percent(70) {
            self.instruction.set_has_repne_prefix(true);
        }
        self.implicit(random);
        if self.has_memory() {
            self.address(random);
        }
        let mut encoder = Encoder::new(64);
        let length = encoder.encode(&self.instruction, self.registers.rip).ok()?;
        self.bytes = encoder.take_buffer();
        let mut decoder =
            iced_x86::Decoder::with_ip(64, &self.bytes, self.registers.rip, iced_x86::DecoderOptions::NONE);
        let decoded = decoder.decode();
        if decoded.code() != code || decoded.len() != length {
            return None;
        }
        self.instruction = decoded;
        Some(())
    }

    fn has_memory(&self) -> bool {
        (0..self.instruction.op_count()).any(|operand| self.instruction.op_kind(operand) == OpKind::Memory)
    }

    fn set_register(&mut self, operand: u32, base: Register, count: u64, random: &mut Random) {
        self.instruction.set_op_kind(operand, OpKind::Register);
        self.instruction.set_op_register(operand, register(base, random.below(count)));
    }

    fn operand(&mut self, operand: u32, kind: Kind, high_byte: bool, random: &mut Random) -> Option<()> {
        let or_memory = matches!(
            kind,
            Kind::r8_or_mem
                | Kind::r16_or_mem
                | Kind::r32_or_mem
                | Kind::r64_or_mem
                | Kind::mm_or_mem
                | Kind::xmm_or_mem
                | Kind::ymm_or_mem
        );
        if or_memory && random.percent(60) {
            self.instruction.set_op_kind(operand, OpKind::Memory);
            return Some(());
        }
        let immediate = random.integer();
        match kind {
            Kind::mem | Kind::mem_offs => self.instruction.set_op_kind(operand, OpKind::Memory),
            Kind::mem_vsib32x | Kind::mem_vsib64x | Kind::mem_vsib32y | Kind::mem_vsib64y => {
                self.instruction.set_op_kind(operand, OpKind::Memory);
                let base =
                    if matches!(kind, Kind::mem_vsib32x | Kind::mem_vsib64x) { Register::XMM0 } else { Register::YMM0 };
                self.instruction.set_memory_index(register(base, random.below(16)));
            }
            Kind::r8_or_mem | Kind::r8_reg | Kind::r8_opcode => {
                self.instruction.set_op_kind(operand, OpKind::Register);
                let register = if high_byte {
                    random.pick(&[Register::AH, Register::BH, Register::CH, Register::DH, Register::AL, Register::DL])
                } else {
                    register(Register::AL, random.pick(&[0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]))
                };
                self.instruction.set_op_register(operand, register);
            }
            Kind::r16_or_mem | Kind::r16_reg | Kind::r16_rm | Kind::r16_opcode => {
                self.set_register(operand, Register::AX, 16, random);
            }
            Kind::r32_or_mem | Kind::r32_reg | Kind::r32_rm | Kind::r32_opcode | Kind::r32_vvvv => {
                self.set_register(operand, Register::EAX, 16, random);
            }
            Kind::r64_or_mem | Kind::r64_reg | Kind::r64_rm | Kind::r64_opcode | Kind::r64_vvvv => {
                self.set_register(operand, Register::RAX, 16, random);
            }
            Kind::mm_or_mem | Kind::mm_reg | Kind::mm_rm => self.set_register(operand, Register::MM0, 8, random),
            Kind::xmm_or_mem | Kind::xmm_reg | Kind::xmm_rm | Kind::xmm_vvvv | Kind::xmm_is4 => {
                self.set_register(operand, Register::XMM0, 16, random);
            }
            Kind::ymm_or_mem | Kind::ymm_reg | Kind::ymm_rm | Kind::ymm_vvvv | Kind::ymm_is4 => {
                self.set_register(operand, Register::YMM0, 16, random);
            }
            Kind::seg_reg => {
                self.instruction.set_op_kind(operand, OpKind::Register);
                let segments = [Register::CS, Register::DS, Register::ES, Register::FS, Register::GS, Register::SS];
                self.instruction.set_op_register(operand, random.pick(&segments));
            }
            Kind::fs => self.fixed(operand, Register::FS),
            Kind::gs => self.fixed(operand, Register::GS),
            Kind::al => self.fixed(operand, Register::AL),
            Kind::cl => self.fixed(operand, Register::CL),
            Kind::ax => self.fixed(operand, Register::AX),
            Kind::dx => self.fixed(operand, Register::DX),
            Kind::eax => self.fixed(operand, Register::EAX),
            Kind::rax => self.fixed(operand, Register::RAX),
            Kind::st0 => self.fixed(operand, Register::ST0),
            Kind::sti_opcode => self.set_register(operand, Register::ST0, 8, random),
            Kind::imm8 | Kind::imm4_m2z => {
                let second = operand > 0
                    && matches!(self.instruction.op_kind(operand - 1), OpKind::Immediate8 | OpKind::Immediate16);
                if second {
                    self.instruction.set_op_kind(operand, OpKind::Immediate8_2nd);
                    self.instruction.set_immediate8_2nd(immediate as u8);
                } else {
                    self.instruction.set_op_kind(operand, OpKind::Immediate8);
                    self.instruction.set_immediate8(immediate as u8);
                }
            }
            Kind::imm8_const_1 => {
                self.instruction.set_op_kind(operand, OpKind::Immediate8);
                self.instruction.set_immediate8(1);
            }
            Kind::imm8sex16 => {
                self.instruction.set_op_kind(operand, OpKind::Immediate8to16);
                self.instruction.set_immediate8to16(i16::from(immediate as i8));
            }
            Kind::imm8sex32 => {
                self.instruction.set_op_kind(operand, OpKind::Immediate8to32);
                self.instruction.set_immediate8to32(i32::from(immediate as i8));
            }
            Kind::imm8sex64 => {
                self.instruction.set_op_kind(operand, OpKind::Immediate8to64);
                self.instruction.set_immediate8to64(i64::from(immediate as i8));
            }
            Kind::imm16 => {
                self.instruction.set_op_kind(operand, OpKind::Immediate16);
                self.instruction.set_immediate16(immediate as u16);
            }
            Kind::imm32 => {
                self.instruction.set_op_kind(operand, OpKind::Immediate32);
                self.instruction.set_immediate32(immediate as u32);
            }
            Kind::imm32sex64 => {
                self.instruction.set_op_kind(operand, OpKind::Immediate32to64);
                self.instruction.set_immediate32to64(i64::from(immediate as i32));
            }
            Kind::imm64 => {
                self.instruction.set_op_kind(operand, OpKind::Immediate64);
                self.instruction.set_immediate64(immediate);
            }
            Kind::br64_1 | Kind::br64_4 => {
                self.instruction.set_op_kind(operand, OpKind::NearBranch64);
                let target = if kind == Kind::br64_1 || self.in_block {
                    self.registers.rip + 24 + random.below(80)
                } else {
                    World::landing(self.registers.rip, random)
                };
                self.instruction.set_near_branch64(target);
            }
            Kind::seg_rSI | Kind::es_rDI | Kind::seg_rDI => {
                // The first of several decides about the prefix 67h.
                let short = match operand {
                    0 => random.percent(15),
                    _ => matches!(
                        self.instruction.op_kind(0),
                        OpKind::MemorySegESI | OpKind::MemoryESEDI | OpKind::MemorySegEDI
                    ),
                };
                self.instruction.set_op_kind(
                    operand,
                    match (kind, short) {
                        (Kind::seg_rSI, false) => OpKind::MemorySegRSI,
                        (Kind::seg_rSI, true) => OpKind::MemorySegESI,
                        (Kind::es_rDI, false) => OpKind::MemoryESRDI,
                        (Kind::es_rDI, true) => OpKind::MemoryESEDI,
                        (_, false) => OpKind::MemorySegRDI,
                        (_, true) => OpKind::MemorySegEDI,
                    },
                );
                if kind != Kind::es_rDI && random.percent(10) {
                    self.instruction.set_segment_prefix(random.pick(&[Register::FS, Register::GS]));
                }
            }
            Kind::seg_rBX_al => {
                self.instruction.set_op_kind(operand, OpKind::Memory);
                let base = if random.percent(15) { Register::EBX } else { Register::RBX };
                self.instruction.set_memory_base(base);
                self.instruction.set_memory_index(Register::AL);
                if random.percent(10) {
                    self.instruction.set_segment_prefix(random.pick(&[Register::FS, Register::GS]));
                }
            }
            _ => return None,
        }
        Some(())
    }

    fn fixed(&mut self, operand: u32, register: Register) {
        self.instruction.set_op_kind(operand, OpKind::Register);
        self.instruction.set_op_register(operand, register);
    }

    /// Registers and memory that the instruction uses without naming them.
    fn implicit(&mut self, random: &mut Random) {
        let rsp = self.registers.get(Gpr::Rsp);
        let landing = World::landing(self.registers.rip, random);
        match self.instruction.mnemonic() {
            Mnemonic::Jmp | Mnemonic::Call if self.instruction.op0_kind() == OpKind::Register => {
                let number = self.instruction.op0_register().number();
                self.registers.general[number] = if random.percent(95) { landing } else { 1 << 63 };
            }
            Mnemonic::Ret => self.patch(rsp, &landing.to_le_bytes()),
            Mnemonic::Retf => {
                let size = match self.instruction.code() {
                    Code::Retfw | Code::Retfw_imm16 => 2,
                    Code::Retfd | Code::Retfd_imm16 => 4,
                    _ => 8,
                };
                self.patch(rsp, &landing.to_le_bytes());
                self.patch(rsp.wrapping_add(size), &0x33_u64.to_le_bytes());
            }
            Mnemonic::Iretq => {
                let flags = self.registers.rflags ^ random.next() & 0x8d5;
                for (index, word) in [landing, 0x33, flags, random.next() >> 20, 0x2b].into_iter().enumerate() {
                    self.patch(rsp.wrapping_add(8 * index as u64), &word.to_le_bytes());
                }
            }
            Mnemonic::Popf | Mnemonic::Popfq => {
                // Not TF, NT and AC.
                let flags = random.next() & !(1 << 8) & !(1 << 14) & !(1 << 18);
                self.patch(rsp, &flags.to_le_bytes());
            }
            Mnemonic::Leave | Mnemonic::Enter => {
                let target = World::target(8, 8, random);
                self.registers.set(Gpr::Rbp, target);
            }
            Mnemonic::Loop | Mnemonic::Loope | Mnemonic::Loopne | Mnemonic::Jrcxz | Mnemonic::Jecxz
                if random.percent(50) =>
            {
                self.registers.set(Gpr::Rcx, random.below(3));
            }
            Mnemonic::Div | Mnemonic::Idiv if random.percent(70) => {
                // Small enough a dividend for the quotient to fit.
                let rdx = random.pick(&[0, 0, u64::MAX]);
                self.registers.set(Gpr::Rdx, rdx);
                let rax = self.registers.get(Gpr::Rax);
                self.registers.set(Gpr::Rax, rax & !0xff00 | rdx & 0xff00);
            }
            Mnemonic::Xsave
            | Mnemonic::Xsave64
            | Mnemonic::Xsaveopt
            | Mnemonic::Xsaveopt64
            | Mnemonic::Xsavec
            | Mnemonic::Xsavec64
            | Mnemonic::Xrstor
            | Mnemonic::Xrstor64 => {
                // What the host has beyond AVX is not the guest's.
                self.registers.set(Gpr::Rax, random.next() & !0xffff_fff8);
                self.registers.set(Gpr::Rdx, random.next() << 32);
            }
            Mnemonic::Wrfsbase | Mnemonic::Wrgsbase => {
                let number = self.instruction.op0_register().number();
                let base = random.next() >> 17;
                self.registers.general[number] = random.pick(&[base, 0, u64::MAX, 1 << 47]);
            }
            _ => {}
        }
        if self.instruction.is_string_instruction() || self.string_target() {
            let size = self.instruction.memory_size().size().max(1);
            let count = if random.percent(90) { random.below(12) } else { random.below(3000) };
            self.registers.set(Gpr::Rcx, count);
            let span = if random.percent(50) { size as u64 } else { size as u64 * count.max(1) };
            for (register, base) in [
                (Gpr::Rsi, self.base(self.instruction.memory_segment())),
                (Gpr::Rdi, if self.string_target() { self.base(self.instruction.memory_segment()) } else { 0 }),
            ] {
                let target = World::target(span as usize, size, random);
                let noise = if self.short_addresses() { random.next() << 32 } else { 0 };
                let mut address = target.wrapping_sub(base);
                if !is_canonical(address) {
                    address = target;
                }
                self.registers.set(register, if noise != 0 { address & 0xffff_ffff | noise } else { address });
            }
            if random.percent(20) {
                // Overlapping.
                let near = self.registers.get(Gpr::Rdi).wrapping_add(random.below(40)).wrapping_sub(20);
                if is_canonical(near) {
                    self.registers.set(Gpr::Rsi, near);
                }
            }
            if matches!(self.instruction.mnemonic(), Mnemonic::Scasb | Mnemonic::Cmpsb) && random.percent(50) {
                // Runs of equal bytes.
                self.registers.general[0] &= !0xff;
                for register in [Gpr::Rsi, Gpr::Rdi] {
                    let address = self.registers.get(register);
                    self.patch_if_mapped(address, &[0; 64]);
                }
            }
        }
    }

    fn string_target(&self) -> bool {
        matches!(self.instruction.op0_kind(), OpKind::MemorySegRDI | OpKind::MemorySegEDI)
    }

    fn short_addresses(&self) -> bool {
        (0..self.instruction.op_count()).any(|operand| {
            matches!(
                self.instruction.op_kind(operand),
                OpKind::MemorySegESI | OpKind::MemoryESEDI | OpKind::MemorySegEDI
            )
        })
    }

    pub fn base(&self, segment: Register) -> u64 {
        match segment {
            Register::FS => self.registers.fs_base,
            Register::GS => self.registers.gs_base,
            _ => 0,
        }
    }

    fn patch(&mut self, address: u64, bytes: &[u8]) {
        self.patch_if_mapped(address, bytes);
    }

    pub fn patch_if_mapped(&mut self, address: u64, bytes: &[u8]) {
        if World::is_data(address, bytes.len()) {
            self.patches.push(Patch { address, bytes: bytes.to_vec() });
        }
    }
}

pub fn is_canonical(address: u64) -> bool {
    (address as i64) << 16 >> 16 == address as i64
}

/// Bytes of the explicit memory operand, also where the decoder's table does not say.
pub fn memory_size(instruction: &Instruction) -> usize {
    match instruction.mnemonic() {
        Mnemonic::Fxsave | Mnemonic::Fxsave64 | Mnemonic::Fxrstor | Mnemonic::Fxrstor64 => 512,
        Mnemonic::Xsave
        | Mnemonic::Xsave64
        | Mnemonic::Xsaveopt
        | Mnemonic::Xsaveopt64
        | Mnemonic::Xsavec
        | Mnemonic::Xsavec64
        | Mnemonic::Xrstor
        | Mnemonic::Xrstor64 => 832,
        Mnemonic::Fnsave | Mnemonic::Frstor => 108,
        Mnemonic::Fnstenv | Mnemonic::Fldenv => 28,
        _ => instruction.memory_size().size().max(1),
    }
}

pub fn required_alignment(instruction: &Instruction) -> u64 {
    match memory_size(instruction) {
        832 => 64,
        512 => 16,
        _ => x86::assist::classify::alignment(instruction),
    }
}
