//! The x87 and MMX registers. They are exchanged apart from the rest, because few programs use them: the host's hold
//! the guest's only while `context::X87_ABSENT` is 0, and Rust code never touches them.

use machine::registers::{ExtendedState, MXCSR_INITIAL};
use std::arch::asm;

#[repr(C, align(16))]
struct Image([u8; 512]);

/// Loads the host's x87 registers from the image.
pub fn load_x87(state: &ExtendedState) {
    let mut image = Image(state.fxsave);
    image.0[24..28].copy_from_slice(&MXCSR_INITIAL.to_le_bytes());
    // SAFETY: reads 512 aligned bytes. MXCSR is set to the host's own value; the SSE registers that it overwrites are
    // declared; the compiler keeps nothing in x87 registers. No value of the x87 part can fault (SDM 1 10.5.1.2).
    unsafe {
        asm!("fxrstor64 [{}]", in(reg) &image, out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _,
            out("xmm4") _, out("xmm5") _, out("xmm6") _, out("xmm7") _, out("xmm8") _, out("xmm9") _, out("xmm10") _,
            out("xmm11") _, out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _, options(nostack));
    }
}

/// Stores the host's x87 registers into the image and leaves them in their initial state.
pub fn save_x87(state: &mut ExtendedState) {
    let mut image = Image([0; 512]);
    // SAFETY: writes 512 aligned bytes; `fninit` discards pending exceptions, so no later host instruction can fault.
    unsafe { asm!("fxsave64 [{}]", "fninit", in(reg) &mut image, options(nostack)) };
    // Control, status and tags. The last instruction's opcode and addresses are the host's, and stay zero.
    state.fxsave[..5].copy_from_slice(&image.0[..5]);
    state.fxsave[5..24].fill(0);
    state.fxsave[32..160].copy_from_slice(&image.0[32..160]);
}
