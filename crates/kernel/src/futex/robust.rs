//! Robust futexes: what a thread leaves locked when it ends is marked and handed on, set_robust_list(2). Linux
//! `exit_robust_list`.

use super::key::{Key, Sharing};
use super::{pi, wake};
use crate::entry::Call;
use crate::user::UserPtr;
use abi::futex::{FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS, ROBUST_LIST_LIMIT, RobustListHead};

/// Lets go of all futexes that the calling thread holds, because it ends or runs another program.
pub(crate) fn leave(call: &mut Call) {
    let head = std::mem::take(&mut call.current().robust_list);
    if head != 0 {
        walk(call, head);
    }
    pi::leave(call);
}

fn walk(call: &mut Call, head: u64) {
    let Ok(list) = call.read::<RobustListHead>(UserPtr::new(head)) else { return };
    let futex = |entry: u64| (entry & !1).wrapping_add_signed(list.futex_offset);
    let mut entry = list.next;
    // The list may be damaged, or a ring.
    for _ in 0..ROBUST_LIST_LIMIT {
        if entry & !1 == head {
            break;
        }
        let next = call.read::<u64>(UserPtr::new(entry & !1));
        // The entry that was being added or removed is looked at once, after the others.
        if entry & !1 != list.pending & !1 && bury(call, futex(entry), entry & 1 != 0, false).is_err() {
            return;
        }
        match next {
            Ok(next) => entry = next,
            Err(_) => return,
        }
    }
    if list.pending & !1 != 0 {
        let _ = bury(call, futex(list.pending), list.pending & 1 != 0, true);
    }
}

/// Marks one futex whose owner ends, and wakes one sleeper. Linux `handle_futex_death`.
fn bury(call: &mut Call, address: u64, is_pi: bool, is_pending: bool) -> Result<(), abi::Error> {
    if !address.is_multiple_of(4) {
        return Err(abi::Errno::EINVAL.because("the futex is not aligned to 4 bytes"));
    }
    let tid = call.current().tid as u32;
    let value = call.read::<u32>(UserPtr::new(address))?;
    if is_pending && !is_pi && value == 0 {
        // It was unlocked in user mode, but the thread was killed before it could wake anybody.
        return wake_at(call, address);
    }
    if value & FUTEX_TID_MASK != tid {
        return Ok(());
    }
    if is_pi {
        // Handed to the next in line by `pi::leave`, which sees the mark.
        call.write(UserPtr::new(address), &(value & FUTEX_WAITERS | FUTEX_OWNER_DIED))?;
        return pi::hand_over(call, address);
    }
    call.write(UserPtr::new(address), &(value & FUTEX_WAITERS | FUTEX_OWNER_DIED))?;
    if value & FUTEX_WAITERS != 0 {
        wake_at(call, address)?;
    }
    Ok(())
}

fn wake_at(call: &mut Call, address: u64) -> Result<(), abi::Error> {
    // Linux looks the mapping up, as if without FUTEX_PRIVATE_FLAG; glibc's robust mutexes never use the flag.
    let key = Key::of(call, address, Sharing::Shared)?;
    wake::wake(call.kernel, key, 1, u32::MAX);
    Ok(())
}
