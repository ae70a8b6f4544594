//! The first processes: belljar's own init, and the program that belljar's user asked for.

use super::{Attributes, Credentials, Image, Limits, Process, Thread, ThreadState, Usage, exec, exit};
use crate::entry::Call;
use crate::event::Event;
use crate::fs::path::Follow;
use crate::fs::{self, Fd, FdEntry, FdTable, Node};
use crate::kernel::Kernel;
use crate::mm;
use crate::mm::replacement::Algorithm;
use crate::ports::{Chooser, Outside, Stream, StreamKind};
use crate::sched::Policy;
use crate::signal::{PendingSignals, SignalActions, SignalState};
use crate::table::Id;
use abi::signal::{SIGCHLD, SS_DISABLE, SigStack};
use abi::{Errno, Error};
use machine::Registers;

/// comm of process 1.
const INIT_NAME: &[u8] = b"init";

/// What to start.
#[derive(Clone, Copy, Debug)]
pub struct FirstProgram<'a> {
    /// Path of the program file.
    pub path: &'a [u8],
    /// Its arguments, the zeroth included.
    pub arguments: &'a [Vec<u8>],
    /// Its environment, `NAME=VALUE`.
    pub environment: &'a [Vec<u8>],
    /// Its working directory, absolute.
    pub directory: &'a [u8],
}

/// Mounts the file systems, makes init, and starts the first program as its child, in a process group of its own and
/// init's session: init stands for the shell that belljar was typed into.
///
/// # Errors
/// Those of execve(2) and chdir(2), for the run is over then.
pub fn start_first(
    kernel: &mut Kernel,
    outside: &mut dyn Outside,
    chooser: &mut dyn Chooser,
    program: &FirstProgram<'_>,
) -> Result<Id<Process>, Error> {
    if kernel.mm.replacement.algorithm == Algorithm::Random {
        let mut seed = [0; 8];
        chooser.random(&mut seed);
        kernel.mm.replacement.seed(u64::from_le_bytes(seed));
    }
    let process = start_empty(kernel, outside)?;
    let thread = kernel.processes[process].threads[0];
    let mut call = Call { kernel, outside, chooser, thread };
    let started = prepare(&mut call, program);
    match started {
        Ok(()) => {
            kernel.make_ready(thread);
            Ok(process)
        }
        Err(error) => {
            exit::exit_group(&mut call, abi::wait::exited(127));
            Err(error)
        }
    }
}

/// Mounts the file systems, makes init, and the first process with one thread and no program.
///
/// # Errors
/// As [`start_first`].
pub(crate) fn start_empty(kernel: &mut Kernel, outside: &mut dyn Outside) -> Result<Id<Process>, Error> {
    fs::mount::start(kernel, outside)?;
    let credentials = kernel.credentials.insert(Credentials::of_host(&kernel.configuration));
    let init = make_init(kernel, credentials);
    make_first(kernel, init, credentials)
}

fn prepare(call: &mut Call, program: &FirstProgram<'_>) -> Result<(), Error> {
    let directory = fs::path::resolve(call, Fd::WORKING_DIRECTORY, program.directory, Follow::Yes)?;
    if !call.kernel.inode(directory).is_directory() {
        return Err(Errno::ENOTDIR.because("the working directory is none"));
    }
    call.subject().check(call.kernel.inode(directory), fs::permission::EXECUTE)?;
    set_directory(call, directory);
    open_streams(call);
    exec::execute_first(call, program.path, program.arguments, program.environment)
}

fn set_directory(call: &mut Call, directory: Id<Node>) {
    call.kernel.hold_node(directory);
    let before = std::mem::replace(&mut call.context().directory, directory);
    call.kernel.release_node(before);
}

/// The console is the controlling terminal of init's session, with the first program in the foreground.
fn start_console(call: &mut Call) {
    let Process { pid, session, .. } = *call.process();
    let uid = call.kernel.configuration.uid;
    let console = fs::tty::console::start(call.kernel, call.outside, uid, session, pid);
    let init = call.kernel.pids.processes[&1];
    call.process().terminal = console;
    call.kernel.processes[init].terminal = console;
}

/// Descriptors 0 to 2: the host's streams, or the console where the host has a terminal.
fn open_streams(call: &mut Call) {
    start_console(call);
    let mut console = None;
    for (number, stream) in [Stream::Input, Stream::Output, Stream::Error].into_iter().enumerate() {
        let file = match call.outside.stream(stream) {
            // One description for all three, as a login shell gets it.
            StreamKind::Terminal => match console {
                Some(file) => Some(call.hold(file)),
                None => fs::tty::console::open(call.kernel),
            },
            _ => fs::stream::open(call, stream),
        };
        if call.outside.stream(stream) == StreamKind::Terminal {
            console = file;
        }
        if let Some(file) = file {
            call.fd_table_mut().set(number, Some(FdEntry { file, close_on_exec: false }));
        }
    }
}

fn blank(kernel: &Kernel, pid: i32, credentials: Id<Credentials>) -> Process {
    let memory = u64::from(kernel.memory.total()) * kernel.page_size().bytes();
    Process {
        pid,
        parent: None,
        children: Vec::new(),
        group: pid,
        session: 1,
        threads: Vec::new(),
        name: INIT_NAME.to_vec(),
        terminal: None,
        space: Id::FIRST,
        actions: Id::FIRST,
        signals: PendingSignals::default(),
        stopped: false,
        report: None,
        exiting: None,
        exit_status: None,
        leader_status: None,
        exit_signal: SIGCHLD,
        credentials,
        limits: Limits::initial(memory),
        image: Image::default(),
        attributes: Attributes::default(),
        usage: Usage::default(),
        children_usage: Usage::default(),
        timers: Default::default(),
        started: kernel.clock.now(),
        vfork_parent_waits: false,
        has_executed: false,
        is_first: false,
    }
}

fn enter(kernel: &mut Kernel, process: Process) -> Id<Process> {
    let (pid, group, session, set) = (process.pid, process.group, process.session, process.credentials);
    let id = kernel.processes.insert(process);
    kernel.pids.processes.insert(pid, id);
    kernel.pids.join(id, group, session);
    super::credentials::retain(kernel, set);
    let uid = kernel.credentials[set].uid;
    exit::count_task(kernel, uid, 1);
    id
}

/// Process 1. It has no thread: what Linux's init does for others, the kernel does in its name.
fn make_init(kernel: &mut Kernel, credentials: Id<Credentials>) -> Id<Process> {
    let pid = kernel.pids.allocate().expect("all numbers are free");
    assert_eq!(pid, 1, "init is the first process");
    let init = blank(kernel, pid, credentials);
    enter(kernel, init)
}

fn make_first(kernel: &mut Kernel, init: Id<Process>, credentials: Id<Credentials>) -> Result<Id<Process>, Error> {
    let pid = kernel.pids.allocate().expect("nearly all numbers are free");
    let process = blank(kernel, pid, credentials);
    let stack = process.limits.soft(abi::resource::RLIMIT_STACK);
    let space = mm::new_space(kernel, stack).map_err(|_| Errno::ENOMEM.because("the memory is too small"))?;
    let actions = kernel.actions.insert(SignalActions::default());
    let process = Process { parent: Some(init), space, actions, is_first: true, ..process };
    let process = enter(kernel, process);
    kernel.processes[init].children.push(process);

    let root = kernel.root_node();
    let fs_context = kernel.make_context(root, root, 0o022);
    let mut fd_table = FdTable::default();
    fd_table.references = 1;
    let fd_table = kernel.fd_tables.insert(fd_table);
    let ipc_namespace = crate::ipc::namespace::create(kernel);
    super::credentials::retain(kernel, credentials);
    let thread = kernel.threads.insert(Thread {
        tid: pid,
        process,
        state: ThreadState::Runnable,
        registers: Box::new(Registers::new()),
        call: None,
        operation: None,
        deadline_timer: None,
        signals: SignalState::default(),
        alternate_stack: SigStack { flags: SS_DISABLE, ..SigStack::default() },
        fault: (0, 0, 0),
        fd_table,
        fs_context,
        ipc_namespace,
        undo: None,
        credentials,
        name: Vec::new(),
        clear_child_tid: 0,
        robust_list: 0,
        rseq: None,
        cpu: 0,
        policy: Policy::default(),
        place: Default::default(),
        memory_policy: Default::default(),
        io_priority: 0,
        instructions: 0,
        system_calls: 0,
        usage: Usage::default(),
        started: kernel.clock.now(),
    });
    kernel.pids.threads.insert(pid, thread);
    kernel.processes[process].threads.push(thread);
    kernel.emit(Event::ProcessStarted { process, pid, parent: 1 });
    kernel.emit(Event::ThreadStarted { tid: pid, process });
    Ok(process)
}
