//! [`SharedMemory`]: frames without a file that several address spaces map, mmap(2) `MAP_SHARED|MAP_ANONYMOUS`,
//! shmget(2).

use crate::ipc::sysv::ObjectId;
use crate::kernel::Kernel;
use crate::mm::owners::{self, Owner};
use crate::mm::store::{SlotNumber, StoreKind};
use crate::mm::{Origin, reclaim, swap, unmap};
use crate::table::Id;
use machine::{FrameNumber, OutOfFrames};
use std::collections::BTreeMap;
use std::ops::Range;

/// Where a page of an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PagePlace {
    /// In memory.
    Frame(FrameNumber),
    /// In swap, or on the disk: the object knows which.
    Slot(SlotNumber),
}

impl PagePlace {
    /// The frame, if it is in memory.
    pub fn frame(self) -> Option<FrameNumber> {
        match self {
            PagePlace::Frame(frame) => Some(frame),
            PagePlace::Slot(_) => None,
        }
    }
}

/// Frames that belong to no file.
///
/// # Invariants
/// - each page counts once among its frame's references, or is one of the users of its slot; none lies behind `size`.
#[derive(Debug)]
pub struct SharedMemory {
    /// Its inode number in /proc/PID/maps.
    pub number: u64,
    /// Its name there: `/dev/zero (deleted)`, `/SYSV00000000 (deleted)`.
    pub name: Box<str>,
    /// Bytes, whole pages.
    pub size: u64,
    /// Pages that have been used.
    pages: BTreeMap<u64, PagePlace>,
    /// Its pages stay in memory, shmctl(2) `SHM_LOCK`.
    pub is_locked: bool,
    /// Address spaces that map it, and the System V segment that it is.
    pub references: u32,
    /// The System V segment that it is.
    pub segment: Option<ObjectId>,
}

impl SharedMemory {
    /// The frame of a page, if it is in memory.
    pub fn frame(&self, index: u64) -> Option<FrameNumber> {
        self.pages.get(&index)?.frame()
    }

    /// All pages in memory, in order.
    pub fn pages(&self) -> impl Iterator<Item = (u64, FrameNumber)> + '_ {
        self.pages.iter().filter_map(|(index, place)| Some((*index, place.frame()?)))
    }

    /// The slots of all pages that are swapped out.
    pub fn slots(&self) -> impl Iterator<Item = SlotNumber> + '_ {
        self.pages.values().filter_map(|place| match place {
            PagePlace::Slot(slot) => Some(*slot),
            PagePlace::Frame(_) => None,
        })
    }

    /// How many pages of a range are swapped out.
    pub fn swapped_in_range(&self, range: Range<u64>) -> u64 {
        self.pages.range(range).filter(|(_, place)| place.frame().is_none()).count() as u64
    }
}

/// Makes shared memory of `size` bytes, whole pages, of zeroes. The caller holds one reference.
pub fn create(kernel: &mut Kernel, size: u64, name: &str) -> Id<SharedMemory> {
    kernel.mm.shared_numbers += 1;
    let number = kernel.mm.shared_numbers;
    kernel.mm.shared.insert(SharedMemory {
        number,
        name: name.into(),
        size,
        pages: BTreeMap::new(),
        is_locked: false,
        references: 1,
        segment: None,
    })
}

/// Takes another reference.
pub fn retain(kernel: &mut Kernel, id: Id<SharedMemory>) {
    kernel.mm.shared[id].references += 1;
}

/// Gives a reference back; with the last one go the pages.
pub fn release(kernel: &mut Kernel, id: Id<SharedMemory>) {
    let object = &mut kernel.mm.shared[id];
    assert!(object.references > 0, "a reference is given back once");
    object.references -= 1;
    let references = object.references;
    if references == 1 {
        crate::ipc::sysv::shared_memory::left_alone(kernel, id);
    } else if references == 0 {
        for place in kernel.mm.shared.remove(id).pages.into_values() {
            give_back(kernel, place);
        }
    }
}

fn give_back(kernel: &mut Kernel, place: PagePlace) {
    match place {
        PagePlace::Frame(frame) => kernel.memory.release(frame),
        PagePlace::Slot(slot) => kernel.mm.swap.release(slot),
    }
}

/// What looking for a page gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// It was there.
    Present(FrameNumber),
    /// It was read back from swap.
    Read(FrameNumber),
    /// It is new and zero.
    New(FrameNumber),
    /// It lies behind the end.
    Beyond,
}

/// The frame of a page, made if need be. The object keeps its own reference to it.
pub(crate) fn page(kernel: &mut Kernel, id: Id<SharedMemory>, index: u64) -> Result<Found, OutOfFrames> {
    let object = &kernel.mm.shared[id];
    match object.pages.get(&index) {
        Some(PagePlace::Frame(frame)) => return Ok(Found::Present(*frame)),
        Some(PagePlace::Slot(slot)) => return bring_in(kernel, id, index, *slot),
        None => {}
    }
    if index >= kernel.page_size().number(object.size) {
        return Ok(Found::Beyond);
    }
    let frame = reclaim::allocate_zeroed(kernel)?;
    kernel.mm.shared[id].pages.insert(index, PagePlace::Frame(frame));
    owners::load(kernel, frame, Owner::Shared { object: id, index });
    Ok(Found::New(frame))
}

/// Reads a page back from swap.
fn bring_in(kernel: &mut Kernel, id: Id<SharedMemory>, index: u64, slot: SlotNumber) -> Result<Found, OutOfFrames> {
    let frame = reclaim::allocate(kernel)?;
    kernel.memory.bytes_mut(frame).copy_from_slice(kernel.mm.swap.bytes(slot));
    owners::load(kernel, frame, Owner::Shared { object: id, index });
    swap::note_read(kernel, frame, StoreKind::Swap, slot);
    kernel.mm.swap.release(slot);
    kernel.mm.shared[id].pages.insert(index, PagePlace::Frame(frame));
    Ok(Found::Read(frame))
}

/// A page, which nobody maps any more, is in a slot of swap from now on; its frame goes.
pub(super) fn put_away(kernel: &mut Kernel, id: Id<SharedMemory>, index: u64, slot: SlotNumber) {
    let before = kernel.mm.shared[id].pages.insert(index, PagePlace::Slot(slot));
    let Some(PagePlace::Frame(frame)) = before else { unreachable!("only a page in memory is put away") };
    kernel.memory.release(frame);
}

/// Punches a hole: pages of `range` become zero again, for all that map them. MADV_REMOVE.
pub(crate) fn remove_pages(kernel: &mut Kernel, id: Id<SharedMemory>, range: Range<u64>) {
    unmap::forget_pages(kernel, Origin::Shared(id), range.clone(), unmap::Taken::ObjectPages);
    let gone: Vec<u64> = kernel.mm.shared[id].pages.range(range).map(|(index, _)| *index).collect();
    for index in gone {
        let place = kernel.mm.shared[id].pages.remove(&index).expect("listed above");
        give_back(kernel, place);
    }
}
