//! Bytes from one open file to another within the kernel: sendfile(2), splice(2), tee(2), vmsplice(2),
//! copy_file_range(2).

use super::bytes;
use super::description::{FileDescription, FileObject, Transfer};
use super::inode::Inode;
use super::signal_driven::{self, News};
use super::{devfs, file, stream};
use crate::entry::Call;
use crate::event::Event;
use crate::ipc::pipe::{self, Pipe, SLOT_SIZE};
use crate::socket::transfer;
use crate::syscalls::operation::{Blocking, Interrupted, Step};
use crate::table::Id;
use crate::user::{UserBuffer, UserPtr};
use crate::wait::{Keys, Wait, WaitKey};
use abi::fcntl::O_APPEND;
use abi::{Errno, Error};

/// Most bytes that are moved at a time.
const CHUNK: u64 = 65536;

/// Where bytes come from or go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// The open file; held.
    pub file: Id<FileDescription>,
    /// An offset of the call's own; without one the file's moves along.
    pub offset: Option<u64>,
    /// Where the guest wants to know the offset afterwards.
    pub report: UserPtr<u64>,
}

/// What becomes of the bytes at their source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// They are taken.
    Taken,
    /// They stay: tee(2).
    Kept,
}

/// sendfile(2), splice(2), tee(2): until some bytes have moved (splice, tee) or all (sendfile).
#[derive(Clone, Debug)]
pub struct Splice {
    /// From where.
    pub input: End,
    /// To where.
    pub output: End,
    /// Bytes still wanted.
    pub left: u64,
    /// Bytes that have moved.
    pub done: u64,
    /// Whether they are taken from a pipe.
    pub source: Source,
    /// Never sleeps: `SPLICE_F_NONBLOCK`.
    pub nowait: bool,
    /// Goes on until all bytes have moved: sendfile(2).
    pub whole: bool,
}

impl Blocking for Splice {
    fn step(&mut self, call: &mut Call) -> Result<Step, Error> {
        while self.left > 0 {
            match self.move_some(call) {
                Ok(Transfer::Done(0)) => break,
                Ok(Transfer::Done(count)) => {
                    self.done += count as u64;
                    self.left -= count as u64;
                }
                Ok(Transfer::WouldBlock(keys)) => {
                    if self.done > 0 && !self.whole {
                        break;
                    }
                    if !self.nowait {
                        return Ok(Step::Block(Wait { keys, deadline: None }));
                    }
                    if self.done > 0 {
                        break;
                    }
                    return Err(Errno::EAGAIN.because("no bytes can move now"));
                }
                Err(_) if self.done > 0 => break,
                Err(error) => return Err(error),
            }
        }
        for end in [self.input, self.output] {
            if let Some(offset) = end.offset {
                call.write_if_given(end.report, &offset)?;
            }
        }
        Ok(Step::Done(self.done))
    }

    fn interrupted(&self) -> Interrupted {
        if self.done > 0 { Interrupted::Partial(self.done) } else { Interrupted::RestartIfAllowed }
    }

    fn held_files(&self) -> Vec<Id<FileDescription>> {
        vec![self.input.file, self.output.file]
    }

    fn release(&mut self, call: &mut Call) {
        call.release_file(self.input.file);
        call.release_file(self.output.file);
    }
}

impl Splice {
    /// Moves what can be moved at once.
    fn move_some(&mut self, call: &mut Call) -> Result<Transfer, Error> {
        if let Some(blocked) = wait_for_room(call, &self.output)? {
            return Ok(blocked);
        }
        let input = pipe_of(call.kernel.files[self.input.file].object);
        let output = pipe_of(call.kernel.files[self.output.file].object);
        if let Some(pipe) = input
            && call.kernel.pipes[pipe].is_empty()
        {
            let at_end = call.kernel.pipes[pipe].writers == 0 || self.done > 0;
            return Ok(match at_end {
                true => Transfer::Done(0),
                false => Transfer::WouldBlock(WaitKey::PipeReadable(pipe).into()),
            });
        }
        let limit = usize::try_from(self.left).unwrap_or(usize::MAX);
        match (input, output) {
            (Some(from), Some(to)) => {
                let stay = self.source == Source::Kept;
                if stay && self.done > 0 {
                    // What was there was copied; it still is.
                    return Ok(Transfer::Done(0));
                }
                let count = pipe::move_slots(call.kernel, from, to, limit, stay);
                note_written(call, to, count);
                Ok(Transfer::Done(count))
            }
            (Some(from), None) => {
                let bytes = call.kernel.pipes[from].peek(limit.min(CHUNK as usize));
                let count = match write_bytes(call, &self.output, &bytes)? {
                    Transfer::Done(count) => count,
                    blocked => return Ok(blocked),
                };
                call.kernel.pipes[from].skip(count);
                call.kernel.emit(Event::PipeRead { pipe: from, bytes: count });
                pipe::tell_writers(call.kernel, from);
                signal_driven::tell(call.kernel, signal_driven::Source::PipeWriters(from), News::Writable);
                advance(call, &mut self.output, count);
                Ok(Transfer::Done(count))
            }
            (None, Some(to)) => {
                let room = call.kernel.pipes[to].free_slots() * SLOT_SIZE;
                let bytes = match read_input(call, &self.input, limit.min(room))? {
                    Ok(bytes) => bytes,
                    Err(_) if self.done > 0 => return Ok(Transfer::Done(0)),
                    Err(keys) => return Ok(Transfer::WouldBlock(keys)),
                };
                let count = fill_slots(call, &self.input, to, &bytes);
                note_written(call, to, count);
                self.take_input(call, count)?;
                Ok(Transfer::Done(count))
            }
            (None, None) => {
                let bytes = match read_input(call, &self.input, limit.min(CHUNK as usize))? {
                    Ok(bytes) if !bytes.is_empty() => bytes,
                    Ok(_) => return Ok(Transfer::Done(0)),
                    Err(keys) => return Ok(Transfer::WouldBlock(keys)),
                };
                let count = match write_bytes(call, &self.output, &bytes)? {
                    Transfer::Done(count) => count,
                    blocked => return Ok(blocked),
                };
                self.take_input(call, count)?;
                advance(call, &mut self.output, count);
                Ok(Transfer::Done(count))
            }
        }
    }

    /// What was read from the input has arrived: it is taken.
    fn take_input(&mut self, call: &mut Call, count: usize) -> Result<(), Error> {
        match call.kernel.files[self.input.file].object {
            FileObject::Socket(socket) => transfer::take_bytes(call, socket, count),
            _ => advance(call, &mut self.input, count),
        }
        Ok(())
    }
}

/// Fills slots with pages of a file, or parts of them, as far as there are free ones; how many bytes.
fn fill_slots(call: &mut Call, input: &End, pipe: Id<Pipe>, bytes: &[u8]) -> usize {
    let start = match call.kernel.files[input.file].object {
        FileObject::Inode(_) => input.offset.unwrap_or(call.kernel.files[input.file].offset),
        _ => 0,
    };
    let mut done = 0;
    while done < bytes.len() && call.kernel.pipes[pipe].free_slots() > 0 {
        let within = (start as usize + done) % SLOT_SIZE;
        let length = (SLOT_SIZE - within).min(bytes.len() - done);
        call.kernel.pipes[pipe].put_slot(&bytes[done..done + length]);
        done += length;
    }
    done
}

fn note_written(call: &mut Call, pipe: Id<Pipe>, count: usize) {
    if count > 0 {
        call.kernel.emit(Event::PipeWrote { pipe, bytes: count });
        pipe::tell_readers(call.kernel, pipe);
        signal_driven::tell(call.kernel, signal_driven::Source::PipeReaders(pipe), News::Readable);
    }
}

/// vmsplice(2) into a pipe: pages of memory, or parts of them, each in a slot of its own.
#[derive(Clone, Debug)]
pub struct SpliceMemory {
    /// The pipe's open file; held.
    pub file: Id<FileDescription>,
    /// The pipe.
    pub pipe: Id<Pipe>,
    /// What is left.
    pub from: UserBuffer,
    /// Never sleeps: `SPLICE_F_NONBLOCK`.
    pub nowait: bool,
}

impl Blocking for SpliceMemory {
    fn step(&mut self, call: &mut Call) -> Result<Step, Error> {
        if self.from.remaining() == 0 {
            return Ok(Step::Done(0));
        }
        let output = End { file: self.file, offset: None, report: UserPtr::new(0) };
        match wait_for_room(call, &output)? {
            Some(_) if self.nowait => return Err(Errno::EAGAIN.because("the pipe is full")),
            Some(Transfer::WouldBlock(keys)) => return Ok(Step::Block(Wait { keys, deadline: None })),
            _ => {}
        }
        let mut done = 0;
        while self.from.remaining() > 0 && call.kernel.pipes[self.pipe].free_slots() > 0 {
            let front = self.from.front();
            let within = front.address as usize % SLOT_SIZE;
            let length = (SLOT_SIZE - within).min(usize::try_from(front.length).unwrap_or(SLOT_SIZE));
            let mut bytes = [0; SLOT_SIZE];
            match call.gather(&self.from, &mut bytes[..length]) {
                Ok(()) => {}
                Err(_) if done > 0 => break,
                Err(error) => return Err(error),
            }
            call.kernel.pipes[self.pipe].put_slot(&bytes[..length]);
            self.from.advance(length as u64);
            done += length;
        }
        note_written(call, self.pipe, done);
        Ok(Step::Done(done as u64))
    }

    fn interrupted(&self) -> Interrupted {
        Interrupted::RestartIfAllowed
    }

    fn held_files(&self) -> Vec<Id<FileDescription>> {
        vec![self.file]
    }

    fn release(&mut self, call: &mut Call) {
        call.release_file(self.file);
    }
}

/// The pipe behind an object, if it is one.
pub(super) fn pipe_of(object: FileObject) -> Option<Id<Pipe>> {
    match object {
        FileObject::PipeReader(pipe) | FileObject::PipeWriter(pipe) | FileObject::Fifo { pipe, .. } => Some(pipe),
        _ => None,
    }
}

/// Moves an end's offset along, if it has one.
fn advance(call: &mut Call, end: &mut End, count: usize) {
    match &mut end.offset {
        Some(offset) => *offset += count as u64,
        None => {
            if let FileObject::Inode(_) = call.kernel.files[end.file].object {
                call.kernel.files[end.file].offset += count as u64;
            }
        }
    }
}

/// Whether an output has no room: a pipe without a free slot, which says when it has one again.
///
/// # Errors
/// `EPIPE` without readers.
fn wait_for_room(call: &mut Call, output: &End) -> Result<Option<Transfer>, Error> {
    let Some(pipe) = pipe_of(call.kernel.files[output.file].object) else { return Ok(None) };
    if call.kernel.pipes[pipe].readers == 0 {
        crate::ipc::broken_pipe(call);
        return Err(Errno::EPIPE.because("the pipe has no readers"));
    }
    let is_full = call.kernel.pipes[pipe].is_full();
    Ok(is_full.then(|| Transfer::WouldBlock(WaitKey::PipeWritable(pipe).into())))
}

/// Bytes of an input that is no pipe, which stay there; or what to wait for.
fn read_input(call: &mut Call, input: &End, limit: usize) -> Result<Result<Vec<u8>, Keys>, Error> {
    match call.kernel.files[input.file].object {
        FileObject::Socket(socket) => transfer::peek_bytes(call, socket, limit),
        FileObject::Device(device) => Ok(Ok(devfs::read_bytes(call, device, limit))),
        _ => read_inode(call, input, limit as u64).map(Ok),
    }
}

/// Bytes of a regular file at an input's offset.
fn read_inode(call: &mut Call, input: &End, limit: u64) -> Result<Vec<u8>, Error> {
    let description = &call.kernel.files[input.file];
    let FileObject::Inode(inode) = description.object else {
        return Err(Errno::EINVAL.because("bytes come from a regular file or a pipe"));
    };
    if !call.kernel.vfs.inodes[inode].is_regular() {
        return Err(Errno::EINVAL.because("bytes come from a regular file or a pipe"));
    }
    let offset = input.offset.unwrap_or(description.offset);
    let mut bytes = vec![0; limit as usize];
    let count = file::read_at(call, inode, offset, &mut bytes)?;
    bytes.truncate(count);
    Ok(bytes)
}

/// Writes bytes of the kernel's own to an open file, as much as it takes now.
///
/// # Errors
/// The object's; `EINVAL` if it takes none from the kernel.
pub(super) fn write_bytes(call: &mut Call, output: &End, bytes: &[u8]) -> Result<Transfer, Error> {
    let description = &call.kernel.files[output.file];
    let object = description.object;
    match object {
        FileObject::Inode(inode) => {
            let appends = description.flags & O_APPEND != 0;
            let offset = output.offset.unwrap_or(description.offset);
            let offset = if appends { call.kernel.vfs.inodes[inode].size() } else { offset };
            write_at(call, inode, offset, bytes).map(Transfer::Done)
        }
        FileObject::Stream(which) => stream::write_bytes(call, which, bytes).map(Transfer::Done),
        FileObject::Socket(socket) => transfer::write_bytes(call, output.file, socket, bytes),
        FileObject::Device(device) => super::devfs::write_bytes(device, bytes).map(Transfer::Done),
        _ => Err(Errno::EINVAL.because("the file takes no bytes from another")),
    }
}

/// Writes bytes of the kernel's own to a regular file.
fn write_at(call: &mut Call, inode: Id<Inode>, offset: u64, bytes: &[u8]) -> Result<usize, Error> {
    if !call.kernel.vfs.inodes[inode].is_regular() {
        return Err(Errno::EINVAL.because("the file takes no bytes from another"));
    }
    bytes::write_own(call, inode, offset, bytes)
}

/// copy_file_range(2) between two regular files; the caller has checked access and overlap.
///
/// # Errors
/// Those of reading and writing, if nothing was copied.
pub(super) fn copy_range(call: &mut Call, input: &mut End, output: &mut End, length: u64) -> Result<u64, Error> {
    let mut done = 0;
    while done < length {
        let step = read_inode(call, input, (length - done).min(CHUNK)).and_then(|bytes| match bytes.is_empty() {
            true => Ok(0),
            false => match write_bytes(call, output, &bytes)? {
                Transfer::Done(count) => Ok(count),
                Transfer::WouldBlock(_) => Ok(0),
            },
        });
        match step {
            Ok(0) => break,
            Ok(count) => {
                advance(call, input, count);
                advance(call, output, count);
                done += count as u64;
            }
            Err(_) if done > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}
