//! The check of data accesses, inlined at each *site*: is this the page that the site accessed last? If not, the cold
//! side looks into the TLB (`machine::tlb` describes the table) and makes the site remember what it finds there.
//!
//! One check serves all accesses of a group that it covers, while the register that it fills is not needed for
//! something else.

use super::Emitter;
use super::assembler::{Assembler, Condition, Operand, R14, R15, RCX, based, group_of, sum, tags, word, word_at};
use super::registers::{ANY, LOW};
use crate::exits::{Exit, Miss};
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
    /// How many accesses.
    count: usize,
    /// Where the base was when it was added to the group's register.
    base_offset: i64,
}

impl Cover {
    fn of(access: &Access) -> Cover {
        let high = access.offset + i64::from(access.size);
        Cover { low: access.offset, high, write: access.write, count: 1, base_offset: access.base_offset }
    }

    fn contains(&self, access: &Access) -> bool {
        access.offset >= self.low
            && access.offset + i64::from(access.size) <= self.high
            && (self.write || !access.write)
    }

    fn size(&self) -> u16 {
        (self.high - self.low) as u16
    }

    /// The address of the first byte covered, for one of the accesses, whose address is constant.
    fn start(&self, access: &Access) -> i64 {
        access.displacement.wrapping_add(self.low - access.offset)
    }
}

/// What the emission of one check has in common.
#[derive(Clone, Copy, Debug)]
struct Check {
    access: Access,
    /// The first byte covered, relative to the access.
    low: i32,
    size: u16,
    write: bool,
    /// Covers more than the access itself.
    wider: bool,
    /// Flags must be left alone; rcx is free.
    live: bool,
    /// rcx is free, and its spill word holds the guest's.
    spilled_rcx: bool,
    /// First for the address, then for what to add to it.
    scratch: u8,
    /// The words of the site.
    tag: Operand,
    remembered: Operand,
    /// The byte of the site's group.
    used: Operand,
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
                self.note_access(plan, at);
                return self.operand(&access, register, self.covers[group]);
            }
            self.forget_group(access.group);
        }
        let cover = if grouped { cover(plan, at, which) } else { Cover::of(&access) };
        let allowed = if planned.high_byte { LOW } else { ANY };
        let live = planned.live != 0;
        let spilled_rcx = live && self.claim_rcx();
        let site = self.next_site(cover.write);
        let check = Check {
            access,
            low: (cover.low - access.offset) as i32,
            size: cover.size(),
            write: cover.write,
            wider: cover.size() != access.size || cover.write != access.write,
            live,
            spilled_rcx,
            scratch: self.scratch(plan, at, allowed),
            tag: word(context::SITE_TAGS + site),
            remembered: word(context::SITE_ADDENDS + site),
            used: group_of(site),
        };
        let elsewhere = if check.wider && access.constant().is_none() { Some(self.apart(plan, at)) } else { None };
        let cold = self.cold.here();
        self.hot_test(&check, cold);
        self.hot.load(check.scratch, check.remembered);
        let pass = self.hot.here();
        self.cold_test(plan, at, &check, pass, elsewhere);
        self.complete_register(plan, at, &check, cover);
        if cover.count > 1 {
            self.covers[group] = cover;
            self.set_group(check.scratch, access.group);
        }
        self.return_rcx(plan, at);
        let operand = self.operand(&access, check.scratch, cover);
        if !planned.high_byte {
            self.note_access(plan, at);
            return operand;
        }
        // Without a REX prefix there are only eight registers.
        self.hot.lea(check.scratch, operand);
        self.note_access(plan, at);
        based(check.scratch, 0)
    }

    fn next_site(&mut self, write: bool) -> usize {
        let count = &mut self.sites[usize::from(write)];
        *count = (*count + 1) % (context::SITES / 2);
        *count * 2 + usize::from(write)
    }

    /// Emits the test whether the site remembers the page.
    fn hot_test(&mut self, check: &Check, cold: u64) {
        let Check { scratch, size, .. } = *check;
        if check.live {
            let parts = check.in_registers(self);
            let address = address(&mut self.hot, &parts, check.low);
            self.hot.load(RCX, check.tag);
            self.hot.lea(RCX, sum(RCX, address, 0));
            match size {
                1 => self.hot.pext(RCX, RCX, word(context::PAGE_MASK)),
                // Aligned accesses do not cross; the others take the cold side.
                2 | 4 | 8 => {
                    let mask = context::ALIGNED_MASKS + size.trailing_zeros() as usize;
                    self.hot.pext(RCX, RCX, word(mask));
                }
                _ => {
                    // The first and the last byte. (The last alone would match if the first is in the page before.)
                    self.hot.pext(scratch, RCX, word(context::PAGE_MASK));
                    self.hot.lea(RCX, based(RCX, i32::from(size) - 1));
                    self.hot.pext(RCX, RCX, word(context::PAGE_MASK));
                    self.hot.lea(RCX, sum(RCX, scratch, 0));
                }
            }
            self.hot.jump_unless_rcx_zero(cold);
            return;
        }
        let parts = check.in_registers(self);
        let address = address(&mut self.hot, &parts, check.low);
        if address == scratch {
            self.hot.add(scratch, check.tag);
        } else {
            self.hot.load(scratch, check.tag);
            self.hot.registers(0x01, scratch, address);
        }
        self.hot.compare_immediate(scratch, 4096 - i32::from(size));
        self.hot.jump_if(Condition::Above as u8, cold);
    }

    /// Emits the look-up in the TLB, and the exit if it fails.
    fn cold_test(&mut self, plan: &Plan, at: usize, check: &Check, pass: u64, apart: Option<u64>) {
        let Check { scratch, size, access, low, write, .. } = *check;
        let retry = self.cold.here();
        if check.spilled_rcx {
            self.cold.load(RCX, word(context::SPILL + RCX as usize));
        }
        let registers = check.in_registers(self);
        let address_register = address(&mut self.cold, &registers, check.low);
        if address_register != scratch {
            self.cold.copy(scratch, address_register);
        }
        // One more register is needed, for the slot; it gets its value back before this ends.
        let slot = registers.another();
        self.cold.store(word(context::COLD), slot);
        self.cold.pext(slot, scratch, word(context::MASK));
        let number = self.exit_number();
        let point = self.point(plan, at);
        self.push_exit(Exit::Miss(Miss { point, access, low, size, write, retry, pass, addend: scratch }));
        if check.live {
            self.cold.load(RCX, word_at(tags(write), slot));
            self.cold.lea(RCX, sum(RCX, scratch, i32::from(size) - 1));
            self.cold.pext(RCX, RCX, word(context::PAGE_MASK));
            // Over what follows if it is not zero.
            let skip = self.cold_forward_if_zero();
            self.cold.load(slot, word(context::COLD));
            if let Some(apart) = apart {
                self.cold.pext(RCX, scratch, word(context::OFFSET_MASK));
                self.cold.lea(RCX, based(RCX, i32::from(size) - 1));
                self.cold.pext(RCX, RCX, word(context::PAGE_MASK));
                self.cold.jump_unless_rcx_zero(apart);
            }
            self.exit_cold(number);
            self.cold_land(skip);
        } else {
            self.cold.add(scratch, word_at(tags(write), slot));
            self.cold.compare_immediate(scratch, 4096 - i32::from(size));
            let skip = self.cold_forward_if_not_above();
            self.cold.load(slot, word(context::COLD));
            if let Some(apart) = apart {
                let address_register = address(&mut self.cold, &registers, check.low);
                if address_register != scratch {
                    self.cold.copy(scratch, address_register);
                }
                self.cold.and_immediate(scratch, 0xfff);
                self.cold.compare_immediate(scratch, 4096 - i32::from(size));
                self.cold.jump_if(Condition::Above as u8, apart);
            }
            self.exit_cold(number);
            self.cold_land(skip);
        }
        self.cold.load(scratch, word_at(tags(write), slot));
        self.cold.store(check.tag, scratch);
        self.cold.load(scratch, word_at(ADDENDS, slot));
        self.cold.store(check.remembered, scratch);
        self.cold.store_immediate_byte(check.used, 1);
        self.cold.load(slot, word(context::COLD));
        self.cold.jump(pass);
    }

    fn cold_forward_if_zero(&mut self) -> usize {
        self.cold.append(&[0xe3, 0]);
        self.cold.bytes.len()
    }

    fn cold_forward_if_not_above(&mut self) -> usize {
        self.cold.append(&[0x76, 0]);
        self.cold.bytes.len()
    }

    /// Lets a short forward jump land here.
    fn cold_land(&mut self, from: usize) {
        let distance = self.cold.bytes.len() - from;
        assert!(distance < 128, "a short jump is short");
        self.cold.bytes[from - 1] = distance as u8;
    }

    /// Emits where execution goes on if accesses that share a check lie in two pages: in a block that checks each by
    /// itself.
    fn apart(&mut self, plan: &Plan, at: usize) -> u64 {
        let start = self.cold.here();
        self.reload_all_cold();
        self.refund_cold(self.refund(at));
        self.link_cold(plan.instructions[at].instruction.ip(), true);
        start
    }

    /// Adds to the register that the check filled what fits no operand: the segment's base, a base register beside an
    /// index, a constant address of more than 32 bits.
    fn complete_register(&mut self, plan: &Plan, at: usize, check: &Check, cover: Cover) {
        let Check { access, scratch, live, .. } = *check;
        // If flags are live, rcx is free.
        if let Some(segment) = access.segment {
            if live {
                self.hot.load(RCX, segment_base(segment));
                self.hot.lea(scratch, sum(scratch, RCX, 0));
            } else {
                self.hot.add(scratch, segment_base(segment));
            }
        }
        if let Some(base) = access.base.filter(|_| access.index.is_some()) {
            if live && base == RCX {
                // rcx holds the result of the test.
                self.hot.load(RCX, word(context::SPILL + RCX as usize));
            }
            self.hot.lea(scratch, sum(self.host(base), scratch, 0));
        }
        let start = cover.start(&access) as u64;
        if access.constant().is_some() && i32::try_from(start as i64).is_err() {
            if live {
                self.hot.constant(RCX, start);
                self.hot.lea(scratch, sum(scratch, RCX, 0));
            } else {
                // The miss may have put what to add into the register, so the site does not tell.
                let other = self.scratch(plan, at, ANY);
                self.hot.constant(other, start);
                self.hot.registers(0x01, scratch, other);
                self.free(other);
            }
        }
    }

    /// The operand of an access by the register that its check filled.
    fn operand(&self, access: &Access, register: u8, cover: Cover) -> Operand {
        let displacement = access.displacement as i32;
        if access.constant().is_some() {
            let from_low = (access.offset - cover.low) as i32;
            let near = i32::try_from(cover.start(access)).is_ok();
            return based(register, if near { displacement } else { from_low });
        }
        match (access.base, access.index) {
            (base, Some((index, scale))) => {
                let moved = if base.is_some() { (access.base_offset - cover.base_offset) as i32 } else { 0 };
                let index = Some((self.host(index), scale));
                Operand { base: Some(register), index, displacement: displacement.wrapping_add(moved) }
            }
            (Some(base), None) => sum(self.host(base), register, displacement),
            (None, None) => based(register, displacement),
        }
    }
}

/// The parts of an address, in host registers.
#[derive(Clone, Copy, Debug)]
struct Parts {
    access: Access,
    base: Option<u8>,
    index: Option<(u8, u8)>,
    scratch: u8,
    /// The result may not be in rcx.
    rcx_is_needed: bool,
}

impl Parts {
    /// A register that is none of these, nor one with a purpose of its own.
    fn another(&self) -> u8 {
        let used = [Some(self.scratch), self.base, self.index.map(|(index, _)| index)];
        let is_free = |register: &u8| !used.contains(&Some(*register));
        [R15, R14, 12, 11].into_iter().find(is_free).expect("three registers are not four")
    }
}

impl Check {
    fn in_registers(&self, emitter: &Emitter) -> Parts {
        Parts {
            access: self.access,
            base: self.access.base.map(|register| emitter.host(register)),
            index: self.access.index.map(|(register, scale)| (emitter.host(register), scale)),
            scratch: self.scratch,
            rcx_is_needed: self.live,
        }
    }
}

/// Emits the computation of a guest address plus `low`; returns the register that holds it: the scratch register, or
/// the base.
fn address(out: &mut Assembler, parts: &Parts, low: i32) -> u8 {
    let Parts { access, base, index, scratch, rcx_is_needed } = *parts;
    let displacement = (access.displacement as i32).wrapping_add(low);
    if let Some(segment) = access.segment {
        out.load(scratch, segment_base(segment));
        if index.is_some() || displacement != 0 {
            out.lea(scratch, Operand { base: Some(scratch), index, displacement });
        }
        if let Some(base) = base {
            out.lea(scratch, sum(base, scratch, 0));
        }
        return scratch;
    }
    match (base, index) {
        (None, None) => out.constant(scratch, (access.displacement as u64).wrapping_add_signed(i64::from(low))),
        (Some(base), None) if displacement == 0 && !(rcx_is_needed && base == RCX) => return base,
        (Some(base), None) if displacement == 0 => out.copy(scratch, base),
        _ => out.lea(scratch, Operand { base, index, displacement }),
    }
    scratch
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
            cover = Cover { low, high, write: cover.write || access.write, count: cover.count + 1, ..cover };
        }
        uncertain |= matches!(planned.kind, Kind::Conditional | Kind::Return);
    }
    cover
}
