//! Limits and use of resources, getrlimit(2), getrusage(2), times(2), sysinfo(2), capabilities(7).

#![allow(missing_docs)] // Names as in the C headers; the man page says what they mean.

use crate::structure;

/// Processor time in seconds.
pub const RLIMIT_CPU: usize = 0;
/// Largest file in bytes.
pub const RLIMIT_FSIZE: usize = 1;
/// Data segment in bytes.
pub const RLIMIT_DATA: usize = 2;
/// Stack in bytes.
pub const RLIMIT_STACK: usize = 3;
/// Core file in bytes.
pub const RLIMIT_CORE: usize = 4;
/// Resident set; without effect.
pub const RLIMIT_RSS: usize = 5;
/// Processes of the user.
pub const RLIMIT_NPROC: usize = 6;
/// One more than the greatest descriptor.
pub const RLIMIT_NOFILE: usize = 7;
/// Locked memory in bytes.
pub const RLIMIT_MEMLOCK: usize = 8;
/// Address space in bytes.
pub const RLIMIT_AS: usize = 9;
/// File locks; without effect.
pub const RLIMIT_LOCKS: usize = 10;
/// Signals queued for the user.
pub const RLIMIT_SIGPENDING: usize = 11;
/// Bytes in POSIX message queues of the user.
pub const RLIMIT_MSGQUEUE: usize = 12;
/// Ceiling of the nice value.
pub const RLIMIT_NICE: usize = 13;
/// Ceiling of the real-time priority.
pub const RLIMIT_RTPRIO: usize = 14;
/// Real-time processor time in microseconds without a blocking call.
pub const RLIMIT_RTTIME: usize = 15;
/// How many resources there are.
pub const RLIM_NLIMITS: usize = 16;
/// No limit.
pub const RLIM_INFINITY: u64 = u64::MAX;

structure! {
    /// `struct rlimit64`.
    pub struct Rlimit {
        /// Soft limit.
        pub current: u64,
        /// Hard limit.
        pub maximum: u64,
    }
}

/// The calling process.
pub const RUSAGE_SELF: i32 = 0;
/// Its children that have been waited for.
pub const RUSAGE_CHILDREN: i32 = -1;
/// The calling thread.
pub const RUSAGE_THREAD: i32 = 1;

structure! {
    /// `struct rusage`.
    pub struct Rusage {
        pub user_seconds: i64,
        pub user_microseconds: i64,
        pub system_seconds: i64,
        pub system_microseconds: i64,
        /// Largest resident set in KiB.
        pub max_resident_kib: i64,
        pub ixrss: i64,
        pub idrss: i64,
        pub isrss: i64,
        pub minor_faults: i64,
        pub major_faults: i64,
        pub swaps: i64,
        pub blocks_in: i64,
        pub blocks_out: i64,
        pub messages_sent: i64,
        pub messages_received: i64,
        pub signals: i64,
        pub voluntary_switches: i64,
        pub involuntary_switches: i64,
    }
}

structure! {
    /// times(2) `struct tms`, in clock ticks.
    pub struct Tms {
        pub user: i64,
        pub system: i64,
        pub children_user: i64,
        pub children_system: i64,
    }
}

structure! {
    /// sysinfo(2) `struct sysinfo`.
    pub struct Sysinfo {
        pub uptime_seconds: i64,
        /// 1, 5 and 15 minute averages, scaled by 65536.
        pub loads: [u64; 3],
        pub total_ram: u64,
        pub free_ram: u64,
        pub shared_ram: u64,
        pub buffer_ram: u64,
        pub total_swap: u64,
        pub free_swap: u64,
        pub processes: u16,
        pub _pad: [u8; 6],
        pub total_high: u64,
        pub free_high: u64,
        /// Unit of the sizes in bytes.
        pub memory_unit: u32,
        pub _pad_end: u32,
    }
}

/// `_LINUX_CAPABILITY_VERSION_1`: one 32-bit set each.
pub const CAPABILITY_VERSION_1: u32 = 0x1998_0330;
/// `_LINUX_CAPABILITY_VERSION_2`: deprecated, two 32-bit sets each.
pub const CAPABILITY_VERSION_2: u32 = 0x2007_1026;
/// `_LINUX_CAPABILITY_VERSION_3`: two 32-bit sets each.
pub const CAPABILITY_VERSION_3: u32 = 0x2008_0522;
/// Choose numbers of processes and of System V objects.
pub const CAP_CHECKPOINT_RESTORE: u32 = 40;
/// The highest capability, `CAP_CHECKPOINT_RESTORE`.
pub const CAP_LAST: u32 = 40;
/// All capabilities.
pub const CAP_FULL: u64 = (1 << (CAP_LAST + 1)) - 1;
pub const CAP_CHOWN: u32 = 0;
pub const CAP_DAC_OVERRIDE: u32 = 1;
pub const CAP_DAC_READ_SEARCH: u32 = 2;
pub const CAP_FOWNER: u32 = 3;
pub const CAP_FSETID: u32 = 4;
pub const CAP_KILL: u32 = 5;
/// capabilities(7): take leases on others' files.
pub const CAP_LEASE: u32 = 28;
pub const CAP_SETGID: u32 = 6;
pub const CAP_SETUID: u32 = 7;
pub const CAP_SETPCAP: u32 = 8;
pub const CAP_LINUX_IMMUTABLE: u32 = 9;
pub const CAP_NET_BIND_SERVICE: u32 = 10;
pub const CAP_NET_ADMIN: u32 = 12;
pub const CAP_NET_RAW: u32 = 13;
pub const CAP_IPC_LOCK: u32 = 14;
pub const CAP_IPC_OWNER: u32 = 15;
pub const CAP_SYS_CHROOT: u32 = 18;
pub const CAP_SYS_RAWIO: u32 = 17;
/// Look into any process.
pub const CAP_SYS_PTRACE: u32 = 19;
pub const CAP_SYS_ADMIN: u32 = 21;
pub const CAP_SYS_BOOT: u32 = 22;
pub const CAP_SYS_NICE: u32 = 23;
pub const CAP_SYS_RESOURCE: u32 = 24;
pub const CAP_SYS_TIME: u32 = 25;
pub const CAP_SYS_TTY_CONFIG: u32 = 26;
pub const CAP_MKNOD: u32 = 27;
pub const CAP_WAKE_ALARM: u32 = 35;

structure! {
    /// capget(2) `struct __user_cap_header_struct`.
    pub struct CapabilityHeader {
        pub version: u32,
        pub pid: i32,
    }
}

structure! {
    /// capget(2) `struct __user_cap_data_struct`.
    pub struct CapabilityData {
        pub effective: u32,
        pub permitted: u32,
        pub inheritable: u32,
    }
}
