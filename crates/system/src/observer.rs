//! Readers of what happens. They change nothing: a run with observers has the hash of one without.

use kernel::Kernel;
use kernel::event::Record;
use kernel::process::Thread;
use kernel::table::Id;

/// Reads a run while it goes on.
pub trait Observer {
    /// Something happened. `kernel` is the state at the next trap, a little later than the record.
    fn record(&mut self, kernel: &Kernel, record: &Record);

    /// The thread is about to enter a system call; its registers say which. Its memory still is as the call finds it.
    fn before_call(&mut self, _kernel: &Kernel, _thread: Id<Thread>) {}
}

/// Several observers as one.
impl Observer for Vec<Box<dyn Observer>> {
    fn record(&mut self, kernel: &Kernel, record: &Record) {
        for observer in self {
            observer.record(kernel, record);
        }
    }

    fn before_call(&mut self, kernel: &Kernel, thread: Id<Thread>) {
        for observer in self {
            observer.before_call(kernel, thread);
        }
    }
}
