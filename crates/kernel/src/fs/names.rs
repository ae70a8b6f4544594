//! Changing the tree of names: making, linking, renaming and removing, inode(7), rename(2), unlink(2).
//!
//! Paths are resolved by the caller; here permissions are checked and nodes moved. The host is never asked to change.

use super::dnotify;
use super::inode::{DirectoryEntry, Inode, InodeKind};
use super::inotify;
use super::mount::FileSystem;
use super::node::Node;
use super::open::{check_new_name, touch_directory};
use super::overlay;
use super::path::{Found, Last};
use super::permission::{EXECUTE, READ, WRITE};
use crate::entry::Call;
use crate::table::Id;
use abi::fcntl::{RENAME_EXCHANGE, RENAME_NOREPLACE};
use abi::inotify::{IN_ATTRIB, IN_CREATE, IN_DELETE, IN_ISDIR, IN_MOVE_SELF, IN_MOVED_FROM, IN_MOVED_TO};
use abi::stat::{S_ISGID, S_ISUID, S_IXGRP};
use abi::{Errno, Error};

/// Most names of a file, as on ext4.
const MAX_LINKS: u32 = 65_000;

/// Removes a name that is no directory's: unlink(2).
///
/// # Errors
/// `EISDIR`, `ENOENT`, `ENOTDIR`, `EACCES`, `EPERM`, `EBUSY`.
pub(crate) fn unlink(call: &mut Call, found: &Found) -> Result<(), Error> {
    if found.last != Last::Name {
        return Err(Errno::EISDIR.because("a directory is removed with rmdir(2)"));
    }
    let node = found.existing()?;
    if found.has_trailing_slash {
        return Err(match call.kernel.inode(node).is_directory() {
            true => Errno::EISDIR.because("a directory is removed with rmdir(2)"),
            false => Errno::ENOTDIR.because("slashes follow a name that is no directory's"),
        });
    }
    check_removable(call, found.directory, node)?;
    if call.kernel.inode(node).is_directory() {
        return Err(Errno::EISDIR.because("a directory is removed with rmdir(2)"));
    }
    remove_named(call, found, node);
    Ok(())
}

/// Removes an empty directory: rmdir(2).
///
/// # Errors
/// `ENOTDIR`, `ENOTEMPTY`, `EINVAL` for `.`, `EBUSY` for mount points and the root, `ENOENT`, `EACCES`, `EPERM`.
pub(super) fn remove_directory(call: &mut Call, found: &Found) -> Result<(), Error> {
    match found.last {
        Last::Name => {}
        Last::DotDot => return Err(Errno::ENOTEMPTY.because("`..` is not empty")),
        Last::Dot if found.name == b"." && found.has_trailing_slash => {
            return Err(Errno::EINVAL.because("the last part of the path is `.`"));
        }
        Last::Dot | Last::Jump => return Err(Errno::EBUSY.because("the root directory is in use")),
    }
    let node = found.existing()?;
    check_removable(call, found.directory, node)?;
    check_empty_directory(call, node)?;
    remove_named(call, found, node);
    Ok(())
}

/// Takes a name away and tells who watches the file, then who watches the directory.
fn remove_named(call: &mut Call, found: &Found, node: Id<Node>) {
    call.kernel.hold_node(node);
    let inode = call.kernel.vfs.nodes[node].inode;
    let is_directory = call.kernel.inode(node).is_directory();
    remove(call, node);
    touch_directory(call, found.directory);
    if !is_directory {
        inotify::notify_self(call.kernel, inode, IN_ATTRIB);
    }
    call.kernel.release_node(node);
    let mask = if is_directory { IN_DELETE | IN_ISDIR } else { IN_DELETE };
    inotify::notify_entry(call.kernel, found.directory, &found.name, mask, 0);
}

/// Gives an inode another name: link(2).
///
/// # Errors
/// `EPERM` for directories, `EXDEV`, `EMLINK`, `ENOENT` for a file that was removed, `EEXIST`, `EACCES`.
pub(super) fn link(call: &mut Call, node: Id<Node>, new: &Found) -> Result<(), Error> {
    check_creatable(new)?;
    if call.kernel.vfs.nodes[node].mount != call.kernel.vfs.nodes[new.directory].mount {
        return Err(Errno::EXDEV.because("a file's names are all on one file system"));
    }
    check_new_name(call, new.directory)?;
    let inode = call.kernel.inode(node);
    if inode.is_directory() {
        return Err(Errno::EPERM.because("a directory has one name"));
    }
    if inode.links == 0 && !inode.may_be_linked {
        return Err(Errno::ENOENT.because("the file was removed, or must not get a name"));
    }
    check_linkable(call, inode)?;
    if inode.links >= MAX_LINKS {
        return Err(Errno::EMLINK.because("the file has 65,000 names"));
    }
    let id = call.kernel.vfs.nodes[node].inode;
    let name = call.kernel.make_node(Some(new.directory), &new.name, id);
    call.kernel.attach_node(name);
    call.kernel.inode_mut(name).links += 1;
    touch(call, name);
    touch_directory(call, new.directory);
    inotify::notify_self(call.kernel, id, IN_ATTRIB);
    inotify::notify_name(call.kernel, name, IN_CREATE);
    Ok(())
}

/// proc(5) `/proc/sys/fs/protected_hardlinks`, which is 1 here: who does not own a file may give names only to regular
/// files that he may read and write, and that run with nobody else's privileges.
fn check_linkable(call: &Call, inode: &Inode) -> Result<(), Error> {
    let subject = call.subject();
    let runs_as_other = inode.mode & S_ISUID != 0 || inode.mode & (S_ISGID | S_IXGRP) == S_ISGID | S_IXGRP;
    let is_harmless = inode.is_regular() && !runs_as_other && subject.check(inode, READ | WRITE).is_ok();
    if subject.owns(inode) || is_harmless {
        return Ok(());
    }
    Err(Errno::EPERM.because("the file is somebody else's, `/proc/sys/fs/protected_hardlinks`"))
}

/// Checks that a path ended at a name that can be made: its last part is a name, and no file has it.
///
/// # Errors
/// `EEXIST`, or `ENOENT` if slashes follow the name of what is to be no directory.
pub(super) fn check_creatable(found: &Found) -> Result<(), Error> {
    if found.last != Last::Name || found.node.is_some() {
        return Err(Errno::EEXIST.because("a file has this name already"));
    }
    if found.has_trailing_slash {
        return Err(Errno::ENOENT.because("slashes follow a name that will be no directory's"));
    }
    Ok(())
}

/// Renames: rename(2), with the flags of renameat2(2) but for `RENAME_WHITEOUT`.
///
/// # Errors
/// Those of rename(2).
pub(super) fn rename(call: &mut Call, old: &Found, new: &Found, flags: u32) -> Result<(), Error> {
    let exchanges = flags & RENAME_EXCHANGE != 0;
    if call.kernel.vfs.nodes[old.directory].mount != call.kernel.vfs.nodes[new.directory].mount {
        return Err(Errno::EXDEV.because("old and new name are on different file systems"));
    }
    if old.last != Last::Name {
        return Err(Errno::EBUSY.because("`.`, `..` and the root cannot be renamed"));
    }
    if new.last != Last::Name {
        return Err(match flags & RENAME_NOREPLACE {
            0 => Errno::EBUSY.because("`.`, `..` and the root cannot be replaced"),
            _ => Errno::EEXIST.because("the new name exists"),
        });
    }
    let source = old.existing()?;
    if new.node.is_some() && flags & RENAME_NOREPLACE != 0 {
        return Err(Errno::EEXIST.because("the new name exists"));
    }
    let is_directory = call.kernel.inode(source).is_directory();
    if exchanges {
        let target = new.existing()?;
        if new.has_trailing_slash && !call.kernel.inode(target).is_directory() {
            return Err(Errno::ENOTDIR.because("slashes follow a name that is no directory's"));
        }
    }
    if !is_directory && (old.has_trailing_slash || !exchanges && new.has_trailing_slash) {
        return Err(Errno::ENOTDIR.because("slashes follow a name that is no directory's"));
    }
    if call.kernel.is_below(new.directory, source) {
        return Err(Errno::EINVAL.because("a directory cannot be moved into itself"));
    }
    if let Some(target) = new.node
        && call.kernel.is_below(old.directory, target)
    {
        return Err(match exchanges {
            true => Errno::EINVAL.because("a directory cannot be exchanged with one in it"),
            false => Errno::ENOTEMPTY.because("the new name is a directory above the old one"),
        });
    }
    let same = |node: Id<Node>| call.kernel.vfs.nodes[node].inode == call.kernel.vfs.nodes[source].inode;
    if new.node.is_some_and(same) {
        // "If oldpath and newpath are existing hard links referring to the same file, then rename() does nothing".
        return Ok(());
    }
    check_removable(call, old.directory, source)?;
    match new.node {
        None => check_new_name(call, new.directory)?,
        Some(target) => {
            check_removable(call, new.directory, target)?;
            let target_is_directory = call.kernel.inode(target).is_directory();
            if !exchanges {
                match (is_directory, target_is_directory) {
                    (true, false) => return Err(Errno::ENOTDIR.because("a directory cannot replace a file")),
                    (false, true) => return Err(Errno::EISDIR.because("a file cannot replace a directory")),
                    (true, true) => check_empty_directory(call, target)?,
                    (false, false) => {}
                }
            } else if target_is_directory && old.directory != new.directory {
                call.subject().check(call.kernel.inode(target), WRITE)?;
            }
        }
    }
    if is_directory && old.directory != new.directory {
        // Its `..` changes.
        call.subject().check(call.kernel.inode(source), WRITE)?;
    }
    let replaced = new.node.filter(|_| !exchanges);
    match new.node {
        Some(target) if exchanges => exchange(call, source, target),
        target => {
            if let Some(target) = target {
                call.kernel.hold_node(target);
                remove(call, target);
            }
            relocate(call, source, new.directory, &new.name);
        }
    }
    touch(call, source);
    touch_directory(call, old.directory);
    touch_directory(call, new.directory);
    tell_of_rename(call, source, old, new);
    if let Some(target) = replaced {
        let inode = call.kernel.vfs.nodes[target].inode;
        inotify::notify_self(call.kernel, inode, IN_ATTRIB);
        call.kernel.release_node(target);
    }
    if let Some(target) = new.node.filter(|_| exchanges) {
        tell_of_rename(call, target, new, old);
    }
    Ok(())
}

/// Tells who watches the two directories, and then who watches the file.
fn tell_of_rename(call: &mut Call, source: Id<Node>, old: &Found, new: &Found) {
    let is_directory = call.kernel.inode(source).is_directory();
    let flag = if is_directory { IN_ISDIR } else { 0 };
    let cookie = inotify::next_cookie(call.kernel);
    inotify::notify_entry(call.kernel, old.directory, &old.name, IN_MOVED_FROM | flag, cookie);
    inotify::notify_entry(call.kernel, new.directory, &new.name, IN_MOVED_TO | flag, cookie);
    dnotify::renamed(call.kernel, old.directory, new.directory);
    let inode = call.kernel.vfs.nodes[source].inode;
    inotify::notify_self(call.kernel, inode, IN_MOVE_SELF);
}

/// Moves a node to a place where no node is.
fn relocate(call: &mut Call, node: Id<Node>, directory: Id<Node>, name: &[u8]) {
    let kernel = &mut *call.kernel;
    let old = kernel.vfs.nodes[node].parent.expect("a node with a name has a parent");
    kernel.hold_node(node);
    kernel.detach_node(node);
    kernel.hold_node(directory);
    let moved = &mut kernel.vfs.nodes[node];
    moved.parent = Some(directory);
    moved.name = name.to_vec();
    kernel.attach_node(node);
    if kernel.inode(node).is_directory() {
        kernel.inode_mut(old).links -= 1;
        kernel.inode_mut(directory).links += 1;
    }
    kernel.release_node(old);
    kernel.release_node(node);
}

/// Lets two nodes change places.
fn exchange(call: &mut Call, first: Id<Node>, second: Id<Node>) {
    let kernel = &mut *call.kernel;
    let place = |node: Id<Node>| {
        let node = &kernel.vfs.nodes[node];
        (node.parent.expect("a node with a name has a parent"), node.name.clone())
    };
    let ((first_parent, first_name), (second_parent, second_name)) = (place(first), place(second));
    kernel.hold_node(first);
    kernel.hold_node(second);
    kernel.detach_node(second);
    relocate(call, first, second_parent, &second_name);
    let kernel = &mut *call.kernel;
    let moved = &mut kernel.vfs.nodes[second];
    moved.parent = Some(first_parent);
    moved.name = first_name;
    kernel.hold_node(first_parent);
    kernel.attach_node(second);
    if kernel.inode(second).is_directory() {
        kernel.inode_mut(second_parent).links -= 1;
        kernel.inode_mut(first_parent).links += 1;
    }
    kernel.release_node(second_parent);
    kernel.release_node(first);
    kernel.release_node(second);
    touch(call, second);
}

/// Takes a name away; the file goes with its last name and its last holder. For directories too.
fn remove(call: &mut Call, node: Id<Node>) {
    let parent = call.kernel.vfs.nodes[node].parent.expect("a node with a name has a parent");
    let now = call.kernel.clock.realtime_ns() as i64;
    let inode = call.kernel.inode_mut(node);
    inode.changed_ns = now;
    inode.is_changed = true;
    if let InodeKind::Directory(directory) = &mut inode.kind {
        directory.is_removed = true;
        directory.is_complete = true;
        directory.entries.clear();
        inode.links = 0;
        call.kernel.inode_mut(parent).links -= 1;
    } else {
        inode.links -= 1;
    }
    call.kernel.detach_node(node);
}

/// `may_delete` in Linux's fs/namei.c, and that nothing is mounted there.
fn check_removable(call: &Call, directory: Id<Node>, node: Id<Node>) -> Result<(), Error> {
    call.subject().check_removal(call.kernel.inode(directory), call.kernel.inode(node))?;
    let mount = call.kernel.vfs.nodes[directory].mount;
    match call.kernel.vfs.mounts[mount].file_system {
        FileSystem::Host | FileSystem::Tmp | FileSystem::Nameless | FileSystem::Devices | FileSystem::Queues => {}
        FileSystem::Proc | FileSystem::Sys | FileSystem::Terminals => {
            return Err(Errno::EPERM.because("names of this file system cannot be changed"));
        }
    }
    let candidate = &call.kernel.vfs.nodes[node];
    if candidate.mounted.is_some() || candidate.mount != mount {
        return Err(Errno::EBUSY.because("a file system is mounted there"));
    }
    Ok(())
}

/// Checks that a directory can be removed or replaced.
fn check_empty_directory(call: &mut Call, node: Id<Node>) -> Result<(), Error> {
    if !call.kernel.inode(node).is_directory() {
        return Err(Errno::ENOTDIR.because("it is no directory"));
    }
    overlay::complete(call.kernel, call.outside, node)?;
    let Some(directory) = call.kernel.inode(node).directory() else {
        return Err(Errno::ENOTEMPTY.because("the directory is not empty"));
    };
    if directory.entries.values().any(|entry| *entry != DirectoryEntry::Absent) {
        return Err(Errno::ENOTEMPTY.because("the directory is not empty"));
    }
    Ok(())
}

/// An inode's names or attributes have changed.
pub(super) fn touch(call: &mut Call, node: Id<Node>) {
    let now = call.kernel.clock.realtime_ns() as i64;
    let inode = call.kernel.inode_mut(node);
    inode.changed_ns = now;
    inode.is_changed = true;
}

/// Checks that a directory may be entered: chdir(2), chroot(2).
///
/// # Errors
/// `ENOTDIR`, `EACCES`.
pub(super) fn check_enterable(call: &Call, node: Id<Node>) -> Result<(), Error> {
    let inode = call.kernel.inode(node);
    if !inode.is_directory() {
        return Err(Errno::ENOTDIR.because("it is no directory"));
    }
    call.subject().check(inode, EXECUTE)
}
