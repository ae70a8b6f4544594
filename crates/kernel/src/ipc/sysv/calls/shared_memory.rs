//! shmget(2), shmctl(2). Linux's ipc/shm.c.

use super::stat_result;
use crate::entry::Call;
use crate::ipc::sysv::Limits;
use crate::ipc::sysv::registry::{self, Entry, Found, Identifier, ObjectId, check_access, check_owner};
use crate::ipc::sysv::shared_memory::{self, Segment};
use crate::kernel::Kernel;
use crate::syscalls::operation::{Flow, SysResult};
use crate::user::UserPtr;
use abi::Errno;
use abi::ipc::*;
use abi::resource::{CAP_IPC_LOCK, RLIMIT_MEMLOCK};

/// shmget(2).
pub(crate) fn shmget(call: &mut Call, key: i32, size: u64, flags: i32) -> SysResult {
    let is_large_enough = |entry: &Entry<Segment>| {
        if size > entry.object.size {
            return Err(Errno::EINVAL.because("the segment is smaller than `size`"));
        }
        Ok(())
    };
    let id = match call.system_v().segments.look_up(call, key, flags, is_large_enough)? {
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
    match command {
        IPC_INFO => tell_segment_limits(call, UserPtr::new(argument)),
        SHM_INFO => tell_segment_use(call, UserPtr::new(argument)),
        IPC_STAT | SHM_STAT | SHM_STAT_ANY => {
            let segments = &call.system_v().segments;
            let entry = if command == IPC_STAT { segments.get(id)? } else { segments.at_index(id.0)? };
            if command != SHM_STAT_ANY {
                check_access(call, &entry.permissions, registry::READ)?;
            }
            let (status, result) = (segment_status(call.kernel, entry), stat_result(command, SHM_STAT, entry.id));
            call.write(UserPtr::new(argument), &status)?;
            Ok(Flow::Done(result))
        }
        IPC_SET => {
            let asked = call.read(UserPtr::<SharedMemoryStatus>::new(argument))?;
            let now = registry::now(call);
            let permissions = call.system_v().segments.get(id)?.permissions;
            check_owner(call, &permissions)?;
            let entry = call.system_v_mut().segments.get_mut(id)?;
            registry::change(&mut entry.permissions, &asked.permissions)?;
            entry.changed = now;
            Flow::OK
        }
        IPC_RMID => {
            let permissions = call.system_v().segments.get(id)?.permissions;
            check_owner(call, &permissions)?;
            let namespace = call.ipc_namespace();
            shared_memory::remove(call.kernel, ObjectId { namespace, id });
            Flow::OK
        }
        SHM_LOCK | SHM_UNLOCK => {
            let entry = call.system_v().segments.get(id)?;
            let (permissions, size) = (entry.permissions, entry.object.size);
            if !call.has_capability(CAP_IPC_LOCK) {
                let own = call.credentials().euid;
                if own != permissions.uid && own != permissions.creator_uid {
                    return Err(Errno::EPERM.because("the caller neither owns nor made the segment"));
                }
                let limit = call.process().limits.soft(RLIMIT_MEMLOCK);
                if command == SHM_LOCK && limit == 0 {
                    return Err(Errno::EPERM.because("RLIMIT_MEMLOCK is 0"));
                }
                if command == SHM_LOCK && size > limit {
                    return Err(Errno::ENOMEM.because("the segment is larger than RLIMIT_MEMLOCK"));
                }
            }
            let segment = call.system_v_mut().segments.get_mut(id)?;
            let mode = &mut segment.permissions.mode;
            *mode = if command == SHM_LOCK { *mode | SHM_LOCKED } else { *mode & !SHM_LOCKED };
            let memory = segment.object.memory;
            call.kernel.mm.shared[memory].is_locked = command == SHM_LOCK;
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
    let system_v = call.system_v();
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
    let system_v = call.system_v();
    let segments: Vec<&Segment> = system_v.segments.iter().map(|entry| &entry.object).collect();
    let resident = segments.iter().map(|segment| shared_memory::resident(call.kernel, segment)).sum();
    let swapped = segments.iter().map(|segment| shared_memory::swapped(call.kernel, segment)).sum();
    let used = SharedMemoryUse {
        segments: system_v.segments.len() as i32,
        pages: segments.iter().map(|segment| segment.pages(call.kernel.page_size())).sum(),
        resident,
        swapped,
        ..Default::default()
    };
    let highest = system_v.segments.highest_index();
    call.write(to, &used)?;
    Ok(Flow::Done(highest as u64))
}
