//! Who waits for what. The one place where blocked threads are listed.

use crate::clock::Instant;
use crate::process::{Process, Thread};
use crate::table::Id;
use std::collections::BTreeMap;

/// A condition a thread can sleep on, named after the object and the change awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WaitKey {
    /// A child of the process changed state, wait(2).
    Child(Id<Process>),
    /// The process released the address space that it borrowed from its parent, vfork(2).
    Vfork(Id<Process>),
    /// Bytes came, or the last writer went, or readers waiting in open(2) got a writer.
    PipeReadable(Id<crate::ipc::pipe::Pipe>),
    /// Room came, or the last reader went.
    PipeWritable(Id<crate::ipc::pipe::Pipe>),
    /// A signal became pending for the thread: sigwait family, pause.
    Signal(Id<Thread>),
}

/// What a blocked thread waits for: any of the keys, or the deadline.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Wait {
    /// Any of these wakes the thread.
    pub keys: Vec<WaitKey>,
    /// So does this instant.
    pub deadline: Option<Instant>,
}

impl Wait {
    /// For one key, without limit of time.
    pub fn on(key: WaitKey) -> Wait {
        Wait { keys: vec![key], deadline: None }
    }

    /// For a point in time.
    pub fn until(deadline: Instant) -> Wait {
        Wait { keys: Vec::new(), deadline: Some(deadline) }
    }

    /// The same with a deadline, if there is one.
    pub fn with_deadline(self, deadline: Option<Instant>) -> Wait {
        Wait { deadline, ..self }
    }
}

/// All sleepers, first come first.
///
/// # Invariants
/// - both maps say the same.
#[derive(Clone, Debug, Default)]
pub struct Waits {
    by_key: BTreeMap<(WaitKey, u64), Id<Thread>>,
    by_thread: BTreeMap<Id<Thread>, Vec<(WaitKey, u64)>>,
    next_ticket: u64,
}

impl Waits {
    /// Lists `thread` behind those that wait on `key` already.
    pub fn enqueue(&mut self, key: WaitKey, thread: Id<Thread>) {
        self.by_key.insert((key, self.next_ticket), thread);
        self.by_thread.entry(thread).or_default().push((key, self.next_ticket));
        self.next_ticket += 1;
    }

    /// The waiters on `key`, first come first.
    pub fn on(&self, key: WaitKey) -> Vec<Id<Thread>> {
        self.by_key.range((key, 0)..=(key, u64::MAX)).map(|(_, thread)| *thread).collect()
    }

    /// Whether anybody waits on `key`.
    pub fn any(&self, key: WaitKey) -> bool {
        self.by_key.range((key, 0)..=(key, u64::MAX)).next().is_some()
    }

    /// Takes `thread` off all lists.
    pub fn cancel(&mut self, thread: Id<Thread>) {
        for ticket in self.by_thread.remove(&thread).unwrap_or_default() {
            self.by_key.remove(&ticket);
        }
    }

    /// All keys and their sleepers, for reports.
    pub fn iter(&self) -> impl Iterator<Item = (WaitKey, Id<Thread>)> + '_ {
        self.by_key.iter().map(|((key, _), thread)| (*key, *thread))
    }
}
