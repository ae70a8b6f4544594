//! Readers of what happens. They change nothing: a run with observers has the hash of one without.

use kernel::Kernel;
use kernel::clock::Instant;
use kernel::event::Record;
use kernel::mm::BadAccess;
use kernel::process::{Process, Thread};
use kernel::table::Id;
use machine::tlb_model::TlbModel;
use machine::{Exception, PageFault};

/// Reads a run while it goes on. `()` reads nothing and costs nothing; a pair is two readers, an `Option` perhaps one.
pub trait Observer {
    /// Something happened. `kernel` is the state at the next trap, a little later than the record.
    fn record(&mut self, kernel: &Kernel, record: &Record);

    /// The thread is about to enter a system call; its registers say which. Its memory still is as the call finds it.
    fn before_call(&mut self, kernel: &Kernel, thread: Id<Thread>);

    /// The thread's own instruction failed, and it is about to get a signal for it. Everything still is as the instruction
    /// found it.
    fn before_fault(&mut self, kernel: &Kernel, thread: Id<Thread>, fault: Fault<'_>) {
        _ = (kernel, thread, fault);
    }

    /// The thread of this number has run and gives the processor up; it may be gone.
    #[inline]
    fn after_turn(&mut self, _kernel: &Kernel, _process: Id<Process>, _tid: i32) {}

    /// The run has come to a point that was asked for ([`crate::run::System::looks`]).
    fn stopped(&mut self, _kernel: &Kernel, _model: Option<&TlbModel>, _stopped: Stopped) {}
}

/// A point at which somebody wants to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// This instant has come. No thread did anything since.
    At(Instant),
    /// The process is about to end by itself.
    Exiting(Id<Process>),
}

/// Why an instruction failed.
#[derive(Clone, Copy, Debug)]
pub enum Fault<'a> {
    /// It accessed memory that it may not, or that cannot be had.
    Access(PageFault, BadAccess),
    /// The processor raised an exception.
    Exception(&'a Exception),
}

impl Observer for () {
    #[inline]
    fn record(&mut self, _: &Kernel, _: &Record) {}
    #[inline]
    fn before_call(&mut self, _: &Kernel, _: Id<Thread>) {}
}

impl<T: Observer> Observer for Option<T> {
    #[inline]
    fn record(&mut self, kernel: &Kernel, record: &Record) {
        if let Some(observer) = self {
            observer.record(kernel, record);
        }
    }

    #[inline]
    fn before_call(&mut self, kernel: &Kernel, thread: Id<Thread>) {
        if let Some(observer) = self {
            observer.before_call(kernel, thread);
        }
    }

    fn before_fault(&mut self, kernel: &Kernel, thread: Id<Thread>, fault: Fault<'_>) {
        if let Some(observer) = self {
            observer.before_fault(kernel, thread, fault);
        }
    }

    fn stopped(&mut self, kernel: &Kernel, model: Option<&TlbModel>, stopped: Stopped) {
        if let Some(observer) = self {
            observer.stopped(kernel, model, stopped);
        }
    }

    #[inline]
    fn after_turn(&mut self, kernel: &Kernel, process: Id<Process>, tid: i32) {
        if let Some(observer) = self {
            observer.after_turn(kernel, process, tid);
        }
    }
}

impl<A: Observer, B: Observer> Observer for (A, B) {
    #[inline]
    fn record(&mut self, kernel: &Kernel, record: &Record) {
        self.0.record(kernel, record);
        self.1.record(kernel, record);
    }

    #[inline]
    fn before_call(&mut self, kernel: &Kernel, thread: Id<Thread>) {
        self.0.before_call(kernel, thread);
        self.1.before_call(kernel, thread);
    }

    fn before_fault(&mut self, kernel: &Kernel, thread: Id<Thread>, fault: Fault<'_>) {
        self.0.before_fault(kernel, thread, fault);
        self.1.before_fault(kernel, thread, fault);
    }

    fn stopped(&mut self, kernel: &Kernel, model: Option<&TlbModel>, stopped: Stopped) {
        self.0.stopped(kernel, model, stopped);
        self.1.stopped(kernel, model, stopped);
    }

    #[inline]
    fn after_turn(&mut self, kernel: &Kernel, process: Id<Process>, tid: i32) {
        self.0.after_turn(kernel, process, tid);
        self.1.after_turn(kernel, process, tid);
    }
}
