//! Finding frames when none are free: clean pages of files are dropped, mapped ones after those that nobody maps;
//! pages given up by MADV_FREE go too.

use crate::fs::page_cache;
use crate::kernel::Kernel;
use crate::mm::address_space::{AddressSpace, LAZY_FREE, PRIVATE};
use crate::mm::unmap::{self, Copies};
use crate::mm::vma::{AreaFlags, Backing};
use crate::table::Id;
use machine::{Entry, FrameNumber, OutOfFrames};
use std::ops::Range;

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
    let mut freed = page_cache::reclaim(kernel, wanted);
    if freed < wanted {
        let spaces: Vec<_> = kernel.spaces.ids().collect();
        for space in spaces {
            freed += drop_lazy_pages(kernel, space);
            if freed >= wanted {
                break;
            }
            // Where a page is still needed, a minor fault brings it back.
            if unmap_file_pages(kernel, space) > 0 {
                freed += page_cache::reclaim(kernel, wanted - freed);
            }
            if freed >= wanted {
                break;
            }
        }
    }
    kernel.mm.counters.reclaimed += freed as u64;
    freed
}

/// Drops the pages that MADV_FREE gave up and nobody wrote since; how many.
fn drop_lazy_pages(kernel: &mut Kernel, space: Id<AddressSpace>) -> usize {
    let AddressSpace { table, tlb, resident, has_lazy_pages, .. } = &mut kernel.spaces[space];
    if !std::mem::take(has_lazy_pages) {
        return 0;
    }
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

/// Takes unlocked pages of files out of the page table; how many.
fn unmap_file_pages(kernel: &mut Kernel, space: Id<AddressSpace>) -> u64 {
    let areas: Vec<(Backing, Range<u64>)> = kernel.spaces[space]
        .areas
        .iter()
        .filter(|area| matches!(area.backing, Backing::File { .. }) && !area.flags.has(AreaFlags::LOCKED))
        .map(|area| (area.backing, area.start..area.end))
        .collect();
    areas.into_iter().map(|(backing, range)| unmap::take_entries(kernel, space, backing, range, Copies::Stay)).sum()
}
