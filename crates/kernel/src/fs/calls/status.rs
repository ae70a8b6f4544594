//! Asking about files: stat(2) and its kin.

use crate::entry::Call;
use crate::fs::path::{self, Follow};
use crate::fs::{Fd, stat};
use crate::syscalls::operation::{Flow, SysResult};
use crate::user::{UserCStr, UserPtr};
use abi::Errno;
use abi::fcntl::{AT_EMPTY_PATH, AT_NO_AUTOMOUNT, AT_STATX_SYNC_TYPE, AT_SYMLINK_NOFOLLOW};
use abi::stat::Stat;

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
    // Since Linux 6.11 a null path is an empty one with `AT_EMPTY_PATH`.
    let is_empty = path.0 == 0 && flags & AT_EMPTY_PATH != 0;
    let path = if is_empty { Vec::new() } else { call.read_path(path)? };
    let follow = if flags & AT_SYMLINK_NOFOLLOW != 0 { Follow::No } else { Follow::Yes };
    let place = if flags & AT_EMPTY_PATH != 0 {
        path::resolve_or_base(call, directory, &path, follow)?
    } else {
        path::Place::Node(path::resolve(call, directory, &path, follow)?)
    };
    let found = stat::of_place(call, place)?;
    call.write(to, &found)?;
    Flow::OK
}
