//! Notes what a later explanation needs and the kernel does not keep: where descriptors and objects came from, who took
//! a semaphore last, which signals came, who the dead were.
//!
//! It reads events and the state at that time, and changes nothing. A place is kept as the registers and the top of the
//! stack; lines are looked up only if somebody asks. What is gone is forgotten, so a long run stays small.

use crate::source::{CodeMap, FrameRegisters, StackMemory};
use abi::Wire;
use abi::fcntl::{F_DUPFD, F_DUPFD_CLOEXEC, F_OFD_SETLK, F_OFD_SETLKW, F_SETLK, F_SETLKW, O_CREAT};
use abi::ipc::SemaphoreOperation;
use abi::mman::PROT_EXEC;
use kernel::Kernel;
use kernel::clock::Instant;
use kernel::event::{Event, Record};
use kernel::fs::{Fd, FdTable, FileDescription, FileObject, Inode, page_cache};
use kernel::ipc::posix::MessageQueue;
use kernel::ipc::sysv::{Identifier, ObjectId};
use kernel::mm::AddressSpace;
use kernel::process::{Process, Thread};
use kernel::syscalls::argument::Peek;
use kernel::table::Id;
use machine::Gpr;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use system::observer::Observer;

/// Bytes of the stack kept with a place: enough for what the C library puts between a program and a system call.
const STACK_BYTES: usize = 1024;
/// The same for calls that programs make often, behind thin wrappers.
const SHORT_STACK_BYTES: usize = 128;
/// Signals remembered of each process.
const SIGNALS_KEPT: usize = 8;
/// Past openings remembered of each FIFO.
const OPENINGS_KEPT: usize = 8;
/// Processes that are gone and still remembered.
const DEAD_KEPT: usize = 10_000;
/// Places kept for open files, at most.
const PLACES_KEPT: usize = 20_000;
/// Bytes of a named semaphore's file, sem_open(3): glibc's `sem_t`.
const SEMAPHORE_FILE_BYTES: u64 = 32;

/// fork(2)'s number, for processes made by it or its kin.
const FORK: u64 = 57;

/// Where somebody made a call.
#[derive(Debug)]
pub struct Site {
    /// The thread's process.
    pub process: Id<Process>,
    /// The thread's number.
    pub tid: i32,
    /// When.
    pub at: Instant,
    /// The system call's number.
    pub call: u64,
    /// Its code at that time.
    pub code: Rc<CodeMap>,
    /// Where it was.
    pub frame: FrameRegisters,
    stack: Box<[u8]>,
}

impl StackMemory for Site {
    fn word(&self, address: u64) -> Option<u64> {
        let start = usize::try_from(address.checked_sub(self.frame.rsp())?).ok()?;
        let bytes = self.stack.get(start..start.checked_add(8)?)?;
        Some(u64::from_le_bytes(bytes.try_into().ok()?))
    }
}

/// A process, dead or alive.
#[derive(Clone, Debug)]
pub struct Life {
    /// Its number.
    pub pid: i32,
    /// The program that it runs or ran last, without directories.
    pub name: Vec<u8>,
    /// Where its parent made it.
    pub born: Option<Rc<Site>>,
    /// How and when it ended: as wait(2) encodes it.
    pub ended: Option<(i32, Instant)>,
}

/// A signal whose handler ran.
#[derive(Clone, Copy, Debug)]
pub struct Handled {
    /// Its number.
    pub signal: i32,
    /// Who sent it, if a process did.
    pub from: Option<Id<Process>>,
    /// When.
    pub at: Instant,
}

/// A semaphore was taken.
#[derive(Clone, Debug)]
pub struct Taken {
    /// By whom, where.
    pub site: Rc<Site>,
    /// With SEM_UNDO.
    pub with_undo: bool,
}

/// How a System V semaphore is used.
#[derive(Debug, Default)]
struct Usage {
    taken: Option<Taken>,
    /// Somebody gave it who had not taken it: it tells of events and is no lock, so nobody owes it.
    is_event: bool,
}

/// A word of shared memory that is a named semaphore's value.
#[derive(Debug)]
struct Watched {
    inode: Id<Inode>,
    value: u32,
    taken: Option<(Id<Process>, i32, Instant)>,
    /// As in [`Usage`].
    is_event: bool,
}

/// Descriptors that were made from others: to what, and where. Valid while they still refer to that.
type Duplicates = BTreeMap<i32, (Id<FileDescription>, Rc<Site>)>;

/// The notes.
#[derive(Debug, Default)]
pub struct Witness {
    lives: BTreeMap<Id<Process>, Life>,
    dead: VecDeque<Id<Process>>,
    by_thread: BTreeMap<i32, Id<Process>>,
    /// The numbers of each process's threads, alive or not.
    threads: BTreeMap<Id<Process>, Vec<i32>>,
    /// When each thread last went to sleep, by its number.
    asleep_since: Vec<Instant>,
    openings: BTreeMap<Id<FileDescription>, Rc<Site>>,
    descriptors: BTreeMap<Id<FdTable>, Duplicates>,
    fifo_openings: BTreeMap<Id<Inode>, VecDeque<(Rc<Site>, u32)>>,
    code: BTreeMap<Id<AddressSpace>, Rc<CodeMap>>,
    makers: BTreeMap<Made, Rc<Site>>,
    semaphores: BTreeMap<(ObjectId, u16), Usage>,
    locks: BTreeMap<(Id<FileDescription>, i32), Rc<Site>>,
    handled: BTreeMap<Id<Process>, VecDeque<Handled>>,
    sent: BTreeMap<(i32, i32), Id<Process>>,
    /// New names of files in `/dev/shm`, by old names.
    links: BTreeMap<Vec<u8>, Vec<u8>>,
    watched: Vec<Watched>,
    prune_at: usize,
}

/// An object with a maker.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Made {
    /// shmget(2).
    Segment(ObjectId),
    /// msgget(2).
    Queue(ObjectId),
    /// semget(2).
    Semaphores(ObjectId),
    /// mq_open(3).
    PosixQueue(Id<MessageQueue>),
    /// A file below `/dev/shm`.
    SharedFile(Id<Inode>),
}

impl Observer for Witness {
    fn before_call(&mut self, _: &Kernel, _: Id<Thread>) {}

    fn record(&mut self, kernel: &Kernel, record: &Record) {
        match &record.event {
            Event::SyscallLeft { number, result: Ok(value) } => self.left(kernel, record, *number, *value),
            Event::Blocked(_) => self.fell_asleep(record),
            Event::ProcessStarted { process, pid, .. } => self.born(kernel, record, *process, *pid),
            Event::ThreadStarted { tid, process } => {
                self.by_thread.insert(*tid, *process);
                self.threads.entry(*process).or_default().push(*tid);
            }
            Event::Executed { path, .. } => self.executed(kernel, record, path),
            Event::ProcessEnded { process, status, .. } => self.ended(*process, *status, record.at),
            Event::SignalSent { signal, to } => self.signal_sent(record, *signal, *to),
            Event::SignalDelivered { signal } => self.signal_handled(record, *signal),
            _ => {}
        }
    }

    fn after_turn(&mut self, kernel: &Kernel, process: Id<Process>, tid: i32) {
        for word in &mut self.watched {
            let Some(value) = first_word(kernel, word.inode) else { continue };
            if value < word.value {
                word.taken = Some((process, tid, kernel.clock.now()));
            } else if value > word.value {
                word.is_event |= word.taken.take().is_none_or(|(taker, ..)| taker != process);
            }
            word.value = value;
        }
    }
}

impl Witness {
    /// What is known of a process.
    pub fn life(&self, process: Id<Process>) -> Option<&Life> {
        self.lives.get(&process)
    }

    /// The process that a thread number belongs to, or belonged to.
    pub fn process_of(&self, tid: i32) -> Option<Id<Process>> {
        self.by_thread.get(&tid).copied()
    }

    /// When a thread last went to sleep.
    pub fn asleep_since(&self, tid: i32) -> Option<Instant> {
        self.asleep_since.get(usize::try_from(tid).ok()?).copied()
    }

    /// Where an open file was opened.
    pub fn opening(&self, file: Id<FileDescription>) -> Option<&Rc<Site>> {
        self.openings.get(&file)
    }

    /// Where a descriptor was made from another.
    pub fn duplication(&self, table: Id<FdTable>, fd: Fd, file: Id<FileDescription>) -> Option<&Rc<Site>> {
        let (of, site) = self.descriptors.get(&table)?.get(&fd.0)?;
        (*of == file).then_some(site)
    }

    /// Who opened a FIFO, and with which flags, the last ones.
    pub fn fifo_openings(&self, inode: Id<Inode>) -> impl Iterator<Item = &(Rc<Site>, u32)> {
        self.fifo_openings.get(&inode).into_iter().flatten()
    }

    /// Who made an object.
    pub fn maker(&self, made: &Made) -> Option<&Rc<Site>> {
        self.makers.get(made)
    }

    /// Who took a System V semaphore that is used as a lock, and has not given it back.
    pub fn taken(&self, set: ObjectId, number: u16) -> Option<&Taken> {
        let usage = self.semaphores.get(&(set, number)).filter(|usage| !usage.is_event)?;
        usage.taken.as_ref()
    }

    /// Where a process took a lock through an open file.
    pub fn lock(&self, file: Id<FileDescription>, pid: i32) -> Option<&Rc<Site>> {
        self.locks.get(&(file, pid))
    }

    /// Signals whose handlers a process ran, the last ones.
    pub fn handled(&self, process: Id<Process>) -> impl Iterator<Item = &Handled> {
        self.handled.get(&process).into_iter().flatten()
    }

    /// Who took a named semaphore that is used as a lock, and has not given it back: process, thread, when.
    pub fn named_semaphore_taken(&self, inode: Id<Inode>) -> Option<(Id<Process>, i32, Instant)> {
        self.watched.iter().find(|word| word.inode == inode && !word.is_event)?.taken
    }

    /// The name that a file in `/dev/shm` was given after it was made.
    pub fn linked_as(&self, path: &[u8]) -> Option<&[u8]> {
        self.links.get(path).map(Vec::as_slice)
    }

    fn fell_asleep(&mut self, record: &Record) {
        let Ok(index) = usize::try_from(record.tid) else { return };
        if index >= self.asleep_since.len() {
            self.asleep_since.resize(index + 1, Instant(0));
        }
        self.asleep_since[index] = record.at;
    }

    fn born(&mut self, kernel: &Kernel, record: &Record, process: Id<Process>, pid: i32) {
        let parent = self.thread(kernel, record);
        let born = parent.map(|(id, thread)| {
            self.site(kernel, id, record, thread.call.map_or(FORK, |call| call.number), STACK_BYTES)
        });
        if let Some((_, parent)) = parent
            && let Some(child) = kernel.processes.get(process).and_then(|child| child.threads.first())
            && let Some(copies) = self.descriptors.get(&parent.fd_table)
        {
            let (copies, table) = (copies.clone(), kernel.threads[*child].fd_table);
            self.descriptors.entry(table).or_insert(copies);
        }
        let parent = self.by_thread.get(&record.tid).and_then(|parent| self.lives.get(parent));
        let name = parent.map_or_else(Vec::new, |parent| parent.name.clone());
        self.lives.insert(process, Life { pid, name, born, ended: None });
    }

    fn executed(&mut self, kernel: &Kernel, record: &Record, path: &[u8]) {
        let author = self.by_thread.get(&record.tid).copied().or_else(|| self.lives.keys().next_back().copied());
        let Some(process) = author else { return };
        if let Some(life) = self.lives.get_mut(&process) {
            life.name = crate::text::base_name(path).to_vec();
        }
        if let Some(process) = kernel.processes.get(process) {
            self.code.remove(&process.space);
        }
    }

    fn ended(&mut self, process: Id<Process>, status: i32, at: Instant) {
        self.handled.remove(&process);
        if let Some(life) = self.lives.get_mut(&process) {
            life.ended = Some((status, at));
            life.born = None;
            self.dead.push_back(process);
        }
        while self.dead.len() > DEAD_KEPT
            && let Some(forgotten) = self.dead.pop_front()
        {
            self.lives.remove(&forgotten);
            for tid in self.threads.remove(&forgotten).unwrap_or_default() {
                // Unless the number is another's now.
                if self.by_thread.get(&tid) == Some(&forgotten) {
                    self.by_thread.remove(&tid);
                }
            }
        }
    }

    fn signal_sent(&mut self, record: &Record, signal: i32, to: i32) {
        if let Some(from) = self.by_thread.get(&record.tid) {
            self.sent.insert((to, signal), *from);
        }
    }

    fn signal_handled(&mut self, record: &Record, signal: i32) {
        let Some(process) = self.by_thread.get(&record.tid).copied() else { return };
        let pid = self.lives.get(&process).map_or(record.tid, |life| life.pid);
        let from = self.sent.remove(&(record.tid, signal)).or_else(|| self.sent.remove(&(pid, signal)));
        let handled = self.handled.entry(process).or_default();
        if handled.len() == SIGNALS_KEPT {
            handled.pop_front();
        }
        handled.push_back(Handled { signal, from, at: record.at });
    }

    /// A call succeeded. The thread has not gone on yet: its registers and its stack are those of the call.
    fn left(&mut self, kernel: &Kernel, record: &Record, number: u64, value: u64) {
        match number {
            // open, creat, openat, openat2
            2 | 85 | 257 | 437 => self.opened(kernel, record, number, value as i32),
            // socket, accept, signalfd, timerfd_create, eventfd, epoll_create, inotify_init and their younger forms,
            // mq_open, pidfd_open, memfd_create
            41 | 43 | 213 | 253 | 282 | 283 | 284 | 288 | 289 | 290 | 291 | 294 | 319 | 434 => {
                self.note_opening(kernel, record, number, &[value as i32]);
            }
            240 => self.queue_opened(kernel, record, value as i32),
            // pipe, pipe2
            22 | 293 => self.pair_opened(kernel, record, number, Gpr::Rdi),
            53 => self.pair_opened(kernel, record, number, Gpr::R10),
            // dup, dup2, dup3
            32 | 33 | 292 => self.duplicated(kernel, record, number, value as i32),
            72 => self.controlled(kernel, record, value as i32),
            73 => self.locked(kernel, record, number),
            // mmap, mprotect: new code; munmap: less
            9 => self.mapped(kernel, record),
            10 | 11 => self.forget_code(kernel, record, number == 10),
            // shmget, semget, msgget
            29 | 64 | 68 => self.system_v_made(kernel, record, number, value as i32),
            // semop, semtimedop
            65 | 220 => self.operated(kernel, record, number),
            // link
            86 => self.linked(kernel, record),
            _ => {}
        }
    }

    fn thread<'a>(&self, kernel: &'a Kernel, record: &Record) -> Option<(Id<Thread>, &'a Thread)> {
        let id = *kernel.pids.threads.get(&record.tid)?;
        Some((id, kernel.threads.get(id)?))
    }

    fn site(&mut self, kernel: &Kernel, thread: Id<Thread>, record: &Record, call: u64, bytes: usize) -> Rc<Site> {
        let owner = &kernel.threads[thread];
        let space = kernel.processes[owner.process].space;
        let code = self.code.entry(space).or_insert_with(|| Rc::new(CodeMap::of(kernel, space)));
        let frame = FrameRegisters::of(&owner.registers);
        let stack = Peek { kernel, thread }.bytes(frame.rsp(), bytes).into_boxed_slice();
        Rc::new(Site {
            process: owner.process,
            tid: owner.tid,
            at: record.at,
            call,
            code: Rc::clone(code),
            frame,
            stack,
        })
    }

    fn file(kernel: &Kernel, thread: &Thread, fd: i32) -> Option<Id<FileDescription>> {
        Some(kernel.fd_tables.get(thread.fd_table)?.get(Fd(fd))?.file)
    }

    fn note_opening(&mut self, kernel: &Kernel, record: &Record, number: u64, fds: &[i32]) -> Option<Rc<Site>> {
        if self.openings.len() >= self.prune_at.max(1024) {
            self.prune(kernel);
        }
        let (id, thread) = self.thread(kernel, record)?;
        if self.openings.len() >= PLACES_KEPT {
            return None;
        }
        let site = self.site(kernel, id, record, number, STACK_BYTES);
        for fd in fds {
            if let Some(file) = Witness::file(kernel, thread, *fd) {
                self.openings.insert(file, Rc::clone(&site));
            }
        }
        Some(site)
    }

    fn opened(&mut self, kernel: &Kernel, record: &Record, number: u64, fd: i32) {
        let Some((_, thread)) = self.thread(kernel, record) else { return };
        let Some(description) = Witness::file(kernel, thread, fd).and_then(|file| kernel.files.get(file)) else {
            return;
        };
        match description.object {
            FileObject::Fifo { inode, .. } => {
                let flags = description.flags;
                if let Some(site) = self.note_opening(kernel, record, number, &[fd]) {
                    let openings = self.fifo_openings.entry(inode).or_default();
                    if openings.len() == OPENINGS_KEPT {
                        openings.pop_front();
                    }
                    openings.push_back((site, flags));
                }
            }
            FileObject::Inode(inode) => {
                // Plain files come and go by the thousand; only those that outlive processes are of interest.
                let flags = thread.registers.get(if number == 257 { Gpr::Rdx } else { Gpr::Rsi }) as u32;
                if flags & O_CREAT != 0
                    && let Some(node) = description.node
                    && kernel.path_of(node).starts_with(b"/dev/shm/")
                {
                    self.made(kernel, record, number, Made::SharedFile(inode));
                }
            }
            FileObject::Device(_) | FileObject::Stream(_) => {}
            _ => _ = self.note_opening(kernel, record, number, &[fd]),
        }
    }

    fn queue_opened(&mut self, kernel: &Kernel, record: &Record, fd: i32) {
        self.note_opening(kernel, record, 240, &[fd]);
        let Some((_, thread)) = self.thread(kernel, record) else { return };
        let Some(file) = Witness::file(kernel, thread, fd) else { return };
        if let FileObject::MessageQueue(queue) = kernel.files[file].object {
            self.made(kernel, record, 240, Made::PosixQueue(queue));
        }
    }

    fn system_v_made(&mut self, kernel: &Kernel, record: &Record, number: u64, id: i32) {
        let Some((_, thread)) = self.thread(kernel, record) else { return };
        let id = ObjectId { namespace: thread.ipc_namespace, id: Identifier(id) };
        let made = match number {
            29 => Made::Segment(id),
            64 => Made::Semaphores(id),
            _ => Made::Queue(id),
        };
        self.made(kernel, record, number, made);
    }

    fn pair_opened(&mut self, kernel: &Kernel, record: &Record, number: u64, argument: Gpr) {
        let Some((id, thread)) = self.thread(kernel, record) else { return };
        let bytes = Peek { kernel, thread: id }.bytes(thread.registers.get(argument), 8);
        if let Ok(bytes) = <[u8; 8]>::try_from(bytes) {
            let fd = |half: [u8; 4]| i32::from_le_bytes(half);
            let [a, b, c, d, e, f, g, h] = bytes;
            self.note_opening(kernel, record, number, &[fd([a, b, c, d]), fd([e, f, g, h])]);
        }
    }

    fn duplicated(&mut self, kernel: &Kernel, record: &Record, number: u64, fd: i32) {
        let Some((id, thread)) = self.thread(kernel, record) else { return };
        let Some(file) = Witness::file(kernel, thread, fd) else { return };
        if matches!(kernel.files[file].object, FileObject::Inode(_) | FileObject::Device(_) | FileObject::Stream(_)) {
            return;
        }
        let site = self.site(kernel, id, record, number, STACK_BYTES);
        self.descriptors.entry(thread.fd_table).or_default().insert(fd, (file, site));
    }

    fn controlled(&mut self, kernel: &Kernel, record: &Record, value: i32) {
        let Some((_, thread)) = self.thread(kernel, record) else { return };
        match thread.registers.get(Gpr::Rsi) as u32 {
            F_DUPFD | F_DUPFD_CLOEXEC => self.duplicated(kernel, record, 72, value),
            F_SETLK | F_SETLKW | F_OFD_SETLK | F_OFD_SETLKW => self.locked(kernel, record, 72),
            _ => {}
        }
    }

    fn locked(&mut self, kernel: &Kernel, record: &Record, number: u64) {
        let Some((id, thread)) = self.thread(kernel, record) else { return };
        let fd = thread.registers.get(Gpr::Rdi) as i32;
        let Some(file) = Witness::file(kernel, thread, fd) else { return };
        let pid = kernel.processes[thread.process].pid;
        let site = self.site(kernel, id, record, number, SHORT_STACK_BYTES);
        self.locks.insert((file, pid), site);
        if self.locks.len() >= PLACES_KEPT {
            self.locks.retain(|(file, _), _| kernel.files.get(*file).is_some());
        }
    }

    fn mapped(&mut self, kernel: &Kernel, record: &Record) {
        let Some((_, thread)) = self.thread(kernel, record) else { return };
        if thread.registers.get(Gpr::Rdx) as u32 & PROT_EXEC != 0 {
            self.code.remove(&kernel.processes[thread.process].space);
            return;
        }
        // A named semaphore's file: what changes in it is told by looking at it after each turn.
        if thread.registers.get(Gpr::Rsi) == SEMAPHORE_FILE_BYTES
            && let Some(file) = Witness::file(kernel, thread, thread.registers.get(Gpr::R8) as i32)
            && let FileObject::Inode(inode) = kernel.files[file].object
            && !self.watched.iter().any(|word| word.inode == inode)
            && let Some(value) = first_word(kernel, inode)
        {
            self.watched.retain(|word| kernel.vfs.inodes.get(word.inode).is_some());
            self.watched.push(Watched { inode, value, taken: None, is_event: false });
        }
    }

    fn forget_code(&mut self, kernel: &Kernel, record: &Record, only_new_code: bool) {
        let Some((_, thread)) = self.thread(kernel, record) else { return };
        if !only_new_code || thread.registers.get(Gpr::Rdx) as u32 & PROT_EXEC != 0 {
            self.code.remove(&kernel.processes[thread.process].space);
        }
    }

    fn made(&mut self, kernel: &Kernel, record: &Record, number: u64, made: Made) {
        if self.makers.contains_key(&made) {
            return;
        }
        let Some((id, _)) = self.thread(kernel, record) else { return };
        let site = self.site(kernel, id, record, number, STACK_BYTES);
        self.makers.insert(made, site);
        if self.makers.len() >= PLACES_KEPT {
            self.makers.retain(|made, _| exists(kernel, made));
        }
    }

    fn operated(&mut self, kernel: &Kernel, record: &Record, number: u64) {
        let Some((id, thread)) = self.thread(kernel, record) else { return };
        let registers = &thread.registers;
        let set = ObjectId { namespace: thread.ipc_namespace, id: Identifier(registers.get(Gpr::Rdi) as i32) };
        let count = registers.get(Gpr::Rdx).min(500) as usize;
        let bytes = Peek { kernel, thread: id }.bytes(registers.get(Gpr::Rsi), count * SemaphoreOperation::SIZE);
        let mut site = None;
        for operation in bytes.chunks_exact(SemaphoreOperation::SIZE).map(SemaphoreOperation::read) {
            // Who took what tells of events does not owe it.
            if self.semaphores.get(&(set, operation.number)).is_some_and(|usage| usage.is_event) {
                continue;
            }
            if operation.change < 0 {
                let site = site.get_or_insert_with(|| self.site(kernel, id, record, number, SHORT_STACK_BYTES)).clone();
                let with_undo = operation.flags & abi::ipc::SEM_UNDO != 0;
                let usage = self.semaphores.entry((set, operation.number)).or_default();
                usage.taken = Some(Taken { site, with_undo });
            } else if operation.change > 0 {
                let usage = self.semaphores.entry((set, operation.number)).or_default();
                let taker = usage.taken.take().map(|taken| taken.site.process);
                usage.is_event |= taker != Some(thread.process);
            }
        }
    }

    fn linked(&mut self, kernel: &Kernel, record: &Record) {
        let Some((id, thread)) = self.thread(kernel, record) else { return };
        let path = |register| {
            let bytes = Peek { kernel, thread: id }.bytes(thread.registers.get(register), 256);
            let end = bytes.iter().position(|byte| *byte == 0)?;
            Some(bytes[..end].to_vec())
        };
        if let (Some(old), Some(new)) = (path(Gpr::Rdi), path(Gpr::Rsi))
            && new.starts_with(b"/dev/shm/")
            && self.links.len() < PLACES_KEPT
        {
            self.links.insert(old, new);
        }
    }

    /// Forgets what is gone.
    fn prune(&mut self, kernel: &Kernel) {
        self.openings.retain(|file, _| kernel.files.get(*file).is_some());
        self.descriptors.retain(|table, _| kernel.fd_tables.get(*table).is_some());
        self.fifo_openings.retain(|inode, _| kernel.vfs.inodes.get(*inode).is_some());
        self.code.retain(|space, _| kernel.spaces.get(*space).is_some());
        self.semaphores.retain(|(set, _), _| exists(kernel, &Made::Semaphores(*set)));
        self.prune_at = 2 * self.openings.len();
    }
}

fn exists(kernel: &Kernel, made: &Made) -> bool {
    let system_v = |id: &ObjectId| kernel.ipc_namespaces.get(id.namespace).map(|namespace| &namespace.system_v);
    match made {
        Made::Segment(id) => system_v(id).is_some_and(|objects| objects.segments.get(id.id).is_ok()),
        Made::Queue(id) => system_v(id).is_some_and(|objects| objects.queues.get(id.id).is_ok()),
        Made::Semaphores(id) => system_v(id).is_some_and(|objects| objects.semaphores.get(id.id).is_ok()),
        Made::PosixQueue(queue) => kernel.queues.get(*queue).is_some(),
        Made::SharedFile(inode) => kernel.vfs.inodes.get(*inode).is_some(),
    }
}

/// The first four bytes of a file, if they are in memory.
fn first_word(kernel: &Kernel, inode: Id<Inode>) -> Option<u32> {
    kernel.vfs.inodes.get(inode)?;
    let frame = page_cache::cached(kernel, inode, 0)?;
    let bytes = &kernel.memory.bytes(frame)[..4];
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}
