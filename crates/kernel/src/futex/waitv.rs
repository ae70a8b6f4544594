//! futex_waitv(2): sleeping on several futexes at once.

use super::key::{Key, Sharing};
use crate::clock::Instant;
use crate::entry::Call;
use crate::syscalls::operation::{Blocking, Interrupted, Step};
use crate::user::UserPtr;
use crate::wait::{Wait, WaitKey};
use abi::{Errno, Error};

/// One of the futexes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) address: u64,
    pub(super) expected: u32,
    pub(super) sharing: Sharing,
}

/// A sleep on several futexes, until one is woken.
#[derive(Clone, Debug)]
pub struct FutexWaitMany {
    pub(super) entries: Vec<Entry>,
    pub(super) deadline: Option<Instant>,
    pub(super) keys: Vec<Key>,
    /// Which of them was woken.
    pub(super) woken: Option<usize>,
}

impl FutexWaitMany {
    /// Whether it waits for the key, and no waker has counted it yet.
    pub(super) fn waits_for(&self, key: Key) -> bool {
        self.woken.is_none() && self.keys.contains(&key)
    }

    /// Notes that a waker has counted the sleeper, which [waits](Self::waits_for) for the key.
    pub(super) fn mark(&mut self, key: Key) {
        self.woken = self.keys.iter().position(|own| *own == key);
    }
}

impl Blocking for FutexWaitMany {
    fn step(&mut self, call: &mut Call) -> Result<Step, Error> {
        if let Some(woken) = self.woken {
            return Ok(Step::Done(woken as u64));
        }
        self.keys.clear();
        for entry in &self.entries {
            let key = Key::of(call, entry.address, entry.sharing)?;
            if call.read::<u32>(UserPtr::new(entry.address))? != entry.expected {
                return Err(Errno::EAGAIN.because("a futex has another value than expected"));
            }
            self.keys.push(key);
        }
        if self.deadline.is_some_and(|deadline| deadline <= call.kernel.clock.now()) {
            return Err(Errno::ETIMEDOUT.because("nobody woke any of the futexes in time"));
        }
        let mut keys: Vec<WaitKey> = self.keys.iter().copied().map(WaitKey::Futex).collect();
        keys.dedup();
        Ok(Step::Block(Wait::on_any(keys).with_deadline(self.deadline)))
    }

    fn interrupted(&self) -> Interrupted {
        Interrupted::RestartIfAllowed
    }
}
