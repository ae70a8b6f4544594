//! The system calls futex(2), futex_waitv(2), futex_wait, futex_wake, futex_requeue, set_robust_list(2), get_robust_list(2),
//! set_tid_address(2).

use super::key::{Key, Sharing};
use super::pi::{self, LockPi};
use super::wait::FutexWait;
use super::waitv::{Entry, FutexWaitMany};
use crate::clock::Instant;
use crate::entry::Call;
use crate::kernel::Kernel;
use crate::process::{Thread, ThreadState, permission};
use crate::syscalls::operation::{Flow, Interrupted, Operation, SysResult};
use crate::table::Id;
use crate::time;
use crate::user::UserPtr;
use crate::wait::WaitKey;
use abi::futex::*;
use abi::time::Timespec;
use abi::{Errno, Error};

/// futex(2). `timeout` is a pointer or a second number, as the operation says.
pub fn futex(
    call: &mut Call,
    address: u64,
    operation: i32,
    value: u32,
    timeout: u64,
    address2: u64,
    value3: u32,
) -> SysResult {
    let sharing = if operation & FUTEX_PRIVATE_FLAG != 0 { Sharing::Private } else { Sharing::Shared };
    let is_realtime = operation & FUTEX_CLOCK_REALTIME != 0;
    let command = operation & !(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
    let may_be_realtime = matches!(command, FUTEX_WAIT_BITSET | FUTEX_WAIT_REQUEUE_PI | FUTEX_LOCK_PI2);
    if is_realtime && !may_be_realtime && command != FUTEX_WAIT {
        return Err(Errno::ENOSYS.because("`FUTEX_CLOCK_REALTIME` is not for this operation"));
    }
    match command {
        FUTEX_WAIT => {
            let deadline = deadline(call, timeout, false, is_realtime)?;
            wait(call, address, value, u32::MAX, sharing, deadline)
        }
        FUTEX_WAIT_BITSET => {
            let deadline = deadline(call, timeout, true, is_realtime)?;
            wait(call, address, value, value3, sharing, deadline)
        }
        FUTEX_WAKE => wake(call, address, value, u32::MAX, sharing),
        FUTEX_WAKE_BITSET => wake(call, address, value, value3, sharing),
        FUTEX_REQUEUE => requeue(call, (address, sharing), (address2, sharing), value, timeout as u32, None),
        FUTEX_CMP_REQUEUE => {
            requeue(call, (address, sharing), (address2, sharing), value, timeout as u32, Some(value3))
        }
        FUTEX_WAKE_OP => wake_op(call, address, value, timeout as u32, address2, value3, sharing),
        FUTEX_LOCK_PI | FUTEX_LOCK_PI2 => {
            let is_realtime = command == FUTEX_LOCK_PI || is_realtime;
            let deadline = deadline(call, timeout, true, is_realtime)?;
            Key::of(call, address, sharing)?;
            Ok(LockPi::new(address, sharing, deadline).into())
        }
        FUTEX_TRYLOCK_PI => pi::try_lock(call, address, sharing),
        FUTEX_UNLOCK_PI => pi::unlock(call, address, sharing),
        FUTEX_WAIT_REQUEUE_PI => {
            let deadline = deadline(call, timeout, true, is_realtime)?;
            wait_for_move(call, address, value, address2, sharing, deadline)
        }
        FUTEX_CMP_REQUEUE_PI => {
            if value != 1 || (timeout as i32) < 0 {
                return Err(Errno::EINVAL.because("one sleeper is woken, no more and no less"));
            }
            let (from, to) = (Key::of(call, address, sharing)?, Key::of(call, address2, sharing)?);
            if from == to {
                return Err(Errno::EINVAL.because("both futexes are the same"));
            }
            pi::requeue(call, (address, from), (address2, to), timeout as u32, value3)
        }
        _ => Err(Errno::ENOSYS.because("no such futex operation")),
    }
}

/// When a timeout is over: relative ones count on the monotonic clock.
fn deadline(call: &mut Call, timeout: u64, is_absolute: bool, is_realtime: bool) -> Result<Option<Instant>, Error> {
    if timeout == 0 {
        return Ok(None);
    }
    let time: Timespec = call.read(UserPtr::new(timeout))?;
    let nanoseconds = time::nanoseconds(time)?;
    let clock = &call.kernel.clock;
    let now = clock.now();
    if !is_absolute {
        return Ok(Some(now.after(nanoseconds)));
    }
    let shown = if is_realtime { clock.realtime_ns() } else { clock.monotonic_ns() };
    // A time long past is over now.
    Ok(Some(if nanoseconds <= shown { now } else { now.after(nanoseconds - shown) }))
}

fn wait(
    call: &mut Call,
    address: u64,
    expected: u32,
    bits: u32,
    sharing: Sharing,
    deadline: Option<Instant>,
) -> SysResult {
    if bits == 0 {
        return Err(Errno::EINVAL.because("the bit set is empty"));
    }
    Key::of(call, address, sharing)?;
    // Linux: without a timeout ERESTARTSYS, with one ERESTART_RESTARTBLOCK, which a handler turns into EINTR.
    let interrupted = if deadline.is_some() { Interrupted::Never } else { Interrupted::RestartIfAllowed };
    let (owned, key, is_woken) = (None, None, false);
    Ok(FutexWait { address, expected, bits, deadline, interrupted, owned, sharing, key, is_woken }.into())
}

/// FUTEX_WAIT_REQUEUE_PI: sleeps until it is moved to the second futex and owns that.
fn wait_for_move(
    call: &mut Call,
    address: u64,
    expected: u32,
    address2: u64,
    sharing: Sharing,
    deadline: Option<Instant>,
) -> SysResult {
    let (from, to) = (Key::of(call, address, sharing)?, Key::of(call, address2, sharing)?);
    if from == to {
        return Err(Errno::EINVAL.because("both futexes are the same"));
    }
    // Restarted, it finds another value: futex_wait_requeue_pi().
    let (interrupted, owned) = (Interrupted::RestartAlways, Some((to, address2)));
    let (bits, key, is_woken) = (u32::MAX, None, false);
    Ok(FutexWait { address, expected, bits, deadline, interrupted, owned, sharing, key, is_woken }.into())
}

fn wake(call: &mut Call, address: u64, most: u32, bits: u32, sharing: Sharing) -> SysResult {
    if bits == 0 {
        return Err(Errno::EINVAL.because("the bit set is empty"));
    }
    let key = Key::of(call, address, sharing)?;
    if let Some(first) = call.kernel.waits.first(WaitKey::Futex(key))
        && is_bound_to_own(call.kernel, first)
    {
        return Err(Errno::EINVAL.because("who sleeps there waits for a futex with an owner"));
    }
    // Linux wakes one even if the number is not positive.
    let most = (most as i32).max(1) as u32;
    Ok(Flow::Done(super::wake::wake(call.kernel, key, most, bits)))
}

/// Whether a sleeper will own the futex when it is woken: FUTEX_LOCK_PI, FUTEX_WAIT_REQUEUE_PI.
fn is_bound_to_own(kernel: &Kernel, thread: Id<Thread>) -> bool {
    match &kernel.threads[thread].operation {
        Some(Operation::LockPi(_)) => true,
        Some(Operation::FutexWait(wait)) => wait.owned.is_some(),
        _ => false,
    }
}

/// Lets a sleeper sleep on at another futex.
pub(super) fn move_sleeper(kernel: &mut Kernel, thread: Id<Thread>, to: Key) {
    let ThreadState::Blocked(state) = &mut kernel.threads[thread].state else { return };
    state.keys = WaitKey::Futex(to).into();
    kernel.waits.cancel(thread);
    kernel.waits.enqueue(WaitKey::Futex(to), thread);
}

/// FUTEX_REQUEUE, FUTEX_CMP_REQUEUE: wakes some, and lets others sleep on at a second futex.
fn requeue(
    call: &mut Call,
    (address, sharing): (u64, Sharing),
    (address2, sharing2): (u64, Sharing),
    most_woken: u32,
    most_moved: u32,
    expected: Option<u32>,
) -> SysResult {
    if (most_woken as i32) < 0 || (most_moved as i32) < 0 {
        return Err(Errno::EINVAL.because("a number of sleepers is negative"));
    }
    let from = Key::of(call, address, sharing)?;
    let to = Key::of(call, address2, sharing2)?;
    if let Some(expected) = expected
        && call.read::<u32>(UserPtr::new(address))? != expected
    {
        return Err(Errno::EAGAIN.because("the futex has another value than expected"));
    }
    let woken = super::wake::wake(call.kernel, from, most_woken, u32::MAX);
    let mut moved = 0;
    let sleepers = if from == to { Vec::new() } else { call.kernel.waits.on(WaitKey::Futex(from)) };
    for thread in sleepers {
        if moved == most_moved {
            break;
        }
        if is_bound_to_own(call.kernel, thread) {
            return Err(Errno::EINVAL.because("who sleeps there waits for a futex with an owner"));
        }
        let Some(Operation::FutexWait(wait)) = &mut call.kernel.threads[thread].operation else { continue };
        wait.key = Some(to);
        move_sleeper(call.kernel, thread, to);
        moved += 1;
    }
    // FUTEX_CMP_REQUEUE counts those that were moved, FUTEX_REQUEUE too (Linux; the man page says otherwise).
    Ok(Flow::Done(woken + u64::from(moved)))
}

/// FUTEX_WAKE_OP: changes the second futex, wakes sleepers of the first, and of the second if its old value compares.
fn wake_op(
    call: &mut Call,
    address: u64,
    most: u32,
    most2: u32,
    address2: u64,
    code: u32,
    sharing: Sharing,
) -> SysResult {
    let first = Key::of(call, address, sharing)?;
    let second = Key::of(call, address2, sharing)?;
    let sign_extended = |bits: u32| ((bits << 20) as i32 >> 20) as u32;
    let mut argument = sign_extended(code >> 12 & 0xfff);
    let comparand = sign_extended(code & 0xfff) as i32;
    if code >> 28 & 8 != 0 {
        // FUTEX_OP_ARG_SHIFT
        argument = 1 << (argument & 31);
    }
    let old: u32 = call.read(UserPtr::new(address2))?;
    let new = match code >> 28 & 7 {
        0 => argument,
        1 => old.wrapping_add(argument),
        2 => old | argument,
        3 => old & !argument,
        4 => old ^ argument,
        _ => return Err(Errno::ENOSYS.because("no such operation on the futex")),
    };
    call.write(UserPtr::new(address2), &new)?;
    let old = old as i32;
    let compares = match code >> 24 & 0xf {
        0 => old == comparand,
        1 => old != comparand,
        2 => old < comparand,
        3 => old <= comparand,
        4 => old > comparand,
        5 => old >= comparand,
        _ => return Err(Errno::ENOSYS.because("no such comparison of the futex")),
    };
    let mut woken = super::wake::wake(call.kernel, first, (most as i32).max(1) as u32, u32::MAX);
    if compares {
        woken += super::wake::wake(call.kernel, second, (most2 as i32).max(1) as u32, u32::MAX);
    }
    Ok(Flow::Done(woken))
}

/// futex_waitv(2).
pub fn futex_waitv(
    call: &mut Call,
    waiters: UserPtr<FutexWaiter>,
    count: u32,
    flags: u32,
    timeout: u64,
    clock: i32,
) -> SysResult {
    if flags != 0 {
        return Err(Errno::EINVAL.because("`flags` is not 0"));
    }
    if count == 0 || count > FUTEX_WAITV_MAX || waiters.is_null() {
        return Err(Errno::EINVAL.because("there are no futexes, or more than 128"));
    }
    check_clock(timeout, clock)?;
    let deadline = deadline(call, timeout, true, clock == abi::time::CLOCK_REALTIME)?;
    let mut entries = Vec::with_capacity(count as usize);
    for waiter in call.read_array::<FutexWaiter>(waiters, count as usize)? {
        entries.push(entry(&waiter)?);
    }
    Ok(FutexWaitMany { entries, deadline, keys: Vec::new(), woken: None }.into())
}

/// What a `struct futex_waitv` means.
fn entry(waiter: &FutexWaiter) -> Result<Entry, Error> {
    if waiter._reserved != 0 {
        return Err(Errno::EINVAL.because("`__reserved` is not 0"));
    }
    let sharing = sharing_of(waiter.flags)?;
    Ok(Entry { address: waiter.address, expected: narrow(waiter.value)?, sharing })
}

/// What the flags of a futex2 call mean: 32 bits, private or not.
fn sharing_of(flags: u32) -> Result<Sharing, Error> {
    if flags & !(FUTEX2_PRIVATE | 3) != 0 || flags & 3 != FUTEX2_SIZE_U32 {
        return Err(Errno::EINVAL.because("a futex has unknown flags or is not 32 bits wide"));
    }
    Ok(if flags & FUTEX2_PRIVATE != 0 { Sharing::Private } else { Sharing::Shared })
}

/// A value or bit set for a futex of 32 bits.
fn narrow(value: u64) -> Result<u32, Error> {
    u32::try_from(value).map_err(|_| Errno::EINVAL.because("a value has more than 32 bits"))
}

/// futex_wake, Linux 6.7: FUTEX_WAKE_BITSET, but it wakes nobody if it is asked to.
pub fn futex_wake(call: &mut Call, address: u64, bits: u64, most: i32, flags: u32) -> SysResult {
    let (sharing, bits) = (sharing_of(flags)?, narrow(bits)?);
    if bits != 0 && most == 0 {
        Key::of(call, address, sharing)?;
        return Flow::OK;
    }
    wake(call, address, most as u32, bits, sharing)
}

/// futex_wait, Linux 6.7: FUTEX_WAIT_BITSET with a choice of the clock, and restarted after handlers that permit it.
pub fn futex_wait(
    call: &mut Call,
    address: u64,
    expected: u64,
    bits: u64,
    flags: u32,
    timeout: u64,
    clock: i32,
) -> SysResult {
    let (sharing, expected, bits) = (sharing_of(flags)?, narrow(expected)?, narrow(bits)?);
    check_clock(timeout, clock)?;
    let deadline = deadline(call, timeout, true, clock == abi::time::CLOCK_REALTIME)?;
    if bits == 0 {
        return Err(Errno::EINVAL.because("the bit set is empty"));
    }
    Key::of(call, address, sharing)?;
    let (interrupted, owned, key, is_woken) = (Interrupted::RestartIfAllowed, None, None, false);
    Ok(FutexWait { address, expected, bits, deadline, interrupted, owned, sharing, key, is_woken }.into())
}

/// futex_requeue, Linux 6.7: FUTEX_CMP_REQUEUE between futexes of which each says whether it is private.
pub fn futex_requeue(
    call: &mut Call,
    waiters: UserPtr<FutexWaiter>,
    flags: u32,
    most_woken: i32,
    most_moved: i32,
) -> SysResult {
    if flags != 0 || waiters.is_null() {
        return Err(Errno::EINVAL.because("`flags` is not 0, or there are no futexes"));
    }
    let pair = call.read_array::<FutexWaiter>(waiters, 2)?;
    let (from, to) = (entry(&pair[0])?, entry(&pair[1])?);
    let (first, second) = ((from.address, from.sharing), (to.address, to.sharing));
    requeue(call, first, second, most_woken as u32, most_moved as u32, Some(from.expected))
}

/// A timeout is on one of two clocks.
fn check_clock(timeout: u64, clock: i32) -> Result<(), Error> {
    if timeout != 0 && clock != abi::time::CLOCK_MONOTONIC && clock != abi::time::CLOCK_REALTIME {
        return Err(Errno::EINVAL.because("the clock is neither CLOCK_MONOTONIC nor CLOCK_REALTIME"));
    }
    Ok(())
}

/// set_robust_list(2).
pub fn set_robust_list(call: &mut Call, head: u64, length: u64) -> SysResult {
    if length != 24 {
        return Err(Errno::EINVAL.because("`len` is not the size of `struct robust_list_head`"));
    }
    call.current().robust_list = head;
    Flow::OK
}

/// get_robust_list(2).
pub fn get_robust_list(call: &mut Call, tid: i32, head: UserPtr<u64>, length: UserPtr<u64>) -> SysResult {
    let thread = if tid == 0 { call.thread } else { permission::find_thread(call.kernel, tid)? };
    if thread != call.thread {
        permission::may_look_at(call, thread)?;
    }
    let list = call.kernel.threads[thread].robust_list;
    call.write(length, &24)?;
    call.write(head, &list)?;
    Flow::OK
}

/// set_tid_address(2).
pub fn set_tid_address(call: &mut Call, address: u64) -> SysResult {
    let thread = call.current();
    thread.clear_child_tid = address;
    Ok(Flow::Done(thread.tid as u64))
}
