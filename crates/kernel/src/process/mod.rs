//! Processes and threads: what they own, how they begin ([`clone`](self), exec) and end.

mod pids;

pub use pids::Pids;

use crate::clock::TimerKey;
use crate::fs::{FdTable, FsContext};
use crate::mm::AddressSpace;
use crate::signal::{SignalActions, SignalState};
use crate::syscalls::operation::Operation;
use crate::table::Id;
use crate::wait::Wait;
use machine::Registers;

/// What threads of one program share, credentials(7).
#[derive(Clone, Debug)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// Who waits for it; `None` for belljar's own init, which adopts orphans and is never shown to run.
    pub parent: Option<Id<Process>>,
    /// Its process group's number.
    pub group: i32,
    /// Its session's number.
    pub session: i32,
    /// Its threads, the leader first; empty for a zombie.
    pub threads: Vec<Id<Thread>>,
    /// Its memory.
    pub space: Id<AddressSpace>,
    /// What it does on signals.
    pub actions: Id<SignalActions>,
    /// Signals pending for the process as a whole.
    pub signals: SignalState,
    /// Stopped by a signal, until SIGCONT.
    pub stopped: bool,
    /// How it ended, as wait(2) encodes it, once it has.
    pub exit_status: Option<i32>,
}

/// What the scheduler runs.
///
/// # Invariants
/// - it is blocked exactly if it is listed in `Waits` or holds a deadline; then it has an operation.
#[derive(Clone, Debug)]
pub struct Thread {
    /// Its number.
    pub tid: i32,
    /// Its process.
    pub process: Id<Process>,
    /// Whether it can run.
    pub state: ThreadState,
    /// Its registers while it does not run.
    pub registers: Box<Registers>,
    /// The call being served and, if it blocked, its progress.
    pub call: Option<CallInProgress>,
    /// What a blocked call still has to do.
    pub operation: Option<Operation>,
    /// The timer behind the deadline of `state`.
    pub deadline_timer: Option<TimerKey>,
    /// Its mask and the signals pending for it alone.
    pub signals: SignalState,
    /// Its descriptors.
    pub fd_table: Id<FdTable>,
    /// Its working directory, root and umask.
    pub fs_context: Id<FsContext>,
    /// comm: at most 15 bytes, prctl(2) `PR_SET_NAME`.
    pub name: Vec<u8>,
    /// Where to store 0 and wake when it ends, set_tid_address(2).
    pub clear_child_tid: u64,
    /// The list of robust futexes, set_robust_list(2).
    pub robust_list: u64,
    /// Guest instructions it has retired.
    pub instructions: u64,
    /// System calls it has made.
    pub system_calls: u64,
}

/// Whether a thread can run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ThreadState {
    /// It can (unless its process is stopped).
    Runnable,
    /// Its operation waits.
    Blocked(Wait),
}

/// A system call between entry and exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallInProgress {
    /// The number in rax.
    pub number: u64,
    /// rdi, rsi, rdx, r10, r8, r9.
    pub arguments: [u64; 6],
}
