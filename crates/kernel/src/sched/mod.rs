//! Who may run: the queue from which the chooser picks. Classes, priorities and affinity are kept per thread; what
//! they change about the order is decided here.

pub mod calls;
pub mod rseq;

use crate::kernel::Kernel;
use crate::process::Thread;
use crate::table::Id;
use std::collections::{BTreeSet, VecDeque};

/// The threads that are ready, in order of arrival, and the one that runs.
///
/// # Invariants
/// - `listed` holds exactly the members of `queue`;
/// - the running thread is not in the queue.
#[derive(Clone, Debug, Default)]
pub struct Scheduler {
    queue: VecDeque<Id<Thread>>,
    listed: BTreeSet<Id<Thread>>,
    current: Option<Id<Thread>>,
    yielded: bool,
    has_just_started: bool,
}

impl Scheduler {
    /// The threads that are ready.
    pub fn queue(&self) -> &VecDeque<Id<Thread>> {
        &self.queue
    }

    /// The thread on whose behalf the kernel works.
    #[inline]
    pub fn current(&self) -> Option<Id<Thread>> {
        self.current
    }

    /// Puts a thread at the end of the queue, unless it is there already or runs.
    pub(crate) fn enqueue(&mut self, thread: Id<Thread>) {
        if self.current != Some(thread) && self.listed.insert(thread) {
            self.queue.push_back(thread);
        }
    }

    /// Takes a thread out of the queue: it was stopped, or ended.
    pub(crate) fn forget(&mut self, thread: Id<Thread>) {
        if self.listed.remove(&thread) {
            self.queue.retain(|listed| *listed != thread);
        }
    }

    /// Lets the `index`-th thread of the queue run.
    pub fn start(&mut self, index: usize) -> Id<Thread> {
        assert!(self.current.is_none(), "one thread runs at a time");
        let thread = self.queue.remove(index).expect("the chooser picks a member of the queue");
        self.listed.remove(&thread);
        self.current = Some(thread);
        self.yielded = false;
        self.has_just_started = true;
        thread
    }

    /// Whether this is the first look at the running thread since it was let run.
    #[inline]
    pub(crate) fn take_start(&mut self) -> bool {
        std::mem::take(&mut self.has_just_started)
    }

    /// Nobody runs any more. The caller makes the thread ready again if it is.
    pub fn stop(&mut self) {
        self.current = None;
    }

    /// sched_yield(2): ends the running thread's slice.
    pub fn yield_now(&mut self) {
        self.yielded = true;
    }

    /// Whether the running thread has given up its slice.
    pub fn has_yielded(&self) -> bool {
        self.yielded
    }
}

/// How a thread wants to be scheduled, sched(7).
///
/// The class is kept and reported; all threads share the processor in turns, which the chooser decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// `SCHED_OTHER`, `SCHED_FIFO`, ...
    pub class: i32,
    /// 1 to 99 for the real-time classes, 0 for others.
    pub priority: i32,
    /// -20 (most favourable) to 19.
    pub nice: i32,
    /// Children start with the default policy.
    pub reset_on_fork: bool,
    /// Processors that it may run on, a bit each.
    pub affinity: u64,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy { class: abi::sched::SCHED_OTHER, priority: 0, nice: 0, reset_on_fork: false, affinity: u64::MAX }
    }
}

/// The processors of the machine, a bit each.
pub fn online(kernel: &Kernel) -> u64 {
    match kernel.configuration.cpus {
        cpus @ 0..64 => (1 << cpus.max(1)) - 1,
        _ => u64::MAX,
    }
}

/// The processor for a new thread: the next one after its creator's that the creator may use.
pub(crate) fn next_cpu(kernel: &Kernel, creator: Id<Thread>) -> u32 {
    let Thread { cpu, policy, .. } = &kernel.threads[creator];
    let allowed = policy.affinity & online(kernel);
    let above = allowed & !(u64::MAX >> (63 - cpu));
    let chosen = if above != 0 { above } else { allowed };
    if chosen == 0 { *cpu } else { chosen.trailing_zeros() }
}
