//! How much one user may watch: `/proc/sys/fs/epoll`, `/proc/sys/fs/inotify`.

use crate::kernel::Kernel;
use std::collections::BTreeMap;

/// Bytes that Linux reckons for an interest of an epoll set, `EP_ITEM_COST`.
const EPOLL_INTEREST_BYTES: u64 = 184;
/// Bytes that it reckons for a watch of inotify, `INOTIFY_WATCH_COST`.
const INOTIFY_WATCH_BYTES: u64 = 1312;

/// The limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchLimits {
    /// Interests in epoll sets, `epoll/max_user_watches`.
    pub epoll_interests: u64,
    /// Events in a queue, `inotify/max_queued_events`.
    pub inotify_events: usize,
    /// Queues, `inotify/max_user_instances`.
    pub inotify_queues: u64,
    /// Watches, `inotify/max_user_watches`.
    pub inotify_watches: u64,
}

impl WatchLimits {
    /// Those of a machine with so much memory: a 25th of it for epoll, at most a 100th for inotify.
    pub fn new(memory_bytes: u64) -> WatchLimits {
        WatchLimits {
            epoll_interests: memory_bytes / 25 / EPOLL_INTEREST_BYTES,
            inotify_events: 16384,
            inotify_queues: 128,
            inotify_watches: (memory_bytes / 100 / INOTIFY_WATCH_BYTES).clamp(8192, 1_048_576),
        }
    }
}

/// What of a user's account is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Interests in epoll sets.
    EpollInterest,
    /// Queues of inotify.
    InotifyQueue,
    /// Watches of inotify.
    InotifyWatch,
}

/// Puts one more on a user's account; `false`: the user has as many as there may be.
pub(super) fn charge(kernel: &mut Kernel, user: u32, what: Counted) -> bool {
    let limits = kernel.watch_limits;
    let account = kernel.users.entry(user).or_default();
    let (count, most) = match what {
        Counted::EpollInterest => (&mut account.epoll_interests, limits.epoll_interests),
        Counted::InotifyQueue => (&mut account.inotify_queues, limits.inotify_queues),
        Counted::InotifyWatch => (&mut account.inotify_watches, limits.inotify_watches),
    };
    let has_room = *count < most;
    *count += u64::from(has_room);
    has_room
}

/// Takes one off a user's account.
pub(super) fn discharge(kernel: &mut Kernel, user: u32, what: Counted) {
    let account = kernel.users.entry(user).or_default();
    let count = match what {
        Counted::EpollInterest => &mut account.epoll_interests,
        Counted::InotifyQueue => &mut account.inotify_queues,
        Counted::InotifyWatch => &mut account.inotify_watches,
    };
    *count = count.checked_sub(1).expect("what leaves an account came to it");
}

/// Checks that users' accounts are the sums of what they have.
///
/// # Errors
/// What does not hold.
pub(crate) fn check(kernel: &Kernel) -> Result<(), String> {
    let mut sums: BTreeMap<u32, [u64; 3]> = BTreeMap::new();
    for (_, set) in kernel.epolls.iter() {
        sums.entry(set.user()).or_default()[0] += set.interests().count() as u64;
    }
    for (_, inotify) in kernel.inotifies.iter() {
        let (user, watches) = inotify.charged();
        let [_, queues, all] = sums.entry(user).or_default();
        *queues += 1;
        *all += watches;
    }
    for (user, account) in &kernel.users {
        let sum = sums.remove(user).unwrap_or_default();
        if sum != [account.epoll_interests, account.inotify_queues, account.inotify_watches] {
            return Err(format!("user {user} watches {sum:?}, and as much is not on the account"));
        }
    }
    if sums.is_empty() { Ok(()) } else { Err("somebody without account watches something".to_string()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Bench;

    #[test]
    fn one_user_has_so_many_interests_and_another_one_as_many() {
        let mut bench = Bench::new(64, &[]);
        let kernel = &mut bench.kernel;
        kernel.watch_limits.epoll_interests = 2;
        assert!(charge(kernel, 7, Counted::EpollInterest));
        assert!(charge(kernel, 7, Counted::EpollInterest));
        assert!(!charge(kernel, 7, Counted::EpollInterest));
        assert!(charge(kernel, 7, Counted::InotifyWatch));
        assert!(charge(kernel, 8, Counted::EpollInterest));
        discharge(kernel, 7, Counted::EpollInterest);
        assert!(charge(kernel, 7, Counted::EpollInterest));
    }
}
