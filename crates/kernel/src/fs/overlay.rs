//! The host's files underneath: names and inodes are loaded when they are first looked for. Nothing is written here.

use super::inode::{Directory, DirectoryEntry, HostOrigin, Inode, InodeKind};
use super::mount::HOST_NUMBER_BITS;
use super::node::Node;
use super::page_cache::Pages;
use crate::kernel::Kernel;
use crate::ports::{HostMetadata, Outside};
use crate::table::Id;
use abi::stat::{S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK};
use abi::{Errno, Error};

/// After so many names that a host directory does not have, it is read as a whole: then further ones cost nothing.
const MISSES_BEFORE_READING_ALL: usize = 8;

/// Puts a host directory under the root of a mount.
///
/// # Errors
/// The host's; `ENOTDIR` if it is no directory.
pub(super) fn put_under(
    kernel: &mut Kernel,
    outside: &mut dyn Outside,
    root: Id<Node>,
    path: &[u8],
) -> Result<(), Error> {
    let metadata = outside.metadata(path)?;
    if metadata.mode & S_IFMT != S_IFDIR {
        return Err(Errno::ENOTDIR.because("only a directory can be the root of a file system"));
    }
    device_index(kernel, metadata.device);
    let inode = kernel.inode_mut(root);
    inode.mode = metadata.mode;
    inode.uid = metadata.uid;
    inode.gid = metadata.gid;
    inode.links = metadata.links as u32;
    inode.accessed_ns = metadata.accessed_ns;
    inode.modified_ns = metadata.modified_ns;
    inode.changed_ns = metadata.changed_ns;
    inode.born_ns = None;
    inode.is_changed = false;
    inode.host = Some(Box::new(origin(path.to_vec(), &metadata)));
    inode.kind = InodeKind::Directory(Directory::default());
    Ok(())
}

/// The node called `name` in a directory that is in memory or the host's; `None` if there is none.
///
/// # Errors
/// The host's, but for those that say that there is no such name.
pub(super) fn lookup(
    kernel: &mut Kernel,
    outside: &mut dyn Outside,
    parent: Id<Node>,
    name: &[u8],
) -> Result<Option<Id<Node>>, Error> {
    let inode = kernel.inode(parent);
    let InodeKind::Directory(directory) = &inode.kind else { return Ok(None) };
    match directory.entries.get(name) {
        Some(DirectoryEntry::Node(node)) => return Ok(Some(*node)),
        Some(DirectoryEntry::Absent) => return Ok(None),
        Some(DirectoryEntry::OnHost { .. }) => {}
        None if directory.is_complete => return Ok(None),
        None => {}
    }
    let Some(host) = &inode.host else { return Ok(None) };
    let path = child_path(&host.path, name);
    match outside.metadata(&path) {
        Ok(metadata) => {
            let inode = load(kernel, outside, parent, path, &metadata)?;
            let node = kernel.make_node(Some(parent), name, inode);
            kernel.attach_node(node);
            Ok(Some(node))
        }
        Err(Errno::ENOENT | Errno::ENOTDIR) => {
            let directory = kernel.inode_mut(parent).directory_mut().expect("looked at above");
            directory.entries.insert(name.to_vec(), DirectoryEntry::Absent);
            directory.misses += 1;
            if directory.misses >= MISSES_BEFORE_READING_ALL {
                // A directory that may be searched but not read stays as it is.
                let _ = complete(kernel, outside, parent);
            }
            Ok(None)
        }
        Err(errno) => Err(errno.into()),
    }
}

/// Reads all names of a host directory, so that all that exist are among its entries.
///
/// # Errors
/// The host's.
pub(super) fn complete(kernel: &mut Kernel, outside: &mut dyn Outside, node: Id<Node>) -> Result<(), Error> {
    let inode = kernel.inode(node);
    let (Some(directory), Some(host)) = (inode.directory(), &inode.host) else { return Ok(()) };
    if directory.is_complete {
        return Ok(());
    }
    let device = host.identity.0;
    let names = outside.read_directory(&host.path.clone())?;
    let index = device_index(kernel, device);
    let directory = kernel.inode_mut(node).directory_mut().expect("looked at above");
    for entry in names {
        let number = guest_number(index, entry.inode);
        directory.entries.entry(entry.name).or_insert(DirectoryEntry::OnHost { number, kind: entry.kind });
    }
    directory.entries.retain(|_, entry| *entry != DirectoryEntry::Absent);
    directory.is_complete = true;
    Ok(())
}

/// The inode of a host file; the one that is there already if another name of the file was met before.
fn load(
    kernel: &mut Kernel,
    outside: &mut dyn Outside,
    parent: Id<Node>,
    path: Vec<u8>,
    metadata: &HostMetadata,
) -> Result<Id<Inode>, Error> {
    let identity = (metadata.device, metadata.inode);
    let is_linked = metadata.links > 1 && metadata.mode & S_IFMT != S_IFDIR;
    if is_linked && let Some(known) = kernel.vfs.by_host.get(&identity) {
        return Ok(*known);
    }
    let index = device_index(kernel, metadata.device);
    let kind = match metadata.mode & S_IFMT {
        S_IFREG => InodeKind::Regular(Pages::of_host(metadata.size)),
        S_IFDIR => InodeKind::Directory(Directory::default()),
        S_IFLNK => InodeKind::Symlink(outside.read_link(&path)?),
        S_IFIFO => InodeKind::Fifo(None),
        S_IFSOCK => InodeKind::Socket,
        S_IFCHR | S_IFBLK => InodeKind::Device,
        _ => return Err(Errno::EIO.because("the host's file is of no known type")),
    };
    let mount = kernel.vfs.nodes[parent].mount;
    let number = guest_number(index, metadata.inode);
    let mut inode = Inode::new(number, mount, metadata.mode, kind, 0);
    inode.uid = metadata.uid;
    inode.gid = metadata.gid;
    inode.links = metadata.links as u32;
    inode.special_device = metadata.special_device;
    inode.accessed_ns = metadata.accessed_ns;
    inode.modified_ns = metadata.modified_ns;
    inode.changed_ns = metadata.changed_ns;
    inode.born_ns = None;
    inode.is_changed = false;
    inode.host = Some(Box::new(origin(path, metadata)));
    let id = kernel.vfs.inodes.insert(inode);
    if is_linked {
        kernel.vfs.by_host.insert(identity, id);
    }
    Ok(id)
}

fn origin(path: Vec<u8>, metadata: &HostMetadata) -> HostOrigin {
    HostOrigin { path, identity: (metadata.device, metadata.inode), blocks: metadata.blocks, size: metadata.size }
}

/// The host path of a name in a host directory.
pub(super) fn child_path(directory: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = directory.to_vec();
    if path.last() != Some(&b'/') {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}

/// Where a host's device stands in the order in which they were met.
fn device_index(kernel: &mut Kernel, device: u64) -> u64 {
    let devices = &mut kernel.vfs.host_devices;
    let index = devices.iter().position(|known| *known == device).unwrap_or_else(|| {
        devices.push(device);
        devices.len() - 1
    });
    index as u64
}

/// One `st_dev` shows files of all the host's devices, so that a rename between them can succeed; their inode numbers
/// are kept apart as overlayfs does with `xino`.
fn guest_number(index: u64, number: u64) -> u64 {
    number ^ index << HOST_NUMBER_BITS
}
