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
///
/// # Invariants
/// - every number below `lowest_free` is in use.
#[derive(Clone, Debug, Default)]
pub struct FdTable {
    entries: Vec<Option<FdEntry>>,
    /// All numbers below are in use.
    lowest_free: usize,
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
        let from = lowest.max(self.lowest_free);
        let number = (from..limit).find(|number| self.entries.get(*number).is_none_or(Option::is_none))?;
        if from == self.lowest_free {
            self.lowest_free = number + 1;
        }
        self.set(number, Some(entry));
        Some(Fd(number as i32))
    }

    /// Puts an entry at a number of the caller's choice, or empties it; what was there. The caller has checked the
    /// number against RLIMIT_NOFILE.
    pub fn set(&mut self, number: usize, entry: Option<FdEntry>) -> Option<FdEntry> {
        if number >= self.entries.len() {
            self.entries.resize(number + 1, None);
        }
        if entry.is_none() {
            self.lowest_free = self.lowest_free.min(number);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_free_number_is_found_after_any_order_of_calls() {
        let (mut table, mut model) = (FdTable::default(), std::collections::BTreeSet::new());
        let entry = FdEntry { file: Id::numbered(1), close_on_exec: false };
        let mut state = 11u64;
        let mut random = |below: u64| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            ((state >> 33) % below) as usize
        };
        for _ in 0..5000 {
            let number = random(60);
            match random(3) {
                0 => {
                    table.set(number, None);
                    model.remove(&number);
                }
                1 => {
                    table.set(number, Some(entry));
                    model.insert(number);
                }
                _ => {
                    let lowest = [0, number][random(2)];
                    let expected = (lowest..50).find(|number| !model.contains(number));
                    assert_eq!(table.insert(entry, lowest, 50).map(|fd| fd.0 as usize), expected);
                    model.extend(expected);
                }
            }
            assert!((0..table.lowest_free).all(|number| model.contains(&number)));
        }
    }
}
