//! Asking about files: stat(2) and its kin.

use crate::entry::Call;
use crate::fs::path::{self, Follow, Place};
use crate::fs::{Fd, Mount, mount, stat};
use crate::syscalls::operation::{Flow, SysResult};
use crate::table::Id;
use crate::user::{UserCStr, UserPtr};
use abi::fcntl::{
    AT_EACCESS, AT_EMPTY_PATH, AT_NO_AUTOMOUNT, AT_STATX_SYNC_TYPE, AT_SYMLINK_NOFOLLOW, R_OK, W_OK, X_OK,
};
use abi::stat::{
    STATX_ATTR_MOUNT_ROOT, STATX_BASIC_STATS, STATX_BTIME, STATX_MNT_ID, STATX_RESERVED, Stat, Statfs, Statx,
    StatxTime, device_major, device_minor,
};
use abi::{Errno, Error};

/// stat(2).
pub(crate) fn stat(call: &mut Call, path: UserCStr, to: UserPtr<Stat>) -> SysResult {
    newfstatat(call, Fd::WORKING_DIRECTORY, path, to, 0)
}

/// lstat(2).
pub(crate) fn lstat(call: &mut Call, path: UserCStr, to: UserPtr<Stat>) -> SysResult {
    newfstatat(call, Fd::WORKING_DIRECTORY, path, to, AT_SYMLINK_NOFOLLOW)
}

/// fstat(2).
pub(crate) fn fstat(call: &mut Call, fd: Fd, to: UserPtr<Stat>) -> SysResult {
    let file = call.file(fd)?;
    let found = stat::of_file(call, file)?;
    call.write(to, &found)?;
    Flow::OK
}

/// fstatat(2).
pub(crate) fn newfstatat(call: &mut Call, directory: Fd, path: UserCStr, to: UserPtr<Stat>, flags: u32) -> SysResult {
    if flags & !(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE) != 0 {
        return Err(Errno::EINVAL.because("unknown `flags`"));
    }
    let place = find(call, directory, path, flags)?;
    let found = stat::of_place(call, place)?;
    call.write(to, &found)?;
    Flow::OK
}

/// What a path names, as fstatat(2) and its kin see it.
fn find(call: &mut Call, directory: Fd, path: UserCStr, flags: u32) -> Result<Place, Error> {
    // Since Linux 6.11 a null path is an empty one with `AT_EMPTY_PATH`.
    let is_empty = path.0 == 0 && flags & AT_EMPTY_PATH != 0;
    let path = if is_empty { Vec::new() } else { call.read_path(path)? };
    let follow = if flags & AT_SYMLINK_NOFOLLOW != 0 { Follow::No } else { Follow::Yes };
    if flags & AT_EMPTY_PATH != 0 {
        path::resolve_or_base(call, directory, &path, follow)
    } else {
        Ok(Place::Node(path::resolve(call, directory, &path, follow)?))
    }
}

/// statx(2).
pub(crate) fn statx(
    call: &mut Call,
    directory: Fd,
    path: UserCStr,
    flags: u32,
    mask: u32,
    to: UserPtr<Statx>,
) -> SysResult {
    if flags & !(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE) != 0
        || flags & AT_STATX_SYNC_TYPE == AT_STATX_SYNC_TYPE
        || mask & STATX_RESERVED != 0
    {
        return Err(Errno::EINVAL.because("unknown `flags` or `mask`"));
    }
    let place = find(call, directory, path, flags)?;
    let stat = stat::of_place(call, place)?;
    let node = match place {
        Place::Node(node) => Some(node),
        Place::File(_) => None,
    };
    let born = node.and_then(|node| call.kernel.inode(node).born_ns);
    let mount_of = node.map(|node| call.kernel.vfs.nodes[node].mount);
    let is_mount_root = node.is_some_and(|node| call.kernel.vfs.nodes[node].parent.is_none())
        && mount_of.is_some_and(|mount| call.kernel.vfs.mounts[mount].root == node);
    let time = |time: abi::stat::Time| StatxTime {
        seconds: time.seconds,
        nanoseconds: time.nanoseconds as u32,
        ..StatxTime::default()
    };
    let found = Statx {
        mask: STATX_BASIC_STATS
            | if born.is_some() { STATX_BTIME } else { 0 }
            | if mount_of.is_some() { STATX_MNT_ID } else { 0 },
        block_size: stat.block_size as u32,
        attributes: if is_mount_root { STATX_ATTR_MOUNT_ROOT } else { 0 },
        attributes_mask: STATX_ATTR_MOUNT_ROOT,
        links: stat.links as u32,
        uid: stat.uid,
        gid: stat.gid,
        mode: stat.mode as u16,
        inode: stat.inode,
        size: stat.size as u64,
        blocks: stat.blocks as u64,
        accessed: time(stat.accessed),
        born: born.map(StatxTime::from_ns).unwrap_or_default(),
        changed: time(stat.changed),
        modified: time(stat.modified),
        special_major: device_major(stat.special_device),
        special_minor: device_minor(stat.special_device),
        device_major: device_major(stat.device),
        device_minor: device_minor(stat.device),
        mount: mount_of.map_or(0, mount::mount_number),
        ..Statx::default()
    };
    call.write(to, &found)?;
    Flow::OK
}

/// access(2).
pub(crate) fn access(call: &mut Call, path: UserCStr, mode: u32) -> SysResult {
    faccessat2(call, Fd::WORKING_DIRECTORY, path, mode, 0)
}

/// faccessat(2) without flags.
pub(crate) fn faccessat(call: &mut Call, directory: Fd, path: UserCStr, mode: u32) -> SysResult {
    faccessat2(call, directory, path, mode, 0)
}

/// faccessat2(2). Asks for the real user and group unless `AT_EACCESS` is given.
pub(crate) fn faccessat2(call: &mut Call, directory: Fd, path: UserCStr, mode: u32, flags: u32) -> SysResult {
    if mode & !(R_OK | W_OK | X_OK) != 0 {
        return Err(Errno::EINVAL.because("unknown `mode`"));
    }
    if flags & !(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL.because("unknown `flags`"));
    }
    let place = find(call, directory, path, flags)?;
    let Place::Node(node) = place else { return Flow::OK };
    let inode = call.kernel.inode(node);
    let subject = if flags & AT_EACCESS != 0 { call.subject() } else { call.real_subject() };
    subject.check(inode, mode)?;
    Flow::OK
}

/// statfs(2).
pub(crate) fn statfs(call: &mut Call, path: UserCStr, to: UserPtr<Statfs>) -> SysResult {
    let path = call.read_path(path)?;
    let node = path::resolve(call, Fd::WORKING_DIRECTORY, &path, Follow::Yes)?;
    let mount = call.kernel.vfs.nodes[node].mount;
    write_statfs(call, mount, to)
}

/// fstatfs(2).
pub(crate) fn fstatfs(call: &mut Call, fd: Fd, to: UserPtr<Statfs>) -> SysResult {
    let file = call.file(fd)?;
    let mount = match call.kernel.files[file].node {
        Some(node) => call.kernel.vfs.nodes[node].mount,
        None => call.kernel.nameless_mount(),
    };
    write_statfs(call, mount, to)
}

fn write_statfs(call: &mut Call, mount: Id<Mount>, to: UserPtr<Statfs>) -> SysResult {
    let found = stat::of_file_system(call.kernel, mount);
    call.write(to, &found)?;
    Flow::OK
}
