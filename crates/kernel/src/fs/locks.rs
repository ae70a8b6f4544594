//! Locks on files: POSIX record locks and open file description locks, fcntl(2); flock(2).

use super::description::FileDescription;
use super::fd_table::FdTable;
use crate::kernel::Kernel;
use crate::table::Id;

/// The locks on an inode.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Locks {}

/// A descriptor of `table` for `file` was closed: the record locks that its process holds on the file go, fcntl(2).
pub(super) fn forget_owner(_kernel: &mut Kernel, _table: Id<FdTable>, _file: Id<FileDescription>) {}

/// The last holder of `file` let it go: its flock(2) and open file description locks go.
pub(super) fn forget_description(_kernel: &mut Kernel, _file: Id<FileDescription>) {}
