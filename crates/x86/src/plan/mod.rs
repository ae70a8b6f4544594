//! What a block's instructions read, write and need: the facts from which `emit` writes host code.

mod classify;
mod flags;
mod groups;

pub(crate) use classify::{Classifier, general};
pub(crate) use flags::{ALL_FLAGS, flags_killed, flags_read};

use iced_x86::Instruction;

/// A segment whose base is not zero in 64-bit mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    Fs,
    Gs,
}

/// One data access of an instruction: base + index << scale + displacement (+ segment base), all guest registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Access {
    pub(crate) base: Option<u8>,
    pub(crate) index: Option<(u8, u8)>,
    pub(crate) displacement: i64,
    pub(crate) segment: Option<Segment>,
    /// Bytes, 1 to 64.
    pub(crate) size: u16,
    /// Whether it writes (and perhaps reads too).
    pub(crate) write: bool,
    /// Accesses of the same number are a known distance apart.
    pub(crate) group: u16,
    /// Where it begins, relative to the others of its group.
    pub(crate) offset: i64,
    /// How far the base register is from where it was, for comparison within the group.
    pub(crate) base_offset: i64,
}

impl Access {
    /// An access to address 0, to be completed.
    pub(crate) fn nowhere() -> Access {
        Access {
            base: None,
            index: None,
            displacement: 0,
            segment: None,
            size: 0,
            write: false,
            group: 0,
            offset: 0,
            base_offset: 0,
        }
    }

    /// An access to the stack at rsp + `displacement`.
    pub(crate) fn stack(displacement: i64, write: bool) -> Access {
        Access { base: Some(4), displacement, size: 8, write, ..Access::nowhere() }
    }

    /// The address, if it does not depend on registers.
    pub(crate) fn constant(&self) -> Option<u64> {
        let fixed = self.base.is_none() && self.index.is_none() && self.segment.is_none();
        fixed.then_some(self.displacement as u64)
    }
}

/// How an instruction is translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// No memory: as it is.
    Register,
    /// One memory operand: checked, then as it is with another address.
    Memory,
    /// Nothing to do.
    Nothing,
    /// `lea` relative to rip.
    LeaRip,
    PushRegister,
    PushImmediate,
    PushMemory,
    PopRegister,
    Leave,
    CallDirect,
    CallRegister,
    CallMemory,
    Return,
    JumpDirect,
    JumpRegister,
    JumpMemory,
    /// A conditional jump on flags.
    Conditional,
    /// `movsb` to `movsq` without a prefix.
    MoveString,
    /// `rep movs` or `rep stos`.
    RepeatString,
    Syscall,
    /// Executed one by one outside of translated code.
    Step,
}

/// An instruction and what is known about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Planned {
    pub(crate) instruction: Instruction,
    pub(crate) kind: Kind,
    /// Guest registers it reads or changes in part.
    pub(crate) reads: u16,
    /// Guest registers it changes.
    pub(crate) writes: u16,
    pub(crate) flags_read: u8,
    /// Flags whose old values cannot be seen after it.
    pub(crate) flags_killed: u8,
    /// Flags that must not be changed before it: what it, or something after it, may read.
    pub(crate) live: u8,
    /// Flags that may be read after it.
    pub(crate) live_after: u8,
    /// It has an operand ah, bh, ch or dh, so it cannot have a REX prefix.
    pub(crate) high_byte: bool,
    /// Where a jump, call or return is expected to lead: the plan goes on there.
    pub(crate) expected: Option<u64>,
    /// It uses x87 or MMX registers.
    pub(crate) x87: bool,
    /// The host may raise an exception that is the guest's.
    pub(crate) may_fault: bool,
    pub(crate) accesses: [Option<Access>; 2],
    /// Where its bytes are in [`Plan::bytes`].
    pub(crate) bytes: u16,
}

impl Planned {
    /// How many data accesses it counts for.
    pub(crate) fn access_count(&self) -> u32 {
        self.accesses.iter().flatten().count() as u32
    }
}

/// Bytes of parameters that a return takes off the stack.
pub(crate) fn return_parameters(instruction: &Instruction) -> u16 {
    if instruction.op_count() == 0 { 0 } else { instruction.immediate16() }
}

/// How a plan ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The last instruction leaves on all paths.
    Left,
    /// Execution goes on at this address.
    Continue(u64),
}

/// The instructions of one block, in the order in which they are expected to run.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) start: u64,
    pub(crate) instructions: Vec<Planned>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) end: End,
    /// Flags that must not be changed before the first instruction.
    pub(crate) live: u8,
    /// Whether one check may serve several accesses.
    pub(crate) groups_allowed: bool,
    /// Whether jumps lead straight to other blocks once these are there.
    pub(crate) links: bool,
    /// Groups of accesses, if one check may serve several; see [`Access::group`].
    pub(crate) groups: usize,
}

impl Plan {
    pub(crate) fn new() -> Plan {
        Plan {
            start: 0,
            instructions: Vec::new(),
            bytes: Vec::new(),
            end: End::Left,
            live: ALL_FLAGS,
            groups_allowed: true,
            links: true,
            groups: 0,
        }
    }

    /// Finds out which accesses can share a check.
    pub(crate) fn group(&mut self) {
        self.groups = groups::assign(self);
    }

    /// Lets the plan go on where its last instruction leads.
    pub(crate) fn expect(&mut self, target: u64) {
        self.instructions.last_mut().expect("an instruction leads somewhere").expected = Some(target);
    }

    /// The bytes of one instruction.
    pub(crate) fn code(&self, planned: &Planned) -> &[u8] {
        let start = usize::from(planned.bytes);
        &self.bytes[start..start + planned.instruction.len()]
    }

    /// Instructions that the block counts: all but one that is executed outside.
    pub(crate) fn counted(&self) -> u32 {
        let outside = self.instructions.last().is_some_and(|last| matches!(last.kind, Kind::Step | Kind::Syscall));
        self.instructions.len() as u32 - u32::from(outside)
    }
}
