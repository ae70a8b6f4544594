//! Opening: open(2), openat2(2), creat(2). A path and flags become a node, a node becomes an open file.

use super::description::{FileDescription, FileObject};
use super::fd_table::Fd;
use super::inode::{Directory, Inode, InodeKind};
use super::inotify;
use super::mount::FileSystem;
use super::node::Node;
use super::page_cache::Pages;
use super::path::{self, Follow, Found, Last};
use super::permission::{EXECUTE, READ, WRITE};
use crate::entry::Call;
use crate::ipc::posix::names;
use crate::table::Id;
use abi::fcntl::{
    O_ACCMODE, O_CLOEXEC, O_CREAT, O_DIRECTORY, O_EXCL, O_NOATIME, O_NOCTTY, O_NOFOLLOW, O_PATH, O_RDONLY, O_TMPFILE,
    O_TMPFILE_BIT, O_TRUNC, O_WRONLY,
};
use abi::inotify::{IN_CREATE, IN_OPEN};
use abi::stat::{S_IFDIR, S_IFMT, S_IFREG, S_ISGID};
use abi::{Errno, Error};

/// Flags that an open file keeps, fcntl(2) `F_GETFL`.
const NOT_KEPT: u32 = O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC;

/// Opens an existing file or makes one, from within the kernel. The caller holds the result once.
///
/// # Errors
/// Those of open(2); `ENXIO` for a FIFO, whose opening may sleep.
pub fn open_file(call: &mut Call, base: Fd, path: &[u8], flags: u32, mode: u32) -> Result<Id<FileDescription>, Error> {
    let located = locate(call, base, path, flags, mode, 0)?;
    open_located(call, located, flags)
}

/// What open(2) is about to open.
#[derive(Clone, Copy, Debug)]
pub(super) struct Located {
    /// The file.
    pub(super) node: Id<Node>,
    /// Whether its bytes go when it is opened: `O_TRUNC` on a file that was there before.
    truncates: bool,
}

/// Opens what [`locate`] found.
///
/// # Errors
/// As [`open_node`].
pub(super) fn open_located(call: &mut Call, located: Located, flags: u32) -> Result<Id<FileDescription>, Error> {
    let Located { node, truncates } = located;
    let file = open_node(call, node, flags)?;
    if truncates && let Err(error) = super::size::truncate_named(call, node, 0) {
        call.release_file(file);
        return Err(error);
    }
    Ok(file)
}

/// Finds what open(2) is to open, makes it if `O_CREAT` says so, and checks permissions.
///
/// # Errors
/// Those of open(2).
pub(super) fn locate(
    call: &mut Call,
    base: Fd,
    path: &[u8],
    flags: u32,
    mode: u32,
    resolve: u64,
) -> Result<Located, Error> {
    check_flags(flags)?;
    let made = |node| Located { node, truncates: false };
    if flags & O_TMPFILE_BIT != 0 {
        return make_nameless(call, base, path, flags, mode, resolve).map(made);
    }
    let creates = flags & O_CREAT != 0 && flags & O_PATH == 0;
    let follow = match (creates, flags & O_NOFOLLOW != 0 || creates && flags & O_EXCL != 0) {
        (false, false) => Follow::Yes,
        (false, true) => Follow::No,
        (true, false) => Follow::ToMake,
        (true, true) => Follow::NoToMake,
    };
    let found = path::walk(call, base, path, follow, resolve)?;
    let Some(node) = found.node else {
        if !creates {
            return Err(Errno::ENOENT.because("no file has this name"));
        }
        if call.kernel.is_queues_directory(found.directory) {
            return names::create(call, found.directory, &found.name, mode, None).map(made);
        }
        let mode = S_IFREG | mode & 0o7777;
        return make(call, &found, mode, InodeKind::Regular(Pages::default()), 0).map(made);
    };
    let inode = call.kernel.inode(node);
    if creates {
        if flags & O_EXCL != 0 && found.last != Last::Jump {
            return Err(Errno::EEXIST.because("the file exists, and `O_EXCL` wants a new one"));
        }
        if inode.is_directory() {
            return Err(Errno::EISDIR.because("`O_CREAT` is not for directories"));
        }
    }
    if flags & O_DIRECTORY != 0 && !inode.is_directory() {
        return Err(Errno::ENOTDIR.because("`O_DIRECTORY`, and the file is none"));
    }
    if flags & O_PATH != 0 {
        return Ok(made(node));
    }
    check_open(call, inode, flags)?;
    Ok(Located { node, truncates: flags & O_TRUNC != 0 && inode.pages().is_some() })
}

fn check_flags(flags: u32) -> Result<(), Error> {
    if flags & O_TMPFILE_BIT != 0 {
        if flags & O_TMPFILE != O_TMPFILE || flags & O_CREAT != 0 {
            return Err(Errno::EINVAL.because("`O_TMPFILE` includes `O_DIRECTORY` and excludes `O_CREAT`"));
        }
        if flags & O_ACCMODE == O_RDONLY {
            return Err(Errno::EINVAL.because("a file of `O_TMPFILE` has to be writable"));
        }
    } else if flags & (O_CREAT | O_DIRECTORY) == O_CREAT | O_DIRECTORY && flags & O_PATH == 0 {
        return Err(Errno::EINVAL.because("`O_CREAT` makes no directories"));
    }
    Ok(())
}

/// `may_open` in Linux's fs/namei.c.
fn check_open(call: &Call, inode: &Inode, flags: u32) -> Result<(), Error> {
    let mut wanted = match flags & O_ACCMODE {
        O_RDONLY => READ,
        O_WRONLY => WRITE,
        // O_RDWR, and 3: "check for read and write permission", open(2).
        _ => READ | WRITE,
    };
    if flags & O_TRUNC != 0 {
        wanted |= WRITE;
    }
    if inode.is_symlink() {
        return Err(Errno::ELOOP.because("the file is a symbolic link, and `O_NOFOLLOW` was given"));
    }
    if inode.is_directory() && wanted & WRITE != 0 {
        return Err(Errno::EISDIR.because("a directory cannot be opened for writing"));
    }
    let subject = call.subject();
    subject.check(inode, wanted)?;
    if flags & O_NOATIME != 0 && !subject.owns(inode) {
        return Err(Errno::EPERM.because("`O_NOATIME` is for the file's owner"));
    }
    if inode.is_regular() && wanted & WRITE != 0 && inode.executed > 0 {
        return Err(Errno::ETXTBSY.because("the file is a program that runs"));
    }
    Ok(())
}

/// Makes an inode and its name where a path ended without finding one.
///
/// # Errors
/// `EACCES`, `ENOENT` if the directory was removed, `EPERM` on file systems without new names.
pub(crate) fn make(
    call: &mut Call,
    found: &Found,
    mode: u32,
    kind: InodeKind,
    special_device: u64,
) -> Result<Id<Node>, Error> {
    check_new_name(call, found.directory)?;
    let inode = new_inode(call, found.directory, mode, kind, special_device);
    let is_directory = mode & S_IFMT == S_IFDIR;
    let inode = call.kernel.vfs.inodes.insert(inode);
    let node = call.kernel.make_node(Some(found.directory), &found.name, inode);
    call.kernel.attach_node(node);
    if is_directory {
        call.kernel.inode_mut(found.directory).links += 1;
    }
    touch_directory(call, found.directory);
    inotify::notify_name(call.kernel, node, IN_CREATE);
    Ok(node)
}

/// Checks that the caller may add names to a directory, whatever its file system takes.
///
/// # Errors
/// `EACCES`.
pub(crate) fn check_writable_directory(call: &Call, directory: Id<Node>) -> Result<(), Error> {
    call.subject().check(call.kernel.inode(directory), WRITE | EXECUTE)
}

/// Checks that a name may be added to a directory.
///
/// # Errors
/// As [`make`].
pub(super) fn check_new_name(call: &Call, directory: Id<Node>) -> Result<(), Error> {
    let inode = call.kernel.inode(directory);
    match &inode.kind {
        InodeKind::Directory(entries) if entries.is_removed => {
            return Err(Errno::ENOENT.because("the directory was removed"));
        }
        InodeKind::Directory(_) => {}
        InodeKind::Generated(_) => {
            // proc and sysfs have no `create` operation: `lookup_open` in Linux's fs/namei.c.
            call.subject().check(inode, WRITE | EXECUTE)?;
            return Err(Errno::EACCES.because("no file can be made on this file system"));
        }
        _ => return Err(Errno::ENOTDIR.because("a part of the path is no directory")),
    }
    call.subject().check(inode, WRITE | EXECUTE)?;
    let mount = call.kernel.vfs.nodes[directory].mount;
    match call.kernel.vfs.mounts[mount].file_system {
        FileSystem::Host | FileSystem::Tmp | FileSystem::Nameless | FileSystem::Devices => Ok(()),
        FileSystem::Proc | FileSystem::Sys | FileSystem::Terminals | FileSystem::Queues => {
            Err(Errno::EPERM.because("no such file can be made on this file system"))
        }
    }
}

/// An inode made by the calling thread in a directory: its owner, group and mode, open(2) `O_CREAT`.
pub(crate) fn new_inode(call: &mut Call, directory: Id<Node>, mode: u32, kind: InodeKind, device: u64) -> Inode {
    let mask = call.context().umask;
    let mount = call.kernel.vfs.nodes[directory].mount;
    let number = call.kernel.next_inode_number(mount);
    let now = call.kernel.clock.realtime_ns() as i64;
    let subject = call.subject();
    let parent = call.kernel.inode(directory);
    let inherits = parent.mode & S_ISGID != 0;
    let is_directory = mode & S_IFMT == S_IFDIR;
    let is_symlink = matches!(kind, InodeKind::Symlink(_));
    let mut mode = if is_symlink { mode } else { mode & !mask };
    let gid = if inherits { parent.gid } else { subject.gid };
    if inherits && is_directory {
        mode |= S_ISGID;
    } else if mode & S_ISGID != 0 && inherits && !subject.is_in_group(gid) && !subject.keeps_set_id {
        mode &= !S_ISGID;
    }
    let uid = subject.uid;
    let mut inode = Inode::new(number, mount, mode, kind, now);
    inode.uid = uid;
    inode.gid = gid;
    inode.links = if is_directory { 2 } else { 1 };
    inode.special_device = device;
    inode
}

/// A new empty directory's kind.
pub(super) fn empty_directory() -> InodeKind {
    InodeKind::Directory(Directory { is_complete: true, ..Directory::default() })
}

/// A directory's names have changed.
pub(crate) fn touch_directory(call: &mut Call, directory: Id<Node>) {
    let now = call.kernel.clock.realtime_ns() as i64;
    let inode = call.kernel.inode_mut(directory);
    inode.modified_ns = now;
    inode.changed_ns = now;
    inode.is_changed = true;
}

/// `O_TMPFILE`: a file without a name in the file system of a directory; linkat(2) may give it one.
fn make_nameless(
    call: &mut Call,
    base: Fd,
    path: &[u8],
    flags: u32,
    mode: u32,
    resolve: u64,
) -> Result<Id<Node>, Error> {
    let follow = if flags & O_NOFOLLOW != 0 { Follow::No } else { Follow::Yes };
    let directory = path::walk(call, base, path, follow, resolve)?.existing()?;
    if !call.kernel.inode(directory).is_directory() {
        return Err(Errno::ENOTDIR.because("`O_TMPFILE` wants a directory"));
    }
    check_new_name(call, directory)?;
    let mut inode = new_inode(call, directory, S_IFREG | mode & 0o7777, InodeKind::Regular(Pages::default()), 0);
    // A link count of 0 says that it never had a name; with O_EXCL it may not get one.
    inode.links = 0;
    inode.may_be_linked = flags & O_EXCL == 0;
    let name = format!("#{}", inode.number);
    let inode = call.kernel.vfs.inodes.insert(inode);
    let node = call.kernel.make_node(Some(directory), name.as_bytes(), inode);
    call.kernel.let_loose(node);
    Ok(node)
}

/// The flags of open(2) that a description keeps.
pub(super) fn kept_flags(flags: u32) -> u32 {
    if flags & O_PATH != 0 {
        flags & (O_PATH | O_DIRECTORY | O_NOFOLLOW)
    } else {
        flags & !NOT_KEPT | abi::fcntl::O_LARGEFILE
    }
}

/// Opens a node. Permissions were checked by [`locate`]. The caller holds the result once.
///
/// # Errors
/// `ENXIO` for sockets, FIFOs (whose opening may sleep, fifo(7)) and devices that do not exist; `ENOMEM`.
pub(crate) fn open_node(call: &mut Call, node: Id<Node>, flags: u32) -> Result<Id<FileDescription>, Error> {
    let kept = kept_flags(flags);
    let id = call.kernel.vfs.nodes[node].inode;
    let inode = &call.kernel.vfs.inodes[id];
    let object = if flags & O_PATH != 0 {
        FileObject::Inode(id)
    } else {
        match &inode.kind {
            InodeKind::Regular(_) | InodeKind::Directory(_) | InodeKind::Generated(_) => FileObject::Inode(id),
            InodeKind::Symlink(_) => {
                return Err(Errno::ELOOP.because("the file is a symbolic link, and `O_NOFOLLOW` was given"));
            }
            InodeKind::Fifo(_) => return Err(Errno::ENXIO.because("a FIFO's opening may sleep")),
            InodeKind::Socket => return Err(Errno::ENXIO.because("a socket is connected to, not opened")),
            InodeKind::Queue(queue, _) => FileObject::MessageQueue(*queue),
            InodeKind::Device => super::ops::open_device(call, node, flags)?,
            InodeKind::Anonymous(object) => super::ops::reopen_object(call, *object, flags)?,
        }
    };
    let mut description = FileDescription::new(object, kept);
    if let FileObject::Inode(id) = object {
        let inode = &mut call.kernel.vfs.inodes[id];
        inode.writers += u32::from(description.is_writable());
        inode.readers += u32::from(description.is_readable() && !description.is_writable());
    }
    description.node = Some(node);
    call.kernel.hold_node(node);
    if !description.is_path_only() {
        inotify::notify(call.kernel, node, IN_OPEN);
    }
    Ok(call.kernel.files.insert(description))
}

/// Makes a file that never has a name: memfd_create(2), POSIX and System V shared memory. Not yet held by anybody.
pub fn make_unnamed_file(call: &mut Call, name: &[u8], mode: u32) -> Id<Node> {
    let mount = call.kernel.nameless_mount();
    let number = call.kernel.next_inode_number(mount);
    let now = call.kernel.clock.realtime_ns() as i64;
    let subject = call.subject();
    let (uid, gid) = (subject.uid, subject.gid);
    let mut inode = Inode::new(number, mount, S_IFREG | mode, InodeKind::Regular(Pages::default()), now);
    inode.uid = uid;
    inode.gid = gid;
    let inode = call.kernel.vfs.inodes.insert(inode);
    let node = call.kernel.make_node(None, name, inode);
    call.kernel.let_loose(node);
    node
}
