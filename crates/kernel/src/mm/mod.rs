//! Virtual memory: address spaces, their areas, and the faults that fill them.
//!
//! [`vma`] says what an area is, [`areas`] keeps them; [`address_space`] adds page table, TLB and counts. [`map`] makes
//! areas, [`protect`], [`remap`], [`advise`], [`lock`] and [`heap`] change them. [`unmap`] is the one place where
//! entries of page tables go away, so that frame counts, TLBs and table frames stay right. [`fault`] fills pages in,
//! [`fork`] shares them copy-on-write, [`reclaim`] finds frames when none are free. [`report`] is what others may read;
//! [`check`] recounts everything.

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
pub mod peer;
pub mod policy;
mod protect;
pub mod reclaim;
mod remap;
pub mod report;
pub mod shared_memory;
#[cfg(test)]
mod tests;
pub mod unmap;
pub mod vma;

pub use abi::mman::{PROT_EXEC, PROT_READ, PROT_WRITE};
pub use address_space::AddressSpace;
pub use fault::BadAccess;
pub use map::{Request, Source};
pub use shared_memory::SharedMemory;
pub use unmap::{release_space, truncate_mappings};
pub use vma::{AreaFlags, Backing, Object, Origin, Vma};

use crate::kernel::Kernel;
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
    /// The pages of files that can be dropped.
    pub clean: reclaim::CleanPages,
    /// Address spaces with pages that MADV_FREE gave up.
    lazy: BTreeSet<Id<AddressSpace>>,
    /// TLBs of address spaces that are gone, empty.
    spare_tlbs: Vec<Tlb>,
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
        Settings { overcommit: 0, overcommit_ratio: 50, lowest_address: 65536, most_areas: 65530 }
    }
}

/// Counts since the start, for /proc/vmstat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// `pgfault`.
    pub faults: u64,
    /// `pgmajfault`.
    pub major_faults: u64,
    /// `pgsteal_direct`: frames that reclaim freed.
    pub reclaimed: u64,
    /// `oom_kill`: faults that no frame could be found for.
    pub out_of_memory: u64,
}

/// TLBs kept for the next address space. Each is 165 KiB; without them every fork would clear that much.
const SPARE_TLBS: usize = 64;

impl Memory {
    /// A TLB that holds nothing.
    fn take_tlb(&mut self, memory: &machine::PhysicalMemory) -> Tlb {
        match self.spare_tlbs.pop() {
            Some(mut tlb) => {
                tlb.recycle(memory);
                tlb
            }
            None => Tlb::new(memory),
        }
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
    reclaim::make_room(kernel, 1);
    let scheme = kernel.configuration.paging.clone();
    let layout = Layout::new(&scheme, stack_limit);
    let table = PageTable::new(scheme, &mut kernel.memory)?;
    let tlb = kernel.mm.take_tlb(&kernel.memory);
    Ok(kernel.spaces.insert(AddressSpace::new(table, tlb, layout)))
}

/// Another process uses the address space: vfork(2), `CLONE_VM`.
pub fn share_space(kernel: &mut Kernel, space: Id<AddressSpace>) {
    kernel.spaces[space].references += 1;
}
