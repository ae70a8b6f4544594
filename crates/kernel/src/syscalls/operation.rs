//! Calls that block: plain data with all their progress.

use crate::entry::Call;
use crate::fs::FileDescription;
use crate::table::Id;
use crate::wait::Wait;
use abi::Error;

/// What a handler says.
#[derive(Clone, Debug)]
pub enum Flow {
    /// The call is finished; rax gets the value.
    Done(u64),
    /// The operation has to be stepped until it is done.
    Start(Operation),
    /// The operation has been stepped, and its thread sleeps until any of this happens.
    Block(Operation, Wait),
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

/// How a call cut short by a signal handler ends, signal(7) "Interruption of system calls and library functions"; and what
/// becomes of it when the process is stopped, "Interruption of system calls and library functions by stop signals".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupted {
    /// It reports what it has done, also when it is stopped.
    Partial(u64),
    /// It is repeated if the handler was established with SA_RESTART, else `EINTR`.
    RestartIfAllowed,
    /// It is repeated whatever the handler's flags.
    RestartAlways,
    /// `EINTR` whatever the handler's flags.
    Never,
    /// The same, also when it is stopped: Linux returns a plain `EINTR`.
    NeverNorWhenStopped,
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
    /// What a handler's interruption leaves in guest memory, such as the time that was left; then as `interrupted`.
    fn cut_short(&mut self, _call: &mut Call) -> Interrupted {
        self.interrupted()
    }
    /// The open files that it holds, once for each time.
    fn held_files(&self) -> Vec<Id<FileDescription>> {
        Vec::new()
    }
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

            /// See [`Blocking::cut_short`].
            pub(crate) fn cut_short(&mut self, call: &mut Call) -> Interrupted {
                match self {
                    $(Operation::$name(operation) => operation.cut_short(call),)*
                }
            }

            /// See [`Blocking::held_files`].
            pub fn held_files(&self) -> Vec<Id<FileDescription>> {
                match self {
                    $(Operation::$name(operation) => operation.held_files(),)*
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
    SpliceMemory(crate::fs::splice::SpliceMemory),
    TakeLock(crate::fs::locks::TakeLock),
    TakeWhole(crate::fs::locks::TakeWhole),
    BreakLease(crate::fs::leases::BreakLease),
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
    // readiness, pipes
    Poll(crate::fs::poll::Poll),
    Select(crate::fs::poll::Select),
    EpollWait(crate::fs::epoll::EpollWait),
    FifoOpen(crate::ipc::fifo::FifoOpen),
    // POSIX queues
    QueueSend(crate::ipc::posix::Send),
    QueueReceive(crate::ipc::posix::Receive),
    // System V
    SendMessage(crate::ipc::sysv::SendMessage),
    ReceiveMessage(crate::ipc::sysv::ReceiveMessage),
    SemaphoreWait(crate::ipc::sysv::SemaphoreWait),
    // sockets
    Send(crate::socket::transfer::Send),
    Receive(crate::socket::transfer::Receive),
    SendMultiple(crate::socket::multiple::Multiple<crate::socket::transfer::Send>),
    ReceiveMultiple(crate::socket::multiple::Multiple<crate::socket::transfer::Receive>),
    Accept(crate::socket::Accept),
    Connect(crate::socket::Connect),
    // time
    Sleep(crate::time::sleep::Sleep),
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
