//! Descriptors themselves: dup(2), fcntl(2), close_range(2), ioctl(2), and locks.

use crate::entry::Call;
use crate::fs::locks::{self, Mode, Owner, RecordLock, TakeLock, TakeWhole};
use crate::fs::signal_driven::{self, Asks};
use crate::fs::{Fd, FdEntry, FileDescription, FileObject, Inode, dnotify, file, leases, ops};
use crate::kernel::Kernel;
use crate::mm::Backing;
use crate::syscalls::operation::{Flow, SysResult};
use crate::table::Id;
use crate::user::UserPtr;
use abi::fcntl::*;
use abi::ioctl::{FIGETBSZ, FIOASYNC, FIOCLEX, FIONBIO, FIONCLEX, FIOQSIZE};
use abi::signal::SIGRTMAX;
use abi::{Errno, Error};

/// dup(2).
pub(crate) fn dup(call: &mut Call, fd: Fd) -> SysResult {
    let file = call.file(fd)?;
    let file = call.hold(file);
    Ok(Flow::Done(call.install_fd(file, false)?.0 as u64))
}

/// dup2(2).
pub(crate) fn dup2(call: &mut Call, old: Fd, new: Fd) -> SysResult {
    if old == new {
        call.file(old)?;
        return Ok(Flow::Done(new.0 as u64));
    }
    duplicate_to(call, old, new, false)
}

/// dup3(2).
pub(crate) fn dup3(call: &mut Call, old: Fd, new: Fd, flags: u32) -> SysResult {
    if flags & !O_CLOEXEC != 0 {
        return Err(Errno::EINVAL.because("unknown `flags`"));
    }
    if old == new {
        return Err(Errno::EINVAL.because("`oldfd` equals `newfd`"));
    }
    duplicate_to(call, old, new, flags & O_CLOEXEC != 0)
}

fn duplicate_to(call: &mut Call, old: Fd, new: Fd, close_on_exec: bool) -> SysResult {
    let limit = call.open_file_limit();
    let number = usize::try_from(new.0).ok().filter(|number| *number < limit);
    let number = number.ok_or(Errno::EBADF.because("`newfd` is out of range"))?;
    let file = call.file(old)?;
    let file = call.hold(file);
    let replaced = call.fd_table_mut().set(number, Some(FdEntry { file, close_on_exec }));
    if let Some(entry) = replaced {
        let table = call.kernel.threads[call.thread].fd_table;
        file::close_entry(call.kernel, table, entry);
    }
    Ok(Flow::Done(new.0 as u64))
}

/// close_range(2).
pub(crate) fn close_range(call: &mut Call, first: u32, last: u32, flags: u32) -> SysResult {
    if flags & !(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC) != 0 {
        return Err(Errno::EINVAL.because("unknown `flags`"));
    }
    if first > last {
        return Err(Errno::EINVAL.because("`first` is above `last`"));
    }
    let table = call.kernel.threads[call.thread].fd_table;
    if flags & CLOSE_RANGE_UNSHARE != 0 && call.kernel.fd_tables[table].references > 1 {
        let copy = file::copy_table(call.kernel, table);
        call.current().fd_table = copy;
        file::release_table(call.kernel, table);
    }
    let range = first..=last;
    let listed: Vec<Fd> =
        call.fd_table().iter().map(|(fd, _)| fd).filter(|fd| range.contains(&(fd.0 as u32))).collect();
    for fd in listed {
        if flags & CLOSE_RANGE_CLOEXEC != 0 {
            set_close_on_exec(call, fd, true)?;
        } else {
            call.close_fd(fd)?;
        }
    }
    Flow::OK
}

fn set_close_on_exec(call: &mut Call, fd: Fd, close_on_exec: bool) -> Result<(), Error> {
    let entry = call.fd_entry(fd)?;
    call.fd_table_mut().set(fd.0 as usize, Some(FdEntry { close_on_exec, ..entry }));
    Ok(())
}

/// fcntl(2).
pub(crate) fn fcntl(call: &mut Call, fd: Fd, command: u32, argument: u64) -> SysResult {
    let entry = call.fd_entry(fd)?;
    let file = entry.file;
    let allowed_for_paths = matches!(command, F_DUPFD | F_DUPFD_CLOEXEC | F_DUPFD_QUERY | F_GETFD | F_SETFD | F_GETFL);
    if !allowed_for_paths {
        call.usable_file(fd)?;
    }
    match command {
        F_DUPFD | F_DUPFD_CLOEXEC => {
            let lowest = argument as u32 as usize;
            if lowest >= call.open_file_limit() {
                return Err(Errno::EINVAL.because("the number is above RLIMIT_NOFILE"));
            }
            let file = call.hold(file);
            let fd = call.install_fd_from(file, command == F_DUPFD_CLOEXEC, lowest)?;
            Ok(Flow::Done(fd.0 as u64))
        }
        F_DUPFD_QUERY => {
            let other = call.file(Fd(argument as i32))?;
            Ok(Flow::Done(u64::from(other == file)))
        }
        F_GETFD => Ok(Flow::Done(if entry.close_on_exec { u64::from(FD_CLOEXEC) } else { 0 })),
        F_SETFD => {
            set_close_on_exec(call, fd, argument as u32 & FD_CLOEXEC != 0)?;
            Flow::OK
        }
        F_GETFL => Ok(Flow::Done(u64::from(call.kernel.files[file].flags))),
        F_SETFL => set_status_flags(call, fd, file, argument as u32),
        F_GETLK | F_OFD_GETLK => test_lock(call, file, command, UserPtr::new(argument)),
        F_SETLK | F_SETLKW | F_OFD_SETLK | F_OFD_SETLKW => set_lock(call, file, command, UserPtr::new(argument)),
        F_SETOWN | F_GETOWN | F_SETOWN_EX | F_GETOWN_EX | F_SETSIG | F_GETSIG | F_GETOWNER_UIDS => {
            owner(call, file, command, argument)
        }
        F_GETPIPE_SZ | F_SETPIPE_SZ => pipe_size(call, file, command, argument),
        F_ADD_SEALS | F_GET_SEALS => seals(call, file, command, argument as u32),
        F_SETLEASE => leases::set(call, fd, file, argument),
        F_GETLEASE => Ok(Flow::Done(leases::of(call.kernel, file) as u64)),
        F_NOTIFY => dnotify::watch(call, fd, file, argument as u32),
        _ => Err(Errno::EINVAL.because("unknown command, or one that is not supported")),
    }
}

fn set_status_flags(call: &mut Call, fd: Fd, file: Id<FileDescription>, flags: u32) -> SysResult {
    const CHANGEABLE: u32 = O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME;
    let old = call.kernel.files[file].flags;
    if flags & O_NOATIME != 0
        && old & O_NOATIME == 0
        && let Some(inode) = locks::inode_of(call.kernel, file)
        && !call.subject().owns(&call.kernel.vfs.inodes[inode])
    {
        return Err(Errno::EPERM.because("`O_NOATIME` is for the file's owner"));
    }
    // Files that send no signals take the flag and do not keep it, `setfl` of Linux's fs/fcntl.c.
    let _ = signal_driven::switch(call, fd, file, if flags & O_ASYNC != 0 { Asks::Yes } else { Asks::No });
    let old = call.kernel.files[file].flags;
    call.kernel.files[file].flags = old & !CHANGEABLE | flags & CHANGEABLE;
    Flow::OK
}

/// `F_SETOWN` and its kin: who gets the file's signals.
fn owner(call: &mut Call, file: Id<FileDescription>, command: u32, argument: u64) -> SysResult {
    let owner = call.kernel.files[file].owner;
    match command {
        F_GETOWN => {
            let (kind, id) = owner.current(call.kernel);
            let id = i64::from(if kind == F_OWNER_PGRP { -id } else { id });
            return Ok(Flow::Done(id as u64));
        }
        F_GETOWN_EX => {
            let (kind, id) = owner.current(call.kernel);
            call.write(UserPtr::new(argument), &OwnerEx { kind, id })?;
            return Flow::OK;
        }
        F_GETSIG => return Ok(Flow::Done(owner.signal as u64)),
        F_GETOWNER_UIDS => {
            call.write(UserPtr::new(argument), &owner.users())?;
            return Flow::OK;
        }
        F_SETSIG => {
            if argument > SIGRTMAX as u64 {
                return Err(Errno::EINVAL.because("no signal has this number"));
            }
            call.kernel.files[file].owner.signal = argument as i32;
            return Flow::OK;
        }
        _ => {}
    }
    let (kind, number) = if command == F_SETOWN {
        let id = argument as i32;
        if id == i32::MIN {
            return Err(Errno::EINVAL.because("no group has this number"));
        }
        if id < 0 { (F_OWNER_PGRP, -id) } else { (F_OWNER_PID, id) }
    } else {
        let OwnerEx { kind, id } = call.read(UserPtr::<OwnerEx>::new(argument))?;
        if !matches!(kind, F_OWNER_TID | F_OWNER_PID | F_OWNER_PGRP) {
            return Err(Errno::EINVAL.because("unknown kind of owner"));
        }
        (kind, id)
    };
    if number != 0 && call.kernel.pids.is_free(number) {
        return Err(Errno::ESRCH.because("no thread, process or group has this number"));
    }
    let credentials = call.credentials().clone();
    call.kernel.files[file].owner.choose(kind, number, &credentials);
    Flow::OK
}

fn pipe_size(call: &mut Call, file: Id<FileDescription>, command: u32, argument: u64) -> SysResult {
    let (FileObject::PipeReader(id) | FileObject::PipeWriter(id) | FileObject::Fifo { pipe: id, .. }) =
        call.kernel.files[file].object
    else {
        return Err(Errno::EBADF.because("the file is no pipe"));
    };
    if command == F_GETPIPE_SZ {
        return Ok(Flow::Done(call.kernel.pipes[id].capacity_bytes() as u64));
    }
    Ok(Flow::Done(crate::ipc::pipe::set_size(call, id, argument as u32)? as u64))
}

/// memfd_create(2) "File sealing".
fn seals(call: &mut Call, file: Id<FileDescription>, command: u32, argument: u32) -> SysResult {
    const ALL: u32 = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE | F_SEAL_EXEC;
    let is_writable = call.kernel.files[file].is_writable();
    let FileObject::Inode(id) = call.kernel.files[file].object else {
        return Err(Errno::EINVAL.because("the file cannot be sealed"));
    };
    let is_mapped = argument & F_SEAL_WRITE != 0 && is_mapped_to_write(call.kernel, id);
    let inode = &mut call.kernel.vfs.inodes[id];
    let mode = inode.mode;
    let Some(seals) = inode.pages_mut().and_then(|pages| pages.seals.as_mut()) else {
        return Err(Errno::EINVAL.because("the file cannot be sealed"));
    };
    if command == F_GET_SEALS {
        return Ok(Flow::Done(u64::from(*seals)));
    }
    if argument & !ALL != 0 {
        return Err(Errno::EINVAL.because("unknown seals"));
    }
    if !is_writable || *seals & F_SEAL_SEAL != 0 {
        return Err(Errno::EPERM.because("the file is not open for writing, or its seals are sealed"));
    }
    if is_mapped && *seals & F_SEAL_WRITE == 0 {
        return Err(Errno::EBUSY.because("the file has writable shared mappings"));
    }
    let mut added = argument;
    if argument & F_SEAL_EXEC != 0 && mode & 0o111 != 0 {
        added |= F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE;
    }
    *seals |= added;
    Flow::OK
}

/// Whether anybody has a shared mapping of the file that is or may become writable.
fn is_mapped_to_write(kernel: &Kernel, file: Id<Inode>) -> bool {
    let mut areas = kernel.spaces.iter().flat_map(|(_, space)| space.areas.iter());
    areas.any(|area| {
        area.shared
            && area.maximum & abi::mman::PROT_WRITE != 0
            && matches!(area.backing, Backing::File { inode, .. } if inode == file)
    })
}

/// The record lock that a `struct flock` describes; `None` for `F_UNLCK`'s mode.
fn describe(
    call: &mut Call,
    file: Id<FileDescription>,
    command: u32,
    flock: &Flock,
) -> Result<(RecordLock, Option<Mode>), Error> {
    let base = match flock.whence as u32 {
        SEEK_SET => 0,
        SEEK_CUR => call.kernel.files[file].offset as i64,
        SEEK_END => locks::inode_of(call.kernel, file).map_or(0, |inode| call.kernel.vfs.inodes[inode].size() as i64),
        _ => return Err(Errno::EINVAL.because("unknown `l_whence`")),
    };
    let overflow = Errno::EOVERFLOW.because("the range reaches beyond the largest offset");
    let mut start = base.checked_add(flock.start).ok_or(overflow)?;
    let mut last = i64::MAX;
    if flock.length > 0 {
        last = start.checked_add(flock.length - 1).ok_or(overflow)?;
    } else if flock.length < 0 {
        last = start - 1;
        start = start.checked_add(flock.length).ok_or(Errno::EINVAL.because("the range begins before the file"))?;
    }
    if start < 0 {
        return Err(Errno::EINVAL.because("the range begins before the file"));
    }
    let of_description = matches!(command, F_OFD_GETLK | F_OFD_SETLK | F_OFD_SETLKW);
    if of_description && flock.pid != 0 {
        return Err(Errno::EINVAL.because("`l_pid` is not 0"));
    }
    let mode = match flock.kind {
        F_RDLCK => Some(Mode::Shared),
        F_WRLCK => Some(Mode::Exclusive),
        F_UNLCK => None,
        _ => return Err(Errno::EINVAL.because("unknown `l_type`")),
    };
    let owner = if of_description {
        Owner::Description(file)
    } else {
        Owner::Process(call.kernel.threads[call.thread].fd_table)
    };
    let pid = if of_description { -1 } else { call.process().pid };
    let last = if last == i64::MAX { u64::MAX } else { last as u64 };
    Ok((RecordLock { owner, pid, mode: mode.unwrap_or(Mode::Shared), start: start as u64, last }, mode))
}

/// `F_GETLK`, `F_OFD_GETLK`.
fn test_lock(call: &mut Call, file: Id<FileDescription>, command: u32, at: UserPtr<Flock>) -> SysResult {
    let mut flock = call.read(at)?;
    let (lock, mode) = describe(call, file, command, &flock)?;
    if mode.is_none() {
        return Err(Errno::EINVAL.because("`F_UNLCK` is no lock to test"));
    }
    let inode = locks::inode_of(call.kernel, file);
    match inode.and_then(|inode| call.kernel.vfs.inodes[inode].locks.conflict(&lock)) {
        None => flock.kind = F_UNLCK,
        Some(held) => {
            flock.kind = if held.mode == Mode::Shared { F_RDLCK } else { F_WRLCK };
            flock.whence = SEEK_SET as i16;
            flock.start = held.start as i64;
            flock.length = if held.last == u64::MAX { 0 } else { (held.last - held.start + 1) as i64 };
            flock.pid = held.pid;
        }
    }
    call.write(at, &flock)?;
    Flow::OK
}

/// `F_SETLK`, `F_SETLKW` and their kin for open file descriptions.
fn set_lock(call: &mut Call, file: Id<FileDescription>, command: u32, at: UserPtr<Flock>) -> SysResult {
    let flock = call.read(at)?;
    let (lock, mode) = describe(call, file, command, &flock)?;
    let Some(inode) = locks::inode_of(call.kernel, file) else {
        return Err(Errno::ENOLCK.because("the file has no inode that could be locked"));
    };
    let description = &call.kernel.files[file];
    match mode {
        None => {
            locks::give_up(call.kernel, inode, lock.owner, lock.start, lock.last);
            return Flow::OK;
        }
        Some(Mode::Shared) if !description.is_readable() => {
            return Err(Errno::EBADF.because("a read lock needs a file open for reading"));
        }
        Some(Mode::Exclusive) if !description.is_writable() => {
            return Err(Errno::EBADF.because("a write lock needs a file open for writing"));
        }
        Some(_) => {}
    }
    let waits = matches!(command, F_SETLKW | F_OFD_SETLKW);
    if !waits && call.kernel.vfs.inodes[inode].locks.conflict(&lock).is_some() {
        return Err(Errno::EAGAIN.because("another process holds a lock on some of the bytes"));
    }
    let file = call.hold(file);
    ops::start(call, TakeLock { file, inode, lock })
}

/// flock(2).
pub(crate) fn flock(call: &mut Call, fd: Fd, operation: u32) -> SysResult {
    /// Mandatory locks, which Linux gave up in 5.18: the call is ignored.
    const LOCK_MAND: u32 = 32;
    let file = call.usable_file(fd)?;
    if operation & LOCK_MAND != 0 {
        return Flow::OK;
    }
    let mode = match operation & !LOCK_NB {
        LOCK_SH => Some(Mode::Shared),
        LOCK_EX => Some(Mode::Exclusive),
        LOCK_UN => None,
        _ => return Err(Errno::EINVAL.because("unknown operation")),
    };
    let Some(inode) = locks::inode_of(call.kernel, file) else {
        return Err(Errno::ENOLCK.because("the file has no inode that could be locked"));
    };
    let locks = &mut call.kernel.vfs.inodes[inode].locks;
    let Some(mode) = mode else {
        locks.whole.retain(|held| held.file != file);
        call.kernel.wake(crate::wait::WaitKey::FileLock(inode));
        return Flow::OK;
    };
    if operation & LOCK_NB != 0 && !locks.is_whole_free(file, mode) {
        return Err(Errno::EAGAIN.because("another open file holds a lock"));
    }
    let file = call.hold(file);
    let pid = call.process().pid;
    ops::start(call, TakeWhole { file, inode, mode, pid })
}

/// ioctl(2): requests that every file knows; others go to the object.
pub(crate) fn ioctl(call: &mut Call, fd: Fd, request: u32, argument: u64) -> SysResult {
    let file = call.usable_file(fd)?;
    match request {
        FIOCLEX => set_close_on_exec(call, fd, true)?,
        FIONCLEX => set_close_on_exec(call, fd, false)?,
        FIONBIO => {
            let on: i32 = call.read(UserPtr::new(argument))?;
            let flags = &mut call.kernel.files[file].flags;
            *flags = if on != 0 { *flags | O_NONBLOCK } else { *flags & !O_NONBLOCK };
        }
        FIOASYNC => {
            let on: i32 = call.read(UserPtr::new(argument))?;
            signal_driven::switch(call, fd, file, if on != 0 { Asks::Yes } else { Asks::No })?;
        }
        FIOQSIZE => {
            let inode = locks::inode_of(call.kernel, file);
            match inode.map(|inode| &call.kernel.vfs.inodes[inode]) {
                Some(inode) if inode.is_regular() || inode.is_directory() || inode.is_symlink() => {
                    let size = inode.size();
                    call.write(UserPtr::new(argument), &size)?;
                }
                _ => return Err(Errno::ENOTTY.because("the file has no size")),
            }
        }
        FIGETBSZ if locks::inode_of(call.kernel, file).is_some() => call.write(UserPtr::new(argument), &4096i32)?,
        _ => return ops::control(call, file, request, argument),
    }
    Flow::OK
}
