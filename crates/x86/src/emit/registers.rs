//! Which host register holds what, within a block.
//!
//! Between blocks guest registers 0 to 12 are in the host registers of the same number, the other three in their
//! context words, and the host's r14 and r15 are free. Within a block a host register may be borrowed: its guest value
//! waits in its spill word (it is *evicted*) until it is needed or the block is left. Guest r13 to r15 are loaded into
//! borrowed registers where they are used and written back at once where they change, so that their words are always
//! up to date.

use super::Emitter;
use super::assembler::{CONTEXT, R14, R15, RCX, RSP, word};
use crate::discover::MAX_INSTRUCTIONS;
use crate::native::context;
use crate::plan::Plan;

/// The first guest register that has no host register of its own.
pub(crate) const FIRST_IN_MEMORY: u8 = 13;
/// Registers that never serve as scratch: rsp and the context; rcx, because `jrcxz` tests are made in it.
const NEVER_SCRATCH: u16 = 1 << RSP | 1 << CONTEXT | 1 << RCX;
/// Registers that need no REX prefix.
pub(super) const LOW: u16 = 0xff;
pub(super) const ANY: u16 = 0xffff;

/// In place of a distance: a register that is not used again. Distances are less than a block is long.
const NOT_USED: u8 = u8::MAX;
const _: () = assert!(2 * MAX_INSTRUCTIONS < NOT_USED as usize);

/// What a host register holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    /// The guest register of the same number.
    Own,
    /// Nothing that is needed.
    Free,
    /// A copy of guest r13, r14 or r15.
    Copy(u8),
    /// What all accesses of a group add to their addresses.
    Group(u16),
    /// The address of the context.
    Context,
}

/// The state of the allocation at one point of a block.
#[derive(Clone, Debug)]
pub(super) struct Hosts {
    content: [Content; 16],
    /// Guest registers whose value is in their spill word only.
    pub(super) evicted: u16,
    /// Guest registers whose spill word is up to date.
    clean: u16,
    /// Host registers that the current instruction needs.
    pinned: u16,
}

impl Hosts {
    pub(super) fn new() -> Hosts {
        let mut content = [Content::Own; 16];
        content[CONTEXT as usize] = Content::Context;
        content[R14 as usize] = Content::Free;
        content[R15 as usize] = Content::Free;
        Hosts { content, evicted: 0, clean: 0, pinned: 0 }
    }
}

/// The registers of a set, ascending.
pub(super) fn members(mut set: u16) -> impl Iterator<Item = u8> {
    std::iter::from_fn(move || {
        let register = set.trailing_zeros() as u8;
        set &= set.wrapping_sub(1);
        (register < 16).then_some(register)
    })
}

impl Emitter {
    /// Brings what instruction `at` reads into registers and finds places for what it writes.
    pub(super) fn prepare(&mut self, plan: &Plan, at: usize) {
        let planned = &plan.instructions[at];
        let (reads, writes) = (planned.reads, planned.writes);
        let own = (1_u16 << FIRST_IN_MEMORY) - 1;
        self.hosts.pinned = (reads | writes) & own;
        for register in members((reads | writes) & own & self.hosts.evicted) {
            // Until the instruction is done, one that is only written stays evicted: the access may fault.
            self.hosts.content[register as usize] = Content::Free;
            if reads >> register & 1 != 0 {
                self.reload(register);
            }
        }
        for register in members((reads | writes) & !own) {
            let host = match self.copy_of(register) {
                Some(host) => host,
                None => {
                    let host = self.scratch(plan, at, ANY);
                    if reads >> register & 1 != 0 {
                        self.hot.load(host, word(context::GENERAL + register as usize));
                    }
                    self.hosts.content[host as usize] = Content::Copy(register);
                    host
                }
            };
            self.hosts.pinned |= 1 << host;
        }
    }

    /// Notes what instruction `at` wrote, and lets its scratch registers go.
    pub(super) fn finish(&mut self, plan: &Plan, at: usize) {
        for register in members(plan.instructions[at].writes) {
            if register < FIRST_IN_MEMORY {
                self.hosts.evicted &= !(1 << register);
                self.hosts.clean &= !(1 << register);
                self.hosts.content[register as usize] = Content::Own;
            } else if let Some(host) = self.copy_of(register) {
                self.hot.store(word(context::GENERAL + register as usize), host);
            }
        }
        self.hosts.pinned = 0;
    }

    /// The host register of a guest register that the current instruction uses.
    pub(super) fn host(&self, register: u8) -> u8 {
        if register < FIRST_IN_MEMORY {
            return register;
        }
        self.copy_of(register).expect("`prepare` loaded what the instruction uses")
    }

    fn copy_of(&self, register: u8) -> Option<u8> {
        self.hosts.content.iter().position(|content| *content == Content::Copy(register)).map(|host| host as u8)
    }

    /// Whether a host register holds the guest register of the same number.
    pub(super) fn is_own(&self, host: u8) -> bool {
        self.hosts.content[host as usize] == Content::Own
    }

    /// Whether the instruction's guest registers are all in host registers of the same number.
    pub(super) fn all_own(reads: u16, writes: u16) -> bool {
        (reads | writes) >> FIRST_IN_MEMORY == 0
    }

    /// A host register for instruction `at` to use, out of `allowed`, until `finish` or [`Self::free`].
    pub(super) fn scratch(&mut self, plan: &Plan, at: usize, allowed: u16) -> u8 {
        let mut candidates = allowed & !NEVER_SCRATCH & !self.hosts.pinned;
        let mut best = None;
        while candidates != 0 {
            // From the highest on.
            let host = 15 - candidates.leading_zeros() as u8;
            candidates &= !(1 << host);
            let distance = match self.hosts.content[usize::from(host)] {
                Content::Free => usize::MAX,
                Content::Copy(register) => self.next_use(at, register).unwrap_or(usize::MAX - 1),
                Content::Group(group) => next_access(plan, at, group).unwrap_or(usize::MAX - 1),
                // Even if the block does not use it, it has to be loaded again at the end.
                Content::Own => self.next_use(at, host).unwrap_or(plan.instructions.len() - at + 4),
                Content::Context => continue,
            };
            if best.is_none_or(|(_, longest)| distance > longest) {
                best = Some((host, distance));
            }
            if distance == usize::MAX {
                break;
            }
        }
        let (host, _) = best.expect("no instruction uses that many registers");
        if self.hosts.content[host as usize] == Content::Own {
            self.evict(host);
        }
        self.hosts.content[host as usize] = Content::Free;
        self.hosts.pinned |= 1 << host;
        host
    }

    /// Finds out how soon behind each instruction each guest register is used.
    pub(super) fn find_uses(&mut self, plan: &Plan) {
        self.uses.clear();
        self.uses.resize(plan.instructions.len(), [NOT_USED; 16]);
        let mut next = [NOT_USED; 16];
        for (uses, planned) in self.uses.iter_mut().zip(&plan.instructions).rev() {
            *uses = next;
            let used = planned.reads | planned.writes;
            for (register, distance) in next.iter_mut().enumerate() {
                *distance = if used >> register & 1 != 0 { 0 } else { distance.saturating_add(1) };
            }
        }
    }

    /// In how many instructions a guest register is used again.
    fn next_use(&self, at: usize, register: u8) -> Option<usize> {
        let distance = self.uses[at][usize::from(register)];
        (distance < MAX_INSTRUCTIONS as u8).then_some(distance.into())
    }

    /// Lets a scratch register go before the instruction ends.
    pub(super) fn free(&mut self, host: u8) {
        if self.hosts.content[host as usize] == Content::Free {
            self.hosts.pinned &= !(1 << host);
        }
    }

    fn evict(&mut self, register: u8) {
        if self.hosts.clean >> register & 1 == 0 {
            self.hot.store(word(context::SPILL + register as usize), register);
        }
        self.hosts.evicted |= 1 << register;
        self.hosts.clean |= 1 << register;
        self.hosts.content[register as usize] = Content::Free;
    }

    /// Loads an evicted register again.
    fn reload(&mut self, register: u8) {
        self.hot.load(register, word(context::SPILL + register as usize));
        self.hosts.evicted &= !(1 << register);
        self.hosts.content[register as usize] = Content::Own;
    }

    /// The host register that holds what a group's accesses add.
    pub(super) fn group_register(&self, group: u16) -> Option<u8> {
        self.hosts.content.iter().position(|content| *content == Content::Group(group)).map(|host| host as u8)
    }

    /// Notes that a register holds what a group's accesses add.
    pub(super) fn set_group(&mut self, host: u8, group: u16) {
        self.hosts.content[host as usize] = Content::Group(group);
    }

    /// Lets a group's register go.
    pub(super) fn forget_group(&mut self, group: u16) {
        if let Some(host) = self.group_register(group) {
            self.hosts.content[host as usize] = Content::Free;
        }
    }

    /// Keeps a register for the current instruction.
    pub(super) fn pin(&mut self, host: u8) {
        self.hosts.pinned |= 1 << host;
    }

    /// Makes rcx free for a test. Says whether it held the guest's value, which is still in it.
    pub(super) fn claim_rcx(&mut self) -> bool {
        if self.hosts.content[RCX as usize] != Content::Own {
            return false;
        }
        self.evict(RCX);
        true
    }

    /// Gives rcx its guest value if instruction `at` needs it.
    pub(super) fn return_rcx(&mut self, plan: &Plan, at: usize) {
        if plan.instructions[at].reads >> RCX & 1 != 0 && self.hosts.evicted >> RCX & 1 != 0 {
            self.reload(RCX);
        }
    }

    /// Brings all evicted registers back but those of `except`.
    pub(super) fn reload_all(&mut self, except: u16) {
        for register in members(self.hosts.evicted & !except) {
            self.reload(register);
        }
    }

    /// Emits what brings all evicted registers back, in code that runs instead of what follows.
    pub(super) fn reload_all_cold(&mut self) {
        for register in members(self.hosts.evicted) {
            self.cold.load(register, word(context::SPILL + register as usize));
        }
    }

    /// Whether instructions so far left anything to be restored at an exit.
    pub(super) fn has_evicted(&self) -> bool {
        self.hosts.evicted != 0
    }

    /// Takes a host register that is free between blocks, at the end of a block.
    pub(super) fn take_border_scratch(&mut self, host: u8) {
        assert!(host == R14 || host == R15, "two registers are free between blocks");
        self.hosts.content[host as usize] = Content::Free;
        self.hosts.pinned |= 1 << host;
    }
}

/// In how many instructions a group is accessed again.
fn next_access(plan: &Plan, at: usize, group: u16) -> Option<usize> {
    let later = plan.instructions.get(at + 1..)?;
    later.iter().position(|planned| planned.accesses.iter().flatten().any(|access| access.group == group))
}
