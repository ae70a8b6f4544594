//! Signals, signal(7): sets, queues, dispositions, delivery.

mod set;

pub use set::SignalSet;

use crate::entry::Call;

/// What a process does on each signal; shared by `CLONE_SIGHAND`.
#[derive(Clone, Debug, Default)]
pub struct SignalActions {
    /// Processes that use it.
    pub references: u32,
}

/// Signals pending, and (for threads) blocked.
#[derive(Clone, Debug, Default)]
pub struct SignalState {
    /// Pending.
    pub pending: SignalSet,
    /// Blocked.
    pub blocked: SignalSet,
}

/// What delivery did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// No signal is pending that is not blocked.
    Nothing,
    /// A signal was taken and had no effect on the thread's course: ignored, or continued.
    Ignored,
    /// The registers are set up to run a handler; an interrupted call was settled before.
    Handler,
    /// The process stopped.
    Stopped,
    /// The thread is gone.
    Died,
}

/// Whether a signal is pending that the thread does not block.
pub fn has_deliverable(_call: &Call) -> bool {
    false
}

/// Takes one pending signal that is not blocked and lets it take effect. A call that the signal interrupted is still in
/// the thread; [`crate::entry::settle`] decides about it before a handler's frame is built.
pub fn deliver(_call: &mut Call) -> Delivered {
    Delivered::Nothing
}
