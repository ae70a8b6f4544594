//! inotify_init1(2), inotify_add_watch(2), inotify_rm_watch(2).

use super::{Inotify, Watch, end_watch};
use crate::entry::Call;
use crate::fs::path::{self, Follow};
use crate::fs::permission::READ;
use crate::fs::watch_limits::{self, Counted};
use crate::fs::{Fd, FileDescription, FileObject};
use crate::syscalls::operation::{Flow, SysResult};
use crate::table::Id;
use crate::user::UserCStr;
use abi::fcntl::O_RDONLY;
use abi::inotify::{
    IN_ALL_EVENTS, IN_CLOEXEC, IN_DONT_FOLLOW, IN_EXCL_UNLINK, IN_IGNORED, IN_ISDIR, IN_MASK_ADD, IN_MASK_CREATE,
    IN_NONBLOCK, IN_ONESHOT, IN_ONLYDIR, IN_Q_OVERFLOW, IN_UNMOUNT,
};
use abi::{Errno, Error};

/// `ALL_INOTIFY_BITS`.
const KNOWN: u32 = IN_ALL_EVENTS
    | IN_UNMOUNT
    | IN_Q_OVERFLOW
    | IN_IGNORED
    | IN_ONLYDIR
    | IN_DONT_FOLLOW
    | IN_EXCL_UNLINK
    | IN_MASK_ADD
    | IN_MASK_CREATE
    | IN_ISDIR
    | IN_ONESHOT;

/// inotify_init(2).
pub(crate) fn inotify_init(call: &mut Call) -> SysResult {
    inotify_init1(call, 0)
}

/// inotify_init1(2).
pub(crate) fn inotify_init1(call: &mut Call, flags: u32) -> SysResult {
    if flags & !(IN_NONBLOCK | IN_CLOEXEC) != 0 {
        return Err(Errno::EINVAL.because("unknown `flags`"));
    }
    let user = call.credentials().uid;
    if !watch_limits::charge(call.kernel, user, Counted::InotifyQueue) {
        return Err(Errno::EMFILE.because("the user has as many queues as `max_user_instances` allows"));
    }
    let most_events = call.kernel.watch_limits.inotify_events;
    let id = call.kernel.inotifies.insert(Inotify { user, most_events, ..Inotify::default() });
    let description = FileDescription::new(FileObject::Inotify(id), O_RDONLY | flags & IN_NONBLOCK);
    let file = call.kernel.files.insert(description);
    Ok(Flow::Done(call.install_fd(file, flags & IN_CLOEXEC != 0)?.0 as u64))
}

fn queue(call: &Call, fd: Fd) -> Result<Id<Inotify>, Error> {
    let file = call.usable_file(fd)?;
    match call.kernel.files[file].object {
        FileObject::Inotify(id) => Ok(id),
        _ => Err(Errno::EINVAL.because("the descriptor is not of inotify_init(2)")),
    }
}

/// inotify_add_watch(2).
pub(crate) fn inotify_add_watch(call: &mut Call, fd: Fd, path: UserCStr, mask: u32) -> SysResult {
    if mask & KNOWN == 0 {
        return Err(Errno::EINVAL.because("`mask` has neither an event nor a flag"));
    }
    call.usable_file(fd)?;
    if mask & (IN_MASK_ADD | IN_MASK_CREATE) == IN_MASK_ADD | IN_MASK_CREATE {
        return Err(Errno::EINVAL.because("`IN_MASK_ADD` and `IN_MASK_CREATE` exclude each other"));
    }
    let id = queue(call, fd)?;
    let path = call.read_path(path)?;
    let follow = if mask & IN_DONT_FOLLOW != 0 { Follow::No } else { Follow::Yes };
    let node = path::resolve(call, Fd::WORKING_DIRECTORY, &path, follow)?;
    let inode = call.kernel.vfs.nodes[node].inode;
    if mask & IN_ONLYDIR != 0 && !call.kernel.vfs.inodes[inode].is_directory() {
        return Err(Errno::ENOTDIR.because("`IN_ONLYDIR`, and the file is none"));
    }
    call.check_access(inode, READ)?;
    let kept = mask & (IN_ALL_EVENTS | IN_EXCL_UNLINK | IN_ONESHOT);
    let watches = &mut call.kernel.inotifies[id].watches;
    if let Some((number, watch)) = watches.iter_mut().find(|(_, watch)| watch.inode == inode) {
        if mask & IN_MASK_CREATE != 0 {
            return Err(Errno::EEXIST.because("the file is watched already, `IN_MASK_CREATE`"));
        }
        watch.mask = if mask & IN_MASK_ADD != 0 { watch.mask | kept } else { kept };
        return Ok(Flow::Done(*number as u64));
    }
    let user = call.kernel.inotifies[id].user;
    if !watch_limits::charge(call.kernel, user, Counted::InotifyWatch) {
        return Err(Errno::ENOSPC.because("the user has as many watches as `max_user_watches` allows"));
    }
    let inotify = &mut call.kernel.inotifies[id];
    inotify.last_watch += 1;
    let number = inotify.last_watch;
    inotify.watches.insert(number, Watch { inode, mask: kept });
    call.kernel.vfs.inodes[inode].watchers.push((id, number));
    call.kernel.vfs.watches += 1;
    call.kernel.retain_inode(inode);
    Ok(Flow::Done(number as u64))
}

/// inotify_rm_watch(2).
pub(crate) fn inotify_rm_watch(call: &mut Call, fd: Fd, number: i32) -> SysResult {
    let id = queue(call, fd)?;
    if !call.kernel.inotifies[id].watches.contains_key(&number) {
        return Err(Errno::EINVAL.because("no watch has this number"));
    }
    end_watch(call.kernel, id, number);
    Flow::OK
}
