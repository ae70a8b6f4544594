//! System V communication, sysvipc(7): objects found by key, owned, with permissions, alive until they are removed.

pub(crate) mod calls;
pub mod message_queue;
pub mod registry;
pub mod semaphore;
pub mod shared_memory;

pub use message_queue::{MessageQueue, ReceiveMessage, SendMessage};
pub use registry::{Identifier, Registry};
pub use semaphore::{SemaphoreSet, SemaphoreWait};
pub use shared_memory::Segment;

use std::collections::BTreeMap;

/// All System V objects.
#[derive(Clone, Debug, Default)]
pub struct SystemV {
    /// msgget(2).
    pub queues: Registry<MessageQueue>,
    /// semget(2).
    pub semaphores: Registry<SemaphoreSet>,
    /// shmget(2).
    pub segments: Registry<Segment>,
    /// What exits undo, semop(2) `SEM_UNDO`.
    pub undo: semaphore::Undo,
    /// Segments by the memory behind them.
    by_memory: BTreeMap<crate::table::Id<crate::mm::SharedMemory>, Identifier>,
    /// Limits of `/proc/sys/kernel`.
    pub limits: Limits,
}

/// Limits that `/proc/sys/kernel` shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `msgmax`: bytes of a message.
    pub message_size: usize,
    /// `msgmnb`: bytes of a queue.
    pub queue_size: usize,
    /// `msgmni`: queues.
    pub queues: usize,
    /// `sem`, first: semaphores of a set.
    pub semaphores_per_set: usize,
    /// `sem`, second: semaphores.
    pub semaphores: usize,
    /// `sem`, third: operations of a call.
    pub operations: usize,
    /// `sem`, fourth: sets.
    pub sets: usize,
    /// `shmmax`: bytes of a segment.
    pub segment_size: u64,
    /// `shmall`: pages of all segments.
    pub segment_pages: u64,
    /// `shmmni`: segments.
    pub segments: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        // Linux's include/uapi/linux/msg.h, sem.h, shm.h.
        Limits {
            message_size: 8192,
            queue_size: 16384,
            queues: 32000,
            semaphores_per_set: 32000,
            semaphores: 1_024_000_000,
            operations: 500,
            sets: 32000,
            segment_size: u64::MAX - (1 << 24),
            segment_pages: u64::MAX - (1 << 24),
            segments: 4096,
        }
    }
}

/// The largest value of a semaphore: `SEMVMX`.
pub const SEMAPHORE_MAXIMUM: i32 = 32767;
