//! Handlers of System V calls.

mod message_queue;
mod semaphore;
mod shared_memory;

pub(crate) use message_queue::{msgctl, msgget, msgrcv, msgsnd};
pub(crate) use semaphore::{semctl, semget, semop, semtimedop};
pub(crate) use shared_memory::{shmctl, shmget};

use super::registry::Identifier;

/// IPC_STAT returns 0, its variants by index the identifier.
fn stat_result(command: i32, by_index: i32, id: Identifier) -> u64 {
    if command >= by_index { id.0 as u64 } else { 0 }
}
