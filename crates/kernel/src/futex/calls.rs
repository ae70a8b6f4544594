//! The system calls futex(2), futex_waitv(2), set_robust_list(2), get_robust_list(2), set_tid_address(2).

use super::key::{Key, Sharing};
use super::pi::{self, LockPi};
use super::wait::FutexWait;
use super::waitv::{Entry, FutexWaitMany};
use crate::clock::Instant;
use crate::entry::Call;
use crate::event::Event;
use crate::process::permission;
use crate::syscalls::operation::{Flow, Operation, SysResult};
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
        FUTEX_REQUEUE => requeue(call, address, value, timeout as u32, address2, None, sharing),
        FUTEX_CMP_REQUEUE => requeue(call, address, value, timeout as u32, address2, Some(value3), sharing),
        FUTEX_WAKE_OP => wake_op(call, address, value, timeout as u32, address2, value3, sharing),
        FUTEX_LOCK_PI | FUTEX_LOCK_PI2 => {
            let is_realtime = command == FUTEX_LOCK_PI || is_realtime;
            let deadline = deadline(call, timeout, true, is_realtime)?;
            Key::of(call, address, sharing)?;
            Ok(LockPi::new(address, sharing, deadline).into())
        }
        FUTEX_TRYLOCK_PI => pi::try_lock(call, address, sharing),
        FUTEX_UNLOCK_PI => pi::unlock(call, address, sharing),
        FUTEX_WAIT_REQUEUE_PI | FUTEX_CMP_REQUEUE_PI => {
            call.kernel.emit(Event::Unsupported { number: 202, what: "futex requeued to an owned futex" });
            Err(Errno::ENOSYS.because("requeueing to an owned futex is not there"))
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
    if time.seconds < 0 || !(0..1_000_000_000).contains(&time.nanoseconds) {
        return Err(Errno::EINVAL.because("the timeout is no valid time"));
    }
    let nanoseconds = (time.seconds as u64).saturating_mul(1_000_000_000).saturating_add(time.nanoseconds as u64);
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
    Ok(FutexWait { address, expected, bits, deadline, sharing, key: None, is_woken: false }.into())
}

fn wake(call: &mut Call, address: u64, most: u32, bits: u32, sharing: Sharing) -> SysResult {
    if bits == 0 {
        return Err(Errno::EINVAL.because("the bit set is empty"));
    }
    let key = Key::of(call, address, sharing)?;
    // Linux wakes one even if the number is not positive.
    let most = (most as i32).max(1) as u32;
    Ok(Flow::Done(super::wake::wake(call.kernel, key, most, bits)))
}

/// FUTEX_REQUEUE, FUTEX_CMP_REQUEUE: wakes some, and lets others sleep on at a second futex.
fn requeue(
    call: &mut Call,
    address: u64,
    most_woken: u32,
    most_moved: u32,
    address2: u64,
    expected: Option<u32>,
    sharing: Sharing,
) -> SysResult {
    if (most_woken as i32) < 0 || (most_moved as i32) < 0 {
        return Err(Errno::EINVAL.because("a number of sleepers is negative"));
    }
    let from = Key::of(call, address, sharing)?;
    let to = Key::of(call, address2, sharing)?;
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
        let kernel = &mut *call.kernel;
        let Some(Operation::FutexWait(wait)) = &mut kernel.threads[thread].operation else { continue };
        wait.key = Some(to);
        let crate::process::ThreadState::Blocked(state) = &mut kernel.threads[thread].state else { continue };
        state.keys = WaitKey::Futex(to).into();
        kernel.waits.cancel(thread);
        kernel.waits.enqueue(WaitKey::Futex(to), thread);
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
    if timeout != 0 && clock != abi::time::CLOCK_MONOTONIC && clock != abi::time::CLOCK_REALTIME {
        return Err(Errno::EINVAL.because("the clock is neither CLOCK_MONOTONIC nor CLOCK_REALTIME"));
    }
    let deadline = deadline(call, timeout, true, clock == abi::time::CLOCK_REALTIME)?;
    let mut entries = Vec::with_capacity(count as usize);
    for waiter in call.read_array::<FutexWaiter>(waiters, count as usize)? {
        let is_known = waiter.flags & !(FUTEX2_PRIVATE | 3) == 0 && waiter.flags & 3 == FUTEX2_SIZE_U32;
        if !is_known || waiter._reserved != 0 {
            return Err(Errno::EINVAL.because("a futex has unknown flags or is not 32 bits wide"));
        }
        let Ok(expected) = u32::try_from(waiter.value) else {
            return Err(Errno::EINVAL.because("the expected value has more than 32 bits"));
        };
        let sharing = if waiter.flags & FUTEX2_PRIVATE != 0 { Sharing::Private } else { Sharing::Shared };
        entries.push(Entry { address: waiter.address, expected, sharing });
    }
    Ok(FutexWaitMany { entries, deadline, keys: Vec::new(), woken: None }.into())
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
