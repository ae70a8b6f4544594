//! Opening and closing descriptors: open(2), openat2(2), close(2).

use crate::entry::Call;
use crate::fs::{Fd, open};
use crate::syscalls::operation::{Flow, SysResult};
use crate::user::UserCStr;
use abi::fcntl::{O_CLOEXEC, O_CREAT, O_DIRECTORY, O_NOFOLLOW, O_PATH, O_TMPFILE_BIT, O_TRUNC, O_VALID, O_WRONLY};

/// open(2).
pub(crate) fn open(call: &mut Call, path: UserCStr, flags: u32, mode: u32) -> SysResult {
    openat(call, Fd::WORKING_DIRECTORY, path, flags, mode)
}

/// creat(2).
pub(crate) fn creat(call: &mut Call, path: UserCStr, mode: u32) -> SysResult {
    openat(call, Fd::WORKING_DIRECTORY, path, O_CREAT | O_WRONLY | O_TRUNC, mode)
}

/// openat(2). Flags that it does not know are ignored, as open(2) BUGS says.
pub(crate) fn openat(call: &mut Call, directory: Fd, path: UserCStr, flags: u32, mode: u32) -> SysResult {
    let mut flags = flags & O_VALID;
    if flags & O_PATH != 0 {
        flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    }
    let mode = if flags & (O_CREAT | O_TMPFILE_BIT) != 0 { mode & 0o7777 } else { 0 };
    let path = call.read_path(path)?;
    open_path(call, directory, &path, flags, mode, 0)
}

/// What open(2) and openat2(2) have in common.
fn open_path(call: &mut Call, base: Fd, path: &[u8], flags: u32, mode: u32, resolve: u64) -> SysResult {
    let node = open::locate(call, base, path, flags, mode, resolve)?;
    let file = open::open_node(call, node, flags)?;
    let fd = call.install_fd(file, flags & O_CLOEXEC != 0)?;
    Ok(Flow::Done(fd.0 as u64))
}

/// close(2).
pub(crate) fn close(call: &mut Call, fd: Fd) -> SysResult {
    call.close_fd(fd)?;
    Flow::OK
}
