//! Futexes with an owner that the kernel knows: FUTEX_LOCK_PI, FUTEX_TRYLOCK_PI, FUTEX_UNLOCK_PI.
//!
//! The lock goes to who waits longest. Priorities are not lent: threads share the processor in turns, so an owner always
//! comes to run.

use super::key::{Key, Sharing};
use crate::clock::Instant;
use crate::entry::Call;
use crate::process::Thread;
use crate::syscalls::operation::{Blocking, Flow, Interrupted, Operation, Step, SysResult};
use crate::table::Id;
use crate::user::UserPtr;
use crate::wait::{Wait, WaitKey};
use abi::futex::{FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS};
use abi::{Errno, Error};

/// Waiting for the lock.
#[derive(Clone, Debug)]
pub struct LockPi {
    /// Where, as the caller sees it.
    pub address: u64,
    pub(super) sharing: Sharing,
    /// When it gives up.
    pub deadline: Option<Instant>,
    /// The owner has handed it over.
    pub(super) is_owner: bool,
    pub(super) owner: u32,
    pub(super) key: Option<Key>,
    /// It is counted in `Kernel::pi_waiters`.
    pub(super) is_counted: bool,
}

impl LockPi {
    pub(super) fn new(address: u64, sharing: Sharing, deadline: Option<Instant>) -> LockPi {
        LockPi { address, sharing, deadline, is_owner: false, owner: 0, key: None, is_counted: false }
    }
}

impl Blocking for LockPi {
    fn step(&mut self, call: &mut Call) -> Result<Step, Error> {
        if self.is_owner {
            return Ok(Step::Done(0));
        }
        let word = UserPtr::<u32>::new(self.address);
        let key = Key::of(call, self.address, self.sharing)?;
        let tid = call.current().tid as u32;
        let value = call.read(word)?;
        let owner = value & FUTEX_TID_MASK;
        if owner == 0 {
            let keep =
                value & FUTEX_OWNER_DIED | if call.kernel.waits.any(WaitKey::Futex(key)) { FUTEX_WAITERS } else { 0 };
            call.write(word, &(tid | keep))?;
            return Ok(Step::Done(0));
        }
        if owner == tid {
            return Err(Errno::EDEADLK.because("the caller has the lock already"));
        }
        if !call.kernel.pids.threads.contains_key(&(owner as i32)) {
            return Err(Errno::ESRCH.because("the futex's owner does not exist"));
        }
        if self.deadline.is_some_and(|deadline| deadline <= call.kernel.clock.now()) {
            return Err(Errno::ETIMEDOUT.because("the lock was not free in time"));
        }
        call.write(word, &(value | FUTEX_WAITERS))?;
        self.owner = owner;
        self.key = Some(key);
        if !std::mem::replace(&mut self.is_counted, true) {
            call.kernel.pi_waiters += 1;
        }
        Ok(Step::Block(Wait::on(WaitKey::Futex(key)).with_deadline(self.deadline)))
    }

    fn interrupted(&self) -> Interrupted {
        // Linux: ERESTARTNOINTR.
        Interrupted::RestartAlways
    }

    fn release(&mut self, call: &mut Call) {
        if std::mem::take(&mut self.is_counted) {
            call.kernel.pi_waiters -= 1;
        }
    }
}

/// FUTEX_TRYLOCK_PI.
pub(super) fn try_lock(call: &mut Call, address: u64, sharing: Sharing) -> SysResult {
    let mut attempt = LockPi::new(address, sharing, None);
    let word = UserPtr::<u32>::new(address);
    let before = call.read(word)?;
    match attempt.step(call)? {
        Step::Done(value) => Ok(Flow::Done(value)),
        Step::Then(_) | Step::Block(_) => {
            attempt.release(call);
            call.write(word, &before)?;
            Err(Errno::EAGAIN.because("the lock is held"))
        }
    }
}

/// FUTEX_UNLOCK_PI.
pub(super) fn unlock(call: &mut Call, address: u64, sharing: Sharing) -> SysResult {
    let value = call.read::<u32>(UserPtr::new(address))?;
    if value & FUTEX_TID_MASK != call.current().tid as u32 {
        return Err(Errno::EPERM.because("the caller does not hold the lock"));
    }
    let key = Key::of(call, address, sharing)?;
    pass_on(call, address, key, 0)?;
    Flow::OK
}

/// Gives the lock to who waits longest, or frees it.
fn pass_on(call: &mut Call, address: u64, key: Key, mark: u32) -> Result<(), Error> {
    let waiting: Vec<Id<Thread>> = call.kernel.waits.on(WaitKey::Futex(key));
    let mut waiters = waiting
        .into_iter()
        .filter(|thread| matches!(call.kernel.threads[*thread].operation, Some(Operation::LockPi(_))));
    let next = waiters.next();
    let others: Vec<Id<Thread>> = waiters.collect();
    let Some(next) = next else { return call.write(UserPtr::new(address), &mark) };
    let tid = call.kernel.threads[next].tid as u32;
    let rest = if others.is_empty() { 0 } else { FUTEX_WAITERS };
    call.write(UserPtr::new(address), &(tid | rest | mark))?;
    for other in others {
        if let Some(Operation::LockPi(lock)) = &mut call.kernel.threads[other].operation {
            lock.owner = tid;
        }
    }
    if let Some(Operation::LockPi(lock)) = &mut call.kernel.threads[next].operation {
        lock.is_owner = true;
    }
    call.kernel.unblock(next);
    Ok(())
}

/// A robust lock's owner ends: the next in line gets it, marked.
pub(super) fn hand_over(call: &mut Call, address: u64) -> Result<(), Error> {
    let key = Key::of(call, address, Sharing::Shared)?;
    pass_on(call, address, key, FUTEX_OWNER_DIED)?;
    let private = Key::of(call, address, Sharing::Private)?;
    if private != key && call.kernel.waits.any(WaitKey::Futex(private)) {
        pass_on(call, address, private, FUTEX_OWNER_DIED)?;
    }
    Ok(())
}

/// The calling thread ends: locks that others wait for go to them, Linux `exit_pi_state_list`.
pub(super) fn leave(call: &mut Call) {
    let tid = call.current().tid as u32;
    if call.kernel.pi_waiters == 0 {
        return;
    }
    let waiting: Vec<(Id<Thread>, Key, u64)> = call
        .kernel
        .threads
        .iter()
        .filter_map(|(id, thread)| match &thread.operation {
            Some(Operation::LockPi(lock)) if lock.owner == tid && !lock.is_owner => {
                lock.key.map(|key| (id, key, lock.address))
            }
            _ => None,
        })
        .collect();
    for (waiter, key, address) in waiting {
        let mut other = call.as_thread(waiter);
        let still_owned = other.read::<u32>(UserPtr::new(address)).is_ok_and(|value| value & FUTEX_TID_MASK == tid);
        if still_owned {
            let _ = pass_on(&mut other, address, key, FUTEX_OWNER_DIED);
        }
    }
}
