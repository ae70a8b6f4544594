//! A file's size and its way to the disk: truncate(2), fallocate(2), fsync(2), posix_fadvise(2).

use crate::entry::Call;
use crate::fs::path::{self, Follow};
use crate::fs::permission::WRITE;
use crate::fs::{Fd, FileDescription, FileObject, InodeKind, inotify, leases, size};
use crate::syscalls::operation::{Flow, SysResult};
use crate::table::Id;
use crate::user::UserCStr;
use abi::fcntl::{
    FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_INSERT_RANGE, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE,
    FALLOC_FL_UNSHARE_RANGE, FALLOC_FL_ZERO_RANGE,
};
use abi::inotify::IN_MODIFY;
use abi::stat::{S_IFIFO, S_IFSOCK};
use abi::{Errno, Error};

/// truncate(2).
pub(crate) fn truncate(call: &mut Call, path: UserCStr, length: i64) -> SysResult {
    let length = u64::try_from(length).map_err(|_| Errno::EINVAL.because("the length is negative"))?;
    let path = call.read_path(path)?;
    let node = path::resolve(call, Fd::WORKING_DIRECTORY, &path, Follow::Yes)?;
    let inode = call.kernel.inode(node);
    if inode.is_directory() {
        return Err(Errno::EISDIR.because("a directory cannot be cut"));
    }
    if !inode.is_regular() {
        return Err(Errno::EINVAL.because("only regular files can be cut"));
    }
    call.subject().check(inode, WRITE)?;
    if inode.executed > 0 {
        return Err(Errno::ETXTBSY.because("the file is a program that runs"));
    }
    if let Some(result) = leases::before_truncate(call, node, length) {
        return result;
    }
    size::truncate_named(call, node, length)?;
    Flow::OK
}

/// ftruncate(2).
pub(crate) fn ftruncate(call: &mut Call, fd: Fd, length: i64) -> SysResult {
    let length = u64::try_from(length).map_err(|_| Errno::EINVAL.because("the length is negative"))?;
    let file = call.usable_file(fd)?;
    let description = &call.kernel.files[file];
    match description.object {
        FileObject::Inode(inode) if description.is_writable() && call.kernel.vfs.inodes[inode].is_regular() => {
            size::truncate(call, inode, length)?;
            inotify::notify_file(call.kernel, file, IN_MODIFY);
            Flow::OK
        }
        FileObject::MessageQueue(queue) if description.is_writable() => {
            let inode = call.kernel.queues[queue].inode.expect("an open queue has a file");
            size::truncate(call, inode, length)?;
            Flow::OK
        }
        _ => Err(Errno::EINVAL.because("the file is no regular file open for writing")),
    }
}

/// fallocate(2).
pub(crate) fn fallocate(call: &mut Call, fd: Fd, mode: u32, offset: i64, length: i64) -> SysResult {
    let file = call.usable_file(fd)?;
    let (Ok(start), Ok(count @ 1..)) = (u64::try_from(offset), u64::try_from(length)) else {
        return Err(Errno::EINVAL.because("`offset` is negative, or `len` is not positive"));
    };
    let punches = mode & FALLOC_FL_PUNCH_HOLE != 0;
    let known = FALLOC_FL_KEEP_SIZE
        | FALLOC_FL_PUNCH_HOLE
        | FALLOC_FL_COLLAPSE_RANGE
        | FALLOC_FL_ZERO_RANGE
        | FALLOC_FL_INSERT_RANGE
        | FALLOC_FL_UNSHARE_RANGE;
    if mode & !known != 0 || punches && mode & FALLOC_FL_ZERO_RANGE != 0 || punches && mode & FALLOC_FL_KEEP_SIZE == 0 {
        return Err(Errno::EOPNOTSUPP.because("modes that exclude each other, or an unknown one"));
    }
    if mode & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE | FALLOC_FL_UNSHARE_RANGE) != 0 {
        return Err(Errno::EOPNOTSUPP.because("ranges cannot be taken out or put in"));
    }
    let description = &call.kernel.files[file];
    if !description.is_writable() {
        return Err(Errno::EBADF.because("the file is not open for writing"));
    }
    let FileObject::Inode(inode) = description.object else {
        return Err(match description.object {
            FileObject::PipeReader(_) | FileObject::PipeWriter(_) | FileObject::Fifo { .. } => {
                Errno::ESPIPE.because("a pipe has no offsets")
            }
            _ => Errno::ENODEV.because("only regular files have space"),
        });
    };
    if !matches!(call.kernel.vfs.inodes[inode].kind, InodeKind::Regular(_)) {
        return Err(Errno::ENODEV.because("only regular files have space"));
    }
    let end = start.checked_add(count).filter(|end| *end <= i64::MAX as u64);
    let end = end.ok_or(Errno::EFBIG.because("the range reaches beyond the largest offset"))?;
    if mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE) != 0 {
        size::zero(call, inode, start, end)?;
    }
    if mode & FALLOC_FL_KEEP_SIZE == 0 && end > call.kernel.vfs.inodes[inode].size() {
        size::truncate(call, inode, end)?;
    }
    inotify::notify_file(call.kernel, file, IN_MODIFY);
    Flow::OK
}

/// Whether a file's bytes could be made durable: pipes and sockets have none.
fn check_sync(call: &Call, file: Id<FileDescription>) -> Result<(), Error> {
    let description = &call.kernel.files[file];
    let kind = description.node.map_or(0, |node| call.kernel.inode(node).type_bits());
    match description.object {
        FileObject::Inode(_) if !matches!(kind, S_IFIFO | S_IFSOCK) => Ok(()),
        _ => Err(Errno::EINVAL.because("the file cannot be synchronised")),
    }
}

/// fsync(2). Changes are in the run's own memory: there is no later point at which they would be safer.
pub(crate) fn fsync(call: &mut Call, fd: Fd) -> SysResult {
    let file = call.usable_file(fd)?;
    check_sync(call, file)?;
    Flow::OK
}

/// fdatasync(2).
pub(crate) fn fdatasync(call: &mut Call, fd: Fd) -> SysResult {
    fsync(call, fd)
}

/// sync(2).
pub(crate) fn sync(_call: &mut Call) -> SysResult {
    Flow::OK
}

/// syncfs(2).
pub(crate) fn syncfs(call: &mut Call, fd: Fd) -> SysResult {
    call.usable_file(fd)?;
    Flow::OK
}

/// sync_file_range(2).
pub(crate) fn sync_file_range(call: &mut Call, fd: Fd, offset: i64, length: i64, flags: u32) -> SysResult {
    let file = call.usable_file(fd)?;
    if flags & !7 != 0 || offset < 0 || length < 0 || offset.checked_add(length).is_none() {
        return Err(Errno::EINVAL.because("unknown `flags`, or a range out of bounds"));
    }
    check_sync(call, file).map_err(|_| Errno::ESPIPE.because("the file has no offsets"))?;
    Flow::OK
}

/// posix_fadvise(2). Advice changes no result here: pages come and go with the need for memory.
pub(crate) fn fadvise64(call: &mut Call, fd: Fd, _offset: i64, length: i64, advice: i32) -> SysResult {
    /// `POSIX_FADV_NOREUSE`, the last.
    const LAST: i32 = 5;
    let file = call.usable_file(fd)?;
    if !crate::fs::ops::has_offset(call, file) {
        return Err(Errno::ESPIPE.because("the file has no offsets"));
    }
    if length < 0 || !(0..=LAST).contains(&advice) {
        return Err(Errno::EINVAL.because("unknown advice, or a negative length"));
    }
    Flow::OK
}

/// readahead(2).
pub(crate) fn readahead(call: &mut Call, fd: Fd, _offset: i64, _count: u64) -> SysResult {
    let file = call.usable_file(fd)?;
    let description = &call.kernel.files[file];
    if !description.is_readable() {
        return Err(Errno::EBADF.because("the file is not open for reading"));
    }
    match description.object {
        FileObject::Inode(inode) if call.kernel.vfs.inodes[inode].is_regular() => Flow::OK,
        _ => Err(Errno::EINVAL.because("only regular files can be read ahead")),
    }
}
