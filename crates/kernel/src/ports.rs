//! The two doors in: what is open ([`Chooser`]) and what is outside ([`Outside`]). Implemented above, passed to every
//! entry into the kernel, never kept in it.

use crate::process::Thread;
use crate::table::Id;
use abi::Errno;
use std::collections::VecDeque;

/// Decides what Linux leaves open. The same chooser with the same seed decides the same.
pub trait Chooser {
    /// Which of the runnable threads goes on: an index into `queue`, which is not empty and in order of arrival.
    fn next_thread(&mut self, queue: &VecDeque<Id<Thread>>) -> usize;
    /// For how many instructions it may run before it is preempted, at least 1.
    fn slice(&mut self) -> u64;
    /// Which of several threads gets a process's signal: an index into `candidates`, which is not empty.
    fn signal_receiver(&mut self, candidates: &[Id<Thread>]) -> usize;
    /// Random bytes: getrandom(2), AT_RANDOM, /dev/urandom.
    fn random(&mut self, bytes: &mut [u8]);
}

/// What lstat(2) says of a host file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub struct HostMetadata {
    pub device: u64,
    pub inode: u64,
    /// Type and permissions, as in `st_mode`.
    pub mode: u32,
    pub links: u64,
    pub uid: u32,
    pub gid: u32,
    /// Device number of a device file.
    pub special_device: u64,
    pub size: u64,
    pub block_size: u64,
    /// In units of 512 bytes.
    pub blocks: u64,
    /// Nanoseconds since 1970, may be negative. The time of the last access is left out: looking at a file changes it, so
    /// that a run would be an input of the next one.
    pub modified_ns: i64,
    pub changed_ns: i64,
}

/// An entry of a host directory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostEntry {
    /// Its name, without slashes; never `.` or `..`.
    pub name: Vec<u8>,
    /// Its inode number.
    pub inode: u64,
    /// The type bits of its mode, 0 if unknown.
    pub kind: u32,
}

/// One of the three streams that connect the run with its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// Descriptor 0.
    Input,
    /// Descriptor 1.
    Output,
    /// Descriptor 2.
    Error,
}

/// What a host stream is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum StreamKind {
    /// Closed on the host.
    Closed,
    /// The terminal: the guest gets a terminal of its own there, the console.
    Terminal,
    /// A regular file, with the path it was opened by if the host knows it, and the current offset.
    File {
        /// Where it is.
        path: Option<Vec<u8>>,
        /// Where reading or writing would go on.
        offset: u64,
        /// Opened with `O_APPEND`.
        append: bool,
    },
    /// The null device, null(4), of which the guest has one of its own.
    Null,
    /// A pipe, socket or another device: bytes in order.
    Pipe,
}

/// What reading the host's standard input gave.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// Bytes, at least one.
    Bytes(Vec<u8>),
    /// The end.
    End,
    /// A signal of the host's came first. The run loop looks at it and wakes [`crate::WaitKey::HostStreams`].
    Interrupted,
    /// It failed on the host.
    Failed(Errno),
}

/// The world around the run: the host's files as they are, and its standard streams. Paths are absolute.
///
/// Answers are part of the run's input: an implementation records them, or reads them from a recording.
pub trait Outside {
    /// lstat(2).
    ///
    /// # Errors
    /// The host's.
    fn metadata(&mut self, path: &[u8]) -> Result<HostMetadata, Errno>;
    /// The entries of a directory, sorted by name.
    ///
    /// # Errors
    /// The host's.
    fn read_directory(&mut self, path: &[u8]) -> Result<Vec<HostEntry>, Errno>;
    /// readlink(2).
    ///
    /// # Errors
    /// The host's.
    fn read_link(&mut self, path: &[u8]) -> Result<Vec<u8>, Errno>;
    /// pread(2) of a regular file, as much as fits; less only at the end of the file.
    ///
    /// # Errors
    /// The host's.
    fn read_file(&mut self, path: &[u8], offset: u64, buffer: &mut [u8]) -> Result<usize, Errno>;
    /// What a standard stream is.
    fn stream(&mut self, stream: Stream) -> StreamKind;
    /// fstat(2) of a standard stream.
    ///
    /// # Errors
    /// The host's.
    fn stream_metadata(&mut self, stream: Stream) -> Result<HostMetadata, Errno>;
    /// Reads standard input (not a terminal): at most `limit` bytes and at most one line, waiting until it is complete,
    /// so that what a read returns depends on the bytes and not on when they arrive.
    fn read_input(&mut self, limit: usize) -> Input;
    /// Writes to the host's standard output or error; waits until all is written.
    ///
    /// # Errors
    /// The host's: `EPIPE` if nobody reads any more (belljar itself ignores SIGPIPE), `EINTR` if a signal of the host's came
    /// before anything was written (then as [`Input::Interrupted`]).
    fn write_output(&mut self, stream: Stream, bytes: &[u8]) -> Result<usize, Errno>;
    /// Sets the offset of standard output or error if it is a file: lseek(2).
    ///
    /// # Errors
    /// The host's.
    fn seek_output(&mut self, stream: Stream, offset: i64, whence: i32) -> Result<u64, Errno>;
    /// Rows and columns of the host's terminal, if it has one.
    fn window_size(&mut self) -> Option<(u16, u16)>;
}
