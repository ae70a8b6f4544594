//! epoll(7): operations, flags, `struct epoll_event`. Event bits are those of [`crate::poll`].

crate::structure! {
    /// epoll_ctl(2), `struct epoll_event`: packed on x86-64.
    pub struct EpollEvent {
        /// Event bits and flags.
        pub events: u32,
        /// The program's own.
        pub data: u64,
    }
}

/// Register an interest.
pub const EPOLL_CTL_ADD: i32 = 1;
/// Remove an interest.
pub const EPOLL_CTL_DEL: i32 = 2;
/// Change an interest.
pub const EPOLL_CTL_MOD: i32 = 3;

/// Wake one of several sets only.
pub const EPOLLEXCLUSIVE: u32 = 1 << 28;
/// Keep the system awake; no effect here, as without `CAP_BLOCK_SUSPEND`.
pub const EPOLLWAKEUP: u32 = 1 << 29;
/// Disable the interest after one event.
pub const EPOLLONESHOT: u32 = 1 << 30;
/// Report changes only.
pub const EPOLLET: u32 = 1 << 31;

/// epoll_create1(2): close on exec.
pub const EPOLL_CLOEXEC: i32 = 0o2000000;
