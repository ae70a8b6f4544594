//! What can be done with an open file, whatever it is: each function decides by the kind of object. And the operations
//! that move bytes, which sleep while an object has none or no room.

use super::description::{FileDescription, FileObject, Snapshot, Transfer};
use super::devfs::{self, Device};
use super::inode::{Inode, InodeKind};
use super::node::Node;
use super::{bytes, epoll, generated, inotify, stream, tty};
use crate::entry::Call;
use crate::ipc::posix::message_queue;
use crate::ipc::{eventfd, fifo, pipe};
use crate::kernel::Kernel;
use crate::process::pidfd;
use crate::signal::signalfd;
use crate::socket::{transfer, unix};
use crate::syscalls::operation::{Blocking, Flow, Interrupted, Operation, Step, SysResult};
use crate::table::Id;
use crate::time::timerfd;
use crate::user::{UserBuffer, UserPtr};
use crate::wait::Wait;
use abi::fcntl::{
    O_ACCMODE, O_APPEND, O_DIRECT, O_RDONLY, O_RDWR, O_WRONLY, SEEK_CUR, SEEK_DATA, SEEK_END, SEEK_HOLE, SEEK_SET,
};
use abi::inotify::{IN_ACCESS, IN_MODIFY};
use abi::ioctl::{FICLONE, FICLONERANGE, FIONREAD, FS_IOC_FIEMAP, RNDGETENTCNT};
use abi::signal::{SI_USER, SIGXFSZ, SigInfo};
use abi::{Errno, Error};

/// Where bytes of a file are read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// At the description's offset, which moves along.
    Current,
    /// At this offset: pread(2), pwrite(2).
    At(u64),
    /// At the file's end: `RWF_APPEND`, pwritev2(2).
    End {
        /// The description's offset moves behind what was written.
        moves: bool,
    },
}

/// read(2) and its kin: until some bytes have come, or the end.
#[derive(Clone, Debug)]
pub struct Read {
    /// From what; held.
    pub file: Id<FileDescription>,
    /// Where to.
    pub to: UserBuffer,
    /// Where in the file.
    pub position: Position,
    /// Never sleeps, whatever the file's flags: `RWF_NOWAIT`, preadv2(2).
    pub nowait: bool,
}

impl Blocking for Read {
    fn step(&mut self, call: &mut Call) -> Result<Step, Error> {
        match read_object(call, self.file, self.position, &mut self.to)? {
            Transfer::Done(count) => {
                note_read(call, count as u64);
                Ok(Step::Done(count as u64))
            }
            Transfer::WouldBlock(_) if self.nowait || call.kernel.files[self.file].is_nonblocking() => {
                Err(Errno::EAGAIN.because("nothing can be read now, and the file is `O_NONBLOCK`"))
            }
            Transfer::WouldBlock(keys) => Ok(Step::Block(Wait { keys, deadline: None })),
        }
    }

    fn interrupted(&self) -> Interrupted {
        Interrupted::RestartIfAllowed
    }

    fn held_files(&self) -> Vec<Id<FileDescription>> {
        vec![self.file]
    }

    fn release(&mut self, call: &mut Call) {
        pipe::pass_bytes(call.kernel, call.kernel.files[self.file].object);
        call.release_file(self.file);
    }
}

/// write(2) and its kin: until all bytes have gone.
#[derive(Clone, Debug)]
pub struct Write {
    /// To what; held.
    pub file: Id<FileDescription>,
    /// What is left.
    pub from: UserBuffer,
    /// Where in the file.
    pub position: Position,
    /// Bytes that have gone.
    pub done: u64,
    /// Never sleeps, whatever the file's flags: `RWF_NOWAIT`, pwritev2(2).
    pub nowait: bool,
}

impl Blocking for Write {
    fn step(&mut self, call: &mut Call) -> Result<Step, Error> {
        loop {
            match write_object(call, self.file, self.position, &mut self.from) {
                Ok(Transfer::Done(count)) => {
                    note_written(call, count as u64);
                    self.done += count as u64;
                    if let Position::At(offset) = &mut self.position {
                        *offset += count as u64;
                    }
                    // 0: the object takes no more, such as a file at its largest size.
                    if self.from.remaining() == 0 || count == 0 {
                        return Ok(Step::Done(self.done));
                    }
                }
                Ok(Transfer::WouldBlock(keys)) => {
                    if !self.nowait && !call.kernel.files[self.file].is_nonblocking() {
                        return Ok(Step::Block(Wait { keys, deadline: None }));
                    }
                    if self.done > 0 {
                        return Ok(Step::Done(self.done));
                    }
                    return Err(Errno::EAGAIN.because("nothing can be written now, and the file is `O_NONBLOCK`"));
                }
                Err(_) if self.done > 0 => return Ok(Step::Done(self.done)),
                Err(error) => return Err(error),
            }
        }
    }

    fn interrupted(&self) -> Interrupted {
        if self.done > 0 { Interrupted::Partial(self.done) } else { Interrupted::RestartIfAllowed }
    }

    fn held_files(&self) -> Vec<Id<FileDescription>> {
        vec![self.file]
    }

    fn release(&mut self, call: &mut Call) {
        pipe::pass_room(call.kernel, call.kernel.files[self.file].object);
        call.release_file(self.file);
    }
}

/// Counts a read for `/proc/PID/io`.
pub fn note_read(call: &mut Call, bytes: u64) {
    let usage = &mut call.current().usage;
    usage.reads += 1;
    usage.bytes_read += bytes;
}

/// Counts a write for `/proc/PID/io`.
pub fn note_written(call: &mut Call, bytes: u64) {
    let usage = &mut call.current().usage;
    usage.writes += 1;
    usage.bytes_written += bytes;
}

/// Steps an operation at once, so that a call that need not sleep costs no allocation.
pub fn start<T: Blocking + Into<Operation>>(call: &mut Call, mut operation: T) -> SysResult {
    match operation.step(call) {
        Ok(Step::Done(value)) => {
            operation.release(call);
            Ok(Flow::Done(value))
        }
        Ok(Step::Then(flow)) => {
            operation.release(call);
            Ok(flow)
        }
        Ok(Step::Block(wait)) => Ok(Flow::Block(operation.into(), wait)),
        Err(error) => {
            operation.release(call);
            Err(error)
        }
    }
}

/// Reads what is there now.
///
/// # Errors
/// `EBADF` if it is not open for reading, `EISDIR`, `EINVAL` for objects that cannot be read, the object's own.
pub fn read_object(
    call: &mut Call,
    file: Id<FileDescription>,
    position: Position,
    to: &mut UserBuffer,
) -> Result<Transfer, Error> {
    let description = &call.kernel.files[file];
    if !description.is_readable() {
        return Err(Errno::EBADF.because("the file is not open for reading"));
    }
    match description.object {
        FileObject::Inode(inode) => read_inode(call, file, inode, position, to),
        FileObject::Stream(stream) => stream::read(call, stream, to),
        FileObject::Terminal { .. } => tty::transfer::read(call, file, to),
        FileObject::Master(terminal) => tty::transfer::read_master(call, terminal, to),
        FileObject::Device(device) => devfs::read(call, device, to),
        FileObject::PipeReader(id) | FileObject::Fifo { pipe: id, .. } => pipe::read(call, id, to),
        FileObject::PipeWriter(_) => Err(Errno::EBADF.because("the file is not open for reading")),
        FileObject::EventFd(id) => eventfd::read(call, id, to),
        FileObject::TimerFd(id) => timerfd::read(call, id, to),
        FileObject::Epoll(_) => Err(Errno::EINVAL.because("an epoll set cannot be read")),
        FileObject::Inotify(id) => inotify::read(call, id, to),
        FileObject::SignalFd(id) => signalfd::read(call, id, to),
        FileObject::MessageQueue(id) => read_queue(call, file, id, position, to),
        FileObject::Process(_) => Err(Errno::EINVAL.because("a process cannot be read")),
        FileObject::Socket(id) => transfer::read(call, file, id, to),
    }
}

fn read_inode(
    call: &mut Call,
    file: Id<FileDescription>,
    inode: Id<Inode>,
    position: Position,
    to: &mut UserBuffer,
) -> Result<Transfer, Error> {
    let offset = match position {
        Position::Current => call.kernel.files[file].offset,
        Position::At(offset) => offset,
        Position::End { .. } => call.kernel.vfs.inodes[inode].size(),
    };
    let count = match &call.kernel.vfs.inodes[inode].kind {
        InodeKind::Regular(_) => bytes::read(call, inode, offset, to)?,
        InodeKind::Generated(generated) => {
            let generated = *generated;
            read_text(call, file, generated, offset, to)?
        }
        InodeKind::Directory(_) => return Err(Errno::EISDIR.because("a directory is read with getdents64(2)")),
        _ => return Err(Errno::EINVAL.because("the file cannot be read")),
    };
    if position == Position::Current {
        call.kernel.files[file].offset = offset + count as u64;
    }
    if count > 0 {
        inotify::notify_file(call.kernel, file, IN_ACCESS);
    }
    Ok(Transfer::Done(count))
}

/// Reads a generated file. Its text is made when it is read from the beginning, so that later parts fit the first.
fn read_text(
    call: &mut Call,
    file: Id<FileDescription>,
    generated: generated::Generated,
    offset: u64,
    to: &mut UserBuffer,
) -> Result<usize, Error> {
    if call.kernel.vfs.inodes[inode_of(call.kernel, file)].is_directory() {
        return Err(Errno::EISDIR.because("a directory is read with getdents64(2)"));
    }
    if let Some(part) = generated::read_part(call, generated, offset, to.remaining())? {
        call.scatter(to, &part)?;
        to.advance(part.len() as u64);
        return Ok(part.len());
    }
    let known = matches!(call.kernel.files[file].snapshot, Snapshot::Text(_));
    if offset == 0 || !known {
        let text = generated::read(call, generated)?;
        call.kernel.files[file].snapshot = Snapshot::Text(text);
    }
    let Snapshot::Text(text) = std::mem::take(&mut call.kernel.files[file].snapshot) else { unreachable!("set above") };
    let start = usize::try_from(offset).unwrap_or(usize::MAX).min(text.len());
    let count = (text.len() - start).min(usize::try_from(to.remaining()).unwrap_or(usize::MAX));
    let copied = call.scatter(to, &text[start..start + count]);
    call.kernel.files[file].snapshot = Snapshot::Text(text);
    copied?;
    to.advance(count as u64);
    Ok(count)
}

/// Reads what a message queue says of itself, mq_overview(7) "The message queue file system".
fn read_queue(
    call: &mut Call,
    file: Id<FileDescription>,
    queue: Id<message_queue::MessageQueue>,
    position: Position,
    to: &mut UserBuffer,
) -> Result<Transfer, Error> {
    let text = message_queue::text(call.kernel, queue);
    let offset = match position {
        Position::Current => call.kernel.files[file].offset,
        Position::At(offset) => offset,
        Position::End { .. } => text.len() as u64,
    };
    let start = usize::try_from(offset).unwrap_or(usize::MAX).min(text.len());
    let count = (text.len() - start).min(usize::try_from(to.remaining()).unwrap_or(usize::MAX));
    call.scatter(to, &text[start..start + count])?;
    to.advance(count as u64);
    if position == Position::Current {
        call.kernel.files[file].offset += count as u64;
    }
    Ok(Transfer::Done(count))
}

/// Whether reads and writes of the file can be at any offset: pread(2), lseek(2).
pub fn has_offset(call: &mut Call, file: Id<FileDescription>) -> bool {
    match call.kernel.files[file].object {
        FileObject::Inode(_) | FileObject::Device(_) | FileObject::MessageQueue(_) => true,
        FileObject::Stream(_)
        | FileObject::Terminal { .. }
        | FileObject::Master(_)
        | FileObject::PipeReader(_)
        | FileObject::PipeWriter(_)
        | FileObject::Fifo { .. }
        | FileObject::Inotify(_)
        | FileObject::EventFd(_)
        | FileObject::TimerFd(_)
        | FileObject::Process(_)
        | FileObject::Epoll(_)
        | FileObject::SignalFd(_)
        | FileObject::Socket(_) => false,
    }
}

/// Sets a file's offset: lseek(2).
///
/// # Errors
/// `ESPIPE` if it has none, `EINVAL` for an unknown `whence` or a result out of bounds, `ENXIO` if there is no data or no
/// hole any more.
pub(super) fn seek(call: &mut Call, file: Id<FileDescription>, offset: i64, whence: u32) -> Result<u64, Error> {
    match call.kernel.files[file].object {
        FileObject::Inode(inode) => seek_inode(call, file, inode, offset, whence),
        // `null_lseek` of Linux's drivers/char/mem.c: such a device has no places.
        FileObject::Device(_) => Ok(0),
        FileObject::Stream(stream) => stream::seek(call, stream, offset, whence as i32),
        FileObject::PipeReader(_) | FileObject::PipeWriter(_) | FileObject::Fifo { .. } => {
            Err(Errno::ESPIPE.because("a pipe has no offset"))
        }
        FileObject::Terminal { .. } | FileObject::Master(_) => Err(Errno::ESPIPE.because("a terminal has no offset")),
        // `noop_llseek`: there are no places, and no error.
        FileObject::EventFd(_)
        | FileObject::TimerFd(_)
        | FileObject::Inotify(_)
        | FileObject::Epoll(_)
        | FileObject::SignalFd(_) => Ok(0),
        FileObject::MessageQueue(id) => match call.kernel.queues[id].inode {
            Some(inode) => seek_inode(call, file, inode, offset, whence),
            None => unreachable!("an open queue has a file"),
        },
        FileObject::Process(_) | FileObject::Socket(_) => Err(Errno::ESPIPE.because("the file has no offset")),
    }
}

fn seek_inode(
    call: &mut Call,
    file: Id<FileDescription>,
    inode: Id<Inode>,
    offset: i64,
    whence: u32,
) -> Result<u64, Error> {
    let inode = &call.kernel.vfs.inodes[inode];
    let current = call.kernel.files[file].offset as i64;
    let end = match (&inode.kind, &call.kernel.files[file].snapshot) {
        (InodeKind::Regular(pages), _) => pages.size() as i64,
        (_, Snapshot::Listing(listing)) => listing.len() as i64 + 2,
        // `seq_lseek` of Linux's fs/seq_file.c knows no end.
        (InodeKind::Queue(..), _) if matches!(whence, SEEK_DATA | SEEK_HOLE) => {
            return Err(Errno::EINVAL.because("a queue's file has no holes"));
        }
        (InodeKind::Queue(..), _) => inode.size() as i64,
        (InodeKind::Generated(_), _) if whence == SEEK_END => {
            return Err(Errno::EINVAL.because("a generated file has no size to count from"));
        }
        _ => i64::MAX,
    };
    let base = match whence {
        SEEK_SET => 0,
        SEEK_CUR => current,
        SEEK_END => end,
        SEEK_DATA | SEEK_HOLE => return seek_data(call, file, offset, whence),
        _ => return Err(Errno::EINVAL.because("unknown `whence`")),
    };
    let target = base.checked_add(offset).and_then(|target| u64::try_from(target).ok());
    let target = target.ok_or(Errno::EINVAL.because("the offset would be negative or out of bounds"))?;
    call.kernel.files[file].offset = target;
    Ok(target)
}

/// `SEEK_DATA`, `SEEK_HOLE`.
fn seek_data(call: &mut Call, file: Id<FileDescription>, offset: i64, whence: u32) -> Result<u64, Error> {
    let inode = &call.kernel.vfs.inodes[inode_of(call.kernel, file)];
    let Some(pages) = inode.pages() else {
        return Err(Errno::EINVAL.because("only regular files have holes"));
    };
    let nothing = Errno::ENXIO.because("the offset is behind the end, or no data follows it");
    let offset = u64::try_from(offset).map_err(|_| nothing)?;
    let page_size = call.kernel.page_size();
    let found =
        if whence == SEEK_DATA { pages.next_data(page_size, offset) } else { pages.next_hole(page_size, offset) };
    let found = found.ok_or(nothing)?;
    call.kernel.files[file].offset = found;
    Ok(found)
}

/// The inode that a description of an inode has open.
fn inode_of(kernel: &Kernel, file: Id<FileDescription>) -> Id<Inode> {
    match kernel.files[file].object {
        FileObject::Inode(inode) => inode,
        _ => unreachable!("the caller has an inode open"),
    }
}

/// Writes what fits now.
///
/// # Errors
/// `EBADF` if it is not open for writing, `EINVAL` for objects that cannot be written, the object's own.
pub fn write_object(
    call: &mut Call,
    file: Id<FileDescription>,
    position: Position,
    from: &mut UserBuffer,
) -> Result<Transfer, Error> {
    let description = &call.kernel.files[file];
    if !description.is_writable() {
        return Err(Errno::EBADF.because("the file is not open for writing"));
    }
    let is_packet = description.flags & O_DIRECT != 0;
    let mode = if is_packet { pipe::WriteMode::Packet } else { pipe::WriteMode::Stream };
    match description.object {
        FileObject::Inode(inode) => write_inode(call, file, inode, position, from),
        FileObject::Stream(stream) => stream::write(call, stream, from),
        FileObject::Terminal { .. } => tty::transfer::write(call, file, from),
        FileObject::Master(terminal) => tty::transfer::write_master(call, terminal, from),
        FileObject::Device(device) => devfs::write(device, from),
        FileObject::PipeWriter(id) | FileObject::Fifo { pipe: id, .. } => pipe::write(call, id, from, mode),
        FileObject::PipeReader(_) => Err(Errno::EBADF.because("the file is not open for writing")),
        FileObject::EventFd(id) => eventfd::write(call, id, from),
        FileObject::TimerFd(_)
        | FileObject::Inotify(_)
        | FileObject::Epoll(_)
        | FileObject::SignalFd(_)
        | FileObject::MessageQueue(_)
        | FileObject::Process(_) => Err(Errno::EINVAL.because("the file cannot be written")),
        FileObject::Socket(id) => transfer::write(call, file, id, from),
    }
}

fn write_inode(
    call: &mut Call,
    file: Id<FileDescription>,
    inode: Id<Inode>,
    position: Position,
    from: &mut UserBuffer,
) -> Result<Transfer, Error> {
    let appends = call.kernel.files[file].flags & O_APPEND != 0;
    let mut offset = match position {
        // "if a file is opened with O_APPEND, pwrite() appends data to the end of the file, regardless of the value of
        // offset", pwrite(2) BUGS.
        _ if appends => call.kernel.vfs.inodes[inode].size(),
        Position::End { .. } => call.kernel.vfs.inodes[inode].size(),
        Position::Current => call.kernel.files[file].offset,
        Position::At(offset) => offset,
    };
    let count = match &call.kernel.vfs.inodes[inode].kind {
        InodeKind::Regular(_) => bytes::write(call, inode, offset, from)?,
        InodeKind::Generated(generated) => {
            let generated = *generated;
            let mut text = vec![0; from.remaining().min(65536) as usize];
            call.gather(from, &mut text)?;
            let count = generated::write(call, generated, offset, &text)?;
            from.advance(count as u64);
            count
        }
        _ => return Err(Errno::EINVAL.because("the file cannot be written")),
    };
    offset += count as u64;
    if matches!(position, Position::Current | Position::End { moves: true }) {
        call.kernel.files[file].offset = offset;
    }
    if count > 0 {
        inotify::notify_file(call.kernel, file, IN_MODIFY);
    }
    Ok(Transfer::Done(count))
}

/// ioctl(2) requests that depend on the object.
///
/// # Errors
/// `ENOTTY` for what the object does not know, the object's own.
pub(super) fn control(call: &mut Call, file: Id<FileDescription>, request: u32, argument: u64) -> SysResult {
    let unknown = Errno::ENOTTY.because("the file does not know this request");
    match call.kernel.files[file].object {
        FileObject::Inode(inode) => control_inode(call, file, inode, request, argument),
        FileObject::PipeReader(id) | FileObject::PipeWriter(id) | FileObject::Fifo { pipe: id, .. } => {
            if request != FIONREAD {
                return Err(unknown);
            }
            let count = call.kernel.pipes[id].len() as i32;
            call.write(UserPtr::new(argument), &count)?;
            Flow::OK
        }
        FileObject::Terminal { .. } | FileObject::Master(_) => {
            let file = call.hold(file);
            start(call, tty::control::TerminalControl { file, request, argument })
        }
        FileObject::Device(Device::Random | Device::Urandom) if request == RNDGETENTCNT => {
            // What random(4) says of a pool that is full, as it always is since Linux 5.18.
            call.write(UserPtr::new(argument), &256_i32)?;
            Flow::OK
        }
        FileObject::Socket(id) => unix::control(call, id, request, argument),
        FileObject::TimerFd(id) => timerfd::control(call, id, request, argument),
        FileObject::Process(subject) => pidfd::control(call, subject, request, argument),
        FileObject::Inotify(id) if request == FIONREAD => {
            let count = call.kernel.inotifies[id].queued_bytes() as i32;
            call.write(UserPtr::new(argument), &count)?;
            Flow::OK
        }
        FileObject::Device(_)
        | FileObject::Inotify(_)
        | FileObject::Stream(_)
        | FileObject::EventFd(_)
        | FileObject::SignalFd(_)
        | FileObject::MessageQueue(_)
        | FileObject::Epoll(_) => Err(unknown),
    }
}

fn control_inode(
    call: &mut Call,
    file: Id<FileDescription>,
    inode: Id<Inode>,
    request: u32,
    argument: u64,
) -> SysResult {
    let inode = &call.kernel.vfs.inodes[inode];
    match request {
        FIONREAD if inode.is_regular() => {
            let left = inode.size() as i64 - call.kernel.files[file].offset as i64;
            call.write(UserPtr::new(argument), &(left as i32))?;
            Flow::OK
        }
        FICLONE | FICLONERANGE => Err(Errno::EOPNOTSUPP.because("the file system does not share blocks")),
        FS_IOC_FIEMAP => Err(Errno::EOPNOTSUPP.because("the file system does not tell extents")),
        _ => Err(Errno::ENOTTY.because("the file does not know this request")),
    }
}

/// Opens a device by its number. Gives the object; the description is made by the caller.
pub(super) fn open_device(call: &mut Call, node: Id<Node>, flags: u32) -> Result<FileObject, Error> {
    devfs::open(call, node, flags)
}

/// Opens anew what another description has open: open(2) of `/proc/PID/fd/N` for what has no name.
///
/// # Errors
/// `ENXIO` for what cannot be opened twice.
pub(super) fn reopen_object(call: &mut Call, object: FileObject, flags: u32) -> Result<FileObject, Error> {
    let (reads, writes) = match flags & O_ACCMODE {
        O_RDONLY => (true, false),
        O_WRONLY => (false, true),
        O_RDWR => (true, true),
        _ => (false, false),
    };
    match object {
        FileObject::Stream(_) | FileObject::Device(_) => Ok(object),
        FileObject::Terminal { terminal, .. } => tty::device::open_terminal(call, terminal, flags),
        FileObject::Master(_) => Err(Errno::ENXIO.because("a master has no second opening")),
        FileObject::PipeReader(id) | FileObject::PipeWriter(id) => {
            let pipe = &mut call.kernel.pipes[id];
            match (reads, writes) {
                (true, false) => {
                    pipe.readers += 1;
                    Ok(FileObject::PipeReader(id))
                }
                (false, true) => {
                    pipe.writers += 1;
                    Ok(FileObject::PipeWriter(id))
                }
                _ => Err(Errno::ENXIO.because("a pipe is opened again for reading or for writing")),
            }
        }
        FileObject::Inode(_) | FileObject::Fifo { .. } => {
            Err(Errno::ENXIO.because("what has a name is opened by its name"))
        }
        FileObject::EventFd(_)
        | FileObject::TimerFd(_)
        | FileObject::Inotify(_)
        | FileObject::Epoll(_)
        | FileObject::Process(_)
        | FileObject::SignalFd(_)
        | FileObject::MessageQueue(_)
        | FileObject::Socket(_) => Err(Errno::ENXIO.because("the file cannot be opened again")),
    }
}

/// The last holder of a description has let it go: tells the object. The description is out of its table already.
pub(super) fn close_object(kernel: &mut Kernel, description: &FileDescription) {
    match description.object {
        FileObject::Inode(_) | FileObject::Stream(_) | FileObject::Device(_) | FileObject::MessageQueue(_) => {}
        FileObject::Terminal { terminal, .. } => tty::device::close(kernel, terminal),
        FileObject::Master(terminal) => tty::device::close_master(kernel, terminal),
        FileObject::PipeReader(id) => {
            pipe::close(kernel, id, pipe::Ends::READ);
        }
        FileObject::PipeWriter(id) => {
            pipe::close(kernel, id, pipe::Ends::WRITE);
        }
        FileObject::Fifo { inode, pipe, .. } => fifo::close(kernel, inode, pipe, description.flags),
        FileObject::Inotify(id) => inotify::close(kernel, id),
        FileObject::EventFd(id) => eventfd::close(kernel, id),
        FileObject::TimerFd(id) => timerfd::close(kernel, id),
        FileObject::Epoll(id) => epoll::close(kernel, id),
        FileObject::SignalFd(id) => {
            kernel.signal_fds.remove(id);
        }
        FileObject::Socket(id) => unix::close(kernel, id),
        FileObject::Process(subject) => pidfd::close(kernel, subject),
    }
}

/// Sends the caller SIGPIPE: nobody reads what it writes.
pub(super) fn send_pipe_signal(call: &mut Call) {
    crate::ipc::broken_pipe(call);
}

/// Sends the caller SIGXFSZ: the file would exceed RLIMIT_FSIZE.
pub(super) fn send_file_size_signal(call: &mut Call) {
    let (pid, uid) = (call.process().pid, call.credentials().uid);
    crate::signal::raise(call, SigInfo::kill(SIGXFSZ, SI_USER, pid, uid));
}
