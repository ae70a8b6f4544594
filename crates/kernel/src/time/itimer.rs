//! Interval timers, setitimer(2), and alarm(2).

use crate::Kernel;
use crate::process::Process;
use crate::table::Id;

/// `ITIMER_REAL` of a process has expired.
pub fn expired(_kernel: &mut Kernel, _chooser: &mut dyn crate::ports::Chooser, _process: Id<Process>) {}
