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
use crate::kernel::Kernel;
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

impl SystemV {
    /// Checks sums, and that who is in line waits.
    ///
    /// # Errors
    /// What does not hold.
    pub(crate) fn check(&self, kernel: &Kernel, namespace: Id<IpcNamespace>) -> Result<(), String> {
        let semaphores: usize = self.semaphores.iter().map(|entry| entry.object.semaphores.len()).sum();
        let pages: u64 = self.segments.iter().map(|entry| entry.object.pages(kernel.page_size())).sum();
        if (semaphores, pages) != (self.semaphores_used, self.pages_used) {
            return Err(format!("{semaphores} semaphores and {pages} pages of segments, but others are counted"));
        }
        for entry in self.semaphores.iter() {
            entry.object.check(kernel, ObjectId { namespace, id: entry.id })?;
        }
        let at_queues = self.queues.iter().flat_map(|entry| entry.object.waiting());
        let at_sets = self.semaphores.iter().flat_map(|entry| entry.object.waiting());
        if !at_queues.chain(at_sets).all(|thread| crate::check::is_asleep(kernel, thread)) {
            return Err("somebody is in line at a System V object who does not wait".to_string());
        }
        for entry in self.segments.iter() {
            let memory = kernel.mm.shared.get(entry.object.memory);
            if memory.and_then(|memory| memory.segment) != Some(ObjectId { namespace, id: entry.id }) {
                return Err(format!("segment {:?} and its memory do not know each other", entry.id));
            }
        }
        Ok(())
    }
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
