//! Waiting for children, wait(2). Linux kernel/exit.c `do_wait`.

use super::pidfd::{self, Subject};
use super::{Process, Report, exit, usage};
use crate::entry::Call;
use crate::fs::Fd;
use crate::kernel::Kernel;
use crate::syscalls::operation::{Blocking, Interrupted, Step, SysResult};
use crate::table::Id;
use crate::user::UserPtr;
use crate::wait::{Wait, WaitKey};
use abi::resource::Rusage;
use abi::signal::{CLD_CONTINUED, CLD_DUMPED, CLD_EXITED, CLD_KILLED, CLD_STOPPED, SIGCHLD, SIGCONT, SigInfo};
use abi::wait::*;
use abi::{Errno, Error};

/// Which children a call waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Children {
    /// Any.
    Any,
    /// The one with this number.
    Pid(i32),
    /// Those of a process group.
    Group(i32),
    /// The one behind a pidfd.
    Process(Id<Process>),
}

/// How the answer is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// wait4(2): the number is returned, the status stored.
    Status(UserPtr<i32>),
    /// waitid(2): everything is in the `siginfo_t`.
    Info(UserPtr<SigInfo>),
}

/// wait4(2), waitid(2).
#[derive(Clone, Debug)]
pub struct WaitForChild {
    /// Which children.
    pub children: Children,
    /// `W` flags.
    pub options: i32,
    /// Where the answer goes.
    pub answer: Answer,
    /// Where the child's use of resources goes.
    pub usage: UserPtr<Rusage>,
    /// The child's descriptor is `PIDFD_NONBLOCK`: never sleeps.
    pub nonblocking: bool,
}

/// A change of a child, as the waiting parent gets it.
struct Change {
    pid: i32,
    uid: u32,
    /// As wait4(2) encodes it.
    status: i32,
    /// As waitid(2) tells it: `si_code` and `si_status`.
    code: i32,
    value: i32,
    used: usage::Usage,
}

impl Blocking for WaitForChild {
    fn step(&mut self, call: &mut Call) -> Result<Step, Error> {
        let own = call.process_id();
        let mut has_candidate = false;
        for index in 0..call.kernel.processes[own].children.len() {
            let child = call.kernel.processes[own].children[index];
            if !self.is_meant(call.kernel, child) {
                continue;
            }
            // A zombie is none for who does not ask for ends: `wait_consider_task`.
            let is_zombie = call.kernel.processes[child].exit_status.is_some();
            has_candidate |= !is_zombie || self.options & WEXITED != 0;
            if let Some(change) = self.take_change(call.kernel, child) {
                return self.finish(call, change).map(Step::Done);
            }
        }
        if !has_candidate {
            return Err(Errno::ECHILD.because("there is no such child"));
        }
        if self.options & WNOHANG != 0 {
            if let Answer::Info(info) = self.answer {
                call.write_if_given(info, &SigInfo::default())?;
            }
            return Ok(Step::Done(0));
        }
        if self.nonblocking {
            return Err(Errno::EAGAIN.because("no child has changed, and the descriptor is `PIDFD_NONBLOCK`"));
        }
        Ok(Step::Block(Wait::on(WaitKey::Child(own))))
    }

    fn interrupted(&self) -> Interrupted {
        Interrupted::RestartIfAllowed
    }
}

impl WaitForChild {
    fn is_meant(&self, kernel: &Kernel, child: Id<Process>) -> bool {
        let process = &kernel.processes[child];
        let is_named = match self.children {
            Children::Any => true,
            Children::Pid(pid) => process.pid == pid,
            Children::Group(group) => process.group == group,
            Children::Process(process) => process == child,
        };
        let is_kind = self.options & WALL != 0 || (process.exit_signal != SIGCHLD) == (self.options & WCLONE != 0);
        is_named && is_kind
    }

    /// The change that the child has to report, taken unless `WNOWAIT` says otherwise.
    fn take_change(&self, kernel: &mut Kernel, child: Id<Process>) -> Option<Change> {
        let process = &kernel.processes[child];
        let keeps = self.options & WNOWAIT != 0;
        let mut used = usage::of_process(kernel, child);
        used.add(&process.children_usage);
        let uid = kernel.credentials[process.credentials].uid;
        let change = |status, code, value| Change { pid: process.pid, uid, status, code, value, used };
        if let Some(status) = process.exit_status {
            if self.options & WEXITED == 0 {
                return None;
            }
            let (code, value) = match status & 0x7f {
                0 => (CLD_EXITED, status >> 8 & 0xff),
                signal if status & 0x80 != 0 => (CLD_DUMPED, signal),
                signal => (CLD_KILLED, signal),
            };
            let change = change(status, code, value);
            if !keeps {
                let parent = process.parent.expect("who is waited for has a parent");
                kernel.processes[parent].children_usage.add(&change.used);
                exit::reap(kernel, child);
            }
            return Some(change);
        }
        let change = match process.report? {
            Report::Stopped(signal) if self.options & WSTOPPED != 0 => change(stopped(signal), CLD_STOPPED, signal),
            Report::Continued if self.options & WCONTINUED != 0 => change(CONTINUED, CLD_CONTINUED, SIGCONT),
            _ => return None,
        };
        if !keeps {
            kernel.processes[child].report = None;
        }
        Some(change)
    }

    fn finish(&self, call: &mut Call, change: Change) -> Result<u64, Error> {
        if !self.usage.is_null() {
            call.write(self.usage, &change.used.to_wire())?;
        }
        match self.answer {
            Answer::Status(to) => {
                call.write_if_given(to, &change.status)?;
                Ok(change.pid as u64)
            }
            Answer::Info(to) => {
                // Linux fills in no times here, unlike in the signal.
                let info = SigInfo::child(change.code, change.pid, change.uid, change.value, 0, 0);
                call.write_if_given(to, &info)?;
                Ok(0)
            }
        }
    }
}

/// wait4(2).
pub fn wait4(call: &mut Call, pid: i32, status: UserPtr<i32>, options: i32, usage: UserPtr<Rusage>) -> SysResult {
    if options & !(WNOHANG | WUNTRACED | WCONTINUED | WNOTHREAD | WCLONE | WALL) != 0 {
        return Err(Errno::EINVAL.because("`options` has unknown flags"));
    }
    let children = match pid {
        -1 => Children::Any,
        0 => Children::Group(call.process().group),
        i32::MIN => return Err(Errno::ESRCH.because("no process group has this number")),
        group if group < 0 => Children::Group(-group),
        pid => Children::Pid(pid),
    };
    Ok(WaitForChild { children, options: options | WEXITED, answer: Answer::Status(status), usage, nonblocking: false }
        .into())
}

/// waitid(2).
pub fn waitid(
    call: &mut Call,
    kind: i32,
    id: i32,
    info: UserPtr<SigInfo>,
    options: i32,
    usage: UserPtr<Rusage>,
) -> SysResult {
    if options & !(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | WNOTHREAD | WCLONE | WALL) != 0 {
        return Err(Errno::EINVAL.because("`options` has unknown flags"));
    }
    if options & (WEXITED | WSTOPPED | WCONTINUED) == 0 {
        return Err(Errno::EINVAL.because("`options` asks for no kind of change"));
    }
    let mut nonblocking = false;
    let children = match kind {
        P_ALL => Children::Any,
        P_PID if id > 0 => Children::Pid(id),
        P_PGID if id > 0 => Children::Group(id),
        P_PGID if id == 0 => Children::Group(call.process().group),
        P_PIDFD if id >= 0 => {
            let (subject, file) = (pidfd::subject(call, Fd(id))?, call.file(Fd(id))?);
            nonblocking = call.kernel.files[file].is_nonblocking();
            match subject {
                Subject::Process(process) => Children::Process(process),
                Subject::Thread { tid, .. } => Children::Pid(tid),
            }
        }
        _ => return Err(Errno::EINVAL.because("`idtype` and `id` name no children")),
    };
    Ok(WaitForChild { children, options, answer: Answer::Info(info), usage, nonblocking }.into())
}

/// vfork(2): the parent sleeps until the child gives its address space back.
#[derive(Clone, Debug)]
pub struct VforkWait {
    /// The child.
    pub child: Id<Process>,
    /// Its number, the call's result.
    pub pid: i32,
}

impl Blocking for VforkWait {
    fn step(&mut self, call: &mut Call) -> Result<Step, Error> {
        let uses = call.kernel.processes.get(self.child).is_some_and(|child| child.vfork_parent_waits);
        if uses { Ok(Step::Block(Wait::on(WaitKey::Vfork(self.child)))) } else { Ok(Step::Done(self.pid as u64)) }
    }

    fn interrupted(&self) -> Interrupted {
        // No handler runs while the child has the address space; see `signal::deliver::is_uninterruptible`.
        Interrupted::Partial(self.pid as u64)
    }

    fn release(&mut self, call: &mut Call) {
        // A parent that is killed leaves the child as it is.
        if let Some(child) = call.kernel.processes.get_mut(self.child) {
            child.vfork_parent_waits = false;
        }
    }
}
