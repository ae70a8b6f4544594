//! Signals: numbers, flags and structures, signal(7), sigaction(2), sigaltstack(2), `asm/sigcontext.h`.

#![allow(missing_docs)] // Names as in the C headers; the man page says what they mean.

use crate::structure;

macro_rules! signals {
    ($($name:ident = $number:literal, $text:literal;)*) => {
        $(#[doc = $text] pub const $name: i32 = $number;)*

        /// The signal's name, `SIG?` for a number that has none (real-time signals are named by `SIGRTMIN+n`).
        pub fn name(signal: i32) -> &'static str {
            match signal {
                $($number => stringify!($name),)*
                _ => "SIG?",
            }
        }
    };
}

signals! {
    SIGHUP = 1, "Hangup of the controlling terminal.";
    SIGINT = 2, "Interrupt from the keyboard.";
    SIGQUIT = 3, "Quit from the keyboard.";
    SIGILL = 4, "Illegal instruction.";
    SIGTRAP = 5, "Breakpoint.";
    SIGABRT = 6, "abort(3).";
    SIGBUS = 7, "Bad memory access: nothing behind the mapping.";
    SIGFPE = 8, "Arithmetic error.";
    SIGKILL = 9, "Kill.";
    SIGUSR1 = 10, "The program's own.";
    SIGSEGV = 11, "Invalid memory reference.";
    SIGUSR2 = 12, "The program's own.";
    SIGPIPE = 13, "Write to a pipe without readers.";
    SIGALRM = 14, "alarm(2).";
    SIGTERM = 15, "Termination.";
    SIGSTKFLT = 16, "Unused.";
    SIGCHLD = 17, "A child stopped, continued or ended.";
    SIGCONT = 18, "Continue.";
    SIGSTOP = 19, "Stop.";
    SIGTSTP = 20, "Stop from the keyboard.";
    SIGTTIN = 21, "Terminal input for a background process.";
    SIGTTOU = 22, "Terminal output for a background process.";
    SIGURG = 23, "Urgent data on a socket.";
    SIGXCPU = 24, "Processor time limit exceeded.";
    SIGXFSZ = 25, "File size limit exceeded.";
    SIGVTALRM = 26, "Virtual timer.";
    SIGPROF = 27, "Profiling timer.";
    SIGWINCH = 28, "The window changed its size.";
    SIGIO = 29, "Input or output is possible.";
    SIGPWR = 30, "Power failure.";
    SIGSYS = 31, "Bad system call.";
}

/// The first real-time signal as the kernel counts; libc keeps the first two or three for itself.
pub const SIGRTMIN: i32 = 32;
/// The last signal.
pub const SIGRTMAX: i32 = 64;

/// Handler value: the default action.
pub const SIG_DFL: u64 = 0;
/// Handler value: ignore.
pub const SIG_IGN: u64 = 1;

/// No SIGCHLD when a child stops or continues.
pub const SA_NOCLDSTOP: u64 = 1;
/// Children leave no zombies.
pub const SA_NOCLDWAIT: u64 = 2;
/// The handler takes three arguments.
pub const SA_SIGINFO: u64 = 4;
/// Supported-flag probing, `SA_UNSUPPORTED`: the kernel clears it.
pub const SA_UNSUPPORTED: u64 = 0x400;
/// Expose tag bits of addresses.
pub const SA_EXPOSE_TAGBITS: u64 = 0x800;
/// `sa_restorer` is valid.
pub const SA_RESTORER: u64 = 0x0400_0000;
/// Run the handler on the alternate stack.
pub const SA_ONSTACK: u64 = 0x0800_0000;
/// Interrupted calls are repeated.
pub const SA_RESTART: u64 = 0x1000_0000;
/// The signal is not blocked while its handler runs.
pub const SA_NODEFER: u64 = 0x4000_0000;
/// The disposition goes back to the default when the handler runs.
pub const SA_RESETHAND: u64 = 0x8000_0000;

/// rt_sigprocmask(2): add to the mask.
pub const SIG_BLOCK: i32 = 0;
/// rt_sigprocmask(2): take from the mask.
pub const SIG_UNBLOCK: i32 = 1;
/// rt_sigprocmask(2): replace the mask.
pub const SIG_SETMASK: i32 = 2;

/// sigaltstack(2): the thread runs on the alternate stack.
pub const SS_ONSTACK: i32 = 1;
/// sigaltstack(2): there is no alternate stack.
pub const SS_DISABLE: i32 = 2;
/// sigaltstack(2): the alternate stack is disarmed while a handler runs.
pub const SS_AUTODISARM: i32 = 1 << 31;
/// sigaltstack(2): the smallest permitted stack.
pub const MINSIGSTKSZ: u64 = 2048;

/// `si_code`: sent by kill(2).
pub const SI_USER: i32 = 0;
/// `si_code`: sent by the kernel.
pub const SI_KERNEL: i32 = 0x80;
/// `si_code`: sent by sigqueue(3).
pub const SI_QUEUE: i32 = -1;
/// `si_code`: a POSIX timer expired.
pub const SI_TIMER: i32 = -2;
/// `si_code`: a message queue became non-empty.
pub const SI_MESGQ: i32 = -3;
/// `si_code`: asynchronous I/O ended.
pub const SI_ASYNCIO: i32 = -4;
/// `si_code`: SIGIO without a reason.
pub const SI_SIGIO: i32 = -5;
/// `si_code` of signal-driven input and output: something can be read.
pub const POLL_IN: i32 = 1;
/// `si_code`: something can be written.
pub const POLL_OUT: i32 = 2;
/// `si_code`: a message, such as that a lease is to be given up.
pub const POLL_MSG: i32 = 3;
/// `si_code`: the other side is gone.
pub const POLL_HUP: i32 = 6;
/// `si_code`: sent by tkill(2) or tgkill(2).
pub const SI_TKILL: i32 = -6;
/// SIGILL: illegal operand.
pub const ILL_ILLOPN: i32 = 2;
/// SIGFPE: integer division by zero.
pub const FPE_INTDIV: i32 = 1;
/// SIGFPE: floating-point division by zero.
pub const FPE_FLTDIV: i32 = 3;
/// SIGFPE: floating-point overflow.
pub const FPE_FLTOVF: i32 = 4;
/// SIGFPE: floating-point underflow.
pub const FPE_FLTUND: i32 = 5;
/// SIGFPE: floating-point inexact result.
pub const FPE_FLTRES: i32 = 6;
/// SIGFPE: invalid floating-point operation.
pub const FPE_FLTINV: i32 = 7;
/// SIGSEGV: the address is not mapped.
pub const SEGV_MAPERR: i32 = 1;
/// SIGSEGV: the mapping does not permit the access.
pub const SEGV_ACCERR: i32 = 2;
/// SIGBUS: misaligned address.
pub const BUS_ADRALN: i32 = 1;
/// SIGBUS: no such physical address.
pub const BUS_ADRERR: i32 = 2;
/// SIGTRAP: breakpoint.
pub const TRAP_BRKPT: i32 = 1;
/// SIGTRAP: trace trap.
pub const TRAP_TRACE: i32 = 2;
/// SIGCHLD: the child called exit(2).
pub const CLD_EXITED: i32 = 1;
/// SIGCHLD: a signal killed the child.
pub const CLD_KILLED: i32 = 2;
/// SIGCHLD: a signal killed the child, which dumped core.
pub const CLD_DUMPED: i32 = 3;
/// SIGCHLD: the traced child has trapped.
pub const CLD_TRAPPED: i32 = 4;
/// SIGCHLD: the child stopped.
pub const CLD_STOPPED: i32 = 5;
/// SIGCHLD: the child continued.
pub const CLD_CONTINUED: i32 = 6;

structure! {
    /// The kernel's `struct sigaction`.
    pub struct SigAction {
        /// `SIG_DFL`, `SIG_IGN` or the handler's address.
        pub handler: u64,
        /// `SA_` flags.
        pub flags: u64,
        /// Where the handler returns to: code that calls rt_sigreturn(2).
        pub restorer: u64,
        /// Signals blocked while the handler runs.
        pub mask: u64,
    }
}

structure! {
    /// sigaltstack(2) `stack_t`.
    pub struct SigStack {
        /// Lowest address.
        pub address: u64,
        /// `SS_` flags.
        pub flags: i32,
        pub _pad: u32,
        /// Bytes.
        pub size: u64,
    }
}

structure! {
    /// `siginfo_t`: three numbers and a union of 112 bytes, sigaction(2).
    pub struct SigInfo {
        /// `si_signo`.
        pub signal: i32,
        /// `si_errno`.
        pub errno: i32,
        /// `si_code`.
        pub code: i32,
        pub _pad: i32,
        /// The union `_sifields` as words; [`SigInfo::kill`] and its siblings fill it.
        pub fields: [u64; 14],
    }
}

impl SigInfo {
    fn new(signal: i32, code: i32) -> SigInfo {
        SigInfo { signal, code, ..SigInfo::default() }
    }

    /// Sent by a process: `si_pid`, `si_uid`.
    pub fn kill(signal: i32, code: i32, pid: i32, uid: u32) -> SigInfo {
        let mut info = SigInfo::new(signal, code);
        info.fields[0] = u64::from(pid as u32) | u64::from(uid) << 32;
        info
    }

    /// Sent by the kernel without further words: `SEND_SIG_PRIV` in Linux.
    pub fn kernel(signal: i32) -> SigInfo {
        SigInfo::new(signal, SI_KERNEL)
    }

    /// Sent by sigqueue(3): `si_pid`, `si_uid`, `si_value`.
    pub fn queue(signal: i32, pid: i32, uid: u32, value: u64) -> SigInfo {
        let mut info = SigInfo::kill(signal, SI_QUEUE, pid, uid);
        info.fields[1] = value;
        info
    }

    /// A POSIX timer expired: `si_timerid`, `si_overrun`, `si_value`.
    pub fn timer(signal: i32, timer: i32, overrun: i32, value: u64) -> SigInfo {
        let mut info = SigInfo::new(signal, SI_TIMER);
        info.fields[0] = u64::from(timer as u32) | u64::from(overrun as u32) << 32;
        info.fields[1] = value;
        info
    }

    /// A fault of the thread's own: `si_addr`.
    pub fn fault(signal: i32, code: i32, address: u64) -> SigInfo {
        let mut info = SigInfo::new(signal, code);
        info.fields[0] = address;
        info
    }

    /// A child changed state: `si_pid`, `si_uid`, `si_status`, `si_utime` and `si_stime` in clock ticks.
    pub fn child(code: i32, pid: i32, uid: u32, status: i32, user_ticks: u64, system_ticks: u64) -> SigInfo {
        let mut info = SigInfo::kill(SIGCHLD, code, pid, uid);
        info.fields[1] = u64::from(status as u32);
        info.fields[2] = user_ticks;
        info.fields[3] = system_ticks;
        info
    }

    /// Input or output is possible on a descriptor: `si_band`, `si_fd`.
    pub fn poll(signal: i32, code: i32, band: u64, fd: i32) -> SigInfo {
        let mut info = SigInfo::new(signal, code);
        info.fields[0] = band;
        info.fields[1] = u64::from(fd as u32);
        info
    }

    /// `si_pid`.
    pub fn pid(&self) -> i32 {
        self.fields[0] as u32 as i32
    }

    /// `si_uid`.
    pub fn uid(&self) -> u32 {
        (self.fields[0] >> 32) as u32
    }

    /// `si_addr`.
    pub fn address(&self) -> u64 {
        self.fields[0]
    }

    /// `si_value` of sigqueue(3) and timers.
    pub fn value(&self) -> u64 {
        self.fields[1]
    }

    /// `si_status` of SIGCHLD.
    pub fn status(&self) -> i32 {
        self.fields[1] as u32 as i32
    }
}

structure! {
    /// `struct sigcontext`, the registers in a signal frame.
    pub struct SigContext {
        pub r8: u64,
        pub r9: u64,
        pub r10: u64,
        pub r11: u64,
        pub r12: u64,
        pub r13: u64,
        pub r14: u64,
        pub r15: u64,
        pub rdi: u64,
        pub rsi: u64,
        pub rbp: u64,
        pub rbx: u64,
        pub rdx: u64,
        pub rax: u64,
        pub rcx: u64,
        pub rsp: u64,
        pub rip: u64,
        pub rflags: u64,
        pub cs: u16,
        pub gs: u16,
        pub fs: u16,
        pub ss: u16,
        /// The page fault's error code.
        pub err: u64,
        /// The exception's vector.
        pub trapno: u64,
        pub oldmask: u64,
        /// The page fault's address.
        pub cr2: u64,
        /// Address of the vector state, 0: none.
        pub fpstate: u64,
        pub reserved: [u64; 8],
    }
}

structure! {
    /// `struct ucontext`.
    pub struct UContext {
        /// `UC_` flags.
        pub flags: u64,
        pub link: u64,
        pub stack: SigStack,
        pub context: SigContext,
        /// The mask to go back to.
        pub mask: u64,
    }
}

/// The frame has xsave state.
pub const UC_FP_XSTATE: u64 = 1;
/// `ss` in the frame is valid.
pub const UC_SIGCONTEXT_SS: u64 = 2;
/// rt_sigreturn(2) honours `ss` strictly.
pub const UC_STRICT_RESTORE_SS: u64 = 4;
/// First magic word of an extended vector state, in the reserved bytes of the fxsave image.
pub const FP_XSTATE_MAGIC1: u32 = 0x4650_5853;
/// Last magic word, behind the state.
pub const FP_XSTATE_MAGIC2: u32 = 0x4650_5845;

structure! {
    /// signalfd(2), `struct signalfd_siginfo`, 128 bytes.
    pub struct SignalFdInfo {
        /// `ssi_signo`.
        pub signal: u32,
        /// `ssi_errno`.
        pub errno: i32,
        /// `ssi_code`.
        pub code: i32,
        /// `ssi_pid`.
        pub pid: u32,
        /// `ssi_uid`.
        pub uid: u32,
        /// `ssi_fd`.
        pub fd: i32,
        /// `ssi_tid`: a timer's number.
        pub timer: u32,
        /// `ssi_band`.
        pub band: u32,
        /// `ssi_overrun`.
        pub overrun: u32,
        /// `ssi_trapno`.
        pub trap: u32,
        /// `ssi_status`.
        pub status: i32,
        /// `ssi_int`.
        pub integer: i32,
        /// `ssi_ptr`.
        pub pointer: u64,
        /// `ssi_utime`.
        pub user_time: u64,
        /// `ssi_stime`.
        pub system_time: u64,
        /// `ssi_addr`.
        pub address: u64,
        /// `ssi_addr_lsb`.
        pub address_lsb: u16,
        pub _pad0: u16,
        /// `ssi_syscall`.
        pub system_call: i32,
        /// `ssi_call_addr`.
        pub call_address: u64,
        /// `ssi_arch`.
        pub architecture: u32,
        pub _pad1: [u8; 28],
    }
}
