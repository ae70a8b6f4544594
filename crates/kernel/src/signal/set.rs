//! Sets of signals, sigsetops(3).

/// Signals 1 to 64, one bit each; the kernel's `sigset_t`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SignalSet(pub u64);

impl SignalSet {
    /// No signal.
    pub const EMPTY: SignalSet = SignalSet(0);

    /// The set of these signals.
    pub const fn of(signals: &[i32]) -> SignalSet {
        let mut set = 0;
        let mut index = 0;
        while index < signals.len() {
            set |= 1 << (signals[index] - 1);
            index += 1;
        }
        SignalSet(set)
    }
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
    /// Members of either.
    pub fn union(self, other: SignalSet) -> SignalSet {
        SignalSet(self.0 | other.0)
    }
    /// Members of this that are not in `other`.
    pub fn without(self, other: SignalSet) -> SignalSet {
        SignalSet(self.0 & !other.0)
    }
    /// Whether there is no member.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
    /// The member that is delivered first: faults of the thread's own, then the lowest number, Linux `next_signal`.
    pub fn first(self) -> Option<i32> {
        let synchronous = self.0 & SYNCHRONOUS.0;
        let among = if synchronous != 0 { synchronous } else { self.0 };
        (among != 0).then(|| among.trailing_zeros() as i32 + 1)
    }
    fn bit(signal: i32) -> u64 {
        assert!((1..=64).contains(&signal), "signals are numbered 1 to 64");
        1 << (signal - 1)
    }
}

/// Signals that a thread's own instructions cause.
pub const SYNCHRONOUS: SignalSet = SignalSet::of(&[
    abi::signal::SIGSEGV,
    abi::signal::SIGBUS,
    abi::signal::SIGILL,
    abi::signal::SIGTRAP,
    abi::signal::SIGFPE,
    abi::signal::SIGSYS,
]);
/// Signals that nobody can block, catch or ignore.
pub const UNBLOCKABLE: SignalSet = SignalSet::of(&[abi::signal::SIGKILL, abi::signal::SIGSTOP]);
/// Signals that stop a process by default.
pub const STOPPING: SignalSet =
    SignalSet::of(&[abi::signal::SIGSTOP, abi::signal::SIGTSTP, abi::signal::SIGTTIN, abi::signal::SIGTTOU]);
/// Signals without effect by default. SIGCONT continues when it is sent, not when it is delivered.
pub const IGNORED_BY_DEFAULT: SignalSet =
    SignalSet::of(&[abi::signal::SIGCONT, abi::signal::SIGCHLD, abi::signal::SIGWINCH, abi::signal::SIGURG]);
/// Signals that dump core by default: the status says so.
pub const CORE_DUMPING: SignalSet = SignalSet::of(&[
    abi::signal::SIGQUIT,
    abi::signal::SIGILL,
    abi::signal::SIGTRAP,
    abi::signal::SIGABRT,
    abi::signal::SIGFPE,
    abi::signal::SIGSEGV,
    abi::signal::SIGBUS,
    abi::signal::SIGSYS,
    abi::signal::SIGXCPU,
    abi::signal::SIGXFSZ,
]);
