//! Processes and threads: what they own, how they begin ([`clone`], [`exec`]) and end ([`exit`], [`wait`]).
//!
//! What threads may share one by one lives in tables of its own, counted: the address space and the signal dispositions
//! by processes (`CLONE_VM`, `CLONE_SIGHAND` without `CLONE_THREAD`), descriptors, working directory and credentials by
//! threads. Process 1 is belljar's own init: it has no thread, adopts orphans and reaps them silently.

pub(crate) mod arch;
pub mod boot;
pub mod calls;
pub mod clone;
pub mod control;
pub mod credentials;
pub mod exec;
pub mod exit;
pub mod groups;
pub mod image;
pub mod limits;
pub mod permission;
pub mod pidfd;
pub mod pids;
pub mod report;
pub mod usage;
pub mod users;
pub mod wait;

pub use credentials::Credentials;
pub use limits::Limits;
pub use pids::{Pids, Session};
pub use usage::Usage;

use crate::clock::{Instant, TimerKey};
use crate::fs::tty::Terminal;
use crate::fs::{FdTable, FsContext, Node};
use crate::ipc::namespace::IpcNamespace;
use crate::mm::AddressSpace;
use crate::sched::{Policy, rseq};
use crate::signal::{PendingSignals, SignalActions, SignalState};
use crate::syscalls::operation::Operation;
use crate::table::Id;
use crate::wait::Wait;
use abi::signal::SigStack;
use machine::Registers;

/// What threads of one program share, credentials(7).
#[derive(Clone, Debug)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// Who waits for it; `None` for belljar's own init, which adopts orphans and is never shown to run.
    pub parent: Option<Id<Process>>,
    /// Its children, zombies included, in the order in which it got them.
    pub children: Vec<Id<Process>>,
    /// Its process group's number.
    pub group: i32,
    /// Its session's number.
    pub session: i32,
    /// Its threads, the leader first while it lives; empty for a zombie and for init.
    pub threads: Vec<Id<Thread>>,
    /// comm of its leader, once that has ended.
    pub name: Vec<u8>,
    /// Its controlling terminal; children inherit it.
    pub terminal: Option<Id<Terminal>>,
    /// Its memory. A stale handle once the process has ended.
    pub space: Id<AddressSpace>,
    /// What it does on signals. A stale handle once the process has ended.
    pub actions: Id<SignalActions>,
    /// Signals pending for the process as a whole.
    pub signals: PendingSignals,
    /// Stopped by a signal, until SIGCONT.
    pub stopped: bool,
    /// A change that its parent has not been told by wait(2) yet.
    pub report: Option<Report>,
    /// It ends with this status as soon as any of its threads gets to run; none of them sees user mode again.
    pub exiting: Option<i32>,
    /// How it ended, as wait(2) encodes it, once it has.
    pub exit_status: Option<i32>,
    /// How its leader ended, if other threads outlived it.
    pub leader_status: Option<i32>,
    /// The signal that its parent gets when it ends; 0: none.
    pub exit_signal: i32,
    /// The leader's credentials, by which others judge it; they outlive the leader.
    pub credentials: Id<Credentials>,
    /// Resource limits.
    pub limits: Limits,
    /// What the program's start left behind, for proc(5) and prctl(2).
    pub image: Image,
    /// Its attributes, prctl(2).
    pub attributes: Attributes,
    /// What its ended threads used.
    pub usage: Usage,
    /// What its children used that it has waited for, and theirs.
    pub children_usage: Usage,
    /// Interval timers and POSIX timers.
    pub timers: crate::time::itimer::Timers,
    /// When it was made.
    pub started: Instant,
    /// Its parent sleeps in vfork(2) until it runs another program or ends.
    pub vfork_parent_waits: bool,
    /// It has run another program since it was made; setpgid(2) asks.
    pub has_executed: bool,
    /// Started by belljar's user, who stands for the shell it was typed into: its group is never orphaned.
    pub is_first: bool,
}

/// A change of state for wait(2), other than the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// Stopped by this signal.
    Stopped(i32),
    /// Continued by SIGCONT.
    Continued,
}

/// Where the running program came from and where its strings are, proc(5).
#[derive(Clone, Debug, Default)]
pub struct Image {
    /// The program file, `/proc/PID/exe`; held by [`image`].
    pub program: Option<Id<Node>>,
    /// Addresses of the argument strings.
    pub arguments: (u64, u64),
    /// Addresses of the environment strings.
    pub environment: (u64, u64),
    /// Addresses of the code.
    pub code: (u64, u64),
    /// Addresses of the initialised data.
    pub data: (u64, u64),
    /// The stack pointer at the start.
    pub stack: u64,
    /// The auxiliary vector's words.
    pub auxiliary: Vec<u64>,
}

/// Attributes that prctl(2), personality(2) and their like set.
#[derive(Clone, Debug)]
pub struct Attributes {
    /// `PR_SET_PDEATHSIG`: sent to it when its parent ends; 0: none.
    pub parent_death_signal: i32,
    /// `PR_SET_DUMPABLE`.
    pub dumpable: i32,
    /// `PR_SET_CHILD_SUBREAPER`: adopts orphans among its descendants.
    pub child_subreaper: bool,
    /// `PR_SET_NO_NEW_PRIVS`.
    pub no_new_privileges: bool,
    /// `PR_SET_THP_DISABLE`.
    pub huge_pages_disabled: bool,
    /// personality(2).
    pub personality: u32,
    /// membarrier(2): commands registered.
    pub membarrier: u32,
    /// `PR_MCE_KILL`: early (1), late (0) or as the machine does (2); without effect.
    pub memory_error_policy: u32,
    /// `PR_SET_TIMERSLACK`, in nanoseconds; timers are exact whatever it is.
    pub timer_slack_ns: u64,
    /// `/proc/PID/oom_score_adj`, -1000 to 1000.
    pub oom_score_adjustment: i32,
    /// `/proc/PID/coredump_filter`, core(5).
    pub core_filter: u32,
}

impl Default for Attributes {
    fn default() -> Attributes {
        Attributes {
            parent_death_signal: 0,
            dumpable: 1,
            child_subreaper: false,
            no_new_privileges: false,
            huge_pages_disabled: false,
            personality: 0,
            membarrier: 0,
            memory_error_policy: 2,
            timer_slack_ns: 50_000,
            oom_score_adjustment: 0,
            core_filter: 0x33,
        }
    }
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
    /// sigaltstack(2).
    pub alternate_stack: SigStack,
    /// The last fault: vector, error code, address; a signal frame shows them.
    pub fault: (u64, u64, u64),
    /// Its descriptors.
    pub fd_table: Id<FdTable>,
    /// Its working directory, root and umask.
    pub fs_context: Id<FsContext>,
    /// Its System V objects and POSIX queues, ipc_namespaces(7).
    pub ipc_namespace: Id<IpcNamespace>,
    /// What its end undoes of semaphores, semop(2) `SEM_UNDO`; shared by `CLONE_SYSVSEM`.
    pub undo: Option<Id<crate::ipc::sysv::UndoList>>,
    /// In whose name it acts.
    pub credentials: Id<Credentials>,
    /// comm: at most 15 bytes, prctl(2) `PR_SET_NAME`.
    pub name: Vec<u8>,
    /// Where to store 0 and wake when it ends, set_tid_address(2).
    pub clear_child_tid: u64,
    /// The list of robust futexes, set_robust_list(2).
    pub robust_list: u64,
    /// rseq(2), while registered.
    pub rseq: Option<rseq::Registration>,
    /// The processor that it is told it runs on.
    pub cpu: u32,
    /// Its scheduling class and priority.
    pub policy: Policy,
    /// Where it stands among others of its class.
    pub place: crate::sched::rank::Place,
    /// ioprio_set(2).
    pub io_priority: i32,
    /// Guest instructions it has retired; its user time in nanoseconds.
    pub instructions: u64,
    /// System calls it has made.
    pub system_calls: u64,
    /// set_mempolicy(2).
    pub memory_policy: crate::mm::policy::Policy,
    /// What else it used.
    pub usage: Usage,
    /// When it was made.
    pub started: Instant,
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
