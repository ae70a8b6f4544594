//! Shared memory segments, shmget(2), shmop(2). Linux's ipc/shm.c. The memory itself is [`crate::mm::SharedMemory`]; a
//! segment holds one reference to it, each address space that has it attached another.

use super::registry::{self, Entry, Identifier, ObjectId};
use crate::entry::Call;
use crate::ipc::namespace::{self, IpcNamespace};
use crate::kernel::Kernel;
use crate::mm::{self, Backing, Object, Origin, Request, SharedMemory, Source, shared_memory};
use crate::process::Thread;
use crate::syscalls::operation::{Flow, SysResult};
use crate::table::Id;
use crate::time::SECOND_NS;
use abi::ipc::{IPC_PRIVATE, SHM_DEST, SHM_EXEC, SHM_HUGETLB, SHM_RDONLY, SHM_REMAP, SHM_RND};
use abi::mman::{MAP_FIXED, MAP_SHARED, PROT_EXEC, PROT_READ, PROT_WRITE};
use abi::{Errno, Error};
use machine::PageSize;

/// A segment.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Bytes, as asked for.
    pub size: u64,
    /// Its pages.
    pub memory: Id<SharedMemory>,
    /// When it was last attached, in seconds since 1970.
    pub attached: i64,
    /// When it was last detached.
    pub detached: i64,
    /// Who made it.
    pub creator: i32,
    /// The thread that made it; a stale handle once that has ended.
    pub creator_thread: Id<Thread>,
    /// Who attached or detached it last.
    pub last: i32,
}

impl Segment {
    /// Whole pages.
    pub fn pages(&self, page_size: PageSize) -> u64 {
        page_size.pages(self.size)
    }
}

/// Makes a segment.
///
/// # Errors
/// `EINVAL` for an impossible size, `ENOSPC` beyond the limits, `ENOMEM` for huge pages.
pub(super) fn create(call: &mut Call, key: i32, size: u64, flags: i32) -> Result<Identifier, Error> {
    let limits = call.system_v().limits;
    if size == 0 || size > limits.segment_size {
        return Err(Errno::EINVAL.because("`size` is 0, or above `/proc/sys/kernel/shmmax`"));
    }
    if flags & SHM_HUGETLB != 0 {
        call.kernel.unsupported("System V segments of huge pages");
        return Err(Errno::ENOMEM.because("the machine has no huge pages"));
    }
    let page_size = call.kernel.page_size();
    let pages = page_size.pages(size);
    let (system_v, used) = (call.system_v(), call.system_v().pages_used);
    if system_v.segments.len() >= limits.segments || used.saturating_add(pages) > limits.segment_pages {
        return Err(Errno::ENOSPC.because("there are as many segments, or pages of segments, as there may be"));
    }
    let Some(bytes) = pages.checked_mul(page_size.bytes()) else {
        return Err(Errno::ENOMEM.because("the segment is larger than memory can be"));
    };
    if pages > u64::from(call.kernel.memory.total()) {
        return Err(Errno::ENOMEM.because("the segment is larger than all memory"));
    }
    let memory = shared_memory::create(call.kernel, bytes, &format!("/SYSV{key:08x} (deleted)"));
    let creator = call.process().pid;
    let creator_thread = call.thread;
    let segment = Segment { size, memory, attached: 0, detached: 0, creator, creator_thread, last: 0 };
    let (permissions, now) = (registry::new_permissions(call, key, flags), registry::now(call));
    let namespace = call.ipc_namespace();
    let system_v = call.system_v_mut();
    let id = system_v.segments.insert(permissions, now, segment);
    system_v.pages_used += pages;
    call.kernel.mm.shared[memory].segment = Some(ObjectId { namespace, id });
    Ok(id)
}

/// How often a segment is attached, in all processes.
pub fn attachments(kernel: &Kernel, segment: &Segment) -> u64 {
    let object = Object::Shared(segment.memory);
    let spaces = kernel.mm.mappers(Origin::Shared(segment.memory));
    spaces.map(|space| u64::from(kernel.spaces[space].areas.uses_of(object))).sum()
}

/// Pages of a segment that are in memory.
pub fn resident(kernel: &Kernel, segment: &Segment) -> u64 {
    kernel.mm.shared[segment.memory].pages().count() as u64
}

/// Pages of a segment that are swapped out.
pub fn swapped(kernel: &Kernel, segment: &Segment) -> u64 {
    kernel.mm.shared[segment.memory].slots().count() as u64
}

/// shmat(2).
pub(crate) fn shmat(call: &mut Call, id: i32, address: u64, flags: i32) -> SysResult {
    let entry = call.system_v().segments.get(Identifier(id))?;
    let (size, memory) = (entry.object.size, entry.object.memory);
    let writable = flags & SHM_RDONLY == 0;
    let mut wanted = registry::READ | if writable { registry::WRITE } else { 0 };
    let mut protection = PROT_READ | if writable { PROT_WRITE } else { 0 };
    if flags & SHM_EXEC != 0 {
        wanted |= 0o111;
        protection |= PROT_EXEC;
    }
    let permissions = entry.permissions;
    let page_size = call.kernel.page_size();
    let address = place(page_size, address, flags)?;
    registry::check_access(call, &permissions, wanted)?;
    let space = call.space();
    let mut map_flags = MAP_SHARED;
    if let Some(address) = address {
        map_flags |= MAP_FIXED;
        let Some(end) = address.checked_add(size.next_multiple_of(page_size.bytes())) else {
            return Err(Errno::EINVAL.because("the segment would reach beyond the address space"));
        };
        let is_taken = call.kernel.spaces[space].areas.overlapping(address..end).next().is_some();
        if is_taken && flags & SHM_REMAP == 0 {
            return Err(Errno::EINVAL.because("something is mapped there, and `SHM_REMAP` is not set"));
        }
    }
    let source = Source::Shared { object: memory, offset: 0 };
    let request = Request { address: address.unwrap_or(0), length: size, protection, flags: map_flags, source };
    let at = mm::map::map(call, space, request)?;
    let (now, pid) = (registry::now(call), call.process().pid);
    if let Ok(entry) = call.system_v_mut().segments.get_mut(Identifier(id)) {
        entry.object.attached = now;
        entry.object.last = pid;
    }
    Ok(Flow::Done(at))
}

/// Where a segment is to be attached; `None`: anywhere.
///
/// # Errors
/// `EINVAL` for an address that is not aligned, or none to replace something at.
fn place(page_size: PageSize, address: u64, flags: i32) -> Result<Option<u64>, Error> {
    if address == 0 {
        if flags & SHM_REMAP != 0 {
            return Err(Errno::EINVAL.because("`SHM_REMAP` needs an address"));
        }
        return Ok(None);
    }
    // SHMLBA is the page size.
    if page_size.divides(address) {
        return Ok(Some(address));
    }
    if flags & SHM_RND == 0 {
        return Err(Errno::EINVAL.because("the address is not aligned, and `SHM_RND` is not set"));
    }
    match page_size.start(address) {
        0 if flags & SHM_REMAP != 0 => Err(Errno::EINVAL.because("`SHM_REMAP` needs an address")),
        0 => Ok(None),
        rounded => Ok(Some(rounded)),
    }
}

/// shmdt(2): all pieces of the attachment that began at the address go, wherever mprotect(2) has cut it.
pub(crate) fn shmdt(call: &mut Call, address: u64) -> SysResult {
    let space = call.space();
    let nothing = Errno::EINVAL.because("no segment is attached at the address");
    if !call.kernel.page_size().divides(address) {
        return Err(nothing);
    }
    let areas = &call.kernel.spaces[space].areas;
    let shared = &call.kernel.mm.shared;
    let belongs = |area: &mm::Vma| match area.backing {
        Backing::Shared { object, offset } if area.start.wrapping_sub(address) == offset => {
            shared[object].segment.map(|_| object)
        }
        _ => None,
    };
    let first = areas.iter().filter(|area| area.start >= address).find_map(belongs);
    let Some(object) = first else { return Err(nothing) };
    let size = call.kernel.mm.shared[object].size;
    let end = address.saturating_add(size);
    let pieces: Vec<_> = areas
        .iter()
        .filter(|area| area.start >= address && area.end <= end && belongs(area) == Some(object))
        .map(|area| area.start..area.end)
        .collect();
    for piece in pieces {
        mm::unmap::unmap(call, space, piece);
    }
    Flow::OK
}

/// Memory that may be a segment's was unmapped somewhere: notes who and when.
pub(crate) fn detached(kernel: &mut Kernel, memory: Id<SharedMemory>) {
    let Some(ObjectId { namespace, id }) = kernel.mm.shared[memory].segment else { return };
    let now = (kernel.clock.realtime_ns() / SECOND_NS) as i64;
    let current = kernel.scheduler.current().and_then(|thread| kernel.threads.get(thread));
    let pid = current.and_then(|thread| kernel.processes.get(thread.process)).map_or(0, |process| process.pid);
    let Ok(entry) = kernel.ipc_namespaces[namespace].system_v.segments.get_mut(id) else { return };
    entry.object.detached = now;
    entry.object.last = pid;
}

/// One reference is left to memory that may be a segment's: nobody has it attached. If it was to be removed, or all
/// such segments are, it goes: shm_close().
pub(crate) fn left_alone(kernel: &mut Kernel, memory: Id<SharedMemory>) {
    let Some(object) = kernel.mm.shared[memory].segment else { return };
    let system_v = &kernel.ipc_namespaces[object.namespace].system_v;
    let is_to_go = system_v.segments.get(object.id).is_ok_and(|entry| entry.permissions.mode & SHM_DEST != 0);
    if is_to_go || system_v.limits.removes_orphans {
        destroy(kernel, object);
    }
}

/// IPC_RMID: at once if nobody has it attached, otherwise at the last detach.
pub(super) fn remove(kernel: &mut Kernel, object: ObjectId) {
    let Ok(entry) = kernel.ipc_namespaces[object.namespace].system_v.segments.get(object.id) else { return };
    if attachments(kernel, &entry.object) == 0 {
        destroy(kernel, object);
        return;
    }
    let segments = &mut kernel.ipc_namespaces[object.namespace].system_v.segments;
    segments.forget_key(object.id);
    if let Ok(entry) = segments.get_mut(object.id) {
        entry.permissions.mode |= SHM_DEST;
        entry.permissions.key = IPC_PRIVATE;
    }
}

/// A thread has ended: the segments that it made and that nobody has attached go, where `shm_rmid_forced` says so;
/// exit_shm().
pub(crate) fn creator_ended(kernel: &mut Kernel, thread: Id<Thread>) {
    remove_unattached(kernel, |entry, _| entry.object.creator_thread == thread);
}

/// `shm_rmid_forced` was set: removes the segments that nobody has attached and whose makers have ended;
/// shm_destroy_orphaned().
pub(super) fn remove_orphans(kernel: &mut Kernel) {
    remove_unattached(kernel, |entry, kernel| kernel.threads.get(entry.object.creator_thread).is_none());
}

fn remove_unattached(kernel: &mut Kernel, is_meant: impl Fn(&Entry<Segment>, &Kernel) -> bool) {
    let namespaces: Vec<Id<IpcNamespace>> = kernel.ipc_namespaces.ids().collect();
    for namespace in namespaces {
        let system_v = &kernel.ipc_namespaces[namespace].system_v;
        if !system_v.limits.removes_orphans {
            continue;
        }
        let is_orphan = |entry: &&Entry<Segment>| is_meant(entry, kernel) && attachments(kernel, &entry.object) == 0;
        let orphans: Vec<Identifier> = system_v.segments.iter().filter(is_orphan).map(|entry| entry.id).collect();
        for id in orphans {
            destroy(kernel, ObjectId { namespace, id });
        }
    }
}

fn destroy(kernel: &mut Kernel, object: ObjectId) {
    let page_size = kernel.page_size();
    let system_v = &mut kernel.ipc_namespaces[object.namespace].system_v;
    let Some(entry) = system_v.segments.remove(object.id) else { return };
    system_v.pages_used -= entry.object.pages(page_size);
    kernel.mm.shared[entry.object.memory].segment = None;
    shared_memory::release(kernel, entry.object.memory);
    namespace::forget_if_empty(kernel, object.namespace);
}
