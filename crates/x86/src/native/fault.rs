//! Host faults. A fault in translated code (a division by zero, a misaligned vector, an unmasked floating-point
//! exception) is the guest's: the handler notes where it was and resumes at the exit. Every other fault goes to the
//! handler that was there before.

use super::context;
use std::cell::Cell;
use std::ops::Range;
use std::sync::OnceLock;

/// The signals by which the host tells processor exceptions. sigaction(2).
const SIGNALS: [i32; 5] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP];
/// Bytes of the alternate stack: the host's largest signal frame (AVX-512, AMX: 11 KiB), and room for chained handlers.
const STACK_BYTES: usize = 64 << 10;
/// sigaltstack(2): the stack is disarmed while a handler runs on it. It also makes the kernel take the stack's start
/// whatever the stack pointer is, which is the guest's and could by chance or malice point into it.
const SS_AUTODISARM: i32 = i32::MIN;
/// Bit of AT_HWCAP2: user mode may write the gs base. Linux arch/x86/include/uapi/asm/hwcap2.h.
const HWCAP2_FSGSBASE: u64 = 1 << 1;

#[derive(Clone, Copy)]
struct Active {
    start: u64,
    end: u64,
    block: *mut u64,
    exit: u64,
}

const IDLE: Active = Active { start: 0, end: 0, block: std::ptr::null_mut(), exit: 0 };

thread_local! {
    static ACTIVE: Cell<Active> = const { Cell::new(IDLE) };
    static STACK: AlternateStack = AlternateStack::new();
}

static PREVIOUS: OnceLock<Result<[libc::sigaction; SIGNALS.len()], i32>> = OnceLock::new();

/// Whether user mode may execute `wrgsbase`.
pub(super) fn has_fsgsbase() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    // SAFETY: getauxval(3) only reads.
    *ANSWER.get_or_init(|| unsafe { libc::getauxval(libc::AT_HWCAP2) } & HWCAP2_FSGSBASE != 0)
}

/// Installs the handlers, once in the process.
///
/// # Errors
/// The host's error.
pub(super) fn install() -> std::io::Result<()> {
    let result = PREVIOUS.get_or_init(|| {
        // SAFETY: an all-zero sigaction is a valid value: the default action, no flags, an empty mask.
        let mut previous: [libc::sigaction; SIGNALS.len()] = unsafe { std::mem::zeroed() };
        for (signal, previous) in SIGNALS.iter().zip(&mut previous) {
            // SAFETY: as above.
            let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
            action.sa_sigaction = handle as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
            // SAFETY: both point to valid values; the handler has the signature that SA_SIGINFO asks for.
            if unsafe { libc::sigaction(*signal, &action, previous) } != 0 {
                return Err(std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EINVAL));
            }
        }
        Ok(previous)
    });
    result.as_ref().map(|_| ()).map_err(|error| std::io::Error::from_raw_os_error(*error))
}

/// Makes all handlers of this process run on the alternate stack: those that others installed might otherwise run on the
/// guest's.
pub(super) fn move_handlers_to_alternate_stack() {
    const LAST_SIGNAL: i32 = 64;
    for signal in 1..=LAST_SIGNAL {
        // SAFETY: an all-zero sigaction is a valid value, and the call overwrites it.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        // SAFETY: asks only; `action` is valid for writing.
        let known = unsafe { libc::sigaction(signal, std::ptr::null(), &mut action) } == 0;
        let default = action.sa_sigaction == libc::SIG_DFL || action.sa_sigaction == libc::SIG_IGN;
        if known && !default && action.sa_flags & libc::SA_ONSTACK == 0 {
            action.sa_flags |= libc::SA_ONSTACK;
            // SAFETY: the action that is installed already, on another stack, which every thread that runs guest code
            // has (`begin`); on threads without one the flag has no effect, sigaction(2).
            unsafe { libc::sigaction(signal, &action, std::ptr::null_mut()) };
        }
    }
}

/// Says that this thread is about to run translated code in `range` on the TLB block at `block`, which is left through
/// `exit`.
pub(super) fn begin(range: Range<u64>, block: *mut u64, exit: u64) {
    STACK.with(|_| ());
    ACTIVE.set(Active { start: range.start, end: range.end, block, exit });
}

/// Says that this thread has left translated code.
pub(super) fn end() {
    ACTIVE.set(IDLE);
}

extern "C" fn handle(signal: i32, info: *mut libc::siginfo_t, ucontext: *mut libc::c_void) {
    let active = ACTIVE.get();
    // SAFETY: the kernel passes a valid siginfo_t and ucontext_t to a handler with SA_SIGINFO.
    let (info_ref, machine) = unsafe { (&*info, &mut (*ucontext.cast::<libc::ucontext_t>()).uc_mcontext) };
    let pc = machine.gregs[libc::REG_RIP as usize] as u64;
    if !(active.start..active.end).contains(&pc) {
        return chain(signal, info, ucontext);
    }
    // SAFETY: between `begin` and `end` the block is borrowed mutably by `enter`, on this very thread, which is
    // stopped inside translated code; the words exist (`enter` asserts the length). si_addr is set for these signals.
    unsafe {
        active.block.add(context::EXIT).write(context::EXIT_FAULT);
        active.block.add(context::FAULT_PC).write(pc);
        let code = info_ref.si_code as u32;
        active.block.add(context::FAULT_SIGNAL).write(u64::from(code) << 32 | signal as u64);
        active.block.add(context::FAULT_ADDRESS).write(info_ref.si_addr() as u64);
    }
    machine.gregs[libc::REG_RIP as usize] = active.exit as i64;
}

/// Does what would have been done without our handler.
fn chain(signal: i32, info: *mut libc::siginfo_t, ucontext: *mut libc::c_void) {
    let index = SIGNALS.iter().position(|known| *known == signal);
    let previous = match (index, PREVIOUS.get()) {
        (Some(index), Some(Ok(previous))) => Some(&previous[index]),
        _ => None,
    };
    match previous {
        Some(action) if action.sa_sigaction != libc::SIG_DFL && action.sa_sigaction != libc::SIG_IGN => {
            // SAFETY: the address is that of the handler installed before, with the signature that its flags tell.
            unsafe {
                if action.sa_flags & libc::SA_SIGINFO != 0 {
                    let handler: extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void) =
                        std::mem::transmute(action.sa_sigaction);
                    handler(signal, info, ucontext);
                } else {
                    let handler: extern "C" fn(i32) = std::mem::transmute(action.sa_sigaction);
                    handler(signal);
                }
            }
        }
        _ => {
            // SAFETY: restores the default action; the instruction then faults again and ends the process.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
    }
}

/// The stack on which handlers run while the stack pointer is the guest's. One per host thread.
struct AlternateStack {
    memory: *mut libc::c_void,
}

impl AlternateStack {
    fn new() -> AlternateStack {
        // SAFETY: a new private anonymous mapping aliases nothing.
        let memory = unsafe {
            let protection = libc::PROT_READ | libc::PROT_WRITE;
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
            libc::mmap(std::ptr::null_mut(), STACK_BYTES, protection, flags, -1, 0)
        };
        assert!(memory != libc::MAP_FAILED, "the host has memory for a signal stack");
        for flags in [SS_AUTODISARM, 0] {
            let stack = libc::stack_t { ss_sp: memory, ss_flags: flags, ss_size: STACK_BYTES };
            // SAFETY: the stack is mapped, writable and used for nothing else until `drop` disables it.
            if unsafe { libc::sigaltstack(&stack, std::ptr::null_mut()) } == 0 {
                break;
            }
        }
        AlternateStack { memory }
    }
}

impl Drop for AlternateStack {
    fn drop(&mut self) {
        let stack = libc::stack_t { ss_sp: std::ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: STACK_BYTES };
        // SAFETY: the stack is disabled before it is unmapped; no handler runs on it, for this is not one.
        unsafe {
            libc::sigaltstack(&stack, std::ptr::null_mut());
            libc::munmap(self.memory, STACK_BYTES);
        }
    }
}
