//! The hardware without a kernel: physical memory, page tables that live in it, the TLB, the MMU, registers and traps.
//!
//! Nothing here knows what a process is. The `kernel` crate owns the values, the `x86` crate runs on them; both see
//! guest memory only through [`mmu::translate`] and the [`tlb::Tlb`] it fills.
//!
//! `unsafe` is confined to `frames.rs`, where guest frames are host memory.
#![deny(unsafe_code)]

#[allow(unsafe_code)]
pub mod frames;
pub mod mmu;
pub mod page_size;
pub mod paging;
pub mod processor;
pub mod registers;
pub mod tlb;
pub mod tlb_model;
pub mod trap;

pub use frames::{FrameNumber, OutOfFrames, PhysicalMemory, SMALLEST_FRAME};
pub use mmu::{Access, PageFault};
pub use page_size::PageSize;
pub use paging::{Entry, PageTable, PagingScheme};
pub use processor::{Exit, Processor, Slice, Space};
pub use registers::{Gpr, Registers};
pub use tlb::Tlb;
pub use trap::{Exception, Trap};
