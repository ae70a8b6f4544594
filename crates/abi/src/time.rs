//! Clocks and timers: clock_gettime(2), setitimer(2), timer_create(2), timerfd_create(2), adjtimex(2).

crate::structure! {
    /// clock_gettime(2), `struct timespec`.
    pub struct Timespec {
        /// Seconds.
        pub seconds: i64,
        /// Nanoseconds, 0 to 999,999,999.
        pub nanoseconds: i64,
    }
}

crate::structure! {
    /// gettimeofday(2), `struct timeval`.
    pub struct Timeval {
        /// Seconds.
        pub seconds: i64,
        /// Microseconds, 0 to 999,999.
        pub microseconds: i64,
    }
}

crate::structure! {
    /// gettimeofday(2), `struct timezone`.
    pub struct Timezone {
        /// Minutes west of Greenwich.
        pub minutes_west: i32,
        /// Type of correction.
        pub dst_time: i32,
    }
}

crate::structure! {
    /// setitimer(2), `struct itimerval`.
    pub struct IntervalTimeval {
        /// Time between expirations; zero: once.
        pub interval: Timeval,
        /// Time until the next; zero: disarmed.
        pub value: Timeval,
    }
}

crate::structure! {
    /// timer_settime(2) and timerfd_settime(2), `struct itimerspec`.
    pub struct IntervalTimespec {
        /// Time between expirations; zero: once.
        pub interval: Timespec,
        /// The next expiration; zero: disarmed.
        pub value: Timespec,
    }
}

crate::structure! {
    /// sigevent(3type), `struct sigevent`, 64 bytes.
    pub struct SignalEvent {
        /// Handed to the receiver: `sigev_value`.
        pub value: u64,
        /// The signal.
        pub signal: i32,
        /// `SIGEV_...`.
        pub notify: i32,
        /// Thread number for `SIGEV_THREAD_ID`; function and attributes of `SIGEV_THREAD` for the C library.
        pub thread: i32,
        /// The rest of the union.
        pub _pad: [u32; 11],
    }
}

crate::structure! {
    /// adjtimex(2), `struct timex`, 208 bytes.
    pub struct Timex {
        /// Mode selector.
        pub modes: u32,
        /// Padding.
        pub _pad0: u32,
        /// Time offset.
        pub offset: i64,
        /// Frequency offset, scaled by 2^-16 ppm.
        pub frequency: i64,
        /// Maximum error in microseconds.
        pub maximum_error: i64,
        /// Estimated error in microseconds.
        pub estimated_error: i64,
        /// Clock command and status.
        pub status: i32,
        /// Padding.
        pub _pad1: u32,
        /// Time constant of the phase-locked loop.
        pub constant: i64,
        /// Clock precision in microseconds.
        pub precision: i64,
        /// Clock frequency tolerance.
        pub tolerance: i64,
        /// Current time.
        pub time: Timeval,
        /// Microseconds between clock ticks.
        pub tick: i64,
        /// Pulse per second: frequency.
        pub pps_frequency: i64,
        /// Pulse per second: jitter.
        pub jitter: i64,
        /// Pulse per second: interval duration.
        pub shift: i32,
        /// Padding.
        pub _pad2: u32,
        /// Pulse per second: stability.
        pub stability: i64,
        /// Pulse per second: jitter limit exceeded.
        pub jitter_count: i64,
        /// Pulse per second: calibration intervals.
        pub calibration_count: i64,
        /// Pulse per second: calibration errors.
        pub error_count: i64,
        /// Pulse per second: stability limit exceeded.
        pub stability_count: i64,
        /// International atomic time minus universal time, seconds.
        pub tai: i32,
        /// Padding.
        pub _pad3: [u32; 11],
    }
}

/// Settable: nanoseconds since 1970.
pub const CLOCK_REALTIME: i32 = 0;
/// Never set: since boot.
pub const CLOCK_MONOTONIC: i32 = 1;
/// CPU time of the process.
pub const CLOCK_PROCESS_CPUTIME_ID: i32 = 2;
/// CPU time of the thread.
pub const CLOCK_THREAD_CPUTIME_ID: i32 = 3;
/// As [`CLOCK_MONOTONIC`], without adjustment of its rate.
pub const CLOCK_MONOTONIC_RAW: i32 = 4;
/// [`CLOCK_REALTIME`] at the last tick.
pub const CLOCK_REALTIME_COARSE: i32 = 5;
/// [`CLOCK_MONOTONIC`] at the last tick.
pub const CLOCK_MONOTONIC_COARSE: i32 = 6;
/// As [`CLOCK_MONOTONIC`], and goes on during suspension.
pub const CLOCK_BOOTTIME: i32 = 7;
/// [`CLOCK_REALTIME`] that wakes the system.
pub const CLOCK_REALTIME_ALARM: i32 = 8;
/// [`CLOCK_BOOTTIME`] that wakes the system.
pub const CLOCK_BOOTTIME_ALARM: i32 = 9;
/// International atomic time.
pub const CLOCK_TAI: i32 = 11;

/// clock_nanosleep(2), timer_settime(2), timerfd_settime(2): the time given is absolute.
pub const TIMER_ABSTIME: i32 = 1;

/// setitimer(2): real time, `SIGALRM`.
pub const ITIMER_REAL: i32 = 0;
/// setitimer(2): CPU time of the process in user mode, `SIGVTALRM`.
pub const ITIMER_VIRTUAL: i32 = 1;
/// setitimer(2): CPU time of the process, `SIGPROF`.
pub const ITIMER_PROF: i32 = 2;

/// sigevent(3type): queue a signal to the process.
pub const SIGEV_SIGNAL: i32 = 0;
/// sigevent(3type): do nothing.
pub const SIGEV_NONE: i32 = 1;
/// sigevent(3type): start a thread; done by the C library.
pub const SIGEV_THREAD: i32 = 2;
/// sigevent(3type): queue a signal to a thread.
pub const SIGEV_THREAD_ID: i32 = 4;

/// timerfd_create(2): `O_NONBLOCK`.
pub const TFD_NONBLOCK: i32 = 0o4000;
/// timerfd_create(2): `O_CLOEXEC`.
pub const TFD_CLOEXEC: i32 = 0o2000000;
/// timerfd_settime(2): the time given is absolute.
pub const TFD_TIMER_ABSTIME: i32 = 1;
/// timerfd_settime(2): a set clock makes reads fail with `ECANCELED`.
pub const TFD_TIMER_CANCEL_ON_SET: i32 = 2;
