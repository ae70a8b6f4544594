//! Clocks, sleeping and timers, time(7).
//!
//! All of it stands on [`crate::clock`]: virtual time, which advances with the instructions retired and jumps when
//! everybody sleeps. [`clocks`] shows it under Linux's clock numbers; [`sleep`] waits for it; [`itimer`], [`posix_timer`]
//! and [`timerfd`] are the timers of processes.

pub mod adjust;
pub mod calls;
pub mod clocks;
pub mod cpu;
pub mod interval;
pub mod itimer;
pub mod posix_timer;
pub mod sleep;
pub mod timerfd;

use abi::time::{Timespec, Timeval};
use abi::{Errno, Error};

use crate::clock::Instant;
use crate::entry::Call;
use crate::kernel::Kernel;
use crate::process::Process;
use crate::table::Id;
use crate::user::UserPtr;
use abi::signal::{SI_TIMER, SIGALRM, SigInfo};

/// A signal was taken off a process's queue: if a timer has sent it, the timer goes on, and the signal tells what was
/// missed.
pub(crate) fn signal_taken(kernel: &mut Kernel, process: Id<Process>, info: &mut SigInfo) {
    if info.code == SI_TIMER {
        posix_timer::signal_taken(kernel, process, info);
    } else if info.signal == SIGALRM {
        itimer::signal_taken(kernel, process);
    }
}

/// Nanoseconds in a second.
pub const SECOND_NS: u64 = 1_000_000_000;

/// A span or point of time in nanoseconds; what does not fit in 64 bits is as good as never.
///
/// # Errors
/// `EINVAL` for negative seconds, or nanoseconds outside 0 to 999,999,999.
pub fn nanoseconds(time: Timespec) -> Result<u64, Error> {
    if time.seconds < 0 {
        return Err(Errno::EINVAL.because("`tv_sec` is negative"));
    }
    if !(0..SECOND_NS as i64).contains(&time.nanoseconds) {
        return Err(Errno::EINVAL.because("`tv_nsec` is not within 0 and 999,999,999"));
    }
    Ok((time.seconds as u64).saturating_mul(SECOND_NS).saturating_add(time.nanoseconds as u64))
}

/// A span or point of time in nanoseconds; what does not fit in 64 bits is as good as never.
///
/// # Errors
/// `EINVAL` for negative seconds, or microseconds outside 0 to 999,999.
pub fn nanoseconds_of_timeval(time: Timeval) -> Result<u64, Error> {
    if time.seconds < 0 {
        return Err(Errno::EINVAL.because("`tv_sec` is negative"));
    }
    if !(0..1_000_000).contains(&time.microseconds) {
        return Err(Errno::EINVAL.because("`tv_usec` is not within 0 and 999,999"));
    }
    Ok((time.seconds as u64).saturating_mul(SECOND_NS).saturating_add(time.microseconds as u64 * 1000))
}

/// When a span that a program may have given is over; `None`: it gave none.
///
/// # Errors
/// `EFAULT`, and those of [`nanoseconds`].
pub fn deadline_after(call: &mut Call, span: UserPtr<Timespec>) -> Result<Option<Instant>, Error> {
    let Some(span) = span.given() else { return Ok(None) };
    let span = nanoseconds(call.read(span)?)?;
    Ok(Some(call.kernel.clock.now().after(span)))
}

/// Nanoseconds as C has them.
pub fn timespec(nanoseconds: u64) -> Timespec {
    Timespec { seconds: (nanoseconds / SECOND_NS) as i64, nanoseconds: (nanoseconds % SECOND_NS) as i64 }
}

/// Nanoseconds as C has them, rounded down to microseconds.
pub fn timeval(nanoseconds: u64) -> Timeval {
    Timeval { seconds: (nanoseconds / SECOND_NS) as i64, microseconds: (nanoseconds % SECOND_NS / 1000) as i64 }
}
