//! Faults of a thread's own instructions become signals that it cannot put off. Linux `force_sig_info`,
//! arch/x86/kernel/traps.c, arch/x86/mm/fault.c.

use super::{SYNCHRONOUS, Target, send};
use crate::entry::Call;
use crate::mm::fault::BadAccess;
use crate::process::exit;
use abi::signal::{
    BUS_ADRALN, BUS_ADRERR, FPE_FLTDIV, FPE_FLTINV, FPE_FLTOVF, FPE_FLTRES, FPE_FLTUND, FPE_INTDIV, ILL_ILLOPN,
    SEGV_ACCERR, SEGV_MAPERR, SIG_DFL, SIG_IGN, SIGBUS, SIGFPE, SIGILL, SIGKILL, SIGSEGV, SIGTRAP, SigAction, SigInfo,
    TRAP_TRACE,
};
use machine::{Exception, PageFault};

/// Sends the calling thread a signal that it takes at once: blocked or ignored, it kills.
pub fn raise_fault(call: &mut Call, info: SigInfo) {
    let signal = info.signal;
    debug_assert!(SYNCHRONOUS.contains(signal) || signal == SIGKILL, "a fault's signal");
    let process = call.process_id();
    let actions = call.kernel.processes[process].actions;
    let blocked = call.current().signals.blocked.contains(signal);
    let handler = call.kernel.actions[actions].get(signal).handler;
    if signal != SIGKILL && (blocked || handler == SIG_IGN) {
        if handler != SIG_DFL {
            call.kernel.actions[actions].set(signal, SigAction::default());
        }
        call.current().signals.blocked.remove(signal);
    }
    send(call.kernel, call.chooser, Target::Thread(call.thread), info);
}

/// The signal for an access that no area permits.
pub fn page_fault(call: &mut Call, fault: PageFault, reason: BadAccess) {
    let address = fault.address;
    call.current().fault = (14, reported_error_code(call, fault), address);
    let info = match reason {
        BadAccess::Unmapped | BadAccess::Guarded => SigInfo::fault(SIGSEGV, SEGV_MAPERR, address),
        BadAccess::Forbidden => SigInfo::fault(SIGSEGV, SEGV_ACCERR, address),
        BadAccess::BeyondFile => SigInfo::fault(SIGBUS, BUS_ADRERR, address),
        BadAccess::OutOfMemory => {
            // What Linux's OOM killer does, but without choosing a victim: who asked for the page goes.
            exit::kill(call, SIGKILL);
            return;
        }
    };
    raise_fault(call, info);
}

/// The error code that a handler sees. What only the kernel may access looks like a page that is there (Linux
/// `set_signal_archinfo`), and a page without any access like one that is not: Linux takes its present bit away
/// (`_PAGE_PROTNONE`).
fn reported_error_code(call: &mut Call, fault: PageFault) -> u64 {
    const PRESENT: u64 = 1;
    let here = &call.kernel.spaces[call.space()];
    match here.areas.containing(fault.address) {
        _ if fault.address >= here.layout.user_end => fault.error_code() | PRESENT,
        Some(area) if !area.is_accessible() => fault.error_code() & !PRESENT,
        _ => fault.error_code(),
    }
}

/// The signal for an exception that the processor raised.
pub fn exception(call: &mut Call, exception: &Exception) {
    let rip = call.current().registers.rip;
    let (vector, info) = match exception {
        Exception::Divide => (0, SigInfo::fault(SIGFPE, FPE_INTDIV, rip)),
        Exception::SingleStep => (1, SigInfo::fault(SIGTRAP, TRAP_TRACE, rip)),
        // Linux sends SIGTRAP for int3 with SI_KERNEL; the address is behind the instruction.
        Exception::Breakpoint => (3, SigInfo::kernel(SIGTRAP)),
        Exception::Overflow => (4, SigInfo::kernel(SIGSEGV)),
        Exception::InvalidOpcode { .. } => (6, SigInfo::fault(SIGILL, ILL_ILLOPN, rip)),
        Exception::StackFault => (12, SigInfo::kernel(SIGBUS)),
        Exception::GeneralProtection => (13, SigInfo::kernel(SIGSEGV)),
        Exception::X87 => (16, SigInfo::fault(SIGFPE, x87_reason(call), rip)),
        Exception::Simd => (19, SigInfo::fault(SIGFPE, simd_reason(call), rip)),
        Exception::AlignmentCheck => (17, SigInfo::fault(SIGBUS, BUS_ADRALN, 0)),
    };
    let thread = call.current();
    thread.fault = (vector, 0, thread.fault.2);
    raise_fault(call, info);
}

/// Linux `fpu__exception_code`: which of the unmasked exceptions is reported.
fn floating_point_reason(raised: u32) -> i32 {
    match raised {
        raised if raised & 1 != 0 => FPE_FLTINV,
        raised if raised & 4 != 0 => FPE_FLTDIV,
        raised if raised & 8 != 0 => FPE_FLTOVF,
        raised if raised & 0x12 != 0 => FPE_FLTUND,
        raised if raised & 0x20 != 0 => FPE_FLTRES,
        _ => 0,
    }
}

fn x87_reason(call: &mut Call) -> i32 {
    let image = &call.current().registers.extended.fxsave;
    let control = u32::from(u16::from_le_bytes([image[0], image[1]]));
    let status = u32::from(u16::from_le_bytes([image[2], image[3]]));
    floating_point_reason(status & !control)
}

fn simd_reason(call: &mut Call) -> i32 {
    let mxcsr = call.current().registers.extended.mxcsr;
    floating_point_reason(!(mxcsr >> 7) & mxcsr)
}
