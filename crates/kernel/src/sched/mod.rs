//! Who may run: the queue from which the chooser picks. Classes, priorities and affinity are kept per thread; what
//! they change about the order is decided in [`rank`].

pub mod calls;
pub mod deadline;
pub mod load;
pub mod rank;
pub mod rseq;

use crate::kernel::Kernel;
use crate::process::Thread;
use crate::table::Id;
use std::collections::{BTreeSet, VecDeque};

/// The threads that are ready, in order of arrival, and the one that runs.
///
/// # Invariants
/// - `listed` is true for exactly the indices of the members of `queue`;
/// - the running thread is not in the queue.
#[derive(Clone, Debug, Default)]
pub struct Scheduler {
    queue: VecDeque<Id<Thread>>,
    listed: Vec<bool>,
    current: Option<Id<Thread>>,
    yielded: bool,
    has_just_started: bool,
    /// The threads of the classes that go before the usual ones. While there is none, all who are ready may run.
    ranked: BTreeSet<Id<Thread>>,
    /// Who may run has changed since the running thread was let run.
    reconsiders: bool,
    tickets: (i64, i64),
    fair: rank::FairServer,
}

impl Scheduler {
    /// The threads that are ready.
    #[inline]
    pub fn queue(&self) -> &VecDeque<Id<Thread>> {
        &self.queue
    }

    /// The thread on whose behalf the kernel works.
    #[inline]
    pub fn current(&self) -> Option<Id<Thread>> {
        self.current
    }

    /// How many threads run or could.
    #[inline]
    pub fn active(&self) -> usize {
        self.queue.len() + usize::from(self.current.is_some())
    }

    /// Puts a thread at the end of the queue, unless it is there already or runs; whether it was put there.
    #[inline]
    pub(crate) fn enqueue(&mut self, thread: Id<Thread>) -> bool {
        let index = thread.index() as usize;
        if index >= self.listed.len() {
            self.listed.resize(index + 1, false);
        }
        let is_new = self.current != Some(thread) && !self.listed[index];
        if is_new {
            self.listed[index] = true;
            self.queue.push_back(thread);
        }
        is_new
    }

    /// Takes a thread out of `listed`; whether it was there.
    fn unlist(&mut self, thread: Id<Thread>) -> bool {
        self.listed.get_mut(thread.index() as usize).is_some_and(std::mem::take)
    }

    /// Whether any thread is of a class that goes before the usual ones.
    #[inline]
    pub fn has_ranks(&self) -> bool {
        !self.ranked.is_empty()
    }

    /// A thread is of such a class now, or of a usual one, or it is gone.
    pub(crate) fn note_class(&mut self, thread: Id<Thread>, is_ranked: bool) {
        if is_ranked {
            self.ranked.insert(thread);
        } else {
            self.ranked.remove(&thread);
        }
    }

    /// Who may run has changed: another thread may have to run in place of the running one.
    pub(crate) fn reconsider(&mut self) {
        self.reconsiders = true;
    }

    /// Whether that has happened since the last look.
    #[inline]
    pub(crate) fn take_reconsideration(&mut self) -> bool {
        std::mem::take(&mut self.reconsiders)
    }

    /// A place behind all others of a priority.
    pub(crate) fn last_ticket(&mut self) -> i64 {
        self.tickets.1 += 1;
        self.tickets.1
    }

    /// A place before all others of a priority.
    pub(crate) fn first_ticket(&mut self) -> i64 {
        self.tickets.0 -= 1;
        self.tickets.0
    }

    /// Takes a thread out of the queue: it was stopped, or ended.
    pub(crate) fn forget(&mut self, thread: Id<Thread>) {
        if self.unlist(thread) {
            self.queue.retain(|listed| *listed != thread);
        }
    }

    /// Lets a thread of the queue run.
    #[inline]
    pub(crate) fn start(&mut self, thread: Id<Thread>) {
        assert!(self.current.is_none(), "one thread runs at a time");
        assert!(self.unlist(thread), "the chooser picks a member of the queue");
        let index = self.queue.iter().position(|listed| *listed == thread).expect("it is listed");
        self.queue.remove(index);
        self.current = Some(thread);
        self.yielded = false;
        self.reconsiders = false;
        self.has_just_started = true;
    }

    /// Whether this is the first look at the running thread since it was let run.
    #[inline]
    pub(crate) fn take_start(&mut self) -> bool {
        std::mem::take(&mut self.has_just_started)
    }

    /// Nobody runs any more. The caller makes the thread ready again if it is.
    #[inline]
    pub fn stop(&mut self) {
        self.current = None;
    }

    /// sched_yield(2): ends the running thread's slice.
    pub fn yield_now(&mut self) {
        self.yielded = true;
    }

    /// Whether the running thread has given up its slice.
    #[inline]
    pub fn has_yielded(&self) -> bool {
        self.yielded
    }
}

/// How a thread wants to be scheduled, sched(7).
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
    /// What it asked for in `SCHED_DEADLINE`.
    pub deadline: deadline::Parameters,
    /// The slice it asked for in one of the usual classes, sched_setattr(2); 0: the default. Reported; turns are the
    /// chooser's.
    pub slice_ns: u64,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            class: abi::sched::SCHED_OTHER,
            priority: 0,
            nice: 0,
            reset_on_fork: false,
            affinity: u64::MAX,
            deadline: deadline::Parameters::default(),
            slice_ns: 0,
        }
    }
}

impl Policy {
    /// What children inherit, sched(7) "Resetting scheduling policy for child processes".
    pub(crate) fn inherited(self) -> Policy {
        if !self.reset_on_fork {
            return self;
        }
        let plain = Policy { nice: self.nice.max(0), reset_on_fork: false, ..self };
        if rank::is_ranked(self.class) {
            return Policy { class: abi::sched::SCHED_OTHER, priority: 0, deadline: Default::default(), ..plain };
        }
        plain
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
