//! Signals that are read, signalfd(2).
//!
//! The object holds nothing but a set: what a read takes is pending for the thread that reads, or for its process.

use super::mask::{check_size, read as read_mask};
use super::{SignalSet, UNBLOCKABLE, deliver};
use crate::entry::Call;
use crate::fs::poll::Readiness;
use crate::fs::{Fd, FileObject, Transfer};
use crate::kernel::Kernel;
use crate::process::Thread;
use crate::syscalls::operation::{Flow, SysResult};
use crate::table::Id;
use crate::user::{UserBuffer, UserPtr};
use crate::wait::{Keys, WaitKey};
use abi::fcntl::{O_CLOEXEC, O_NONBLOCK, O_RDWR};
use abi::poll::POLLIN;
use abi::signal::{
    POLL_HUP, SI_ASYNCIO, SI_MESGQ, SI_QUEUE, SI_SIGIO, SI_TIMER, SIGBUS, SIGCHLD, SIGFPE, SIGILL, SIGIO, SIGSEGV,
    SIGTRAP, SigInfo, SignalFdInfo,
};
use abi::{Errno, Error, Wire};

/// A descriptor that signals are read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignalFd {
    /// Which.
    pub mask: SignalSet,
}

/// signalfd(2) without flags.
pub(crate) fn signalfd(call: &mut Call, fd: Fd, mask: UserPtr<u64>, size: u64) -> SysResult {
    signalfd4(call, fd, mask, size, 0)
}

/// signalfd(2): makes a descriptor, or changes the set of one.
pub(crate) fn signalfd4(call: &mut Call, fd: Fd, mask: UserPtr<u64>, size: u64, flags: u32) -> SysResult {
    check_size(size)?;
    let mask = read_mask(call, mask)?.without(UNBLOCKABLE);
    if flags & !(O_CLOEXEC | O_NONBLOCK) != 0 {
        return Err(Errno::EINVAL.because("`flags` has unknown bits"));
    }
    if fd.0 == -1 {
        let id = call.kernel.signal_fds.insert(SignalFd { mask });
        let fd = call.open_object(FileObject::SignalFd(id), O_RDWR | flags)?;
        return Ok(Flow::Done(fd.0 as u64));
    }
    let file = call.usable_file(fd)?;
    let FileObject::SignalFd(id) = call.kernel.files[file].object else {
        return Err(Errno::EINVAL.because("the descriptor reads no signals"));
    };
    call.kernel.signal_fds[id].mask = mask;
    let process = call.process_id();
    call.kernel.wake(WaitKey::SignalsOf(process));
    Ok(Flow::Done(fd.0 as u64))
}

/// Takes pending signals of the set, as many as there is room for.
///
/// # Errors
/// `EINVAL` if there is room for none; `EFAULT`: the signal is lost then, as on Linux.
pub fn read(call: &mut Call, id: Id<SignalFd>, to: &mut UserBuffer) -> Result<Transfer, Error> {
    if to.remaining() < SignalFdInfo::SIZE as u64 {
        return Err(Errno::EINVAL.because("the buffer is smaller than `struct signalfd_siginfo`"));
    }
    let mask = call.kernel.signal_fds[id].mask;
    let mut done = 0;
    while to.remaining() >= SignalFdInfo::SIZE as u64 {
        let Some(info) = deliver::take(call, mask) else { break };
        match call.scatter(to, &describe(&info).to_bytes()) {
            Ok(()) => to.advance(SignalFdInfo::SIZE as u64),
            Err(_) if done > 0 => break,
            Err(error) => return Err(error),
        }
        done += SignalFdInfo::SIZE;
    }
    if done == 0 {
        let process = call.process_id();
        return Ok(Transfer::WouldBlock(WaitKey::SignalsOf(process).into()));
    }
    Ok(Transfer::Done(done))
}

/// Whether a signal of the set is pending for the thread that asks.
pub fn poll(kernel: &Kernel, id: Id<SignalFd>) -> Readiness {
    let Some(thread) = kernel.scheduler.current() else { return Readiness::new(0, Keys::None) };
    let ready = pending(kernel, thread).0 & kernel.signal_fds[id].mask.0 != 0;
    Readiness::new(if ready { POLLIN } else { 0 }, WaitKey::SignalsOf(kernel.threads[thread].process))
}

fn pending(kernel: &Kernel, thread: Id<Thread>) -> SignalSet {
    let thread = &kernel.threads[thread];
    thread.signals.pending.set().union(kernel.processes[thread.process].signals.set())
}

/// What is known about a signal, in the shape of signalfd(2): signalfd_copyinfo() of Linux's fs/signalfd.c.
fn describe(info: &SigInfo) -> SignalFdInfo {
    let mut told =
        SignalFdInfo { signal: info.signal as u32, errno: info.errno, code: info.code, ..SignalFdInfo::default() };
    match info.code {
        SI_TIMER => {
            told.timer = info.fields[0] as u32;
            told.overrun = (info.fields[0] >> 32) as u32;
            (told.pointer, told.integer) = (info.value(), info.value() as i32);
        }
        SI_SIGIO => (told.band, told.fd) = (info.fields[0] as u32, info.fields[1] as i32),
        SI_QUEUE | SI_MESGQ | SI_ASYNCIO => {
            (told.pid, told.uid) = (info.pid() as u32, info.uid());
            (told.pointer, told.integer) = (info.value(), info.value() as i32);
        }
        code if code > 0 && code < 0x80 => match info.signal {
            SIGCHLD => {
                (told.pid, told.uid) = (info.pid() as u32, info.uid());
                told.status = info.status();
                (told.user_time, told.system_time) = (info.fields[2], info.fields[3]);
            }
            SIGILL | SIGFPE | SIGSEGV | SIGBUS | SIGTRAP => told.address = info.address(),
            SIGIO => (told.band, told.fd) = (info.fields[0] as u32, info.fields[1] as i32),
            _ if code <= POLL_HUP => (told.band, told.fd) = (info.fields[0] as u32, info.fields[1] as i32),
            _ => (told.pid, told.uid) = (info.pid() as u32, info.uid()),
        },
        _ => (told.pid, told.uid) = (info.pid() as u32, info.uid()),
    }
    told
}
