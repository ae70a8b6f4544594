//! belljar runs unmodified multi-process x86-64 Linux programs on a kernel of its own, inside one ordinary process.
//!
//! This crate turns arguments into a run and its end into an exit status; the machine is in the crates below it.
#![forbid(unsafe_code)]

pub mod failure;
mod kept_code;
pub mod options;
pub mod profile;
pub mod program;
pub mod run;
pub mod size;
pub mod syscalls;
pub mod translate;
