//! Sending: a signal becomes pending, stops and continuations cancel one another, a receiver wakes up.
//! Linux, kernel/signal.c: `prepare_signal`, `__send_signal_locked`, `complete_signal`.

use super::set::{CORE_DUMPING, IGNORED_BY_DEFAULT, STOPPING, SignalSet};
use super::{Queued, deliver};
use crate::entry::Call;
use crate::event::Event;
use crate::kernel::Kernel;
use crate::ports::Chooser;
use crate::process::{Process, Report, Thread, ThreadState, report};
use crate::table::Id;
use crate::wait::WaitKey;
use abi::resource::RLIMIT_SIGPENDING;
use abi::signal::{SI_TIMER, SI_USER, SIG_DFL, SIGCONT, SIGKILL, SIGPIPE, SIGRTMIN, SigInfo};
use abi::{Errno, Error};

/// Who a signal is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Any thread of a process.
    Process(Id<Process>),
    /// One thread.
    Thread(Id<Thread>),
}

/// Sends a signal. If the receiver's queue is full, what is known about it is lost, but not the signal itself.
pub fn send(kernel: &mut Kernel, chooser: &mut dyn Chooser, target: Target, info: SigInfo) {
    // Only sigqueue(3)'s senders are told that the queue is full; see `try_send`.
    let _ = try_send(kernel, chooser, target, info);
}

/// Sends a signal to every process of a group.
pub fn send_to_group(kernel: &mut Kernel, chooser: &mut dyn Chooser, group: i32, info: SigInfo) {
    for member in kernel.pids.members(group).to_vec() {
        send(kernel, chooser, Target::Process(member), info);
    }
}

/// Sends a signal to the calling thread itself.
pub fn raise(call: &mut Call, info: SigInfo) {
    send(call.kernel, call.chooser, Target::Thread(call.thread), info);
}

/// SIGPIPE for the calling thread: nobody can read what it writes, pipe(7).
pub fn raise_pipe(call: &mut Call) {
    let pid = call.process().pid;
    let uid = call.credentials().uid;
    raise(call, SigInfo::kill(SIGPIPE, SI_USER, pid, uid));
}

/// Sends a signal.
///
/// # Errors
/// `EAGAIN` if a real-time signal sent by a program does not fit the receiver's RLIMIT_SIGPENDING, sigqueue(3).
pub fn try_send(kernel: &mut Kernel, chooser: &mut dyn Chooser, target: Target, info: SigInfo) -> Result<(), Error> {
    let process = match target {
        Target::Process(process) => process,
        Target::Thread(thread) => match kernel.threads.get(thread) {
            Some(thread) => thread.process,
            None => return Ok(()),
        },
    };
    let signal = info.signal;
    let Some(receiver) = kernel.processes.get(process) else { return Ok(()) };
    if receiver.threads.is_empty() || receiver.exiting.is_some() {
        // A zombie, or belljar's own init, or a process on its way out: the signal has nobody to reach.
        return Ok(());
    }
    let to = match target {
        Target::Process(_) => receiver.pid,
        Target::Thread(thread) => kernel.threads[thread].tid,
    };
    kernel.emit(Event::SignalSent { signal, to });
    cancel_opposites(kernel, chooser, process, signal);
    if is_dropped(kernel, process, target, signal) {
        return Ok(());
    }
    enqueue(kernel, process, target, info)?;
    kernel.wake(WaitKey::SignalsOf(process));
    choose_receiver(kernel, chooser, process, target, signal);
    Ok(())
}

/// A stop signal cancels pending SIGCONTs; SIGCONT cancels pending stops and continues the process, even if it is blocked
/// or ignored, signal(7).
fn cancel_opposites(kernel: &mut Kernel, chooser: &mut dyn Chooser, process: Id<Process>, signal: i32) {
    if STOPPING.contains(signal) {
        flush(kernel, process, SignalSet::of(&[SIGCONT]));
    } else if signal == SIGCONT {
        flush(kernel, process, STOPPING);
        if kernel.processes[process].stopped {
            continue_process(kernel, process);
            report::tell(kernel, chooser, process, Report::Continued);
        }
    }
}

/// Lets a stopped process's threads run again.
pub(crate) fn continue_process(kernel: &mut Kernel, process: Id<Process>) {
    kernel.processes[process].stopped = false;
    for index in 0..kernel.processes[process].threads.len() {
        let thread = kernel.processes[process].threads[index];
        kernel.make_ready(thread);
    }
}

/// Whether the signal has no effect and nobody waits for it. A blocked one is kept: its disposition may change.
fn is_dropped(kernel: &Kernel, process: Id<Process>, target: Target, signal: i32) -> bool {
    let receiver = &kernel.processes[process];
    let thread = match target {
        Target::Process(_) => receiver.threads[0],
        Target::Thread(thread) => thread,
    };
    let mask = &kernel.threads[thread].signals;
    !mask.blocked.contains(signal) && !mask.awaited.contains(signal) && kernel.actions[receiver.actions].ignores(signal)
}

fn enqueue(kernel: &mut Kernel, process: Id<Process>, target: Target, info: SigInfo) -> Result<(), Error> {
    let signal = info.signal;
    let payer = kernel.credentials[kernel.processes[process].credentials].uid;
    let limit = kernel.processes[process].limits.soft(RLIMIT_SIGPENDING);
    let pending = match target {
        Target::Process(_) => &mut kernel.processes[process].signals,
        Target::Thread(thread) => &mut kernel.threads[thread].signals.pending,
    };
    if pending.would_merge(signal) {
        return Ok(());
    }
    if info.code == SI_TIMER {
        // timer_create(2) has kept room for it.
        pending.push(Queued { info, payer: None });
        return Ok(());
    }
    let account = kernel.users.entry(payer).or_default();
    // Linux: standard signals of the kernel and of kill(2) are let in above the limit.
    let is_above_limits = signal < SIGRTMIN && info.code >= 0;
    if account.signals >= limit && !is_above_limits {
        if signal >= SIGRTMIN && info.code != SI_USER {
            return Err(Errno::EAGAIN.because("the receiver's user has RLIMIT_SIGPENDING signals queued"));
        }
        pending.mark(signal);
        return Ok(());
    }
    account.signals += 1;
    pending.push(Queued { info, payer: Some(payer) });
    Ok(())
}

/// Wakes a thread that takes the signal. One that ends the process lets no other thread return to user mode.
fn choose_receiver(kernel: &mut Kernel, chooser: &mut dyn Chooser, process: Id<Process>, target: Target, signal: i32) {
    let wants = |kernel: &Kernel, thread: Id<Thread>| {
        let mask = &kernel.threads[thread].signals;
        !mask.blocked.contains(signal) || mask.awaited.contains(signal)
    };
    let candidates: Vec<Id<Thread>> = match target {
        Target::Thread(thread) => vec![thread],
        Target::Process(_) => kernel.processes[process].threads.clone(),
    };
    let candidates: Vec<Id<Thread>> = candidates.into_iter().filter(|thread| wants(kernel, *thread)).collect();
    let receiver = match candidates.len() {
        0 => return,
        1 => candidates[0],
        _ => candidates[chooser.signal_receiver(&candidates)],
    };
    if kernel.processes[process].stopped && signal != SIGKILL {
        // It is taken when the process continues.
        return;
    }
    if ends_process_at_once(kernel, process, receiver, signal) {
        kernel.processes[process].exiting = Some(abi::wait::killed(signal, false));
        if kernel.processes[process].stopped {
            continue_process(kernel, process);
        }
        for thread in kernel.processes[process].threads.clone() {
            kernel.unblock(thread);
        }
        return;
    }
    let sleeper = &kernel.threads[receiver];
    let is_killable_only = sleeper.operation.as_ref().is_some_and(deliver::is_uninterruptible);
    if matches!(sleeper.state, ThreadState::Blocked(_)) && !is_killable_only {
        kernel.unblock(receiver);
    }
}

/// Whether the signal ends the whole process without dumping core: then no thread has to take it first.
fn ends_process_at_once(kernel: &Kernel, process: Id<Process>, receiver: Id<Thread>, signal: i32) -> bool {
    if signal == SIGKILL {
        return true;
    }
    let mask = &kernel.threads[receiver].signals;
    !mask.blocked.contains(signal)
        && kernel.actions[kernel.processes[process].actions].get(signal).handler == SIG_DFL
        && !CORE_DUMPING.union(STOPPING).union(IGNORED_BY_DEFAULT).contains(signal)
}

/// Whether a signal is pending for a process as a whole, or for a thread alone.
pub fn is_pending(kernel: &Kernel, target: Target, signal: i32) -> bool {
    match target {
        Target::Process(process) => kernel.processes[process].signals.set().contains(signal),
        Target::Thread(thread) => kernel.threads[thread].signals.pending.set().contains(signal),
    }
}

/// Takes back queued signals that a timer or queue has sent and that are no longer true.
pub(crate) fn withdraw(kernel: &mut Kernel, target: Target, signal: i32, is_meant: impl Fn(&SigInfo) -> bool) {
    let pending = match target {
        Target::Process(process) => kernel.processes.get_mut(process).map(|process| &mut process.signals),
        Target::Thread(thread) => kernel.threads.get_mut(thread).map(|thread| &mut thread.signals.pending),
    };
    if let Some(pending) = pending {
        let payers = pending.withdraw(signal, is_meant);
        release_payers(kernel, payers);
    }
}

fn flush(kernel: &mut Kernel, process: Id<Process>, set: SignalSet) {
    let mut payers = kernel.processes[process].signals.flush(set);
    for index in 0..kernel.processes[process].threads.len() {
        let thread = kernel.processes[process].threads[index];
        payers.extend(kernel.threads[thread].signals.pending.flush(set));
    }
    release_payers(kernel, payers);
}

/// Takes signals that are no longer queued off their payers' accounts.
pub(crate) fn release_payers(kernel: &mut Kernel, payers: impl IntoIterator<Item = u32>) {
    for payer in payers {
        let account = kernel.users.get_mut(&payer).expect("who paid for a signal has an account");
        account.signals -= 1;
    }
}

/// Drops the pending signals of a set that are pending for a process or any of its threads: they are ignored now.
pub(crate) fn forget(kernel: &mut Kernel, process: Id<Process>, set: SignalSet) {
    flush(kernel, process, set);
}

/// Wakes other threads for signals pending for the process that the thread meant to take them blocks now. Linux
/// `retarget_shared_pending`.
pub(crate) fn retarget(kernel: &mut Kernel, chooser: &mut dyn Chooser, process: Id<Process>, left: SignalSet) {
    let mut left = left;
    while let Some(signal) = left.first() {
        left.remove(signal);
        choose_receiver(kernel, chooser, process, Target::Process(process), signal);
    }
}
