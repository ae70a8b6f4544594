//! Readers of events and kernels, for people: the account of a run ([`statistics`]), its system calls ([`strace`]), who
//! waits for what when nothing can go on ([`hang`]).
//!
//! Nothing here changes a kernel, and no part imports another but [`text`], which they share.
#![forbid(unsafe_code)]

pub mod hang;
pub mod source;
pub mod statistics;
pub mod strace;
pub mod text;
