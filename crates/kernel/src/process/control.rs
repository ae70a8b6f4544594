//! Settings of processes and threads: prctl(2), personality(2), membarrier(2), and what this kernel does
//! without: namespaces, ptrace(2).

use super::exec::NAME_LENGTH;
use super::users::SECBIT_KEEP_CAPS;
use super::{Credentials, Process, credentials, permission, pidfd};
use crate::entry::Call;
use crate::event::Event;
use crate::ipc::namespace;
use crate::syscalls::operation::{Flow, SysResult};
use crate::user::UserPtr;
use abi::process::*;
use abi::resource::{CAP_LAST, CAP_SETPCAP, CAP_SYS_ADMIN, CAP_SYS_RESOURCE};
use abi::signal::SIGRTMAX;
use abi::{Errno, Error};

fn done(value: impl Into<u64>) -> SysResult {
    Ok(Flow::Done(value.into()))
}

fn invalid(why: &'static str) -> SysResult {
    Err(Errno::EINVAL.because(why))
}

/// prctl(2).
pub fn prctl(call: &mut Call, option: i32, arg2: u64, arg3: u64, arg4: u64, arg5: u64) -> SysResult {
    let are_unused_zero = arg3 == 0 && arg4 == 0 && arg5 == 0;
    match option {
        PR_SET_PDEATHSIG if arg2 > SIGRTMAX as u64 => invalid("the number is no signal"),
        PR_SET_PDEATHSIG => {
            call.process().attributes.parent_death_signal = arg2 as i32;
            Flow::OK
        }
        PR_GET_PDEATHSIG => {
            let signal = call.process().attributes.parent_death_signal;
            call.write(UserPtr::new(arg2), &signal)?;
            Flow::OK
        }
        PR_GET_DUMPABLE => done(call.process().attributes.dumpable as u64),
        PR_SET_DUMPABLE if arg2 > 1 => invalid("processes are dumpable or not: 1 or 0"),
        PR_SET_DUMPABLE => {
            call.process().attributes.dumpable = arg2 as i32;
            Flow::OK
        }
        PR_SET_NAME => {
            let name = read_name(call, arg2)?;
            call.current().name = name;
            Flow::OK
        }
        PR_GET_NAME => {
            let mut name = call.current().name.clone();
            name.resize(NAME_LENGTH + 1, 0);
            call.copy_out(arg2, &name)?;
            Flow::OK
        }
        PR_GET_TIMING => Flow::OK,
        PR_SET_TIMING if arg2 == 0 => Flow::OK,
        PR_GET_TSC => {
            // PR_TSC_ENABLE
            call.write::<i32>(UserPtr::new(arg2), &1)?;
            Flow::OK
        }
        PR_SET_TSC if arg2 == 1 => Flow::OK,
        PR_SET_TIMERSLACK => {
            call.process().attributes.timer_slack_ns = if arg2 as i64 <= 0 { DEFAULT_SLACK_NS } else { arg2 };
            Flow::OK
        }
        PR_GET_TIMERSLACK => done(call.process().attributes.timer_slack_ns),
        PR_TASK_PERF_EVENTS_DISABLE | PR_TASK_PERF_EVENTS_ENABLE => Flow::OK,
        PR_MCE_KILL => memory_errors(call, arg2, arg3, arg4 == 0 && arg5 == 0),
        PR_MCE_KILL_GET if arg2 == 0 && are_unused_zero => done(call.process().attributes.memory_error_policy as u64),
        PR_SET_MM if !call.has_capability(CAP_SYS_RESOURCE) => {
            Err(Errno::EPERM.because("PR_SET_MM needs CAP_SYS_RESOURCE"))
        }
        PR_SET_CHILD_SUBREAPER => {
            call.process().attributes.child_subreaper = arg2 != 0;
            Flow::OK
        }
        PR_GET_CHILD_SUBREAPER => {
            let is_set = i32::from(call.process().attributes.child_subreaper);
            call.write(UserPtr::new(arg2), &is_set)?;
            Flow::OK
        }
        PR_SET_NO_NEW_PRIVS if arg2 == 1 && are_unused_zero => {
            call.process().attributes.no_new_privileges = true;
            Flow::OK
        }
        PR_GET_NO_NEW_PRIVS if arg2 == 0 && are_unused_zero => {
            done(u64::from(call.process().attributes.no_new_privileges))
        }
        PR_GET_TID_ADDRESS => {
            let address = call.current().clear_child_tid;
            call.write(UserPtr::new(arg2), &address)?;
            Flow::OK
        }
        PR_SET_THP_DISABLE if are_unused_zero => {
            call.process().attributes.huge_pages_disabled = arg2 != 0;
            Flow::OK
        }
        PR_GET_THP_DISABLE if arg2 == 0 && are_unused_zero => {
            done(u64::from(call.process().attributes.huge_pages_disabled))
        }
        PR_GET_AUXV => auxiliary_vector(call, arg2, arg3),
        PR_CAPBSET_READ | PR_CAPBSET_DROP | PR_GET_KEEPCAPS | PR_SET_KEEPCAPS | PR_GET_SECUREBITS
        | PR_SET_SECUREBITS | PR_CAP_AMBIENT => capability_option(call, option, arg2, arg3, arg4 == 0 && arg5 == 0),
        PR_SET_SECCOMP | PR_GET_SECCOMP => {
            call.kernel.emit(Event::Unsupported { number: PRCTL, what: "seccomp" });
            invalid("this kernel is built without seccomp")
        }
        _ => invalid("`option` is unknown, not for this machine, or has arguments that it does not take"),
    }
}

/// The number of prctl(2).
const PRCTL: u64 = 157;
const DEFAULT_SLACK_NS: u64 = 50_000;

/// A thread's name: as much of the string as fits.
fn read_name(call: &mut Call, from: u64) -> Result<Vec<u8>, Error> {
    let mut name = Vec::new();
    while name.len() < NAME_LENGTH {
        let byte: u8 = call.read(UserPtr::new(from.wrapping_add(name.len() as u64)))?;
        if byte == 0 {
            break;
        }
        name.push(byte);
    }
    Ok(name)
}

/// `PR_MCE_KILL`: what happens on memory errors, which this machine never has.
fn memory_errors(call: &mut Call, how: u64, policy: u64, are_unused_zero: bool) -> SysResult {
    const CLEAR: u64 = 0;
    const SET: u64 = 1;
    /// `PR_MCE_KILL_DEFAULT`.
    const DEFAULT: u64 = 2;
    if !are_unused_zero {
        return invalid("unused arguments have to be 0");
    }
    let policy = match (how, policy) {
        (CLEAR, 0) => DEFAULT,
        (SET, 0..=2) => policy,
        _ => return invalid("there is no such policy for memory errors"),
    };
    call.process().attributes.memory_error_policy = policy as u32;
    Flow::OK
}

fn auxiliary_vector(call: &mut Call, to: u64, length: u64) -> SysResult {
    let words = call.process().image.auxiliary.clone();
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let copied = bytes.len().min(usize::try_from(length).unwrap_or(usize::MAX));
    call.copy_out(to, &bytes[..copied])?;
    done(bytes.len() as u64)
}

/// The options that concern capabilities, capabilities(7).
fn capability_option(call: &mut Call, option: i32, arg2: u64, arg3: u64, are_unused_zero: bool) -> SysResult {
    const AMBIENT_IS_SET: u64 = 1;
    const AMBIENT_RAISE: u64 = 2;
    const AMBIENT_LOWER: u64 = 3;
    const AMBIENT_CLEAR_ALL: u64 = 4;
    let mut set: Credentials = call.credentials().clone();
    let keeps = u64::from(set.secure_bits & SECBIT_KEEP_CAPS != 0);
    let capability = if option == PR_CAP_AMBIENT { arg3 } else { arg2 };
    let names_capability = capability <= u64::from(CAP_LAST);
    let bit = if names_capability { 1 << capability } else { 0 };
    match option {
        PR_GET_KEEPCAPS => return done(keeps),
        PR_GET_SECUREBITS => return done(u64::from(set.secure_bits)),
        PR_CAPBSET_READ if names_capability => return done(u64::from(set.bounding & bit != 0)),
        PR_CAPBSET_DROP if names_capability => {
            if !set.has_capability(CAP_SETPCAP) {
                return Err(Errno::EPERM.because("dropping from the bounding set needs CAP_SETPCAP"));
            }
            set.bounding &= !bit;
        }
        PR_SET_KEEPCAPS if arg2 <= 1 => {
            if set.secure_bits & SECBIT_KEEP_CAPS << 1 != 0 {
                return Err(Errno::EPERM.because("SECBIT_KEEP_CAPS is locked"));
            }
            set.secure_bits = set.secure_bits & !SECBIT_KEEP_CAPS | if arg2 == 1 { SECBIT_KEEP_CAPS } else { 0 };
        }
        PR_SET_SECUREBITS => set.secure_bits = secure_bits(&set, arg2)?,
        PR_CAP_AMBIENT if are_unused_zero && arg2 == AMBIENT_CLEAR_ALL && arg3 == 0 => set.ambient = 0,
        PR_CAP_AMBIENT if are_unused_zero && names_capability => match arg2 {
            AMBIENT_IS_SET => return done(u64::from(set.ambient & bit != 0)),
            AMBIENT_RAISE if set.permitted & set.inheritable & bit == 0 => {
                return Err(Errno::EPERM.because("an ambient capability has to be permitted and inheritable"));
            }
            AMBIENT_RAISE => set.ambient |= bit,
            AMBIENT_LOWER => set.ambient &= !bit,
            _ => return invalid("there is no such operation on ambient capabilities"),
        },
        _ => return invalid("there is no such capability or setting"),
    }
    credentials::replace(call.kernel, call.thread, set);
    Flow::OK
}

/// `PR_SET_SECUREBITS`, Linux `cap_task_prctl`.
fn secure_bits(set: &Credentials, new: u64) -> Result<u32, Error> {
    const ALL_BITS: u64 = 0x55;
    const ALL_LOCKS: u64 = ALL_BITS << 1;
    let old = u64::from(set.secure_bits);
    let is_locked = (old & ALL_LOCKS) >> 1 & (old ^ new) != 0 || old & ALL_LOCKS & !new != 0;
    if is_locked || new & !(ALL_BITS | ALL_LOCKS) != 0 || !set.has_capability(CAP_SETPCAP) {
        return Err(Errno::EPERM.because("the bits are locked or unknown, or CAP_SETPCAP is missing"));
    }
    Ok(new as u32)
}

/// personality(2). Kept and shown; only PER_LINUX's behaviour is there.
pub fn personality(call: &mut Call, persona: u32) -> SysResult {
    let attributes = &mut call.process().attributes;
    let before = attributes.personality;
    if persona != u32::MAX {
        attributes.personality = persona;
    }
    done(u64::from(before))
}

/// membarrier(2). One thread runs at a time, and sees everything that others did before: only registrations are kept.
pub fn membarrier(call: &mut Call, command: i32, flags: u32, _cpu: i32) -> SysResult {
    const GLOBAL: i32 = 1;
    const GLOBAL_EXPEDITED: i32 = 2;
    const REGISTER_GLOBAL_EXPEDITED: i32 = 4;
    /// Private commands, each followed by its registration.
    const PRIVATE: [i32; 3] = [8, 32, 128];
    const PRIVATE_RSEQ: i32 = 128;
    const GET_REGISTRATIONS: i32 = 512;
    /// `MEMBARRIER_CMD_FLAG_CPU`.
    const FLAG_CPU: u32 = 1;
    let may_have_flag = command == PRIVATE_RSEQ && flags == FLAG_CPU;
    if flags != 0 && !may_have_flag {
        return invalid("`flags` is not 0");
    }
    let attributes = &mut call.process().attributes;
    match command {
        0 => done(1_023_u64),
        GLOBAL | GLOBAL_EXPEDITED => Flow::OK,
        REGISTER_GLOBAL_EXPEDITED | 16 | 64 | 256 => {
            attributes.membarrier |= command as u32;
            Flow::OK
        }
        GET_REGISTRATIONS => done(u64::from(attributes.membarrier)),
        command if PRIVATE.contains(&command) => {
            if attributes.membarrier & (command as u32) << 1 == 0 {
                return Err(Errno::EPERM.because("the process has not registered for this command"));
            }
            Flow::OK
        }
        _ => invalid("there is no such command"),
    }
}

/// unshare(2): what threads share can be taken apart; of namespaces, there are those of IPC.
pub fn unshare(call: &mut Call, flags: u64) -> SysResult {
    let known = CLONE_THREAD | CLONE_FS | CLONE_NAMESPACES | CLONE_SIGHAND | CLONE_VM | CLONE_FILES | CLONE_SYSVSEM;
    if flags & !known != 0 {
        return invalid("`flags` has unknown flags");
    }
    if flags & CLONE_NAMESPACES != 0 {
        if !call.has_capability(CAP_SYS_ADMIN) {
            return Err(Errno::EPERM.because("a new namespace needs CAP_SYS_ADMIN"));
        }
        if flags & CLONE_NAMESPACES & !CLONE_NEWIPC != 0 {
            call.kernel.emit(Event::Unsupported { number: 272, what: "namespaces other than of IPC" });
            return invalid("this kernel is built without namespaces but those of IPC");
        }
    }
    let process = call.process_id();
    let space = call.space();
    let is_alone = call.kernel.processes[process].threads.len() == 1;
    if flags & (CLONE_THREAD | CLONE_SIGHAND | CLONE_VM) != 0 && (!is_alone || call.kernel.spaces[space].references > 1)
    {
        return invalid("threads cannot leave their process");
    }
    if flags & CLONE_FS != 0 {
        let shared = call.current().fs_context;
        let own = call.kernel.copy_context(shared);
        call.current().fs_context = own;
        call.kernel.release_context(shared);
    }
    if flags & CLONE_FILES != 0 {
        let shared = call.current().fd_table;
        let own = crate::fs::file::copy_table(call.kernel, shared);
        call.current().fd_table = own;
        crate::fs::file::release_table(call.kernel, shared);
    }
    if flags & (CLONE_SYSVSEM | CLONE_NEWIPC) != 0 {
        crate::ipc::sysv::semaphore::leave(call);
    }
    if flags & CLONE_NEWIPC != 0 {
        let shared = call.ipc_namespace();
        let own = namespace::create(call.kernel);
        call.current().ipc_namespace = own;
        namespace::release(call, shared);
    }
    Flow::OK
}

/// setns(2): joins namespaces of a process, by its descriptor. Of those that are not of IPC there is one of each kind.
pub fn setns(call: &mut Call, fd: crate::fs::Fd, kinds: u32) -> SysResult {
    const SHARED: u64 = CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWCGROUP | CLONE_NEWPID;
    call.file(fd)?;
    let Ok(subject) = pidfd::subject(call, fd) else {
        return invalid("the descriptor refers to no process");
    };
    let kinds = u64::from(kinds);
    if kinds == 0 || kinds & !(SHARED | CLONE_NEWIPC) != 0 {
        return invalid("no kinds of namespaces, or some that cannot be joined");
    }
    let thread = subject.thread(call.kernel).ok_or(Errno::ESRCH.because("the process is gone"))?;
    permission::may_look_at(call, thread)?;
    if !call.has_capability(CAP_SYS_ADMIN) {
        return Err(Errno::EPERM.because("joining a namespace needs CAP_SYS_ADMIN"));
    }
    if kinds & CLONE_NEWIPC != 0 {
        let joined = call.kernel.threads[thread].ipc_namespace;
        crate::ipc::sysv::semaphore::leave(call);
        call.kernel.ipc_namespaces[joined].references += 1;
        let left = std::mem::replace(&mut call.current().ipc_namespace, joined);
        namespace::release(call, left);
    }
    Flow::OK
}

/// kcmp(2).
pub fn kcmp(call: &mut Call, pid1: i32, pid2: i32, kind: i32, index1: u64, index2: u64) -> SysResult {
    const FILE: i32 = 0;
    let first = permission::find_thread(call.kernel, pid1)?;
    let second = permission::find_thread(call.kernel, pid2)?;
    permission::may_look_at(call, first)?;
    permission::may_look_at(call, second)?;
    if kind == FILE {
        let fd = |index: u64| i32::try_from(index).map_or(crate::fs::Fd(-1), crate::fs::Fd);
        let files = (call.as_thread(first).file(fd(index1))?, call.as_thread(second).file(fd(index2))?);
        return done(order(&files.0, &files.1));
    }
    let kernel = &*call.kernel;
    let (one, two) = (&kernel.threads[first], &kernel.threads[second]);
    let process = |thread: &crate::process::Thread| -> &Process { &kernel.processes[thread.process] };
    match kind {
        1 => done(order(&process(one).space, &process(two).space)),
        2 => done(order(&one.fd_table, &two.fd_table)),
        3 => done(order(&one.fs_context, &two.fs_context)),
        4 => done(order(&process(one).actions, &process(two).actions)),
        // I/O contexts: each process has its own.
        5 => done(order(&one.process, &two.process)),
        6 => done(order(&one.undo, &two.undo)),
        _ => invalid("`type` is unknown"),
    }
}

/// 0: the same; 1: less; 2: greater.
fn order<T: Ord>(one: &T, two: &T) -> u64 {
    match one.cmp(two) {
        std::cmp::Ordering::Equal => 0,
        std::cmp::Ordering::Less => 1,
        std::cmp::Ordering::Greater => 2,
    }
}

/// ptrace(2): nobody can be traced.
pub fn ptrace(call: &mut Call, request: u64, pid: i32) -> SysResult {
    const TRACE_ME: u64 = 0;
    if request != TRACE_ME {
        permission::find_thread(call.kernel, pid)?;
    }
    call.kernel.emit(Event::Unsupported { number: 101, what: "tracing" });
    Err(Errno::EPERM.because("this kernel does not let programs trace one another"))
}

/// restart_syscall(2): nothing is left to be restarted; interrupted calls keep their progress themselves.
pub fn restart_syscall(_call: &mut Call) -> SysResult {
    Err(Errno::EINTR.because("there is no call to restart"))
}

/// sethostname(2).
pub fn sethostname(call: &mut Call, name: u64, length: i32) -> SysResult {
    let name = read_host_name(call, name, length)?;
    call.kernel.configuration.host_name = name;
    Flow::OK
}

/// setdomainname(2).
pub fn setdomainname(call: &mut Call, name: u64, length: i32) -> SysResult {
    call.kernel.domain_name = read_host_name(call, name, length)?;
    Flow::OK
}

fn read_host_name(call: &mut Call, from: u64, length: i32) -> Result<Vec<u8>, Error> {
    if !call.has_capability(CAP_SYS_ADMIN) {
        return Err(Errno::EPERM.because("setting the machine's name needs CAP_SYS_ADMIN"));
    }
    if !(0..=64).contains(&length) {
        return Err(Errno::EINVAL.because("`len` is negative or larger than 64"));
    }
    let mut name = vec![0; length as usize];
    call.copy_in(from, &mut name)?;
    Ok(name)
}

/// uname(2).
pub fn uname(call: &mut Call, to: u64) -> SysResult {
    use crate::release::{MACHINE, RELEASE, SYSTEM, VERSION};
    const FIELD: usize = 65;
    let node = call.kernel.configuration.host_name.clone();
    let domain = call.kernel.domain_name.clone();
    let mut bytes = [0; 6 * FIELD];
    let fields: [&[u8]; 6] =
        [SYSTEM.as_bytes(), &node, RELEASE.as_bytes(), VERSION.as_bytes(), MACHINE.as_bytes(), &domain];
    for (field, text) in bytes.chunks_exact_mut(FIELD).zip(fields) {
        let length = text.len().min(FIELD - 1);
        field[..length].copy_from_slice(&text[..length]);
    }
    call.copy_out(to, &bytes)?;
    Flow::OK
}

/// sysinfo(2).
pub fn sysinfo(call: &mut Call, to: UserPtr<abi::resource::Sysinfo>) -> SysResult {
    let kernel = &*call.kernel;
    let page = kernel.page_size().bytes();
    let info = abi::resource::Sysinfo {
        loads: kernel.load.shifted(),
        uptime_seconds: (kernel.clock.monotonic_ns() / 1_000_000_000) as i64,
        total_ram: u64::from(kernel.memory.total()) * page,
        free_ram: u64::from(kernel.memory.available()) * page,
        total_swap: u64::from(kernel.mm.swap.limit()) * page,
        free_swap: u64::from(kernel.mm.swap.limit() - kernel.mm.swap.used()) * page,
        processes: kernel.threads.len().min(usize::from(u16::MAX)) as u16,
        memory_unit: 1,
        ..Default::default()
    };
    call.write(to, &info)?;
    Flow::OK
}
