//! Where a frame is mapped: the way from a frame back to page-table entries.

use crate::kernel::Kernel;
use crate::mm::address_space::{AddressSpace, PRIVATE};
use crate::mm::owners::Owner;
use crate::mm::unmap;
use crate::mm::vma::{AreaFlags, Origin};
use crate::table::Id;
use machine::tlb_model::FlushCause;
use machine::{Entry, FrameNumber};

/// A page-table entry that maps a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) space: Id<AddressSpace>,
    pub(crate) page: u64,
}

/// Address spaces that are looked through for a page of an object, at most. What more map is in use for certain, such as
/// the C library of a fork bomb: to ask each of them whether it used the page lately would cost more than the page is
/// worth.
const MAPPERS_ASKED: usize = 256;

/// All entries that map `frame`, which holds what `owner` says; `None` if somebody else holds the frame too (for a
/// moment, or at an address that is not known), if it holds something else by now, if it is locked by shmctl(2), or if
/// more than [`MAPPERS_ASKED`] map its object.
pub(crate) fn places(kernel: &Kernel, frame: FrameNumber, owner: Owner) -> Option<Vec<Place>> {
    let count = kernel.memory.count(frame);
    match owner {
        Owner::Nobody => None,
        Owner::Private { family, page } => {
            let mut found = Vec::new();
            for space in kernel.mm.family(family) {
                let entry = kernel.spaces[space].table.entry(&kernel.memory, page);
                if entry.is_present() && entry.0 & PRIVATE != 0 && entry.frame() == frame {
                    found.push(Place { space, page });
                    if found.len() == count as usize {
                        return Some(found);
                    }
                }
            }
            None
        }
        Owner::Shared { object, index } => {
            let held = kernel.mm.shared.get(object).filter(|object| !object.is_locked)?.frame(index);
            places_of_object(kernel, frame, held, Origin::Shared(object), index)
        }
        Owner::File { inode, index } => {
            kernel.vfs.inodes.get(inode)?;
            let held = crate::fs::page_cache::cached(kernel, inode, index);
            places_of_object(kernel, frame, held, Origin::Inode(inode), index)
        }
    }
}

/// The entries that map page `index` of an object; the object holds one reference itself.
fn places_of_object(
    kernel: &Kernel,
    frame: FrameNumber,
    held: Option<FrameNumber>,
    origin: Origin,
    index: u64,
) -> Option<Vec<Place>> {
    if held != Some(frame) {
        return None;
    }
    let wanted = kernel.memory.count(frame) as usize - 1;
    let mut found = Vec::new();
    if wanted == 0 {
        return Some(found);
    }
    if kernel.mm.mapper_count(origin) > MAPPERS_ASKED {
        return None;
    }
    let is_here = |space: Id<AddressSpace>, page: u64| {
        let entry = kernel.spaces[space].table.entry(&kernel.memory, page);
        entry.is_present() && entry.0 & PRIVATE == 0 && entry.frame() == frame
    };
    // Programs' files lie at the same address in all processes.
    let hint = kernel.mm.owners.get(frame).mapped_at;
    for space in kernel.mm.mappers(origin) {
        if is_here(space, hint) {
            found.push(Place { space, page: hint });
            if found.len() == wanted {
                return Some(found);
            }
        }
    }
    for space in kernel.mm.mappers(origin) {
        for area in kernel.spaces[space].areas.iter() {
            if area.backing.object().is_some_and(|object| object.origin() == origin)
                && let Some(range) = unmap::pages_in(kernel.page_size(), area, &(index..index + 1))
                && range.start != hint
                && is_here(space, range.start)
            {
                found.push(Place { space, page: range.start });
                if found.len() == wanted {
                    return Some(found);
                }
            }
        }
    }
    None
}

/// Whether any of the places lies in a locked area, mlock(2).
pub(crate) fn is_locked(kernel: &Kernel, places: &[Place]) -> bool {
    places.iter().any(|place| {
        let area = kernel.spaces[place.space].areas.containing(place.page);
        area.is_some_and(|area| area.flags.has(AreaFlags::LOCKED))
    })
}

/// Whether any of the entries was used since its accessed bit was cleared. Clears the bits, and forgets what TLBs know.
pub(crate) fn take_accessed(kernel: &mut Kernel, places: &[Place]) -> bool {
    let mut was_used = false;
    for place in places {
        let AddressSpace { table, tlb, .. } = &mut kernel.spaces[place.space];
        let entry = table.entry(&kernel.memory, place.page);
        if entry.is_accessed() {
            was_used = true;
            table.replace(&mut kernel.memory, place.page, entry.without(Entry::ACCESSED));
            tlb.flush_page(place.page, FlushCause::Reclaim);
        }
    }
    was_used
}
