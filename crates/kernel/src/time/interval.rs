//! A timer on a clock of real time, with or without repetition: what timerfd and POSIX timers have in common with
//! Linux's `hrtimer`.
//!
//! An expiry is served once; the next one of a repeated timer is only started when somebody has taken notice of the
//! last (a read, a delivered signal), who is told how many expiries were missed meanwhile. So an idle timer does not keep
//! an idle world awake.

use super::clocks::{self, Base};
use super::{nanoseconds, timespec};
use crate::clock::{Alarm, Instant, TimerKey};
use crate::kernel::Kernel;
use abi::Error;
use abi::time::IntervalTimespec;

/// When a timer expires next, and how often after that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interval {
    /// What absolute times are counted on.
    pub base: Base,
    /// The next expiry, or the last one if it has not been followed up; `None`: disarmed.
    pub expiry_ns: Option<u64>,
    /// Between expiries; 0: once.
    pub interval_ns: u64,
    /// The pending alarm.
    key: Option<TimerKey>,
}

/// What a program asks of a timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The first expiry; 0: disarm.
    pub value_ns: u64,
    /// Between expiries; 0: once.
    pub interval_ns: u64,
    /// Whether `value_ns` is a point in time instead of a span from now.
    pub is_absolute: bool,
}

impl Setting {
    /// Reads what timer_settime(2) and timerfd_settime(2) got.
    ///
    /// # Errors
    /// `EINVAL` for negative times or nanoseconds out of range.
    pub fn new(asked: IntervalTimespec, is_absolute: bool) -> Result<Setting, Error> {
        Ok(Setting { value_ns: nanoseconds(asked.value)?, interval_ns: nanoseconds(asked.interval)?, is_absolute })
    }
}

impl Interval {
    /// A disarmed timer.
    pub fn new(base: Base) -> Interval {
        Interval { base, expiry_ns: None, interval_ns: 0, key: None }
    }

    /// Arms or disarms it. A span is counted on the monotonic clock, so that setting CLOCK_REALTIME does not change it.
    /// `base` is that of the timer's clock.
    pub fn set(&mut self, kernel: &mut Kernel, base: Base, setting: Setting, alarm: Alarm) {
        self.stop(kernel);
        self.base = if setting.is_absolute { base } else { Base::Monotonic };
        self.interval_ns = setting.interval_ns;
        self.expiry_ns = match setting.value_ns {
            0 => None,
            value if setting.is_absolute => Some(value),
            value => Some(clocks::now(kernel, self.base).saturating_add(value)),
        };
        self.start(kernel, alarm);
    }

    /// Starts the alarm for the next expiry, if there is one.
    pub fn start(&mut self, kernel: &mut Kernel, alarm: Alarm) {
        assert!(self.key.is_none(), "a timer has one alarm at most");
        if let Some(expiry) = self.expiry_ns {
            let at: Instant = clocks::instant(kernel, self.base, expiry);
            self.key = Some(kernel.clock.start(at, alarm));
        }
    }

    /// Stops the alarm; the setting stays.
    pub fn stop(&mut self, kernel: &mut Kernel) {
        if let Some(key) = self.key.take() {
            kernel.clock.cancel(key);
        }
    }

    /// The alarm went off.
    pub fn rang(&mut self) {
        self.key = None;
    }

    /// Whether an alarm is pending.
    pub fn is_running(&self) -> bool {
        self.key.is_some()
    }

    /// Moves an expiry that has passed behind now, in steps of the interval; how many steps that took.
    /// 0 for a timer that expires once.
    pub fn forward(&mut self, now_ns: u64) -> u64 {
        let Some(expiry) = self.expiry_ns else { return 0 };
        if self.interval_ns == 0 || expiry > now_ns {
            return 0;
        }
        let steps = (now_ns - expiry) / self.interval_ns + 1;
        self.expiry_ns = Some(expiry.saturating_add(steps.saturating_mul(self.interval_ns)));
        steps
    }

    /// What timer_gettime(2) tells: the span to the next expiry, at least 1 ns while it is armed, and the interval.
    /// `is_over`: the last expiry counts as never followed by another unless there is an interval.
    pub fn remaining(&self, kernel: &Kernel) -> IntervalTimespec {
        let now = clocks::now(kernel, self.base);
        let mut seen = self.clone();
        seen.forward(now);
        let value = match seen.expiry_ns {
            None => 0,
            Some(expiry) if expiry > now => expiry - now,
            // Expired and not noticed yet by who serves it.
            Some(_) if self.is_running() => 1,
            Some(_) => 0,
        };
        IntervalTimespec { interval: timespec(self.interval_ns), value: timespec(value) }
    }
}

/// CLOCK_REALTIME was set: timers on points of it expire at other instants now.
pub fn realtime_was_set(kernel: &mut Kernel) {
    super::timerfd::realtime_was_set(kernel);
    super::posix_timer::realtime_was_set(kernel);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_timer_is_moved_behind_now_and_says_by_how_much() {
        let mut timer = Interval { expiry_ns: Some(100), interval_ns: 10, ..Interval::new(Base::Monotonic) };
        assert_eq!(timer.forward(99), 0);
        assert_eq!((timer.forward(100), timer.expiry_ns), (1, Some(110)));
        assert_eq!((timer.forward(135), timer.expiry_ns), (3, Some(140)));
        let mut once = Interval { expiry_ns: Some(100), ..Interval::new(Base::Monotonic) };
        assert_eq!((once.forward(500), once.expiry_ns), (0, Some(100)));
    }
}
