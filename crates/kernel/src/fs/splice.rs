//! Bytes from one open file to another within the kernel: sendfile(2), splice(2), tee(2), vmsplice(2),
//! copy_file_range(2).

use super::bytes;
use super::description::{FileDescription, FileObject, Transfer};
use super::inode::Inode;
use super::{file, stream};
use crate::entry::Call;
use crate::event::Event;
use crate::ipc::pipe::Pipe;
use crate::syscalls::operation::{Blocking, Interrupted, Step};
use crate::table::Id;
use crate::user::UserPtr;
use crate::wait::{Wait, WaitKey};
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

    fn release(&mut self, call: &mut Call) {
        call.release_file(self.input.file);
        call.release_file(self.output.file);
    }
}

impl Splice {
    /// Moves what can be moved at once.
    fn move_some(&mut self, call: &mut Call) -> Result<Transfer, Error> {
        let room = match room(call, &self.output)? {
            Transfer::Done(room) => room as u64,
            blocked => return Ok(blocked),
        };
        let limit = self.left.min(CHUNK).min(room);
        let from = call.kernel.files[self.input.file].object;
        let bytes = match pipe_of(from) {
            Some(pipe) => {
                // What tee(2) has copied already is still there.
                let skip = if self.source == Source::Kept { self.done as usize } else { 0 };
                let mut bytes = call.kernel.pipes[pipe].peek(skip + limit as usize);
                bytes.drain(..skip.min(bytes.len()));
                if bytes.is_empty() {
                    let at_end = call.kernel.pipes[pipe].writers == 0 || self.done > 0;
                    return Ok(match at_end {
                        true => Transfer::Done(0),
                        false => Transfer::WouldBlock(WaitKey::PipeReadable(pipe).into()),
                    });
                }
                bytes
            }
            None => read_inode(call, &self.input, limit)?,
        };
        if bytes.is_empty() {
            return Ok(Transfer::Done(0));
        }
        let count = match write_bytes(call, &self.output, &bytes)? {
            Transfer::Done(count) => count,
            blocked => return Ok(blocked),
        };
        match pipe_of(from) {
            Some(pipe) if self.source == Source::Taken => {
                call.kernel.pipes[pipe].skip(count);
                call.kernel.emit(Event::PipeRead { pipe, bytes: count });
                call.kernel.wake(WaitKey::PipeWritable(pipe));
            }
            Some(_) => {}
            None => advance(call, &mut self.input, count),
        }
        if pipe_of(call.kernel.files[self.output.file].object).is_none() {
            advance(call, &mut self.output, count);
        }
        Ok(Transfer::Done(count))
    }
}

/// The pipe behind an object, if it is one.
pub(super) fn pipe_of(object: FileObject) -> Option<Id<Pipe>> {
    match object {
        FileObject::PipeReader(pipe) | FileObject::PipeWriter(pipe) | FileObject::Fifo { pipe, .. } => Some(pipe),
        _ => None,
    }
}

/// Moves an end's offset along.
fn advance(call: &mut Call, end: &mut End, count: usize) {
    match &mut end.offset {
        Some(offset) => *offset += count as u64,
        None => call.kernel.files[end.file].offset += count as u64,
    }
}

/// How many bytes an output takes at least; a pipe says when it has room again.
fn room(call: &mut Call, output: &End) -> Result<Transfer, Error> {
    let Some(pipe) = pipe_of(call.kernel.files[output.file].object) else {
        return Ok(Transfer::Done(usize::MAX));
    };
    if call.kernel.pipes[pipe].readers == 0 {
        crate::ipc::broken_pipe(call);
        return Err(Errno::EPIPE.because("the pipe has no readers"));
    }
    let pipe_now = &call.kernel.pipes[pipe];
    if pipe_now.is_full() {
        return Ok(Transfer::WouldBlock(WaitKey::PipeWritable(pipe).into()));
    }
    Ok(Transfer::Done(pipe_now.capacity_bytes()))
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
        FileObject::PipeWriter(pipe) | FileObject::Fifo { pipe, .. } => {
            let count = call.kernel.pipes[pipe].push(bytes);
            if count == 0 {
                return Ok(Transfer::WouldBlock(WaitKey::PipeWritable(pipe).into()));
            }
            call.kernel.emit(Event::PipeWrote { pipe, bytes: count });
            call.kernel.wake(WaitKey::PipeReadable(pipe));
            Ok(Transfer::Done(count))
        }
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
