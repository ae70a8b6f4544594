//! Sleeping for a time or until one: nanosleep(2), clock_nanosleep(2).

use super::clocks::{self, Base};
use super::timespec;
use crate::clock::Instant;
use crate::entry::Call;
use crate::syscalls::operation::{Blocking, Interrupted, Step};
use crate::user::UserPtr;
use crate::wait::{Wait, WaitKey};
use abi::Error;
use abi::time::Timespec;

/// Until when a sleep lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// A span from the call on, whatever happens to clocks; what is left of it is told if a handler ends it.
    Span(Instant, UserPtr<Timespec>),
    /// A point in time of a base, in its nanoseconds; follows the base when it is set.
    Point(Base, u64),
}

/// A sleep.
#[derive(Clone, Debug)]
pub struct Sleep {
    /// Its end.
    pub until: Until,
}

impl Sleep {
    fn deadline(&self, call: &Call) -> Instant {
        match self.until {
            Until::Span(deadline, _) => deadline,
            Until::Point(base, nanoseconds) => clocks::instant(call.kernel, base, nanoseconds),
        }
    }
}

impl Blocking for Sleep {
    fn step(&mut self, call: &mut Call) -> Result<Step, Error> {
        let deadline = self.deadline(call);
        if deadline <= call.kernel.clock.now() {
            return Ok(Step::Done(0));
        }
        let wait = Wait::until(deadline);
        Ok(Step::Block(match self.until {
            Until::Point(Base::Realtime, _) => Wait { keys: WaitKey::ClockSet.into(), ..wait },
            _ => wait,
        }))
    }

    fn interrupted(&self) -> Interrupted {
        Interrupted::Never
    }

    fn cut_short(&mut self, call: &mut Call) -> Interrupted {
        if let Until::Span(deadline, remaining) = self.until {
            let left = deadline.since(call.kernel.clock.now());
            // A pointer that cannot be written costs the program its answer; the call fails with `EINTR` all the same.
            let _ = call.write_if_given(remaining, &timespec(left));
        }
        self.interrupted()
    }
}
