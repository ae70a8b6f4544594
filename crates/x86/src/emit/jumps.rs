//! What leaves a block: direct jumps, which are linked to their targets, and indirect ones, which look for their target
//! in the address space's jump cache.

use super::assembler::{R14, R15, RCX, RSP, based, sum, word, word_at};
use super::registers::ANY;
use super::{Emitter, End, Kind};
use crate::exits::{Exit, Link, Point};
use crate::native::context;
use crate::plan::{Plan, general, return_parameters};
use machine::tlb::{JUMP_TAGS, JUMP_TARGETS};

impl Emitter {
    pub(super) fn call_direct(&mut self, plan: &Plan, at: usize) {
        let instruction = plan.instructions[at].instruction;
        self.push_return_address(plan, at, 0);
        if plan.instructions[at].expected.is_none() {
            self.reload_all(0);
            self.link_hot(plan, instruction.near_branch_target());
        }
    }

    pub(super) fn call_register(&mut self, plan: &Plan, at: usize) {
        let instruction = plan.instructions[at].instruction;
        let register = general(instruction.op0_register()).expect("a call goes to a general register");
        if register == RSP {
            // The target is the old value.
            let target = self.scratch(plan, at, ANY);
            self.hot.copy(target, RSP);
            self.push_return_address(plan, at, 0);
            return self.indirect(plan, at, target, -8);
        }
        self.push_return_address(plan, at, 0);
        self.indirect(plan, at, self.host(register), -8);
    }

    pub(super) fn call_memory(&mut self, plan: &Plan, at: usize) {
        let operand = self.check(plan, at, 0);
        let target = self.scratch(plan, at, ANY);
        self.hot.load(target, operand);
        self.release(operand);
        self.push_return_address(plan, at, 1);
        self.indirect(plan, at, target, -8);
    }

    fn push_return_address(&mut self, plan: &Plan, at: usize, which: usize) {
        let operand = self.check(plan, at, which);
        self.store_constant(plan, at, operand, plan.instructions[at].instruction.next_ip());
        self.release(operand);
        self.hot.lea(RSP, based(RSP, -8));
    }

    pub(super) fn return_near(&mut self, plan: &Plan, at: usize) {
        let operand = self.check(plan, at, 0);
        let target = self.scratch(plan, at, ANY);
        self.hot.load(target, operand);
        let moved = 8 + i32::from(return_parameters(&plan.instructions[at].instruction));
        if let Some(expected) = plan.instructions[at].expected {
            return self.return_to(plan, at, target, expected, moved);
        }
        self.hot.lea(RSP, based(RSP, moved));
        self.indirect(plan, at, target, moved);
    }

    /// Goes on in the block if the return address in a register is the expected one, else leaves.
    fn return_to(&mut self, plan: &Plan, at: usize, target: u8, expected: u64, moved: i32) {
        self.claim_rcx();
        let elsewhere = self.cold.here();
        self.cold.store(word(context::RIP), target);
        self.cold.lea(RSP, based(RSP, moved));
        self.reload_all_cold();
        let refund = self.refund(at + 1);
        self.refund_cold(refund);
        let number = self.exit_number();
        let rip = plan.instructions[at].instruction.ip();
        let point = Point { rip, refund: self.refund(at) - refund, evicted: 0 };
        self.push_exit(Exit::Indirect { point, moved });
        self.exit_cold(number);
        // Flags are live: if the block is left here, nobody knows who reads them.
        let distance = expected.wrapping_neg();
        match i32::try_from(distance as i64) {
            Ok(distance) => self.hot.lea(RCX, based(target, distance)),
            Err(_) => {
                self.hot.constant(RCX, distance);
                self.hot.lea(RCX, sum(RCX, target, 0));
            }
        }
        self.hot.jump_unless_rcx_zero(elsewhere);
        self.hot.lea(RSP, based(RSP, moved));
    }

    pub(super) fn jump_register(&mut self, plan: &Plan, at: usize) {
        let register = general(plan.instructions[at].instruction.op0_register()).expect("a general register");
        self.indirect(plan, at, self.host(register), 0);
    }

    pub(super) fn jump_memory(&mut self, plan: &Plan, at: usize) {
        let operand = self.check(plan, at, 0);
        let target = self.scratch(plan, at, ANY);
        self.hot.load(target, operand);
        self.indirect(plan, at, target, 0);
    }

    pub(super) fn jump_direct(&mut self, plan: &Plan, at: usize) {
        if plan.instructions[at].expected.is_some() {
            return;
        }
        self.reload_all(0);
        self.link_hot(plan, plan.instructions[at].instruction.near_branch_target());
    }

    pub(super) fn conditional(&mut self, plan: &Plan, at: usize) {
        let instruction = plan.instructions[at].instruction;
        let expected = plan.instructions[at].expected.is_some();
        // Taken is what is not expected.
        let condition = (instruction.condition_code() as u8 - 1) ^ u8::from(expected);
        let target = if expected { instruction.next_ip() } else { instruction.near_branch_target() };
        let last = at + 1 == plan.instructions.len();
        if last && plan.end == End::Left {
            self.reload_all(0);
        }
        let refund = self.refund(at + 1);
        if refund == 0 && !self.has_evicted() {
            let stub = self.cold.here();
            let site = self.hot.jump_if(condition, stub);
            self.link_stub(target, site, false);
        } else {
            let detour = self.cold.here();
            self.hot.jump_if(condition, detour);
            self.reload_all_cold();
            self.refund_cold(refund);
            self.link_cold(target, false);
        }
        if last && plan.end == End::Left {
            self.link_hot(plan, instruction.next_ip());
        }
    }

    /// Ends the block with a jump to another block.
    pub(super) fn link_hot(&mut self, plan: &Plan, target: u64) {
        if target == plan.start && plan.links && plan.groups_allowed && plan.instructions[0].kind != Kind::Step {
            self.hot.jump(self.entry);
            return;
        }
        let stub = self.cold.here();
        let site = self.hot.jump(stub);
        self.link_stub(target, site, false);
    }

    /// A direct jump in the cold code.
    pub(super) fn link_cold(&mut self, target: u64, apart: bool) {
        // Over the five bytes of the jump itself.
        let stub = self.cold.here() + 5;
        let site = self.cold.jump(stub);
        self.link_stub(target, site, apart);
    }

    /// Emits what a direct jump does while it is not linked.
    fn link_stub(&mut self, target: u64, site: u64, apart: bool) {
        let number = self.exit_number();
        let link = Exit::Link(Link { site, target, page: self.page, apart });
        self.push_exit(if self.links { link } else { Exit::Stop(target) });
        self.exit_cold(number);
    }

    /// Ends the block with a jump to the guest address in a register. Flags are live: nobody knows who reads them there.
    /// rsp has moved by `moved`.
    fn indirect(&mut self, plan: &Plan, at: usize, target: u8, moved: i32) {
        let own = self.is_own(target) && target != RCX;
        let address = if own {
            target
        } else {
            if target != R14 {
                self.take_border_scratch(R14);
                self.hot.copy(R14, target);
            }
            R14
        };
        self.take_border_scratch(R15);
        self.reload_all(1 << RCX);
        self.claim_rcx();
        let spilled = word(context::SPILL + RCX as usize);
        let missed = self.cold.here();
        self.cold.load(RCX, spilled);
        self.cold.store(word(context::RIP), address);
        let number = self.exit_number();
        let point = Point { evicted: 0, ..self.point(plan, at) };
        self.push_exit(Exit::Indirect { point, moved });
        self.exit_cold(number);
        self.hot.pext(R15, address, word(context::JUMP_MASK));
        self.hot.load(RCX, word_at(JUMP_TAGS, R15));
        self.hot.lea(RCX, sum(RCX, address, 0));
        self.hot.jump_unless_rcx_zero(missed);
        self.hot.load(RCX, spilled);
        self.hot.jump_memory(word_at(JUMP_TARGETS, R15));
    }
}
