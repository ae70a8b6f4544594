//! semget(2), semop(2), semctl(2). Linux's ipc/sem.c.

use super::stat_result;
use crate::clock::Instant;
use crate::entry::Call;
use crate::fs::ops;
use crate::ipc::sysv::registry::{self, Entry, Found, Identifier, ObjectId, check_access, check_owner};
use crate::ipc::sysv::semaphore::{self, Operations, Semaphore, SemaphoreSet, SemaphoreWait};
use crate::ipc::sysv::{Limits, SEMAPHORE_MAXIMUM};
use crate::syscalls::operation::{Flow, SysResult};
use crate::time;
use crate::user::UserPtr;
use abi::ipc::*;
use abi::time::Timespec;
use abi::{Errno, Error};
use smallvec::smallvec;

/// semget(2).
pub(crate) fn semget(call: &mut Call, key: i32, count: i32, flags: i32) -> SysResult {
    let system_v = call.system_v();
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
    if system_v.semaphores.len() >= limits.sets || system_v.semaphores_used + count > limits.semaphores {
        return Err(Errno::ENOSPC.because("there are as many semaphores, or sets, as there may be"));
    }
    let (permissions, now) = (registry::new_permissions(call, key, flags), registry::now(call));
    let system_v = call.system_v_mut();
    system_v.semaphores_used += count;
    let id = system_v.semaphores.insert(permissions, now, SemaphoreSet::new(count));
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
    let deadline = time::deadline_after(call, timeout)?;
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
    if count > call.system_v().limits.operations as u64 {
        return Err(Errno::E2BIG.because("`nsops` is above `SEMOPM`"));
    }
    let operations = match count {
        1 => smallvec![call.read(operations)?],
        _ => Operations::from_vec(call.read_array(operations, count as usize)?),
    };
    let id = Identifier(id);
    let entry = call.system_v().semaphores.get(id)?;
    if operations.iter().any(|operation| usize::from(operation.number) >= entry.object.semaphores.len()) {
        return Err(Errno::EFBIG.because("the set has no semaphore of that number"));
    }
    let changes = operations.iter().any(|operation| operation.change != 0);
    let permissions = entry.permissions;
    check_access(call, &permissions, if changes { registry::WRITE } else { registry::READ })?;
    let object = ObjectId { namespace: call.ipc_namespace(), id };
    ops::start(call, SemaphoreWait { object, operations, deadline, ticket: None })
}

/// semctl(2).
pub(crate) fn semctl(call: &mut Call, id: i32, number: i32, command: i32, argument: u64) -> SysResult {
    if id < 0 {
        return Err(Errno::EINVAL.because("`semid` is negative"));
    }
    let id = Identifier(id);
    match command {
        IPC_INFO | SEM_INFO => tell_semaphore_limits(call, command, UserPtr::new(argument)),
        IPC_STAT | SEM_STAT | SEM_STAT_ANY => {
            let sets = &call.system_v().semaphores;
            let entry = if command == IPC_STAT { sets.get(id)? } else { sets.at_index(id.0)? };
            if command != SEM_STAT_ANY {
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
            let entry = call.system_v().semaphores.get(id)?;
            check_access(call, &entry.permissions, registry::READ)?;
            let values = entry.object.semaphores.iter().flat_map(|semaphore| (semaphore.value as u16).to_le_bytes());
            let bytes: Vec<u8> = values.collect();
            call.copy_out(argument, &bytes)?;
            Flow::OK
        }
        GETVAL | GETPID | GETNCNT | GETZCNT => tell_semaphore(call, id, number, command),
        SETVAL => set_values(call, id, number, &[argument as i32]),
        SETALL => {
            let entry = call.system_v().semaphores.get(id)?;
            let (count, permissions) = (entry.object.semaphores.len(), entry.permissions);
            check_access(call, &permissions, registry::WRITE)?;
            let values = call.read_array(UserPtr::<u16>::new(argument), count)?;
            let values: Vec<i32> = values.into_iter().map(i32::from).collect();
            set_values(call, id, 0, &values)
        }
        IPC_SET => {
            let asked = call.read(UserPtr::<SemaphoreSetStatus>::new(argument))?;
            let now = registry::now(call);
            let permissions = call.system_v().semaphores.get(id)?.permissions;
            check_owner(call, &permissions)?;
            let entry = call.system_v_mut().semaphores.get_mut(id)?;
            registry::change(&mut entry.permissions, &asked.permissions)?;
            entry.changed = now;
            Flow::OK
        }
        IPC_RMID => {
            let permissions = call.system_v().semaphores.get(id)?.permissions;
            check_owner(call, &permissions)?;
            let namespace = call.ipc_namespace();
            semaphore::remove(call, ObjectId { namespace, id });
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
    let entry = call.system_v().semaphores.get(id)?;
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
    let entry = call.system_v().semaphores.get(id)?;
    let first = check_number(&entry.object, first)?;
    let permissions = entry.permissions;
    check_access(call, &permissions, registry::WRITE)?;
    let object = ObjectId { namespace: call.ipc_namespace(), id };
    let entry = call.system_v_mut().semaphores.get_mut(id)?;
    let range = first..first + values.len();
    for (semaphore, value) in entry.object.semaphores[range.clone()].iter_mut().zip(values) {
        *semaphore = Semaphore { value: *value, last: pid };
    }
    entry.changed = now;
    semaphore::forget_undo(call.kernel, object, range.clone());
    semaphore::serve_waiting(call, object, range.map(|number| number as u16));
    Flow::OK
}

/// Defaults of linux/sem.h that are told whatever the limits are.
const SEMMNS: i32 = 1_024_000_000;
const SEMOPM: i32 = 500;

fn tell_semaphore_limits(call: &mut Call, command: i32, to: UserPtr<SemaphoreInfo>) -> SysResult {
    let system_v = call.system_v();
    let Limits { semaphores_per_set, semaphores, operations, sets, .. } = system_v.limits;
    let info = command == SEM_INFO;
    let semaphore_info = SemaphoreInfo {
        map: SEMMNS,
        sets: sets as i32,
        semaphores: semaphores as i32,
        undos: SEMMNS,
        per_set: semaphores_per_set as i32,
        operations: operations as i32,
        undo_entries: SEMOPM,
        undo_size: if info { system_v.semaphores.len() as i32 } else { 20 },
        maximum: SEMAPHORE_MAXIMUM,
        undo_maximum: if info { system_v.semaphores_used as i32 } else { SEMAPHORE_MAXIMUM },
    };
    let highest = system_v.semaphores.highest_index();
    call.write(to, &semaphore_info)?;
    Ok(Flow::Done(highest as u64))
}
