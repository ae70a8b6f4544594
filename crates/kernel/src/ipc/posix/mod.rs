//! POSIX communication: message queues. Shared memory objects and named semaphores are files on `/dev/shm`, unnamed
//! semaphores are futexes.

pub(crate) mod calls;
pub(crate) mod limits;
pub mod message_queue;
pub mod names;

pub use limits::Limits;
pub use message_queue::{MessageQueue, Receive, Send};

use crate::fs::Node;
use crate::table::Id;

/// The POSIX message queues of a namespace. Their names are a directory, the root of a file system of its own.
#[derive(Clone, Copy, Debug)]
pub struct Queues {
    /// Where their names are.
    pub directory: Id<Node>,
    /// How many there are, with names or without.
    pub count: usize,
    /// `/proc/sys/fs/mqueue`.
    pub limits: Limits,
}
