//! Opening FIFOs, fifo(7): a pipe with a name. Readers and writers wait for each other.
//!
//! The inode has a pipe while anybody has it open, or waits to; bytes left in it go with the last.

use super::pipe::{Ends, Pipe};
use crate::entry::Call;
use crate::fs::{FileDescription, FileObject, Inode, InodeKind, Node};
use crate::kernel::Kernel;
use crate::syscalls::operation::{Blocking, Flow, Interrupted, Step, SysResult};
use crate::table::Id;
use crate::wait::{Wait, WaitKey};
use abi::fcntl::{O_ACCMODE, O_CLOEXEC, O_NONBLOCK, O_RDONLY, O_WRONLY};
use abi::{Errno, Error};

/// An open(2) that waits for the other side. The description exists already, so that the other side finds this one.
#[derive(Clone, Debug)]
pub struct FifoOpen {
    /// What will be open; held until it has a descriptor.
    pub file: Option<Id<FileDescription>>,
    /// The pipe inside.
    pub pipe: Id<Pipe>,
    /// What it waits for.
    pub partner: Partner,
    /// Whether the descriptor is closed by execve(2).
    pub close_on_exec: bool,
}

/// The other side: whoever comes after so many have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Partner {
    /// A writer.
    Writer(u32),
    /// A reader.
    Reader(u32),
}

/// Opens a FIFO: fifo_open() of Linux's fs/pipe.c. Permissions were checked. `flags` are open(2)'s, `kept` those that the
/// description keeps.
///
/// # Errors
/// `ENXIO` for writing without blocking while nobody reads.
pub(crate) fn open(call: &mut Call, node: Id<Node>, flags: u32, kept: u32) -> SysResult {
    let inode = call.kernel.vfs.nodes[node].inode;
    let id = pipe_of(call, inode)?;
    let pipe = &mut call.kernel.pipes[id];
    let nonblocking = flags & O_NONBLOCK != 0;
    let ends = ends_of(flags);
    if ends == Ends::WRITE && nonblocking && pipe.readers == 0 {
        forget_if_unused(call.kernel, inode);
        return Err(Errno::ENXIO.because("nobody has the FIFO open for reading"));
    }
    if ends.read {
        pipe.readers += 1;
        pipe.readers_ever = pipe.readers_ever.wrapping_add(1);
    }
    if ends.write {
        pipe.writers += 1;
        pipe.writers_ever = pipe.writers_ever.wrapping_add(1);
    }
    let partner = match (ends.read, ends.write) {
        (true, false) if pipe.writers == 0 => Some(Partner::Writer(pipe.writers_ever)),
        (false, true) if pipe.readers == 0 => Some(Partner::Reader(pipe.readers_ever)),
        _ => None,
    };
    let writers_before = (nonblocking && partner.is_some()).then_some(pipe.writers_ever);
    let mut description = FileDescription::new(FileObject::Fifo { inode, pipe: id, writers_before }, kept);
    description.node = Some(node);
    call.kernel.hold_node(node);
    let file = call.kernel.files.insert(description);
    if ends.read {
        call.kernel.wake(WaitKey::PipeWritable(id));
    }
    if ends.write {
        call.kernel.wake(WaitKey::PipeReadable(id));
    }
    let close_on_exec = flags & O_CLOEXEC != 0;
    match partner {
        Some(partner) if !nonblocking => Ok(FifoOpen { file: Some(file), pipe: id, partner, close_on_exec }.into()),
        _ => {
            let fd = call.install_fd(file, close_on_exec)?;
            Ok(Flow::Done(fd.0 as u64))
        }
    }
}

/// Which ends an open file of a FIFO has by its flags.
pub fn ends_of(flags: u32) -> Ends {
    match flags & O_ACCMODE {
        O_RDONLY => Ends::READ,
        O_WRONLY => Ends::WRITE,
        _ => Ends { read: true, write: true, writers_before: None },
    }
}

/// The pipe inside a FIFO's inode, made if nobody had it open.
///
/// # Errors
/// `ENFILE` if the user's pipes have as many pages as they may.
fn pipe_of(call: &mut Call, inode: Id<Inode>) -> Result<Id<Pipe>, Error> {
    let InodeKind::Fifo(known) = call.kernel.vfs.inodes[inode].kind else {
        unreachable!("the caller opens a FIFO");
    };
    if let Some(known) = known {
        return Ok(known);
    }
    let made = super::pipe::create_without_ends(call)?;
    call.kernel.vfs.inodes[inode].kind = InodeKind::Fifo(Some(made));
    Ok(made)
}

fn forget_if_unused(kernel: &mut Kernel, inode: Id<Inode>) {
    if let InodeKind::Fifo(pipe) = &mut kernel.vfs.inodes[inode].kind
        && let Some(id) = *pipe
        && kernel.pipes[id].readers == 0
        && kernel.pipes[id].writers == 0
    {
        *pipe = None;
        super::pipe::remove(kernel, id);
    }
}

/// An open file of a FIFO is gone.
pub(crate) fn close(kernel: &mut Kernel, inode: Id<Inode>, pipe: Id<Pipe>, flags: u32) {
    if super::pipe::close(kernel, pipe, ends_of(flags))
        && let InodeKind::Fifo(inner) = &mut kernel.vfs.inodes[inode].kind
    {
        *inner = None;
    }
}

impl Blocking for FifoOpen {
    fn step(&mut self, call: &mut Call) -> Result<Step, Error> {
        let pipe = &call.kernel.pipes[self.pipe];
        let (has_come, key) = match self.partner {
            Partner::Writer(before) => (pipe.writers_ever != before, WaitKey::PipeReadable(self.pipe)),
            Partner::Reader(before) => (pipe.readers_ever != before, WaitKey::PipeWritable(self.pipe)),
        };
        if !has_come {
            return Ok(Step::Block(Wait::on(key)));
        }
        let file = self.file.take().expect("an open that waits has its file");
        let fd = call.install_fd(file, self.close_on_exec)?;
        Ok(Step::Done(fd.0 as u64))
    }

    fn interrupted(&self) -> Interrupted {
        Interrupted::RestartIfAllowed
    }

    fn held_files(&self) -> Vec<Id<FileDescription>> {
        self.file.into_iter().collect()
    }

    fn release(&mut self, call: &mut Call) {
        if let Some(file) = self.file.take() {
            call.release_file(file);
        }
    }
}
