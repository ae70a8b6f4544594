//! Who may run before whom, sched(7): `SCHED_DEADLINE` before `SCHED_FIFO` and `SCHED_RR` by priority, before all others.
//!
//! The machine shows several processors, and one thread runs at a time: the chooser picks among those that would be running
//! on the processors of such a machine, each on one that its affinity allows. So a real-time thread that never sleeps keeps
//! one processor from the others, as natively, and threads of the usual classes share what is left.

use super::deadline;
use crate::clock::Instant;
use crate::futex;
use crate::kernel::Kernel;
use crate::process::{Thread, ThreadState};
use crate::sched::online;
use crate::table::Id;
use abi::sched::{SCHED_DEADLINE, SCHED_FIFO, SCHED_IDLE, SCHED_RR};
use std::collections::{BTreeSet, VecDeque};

/// Processor time of a thread in `SCHED_RR` before others of its priority come, `RR_TIMESLICE` of Linux's
/// include/linux/sched/rt.h.
pub const ROUND_ROBIN_NS: u64 = 100_000_000;

/// Threads of the usual classes that real-time threads keep from the processor get [`FAIR_TURN_NS`] of it after so long:
/// `fair_server_init` of Linux's kernel/sched/deadline.c.
const FAIR_PATIENCE_NS: u64 = 950_000_000;
const FAIR_TURN_NS: u64 = 50_000_000;

/// Weight of each nice value from -20 to 19, `sched_prio_to_weight` of Linux's kernel/sched/core.c: a step is about 10% of
/// processor time.
const WEIGHTS: [u64; 40] = [
    88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916, 9548, 7620, 6100, 4904, 3906, 3121, 2501,
    1991, 1586, 1277, 1024, 820, 655, 526, 423, 335, 272, 215, 172, 137, 110, 87, 70, 56, 45, 36, 29, 23, 18, 15,
];
const WEIGHT_OF_NICE_0: u64 = 1024;
const WEIGHT_IDLE: u64 = 3;

/// Where a thread stands among others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Among real-time threads of one priority the lowest is first.
    pub ticket: i64,
    /// Processor time since its turn among threads in `SCHED_RR` began.
    pub quantum_ns: u64,
    /// What a thread in `SCHED_DEADLINE` has left, and until when.
    pub deadline: deadline::Budget,
    /// Since when it is ready.
    pub ready_since: Instant,
    /// How long it was ready and did not run, so far.
    pub waited_ns: u64,
}

/// Order among ready threads: lowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Deadline(Instant),
    RealTime { below_highest: i32, ticket: i64 },
    Fair,
}

/// Whether a class goes before the usual ones.
pub(crate) fn is_ranked(class: i32) -> bool {
    matches!(class, SCHED_FIFO | SCHED_RR | SCHED_DEADLINE)
}

fn rank(kernel: &Kernel, thread: Id<Thread>) -> Rank {
    let Thread { policy, place, .. } = &kernel.threads[thread];
    let own = match policy.class {
        SCHED_DEADLINE => Rank::Deadline(place.deadline.until),
        SCHED_FIFO | SCHED_RR => Rank::RealTime { below_highest: 99 - policy.priority, ticket: place.ticket },
        _ => Rank::Fair,
    };
    if kernel.pi_waiters == 0 {
        return own;
    }
    // Who holds a lock that somebody more urgent waits for runs in its place: futex(2) "Priority-inheritance futexes".
    futex::waiters_for(kernel, thread).map(|waiter| rank(kernel, waiter)).fold(own, Rank::min)
}

/// Those of the ready threads that may run now, in order of arrival; `None`: all.
pub fn candidates(kernel: &mut Kernel) -> Option<VecDeque<Id<Thread>>> {
    if !kernel.scheduler.has_ranks() {
        return None;
    }
    let queue = kernel.scheduler.queue();
    let mut chosen = on_processors(kernel, queue.iter().copied());
    let is_fair = |thread: &Id<Thread>| rank(kernel, *thread) == Rank::Fair;
    let starving: BTreeSet<Id<Thread>> =
        queue.iter().copied().filter(|thread| !chosen.contains(thread) && is_fair(thread)).collect();
    if kernel.scheduler.fair.serves(kernel.clock.now(), !starving.is_empty()) {
        chosen = starving;
    }
    Some(kernel.scheduler.queue().iter().copied().filter(|thread| chosen.contains(thread)).collect())
}

/// Whether the running thread goes on, now that who is ready or how urgent has changed.
#[inline]
pub fn goes_on(kernel: &mut Kernel, running: Id<Thread>) -> bool {
    !kernel.scheduler.take_reconsideration() || is_among_first(kernel, running)
}

fn is_among_first(kernel: &Kernel, running: Id<Thread>) -> bool {
    let is_ready = kernel.threads.get(running).is_some_and(|thread| thread.state == ThreadState::Runnable);
    let everybody = kernel.scheduler.queue().iter().copied().chain([running]);
    !is_ready || on_processors(kernel, everybody).contains(&running)
}

/// Those of the threads that would be running on the processors of the machine, or take turns there.
fn on_processors(kernel: &Kernel, threads: impl Iterator<Item = Id<Thread>>) -> BTreeSet<Id<Thread>> {
    let mut ranked: Vec<(Rank, Id<Thread>)> = threads.map(|thread| (rank(kernel, thread), thread)).collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    let mut free = online(kernel);
    let mut chosen = BTreeSet::new();
    for (rank, thread) in ranked {
        let Thread { policy, cpu, .. } = &kernel.threads[thread];
        let allowed = policy.affinity & free;
        if allowed == 0 {
            continue;
        }
        chosen.insert(thread);
        if rank != Rank::Fair {
            free &= !(1 << if allowed & 1 << cpu != 0 { *cpu } else { allowed.trailing_zeros() });
        }
    }
    chosen
}

/// Sees to it that real-time threads do not starve the others for ever.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FairServer {
    starving_since: Option<Instant>,
    serves_until: Option<Instant>,
}

impl FairServer {
    /// Whether it is the turn of threads that have starved.
    fn serves(&mut self, now: Instant, is_starving: bool) -> bool {
        if self.serves_until.is_some_and(|until| now >= until) {
            *self = FairServer::default();
        }
        if !is_starving {
            *self = FairServer::default();
            return false;
        }
        let since = *self.starving_since.get_or_insert(now);
        if self.serves_until.is_none() && now.since(since) >= FAIR_PATIENCE_NS {
            self.serves_until = Some(now.after(FAIR_TURN_NS));
        }
        self.serves_until.is_some()
    }
}

/// How many instructions a thread may run at a time if one of nice 0 may run `slice`: that is how nice values share the
/// processor. Alone it needs no share.
pub fn turn_length(kernel: &Kernel, thread: Id<Thread>, slice: u64) -> u64 {
    let Thread { policy, place, .. } = &kernel.threads[thread];
    let weight = match policy.class {
        SCHED_DEADLINE => return slice.min(place.deadline.left_ns.max(1).cast_unsigned()),
        SCHED_FIFO | SCHED_RR => return slice,
        SCHED_IDLE => WEIGHT_IDLE,
        _ => WEIGHTS[(policy.nice + 20).clamp(0, 39) as usize],
    };
    if weight == WEIGHT_OF_NICE_0 || kernel.scheduler.queue().is_empty() {
        return slice;
    }
    (slice * weight / WEIGHT_OF_NICE_0).max(1)
}

/// Ends the turn of the running thread, which ran for `ran_ns`: it is ready for another one, if it is.
pub fn end_turn(kernel: &mut Kernel, thread: Id<Thread>, ran_ns: u64) {
    let has_yielded = kernel.scheduler.has_yielded();
    kernel.scheduler.stop();
    let Some(ran) = kernel.threads.get_mut(thread) else { return };
    match ran.policy.class {
        SCHED_RR => {
            ran.place.quantum_ns += ran_ns;
            if has_yielded || ran.place.quantum_ns >= ROUND_ROBIN_NS {
                ran.place.quantum_ns = 0;
                ran.place.ticket = kernel.scheduler.last_ticket();
            }
        }
        SCHED_FIFO if has_yielded => ran.place.ticket = kernel.scheduler.last_ticket(),
        SCHED_DEADLINE => deadline::ran(kernel, thread, ran_ns, has_yielded),
        _ => {}
    }
    kernel.put_back(thread);
}

/// A thread's class or priority changed from what it was. Linux `__sched_setscheduler`: who becomes less urgent is the first
/// of its new priority, who becomes more urgent the last.
pub(crate) fn changed(kernel: &mut Kernel, thread: Id<Thread>, had_priority: i32) {
    let policy = kernel.threads[thread].policy;
    kernel.scheduler.note_class(thread, is_ranked(policy.class));
    let ticket =
        if policy.priority < had_priority { kernel.scheduler.first_ticket() } else { kernel.scheduler.last_ticket() };
    let place = &mut kernel.threads[thread].place;
    (place.ticket, place.quantum_ns) = (ticket, 0);
    kernel.scheduler.reconsider();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_go_before_priorities_and_those_before_the_rest() {
        let urgent = Rank::RealTime { below_highest: 0, ticket: 9 };
        let ranks = [
            Rank::Deadline(Instant(5)),
            Rank::Deadline(Instant(6)),
            urgent,
            Rank::RealTime { below_highest: 1, ticket: -4 },
            Rank::RealTime { below_highest: 1, ticket: 3 },
            Rank::Fair,
        ];
        assert!(ranks.is_sorted());
    }

    #[test]
    fn those_who_starve_get_a_twentieth() {
        let mut server = FairServer::default();
        let mut served = 0;
        for millisecond in 0..2000 {
            served += u32::from(server.serves(Instant(millisecond * 1_000_000), true));
        }
        assert_eq!(served, 100);
        assert!(!server.serves(Instant(3_000_000_000), false));
    }
}
