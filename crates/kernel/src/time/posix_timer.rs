//! POSIX timers, timer_create(2).

use crate::Kernel;
use crate::process::Process;
use crate::table::Id;

/// Timer `id` of a process has expired.
pub fn expired(_kernel: &mut Kernel, _chooser: &mut dyn crate::ports::Chooser, _process: Id<Process>, _id: i32) {}
