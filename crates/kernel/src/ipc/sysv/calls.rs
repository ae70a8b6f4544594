//! Handlers of System V calls.

use super::message_queue::{self, Message, MessageQueue, ReceiveMessage, Selection, SendMessage};
use super::registry::{self, Entry, Found, Identifier, check_access, check_owner};
use super::semaphore::{self, Semaphore, SemaphoreSet, SemaphoreWait};
use super::shared_memory::{self, Segment};
use super::{Limits, SEMAPHORE_MAXIMUM};
use crate::clock::Instant;
use crate::entry::Call;
use crate::fs::ops;
use crate::kernel::Kernel;
use crate::syscalls::operation::{Flow, SysResult};
use crate::time;
use crate::user::UserPtr;
use crate::wait::WaitKey;
use abi::ipc::*;
use abi::resource::{CAP_IPC_LOCK, CAP_SYS_RESOURCE};
use abi::time::Timespec;
use abi::{Errno, Error};

/// msgget(2).
pub(crate) fn msgget(call: &mut Call, key: i32, flags: i32) -> SysResult {
    let system_v = &call.kernel.system_v;
    if let Found::Existing(id) = system_v.queues.look_up(call, key, flags, |_| Ok(()))? {
        return Ok(Flow::Done(id.0 as u64));
    }
    if system_v.queues.len() >= system_v.limits.queues {
        return Err(Errno::ENOSPC.because("there are as many queues as there may be"));
    }
    let queue = MessageQueue::new(system_v.limits.queue_size);
    let (permissions, now) = (registry::new_permissions(call, key, flags), registry::now(call));
    let id = call.kernel.system_v.queues.insert(permissions, now, queue);
    Ok(Flow::Done(id.0 as u64))
}

/// msgsnd(2).
pub(crate) fn msgsnd(call: &mut Call, id: i32, message: UserPtr<i64>, size: u64, flags: i32) -> SysResult {
    if size > call.kernel.system_v.limits.message_size as u64 || id < 0 {
        return Err(Errno::EINVAL.because("`msgsz` is above `/proc/sys/kernel/msgmax`, or `msqid` is negative"));
    }
    let kind = call.read(message)?;
    if kind < 1 {
        return Err(Errno::EINVAL.because("the message's type is not positive"));
    }
    let mut bytes = vec![0; size as usize];
    call.copy_in(message.address().wrapping_add(8), &mut bytes)?;
    let id = Identifier(id);
    let permissions = call.kernel.system_v.queues.get(id)?.permissions;
    check_access(call, &permissions, registry::WRITE)?;
    ops::start(call, SendMessage { id, message: Some(Message { kind, bytes }), flags, has_slept: false })
}

/// msgrcv(2).
pub(crate) fn msgrcv(call: &mut Call, id: i32, to: UserPtr<i64>, size: u64, kind: i64, flags: i32) -> SysResult {
    if id < 0 || size > i64::MAX as u64 {
        return Err(Errno::EINVAL.because("`msqid` or `msgsz` is negative"));
    }
    if flags & MSG_COPY != 0 && flags & (MSG_EXCEPT | IPC_NOWAIT) != IPC_NOWAIT {
        return Err(Errno::EINVAL.because("`MSG_COPY` goes with `IPC_NOWAIT` and without `MSG_EXCEPT`"));
    }
    let id = Identifier(id);
    let permissions = call.kernel.system_v.queues.get(id)?.permissions;
    check_access(call, &permissions, registry::READ)?;
    let selection = Selection::new(kind, flags);
    ops::start(call, ReceiveMessage { id, to, room: size as usize, selection, flags, is_listed: false })
}

/// msgctl(2).
pub(crate) fn msgctl(call: &mut Call, id: i32, command: i32, argument: u64) -> SysResult {
    if id < 0 || command < 0 {
        return Err(Errno::EINVAL.because("`msqid` or `op` is negative"));
    }
    match command & !IPC_64 {
        IPC_INFO | MSG_INFO => tell_message_limits(call, command & !IPC_64, UserPtr::new(argument)),
        IPC_STAT | MSG_STAT | MSG_STAT_ANY => {
            let queues = &call.kernel.system_v.queues;
            let entry =
                if command & !IPC_64 == IPC_STAT { queues.get(Identifier(id))? } else { queues.at_index(id)? };
            if command & !IPC_64 != MSG_STAT_ANY {
                check_access(call, &entry.permissions, registry::READ)?;
            }
            let (status, result) = (queue_status(entry), stat_result(command, MSG_STAT, entry.id));
            call.write(UserPtr::new(argument), &status)?;
            Ok(Flow::Done(result))
        }
        IPC_SET => set_queue(call, Identifier(id), UserPtr::new(argument)),
        IPC_RMID => {
            let permissions = call.kernel.system_v.queues.get(Identifier(id))?.permissions;
            check_owner(call, &permissions)?;
            message_queue::remove(call.kernel, Identifier(id));
            Flow::OK
        }
        _ => Err(Errno::EINVAL.because("`op` is no known command")),
    }
}

/// IPC_STAT returns 0, the variants by index the identifier.
fn stat_result(command: i32, by_index: i32, id: Identifier) -> u64 {
    if command & !IPC_64 >= by_index { id.0 as u64 } else { 0 }
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

fn tell_message_limits(call: &mut Call, command: i32, to: UserPtr<MessageInfo>) -> SysResult {
    let system_v = &call.kernel.system_v;
    let Limits { message_size, queue_size, queues, .. } = system_v.limits;
    let used = |measure: fn(&MessageQueue) -> usize| -> i32 {
        system_v.queues.iter().map(|entry| measure(&entry.object)).sum::<usize>() as i32
    };
    let info = command == MSG_INFO;
    // The constants of include/uapi/linux/msg.h that nothing uses any more.
    let message_info = MessageInfo {
        pool: if info { system_v.queues.len() as i32 } else { (queues * queue_size / 1024) as i32 },
        map: if info { used(MessageQueue::len) } else { queue_size as i32 },
        max: message_size as i32,
        queue_bytes: queue_size as i32,
        queues: queues as i32,
        segment_size: 16,
        messages: if info { used(MessageQueue::bytes) } else { queue_size as i32 },
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
    let permissions = call.kernel.system_v.queues.get(id)?.permissions;
    check_owner(call, &permissions)?;
    if asked.limit > call.kernel.system_v.limits.queue_size as u64 && !call.has_capability(CAP_SYS_RESOURCE) {
        return Err(Errno::EPERM.because("`msg_qbytes` above `/proc/sys/kernel/msgmnb` takes `CAP_SYS_RESOURCE`"));
    }
    let entry = call.kernel.system_v.queues.get_mut(id)?;
    registry::change(&mut entry.permissions, &asked.permissions);
    entry.object.limit = usize::try_from(asked.limit).unwrap_or(usize::MAX);
    entry.changed = now;
    call.kernel.wake(WaitKey::QueueRoom(id));
    call.kernel.wake(WaitKey::QueueMessage(id));
    Flow::OK
}

/// semget(2).
pub(crate) fn semget(call: &mut Call, key: i32, count: i32, flags: i32) -> SysResult {
    let system_v = &call.kernel.system_v;
    let limits = system_v.limits;
    let count = usize::try_from(count).ok().filter(|count| *count <= limits.semaphores_per_set);
    let Some(count) = count else {
        return Err(Errno::EINVAL.because("`nsems` is negative, or above `SEMMSL`"));
    };
    let is_large_enough = |entry: &Entry<SemaphoreSet>| {
        if count > entry.object.semaphores.len() {
            return Err(Errno::EINVAL.because("the set has fewer semaphores than `nsems`"));
        }
        Ok(())
    };
    if let Found::Existing(id) = system_v.semaphores.look_up(call, key, flags, is_large_enough)? {
        return Ok(Flow::Done(id.0 as u64));
    }
    if count == 0 {
        return Err(Errno::EINVAL.because("a new set has at least one semaphore"));
    }
    let used: usize = system_v.semaphores.iter().map(|entry| entry.object.semaphores.len()).sum();
    if system_v.semaphores.len() >= limits.sets || used + count > limits.semaphores {
        return Err(Errno::ENOSPC.because("there are as many semaphores, or sets, as there may be"));
    }
    let (permissions, now) = (registry::new_permissions(call, key, flags), registry::now(call));
    let id = call.kernel.system_v.semaphores.insert(permissions, now, SemaphoreSet::new(count));
    Ok(Flow::Done(id.0 as u64))
}

/// semop(2).
pub(crate) fn semop(call: &mut Call, id: i32, operations: UserPtr<SemaphoreOperation>, count: u64) -> SysResult {
    start_semop(call, id, operations, count, None)
}

/// semtimedop(2).
pub(crate) fn semtimedop(
    call: &mut Call,
    id: i32,
    operations: UserPtr<SemaphoreOperation>,
    count: u64,
    timeout: UserPtr<Timespec>,
) -> SysResult {
    let deadline = match timeout.given() {
        Some(timeout) => {
            let span = call.read(timeout)?;
            Some(call.kernel.clock.now().after(time::nanoseconds(span)?))
        }
        None => None,
    };
    start_semop(call, id, operations, count, deadline)
}

fn start_semop(
    call: &mut Call,
    id: i32,
    operations: UserPtr<SemaphoreOperation>,
    count: u64,
    deadline: Option<Instant>,
) -> SysResult {
    if count == 0 || id < 0 {
        return Err(Errno::EINVAL.because("`nsops` is 0, or `semid` is negative"));
    }
    if count > call.kernel.system_v.limits.operations as u64 {
        return Err(Errno::E2BIG.because("`nsops` is above `SEMOPM`"));
    }
    let operations = call.read_array(operations, count as usize)?;
    let id = Identifier(id);
    let entry = call.kernel.system_v.semaphores.get(id)?;
    if operations.iter().any(|operation| usize::from(operation.number) >= entry.object.semaphores.len()) {
        return Err(Errno::EFBIG.because("the set has no semaphore of that number"));
    }
    let changes = operations.iter().any(|operation| operation.change != 0);
    let permissions = entry.permissions;
    check_access(call, &permissions, if changes { registry::WRITE } else { registry::READ })?;
    ops::start(call, SemaphoreWait { id, operations, deadline, is_listed: false })
}

/// semctl(2).
pub(crate) fn semctl(call: &mut Call, id: i32, number: i32, command: i32, argument: u64) -> SysResult {
    if id < 0 {
        return Err(Errno::EINVAL.because("`semid` is negative"));
    }
    let id = Identifier(id);
    match command & !IPC_64 {
        IPC_INFO | SEM_INFO => tell_semaphore_limits(call, command & !IPC_64, UserPtr::new(argument)),
        IPC_STAT | SEM_STAT | SEM_STAT_ANY => {
            let sets = &call.kernel.system_v.semaphores;
            let entry = if command & !IPC_64 == IPC_STAT { sets.get(id)? } else { sets.at_index(id.0)? };
            if command & !IPC_64 != SEM_STAT_ANY {
                check_access(call, &entry.permissions, registry::READ)?;
            }
            let status = SemaphoreSetStatus {
                permissions: entry.permissions,
                operated: entry.object.operated,
                changed: entry.changed,
                count: entry.object.semaphores.len() as u64,
                ..Default::default()
            };
            let result = stat_result(command, SEM_STAT, entry.id);
            call.write(UserPtr::new(argument), &status)?;
            Ok(Flow::Done(result))
        }
        GETALL => {
            let entry = call.kernel.system_v.semaphores.get(id)?;
            check_access(call, &entry.permissions, registry::READ)?;
            let values = entry.object.semaphores.iter().flat_map(|semaphore| (semaphore.value as u16).to_le_bytes());
            let bytes: Vec<u8> = values.collect();
            call.copy_out(argument, &bytes)?;
            Flow::OK
        }
        GETVAL | GETPID | GETNCNT | GETZCNT => tell_semaphore(call, id, number, command & !IPC_64),
        SETVAL => set_values(call, id, number, &[argument as i32]),
        SETALL => {
            let entry = call.kernel.system_v.semaphores.get(id)?;
            let (count, permissions) = (entry.object.semaphores.len(), entry.permissions);
            check_access(call, &permissions, registry::WRITE)?;
            let values = call.read_array(UserPtr::<u16>::new(argument), count)?;
            let values: Vec<i32> = values.into_iter().map(i32::from).collect();
            set_values(call, id, 0, &values)
        }
        IPC_SET => {
            let asked = call.read(UserPtr::<SemaphoreSetStatus>::new(argument))?;
            let now = registry::now(call);
            let permissions = call.kernel.system_v.semaphores.get(id)?.permissions;
            check_owner(call, &permissions)?;
            let entry = call.kernel.system_v.semaphores.get_mut(id)?;
            registry::change(&mut entry.permissions, &asked.permissions);
            entry.changed = now;
            Flow::OK
        }
        IPC_RMID => {
            let permissions = call.kernel.system_v.semaphores.get(id)?.permissions;
            check_owner(call, &permissions)?;
            semaphore::remove(call, id);
            Flow::OK
        }
        _ => Err(Errno::EINVAL.because("`op` is no known command")),
    }
}

/// A semaphore of a set.
fn check_number(set: &SemaphoreSet, number: i32) -> Result<usize, Error> {
    let number = usize::try_from(number).ok().filter(|number| *number < set.semaphores.len());
    number.ok_or(Errno::EINVAL.because("the set has no semaphore of that number"))
}

fn tell_semaphore(call: &mut Call, id: Identifier, number: i32, command: i32) -> SysResult {
    let entry = call.kernel.system_v.semaphores.get(id)?;
    check_access(call, &entry.permissions, registry::READ)?;
    let set = &entry.object;
    let number = check_number(set, number)?;
    let value = match command {
        GETVAL => set.semaphores[number].value,
        GETPID => set.semaphores[number].last,
        GETNCNT => set.count_waiting(number as u16, false) as i32,
        _ => set.count_waiting(number as u16, true) as i32,
    };
    Ok(Flow::Done(value as u64))
}

/// SETVAL and SETALL: sets values from a semaphore on, and forgets what exits would undo of them.
fn set_values(call: &mut Call, id: Identifier, first: i32, values: &[i32]) -> SysResult {
    if values.iter().any(|value| !(0..=SEMAPHORE_MAXIMUM).contains(value)) {
        return Err(Errno::ERANGE.because("a semaphore's value is from 0 to 32,767"));
    }
    let now = registry::now(call);
    let pid = call.process().pid;
    let entry = call.kernel.system_v.semaphores.get(id)?;
    let first = check_number(&entry.object, first)?;
    let permissions = entry.permissions;
    check_access(call, &permissions, registry::WRITE)?;
    let system_v = &mut call.kernel.system_v;
    let entry = system_v.semaphores.get_mut(id)?;
    let range = first..first + values.len();
    for (semaphore, value) in entry.object.semaphores[range.clone()].iter_mut().zip(values) {
        *semaphore = Semaphore { value: *value, last: pid };
    }
    entry.changed = now;
    semaphore::forget_undo(&mut system_v.undo, id, range);
    semaphore::serve_waiting(call, id);
    Flow::OK
}

fn tell_semaphore_limits(call: &mut Call, command: i32, to: UserPtr<SemaphoreInfo>) -> SysResult {
    let system_v = &call.kernel.system_v;
    let Limits { semaphores_per_set, semaphores, operations, sets, .. } = system_v.limits;
    let used: usize = system_v.semaphores.iter().map(|entry| entry.object.semaphores.len()).sum();
    let info = command == SEM_INFO;
    let semaphore_info = SemaphoreInfo {
        map: semaphores as i32,
        sets: sets as i32,
        semaphores: semaphores as i32,
        undos: semaphores as i32,
        per_set: semaphores_per_set as i32,
        operations: operations as i32,
        undo_entries: operations as i32,
        undo_size: if info { system_v.semaphores.len() as i32 } else { 20 },
        maximum: SEMAPHORE_MAXIMUM,
        undo_maximum: if info { used as i32 } else { SEMAPHORE_MAXIMUM },
    };
    let highest = system_v.semaphores.highest_index();
    call.write(to, &semaphore_info)?;
    Ok(Flow::Done(highest as u64))
}

/// shmget(2).
pub(crate) fn shmget(call: &mut Call, key: i32, size: u64, flags: i32) -> SysResult {
    let is_large_enough = |entry: &Entry<Segment>| {
        if size > entry.object.size {
            return Err(Errno::EINVAL.because("the segment is smaller than `size`"));
        }
        Ok(())
    };
    let id = match call.kernel.system_v.segments.look_up(call, key, flags, is_large_enough)? {
        Found::Existing(id) => id,
        Found::New => shared_memory::create(call, key, size, flags)?,
    };
    Ok(Flow::Done(id.0 as u64))
}

/// shmctl(2).
pub(crate) fn shmctl(call: &mut Call, id: i32, command: i32, argument: u64) -> SysResult {
    if id < 0 || command < 0 {
        return Err(Errno::EINVAL.because("`shmid` or `op` is negative"));
    }
    let id = Identifier(id);
    match command & !IPC_64 {
        IPC_INFO => tell_segment_limits(call, UserPtr::new(argument)),
        SHM_INFO => tell_segment_use(call, UserPtr::new(argument)),
        IPC_STAT | SHM_STAT | SHM_STAT_ANY => {
            let segments = &call.kernel.system_v.segments;
            let entry = if command & !IPC_64 == IPC_STAT { segments.get(id)? } else { segments.at_index(id.0)? };
            if command & !IPC_64 != SHM_STAT_ANY {
                check_access(call, &entry.permissions, registry::READ)?;
            }
            let (status, result) = (segment_status(call.kernel, entry), stat_result(command, SHM_STAT, entry.id));
            call.write(UserPtr::new(argument), &status)?;
            Ok(Flow::Done(result))
        }
        IPC_SET => {
            let asked = call.read(UserPtr::<SharedMemoryStatus>::new(argument))?;
            let now = registry::now(call);
            let permissions = call.kernel.system_v.segments.get(id)?.permissions;
            check_owner(call, &permissions)?;
            let entry = call.kernel.system_v.segments.get_mut(id)?;
            registry::change(&mut entry.permissions, &asked.permissions);
            entry.changed = now;
            Flow::OK
        }
        IPC_RMID => {
            let permissions = call.kernel.system_v.segments.get(id)?.permissions;
            check_owner(call, &permissions)?;
            shared_memory::remove(call.kernel, id);
            Flow::OK
        }
        SHM_LOCK | SHM_UNLOCK => {
            let permissions = call.kernel.system_v.segments.get(id)?.permissions;
            if !call.has_capability(CAP_IPC_LOCK) {
                let own = call.credentials().euid;
                if own != permissions.uid && own != permissions.creator_uid {
                    return Err(Errno::EPERM.because("the caller neither owns nor made the segment"));
                }
            }
            let mode = &mut call.kernel.system_v.segments.get_mut(id)?.permissions.mode;
            *mode = if command & !IPC_64 == SHM_LOCK { *mode | SHM_LOCKED } else { *mode & !SHM_LOCKED };
            Flow::OK
        }
        _ => Err(Errno::EINVAL.because("`op` is no known command")),
    }
}

fn segment_status(kernel: &Kernel, entry: &Entry<Segment>) -> SharedMemoryStatus {
    let segment = &entry.object;
    SharedMemoryStatus {
        permissions: entry.permissions,
        size: segment.size,
        attached: segment.attached,
        detached: segment.detached,
        changed: entry.changed,
        creator: segment.creator,
        last: segment.last,
        attachments: shared_memory::attachments(kernel, segment),
        ..Default::default()
    }
}

fn tell_segment_limits(call: &mut Call, to: UserPtr<SharedMemoryLimits>) -> SysResult {
    let system_v = &call.kernel.system_v;
    let Limits { segment_size, segment_pages, segments, .. } = system_v.limits;
    let limits = SharedMemoryLimits {
        max: segment_size,
        min: 1,
        segments: segments as u64,
        per_process: segments as u64,
        pages: segment_pages,
        ..Default::default()
    };
    let highest = system_v.segments.highest_index();
    call.write(to, &limits)?;
    Ok(Flow::Done(highest as u64))
}

fn tell_segment_use(call: &mut Call, to: UserPtr<SharedMemoryUse>) -> SysResult {
    let system_v = &call.kernel.system_v;
    let segments: Vec<&Segment> = system_v.segments.iter().map(|entry| &entry.object).collect();
    let resident = segments.iter().map(|segment| call.kernel.mm.shared[segment.memory].pages().count() as u64).sum();
    let used = SharedMemoryUse {
        segments: system_v.segments.len() as i32,
        pages: segments.iter().map(|segment| segment.pages()).sum(),
        resident,
        ..Default::default()
    };
    let highest = system_v.segments.highest_index();
    call.write(to, &used)?;
    Ok(Flow::Done(highest as u64))
}
