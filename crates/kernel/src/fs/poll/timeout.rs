//! Timeouts of calls that wait for readiness, and what they tell about the time left.

use crate::clock::Instant;
use crate::entry::Call;
use crate::time;
use crate::user::UserPtr;
use abi::time::{Timespec, Timeval};
use abi::{Errno, Error};

/// How long to wait, and where to tell how long was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeout {
    /// The end; `None`: without limit.
    pub deadline: Option<Instant>,
    remaining: Remaining,
}

/// Where the time left goes. "On Linux, select() modifies timeout to reflect the amount of time not slept", select(2);
/// the calls behind pselect(2) and ppoll(2) do so, too, and the C library hides it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Remaining {
    Nowhere,
    Timeval(UserPtr<Timeval>),
    Timespec(UserPtr<Timespec>),
}

impl Timeout {
    /// None.
    pub const NEVER: Timeout = Timeout { deadline: None, remaining: Remaining::Nowhere };

    /// In milliseconds from now; negative: none. poll(2), epoll_wait(2).
    pub fn from_milliseconds(call: &Call, milliseconds: i32) -> Timeout {
        match u64::try_from(milliseconds) {
            Ok(span) => Timeout { deadline: Some(call.kernel.clock.now().after(span * 1_000_000)), ..Timeout::NEVER },
            Err(_) => Timeout::NEVER,
        }
    }

    /// Reads select(2)'s. Microseconds of a million and more are taken for seconds, as Linux does.
    ///
    /// # Errors
    /// `EINVAL` if it is negative, `EFAULT`.
    pub fn from_timeval(call: &mut Call, from: UserPtr<Timeval>) -> Result<Timeout, Error> {
        if from.is_null() {
            return Ok(Timeout::NEVER);
        }
        let time = call.read(from)?;
        if time.seconds < 0 || time.microseconds < 0 {
            return Err(Errno::EINVAL.because("the timeout is negative"));
        }
        let span = (time.seconds as u64)
            .saturating_add(time.microseconds as u64 / 1_000_000)
            .saturating_mul(time::SECOND_NS)
            .saturating_add(time.microseconds as u64 % 1_000_000 * 1000);
        Ok(Timeout::span(call, span, Remaining::Timeval(from)))
    }

    /// Reads that of pselect(2), ppoll(2).
    ///
    /// # Errors
    /// `EINVAL` if it is no valid span, `EFAULT`.
    pub fn from_timespec(call: &mut Call, from: UserPtr<Timespec>) -> Result<Timeout, Error> {
        if from.is_null() {
            return Ok(Timeout::NEVER);
        }
        let time = call.read(from)?;
        let span = time::nanoseconds(time)?;
        Ok(Timeout::span(call, span, Remaining::Timespec(from)))
    }

    /// Reads that of epoll_pwait2(2), which does not tell what is left.
    ///
    /// # Errors
    /// As [`Timeout::from_timespec`].
    pub fn from_constant_timespec(call: &mut Call, from: UserPtr<Timespec>) -> Result<Timeout, Error> {
        Ok(Timeout { remaining: Remaining::Nowhere, ..Timeout::from_timespec(call, from)? })
    }

    fn span(call: &Call, span_ns: u64, remaining: Remaining) -> Timeout {
        // "No update for zero timeout": poll_select_finish() of Linux's fs/select.c.
        let remaining = if span_ns == 0 { Remaining::Nowhere } else { remaining };
        Timeout { deadline: Some(call.kernel.clock.now().after(span_ns)), remaining }
    }

    /// Whether it is over.
    pub fn has_passed(&self, call: &Call) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= call.kernel.clock.now())
    }

    /// Tells the time left. A program that keeps its timeout in memory that cannot be written gets no answer, and no
    /// error, as on Linux.
    pub fn tell_remaining(&self, call: &mut Call) {
        let Some(deadline) = self.deadline else { return };
        let left = deadline.since(call.kernel.clock.now());
        let _ = match self.remaining {
            Remaining::Nowhere => Ok(()),
            Remaining::Timeval(to) => call.write(to, &time::timeval(left)),
            Remaining::Timespec(to) => call.write(to, &time::timespec(left)),
        };
    }
}
