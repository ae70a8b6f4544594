//! Futexes, futex(2).

#![allow(missing_docs)] // Names as in the C headers; the man page says what they mean.

use crate::structure;

pub const FUTEX_WAIT: i32 = 0;
pub const FUTEX_WAKE: i32 = 1;
pub const FUTEX_FD: i32 = 2;
pub const FUTEX_REQUEUE: i32 = 3;
pub const FUTEX_CMP_REQUEUE: i32 = 4;
pub const FUTEX_WAKE_OP: i32 = 5;
pub const FUTEX_LOCK_PI: i32 = 6;
pub const FUTEX_UNLOCK_PI: i32 = 7;
pub const FUTEX_TRYLOCK_PI: i32 = 8;
pub const FUTEX_WAIT_BITSET: i32 = 9;
pub const FUTEX_WAKE_BITSET: i32 = 10;
pub const FUTEX_WAIT_REQUEUE_PI: i32 = 11;
pub const FUTEX_CMP_REQUEUE_PI: i32 = 12;
pub const FUTEX_LOCK_PI2: i32 = 13;
pub const FUTEX_PRIVATE_FLAG: i32 = 128;
pub const FUTEX_CLOCK_REALTIME: i32 = 256;

/// Somebody waits in the kernel.
pub const FUTEX_WAITERS: u32 = 0x8000_0000;
/// The owner ended without unlocking.
pub const FUTEX_OWNER_DIED: u32 = 0x4000_0000;
/// The owner's thread number.
pub const FUTEX_TID_MASK: u32 = 0x3fff_ffff;
/// Entries of a robust list that the kernel looks at.
pub const ROBUST_LIST_LIMIT: usize = 2048;
/// futex_waitv(2): most futexes.
pub const FUTEX_WAITV_MAX: u32 = 128;
/// futex2 flag: 32-bit futex.
pub const FUTEX2_SIZE_U32: u32 = 2;
/// futex2 flag: private to the process.
pub const FUTEX2_PRIVATE: u32 = 128;

structure! {
    /// set_robust_list(2) `struct robust_list_head`.
    pub struct RobustListHead {
        pub next: u64,
        pub futex_offset: i64,
        pub pending: u64,
    }
}

structure! {
    /// futex_waitv(2) `struct futex_waitv`.
    pub struct FutexWaiter {
        pub value: u64,
        pub address: u64,
        pub flags: u32,
        pub _reserved: u32,
    }
}
