//! The signal frame: what a handler finds on its stack, and what rt_sigreturn(2) takes back.
//! Linux arch/x86/kernel/signal_64.c, arch/x86/kernel/fpu/signal.c.
//!
//! ```text
//!   interrupted rsp
//!   ----------------  128 bytes of red zone stay untouched
//!   vector state      aligned to 64: fxsave image, xsave header, upper halves, second magic word
//!   siginfo           128 bytes
//!   ucontext          304 bytes
//!   return address    the restorer; rsp of the handler points here, 8 below a multiple of 16
//! ```

use super::SignalSet;
use crate::entry::Call;
use crate::process::Thread;
use abi::signal::{
    FP_XSTATE_MAGIC1, FP_XSTATE_MAGIC2, SA_ONSTACK, SA_RESTORER, SA_SIGINFO, SS_AUTODISARM, SS_DISABLE, SS_ONSTACK,
    SigAction, SigContext, SigInfo, SigStack, UC_FP_XSTATE, UC_SIGCONTEXT_SS, UC_STRICT_RESTORE_SS, UContext,
};
use abi::{Errno, Error, Wire};
use machine::Gpr;
use machine::registers::{ExtendedState, RFLAGS_INITIAL, Registers};

/// Bytes below rsp that the ABI lets leaf functions use.
const RED_ZONE: u64 = 128;
/// Bytes of the fxsave image.
const LEGACY: usize = 512;
/// Offset of the upper halves of the YMM registers in the standard xsave format, Intel SDM 1 13.4.
const UPPER_HALVES: usize = LEGACY + 64;
/// Bytes of vector state: x87, SSE and AVX.
const STATE: usize = UPPER_HALVES + 256;
/// Bytes of vector state with the second magic word.
const STATE_IN_FRAME: u64 = STATE as u64 + 4;
/// Offset of Linux's own words in the fxsave image, `struct _fpx_sw_bytes`.
const SOFTWARE_BYTES: usize = 464;
/// The components x87, SSE, AVX.
const FEATURES: u64 = 7;
/// MXCSR bits that exist, `mxcsr_feature_mask`.
const MXCSR_MASK: u32 = 0xffff;
const CS_USER: u16 = 0x33;
const SS_USER: u16 = 0x2b;
/// Direction, resume and trap flag: clear in a handler.
const FLAGS_CLEAR_IN_HANDLER: u64 = 0x400 | 0x1_0000 | 0x100;
/// Flags that rt_sigreturn(2) restores, `FIX_EFLAGS`: AC, OF, DF, TF, SF, ZF, AF, PF, CF, RF.
const FLAGS_RESTORED: u64 = 0x5_0dd5;
/// Bytes of the return address, ucontext and siginfo.
const FRAME: u64 = 8 + UContext::SIZE as u64 + SigInfo::SIZE as u64;

/// The smallest stack on which a frame fits with room to spare, `AT_MINSIGSTKSZ`: Linux adds up frame, alignment and
/// vector state.
pub const MINIMUM_STACK: u64 = 8 + 440 + 64 + 16 + STATE_IN_FRAME;

/// Whether an address lies on the thread's alternate stack, Linux `on_sig_stack`.
pub(crate) fn is_on_alternate_stack(stack: &SigStack, rsp: u64) -> bool {
    stack.flags & SS_AUTODISARM == 0 && is_within(stack, rsp)
}

fn is_within(stack: &SigStack, rsp: u64) -> bool {
    rsp > stack.address && rsp - stack.address <= stack.size
}

/// The `SS_` flags as sigaltstack(2) reports them.
pub(crate) fn alternate_stack_flags(stack: &SigStack, rsp: u64) -> i32 {
    if stack.size == 0 {
        SS_DISABLE
    } else if is_on_alternate_stack(stack, rsp) {
        SS_ONSTACK
    } else {
        0
    }
}

/// Builds a handler's frame and sets the registers to run it.
///
/// # Errors
/// `EFAULT` if the stack has no room or the action has no restorer; registers and mask are unchanged.
pub(crate) fn build(call: &mut Call, info: &SigInfo, action: SigAction, mask: SignalSet) -> Result<(), Error> {
    if action.flags & SA_RESTORER == 0 {
        return Err(Errno::EFAULT.because("the action has no restorer"));
    }
    let thread = call.current();
    let stack = thread.alternate_stack;
    let rsp = thread.registers.get(Gpr::Rsp);
    let was_on_stack = is_on_alternate_stack(&stack, rsp);
    let mut top = rsp.wrapping_sub(RED_ZONE);
    let enters_stack = action.flags & SA_ONSTACK != 0 && alternate_stack_flags(&stack, top) == 0;
    if enters_stack {
        top = stack.address.wrapping_add(stack.size);
    }
    let state_at = top.wrapping_sub(STATE_IN_FRAME) & !63;
    let frame_at = (state_at.wrapping_sub(FRAME) & !15).wrapping_sub(8);
    if (was_on_stack || enters_stack) && !is_within(&stack, frame_at) {
        return Err(Errno::EFAULT.because("the alternate stack is too small for the frame"));
    }
    let context = UContext {
        flags: UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS,
        link: 0,
        stack,
        context: save(thread, state_at, mask),
        mask: mask.0,
    };
    let state = save_state(&thread.registers.extended);
    let context_at = frame_at.wrapping_add(8);
    let info_at = context_at.wrapping_add(UContext::SIZE as u64);
    call.copy_out(state_at, &state)?;
    let mut frame = Vec::with_capacity(FRAME as usize);
    frame.extend_from_slice(&action.restorer.to_le_bytes());
    frame.extend_from_slice(&context.to_bytes());
    if action.flags & SA_SIGINFO != 0 {
        frame.extend_from_slice(&info.to_bytes());
    }
    call.copy_out(frame_at, &frame)?;

    let thread = call.current();
    if stack.flags & SS_AUTODISARM != 0 {
        thread.alternate_stack = SigStack { flags: SS_DISABLE, ..SigStack::default() };
    }
    let registers = &mut thread.registers;
    registers.set(Gpr::Rdi, info.signal as u64);
    registers.set(Gpr::Rsi, info_at);
    registers.set(Gpr::Rdx, context_at);
    registers.set(Gpr::Rax, 0);
    registers.set(Gpr::Rsp, frame_at);
    registers.rip = action.handler;
    registers.rflags &= !FLAGS_CLEAR_IN_HANDLER;
    registers.extended = ExtendedState::initial();
    Ok(())
}

fn save(thread: &Thread, fpstate: u64, mask: SignalSet) -> SigContext {
    let registers = &thread.registers;
    let [rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15] = registers.general;
    let (trapno, err, cr2) = thread.fault;
    SigContext {
        r8,
        r9,
        r10,
        r11,
        r12,
        r13,
        r14,
        r15,
        rdi,
        rsi,
        rbp,
        rbx,
        rdx,
        rax,
        rcx,
        rsp,
        rip: registers.rip,
        rflags: registers.rflags | RFLAGS_INITIAL,
        cs: CS_USER,
        gs: 0,
        fs: 0,
        ss: SS_USER,
        err,
        trapno,
        oldmask: mask.0,
        cr2,
        fpstate,
        reserved: [0; 8],
    }
}

/// The vector state in xsave's standard format, with Linux's magic words.
fn save_state(extended: &ExtendedState) -> Vec<u8> {
    let mut state = vec![0; STATE_IN_FRAME as usize];
    state[..LEGACY].copy_from_slice(&extended.fxsave);
    state[24..28].copy_from_slice(&extended.mxcsr.to_le_bytes());
    state[28..32].copy_from_slice(&MXCSR_MASK.to_le_bytes());
    for (index, register) in extended.ymm.iter().enumerate() {
        let low = 160 + 16 * index;
        state[low..low + 16].copy_from_slice(&register[..16]);
        let high = UPPER_HALVES + 16 * index;
        state[high..high + 16].copy_from_slice(&register[16..]);
    }
    let mut put = |at: usize, bytes: &[u8]| state[at..at + bytes.len()].copy_from_slice(bytes);
    put(SOFTWARE_BYTES, &[0; 48]);
    put(SOFTWARE_BYTES, &FP_XSTATE_MAGIC1.to_le_bytes());
    put(SOFTWARE_BYTES + 4, &(STATE_IN_FRAME as u32).to_le_bytes());
    put(SOFTWARE_BYTES + 8, &FEATURES.to_le_bytes());
    put(SOFTWARE_BYTES + 16, &(STATE as u32).to_le_bytes());
    put(LEGACY, &FEATURES.to_le_bytes());
    put(STATE, &FP_XSTATE_MAGIC2.to_le_bytes());
    state
}

/// Takes back what [`build`] saved, or what the handler made of it. The frame is where rsp points now, behind the return
/// address that the handler's `ret` has taken.
///
/// # Errors
/// `EFAULT` if the frame may not be read or its vector state is damaged: the caller sends SIGSEGV.
pub(crate) fn restore(call: &mut Call) -> Result<(), Error> {
    let context_at = call.current().registers.get(Gpr::Rsp);
    let context: UContext = call.read(crate::user::UserPtr::new(context_at))?;
    let saved = context.context;
    let extended = match saved.fpstate {
        0 => ExtendedState::initial(),
        at => restore_state(call, at)?,
    };
    let thread = call.current();
    let registers: &mut Registers = &mut thread.registers;
    registers.general = [
        saved.rax, saved.rcx, saved.rdx, saved.rbx, saved.rsp, saved.rbp, saved.rsi, saved.rdi, saved.r8, saved.r9,
        saved.r10, saved.r11, saved.r12, saved.r13, saved.r14, saved.r15,
    ];
    registers.rip = saved.rip;
    registers.rflags = registers.rflags & !FLAGS_RESTORED | saved.rflags & FLAGS_RESTORED | RFLAGS_INITIAL;
    registers.extended = extended;
    super::mask::set(call, SignalSet(context.mask));
    // As Linux: a stack that sigaltstack(2) would refuse is not restored, and that is no error.
    let _ = super::calls::set_alternate_stack(call, context.stack, saved.rsp);
    Ok(())
}

fn restore_state(call: &mut Call, at: u64) -> Result<ExtendedState, Error> {
    let mut legacy = [0; LEGACY];
    call.copy_in(at, &mut legacy)?;
    let mut extended = ExtendedState::initial();
    let (mut features, mut upper) = (3, [0; 256]);
    if is_extended(call, at, &legacy) {
        let mut rest = [0; STATE - LEGACY];
        call.copy_in(at.wrapping_add(LEGACY as u64), &mut rest)?;
        features = u64::read(&rest[..8]);
        // Intel SDM 1 13.8: xrstor refuses unknown components and other formats.
        if features & !FEATURES != 0 || rest[8..24].iter().any(|byte| *byte != 0) {
            return Err(Errno::EFAULT.because("the vector state in the frame is damaged"));
        }
        upper.copy_from_slice(&rest[64..]);
    }
    let mxcsr = u32::read(&legacy[24..28]);
    if mxcsr & !MXCSR_MASK != 0 {
        return Err(Errno::EFAULT.because("the frame sets reserved bits of MXCSR"));
    }
    if features & 1 != 0 {
        extended.fxsave[..24].copy_from_slice(&legacy[..24]);
        extended.fxsave[32..160].copy_from_slice(&legacy[32..160]);
    }
    if features & 6 != 0 {
        extended.mxcsr = mxcsr;
    }
    for index in 0..16 {
        if features & 2 != 0 {
            extended.ymm[index][..16].copy_from_slice(&legacy[160 + 16 * index..176 + 16 * index]);
        }
        if features & 4 != 0 {
            extended.ymm[index][16..].copy_from_slice(&upper[16 * index..16 * index + 16]);
        }
    }
    Ok(extended)
}

/// Whether the frame's state goes on behind the fxsave image, Linux `check_xstate_in_sigframe`.
fn is_extended(call: &mut Call, at: u64, legacy: &[u8; LEGACY]) -> bool {
    let word = |offset: usize| u32::read(&legacy[SOFTWARE_BYTES + offset..SOFTWARE_BYTES + offset + 4]);
    let mut magic = [0; 4];
    word(0) == FP_XSTATE_MAGIC1
        && word(16) == STATE as u32
        && word(4) == STATE_IN_FRAME as u32
        && call.copy_in(at.wrapping_add(STATE as u64), &mut magic).is_ok()
        && u32::read(&magic) == FP_XSTATE_MAGIC2
}
