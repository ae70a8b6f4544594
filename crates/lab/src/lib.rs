//! Readers of events and kernels, for people: the account of a run ([`statistics`]), its system calls ([`strace`]), who
//! waits for what when nothing can go on ([`hang`]), what processes died of ([`crash`]), who had to go when memory ran out
//! ([`out_of_memory`]), and which pages ([`replacement`]).
//!
//! Nothing here changes a kernel, and no part imports another but [`text`], which they share, and those that have parts:
//! the account, and [`walk`].
#![forbid(unsafe_code)]

pub mod crash;
pub mod hang;
pub mod out_of_memory;
pub mod page_tables;
pub mod replacement;
pub mod source;
pub mod split;
pub mod statistics;
pub mod strace;
pub mod text;
pub mod tlb_report;
pub mod walk;
