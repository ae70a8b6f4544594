//! FUTEX_WAIT, FUTEX_WAIT_BITSET, FUTEX_WAIT_REQUEUE_PI, futex_wait(2).

use super::key::{Key, Sharing};
use crate::clock::Instant;
use crate::entry::Call;
use crate::syscalls::operation::{Blocking, Interrupted, Step};
use crate::user::UserPtr;
use crate::wait::{Wait, WaitKey};
use abi::{Errno, Error};

/// A sleep on one futex, until it is woken or the time is over.
#[derive(Clone, Debug)]
pub struct FutexWait {
    /// Where, as the caller sees it.
    pub address: u64,
    /// The word's expected value.
    pub expected: u32,
    /// Only wakers with one of these bits count.
    pub bits: u32,
    /// When it gives up.
    pub deadline: Option<Instant>,
    /// How a signal handler ends it.
    pub(super) interrupted: Interrupted,
    /// FUTEX_WAIT_REQUEUE_PI: the futex with an owner to which it may be moved, and nowhere else, and its address.
    pub(super) owned: Option<(Key, u64)>,
    pub(super) sharing: Sharing,
    /// Where it sleeps now: FUTEX_REQUEUE moves it.
    pub(super) key: Option<Key>,
    /// A waker has counted it.
    pub(super) is_woken: bool,
}

impl Blocking for FutexWait {
    fn step(&mut self, call: &mut Call) -> Result<Step, Error> {
        if self.is_woken {
            return Ok(Step::Done(0));
        }
        let is_first = self.key.is_none();
        if !is_first && self.deadline.is_some_and(|deadline| deadline <= call.kernel.clock.now()) {
            return Err(Errno::ETIMEDOUT.because("nobody woke the futex in time"));
        }
        // A signal without a handler ended the sleep, if this is not the first step: Linux then starts the call anew, with
        // the futex it was made for, and looks at the word again.
        let key = Key::of(call, self.address, self.sharing)?;
        if call.read::<u32>(UserPtr::new(self.address))? != self.expected {
            return Err(Errno::EAGAIN.because("the futex has another value than expected"));
        }
        if self.deadline.is_some_and(|deadline| deadline <= call.kernel.clock.now()) {
            return Err(Errno::ETIMEDOUT.because("the time is over already"));
        }
        self.key = Some(key);
        Ok(Step::Block(Wait::on(WaitKey::Futex(key)).with_deadline(self.deadline)))
    }

    fn interrupted(&self) -> Interrupted {
        self.interrupted
    }
}
