//! Calls that block: plain data with all their progress.

use crate::entry::Call;
use crate::wait::Wait;
use abi::Error;

/// What a handler says.
#[derive(Clone, Debug)]
pub enum Flow {
    /// The call is finished; rax gets the value.
    Done(u64),
    /// The operation has to be stepped until it is done.
    Start(Operation),
    /// The handler has set all registers itself: execve(2), rt_sigreturn(2).
    Replaced,
    /// The thread is gone: exit(2).
    Ended,
}

impl Flow {
    /// Success without a value.
    pub const OK: SysResult = Ok(Flow::Done(0));
}

/// A handler's answer.
pub type SysResult = Result<Flow, Error>;

/// What one step of an operation says.
#[derive(Clone, Debug)]
pub enum Step {
    /// The call is finished; rax gets the value.
    Done(u64),
    /// The operation is over and the call goes on like this.
    Then(Flow),
    /// Nothing can be done now; step again when any of this happens.
    Block(Wait),
}

/// How a call cut short by a signal handler ends, signal(7) "Interruption of system calls and library functions".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupted {
    /// It reports what it has done.
    Partial(u64),
    /// It is repeated if the handler was established with SA_RESTART, else `EINTR`.
    RestartIfAllowed,
    /// It is repeated whatever the handler's flags.
    RestartAlways,
    /// `EINTR` whatever the handler's flags.
    Never,
}

/// A blocked system call. `step` keeps these promises: it rechecks its condition (a wake is a hint); whatever it has done
/// when it blocks is in its fields; it holds what it needs (the description, decoded arguments, an absolute deadline),
/// never a descriptor or a duration; it names every key it sleeps on; what it takes from an object it takes after the
/// copy succeeded.
pub trait Blocking {
    /// Goes on as far as possible now, without pausing.
    ///
    /// # Errors
    /// The call's errors; the call ends with them.
    fn step(&mut self, call: &mut Call) -> Result<Step, Error>;
    /// How the call ends if a signal handler has to run now.
    fn interrupted(&self) -> Interrupted;
    /// Gives back what the operation holds. Called once, when the call is over, however it ended.
    fn release(&mut self, _call: &mut Call) {}
}

macro_rules! operations {
    ($($name:ident($type:ty),)*) => {
        /// Every system call that can block, with its progress. Shown by reports.
        #[derive(Clone, Debug)]
        #[allow(missing_docs)]
        pub enum Operation {
            $($name(Box<$type>),)*
        }

        $(impl From<$type> for Operation {
            fn from(operation: $type) -> Operation {
                Operation::$name(Box::new(operation))
            }
        }

        impl From<$type> for Flow {
            fn from(operation: $type) -> Flow {
                Flow::Start(operation.into())
            }
        })*

        impl Operation {
            /// See [`Blocking::step`].
            pub(crate) fn step(&mut self, call: &mut Call) -> Result<Step, Error> {
                match self {
                    $(Operation::$name(operation) => operation.step(call),)*
                }
            }

            /// See [`Blocking::interrupted`].
            pub(crate) fn interrupted(&self) -> Interrupted {
                match self {
                    $(Operation::$name(operation) => operation.interrupted(),)*
                }
            }

            /// See [`Blocking::release`].
            pub(crate) fn release(&mut self, call: &mut Call) {
                match self {
                    $(Operation::$name(operation) => operation.release(call),)*
                }
            }
        }
    };
}

// One line an operation, by folder.
operations! {
    // fs
    Read(crate::fs::ops::Read),
    Write(crate::fs::ops::Write),
    Splice(crate::fs::splice::Splice),
    TakeLock(crate::fs::locks::TakeLock),
    TakeWhole(crate::fs::locks::TakeWhole),
    // terminals
    TerminalRead(crate::fs::tty::transfer::TerminalRead),
    TerminalWrite(crate::fs::tty::transfer::TerminalWrite),
    TerminalControl(crate::fs::tty::control::TerminalControl),
    // processes
    WaitForChild(crate::process::wait::WaitForChild),
    VforkWait(crate::process::wait::VforkWait),
    // signals
    SignalSuspend(crate::signal::SignalSuspend),
    SignalTimedWait(crate::signal::SignalTimedWait),
    // futexes
    FutexWait(crate::futex::FutexWait),
    FutexWaitMany(crate::futex::FutexWaitMany),
    LockPi(crate::futex::LockPi),
    // sched
    Pause(crate::syscalls::operation::Pause),
}

/// pause(2): sleeps until a signal handler has run.
#[derive(Clone, Debug)]
pub struct Pause;

impl Blocking for Pause {
    fn step(&mut self, call: &mut Call) -> Result<Step, Error> {
        Ok(Step::Block(Wait::on(crate::wait::WaitKey::Signal(call.thread))))
    }
    fn interrupted(&self) -> Interrupted {
        Interrupted::Never
    }
}

/// pause(2).
pub fn pause(_call: &mut Call) -> SysResult {
    Ok(Pause.into())
}
