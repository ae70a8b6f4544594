//! Changing what files say of themselves: chmod(2), chown(2), utimensat(2).

use crate::entry::Call;
use crate::fs::path::{self, Follow, Place};
use crate::fs::permission::{WRITE, mode_without_privileges};
use crate::fs::{Fd, FileDescription, Inode, Node, inotify, locks};
use crate::syscalls::operation::{Flow, SysResult};
use crate::table::Id;
use crate::user::{UserCStr, UserPtr};
use abi::fcntl::{AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW};
use abi::inotify::{IN_ACCESS, IN_ATTRIB, IN_MODIFY};
use abi::stat::{S_ISGID, S_ISUID, S_IXGRP};
use abi::time::Timespec;
use abi::{Errno, Error};

/// A file whose attributes change, and the name by which it was found, if it has one.
#[derive(Clone, Copy)]
struct Target {
    inode: Id<Inode>,
    node: Option<Id<Node>>,
}

/// The file that a path names, as the `...at` calls see it.
fn find(call: &mut Call, directory: Fd, path: UserCStr, flags: u32) -> Result<Target, Error> {
    let path = call.read_path(path)?;
    let follow = if flags & AT_SYMLINK_NOFOLLOW != 0 { Follow::No } else { Follow::Yes };
    let place = if flags & AT_EMPTY_PATH != 0 {
        path::resolve_or_base(call, directory, &path, follow)?
    } else {
        Place::Node(path::resolve(call, directory, &path, follow)?)
    };
    match place {
        Place::Node(node) => Ok(Target { inode: call.kernel.vfs.nodes[node].inode, node: Some(node) }),
        Place::File(file) => target_of_file(call, file),
    }
}

fn target_of_file(call: &Call, file: Id<FileDescription>) -> Result<Target, Error> {
    let inode = locks::inode_of(call.kernel, file);
    let inode = inode.ok_or(Errno::EPERM.because("what has no name keeps its attributes"))?;
    Ok(Target { inode, node: call.kernel.files[file].node })
}

/// Notes that attributes have changed, and tells who watches.
fn note_change(call: &mut Call, target: Target, mask: u32) {
    let now = call.kernel.clock.realtime_ns() as i64;
    let inode = &mut call.kernel.vfs.inodes[target.inode];
    inode.changed_ns = now;
    inode.is_changed = true;
    match target.node {
        Some(node) => inotify::notify(call.kernel, node, mask),
        None => inotify::notify_self(call.kernel, target.inode, mask),
    }
}

/// chmod(2).
pub(crate) fn chmod(call: &mut Call, path: UserCStr, mode: u32) -> SysResult {
    fchmodat2(call, Fd::WORKING_DIRECTORY, path, mode, 0)
}

/// fchmodat(2) without flags.
pub(crate) fn fchmodat(call: &mut Call, directory: Fd, path: UserCStr, mode: u32) -> SysResult {
    fchmodat2(call, directory, path, mode, 0)
}

/// fchmodat2(2).
pub(crate) fn fchmodat2(call: &mut Call, directory: Fd, path: UserCStr, mode: u32, flags: u32) -> SysResult {
    if flags & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL.because("unknown `flags`"));
    }
    let target = find(call, directory, path, flags)?;
    change_mode(call, target, mode)
}

/// fchmod(2).
pub(crate) fn fchmod(call: &mut Call, fd: Fd, mode: u32) -> SysResult {
    let file = call.usable_file(fd)?;
    let target = target_of_file(call, file)?;
    change_mode(call, target, mode)
}

fn change_mode(call: &mut Call, target: Target, mode: u32) -> SysResult {
    let inode = &call.kernel.vfs.inodes[target.inode];
    let subject = call.subject();
    if !subject.owns(inode) {
        return Err(Errno::EPERM.because("the mode is changed by the file's owner"));
    }
    if inode.is_symlink() {
        return Err(Errno::EOPNOTSUPP.because("a symbolic link's mode means nothing"));
    }
    let sealed = inode.pages().and_then(|pages| pages.seals).unwrap_or(0) & abi::fcntl::F_SEAL_EXEC != 0;
    if sealed && (inode.mode ^ mode) & 0o111 != 0 {
        return Err(Errno::EPERM.because("the file is sealed against changes of its execute permission"));
    }
    let mode = subject.mode_after_chmod(inode, mode & 0o7777);
    let inode = &mut call.kernel.vfs.inodes[target.inode];
    inode.mode = inode.type_bits() | mode;
    note_change(call, target, IN_ATTRIB);
    Flow::OK
}

/// chown(2).
pub(crate) fn chown(call: &mut Call, path: UserCStr, uid: u32, gid: u32) -> SysResult {
    fchownat(call, Fd::WORKING_DIRECTORY, path, uid, gid, 0)
}

/// lchown(2).
pub(crate) fn lchown(call: &mut Call, path: UserCStr, uid: u32, gid: u32) -> SysResult {
    fchownat(call, Fd::WORKING_DIRECTORY, path, uid, gid, AT_SYMLINK_NOFOLLOW)
}

/// fchownat(2).
pub(crate) fn fchownat(call: &mut Call, directory: Fd, path: UserCStr, uid: u32, gid: u32, flags: u32) -> SysResult {
    if flags & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL.because("unknown `flags`"));
    }
    let target = find(call, directory, path, flags)?;
    change_owner(call, target, uid, gid)
}

/// fchown(2).
pub(crate) fn fchown(call: &mut Call, fd: Fd, uid: u32, gid: u32) -> SysResult {
    let file = call.usable_file(fd)?;
    let target = target_of_file(call, file)?;
    change_owner(call, target, uid, gid)
}

/// "Keep": user or group number -1.
const KEEP: u32 = u32::MAX;

fn change_owner(call: &mut Call, target: Target, uid: u32, gid: u32) -> SysResult {
    let inode = &call.kernel.vfs.inodes[target.inode];
    let subject = call.subject();
    if !subject.changes_owners {
        let keeps_user = uid == KEEP || uid == inode.uid && subject.uid == inode.uid;
        let may_set_group = subject.uid == inode.uid && (gid == inode.gid || subject.is_in_group(gid));
        if !keeps_user || gid != KEEP && !may_set_group {
            return Err(Errno::EPERM.because("the owner is changed by root; the group, to one of his, by the owner"));
        }
    }
    let inode = &mut call.kernel.vfs.inodes[target.inode];
    let mode_before = inode.mode;
    if uid != KEEP {
        inode.uid = uid;
    }
    if gid != KEEP {
        inode.gid = gid;
    }
    if !inode.is_directory() {
        // chown(2): "when the owner or group of an executable file is changed"; Linux takes S_ISUID from all files.
        inode.mode &= !S_ISUID;
        if inode.mode & S_IXGRP != 0 {
            inode.mode &= !S_ISGID;
        }
        debug_assert_eq!(inode.mode, mode_without_privileges(inode.mode));
    }
    // `fsnotify_change` of Linux: who changes nothing tells nobody.
    let is_changed = uid != KEEP || gid != KEEP || inode.mode != mode_before;
    note_change(call, target, if is_changed { IN_ATTRIB } else { 0 });
    Flow::OK
}

/// `UTIME_NOW`, utimensat(2).
const UTIME_NOW: i64 = (1 << 30) - 1;
/// `UTIME_OMIT`, utimensat(2).
const UTIME_OMIT: i64 = (1 << 30) - 2;

/// What becomes of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NewTime {
    Now,
    Keep,
    At(i64),
}

fn new_time(time: Timespec) -> Result<NewTime, Error> {
    match time.nanoseconds {
        UTIME_NOW => Ok(NewTime::Now),
        UTIME_OMIT => Ok(NewTime::Keep),
        nanoseconds @ 0..=999_999_999 => {
            Ok(NewTime::At(time.seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)))
        }
        _ => Err(Errno::EINVAL.because("the nanoseconds are out of range")),
    }
}

/// utimensat(2). A null path is the file behind `directory`.
pub(crate) fn utimensat(
    call: &mut Call,
    directory: Fd,
    path: UserCStr,
    times: UserPtr<[i64; 4]>,
    flags: u32,
) -> SysResult {
    let times = match times.given() {
        None => [NewTime::Now; 2],
        Some(times) => {
            let [accessed, accessed_ns, modified, modified_ns] = call.read(times)?;
            [
                new_time(Timespec { seconds: accessed, nanoseconds: accessed_ns })?,
                new_time(Timespec { seconds: modified, nanoseconds: modified_ns })?,
            ]
        }
    };
    if times == [NewTime::Keep; 2] {
        return Flow::OK;
    }
    if path.0 == 0 && directory != Fd::WORKING_DIRECTORY {
        if flags != 0 {
            return Err(Errno::EINVAL.because("`flags` need a path"));
        }
        let file = call.usable_file(directory)?;
        let target = target_of_file(call, file)?;
        return change_times(call, target, times);
    }
    if flags & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL.because("unknown `flags`"));
    }
    let target = find(call, directory, path, flags)?;
    change_times(call, target, times)
}

/// futimesat(2).
pub(crate) fn futimesat(call: &mut Call, directory: Fd, path: UserCStr, times: UserPtr<[i64; 4]>) -> SysResult {
    let new = match times.given() {
        None => [NewTime::Now; 2],
        Some(times) => {
            let [accessed, accessed_us, modified, modified_us] = call.read(times)?;
            for microseconds in [accessed_us, modified_us] {
                if !(0..1_000_000).contains(&microseconds) {
                    return Err(Errno::EINVAL.because("the microseconds are out of range"));
                }
            }
            let at =
                |seconds: i64, us: i64| NewTime::At(seconds.saturating_mul(1_000_000_000).saturating_add(us * 1000));
            [at(accessed, accessed_us), at(modified, modified_us)]
        }
    };
    let target = if path.0 == 0 && directory != Fd::WORKING_DIRECTORY {
        let file = call.usable_file(directory)?;
        target_of_file(call, file)?
    } else {
        find(call, directory, path, 0)?
    };
    change_times(call, target, new)
}

/// utimes(2).
pub(crate) fn utimes(call: &mut Call, path: UserCStr, times: UserPtr<[i64; 4]>) -> SysResult {
    futimesat(call, Fd::WORKING_DIRECTORY, path, times)
}

/// utime(2).
pub(crate) fn utime(call: &mut Call, path: UserCStr, times: UserPtr<[i64; 2]>) -> SysResult {
    let new = match times.given() {
        None => [NewTime::Now; 2],
        Some(times) => call.read(times)?.map(|seconds| NewTime::At(seconds.saturating_mul(1_000_000_000))),
    };
    let target = find(call, Fd::WORKING_DIRECTORY, path, 0)?;
    change_times(call, target, new)
}

/// `vfs_utimes` and `setattr_prepare` of Linux: "now" may be set by whoever may write, other times by the owner.
fn change_times(call: &mut Call, target: Target, [accessed, modified]: [NewTime; 2]) -> SysResult {
    let inode = &call.kernel.vfs.inodes[target.inode];
    let subject = call.subject();
    if !subject.owns(inode) {
        if (accessed, modified) != (NewTime::Now, NewTime::Now) {
            return Err(Errno::EPERM.because("times other than now are set by the file's owner"));
        }
        subject.check(inode, WRITE)?;
    }
    let now = call.kernel.clock.realtime_ns() as i64;
    let inode = &mut call.kernel.vfs.inodes[target.inode];
    let value = |new: NewTime, old: i64| match new {
        NewTime::Now => now,
        NewTime::Keep => old,
        NewTime::At(nanoseconds) => nanoseconds,
    };
    inode.accessed_ns = value(accessed, inode.accessed_ns);
    inode.modified_ns = value(modified, inode.modified_ns);
    // `fsnotify_change` of Linux: one time alone is a read or a write.
    let mask = match (accessed, modified) {
        (NewTime::Keep, _) => IN_MODIFY,
        (_, NewTime::Keep) => IN_ACCESS,
        _ => IN_ATTRIB,
    };
    note_change(call, target, mask);
    Flow::OK
}
