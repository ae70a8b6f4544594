//! Handlers of mq_open(2) and its relatives.

use super::message_queue::{self, Deadline, Message, MessageQueue, Notification, Receive, Send};
use crate::entry::Call;
use crate::fs::{Fd, FileDescription, FileObject, ops};
use crate::kernel::Kernel;
use crate::syscalls::operation::{Flow, SysResult};
use crate::table::Id;
use crate::time;
use crate::user::{UserCStr, UserPtr};
use abi::fcntl::{O_ACCMODE, O_CLOEXEC, O_CREAT, O_EXCL, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY};
use abi::mqueue::{MQ_PRIO_MAX, QueueAttributes};
use abi::resource::{CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_SYS_RESOURCE, RLIMIT_MSGQUEUE};
use abi::signal::SIGRTMAX;
use abi::time::{SIGEV_NONE, SIGEV_SIGNAL, SIGEV_THREAD, SignalEvent, Timespec};
use abi::{Errno, Error};

/// Messages of a queue at most, whoever makes it: `HARD_MSGMAX`.
const HARD_MESSAGES_MAX: i64 = 65536;
/// Bytes of a message at most, whoever makes the queue: `HARD_MSGSIZEMAX`.
const HARD_SIZE_MAX: i64 = 16 << 20;
/// What a message costs beside its bytes: `sizeof(struct msg_msg)`.
const MESSAGE_OVERHEAD: u64 = 48;
/// What a priority costs: `sizeof(struct posix_msg_tree_node)`.
const PRIORITY_OVERHEAD: u64 = 48;

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
    let name = read_name(call, name)?;
    let id = match call.kernel.posix_queues.by_name.get(&name).copied() {
        Some(_) if flags & (O_CREAT | O_EXCL) == O_CREAT | O_EXCL => {
            return Err(Errno::EEXIST.because("the queue exists, and `O_EXCL` is set"));
        }
        Some(id) => {
            check_access(call, id, flags)?;
            id
        }
        None if flags & O_CREAT == 0 => return Err(Errno::ENOENT.because("there is no queue of this name")),
        None => create(call, name, mode, attributes)?,
    };
    call.kernel.queues[id].descriptions += 1;
    let kept = flags & (O_ACCMODE | O_NONBLOCK);
    // Linux gives no choice: POSIX says that execve(2) closes queues.
    let fd = call.open_object(FileObject::MessageQueue(id), kept | O_CLOEXEC)?;
    Ok(Flow::Done(fd.0 as u64))
}

fn read_name(call: &mut Call, name: UserCStr) -> Result<Vec<u8>, Error> {
    let name = call.read_path(name)?;
    match &name[..] {
        [] => Err(Errno::ENOENT.because("the name is empty")),
        b"." | b".." => Err(Errno::EACCES.because("the name is that of a directory")),
        name if name.contains(&b'/') => Err(Errno::EACCES.because("the name has more slashes than the first")),
        name if name.len() > 255 => Err(Errno::ENAMETOOLONG.because("the name has more than 255 bytes")),
        _ => Ok(name),
    }
}

/// The caller may open a queue in a mode.
///
/// # Errors
/// `EINVAL` for no mode, `EACCES`.
fn check_access(call: &Call, id: Id<MessageQueue>, flags: u32) -> Result<(), Error> {
    let wanted = match flags & O_ACCMODE {
        O_RDONLY => 0o4,
        O_WRONLY => 0o2,
        O_RDWR => 0o6,
        _ => return Err(Errno::EINVAL.because("`oflag` has no access mode")),
    };
    let (queue, own) = (&call.kernel.queues[id], call.credentials());
    let granted = if own.fsuid == queue.uid {
        queue.mode >> 6
    } else if own.is_in_group(queue.gid) {
        queue.mode >> 3
    } else {
        queue.mode
    };
    if wanted & !granted != 0 && !own.has_capability(CAP_DAC_OVERRIDE) {
        return Err(Errno::EACCES.because("the queue's permissions forbid it"));
    }
    Ok(())
}

/// Makes a queue: mqueue_get_inode() of ipc/mqueue.c.
fn create(
    call: &mut Call,
    name: Vec<u8>,
    mode: u32,
    attributes: Option<QueueAttributes>,
) -> Result<Id<MessageQueue>, Error> {
    let limits = call.kernel.posix_queues.limits;
    let is_privileged = call.has_capability(CAP_SYS_RESOURCE);
    if call.kernel.posix_queues.by_name.len() >= limits.queues_max && !is_privileged {
        return Err(Errno::ENOSPC.because("there are as many queues as `/proc/sys/fs/mqueue/queues_max` allows"));
    }
    let (messages, size) = match attributes {
        None => (limits.messages_default.min(limits.messages_max), limits.size_default.min(limits.size_max)),
        Some(asked) => {
            let (messages_max, size_max) =
                if is_privileged { (HARD_MESSAGES_MAX, HARD_SIZE_MAX) } else { (limits.messages_max, limits.size_max) };
            if !(1..=messages_max).contains(&asked.messages_max) || !(1..=size_max).contains(&asked.message_size) {
                return Err(Errno::EINVAL.because("`mq_maxmsg` or `mq_msgsize` is not positive, or above its limit"));
            }
            (asked.messages_max, asked.message_size)
        }
    };
    let (messages, size) = (messages as u64, size as u64);
    let bytes = messages * (size + MESSAGE_OVERHEAD) + messages.min(u64::from(MQ_PRIO_MAX)) * PRIORITY_OVERHEAD;
    let (uid, gid) = (call.credentials().fsuid, call.credentials().fsgid);
    let limit = call.process().limits.soft(RLIMIT_MSGQUEUE);
    let charged = call.kernel.posix_queues.charged.entry(uid).or_default();
    if charged.saturating_add(bytes) > limit {
        return Err(Errno::EMFILE.because("the user's queues would exceed RLIMIT_MSGQUEUE"));
    }
    *charged += bytes;
    let mask = call.context().umask;
    let now = call.kernel.clock.realtime_ns() as i64;
    let mut queue = MessageQueue::new(messages as usize, size as usize);
    queue.mode = mode & 0o7777 & !mask;
    (queue.uid, queue.gid) = (uid, gid);
    queue.charge = (uid, bytes);
    queue.times_ns = [now; 3];
    let id = call.kernel.queues.insert(queue);
    call.kernel.posix_queues.by_name.insert(name, id);
    Ok(id)
}

/// Takes a queue that is gone off its user's account.
pub(super) fn discharge(kernel: &mut Kernel, user: u32, bytes: u64) {
    if let Some(charged) = kernel.posix_queues.charged.get_mut(&user) {
        *charged -= bytes;
    }
}

/// mq_unlink(2).
pub(crate) fn mq_unlink(call: &mut Call, name: UserCStr) -> SysResult {
    let name = read_name(call, name)?;
    let Some(id) = call.kernel.posix_queues.by_name.get(&name).copied() else {
        return Err(Errno::ENOENT.because("there is no queue of this name"));
    };
    // The directory is sticky: only the owner of a queue may remove it.
    if call.credentials().fsuid != call.kernel.queues[id].uid && !call.has_capability(CAP_FOWNER) {
        return Err(Errno::EACCES.because("the queue belongs to another user"));
    }
    call.kernel.posix_queues.by_name.remove(&name);
    call.kernel.queues[id].is_linked = false;
    message_queue::remove_if_unused(call.kernel, id);
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
    ops::start(call, Send { file, queue, message, deadline, is_listed: false })
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
    ops::start(call, Receive { file, queue, to, priority, deadline, is_listed: false })
}

/// mq_notify(2).
pub(crate) fn mq_notify(call: &mut Call, fd: Fd, event: UserPtr<SignalEvent>) -> SysResult {
    let asked = match event.given() {
        Some(event) => Some(call.read(event)?),
        None => None,
    };
    let signal = match asked {
        None => None,
        Some(event) => match event.notify {
            SIGEV_NONE => Some(None),
            SIGEV_SIGNAL if (0..=SIGRTMAX).contains(&event.signal) => {
                Some((event.signal > 0).then_some((event.signal, event.value)))
            }
            SIGEV_THREAD => {
                call.kernel.unsupported("mq_notify with SIGEV_THREAD");
                return Err(Errno::EINVAL.because("belljar has no netlink sockets, by which SIGEV_THREAD is told"));
            }
            _ => return Err(Errno::EINVAL.because("`sigev_notify` or `sigev_signo` has no known value")),
        },
    };
    let (_, queue) = find(call, fd)?;
    let process = call.process_id();
    let registered = &mut call.kernel.queues[queue].notification;
    match signal {
        None => {
            if registered.is_some_and(|registered| registered.process == process) {
                *registered = None;
            }
        }
        Some(_) if registered.is_some() => {
            return Err(Errno::EBUSY.because("a process is registered for the queue already"));
        }
        Some(signal) => *registered = Some(Notification { process, signal }),
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
