//! Arguments: how a register becomes a typed value, and how strace shows it.

use crate::fs::Fd;
use crate::kernel::Kernel;
use crate::process::Thread;
use crate::table::Id;
use crate::user::{UserCStr, UserPtr, UserSlice};

/// A look at a thread's memory without any effect on it, for those who show calls.
#[derive(Clone, Copy)]
pub struct Peek<'a> {
    /// The kernel.
    pub kernel: &'a Kernel,
    /// Whose memory.
    pub thread: Id<Thread>,
}

impl Peek<'_> {
    /// The bytes at `address` as far as they are in memory now, at most `limit`.
    pub fn bytes(&self, address: u64, limit: usize) -> Vec<u8> {
        let mut found = Vec::new();
        let Some(thread) = self.kernel.threads.get(self.thread) else { return found };
        let space = &self.kernel.spaces[self.kernel.processes[thread.process].space];
        while found.len() < limit {
            let Some(at) = address.checked_add(found.len() as u64) else { break };
            let entry = space.table.entry(&self.kernel.memory, at);
            if !entry.is_readable() {
                break;
            }
            let rest = &self.kernel.memory.bytes(entry.frame())[self.kernel.page_size().offset(at) as usize..];
            found.extend_from_slice(&rest[..rest.len().min(limit - found.len())]);
        }
        found
    }
}

/// A type that system call arguments can have.
pub trait Argument: Sized {
    /// Takes as many registers as the type needs.
    fn decode(registers: &mut std::slice::Iter<'_, u64>) -> Self;
    /// The value as strace shows it.
    fn show(&self, peek: Peek<'_>) -> String;
}

fn next(registers: &mut std::slice::Iter<'_, u64>) -> u64 {
    *registers.next().expect("a call has at most six argument registers")
}

macro_rules! integer_arguments {
    ($($type:ty)*) => {$(
        impl Argument for $type {
            fn decode(registers: &mut std::slice::Iter<'_, u64>) -> Self {
                // Linux looks at as many low bits as the C prototype's type has.
                next(registers) as $type
            }
            fn show(&self, _: Peek<'_>) -> String {
                self.to_string()
            }
        }
    )*};
}

integer_arguments!(i32 u32 i64 u64 usize);

impl Argument for Fd {
    fn decode(registers: &mut std::slice::Iter<'_, u64>) -> Self {
        Fd(next(registers) as i32)
    }
    fn show(&self, _: Peek<'_>) -> String {
        if *self == Fd::WORKING_DIRECTORY { "AT_FDCWD".to_string() } else { self.0.to_string() }
    }
}

impl<T> Argument for UserPtr<T> {
    fn decode(registers: &mut std::slice::Iter<'_, u64>) -> Self {
        UserPtr::new(next(registers))
    }
    fn show(&self, _: Peek<'_>) -> String {
        if self.is_null() { "NULL".to_string() } else { format!("{:#x}", self.address()) }
    }
}

impl Argument for UserSlice {
    fn decode(registers: &mut std::slice::Iter<'_, u64>) -> Self {
        UserSlice { address: next(registers), length: next(registers) }
    }
    fn show(&self, _: Peek<'_>) -> String {
        format!("{:#x}, {}", self.address, self.length)
    }
}

impl Argument for UserCStr {
    fn decode(registers: &mut std::slice::Iter<'_, u64>) -> Self {
        UserCStr(next(registers))
    }
    fn show(&self, peek: Peek<'_>) -> String {
        if self.0 == 0 {
            return "NULL".to_string();
        }
        let bytes = peek.bytes(self.0, 256);
        match bytes.iter().position(|byte| *byte == 0) {
            Some(end) => format!("\"{}\"", bytes[..end].escape_ascii()),
            None if bytes.is_empty() => format!("{:#x}", self.0),
            None => format!("\"{}\"...", bytes.escape_ascii()),
        }
    }
}
