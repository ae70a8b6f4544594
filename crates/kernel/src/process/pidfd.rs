//! Processes as files, pidfd_open(2), pidfd_send_signal(2), pidfd_getfd(2).

use super::{Process, permission};
use crate::entry::Call;
use crate::fs::{Fd, FileDescription, FileObject};
use crate::signal::{self, Target};
use crate::syscalls::operation::{Flow, SysResult};
use crate::table::Id;
use crate::user::UserPtr;
use abi::fcntl::{O_NONBLOCK, O_RDWR};
use abi::signal::{SI_TKILL, SI_USER, SIGRTMAX, SigInfo};
use abi::{Errno, Error};

/// The process that a descriptor refers to.
///
/// # Errors
/// `EBADF` if it is none of this kind.
pub fn target(call: &Call, fd: Fd) -> Result<Id<Process>, Error> {
    match call.kernel.files[call.file(fd)?].object {
        FileObject::Process(process) => Ok(process),
        _ => Err(Errno::EBADF.because("the descriptor refers to no process")),
    }
}

/// Opens a descriptor for a process, closed by execve(2).
///
/// # Errors
/// `EMFILE`.
pub(super) fn open(call: &mut Call, process: Id<Process>, flags: u32) -> Result<Fd, Error> {
    let description = FileDescription::new(FileObject::Process(process), O_RDWR | flags);
    let file = call.kernel.files.insert(description);
    call.install_fd(file, true)
}

/// Whether [`open`] would succeed now.
///
/// # Errors
/// `EMFILE`.
pub(super) fn check_room(call: &Call) -> Result<(), Error> {
    let limit = call.open_file_limit();
    let table = call.fd_table();
    let has_room = (0..limit).any(|number| table.get(Fd(number as i32)).is_none());
    if has_room { Ok(()) } else { Err(Errno::EMFILE.because("as many descriptors are open as RLIMIT_NOFILE allows")) }
}

/// pidfd_open(2).
pub fn pidfd_open(call: &mut Call, pid: i32, flags: u32) -> SysResult {
    if flags & !O_NONBLOCK != 0 || pid <= 0 {
        return Err(Errno::EINVAL.because("`flags` has unknown flags, or `pid` is not positive"));
    }
    if let Some(thread) = call.kernel.pids.threads.get(&pid)
        && call.kernel.processes[call.kernel.threads[*thread].process].pid != pid
    {
        return Err(Errno::EINVAL.because("`pid` is a thread's that leads no process"));
    }
    let process = permission::find_process(call.kernel, pid)?;
    Ok(Flow::Done(open(call, process, flags)?.0 as u64))
}

/// pidfd_send_signal(2).
pub fn pidfd_send_signal(call: &mut Call, fd: Fd, signal: i32, info: UserPtr<SigInfo>, flags: u32) -> SysResult {
    if flags != 0 {
        return Err(Errno::EINVAL.because("`flags` has unknown flags"));
    }
    let process = target(call, fd)?;
    if call.kernel.processes.get(process).is_none() {
        return Err(Errno::ESRCH.because("the process is gone"));
    }
    if !(0..=SIGRTMAX).contains(&signal) {
        return Err(Errno::EINVAL.because("no signal has this number"));
    }
    let own = call.process().pid;
    let info = if info.is_null() {
        SigInfo::kill(signal, SI_USER, own, call.credentials().uid)
    } else {
        let info = call.read(info)?;
        if info.signal != signal {
            return Err(Errno::EINVAL.because("`si_signo` is another signal"));
        }
        if (info.code >= 0 || info.code == SI_TKILL) && process != call.process_id() {
            return Err(Errno::EPERM.because("`si_code` says that the kernel or kill(2) sends the signal"));
        }
        info
    };
    permission::may_signal(call, process, signal)?;
    if signal != 0 {
        signal::try_send(call.kernel, call.chooser, Target::Process(process), info)?;
    }
    Flow::OK
}

/// pidfd_getfd(2).
pub fn pidfd_getfd(call: &mut Call, fd: Fd, other: Fd, flags: u32) -> SysResult {
    if flags != 0 {
        return Err(Errno::EINVAL.because("`flags` is not 0"));
    }
    let process = target(call, fd)?;
    let thread = call.kernel.processes.get(process).and_then(|process| process.threads.first().copied());
    let thread = thread.ok_or(Errno::ESRCH.because("the process is gone"))?;
    permission::may_look_at(call, thread)?;
    let file = call.as_thread(thread).file(other)?;
    let file = call.hold(file);
    Ok(Flow::Done(call.install_fd(file, true)?.0 as u64))
}
