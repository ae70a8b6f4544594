//! What the lab has found out, as data: [`crate::report`] makes text of it, serde makes JSON.
//!
//! A [`Hang`] is a graph told from its nodes: every [`Party`] is a thread that cannot go on, with what it [`Await`]s and
//! the [`Waker`]s who alone could bring that about.

use crate::source::Location;
use serde::Serialize;

/// A process as reports name it, dead or alive.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Person {
    /// Its number.
    pub pid: i32,
    /// Its name, comm.
    pub name: String,
    /// How it ended, if it has.
    pub ending: Option<Ending>,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Ending {
    /// As wait(2) encodes it.
    pub status: i32,
    /// When, in virtual nanoseconds.
    pub at_ns: u64,
}

/// A call somebody made in the past.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Deed {
    /// Who.
    pub by: Person,
    /// The system call.
    pub call: String,
    /// The line that the programmer wrote.
    pub place: Option<Location>,
    /// When, in virtual nanoseconds.
    pub at_ns: u64,
}

/// A descriptor and how its process came by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Descriptor {
    /// Its number.
    pub fd: i32,
    /// What it refers to was opened like this.
    pub opened: Option<Deed>,
    /// The descriptor itself came from dup(2) or its kin.
    pub duplicated: Option<Deed>,
    /// The process was born with it: the fork(2) of its parent.
    pub inherited: Option<Deed>,
}

/// An object that processes share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Object {
    /// What people call it: `pipe 3`, `FIFO /tmp/f`, `System V queue 0`.
    pub name: String,
    /// Who made it.
    pub made: Option<Deed>,
}

/// Why threads stopped being able to run, or why one asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Occasion {
    /// No thread can ever run again.
    Hang,
    /// The first program has ended, and others are left of whom nobody can ever run again.
    Left,
    /// The time limit passed.
    TimeLimit,
    /// Somebody sent SIGQUIT to belljar.
    Asked,
}

/// Who waits for what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hang {
    /// Why it is told.
    pub occasion: Occasion,
    /// When, in virtual nanoseconds after the start.
    pub at_ns: u64,
    /// Every thread there is, but no more than a person reads.
    pub parties: Vec<Party>,
    /// Threads that are not among `parties`.
    pub others: usize,
    /// Threads that wait for each other, each for the next and the last for the first: indices into `parties`.
    pub cycle: Vec<usize>,
    /// Whose fault it is, if that can be told.
    pub cause: Option<Cause>,
    /// The command that shows it again.
    pub again: Option<String>,
}

impl Hang {
    /// The circle, link by link: a thread, which of its waits the next one could end, and that next one.
    pub fn links(&self) -> impl Iterator<Item = (&Party, &Await, &Party)> {
        self.cycle.iter().enumerate().filter_map(|(at, from)| {
            let from = &self.parties[*from];
            let to = &self.parties[self.cycle[(at + 1) % self.cycle.len()]];
            let helps = |wait: &&Await| wait.wakers.iter().any(|waker| waker.tids.contains(&to.tid));
            Some((from, from.awaits.iter().find(helps)?, to))
        })
    }
}

/// A thread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Party {
    /// Its process.
    pub process: Person,
    /// Its number.
    pub tid: i32,
    /// Whether its process has other threads.
    pub is_one_of_several: bool,
    /// The system call that it is in, with its arguments.
    pub call: Option<String>,
    /// The function of the C library that made the call.
    pub library_call: Option<String>,
    /// The line that the programmer wrote.
    pub place: Option<Location>,
    /// The calls that it is in, the innermost first.
    pub stack: Vec<Location>,
    /// When it went to sleep, in virtual nanoseconds.
    pub since_ns: Option<u64>,
    /// Bytes that the call has moved already.
    pub done_bytes: Option<u64>,
    /// What it is doing.
    pub state: State,
    /// What it waits for; any of them would do.
    pub awaits: Vec<Await>,
    /// Whether it can never go on: whoever could wake it cannot either.
    pub is_stuck: bool,
}

/// What a thread is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum State {
    /// It can run.
    Ready,
    /// Its process was stopped by a signal.
    Stopped,
    /// It sleeps, at the latest until then.
    Asleep {
        /// In virtual nanoseconds.
        until_ns: Option<u64>,
    },
}

/// Something that a thread waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Await {
    /// Of what.
    pub object: Object,
    /// Which change.
    pub need: Need,
    /// Who alone can bring it about; empty: nobody.
    pub wakers: Vec<Waker>,
}

/// The change that is awaited, and what the object is like now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Need {
    /// Bytes in an empty pipe, or the end of its last write end.
    PipeBytes,
    /// Room in a pipe, or the end of its last read end.
    PipeRoom {
        /// Bytes in it.
        used: usize,
    },
    /// Somebody who opens the FIFO for reading.
    FifoReader {
        /// Who had it open and left.
        earlier: Vec<Deed>,
    },
    /// Somebody who opens the FIFO for writing.
    FifoWriter {
        /// Who had it open and left.
        earlier: Vec<Deed>,
    },
    /// Bytes or a message in a socket.
    SocketBytes,
    /// Room in the other socket's queue.
    SocketRoom,
    /// A connection to a listening socket.
    Connection,
    /// A message of a System V queue.
    Message {
        /// Which types the receiver takes, in words.
        wanted: String,
        /// Messages that are there, and cannot be taken: type and count.
        present: Vec<(i64, usize)>,
        /// Who sent and who received last.
        last_sender: Option<Person>,
        /// See `last_sender`.
        last_receiver: Option<Person>,
    },
    /// Room in a System V queue.
    QueueRoom {
        /// Bytes in it.
        bytes: usize,
        /// Messages in it.
        messages: usize,
    },
    /// A message in a POSIX queue.
    PosixMessage,
    /// Room in a POSIX queue.
    PosixRoom {
        /// Messages in it, as many as it may hold.
        messages: usize,
    },
    /// A System V semaphore that grows, or becomes 0.
    Semaphore {
        /// Which of the set.
        number: u16,
        /// Its value.
        value: i32,
        /// What the caller wants to take; 0: it waits for 0.
        take: i32,
        /// Who operated on it last.
        last: Option<Person>,
        /// Who took it last.
        taken: Option<Deed>,
        /// Whether that was with SEM_UNDO.
        with_undo: bool,
    },
    /// A pthread mutex, or another futex that names its owner.
    Mutex {
        /// The owner's thread.
        owner: Option<i32>,
        /// The owner is a thread of this other process: the memory was copied by fork(2) while it was locked.
        copied_from: Option<Person>,
    },
    /// A POSIX semaphore that is 0.
    PosixSemaphore {
        /// Who took it last.
        taken: Option<Deed>,
    },
    /// A condition variable.
    Condition,
    /// A barrier, a read-write lock or another futex.
    Futex {
        /// The function of the C library that waits.
        function: Option<String>,
        /// The word's value.
        value: Option<u32>,
    },
    /// The end of a thread.
    ThreadEnd {
        /// Its number.
        tid: i32,
    },
    /// A child that ends or changes its state.
    Child,
    /// The end of a process.
    ProcessEnd,
    /// A child of vfork(2) that runs a program or ends.
    Vfork,
    /// A signal.
    Signal {
        /// Those that would do, by name; empty: any with a handler, but there is none.
        signals: Vec<String>,
        /// Those that came before the wait began.
        earlier: Vec<SignalDeed>,
    },
    /// SIGCONT.
    Continue,
    /// A lock on a file.
    FileLock {
        /// `flock`, or `fcntl`.
        by: String,
        /// `exclusive` or `shared`.
        mode: String,
    },
    /// A count above 0 in an eventfd.
    EventCount,
    /// Room in an eventfd.
    EventRoom,
    /// A timer that is not set.
    Timer,
    /// A change of a watched file.
    FileEvent,
    /// Somebody types, or the other side of a terminal is written to.
    TerminalInput,
    /// The other side of a terminal is read.
    TerminalRoom,
    /// Processor time that passes.
    ProcessorTime,
    /// Nothing but a signal.
    Nothing,
}

/// A signal that came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SignalDeed {
    /// Its name.
    pub signal: String,
    /// Who sent it.
    pub from: Option<Person>,
    /// When its handler ran, in virtual nanoseconds.
    pub at_ns: u64,
}

/// Somebody who could wake a sleeper.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Waker {
    /// Who.
    pub who: Person,
    /// The threads of it that could; empty: it is dead.
    pub tids: Vec<i32>,
    /// How.
    pub means: Means,
}

/// How somebody could wake a sleeper.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub enum Means {
    /// By using these.
    Descriptors {
        /// Which.
        descriptors: Vec<Descriptor>,
    },
    /// By giving up what it owns.
    Owner,
    /// By changing memory that it has mapped, and waking the futex.
    Memory,
    /// By ending, or changing its state.
    Ending,
    /// By sending a signal.
    Signal,
    /// By calling it: it has used the object before.
    Use,
}

/// Whose fault it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Cause {
    /// A process waits for an end of a pipe or socket to be closed or used, and nobody has that end but itself.
    OwnEnd {
        /// The thread.
        party: usize,
        /// Which of its waits.
        wait: usize,
    },
    /// What a thread waits for can only be given by one that has ended.
    DeadOwner {
        /// The thread.
        party: usize,
        /// Which of its waits.
        wait: usize,
        /// Who it was.
        owner: Person,
    },
    /// A mutex that was locked when fork(2) copied it: its owner is no thread of the process.
    CopiedLock {
        /// The thread.
        party: usize,
        /// Which of its waits.
        wait: usize,
    },
    /// A thread waits for what it holds itself.
    OwnLock {
        /// The thread.
        party: usize,
        /// Which of its waits.
        wait: usize,
    },
    /// The queue has messages, but none of the types wanted.
    WrongType {
        /// The thread.
        party: usize,
        /// Which of its waits.
        wait: usize,
    },
    /// The signal came before the thread waited for it.
    SignalTooEarly {
        /// The thread.
        party: usize,
        /// Which of its waits.
        wait: usize,
    },
    /// Who had the other side of the FIFO has left.
    PartnerLeft {
        /// The thread.
        party: usize,
        /// Which of its waits.
        wait: usize,
    },
    /// Nobody is left who could do it.
    NobodyLeft {
        /// The thread.
        party: usize,
        /// Which of its waits.
        wait: usize,
    },
    /// Threads wait for each other in a circle: see [`Hang::cycle`].
    Cycle,
    /// A process is stopped, and whoever could continue it waits.
    Stopped {
        /// A thread of it.
        party: usize,
    },
}

/// An object that outlived the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Leak {
    /// What it is.
    pub kind: LeakKind,
    /// Its key, name or number, as ipcs(1) and ls(1) show it.
    pub name: String,
    /// Bytes that it holds or may hold.
    pub bytes: u64,
    /// More of it: messages, semaphores.
    pub count: Option<usize>,
    /// Who made it.
    pub made: Option<Deed>,
    /// How a person removes it.
    pub remove: String,
}

/// Kinds of objects that outlive processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeakKind {
    /// shmget(2).
    Segment,
    /// msgget(2).
    Queue,
    /// semget(2).
    SemaphoreSet,
    /// mq_open(3).
    PosixQueue,
    /// sem_open(3).
    NamedSemaphore,
    /// shm_open(3).
    SharedMemory,
}

/// All that a run has to be told about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Findings {
    /// Why it could not go on.
    pub hang: Option<Hang>,
    /// What it left behind.
    pub leaks: Vec<Leak>,
}

impl Findings {
    /// Whether something outlived the program.
    pub fn is_anything_left(&self) -> bool {
        !self.leaks.is_empty() || self.hang.as_ref().is_some_and(|hang| hang.occasion == Occasion::Left)
    }
}
