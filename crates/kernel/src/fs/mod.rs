//! Files: names, inodes, open file descriptions, descriptors.
//!
//! ```text
//! Fd -> FdTable -> FileDescription -> FileObject: a pipe, a terminal, ... or an Inode, with the Node it was opened by
//! path -> path::resolve -> Node (a name in a directory) -> Inode (a file) -> page_cache (its bytes)
//! ```
//!
//! The host's files are the root: read when they are needed, never written; all changes stay in memory ([`overlay`]).

pub(crate) mod bytes;
pub(crate) mod calls;
pub mod changes;
mod context;
mod description;
pub mod devfs;
mod dnotify;
pub mod epoll;
mod fd_table;
pub mod file;
pub mod generated;
mod inode;
pub mod inotify;
pub mod leases;
mod lock_listing;
pub mod locks;
pub mod mount;
pub(crate) mod names;
mod node;
pub mod open;
pub mod ops;
mod overlay;
pub mod page_cache;
pub mod path;
pub mod permission;
pub mod poll;
pub mod procfs;
pub mod signal_driven;
pub(crate) mod size;
pub(crate) mod splice;
pub mod stat;
pub mod stream;
pub mod sysfs;
mod tree;
pub mod tty;
pub mod watch_limits;
mod xattr;

pub use context::FsContext;
pub use description::{FileDescription, FileObject, Snapshot, Transfer};
pub use fd_table::{Fd, FdEntry, FdTable};
pub use file::{release_inode, retain_inode};
pub use inode::{Directory, DirectoryEntry, HostOrigin, Inode, InodeKind, Vfs};
pub use mount::{FileSystem, Mount};
pub use node::{Location, Node};
