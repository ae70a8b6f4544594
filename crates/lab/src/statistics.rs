//! The account of a run: who ran, what it cost, what it asked for and did not get.

use crate::replacement::{self, Reader};
use crate::{page_tables, text, tlb_report};
use kernel::Kernel;
use kernel::clock::Instant;
use kernel::event::{Event, FaultKind, Record};
use kernel::ipc::pipe::Pipe;
use kernel::process::{Process, Thread};
use kernel::table::Id;
use machine::Gpr;
use machine::paging::MOST_LEVELS;
use machine::tlb_model::TlbModel;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;
use system::account::{Account, Used};
use system::observer::Observer;

/// Processes shown one by one at most; of the rest there is a sum.
const PROCESSES_SHOWN: usize = 30;
/// Pipes shown one by one at most.
const PIPES_SHOWN: usize = 12;

/// Numbers of the system calls that end a process.
const EXIT: u64 = 60;
const EXIT_GROUP: u64 = 231;

/// Counts what happens.
#[derive(Debug, Default)]
pub struct Statistics {
    processes: BTreeMap<Id<Process>, Person>,
    /// The process of every thread number met, the latest owner of each.
    owners: BTreeMap<i32, Id<Process>>,
    by_pid: BTreeMap<i32, Id<Process>>,
    threads: u64,
    calls: BTreeMap<u64, Calls>,
    pipes: BTreeMap<Id<Pipe>, Traffic>,
    unsupported_calls: BTreeMap<(u64, &'static str), u64>,
    unsupported_instructions: BTreeMap<String, u64>,
    signals: BTreeMap<i32, u64>,
    /// Tables by level of all processes at once, when they were most, and the frames that they took.
    most_tables: ([u32; MOST_LEVELS], u64),
    /// The last look-up of `owners`, which is nearly always the next one too.
    last: Option<(i32, Id<Process>)>,
}

/// A process as the account shows it.
#[derive(Debug, Default)]
struct Person {
    pid: i32,
    /// The programs that it ran, in order; the first may be its parent's.
    programs: Vec<String>,
    faults: Faults,
    ending: Option<i32>,
    started: Instant,
    ended: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Faults {
    zeroed: u64,
    zero_page: u64,
    file: u64,
    read: u64,
    swapped: u64,
    copied: u64,
    reused: u64,
    invalid: u64,
}

#[derive(Debug, Default)]
struct Calls {
    count: u64,
    failed: u64,
}

#[derive(Debug, Default)]
struct Traffic {
    written: u64,
    messages: u64,
    read: u64,
    writer: Option<Id<Process>>,
    reader: Option<Id<Process>>,
}

/// What the account says beside what was counted.
#[derive(Clone, Debug)]
pub struct Summary<'a> {
    /// How the run ended, as a sentence without a full stop.
    pub ending: String,
    /// Hash over all records.
    pub hash: u64,
    /// How many records there were.
    pub records: u64,
    /// What the run loop counted.
    pub account: &'a Account,
    /// Time on the host.
    pub wall: Duration,
    /// The seed.
    pub seed: u64,
    /// The model of a TLB, if there is one.
    pub tlb_model: Option<&'a TlbModel>,
}

impl Observer for Statistics {
    fn before_call(&mut self, kernel: &Kernel, thread: Id<Thread>) {
        // When the event of a process's end comes, its memory is gone.
        if matches!(kernel.threads[thread].registers.get(Gpr::Rax), EXIT | EXIT_GROUP) {
            self.note_tables(kernel);
        }
    }

    fn record(&mut self, kernel: &Kernel, record: &Record) {
        match &record.event {
            Event::SyscallEntered { number, .. } => self.calls.entry(*number).or_default().count += 1,
            Event::SyscallLeft { number, result: Err(_) } => self.calls.entry(*number).or_default().failed += 1,
            Event::SyscallLeft { .. } => {}
            Event::Unsupported { number, what } => {
                *self.unsupported_calls.entry((*number, what)).or_default() += 1;
            }
            Event::UnsupportedInstruction { text, bytes, .. } => {
                let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                *self.unsupported_instructions.entry(format!("{text} ({})", bytes.join(" "))).or_default() += 1;
            }
            Event::ProcessStarted { process, pid, parent } => {
                let parent = self.by_pid.get(parent).and_then(|parent| self.processes.get(parent));
                let programs = parent.and_then(|parent| parent.programs.last().cloned()).into_iter().collect();
                self.note_tables(kernel);
                self.by_pid.insert(*pid, *process);
                self.processes
                    .insert(*process, Person { pid: *pid, programs, started: record.at, ..Person::default() });
            }
            Event::ThreadStarted { tid, process } => {
                self.threads += 1;
                self.owners.insert(*tid, *process);
                self.last = None;
            }
            Event::Executed { path, .. } => {
                let name = text::printable(text::base_name(path));
                // The first program is put in place before any thread runs.
                let owner = self.owner(record.tid).or_else(|| self.processes.keys().next().copied());
                if let Some(person) = owner.and_then(|process| self.processes.get_mut(&process)) {
                    person.programs.push(name);
                }
            }
            Event::ProcessEnded { process, status, .. } => {
                if let Some(person) = self.processes.get_mut(process) {
                    person.ending = Some(*status);
                    person.ended = Some(record.at);
                }
            }
            Event::PageFault { kind, .. } => {
                if let Some(person) = self.author(record.tid) {
                    person.faults.count(*kind);
                }
            }
            Event::SignalDelivered { signal } => *self.signals.entry(*signal).or_default() += 1,
            Event::PipeWrote { pipe, bytes } => {
                let writer = self.owner(record.tid);
                let traffic = self.pipes.entry(*pipe).or_default();
                traffic.written += *bytes as u64;
                traffic.messages += 1;
                traffic.writer = traffic.writer.or(writer);
            }
            Event::PipeRead { pipe, bytes } => {
                let reader = self.owner(record.tid);
                let traffic = self.pipes.entry(*pipe).or_default();
                traffic.read += *bytes as u64;
                traffic.reader = traffic.reader.or(reader);
            }
            _ => {}
        }
    }
}

impl Faults {
    fn count(&mut self, kind: FaultKind) {
        let counter = match kind {
            FaultKind::ZeroFill => &mut self.zeroed,
            FaultKind::ZeroPage => &mut self.zero_page,
            FaultKind::FileMinor => &mut self.file,
            FaultKind::FileMajor => &mut self.read,
            FaultKind::SwapIn => &mut self.swapped,
            FaultKind::CopyOnWrite => &mut self.copied,
            FaultKind::Reuse => &mut self.reused,
            FaultKind::Invalid => &mut self.invalid,
        };
        *counter += 1;
    }

    fn add(&mut self, other: Faults) {
        self.zeroed += other.zeroed;
        self.zero_page += other.zero_page;
        self.file += other.file;
        self.read += other.read;
        self.swapped += other.swapped;
        self.copied += other.copied;
        self.reused += other.reused;
        self.invalid += other.invalid;
    }

    fn total(self) -> u64 {
        let Faults { zeroed, zero_page, file, read, swapped, copied, reused, invalid } = self;
        zeroed + zero_page + file + read + swapped + copied + reused + invalid
    }
}

impl Person {
    fn name(&self) -> String {
        match self.programs.as_slice() {
            [] => "?".to_string(),
            [one] => one.clone(),
            [.., before, last] if before == last => last.clone(),
            [.., before, last] => format!("{before} > {last}"),
        }
    }
}

impl Statistics {
    /// Notes the page tables if they are more than before. Called when processes begin and end.
    fn note_tables(&mut self, kernel: &Kernel) {
        self.most_tables = self.tables_at_most(kernel);
    }

    fn tables_at_most(&self, kernel: &Kernel) -> ([u32; MOST_LEVELS], u64) {
        let frames = kernel.spaces.iter().map(|(_, space)| space.table.table_frames()).sum();
        if frames <= self.most_tables.1 {
            return self.most_tables;
        }
        let mut tables = [0; MOST_LEVELS];
        for (_, space) in kernel.spaces.iter() {
            for (total, count) in tables.iter_mut().zip(space.table.tables()) {
                *total += count;
            }
        }
        (tables, frames)
    }

    fn owner(&mut self, tid: i32) -> Option<Id<Process>> {
        if let Some((last, process)) = self.last
            && last == tid
        {
            return Some(process);
        }
        let process = *self.owners.get(&tid)?;
        self.last = Some((tid, process));
        Some(process)
    }

    fn author(&mut self, tid: i32) -> Option<&mut Person> {
        let process = self.owner(tid)?;
        self.processes.get_mut(&process)
    }

    /// The account as text.
    pub fn render(&self, kernel: &Kernel, summary: &Summary) -> String {
        let mut out = String::new();
        self.render_head(&mut out, kernel, summary);
        self.render_processes(&mut out, kernel.page_size().bytes(), summary.account);
        self.render_scheduling(&mut out, summary.account);
        self.render_memory(&mut out, kernel, summary.account);
        self.render_page_tables(&mut out, kernel, summary.account);
        if let Some(model) = summary.tlb_model {
            out.push_str(&tlb_report::render(model, &self.names()));
        }
        self.render_calls(&mut out);
        self.render_pipes(&mut out);
        self.render_signals(&mut out);
        self.render_unsupported(&mut out);
        out
    }

    fn render_head(&self, out: &mut String, kernel: &Kernel, summary: &Summary) {
        let total = summary.account.total();
        let virtual_ns = kernel.clock.now().0;
        let wall_ns = u64::try_from(summary.wall.as_nanos()).unwrap_or(u64::MAX);
        let rate = total.instructions as f64 * 1e3 / wall_ns.max(1) as f64;
        _ = writeln!(out, "belljar: {}", summary.ending);
        _ = writeln!(out, "  time          {} virtual, {} wall", text::duration(virtual_ns), text::duration(wall_ns));
        _ = writeln!(
            out,
            "  work          {}, {rate:.0} million a second; {}",
            text::count(total.instructions, "instruction"),
            text::count(total.system_calls, "system call"),
        );
        _ = writeln!(
            out,
            "  who           {}, {}, {} on the processor",
            text::count(self.processes.len() as u64, "process"),
            text::count(self.threads, "thread"),
            text::count(total.turns, "turn"),
        );
        _ = writeln!(
            out,
            "  hash          {:016x} over {} (seed {})",
            summary.hash,
            text::count(summary.records, "event"),
            summary.seed
        );
    }

    fn render_processes(&self, out: &mut String, page_bytes: u64, account: &Account) {
        let used: BTreeMap<Id<Process>, Used> = account.processes().into_iter().collect();
        let mut people: Vec<(&Id<Process>, &Person)> = self.processes.iter().collect();
        people.sort_by_key(|(_, person)| person.pid);
        let heads = ["process", "", "instructions", "calls", "faults", "accesses", "TLB misses", "tables", "end"];
        let mut table = vec![heads.map(str::to_string).to_vec()];
        let heads = ["process", "", "filled", "zero", "file", "read", "swapped", "copied", "reused", "invalid"];
        let mut faults_table = vec![heads.map(str::to_string).to_vec()];
        for (process, person) in people.iter().take(PROCESSES_SHOWN) {
            let used = used.get(process).copied().unwrap_or_default();
            let (pid, name) = (person.pid.to_string(), person.name());
            table.push(row(&pid, &name, person.faults, used, page_bytes, &ending(person)));
            faults_table.push(fault_row(&pid, &name, person.faults));
        }
        if people.len() > PROCESSES_SHOWN {
            let (mut faults, mut sum) = (Faults::default(), Used::default());
            for (process, person) in &people[PROCESSES_SHOWN..] {
                faults.add(person.faults);
                sum.add(&used.get(process).copied().unwrap_or_default());
            }
            let rest = format!("{} more", people.len() - PROCESSES_SHOWN);
            table.push(row("...", &rest, faults, sum, page_bytes, ""));
            faults_table.push(fault_row("...", &rest, faults));
        }
        _ = writeln!(out, "\nprocesses (page faults; data accesses; page-table memory at most)");
        out.push_str(&text::columns(&table, &[1, 8]));
        _ = writeln!(
            out,
            "\npage faults (a new page of zeroes; the zero page, for a read; a file's or shared page in memory; read from the"
        );
        _ = writeln!(
            out,
            "host; read back from swap or disk; copied on write; writable where it is; a signal instead)"
        );
        out.push_str(&text::columns(&faults_table, &[1]));
    }

    /// The usual measures of scheduling, in virtual time.
    fn render_scheduling(&self, out: &mut String, account: &Account) {
        let used: BTreeMap<Id<Process>, Used> = account.processes().into_iter().collect();
        let mut people: Vec<(&Id<Process>, &Person)> = self.processes.iter().collect();
        people.sort_by_key(|(_, person)| person.pid);
        let mut table =
            vec![["process", "", "turnaround", "response", "waiting", "turns"].map(str::to_string).to_vec()];
        for (process, person) in people.iter().take(PROCESSES_SHOWN) {
            let used = used.get(process).copied().unwrap_or_default();
            let span = |until: Option<Instant>| {
                until.map_or("-".to_string(), |until| text::duration(until.since(person.started)))
            };
            table.push(vec![
                person.pid.to_string(),
                person.name(),
                span(person.ended),
                span(used.first_turn),
                text::duration(used.waited_ns),
                text::number(used.turns),
            ]);
        }
        _ = writeln!(out, "\nscheduling (from start to end; from start to the first turn; ready, but another one ran)");
        out.push_str(&text::columns(&table, &[1]));
        if people.len() > PROCESSES_SHOWN {
            let rest = &people[PROCESSES_SHOWN..];
            let waited: u64 = rest.iter().filter_map(|(process, _)| used.get(process)).map(|used| used.waited_ns).sum();
            let count = text::count(rest.len() as u64, "more process");
            _ = writeln!(out, "  and {count}: {} waiting", text::duration(waited));
        }
    }

    fn render_memory(&self, out: &mut String, kernel: &Kernel, account: &Account) {
        let total = account.total();
        let most = u64::from(kernel.memory.most_used());
        let misses = 100.0 * total.misses as f64 / total.accesses.max(1) as f64;
        _ = writeln!(out, "\nmemory");
        _ = writeln!(
            out,
            "  {} of {} in use at most; {}, {} of them TLB misses ({misses:.3}%)",
            text::size(most * kernel.page_size().bytes()),
            text::size(u64::from(kernel.memory.total()) * kernel.page_size().bytes()),
            text::count(total.accesses, "data access"),
            text::number(total.misses),
        );
        let readers: Vec<Reader> = self
            .processes
            .values()
            .map(|person| Reader {
                name: format!("{} {}", person.pid, person.name()),
                faults: person.faults.swapped + person.faults.read,
            })
            .collect();
        out.push_str(&replacement::render(kernel, total.instructions, &readers));
    }

    fn render_page_tables(&self, out: &mut String, kernel: &Kernel, account: &Account) {
        let used: BTreeMap<Id<Process>, Used> = account.processes().into_iter().collect();
        let mut people: Vec<(&Id<Process>, &Person)> = self.processes.iter().collect();
        people.sort_by_key(|(_, person)| person.pid);
        let rows: Vec<(String, String, &page_tables::Tables)> = people
            .iter()
            .take(PROCESSES_SHOWN)
            .filter_map(|(process, person)| {
                Some((person.pid.to_string(), person.name(), &used.get(process)?.tables[..]))
            })
            .collect();
        let together = self.tables_at_most(kernel).0;
        out.push_str(&page_tables::render(&kernel.configuration.paging, &rows, &together));
    }

    /// Number and name of every process, by the number of its handle.
    pub fn names(&self) -> BTreeMap<u64, (String, String)> {
        let named =
            |(process, person): (&Id<Process>, &Person)| (process.number(), (person.pid.to_string(), person.name()));
        self.processes.iter().map(named).collect()
    }

    fn render_calls(&self, out: &mut String) {
        let mut calls: Vec<(String, &Calls)> =
            self.calls.iter().map(|(number, calls)| (text::call_name(*number), calls)).collect();
        calls.sort_by(|left, right| right.1.count.cmp(&left.1.count).then(left.0.cmp(&right.0)));
        _ = writeln!(out, "\nsystem calls (failed)");
        let cells: Vec<String> = calls
            .iter()
            .map(|(name, calls)| match calls.failed {
                0 => format!("{} {name}", text::number(calls.count)),
                failed => format!("{} {name} ({})", text::number(calls.count), text::number(failed)),
            })
            .collect();
        out.push_str(&wrapped(&cells));
    }

    fn render_pipes(&self, out: &mut String) {
        if self.pipes.is_empty() {
            return;
        }
        let mut pipes: Vec<(&Id<Pipe>, &Traffic)> = self.pipes.iter().collect();
        pipes.sort_by(|left, right| right.1.written.cmp(&left.1.written).then(left.0.cmp(right.0)));
        let name = |process: Option<Id<Process>>| match process.and_then(|process| self.processes.get(&process)) {
            Some(person) => format!("{} {}", person.pid, person.programs.last().map_or("?", String::as_str)),
            None => "nobody".to_string(),
        };
        let mut table = vec![["pipe", "", "", "bytes", "messages", "not read"].map(str::to_string).to_vec()];
        for (_, traffic) in pipes.iter().take(PIPES_SHOWN) {
            table.push(vec![
                name(traffic.writer),
                "->".to_string(),
                name(traffic.reader),
                text::number(traffic.written),
                text::number(traffic.messages),
                text::number(traffic.written.saturating_sub(traffic.read)),
            ]);
        }
        _ = writeln!(out, "\npipes");
        out.push_str(&text::columns(&table, &[0, 1, 2]));
        if pipes.len() > PIPES_SHOWN {
            let rest = &pipes[PIPES_SHOWN..];
            let bytes = rest.iter().map(|(_, traffic)| traffic.written).sum();
            let messages = rest.iter().map(|(_, traffic)| traffic.messages).sum();
            _ = writeln!(
                out,
                "  and {}: {}, {}",
                text::count(rest.len() as u64, "more pipe"),
                text::count(bytes, "byte"),
                text::count(messages, "message")
            );
        }
    }

    fn render_signals(&self, out: &mut String) {
        if !self.signals.is_empty() {
            let cells: Vec<String> = self
                .signals
                .iter()
                .map(|(signal, count)| format!("{} {}", text::number(*count), text::signal(*signal)))
                .collect();
            _ = writeln!(out, "\nsignals that took effect");
            out.push_str(&wrapped(&cells));
        }
    }

    fn render_unsupported(&self, out: &mut String) {
        if self.unsupported_calls.is_empty() && self.unsupported_instructions.is_empty() {
            return;
        }
        _ = writeln!(out, "\nunsupported: asked for and not there");
        for ((number, what), count) in &self.unsupported_calls {
            let what = if what.is_empty() { String::new() } else { format!(": {what}") };
            _ = writeln!(out, "  system call {}{what} ({})", text::call_name(*number), text::count(*count, "time"));
        }
        for (instruction, count) in &self.unsupported_instructions {
            _ = writeln!(out, "  instruction {instruction} ({})", text::count(*count, "time"));
        }
    }
}

fn ending(person: &Person) -> String {
    match person.ending {
        Some(0) => String::new(),
        Some(status) => text::ending(status),
        None => "left running".to_string(),
    }
}

fn row(pid: &str, name: &str, faults: Faults, used: Used, page_bytes: u64, ending: &str) -> Vec<String> {
    let mut row = vec![pid.to_string(), name.to_string()];
    row.extend([used.instructions, used.system_calls, faults.total(), used.accesses, used.misses].map(text::number));
    row.push(text::size(used.table_frames * page_bytes));
    row.push(ending.to_string());
    row
}

fn fault_row(pid: &str, name: &str, faults: Faults) -> Vec<String> {
    let Faults { zeroed, zero_page, file, read, swapped, copied, reused, invalid } = faults;
    let mut row = vec![pid.to_string(), name.to_string()];
    row.extend([zeroed, zero_page, file, read, swapped, copied, reused, invalid].map(text::number));
    row
}

/// Cells in lines of about a hundred characters.
fn wrapped(cells: &[String]) -> String {
    let mut out = String::new();
    let mut line = String::new();
    for cell in cells {
        if !line.is_empty() && line.len() + cell.len() > 96 {
            _ = writeln!(out, "  {line}");
            line.clear();
        }
        if !line.is_empty() {
            line.push_str(", ");
        }
        line.push_str(cell);
    }
    if !line.is_empty() {
        _ = writeln!(out, "  {line}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_wrap() {
        let cells = vec!["x".repeat(40); 5];
        assert_eq!(wrapped(&cells).lines().count(), 3);
    }
}
