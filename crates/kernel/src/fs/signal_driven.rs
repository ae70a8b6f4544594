//! Signal-driven input and output, fcntl(2) "Managing signals": files that tell their owner by a signal that something
//! can be read or written. Linux, fs/fcntl.c: `fasync_helper`, `kill_fasync`, `send_sigio`.
//!
//! Whoever asks with `O_ASYNC` is listed under the [`Source`]s of the file. Objects [`tell`] what became possible; the
//! signals go out with [`serve`] at the end of the step, where there is a chooser.

use super::description::{FileDescription, FileObject};
use super::fd_table::Fd;
use super::tty::{self, Terminal};
use crate::entry::Call;
use crate::fs::inotify::Inotify;
use crate::ipc::fifo;
use crate::ipc::pipe::Pipe;
use crate::kernel::Kernel;
use crate::ports::Chooser;
use crate::process::{Credentials, Process, Thread};
use crate::signal::{self, Target};
use crate::socket::Socket;
use crate::syscalls::operation::Operation;
use crate::table::Id;
use crate::wait::WaitKey;
use abi::fcntl::{F_OWNER_PGRP, F_OWNER_PID, F_OWNER_TID, O_ASYNC};
use abi::poll::{POLLERR, POLLHUP, POLLIN, POLLMSG, POLLOUT, POLLRDNORM, POLLWRBAND, POLLWRNORM};
use abi::signal::{POLL_HUP, POLL_IN, POLL_MSG, POLL_OUT, SI_SIGIO, SIGIO, SigInfo};
use abi::signal::{SIGBUS, SIGCHLD, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP};
use abi::{Errno, Error};
use std::collections::BTreeMap;

/// What has become possible, or has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// Something can be read.
    Readable,
    /// Something can be written.
    Writable,
    /// A lease is to be given up, or a watched directory has changed.
    Message,
    /// The other side is gone.
    HungUp,
}

impl News {
    /// `si_code`, and `si_band` in the bits of poll(2).
    fn code_and_band(self) -> (i32, u32) {
        match self {
            News::Readable => (POLL_IN, POLLIN | POLLRDNORM),
            News::Writable => (POLL_OUT, POLLOUT | POLLWRNORM | POLLWRBAND),
            News::Message => (POLL_MSG, POLLIN | POLLRDNORM | POLLMSG),
            News::HungUp => (POLL_HUP, POLLHUP | POLLERR),
        }
    }
}

/// What has news.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// For those who read a pipe.
    PipeReaders(Id<Pipe>),
    /// For those who write it.
    PipeWriters(Id<Pipe>),
    /// A socket.
    Socket(Id<Socket>),
    /// A terminal, for the programs on it.
    Terminal(Id<Terminal>),
    /// A pseudo-terminal's master.
    Master(Id<Terminal>),
    /// A queue of events.
    Inotify(Id<Inotify>),
}

/// Who gets a file's signals, and which: `F_SETOWN_EX`, `F_SETSIG`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// `F_OWNER_TID`, `F_OWNER_PID` or `F_OWNER_PGRP`.
    pub kind: i32,
    /// The number of the thread, process or group; 0 is nobody. Looked up when there is something to tell, as a process
    /// may become a group's leader later.
    pub number: i32,
    /// Which signal instead of SIGIO; 0 is SIGIO without siginfo.
    pub signal: i32,
    /// In whose name signals are sent: the users of who chose the owner.
    uid: u32,
    euid: u32,
}

impl Owner {
    /// Chooses an owner in the caller's name.
    pub fn choose(&mut self, kind: i32, number: i32, credentials: &Credentials) {
        *self = Owner { kind, number, signal: self.signal, uid: credentials.uid, euid: credentials.euid };
    }

    /// The kind and the number of who gets the signals now; the number is 0 if there is no such thread, process or group.
    pub fn current(&self, kernel: &Kernel) -> (i32, i32) {
        (self.kind, if self.targets(kernel).is_empty() { 0 } else { self.number })
    }

    /// The real and the effective user of who chose the owner: `F_GETOWNER_UIDS`.
    pub fn users(&self) -> [u32; 2] {
        [self.uid, self.euid]
    }

    fn targets(&self, kernel: &Kernel) -> Vec<Target> {
        let alive = |process: &Id<Process>| !kernel.processes[*process].threads.is_empty();
        match self.kind {
            F_OWNER_TID => {
                kernel.pids.threads.get(&self.number).map(|thread| Target::Thread(*thread)).into_iter().collect()
            }
            F_OWNER_PID => {
                let process = kernel.pids.processes.get(&self.number).filter(|process| alive(process));
                process.map(|process| Target::Process(*process)).into_iter().collect()
            }
            _ => kernel.pids.members(self.number).iter().map(|member| Target::Process(*member)).collect(),
        }
    }

    /// `sigio_perm`: whether who chose the owner may send it signals.
    fn may_signal(&self, kernel: &Kernel, target: Target) -> bool {
        let credentials = match target {
            Target::Process(process) => kernel.processes[process].credentials,
            Target::Thread(thread) => kernel.threads[thread].credentials,
        };
        let receiver = &kernel.credentials[credentials];
        let is_hers = |uid: u32| uid == receiver.uid || uid == receiver.suid;
        self.euid == 0 || is_hers(self.euid) || is_hers(self.uid)
    }
}

/// An open file that asked to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Asker {
    file: Id<FileDescription>,
    /// The descriptor by which it asked: `si_fd`.
    fd: Fd,
}

/// A signal, or several, that are to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Due {
    owner: Owner,
    fd: Fd,
    news: News,
}

/// Who asked, and who has not been told yet.
///
/// # Invariants
/// - who is listed has `O_ASYNC` set.
#[derive(Clone, Debug, Default)]
pub struct SignalDriven {
    /// The latest first, in which order Linux sends.
    askers: BTreeMap<Source, Vec<Asker>>,
    due: Vec<Due>,
}

impl SignalDriven {
    /// Checks the invariants.
    ///
    /// # Errors
    /// What does not hold.
    pub(crate) fn check(&self, kernel: &Kernel) -> Result<(), String> {
        let asks = |asker: &Asker| kernel.files.get(asker.file).is_some_and(|file| file.flags & O_ASYNC != 0);
        match self.askers.iter().find(|(_, askers)| askers.is_empty() || !askers.iter().all(asks)) {
            Some((source, _)) => Err(format!("{source:?} would tell files that do not ask")),
            None => Ok(()),
        }
    }
}

/// Something has news: those who asked get a signal at the end of the step.
#[inline]
pub fn tell(kernel: &mut Kernel, source: Source, news: News) {
    if !kernel.signal_driven.askers.is_empty() {
        tell_askers(kernel, source, news);
    }
}

fn tell_askers(kernel: &mut Kernel, source: Source, news: News) {
    let Some(askers) = kernel.signal_driven.askers.get(&source) else { return };
    let askers = askers.clone();
    // A call that writes a pipe in several parts tells its readers once.
    let is_told_once = matches!(source, Source::PipeReaders(_) | Source::PipeWriters(_));
    for Asker { file, fd } in askers {
        let due = Due { owner: kernel.files[file].owner, fd, news };
        if !is_told_once || !kernel.signal_driven.due.contains(&due) {
            kernel.signal_driven.due.push(due);
        }
    }
}

/// Tells the owner of one file, be it `O_ASYNC` or not.
pub(super) fn tell_owner(kernel: &mut Kernel, file: Id<FileDescription>, fd: Fd, news: News) {
    let owner = kernel.files[file].owner;
    kernel.signal_driven.due.push(Due { owner, fd, news });
}

/// A socket has something to read, or lost its peer. Who sleeps in a receiving call is not told as well:
/// `SOCKWQ_ASYNC_WAITDATA`. To be called before the sleepers are woken.
pub fn tell_receiver(kernel: &mut Kernel, socket: Id<Socket>, news: News) {
    if kernel.signal_driven.askers.is_empty() {
        return;
    }
    let receives = |thread: &Id<Thread>| {
        matches!(kernel.threads[*thread].operation, Some(Operation::Receive(_) | Operation::Splice(_)))
            && kernel.sockets[socket].kind == crate::socket::Kind::Stream
    };
    if !kernel.waits.on(WaitKey::SocketReadable(socket)).iter().any(receives) {
        tell_askers(kernel, Source::Socket(socket), news);
    }
}

/// Sends the signals that are due.
#[inline]
pub fn serve(kernel: &mut Kernel, chooser: &mut dyn Chooser) {
    if !kernel.signal_driven.due.is_empty() {
        for due in std::mem::take(&mut kernel.signal_driven.due) {
            send(kernel, chooser, due);
        }
    }
}

/// `send_sigio`.
fn send(kernel: &mut Kernel, chooser: &mut dyn Chooser, Due { owner, fd, news }: Due) {
    let (code, band) = news.code_and_band();
    for target in owner.targets(kernel) {
        if !owner.may_signal(kernel, target) {
            continue;
        }
        // Signals whose codes mean something else say only that it was input or output.
        let has_codes = [SIGILL, SIGFPE, SIGSEGV, SIGBUS, SIGTRAP, SIGCHLD, SIGSYS].contains(&owner.signal);
        let code = if has_codes { SI_SIGIO } else { code };
        let info = SigInfo::poll(owner.signal, code, u64::from(band), fd.0);
        let is_sent = owner.signal != 0 && signal::try_send(kernel, chooser, target, info).is_ok();
        if !is_sent {
            // "SIGIO is delivered [...] without queuing", also when a real-time signal's queue is full.
            signal::send(kernel, chooser, target, SigInfo::kernel(SIGIO));
        }
    }
}

/// The sources of an open file, if it is of a kind that sends signals: those with `fasync` in Linux.
fn sources_of(kernel: &Kernel, file: Id<FileDescription>) -> Option<Vec<Source>> {
    let description = &kernel.files[file];
    let source = match description.object {
        FileObject::PipeReader(pipe) => Source::PipeReaders(pipe),
        FileObject::PipeWriter(pipe) => Source::PipeWriters(pipe),
        FileObject::Fifo { pipe, .. } => {
            let ends = fifo::ends_of(description.flags);
            let sources = [(ends.read, Source::PipeReaders(pipe)), (ends.write, Source::PipeWriters(pipe))];
            return Some(sources.into_iter().filter(|(has, _)| *has).map(|(_, source)| source).collect());
        }
        FileObject::Socket(socket) => Source::Socket(socket),
        FileObject::Terminal { .. } => Source::Terminal(tty::transfer::terminal_of(kernel, file)?),
        FileObject::Master(terminal) => Source::Master(terminal),
        FileObject::Inotify(inotify) => Source::Inotify(inotify),
        // random(4): there is never news of it, as it is always ready.
        FileObject::Device(device) if device.is_random() => return Some(Vec::new()),
        FileObject::Inode(_)
        | FileObject::Device(_)
        | FileObject::Stream(_)
        | FileObject::EventFd(_)
        | FileObject::TimerFd(_)
        | FileObject::Epoll(_)
        | FileObject::SignalFd(_)
        | FileObject::MessageQueue(_)
        | FileObject::Process(_) => return None,
    };
    Some(vec![source])
}

/// Whether the file asks for signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// It does.
    Yes,
    /// It does not.
    No,
}

/// Switches a file's `O_ASYNC` on or off, in the name of the caller and its descriptor.
///
/// # Errors
/// `ENOTTY` if files of its kind send no signals.
pub(in crate::fs) fn switch(call: &mut Call, fd: Fd, file: Id<FileDescription>, asks: Asks) -> Result<(), Error> {
    let is_on = call.kernel.files[file].flags & O_ASYNC != 0;
    if is_on == (asks == Asks::Yes) {
        return Ok(());
    }
    let Some(sources) = sources_of(call.kernel, file) else {
        return Err(Errno::ENOTTY.because("files of this kind send no signals"));
    };
    if asks == Asks::No {
        forget(call.kernel, file);
        return Ok(());
    }
    for source in &sources {
        call.kernel.signal_driven.askers.entry(*source).or_default().insert(0, Asker { file, fd });
    }
    call.kernel.files[file].flags |= O_ASYNC;
    if let [Source::Terminal(terminal) | Source::Master(terminal)] = sources[..] {
        own_terminal(call, file, terminal);
    }
    Ok(())
}

/// A terminal's file without owner belongs to the foreground group, or to the caller: `__tty_fasync`.
fn own_terminal(call: &mut Call, file: Id<FileDescription>, terminal: Id<Terminal>) {
    if call.kernel.files[file].owner.number != 0 {
        return;
    }
    let is_master = matches!(call.kernel.files[file].object, FileObject::Master(_));
    let foreground = call.kernel.terminals.table[terminal].foreground.filter(|_| !is_master);
    let (kind, number) = match foreground {
        Some(group) => (F_OWNER_PGRP, group),
        None => (F_OWNER_PID, call.process().pid),
    };
    let credentials = call.credentials().clone();
    call.kernel.files[file].owner.choose(kind, number, &credentials);
}

/// The file asks no more: it is closed, or was switched off.
pub(super) fn forget(kernel: &mut Kernel, file: Id<FileDescription>) {
    if kernel.files[file].flags & O_ASYNC == 0 {
        return;
    }
    let mut was_listed = false;
    kernel.signal_driven.askers.retain(|_, askers| {
        let before = askers.len();
        askers.retain(|asker| asker.file != file);
        was_listed |= askers.len() < before;
        !askers.is_empty()
    });
    // A file that was opened with `O_ASYNC` keeps the flag, which means nothing, open(2) BUGS.
    if was_listed || sources_of(kernel, file).is_some_and(|sources| sources.is_empty()) {
        kernel.files[file].flags &= !O_ASYNC;
    }
}

/// A terminal was hung up: what its programs had open asks no more.
pub(super) fn forget_terminal(kernel: &mut Kernel, terminal: Id<Terminal>) {
    for asker in kernel.signal_driven.askers.remove(&Source::Terminal(terminal)).unwrap_or_default() {
        kernel.files[asker.file].flags &= !O_ASYNC;
    }
}
