//! Messages on their way, and the queue in which they wait.

use super::Socket;
use crate::fs::FileDescription;
use crate::table::Id;
use abi::socket::SocketCredentials;
use std::collections::VecDeque;

/// Open files on their way to another process, held.
pub type Rights = Vec<Id<FileDescription>>;

/// What one send brought, or a part of it that was not received yet.
#[derive(Clone, Debug)]
pub struct Message {
    bytes: Vec<u8>,
    /// Of a stream: bytes received already.
    start: usize,
    /// Open files that come with it.
    pub rights: Rights,
    /// Who sent it.
    pub credentials: SocketCredentials,
    /// Whether the sender asked to pass credentials, or gave some: then bytes of others are not mixed with these.
    pub has_credentials: bool,
    /// The sender's name in its C form.
    pub from: Option<Vec<u8>>,
    /// Whose send buffer it fills, and by how much.
    pub charged: (Id<Socket>, usize),
}

impl Message {
    /// A message.
    pub fn new(bytes: Vec<u8>, credentials: SocketCredentials, charged_to: Id<Socket>) -> Message {
        let weight = weight(bytes.len());
        Message {
            bytes,
            start: 0,
            rights: Rights::new(),
            credentials,
            has_credentials: false,
            from: None,
            charged: (charged_to, weight),
        }
    }

    /// What was not received yet.
    pub fn remaining(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Whether bytes of this message may be received together with those of another.
    pub fn mixes_with(&self, other: &Message) -> bool {
        self.has_credentials == other.has_credentials && self.credentials == other.credentials
    }
}

/// What messages weigh in a send buffer: the `truesize` of Linux's socket buffers, so that as much fits as there.
/// net/core/skbuff.c: the bytes up to 3,776 and the shared info of 320 lie in a slab object, the rest in pages; the
/// head takes 256.
pub(super) fn weight(length: usize) -> usize {
    const HEAD: usize = 256;
    const SHARED_INFO: usize = 320;
    const LINEAR_MAX: usize = 4096 - SHARED_INFO;
    let paged = length.saturating_sub(LINEAR_MAX).next_multiple_of(4096).min(length);
    let linear = (length - paged).next_multiple_of(64) + SHARED_INFO;
    HEAD + linear.next_power_of_two().max(512) + paged.next_multiple_of(4096)
}

/// Messages that wait to be received.
///
/// # Invariants
/// - `bytes` is the sum of what remains of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    messages: VecDeque<Message>,
    bytes: usize,
}

impl Queue {
    /// Bytes in it.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Messages in it.
    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether there is no message.
    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// The oldest message.
    pub(super) fn front(&self) -> Option<&Message> {
        self.messages.front()
    }

    /// The `index`-th oldest message.
    pub(super) fn get(&self, index: usize) -> Option<&Message> {
        self.messages.get(index)
    }

    /// The oldest message's open files, taken out of it.
    pub(super) fn take_rights(&mut self) -> Rights {
        self.messages.front_mut().map(|message| std::mem::take(&mut message.rights)).unwrap_or_default()
    }

    /// All of them, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Message> {
        self.messages.iter()
    }

    /// Adds a message.
    pub(super) fn push(&mut self, message: Message) {
        self.bytes += message.remaining().len();
        self.messages.push_back(message);
    }

    /// Takes the oldest message out.
    pub(super) fn pop(&mut self) -> Option<Message> {
        let message = self.messages.pop_front()?;
        self.bytes -= message.remaining().len();
        Some(message)
    }

    /// Takes bytes off the oldest message; it leaves the queue, and is given back, when none remain.
    pub(super) fn consume(&mut self, length: usize) -> Option<Message> {
        let message = self.messages.front_mut().expect("what is consumed was there");
        assert!(length <= message.remaining().len(), "a message is received once");
        message.start += length;
        self.bytes -= length;
        if message.remaining().is_empty() { self.messages.pop_front() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_small_messages_fit_in_a_send_buffer_as_on_linux() {
        assert_eq!(weight(1), 768);
        assert_eq!(212_992usize.div_ceil(weight(1)), 278);
        assert_eq!(weight(65536), 66304);
    }

    #[test]
    fn bytes_are_consumed_across_one_message_only() {
        let mut queue = Queue::default();
        let message = |bytes: &[u8]| Message::new(bytes.to_vec(), SocketCredentials::default(), Id::numbered(0));
        queue.push(message(b"abc"));
        queue.push(message(b"de"));
        assert_eq!((queue.len(), queue.bytes()), (2, 5));
        assert!(queue.consume(2).is_none());
        assert_eq!(queue.front().unwrap().remaining(), b"c");
        assert!(queue.consume(1).is_some());
        assert_eq!((queue.len(), queue.bytes()), (1, 2));
    }
}
