//! All translated code with what is known about it. It does not depend on where the host put it, nor on any guest.

use crate::cache::{Block, BlockId, Cache, Form, PageName};
use crate::discover::{self, Found, MAX_INSTRUCTION_BYTES, Reach};
use crate::emit::{Emitter, Guard, Place};
use crate::exits::{Exits, Link, Point};
use crate::link;
use crate::native::{self, Area, CodeMemoryFull, ExecutableMemory};
use crate::options::{Options, Statistics};
use crate::plan::{Classifier, End, Kind, Plan};
use machine::tlb::{EXECUTE, execute_slot};

/// Room for the largest block: code memory with less than this is full.
const BLOCK_BYTES: usize = 64 << 10;

/// Instructions at most in a block that checks each access by itself. Such blocks also finish slices where that happens
/// for the first time.
pub(crate) const SHORT_INSTRUCTIONS: usize = 8;

/// Host code, the tables that explain it, and what writes it.
#[derive(Debug)]
pub(crate) struct Code {
    pub(crate) memory: ExecutableMemory,
    pub(crate) cache: Cache,
    pub(crate) exits: Exits,
    /// Bytes at the start of the code memory that are no block.
    fixed_bytes: usize,
    reach: Reach,
    emitter: Emitter,
    classifier: Classifier,
    plan: Plan,
}

impl Code {
    /// No code yet.
    ///
    /// # Errors
    /// The host's error if it gives no executable memory.
    pub(crate) fn new(options: &Options) -> std::io::Result<Code> {
        let mut memory = ExecutableMemory::new(options.code_bytes)?;
        let mut way_out = vec![0xff, 0x25, 0, 0, 0, 0]; // jmp [rip]
        way_out.extend_from_slice(&native::leave_address().to_le_bytes());
        let full = |_| std::io::Error::from(std::io::ErrorKind::OutOfMemory);
        let way_out = memory.append(Area::Hot, &way_out).map_err(full)?;
        Ok(Code {
            fixed_bytes: memory.used(Area::Hot),
            memory,
            cache: Cache::default(),
            exits: Exits::default(),
            reach: Reach {
                instructions: options.block_instructions,
                traces: options.traces,
                follow: options.follow,
                groups: options.groups,
                links: true,
            },
            emitter: Emitter::new(way_out),
            classifier: Classifier::new(),
            plan: Plan::new(),
        })
    }

    /// Whether there might be no room for another block.
    pub(crate) fn is_full(&self) -> bool {
        self.memory.available(Area::Hot).min(self.memory.available(Area::Cold)) < BLOCK_BYTES
    }

    /// The code of an area, without what is there before any block.
    pub(crate) fn written(&self, area: Area) -> &[u8] {
        let fixed = if area == Area::Hot { self.fixed_bytes } else { 0 };
        self.memory.bytes(self.memory.area_start(area) + fixed as u64, self.memory.used(area) - fixed)
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.memory.reset(self.fixed_bytes);
        self.cache.clear();
        self.exits.words.clear();
    }

    /// Translates the block at a guest address of a page; `None` if its first instruction straddles.
    pub(crate) fn translate(
        &mut self,
        bytes: &[u8],
        rip: u64,
        page: PageName,
        form: Form,
        statistics: &mut Statistics,
    ) -> Option<BlockId> {
        match self.plan_block(bytes, rip, form) {
            Found::Block => Some(self.write(page, None, form, statistics)),
            Found::Straddles => None,
        }
    }

    fn plan_block(&mut self, bytes: &[u8], rip: u64, form: Form) -> Found {
        let at_most = |instructions| self.reach.instructions.min(instructions);
        let reach = match form {
            Form::Whole => self.reach,
            Form::Apart => {
                Reach { groups: false, follow: false, instructions: at_most(SHORT_INSTRUCTIONS), ..self.reach }
            }
            // Where accesses share no check, none needs a block that checks them apart, which might be too long.
            Form::Ending(power) => {
                Reach { groups: false, instructions: at_most(1 << power), links: false, ..self.reach }
            }
        };
        discover::block(&mut self.plan, &mut self.classifier, bytes, rip, reach)
    }

    /// Translates the instruction at a guest address that begins in one page and ends in another.
    pub(crate) fn translate_straddling(
        &mut self,
        bytes: &[u8],
        rip: u64,
        page: PageName,
        second: PageName,
        statistics: &mut Statistics,
    ) -> BlockId {
        discover::straddling(&mut self.plan, &mut self.classifier, bytes, rip);
        self.write(page, Some(second), Form::Whole, statistics)
    }

    /// Lets a direct jump lead to a block.
    ///
    /// # Errors
    /// [`CodeMemoryFull`] if there is no room; the jump then goes on leaving translated code.
    pub(crate) fn connect(&mut self, link: Link, to: BlockId) -> Result<(), CodeMemoryFull> {
        link::connect(&mut self.memory, &self.cache, &mut self.emitter, &mut self.exits, link, to)
    }

    /// Writes the planned block and adds it to the cache.
    fn write(&mut self, page: PageName, second: Option<PageName>, form: Form, statistics: &mut Statistics) -> BlockId {
        let place = Place {
            hot: self.memory.cursor(Area::Hot),
            cold: self.memory.cursor(Area::Cold),
            first_exit: self.exits.next(),
            page,
        };
        self.emit(place, second);
        let full = "a block is asked for only with room for it";
        self.memory.append(Area::Hot, &self.emitter.hot.bytes).expect(full);
        self.memory.append(Area::Cold, &self.emitter.cold.bytes).expect(full);
        self.exits.words.extend_from_slice(&self.emitter.exits.words);
        statistics.blocks += 1;
        statistics.instructions += self.plan.instructions.len() as u64;
        statistics.hot_bytes += self.emitter.hot.bytes.len() as u64;
        statistics.cold_bytes += self.emitter.cold.bytes.len() as u64;
        self.cache.add(Block {
            rip: self.plan.start,
            page,
            second,
            entry: self.emitter.entry,
            end: self.emitter.hot.here(),
            reads_flags: self.plan.live != 0,
            form,
        })
    }
    /// Writes the planned block, for a place, into the emitter.
    fn emit(&mut self, place: Place, second: Option<PageName>) {
        let guard = second.map(|second| {
            let word = EXECUTE + execute_slot(self.cache.page(second).address);
            Guard { word, page: second }
        });
        while let Err(unencodable) = self.emitter.block(&self.plan, place, guard) {
            // That instruction is stepped, and the block ends with it.
            self.plan.instructions.truncate(unencodable.at + 1);
            let last = &mut self.plan.instructions[unencodable.at];
            assert_ne!(last.kind, Kind::Step, "a step is not encoded");
            last.kind = Kind::Step;
            (last.reads, last.writes, last.accesses) = (0, 0, [None; 2]);
            self.plan.end = End::Left;
        }
    }

    /// The block whose often-run code is at an offset, if there is one.
    pub(crate) fn block_at(&self, pc: u64) -> Option<Block> {
        // Blocks are written behind one another.
        let blocks = self.cache.blocks();
        let next = blocks.partition_point(|block| block.entry <= pc);
        blocks[..next].last().filter(|block| pc < block.end).copied()
    }

    /// The guest's state before the host instruction at `pc` in a block, if that may fault. Faults are rare, so where they
    /// may come is not kept but found by writing the block once more, from the same bytes.
    pub(crate) fn fault_point(&mut self, pc: u64, block: &Block, bytes: CodeBytes<'_>) -> Option<Point> {
        match bytes {
            CodeBytes::Page(bytes) => _ = self.plan_block(bytes, block.rip, block.form),
            CodeBytes::Straddling(bytes) => {
                discover::straddling(&mut self.plan, &mut self.classifier, &bytes, block.rip);
            }
        }
        self.emitter.notes_faults = true;
        let place = Place { hot: block.entry, cold: self.memory.cursor(Area::Cold), first_exit: 0, page: block.page };
        self.emit(place, block.second);
        self.emitter.notes_faults = false;
        assert_eq!(self.emitter.hot.here(), block.end, "the same bytes are translated in the same way");
        self.emitter.faults.iter().find(|fault| fault.pc == pc).map(|fault| fault.point)
    }
}

/// The guest's code from which a block is translated.
#[derive(Clone, Copy, Debug)]
pub(crate) enum CodeBytes<'a> {
    /// The page in which it lies.
    Page(&'a [u8]),
    /// What is in two pages of the longest instruction.
    Straddling([u8; MAX_INSTRUCTION_BYTES]),
}
