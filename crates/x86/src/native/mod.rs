//! Everything `unsafe` of the processor: executable memory, entry into translated code and the way back, host faults.
//!
//! While translated code runs, the host's registers hold the guest's, r13 leads to the address space's TLB block, whose
//! first words are laid out in [`context`], and the host's stack pointer is the guest's: no host code may run on it, so
//! signal handlers use the alternate stack. (The context is not behind `gs`, because accesses with a segment base cost
//! more: a quarter of the time of an interpreter's loop on Zen 5.)

pub mod context;
mod entry;
mod fault;
mod memory;
#[cfg(feature = "oracle")]
pub mod oracle;
mod x87;

pub use entry::{enter, exit_address, leave_address, prepare, processor_name, run};
pub use memory::{Area, CodeMemoryFull, ExecutableMemory};
pub use x87::{load_x87, save_x87};

#[cfg(test)]
mod tests;
