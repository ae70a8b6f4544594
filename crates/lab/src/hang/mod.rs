//! Why nobody can go on: every thread, what it waits for, who alone could wake it, and whose fault it is.
//!
//! ```text
//! Kernel (who sleeps on which keys) + Witness (where things came from) + Sources (lines)
//!   -> awaits: a key and an operation to an Await        futexes: what a futex is in glibc
//!   -> holders: who has which end of what                graph: who is stuck, and the shortest cycle
//!   -> cause: the first pattern of a known mistake that fits
//! ```

mod awaits;
mod cause;
mod futexes;
mod graph;
mod holders;
#[cfg(test)]
mod tests;

use crate::source::{self, GuestFiles, Location, Sources};
use crate::text;
use crate::verdict::{Deed, Ending, Hang, Object, Occasion, Party, Person, State};
use crate::witness::{Site, Witness};
use holders::Holders;
use kernel::Kernel;
use kernel::ports::Outside;
use kernel::process::{Process, Thread, ThreadState};
use kernel::syscalls::argument::Peek;
use kernel::syscalls::operation::Operation;
use kernel::syscalls::table;
use kernel::table::Id;
use std::rc::Rc;

/// Threads that are told one by one; a person reads no more.
const PARTIES_TOLD: usize = 40;

/// What an explanation is made from.
pub struct Scene<'a> {
    pub(crate) kernel: &'a Kernel,
    pub(crate) witness: &'a Witness,
    outside: &'a mut dyn Outside,
    sources: Sources,
    holders: Holders,
}

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

impl<'a> Scene<'a> {
    pub(crate) fn new(kernel: &'a Kernel, witness: &'a Witness, outside: &'a mut dyn Outside) -> Scene<'a> {
        Scene { kernel, witness, outside, sources: Sources::default(), holders: Holders::of(kernel) }
    }

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

    fn backtrace(&mut self, thread: Id<Thread>) -> Vec<Location> {
        let mut files = GuestFiles { kernel: self.kernel, outside: self.outside };
        self.sources.backtrace(&mut files, thread)
    }

    /// The line that the programmer wrote.
    pub(crate) fn place(&mut self, site: &Site) -> Option<Location> {
        let mut files = GuestFiles { kernel: self.kernel, outside: self.outside };
        let stack = self.sources.stack(&mut files, &site.code, site, site.frame);
        source::own_frame(&stack).cloned()
    }

    pub(crate) fn deed(&mut self, site: &Rc<Site>) -> Deed {
        let place = self.place(site);
        Deed { by: self.person(site.process), call: text::call_name(site.call), place, at_ns: site.at.0 }
    }

    /// A process as reports name it.
    pub(crate) fn person(&self, id: Id<Process>) -> Person {
        let life = self.witness.life(id);
        if let Some(process) = self.kernel.processes.get(id) {
            let leader = process.threads.first().and_then(|thread| self.kernel.threads.get(*thread));
            let name = leader.map_or(&process.name, |leader| &leader.name);
            // comm has 15 bytes at most, prctl(2): the program's whole name says more, unless it calls itself otherwise.
            let program = life.map(|life| &life.name).filter(|program| program.starts_with(name));
            let name = program.unwrap_or(name);
            let at_ns = life.and_then(|life| life.ended).map_or(0, |(_, at)| at.0);
            let ending = process.exit_status.map(|status| Ending { status, at_ns });
            return Person { pid: process.pid, name: text::printable(name), ending };
        }
        match life {
            Some(life) => Person {
                pid: life.pid,
                name: text::printable(&life.name),
                ending: life.ended.map(|(status, at)| Ending { status, at_ns: at.0 }),
            },
            None => Person { pid: 0, name: "a process that is gone".to_string(), ending: None },
        }
    }

    /// A process by its number, dead or alive.
    fn person_numbered(&self, pid: i32) -> Option<Person> {
        let id = self.kernel.pids.processes.get(&pid).copied().or_else(|| self.witness.process_of(pid))?;
        Some(self.person(id))
    }

    fn object(&mut self, name: String, made: Option<Rc<Site>>) -> Object {
        Object { name, made: made.map(|site| self.deed(&site)) }
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
