//! Watching files, inotify(7): a queue of events, and the inodes that fill it.
//!
//! Whatever changes a file calls [`notify`] (about a file: its own watchers and those of its directory hear of it) or
//! [`notify_entry`] (about a name: those of the directory). While nobody watches anything both cost one comparison.

pub(crate) mod calls;

use super::description::{FileDescription, Transfer};
use super::dnotify;
use super::inode::Inode;
use super::node::Node;
use super::poll::Readiness;
use super::signal_driven::{self, News, Source};
use super::watch_limits::{self, Counted};
use crate::entry::Call;
use crate::kernel::Kernel;
use crate::table::Id;
use crate::user::UserBuffer;
use crate::wait::WaitKey;
use abi::inotify::{
    IN_ALL_EVENTS, IN_DELETE_SELF, IN_EXCL_UNLINK, IN_IGNORED, IN_ISDIR, IN_ONESHOT, IN_Q_OVERFLOW, InotifyEvent,
};
use abi::poll::{POLLIN, POLLRDNORM};
use abi::{Errno, Error, Wire};
use std::collections::{BTreeMap, VecDeque};

/// What inotify_init(2) makes.
///
/// # Invariants
/// - `watches` and the `watchers` of inodes say the same; each watch holds its inode.
#[derive(Clone, Debug, Default)]
pub struct Inotify {
    /// On whose account it and its watches are.
    user: u32,
    /// Events that it takes, `/proc/sys/fs/inotify/max_queued_events` when it was made.
    most_events: usize,
    watches: BTreeMap<i32, Watch>,
    queue: VecDeque<Queued>,
    last_watch: i32,
}

/// An inode that is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Watch {
    inode: Id<Inode>,
    /// Events and flags.
    mask: u32,
}

/// An event that was not read yet.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Queued {
    watch: i32,
    mask: u32,
    cookie: u32,
    name: Vec<u8>,
}

impl Queued {
    /// Bytes of the padded name.
    fn name_length(&self) -> usize {
        if self.name.is_empty() { 0 } else { (self.name.len() + 1).next_multiple_of(InotifyEvent::SIZE) }
    }

    fn encode(&self, bytes: &mut Vec<u8>) {
        let length = self.name_length();
        let event = InotifyEvent { watch: self.watch, mask: self.mask, cookie: self.cookie, length: length as u32 };
        bytes.extend_from_slice(&event.to_bytes());
        let start = bytes.len();
        bytes.extend_from_slice(&self.name);
        bytes.resize(start + length, 0);
    }
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pushed {
    /// It is in the queue, or the event that says that the queue is full.
    Added,
    /// The last event says the same.
    Merged,
}

impl Inotify {
    /// Adds an event behind the others, unless it repeats the last one or there are too many.
    fn push(&mut self, event: Queued) -> Pushed {
        if self.queue.back() == Some(&event) {
            return Pushed::Merged;
        }
        if self.queue.len() >= self.most_events {
            let overflow = Queued { watch: -1, mask: IN_Q_OVERFLOW, cookie: 0, name: Vec::new() };
            if self.queue.back() == Some(&overflow) {
                return Pushed::Merged;
            }
            self.queue.push_back(overflow);
            return Pushed::Added;
        }
        self.queue.push_back(event);
        Pushed::Added
    }

    /// On whose account it is, and how many watches are.
    pub(in crate::fs) fn charged(&self) -> (u32, u64) {
        (self.user, self.watches.len() as u64)
    }

    /// Bytes that a read of everything would give: `FIONREAD`.
    pub fn queued_bytes(&self) -> usize {
        self.queue.iter().map(|event| InotifyEvent::SIZE + event.name_length()).sum()
    }
}

/// Whether anybody watches anything.
#[inline]
fn has_watches(kernel: &Kernel) -> bool {
    kernel.vfs.watches > 0 || kernel.vfs.directory_watches > 0
}

/// Something happened to a file: its watchers hear of it, and those of its directory, with its name.
#[inline]
pub(crate) fn notify(kernel: &mut Kernel, node: Id<Node>, mask: u32) {
    if has_watches(kernel) {
        notify_watchers(kernel, node, mask);
    }
}

fn notify_watchers(kernel: &mut Kernel, node: Id<Node>, mask: u32) {
    let Node { name, parent, inode, is_attached, .. } = &kernel.vfs.nodes[node];
    let (name, parent, inode, is_attached) = (name.clone(), *parent, *inode, *is_attached);
    let mask = mask | if kernel.vfs.inodes[inode].is_directory() { IN_ISDIR } else { 0 };
    if let Some(parent) = parent {
        let parent = kernel.vfs.nodes[parent].inode;
        deliver(kernel, parent, mask, 0, &name, !is_attached);
    }
    deliver(kernel, inode, mask, 0, b"", false);
}

/// Something happened to an open file. See [`notify`].
#[inline]
pub(crate) fn notify_file(kernel: &mut Kernel, file: Id<FileDescription>, mask: u32) {
    if has_watches(kernel)
        && let Some(node) = kernel.files[file].node
    {
        notify_watchers(kernel, node, mask);
    }
}

/// Something happened to a name: its directory's watchers hear of it.
pub(crate) fn notify_name(kernel: &mut Kernel, node: Id<Node>, mask: u32) {
    if !has_watches(kernel) {
        return;
    }
    let Node { name, parent, inode, .. } = &kernel.vfs.nodes[node];
    let (name, inode) = (name.clone(), *inode);
    let mask = mask | if kernel.vfs.inodes[inode].is_directory() { IN_ISDIR } else { 0 };
    if let Some(parent) = *parent {
        notify_entry(kernel, parent, &name, mask, 0);
    }
}

/// Something happened to a name in a directory, be it still there or not: the directory's watchers hear of it.
pub(crate) fn notify_entry(kernel: &mut Kernel, directory: Id<Node>, name: &[u8], mask: u32, cookie: u32) {
    if has_watches(kernel) {
        let inode = kernel.vfs.nodes[directory].inode;
        deliver(kernel, inode, mask, cookie, name, false);
    }
}

/// Something happened to an inode as such: its own watchers hear of it.
#[inline]
pub(crate) fn notify_self(kernel: &mut Kernel, inode: Id<Inode>, mask: u32) {
    if has_watches(kernel) {
        deliver(kernel, inode, mask, 0, b"", false);
    }
}

/// A number that ties the two events of a rename together.
pub(crate) fn next_cookie(kernel: &mut Kernel) -> u32 {
    kernel.vfs.last_cookie += 1;
    kernel.vfs.last_cookie
}

/// The last name and the last holder of an inode are gone: its watches end.
pub(super) fn inode_is_gone(kernel: &mut Kernel, inode: Id<Inode>) {
    if !has_watches(kernel) {
        return;
    }
    deliver(kernel, inode, IN_DELETE_SELF, 0, b"", false);
    for (queue, watch) in kernel.vfs.inodes[inode].watchers.clone() {
        end_watch(kernel, queue, watch);
    }
}

fn deliver(kernel: &mut Kernel, inode: Id<Inode>, mask: u32, cookie: u32, name: &[u8], is_unlinked: bool) {
    for (queue, watch) in kernel.vfs.inodes[inode].watchers.clone() {
        let wanted = kernel.inotifies[queue].watches[&watch].mask;
        if wanted & mask & IN_ALL_EVENTS == 0 || is_unlinked && wanted & IN_EXCL_UNLINK != 0 {
            continue;
        }
        push(kernel, queue, Queued { watch, mask, cookie, name: name.to_vec() });
        if wanted & IN_ONESHOT != 0 {
            end_watch(kernel, queue, watch);
        }
    }
    dnotify::deliver(kernel, inode, mask);
}

fn push(kernel: &mut Kernel, queue: Id<Inotify>, event: Queued) {
    if kernel.inotifies[queue].push(event) == Pushed::Added {
        kernel.wake(WaitKey::InotifyReadable(queue));
        signal_driven::tell(kernel, Source::Inotify(queue), News::Readable);
    }
}

/// Ends a watch and says so: `IN_IGNORED`.
fn end_watch(kernel: &mut Kernel, queue: Id<Inotify>, number: i32) {
    let inotify = &mut kernel.inotifies[queue];
    let watch = inotify.watches.remove(&number).expect("the caller has found it");
    push(kernel, queue, Queued { watch: number, mask: IN_IGNORED, cookie: 0, name: Vec::new() });
    forget_watch(kernel, queue, number, watch);
}

fn forget_watch(kernel: &mut Kernel, queue: Id<Inotify>, number: i32, watch: Watch) {
    kernel.vfs.inodes[watch.inode].watchers.retain(|watcher| *watcher != (queue, number));
    kernel.vfs.watches -= 1;
    let user = kernel.inotifies[queue].user;
    watch_limits::discharge(kernel, user, Counted::InotifyWatch);
    kernel.release_inode(watch.inode);
}

/// Reads as many whole events as fit.
///
/// # Errors
/// `EINVAL` if not even the first fits, `EFAULT`; the events stay in the queue.
pub(super) fn read(call: &mut Call, id: Id<Inotify>, to: &mut UserBuffer) -> Result<Transfer, Error> {
    let inotify = &call.kernel.inotifies[id];
    if inotify.queue.is_empty() {
        return Ok(Transfer::WouldBlock(WaitKey::InotifyReadable(id).into()));
    }
    let mut bytes = Vec::new();
    let mut count = 0;
    for event in &inotify.queue {
        if (bytes.len() + InotifyEvent::SIZE + event.name_length()) as u64 > to.remaining() {
            break;
        }
        event.encode(&mut bytes);
        count += 1;
    }
    if count == 0 {
        return Err(Errno::EINVAL.because("the buffer is too small for the next event"));
    }
    call.scatter(to, &bytes)?;
    call.kernel.inotifies[id].queue.drain(..count);
    to.advance(bytes.len() as u64);
    Ok(Transfer::Done(bytes.len()))
}

/// Readable while events are queued.
pub(in crate::fs) fn poll(kernel: &Kernel, id: Id<Inotify>) -> Readiness {
    let events = if kernel.inotifies[id].queue.is_empty() { 0 } else { POLLIN | POLLRDNORM };
    Readiness::new(events, WaitKey::InotifyReadable(id))
}

/// The last description is gone: all watches end.
pub(super) fn close(kernel: &mut Kernel, id: Id<Inotify>) {
    let watches: Vec<(i32, Watch)> =
        kernel.inotifies[id].watches.iter().map(|(number, watch)| (*number, *watch)).collect();
    for (number, watch) in watches {
        forget_watch(kernel, id, number, watch);
    }
    let user = kernel.inotifies.remove(id).user;
    watch_limits::discharge(kernel, user, Counted::InotifyQueue);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(mask: u32, name: &[u8]) -> Queued {
        Queued { watch: 1, mask, cookie: 0, name: name.to_vec() }
    }

    #[test]
    fn an_event_that_repeats_the_last_one_is_not_queued_again() {
        let mut inotify = Inotify { most_events: 100, ..Inotify::default() };
        inotify.push(event(2, b"a"));
        inotify.push(event(2, b"a"));
        inotify.push(event(2, b"b"));
        inotify.push(event(2, b"a"));
        assert_eq!(inotify.queue.len(), 3);
    }

    #[test]
    fn names_are_padded_to_whole_headers() {
        let mut bytes = Vec::new();
        event(2, b"0123456789abcdef").encode(&mut bytes);
        assert_eq!(bytes.len(), 16 + 32);
        assert_eq!(bytes[12..16], 32u32.to_le_bytes());
        assert_eq!(event(2, b"").name_length(), 0);
        assert_eq!(event(2, b"x").name_length(), 16);
    }

    #[test]
    fn too_many_events_become_one_that_says_so() {
        let mut inotify = Inotify { most_events: 100, ..Inotify::default() };
        for number in 0..110 {
            inotify.push(event(2, number.to_string().as_bytes()));
        }
        assert_eq!(inotify.queue.len(), 101);
        assert_eq!(inotify.queue.back().map(|event| event.mask), Some(IN_Q_OVERFLOW));
    }
}
