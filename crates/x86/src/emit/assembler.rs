//! A small assembler for the fixed sequences that the translator adds. Bytes are collected for a known address.

use crate::native::context;
use machine::tlb;

pub(crate) const RAX: u8 = 0;
pub(crate) const RCX: u8 = 1;
pub(crate) const RSP: u8 = 4;
pub(crate) const RBP: u8 = 5;
pub(crate) const RSI: u8 = 6;
pub(crate) const RDI: u8 = 7;
/// Leads to the context.
pub(crate) const CONTEXT: u8 = 13;
pub(crate) const R14: u8 = 14;
pub(crate) const R15: u8 = 15;

/// Conditions by their number in encodings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Condition {
    Below = 2,
    Equal = 4,
    NotEqual = 5,
    Above = 7,
    Sign = 8,
}

/// A memory operand of the host. Registers by number, the index with the logarithm of its scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Operand {
    pub(crate) base: Option<u8>,
    pub(crate) index: Option<(u8, u8)>,
    pub(crate) displacement: i32,
}

/// A word of the context or the TLB.
pub(crate) fn word(word: usize) -> Operand {
    based(CONTEXT, context::offset(word))
}

/// The byte of the context that stands for a site's group.
pub(crate) fn group_of(site: usize) -> Operand {
    based(CONTEXT, context::group_offset(site))
}

/// The word whose number is `word` plus a register.
pub(crate) fn word_at(word: usize, register: u8) -> Operand {
    Operand { base: Some(CONTEXT), index: Some((register, 3)), displacement: context::offset(word) }
}

/// `[base + displacement]`.
pub(crate) fn based(base: u8, displacement: i32) -> Operand {
    Operand { base: Some(base), index: None, displacement }
}

/// `[base + index + displacement]`.
pub(crate) fn sum(base: u8, index: u8, displacement: i32) -> Operand {
    // rsp cannot be an index.
    let (base, index) = if index == RSP { (index, base) } else { (base, index) };
    Operand { base: Some(base), index: Some((index, 0)), displacement }
}

/// The word of the TLB tags for a kind of access.
pub(crate) fn tags(write: bool) -> usize {
    if write { tlb::WRITE_TAGS } else { tlb::READ_TAGS }
}

/// Bytes that will run at an address.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    base: u64,
    pub(crate) bytes: Vec<u8>,
}

impl Assembler {
    /// Starts again, for code that will run at `base`.
    pub(crate) fn restart(&mut self, base: u64) {
        self.base = base;
        self.bytes.clear();
    }

    /// The address of the next byte.
    pub(crate) fn here(&self) -> u64 {
        self.base + self.bytes.len() as u64
    }

    pub(crate) fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn immediate(&mut self, value: i32) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// Fills with `nop` up to a multiple of 16.
    pub(crate) fn align(&mut self) {
        while !self.here().is_multiple_of(16) {
            self.byte(0x90);
        }
    }

    fn mod_rm(&mut self, register: u8, operand: Operand) {
        let field = (register & 7) << 3;
        let displacement = operand.displacement;
        match (operand.base, operand.index) {
            (None, None) => {
                self.append(&[field | 4, 0x25]);
                self.immediate(displacement);
            }
            (None, Some((index, scale))) => {
                self.append(&[field | 4, scale << 6 | (index & 7) << 3 | 5]);
                self.immediate(displacement);
            }
            (Some(base), index) => {
                let mode = match displacement {
                    0 if base & 7 != 5 => 0,
                    -128..=127 => 0x40,
                    _ => 0x80,
                };
                if index.is_some() || base & 7 == 4 {
                    let (index, scale) = index.unwrap_or((4, 0));
                    self.append(&[mode | field | 4, scale << 6 | (index & 7) << 3 | base & 7]);
                } else {
                    self.byte(mode | field | base & 7);
                }
                match mode {
                    0 => {}
                    0x40 => self.byte(displacement as u8),
                    _ => self.immediate(displacement),
                }
            }
        }
    }

    fn with_memory(&mut self, rex: u8, opcode: &[u8], register: u8, operand: Operand) {
        let index = operand.index.map_or(0, |(index, _)| index >> 3);
        let rex = rex | (register >> 3) << 2 | index << 1 | operand.base.map_or(0, |base| base >> 3);
        if rex != 0 {
            self.byte(0x40 | rex);
        }
        self.append(opcode);
        self.mod_rm(register, operand);
    }

    /// `opcode register64, operand` or the other way round, whatever the opcode says.
    pub(crate) fn operation(&mut self, opcode: u8, register: u8, operand: Operand) {
        self.with_memory(8, &[opcode], register, operand);
    }

    pub(crate) fn load(&mut self, register: u8, operand: Operand) {
        self.operation(0x8b, register, operand);
    }

    pub(crate) fn load32(&mut self, register: u8, operand: Operand) {
        self.with_memory(0, &[0x8b], register, operand);
    }

    pub(crate) fn store(&mut self, operand: Operand, register: u8) {
        self.operation(0x89, register, operand);
    }

    /// Loads `1 << size` bytes, zero-extended.
    pub(crate) fn load_sized(&mut self, register: u8, operand: Operand, size: u8) {
        match size {
            0 => self.with_memory(0, &[0x0f, 0xb6], register, operand),
            1 => self.with_memory(0, &[0x0f, 0xb7], register, operand),
            2 => self.load32(register, operand),
            _ => self.load(register, operand),
        }
    }

    /// Stores the low `1 << size` bytes of a register.
    pub(crate) fn store_sized(&mut self, operand: Operand, register: u8, size: u8) {
        match size {
            // A REX prefix, so that 4 to 7 are spl to dil and not ah to bh.
            0 => self.with_memory(0x40, &[0x88], register, operand),
            1 => {
                self.byte(0x66);
                self.with_memory(0, &[0x89], register, operand);
            }
            2 => self.with_memory(0, &[0x89], register, operand),
            _ => self.store(operand, register),
        }
    }

    pub(crate) fn store_immediate(&mut self, operand: Operand, value: i32) {
        self.operation(0xc7, 0, operand);
        self.immediate(value);
    }

    pub(crate) fn store_immediate_byte(&mut self, operand: Operand, value: u8) {
        self.with_memory(0, &[0xc6], 0, operand);
        self.byte(value);
    }

    pub(crate) fn lea(&mut self, register: u8, operand: Operand) {
        self.operation(0x8d, register, operand);
    }

    pub(crate) fn add(&mut self, register: u8, operand: Operand) {
        self.operation(0x03, register, operand);
    }

    /// `op to, from` on 64-bit registers, the opcode in the form "r/m, r".
    pub(crate) fn registers(&mut self, opcode: u8, to: u8, from: u8) {
        self.append(&[0x48 | (from >> 3) << 2 | to >> 3, opcode, 0xc0 | (from & 7) << 3 | to & 7]);
    }

    pub(crate) fn copy(&mut self, to: u8, from: u8) {
        self.registers(0x89, to, from);
    }

    /// Copies a register if a condition holds.
    pub(crate) fn copy_if(&mut self, condition: u8, to: u8, from: u8) {
        let fields = 0xc0 | (to & 7) << 3 | from & 7;
        self.append(&[0x48 | (to >> 3) << 2 | from >> 3, 0x0f, 0x40 | condition, fields]);
    }

    pub(crate) fn shift_right(&mut self, register: u8, count: u8) {
        self.append(&[0x48 | register >> 3, 0xc1, 0xe8 | register & 7, count]);
    }

    pub(crate) fn constant(&mut self, register: u8, value: u64) {
        if u32::try_from(value).is_ok() {
            if register & 8 != 0 {
                self.byte(0x41);
            }
            self.byte(0xb8 | register & 7);
            self.immediate(value as i32);
        } else if value as i64 == i64::from(value as i32) {
            self.append(&[0x48 | register >> 3, 0xc7, 0xc0 | register & 7]);
            self.immediate(value as i32);
        } else {
            self.append(&[0x48 | register >> 3, 0xb8 | register & 7]);
            self.bytes.extend_from_slice(&value.to_le_bytes());
        }
    }

    pub(crate) fn compare_immediate(&mut self, register: u8, value: i32) {
        self.append(&[0x48 | register >> 3, 0x81, 0xf8 | register & 7]);
        self.immediate(value);
    }

    pub(crate) fn and_immediate(&mut self, register: u8, value: i32) {
        self.append(&[0x48 | register >> 3, 0x81, 0xe0 | register & 7]);
        self.immediate(value);
    }

    /// `sub qword [operand], value`.
    pub(crate) fn subtract_memory(&mut self, operand: Operand, value: i32) {
        self.operation(0x81, 5, operand);
        self.immediate(value);
    }

    /// `cmp dword [operand], value`.
    pub(crate) fn compare_memory32(&mut self, operand: Operand, value: i32) {
        self.with_memory(0, &[0x81], 7, operand);
        self.immediate(value);
    }

    /// `cmp qword [operand], value`.
    pub(crate) fn compare_memory64(&mut self, operand: Operand, value: i32) {
        self.operation(0x81, 7, operand);
        self.immediate(value);
    }

    /// `pext to, from, [mask]`: leaves the flags alone.
    pub(crate) fn pext(&mut self, to: u8, from: u8, mask: Operand) {
        let index = mask.index.map_or(0, |(index, _)| index >> 3);
        let base = mask.base.map_or(0, |base| base >> 3);
        let inverted = (to >> 3 ^ 1) << 7 | (index ^ 1) << 6 | (base ^ 1) << 5;
        self.append(&[0xc4, inverted | 2, 0x80 | (!from & 15) << 3 | 2, 0xf5]);
        self.mod_rm(to, mask);
    }

    /// Jumps if rcx is zero, over a jump to `elsewhere` that is taken otherwise.
    pub(crate) fn jump_unless_rcx_zero(&mut self, elsewhere: u64) {
        self.append(&[0xe3, 5]);
        self.jump(elsewhere);
    }

    /// A jump to a near address; returns the address of its displacement, for patches.
    pub(crate) fn jump(&mut self, to: u64) -> u64 {
        self.byte(0xe9);
        self.relative(to)
    }

    /// A conditional jump to a near address; returns the address of its displacement, for patches.
    pub(crate) fn jump_if(&mut self, condition: u8, to: u64) -> u64 {
        self.append(&[0x0f, 0x80 | condition]);
        self.relative(to)
    }

    fn relative(&mut self, to: u64) -> u64 {
        let at = self.here();
        self.bytes.extend_from_slice(&displacement(at, to));
        at
    }

    /// `jmp qword [operand]`.
    pub(crate) fn jump_memory(&mut self, operand: Operand) {
        self.with_memory(0, &[0xff], 4, operand);
    }
}

/// The bytes of a 32-bit displacement at address `at` that leads to `to`.
pub(crate) fn displacement(at: u64, to: u64) -> [u8; 4] {
    (to.wrapping_sub(at + 4) as i32).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use iced_x86::{Decoder, DecoderOptions};

    fn text(write: impl Fn(&mut Assembler)) -> String {
        let mut assembler = Assembler::default();
        assembler.restart(0x1000);
        write(&mut assembler);
        let mut decoder = Decoder::with_ip(64, &assembler.bytes, 0x1000, DecoderOptions::NONE);
        let text: Vec<String> = decoder.iter().map(|instruction| instruction.to_string()).collect();
        text.join("; ")
    }

    #[test]
    fn sequences_decode_as_what_was_meant() {
        assert_eq!(text(|a| a.load(R14, word_at(2, R15))), "mov r14,[r13+r15*8-0D8h]");
        assert_eq!(text(|a| a.store(word(13), RSP)), "mov [r13-80h],rsp");
        assert_eq!(text(|a| a.lea(RBP, sum(R15, RSP, -8))), "lea rbp,[rsp+r15-8]");
        assert_eq!(text(|a| a.load(RCX, based(13, 0))), "mov rcx,[r13]");
        assert_eq!(text(|a| a.pext(R15, R14, word(30))), "pext r15,r14,[r13+8]");
        assert_eq!(text(|a| a.pext(RCX, RCX, word_at(1, 9))), "pext rcx,rcx,[r13+r9*8-0E0h]");
        assert_eq!(text(|a| a.constant(9, u64::MAX)), "mov r9,0FFFFFFFFFFFFFFFFh");
        assert_eq!(text(|a| a.constant(3, 0xffff_ffff)), "mov ebx,0FFFFFFFFh");
        assert_eq!(text(|a| a.store_sized(based(RDI, 4), RSI, 0)), "mov [rdi+4],sil");
        assert_eq!(text(|a| a.store_sized(based(RDI, 400), 9, 1)), "mov [rdi+190h],r9w");
        assert_eq!(text(|a| a.subtract_memory(word(29), 1 << 20)), "sub qword ptr [r13],100000h");
        assert_eq!(text(|a| a.compare_memory32(word(30), 7)), "cmp dword ptr [r13+8],7");
        assert_eq!(
            text(|a| {
                a.jump(0x1005);
            }),
            "jmp 0000000000001005h"
        );
    }
}
