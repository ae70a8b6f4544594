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
    /// Members of process groups, zombies included, in the order in which they joined. No group is empty.
    pub groups: BTreeMap<i32, Vec<Id<Process>>>,
    /// Sessions with at least one process.
    pub sessions: BTreeMap<i32, Session>,
    /// Processes that have descriptors, pidfd_open(2): what is told of them when they are gone.
    pub remembered: BTreeMap<Id<Process>, super::pidfd::Remembered>,
    last: i32,
    created: u64,
}

/// A session, setsid(2).
#[derive(Clone, Debug, Default)]
pub struct Session {
    /// Its processes, zombies included.
    pub members: usize,
}

impl Pids {
    /// The next free number; `None` if all are taken.
    pub fn allocate(&mut self) -> Option<i32> {
        for _ in 0..PID_MAX {
            // Linux, kernel/pid.c: after the first round the numbers below 300 are left to daemons.
            self.last = if self.last + 1 >= PID_MAX { 300 } else { self.last + 1 };
            if self.is_free(self.last) {
                self.created += 1;
                return Some(self.last);
            }
        }
        None
    }

    /// The number given away last: `/proc/sys/kernel/ns_last_pid`.
    pub fn last(&self) -> i32 {
        self.last
    }

    /// How many numbers were given away: `processes` in `/proc/stat`.
    pub fn created(&self) -> u64 {
        self.created
    }

    /// Whether nobody has the number.
    pub fn is_free(&self, number: i32) -> bool {
        !self.threads.contains_key(&number)
            && !self.processes.contains_key(&number)
            && !self.groups.contains_key(&number)
            && !self.sessions.contains_key(&number)
    }

    /// Enters a process into a group and a session.
    pub(crate) fn join(&mut self, process: Id<Process>, group: i32, session: i32) {
        self.groups.entry(group).or_default().push(process);
        self.sessions.entry(session).or_default().members += 1;
    }

    /// Takes a process out of its group and session.
    pub(crate) fn leave(&mut self, process: Id<Process>, group: i32, session: i32) {
        let members = self.groups.get_mut(&group).expect("a process is in its group");
        // Who joined early mostly leaves early.
        let place = members.iter().position(|member| *member == process).expect("a process is in its group");
        members.remove(place);
        if members.is_empty() {
            self.groups.remove(&group);
        }
        let left = self.sessions.get_mut(&session).expect("a process is in its session");
        left.members -= 1;
        if left.members == 0 {
            self.sessions.remove(&session);
        }
    }

    /// The members of a process group.
    pub fn members(&self, group: i32) -> &[Id<Process>] {
        self.groups.get(&group).map_or(&[], Vec::as_slice)
    }
}
