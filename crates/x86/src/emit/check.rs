//! The check of data accesses: the inlined look-up in the TLB (`machine::tlb` describes the table). One check serves
//! all accesses of a group that it covers, while the register that it fills is not needed for something else.

use super::assembler::{Assembler, Condition, Operand, RCX, based, sum, tags, word, word_at};
use super::registers::{ANY, LOW};
use super::{BUDGET, Emitter, Exit, Miss};
use crate::native::context;
use crate::plan::{Access, Kind, Plan, Segment};
use machine::tlb::ADDENDS;

/// Bytes that one check covers at most. The wider, the more often a group lies across a page's end.
const WIDEST_GROUP: i64 = 1024;

/// What a check covers: bytes from `low` on, relative to the group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cover {
    low: i64,
    high: i64,
    write: bool,
    /// Where the base was when it was added to the group's register.
    base_offset: i64,
}

impl Cover {
    fn of(access: &Access) -> Cover {
        let high = access.offset + i64::from(access.size);
        Cover { low: access.offset, high, write: access.write, base_offset: access.base_offset }
    }

    fn contains(&self, access: &Access) -> bool {
        access.offset >= self.low
            && access.offset + i64::from(access.size) <= self.high
            && (self.write || !access.write)
    }

    fn size(&self) -> u16 {
        (self.high - self.low) as u16
    }
}

impl Emitter {
    /// Emits the check of access `which` of instruction `at`; returns the host's operand. If the TLB does not permit
    /// the access, or it goes over the end of a page, execution leaves with the instruction not begun.
    pub(super) fn check(&mut self, plan: &Plan, at: usize, which: usize) -> Operand {
        let planned = &plan.instructions[at];
        let access = planned.accesses[which].expect("the instruction has the access");
        let group = usize::from(access.group);
        let grouped = plan.groups != 0 && !planned.high_byte;
        if grouped {
            if let Some(register) = self.group_register(access.group).filter(|_| self.covers[group].contains(&access)) {
                self.pin(register);
                return self.grouped_operand(&access, register, self.covers[group]);
            }
            self.forget_group(access.group);
        }
        let cover = if grouped { cover(plan, at, which) } else { Cover::of(&access) };
        let shared = cover != Cover::of(&access);
        let allowed = if planned.high_byte { LOW } else { ANY };
        let live = planned.live != 0;
        let reload_rcx = live && self.claim_rcx();
        let scratch = self.scratch(plan, at, allowed);
        let addend = self.scratch(plan, at, allowed);
        // The first byte covered, relative to the access.
        let low = (cover.low - access.offset) as i32;
        let size = cover.size();
        let missed = self.missed(plan, at, &access, (low, size, shared), scratch);
        let number = self.exit_number() - 1;
        let retry = self.hot.here();
        let address = self.address(&access, low, scratch, live, Part::Hot);
        if live {
            self.hot.pext(addend, address, word(context::MASK));
            self.hot.load(RCX, word_at(tags(cover.write), addend));
            self.hot.lea(RCX, sum(RCX, address, i32::from(size) - 1));
            self.hot.pext(RCX, RCX, word(context::PAGE_MASK));
            self.hot.jump_unless_rcx_zero(missed);
        } else {
            self.hot.pext(addend, address, word(context::MASK));
            if address == scratch {
                self.hot.add(scratch, word_at(tags(cover.write), addend));
            } else {
                self.hot.load(scratch, word_at(tags(cover.write), addend));
                self.hot.registers(0x01, scratch, address);
            }
            self.hot.compare_immediate(scratch, 4096 - i32::from(size));
            self.hot.jump_if(Condition::Above as u8, missed);
        }
        self.hot.load(addend, word_at(ADDENDS, addend));
        let pass = self.hot.here();
        let miss = Miss {
            point: self.point(plan, at),
            access,
            low,
            size,
            write: cover.write,
            retry,
            pass,
            addend,
            reload_rcx,
        };
        let index = (number - self.first_exit) as usize;
        self.exits[index] = Exit::Miss(miss);
        if shared {
            self.complete_group_register(&access, cover, scratch, addend, live);
            self.covers[group] = cover;
            self.set_group(addend, access.group);
            self.free(scratch);
            self.return_rcx(plan, at);
            return self.grouped_operand(&access, addend, cover);
        }
        let operand = if live {
            if planned.high_byte && address > 7 {
                self.hot.lea(addend, sum(addend, address, 0));
                based(addend, 0)
            } else {
                sum(address, addend, 0)
            }
        } else {
            self.operand(&access, scratch, addend, planned.high_byte)
        };
        self.return_rcx(plan, at);
        operand
    }

    /// Emits the cold side of a check; returns where it begins. The exit is to be filled in.
    fn missed(
        &mut self,
        plan: &Plan,
        at: usize,
        access: &Access,
        (low, size, shared): (i32, u16, bool),
        scratch: u8,
    ) -> u64 {
        let live = plan.instructions[at].live != 0;
        // Accesses that share a check may each lie in one page and together in two. Then they are checked one by one.
        if !shared || access.constant().is_some() {
            let missed = self.cold.here();
            let number = self.exit_number();
            self.push_exit(Exit::Go(0));
            self.exit_cold(number);
            return missed;
        }
        let apart = self.cold.here();
        self.reload_all_cold();
        let refund = self.refund(plan, at);
        if refund != 0 {
            self.cold.lea(BUDGET, based(BUDGET, refund));
        }
        self.link_cold(plan, plan.instructions[at].instruction.ip(), true);
        let missed = self.cold.here();
        let address = self.address(access, low, scratch, live, Part::Cold);
        if live {
            self.cold.pext(RCX, address, word(context::OFFSET_MASK));
            self.cold.lea(RCX, based(RCX, i32::from(size) - 1));
            self.cold.pext(RCX, RCX, word(context::PAGE_MASK));
            self.cold.jump_unless_rcx_zero(apart);
        } else {
            if address != scratch {
                self.cold.copy(scratch, address);
            }
            self.cold.and_immediate(scratch, 0xfff);
            self.cold.compare_immediate(scratch, 4096 - i32::from(size));
            self.cold.jump_if(Condition::Above as u8, apart);
        }
        let number = self.exit_number();
        self.push_exit(Exit::Go(0));
        self.exit_cold(number);
        missed
    }

    /// Emits the computation of the guest's address plus `low`; returns the register that holds it: `scratch`, or the
    /// base. In cold code of a check with live flags the address is there already, and rcx is not.
    fn address(&mut self, access: &Access, low: i32, scratch: u8, live: bool, part: Part) -> u8 {
        let base = access.base.map(|register| self.host(register));
        let index = access.index.map(|(register, scale)| (self.host(register), scale));
        let displacement = (access.displacement as i32).wrapping_add(low);
        let in_base = access.segment.is_none() && index.is_none() && displacement == 0;
        if let Some(base) = base.filter(|base| in_base && !(live && *base == RCX)) {
            return base;
        }
        let out: &mut Assembler = match part {
            Part::Cold if live => return scratch,
            Part::Cold => &mut self.cold,
            Part::Hot => &mut self.hot,
        };
        if let Some(segment) = access.segment {
            out.load(scratch, segment_base(segment));
            if index.is_some() || displacement != 0 {
                out.lea(scratch, Operand { gs: false, base: Some(scratch), index, displacement });
            }
            if let Some(base) = base {
                out.lea(scratch, sum(base, scratch, 0));
            }
            return scratch;
        }
        match (base, index) {
            (None, None) => out.constant(scratch, (access.displacement as u64).wrapping_add_signed(i64::from(low))),
            (Some(base), None) if displacement == 0 => out.copy(scratch, base),
            _ => out.lea(scratch, Operand { gs: false, base, index, displacement }),
        }
        scratch
    }

    /// The operand after a check of one access that did not keep the address. Flags are dead here.
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

    /// Adds to a group's register what all its accesses have in common and what fits no operand: the segment's base,
    /// a base register beside an index, a constant address of more than 32 bits.
    fn complete_group_register(&mut self, access: &Access, cover: Cover, scratch: u8, addend: u8, live: bool) {
        if let Some(segment) = access.segment {
            if live {
                self.hot.load(scratch, segment_base(segment));
                self.hot.lea(addend, sum(addend, scratch, 0));
            } else {
                self.hot.add(addend, segment_base(segment));
            }
        }
        if let Some(base) = access.base.filter(|_| access.index.is_some()) {
            if live && base == RCX {
                // rcx holds the result of the test.
                self.hot.load(RCX, word(context::SPILL + RCX as usize));
            }
            self.hot.lea(addend, sum(self.host(base), addend, 0));
        }
        if access.constant().is_some() && i32::try_from(cover.low).is_err() {
            self.hot.constant(scratch, cover.low as u64);
            self.hot.lea(addend, sum(addend, scratch, 0));
        }
    }

    /// The operand of an access by its group's register.
    fn grouped_operand(&self, access: &Access, register: u8, cover: Cover) -> Operand {
        let displacement = access.displacement as i32;
        if access.constant().is_some() {
            let from_low = (access.offset - cover.low) as i32;
            let near = i32::try_from(cover.low).is_ok();
            return based(register, if near { displacement } else { from_low });
        }
        match (access.base, access.index) {
            (base, Some((index, scale))) => {
                let moved = if base.is_some() { (access.base_offset - cover.base_offset) as i32 } else { 0 };
                let index = Some((self.host(index), scale));
                let displacement = displacement.wrapping_add(moved);
                Operand { gs: false, base: Some(register), index, displacement }
            }
            (Some(base), None) => sum(self.host(base), register, displacement),
            (None, None) => based(register, displacement),
        }
    }
}

/// The code that a sequence is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Hot,
    Cold,
}

fn segment_base(segment: Segment) -> Operand {
    word(match segment {
        Segment::Fs => context::FS_BASE,
        Segment::Gs => context::GS_BASE,
    })
}

/// What the check of an access should cover: as much as the accesses of the group that follow need.
fn cover(plan: &Plan, at: usize, which: usize) -> Cover {
    let first = plan.instructions[at].accesses[which].expect("the instruction has the access");
    let mut cover = Cover::of(&first);
    // Whether what follows may not happen.
    let mut uncertain = false;
    for (index, planned) in plan.instructions.iter().enumerate().skip(at) {
        let skip = if index == at { which + 1 } else { 0 };
        for access in planned.accesses.iter().skip(skip).flatten().filter(|access| access.group == first.group) {
            if planned.high_byte {
                continue;
            }
            let low = cover.low.min(access.offset);
            let high = cover.high.max(access.offset + i64::from(access.size));
            // A store that may not happen must not be asked permission for.
            if high - low > WIDEST_GROUP || uncertain && access.write && !cover.write {
                return cover;
            }
            cover = Cover { low, high, write: cover.write || access.write, ..cover };
        }
        uncertain |= planned.kind == Kind::Conditional;
    }
    cover
}
