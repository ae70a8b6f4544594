//! What each process used, counted by the run loop: the kernel does not know of TLBs.

use kernel::clock::Instant;
use kernel::process::Process;
use kernel::table::Id;
use machine::PageTable;
use machine::paging::MOST_LEVELS;

/// What a process, or a turn of one of its threads, used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Instructions retired.
    pub instructions: u64,
    /// Data accesses of guest instructions.
    pub accesses: u64,
    /// Those that had to walk the page table.
    pub misses: u64,
    /// System calls.
    pub system_calls: u64,
    /// Frames in page tables, at most.
    pub table_frames: u64,
    /// Tables then, by level, the root's first.
    pub tables: [u32; MOST_LEVELS],
    /// Turns on the processor.
    pub turns: u64,
    /// Virtual nanoseconds in which threads were ready and did not run.
    pub waited_ns: u64,
    /// When the first turn began.
    pub first_turn: Option<Instant>,
}

impl Used {
    /// Notes the page tables if they are larger than before.
    #[inline]
    pub fn note_tables(&mut self, table: &PageTable) {
        let frames = table.table_frames();
        if frames > self.table_frames {
            let tables = table.tables();
            self.table_frames = frames;
            self.tables[..tables.len()].copy_from_slice(tables);
        }
    }

    /// Adds another's.
    pub fn add(&mut self, other: &Used) {
        self.instructions += other.instructions;
        self.accesses += other.accesses;
        self.misses += other.misses;
        self.system_calls += other.system_calls;
        if other.table_frames > self.table_frames {
            (self.table_frames, self.tables) = (other.table_frames, other.tables);
        }
        self.turns += other.turns;
        self.waited_ns += other.waited_ns;
        self.first_turn = self.first_turn.or(other.first_turn);
    }
}

/// What every process used, those that are gone included.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// The latest owner of each handle's index: one store a turn, whatever the number of processes.
    slots: Vec<Option<(Id<Process>, Used)>>,
    gone: Vec<(Id<Process>, Used)>,
}

impl Account {
    /// Adds a turn of one of the process's threads.
    pub fn add(&mut self, process: Id<Process>, used: &Used) {
        let index = process.index() as usize;
        if index >= self.slots.len() {
            self.slots.resize(index + 1, None);
        }
        match &mut self.slots[index] {
            Some((owner, total)) if *owner == process => total.add(used),
            slot => self.gone.extend(slot.replace((process, *used))),
        }
    }

    /// All processes that ever ran, in the order of their handles.
    pub fn processes(&self) -> Vec<(Id<Process>, Used)> {
        let mut all: Vec<_> = self.gone.iter().copied().chain(self.slots.iter().flatten().copied()).collect();
        all.sort_unstable_by_key(|(process, _)| *process);
        all
    }

    /// Everybody's together; page tables at their largest.
    pub fn total(&self) -> Used {
        let mut total = Used::default();
        for (_, used) in self.processes() {
            total.add(&used);
        }
        total
    }
}
