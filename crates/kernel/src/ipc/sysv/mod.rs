//! System V communication, sysvipc(7): objects found by key, owned, with permissions, alive until they are removed.

pub(crate) mod calls;
pub(crate) mod limits;
pub(crate) mod listing;
pub mod message_queue;
pub mod registry;
pub mod semaphore;
pub mod shared_memory;

pub use limits::Limits;
pub use message_queue::{MessageQueue, ReceiveMessage, SendMessage};
pub use registry::{Identifier, ObjectId, Registry};
pub use semaphore::{SemaphoreSet, SemaphoreWait, UndoList};
pub use shared_memory::Segment;

use super::namespace::IpcNamespace;
use crate::entry::Call;
use crate::table::Id;

/// All System V objects of a namespace.
///
/// # Invariants
/// - `semaphores_used` and `pages_used` are the sums over all sets and segments.
#[derive(Clone, Debug, Default)]
pub struct SystemV {
    /// msgget(2).
    pub queues: Registry<MessageQueue>,
    /// semget(2).
    pub semaphores: Registry<SemaphoreSet>,
    /// shmget(2).
    pub segments: Registry<Segment>,
    /// Semaphores of all sets.
    pub semaphores_used: usize,
    /// Pages of all segments.
    pub pages_used: u64,
    /// Limits of `/proc/sys/kernel`.
    pub limits: Limits,
}

/// Removes everything of a namespace that its last thread has left: free_ipc_ns(). Attached segments stay until they are
/// detached.
pub(super) fn remove_all(call: &mut Call, namespace: Id<IpcNamespace>) {
    let system_v = &call.kernel.ipc_namespaces[namespace].system_v;
    let queues: Vec<Identifier> = system_v.queues.iter().map(|entry| entry.id).collect();
    let sets: Vec<Identifier> = system_v.semaphores.iter().map(|entry| entry.id).collect();
    let segments: Vec<Identifier> = system_v.segments.iter().map(|entry| entry.id).collect();
    for id in queues {
        message_queue::remove(call, ObjectId { namespace, id });
    }
    for id in sets {
        semaphore::remove(call, ObjectId { namespace, id });
    }
    for id in segments {
        shared_memory::remove(call.kernel, ObjectId { namespace, id });
    }
}

/// The largest value of a semaphore: `SEMVMX`.
pub const SEMAPHORE_MAXIMUM: i32 = 32767;
