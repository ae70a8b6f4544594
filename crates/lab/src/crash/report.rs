//! The text about crashes.

use super::Crashes;
use super::facts::{AreaFact, Cause, Crash, Elsewhere, Reason};
use super::history::{Change, Changed, Site};
use crate::source::{CodeMap, GuestFiles, Location, Sources, own_frame};
use crate::text;
use abi::mman::{PROT_EXEC, PROT_READ, PROT_WRITE};
use abi::signal::{SIGBUS, SIGSEGV};
use kernel::Kernel;
use kernel::ports::Outside;
use kernel::syscalls::argument::Peek;
use kernel::syscalls::table;
use machine::{Access, Exception};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Crashes told in full; of the others there is a line each, of those at a place that was told already, a number.
const MOST_TOLD: usize = 5;
/// Callers shown.
const MOST_CALLERS: usize = 6;

/// An instruction that is undefined for ever, Intel SDM 2B `UD`.
const UD2: &[u8] = &[0x0f, 0x0b];
/// Areas further away say nothing about an address.
const NEIGHBOURHOOD: u64 = 1 << 30;

/// What the text is made with.
struct Teller<'a> {
    sources: Sources,
    files: GuestFiles<'a>,
}

/// Everything about the crashes of a run, ready to be printed; nothing if there was none. `again` is the command that shows
/// the same once more.
pub fn report(crashes: &Crashes, kernel: &Kernel, outside: &mut dyn Outside, again: &str) -> String {
    let mut teller = Teller { sources: Sources::default(), files: GuestFiles { kernel, outside } };
    let mut groups: Vec<(Crash, u64)> = Vec::new();
    let mut known: BTreeMap<(i32, Vec<u8>, u64), usize> = BTreeMap::new();
    for crash in crashes.all() {
        let group = *known.entry((crash.signal, crash.name.clone(), crash.frame.rip)).or_insert(groups.len());
        match groups.get_mut(group) {
            Some((_, count)) => *count += 1,
            None => groups.push((crash.clone(), 1)),
        }
    }
    let mut out = String::new();
    for (index, (crash, count)) in groups.iter().enumerate() {
        if index < MOST_TOLD {
            teller.tell(&mut out, crash);
        } else {
            out.push_str(&headline(crash));
        }
        if *count > 1 {
            _ = writeln!(out, "  {} more died in the same place", text::count(count - 1, "process"));
        }
    }
    if crashes.more() > 0 {
        _ = writeln!(out, "crash: {} more", text::count(crashes.more(), "process"));
    }
    if !out.is_empty() {
        _ = writeln!(out, "  again: {again}");
    }
    out
}

fn headline(crash: &Crash) -> String {
    format!(
        "crash: process {} ({}) died of {}, {} after the start\n",
        crash.pid,
        text::printable(&crash.name),
        text::signal(crash.signal),
        text::duration(crash.at.0)
    )
}

impl Teller<'_> {
    fn tell(&mut self, out: &mut String, crash: &Crash) {
        out.push_str(&headline(crash));
        let who = format!("thread {} ({})", crash.tid, text::printable(&crash.name));
        match &crash.cause {
            Cause::Access { access, address, bytes, reason, .. } => {
                let what = did(*access, *bytes);
                _ = writeln!(out, "  {who} {what} at {address:#x}: {}", why(reason, *address));
            }
            Cause::Exception(exception) => _ = writeln!(out, "  {who} {}", raised(exception)),
        }
        self.stack(out, crash);
        if let Cause::Access { address, reason, below, above, change, .. } = &crash.cause {
            self.history(out, crash, reason, change.as_ref());
            if let Reason::Unmapped(elsewhere) = &**reason {
                neighbours(out, *address, below.as_ref(), above.as_ref());
                if let Some(elsewhere) = elsewhere {
                    shared_elsewhere(out, elsewhere);
                }
            }
        }
        let (verdict, help) = verdict(crash);
        _ = writeln!(out, "  {verdict}");
        if let Some(help) = help {
            _ = writeln!(out, "  help: {help}");
        }
    }

    /// Where it was, and who had called.
    fn stack(&mut self, out: &mut String, crash: &Crash) {
        let mut frames = self.sources.stack(&mut self.files, &crash.code, &crash.stack, crash.frame);
        // What calls `main` is the same in all programs.
        if let Some(start) = frames.iter().position(is_start).filter(|start| *start > 0) {
            frames.truncate(start);
        }
        let instruction = crash.instruction.as_ref().map_or_else(String::new, |text| format!(": {text}"));
        let Some((first, callers)) = frames.split_first() else {
            _ = writeln!(out, "    at {:#x}, where no program is mapped{instruction}", crash.frame.rip);
            return;
        };
        _ = writeln!(out, "    at {}{instruction}", place(first));
        for caller in callers.iter().take(MOST_CALLERS) {
            _ = writeln!(out, "    called from {}", place(caller));
        }
        if callers.len() > MOST_CALLERS {
            _ = writeln!(out, "    and so on, {} in all", text::count(callers.len() as u64, "caller"));
        }
    }

    /// Who took the memory away.
    fn history(&mut self, out: &mut String, crash: &Crash, reason: &Reason, change: Option<&Change>) {
        let change = match reason {
            Reason::BehindFile { cut, .. } => cut.as_ref(),
            Reason::Unmapped(_) | Reason::Guarded(_) | Reason::Forbidden(_) => change,
            Reason::Null | Reason::StackLimit(_) | Reason::NotRead(_) => None,
        };
        let Some(change) = change else { return };
        let what = match (&change.changed, reason) {
            (Changed::Unmapped(_), Reason::Unmapped(_)) => "the address was unmapped".to_string(),
            (Changed::Protected(_, protection), Reason::Forbidden(_)) => {
                format!("the page was made {}", permitted(*protection))
            }
            (Changed::Cut(_, size), _) => format!("the file was cut to {}", text::count(*size, "byte")),
            // It was mapped anew since.
            _ => return,
        };
        let before = text::duration(crash.at.since(change.at));
        let Site { id, tid, pid, thread, number, arguments, .. } = &*change.site;
        let call = table::show(*number, *arguments, Peek { kernel: self.files.kernel, thread: *id });
        let whose = if *pid == crash.pid { String::new() } else { format!(" of process {pid}") };
        _ = writeln!(out, "  {what} {before} before, by {call} of thread {tid} ({}){whose}", text::printable(thread));
        if let Some(location) = self.caller(&crash.code, &change.site) {
            _ = writeln!(out, "    at {}", place(&location));
        }
    }

    /// Where in the program a call was made.
    fn caller(&mut self, code: &CodeMap, site: &Site) -> Option<Location> {
        let frames = self.sources.stack(&mut self.files, code, &site.stack, site.frame);
        own_frame(&frames).cloned()
    }
}

/// Whether it is what the C library calls `main` from.
fn is_start(location: &Location) -> bool {
    let function = location.function.as_deref().unwrap_or_default();
    function.starts_with("__libc_start") || function == "_start"
}

/// A place in a program: the line if it is known.
fn place(location: &Location) -> String {
    let module = text::base_name(location.module.as_bytes()).escape_ascii();
    match (&location.function, location.line) {
        (Some(function), Some(_)) => format!("{function} ({})", location.short()),
        (Some(function), None) => format!("{function} in {module}"),
        _ => location.short(),
    }
}

fn did(access: Access, bytes: Option<usize>) -> String {
    let verb = match access {
        Access::Read => "read",
        Access::Write => "wrote",
        Access::Execute => return "jumped to code".to_string(),
    };
    bytes.map_or_else(|| format!("{verb} memory"), |bytes| format!("{verb} {}", text::count(bytes as u64, "byte")))
}

fn why(reason: &Reason, address: u64) -> String {
    match reason {
        Reason::Null if address == 0 => "a null pointer".to_string(),
        Reason::Null => format!("{address} bytes behind a null pointer"),
        Reason::StackLimit(limit) => {
            format!("the stack has reached its limit of {} (RLIMIT_STACK)", text::size(*limit))
        }
        Reason::Unmapped(_) => "nothing is mapped there (SEGV_MAPERR)".to_string(),
        Reason::Forbidden(area) => format!("the page permits {} (SEGV_ACCERR): {}", permits(area), shown(area)),
        Reason::Guarded(area) => format!("the page is a guard, MADV_GUARD_INSTALL (SEGV_MAPERR): {}", shown(area)),
        Reason::BehindFile { area, size, offset, .. } => format!(
            "byte {offset} of {}, which has {size} now, lies on a page behind its end (BUS_ADRERR)",
            text::printable(&area.name)
        ),
        Reason::NotRead(area) => format!("the page of {} could not be read (BUS_ADRERR)", text::printable(&area.name)),
    }
}

fn permits(area: &AreaFact) -> &'static str {
    match area.permissions.as_bytes().get(..3) {
        Some(b"r--") => "only reading",
        Some(b"r-x") => "no writing",
        Some(b"rw-") => "no execution",
        Some(b"---") => "no access",
        _ => "less",
    }
}

fn permitted(protection: u32) -> &'static str {
    match protection & (PROT_READ | PROT_WRITE | PROT_EXEC) {
        0 => "inaccessible",
        PROT_READ => "read-only",
        bits if bits & PROT_WRITE == 0 => "executable and read-only",
        bits if bits & PROT_EXEC == 0 => "readable and writable, not executable",
        _ => "readable, writable and executable",
    }
}

fn shown(area: &AreaFact) -> String {
    let name = if area.name.is_empty() { "anonymous memory".to_string() } else { text::printable(&area.name) };
    format!("{:#x}-{:#x} {} {name}", area.range.start, area.range.end, area.permissions)
}

fn neighbours(out: &mut String, address: u64, below: Option<&AreaFact>, above: Option<&AreaFact>) {
    let below = below.map(|area| ("below", address - area.range.end + 1, area));
    let above = above.map(|area| ("above", area.range.start - address, area));
    for (side, distance, area) in below.into_iter().chain(above).filter(|(_, distance, _)| *distance < NEIGHBOURHOOD) {
        _ = writeln!(out, "  nearest {side}, {} away: {}", text::size(distance), shown(area));
    }
}

fn shared_elsewhere(out: &mut String, elsewhere: &Elsewhere) {
    let Elsewhere { pid, process, theirs, ours } = elsewhere;
    let process = text::printable(process);
    _ = writeln!(out, "  process {pid} ({process}) has shared memory there: {}", shown(theirs));
    _ = writeln!(out, "  this process has the same memory elsewhere:  {}", shown(ours));
}

fn raised(exception: &Exception) -> String {
    match exception {
        Exception::Divide => "divided by zero, or the quotient was too large".to_string(),
        Exception::X87 | Exception::Simd => "raised a floating-point exception that is not masked".to_string(),
        Exception::InvalidOpcode { bytes, .. } if bytes.starts_with(UD2) => {
            "executed `ud2`, with which compilers mark what must not be reached".to_string()
        }
        Exception::InvalidOpcode { instruction: Some(instruction), .. } => {
            format!("executed an instruction that belljar does not have: {instruction}")
        }
        Exception::InvalidOpcode { .. } => "executed bytes that are no instruction".to_string(),
        Exception::GeneralProtection => {
            "used a non-canonical address, a misaligned vector operand or a privileged instruction".to_string()
        }
        Exception::StackFault => "used a stack at a non-canonical address".to_string(),
        Exception::AlignmentCheck => "accessed memory that is not aligned".to_string(),
        Exception::Overflow => "executed `int 4`".to_string(),
        Exception::SingleStep | Exception::Breakpoint => "trapped".to_string(),
    }
}

fn verdict(crash: &Crash) -> (&'static str, Option<String>) {
    const BUG: &str = "this is a bug in the program";
    let help = match &crash.cause {
        Cause::Exception(Exception::InvalidOpcode { instruction: Some(_), .. }) => {
            return ("this is something belljar does not support", None);
        }
        Cause::Exception(_) => None,
        Cause::Access { reason, change, .. } => match &**reason {
            Reason::StackLimit(_) => {
                Some("look for a recursion that does not end; `ulimit -s` sets the limit".to_string())
            }
            Reason::Unmapped(Some(_)) => {
                Some("keep offsets in shared memory, not pointers: each process has it at another address".to_string())
            }
            Reason::Unmapped(None) if crash.signal == SIGSEGV && change.is_some() => {
                Some("the memory was used after it was given back".to_string())
            }
            Reason::BehindFile { .. } if crash.signal == SIGBUS => {
                Some("whoever shortens a file that others have mapped has to tell them first".to_string())
            }
            _ => None,
        },
    };
    (BUG, help)
}
