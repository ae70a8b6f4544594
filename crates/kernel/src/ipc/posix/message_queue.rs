//! POSIX message queues, mq_overview(7): messages by priority, and the oldest first among equals. Linux's ipc/mqueue.c.
//!
//! A message that somebody waits for is handed to him and never enters the queue; so is room to those who wait to send.

use crate::clock::Instant;
use crate::entry::{self, Call};
use crate::fs::poll::Readiness;
use crate::fs::{FileDescription, FileObject, Inode};
use crate::ipc::line::{Line, Ticket};
use crate::ipc::namespace::IpcNamespace;
use crate::kernel::Kernel;
use crate::ports::Chooser;
use crate::process::{Process, Thread};
use crate::signal::{self, Target};
use crate::socket::{Socket, netlink};
use crate::syscalls::operation::{Blocking, Interrupted, Operation, Step};
use crate::table::Id;
use crate::user::UserPtr;
use crate::wait::{Wait, WaitKey};
use abi::poll::{POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM};
use abi::signal::{SI_MESGQ, SigInfo};
use abi::time::{SIGEV_NONE, SIGEV_SIGNAL, SIGEV_THREAD};
use abi::{Errno, Error};
use std::collections::{BTreeMap, VecDeque};

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// 0 to 32,767; higher ones are received first.
    pub priority: u32,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// A queue.
///
/// # Invariants
/// - `count` and `bytes` are those of `messages`, in which no list is empty.
#[derive(Clone, Debug)]
pub struct MessageQueue {
    messages: BTreeMap<u32, VecDeque<Message>>,
    count: usize,
    bytes: usize,
    /// Messages at most.
    pub messages_max: usize,
    /// Bytes of a message at most.
    pub message_size: usize,
    /// Whose account it is on, and how many bytes: RLIMIT_MSGQUEUE.
    pub charge: (u32, u64),
    /// The namespace it belongs to, which may be gone.
    pub namespace: Id<IpcNamespace>,
    /// Where its name, owner and times are. It lives as long as that.
    pub inode: Option<Id<Inode>>,
    /// Who is told when a message comes into the empty queue.
    pub notification: Option<Notification>,
    /// Threads in mq_receive(3), the most important first.
    receivers: Line<Id<Thread>>,
    senders: Line<Sender>,
}

/// A registration by mq_notify(3): used once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notification {
    /// Who registered.
    pub process: Id<Process>,
    /// How it is told.
    pub notice: Notice,
}

/// What a `SIGEV_THREAD` of the C library hands over, to know its own by.
pub type Cookie = [u8; 32];

/// How a process is told that a message has come into the empty queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Not at all: only nobody else can register.
    Nothing,
    /// A signal, if it is not 0, with a value.
    Signal {
        /// Its number.
        number: i32,
        /// `sigev_value`.
        value: u64,
    },
    /// The cookie comes over a netlink socket; the C library starts a thread then.
    Thread {
        /// Where to.
        socket: Id<Socket>,
        /// What.
        cookie: Cookie,
    },
}

/// The cookie's last byte: a message has come, `NOTIFY_WOKENUP`.
const COOKIE_MESSAGE: u8 = 1;
/// The cookie's last byte: the registration is gone, `NOTIFY_REMOVED`.
const COOKIE_REMOVED: u8 = 2;

/// Sends a cookie, with what it is to say.
fn send_cookie(kernel: &mut Kernel, socket: Id<Socket>, mut cookie: Cookie, meaning: u8) {
    cookie[31] = meaning;
    netlink::deliver(kernel, socket, cookie.to_vec());
}

/// A process is not registered any more, if it was: mq_notify(3), mq_close(3).
pub(crate) fn unregister(kernel: &mut Kernel, id: Id<MessageQueue>, process: Id<Process>) {
    let registered = &mut kernel.queues[id].notification;
    let gone = registered.take_if(|registered| registered.process == process);
    if let Some(Notification { notice: Notice::Thread { socket, cookie }, .. }) = gone {
        send_cookie(kernel, socket, cookie, COOKIE_REMOVED);
    }
}

/// A thread that waits for room, and its message.
#[derive(Clone, Debug)]
struct Sender {
    thread: Id<Thread>,
    message: Message,
}

impl MessageQueue {
    /// An empty queue without a name.
    pub fn new(namespace: Id<IpcNamespace>, messages_max: usize, message_size: usize) -> MessageQueue {
        MessageQueue {
            messages: BTreeMap::new(),
            count: 0,
            bytes: 0,
            messages_max,
            message_size,
            charge: (0, 0),
            namespace,
            inode: None,
            notification: None,
            receivers: Line::default(),
            senders: Line::default(),
        }
    }

    /// Messages in it.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether it has no message.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes in it.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Threads that wait at it.
    pub fn waiting(&self) -> impl Iterator<Item = Id<Thread>> + '_ {
        let senders = self.senders.iter().map(|(_, sender)| sender.thread);
        self.receivers.iter().map(|(_, receiver)| *receiver).chain(senders)
    }

    fn is_full(&self) -> bool {
        self.count >= self.messages_max
    }

    fn push(&mut self, message: Message) {
        self.count += 1;
        self.bytes += message.bytes.len();
        self.messages.entry(message.priority).or_default().push_back(message);
    }

    fn pop(&mut self) -> Option<Message> {
        let mut highest = self.messages.last_entry()?;
        let message = highest.get_mut().pop_front()?;
        if highest.get().is_empty() {
            highest.remove();
        }
        self.count -= 1;
        self.bytes -= message.bytes.len();
        Some(message)
    }
}

/// mq_send(3) and mq_timedsend(3).
#[derive(Clone, Debug)]
pub struct Send {
    /// The open file, held.
    pub file: Id<FileDescription>,
    /// The queue.
    pub queue: Id<MessageQueue>,
    /// What to send; with the queue while it waits.
    pub message: Option<Message>,
    /// Until when to wait, in nanoseconds since 1970.
    pub deadline: Deadline,
    /// Its place in the line of those who wait for room, once it has slept.
    pub ticket: Option<Ticket>,
}

/// Until when a call waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deadline {
    /// For ever.
    Never,
    /// A point of CLOCK_REALTIME, in nanoseconds since 1970.
    At(u64),
}

impl Deadline {
    fn instant(self, call: &Call) -> Option<Instant> {
        match self {
            Deadline::Never => None,
            Deadline::At(time_ns) => {
                let base = crate::time::clocks::Base::Realtime;
                Some(crate::time::clocks::instant(call.kernel, base, time_ns))
            }
        }
    }

    /// Sleeps on a key, or says that the time is over.
    fn sleep(self, call: &Call, key: WaitKey) -> Result<Step, Error> {
        let deadline = self.instant(call);
        if deadline.is_some_and(|deadline| deadline <= call.kernel.clock.now()) {
            return Err(Errno::ETIMEDOUT.because("the time is over"));
        }
        let mut wait = Wait::on(key).with_deadline(deadline);
        if deadline.is_some() {
            wait.keys.push(WaitKey::ClockSet);
        }
        Ok(Step::Block(wait))
    }
}

impl Blocking for Send {
    fn step(&mut self, call: &mut Call) -> Result<Step, Error> {
        let (thread, rank) = (call.thread, rank(call));
        if self.ticket.is_some() {
            // Whoever makes room ends the call; this is the deadline, or a change of the clock.
            return self.deadline.sleep(call, WaitKey::PosixQueueRoom(self.queue));
        }
        if call.kernel.queues[self.queue].is_full() {
            if call.kernel.files[self.file].is_nonblocking() {
                return Err(Errno::EAGAIN.because("the queue is full, and `O_NONBLOCK` is set"));
            }
            let step = self.deadline.sleep(call, WaitKey::PosixQueueRoom(self.queue))?;
            let message = self.message.take().expect("a message waits once");
            self.ticket = Some(call.kernel.queues[self.queue].senders.join(rank, Sender { thread, message }));
            return Ok(step);
        }
        let message = self.message.take().expect("a message is sent once");
        accept(call, self.queue, message);
        Ok(Step::Done(0))
    }

    fn interrupted(&self) -> Interrupted {
        Interrupted::RestartIfAllowed
    }

    fn held_files(&self) -> Vec<Id<FileDescription>> {
        vec![self.file]
    }

    fn release(&mut self, call: &mut Call) {
        if let Some(ticket) = self.ticket {
            call.kernel.queues[self.queue].senders.leave(ticket);
        }
        call.release_file(self.file);
    }
}

/// Who is served first: `wq_add` of ipc/mqueue.c orders by Linux's priority of the task, kernel/sched/core.c
/// `effective_prio`.
fn rank(call: &Call) -> i32 {
    let policy = call.kernel.threads[call.thread].policy;
    if policy.priority > 0 { 99 - policy.priority } else { 120 + policy.nice }
}

/// Notes that a queue was used: all three times of its file.
fn touch(kernel: &mut Kernel, id: Id<MessageQueue>) {
    let now = kernel.clock.realtime_ns() as i64;
    if let Some(inode) = kernel.queues[id].inode {
        let inode = &mut kernel.vfs.inodes[inode];
        (inode.accessed_ns, inode.modified_ns, inode.changed_ns) = (now, now, now);
    }
}

/// Gives a message to the first who waits for one, or puts it into the queue and tells who asked to be told.
fn accept(call: &mut Call, id: Id<MessageQueue>, message: Message) {
    touch(call.kernel, id);
    let queue = &mut call.kernel.queues[id];
    if let Some(receiver) = queue.receivers.pop() {
        if let Some(Operation::QueueReceive(receive)) = &mut call.kernel.threads[receiver].operation {
            receive.handed = Some(message);
        }
        call.kernel.unblock(receiver);
        return;
    }
    queue.push(message);
    if queue.count == 1 {
        notify(call, id);
    }
    call.kernel.wake(WaitKey::PosixQueue(id));
}

/// Tells who registered that a message has come into the empty queue; the registration is used up.
fn notify(call: &mut Call, id: Id<MessageQueue>) {
    let Some(notification) = call.kernel.queues[id].notification.take() else { return };
    match notification.notice {
        Notice::Nothing | Notice::Signal { number: 0, .. } => {}
        Notice::Signal { number, value } => {
            let pid = call.process().pid;
            let uid = call.credentials().uid;
            let info = SigInfo { code: SI_MESGQ, ..SigInfo::queue(number, pid, uid, value) };
            let chooser: &mut dyn Chooser = call.chooser;
            signal::send(call.kernel, chooser, Target::Process(notification.process), info);
        }
        Notice::Thread { socket, cookie } => send_cookie(call.kernel, socket, cookie, COOKIE_MESSAGE),
    }
}

/// mq_receive(3) and mq_timedreceive(3).
#[derive(Clone, Debug)]
pub struct Receive {
    /// The open file, held.
    pub file: Id<FileDescription>,
    /// The queue.
    pub queue: Id<MessageQueue>,
    /// Where the bytes go; there is room for the longest message.
    pub to: u64,
    /// Where the priority goes.
    pub priority: UserPtr<u32>,
    /// Until when to wait.
    pub deadline: Deadline,
    /// Its place in the line of those who wait for a message, once it has slept.
    pub ticket: Option<Ticket>,
    /// What a sender gave to it.
    pub handed: Option<Message>,
}

impl Blocking for Receive {
    fn step(&mut self, call: &mut Call) -> Result<Step, Error> {
        let (thread, rank) = (call.thread, rank(call));
        if let Some(message) = self.handed.take() {
            return self.give(call, message);
        }
        if self.ticket.is_some() {
            return self.deadline.sleep(call, WaitKey::PosixQueueMessage(self.queue));
        }
        if let Some(message) = take(call, self.queue) {
            return self.give(call, message);
        }
        if call.kernel.files[self.file].is_nonblocking() {
            return Err(Errno::EAGAIN.because("the queue is empty, and `O_NONBLOCK` is set"));
        }
        let step = self.deadline.sleep(call, WaitKey::PosixQueueMessage(self.queue))?;
        self.ticket = Some(call.kernel.queues[self.queue].receivers.join(rank, thread));
        Ok(step)
    }

    fn interrupted(&self) -> Interrupted {
        Interrupted::RestartIfAllowed
    }

    fn held_files(&self) -> Vec<Id<FileDescription>> {
        vec![self.file]
    }

    fn release(&mut self, call: &mut Call) {
        if let Some(ticket) = self.ticket {
            call.kernel.queues[self.queue].receivers.leave(ticket);
        }
        call.release_file(self.file);
    }
}

/// Takes the first message; the first who waits for room puts his own in.
fn take(call: &mut Call, id: Id<MessageQueue>) -> Option<Message> {
    let queue = &mut call.kernel.queues[id];
    let message = queue.pop()?;
    match queue.senders.pop() {
        Some(sender) => {
            queue.push(sender.message);
            entry::complete(call, sender.thread, Ok(0));
        }
        None => call.kernel.wake(WaitKey::PosixQueue(id)),
    }
    touch(call.kernel, id);
    Some(message)
}

impl Receive {
    /// Copies a message out. It is lost if that fails, as on Linux.
    fn give(&self, call: &mut Call, message: Message) -> Result<Step, Error> {
        call.write_if_given(self.priority, &message.priority)?;
        call.copy_out(self.to, &message.bytes)?;
        Ok(Step::Done(message.bytes.len() as u64))
    }
}

/// Readable with a message, writable with room.
pub fn poll(kernel: &Kernel, id: Id<MessageQueue>) -> Readiness {
    let queue = &kernel.queues[id];
    let mut events = 0;
    if !queue.is_empty() {
        events |= POLLIN | POLLRDNORM;
    }
    if !queue.is_full() {
        events |= POLLOUT | POLLWRNORM;
    }
    Readiness::new(events, WaitKey::PosixQueue(id))
}

/// What read(2) of a descriptor shows: `mqueue_read_file` of ipc/mqueue.c.
pub fn text(kernel: &Kernel, id: Id<MessageQueue>) -> Vec<u8> {
    let queue = &kernel.queues[id];
    let (notify, signal, pid) = match queue.notification {
        None => (0, 0, 0),
        Some(Notification { process, notice }) => {
            let pid = kernel.processes.get(process).map_or(0, |process| process.pid);
            match notice {
                Notice::Signal { number, .. } => (SIGEV_SIGNAL, number, pid),
                Notice::Nothing => (SIGEV_NONE, 0, pid),
                Notice::Thread { .. } => (SIGEV_THREAD, 0, pid),
            }
        }
    };
    format!("QSIZE:{:<10} NOTIFY:{notify:<5} SIGNO:{signal:<5} NOTIFY_PID:{pid:<6}\n", queue.bytes()).into_bytes()
}

/// A descriptor was closed by a process: its registration goes, even if it has the queue open elsewhere, mq_close(3).
pub(crate) fn flush(kernel: &mut Kernel, file: Id<FileDescription>, process: Id<Process>) {
    if let FileObject::MessageQueue(id) = kernel.files[file].object {
        unregister(kernel, id, process);
    }
}

/// The file of a queue is gone, and with it the queue: mqueue_evict_inode().
pub(crate) fn file_is_gone(kernel: &mut Kernel, id: Id<MessageQueue>) {
    let MessageQueue { charge: (user, bytes), namespace, .. } = kernel.queues.remove(id);
    kernel.users.entry(user).or_default().queue_bytes -= bytes;
    if let Some(namespace) = kernel.ipc_namespaces.get_mut(namespace) {
        namespace.posix_queues.count -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_out_by_priority_and_then_by_age() {
        let mut queue = MessageQueue::new(Id::FIRST, 100, 8);
        let mut model: Vec<Message> = Vec::new();
        let mut state = 5u64;
        for turn in 0..2000u32 {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            if state >> 63 == 0 && !queue.is_full() {
                let message = Message { priority: (state >> 40) as u32 % 4, bytes: turn.to_le_bytes().to_vec() };
                queue.push(message.clone());
                model.push(message);
            } else {
                let highest = model.iter().map(|message| message.priority).max();
                let expected = highest.and_then(|highest| model.iter().position(|other| other.priority == highest));
                assert_eq!(queue.pop(), expected.map(|index| model.remove(index)));
            }
            assert_eq!((queue.len(), queue.bytes()), (model.len(), 4 * model.len()));
        }
    }
}
