//! Finding frames when none are free. Private pages given up by MADV_FREE go first; then [`super::replacement`] chooses
//! what [`evict`] takes out of all page tables:
//!
//! ```text
//!                            clean, and its bytes are elsewhere      otherwise
//! private, shared memory     the slot in swap counts again           written to swap
//! file, as on the host       dropped                                 -
//! file, changed              the slot on disk (tmpfs: swap) counts   written there
//! ```

use crate::event::{Event, EvictedTo};
use crate::fs::{FileSystem, page_cache};
use crate::kernel::Kernel;
use crate::mm::address_space::{AddressSpace, LAZY_FREE, PRIVATE};
use crate::mm::owners::{Owner, Record};
use crate::mm::replacement;
use crate::mm::rmap::{self, Place};
use crate::mm::shared_memory;
use crate::mm::store::{SlotNumber, StoreKind};
use crate::mm::vma::Vma;
use crate::table::Id;
use machine::tlb_model::FlushCause;
use machine::{Entry, FrameNumber, OutOfFrames};

/// A frame with unspecified contents; its count is 1.
///
/// # Errors
/// [`OutOfFrames`] if none is free and none can be made free.
pub(crate) fn allocate(kernel: &mut Kernel) -> Result<FrameNumber, OutOfFrames> {
    match kernel.memory.allocate() {
        Ok(frame) => Ok(frame),
        Err(OutOfFrames) => {
            make_room(kernel, 1);
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
            make_room(kernel, 1);
            kernel.memory.allocate_zeroed()
        }
    }
}

/// Tries to have at least `frames` free; whether there are.
pub(crate) fn make_room(kernel: &mut Kernel, frames: u32) -> bool {
    let shortage = kernel.memory.shortage(frames);
    if shortage > 0 {
        run(kernel, shortage as usize);
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
    loop {
        match kernel.spaces[space].table.set(&mut kernel.memory, page, entry) {
            Ok(old) => return Ok(old),
            Err(OutOfFrames) if !make_room(kernel, 1) => return Err(OutOfFrames),
            Err(OutOfFrames) => {}
        }
    }
}

/// Frees `wanted` frames if it can; how many it freed. Whoever needs a frame to stay holds a reference to it.
pub fn run(kernel: &mut Kernel, wanted: usize) -> usize {
    let mut freed = 0;
    while freed < wanted
        && let Some(space) = kernel.mm.lazy.pop_first()
    {
        freed += drop_lazy_pages(kernel, space);
    }
    while freed < wanted
        && let Some((frame, places)) = replacement::choose(kernel)
        && evict(kernel, frame, &places)
    {
        freed += 1;
    }
    kernel.mm.counters.reclaimed += freed as u64;
    freed
}

/// Where a page has to be kept when it goes; `None` if it can simply be had again.
pub(crate) fn store_of(kernel: &Kernel, owner: Owner) -> Option<StoreKind> {
    match owner {
        Owner::Nobody => None,
        Owner::Private { .. } | Owner::Shared { .. } => Some(StoreKind::Swap),
        Owner::File { inode, index } => {
            let inode = kernel.vfs.inodes.get(inode)?;
            if !inode.pages()?.is_page_changed(index) {
                return None;
            }
            match kernel.vfs.mounts[inode.mount].file_system {
                FileSystem::Host => Some(StoreKind::Disk),
                _ => Some(StoreKind::Swap),
            }
        }
    }
}

/// Takes a page out of memory, which `places` map and nobody else holds. Whether there was somewhere to put it.
fn evict(kernel: &mut Kernel, frame: FrameNumber, places: &[Place]) -> bool {
    let record = kernel.mm.owners.get(frame);
    let entries = places.iter().map(|place| kernel.spaces[place.space].table.entry(&kernel.memory, place.page));
    let is_dirty = entries.fold(record.is_dirty, |dirty, entry| dirty | entry.is_dirty());
    let store = store_of(kernel, record.owner);
    let users = if let Owner::Private { .. } = record.owner { places.len() as u32 } else { 1 };
    let kept = match store {
        None => None,
        Some(kind) => match keep(kernel, frame, &record, kind, is_dirty, users) {
            Some(kept) => Some((kind, kept)),
            None => return false,
        },
    };
    let slot = kept.map(|(_, kept)| kept.slot);
    for place in places {
        unmap(kernel, frame, place, record.owner, slot);
    }
    match (record.owner, slot) {
        (Owner::Shared { object, index }, Some(slot)) => shared_memory::put_away(kernel, object, index, slot),
        (Owner::File { inode, index }, Some(slot)) => page_cache::put_away(kernel, inode, index, slot),
        (Owner::File { inode, index }, None) => page_cache::drop_pages(kernel, inode, index, index + 1),
        _ => {}
    }
    assert_eq!(kernel.memory.count(frame), 0, "all references of an evicted page are known");
    if let Some(record) = kernel.mm.owners.get_mut(frame) {
        *record = Record::default();
    }
    let to = match kept {
        None => EvictedTo::Nowhere,
        Some((kind, Kept { was_copy: true, .. })) => EvictedTo::Copy(kind),
        Some((kind, Kept { was_copy: false, .. })) => EvictedTo::Store(kind),
    };
    kernel.mm.counters.count(to);
    kernel.emit(Event::PageEvicted { frame: frame.0, to });
    true
}

/// Where a page was put.
#[derive(Clone, Copy)]
struct Kept {
    slot: SlotNumber,
    /// It was there already: the page is clean.
    was_copy: bool,
}

/// Puts a page into a store, unless it is there. The dirty bit decides.
fn keep(
    kernel: &mut Kernel,
    frame: FrameNumber,
    record: &Record,
    kind: StoreKind,
    is_dirty: bool,
    users: u32,
) -> Option<Kept> {
    let at = kernel.mm.owners.loads;
    if let Some((_, slot)) = record.copy.filter(|(kind, slot)| kernel.mm.store(*kind).is_copy(*slot, frame)) {
        let store = kernel.mm.store_mut(kind);
        if !is_dirty {
            store.add_users(slot, users);
            store.forget_copy(slot, frame);
            store.set_written_at(slot, at);
            return Some(Kept { slot, was_copy: true });
        }
        store.forget_copy(slot, frame);
    }
    let bytes = kernel.memory.bytes(frame);
    let store = if kind == StoreKind::Swap { &mut kernel.mm.swap } else { &mut kernel.mm.disk };
    Some(Kept { slot: store.write(bytes, users, at)?, was_copy: false })
}

/// Takes one entry that maps the frame away; a private page's says from now on where the page is.
fn unmap(kernel: &mut Kernel, frame: FrameNumber, place: &Place, owner: Owner, slot: Option<SlotNumber>) {
    let AddressSpace { table, tlb, resident, swapped, .. } = &mut kernel.spaces[place.space];
    let left = match (owner, slot) {
        (Owner::Private { .. }, Some(slot)) => {
            resident.private -= 1;
            *swapped += 1;
            swapped_entry(slot)
        }
        (Owner::Shared { .. }, _) => {
            resident.shared -= 1;
            Entry::NONE
        }
        _ => {
            resident.file -= 1;
            Entry::NONE
        }
    };
    table.replace(&mut kernel.memory, place.page, left);
    tlb.flush_page(place.page, FlushCause::Reclaim);
    kernel.memory.release(frame);
}

/// The entry of a private page that is in a slot of swap.
pub(crate) fn swapped_entry(slot: SlotNumber) -> Entry {
    Entry::new(FrameNumber(slot.0), PRIVATE).without(Entry::PRESENT)
}

/// The slot that holds the page of an entry, if it is swapped out.
#[inline]
pub(crate) fn slot_of(entry: Entry) -> Option<SlotNumber> {
    (entry.0 & (Entry::PRESENT | PRIVATE) == PRIVATE).then(|| SlotNumber(entry.frame().0))
}

/// Takes the pages of an area out of memory that can go now, used or not: MADV_PAGEOUT. Pages that others map too stay.
pub(crate) fn page_out(kernel: &mut Kernel, space: Id<AddressSpace>, area: &Vma) {
    for mapped in kernel.spaces[space].table.entries(&kernel.memory, area.start..area.end) {
        let frame = mapped.entry.frame();
        if !mapped.entry.is_present() || Some(frame) == kernel.mm.zero {
            continue;
        }
        let owner = kernel.mm.owners.get(frame).owner;
        if let Some(places) = rmap::places(kernel, frame, owner)
            && places.len() == 1
            && !rmap::is_locked(kernel, &places)
        {
            evict(kernel, frame, &places);
        }
    }
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
        tlb.flush_page(page, FlushCause::Reclaim);
        Entry::NONE
    });
    (kernel.memory.available() - before) as usize
}
