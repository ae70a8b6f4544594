//! Opening and closing descriptors: open(2), openat2(2), close(2).

use crate::entry::Call;
use crate::fs::{Fd, InodeKind, leases, open};
use crate::ipc::fifo;
use crate::syscalls::operation::{Flow, SysResult};
use crate::user::{UserCStr, UserPtr};
use abi::fcntl::{
    F_SEAL_EXEC, F_SEAL_SEAL, MFD_ALLOW_SEALING, MFD_CLOEXEC, MFD_EXEC, MFD_NOEXEC_SEAL, O_CLOEXEC, O_CREAT,
    O_DIRECTORY, O_NOFOLLOW, O_PATH, O_RDWR, O_TMPFILE_BIT, O_TRUNC, O_VALID, O_WRONLY, OpenHow, RESOLVE_BENEATH,
    RESOLVE_CACHED, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_NO_XDEV,
};
use abi::{Errno, Wire};

const RESOLVE_ALL: u64 =
    RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH | RESOLVE_IN_ROOT | RESOLVE_CACHED;

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

/// openat2(2). Unlike open(2) it refuses what it does not know.
pub(crate) fn openat2(call: &mut Call, directory: Fd, path: UserCStr, how: UserPtr<OpenHow>, size: u64) -> SysResult {
    if size < OpenHow::SIZE as u64 {
        return Err(Errno::EINVAL.because("`size` is below that of the first version"));
    }
    if size > 4096 {
        return Err(Errno::E2BIG.because("`size` is above a page"));
    }
    let mut rest = vec![0; size as usize - OpenHow::SIZE];
    call.copy_in(how.address().wrapping_add(OpenHow::SIZE as u64), &mut rest)?;
    if rest.iter().any(|byte| *byte != 0) {
        return Err(Errno::E2BIG.because("the structure has fields from the future"));
    }
    let OpenHow { flags, mode, resolve } = call.read(how)?;
    let flags = u32::try_from(flags).ok().filter(|flags| flags & !O_VALID == 0);
    let flags = flags.ok_or(Errno::EINVAL.because("unknown `flags`"))?;
    if resolve & !RESOLVE_ALL != 0 || resolve & RESOLVE_BENEATH != 0 && resolve & RESOLVE_IN_ROOT != 0 {
        return Err(Errno::EINVAL.because("unknown `resolve` flags, or two that exclude each other"));
    }
    let makes = flags & (O_CREAT | O_TMPFILE_BIT) != 0;
    if mode & !0o7777 != 0 || !makes && mode != 0 {
        return Err(Errno::EINVAL.because("`mode` has unknown bits, or no file is made"));
    }
    if flags & O_PATH != 0 && flags & !(O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) != 0 {
        return Err(Errno::EINVAL.because("flags that `O_PATH` excludes"));
    }
    let path = call.read_path(path)?;
    open_path(call, directory, &path, flags, mode as u32, resolve)
}

/// memfd_create(2).
pub(crate) fn memfd_create(call: &mut Call, name: UserCStr, flags: u32) -> SysResult {
    /// Longest name with the prefix that Linux gives it.
    const LONGEST: usize = 249;
    if flags & !(MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL | MFD_EXEC) != 0 {
        return Err(Errno::EINVAL.because("unknown `flags`, or huge pages, which there are none of"));
    }
    if flags & (MFD_NOEXEC_SEAL | MFD_EXEC) == MFD_NOEXEC_SEAL | MFD_EXEC {
        return Err(Errno::EINVAL.because("`MFD_EXEC` and `MFD_NOEXEC_SEAL` exclude each other"));
    }
    let name = call.read_string(name, LONGEST + 1, Errno::EINVAL)?;
    let is_sealable = flags & (MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL) != 0;
    let mode = if flags & MFD_NOEXEC_SEAL != 0 { 0o666 } else { 0o777 };
    let node = open::make_unnamed_file(call, &[b"/memfd:", name.as_slice()].concat(), mode);
    let seals = match (is_sealable, flags & MFD_NOEXEC_SEAL != 0) {
        (_, true) => F_SEAL_EXEC,
        (true, false) => 0,
        (false, false) => F_SEAL_SEAL,
    };
    if let Some(pages) = call.kernel.inode_mut(node).pages_mut() {
        pages.seals = Some(seals);
    }
    let file = open::open_node(call, node, O_RDWR)?;
    Ok(Flow::Done(call.install_fd(file, flags & MFD_CLOEXEC != 0)?.0 as u64))
}

/// What open(2) and openat2(2) have in common.
fn open_path(call: &mut Call, base: Fd, path: &[u8], flags: u32, mode: u32, resolve: u64) -> SysResult {
    let located = open::locate(call, base, path, flags, mode, resolve)?;
    let node = located.node;
    if flags & O_PATH == 0 && matches!(call.kernel.inode(node).kind, InodeKind::Fifo(_)) {
        return fifo::open(call, node, flags, open::kept_flags(flags));
    }
    if flags & O_PATH == 0
        && let Some(result) = leases::before_open(call, located, flags)
    {
        return result;
    }
    let file = open::open_located(call, located, flags)?;
    let fd = call.install_fd(file, flags & O_CLOEXEC != 0)?;
    Ok(Flow::Done(fd.0 as u64))
}

/// close(2).
pub(crate) fn close(call: &mut Call, fd: Fd) -> SysResult {
    call.close_fd(fd)?;
    Flow::OK
}
