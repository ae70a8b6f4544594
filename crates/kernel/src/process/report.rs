//! Telling parents: SIGCHLD and the wake of wait(2).

use super::{Process, Report};
use crate::kernel::Kernel;
use crate::ports::Chooser;
use crate::signal::{self, Target};
use crate::table::Id;
use crate::wait::WaitKey;
use abi::signal::{
    CLD_CONTINUED, CLD_DUMPED, CLD_EXITED, CLD_KILLED, CLD_STOPPED, SA_NOCLDSTOP, SA_NOCLDWAIT, SIG_IGN, SIGCHLD,
    SIGCONT, SigInfo,
};

/// Nanoseconds of a clock tick, `sysconf(_SC_CLK_TCK)` = 100 a second.
pub const TICK_NS: u64 = 10_000_000;

/// Tells the parent that a process stopped or continued. Linux `do_notify_parent_cldstop`.
pub(crate) fn tell(kernel: &mut Kernel, chooser: &mut dyn Chooser, process: Id<Process>, report: Report) {
    kernel.processes[process].report = Some(report);
    let Some(parent) = kernel.processes[process].parent else { return };
    let (code, status) = match report {
        Report::Stopped(signal) => (CLD_STOPPED, signal),
        Report::Continued => (CLD_CONTINUED, SIGCONT),
    };
    kernel.wake(WaitKey::Child(parent));
    let Some(actions) = kernel.actions.get(kernel.processes[parent].actions) else { return };
    let action = actions.get(SIGCHLD);
    if action.handler != SIG_IGN && action.flags & SA_NOCLDSTOP == 0 {
        let info = child_info(kernel, process, code, status);
        signal::send(kernel, chooser, Target::Process(parent), info);
    }
}

/// Tells the parent that a process ended. `true`: the parent does not want to know, so the zombie can go at once. Linux
/// `do_notify_parent`.
pub(crate) fn tell_end(kernel: &mut Kernel, chooser: &mut dyn Chooser, process: Id<Process>) -> bool {
    let Some(parent) = kernel.processes[process].parent else { return true };
    if kernel.processes[parent].parent.is_none() {
        // belljar's own init reaps silently.
        return true;
    }
    let status = kernel.processes[process].exit_status.expect("the process has ended");
    let exit_signal = kernel.processes[process].exit_signal;
    let mut is_forgotten = false;
    let mut is_silent = exit_signal == 0;
    if exit_signal == SIGCHLD
        && let Some(actions) = kernel.actions.get(kernel.processes[parent].actions)
    {
        let action = actions.get(SIGCHLD);
        is_silent = action.handler == SIG_IGN;
        is_forgotten = is_silent || action.flags & SA_NOCLDWAIT != 0;
    }
    if !is_silent {
        let (code, value) = match status & 0x7f {
            0 => (CLD_EXITED, status >> 8 & 0xff),
            signal if status & 0x80 != 0 => (CLD_DUMPED, signal),
            signal => (CLD_KILLED, signal),
        };
        let mut info = child_info(kernel, process, code, value);
        info.signal = exit_signal;
        signal::send(kernel, chooser, Target::Process(parent), info);
    }
    kernel.wake(WaitKey::Child(parent));
    is_forgotten
}

fn child_info(kernel: &Kernel, process: Id<Process>, code: i32, status: i32) -> SigInfo {
    let child = &kernel.processes[process];
    let uid = kernel.credentials[child.credentials].uid;
    let usage = super::usage::of_process(kernel, process);
    SigInfo::child(code, child.pid, uid, status, usage.user_ns / TICK_NS, usage.system_ns / TICK_NS)
}
