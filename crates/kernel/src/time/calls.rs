//! Calls on clocks: clock_gettime(2) and its relatives, sleeps.

use super::clocks::{self, Base, ClockId};
use super::sleep::{Sleep, Until};
use super::{adjust, nanoseconds, nanoseconds_of_timeval, timespec, timeval};
use crate::entry::Call;
use crate::syscalls::operation::{Flow, SysResult};
use crate::user::UserPtr;
use crate::wait::WaitKey;
use abi::time::{CLOCK_MONOTONIC, CLOCK_THREAD_CPUTIME_ID, TIMER_ABSTIME, Timespec, Timeval, Timezone};
use abi::{Errno, Error};

/// clock_gettime(2).
pub fn clock_gettime(call: &mut Call, clock: i32, to: UserPtr<Timespec>) -> SysResult {
    let clock = clocks::find_shown(call, clock)?;
    let shown = clocks::read(call.kernel, clock);
    call.write(to, &timespec(shown))?;
    Flow::OK
}

/// clock_getres(2).
pub fn clock_getres(call: &mut Call, clock: i32, to: UserPtr<Timespec>) -> SysResult {
    let clock = clocks::find_shown(call, clock)?;
    call.write_if_given(to, &timespec(clocks::resolution(clock)))?;
    Flow::OK
}

/// clock_settime(2).
pub fn clock_settime(call: &mut Call, clock: i32, from: UserPtr<Timespec>) -> SysResult {
    match clocks::find(call, clock)? {
        ClockId::Fine(Base::Realtime) if clock == abi::time::CLOCK_REALTIME => {}
        ClockId::Process(_) | ClockId::Thread(_) => {
            return Err(Errno::EPERM.because("clocks of processor time cannot be set"));
        }
        _ => return Err(Errno::EINVAL.because("only CLOCK_REALTIME can be set")),
    }
    let time = call.read(from)?;
    let time = nanoseconds(time)?;
    set_realtime(call, time)?;
    Flow::OK
}

/// Moves the guest's CLOCK_REALTIME, which may not come before CLOCK_MONOTONIC: do_settimeofday64() of Linux's
/// kernel/time/timekeeping.c.
fn set_realtime(call: &mut Call, time_ns: u64) -> Result<(), Error> {
    adjust::check_may_set_time(call)?;
    let clock = &mut call.kernel.clock;
    if time_ns < clock.monotonic_ns() || time_ns > i64::MAX as u64 {
        return Err(Errno::EINVAL.because("the time is before the machine's start, or after the year 2262"));
    }
    clock.real_start_ns = time_ns - clock.now().0;
    super::interval::realtime_was_set(call.kernel);
    call.kernel.wake(WaitKey::ClockSet);
    Ok(())
}

/// gettimeofday(2).
pub fn gettimeofday(call: &mut Call, to: UserPtr<Timeval>, zone: UserPtr<Timezone>) -> SysResult {
    let now = call.kernel.clock.realtime_ns();
    call.write_if_given(to, &timeval(now))?;
    call.write_if_given(zone, &Timezone::default())?;
    Flow::OK
}

/// settimeofday(2). The time zone is checked and forgotten.
pub fn settimeofday(call: &mut Call, from: UserPtr<Timeval>, zone: UserPtr<Timezone>) -> SysResult {
    let time = match from.given() {
        Some(from) => {
            let time = call.read(from)?;
            Some(nanoseconds_of_timeval(time)?)
        }
        None => None,
    };
    let zone = match zone.given() {
        Some(zone) => Some(call.read(zone)?),
        None => None,
    };
    adjust::check_may_set_time(call)?;
    if zone.is_some_and(|zone| !(-15 * 60..=15 * 60).contains(&zone.minutes_west)) {
        return Err(Errno::EINVAL.because("`tz_minuteswest` is more than 15 hours"));
    }
    if let Some(time) = time {
        set_realtime(call, time)?;
    }
    Flow::OK
}

/// time(2).
pub fn time(call: &mut Call, to: UserPtr<i64>) -> SysResult {
    let seconds = call.kernel.clock.realtime_ns() / super::SECOND_NS;
    call.write_if_given(to, &(seconds as i64))?;
    Ok(Flow::Done(seconds))
}

/// nanosleep(2).
pub fn nanosleep(call: &mut Call, request: UserPtr<Timespec>, remaining: UserPtr<Timespec>) -> SysResult {
    clock_nanosleep(call, CLOCK_MONOTONIC, 0, request, remaining)
}

/// clock_nanosleep(2).
pub fn clock_nanosleep(
    call: &mut Call,
    clock: i32,
    flags: i32,
    request: UserPtr<Timespec>,
    remaining: UserPtr<Timespec>,
) -> SysResult {
    let base = match clocks::find(call, clock)? {
        _ if clock == abi::time::CLOCK_MONOTONIC_RAW => {
            return Err(Errno::EOPNOTSUPP.because("CLOCK_MONOTONIC_RAW has no timers"));
        }
        ClockId::Fine(base) => base,
        ClockId::Alarm(_) => return Err(Errno::EOPNOTSUPP.because("the machine has no clock that could wake it")),
        ClockId::Coarse(_) => return Err(Errno::EOPNOTSUPP.because("coarse clocks have no timers")),
        ClockId::Thread(thread) if thread == call.thread => {
            return Err(match clock {
                CLOCK_THREAD_CPUTIME_ID => Errno::EOPNOTSUPP.because("CLOCK_THREAD_CPUTIME_ID has no sleep"),
                _ => Errno::EINVAL.because("a sleeping thread's own processor time does not pass"),
            });
        }
        clock @ (ClockId::Process(_) | ClockId::Thread(_)) => {
            let time = call.read(request)?;
            let time = nanoseconds(time)?;
            let now = clocks::read(call.kernel, clock);
            let is_absolute = flags & TIMER_ABSTIME != 0;
            let at_ns = if is_absolute { time } else { now.saturating_add(time) };
            let remaining = if is_absolute { UserPtr::new(0) } else { remaining };
            return Ok(Sleep { until: Until::Processor { clock, at_ns, remaining } }.into());
        }
    };
    let time = call.read(request)?;
    let time = nanoseconds(time)?;
    let now = call.kernel.clock.now();
    let until =
        if flags & TIMER_ABSTIME != 0 { Until::Point(base, time) } else { Until::Span(now.after(time), remaining) };
    if until == Until::Span(now, remaining) {
        // sleep(0) lets others run: the shortest sleep on Linux ends at the next timer interrupt.
        call.kernel.scheduler.yield_now();
    }
    Ok(Sleep { until }.into())
}
