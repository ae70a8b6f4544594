//! POSIX communication: message queues. Shared memory objects and named semaphores are files on `/dev/shm`, unnamed
//! semaphores are futexes.

pub(crate) mod calls;
pub mod message_queue;

pub use message_queue::{MessageQueue, Receive, Send};

use crate::table::Id;
use std::collections::BTreeMap;

/// All POSIX message queues by name, and their limits.
#[derive(Clone, Debug, Default)]
pub struct Queues {
    /// Names, without a leading slash.
    pub by_name: BTreeMap<Vec<u8>, Id<MessageQueue>>,
    /// Bytes that each user's queues may take, by user: RLIMIT_MSGQUEUE.
    charged: BTreeMap<u32, u64>,
    /// `/proc/sys/fs/mqueue`.
    pub limits: Limits,
}

/// `/proc/sys/fs/mqueue`, mq_overview(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `msg_default`: messages of a queue made without attributes.
    pub messages_default: i64,
    /// `msg_max`: messages of a queue at most.
    pub messages_max: i64,
    /// `msgsize_default`: bytes of a message of a queue made without attributes.
    pub size_default: i64,
    /// `msgsize_max`: bytes of a message at most.
    pub size_max: i64,
    /// `queues_max`: queues at most.
    pub queues_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { messages_default: 10, messages_max: 10, size_default: 8192, size_max: 8192, queues_max: 256 }
    }
}
