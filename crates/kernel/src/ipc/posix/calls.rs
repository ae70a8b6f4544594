//! Handlers of mq_open(2) and its relatives.

use super::message_queue::{self, Cookie, Deadline, Message, MessageQueue, Notice, Notification, Receive, Send};
use super::names;
use crate::entry::Call;
use crate::fs::path::{Found, Last};
use crate::fs::{self, DirectoryEntry, Fd, FileDescription, FileObject, Node, open, ops, permission};
use crate::socket::netlink;
use crate::syscalls::operation::{Flow, SysResult};
use crate::table::Id;
use crate::time;
use crate::user::{UserCStr, UserPtr};
use abi::fcntl::{NAME_MAX, O_ACCMODE, O_CREAT, O_EXCL, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY};
use abi::mqueue::{MQ_PRIO_MAX, QueueAttributes};
use abi::signal::SIGRTMAX;
use abi::time::{SIGEV_NONE, SIGEV_SIGNAL, SIGEV_THREAD, SignalEvent, Timespec};
use abi::{Errno, Error};

/// mq_open(2). The C library has taken the leading slash off.
pub(crate) fn mq_open(
    call: &mut Call,
    name: UserCStr,
    flags: u32,
    mode: u32,
    attributes: UserPtr<QueueAttributes>,
) -> SysResult {
    let attributes = match attributes.given() {
        Some(attributes) => Some(call.read(attributes)?),
        None => None,
    };
    let found = find_name(call, name)?;
    let node = match found.node {
        Some(_) if flags & (O_CREAT | O_EXCL) == O_CREAT | O_EXCL => {
            return Err(Errno::EEXIST.because("the queue exists, and `O_EXCL` is set"));
        }
        Some(node) => {
            check_access(call, node, flags)?;
            node
        }
        None if flags & O_CREAT == 0 => return Err(found.existing().expect_err("there is no such queue")),
        None => names::create(call, found.directory, &found.name, mode, attributes)?,
    };
    let file = open::open_node(call, node, flags & (O_ACCMODE | O_NONBLOCK))?;
    // Linux gives no choice: POSIX says that execve(2) closes queues.
    let fd = call.install_fd(file, true)?;
    Ok(Flow::Done(fd.0 as u64))
}

/// Looks a name up in the namespace's directory of queues.
fn find_name(call: &mut Call, name: UserCStr) -> Result<Found, Error> {
    let name = call.read_path(name)?;
    match &name[..] {
        [] => return Err(Errno::ENOENT.because("the name is empty")),
        b"." | b".." => return Err(Errno::EACCES.because("the name is that of a directory")),
        name if name.contains(&b'/') => {
            return Err(Errno::EACCES.because("the name has more slashes than the first"));
        }
        name if name.len() > NAME_MAX => {
            return Err(Errno::ENAMETOOLONG.because("the name has more than 255 bytes"));
        }
        _ => {}
    }
    let directory = call.posix_queues().directory;
    let entries = call.kernel.inode(directory).directory().map(|directory| &directory.entries);
    let node = match entries.and_then(|entries| entries.get(&name)) {
        Some(DirectoryEntry::Node(node)) => Some(*node),
        _ => None,
    };
    Ok(Found { directory, name, last: Last::Name, node, has_trailing_slash: false })
}

/// The caller may open a queue in a mode.
///
/// # Errors
/// `EINVAL` for no mode, `EACCES`.
fn check_access(call: &Call, node: Id<Node>, flags: u32) -> Result<(), Error> {
    let wanted = match flags & O_ACCMODE {
        O_RDONLY => permission::READ,
        O_WRONLY => permission::WRITE,
        O_RDWR => permission::READ | permission::WRITE,
        _ => return Err(Errno::EINVAL.because("`oflag` has no access mode")),
    };
    call.subject().check(call.kernel.inode(node), wanted)
}

/// mq_unlink(2). The C library turns the `EPERM` of the sticky directory into `EACCES`.
pub(crate) fn mq_unlink(call: &mut Call, name: UserCStr) -> SysResult {
    let found = find_name(call, name)?;
    fs::names::unlink(call, &found)?;
    Flow::OK
}

/// The open file and the queue behind a descriptor.
///
/// # Errors
/// `EBADF` if it is no queue.
fn find(call: &Call, fd: Fd) -> Result<(Id<FileDescription>, Id<MessageQueue>), Error> {
    let file = call.usable_file(fd)?;
    match call.kernel.files[file].object {
        FileObject::MessageQueue(id) => Ok((file, id)),
        _ => Err(Errno::EBADF.because("the descriptor is no message queue")),
    }
}

fn read_deadline(call: &mut Call, deadline: UserPtr<Timespec>) -> Result<Deadline, Error> {
    match deadline.given() {
        None => Ok(Deadline::Never),
        Some(deadline) => {
            let time = call.read(deadline)?;
            Ok(Deadline::At(time::nanoseconds(time)?))
        }
    }
}

/// mq_timedsend(2).
pub(crate) fn mq_timedsend(
    call: &mut Call,
    fd: Fd,
    message: u64,
    length: u64,
    priority: u32,
    deadline: UserPtr<Timespec>,
) -> SysResult {
    if priority >= MQ_PRIO_MAX {
        return Err(Errno::EINVAL.because("`msg_prio` is not below MQ_PRIO_MAX"));
    }
    let deadline = read_deadline(call, deadline)?;
    let (file, queue) = find(call, fd)?;
    if !call.kernel.files[file].is_writable() {
        return Err(Errno::EBADF.because("the queue is not open for sending"));
    }
    if length > call.kernel.queues[queue].message_size as u64 {
        return Err(Errno::EMSGSIZE.because("the message is longer than `mq_msgsize`"));
    }
    let mut bytes = vec![0; length as usize];
    call.copy_in(message, &mut bytes)?;
    let file = call.hold(file);
    let message = Some(Message { priority, bytes });
    ops::start(call, Send { file, queue, message, deadline, ticket: None })
}

/// mq_timedreceive(2).
pub(crate) fn mq_timedreceive(
    call: &mut Call,
    fd: Fd,
    to: u64,
    length: u64,
    priority: UserPtr<u32>,
    deadline: UserPtr<Timespec>,
) -> SysResult {
    let deadline = read_deadline(call, deadline)?;
    let (file, queue) = find(call, fd)?;
    if !call.kernel.files[file].is_readable() {
        return Err(Errno::EBADF.because("the queue is not open for receiving"));
    }
    if length < call.kernel.queues[queue].message_size as u64 {
        return Err(Errno::EMSGSIZE.because("`msg_len` is less than `mq_msgsize`"));
    }
    let file = call.hold(file);
    ops::start(call, Receive { file, queue, to, priority, deadline, ticket: None, handed: None })
}

/// mq_notify(2).
pub(crate) fn mq_notify(call: &mut Call, fd: Fd, event: UserPtr<SignalEvent>) -> SysResult {
    let asked = match event.given() {
        Some(event) => Some(call.read(event)?),
        None => None,
    };
    let notice = match asked {
        None => None,
        Some(event) => Some(match event.notify {
            SIGEV_NONE => Notice::Nothing,
            SIGEV_SIGNAL if (0..=SIGRTMAX).contains(&event.signal) => {
                Notice::Signal { number: event.signal, value: event.value }
            }
            SIGEV_THREAD => {
                let cookie = call.read(UserPtr::<Cookie>::new(event.value))?;
                Notice::Thread { socket: netlink::socket_of(call, Fd(event.signal))?, cookie }
            }
            _ => return Err(Errno::EINVAL.because("`sigev_notify` or `sigev_signo` has no known value")),
        }),
    };
    let (_, queue) = find(call, fd)?;
    let process = call.process_id();
    match notice {
        None => message_queue::unregister(call.kernel, queue, process),
        Some(_) if call.kernel.queues[queue].notification.is_some() => {
            return Err(Errno::EBUSY.because("a process is registered for the queue already"));
        }
        Some(notice) => call.kernel.queues[queue].notification = Some(Notification { process, notice }),
    }
    Flow::OK
}

/// mq_getsetattr(2): only `O_NONBLOCK` can be set.
pub(crate) fn mq_getsetattr(
    call: &mut Call,
    fd: Fd,
    new: UserPtr<QueueAttributes>,
    old: UserPtr<QueueAttributes>,
) -> SysResult {
    let asked = match new.given() {
        Some(new) => Some(call.read(new)?),
        None => None,
    };
    if asked.is_some_and(|asked| asked.flags & !i64::from(O_NONBLOCK) != 0) {
        return Err(Errno::EINVAL.because("`mq_flags` has other bits than `O_NONBLOCK`"));
    }
    let (file, id) = find(call, fd)?;
    let (flags, queue) = (call.kernel.files[file].flags, &call.kernel.queues[id]);
    let before = QueueAttributes {
        flags: i64::from(flags & O_NONBLOCK),
        messages_max: queue.messages_max as i64,
        message_size: queue.message_size as i64,
        messages: queue.len() as i64,
        _reserved: [0; 4],
    };
    if let Some(asked) = asked {
        let flags = &mut call.kernel.files[file].flags;
        *flags = *flags & !O_NONBLOCK | asked.flags as u32 & O_NONBLOCK;
    }
    call.write_if_given(old, &before)?;
    Flow::OK
}
