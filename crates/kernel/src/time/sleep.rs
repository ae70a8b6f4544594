//! Sleeping for a time or until one: nanosleep(2), clock_nanosleep(2).

use super::clocks::{self, Base, ClockId};
use super::cpu::CpuAlarm;
use super::timespec;
use crate::clock::Instant;
use crate::entry::Call;
use crate::syscalls::operation::{Blocking, Interrupted, Step};
use crate::user::UserPtr;
use crate::wait::{Keys, Wait, WaitKey};
use abi::Error;
use abi::time::Timespec;

/// Until when a sleep lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// A span from the call on, whatever happens to clocks; what is left of it is told if a handler ends it.
    Span(Instant, UserPtr<Timespec>),
    /// A point in time of a base, in its nanoseconds; follows the base when it is set.
    Point(Base, u64),
    /// A processor time of others; what is left of it is told if a handler ends the sleep.
    Processor {
        /// Whose.
        clock: ClockId,
        /// In nanoseconds.
        at_ns: u64,
        /// Where to tell.
        remaining: UserPtr<Timespec>,
    },
}

/// A sleep.
#[derive(Clone, Debug)]
pub struct Sleep {
    /// Its end.
    pub until: Until,
}

impl Blocking for Sleep {
    fn step(&mut self, call: &mut Call) -> Result<Step, Error> {
        let (deadline, keys) = match self.until {
            Until::Span(deadline, _) => (deadline, Keys::None),
            Until::Point(base, time_ns) => {
                let keys = if base == Base::Realtime { WaitKey::ClockSet.into() } else { Keys::None };
                (clocks::instant(call.kernel, base, time_ns), keys)
            }
            Until::Processor { clock, at_ns, .. } => {
                if clocks::read(call.kernel, clock) >= at_ns {
                    return Ok(Step::Done(0));
                }
                call.kernel.cpu_timers.start(clock, at_ns, CpuAlarm::Sleep(call.thread));
                return Ok(Step::Block(Wait::on(WaitKey::CpuTime(call.thread))));
            }
        };
        if deadline <= call.kernel.clock.now() {
            return Ok(Step::Done(0));
        }
        Ok(Step::Block(Wait { keys, deadline: Some(deadline) }))
    }

    fn release(&mut self, call: &mut Call) {
        if let Until::Processor { clock, .. } = self.until {
            call.kernel.cpu_timers.stop(clock, CpuAlarm::Sleep(call.thread));
        }
    }

    fn interrupted(&self) -> Interrupted {
        Interrupted::Never
    }

    fn cut_short(&mut self, call: &mut Call) -> Interrupted {
        let (left, remaining) = match self.until {
            Until::Span(deadline, remaining) => (deadline.since(call.kernel.clock.now()), remaining),
            Until::Point(..) => return self.interrupted(),
            Until::Processor { clock, at_ns, remaining } => {
                (at_ns.saturating_sub(clocks::read(call.kernel, clock)), remaining)
            }
        };
        // A pointer that cannot be written costs the program its answer; the call fails with `EINTR` all the same.
        let _ = call.write_if_given(remaining, &timespec(left));
        self.interrupted()
    }
}
