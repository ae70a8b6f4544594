//! Making processes and threads, clone(2), clone3(2), fork(2), vfork(2). Linux kernel/fork.c.

use super::exit::count_task;
use super::pidfd::Subject;
use super::wait::VforkWait;
use super::{Attributes, Process, Thread, ThreadState, Usage, credentials, image};
use crate::entry::Call;
use crate::event::Event;
use crate::fs;
use crate::ipc::namespace;
use crate::ipc::sysv::semaphore;
use crate::mm::{self, AddressSpace};
use crate::process::pids::PID_MAX;
use crate::sched::{self, rank};
use crate::signal::{PendingSignals, SignalState};
use crate::syscalls::operation::{Flow, SysResult};
use crate::table::Id;
use crate::user::UserPtr;
use abi::process::*;
use abi::resource::{CAP_SYS_ADMIN, CAP_SYS_RESOURCE, RLIMIT_NPROC};
use abi::sched::SCHED_DEADLINE;
use abi::signal::{SIGCHLD, SIGRTMAX, SS_DISABLE, SigStack};
use abi::{Errno, Error, Wire};
use machine::Gpr;

/// What to make, whichever call asked.
struct Plan {
    flags: u64,
    exit_signal: i32,
    /// The stack pointer; 0: the caller's.
    stack: u64,
    tls: u64,
    pidfd: u64,
    parent_tid: u64,
    child_tid: u64,
    /// The number that the child gets; `None`: the next free one.
    number: Option<i32>,
}

/// fork(2).
pub fn fork(call: &mut Call) -> SysResult {
    make(call, Plan::of_flags(SIGCHLD as u64))
}

/// vfork(2).
pub fn vfork(call: &mut Call) -> SysResult {
    make(call, Plan::of_flags(CLONE_VFORK | CLONE_VM | SIGCHLD as u64))
}

/// clone(2).
pub fn clone(call: &mut Call, flags: u64, stack: u64, parent_tid: u64, child_tid: u64, tls: u64) -> SysResult {
    let flags = flags & 0xffff_ffff;
    if flags & CLONE_PIDFD != 0 && flags & (CLONE_DETACHED | CLONE_PARENT_SETTID) != 0 {
        return Err(Errno::EINVAL.because("`CLONE_PIDFD` shares its argument with `CLONE_PARENT_SETTID`"));
    }
    make(call, Plan { stack, parent_tid, child_tid, tls, pidfd: parent_tid, ..Plan::of_flags(flags) })
}

/// clone3(2).
pub fn clone3(call: &mut Call, arguments: UserPtr<CloneArgs>, size: u64) -> SysResult {
    let arguments = read_arguments(call, arguments.address(), size)?;
    let flags = arguments.flags;
    let known = 0xffff_ffff | CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP;
    if flags & !known != 0 || flags & (CLONE_DETACHED | CSIGNAL & !CLONE_NEWTIME) != 0 {
        return Err(Errno::EINVAL.because("`flags` has unknown flags"));
    }
    if flags & CLONE_SIGHAND != 0 && flags & CLONE_CLEAR_SIGHAND != 0 {
        return Err(Errno::EINVAL.because("`CLONE_SIGHAND` excludes `CLONE_CLEAR_SIGHAND`"));
    }
    if arguments.exit_signal > SIGRTMAX as u64 {
        return Err(Errno::EINVAL.because("`exit_signal` is no signal"));
    }
    if flags & (CLONE_THREAD | CLONE_PARENT) != 0 && arguments.exit_signal != 0 {
        return Err(Errno::EINVAL.because("`exit_signal` is not for threads and siblings"));
    }
    if (arguments.stack == 0) != (arguments.stack_size == 0) {
        return Err(Errno::EINVAL.because("`stack` and `stack_size` go together"));
    }
    let user_end = call.kernel.configuration.paging.user_end();
    let stack = arguments.stack.checked_add(arguments.stack_size).filter(|top| *top <= user_end);
    let stack = stack.ok_or(Errno::EINVAL.because("the stack lies outside the program's addresses"))?;
    if flags & CLONE_INTO_CGROUP != 0 {
        return Err(Errno::EINVAL.because("there are no control groups"));
    }
    let number = chosen_number(call, &arguments)?;
    make(
        call,
        Plan {
            flags,
            exit_signal: arguments.exit_signal as i32,
            stack,
            tls: arguments.tls,
            pidfd: arguments.pidfd,
            parent_tid: arguments.parent_tid,
            child_tid: arguments.child_tid,
            number,
        },
    )
}

/// Reads a structure whose size the caller names: what it does not know is 0, what we do not know has to be 0. Linux
/// `copy_struct_from_user`.
fn read_arguments(call: &mut Call, from: u64, size: u64) -> Result<CloneArgs, Error> {
    if size > 4096 {
        return Err(Errno::E2BIG.because("`size` is larger than a page"));
    }
    if size < CLONE_ARGS_SIZE_VER0 {
        return Err(Errno::EINVAL.because("`size` is smaller than the first version of `clone_args`"));
    }
    let mut bytes = vec![0; (size as usize).max(CloneArgs::SIZE)];
    call.copy_in(from, &mut bytes[..size as usize])?;
    if bytes[CloneArgs::SIZE..].iter().any(|byte| *byte != 0) {
        return Err(Errno::E2BIG.because("fields behind the known ones are not 0"));
    }
    Ok(CloneArgs::read(&bytes[..CloneArgs::SIZE]))
}

/// `set_tid`: a number chosen by the caller, in its one process namespace.
fn chosen_number(call: &mut Call, arguments: &CloneArgs) -> Result<Option<i32>, Error> {
    if arguments.set_tid == 0 && arguments.set_tid_size == 0 {
        return Ok(None);
    }
    if arguments.set_tid == 0 || arguments.set_tid_size != 1 {
        return Err(Errno::EINVAL.because("there is one process namespace, so `set_tid` has one number"));
    }
    let number: i32 = call.read(UserPtr::new(arguments.set_tid))?;
    if !(1..PID_MAX).contains(&number) {
        return Err(Errno::EINVAL.because("the number in `set_tid` is out of range"));
    }
    if !call.has_capability(CAP_SYS_ADMIN) {
        return Err(Errno::EPERM.because("`set_tid` needs CAP_SYS_ADMIN"));
    }
    if !call.kernel.pids.is_free(number) {
        return Err(Errno::EEXIST.because("the number in `set_tid` is taken"));
    }
    Ok(Some(number))
}

impl Plan {
    fn of_flags(flags: u64) -> Plan {
        Plan {
            flags: flags & !CSIGNAL,
            exit_signal: (flags & CSIGNAL) as i32,
            stack: 0,
            tls: 0,
            pidfd: 0,
            parent_tid: 0,
            child_tid: 0,
            number: None,
        }
    }

    fn has(&self, flag: u64) -> bool {
        self.flags & flag != 0
    }

    fn check(&self, call: &Call) -> Result<(), Error> {
        let refused = |why| Err(Errno::EINVAL.because(why));
        if self.has(CLONE_FS) && self.has(CLONE_NEWNS | CLONE_NEWUSER) {
            return refused("`CLONE_FS` excludes new mount and user namespaces");
        }
        if self.has(CLONE_THREAD) && !self.has(CLONE_SIGHAND) {
            return refused("`CLONE_THREAD` needs `CLONE_SIGHAND`");
        }
        if self.has(CLONE_SIGHAND) && !self.has(CLONE_VM) {
            return refused("`CLONE_SIGHAND` needs `CLONE_VM`");
        }
        if self.has(CLONE_NAMESPACES) {
            if !call.has_capability(CAP_SYS_ADMIN) {
                return Err(Errno::EPERM.because("a new namespace needs CAP_SYS_ADMIN"));
            }
            if self.has(CLONE_NAMESPACES & !CLONE_NEWIPC) {
                return refused("this kernel is built without namespaces but those of IPC");
            }
            if self.has(CLONE_SYSVSEM) {
                return refused("`CLONE_NEWIPC` excludes `CLONE_SYSVSEM`");
            }
        }
        if self.exit_signal > SIGRTMAX {
            return refused("the exit signal is none");
        }
        check_room(call)
    }
}

/// RLIMIT_NPROC, and the number of threads that the machine's memory permits, /proc/sys/kernel/threads-max.
fn check_room(call: &Call) -> Result<(), Error> {
    let own = call.credentials();
    let tasks = call.kernel.users.get(&own.uid).map_or(0, |account| account.processes);
    let limit = call.kernel.processes[call.process_id()].limits.soft(RLIMIT_NPROC);
    let is_exempt = own.uid == 0 || own.has_capability(CAP_SYS_RESOURCE) || own.has_capability(CAP_SYS_ADMIN);
    if tasks >= limit && !is_exempt {
        return Err(Errno::EAGAIN.because("the user has RLIMIT_NPROC processes and threads"));
    }
    if call.kernel.threads.len() as u64 >= threads_max(call.kernel) {
        return Err(Errno::EAGAIN.because("the machine has as many threads as its memory permits"));
    }
    Ok(())
}

/// /proc/sys/kernel/threads-max: an eighth of memory in kernel stacks of 16 KiB each, kernel/fork.c `set_max_threads`.
pub fn threads_max(kernel: &crate::Kernel) -> u64 {
    (u64::from(kernel.memory.total()) * kernel.page_size().bytes() / (8 * 16384)).max(20)
}

fn make(call: &mut Call, plan: Plan) -> SysResult {
    plan.check(call)?;
    let policy = call.current().policy;
    if policy.class == SCHED_DEADLINE && !policy.reset_on_fork {
        return Err(
            Errno::EAGAIN.because("a thread in `SCHED_DEADLINE` has no children without `SCHED_FLAG_RESET_ON_FORK`")
        );
    }
    let number = match plan.number {
        Some(number) => number,
        None => call.kernel.pids.allocate().ok_or(Errno::EAGAIN.because("all process numbers are taken"))?,
    };
    if plan.has(CLONE_PIDFD) {
        // What could fail later is tried before: room for the descriptor, and for its number.
        super::pidfd::check_room(call)?;
        let before: i32 = call.read(UserPtr::new(plan.pidfd))?;
        call.write(UserPtr::new(plan.pidfd), &before)?;
    }
    let parent_space = call.space();
    let space = if plan.has(CLONE_VM) { parent_space } else { mm::fork::copy(call, parent_space)? };
    let (process, parent_number) = if plan.has(CLONE_THREAD) {
        (call.process_id(), None)
    } else {
        let (process, parent) = make_process(call, &plan, number, space);
        (process, Some(parent))
    };
    let thread = make_thread(call, &plan, number, process);
    if plan.has(CLONE_PIDFD) {
        let (subject, flags) = match plan.has(CLONE_THREAD) {
            true => (Subject::Thread { thread: Some(thread), tid: number, leads: None }, PIDFD_THREAD),
            false => (Subject::Process(process), 0),
        };
        let fd = super::pidfd::open(call, subject, flags)?;
        call.write(UserPtr::new(plan.pidfd), &fd.0)?;
    }
    if let Some(parent) = parent_number {
        call.kernel.emit(Event::ProcessStarted { process, pid: number, parent });
    }
    call.kernel.emit(Event::ThreadStarted { tid: number, process });
    if plan.has(CLONE_PARENT_SETTID) {
        // Linux looks at no error here, nor below.
        let _ = call.copy_out(plan.parent_tid, &number.to_le_bytes());
    }
    if plan.has(CLONE_CHILD_SETTID) {
        let _ = call.copy_out_to(space, plan.child_tid, &number.to_le_bytes());
    }
    call.kernel.scheduler.note_class(thread, rank::is_ranked(call.kernel.threads[thread].policy.class));
    call.kernel.make_ready(thread);
    if plan.has(CLONE_VFORK) && !plan.has(CLONE_THREAD) {
        call.kernel.processes[process].vfork_parent_waits = true;
        return Ok(VforkWait { child: process, pid: number }.into());
    }
    Ok(Flow::Done(number as u64))
}

fn make_process(call: &mut Call, plan: &Plan, pid: i32, space: Id<AddressSpace>) -> (Id<Process>, i32) {
    let own = call.process_id();
    let kernel = &mut *call.kernel;
    if plan.has(CLONE_VM) {
        mm::share_space(kernel, space);
    }
    let actions = kernel.processes[own].actions;
    let actions = if plan.has(CLONE_SIGHAND) {
        kernel.actions[actions].references += 1;
        actions
    } else {
        let mut copy = kernel.actions[actions].copy();
        if plan.has(CLONE_CLEAR_SIGHAND) {
            copy.reset_handlers();
        }
        kernel.actions.insert(copy)
    };
    let set = kernel.threads[call.thread].credentials;
    credentials::retain(kernel, set);
    let image = image::share(kernel, own);
    let creator = &kernel.processes[own];
    let (parent, exit_signal) = match creator.parent {
        Some(parent) if plan.has(CLONE_PARENT) => (parent, creator.exit_signal),
        _ => (own, plan.exit_signal),
    };
    let child = Process {
        pid,
        parent: Some(parent),
        children: Vec::new(),
        group: creator.group,
        session: creator.session,
        threads: Vec::with_capacity(1),
        name: creator.name.clone(),
        terminal: creator.terminal,
        space,
        actions,
        signals: PendingSignals::default(),
        stopped: false,
        report: None,
        exiting: None,
        exit_status: None,
        leader_status: None,
        exit_signal,
        credentials: set,
        limits: creator.limits.clone(),
        image,
        attributes: Attributes { parent_death_signal: 0, child_subreaper: false, ..creator.attributes.clone() },
        usage: Usage::default(),
        children_usage: Usage::default(),
        timers: Default::default(),
        started: kernel.clock.now(),
        vfork_parent_waits: false,
        has_executed: false,
        is_first: false,
    };
    let (group, session) = (child.group, child.session);
    let process = kernel.processes.insert(child);
    super::limits::watch_cpu_time(kernel, process);
    kernel.pids.processes.insert(pid, process);
    kernel.pids.join(process, group, session);
    kernel.processes[parent].children.push(process);
    (process, kernel.processes[parent].pid)
}

fn make_thread(call: &mut Call, plan: &Plan, tid: i32, process: Id<Process>) -> Id<Thread> {
    let kernel = &mut *call.kernel;
    let (fd_table, fs_context) = {
        let own = &kernel.threads[call.thread];
        (own.fd_table, own.fs_context)
    };
    let fd_table = if plan.has(CLONE_FILES) {
        kernel.fd_tables[fd_table].references += 1;
        fd_table
    } else {
        fs::file::copy_table(kernel, fd_table)
    };
    let fs_context = if plan.has(CLONE_FS) {
        kernel.retain_context(fs_context);
        fs_context
    } else {
        kernel.copy_context(fs_context)
    };
    let ipc_namespace = if plan.has(CLONE_NEWIPC) {
        namespace::create(kernel)
    } else {
        let shared = kernel.threads[call.thread].ipc_namespace;
        kernel.ipc_namespaces[shared].references += 1;
        shared
    };
    let undo = plan.has(CLONE_SYSVSEM).then(|| semaphore::share_undo(kernel, call.thread));
    let set = kernel.threads[call.thread].credentials;
    credentials::retain(kernel, set);
    let uid = kernel.credentials[set].uid;
    count_task(kernel, uid, 1);

    // Threads are spread over the processors; a child process stays on its parent's.
    let cpu = if plan.has(CLONE_VM) { sched::next_cpu(kernel, call.thread) } else { kernel.threads[call.thread].cpu };
    let own = &kernel.threads[call.thread];
    let mut registers = own.registers.clone();
    registers.set(Gpr::Rax, 0);
    if plan.stack != 0 {
        registers.set(Gpr::Rsp, plan.stack);
    }
    if plan.has(CLONE_SETTLS) {
        registers.fs_base = plan.tls;
    }
    // A new stack in the same memory: the alternate one still belongs to the creator, sigaltstack(2).
    let keeps_alternate_stack = !plan.has(CLONE_VM) || plan.has(CLONE_VFORK);
    let no_stack = SigStack { flags: SS_DISABLE, ..SigStack::default() };
    let thread = Thread {
        tid,
        process,
        state: ThreadState::Runnable,
        registers,
        call: None,
        operation: None,
        deadline_timer: None,
        signals: SignalState { blocked: own.signals.blocked, ..SignalState::default() },
        alternate_stack: if keeps_alternate_stack { own.alternate_stack } else { no_stack },
        fault: (0, 0, 0),
        fd_table,
        fs_context,
        ipc_namespace,
        undo,
        credentials: set,
        name: own.name.clone(),
        clear_child_tid: if plan.has(CLONE_CHILD_CLEARTID) { plan.child_tid } else { 0 },
        robust_list: 0,
        rseq: if plan.has(CLONE_VM) { None } else { own.rseq },
        cpu,
        policy: own.policy.inherited(),
        place: Default::default(),
        memory_policy: own.memory_policy,
        io_priority: own.io_priority,
        instructions: 0,
        system_calls: 0,
        usage: Usage::default(),
        started: kernel.clock.now(),
    };
    let thread = kernel.threads.insert(thread);
    kernel.pids.threads.insert(tid, thread);
    kernel.processes[process].threads.push(thread);
    thread
}
