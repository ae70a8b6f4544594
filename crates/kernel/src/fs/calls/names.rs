//! Making and removing names: mkdir(2), unlink(2), rename(2), link(2), symlink(2), mknod(2), and reading links.

use crate::entry::Call;
use crate::fs::page_cache::Pages;
use crate::fs::path::{self, Follow, Place};
use crate::fs::{Fd, InodeKind, generated, names, open};
use crate::syscalls::operation::{Flow, SysResult};
use crate::user::{UserCStr, UserSlice};
use abi::Errno;
use abi::fcntl::{AT_EMPTY_PATH, AT_REMOVEDIR, AT_SYMLINK_FOLLOW, RENAME_EXCHANGE, RENAME_NOREPLACE, RENAME_WHITEOUT};
use abi::stat::{S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK, S_ISVTX};

/// mkdir(2).
pub(crate) fn mkdir(call: &mut Call, path: UserCStr, mode: u32) -> SysResult {
    mkdirat(call, Fd::WORKING_DIRECTORY, path, mode)
}

/// mkdirat(2).
pub(crate) fn mkdirat(call: &mut Call, directory: Fd, path: UserCStr, mode: u32) -> SysResult {
    let path = call.read_path(path)?;
    let mut found = path::walk(call, directory, &path, Follow::Never, 0)?;
    found.has_trailing_slash = false;
    names::check_creatable(&found)?;
    open::make(call, &found, S_IFDIR | mode & (S_ISVTX | 0o777), open::empty_directory(), 0)?;
    Flow::OK
}

/// rmdir(2).
pub(crate) fn rmdir(call: &mut Call, path: UserCStr) -> SysResult {
    unlinkat(call, Fd::WORKING_DIRECTORY, path, AT_REMOVEDIR)
}

/// unlink(2).
pub(crate) fn unlink(call: &mut Call, path: UserCStr) -> SysResult {
    unlinkat(call, Fd::WORKING_DIRECTORY, path, 0)
}

/// unlinkat(2).
pub(crate) fn unlinkat(call: &mut Call, directory: Fd, path: UserCStr, flags: u32) -> SysResult {
    if flags & !AT_REMOVEDIR != 0 {
        return Err(Errno::EINVAL.because("unknown `flags`"));
    }
    let path = call.read_path(path)?;
    let found = path::walk(call, directory, &path, Follow::Never, 0)?;
    if flags & AT_REMOVEDIR != 0 {
        names::remove_directory(call, &found)?;
    } else {
        names::unlink(call, &found)?;
    }
    Flow::OK
}

/// rename(2).
pub(crate) fn rename(call: &mut Call, old: UserCStr, new: UserCStr) -> SysResult {
    renameat2(call, Fd::WORKING_DIRECTORY, old, Fd::WORKING_DIRECTORY, new, 0)
}

/// renameat(2).
pub(crate) fn renameat(call: &mut Call, old_directory: Fd, old: UserCStr, directory: Fd, new: UserCStr) -> SysResult {
    renameat2(call, old_directory, old, directory, new, 0)
}

/// renameat2(2).
pub(crate) fn renameat2(
    call: &mut Call,
    old_directory: Fd,
    old: UserCStr,
    directory: Fd,
    new: UserCStr,
    flags: u32,
) -> SysResult {
    if flags & !(RENAME_NOREPLACE | RENAME_EXCHANGE) != 0 {
        let known = flags & !(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT) == 0;
        return Err(Errno::EINVAL.because(if known {
            "`RENAME_WHITEOUT` is not supported"
        } else {
            "unknown `flags`"
        }));
    }
    if flags == RENAME_NOREPLACE | RENAME_EXCHANGE {
        return Err(Errno::EINVAL.because("`RENAME_EXCHANGE` replaces"));
    }
    let old = call.read_path(old)?;
    let new = call.read_path(new)?;
    let old = path::walk(call, old_directory, &old, Follow::Never, 0)?;
    let new = path::walk(call, directory, &new, Follow::Never, 0)?;
    names::rename(call, &old, &new, flags)?;
    Flow::OK
}

/// link(2).
pub(crate) fn link(call: &mut Call, old: UserCStr, new: UserCStr) -> SysResult {
    linkat(call, Fd::WORKING_DIRECTORY, old, Fd::WORKING_DIRECTORY, new, 0)
}

/// linkat(2).
pub(crate) fn linkat(
    call: &mut Call,
    old_directory: Fd,
    old: UserCStr,
    directory: Fd,
    new: UserCStr,
    flags: u32,
) -> SysResult {
    if flags & !(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL.because("unknown `flags`"));
    }
    let follow = if flags & AT_SYMLINK_FOLLOW != 0 { Follow::Yes } else { Follow::No };
    let old = call.read_path(old)?;
    let new = call.read_path(new)?;
    let place = if flags & AT_EMPTY_PATH != 0 {
        path::resolve_or_base(call, old_directory, &old, follow)?
    } else {
        Place::Node(path::resolve(call, old_directory, &old, follow)?)
    };
    let Place::Node(node) = place else {
        return Err(Errno::EXDEV.because("what has no name is on no file system with names"));
    };
    let found = path::walk(call, directory, &new, Follow::Never, 0)?;
    names::link(call, node, &found)?;
    Flow::OK
}

/// symlink(2).
pub(crate) fn symlink(call: &mut Call, target: UserCStr, path: UserCStr) -> SysResult {
    symlinkat(call, target, Fd::WORKING_DIRECTORY, path)
}

/// symlinkat(2).
pub(crate) fn symlinkat(call: &mut Call, target: UserCStr, directory: Fd, path: UserCStr) -> SysResult {
    let target = call.read_path(target)?;
    if target.is_empty() {
        return Err(Errno::ENOENT.because("the target is empty"));
    }
    let path = call.read_path(path)?;
    let found = path::walk(call, directory, &path, Follow::Never, 0)?;
    names::check_creatable(&found)?;
    open::make(call, &found, S_IFLNK | 0o777, InodeKind::Symlink(target), 0)?;
    Flow::OK
}

/// readlink(2).
pub(crate) fn readlink(call: &mut Call, path: UserCStr, buffer: u64, size: i32) -> SysResult {
    readlinkat(call, Fd::WORKING_DIRECTORY, path, buffer, size)
}

/// readlinkat(2). An empty path is the symbolic link that `directory` was opened on with `O_PATH`.
pub(crate) fn readlinkat(call: &mut Call, directory: Fd, path: UserCStr, buffer: u64, size: i32) -> SysResult {
    if size <= 0 {
        return Err(Errno::EINVAL.because("`bufsiz` is not positive"));
    }
    let path = call.read_path(path)?;
    let not_a_link = if path.is_empty() { Errno::ENOENT } else { Errno::EINVAL };
    let place = if path.is_empty() && directory != Fd::WORKING_DIRECTORY {
        path::resolve_or_base(call, directory, &path, Follow::No)?
    } else {
        Place::Node(path::resolve(call, directory, &path, Follow::No)?)
    };
    let Place::Node(node) = place else { return Err(not_a_link.because("it is no symbolic link")) };
    let target = match &call.kernel.inode(node).kind {
        InodeKind::Symlink(target) => target.clone(),
        InodeKind::Generated(file) if call.kernel.inode(node).is_symlink() => {
            let file = *file;
            generated::read_link(call, file)?
        }
        _ => return Err(not_a_link.because("it is no symbolic link")),
    };
    let buffer = UserSlice { address: buffer, length: size as u64 };
    let length = target.len().min(buffer.length as usize);
    call.copy_out(buffer.address, &target[..length])?;
    Ok(Flow::Done(length as u64))
}

/// mknod(2).
pub(crate) fn mknod(call: &mut Call, path: UserCStr, mode: u32, device: u64) -> SysResult {
    mknodat(call, Fd::WORKING_DIRECTORY, path, mode, device)
}

/// mknodat(2).
pub(crate) fn mknodat(call: &mut Call, directory: Fd, path: UserCStr, mode: u32, device: u64) -> SysResult {
    let kind = match mode & S_IFMT {
        0 | S_IFREG => InodeKind::Regular(Pages::default()),
        S_IFIFO => InodeKind::Fifo(None),
        S_IFSOCK => InodeKind::Socket,
        S_IFCHR | S_IFBLK => InodeKind::Device,
        S_IFDIR => return Err(Errno::EPERM.because("a directory is made with mkdir(2)")),
        _ => return Err(Errno::EINVAL.because("unknown type of file")),
    };
    let path = call.read_path(path)?;
    let found = path::walk(call, directory, &path, Follow::Never, 0)?;
    names::check_creatable(&found)?;
    if matches!(kind, InodeKind::Device) && !call.subject().makes_devices {
        return Err(Errno::EPERM.because("device nodes are made by root"));
    }
    if matches!(kind, InodeKind::Regular(_)) && call.kernel.is_queues_directory(found.directory) {
        crate::ipc::posix::names::create(call, found.directory, &found.name, mode, None)?;
        return Flow::OK;
    }
    let type_bits = if mode & S_IFMT == 0 { S_IFREG } else { mode & S_IFMT };
    let device = if matches!(kind, InodeKind::Device) { device & 0xffff_ffff } else { 0 };
    open::make(call, &found, type_bits | mode & 0o7777, kind, device)?;
    Flow::OK
}
