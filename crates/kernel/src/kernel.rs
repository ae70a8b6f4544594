//! [`Kernel`]: every table, nothing else.

use crate::clock::{Alarm, Clock};
use crate::event::{Event, Record};
use crate::fs::epoll::Epoll;
use crate::fs::tty::Terminals;
use crate::fs::watch_limits::WatchLimits;
use crate::fs::{FdTable, FileDescription, FsContext, Vfs};
use crate::ipc::eventfd::EventFd;
use crate::ipc::namespace::IpcNamespace;
use crate::ipc::pipe::Pipe;
use crate::mm::replacement::Algorithm;
use crate::mm::{AddressSpace, Memory};
use crate::ports::Chooser;
use crate::process::credentials::UserAccount;
use crate::process::{Credentials, Pids, Process, Thread, ThreadState};
use crate::sched::load::Load;
use crate::sched::{Scheduler, deadline};
use crate::signal::SignalActions;
use crate::table::{Id, Table};
use crate::time::timerfd::TimerFd;
use crate::wait::{WaitKey, Waits};
use machine::{PageSize, PagingScheme, PhysicalMemory};
use std::collections::BTreeMap;

/// What the guest is told about its machine; fixed for a run.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// uname(2) `nodename`.
    pub host_name: Vec<u8>,
    /// Processors that the guest sees.
    pub cpus: u32,
    /// How addresses split.
    pub paging: PagingScheme,
    /// Bytes of swap.
    pub swap_bytes: u64,
    /// Bytes of the disk that takes changed pages of files when memory has no room for them.
    pub disk_bytes: u64,
    /// Which page goes when memory is full.
    pub replacement: Algorithm,
    /// Nanoseconds since 1970 at the start of the run.
    pub real_start_ns: u64,
    /// Who runs: the host's user and groups.
    pub uid: u32,
    /// See `uid`.
    pub gid: u32,
    /// See `uid`.
    pub groups: Vec<u32>,
}

/// A whole machine's state but for its registers in use. Plain data.
#[derive(Debug)]
pub struct Kernel {
    /// Fixed for the run.
    pub configuration: Configuration,
    /// Frames.
    pub memory: PhysicalMemory,
    /// Memory of everything here that is not in frames.
    pub structures: crate::structures::Structures,
    /// Time and timers.
    pub clock: Clock,
    /// Who runs next.
    pub scheduler: Scheduler,
    /// How many threads were ready or ran, of late.
    pub load: Load,
    /// Who sleeps on what.
    pub waits: Waits,
    /// Numbers of processes, threads, groups and sessions.
    pub pids: Pids,
    /// Resources.
    pub processes: Table<Process>,
    /// What the scheduler runs.
    pub threads: Table<Thread>,
    /// In whose name threads act.
    pub credentials: Table<Credentials>,
    /// What is counted per user, by user number.
    pub users: BTreeMap<u32, UserAccount>,
    /// Threads that wait for a futex with an owner.
    pub pi_waiters: usize,
    /// Address spaces, shared by `CLONE_VM`.
    pub spaces: Table<AddressSpace>,
    /// What they have in common.
    pub mm: Memory,
    /// Signal dispositions, shared by `CLONE_SIGHAND`.
    pub actions: Table<SignalActions>,
    /// Descriptor tables, shared by `CLONE_FILES`.
    pub fd_tables: Table<FdTable>,
    /// Working directories and the like, shared by `CLONE_FS`.
    pub fs_contexts: Table<FsContext>,
    /// Open file descriptions.
    pub files: Table<FileDescription>,
    /// Inodes, mounts and names.
    pub vfs: Vfs,
    /// Terminals.
    pub terminals: Terminals,
    /// uname(2) `domainname`.
    pub domain_name: Vec<u8>,
    /// `/proc/sys/kernel/random/boot_id`, once somebody has asked.
    pub boot_id: Option<[u8; 16]>,
    /// inotify_init(2).
    pub inotifies: Table<crate::fs::inotify::Inotify>,
    /// Files that tell their owners of news by signals.
    pub signal_driven: crate::fs::signal_driven::SignalDriven,
    /// How much one user may watch.
    pub watch_limits: WatchLimits,
    /// `/proc/sys/fs/lease*`.
    pub lease_settings: crate::fs::leases::Settings,
    /// Pipes and the pipes inside FIFOs.
    pub pipes: Table<Pipe>,
    /// `/proc/sys/fs/pipe-*`.
    pub pipe_limits: crate::ipc::pipe::Limits,
    /// timerfd_create(2).
    pub timer_fds: Table<TimerFd>,
    /// epoll_create(2).
    pub epolls: Table<Epoll>,
    /// Interests of all epoll sets by file.
    pub epoll_interests: crate::fs::epoll::InterestsByFile,
    /// socket(2).
    pub sockets: Table<crate::socket::Socket>,
    /// Names of sockets.
    pub bound_sockets: crate::socket::BoundSockets,
    /// Files that were sent through a socket and that nobody received: closed when the present close is over.
    pub files_in_flight_dropped: Vec<Id<FileDescription>>,
    /// Timers on processor time.
    pub cpu_timers: crate::time::cpu::CpuTimers,
    /// signalfd(2).
    pub signal_fds: Table<crate::signal::signalfd::SignalFd>,
    /// POSIX message queues.
    pub queues: Table<crate::ipc::posix::MessageQueue>,
    /// System V objects, names of POSIX queues, and their limits.
    pub ipc_namespaces: Table<IpcNamespace>,
    /// How many namespaces were made.
    pub ipc_namespaces_made: u32,
    /// What semaphores are changed by when threads end, semop(2) `SEM_UNDO`.
    pub undo_lists: Table<crate::ipc::sysv::UndoList>,
    /// eventfd(2).
    pub event_fds: Table<EventFd>,
    outbox: Vec<Record>,
}

impl Kernel {
    /// The size of pages and frames.
    #[inline]
    pub fn page_size(&self) -> PageSize {
        self.memory.page_size()
    }

    /// A machine with memory and nothing else.
    pub fn new(configuration: Configuration, memory: PhysicalMemory) -> Kernel {
        let memory_bytes = u64::from(memory.total()) * memory.page_size().bytes();
        Kernel {
            watch_limits: WatchLimits::new(memory_bytes),
            memory,
            structures: Default::default(),
            clock: Clock::new(configuration.real_start_ns),
            mm: Memory::new(&configuration),
            configuration,
            scheduler: Scheduler::default(),
            load: Load::default(),
            waits: Waits::default(),
            pids: Pids::default(),
            processes: Table::default(),
            threads: Table::default(),
            credentials: Table::default(),
            users: BTreeMap::new(),
            pi_waiters: 0,
            spaces: Table::default(),
            actions: Table::default(),
            fd_tables: Table::default(),
            fs_contexts: Table::default(),
            files: Table::default(),
            vfs: Vfs::default(),
            terminals: Terminals::default(),
            domain_name: crate::release::DOMAIN.into(),
            boot_id: None,
            inotifies: Table::default(),
            signal_driven: Default::default(),
            lease_settings: Default::default(),
            pipes: Table::default(),
            pipe_limits: Default::default(),
            timer_fds: Table::default(),
            epolls: Table::default(),
            epoll_interests: Default::default(),
            sockets: Table::default(),
            bound_sockets: Default::default(),
            files_in_flight_dropped: Vec::new(),
            cpu_timers: Default::default(),
            signal_fds: Table::default(),
            queues: Table::default(),
            ipc_namespaces: Table::default(),
            ipc_namespaces_made: 0,
            undo_lists: Table::default(),
            event_fds: Table::default(),
            outbox: Vec::new(),
        }
    }

    /// Says what happened, on behalf of the running thread.
    #[inline]
    pub fn emit(&mut self, event: Event) {
        let tid = match self.scheduler.current() {
            Some(thread) => self.threads.get(thread).map_or(0, |thread| thread.tid),
            None => 0,
        };
        self.outbox.push(Record { at: self.clock.now(), tid, event });
    }

    /// Says what happened to a thread that need not be the running one: a waker may end a sleeper's call.
    #[inline]
    pub fn emit_as(&mut self, thread: Id<Thread>, event: Event) {
        let tid = self.threads.get(thread).map_or(0, |thread| thread.tid);
        self.outbox.push(Record { at: self.clock.now(), tid, event });
    }

    /// Says that the running thread asked for a part of its system call that belljar does not have.
    pub fn unsupported(&mut self, what: &'static str) {
        let call = self.scheduler.current().and_then(|thread| self.threads.get(thread)?.call);
        if let Some(call) = call {
            self.emit(Event::Unsupported { number: call.number, what });
        }
    }

    /// What happened since the last call, in order.
    #[inline]
    pub fn take_records(&mut self, into: &mut Vec<Record>) {
        into.clear();
        std::mem::swap(&mut self.outbox, into);
    }

    /// Whether [`Kernel::take_records`] would give any.
    #[inline]
    pub fn has_records(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// Makes every waiter on `key` runnable, in the order in which they came, and tells the epoll sets that watch it.
    pub fn wake(&mut self, key: WaitKey) {
        while let Some(thread) = self.waits.first(key) {
            self.emit(Event::Woken { thread, key });
            self.unblock(thread);
        }
        if self.waits.has_watches() {
            crate::fs::epoll::notice(self, key);
        }
    }

    /// Makes the one that has waited on `key` for longest runnable, if there is one.
    pub fn wake_first(&mut self, key: WaitKey) {
        if let Some(thread) = self.waits.first(key) {
            self.emit(Event::Woken { thread, key });
            self.unblock(thread);
        }
    }

    /// Takes a blocked thread out of its sleep; its operation is stepped again when it runs. No effect on others.
    pub fn unblock(&mut self, thread: Id<Thread>) {
        let Some(sleeper) = self.threads.get_mut(thread) else { return };
        let ThreadState::Blocked(wait) = &mut sleeper.state else { return };
        wait.keys.clear();
        sleeper.state = ThreadState::Runnable;
        if let Some(timer) = sleeper.deadline_timer.take() {
            self.clock.cancel(timer);
        }
        self.waits.cancel(thread);
        self.make_ready(thread);
    }

    /// Lists a thread as ready to run, if it is runnable, not stopped, and neither running nor listed already: the last of
    /// its priority.
    pub fn make_ready(&mut self, thread: Id<Thread>) {
        if self.scheduler.has_ranks() {
            if self.threads[thread].policy.class == abi::sched::SCHED_DEADLINE {
                deadline::woke(self, thread);
            }
            if self.put_back(thread) {
                self.threads[thread].place.ticket = self.scheduler.last_ticket();
                self.scheduler.reconsider();
            }
        } else {
            self.put_back(thread);
        }
    }

    /// The same for a thread whose turn was cut short: it keeps its place among those of its priority. Whether it was
    /// listed.
    #[inline]
    pub(crate) fn put_back(&mut self, thread: Id<Thread>) -> bool {
        let candidate = &mut self.threads[thread];
        let is_ready = candidate.state == ThreadState::Runnable
            && !candidate.place.deadline.is_throttled
            && !self.processes[candidate.process].stopped
            && self.scheduler.enqueue(thread);
        if is_ready {
            candidate.place.ready_since = self.clock.now();
        }
        is_ready
    }

    /// Lets a thread of the queue run.
    #[inline]
    pub fn start(&mut self, thread: Id<Thread>) {
        self.scheduler.start(thread);
        let place = &mut self.threads[thread].place;
        place.waited_ns += self.clock.now().since(place.ready_since);
    }

    /// Serves all timers that have expired. The run loop calls it whenever time has passed.
    pub fn expire_timers(&mut self, chooser: &mut dyn Chooser) {
        self.load.sample(self.clock.now(), self.scheduler.active());
        while let Some(alarm) = self.clock.take_expired() {
            match alarm {
                Alarm::Deadline(thread) => {
                    if let Some(sleeper) = self.threads.get_mut(thread) {
                        sleeper.deadline_timer = None;
                        self.unblock(thread);
                    }
                }
                Alarm::RealInterval(process) => crate::time::itimer::expired(self, chooser, process),
                Alarm::PosixTimer(process, id) => crate::time::posix_timer::expired(self, chooser, process, id),
                Alarm::Replenish(thread) => deadline::replenished(self, thread),
                Alarm::Overrun(thread) => deadline::overran(self, chooser, thread),
                Alarm::TimerFd(timer) => crate::time::timerfd::expired(self, timer),
            }
        }
    }
}
