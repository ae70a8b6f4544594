//! epoll_wait(2) and its variants.

use super::{Epoll, FLAGS, asked_events, set_of};
use crate::entry::Call;
use crate::fs::poll::{self, Timeout};
use crate::fs::{Fd, FileDescription};
use crate::signal::mask;
use crate::syscalls::operation::{Blocking, Interrupted, Step, SysResult};
use crate::table::Id;
use crate::user::UserPtr;
use crate::wait::{Wait, WaitKey};
use abi::epoll::{EPOLLET, EPOLLONESHOT, EpollEvent};
use abi::time::Timespec;
use abi::{Errno, Error, Wire};

/// A wait for interests of a set.
#[derive(Clone, Debug)]
pub struct EpollWait {
    /// The set's open file, held.
    pub file: Id<FileDescription>,
    /// The set.
    pub epoll: Id<Epoll>,
    /// Where events go.
    pub events: UserPtr<EpollEvent>,
    /// How many at most.
    pub limit: usize,
    /// Until when.
    pub timeout: Timeout,
}

/// epoll_wait(2).
pub(crate) fn epoll_wait(
    call: &mut Call,
    epoll: Fd,
    events: UserPtr<EpollEvent>,
    limit: i32,
    timeout_ms: i32,
) -> SysResult {
    let timeout = Timeout::from_milliseconds(call, timeout_ms);
    start(call, epoll, events, limit, timeout)
}

/// epoll_pwait(2).
pub(crate) fn epoll_pwait(
    call: &mut Call,
    epoll: Fd,
    events: UserPtr<EpollEvent>,
    limit: i32,
    timeout_ms: i32,
    signal_mask: UserPtr<u64>,
    mask_size: u64,
) -> SysResult {
    let timeout = Timeout::from_milliseconds(call, timeout_ms);
    start_masked(call, epoll, events, limit, timeout, signal_mask, mask_size)
}

/// epoll_pwait2(2).
pub(crate) fn epoll_pwait2(
    call: &mut Call,
    epoll: Fd,
    events: UserPtr<EpollEvent>,
    limit: i32,
    timeout: UserPtr<Timespec>,
    signal_mask: UserPtr<u64>,
    mask_size: u64,
) -> SysResult {
    let timeout = Timeout::from_constant_timespec(call, timeout)?;
    start_masked(call, epoll, events, limit, timeout, signal_mask, mask_size)
}

fn start_masked(
    call: &mut Call,
    epoll: Fd,
    events: UserPtr<EpollEvent>,
    limit: i32,
    timeout: Timeout,
    signal_mask: UserPtr<u64>,
    mask_size: u64,
) -> SysResult {
    mask::enter(call, signal_mask, mask_size)?;
    let result = start(call, epoll, events, limit, timeout);
    if result.is_err() {
        mask::leave(call);
    }
    result
}

fn start(call: &mut Call, epoll: Fd, events: UserPtr<EpollEvent>, limit: i32, timeout: Timeout) -> SysResult {
    if limit <= 0 || limit as usize > i32::MAX as usize / EpollEvent::SIZE {
        return Err(Errno::EINVAL.because("`maxevents` is not positive, or too large"));
    }
    let file = call.usable_file(epoll)?;
    let Some(epoll) = set_of(call.kernel, file) else {
        return Err(Errno::EINVAL.because("`epfd` is no epoll set"));
    };
    let file = call.hold(file);
    Ok(EpollWait { file, epoll, events, limit: limit as usize, timeout }.into())
}

impl EpollWait {
    /// Reports listed interests that are ready, each once; how many. Level-triggered ones are listed anew behind the
    /// others, so that a small `maxevents` starves nobody: ep_send_events() of Linux's fs/eventpoll.c.
    fn report(&self, call: &mut Call) -> Result<usize, Error> {
        let mut reported = 0;
        let listed = call.kernel.epolls[self.epoll].ready.len();
        for _ in 0..listed {
            if reported == self.limit {
                break;
            }
            let set = &call.kernel.epolls[self.epoll];
            let Some(number) = set.ready.front().copied() else { break };
            let interest = &set.interests[&number];
            let events = asked_events(interest) & poll::readiness(call.kernel, interest.file).events;
            if events != 0 {
                let event = EpollEvent { events, data: interest.data };
                let to = self.events.byte_offset::<EpollEvent>((reported * EpollEvent::SIZE) as u64);
                if let Err(error) = call.write(to, &event) {
                    return if reported > 0 { Ok(reported) } else { Err(error) };
                }
                reported += 1;
            }
            let set = &mut call.kernel.epolls[self.epoll];
            set.ready.pop_front();
            let interest = set.interests.get_mut(&number).expect("a listed interest exists");
            interest.is_listed = false;
            if events != 0 && interest.events & EPOLLONESHOT != 0 {
                interest.events &= FLAGS;
            } else if events != 0 && interest.events & EPOLLET == 0 {
                set.list(number);
            }
        }
        Ok(reported)
    }
}

impl Blocking for EpollWait {
    fn step(&mut self, call: &mut Call) -> Result<Step, Error> {
        let reported = self.report(call)?;
        if reported > 0 || self.timeout.has_passed(call) {
            return Ok(Step::Done(reported as u64));
        }
        Ok(Step::Block(Wait::on(WaitKey::EpollReady(self.epoll)).with_deadline(self.timeout.deadline)))
    }

    fn interrupted(&self) -> Interrupted {
        Interrupted::NeverNorWhenStopped
    }

    fn held_files(&self) -> Vec<Id<FileDescription>> {
        vec![self.file]
    }

    fn release(&mut self, call: &mut Call) {
        call.release_file(self.file);
        mask::leave(call);
    }
}
