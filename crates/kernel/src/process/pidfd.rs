//! Processes and threads as files, pidfd_open(2), pidfd_send_signal(2), pidfd_getfd(2), and what they tell of themselves.

use super::{Process, Thread, permission};
use crate::entry::Call;
use crate::fs::poll::Readiness;
use crate::fs::procfs;
use crate::fs::{Fd, FileDescription, FileObject};
use crate::kernel::Kernel;
use crate::signal::{self, Target};
use crate::syscalls::operation::{Flow, SysResult};
use crate::table::Id;
use crate::user::UserPtr;
use crate::wait::WaitKey;
use abi::fcntl::{O_NONBLOCK, O_RDWR};
use abi::ioctl::PIDFD_GET_INFO;
use abi::poll::{POLLHUP, POLLIN, POLLRDNORM};
use abi::process::{
    PIDFD_COREDUMP_ROOT, PIDFD_COREDUMP_SKIP, PIDFD_COREDUMP_USER, PIDFD_INFO_COREDUMP, PIDFD_INFO_CREDS,
    PIDFD_INFO_EXIT, PIDFD_INFO_PID, PIDFD_SIGNAL_PROCESS_GROUP, PIDFD_SIGNAL_THREAD, PIDFD_SIGNAL_THREAD_GROUP,
    PIDFD_THREAD, PidFdInfo,
};
use abi::signal::{SI_TKILL, SI_USER, SIGRTMAX, SigInfo};
use abi::{Errno, Error, Wire};

/// What a descriptor of this kind refers to. Handles may be stale: who it was is gone then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A process.
    Process(Id<Process>),
    /// A thread: `PIDFD_THREAD`.
    Thread {
        /// Which; `None` if it was a leader that had ended already.
        thread: Option<Id<Thread>>,
        /// Its number.
        tid: i32,
        /// The process that it leads.
        leads: Option<Id<Process>>,
    },
}

impl Subject {
    /// The process, or the one that the thread leads.
    pub(crate) fn led_process(self) -> Option<Id<Process>> {
        match self {
            Subject::Process(process) => Some(process),
            Subject::Thread { leads, .. } => leads,
        }
    }

    /// The process, or the thread's, while it is not reaped.
    fn process(self, kernel: &Kernel) -> Option<Id<Process>> {
        let of_thread = match self {
            Subject::Thread { thread: Some(thread), .. } => kernel.threads.get(thread).map(|thread| thread.process),
            _ => None,
        };
        of_thread.or(self.led_process()).filter(|process| kernel.processes.get(*process).is_some())
    }

    /// The thread, or one of the process's.
    pub fn thread(self, kernel: &Kernel) -> Option<Id<Thread>> {
        match self {
            Subject::Thread { thread: Some(thread), .. } => kernel.threads.get(thread).map(|_| thread),
            _ => self.process(kernel).and_then(|process| kernel.processes[process].threads.first().copied()),
        }
    }

    /// The number of the process or thread; `None` once it is gone: `pid_has_task`.
    pub fn number(self, kernel: &Kernel) -> Option<i32> {
        let process = self.process(kernel)?;
        Some(match self {
            Subject::Process(_) => kernel.processes[process].pid,
            Subject::Thread { tid, .. } => tid,
        })
    }

    /// A number that no other has: that of its inode.
    pub fn inode(self) -> u64 {
        match self {
            Subject::Process(process) | Subject::Thread { leads: Some(process), .. } => 1 + 2 * process.number(),
            Subject::Thread { thread, .. } => 2 + 2 * thread.map_or(0, Id::number),
        }
    }

    /// A process's descriptor is readable when the process has ended, pidfd_open(2), and hung up when it was waited for; a
    /// thread's when the thread has ended.
    pub fn readiness(self, kernel: &Kernel) -> Readiness {
        let mut readiness = Readiness::default();
        if let Some(process) = self.led_process() {
            readiness.keys.push(WaitKey::ProcessEnd(process));
        }
        let has_ended = match self {
            Subject::Process(process) => {
                kernel.processes.get(process).is_none_or(|process| process.exit_status.is_some())
            }
            Subject::Thread { thread, .. } => {
                readiness.keys.extend(thread.map(WaitKey::ThreadEnd));
                thread.is_none_or(|thread| kernel.threads.get(thread).is_none())
            }
        };
        if has_ended {
            readiness.events = POLLIN | POLLRDNORM;
        }
        if self.process(kernel).is_none() {
            readiness.events |= POLLHUP;
        }
        readiness
    }
}

/// What is known of a process that has descriptors of this kind: they outlive it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Remembered {
    /// Open descriptions.
    pub(crate) files: u32,
    /// How it ended, as wait(2) encodes it, once it was reaped.
    status: Option<i32>,
}

/// What a descriptor refers to.
///
/// # Errors
/// `EBADF` if it is none of this kind.
pub fn subject(call: &Call, fd: Fd) -> Result<Subject, Error> {
    match call.kernel.files[call.file(fd)?].object {
        FileObject::Process(subject) => Ok(subject),
        _ => Err(Errno::EBADF.because("the descriptor refers to no process")),
    }
}

/// Opens a descriptor, closed by execve(2).
///
/// # Errors
/// `EMFILE`.
pub(super) fn open(call: &mut Call, subject: Subject, flags: u32) -> Result<Fd, Error> {
    if let Some(process) = subject.led_process() {
        call.kernel.pids.remembered.entry(process).or_default().files += 1;
    }
    let description = FileDescription::new(FileObject::Process(subject), O_RDWR | flags);
    let file = call.kernel.files.insert(description);
    call.install_fd(file, true)
}

/// An open description is gone.
pub(crate) fn close(kernel: &mut Kernel, subject: Subject) {
    let Some(process) = subject.led_process() else { return };
    let remembered = kernel.pids.remembered.get_mut(&process).expect("who has a descriptor is remembered");
    remembered.files -= 1;
    if remembered.files == 0 {
        kernel.pids.remembered.remove(&process);
    }
}

/// A process was reaped with this status.
pub(super) fn reaped(kernel: &mut Kernel, process: Id<Process>, status: i32) {
    if let Some(remembered) = kernel.pids.remembered.get_mut(&process) {
        remembered.status = Some(status);
        kernel.wake(WaitKey::ProcessEnd(process));
    }
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
    if flags & !(O_NONBLOCK | PIDFD_THREAD) != 0 || pid <= 0 {
        return Err(Errno::EINVAL.because("`flags` has unknown flags, or `pid` is not positive"));
    }
    let thread = call.kernel.pids.threads.get(&pid).copied();
    let leads = call.kernel.pids.processes.get(&pid).copied();
    let subject = match (thread, leads) {
        (None, None) => return Err(Errno::ESRCH.because("no process or thread has this number")),
        _ if flags & PIDFD_THREAD != 0 => Subject::Thread { thread, tid: pid, leads },
        (_, Some(process)) => Subject::Process(process),
        (_, None) => return Err(Errno::ENOENT.because("`pid` is a thread's that leads no process")),
    };
    Ok(Flow::Done(open(call, subject, flags)?.0 as u64))
}

/// The process whose directory in proc a descriptor is, "the PID file descriptor" of old, pidfd_send_signal(2).
fn directory(call: &Call, fd: Fd) -> Option<Subject> {
    let FileObject::Inode(inode) = call.kernel.files[call.file(fd).ok()?].object else { return None };
    procfs::process_of_directory(call.kernel, inode).map(Subject::Process)
}

/// Who gets a signal.
enum Receiver {
    Thread(Option<Id<Thread>>),
    Process,
    Group,
}

/// pidfd_send_signal(2).
pub fn pidfd_send_signal(call: &mut Call, fd: Fd, signal: i32, info: UserPtr<SigInfo>, flags: u32) -> SysResult {
    let to_thread = |subject: Subject, kernel: &Kernel| match subject {
        Subject::Thread { thread, .. } => Receiver::Thread(thread),
        Subject::Process(process) => {
            let pid = kernel.processes.get(process).map(|process| process.pid);
            Receiver::Thread(pid.and_then(|pid| kernel.pids.threads.get(&pid).copied()))
        }
    };
    if !matches!(flags, 0 | PIDFD_SIGNAL_THREAD | PIDFD_SIGNAL_THREAD_GROUP | PIDFD_SIGNAL_PROCESS_GROUP) {
        return Err(Errno::EINVAL.because("`flags` has unknown flags, or several"));
    }
    let subject = match subject(call, fd) {
        Ok(subject) => subject,
        Err(error) => directory(call, fd).ok_or(error)?,
    };
    let gone = Errno::ESRCH.because("the process or thread is gone");
    let number = subject.number(call.kernel).ok_or(gone)?;
    if !(0..=SIGRTMAX).contains(&signal) {
        return Err(Errno::EINVAL.because("no signal has this number"));
    }
    let receiver = match (flags, subject) {
        (PIDFD_SIGNAL_THREAD, _) | (0, Subject::Thread { .. }) => to_thread(subject, call.kernel),
        (PIDFD_SIGNAL_PROCESS_GROUP, _) => Receiver::Group,
        _ => Receiver::Process,
    };
    let own = call.process().pid;
    let info = if info.is_null() {
        SigInfo::kill(signal, SI_USER, own, call.credentials().uid)
    } else {
        let info = call.read(info)?;
        if info.signal != signal {
            return Err(Errno::EINVAL.because("`si_signo` is another signal"));
        }
        let is_own = number == call.current().tid && !matches!(receiver, Receiver::Group);
        if (info.code >= 0 || info.code == SI_TKILL) && !is_own {
            return Err(Errno::EPERM.because("`si_code` says that the kernel or kill(2) sends the signal"));
        }
        info
    };
    let process = subject.process(call.kernel).ok_or(gone)?;
    let target = match receiver {
        Receiver::Group => return signal::calls::to_group(call, number, info),
        Receiver::Process => Some(Target::Process(process)),
        // A leader that ended before the others takes signals, and nothing happens.
        Receiver::Thread(thread) => thread.map(Target::Thread),
    };
    permission::may_signal(call, process, signal)?;
    if signal != 0
        && let Some(target) = target
    {
        signal::try_send(call.kernel, call.chooser, target, info)?;
    }
    Flow::OK
}

/// pidfd_getfd(2).
pub fn pidfd_getfd(call: &mut Call, fd: Fd, other: Fd, flags: u32) -> SysResult {
    if flags != 0 {
        return Err(Errno::EINVAL.because("`flags` is not 0"));
    }
    let subject = subject(call, fd)?;
    let thread = subject.thread(call.kernel).ok_or(Errno::ESRCH.because("the process is gone"))?;
    permission::may_look_at(call, thread)?;
    let file = call.as_thread(thread).file(other)?;
    let file = call.hold(file);
    Ok(Flow::Done(call.install_fd(file, true)?.0 as u64))
}

/// Bytes of the first version of `struct pidfd_info`: those before `coredump_mask`.
const FIRST_INFO_SIZE: usize = 64;

/// ioctl(2) on such a descriptor: `PIDFD_GET_INFO`, of which callers know as much as they say in the request. Linux,
/// fs/pidfs.c `pidfd_info`.
///
/// # Errors
/// `ENOTTY` for other requests, `EINVAL` without an address, `ESRCH`.
pub(crate) fn control(call: &mut Call, subject: Subject, request: u32, argument: u64) -> SysResult {
    const SIZE_BITS: u32 = 0x3fff << 16;
    let size = ((request & SIZE_BITS) >> 16) as usize;
    if (request ^ PIDFD_GET_INFO) & !SIZE_BITS != 0 || size < FIRST_INFO_SIZE {
        return Err(Errno::ENOTTY.because("the file does not know this request"));
    }
    if argument == 0 {
        return Err(Errno::EINVAL.because("there is no address"));
    }
    let asked: u64 = call.read(UserPtr::new(argument))?;
    let info = describe(call.kernel, subject, asked)?;
    let bytes = info.to_bytes();
    call.copy_out(argument, &bytes[..size.min(bytes.len())])?;
    Flow::OK
}

fn describe(kernel: &Kernel, subject: Subject, asked: u64) -> Result<PidFdInfo, Error> {
    let mut info = PidFdInfo::default();
    let remembered = subject.led_process().and_then(|process| kernel.pids.remembered.get(&process));
    if let Some(status) = remembered.and_then(|remembered| remembered.status)
        && asked & PIDFD_INFO_EXIT != 0
    {
        info.exit_code = status;
        info.mask = PIDFD_INFO_EXIT | asked & PIDFD_INFO_COREDUMP;
        return Ok(info);
    }
    let process = subject.process(kernel).ok_or(Errno::ESRCH.because("the process or thread is gone"))?;
    let thread = match subject {
        Subject::Thread { thread, .. } => thread.and_then(|thread| kernel.threads.get(thread)),
        Subject::Process(_) => None,
    };
    let process = &kernel.processes[process];
    let own = &kernel.credentials[thread.map_or(process.credentials, |thread| thread.credentials)];
    info.mask = PIDFD_INFO_PID | PIDFD_INFO_CREDS | asked & PIDFD_INFO_COREDUMP;
    info.pid = thread.map_or(process.pid, |thread| thread.tid) as u32;
    info.tgid = process.pid as u32;
    info.ppid = process.parent.map_or(0, |parent| kernel.processes[parent].pid) as u32;
    (info.ruid, info.euid, info.suid, info.fsuid) = (own.uid, own.euid, own.suid, own.fsuid);
    (info.rgid, info.egid, info.sgid, info.fsgid) = (own.gid, own.egid, own.sgid, own.fsgid);
    if asked & PIDFD_INFO_COREDUMP != 0 && process.exit_status.is_none() {
        info.coredump_mask = match process.attributes.dumpable {
            1 => PIDFD_COREDUMP_USER,
            2 => PIDFD_COREDUMP_ROOT,
            _ => PIDFD_COREDUMP_SKIP,
        };
    }
    Ok(info)
}
