//! Timers that are read, timerfd_create(2).

use crate::Kernel;
use crate::table::Id;

/// A timer with a descriptor.
#[derive(Clone, Debug)]
pub struct TimerFd {
    /// Expirations not yet read.
    pub expirations: u64,
}

/// The timer has expired.
pub fn expired(_kernel: &mut Kernel, _timer: Id<TimerFd>) {}
