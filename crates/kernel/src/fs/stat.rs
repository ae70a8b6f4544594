//! What files say of themselves: stat(2), statx(2), statfs(2), and the names that `/proc/PID/fd` shows.

use super::description::{FileDescription, FileObject};
use super::generated;
use super::inode::{Inode, InodeKind};
use super::mount::{FileSystem, Mount};
use super::node::Node;
use super::path::Place;
use super::stream;
use crate::entry::Call;
use crate::kernel::Kernel;
use crate::socket::Socket;
use crate::table::Id;
use abi::Error;
use abi::stat::{S_IFIFO, S_IFSOCK, Stat, Statfs, Time, make_device};

/// `st_dev` of pipes.
pub(super) const PIPE_DEVICE: u64 = make_device(0, 13);
/// `st_dev` of epoll sets, timers and other files that are nothing else.
const ANONYMOUS_DEVICE: u64 = make_device(0, 14);
/// `st_dev` of processes as files.
const PROCESS_DEVICE: u64 = make_device(0, 4);
/// The one inode that all of these share.
const ANONYMOUS_INODE: u64 = 1;
/// Number of the first pipe's inode.
const FIRST_PIPE_INODE: u64 = 1000;
/// Device number of sockets without names.
const SOCKET_DEVICE: u64 = make_device(0, 8);
/// Inode numbers of sockets begin here.
const FIRST_SOCKET_INODE: u64 = 1 << 24;

/// stat(2) of what a call is about.
///
/// # Errors
/// The host's, `ENOENT` for what has gone from proc.
pub fn of_place(call: &mut Call, place: Place) -> Result<Stat, Error> {
    match place {
        Place::Node(node) => of_inode(call, call.kernel.vfs.nodes[node].inode),
        Place::File(file) => of_file(call, file),
    }
}

/// fstat(2).
///
/// # Errors
/// The host's for its streams, `ENOENT` for what has gone from proc.
pub fn of_file(call: &mut Call, file: Id<FileDescription>) -> Result<Stat, Error> {
    let description = &call.kernel.files[file];
    if let Some(node) = description.node {
        return of_inode(call, call.kernel.vfs.nodes[node].inode);
    }
    of_object(call, description.object)
}

fn of_object(call: &mut Call, object: FileObject) -> Result<Stat, Error> {
    match object {
        FileObject::Inode(inode) | FileObject::Fifo { inode, .. } => of_inode(call, inode),
        FileObject::Terminal { terminal, .. } => {
            let special_device = super::tty::device::device_number(&call.kernel.terminals.table[terminal]);
            Ok(Stat { mode: abi::stat::S_IFCHR | 0o620, special_device, ..nameless(call) })
        }
        FileObject::Master(_) => {
            let special_device = make_device(super::tty::device::AUXILIARY_MAJOR, 2);
            Ok(Stat { mode: abi::stat::S_IFCHR | 0o666, special_device, ..nameless(call) })
        }
        FileObject::Device(device) => {
            Ok(Stat { mode: abi::stat::S_IFCHR | 0o666, special_device: device.number(), ..nameless(call) })
        }
        FileObject::Stream(stream) => stream::stat(call, stream),
        FileObject::PipeReader(pipe) | FileObject::PipeWriter(pipe) => Ok(Stat {
            device: PIPE_DEVICE,
            inode: FIRST_PIPE_INODE + u64::from(pipe.index()),
            mode: S_IFIFO | 0o600,
            ..nameless(call)
        }),
        FileObject::Socket(socket) => {
            Ok(Stat { device: SOCKET_DEVICE, inode: socket_number(socket), mode: S_IFSOCK | 0o777, ..nameless(call) })
        }
        FileObject::Process(subject) => {
            Ok(Stat { device: PROCESS_DEVICE, inode: subject.inode(), mode: 0o700, ..nameless(call) })
        }
        FileObject::MessageQueue(_) => unreachable!("a queue has a node"),
        FileObject::EventFd(_)
        | FileObject::TimerFd(_)
        | FileObject::Inotify(_)
        | FileObject::SignalFd(_)
        | FileObject::Epoll(_) => {
            Ok(Stat { device: ANONYMOUS_DEVICE, inode: ANONYMOUS_INODE, mode: 0o600, ..nameless(call) })
        }
    }
}

/// The inode number of a socket.
pub fn socket_number(socket: Id<Socket>) -> u64 {
    FIRST_SOCKET_INODE + u64::from(socket.index())
}

/// What pipes and the like have in common.
pub(super) fn nameless(call: &Call) -> Stat {
    let subject = call.subject();
    let started = Time::from_ns(call.kernel.clock.real_start_ns as i64);
    Stat {
        links: 1,
        uid: subject.uid,
        gid: subject.gid,
        block_size: 4096,
        accessed: started,
        modified: started,
        changed: started,
        ..Stat::default()
    }
}

/// stat(2) of an inode.
///
/// # Errors
/// `ENOENT` for what has gone from proc.
pub fn of_inode(call: &mut Call, id: Id<Inode>) -> Result<Stat, Error> {
    let inode = &call.kernel.vfs.inodes[id];
    match inode.kind {
        InodeKind::Anonymous(object) => return of_object(call, object),
        InodeKind::Generated(file) => {
            let device = call.kernel.vfs.mounts[inode.mount].device;
            let attributes = generated::attributes(call.kernel, file)?;
            let now = Time::from_ns(call.kernel.clock.realtime_ns() as i64);
            return Ok(Stat {
                device,
                inode: attributes.number,
                links: u64::from(attributes.links),
                mode: attributes.mode,
                uid: attributes.uid,
                gid: attributes.gid,
                size: attributes.size as i64,
                block_size: 1024,
                accessed: now,
                modified: now,
                changed: now,
                ..Stat::default()
            });
        }
        _ => {}
    }
    Ok(Stat {
        device: call.kernel.vfs.mounts[inode.mount].device,
        inode: inode.number,
        links: u64::from(inode.links),
        mode: inode.mode,
        uid: inode.uid,
        gid: inode.gid,
        special_device: inode.special_device,
        size: inode.size() as i64,
        block_size: 4096,
        blocks: blocks(call.kernel, inode) as i64,
        accessed: Time::from_ns(inode.accessed_ns),
        modified: Time::from_ns(inode.modified_ns),
        changed: Time::from_ns(inode.changed_ns),
        ..Stat::default()
    })
}

/// `st_blocks`, in units of 512 bytes: what ext4 would need, or tmpfs.
fn blocks(kernel: &Kernel, inode: &Inode) -> u64 {
    /// Longest target of a symbolic link that ext4 keeps in the inode.
    const FAST_SYMLINK: usize = 59;
    let is_ext4 = kernel.vfs.mounts[inode.mount].file_system == FileSystem::Host;
    match (&inode.kind, &inode.host) {
        (InodeKind::Regular(pages), host) => {
            pages.blocks(kernel.page_size(), host.as_ref().map_or(0, |host| host.blocks))
        }
        (_, Some(host)) => host.blocks,
        (InodeKind::Directory(_), None) if is_ext4 => 8,
        (InodeKind::Symlink(target), None) if is_ext4 && target.len() > FAST_SYMLINK => 8,
        _ => 0,
    }
}

/// The name of an open file without a path, as `/proc/PID/fd` shows it.
pub fn name_of_file(kernel: &Kernel, file: Id<FileDescription>) -> Vec<u8> {
    let description = &kernel.files[file];
    if let Some(node) = description.node {
        if let FileObject::MessageQueue(_) = description.object {
            return queue_name(kernel, node);
        }
        return kernel.path_of(node);
    }
    match description.object {
        FileObject::Inode(_) | FileObject::Fifo { .. } => b"/".to_vec(),
        FileObject::Terminal { terminal, .. } => {
            format!("/dev/pts/{}", kernel.terminals.table[terminal].number()).into_bytes()
        }
        FileObject::Master(_) => b"/dev/ptmx".to_vec(),
        FileObject::Device(device) => format!("/dev/{}", device.name()).into_bytes(),
        FileObject::Stream(stream) => stream::name(stream),
        FileObject::PipeReader(pipe) | FileObject::PipeWriter(pipe) => {
            format!("pipe:[{}]", FIRST_PIPE_INODE + u64::from(pipe.index())).into_bytes()
        }
        FileObject::EventFd(_) => b"anon_inode:[eventfd]".to_vec(),
        FileObject::TimerFd(_) => b"anon_inode:[timerfd]".to_vec(),
        FileObject::Epoll(_) => b"anon_inode:[eventpoll]".to_vec(),
        FileObject::Process(_) => b"anon_inode:[pidfd]".to_vec(),
        FileObject::Inotify(_) => b"anon_inode:inotify".to_vec(),
        FileObject::SignalFd(_) => b"anon_inode:[signalfd]".to_vec(),
        FileObject::MessageQueue(_) => unreachable!("a queue has a node"),
        FileObject::Socket(socket) => format!("socket:[{}]", socket_number(socket)).into_bytes(),
    }
}

/// The name of a queue as mq_open(3) knows it, which opens it beside the tree.
fn queue_name(kernel: &Kernel, node: Id<Node>) -> Vec<u8> {
    let mut name = [b"/", &kernel.vfs.nodes[node].name[..]].concat();
    if kernel.is_detached(node) {
        name.extend_from_slice(b" (deleted)");
    }
    name
}

/// statfs(2). Space is the guest's memory, where all changes are kept.
pub fn of_file_system(kernel: &Kernel, mount: Id<Mount>) -> Statfs {
    let Mount { file_system, device, .. } = &kernel.vfs.mounts[mount];
    let has_space = matches!(file_system, FileSystem::Host | FileSystem::Tmp | FileSystem::Devices);
    let total = if has_space { u64::from(kernel.memory.total()) } else { 0 };
    let free = if has_space { u64::from(kernel.memory.available()) } else { 0 };
    let flags = abi::stat::ST_VALID
        | abi::stat::ST_NOATIME
        | match file_system {
            FileSystem::Host | FileSystem::Nameless => 0,
            FileSystem::Tmp => abi::stat::ST_NOSUID | abi::stat::ST_NODEV,
            FileSystem::Proc | FileSystem::Sys | FileSystem::Queues => {
                abi::stat::ST_NOSUID | abi::stat::ST_NODEV | abi::stat::ST_NOEXEC
            }
            FileSystem::Devices => abi::stat::ST_NOSUID,
            FileSystem::Terminals => abi::stat::ST_NOSUID | abi::stat::ST_NOEXEC,
        };
    Statfs {
        kind: file_system.magic(),
        block_size: 4096,
        blocks: total,
        blocks_free: free,
        blocks_available: free,
        files: total,
        files_free: free,
        id: [*device as i32, 0],
        name_length: 255,
        fragment_size: 4096,
        flags,
        ..Statfs::default()
    }
}
