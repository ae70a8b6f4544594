//! [`SharedMemory`]: frames without a file that several address spaces map, mmap(2) `MAP_SHARED|MAP_ANONYMOUS`,
//! shmget(2).

use crate::ipc::sysv::ObjectId;
use crate::kernel::Kernel;
use crate::mm::{Origin, reclaim, unmap};
use crate::table::Id;
use machine::{FRAME_SIZE, FrameNumber, OutOfFrames};
use std::collections::BTreeMap;
use std::ops::Range;

/// Frames that belong to no file.
///
/// # Invariants
/// - each page counts once among its frame's references; none lies behind `size`.
#[derive(Debug)]
pub struct SharedMemory {
    /// Its inode number in /proc/PID/maps.
    pub number: u64,
    /// Its name there: `/dev/zero (deleted)`, `/SYSV00000000 (deleted)`.
    pub name: Box<str>,
    /// Bytes, whole pages.
    pub size: u64,
    /// Pages that have been used.
    pages: BTreeMap<u64, FrameNumber>,
    /// Address spaces that map it, and the System V segment that it is.
    pub references: u32,
    /// The System V segment that it is.
    pub segment: Option<ObjectId>,
}

impl SharedMemory {
    /// The frame of a page, if it has been used.
    pub fn frame(&self, index: u64) -> Option<FrameNumber> {
        self.pages.get(&index).copied()
    }

    /// All pages that have been used, in order.
    pub fn pages(&self) -> impl Iterator<Item = (u64, FrameNumber)> + '_ {
        self.pages.iter().map(|(index, frame)| (*index, *frame))
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
        for frame in kernel.mm.shared.remove(id).pages.into_values() {
            kernel.memory.release(frame);
        }
    }
}

/// What looking for a page gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// It was there.
    Present(FrameNumber),
    /// It is new and zero.
    New(FrameNumber),
    /// It lies behind the end.
    Beyond,
}

/// The frame of a page, made if need be. The object keeps its own reference to it.
pub(crate) fn page(kernel: &mut Kernel, id: Id<SharedMemory>, index: u64) -> Result<Found, OutOfFrames> {
    let object = &kernel.mm.shared[id];
    if let Some(frame) = object.frame(index) {
        return Ok(Found::Present(frame));
    }
    if index >= object.size / FRAME_SIZE as u64 {
        return Ok(Found::Beyond);
    }
    let frame = reclaim::allocate_zeroed(kernel)?;
    kernel.mm.shared[id].pages.insert(index, frame);
    Ok(Found::New(frame))
}

/// Punches a hole: pages of `range` become zero again, for all that map them. MADV_REMOVE.
pub(crate) fn remove_pages(kernel: &mut Kernel, id: Id<SharedMemory>, range: Range<u64>) {
    unmap::forget_pages(kernel, Origin::Shared(id), range.clone(), unmap::Copies::Stay);
    let gone: Vec<u64> = kernel.mm.shared[id].pages.range(range).map(|(index, _)| *index).collect();
    for index in gone {
        let frame = kernel.mm.shared[id].pages.remove(&index).expect("listed above");
        kernel.memory.release(frame);
    }
}
