//! [`Vma`]: a range of pages that may be used in the same way.

use crate::fs::{FileDescription, Inode};
use crate::mm::policy::Policy;
use crate::mm::shared_memory::SharedMemory;
use crate::table::Id;
use abi::mman::{PROT_EXEC, PROT_READ, PROT_WRITE};
use machine::PageSize;

/// Properties of an area beside its protection; `VmFlags` in /proc/PID/smaps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct AreaFlags(pub u32);

impl AreaFlags {
    /// None.
    pub const NONE: AreaFlags = AreaFlags(0);
    /// Grows down when the page below it is used: stacks, MAP_GROWSDOWN.
    pub const GROWS_DOWN: AreaFlags = AreaFlags(1 << 0);
    /// Pages stay in memory, mlock(2).
    pub const LOCKED: AreaFlags = AreaFlags(1 << 1);
    /// With `LOCKED`: pages are not filled before they are used, mlock2(2).
    pub const LOCK_ON_FAULT: AreaFlags = AreaFlags(1 << 2);
    /// Not inherited by fork(2), MADV_DONTFORK.
    pub const DONT_FORK: AreaFlags = AreaFlags(1 << 3);
    /// Zeroes in the child of fork(2), MADV_WIPEONFORK.
    pub const WIPE_ON_FORK: AreaFlags = AreaFlags(1 << 4);
    /// MAP_NORESERVE.
    pub const NO_RESERVE: AreaFlags = AreaFlags(1 << 5);
    /// Counts in Committed_AS.
    pub const ACCOUNTED: AreaFlags = AreaFlags(1 << 6);
    /// MADV_DONTDUMP.
    pub const DONT_DUMP: AreaFlags = AreaFlags(1 << 7);
    /// MADV_RANDOM.
    pub const RANDOM: AreaFlags = AreaFlags(1 << 8);
    /// MADV_SEQUENTIAL.
    pub const SEQUENTIAL: AreaFlags = AreaFlags(1 << 9);
    /// MADV_MERGEABLE.
    pub const MERGEABLE: AreaFlags = AreaFlags(1 << 10);
    /// MADV_HUGEPAGE.
    pub const HUGE_PAGE: AreaFlags = AreaFlags(1 << 11);
    /// MADV_NOHUGEPAGE.
    pub const NO_HUGE_PAGE: AreaFlags = AreaFlags(1 << 12);
    /// mremap(2) may not make it larger: pages of the kernel's own.
    pub const DONT_EXPAND: AreaFlags = AreaFlags(1 << 13);
    /// mseal(2): what may be done with it does not change any more, nor does it go.
    pub const SEALED: AreaFlags = AreaFlags(1 << 14);
    /// Some of its pages may be guards, MADV_GUARD_INSTALL. Linux `VM_MAYBE_GUARD`.
    pub const MAYBE_GUARD: AreaFlags = AreaFlags(1 << 15);

    /// Whether all of `flags` are set.
    pub fn has(self, flags: AreaFlags) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// With `flags` added.
    #[must_use]
    pub fn with(self, flags: AreaFlags) -> AreaFlags {
        AreaFlags(self.0 | flags.0)
    }

    /// With `flags` removed.
    #[must_use]
    pub fn without(self, flags: AreaFlags) -> AreaFlags {
        AreaFlags(self.0 & !flags.0)
    }
}

/// A virtual memory area: a range of pages that may be used in the same way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vma {
    /// Its first byte.
    pub start: u64,
    /// One past its last byte.
    pub end: u64,
    /// PROT_ bits.
    pub protection: u32,
    /// PROT_ bits that mprotect(2) may give it: a shared mapping of a file opened for reading never becomes writable.
    pub maximum: u32,
    /// Shared by all that map the object, or private.
    pub shared: bool,
    /// Where its pages come from.
    pub backing: Backing,
    /// Other properties.
    pub flags: AreaFlags,
    /// Its name in /proc/PID/maps, if it is neither a file nor heap nor stack: `[vdso]`, `[anon:...]`.
    pub name: Option<Box<str>>,
    /// Its NUMA policy, mbind(2).
    pub policy: Policy,
    /// How far it was moved with its private pages, mremap(2), in bytes and modulo 2^64; 0 if not, and for areas on objects.
    /// Areas that were moved differently stay apart: Linux `vm_pgoff` of anonymous areas, by which it finds who maps a page.
    pub moved: u64,
}

/// Where an area's pages come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backing {
    /// Zeroes, private.
    Anonymous,
    /// Frames without a file that several may share, from an offset (of the area's first page) on.
    Shared {
        /// Which.
        object: Id<SharedMemory>,
        /// In bytes, page-aligned.
        offset: u64,
    },
    /// A file from an offset (of the area's first page) on.
    File {
        /// The description it was mapped through; the mapping keeps it open.
        file: Id<FileDescription>,
        /// The file.
        inode: Id<Inode>,
        /// In bytes, page-aligned.
        offset: u64,
    },
}

/// What a mapping holds a reference to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Object {
    /// An open file and its inode.
    File(Id<FileDescription>, Id<Inode>),
    /// Shared memory.
    Shared(Id<SharedMemory>),
}

impl Object {
    /// Whose pages these are.
    pub fn origin(self) -> Origin {
        match self {
            Object::File(_, inode) => Origin::Inode(inode),
            Object::Shared(object) => Origin::Shared(object),
        }
    }
}

/// What pages of a mapping belong to, whatever it was opened through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// A file.
    Inode(Id<Inode>),
    /// Shared memory.
    Shared(Id<SharedMemory>),
}

impl Backing {
    /// The same, `bytes` further into the object.
    #[must_use]
    pub fn advanced(self, bytes: u64) -> Backing {
        match self {
            Backing::Anonymous => Backing::Anonymous,
            Backing::Shared { object, offset } => Backing::Shared { object, offset: offset.wrapping_add(bytes) },
            Backing::File { file, inode, offset } => Backing::File { file, inode, offset: offset.wrapping_add(bytes) },
        }
    }

    /// What it holds a reference to.
    pub fn object(self) -> Option<Object> {
        match self {
            Backing::Anonymous => None,
            Backing::Shared { object, .. } => Some(Object::Shared(object)),
            Backing::File { file, inode, .. } => Some(Object::File(file, inode)),
        }
    }

    /// Offset of the first page in the object, in bytes; 0 for anonymous memory.
    pub fn offset(self) -> u64 {
        match self {
            Backing::Anonymous => 0,
            Backing::Shared { offset, .. } | Backing::File { offset, .. } => offset,
        }
    }
}

impl Vma {
    /// A private anonymous area.
    pub fn anonymous(start: u64, end: u64, protection: u32) -> Vma {
        Vma {
            start,
            end,
            protection,
            maximum: PROT_READ | PROT_WRITE | PROT_EXEC,
            shared: false,
            backing: Backing::Anonymous,
            flags: AreaFlags::NONE,
            name: None,
            policy: Policy::default(),
            moved: 0,
        }
    }

    /// Bytes.
    pub fn length(&self) -> u64 {
        self.end - self.start
    }

    /// Whether any access is allowed. On x86-64 whatever may be written or executed may be read.
    pub fn is_accessible(&self) -> bool {
        self.protection & (PROT_READ | PROT_WRITE | PROT_EXEC) != 0
    }

    /// Whether writes are allowed.
    pub fn is_writable(&self) -> bool {
        self.protection & PROT_WRITE != 0
    }

    /// Whether instruction fetches are allowed.
    pub fn is_executable(&self) -> bool {
        self.protection & PROT_EXEC != 0
    }

    /// Whether its pages are private zeroes, whoever wrote them.
    pub fn is_private_anonymous(&self) -> bool {
        !self.shared && self.backing == Backing::Anonymous
    }

    /// Index into the object of the page at `address`, which lies in the area.
    pub fn page_index(&self, page_size: PageSize, address: u64) -> u64 {
        page_size.number(self.backing.offset() + (address - self.start))
    }

    /// The part of the area in `start..end`, which it contains.
    #[must_use]
    pub fn part(&self, start: u64, end: u64) -> Vma {
        assert!(self.start <= start && start < end && end <= self.end, "a part lies within its area");
        Vma { start, end, backing: self.backing.advanced(start - self.start), ..self.clone() }
    }

    /// Whether `next` may become one area with this one.
    pub fn continues_in(&self, next: &Vma) -> bool {
        self.end == next.start
            && self.protection == next.protection
            && self.flags.without(AreaFlags::MAYBE_GUARD) == next.flags.without(AreaFlags::MAYBE_GUARD)
            && self.shared == next.shared
            && self.maximum == next.maximum
            && self.backing.advanced(self.length()) == next.backing
            && self.name == next.name
            && self.policy == next.policy
            && self.moved == next.moved
    }

    /// Counted by RLIMIT_DATA: private and writable, but no stack. Linux `is_data_mapping`.
    pub fn is_data(&self) -> bool {
        self.is_writable() && !self.shared && !self.flags.has(AreaFlags::GROWS_DOWN)
    }
}
