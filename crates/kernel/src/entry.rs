//! The one way in and out: a thread enters with a system call, its operation is stepped until it is done, signals are
//! looked at before it goes back to user mode.
//!
//! ```text
//! run loop: Trap::Syscall -> enter -> handler -> Flow::Done ----------------------------> finish -> rax
//!                                        \-> Flow::Start -> advance -> Step::Done ------> finish
//!                                        |                     \-> Step::Block: the thread sleeps
//!                                        \-> Flow::Block: stepped already, the thread sleeps
//! wake or signal: runnable again -> prepare -> advance ... -> signals -> user mode
//! ```

use crate::clock::Alarm;
use crate::event::Event;
use crate::fs::{signal_driven, tty};
use crate::kernel::Kernel;
use crate::ports::{Chooser, Outside};
use crate::process::{CallInProgress, Process, Thread, ThreadState};
use crate::sched::rseq;
use crate::signal::{self, Delivered};
use crate::structures;
use crate::syscalls::operation::{Flow, Interrupted, Operation, Step, SysResult};
use crate::syscalls::table as rows;
use crate::table::Id;
use crate::wait::Wait;
use abi::{Errno, Error};
use machine::{Gpr, Registers};

/// Work inside the kernel: on what, through which ports, on whose behalf.
pub struct Call<'a> {
    /// Everything.
    pub kernel: &'a mut Kernel,
    /// The world around.
    pub outside: &'a mut dyn Outside,
    /// What is open.
    pub chooser: &'a mut dyn Chooser,
    /// The calling thread.
    pub thread: Id<Thread>,
}

impl Call<'_> {
    /// The calling thread.
    #[inline]
    pub fn current(&mut self) -> &mut Thread {
        &mut self.kernel.threads[self.thread]
    }

    /// The calling process's handle.
    #[inline]
    pub fn process_id(&self) -> Id<Process> {
        self.kernel.threads[self.thread].process
    }

    /// The calling process.
    #[inline]
    pub fn process(&mut self) -> &mut Process {
        let process = self.process_id();
        &mut self.kernel.processes[process]
    }

    /// The same work on behalf of another thread.
    pub fn as_thread(&mut self, thread: Id<Thread>) -> Call<'_> {
        Call { kernel: self.kernel, outside: self.outside, chooser: self.chooser, thread }
    }
}

/// Whether a thread can go to user mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// Its registers say where.
    User,
    /// It sleeps, is stopped, or is gone.
    NotNow,
}

/// Serves the system call that the thread's registers ask for.
pub fn enter(call: &mut Call) {
    call.kernel.sweep_loose_nodes();
    let thread = call.current();
    let number = thread.registers.get(Gpr::Rax);
    let arguments = arguments_in(&thread.registers);
    thread.call = Some(CallInProgress { number, arguments });
    thread.system_calls += 1;
    call.kernel.emit(Event::SyscallEntered { number, arguments });
    let result = match structures::admit(call.kernel, number) {
        Ok(()) => rows::dispatch(call, number, arguments),
        Err(error) => Err(error),
    };
    conclude(call, result);
    serve_deferred(call);
}

/// Does what the step just over has left to be done where there is a chooser.
#[inline]
fn serve_deferred(call: &mut Call) {
    tty::jobs::serve_closed_masters(call.kernel, call.chooser);
    signal_driven::serve(call.kernel, call.chooser);
}

/// The six argument registers of a system call, syscall(2).
#[inline(always)]
fn arguments_in(registers: &Registers) -> [u64; 6] {
    [Gpr::Rdi, Gpr::Rsi, Gpr::Rdx, Gpr::R10, Gpr::R8, Gpr::R9].map(|register| registers.get(register))
}

/// Ends a call with its handler's answer, or begins the operation that it asks for.
fn conclude(call: &mut Call, result: SysResult) {
    match result {
        Ok(Flow::Done(value)) => finish(call, Ok(value)),
        Ok(Flow::Start(operation)) => advance(call, operation),
        Ok(Flow::Block(operation, wait)) => block(call, operation, wait),
        Ok(Flow::Replaced) => {
            if let Some(in_progress) = call.current().call.take() {
                call.kernel.emit(Event::SyscallLeft { number: in_progress.number, result: Ok(0) });
            }
        }
        Ok(Flow::Ended) => {}
        Err(error) => finish(call, Err(error)),
    }
}

/// Steps `operation` once: the call ends, or the thread sleeps with the operation kept.
fn advance(call: &mut Call, mut operation: Operation) {
    assert!(call.current().operation.is_none(), "one operation at a time");
    match operation.step(call) {
        Ok(Step::Block(wait)) => block(call, operation, wait),
        Ok(Step::Done(value)) => {
            operation.release(call);
            finish(call, Ok(value));
        }
        Ok(Step::Then(flow)) => {
            operation.release(call);
            conclude(call, Ok(flow));
        }
        Err(error) => {
            operation.release(call);
            finish(call, Err(error));
        }
    }
}

/// Puts the thread to sleep; `operation`, which asked for that, is stepped again when it wakes.
fn block(call: &mut Call, operation: Operation, wait: Wait) {
    if wait.deadline.is_some_and(|deadline| deadline <= call.kernel.clock.now()) {
        // The deadline has passed already: the next step will say so.
        call.current().operation = Some(operation);
        let thread = call.thread;
        call.kernel.make_ready(thread);
        return;
    }
    call.kernel.emit(Event::Blocked(wait.clone()));
    for key in &wait.keys {
        call.kernel.waits.enqueue(*key, call.thread);
    }
    let timer = wait.deadline.map(|deadline| call.kernel.clock.start(deadline, Alarm::Deadline(call.thread)));
    let thread = call.current();
    thread.deadline_timer = timer;
    thread.state = ThreadState::Blocked(wait);
    thread.operation = Some(operation);
}

/// Puts a call's result into rax.
fn finish(call: &mut Call, result: Result<u64, Error>) {
    let thread = call.current();
    let Some(in_progress) = thread.call.take() else { return };
    let value = match result {
        Ok(value) => value,
        Err(error) => (-i64::from(error.errno.0)) as u64,
    };
    thread.registers.set(Gpr::Rax, value);
    call.kernel.emit_as(call.thread, Event::SyscallLeft { number: in_progress.number, result });
}

/// Ends the call of a sleeping thread from outside: its waker has done its work for it. The operation is released.
pub fn complete(call: &mut Call, thread: Id<Thread>, result: Result<u64, Error>) {
    call.kernel.unblock(thread);
    let mut call = call.as_thread(thread);
    if let Some(mut operation) = call.current().operation.take() {
        operation.release(&mut call);
    }
    finish(&mut call, result);
}

/// Brings the thread to user mode if it can go there: steps its operation, delivers its signals.
///
/// Signals are looked at after the step, not before: a call that can finish must not fail, signal(7).
pub fn prepare(call: &mut Call) -> Ready {
    if call.kernel.scheduler.take_start()
        && let Some(thread) = call.kernel.threads.get(call.thread)
        && thread.rseq.is_some()
        && thread.operation.is_none()
    {
        rseq::interrupted(call);
    }
    loop {
        let Some(thread) = call.kernel.threads.get_mut(call.thread) else { return Ready::NotNow };
        if thread.state == ThreadState::Runnable
            && let Some(operation) = thread.operation.take()
        {
            advance(call, operation);
            serve_deferred(call);
        }
        if is_undisturbed(call) {
            return Ready::User;
        }
        let Some(thread) = call.kernel.threads.get(call.thread) else { return Ready::NotNow };
        let is_blocked = thread.state != ThreadState::Runnable;
        if (is_blocked || call.kernel.processes[thread.process].stopped) && !signal::has_deliverable(call) {
            return Ready::NotNow;
        }
        if is_blocked {
            // The call's own mask let the signal in, or it came while the call went to sleep.
            let thread = call.thread;
            call.kernel.unblock(thread);
        }
        let delivered = signal::deliver(call);
        serve_deferred(call);
        match delivered {
            Delivered::Nothing if call.current().operation.is_none() => return Ready::User,
            Delivered::Nothing | Delivered::Ignored | Delivered::Handler => {}
            Delivered::Stopped | Delivered::Died => return Ready::NotNow,
        }
    }
}

/// Whether nothing keeps the thread from user mode: most threads, most of the time.
#[inline]
fn is_undisturbed(call: &Call) -> bool {
    let Some(thread) = call.kernel.threads.get(call.thread) else { return false };
    thread.state == ThreadState::Runnable
        && thread.operation.is_none()
        && !call.kernel.processes[thread.process].stopped
        && !signal::has_deliverable(call)
}

/// Settles a call that a signal interrupted, now that a handler will run, signal(7) "Interruption of system calls".
/// Without a handler the operation is simply stepped again: its progress and its deadline are in it.
pub fn settle(call: &mut Call, sa_restart: bool) {
    let Some(mut operation) = call.current().operation.take() else { return };
    let outcome = operation.cut_short(call);
    operation.release(call);
    match outcome {
        Interrupted::Partial(value) => finish(call, Ok(value)),
        Interrupted::RestartIfAllowed if sa_restart => repeat(call),
        Interrupted::RestartAlways => repeat(call),
        Interrupted::RestartIfAllowed | Interrupted::Never | Interrupted::NeverNorWhenStopped => {
            finish(call, Err(Errno::EINTR.because("a signal handler ran while the call was blocked")));
        }
    }
}

/// Puts the registers back so that the `syscall` instruction runs again after the handler.
fn repeat(call: &mut Call) {
    let thread = call.current();
    let Some(in_progress) = thread.call.take() else { return };
    thread.registers.set(Gpr::Rax, in_progress.number);
    thread.registers.rip = thread.registers.rip.wrapping_sub(SYSCALL_LENGTH);
    call.kernel.emit(Event::SyscallLeft {
        number: in_progress.number,
        result: Err(Errno::EINTR.because("a signal handler runs first; then the call is repeated")),
    });
}

/// Bytes of the `syscall` instruction.
const SYSCALL_LENGTH: u64 = 2;
