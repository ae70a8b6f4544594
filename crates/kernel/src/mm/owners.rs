//! [`Owners`]: what every frame holds, from the frame's side: the reverse of page tables and page caches.
//!
//! A record is a hint: who looks for the mappings of a frame counts them against the frame's references, and leaves the
//! frame alone if it did not find all.

use crate::fs::Inode;
use crate::kernel::Kernel;
use crate::mm::shared_memory::SharedMemory;
use crate::mm::store::{SlotNumber, StoreKind};
use crate::table::Id;
use machine::FrameNumber;

/// What a frame holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Owner {
    /// Nothing that could be taken away: page tables, the page of zeroes, or no page at all.
    #[default]
    Nobody,
    /// A private page of one address space or, since a fork, of several of a family, at one address in all of them.
    Private {
        /// [`super::AddressSpace::family`].
        family: u32,
        /// Its address.
        page: u64,
    },
    /// A page of shared memory.
    Shared {
        /// Which.
        object: Id<SharedMemory>,
        /// The page's index.
        index: u64,
    },
    /// A page of a file.
    File {
        /// Which.
        inode: Id<Inode>,
        /// The page's index.
        index: u64,
    },
}

/// What is known of a frame.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Record {
    pub(crate) owner: Owner,
    /// Where the same bytes are in a store, as long as the page is clean and the store says so too.
    pub(crate) copy: Option<(StoreKind, SlotNumber)>,
    /// Written since it was loaded, by somebody whose page-table entry does not say so (any more).
    pub(crate) is_dirty: bool,
    /// Used by a system call since replacement last asked.
    pub(crate) is_used: bool,
    /// An address at which it was mapped last; where to look first.
    pub(crate) mapped_at: u64,
    /// Its number among all pages loaded.
    pub(crate) loaded: u64,
    /// When it was last found to be used; [`super::replacement`] says by what clock.
    pub(crate) used: u64,
}

/// The records of all frames that ever held a page.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    records: Vec<Record>,
    /// Pages loaded so far.
    pub(crate) loads: u64,
}

impl Owners {
    /// How many frames have records: all below this number.
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// The record of a frame.
    pub(crate) fn get(&self, frame: FrameNumber) -> Record {
        self.records.get(frame.0 as usize).copied().unwrap_or_default()
    }

    /// The record of a frame that has one.
    pub(crate) fn get_mut(&mut self, frame: FrameNumber) -> Option<&mut Record> {
        self.records.get_mut(frame.0 as usize)
    }

    /// A frame's page was read or written by a system call that needs no mapping of it.
    #[inline]
    pub(crate) fn note_used(&mut self, frame: FrameNumber) {
        if let Some(record) = self.records.get_mut(frame.0 as usize) {
            record.is_used = true;
        }
    }

    /// A frame's page was written by somebody whose entry goes away, or who had none.
    #[inline]
    pub(crate) fn note_dirty(&mut self, frame: FrameNumber) {
        if let Some(record) = self.records.get_mut(frame.0 as usize) {
            record.is_dirty = true;
        }
    }
}

/// Says what a frame holds from now on: a page was just loaded into it.
#[inline]
pub(crate) fn load(kernel: &mut Kernel, frame: FrameNumber, owner: Owner) {
    let owners = &mut kernel.mm.owners;
    let index = frame.0 as usize;
    if index >= owners.records.len() {
        owners.records.resize_with(index + 1, Record::default);
    }
    owners.loads += 1;
    let loaded = owners.loads;
    let old =
        std::mem::replace(&mut owners.records[index], Record { owner, loaded, used: loaded, ..Record::default() });
    if let Some((kind, slot)) = old.copy {
        kernel.mm.store_mut(kind).forget_copy(slot, frame);
    }
}

/// A private page with one owner moved to another address, or is alone from now on.
#[inline]
pub(crate) fn set_private(kernel: &mut Kernel, frame: FrameNumber, family: u32, page: u64) {
    if let Some(record) = kernel.mm.owners.get_mut(frame) {
        record.owner = Owner::Private { family, page };
    }
}
