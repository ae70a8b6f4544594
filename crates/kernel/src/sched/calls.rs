//! The system calls on scheduling, sched(7): kept, checked and reported as on Linux.

use super::rank::{self, ROUND_ROBIN_NS};
use super::{Policy, deadline, online, rseq};
use crate::entry::Call;
use crate::process::{Process, Thread, permission};
use crate::syscalls::operation::{Flow, SysResult};
use crate::table::Id;
use crate::user::UserPtr;
use abi::resource::{CAP_SYS_ADMIN, CAP_SYS_NICE, RLIMIT_NICE, RLIMIT_RTPRIO};
use abi::sched::*;
use abi::time::Timespec;
use abi::{Errno, Error, Wire};

/// Slices of the usual classes: the default on one processor, and the least and longest that sched_setattr(2) sets.
const FAIR_SLICE_NS: u64 = 700_000;
const LEAST_SLICE_NS: u64 = 100_000;
const LONGEST_SLICE_NS: u64 = 100_000_000;
/// The unit of sched_rr_get_interval(2): a tick at 250 Hz.
const TICK_NS: u64 = 4_000_000;

/// sched_yield(2).
pub fn sched_yield(call: &mut Call) -> SysResult {
    call.kernel.scheduler.yield_now();
    Flow::OK
}

/// The thread that a call means: 0 is the caller.
fn meant(call: &Call, tid: i32) -> Result<Id<Thread>, Error> {
    if tid < 0 {
        return Err(Errno::EINVAL.because("`pid` is negative"));
    }
    if tid == 0 {
        return Ok(call.thread);
    }
    if permission::find_process(call.kernel, tid).is_ok_and(|process| call.kernel.processes[process].parent.is_none()) {
        return Err(Errno::EPERM.because("the machine's first process is not the caller's"));
    }
    permission::find_thread(call.kernel, tid)
}

/// The same for the calls about affinity, to which a negative number is one that nobody has.
fn whose_affinity(call: &Call, tid: i32) -> Result<Id<Thread>, Error> {
    if tid < 0 {
        return Err(Errno::ESRCH.because("no thread has a negative number"));
    }
    meant(call, tid)
}

/// sched_getscheduler(2).
pub fn sched_getscheduler(call: &mut Call, tid: i32) -> SysResult {
    let thread = meant(call, tid)?;
    let policy = call.kernel.threads[thread].policy;
    Ok(Flow::Done((policy.class | if policy.reset_on_fork { SCHED_RESET_ON_FORK } else { 0 }) as u64))
}

/// sched_setscheduler(2).
pub fn sched_setscheduler(call: &mut Call, tid: i32, class: i32, priority: UserPtr<i32>) -> SysResult {
    if class < 0 || priority.is_null() {
        return Err(Errno::EINVAL.because("`policy` is negative, or `param` is null"));
    }
    let priority = call.read(priority)?;
    let thread = meant(call, tid)?;
    let reset_on_fork = class & SCHED_RESET_ON_FORK != 0;
    let old = call.kernel.threads[thread].policy;
    let class = class & !SCHED_RESET_ON_FORK;
    change(call, thread, Policy { class, priority, reset_on_fork, deadline: deadline::Parameters::default(), ..old })
}

/// sched_setparam(2).
pub fn sched_setparam(call: &mut Call, tid: i32, priority: UserPtr<i32>) -> SysResult {
    if priority.is_null() {
        return Err(Errno::EINVAL.because("`param` is null"));
    }
    let priority = call.read(priority)?;
    let thread = meant(call, tid)?;
    let old = call.kernel.threads[thread].policy;
    change(call, thread, Policy { priority, deadline: deadline::Parameters::default(), ..old })
}

/// sched_getparam(2).
pub fn sched_getparam(call: &mut Call, tid: i32, to: UserPtr<i32>) -> SysResult {
    if to.is_null() {
        return Err(Errno::EINVAL.because("`param` is null"));
    }
    let thread = meant(call, tid)?;
    let priority = call.kernel.threads[thread].policy.priority;
    call.write(to, &priority)?;
    Flow::OK
}

/// Whether there is such a class and it has such a priority.
fn check_class(new: &Policy) -> Result<(), Error> {
    let is_valid = match new.class {
        SCHED_FIFO | SCHED_RR => (1..=99).contains(&new.priority),
        SCHED_OTHER | SCHED_BATCH | SCHED_IDLE => new.priority == 0,
        SCHED_DEADLINE => new.priority == 0 && new.deadline.runtime_ns > 0,
        _ => false,
    };
    if !is_valid {
        return Err(Errno::EINVAL.because("there is no such policy, or it has no such priority"));
    }
    Ok(())
}

/// Changes class and priority. Linux `__sched_setscheduler`, `user_check_sched_setscheduler`.
fn change(call: &mut Call, thread: Id<Thread>, new: Policy) -> SysResult {
    check_class(&new)?;
    let old = call.kernel.threads[thread].policy;
    if !call.has_capability(CAP_SYS_NICE) {
        permission::may_schedule(call, thread)?;
        let limits = &call.kernel.processes[call.kernel.threads[thread].process].limits;
        let most = limits.soft(RLIMIT_RTPRIO);
        let refused = Err(Errno::EPERM.because("the priority needs CAP_SYS_NICE or a higher RLIMIT_RTPRIO"));
        if rank::is_ranked(new.class) {
            let is_new_class = new.class != old.class;
            if new.class == SCHED_DEADLINE
                || is_new_class && most == 0
                || new.priority > old.priority && new.priority as u64 > most
            {
                return refused;
            }
        }
        let leaves_idle = old.class == SCHED_IDLE && new.class != SCHED_IDLE;
        if leaves_idle && !is_nice_permitted(limits.soft(RLIMIT_NICE), old.nice) {
            return refused;
        }
        if old.reset_on_fork && !new.reset_on_fork {
            return refused;
        }
    }
    if new.class == SCHED_DEADLINE {
        deadline::admit(call, thread, &new.deadline)?;
    }
    call.kernel.threads[thread].policy = new;
    if rank::is_ranked(old.class) || rank::is_ranked(new.class) {
        rank::changed(call.kernel, thread, old.priority);
    }
    if new.class == SCHED_DEADLINE && (old.class != SCHED_DEADLINE || new.deadline != old.deadline) {
        deadline::begin(call.kernel, thread);
    }
    Flow::OK
}

/// RLIMIT_NICE counts from 1 for nice 19 to 40 for nice -20.
fn is_nice_permitted(limit: u64, nice: i32) -> bool {
    (20 - nice) as u64 <= limit
}

/// sched_get_priority_max(2).
pub fn sched_get_priority_max(_call: &mut Call, class: i32) -> SysResult {
    priority_bound(class, 99)
}

/// sched_get_priority_min(2).
pub fn sched_get_priority_min(_call: &mut Call, class: i32) -> SysResult {
    priority_bound(class, 1)
}

fn priority_bound(class: i32, real_time: u64) -> SysResult {
    match class {
        SCHED_FIFO | SCHED_RR => Ok(Flow::Done(real_time)),
        SCHED_OTHER | SCHED_BATCH | SCHED_IDLE | SCHED_DEADLINE => Flow::OK,
        _ => Err(Errno::EINVAL.because("there is no such policy")),
    }
}

/// sched_rr_get_interval(2).
pub fn sched_rr_get_interval(call: &mut Call, tid: i32, to: UserPtr<Timespec>) -> SysResult {
    let thread = meant(call, tid)?;
    let nanoseconds = match call.kernel.threads[thread].policy.class {
        SCHED_RR => ROUND_ROBIN_NS,
        SCHED_FIFO | SCHED_DEADLINE => 0,
        _ => slice(call, thread) / TICK_NS * TICK_NS,
    };
    call.write(to, &Timespec { seconds: 0, nanoseconds: nanoseconds.cast_signed() })?;
    Flow::OK
}

/// The slice of a thread in one of the usual classes, as it asked for or as the number of processors says.
fn slice(call: &Call, thread: Id<Thread>) -> u64 {
    match call.kernel.threads[thread].policy.slice_ns {
        0 => FAIR_SLICE_NS * (1 + u64::from(call.kernel.configuration.cpus.clamp(1, 8).ilog2())),
        slice => slice,
    }
}

/// sched_setaffinity(2).
pub fn sched_setaffinity(call: &mut Call, tid: i32, size: u32, mask: u64) -> SysResult {
    let mut bytes = [0; 8];
    let length = (size as usize).min(bytes.len());
    call.copy_in(mask, &mut bytes[..length])?;
    let thread = whose_affinity(call, tid)?;
    permission::may_schedule(call, thread)?;
    let affinity = u64::from_le_bytes(bytes) & online(call.kernel);
    if affinity == 0 {
        return Err(Errno::EINVAL.because("the set has no processor of this machine"));
    }
    if call.kernel.threads[thread].policy.class == SCHED_DEADLINE && affinity != online(call.kernel) {
        return Err(Errno::EBUSY.because("a thread in `SCHED_DEADLINE` may run on all processors"));
    }
    call.kernel.scheduler.reconsider();
    let target = &mut call.kernel.threads[thread];
    target.policy.affinity = affinity;
    if affinity & 1 << target.cpu == 0 {
        target.cpu = affinity.trailing_zeros();
        // Seen when the thread looks next; a damaged area is its own affair.
        let _ = rseq::publish(&mut call.as_thread(thread));
    }
    Flow::OK
}

/// sched_getaffinity(2).
pub fn sched_getaffinity(call: &mut Call, tid: i32, size: u32, mask: u64) -> SysResult {
    if u64::from(size) * 8 < u64::from(call.kernel.configuration.cpus) || !size.is_multiple_of(8) {
        return Err(Errno::EINVAL.because("the set is too small, or no multiple of 8 bytes"));
    }
    let thread = whose_affinity(call, tid)?;
    let affinity = call.kernel.threads[thread].policy.affinity & online(call.kernel);
    call.copy_out(mask, &affinity.to_le_bytes())?;
    Ok(Flow::Done(8))
}

/// sched_getattr(2).
pub fn sched_getattr(call: &mut Call, tid: i32, to: u64, size: u32, flags: u32) -> SysResult {
    if flags != 0 || to == 0 || !(SCHED_ATTR_SIZE_VER0..=4096).contains(&size) {
        return Err(Errno::EINVAL.because("`attr` is null, `flags` is not 0, or `size` is impossible"));
    }
    let thread = meant(call, tid)?;
    let policy = call.kernel.threads[thread].policy;
    let length = (size as usize).min(SchedAttr::SIZE);
    let attributes = SchedAttr {
        size: length as u32,
        policy: policy.class as u32,
        flags: policy.deadline.flags | if policy.reset_on_fork { SCHED_FLAG_RESET_ON_FORK } else { 0 },
        nice: if rank::is_ranked(policy.class) { 0 } else { policy.nice },
        priority: policy.priority as u32,
        runtime_ns: match policy.class {
            SCHED_DEADLINE => policy.deadline.runtime_ns,
            SCHED_FIFO | SCHED_RR => 0,
            _ => slice(call, thread),
        },
        deadline_ns: policy.deadline.deadline_ns,
        period_ns: policy.deadline.period_ns,
        util_min: 0,
        util_max: 0,
    };
    call.copy_out(to, &attributes.to_bytes()[..length])?;
    Flow::OK
}

/// sched_setattr(2).
pub fn sched_setattr(call: &mut Call, tid: i32, from: u64, flags: u32) -> SysResult {
    if flags != 0 || from == 0 {
        return Err(Errno::EINVAL.because("`attr` is null, or `flags` is not 0"));
    }
    let size: u32 = call.read(UserPtr::new(from))?;
    let size = if size == 0 { SCHED_ATTR_SIZE_VER0 } else { size };
    if !(SCHED_ATTR_SIZE_VER0..=4096).contains(&size) {
        call.write(UserPtr::new(from), &(SchedAttr::SIZE as u32))?;
        return Err(Errno::E2BIG.because("`size` is impossible; the known one is stored there"));
    }
    let mut bytes = vec![0; (size as usize).max(SchedAttr::SIZE)];
    call.copy_in(from, &mut bytes[..size as usize])?;
    if bytes[SchedAttr::SIZE..].iter().any(|byte| *byte != 0) {
        call.write(UserPtr::new(from), &(SchedAttr::SIZE as u32))?;
        return Err(Errno::E2BIG.because("fields behind the known ones are not 0"));
    }
    let asked = SchedAttr::read(&bytes[..SchedAttr::SIZE]);
    if asked.flags & !SCHED_FLAG_ALL != 0 || (asked.policy as i32) < 0 {
        return Err(Errno::EINVAL.because("there is no such policy or flag"));
    }
    let thread = meant(call, tid)?;
    let old = call.kernel.threads[thread].policy;
    let class = if asked.flags & SCHED_FLAG_KEEP_POLICY != 0 { old.class } else { asked.policy as i32 };
    let mut new = Policy { class, reset_on_fork: asked.flags & SCHED_FLAG_RESET_ON_FORK != 0, ..old };
    if asked.flags & SCHED_FLAG_KEEP_PARAMS == 0 {
        new.priority = asked.priority as i32;
        (new.deadline, new.slice_ns) = Default::default();
        match class {
            SCHED_DEADLINE => {
                let flags = asked.flags & (SCHED_FLAG_RECLAIM | SCHED_FLAG_DL_OVERRUN);
                new.deadline = deadline::Parameters::new(&asked, flags)?;
                if flags & SCHED_FLAG_RECLAIM != 0 {
                    call.kernel.unsupported("reclaiming processor time that others leave (SCHED_FLAG_RECLAIM)");
                }
            }
            SCHED_FIFO | SCHED_RR => {}
            _ => {
                new.nice = asked.nice.clamp(-20, 19);
                if asked.runtime_ns != 0 {
                    new.slice_ns = asked.runtime_ns.clamp(LEAST_SLICE_NS, LONGEST_SLICE_NS);
                }
            }
        }
    }
    if new.nice < old.nice {
        may_be_nicer(call, thread, new.nice, Errno::EPERM)?;
    }
    check_class(&new)?;
    if asked.flags & (SCHED_FLAG_UTIL_CLAMP_MIN | SCHED_FLAG_UTIL_CLAMP_MAX) != 0 {
        return Err(Errno::EOPNOTSUPP.because("the kernel does not clamp utilisation"));
    }
    change(call, thread, new)
}

fn may_be_nicer(call: &Call, thread: Id<Thread>, nice: i32, errno: Errno) -> Result<(), Error> {
    let limits = &call.kernel.processes[call.kernel.threads[thread].process].limits;
    if call.has_capability(CAP_SYS_NICE) || is_nice_permitted(limits.soft(RLIMIT_NICE), nice) {
        return Ok(());
    }
    Err(errno.because("a lower nice value needs CAP_SYS_NICE or a higher RLIMIT_NICE"))
}

/// The threads that getpriority(2), setpriority(2) and ioprio_set(2) mean by kind and number.
fn selected(call: &Call, kind: Kind, who: i32) -> Vec<Id<Thread>> {
    let kernel = &*call.kernel;
    let of_processes = |processes: &[Id<Process>]| {
        processes.iter().flat_map(|process| kernel.processes[*process].threads.clone()).collect()
    };
    match kind {
        Kind::Thread if who == 0 => vec![call.thread],
        Kind::Thread => kernel.pids.threads.get(&who).copied().into_iter().collect(),
        Kind::Group if who == 0 => of_processes(kernel.pids.members(kernel.processes[call.process_id()].group)),
        Kind::Group => of_processes(kernel.pids.members(who)),
        Kind::User => {
            let uid = if who == 0 { call.credentials().uid } else { who as u32 };
            let of_user = |thread: &Id<Thread>| kernel.credentials[kernel.threads[*thread].credentials].uid == uid;
            kernel.pids.threads.values().copied().filter(of_user).collect()
        }
    }
}

/// What a number names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Thread,
    Group,
    User,
}

fn priority_kind(which: i32) -> Result<Kind, Error> {
    match which {
        PRIO_PROCESS => Ok(Kind::Thread),
        PRIO_PGRP => Ok(Kind::Group),
        PRIO_USER => Ok(Kind::User),
        _ => Err(Errno::EINVAL.because("`which` is unknown")),
    }
}

fn nobody() -> Error {
    Errno::ESRCH.because("there is no such thread, group or user")
}

/// getpriority(2): 20 minus the nice value.
pub fn getpriority(call: &mut Call, which: i32, who: i32) -> SysResult {
    let threads = selected(call, priority_kind(which)?, who);
    let lowest = threads.iter().map(|thread| call.kernel.threads[*thread].policy.nice).min();
    Ok(Flow::Done((20 - lowest.ok_or(nobody())?) as u64))
}

/// setpriority(2).
pub fn setpriority(call: &mut Call, which: i32, who: i32, nice: i32) -> SysResult {
    let threads = selected(call, priority_kind(which)?, who);
    if threads.is_empty() {
        return Err(nobody());
    }
    let nice = nice.clamp(-20, 19);
    let mut result = Flow::OK;
    for thread in threads {
        let is_nicer = nice < call.kernel.threads[thread].policy.nice;
        let checked = permission::may_schedule(call, thread)
            .and_then(|()| if is_nicer { may_be_nicer(call, thread, nice, Errno::EACCES) } else { Ok(()) });
        match checked {
            Ok(()) => call.kernel.threads[thread].policy.nice = nice,
            Err(error) => result = Err(error),
        }
    }
    result
}

/// ioprio_get(2), ioprio_set(2): `IOPRIO_WHO_`.
fn io_kind(which: i32) -> Result<Kind, Error> {
    match which {
        1 => Ok(Kind::Thread),
        2 => Ok(Kind::Group),
        3 => Ok(Kind::User),
        _ => Err(Errno::EINVAL.because("`which` is unknown")),
    }
}

/// ioprio_get(2).
pub fn ioprio_get(call: &mut Call, which: i32, who: i32) -> SysResult {
    let threads = selected(call, io_kind(which)?, who);
    let best = threads.iter().map(|thread| call.kernel.threads[*thread].io_priority).min();
    Ok(Flow::Done(best.ok_or(nobody())? as u64))
}

/// ioprio_set(2). Kept; nothing competes for input and output here.
pub fn ioprio_set(call: &mut Call, which: i32, who: i32, priority: i32) -> SysResult {
    const REAL_TIME: i32 = 1;
    let (class, level) = (priority >> 13 & 7, priority & 7);
    if !(0..=3).contains(&class) || class == 0 && level != 0 {
        return Err(Errno::EINVAL.because("there is no such class or level"));
    }
    if class == REAL_TIME && !call.has_capability(CAP_SYS_ADMIN) && !call.has_capability(CAP_SYS_NICE) {
        return Err(Errno::EPERM.because("the real-time class needs CAP_SYS_ADMIN or CAP_SYS_NICE"));
    }
    let threads = selected(call, io_kind(which)?, who);
    if threads.is_empty() {
        return Err(nobody());
    }
    for thread in threads {
        permission::may_schedule(call, thread)?;
        call.kernel.threads[thread].io_priority = priority;
    }
    Flow::OK
}

/// getcpu(2).
pub fn getcpu(call: &mut Call, cpu: UserPtr<u32>, node: UserPtr<u32>) -> SysResult {
    let own = call.current().cpu;
    call.write_if_given(cpu, &own)?;
    call.write_if_given(node, &0)?;
    Flow::OK
}
