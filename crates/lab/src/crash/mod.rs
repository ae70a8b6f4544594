//! Processes that died of an access or an instruction of their own: SIGSEGV, SIGBUS, SIGILL, SIGFPE that nobody caught.
//!
//! ```text
//! before_call    -> where a call that can take memory away was made
//! record         -> History: what was unmapped, protected or cut, and by which call
//! before_fault   -> Crash: the access, the areas around it, the stack, what happened to the address before
//! ProcessEnded   -> the crash is certain: kept for the report
//! ```
//!
//! Everything is a copy, because the dead leave nothing behind. Lines of source are looked up when the report is made,
//! [`report`].

mod facts;
mod history;
mod report;

pub use facts::{AreaFact, Cause, Crash, Elsewhere, Reason};
pub use history::{Change, Changed, History, Site};
pub use report::report;

use kernel::Kernel;
use kernel::event::{Event, Record};
use kernel::process::Thread;
use kernel::table::Id;
use std::collections::BTreeMap;
use system::observer::{Fault, Observer};

/// Crashes kept with everything that was seen; of the rest there is a number.
const MOST_CRASHES: usize = 100;

/// Watches for crashes.
#[derive(Debug, Default)]
pub struct Crashes {
    history: History,
    /// Faults that will kill, by the number of the process.
    dying: BTreeMap<i32, Crash>,
    /// In the order of the deaths.
    dead: Vec<Crash>,
    /// Those that were one too many.
    more: u64,
}

impl Crashes {
    /// All that are kept, in order.
    pub fn all(&self) -> &[Crash] {
        &self.dead
    }

    /// How many there were beyond those.
    pub fn more(&self) -> u64 {
        self.more
    }
}

impl Observer for Crashes {
    #[inline]
    fn before_call(&mut self, kernel: &Kernel, thread: Id<Thread>) {
        self.history.before_call(kernel, thread);
    }

    fn before_fault(&mut self, kernel: &Kernel, thread: Id<Thread>, fault: Fault<'_>) {
        if let Some(crash) = facts::observe(kernel, thread, fault, &self.history) {
            self.dying.insert(crash.pid, crash);
        }
    }

    #[inline]
    fn record(&mut self, kernel: &Kernel, record: &Record) {
        match &record.event {
            Event::ProcessEnded { pid, status, .. } => {
                let Some(crash) = self.dying.remove(pid) else { return };
                if status & 0x7f != crash.signal {
                    return;
                }
                if self.dead.len() < MOST_CRASHES {
                    self.dead.push(crash);
                } else {
                    self.more += 1;
                }
            }
            _ => self.history.record(kernel, record),
        }
    }
}
