//! The run loop with a processor that follows a script, so that every count is known.

use kernel::Errno;
use kernel::event::{Event, Record};
use kernel::ports::{HostEntry, HostMetadata, Input, Outside, Stream, StreamKind};
use kernel::{Id, Kernel, process::Thread};
use machine::{Access, Exception, Exit, Gpr, PageFault, Processor, Registers, Slice, Space, Trap};
use std::time::Duration;
use system::boot::{Setup, boot};
use system::choice::RoundRobin;
use system::observer::Observer;
use system::outside::Surroundings;
use system::outside::streams::Typed;
use system::run::{SYSCALL_NS, Stop, System};

/// What a scripted program does next.
#[derive(Clone, Copy, Debug)]
enum Action {
    /// Retires so many instructions.
    Compute(u64),
    /// Makes a system call.
    Call(u64, [u64; 3]),
    /// Goes to an action if rax is 0: the child after fork(2).
    IfZero(u64),
    /// Goes to an action.
    Jump(u64),
    /// Reads from an address.
    Load(u64),
    /// Divides by zero.
    Divide,
    /// Executes what does not exist.
    Undefined,
}

/// Keeps all of a program's state in registers, as a processor does: r12 is the next action, r13 progress in it.
struct Scripted(Vec<Action>);

impl Processor for Scripted {
    fn run(&mut self, space: Space<'_>, registers: &mut Registers, slice: Slice) -> Exit {
        let mut retired = 0;
        loop {
            let at = registers.get(Gpr::R12);
            let action = self.0[at as usize];
            if retired == slice.instructions {
                return Exit { trap: Trap::Budget, instructions: retired };
            }
            let mut next = |registers: &mut Registers, to: u64| {
                registers.set(Gpr::R12, to);
                registers.set(Gpr::R13, 0);
                retired += 1;
            };
            match action {
                Action::Compute(count) => {
                    let step = (count - registers.get(Gpr::R13)).min(slice.instructions - retired);
                    registers.set(Gpr::R13, registers.get(Gpr::R13) + step);
                    retired += step;
                    if registers.get(Gpr::R13) == count {
                        registers.set(Gpr::R12, at + 1);
                        registers.set(Gpr::R13, 0);
                    }
                }
                Action::Call(number, arguments) => {
                    next(registers, at + 1);
                    registers.set(Gpr::Rax, number);
                    for (register, value) in [Gpr::Rdi, Gpr::Rsi, Gpr::Rdx].into_iter().zip(arguments) {
                        registers.set(register, value);
                    }
                    return Exit { trap: Trap::Syscall, instructions: retired };
                }
                Action::IfZero(to) => {
                    let zero = registers.get(Gpr::Rax) == 0;
                    next(registers, if zero { to } else { at + 1 });
                }
                Action::Jump(to) => next(registers, to),
                Action::Load(address) => {
                    let Space { memory, table, tlb, .. } = space;
                    return match machine::mmu::translate(memory, table, tlb, address, Access::Read) {
                        Ok(_) => panic!("the script's addresses are not mapped"),
                        Err(PageFault { .. }) if false => unreachable!(),
                        Err(fault) => Exit { trap: Trap::PageFault(fault), instructions: retired },
                    };
                }
                Action::Divide => {
                    return Exit { trap: Trap::Exception(Exception::Divide), instructions: retired };
                }
                Action::Undefined => {
                    let trap = Trap::Exception(Exception::InvalidOpcode {
                        bytes: vec![0x0f, 0xc7, 0xf0],
                        instruction: Some("rdrand eax".to_string()),
                    });
                    return Exit { trap, instructions: retired };
                }
            }
        }
    }
}

/// A host with one program and nothing else, or with a person at a terminal who looks on and types now and then.
#[derive(Default)]
struct Island {
    person: bool,
    /// How long the run loop wanted to wait for keys, each time.
    patience: Vec<Duration>,
    last_wait: Duration,
}

const PROGRAM: &[u8] = b"/program";

/// A static ELF program with one page of code; what is in it does not matter to a script.
fn program() -> Vec<u8> {
    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    file.extend([2, 0, 62, 0, 1, 0, 0, 0]);
    for word in [0x40_1000_u64, 64, 0] {
        file.extend(word.to_le_bytes());
    }
    file.extend(0_u32.to_le_bytes());
    for half in [64_u16, 56, 1, 64, 0, 0] {
        file.extend(half.to_le_bytes());
    }
    file.extend([1, 0, 0, 0, 5, 0, 0, 0]);
    for word in [0x1000_u64, 0x40_1000, 0x40_1000, 0x1000, 0x1000, 0x1000] {
        file.extend(word.to_le_bytes());
    }
    file.resize(0x2000, 0);
    file
}

impl Outside for Island {
    fn metadata(&mut self, path: &[u8]) -> Result<HostMetadata, Errno> {
        let (mode, size, inode) = match path {
            b"/" => (0o040_755, 4096, 1),
            PROGRAM => (0o100_755, program().len() as u64, 2),
            b"/tmp" | b"/dev" | b"/proc" | b"/sys" => (0o040_755, 4096, 3),
            _ => return Err(Errno::ENOENT),
        };
        Ok(HostMetadata {
            device: 1,
            inode,
            mode,
            links: 1,
            uid: 0,
            gid: 0,
            special_device: 0,
            size,
            block_size: 4096,
            blocks: 8,
            modified_ns: 0,
            changed_ns: 0,
        })
    }
    fn read_directory(&mut self, _: &[u8]) -> Result<Vec<HostEntry>, Errno> {
        Ok(Vec::new())
    }
    fn read_link(&mut self, _: &[u8]) -> Result<Vec<u8>, Errno> {
        Err(Errno::EINVAL)
    }
    fn read_file(&mut self, _: &[u8], offset: u64, buffer: &mut [u8]) -> Result<usize, Errno> {
        let file = program();
        let rest = file.get(offset as usize..).unwrap_or(&[]);
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
    fn stream(&mut self, _: Stream) -> StreamKind {
        StreamKind::Closed
    }
    fn stream_metadata(&mut self, _: Stream) -> Result<HostMetadata, Errno> {
        Err(Errno::EBADF)
    }
    fn read_input(&mut self, _: usize) -> Input {
        Input::End
    }
    fn write_output(&mut self, _: Stream, _: &[u8]) -> Result<usize, Errno> {
        Err(Errno::EBADF)
    }
    fn seek_output(&mut self, _: Stream, _: i64, _: i32) -> Result<u64, Errno> {
        Err(Errno::EBADF)
    }
    fn window_size(&mut self) -> Option<(u16, u16)> {
        None
    }
}

impl Surroundings for Island {
    fn has_terminal(&self) -> bool {
        self.person
    }
    fn is_interactive(&self) -> bool {
        self.person
    }
    fn read_terminal(&mut self, patience: Option<Duration>) -> Typed {
        let patience = patience.expect("a timer is set");
        self.patience.push(patience);
        if self.patience.len() == 1 {
            self.last_wait = Duration::from_secs(2);
            return Typed::Bytes(b"x".to_vec());
        }
        self.last_wait = patience;
        Typed::Nothing
    }
    fn last_wait(&self) -> Duration {
        self.last_wait
    }
}

/// Keeps all records.
#[derive(Default)]
struct Log(Vec<Record>);

impl Observer for Log {
    fn record(&mut self, _: &Kernel, record: &Record) {
        self.0.push(record.clone());
    }
    fn before_call(&mut self, _: &Kernel, _: Id<Thread>) {}
}

type Machine = System<Scripted, RoundRobin, Island, Log>;

fn machine(script: &[Action], seed: u64, time_limit_ns: Option<u64>) -> Machine {
    let setup = Setup {
        program: PROGRAM.to_vec(),
        arguments: vec![b"program".to_vec()],
        environment: Vec::new(),
        directory: b"/".to_vec(),
        tlb: None,
        paging: machine::PagingScheme::x86_64(),
        memory_bytes: 64 << 20,
        swap_bytes: 0,
        disk_bytes: 0,
        replacement: Default::default(),
        cpus: 1,
        host_name: b"island".to_vec(),
        start_ns: 0,
        time_limit_ns,
        uid: 0,
        gid: 0,
        groups: Vec::new(),
        writable: Vec::new(),
    };
    match boot(&setup, Scripted(script.to_vec()), RoundRobin::new(seed), Island::default(), Log::default()) {
        Ok(machine) => machine,
        Err(error) => panic!("{error:?}"),
    }
}

fn run(script: &[Action]) -> (Stop, Machine) {
    // A script that never ends is a failed test, not an endless one.
    let mut machine = machine(script, 0, Some(1_000_000_000_000_000));
    (machine.run(), machine)
}

const EXIT: u64 = 60;
const FORK: u64 = 57;
const GETPPID: u64 = 110;
const PAUSE: u64 = 34;
const WAIT4: u64 = 61;
const ALARM: u64 = 37;

#[test]
fn time_is_instructions_and_a_price_for_each_call() {
    let (stop, machine) = run(&[Action::Compute(1000), Action::Call(GETPPID, [0; 3]), Action::Call(EXIT, [5, 0, 0])]);
    assert_eq!(stop, Stop::Ended { status: 0x500 });
    assert_eq!(machine.kernel.clock.now().0, 1002 + 2 * SYSCALL_NS);
    let total = machine.account.total();
    assert_eq!((total.instructions, total.system_calls, total.turns), (1002, 2, 1));
}

#[test]
fn two_busy_processes_take_turns_of_the_lengths_that_the_seed_says() {
    let script = [Action::Call(FORK, [0; 3]), Action::Compute(1_000_000), Action::Call(EXIT, [0; 3])];
    let (stop, machine) = run(&script);
    assert_eq!(stop, Stop::Ended { status: 0 });
    let processes = machine.account.processes();
    assert_eq!(processes.len(), 2);
    let least = 1_000_000 / RoundRobin::LONGEST;
    assert!(processes.iter().all(|(_, used)| used.turns >= least && used.instructions >= 1_000_000), "{processes:?}");
}

#[test]
fn the_same_seed_repeats_every_record_and_another_seed_does_not() {
    let script = [
        Action::Call(FORK, [0; 3]),
        Action::Compute(300_000),
        Action::Call(GETPPID, [0; 3]),
        Action::Compute(300_000),
        Action::Call(EXIT, [0; 3]),
    ];
    let records = |seed| {
        let mut machine = machine(&script, seed, None);
        machine.run();
        (machine.journal.hash(), machine.observer.0)
    };
    assert_eq!(records(1), records(1));
    assert_ne!(records(1), records(2));
}

#[test]
fn a_sleeping_world_jumps_to_its_next_timer() {
    // SIGALRM kills after 100,000 seconds.
    let (stop, machine) = run(&[Action::Call(ALARM, [100_000, 0, 0]), Action::Call(PAUSE, [0; 3])]);
    assert_eq!(stop, Stop::Ended { status: 14 });
    assert!(machine.kernel.clock.now().0 >= 100_000_000_000_000);
    assert!(machine.account.total().instructions < 10);
}

#[test]
fn a_person_who_looks_on_gets_the_time_that_a_sleep_asks_for() {
    let mut machine = machine(&[Action::Call(ALARM, [5, 0, 0]), Action::Call(PAUSE, [0; 3])], 0, None);
    machine.outside.person = true;
    assert_eq!(machine.run(), Stop::Ended { status: 14 });
    // After two seconds a key was pressed; the sleep goes on.
    let tenths: Vec<u64> = machine.outside.patience.iter().map(|patience| patience.as_millis() as u64 / 100).collect();
    assert_eq!(tenths, [49, 29]);
}

#[test]
fn a_sleeping_world_does_not_jump_beyond_the_time_limit() {
    let mut machine = machine(&[Action::Call(ALARM, [100, 0, 0]), Action::Call(PAUSE, [0; 3])], 0, Some(3_000_000_000));
    assert_eq!(machine.run(), Stop::TimeLimit);
    assert_eq!(machine.kernel.clock.now().0, 3_000_000_000);
}

#[test]
fn a_timer_expires_in_the_middle_of_a_turn() {
    let (stop, machine) = run(&[Action::Call(ALARM, [1, 0, 0]), Action::Compute(2_000_000_000)]);
    assert_eq!(stop, Stop::Ended { status: 14 });
    let late = machine.kernel.clock.now().0 - 1_000_000_000;
    assert!(late <= 2 * SYSCALL_NS, "{late} ns late");
}

#[test]
fn nobody_can_run_and_no_timer_is_set_is_a_hang() {
    let (stop, _) = run(&[Action::Call(PAUSE, [0; 3])]);
    assert_eq!(stop, Stop::Hang);
    // The child waits for ever, its parent for the child.
    let script = [
        Action::Call(FORK, [0; 3]),
        Action::IfZero(3),
        Action::Call(WAIT4, [u64::MAX, 0, 0]),
        Action::Call(PAUSE, [0; 3]),
    ];
    assert_eq!(run(&script).0, Stop::Hang);
}

#[test]
fn a_child_that_sleeps_for_ever_does_not_keep_the_run() {
    let script =
        [Action::Call(FORK, [0; 3]), Action::IfZero(3), Action::Call(EXIT, [7, 0, 0]), Action::Call(PAUSE, [0; 3])];
    assert_eq!(run(&script).0, Stop::Ended { status: 0x700 });
}

#[test]
fn the_time_limit_is_exact() {
    let mut machine = machine(&[Action::Compute(u64::MAX)], 0, Some(123_456_789));
    assert_eq!(machine.run(), Stop::TimeLimit);
    assert_eq!(machine.kernel.clock.now().0, 123_456_789);
}

#[test]
fn a_loop_of_calls_is_preempted_and_meets_the_time_limit() {
    let script = [Action::Call(GETPPID, [0; 3]), Action::Jump(0)];
    let mut machine = machine(&script, 0, Some(10_000_000));
    assert_eq!(machine.run(), Stop::TimeLimit);
    assert!(machine.account.total().turns > 50);
}

#[test]
fn the_load_is_how_many_threads_would_run() {
    // The child of a fork and its parent compute for a minute.
    let script = [Action::Call(FORK, [0; 3]), Action::Compute(u64::MAX)];
    let mut machine = machine(&script, 0, Some(60_000_000_000));
    assert_eq!(machine.run(), Stop::TimeLimit);
    let [one, five, fifteen] = machine.kernel.load.hundredths();
    assert!((120..=130).contains(&one) && five < one && fifteen < five, "{one} {five} {fifteen}");
}

#[test]
fn faults_and_exceptions_become_the_signals_of_linux() {
    let ends = |action| run(&[action]).0;
    assert_eq!(ends(Action::Load(0x10)), Stop::Ended { status: 11 });
    assert_eq!(ends(Action::Divide), Stop::Ended { status: 8 });
    let (stop, machine) = run(&[Action::Undefined]);
    assert_eq!(stop, Stop::Ended { status: 4 });
    let told = |record: &Record| matches!(&record.event, Event::UnsupportedInstruction { text, bytes, .. } if text == "rdrand eax" && *bytes == [0x0f, 0xc7, 0xf0]);
    assert!(machine.observer.0.iter().any(told));
}
