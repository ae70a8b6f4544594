//! The memory management unit: look in the TLB; on a miss walk the page table, check, mark, fill; or fault.
//! Intel SDM 3A 4.6 (access rights), 4.7 (page faults), 4.8 (accessed and dirty), 4.10 (TLB).

use crate::{Entry, FrameNumber, PageTable, PhysicalMemory, Tlb};

/// What an access does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// A load.
    Read,
    /// A store, or a load that will be followed by a store.
    Write,
    /// An instruction fetch.
    Execute,
}

/// An access that the page table does not permit. Precise: the instruction has had no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageFault {
    /// The address of the first byte that may not be accessed; the processor's cr2.
    pub address: u64,
    /// What was tried.
    pub access: Access,
    /// Whether the entry is present and forbids the access (otherwise it is absent); bit 0 of the error code.
    pub present: bool,
}

impl PageFault {
    /// The error code that the processor pushes: P, W/R, U/S, I/D. Intel SDM 3A 4.7.
    pub fn error_code(&self) -> u64 {
        u64::from(self.present)
            | u64::from(self.access == Access::Write) << 1
            | 1 << 2
            | u64::from(self.access == Access::Execute) << 4
    }
}

/// Translates one byte's address: its frame and the offset in it. Valid for the rest of the page.
///
/// Sets the accessed bit, and for writes the dirty bit; fills the TLB; reports a write to a code frame
/// ([`PhysicalMemory::take_code_writes`]).
///
/// # Errors
/// [`PageFault`] if no present entry permits the access.
#[inline]
pub fn translate(
    memory: &mut PhysicalMemory,
    table: &mut PageTable,
    tlb: &mut Tlb,
    address: u64,
    access: Access,
) -> Result<(FrameNumber, usize), PageFault> {
    match tlb.lookup(memory, address, access) {
        Some(found) => Ok(found),
        None => walk(memory, table, tlb, address, access),
    }
}

fn walk(
    memory: &mut PhysicalMemory,
    table: &mut PageTable,
    tlb: &mut Tlb,
    address: u64,
    access: Access,
) -> Result<(FrameNumber, usize), PageFault> {
    let permits = |entry: Entry| match access {
        Access::Read => entry.is_readable(),
        Access::Write => entry.is_writable(),
        Access::Execute => entry.is_executable(),
    };
    let marks = if access == Access::Write { Entry::ACCESSED | Entry::DIRTY } else { Entry::ACCESSED };
    let entry = table.change(memory, address, |entry| if permits(entry) { entry.with(marks) } else { entry });
    if !permits(entry) {
        return Err(PageFault { address, access, present: entry.is_present() });
    }
    if access == Access::Write {
        memory.note_write(entry.frame());
        memory.note_writable_cached(entry.frame());
    }
    tlb.fill(memory, address, entry, access);
    Ok((entry.frame(), (address as usize) & (memory.frame_size() - 1)))
}
