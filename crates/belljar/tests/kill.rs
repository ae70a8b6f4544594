//! Programs whose processes are killed at each of their system calls: whatever they held and waited for is given back.
//!
//! Every program under `tests/kill` runs once undisturbed, and then once for each system call that it made: as soon as the
//! call was served, or sleeps, its process gets SIGKILL. The others run on; if they can never end, they are killed too.
//! After the kill and at the end everything is recounted. `KILL=pipes cargo test --release --test kill` runs one program.

mod common;

use common::{Scratch, has, project, setup};
use kernel::clock::Instant;
use kernel::event::{Event, Record};
use kernel::process::Thread;
use kernel::{Id, Kernel, check, mm, signal};
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use system::boot::boot;
use system::choice::RoundRobin;
use system::observer::Observer;
use system::outside::Host;
use system::outside::signals::Signals;
use system::run::{Stop, System};
use x86::X86Processor;

/// When system calls were made, and by which process.
#[derive(Default)]
struct Calls(Vec<(Instant, i32)>);

impl Observer for Calls {
    fn record(&mut self, kernel: &Kernel, record: &Record) {
        if let Event::SyscallEntered { .. } = record.event
            && let Some(thread) = kernel.pids.threads.get(&record.tid)
        {
            self.0.push((record.at, kernel.processes[kernel.threads[*thread].process].pid));
        }
    }

    fn before_call(&mut self, _: &Kernel, _: Id<Thread>) {}
}

type Jar = System<X86Processor, RoundRobin, Host, Calls>;

fn start(program: &Path) -> Jar {
    let processor = X86Processor::with_options(x86::Options::default()).expect("memory for translated code");
    let setup = setup(program, 32 << 20, 0);
    boot(&setup, processor, RoundRobin::new(0), Host::new(Signals::none()), Calls::default())
        .expect("the program starts")
}

fn send_kill(jar: &mut Jar, pid: i32) {
    if let Some(process) = jar.kernel.pids.processes.get(&pid).copied() {
        let info = abi::signal::SigInfo::kernel(abi::signal::SIGKILL);
        signal::send(&mut jar.kernel, &mut jar.chooser, signal::Target::Process(process), info);
    }
}

/// Kills a process at an instant, lets the run end, and recounts.
fn run_with_kill(program: &Path, at: Instant, pid: i32) -> Result<(), String> {
    let mut jar = start(program);
    jar.time_limit = Some(at);
    let stop = jar.run();
    check::check(&jar.kernel).map_err(|what| format!("before the kill ({stop:?}): {what}"))?;
    send_kill(&mut jar, pid);
    jar.time_limit = None;
    loop {
        let stop = jar.run();
        check::check(&jar.kernel).map_err(|what| format!("after the kill ({stop:?}): {what}"))?;
        let alive: Vec<i32> = jar
            .kernel
            .processes
            .iter()
            .filter(|(_, process)| !process.threads.is_empty())
            .map(|(_, p)| p.pid)
            .collect();
        if alive.is_empty() {
            break;
        }
        alive.into_iter().for_each(|pid| send_kill(&mut jar, pid));
    }
    check::check_all_gone(&jar.kernel).and_then(|()| mm::check::check(&jar.kernel))
}

#[test]
fn a_process_that_is_killed_at_any_system_call_leaves_nothing_behind() {
    if !has(&["cc"]) {
        return;
    }
    let scratch = Scratch::new("kill");
    let filter = std::env::var("KILL").unwrap_or_default();
    for name in ["pipes", "system_v", "posix", "descriptors", "watching"] {
        if !name.contains(&filter) {
            continue;
        }
        let source = project().join("tests/kill").join(name).with_extension("c");
        let program = scratch.path().join(name);
        let compiled = Command::new("cc")
            .args(["-std=gnu17", "-O1", "-w", "-static", "-pthread", "-o"])
            .args([&program, &source])
            .output()
            .expect("cc runs");
        assert!(compiled.status.success(), "{name}: {}", String::from_utf8_lossy(&compiled.stderr));
        let mut whole = start(&program);
        assert_eq!(whole.run(), Stop::Ended { status: 0 }, "{name} undisturbed");
        check::check_all_gone(&whole.kernel).unwrap_or_else(|what| panic!("{name} undisturbed: {what}"));
        let calls = std::mem::take(&mut whole.observer.0);
        assert!(calls.len() > 30, "{name} makes only {} system calls", calls.len());
        let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while let Some((at, pid)) = calls.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if let Err(what) = run_with_kill(&program, *at, *pid) {
                            failures.lock().expect("no panic while held").push((*at, *pid, what));
                        }
                    }
                });
            }
        });
        let failures = failures.into_inner().expect("no panic while it was held");
        assert!(failures.is_empty(), "{name}: {} of {} kills: {:?}", failures.len(), calls.len(), failures[0]);
    }
}
