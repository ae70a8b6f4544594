//! Who waits for what when nobody can go on.

use crate::source::{self, GuestFiles, Sources};
use crate::text;
use kernel::Kernel;
use kernel::ports::Outside;
use kernel::process::{Process, Thread, ThreadState};
use kernel::syscalls::argument::Peek;
use kernel::syscalls::table;
use kernel::table::Id;

/// A report about a machine in which no thread can run again.
pub fn explain(kernel: &Kernel, outside: &mut dyn Outside) -> String {
    let (mut sources, mut files) = (Sources::default(), GuestFiles { kernel, outside });
    let mut report =
        format!("hang: no thread can run again, {} after the start\n", text::duration(kernel.clock.now().0));
    for (_, process) in kernel.processes.iter() {
        for thread in &process.threads {
            let stack = sources.backtrace(&mut files, *thread);
            let place = source::own_frame(&stack).map(|place| format!(" at {}", place.short())).unwrap_or_default();
            report.push_str(&party(kernel, process, *thread, &place));
        }
    }
    report
}

fn party(kernel: &Kernel, process: &Process, id: Id<Thread>, place: &str) -> String {
    let thread = &kernel.threads[id];
    let call = match &thread.call {
        Some(call) => {
            format!(" in {}", table::show(call.number, call.arguments, Peek { kernel, thread: id }))
        }
        None => String::new(),
    };
    let state = match &thread.state {
        _ if process.stopped => "is stopped by a signal, only SIGCONT continues it".to_string(),
        ThreadState::Runnable => "is ready".to_string(),
        ThreadState::Blocked(wait) => {
            let keys: Vec<String> = wait.keys.iter().map(|key| format!("{key:?}")).collect();
            match keys.as_slice() {
                [] => "waits for a signal".to_string(),
                keys => format!("waits for {}", keys.join(" or ")),
            }
        }
    };
    format!("  thread {} ({}){call}{place}: {state}\n", thread.tid, text::printable(&thread.name))
}
