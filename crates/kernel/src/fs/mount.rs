//! Mounted file systems, mount(8): the host's files as root, and what lies over them.

use super::inode::{Directory, Inode, InodeKind};
use super::node::Node;
use crate::kernel::Kernel;
use crate::ports::Outside;
use crate::table::Id;
use abi::Error;
use abi::stat::{
    DEVPTS_SUPER_MAGIC, EXT4_SUPER_MAGIC, MQUEUE_MAGIC, PIPEFS_MAGIC, PROC_SUPER_MAGIC, S_IFDIR, SYSFS_MAGIC,
    TMPFS_MAGIC, make_device,
};

/// What kind of file system a mount is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileSystem {
    /// The host's files, never written, with all changes in memory.
    Host,
    /// Files in memory; on `/tmp` with the host's underneath.
    Tmp,
    /// Files without names: memfd_create(2). Not in the tree.
    Nameless,
    /// proc(5).
    Proc,
    /// sysfs(5).
    Sys,
    /// `/dev`.
    Devices,
    /// `/dev/pts`.
    Terminals,
    /// `/dev/mqueue`, and the POSIX message queues of other IPC namespaces.
    Queues,
}

impl FileSystem {
    /// `f_type`, statfs(2).
    pub fn magic(self) -> i64 {
        match self {
            FileSystem::Host => EXT4_SUPER_MAGIC,
            FileSystem::Tmp | FileSystem::Devices => TMPFS_MAGIC,
            FileSystem::Nameless => PIPEFS_MAGIC,
            FileSystem::Proc => PROC_SUPER_MAGIC,
            FileSystem::Sys => SYSFS_MAGIC,
            FileSystem::Terminals => DEVPTS_SUPER_MAGIC,
            FileSystem::Queues => MQUEUE_MAGIC,
        }
    }

    /// Its name in `/proc/filesystems` and `/proc/mounts`.
    pub fn type_name(self) -> &'static str {
        match self {
            FileSystem::Host => "ext4",
            FileSystem::Tmp => "tmpfs",
            FileSystem::Nameless => "pipefs",
            FileSystem::Proc => "proc",
            FileSystem::Sys => "sysfs",
            FileSystem::Devices => "devtmpfs",
            FileSystem::Terminals => "devpts",
            FileSystem::Queues => "mqueue",
        }
    }

    /// Options besides `rw,noatime`, as `/proc/mounts` shows them.
    pub fn options(self) -> &'static str {
        match self {
            FileSystem::Host => "rw,noatime",
            FileSystem::Tmp => "rw,nosuid,nodev,noatime",
            FileSystem::Nameless => "rw,noatime",
            FileSystem::Proc | FileSystem::Sys | FileSystem::Queues => "rw,nosuid,nodev,noexec,noatime",
            FileSystem::Devices => "rw,nosuid,noatime,mode=755",
            FileSystem::Terminals => "rw,nosuid,noexec,noatime,gid=5,mode=620,ptmxmode=666",
        }
    }
}

/// A mounted file system.
#[derive(Debug)]
pub struct Mount {
    /// What it is.
    pub file_system: FileSystem,
    /// What is mounted, the first column of `/proc/mounts`.
    pub source: &'static str,
    /// `st_dev` of its files.
    pub device: u64,
    /// Its root; set right after the mount was made.
    pub root: Option<Id<Node>>,
    /// The directory it is mounted on; `None` for the root of all and for what is not in the tree.
    pub at: Option<Id<Node>>,
    /// Number of the next inode made in it.
    pub next_number: u64,
}

/// The first inode number of files made during the run on file systems with the host's files underneath: above all of
/// theirs, in practice.
const FIRST_NEW_NUMBER: u64 = 1 << 40;
/// Bits of an inode number below the index of the host's device it comes from.
pub(super) const HOST_NUMBER_BITS: u32 = 48;

impl Kernel {
    /// The root directory of all mounts.
    pub fn root_node(&self) -> Id<Node> {
        let (_, first) = self.vfs.mounts.iter().next().expect("the root is mounted at boot");
        first.root.expect("the root is mounted at boot")
    }

    /// The mount on which files without names live.
    pub fn nameless_mount(&self) -> Id<Mount> {
        let mut mounts = self.vfs.mounts.iter();
        mounts.find(|(_, mount)| mount.file_system == FileSystem::Nameless).expect("made at boot").0
    }

    /// The root of the first file system of message queues, `/dev/mqueue`.
    pub fn queues_root(&self) -> Id<Node> {
        let mut mounts = self.vfs.mounts.iter();
        let queues = mounts.find(|(_, mount)| mount.file_system == FileSystem::Queues).expect("mounted at boot");
        queues.1.root.expect("the root is made with the mount")
    }

    /// Gives up a file system that has no place in the tree: it goes with its last node.
    pub fn give_up_mount(&mut self, root: Id<Node>) {
        let mount = self.vfs.nodes[root].mount;
        assert!(self.vfs.mounts[mount].at.is_none(), "what is in the tree stays");
        self.hold_node(root);
        self.vfs.mounts[mount].root = None;
        self.release_node(root);
    }

    /// Mounts a file system whose root is an empty directory, on the directory `at` if it has a place in the tree.
    pub fn mount(
        &mut self,
        file_system: FileSystem,
        source: &'static str,
        at: Option<Id<Node>>,
        mode: u32,
    ) -> Id<Node> {
        let index = self.vfs.mounts.len() as u32;
        let device = match file_system {
            FileSystem::Host => make_device(8, 1),
            _ => make_device(0, 20 + index),
        };
        let first = if matches!(file_system, FileSystem::Host) { FIRST_NEW_NUMBER } else { 2 };
        let mount = self.vfs.mounts.insert(Mount { file_system, source, device, root: None, at, next_number: first });
        let number = match file_system {
            FileSystem::Host => 2,
            _ => 1,
        };
        let now = self.clock.realtime_ns() as i64;
        let directory = Directory { is_complete: true, ..Directory::default() };
        let mut inode = Inode::new(number, mount, S_IFDIR | mode, InodeKind::Directory(directory), now);
        inode.links = 2;
        let inode = self.vfs.inodes.insert(inode);
        let root = self.make_node(None, b"", inode);
        self.vfs.mounts[mount].root = Some(root);
        if let Some(at) = at {
            self.hold_node(at);
            assert!(self.vfs.nodes[at].mounted.is_none(), "one mount on a directory");
            self.vfs.nodes[at].mounted = Some(mount);
        }
        root
    }

    /// The number of a new inode of a mount.
    pub fn next_inode_number(&mut self, mount: Id<Mount>) -> u64 {
        let next = &mut self.vfs.mounts[mount].next_number;
        *next += 1;
        *next - 1
    }

    /// The text of `/proc/mounts` as a process with root directory `root` sees it.
    pub fn mounts_text(&self, root: Id<Node>) -> Vec<u8> {
        let mut text = Vec::new();
        for (_, mount) in self.vfs.mounts.iter() {
            let Some(path) = mount.root.filter(|_| mount.file_system != FileSystem::Nameless) else { continue };
            let Some(path) = self.path_below(path, Some(root).filter(|root| *root != self.root_node())) else {
                continue;
            };
            text.extend_from_slice(mount.source.as_bytes());
            text.push(b' ');
            text.extend(escape(&path));
            text.extend_from_slice(format!(" {} ", mount.file_system.type_name()).as_bytes());
            text.extend_from_slice(mount.file_system.options().as_bytes());
            text.extend_from_slice(b" 0 0\n");
        }
        text
    }

    /// The text of `/proc/PID/mountinfo`, proc(5), as a process with root directory `root` sees it.
    pub fn mountinfo_text(&self, root: Id<Node>) -> Vec<u8> {
        let mut text = Vec::new();
        for (id, mount) in self.vfs.mounts.iter() {
            let Some(path) = mount.root.filter(|_| mount.file_system != FileSystem::Nameless) else { continue };
            let Some(path) = self.path_below(path, Some(root).filter(|root| *root != self.root_node())) else {
                continue;
            };
            let parent = mount.at.map_or(1, |at| mount_number(self.vfs.nodes[at].mount));
            let (major, minor) = (abi::stat::device_major(mount.device), abi::stat::device_minor(mount.device));
            text.extend_from_slice(format!("{} {parent} {major}:{minor} / ", mount_number(id)).as_bytes());
            text.extend(escape(&path));
            let options = mount.file_system.options();
            let kind = mount.file_system.type_name();
            text.extend_from_slice(format!(" {options} - {kind} {} rw\n", mount.source).as_bytes());
        }
        text
    }
}

/// The number of a mount in `/proc/PID/mountinfo` and statx(2).
pub fn mount_number(mount: Id<Mount>) -> u64 {
    20 + u64::from(mount.index())
}

/// Spaces and the like in octal, as getmntent(3) expects.
fn escape(path: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    for byte in path {
        match byte {
            b' ' | b'\t' | b'\n' | b'\\' => text.extend_from_slice(format!("\\{byte:03o}").as_bytes()),
            _ => text.push(*byte),
        }
    }
    text
}

/// Mounts what every run has: the host's files, and over them `/tmp`, `/dev`, `/dev/shm`, `/dev/pts`, `/dev/mqueue`,
/// `/proc`, `/sys`.
///
/// # Errors
/// The host's, if its root directory cannot be looked at.
pub fn start(kernel: &mut Kernel, outside: &mut dyn Outside) -> Result<(), Error> {
    assert!(kernel.vfs.mounts.is_empty(), "the file systems are mounted once");
    let root = kernel.mount(FileSystem::Host, "/dev/root", None, 0o755);
    super::overlay::put_under(kernel, outside, root, b"/")?;
    kernel.mount(FileSystem::Nameless, "none", None, 0o755);

    let tmp = mount_point(kernel, outside, root, b"tmp", 0o1777);
    let tmp = kernel.mount(FileSystem::Tmp, "tmpfs", Some(tmp), 0o1777);
    if super::overlay::put_under(kernel, outside, tmp, b"/tmp").is_err() {
        kernel.inode_mut(tmp).mode = S_IFDIR | 0o1777;
    }
    let dev = mount_point(kernel, outside, root, b"dev", 0o755);
    let dev = kernel.mount(FileSystem::Devices, "devtmpfs", Some(dev), 0o755);
    let shm = mount_point(kernel, outside, dev, b"shm", 0o1777);
    kernel.mount(FileSystem::Tmp, "tmpfs", Some(shm), 0o1777);
    let pts = mount_point(kernel, outside, dev, b"pts", 0o755);
    kernel.mount(FileSystem::Terminals, "devpts", Some(pts), 0o755);
    let queues = mount_point(kernel, outside, dev, b"mqueue", 0o755);
    kernel.mount(FileSystem::Queues, "mqueue", Some(queues), 0o1777);
    let proc = mount_point(kernel, outside, root, b"proc", 0o555);
    let proc = kernel.mount(FileSystem::Proc, "proc", Some(proc), 0o555);
    let sys = mount_point(kernel, outside, root, b"sys", 0o555);
    let sys = kernel.mount(FileSystem::Sys, "sysfs", Some(sys), 0o555);
    super::generated::populate(kernel, dev, proc, sys);
    Ok(())
}

/// The directory `name` in `parent`, made if it is not there.
fn mount_point(kernel: &mut Kernel, outside: &mut dyn Outside, parent: Id<Node>, name: &[u8], mode: u32) -> Id<Node> {
    if let Ok(Some(node)) = super::overlay::lookup(kernel, outside, parent, name)
        && kernel.inode(node).is_directory()
    {
        return node;
    }
    kernel.make_directory(parent, name, mode)
}

impl Kernel {
    /// Makes a directory in memory for a file system's own use: nobody is asked for permission.
    pub fn make_directory(&mut self, parent: Id<Node>, name: &[u8], mode: u32) -> Id<Node> {
        let directory = Directory { is_complete: true, ..Directory::default() };
        let node = self.make_entry(parent, name, S_IFDIR | mode, InodeKind::Directory(directory));
        self.inode_mut(node).links = 2;
        self.inode_mut(parent).links += 1;
        node
    }

    /// Makes an inode and its name in a directory, for a file system's own use: nobody is asked for permission, and
    /// what had the name is detached. Belongs to root.
    pub fn make_entry(&mut self, parent: Id<Node>, name: &[u8], mode: u32, kind: InodeKind) -> Id<Node> {
        let mount = self.vfs.nodes[parent].mount;
        let number = self.next_inode_number(mount);
        let now = self.clock.realtime_ns() as i64;
        let mut inode = Inode::new(number, mount, mode, kind, now);
        inode.links = 1;
        let inode = self.vfs.inodes.insert(inode);
        let node = self.make_node(Some(parent), name, inode);
        self.attach_node(node);
        node
    }
}
