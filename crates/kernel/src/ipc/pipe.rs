//! Pipes, pipe(7): a bounded queue of bytes between read ends and write ends.
//!
//! Like Linux's, a pipe is a ring of slots of one page each, and that shows: a write of a page or less needs one free
//! slot unless it fits behind the last bytes; a pipe is writable while a slot is free; its capacity is in slots. What
//! splice(2) and its kin bring from files and memory takes a slot a page, and nothing is added to it.
//!
//! The object moves bytes and counts ends. [`read`] and [`write()`] copy between guest pages and slots, wake the other side
//! and say what to sleep on; the operations of `fs` sleep.

use crate::entry::Call;
use crate::event::Event;
use crate::fs::poll::Readiness;
use crate::fs::signal_driven::{self, News, Source};
use crate::fs::{FileObject, Transfer};
use crate::kernel::Kernel;
use crate::structures::{self, Room};
use crate::table::Id;
use crate::user::UserBuffer;
use crate::wait::WaitKey;
use abi::poll::{POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM};
use abi::resource::{CAP_SYS_ADMIN, CAP_SYS_RESOURCE};
use abi::{Errno, Error};
use machine::{Access, FrameNumber};
use std::collections::VecDeque;

/// A write of so many bytes is not mixed with others, pipe(7).
pub const PIPE_BUF: usize = 4096;
/// Bytes in a slot.
pub const SLOT_SIZE: usize = 4096;
/// Slots of a new pipe: 65,536 bytes.
pub const DEFAULT_SLOTS: usize = 16;
/// Free pages that a pipe keeps for its next writes.
const SPARE_PAGES: usize = 4;

type Page = [u8; SLOT_SIZE];

/// A used slot: `length` bytes from `start` on.
#[derive(Clone, Debug)]
struct Slot {
    page: Box<Page>,
    start: usize,
    length: usize,
    /// A packet of `O_DIRECT` mode: a read takes from no other slot.
    packet: bool,
    /// Whether writes may add to it: `PIPE_BUF_FLAG_CAN_MERGE`.
    merges: bool,
}

/// Bytes on their way from writers to readers.
///
/// # Invariants
/// - at most `capacity` slots are used, each with at least one byte;
/// - `length` is the sum of their bytes.
#[derive(Clone, Debug)]
pub struct Pipe {
    slots: VecDeque<Slot>,
    spare: Vec<Box<Page>>,
    /// Slots that may be used.
    capacity: usize,
    /// On whose account its slots are, `/proc/sys/fs/pipe-user-pages-soft`; user number.
    pub user: u32,
    length: usize,
    /// Open read ends.
    pub readers: u32,
    /// Open write ends.
    pub writers: u32,
    /// How often a read end was opened, for opens of FIFOs that wait for one.
    pub readers_ever: u32,
    /// How often a write end was opened.
    pub writers_ever: u32,
}

/// How bytes go into a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteMode {
    /// As a stream.
    Stream,
    /// As packets of at most [`PIPE_BUF`] bytes: `O_DIRECT`, pipe(2).
    Packet,
}

impl Default for Pipe {
    /// An empty pipe without ends.
    fn default() -> Pipe {
        Pipe {
            slots: VecDeque::new(),
            spare: Vec::new(),
            capacity: DEFAULT_SLOTS,
            user: 0,
            length: 0,
            readers: 0,
            writers: 0,
            readers_ever: 0,
            writers_ever: 0,
        }
    }
}

impl Pipe {
    /// Bytes that can be read.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Bytes of memory that it keeps.
    pub fn held_bytes(&self) -> u64 {
        ((self.slots.len() + self.spare.len()) * (SLOT_SIZE + 48)) as u64
    }

    /// Whether nothing can be read.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Whether no slot is free.
    pub fn is_full(&self) -> bool {
        self.slots.len() >= self.capacity
    }

    /// Capacity in bytes: `F_GETPIPE_SZ`.
    pub fn capacity_bytes(&self) -> usize {
        self.capacity * SLOT_SIZE
    }

    /// Slots that may be used.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Changes the number of slots.
    ///
    /// # Errors
    /// `EBUSY` if more are in use.
    fn set_capacity(&mut self, slots: usize) -> Result<(), Error> {
        if slots < self.slots.len() {
            return Err(Errno::EBUSY.because("the pipe holds more than the new size"));
        }
        self.capacity = slots;
        Ok(())
    }

    /// Slots that are free.
    pub fn free_slots(&self) -> usize {
        self.capacity.saturating_sub(self.slots.len())
    }

    /// Room behind the last bytes, in their page: pipe_write() in Linux's fs/pipe.c merges into it.
    fn room_in_last(&self) -> usize {
        match self.slots.back() {
            Some(slot) if slot.merges => SLOT_SIZE - slot.start - slot.length,
            _ => 0,
        }
    }

    /// How many bytes of a write with `remaining` bytes left go in together next: they fit in one slot, or behind the
    /// last bytes. 0: no slot is free. `first`: the write has just begun, and may merge its odd bytes.
    fn next_chunk(&self, remaining: usize, first: bool) -> usize {
        let odd = remaining % SLOT_SIZE;
        if first && odd > 0 && odd <= self.room_in_last() {
            return odd;
        }
        if self.is_full() { 0 } else { remaining.min(SLOT_SIZE) }
    }

    /// Appends the parts of one chunk, as [`Pipe::next_chunk`] allowed.
    fn append(&mut self, parts: &[&[u8]], first: bool, mode: WriteMode) {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let merge =
            first && mode == WriteMode::Stream && !length.is_multiple_of(SLOT_SIZE) && length <= self.room_in_last();
        if !merge {
            assert!(!self.is_full(), "the writer has asked for a free slot");
            let page = self.spare.pop().unwrap_or_else(|| Box::new([0; SLOT_SIZE]));
            let packet = mode == WriteMode::Packet;
            self.slots.push_back(Slot { page, start: 0, length: 0, packet, merges: !packet });
        }
        let slot = self.slots.back_mut().expect("there is a slot to fill");
        let mut at = slot.start + slot.length;
        for part in parts {
            slot.page[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        slot.length += length;
        self.length += length;
    }

    /// How many bytes the first slot holds, and whether they are a packet.
    fn front(&self) -> Option<(usize, bool)> {
        self.slots.front().map(|slot| (slot.length, slot.packet))
    }

    /// The first slot's bytes.
    fn front_bytes(&self) -> &[u8] {
        self.slots.front().map_or(&[], |slot| &slot.page[slot.start..slot.start + slot.length])
    }

    /// Takes bytes off the first slot.
    fn consume(&mut self, length: usize) {
        let slot = self.slots.front_mut().expect("what is consumed was there");
        assert!(length <= slot.length, "a slot is consumed at most once");
        slot.start += length;
        slot.length -= length;
        self.length -= length;
        if slot.length == 0 {
            self.drop_front();
        }
    }

    /// Frees the first slot, whatever it still holds.
    fn drop_front(&mut self) {
        if let Some(slot) = self.slots.pop_front() {
            self.length -= slot.length;
            if self.spare.len() < SPARE_PAGES {
                self.spare.push(slot.page);
            }
        }
    }

    /// Puts a page's bytes, or a part of them, into a free slot of their own.
    pub fn put_slot(&mut self, bytes: &[u8]) {
        assert!(!self.is_full() && !bytes.is_empty(), "the caller has asked for a free slot");
        let mut page = self.spare.pop().unwrap_or_else(|| Box::new([0; SLOT_SIZE]));
        page[..bytes.len()].copy_from_slice(bytes);
        self.slots.push_back(Slot { page, start: 0, length: bytes.len(), packet: false, merges: false });
        self.length += bytes.len();
    }

    /// Takes at most `limit` bytes off the front for another pipe, which has so many free slots: splice_pipe_to_pipe().
    fn take_slots(&mut self, limit: usize, room: usize) -> Vec<Slot> {
        let mut taken = Vec::new();
        let mut left = limit;
        while left > 0 && taken.len() < room {
            let Some(front) = self.slots.front() else { break };
            let length = front.length;
            if length <= left {
                taken.extend(self.slots.pop_front());
                self.length -= length;
                left -= length;
            } else {
                taken.push(Slot { length: left, merges: false, ..front.clone() });
                self.consume(left);
                left = 0;
            }
        }
        taken
    }

    /// Copies of the first slots, at most `limit` bytes, for another pipe that has so many free ones: link_pipe().
    fn copy_slots(&self, limit: usize, room: usize) -> Vec<Slot> {
        let mut left = limit;
        let first = self.slots.iter().take(room);
        first
            .map_while(|slot| {
                let length = slot.length.min(left);
                left -= length;
                (length > 0).then(|| Slot { length, merges: false, ..slot.clone() })
            })
            .collect()
    }

    fn put_slots(&mut self, slots: Vec<Slot>) -> usize {
        let length = slots.iter().map(|slot| slot.length).sum();
        self.slots.extend(slots);
        self.length += length;
        length
    }

    /// The first `limit` bytes at most, which stay: tee(2).
    pub fn peek(&self, limit: usize) -> Vec<u8> {
        let mut found = Vec::new();
        for slot in &self.slots {
            let take = slot.length.min(limit - found.len());
            found.extend_from_slice(&slot.page[slot.start..slot.start + take]);
            if found.len() == limit {
                break;
            }
        }
        found
    }

    /// Takes `length` bytes off the front: what [`Pipe::peek`] showed has arrived elsewhere.
    pub fn skip(&mut self, length: usize) {
        let mut left = length;
        while left > 0 {
            let step = left.min(self.slots.front().map_or(0, |slot| slot.length));
            assert!(step > 0, "no more is skipped than there is");
            self.consume(step);
            left -= step;
        }
    }
}

/// Moves slots from one pipe to another, or copies them; as many bytes as there are, wanted, and have room. How many.
pub fn move_slots(kernel: &mut Kernel, from: Id<Pipe>, to: Id<Pipe>, limit: usize, stay: bool) -> usize {
    let room = kernel.pipes[to].free_slots();
    let slots = match stay {
        true => kernel.pipes[from].copy_slots(limit, room),
        false => kernel.pipes[from].take_slots(limit, room),
    };
    let count = kernel.pipes[to].put_slots(slots);
    if count > 0 && !stay {
        kernel.emit(Event::PipeRead { pipe: from, bytes: count });
        tell_writers(kernel, from);
    }
    count
}

/// The slots for so many bytes, a power of two of them: round_pipe_size() of fs/pipe.c.
///
/// # Errors
/// `EINVAL` for 2^31 bytes and more.
pub fn slots_for(bytes: u64) -> Result<usize, Error> {
    if bytes > 1 << 31 {
        return Err(Errno::EINVAL.because("a pipe holds at most 2^31 bytes"));
    }
    Ok((bytes as usize).max(SLOT_SIZE).div_ceil(SLOT_SIZE).next_power_of_two())
}

/// `F_SETPIPE_SZ`: changes the capacity to at least `bytes`. The new one in bytes. pipe_set_size() of fs/pipe.c.
///
/// # Errors
/// `EINVAL` for 2^31 bytes and more, `EPERM` for more than the machine or its user may have, `EBUSY` if more is in use.
pub fn set_size(call: &mut Call, id: Id<Pipe>, bytes: u32) -> Result<usize, Error> {
    let slots = slots_for(u64::from(bytes))?;
    let limits = call.kernel.pipe_limits;
    let (before, user) = (call.kernel.pipes[id].capacity, call.kernel.pipes[id].user);
    if slots > before {
        if slots * SLOT_SIZE > limits.largest && !call.has_capability(CAP_SYS_RESOURCE) {
            return Err(Errno::EPERM.because("the size is above `/proc/sys/fs/pipe-max-size`"));
        }
        let used = call.kernel.users.get(&user).map_or(0, |account| account.pipe_pages) + (slots - before) as u64;
        if limits.exceeded(used) && !is_privileged(call) {
            return Err(Errno::EPERM.because("the user's pipes have as many pages as `/proc/sys/fs` allows"));
        }
    }
    call.kernel.pipes[id].set_capacity(slots)?;
    let account = call.kernel.users.entry(user).or_default();
    account.pipe_pages = account.pipe_pages - before as u64 + slots as u64;
    tell_writers(call.kernel, id);
    Ok(slots * SLOT_SIZE)
}

/// `/proc/sys/fs/pipe-*`, pipe(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `pipe-max-size`: bytes.
    pub largest: usize,
    /// `pipe-user-pages-soft`: pages of a user's pipes before new ones are small; 0: no limit.
    pub soft_pages: u64,
    /// `pipe-user-pages-hard`: pages of a user's pipes before there are no new ones; 0: no limit.
    pub hard_pages: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { largest: 1 << 20, soft_pages: 16384, hard_pages: 0 }
    }
}

impl Limits {
    fn exceeded(&self, pages: u64) -> bool {
        [self.soft_pages, self.hard_pages].into_iter().any(|limit| limit > 0 && pages > limit)
    }
}

/// Whether the limits for users are not for the caller: pipe_is_unprivileged_user().
fn is_privileged(call: &Call) -> bool {
    call.has_capability(CAP_SYS_RESOURCE) || call.has_capability(CAP_SYS_ADMIN)
}

/// A chunk's guest pages: at most so many are copied from in one go, others are gathered first.
const DIRECT_PARTS: usize = 2;

/// Writes from guest memory: as much as fits now. A write of at most [`PIPE_BUF`] bytes goes in whole or not at all.
///
/// # Errors
/// `EPIPE` without readers (the caller's SIGPIPE is sent), `EFAULT`.
pub fn write(call: &mut Call, id: Id<Pipe>, from: &mut UserBuffer, mode: WriteMode) -> Result<Transfer, Error> {
    if structures::grow(call.kernel, from.remaining().min(call.kernel.pipes[id].capacity_bytes() as u64)) == Room::None
        && call.kernel.pipes[id].length > 0
    {
        return Err(Errno::ENOMEM.because("the kernel's structures have half of the machine's memory"));
    }
    if from.remaining() == 0 {
        return Ok(Transfer::Done(0));
    }
    let mut done = 0;
    while from.remaining() > 0 {
        let pipe = &call.kernel.pipes[id];
        if pipe.readers == 0 {
            if done > 0 {
                // The bytes count; the next attempt meets the broken pipe again.
                break;
            }
            crate::ipc::broken_pipe(call);
            return Err(Errno::EPIPE.because("the pipe has no readers"));
        }
        // Merging is for the beginning of a write: what comes later begins a slot of its own, as on Linux.
        let first = done == 0 && mode == WriteMode::Stream;
        let chunk = pipe.next_chunk(usize::try_from(from.remaining()).unwrap_or(usize::MAX), first);
        if chunk == 0 {
            break;
        }
        match write_chunk(call, id, from, chunk, first, mode) {
            Ok(()) => done += chunk,
            Err(_) if done > 0 => break,
            Err(error) => return Err(error),
        }
    }
    // Linux tells the readers of every attempt to write, pipe_write().
    signal_driven::tell(call.kernel, Source::PipeReaders(id), News::Readable);
    if done == 0 && from.remaining() > 0 {
        return Ok(Transfer::WouldBlock(WaitKey::PipeRoom(id).into()));
    }
    if done > 0 {
        call.kernel.emit(Event::PipeWrote { pipe: id, bytes: done });
        tell_readers(call.kernel, id);
    }
    Ok(Transfer::Done(done))
}

/// Copies one chunk into a slot, straight from the guest's pages where it lies on few.
fn write_chunk(
    call: &mut Call,
    id: Id<Pipe>,
    from: &mut UserBuffer,
    chunk: usize,
    first: bool,
    mode: WriteMode,
) -> Result<(), Error> {
    let mut parts: [(FrameNumber, usize, usize); DIRECT_PARTS] = [(FrameNumber(0), 0, 0); DIRECT_PARTS];
    let mut count = 0;
    let front = from.front();
    if front.length >= chunk as u64 {
        // Bringing a page in can take another out of memory that was resolved just before.
        let mut reclaimed = None;
        while reclaimed != Some(call.kernel.mm.counters.reclaimed) {
            reclaimed = Some(call.kernel.mm.counters.reclaimed);
            let mut address = front.address;
            let mut left = chunk;
            count = 0;
            while left > 0 {
                let (frame, offset) = call.resolve(address, Access::Read)?;
                let length = left.min(call.kernel.memory.frame_size() - offset);
                parts[count] = (frame, offset, length);
                count += 1;
                left -= length;
                address = address.wrapping_add(length as u64);
            }
        }
        let Kernel { pipes, memory, .. } = &mut *call.kernel;
        let bytes = parts.map(|(frame, offset, length)| &memory.bytes(frame)[offset..offset + length]);
        pipes[id].append(&bytes[..count], first, mode);
    } else {
        let mut bytes = [0; SLOT_SIZE];
        call.gather(from, &mut bytes[..chunk])?;
        call.kernel.pipes[id].append(&[&bytes[..chunk]], first, mode);
    }
    from.advance(chunk as u64);
    Ok(())
}

/// Reads into guest memory what is there now. 0 bytes: no writer is left.
///
/// # Errors
/// `EFAULT`; the bytes stay in the pipe.
pub fn read(call: &mut Call, id: Id<Pipe>, to: &mut UserBuffer) -> Result<Transfer, Error> {
    if to.remaining() == 0 {
        return Ok(Transfer::Done(0));
    }
    let was_full = call.kernel.pipes[id].is_full();
    let mut done = 0;
    while to.remaining() > 0 {
        let Some((length, packet)) = call.kernel.pipes[id].front() else { break };
        let chunk = (length as u64).min(to.remaining()) as usize;
        match read_chunk(call, id, to, chunk) {
            Ok(()) => done += chunk,
            Err(_) if done > 0 => break,
            Err(error) => return Err(error),
        }
        let pipe = &mut call.kernel.pipes[id];
        if packet {
            // "If a read(2) specifies a buffer size smaller than the next packet, [...] the excess bytes are discarded",
            // pipe(2); and a read takes one packet at most.
            pipe.drop_front();
            break;
        }
        pipe.consume(chunk);
    }
    // Linux tells the writers of every attempt to read, pipe_read().
    signal_driven::tell(call.kernel, Source::PipeWriters(id), News::Writable);
    if done == 0 {
        return Ok(match call.kernel.pipes[id].writers {
            0 => Transfer::Done(0),
            _ => Transfer::WouldBlock(WaitKey::PipeBytes(id).into()),
        });
    }
    call.kernel.emit(Event::PipeRead { pipe: id, bytes: done });
    if was_full && !call.kernel.pipes[id].is_full() {
        tell_writers(call.kernel, id);
    }
    Ok(Transfer::Done(done))
}

/// Copies the first slot's first `chunk` bytes out, straight to the guest's pages.
fn read_chunk(call: &mut Call, id: Id<Pipe>, to: &mut UserBuffer, chunk: usize) -> Result<(), Error> {
    let mut done = 0;
    while done < chunk {
        let front = to.front();
        let (frame, offset) = call.resolve(front.address, Access::Write)?;
        let room = (call.kernel.memory.frame_size() - offset).min(chunk - done);
        let length = room.min(usize::try_from(front.length).unwrap_or(usize::MAX));
        let Kernel { pipes, memory, .. } = &mut *call.kernel;
        let bytes = &pipes[id].front_bytes()[done..done + length];
        memory.bytes_mut(frame)[offset..offset + length].copy_from_slice(bytes);
        done += length;
        to.advance(length as u64);
    }
    Ok(())
}

/// Bytes came: wakes whoever polls, and the first of those who wait to read. Linux wakes readers one by one, too
/// (`wake_next_reader` of fs/pipe.c).
pub(crate) fn tell_readers(kernel: &mut Kernel, id: Id<Pipe>) {
    kernel.wake(WaitKey::PipeReadable(id));
    kernel.wake_first(WaitKey::PipeBytes(id));
}

/// A slot is free: wakes whoever polls, and the first of those who wait to write.
pub(crate) fn tell_writers(kernel: &mut Kernel, id: Id<Pipe>) {
    kernel.wake(WaitKey::PipeWritable(id));
    kernel.wake_first(WaitKey::PipeRoom(id));
}

/// A read is over, whatever became of it: what it left is the next one's.
pub(crate) fn pass_bytes(kernel: &mut Kernel, object: FileObject) {
    if let FileObject::PipeReader(id) | FileObject::Fifo { pipe: id, .. } = object
        && !kernel.pipes[id].is_empty()
    {
        kernel.wake_first(WaitKey::PipeBytes(id));
    }
}

/// A write is over, whatever became of it: the room it left is the next one's.
pub(crate) fn pass_room(kernel: &mut Kernel, object: FileObject) {
    if let FileObject::PipeWriter(id) | FileObject::Fifo { pipe: id, .. } = object
        && !kernel.pipes[id].is_full()
    {
        kernel.wake_first(WaitKey::PipeRoom(id));
    }
}

/// What holds for the ends of a pipe that a description has: pipe_poll() of fs/pipe.c.
pub fn poll(kernel: &Kernel, id: Id<Pipe>, ends: Ends) -> Readiness {
    let pipe = &kernel.pipes[id];
    let mut readiness = Readiness::default();
    if ends.read {
        if !pipe.is_empty() {
            readiness.events |= POLLIN | POLLRDNORM;
        }
        if pipe.writers == 0 && ends.writers_before != Some(pipe.writers_ever) {
            readiness.events |= POLLHUP;
        }
        readiness.keys.push(WaitKey::PipeReadable(id));
    }
    if ends.write {
        if !pipe.is_full() {
            readiness.events |= POLLOUT | POLLWRNORM;
        }
        if pipe.readers == 0 {
            readiness.events |= POLLERR;
        }
        readiness.keys.push(WaitKey::PipeWritable(id));
    }
    readiness
}

/// Which ends of a pipe an open file description has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// It reads.
    pub read: bool,
    /// It writes.
    pub write: bool,
    /// A FIFO opened for reading without blocking before there was a writer: how often one had come until then. As long
    /// as no other comes, there is no hang-up.
    pub writers_before: Option<u32>,
}

impl Ends {
    /// The read end of pipe(2).
    pub const READ: Ends = Ends { read: true, write: false, writers_before: None };
    /// The write end of pipe(2).
    pub const WRITE: Ends = Ends { read: false, write: true, writers_before: None };
}

/// Slots of a pipe of a user who has many: `PIPE_MIN_DEF_BUFFERS`.
const FEWEST_SLOTS: usize = 2;

/// Makes a pipe with one end of each kind.
///
/// # Errors
/// `ENFILE` if the user's pipes have as many pages as they may.
pub fn create(call: &mut Call) -> Result<Id<Pipe>, Error> {
    let id = create_without_ends(call)?;
    let pipe = &mut call.kernel.pipes[id];
    (pipe.readers, pipe.writers, pipe.readers_ever, pipe.writers_ever) = (1, 1, 1, 1);
    Ok(id)
}

/// Makes a pipe on the caller's account: alloc_pipe_info().
///
/// # Errors
/// As [`create`].
pub fn create_without_ends(call: &mut Call) -> Result<Id<Pipe>, Error> {
    let limits = call.kernel.pipe_limits;
    let (user, is_privileged) = (call.credentials().uid, is_privileged(call));
    let mut capacity = DEFAULT_SLOTS;
    if capacity * SLOT_SIZE > limits.largest && !call.has_capability(CAP_SYS_RESOURCE) {
        capacity = limits.largest / SLOT_SIZE;
    }
    let account = call.kernel.users.entry(user).or_default();
    let above = |limit: u64, capacity: usize| limit > 0 && account.pipe_pages + capacity as u64 > limit;
    if above(limits.soft_pages, capacity) && !is_privileged {
        capacity = FEWEST_SLOTS;
    }
    if above(limits.hard_pages, capacity) && !is_privileged {
        return Err(Errno::ENFILE.because("the user's pipes have as many pages as `/proc/sys/fs` allows"));
    }
    account.pipe_pages += capacity as u64;
    Ok(call.kernel.pipes.insert(Pipe { capacity, user, ..Pipe::default() }))
}

/// Removes a pipe that has no ends any more.
pub fn remove(kernel: &mut Kernel, id: Id<Pipe>) {
    let Pipe { capacity, user, .. } = kernel.pipes.remove(id);
    kernel.users.entry(user).or_default().pipe_pages -= capacity as u64;
}

/// A description with these ends is gone: the other side is told if it was the last, and the pipe itself goes with the
/// last of all. `true`: it is gone.
pub fn close(kernel: &mut Kernel, id: Id<Pipe>, ends: Ends) -> bool {
    let pipe = &mut kernel.pipes[id];
    if ends.read {
        assert!(pipe.readers > 0, "an end is closed once");
        pipe.readers -= 1;
    }
    if ends.write {
        assert!(pipe.writers > 0, "an end is closed once");
        pipe.writers -= 1;
    }
    let (no_readers, no_writers) = (pipe.readers == 0, pipe.writers == 0);
    if no_readers && ends.read {
        kernel.wake(WaitKey::PipeWritable(id));
        kernel.wake(WaitKey::PipeRoom(id));
    }
    if no_writers && ends.write {
        kernel.wake(WaitKey::PipeReadable(id));
        kernel.wake(WaitKey::PipeBytes(id));
    }
    if no_readers != no_writers {
        // pipe_release(): whichever side is left is told.
        signal_driven::tell(kernel, Source::PipeReaders(id), News::Readable);
        signal_driven::tell(kernel, Source::PipeWriters(id), News::Writable);
    }
    if no_readers && no_writers {
        remove(kernel, id);
    }
    no_readers && no_writers
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Pipe {
        /// Appends bytes as far as there is room, as a stream, and says how many.
        fn push(&mut self, bytes: &[u8]) -> usize {
            let mut done = 0;
            while done < bytes.len() {
                let chunk = self.next_chunk(bytes.len() - done, done == 0);
                if chunk == 0 {
                    break;
                }
                self.append(&[&bytes[done..done + chunk]], done == 0, WriteMode::Stream);
                done += chunk;
            }
            done
        }
    }

    fn writable(pipe: &Pipe, length: usize) -> bool {
        pipe.next_chunk(length, true) == length
    }

    #[test]
    fn small_writes_share_a_page_and_sixteen_pages_fill_a_pipe() {
        let mut pipe = Pipe::default();
        for _ in 0..65536 {
            assert_eq!(pipe.push(b"x"), 1);
        }
        assert!(pipe.is_full());
        assert_eq!(pipe.push(b"x"), 0);
        assert_eq!(pipe.len(), 65536);
        pipe.skip(4095);
        assert_eq!(pipe.push(b"x"), 0);
        pipe.skip(1);
        assert!(writable(&pipe, 4096));
    }

    #[test]
    fn a_write_that_does_not_fit_behind_the_last_bytes_takes_a_slot_of_its_own() {
        let mut pipe = Pipe::default();
        for _ in 0..16 {
            assert_eq!(pipe.push(&[0; 4095]), 4095);
        }
        assert!(pipe.is_full());
        // One more byte still fits behind the last ones, as on Linux; two do not.
        assert!(!writable(&pipe, 2));
        assert_eq!(pipe.push(b"x"), 1);
        assert!(!writable(&pipe, 1));
    }

    #[test]
    fn bytes_come_out_in_the_order_in_which_they_went_in() {
        let (mut pipe, mut model) = (Pipe::default(), VecDeque::new());
        let (mut next, mut state) = (0u8, 99u64);
        for _ in 0..20_000 {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let length = (state >> 40) as usize % if state >> 62 == 0 { 9000 } else { 300 };
            if state >> 61 & 1 == 0 {
                let bytes: Vec<u8> = (0..length).map(|at| next.wrapping_add(at as u8)).collect();
                let done = pipe.push(&bytes);
                assert!(done <= length && (done == length || pipe.is_full()));
                model.extend(&bytes[..done]);
                next = next.wrapping_add(done as u8);
            } else {
                let bytes = pipe.peek(length);
                assert_eq!(bytes, model.iter().take(length).copied().collect::<Vec<u8>>());
                pipe.skip(bytes.len());
                model.drain(..bytes.len());
            }
            assert_eq!((pipe.len(), pipe.is_empty()), (model.len(), model.is_empty()));
            assert!(pipe.slots.len() <= pipe.capacity && pipe.slots.iter().all(|slot| slot.length > 0));
        }
    }

    #[test]
    fn a_size_is_a_power_of_two_of_slots_and_never_below_what_is_in_use() {
        let slots = [0, 1, 4096, 4097, 3 * 4096, 1 << 20, 1 << 31].map(|bytes| slots_for(bytes).unwrap());
        assert_eq!(slots, [1, 1, 1, 2, 4, 256, 1 << 19]);
        assert_eq!(slots_for((1 << 31) + 1).unwrap_err().errno, Errno::EINVAL);
        let mut pipe = Pipe::default();
        assert_eq!(pipe.push(&vec![1; 5 * 4096]), 5 * 4096);
        assert_eq!(pipe.set_capacity(4).unwrap_err().errno, Errno::EBUSY);
        assert_eq!(pipe.set_capacity(8), Ok(()));
        assert_eq!((pipe.len(), pipe.free_slots()), (5 * 4096, 3));
    }

    #[test]
    fn slots_that_move_whole_still_merge_and_parts_and_copies_do_not() {
        let (mut from, mut to) = (Pipe::default(), Pipe::default());
        from.push(b"abcdef");
        let part = from.take_slots(2, 9);
        assert_eq!(to.put_slots(part), 2);
        assert_eq!(to.room_in_last(), 0);
        let copy = from.copy_slots(9, 9);
        assert_eq!((to.put_slots(copy), to.room_in_last()), (4, 0));
        let whole = from.take_slots(9, 9);
        assert_eq!((to.put_slots(whole), to.room_in_last()), (4, SLOT_SIZE - 6));
        assert_eq!(to.peek(99), b"abcdefcdef");
        assert!(from.is_empty());
        assert_eq!((from.len(), to.slots.len()), (0, 3));
        to.put_slot(b"z");
        assert_eq!(to.take_slots(99, 2).len(), 2);
        assert_eq!(to.peek(99), b"cdefz");
    }
}
