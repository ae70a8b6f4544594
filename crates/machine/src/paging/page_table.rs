//! A page table that lives in frames, so that its memory cost is real.

use super::{Entry, PagingScheme};
use crate::{FrameNumber, OutOfFrames, PhysicalMemory};
use std::ops::Range;

/// What is mapped in one address space.
///
/// # Invariants
/// - an entry above the last level is [`Entry::NONE`] or names the first frame of a table, whose frames have count 1;
/// - `tables[level]` is the number of tables at that level.
#[derive(Debug)]
pub struct PageTable {
    scheme: PagingScheme,
    /// By level: how far right an address is shifted for the index, and the index's bits.
    shifts: Vec<(u32, usize)>,
    /// By level: frames in a table.
    sizes: Vec<u32>,
    /// Entries are stored in 4 bytes, not 8.
    is_narrow: bool,
    user_end: u64,
    root: FrameNumber,
    tables: Vec<u32>,
}

/// One step of a walk ([`PageTable::walk`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visited {
    /// First frame of the table.
    pub table: FrameNumber,
    /// Index in the table.
    pub index: usize,
    /// The entry there.
    pub entry: Entry,
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
    /// An empty table: the root.
    ///
    /// # Errors
    /// [`OutOfFrames`] if there are no frames for it.
    pub fn new(scheme: PagingScheme, memory: &mut PhysicalMemory) -> Result<PageTable, OutOfFrames> {
        assert_eq!(scheme.offset_bits(), memory.frame_shift(), "a page fills a frame");
        let levels = 0..scheme.levels();
        let sizes: Vec<u32> = levels.clone().map(|level| scheme.table_frames(level)).collect();
        let mut tables = vec![0; scheme.levels()];
        tables[0] = 1;
        Ok(PageTable {
            root: memory.allocate_run_zeroed(sizes[0])?,
            shifts: levels.map(|level| (scheme.shift(level), scheme.index(level, u64::MAX))).collect(),
            sizes,
            is_narrow: scheme.entry_bytes() == 4,
            user_end: scheme.user_end(),
            scheme,
            tables,
        })
    }

    /// An empty table of the same scheme for [`Self::copy_to`], which then fails only if it needs a frame for a table and
    /// none is free: tables of several frames, for which that is not enough, are there already.
    ///
    /// # Errors
    /// [`OutOfFrames`] if there are no frames that follow one another.
    pub fn empty_twin(&self, memory: &mut PhysicalMemory) -> Result<PageTable, OutOfFrames> {
        let mut twin = PageTable::new(self.scheme.clone(), memory)?;
        if self.sizes[1..].iter().any(|frames| *frames > 1)
            && let Err(full) = self.copy_shape((self.root, twin.root), &mut twin.tables, memory, 0)
        {
            twin.destroy(memory);
            return Err(full);
        }
        Ok(twin)
    }

    fn copy_shape(
        &self,
        (from, to): (FrameNumber, FrameNumber),
        counts: &mut [u32],
        memory: &mut PhysicalMemory,
        level: usize,
    ) -> Result<(), OutOfFrames> {
        if level + 1 == self.shifts.len() {
            return Ok(());
        }
        for index in 0..=self.shifts[level].1 {
            let entry = self.get(memory, from, index);
            if entry.is_present() {
                let below = memory.allocate_run_zeroed(self.sizes[level + 1])?;
                self.put(memory, to, index, Entry::new(below, Entry::WRITABLE | Entry::USER));
                counts[level + 1] += 1;
                self.copy_shape((entry.frame(), below), counts, memory, level + 1)?;
            }
        }
        Ok(())
    }

    /// How addresses split.
    pub fn scheme(&self) -> &PagingScheme {
        &self.scheme
    }

    /// The first frame of the root table.
    pub fn root(&self) -> FrameNumber {
        self.root
    }

    /// Tables in use by level, the root's first.
    pub fn tables(&self) -> &[u32] {
        &self.tables
    }

    /// Frames that tables take, all levels together.
    #[inline]
    pub fn table_frames(&self) -> u64 {
        self.tables.iter().zip(&self.sizes).map(|(count, frames)| u64::from(*count) * u64::from(*frames)).sum()
    }

    /// Reads an entry from a table.
    #[inline]
    fn get(&self, memory: &PhysicalMemory, table: FrameNumber, index: usize) -> Entry {
        if self.is_narrow { Entry::widened(memory.half_word(table, index)) } else { Entry(memory.word(table, index)) }
    }

    /// Writes an entry to a table.
    #[inline]
    fn put(&self, memory: &mut PhysicalMemory, table: FrameNumber, index: usize, entry: Entry) {
        if self.is_narrow {
            memory.set_half_word(table, index, entry.narrowed());
        } else {
            memory.set_word(table, index, entry.0);
        }
    }

    /// The walk for `address`: the entry met in each table, the root's first, up to one that is not present. Empty
    /// outside user space.
    pub fn walk(&self, memory: &PhysicalMemory, address: u64) -> Vec<Visited> {
        let mut visited: Vec<Visited> = Vec::new();
        let shifts = if address < self.user_end { self.shifts.as_slice() } else { &[] };
        let mut table = self.root;
        for (shift, mask) in shifts {
            let index = (address >> shift) as usize & mask;
            let entry = self.get(memory, table, index);
            visited.push(Visited { table, index, entry });
            if !entry.is_present() {
                break;
            }
            table = entry.frame();
        }
        visited
    }

    /// The last-level entry for `address`: a walk from the root. [`Entry::NONE`] outside user space.
    #[inline]
    pub fn entry(&self, memory: &PhysicalMemory, address: u64) -> Entry {
        match self.leaf(memory, address) {
            Some((table, index)) => self.get(memory, table, index),
            None => Entry::NONE,
        }
    }

    /// Replaces the last-level entry for `address` if its table exists; the old entry.
    /// The caller keeps frame counts and TLBs right.
    #[inline]
    pub fn replace(&mut self, memory: &mut PhysicalMemory, address: u64, entry: Entry) -> Entry {
        match self.leaf(memory, address) {
            Some((table, index)) => {
                let old = self.get(memory, table, index);
                self.put(memory, table, index, entry);
                old
            }
            None => {
                assert_eq!(entry, Entry::NONE, "replace makes no tables");
                Entry::NONE
            }
        }
    }

    /// Replaces the last-level entry for `address`, whose table exists, with what `change` makes of it; the new entry.
    /// Writes only what differs. The caller keeps frame counts and TLBs right.
    #[inline]
    pub fn change(&mut self, memory: &mut PhysicalMemory, address: u64, change: impl FnOnce(Entry) -> Entry) -> Entry {
        let Some((table, index)) = self.leaf(memory, address) else {
            assert_eq!(change(Entry::NONE), Entry::NONE, "changes make no tables");
            return Entry::NONE;
        };
        let old = self.get(memory, table, index);
        let new = change(old);
        if new != old {
            self.put(memory, table, index, new);
        }
        new
    }

    /// Sets the last-level entry for `address`, making tables as needed; the old entry.
    /// The caller keeps frame counts and TLBs right.
    ///
    /// # Errors
    /// [`OutOfFrames`] if a table is needed and there is no frame for it; tables made before stay.
    pub fn set(&mut self, memory: &mut PhysicalMemory, address: u64, entry: Entry) -> Result<Entry, OutOfFrames> {
        assert!(address < self.user_end, "only user addresses are mapped");
        let mut table = self.root;
        let last = self.shifts.len() - 1;
        for level in 0..last {
            let (shift, mask) = self.shifts[level];
            let index = (address >> shift) as usize & mask;
            let mut next = self.get(memory, table, index);
            if !next.is_present() {
                let below = memory.allocate_run_zeroed(self.sizes[level + 1])?;
                next = Entry::new(below, Entry::WRITABLE | Entry::USER);
                self.put(memory, table, index, next);
                self.tables[level + 1] += 1;
            }
            table = next.frame();
        }
        let (shift, mask) = self.shifts[last];
        let index = (address >> shift) as usize & mask;
        let old = self.get(memory, table, index);
        self.put(memory, table, index, entry);
        Ok(old)
    }

    #[inline]
    fn leaf(&self, memory: &PhysicalMemory, address: u64) -> Option<(FrameNumber, usize)> {
        if address >= self.user_end {
            return None;
        }
        let mut table = self.root;
        let last = self.shifts.len() - 1;
        for (shift, mask) in &self.shifts[..last] {
            let next = self.get(memory, table, (address >> shift) as usize & mask);
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
        self.any(memory, range, |mapped| {
            found.push(mapped);
            false
        });
        found
    }

    /// Whether an entry of the pages in `range` that is not [`Entry::NONE`] is what `is_wanted` asks for. Looks no further than
    /// the first that is.
    pub fn any(&self, memory: &PhysicalMemory, range: Range<u64>, mut is_wanted: impl FnMut(Mapped) -> bool) -> bool {
        let range = range.start..range.end.min(self.user_end);
        !range.is_empty() && self.any_in_table(memory, self.root, 0, 0, &range, &mut is_wanted)
    }

    fn any_in_table(
        &self,
        memory: &PhysicalMemory,
        table: FrameNumber,
        level: usize,
        base: u64,
        range: &Range<u64>,
        is_wanted: &mut impl FnMut(Mapped) -> bool,
    ) -> bool {
        let (shift, mask) = self.shifts[level];
        let first = (range.start.saturating_sub(base) >> shift) as usize;
        let last = ((range.end - 1 - base) >> shift) as usize;
        for index in first..=last.min(mask) {
            let entry = self.get(memory, table, index);
            let page = base + ((index as u64) << shift);
            if entry == Entry::NONE || page >= range.end {
                continue;
            }
            let is_found = if level + 1 == self.shifts.len() {
                is_wanted(Mapped { page, entry })
            } else {
                self.any_in_table(memory, entry.frame(), level + 1, page, range, is_wanted)
            };
            if is_found {
                return true;
            }
        }
        false
    }

    /// Visits the entries of pages in `range` that are not [`Entry::NONE`], in address order, and replaces each with what
    /// `change` answers. Skips absent tables whole. The caller keeps frame counts and TLBs right.
    pub fn update(
        &mut self,
        memory: &mut PhysicalMemory,
        range: Range<u64>,
        mut change: impl FnMut(&mut PhysicalMemory, u64, Entry) -> Entry,
    ) {
        let range = range.start..range.end.min(self.user_end);
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
            let entry = self.get(memory, table, index);
            if entry == Entry::NONE {
                continue;
            }
            let page = base + ((index as u64) << shift);
            if level + 1 < self.shifts.len() {
                self.update_table(memory, entry.frame(), level + 1, page, range, change);
            } else {
                let new = change(memory, page, entry);
                if new != entry {
                    self.put(memory, table, index, new);
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
        let range = range.start..range.end.min(self.user_end);
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
            let entry = self.get(memory, from, index);
            if entry == Entry::NONE {
                continue;
            }
            let page = base + ((index as u64) << shift);
            if level + 1 == self.shifts.len() {
                let (here, there) = share(memory, page, entry);
                if here != entry {
                    self.put(memory, from, index, here);
                }
                self.put(memory, to, index, there);
                continue;
            }
            let mut next = self.get(memory, to, index);
            if !next.is_present() {
                let below = memory.allocate_run_zeroed(self.sizes[level + 1])?;
                next = Entry::new(below, Entry::WRITABLE | Entry::USER);
                self.put(memory, to, index, next);
                counts[level + 1] += 1;
            }
            self.copy_table((entry.frame(), next.frame()), counts, memory, level + 1, page, range, share)?;
        }
        Ok(())
    }

    /// All frames that hold tables, the root's first, for those who recount references.
    pub fn frames(&self, memory: &PhysicalMemory) -> Vec<FrameNumber> {
        let of_table = |(table, size): (FrameNumber, u32)| (table.0..table.0 + size).map(FrameNumber);
        self.all_tables(memory).into_iter().flat_map(of_table).collect()
    }

    /// The first frame of every table and how many it has, level by level.
    fn all_tables(&self, memory: &PhysicalMemory) -> Vec<(FrameNumber, u32)> {
        let mut level = vec![self.root];
        let mut found = vec![(self.root, self.sizes[0])];
        for (depth, (_, mask)) in self.shifts.iter().enumerate().take(self.shifts.len() - 1) {
            let entries = level.iter().flat_map(|table| (0..=*mask).map(|index| self.get(memory, *table, index)));
            let tables = entries.filter(|entry| entry.is_present()).map(Entry::frame);
            level = tables.take(self.tables[depth + 1] as usize).collect();
            found.extend(level.iter().map(|table| (*table, self.sizes[depth + 1])));
        }
        found
    }

    /// Gives back the table frames below the root that hold no entry any more and lie wholly or partly in `range`.
    pub fn prune(&mut self, memory: &mut PhysicalMemory, range: Range<u64>) {
        let range = range.start..range.end.min(self.user_end);
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
            let entry = self.get(memory, table, index);
            if entry == Entry::NONE {
                continue;
            }
            self.prune_table(memory, entry.frame(), level + 1, base + ((index as u64) << shift), range);
            let (below, size) = (entry.frame(), self.sizes[level + 1]);
            if (below.0..below.0 + size).all(|frame| is_zero(memory.bytes(FrameNumber(frame)))) {
                self.put(memory, table, index, Entry::NONE);
                memory.release_run(below, size);
                self.tables[level + 1] -= 1;
            }
        }
    }

    /// Gives back all table frames. The last-level entries must be gone already; nobody looks at them any more.
    pub fn destroy(self, memory: &mut PhysicalMemory) {
        let tables = self.all_tables(memory);
        assert_eq!(tables.len() as u32, self.tables.iter().sum::<u32>(), "every table hangs in the tree once");
        for (table, size) in tables {
            memory.release_run(table, size);
        }
    }
}

/// Whether a table holds nothing. In pieces of a cache line, which the compiler compares at once.
fn is_zero(bytes: &[u8]) -> bool {
    bytes.chunks_exact(64).all(|line| line.iter().fold(0, |any, byte| any | byte) == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Schemes with one to eight levels, both sizes of entries, pages of all sizes, tables smaller and larger than a frame.
    const SCHEMES: [&str; 13] = [
        "x86-64",
        "x86-64-la57",
        "sv39",
        "x86-32",
        "flat-32",
        "10-10-12",
        "10-11-12",
        "3-13-4-13",
        "8-8-16",
        "4-16-14",
        "1-1-1-9-9-9-12-15",
        "2-2-2-2-2-2-2-12",
        "14-14-16",
    ];

    struct Random(u64);

    impl Random {
        fn below(&mut self, bound: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (self.0 >> 33) % bound
        }

        /// A page that is often near one met before, in another place of the tree or at its border.
        fn page(&mut self, scheme: &PagingScheme) -> u64 {
            let level = self.below(scheme.levels() as u64) as usize;
            let page = self.below(4) * scheme.span(level) + self.below(4) * scheme.page_size();
            let page = if self.below(8) == 0 { scheme.user_end().wrapping_sub(page) } else { page };
            page.min(scheme.user_end() - 1) & !(scheme.page_size() - 1)
        }
    }

    #[test]
    fn tables_of_all_schemes_agree_with_an_ordered_map_and_leave_nothing_behind() {
        for name in SCHEMES {
            let scheme = PagingScheme::parse(name).unwrap();
            scheme.check_runs().unwrap();
            let page_size = crate::PageSize::of_bits(scheme.offset_bits()).unwrap();
            let mut memory = PhysicalMemory::with_frames_of(page_size, 256 << 20).unwrap();
            let all = memory.available();
            let mut tables = [(); 2].map(|()| PageTable::new(scheme.clone(), &mut memory).unwrap());
            let mut models: [BTreeMap<u64, Entry>; 2] = Default::default();
            let mut random = Random(1);
            for step in 0..20_000 {
                let (which, page) = (random.below(2) as usize, random.page(&scheme));
                let (table, model) = (&mut tables[which], &mut models[which]);
                let end = random.page(&scheme).max(page);
                match random.below(100) {
                    0..=49 => {
                        let bits = [Entry::USER, Entry::WRITABLE | Entry::DIRTY, Entry::NO_EXECUTE];
                        let entry =
                            Entry::new(FrameNumber(step), bits[random.below(3) as usize] | random.below(8) << 9);
                        let old = table.set(&mut memory, page, entry).unwrap();
                        assert_eq!(old, model.insert(page, entry).unwrap_or_default(), "{name}");
                    }
                    50..=84 => {
                        let old = table.replace(&mut memory, page, Entry::NONE);
                        assert_eq!(old, model.remove(&page).unwrap_or_default(), "{name}");
                    }
                    85..=89 => {
                        table.update(&mut memory, page..end, |_, _, entry| entry.with(Entry::ACCESSED));
                        model.range_mut(page..end).for_each(|(_, entry)| *entry = entry.with(Entry::ACCESSED));
                    }
                    90..=91 => {
                        table.update(&mut memory, page..end, |_, _, _| Entry::NONE);
                        table.prune(&mut memory, page..end);
                        model.retain(|at, _| !(page..end).contains(at));
                    }
                    92..=94 => {
                        // As fork does: into a table that holds nothing there.
                        let mut twin = table.empty_twin(&mut memory).unwrap();
                        let share = |_: &mut PhysicalMemory, _, entry: Entry| {
                            (entry.without(Entry::WRITABLE), entry.without(Entry::WRITABLE | Entry::ACCESSED))
                        };
                        table.copy_to(&mut twin, &mut memory, page..end, share).unwrap();
                        let copied = model
                            .range(page..end)
                            .map(|(at, entry)| (*at, entry.without(Entry::WRITABLE | Entry::ACCESSED)));
                        let copied: BTreeMap<u64, Entry> = copied.collect();
                        model.range_mut(page..end).for_each(|(_, entry)| *entry = entry.without(Entry::WRITABLE));
                        let other = 1 - which;
                        std::mem::replace(&mut tables[other], twin).destroy(&mut memory);
                        models[other] = copied;
                    }
                    _ => {
                        let listed = table.entries(&memory, page..end);
                        let listed: Vec<_> = listed.iter().map(|mapped| (mapped.page, mapped.entry)).collect();
                        let expected: Vec<_> = model.range(page..end).map(|(at, entry)| (*at, *entry)).collect();
                        assert_eq!(listed, expected, "{name}");
                    }
                }
                let expected = models[which].get(&page).copied().unwrap_or_default();
                assert_eq!(tables[which].entry(&memory, page), expected, "{name}");
                let walk = tables[which].walk(&memory, page | 1);
                let reached =
                    walk.last().filter(|_| walk.len() == scheme.levels()).map_or(Entry::NONE, |last| last.entry);
                assert_eq!(reached, expected, "{name}");
                if step % 500 == 0 {
                    let frames: usize = tables.iter().map(|table| table.frames(&memory).len()).sum();
                    let counted: u64 = tables.iter().map(PageTable::table_frames).sum();
                    assert_eq!((frames as u64, counted), (counted, u64::from(all - memory.available())), "{name}");
                }
            }
            for table in tables {
                table.destroy(&mut memory);
            }
            assert_eq!(memory.available(), all, "{name}");
        }
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
