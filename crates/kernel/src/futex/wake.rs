//! Waking sleepers of a futex.

use super::key::{Key, Sharing};
use crate::entry::Call;
use crate::event::Event;
use crate::kernel::Kernel;
use crate::process::Thread;
use crate::syscalls::operation::Operation;
use crate::table::Id;
use crate::wait::WaitKey;

/// Wakes at most `most` sleepers whose bit sets share a bit with `bits`, first come first. How many it were.
pub(crate) fn wake(kernel: &mut Kernel, key: Key, most: u32, bits: u32) -> u64 {
    let mut woken = 0;
    while woken < u64::from(most) {
        let first = kernel.waits.iter_on(WaitKey::Futex(key)).find(|thread| waits_for(kernel, *thread, key, bits));
        let Some(thread) = first else { break };
        mark(kernel, thread, key);
        kernel.emit(Event::Woken { thread, key: WaitKey::Futex(key) });
        kernel.unblock(thread);
        woken += 1;
    }
    woken
}

/// Whether a sleeper at a futex waits for these bits.
fn waits_for(kernel: &Kernel, thread: Id<Thread>, key: Key, bits: u32) -> bool {
    match &kernel.threads[thread].operation {
        Some(Operation::FutexWait(wait)) => wait.bits & bits != 0 && wait.owned.is_none(),
        Some(Operation::FutexWaitMany(wait)) => wait.waits_for(key),
        _ => false,
    }
}

/// Marks a sleeper as woken, which [waits](waits_for) for that.
fn mark(kernel: &mut Kernel, thread: Id<Thread>, key: Key) {
    match &mut kernel.threads[thread].operation {
        Some(Operation::FutexWait(wait)) => wait.is_woken = true,
        Some(Operation::FutexWaitMany(wait)) => wait.mark(key),
        _ => {}
    }
}

/// Wakes one sleeper at an address of the calling process: what the kernel does for a thread that ends. Linux passes no
/// private flag there, so sleepers with the flag do not count.
pub(crate) fn wake_one(call: &mut Call, address: u64) {
    if let Ok(key) = Key::of(call, address, Sharing::Shared) {
        wake(call.kernel, key, 1, u32::MAX);
    }
}
