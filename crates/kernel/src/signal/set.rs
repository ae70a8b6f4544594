//! Sets of signals, sigsetops(3).

/// Signals 1 to 64, one bit each; the kernel's `sigset_t`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SignalSet(pub u64);

impl SignalSet {
    /// Whether `signal` (1 to 64) is a member.
    pub fn contains(self, signal: i32) -> bool {
        self.0 & SignalSet::bit(signal) != 0
    }
    /// Adds a signal.
    pub fn insert(&mut self, signal: i32) {
        self.0 |= SignalSet::bit(signal);
    }
    /// Removes a signal.
    pub fn remove(&mut self, signal: i32) {
        self.0 &= !SignalSet::bit(signal);
    }
    fn bit(signal: i32) -> u64 {
        assert!((1..=64).contains(&signal), "signals are numbered 1 to 64");
        1 << (signal - 1)
    }
}
