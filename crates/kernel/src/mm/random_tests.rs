//! Random programs: several address spaces map, write, fork, protect, move, swap, lock, guard and unmap private memory, shared
//! memory and a file that is cut and grows, against a model that knows every page. After every step everything is recounted
//! ([`check`]), and what /proc/PID/maps shows is what the model says. Under several paging schemes with pages of several
//! sizes, with much memory and with little, for several seeds.

use super::replacement::Algorithm;
use super::*;
use crate::entry::Call;
use crate::fs::{FileDescription, Inode, page_cache};
use crate::testing::{Bench, Machine};
use abi::mman::*;

const PAGES: usize = 64;
const BASE: u64 = 0x2000_0000;
const FILE_PAGES: usize = 24;
const RW: u32 = PROT_READ | PROT_WRITE;
const MOST_SPACES: usize = 4;

/// A page of the model: every byte of a page is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    /// Private memory.
    Private(u8),
    /// A page of shared memory, by the object's number.
    Shared { object: usize, index: usize },
    /// A page of the file, mapped shared.
    File { index: usize },
    /// A page of the file, mapped privately, and the private copy.
    FileCopy { index: usize, copy: Option<u8> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Page {
    content: Content,
    protection: u32,
    is_locked: bool,
    is_guard: bool,
    /// Whether a page of [`Content::Private`] was written since it was mapped or given up.
    is_filled: bool,
    /// How far it was moved after that, modulo 2^64.
    moved: u64,
}

#[derive(Clone)]
struct Space {
    id: Id<AddressSpace>,
    pages: [Option<Page>; PAGES],
}

/// What is random.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % limit
    }
}

/// The model of a machine.
struct World {
    numbers: Numbers,
    spaces: Vec<Space>,
    /// Shared memory: a byte for each page.
    objects: Vec<Vec<u8>>,
    /// The file: a byte for each page that it has.
    file: Vec<u8>,
    description: Id<FileDescription>,
    inode: Id<Inode>,
    page_bytes: u64,
    may_lock: bool,
    /// Seed and step, to be told when something is wrong.
    at: (u64, usize),
}

impl World {
    fn new(call: &mut Call, seed: u64, may_lock: bool) -> World {
        let (description, inode) = super::tests::open(call, "/data", abi::fcntl::O_RDWR);
        World {
            numbers: Numbers(seed),
            spaces: vec![Space { id: call.space(), pages: [None; PAGES] }],
            objects: Vec::new(),
            file: vec![5; FILE_PAGES],
            description,
            inode,
            page_bytes: call.kernel.page_size().bytes(),
            may_lock,
            at: (seed, 0),
        }
    }

    fn address(&self, page: usize) -> u64 {
        BASE + page as u64 * self.page_bytes
    }

    /// The byte that a page holds; `None` behind the end of the file.
    fn byte(&self, content: Content) -> Option<u8> {
        match content {
            Content::Private(byte) | Content::FileCopy { copy: Some(byte), .. } => Some(byte),
            Content::Shared { object, index } => Some(self.objects[object][index]),
            Content::File { index } | Content::FileCopy { index, copy: None } => self.file.get(index).copied(),
        }
    }

    /// One step.
    fn step(&mut self, call: &mut Call) {
        let which = self.numbers.below(self.spaces.len());
        let first = self.numbers.below(PAGES);
        let count = (1 + self.numbers.below(8)).min(PAGES - first);
        let pages = first..first + count;
        let range = self.address(first)..self.address(first + count);
        let space = self.spaces[which].id;
        let model = &self.spaces[which].pages[pages.clone()];
        let (is_mapped, has_locked) =
            (model.iter().all(Option::is_some), model.iter().flatten().any(|page| page.is_locked));
        match self.numbers.below(30) {
            0..3 => self.map(call, which, pages),
            3 => {
                unmap::unmap(call, space, range);
                self.spaces[which].pages[pages].fill(None);
            }
            4..6 => {
                let protection = [PROT_NONE, PROT_READ, RW, RW][self.numbers.below(4)];
                assert_eq!(protect::protect(call, space, range, protection).is_ok(), is_mapped);
                let model = self.spaces[which].pages[pages].iter_mut();
                model.map_while(Option::as_mut).for_each(|page| page.protection = protection);
            }
            6 if !has_locked => {
                assert_eq!(advise::advise(call, space, range, MADV_DONTNEED).is_ok(), is_mapped);
                for page in self.spaces[which].pages[pages].iter_mut().flatten() {
                    page.is_filled = false;
                    page.content = match page.content {
                        Content::Private(_) => Content::Private(0),
                        Content::FileCopy { index, .. } => Content::FileCopy { index, copy: None },
                        shared => shared,
                    };
                }
            }
            7 => _ = advise::advise(call, space, range, [MADV_PAGEOUT, MADV_COLD][self.numbers.below(2)]),
            8 if self.spaces.len() < MOST_SPACES => {
                // Without frames for its tables there is no child.
                if let Ok(id) = fork::copy(call, space) {
                    let mut child = Space { id, pages: self.spaces[which].pages };
                    child.pages.iter_mut().flatten().for_each(|page| page.is_locked = false);
                    self.spaces.push(child);
                }
            }
            9 if which > 0 => {
                release_space(call, space);
                self.spaces.remove(which);
            }
            10..12 => self.relocate(call, which, first),
            12 if !has_locked => {
                assert_eq!(advise::advise(call, space, range, MADV_GUARD_INSTALL).is_ok(), is_mapped);
                for page in self.spaces[which].pages[pages].iter_mut().flatten() {
                    (page.is_guard, page.is_filled) = (true, false);
                    page.content = match page.content {
                        Content::Private(_) => Content::Private(0),
                        Content::FileCopy { index, .. } => Content::FileCopy { index, copy: None },
                        shared => shared,
                    };
                }
            }
            13 => {
                assert_eq!(advise::advise(call, space, range, MADV_GUARD_REMOVE).is_ok(), is_mapped);
                self.spaces[which].pages[pages].iter_mut().flatten().for_each(|page| page.is_guard = false);
            }
            14 if self.may_lock => {
                let flags = [AreaFlags::NONE, AreaFlags::LOCKED.with(AreaFlags::LOCK_ON_FAULT)][self.numbers.below(2)];
                assert_eq!(lock::set_flags(call, space, range, flags).is_ok(), is_mapped);
                let model = self.spaces[which].pages[pages].iter_mut();
                model.map_while(Option::as_mut).for_each(|page| page.is_locked = flags != AreaFlags::NONE);
            }
            15 => self.resize(call),
            16..21 => self.read(call, which, first),
            _ => pages.for_each(|page| self.write(call, which, page)),
        }
    }

    fn map(&mut self, call: &mut Call, which: usize, pages: std::ops::Range<usize>) {
        let file_page = self.numbers.below(FILE_PAGES);
        let file = Source::File { file: self.description, offset: file_page as u64 * self.page_bytes };
        let kind = self.numbers.below(6);
        let (source, flags) = match kind {
            0..3 => (Source::Anonymous, MAP_PRIVATE | MAP_NORESERVE),
            3 => (Source::Anonymous, MAP_SHARED),
            4 => (file, MAP_SHARED),
            _ => (file, MAP_PRIVATE),
        };
        let length = pages.len() as u64 * self.page_bytes;
        let flags = flags | MAP_FIXED;
        let request = Request { address: self.address(pages.start), length, protection: RW, flags, source };
        map::map(call, self.spaces[which].id, request).expect("the mapping is allowed");
        if kind == 3 {
            self.objects.push(vec![0; pages.len()]);
        }
        for (number, page) in self.spaces[which].pages[pages].iter_mut().enumerate() {
            let content = match kind {
                0..3 => Content::Private(0),
                3 => Content::Shared { object: self.objects.len() - 1, index: number },
                4 => Content::File { index: file_page + number },
                _ => Content::FileCopy { index: file_page + number, copy: None },
            };
            *page =
                Some(Page { content, protection: RW, is_locked: false, is_guard: false, is_filled: false, moved: 0 });
        }
    }

    /// Moves a page over another one.
    fn relocate(&mut self, call: &mut Call, which: usize, from: usize) {
        let to = self.numbers.below(PAGES);
        let model = &self.spaces[which];
        if to == from || model.pages[from].is_none() {
            return;
        }
        let request = remap::Remap {
            address: self.address(from),
            old_length: self.page_bytes,
            new_length: self.page_bytes,
            flags: MREMAP_MAYMOVE | MREMAP_FIXED,
            new_address: self.address(to),
        };
        // Of its whole area: what was never written has no place yet.
        let areas = self.areas(model);
        let (first, last, ..) =
            areas.iter().find(|(first, last, ..)| (*first..=*last).contains(&from)).expect("an area");
        let is_filled = model.pages[*first..=*last].iter().flatten().any(|page| page.is_filled);
        let by = self.address(to).wrapping_sub(self.address(from));
        if remap::remap(call, model.id, request).is_ok() {
            let model = &mut self.spaces[which];
            model.pages[to] = model.pages[from].take();
            if let Some(page) = model.pages[to].as_mut().filter(|page| matches!(page.content, Content::Private(_))) {
                page.moved = if is_filled { page.moved.wrapping_add(by) } else { 0 };
            }
        } else {
            // There was no frame for a page table; the target had been unmapped before that was known.
            self.spaces[which].pages[to] = None;
        }
    }

    /// Cuts the file, or lets it grow. Private copies behind its new end go as well.
    fn resize(&mut self, call: &mut Call) {
        let size = 1 + self.numbers.below(FILE_PAGES);
        page_cache::set_size(call.kernel, self.inode, size as u64 * self.page_bytes);
        self.file.resize(size, 0);
        for page in self.spaces.iter_mut().flat_map(|space| &mut space.pages).flatten() {
            if let Content::FileCopy { index, copy } = &mut page.content
                && *index >= size
            {
                *copy = None;
            }
        }
    }

    fn read(&mut self, call: &mut Call, which: usize, page: usize) {
        let readable = |page: &Page| page.protection != PROT_NONE && !page.is_guard;
        let expected = self.spaces[which].pages[page].filter(readable).and_then(|page| self.byte(page.content));
        let mut bytes = vec![0; self.page_bytes as usize];
        let found = call.copy_in_from(self.spaces[which].id, self.address(page), &mut bytes).ok().map(|()| bytes);
        match (found, expected) {
            (Some(bytes), Some(byte)) => {
                assert!(bytes.iter().all(|found| *found == byte), "{:?}: {byte} in page {page}", self.at)
            }
            (found, expected) => assert_eq!(found.is_some(), expected.is_some(), "{:?}: page {page}", self.at),
        }
    }

    fn write(&mut self, call: &mut Call, which: usize, number: usize) {
        let byte = self.numbers.below(256) as u8;
        let writable = |page: &Page| page.protection & PROT_WRITE != 0 && !page.is_guard;
        let page = self.spaces[which].pages[number].filter(writable);
        let page = page.filter(|page| self.byte(page.content).is_some());
        let bytes = vec![byte; self.page_bytes as usize];
        let done = call.copy_out_to(self.spaces[which].id, self.address(number), &bytes).is_ok();
        assert_eq!(done, page.is_some(), "{:?}: page {number}", self.at);
        let Some(mut page) = page else { return };
        match &mut page.content {
            Content::Private(old) => (*old, page.is_filled) = (byte, true),
            Content::Shared { object, index } => self.objects[*object][*index] = byte,
            Content::File { index } => self.file[*index] = byte,
            Content::FileCopy { copy, .. } => *copy = Some(byte),
        }
        self.spaces[which].pages[number] = Some(page);
    }

    /// Reads every page that can be read, in every address space.
    fn read_all(&mut self, call: &mut Call) {
        for which in 0..self.spaces.len() {
            (0..PAGES).for_each(|page| self.read(call, which, page));
        }
    }

    /// The areas as /proc/PID/maps would show them: first and last page, permissions, offset in pages.
    fn areas(&self, space: &Space) -> Vec<(usize, usize, String, u64)> {
        let mut found: Vec<(usize, usize, String, u64)> = Vec::new();
        let mut before: Option<(usize, Page)> = None;
        for (number, page) in space.pages.iter().enumerate() {
            let Some(page) = page else { continue };
            let follows = |(last, before): (usize, Page)| {
                last + 1 == number
                    && (before.protection, before.is_locked, before.moved)
                        == (page.protection, page.is_locked, page.moved)
                    && match (before.content, page.content) {
                        (Content::Private(_), Content::Private(_)) => true,
                        (Content::Shared { object, index }, Content::Shared { object: other, index: next }) => {
                            object == other && index + 1 == next
                        }
                        (Content::File { index }, Content::File { index: next })
                        | (Content::FileCopy { index, .. }, Content::FileCopy { index: next, .. }) => index + 1 == next,
                        _ => false,
                    }
            };
            if before.is_some_and(follows) {
                found.last_mut().expect("an area was begun").1 = number;
            } else {
                let (shared, offset) = match page.content {
                    Content::Private(_) => ('p', 0),
                    Content::Shared { index, .. } | Content::File { index } => ('s', index),
                    Content::FileCopy { index, .. } => ('p', index),
                };
                let letter = |bit, letter| if page.protection & bit != 0 { letter } else { '-' };
                let rights = [letter(PROT_READ, 'r'), letter(PROT_WRITE, 'w'), letter(PROT_EXEC, 'x'), shared];
                found.push((number, number, rights.iter().collect(), offset as u64));
            }
            before = Some((number, *page));
        }
        found
    }

    /// Compares what /proc/PID/maps shows of the first address space, and its parts for the others, with the model.
    fn compare_areas(&self, call: &Call) {
        for (number, space) in self.spaces.iter().enumerate() {
            let text = if number == 0 {
                String::from_utf8(crate::fs::procfs::memory::maps(call.kernel, call.process_id())).expect("text")
            } else {
                let areas = call.kernel.spaces[space.id].areas.iter();
                let line = |area: &Vma| {
                    let offset = report::label(call.kernel, space.id, area).offset;
                    format!("{:x}-{:x} {} {offset:x}\n", area.start, area.end, report::permissions(area))
                };
                areas.map(line).collect()
            };
            let hex = |text: &str| u64::from_str_radix(text, 16).expect("a number");
            let shown: Vec<_> = text
                .lines()
                .map(|line| {
                    let words: Vec<&str> = line.split_whitespace().collect();
                    let (start, end) = words[0].split_once('-').expect("a range");
                    let page = |address: u64| ((address - BASE) / self.page_bytes) as usize;
                    (page(hex(start)), page(hex(end)) - 1, words[1].to_string(), hex(words[2]) / self.page_bytes)
                })
                .collect();
            assert_eq!(shown, self.areas(space), "{:?}: address space {number}", self.at);
        }
    }
}

/// Runs a random program on a machine; how many pages were read back from swap or disk.
fn run(machine: Machine, seed: u64, steps: usize) -> u64 {
    let contents = vec![5; FILE_PAGES * machine.page_bytes() as usize];
    let is_ample = machine.stores == [0, 0];
    let mut bench = Bench::on(machine, &[("/data", &contents)]);
    let call = &mut bench.call();
    let mut world = World::new(call, seed, is_ample);
    for step in 0..steps {
        world.at.1 = step;
        world.step(call);
        check::check(call.kernel).unwrap_or_else(|what| panic!("seed {seed}, step {step}: {what}"));
        world.compare_areas(call);
        if step % 500 == 499 {
            world.read_all(call);
        }
    }
    let counters = call.kernel.mm.counters;
    assert_eq!(counters.out_of_memory, 0, "{counters:?}");
    for space in world.spaces.drain(1..) {
        release_space(call, space.id);
    }
    unmap::unmap(call, call.space(), BASE..BASE + PAGES as u64 * world.page_bytes);
    check::check(call.kernel).unwrap();
    assert!(call.kernel.mm.shared.is_empty() && call.kernel.mm.swap.used() == 0, "nothing is left");
    counters.swapped_in + counters.disk_in
}

#[test]
fn random_programs_with_enough_memory() {
    for seed in 0..4 {
        assert_eq!(run(Machine { frames: 700, ..Machine::default() }, seed, 4000), 0);
    }
}

#[test]
fn random_programs_under_every_scheme_with_pages_of_every_size() {
    for (seed, scheme) in
        ["x86-64-la57", "sv39", "x86-32", "9-9-13", "8-8-14", "7-8-15", "8-8-16"].into_iter().enumerate()
    {
        run(Machine { scheme, frames: 700, ..Machine::default() }, seed as u64, 500);
        run(Machine { scheme, frames: 90, stores: [700, 100], ..Machine::default() }, 100 + seed as u64, 400);
    }
}

#[test]
fn random_programs_in_little_memory_under_every_algorithm() {
    for algorithm in [Algorithm::Clock, Algorithm::Fifo, Algorithm::Lru, Algorithm::Random] {
        for seed in 10..12 {
            let machine = Machine { frames: 68, stores: [900, 100], algorithm, ..Machine::default() };
            let read = run(machine, seed, 2500);
            assert!(read > 50, "{algorithm:?}, seed {seed}: only {read} pages were read back");
        }
    }
}
