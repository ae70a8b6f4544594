//! Sets of interests in open files, epoll(7).
//!
//! An interest watches the keys that its file's readiness names ([`crate::wait::Waits::watch`]). A wake-up of such a key
//! lists the interest as perhaps ready ([`notice`]), which is all that edge-triggered interests report; epoll_wait(2)
//! asks the listed ones again, and lists level-triggered ones anew, behind the others. What a wait costs depends on how
//! many interests are listed, not on how many there are.

use crate::fs::{Fd, FileDescription};
use crate::kernel::Kernel;
use crate::table::Id;
use crate::wait::{Keys, WaitKey};
use std::collections::{BTreeMap, VecDeque};

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
    listed: bool,
}

/// A set of interests.
///
/// # Invariants
/// - `by_file` finds exactly the members of `interests`;
/// - `ready` holds exactly those that are `listed`, once each.
#[derive(Clone, Debug, Default)]
pub struct Epoll {
    interests: BTreeMap<u64, Interest>,
    by_file: BTreeMap<(Fd, Id<FileDescription>), u64>,
    ready: VecDeque<u64>,
    next: u64,
}

impl Epoll {
    /// Lists an interest as perhaps ready.
    fn list(&mut self, number: u64) {
        if let Some(interest) = self.interests.get_mut(&number)
            && !interest.listed
        {
            interest.listed = true;
            self.ready.push_back(number);
        }
    }
}

/// A key was woken: interests that watch it are perhaps ready.
pub fn notice(kernel: &mut Kernel, key: WaitKey) {
    let watches: Vec<_> = kernel.waits.watches(key).collect();
    for watch in watches {
        kernel.epolls[watch.epoll].list(watch.interest);
        kernel.wake(WaitKey::EpollReady(watch.epoll));
    }
}
