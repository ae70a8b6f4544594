//! Scheduling, sched(7).

#![allow(missing_docs)] // Names as in the C headers; the man page says what they mean.

use crate::structure;

pub const SCHED_OTHER: i32 = 0;
pub const SCHED_FIFO: i32 = 1;
pub const SCHED_RR: i32 = 2;
pub const SCHED_BATCH: i32 = 3;
pub const SCHED_IDLE: i32 = 5;
pub const SCHED_DEADLINE: i32 = 6;
/// Children start with the default policy.
pub const SCHED_RESET_ON_FORK: i32 = 0x4000_0000;

/// sched_setattr(2): children start with the default policy.
pub const SCHED_FLAG_RESET_ON_FORK: u64 = 1;
pub const SCHED_FLAG_RECLAIM: u64 = 2;
pub const SCHED_FLAG_DL_OVERRUN: u64 = 4;
pub const SCHED_FLAG_UTIL_CLAMP_MIN: u64 = 0x20;
pub const SCHED_FLAG_UTIL_CLAMP_MAX: u64 = 0x40;
pub const SCHED_FLAG_ALL: u64 = 0x7f;
pub const SCHED_FLAG_KEEP_POLICY: u64 = 8;
pub const SCHED_FLAG_KEEP_PARAMS: u64 = 0x10;

structure! {
    /// sched_setattr(2) `struct sched_attr`.
    pub struct SchedAttr {
        pub size: u32,
        pub policy: u32,
        pub flags: u64,
        pub nice: i32,
        pub priority: u32,
        pub runtime_ns: u64,
        pub deadline_ns: u64,
        pub period_ns: u64,
        pub util_min: u32,
        pub util_max: u32,
    }
}

/// Size of the first published `struct sched_attr`.
pub const SCHED_ATTR_SIZE_VER0: u32 = 48;

pub const PRIO_PROCESS: i32 = 0;
pub const PRIO_PGRP: i32 = 1;
pub const PRIO_USER: i32 = 2;

structure! {
    /// rseq(2) `struct rseq`, as far as this kernel uses it.
    pub struct Rseq {
        pub cpu_id_start: u32,
        pub cpu_id: u32,
        /// Address of the critical section's description.
        pub critical_section: u64,
        pub flags: u32,
        pub node_id: u32,
        pub mm_cid: u32,
        pub _pad: u32,
    }
}

structure! {
    /// `struct rseq_cs`: a restartable sequence.
    pub struct RseqSection {
        pub version: u32,
        pub flags: u32,
        pub start: u64,
        pub length: u64,
        pub abort: u64,
    }
}
