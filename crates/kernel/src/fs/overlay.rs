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
    // Not the host's: see `HostMetadata`.
    inode.accessed_ns = metadata.modified_ns;
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
    // Not the host's: see `HostMetadata`.
    inode.accessed_ns = metadata.modified_ns;
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
pub(super) fn device_index(kernel: &mut Kernel, device: u64) -> u64 {
    let devices = &mut kernel.vfs.host_devices;
    let index = devices.iter().position(|known| *known == device).unwrap_or_else(|| {
        devices.push(device);
        devices.len() - 1
    });
    index as u64
}

/// One `st_dev` shows files of all the host's devices, so that a rename between them can succeed; their inode numbers
/// are kept apart as overlayfs does with `xino`.
pub(super) fn guest_number(index: u64, number: u64) -> u64 {
    number ^ index << HOST_NUMBER_BITS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::mount;
    use crate::fs::stat;
    use crate::kernel::Configuration;
    use crate::testing::FakeHost;
    use machine::{PagingScheme, PhysicalMemory};

    fn kernel() -> Kernel {
        let configuration = Configuration {
            host_name: b"jar".to_vec(),
            cpus: 1,
            paging: PagingScheme::x86_64(),
            swap_bytes: 0,
            disk_bytes: 0,
            replacement: Default::default(),
            real_start_ns: 5_000_000_000,
            uid: 0,
            gid: 0,
            groups: Vec::new(),
        };
        Kernel::new(configuration, PhysicalMemory::new(1 << 20).unwrap())
    }

    fn booted(host: &mut FakeHost) -> Kernel {
        let mut kernel = kernel();
        mount::start(&mut kernel, host).unwrap();
        kernel
    }

    fn names(kernel: &Kernel, directory: Id<Node>) -> Vec<String> {
        let entries = &kernel.inode(directory).directory().unwrap().entries;
        let present = entries.iter().filter(|(_, entry)| **entry != DirectoryEntry::Absent);
        present.map(|(name, _)| String::from_utf8_lossy(name).into_owned()).collect()
    }

    #[test]
    fn a_name_is_asked_of_the_host_once_whether_it_is_there_or_not() {
        let mut host = FakeHost::new();
        host.add_file("/there", b"text");
        let mut kernel = booted(&mut host);
        let root = kernel.root_node();
        host.asked.clear();
        let found = lookup(&mut kernel, &mut host, root, b"there").unwrap().unwrap();
        assert_eq!(lookup(&mut kernel, &mut host, root, b"there").unwrap(), Some(found));
        assert_eq!(lookup(&mut kernel, &mut host, root, b"missing").unwrap(), None);
        assert_eq!(lookup(&mut kernel, &mut host, root, b"missing").unwrap(), None);
        assert_eq!(host.asked, ["lstat /there", "lstat /missing"]);
        assert_eq!(kernel.inode(found).size(), 4);
        assert_eq!(kernel.inode(found).modified_ns, 2_000_000_000);
        assert_eq!(kernel.path_of(found), b"/there");
    }

    #[test]
    fn many_missing_names_make_the_directory_be_read_as_a_whole() {
        let mut host = FakeHost::new();
        host.add("/d", S_IFDIR | 0o755, b"");
        host.add_file("/d/x", b"");
        let mut kernel = booted(&mut host);
        let root = kernel.root_node();
        let directory = lookup(&mut kernel, &mut host, root, b"d").unwrap().unwrap();
        host.asked.clear();
        for number in 0..100 {
            let name = format!("missing{number}");
            assert_eq!(lookup(&mut kernel, &mut host, directory, name.as_bytes()).unwrap(), None);
        }
        assert_eq!(host.asked.len(), MISSES_BEFORE_READING_ALL + 1);
        assert_eq!(names(&kernel, directory), ["x"]);
    }

    #[test]
    fn hard_links_of_the_host_share_an_inode() {
        let mut host = FakeHost::new();
        host.add_file("/one", b"text");
        host.add_hard_link("/one", "/two");
        let mut kernel = booted(&mut host);
        let root = kernel.root_node();
        let one = lookup(&mut kernel, &mut host, root, b"one").unwrap().unwrap();
        let two = lookup(&mut kernel, &mut host, root, b"two").unwrap().unwrap();
        assert_ne!(one, two);
        assert_eq!(kernel.vfs.nodes[one].inode, kernel.vfs.nodes[two].inode);
    }

    #[test]
    fn a_removed_name_stays_removed_though_the_host_has_it() {
        let mut host = FakeHost::new();
        host.add("/d", S_IFDIR | 0o755, b"");
        host.add_file("/d/a", b"");
        host.add_file("/d/b", b"");
        let mut kernel = booted(&mut host);
        let root = kernel.root_node();
        let directory = lookup(&mut kernel, &mut host, root, b"d").unwrap().unwrap();
        let gone = lookup(&mut kernel, &mut host, directory, b"a").unwrap().unwrap();
        kernel.detach_node(gone);
        assert_eq!(lookup(&mut kernel, &mut host, directory, b"a").unwrap(), None);
        complete(&mut kernel, &mut host, directory).unwrap();
        assert_eq!(names(&kernel, directory), ["b"]);
        assert_eq!(lookup(&mut kernel, &mut host, directory, b"a").unwrap(), None);
    }

    #[test]
    fn a_detached_node_lives_as_long_as_it_is_held() {
        let mut host = FakeHost::new();
        host.add_file("/f", b"text");
        let mut kernel = booted(&mut host);
        let root = kernel.root_node();
        let (nodes, inodes) = (kernel.vfs.nodes.len(), kernel.vfs.inodes.len());
        let node = lookup(&mut kernel, &mut host, root, b"f").unwrap().unwrap();
        kernel.hold_node(node);
        kernel.inode_mut(node).links = 0;
        kernel.detach_node(node);
        assert_eq!(kernel.path_of(node), b"/f (deleted)");
        kernel.release_node(node);
        assert_eq!((kernel.vfs.nodes.len(), kernel.vfs.inodes.len()), (nodes, inodes));
    }

    #[test]
    fn tmp_shows_the_host_s_files_as_its_own_file_system() {
        let mut host = FakeHost::new();
        host.add_file("/tmp/program", b"text");
        let mut kernel = booted(&mut host);
        let root = kernel.root_node();
        let below = lookup(&mut kernel, &mut host, root, b"tmp").unwrap().unwrap();
        let mount = kernel.vfs.nodes[below].mounted.unwrap();
        let tmp = kernel.vfs.mounts[mount].root.unwrap();
        let program = lookup(&mut kernel, &mut host, tmp, b"program").unwrap().unwrap();
        assert_eq!(kernel.path_of(program), b"/tmp/program");
        assert_eq!(stat::of_file_system(&kernel, mount).kind, abi::stat::TMPFS_MAGIC);
        let text = String::from_utf8(kernel.mounts_text(root)).unwrap();
        assert!(text.starts_with("/dev/root / ext4 rw,noatime 0 0\ntmpfs /tmp tmpfs "), "{text}");
    }
}
