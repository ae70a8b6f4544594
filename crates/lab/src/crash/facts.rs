//! [`Crash`]: what is seen of a fault that will kill.

use super::history::{Change, History, StackSample};
use crate::source::{CodeMap, FrameRegisters};
use abi::resource::RLIMIT_STACK;
use abi::signal::{SIG_DFL, SIGBUS, SIGFPE, SIGILL, SIGSEGV};
use iced_x86::{Decoder, DecoderOptions, Formatter, Instruction, IntelFormatter, OpKind};
use kernel::Kernel;
use kernel::clock::Instant;
use kernel::mm::fault::BadAccess;
use kernel::mm::vma::Backing;
use kernel::mm::{AddressSpace, AreaFlags, Vma, report};
use kernel::process::{Process, Thread};
use kernel::syscalls::argument::Peek;
use kernel::table::Id;
use machine::{Access, Exception, Gpr};
use std::ops::Range;
use system::observer::Fault;

/// Bytes of the stack that are kept to find the callers.
const STACK_BYTES: usize = 16 << 10;
/// The longest instruction, Intel SDM 2A 2.3.11.
const LONGEST_INSTRUCTION: usize = 15;
/// How far from the stack pointer an access is still the stack's.
const NEAR_STACK: u64 = 1 << 16;

/// A fault that killed a process.
#[derive(Clone, Debug)]
pub struct Crash {
    /// When.
    pub at: Instant,
    /// The process's number.
    pub pid: i32,
    /// The thread's number.
    pub tid: i32,
    /// Its name.
    pub name: Vec<u8>,
    /// What killed it.
    pub signal: i32,
    /// What it did.
    pub cause: Cause,
    /// The instruction, in Intel's notation; nothing if it cannot be read or decoded.
    pub instruction: Option<String>,
    /// Where it was, and what finds the callers.
    pub frame: FrameRegisters,
    /// The innermost part of its stack.
    pub stack: StackSample,
    /// What lay where.
    pub code: CodeMap,
}

/// What a thread did that it could not go on after.
#[derive(Clone, Debug)]
pub enum Cause {
    /// An access to memory.
    Access {
        /// What kind.
        access: Access,
        /// Where.
        address: u64,
        /// How many bytes, if the instruction tells.
        bytes: Option<usize>,
        /// What is wrong with it.
        reason: Box<Reason>,
        /// The area that ends below the address.
        below: Option<AreaFact>,
        /// The area that begins above it.
        above: Option<AreaFact>,
        /// The latest that happened to the address.
        change: Option<Change>,
    },
    /// An exception of the processor.
    Exception(Exception),
}

/// Bytes from address 0 on that are taken for members of what a null pointer points to.
const NULL_BYTES: u64 = 65536;

/// Why memory cannot be accessed.
#[derive(Clone, Debug)]
pub enum Reason {
    /// A null pointer, or a member of what one points to.
    Null,
    /// The stack would exceed its limit in bytes.
    StackLimit(u64),
    /// Nothing is mapped there; who has the same object there that this process has elsewhere.
    Unmapped(Option<Elsewhere>),
    /// The area permits less.
    Forbidden(AreaFact),
    /// The page of the area is a guard, madvise(2) `MADV_GUARD_INSTALL`.
    Guarded(AreaFact),
    /// The page lies behind the end of the file, whose size in bytes is given.
    BehindFile {
        /// The area.
        area: AreaFact,
        /// Bytes of the file.
        size: u64,
        /// Where in the file the access would be.
        offset: u64,
        /// Who cut the file last.
        cut: Option<Change>,
    },
    /// The file could not be read.
    NotRead(AreaFact),
}

/// An area as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AreaFact {
    /// Its addresses.
    pub range: Range<u64>,
    /// `rwxp` as in /proc/PID/maps.
    pub permissions: String,
    /// Its name there; empty for anonymous memory.
    pub name: Vec<u8>,
}

/// The same object in another process and in this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// The other process's number.
    pub pid: i32,
    /// Its name.
    pub process: Vec<u8>,
    /// Where it has the object: around the address.
    pub theirs: AreaFact,
    /// Where the crashed process has it.
    pub ours: AreaFact,
}

/// What is seen of a fault, if nobody will catch it.
pub(super) fn observe(kernel: &Kernel, thread: Id<Thread>, fault: Fault<'_>, history: &History) -> Option<Crash> {
    let here = &kernel.threads[thread];
    let process = &kernel.processes[here.process];
    let signal = signal_of(&fault)?;
    let is_caught = kernel.actions[process.actions].get(signal).handler != SIG_DFL;
    if is_caught && !here.signals.blocked.contains(signal) {
        return None;
    }
    let bytes = Peek { kernel, thread }.bytes(here.registers.rip, LONGEST_INSTRUCTION);
    let instruction = decode(&bytes, here.registers.rip);
    let cause = match fault {
        Fault::Access(fault, bad) => {
            let space = &kernel.spaces[process.space];
            let (address, access) = (fault.address, fault.access);
            Cause::Access {
                access,
                address,
                bytes: instruction.as_ref().and_then(accessed_bytes).filter(|_| access != Access::Execute),
                reason: Box::new(reason(kernel, here, process, address, bad, history)),
                below: space.areas.below(address + 1).map(|area| area_fact(kernel, process.space, area)),
                above: space
                    .areas
                    .at_or_above(address)
                    .filter(|area| area.start > address)
                    .map(|area| area_fact(kernel, process.space, area)),
                change: history.latest(process.space, address),
            }
        }
        Fault::Exception(exception) => Cause::Exception(exception.clone()),
    };
    Some(Crash {
        at: kernel.clock.now(),
        pid: process.pid,
        tid: here.tid,
        name: here.name.clone(),
        signal,
        cause,
        instruction: instruction.map(|instruction| {
            let mut text = String::new();
            IntelFormatter::new().format(&instruction, &mut text);
            text
        }),
        frame: FrameRegisters::of(&here.registers),
        stack: StackSample::of(kernel, thread, STACK_BYTES),
        code: CodeMap::of(kernel, process.space),
    })
}

/// What will kill; nothing if it is not one of the signals that are explained.
fn signal_of(fault: &Fault<'_>) -> Option<i32> {
    match fault {
        Fault::Access(_, BadAccess::Unmapped | BadAccess::Guarded | BadAccess::Forbidden) => Some(SIGSEGV),
        Fault::Access(_, BadAccess::BeyondFile) => Some(SIGBUS),
        Fault::Access(_, BadAccess::OutOfMemory) => None,
        Fault::Exception(exception) => match exception {
            Exception::Divide | Exception::X87 | Exception::Simd => Some(SIGFPE),
            Exception::InvalidOpcode { .. } => Some(SIGILL),
            Exception::Overflow | Exception::GeneralProtection => Some(SIGSEGV),
            Exception::StackFault | Exception::AlignmentCheck => Some(SIGBUS),
            Exception::SingleStep | Exception::Breakpoint => None,
        },
    }
}

fn decode(bytes: &[u8], rip: u64) -> Option<Instruction> {
    let mut decoder = Decoder::with_ip(64, bytes, rip, DecoderOptions::NONE);
    let instruction = decoder.decode();
    (!instruction.is_invalid()).then_some(instruction)
}

/// Bytes that the memory operand has.
fn accessed_bytes(instruction: &Instruction) -> Option<usize> {
    let has_operand = (0..instruction.op_count()).any(|operand| instruction.op_kind(operand) == OpKind::Memory);
    let size = instruction.memory_size().size();
    (has_operand && size > 0).then_some(size)
}

fn reason(
    kernel: &Kernel,
    thread: &Thread,
    process: &Process,
    address: u64,
    bad: BadAccess,
    history: &History,
) -> Reason {
    let space = &kernel.spaces[process.space];
    let Some(area) = space.areas.containing(address) else {
        let near = address.abs_diff(thread.registers.get(Gpr::Rsp)) <= NEAR_STACK;
        let limit = process.limits.soft(RLIMIT_STACK);
        let above = space.areas.at_or_above(address);
        return match above {
            _ if address < NULL_BYTES => Reason::Null,
            Some(stack) if near && stack.flags.has(AreaFlags::GROWS_DOWN) && stack.end - (address & !0xfff) > limit => {
                Reason::StackLimit(limit)
            }
            _ => Reason::Unmapped(elsewhere(kernel, process, address)),
        };
    };
    let fact = area_fact(kernel, process.space, area);
    match (bad, area.backing) {
        (BadAccess::BeyondFile, Backing::File { inode, offset, .. }) => {
            let (size, offset) = (kernel.vfs.inodes[inode].size(), offset + (address - area.start));
            if offset < size {
                return Reason::NotRead(fact);
            }
            Reason::BehindFile { area: fact, size, offset, cut: history.latest_cut(inode) }
        }
        (BadAccess::BeyondFile, _) => Reason::NotRead(fact),
        (BadAccess::Guarded, _) => Reason::Guarded(fact),
        _ => Reason::Forbidden(fact),
    }
}

fn area_fact(kernel: &Kernel, space: Id<AddressSpace>, area: &Vma) -> AreaFact {
    AreaFact {
        range: area.start..area.end,
        permissions: report::permissions(area),
        name: report::label(kernel, space, area).name,
    }
}

/// Another process that has an object at `address` that this one has elsewhere: a pointer may have come with the data.
fn elsewhere(kernel: &Kernel, process: &Process, address: u64) -> Option<Elsewhere> {
    let own = &kernel.spaces[process.space].areas;
    kernel.processes.iter().filter(|(_, other)| other.space != process.space).find_map(|(_, other)| {
        let theirs = kernel.spaces.get(other.space)?.areas.containing(address)?;
        let origin = theirs.backing.object()?.origin();
        let is_same =
            |area: &&Vma| area.shared && area.backing.object().is_some_and(|object| object.origin() == origin);
        let ours = own.iter().find(is_same)?;
        Some(Elsewhere {
            pid: other.pid,
            process: other.threads.first().map_or_else(Vec::new, |thread| kernel.threads[*thread].name.clone()),
            theirs: area_fact(kernel, other.space, theirs),
            ours: area_fact(kernel, process.space, ours),
        })
    })
}
