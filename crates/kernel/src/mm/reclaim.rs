//! Finding frames when none are free: private pages given up by MADV_FREE go first, then clean pages of files, by the
//! clock: the hand passes over a page that was accessed since it last came by, and unmaps and drops one that was not.

use crate::fs::{Inode, page_cache};
use crate::kernel::Kernel;
use crate::mm::address_space::{AddressSpace, LAZY_FREE, PRIVATE};
use crate::mm::unmap::{self, Copies};
use crate::mm::vma::{AreaFlags, Backing, Origin};
use crate::table::Id;
use machine::{Entry, FRAME_SIZE, FrameNumber, OutOfFrames};
use std::collections::BTreeSet;
use std::ops::Bound;

/// Frames that one round of reclaim tries to free.
const BATCH: usize = 64;

/// A frame with unspecified contents; its count is 1.
///
/// # Errors
/// [`OutOfFrames`] if none is free and none can be made free.
pub(crate) fn allocate(kernel: &mut Kernel) -> Result<FrameNumber, OutOfFrames> {
    match kernel.memory.allocate() {
        Ok(frame) => Ok(frame),
        Err(OutOfFrames) => {
            run(kernel, BATCH);
            kernel.memory.allocate()
        }
    }
}

/// A frame of zeroes; its count is 1.
///
/// # Errors
/// As [`allocate`].
#[inline]
pub(crate) fn allocate_zeroed(kernel: &mut Kernel) -> Result<FrameNumber, OutOfFrames> {
    match kernel.memory.allocate_zeroed() {
        Ok(frame) => Ok(frame),
        Err(OutOfFrames) => {
            run(kernel, BATCH);
            kernel.memory.allocate_zeroed()
        }
    }
}

/// Tries to have at least `frames` free; whether there are.
pub(crate) fn make_room(kernel: &mut Kernel, frames: u32) -> bool {
    if kernel.memory.available() < frames {
        run(kernel, (frames - kernel.memory.available()) as usize + BATCH);
    }
    kernel.memory.available() >= frames
}

/// Sets an entry, finding frames for the tables on the way.
///
/// # Errors
/// [`OutOfFrames`] if there are none.
#[inline]
pub(crate) fn set_entry(
    kernel: &mut Kernel,
    space: Id<AddressSpace>,
    page: u64,
    entry: Entry,
) -> Result<Entry, OutOfFrames> {
    match kernel.spaces[space].table.set(&mut kernel.memory, page, entry) {
        Ok(old) => Ok(old),
        Err(OutOfFrames) => {
            run(kernel, BATCH);
            kernel.spaces[space].table.set(&mut kernel.memory, page, entry)
        }
    }
}

/// Frees about `wanted` frames; how many it freed. Whoever needs a frame to stay holds a reference to it.
pub fn run(kernel: &mut Kernel, wanted: usize) -> usize {
    let mut freed = 0;
    while freed < wanted
        && let Some(space) = kernel.mm.lazy.pop_first()
    {
        freed += drop_lazy_pages(kernel, space);
    }
    // The hand goes round twice at most: the first time it clears accessed bits.
    let mut steps = 2 * kernel.mm.clean.pages.len();
    while freed < wanted
        && steps > 0
        && let Some((inode, index)) = kernel.mm.clean.advance()
    {
        freed += usize::from(drop_clean_page(kernel, inode, index));
        steps -= 1;
    }
    kernel.mm.counters.reclaimed += freed as u64;
    freed
}

/// The pages of files in memory that are as on the host: the ones that can be dropped. A clock whose hand goes round.
#[derive(Debug, Default)]
pub struct CleanPages {
    pages: BTreeSet<(Id<Inode>, u64)>,
    hand: Option<(Id<Inode>, u64)>,
}

impl CleanPages {
    /// Lists a page.
    pub(crate) fn insert(&mut self, inode: Id<Inode>, index: u64) {
        self.pages.insert((inode, index));
    }

    /// Takes a page off the list: it was changed, or is gone.
    pub(crate) fn remove(&mut self, inode: Id<Inode>, index: u64) {
        self.pages.remove(&(inode, index));
    }

    /// Takes all pages of an inode off the list.
    pub(crate) fn forget(&mut self, inode: Id<Inode>) {
        while let Some(page) = self.pages.range((inode, 0)..=(inode, u64::MAX)).next().copied() {
            self.pages.remove(&page);
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.pages.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// Whether a page is listed.
    pub(crate) fn contains(&self, inode: Id<Inode>, index: u64) -> bool {
        self.pages.contains(&(inode, index))
    }

    /// The next page under the hand.
    fn advance(&mut self) -> Option<(Id<Inode>, u64)> {
        let behind = self.hand.and_then(|hand| self.pages.range((Bound::Excluded(hand), Bound::Unbounded)).next());
        self.hand = behind.or_else(|| self.pages.first()).copied();
        self.hand
    }
}

/// Drops a clean page, unless it was used since the hand came by, is locked, or somebody holds it for a moment. Whether
/// it did.
fn drop_clean_page(kernel: &mut Kernel, inode: Id<Inode>, index: u64) -> bool {
    let frame = page_cache::clean(kernel, inode, index).expect("a listed page is clean and in memory");
    if kernel.memory.count(frame) > 1 && !unmap_page(kernel, inode, index, frame) {
        return false;
    }
    if kernel.memory.count(frame) > 1 {
        return false;
    }
    page_cache::drop_pages(kernel, inode, index, index + 1);
    true
}

/// Takes a page of a file out of all page tables, unless it was accessed or is locked: then only its accessed bits are
/// cleared. Where the page is still needed, a fault brings it back.
fn unmap_page(kernel: &mut Kernel, inode: Id<Inode>, index: u64, frame: FrameNumber) -> bool {
    let places = places_of(kernel, inode, index);
    let mut was_used = false;
    for (space, page, _, is_locked) in &places {
        let AddressSpace { table, tlb, .. } = &mut kernel.spaces[*space];
        let entry = table.entry(&kernel.memory, *page);
        if !entry.is_present() || entry.frame() != frame {
            continue;
        }
        was_used |= *is_locked;
        if entry.is_accessed() {
            was_used = true;
            table.replace(&mut kernel.memory, *page, entry.without(Entry::ACCESSED));
            tlb.flush_page(*page);
        }
    }
    if !was_used {
        for (space, page, backing, _) in places {
            unmap::take_entries(kernel, space, backing, page..page + FRAME_SIZE as u64, Copies::Stay);
        }
    }
    !was_used
}

/// Where a page of a file may be mapped: address spaces and addresses, and whether the area is locked.
fn places_of(kernel: &Kernel, inode: Id<Inode>, index: u64) -> Vec<(Id<AddressSpace>, u64, Backing, bool)> {
    let mut places = Vec::new();
    for space in kernel.mm.mappers(Origin::Inode(inode)) {
        for area in kernel.spaces[space].areas.iter() {
            if matches!(area.backing, Backing::File { inode: mapped, .. } if mapped == inode)
                && let Some(range) = unmap::pages_in(area, &(index..index + 1))
            {
                places.push((space, range.start, area.backing, area.flags.has(AreaFlags::LOCKED)));
            }
        }
    }
    places
}

/// Drops the pages that MADV_FREE gave up and nobody wrote since; how many.
fn drop_lazy_pages(kernel: &mut Kernel, space: Id<AddressSpace>) -> usize {
    let AddressSpace { table, tlb, resident, .. } = &mut kernel.spaces[space];
    let before = kernel.memory.available();
    table.update(&mut kernel.memory, 0..u64::MAX, |memory, page, entry| {
        if entry.0 & LAZY_FREE == 0 {
            return entry;
        }
        if entry.is_dirty() {
            return entry.without(LAZY_FREE);
        }
        assert!(entry.0 & PRIVATE != 0, "only private pages are given up");
        resident.private -= 1;
        memory.release(entry.frame());
        tlb.flush_page(page);
        Entry::NONE
    });
    (kernel.memory.available() - before) as usize
}
