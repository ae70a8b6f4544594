//! Sets of interests in open files, epoll(7).
//!
//! An interest watches the keys that its file's readiness names ([`crate::wait::Waits::watch`]). A wake-up of such a key
//! lists the interest as perhaps ready ([`notice`]), which is all that edge-triggered interests report; epoll_wait(2)
//! asks the listed ones again, and lists level-triggered ones anew, behind the others. What a wait costs depends on how
//! many interests are listed, not on how many there are.

mod calls;
mod wait;

pub(crate) use calls::{epoll_create, epoll_create1, epoll_ctl};
pub use wait::EpollWait;
pub(crate) use wait::{epoll_pwait, epoll_pwait2, epoll_wait};

use crate::fs::poll::{self, Readiness};
use crate::fs::watch_limits::{self, Counted};
use crate::fs::{Fd, FileDescription, FileObject};
use crate::kernel::Kernel;
use crate::table::Id;
use crate::wait::{Keys, WaitKey, Watch};
use abi::epoll::{EPOLLET, EPOLLEXCLUSIVE, EPOLLONESHOT, EPOLLWAKEUP};
use abi::poll::{POLLERR, POLLHUP, POLLIN, POLLRDNORM};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Flags of an interest; the other bits are events. `EP_PRIVATE_BITS` of Linux's fs/eventpoll.c.
const FLAGS: u32 = EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE;
/// How deep sets may contain sets: `EP_MAX_NESTS` of Linux's fs/eventpoll.c.
const MAX_NESTING: usize = 4;

/// An interest: a descriptor's number and its open file at the time it was added.
#[derive(Clone, Debug)]
pub struct Interest {
    /// The number by which epoll_ctl(2) finds it.
    pub fd: Fd,
    /// The open file. Not counted as a reference: the interest goes when the file does.
    pub file: Id<FileDescription>,
    /// Event bits and flags; only flags while a one-shot interest is spent.
    pub events: u32,
    /// The program's own.
    pub data: u64,
    /// What it watches.
    watched: Keys,
    /// Whether it is among the ready.
    is_listed: bool,
}

/// A set of interests.
///
/// # Invariants
/// - `by_file` finds exactly the members of `interests`;
/// - `ready` holds exactly those that are listed, once each.
#[derive(Clone, Debug, Default)]
pub struct Epoll {
    interests: BTreeMap<u64, Interest>,
    by_file: BTreeMap<(Fd, Id<FileDescription>), u64>,
    ready: VecDeque<u64>,
    next: u64,
    /// On whose account its interests are.
    user: u32,
}

impl Epoll {
    /// On whose account its interests are.
    pub(in crate::fs) fn user(&self) -> u32 {
        self.user
    }

    /// Every interest in the order in which they were added, for `/proc/PID/fdinfo`.
    pub fn interests(&self) -> impl Iterator<Item = &Interest> {
        self.interests.values()
    }

    /// Lists an interest as perhaps ready, if it is one and is not listed; whether it is listed now.
    fn list(&mut self, number: u64) -> bool {
        let Some(interest) = self.interests.get_mut(&number) else { return false };
        if !interest.is_listed {
            interest.is_listed = true;
            self.ready.push_back(number);
        }
        true
    }

    /// Takes an interest off the list.
    fn unlist(&mut self, number: u64) {
        if let Some(interest) = self.interests.get_mut(&number)
            && interest.is_listed
        {
            interest.is_listed = false;
            self.ready.retain(|listed| *listed != number);
        }
    }

    fn insert(&mut self, interest: Interest) -> u64 {
        let number = self.next;
        self.next += 1;
        self.by_file.insert((interest.fd, interest.file), number);
        self.interests.insert(number, interest);
        number
    }

    fn remove(&mut self, number: u64) -> Option<Interest> {
        self.unlist(number);
        let interest = self.interests.remove(&number)?;
        self.by_file.remove(&(interest.fd, interest.file));
        Some(interest)
    }
}

/// A key was woken: interests that watch it are perhaps ready, and who waits for their sets is woken.
///
/// Of the interests that are exclusive, only the first whose set somebody waits for is told: ep_poll_callback() of
/// Linux's fs/eventpoll.c. The depth of this recursion is bounded by [`MAX_NESTING`].
pub fn notice(kernel: &mut Kernel, key: WaitKey) {
    let watches: Vec<Watch> = kernel.waits.watches(key).collect();
    let mut exclusive_is_served = false;
    for Watch { epoll, interest: number } in watches {
        let Some(interest) = kernel.epolls[epoll].interests.get(&number) else { continue };
        let is_exclusive = interest.events & EPOLLEXCLUSIVE != 0;
        if is_exclusive && exclusive_is_served {
            continue;
        }
        // Whether a signal descriptor is ready depends on who asks: only the one who waits can say.
        let is_signals = matches!(kernel.files[interest.file].object, FileObject::SignalFd(_));
        if !is_signals && asked_events(interest) & poll::readiness(kernel, interest.file).events == 0 {
            continue;
        }
        let set_key = WaitKey::EpollReady(epoll);
        exclusive_is_served |= is_exclusive && kernel.waits.any(set_key);
        kernel.epolls[epoll].list(number);
        kernel.wake(set_key);
    }
}

/// Events that an interest reports; none while a one-shot interest is spent.
fn asked_events(interest: &Interest) -> u32 {
    match interest.events & !FLAGS {
        0 => 0,
        events => events | POLLERR | POLLHUP,
    }
}

/// Starts to watch what an interest's file says, and lists it if it is ready now.
fn begin_watching(kernel: &mut Kernel, epoll: Id<Epoll>, number: u64) {
    let file = kernel.epolls[epoll].interests[&number].file;
    let readiness = poll::readiness(kernel, file);
    for key in &readiness.keys {
        kernel.waits.watch(*key, Watch { epoll, interest: number });
    }
    let set = &mut kernel.epolls[epoll];
    let interest = set.interests.get_mut(&number).expect("the caller has the interest");
    interest.watched = readiness.keys;
    if asked_events(interest) & readiness.events != 0 {
        set.list(number);
        kernel.wake(WaitKey::EpollReady(epoll));
    }
}

/// Drops an interest.
fn drop_interest(kernel: &mut Kernel, epoll: Id<Epoll>, number: u64) {
    let Some(interest) = kernel.epolls[epoll].remove(number) else { return };
    for key in &interest.watched {
        kernel.waits.unwatch(*key, Watch { epoll, interest: number });
    }
    kernel.epoll_interests.remove(&(interest.file, epoll, number));
    let user = kernel.epolls[epoll].user;
    watch_limits::discharge(kernel, user, Counted::EpollInterest);
}

/// An open file description is gone: so are the interests in it. To be called while it is still in the table.
pub fn file_closed(kernel: &mut Kernel, file: Id<FileDescription>) {
    if kernel.epoll_interests.is_empty() {
        return;
    }
    let every = (file, Id::FIRST, 0);
    let of_file: Vec<_> = kernel.epoll_interests.range(every..).take_while(|(of, _, _)| *of == file).copied().collect();
    for (_, epoll, number) in of_file {
        drop_interest(kernel, epoll, number);
    }
}

/// Every interest in any set by the file it is in, to find those of a file that is closed.
pub type InterestsByFile = BTreeSet<(Id<FileDescription>, Id<Epoll>, u64)>;

/// A set is readable while one of its interests is ready.
pub fn poll(kernel: &Kernel, id: Id<Epoll>) -> Readiness {
    let set = &kernel.epolls[id];
    let ready = set.ready.iter().any(|number| {
        let interest = &set.interests[number];
        asked_events(interest) & poll::readiness(kernel, interest.file).events != 0
    });
    Readiness::new(if ready { POLLIN | POLLRDNORM } else { 0 }, WaitKey::EpollReady(id))
}

/// The last description of a set is gone.
pub fn close(kernel: &mut Kernel, id: Id<Epoll>) {
    let numbers: Vec<u64> = kernel.epolls[id].interests.keys().copied().collect();
    for number in numbers {
        drop_interest(kernel, id, number);
    }
    kernel.epolls.remove(id);
}

/// The set behind an open file.
fn set_of(kernel: &Kernel, file: Id<FileDescription>) -> Option<Id<Epoll>> {
    match kernel.files[file].object {
        FileObject::Epoll(id) => Some(id),
        _ => None,
    }
}

/// How many levels of sets there are from `set` downwards, itself included; more than [`MAX_NESTING`] + 1 is cut off.
fn depth_below(kernel: &Kernel, set: Id<Epoll>, limit: usize) -> usize {
    if limit == 0 {
        return 1;
    }
    let below = kernel.epolls[set].interests().filter_map(|interest| set_of(kernel, interest.file));
    1 + below.map(|inner| depth_below(kernel, inner, limit - 1)).max().unwrap_or(0)
}

/// How many levels of sets there are from `set` upwards, itself included.
fn depth_above(kernel: &Kernel, set: Id<Epoll>, limit: usize) -> usize {
    if limit == 0 {
        return 1;
    }
    let above = kernel.waits.watches(WaitKey::EpollReady(set)).map(|watch| watch.epoll);
    1 + above.map(|outer| depth_above(kernel, outer, limit - 1)).max().unwrap_or(0)
}

/// Whether `inner` is `outer` or contains it.
fn contains(kernel: &Kernel, inner: Id<Epoll>, outer: Id<Epoll>, limit: usize) -> bool {
    inner == outer
        || limit > 0
            && kernel.epolls[inner]
                .interests()
                .filter_map(|interest| set_of(kernel, interest.file))
                .any(|below| contains(kernel, below, outer, limit - 1))
}
