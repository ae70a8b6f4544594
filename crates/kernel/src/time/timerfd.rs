//! Timers that are read, timerfd_create(2).

use super::adjust;
use super::clocks::{self, Base};
use super::interval::{Interval, Setting};
use crate::clock::Alarm;
use crate::entry::Call;
use crate::fs::poll::Readiness;
use crate::fs::{Fd, FileObject, Transfer};
use crate::kernel::Kernel;
use crate::syscalls::operation::{Flow, SysResult};
use crate::table::Id;
use crate::user::{UserBuffer, UserPtr};
use crate::wait::WaitKey;
use abi::fcntl::O_RDWR;
use abi::ioctl::TFD_IOC_SET_TICKS;
use abi::poll::POLLIN;
use abi::time::{
    CLOCK_BOOTTIME, CLOCK_BOOTTIME_ALARM, CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_REALTIME_ALARM, IntervalTimespec,
    TFD_CLOEXEC, TFD_NONBLOCK, TFD_TIMER_ABSTIME, TFD_TIMER_CANCEL_ON_SET,
};
use abi::{Errno, Error};

/// A timer with a descriptor.
#[derive(Clone, Debug)]
pub struct TimerFd {
    /// What its clock stands on.
    pub base: Base,
    /// Its setting and alarm.
    pub interval: Interval,
    /// Expirations not yet read, but for those that a repeated timer has missed since it rang.
    pub expirations: u64,
    /// It rang and was not started again: somebody has to read first.
    has_rung: bool,
    /// `TFD_TIMER_CANCEL_ON_SET`: whether it is asked for, and CLOCK_REALTIME was set since.
    cancel: Cancel,
    /// The number of its clock.
    pub clock: i32,
    /// The flags of the last timerfd_settime(2).
    pub flags: i32,
}

/// What a timer does when CLOCK_REALTIME is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cancel {
    /// It follows the clock.
    No,
    /// The next read fails if the clock is set.
    OnSet,
    /// The next read fails.
    WasSet,
}

/// The timer has expired.
pub fn expired(kernel: &mut Kernel, id: Id<TimerFd>) {
    let Some(timer) = kernel.timer_fds.get_mut(id) else { return };
    timer.interval.rang();
    timer.has_rung = true;
    timer.expirations += 1;
    kernel.wake(WaitKey::TimerFd(id));
}

/// timerfd_create(2).
pub fn timerfd_create(call: &mut Call, clock: i32, flags: i32) -> SysResult {
    if flags & !(TFD_CLOEXEC | TFD_NONBLOCK) != 0 {
        return Err(Errno::EINVAL.because("`flags` has unknown bits"));
    }
    let base = match clock {
        CLOCK_MONOTONIC | CLOCK_BOOTTIME => Base::Monotonic,
        CLOCK_REALTIME => Base::Realtime,
        CLOCK_REALTIME_ALARM | CLOCK_BOOTTIME_ALARM => {
            adjust::check_may_wake_system(call)?;
            if clock == CLOCK_REALTIME_ALARM { Base::Realtime } else { Base::Monotonic }
        }
        _ => return Err(Errno::EINVAL.because("timers with descriptors have no such clock")),
    };
    let timer = TimerFd {
        base,
        interval: Interval::new(base),
        expirations: 0,
        has_rung: false,
        cancel: Cancel::No,
        clock,
        flags: 0,
    };
    let id = call.kernel.timer_fds.insert(timer);
    let fd = call.open_object(FileObject::TimerFd(id), O_RDWR | flags as u32)?;
    Ok(Flow::Done(fd.0 as u64))
}

/// timerfd_settime(2).
pub fn timerfd_settime(
    call: &mut Call,
    fd: Fd,
    flags: i32,
    new: UserPtr<IntervalTimespec>,
    old: UserPtr<IntervalTimespec>,
) -> SysResult {
    let asked = call.read(new)?;
    if flags & !(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET) != 0 {
        return Err(Errno::EINVAL.because("`flags` has unknown bits"));
    }
    let setting = Setting::new(asked, flags & TFD_TIMER_ABSTIME != 0)?;
    let id = find(call, fd)?;
    let before = settle_and_tell(call.kernel, id);
    let timer = &mut call.kernel.timer_fds[id];
    timer.expirations = 0;
    timer.has_rung = false;
    timer.flags = flags;
    let follows = flags & TFD_TIMER_ABSTIME != 0 && timer.base == Base::Realtime;
    timer.cancel = if follows && flags & TFD_TIMER_CANCEL_ON_SET != 0 { Cancel::OnSet } else { Cancel::No };
    let base = timer.base;
    let mut interval = timer.interval.clone();
    interval.set(call.kernel, base, setting, Alarm::TimerFd(id));
    call.kernel.timer_fds[id].interval = interval;
    call.write_if_given(old, &before)?;
    Flow::OK
}

/// timerfd_gettime(2).
pub fn timerfd_gettime(call: &mut Call, fd: Fd, to: UserPtr<IntervalTimespec>) -> SysResult {
    let id = find(call, fd)?;
    let now = settle_and_tell(call.kernel, id);
    call.write(to, &now)?;
    Flow::OK
}

fn find(call: &mut Call, fd: Fd) -> Result<Id<TimerFd>, Error> {
    let file = call.usable_file(fd)?;
    match call.kernel.files[file].object {
        FileObject::TimerFd(id) => Ok(id),
        _ => Err(Errno::EINVAL.because("`fd` is not a timer")),
    }
}

/// Counts what a repeated timer has missed since it rang and starts it again; what is left until it rings.
fn settle_and_tell(kernel: &mut Kernel, id: Id<TimerFd>) -> IntervalTimespec {
    let missed = restart(kernel, id);
    let timer = &mut kernel.timer_fds[id];
    timer.expirations += missed;
    let timer = &kernel.timer_fds[id];
    let mut told = timer.interval.remaining(kernel);
    if timer.has_rung && !timer.interval.is_running() {
        told.value = Default::default();
    }
    told
}

/// Starts a repeated timer that has rung again, behind now; how many expiries it missed.
fn restart(kernel: &mut Kernel, id: Id<TimerFd>) -> u64 {
    let timer = &kernel.timer_fds[id];
    if !timer.has_rung || timer.interval.interval_ns == 0 {
        return 0;
    }
    let mut interval = timer.interval.clone();
    let missed = interval.forward(clocks::now(kernel, interval.base)).saturating_sub(1);
    interval.start(kernel, Alarm::TimerFd(id));
    let timer = &mut kernel.timer_fds[id];
    timer.interval = interval;
    timer.has_rung = false;
    missed
}

/// Reads the number of expirations since the last read, or since the timer was set.
///
/// # Errors
/// `EINVAL` if there is room for less than 8 bytes; `ECANCELED` once after CLOCK_REALTIME was set under a timer that asked
/// for it; `EFAULT`, with the expirations kept.
pub fn read(call: &mut Call, id: Id<TimerFd>, to: &mut UserBuffer) -> Result<Transfer, Error> {
    if to.remaining() < 8 {
        return Err(Errno::EINVAL.because("a timer is read in 8 bytes"));
    }
    if call.kernel.timer_fds[id].cancel == Cancel::WasSet {
        call.kernel.timer_fds[id].cancel = Cancel::OnSet;
        return Err(Errno::ECANCELED.because("CLOCK_REALTIME was set"));
    }
    if call.kernel.timer_fds[id].expirations == 0 {
        return Ok(Transfer::WouldBlock(WaitKey::TimerFd(id).into()));
    }
    let missed = restart(call.kernel, id);
    let timer = &mut call.kernel.timer_fds[id];
    timer.expirations += missed;
    timer.has_rung = false;
    let expirations = timer.expirations;
    call.scatter(to, &expirations.to_le_bytes())?;
    to.advance(8);
    call.kernel.timer_fds[id].expirations = 0;
    Ok(Transfer::Done(8))
}

/// ioctl(2): `TFD_IOC_SET_TICKS` says how often it has expired.
///
/// # Errors
/// `ENOTTY` for other requests, `EINVAL` for 0, `ECANCELED` if CLOCK_REALTIME was set under a timer that asked for it.
pub fn control(call: &mut Call, id: Id<TimerFd>, request: u32, argument: u64) -> SysResult {
    if request != TFD_IOC_SET_TICKS {
        return Err(Errno::ENOTTY.because("a timer does not know this request"));
    }
    let ticks: u64 = call.read(UserPtr::new(argument))?;
    if ticks == 0 {
        return Err(Errno::EINVAL.because("a timer that has expired has done so more than 0 times"));
    }
    let timer = &mut call.kernel.timer_fds[id];
    if timer.cancel == Cancel::WasSet {
        return Err(Errno::ECANCELED.because("CLOCK_REALTIME was set"));
    }
    timer.expirations = ticks;
    call.kernel.wake(WaitKey::TimerFd(id));
    Flow::OK
}

/// Readable after an expiration.
pub fn poll(kernel: &Kernel, id: Id<TimerFd>) -> Readiness {
    let timer = &kernel.timer_fds[id];
    let ready = timer.expirations > 0 || timer.cancel == Cancel::WasSet;
    Readiness::new(if ready { POLLIN } else { 0 }, WaitKey::TimerFd(id))
}

/// The last description is gone.
pub fn close(kernel: &mut Kernel, id: Id<TimerFd>) {
    let mut timer = kernel.timer_fds.remove(id);
    timer.interval.stop(kernel);
}

/// CLOCK_REALTIME was set: moves the alarms of absolute timers, and tells those that asked.
pub fn realtime_was_set(kernel: &mut Kernel) {
    let timers: Vec<Id<TimerFd>> = kernel.timer_fds.ids().collect();
    for id in timers {
        let timer = &mut kernel.timer_fds[id];
        if timer.cancel == Cancel::OnSet {
            timer.cancel = Cancel::WasSet;
            kernel.wake(WaitKey::TimerFd(id));
        }
        let timer = &kernel.timer_fds[id];
        if timer.interval.base == Base::Realtime && timer.interval.is_running() {
            let mut interval = timer.interval.clone();
            interval.stop(kernel);
            interval.start(kernel, Alarm::TimerFd(id));
            kernel.timer_fds[id].interval = interval;
        }
    }
}
