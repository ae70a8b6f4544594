//! What a futex is: glibc's mutexes, semaphores, condition variables and threads, known by the function that waits and by
//! their layout in memory (glibc `sysdeps/nptl/bits/`, `nptl/`).

use super::awaits::everybody_else;
use crate::scene::Scene;
use crate::text;
use crate::verdict::{Await, Deed, Means, Need, Party, Waker};
use abi::futex::FUTEX_TID_MASK;
use kernel::futex::Key;
use kernel::mm::Origin;
use kernel::mm::vma::Backing;
use kernel::process::{Process, Thread};
use kernel::syscalls::argument::Peek;
use kernel::syscalls::operation::Operation;
use kernel::table::Id;

/// `struct __pthread_mutex_s`: where the owner's thread number is, behind the lock word and the count.
const MUTEX_OWNER: u64 = 8;
/// The lock word of a normal mutex that others wait for: `lll_lock`.
const LOCKED_WITH_WAITERS: u32 = 2;

pub(super) fn of(
    scene: &mut Scene<'_>,
    id: Id<Thread>,
    thread: &Thread,
    operation: Option<&Operation>,
    key: Key,
    party: &Party,
) -> Await {
    let kernel = scene.kernel;
    let (address, expected) = match operation {
        Some(Operation::FutexWait(wait)) => (Some(wait.address), Some(wait.expected)),
        Some(Operation::LockPi(lock)) => (Some(lock.address), None),
        _ => (None, None),
    };
    let word = |at: u64| -> Option<u32> {
        let bytes = Peek { kernel, thread: id }.bytes(at, 4);
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    };
    let value = address.and_then(word);
    let function = party.library_call.clone();
    let named = |part: &str| function.as_deref().is_some_and(|name| name.contains(part));
    let place = address.map_or_else(String::new, |address| format!(" {address:#x}"));
    let is_pi = matches!(operation, Some(Operation::LockPi(_)));
    // Threads end by waking the word that pthread_join(3) waits on.
    let joined = address.and_then(|address| {
        let is_it = |other: &&Id<Thread>| kernel.threads[**other].clear_child_tid == address;
        kernel.processes[thread.process].threads.iter().find(is_it).copied()
    });
    if let Some(joined) = joined {
        let tid = kernel.threads[joined].tid;
        let mut waker = scene.waker(thread.process, Means::Ending);
        waker.tids = vec![tid];
        let object = scene.object(format!("thread {tid}"), None);
        return Await { object, need: Need::ThreadEnd { tid }, wakers: vec![waker] };
    }
    let is_mutex = is_pi
        || named("mutex_lock")
        || named("mutex_timedlock")
        || named("mutex_clocklock")
        || named("cond") && expected == Some(LOCKED_WITH_WAITERS)
        || function.is_none() && value == Some(LOCKED_WITH_WAITERS) && expected == value;
    if is_mutex {
        let owner = if is_pi || value.is_some_and(|value| value & FUTEX_TID_MASK > LOCKED_WITH_WAITERS) {
            value.map(|value| value & FUTEX_TID_MASK)
        } else {
            address.and_then(|address| word(address + MUTEX_OWNER))
        };
        let owner = owner.filter(|owner| *owner != 0).map(|owner| owner as i32);
        let owner = owner.filter(|owner| scene.witness.process_of(*owner).is_some());
        let stranger = owner.and_then(|owner| scene.witness.process_of(owner)).filter(|process| {
            let is_private = !matches!(key, Key::Shared(..));
            is_private && *process != thread.process && !shares_memory(kernel, *process, thread.process)
        });
        let wakers = match (owner, stranger) {
            (_, Some(_)) => Vec::new(),
            (Some(owner), None) => owner_of(scene, owner),
            (None, None) => users(scene, id, key),
        };
        let object = scene.object(format!("mutex{place}"), None);
        let copied_from = stranger.map(|stranger| scene.person(stranger));
        return Await { object, need: Need::Mutex { owner, copied_from }, wakers };
    }
    if named("sem_") {
        return semaphore(scene, id, key, &place);
    }
    let wakers = users(scene, id, key);
    if named("cond_") {
        let object = scene.object(format!("condition variable{place}"), None);
        return Await { object, need: Need::Condition, wakers };
    }
    let kind = match function.as_deref() {
        Some(name) if name.contains("barrier") => "barrier",
        Some(name) if name.contains("rwlock") => "read-write lock",
        _ => "futex",
    };
    let object = scene.object(format!("{kind}{place}"), None);
    Await { object, need: Need::Futex { function, value }, wakers }
}

fn shares_memory(kernel: &kernel::Kernel, one: Id<Process>, other: Id<Process>) -> bool {
    let space = |process| kernel.processes.get(process).map(|process| process.space);
    space(one).is_some() && space(one) == space(other)
}

fn owner_of(scene: &Scene<'_>, owner: i32) -> Vec<Waker> {
    let Some(process) = scene.witness.process_of(owner) else { return Vec::new() };
    let mut waker = scene.waker(process, Means::Owner);
    waker.tids.retain(|tid| *tid == owner);
    vec![waker]
}

fn semaphore(scene: &mut Scene<'_>, id: Id<Thread>, key: Key, place: &str) -> Await {
    let Key::Shared(Origin::Inode(inode), _) = key else {
        let object = scene.object(format!("semaphore{place}"), None);
        return Await { object, need: Need::PosixSemaphore { taken: None }, wakers: users(scene, id, key) };
    };
    let name = named_semaphore(scene, id, inode).unwrap_or_else(|| format!("semaphore{place}"));
    let taken = scene.witness.named_semaphore_taken(inode);
    // Who took it owes it, unless several may have it at once; then whoever uses it may give it.
    let wakers = match taken {
        Some((process, tid, _)) => {
            let mut waker = scene.waker(process, Means::Owner);
            waker.tids.retain(|other| *other == tid);
            vec![waker]
        }
        None => users(scene, id, key),
    };
    let taken = taken.map(|(process, _, at)| Deed {
        by: scene.person(process),
        call: "sem_wait".to_string(),
        place: None,
        at_ns: at.0,
    });
    let made = scene.witness.maker(&crate::witness::Made::SharedFile(inode)).cloned();
    Await { object: scene.object(name, made), need: Need::PosixSemaphore { taken }, wakers }
}

/// The name of a semaphore of sem_open(3), which makes a file of another name first.
fn named_semaphore(scene: &Scene<'_>, id: Id<Thread>, inode: Id<kernel::fs::Inode>) -> Option<String> {
    let kernel = scene.kernel;
    let space = &kernel.spaces[kernel.processes[kernel.threads[id].process].space];
    let node = space.areas.iter().find_map(|area| match area.backing {
        Backing::File { file, inode: of, .. } if of == inode => kernel.files.get(file)?.node,
        _ => None,
    })?;
    let path = kernel.path_of(node);
    let path = path.strip_suffix(b" (deleted)").unwrap_or(&path);
    let path = scene.witness.linked_as(path).unwrap_or(path);
    Some(format!("semaphore /{}", text::printable(path.strip_prefix(b"/dev/shm/sem.")?)))
}

/// Everybody who can reach the word: all users of the address space, or of what is mapped there.
fn users(scene: &Scene<'_>, id: Id<Thread>, key: Key) -> Vec<Waker> {
    let kernel = scene.kernel;
    let reaches = |process: &Process| match key {
        Key::Private(space, _) | Key::Unshared(space, _) => process.space == space,
        Key::Shared(origin, _) => kernel.spaces.get(process.space).is_some_and(|space| {
            space.areas.iter().any(|area| area.backing.object().is_some_and(|object| object.origin() == origin))
        }),
    };
    let mut wakers = everybody_else(scene, id, Means::Memory);
    wakers.retain(|waker| {
        let process = kernel.pids.processes.get(&waker.who.pid);
        process.is_some_and(|process| reaches(&kernel.processes[*process]))
    });
    wakers
}
