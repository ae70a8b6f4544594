//! Futexes with an owner that the kernel knows: FUTEX_LOCK_PI, FUTEX_TRYLOCK_PI, FUTEX_UNLOCK_PI, FUTEX_CMP_REQUEUE_PI.
//!
//! The lock goes to the waiter of the highest real-time priority, among equals to who waits longest. Its owner runs with the
//! priority of the most urgent waiter: `sched::rank` asks [`waiters_for`].

use super::key::{Key, Sharing};
use crate::clock::Instant;
use crate::entry::Call;
use crate::kernel::Kernel;
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
    /// Whether it is counted in `Kernel::pi_waiters`.
    pub(crate) fn is_counted(&self) -> bool {
        self.is_counted
    }

    pub(super) fn new(address: u64, sharing: Sharing, deadline: Option<Instant>) -> LockPi {
        LockPi { address, sharing, deadline, is_owner: false, owner: 0, key: None, is_counted: false }
    }

    /// Takes the lock if it is free; otherwise the word as it is, whose owner lives and is another thread.
    fn take(&self, call: &mut Call, key: Key) -> Result<Option<u32>, Error> {
        let word = UserPtr::<u32>::new(self.address);
        let tid = call.current().tid as u32;
        let value = call.read(word)?;
        let owner = value & FUTEX_TID_MASK;
        if owner == 0 {
            let keep =
                value & FUTEX_OWNER_DIED | if call.kernel.waits.any(WaitKey::Futex(key)) { FUTEX_WAITERS } else { 0 };
            call.write(word, &(tid | keep))?;
            return Ok(None);
        }
        if owner == tid {
            return Err(Errno::EDEADLK.because("the caller has the lock already"));
        }
        if !call.kernel.pids.threads.contains_key(&(owner as i32)) {
            return Err(Errno::ESRCH.because("the futex's owner does not exist"));
        }
        Ok(Some(value))
    }
}

impl Blocking for LockPi {
    fn step(&mut self, call: &mut Call) -> Result<Step, Error> {
        if self.is_owner {
            return Ok(Step::Done(0));
        }
        let key = Key::of(call, self.address, self.sharing)?;
        let Some(value) = self.take(call, key)? else { return Ok(Step::Done(0)) };
        let owner = value & FUTEX_TID_MASK;
        if waits_for(call.kernel, owner, call.kernel.threads[call.thread].tid as u32) {
            return Err(Errno::EDEADLK.because("the lock's owner waits for a lock of the caller's"));
        }
        // Linux sets the bit even for a wait whose time is over already.
        call.write(UserPtr::new(self.address), &(value | FUTEX_WAITERS))?;
        if self.deadline.is_some_and(|deadline| deadline <= call.kernel.clock.now()) {
            return Err(Errno::ETIMEDOUT.because("the lock was not free in time"));
        }
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

/// Whether thread `waiter` waits for a lock of thread `owner`, or for one whose owner does, and so on.
fn waits_for(kernel: &Kernel, waiter: u32, owner: u32) -> bool {
    let mut waiter = waiter;
    // The chain is no ring, for none was let in; the bound is against a guest that writes such words itself.
    for _ in 0..kernel.threads.len() {
        let Some(thread) = kernel.pids.threads.get(&(waiter as i32)) else { return false };
        let Some(Operation::LockPi(lock)) = &kernel.threads[*thread].operation else { return false };
        if lock.is_owner {
            return false;
        }
        if lock.owner == owner {
            return true;
        }
        waiter = lock.owner;
    }
    false
}

/// FUTEX_CMP_REQUEUE_PI: sleepers of FUTEX_WAIT_REQUEUE_PI go on to wait for the second futex; the first gets it, if it is
/// free. `most`: how many are moved besides.
///
/// # Errors
/// `EINVAL` if somebody else sleeps there, or waits to be moved to another futex; `EAGAIN` for another value; `EDEADLK`.
pub(super) fn requeue(
    call: &mut Call,
    (address, from): (u64, Key),
    (address2, to): (u64, Key),
    most: u32,
    expected: u32,
) -> SysResult {
    if call.read::<u32>(UserPtr::new(address))? != expected {
        return Err(Errno::EAGAIN.because("the futex has another value than expected"));
    }
    let mut done = 0;
    for thread in call.kernel.waits.on(WaitKey::Futex(from)) {
        // The first is woken or moved, and then so many.
        if done > u64::from(most) {
            break;
        }
        let Some(Operation::FutexWait(wait)) = &call.kernel.threads[thread].operation else { continue };
        let (owned, sharing, deadline) = (wait.owned, wait.sharing, wait.deadline);
        if owned != Some((to, address2)) {
            return Err(Errno::EINVAL.because("a sleeper does not wait to be moved to this futex"));
        }
        let word = UserPtr::<u32>::new(address2);
        let (tid, value) = (call.kernel.threads[thread].tid as u32, call.read(word)?);
        let owner = value & FUTEX_TID_MASK;
        if owner == tid {
            return Err(Errno::EDEADLK.because("the sleeper has the lock already"));
        }
        let mut lock = LockPi::new(address2, sharing, deadline);
        if owner == 0 {
            let waiters = if call.kernel.waits.any(WaitKey::Futex(to)) { FUTEX_WAITERS } else { 0 };
            call.write(word, &(tid | value & FUTEX_OWNER_DIED | waiters))?;
            lock.is_owner = true;
            call.kernel.threads[thread].operation = Some(lock.into());
            call.kernel.unblock(thread);
        } else {
            call.write(word, &(value | FUTEX_WAITERS))?;
            (lock.owner, lock.key, lock.is_counted) = (owner, Some(to), true);
            call.kernel.pi_waiters += 1;
            call.kernel.threads[thread].operation = Some(lock.into());
            super::calls::move_sleeper(call.kernel, thread, to);
        }
        done += 1;
    }
    Ok(Flow::Done(done))
}

/// FUTEX_TRYLOCK_PI.
pub(super) fn try_lock(call: &mut Call, address: u64, sharing: Sharing) -> SysResult {
    let attempt = LockPi::new(address, sharing, None);
    let key = Key::of(call, address, sharing)?;
    match attempt.take(call, key)? {
        None => Flow::OK,
        Some(_) => Err(Errno::EAGAIN.because("the lock is held")),
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

/// Gives the lock to the next in line, or frees it.
fn pass_on(call: &mut Call, address: u64, key: Key, mark: u32) -> Result<(), Error> {
    let waiting: Vec<Id<Thread>> = call.kernel.waits.on(WaitKey::Futex(key));
    let mut others: Vec<Id<Thread>> = waiting
        .into_iter()
        .filter(|thread| matches!(call.kernel.threads[*thread].operation, Some(Operation::LockPi(_))))
        .collect();
    let priority = |thread: Id<Thread>| call.kernel.threads[thread].policy.priority;
    let Some(highest) = others.iter().map(|thread| priority(*thread)).max() else {
        return call.write(UserPtr::new(address), &mark);
    };
    let first = others.iter().position(|thread| priority(*thread) == highest).expect("somebody has it");
    let next = others.remove(first);
    let tid = call.kernel.threads[next].tid as u32;
    // Linux `wake_futex_pi` sets the bit even if nobody else waits: the new owner unlocks through the kernel.
    call.write(UserPtr::new(address), &(tid | FUTEX_WAITERS | mark))?;
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

/// Who waits for a lock that a thread holds.
pub(crate) fn waiters_for(kernel: &Kernel, owner: Id<Thread>) -> impl Iterator<Item = Id<Thread>> + '_ {
    let tid = kernel.threads[owner].tid as u32;
    kernel.threads.iter().filter_map(move |(id, thread)| match &thread.operation {
        Some(Operation::LockPi(lock)) if lock.owner == tid && !lock.is_owner && id != owner => Some(id),
        _ => None,
    })
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
