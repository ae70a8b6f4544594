//! The host's standard input, output and error as open files: what descriptors 0 to 2 of the first program are.
//!
//! Bytes pass through in order. A terminal is not here: the guest gets one of its own then, the console.

use super::description::{FileDescription, FileObject, Transfer};
use super::open;
use super::overlay;
use super::stat;
use crate::entry::Call;
use crate::event::Event;
use crate::ports::{HostMetadata, Input, Stream, StreamKind};
use crate::signal;
use crate::table::Id;
use crate::user::UserBuffer;
use crate::wait::WaitKey;
use abi::fcntl::{O_APPEND, O_LARGEFILE, O_RDONLY, O_WRONLY};
use abi::stat::Stat;
use abi::{Errno, Error};

/// Most bytes that one read or write of a stream moves.
const MOST: u64 = 65536;

/// What descriptor `stream` of the first program is; `None` if the host's is closed or a terminal.
///
/// An input file that the run can see by its path is opened there, so that it can be sought, mapped and shown. So is the
/// null device, which programs recognise.
pub fn open(call: &mut Call, stream: Stream) -> Option<Id<FileDescription>> {
    let kind = call.outside.stream(stream);
    let mut flags = O_LARGEFILE | if stream == Stream::Input { O_RDONLY } else { O_WRONLY };
    match kind {
        StreamKind::Closed | StreamKind::Terminal => return None,
        StreamKind::File { path: Some(path), offset, .. } if stream == Stream::Input => {
            if let Some(file) = open_same(call, &path, stream) {
                call.kernel.files[file].offset = offset;
                return Some(file);
            }
        }
        StreamKind::Null => {
            if let Ok(file) = open::open_file(call, super::Fd::WORKING_DIRECTORY, b"/dev/null", flags, 0) {
                return Some(file);
            }
        }
        StreamKind::File { append: true, .. } => flags |= O_APPEND,
        StreamKind::File { .. } | StreamKind::Pipe => {}
    }
    Some(call.kernel.files.insert(FileDescription::new(FileObject::Stream(stream), flags)))
}

/// Opens the host file at `path` in the guest, if it is the file that the stream has open.
fn open_same(call: &mut Call, path: &[u8], stream: Stream) -> Option<Id<FileDescription>> {
    let is = call.outside.stream_metadata(stream).ok()?;
    let there = call.outside.metadata(path).ok()?;
    if (is.device, is.inode) != (there.device, there.inode) {
        return None;
    }
    open::open_file(call, super::Fd::WORKING_DIRECTORY, path, O_RDONLY | O_LARGEFILE, 0).ok()
}

/// fstat(2) of a stream. Nothing in it differs between two runs with the same inputs: a pipe's number and times are the jar's
/// own, and an output file's times are those of the start of the run.
///
/// # Errors
/// The host's.
pub fn stat(call: &mut Call, stream: Stream) -> Result<Stat, Error> {
    let host = call.outside.stream_metadata(stream)?;
    let nameless = stat::nameless(call);
    let common =
        Stat { mode: host.mode, uid: host.uid, gid: host.gid, special_device: host.special_device, ..nameless };
    if let StreamKind::File { path: Some(_), .. } = call.outside.stream(stream) {
        // As a look at its path says, so that programs see that what they read and write is one file.
        let index = overlay::device_index(call.kernel, host.device);
        return Ok(Stat {
            device: call.kernel.vfs.mounts[call.kernel.vfs.nodes[call.kernel.root_node()].mount].device,
            inode: overlay::guest_number(index, host.inode),
            links: host.links,
            size: host.size as i64,
            blocks: host.size.div_ceil(4096) as i64 * 8,
            ..common
        });
    }
    Ok(Stat { device: stat::PIPE_DEVICE, inode: number(call, &host), size: host.size as i64, ..common })
}

/// The number of a stream without a path: the same for all streams that are one file, as after `2>&1`.
fn number(call: &mut Call, host: &HostMetadata) -> u64 {
    let identity = (host.device, host.inode);
    let mut same = [Stream::Input, Stream::Output, Stream::Error].into_iter().filter(|stream| {
        call.outside.stream_metadata(*stream).is_ok_and(|other| (other.device, other.inode) == identity)
    });
    1 + same.next().map_or(0, |stream| stream as u64)
}

/// The name of a stream in `/proc/PID/fd`, by which its number is known.
pub(super) fn name(stream: Stream) -> Vec<u8> {
    format!("pipe:[{}]", stream as u64 + 1).into_bytes()
}

/// Reads from standard input.
///
/// # Errors
/// The host's, `EFAULT`, `EBADF` for the other streams.
pub fn read(call: &mut Call, stream: Stream, to: &mut UserBuffer) -> Result<Transfer, Error> {
    if stream != Stream::Input {
        return Err(Errno::EBADF.because("the stream is not open for reading"));
    }
    if to.remaining() == 0 {
        return Ok(Transfer::Done(0));
    }
    // Waiting on the host does not end for a signal of the guest's own, so that is looked at first.
    if signal::has_deliverable(call) {
        return Ok(Transfer::WouldBlock(WaitKey::HostStreams.into()));
    }
    match call.outside.read_input(to.remaining().min(MOST) as usize) {
        Input::Bytes(bytes) => {
            call.kernel.emit(Event::Input(bytes.clone()));
            call.scatter(to, &bytes)?;
            to.advance(bytes.len() as u64);
            Ok(Transfer::Done(bytes.len()))
        }
        Input::End => Ok(Transfer::Done(0)),
        Input::Interrupted => Ok(Transfer::WouldBlock(WaitKey::HostStreams.into())),
        Input::Failed(errno) => Err(errno.into()),
    }
}

/// Writes to standard output or error.
///
/// # Errors
/// The host's, `EFAULT`, `EBADF` for standard input.
pub fn write(call: &mut Call, stream: Stream, from: &mut UserBuffer) -> Result<Transfer, Error> {
    let mut bytes = vec![0; from.remaining().min(MOST) as usize];
    if stream != Stream::Input {
        call.gather(from, &mut bytes)?;
    }
    let count = match write_bytes(call, stream, &bytes) {
        Ok(count) => count,
        Err(error) if error.errno == Errno::EINTR => return Ok(Transfer::WouldBlock(WaitKey::HostStreams.into())),
        Err(error) => return Err(error),
    };
    from.advance(count as u64);
    Ok(Transfer::Done(count))
}

/// Writes bytes of the kernel's own to standard output or error.
///
/// # Errors
/// The host's, `EBADF` for standard input.
pub(super) fn write_bytes(call: &mut Call, stream: Stream, bytes: &[u8]) -> Result<usize, Error> {
    let number = match stream {
        Stream::Input => return Err(Errno::EBADF.because("the stream is not open for writing")),
        Stream::Output => 1,
        Stream::Error => 2,
    };
    let count = match call.outside.write_output(stream, bytes) {
        Ok(count) => count.min(bytes.len()),
        Err(errno) => {
            if errno == Errno::EPIPE {
                super::ops::send_pipe_signal(call);
            }
            return Err(errno.into());
        }
    };
    call.kernel.emit(Event::Output { stream: number, bytes: bytes[..count].to_vec() });
    Ok(count)
}

/// Sets the offset: lseek(2).
///
/// # Errors
/// `ESPIPE` if the host's stream is no file, `EINVAL`.
pub fn seek(call: &mut Call, stream: Stream, offset: i64, whence: i32) -> Result<u64, Error> {
    match call.outside.stream(stream) {
        StreamKind::File { .. } if stream != Stream::Input => Ok(call.outside.seek_output(stream, offset, whence)?),
        _ => Err(Errno::ESPIPE.because("the stream cannot be sought")),
    }
}
