//! The real walk of an address through a process's page table, at an instant of the run:
//! `belljar run --translate PID:ADDRESS@TIME`.

use crate::{split, text};
use kernel::Kernel;
use kernel::clock::Instant;
use kernel::mm::address_space::{AddressSpace, GUARD, LAZY_FREE, PRIVATE};
use kernel::mm::report;
use kernel::process::{Process, Thread, image};
use kernel::table::Id;
use machine::tlb_model::{Tag, TlbModel};
use machine::{Access, Entry};
use object::elf::FileHeader64;
use object::read::elf::{FileHeader, Sym};
use object::{Endianness, FileKind};
use std::fmt::Write;
use system::observer::{Observer, Stopped};

/// AT_ENTRY of getauxval(3).
const AT_ENTRY: u64 = 9;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// As it was written.
    pub text: String,
    /// Which process.
    pub pid: i32,
    /// Where.
    pub place: Place,
    /// When.
    pub when: When,
}

/// An address, or how to find it when the process runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// An address.
    Address(u64),
    /// So many bytes, wrapping, behind the first instruction of the process's program.
    FromEntry(u64),
}

/// When to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// When so much virtual time has passed.
    At(Instant),
    /// When the process ends by itself: before its `exit_group`.
    Exit,
}

/// Where a symbol of a program lies, in relation to its first instruction.
///
/// # Errors
/// If the file is no ELF program or has no such symbol.
pub fn symbol(program: &[u8], name: &str) -> Result<u64, String> {
    let unreadable = |_| "the program's symbols cannot be read".to_string();
    if !matches!(FileKind::parse(program), Ok(FileKind::Elf64)) {
        return Err("the program is no ELF file of 64 bits".to_string());
    }
    let header = FileHeader64::<Endianness>::parse(program).map_err(unreadable)?;
    let endian = header.endian().map_err(unreadable)?;
    let sections = header.sections(endian, program).map_err(unreadable)?;
    for kind in [object::elf::SHT_SYMTAB, object::elf::SHT_DYNSYM] {
        let symbols = sections.symbols(endian, program, kind).map_err(unreadable)?;
        let found = symbols.iter().find(|symbol| {
            symbol.st_shndx(endian) != object::elf::SHN_UNDEF
                && symbol.name(endian, symbols.strings()).is_ok_and(|found| found == name.as_bytes())
        });
        if let Some(symbol) = found {
            return Ok(symbol.st_value(endian).wrapping_sub(header.e_entry(endian)));
        }
    }
    Err(format!("the program has no symbol `{name}`"))
}

/// Answers questions while the run goes on.
#[derive(Debug)]
pub struct Walks {
    questions: Vec<(Question, Option<String>)>,
}

impl Walks {
    /// Will answer these.
    pub fn new(questions: Vec<Question>) -> Walks {
        Walks { questions: questions.into_iter().map(|question| (question, None)).collect() }
    }

    /// The instants at which the run has to stop for them.
    pub fn instants(&self) -> impl Iterator<Item = Instant> + '_ {
        self.questions.iter().filter_map(|(question, _)| match question.when {
            When::At(instant) => Some(instant),
            When::Exit => None,
        })
    }

    /// The answers as text, in the order of the questions.
    pub fn render(&self) -> String {
        let mut out = String::new();
        for (question, answer) in &self.questions {
            match (answer, question.when) {
                (Some(answer), _) => out.push_str(answer),
                (None, When::At(_)) => _ = writeln!(out, "{}: the run was over before", question.text),
                (None, When::Exit) => _ = writeln!(out, "{}: no such process ended by itself", question.text),
            }
        }
        out
    }
}

impl Observer for Walks {
    fn record(&mut self, _: &Kernel, _: &kernel::event::Record) {}

    fn before_call(&mut self, _: &Kernel, _: Id<Thread>) {}

    fn stopped(&mut self, kernel: &Kernel, model: Option<&TlbModel>, stopped: Stopped) {
        for (question, answer) in &mut self.questions {
            let is_due = match (question.when, stopped) {
                (When::At(asked), Stopped::At(instant)) => asked == instant,
                (When::Exit, Stopped::Exiting(process)) => kernel.processes[process].pid == question.pid,
                _ => false,
            };
            if is_due && answer.is_none() {
                *answer = Some(answer_to(kernel, model, question));
            }
        }
    }
}

fn answer_to(kernel: &Kernel, model: Option<&TlbModel>, question: &Question) -> String {
    let id = kernel.pids.processes.get(&question.pid).copied();
    let process = id.map(|id| &kernel.processes[id]);
    let process = process.filter(|process| kernel.spaces.get(process.space).is_some() && !process.threads.is_empty());
    let Some(process) = process else {
        let alive: Vec<String> = kernel
            .processes
            .iter()
            .filter(|(_, process)| !process.threads.is_empty())
            .map(|(_, process)| process.pid.to_string())
            .collect();
        return format!(
            "{}: there is no process {} then; there are {}\n",
            question.text,
            question.pid,
            alive.join(", ")
        );
    };
    let address = match question.place {
        Place::Address(address) => address,
        Place::FromEntry(distance) => match auxiliary(process, AT_ENTRY) {
            Some(entry) => entry.wrapping_add(distance),
            None => return format!("{}: the process runs no program\n", question.text),
        },
    };
    let when = match question.when {
        When::At(instant) => format!("at {}", text::duration(instant.0)),
        When::Exit => format!("at its exit, {}", text::duration(kernel.clock.now().0)),
    };
    let path = id.and_then(|id| image::path(kernel, id)).unwrap_or_default();
    let name = text::printable(text::base_name(&path));
    let scheme = &kernel.configuration.paging;
    let mut out = format!("{}: process {} ({name}) {when}, --paging {scheme}\n", question.text, process.pid);
    match split::split(scheme, address) {
        Ok(split) => out.push_str(&split::show(scheme, &split)),
        Err(why) => {
            _ = writeln!(out, "  {why}: never mapped");
            return out;
        }
    }
    show_walk(&mut out, kernel, process.space, address);
    show_tlb(&mut out, kernel, process.space, address);
    if let Some(model) = model {
        show_model(&mut out, model, process.space.number(), address);
    }
    out
}

fn auxiliary(process: &Process, kind: u64) -> Option<u64> {
    process.image.auxiliary.chunks_exact(2).find(|pair| pair[0] == kind).map(|pair| pair[1])
}

/// The entries on the way, the area, and the byte if there is one.
fn show_walk(out: &mut String, kernel: &Kernel, space: Id<AddressSpace>, address: u64) {
    let here = &kernel.spaces[space];
    let (scheme, page_size) = (here.table.scheme(), kernel.page_size());
    let walk = here.table.walk(&kernel.memory, address);
    let mut rows = vec![["table", "in frame", "index", "entry at", "entry", ""].map(str::to_string).to_vec()];
    for (level, visited) in walk.iter().enumerate() {
        let is_last = level + 1 == scheme.levels();
        let at = u64::from(visited.table.0) * page_size.bytes() + visited.index as u64 * scheme.entry_bytes();
        rows.push(vec![
            split::level_name(level),
            visited.table.0.to_string(),
            visited.index.to_string(),
            format!("{at:#x}"),
            format!("{:#018x}", visited.entry.0),
            bits(visited.entry, is_last),
        ]);
    }
    out.push_str(&text::columns(&rows, &[0, 5]));
    let reached = walk.last().filter(|_| walk.len() == scheme.levels()).map_or(Entry::NONE, |last| last.entry);
    if reached.is_present() {
        let offset = page_size.offset(address);
        let byte = kernel.memory.bytes(reached.frame())[offset as usize];
        let physical = u64::from(reached.frame().0) * page_size.bytes() + offset;
        let users = kernel.memory.count(reached.frame());
        let shown = if byte.is_ascii_graphic() { format!(" `{}`", byte as char) } else { String::new() };
        _ = writeln!(
            out,
            "  byte   {byte:#04x}{shown} at physical address {physical:#x}; {} of the frame",
            text::count(u64::from(users), "user")
        );
    }
    match here.areas.containing(address) {
        Some(area) => {
            let letter = |bit: u32, letter: char| if area.protection & bit != 0 { letter } else { '-' };
            let rights: String = [letter(1, 'r'), letter(2, 'w'), letter(4, 'x')].into_iter().collect();
            let label = report::label(kernel, space, area);
            let name = if label.name.is_empty() { "anonymous".to_string() } else { text::printable(&label.name) };
            let then = match reached.is_present() {
                true => "",
                false if area.is_accessible() => "; an access brings the page in",
                false => "; an access is SIGSEGV",
            };
            _ = writeln!(out, "  area   {:#x}-{:#x} {rights} {name}{then}", area.start, area.end);
        }
        None => _ = writeln!(out, "  area   none: an access is SIGSEGV"),
    }
}

/// The bits of an entry in words.
fn bits(entry: Entry, is_last: bool) -> String {
    if is_last && entry.0 & (Entry::PRESENT | GUARD) == GUARD {
        return "not present: a guard, MADV_GUARD_INSTALL".to_string();
    }
    if !entry.is_present() {
        return "not present".to_string();
    }
    let mut words = vec![format!("-> frame {}: present", entry.frame().0)];
    let mut add = |condition: bool, word: &str| {
        if condition {
            words.push(word.to_string());
        }
    };
    add(entry.0 & Entry::WRITABLE != 0, "writable");
    add(entry.0 & Entry::USER != 0, "user");
    add(entry.is_accessed(), "accessed");
    add(entry.is_dirty(), "dirty");
    add(entry.0 & Entry::NO_EXECUTE != 0, "no execute");
    add(is_last && entry.0 & PRIVATE != 0, "private");
    add(is_last && entry.0 & LAZY_FREE != 0, "given up");
    words.join(", ")
}

/// What the TLB of the address space holds. The fast one knows of data only: code was looked up when it was translated.
fn show_tlb(out: &mut String, kernel: &Kernel, space: Id<AddressSpace>, address: u64) {
    let tlb = &kernel.spaces[space].tlb;
    let holds = |access| tlb.lookup(&kernel.memory, address, access).is_some();
    let held = match (holds(Access::Read), holds(Access::Write)) {
        (_, true) => "holds the page for reading and writing",
        (true, false) => "holds the page for reading; a write walks",
        (false, false) => "does not hold the page for data; an access walks",
    };
    _ = writeln!(out, "  TLB    {held}");
}

fn show_model(out: &mut String, model: &TlbModel, space: u64, address: u64) {
    let (number, set) = model.set(address);
    let sought = Tag { space, page: model.page(address) };
    let place = match set.iter().position(|tag| *tag == sought) {
        Some(position) => format!("holds the page, used {} of {}", position + 1, set.len()),
        None => "does not hold the page".to_string(),
    };
    let pages: Vec<String> = set
        .iter()
        .map(|tag| if tag.space == space { format!("{:#x}", tag.page) } else { format!("{:#x} (another's)", tag.page) })
        .collect();
    let shape = model.shape();
    _ = writeln!(
        out,
        "  --tlb  set {number} of {} {place}; its pages, latest use first: {}",
        shape.sets,
        if pages.is_empty() { "none".to_string() } else { pages.join(", ") }
    );
}
