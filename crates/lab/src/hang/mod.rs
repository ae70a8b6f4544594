//! Why nobody can go on: every thread, what it waits for, who alone could wake it, and whose fault it is.
//!
//! ```text
//! Kernel (who sleeps on which keys) + Witness (where things came from) + Sources (lines)
//!   -> awaits: a key and an operation to an Await        futexes: what a futex is in glibc
//!   -> graph: who is stuck, and the shortest cycle
//!   -> cause: the first pattern of a known mistake that fits
//! ```

mod awaits;
mod cause;
mod futexes;
mod graph;
#[cfg(test)]
mod tests;

use crate::scene::Scene;
use crate::source;
use crate::verdict::{Hang, Occasion, Party, State};
use crate::witness::Witness;
use kernel::Kernel;
use kernel::ports::Outside;
use kernel::process::{Thread, ThreadState};
use kernel::syscalls::argument::Peek;
use kernel::syscalls::operation::Operation;
use kernel::syscalls::table;
use kernel::table::Id;

/// Threads that are told one by one; a person reads no more.
const PARTIES_TOLD: usize = 40;

/// Explains why nobody goes on.
pub fn explain(kernel: &Kernel, witness: &Witness, outside: &mut dyn Outside, occasion: Occasion) -> Hang {
    let mut scene = Scene::new(kernel, witness, outside);
    let threads = scene.threads();
    let mut parties: Vec<Party> = threads.iter().take(PARTIES_TOLD).map(|thread| scene.party(*thread)).collect();
    let others = threads.len() - parties.len();
    let has_timers = kernel.clock.next_expiry().is_some();
    graph::mark_stuck(&mut parties, graph::Beside { has_timers, has_others: others > 0 });
    let cycle = graph::shortest_cycle(&parties);
    let cause = cause::find(&parties, &cycle);
    Hang { occasion, at_ns: kernel.clock.now().0, parties, others, cycle, cause, again: None }
}

impl Scene<'_> {
    /// All threads by number; those that can run first go last, as they are of less interest.
    fn threads(&self) -> Vec<Id<Thread>> {
        let mut threads: Vec<(bool, i32, Id<Thread>)> = self
            .kernel
            .threads
            .iter()
            .map(|(id, thread)| (thread.state == ThreadState::Runnable, thread.tid, id))
            .collect();
        threads.sort_unstable();
        threads.into_iter().map(|(_, _, id)| id).collect()
    }

    fn party(&mut self, id: Id<Thread>) -> Party {
        let kernel = self.kernel;
        let thread = &kernel.threads[id];
        let process = &kernel.processes[thread.process];
        let stack = self.backtrace(id);
        let place = source::own_frame(&stack).cloned();
        let library_call = source::library_call(&stack).map(str::to_string);
        let call = thread.call.map(|call| table::show(call.number, call.arguments, Peek { kernel, thread: id }));
        let state = match &thread.state {
            _ if process.stopped => State::Stopped,
            ThreadState::Runnable => State::Ready,
            ThreadState::Blocked(wait) => State::Asleep { until_ns: wait.deadline.map(|deadline| deadline.0) },
        };
        let is_asleep = matches!(thread.state, ThreadState::Blocked(_));
        let since_ns = self.witness.asleep_since(thread.tid).filter(|_| is_asleep).map(|since| since.0);
        let mut party = Party {
            process: self.person(thread.process),
            tid: thread.tid,
            is_one_of_several: process.threads.len() > 1,
            call,
            library_call,
            place,
            stack,
            since_ns,
            done_bytes: thread.operation.as_ref().and_then(done_bytes),
            state,
            awaits: Vec::new(),
            is_stuck: false,
        };
        party.awaits = awaits::of(self, id, &party);
        party
    }
}

/// Bytes that a call has moved already.
fn done_bytes(operation: &Operation) -> Option<u64> {
    match operation {
        Operation::Write(write) => Some(write.done),
        Operation::Send(send) => Some(send.done),
        Operation::Splice(splice) => Some(splice.done),
        Operation::TerminalWrite(write) => Some(write.done),
        _ => None,
    }
    .filter(|done| *done > 0)
}
