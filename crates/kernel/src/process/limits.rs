//! Resource limits, getrlimit(2).

use abi::resource::{
    RLIM_INFINITY, RLIM_NLIMITS, RLIMIT_CORE, RLIMIT_MEMLOCK, RLIMIT_MSGQUEUE, RLIMIT_NICE, RLIMIT_NOFILE,
    RLIMIT_NPROC, RLIMIT_RTPRIO, RLIMIT_SIGPENDING, RLIMIT_STACK, Rlimit,
};

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
