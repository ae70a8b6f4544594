//! Signals that have been sent and not yet delivered.

use super::SignalSet;
use abi::signal::{SI_USER, SIGRTMIN, SigInfo};
use std::collections::VecDeque;

/// Pending signals with what is known about them: a standard signal once, a real-time signal as often as it was sent.
///
/// # Invariants
/// - every queued entry's signal is in `set`.
#[derive(Clone, Debug, Default)]
pub struct PendingSignals {
    set: SignalSet,
    queue: VecDeque<Queued>,
}

/// An entry of the queue.
#[derive(Clone, Debug)]
pub struct Queued {
    /// What the receiver is told.
    pub info: SigInfo,
    /// The user on whose RLIMIT_SIGPENDING account it is; `None` if it is the timer's that sent it.
    pub payer: Option<u32>,
}

impl PendingSignals {
    /// Which signals are pending.
    pub fn set(&self) -> SignalSet {
        self.set
    }

    /// Whether a signal would be merged with one that is pending already: standard signals are not queued, signal(7).
    pub fn would_merge(&self, signal: i32) -> bool {
        signal < SIGRTMIN && self.set.contains(signal)
    }

    /// Adds a signal with what is known about it.
    pub(crate) fn push(&mut self, queued: Queued) {
        self.set.insert(queued.info.signal);
        self.queue.push_back(queued);
    }

    /// Adds a signal of which nothing more is known, because its sender's queue is full.
    pub(crate) fn mark(&mut self, signal: i32) {
        self.set.insert(signal);
    }

    /// Takes the oldest entry of a pending signal. Without an entry it is told as if kill(2) of nobody had sent it, Linux
    /// `collect_signal`.
    pub(crate) fn take(&mut self, signal: i32) -> (SigInfo, Option<u32>) {
        let Some(index) = self.queue.iter().position(|queued| queued.info.signal == signal) else {
            self.set.remove(signal);
            return (SigInfo::kill(signal, SI_USER, 0, 0), None);
        };
        let queued = self.queue.remove(index).expect("the position was just found");
        if !self.queue.iter().any(|other| other.info.signal == signal) {
            self.set.remove(signal);
        }
        (queued.info, queued.payer)
    }

    /// Drops all pending signals of a set; who paid for them.
    pub(crate) fn flush(&mut self, flushed: SignalSet) -> Vec<u32> {
        if SignalSet(self.set.0 & flushed.0).is_empty() {
            return Vec::new();
        }
        self.set = self.set.without(flushed);
        let mut payers = Vec::new();
        self.queue.retain(|queued| {
            let goes = flushed.contains(queued.info.signal);
            if goes {
                payers.extend(queued.payer);
            }
            !goes
        });
        payers
    }

    /// Drops the queued entries of a signal that are meant; who paid for them.
    pub(crate) fn withdraw(&mut self, signal: i32, is_meant: impl Fn(&SigInfo) -> bool) -> Vec<u32> {
        let mut payers = Vec::new();
        let before = self.queue.len();
        self.queue.retain(|queued| {
            let goes = queued.info.signal == signal && is_meant(&queued.info);
            if goes {
                payers.extend(queued.payer);
            }
            !goes
        });
        if self.queue.len() < before && !self.queue.iter().any(|queued| queued.info.signal == signal) {
            self.set.remove(signal);
        }
        payers
    }

    /// The queue, oldest first.
    pub fn queue(&self) -> impl Iterator<Item = &Queued> {
        self.queue.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queued(signal: i32, value: u64) -> Queued {
        Queued { info: SigInfo::queue(signal, 1, 0, value), payer: Some(0) }
    }

    #[test]
    fn real_time_signals_come_out_as_often_and_in_the_order_they_went_in() {
        let mut pending = PendingSignals::default();
        pending.push(queued(40, 1));
        pending.push(queued(40, 2));
        assert_eq!(pending.take(40).0.value(), 1);
        assert!(pending.set().contains(40));
        assert_eq!(pending.take(40).0.value(), 2);
        assert!(pending.set().is_empty());
    }

    #[test]
    fn a_signal_without_an_entry_is_told_as_sent_by_nobody() {
        let mut pending = PendingSignals::default();
        pending.mark(35);
        assert_eq!(pending.take(35), (SigInfo::kill(35, SI_USER, 0, 0), None));
        assert!(pending.set().is_empty());
    }

    #[test]
    fn flushing_names_who_paid() {
        let mut pending = PendingSignals::default();
        pending.push(queued(18, 0));
        pending.push(queued(20, 0));
        assert_eq!(pending.flush(SignalSet::of(&[18, 19])), vec![0]);
        assert_eq!(pending.set(), SignalSet::of(&[20]));
    }
}
