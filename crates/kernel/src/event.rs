//! What happened, as facts. Readers (statistics, strace, the hash) live above; nothing here is kept for their sake.

use crate::clock::Instant;
use crate::mm::StoreKind;
use crate::process::{Process, Thread};
use crate::table::Id;
use crate::wait::{Wait, WaitKey};
use abi::Error;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A thread entered the kernel.
    SyscallEntered {
        /// The number in rax.
        number: u64,
        /// rdi, rsi, rdx, r10, r8, r9.
        arguments: [u64; 6],
    },
    /// A system call ended and the thread goes on.
    SyscallLeft {
        /// The number it was entered with.
        number: u64,
        /// What rax gets, or why it failed.
        result: Result<u64, Error>,
    },
    /// A call that belljar does not have was answered with `ENOSYS`, or a part of one with its own error.
    Unsupported {
        /// The system call.
        number: u64,
        /// What of it is missing; the whole call if empty.
        what: &'static str,
    },
    /// An instruction that belljar does not have raised `SIGILL`.
    UnsupportedInstruction {
        /// Where.
        address: u64,
        /// Its bytes.
        bytes: Vec<u8>,
        /// Disassembled, if it could be decoded.
        text: String,
    },
    /// The thread's call went to sleep.
    Blocked(Wait),
    /// A thread was woken by a change.
    Woken {
        /// Who.
        thread: Id<Thread>,
        /// The change.
        key: WaitKey,
    },
    /// A process was made.
    ProcessStarted {
        /// It.
        process: Id<Process>,
        /// Its number.
        pid: i32,
        /// Its parent's number, 0 for the first.
        parent: i32,
    },
    /// A thread was made; a process's first thread too.
    ThreadStarted {
        /// Its number.
        tid: i32,
        /// Its process.
        process: Id<Process>,
    },
    /// A process runs another program.
    Executed {
        /// The file.
        path: Vec<u8>,
        /// Its arguments.
        arguments: Vec<Vec<u8>>,
    },
    /// A thread ended.
    ThreadEnded {
        /// Its number.
        tid: i32,
    },
    /// A process ended; it may stay as a zombie.
    ProcessEnded {
        /// It.
        process: Id<Process>,
        /// Its number.
        pid: i32,
        /// As wait(2) encodes it.
        status: i32,
    },
    /// A signal was sent to a process or thread.
    SignalSent {
        /// Its number.
        signal: i32,
        /// The receiving process or thread.
        to: i32,
    },
    /// A signal took effect on the thread: a handler, a stop, or death.
    SignalDelivered {
        /// Its number.
        signal: i32,
    },
    /// A page fault was served.
    PageFault {
        /// The page's address.
        page: u64,
        /// How.
        kind: FaultKind,
    },
    /// Addresses are not mapped any more, or something else will be in their place: munmap(2), mmap(2), mremap(2), brk(2).
    Unmapped {
        /// The first.
        start: u64,
        /// One past the last.
        end: u64,
    },
    /// Addresses have another protection: mprotect(2).
    Protected {
        /// The first.
        start: u64,
        /// One past the last.
        end: u64,
        /// `PROT_` bits.
        protection: u32,
    },
    /// A mapped file was cut: its pages behind the end left all mappings.
    MappingsCut {
        /// Which.
        inode: Id<crate::fs::Inode>,
        /// Its size now, in bytes.
        size: u64,
    },
    /// No frame was left for a page fault: the thread that made the access cannot go on.
    OutOfMemory {
        /// The address.
        address: u64,
    },
    /// A page went out of memory to make room.
    PageEvicted {
        /// The frame that it was in.
        frame: u32,
        /// Where it went.
        to: EvictedTo,
    },
    /// No page could go out of memory, so a process had to. Amounts are pages.
    OutOfMemoryKill {
        /// Who.
        pid: i32,
        /// Why this one: nobody's was higher. The sum of what follows, with `adjustment` thousandths of all memory and swap.
        badness: i64,
        /// In memory.
        resident: u64,
        /// In swap.
        swapped: u64,
        /// Page tables.
        tables: u64,
        /// `oom_score_adj`.
        adjustment: i32,
    },
    /// Bytes went into a pipe.
    PipeWrote {
        /// Which.
        pipe: Id<crate::ipc::pipe::Pipe>,
        /// How many.
        bytes: usize,
    },
    /// Bytes came out of a pipe.
    PipeRead {
        /// Which.
        pipe: Id<crate::ipc::pipe::Pipe>,
        /// How many.
        bytes: usize,
    },
    /// A program wrote to a terminal.
    TerminalWrote {
        /// Which.
        terminal: Id<crate::fs::tty::Terminal>,
        /// How many bytes.
        bytes: usize,
    },
    /// Somebody typed into a terminal: a pseudo-terminal's master, or the host's keyboard.
    TerminalTyped {
        /// Which.
        terminal: Id<crate::fs::tty::Terminal>,
        /// How many bytes it took.
        bytes: usize,
    },
    /// A message went from a socket into another's queue.
    SocketSent {
        /// Whose.
        from: Id<crate::socket::Socket>,
        /// To whom.
        to: Id<crate::socket::Socket>,
        /// How many bytes.
        bytes: usize,
    },
    /// Bytes were received from a socket.
    SocketReceived {
        /// Which.
        socket: Id<crate::socket::Socket>,
        /// How many.
        bytes: usize,
    },
    /// Bytes went to the host's standard output or error.
    Output {
        /// 1 or 2.
        stream: u8,
        /// What.
        bytes: Vec<u8>,
    },
    /// Bytes came from the host's standard input.
    Input(Vec<u8>),
}

/// Where a page went that was taken out of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EvictedTo {
    /// Nowhere: the host's file has the same bytes.
    Nowhere,
    /// Nowhere: the store has the same bytes since the page was there last.
    Copy(StoreKind),
    /// It was written.
    Store(StoreKind),
}

/// How a page fault was served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// A new frame of zeroes.
    ZeroFill,
    /// The zero page, shared, for a read.
    ZeroPage,
    /// A page of a file that was in memory.
    FileMinor,
    /// A page of a file that had to be read from the host.
    FileMajor,
    /// A page that had to be read back from swap or from the disk.
    SwapIn,
    /// A shared page was copied for a write.
    CopyOnWrite,
    /// A page was already private, and became writable.
    Reuse,
    /// No area permits the access: a signal.
    Invalid,
}

/// An event with its time and author.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Record {
    /// When.
    pub at: Instant,
    /// The number of the thread that did it; 0 for the kernel itself.
    pub tid: i32,
    /// What.
    pub event: Event,
}
