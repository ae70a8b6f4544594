//! Files: names, inodes, open file descriptions, descriptors.

mod description;
pub mod epoll;
mod fd_table;
mod inode;
pub mod poll;
pub mod tty;

pub use description::{FileDescription, FileObject, Transfer};
pub use fd_table::{Fd, FdEntry, FdTable};
pub use inode::{Inode, InodeKind, Vfs};

use crate::table::Id;

/// What `CLONE_FS` shares: working directory, root, umask.
#[derive(Clone, Debug)]
pub struct FsContext {
    /// Working directory.
    pub directory: Id<Inode>,
    /// Root directory, chroot(2).
    pub root: Id<Inode>,
    /// umask(2).
    pub umask: u32,
    /// Threads that use it.
    pub references: u32,
}
