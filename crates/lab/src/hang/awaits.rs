//! What a sleeping thread waits for: from the keys it sleeps on, and the operation that knows more.

use crate::scene::Scene;
use crate::scene::holders::End;
use crate::text;
use crate::verdict::{Await, Means, Need, Object, Party, Person, SignalDeed, Waker};
use crate::witness::Made;
use abi::fcntl::O_RDWR;
use kernel::fs::locks::Owner;
use kernel::fs::{FileDescription, FileObject, Inode, poll};
use kernel::ipc::fifo::Partner;
use kernel::ipc::pipe::Pipe;
use kernel::ipc::posix::MessageQueue as PosixQueue;
use kernel::ipc::sysv::message_queue::Selection;
use kernel::ipc::sysv::{MessageQueue, ObjectId};
use kernel::process::wait::Children;
use kernel::process::{Process, Thread, ThreadState};
use kernel::signal::SignalSet;
use kernel::socket::{Kind, Socket, State};
use kernel::syscalls::operation::Operation;
use kernel::table::Id;
use kernel::wait::{Keys, WaitKey};
use std::collections::{BTreeMap, BTreeSet};

/// Things told one by one that a thread waits for any of.
const AWAITS_TOLD: usize = 12;
/// Signals that glibc keeps for itself, nptl(7).
const LIBRARY_SIGNALS: std::ops::RangeInclusive<i32> = 32..=33;
/// How deep epoll sets in epoll sets are followed, epoll(7).
const EPOLL_DEPTH: usize = 4;

/// What a thread waits for; any of them would do.
pub(super) fn of(scene: &mut Scene<'_>, id: Id<Thread>, party: &Party) -> Vec<Await> {
    let kernel = scene.kernel;
    let thread = &kernel.threads[id];
    if kernel.processes[thread.process].stopped {
        return vec![continued(scene, thread.process)];
    }
    let ThreadState::Blocked(wait) = &thread.state else { return Vec::new() };
    let operation = thread.operation.as_ref();
    let mut keys = BTreeSet::new();
    flatten(scene, &wait.keys, EPOLL_DEPTH, &mut keys);
    let mut found: Vec<Await> = Vec::new();
    for key in keys.into_iter().take(AWAITS_TOLD) {
        let wait = for_key(scene, id, thread, operation, key, party);
        if !found.contains(&wait) {
            found.push(wait);
        }
    }
    if let Some(wanted) = polled(operation) {
        found.retain(|wait| wanted.is_meant(&wait.need));
    }
    if found.is_empty() && wait.deadline.is_none() {
        found.push(signal(scene, id, thread, None));
    }
    found
}

/// What poll(2) and select(2) ask for, of all that might change.
struct Polled {
    input: bool,
    output: bool,
}

impl Polled {
    fn is_meant(&self, need: &Need) -> bool {
        match need {
            Need::PipeRoom { .. } | Need::SocketRoom | Need::EventRoom | Need::TerminalRoom => self.output,
            Need::PosixRoom { .. } => self.output,
            Need::PipeBytes | Need::SocketBytes | Need::EventCount | Need::PosixMessage => self.input,
            _ => true,
        }
    }
}

fn polled(operation: Option<&Operation>) -> Option<Polled> {
    use abi::poll::{POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM};
    match operation? {
        Operation::Poll(poll) => {
            let all = poll.entries.iter().fold(0, |all, (entry, _)| all | entry.events as u32);
            Some(Polled { input: all & (POLLIN | POLLRDNORM) != 0, output: all & (POLLOUT | POLLWRNORM) != 0 })
        }
        Operation::Select(select) => Some(Polled {
            input: select.members.iter().any(|(_, _, sets)| sets[0]),
            output: select.members.iter().any(|(_, _, sets)| sets[1]),
        }),
        _ => None,
    }
}

/// The keys, with those of epoll sets in place of the sets.
fn flatten(scene: &Scene<'_>, keys: &Keys, depth: usize, into: &mut BTreeSet<WaitKey>) {
    for key in keys {
        let interests = match key {
            WaitKey::EpollReady(epoll) if depth > 0 => scene.kernel.epolls.get(*epoll),
            _ => None,
        };
        match interests {
            Some(epoll) => {
                let before = into.len();
                for interest in epoll.interests() {
                    let readiness = poll::readiness(scene.kernel, interest.file);
                    let keys: Keys =
                        readiness.keys.iter().copied().filter(|key| is_of_events(*key, interest.events)).collect();
                    flatten(scene, &keys, depth - 1, into);
                }
                if into.len() == before {
                    into.insert(*key);
                }
            }
            None => _ = into.insert(*key),
        }
    }
}

/// Whether an interest in these events waits for this change.
fn is_of_events(key: WaitKey, events: u32) -> bool {
    use abi::poll::{POLLIN, POLLOUT};
    match key {
        WaitKey::PipeWritable(_)
        | WaitKey::PipeRoom(_)
        | WaitKey::SocketWritable(_)
        | WaitKey::SocketRoom(_)
        | WaitKey::EventFdWritable(_)
        | WaitKey::TerminalWritable(_)
        | WaitKey::MasterWritable(_) => events & POLLOUT != 0,
        WaitKey::PipeReadable(_) | WaitKey::PipeBytes(_) | WaitKey::SocketReadable(_) | WaitKey::EventFdReadable(_) => {
            events & POLLIN != 0
        }
        _ => true,
    }
}

fn for_key(
    scene: &mut Scene<'_>,
    id: Id<Thread>,
    thread: &Thread,
    operation: Option<&Operation>,
    key: WaitKey,
    party: &Party,
) -> Await {
    let kernel = scene.kernel;
    match key {
        WaitKey::PipeReadable(pipe) | WaitKey::PipeWritable(pipe) if is_fifo_open(operation) => {
            fifo_partner(scene, id, operation, pipe)
        }
        WaitKey::PipeReadable(pipe) | WaitKey::PipeBytes(pipe) => {
            let wakers = scene.wakers_with(End::PipeWriter(pipe.index()), |_| true);
            Await { object: self::pipe(scene, pipe), need: Need::PipeBytes, wakers }
        }
        WaitKey::PipeWritable(pipe) | WaitKey::PipeRoom(pipe) => {
            let wakers = scene.wakers_with(End::PipeReader(pipe.index()), |_| true);
            let used = kernel.pipes.get(pipe).map_or(0, Pipe::len);
            Await { object: self::pipe(scene, pipe), need: Need::PipeRoom { used }, wakers }
        }
        WaitKey::SocketReadable(socket) => socket_bytes(scene, id, socket),
        WaitKey::SocketWritable(socket) => {
            let peer = kernel.sockets.get(socket).and_then(|socket| socket.peer);
            let wakers = peer.map(|peer| scene.wakers_with(End::Socket(peer.index()), |_| true)).unwrap_or_default();
            Await { object: self::socket(scene, socket), need: Need::SocketRoom, wakers }
        }
        WaitKey::SocketRoom(receiver) => {
            let wakers = scene.wakers_with(End::Socket(receiver.index()), |_| true);
            Await { object: self::socket(scene, receiver), need: Need::SocketRoom, wakers }
        }
        WaitKey::QueueMessage(queue) => message(scene, id, operation, queue),
        WaitKey::QueueRoom(queue) => {
            let (bytes, messages) = self::queue(scene, queue).map_or((0, 0), |queue| (queue.bytes(), queue.len()));
            let object = system_v(scene, "queue", queue, Made::Queue(queue));
            Await { object, need: Need::QueueRoom { bytes, messages }, wakers: users_of_queue(scene, id, queue) }
        }
        WaitKey::Semaphores(set) => semaphores(scene, id, operation, set),
        WaitKey::PosixQueueMessage(queue) | WaitKey::PosixQueueRoom(queue) | WaitKey::PosixQueue(queue) => {
            let is_send = matches!(key, WaitKey::PosixQueueRoom(_));
            let messages = kernel.queues.get(queue).map_or(0, |queue| queue.len());
            let need = if is_send { Need::PosixRoom { messages } } else { Need::PosixMessage };
            let fits = move |file: &FileDescription| if is_send { file.is_readable() } else { file.is_writable() };
            let wakers = scene.wakers_with(End::Queue(queue.index()), fits);
            Await { object: posix_queue(scene, queue), need, wakers }
        }
        WaitKey::Futex(futex) => super::futexes::of(scene, id, thread, operation, futex, party),
        WaitKey::Child(_) => child(scene, thread, operation),
        WaitKey::ProcessEnd(process) => process_end(scene, process, Need::ProcessEnd),
        WaitKey::ThreadEnd(thread) => thread_end(scene, thread),
        WaitKey::Vfork(process) => process_end(scene, process, Need::Vfork),
        WaitKey::Signal(_) | WaitKey::SignalsOf(_) => signal(scene, id, thread, signalfd_mask(scene, operation)),
        WaitKey::FileLock(inode) => file_lock(scene, operation, inode),
        WaitKey::EventFdReadable(counter) => {
            let wakers = scene.wakers_with(End::EventFd(counter.index()), |_| true);
            let object = of_end(scene, format!("eventfd {}", counter.index()), End::EventFd(counter.index()));
            Await { object, need: Need::EventCount, wakers }
        }
        WaitKey::EventFdWritable(counter) => {
            let wakers = scene.wakers_with(End::EventFd(counter.index()), |_| true);
            let object = of_end(scene, format!("eventfd {}", counter.index()), End::EventFd(counter.index()));
            Await { object, need: Need::EventRoom, wakers }
        }
        WaitKey::TimerFd(timer) => {
            let wakers = scene.wakers_with(End::TimerFd(timer.index()), |_| true);
            let object = of_end(scene, format!("timerfd {}", timer.index()), End::TimerFd(timer.index()));
            Await { object, need: Need::Timer, wakers }
        }
        WaitKey::InotifyReadable(watcher) => {
            let object = of_end(scene, format!("inotify {}", watcher.index()), End::Inotify(watcher.index()));
            Await { object, need: Need::FileEvent, wakers: everybody_else(scene, id, Means::Use) }
        }
        WaitKey::TerminalReadable(terminal) => {
            let wakers = scene.wakers_with(End::Master(terminal.index()), |_| true);
            let object = of_end(scene, format!("terminal {}", terminal.index()), End::Master(terminal.index()));
            Await { object, need: Need::TerminalInput, wakers }
        }
        WaitKey::TerminalWritable(terminal) => {
            let wakers = scene.wakers_with(End::Master(terminal.index()), |_| true);
            let object = of_end(scene, format!("terminal {}", terminal.index()), End::Master(terminal.index()));
            Await { object, need: Need::TerminalRoom, wakers }
        }
        WaitKey::MasterReadable(terminal) => {
            let wakers = scene.wakers_with(End::Terminal(terminal.index()), |_| true);
            let object = of_end(scene, format!("terminal {}", terminal.index()), End::Master(terminal.index()));
            Await { object, need: Need::TerminalInput, wakers }
        }
        WaitKey::MasterWritable(terminal) => {
            let wakers = scene.wakers_with(End::Terminal(terminal.index()), |_| true);
            let object = of_end(scene, format!("terminal {}", terminal.index()), End::Master(terminal.index()));
            Await { object, need: Need::TerminalRoom, wakers }
        }
        WaitKey::CpuTime(_) => {
            let object = scene.object("processor time".to_string(), None);
            Await { object, need: Need::ProcessorTime, wakers: everybody_else(scene, id, Means::Use) }
        }
        WaitKey::EpollReady(epoll) => {
            let object = scene.object(format!("epoll set {}, which is empty", epoll.index()), None);
            Await { object, need: Need::Nothing, wakers: Vec::new() }
        }
        WaitKey::ClockSet | WaitKey::HostStreams => {
            let object = scene.object("the host".to_string(), None);
            Await { object, need: Need::Nothing, wakers: Vec::new() }
        }
    }
}

fn is_fifo_open(operation: Option<&Operation>) -> bool {
    matches!(operation, Some(Operation::FifoOpen(_)))
}

/// An object that descriptors name, with its maker: who opened the first of them.
fn of_end(scene: &mut Scene<'_>, name: String, end: End) -> Object {
    let made = scene.holders.with(end).iter().find_map(|holder| scene.witness.opening(holder.file)).cloned();
    scene.object(name, made)
}

fn pipe(scene: &mut Scene<'_>, pipe: Id<Pipe>) -> Object {
    let ends = [End::PipeReader(pipe.index()), End::PipeWriter(pipe.index())];
    let fifo = ends.iter().flat_map(|end| scene.holders.with(*end)).find_map(|holder| {
        let description = &scene.kernel.files[holder.file];
        match description.object {
            FileObject::Fifo { .. } => description.node,
            _ => None,
        }
    });
    if let Some(node) = fifo {
        let name = format!("FIFO {}", text::printable(&scene.kernel.path_of(node)));
        return scene.object(name, None);
    }
    let [first, second] = ends;
    let end = if scene.holders.with(first).is_empty() { second } else { first };
    of_end(scene, format!("pipe {}", pipe.index()), end)
}

fn fifo_partner(scene: &mut Scene<'_>, id: Id<Thread>, operation: Option<&Operation>, pipe: Id<Pipe>) -> Await {
    let Some(Operation::FifoOpen(open)) = operation else { unreachable!("the caller looked") };
    let description = open.file.and_then(|file| scene.kernel.files.get(file));
    let (inode, node) = match description.map(|description| (description.object, description.node)) {
        Some((FileObject::Fifo { inode, .. }, node)) => (Some(inode), node),
        _ => (None, None),
    };
    let name = node.map_or_else(
        || format!("FIFO {}", pipe.index()),
        |node| format!("FIFO {}", text::printable(&scene.kernel.path_of(node))),
    );
    let wants_reader = matches!(open.partner, Partner::Reader(_));
    let sites: Vec<_> = inode
        .map(|inode| {
            let fits = |flags: u32| {
                let open = kernel::ipc::fifo::ends_of(flags);
                if wants_reader { open.read } else { open.write }
            };
            scene.witness.fifo_openings(inode).filter(|(_, flags)| fits(*flags)).cloned().collect()
        })
        .unwrap_or_default();
    let earlier = sites
        .iter()
        .map(|(site, flags)| {
            let mut deed = scene.deed(site);
            if flags & O_RDWR != 0 {
                deed.call = format!("{} with O_RDWR", deed.call);
            }
            deed
        })
        .collect();
    let need = if wants_reader { Need::FifoReader { earlier } } else { Need::FifoWriter { earlier } };
    let wakers = everybody_else(scene, id, Means::Use);
    Await { object: scene.object(name, None), need, wakers }
}

fn socket(scene: &mut Scene<'_>, id: Id<Socket>) -> Object {
    let kind = scene.kernel.sockets.get(id).map_or("", |socket| match socket.kind {
        Kind::Stream => "stream ",
        Kind::Datagram => "datagram ",
        Kind::SequencedPacket => "packet ",
    });
    let name = scene.kernel.sockets.get(id).and_then(|socket| socket.name.as_ref()).map(|name| {
        let path: Vec<u8> = name.bytes.iter().skip(2).copied().collect();
        match path.split_first() {
            Some((0, rest)) => format!(" @{}", text::printable(rest)),
            _ => format!(" {}", text::printable(path.strip_suffix(b"\0").unwrap_or(&path))),
        }
    });
    let name = name.unwrap_or_else(|| format!(" {}", id.index()));
    of_end(scene, format!("{kind}socket{name}"), End::Socket(id.index()))
}

fn socket_bytes(scene: &mut Scene<'_>, thread: Id<Thread>, id: Id<Socket>) -> Await {
    let kernel = scene.kernel;
    let object = socket(scene, id);
    let Some(socket) = kernel.sockets.get(id) else {
        return Await { object, need: Need::SocketBytes, wakers: Vec::new() };
    };
    if matches!(socket.state, State::Listening { .. }) {
        return Await { object, need: Need::Connection, wakers: everybody_else(scene, thread, Means::Use) };
    }
    let wakers = match socket.peer {
        Some(peer) => scene.wakers_with(End::Socket(peer.index()), |_| true),
        // Anybody may send a datagram to a name.
        None if socket.kind == Kind::Datagram => everybody_else(scene, thread, Means::Use),
        None => Vec::new(),
    };
    Await { object, need: Need::SocketBytes, wakers }
}

fn system_v(scene: &mut Scene<'_>, kind: &str, id: ObjectId, made: Made) -> Object {
    let made = scene.witness.maker(&made).cloned();
    scene.object(format!("System V {kind} {}", id.id.0), made)
}

fn queue<'a>(scene: &Scene<'a>, queue: ObjectId) -> Option<&'a MessageQueue> {
    let namespace = scene.kernel.ipc_namespaces.get(queue.namespace)?;
    namespace.system_v.queues.get(queue.id).ok().map(|entry| &entry.object)
}

/// Who used a queue before, and could again: its last sender and receiver, its maker, and their children.
fn users_of_queue(scene: &Scene<'_>, id: Id<Thread>, queue: ObjectId) -> Vec<Waker> {
    let mut pids: Vec<i32> = Vec::new();
    pids.extend(self::queue(scene, queue).iter().flat_map(|queue| [queue.last_sender, queue.last_receiver]));
    // Any process may use it; those that share an ancestor with the maker are the likely ones: all but the waiter.
    let mut wakers = everybody_else(scene, id, Means::Use);
    wakers.sort_by_key(|waker| (!pids.contains(&waker.who.pid), waker.who.pid));
    wakers
}

fn message(scene: &mut Scene<'_>, id: Id<Thread>, operation: Option<&Operation>, queue: ObjectId) -> Await {
    let wanted = match operation {
        Some(Operation::ReceiveMessage(receive)) => match receive.selection {
            Selection::Any => "any message".to_string(),
            Selection::Type(kind) => format!("a message of type {kind}"),
            Selection::Except(kind) => format!("a message of another type than {kind}"),
            Selection::Lowest(limit) => format!("a message of a type up to {limit}"),
            Selection::Position(position) => format!("the message at position {position}"),
        },
        _ => "a message".to_string(),
    };
    let mut present: BTreeMap<i64, usize> = BTreeMap::new();
    let (mut last_sender, mut last_receiver) = (0, 0);
    if let Some(queue) = self::queue(scene, queue) {
        for message in queue.messages() {
            *present.entry(message.kind).or_default() += 1;
        }
        (last_sender, last_receiver) = (queue.last_sender, queue.last_receiver);
    }
    let need = Need::Message {
        wanted,
        present: present.into_iter().collect(),
        last_sender: scene.person_numbered(last_sender),
        last_receiver: scene.person_numbered(last_receiver),
    };
    let wakers = users_of_queue(scene, id, queue);
    Await { object: system_v(scene, "queue", queue, Made::Queue(queue)), need, wakers }
}

fn semaphores(scene: &mut Scene<'_>, id: Id<Thread>, operation: Option<&Operation>, set: ObjectId) -> Await {
    let kernel = scene.kernel;
    let object = system_v(scene, "semaphore set", set, Made::Semaphores(set));
    let namespace = kernel.ipc_namespaces.get(set.namespace);
    let entry = namespace.and_then(|namespace| namespace.system_v.semaphores.get(set.id).ok());
    let obstacle = match operation {
        Some(Operation::SemaphoreWait(_)) => entry.and_then(|entry| entry.object.obstacle(id)),
        _ => None,
    };
    let (Some(entry), Some(obstacle)) = (entry, obstacle) else {
        return Await { object, need: Need::Nothing, wakers: Vec::new() };
    };
    let semaphore = entry.object.semaphores[usize::from(obstacle.number)];
    let taken = scene.witness.taken(set, obstacle.number).cloned();
    let need = Need::Semaphore {
        number: obstacle.number,
        value: semaphore.value,
        take: -i32::from(obstacle.change),
        last: scene.person_numbered(semaphore.last),
        with_undo: taken.as_ref().is_some_and(|taken| taken.with_undo),
        taken: taken.as_ref().map(|taken| scene.deed(&taken.site)),
    };
    // Who took it owes it; if nobody did, everybody may give it.
    let wakers = match taken.filter(|_| obstacle.change != 0) {
        Some(taken) => vec![scene.waker(taken.site.process, Means::Owner)],
        None => everybody_else(scene, id, Means::Use),
    };
    Await { object, need, wakers }
}

fn posix_queue(scene: &mut Scene<'_>, queue: Id<PosixQueue>) -> Object {
    let end = End::Queue(queue.index());
    // The name that it was opened by; it may be unlinked since.
    let node = scene.holders.with(end).first().and_then(|holder| scene.kernel.files[holder.file].node);
    let name = match node {
        Some(node) => format!("POSIX queue /{}", text::printable(&scene.kernel.vfs.nodes[node].name)),
        None => format!("POSIX queue {}", queue.index()),
    };
    of_end(scene, name, end)
}

fn child(scene: &mut Scene<'_>, thread: &Thread, operation: Option<&Operation>) -> Await {
    let kernel = scene.kernel;
    let meant = |child: &Process, id: Id<Process>| match operation {
        Some(Operation::WaitForChild(wait)) => match wait.children {
            Children::Any => true,
            Children::Pid(pid) => child.pid == pid,
            Children::Group(group) => child.group == group,
            Children::Process(process) => process == id,
        },
        _ => true,
    };
    let children = &kernel.processes[thread.process].children;
    let wakers = children
        .iter()
        .filter(|child| meant(&kernel.processes[**child], **child))
        .map(|child| scene.waker(*child, Means::Ending))
        .collect();
    Await { object: scene.object("children".to_string(), None), need: Need::Child, wakers }
}

fn process_end(scene: &mut Scene<'_>, process: Id<Process>, need: Need) -> Await {
    let person = scene.person(process);
    let object = scene.object(format!("process {}", person.pid), None);
    Await { object, need, wakers: vec![scene.waker(process, Means::Ending)] }
}

fn thread_end(scene: &mut Scene<'_>, thread: Id<Thread>) -> Await {
    let tid = scene.kernel.threads.get(thread).map_or(0, |thread| thread.tid);
    let wakers = scene.kernel.threads.get(thread).map(|thread| scene.waker(thread.process, Means::Ending));
    let object = scene.object(format!("thread {tid}"), None);
    Await { object, need: Need::ThreadEnd { tid }, wakers: wakers.into_iter().collect() }
}

fn continued(scene: &mut Scene<'_>, process: Id<Process>) -> Await {
    let kernel = scene.kernel;
    let own = &kernel.processes[process].threads;
    let wakers = own.first().map(|thread| everybody_else(scene, *thread, Means::Signal)).unwrap_or_default();
    Await { object: scene.object("SIGCONT".to_string(), None), need: Need::Continue, wakers }
}

/// The signals that a read of a signalfd takes.
fn signalfd_mask(scene: &Scene<'_>, operation: Option<&Operation>) -> Option<SignalSet> {
    let Some(Operation::Read(read)) = operation else { return None };
    let FileObject::SignalFd(descriptor) = scene.kernel.files.get(read.file)?.object else { return None };
    scene.kernel.signal_fds.get(descriptor).map(|descriptor| descriptor.mask)
}

fn signal(scene: &mut Scene<'_>, id: Id<Thread>, thread: &Thread, mask: Option<SignalSet>) -> Await {
    let kernel = scene.kernel;
    let process = &kernel.processes[thread.process];
    let awaited = match &thread.operation {
        _ if mask.is_some() => mask.unwrap_or_default(),
        Some(Operation::SignalTimedWait(wait)) => wait.set,
        _ if !thread.signals.awaited.is_empty() => thread.signals.awaited,
        _ => {
            let caught = kernel.actions.get(process.actions).map_or(SignalSet::EMPTY, |actions| actions.caught());
            caught.without(thread.signals.blocked)
        }
    };
    let signals = (1..=64)
        .filter(|signal| awaited.contains(*signal) && !LIBRARY_SIGNALS.contains(signal))
        .map(text::signal)
        .collect();
    let earlier = scene
        .witness
        .handled(thread.process)
        .filter(|handled| awaited.contains(handled.signal))
        .map(|handled| SignalDeed {
            signal: text::signal(handled.signal),
            from: handled.from.map(|from| scene.person(from)),
            at_ns: handled.at.0,
        })
        .collect();
    let wakers = everybody_else(scene, id, Means::Signal);
    Await { object: scene.object("signals".to_string(), None), need: Need::Signal { signals, earlier }, wakers }
}

fn file_lock(scene: &mut Scene<'_>, operation: Option<&Operation>, inode: Id<Inode>) -> Await {
    let kernel = scene.kernel;
    let locks = &kernel.vfs.inodes[inode].locks;
    let (file, by, mode, holders) = match operation {
        Some(Operation::TakeLock(take)) => {
            let held = locks.conflict(&take.lock).copied();
            (Some(take.file), "fcntl", take.lock.mode, held.map(|held| (held.owner, held.pid)).into_iter().collect())
        }
        Some(Operation::TakeWhole(take)) => {
            let held = locks.whole.iter().filter(|lock| lock.file != take.file);
            (Some(take.file), "flock", take.mode, held.map(|lock| (Owner::Description(lock.file), 0)).collect())
        }
        Some(Operation::BreakLease(breaker)) => {
            let held = locks.leases.iter().map(|lease| (Owner::Description(lease.file), 0));
            (None, "lease", breaker.wanted, held.collect())
        }
        _ => (None, "", kernel::fs::locks::Mode::Exclusive, Vec::new()),
    };
    let node = file.and_then(|file| kernel.files.get(file)?.node);
    let name =
        node.map_or_else(|| "a file".to_string(), |node| format!("file {}", text::printable(&kernel.path_of(node))));
    let mut wakers: Vec<Waker> = Vec::new();
    let mut made = None;
    for (owner, pid) in holders {
        match owner {
            Owner::Description(file) => {
                wakers.extend(scene.wakers_with(End::Description(file.index()), |_| true));
                let holder = scene.holders.with(End::Description(file.index())).first().copied();
                made = made.or_else(|| {
                    let pid = kernel.processes[holder?.process].pid;
                    scene.witness.lock(file, pid).cloned()
                });
            }
            Owner::Process(_) => {
                let process = kernel.pids.processes.get(&pid).copied();
                wakers.extend(process.map(|process| scene.waker(process, Means::Owner)));
            }
        }
    }
    let mode = match mode {
        kernel::fs::locks::Mode::Shared => "shared",
        kernel::fs::locks::Mode::Exclusive => "exclusive",
    };
    let need = Need::FileLock { by: by.to_string(), mode: mode.to_string() };
    Await { object: scene.object(name, made), need, wakers }
}

/// Every process that is alive, but for the thread's own if that has no other thread.
pub(super) fn everybody_else(scene: &Scene<'_>, id: Id<Thread>, means: Means) -> Vec<Waker> {
    let kernel = scene.kernel;
    let own = kernel.threads[id].process;
    let mut wakers: Vec<Waker> = kernel
        .processes
        .iter()
        .filter(|(_, process)| !process.threads.is_empty())
        .map(|(process, _)| scene.waker(process, means.clone()))
        .collect();
    let tid = kernel.threads[id].tid;
    let own: Person = scene.person(own);
    for waker in &mut wakers {
        if waker.who == own {
            waker.tids.retain(|other| *other != tid);
        }
    }
    wakers.retain(|waker| !waker.tids.is_empty());
    wakers
}
