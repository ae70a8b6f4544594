//! Memory mappings: mmap(2), mremap(2), madvise(2), msync(2), mlock(2), mbind(2), process_vm_readv(2).

/// Pages may not be accessed.
pub const PROT_NONE: u32 = 0;
/// Pages may be read.
pub const PROT_READ: u32 = 1;
/// Pages may be written.
pub const PROT_WRITE: u32 = 2;
/// Pages may be executed.
pub const PROT_EXEC: u32 = 4;
/// mprotect(2): go on to the start of the area, which grows down.
pub const PROT_GROWSDOWN: u32 = 0x0100_0000;
/// mprotect(2): go on to the end of the area, which grows up. No area of x86-64 does.
pub const PROT_GROWSUP: u32 = 0x0200_0000;

/// Changes are seen by all that map the object.
pub const MAP_SHARED: u32 = 0x01;
/// Changes are seen by this process alone.
pub const MAP_PRIVATE: u32 = 0x02;
/// As MAP_SHARED, and unknown flags are refused.
pub const MAP_SHARED_VALIDATE: u32 = 0x03;
/// The bits that hold one of the three above.
pub const MAP_TYPE: u32 = 0x0f;
/// Exactly at the address.
pub const MAP_FIXED: u32 = 0x10;
/// Zeroes, no file.
pub const MAP_ANONYMOUS: u32 = 0x20;
/// In the first 2 GiB.
pub const MAP_32BIT: u32 = 0x40;
/// Above the first 4 GiB, where mappings without a wish are anyway.
pub const MAP_ABOVE4G: u32 = 0x80;
/// The area grows down when the page below it is used.
pub const MAP_GROWSDOWN: u32 = 0x0100;
/// Ignored.
pub const MAP_DENYWRITE: u32 = 0x0800;
/// Ignored.
pub const MAP_EXECUTABLE: u32 = 0x1000;
/// Locked as by mlock(2).
pub const MAP_LOCKED: u32 = 0x2000;
/// Not counted against the overcommit limit.
pub const MAP_NORESERVE: u32 = 0x4000;
/// Pages are filled at once.
pub const MAP_POPULATE: u32 = 0x8000;
/// With MAP_POPULATE: only pages that are in memory.
pub const MAP_NONBLOCK: u32 = 0x1_0000;
/// A hint that it will be a stack.
pub const MAP_STACK: u32 = 0x2_0000;
/// Of huge pages.
pub const MAP_HUGETLB: u32 = 0x4_0000;
/// With MAP_SHARED_VALIDATE, for DAX files.
pub const MAP_SYNC: u32 = 0x8_0000;
/// Exactly at the address, unless something is there.
pub const MAP_FIXED_NOREPLACE: u32 = 0x10_0000;
/// Memory may be left uninitialised; ignored with an MMU.
pub const MAP_UNINITIALIZED: u32 = 0x400_0000;
/// With MAP_HUGETLB: the size of a huge page as a power of two in bits 26 to 31.
pub const MAP_HUGE_2MB: u32 = 21 << 26;
/// The bits of the size of a huge page.
pub const MAP_HUGE_MASK: u32 = 63 << 26;
/// See [`MAP_HUGE_2MB`].
pub const MAP_HUGE_1GB: u32 = 30 << 26;

/// The mapping may move.
pub const MREMAP_MAYMOVE: u32 = 1;
/// It moves exactly there.
pub const MREMAP_FIXED: u32 = 2;
/// The old range stays mapped, empty.
pub const MREMAP_DONTUNMAP: u32 = 4;

/// Writes begin.
pub const MS_ASYNC: u32 = 1;
/// Other mappings are invalidated.
pub const MS_INVALIDATE: u32 = 2;
/// Writes end before the call does.
pub const MS_SYNC: u32 = 4;

/// mlock2(2): pages are locked when they are first used.
pub const MLOCK_ONFAULT: u32 = 1;
/// mlockall(2): what is mapped.
pub const MCL_CURRENT: u32 = 1;
/// mlockall(2): what will be mapped.
pub const MCL_FUTURE: u32 = 2;
/// mlockall(2): pages are locked when they are first used.
pub const MCL_ONFAULT: u32 = 4;

macro_rules! advice {
    ($($name:ident = $value:literal, $text:literal;)*) => {
        $(#[doc = $text] pub const $name: u32 = $value;)*

        /// The name of an `advice`, if it is known.
        pub fn advice_name(advice: u32) -> Option<&'static str> {
            match advice {
                $($value => Some(stringify!($name)),)*
                _ => None,
            }
        }
    };
}

advice! {
    MADV_NORMAL = 0, "No special treatment.";
    MADV_RANDOM = 1, "References in random order.";
    MADV_SEQUENTIAL = 2, "References in order.";
    MADV_WILLNEED = 3, "Will be needed soon.";
    MADV_DONTNEED = 4, "Contents are not needed any more.";
    MADV_FREE = 8, "Contents may be dropped when memory is short, until the next write.";
    MADV_REMOVE = 9, "Punch a hole into the file.";
    MADV_DONTFORK = 10, "Not in the child of fork(2).";
    MADV_DOFORK = 11, "Undo MADV_DONTFORK.";
    MADV_MERGEABLE = 12, "Equal pages may be merged.";
    MADV_UNMERGEABLE = 13, "Undo MADV_MERGEABLE.";
    MADV_HUGEPAGE = 14, "Huge pages are welcome.";
    MADV_NOHUGEPAGE = 15, "Huge pages are not welcome.";
    MADV_DONTDUMP = 16, "Not in core dumps.";
    MADV_DODUMP = 17, "Undo MADV_DONTDUMP.";
    MADV_WIPEONFORK = 18, "Zeroes in the child of fork(2).";
    MADV_KEEPONFORK = 19, "Undo MADV_WIPEONFORK.";
    MADV_COLD = 20, "Will not be needed soon.";
    MADV_PAGEOUT = 21, "Reclaim now.";
    MADV_POPULATE_READ = 22, "Fill as if read.";
    MADV_POPULATE_WRITE = 23, "Fill as if written.";
    MADV_DONTNEED_LOCKED = 24, "As MADV_DONTNEED, locked pages too.";
    MADV_COLLAPSE = 25, "Make huge pages now.";
    MADV_HWPOISON = 100, "Test of memory failure.";
    MADV_SOFT_OFFLINE = 101, "Test of memory failure.";
    MADV_GUARD_INSTALL = 102, "Accesses fault from now on.";
    MADV_GUARD_REMOVE = 103, "Undo MADV_GUARD_INSTALL.";
}

/// The thread's policy ends.
pub const MPOL_DEFAULT: u32 = 0;
/// These nodes if possible.
pub const MPOL_PREFERRED: u32 = 1;
/// These nodes only.
pub const MPOL_BIND: u32 = 2;
/// These nodes in turn.
pub const MPOL_INTERLEAVE: u32 = 3;
/// The node that allocates.
pub const MPOL_LOCAL: u32 = 4;
/// These nodes if possible.
pub const MPOL_PREFERRED_MANY: u32 = 5;
/// These nodes in turn, by weight.
pub const MPOL_WEIGHTED_INTERLEAVE: u32 = 6;
/// Mode flag: node numbers are relative to the allowed ones.
pub const MPOL_F_RELATIVE_NODES: u32 = 1 << 14;
/// Mode flag: node numbers stay what they are.
pub const MPOL_F_STATIC_NODES: u32 = 1 << 15;
/// Mode flag: NUMA balancing.
pub const MPOL_F_NUMA_BALANCING: u32 = 1 << 13;
/// get_mempolicy(2): the node instead of the policy.
pub const MPOL_F_NODE: u32 = 1;
/// get_mempolicy(2): of the area at the address.
pub const MPOL_F_ADDR: u32 = 2;
/// get_mempolicy(2): the nodes that the thread may use.
pub const MPOL_F_MEMS_ALLOWED: u32 = 4;
/// mbind(2): fail if pages lie elsewhere.
pub const MPOL_MF_STRICT: u32 = 1;
/// mbind(2): move pages of this process.
pub const MPOL_MF_MOVE: u32 = 2;
/// mbind(2): move all pages.
pub const MPOL_MF_MOVE_ALL: u32 = 4;
