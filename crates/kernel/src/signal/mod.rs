//! Signals, signal(7): sets, queues, dispositions, sending, delivery.
//!
//! A signal is sent ([`send`]) to a process or a thread: it becomes pending there, and a thread that can take it is woken.
//! The thread takes it on its way to user mode ([`deliver`], called by [`crate::entry::prepare`]): a handler's frame is
//! built, the process stops, or it ends. Faults of a thread's own instructions come through [`fault`].

pub mod action;
pub mod calls;
mod deliver;
pub mod fault;
mod frame;
pub mod mask;
mod operations;
mod pending;
mod send;
mod set;
pub mod signalfd;

pub use action::SignalActions;
pub use deliver::{Delivered, deliver, has_deliverable};
pub use fault::raise_fault;
pub use frame::MINIMUM_STACK;
pub use operations::{SignalSuspend, SignalTimedWait};
pub use pending::{PendingSignals, Queued};
pub(crate) use send::release_payers;
pub(crate) use send::withdraw;
pub use send::{Target, is_pending, raise, raise_pipe, send, send_to_group, try_send};
pub use set::{CORE_DUMPING, IGNORED_BY_DEFAULT, STOPPING, SYNCHRONOUS, SignalSet, UNBLOCKABLE};

/// A thread's mask and the signals pending for it alone.
#[derive(Clone, Debug, Default)]
pub struct SignalState {
    /// Pending for this thread.
    pub pending: PendingSignals,
    /// Blocked, sigprocmask(2).
    pub blocked: SignalSet,
    /// The mask to go back to when the call that replaced it for its own duration ends: sigsuspend(2), ppoll(2), ...
    pub saved: Option<SignalSet>,
    /// Signals that the thread waits for in sigtimedwait(2), though it blocks them.
    pub awaited: SignalSet,
}
