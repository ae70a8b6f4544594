//! Waiting for children, wait(2).

/// Do not wait.
pub const WNOHANG: i32 = 1;
/// Report stopped children too (wait4).
pub const WUNTRACED: i32 = 2;
/// Report stopped children (waitid).
pub const WSTOPPED: i32 = 2;
/// Report children that ended (waitid).
pub const WEXITED: i32 = 4;
/// Report children that continued.
pub const WCONTINUED: i32 = 8;
/// Leave the child in its state (waitid).
pub const WNOWAIT: i32 = 0x0100_0000;
/// Do not wait for children of other threads of the process.
pub const WNOTHREAD: i32 = 0x2000_0000;
/// Wait for all children, whatever their exit signal.
pub const WALL: i32 = 0x4000_0000;
/// Wait only for children whose exit signal is not SIGCHLD.
pub const WCLONE: i32 = i32::MIN;

/// waitid(2): any child.
pub const P_ALL: i32 = 0;
/// waitid(2): the child with this number.
pub const P_PID: i32 = 1;
/// waitid(2): children of a process group.
pub const P_PGID: i32 = 2;
/// waitid(2): the child behind a descriptor.
pub const P_PIDFD: i32 = 3;

/// The status of a process that called exit(2), as wait(2) encodes it.
pub fn exited(status: i32) -> i32 {
    (status & 0xff) << 8
}

/// The status of a process that a signal killed.
pub fn killed(signal: i32, dumped_core: bool) -> i32 {
    signal & 0x7f | if dumped_core { 0x80 } else { 0 }
}

/// The status of a process that a signal stopped.
pub fn stopped(signal: i32) -> i32 {
    (signal & 0xff) << 8 | 0x7f
}

/// The status of a process that continued.
pub const CONTINUED: i32 = 0xffff;
