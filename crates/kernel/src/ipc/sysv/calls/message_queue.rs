//! msgget(2), msgop(2), msgctl(2). Linux's ipc/msg.c.

use super::stat_result;
use crate::entry::Call;
use crate::fs::ops;
use crate::ipc::sysv::Limits;
use crate::ipc::sysv::message_queue::{self, Message, MessageQueue, ReceiveMessage, Selection, SendMessage};
use crate::ipc::sysv::registry::{self, Entry, Found, Identifier, ObjectId, check_access, check_owner};
use crate::syscalls::operation::{Flow, SysResult};
use crate::user::UserPtr;
use abi::Errno;
use abi::ipc::*;
use abi::resource::CAP_SYS_RESOURCE;

/// msgget(2).
pub(crate) fn msgget(call: &mut Call, key: i32, flags: i32) -> SysResult {
    let system_v = call.system_v();
    if let Found::Existing(id) = system_v.queues.look_up(call, key, flags, |_| Ok(()))? {
        return Ok(Flow::Done(id.0 as u64));
    }
    if system_v.queues.len() >= system_v.limits.queues {
        return Err(Errno::ENOSPC.because("there are as many queues as there may be"));
    }
    let queue = MessageQueue::new(system_v.limits.queue_size);
    let (permissions, now) = (registry::new_permissions(call, key, flags), registry::now(call));
    let id = call.system_v_mut().queues.insert(permissions, now, queue);
    Ok(Flow::Done(id.0 as u64))
}

/// msgsnd(2).
pub(crate) fn msgsnd(call: &mut Call, id: i32, message: UserPtr<i64>, size: u64, flags: i32) -> SysResult {
    if size > call.system_v().limits.message_size as u64 || id < 0 {
        return Err(Errno::EINVAL.because("`msgsz` is above `/proc/sys/kernel/msgmax`, or `msqid` is negative"));
    }
    let kind = call.read(message)?;
    if kind < 1 {
        return Err(Errno::EINVAL.because("the message's type is not positive"));
    }
    let mut bytes = vec![0; size as usize];
    call.copy_in(message.address().wrapping_add(8), &mut bytes)?;
    let object = ObjectId { namespace: call.ipc_namespace(), id: Identifier(id) };
    let message = Some(Message { kind, bytes });
    ops::start(call, SendMessage { object, message, flags, ticket: None })
}

/// msgrcv(2).
pub(crate) fn msgrcv(call: &mut Call, id: i32, to: UserPtr<i64>, size: u64, kind: i64, flags: i32) -> SysResult {
    if id < 0 || size > i64::MAX as u64 {
        return Err(Errno::EINVAL.because("`msqid` or `msgsz` is negative"));
    }
    if flags & MSG_COPY != 0 && flags & (MSG_EXCEPT | IPC_NOWAIT) != IPC_NOWAIT {
        return Err(Errno::EINVAL.because("`MSG_COPY` goes with `IPC_NOWAIT` and without `MSG_EXCEPT`"));
    }
    if flags & MSG_COPY != 0 {
        // Linux makes the copy's place from the caller's buffer: prepare_copy().
        let mut scratch = vec![0; (size as usize).min(call.system_v().limits.message_size)];
        call.copy_in(to.address(), &mut scratch)?;
    }
    let object = ObjectId { namespace: call.ipc_namespace(), id: Identifier(id) };
    let selection = Selection::new(kind, flags);
    let room = size as usize;
    ops::start(call, ReceiveMessage { object, to, room, selection, flags, ticket: None, handed: None })
}

/// msgctl(2).
pub(crate) fn msgctl(call: &mut Call, id: i32, command: i32, argument: u64) -> SysResult {
    if id < 0 || command < 0 {
        return Err(Errno::EINVAL.because("`msqid` or `op` is negative"));
    }
    match command {
        IPC_INFO | MSG_INFO => tell_message_limits(call, command, UserPtr::new(argument)),
        IPC_STAT | MSG_STAT | MSG_STAT_ANY => {
            let queues = &call.system_v().queues;
            let entry = if command == IPC_STAT { queues.get(Identifier(id))? } else { queues.at_index(id)? };
            if command != MSG_STAT_ANY {
                check_access(call, &entry.permissions, registry::READ)?;
            }
            let (status, result) = (queue_status(entry), stat_result(command, MSG_STAT, entry.id));
            call.write(UserPtr::new(argument), &status)?;
            Ok(Flow::Done(result))
        }
        IPC_SET => set_queue(call, Identifier(id), UserPtr::new(argument)),
        IPC_RMID => {
            let permissions = call.system_v().queues.get(Identifier(id))?.permissions;
            check_owner(call, &permissions)?;
            let namespace = call.ipc_namespace();
            message_queue::remove(call, ObjectId { namespace, id: Identifier(id) });
            Flow::OK
        }
        _ => Err(Errno::EINVAL.because("`op` is no known command")),
    }
}

fn queue_status(entry: &Entry<MessageQueue>) -> MessageQueueStatus {
    let queue = &entry.object;
    MessageQueueStatus {
        permissions: entry.permissions,
        sent: queue.sent,
        received: queue.received,
        changed: entry.changed,
        bytes: queue.bytes() as u64,
        messages: queue.len() as u64,
        limit: queue.limit as u64,
        last_sender: queue.last_sender,
        last_receiver: queue.last_receiver,
        ..Default::default()
    }
}

/// KiB of messages, entries of a map, and messages: constants of linux/msg.h that nothing uses any more.
const MSGPOOL: i32 = 512_000;
const MSGMAP: i32 = 16_384;
const MSGTQL: i32 = 16_384;

fn tell_message_limits(call: &mut Call, command: i32, to: UserPtr<MessageInfo>) -> SysResult {
    let system_v = call.system_v();
    let Limits { message_size, queue_size, queues, .. } = system_v.limits;
    let used = |measure: fn(&MessageQueue) -> usize| -> i32 {
        system_v.queues.iter().map(|entry| measure(&entry.object)).sum::<usize>() as i32
    };
    let info = command == MSG_INFO;
    let message_info = MessageInfo {
        pool: if info { system_v.queues.len() as i32 } else { MSGPOOL },
        map: if info { used(MessageQueue::len) } else { MSGMAP },
        max: message_size as i32,
        queue_bytes: queue_size as i32,
        queues: queues as i32,
        segment_size: 16,
        messages: if info { used(MessageQueue::bytes) } else { MSGTQL },
        segments: 0xffff,
        _pad: 0,
    };
    let highest = system_v.queues.highest_index();
    call.write(to, &message_info)?;
    Ok(Flow::Done(highest as u64))
}

fn set_queue(call: &mut Call, id: Identifier, from: UserPtr<MessageQueueStatus>) -> SysResult {
    let asked = call.read(from)?;
    let now = registry::now(call);
    let permissions = call.system_v().queues.get(id)?.permissions;
    check_owner(call, &permissions)?;
    if asked.limit > call.system_v().limits.queue_size as u64 && !call.has_capability(CAP_SYS_RESOURCE) {
        return Err(Errno::EPERM.because("`msg_qbytes` above `/proc/sys/kernel/msgmnb` takes `CAP_SYS_RESOURCE`"));
    }
    let entry = call.system_v_mut().queues.get_mut(id)?;
    registry::change(&mut entry.permissions, &asked.permissions)?;
    entry.object.limit = usize::try_from(asked.limit).unwrap_or(usize::MAX);
    entry.changed = now;
    let namespace = call.ipc_namespace();
    message_queue::changed(call.kernel, ObjectId { namespace, id });
    Flow::OK
}
