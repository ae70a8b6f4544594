//! From bytes to the plan of a block: which instructions it holds, and which flags must survive where.
//!
//! A block lies in one page (of larger pages: in 4 KiB of one). An instruction that straddles two pages is a block of its own.

use crate::plan::{ALL_FLAGS, Classifier, End, Kind, Plan, Planned, flags_killed, flags_read};
use iced_x86::{Decoder, DecoderError, DecoderOptions, FlowControl, Instruction, Mnemonic};

/// Instructions in a block at most. The budget that a block takes at once must fit a 32-bit displacement, and what is
/// left of a slice when a block does not fit is executed one by one, which is slow.
pub(crate) const MAX_INSTRUCTIONS: usize = 64;
/// Instructions at a jump's target that are looked at to learn whether it reads flags.
const LOOK_AHEAD: usize = 12;
/// A conditional jump back by less than this is taken for the end of a loop.
const LOOP_BYTES: u64 = 512;
/// Instructions in an unrolled loop at most.
const UNROLLED_INSTRUCTIONS: usize = 40;
/// Instructions in a block after which it follows no more direct jumps and calls.
const FOLLOWING_INSTRUCTIONS: usize = 48;
/// The longest instruction.
pub(crate) const MAX_INSTRUCTION_BYTES: usize = 15;

/// How far a block may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reach {
    /// Instructions at most.
    pub(crate) instructions: usize,
    /// Whether it may go on behind jumps.
    pub(crate) traces: bool,
    /// Whether it may go on at the targets of direct jumps and calls, and where these return.
    pub(crate) follow: bool,
    /// Whether one check may serve several accesses.
    pub(crate) groups: bool,
    /// Whether jumps may lead straight to other blocks.
    pub(crate) links: bool,
}

/// Where a block begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// The plan holds at least one instruction.
    Block,
    /// The first instruction goes over the end of the page: its bytes are needed from the next page too.
    Straddles,
}

/// Fills `plan` with the block that begins at `start`, whose page holds `page`.
pub(crate) fn block(plan: &mut Plan, classifier: &mut Classifier, page: &[u8], start: u64, reach: Reach) -> Found {
    plan.start = start;
    (plan.groups_allowed, plan.groups, plan.links) = (reach.groups, 0, reach.links);
    plan.instructions.clear();
    plan.bytes.clear();
    let page_address = start & !0xfff;
    let mut decoder = Decoder::with_ip(64, page, page_address, DecoderOptions::NONE);
    let mut rip = start;
    // Where the calls that the plan follows return to.
    let mut returns = Vec::new();
    plan.end = loop {
        if plan.instructions.len() >= reach.instructions || rip & !0xfff != page_address {
            break End::Continue(rip);
        }
        let Some(instruction) = decode(&mut decoder, rip) else {
            if plan.instructions.is_empty() {
                return Found::Straddles;
            }
            break End::Continue(rip);
        };
        let offset = (rip & 0xfff) as usize;
        let bytes = plan.bytes.len() as u16;
        plan.bytes.extend_from_slice(&page[offset..offset + instruction.len()]);
        let planned = classifier.classify(instruction, bytes);
        plan.instructions.push(planned);
        match planned.kind {
            Kind::Syscall | Kind::Step => break End::Left,
            Kind::JumpRegister | Kind::JumpMemory | Kind::CallRegister | Kind::CallMemory => break End::Left,
            Kind::JumpDirect | Kind::CallDirect => {
                let target = instruction.near_branch_target();
                let call = planned.kind == Kind::CallDirect;
                if !reach.follow || !is_followed(plan, target, call) || target & !0xfff != page_address {
                    break End::Left;
                }
                plan.expect(target);
                if call {
                    returns.push(instruction.next_ip());
                }
                rip = target;
            }
            Kind::Return => {
                let Some(back) = returns.pop().filter(|back| back & !0xfff == page_address) else { break End::Left };
                plan.expect(back);
                rip = back;
            }
            Kind::Conditional => {
                let target = instruction.near_branch_target();
                // A loop that is the whole block is unrolled: its iterations share checks and the charge.
                let body = plan.instructions.len();
                if target == start && reach.traces && unrolls(plan, body, reach.instructions) {
                    plan.expect(start);
                    rip = start;
                    continue;
                }
                // A loop's end is likely taken; both ways lead to other blocks without detours.
                if !reach.traces || target <= rip && rip - target < LOOP_BYTES {
                    break End::Left;
                }
                rip = instruction.next_ip();
            }
            _ => rip = instruction.next_ip(),
        }
    };
    liveness(plan, &mut decoder, page_address);
    if reach.groups {
        plan.group();
    }
    Found::Block
}

/// Whether a loop whose iterations so far have `length` instructions has room for another.
fn unrolls(plan: &Plan, length: usize, limit: usize) -> bool {
    let to_start = |planned: &&Planned| planned.kind == Kind::Conditional && planned.expected == Some(plan.start);
    let iterations = plan.instructions.iter().filter(to_start).count() + 1;
    length + length / iterations <= limit.min(UNROLLED_INSTRUCTIONS)
}

/// Whether the plan goes on at the target of a direct jump or call: not if it has been there, for then it would be
/// an unrolled loop that is not a block, of which each iteration might begin another.
fn is_followed(plan: &Plan, target: u64, call: bool) -> bool {
    let times = plan.instructions.iter().filter(|planned| planned.instruction.ip() == target).count();
    // A function that calls itself is written out once more.
    plan.instructions.len() < FOLLOWING_INSTRUCTIONS && times <= usize::from(call)
}

/// Fills `plan` with one instruction whose bytes (of two pages) are `bytes`.
pub(crate) fn straddling(plan: &mut Plan, classifier: &mut Classifier, bytes: &[u8], start: u64) {
    plan.start = start;
    (plan.groups_allowed, plan.groups, plan.links) = (false, 0, true);
    plan.instructions.clear();
    plan.bytes.clear();
    let instruction = Decoder::with_ip(64, bytes, start, DecoderOptions::NONE).decode();
    plan.bytes.extend_from_slice(&bytes[..instruction.len().min(bytes.len())]);
    let planned = classifier.classify(instruction, 0);
    plan.end = match planned.kind {
        Kind::Syscall
        | Kind::Step
        | Kind::Return
        | Kind::JumpRegister
        | Kind::JumpMemory
        | Kind::CallDirect
        | Kind::CallRegister
        | Kind::CallMemory
        | Kind::JumpDirect
        | Kind::Conditional => End::Left,
        _ => End::Continue(instruction.next_ip()),
    };
    plan.instructions.push(planned);
    let last = &mut plan.instructions[0];
    last.live = ALL_FLAGS & !last.flags_killed | last.flags_read;
    plan.live = last.live;
}

/// The instruction at `rip` if it lies wholly in the decoder's page. One that is invalid counts, so that it is executed
/// and raises its exception.
fn decode(decoder: &mut Decoder<'_>, rip: u64) -> Option<Instruction> {
    let offset = (rip & 0xfff) as usize;
    decoder.set_position(offset).expect("the offset lies in the page");
    decoder.set_ip(rip);
    let instruction = decoder.decode();
    if instruction.is_invalid() && decoder.last_error() == DecoderError::NoMoreBytes {
        return None;
    }
    Some(instruction)
}

/// Finds, backwards, which flags must survive before each instruction.
fn liveness(plan: &mut Plan, decoder: &mut Decoder<'_>, page_address: u64) {
    let mut live = match plan.end {
        End::Continue(rip) => live_at(decoder, page_address, rip, 0),
        End::Left => ALL_FLAGS,
    };
    for (index, planned) in plan.instructions.iter_mut().rev().enumerate() {
        let last = index == 0;
        match planned.kind {
            Kind::Conditional => {
                let (target, next) = (planned.instruction.near_branch_target(), planned.instruction.next_ip());
                let (expected, other) = if planned.expected.is_some() { (target, next) } else { (next, target) };
                if last && plan.end == End::Left {
                    live = live_at(decoder, page_address, expected, 0);
                }
                live |= live_at(decoder, page_address, other, 0);
            }
            // If the return address is another than expected, nobody knows what is next.
            Kind::Return => live = ALL_FLAGS,
            Kind::JumpDirect | Kind::CallDirect if planned.expected.is_none() => {
                live = live_at(decoder, page_address, planned.instruction.near_branch_target(), 0);
            }
            _ => {}
        }
        planned.live_after = live;
        live = live & !planned.flags_killed | planned.flags_read;
        planned.live = live;
    }
    plan.live = live;
}

/// The flags that may be read from `rip` on before they are set. Looks at code of the same page only: if that page
/// changes, all its blocks go, so that what was learnt here goes with them.
fn live_at(decoder: &mut Decoder<'_>, page_address: u64, mut rip: u64, depth: u32) -> u8 {
    let (mut live, mut killed) = (0, 0);
    for _ in 0..LOOK_AHEAD {
        if rip & !0xfff != page_address {
            break;
        }
        let Some(instruction) = decode(decoder, rip) else { break };
        if instruction.is_invalid() || instruction.mnemonic() == Mnemonic::Syscall {
            break;
        }
        live |= flags_read(&instruction) & !killed;
        match instruction.flow_control() {
            FlowControl::Next => {
                // Anything that is stepped sees all flags: only what is known to be plain may kill.
                killed |= flags_killed(&instruction);
                rip = instruction.next_ip();
            }
            FlowControl::UnconditionalBranch => rip = instruction.near_branch_target(),
            FlowControl::Call if instruction.is_call_near() => rip = instruction.near_branch_target(),
            FlowControl::ConditionalBranch if depth < 2 && instruction.is_jcc_short_or_near() => {
                live |= live_at(decoder, page_address, instruction.near_branch_target(), depth + 1) & !killed;
                rip = instruction.next_ip();
            }
            _ => break,
        }
        if killed | live == ALL_FLAGS {
            return live;
        }
    }
    live | ALL_FLAGS & !killed
}
