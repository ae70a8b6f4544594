//! Readers of events and kernels, for people: the account of a run ([`statistics`]), its system calls ([`strace`]), who
//! waits for what when nothing can go on ([`hang`]), what a run leaves behind ([`leak`]), what processes died of
//! ([`crash`]), who had to go when memory ran out
//! ([`out_of_memory`]), and which pages ([`replacement`]).
//!
//! ```text
//! events -> Witness (what the kernel does not keep) -\
//! Kernel, Outside, Sources (lines) ------------------+-> hang, leak -> verdict (data) -> report (text, JSON)
//! ```
//!
//! Nothing here changes a kernel. What the parts share are [`text`], [`source`], [`witness`] and [`verdict`]; the account
//! and [`walk`] have parts of their own.
#![forbid(unsafe_code)]

pub mod crash;
pub mod hang;
pub mod leak;
pub mod out_of_memory;
pub mod page_tables;
pub mod replacement;
pub mod report;
mod scene;
pub mod source;
pub mod split;
pub mod statistics;
pub mod strace;
pub mod text;
pub mod tlb_report;
pub mod verdict;
pub mod walk;
pub mod witness;
