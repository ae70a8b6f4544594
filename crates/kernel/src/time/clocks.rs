//! Linux's clocks by number, clock_gettime(2): what each shows, and how finely.

use super::SECOND_NS;
use crate::clock::Instant;
use crate::entry::Call;
use crate::kernel::Kernel;
use crate::process::{Process, Thread, usage};
use crate::table::Id;
use abi::time::{
    CLOCK_BOOTTIME, CLOCK_BOOTTIME_ALARM, CLOCK_MONOTONIC, CLOCK_MONOTONIC_COARSE, CLOCK_MONOTONIC_RAW,
    CLOCK_PROCESS_CPUTIME_ID, CLOCK_REALTIME, CLOCK_REALTIME_ALARM, CLOCK_REALTIME_COARSE, CLOCK_TAI,
    CLOCK_THREAD_CPUTIME_ID,
};
use abi::{Errno, Error};

/// Coarse clocks show the last tick; 250 ticks a second.
pub const TICK_NS: u64 = SECOND_NS / 250;

/// The clocks behind all others that timers can be set on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Base {
    /// Nanoseconds since boot.
    Monotonic,
    /// Nanoseconds since 1970; can be set.
    Realtime,
}

/// What a clock number means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockId {
    /// A base, shown exactly.
    Fine(Base),
    /// A base, shown at the last tick.
    Coarse(Base),
    /// A base for timers that would wake a suspended machine, `CAP_WAKE_ALARM`.
    Alarm(Base),
    /// CPU time of a process.
    Process(Id<Process>),
    /// CPU time of a thread.
    Thread(Id<Thread>),
}

/// Which of the three kinds of CPU clock: all time, user mode only, or what the scheduler counts. They agree here but for
/// time in the kernel, which takes no virtual time.
const CPU_CLOCK_KINDS: i32 = 3;
/// In a clock number that names a thread or process: it names a thread.
const CPU_CLOCK_OF_THREAD: i32 = 4;
/// In the three low bits: the number names a descriptor.
const CLOCK_OF_DESCRIPTOR: i32 = 3;

/// Finds what a clock number means. Negative numbers name CPU clocks: `~pid << 3 | kind`, clock_getcpuclockid(3).
///
/// # Errors
/// `EINVAL` if there is no such clock, process or thread.
pub fn find(call: &Call, number: i32) -> Result<ClockId, Error> {
    match number {
        CLOCK_MONOTONIC | CLOCK_MONOTONIC_RAW | CLOCK_BOOTTIME => Ok(ClockId::Fine(Base::Monotonic)),
        CLOCK_REALTIME | CLOCK_TAI => Ok(ClockId::Fine(Base::Realtime)),
        CLOCK_REALTIME_COARSE => Ok(ClockId::Coarse(Base::Realtime)),
        CLOCK_MONOTONIC_COARSE => Ok(ClockId::Coarse(Base::Monotonic)),
        CLOCK_REALTIME_ALARM => Ok(ClockId::Alarm(Base::Realtime)),
        CLOCK_BOOTTIME_ALARM => Ok(ClockId::Alarm(Base::Monotonic)),
        CLOCK_PROCESS_CPUTIME_ID => Ok(ClockId::Process(call.process_id())),
        CLOCK_THREAD_CPUTIME_ID => Ok(ClockId::Thread(call.thread)),
        _ if number < 0 => find_cpu_clock(call, number),
        _ => Err(Errno::EINVAL.because("there is no clock of this number")),
    }
}

/// Finds a clock that is to be shown. The clocks that could wake the machine need a chip that it does not have.
///
/// # Errors
/// As [`find`].
pub fn find_shown(call: &Call, number: i32) -> Result<ClockId, Error> {
    match find(call, number)? {
        ClockId::Alarm(_) => Err(Errno::EINVAL.because("the machine has no clock that could wake it")),
        clock => Ok(clock),
    }
}

fn find_cpu_clock(call: &Call, number: i32) -> Result<ClockId, Error> {
    if number & 7 == CLOCK_OF_DESCRIPTOR || number & CPU_CLOCK_KINDS == CPU_CLOCK_KINDS {
        return Err(Errno::EINVAL.because("the clock number names a descriptor that is no clock"));
    }
    let id = !(number >> 3);
    let pids = &call.kernel.pids;
    if number & CPU_CLOCK_OF_THREAD != 0 {
        let thread = if id == 0 { Some(call.thread) } else { pids.threads.get(&id).copied() };
        // Another process's threads cannot be looked at: pid_for_clock() of kernel/time/posix-cpu-timers.c.
        match thread.filter(|thread| call.kernel.threads[*thread].process == call.process_id()) {
            Some(thread) => Ok(ClockId::Thread(thread)),
            None => Err(Errno::EINVAL.because("this process has no thread of the number in the clock")),
        }
    } else {
        let process = if id == 0 { Some(call.process_id()) } else { pids.processes.get(&id).copied() };
        match process {
            Some(process) => Ok(ClockId::Process(process)),
            None => Err(Errno::EINVAL.because("there is no process of the number in the clock")),
        }
    }
}

/// What a clock shows now, in nanoseconds.
pub fn read(kernel: &Kernel, clock: ClockId) -> u64 {
    match clock {
        ClockId::Fine(base) | ClockId::Alarm(base) => now(kernel, base),
        ClockId::Coarse(base) => coarse(kernel, base),
        // What is gone has no time left to wait for.
        ClockId::Process(process) if kernel.processes.get(process).is_none() => u64::MAX,
        ClockId::Thread(thread) if kernel.threads.get(thread).is_none() => u64::MAX,
        ClockId::Process(process) => {
            let used = usage::of_process(kernel, process);
            used.user_ns + used.system_ns
        }
        ClockId::Thread(thread) => {
            let used = usage::of_thread(&kernel.threads[thread]);
            used.user_ns + used.system_ns
        }
    }
}

/// What a base shows now.
#[inline]
pub fn now(kernel: &Kernel, base: Base) -> u64 {
    match base {
        Base::Monotonic => kernel.clock.monotonic_ns(),
        Base::Realtime => kernel.clock.realtime_ns(),
    }
}

/// What a base showed at the last tick. Ticks are those of the monotonic clock, so that both agree.
fn coarse(kernel: &Kernel, base: Base) -> u64 {
    now(kernel, base).saturating_sub(kernel.clock.monotonic_ns() % TICK_NS)
}

/// How finely a clock shows time, clock_getres(2), in nanoseconds.
pub fn resolution(clock: ClockId) -> u64 {
    match clock {
        ClockId::Coarse(_) => TICK_NS,
        _ => 1,
    }
}

/// The instant at which a base will show `nanoseconds`, unless it is set before.
pub fn instant(kernel: &Kernel, base: Base, nanoseconds: u64) -> Instant {
    let clock = &kernel.clock;
    match base {
        Base::Monotonic => Instant(nanoseconds.saturating_sub(clock.boot_offset_ns)),
        Base::Realtime => Instant(nanoseconds.saturating_sub(clock.real_start_ns)),
    }
}

/// What a base will show at an instant.
pub fn shown_at(kernel: &Kernel, base: Base, at: Instant) -> u64 {
    let clock = &kernel.clock;
    match base {
        Base::Monotonic => clock.boot_offset_ns.saturating_add(at.0),
        Base::Realtime => clock.real_start_ns.saturating_add(at.0),
    }
}
