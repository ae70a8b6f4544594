//! The clock's discipline, adjtimex(2): it can be looked at; nothing drives it.

use super::{clocks, timeval};
use crate::entry::Call;
use crate::syscalls::operation::{Flow, SysResult};
use crate::user::UserPtr;
use abi::resource::{CAP_SYS_TIME, CAP_WAKE_ALARM};
use abi::time::{CLOCK_REALTIME, Timex};
use abi::{Errno, Error};

/// adjtimex(2) `modes`: the offset is a single adjustment, as adjtime(3) has it.
const ADJ_OFFSET_SINGLESHOT: u32 = 0x8001;
/// adjtimex(2) `modes`: only tell what is left of a single adjustment.
const ADJ_OFFSET_SS_READ: u32 = 0xa001;
/// adjtimex(2) `status`: the clock is not synchronised.
const STA_UNSYNC: i32 = 0x40;
/// adjtimex(2) result: the clock is not synchronised.
const TIME_ERROR: u64 = 5;
/// What Linux's kernel/time/ntp.c starts with.
const UNKNOWN_ERROR_US: i64 = 16_000_000;
/// Frequency tolerance: 500 ppm, scaled by 2^16.
const TOLERANCE: i64 = 500 << 16;

/// The caller may set the clock.
///
/// # Errors
/// `EPERM` without `CAP_SYS_TIME`.
pub fn check_may_set_time(call: &Call) -> Result<(), Error> {
    if call.has_capability(CAP_SYS_TIME) {
        return Ok(());
    }
    Err(Errno::EPERM.because("setting the clock takes `CAP_SYS_TIME`"))
}

/// The caller may use the alarm clocks.
///
/// # Errors
/// `EPERM` without `CAP_WAKE_ALARM`.
pub fn check_may_wake_system(call: &Call) -> Result<(), Error> {
    if call.has_capability(CAP_WAKE_ALARM) {
        return Ok(());
    }
    Err(Errno::EPERM.because("timers of alarm clocks take `CAP_WAKE_ALARM`"))
}

/// adjtimex(2).
pub fn adjtimex(call: &mut Call, state: UserPtr<Timex>) -> SysResult {
    clock_adjtime(call, CLOCK_REALTIME, state)
}

/// clock_adjtime(2).
pub fn clock_adjtime(call: &mut Call, clock: i32, state: UserPtr<Timex>) -> SysResult {
    clocks::find(call, clock)?;
    if clock != CLOCK_REALTIME {
        return Err(Errno::EOPNOTSUPP.because("only CLOCK_REALTIME can be adjusted"));
    }
    let asked = call.read(state)?;
    if asked.modes != 0 && asked.modes != ADJ_OFFSET_SS_READ {
        check_may_set_time(call)?;
        if asked.modes == ADJ_OFFSET_SINGLESHOT && asked.offset == 0 {
            // Cancels an adjustment: there is none.
        } else {
            call.kernel.unsupported("adjusting the clock's rate");
            return Err(Errno::EINVAL.because("belljar's clock needs no adjustment"));
        }
    }
    let now = call.kernel.clock.realtime_ns();
    call.write(
        state,
        &Timex {
            modes: asked.modes,
            maximum_error: UNKNOWN_ERROR_US,
            estimated_error: UNKNOWN_ERROR_US,
            status: STA_UNSYNC,
            constant: 2,
            precision: 1,
            tolerance: TOLERANCE,
            time: timeval(now),
            tick: 10_000,
            ..Timex::default()
        },
    )?;
    Ok(Flow::Done(TIME_ERROR))
}
