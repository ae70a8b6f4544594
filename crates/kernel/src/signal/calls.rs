//! The system calls about signals.

use super::frame::{self, alternate_stack_flags, is_on_alternate_stack};
use super::set::UNBLOCKABLE;
use super::{SignalSet, SignalSuspend, SignalTimedWait, Target, mask, send};
use crate::entry::Call;
use crate::process::{Process, permission};
use crate::syscalls::operation::{Flow, SysResult};
use crate::table::Id;
use crate::time;
use crate::user::UserPtr;
use abi::signal::*;
use abi::time::Timespec;
use abi::{Errno, Error};
use machine::Gpr;

/// `sa_flags` that the kernel keeps; it clears others, sigaction(2) "Dynamically probing for flag bit support".
const KNOWN_FLAGS: u64 = SA_NOCLDSTOP
    | SA_NOCLDWAIT
    | SA_SIGINFO
    | SA_EXPOSE_TAGBITS
    | SA_RESTORER
    | SA_ONSTACK
    | SA_RESTART
    | SA_NODEFER
    | SA_RESETHAND;

fn check_number(signal: i32) -> Result<(), Error> {
    if (1..=SIGRTMAX).contains(&signal) { Ok(()) } else { Err(Errno::EINVAL.because("no signal has this number")) }
}

/// rt_sigaction(2).
pub fn rt_sigaction(
    call: &mut Call,
    signal: i32,
    new: UserPtr<SigAction>,
    old: UserPtr<SigAction>,
    size: u64,
) -> SysResult {
    mask::check_size(size)?;
    let new = match new.given() {
        Some(new) => Some(call.read(new)?),
        None => None,
    };
    check_number(signal)?;
    if new.is_some() && UNBLOCKABLE.contains(signal) {
        return Err(Errno::EINVAL.because("SIGKILL and SIGSTOP keep their actions"));
    }
    let process = call.process_id();
    let actions = call.kernel.processes[process].actions;
    let before = call.kernel.actions[actions].get(signal);
    if let Some(new) = new {
        let mask = SignalSet(new.mask).without(UNBLOCKABLE).0;
        let action = SigAction { flags: new.flags & KNOWN_FLAGS, mask, ..new };
        let was_ignored = call.kernel.actions[actions].ignores(signal);
        call.kernel.actions[actions].set(signal, action);
        let is_ignored = call.kernel.actions[actions].ignores(signal);
        if was_ignored && !is_ignored {
            crate::time::posix_timer::signal_unignored(call.kernel, call.chooser, process, signal);
        }
        if is_ignored {
            // POSIX: a pending signal that becomes ignored is discarded, blocked or not.
            send::forget(call.kernel, process, SignalSet::of(&[signal]));
        }
    }
    call.write_if_given(old, &before)?;
    Flow::OK
}

/// rt_sigprocmask(2).
pub fn rt_sigprocmask(call: &mut Call, how: i32, new: UserPtr<u64>, old: UserPtr<u64>, size: u64) -> SysResult {
    mask::check_size(size)?;
    let before = call.current().signals.blocked;
    if !new.is_null() {
        let given = mask::read(call, new)?;
        let after = match how {
            SIG_BLOCK => before.union(given),
            SIG_UNBLOCK => before.without(given),
            SIG_SETMASK => given,
            _ => return Err(Errno::EINVAL.because("`how` is none of SIG_BLOCK, SIG_UNBLOCK, SIG_SETMASK")),
        };
        mask::set(call, after);
    }
    call.write_if_given(old, &before.0)?;
    Flow::OK
}

/// rt_sigpending(2).
pub fn rt_sigpending(call: &mut Call, to: UserPtr<u64>, size: u64) -> SysResult {
    if size > mask::SIGNAL_SET_SIZE {
        return Err(Errno::EINVAL.because("`sigsetsize` is larger than 8"));
    }
    let process = call.process_id();
    let shared = call.kernel.processes[process].signals.set();
    let signals = &call.current().signals;
    let pending = signals.pending.set().union(shared).0 & signals.blocked.0;
    call.copy_out(to.address(), &pending.to_le_bytes()[..size as usize])?;
    Flow::OK
}

/// rt_sigsuspend(2).
pub fn rt_sigsuspend(call: &mut Call, set: UserPtr<u64>, size: u64) -> SysResult {
    mask::check_size(size)?;
    let set = mask::read(call, set)?;
    mask::enter_with(call, set);
    Ok(SignalSuspend.into())
}

/// rt_sigtimedwait(2).
pub fn rt_sigtimedwait(
    call: &mut Call,
    set: UserPtr<u64>,
    info: UserPtr<SigInfo>,
    timeout: UserPtr<Timespec>,
    size: u64,
) -> SysResult {
    mask::check_size(size)?;
    let set = mask::read(call, set)?;
    let deadline = time::deadline_after(call, timeout)?;
    Ok(SignalTimedWait { set, info, deadline }.into())
}

/// rt_sigreturn(2).
pub fn rt_sigreturn(call: &mut Call) -> SysResult {
    if frame::restore(call).is_err() {
        super::raise_fault(call, SigInfo::kernel(SIGSEGV));
    }
    Ok(Flow::Replaced)
}

/// sigaltstack(2).
pub fn sigaltstack(call: &mut Call, new: UserPtr<SigStack>, old: UserPtr<SigStack>) -> SysResult {
    let new = match new.given() {
        Some(new) => Some(call.read(new)?),
        None => None,
    };
    let rsp = call.current().registers.get(Gpr::Rsp);
    let before = call.current().alternate_stack;
    if let Some(new) = new {
        set_alternate_stack(call, new, rsp)?;
    }
    let flags = alternate_stack_flags(&before, rsp) | before.flags & SS_AUTODISARM;
    call.write_if_given(old, &SigStack { flags, _pad: 0, ..before })?;
    Flow::OK
}

/// Sets the alternate stack of a thread whose stack pointer is `rsp`. Linux `do_sigaltstack`.
///
/// # Errors
/// `EPERM` while the thread runs on it, `EINVAL` for unknown flags, `ENOMEM` for one that is too small.
pub(super) fn set_alternate_stack(call: &mut Call, new: SigStack, rsp: u64) -> Result<(), Error> {
    let before = call.current().alternate_stack;
    if is_on_alternate_stack(&before, rsp) {
        return Err(Errno::EPERM.because("the thread runs on its alternate stack"));
    }
    let mode = new.flags & !SS_AUTODISARM;
    if mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0 {
        return Err(Errno::EINVAL.because("`ss_flags` has unknown flags"));
    }
    let stack = if mode == SS_DISABLE {
        SigStack { address: 0, flags: new.flags, _pad: 0, size: 0 }
    } else {
        if new.size < MINSIGSTKSZ {
            return Err(Errno::ENOMEM.because("the alternate stack is smaller than MINSIGSTKSZ"));
        }
        SigStack { _pad: 0, ..new }
    };
    call.current().alternate_stack = stack;
    Ok(())
}

/// kill(2).
pub fn kill(call: &mut Call, pid: i32, signal: i32) -> SysResult {
    let own = call.process_id();
    let (own_pid, own_group) = (call.kernel.processes[own].pid, call.kernel.processes[own].group);
    let info = SigInfo::kill(signal, SI_USER, own_pid, call.credentials().uid);
    if pid > 0 {
        let target = permission::find_process(call.kernel, pid)?;
        return one(call, target, info);
    }
    if pid == i32::MIN {
        return Err(Errno::ESRCH.because("no process group has this number"));
    }
    let targets: Vec<Id<Process>> = match pid {
        -1 => {
            let everybody = call.kernel.pids.processes.values().copied();
            everybody.filter(|process| *process != own && call.kernel.processes[*process].parent.is_some()).collect()
        }
        0 => call.kernel.pids.members(own_group).to_vec(),
        _ => call.kernel.pids.members(-pid).to_vec(),
    };
    if targets.is_empty() {
        return Err(Errno::ESRCH.because("there is no such process or process group"));
    }
    if pid != -1 {
        return to_each(call, &targets, info);
    }
    let mut result = Flow::OK;
    for target in targets {
        match one(call, target, info) {
            // Linux: those that it may not signal do not count for kill(-1).
            Err(error) if error.errno == Errno::EPERM => {}
            sent => result = sent,
        }
    }
    result
}

/// Sends a signal to a process group: pidfd_send_signal(2).
pub(crate) fn to_group(call: &mut Call, group: i32, info: SigInfo) -> SysResult {
    let members = call.kernel.pids.members(group).to_vec();
    if members.is_empty() {
        return Err(Errno::ESRCH.because("there is no such process group"));
    }
    to_each(call, &members, info)
}

/// A group is signalled if one of its processes is; otherwise the last one's error counts, `__kill_pgrp_info`.
fn to_each(call: &mut Call, members: &[Id<Process>], info: SigInfo) -> SysResult {
    let mut result = Flow::OK;
    let mut any = false;
    for member in members {
        let sent = one(call, *member, info);
        any |= sent.is_ok();
        result = sent;
    }
    if any { Flow::OK } else { result }
}

fn one(call: &mut Call, target: Id<Process>, info: SigInfo) -> SysResult {
    check_number_or_probe(info.signal)?;
    permission::may_signal(call, target, info.signal)?;
    if info.signal != 0 {
        send::try_send(call.kernel, call.chooser, Target::Process(target), info)?;
    }
    Flow::OK
}

fn check_number_or_probe(signal: i32) -> Result<(), Error> {
    if signal == 0 { Ok(()) } else { check_number(signal) }
}

/// tgkill(2).
pub fn tgkill(call: &mut Call, pid: i32, tid: i32, signal: i32) -> SysResult {
    if pid <= 0 {
        return Err(Errno::EINVAL.because("`tgid` is not positive"));
    }
    to_thread(call, Some(pid), tid, signal, None)
}

/// tkill(2).
pub fn tkill(call: &mut Call, tid: i32, signal: i32) -> SysResult {
    to_thread(call, None, tid, signal, None)
}

fn to_thread(call: &mut Call, pid: Option<i32>, tid: i32, signal: i32, info: Option<SigInfo>) -> SysResult {
    if tid <= 0 {
        return Err(Errno::EINVAL.because("`tid` is not positive"));
    }
    let Some(thread) = call.kernel.pids.threads.get(&tid).copied() else {
        // A process whose leader has ended still answers to the leader's number.
        let process = permission::find_process(call.kernel, tid)?;
        permission::may_signal(call, process, signal)?;
        return check_number_or_probe(signal).and(Flow::OK);
    };
    let process = call.kernel.threads[thread].process;
    if pid.is_some_and(|pid| pid != call.kernel.processes[process].pid) {
        return Err(Errno::ESRCH.because("the thread is not one of the process"));
    }
    check_number_or_probe(signal)?;
    permission::may_signal(call, process, signal)?;
    if signal != 0 {
        let own = call.process().pid;
        let uid = call.credentials().uid;
        let info = info.unwrap_or(SigInfo::kill(signal, SI_TKILL, own, uid));
        send::try_send(call.kernel, call.chooser, Target::Thread(thread), info)?;
    }
    Flow::OK
}

fn read_info(call: &mut Call, signal: i32, from: UserPtr<SigInfo>, target: i32) -> Result<SigInfo, Error> {
    let mut info = call.read(from)?;
    info.signal = signal;
    // Nobody can pretend to be the kernel or kill(2), but a process towards itself.
    let own = call.process().pid;
    if (info.code >= 0 || info.code == SI_TKILL) && own != target {
        return Err(Errno::EPERM.because("`si_code` says that the kernel or kill(2) sends the signal"));
    }
    Ok(info)
}

/// rt_sigqueueinfo(2).
pub fn rt_sigqueueinfo(call: &mut Call, pid: i32, signal: i32, info: UserPtr<SigInfo>) -> SysResult {
    let info = read_info(call, signal, info, pid)?;
    let target = permission::find_process(call.kernel, pid)?;
    one(call, target, info)
}

/// rt_tgsigqueueinfo(2).
pub fn rt_tgsigqueueinfo(call: &mut Call, pid: i32, tid: i32, signal: i32, info: UserPtr<SigInfo>) -> SysResult {
    if pid <= 0 {
        return Err(Errno::EINVAL.because("`tgid` is not positive"));
    }
    let info = read_info(call, signal, info, pid)?;
    to_thread(call, Some(pid), tid, signal, Some(info))
}

/// Takes a pending signal of a set from the calling thread or its process: signalfd(2) reads so.
pub fn take(call: &mut Call, among: SignalSet) -> Option<SigInfo> {
    super::deliver::take(call, among)
}

/// Signals of a set that are pending for the calling thread or its process.
pub fn pending(call: &Call, among: SignalSet) -> SignalSet {
    let thread = &call.kernel.threads[call.thread];
    let pending = thread.signals.pending.set().union(call.kernel.processes[thread.process].signals.set());
    SignalSet(pending.0 & among.0)
}
