//! Taking pages away. Every entry that leaves a page table leaves through [`take_entries`].

use crate::entry::Call;
use crate::event::Event;
use crate::fs::Inode;
use crate::kernel::Kernel;
use crate::mm::address_space::{AddressSpace, GUARD_ENTRY, PRIVATE};
use crate::mm::vma::{Backing, Object, Origin, Vma};
use crate::mm::{reclaim, shared_memory};
use crate::table::Id;
use machine::tlb_model::FlushCause;
use machine::{Entry, PageSize};
use std::ops::Range;

/// Pages above which forgetting the whole TLB is cheaper than forgetting them one by one.
const MANY_PAGES: u64 = 512;

/// Which entries go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// All: munmap(2).
    All,
    /// All pages; guards stay: MADV_DONTNEED, and truncation, which takes the private copies behind the new end too.
    Pages,
    /// Pages of the object; guards and private copies stay: a hole in a file or in shared memory.
    ObjectPages,
}

/// Takes the pages of `range`, which lies in `area`, out of the page table; the frames lose a reference. The area
/// stays. How many pages there were.
pub(crate) fn take_entries(
    kernel: &mut Kernel,
    space: Id<AddressSpace>,
    backing: Backing,
    range: Range<u64>,
    which: Taken,
) -> u64 {
    let zero = kernel.mm.zero;
    let (swap, owners) = (&mut kernel.mm.swap, &mut kernel.mm.owners);
    let AddressSpace { table, tlb, resident, swapped, .. } = &mut kernel.spaces[space];
    let mut taken = 0;
    table.update(&mut kernel.memory, range, |memory, page, entry| {
        let is_private = entry.0 & PRIVATE != 0;
        if is_private && which == Taken::ObjectPages {
            return entry;
        }
        if entry == GUARD_ENTRY {
            return if which == Taken::All { Entry::NONE } else { entry };
        }
        if let Some(slot) = reclaim::slot_of(entry) {
            swap.release(slot);
            *swapped -= 1;
            return Entry::NONE;
        }
        let frame = entry.frame();
        if is_private {
            resident.private -= 1;
        } else if Some(frame) != zero {
            match backing {
                Backing::Shared { .. } => resident.shared -= 1,
                Backing::File { .. } | Backing::Anonymous => resident.file -= 1,
            }
            // The entry was the only one to know.
            if entry.is_dirty() {
                owners.note_dirty(frame);
            }
        }
        memory.release(frame);
        taken += 1;
        // What was never accessed was never cached.
        if taken < MANY_PAGES && entry.is_accessed() {
            tlb.flush_page(page, FlushCause::Unmap);
        }
        Entry::NONE
    });
    if taken >= MANY_PAGES {
        tlb.flush(FlushCause::Unmap);
    }
    taken
}

/// Unmaps all pages of `range`, which is page-aligned. It need not be mapped.
pub fn unmap(call: &mut Call, space: Id<AddressSpace>, range: Range<u64>) {
    if remove_areas(call.kernel, space, range.clone()) {
        call.kernel.emit(Event::Unmapped { start: range.start, end: range.end });
        call.kernel.spaces[space].table.prune(&mut call.kernel.memory, range);
        release_unused(call, space);
    }
}

/// Removes the areas of `range` with their pages; the tables stay. Whether there were any.
fn remove_areas(kernel: &mut Kernel, space: Id<AddressSpace>, range: Range<u64>) -> bool {
    let removed = kernel.spaces[space].areas.remove(range);
    for area in &removed {
        take_entries(kernel, space, area.backing, area.start..area.end, Taken::All);
        if let Backing::Shared { object, .. } = area.backing {
            crate::ipc::sysv::shared_memory::detached(kernel, object);
        }
    }
    !removed.is_empty()
}

/// Takes a reference to `object` for `space`, which is about to map it for the first time, and lists it as a mapper.
pub(crate) fn retain_object(kernel: &mut Kernel, space: Id<AddressSpace>, object: Object) {
    match object {
        Object::File(file, _) => kernel.files[file].references += 1,
        Object::Shared(id) => shared_memory::retain(kernel, id),
    }
    kernel.mm.mappers.entry(object.origin()).or_default().insert(space);
}

/// Gives back the references to objects that the address space does not map any more.
pub(crate) fn release_unused(call: &mut Call, space: Id<AddressSpace>) {
    for object in call.kernel.spaces[space].areas.take_unused() {
        let origin = object.origin();
        // The file may still be mapped through another description.
        if !call.kernel.spaces[space].areas.objects().any(|other| other.origin() == origin)
            && let Some(spaces) = call.kernel.mm.mappers.get_mut(&origin)
        {
            spaces.remove(&space);
            if spaces.is_empty() {
                call.kernel.mm.mappers.remove(&origin);
            }
        }
        match object {
            Object::File(file, _) => call.release_file(file),
            Object::Shared(id) => shared_memory::release(call.kernel, id),
        }
    }
}

/// Takes pages `indices` of an object out of all address spaces that map it.
pub(crate) fn forget_pages(kernel: &mut Kernel, origin: Origin, indices: Range<u64>, which: Taken) {
    let spaces: Vec<_> = kernel.mm.mappers(origin).collect();
    for space in spaces {
        let areas: Vec<(Backing, Range<u64>)> = kernel.spaces[space]
            .areas
            .iter()
            .filter(|area| area.backing.object().is_some_and(|object| object.origin() == origin))
            .filter_map(|area| Some((area.backing, pages_in(kernel.page_size(), area, &indices)?)))
            .collect();
        for (backing, range) in areas {
            take_entries(kernel, space, backing, range, which);
        }
    }
}

/// The addresses at which `area` maps pages `indices` of its object, if it maps any.
pub(crate) fn pages_in(page_size: PageSize, area: &Vma, indices: &Range<u64>) -> Option<Range<u64>> {
    let first = page_size.number(area.backing.offset());
    let pages = page_size.number(area.length());
    let start = indices.start.max(first) - first;
    let end = indices.end.clamp(first, first + pages) - first;
    (start < end).then(|| area.start + start * page_size.bytes()..area.start + end * page_size.bytes())
}

/// A file was cut: takes page `first_page` and all behind it out of every mapping, private copies too, so that the next
/// access earns SIGBUS. The page cache drops its own reference itself.
pub fn truncate_mappings(kernel: &mut Kernel, inode: Id<Inode>, first_page: u64) {
    if kernel.mm.mappers(Origin::Inode(inode)).next().is_none() {
        return;
    }
    forget_pages(kernel, Origin::Inode(inode), first_page..kernel.page_size().number(u64::MAX), Taken::Pages);
    let size = kernel.vfs.inodes[inode].size();
    kernel.emit(Event::MappingsCut { inode, size });
}

/// Pages `indices` of a file became a hole: takes them out of every mapping; private copies stay. fallocate(2).
pub fn punch_mappings(kernel: &mut Kernel, inode: Id<Inode>, indices: Range<u64>) {
    forget_pages(kernel, Origin::Inode(inode), indices, Taken::ObjectPages);
}

/// A process does not use the address space any more: it ended, or runs another program. With the last user, all goes.
pub fn release_space(call: &mut Call, space: Id<AddressSpace>) {
    let users = &mut call.kernel.spaces[space].references;
    assert!(*users > 0, "a reference is given back once");
    *users -= 1;
    if *users > 0 {
        return;
    }
    let end = call.kernel.spaces[space].layout.user_end;
    remove_areas(call.kernel, space, 0..end);
    release_unused(call, space);
    call.kernel.mm.lazy.remove(&space);
    let family = call.kernel.spaces[space].family;
    call.kernel.mm.leave_family(family, space);
    let gone = call.kernel.spaces.remove(space);
    assert_eq!(gone.resident.total() + gone.swapped, 0, "no page is left");
    gone.table.destroy(&mut call.kernel.memory);
    call.kernel.mm.keep_tlb(gone.tlb);
}
