//! Process groups and sessions, credentials(7), setpgid(2), setsid(2).

use super::Process;
use crate::kernel::Kernel;
use crate::ports::Chooser;
use crate::signal;
use crate::table::Id;
use abi::signal::{SIGCONT, SIGHUP, SigInfo};

/// Whether no member's parent is in another group of the same session, so that nobody would continue a stopped member.
/// Linux `will_become_orphaned_pgrp`. belljar's own init counts as a parent only of the program that belljar's user
/// started: it stands for the shell into which the command was typed.
pub fn is_orphaned(kernel: &Kernel, group: i32) -> bool {
    is_orphaned_without(kernel, group, None)
}

/// [`is_orphaned`] as if one process were not there: it is on its way out.
pub(crate) fn is_orphaned_without(kernel: &Kernel, group: i32, leaving: Option<Id<Process>>) -> bool {
    kernel.pids.members(group).iter().all(|member| {
        let process = &kernel.processes[*member];
        let Some(parent) = process.parent else { return true };
        if leaving == Some(*member) || process.exit_status.is_some() && process.threads.is_empty() {
            return true;
        }
        let parent = &kernel.processes[parent];
        if parent.parent.is_none() && !process.is_first {
            return true;
        }
        parent.group == group || parent.session != process.session
    })
}

/// Sends SIGHUP and SIGCONT to a group that a process's end orphans, if a member is stopped. `leaving` ends; `of` is a
/// child of it or itself. Linux `kill_orphaned_pgrp`.
pub(crate) fn hang_up_if_orphaned(
    kernel: &mut Kernel,
    chooser: &mut dyn Chooser,
    of: Id<Process>,
    leaving: Id<Process>,
) {
    let (group, session) = (kernel.processes[of].group, kernel.processes[of].session);
    let parent = if of == leaving { kernel.processes[of].parent } else { Some(leaving) };
    let Some(parent) = parent else { return };
    let parent = &kernel.processes[parent];
    let ignored = (of == leaving).then_some(of);
    let is_newly_orphaned =
        parent.group != group && parent.session == session && is_orphaned_without(kernel, group, ignored);
    let has_stopped = kernel.pids.members(group).iter().any(|member| kernel.processes[*member].stopped);
    if is_newly_orphaned && has_stopped {
        signal::send_to_group(kernel, chooser, group, SigInfo::kernel(SIGHUP));
        signal::send_to_group(kernel, chooser, group, SigInfo::kernel(SIGCONT));
    }
}
