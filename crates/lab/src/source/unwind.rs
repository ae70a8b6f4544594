//! Who called whom: frames by the call frame information of `.eh_frame`, DWARF 5 6.4 and System V ABI x86-64 3.7; where
//! there is none, by the frame pointer, and at last by looking for something that follows a call.

use super::files::GuestFiles;
use super::map::CodeMap;
use super::{CodePlace, Sources};
use gimli::{CfaRule, Register, RegisterRule, UnwindContext};
use machine::{Gpr, Registers};

/// Words of the stack looked at for a return address when nothing else helps.
const SCANNED_WORDS: u64 = 64;
/// Most bytes that a frame found by its frame pointer may have.
const MOST_FRAME_BYTES: u64 = 1 << 20;

/// What a frame needs to find its caller's: the stack pointer, the return address, and what calls preserve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameRegisters {
    /// Where it executes.
    pub rip: u64,
    /// Values by DWARF number, System V ABI x86-64 figure 3.36: rbx 3, rbp 6, rsp 7, r12 to r15.
    by_number: [u64; 16],
}

const RBX: usize = 3;
const RBP: usize = 6;
const RSP: usize = 7;
const RIP: u16 = 16;

impl FrameRegisters {
    /// Of a thread's innermost frame.
    pub fn of(registers: &Registers) -> FrameRegisters {
        let mut frame = FrameRegisters { rip: registers.rip, ..FrameRegisters::default() };
        // rdi: where vfork(2) of the C library keeps its return address.
        for (number, register) in [
            (RBX, Gpr::Rbx),
            (5, Gpr::Rdi),
            (RBP, Gpr::Rbp),
            (RSP, Gpr::Rsp),
            (12, Gpr::R12),
            (13, Gpr::R13),
            (14, Gpr::R14),
            (15, Gpr::R15),
        ] {
            frame.by_number[number] = registers.get(register);
        }
        frame
    }

    /// The stack pointer.
    pub fn rsp(&self) -> u64 {
        self.by_number[RSP]
    }

    fn get(&self, register: Register) -> Option<u64> {
        self.by_number.get(usize::from(register.0)).copied()
    }
}

/// Reads a stack.
pub trait StackMemory {
    /// The eight bytes at an address, if they are known.
    fn word(&self, address: u64) -> Option<u64>;
}

/// The places where the innermost frame executes and where its callers were called, `limit` at most. A caller's place is
/// the last byte of its call.
pub(super) fn unwind(
    sources: &mut Sources,
    files: &mut GuestFiles<'_>,
    map: &CodeMap,
    memory: &dyn StackMemory,
    start: FrameRegisters,
    limit: usize,
) -> Vec<CodePlace> {
    let mut places = Vec::new();
    let mut context = UnwindContext::new();
    let mut frame = start;
    let mut is_innermost = true;
    while places.len() < limit {
        // A return address may be the first byte of another function, if the call never returns.
        let Some(place) = map.place(if is_innermost { frame.rip } else { frame.rip.wrapping_sub(1) }) else { break };
        places.push(place.clone());
        let next = by_rules(sources, files, &place, memory, &frame, &mut context)
            .or_else(|| by_frame_pointer(map, memory, &frame))
            .or_else(|| by_scan(sources, files, map, memory, &frame));
        match next {
            // Stacks grow down: a caller's frame lies above, except behind a signal that has its own stack.
            Some((next, is_signal)) if is_signal || is_innermost || next.rsp() > frame.rsp() => {
                frame = next;
                is_innermost = is_signal;
            }
            _ => break,
        }
    }
    places
}

fn by_rules(
    sources: &mut Sources,
    files: &mut GuestFiles<'_>,
    place: &CodePlace,
    memory: &dyn StackMemory,
    frame: &FrameRegisters,
    context: &mut UnwindContext<usize>,
) -> Option<(FrameRegisters, bool)> {
    let module = sources.module(files, &place.file)?;
    let address = module.address(place.offset)?;
    let (row, is_signal) = module.frames()?.row(context, address)?;
    if is_signal {
        return interrupted(memory, frame.rsp()).map(|next| (next, true));
    }
    let CfaRule::RegisterAndOffset { register, offset } = *row.cfa() else { return None };
    let base = frame.get(register)?.wrapping_add_signed(offset);
    let value = |rule: &RegisterRule<usize>, current: u64| match *rule {
        RegisterRule::Undefined | RegisterRule::SameValue => Some(current),
        RegisterRule::Offset(offset) => memory.word(base.wrapping_add_signed(offset)),
        RegisterRule::ValOffset(offset) => Some(base.wrapping_add_signed(offset)),
        RegisterRule::Register(register) => frame.get(register),
        _ => None,
    };
    let mut next = *frame;
    next.by_number[RSP] = base;
    for (register, rule) in row.registers() {
        if let Some(slot) = next.by_number.get_mut(usize::from(register.0)) {
            // What is not known any more matters only if a caller's rule asks for it.
            *slot = value(rule, *slot).unwrap_or(0);
        }
    }
    next.rip = match row.register(Register(RIP)) {
        RegisterRule::Offset(offset) => memory.word(base.wrapping_add_signed(offset))?,
        RegisterRule::Register(register) => frame.get(register)?,
        _ => return None,
    };
    Some((next, false))
}

/// What a signal handler interrupted: the `ucontext_t` lies where the stack pointer is when the handler has returned,
/// sigreturn(2).
fn interrupted(memory: &dyn StackMemory, context: u64) -> Option<FrameRegisters> {
    // Offsets in `struct sigcontext`, behind 40 bytes of flags, link and stack.
    let saved = |index: u64| memory.word(context.wrapping_add(40 + 8 * index));
    let mut frame = FrameRegisters { rip: saved(16)?, ..FrameRegisters::default() };
    for (number, index) in [(12, 4), (13, 5), (14, 6), (15, 7), (RBP, 10), (RBX, 11), (RSP, 15)] {
        frame.by_number[number] = saved(index)?;
    }
    Some(frame)
}

fn by_frame_pointer(map: &CodeMap, memory: &dyn StackMemory, frame: &FrameRegisters) -> Option<(FrameRegisters, bool)> {
    let pointer = frame.by_number[RBP];
    let distance = pointer.wrapping_sub(frame.rsp());
    if distance > MOST_FRAME_BYTES || !pointer.is_multiple_of(8) {
        return None;
    }
    let rip = memory.word(pointer.wrapping_add(8))?;
    map.place(rip)?;
    let mut next = FrameRegisters { rip, ..*frame };
    next.by_number[RBP] = memory.word(pointer)?;
    next.by_number[RSP] = pointer.wrapping_add(16);
    Some((next, false))
}

fn by_scan(
    sources: &mut Sources,
    files: &mut GuestFiles<'_>,
    map: &CodeMap,
    memory: &dyn StackMemory,
    frame: &FrameRegisters,
) -> Option<(FrameRegisters, bool)> {
    for index in 0..SCANNED_WORDS {
        let at = frame.rsp().wrapping_add(8 * index);
        let rip = memory.word(at)?;
        let Some(place) = map.place(rip) else { continue };
        if sources.module(files, &place.file).is_some_and(|module| module.follows_call(place.offset)) {
            let mut next = FrameRegisters { rip, ..*frame };
            next.by_number[RSP] = at.wrapping_add(8);
            return Some((next, false));
        }
    }
    None
}
