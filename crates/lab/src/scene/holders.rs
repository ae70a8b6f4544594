//! Who has which end of what open: one walk over all descriptor tables.

use super::Scene;
use crate::verdict::{Descriptor, Means, Waker};
use kernel::Kernel;
use kernel::fs::{Fd, FdTable, FileDescription, FileObject};
use kernel::ipc::fifo;
use kernel::process::{Process, Thread};
use kernel::table::Id;
use std::collections::{BTreeMap, BTreeSet};

/// Descriptors told one by one of one process.
const DESCRIPTORS_TOLD: usize = 4;

/// An end of something, by the handle of what it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    PipeReader(u32),
    PipeWriter(u32),
    Socket(u32),
    Queue(u32),
    EventFd(u32),
    TimerFd(u32),
    Inotify(u32),
    Master(u32),
    Terminal(u32),
    Description(u32),
}

/// A descriptor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holder {
    pub(crate) process: Id<Process>,
    pub(crate) table: Id<FdTable>,
    pub(crate) fd: Fd,
    pub(crate) file: Id<FileDescription>,
}

/// All descriptors by what they are ends of.
#[derive(Debug, Default)]
pub(crate) struct Holders(BTreeMap<End, Vec<Holder>>);

impl Holders {
    pub(crate) fn of(kernel: &Kernel) -> Holders {
        let mut all: BTreeMap<End, Vec<Holder>> = BTreeMap::new();
        for (process, holder) in kernel.processes.iter() {
            let tables: BTreeSet<Id<FdTable>> =
                holder.threads.iter().map(|thread| kernel.threads[*thread].fd_table).collect();
            for table in tables {
                for (fd, entry) in kernel.fd_tables[table].iter() {
                    let holder = Holder { process, table, fd, file: entry.file };
                    for end in ends(kernel, entry.file) {
                        all.entry(end).or_default().push(holder);
                    }
                }
            }
        }
        Holders(all)
    }

    pub(crate) fn with(&self, end: End) -> &[Holder] {
        self.0.get(&end).map_or(&[], Vec::as_slice)
    }
}

fn ends(kernel: &Kernel, file: Id<FileDescription>) -> Vec<End> {
    let description = &kernel.files[file];
    let mut ends = vec![End::Description(file.index())];
    match description.object {
        FileObject::PipeReader(pipe) => ends.push(End::PipeReader(pipe.index())),
        FileObject::PipeWriter(pipe) => ends.push(End::PipeWriter(pipe.index())),
        FileObject::Fifo { pipe, .. } => {
            let open = fifo::ends_of(description.flags);
            if open.read {
                ends.push(End::PipeReader(pipe.index()));
            }
            if open.write {
                ends.push(End::PipeWriter(pipe.index()));
            }
        }
        FileObject::Socket(socket) => ends.push(End::Socket(socket.index())),
        FileObject::MessageQueue(queue) => ends.push(End::Queue(queue.index())),
        FileObject::EventFd(counter) => ends.push(End::EventFd(counter.index())),
        FileObject::TimerFd(timer) => ends.push(End::TimerFd(timer.index())),
        FileObject::Inotify(inotify) => ends.push(End::Inotify(inotify.index())),
        FileObject::Master(terminal) => ends.push(End::Master(terminal.index())),
        FileObject::Terminal { terminal, .. } => ends.push(End::Terminal(terminal.index())),
        _ => {}
    }
    ends
}

impl Scene<'_> {
    /// Those who could use an end, process by process.
    pub(crate) fn wakers_with(&mut self, end: End, fits: impl Fn(&FileDescription) -> bool) -> Vec<Waker> {
        let mut by_process: BTreeMap<i32, (Id<Process>, Vec<Holder>)> = BTreeMap::new();
        for holder in self.holders.with(end) {
            if fits(&self.kernel.files[holder.file]) {
                let pid = self.kernel.processes[holder.process].pid;
                by_process.entry(pid).or_insert_with(|| (holder.process, Vec::new())).1.push(*holder);
            }
        }
        by_process
            .into_values()
            .map(|(process, holders)| {
                let descriptors =
                    holders.into_iter().take(DESCRIPTORS_TOLD).map(|holder| self.descriptor(holder)).collect();
                self.waker(process, Means::Descriptors { descriptors })
            })
            .collect()
    }

    /// A process that could, with all its threads.
    pub(crate) fn waker(&self, process: Id<Process>, means: Means) -> Waker {
        let threads = self.kernel.processes.get(process).map_or(&[][..], |process| &process.threads);
        Waker { who: self.person(process), tids: self.numbers(threads), means }
    }

    pub(crate) fn numbers(&self, threads: &[Id<Thread>]) -> Vec<i32> {
        threads.iter().map(|thread| self.kernel.threads[*thread].tid).collect()
    }

    fn descriptor(&mut self, holder: Holder) -> Descriptor {
        let witness = self.witness;
        let opening = witness.opening(holder.file).cloned();
        let duplication = witness.duplication(holder.table, holder.fd, holder.file).cloned();
        // What was opened or duplicated by another process came with the fork, or through a socket after it.
        let latest = duplication.as_ref().or(opening.as_ref());
        let is_own = latest.is_some_and(|site| site.process == holder.process);
        let born = witness.life(holder.process).and_then(|life| life.born.clone());
        let inherited = born.filter(|born| !is_own && latest.is_some_and(|site| site.at <= born.at));
        Descriptor {
            fd: holder.fd.0,
            opened: opening.map(|site| self.deed(&site)),
            duplicated: duplication.map(|site| self.deed(&site)),
            inherited: inherited.map(|site| self.deed(&site)),
        }
    }
}
