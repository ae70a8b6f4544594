//! What others may read of an address space: /proc/PID/maps, smaps, status, statm, pagemap, and the account of a run.

use crate::kernel::Kernel;
use crate::mm::address_space::{GUARD_ENTRY, LAZY_FREE, PRIVATE, Peak, Resident};
use crate::mm::areas::Totals;
use crate::mm::vma::{Backing, Vma};
use crate::mm::{AddressSpace, reclaim};
use crate::table::Id;
use abi::mman::{PROT_EXEC, PROT_READ, PROT_WRITE};
use machine::Entry;

/// The numbers of one address space: /proc/PID/status and statm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Sums over areas, in bytes: VmSize, VmData, VmStk, VmExe and VmLib together, VmLck.
    pub totals: Totals,
    /// Pages in memory: RssAnon, RssFile, RssShmem.
    pub resident: Resident,
    /// VmPeak in bytes, VmHWM in pages.
    pub peak: Peak,
    /// Private pages swapped out: VmSwap.
    pub swapped: u64,
    /// VmPTE: bytes of page tables, all levels.
    pub table_bytes: u64,
    /// How many areas there are.
    pub areas: usize,
}

/// The numbers of one address space.
pub fn summary(kernel: &Kernel, space: Id<AddressSpace>) -> Summary {
    let here = &kernel.spaces[space];
    Summary {
        totals: here.areas.totals(),
        resident: here.resident,
        swapped: here.swapped,
        peak: here.peak,
        table_bytes: here.table_bytes(),
        areas: here.areas.len(),
    }
}

/// What an area permits, as /proc/PID/maps shows it: `rwxp`.
pub fn permissions(area: &Vma) -> String {
    let letter = |bit: u32, letter: char| if area.protection & bit != 0 { letter } else { '-' };
    let shared = if area.shared { 's' } else { 'p' };
    [letter(PROT_READ, 'r'), letter(PROT_WRITE, 'w'), letter(PROT_EXEC, 'x'), shared].into_iter().collect()
}

/// What an area is called in /proc/PID/maps, and the object under it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Label {
    /// `st_dev` of the file; 0 if there is none.
    pub device: u64,
    /// `st_ino` of the file; 0 if there is none.
    pub inode: u64,
    /// In bytes; 0 if there is no file.
    pub offset: u64,
    /// A path, `[heap]`, `[stack]`, `[vdso]`, `[anon:...]`, or nothing. Newlines are not escaped yet.
    pub name: Vec<u8>,
}

/// `st_dev` of shared memory: the kernel's own mount of tmpfs.
const SHARED_MEMORY_DEVICE: u64 = 1;

/// What `area`, an area of `space`, is called in /proc/PID/maps. Linux `show_map_vma`.
pub fn label(kernel: &Kernel, space: Id<AddressSpace>, area: &Vma) -> Label {
    let here = &kernel.spaces[space];
    match area.backing {
        Backing::File { file, inode, offset } => {
            let node = kernel.files.get(file).and_then(|description| description.node);
            let name = node.map_or_else(Vec::new, |node| kernel.path_of(node));
            let inode = &kernel.vfs.inodes[inode];
            let device = kernel.vfs.mounts[inode.mount].device;
            Label { device, inode: inode.number, offset, name }
        }
        Backing::Shared { object, offset } if area.name.is_none() => {
            let object = &kernel.mm.shared[object];
            Label { device: SHARED_MEMORY_DEVICE, inode: object.number, offset, name: object.name.as_bytes().to_vec() }
        }
        Backing::Shared { .. } | Backing::Anonymous => {
            let name = match &area.name {
                Some(name) => name.as_bytes(),
                None if here.is_heap(area.start, area.end) => b"[heap]",
                None if here.is_stack(area.start, area.end) => b"[stack]",
                None => b"",
            };
            Label { name: name.to_vec(), ..Label::default() }
        }
    }
}

/// What of an area is in memory, in bytes: /proc/PID/smaps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// In memory.
    pub rss: u64,
    /// In memory, each page divided by the number of its users.
    pub pss: u64,
    /// The dirty part of `pss`.
    pub pss_dirty: u64,
    /// Used by several address spaces, clean.
    pub shared_clean: u64,
    /// Used by several address spaces, dirty.
    pub shared_dirty: u64,
    /// Used by this address space alone, clean.
    pub private_clean: u64,
    /// Used by this address space alone, dirty.
    pub private_dirty: u64,
    /// Accessed since the bit was last cleared.
    pub referenced: u64,
    /// Private pages.
    pub anonymous: u64,
    /// Given up by MADV_FREE.
    pub lazy_free: u64,
    /// Locked, each page divided by the number of its users.
    pub locked: u64,
    /// Swapped out: private pages, and pages of shared memory that this area maps.
    pub swap: u64,
    /// Private pages swapped out, each divided by the number of its users.
    pub swap_pss: u64,
}

impl Usage {
    /// Adds another's: /proc/PID/smaps_rollup.
    pub fn add(&mut self, other: &Usage) {
        self.rss += other.rss;
        self.pss += other.pss;
        self.pss_dirty += other.pss_dirty;
        self.shared_clean += other.shared_clean;
        self.shared_dirty += other.shared_dirty;
        self.private_clean += other.private_clean;
        self.private_dirty += other.private_dirty;
        self.referenced += other.referenced;
        self.anonymous += other.anonymous;
        self.lazy_free += other.lazy_free;
        self.locked += other.locked;
        self.swap += other.swap;
        self.swap_pss += other.swap_pss;
    }
}

/// How many page-table entries name the frame of `entry`, which lies in an area with `backing`.
fn users(kernel: &Kernel, entry: Entry, backing: Backing) -> u32 {
    let count = kernel.memory.count(entry.frame());
    // The page cache and shared memory hold a reference of their own.
    let own = u32::from(entry.0 & PRIVATE == 0 && backing != Backing::Anonymous);
    count.saturating_sub(own).max(1)
}

/// What of `area`, an area of `space`, is in memory. The shared page of zeroes counts nowhere. Walks its page table.
pub fn usage(kernel: &Kernel, space: Id<AddressSpace>, area: &Vma) -> Usage {
    let mut usage = Usage::default();
    let page_bytes = kernel.page_size().bytes();
    // Linux sums the shares with 12 bits after the point.
    let (mut pss, mut pss_dirty) = (0, 0);
    for mapped in kernel.spaces[space].table.entries(&kernel.memory, area.start..area.end) {
        let entry = mapped.entry;
        if let Some(slot) = reclaim::slot_of(entry) {
            usage.swap += page_bytes;
            usage.swap_pss += page_bytes / u64::from(kernel.mm.swap.users(slot));
        }
        if !entry.is_present() || Some(entry.frame()) == kernel.mm.zero {
            continue;
        }
        let users = users(kernel, entry, area.backing);
        let is_dirty = entry.is_dirty() || entry.0 & PRIVATE != 0 && entry.0 & LAZY_FREE == 0;
        let share = (page_bytes << 12) / u64::from(users);
        usage.rss += page_bytes;
        pss += share;
        pss_dirty += if is_dirty { share } else { 0 };
        let kind = match (users > 1, is_dirty) {
            (true, false) => &mut usage.shared_clean,
            (true, true) => &mut usage.shared_dirty,
            (false, false) => &mut usage.private_clean,
            (false, true) => &mut usage.private_dirty,
        };
        *kind += page_bytes;
        usage.referenced += if entry.is_accessed() { page_bytes } else { 0 };
        usage.anonymous += if entry.0 & PRIVATE != 0 { page_bytes } else { 0 };
        usage.lazy_free += if entry.0 & LAZY_FREE != 0 { page_bytes } else { 0 };
    }
    if let Backing::Shared { object, .. } = area.backing {
        let first = area.page_index(kernel.page_size(), area.start);
        let pages = first..first + kernel.page_size().number(area.length());
        usage.swap += kernel.mm.shared[object].swapped_in_range(pages) * page_bytes;
    }
    usage.pss = pss >> 12;
    usage.pss_dirty = pss_dirty >> 12;
    usage.locked = if area.flags.has(crate::mm::AreaFlags::LOCKED) { usage.pss } else { 0 };
    usage
}

/// The sum of [`usage`] over all areas.
pub fn rollup(kernel: &Kernel, space: Id<AddressSpace>) -> Usage {
    let mut total = Usage::default();
    for area in kernel.spaces[space].areas.iter() {
        total.add(&usage(kernel, space, area));
    }
    total
}

/// The word of /proc/PID/pagemap for a page, with the frame's number for those who may see it. Linux
/// Documentation/admin-guide/mm/pagemap.rst.
pub fn pagemap_word(kernel: &Kernel, space: Id<AddressSpace>, page: u64, with_frame: bool) -> u64 {
    let here = &kernel.spaces[space];
    let entry = here.table.entry(&kernel.memory, page);
    if let Some(slot) = reclaim::slot_of(entry) {
        // Bits 0 to 4: the swap area's type, 0; bits 5 to 54: the offset in it.
        let offset = if with_frame { u64::from(slot.0) << 5 } else { 0 };
        return offset | u64::from(kernel.mm.swap.users(slot) == 1) << 56 | 1 << 62;
    }
    if entry == GUARD_ENTRY {
        // As a page in swap, whose offset says what it is instead.
        return 1 << 58 | 1 << 62;
    }
    let Some(area) = here.areas.containing(page).filter(|_| entry.is_present()) else { return 0 };
    let frame = if with_frame { u64::from(entry.frame().0) } else { 0 };
    let is_object = entry.0 & PRIVATE == 0 && Some(entry.frame()) != kernel.mm.zero;
    let exclusive = users(kernel, entry, area.backing) == 1;
    frame | u64::from(exclusive) << 56 | u64::from(is_object) << 61 | 1 << 63
}

/// Bytes of page tables of all address spaces: PageTables in /proc/meminfo.
pub fn all_table_bytes(kernel: &Kernel) -> u64 {
    kernel.spaces.iter().map(|(_, space)| space.table_bytes()).sum()
}

/// Bytes of private pages of all address spaces, each frame once: AnonPages in /proc/meminfo.
pub fn all_private_bytes(kernel: &Kernel) -> u64 {
    let mut frames = std::collections::BTreeSet::new();
    for (_, space) in kernel.spaces.iter() {
        let entries = space.table.entries(&kernel.memory, 0..u64::MAX);
        let is_private = |entry: Entry| entry.is_present() && entry.0 & PRIVATE != 0;
        frames.extend(entries.iter().filter(|mapped| is_private(mapped.entry)).map(|mapped| mapped.entry.frame()));
    }
    frames.len() as u64 * kernel.page_size().bytes()
}

/// Bytes of shared memory without a file: part of Shmem in /proc/meminfo.
pub fn all_shared_bytes(kernel: &Kernel) -> u64 {
    kernel.mm.shared.iter().map(|(_, object)| object.pages().count() as u64 * kernel.page_size().bytes()).sum()
}
