//! String instructions. Translated code runs only with DF clear, so addresses go up.

use super::Emitter;
use super::assembler::{Condition, RCX, RDI, RSI, based, sum, tags, word, word_at};
use super::registers::ANY;
use crate::exits::Exit;
use crate::native::context;
use crate::plan::Plan;
use iced_x86::Mnemonic;
use machine::tlb::ADDENDS;

impl Emitter {
    /// `movs` without a prefix.
    pub(super) fn move_string(&mut self, plan: &Plan, at: usize) {
        let size = element(plan.instructions[at].instruction.mnemonic());
        let source = self.check(plan, at, 0);
        let value = self.scratch(plan, at, ANY);
        self.hot.load_sized(value, source, size);
        self.release(source);
        let destination = self.check(plan, at, 1);
        self.hot.store_sized(destination, value, size);
        self.hot.lea(RSI, based(RSI, 1 << size));
        self.hot.lea(RDI, based(RDI, 1 << size));
    }

    /// `rep movs` and `rep stos`: the host's own instruction if source and destination stay in one page each;
    /// otherwise, and if flags are live, outside of translated code.
    pub(super) fn repeat_string(&mut self, plan: &Plan, at: usize) {
        let planned = &plan.instructions[at];
        let mnemonic = planned.instruction.mnemonic();
        let size = element(mnemonic);
        let moves = planned.reads >> RSI & 1 != 0;
        let elsewhere = self.cold.here();
        let number = self.exit_number();
        let to = self.scratch(plan, at, ANY);
        let scratch = self.scratch(plan, at, ANY);
        let from = if moves { Some(self.scratch(plan, at, ANY)) } else { None };
        self.push_exit(Exit::Step(self.point(plan, at)));
        self.exit_cold(number);
        if planned.live != 0 {
            self.hot.jump(elsewhere);
            return;
        }
        // More elements than a page has bytes would overflow the sums below.
        self.hot.compare_immediate(RCX, 4096);
        self.hot.jump_if(Condition::Above as u8, elsewhere);
        for (register, addend, write) in [(Some(RDI), Some(to), true), (moves.then_some(RSI), from, false)] {
            let (Some(register), Some(addend)) = (register, addend) else { continue };
            self.hot.pext(addend, register, word(context::MASK));
            self.hot.load(scratch, word_at(tags(write), addend));
            self.hot.registers(0x01, scratch, register);
            self.hot.compare_immediate(scratch, 4095);
            self.hot.jump_if(Condition::Above as u8, elsewhere);
            let end = super::assembler::Operand { base: Some(scratch), index: Some((RCX, size)), displacement: 0 };
            self.hot.lea(scratch, end);
            self.hot.compare_immediate(scratch, 4096);
            self.hot.jump_if(Condition::Above as u8, elsewhere);
            self.hot.load(addend, word_at(ADDENDS, addend));
        }
        self.hot.load(scratch, word(context::EXTRA_ACCESSES));
        self.hot.lea(scratch, sum(scratch, RCX, 0));
        if moves {
            self.hot.lea(scratch, sum(scratch, RCX, 0));
        }
        self.hot.store(word(context::EXTRA_ACCESSES), scratch);
        self.hot.lea(RDI, sum(RDI, to, 0));
        if let Some(from) = from {
            self.hot.lea(RSI, sum(RSI, from, 0));
        }
        self.hot.append(plan.code(planned));
        self.hot.registers(0x29, RDI, to);
        if let Some(from) = from {
            self.hot.registers(0x29, RSI, from);
        }
    }
}

/// The logarithm of the bytes of an element.
fn element(mnemonic: Mnemonic) -> u8 {
    use Mnemonic::{Movsb, Movsd, Movsw, Stosb, Stosd, Stosw};
    match mnemonic {
        Movsb | Stosb => 0,
        Movsw | Stosw => 1,
        Movsd | Stosd => 2,
        _ => 3,
    }
}
