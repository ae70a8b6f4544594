//! Resource limits, getrlimit(2).

use super::{Process, Thread, permission};
use crate::entry::Call;
use crate::kernel::Kernel;
use crate::ports::Chooser;
use crate::signal::{self, Target};
use crate::syscalls::operation::{Flow, SysResult};
use crate::table::Id;
use crate::time::SECOND_NS;
use crate::time::clocks::{self, ClockId};
use crate::time::cpu::CpuAlarm;
use crate::user::UserPtr;
use abi::resource::{
    CAP_SYS_RESOURCE, RLIM_INFINITY, RLIM_NLIMITS, RLIMIT_CORE, RLIMIT_CPU, RLIMIT_MEMLOCK, RLIMIT_MSGQUEUE,
    RLIMIT_NICE, RLIMIT_NOFILE, RLIMIT_NPROC, RLIMIT_RTPRIO, RLIMIT_SIGPENDING, RLIMIT_STACK, Rlimit,
};
use abi::signal::{SIGKILL, SIGXCPU, SigInfo};
use abi::{Errno, Error};

/// The limits of one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits([Rlimit; RLIM_NLIMITS]);

impl Limits {
    /// Those of Linux's first process (`INIT_RLIMITS`), with the number of threads and signals that a machine with
    /// `memory_bytes` permits (`fork_init` in kernel/fork.c: an eighth of memory in kernel stacks of 16 KiB, half of it
    /// for one user).
    pub fn initial(memory_bytes: u64) -> Limits {
        let threads = (memory_bytes / (8 * 16384)).max(20) / 2;
        let mut limits = [Rlimit { current: RLIM_INFINITY, maximum: RLIM_INFINITY }; RLIM_NLIMITS];
        let mut set = |resource: usize, current: u64, maximum: u64| limits[resource] = Rlimit { current, maximum };
        set(RLIMIT_STACK, 8 << 20, RLIM_INFINITY);
        set(RLIMIT_CORE, 0, RLIM_INFINITY);
        set(RLIMIT_NPROC, threads, threads);
        set(RLIMIT_NOFILE, 1024, 1 << 20);
        set(RLIMIT_MEMLOCK, 8 << 20, 8 << 20);
        set(RLIMIT_SIGPENDING, threads, threads);
        set(RLIMIT_MSGQUEUE, 819_200, 819_200);
        set(RLIMIT_NICE, 0, 0);
        set(RLIMIT_RTPRIO, 0, 0);
        Limits(limits)
    }

    /// The limits of a resource (`RLIMIT_...`).
    pub fn get(&self, resource: usize) -> Rlimit {
        self.0[resource]
    }

    /// The soft limit of a resource (`RLIMIT_...`), which is the one that binds.
    pub fn soft(&self, resource: usize) -> u64 {
        self.0[resource].current
    }

    /// Sets both limits of a resource.
    pub(crate) fn set(&mut self, resource: usize, limit: Rlimit) {
        self.0[resource] = limit;
    }
}

fn check(resource: u32) -> Result<usize, Error> {
    let resource = resource as usize;
    if resource < RLIM_NLIMITS { Ok(resource) } else { Err(Errno::EINVAL.because("there is no such resource")) }
}

/// getrlimit(2).
pub fn getrlimit(call: &mut Call, resource: u32, to: UserPtr<Rlimit>) -> SysResult {
    let limit = call.process().limits.get(check(resource)?);
    call.write(to, &limit)?;
    Flow::OK
}

/// setrlimit(2).
pub fn setrlimit(call: &mut Call, resource: u32, from: UserPtr<Rlimit>) -> SysResult {
    let new = call.read(from)?;
    let process = call.process_id();
    change(call, process, check(resource)?, new)?;
    Flow::OK
}

/// prlimit(2).
pub fn prlimit64(call: &mut Call, pid: i32, resource: u32, new: UserPtr<Rlimit>, old: UserPtr<Rlimit>) -> SysResult {
    let new = match new.given() {
        Some(new) => Some(call.read(new)?),
        None => None,
    };
    let process = if pid == 0 {
        call.process_id()
    } else {
        let thread = permission::find_thread(call.kernel, pid)?;
        may_limit(call, thread)?;
        call.kernel.threads[thread].process
    };
    let resource = check(resource)?;
    let before = call.kernel.processes[process].limits.get(resource);
    if let Some(new) = new {
        change(call, process, resource, new)?;
    }
    call.write_if_given(old, &before)?;
    Flow::OK
}

/// Whether the caller may look at and change a thread's limits, Linux `check_prlimit_permission`.
fn may_limit(call: &Call, thread: Id<Thread>) -> Result<(), Error> {
    let (own, other) = (call.credentials(), &call.kernel.credentials[call.kernel.threads[thread].credentials]);
    let is_same = [other.uid, other.euid, other.suid].iter().all(|uid| *uid == own.uid)
        && [other.gid, other.egid, other.sgid].iter().all(|gid| *gid == own.gid);
    if call.thread == thread || is_same || own.has_capability(CAP_SYS_RESOURCE) {
        return Ok(());
    }
    Err(Errno::EPERM.because("the process belongs to another user"))
}

fn change(call: &mut Call, process: Id<Process>, resource: usize, new: Rlimit) -> Result<(), Error> {
    if new.current > new.maximum {
        return Err(Errno::EINVAL.because("the soft limit is above the hard limit"));
    }
    let old = call.kernel.processes[process].limits.get(resource);
    if resource == RLIMIT_NOFILE && new.maximum > OPEN_MAX {
        return Err(Errno::EPERM.because("the limit is above /proc/sys/fs/nr_open"));
    }
    if new.maximum > old.maximum && !call.has_capability(CAP_SYS_RESOURCE) {
        return Err(Errno::EPERM.because("raising a hard limit needs CAP_SYS_RESOURCE"));
    }
    call.kernel.processes[process].limits.set(resource, new);
    if resource == RLIMIT_CPU {
        watch_cpu_time(call.kernel, process);
    }
    Ok(())
}

/// Sets the timer that `RLIMIT_CPU` needs, after a change of the limit or for a new process.
pub(crate) fn watch_cpu_time(kernel: &mut Kernel, process: Id<Process>) {
    let clock = ClockId::Process(process);
    match kernel.processes[process].limits.soft(RLIMIT_CPU) {
        RLIM_INFINITY => _ = kernel.cpu_timers.stop(clock, CpuAlarm::Limit),
        seconds => kernel.cpu_timers.start(clock, seconds.saturating_mul(SECOND_NS), CpuAlarm::Limit),
    }
}

/// A process has used what `RLIMIT_CPU` grants: SIGXCPU every second, at the hard limit SIGKILL. Linux
/// `check_process_timers`.
pub(crate) fn cpu_time_passed(kernel: &mut Kernel, chooser: &mut dyn Chooser, clock: ClockId) {
    let ClockId::Process(process) = clock else { return };
    let used = clocks::read(kernel, clock);
    let Some(limits) = kernel.processes.get_mut(process).map(|process| &mut process.limits) else { return };
    let limit = limits.get(RLIMIT_CPU);
    let is_over = |seconds: u64| seconds != RLIM_INFINITY && used >= seconds.saturating_mul(SECOND_NS);
    let signal = if is_over(limit.maximum) { SIGKILL } else { SIGXCPU };
    if signal == SIGXCPU {
        limits.set(RLIMIT_CPU, Rlimit { current: limit.current + 1, ..limit });
        watch_cpu_time(kernel, process);
    }
    signal::send(kernel, chooser, Target::Process(process), SigInfo::kernel(signal));
}

/// /proc/sys/fs/nr_open.
const OPEN_MAX: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_process_has_the_limits_of_linux() {
        let limits = Limits::initial(4 << 30);
        assert_eq!(limits.get(RLIMIT_STACK), Rlimit { current: 8 << 20, maximum: RLIM_INFINITY });
        assert_eq!(limits.soft(RLIMIT_NOFILE), 1024);
        assert_eq!(limits.soft(RLIMIT_NPROC), 16384);
    }
}
