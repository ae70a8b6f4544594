//! Locks on files: POSIX record locks and open file description locks, fcntl(2); flock(2).

/// The locks on an inode.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Locks {}
