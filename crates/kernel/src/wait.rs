//! Who waits for what. The one place where blocked threads, and the interests of epoll, are listed.
//!
//! Every key has a queue, first come first. Keys of objects with a small number find theirs by index, so that a sleep
//! and a wake-up cost a few stores whatever the number of sleepers; the others find it in an ordered map.

use crate::clock::Instant;
use crate::fs::epoll::Epoll;
use crate::ipc::eventfd::EventFd;
use crate::ipc::pipe::Pipe;
use crate::process::{Process, Thread};
use crate::table::Id;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::ops::Deref;

/// A condition a thread can sleep on, named after the object and the change awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WaitKey {
    /// A child of the process changed state, wait(2).
    Child(Id<Process>),
    /// The process released the address space that it borrowed from its parent, vfork(2).
    Vfork(Id<Process>),
    /// Bytes came, or the last writer went, or readers waiting in open(2) got a writer.
    PipeReadable(Id<Pipe>),
    /// Room came, or the last reader went.
    PipeWritable(Id<Pipe>),
    /// It is the thread's turn to read(2) from the pipe. One waiter is woken for bytes that came, and wakes the next if it
    /// leaves some.
    PipeBytes(Id<Pipe>),
    /// It is the thread's turn to write(2) to the pipe. One waiter is woken for room that came, and wakes the next if it
    /// leaves some.
    PipeRoom(Id<Pipe>),
    /// Something was typed into a terminal, or it was hung up.
    TerminalReadable(Id<crate::fs::tty::Terminal>),
    /// A terminal has room for output, or was hung up.
    TerminalWritable(Id<crate::fs::tty::Terminal>),
    /// A program wrote to a pseudo-terminal, or closed it.
    MasterReadable(Id<crate::fs::tty::Terminal>),
    /// A pseudo-terminal has room for input.
    MasterWritable(Id<crate::fs::tty::Terminal>),
    /// A signal became pending for the thread: sigwait family, pause.
    Signal(Id<Thread>),
    /// A signal became pending for the process or one of its threads: signalfd(2).
    SignalsOf(Id<Process>),
    /// The process ended: pidfd_open(2).
    ProcessEnd(Id<Process>),
    /// The thread ended: pidfd_open(2) `PIDFD_THREAD`.
    ThreadEnd(Id<Thread>),
    /// The futex at an address was woken, futex(2).
    Futex(crate::futex::Key),
    /// An interest of the set became ready, epoll(7).
    EpollReady(Id<Epoll>),
    /// The counter is above 0, eventfd(2).
    EventFdReadable(Id<EventFd>),
    /// The counter has room, eventfd(2).
    EventFdWritable(Id<EventFd>),
    /// An event was queued, inotify(7).
    InotifyReadable(Id<crate::fs::inotify::Inotify>),
    /// A lock on the file was given up or changed, fcntl(2), flock(2).
    FileLock(Id<crate::fs::Inode>),
    /// A message came into the POSIX queue, or one was taken: who polls is told.
    PosixQueue(Id<crate::ipc::posix::MessageQueue>),
    /// A message is handed over, mq_receive(3).
    PosixQueueMessage(Id<crate::ipc::posix::MessageQueue>),
    /// Room is handed over, mq_send(3).
    PosixQueueRoom(Id<crate::ipc::posix::MessageQueue>),
    /// The list of operations has become possible, semop(2).
    Semaphores(crate::ipc::sysv::ObjectId),
    /// A message came into the System V queue, or was handed over.
    QueueMessage(crate::ipc::sysv::ObjectId),
    /// The System V queue has room.
    QueueRoom(crate::ipc::sysv::ObjectId),
    /// Something came, or a connection, or the peer went.
    SocketReadable(Id<crate::socket::Socket>),
    /// What it sent was received, or the connection came or went.
    SocketWritable(Id<crate::socket::Socket>),
    /// The receiver's queue, or the listener's, has room for more.
    SocketRoom(Id<crate::socket::Socket>),
    /// The timer expired, timerfd_create(2).
    TimerFd(Id<crate::time::timerfd::TimerFd>),
    /// The processor time that the thread sleeps for has passed.
    CpuTime(Id<Thread>),
    /// CLOCK_REALTIME was set, clock_settime(2).
    ClockSet,
    /// The run loop has looked at a signal of the host's that interrupted the transfer on a standard stream.
    HostStreams,
}

/// Kinds of keys whose queues are found by index.
const DENSE_KINDS: usize = 11;
/// Buckets for futexes.
const FUTEX_BUCKETS: usize = 1024;

impl WaitKey {
    /// Where the queue is, for keys of objects that come and go most.
    #[inline]
    fn place(self) -> Option<(usize, usize)> {
        match self {
            WaitKey::PipeReadable(pipe) => Some((0, pipe.index() as usize)),
            WaitKey::PipeWritable(pipe) => Some((1, pipe.index() as usize)),
            WaitKey::PipeBytes(pipe) => Some((9, pipe.index() as usize)),
            WaitKey::PipeRoom(pipe) => Some((10, pipe.index() as usize)),
            WaitKey::Child(process) => Some((2, process.index() as usize)),
            WaitKey::EpollReady(epoll) => Some((3, epoll.index() as usize)),
            WaitKey::EventFdReadable(counter) => Some((4, counter.index() as usize)),
            WaitKey::EventFdWritable(counter) => Some((5, counter.index() as usize)),
            WaitKey::Futex(key) => Some((6, key.hash() % FUTEX_BUCKETS)),
            WaitKey::SocketReadable(socket) => Some((8, socket.index() as usize)),
            WaitKey::SocketWritable(socket) => Some((7, socket.index() as usize)),
            _ => None,
        }
    }
}

/// Several keys; most often one, which costs no allocation.
#[derive(Clone, Debug, Default)]
pub enum Keys {
    /// None: only a deadline or a signal ends the sleep.
    #[default]
    None,
    /// One.
    One(WaitKey),
    /// Two: both directions of a pair of objects.
    Two([WaitKey; 2]),
    /// Any number.
    Many(Vec<WaitKey>),
}

impl Keys {
    /// Adds a key.
    pub fn push(&mut self, key: WaitKey) {
        *self = match std::mem::take(self) {
            Keys::None => Keys::One(key),
            Keys::One(first) => Keys::Two([first, key]),
            Keys::Two([first, second]) => Keys::Many(vec![first, second, key]),
            Keys::Many(mut keys) => {
                keys.push(key);
                Keys::Many(keys)
            }
        };
    }

    /// Removes all.
    pub fn clear(&mut self) {
        *self = Keys::None;
    }
}

impl Deref for Keys {
    type Target = [WaitKey];
    fn deref(&self) -> &[WaitKey] {
        match self {
            Keys::None => &[],
            Keys::One(key) => std::slice::from_ref(key),
            Keys::Two(keys) => keys,
            Keys::Many(keys) => keys,
        }
    }
}

impl From<WaitKey> for Keys {
    fn from(key: WaitKey) -> Keys {
        Keys::One(key)
    }
}
impl From<[WaitKey; 2]> for Keys {
    fn from(keys: [WaitKey; 2]) -> Keys {
        Keys::Two(keys)
    }
}
impl From<Vec<WaitKey>> for Keys {
    fn from(keys: Vec<WaitKey>) -> Keys {
        keys.into_iter().collect()
    }
}
impl FromIterator<WaitKey> for Keys {
    fn from_iter<T: IntoIterator<Item = WaitKey>>(keys: T) -> Keys {
        let mut all = Keys::None;
        all.extend(keys);
        all
    }
}
impl Extend<WaitKey> for Keys {
    fn extend<T: IntoIterator<Item = WaitKey>>(&mut self, keys: T) {
        for key in keys {
            self.push(key);
        }
    }
}
impl<'a> IntoIterator for &'a Keys {
    type Item = &'a WaitKey;
    type IntoIter = std::slice::Iter<'a, WaitKey>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
impl PartialEq for Keys {
    fn eq(&self, other: &Keys) -> bool {
        **self == **other
    }
}
impl Eq for Keys {}
impl Hash for Keys {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

/// What a blocked thread waits for: any of the keys, or the deadline.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Wait {
    /// Any of these wakes the thread.
    pub keys: Keys,
    /// So does this instant.
    pub deadline: Option<Instant>,
}

impl Wait {
    /// For one key, without limit of time.
    pub fn on(key: WaitKey) -> Wait {
        Wait { keys: Keys::One(key), deadline: None }
    }

    /// For any of several keys, without limit of time.
    pub fn on_any(keys: impl Into<Keys>) -> Wait {
        Wait { keys: keys.into(), deadline: None }
    }

    /// For a point in time.
    pub fn until(deadline: Instant) -> Wait {
        Wait { keys: Keys::None, deadline: Some(deadline) }
    }

    /// The same with a deadline, if there is one.
    pub fn with_deadline(self, deadline: Option<Instant>) -> Wait {
        Wait { deadline, ..self }
    }
}

/// An interest of an epoll set, as the queues list it: told of every change, and not taken off by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Watch {
    /// The set.
    pub epoll: Id<Epoll>,
    /// Which of its interests.
    pub interest: u64,
}

/// "None" among the links of nodes.
const NIL: u32 = u32::MAX;

/// A thread in the queue of a key.
#[derive(Clone, Debug)]
struct Node {
    key: WaitKey,
    /// The key's place among the dense queues.
    place: Option<(usize, usize)>,
    thread: Id<Thread>,
    /// Neighbours in the key's queue.
    previous: u32,
    next: u32,
    /// Another node of the same thread; links the free nodes, too.
    sibling: u32,
}

/// The sleepers on one key (or, in a dense place, on keys of one object after the other).
#[derive(Clone, Copy, Debug)]
struct Queue {
    first: u32,
    last: u32,
}

const EMPTY: Queue = Queue { first: NIL, last: NIL };

/// All sleepers, first come first, and all watches.
///
/// # Invariants
/// - a node is in exactly one queue and in its thread's chain, or in the chain of free nodes;
/// - queues of the ordered map are not empty.
#[derive(Clone, Debug)]
pub struct Waits {
    nodes: Vec<Node>,
    free: u32,
    dense: [Vec<Queue>; DENSE_KINDS],
    sparse: BTreeMap<WaitKey, Queue>,
    /// The first node of each thread, by the thread's index.
    chains: Vec<u32>,
    watches: BTreeSet<(WaitKey, Watch)>,
}

impl Default for Waits {
    fn default() -> Waits {
        Waits {
            nodes: Vec::new(),
            free: NIL,
            dense: [const { Vec::new() }; DENSE_KINDS],
            sparse: BTreeMap::new(),
            chains: Vec::new(),
            watches: BTreeSet::new(),
        }
    }
}

impl Waits {
    /// Lists `thread` behind those that wait on `key` already.
    pub fn enqueue(&mut self, key: WaitKey, thread: Id<Thread>) {
        let chain = thread.index() as usize;
        if chain >= self.chains.len() {
            self.chains.resize(chain + 1, NIL);
        }
        let place = key.place();
        let mut queue = self.queue_at(place, key);
        let node = Node { key, place, thread, previous: queue.last, next: NIL, sibling: self.chains[chain] };
        let at = if self.free == NIL {
            self.nodes.push(node);
            (self.nodes.len() - 1) as u32
        } else {
            let at = self.free;
            self.free = self.nodes[at as usize].sibling;
            self.nodes[at as usize] = node;
            at
        };
        self.chains[chain] = at;
        match queue.last {
            NIL => queue.first = at,
            last => self.nodes[last as usize].next = at,
        }
        queue.last = at;
        self.set_queue(place, key, queue);
    }

    /// The waiters on `key`, first come first.
    pub fn on(&self, key: WaitKey) -> Vec<Id<Thread>> {
        self.iter_on(key).collect()
    }

    /// The same, one after the other.
    #[inline]
    pub fn iter_on(&self, key: WaitKey) -> impl Iterator<Item = Id<Thread>> + '_ {
        let node = |at: u32| (at != NIL).then(|| &self.nodes[at as usize]);
        let nodes = std::iter::successors(node(self.queue(key).first), move |before| node(before.next));
        nodes.filter(move |node| node.key == key).map(|node| node.thread)
    }

    /// The one that has waited on `key` for longest.
    #[inline]
    pub fn first(&self, key: WaitKey) -> Option<Id<Thread>> {
        self.iter_on(key).next()
    }

    /// Whether any thread waits on `key`.
    #[inline]
    pub fn any(&self, key: WaitKey) -> bool {
        self.first(key).is_some()
    }

    /// Takes `thread` off all lists.
    pub fn cancel(&mut self, thread: Id<Thread>) {
        let Some(chain) = self.chains.get_mut(thread.index() as usize) else { return };
        let mut at = std::mem::replace(chain, NIL);
        while at != NIL {
            let Node { key, place, previous, next, sibling, .. } = self.nodes[at as usize];
            let mut queue = self.queue_at(place, key);
            match previous {
                NIL => queue.first = next,
                previous => self.nodes[previous as usize].next = next,
            }
            match next {
                NIL => queue.last = previous,
                next => self.nodes[next as usize].previous = previous,
            }
            self.set_queue(place, key, queue);
            self.nodes[at as usize].sibling = self.free;
            self.free = at;
            at = sibling;
        }
    }

    /// All keys and their sleepers, for reports.
    pub fn iter(&self) -> impl Iterator<Item = (WaitKey, Id<Thread>)> + '_ {
        let mut pairs = BTreeSet::new();
        for first in &self.chains {
            let mut at = *first;
            while at != NIL {
                let node = &self.nodes[at as usize];
                pairs.insert((node.key, node.thread));
                at = node.sibling;
            }
        }
        pairs.into_iter()
    }

    /// Lists an interest of an epoll set: it is told of every wake-up of the key until it is withdrawn.
    pub fn watch(&mut self, key: WaitKey, watch: Watch) {
        self.watches.insert((key, watch));
    }

    /// Withdraws an interest.
    pub fn unwatch(&mut self, key: WaitKey, watch: Watch) {
        self.watches.remove(&(key, watch));
    }

    /// Whether there is any watch at all.
    #[inline]
    pub fn has_watches(&self) -> bool {
        !self.watches.is_empty()
    }

    /// The interests in `key`.
    pub fn watches(&self, key: WaitKey) -> impl Iterator<Item = Watch> + '_ {
        let every = Watch { epoll: Id::FIRST, interest: 0 };
        self.watches.range((key, every)..).take_while(move |(of, _)| *of == key).map(|(_, watch)| *watch)
    }

    #[inline]
    fn queue(&self, key: WaitKey) -> Queue {
        self.queue_at(key.place(), key)
    }

    #[inline]
    fn queue_at(&self, place: Option<(usize, usize)>, key: WaitKey) -> Queue {
        match place {
            Some((kind, index)) => self.dense[kind].get(index).copied().unwrap_or(EMPTY),
            None => self.sparse.get(&key).copied().unwrap_or(EMPTY),
        }
    }

    #[inline]
    fn set_queue(&mut self, place: Option<(usize, usize)>, key: WaitKey, queue: Queue) {
        match place {
            Some((kind, index)) => {
                let queues = &mut self.dense[kind];
                if index >= queues.len() {
                    queues.resize(index + 1, EMPTY);
                }
                queues[index] = queue;
            }
            None if queue.first == NIL => {
                self.sparse.remove(&key);
            }
            None => {
                self.sparse.insert(key, queue);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_agree_with_a_list_of_pairs_under_any_order_of_calls() {
        let threads: Vec<Id<Thread>> = (0..9).map(Id::numbered).collect();
        let pipes: Vec<Id<Pipe>> = (0..4).map(Id::numbered).collect();
        let mut keys: Vec<WaitKey> = pipes.iter().map(|pipe| WaitKey::PipeReadable(*pipe)).collect();
        keys.extend(threads.iter().map(|thread| WaitKey::Signal(*thread)));
        let mut waits = Waits::default();
        // What the queues should say: pairs in order of arrival.
        let mut model: Vec<(WaitKey, Id<Thread>)> = Vec::new();
        let mut state = 12345u64;
        let mut random = |below: usize| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) as usize % below
        };
        for _ in 0..5000 {
            let thread = threads[random(threads.len())];
            if random(3) == 0 {
                waits.cancel(thread);
                model.retain(|(_, waiter)| *waiter != thread);
            } else {
                let key = keys[random(keys.len())];
                waits.enqueue(key, thread);
                model.push((key, thread));
            }
            for key in &keys {
                let expected: Vec<_> = model.iter().filter(|(of, _)| of == key).map(|(_, thread)| *thread).collect();
                assert_eq!(waits.on(*key), expected);
                assert_eq!(waits.first(*key), expected.first().copied());
            }
        }
    }

    #[test]
    fn a_watch_stays_until_it_is_withdrawn() {
        let pipes: Vec<Id<Pipe>> = (0..2).map(Id::numbered).collect();
        let mut waits = Waits::default();
        let watch = Watch { epoll: Id::numbered(1), interest: 7 };
        waits.watch(WaitKey::PipeReadable(pipes[0]), watch);
        assert_eq!(waits.watches(WaitKey::PipeReadable(pipes[0])).collect::<Vec<_>>(), [watch]);
        assert_eq!(waits.watches(WaitKey::PipeReadable(pipes[1])).count(), 0);
        assert_eq!(waits.watches(WaitKey::PipeWritable(pipes[0])).count(), 0);
        waits.unwatch(WaitKey::PipeReadable(pipes[0]), watch);
        assert!(!waits.has_watches());
    }
}
