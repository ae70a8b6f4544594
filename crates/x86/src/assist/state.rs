//! Saving and restoring processor state: `fxsave`, `xsave` and their families, MXCSR. Intel SDM 1 chapter 13 and 10.5.
//!
//! The last instruction, data and opcode fields of the x87 state are always zero: the host's would be its own
//! addresses. (AMD's processors store them only while an exception is pending.)

use super::Core;
use super::cpuid::XCR0;
use super::memory::Segment;
use iced_x86::{Instruction, Mnemonic};
use machine::mmu::Access;
use machine::registers::{ExtendedState, MXCSR_INITIAL};
use machine::{Exception, Gpr, Trap};

const X87: u64 = 1;
const SSE: u64 = 2;
const AVX: u64 = 4;

/// Bytes of the x87 part of an `fxsave` image in front of MXCSR; the registers are in [`X87_REGISTERS`].
const X87_HEAD: usize = 24;
const X87_REGISTERS: std::ops::Range<usize> = 32..160;
const XMM: usize = 160;
/// Bytes that `fxsave` writes; the rest of the 512 is software's.
const FXSAVE_WRITTEN: usize = 416;
/// Where the header of an `xsave` image is, and the AVX part behind it.
const HEADER: usize = 512;
const YMM_HIGH: usize = 576;
const YMM_HIGH_BYTES: usize = 256;
/// MXCSR bits that may be set.
const MXCSR_MASK: u32 = 0xffff;
/// XCOMP_BV bit that says that the image is in the compacted form.
const COMPACTED: u64 = 1 << 63;

const GENERAL_PROTECTION: Trap = Trap::Exception(Exception::GeneralProtection);

/// XINUSE: the components that are not in their initial configuration.
pub(super) fn components_in_use(state: &ExtendedState) -> u64 {
    let initial = ExtendedState::initial();
    let differs = |range: std::ops::Range<usize>| state.fxsave[range.clone()] != initial.fxsave[range];
    let x87 = differs(0..5) || differs(X87_REGISTERS);
    let sse = state.ymm.iter().any(|register| register[..16] != [0; 16]);
    let avx = state.ymm.iter().any(|register| register[16..] != [0; 16]);
    (u64::from(x87) * X87) | (u64::from(sse) * SSE) | (u64::from(avx) * AVX)
}

/// Clears the x87 fields that are always zero, and the unused bytes behind each register.
pub(crate) fn clean_x87(state: &mut ExtendedState) {
    state.fxsave[5..X87_HEAD].fill(0);
    for register in 0..8 {
        let start = X87_REGISTERS.start + 16 * register;
        state.fxsave[start + 10..start + 16].fill(0);
    }
}

/// Takes the x87 part of an image over, with the reserved bits and the summary bits as the processor has them.
fn load_x87(state: &mut ExtendedState, image: &[u8]) {
    state.fxsave[..5].copy_from_slice(&image[..5]);
    state.fxsave[X87_REGISTERS].copy_from_slice(&image[X87_REGISTERS]);
    clean_x87(state);
    settle_x87(state);
}

/// Control word: bit 6 is one, bits 7, 13, 14 and 15 are zero. Status word: ES and B say that an unmasked exception is
/// pending. Intel SDM 1 8.1.3 and 8.1.5.
pub(super) fn settle_x87(state: &mut ExtendedState) {
    let control = u16::from_le_bytes([state.fxsave[0], state.fxsave[1]]) & 0x1f3f | 0x40;
    let status = u16::from_le_bytes([state.fxsave[2], state.fxsave[3]]) & 0x7f7f;
    let status = if status & !control & 0x3f != 0 { status | 0x8080 } else { status };
    state.fxsave[0..2].copy_from_slice(&control.to_le_bytes());
    state.fxsave[2..4].copy_from_slice(&status.to_le_bytes());
}

fn reset_x87(state: &mut ExtendedState) {
    state.fxsave = ExtendedState::initial().fxsave;
}

fn store_xmm(state: &ExtendedState, image: &mut [u8]) {
    for (register, target) in state.ymm.iter().zip(image[XMM..].chunks_exact_mut(16)) {
        target.copy_from_slice(&register[..16]);
    }
}

fn load_xmm(state: &mut ExtendedState, image: &[u8]) {
    for (register, source) in state.ymm.iter_mut().zip(image[XMM..].chunks_exact(16)) {
        register[..16].copy_from_slice(source);
    }
}

fn word(image: &[u8], offset: usize) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|index| image[offset + index]))
}

fn mxcsr_of(image: &[u8]) -> Result<u32, Trap> {
    let mxcsr = u32::from_le_bytes(std::array::from_fn(|index| image[24 + index]));
    if mxcsr & !MXCSR_MASK != 0 { Err(GENERAL_PROTECTION) } else { Ok(mxcsr) }
}

impl Core<'_, '_> {
    /// Executes one of them; the next rip.
    pub(super) fn state(&mut self, instruction: &Instruction) -> Result<u64, Trap> {
        let (address, segment) = self.memory_operand(instruction);
        match instruction.mnemonic() {
            Mnemonic::Stmxcsr | Mnemonic::Vstmxcsr => {
                self.write_number(address, 4, u64::from(self.registers.extended.mxcsr), segment)?;
            }
            Mnemonic::Ldmxcsr | Mnemonic::Vldmxcsr => {
                let mxcsr = self.read_number(address, 4, segment)? as u32;
                if mxcsr & !MXCSR_MASK != 0 {
                    return Err(GENERAL_PROTECTION);
                }
                self.registers.extended.mxcsr = mxcsr;
            }
            Mnemonic::Fxsave | Mnemonic::Fxsave64 => self.fxsave(address, segment)?,
            Mnemonic::Fxrstor | Mnemonic::Fxrstor64 => self.fxrstor(address, segment)?,
            Mnemonic::Xrstor | Mnemonic::Xrstor64 => self.xrstor(address, segment)?,
            Mnemonic::Xsavec | Mnemonic::Xsavec64 => self.xsavec(address, segment)?,
            Mnemonic::Xsave | Mnemonic::Xsave64 => self.xsave(address, segment, Optimise::No)?,
            Mnemonic::Xsaveopt | Mnemonic::Xsaveopt64 => self.xsave(address, segment, Optimise::Initial)?,
            _ => self.x87_environment(instruction, address, segment)?,
        }
        Ok(instruction.next_ip())
    }

    fn fxsave(&mut self, address: u64, segment: Segment) -> Result<(), Trap> {
        aligned(address, 16)?;
        self.touch(address, 512, Access::Write, segment)?;
        let mut image = [0; FXSAVE_WRITTEN];
        let state = &self.registers.extended;
        image[..X87_HEAD].copy_from_slice(&state.fxsave[..X87_HEAD]);
        image[24..28].copy_from_slice(&state.mxcsr.to_le_bytes());
        image[28..32].copy_from_slice(&MXCSR_MASK.to_le_bytes());
        image[X87_REGISTERS].copy_from_slice(&state.fxsave[X87_REGISTERS]);
        store_xmm(state, &mut image);
        self.store(address, &image)
    }

    fn fxrstor(&mut self, address: u64, segment: Segment) -> Result<(), Trap> {
        aligned(address, 16)?;
        self.touch(address, 512, Access::Read, segment)?;
        let mut image = [0; FXSAVE_WRITTEN];
        self.load(address, &mut image)?;
        let mxcsr = mxcsr_of(&image)?;
        let state = &mut self.registers.extended;
        load_x87(state, &image);
        load_xmm(state, &image);
        state.mxcsr = mxcsr;
        Ok(())
    }

    /// The requested feature bitmap: edx:eax of what XCR0 enables.
    fn requested(&self) -> u64 {
        let (eax, edx) = (self.registers.get(Gpr::Rax) as u32, self.registers.get(Gpr::Rdx) as u32);
        (u64::from(edx) << 32 | u64::from(eax)) & XCR0
    }

    /// Reads an image, as far as the requested components reach, after checking alignment and rights.
    fn image(&mut self, address: u64, requested: u64, access: Access, segment: Segment) -> Result<Vec<u8>, Trap> {
        aligned(address, 64)?;
        let length = if requested & AVX != 0 { YMM_HIGH + YMM_HIGH_BYTES } else { YMM_HIGH };
        self.touch(address, length, access, segment)?;
        let mut image = vec![0; length];
        self.load(address, &mut image)?;
        Ok(image)
    }

    /// Puts components into an image.
    fn put(&self, image: &mut [u8], components: u64) {
        let state = &self.registers.extended;
        if components & X87 != 0 {
            image[..X87_HEAD].copy_from_slice(&state.fxsave[..X87_HEAD]);
            image[X87_REGISTERS].copy_from_slice(&state.fxsave[X87_REGISTERS]);
        }
        if components & SSE != 0 {
            store_xmm(state, image);
        }
        if components & AVX != 0 {
            for (register, target) in state.ymm.iter().zip(image[YMM_HIGH..].chunks_exact_mut(16)) {
                target.copy_from_slice(&register[16..]);
            }
        }
    }

    fn put_mxcsr(&self, image: &mut [u8]) {
        image[24..28].copy_from_slice(&self.registers.extended.mxcsr.to_le_bytes());
        image[28..32].copy_from_slice(&MXCSR_MASK.to_le_bytes());
    }

    fn xsave(&mut self, address: u64, segment: Segment, optimise: Optimise) -> Result<(), Trap> {
        let requested = self.requested();
        let mut image = self.image(address, requested, Access::Write, segment)?;
        let in_use = components_in_use(&self.registers.extended);
        let written = if optimise == Optimise::Initial { requested & in_use } else { requested };
        self.put(&mut image, written);
        if requested & (SSE | AVX) != 0 {
            self.put_mxcsr(&mut image);
        }
        let valid = word(&image, HEADER) & !requested | requested & in_use;
        image[HEADER..HEADER + 8].copy_from_slice(&valid.to_le_bytes());
        self.store(address, &image)
    }

    fn xsavec(&mut self, address: u64, segment: Segment) -> Result<(), Trap> {
        let requested = self.requested();
        let mut image = self.image(address, requested, Access::Write, segment)?;
        let mut in_use = components_in_use(&self.registers.extended);
        if self.registers.extended.mxcsr != MXCSR_INITIAL {
            in_use |= SSE;
        }
        let written = requested & in_use;
        self.put(&mut image, written);
        if written & SSE != 0 {
            self.put_mxcsr(&mut image);
        }
        image[HEADER..HEADER + 8].copy_from_slice(&written.to_le_bytes());
        image[HEADER + 8..HEADER + 16].copy_from_slice(&(requested | COMPACTED).to_le_bytes());
        self.store(address, &image)
    }

    fn xrstor(&mut self, address: u64, segment: Segment) -> Result<(), Trap> {
        let requested = self.requested();
        let image = self.image(address, requested, Access::Read, segment)?;
        let (valid, layout) = (word(&image, HEADER), word(&image, HEADER + 8));
        let compacted = layout & COMPACTED != 0;
        let components = layout & !COMPACTED;
        let well_formed = match compacted {
            true => components & !XCR0 == 0 && valid & !components == 0,
            false => layout == 0 && valid & !XCR0 == 0,
        };
        if !well_formed || image[HEADER + 16..YMM_HIGH].iter().any(|byte| *byte != 0) {
            return Err(GENERAL_PROTECTION);
        }
        let mxcsr = match compacted {
            true if requested & SSE == 0 => None,
            true if valid & SSE == 0 => Some(MXCSR_INITIAL),
            false if requested & (SSE | AVX) == 0 => None,
            _ => Some(mxcsr_of(&image)?),
        };
        let state = &mut self.registers.extended;
        if let Some(mxcsr) = mxcsr {
            state.mxcsr = mxcsr;
        }
        match (requested & X87 != 0, valid & X87 != 0) {
            (true, true) => load_x87(state, &image),
            (true, false) => reset_x87(state),
            _ => {}
        }
        match (requested & SSE != 0, valid & SSE != 0) {
            (true, true) => load_xmm(state, &image),
            (true, false) => state.ymm.iter_mut().for_each(|register| register[..16].fill(0)),
            _ => {}
        }
        match (requested & AVX != 0, valid & AVX != 0) {
            (true, true) => {
                for (register, source) in state.ymm.iter_mut().zip(image[YMM_HIGH..].chunks_exact(16)) {
                    register[16..].copy_from_slice(source);
                }
            }
            (true, false) => state.ymm.iter_mut().for_each(|register| register[16..].fill(0)),
            _ => {}
        }
        Ok(())
    }
}

/// Whether components in their initial configuration are left out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Optimise {
    No,
    Initial,
}

fn aligned(address: u64, alignment: u64) -> Result<(), Trap> {
    if address.is_multiple_of(alignment) { Ok(()) } else { Err(GENERAL_PROTECTION) }
}
