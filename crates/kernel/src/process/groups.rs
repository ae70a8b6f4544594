//! Process groups and sessions, credentials(7), setpgid(2), setsid(2).

use super::{Process, permission};
use crate::entry::Call;
use crate::kernel::Kernel;
use crate::ports::Chooser;
use crate::signal;
use crate::syscalls::operation::{Flow, SysResult};
use crate::table::Id;
use abi::signal::{SIGCONT, SIGHUP, SigInfo};
use abi::{Errno, Error};

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
    if parent.group == group || parent.session != session {
        // It was no parent that kept the group from being orphaned. Most ends are such, and groups may be large.
        return;
    }
    let ignored = (of == leaving).then_some(of);
    let has_stopped = kernel.pids.members(group).iter().any(|member| kernel.processes[*member].stopped);
    if has_stopped && is_orphaned_without(kernel, group, ignored) {
        signal::send_to_group(kernel, chooser, group, SigInfo::kernel(SIGHUP));
        signal::send_to_group(kernel, chooser, group, SigInfo::kernel(SIGCONT));
    }
}

/// The process that a call means: 0 is the caller.
fn meant(call: &Call, pid: i32) -> Result<Id<Process>, Error> {
    if pid == 0 { Ok(call.process_id()) } else { permission::find_process(call.kernel, pid) }
}

/// setpgid(2).
pub fn setpgid(call: &mut Call, pid: i32, group: i32) -> SysResult {
    if group < 0 {
        return Err(Errno::EINVAL.because("`pgid` is negative"));
    }
    let own = call.process_id();
    let target = meant(call, pid)?;
    let process = &call.kernel.processes[target];
    if process.parent == Some(own) && target != own {
        if process.session != call.kernel.processes[own].session {
            return Err(Errno::EPERM.because("the child is in another session"));
        }
        if process.has_executed {
            return Err(Errno::EACCES.because("the child runs a program of its own already"));
        }
    } else if target != own {
        return Err(Errno::ESRCH.because("the process is neither the caller nor one of its children"));
    }
    if process.pid == process.session {
        return Err(Errno::EPERM.because("the process leads its session"));
    }
    let group = if group == 0 { process.pid } else { group };
    let (session, old) = (process.session, process.group);
    if group != process.pid {
        let members = call.kernel.pids.members(group);
        if !members.iter().any(|member| call.kernel.processes[*member].session == session) {
            return Err(Errno::EPERM.because("the session has no such process group"));
        }
    }
    if group != old {
        call.kernel.pids.join(target, group, session);
        call.kernel.pids.leave(target, old, session);
        call.kernel.processes[target].group = group;
    }
    Flow::OK
}

/// getpgid(2).
pub fn getpgid(call: &mut Call, pid: i32) -> SysResult {
    let target = meant(call, pid)?;
    Ok(Flow::Done(call.kernel.processes[target].group as u64))
}

/// getpgrp(2).
pub fn getpgrp(call: &mut Call) -> SysResult {
    Ok(Flow::Done(call.process().group as u64))
}

/// getsid(2).
pub fn getsid(call: &mut Call, pid: i32) -> SysResult {
    let target = meant(call, pid)?;
    Ok(Flow::Done(call.kernel.processes[target].session as u64))
}

/// setsid(2).
pub fn setsid(call: &mut Call) -> SysResult {
    let own = call.process_id();
    let Process { pid, group, session, .. } = *call.process();
    if !call.kernel.pids.members(pid).is_empty() {
        return Err(Errno::EPERM.because("a process group has the caller's number"));
    }
    call.kernel.pids.join(own, pid, pid);
    call.kernel.pids.leave(own, group, session);
    let process = call.process();
    (process.group, process.session) = (pid, pid);
    // A new session has no terminal yet.
    process.terminal = None;
    Ok(Flow::Done(pid as u64))
}
