//! Changes of directories told by signals, fcntl(2) `F_NOTIFY`. Linux, fs/notify/dnotify/dnotify.c.
//!
//! What inotify hears of, this hears of too: the events are the same, with one of its own for renames.

use super::description::FileDescription;
use super::fd_table::{Fd, FdTable};
use super::inode::Inode;
use super::locks::inode_of;
use super::node::Node;
use super::signal_driven::{self, News};
use crate::entry::Call;
use crate::kernel::Kernel;
use crate::syscalls::operation::{Flow, SysResult};
use crate::table::Id;
use abi::Errno;
use abi::fcntl::{DN_ACCESS, DN_ATTRIB, DN_CREATE, DN_DELETE, DN_MODIFY, DN_MULTISHOT, DN_RENAME, F_OWNER_PID};
use abi::inotify::{IN_ACCESS, IN_ATTRIB, IN_CREATE, IN_DELETE, IN_MODIFY, IN_MOVED_FROM, IN_MOVED_TO};

/// Events of inotify, and [`RENAMED`].
const EVENTS: [(u32, u32); 6] = [
    (DN_ACCESS, IN_ACCESS),
    (DN_MODIFY, IN_MODIFY),
    (DN_CREATE, IN_CREATE | IN_MOVED_TO),
    (DN_DELETE, IN_DELETE | IN_MOVED_FROM),
    (DN_RENAME, RENAMED),
    (DN_ATTRIB, IN_ATTRIB),
];

/// A name changed within the directory: `FS_RENAME`, which inotify does not know.
const RENAMED: u32 = 0x1000_0000;

/// A process's interest in a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirectoryWatch {
    /// The directory's open file.
    file: Id<FileDescription>,
    /// The descriptors of the process: the watch ends when one of them for the file is closed.
    table: Id<FdTable>,
    /// The descriptor that was given: `si_fd`.
    fd: Fd,
    /// Which events.
    events: u32,
    /// Whether it goes on after the first: `DN_MULTISHOT`.
    goes_on: bool,
}

impl DirectoryWatch {
    /// Whether the process still has the directory open.
    pub(crate) fn is_open(&self, kernel: &Kernel) -> bool {
        kernel.fd_tables.get(self.table).is_some_and(|table| table.iter().any(|(_, entry)| entry.file == self.file))
    }
}

/// `F_NOTIFY`.
///
/// # Errors
/// `ENOTDIR`.
pub(in crate::fs) fn watch(call: &mut Call, fd: Fd, file: Id<FileDescription>, asked: u32) -> SysResult {
    let table = call.kernel.threads[call.thread].fd_table;
    if asked & !DN_MULTISHOT == 0 {
        flush(call.kernel, table, file);
        return Flow::OK;
    }
    let inode = inode_of(call.kernel, file).filter(|inode| call.kernel.vfs.inodes[*inode].is_directory());
    let inode = inode.ok_or(Errno::ENOTDIR.because("only directories are watched"))?;
    let events = EVENTS.iter().filter(|(bit, _)| asked & bit != 0).fold(0, |events, (_, more)| events | more);
    let goes_on = asked & DN_MULTISHOT != 0;
    let vfs = &mut call.kernel.vfs;
    let watches = &mut vfs.inodes[inode].directory_watches;
    match watches.iter_mut().find(|watch| (watch.file, watch.table) == (file, table)) {
        Some(watch) => {
            watch.fd = fd;
            watch.events |= events;
            watch.goes_on |= goes_on;
        }
        None => {
            watches.insert(0, DirectoryWatch { file, table, fd, events, goes_on });
            vfs.directory_watches += 1;
        }
    }
    if call.kernel.files[file].owner.number == 0 {
        let (pid, credentials) = (call.process().pid, call.credentials().clone());
        call.kernel.files[file].owner.choose(F_OWNER_PID, pid, &credentials);
    }
    Flow::OK
}

/// A descriptor of `table` for `file` was closed, or its watch withdrawn.
pub(in crate::fs) fn flush(kernel: &mut Kernel, table: Id<FdTable>, file: Id<FileDescription>) {
    if kernel.vfs.directory_watches == 0 {
        return;
    }
    if let Some(inode) = inode_of(kernel, file) {
        retain(kernel, inode, |watch| (watch.file, watch.table) != (file, table));
    }
}

fn retain(kernel: &mut Kernel, inode: Id<Inode>, keeps: impl Fn(&DirectoryWatch) -> bool) {
    let watches = &mut kernel.vfs.inodes[inode].directory_watches;
    let before = watches.len();
    watches.retain(keeps);
    kernel.vfs.directory_watches -= (before - watches.len()) as u32;
}

/// Something happened to a directory, or to a file in it: events of inotify.
pub(in crate::fs) fn deliver(kernel: &mut Kernel, directory: Id<Inode>, events: u32) {
    if kernel.vfs.inodes[directory].directory_watches.is_empty() {
        return;
    }
    let watches = kernel.vfs.inodes[directory].directory_watches.clone();
    for watch in watches.iter().filter(|watch| watch.events & events != 0) {
        signal_driven::tell_owner(kernel, watch.file, watch.fd, News::Message);
    }
    retain(kernel, directory, |watch| watch.goes_on || watch.events & events == 0);
}

/// A file got another name. Only a change within one directory counts.
pub(in crate::fs) fn renamed(kernel: &mut Kernel, from: Id<Node>, to: Id<Node>) {
    if kernel.vfs.directory_watches > 0 && from == to {
        let directory = kernel.vfs.nodes[from].inode;
        deliver(kernel, directory, RENAMED);
    }
}
