//! Inodes: files, directories and the rest, wherever they come from.

use crate::table::{Id, Table};
use machine::FrameNumber;
use std::collections::BTreeMap;

/// All that has to do with names and inodes.
#[derive(Debug, Default)]
pub struct Vfs {
    /// Every inode known so far.
    pub inodes: Table<Inode>,
}

/// A file, whatever its names.
#[derive(Debug)]
pub struct Inode {
    /// st_ino.
    pub number: u64,
    /// st_dev.
    pub device: u64,
    /// Type and permissions, `st_mode`.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Names it has.
    pub links: u64,
    /// Bytes.
    pub size: u64,
    /// What it is.
    pub kind: InodeKind,
}

/// What an inode is.
#[derive(Debug)]
pub enum InodeKind {
    /// A regular file. Pages in memory by index; others come from the host file, or are zero.
    Regular {
        /// Pages in memory.
        pages: BTreeMap<u64, FrameNumber>,
        /// The host's file with the original contents.
        host: Option<Vec<u8>>,
    },
    /// A directory: entries in memory by name.
    Directory {
        /// Known entries.
        entries: BTreeMap<Vec<u8>, Id<Inode>>,
        /// The host's directory underneath.
        host: Option<Vec<u8>>,
    },
    /// A symbolic link and its target.
    Symlink(Vec<u8>),
}
