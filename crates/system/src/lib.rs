//! A machine in motion: the loop that runs a kernel's threads on a processor, and the ports that connect it with the
//! host.
//!
//! [`run::System`] owns kernel and processor; [`choice`] decides what Linux leaves open, [`outside`] is the host,
//! [`observer`]s read what happens, the [`journal`] hashes it.
#![forbid(unsafe_code)]

pub mod account;
pub mod boot;
pub mod choice;
pub mod code_cache;
pub mod journal;
pub mod keyboard;
pub mod observer;
pub mod outside;
pub mod run;
pub mod write_back;
