//! Tells the user whom the out-of-memory killer chose, and why.

use crate::text;
use kernel::Kernel;
use kernel::event::{Event, Record};
use kernel::process::Thread;
use kernel::table::Id;
use std::io::Write;
use system::observer::Observer;

/// Told one by one at most.
const TOLD: u64 = 5;

/// Writes a few lines whenever a process is killed because memory ran out.
pub struct OutOfMemory<W: Write> {
    out: W,
    killed: u64,
}

impl<W: Write> OutOfMemory<W> {
    /// A teller that writes to `out`.
    pub fn new(out: W) -> OutOfMemory<W> {
        OutOfMemory { out, killed: 0 }
    }
}

impl<W: Write> Observer for OutOfMemory<W> {
    fn before_call(&mut self, _: &Kernel, _: Id<Thread>) {}

    fn record(&mut self, kernel: &Kernel, record: &Record) {
        let Event::OutOfMemoryKill { pid, badness, resident, swapped, tables, adjustment } = record.event else {
            return;
        };
        self.killed += 1;
        if self.killed > TOLD {
            if self.killed == TOLD + 1 {
                _ = writeln!(self.out, "belljar: out of memory: more processes are killed, see --stats");
            }
            return;
        }
        let process = kernel.pids.processes.get(&pid).and_then(|id| kernel.processes.get(*id));
        let leader = process.and_then(|process| kernel.threads.get(*process.threads.first()?));
        let name = match (leader, process) {
            (Some(leader), _) => text::printable(&leader.name),
            (None, Some(process)) => text::printable(&process.name),
            (None, None) => "gone by now".to_string(),
        };
        let pages = |count: u64| text::size(count * kernel.page_size().bytes());
        _ = writeln!(
            self.out,
            "belljar: out of memory: process {pid} ({name}) was killed, its badness is the highest: {badness} pages ({} in \
             memory, {} in swap, {} of page tables, oom_score_adj {adjustment})",
            pages(resident),
            pages(swapped),
            pages(tables),
        );
        if self.killed == 1 {
            let swap = &kernel.mm.swap;
            let full = if swap.limit() == 0 {
                "there is no swap".to_string()
            } else {
                format!("{} of swap are full", pages(swap.limit().into()))
            };
            _ = writeln!(
                self.out,
                "  all {} are in use, {full}, and no page could go\n  help: give the machine more with --memory or --swap",
                pages(kernel.memory.total().into()),
            );
        }
    }
}
