//! Extended attributes, xattr(7), as ext4 mounted without ACLs keeps them: in memory, for files of every origin. Those of
//! host files are not looked at.

use super::inode::Inode;
use super::inotify;
use super::permission::{READ, WRITE};
use crate::entry::Call;
use crate::table::Id;
use abi::inotify::IN_ATTRIB;
use abi::stat::S_ISVTX;
use abi::{Errno, Error};

/// Longest name, `XATTR_NAME_MAX`.
pub(super) const NAME_MAX: usize = 255;
/// Largest value, `XATTR_SIZE_MAX`.
pub(super) const SIZE_MAX: usize = 65536;
/// setxattr(2): the attribute must be new.
pub(super) const XATTR_CREATE: u32 = 1;
/// setxattr(2): the attribute must be there.
pub(super) const XATTR_REPLACE: u32 = 2;

/// Whether an access looks or changes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Intent {
    Look,
    Change,
}

/// `xattr_permission` of Linux's fs/xattr.c, and the handlers that ext4 has.
fn check(call: &Call, inode: &Inode, name: &[u8], intent: Intent) -> Result<(), Error> {
    let subject = call.subject();
    let changes = intent == Intent::Change;
    if name.starts_with(b"user.") {
        let is_file = inode.is_regular() || inode.is_directory();
        if !is_file {
            return Err(match changes {
                true => Errno::EPERM.because("`user.` attributes are for regular files and directories"),
                false => Errno::ENODATA.because("`user.` attributes are for regular files and directories"),
            });
        }
        if changes && inode.is_directory() && inode.mode & S_ISVTX != 0 && !subject.owns(inode) {
            return Err(Errno::EPERM.because("attributes of a sticky directory are its owner's"));
        }
        return subject.check(inode, if changes { WRITE } else { READ });
    }
    if name.starts_with(b"trusted.") {
        return match (subject.is_administrator, changes) {
            (true, _) => Ok(()),
            (false, true) => Err(Errno::EPERM.because("`trusted.` attributes are root's")),
            (false, false) => Err(Errno::ENODATA.because("`trusted.` attributes are root's")),
        };
    }
    if name.starts_with(b"security.") {
        return match changes && !subject.is_administrator {
            true => Err(Errno::EPERM.because("`security.` attributes are root's")),
            false => Ok(()),
        };
    }
    Err(Errno::EOPNOTSUPP.because("the file system has no attributes in this name space"))
}

/// getxattr(2).
///
/// # Errors
/// `ENODATA`, `EOPNOTSUPP`, `EACCES`.
pub(super) fn get(call: &Call, inode: Id<Inode>, name: &[u8]) -> Result<Vec<u8>, Error> {
    let inode = &call.kernel.vfs.inodes[inode];
    check(call, inode, name, Intent::Look)?;
    inode.attributes.get(name).cloned().ok_or(Errno::ENODATA.because("the file has no such attribute"))
}

/// setxattr(2).
///
/// # Errors
/// `EEXIST`, `ENODATA`, `EPERM`, `EACCES`, `EOPNOTSUPP`.
pub(super) fn set(call: &mut Call, id: Id<Inode>, name: &[u8], value: Vec<u8>, flags: u32) -> Result<(), Error> {
    let inode = &call.kernel.vfs.inodes[id];
    check(call, inode, name, Intent::Change)?;
    let exists = inode.attributes.contains_key(name);
    if exists && flags & XATTR_CREATE != 0 {
        return Err(Errno::EEXIST.because("the attribute exists, `XATTR_CREATE`"));
    }
    if !exists && flags & XATTR_REPLACE != 0 {
        return Err(Errno::ENODATA.because("the attribute does not exist, `XATTR_REPLACE`"));
    }
    let now = call.kernel.clock.realtime_ns() as i64;
    let inode = &mut call.kernel.vfs.inodes[id];
    inode.attributes.insert(name.to_vec(), value);
    inode.changed_ns = now;
    inode.is_changed = true;
    inotify::notify_self(call.kernel, id, IN_ATTRIB);
    Ok(())
}

/// removexattr(2).
///
/// # Errors
/// `ENODATA`, `EPERM`, `EACCES`, `EOPNOTSUPP`.
pub(super) fn remove(call: &mut Call, id: Id<Inode>, name: &[u8]) -> Result<(), Error> {
    check(call, &call.kernel.vfs.inodes[id], name, Intent::Change)?;
    let now = call.kernel.clock.realtime_ns() as i64;
    let inode = &mut call.kernel.vfs.inodes[id];
    if inode.attributes.remove(name).is_none() {
        return Err(Errno::ENODATA.because("the file has no such attribute"));
    }
    inode.changed_ns = now;
    inode.is_changed = true;
    inotify::notify_self(call.kernel, id, IN_ATTRIB);
    Ok(())
}

/// listxattr(2): the names that the caller may see, each with a zero byte.
pub(super) fn list(call: &Call, inode: Id<Inode>) -> Vec<u8> {
    let inode = &call.kernel.vfs.inodes[inode];
    let sees_trusted = call.subject().is_administrator;
    let mut names = Vec::new();
    for name in inode.attributes.keys().filter(|name| sees_trusted || !name.starts_with(b"trusted.")) {
        names.extend_from_slice(name);
        names.push(0);
    }
    names
}
