//! Open file descriptions, open(2): what descriptors refer to; shared by dup and fork, counted.

use crate::fs::Inode;
use crate::fs::epoll::Epoll;
use crate::ipc::eventfd::EventFd;
use crate::ipc::pipe::Pipe;
use crate::ports::Stream;
use crate::table::Id;
use crate::time::timerfd::TimerFd;
use crate::wait::Keys;

/// An open file.
///
/// # Invariants
/// - `references` = descriptors + operations + messages in flight + mappings that name it.
#[derive(Clone, Debug)]
pub struct FileDescription {
    /// What is open.
    pub object: FileObject,
    /// Access mode and status flags, open(2): O_RDONLY.., O_APPEND, O_NONBLOCK, ...
    pub flags: u32,
    /// Where the next read or write begins.
    pub offset: u64,
    /// Who holds it.
    pub references: u32,
}

/// What can be open. A closed set: adding a kind shows every place that must decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileObject {
    /// A file or directory, or any inode opened with O_PATH.
    Inode(Id<Inode>),
    /// One of the host's standard streams.
    Stream(Stream),
    /// The read end of a pipe.
    PipeReader(Id<Pipe>),
    /// The write end of a pipe.
    PipeWriter(Id<Pipe>),
    /// A FIFO, fifo(7): its name's inode and the pipe behind it. The access mode says which ends it has.
    Fifo {
        /// Where its name, owner and permissions are.
        inode: Id<Inode>,
        /// What moves the bytes.
        pipe: Id<Pipe>,
        /// How often a writer had opened it when this reader came: until the next one there is no hang-up to report.
        writers_before: u32,
    },
    /// A counter, eventfd(2).
    EventFd(Id<EventFd>),
    /// A timer, timerfd_create(2).
    TimerFd(Id<TimerFd>),
    /// A set of interests, epoll(7).
    Epoll(Id<Epoll>),
}

/// What an attempt to move bytes gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transfer {
    /// So many bytes moved, 0 at the end of the file.
    Done(usize),
    /// None now; any of these changes may help. `O_NONBLOCK` makes it `EAGAIN`, otherwise the call sleeps.
    WouldBlock(Keys),
}
