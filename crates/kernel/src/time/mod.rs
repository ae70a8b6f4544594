//! Clocks, sleeping and timers.

pub mod itimer;
pub mod posix_timer;
pub mod timerfd;
