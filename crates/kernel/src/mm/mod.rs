//! Virtual memory: address spaces, their areas, and the faults that fill them.
//!
//! [`vma`] says what an area is, [`areas`] keeps them; [`address_space`] adds page table, TLB and counts. [`map`] makes
//! areas, [`protect`], [`remap`], [`advise`], [`lock`] and [`heap`] change them, unless they are sealed ([`seal`]).
//! [`unmap`] is the one place where entries of page tables go away, so that frame counts, TLBs and table frames stay
//! right. [`fault`] fills pages in, [`fork`] shares them copy-on-write. When no frame is free, [`reclaim`] takes pages out
//! of memory that [`replacement`] chooses, with [`owners`] and [`rmap`] to find who maps them and a [`store`] to keep them;
//! when none can go, [`oom`] chooses a process. [`report`] is what others may read; [`check`] recounts everything.

pub mod address_space;
mod advise;
pub mod areas;
pub mod arguments;
pub mod calls;
pub mod check;
pub mod fault;
pub mod fork;
pub mod heap;
pub mod layout;
pub mod limits;
mod lock;
pub mod map;
pub mod oom;
pub(crate) mod owners;
pub mod peer;
pub mod policy;
mod protect;
#[cfg(test)]
mod random_tests;
pub mod reclaim;
mod remap;
pub mod replacement;
#[cfg(test)]
mod replacement_tests;
pub mod report;
mod rmap;
pub mod seal;
pub mod shared_memory;
pub mod store;
pub(crate) mod swap;
#[cfg(test)]
mod tests;
pub mod unmap;
pub mod vma;

pub use abi::mman::{PROT_EXEC, PROT_READ, PROT_WRITE};
pub use address_space::AddressSpace;
pub use fault::BadAccess;
pub use map::{Request, Source};
pub use shared_memory::SharedMemory;
pub use store::{Store, StoreKind};
pub use unmap::{release_space, truncate_mappings};
pub use vma::{AreaFlags, Backing, Object, Origin, Vma};

use crate::event::EvictedTo;
use crate::kernel::{Configuration, Kernel};
use crate::table::{Id, Table};
use layout::Layout;
use machine::{FrameNumber, OutOfFrames, PageTable, Tlb};
use std::collections::{BTreeMap, BTreeSet};

/// What all address spaces have in common.
#[derive(Debug, Default)]
pub struct Memory {
    /// Shared memory without a file.
    pub shared: Table<SharedMemory>,
    /// Inode numbers given to shared memory so far.
    shared_numbers: u64,
    /// The page that untouched private memory reads as; made when it is first needed.
    zero: Option<FrameNumber>,
    /// The address spaces that map an object.
    mappers: BTreeMap<Origin, BTreeSet<Id<AddressSpace>>>,
    /// Where program files are mapped in every process if possible, and how far that region is given away.
    places: map::Places,
    /// What each frame holds.
    pub(crate) owners: owners::Owners,
    /// The address spaces that may share private pages, by [`AddressSpace::family`].
    families: BTreeMap<u32, BTreeSet<Id<AddressSpace>>>,
    /// Families so far.
    families_ever: u32,
    /// Which page goes when memory is full.
    pub replacement: replacement::Replacement,
    /// Pages that are swapped out.
    pub swap: Store,
    /// Changed pages of files, as far as memory has no room for them.
    pub disk: Store,
    /// Address spaces with pages that MADV_FREE gave up.
    lazy: BTreeSet<Id<AddressSpace>>,
    /// TLBs of address spaces that are gone, empty.
    spare_tlbs: Vec<Tlb>,
    /// Whether TLBs log what is flushed, for a model. To be set before there is an address space.
    pub logs_flushes: bool,
    /// proc(5) /proc/sys/vm.
    pub settings: Settings,
    /// Counts since the start, for /proc/vmstat.
    pub counters: Counters,
}

/// /proc/sys/vm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `overcommit_memory`: 0 refuses only what is obviously too much, 1 refuses nothing, 2 keeps to a limit.
    pub overcommit: u32,
    /// `overcommit_ratio`: percentage of memory that mode 2 gives away.
    pub overcommit_ratio: u32,
    /// `mmap_min_addr`.
    pub lowest_address: u64,
    /// `max_map_count`.
    pub most_areas: usize,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { overcommit: 0, overcommit_ratio: 50, lowest_address: 4096, most_areas: 65530 }
    }
}

/// Counts since the start, for /proc/vmstat and the account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// `pgfault`.
    pub faults: u64,
    /// `pgmajfault`.
    pub major_faults: u64,
    /// `pgsteal_direct`: frames that reclaim freed.
    pub reclaimed: u64,
    /// `oom_kill`: processes that the out-of-memory killer chose.
    pub out_of_memory: u64,
    /// `pswpin`: pages read back from swap.
    pub swapped_in: u64,
    /// `pswpout`: pages written to swap.
    pub swapped_out: u64,
    /// Pages read back from the disk.
    pub disk_in: u64,
    /// Pages of files written to the disk.
    pub disk_out: u64,
    /// Pages that went without being written because the store still had their bytes: the dirty bit saved a write.
    pub writes_saved: u64,
    /// Pages that went without being written because the host's file has their bytes.
    pub dropped: u64,
    /// `workingset_refault`: pages read back after fewer evictions than there are frames; they would have been here still
    /// if memory were at most twice as large.
    pub refaults: u64,
    /// How much larger memory would have had to be, in eighths of itself: up to one, up to two, ...
    pub refault_reach: [u64; 8],
}

impl Counters {
    fn count(&mut self, to: EvictedTo) {
        match to {
            EvictedTo::Nowhere => self.dropped += 1,
            EvictedTo::Copy(_) => self.writes_saved += 1,
            EvictedTo::Store(StoreKind::Swap) => self.swapped_out += 1,
            EvictedTo::Store(StoreKind::Disk) => self.disk_out += 1,
        }
    }
}

/// TLBs kept for the next address space. Each is 165 KiB; without them every fork would clear that much.
const SPARE_TLBS: usize = 64;

impl Memory {
    /// Nothing in use, with so much swap and disk.
    pub(crate) fn new(configuration: &Configuration) -> Memory {
        let slots = |bytes: u64| u32::try_from(bytes / configuration.paging.page_size()).unwrap_or(u32::MAX);
        Memory {
            replacement: replacement::Replacement::new(configuration.replacement),
            swap: Store::new(slots(configuration.swap_bytes)),
            disk: Store::new(slots(configuration.disk_bytes)),
            ..Memory::default()
        }
    }

    /// One of the stores.
    pub fn store(&self, kind: StoreKind) -> &Store {
        match kind {
            StoreKind::Swap => &self.swap,
            StoreKind::Disk => &self.disk,
        }
    }

    pub(crate) fn store_mut(&mut self, kind: StoreKind) -> &mut Store {
        match kind {
            StoreKind::Swap => &mut self.swap,
            StoreKind::Disk => &mut self.disk,
        }
    }

    /// The address spaces that may share private pages, in order.
    fn family(&self, family: u32) -> impl Iterator<Item = Id<AddressSpace>> + '_ {
        self.families.get(&family).into_iter().flatten().copied()
    }

    fn leave_family(&mut self, family: u32, space: Id<AddressSpace>) {
        let members = self.families.get_mut(&family).expect("every address space is in its family");
        members.remove(&space);
        if members.is_empty() {
            self.families.remove(&family);
        }
    }

    /// A TLB that holds nothing.
    fn take_tlb(&mut self, memory: &machine::PhysicalMemory) -> Tlb {
        let mut tlb = match self.spare_tlbs.pop() {
            Some(mut tlb) => {
                tlb.recycle(memory);
                tlb
            }
            None => Tlb::new(memory),
        };
        tlb.keep_log(self.logs_flushes);
        tlb
    }

    fn keep_tlb(&mut self, tlb: Tlb) {
        if self.spare_tlbs.len() < SPARE_TLBS {
            self.spare_tlbs.push(tlb);
        }
    }

    /// The address spaces that map an object, in order.
    pub fn mappers(&self, origin: Origin) -> impl Iterator<Item = Id<AddressSpace>> + '_ {
        self.mappers.get(&origin).into_iter().flatten().copied()
    }

    /// How many address spaces map an object.
    pub fn mapper_count(&self, origin: Origin) -> usize {
        self.mappers.get(&origin).map_or(0, BTreeSet::len)
    }

    /// The frame that untouched private memory reads as, if it was needed yet.
    pub fn zero_frame(&self) -> Option<FrameNumber> {
        self.zero
    }
}

/// Makes an empty address space with one user, laid out for a soft limit of the stack in bytes (RLIMIT_STACK).
///
/// # Errors
/// [`OutOfFrames`] if there is no frame for its root table.
pub fn new_space(kernel: &mut Kernel, stack_limit: u64) -> Result<Id<AddressSpace>, OutOfFrames> {
    let scheme = kernel.configuration.paging.clone();
    reclaim::make_room(kernel, scheme.table_frames(0));
    let layout = Layout::new(&scheme, stack_limit);
    let table = PageTable::new(scheme, &mut kernel.memory)?;
    let tlb = kernel.mm.take_tlb(&kernel.memory);
    kernel.mm.families_ever = kernel.mm.families_ever.wrapping_add(1);
    let family = kernel.mm.families_ever;
    let space = kernel.spaces.insert(AddressSpace::new(table, tlb, layout, family));
    kernel.mm.families.entry(family).or_default().insert(space);
    Ok(space)
}

/// Another process uses the address space: vfork(2), `CLONE_VM`.
pub fn share_space(kernel: &mut Kernel, space: Id<AddressSpace>) {
    kernel.spaces[space].references += 1;
}
