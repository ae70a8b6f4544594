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
    start_read(call, fd, buffer.part(0, MAX_RW_COUNT).into(), Position::Current, false)
}

/// write(2).
pub(crate) fn write(call: &mut Call, fd: Fd, buffer: UserSlice) -> SysResult {
    start_write(call, fd, buffer.part(0, MAX_RW_COUNT).into(), Position::Current, false)
}

/// pread(2).
pub(crate) fn pread64(call: &mut Call, fd: Fd, buffer: UserSlice, offset: i64) -> SysResult {
    let position = position(call, fd, offset)?;
    start_read(call, fd, buffer.part(0, MAX_RW_COUNT).into(), position, false)
}

/// pwrite(2).
pub(crate) fn pwrite64(call: &mut Call, fd: Fd, buffer: UserSlice, offset: i64) -> SysResult {
    let position = position(call, fd, offset)?;
    start_write(call, fd, buffer.part(0, MAX_RW_COUNT).into(), position, false)
}

/// readv(2).
pub(crate) fn readv(call: &mut Call, fd: Fd, vector: UserPtr<Iovec>, count: u64) -> SysResult {
    call.usable_file(fd)?;
    let buffer = read_vector(call, vector, count)?;
    start_read(call, fd, buffer, Position::Current, false)
}

/// writev(2).
pub(crate) fn writev(call: &mut Call, fd: Fd, vector: UserPtr<Iovec>, count: u64) -> SysResult {
    call.usable_file(fd)?;
    let buffer = read_vector(call, vector, count)?;
    start_write(call, fd, buffer, Position::Current, false)
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
    start_read(call, fd, buffer, position, false)
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
    start_write(call, fd, buffer, position, false)
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
    check_flags(flags)?;
    let position = if offset == -1 { Position::Current } else { position(call, fd, offset)? };
    let to = read_vector(call, vector, count)?;
    start_read(call, fd, to, position, flags & RWF_NOWAIT != 0)
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
    check_flags(flags)?;
    let mut position = if offset == -1 { Position::Current } else { position(call, fd, offset)? };
    if flags & RWF_APPEND != 0 {
        position = Position::End { moves: position == Position::Current };
    }
    let from = read_vector(call, vector, count)?;
    start_write(call, fd, from, position, flags & RWF_NOWAIT != 0)
}

/// What preadv2(2) and pwritev2(2) both take, Linux `kiocb_set_rw_flags`. Nothing is lost by a power cut here, so that
/// writes are as they are with `RWF_SYNC`.
fn check_flags(flags: u32) -> Result<(), Error> {
    if flags & !(RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND) != 0 {
        return Err(Errno::EOPNOTSUPP.because("flags that there are not"));
    }
    Ok(())
}

/// lseek(2).
pub(crate) fn lseek(call: &mut Call, fd: Fd, offset: i64, whence: u32) -> SysResult {
    let file = call.usable_file(fd)?;
    Ok(Flow::Done(ops::seek(call, file, offset, whence)?))
}

fn start_read(call: &mut Call, fd: Fd, to: UserBuffer, position: Position, nowait: bool) -> SysResult {
    let file = call.usable_file(fd)?;
    match call.kernel.files[file].object {
        FileObject::Socket(socket) => socket::calls::read(call, file, socket, to, nowait),
        FileObject::Terminal { .. } | FileObject::Master(_) if nowait => Err(no_nowait()),
        FileObject::Terminal { .. } => {
            let file = call.hold(file);
            ops::start(call, TerminalRead { file, to, done: 0, deadline: None })
        }
        _ => {
            let file = call.hold(file);
            ops::start(call, Read { file, to, position, nowait })
        }
    }
}

fn start_write(call: &mut Call, fd: Fd, from: UserBuffer, position: Position, nowait: bool) -> SysResult {
    let file = call.usable_file(fd)?;
    match call.kernel.files[file].object {
        FileObject::Socket(socket) => socket::calls::write(call, file, socket, from, nowait),
        FileObject::Terminal { .. } | FileObject::Master(_) if nowait => Err(no_nowait()),
        FileObject::Terminal { .. } => {
            let file = call.hold(file);
            ops::start(call, TerminalWrite { file, from, done: 0 })
        }
        _ => {
            let file = call.hold(file);
            ops::start(call, Write { file, from, position, done: 0, nowait })
        }
    }
}

fn no_nowait() -> Error {
    Errno::EOPNOTSUPP.because("a terminal does not know `RWF_NOWAIT`")
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
