//! The run loop: choose a thread, let it run to its next trap, serve the trap, tell the observers.
//!
//! ```text
//! run -> chooser picks -> turn: prepare -> Processor::run -> Trap -> enter | fault | exception -> prepare -> ...
//!     \-> nobody is ready: jump to the next timer, or wait for the terminal, or stop
//! ```
//!
//! One thread runs at a time, and everything that decides who comes in through the chooser. Time is the instructions that
//! retire, one nanosecond each, and [`SYSCALL_NS`] for each call, so that loops of calls see time pass.

use crate::account::{Account, Used};
use crate::journal::Journal;
use crate::keyboard;
use crate::observer::{Fault, Observer, Stopped};
use crate::outside::Surroundings;
use crate::outside::signals::HostSignal;
use crate::outside::streams::Typed;
use abi::signal::SigInfo;
use kernel::clock::Instant;
use kernel::entry::{self, Call, Ready};
use kernel::event::{Event, Record};
use kernel::mm;
use kernel::ports::Chooser;
use kernel::process::{Process, Thread};
use kernel::sched::rank;
use kernel::signal;
use kernel::table::Id;
use kernel::time;
use kernel::{Kernel, WaitKey};
use machine::tlb_model::TlbModel;
use machine::{Exception, Gpr, PageFault, Processor, Registers, Slice, Space, Trap};
use std::time::Duration;

/// Virtual nanoseconds that a system call takes, whatever it does: about what entering and leaving Linux costs.
pub const SYSCALL_NS: u64 = 100;

/// Virtual nanoseconds that processes may go on after the first program has ended. Natively they would go on for ever; a
/// run has to end some day.
pub const AFTERMATH_NS: u64 = 3_600_000_000_000;

/// The number of exit_group(2).
const EXIT_GROUP: u64 = 231;

/// Turns between two looks at the keyboard while programs run.
const TURNS_PER_LOOK: u32 = 64;

/// Why a run is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The first program ended: its status as wait(2) encodes it. Whoever is left can never run again, or was given
    /// [`AFTERMATH_NS`].
    Ended {
        /// As wait(2) encodes it.
        status: i32,
    },
    /// Nobody can ever run again, and the first program has not ended.
    Hang,
    /// The time limit passed.
    TimeLimit,
    /// Somebody outside wants to know the state; the run can go on.
    Asked,
    /// Somebody outside asked for the end.
    Terminated(HostSignal),
}

/// A machine in motion.
pub struct System<P, C, O, V> {
    /// All state.
    pub kernel: Kernel,
    /// What executes guest code.
    pub processor: P,
    /// What decides.
    pub chooser: C,
    /// The world around.
    pub outside: O,
    /// The hash of what happened.
    pub journal: Journal,
    /// What each process used.
    pub account: Account,
    /// Reads along.
    pub observer: V,
    /// When to stop, if nothing else stops the run.
    pub time_limit: Option<Instant>,
    /// A TLB that counts every access, if one is wanted.
    pub tlb_model: Option<TlbModel>,
    /// When observers want to look, the next instant last.
    pub looks: Vec<Instant>,
    first: Option<FirstProgram>,
    /// Records on their way from the kernel to the observers; kept for its allocation.
    records: Vec<Record>,
    last_fault: RepeatedFault,
    turns_since_look: u32,
    /// Somebody typed Ctrl-Z at a terminal that is not raw, so belljar itself has to stop when the guest has.
    suspend_wanted: bool,
}

/// The program that the run is about.
#[derive(Clone, Copy, Debug)]
struct FirstProgram {
    process: Id<Process>,
    /// Its process group.
    group: i32,
    ended: Option<(i32, Instant)>,
}

/// Guards against a fault that is served without effect.
#[derive(Debug, Default)]
struct RepeatedFault {
    fault: Option<(PageFault, [u64; 4])>,
    count: u32,
}

/// How often one access may fault before it is certain that serving the fault does not help: once for each page that an
/// instruction can touch would do.
const FAULTS_PER_ACCESS: u32 = 64;

impl<P: Processor, C: Chooser, O: Surroundings, V: Observer> System<P, C, O, V> {
    /// A machine that has not run yet.
    pub fn new(kernel: Kernel, processor: P, chooser: C, outside: O, observer: V) -> System<P, C, O, V> {
        System {
            kernel,
            processor,
            chooser,
            outside,
            journal: Journal::new(),
            account: Account::default(),
            observer,
            time_limit: None,
            tlb_model: None,
            looks: Vec::new(),
            first: None,
            records: Vec::new(),
            last_fault: RepeatedFault::default(),
            turns_since_look: 0,
            suspend_wanted: false,
        }
    }

    /// Says which process's end is the run's.
    pub fn watch(&mut self, process: Id<Process>) {
        let group = self.kernel.processes[process].group;
        self.first = Some(FirstProgram { process, group, ended: None });
    }

    /// Runs until there is a reason to stop.
    pub fn run(&mut self) -> Stop {
        loop {
            if self.outside.has_signals()
                && let Some(stop) = self.serve_host_signals()
            {
                self.publish();
                return stop;
            }
            if let Some(stop) = self.is_time_over() {
                return stop;
            }
            self.look();
            self.kernel.expire_timers(&mut self.chooser);
            if self.kernel.scheduler.queue().is_empty() {
                self.publish();
                if let Some(stop) = self.idle() {
                    return stop;
                }
                continue;
            }
            self.look_at_keyboard();
            let thread = match rank::candidates(&mut self.kernel) {
                Some(candidates) => candidates[self.chooser.next_thread(&candidates)],
                None => {
                    let queue = self.kernel.scheduler.queue();
                    queue[self.chooser.next_thread(queue)]
                }
            };
            self.kernel.start(thread);
            self.turn(thread);
        }
    }

    /// Lets a thread run until its turn is over or it cannot go on.
    fn turn(&mut self, thread: Id<Thread>) {
        let mut left = rank::turn_length(&self.kernel, thread, self.chooser.slice());
        let began = self.kernel.clock.now();
        let Thread { process, tid, place, .. } = &self.kernel.threads[thread];
        let (process, tid, waited_ns) = (*process, *tid, began.since(place.ready_since));
        let mut used = Used { turns: 1, waited_ns, first_turn: Some(began), ..Used::default() };
        loop {
            let ready = entry::prepare(&mut self.call(thread));
            if self.kernel.has_records() {
                self.publish();
            }
            if ready == Ready::NotNow {
                break;
            }
            let now = self.kernel.clock.now();
            let mut instructions = left.min(Slice::MAX_INSTRUCTIONS);
            instructions = time::cpu::limit(&self.kernel, thread, instructions);
            if let Some(next) = self.next_stop() {
                if next <= now {
                    self.look();
                    if self.is_time_over().is_some() {
                        break;
                    }
                    self.kernel.expire_timers(&mut self.chooser);
                    if !rank::goes_on(&mut self.kernel, thread) {
                        break;
                    }
                    continue;
                }
                instructions = instructions.min(next.since(now));
            }
            let slice = Slice { instructions, time_stamp: self.kernel.clock.monotonic_ns() };
            if self.tlb_model.is_some() {
                self.tell_model(process);
            }
            let space = &mut self.kernel.spaces[self.kernel.processes[process].space];
            let counted = (space.tlb.accesses, space.tlb.misses);
            let exit = self.processor.run(
                Space {
                    memory: &mut self.kernel.memory,
                    table: &mut space.table,
                    tlb: &mut space.tlb,
                    model: self.tlb_model.as_mut(),
                },
                &mut self.kernel.threads[thread].registers,
                slice,
            );
            used.accesses += space.tlb.accesses - counted.0;
            used.misses += space.tlb.misses - counted.1;
            used.note_tables(&space.table);
            used.instructions += exit.instructions;
            self.kernel.threads[thread].instructions += exit.instructions;
            self.kernel.clock.advance(exit.instructions);
            left = left.saturating_sub(exit.instructions);
            time::cpu::check(&mut self.kernel, &mut self.chooser);
            match exit.trap {
                Trap::Syscall => {
                    left = left.saturating_sub(SYSCALL_NS);
                    used.system_calls += 1;
                    self.syscall(thread);
                }
                Trap::PageFault(fault) => used.misses += self.page_fault(thread, fault),
                Trap::Budget => {}
                Trap::Exception(exception) => self.exception(thread, exception),
            }
            let is_over = left == 0 || self.kernel.scheduler.has_yielded() || !rank::goes_on(&mut self.kernel, thread);
            if is_over || self.outside.has_signals() {
                break;
            }
        }
        let ran_ns = self.kernel.clock.now().since(began);
        rank::end_turn(&mut self.kernel, thread, ran_ns);
        self.account.add(process, &used);
        if self.kernel.has_records() {
            self.publish();
        }
        self.observer.after_turn(&self.kernel, process, tid);
    }

    fn call(&mut self, thread: Id<Thread>) -> Call<'_> {
        Call { kernel: &mut self.kernel, outside: &mut self.outside, chooser: &mut self.chooser, thread }
    }

    #[inline]
    fn syscall(&mut self, thread: Id<Thread>) {
        self.observer.before_call(&self.kernel, thread);
        if self.kernel.threads[thread].registers.get(Gpr::Rax) == EXIT_GROUP {
            let stopped = Stopped::Exiting(self.kernel.threads[thread].process);
            self.observer.stopped(&self.kernel, self.tlb_model.as_ref(), stopped);
        }
        self.kernel.clock.advance(SYSCALL_NS);
        entry::enter(&mut self.call(thread));
    }

    /// Serves a page fault; the misses of the TLB that were served with it.
    fn page_fault(&mut self, thread: Id<Thread>, fault: PageFault) -> u64 {
        let Thread { registers, instructions, .. } = &self.kernel.threads[thread];
        self.last_fault.check(fault, registers, *instructions);
        let mut call = self.call(thread);
        let space = call.space();
        let before = call.kernel.spaces[space].tlb.misses;
        if let Err(reason) = mm::fault::handle(&mut call, space, fault) {
            self.observer.before_fault(&self.kernel, thread, Fault::Access(fault, reason));
            signal::fault::page_fault(&mut self.call(thread), fault, reason);
            return 0;
        }
        self.kernel.spaces[space].tlb.misses - before
    }

    fn exception(&mut self, thread: Id<Thread>, exception: Exception) {
        if let Exception::InvalidOpcode { bytes, instruction: Some(text) } = &exception {
            let address = self.kernel.threads[thread].registers.rip;
            let (bytes, text) = (bytes.clone(), text.clone());
            self.kernel.emit(Event::UnsupportedInstruction { address, bytes, text });
        }
        self.observer.before_fault(&self.kernel, thread, Fault::Exception(&exception));
        signal::fault::exception(&mut self.call(thread), &exception);
    }

    /// Hands what happened to the hash and to the observer.
    fn publish(&mut self) {
        self.kernel.take_records(&mut self.records);
        for record in &self.records {
            self.journal.add(record);
            if let Event::ProcessEnded { process, status, .. } = record.event
                && let Some(first) = &mut self.first
                && first.process == process
            {
                first.ended = Some((status, record.at));
            }
            self.observer.record(&self.kernel, record);
        }
    }

    /// The instant that no slice may pass: the next timer, or the end of the run's time.
    #[inline]
    fn next_stop(&self) -> Option<Instant> {
        let earlier = |one: Option<Instant>, other: Option<Instant>| match (one, other) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        earlier(earlier(self.kernel.clock.next_expiry(), self.time_limit), self.looks.last().copied())
    }

    /// Lets observers look if it is time.
    #[inline]
    fn look(&mut self) {
        let now = self.kernel.clock.now();
        while let Some(instant) = self.looks.pop_if(|instant| *instant <= now) {
            self.observer.stopped(&self.kernel, self.tlb_model.as_ref(), Stopped::At(instant));
        }
    }

    /// Tells the model who runs next, and what the kernel flushed meanwhile, in whatever address space.
    fn tell_model(&mut self, process: Id<Process>) {
        let Some(model) = &mut self.tlb_model else { return };
        for (id, space) in self.kernel.spaces.iter_mut() {
            for flush in space.tlb.take_log() {
                model.flush(id.number(), flush);
            }
        }
        model.switch_to(self.kernel.processes[process].space.number(), process.number());
    }

    fn is_time_over(&self) -> Option<Stop> {
        let now = self.kernel.clock.now();
        if self.time_limit.is_some_and(|limit| now >= limit) {
            return Some(Stop::TimeLimit);
        }
        let (status, at) = self.first?.ended?;
        (now.since(at) > AFTERMATH_NS).then_some(Stop::Ended { status })
    }

    /// Nobody is ready: lets time pass or waits for the world outside, unless nothing can come any more.
    fn idle(&mut self) -> Option<Stop> {
        let alive = self.kernel.processes.iter().any(|(_, process)| !process.threads.is_empty());
        if !alive {
            return Some(self.end());
        }
        let sleeps = self.kernel.clock.next_expiry().is_some();
        // People live in real time: whoever has waited for their keys gets the time that a sleep asks for, until the
        // program ends that they talk to (docs/decisions/0004).
        let is_conversation = self.outside.is_interactive() && self.first_ended().is_none();
        if self.outside.has_terminal() && (keyboard::is_awaited(&self.kernel) || is_conversation && sleeps) {
            self.wait_for_keys();
            return None;
        }
        if sleeps {
            self.skip(u64::MAX);
            return None;
        }
        let stopped = self.kernel.processes.iter().any(|(_, process)| process.stopped);
        if stopped && (self.outside.hears_keys() || self.suspend_wanted) {
            self.suspend_wanted = false;
            self.outside.suspend();
            self.outside.resume();
            self.signal_foreground(HostSignal::Continue);
            return None;
        }
        if is_conversation {
            // Nobody reads, but Ctrl-C can still come.
            self.wait_for_keys();
            return None;
        }
        Some(self.end())
    }

    /// Lets time pass while nobody runs: to the next timer or the end of the run's time, at most `most_ns`.
    fn skip(&mut self, most_ns: u64) {
        let now = self.kernel.clock.now();
        let until = self.next_stop().map_or(u64::MAX, |next| next.since(now));
        if until.min(most_ns) < u64::MAX {
            self.kernel.clock.advance(until.min(most_ns));
        }
    }

    fn first_ended(&self) -> Option<i32> {
        self.first.and_then(|first| first.ended).map(|(status, _)| status)
    }

    fn end(&self) -> Stop {
        match self.first_ended() {
            Some(status) => Stop::Ended { status },
            None => Stop::Hang,
        }
    }

    /// Waits for what is typed at the terminal, until the next timer is due; as much time passes for the programs.
    fn wait_for_keys(&mut self) {
        let now = self.kernel.clock.now();
        let patience = self.next_stop().map(|next| Duration::from_nanos(next.since(now)));
        let typed = self.outside.read_terminal(patience);
        self.skip(u64::try_from(self.outside.last_wait().as_nanos()).unwrap_or(u64::MAX));
        self.take_typed(typed);
    }

    fn take_typed(&mut self, typed: Typed) {
        match typed {
            Typed::Bytes(bytes) => {
                keyboard::type_in(&mut self.kernel, &mut self.outside, &mut self.chooser, &bytes);
            }
            Typed::HungUp => {
                keyboard::hang_up(&mut self.kernel, &mut self.chooser);
                self.outside.forget_terminal();
            }
            Typed::Nothing | Typed::Signal => {}
        }
    }

    /// Takes what was typed while programs run, now and then: Ctrl-C has to reach a program that never reads.
    fn look_at_keyboard(&mut self) {
        self.turns_since_look += 1;
        if self.turns_since_look < TURNS_PER_LOOK {
            return;
        }
        self.turns_since_look = 0;
        if !self.outside.hears_keys() {
            return;
        }
        let typed = self.outside.read_terminal(Some(Duration::ZERO));
        self.take_typed(typed);
    }

    /// Lets the host's signals take effect. Some: the run has to end, or to be told about.
    fn serve_host_signals(&mut self) -> Option<Stop> {
        let mut is_asked = false;
        for signal in self.outside.take_signals() {
            match signal {
                HostSignal::Terminate | HostSignal::HangUp => return Some(Stop::Terminated(signal)),
                HostSignal::WindowSize => {
                    if let Some((rows, columns)) = self.outside.window_size() {
                        keyboard::resize(&mut self.kernel, &mut self.chooser, rows, columns);
                    }
                }
                HostSignal::Suspend => {
                    self.suspend_wanted = true;
                    self.signal_foreground(signal);
                }
                HostSignal::Continue => {
                    self.outside.resume();
                    self.signal_foreground(signal);
                }
                HostSignal::Interrupt | HostSignal::Quit => self.signal_foreground(signal),
                HostSignal::Ask => is_asked = true,
            }
        }
        self.kernel.wake(WaitKey::HostStreams);
        keyboard::flush(&mut self.kernel, &mut self.outside);
        is_asked.then_some(Stop::Asked)
    }

    /// Sends a signal to the group in the foreground of the guest's terminal, or to the first program's if it has none.
    fn signal_foreground(&mut self, which: HostSignal) {
        let group = keyboard::foreground(&self.kernel).or(self.first.map(|first| first.group));
        if let Some(group) = group {
            let info = SigInfo::kernel(which.number());
            signal::send_to_group(&mut self.kernel, &mut self.chooser, group, info);
        }
    }
}

impl RepeatedFault {
    /// # Panics
    /// If the same access faults again and again: serving the fault did not help, which is a bug of belljar.
    fn check(&mut self, fault: PageFault, registers: &Registers, retired: u64) {
        // A repeated string instruction makes progress without retiring; its registers show it.
        let state = [retired, registers.get(Gpr::Rcx), registers.get(Gpr::Rsi), registers.get(Gpr::Rdi)];
        if self.fault == Some((fault, state)) {
            self.count += 1;
            assert!(self.count < FAULTS_PER_ACCESS, "serving {fault:?} at {:#x} does not help", registers.rip);
        } else {
            *self = RepeatedFault { fault: Some((fault, state)), count: 1 };
        }
    }
}
