//! Inodes: files, directories and the rest, whatever their names and wherever their bytes come from, inode(7).

use super::description::FileObject;
use super::dnotify::DirectoryWatch;
use super::generated::Generated;
use super::inotify::Inotify;
use super::locks::Locks;
use super::mount::Mount;
use super::node::Node;
use super::page_cache::Pages;
use crate::ipc::pipe::Pipe;
use crate::ipc::posix::MessageQueue;
use crate::table::{Id, Table};
use abi::stat::{S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK};
use std::collections::BTreeMap;

/// All that has to do with names and inodes.
#[derive(Debug, Default)]
pub struct Vfs {
    /// Every inode known so far.
    pub inodes: Table<Inode>,
    /// Every name known so far.
    pub nodes: Table<Node>,
    /// Mounted file systems, the root first.
    pub mounts: Table<Mount>,
    /// Host files with several names, by the host's device and inode number, so that their names share an inode.
    pub(super) by_host: BTreeMap<(u64, u64), Id<Inode>>,
    /// The host's device numbers in the order in which they were met: the first is that of the host's root.
    pub(super) host_devices: Vec<u64>,
    /// Nodes that nothing but the present call may need: swept when the next path is resolved.
    pub(super) loose: Vec<Id<Node>>,
    /// What was read from the host last; kept for its allocation.
    pub(super) fetched: Vec<u8>,
    /// How many inodes are watched, inotify(7), counting each watch.
    pub(super) watches: u32,
    /// How many interests in directories there are, fcntl(2) `F_NOTIFY`.
    pub(super) directory_watches: u32,
    /// The last number that tied two events together.
    pub(super) last_cookie: u32,
}

impl Vfs {
    /// How many interests in directories there are, fcntl(2) `F_NOTIFY`.
    pub(crate) fn directory_watches(&self) -> usize {
        self.directory_watches as usize
    }
}

/// A file, whatever its names.
///
/// # Invariants
/// - `references` = nodes that name it + mappings + operations that hold it.
#[derive(Debug)]
pub struct Inode {
    /// st_ino.
    pub number: u64,
    /// The file system it belongs to.
    pub mount: Id<Mount>,
    /// Type and permissions, `st_mode`.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Names it has.
    pub links: u32,
    /// `st_rdev` of a device node.
    pub special_device: u64,
    /// When it was last read, in nanoseconds since 1970. Reads do not change it: the file systems are mounted noatime.
    pub accessed_ns: i64,
    /// When its data last changed.
    pub modified_ns: i64,
    /// When anything of it last changed.
    pub changed_ns: i64,
    /// When it was made; `None` for host files.
    pub born_ns: Option<i64>,
    /// Extended attributes, xattr(7).
    pub attributes: BTreeMap<Vec<u8>, Vec<u8>>,
    /// What it is.
    pub kind: InodeKind,
    /// The host's file that it began as.
    pub host: Option<Box<HostOrigin>>,
    /// Whether anything of it differs from the host's file.
    pub is_changed: bool,
    /// Whether linkat(2) may give it a name although it has none, open(2) `O_TMPFILE`.
    pub may_be_linked: bool,
    /// Who holds it.
    pub references: u32,
    /// Descriptions that may write to it.
    pub writers: u32,
    /// Descriptions that may only read it.
    pub readers: u32,
    /// Programs that run it: nobody may open it for writing, execve(2) `ETXTBSY`.
    pub executed: u32,
    /// Locks on it.
    pub locks: Locks,
    /// Who watches it, inotify(7), and under which number.
    pub watchers: Vec<(Id<Inotify>, i32)>,
    /// Who watches it as a directory by signals, fcntl(2) `F_NOTIFY`.
    pub directory_watches: Vec<DirectoryWatch>,
}

/// A host file under an inode.
#[derive(Clone, Debug)]
pub struct HostOrigin {
    /// Where it is.
    pub path: Vec<u8>,
    /// Its device and inode number on the host.
    pub identity: (u64, u64),
    /// Its `st_blocks`.
    pub blocks: u64,
    /// Its `st_size`.
    pub size: u64,
}

/// What an inode is.
#[derive(Debug)]
pub enum InodeKind {
    /// A regular file.
    Regular(Pages),
    /// A directory.
    Directory(Directory),
    /// A POSIX message queue, mq_overview(7), and the size that its file shows, which means nothing.
    Queue(Id<MessageQueue>, u64),
    /// A symbolic link and its target.
    Symlink(Vec<u8>),
    /// A FIFO, and its pipe while anybody has it open, fifo(7).
    Fifo(Option<Id<Pipe>>),
    /// A socket's name, unix(7).
    Socket,
    /// A character or block device; its number is the inode's `special_device`.
    Device,
    /// A file of proc or sysfs.
    Generated(Generated),
    /// What has no name: reached through `/proc/PID/fd` only.
    Anonymous(FileObject),
}

/// A directory's entries.
#[derive(Debug, Default)]
pub struct Directory {
    /// What is known of names: of all of them if `is_complete`.
    pub entries: BTreeMap<Vec<u8>, DirectoryEntry>,
    /// Whether every name that exists is among `entries`; otherwise the host has to be asked.
    pub is_complete: bool,
    /// Names that were asked of the host and not found, while it is not complete.
    pub misses: usize,
    /// Whether rmdir(2) removed it: nothing can be made in it any more.
    pub is_removed: bool,
}

/// What is known of a name in a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DirectoryEntry {
    /// It is this node.
    Node(Id<Node>),
    /// The host has it; it was not looked at yet.
    OnHost {
        /// Its `st_ino`, as the guest sees it.
        number: u64,
        /// Type bits of its mode, 0 if unknown.
        kind: u32,
    },
    /// There is none: the host has none either, or it was removed.
    Absent,
}

impl Inode {
    /// An inode without names or holders.
    pub fn new(number: u64, mount: Id<Mount>, mode: u32, kind: InodeKind, now_ns: i64) -> Inode {
        Inode {
            number,
            mount,
            mode,
            uid: 0,
            gid: 0,
            links: 0,
            special_device: 0,
            accessed_ns: now_ns,
            modified_ns: now_ns,
            changed_ns: now_ns,
            born_ns: Some(now_ns),
            attributes: BTreeMap::new(),
            kind,
            host: None,
            is_changed: true,
            may_be_linked: false,
            references: 0,
            writers: 0,
            readers: 0,
            executed: 0,
            locks: Locks::default(),
            watchers: Vec::new(),
            directory_watches: Vec::new(),
        }
    }

    /// Bytes, `st_size`.
    pub fn size(&self) -> u64 {
        match &self.kind {
            InodeKind::Regular(pages) => pages.size(),
            InodeKind::Directory(directory) => match &self.host {
                Some(host) => host.size,
                // A block of an ext4 directory.
                None if !directory.is_removed => 4096,
                None => 0,
            },
            InodeKind::Symlink(target) => target.len() as u64,
            InodeKind::Queue(_, size) => *size,
            InodeKind::Fifo(_) | InodeKind::Socket | InodeKind::Device => 0,
            InodeKind::Generated(_) | InodeKind::Anonymous(_) => 0,
        }
    }

    /// The type bits of the mode.
    pub fn type_bits(&self) -> u32 {
        self.mode & S_IFMT
    }
    /// Whether it is a directory.
    pub fn is_directory(&self) -> bool {
        self.type_bits() == S_IFDIR
    }
    /// Whether it is a regular file.
    pub fn is_regular(&self) -> bool {
        self.type_bits() == S_IFREG
    }
    /// Whether it is a symbolic link.
    pub fn is_symlink(&self) -> bool {
        self.type_bits() == S_IFLNK
    }
    /// Whether it is a character or block device.
    pub fn is_device(&self) -> bool {
        matches!(self.type_bits(), S_IFCHR | S_IFBLK)
    }
    /// Whether it is a FIFO.
    pub fn is_fifo(&self) -> bool {
        self.type_bits() == S_IFIFO
    }
    /// Whether it is a socket.
    pub fn is_socket(&self) -> bool {
        self.type_bits() == S_IFSOCK
    }

    /// The pages of a regular file.
    pub fn pages(&self) -> Option<&Pages> {
        match &self.kind {
            InodeKind::Regular(pages) => Some(pages),
            _ => None,
        }
    }
    /// The pages of a regular file.
    pub fn pages_mut(&mut self) -> Option<&mut Pages> {
        match &mut self.kind {
            InodeKind::Regular(pages) => Some(pages),
            _ => None,
        }
    }
    /// The entries of a directory in memory or over a host directory.
    pub fn directory(&self) -> Option<&Directory> {
        match &self.kind {
            InodeKind::Directory(directory) => Some(directory),
            _ => None,
        }
    }
    /// The entries of a directory in memory or over a host directory.
    pub fn directory_mut(&mut self) -> Option<&mut Directory> {
        match &mut self.kind {
            InodeKind::Directory(directory) => Some(directory),
            _ => None,
        }
    }
}
