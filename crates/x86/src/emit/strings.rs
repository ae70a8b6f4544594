//! String instructions. Translated code runs only with DF clear, so addresses go up.

use super::Emitter;
use super::assembler::{Assembler, Condition, RAX, RCX, RDI, RSI, based, sum, tags, word, word_at};
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

    /// `rep movs` and `rep stos`: the host's own instruction, as often as source and destination enter a page. What the
    /// TLB does not permit, and an element across a page's end, is done outside of translated code; the registers tell
    /// how far it got.
    pub(super) fn repeat_string(&mut self, plan: &Plan, at: usize) {
        let planned = &plan.instructions[at];
        let live = planned.live != 0;
        let size = element(planned.instruction.mnemonic());
        let moves = planned.reads >> RSI & 1 != 0;
        let to = self.scratch(plan, at, ANY);
        let from = moves.then(|| self.scratch(plan, at, ANY));
        let (offset, scratch) = (self.scratch(plan, at, ANY), self.scratch(plan, at, ANY));
        let elsewhere = self.cold.here();
        if live {
            restore_flags(&mut self.cold);
        }
        let number = self.exit_number();
        self.push_exit(Exit::Step(self.point(plan, at)));
        self.exit_cold(number);
        if live {
            keep_flags(&mut self.hot);
        }
        let again = self.hot.here();
        self.string_page(RDI, to, offset, (true, elsewhere));
        if let Some(from) = from {
            self.string_page(RSI, from, scratch, (false, elsewhere));
            self.hot.registers(0x39, offset, scratch);
            self.hot.copy_if(Condition::Below as u8, offset, scratch);
        }
        // As many elements as the page with the least room has room for.
        self.hot.constant(scratch, 4096);
        self.hot.registers(0x29, scratch, offset);
        self.hot.shift_right(scratch, size);
        self.hot.compare_immediate(scratch, 0);
        self.hot.jump_if(Condition::Equal as u8, elsewhere);
        self.hot.registers(0x39, scratch, RCX);
        self.hot.copy_if(Condition::Above as u8, scratch, RCX);
        self.hot.registers(0x29, RCX, scratch);
        self.hot.store(word(context::LATER), RCX);
        self.hot.copy(RCX, scratch);
        let accesses = word(context::EXTRA_ACCESSES);
        self.hot.load(scratch, accesses);
        for _ in 0..1 + u32::from(moves) {
            self.hot.lea(scratch, sum(scratch, RCX, 0));
        }
        self.hot.store(accesses, scratch);
        let registers = [Some((RDI, to)), from.map(|from| (RSI, from))];
        for (register, addend) in registers.into_iter().flatten() {
            self.hot.lea(register, sum(register, addend, 0));
        }
        self.hot.append(plan.code(planned));
        for (register, addend) in registers.into_iter().flatten() {
            self.hot.registers(0x29, register, addend);
        }
        self.hot.load(RCX, word(context::LATER));
        self.hot.compare_immediate(RCX, 0);
        self.hot.jump_if(Condition::NotEqual as u8, again);
        if live {
            restore_flags(&mut self.hot);
        }
    }

    /// Looks a page of a string up: what to add to its addresses, and the offset in it.
    fn string_page(&mut self, register: u8, addend: u8, offset: u8, (write, elsewhere): (bool, u64)) {
        self.hot.pext(addend, register, word(context::MASK));
        self.hot.load(offset, word_at(tags(write), addend));
        self.hot.registers(0x01, offset, register);
        self.hot.compare_immediate(offset, 4095);
        self.hot.jump_if(Condition::Above as u8, elsewhere);
        self.hot.load(addend, word_at(ADDENDS, addend));
    }
}

/// Emits what keeps the flags in the context.
fn keep_flags(out: &mut Assembler) {
    out.store(word(context::COLD), RAX);
    out.append(&[0x9f, 0x0f, 0x90, 0xc0]); // lahf; seto al
    out.store(word(context::KEPT_FLAGS), RAX);
    out.load(RAX, word(context::COLD));
}

/// Emits what takes the flags from the context.
fn restore_flags(out: &mut Assembler) {
    out.store(word(context::COLD), RAX);
    out.load(RAX, word(context::KEPT_FLAGS));
    out.append(&[0x04, 0x7f, 0x9e]); // add al,7fh (it overflows if al is 1); sahf
    out.load(RAX, word(context::COLD));
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
