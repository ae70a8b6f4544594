//! POSIX timers, timer_create(2): they send a signal when they expire, and tell how often they expired until it was
//! taken.
//!
//! A timer that has sent its signal waits until the signal is taken ([`signal_taken`]); a repeated one is then moved
//! behind now, and the steps that took are its overrun: kernel/time/posix-timers.c. While the signal is ignored a repeated
//! timer rests, since Linux 6.13; its signal is sent as soon as it is not ignored any more.

use super::clocks::{self, Base, ClockId};
use super::cpu::CpuAlarm;
use super::interval::{Interval, Setting};
use super::timespec;
use crate::clock::Alarm;
use crate::entry::Call;
use crate::kernel::Kernel;
use crate::ports::Chooser;
use crate::process::{Process, Thread};
use crate::signal::{self, Target};
use crate::syscalls::operation::{Flow, SysResult};
use crate::table::Id;
use crate::user::UserPtr;
use abi::resource::RLIMIT_SIGPENDING;
use abi::signal::{SI_TIMER, SIGALRM, SIGRTMAX, SigInfo};
use abi::time::{
    IntervalTimespec, SIGEV_NONE, SIGEV_SIGNAL, SIGEV_THREAD, SIGEV_THREAD_ID, SignalEvent, TIMER_ABSTIME,
};
use abi::{Errno, Error};
use std::collections::BTreeMap;

/// The timers of a process by their numbers.
#[derive(Clone, Debug, Default)]
pub struct PosixTimers {
    timers: BTreeMap<i32, PosixTimer>,
    next: i32,
}

/// A timer.
#[derive(Clone, Debug)]
struct PosixTimer {
    clock: ClockId,
    /// Setting and, unless the clock is one of processor time, the alarm.
    interval: Interval,
    notification: Notification,
    /// The user on whose RLIMIT_SIGPENDING account it is: it keeps room for its signal.
    payer: u32,
    /// Its signal is pending.
    is_signal_pending: bool,
    /// It expired while its signal was ignored, and waits until it is not any more.
    is_ignored: bool,
    /// Expirations that the last signal taken did not stand for.
    overrun: i32,
}

/// What happens when a timer expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Notification {
    /// Nothing: it is looked at.
    None,
    /// A signal with a value, to the process or one of its threads.
    Signal { signal: i32, value: u64, thread: Option<Id<Thread>> },
}

/// timer_create(2).
pub fn timer_create(call: &mut Call, clock: i32, event: UserPtr<SignalEvent>, to: UserPtr<i32>) -> SysResult {
    let clock_number = clock;
    let clock = match clocks::find(call, clock)? {
        ClockId::Coarse(_) => return Err(Errno::EOPNOTSUPP.because("coarse clocks have no timers")),
        _ if clock_number == abi::time::CLOCK_MONOTONIC_RAW => {
            return Err(Errno::EOPNOTSUPP.because("CLOCK_MONOTONIC_RAW has no timers"));
        }
        ClockId::Alarm(_) => return Err(Errno::EOPNOTSUPP.because("the machine has no clock that could wake it")),
        clock => clock,
    };
    let event = if event.is_null() { None } else { Some(call.read(event)?) };
    let payer = call.credentials().uid;
    let number = next_number(call, payer)?;
    let notification = match event {
        None => Notification::Signal { signal: SIGALRM, value: number as u64, thread: None },
        Some(event) => check_event(call, &event)?,
    };
    let base = if let ClockId::Fine(base) = clock { base } else { Base::Monotonic };
    let timer = PosixTimer {
        clock,
        interval: Interval::new(base),
        notification,
        payer,
        is_signal_pending: false,
        is_ignored: false,
        overrun: 0,
    };
    call.write(to, &number)?;
    let timers = &mut call.process().timers.posix;
    timers.next = number.wrapping_add(1) & i32::MAX;
    timers.timers.insert(number, timer);
    call.kernel.users.entry(payer).or_default().signals += 1;
    Flow::OK
}

/// A number for a new timer.
///
/// # Errors
/// `EAGAIN` if the user has as many timers and queued signals as signals may be queued: each timer keeps room for one.
fn next_number(call: &mut Call, payer: u32) -> Result<i32, Error> {
    let used = call.kernel.users.get(&payer).map_or(0, |account| account.signals);
    let process = call.process();
    let limit = process.limits.soft(RLIMIT_SIGPENDING);
    let timers = &process.timers.posix;
    if used >= limit {
        return Err(Errno::EAGAIN.because("the limit of queued signals leaves none for another timer"));
    }
    let mut number = timers.next;
    while timers.timers.contains_key(&number) {
        number = number.wrapping_add(1) & i32::MAX;
    }
    Ok(number)
}

/// good_sigevent() of kernel/time/posix-timers.c.
fn check_event(call: &Call, event: &SignalEvent) -> Result<Notification, Error> {
    let is_signal = (1..=SIGRTMAX).contains(&event.signal);
    let thread = match event.notify {
        SIGEV_NONE => return Ok(Notification::None),
        SIGEV_SIGNAL | SIGEV_THREAD if is_signal => None,
        SIGEV_THREAD_ID if is_signal => {
            let thread = call.kernel.pids.threads.get(&event.thread).copied();
            let own = thread.filter(|thread| call.kernel.threads[*thread].process == call.process_id());
            Some(own.ok_or(Errno::EINVAL.because("`sigev_notify_thread_id` is no thread of this process"))?)
        }
        SIGEV_SIGNAL | SIGEV_THREAD | SIGEV_THREAD_ID => {
            return Err(Errno::EINVAL.because("`sigev_signo` is no signal"));
        }
        _ => return Err(Errno::EINVAL.because("`sigev_notify` has no known value")),
    };
    Ok(Notification::Signal { signal: event.signal, value: event.value, thread })
}

fn find<'a>(call: &'a mut Call, number: i32) -> Result<&'a mut PosixTimer, Error> {
    let timers = &mut call.process().timers.posix.timers;
    timers.get_mut(&number).ok_or(Errno::EINVAL.because("the process has no timer of this number"))
}

/// timer_settime(2).
pub fn timer_settime(
    call: &mut Call,
    number: i32,
    flags: i32,
    new: UserPtr<IntervalTimespec>,
    old: UserPtr<IntervalTimespec>,
) -> SysResult {
    if new.is_null() {
        return Err(Errno::EINVAL.because("there is no new setting"));
    }
    let asked = call.read(new)?;
    let setting = Setting::new(asked, flags & TIMER_ABSTIME != 0)?;
    let process = call.process_id();
    let mut timer = find(call, number)?.clone();
    let before = timer.told(call.kernel);
    timer.withdraw_signal(call.kernel, process, number);
    (timer.is_ignored, timer.overrun) = (false, 0);
    match timer.clock {
        ClockId::Process(_) | ClockId::Thread(_) => timer.set_cpu(call.kernel, process, number, setting),
        ClockId::Fine(base) | ClockId::Coarse(base) | ClockId::Alarm(base) => {
            let alarm = Alarm::PosixTimer(process, number);
            timer.interval.set(call.kernel, base, setting, alarm);
            if timer.notification == Notification::None {
                timer.interval.stop(call.kernel);
            }
        }
    }
    *find(call, number)? = timer;
    call.write_if_given(old, &before)?;
    Flow::OK
}

/// timer_gettime(2).
pub fn timer_gettime(call: &mut Call, number: i32, to: UserPtr<IntervalTimespec>) -> SysResult {
    let timer = find(call, number)?.clone();
    let told = timer.told(call.kernel);
    call.write(to, &told)?;
    Flow::OK
}

/// timer_getoverrun(2).
pub fn timer_getoverrun(call: &mut Call, number: i32) -> SysResult {
    let overrun = find(call, number)?.overrun;
    Ok(Flow::Done(overrun as u64))
}

/// timer_delete(2).
pub fn timer_delete(call: &mut Call, number: i32) -> SysResult {
    find(call, number)?;
    let process = call.process_id();
    delete(call.kernel, process, number);
    Flow::OK
}

fn delete(kernel: &mut Kernel, process: Id<Process>, number: i32) {
    let Some(mut timer) = kernel.processes[process].timers.posix.timers.remove(&number) else { return };
    timer.interval.stop(kernel);
    kernel.cpu_timers.stop(timer.clock, CpuAlarm::PosixTimer(process, number));
    timer.withdraw_signal(kernel, process, number);
    signal::release_payers(kernel, [timer.payer]);
}

/// execve(2) and exit(2) delete all timers of a process.
pub fn delete_all(kernel: &mut Kernel, process: Id<Process>) {
    let numbers: Vec<i32> = kernel.processes[process].timers.posix.timers.keys().copied().collect();
    for number in numbers {
        delete(kernel, process, number);
    }
    kernel.processes[process].timers.posix.next = 0;
}

impl PosixTimer {
    /// What timer_gettime(2) tells.
    fn told(&self, kernel: &Kernel) -> IntervalTimespec {
        let now = self.now(kernel);
        let mut seen = self.interval.clone();
        seen.forward(now);
        let value = match seen.expiry_ns {
            Some(expiry) if expiry > now => expiry - now,
            // Due, but its alarm has not been served.
            Some(_) if self.interval.is_running() => 1,
            _ => 0,
        };
        IntervalTimespec { interval: timespec(seen.interval_ns), value: timespec(value) }
    }

    fn now(&self, kernel: &Kernel) -> u64 {
        match self.clock {
            ClockId::Process(process) if kernel.processes.get(process).is_none() => 0,
            ClockId::Thread(thread) if kernel.threads.get(thread).is_none() => 0,
            ClockId::Process(_) | ClockId::Thread(_) => clocks::read(kernel, self.clock),
            _ => clocks::now(kernel, self.interval.base),
        }
    }

    fn set_cpu(&mut self, kernel: &mut Kernel, process: Id<Process>, number: i32, setting: Setting) {
        let now = self.now(kernel);
        self.interval.interval_ns = setting.interval_ns;
        self.interval.expiry_ns = match setting.value_ns {
            0 => None,
            value if setting.is_absolute => Some(value),
            value => Some(now.saturating_add(value)),
        };
        self.start_again(kernel, process, number);
    }

    /// Starts the alarm for the next expiry, whatever kind of clock it is on.
    fn start_again(&mut self, kernel: &mut Kernel, process: Id<Process>, number: i32) {
        match self.clock {
            ClockId::Process(_) | ClockId::Thread(_) => {
                let alarm = CpuAlarm::PosixTimer(process, number);
                kernel.cpu_timers.stop(self.clock, alarm);
                if let Some(expiry) = self.interval.expiry_ns
                    && self.notification != Notification::None
                {
                    kernel.cpu_timers.start(self.clock, expiry, alarm);
                }
            }
            _ => self.interval.start(kernel, Alarm::PosixTimer(process, number)),
        }
    }

    /// A signal that is pending for a setting that is no more is taken back: since Linux 6.13.
    fn withdraw_signal(&mut self, kernel: &mut Kernel, process: Id<Process>, number: i32) {
        if std::mem::take(&mut self.is_signal_pending)
            && let Notification::Signal { signal, thread, .. } = self.notification
        {
            let target = thread.map_or(Target::Process(process), Target::Thread);
            signal::withdraw(kernel, target, signal, |info| {
                info.code == SI_TIMER && info.fields[0] as u32 as i32 == number
            });
        }
    }
}

/// Timer `number` of a process has expired.
pub fn expired(kernel: &mut Kernel, chooser: &mut dyn Chooser, process: Id<Process>, number: i32) {
    let Some(owner) = kernel.processes.get_mut(process) else { return };
    let Some(timer) = owner.timers.posix.timers.get_mut(&number) else { return };
    timer.interval.rang();
    let Notification::Signal { signal, value, thread } = timer.notification else { return };
    timer.is_signal_pending = true;
    let target = match thread {
        // A timer whose thread is gone goes on and tells nobody.
        Some(thread) if kernel.threads.get(thread).is_none() => None,
        Some(thread) => Some(Target::Thread(thread)),
        None => Some(Target::Process(process)),
    };
    let info = SigInfo::timer(signal, number, 0, value);
    let is_pending = target.is_some_and(|target| {
        signal::send(kernel, chooser, target, info);
        signal::is_pending(kernel, target, signal)
    });
    if !is_pending && let Some(timer) = kernel.processes[process].timers.posix.timers.get_mut(&number) {
        timer.is_signal_pending = false;
        if timer.interval.interval_ns > 0 {
            timer.is_ignored = true;
        } else {
            timer.interval.expiry_ns = None;
        }
    }
}

/// A signal is not ignored any more: timers that rest because of it send theirs.
pub fn signal_unignored(kernel: &mut Kernel, chooser: &mut dyn Chooser, process: Id<Process>, freed: i32) {
    let timers = &mut kernel.processes[process].timers.posix.timers;
    let rests = |timer: &PosixTimer| {
        timer.is_ignored && matches!(timer.notification, Notification::Signal { signal, .. } if signal == freed)
    };
    let due: Vec<i32> = timers.iter().filter(|(_, timer)| rests(timer)).map(|(number, _)| *number).collect();
    for number in due {
        if let Some(timer) = kernel.processes[process].timers.posix.timers.get_mut(&number) {
            timer.is_ignored = false;
            expired(kernel, chooser, process, number);
        }
    }
}

/// The signal of a timer was taken, or had no effect: tells in it how often the timer expired meanwhile, and starts a
/// repeated timer again.
pub fn signal_taken(kernel: &mut Kernel, process: Id<Process>, info: &mut SigInfo) {
    let number = info.fields[0] as u32 as i32;
    let Some(timer) = kernel.processes[process].timers.posix.timers.get_mut(&number) else { return };
    timer.is_signal_pending = false;
    let mut timer = timer.clone();
    let now = timer.now(kernel);
    let steps = timer.interval.forward(now);
    timer.overrun = i32::try_from(steps.saturating_sub(1)).unwrap_or(i32::MAX);
    if steps > 0 {
        timer.start_again(kernel, process, number);
    } else if !timer.interval.is_running() {
        timer.interval.expiry_ns = None;
    }
    *info = SigInfo::timer(info.signal, number, timer.overrun, info.value());
    kernel.processes[process].timers.posix.timers.insert(number, timer);
}

/// CLOCK_REALTIME was set: moves the alarms of absolute timers.
pub fn realtime_was_set(kernel: &mut Kernel) {
    let processes: Vec<Id<Process>> = kernel.processes.ids().collect();
    for process in processes {
        let timers: Vec<i32> = kernel.processes[process].timers.posix.timers.keys().copied().collect();
        for number in timers {
            let timer = &kernel.processes[process].timers.posix.timers[&number];
            if timer.interval.base == Base::Realtime && timer.interval.is_running() {
                let mut timer = timer.clone();
                timer.interval.stop(kernel);
                timer.interval.start(kernel, Alarm::PosixTimer(process, number));
                kernel.processes[process].timers.posix.timers.insert(number, timer);
            }
        }
    }
}
