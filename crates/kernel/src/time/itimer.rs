//! Interval timers, setitimer(2), and alarm(2).

use super::clocks::{self, Base, ClockId};
use super::cpu::CpuAlarm;
use super::interval::{Interval, Setting};
use super::{SECOND_NS, nanoseconds_of_timeval, timeval};
use crate::clock::Alarm;
use crate::entry::Call;
use crate::kernel::Kernel;
use crate::ports::Chooser;
use crate::process::Process;
use crate::signal::{self, Target};
use crate::syscalls::operation::{Flow, SysResult};
use crate::table::Id;
use crate::user::UserPtr;
use abi::signal::{SIGALRM, SIGPROF, SIGVTALRM, SigInfo};
use abi::time::{ITIMER_PROF, ITIMER_REAL, ITIMER_VIRTUAL, IntervalTimeval};
use abi::{Errno, Error};

/// `ITIMER_REAL` of a process has expired. It goes on when its signal is taken, see [`signal_taken`].
pub fn expired(kernel: &mut Kernel, chooser: &mut dyn Chooser, process: Id<Process>) {
    let Some(owner) = kernel.processes.get_mut(process) else { return };
    owner.timers.real.rang();
    signal::send(kernel, chooser, Target::Process(process), SigInfo::kernel(SIGALRM));
    if kernel.processes.get(process).is_some_and(|process| !process.signals.set().contains(SIGALRM)) {
        // Ignored: nobody will take the signal.
        signal_taken(kernel, process);
    }
}

/// SIGALRM was taken, or ignored: a repeated timer that has rung is started again, behind now.
pub fn signal_taken(kernel: &mut Kernel, process: Id<Process>) {
    let mut real = kernel.processes[process].timers.real.clone();
    if real.is_running() || real.expiry_ns.is_none() {
        return;
    }
    let now = clocks::now(kernel, Base::Monotonic);
    if real.forward(now) > 0 {
        real.start(kernel, Alarm::RealInterval(process));
    } else {
        real.expiry_ns = None;
    }
    kernel.processes[process].timers.real = real;
}

/// `ITIMER_VIRTUAL` or `ITIMER_PROF` has expired: its signal is sent, and a repeated one goes on.
pub fn cpu_expired(kernel: &mut Kernel, chooser: &mut dyn Chooser, clock: ClockId, at_ns: u64, alarm: CpuAlarm) {
    let ClockId::Process(process) = clock else { return };
    let Some(owner) = kernel.processes.get(process) else { return };
    let (signal, interval) = match alarm {
        CpuAlarm::Virtual => (SIGVTALRM, owner.timers.virtual_interval_ns),
        _ => (SIGPROF, owner.timers.profiling_interval_ns),
    };
    let late_ns = clocks::read(kernel, clock) - at_ns;
    if let Some(missed) = late_ns.checked_div(interval) {
        let next_ns = at_ns.saturating_add((missed + 1).saturating_mul(interval));
        kernel.cpu_timers.start(clock, next_ns, alarm);
    }
    signal::send(kernel, chooser, Target::Process(process), SigInfo::kernel(signal));
}

/// getitimer(2).
pub fn getitimer(call: &mut Call, which: i32, to: UserPtr<IntervalTimeval>) -> SysResult {
    let now = get(call, which)?;
    call.write(to, &now)?;
    Flow::OK
}

/// setitimer(2). Without a new setting it disarms the timer, as Linux does and deplores.
pub fn setitimer(
    call: &mut Call,
    which: i32,
    new: UserPtr<IntervalTimeval>,
    old: UserPtr<IntervalTimeval>,
) -> SysResult {
    let asked = if new.is_null() { IntervalTimeval::default() } else { call.read(new)? };
    let setting = Setting {
        value_ns: nanoseconds_of_timeval(asked.value)?,
        interval_ns: nanoseconds_of_timeval(asked.interval)?,
        is_absolute: false,
    };
    let before = get(call, which)?;
    set(call, which, setting);
    call.write_if_given(old, &before)?;
    Flow::OK
}

/// alarm(2): the seconds that were left of the alarm before, rounded, and not 0 if there was one.
pub fn alarm(call: &mut Call, seconds: u32) -> SysResult {
    let before = get(call, ITIMER_REAL)?;
    set(call, ITIMER_REAL, Setting { value_ns: u64::from(seconds) * SECOND_NS, interval_ns: 0, is_absolute: false });
    let left = before.value;
    let rounds_up = left.microseconds >= 500_000 || left.seconds == 0 && left.microseconds > 0;
    Ok(Flow::Done(left.seconds as u64 + u64::from(rounds_up)))
}

fn get(call: &mut Call, which: i32) -> Result<IntervalTimeval, Error> {
    let process = call.process_id();
    let timers = &call.kernel.processes[process].timers;
    let (value_ns, interval_ns) = match which {
        ITIMER_REAL => {
            let told = timers.real.remaining(call.kernel);
            let value = super::nanoseconds(told.value)?;
            // What is left of an armed timer is never shown as nothing: itimer_get_remtime() of kernel/time/itimer.c.
            (if value > 0 { value.max(1000) } else { 0 }, timers.real.interval_ns)
        }
        ITIMER_VIRTUAL => (cpu_left(call.kernel, process, CpuAlarm::Virtual), timers.virtual_interval_ns),
        ITIMER_PROF => (cpu_left(call.kernel, process, CpuAlarm::Profiling), timers.profiling_interval_ns),
        _ => return Err(Errno::EINVAL.because("`which` is none of the three timers")),
    };
    Ok(IntervalTimeval { interval: timeval(interval_ns), value: timeval(value_ns) })
}

fn cpu_left(kernel: &Kernel, process: Id<Process>, alarm: CpuAlarm) -> u64 {
    let clock = ClockId::Process(process);
    match kernel.cpu_timers.expiry(clock, alarm) {
        Some(at) => at.saturating_sub(clocks::read(kernel, clock)).max(1000),
        None => 0,
    }
}

/// Arms or disarms a timer. `which` was checked.
fn set(call: &mut Call, which: i32, setting: Setting) {
    let process = call.process_id();
    if which == ITIMER_REAL {
        let mut real = call.process().timers.real.clone();
        real.set(call.kernel, Base::Monotonic, setting, Alarm::RealInterval(process));
        call.process().timers.real = real;
        return;
    }
    let clock = ClockId::Process(process);
    let alarm = if which == ITIMER_VIRTUAL { CpuAlarm::Virtual } else { CpuAlarm::Profiling };
    call.kernel.cpu_timers.stop(clock, alarm);
    if setting.value_ns > 0 {
        let at = clocks::read(call.kernel, clock).saturating_add(setting.value_ns);
        call.kernel.cpu_timers.start(clock, at, alarm);
    }
    let timers = &mut call.process().timers;
    match alarm {
        CpuAlarm::Virtual => timers.virtual_interval_ns = setting.interval_ns,
        _ => timers.profiling_interval_ns = setting.interval_ns,
    }
}

/// The timers of a process: interval timers, which survive execve(2), and POSIX timers, which do not. fork(2) copies none.
#[derive(Clone, Debug)]
pub struct Timers {
    /// `ITIMER_REAL`.
    pub real: Interval,
    /// Repetition of `ITIMER_VIRTUAL`.
    pub virtual_interval_ns: u64,
    /// Repetition of `ITIMER_PROF`.
    pub profiling_interval_ns: u64,
    /// timer_create(2).
    pub posix: super::posix_timer::PosixTimers,
}

impl Default for Timers {
    fn default() -> Timers {
        Timers {
            real: Interval::new(Base::Monotonic),
            virtual_interval_ns: 0,
            profiling_interval_ns: 0,
            posix: Default::default(),
        }
    }
}

/// A process is gone: so are its timers.
pub fn process_ended(kernel: &mut Kernel, process: Id<Process>) {
    super::posix_timer::delete_all(kernel, process);
    let mut real = kernel.processes[process].timers.real.clone();
    real.stop(kernel);
    kernel.processes[process].timers.real = real;
    kernel.cpu_timers.forget(ClockId::Process(process));
}
