//! Locks on files: POSIX record locks and open file description locks, fcntl(2); locks of whole files, flock(2).
//!
//! Record locks belong to a process (as on Linux: to its descriptor table) or to an open file description; the two kinds
//! exclude each other. Locks of flock(2) are a world of their own. Locks go when their owner lets them, closes the file
//! or ends; whoever sleeps on the file's [`WaitKey::FileLock`] looks again.

use super::description::{FileDescription, FileObject};
use super::fd_table::FdTable;
use super::inode::Inode;
use super::leases::{self, Lease};
use crate::entry::Call;
use crate::kernel::Kernel;
use crate::process::{Thread, ThreadState};
use crate::syscalls::operation::{Blocking, Interrupted, Operation, Step};
use crate::table::Id;
use crate::wait::{Wait, WaitKey};
use abi::{Errno, Error};

/// Longest chain of waiting owners that is searched for a deadlock, as in `posix_locks_deadlock` of Linux's fs/locks.c.
const MAX_CHAIN: usize = 10;

/// The locks on an inode.
///
/// # Invariants
/// - an owner's record locks are disjoint and sorted, and those of one mode do not touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Locks {
    /// Record locks.
    pub records: Vec<RecordLock>,
    /// flock(2) locks.
    pub whole: Vec<WholeLock>,
    /// Leases, in the order in which they were taken.
    pub leases: Vec<Lease>,
}

/// A lock of flock(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WholeLock {
    /// Through which description it was taken, and lives.
    pub file: Id<FileDescription>,
    /// Shared or exclusive.
    pub mode: Mode,
    /// The number of the process that took it.
    pub pid: i32,
}

/// Whether others may hold the lock too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Others may, in this mode.
    Shared,
    /// Nobody else may.
    Exclusive,
}

/// Who holds a record lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// The process with this descriptor table.
    Process(Id<FdTable>),
    /// An open file description: `F_OFD_SETLK`.
    Description(Id<FileDescription>),
}

/// A lock on bytes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordLock {
    /// Who holds it.
    pub owner: Owner,
    /// The number of the process that took it; -1 for a description's.
    pub pid: i32,
    /// Shared or exclusive.
    pub mode: Mode,
    /// First byte.
    pub start: u64,
    /// Last byte; `u64::MAX` is the end, whatever it becomes.
    pub last: u64,
}

impl RecordLock {
    fn overlaps(&self, other: &RecordLock) -> bool {
        self.start <= other.last && other.start <= self.last
    }
}

impl Locks {
    /// A lock that keeps `wanted` from being taken.
    pub fn conflict(&self, wanted: &RecordLock) -> Option<&RecordLock> {
        self.records.iter().find(|held| {
            held.owner != wanted.owner
                && held.overlaps(wanted)
                && (held.mode == Mode::Exclusive || wanted.mode == Mode::Exclusive)
        })
    }

    /// Takes a lock, in place of what its owner had there. Nothing conflicts with it.
    pub fn take(&mut self, wanted: RecordLock) {
        self.give_up(wanted.owner, wanted.start, wanted.last);
        let mut merged = wanted;
        self.records.retain(|held| {
            let touches = held.owner == merged.owner
                && held.mode == merged.mode
                && held.start <= merged.last.saturating_add(1)
                && merged.start <= held.last.saturating_add(1);
            if touches {
                merged.start = merged.start.min(held.start);
                merged.last = merged.last.max(held.last);
            }
            !touches
        });
        let place = self.records.partition_point(|held| (held.owner, held.start) < (merged.owner, merged.start));
        self.records.insert(place, merged);
    }

    /// Gives up what an owner has of these bytes; whether it had any.
    pub fn give_up(&mut self, owner: Owner, start: u64, last: u64) -> bool {
        let range = RecordLock { owner, pid: 0, mode: Mode::Shared, start, last };
        let mut parts = Vec::new();
        let mut any = false;
        self.records.retain(|held| {
            if held.owner != owner || !held.overlaps(&range) {
                return true;
            }
            any = true;
            if held.start < start {
                parts.push(RecordLock { last: start - 1, ..*held });
            }
            if held.last > last {
                parts.push(RecordLock { start: last + 1, ..*held });
            }
            false
        });
        for part in parts {
            let place = self.records.partition_point(|held| (held.owner, held.start) < (part.owner, part.start));
            self.records.insert(place, part);
        }
        any
    }

    /// Whether a flock(2) lock of `mode` can be taken by a description.
    pub fn is_whole_free(&self, file: Id<FileDescription>, mode: Mode) -> bool {
        !self.whole.iter().any(|held| held.file != file && (held.mode == Mode::Exclusive || mode == Mode::Exclusive))
    }
}

/// The inode whose locks a description's calls are about; `None` for what has none.
pub(super) fn inode_of(kernel: &Kernel, file: Id<FileDescription>) -> Option<Id<Inode>> {
    let description = &kernel.files[file];
    match description.object {
        FileObject::Inode(inode) | FileObject::Fifo { inode, .. } => Some(inode),
        _ => description.node.map(|node| kernel.vfs.nodes[node].inode),
    }
}

/// fcntl(2) `F_SETLKW` and `F_OFD_SETLKW`: until the lock is free.
#[derive(Clone, Debug)]
pub struct TakeLock {
    /// By which file; held.
    pub file: Id<FileDescription>,
    /// On which inode.
    pub inode: Id<Inode>,
    /// What.
    pub lock: RecordLock,
}

impl Blocking for TakeLock {
    fn step(&mut self, call: &mut Call) -> Result<Step, Error> {
        let locks = &mut call.kernel.vfs.inodes[self.inode].locks;
        if locks.conflict(&self.lock).is_some() {
            if let Owner::Process(table) = self.lock.owner
                && is_deadlock(call, table, self.inode, &self.lock)
            {
                return Err(Errno::EDEADLK.because("the holder of the lock waits for one of the caller's"));
            }
            return Ok(Step::Block(Wait::on(WaitKey::FileLock(self.inode))));
        }
        locks.take(self.lock);
        // A lock may have become weaker.
        call.kernel.wake(WaitKey::FileLock(self.inode));
        if let Owner::Process(table) = self.lock.owner {
            // Another thread may have closed the file meanwhile; nobody would give the lock up then.
            let is_open = call.kernel.fd_tables[table].iter().any(|(_, entry)| entry.file == self.file);
            if !is_open {
                give_up(call.kernel, self.inode, self.lock.owner, self.lock.start, self.lock.last);
                return Err(Errno::EBADF.because("the descriptor was closed while the call waited"));
            }
        }
        Ok(Step::Done(0))
    }

    fn interrupted(&self) -> Interrupted {
        Interrupted::RestartIfAllowed
    }

    fn held_files(&self) -> Vec<Id<FileDescription>> {
        vec![self.file]
    }

    fn release(&mut self, call: &mut Call) {
        call.release_file(self.file);
    }
}

/// Whether the holder of what `wanted` conflicts with waits, perhaps through others, for a lock that `table`'s process
/// holds.
fn is_deadlock(call: &Call, table: Id<FdTable>, inode: Id<Inode>, wanted: &RecordLock) -> bool {
    let mut blocker = call.kernel.vfs.inodes[inode].locks.conflict(wanted).map(|held| held.owner);
    for _ in 0..MAX_CHAIN {
        let Some(Owner::Process(holder)) = blocker else { return false };
        if holder == table {
            return true;
        }
        blocker = blocker_of(call.kernel, holder);
    }
    false
}

/// The owner of what a process waits for in `F_SETLKW`; `None` if it does not wait.
fn blocker_of(kernel: &Kernel, table: Id<FdTable>) -> Option<Owner> {
    kernel.threads.iter().find_map(|(_, thread): (_, &Thread)| {
        let Some(Operation::TakeLock(waiting)) = &thread.operation else { return None };
        let waits = matches!(thread.state, ThreadState::Blocked(_));
        if thread.fd_table != table || !waits || !matches!(waiting.lock.owner, Owner::Process(_)) {
            return None;
        }
        kernel.vfs.inodes[waiting.inode].locks.conflict(&waiting.lock).map(|held| held.owner)
    })
}

/// flock(2): until the lock is free.
#[derive(Clone, Debug)]
pub struct TakeWhole {
    /// By which file; held.
    pub file: Id<FileDescription>,
    /// On which inode.
    pub inode: Id<Inode>,
    /// Shared or exclusive.
    pub mode: Mode,
    /// The number of the process that asks.
    pub pid: i32,
}

impl Blocking for TakeWhole {
    fn step(&mut self, call: &mut Call) -> Result<Step, Error> {
        let locks = &mut call.kernel.vfs.inodes[self.inode].locks;
        // "Converting a lock is not guaranteed to be atomic: the existing lock is first removed", flock(2).
        locks.whole.retain(|held| held.file != self.file);
        let is_free = locks.is_whole_free(self.file, self.mode);
        if is_free {
            locks.whole.push(WholeLock { file: self.file, mode: self.mode, pid: self.pid });
        }
        call.kernel.wake(WaitKey::FileLock(self.inode));
        if is_free { Ok(Step::Done(0)) } else { Ok(Step::Block(Wait::on(WaitKey::FileLock(self.inode)))) }
    }

    fn interrupted(&self) -> Interrupted {
        Interrupted::RestartIfAllowed
    }

    fn held_files(&self) -> Vec<Id<FileDescription>> {
        vec![self.file]
    }

    fn release(&mut self, call: &mut Call) {
        call.release_file(self.file);
    }
}

/// Gives up record locks and lets those who wait look again.
pub(super) fn give_up(kernel: &mut Kernel, inode: Id<Inode>, owner: Owner, start: u64, last: u64) {
    if kernel.vfs.inodes[inode].locks.give_up(owner, start, last) {
        kernel.wake(WaitKey::FileLock(inode));
    }
}

/// A descriptor of `table` for `file` was closed: the record locks that its process holds on the file go, fcntl(2).
pub(super) fn forget_owner(kernel: &mut Kernel, table: Id<FdTable>, file: Id<FileDescription>) {
    if let Some(inode) = inode_of(kernel, file)
        && !kernel.vfs.inodes[inode].locks.records.is_empty()
    {
        give_up(kernel, inode, Owner::Process(table), 0, u64::MAX);
    }
}

/// The last holder of `file` let it go: its flock(2) and open file description locks go.
pub(super) fn forget_description(kernel: &mut Kernel, file: Id<FileDescription>) {
    let Some(inode) = inode_of(kernel, file) else { return };
    leases::forget_description(kernel, inode, file);
    let locks = &mut kernel.vfs.inodes[inode].locks;
    if !locks.records.is_empty() {
        give_up(kernel, inode, Owner::Description(file), 0, u64::MAX);
    }
    let locks = &mut kernel.vfs.inodes[inode].locks;
    let before = locks.whole.len();
    locks.whole.retain(|held| held.file != file);
    if locks.whole.len() < before {
        kernel.wake(WaitKey::FileLock(inode));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Table;

    fn owners() -> (Owner, Owner) {
        let mut tables = Table::default();
        (Owner::Process(tables.insert(FdTable::default())), Owner::Process(tables.insert(FdTable::default())))
    }

    fn lock(owner: Owner, mode: Mode, start: u64, last: u64) -> RecordLock {
        RecordLock { owner, pid: 1, mode, start, last }
    }

    fn ranges(locks: &Locks) -> Vec<(u64, u64, Mode)> {
        locks.records.iter().map(|held| (held.start, held.last, held.mode)).collect()
    }

    #[test]
    fn giving_up_the_middle_leaves_both_ends() {
        let (owner, _) = owners();
        let mut locks = Locks::default();
        locks.take(lock(owner, Mode::Exclusive, 0, 99));
        assert!(locks.give_up(owner, 40, 59));
        assert_eq!(ranges(&locks), [(0, 39, Mode::Exclusive), (60, 99, Mode::Exclusive)]);
        assert!(!locks.give_up(owner, 40, 59));
    }

    #[test]
    fn neighbours_of_one_mode_become_one_lock_and_other_modes_split_it() {
        let (owner, _) = owners();
        let mut locks = Locks::default();
        locks.take(lock(owner, Mode::Shared, 0, 9));
        locks.take(lock(owner, Mode::Shared, 20, u64::MAX));
        locks.take(lock(owner, Mode::Shared, 10, 19));
        assert_eq!(ranges(&locks), [(0, u64::MAX, Mode::Shared)]);
        locks.take(lock(owner, Mode::Exclusive, 5, 5));
        assert_eq!(ranges(&locks), [(0, 4, Mode::Shared), (5, 5, Mode::Exclusive), (6, u64::MAX, Mode::Shared)]);
    }

    #[test]
    fn only_an_exclusive_lock_of_somebody_else_conflicts() {
        let (first, second) = owners();
        let mut locks = Locks::default();
        locks.take(lock(first, Mode::Shared, 0, 9));
        assert_eq!(locks.conflict(&lock(second, Mode::Shared, 5, 5)), None);
        assert_eq!(locks.conflict(&lock(first, Mode::Exclusive, 5, 5)), None);
        assert_eq!(locks.conflict(&lock(second, Mode::Exclusive, 10, 20)), None);
        assert!(locks.conflict(&lock(second, Mode::Exclusive, 9, 20)).is_some());
    }
}
