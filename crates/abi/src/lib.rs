//! Linux's numbers and C structures for x86-64, one file a topic. No behaviour.
//!
//! Structures cross the boundary byte by byte through [`Wire`], so that padding is always written and no `unsafe` is
//! needed.
#![forbid(unsafe_code)]

pub mod epoll;
pub mod errno;
pub mod fcntl;
pub mod futex;
pub mod inotify;
pub mod ioctl;
pub mod ipc;
pub mod mman;
pub mod mqueue;
pub mod poll;
pub mod process;
pub mod resource;
pub mod sched;
pub mod signal;
pub mod socket;
pub mod stat;
pub mod syscall_names;
pub mod termios;
pub mod time;
pub mod wait;
pub mod wire;

pub use errno::{Errno, Error};
pub use wire::Wire;
