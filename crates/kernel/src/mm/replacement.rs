//! Which page goes when memory is full: `--replacement`.
//!
//! | algorithm | takes |
//! | --- | --- |
//! | clock | the first page under the hand that was not used since the hand came by (Corbató 1968) |
//! | fifo | the page that was loaded first |
//! | lru | the page that was not used for longest, as far as accessed bits tell |
//! | random | any |
//!
//! One page goes at a time, so that the numbers are those of the textbooks. Candidates are private pages, shared memory
//! and pages of files, as long as there is somewhere to put them; locked pages are none, mlock(2), nor are those that
//! the last few faults brought in: an instruction needs all of its pages at once.
//!
//! No processor says when a page was used, only whether it was since its accessed bit was last cleared. So lru samples:
//! before it chooses, it looks at the accessed bits of all pages, clears them, and dates those that were set. On a machine
//! of up to 1024 frames it does so before every choice; on one of n times as many before every n-th, and takes the n oldest
//! meanwhile. Pages used between the same two samples are told apart by when they were loaded.

use crate::clock::Instant;
use crate::kernel::Kernel;
use crate::mm::owners::Owner;
use crate::mm::rmap::{self, Place};
use crate::mm::store::StoreKind;
use crate::mm::{AddressSpace, reclaim};
use machine::FrameNumber;
use std::collections::VecDeque;

/// How the page that goes is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Second chance.
    #[default]
    Clock,
    /// First in, first out.
    Fifo,
    /// Least recently used.
    Lru,
    /// Any, as the seed says.
    Random,
}

impl Algorithm {
    /// Its name as `--replacement` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Clock => "clock",
            Algorithm::Fifo => "fifo",
            Algorithm::Lru => "lru",
            Algorithm::Random => "random",
        }
    }
}

/// Pages that were loaded last and stay: more than one instruction can touch.
const RECENT: u64 = 32;
/// Frames that lru samples before every choice.
const SAMPLED: usize = 1024;
/// Virtual nanoseconds for which it is not asked again whether a page can go, when none could.
const PATIENCE_NS: u64 = 1_000_000;
/// Draws of a random frame before the next candidate is taken instead.
const DRAWS: usize = 64;

/// The state of the choice.
#[derive(Debug, Default)]
pub struct Replacement {
    /// How to choose.
    pub algorithm: Algorithm,
    /// The frame that the clock's hand came to last.
    hand: usize,
    /// For fifo and lru: who goes next, with the dates by which they were chosen.
    victims: VecDeque<(FrameNumber, u64)>,
    /// For random: the state of SplitMix64.
    random: u64,
    /// When there was no candidate, and how many pages the stores held then.
    exhausted: Option<(Instant, u32)>,
}

impl Replacement {
    /// The choice of one algorithm.
    pub fn new(algorithm: Algorithm) -> Replacement {
        Replacement { algorithm, ..Replacement::default() }
    }

    /// Sets where random choices begin.
    pub fn seed(&mut self, seed: u64) {
        self.random = seed;
    }

    fn draw(&mut self, bound: usize) -> usize {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        ((u128::from(mixed) * bound as u128) >> 64) as usize
    }
}

/// The frame that goes next and where it is mapped; `None` if none can.
pub(crate) fn choose(kernel: &mut Kernel) -> Option<(FrameNumber, Vec<Place>)> {
    let stored = kernel.mm.swap.used() + kernel.mm.disk.used();
    let now = kernel.clock.now();
    if let Some((since, stored_then)) = kernel.mm.replacement.exhausted
        && now.since(since) < PATIENCE_NS
        && stored >= stored_then
    {
        return None;
    }
    let found = match kernel.mm.replacement.algorithm {
        Algorithm::Clock => by_clock(kernel),
        Algorithm::Fifo | Algorithm::Lru => by_date(kernel),
        Algorithm::Random => by_chance(kernel),
    };
    kernel.mm.replacement.exhausted = if found.is_none() { Some((now, stored)) } else { None };
    found
}

fn by_clock(kernel: &mut Kernel) -> Option<(FrameNumber, Vec<Place>)> {
    let frames = kernel.mm.owners.len();
    // Two rounds at most: the first clears accessed bits.
    for _ in 0..2 * frames {
        let hand = (kernel.mm.replacement.hand + 1) % frames;
        kernel.mm.replacement.hand = hand;
        let frame = FrameNumber(hand as u32);
        if let Some(places) = candidate(kernel, frame)
            && !take_used(kernel, frame, &places)
        {
            return Some((frame, places));
        }
    }
    None
}

fn by_date(kernel: &mut Kernel) -> Option<(FrameNumber, Vec<Place>)> {
    let is_lru = kernel.mm.replacement.algorithm == Algorithm::Lru;
    // Each refill that finds nothing dates what it found anew, so a round over all frames is enough.
    let mut patience = 2 * kernel.mm.owners.len();
    while patience > 0 {
        let Some((frame, date)) = kernel.mm.replacement.victims.pop_front() else {
            if is_lru {
                sample(kernel);
            }
            if !refill(kernel) {
                return None;
            }
            continue;
        };
        patience -= 1;
        if date_of(kernel, frame) != date {
            continue;
        }
        match candidate(kernel, frame) {
            Some(places) => return Some((frame, places)),
            None => postpone(kernel, frame),
        }
    }
    None
}

fn date_of(kernel: &Kernel, frame: FrameNumber) -> u64 {
    let record = kernel.mm.owners.get(frame);
    match kernel.mm.replacement.algorithm {
        Algorithm::Lru => record.used,
        _ => record.loaded,
    }
}

/// A page that cannot go now goes to the end of the queue.
fn postpone(kernel: &mut Kernel, frame: FrameNumber) {
    let now = kernel.mm.owners.loads;
    let is_lru = kernel.mm.replacement.algorithm == Algorithm::Lru;
    if let Some(record) = kernel.mm.owners.get_mut(frame) {
        *(if is_lru { &mut record.used } else { &mut record.loaded }) = now;
    }
}

/// Dates the pages that were used since the last time.
fn sample(kernel: &mut Kernel) {
    let now = kernel.mm.owners.loads;
    for number in 0..kernel.mm.owners.len() {
        let frame = FrameNumber(number as u32);
        let owner = kernel.mm.owners.get(frame).owner;
        if !is_replaceable(kernel, frame, owner) {
            continue;
        }
        if let Some(places) = rmap::places(kernel, frame, owner)
            && take_used(kernel, frame, &places)
            && let Some(record) = kernel.mm.owners.get_mut(frame)
        {
            record.used = now;
        }
    }
}

/// Lists the oldest candidates; whether there are any.
fn refill(kernel: &mut Kernel) -> bool {
    let frames = kernel.mm.owners.len();
    let wanted = (frames / SAMPLED).max(1);
    let mut dated: Vec<(u64, u64, FrameNumber)> = (0..frames)
        .map(|number| FrameNumber(number as u32))
        .filter(|frame| is_replaceable(kernel, *frame, kernel.mm.owners.get(*frame).owner))
        .map(|frame| (date_of(kernel, frame), kernel.mm.owners.get(frame).loaded, frame))
        .collect();
    if dated.len() > wanted {
        dated.select_nth_unstable(wanted - 1);
        dated.truncate(wanted);
    }
    dated.sort_unstable();
    kernel.mm.replacement.victims.extend(dated.iter().map(|(date, _, frame)| (*frame, *date)));
    !dated.is_empty()
}

fn by_chance(kernel: &mut Kernel) -> Option<(FrameNumber, Vec<Place>)> {
    let frames = kernel.mm.owners.len();
    if frames == 0 {
        return None;
    }
    let mut at = 0;
    for _ in 0..DRAWS {
        at = kernel.mm.replacement.draw(frames);
        let frame = FrameNumber(at as u32);
        if let Some(places) = candidate(kernel, frame) {
            return Some((frame, places));
        }
    }
    // Few can go: the next one after the last draw.
    (0..frames).find_map(|step| {
        let frame = FrameNumber(((at + step) % frames) as u32);
        Some((frame, candidate(kernel, frame)?))
    })
}

/// Where a frame is mapped, if its page can go.
fn candidate(kernel: &Kernel, frame: FrameNumber) -> Option<Vec<Place>> {
    let record = kernel.mm.owners.get(frame);
    if !is_replaceable(kernel, frame, record.owner) || record.loaded + RECENT > kernel.mm.owners.loads {
        return None;
    }
    let places = rmap::places(kernel, frame, record.owner)?;
    (!rmap::is_locked(kernel, &places)).then_some(places)
}

/// Whether a page of the frame's kind could go: a quick look.
fn is_replaceable(kernel: &Kernel, frame: FrameNumber, owner: Owner) -> bool {
    if owner == Owner::Nobody || kernel.memory.count(frame) == 0 {
        return false;
    }
    match reclaim::store_of(kernel, owner) {
        None => true,
        Some(StoreKind::Swap) => kernel.mm.swap.has_room(),
        Some(StoreKind::Disk) => kernel.mm.disk.has_room(),
    }
}

/// Whether the page was used since this was last asked, through a mapping or by a system call.
fn take_used(kernel: &mut Kernel, frame: FrameNumber, places: &[Place]) -> bool {
    let by_call = kernel.mm.owners.get_mut(frame).is_some_and(|record| std::mem::take(&mut record.is_used));
    rmap::take_accessed(kernel, places) | by_call
}

/// How many pages of an address space were used since their accessed bits were last cleared: its working set, as far as
/// replacement knows it.
pub fn working_set(kernel: &Kernel, space: crate::table::Id<AddressSpace>) -> u64 {
    let here = &kernel.spaces[space];
    let entries = here.table.entries(&kernel.memory, 0..u64::MAX);
    entries.iter().filter(|mapped| mapped.entry.is_present() && mapped.entry.is_accessed()).count() as u64
}
