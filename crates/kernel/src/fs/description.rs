//! Open file descriptions, open(2): what descriptors refer to; shared by dup and fork, counted.

use super::devfs::Device;
use super::generated::Listed;
use super::node::Node;
use super::signal_driven::Owner;
use super::tty::Terminal;
use crate::fs::Inode;
use crate::fs::epoll::Epoll;
use crate::ipc::eventfd::EventFd;
use crate::ipc::pipe::Pipe;
use crate::ports::Stream;
use crate::socket::Socket;
use crate::table::Id;
use crate::time::timerfd::TimerFd;
use crate::wait::Keys;
use abi::fcntl::{O_ACCMODE, O_NONBLOCK, O_PATH, O_RDONLY, O_RDWR, O_WRONLY};

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
    /// The name it was opened by; `None` for what has no name. The description holds the node.
    pub node: Option<Id<Node>>,
    /// What a directory or a generated file was when it was read from its beginning, so that offsets stay valid.
    pub snapshot: Snapshot,
    /// Who gets its signals, fcntl(2) "Managing signals".
    pub owner: Owner,
}

/// What a directory or a generated file was when it was read from its beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Snapshot {
    /// It was not read yet, or is neither.
    #[default]
    None,
    /// A directory's entries in order, without `.` and `..`. Entry `n` has offset `n + 2`.
    Listing(Vec<Listed>),
    /// A generated file's text.
    Text(Vec<u8>),
}

impl FileDescription {
    /// A newly opened file that has no name, held once: by its opener.
    pub fn new(object: FileObject, flags: u32) -> FileDescription {
        FileDescription {
            object,
            flags,
            offset: 0,
            references: 1,
            node: None,
            snapshot: Snapshot::None,
            owner: Owner::default(),
        }
    }

    /// Whether reads are allowed by its access mode.
    pub fn is_readable(&self) -> bool {
        self.flags & O_PATH == 0 && matches!(self.flags & O_ACCMODE, O_RDONLY | O_RDWR)
    }

    /// Whether writes are allowed by its access mode.
    pub fn is_writable(&self) -> bool {
        self.flags & O_PATH == 0 && matches!(self.flags & O_ACCMODE, O_WRONLY | O_RDWR)
    }

    /// Whether calls on it never sleep.
    pub fn is_nonblocking(&self) -> bool {
        self.flags & O_NONBLOCK != 0
    }

    /// Whether it only names a place, open(2) `O_PATH`.
    pub fn is_path_only(&self) -> bool {
        self.flags & O_PATH != 0
    }
}

/// What can be open. A closed set: adding a kind shows every place that must decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileObject {
    /// A file or directory, or any inode opened with O_PATH.
    Inode(Id<Inode>),
    /// One of the host's standard streams.
    Stream(Stream),
    /// The program's side of a terminal; dead if that was hung up more often since.
    Terminal {
        /// Which.
        terminal: Id<Terminal>,
        /// How often it had been hung up.
        hangups: u32,
    },
    /// A pseudo-terminal's master.
    Master(Id<Terminal>),
    /// A device without state: `/dev/null` and the like.
    Device(Device),
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
        writers_before: Option<u32>,
    },
    /// Events of watched files, inotify(7).
    Inotify(Id<super::inotify::Inotify>),
    /// A counter, eventfd(2).
    EventFd(Id<EventFd>),
    /// A process or a thread, pidfd_open(2).
    Process(crate::process::pidfd::Subject),
    /// A timer, timerfd_create(2).
    TimerFd(Id<TimerFd>),
    /// A set of interests, epoll(7).
    Epoll(Id<Epoll>),
    /// Signals, signalfd(2).
    SignalFd(Id<crate::signal::signalfd::SignalFd>),
    /// A POSIX message queue, mq_overview(7).
    MessageQueue(Id<crate::ipc::posix::MessageQueue>),
    /// A socket, socket(7).
    Socket(Id<Socket>),
}

/// What an attempt to move bytes gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transfer {
    /// So many bytes moved, 0 at the end of the file.
    Done(usize),
    /// None now; any of these changes may help. `O_NONBLOCK` makes it `EAGAIN`, otherwise the call sleeps.
    WouldBlock(Keys),
}
