//! Directories: getdents(2), getcwd(2), chdir(2), chroot(2), umask(2).

use crate::entry::Call;
use crate::fs::generated::{self, Listed};
use crate::fs::path::{self, Follow};
use crate::fs::{DirectoryEntry, Fd, FileDescription, FileObject, InodeKind, Node, Snapshot, inotify, names, overlay};
use crate::syscalls::operation::{Flow, SysResult};
use crate::table::Id;
use crate::user::{UserCStr, UserSlice};
use abi::inotify::IN_ACCESS;
use abi::stat::{S_IFDIR, directory_entry_type};
use abi::{Errno, Error};

/// The two layouts of directory entries in guest memory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// `struct linux_dirent`, getdents(2).
    Old,
    /// `struct linux_dirent64`, getdents64(2).
    New,
}

/// getdents(2).
pub(crate) fn getdents(call: &mut Call, fd: Fd, buffer: u64, size: u32) -> SysResult {
    read_entries(call, fd, UserSlice { address: buffer, length: u64::from(size) }, Layout::Old)
}

/// getdents64(2).
pub(crate) fn getdents64(call: &mut Call, fd: Fd, buffer: u64, size: u32) -> SysResult {
    read_entries(call, fd, UserSlice { address: buffer, length: u64::from(size) }, Layout::New)
}

fn read_entries(call: &mut Call, fd: Fd, buffer: UserSlice, layout: Layout) -> SysResult {
    let file = call.usable_file(fd)?;
    let description = &call.kernel.files[file];
    let (Some(node), FileObject::Inode(_)) = (description.node, description.object) else {
        return Err(Errno::ENOTDIR.because("the file is no directory"));
    };
    if !call.kernel.inode(node).is_directory() {
        return Err(Errno::ENOTDIR.because("the file is no directory"));
    }
    if !description.is_readable() {
        return Err(Errno::EBADF.because("the directory is not open for reading"));
    }
    let offset = description.offset;
    if offset == 0 || !matches!(description.snapshot, Snapshot::Listing(_)) {
        let listing = list(call, node)?;
        call.kernel.files[file].snapshot = Snapshot::Listing(listing);
    }
    let (bytes, next) = encode(call, file, node, offset, buffer.length as usize, layout)?;
    call.copy_out(buffer.address, &bytes)?;
    call.kernel.files[file].offset = next;
    inotify::notify_file(call.kernel, file, IN_ACCESS);
    Ok(Flow::Done(bytes.len() as u64))
}

/// The entries of a directory, sorted by name, without `.` and `..`.
///
/// # Errors
/// The host's, `ENOENT` for a directory that was removed.
pub(crate) fn list(call: &mut Call, node: Id<Node>) -> Result<Vec<Listed>, Error> {
    if let InodeKind::Generated(file) = call.kernel.inode(node).kind {
        return generated::list(call, file);
    }
    overlay::complete(call.kernel, call.outside, node)?;
    let Some(directory) = call.kernel.inode(node).directory() else {
        return Err(Errno::ENOTDIR.because("the file is no directory"));
    };
    if directory.is_removed {
        return Err(Errno::ENOENT.because("the directory was removed"));
    }
    let mut listing = Vec::with_capacity(directory.entries.len());
    for (name, entry) in &directory.entries {
        let (number, kind) = match *entry {
            DirectoryEntry::Node(node) => {
                let inode = call.kernel.inode(node);
                (inode.number, inode.type_bits())
            }
            DirectoryEntry::OnHost { number, kind } => (number, kind),
            DirectoryEntry::Absent => continue,
        };
        listing.push(Listed { name: name.clone(), number, kind });
    }
    Ok(listing)
}

/// As many entries from `offset` on as fit, and the offset behind them. Names removed since the listing was made are
/// left out.
fn encode(
    call: &Call,
    file: Id<FileDescription>,
    node: Id<Node>,
    offset: u64,
    room: usize,
    layout: Layout,
) -> Result<(Vec<u8>, u64), Error> {
    let Snapshot::Listing(listing) = &call.kernel.files[file].snapshot else { unreachable!("the caller has made it") };
    let here = call.kernel.inode(node);
    let above = above(call, node);
    let mut bytes = Vec::new();
    let mut position = offset;
    while position < listing.len() as u64 + 2 {
        let (name, number, kind): (&[u8], u64, u32) = match position {
            0 => (b".", here.number, S_IFDIR),
            1 => (b"..", call.kernel.inode(above).number, S_IFDIR),
            _ => {
                let entry = &listing[position as usize - 2];
                let gone = here.directory().is_some_and(|directory| {
                    matches!(directory.entries.get(&entry.name), None | Some(DirectoryEntry::Absent))
                });
                if gone {
                    position += 1;
                    continue;
                }
                (&entry.name, entry.number, entry.kind)
            }
        };
        let entry = encode_one(name, number, kind, position + 1, layout);
        if bytes.len() + entry.len() > room {
            if bytes.is_empty() {
                return Err(Errno::EINVAL.because("the buffer is too small for an entry"));
            }
            break;
        }
        bytes.extend_from_slice(&entry);
        position += 1;
    }
    Ok((bytes, position))
}

fn encode_one(name: &[u8], number: u64, kind: u32, next: u64, layout: Layout) -> Vec<u8> {
    let header = if layout == Layout::New { 19 } else { 18 };
    // The old layout has the type in the last byte, behind the name's zero byte.
    let extra = if layout == Layout::New { 1 } else { 2 };
    let length = (header + name.len() + extra).next_multiple_of(8);
    let mut entry = Vec::with_capacity(length);
    entry.extend_from_slice(&number.to_le_bytes());
    entry.extend_from_slice(&next.to_le_bytes());
    entry.extend_from_slice(&(length as u16).to_le_bytes());
    if layout == Layout::New {
        entry.push(directory_entry_type(kind));
    }
    entry.extend_from_slice(name);
    entry.resize(length, 0);
    if layout == Layout::Old {
        entry[length - 1] = directory_entry_type(kind);
    }
    entry
}

/// The directory above a directory, through mounts.
fn above(call: &Call, node: Id<Node>) -> Id<Node> {
    let vfs = &call.kernel.vfs;
    let mut at = node;
    loop {
        let here = &vfs.nodes[at];
        match (here.parent, vfs.mounts[here.mount].at) {
            (Some(parent), _) => return parent,
            (None, Some(below)) => at = below,
            (None, None) => return at,
        }
    }
}

/// getcwd(2).
pub(crate) fn getcwd(call: &mut Call, buffer: u64, size: u64) -> SysResult {
    let context = call.context();
    let (directory, root) = (context.directory, context.root);
    if call.kernel.is_detached(directory) {
        return Err(Errno::ENOENT.because("the working directory was removed"));
    }
    let mut path = match call.kernel.path_below(directory, Some(root)) {
        Some(path) => path,
        None => {
            let mut path = b"(unreachable)".to_vec();
            path.extend(call.kernel.path_of(directory));
            path
        }
    };
    path.push(0);
    if path.len() as u64 > size {
        return Err(Errno::ERANGE.because("the path is longer than the buffer"));
    }
    call.copy_out(buffer, &path)?;
    Ok(Flow::Done(path.len() as u64))
}

/// chdir(2).
pub(crate) fn chdir(call: &mut Call, path: UserCStr) -> SysResult {
    let path = call.read_path(path)?;
    let node = path::resolve(call, Fd::WORKING_DIRECTORY, &path, Follow::Yes)?;
    enter(call, node)
}

/// fchdir(2).
pub(crate) fn fchdir(call: &mut Call, fd: Fd) -> SysResult {
    let file = call.file(fd)?;
    let Some(node) = call.kernel.files[file].node else {
        return Err(Errno::ENOTDIR.because("the file is no directory"));
    };
    enter(call, node)
}

fn enter(call: &mut Call, node: Id<Node>) -> SysResult {
    names::check_enterable(call, node)?;
    call.kernel.hold_node(node);
    let old = std::mem::replace(&mut call.context().directory, node);
    call.kernel.release_node(old);
    Flow::OK
}

/// chroot(2).
pub(crate) fn chroot(call: &mut Call, path: UserCStr) -> SysResult {
    let path = call.read_path(path)?;
    let node = path::resolve(call, Fd::WORKING_DIRECTORY, &path, Follow::Yes)?;
    names::check_enterable(call, node)?;
    if !call.subject().changes_root {
        return Err(Errno::EPERM.because("the root directory is changed with CAP_SYS_CHROOT"));
    }
    call.kernel.hold_node(node);
    let old = std::mem::replace(&mut call.context().root, node);
    call.kernel.release_node(old);
    Flow::OK
}

/// umask(2).
pub(crate) fn umask(call: &mut Call, mask: u32) -> SysResult {
    let old = std::mem::replace(&mut call.context().umask, mask & 0o777);
    Ok(Flow::Done(u64::from(old)))
}
