//! Small system calls on processes: their ends and their numbers.

use super::exit;
use crate::entry::Call;
use crate::syscalls::operation::{Flow, SysResult};

/// exit(2): the thread alone.
pub fn exit(call: &mut Call, status: i32) -> SysResult {
    exit::end_thread(call, abi::wait::exited(status));
    Ok(Flow::Ended)
}

/// exit_group(2).
pub fn exit_group(call: &mut Call, status: i32) -> SysResult {
    exit::exit_group(call, abi::wait::exited(status));
    Ok(Flow::Ended)
}

/// getpid(2).
pub fn getpid(call: &mut Call) -> SysResult {
    Ok(Flow::Done(call.process().pid as u64))
}

/// gettid(2).
pub fn gettid(call: &mut Call) -> SysResult {
    Ok(Flow::Done(call.current().tid as u64))
}

/// getppid(2).
pub fn getppid(call: &mut Call) -> SysResult {
    let parent = call.process().parent;
    Ok(Flow::Done(parent.map_or(0, |parent| call.kernel.processes[parent].pid as u64)))
}
