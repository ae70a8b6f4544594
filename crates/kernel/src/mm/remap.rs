//! mremap(2): mappings that grow, shrink and move with their pages.

use crate::entry::Call;
use crate::mm::address_space::PRIVATE;
use crate::mm::map::{self, Request, Source};
use crate::mm::vma::{AreaFlags, Vma};
use crate::mm::{AddressSpace, limits, owners, protect, reclaim, seal, unmap};
use crate::table::Id;
use abi::mman::*;
use abi::{Errno, Error};
use machine::Entry;
use machine::tlb_model::FlushCause;
use std::ops::Range;

/// What mremap(2) is asked for; lengths in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Remap {
    /// Where the mapping is.
    pub(crate) address: u64,
    /// How long its part is that is meant.
    pub(crate) old_length: u64,
    /// How long it shall be.
    pub(crate) new_length: u64,
    /// `MREMAP_` bits.
    pub(crate) flags: u32,
    /// Where to, with `MREMAP_FIXED`.
    pub(crate) new_address: u64,
}

/// mremap(2); the address that the mapping has now.
///
/// # Errors
/// `EAGAIN`, `EFAULT`, `EINVAL`, `ENOMEM`, `EPERM` as there.
pub(crate) fn remap(call: &mut Call, space: Id<AddressSpace>, request: Remap) -> Result<u64, Error> {
    let Remap { address, flags, new_address, .. } = request;
    let invalid = |why| Err(Errno::EINVAL.because(why));
    if flags & !(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP) != 0 {
        return invalid("an unknown flag is set");
    }
    if flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) != 0 && flags & MREMAP_MAYMOVE == 0 {
        return invalid("`MREMAP_FIXED` and `MREMAP_DONTUNMAP` need `MREMAP_MAYMOVE`");
    }
    if flags & MREMAP_DONTUNMAP != 0 && request.old_length != request.new_length {
        return invalid("`MREMAP_DONTUNMAP` does not change the length");
    }
    if !call.kernel.page_size().divides(address) {
        return invalid("`old_address` is not a multiple of the page size");
    }
    let end = call.kernel.spaces[space].layout.user_end;
    let page_size = call.kernel.page_size();
    let round = |length| page_size.round_up(length).filter(|length| *length <= end);
    let (Some(old_length), Some(new_length)) = (round(request.old_length), round(request.new_length)) else {
        return invalid("a length is larger than the address space");
    };
    if new_length == 0 {
        return invalid("`new_size` is 0");
    }
    let unmapped = Errno::EFAULT.because("nothing is mapped at `old_address`");
    let area = call.kernel.spaces[space].areas.containing(address).cloned().ok_or(unmapped)?;
    let old = address..address.checked_add(old_length).ok_or(Errno::EINVAL.because("the range wraps around"))?;
    seal::may_change(call, space, address..old.end.max(address + 1))?;
    if flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) != 0 {
        let new = new_address..new_address.saturating_add(new_length);
        if !call.kernel.page_size().divides(new_address) || new.end > end {
            return invalid("`new_address` is not page-aligned or not in the address space");
        }
        if new.start < old.end && old.start < new.end {
            return invalid("the old and the new range overlap");
        }
        if flags & MREMAP_FIXED != 0 && old_length == new_length {
            return move_areas(call, space, old, new_address, flags);
        }
        if flags & MREMAP_FIXED != 0 {
            return move_to_fixed(call, space, area, old, new, flags);
        }
    }
    if old_length >= new_length && flags & MREMAP_DONTUNMAP == 0 {
        if old_length > new_length {
            protect::check_count(call.kernel, space, address + new_length..old.end)?;
            unmap::unmap(call, space, address + new_length..old.end);
        }
        return Ok(address);
    }
    check_growth(call, space, &area, &old, new_length, flags)?;
    let in_place = old.end == area.end && old_length > 0 && flags & MREMAP_DONTUNMAP == 0;
    if in_place
        && new_length - old_length <= end - old.end
        && call.kernel.spaces[space].areas.is_free(old.end..address + new_length)
    {
        let more = Vma {
            start: old.end,
            end: address + new_length,
            backing: area.backing.advanced(area.length()),
            ..area.clone()
        };
        map::insert(call, space, more);
        fill_if_locked(call, space, area.flags, old.end..address + new_length);
        return Ok(address);
    }
    if flags & MREMAP_MAYMOVE == 0 {
        return Err(Errno::ENOMEM.because("there is no room behind the mapping, and `MREMAP_MAYMOVE` is not set"));
    }
    let wish = if flags & MREMAP_DONTUNMAP != 0 { new_address } else { 0 };
    let place = Request { address: wish, length: new_length, protection: 0, flags: 0, source: Source::Anonymous };
    let start = map::place(call, space, &place, new_length)?;
    let is_filled = has_private_pages(call, space, &area);
    relocate(call, space, (area, is_filled), old, start..start + new_length, flags)
}

/// mremap(2) with `MREMAP_FIXED` and one length: since Linux 6.17 it moves all areas of the range, whose distances stay;
/// what lies opposite a hole stays, too. Linux `remap_move`.
fn move_areas(
    call: &mut Call,
    space: Id<AddressSpace>,
    range: Range<u64>,
    new_address: u64,
    flags: u32,
) -> Result<u64, Error> {
    let areas = call.kernel.spaces[space].areas.overlapping(range.clone());
    let parts: Vec<Range<u64>> = areas.map(|area| area.start.max(range.start)..area.end.min(range.end)).collect();
    for old in parts {
        let area = call.kernel.spaces[space].areas.containing(old.start).cloned();
        let area = area.expect("moving other areas of the range leaves this one");
        let start = new_address + (old.start - range.start);
        let new = start..start + (old.end - old.start);
        move_to_fixed(call, space, area, old, new, flags)?;
    }
    Ok(new_address)
}

/// mremap(2) with `MREMAP_FIXED`. Linux `mremap_to`.
fn move_to_fixed(
    call: &mut Call,
    space: Id<AddressSpace>,
    area: Vma,
    mut old: Range<u64>,
    new: Range<u64>,
    flags: u32,
) -> Result<u64, Error> {
    let length = new.end - new.start;
    let request = Request { address: new.start, length, protection: 0, flags: MAP_FIXED, source: Source::Anonymous };
    map::place(call, space, &request, length)?;
    if call.kernel.spaces[space].areas.len() + 6 > call.kernel.mm.settings.most_areas {
        return Err(Errno::ENOMEM.because("the process has too many mappings, `vm.max_map_count`"));
    }
    seal::may_change(call, space, new.clone())?;
    // Before one of them may go.
    let is_filled = has_private_pages(call, space, &area);
    unmap::unmap(call, space, new.clone());
    if old.end - old.start > length {
        unmap::unmap(call, space, old.start + length..old.end);
        old.end = old.start + length;
    }
    check_growth(call, space, &area, &old, length, flags)?;
    relocate(call, space, (area, is_filled), old, new, flags)
}

/// Whether the mapping may have the new length. Linux `vma_to_resize`.
fn check_growth(
    call: &Call,
    space: Id<AddressSpace>,
    area: &Vma,
    old: &Range<u64>,
    new_length: u64,
    flags: u32,
) -> Result<(), Error> {
    let old_length = old.end - old.start;
    if old_length == 0 && !area.shared {
        return Err(Errno::EINVAL.because("`old_size` is 0, and the mapping is private"));
    }
    if flags & MREMAP_DONTUNMAP != 0 && area.flags.has(AreaFlags::DONT_EXPAND) {
        return Err(Errno::EINVAL.because("the kernel's own pages are not moved with `MREMAP_DONTUNMAP`"));
    }
    if old.end > area.end {
        return Err(Errno::EFAULT.because("the old range covers more than one mapping"));
    }
    if flags & MREMAP_DONTUNMAP == 0 && new_length <= old_length {
        return Ok(());
    }
    if area.flags.has(AreaFlags::DONT_EXPAND) {
        return Err(Errno::EFAULT.because("the kernel's own pages cannot grow"));
    }
    let more = if flags & MREMAP_DONTUNMAP != 0 { new_length } else { new_length - old_length };
    if area.backing.object().is_some() {
        let first = area.backing.offset() + (old.start - area.start);
        if first.checked_add(new_length).is_none_or(|end| end > i64::MAX as u64) {
            return Err(Errno::EINVAL.because("the mapping would reach beyond the largest file"));
        }
    }
    if area.flags.has(AreaFlags::LOCKED) {
        limits::may_lock(call, space, more).map_err(|_| Errno::EAGAIN.because("beyond `RLIMIT_MEMLOCK`"))?;
    }
    let added = Vma { start: 0, end: more, ..area.clone() };
    limits::may_grow(call, space, &added, None)?;
    if area.flags.has(AreaFlags::ACCOUNTED) {
        limits::may_commit(call.kernel, more)?;
    }
    Ok(())
}

/// Moves `old`, which lies in `area`, with its pages to `new`, where nothing is mapped. `is_filled`: whether the area has
/// private pages.
fn relocate(
    call: &mut Call,
    space: Id<AddressSpace>,
    (area, is_filled): (Vma, bool),
    old: Range<u64>,
    new: Range<u64>,
    flags: u32,
) -> Result<u64, Error> {
    let backing = area.backing.advanced(old.start - area.start);
    let mut moved = Vma { start: new.start, end: new.end, backing, ..area.clone() };
    if area.is_private_anonymous() {
        // An area without pages is as good as new. Linux `copy_vma`.
        let by = area.moved.wrapping_add(new.start.wrapping_sub(old.start));
        moved.moved = if is_filled { by } else { 0 };
    }
    let locked = moved.flags;
    if old.start < old.end {
        let pages = old.start..old.end.min(old.start + (new.end - new.start));
        move_entries(call, space, pages, new.start)?;
    }
    map::insert(call, space, moved);
    if flags & MREMAP_DONTUNMAP != 0 {
        // Of the whole area, as Linux `dontunmap_complete`.
        let lock = AreaFlags::LOCKED.with(AreaFlags::LOCK_ON_FAULT);
        let areas = &mut call.kernel.spaces[space].areas;
        areas.change(area.start..area.end, |area| area.flags = area.flags.without(lock));
    } else {
        unmap::unmap(call, space, old);
    }
    fill_if_locked(call, space, locked, new.clone());
    Ok(new.start)
}

/// Whether an area has a private page, in memory or in swap.
fn has_private_pages(call: &Call, space: Id<AddressSpace>, area: &Vma) -> bool {
    let table = &call.kernel.spaces[space].table;
    table.any(&call.kernel.memory, area.start..area.end, |mapped| mapped.entry.0 & PRIVATE != 0)
}

/// Moves the entries of `pages` to addresses from `to` on. Frame counts stay; only the addresses change.
fn move_entries(call: &mut Call, space: Id<AddressSpace>, pages: Range<u64>, to: u64) -> Result<(), Error> {
    let kernel = &mut *call.kernel;
    // The tables come first: nothing may fail half way.
    for mapped in kernel.spaces[space].table.entries(&kernel.memory, pages.clone()) {
        let target = to + (mapped.page - pages.start);
        if reclaim::set_entry(kernel, space, target, Entry::NONE).is_err() {
            kernel.spaces[space].table.prune(&mut kernel.memory, to..to + (pages.end - pages.start));
            return Err(Errno::ENOMEM.because("no frames are left for page tables"));
        }
    }
    // Reclaim may have taken some out.
    let entries = kernel.spaces[space].table.entries(&kernel.memory, pages.clone());
    for mapped in entries {
        let AddressSpace { table, tlb, family, .. } = &mut kernel.spaces[space];
        let (frame, family) = (mapped.entry.frame(), *family);
        table.replace(&mut kernel.memory, mapped.page, Entry::NONE);
        tlb.flush_page(mapped.page, FlushCause::Move);
        let target = to + (mapped.page - pages.start);
        table.replace(&mut kernel.memory, target, mapped.entry);
        if mapped.entry.is_present() && mapped.entry.0 & PRIVATE != 0 && kernel.memory.count(frame) == 1 {
            owners::set_private(kernel, frame, family, target);
        }
    }
    Ok(())
}

fn fill_if_locked(call: &mut Call, space: Id<AddressSpace>, flags: AreaFlags, range: Range<u64>) {
    if flags.has(AreaFlags::LOCKED) && !flags.has(AreaFlags::LOCK_ON_FAULT) {
        map::populate_what_can_be(call, space, range);
    }
}
