//! Timers on processor time: `ITIMER_VIRTUAL`, `ITIMER_PROF`, POSIX timers on CPU clocks, sleeps until one, `RLIMIT_CPU`.
//!
//! Processor time is the count of retired instructions, which the run loop adds up at the end of each slice; it asks
//! [`limit`] how long a slice may be so that none runs past an expiry, and calls [`check`] afterwards.

use super::clocks::{self, ClockId};
use crate::kernel::Kernel;
use crate::ports::Chooser;
use crate::process::{Process, Thread};
use crate::table::Id;
use crate::wait::WaitKey;

/// What a timer does when it expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CpuAlarm {
    /// `ITIMER_VIRTUAL` of the process whose clock it is on.
    Virtual,
    /// `ITIMER_PROF` of the process whose clock it is on.
    Profiling,
    /// A POSIX timer of a process.
    PosixTimer(Id<Process>, i32),
    /// `RLIMIT_CPU` of the process whose clock it is on.
    Limit,
    /// Wakes the threads that sleep until the clock's processor time has passed.
    Sleep(Id<Thread>),
}

/// A pending timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pending {
    clock: ClockId,
    at_ns: u64,
    alarm: CpuAlarm,
}

/// All pending timers on processor time. Few programs have any.
#[derive(Clone, Debug, Default)]
pub struct CpuTimers {
    pending: Vec<Pending>,
}

impl CpuTimers {
    /// Starts a timer, or moves it if the alarm is pending already.
    pub fn start(&mut self, clock: ClockId, at_ns: u64, alarm: CpuAlarm) {
        self.stop(clock, alarm);
        self.pending.push(Pending { clock, at_ns, alarm });
    }

    /// Stops a timer; the time at which it would have expired.
    pub fn stop(&mut self, clock: ClockId, alarm: CpuAlarm) -> Option<u64> {
        let at = self.position(clock, alarm)?;
        Some(self.pending.remove(at).at_ns)
    }

    /// When a timer expires.
    pub fn expiry(&self, clock: ClockId, alarm: CpuAlarm) -> Option<u64> {
        Some(self.pending[self.position(clock, alarm)?].at_ns)
    }

    fn position(&self, clock: ClockId, alarm: CpuAlarm) -> Option<usize> {
        self.pending.iter().position(|pending| pending.clock == clock && pending.alarm == alarm)
    }

    /// Forgets the timers on the clock of something that is gone, but for those who sleep: they wake.
    pub fn forget(&mut self, clock: ClockId) {
        self.pending.retain(|pending| pending.clock != clock || matches!(pending.alarm, CpuAlarm::Sleep(_)));
    }
}

/// Whether a thread's instructions count for a clock.
fn counts(kernel: &Kernel, clock: ClockId, thread: Id<Thread>) -> bool {
    match clock {
        ClockId::Thread(counted) => counted == thread,
        ClockId::Process(process) => kernel.threads[thread].process == process,
        _ => false,
    }
}

/// How many instructions a thread may retire before a timer on its processor time expires; at most `slice`, at least 1.
#[inline]
pub fn limit(kernel: &Kernel, thread: Id<Thread>, slice: u64) -> u64 {
    if kernel.cpu_timers.pending.is_empty() { slice.max(1) } else { earliest(kernel, thread, slice) }
}

fn earliest(kernel: &Kernel, thread: Id<Thread>, slice: u64) -> u64 {
    let mut limit = slice;
    for pending in &kernel.cpu_timers.pending {
        if counts(kernel, pending.clock, thread) {
            limit = limit.min(pending.at_ns.saturating_sub(clocks::read(kernel, pending.clock)));
        }
    }
    limit.max(1)
}

/// Serves the timers that have expired, now that a slice has been added to its thread's processor time.
#[inline]
pub fn check(kernel: &mut Kernel, chooser: &mut dyn Chooser) {
    if !kernel.cpu_timers.pending.is_empty() {
        serve_expired(kernel, chooser);
    }
}

fn serve_expired(kernel: &mut Kernel, chooser: &mut dyn Chooser) {
    let expired = |kernel: &Kernel| {
        let timers = &kernel.cpu_timers.pending;
        timers.iter().position(|pending| pending.at_ns <= clocks::read(kernel, pending.clock))
    };
    while let Some(at) = expired(kernel) {
        let Pending { clock, at_ns, alarm } = kernel.cpu_timers.pending.remove(at);
        match alarm {
            CpuAlarm::Virtual | CpuAlarm::Profiling => super::itimer::cpu_expired(kernel, chooser, clock, at_ns, alarm),
            CpuAlarm::Limit => crate::process::limits::cpu_time_passed(kernel, chooser, clock),
            CpuAlarm::PosixTimer(process, id) => super::posix_timer::expired(kernel, chooser, process, id),
            CpuAlarm::Sleep(thread) => kernel.wake(WaitKey::CpuTime(thread)),
        }
    }
}
