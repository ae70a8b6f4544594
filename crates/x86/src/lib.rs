//! The processor: a same-ISA dynamic binary translator, x86-64 in, x86-64 out.
//!
//! Knows frames, page tables and registers (the `machine` crate), but not what a process is. `unsafe` is confined to
//! [`native`].
//!
//! A guest address becomes host code in three steps: `discover` decodes a block of instructions, `plan` holds what is
//! known about them, `emit` writes the host code. `code` keeps it, `cache` finds it again, `link` joins blocks, and
//! [`processor`] runs them, with [`step`] for single instructions that are not translated.
#![deny(unsafe_code)]

pub mod assist;
mod cache;
mod code;
mod discover;
mod emit;
mod exits;
pub mod image;
mod link;
#[allow(unsafe_code)]
pub mod native;
pub mod options;
mod plan;
pub mod processor;
pub mod step;

pub use options::{Options, Statistics};
pub use processor::X86Processor;
