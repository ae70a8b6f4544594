//! Job control: sessions and their controlling terminals, foreground groups, hang-ups, credentials(7), tty_ioctl(4).
//! Linux, drivers/tty/tty_jobctrl.c.

use super::Terminal;
use crate::clock::Instant;
use crate::entry::Call;
use crate::kernel::Kernel;
use crate::ports::Chooser;
use crate::process::{Process, groups};
use crate::signal::{self, Target};
use crate::table::Id;
use crate::wait::{Keys, Wait, WaitKey};
use abi::resource::CAP_SYS_ADMIN;
use abi::signal::{SIG_IGN, SIGCONT, SIGHUP, SIGTTIN, SigInfo};
use abi::{Errno, Error};

/// What a member of a background group may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Go on: it is in the foreground, or the terminal is not its controlling one, or it ignores the signal.
    Granted,
    /// Its group has been sent the signal; the call begins again when it is continued.
    Signalled(Wait),
}

/// Nanoseconds after which a call looks again if its group was sent a signal that another thread took.
const RETRY_NS: u64 = 1_000_000;

/// Decides whether the caller may read (`SIGTTIN`), or write or change (`SIGTTOU`) a terminal, `__tty_check_change`.
///
/// # Errors
/// `EIO` if its group is orphaned, or it reads and ignores `SIGTTIN`.
pub fn check(call: &mut Call, terminal: Id<Terminal>, signal: i32) -> Result<Access, Error> {
    let (process, thread) = (call.process_id(), call.thread);
    let kernel = &mut *call.kernel;
    let Process { group, actions, .. } = kernel.processes[process];
    let is_background = kernel.processes[process].terminal == Some(terminal)
        && kernel.terminals.table[terminal].foreground.is_some_and(|foreground| foreground != group);
    if !is_background {
        return Ok(Access::Granted);
    }
    let is_ignored = kernel.threads[thread].signals.blocked.contains(signal)
        || kernel.actions[actions].get(signal).handler == SIG_IGN;
    if is_ignored {
        if signal == SIGTTIN {
            return Err(Errno::EIO.because("a background process reads the terminal and ignores SIGTTIN"));
        }
        return Ok(Access::Granted);
    }
    if groups::is_orphaned(kernel, group) {
        return Err(Errno::EIO.because("a background process in an orphaned group uses the terminal"));
    }
    signal::send_to_group(kernel, call.chooser, group, SigInfo::kernel(signal));
    let retry: Instant = call.kernel.clock.now().after(RETRY_NS);
    Ok(Access::Signalled(Wait { keys: Keys::One(WaitKey::Signal(thread)), deadline: Some(retry) }))
}

/// Sends signals that were typed to the foreground group.
pub fn signal_foreground(kernel: &mut Kernel, chooser: &mut dyn Chooser, terminal: Id<Terminal>, signals: &[i32]) {
    let Some(foreground) = kernel.terminals.table[terminal].foreground else { return };
    for signal in signals {
        signal::send_to_group(kernel, chooser, foreground, SigInfo::kernel(*signal));
    }
}

/// Whether a process leads its session.
fn is_leader(process: &Process) -> bool {
    process.pid == process.session
}

/// Makes a terminal the controlling one of the caller's session, if that has none and the terminal none either: open(2)
/// without `O_NOCTTY`.
pub fn acquire_by_open(call: &mut Call, terminal: Id<Terminal>) {
    let process = call.process();
    if is_leader(process) && process.terminal.is_none() && call.kernel.terminals.table[terminal].session.is_none() {
        take(call, terminal);
    }
}

/// `TIOCSCTTY`.
///
/// # Errors
/// `EPERM` if the caller leads no session, or its session or the terminal has another.
pub fn acquire(call: &mut Call, terminal: Id<Terminal>, steal: bool, is_readable: bool) -> Result<(), Error> {
    let is_admin = call.has_capability(CAP_SYS_ADMIN);
    let process = call.process();
    let (leads, session, own) = (is_leader(process), process.session, process.terminal);
    let owner = call.kernel.terminals.table[terminal].session;
    if leads && owner == Some(session) {
        return Ok(());
    }
    if !leads || own.is_some() {
        return Err(Errno::EPERM.because("only a session leader without a terminal can acquire one"));
    }
    if let Some(owner) = owner {
        if !steal || !is_admin {
            return Err(Errno::EPERM.because("the terminal belongs to another session"));
        }
        forget_in_session(call.kernel, owner);
    }
    if !is_readable && !is_admin {
        return Err(Errno::EPERM.because("the terminal is not open for reading"));
    }
    take(call, terminal);
    Ok(())
}

fn take(call: &mut Call, terminal: Id<Terminal>) {
    let process = call.process();
    process.terminal = Some(terminal);
    let (session, group) = (process.session, process.group);
    let terminal = &mut call.kernel.terminals.table[terminal];
    terminal.session = Some(session);
    terminal.foreground = Some(group);
}

/// `TIOCNOTTY`.
///
/// # Errors
/// `ENOTTY` if it is not the caller's controlling terminal.
pub fn give_up(call: &mut Call, terminal: Id<Terminal>) -> Result<(), Error> {
    let process = call.process();
    if process.terminal != Some(terminal) {
        return Err(Errno::ENOTTY.because("it is not the caller's controlling terminal"));
    }
    if is_leader(process) {
        release(call.kernel, call.chooser, terminal, &[SIGHUP, SIGCONT]);
    }
    call.process().terminal = None;
    Ok(())
}

/// A process ends: if it led a session, its terminal is free and the foreground group hears of it, `disassociate_ctty`.
pub fn process_ends(kernel: &mut Kernel, chooser: &mut dyn Chooser, process: Id<Process>) {
    let Process { session, terminal, .. } = kernel.processes[process];
    if !is_leader(&kernel.processes[process]) {
        return;
    }
    match terminal {
        Some(terminal) => release(kernel, chooser, terminal, &[SIGHUP]),
        None => {
            if let Some(group) = kernel.terminals.lost_groups.remove(&session) {
                for signal in [SIGHUP, SIGCONT] {
                    signal::send_to_group(kernel, chooser, group, SigInfo::kernel(signal));
                }
            }
        }
    }
}

/// Takes a terminal from its session; the foreground group gets `signals`.
fn release(kernel: &mut Kernel, chooser: &mut dyn Chooser, terminal: Id<Terminal>, signals: &[i32]) {
    signal_foreground(kernel, chooser, terminal, signals);
    let lost = &mut kernel.terminals.table[terminal];
    lost.foreground = None;
    if let Some(session) = lost.session.take() {
        forget_in_session(kernel, session);
    }
}

/// No process of a session has a controlling terminal any more.
fn forget_in_session(kernel: &mut Kernel, session: i32) {
    for process in members(kernel, session) {
        kernel.processes[process].terminal = None;
    }
}

fn members(kernel: &Kernel, session: i32) -> Vec<Id<Process>> {
    kernel.processes.iter().filter(|(_, process)| process.session == session).map(|(id, _)| id).collect()
}

/// Hangs a terminal up: descriptions open now are dead, its session loses it, the leader gets SIGHUP and SIGCONT.
/// Linux `__tty_hangup`.
pub fn hang_up(kernel: &mut Kernel, chooser: &mut dyn Chooser, terminal: Id<Terminal>) {
    let lost = &mut kernel.terminals.table[terminal];
    lost.reset();
    let (session, foreground) = (lost.session.take(), lost.foreground.take());
    if let Some(session) = session {
        for process in members(kernel, session) {
            if kernel.processes[process].terminal != Some(terminal) {
                continue;
            }
            kernel.processes[process].terminal = None;
            if !is_leader(&kernel.processes[process]) {
                continue;
            }
            if let Some(foreground) = foreground {
                kernel.terminals.lost_groups.insert(session, foreground);
            }
            for signal in [SIGHUP, SIGCONT] {
                signal::send(kernel, chooser, Target::Process(process), SigInfo::kernel(signal));
            }
        }
    }
    crate::fs::signal_driven::forget_terminal(kernel, terminal);
    kernel.wake_all_of_terminal(terminal);
}

/// Hangs up the terminals whose masters were closed during the present call.
#[inline]
pub fn serve_closed_masters(kernel: &mut Kernel, chooser: &mut dyn Chooser) {
    if !kernel.terminals.closing.is_empty() {
        hang_up_closing(kernel, chooser);
    }
}

#[cold]
fn hang_up_closing(kernel: &mut Kernel, chooser: &mut dyn Chooser) {
    for terminal in std::mem::take(&mut kernel.terminals.closing) {
        hang_up(kernel, chooser, terminal);
        super::device::free_if_unused(kernel, terminal);
    }
}

/// `TIOCSPGRP`, tcsetpgrp(3). The caller has passed [`check`].
///
/// # Errors
/// `ENOTTY` if it is not the caller's controlling terminal, `EINVAL`, `ESRCH`, `EPERM` for a group of another session.
pub fn set_foreground(call: &mut Call, terminal: Id<Terminal>, group: i32) -> Result<(), Error> {
    if group < 0 {
        return Err(Errno::EINVAL.because("the group's number is negative"));
    }
    let process = call.process();
    let (session, own) = (process.session, process.terminal);
    if own != Some(terminal) || call.kernel.terminals.table[terminal].session != Some(session) {
        return Err(Errno::ENOTTY.because("it is not the caller's controlling terminal"));
    }
    match session_of_group(call.kernel, group) {
        None => Err(Errno::ESRCH.because("there is no such process or group")),
        Some(of_group) if of_group == session => {
            call.kernel.terminals.table[terminal].foreground = Some(group);
            Ok(())
        }
        Some(_) => Err(Errno::EPERM.because("the group is in another session")),
    }
}

/// The session of a group, or of the process of that number if there is no such group, Linux `session_of_pgrp`.
fn session_of_group(kernel: &Kernel, number: i32) -> Option<i32> {
    let member = kernel.pids.members(number).first().copied();
    let member = member.or_else(|| kernel.pids.processes.get(&number).copied())?;
    Some(kernel.processes[member].session)
}
