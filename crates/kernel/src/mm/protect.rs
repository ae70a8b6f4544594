//! mprotect(2): what may be done with pages that are mapped.

use crate::entry::Call;
use crate::event::Event;
use crate::kernel::Kernel;
use crate::mm::AddressSpace;
use crate::mm::address_space::PRIVATE;
use crate::mm::fault::protection_bits;
use crate::mm::limits;
use crate::mm::vma::{AreaFlags, Backing, Vma};
use crate::table::Id;
use abi::mman::PROT_WRITE;
use abi::{Errno, Error};
use machine::Entry;
use machine::tlb_model::FlushCause;
use std::ops::Range;

/// Pages above which forgetting the whole TLB is cheaper than forgetting them one by one.
const MANY_PAGES: u64 = 512;

/// Gives all pages of `range`, page-aligned and not empty, another protection. As on Linux, areas before one that
/// cannot be changed are changed.
///
/// # Errors
/// `ENOMEM` if a page of the range is not mapped, or a limit is met; `EACCES` if the mapped file does not permit it.
pub(crate) fn protect(
    call: &mut Call,
    space: Id<AddressSpace>,
    range: Range<u64>,
    protection: u32,
) -> Result<(), Error> {
    let changed = change_areas(call, space, range.clone(), protection);
    // Also what was changed before an area that could not be.
    let Range { start, end } = range;
    call.kernel.emit(Event::Protected { start, end, protection });
    changed
}

fn change_areas(call: &mut Call, space: Id<AddressSpace>, range: Range<u64>, protection: u32) -> Result<(), Error> {
    let mut at = range.start;
    while at < range.end {
        let Some(area) = call.kernel.spaces[space].areas.containing(at) else {
            return Err(Errno::ENOMEM.because("part of the range is not mapped"));
        };
        let part = at..area.end.min(range.end);
        at = part.end;
        if area.flags.has(AreaFlags::SEALED) {
            return Err(Errno::EPERM.because("the mapping is sealed, mseal(2)"));
        }
        if area.protection == protection {
            continue;
        }
        let mut account = false;
        if protection & !area.maximum != 0 {
            return Err(Errno::EACCES.because("the file is not open for writing, or is sealed"));
        }
        let changed = Vma { protection, ..area.part(part.start, part.end) };
        check_count(call.kernel, space, part.clone())?;
        if changed.is_data() && !area.is_data() {
            // The pages are mapped already: only the limit of data can be met.
            limits::may_grow(call, space, &changed, Some(part.clone()))?;
        }
        if limits::is_accounted(&changed) && !changed.flags.has(AreaFlags::ACCOUNTED) && !changed.shared {
            limits::may_commit(call.kernel, changed.length())?;
            account = true;
        }
        call.kernel.spaces[space].areas.change(part.clone(), |area| {
            area.protection = protection;
            if account {
                area.flags = area.flags.with(AreaFlags::ACCOUNTED);
            }
        });
        change_entries(call.kernel, space, changed.backing, part, protection);
    }
    Ok(())
}

/// Whether a change of `range`, which lies in one area, may cut that area.
///
/// # Errors
/// `ENOMEM` if there would be too many areas.
pub(crate) fn check_count(kernel: &Kernel, space: Id<AddressSpace>, range: Range<u64>) -> Result<(), Error> {
    let areas = &kernel.spaces[space].areas;
    let cuts = |at: u64| areas.containing(at).is_some_and(|area| area.start < at);
    let more = usize::from(cuts(range.start)) + usize::from(cuts(range.end));
    if areas.len() + more > kernel.mm.settings.most_areas {
        return Err(Errno::ENOMEM.because("the process would have too many mappings, `vm.max_map_count`"));
    }
    Ok(())
}

/// Lets the entries of `range` permit what the protection does. A write to a page with several owners, or to a page of
/// a file that was clean, faults first.
fn change_entries(kernel: &mut Kernel, space: Id<AddressSpace>, backing: Backing, range: Range<u64>, protection: u32) {
    let bits = protection_bits(protection);
    let is_shared_memory = matches!(backing, Backing::Shared { .. });
    let shared = kernel.spaces[space].areas.containing(range.start).is_some_and(|area| area.shared);
    let mut changed = 0;
    let AddressSpace { table, tlb, .. } = &mut kernel.spaces[space];
    table.update(&mut kernel.memory, range, |memory, page, entry| {
        // What is swapped out gets its bits when it comes back.
        if !entry.is_present() {
            return entry;
        }
        let may_write = if entry.0 & PRIVATE != 0 {
            memory.count(entry.frame()) == 1
        } else {
            shared && (is_shared_memory || entry.is_dirty())
        };
        let writable = if protection & PROT_WRITE != 0 && may_write { Entry::WRITABLE } else { 0 };
        let kept = entry.without(Entry::USER | Entry::WRITABLE | Entry::NO_EXECUTE);
        changed += 1;
        if changed < MANY_PAGES && entry.is_accessed() {
            tlb.flush_page(page, FlushCause::Protect);
        }
        kept.with(bits | writable)
    });
    if changed >= MANY_PAGES {
        tlb.flush(FlushCause::Protect);
    }
}
