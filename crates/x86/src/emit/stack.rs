//! Push, pop and leave. The stack is guest memory, so they are a checked access and an addition to rsp, in the order
//! that leaves rsp alone if the access faults.

use super::assembler::{Operand, RBP, RSP, based};
use super::registers::ANY;
use super::{Emitter, Kind};
use crate::plan::{Plan, general};

impl Emitter {
    pub(super) fn push(&mut self, plan: &Plan, at: usize) {
        let operand = self.check(plan, at, 0);
        let planned = &plan.instructions[at];
        if planned.kind == Kind::PushRegister {
            let register = general(planned.instruction.op0_register()).expect("general registers are pushed");
            self.hot.store(operand, self.host(register));
        } else {
            self.hot.store_immediate(operand, planned.instruction.immediate(0) as i32);
        }
        self.hot.lea(RSP, based(RSP, -8));
    }

    pub(super) fn push_memory(&mut self, plan: &Plan, at: usize) {
        let operand = self.check(plan, at, 0);
        let value = self.scratch(plan, at, ANY);
        self.hot.load(value, operand);
        self.release(operand);
        let operand = self.check(plan, at, 1);
        self.hot.store(operand, value);
        self.hot.lea(RSP, based(RSP, -8));
    }

    pub(super) fn pop(&mut self, plan: &Plan, at: usize) {
        let operand = self.check(plan, at, 0);
        let register = general(plan.instructions[at].instruction.op0_register()).expect("general registers are popped");
        self.hot.load(self.host(register), operand);
        if register != RSP {
            self.hot.lea(RSP, based(RSP, 8));
        }
    }

    pub(super) fn leave(&mut self, plan: &Plan, at: usize) {
        let operand = self.check(plan, at, 0);
        // Nothing is changed before the access, and rbp is needed for rsp.
        let value = self.scratch(plan, at, ANY);
        self.hot.load(value, operand);
        self.hot.lea(RSP, based(RBP, 8));
        self.hot.copy(RBP, value);
    }

    /// Stores a return address.
    pub(super) fn store_constant(&mut self, plan: &Plan, at: usize, operand: Operand, value: u64) {
        if let Ok(value) = i32::try_from(value as i64) {
            self.hot.store_immediate(operand, value);
        } else {
            let scratch = self.scratch(plan, at, ANY);
            self.hot.constant(scratch, value);
            self.note_access(plan, at);
            self.hot.store(operand, scratch);
            self.free(scratch);
        }
    }

    /// Lets the scratch registers of an operand go.
    pub(super) fn release(&mut self, operand: Operand) {
        for register in [operand.base, operand.index.map(|(index, _)| index)].into_iter().flatten() {
            self.free(register);
        }
    }
}
