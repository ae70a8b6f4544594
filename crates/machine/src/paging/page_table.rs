//! A page table that lives in frames, so that its memory cost is real.

use super::{Entry, PagingScheme};
use crate::{FRAME_SIZE, FrameNumber, OutOfFrames, PhysicalMemory};
use std::ops::Range;

/// What is mapped in one address space.
///
/// # Invariants
/// - an entry above the last level is [`Entry::NONE`] or names a table frame with count 1;
/// - `tables[level]` is the number of table frames at that level.
#[derive(Debug)]
pub struct PageTable {
    scheme: PagingScheme,
    shifts: Vec<(u32, usize)>,
    root: FrameNumber,
    tables: Vec<u32>,
}

/// An entry met by [`PageTable::entries`], and the page it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// Address of the page.
    pub page: u64,
    /// Its entry, not [`Entry::NONE`]; perhaps not present.
    pub entry: Entry,
}

impl PageTable {
    /// An empty table: one frame, the root.
    ///
    /// # Errors
    /// [`OutOfFrames`] if there is no frame for it.
    pub fn new(scheme: PagingScheme, memory: &mut PhysicalMemory) -> Result<PageTable, OutOfFrames> {
        let shifts = (0..scheme.levels())
            .map(|level| (scheme.span(level).trailing_zeros(), scheme.index(level, u64::MAX)))
            .collect();
        let mut tables = vec![0; scheme.levels()];
        tables[0] = 1;
        Ok(PageTable { root: memory.allocate_zeroed()?, shifts, scheme, tables })
    }

    /// How addresses split.
    pub fn scheme(&self) -> &PagingScheme {
        &self.scheme
    }

    /// The frame of the root table.
    pub fn root(&self) -> FrameNumber {
        self.root
    }

    /// Table frames in use by level, the root's first.
    pub fn table_frames(&self) -> &[u32] {
        &self.tables
    }

    /// The last-level entry for `address`: a walk from the root. [`Entry::NONE`] outside user space.
    #[inline]
    pub fn entry(&self, memory: &PhysicalMemory, address: u64) -> Entry {
        match self.leaf(memory, address) {
            Some((table, index)) => Entry(memory.word(table, index)),
            None => Entry::NONE,
        }
    }

    /// Replaces the last-level entry for `address` if its table exists; the old entry.
    /// The caller keeps frame counts and TLBs right.
    #[inline]
    pub fn replace(&mut self, memory: &mut PhysicalMemory, address: u64, entry: Entry) -> Entry {
        match self.leaf(memory, address) {
            Some((table, index)) => {
                let old = Entry(memory.word(table, index));
                memory.set_word(table, index, entry.0);
                old
            }
            None => {
                assert_eq!(entry, Entry::NONE, "replace makes no tables");
                Entry::NONE
            }
        }
    }

    /// Sets the last-level entry for `address`, making tables as needed; the old entry.
    /// The caller keeps frame counts and TLBs right.
    ///
    /// # Errors
    /// [`OutOfFrames`] if a table is needed and there is no frame for it; tables made before stay.
    pub fn set(&mut self, memory: &mut PhysicalMemory, address: u64, entry: Entry) -> Result<Entry, OutOfFrames> {
        assert!(address < self.scheme.user_end(), "only user addresses are mapped");
        let mut table = self.root;
        let last = self.shifts.len() - 1;
        for level in 0..last {
            let (shift, mask) = self.shifts[level];
            let index = (address >> shift) as usize & mask;
            let mut next = Entry(memory.word(table, index));
            if !next.is_present() {
                next = Entry::new(memory.allocate_zeroed()?, Entry::WRITABLE | Entry::USER);
                memory.set_word(table, index, next.0);
                self.tables[level + 1] += 1;
            }
            table = next.frame();
        }
        let (shift, mask) = self.shifts[last];
        let index = (address >> shift) as usize & mask;
        let old = Entry(memory.word(table, index));
        memory.set_word(table, index, entry.0);
        Ok(old)
    }

    fn leaf(&self, memory: &PhysicalMemory, address: u64) -> Option<(FrameNumber, usize)> {
        if address >= self.scheme.user_end() {
            return None;
        }
        let mut table = self.root;
        let last = self.shifts.len() - 1;
        for (shift, mask) in &self.shifts[..last] {
            let next = Entry(memory.word(table, (address >> shift) as usize & mask));
            if !next.is_present() {
                return None;
            }
            table = next.frame();
        }
        let (shift, mask) = self.shifts[last];
        Some((table, (address >> shift) as usize & mask))
    }

    /// The entries of pages in `range` that are not [`Entry::NONE`], in address order. Skips absent tables whole.
    pub fn entries(&self, memory: &PhysicalMemory, range: Range<u64>) -> Vec<Mapped> {
        let mut found = Vec::new();
        let range = range.start..range.end.min(self.scheme.user_end());
        if !range.is_empty() {
            self.collect(memory, self.root, 0, 0, &range, &mut found);
        }
        found
    }

    fn collect(
        &self,
        memory: &PhysicalMemory,
        table: FrameNumber,
        level: usize,
        base: u64,
        range: &Range<u64>,
        found: &mut Vec<Mapped>,
    ) {
        let (shift, mask) = self.shifts[level];
        let first = (range.start.saturating_sub(base) >> shift) as usize;
        let last = ((range.end - 1 - base) >> shift) as usize;
        for index in first..=last.min(mask) {
            let entry = Entry(memory.word(table, index));
            let page = base + ((index as u64) << shift);
            if entry == Entry::NONE || page >= range.end {
                continue;
            }
            if level + 1 == self.shifts.len() {
                found.push(Mapped { page, entry });
            } else {
                self.collect(memory, entry.frame(), level + 1, page, range, found);
            }
        }
    }

    /// Visits the entries of pages in `range` that are not [`Entry::NONE`], in address order, and replaces each with what
    /// `change` answers. Skips absent tables whole. The caller keeps frame counts and TLBs right.
    pub fn update(
        &mut self,
        memory: &mut PhysicalMemory,
        range: Range<u64>,
        mut change: impl FnMut(&mut PhysicalMemory, u64, Entry) -> Entry,
    ) {
        let range = range.start..range.end.min(self.scheme.user_end());
        if !range.is_empty() {
            self.update_table(memory, self.root, 0, 0, &range, &mut change);
        }
    }

    fn update_table(
        &self,
        memory: &mut PhysicalMemory,
        table: FrameNumber,
        level: usize,
        base: u64,
        range: &Range<u64>,
        change: &mut impl FnMut(&mut PhysicalMemory, u64, Entry) -> Entry,
    ) {
        let (shift, mask) = self.shifts[level];
        let first = (range.start.saturating_sub(base) >> shift) as usize;
        let last = ((range.end - 1 - base) >> shift) as usize;
        for index in first..=last.min(mask) {
            let entry = Entry(memory.word(table, index));
            if entry == Entry::NONE {
                continue;
            }
            let page = base + ((index as u64) << shift);
            if level + 1 < self.shifts.len() {
                self.update_table(memory, entry.frame(), level + 1, page, range, change);
            } else {
                let new = change(memory, page, entry);
                if new != entry {
                    memory.set_word(table, index, new.0);
                }
            }
        }
    }

    /// Copies entries of pages in `range` to `other`, a table of the same scheme, one pass over both. For each entry that
    /// is not [`Entry::NONE`], `share` answers what it becomes here and what is set there.
    /// The caller keeps frame counts and TLBs right.
    ///
    /// # Errors
    /// [`OutOfFrames`] if `other` needs a table and there is no frame for it; what was copied before stays copied.
    pub fn copy_to(
        &mut self,
        other: &mut PageTable,
        memory: &mut PhysicalMemory,
        range: Range<u64>,
        mut share: impl FnMut(&mut PhysicalMemory, u64, Entry) -> (Entry, Entry),
    ) -> Result<(), OutOfFrames> {
        assert_eq!(self.scheme, other.scheme, "tables of one scheme");
        let range = range.start..range.end.min(self.scheme.user_end());
        if range.is_empty() {
            return Ok(());
        }
        let tables = (self.root, other.root);
        self.copy_table(tables, &mut other.tables, memory, 0, 0, &range, &mut share)
    }

    #[allow(clippy::too_many_arguments, reason = "a recursive walk over two tables at once")]
    fn copy_table(
        &self,
        (from, to): (FrameNumber, FrameNumber),
        counts: &mut [u32],
        memory: &mut PhysicalMemory,
        level: usize,
        base: u64,
        range: &Range<u64>,
        share: &mut impl FnMut(&mut PhysicalMemory, u64, Entry) -> (Entry, Entry),
    ) -> Result<(), OutOfFrames> {
        let (shift, mask) = self.shifts[level];
        let first = (range.start.saturating_sub(base) >> shift) as usize;
        let last = ((range.end - 1 - base) >> shift) as usize;
        for index in first..=last.min(mask) {
            let entry = Entry(memory.word(from, index));
            if entry == Entry::NONE {
                continue;
            }
            let page = base + ((index as u64) << shift);
            if level + 1 == self.shifts.len() {
                let (here, there) = share(memory, page, entry);
                if here != entry {
                    memory.set_word(from, index, here.0);
                }
                memory.set_word(to, index, there.0);
                continue;
            }
            let mut next = Entry(memory.word(to, index));
            if !next.is_present() {
                next = Entry::new(memory.allocate_zeroed()?, Entry::WRITABLE | Entry::USER);
                memory.set_word(to, index, next.0);
                counts[level + 1] += 1;
            }
            self.copy_table((entry.frame(), next.frame()), counts, memory, level + 1, page, range, share)?;
        }
        Ok(())
    }

    /// All frames that hold tables, the root first, for those who recount references.
    pub fn frames(&self, memory: &PhysicalMemory) -> Vec<FrameNumber> {
        let mut found = vec![self.root];
        let mut level = vec![self.root];
        for ((_, mask), below) in self.shifts.iter().zip(&self.tables[1..]) {
            let entries = level.iter().flat_map(|table| (0..=*mask).map(|index| Entry(memory.word(*table, index))));
            let tables = entries.filter(|entry| entry.is_present()).map(Entry::frame);
            level = tables.take(*below as usize).collect();
            found.extend_from_slice(&level);
        }
        found
    }

    /// Gives back the table frames below the root that hold no entry any more and lie wholly or partly in `range`.
    pub fn prune(&mut self, memory: &mut PhysicalMemory, range: Range<u64>) {
        let range = range.start..range.end.min(self.scheme.user_end());
        if !range.is_empty() {
            self.prune_table(memory, self.root, 0, 0, &range);
        }
    }

    fn prune_table(
        &mut self,
        memory: &mut PhysicalMemory,
        table: FrameNumber,
        level: usize,
        base: u64,
        range: &Range<u64>,
    ) {
        if level + 1 == self.shifts.len() {
            return;
        }
        let (shift, mask) = self.shifts[level];
        let first = (range.start.saturating_sub(base) >> shift) as usize;
        let last = ((range.end - 1 - base) >> shift) as usize;
        for index in first..=last.min(mask) {
            let entry = Entry(memory.word(table, index));
            if entry == Entry::NONE {
                continue;
            }
            self.prune_table(memory, entry.frame(), level + 1, base + ((index as u64) << shift), range);
            if is_zero(memory.bytes(entry.frame())) {
                memory.set_word(table, index, 0);
                memory.release(entry.frame());
                self.tables[level + 1] -= 1;
            }
        }
    }

    /// Gives back all table frames. The last-level entries must be gone already; nobody looks at them any more.
    pub fn destroy(self, memory: &mut PhysicalMemory) {
        let frames = self.frames(memory);
        assert_eq!(frames.len() as u32, self.tables.iter().sum::<u32>(), "every table hangs in the tree once");
        for frame in frames {
            memory.release(frame);
        }
    }
}

/// Whether a table holds nothing. In pieces of a cache line, which the compiler compares at once.
fn is_zero(bytes: &[u8; FRAME_SIZE]) -> bool {
    bytes.chunks_exact(64).all(|line| line.iter().fold(0, |any, byte| any | byte) == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn tables_agree_with_an_ordered_map_and_leave_nothing_behind() {
        let mut memory = PhysicalMemory::new(64 << 20).unwrap();
        let all = memory.available();
        let mut table = PageTable::new(PagingScheme::x86_64(), &mut memory).unwrap();
        let mut model = BTreeMap::new();
        let mut state = 1u64;
        for step in 0..5000u64 {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let page = (state >> 20 & 0x7_0003_0007) << 12;
            if state >> 60 < 11 {
                let entry = Entry::new(FrameNumber(step as u32), Entry::USER);
                assert_eq!(table.set(&mut memory, page, entry).unwrap(), model.insert(page, entry).unwrap_or_default());
            } else {
                assert_eq!(table.replace(&mut memory, page, Entry::NONE), model.remove(&page).unwrap_or_default());
            }
            assert_eq!(table.entry(&memory, page), model.get(&page).copied().unwrap_or_default());
        }
        let listed: Vec<_> = table.entries(&memory, 0..u64::MAX).iter().map(|m| (m.page, m.entry)).collect();
        assert_eq!(listed, model.clone().into_iter().collect::<Vec<_>>());
        let middle = 0x3_0000_0000 << 12;
        let listed = table.entries(&memory, middle..u64::MAX).len();
        assert_eq!(listed, model.range(middle..).count());
        for page in model.keys() {
            table.replace(&mut memory, *page, Entry::NONE);
        }
        table.destroy(&mut memory);
        assert_eq!(memory.available(), all);
    }

    #[test]
    fn a_copy_of_a_range_holds_what_the_range_held() {
        let mut memory = PhysicalMemory::new(4 << 20).unwrap();
        let all = memory.available();
        let mut table = PageTable::new(PagingScheme::x86_64(), &mut memory).unwrap();
        let mut copy = PageTable::new(PagingScheme::x86_64(), &mut memory).unwrap();
        let pages = [0x1000u64, 0x1ff000, 0x200000, 0x4000_0000, 0x7fff_0000_0000];
        for (number, page) in pages.iter().enumerate() {
            let entry = Entry::new(FrameNumber(number as u32), Entry::USER | Entry::WRITABLE);
            table.set(&mut memory, *page, entry).unwrap();
        }
        table
            .copy_to(&mut copy, &mut memory, 0x1ff000..0x4000_1000, |_, _, entry| {
                (entry.without(Entry::WRITABLE), entry.with(Entry::DIRTY))
            })
            .unwrap();
        let copied: Vec<_> = copy.entries(&memory, 0..u64::MAX).iter().map(|mapped| mapped.page).collect();
        assert_eq!(copied, pages[1..4]);
        assert!(table.entry(&memory, pages[0]).is_writable() && table.entry(&memory, pages[4]).is_writable());
        assert!(!table.entry(&memory, pages[2]).is_writable() && copy.entry(&memory, pages[2]).is_dirty());
        let recount = (table.frames(&memory).len() + copy.frames(&memory).len()) as u32;
        assert_eq!(recount, all - memory.available());
        for mut table in [table, copy] {
            table.update(&mut memory, 0..u64::MAX, |_, _, _| Entry::NONE);
            table.destroy(&mut memory);
        }
        assert_eq!(memory.available(), all);
    }
}
