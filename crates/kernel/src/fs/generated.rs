//! Files whose contents the kernel makes up when they are looked at: proc(5), sysfs(5). This module decides which file
//! system answers; the answers are in their folders.

use super::FileDescription;
use super::inode::InodeKind;
use super::node::Node;
use super::{devfs, procfs, sysfs};
use crate::entry::Call;
use crate::kernel::Kernel;
use crate::table::Id;
use abi::{Errno, Error};
use procfs::ProcEntry;
use sysfs::SysEntry;

/// A generated file or directory: a name for what it shows, no data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Generated {
    /// Of proc.
    Proc(ProcEntry),
    /// Of sysfs.
    Sys(SysEntry),
}

/// What a generated inode says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// st_ino.
    pub number: u64,
    /// Type and permissions.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// `st_nlink`.
    pub links: u32,
    /// `st_size`; 0 for most.
    pub size: u64,
}

/// An entry of a generated directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name; never `.` or `..`.
    pub name: Vec<u8>,
    /// Its inode number.
    pub number: u64,
    /// Type bits of its mode.
    pub kind: u32,
}

/// Where a generated symbolic link leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// To this path, like any link.
    Path(Vec<u8>),
    /// Straight to this node, whatever its name: `/proc/PID/cwd`, `root`, `exe`.
    Node(Id<Node>),
    /// Straight to what this description has open: `/proc/PID/fd/N`.
    File(Id<FileDescription>),
}

/// What `name` is in a generated directory; `None` if there is no such name now.
///
/// # Errors
/// `EACCES` and the like.
pub fn lookup(call: &mut Call, directory: Generated, name: &[u8]) -> Result<Option<Generated>, Error> {
    match directory {
        Generated::Proc(entry) => Ok(procfs::lookup(call, entry, name)?.map(Generated::Proc)),
        Generated::Sys(entry) => Ok(sysfs::lookup(call.kernel, entry, name).map(Generated::Sys)),
    }
}

/// The entries of a generated directory in a stable order.
///
/// # Errors
/// `EACCES`, or `ENOENT` if what it shows is gone.
pub fn list(call: &mut Call, directory: Generated) -> Result<Vec<Listed>, Error> {
    match directory {
        Generated::Proc(entry) => procfs::list(call, entry),
        Generated::Sys(entry) => Ok(sysfs::list(call.kernel, entry)),
    }
}

/// What stat(2) says.
///
/// # Errors
/// `ENOENT` if what it shows is gone.
pub fn attributes(kernel: &Kernel, file: Generated) -> Result<Attributes, Error> {
    match file {
        Generated::Proc(entry) => procfs::attributes(kernel, entry),
        Generated::Sys(entry) => Ok(sysfs::attributes(kernel, entry)),
    }
}

/// The whole text of a generated file.
///
/// # Errors
/// `ESRCH` if what it shows is gone, `EACCES`.
pub fn read(call: &mut Call, file: Generated) -> Result<Vec<u8>, Error> {
    match file {
        Generated::Proc(entry) => procfs::read(call, entry),
        Generated::Sys(entry) => sysfs::read(call.kernel, entry),
    }
}

/// A part of a file that is too long to be made as a whole, at most `length` bytes; `None` for all others.
///
/// # Errors
/// As [`read`].
pub fn read_part(call: &mut Call, file: Generated, offset: u64, length: u64) -> Result<Option<Vec<u8>>, Error> {
    match file {
        Generated::Proc(entry) => procfs::read_part(call, entry, offset, length),
        Generated::Sys(_) => Ok(None),
    }
}

/// Takes what was written to a generated file; how many bytes it took.
///
/// # Errors
/// `EINVAL` for what it does not understand, `EACCES`, `EIO` if it cannot be written.
pub fn write(call: &mut Call, file: Generated, _offset: u64, bytes: &[u8]) -> Result<usize, Error> {
    match file {
        Generated::Proc(entry) => procfs::write(call, entry, bytes),
        Generated::Sys(_) => Err(read_only()),
    }
}

/// Where a generated symbolic link leads, as readlink(2) shows it.
///
/// # Errors
/// `EACCES`, `ENOENT`.
pub fn read_link(call: &mut Call, link: Generated) -> Result<Vec<u8>, Error> {
    match link {
        Generated::Proc(entry) => procfs::read_link(call, entry),
        Generated::Sys(_) => Err(Errno::EINVAL.because("the file is no symbolic link")),
    }
}

/// Where a generated symbolic link leads when it is followed.
///
/// # Errors
/// `EACCES`, `ENOENT`, `ELOOP`.
pub fn follow(call: &mut Call, link: Generated) -> Result<Target, Error> {
    match link {
        Generated::Proc(entry) => procfs::follow(call, entry),
        Generated::Sys(_) => Err(Errno::EINVAL.because("the file is no symbolic link")),
    }
}

/// Sets size or times of a generated file: nothing has any, but `O_TRUNC` must not fail.
///
/// # Errors
/// None.
pub fn truncate(_call: &mut Call, file: Generated) -> Result<(), Error> {
    match file {
        Generated::Proc(_) | Generated::Sys(_) => Ok(()),
    }
}

/// Fills the file systems that the kernel itself makes: `/dev`, `/proc`, `/sys`. Called once, when they are mounted.
pub fn populate(kernel: &mut Kernel, dev: Id<Node>, proc: Id<Node>, sys: Id<Node>) {
    devfs::populate(kernel, dev);
    kernel.inode_mut(proc).kind = InodeKind::Generated(Generated::Proc(procfs::ROOT));
    kernel.inode_mut(sys).kind = InodeKind::Generated(Generated::Sys(sysfs::ROOT));
}

/// `EIO` for what nobody can write.
pub fn read_only() -> Error {
    Errno::EIO.because("this file cannot be written")
}
