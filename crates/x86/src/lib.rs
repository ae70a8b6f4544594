//! The processor: a same-ISA dynamic binary translator, x86-64 in, x86-64 out.
//!
//! Knows frames, page tables and registers (the `machine` crate), but not what a process is. `unsafe` is confined to
//! [`native`].
#![deny(unsafe_code)]

pub mod assist;
#[allow(unsafe_code)]
pub mod native;
pub mod step;
