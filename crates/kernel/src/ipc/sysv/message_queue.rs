//! Message queues, msgop(2). Linux's ipc/msg.c.
//!
//! A message that somebody waits for is handed to him, in the order in which receivers came, and never enters the queue.
//! Whoever makes room puts the messages of waiting senders in, in the order in which they came.

use super::registry::{self, Entry, ObjectId};
use crate::entry::{self, Call};
use crate::ipc::line::{Line, Ticket};
use crate::kernel::Kernel;
use crate::process::Thread;
use crate::syscalls::operation::{Blocking, Interrupted, Operation, Step};
use crate::table::Id;
use crate::user::UserPtr;
use crate::wait::{Wait, WaitKey};
use abi::ipc::{IPC_NOWAIT, MSG_COPY, MSG_EXCEPT, MSG_NOERROR};
use abi::{Errno, Error};
use std::collections::VecDeque;

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its type, above 0.
    pub kind: i64,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// A queue.
///
/// # Invariants
/// - `bytes` is the sum of the lengths of `messages`.
#[derive(Clone, Debug)]
pub struct MessageQueue {
    messages: VecDeque<Message>,
    bytes: usize,
    /// Bytes that it may hold, and messages too, so that empty ones are limited.
    pub limit: usize,
    /// When something was last sent, in seconds since 1970.
    pub sent: i64,
    /// When something was last received.
    pub received: i64,
    /// Who sent last.
    pub last_sender: i32,
    /// Who received last.
    pub last_receiver: i32,
    receivers: Line<Receiver>,
    senders: Line<Sender>,
}

/// A thread in msgrcv(2).
#[derive(Clone, Debug)]
struct Receiver {
    thread: Id<Thread>,
    selection: Selection,
    /// The longest message it takes.
    room: usize,
}

/// A thread in msgsnd(2), and its message.
#[derive(Clone, Debug)]
struct Sender {
    thread: Id<Thread>,
    message: Message,
}

/// Which messages a receiver takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// The first.
    Any,
    /// The first of a type.
    Type(i64),
    /// The first of another type.
    Except(i64),
    /// The first of the lowest type, if that is not above this.
    Lowest(i64),
    /// A copy of the one at a position: `MSG_COPY`.
    Position(i64),
}

impl Selection {
    /// What `msgtyp` and `msgflg` of msgrcv(2) mean.
    pub fn new(kind: i64, flags: i32) -> Selection {
        match kind {
            _ if flags & MSG_COPY != 0 => Selection::Position(kind),
            0 => Selection::Any,
            i64::MIN => Selection::Lowest(i64::MAX),
            _ if kind < 0 => Selection::Lowest(-kind),
            _ if flags & MSG_EXCEPT != 0 => Selection::Except(kind),
            _ => Selection::Type(kind),
        }
    }

    fn takes(self, kind: i64) -> bool {
        match self {
            Selection::Any => true,
            Selection::Type(wanted) => kind == wanted,
            Selection::Except(unwanted) => kind != unwanted,
            Selection::Lowest(limit) => kind <= limit,
            Selection::Position(_) => false,
        }
    }
}

impl MessageQueue {
    /// Bytes of memory that it keeps.
    pub fn held_bytes(&self) -> u64 {
        (self.bytes + self.messages.len() * 100) as u64
    }

    /// An empty queue for so many bytes.
    pub fn new(limit: usize) -> MessageQueue {
        MessageQueue {
            messages: VecDeque::new(),
            bytes: 0,
            limit,
            sent: 0,
            received: 0,
            last_sender: 0,
            last_receiver: 0,
            receivers: Line::default(),
            senders: Line::default(),
        }
    }

    /// The messages in it, the first to come first.
    pub fn messages(&self) -> impl Iterator<Item = &Message> {
        self.messages.iter()
    }

    /// Messages in it.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether it has no message.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Bytes in it.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Threads that wait at it.
    pub fn waiting(&self) -> impl Iterator<Item = Id<Thread>> + '_ {
        let senders = self.senders.iter().map(|(_, sender)| sender.thread);
        self.receivers.iter().map(|(_, receiver)| receiver.thread).chain(senders)
    }

    /// Whether a message of this length may enter: msg_fits_inqueue().
    fn has_room(&self, length: usize) -> bool {
        length + self.bytes <= self.limit && self.messages.len() < self.limit
    }

    /// Where the message is that a receiver takes.
    fn find(&self, selection: Selection) -> Option<usize> {
        match selection {
            Selection::Position(position) => {
                usize::try_from(position).ok().filter(|position| *position < self.messages.len())
            }
            Selection::Lowest(limit) => {
                let candidates = self.messages.iter().enumerate().filter(|(_, message)| message.kind <= limit);
                candidates.min_by_key(|(index, message)| (message.kind, *index)).map(|(index, _)| index)
            }
            _ => self.messages.iter().position(|message| selection.takes(message.kind)),
        }
    }

    fn push(&mut self, message: Message) {
        self.bytes += message.bytes.len();
        self.messages.push_back(message);
    }

    fn remove(&mut self, index: usize) -> Option<Message> {
        let message = self.messages.remove(index)?;
        self.bytes -= message.bytes.len();
        Some(message)
    }
}

/// msgsnd(2).
#[derive(Clone, Debug)]
pub struct SendMessage {
    /// The queue.
    pub object: ObjectId,
    /// What to send; with the queue while it waits.
    pub message: Option<Message>,
    /// `IPC_NOWAIT`.
    pub flags: i32,
    /// Its place in the line of those who wait for room, once it has slept.
    pub ticket: Option<Ticket>,
}

/// A queue that may have been removed while its caller slept.
fn find(kernel: &mut Kernel, object: ObjectId, has_slept: bool) -> Result<&mut Entry<MessageQueue>, Error> {
    match kernel.ipc_namespaces[object.namespace].system_v.queues.get_mut(object.id) {
        Err(_) if has_slept => Err(Errno::EIDRM.because("the message queue was removed")),
        found => found,
    }
}

impl Blocking for SendMessage {
    fn step(&mut self, call: &mut Call) -> Result<Step, Error> {
        let (thread, has_slept) = (call.thread, self.ticket.is_some());
        let entry = find(call.kernel, self.object, has_slept)?;
        if let Some(sender) = self.ticket.and_then(|ticket| entry.object.senders.leave(ticket)) {
            self.message = Some(sender.message);
        }
        let permissions = entry.permissions;
        registry::check_access(call, &permissions, registry::WRITE)?;
        let queue = &mut find(call.kernel, self.object, has_slept)?.object;
        let message = self.message.take().expect("a sender whose message was taken is not stepped again");
        if queue.has_room(message.bytes.len()) {
            accept(call, self.object, message);
            return Ok(Step::Done(0));
        }
        if self.flags & IPC_NOWAIT != 0 {
            return Err(Errno::EAGAIN.because("the queue is full, and `IPC_NOWAIT` is set"));
        }
        self.ticket = Some(queue.senders.join(0, Sender { thread, message }));
        Ok(Step::Block(Wait::on(WaitKey::QueueRoom(self.object))))
    }

    fn interrupted(&self) -> Interrupted {
        Interrupted::Never
    }

    fn release(&mut self, call: &mut Call) {
        if let Some(ticket) = self.ticket
            && let Ok(entry) = find(call.kernel, self.object, false)
        {
            entry.object.senders.leave(ticket);
        }
    }
}

/// Takes a message of the calling thread: gives it to the first receiver that waits for it, or puts it into the queue;
/// pipelined_send(). A receiver whose buffer is too small for it fails, and the next one is asked.
fn accept(call: &mut Call, object: ObjectId, message: Message) {
    let (now, pid) = (registry::now(call), call.process().pid);
    loop {
        let Ok(entry) = find(call.kernel, object, false) else { return };
        let queue = &mut entry.object;
        (queue.last_sender, queue.sent) = (pid, now);
        let wanted = queue.receivers.iter().find(|(_, receiver)| receiver.selection.takes(message.kind));
        let Some(receiver) = wanted.map(|(ticket, _)| ticket).and_then(|ticket| queue.receivers.leave(ticket)) else {
            queue.push(message);
            return;
        };
        if message.bytes.len() <= receiver.room {
            let process = call.kernel.threads[receiver.thread].process;
            let receiver_pid = call.kernel.processes[process].pid;
            if let Ok(entry) = find(call.kernel, object, false) {
                (entry.object.last_receiver, entry.object.received) = (receiver_pid, now);
            }
            hand(call.kernel, receiver.thread, Ok(message));
            return;
        }
        hand(call.kernel, receiver.thread, Err(too_long()));
    }
}

/// Ends the sleep of a receiver that has left the line.
fn hand(kernel: &mut Kernel, thread: Id<Thread>, result: Result<Message, Error>) {
    if let Some(Operation::ReceiveMessage(receive)) = &mut kernel.threads[thread].operation {
        receive.handed = Some(result);
    }
    kernel.unblock(thread);
}

/// Lets those senders in that the queue has room for now, and ends their calls.
fn admit_senders(call: &mut Call, object: ObjectId) {
    loop {
        let Ok(entry) = find(call.kernel, object, false) else { return };
        let queue = &mut entry.object;
        let fits = queue.senders.iter().find(|(_, sender)| queue.has_room(sender.message.bytes.len()));
        let Some(sender) = fits.map(|(ticket, _)| ticket).and_then(|ticket| queue.senders.leave(ticket)) else {
            return;
        };
        accept(&mut call.as_thread(sender.thread), object, sender.message);
        entry::complete(call, sender.thread, Ok(0));
    }
}

fn too_long() -> Error {
    Errno::E2BIG.because("the message is longer than `msgsz`")
}

/// msgrcv(2).
#[derive(Clone, Debug)]
pub struct ReceiveMessage {
    /// The queue.
    pub object: ObjectId,
    /// Where the type goes, and the bytes behind it.
    pub to: UserPtr<i64>,
    /// Bytes that there is room for.
    pub room: usize,
    /// Which message.
    pub selection: Selection,
    /// `MSG_` and `IPC_` flags.
    pub flags: i32,
    /// Its place in the line of those who wait for a message, once it has slept.
    pub ticket: Option<Ticket>,
    /// What a sender gave to it.
    pub handed: Option<Result<Message, Error>>,
}

impl Blocking for ReceiveMessage {
    fn step(&mut self, call: &mut Call) -> Result<Step, Error> {
        if let Some(handed) = self.handed.take() {
            return self.give(call, &handed?);
        }
        let has_slept = self.ticket.is_some();
        let (now, pid) = (registry::now(call), call.process().pid);
        let cuts = self.flags & MSG_NOERROR != 0;
        let (thread, selection, room) = (call.thread, self.selection, self.room);
        let entry = find(call.kernel, self.object, has_slept)?;
        if let Some(ticket) = self.ticket {
            entry.object.receivers.leave(ticket);
        }
        let permissions = entry.permissions;
        registry::check_access(call, &permissions, registry::READ)?;
        let queue = &mut find(call.kernel, self.object, has_slept)?.object;
        let Some(index) = queue.find(selection) else {
            if self.flags & IPC_NOWAIT != 0 {
                return Err(Errno::ENOMSG.because("the queue has no such message"));
            }
            let room = if cuts { usize::MAX } else { room };
            self.ticket = Some(queue.receivers.join(0, Receiver { thread, selection, room }));
            return Ok(Step::Block(Wait::on(WaitKey::QueueMessage(self.object))));
        };
        let is_too_long = queue.messages[index].bytes.len() > room;
        if is_too_long && !cuts {
            return Err(too_long());
        }
        if matches!(selection, Selection::Position(_)) {
            if is_too_long {
                return Err(Errno::EINVAL.because("`MSG_COPY` copies no part of a message"));
            }
            let message = queue.messages[index].clone();
            return self.give(call, &message);
        }
        let message = queue.remove(index).expect("it was just found");
        (queue.last_receiver, queue.received) = (pid, now);
        admit_senders(call, self.object);
        self.give(call, &message)
    }

    fn interrupted(&self) -> Interrupted {
        Interrupted::Never
    }

    fn release(&mut self, call: &mut Call) {
        if let Some(ticket) = self.ticket
            && let Ok(entry) = find(call.kernel, self.object, false)
        {
            entry.object.receivers.leave(ticket);
        }
    }
}

impl ReceiveMessage {
    /// Copies a message out. It is lost if that fails, as on Linux.
    fn give(&self, call: &mut Call, message: &Message) -> Result<Step, Error> {
        let length = message.bytes.len().min(self.room);
        call.write(self.to, &message.kind)?;
        call.copy_out(self.to.address().wrapping_add(8), &message.bytes[..length])?;
        Ok(Step::Done(length as u64))
    }
}

/// Owner, permissions or limit have changed: all who wait look again, from the end of the line.
pub(super) fn changed(kernel: &mut Kernel, object: ObjectId) {
    kernel.wake(WaitKey::QueueRoom(object));
    kernel.wake(WaitKey::QueueMessage(object));
}

/// Removes a queue: who waits is woken and fails with `EIDRM`.
pub(super) fn remove(call: &mut Call, object: ObjectId) {
    if call.kernel.ipc_namespaces[object.namespace].system_v.queues.remove(object.id).is_some() {
        changed(call.kernel, object);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(kinds: &[i64]) -> MessageQueue {
        let mut queue = MessageQueue::new(16384);
        for (index, kind) in kinds.iter().enumerate() {
            queue.push(Message { kind: *kind, bytes: vec![index as u8; index] });
        }
        queue
    }

    #[test]
    fn selections_find_the_message_that_the_man_page_says() {
        let queue = queue(&[3, 1, 2, 1, 3]);
        assert_eq!(queue.find(Selection::new(0, 0)), Some(0));
        assert_eq!(queue.find(Selection::new(1, 0)), Some(1));
        assert_eq!(queue.find(Selection::new(3, MSG_EXCEPT)), Some(1));
        assert_eq!(queue.find(Selection::new(-2, 0)), Some(1));
        assert_eq!(queue.find(Selection::new(-9, 0)), Some(1));
        assert_eq!(queue.find(Selection::new(i64::MIN, 0)), Some(1));
        assert_eq!(queue.find(Selection::new(4, MSG_COPY)), Some(4));
        assert_eq!(queue.find(Selection::new(5, MSG_COPY)), None);
        assert_eq!(queue.find(Selection::new(7, 0)), None);
    }

    #[test]
    fn a_queue_agrees_with_a_list_under_any_order_of_calls() {
        let (mut queue, mut model) = (MessageQueue::new(400), Vec::<Message>::new());
        let mut state = 3u64;
        let mut random = |below: u64| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) % below
        };
        for _ in 0..5000 {
            if random(2) == 0 {
                let message = Message { kind: random(4) as i64 + 1, bytes: vec![7; random(60) as usize] };
                let used: usize = model.iter().map(|message| message.bytes.len()).sum();
                assert_eq!(queue.has_room(message.bytes.len()), used + message.bytes.len() <= 400 && model.len() < 400);
                if queue.has_room(message.bytes.len()) {
                    queue.push(message.clone());
                    model.push(message);
                }
            } else {
                let selection = Selection::new(random(9) as i64 - 4, 0);
                let lowest = model.iter().map(|message| message.kind).min();
                let expected = model.iter().position(|message| match selection {
                    Selection::Lowest(limit) => message.kind <= limit && Some(message.kind) == lowest,
                    other => other.takes(message.kind),
                });
                assert_eq!(queue.find(selection), expected);
                if let Some(index) = expected {
                    assert_eq!(queue.remove(index), Some(model.remove(index)));
                }
            }
            assert_eq!((queue.len(), queue.is_empty()), (model.len(), model.is_empty()));
        }
    }
}
