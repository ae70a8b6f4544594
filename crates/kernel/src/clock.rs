//! Virtual time and the timers that wait for it.
//!
//! Time is the number of guest instructions retired, one nanosecond each, plus what sleeping worlds skipped.
//! Nothing of the host's time comes in but the date at which the run starts.

use crate::process::{Process, Thread};
use crate::table::Id;
use std::collections::BTreeMap;

/// A point in virtual time: nanoseconds since the run began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub u64);

impl Instant {
    /// The instant `nanoseconds` later, at most the last one there is.
    pub fn after(self, nanoseconds: u64) -> Instant {
        Instant(self.0.saturating_add(nanoseconds))
    }

    /// Nanoseconds from `earlier` to this; 0 if it is not earlier.
    pub fn since(self, earlier: Instant) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// What a timer does when it expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Alarm {
    /// The deadline of a blocked call: wake the thread.
    Deadline(Id<Thread>),
    /// setitimer(2) `ITIMER_REAL` and alarm(2).
    RealInterval(Id<Process>),
    /// timer_create(2), by its timer id in the process.
    PosixTimer(Id<Process>, i32),
    /// The next period of a thread in `SCHED_DEADLINE`.
    Replenish(Id<Thread>),
    /// A thread in `SCHED_DEADLINE` has used up its budget, and wants to be told.
    Overrun(Id<Thread>),
    /// timerfd_create(2).
    TimerFd(Id<crate::time::timerfd::TimerFd>),
}

/// A pending timer, to cancel it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimerKey(Instant, u64);

/// The clock and all pending timers.
#[derive(Clone, Debug)]
pub struct Clock {
    now: Instant,
    /// Nanoseconds from 1970 to the start of the run, as CLOCK_REALTIME shows it; settimeofday(2) would move it.
    pub real_start_ns: u64,
    /// Nanoseconds from boot to the start of the run, as CLOCK_MONOTONIC and CLOCK_BOOTTIME show it.
    pub boot_offset_ns: u64,
    timers: BTreeMap<TimerKey, Alarm>,
    next: u64,
}

impl Clock {
    /// A clock at the start of a run.
    pub fn new(real_start_ns: u64) -> Clock {
        // A machine that has just booted: programs take monotonic time 0 for "never".
        let boot_offset_ns = 1_000_000_000;
        Clock { now: Instant(0), real_start_ns, boot_offset_ns, timers: BTreeMap::new(), next: 0 }
    }

    /// Now.
    #[inline]
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Now as CLOCK_MONOTONIC shows it, in nanoseconds.
    #[inline]
    pub fn monotonic_ns(&self) -> u64 {
        self.boot_offset_ns.saturating_add(self.now.0)
    }

    /// Now as CLOCK_REALTIME shows it, in nanoseconds since 1970.
    #[inline]
    pub fn realtime_ns(&self) -> u64 {
        self.real_start_ns.saturating_add(self.now.0)
    }

    /// Lets time pass because instructions retired or nobody can run.
    #[inline]
    pub fn advance(&mut self, nanoseconds: u64) {
        self.now = self.now.after(nanoseconds);
    }

    /// Starts a timer.
    pub fn start(&mut self, at: Instant, alarm: Alarm) -> TimerKey {
        let key = TimerKey(at, self.next);
        self.next += 1;
        self.timers.insert(key, alarm);
        key
    }

    /// Stops a timer; one that has expired already is no longer there, and that is fine.
    pub fn cancel(&mut self, key: TimerKey) {
        self.timers.remove(&key);
    }

    /// When the next timer expires.
    #[inline]
    pub fn next_expiry(&self) -> Option<Instant> {
        self.timers.first_key_value().map(|(key, _)| key.0)
    }

    /// Takes the next timer that has expired.
    pub fn take_expired(&mut self) -> Option<Alarm> {
        let entry = self.timers.first_entry()?;
        (entry.key().0 <= self.now).then(|| entry.remove())
    }
}
