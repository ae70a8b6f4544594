//! Who may do what to another process: kill(2), ptrace(2) "Ptrace access mode checking", setpriority(2).

use super::{Process, Thread};
use crate::entry::Call;
use crate::kernel::Kernel;
use crate::table::Id;
use abi::resource::{CAP_KILL, CAP_SYS_NICE, CAP_SYS_PTRACE};
use abi::signal::SIGCONT;
use abi::{Errno, Error};

/// The thread with a number.
///
/// # Errors
/// `ESRCH`.
pub fn find_thread(kernel: &Kernel, tid: i32) -> Result<Id<Thread>, Error> {
    kernel.pids.threads.get(&tid).copied().ok_or(Errno::ESRCH.because("no thread has this number"))
}

/// The process with a number, zombies included.
///
/// # Errors
/// `ESRCH`.
pub fn find_process(kernel: &Kernel, pid: i32) -> Result<Id<Process>, Error> {
    kernel.pids.processes.get(&pid).copied().ok_or(Errno::ESRCH.because("no process has this number"))
}

/// Whether the caller may send `signal` to a process, kill(2). Linux `kill_ok_by_cred`, `check_kill_permission`.
///
/// # Errors
/// `EPERM`.
pub(crate) fn may_signal(call: &Call, target: Id<Process>, signal: i32) -> Result<(), Error> {
    let own = call.credentials();
    let (caller, receiver) = (call.process_id(), &call.kernel.processes[target]);
    let other = &call.kernel.credentials[receiver.credentials];
    let is_same_user = own.euid == other.suid || own.euid == other.uid || own.uid == other.suid || own.uid == other.uid;
    let is_continued = signal == SIGCONT && call.kernel.processes[caller].session == receiver.session;
    if caller == target || is_same_user || is_continued || own.has_capability(CAP_KILL) {
        return Ok(());
    }
    Err(Errno::EPERM.because("the process belongs to another user"))
}

/// Whether the caller may look at another thread's memory and state, ptrace(2) `PTRACE_MODE_READ`.
///
/// # Errors
/// `EPERM`.
pub(crate) fn may_look_at(call: &Call, thread: Id<Thread>) -> Result<(), Error> {
    let (own, other) = (call.credentials(), &call.kernel.threads[thread]);
    let target = other.process;
    let other = &call.kernel.credentials[other.credentials];
    let is_same = [other.uid, other.euid, other.suid].iter().all(|uid| *uid == own.fsuid)
        && [other.gid, other.egid, other.sgid].iter().all(|gid| *gid == own.fsgid);
    let is_open = is_same && call.kernel.processes[target].attributes.dumpable == 1;
    if call.process_id() == target || is_open || own.has_capability(CAP_SYS_PTRACE) {
        return Ok(());
    }
    Err(Errno::EPERM.because("the process belongs to another user, or is not dumpable"))
}

/// Whether the caller may change how another thread is scheduled, sched_setscheduler(2).
///
/// # Errors
/// `EPERM`.
pub(crate) fn may_schedule(call: &Call, thread: Id<Thread>) -> Result<(), Error> {
    let (own, other) = (call.credentials(), &call.kernel.credentials[call.kernel.threads[thread].credentials]);
    if own.euid == other.euid || own.euid == other.uid || own.has_capability(CAP_SYS_NICE) {
        return Ok(());
    }
    Err(Errno::EPERM.because("the thread belongs to another user"))
}
