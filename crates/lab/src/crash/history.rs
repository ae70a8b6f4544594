//! [`History`]: what was unmapped, protected and cut lately, in which address space, and by which call.

use crate::source::{FrameRegisters, StackMemory};
use abi::fcntl::O_TRUNC;
use abi::mman::MAP_FIXED;
use kernel::Kernel;
use kernel::clock::Instant;
use kernel::event::{Event, Record};
use kernel::fs::Inode;
use kernel::mm::AddressSpace;
use kernel::process::{Process, Thread};
use kernel::syscalls::argument::Peek;
use kernel::table::Id;
use machine::{Gpr, Registers};
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::rc::Rc;

/// Changes remembered; older ones are forgotten.
const MOST_CHANGES: usize = 2048;
/// Address spaces whose parent is remembered.
const MOST_PARENTS: usize = 4096;
const PAGE: u64 = 4096;
/// Pages between a stack pointer and the stack.
const MOST_PAGES_SKIPPED: u64 = 16;
/// Bytes of the stack kept of a call: enough to find the caller of a function of the C library.
const STACK_BYTES: usize = 512;

/// Where a call was made, and with what.
#[derive(Clone, Debug)]
pub struct Site {
    /// Who; may be gone.
    pub id: Id<Thread>,
    /// The thread's number.
    pub tid: i32,
    /// Its process's number.
    pub pid: i32,
    /// Its name.
    pub thread: Vec<u8>,
    /// The call.
    pub number: u64,
    /// Its arguments as they were in the registers.
    pub arguments: [u64; 6],
    /// What finds the callers.
    pub frame: FrameRegisters,
    /// The innermost part of the stack.
    pub stack: StackSample,
}

/// A part of a stack as it was.
#[derive(Clone, Debug, Default)]
pub struct StackSample {
    start: u64,
    bytes: Vec<u8>,
}

impl StackSample {
    /// `limit` bytes from the stack pointer of a thread on, as far as they are in memory. Where the stack could not grow
    /// to its pointer, its first page above.
    pub fn of(kernel: &Kernel, thread: Id<Thread>, limit: usize) -> StackSample {
        let pointer = kernel.threads[thread].registers.get(Gpr::Rsp);
        let page = |number: u64| (pointer & !(PAGE - 1)).saturating_add(number * PAGE).max(pointer);
        let samples = (0..MOST_PAGES_SKIPPED).map(page);
        let mut samples =
            samples.map(|start| StackSample { start, bytes: Peek { kernel, thread }.bytes(start, limit) });
        samples.find(|sample| !sample.bytes.is_empty()).unwrap_or_default()
    }
}

impl StackMemory for StackSample {
    fn word(&self, address: u64) -> Option<u64> {
        let offset = usize::try_from(address.checked_sub(self.start)?).ok()?;
        let word = self.bytes.get(offset..offset.checked_add(8)?)?;
        Some(u64::from_le_bytes(word.try_into().ok()?))
    }
}

/// What happened to addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// They are not mapped any more, or something else is.
    Unmapped(Range<u64>),
    /// They permit something else: `PROT_` bits.
    Protected(Range<u64>, u32),
    /// A file was cut to so many bytes, and with it its mappings.
    Cut(Id<Inode>, u64),
}

/// Something that happened to addresses.
#[derive(Clone, Debug)]
pub struct Change {
    /// When.
    pub at: Instant,
    /// The address space of who did it.
    space: Id<AddressSpace>,
    /// What.
    pub changed: Changed,
    /// Where.
    pub site: Rc<Site>,
}

/// What happened lately.
#[derive(Debug, Default)]
pub struct History {
    changes: VecDeque<Change>,
    /// Where an address space was copied from, and when.
    parents: BTreeMap<Id<AddressSpace>, (Id<AddressSpace>, Instant)>,
    /// The call that is being made, if it may change something.
    site: Option<Rc<Site>>,
}

impl History {
    /// A thread is about to make a call.
    #[inline]
    pub fn before_call(&mut self, kernel: &Kernel, thread: Id<Thread>) {
        let registers = &kernel.threads[thread].registers;
        self.site = None;
        if takes_memory_away(registers) {
            self.site = Some(Rc::new(site(kernel, thread)));
        }
    }

    /// Something happened.
    #[inline]
    pub fn record(&mut self, kernel: &Kernel, record: &Record) {
        match record.event {
            Event::Unmapped { start, end } => self.note(kernel, record, Changed::Unmapped(start..end)),
            Event::Protected { start, end, protection } => {
                self.note(kernel, record, Changed::Protected(start..end, protection));
            }
            Event::MappingsCut { inode, size } => self.note(kernel, record, Changed::Cut(inode, size)),
            Event::ProcessStarted { process, parent, .. } => self.note_child(kernel, process, parent, record.at),
            _ => {}
        }
    }

    fn note(&mut self, kernel: &Kernel, record: &Record, changed: Changed) {
        let Some(site) = self.site.as_ref().filter(|site| site.tid == record.tid) else { return };
        let Some(space) = space_of(kernel, record.tid) else { return };
        if self.changes.len() == MOST_CHANGES {
            self.changes.pop_front();
        }
        self.changes.push_back(Change { at: record.at, space, changed, site: Rc::clone(site) });
    }

    fn note_child(&mut self, kernel: &Kernel, child: Id<Process>, parent: i32, at: Instant) {
        let Some(parent) = kernel.pids.processes.get(&parent) else { return };
        let (Some(child), Some(parent)) = (kernel.processes.get(child), kernel.processes.get(*parent)) else { return };
        if child.space != parent.space {
            if self.parents.len() == MOST_PARENTS {
                self.parents.pop_first();
            }
            self.parents.insert(child.space, (parent.space, at));
        }
    }

    /// The latest change of `address` in `space`, or in those it was copied from before it was.
    pub fn latest(&self, space: Id<AddressSpace>, address: u64) -> Option<Change> {
        let touches = |change: &&Change| match &change.changed {
            Changed::Unmapped(range) | Changed::Protected(range, _) => range.contains(&address),
            Changed::Cut(..) => false,
        };
        let (mut space, mut before) = (space, Instant(u64::MAX));
        loop {
            let own = |change: &&Change| change.space == space && change.at <= before;
            if let Some(found) = self.changes.iter().rev().filter(own).find(touches) {
                return Some(found.clone());
            }
            (space, before) = *self.parents.get(&space)?;
        }
    }

    /// The latest cut of a file.
    pub fn latest_cut(&self, inode: Id<Inode>) -> Option<Change> {
        let is_cut = |change: &&Change| matches!(change.changed, Changed::Cut(file, _) if file == inode);
        self.changes.iter().rev().find(is_cut).cloned()
    }
}

/// Whether the call that these registers make can unmap, protect or cut what is mapped.
#[inline]
fn takes_memory_away(registers: &Registers) -> bool {
    match registers.get(Gpr::Rax) {
        OPEN => registers.get(Gpr::Rsi) & u64::from(O_TRUNC) != 0,
        OPENAT => registers.get(Gpr::Rdx) & u64::from(O_TRUNC) != 0,
        MMAP => registers.get(Gpr::R10) & u64::from(MAP_FIXED) != 0,
        MPROTECT | MUNMAP | BRK | MREMAP | SHMDT | TRUNCATE | FTRUNCATE | CREAT => true,
        _ => false,
    }
}

const OPEN: u64 = 2;
const MMAP: u64 = 9;
const MPROTECT: u64 = 10;
const MUNMAP: u64 = 11;
const BRK: u64 = 12;
const MREMAP: u64 = 25;
const SHMDT: u64 = 67;
const TRUNCATE: u64 = 76;
const FTRUNCATE: u64 = 77;
const CREAT: u64 = 85;
const OPENAT: u64 = 257;

fn site(kernel: &Kernel, thread: Id<Thread>) -> Site {
    let here = &kernel.threads[thread];
    Site {
        id: thread,
        tid: here.tid,
        pid: kernel.processes[here.process].pid,
        thread: here.name.clone(),
        number: here.registers.get(Gpr::Rax),
        arguments: [Gpr::Rdi, Gpr::Rsi, Gpr::Rdx, Gpr::R10, Gpr::R8, Gpr::R9].map(|gpr| here.registers.get(gpr)),
        frame: FrameRegisters::of(&here.registers),
        stack: StackSample::of(kernel, thread, STACK_BYTES),
    }
}

fn space_of(kernel: &Kernel, tid: i32) -> Option<Id<AddressSpace>> {
    let thread = kernel.threads.get(*kernel.pids.threads.get(&tid)?)?;
    Some(kernel.processes.get(thread.process)?.space)
}
