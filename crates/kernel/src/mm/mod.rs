//! Virtual memory: address spaces, their areas, and the faults that fill them.

pub mod fault;

use crate::table::Id;
use machine::{PageTable, Tlb};
use std::collections::BTreeMap;

/// What may be mapped ([`Vma`]s) and what is (the page table).
///
/// # Invariants
/// - areas are sorted, disjoint and page-aligned; every entry of the table lies in an area.
#[derive(Debug)]
pub struct AddressSpace {
    /// What is mapped.
    pub table: PageTable,
    /// A cache of it.
    pub tlb: Tlb,
    /// Areas by their first address.
    pub areas: BTreeMap<u64, Vma>,
    /// Processes that use it.
    pub references: u32,
    /// brk(2): where the heap begins.
    pub heap_start: u64,
    /// brk(2): where it ends.
    pub heap_end: u64,
}

/// PROT_READ, mmap(2).
pub const PROT_READ: u32 = 1;
/// PROT_WRITE, mmap(2).
pub const PROT_WRITE: u32 = 2;
/// PROT_EXEC, mmap(2).
pub const PROT_EXEC: u32 = 4;

/// A virtual memory area: a range of pages that may be used in the same way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vma {
    /// One past its last byte.
    pub end: u64,
    /// PROT_ bits.
    pub protection: u32,
    /// Shared by all that map it, or private.
    pub shared: bool,
    /// Where its pages come from.
    pub backing: Backing,
}

/// Where an area's pages come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backing {
    /// Zeroes.
    Anonymous,
    /// A file from an offset (of the area's first page) on.
    File {
        /// Which.
        inode: Id<crate::fs::Inode>,
        /// In bytes, page-aligned.
        offset: u64,
    },
}

/// A file was cut: undoes what is mapped of its pages from `_first_page` on, so that accesses fault again.
pub fn truncate_mappings(_kernel: &mut crate::Kernel, _inode: Id<crate::fs::Inode>, _first_page: u64) {}
