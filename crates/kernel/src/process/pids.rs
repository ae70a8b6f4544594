//! Numbers of processes, threads, groups and sessions.

use super::{Process, Thread};
use crate::table::Id;
use std::collections::BTreeMap;

/// proc(5) `/proc/sys/kernel/pid_max`.
pub const PID_MAX: i32 = 4_194_304;

/// Who has which number. A number is free again when no process, thread, group or session has it.
#[derive(Clone, Debug, Default)]
pub struct Pids {
    /// Living threads.
    pub threads: BTreeMap<i32, Id<Thread>>,
    /// Processes, zombies included.
    pub processes: BTreeMap<i32, Id<Process>>,
    last: i32,
}

impl Pids {
    /// The next free number; `None` if all are taken.
    pub fn allocate(&mut self) -> Option<i32> {
        for _ in 0..PID_MAX {
            self.last = if self.last + 1 >= PID_MAX { 300 } else { self.last + 1 };
            if !self.threads.contains_key(&self.last) && !self.processes.contains_key(&self.last) {
                return Some(self.last);
            }
        }
        None
    }
}
