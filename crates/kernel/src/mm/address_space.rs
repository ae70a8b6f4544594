//! [`AddressSpace`]: areas, page table, TLB and counts of one program.

use crate::mm::areas::Areas;
use crate::mm::layout::Layout;
use crate::mm::vma::AreaFlags;
use machine::{Entry, PageSize, PageTable, PhysicalMemory, Tlb};

/// What may be mapped (areas) and what is (the page table).
///
/// # Invariants
/// - every entry of the table lies in an area;
/// - an entry marked [`PRIVATE`] is the private page of a private area, and if it is not present, it names the slot of
///   swap that the page is in; one marked [`GUARD`] names nothing; all others name frames of the object under the area,
///   or the shared page of zeroes;
/// - an entry permits no more than its area; it permits writing only if the frame has no other owner that would see it;
/// - `resident` and `swapped` count the table's entries by kind.
#[derive(Debug)]
pub struct AddressSpace {
    /// What is mapped.
    pub table: PageTable,
    /// A cache of it.
    pub tlb: Tlb,
    /// What may be mapped.
    pub areas: Areas,
    /// Where things lie.
    pub layout: Layout,
    /// Processes that use it; a `vfork(2)` child counts.
    pub references: u32,
    /// brk(2): where the heap begins.
    pub heap_start: u64,
    /// brk(2): where it ends; any byte.
    pub heap_end: u64,
    /// An address in the first stack, for its name in /proc/PID/maps.
    pub stack_start: u64,
    /// mlockall(2) `MCL_FUTURE`: flags that new areas get.
    pub future_flags: AreaFlags,
    /// Pages in memory.
    pub resident: Resident,
    /// Private pages that are swapped out: VmSwap.
    pub swapped: u64,
    /// Those that it forked from and to have the same number: the address spaces that may share its private pages.
    pub family: u32,
    /// The out-of-memory killer took its pages: nothing is brought in any more.
    pub is_reaped: bool,
    /// The most pages that were in memory at once, and bytes mapped: VmHWM, VmPeak.
    pub peak: Peak,
    /// Page faults served.
    pub faults: Faults,
}

/// Software bit of an entry: the frame belongs to this address space (and those it forked from or to), not to a file or
/// shared memory. Linux: an anonymous page.
pub const PRIVATE: u64 = 1 << 9;
/// Software bit of an entry with [`PRIVATE`]: MADV_FREE said that the page may be dropped unless it is dirty.
pub const LAZY_FREE: u64 = 1 << 10;
/// Software bit of an entry that names nothing: MADV_GUARD_INSTALL made every access to the page a fault.
pub const GUARD: u64 = 1 << 11;
/// The entry of a guard.
pub(crate) const GUARD_ENTRY: Entry = Entry(GUARD);

/// Pages in memory, as /proc/PID/status tells them apart. The shared page of zeroes counts nowhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resident {
    /// Private pages: RssAnon.
    pub private: u64,
    /// Pages of files: RssFile.
    pub file: u64,
    /// Pages of shared memory: RssShmem.
    pub shared: u64,
}

impl Resident {
    /// All: VmRSS, in pages.
    pub fn total(self) -> u64 {
        self.private + self.file + self.shared
    }
}

/// High-water marks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Peak {
    /// Pages in memory.
    pub resident: u64,
    /// Bytes mapped.
    pub mapped: u64,
}

/// Page faults served, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// A new page of zeroes.
    pub zero_fill: u64,
    /// The shared page of zeroes, for a read.
    pub zero_page: u64,
    /// A page of a file or of shared memory that was in memory.
    pub minor: u64,
    /// A page of a file that had to be read.
    pub major: u64,
    /// A page that was read back from swap or from the disk.
    pub swapped_in: u64,
    /// A copy, because others use the page too.
    pub copy_on_write: u64,
    /// A page that became writable where it is: its last owner, or a shared page that is dirty from now on.
    pub reuse: u64,
}

impl Faults {
    /// Those that Linux counts as minor.
    pub fn minor_total(&self) -> u64 {
        self.zero_fill + self.zero_page + self.minor + self.copy_on_write + self.reuse
    }
}

impl AddressSpace {
    /// An empty address space with one user.
    pub(crate) fn new(table: PageTable, tlb: Tlb, layout: Layout, family: u32) -> AddressSpace {
        let page_size = PageSize::of_bits(table.scheme().offset_bits()).expect("programs run with such pages");
        AddressSpace {
            table,
            tlb,
            areas: Areas::new(layout.mapping_top, page_size),
            layout,
            references: 1,
            heap_start: 0,
            heap_end: 0,
            stack_start: 0,
            future_flags: AreaFlags::NONE,
            resident: Resident::default(),
            swapped: 0,
            family,
            is_reaped: false,
            peak: Peak::default(),
            faults: Faults::default(),
        }
    }

    /// Bytes of frames that its page tables take.
    pub fn table_bytes(&self) -> u64 {
        self.table.table_frames() * self.table.scheme().page_size()
    }

    /// Whether the page of `address` is in memory.
    pub fn is_resident(&self, memory: &PhysicalMemory, address: u64) -> bool {
        self.table.entry(memory, address).is_present()
    }

    /// Notes the high-water marks; to be called when something was added.
    pub(crate) fn note_peak(&mut self) {
        self.peak.resident = self.peak.resident.max(self.resident.total());
        self.peak.mapped = self.peak.mapped.max(self.areas.totals().mapped);
    }

    /// Whether the area from `start` to `end` is the heap, for its name.
    pub fn is_heap(&self, start: u64, end: u64) -> bool {
        start < self.heap_end && end > self.heap_start
    }

    /// Whether the area from `start` to `end` is the first stack, for its name.
    pub fn is_stack(&self, start: u64, end: u64) -> bool {
        start <= self.stack_start && end >= self.stack_start
    }
}
