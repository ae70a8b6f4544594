//! What the guest changed in a directory of the host's: a list of things to do there, for whoever lets changes reach the
//! host. The kernel itself never does.

use super::inode::{DirectoryEntry, Inode, InodeKind};
use super::node::Node;
use super::overlay::child_path;
use crate::kernel::Kernel;
use crate::table::Id;
use std::collections::{BTreeMap, BTreeSet};

/// One thing to do on the host. Paths are the host's, absolute. To be done in order: parents come before what is in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// There must be nothing of this name.
    Remove(Vec<u8>),
    /// Of the entries of this directory only those may stay.
    Keep {
        /// The directory.
        directory: Vec<u8>,
        /// What stays, whether it is there already or comes.
        names: BTreeSet<Vec<u8>>,
    },
    /// There must be a directory.
    Directory {
        /// Where.
        path: Vec<u8>,
        /// To be set when everything in it is done; `None`: as they are.
        attributes: Option<Attributes>,
    },
    /// There must be a regular file with these contents.
    File {
        /// Where.
        path: Vec<u8>,
        /// Its contents.
        contents: Contents,
        /// To be set.
        attributes: Attributes,
    },
    /// There must be another name of a file that an earlier change is about.
    Link {
        /// The new name.
        path: Vec<u8>,
        /// The earlier one.
        first: Vec<u8>,
    },
    /// There must be a symbolic link.
    Symlink {
        /// Where.
        path: Vec<u8>,
        /// Where it leads.
        target: Vec<u8>,
        /// To be set.
        attributes: Attributes,
    },
    /// There must be a FIFO.
    Fifo {
        /// Where.
        path: Vec<u8>,
        /// To be set.
        attributes: Attributes,
    },
    /// Something of the host's was moved here unseen, with everything in it.
    Copy {
        /// Where it is on the host.
        from: Vec<u8>,
        /// Where it must be.
        path: Vec<u8>,
    },
    /// The entries of a host directory that was moved here, but for those that other changes are about.
    CopyEntries {
        /// Where it is on the host.
        from: Vec<u8>,
        /// Where they must be.
        path: Vec<u8>,
        /// Names that are not to be copied.
        except: BTreeSet<Vec<u8>>,
    },
}

/// What stat(2) says besides the contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// Permissions, without the type.
    pub permissions: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Nanoseconds since 1970.
    pub accessed_ns: i64,
    /// Nanoseconds since 1970.
    pub modified_ns: i64,
}

/// A regular file's contents: the host's, where that is still so, and changed pages over them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// The file in the kernel; its changed pages are [`super::page_cache::Pages::changed_pages`].
    pub inode: Id<Inode>,
    /// Bytes.
    pub size: u64,
    /// The host file underneath: path, device and inode number, and how many of its first bytes count.
    pub base: Option<Base>,
}

/// The host file under a file of the guest's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// Where it is.
    pub path: Vec<u8>,
    /// Its device and inode number.
    pub identity: (u64, u64),
    /// How many of its first bytes are the guest's file's too.
    pub length: u64,
}

/// What has to be done on the host so that `directory`, an absolute path without symbolic links, becomes there what it is
/// in the guest. Directories that lie on other mounts of the guest's (`/proc`, `/dev`, ...) are left out.
pub fn collect(kernel: &Kernel, directory: &[u8]) -> Vec<Change> {
    let mut collector = Collector { kernel, changes: Vec::new(), seen: BTreeMap::new() };
    if let Some(node) = find(kernel, directory) {
        collector.directory(node, directory);
    }
    collector.changes
}

/// The node of a path, if it is in memory; otherwise nobody has looked at it, and nothing there was changed.
fn find(kernel: &Kernel, path: &[u8]) -> Option<Id<Node>> {
    let (_, root) = kernel.vfs.mounts.iter().next()?;
    let mut node = root.root?;
    for name in path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()) {
        let DirectoryEntry::Node(child) = kernel.inode(node).directory()?.entries.get(name)? else { return None };
        node = *child;
        if let Some(mount) = kernel.vfs.nodes[node].mounted {
            node = kernel.vfs.mounts[mount].root?;
        }
    }
    Some(node)
}

struct Collector<'a> {
    kernel: &'a Kernel,
    changes: Vec<Change>,
    /// The first path of each file with several names.
    seen: BTreeMap<Id<Inode>, Vec<u8>>,
}

impl Collector<'_> {
    fn directory(&mut self, node: Id<Node>, path: &[u8]) {
        let inode = self.kernel.inode(node);
        let Some(directory) = inode.directory() else { return };
        let host = inode.host.as_ref().map(|host| host.path.as_slice());
        let in_place = host == Some(path);
        if !in_place || inode.is_changed {
            let attributes = Some(attributes(inode));
            self.changes.push(Change::Directory { path: path.to_vec(), attributes });
        }
        if in_place {
            if directory.is_complete {
                let names = directory.entries.keys().cloned().collect();
                self.changes.push(Change::Keep { directory: path.to_vec(), names });
            }
        } else if let Some(from) = host.filter(|_| !directory.is_complete) {
            let except = directory.entries.keys().cloned().collect();
            self.changes.push(Change::CopyEntries { from: from.to_vec(), path: path.to_vec(), except });
        }
        for (name, entry) in &directory.entries {
            let here = child_path(path, name);
            match entry {
                DirectoryEntry::Node(child) => self.entry(*child, &here),
                DirectoryEntry::Absent => self.changes.push(Change::Remove(here)),
                DirectoryEntry::OnHost { .. } if in_place => {}
                DirectoryEntry::OnHost { .. } => {
                    let from = child_path(host.unwrap_or(b"/"), name);
                    self.changes.push(Change::Copy { from, path: here });
                }
            }
        }
    }

    fn entry(&mut self, node: Id<Node>, path: &[u8]) {
        if self.kernel.vfs.nodes[node].mounted.is_some() {
            return;
        }
        let id = self.kernel.vfs.nodes[node].inode;
        let inode = self.kernel.inode(node);
        let is_host_s = inode.host.as_ref().is_some_and(|host| host.path == path);
        if let InodeKind::Directory(_) = inode.kind {
            return self.directory(node, path);
        }
        if is_host_s && !inode.is_changed {
            return;
        }
        if let Some(first) = self.seen.get(&id) {
            self.changes.push(Change::Link { path: path.to_vec(), first: first.clone() });
            return;
        }
        let (path, attributes) = (path.to_vec(), attributes(inode));
        self.seen.insert(id, path.clone());
        match &inode.kind {
            InodeKind::Regular(pages) => {
                let base = inode.host.as_ref().map(|host| Base {
                    path: host.path.clone(),
                    identity: host.identity,
                    length: pages.host_length().min(pages.size()),
                });
                let contents = Contents { inode: id, size: pages.size(), base };
                self.changes.push(Change::File { path, contents, attributes });
            }
            InodeKind::Symlink(target) => {
                self.changes.push(Change::Symlink { path, target: target.clone(), attributes });
            }
            InodeKind::Fifo(_) => self.changes.push(Change::Fifo { path, attributes }),
            // Sockets and devices mean nothing outside the machine that made them.
            InodeKind::Directory(_)
            | InodeKind::Socket
            | InodeKind::Queue(..)
            | InodeKind::Device
            | InodeKind::Generated(_)
            | InodeKind::Anonymous(_) => {}
        }
    }
}

fn attributes(inode: &Inode) -> Attributes {
    Attributes {
        permissions: inode.mode & 0o7777,
        uid: inode.uid,
        gid: inode.gid,
        accessed_ns: inode.accessed_ns,
        modified_ns: inode.modified_ns,
    }
}
