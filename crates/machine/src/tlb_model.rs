//! A set-associative TLB as the textbooks have it, beside the fast one: it decides nothing, and counts exactly.
//!
//! It is one processor's, for instructions and data, and is asked once for each access to a page: for each instruction
//! (twice if its bytes lie in two pages), and for each access to data. Within a set, the entry that was used least
//! recently goes first. Without tags it is emptied whenever another address space is switched to; with tags, entries
//! carry the number of their address space and stay.
//!
//! What the kernel reads and writes for a program (the buffer of a `read`) does not count: its own code would take part,
//! and that does not run here.

use std::collections::BTreeMap;

/// What a TLB looks like: `--tlb 64x4,asid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlbShape {
    /// Sets, a power of two. The low bits of a page's number choose the set.
    pub sets: usize,
    /// Entries in a set.
    pub ways: usize,
    /// Whether entries carry the number of their address space.
    pub is_tagged: bool,
}

/// Sets and ways at most.
const MOST_ENTRIES: usize = 1 << 20;

impl TlbShape {
    /// The shape that `--tlb` means: `SETSxWAYS`, then perhaps `,asid`.
    ///
    /// # Errors
    /// Why there is no such TLB.
    pub fn parse(text: &str) -> Result<TlbShape, String> {
        let (numbers, is_tagged) = match text.split_once(',') {
            None => (text, false),
            Some((numbers, "asid")) => (numbers, true),
            Some((_, other)) => return Err(format!("`{other}` is no property of a TLB; there is `asid`")),
        };
        let both = numbers.split_once('x').and_then(|(sets, ways)| Some((sets.parse().ok()?, ways.parse().ok()?)));
        let Some((sets, ways)) = both else {
            return Err("write sets x ways, as in 64x4; with tags 64x4,asid".to_string());
        };
        let shape = TlbShape { sets, ways, is_tagged };
        if !sets.is_power_of_two() {
            return Err(format!("{sets} sets: low bits of the page's number choose one, so it must be a power of two"));
        }
        if ways == 0 || shape.sets.checked_mul(ways).is_none_or(|entries| entries > MOST_ENTRIES) {
            return Err(format!("{sets} sets of {ways}: there must be from 1 to {MOST_ENTRIES} entries"));
        }
        Ok(shape)
    }

    /// How many pages it holds.
    pub fn entries(&self) -> usize {
        self.sets * self.ways
    }
}

/// Why entries went before others needed their place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FlushCause {
    /// Another address space is switched to.
    Switch,
    /// fork(2) made private pages copy-on-write.
    Fork,
    /// The kernel gave a faulting page another frame or more permissions: copy-on-write, first write.
    Fault,
    /// munmap(2) and all that unmaps: brk(2), a file that was cut, `MADV_DONTNEED`.
    Unmap,
    /// mprotect(2).
    Protect,
    /// mremap(2).
    Move,
    /// Accessed bits were cleared: `MADV_COLD`, `MADV_FREE`, `/proc/PID/clear_refs`.
    Age,
    /// The kernel looked for frames.
    Reclaim,
}

impl FlushCause {
    /// All, in the order in which reports show them.
    pub const ALL: [FlushCause; 8] = [
        FlushCause::Switch,
        FlushCause::Fork,
        FlushCause::Fault,
        FlushCause::Unmap,
        FlushCause::Protect,
        FlushCause::Move,
        FlushCause::Age,
        FlushCause::Reclaim,
    ];

    /// The word that reports use.
    pub fn name(self) -> &'static str {
        match self {
            FlushCause::Switch => "switch of address space",
            FlushCause::Fork => "fork",
            FlushCause::Fault => "page fault served",
            FlushCause::Unmap => "unmap",
            FlushCause::Protect => "mprotect",
            FlushCause::Move => "mremap",
            FlushCause::Age => "accessed bits cleared",
            FlushCause::Reclaim => "reclaim",
        }
    }
}

/// What the kernel took from an address space's TLB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flush {
    /// Why.
    pub cause: FlushCause,
    /// The address of the page, or everything.
    pub page: Option<u64>,
}

/// What an access is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// An instruction's bytes.
    Fetch,
    /// Data.
    Data,
}

/// Accesses of one kind. They are hits, misses and faults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accesses {
    /// The entry was there.
    pub hits: u64,
    /// It was not: the page table was walked.
    pub misses: u64,
    /// The page table did not permit the access, whether an entry was there or not: a page fault.
    pub faults: u64,
}

impl Accesses {
    /// All.
    pub fn total(&self) -> u64 {
        self.hits + self.misses + self.faults
    }
}

/// Accesses of one owner, or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Instructions.
    pub fetches: Accesses,
    /// Data.
    pub data: Accesses,
}

impl Counts {
    /// Adds another's.
    pub fn add(&mut self, other: &Counts) {
        for (sum, more) in [(&mut self.fetches, &other.fetches), (&mut self.data, &other.data)] {
            sum.hits += more.hits;
            sum.misses += more.misses;
            sum.faults += more.faults;
        }
    }
}

/// Flushes of one cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flushes {
    /// How often.
    pub times: u64,
    /// Entries that were there and went.
    pub lost: u64,
}

/// An entry: which page of which address space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    /// The number of the address space.
    pub space: u64,
    /// The page's number.
    pub page: u64,
}

/// The TLB.
///
/// # Invariants
/// - a set has at most as many entries as there are ways, none twice, the most recently used first;
/// - without tags, all entries are of the address space that runs.
#[derive(Clone, Debug)]
pub struct TlbModel {
    shape: TlbShape,
    page_shift: u32,
    /// By set.
    sets: Vec<Vec<Tag>>,
    /// Who runs: address space, and owner for the counts.
    space: u64,
    owner: u64,
    counts: Counts,
    by_owner: BTreeMap<u64, Counts>,
    flushes: BTreeMap<FlushCause, Flushes>,
}

impl TlbModel {
    /// An empty TLB for pages with an offset of `page_shift` bits.
    pub fn new(shape: TlbShape, page_shift: u32) -> TlbModel {
        TlbModel {
            shape,
            page_shift,
            sets: vec![Vec::with_capacity(shape.ways); shape.sets],
            space: 0,
            owner: 0,
            counts: Counts::default(),
            by_owner: BTreeMap::new(),
            flushes: BTreeMap::new(),
        }
    }

    /// What it looks like.
    pub fn shape(&self) -> TlbShape {
        self.shape
    }

    /// From now on an address space runs, by its number, for an owner, to whom accesses are counted.
    pub fn switch_to(&mut self, space: u64, owner: u64) {
        if owner != self.owner {
            self.settle();
            self.owner = owner;
        }
        if space != self.space {
            self.space = space;
            let lost = if self.shape.is_tagged { 0 } else { self.empty(|_| true) };
            self.count_flush(FlushCause::Switch, lost);
        }
    }

    /// Adds what was counted to its owner.
    fn settle(&mut self) {
        self.by_owner.entry(self.owner).or_default().add(&std::mem::take(&mut self.counts));
    }

    /// An access that the page table permits: a hit, or a miss that fills an entry.
    pub fn access(&mut self, address: u64, kind: Use) {
        let tag = Tag { space: self.space, page: address >> self.page_shift };
        let ways = self.shape.ways;
        let set = self.set_of(tag.page);
        let set = &mut self.sets[set];
        let position = set.iter().position(|entry| *entry == tag);
        match position {
            Some(position) => set[..=position].rotate_right(1),
            None => {
                set.truncate(ways - 1);
                set.insert(0, tag);
            }
        }
        let counts = self.counts_of(kind);
        if position.is_some() { counts.hits += 1 } else { counts.misses += 1 }
    }

    /// An access that the page table does not permit.
    pub fn fault(&mut self, kind: Use) {
        self.counts_of(kind).faults += 1;
    }

    fn counts_of(&mut self, kind: Use) -> &mut Accesses {
        match kind {
            Use::Fetch => &mut self.counts.fetches,
            Use::Data => &mut self.counts.data,
        }
    }

    fn set_of(&self, page: u64) -> usize {
        page as usize & (self.shape.sets - 1)
    }

    /// The kernel took something from an address space.
    pub fn flush(&mut self, space: u64, flush: Flush) {
        let lost = match flush.page {
            Some(page) => {
                let tag = Tag { space, page: page >> self.page_shift };
                let set = self.set_of(tag.page);
                let before = self.sets[set].len();
                self.sets[set].retain(|entry| *entry != tag);
                (before - self.sets[set].len()) as u64
            }
            None => self.empty(|entry| entry.space == space),
        };
        self.count_flush(flush.cause, lost);
    }

    /// Takes entries out; how many there were.
    fn empty(&mut self, mut goes: impl FnMut(&Tag) -> bool) -> u64 {
        let mut lost = 0;
        for set in &mut self.sets {
            let before = set.len();
            set.retain(|entry| !goes(entry));
            lost += (before - set.len()) as u64;
        }
        lost
    }

    fn count_flush(&mut self, cause: FlushCause, lost: u64) {
        let flushes = self.flushes.entry(cause).or_default();
        flushes.times += 1;
        flushes.lost += lost;
    }

    /// The set of an address, and its entries, the most recently used first.
    pub fn set(&self, address: u64) -> (usize, &[Tag]) {
        let set = self.set_of(address >> self.page_shift);
        (set, &self.sets[set])
    }

    /// The number of the page that holds an address, as [`Tag`] has it.
    pub fn page(&self, address: u64) -> u64 {
        address >> self.page_shift
    }

    /// Accesses by owner, in the order of their numbers.
    pub fn by_owner(&self) -> BTreeMap<u64, Counts> {
        let mut all = self.by_owner.clone();
        all.entry(self.owner).or_default().add(&self.counts);
        all.retain(|_, counts| counts.fetches.total() + counts.data.total() > 0);
        all
    }

    /// Flushes by cause.
    pub fn flushes(&self) -> &BTreeMap<FlushCause, Flushes> {
        &self.flushes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(sets: usize, ways: usize, is_tagged: bool) -> TlbShape {
        TlbShape { sets, ways, is_tagged }
    }

    #[test]
    fn shapes_are_read() {
        assert_eq!(TlbShape::parse("64x4"), Ok(shape(64, 4, false)));
        assert_eq!(TlbShape::parse("1x48,asid"), Ok(shape(1, 48, true)));
        for wrong in
            ["", "64", "63x4", "0x4", "64x0", "64x4,tags", "64x4x2", "x", "2097152x1", "1x99999999999999999999"]
        {
            assert!(TlbShape::parse(wrong).is_err(), "{wrong}");
        }
    }

    /// Entries in one list with the time of their last use: everything is looked for from the beginning.
    struct Naive {
        shape: TlbShape,
        entries: Vec<(u64, u64, u64)>,
        time: u64,
        space: u64,
    }

    impl Naive {
        fn access(&mut self, page: u64) -> bool {
            self.time += 1;
            let time = self.time;
            if let Some(entry) =
                self.entries.iter_mut().find(|(space, other, _)| (*space, *other) == (self.space, page))
            {
                entry.2 = time;
                return true;
            }
            let sets = self.shape.sets as u64;
            let same: Vec<_> =
                self.entries.iter().filter(|(_, other, _)| other % sets == page % sets).copied().collect();
            if same.len() == self.shape.ways {
                let oldest = same.iter().min_by_key(|(.., time)| *time).unwrap();
                self.entries.retain(|entry| entry != oldest);
            }
            self.entries.push((self.space, page, time));
            false
        }

        fn lose(&mut self, goes: impl Fn(&(u64, u64, u64)) -> bool) -> u64 {
            let before = self.entries.len();
            self.entries.retain(|entry| !goes(entry));
            (before - self.entries.len()) as u64
        }
    }

    #[test]
    fn the_model_agrees_with_a_naive_one() {
        for (sets, ways, is_tagged) in [(1, 1, false), (4, 2, false), (4, 2, true), (1, 6, true), (16, 1, true)] {
            let shape = shape(sets, ways, is_tagged);
            let mut model = TlbModel::new(shape, 12);
            let mut naive = Naive { shape, entries: Vec::new(), time: 0, space: 0 };
            let mut state = 7_u64;
            let (mut hits, mut misses, mut lost) = (0, 0, 0);
            for _ in 0..20_000 {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                let (page, space) = (state >> 40 & 15, state >> 50 & 1);
                match state >> 58 {
                    0 => {
                        model.switch_to(space, space);
                        if space != naive.space && !is_tagged {
                            lost += naive.lose(|_| true);
                        }
                        naive.space = space;
                    }
                    1 => {
                        model.flush(space, Flush { cause: FlushCause::Unmap, page: Some(page << 12) });
                        lost += naive.lose(|entry| (entry.0, entry.1) == (space, page));
                    }
                    2 if state & 1 << 30 != 0 => {
                        model.flush(space, Flush { cause: FlushCause::Protect, page: None });
                        lost += naive.lose(|entry| entry.0 == space);
                    }
                    _ => {
                        model.access(page << 12 | 0xabc, Use::Data);
                        if naive.access(page) { hits += 1 } else { misses += 1 }
                    }
                }
            }
            let mut all = Counts::default();
            model.by_owner().values().for_each(|counts| all.add(counts));
            assert_eq!((all.data.hits, all.data.misses), (hits, misses), "{shape:?}");
            assert_eq!(model.flushes().values().map(|flushes| flushes.lost).sum::<u64>(), lost, "{shape:?}");
        }
    }

    /// A matrix of 64 rows of a page each, read by rows and by columns. By rows every page misses once. By columns each
    /// access is to another page, and when a page's turn comes again 63 others were there: 16 sets of 2 hold 32 pages.
    #[test]
    fn rows_and_columns_miss_as_often_as_computed_by_hand() {
        let (rows, columns) = (64_u64, 512_u64);
        let walk = |by_rows: bool, entries: (usize, usize)| {
            let mut model = TlbModel::new(shape(entries.0, entries.1, false), 12);
            for outer in 0..if by_rows { rows } else { columns } {
                for inner in 0..if by_rows { columns } else { rows } {
                    let (row, column) = if by_rows { (outer, inner) } else { (inner, outer) };
                    model.access(0x10_0000 + row * 4096 + column * 8, Use::Data);
                }
            }
            model.by_owner()[&0].data
        };
        assert_eq!(walk(true, (16, 2)), Accesses { hits: rows * (columns - 1), misses: rows, faults: 0 });
        assert_eq!(walk(false, (16, 2)), Accesses { hits: 0, misses: rows * columns, faults: 0 });
        assert_eq!(walk(false, (16, 4)), Accesses { hits: rows * (columns - 1), misses: rows, faults: 0 });
    }
}
