//! `SCHED_DEADLINE`, sched(7): a budget of processor time in each period, the earliest deadline first. Linux
//! kernel/sched/deadline.c, Documentation/scheduler/sched-deadline.rst: the constant bandwidth server.

use crate::clock::{Alarm, Instant};
use crate::entry::Call;
use crate::kernel::Kernel;
use crate::ports::Chooser;
use crate::process::Thread;
use crate::sched::online;
use crate::signal::{self, Target};
use crate::table::Id;
use abi::sched::{SCHED_DEADLINE, SCHED_FLAG_DL_OVERRUN, SchedAttr};
use abi::signal::{SIGXCPU, SigInfo};
use abi::{Errno, Error};

/// The least and the longest period, `/proc/sys/kernel/sched_deadline_period_min_us` and `..._max_us`.
const SHORTEST_PERIOD_NS: u64 = 100_000;
const LONGEST_PERIOD_NS: u64 = (1 << 22) * 1000;
/// The least budget, `DL_SCALE`.
const LEAST_RUNTIME_NS: u64 = 1024;
/// Of each processor so many of a hundred parts are for this class, `/proc/sys/kernel/sched_rt_runtime_us`.
const PERCENT: u128 = 95;

/// What a thread asks for, sched_setattr(2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parameters {
    /// Processor time in each period.
    pub runtime_ns: u64,
    /// From the begin of the period to when it has to have got it.
    pub deadline_ns: u64,
    /// From one to the next.
    pub period_ns: u64,
    /// `SCHED_FLAG_RECLAIM`, `SCHED_FLAG_DL_OVERRUN`.
    pub flags: u64,
}

/// What it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// Left in this period; it may have run a little over.
    pub left_ns: i64,
    /// Its deadline.
    pub until: Instant,
    /// It has used its budget up and waits for the next period.
    pub is_throttled: bool,
}

impl Parameters {
    /// Linux `__checkparam_dl`.
    ///
    /// # Errors
    /// `EINVAL`.
    pub(super) fn new(asked: &SchedAttr, flags: u64) -> Result<Parameters, Error> {
        let period_ns = if asked.period_ns == 0 { asked.deadline_ns } else { asked.period_ns };
        let is_valid = asked.runtime_ns >= LEAST_RUNTIME_NS
            && asked.runtime_ns <= asked.deadline_ns
            && asked.deadline_ns <= period_ns
            && (SHORTEST_PERIOD_NS..=LONGEST_PERIOD_NS).contains(&period_ns);
        if !is_valid {
            return Err(Errno::EINVAL.because("runtime, deadline and period are not in order, or out of range"));
        }
        Ok(Parameters { runtime_ns: asked.runtime_ns, deadline_ns: asked.deadline_ns, period_ns, flags })
    }

    /// The share of a processor, in units of 2^-20.
    fn bandwidth(&self) -> u128 {
        (u128::from(self.runtime_ns) << 20) / u128::from(self.period_ns.max(1))
    }
}

/// Whether the machine has so much time left for `thread`.
///
/// # Errors
/// `EPERM` if it may not use all processors, `EBUSY` if the others need the time.
pub(super) fn admit(call: &Call, thread: Id<Thread>, wanted: &Parameters) -> Result<(), Error> {
    let all = online(call.kernel);
    if call.kernel.threads[thread].policy.affinity & all != all {
        return Err(Errno::EPERM.because("the thread's affinity does not allow all processors"));
    }
    let others = call.kernel.threads.iter().filter(|(id, other)| *id != thread && other.policy.class == SCHED_DEADLINE);
    let promised: u128 = others.map(|(_, other)| other.policy.deadline.bandwidth()).sum();
    let most = u128::from(all.count_ones()) * (PERCENT << 20) / 100;
    if promised + wanted.bandwidth() > most {
        return Err(Errno::EBUSY.because("other threads in `SCHED_DEADLINE` need the processors' time"));
    }
    Ok(())
}

/// The thread begins a period now.
pub(super) fn begin(kernel: &mut Kernel, thread: Id<Thread>) {
    let now = kernel.clock.now();
    let Thread { policy, place, .. } = &mut kernel.threads[thread];
    place.deadline = Budget {
        left_ns: policy.deadline.runtime_ns.cast_signed(),
        until: now.after(policy.deadline.deadline_ns),
        is_throttled: false,
    };
}

/// The thread woke up: what it has left is good until its deadline only if it does not ask for more than its share,
/// `dl_entity_overflow`.
pub(crate) fn woke(kernel: &mut Kernel, thread: Id<Thread>) {
    let now = kernel.clock.now();
    let Thread { policy, place, .. } = &kernel.threads[thread];
    let (wanted, has) = (&policy.deadline, &place.deadline);
    let left = u128::from(has.left_ns.max(0).cast_unsigned());
    let overflows =
        left * u128::from(wanted.deadline_ns) > u128::from(has.until.since(now)) * u128::from(wanted.runtime_ns);
    if !has.is_throttled && (has.until <= now || overflows) {
        begin(kernel, thread);
    }
}

/// The thread ran: once its budget is used up, or given up by sched_yield(2), it waits for the next period.
pub(super) fn ran(kernel: &mut Kernel, thread: Id<Thread>, ran_ns: u64, has_yielded: bool) {
    let Thread { policy, place, .. } = &mut kernel.threads[thread];
    let (wanted, has) = (&policy.deadline, &mut place.deadline);
    has.left_ns -= ran_ns.min(i64::MAX as u64).cast_signed();
    let has_overrun = has.left_ns <= 0 && !has.is_throttled;
    if has_yielded {
        has.left_ns = has.left_ns.min(0);
    }
    if has.left_ns > 0 || has.is_throttled {
        return;
    }
    has.is_throttled = true;
    let next = Instant(has.until.0 - wanted.deadline_ns.min(has.until.0)).after(wanted.period_ns);
    kernel.clock.start(next, Alarm::Replenish(thread));
    if has_overrun && wanted.flags & SCHED_FLAG_DL_OVERRUN != 0 {
        // The signal goes out where there is a chooser.
        let now = kernel.clock.now();
        kernel.clock.start(now, Alarm::Overrun(thread));
    }
}

/// Tells a process that one of its threads has used up its budget, sched_setattr(2) `SCHED_FLAG_DL_OVERRUN`.
pub(crate) fn overran(kernel: &mut Kernel, chooser: &mut dyn Chooser, thread: Id<Thread>) {
    if let Some(thread) = kernel.threads.get(thread) {
        let target = Target::Process(thread.process);
        signal::send(kernel, chooser, target, SigInfo::kernel(SIGXCPU));
    }
}

/// The next period begins for a thread that was throttled.
pub(crate) fn replenished(kernel: &mut Kernel, thread: Id<Thread>) {
    let now = kernel.clock.now();
    let Some(Thread { policy, place, .. }) = kernel.threads.get_mut(thread) else { return };
    let (wanted, has) = (&policy.deadline, &mut place.deadline);
    has.is_throttled = false;
    has.left_ns = has.left_ns.min(0).saturating_add(wanted.runtime_ns.cast_signed());
    has.until = now.after(wanted.deadline_ns);
    kernel.make_ready(thread);
}
