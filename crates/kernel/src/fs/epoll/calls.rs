//! epoll_create(2), epoll_ctl(2).

use super::{Epoll, FLAGS, Interest, MAX_NESTING};
use super::{begin_watching, contains, depth_above, depth_below, drop_interest, set_of};
use crate::entry::Call;
use crate::fs::watch_limits::{self, Counted};
use crate::fs::{Fd, FileObject, poll};
use crate::syscalls::operation::{Flow, SysResult};
use crate::table::Id;
use crate::user::UserPtr;
use crate::wait::Keys;
use abi::epoll::{
    EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, EPOLLET, EPOLLEXCLUSIVE, EPOLLWAKEUP, EpollEvent,
};
use abi::fcntl::O_RDWR;
use abi::poll::{POLLERR, POLLHUP, POLLIN, POLLOUT};
use abi::{Errno, Error};

/// epoll_create(2): the size is a hint of old.
pub(crate) fn epoll_create(call: &mut Call, size: i32) -> SysResult {
    if size <= 0 {
        return Err(Errno::EINVAL.because("`size` is not positive"));
    }
    epoll_create1(call, 0)
}

/// epoll_create1(2).
pub(crate) fn epoll_create1(call: &mut Call, flags: i32) -> SysResult {
    if flags & !EPOLL_CLOEXEC != 0 {
        return Err(Errno::EINVAL.because("`flags` has unknown bits"));
    }
    let user = call.credentials().uid;
    let id = call.kernel.epolls.insert(Epoll { user, ..Epoll::default() });
    let fd = call.open_object(FileObject::Epoll(id), O_RDWR | flags as u32)?;
    Ok(Flow::Done(fd.0 as u64))
}

/// epoll_ctl(2).
pub(crate) fn epoll_ctl(call: &mut Call, epoll: Fd, operation: i32, fd: Fd, event: UserPtr<EpollEvent>) -> SysResult {
    let event = if operation == EPOLL_CTL_DEL { EpollEvent::default() } else { call.read(event)? };
    let set_file = call.usable_file(epoll)?;
    let file = call.usable_file(fd)?;
    if poll::readiness(call.kernel, file).is_constant {
        return Err(Errno::EPERM.because("the target file does not support epoll"));
    }
    let Some(set) = set_of(call.kernel, set_file).filter(|_| set_file != file) else {
        return Err(Errno::EINVAL.because("`epfd` is no epoll set, or the target is the set itself"));
    };
    let is_set = set_of(call.kernel, file).is_some();
    if event.events & EPOLLEXCLUSIVE != 0 {
        check_exclusive(operation, event.events, is_set)?;
    }
    let known = call.kernel.epolls[set].by_file.get(&(fd, file)).copied();
    match (operation, known) {
        (EPOLL_CTL_ADD, None) => {
            if let Some(inner) = set_of(call.kernel, file) {
                check_nesting(call, set, inner)?;
            }
            let user = call.kernel.epolls[set].user;
            if !watch_limits::charge(call.kernel, user, Counted::EpollInterest) {
                return Err(Errno::ENOSPC.because("the user has as many interests as `max_user_watches` allows"));
            }
            let interest = Interest {
                fd,
                file,
                events: event.events | POLLERR | POLLHUP,
                data: event.data,
                watched: Keys::None,
                is_listed: false,
            };
            let number = call.kernel.epolls[set].insert(interest);
            call.kernel.epoll_interests.insert((file, set, number));
            begin_watching(call.kernel, set, number);
        }
        (EPOLL_CTL_ADD, Some(_)) => return Err(Errno::EEXIST.because("the descriptor is in the set already")),
        (EPOLL_CTL_DEL, Some(number)) => drop_interest(call.kernel, set, number),
        (EPOLL_CTL_MOD, Some(number)) => {
            let interest = call.kernel.epolls[set].interests.get_mut(&number).expect("it was just found");
            if interest.events & EPOLLEXCLUSIVE != 0 {
                return Err(Errno::EINVAL.because("an exclusive interest cannot be changed"));
            }
            interest.events = event.events | POLLERR | POLLHUP;
            interest.data = event.data;
            begin_watching(call.kernel, set, number);
        }
        (EPOLL_CTL_DEL | EPOLL_CTL_MOD, None) => {
            return Err(Errno::ENOENT.because("the descriptor is not in the set"));
        }
        _ => return Err(Errno::EINVAL.because("`op` is none of the three operations")),
    }
    Flow::OK
}

/// Events that an exclusive interest may have: `EPOLLEXCLUSIVE_OK_BITS` of Linux's fs/eventpoll.c.
const EXCLUSIVE_EVENTS: u32 = POLLIN | POLLOUT | POLLERR | POLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE;

fn check_exclusive(operation: i32, events: u32, is_set: bool) -> Result<(), Error> {
    if operation == EPOLL_CTL_MOD {
        return Err(Errno::EINVAL.because("`EPOLLEXCLUSIVE` can only be given when a descriptor is added"));
    }
    if operation == EPOLL_CTL_ADD && (is_set || events & !EXCLUSIVE_EVENTS != 0) {
        return Err(Errno::EINVAL.because("`EPOLLEXCLUSIVE` does not go with these events, or with a set as target"));
    }
    Ok(())
}

/// A set may be put into another.
///
/// # Errors
/// `ELOOP` for a circle, `EINVAL` if sets would be nested more than five deep, epoll_ctl(2).
fn check_nesting(call: &Call, outer: Id<Epoll>, inner: Id<Epoll>) -> Result<(), Error> {
    let kernel = &*call.kernel;
    if contains(kernel, inner, outer, MAX_NESTING + 1) {
        return Err(Errno::ELOOP.because("epoll sets would contain one another in a circle"));
    }
    if depth_above(kernel, outer, MAX_NESTING + 1) + depth_below(kernel, inner, MAX_NESTING + 1) > MAX_NESTING + 1 {
        return Err(Errno::ELOOP.because("epoll sets would be nested more than five deep"));
    }
    Ok(())
}

const _: () = assert!(FLAGS & EXCLUSIVE_EVENTS == EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE);
