//! mlock(2): pages that stay in memory.

use crate::entry::Call;
use crate::mm::fault::BadAccess;
use crate::mm::map;
use crate::mm::vma::AreaFlags;
use crate::mm::{AddressSpace, limits, protect};
use crate::table::Id;
use abi::mman::{MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT};
use abi::{Errno, Error};
use std::ops::Range;

const LOCK_BITS: AreaFlags = AreaFlags(AreaFlags::LOCKED.0 | AreaFlags::LOCK_ON_FAULT.0);

/// Gives all areas in `range`, page-aligned, the lock flags `lock` (none: unlocks). Areas before a hole are changed.
///
/// # Errors
/// `ENOMEM` if part of the range is not mapped.
pub(crate) fn set_flags(
    call: &mut Call,
    space: Id<AddressSpace>,
    range: Range<u64>,
    lock: AreaFlags,
) -> Result<(), Error> {
    let mut at = range.start;
    while at < range.end {
        let area = call.kernel.spaces[space].areas.containing(at);
        let area = area.ok_or(Errno::ENOMEM.because("part of the range is not mapped"))?;
        let part = at..area.end.min(range.end);
        at = part.end;
        let flags = area.flags.without(LOCK_BITS).with(lock);
        if flags != area.flags {
            protect::check_count(call.kernel, space, part.clone())?;
            let areas = &mut call.kernel.spaces[space].areas;
            areas.change(part, |area| area.flags = flags);
        }
    }
    Ok(())
}

/// Locks `range`, page-aligned.
///
/// # Errors
/// `EPERM` if nothing may be locked, `ENOMEM` beyond RLIMIT_MEMLOCK or if part is not mapped or not accessible,
/// `EAGAIN` if there is no memory.
pub(crate) fn lock(
    call: &mut Call,
    space: Id<AddressSpace>,
    range: Range<u64>,
    on_fault: AreaFlags,
) -> Result<(), Error> {
    let areas = &call.kernel.spaces[space].areas;
    let is_locked = |area: &&crate::mm::Vma| area.flags.has(AreaFlags::LOCKED);
    let already: u64 = areas
        .overlapping(range.clone())
        .filter(is_locked)
        .map(|area| area.end.min(range.end) - area.start.max(range.start))
        .sum();
    limits::may_lock(call, space, (range.end - range.start) - already).map_err(|error| match error.errno {
        Errno::EPERM => error,
        _ => Errno::ENOMEM.because("the process's locked memory would exceed `RLIMIT_MEMLOCK`"),
    })?;
    set_flags(call, space, range.clone(), AreaFlags::LOCKED.with(on_fault))?;
    if on_fault == AreaFlags::NONE {
        map::populate(call, space, range).map_err(|(_, bad)| match bad {
            BadAccess::OutOfMemory => Errno::EAGAIN.because("no memory is left for the pages"),
            BadAccess::Forbidden => Errno::ENOMEM.because("part of the range permits no access"),
            _ => Errno::ENOMEM.because("part of the range cannot be brought into memory"),
        })?;
    }
    Ok(())
}

/// mlockall(2).
///
/// # Errors
/// `EINVAL`, `EPERM`, `ENOMEM` as there.
pub(crate) fn lock_all(call: &mut Call, space: Id<AddressSpace>, flags: u32) -> Result<(), Error> {
    if flags == 0 || flags == MCL_ONFAULT || flags & !(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0 {
        return Err(Errno::EINVAL.because("`flags` is 0, `MCL_ONFAULT` alone, or unknown"));
    }
    let totals = call.kernel.spaces[space].areas.totals();
    let more = if flags & MCL_CURRENT != 0 { totals.mapped - totals.locked } else { 0 };
    limits::may_lock(call, space, more).map_err(|error| match error.errno {
        Errno::EPERM => error,
        _ => Errno::ENOMEM.because("the process's locked memory would exceed `RLIMIT_MEMLOCK`"),
    })?;
    let on_fault = if flags & MCL_ONFAULT != 0 { AreaFlags::LOCK_ON_FAULT } else { AreaFlags::NONE };
    let lock = AreaFlags::LOCKED.with(on_fault);
    let here = &mut call.kernel.spaces[space];
    here.future_flags = if flags & MCL_FUTURE != 0 { lock } else { AreaFlags::NONE };
    if flags & MCL_CURRENT != 0 {
        set_all(call, space, lock);
        if on_fault == AreaFlags::NONE {
            let end = call.kernel.spaces[space].layout.user_end;
            map::populate_what_can_be(call, space, call.kernel.page_size().bytes()..end);
        }
    }
    Ok(())
}

/// munlockall(2).
pub(crate) fn unlock_all(call: &mut Call, space: Id<AddressSpace>) {
    call.kernel.spaces[space].future_flags = AreaFlags::NONE;
    set_all(call, space, AreaFlags::NONE);
}

fn set_all(call: &mut Call, space: Id<AddressSpace>, lock: AreaFlags) {
    let here = &mut call.kernel.spaces[space];
    let end = here.layout.user_end;
    here.areas.change(0..end, |area| area.flags = area.flags.without(LOCK_BITS).with(lock));
}
