//! Nodes: the tree of names. A node is a name in a directory, or the root of a file system; it names an inode.
//!
//! Hard links are several nodes with one inode. A node that was unlinked lives on, detached, while anybody holds it, so
//! that working directories and open files still know where they were.

use super::inode::{DirectoryEntry, Inode, InodeKind};
use super::inotify;
use super::mount::Mount;
use crate::ipc::posix::message_queue;
use crate::kernel::Kernel;
use crate::table::Id;

/// Where a path leads: a node. (Every file system is mounted once, so the node says the mount too.)
pub type Location = Id<Node>;

/// A name of an inode.
///
/// # Invariants
/// - an attached node is its parent directory's entry of that name; a detached one is not;
/// - `holders` = open descriptions + working and root directories + programs that run + children + mounts on it.
#[derive(Debug)]
pub struct Node {
    /// Its name; empty for the root of a file system.
    pub name: Vec<u8>,
    /// The directory it is in; `None` for the root of a file system and for what never had a name.
    pub parent: Option<Id<Node>>,
    /// What it names.
    pub inode: Id<Inode>,
    /// Its file system.
    pub mount: Id<Mount>,
    /// What is mounted on it.
    pub mounted: Option<Id<Mount>>,
    /// Who needs it besides its directory.
    pub holders: u32,
    /// Whether its directory still lists it.
    pub is_attached: bool,
}

impl Kernel {
    /// The inode that a node names.
    pub fn inode(&self, node: Id<Node>) -> &Inode {
        &self.vfs.inodes[self.vfs.nodes[node].inode]
    }

    /// The inode that a node names.
    pub fn inode_mut(&mut self, node: Id<Node>) -> &mut Inode {
        let inode = self.vfs.nodes[node].inode;
        &mut self.vfs.inodes[inode]
    }

    /// Makes a node for `inode` that no directory lists yet. It holds its parent.
    pub fn make_node(&mut self, parent: Option<Id<Node>>, name: &[u8], inode: Id<Inode>) -> Id<Node> {
        self.vfs.inodes[inode].references += 1;
        let mount = self.vfs.inodes[inode].mount;
        if let Some(parent) = parent {
            self.hold_node(parent);
        }
        self.vfs.nodes.insert(Node {
            name: name.to_vec(),
            parent,
            inode,
            mount,
            mounted: None,
            holders: 0,
            is_attached: false,
        })
    }

    /// Lists a node in its parent directory.
    pub fn attach_node(&mut self, node: Id<Node>) {
        let Node { parent, name, is_attached, .. } = &mut self.vfs.nodes[node];
        assert!(!*is_attached, "a node is listed once");
        *is_attached = true;
        let parent = parent.expect("a node with a name has a parent");
        let name = name.clone();
        let directory = self.inode_mut(parent).directory_mut().expect("the parent of a node is a directory");
        directory.entries.insert(name, DirectoryEntry::Node(node));
    }

    /// Takes a node off its directory, which remembers that there is no such name. Frees it if nobody holds it.
    pub fn detach_node(&mut self, node: Id<Node>) {
        let Node { parent, name, is_attached, .. } = &mut self.vfs.nodes[node];
        assert!(*is_attached, "a node is taken off once");
        *is_attached = false;
        let parent = parent.expect("a node with a name has a parent");
        let name = name.clone();
        let directory = self.inode_mut(parent).directory_mut().expect("the parent of a node is a directory");
        if directory.is_complete {
            directory.entries.remove(&name);
        } else {
            directory.entries.insert(name, DirectoryEntry::Absent);
        }
        self.free_if_unused(node);
    }

    /// Adds a holder.
    pub fn hold_node(&mut self, node: Id<Node>) {
        self.vfs.nodes[node].holders += 1;
    }

    /// Drops a holder; a detached node goes with its last.
    pub fn release_node(&mut self, node: Id<Node>) {
        let holders = &mut self.vfs.nodes[node].holders;
        assert!(*holders > 0, "a holder lets go once");
        *holders -= 1;
        self.free_if_unused(node);
    }

    /// Says that a detached node without holders may go when the present call is over.
    pub(super) fn let_loose(&mut self, node: Id<Node>) {
        self.vfs.loose.push(node);
    }

    /// Frees what earlier calls left loose.
    #[inline]
    pub(crate) fn sweep_loose_nodes(&mut self) {
        if !self.vfs.loose.is_empty() {
            self.free_loose_nodes();
        }
    }

    fn free_loose_nodes(&mut self) {
        for node in std::mem::take(&mut self.vfs.loose) {
            if self.vfs.nodes.get(node).is_some() {
                self.free_if_unused(node);
            }
        }
    }

    fn free_if_unused(&mut self, node: Id<Node>) {
        let candidate = &self.vfs.nodes[node];
        if candidate.is_attached || candidate.holders > 0 || candidate.mounted.is_some() {
            return;
        }
        if self.vfs.mounts.get(candidate.mount).is_some_and(|mount| mount.root == Some(node)) {
            return;
        }
        let node = self.vfs.nodes.remove(node);
        if self.vfs.inodes[node.inode].links == 0 {
            inotify::inode_is_gone(self, node.inode);
        }
        self.release_inode(node.inode);
        if node.parent.is_none() && self.vfs.mounts[node.mount].root.is_none() {
            self.vfs.mounts.remove(node.mount);
        }
        if let Some(parent) = node.parent {
            self.release_node(parent);
        }
    }

    /// Adds a holder of an inode: a mapping, an operation.
    pub fn retain_inode(&mut self, inode: Id<Inode>) {
        self.vfs.inodes[inode].references += 1;
    }

    /// Drops a holder of an inode; its pages go with the last.
    pub fn release_inode(&mut self, id: Id<Inode>) {
        let inode = &mut self.vfs.inodes[id];
        assert!(inode.references > 0, "a reference is dropped once");
        inode.references -= 1;
        if inode.references > 0 {
            return;
        }
        if let Some(host) = &inode.host {
            // Another name of a changed host file may be met later, and must show the change.
            if inode.links > 0 && inode.is_changed && !matches!(inode.kind, InodeKind::Directory(_)) {
                return;
            }
            let identity = host.identity;
            if self.vfs.by_host.get(&identity) == Some(&id) {
                self.vfs.by_host.remove(&identity);
            }
        }
        let kind = super::page_cache::store_kind(self, id);
        let inode = self.vfs.inodes.remove(id);
        match inode.kind {
            InodeKind::Regular(pages) => {
                super::page_cache::free(self, pages, kind);
            }
            InodeKind::Queue(queue, _) => message_queue::file_is_gone(self, queue),
            InodeKind::Directory(directory) => {
                assert!(
                    !directory.entries.values().any(|entry| matches!(entry, DirectoryEntry::Node(_))),
                    "a node holds the directory it is listed in"
                );
            }
            _ => {}
        }
    }

    /// The path of a node from the root of all mounts, as `/proc/PID/fd` shows it: with ` (deleted)` if it was unlinked.
    pub fn path_of(&self, node: Id<Node>) -> Vec<u8> {
        let mut path = self.path_below(node, None).unwrap_or_default();
        if self.is_detached(node) {
            path.extend_from_slice(b" (deleted)");
        }
        path
    }

    /// Whether the node's name was removed (its own, not that of a directory above it).
    pub fn is_detached(&self, node: Id<Node>) -> bool {
        let candidate = &self.vfs.nodes[node];
        let is_generated = matches!(self.vfs.inodes[candidate.inode].kind, InodeKind::Generated(_));
        candidate.parent.is_some() && !candidate.is_attached && !is_generated
            || candidate.parent.is_none()
                && self.vfs.mounts[candidate.mount].root != Some(node)
                && !matches!(self.vfs.inodes[candidate.inode].kind, InodeKind::Anonymous(_))
    }

    /// The path of a node as seen from `root`, chroot(2); `None` if it does not lie below it.
    pub fn path_below(&self, node: Id<Node>, root: Option<Id<Node>>) -> Option<Vec<u8>> {
        let mut names: Vec<&[u8]> = Vec::new();
        let mut at = node;
        loop {
            if Some(at) == root {
                break;
            }
            let here = &self.vfs.nodes[at];
            match here.parent {
                Some(parent) => {
                    names.push(&here.name);
                    at = parent;
                }
                None => match self.vfs.mounts[here.mount].at {
                    Some(below) if self.vfs.mounts[here.mount].root == Some(at) => at = below,
                    _ if !here.name.is_empty() => {
                        // What never had a place in the tree, such as `pipe:[5]` or `/memfd:name`.
                        names.push(&here.name);
                        let mut path = here.name.clone();
                        for name in names.iter().rev().skip(1) {
                            path.push(b'/');
                            path.extend_from_slice(name);
                        }
                        return Some(path);
                    }
                    _ if root.is_some() => return None,
                    _ => break,
                },
            }
        }
        let mut path = Vec::new();
        for name in names.iter().rev() {
            path.push(b'/');
            path.extend_from_slice(name);
        }
        if path.is_empty() {
            path.push(b'/');
        }
        Some(path)
    }

    /// Whether `node` is `directory` or lies below it.
    pub fn is_below(&self, node: Id<Node>, directory: Id<Node>) -> bool {
        let mut at = Some(node);
        while let Some(here) = at {
            if here == directory {
                return true;
            }
            let candidate = &self.vfs.nodes[here];
            at = candidate.parent.or_else(|| self.vfs.mounts[candidate.mount].at);
        }
        false
    }
}
