//! Delivery: a thread on its way to user mode takes its signals. Linux `get_signal`, arch/x86/kernel/signal.c.

use super::set::{IGNORED_BY_DEFAULT, STOPPING, SignalSet};
use super::{frame, send};
use crate::entry::{self, Call};
use crate::event::Event;
use crate::ipc::pipe;
use crate::process::{Process, Report, Thread, exit, groups, report};
use crate::sched::rseq;
use crate::syscalls::operation::{Interrupted, Operation};
use crate::table::Id;
use abi::Errno;
use abi::signal::{SA_NODEFER, SA_RESETHAND, SA_RESTART, SIG_DFL, SIG_IGN, SIGSEGV, SIGSTOP, SigAction, SigInfo};

/// What delivery did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// No signal is pending that is not blocked.
    Nothing,
    /// A signal was taken and had no effect on the thread's course: ignored, or continued.
    Ignored,
    /// The registers are set up to run a handler; an interrupted call was settled before.
    Handler,
    /// The process stopped.
    Stopped,
    /// The thread is gone.
    Died,
}

/// Whether a signal is pending that the thread does not block, and its state lets it take one.
#[inline]
pub fn has_deliverable(call: &Call) -> bool {
    let thread = &call.kernel.threads[call.thread];
    let process = &call.kernel.processes[thread.process];
    if process.exiting.is_some() {
        return true;
    }
    let pending = (thread.signals.pending.set().0 | process.signals.set().0) & !thread.signals.blocked.0;
    pending != 0 && !process.stopped && !thread.operation.as_ref().is_some_and(is_uninterruptible)
}

/// Calls that only the end of the process interrupts: Linux's killable sleeps.
pub(crate) fn is_uninterruptible(operation: &Operation) -> bool {
    matches!(operation, Operation::VforkWait(_))
}

/// Takes one pending signal that is not blocked and lets it take effect. A call that the signal interrupted is still in
/// the thread; [`crate::entry::settle`] decides about it before a handler's frame is built.
pub fn deliver(call: &mut Call) -> Delivered {
    if !has_deliverable(call) {
        return Delivered::Nothing;
    }
    let process = call.process_id();
    if let Some(status) = call.kernel.processes[process].exiting {
        exit::exit_group(call, status);
        return Delivered::Died;
    }
    let blocked = call.current().signals.blocked;
    let Some(info) = take(call, SignalSet(!blocked.0)) else { return Delivered::Nothing };
    let actions = call.kernel.processes[process].actions;
    let action = call.kernel.actions[actions].get(info.signal);
    match action.handler {
        SIG_IGN => Delivered::Ignored,
        SIG_DFL => default_action(call, process, info.signal),
        _ => run_handler(call, info, action),
    }
}

/// Takes the first pending signal of a set, the thread's own before the process's, Linux `dequeue_signal`.
pub(crate) fn take(call: &mut Call, among: SignalSet) -> Option<SigInfo> {
    let process = call.process_id();
    let own = SignalSet(call.current().signals.pending.set().0 & among.0);
    let (mut info, payer) = match own.first() {
        Some(signal) => call.current().signals.pending.take(signal),
        None => {
            let shared = SignalSet(call.kernel.processes[process].signals.set().0 & among.0);
            call.kernel.processes[process].signals.take(shared.first()?)
        }
    };
    send::release_payers(call.kernel, payer);
    crate::time::signal_taken(call.kernel, process, &mut info);
    Some(info)
}

fn default_action(call: &mut Call, process: Id<Process>, signal: i32) -> Delivered {
    if IGNORED_BY_DEFAULT.contains(signal) {
        return Delivered::Ignored;
    }
    if STOPPING.contains(signal) {
        if signal != SIGSTOP && groups::is_orphaned(call.kernel, call.kernel.processes[process].group) {
            // POSIX: nobody could continue the process, so the terminal's stop signals have no effect.
            return Delivered::Ignored;
        }
        call.kernel.emit(Event::SignalDelivered { signal });
        stop(call, process, signal);
        return Delivered::Stopped;
    }
    call.kernel.emit(Event::SignalDelivered { signal });
    exit::kill(call, signal);
    Delivered::Died
}

fn stop(call: &mut Call, process: Id<Process>, signal: i32) {
    call.kernel.processes[process].stopped = true;
    for index in 0..call.kernel.processes[process].threads.len() {
        let thread = call.kernel.processes[process].threads[index];
        call.kernel.scheduler.forget(thread);
        end_sleep(call, thread);
        pass_turn(call, thread);
    }
    report::tell(call.kernel, call.chooser, process, Report::Stopped(signal));
}

/// It may have been a stopped thread's turn to read or write a pipe: the next one must not wait for it.
fn pass_turn(call: &mut Call, thread: Id<Thread>) {
    let files = call.kernel.threads[thread].operation.as_ref().map(Operation::held_files).unwrap_or_default();
    for file in files {
        let object = call.kernel.files[file].object;
        pipe::pass_bytes(call.kernel, object);
        pipe::pass_room(call.kernel, object);
    }
}

/// Ends a call that does not outlast a stop.
fn end_sleep(call: &mut Call, thread: Id<Thread>) {
    let operation = call.kernel.threads[thread].operation.as_ref();
    let Some(operation) = operation.filter(|operation| !is_uninterruptible(operation)) else { return };
    let result = match operation.interrupted() {
        Interrupted::Partial(done) => Ok(done),
        Interrupted::NeverNorWhenStopped => {
            Err(Errno::EINTR.because("the process was stopped while the call was blocked"))
        }
        Interrupted::RestartIfAllowed | Interrupted::RestartAlways | Interrupted::Never => return,
    };
    entry::complete(call, thread, result);
}

fn run_handler(call: &mut Call, info: SigInfo, action: SigAction) -> Delivered {
    let signal = info.signal;
    let process = call.process_id();
    if action.flags & SA_RESETHAND != 0 {
        let actions = call.kernel.processes[process].actions;
        call.kernel.actions[actions].set(signal, SigAction { handler: SIG_DFL, ..action });
    }
    call.kernel.emit(Event::SignalDelivered { signal });
    // A call like sigsuspend(2) has its own mask while it sleeps; the handler runs under that one, and returns to the
    // one before, which `settle` puts back.
    let during = call.current().signals.blocked;
    entry::settle(call, action.flags & SA_RESTART != 0);
    super::mask::leave(call);
    rseq::interrupted(call);
    let back_to = call.current().signals.blocked;
    if frame::build(call, &info, action, back_to).is_err() {
        call.current().signals.blocked = during;
        if signal == SIGSEGV {
            exit::kill(call, SIGSEGV);
            return Delivered::Died;
        }
        super::raise_fault(call, SigInfo::kernel(SIGSEGV));
        return Delivered::Ignored;
    }
    let mut blocked = during.union(SignalSet(action.mask));
    if action.flags & SA_NODEFER == 0 {
        blocked.insert(signal);
    }
    super::mask::set(call, blocked);
    Delivered::Handler
}
