//! madvise(2).

use crate::entry::Call;
use crate::fs::{page_cache, size};
use crate::kernel::Kernel;
use crate::mm::address_space::{GUARD_ENTRY, LAZY_FREE, PRIVATE};
use crate::mm::fault::BadAccess;
use crate::mm::map;
use crate::mm::unmap::{self, Taken};
use crate::mm::vma::{AreaFlags, Backing, Vma};
use crate::mm::{AddressSpace, protect, reclaim, seal, shared_memory};
use crate::table::Id;
use abi::mman::*;
use abi::{Errno, Error};
use machine::tlb_model::FlushCause;
use machine::{Access, Entry};
use std::ops::Range;

/// Whether there is such advice for a process without privileges.
///
/// # Errors
/// `EINVAL` if not; `EPERM` for the tests of memory failure.
fn check(advice: u32) -> Result<(), Error> {
    match advice {
        MADV_NORMAL..=MADV_DONTNEED | MADV_FREE..=MADV_DONTNEED_LOCKED => Ok(()),
        MADV_GUARD_INSTALL | MADV_GUARD_REMOVE => Ok(()),
        MADV_HWPOISON | MADV_SOFT_OFFLINE => Err(Errno::EPERM.because("failing memory is not simulated")),
        _ => Err(Errno::EINVAL.because("there is no such `advice`, or not on this kernel")),
    }
}

/// madvise(2), for an address space that may be another's.
///
/// # Errors
/// `EINVAL` if the advice is unknown, or the range is not page-aligned or wraps around; as [`advise`].
pub(crate) fn advise_checked(
    call: &mut Call,
    space: Id<AddressSpace>,
    address: u64,
    length: u64,
    advice: u32,
) -> Result<(), Error> {
    check(advice)?;
    let page_size = call.kernel.page_size();
    if !page_size.divides(address) {
        return Err(Errno::EINVAL.because("the address is not a multiple of the page size"));
    }
    let end = page_size.round_up(length).and_then(|length| address.checked_add(length));
    let end = end.ok_or(Errno::EINVAL.because("the range wraps around"))?;
    if end > address { advise(call, space, address..end, advice) } else { Ok(()) }
}

/// Takes advice for `range`, page-aligned and not empty. Holes are skipped, and reported at the end.
///
/// # Errors
/// `ENOMEM` if part of the range is not mapped; `EINVAL`, `EACCES`, `EFAULT` if the advice does not suit an area.
pub(crate) fn advise(call: &mut Call, space: Id<AddressSpace>, range: Range<u64>, advice: u32) -> Result<(), Error> {
    let unmapped = Errno::ENOMEM.because("part of the range is not mapped");
    if let MADV_POPULATE_READ | MADV_POPULATE_WRITE = advice {
        return populate(call, space, range, advice);
    }
    let mut at = range.start;
    let mut has_hole = false;
    while at < range.end {
        let Some(area) = call.kernel.spaces[space].areas.at_or_above(at).filter(|area| area.start < range.end) else {
            has_hole = true;
            break;
        };
        has_hole |= area.start > at;
        let area = area.part(area.start.max(at), area.end.min(range.end));
        at = area.end;
        advise_area(call, space, area, advice)?;
    }
    if has_hole { Err(unmapped) } else { Ok(()) }
}

/// Takes advice for one area, cut to the range that is meant.
fn advise_area(call: &mut Call, space: Id<AddressSpace>, area: Vma, advice: u32) -> Result<(), Error> {
    let range = area.start..area.end;
    let is_locked = area.flags.has(AreaFlags::LOCKED);
    let locked = Errno::EINVAL.because("the pages are locked");
    if seal::forbids_discarding(&area) && is_discarding(advice) {
        return Err(Errno::EPERM.because("the mapping is sealed, and its pages cannot be written"));
    }
    match advice {
        MADV_GUARD_INSTALL if is_locked => return Err(locked),
        MADV_GUARD_INSTALL | MADV_GUARD_REMOVE if area.flags.has(AreaFlags::DONT_EXPAND) => {
            return Err(Errno::EINVAL.because("the kernel's own pages have no guards"));
        }
        MADV_GUARD_INSTALL => return install_guards(call.kernel, space, &area),
        MADV_GUARD_REMOVE => remove_guards(call.kernel, space, range),
        MADV_DONTNEED if is_locked => return Err(locked),
        MADV_DONTNEED | MADV_DONTNEED_LOCKED => {
            unmap::take_entries(call.kernel, space, area.backing, range, Taken::Pages);
        }
        MADV_FREE if !area.is_private_anonymous() => {
            return Err(Errno::EINVAL.because("only private anonymous memory can be given up"));
        }
        MADV_FREE if is_locked => return Err(locked),
        MADV_FREE => give_up(call.kernel, space, range),
        MADV_REMOVE if is_locked => return Err(locked),
        MADV_REMOVE => return remove(call, &area),
        MADV_COLD | MADV_PAGEOUT if is_locked => return Err(locked),
        MADV_COLD => age(call.kernel, space, range),
        MADV_PAGEOUT => reclaim::page_out(call.kernel, space, &area),
        MADV_WILLNEED => will_need(call, &area),
        MADV_WIPEONFORK if !area.is_private_anonymous() => {
            return Err(Errno::EINVAL.because("only private anonymous memory can be wiped"));
        }
        MADV_DODUMP if area.flags.has(AreaFlags::DONT_EXPAND) => {
            return Err(Errno::EINVAL.because("the kernel's own pages are not dumped"));
        }
        _ => {
            let flags = new_flags(area.flags, advice);
            if flags != area.flags {
                protect::check_count(call.kernel, space, range.clone())?;
                let areas = &mut call.kernel.spaces[space].areas;
                areas.change(range, |area| area.flags = flags);
            }
        }
    }
    Ok(())
}

/// Whether pages, or what is in them, go by the advice. Linux mm/madvise.c `is_discard`.
fn is_discarding(advice: u32) -> bool {
    matches!(
        advice,
        MADV_FREE
            | MADV_DONTNEED
            | MADV_DONTNEED_LOCKED
            | MADV_REMOVE
            | MADV_DONTFORK
            | MADV_WIPEONFORK
            | MADV_GUARD_INSTALL
    )
}

/// MADV_GUARD_INSTALL: the pages go, and every access to them earns SIGSEGV.
fn install_guards(kernel: &mut Kernel, space: Id<AddressSpace>, area: &Vma) -> Result<(), Error> {
    let range = area.start..area.end;
    unmap::take_entries(kernel, space, area.backing, range.clone(), Taken::Pages);
    // Of the whole area, as Linux: it is not cut for this.
    let areas = &mut kernel.spaces[space].areas;
    areas.change(range.clone(), |area| area.flags = area.flags.with(AreaFlags::MAYBE_GUARD));
    for page in range.step_by(kernel.page_size().bytes() as usize) {
        reclaim::set_entry(kernel, space, page, GUARD_ENTRY)
            .map_err(|_| Errno::ENOMEM.because("no frames are left for page tables"))?;
    }
    Ok(())
}

/// MADV_GUARD_REMOVE: guards go, other pages stay.
fn remove_guards(kernel: &mut Kernel, space: Id<AddressSpace>, range: Range<u64>) {
    let table = &mut kernel.spaces[space].table;
    let without = |entry| if entry == GUARD_ENTRY { Entry::NONE } else { entry };
    table.update(&mut kernel.memory, range, |_, _, entry| without(entry));
}

/// Flags after advice that only sets or clears some.
fn new_flags(flags: AreaFlags, advice: u32) -> AreaFlags {
    use AreaFlags as F;
    match advice {
        MADV_NORMAL => flags.without(F::RANDOM.with(F::SEQUENTIAL)),
        MADV_RANDOM => flags.without(F::SEQUENTIAL).with(F::RANDOM),
        MADV_SEQUENTIAL => flags.without(F::RANDOM).with(F::SEQUENTIAL),
        MADV_DONTFORK => flags.with(F::DONT_FORK),
        MADV_DOFORK => flags.without(F::DONT_FORK),
        MADV_WIPEONFORK => flags.with(F::WIPE_ON_FORK),
        MADV_KEEPONFORK => flags.without(F::WIPE_ON_FORK),
        MADV_DONTDUMP => flags.with(F::DONT_DUMP),
        MADV_DODUMP => flags.without(F::DONT_DUMP),
        MADV_MERGEABLE => flags.with(F::MERGEABLE),
        MADV_UNMERGEABLE => flags.without(F::MERGEABLE),
        MADV_HUGEPAGE => flags.without(F::NO_HUGE_PAGE).with(F::HUGE_PAGE),
        MADV_NOHUGEPAGE => flags.without(F::HUGE_PAGE).with(F::NO_HUGE_PAGE),
        _ => flags,
    }
}

/// MADV_FREE: the pages may be dropped while they are clean. A write makes them dirty, and so saves them.
fn give_up(kernel: &mut Kernel, space: Id<AddressSpace>, range: Range<u64>) {
    kernel.mm.lazy.insert(space);
    let swap = &mut kernel.mm.swap;
    let AddressSpace { table, tlb, swapped, .. } = &mut kernel.spaces[space];
    table.update(&mut kernel.memory, range, |memory, page, entry| {
        if let Some(slot) = reclaim::slot_of(entry) {
            swap.release(slot);
            *swapped -= 1;
            return Entry::NONE;
        }
        // A page that fork shared is another process's too.
        if entry.0 & PRIVATE == 0 || memory.count(entry.frame()) > 1 {
            return entry;
        }
        tlb.flush_page(page, FlushCause::Age);
        entry.without(Entry::DIRTY | Entry::ACCESSED).with(LAZY_FREE)
    });
}

/// MADV_COLD: the pages look as if they had not been used.
fn age(kernel: &mut Kernel, space: Id<AddressSpace>, range: Range<u64>) {
    let AddressSpace { table, tlb, .. } = &mut kernel.spaces[space];
    table.update(&mut kernel.memory, range, |_, page, entry| {
        if entry.is_accessed() {
            tlb.flush_page(page, FlushCause::Age);
        }
        entry.without(Entry::ACCESSED)
    });
}

/// MADV_WILLNEED: pages of files are read, as far as there is memory for them.
fn will_need(call: &mut Call, area: &Vma) {
    let Backing::File { inode, .. } = area.backing else { return };
    let page_size = call.kernel.page_size();
    let pages = page_size.pages(call.kernel.vfs.inodes[inode].size());
    let first = area.page_index(page_size, area.start);
    let last = (first + page_size.number(area.length())).min(pages);
    for index in first..last {
        let is_short = call.kernel.memory.available() < call.kernel.memory.total() / 8;
        // Advice only: what cannot be read now is read, or fails, when it is used.
        if is_short || page_cache::page(call, inode, index).is_err() {
            return;
        }
    }
}

/// MADV_REMOVE: a hole in the object under a shared mapping.
fn remove(call: &mut Call, area: &Vma) -> Result<(), Error> {
    let page_size = call.kernel.page_size();
    let first = area.page_index(page_size, area.start);
    let pages = first..first + page_size.number(area.length());
    if area.backing == Backing::Anonymous {
        return Err(Errno::EINVAL.because("only pages of files and shared memory can be removed"));
    }
    if !area.shared || area.maximum & PROT_WRITE == 0 {
        return Err(Errno::EACCES.because("the mapping is not shared, or can never be writable"));
    }
    match area.backing {
        Backing::Anonymous => {}
        Backing::Shared { object, .. } => shared_memory::remove_pages(call.kernel, object, pages),
        Backing::File { inode, .. } => {
            size::zero(call, inode, pages.start * page_size.bytes(), pages.end * page_size.bytes())?
        }
    }
    Ok(())
}

/// MADV_POPULATE_READ, MADV_POPULATE_WRITE. Linux `faultin_page_range`.
fn populate(call: &mut Call, space: Id<AddressSpace>, range: Range<u64>, advice: u32) -> Result<(), Error> {
    let access = if advice == MADV_POPULATE_WRITE { Access::Write } else { Access::Read };
    let mut at = range.start;
    while at < range.end {
        let area = call.kernel.spaces[space].areas.containing(at).cloned();
        let area = area.ok_or(Errno::ENOMEM.because("part of the range is not mapped"))?;
        let needed = if access == Access::Write { PROT_WRITE } else { PROT_READ };
        let is_allowed = area.protection & needed != 0;
        if !is_allowed {
            return Err(Errno::EINVAL.because("the mapping does not permit the access"));
        }
        let end = area.end.min(range.end);
        map::fill_range(call, space, at..end, access).map_err(|(_, bad)| match bad {
            BadAccess::OutOfMemory => Errno::ENOMEM.because("no memory is left"),
            BadAccess::BeyondFile => Errno::EFAULT.because("the mapping reaches beyond the end of its file"),
            BadAccess::Unmapped | BadAccess::Guarded | BadAccess::Forbidden => {
                Errno::EFAULT.because("the access is not permitted")
            }
        })?;
        at = end;
    }
    Ok(())
}
