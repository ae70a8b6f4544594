//! [`Areas`]: what may be mapped in one address space, kept sorted, merged and counted.
//!
//! ```text
//! insert   ..[aaaa]....[bb]..  +  [aaaa]  at the end of the first  =  ..[aaaaaaaa][bb]..
//! remove   ..[aaaaaaaa].....   -     [ ]  in the middle            =  ..[aaa]..[aaa]....
//! ```

use crate::mm::vma::{AreaFlags, Object, Vma};
use machine::PageSize;
use std::collections::BTreeMap;
use std::ops::Range;

/// Pages below a stack that stay unmapped, Linux `stack_guard_gap`.
pub const STACK_GUARD_PAGES: u64 = 256;

/// Sums over all areas, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// All: VmSize, RLIMIT_AS.
    pub mapped: u64,
    /// Private and writable, no stack: RLIMIT_DATA.
    pub data: u64,
    /// Growing down: VmStk.
    pub stack: u64,
    /// Executable and not writable: VmExe and VmLib.
    pub executable: u64,
    /// Locked: VmLck, RLIMIT_MEMLOCK.
    pub locked: u64,
    /// Committed_AS.
    pub committed: u64,
}

/// All areas by their first address.
///
/// # Invariants
/// - areas are sorted, disjoint, page-aligned and not empty; neighbours that may be one area are one, unless one grew
///   down to the other;
/// - `totals` and `uses` are sums over them;
/// - no gap in `scanned..top` is larger than `largest`.
#[derive(Clone, Debug)]
pub struct Areas {
    by_start: BTreeMap<u64, Vma>,
    totals: Totals,
    uses: BTreeMap<Object, u32>,
    /// Objects whose last area may have gone; see [`Areas::take_unused`].
    unused: Vec<Object>,
    page_size: PageSize,
    top: u64,
    scanned: u64,
    largest: u64,
}

impl Areas {
    /// None. Searches for gaps begin at `top`.
    pub fn new(top: u64, page_size: PageSize) -> Areas {
        Areas {
            page_size,
            by_start: BTreeMap::new(),
            totals: Totals::default(),
            uses: BTreeMap::new(),
            unused: Vec::new(),
            top,
            scanned: top,
            largest: 0,
        }
    }

    /// Sums over all areas.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_start.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_start.is_empty()
    }

    /// All, in address order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Vma> + '_ {
        self.by_start.values()
    }

    /// The area that contains `address`.
    #[inline]
    pub fn containing(&self, address: u64) -> Option<&Vma> {
        let (_, area) = self.by_start.range(..=address).next_back()?;
        (address < area.end).then_some(area)
    }

    /// The first area that ends above `address`: the one that contains it, or the next. Linux `find_vma`.
    pub fn at_or_above(&self, address: u64) -> Option<&Vma> {
        self.containing(address).or_else(|| self.by_start.range(address..).next().map(|(_, area)| area))
    }

    /// The last area that ends at or below `address`.
    pub fn below(&self, address: u64) -> Option<&Vma> {
        self.by_start.range(..address).rev().map(|(_, area)| area).find(|area| area.end <= address)
    }

    /// The areas that have pages in `range`, in order.
    pub fn overlapping(&self, range: Range<u64>) -> impl Iterator<Item = &Vma> + '_ {
        let first = self.containing(range.start).map_or(range.start, |area| area.start);
        self.by_start.range(first..range.end.max(first)).map(|(_, area)| area)
    }

    /// Whether every page of `range` lies in an area.
    pub fn covers(&self, range: Range<u64>) -> bool {
        let mut reached = range.start;
        for area in self.overlapping(range.clone()) {
            if area.start > reached {
                return false;
            }
            reached = area.end;
        }
        reached >= range.end
    }

    /// How many bytes of `range` are mapped.
    pub fn mapped_in(&self, range: Range<u64>) -> u64 {
        let Range { start, end } = range.clone();
        self.overlapping(range).map(|area| area.end.min(end) - area.start.max(start)).sum()
    }

    /// How many areas lie on `object`.
    pub fn uses_of(&self, object: Object) -> u32 {
        self.uses.get(&object).copied().unwrap_or(0)
    }

    /// The objects that areas lie on.
    pub fn objects(&self) -> impl Iterator<Item = Object> + '_ {
        self.uses.keys().copied()
    }

    /// Objects that areas lay on and none does any more: the mapper gives back its reference to each.
    pub fn take_unused(&mut self) -> Vec<Object> {
        if self.unused.is_empty() {
            return Vec::new();
        }
        let mut gone = std::mem::take(&mut self.unused);
        gone.sort_unstable();
        gone.dedup();
        gone.retain(|object| !self.uses.contains_key(object));
        gone
    }

    /// Adds an area where none is, as one with its neighbours if it continues them.
    pub fn insert(&mut self, mut area: Vma) {
        assert!(
            area.start < area.end && self.page_size.divides(area.start | area.end),
            "an area is whole pages, at least one"
        );
        if let Some(next) = self.by_start.get(&area.end)
            && area.continues_in(next)
        {
            let next = self.detach(area.end);
            area.end = next.end;
            area.flags = area.flags.with(next.flags);
        }
        if let Some((_, before)) = self.by_start.range(..area.end).next_back() {
            assert!(before.end <= area.start, "an area is inserted where none is");
            if before.continues_in(&area) {
                let before = self.detach(before.start);
                area.flags = area.flags.with(before.flags);
                area = Vma { start: before.start, backing: before.backing, ..area };
            }
        }
        self.attach(area);
    }

    /// Removes all pages of `range`, cutting areas at its ends; what was there.
    pub fn remove(&mut self, range: Range<u64>) -> Vec<Vma> {
        let starts: Vec<u64> = self.overlapping(range.clone()).map(|area| area.start).collect();
        let mut removed = Vec::with_capacity(starts.len());
        for start in starts {
            let area = self.detach(start);
            if area.start < range.start {
                self.attach(area.part(area.start, range.start));
            }
            if area.end > range.end {
                self.attach(area.part(range.end, area.end));
            }
            removed.push(area.part(area.start.max(range.start), area.end.min(range.end)));
        }
        if !removed.is_empty() && range.end > self.scanned {
            let low = self.by_start.range(..range.end).next_back().map_or(0, |(_, area)| area.end);
            let high = self.by_start.range(range.end..).next().map_or(self.top, |(start, _)| *start);
            self.largest = self.largest.max(high.saturating_sub(low));
        }
        removed
    }

    /// Changes the parts of areas in `range`, cutting and merging them as needed.
    pub fn change(&mut self, range: Range<u64>, mut change: impl FnMut(&mut Vma)) {
        let unused = self.unused.len();
        for mut area in self.remove(range) {
            change(&mut area);
            self.insert(area);
        }
        // Every area is back on its object.
        self.unused.truncate(unused);
    }

    /// Lets the area at `start` begin at `new_start` below it, where nothing is: its stack grows. It stays an area of its own
    /// whatever it meets, as on Linux (`expand_downwards`).
    pub fn grow_down(&mut self, start: u64, new_start: u64) {
        let mut area = self.detach(start);
        area.start = new_start;
        self.attach(area);
    }

    /// Recounts the sums.
    ///
    /// # Errors
    /// The sum that is wrong.
    pub(crate) fn check(&self) -> Result<(), String> {
        let mut recount = Areas::new(self.top, self.page_size);
        for area in self.by_start.values() {
            recount.attach(area.clone());
        }
        if recount.totals != self.totals || recount.uses != self.uses {
            return Err(format!("areas sum up to {:?}, but {:?} is counted", recount.totals, self.totals));
        }
        let mut high = self.top;
        for area in self.by_start.range(..self.top).rev().map(|(_, area)| area) {
            if high.saturating_sub(area.end.max(self.scanned)) > self.largest {
                return Err(format!("a gap above {:#x} is larger than {:#x}", self.scanned, self.largest));
            }
            high = self.guarded_start(area);
        }
        Ok(())
    }

    fn attach(&mut self, area: Vma) {
        self.count(&area, u64::wrapping_add);
        if let Some(object) = area.backing.object() {
            let uses = self.uses.entry(object).or_default();
            *uses += 1;
            // Cutting and merging take an area away for a moment only.
            if *uses == 1 && self.unused.last() == Some(&object) {
                self.unused.pop();
            }
        }
        let before = self.by_start.insert(area.start, area);
        assert!(before.is_none(), "areas are disjoint");
    }

    fn detach(&mut self, start: u64) -> Vma {
        let area = self.by_start.remove(&start).expect("the area exists");
        self.count(&area, u64::wrapping_sub);
        if let Some(object) = area.backing.object() {
            let uses = self.uses.get_mut(&object).expect("an area's object is counted");
            *uses -= 1;
            if *uses == 0 {
                self.uses.remove(&object);
                self.unused.push(object);
            }
        }
        area
    }

    fn count(&mut self, area: &Vma, apply: fn(u64, u64) -> u64) {
        let (totals, length) = (&mut self.totals, area.length());
        let stack = area.flags.has(AreaFlags::GROWS_DOWN);
        totals.mapped = apply(totals.mapped, length);
        if stack {
            totals.stack = apply(totals.stack, length);
        } else if area.is_data() {
            totals.data = apply(totals.data, length);
        } else if area.is_executable() && !area.is_writable() {
            totals.executable = apply(totals.executable, length);
        }
        if area.flags.has(AreaFlags::LOCKED) {
            totals.locked = apply(totals.locked, length);
        }
        if area.flags.has(AreaFlags::ACCOUNTED) {
            totals.committed = apply(totals.committed, length);
        }
    }

    /// The highest free range of `length` bytes in `low..top`, away from growing stacks; where it begins.
    pub fn gap_below_top(&mut self, low: u64, length: u64) -> Option<u64> {
        if length <= self.largest {
            (self.scanned, self.largest) = (self.top, 0);
        }
        let mut high = self.scanned;
        for area in self.by_start.range(..high).rev().map(|(_, area)| area) {
            let gap = high.saturating_sub(area.end.max(low));
            if gap >= length {
                self.scanned = high;
                return Some(high - length);
            }
            self.largest = self.largest.max(gap);
            high = high.min(self.guarded_start(area));
            self.scanned = high;
            if high < low.saturating_add(length) {
                return None;
            }
        }
        (high.saturating_sub(low) >= length).then(|| high - length)
    }

    /// The highest free range of `length` bytes in `low..high`, away from growing stacks; where it begins.
    pub fn gap_below(&self, mut high: u64, low: u64, length: u64) -> Option<u64> {
        for area in self.by_start.range(..high).rev().map(|(_, area)| area) {
            if high.saturating_sub(area.end.max(low)) >= length {
                return Some(high - length);
            }
            high = high.min(self.guarded_start(area));
        }
        (high.saturating_sub(low) >= length).then(|| high - length)
    }

    /// The lowest free range of `length` bytes in `range`, away from growing stacks; where it begins.
    pub fn gap_above(&self, range: Range<u64>, length: u64) -> Option<u64> {
        let mut low = range.start;
        for area in self.overlapping(range.clone()) {
            if self.guarded_start(area).saturating_sub(low) >= length {
                return Some(low);
            }
            low = low.max(area.end);
        }
        let next = self.by_start.range(range.end..).next().map_or(range.end, |(_, area)| self.guarded_start(area));
        (range.end.min(next).saturating_sub(low) >= length).then_some(low)
    }

    /// How far down an area reaches with its guard gap. Linux `vm_start_gap`.
    fn guarded_start(&self, area: &Vma) -> u64 {
        let gap = STACK_GUARD_PAGES << self.page_size.shift();
        if area.flags.has(AreaFlags::GROWS_DOWN) { area.start.saturating_sub(gap) } else { area.start }
    }

    /// Whether nothing is mapped in `range`, nor a stack so close above that it could not grow.
    pub fn is_free(&self, range: Range<u64>) -> bool {
        self.at_or_above(range.start).is_none_or(|next| range.end <= self.guarded_start(next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use abi::mman::{PROT_EXEC, PROT_READ, PROT_WRITE};

    const PAGES: u64 = 64;

    /// A byte a page: 0 for nothing, else protection + 1 and 16 if locked.
    struct Model([u8; PAGES as usize]);

    impl Model {
        fn areas(&self) -> Vec<(u64, u64, u8)> {
            let mut found: Vec<(u64, u64, u8)> = Vec::new();
            for (page, kind) in self.0.iter().enumerate().filter(|(_, kind)| **kind != 0) {
                let page = page as u64;
                match found.last_mut() {
                    Some((_, end, last)) if *end == page && last == kind => *end += 1,
                    _ => found.push((page, page + 1, *kind)),
                }
            }
            found
        }

        fn highest_gap(&self, length: u64) -> Option<u64> {
            (0..=PAGES - length)
                .rev()
                .find(|start| self.0[*start as usize..(*start + length) as usize].iter().all(|kind| *kind == 0))
        }
    }

    fn kind(area: &Vma) -> u8 {
        area.protection as u8 + 1 + if area.flags.has(AreaFlags::LOCKED) { 16 } else { 0 }
    }

    #[test]
    fn areas_agree_with_a_byte_for_each_page() {
        let mut areas = Areas::new(PAGES << 12, PageSize::SMALLEST);
        let mut model = Model([0; PAGES as usize]);
        let mut state = 7u64;
        for step in 0..20_000 {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let start = state >> 33 & (PAGES - 1);
            let end = (start + 1 + (state >> 40 & 7)).min(PAGES);
            let (range, pages) = (start << 12..end << 12, start as usize..end as usize);
            let protection = (state >> 45 & 7) as u32;
            match state >> 61 {
                0..3 => {
                    areas.remove(range.clone());
                    areas.insert(Vma::anonymous(range.start, range.end, protection));
                    model.0[pages].fill(protection as u8 + 1);
                }
                3 => {
                    areas.change(range, |area| area.protection = protection);
                    for kind in &mut model.0[pages] {
                        *kind = if *kind == 0 { 0 } else { *kind & 16 | (protection as u8 + 1) };
                    }
                }
                4 => {
                    areas.change(range, |area| area.flags = area.flags.with(AreaFlags::LOCKED));
                    model.0[pages].iter_mut().filter(|kind| **kind != 0).for_each(|kind| *kind |= 16);
                }
                _ => {
                    let removed: u64 = areas.remove(range).iter().map(Vma::length).sum();
                    let kinds = &mut model.0[pages];
                    assert_eq!(removed >> 12, kinds.iter().filter(|kind| **kind != 0).count() as u64);
                    kinds.fill(0);
                }
            }
            let listed: Vec<_> = areas.iter().map(|area| (area.start >> 12, area.end >> 12, kind(area))).collect();
            assert_eq!(listed, model.areas(), "after step {step}");
            let length = 1 + (state >> 50 & 7);
            assert_eq!(areas.gap_below_top(0, length << 12), model.highest_gap(length).map(|page| page << 12));
            let count = |which: fn(&u8) -> bool| model.0.iter().filter(|kind| which(kind)).count() as u64;
            let totals = areas.totals();
            assert_eq!(totals.mapped >> 12, count(|kind| *kind != 0));
            assert_eq!(totals.locked >> 12, count(|kind| *kind & 16 != 0));
            assert_eq!(totals.data >> 12, count(|kind| *kind != 0 && ((kind & 15) - 1) as u32 & PROT_WRITE != 0));
            let exec = |kind: &u8| *kind != 0 && ((kind & 15) - 1) as u32 & (PROT_WRITE | PROT_EXEC) == PROT_EXEC;
            assert_eq!(totals.executable >> 12, count(exec));
            let covered = model.0[start as usize..end as usize].iter().all(|kind| *kind != 0);
            assert_eq!(areas.covers(start << 12..end << 12), covered);
        }
    }

    #[test]
    fn a_stack_keeps_its_guard_gap_free() {
        let mut areas = Areas::new(0x1000_0000, PageSize::SMALLEST);
        let mut stack = Vma::anonymous(0xf00_0000, 0xf01_0000, PROT_READ | PROT_WRITE);
        stack.flags = AreaFlags::GROWS_DOWN;
        areas.insert(stack);
        let guard = STACK_GUARD_PAGES << 12;
        assert!(!areas.is_free(0xeff_f000..0xf00_0000));
        assert!(areas.is_free(0xe00_0000..0xf00_0000 - guard));
        assert_eq!(areas.gap_below_top(0, 0xff_0000), Some(0xf01_0000));
        assert_eq!(areas.gap_below_top(0, 0x100_0000), Some(0xf00_0000 - guard - 0x100_0000));
        assert_eq!(areas.totals().stack, 0x1_0000);
        assert_eq!(areas.totals().data, 0);
    }
}
