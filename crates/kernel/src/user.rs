//! Guest memory as the kernel touches it: an address is a claim until it is copied through the MMU.

use crate::entry::Call;
use crate::mm::{self, AddressSpace, BadAccess};
use crate::signal;
use crate::table::Id;
use abi::signal::{SIGKILL, SigInfo};
use abi::{Errno, Error, Wire};
use machine::{Access, FrameNumber};
use std::collections::VecDeque;
use std::marker::PhantomData;

/// Where the guest claims to have a `T`.
pub struct UserPtr<T> {
    address: u64,
    marker: PhantomData<fn() -> T>,
}

impl<T> Clone for UserPtr<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for UserPtr<T> {}
impl<T> std::fmt::Debug for UserPtr<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#x}", self.address)
    }
}
impl<T> PartialEq for UserPtr<T> {
    fn eq(&self, other: &Self) -> bool {
        self.address == other.address
    }
}
impl<T> Eq for UserPtr<T> {}
impl<T> std::hash::Hash for UserPtr<T> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.address.hash(state);
    }
}

impl<T> UserPtr<T> {
    /// A claim.
    pub fn new(address: u64) -> UserPtr<T> {
        UserPtr { address, marker: PhantomData }
    }
    /// The address claimed.
    pub fn address(self) -> u64 {
        self.address
    }
    /// Whether it is the null pointer: "not given".
    pub fn is_null(self) -> bool {
        self.address == 0
    }
    /// The pointer, unless it is null.
    pub fn given(self) -> Option<UserPtr<T>> {
        (!self.is_null()).then_some(self)
    }
    /// The pointer `bytes` further.
    pub fn byte_offset<U>(self, bytes: u64) -> UserPtr<U> {
        UserPtr::new(self.address.wrapping_add(bytes))
    }
}

/// Where the guest claims to have so many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UserSlice {
    /// The first byte's address.
    pub address: u64,
    /// How many bytes.
    pub length: u64,
}

impl UserSlice {
    /// The part from `start` on, `length` bytes at most.
    pub fn part(self, start: u64, length: u64) -> UserSlice {
        let start = start.min(self.length);
        UserSlice { address: self.address.wrapping_add(start), length: (self.length - start).min(length) }
    }
}

/// Guest bytes in one piece or several, as readv(2) and writev(2) name them, and how far a transfer has come.
///
/// # Invariants
/// - `remaining` is the sum of what the current piece and those behind it still hold; the current piece is not used up
///   unless nothing remains.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UserBuffer {
    current: UserSlice,
    following: VecDeque<UserSlice>,
    remaining: u64,
}

impl From<UserSlice> for UserBuffer {
    fn from(slice: UserSlice) -> UserBuffer {
        UserBuffer { current: slice, following: VecDeque::new(), remaining: slice.length }
    }
}

impl UserBuffer {
    /// Several pieces, one after the other. The caller has checked that their sum fits in 63 bits.
    pub fn new(pieces: impl IntoIterator<Item = UserSlice>) -> UserBuffer {
        let following: VecDeque<_> = pieces.into_iter().filter(|piece| piece.length > 0).collect();
        let remaining = following.iter().fold(0u64, |sum, piece| sum.saturating_add(piece.length));
        let mut buffer = UserBuffer { current: UserSlice { address: 0, length: 0 }, following, remaining };
        buffer.settle();
        buffer
    }

    /// Bytes not transferred yet.
    #[inline]
    pub fn remaining(&self) -> u64 {
        self.remaining
    }

    /// The next bytes that lie together; empty if nothing remains.
    #[inline]
    pub fn front(&self) -> UserSlice {
        self.current
    }

    /// The pieces of the next `length` bytes, in order.
    pub fn pieces(&self, length: u64) -> impl Iterator<Item = UserSlice> + '_ {
        let mut left = length;
        std::iter::once(self.current).chain(self.following.iter().copied()).map_while(move |piece| {
            let part = piece.part(0, left);
            left -= part.length;
            (part.length > 0).then_some(part)
        })
    }

    /// Notes that the next `length` bytes have been transferred.
    #[inline]
    pub fn advance(&mut self, length: u64) {
        assert!(length <= self.remaining, "no more is transferred than there is room for");
        self.remaining -= length;
        let mut left = length;
        while left > 0 {
            let step = left.min(self.current.length);
            self.current = self.current.part(step, u64::MAX);
            left -= step;
            self.settle();
        }
    }

    /// Forgets all bytes but the next `length`.
    pub fn truncate(&mut self, length: u64) {
        if length < self.remaining {
            let pieces: Vec<UserSlice> = self.pieces(length).collect();
            *self = UserBuffer::new(pieces);
        }
    }

    fn settle(&mut self) {
        while self.current.length == 0 {
            let Some(next) = self.following.pop_front() else { return };
            self.current = next;
        }
    }
}

/// Where the guest claims to have a string that ends with a zero byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UserCStr(pub u64);

impl Call<'_> {
    /// The address space of the calling process.
    #[inline]
    pub fn space(&self) -> Id<AddressSpace> {
        self.kernel.processes[self.kernel.threads[self.thread].process].space
    }

    /// Reads a value.
    ///
    /// # Errors
    /// `EFAULT` if any of its bytes may not be read.
    pub fn read<T: Wire>(&mut self, from: UserPtr<T>) -> Result<T, Error> {
        let mut bytes = [0u8; 256];
        if T::SIZE <= bytes.len() {
            self.copy_in(from.address(), &mut bytes[..T::SIZE])?;
            return Ok(T::read(&bytes[..T::SIZE]));
        }
        let mut bytes = vec![0; T::SIZE];
        self.copy_in(from.address(), &mut bytes)?;
        Ok(T::read(&bytes))
    }

    /// Writes a value.
    ///
    /// # Errors
    /// `EFAULT` if any of its bytes may not be written; earlier pages may have been.
    pub fn write<T: Wire>(&mut self, to: UserPtr<T>, value: &T) -> Result<(), Error> {
        self.copy_out(to.address(), &value.to_bytes())
    }

    /// Writes a value unless the pointer is null.
    ///
    /// # Errors
    /// As [`Call::write`].
    pub fn write_if_given<T: Wire>(&mut self, to: UserPtr<T>, value: &T) -> Result<(), Error> {
        if to.is_null() { Ok(()) } else { self.write(to, value) }
    }

    /// Reads `count` values that follow one another. The caller has bounded `count`.
    ///
    /// # Errors
    /// `EFAULT` if any byte may not be read.
    pub fn read_array<T: Wire>(&mut self, from: UserPtr<T>, count: usize) -> Result<Vec<T>, Error> {
        let mut bytes = vec![0; T::SIZE * count];
        self.copy_in(from.address(), &mut bytes)?;
        Ok(bytes.chunks_exact(T::SIZE).map(T::read).collect())
    }

    /// Reads a string without its final zero byte.
    ///
    /// # Errors
    /// `EFAULT` if it runs into memory that may not be read; `too_long` if no zero byte comes within `limit` bytes.
    pub fn read_string(&mut self, from: UserCStr, limit: usize, too_long: Errno) -> Result<Vec<u8>, Error> {
        let mut string = Vec::new();
        loop {
            let (frame, offset) = self.resolve(from.0.wrapping_add(string.len() as u64), Access::Read)?;
            let rest = &self.kernel.memory.bytes(frame)[offset..];
            match rest.iter().position(|byte| *byte == 0) {
                Some(end) if string.len() + end < limit => {
                    string.extend_from_slice(&rest[..end]);
                    return Ok(string);
                }
                None if string.len() + rest.len() < limit => string.extend_from_slice(rest),
                _ => return Err(too_long.because("the string is too long")),
            }
        }
    }

    /// Reads a path: at most `PATH_MAX` bytes with the zero byte.
    ///
    /// # Errors
    /// `EFAULT`, `ENAMETOOLONG`.
    pub fn read_path(&mut self, from: UserCStr) -> Result<Vec<u8>, Error> {
        self.read_string(from, 4096, Errno::ENAMETOOLONG)
    }

    /// Copies guest bytes in. Faults are served as if the guest had made the access itself.
    ///
    /// # Errors
    /// `EFAULT` if a byte may not be read; what came before it has been copied.
    pub fn copy_in(&mut self, from: u64, bytes: &mut [u8]) -> Result<(), Error> {
        self.copy_in_from(self.space(), from, bytes)
    }

    /// Copies bytes out to the guest. Faults are served as if the guest had made the access itself.
    ///
    /// # Errors
    /// `EFAULT` if a byte may not be written; what came before it has been.
    pub fn copy_out(&mut self, to: u64, bytes: &[u8]) -> Result<(), Error> {
        self.copy_out_to(self.space(), to, bytes)
    }

    /// Copies as many bytes in as `bytes` holds, from the front of `from`, which is not advanced.
    ///
    /// # Errors
    /// `EFAULT` if a byte may not be read.
    pub fn gather(&mut self, from: &UserBuffer, bytes: &mut [u8]) -> Result<(), Error> {
        let mut done = 0;
        let wanted = bytes.len() as u64;
        for piece in from.pieces(wanted) {
            let end = done + piece.length as usize;
            self.copy_in(piece.address, &mut bytes[done..end])?;
            done = end;
        }
        assert_eq!(done, bytes.len(), "the caller asks for what the buffer has");
        Ok(())
    }

    /// The next `length` bytes of `from`, which is not advanced and has as many.
    ///
    /// # Errors
    /// `EFAULT` if a byte may not be read.
    pub fn gather_vec(&mut self, from: &UserBuffer, length: usize) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::with_capacity(length);
        for piece in from.pieces(length as u64) {
            let mut at = piece;
            while at.length > 0 {
                let (frame, offset) = self.resolve(at.address, Access::Read)?;
                let rest = &self.kernel.memory.bytes(frame)[offset..];
                let take = (rest.len() as u64).min(at.length);
                bytes.extend_from_slice(&rest[..take as usize]);
                at = at.part(take, u64::MAX);
            }
        }
        assert_eq!(bytes.len(), length, "the caller asks for what the buffer has");
        Ok(bytes)
    }

    /// Copies bytes out to the front of `to`, which is not advanced.
    ///
    /// # Errors
    /// `EFAULT` if a byte may not be written; earlier ones have been.
    pub fn scatter(&mut self, to: &UserBuffer, bytes: &[u8]) -> Result<(), Error> {
        let mut done = 0;
        for piece in to.pieces(bytes.len() as u64) {
            let end = done + piece.length as usize;
            self.copy_out(piece.address, &bytes[done..end])?;
            done = end;
        }
        assert_eq!(done, bytes.len(), "the caller gives what the buffer has room for");
        Ok(())
    }

    /// Copies bytes in from any address space.
    ///
    /// # Errors
    /// As [`Call::copy_in`].
    pub fn copy_in_from(&mut self, space: Id<AddressSpace>, from: u64, bytes: &mut [u8]) -> Result<(), Error> {
        let mut done = 0;
        while done < bytes.len() {
            let (frame, offset) = self.resolve_in(space, from.wrapping_add(done as u64), Access::Read)?;
            let rest = &self.kernel.memory.bytes(frame)[offset..];
            let take = rest.len().min(bytes.len() - done);
            bytes[done..done + take].copy_from_slice(&rest[..take]);
            done += take;
        }
        Ok(())
    }

    /// Copies bytes out to any address space.
    ///
    /// # Errors
    /// As [`Call::copy_out`].
    pub fn copy_out_to(&mut self, space: Id<AddressSpace>, to: u64, bytes: &[u8]) -> Result<(), Error> {
        let mut done = 0;
        while done < bytes.len() {
            let (frame, offset) = self.resolve_in(space, to.wrapping_add(done as u64), Access::Write)?;
            let rest = &mut self.kernel.memory.bytes_mut(frame)[offset..];
            let take = rest.len().min(bytes.len() - done);
            rest[..take].copy_from_slice(&bytes[done..done + take]);
            done += take;
        }
        Ok(())
    }

    /// The frame behind a guest address, after serving the faults on the way. Good until the next change of mappings.
    ///
    /// # Errors
    /// `EFAULT` if no area permits the access.
    #[inline]
    pub fn resolve(&mut self, address: u64, access: Access) -> Result<(FrameNumber, usize), Error> {
        self.resolve_in(self.space(), address, access)
    }

    /// [`Call::resolve`] in any address space.
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn resolve_in(
        &mut self,
        space: Id<AddressSpace>,
        address: u64,
        access: Access,
    ) -> Result<(FrameNumber, usize), Error> {
        loop {
            let area = &mut self.kernel.spaces[space];
            match machine::mmu::translate(&mut self.kernel.memory, &mut area.table, &mut area.tlb, address, access) {
                Ok(found) => return Ok(found),
                Err(fault) => mm::fault::handle(self, space, fault).map_err(|bad| self.bad_address(space, bad))?,
            }
        }
    }

    /// Why a call cannot use an address. When memory has run out the call fails too, but its process does not live to see
    /// that: as on Linux, it is killed.
    #[cold]
    fn bad_address(&mut self, space: Id<AddressSpace>, bad: BadAccess) -> Error {
        if bad != BadAccess::OutOfMemory {
            return Errno::EFAULT.because("the address is not mapped for this access");
        }
        if space == self.space() {
            let target = signal::Target::Process(self.process_id());
            signal::send(self.kernel, self.chooser, target, SigInfo::kernel(SIGKILL));
        }
        Errno::EFAULT.because("no memory is left for the page")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_of_pieces_advances_like_one_piece() {
        let piece = |address, length| UserSlice { address, length };
        let mut buffer = UserBuffer::new([piece(10, 0), piece(100, 3), piece(0, 0), piece(200, 5), piece(300, 0)]);
        assert_eq!((buffer.remaining(), buffer.front()), (8, piece(100, 3)));
        assert_eq!(buffer.pieces(4).collect::<Vec<_>>(), [piece(100, 3), piece(200, 1)]);
        buffer.advance(4);
        assert_eq!((buffer.remaining(), buffer.front()), (4, piece(201, 4)));
        buffer.truncate(3);
        assert_eq!((buffer.remaining(), buffer.front()), (3, piece(201, 3)));
        buffer.advance(3);
        assert_eq!((buffer.remaining(), buffer.front().length), (0, 0));
        assert_eq!(UserBuffer::new([]).remaining(), 0);
    }
}
