//! Moving bytes: read(2), write(2), pread(2), readv(2) and their kin.

use crate::entry::Call;
use crate::fs::ops::{self, Position, Read, Write};
use crate::fs::tty::transfer::{TerminalRead, TerminalWrite};
use crate::fs::{Fd, FileObject};
use crate::socket;
use crate::syscalls::operation::{Flow, SysResult};
use crate::user::{UserBuffer, UserPtr, UserSlice};
use abi::fcntl::{IOV_MAX, Iovec, MAX_RW_COUNT, RWF_APPEND, RWF_DSYNC, RWF_HIPRI, RWF_NOWAIT, RWF_SYNC};
use abi::{Errno, Error};

/// read(2).
pub(crate) fn read(call: &mut Call, fd: Fd, buffer: UserSlice) -> SysResult {
    start_read(call, fd, buffer.part(0, MAX_RW_COUNT).into(), Position::Current)
}

/// write(2).
pub(crate) fn write(call: &mut Call, fd: Fd, buffer: UserSlice) -> SysResult {
    start_write(call, fd, buffer.part(0, MAX_RW_COUNT).into(), Position::Current)
}

/// pread(2).
pub(crate) fn pread64(call: &mut Call, fd: Fd, buffer: UserSlice, offset: i64) -> SysResult {
    let position = position(call, fd, offset)?;
    start_read(call, fd, buffer.part(0, MAX_RW_COUNT).into(), position)
}

/// pwrite(2).
pub(crate) fn pwrite64(call: &mut Call, fd: Fd, buffer: UserSlice, offset: i64) -> SysResult {
    let position = position(call, fd, offset)?;
    start_write(call, fd, buffer.part(0, MAX_RW_COUNT).into(), position)
}

/// readv(2).
pub(crate) fn readv(call: &mut Call, fd: Fd, vector: UserPtr<Iovec>, count: u64) -> SysResult {
    call.usable_file(fd)?;
    let buffer = read_vector(call, vector, count)?;
    start_read(call, fd, buffer, Position::Current)
}

/// writev(2).
pub(crate) fn writev(call: &mut Call, fd: Fd, vector: UserPtr<Iovec>, count: u64) -> SysResult {
    call.usable_file(fd)?;
    let buffer = read_vector(call, vector, count)?;
    start_write(call, fd, buffer, Position::Current)
}

/// preadv(2). The second half of the offset is for machines with 32-bit registers.
pub(crate) fn preadv(
    call: &mut Call,
    fd: Fd,
    vector: UserPtr<Iovec>,
    count: u64,
    offset: i64,
    _high: u64,
) -> SysResult {
    let position = position(call, fd, offset)?;
    let buffer = read_vector(call, vector, count)?;
    start_read(call, fd, buffer, position)
}

/// pwritev(2).
pub(crate) fn pwritev(
    call: &mut Call,
    fd: Fd,
    vector: UserPtr<Iovec>,
    count: u64,
    offset: i64,
    _high: u64,
) -> SysResult {
    let position = position(call, fd, offset)?;
    let buffer = read_vector(call, vector, count)?;
    start_write(call, fd, buffer, position)
}

/// preadv2(2). Offset -1 is the file's own.
pub(crate) fn preadv2(
    call: &mut Call,
    fd: Fd,
    vector: UserPtr<Iovec>,
    count: u64,
    offset: i64,
    _high: u64,
    flags: u32,
) -> SysResult {
    if flags & !(RWF_HIPRI | RWF_NOWAIT) != 0 {
        return Err(Errno::EOPNOTSUPP.because("flags that a read does not have"));
    }
    let position = if offset == -1 { Position::Current } else { position(call, fd, offset)? };
    let to = read_vector(call, vector, count)?;
    let file = call.usable_file(fd)?;
    let file = call.hold(file);
    ops::start(call, Read { file, to, position, nowait: flags & RWF_NOWAIT != 0 })
}

/// pwritev2(2). Offset -1 is the file's own.
pub(crate) fn pwritev2(
    call: &mut Call,
    fd: Fd,
    vector: UserPtr<Iovec>,
    count: u64,
    offset: i64,
    _high: u64,
    flags: u32,
) -> SysResult {
    if flags & !(RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND) != 0 {
        return Err(Errno::EOPNOTSUPP.because("flags that a write does not have"));
    }
    let mut position = if offset == -1 { Position::Current } else { position(call, fd, offset)? };
    if flags & RWF_APPEND != 0 {
        position = Position::End;
    }
    let from = read_vector(call, vector, count)?;
    let file = call.usable_file(fd)?;
    let is_terminal = matches!(call.kernel.files[file].object, FileObject::Terminal { .. });
    let file = call.hold(file);
    if is_terminal {
        return ops::start(call, TerminalWrite { file, from, done: 0 });
    }
    ops::start(call, Write { file, from, position, done: 0, nowait: flags & RWF_NOWAIT != 0 })
}

/// lseek(2).
pub(crate) fn lseek(call: &mut Call, fd: Fd, offset: i64, whence: u32) -> SysResult {
    let file = call.usable_file(fd)?;
    Ok(Flow::Done(ops::seek(call, file, offset, whence)?))
}

fn start_read(call: &mut Call, fd: Fd, to: UserBuffer, position: Position) -> SysResult {
    let file = call.usable_file(fd)?;
    if let FileObject::Socket(socket) = call.kernel.files[file].object {
        return socket::calls::read(call, file, socket, to);
    }
    let is_terminal = matches!(call.kernel.files[file].object, FileObject::Terminal { .. });
    let file = call.hold(file);
    if is_terminal {
        return ops::start(call, TerminalRead { file, to, done: 0, deadline: None });
    }
    ops::start(call, Read { file, to, position, nowait: false })
}

fn start_write(call: &mut Call, fd: Fd, from: UserBuffer, position: Position) -> SysResult {
    let file = call.usable_file(fd)?;
    if let FileObject::Socket(socket) = call.kernel.files[file].object {
        return socket::calls::write(call, file, socket, from);
    }
    let is_terminal = matches!(call.kernel.files[file].object, FileObject::Terminal { .. });
    let file = call.hold(file);
    if is_terminal {
        return ops::start(call, TerminalWrite { file, from, done: 0 });
    }
    ops::start(call, Write { file, from, position, done: 0, nowait: false })
}

/// An offset that the caller gives, for files that have offsets.
fn position(call: &mut Call, fd: Fd, offset: i64) -> Result<Position, Error> {
    let offset = u64::try_from(offset).map_err(|_| Errno::EINVAL.because("the offset is negative"))?;
    let file = call.usable_file(fd)?;
    if !ops::has_offset(call, file) {
        return Err(Errno::ESPIPE.because("the file has no offsets"));
    }
    Ok(Position::At(offset))
}

/// The pieces that an array of `struct iovec` names, `MAX_RW_COUNT` bytes of them at most.
///
/// # Errors
/// `EINVAL` for more than `IOV_MAX` pieces or a length above 63 bits, `EFAULT`.
pub(crate) fn read_vector(call: &mut Call, vector: UserPtr<Iovec>, count: u64) -> Result<UserBuffer, Error> {
    if count > IOV_MAX as u64 {
        return Err(Errno::EINVAL.because("more than `IOV_MAX` pieces"));
    }
    let pieces = call.read_array(vector, count as usize)?;
    let mut left = MAX_RW_COUNT;
    let mut slices = Vec::with_capacity(pieces.len());
    for Iovec { base, length } in pieces {
        if length > i64::MAX as u64 {
            return Err(Errno::EINVAL.because("a piece's length is negative"));
        }
        let length = length.min(left);
        left -= length;
        slices.push(UserSlice { address: base, length });
    }
    Ok(UserBuffer::new(slices))
}
