//! Real programs, with everything recounted before each of their system calls: every reference to every frame, every entry of
//! every page table, areas, TLBs, descriptors, pipes, sleepers. In a machine that has memory enough, and in one in which
//! pages come and go all the time.

mod common;

use common::{Scratch, has, project, setup};
use kernel::event::Record;
use kernel::process::Thread;
use kernel::{Id, Kernel, check, mm};
use std::path::Path;
use std::process::Command;
use system::boot::boot;
use system::choice::RoundRobin;
use system::observer::Observer;
use system::outside::Host;
use system::outside::signals::Signals;
use system::run::Stop;
use x86::X86Processor;

/// Recounts before each call, until something is wrong.
#[derive(Default)]
struct Recount {
    calls: u64,
    wrong: Option<String>,
}

impl Observer for Recount {
    fn record(&mut self, _: &Kernel, _: &Record) {}

    fn before_call(&mut self, kernel: &Kernel, thread: Id<Thread>) {
        self.calls += 1;
        if self.wrong.is_none() {
            let found = check::check(kernel).and_then(|()| mm::check::check(kernel));
            self.wrong =
                found.err().map(|what| format!("call {} (thread {}): {what}", self.calls, kernel.threads[thread].tid));
        }
    }
}

/// The calls that a program made, each with a recount before it, and the pages that were read back from swap or disk.
fn run(program: &Path, memory_bytes: u64, swap_bytes: u64) -> (u64, u64) {
    let processor = X86Processor::with_options(x86::Options::default()).expect("memory for translated code");
    let setup = setup(program, memory_bytes, swap_bytes);
    let host = Host::new(Signals::none());
    let mut jar = boot(&setup, processor, RoundRobin::new(0), host, Recount::default()).expect("the program starts");
    let stop = jar.run();
    let name = program.display();
    if let Some(wrong) = &jar.observer.wrong {
        panic!("{name} in {memory_bytes} bytes: {wrong}");
    }
    assert_eq!(stop, Stop::Ended { status: 0 }, "{name} in {memory_bytes} bytes");
    check::check_all_gone(&jar.kernel).and_then(|()| mm::check::check(&jar.kernel)).expect("nothing is left");
    let counters = jar.kernel.mm.counters;
    (jar.observer.calls, counters.swapped_in + counters.disk_in)
}

#[test]
fn everything_adds_up_before_each_system_call() {
    if !has(&["cc"]) {
        return;
    }
    let scratch = Scratch::new("recount");
    for name in ["random_model", "random_sharing", "fork_cow", "cow_copies", "file_ends", "mremap", "guards", "madvise"]
    {
        let source = project().join("tests/guest/mm").join(name).with_extension("c");
        let program = scratch.path().join(name);
        let includes = project().join("tests/guest");
        let compiled = Command::new("cc")
            .args(["-std=gnu17", "-O1", "-w", "-D_GNU_SOURCE", "-static", "-pthread", "-I"])
            .arg(&includes)
            .arg("-o")
            .args([&program, &source])
            .output()
            .expect("cc runs");
        assert!(compiled.status.success(), "{name}: {}", String::from_utf8_lossy(&compiled.stderr));
        let (calls, _) = run(&program, 4 << 20, 0);
        assert!(calls > 20, "{name} makes only {calls} system calls");
        if name == "random_model" {
            let (_, read) = run(&program, 1 << 20, 16 << 20);
            assert!(read > 20, "{name}: only {read} pages were read back");
        }
    }
}
