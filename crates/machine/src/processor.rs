//! What the run loop asks of a processor.

use crate::tlb_model::TlbModel;
use crate::{PageTable, PhysicalMemory, Registers, Tlb, Trap};

/// The memory that guest code sees: frames, and one address space over them.
#[derive(Debug)]
pub struct Space<'a> {
    /// All frames.
    pub memory: &'a mut PhysicalMemory,
    /// What is mapped.
    pub table: &'a mut PageTable,
    /// A cache of `table`.
    pub tlb: &'a mut Tlb,
    /// A TLB to count in, if one is wanted: it sees every access, which makes the processor slow.
    pub model: Option<&'a mut TlbModel>,
}

/// How far a processor may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// Instructions to retire at most. At 0 the processor comes back at once. At most [`Slice::MAX_INSTRUCTIONS`].
    pub instructions: u64,
    /// What `rdtsc` answers at the start of the slice; it advances by one with each instruction.
    pub time_stamp: u64,
}

impl Slice {
    /// The longest slice: a processor may count instructions and accesses in one register.
    pub const MAX_INSTRUCTIONS: u64 = 1 << 18;
}

/// How far a processor went, and why it stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Why it stopped.
    pub trap: Trap,
    /// Instructions retired: those completed, a `syscall` included, one that faulted not. A repeated string
    /// instruction counts once, when it completes.
    pub instructions: u64,
}

/// Something that executes x86-64 user-mode instructions.
pub trait Processor {
    /// Runs guest code until a trap. Adds the slice's data accesses to [`Tlb::accesses`] and its misses to
    /// [`Tlb::misses`].
    ///
    /// The outcome is a pure function of registers, memory and slice.
    fn run(&mut self, space: Space<'_>, registers: &mut Registers, slice: Slice) -> Exit;
}
