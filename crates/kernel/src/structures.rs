//! Memory of the kernel's own structures: pipes and what is in them, sockets, inodes, descriptors, areas, threads.
//!
//! They live in belljar's memory, not in frames. So that a guest cannot make belljar larger than its machine, what they
//! take is taken off the frames that are left, as slabs are on Linux; and where Linux's own limits would let them fill
//! memory, calls that make more of them fail once they have half of it.
//!
//! Counting all of them takes time, so it is done after some growth only: every call that makes something adds what it
//! makes at most to a sum. Sizes are estimates, rounded up, the same on every machine.

use crate::fs::InodeKind;
use crate::kernel::Kernel;
use crate::mm::reclaim;
use abi::{Errno, Error};

/// Growth in bytes after which the structures are counted again.
const RECOUNT: u64 = 1 << 20;
/// Virtual nanoseconds between two counts while calls are refused.
const PATIENCE_NS: u64 = 1_000_000;

/// What is known of the structures' memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Structures {
    /// Bytes at the last count.
    pub bytes: u64,
    /// Bytes made since, at most.
    grown: u64,
    /// When they were counted last, in nanoseconds since the start.
    counted_at: u64,
}

/// What a call makes at most, in bytes, and how it fails when there is no room: its man page's errno.
fn growth(number: u64) -> Option<(u64, Errno)> {
    Some(match number {
        // open, creat, openat, openat2, memfd_create: descriptor, node, inode.
        2 | 85 | 257 | 437 | 319 => (1500, Errno::ENFILE),
        // mmap, mprotect, madvise: areas.
        9 | 10 | 28 => (500, Errno::ENOMEM),
        // pipe, pipe2.
        22 | 293 => (2000, Errno::ENFILE),
        // socket, socketpair, accept, accept4.
        41 | 53 | 43 | 288 => (3000, Errno::ENFILE),
        // sendto, sendmsg, sendmmsg: the bytes are added by those who queue them.
        44 | 46 | 307 => (500, Errno::ENOBUFS),
        // fork, vfork, clone, clone3.
        56..=58 | 435 => (100_000, Errno::EAGAIN),
        // msgget, msgsnd, semget, shmget, mq_open.
        68 | 69 => (10_000, Errno::ENOMEM),
        64 => (1 << 20, Errno::ENOMEM),
        29 | 240 => (1000, Errno::ENOSPC),
        // dup, dup2, dup3, fcntl, flock.
        32 | 33 | 292 => (100, Errno::EMFILE),
        72 | 73 => (200, Errno::ENOLCK),
        // mkdir, mkdirat, link, linkat, symlink, symlinkat, mknod, mknodat.
        83 | 258 | 86 | 265 | 133 | 259 => (2000, Errno::ENOSPC),
        88 | 266 => (6000, Errno::ENOSPC),
        // setxattr and its kin.
        188..=190 => (66_000, Errno::ENOSPC),
        // eventfd, signalfd, timerfd_create, epoll_create, inotify_init, pidfd_open and their later forms.
        282..=284 | 289 | 290 | 213 | 291 | 253 | 294 | 434 => (1000, Errno::ENFILE),
        // epoll_ctl, inotify_add_watch.
        233 | 254 => (500, Errno::ENOSPC),
        // timer_create, rt_sigqueueinfo, rt_tgsigqueueinfo.
        222 | 129 | 297 => (300, Errno::EAGAIN),
        _ => return None,
    })
}

/// Lets a system call in that makes something, unless the structures have half of memory already.
///
/// # Errors
/// The call's own for that.
#[inline]
pub(crate) fn admit(kernel: &mut Kernel, number: u64) -> Result<(), Error> {
    match growth(number) {
        None => Ok(()),
        // Record locks may be given back, and flags changed.
        Some((bytes, errno)) => match grow(kernel, bytes) {
            Room::Left => Ok(()),
            Room::None => Err(errno.because("the kernel's structures have half of the machine's memory")),
        },
    }
}

/// Whether the structures may grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// They may.
    Left,
    /// They have half of memory.
    None,
}

/// Adds bytes that are about to be queued somewhere; whether there is room.
#[inline]
pub(crate) fn grow(kernel: &mut Kernel, bytes: u64) -> Room {
    let Structures { grown, .. } = &mut kernel.structures;
    *grown += bytes;
    let limit = u64::from(kernel.memory.total()) * kernel.memory.frame_size() as u64 / 2;
    let is_full = kernel.structures.bytes >= limit;
    if kernel.structures.grown < RECOUNT && !is_full {
        return Room::Left;
    }
    if is_full && kernel.clock.now().0 < kernel.structures.counted_at + PATIENCE_NS {
        return Room::None;
    }
    recount(kernel);
    if kernel.structures.bytes >= limit { Room::None } else { Room::Left }
}

/// Counts the structures and takes what they have off the frames that are left.
#[cold]
fn recount(kernel: &mut Kernel) {
    let bytes = count(kernel);
    kernel.structures = Structures { bytes, grown: 0, counted_at: kernel.clock.now().0 };
    kernel.memory.reserve(u32::try_from(bytes / kernel.memory.frame_size() as u64).unwrap_or(u32::MAX));
    reclaim::make_room(kernel, 1);
}

/// Bytes of the kernel's structures, about.
pub fn count(kernel: &Kernel) -> u64 {
    let each = |count: usize, bytes: u64| count as u64 * bytes;
    let mut bytes = each(kernel.threads.len(), 6000)
        + each(kernel.processes.len(), 3000)
        + each(kernel.spaces.len(), 100_000)
        + each(kernel.files.len(), 400)
        + each(kernel.vfs.nodes.len(), 400)
        + each(kernel.event_fds.len() + kernel.timer_fds.len() + kernel.signal_fds.len(), 200);
    bytes += kernel.spaces.iter().map(|(_, space)| each(space.areas.len(), 300)).sum::<u64>();
    bytes += kernel.fd_tables.iter().map(|(_, table)| each(table.iter().count(), 32)).sum::<u64>();
    bytes += kernel.pipes.iter().map(|(_, pipe)| 500 + pipe.held_bytes()).sum::<u64>();
    bytes += kernel.sockets.iter().map(|(_, socket)| 1500 + socket.held_bytes()).sum::<u64>();
    bytes += kernel.epolls.iter().map(|(_, set)| 300 + each(set.interests().count(), 400)).sum::<u64>();
    for (_, inode) in kernel.vfs.inodes.iter() {
        bytes += 700 + each(inode.watchers.len(), 150) + each(inode.locks.records.len(), 100);
        bytes += inode.attributes.iter().map(|(key, value)| (key.len() + value.len() + 100) as u64).sum::<u64>();
        bytes += match &inode.kind {
            InodeKind::Symlink(target) => target.len() as u64,
            InodeKind::Directory(directory) => each(directory.entries.len(), 200),
            InodeKind::Regular(pages) => each(pages.frames().count(), 48),
            _ => 0,
        };
    }
    for (_, namespace) in kernel.ipc_namespaces.iter() {
        for queue in namespace.system_v.queues.iter() {
            bytes += 500 + queue.object.held_bytes();
        }
        bytes += each(namespace.system_v.semaphores.len(), 500) + each(namespace.system_v.semaphores_used, 64);
    }
    bytes
}
