//! The check of one data access: the inlined look-up in the TLB (`machine::tlb` describes the table).

use super::assembler::{Operand, RCX, based, sum, tags, word, word_at};
use super::registers::{ANY, LOW};
use super::{Emitter, Exit, Miss};
use crate::native::context;
use crate::plan::{Access, Plan, Segment};
use machine::tlb::ADDENDS;

impl Emitter {
    /// Emits the check of access `which` of instruction `at`; returns the host's operand. If the TLB does not permit
    /// the access, or it goes over the end of a page, execution leaves to Rust with the instruction not begun.
    pub(super) fn check(&mut self, plan: &Plan, at: usize, which: usize) -> Operand {
        let planned = &plan.instructions[at];
        let access = planned.accesses[which].expect("the instruction has the access");
        let allowed = if planned.high_byte { LOW } else { ANY };
        let live = planned.live != 0;
        let reload_rcx = live && self.claim_rcx();
        let scratch = self.scratch(plan, at, allowed);
        let addend = self.scratch(plan, at, allowed);
        let retry = self.hot.here();
        let miss = self.exit_number();
        let missed = self.cold.here();
        self.exit_cold(miss);
        let operand_for;
        let pass;
        if live {
            let address = self.address(&access, scratch);
            let address = if address == RCX {
                self.hot.copy(scratch, RCX);
                scratch
            } else {
                address
            };
            self.hot.pext(addend, address, word(context::MASK));
            self.hot.load(RCX, word_at(tags(access.write), addend));
            self.hot.lea(RCX, sum(RCX, address, i32::from(access.size) - 1));
            self.hot.pext(RCX, RCX, word(context::PAGE_MASK));
            self.hot.jump_unless_rcx_zero(missed);
            self.hot.load(addend, word_at(ADDENDS, addend));
            pass = self.hot.here();
            self.push_exit(Exit::Miss(Miss { point: self.point(plan, at), access, retry, pass, addend, reload_rcx }));
            if planned.high_byte && address > 7 {
                self.hot.lea(addend, sum(addend, address, 0));
                operand_for = based(addend, 0);
            } else {
                operand_for = sum(address, addend, 0);
            }
            self.return_rcx(plan, at);
        } else {
            let address = self.address(&access, scratch);
            self.hot.pext(addend, address, word(context::MASK));
            if address == scratch {
                self.hot.add(scratch, word_at(tags(access.write), addend));
            } else {
                self.hot.load(scratch, word_at(tags(access.write), addend));
                self.hot.registers(0x01, scratch, address);
            }
            self.hot.compare_immediate(scratch, 4096 - i32::from(access.size));
            self.hot.jump_if(super::Condition::Above as u8, missed);
            self.hot.load(addend, word_at(ADDENDS, addend));
            pass = self.hot.here();
            self.push_exit(Exit::Miss(Miss { point: self.point(plan, at), access, retry, pass, addend, reload_rcx }));
            operand_for = self.operand(&access, scratch, addend, planned.high_byte);
        }
        operand_for
    }

    /// Emits the computation of the guest's address; returns the register that holds it: `scratch`, or the base.
    fn address(&mut self, access: &Access, scratch: u8) -> u8 {
        let base = access.base.map(|register| self.host(register));
        let index = access.index.map(|(register, scale)| (self.host(register), scale));
        let displacement = access.displacement as i32;
        if let Some(segment) = access.segment {
            self.hot.load(scratch, segment_base(segment));
            if index.is_some() || displacement != 0 {
                self.hot.lea(scratch, Operand { gs: false, base: Some(scratch), index, displacement });
            }
            if let Some(base) = base {
                self.hot.lea(scratch, sum(base, scratch, 0));
            }
            return scratch;
        }
        match (base, index) {
            (None, None) => self.hot.constant(scratch, access.displacement as u64),
            (Some(base), None) if displacement == 0 => return base,
            _ => self.hot.lea(scratch, Operand { gs: false, base, index, displacement }),
        }
        scratch
    }

    /// The operand after a check that did not keep the address. Flags are dead here.
    fn operand(&mut self, access: &Access, scratch: u8, addend: u8, high_byte: bool) -> Operand {
        let base = access.base.map(|register| self.host(register));
        let index = access.index.map(|(register, scale)| (self.host(register), scale));
        if access.constant().is_some_and(|address| i32::try_from(address).is_err()) {
            self.hot.constant(scratch, access.displacement as u64);
            return sum(addend, scratch, 0);
        }
        self.free(scratch);
        let displacement = access.displacement as i32;
        if let Some(segment) = access.segment {
            self.hot.add(addend, segment_base(segment));
        }
        match (base, index) {
            (None, None) => based(addend, displacement),
            (Some(base), None) if !high_byte || base < 8 => sum(base, addend, displacement),
            (None, Some(_)) if !high_byte => Operand { gs: false, base: Some(addend), index, displacement },
            (Some(base), Some(_)) if !high_byte => {
                self.hot.lea(addend, sum(base, addend, 0));
                Operand { gs: false, base: Some(addend), index, displacement }
            }
            _ => {
                if let Some(base) = base {
                    self.hot.lea(addend, sum(base, addend, 0));
                }
                if index.is_some() {
                    self.hot.lea(addend, Operand { gs: false, base: Some(addend), index, displacement: 0 });
                }
                based(addend, displacement)
            }
        }
    }
}

fn segment_base(segment: Segment) -> Operand {
    word(match segment {
        Segment::Fs => context::FS_BASE,
        Segment::Gs => context::GS_BASE,
    })
}
