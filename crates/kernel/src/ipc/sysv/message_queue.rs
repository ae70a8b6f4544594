//! Message queues, msgop(2). Linux's ipc/msg.c.
//!
//! A message that somebody waits for is handed to him, in the order in which receivers came, and never enters the queue.

use super::registry::{self, Identifier};
use crate::entry::Call;
use crate::kernel::Kernel;
use crate::process::Thread;
use crate::syscalls::operation::{Blocking, Interrupted, Step};
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
    receivers: VecDeque<Receiver>,
}

/// A thread in msgrcv(2).
#[derive(Clone, Debug)]
struct Receiver {
    thread: Id<Thread>,
    selection: Selection,
    /// The longest message it takes.
    room: usize,
    /// What it was handed.
    handed: Option<Message>,
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
            receivers: VecDeque::new(),
        }
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
    pub id: Identifier,
    /// What to send; taken when it is sent.
    pub message: Option<Message>,
    /// `IPC_NOWAIT`.
    pub flags: i32,
    /// Whether it has slept: a queue that is gone was removed meanwhile.
    pub has_slept: bool,
}

/// A queue that may have been removed while its caller slept.
fn find<'a>(call: &'a mut Call, id: Identifier, has_slept: bool) -> Result<&'a mut MessageQueue, Error> {
    match call.kernel.system_v.queues.get_mut(id) {
        Ok(entry) => Ok(&mut entry.object),
        Err(_) if has_slept => Err(Errno::EIDRM.because("the message queue was removed")),
        Err(error) => Err(error),
    }
}

impl Blocking for SendMessage {
    fn step(&mut self, call: &mut Call) -> Result<Step, Error> {
        let (now, pid) = (registry::now(call), call.process().pid);
        let queue = find(call, self.id, self.has_slept)?;
        let length = self.message.as_ref().map_or(0, |message| message.bytes.len());
        if !queue.has_room(length) {
            if self.flags & IPC_NOWAIT != 0 {
                return Err(Errno::EAGAIN.because("the queue is full, and `IPC_NOWAIT` is set"));
            }
            self.has_slept = true;
            return Ok(Step::Block(Wait::on(WaitKey::QueueRoom(self.id))));
        }
        queue.last_sender = pid;
        queue.sent = now;
        let message = self.message.take().expect("a message is sent once");
        hand_over(call.kernel, self.id, message, now);
        Ok(Step::Done(0))
    }

    fn interrupted(&self) -> Interrupted {
        Interrupted::Never
    }
}

/// Gives a message to the first receiver that waits for it, or puts it into the queue: pipelined_send(). A receiver whose
/// buffer is too small for the message is woken to fail, and the next one is asked.
fn hand_over(kernel: &mut Kernel, id: Identifier, message: Message, now: i64) {
    let Ok(entry) = kernel.system_v.queues.get_mut(id) else { return };
    let queue = &mut entry.object;
    let mut woken = Vec::new();
    let mut message = Some(message);
    for receiver in &mut queue.receivers {
        let Some(candidate) = &message else { break };
        if receiver.handed.is_some() || !receiver.selection.takes(candidate.kind) {
            continue;
        }
        let fits = candidate.bytes.len() <= receiver.room;
        woken.push(receiver.thread);
        receiver.handed = message.take();
        if fits {
            let pid = kernel.threads[receiver.thread].process;
            queue.last_receiver = kernel.processes[pid].pid;
            queue.received = now;
            break;
        }
        // It fails with `E2BIG`; the message goes on.
        message = receiver.handed.clone();
    }
    if let Some(message) = message {
        queue.push(message);
    }
    for thread in woken {
        kernel.unblock(thread);
    }
}

/// msgrcv(2).
#[derive(Clone, Debug)]
pub struct ReceiveMessage {
    /// The queue.
    pub id: Identifier,
    /// Where the type goes, and the bytes behind it.
    pub to: UserPtr<i64>,
    /// Bytes that there is room for.
    pub room: usize,
    /// Which message.
    pub selection: Selection,
    /// `MSG_` and `IPC_` flags.
    pub flags: i32,
    /// Whether it has slept, and is listed among the receivers.
    pub is_listed: bool,
}

impl Blocking for ReceiveMessage {
    fn step(&mut self, call: &mut Call) -> Result<Step, Error> {
        if let Some(message) = self.take_handed(call)? {
            return self.give(call, &message);
        }
        let (now, pid) = (registry::now(call), call.process().pid);
        let cuts = self.flags & MSG_NOERROR != 0;
        let (selection, room) = (self.selection, self.room);
        let queue = find(call, self.id, self.is_listed)?;
        let Some(index) = queue.find(selection) else {
            if self.flags & IPC_NOWAIT != 0 {
                return Err(Errno::ENOMSG.because("the queue has no such message"));
            }
            self.list(call)?;
            return Ok(Step::Block(Wait::on(WaitKey::QueueMessage(self.id))));
        };
        if queue.messages[index].bytes.len() > room && !cuts {
            return Err(Errno::E2BIG.because("the message is longer than `msgsz`"));
        }
        if matches!(selection, Selection::Position(_)) {
            let message = queue.messages[index].clone();
            return self.give(call, &message);
        }
        let message = queue.remove(index).expect("it was just found");
        queue.last_receiver = pid;
        queue.received = now;
        call.kernel.wake(WaitKey::QueueRoom(self.id));
        self.give(call, &message)
    }

    fn interrupted(&self) -> Interrupted {
        Interrupted::Never
    }

    fn release(&mut self, call: &mut Call) {
        let thread = call.thread;
        if self.is_listed
            && let Ok(entry) = call.kernel.system_v.queues.get_mut(self.id)
        {
            entry.object.receivers.retain(|receiver| receiver.thread != thread);
        }
    }
}

impl ReceiveMessage {
    fn list(&mut self, call: &mut Call) -> Result<(), Error> {
        let room = if self.flags & MSG_NOERROR != 0 { usize::MAX } else { self.room };
        let receiver = Receiver { thread: call.thread, selection: self.selection, room, handed: None };
        let queue = find(call, self.id, self.is_listed)?;
        if !std::mem::replace(&mut self.is_listed, true) {
            queue.receivers.push_back(receiver);
        }
        Ok(())
    }

    /// What a sender handed over.
    fn take_handed(&self, call: &mut Call) -> Result<Option<Message>, Error> {
        if !self.is_listed {
            return Ok(None);
        }
        let thread = call.thread;
        let queue = find(call, self.id, true)?;
        let handed = queue.receivers.iter_mut().find(|receiver| receiver.thread == thread);
        let handed = handed.and_then(|receiver| receiver.handed.take());
        match handed {
            Some(message) if message.bytes.len() > self.room && self.flags & MSG_NOERROR == 0 => {
                Err(Errno::E2BIG.because("the message is longer than `msgsz`"))
            }
            handed => Ok(handed),
        }
    }

    /// Copies a message out. It is lost if that fails, as on Linux.
    fn give(&self, call: &mut Call, message: &Message) -> Result<Step, Error> {
        let length = message.bytes.len().min(self.room);
        call.write(self.to, &message.kind)?;
        call.copy_out(self.to.address().wrapping_add(8), &message.bytes[..length])?;
        Ok(Step::Done(length as u64))
    }
}

/// Removes a queue: who waits is woken and fails with `EIDRM`.
pub(super) fn remove(kernel: &mut Kernel, id: Identifier) {
    let Some(entry) = kernel.system_v.queues.remove(id) else { return };
    for receiver in entry.object.receivers {
        kernel.unblock(receiver.thread);
    }
    kernel.wake(WaitKey::QueueRoom(id));
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
