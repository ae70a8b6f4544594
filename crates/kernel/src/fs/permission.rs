//! Who may do what with a file: inode(7), path_resolution(7), capabilities(7).

use super::inode::Inode;
use crate::entry::Call;
use crate::table::Id;
use abi::resource::{
    CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_FSETID, CAP_MKNOD, CAP_SYS_ADMIN, CAP_SYS_CHROOT,
};
use abi::stat::{S_ISVTX, S_IXGRP};
use abi::{Errno, Error};

/// Search or run.
pub const EXECUTE: u32 = 1;
/// Change.
pub const WRITE: u32 = 2;
/// Look.
pub const READ: u32 = 4;

/// In whose name files are used: the file system user and groups, and which checks are overridden.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// File system user.
    pub uid: u32,
    /// File system group.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: &'a [u32],
    /// CAP_DAC_OVERRIDE.
    pub overrides: bool,
    /// CAP_DAC_READ_SEARCH.
    pub searches: bool,
    /// CAP_FOWNER.
    pub is_owner_of_all: bool,
    /// CAP_FSETID.
    pub keeps_set_id: bool,
    /// CAP_CHOWN.
    pub changes_owners: bool,
    /// CAP_MKNOD.
    pub makes_devices: bool,
    /// CAP_SYS_CHROOT.
    pub changes_root: bool,
    /// CAP_SYS_ADMIN.
    pub is_administrator: bool,
}

impl Subject<'_> {
    /// Whether it belongs to the group.
    pub fn is_in_group(&self, gid: u32) -> bool {
        self.gid == gid || self.groups.contains(&gid)
    }

    /// Whether `wanted` ([`READ`], [`WRITE`], [`EXECUTE`]) may be done with the inode.
    ///
    /// # Errors
    /// `EACCES`.
    pub fn check(&self, inode: &Inode, wanted: u32) -> Result<(), Error> {
        let mode = inode.mode;
        let granted = if inode.uid == self.uid {
            mode >> 6
        } else if self.is_in_group(inode.gid) {
            mode >> 3
        } else {
            mode
        } & 7;
        if granted & wanted == wanted {
            return Ok(());
        }
        if self.overrides && (inode.is_directory() || wanted & EXECUTE == 0 || mode & 0o111 != 0) {
            return Ok(());
        }
        if self.searches && (wanted == READ || inode.is_directory() && wanted & WRITE == 0) {
            return Ok(());
        }
        Err(match wanted {
            EXECUTE if inode.is_directory() => Errno::EACCES.because("a directory of the path may not be searched"),
            EXECUTE => Errno::EACCES.because("the file may not be executed"),
            READ => Errno::EACCES.because("the file may not be read"),
            _ => Errno::EACCES.because("the file may not be written"),
        })
    }

    /// Whether it may act as the inode's owner.
    pub fn owns(&self, inode: &Inode) -> bool {
        self.uid == inode.uid || self.is_owner_of_all
    }

    /// Whether a name of `inode` may be taken out of `directory`: the sticky bit keeps those of others, inode(7).
    ///
    /// # Errors
    /// `EACCES` if the directory may not be changed, `EPERM` because of the sticky bit.
    pub fn check_removal(&self, directory: &Inode, inode: &Inode) -> Result<(), Error> {
        self.check(directory, WRITE | EXECUTE)?;
        if directory.mode & S_ISVTX != 0 && directory.uid != self.uid && !self.owns(inode) {
            return Err(Errno::EPERM.because("the directory is sticky, and file and directory belong to others"));
        }
        Ok(())
    }

    /// The mode that chmod(2) leaves: without set-group-id for who is not in the file's group.
    pub fn mode_after_chmod(&self, inode: &Inode, mode: u32) -> u32 {
        if mode & abi::stat::S_ISGID != 0 && !self.is_in_group(inode.gid) && !self.keeps_set_id {
            mode & !abi::stat::S_ISGID
        } else {
            mode
        }
    }
}

impl Call<'_> {
    /// In whose name the calling thread uses files.
    pub fn subject(&self) -> Subject<'_> {
        let credentials = self.credentials();
        let has = |capability| credentials.has_capability(capability);
        Subject {
            uid: credentials.fsuid,
            gid: credentials.fsgid,
            groups: &credentials.groups,
            overrides: has(CAP_DAC_OVERRIDE),
            searches: has(CAP_DAC_READ_SEARCH),
            is_owner_of_all: has(CAP_FOWNER),
            keeps_set_id: has(CAP_FSETID),
            changes_owners: has(CAP_CHOWN),
            makes_devices: has(CAP_MKNOD),
            changes_root: has(CAP_SYS_CHROOT),
            is_administrator: has(CAP_SYS_ADMIN),
        }
    }

    /// The real user and group of the calling thread, access(2): a real user that is root has what capabilities may be
    /// put into effect, any other none.
    pub fn real_subject(&self) -> Subject<'_> {
        let credentials = self.credentials();
        let may = |capability: u32| credentials.uid == 0 && credentials.permitted & 1 << capability != 0;
        Subject {
            uid: credentials.uid,
            gid: credentials.gid,
            overrides: may(CAP_DAC_OVERRIDE),
            searches: may(CAP_DAC_READ_SEARCH),
            ..self.subject()
        }
    }

    /// Whether the calling thread may do `wanted` with an inode.
    ///
    /// # Errors
    /// `EACCES`.
    pub fn check_access(&self, inode: Id<Inode>, wanted: u32) -> Result<(), Error> {
        self.subject().check(&self.kernel.vfs.inodes[inode], wanted)
    }
}

/// The mode after a write or a change of owner by somebody without privileges: set-user-id goes, and set-group-id if the
/// group may execute. write(2), chown(2); `setattr_should_drop_suidgid` in Linux's fs/attr.c.
pub fn mode_without_privileges(mode: u32) -> u32 {
    let mode = mode & !abi::stat::S_ISUID;
    if mode & S_IXGRP != 0 { mode & !abi::stat::S_ISGID } else { mode }
}
