//! The calls on extended attributes: setxattr(2), getxattr(2), listxattr(2), removexattr(2), by path, link or descriptor.

use crate::entry::Call;
use crate::fs::path::{self, Follow};
use crate::fs::xattr::{self, NAME_MAX, SIZE_MAX, XATTR_CREATE, XATTR_REPLACE};
use crate::fs::{Fd, Inode, locks};
use crate::syscalls::operation::{Flow, SysResult};
use crate::table::Id;
use crate::user::{UserCStr, UserSlice};
use abi::{Errno, Error};

fn by_path(call: &mut Call, path: UserCStr, follow: Follow) -> Result<Id<Inode>, Error> {
    let path = call.read_path(path)?;
    let node = path::resolve(call, Fd::WORKING_DIRECTORY, &path, follow)?;
    Ok(call.kernel.vfs.nodes[node].inode)
}

fn by_descriptor(call: &mut Call, fd: Fd) -> Result<Id<Inode>, Error> {
    let file = call.usable_file(fd)?;
    locks::inode_of(call.kernel, file).ok_or(Errno::EOPNOTSUPP.because("the file has no attributes"))
}

fn read_name(call: &mut Call, name: UserCStr) -> Result<Vec<u8>, Error> {
    let name = call.read_string(name, NAME_MAX + 1, Errno::ERANGE)?;
    if name.is_empty() {
        return Err(Errno::ERANGE.because("the name is empty"));
    }
    Ok(name)
}

fn set(call: &mut Call, inode: Id<Inode>, name: UserCStr, value: UserSlice, flags: u32) -> SysResult {
    if flags & !(XATTR_CREATE | XATTR_REPLACE) != 0 {
        return Err(Errno::EINVAL.because("unknown `flags`"));
    }
    let name = read_name(call, name)?;
    if value.length > SIZE_MAX as u64 {
        return Err(Errno::E2BIG.because("the value has more than 65,536 bytes"));
    }
    let mut bytes = vec![0; value.length as usize];
    call.copy_in(value.address, &mut bytes)?;
    xattr::set(call, inode, &name, bytes, flags)?;
    Flow::OK
}

fn get(call: &mut Call, inode: Id<Inode>, name: UserCStr, to: UserSlice) -> SysResult {
    let name = read_name(call, name)?;
    let value = xattr::get(call, inode, &name)?;
    give(call, &value, to)
}

fn list(call: &mut Call, inode: Id<Inode>, to: UserSlice) -> SysResult {
    let names = xattr::list(call, inode);
    give(call, &names, to)
}

/// Hands bytes out, or only says how many there are if the buffer has no size.
fn give(call: &mut Call, bytes: &[u8], to: UserSlice) -> SysResult {
    if to.length > 0 {
        if (bytes.len() as u64) > to.length {
            return Err(Errno::ERANGE.because("the buffer is too small"));
        }
        call.copy_out(to.address, bytes)?;
    }
    Ok(Flow::Done(bytes.len() as u64))
}

fn remove(call: &mut Call, inode: Id<Inode>, name: UserCStr) -> SysResult {
    let name = read_name(call, name)?;
    xattr::remove(call, inode, &name)?;
    Flow::OK
}

/// setxattr(2).
pub(crate) fn setxattr(call: &mut Call, path: UserCStr, name: UserCStr, value: UserSlice, flags: u32) -> SysResult {
    let inode = by_path(call, path, Follow::Yes)?;
    set(call, inode, name, value, flags)
}

/// lsetxattr(2).
pub(crate) fn lsetxattr(call: &mut Call, path: UserCStr, name: UserCStr, value: UserSlice, flags: u32) -> SysResult {
    let inode = by_path(call, path, Follow::No)?;
    set(call, inode, name, value, flags)
}

/// fsetxattr(2).
pub(crate) fn fsetxattr(call: &mut Call, fd: Fd, name: UserCStr, value: UserSlice, flags: u32) -> SysResult {
    let inode = by_descriptor(call, fd)?;
    set(call, inode, name, value, flags)
}

/// getxattr(2).
pub(crate) fn getxattr(call: &mut Call, path: UserCStr, name: UserCStr, to: UserSlice) -> SysResult {
    let inode = by_path(call, path, Follow::Yes)?;
    get(call, inode, name, to)
}

/// lgetxattr(2).
pub(crate) fn lgetxattr(call: &mut Call, path: UserCStr, name: UserCStr, to: UserSlice) -> SysResult {
    let inode = by_path(call, path, Follow::No)?;
    get(call, inode, name, to)
}

/// fgetxattr(2).
pub(crate) fn fgetxattr(call: &mut Call, fd: Fd, name: UserCStr, to: UserSlice) -> SysResult {
    let inode = by_descriptor(call, fd)?;
    get(call, inode, name, to)
}

/// listxattr(2).
pub(crate) fn listxattr(call: &mut Call, path: UserCStr, to: UserSlice) -> SysResult {
    let inode = by_path(call, path, Follow::Yes)?;
    list(call, inode, to)
}

/// llistxattr(2).
pub(crate) fn llistxattr(call: &mut Call, path: UserCStr, to: UserSlice) -> SysResult {
    let inode = by_path(call, path, Follow::No)?;
    list(call, inode, to)
}

/// flistxattr(2).
pub(crate) fn flistxattr(call: &mut Call, fd: Fd, to: UserSlice) -> SysResult {
    let inode = by_descriptor(call, fd)?;
    list(call, inode, to)
}

/// removexattr(2).
pub(crate) fn removexattr(call: &mut Call, path: UserCStr, name: UserCStr) -> SysResult {
    let inode = by_path(call, path, Follow::Yes)?;
    remove(call, inode, name)
}

/// lremovexattr(2).
pub(crate) fn lremovexattr(call: &mut Call, path: UserCStr, name: UserCStr) -> SysResult {
    let inode = by_path(call, path, Follow::No)?;
    remove(call, inode, name)
}

/// fremovexattr(2).
pub(crate) fn fremovexattr(call: &mut Call, fd: Fd, name: UserCStr) -> SysResult {
    let inode = by_descriptor(call, fd)?;
    remove(call, inode, name)
}
