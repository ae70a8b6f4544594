//! Moving bytes: read(2), write(2), pread(2), readv(2) and their kin.

use crate::entry::Call;
use crate::fs::Fd;
use crate::fs::ops::{self, Position, Read, Write};
use crate::syscalls::operation::SysResult;
use crate::user::{UserBuffer, UserPtr, UserSlice};
use abi::fcntl::{IOV_MAX, Iovec, MAX_RW_COUNT};
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

fn start_read(call: &mut Call, fd: Fd, to: UserBuffer, position: Position) -> SysResult {
    let file = call.usable_file(fd)?;
    let file = call.hold(file);
    ops::start(call, Read { file, to, position })
}

fn start_write(call: &mut Call, fd: Fd, from: UserBuffer, position: Position) -> SysResult {
    let file = call.usable_file(fd)?;
    let file = call.hold(file);
    ops::start(call, Write { file, from, position, done: 0 })
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
