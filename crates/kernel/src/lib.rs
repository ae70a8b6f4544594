//! Linux, as far as programs can tell: processes, memory, files, signals and the system calls on them.
//!
//! The kernel is one value of plain data ([`Kernel`]): typed tables, ids and enums. It knows no processor and no host.
//! What happens leaves as [`event::Event`]s, what is open comes in through [`ports::Chooser`], what is outside through
//! [`ports::Outside`]. [`entry`] is the one way in and out.
#![forbid(unsafe_code)]

pub mod check;
pub mod clock;
pub mod entry;
pub mod event;
pub mod fs;
pub mod futex;
pub mod ipc;
mod kernel;
pub mod mm;
pub mod ports;
pub mod process;
pub mod release;
pub mod sched;
pub mod signal;
pub mod socket;
pub mod structures;
pub mod syscalls;
pub mod table;
#[cfg(test)]
pub(crate) mod testing;
pub mod time;
pub mod user;
pub mod wait;

pub use crate::kernel::{Configuration, Kernel};
pub use abi::{Errno, Error};
pub use syscalls::operation::{Flow, Operation, Step, SysResult};
pub use table::{Id, Table};
pub use user::{UserCStr, UserPtr, UserSlice};
pub use wait::{Wait, WaitKey};
