//! Descriptors: small numbers for open file descriptions.

use crate::fs::FileDescription;
use crate::table::Id;

/// A file descriptor as the guest names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fd(pub i32);

impl Fd {
    /// `AT_FDCWD`: the working directory, openat(2).
    pub const WORKING_DIRECTORY: Fd = Fd(-100);
}

/// What a descriptor refers to, and its own flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FdEntry {
    /// The open file.
    pub file: Id<FileDescription>,
    /// `FD_CLOEXEC`: closed by execve(2).
    pub close_on_exec: bool,
}

/// The descriptors of one or several threads, indexed by number.
#[derive(Clone, Debug, Default)]
pub struct FdTable {
    entries: Vec<Option<FdEntry>>,
    /// Threads that use it.
    pub references: u32,
}

impl FdTable {
    /// What `fd` refers to.
    pub fn get(&self, fd: Fd) -> Option<FdEntry> {
        *self.entries.get(usize::try_from(fd.0).ok()?)?
    }

    /// Puts an entry at the lowest free number that is at least `lowest`; `None` if that would reach `limit`.
    pub fn insert(&mut self, entry: FdEntry, lowest: usize, limit: usize) -> Option<Fd> {
        let number = (lowest..limit).find(|number| self.entries.get(*number).is_none_or(Option::is_none))?;
        self.set(number, Some(entry));
        Some(Fd(number as i32))
    }

    /// Puts an entry at a number of the caller's choice, or empties it; what was there. The caller has checked the
    /// number against RLIMIT_NOFILE.
    pub fn set(&mut self, number: usize, entry: Option<FdEntry>) -> Option<FdEntry> {
        if number >= self.entries.len() {
            self.entries.resize(number + 1, None);
        }
        std::mem::replace(&mut self.entries[number], entry)
    }

    /// How many numbers there are slots for: `FDSize` in `/proc/PID/status`.
    pub fn size(&self) -> usize {
        self.entries.len().next_multiple_of(64).max(64).next_power_of_two()
    }

    /// One more than the highest descriptor that was ever open.
    pub fn capacity(&self) -> usize {
        self.entries.len()
    }

    /// All open descriptors in order.
    pub fn iter(&self) -> impl Iterator<Item = (Fd, FdEntry)> + '_ {
        self.entries.iter().enumerate().filter_map(|(number, entry)| entry.map(|entry| (Fd(number as i32), entry)))
    }
}
