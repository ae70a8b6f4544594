//! Calls that wait for signals: pause(2), sigsuspend(2), sigtimedwait(2).

use super::deliver::take;
use super::set::SignalSet;
use crate::clock::Instant;
use crate::entry::Call;
use crate::syscalls::operation::{Blocking, Interrupted, Step};
use crate::user::UserPtr;
use crate::wait::{Wait, WaitKey};
use abi::signal::SigInfo;
use abi::{Errno, Error};

/// rt_sigsuspend(2): sleeps under another mask until a handler has run.
#[derive(Clone, Debug)]
pub struct SignalSuspend;

impl Blocking for SignalSuspend {
    fn step(&mut self, call: &mut Call) -> Result<Step, Error> {
        Ok(Step::Block(Wait::on(WaitKey::Signal(call.thread))))
    }
    fn interrupted(&self) -> Interrupted {
        Interrupted::Never
    }
    fn release(&mut self, call: &mut Call) {
        super::mask::leave(call);
    }
}

/// rt_sigtimedwait(2): takes a signal without running its handler.
#[derive(Clone, Debug)]
pub struct SignalTimedWait {
    /// Which signals.
    pub set: SignalSet,
    /// Where the caller wants to know about it.
    pub info: UserPtr<SigInfo>,
    /// When it gives up.
    pub deadline: Option<Instant>,
}

impl Blocking for SignalTimedWait {
    fn step(&mut self, call: &mut Call) -> Result<Step, Error> {
        if let Some(info) = take(call, self.set) {
            call.current().signals.awaited = SignalSet::EMPTY;
            call.write_if_given(self.info, &info)?;
            return Ok(Step::Done(info.signal as u64));
        }
        if self.deadline.is_some_and(|deadline| deadline <= call.kernel.clock.now()) {
            return Err(Errno::EAGAIN.because("no signal of the set came in time"));
        }
        call.current().signals.awaited = self.set;
        Ok(Step::Block(Wait::on(WaitKey::Signal(call.thread)).with_deadline(self.deadline)))
    }
    fn interrupted(&self) -> Interrupted {
        Interrupted::NeverNorWhenStopped
    }
    fn release(&mut self, call: &mut Call) {
        call.current().signals.awaited = SignalSet::EMPTY;
    }
}
