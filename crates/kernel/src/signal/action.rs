//! Dispositions: what a process does on each signal, sigaction(2).

use super::set::{IGNORED_BY_DEFAULT, SignalSet};
use abi::signal::{SIG_DFL, SIG_IGN, SIGRTMAX, SigAction};

/// What a process does on each signal; shared by `CLONE_SIGHAND`.
#[derive(Clone, Debug)]
pub struct SignalActions {
    actions: Box<[SigAction; SIGRTMAX as usize]>,
    /// Processes that use it.
    pub references: u32,
}

impl Default for SignalActions {
    fn default() -> SignalActions {
        SignalActions { actions: Box::new([SigAction::default(); SIGRTMAX as usize]), references: 1 }
    }
}

impl SignalActions {
    /// The same dispositions for one process alone.
    pub(crate) fn copy(&self) -> SignalActions {
        SignalActions { actions: self.actions.clone(), references: 1 }
    }

    /// The action for a signal (1 to 64).
    #[inline]
    pub fn get(&self, signal: i32) -> SigAction {
        self.actions[signal as usize - 1]
    }

    /// Sets the action for a signal (1 to 64).
    pub(crate) fn set(&mut self, signal: i32, action: SigAction) {
        self.actions[signal as usize - 1] = action;
    }

    /// Whether the signal has no effect: ignored on purpose or by default.
    pub fn ignores(&self, signal: i32) -> bool {
        match self.get(signal).handler {
            SIG_IGN => true,
            SIG_DFL => IGNORED_BY_DEFAULT.contains(signal),
            _ => false,
        }
    }

    /// Signals with a handler.
    pub fn caught(&self) -> SignalSet {
        self.select(|handler| handler != SIG_DFL && handler != SIG_IGN)
    }

    /// Signals ignored on purpose.
    pub fn ignored(&self) -> SignalSet {
        self.select(|handler| handler == SIG_IGN)
    }

    fn select(&self, is_chosen: impl Fn(u64) -> bool) -> SignalSet {
        let mut set = SignalSet::EMPTY;
        for signal in 1..=SIGRTMAX {
            if is_chosen(self.get(signal).handler) {
                set.insert(signal);
            }
        }
        set
    }

    /// What execve(2) leaves: handlers go back to the default, ignored signals stay ignored; flags and masks go.
    pub(crate) fn reset_handlers(&mut self) {
        for action in self.actions.iter_mut() {
            let handler = if action.handler == SIG_IGN { SIG_IGN } else { SIG_DFL };
            *action = SigAction { handler, ..SigAction::default() };
        }
    }
}
