//! The system call boundary: one table, argument decoding, and operations that block.

pub mod argument;
pub mod operation;
pub mod table;
