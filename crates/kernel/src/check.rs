//! Recounts what the kernel counts: every reference to an open file, a pipe's ends, who waits for what. For tests, and to
//! tell a bug of belljar from one of the guest. [`crate::mm::check`] does the same for memory.

use crate::fs::{FileDescription, FileObject, InodeKind, watch_limits};
use crate::ipc::fifo::ends_of;
use crate::ipc::pipe::Pipe;
use crate::kernel::Kernel;
use crate::process::{Process, ThreadState};
use crate::syscalls::operation::Operation;
use crate::table::{Id, Table};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

/// Checks every count of references outside memory.
///
/// # Errors
/// The first that is wrong, for a report of a bug in belljar.
pub fn check(kernel: &Kernel) -> Result<(), String> {
    check_descriptions(kernel)?;
    check_tables(kernel)?;
    check_pipes(kernel)?;
    check_objects(kernel)?;
    check_waits(kernel)?;
    check_watching(kernel)?;
    check_namespaces(kernel)
}

/// Checks that nothing is left of processes: for the end of a run in which all of them have ended.
///
/// # Errors
/// What is left.
pub fn check_all_gone(kernel: &Kernel) -> Result<(), String> {
    let left = [
        ("threads", kernel.threads.len()),
        ("address spaces", kernel.spaces.len()),
        ("descriptor tables", kernel.fd_tables.len()),
        ("file contexts", kernel.fs_contexts.len()),
        ("open files", kernel.files.len()),
        ("pipes", kernel.pipes.len()),
        ("event counters", kernel.event_fds.len()),
        ("epoll sets", kernel.epolls.len()),
        ("timers", kernel.timer_fds.len()),
        ("sockets", kernel.sockets.len()),
        ("sets of signals", kernel.signal_fds.len()),
        ("queues of inotify", kernel.inotifies.len()),
        ("processes that somebody remembers", kernel.pids.remembered.len()),
        ("signals on accounts", kernel.users.values().map(|account| account.signals as usize).sum()),
        ("lists of adjustments", kernel.undo_lists.len()),
        ("sleepers", kernel.waits.iter().count()),
        ("waiters for owned futexes", kernel.pi_waiters),
    ];
    match left.into_iter().find(|(_, count)| *count > 0) {
        Some((what, count)) => Err(format!("{count} {what} are left, and no process")),
        None => Ok(()),
    }
}

/// Compares counts with what was recounted, for every member of a table.
fn compare<T>(
    what: &str,
    table: &Table<T>,
    recorded: impl Fn(&T) -> u32,
    counted: &BTreeMap<Id<T>, u32>,
) -> Result<(), String> {
    for (id, object) in table.iter() {
        let (recorded, counted) = (recorded(object), counted.get(&id).copied().unwrap_or(0));
        if recorded != counted {
            return Err(format!("{what} {id:?} has count {recorded}, but {counted} holders"));
        }
    }
    match counted.keys().find(|id| table.get(**id).is_none()) {
        Some(id) => Err(format!("{what} {id:?} is gone, and has holders")),
        None => Ok(()),
    }
}

fn count<T>(into: &mut BTreeMap<Id<T>, u32>, id: Id<T>) {
    *into.entry(id).or_default() += 1;
}

/// A description's count = descriptors + operations + mappings + messages in flight.
fn check_descriptions(kernel: &Kernel) -> Result<(), String> {
    let mut holders: BTreeMap<Id<FileDescription>, u32> = BTreeMap::new();
    for (_, table) in kernel.fd_tables.iter() {
        table.iter().for_each(|(_, entry)| count(&mut holders, entry.file));
    }
    for (_, thread) in kernel.threads.iter() {
        let held = thread.operation.iter().flat_map(Operation::held_files);
        held.for_each(|file| count(&mut holders, file));
    }
    for (_, space) in kernel.spaces.iter() {
        for object in space.areas.objects() {
            if let crate::mm::Object::File(file, _) = object {
                count(&mut holders, file);
            }
        }
    }
    for (_, socket) in kernel.sockets.iter() {
        socket.files_in_flight().for_each(|file| count(&mut holders, file));
    }
    compare("open file", &kernel.files, |file| file.references, &holders)
}

/// What threads share.
fn check_tables(kernel: &Kernel) -> Result<(), String> {
    let (mut tables, mut contexts, mut undo) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for (_, thread) in kernel.threads.iter() {
        count(&mut tables, thread.fd_table);
        count(&mut contexts, thread.fs_context);
        thread.undo.into_iter().for_each(|list| count(&mut undo, list));
    }
    compare("descriptor table", &kernel.fd_tables, |table| table.references, &tables)?;
    compare("file context", &kernel.fs_contexts, |context| context.references, &contexts)?;
    compare("list of adjustments", &kernel.undo_lists, |list| list.references, &undo)
}

/// A pipe's ends = descriptions that read and that write; a FIFO's inode knows its pipe.
fn check_pipes(kernel: &Kernel) -> Result<(), String> {
    let (mut readers, mut writers): (BTreeMap<Id<Pipe>, u32>, BTreeMap<Id<Pipe>, u32>) = Default::default();
    for (_, file) in kernel.files.iter() {
        match file.object {
            FileObject::PipeReader(pipe) => count(&mut readers, pipe),
            FileObject::PipeWriter(pipe) => count(&mut writers, pipe),
            FileObject::Fifo { inode, pipe, .. } => {
                let ends = ends_of(file.flags);
                if ends.read {
                    count(&mut readers, pipe);
                }
                if ends.write {
                    count(&mut writers, pipe);
                }
                if !matches!(kernel.vfs.inodes[inode].kind, InodeKind::Fifo(Some(own)) if own == pipe) {
                    return Err(format!("{pipe:?} is open, and its FIFO does not know it"));
                }
            }
            _ => {}
        }
    }
    compare("read ends of", &kernel.pipes, |pipe| pipe.readers, &readers)?;
    compare("write ends of", &kernel.pipes, |pipe| pipe.writers, &writers)?;
    match kernel.pipes.iter().find(|(_, pipe)| pipe.readers + pipe.writers == 0) {
        Some((id, _)) => Err(format!("{id:?} has no ends")),
        None => Ok(()),
    }
}

/// Objects that live as long as a description has them open.
fn check_objects(kernel: &Kernel) -> Result<(), String> {
    let (mut event_fds, mut timer_fds, mut epolls, mut signal_fds) =
        (BTreeSet::new(), BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for (_, file) in kernel.files.iter() {
        match file.object {
            FileObject::EventFd(id) => _ = event_fds.insert(id),
            FileObject::TimerFd(id) => _ = timer_fds.insert(id),
            FileObject::Epoll(id) => _ = epolls.insert(id),
            FileObject::SignalFd(id) => _ = signal_fds.insert(id),
            FileObject::MessageQueue(id) if kernel.queues.get(id).is_none() => {
                return Err(format!("{id:?} is open and gone"));
            }
            _ => {}
        }
    }
    same(&kernel.event_fds, &event_fds)?;
    same(&kernel.timer_fds, &timer_fds)?;
    same(&kernel.epolls, &epolls)?;
    same(&kernel.signal_fds, &signal_fds)?;
    for (id, queue) in kernel.queues.iter() {
        let inode = queue.inode.and_then(|inode| kernel.vfs.inodes.get(inode));
        if !inode.is_some_and(|inode| matches!(inode.kind, InodeKind::Queue(own, _) if own == id)) {
            return Err(format!("{id:?} has no file"));
        }
    }
    Ok(())
}

fn same<T>(table: &Table<T>, open: &BTreeSet<Id<T>>) -> Result<(), String>
where
    Id<T>: Debug,
{
    match table.ids().find(|id| !open.contains(id)) {
        Some(id) => Err(format!("{id:?} is not open anywhere")),
        None if table.len() != open.len() => Err("something is open that is gone".to_string()),
        None => Ok(()),
    }
}

/// A thread is asleep exactly if it is listed in `Waits` or holds a deadline; then it has an operation.
fn check_waits(kernel: &Kernel) -> Result<(), String> {
    let listed: BTreeSet<_> = kernel.waits.iter().collect();
    let mut expected = BTreeSet::new();
    for (id, thread) in kernel.threads.iter() {
        let ThreadState::Blocked(wait) = &thread.state else {
            if thread.deadline_timer.is_some() {
                return Err(format!("{id:?} is awake, and holds a deadline"));
            }
            continue;
        };
        if thread.operation.is_none() {
            return Err(format!("{id:?} sleeps without an operation"));
        }
        if wait.deadline.is_some() != thread.deadline_timer.is_some() {
            return Err(format!("{id:?} sleeps with a deadline, and without its timer"));
        }
        expected.extend(wait.keys.iter().map(|key| (*key, id)));
    }
    if let Some((key, thread)) = listed.symmetric_difference(&expected).next() {
        return Err(format!("{thread:?} and the list of sleepers on {key:?} do not agree"));
    }
    let is_counted = |operation: &Operation| matches!(operation, Operation::LockPi(lock) if lock.is_counted());
    let counted = kernel.threads.iter().filter(|(_, thread)| thread.operation.as_ref().is_some_and(is_counted)).count();
    if counted != kernel.pi_waiters {
        return Err(format!("{} threads wait for owned futexes, but {counted} do", kernel.pi_waiters));
    }
    Ok(())
}

/// A namespace's threads, and the sums and lines of what is in it.
fn check_namespaces(kernel: &Kernel) -> Result<(), String> {
    let mut threads = BTreeMap::new();
    kernel.threads.iter().for_each(|(_, thread)| count(&mut threads, thread.ipc_namespace));
    compare("IPC namespace", &kernel.ipc_namespaces, |namespace| namespace.references, &threads)?;
    for (id, namespace) in kernel.ipc_namespaces.iter() {
        namespace.system_v.check(kernel, id)?;
        let queues = kernel.queues.iter().filter(|(_, queue)| queue.namespace == id).count();
        if queues != namespace.posix_queues.count {
            return Err(format!("{queues} POSIX queues, but {} are counted", namespace.posix_queues.count));
        }
    }
    for (id, queue) in kernel.queues.iter() {
        if !queue.waiting().all(|thread| is_asleep(kernel, thread)) {
            return Err(format!("somebody is in the line at {id:?} who does not wait"));
        }
    }
    Ok(())
}

/// Leases, watches of directories, signal-driven files and pidfds know only what there is; a user's account is the sum of
/// what he has.
fn check_watching(kernel: &Kernel) -> Result<(), String> {
    let (mut watches, mut readers, mut writers) = (0, BTreeMap::new(), BTreeMap::new());
    for (id, inode) in kernel.vfs.inodes.iter() {
        if inode.locks.leases.iter().any(|lease| kernel.files.get(lease.file).is_none()) {
            return Err(format!("{id:?} has a lease of a file that is closed"));
        }
        if inode.directory_watches.iter().any(|watch| !watch.is_open(kernel)) {
            return Err(format!("{id:?} is watched through a descriptor that is closed"));
        }
        watches += inode.directory_watches.len();
    }
    if watches != kernel.vfs.directory_watches() {
        return Err(format!("{watches} directories are watched, and as many were not counted"));
    }
    let mut remembered: BTreeMap<Id<Process>, u32> = BTreeMap::new();
    for (_, file) in kernel.files.iter() {
        match file.object {
            FileObject::Inode(inode) if file.is_writable() => count(&mut writers, inode),
            FileObject::Inode(inode) if file.is_readable() => count(&mut readers, inode),
            FileObject::Process(subject) => {
                subject.led_process().into_iter().for_each(|one| count(&mut remembered, one))
            }
            _ => {}
        }
    }
    compare("readers of inode", &kernel.vfs.inodes, |inode| inode.readers, &readers)?;
    compare("writers of inode", &kernel.vfs.inodes, |inode| inode.writers, &writers)?;
    if !kernel.pids.remembered.iter().map(|(process, known)| (*process, known.files)).eq(remembered) {
        return Err("processes are remembered for others than those who have them open".to_string());
    }
    kernel.signal_driven.check(kernel)?;
    watch_limits::check(kernel)
}

/// Whether a thread sleeps in a call.
pub(crate) fn is_asleep(kernel: &Kernel, thread: Id<crate::process::Thread>) -> bool {
    // A signal may have taken it off its keys; its operation is not over until it was stepped.
    kernel.threads.get(thread).is_some_and(|thread| thread.operation.is_some())
}
