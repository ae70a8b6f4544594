//! The processor: runs translated code, and does what translated code leaves to it.

use crate::assist;
use crate::cache::{BlockId, Form, NO_PAGE, PageName};
use crate::code::{Code, CodeBytes, SHORT_INSTRUCTIONS};
use crate::discover::{self, MAX_INSTRUCTION_BYTES};
use crate::exits::{Exit as Leave, Miss, Point};
use crate::image::{self, BadImage};
use crate::native::{self, context};
use crate::options::{Options, Statistics};
use crate::plan::{Access as DataAccess, Segment};
use crate::step::{Stepper, is_retired};
use iced_x86::{Decoder, DecoderOptions};
use machine::mmu::{self, Access};
use machine::tlb::{EXECUTE, EXECUTE_SLOTS, execute_slot};
use machine::{Exit, FrameNumber, PageFault, Processor, Registers, SMALLEST_FRAME, Slice, Space, Tlb, Trap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// RFLAGS.TF, .DF and .AC: with any of them set, instructions are executed one by one.
const STEPPED_FLAGS: u64 = 1 << 8 | 1 << 10 | 1 << 18;
/// ES in the low byte of the x87 status word. Intel SDM 1 8.1.3.
const X87_PENDING: u8 = 1 << 7;
/// The bits of the budget word that count data accesses.
const ACCESS_BITS: u32 = 20;
/// How many places are remembered at which slices ended.
const ENDING_PLACES: usize = 4096;
/// Numbers of registers: `syscall`'s for rip and rflags, and the stack's.
const RCX: usize = 1;
const RSP: usize = 4;
const R11: usize = 11;

/// An x86-64-v3 processor that translates guest code to host code.
///
/// It knows code by address and frame number, so all its runs must be on one [`machine::PhysicalMemory`].
#[derive(Debug)]
pub struct X86Processor {
    options: Options,
    code: Code,
    stepper: Stepper,
    /// Changes whenever host addresses that TLB blocks remember become void. No other processor uses the same.
    epoch: u64,
    /// Places where slices ended lately: address and length.
    endings: Vec<u64>,
    statistics: Statistics,
}

/// Why translated code came to an end, the guest's state being in `Registers` again.
enum Outcome {
    /// The run is over.
    Trap(Trap),
    /// The next instruction is to be stepped.
    Step,
    /// Fewer instructions are left than the next block has.
    Finish,
    Syscall {
        next: u64,
    },
}

/// Why an address has no translated code.
enum Unresolved {
    Fault(PageFault),
    /// It has to be stepped.
    Step,
}

/// How an access that missed goes on.
enum Missed {
    /// In translated code, here.
    Resume(u64),
    Fault(PageFault),
    Step,
    /// In a block that checks each access by itself.
    Apart,
}

impl X86Processor {
    /// A processor with the default options.
    ///
    /// # Errors
    /// `Unsupported` if the host's processor is not an x86-64-v3; the host's error if it gives no executable memory or
    /// the fault handlers cannot be installed.
    pub fn new() -> std::io::Result<X86Processor> {
        X86Processor::with_options(Options::default())
    }

    /// A processor with options.
    ///
    /// # Errors
    /// As [`Self::new`]; `InvalidInput` if an option is out of range.
    pub fn with_options(options: Options) -> std::io::Result<X86Processor> {
        let code_bytes_are_valid =
            options.code_bytes.is_power_of_two() && (1 << 20..=1 << 30).contains(&options.code_bytes);
        if !code_bytes_are_valid || !(1..=discover::MAX_INSTRUCTIONS).contains(&options.block_instructions) {
            return Err(std::io::ErrorKind::InvalidInput.into());
        }
        native::prepare()?;
        Ok(X86Processor {
            code: Code::new(&options)?,
            options,
            stepper: Stepper::new(options.processors)?,
            epoch: new_epoch(),
            endings: vec![u64::MAX; ENDING_PLACES],
            statistics: Statistics::default(),
        })
    }

    /// What the processor did so far.
    pub fn statistics(&self) -> Statistics {
        self.statistics
    }

    /// What a saved image depends on besides the program that saved it: options, and the host's processor.
    pub fn identity(&self) -> String {
        let Options { traces, follow, groups, block_instructions, code_bytes, .. } = self.options;
        format!("{traces} {follow} {groups} {block_instructions} {code_bytes} {}", native::processor_name())
    }

    /// All translated code, to be kept for later runs of the same build of this program on the same processor.
    pub fn save(&self) -> Vec<u8> {
        image::save(&self.code)
    }

    /// Takes over what was [saved](Self::save), before the first run. It must be certain that the bytes are that: they are
    /// executed. What guests compute does not depend on it.
    ///
    /// # Errors
    /// [`BadImage`], and there is no translated code.
    pub fn restore(&mut self, saved: &[u8]) -> Result<(), BadImage> {
        self.code.clear();
        let result = image::restore(&mut self.code, saved);
        if result.is_err() {
            self.code.clear();
        }
        self.statistics.restored = self.code.cache.blocks().len() as u64;
        self.epoch = new_epoch();
        result
    }

    /// The guest addresses at which translated blocks begin, ascending.
    pub fn block_addresses(&self) -> Vec<u64> {
        let mut addresses: Vec<u64> = self.code.cache.blocks().iter().map(|block| block.rip).collect();
        addresses.sort_unstable();
        addresses.dedup();
        addresses
    }

    /// The host code of the blocks that begin at a guest address, for people who look at what the translator does.
    pub fn listing(&self, rip: u64) -> String {
        let mut text = String::new();
        for block in self.code.cache.blocks().iter().filter(|block| block.rip == rip) {
            let bytes = self.code.memory.bytes(block.entry, (block.end - block.entry) as usize);
            text.push_str(&format!("block {rip:#x}, {:?}, flags read: {}\n", block.form, block.reads_flags));
            for instruction in &mut Decoder::with_ip(64, bytes, block.entry, DecoderOptions::NONE) {
                text.push_str(&format!("    {:x} {instruction}\n", instruction.ip()));
            }
        }
        text
    }

    /// Runs translated code from `host` on until something else is to be done. The guest's state is in `registers`
    /// before and after.
    fn translated(&mut self, space: &mut Space<'_>, registers: &mut Registers, left: &mut u64, host: u64) -> Outcome {
        load(space.tlb, registers, *left);
        let (outcome, rip) = self.run_blocks(space, registers, host);
        let block = space.tlb.block_mut();
        if block[context::X87_ABSENT] == 0 {
            native::save_x87(&mut registers.extended);
            assist::clean_x87(&mut registers.extended);
        }
        *left = block[context::BUDGET] >> ACCESS_BITS;
        registers.general.copy_from_slice(&block[context::GENERAL..context::GENERAL + 16]);
        registers.rip = rip;
        registers.rflags = registers.rflags & !context::NATIVE_FLAGS | block[context::RFLAGS] & context::NATIVE_FLAGS;
        let accesses = (block[context::BUDGET] & ((1 << ACCESS_BITS) - 1)) + block[context::EXTRA_ACCESSES];
        space.tlb.accesses += accesses;
        outcome
    }

    /// Enters translated code again and again. On return the guest's general registers are in the context; rip is
    /// returned.
    fn run_blocks(&mut self, space: &mut Space<'_>, registers: &mut Registers, mut host: u64) -> (Outcome, u64) {
        loop {
            forget_sites(space.tlb);
            native::run(&self.code.memory, space.tlb.block_mut(), &mut registers.extended, host);
            let number = space.tlb.block()[context::EXIT];
            if number == context::EXIT_FAULT {
                let point = self.faulted(space);
                apply(space.tlb, point);
                return (Outcome::Step, point.rip);
            }
            let target = match self.code.exits.get(number as u32) {
                Leave::Miss(miss) => {
                    self.statistics.misses += 1;
                    match self.missed(space, miss) {
                        Missed::Resume(at) => {
                            host = at;
                            continue;
                        }
                        Missed::Apart => {
                            apply(space.tlb, miss.point);
                            match self.resolve(space, miss.point.rip, Form::Apart) {
                                Ok(id) => host = self.code.cache.block(id).entry,
                                Err(unresolved) => return (unresolved.into(), miss.point.rip),
                            }
                            continue;
                        }
                        Missed::Fault(fault) => {
                            apply(space.tlb, miss.point);
                            return (Outcome::Trap(Trap::PageFault(fault)), miss.point.rip);
                        }
                        Missed::Step => {
                            apply(space.tlb, miss.point);
                            return (Outcome::Step, miss.point.rip);
                        }
                    }
                }
                Leave::LoadX87(at) => {
                    native::load_x87(&registers.extended);
                    space.tlb.block_mut()[context::X87_ABSENT] = 0;
                    host = at;
                    continue;
                }
                Leave::Stop(target) => return (Outcome::Finish, target),
                Leave::Budget(point) => {
                    apply(space.tlb, point);
                    return (Outcome::Finish, point.rip);
                }
                Leave::Step(point) => {
                    apply(space.tlb, point);
                    return (Outcome::Step, point.rip);
                }
                Leave::Syscall { point, next } => {
                    apply(space.tlb, point);
                    return (Outcome::Syscall { next }, point.rip);
                }
                Leave::Link(link) => {
                    let resets = self.statistics.resets;
                    let form = if link.apart { Form::Apart } else { Form::Whole };
                    match self.resolve(space, link.target, form) {
                        Ok(id) => {
                            host = self.code.cache.block(id).entry;
                            // Without room the jump stays unlinked until everything is forgotten.
                            if self.statistics.resets == resets {
                                let _ = self.code.connect(link, id);
                            }
                            continue;
                        }
                        Err(unresolved) => return (unresolved.into(), link.target),
                    }
                }
                Leave::Go(target) => {
                    // A guard did not hold, and the block that the jump cache has may be the one that said so: an
                    // instruction across pages whose second page lost its slot to another page.
                    context::forget_jump(space.tlb.block_mut(), target);
                    target
                }
                Leave::Indirect { point, moved } => {
                    let target = space.tlb.block()[context::RIP];
                    if !is_canonical(space, target) {
                        // The jump itself faults. Intel SDM 2A `jmp`. A return address was pushed, which nobody misses.
                        apply(space.tlb, point);
                        let rsp = &mut space.tlb.block_mut()[context::GENERAL + RSP];
                        *rsp = rsp.wrapping_add_signed(-i64::from(moved));
                        return (Outcome::Step, point.rip);
                    }
                    target
                }
            };
            match self.locate(space, target) {
                Ok(found) => host = found,
                Err(unresolved) => return (unresolved.into(), target),
            }
        }
    }

    /// The point at which the host instruction that faulted stands for the guest's.
    fn faulted(&mut self, space: &Space<'_>) -> Point {
        let pc = space.tlb.block()[context::FAULT_PC] - self.code.memory.range().start;
        let block = self.code.block_at(pc);
        let point = block.and_then(|block| {
            let bytes = match block.second {
                None => CodeBytes::Page(page_bytes(space, block.rip)),
                Some(_) => CodeBytes::Straddling(straddling_bytes(space, block.rip)?),
            };
            self.code.fault_point(pc, &block, bytes)
        });
        point.unwrap_or_else(|| {
            let words = space.tlb.block();
            panic!(
                "translated code raised signal {} at {pc:#x} (address {:#x}), where no guest instruction can: {:02x?}",
                words[context::FAULT_SIGNAL] as u32,
                words[context::FAULT_ADDRESS],
                self.code.memory.bytes(pc, MAX_INSTRUCTION_BYTES),
            )
        })
    }

    /// Serves an access that the inlined check did not permit.
    fn missed(&mut self, space: &mut Space<'_>, miss: Miss) -> Missed {
        let address = address_of(space.tlb.block(), &miss.access, miss.point.evicted);
        let access = if miss.access.write { Access::Write } else { Access::Read };
        let size = u64::from(miss.access.size);
        let last = address.wrapping_add(size - 1);
        if !is_canonical(space, address) || !is_canonical(space, last) {
            return Missed::Step;
        }
        // A misaligned operand of an instruction that wants it aligned is #GP, also where nothing is mapped.
        let fault = |fault| if size >= 16 && address & (size - 1) != 0 { Missed::Step } else { Missed::Fault(fault) };
        let Space { memory, table, tlb, .. } = space;
        let (frame, offset) = match mmu::translate(memory, table, tlb, address, access) {
            Ok(found) => found,
            Err(error) => return fault(error),
        };
        if memory.has_code_writes() {
            return Missed::Step;
        }
        let shared = miss.size != miss.access.size || miss.write != miss.access.write;
        if shared {
            return self.missed_group(space, miss, address);
        }
        let mut resume = miss.retry;
        if last & !0xfff != address & !0xfff {
            match mmu::translate(memory, table, tlb, last & !0xfff, access) {
                // Frames that follow one another are one range for the host, and so are the pieces of a larger page.
                Ok((next, next_offset)) => {
                    let next = memory.host_address(next) + next_offset as u64;
                    if next != ((memory.host_address(frame) + offset as u64) & !0xfff) + 0x1000 {
                        return Missed::Step;
                    }
                    resume = miss.pass;
                }
                Err(error) => return fault(error),
            }
        }
        if memory.has_code_writes() {
            return Missed::Step;
        }
        let mask = tlb.mask();
        let host = memory.host_address(frame) + offset as u64;
        let block = tlb.block_mut();
        block[context::MASK] = mask;
        if resume == miss.pass {
            let word = match miss.addend {
                14 => context::SCRATCH_14,
                15 => context::SCRATCH_15,
                register => context::GENERAL + usize::from(register),
            };
            block[word] = host.wrapping_sub(address);
        }
        Missed::Resume(resume)
    }

    /// Serves a check for several accesses; the access at hand, to `address`, is permitted by itself.
    fn missed_group(&mut self, space: &mut Space<'_>, miss: Miss, address: u64) -> Missed {
        let Space { memory, table, tlb, .. } = space;
        let first = address.wrapping_add_signed(i64::from(miss.low));
        if first >> 12 != address >> 12 || first.wrapping_add(u64::from(miss.size) - 1) >> 12 != first >> 12 {
            return Missed::Apart;
        }
        if miss.write && !miss.access.write {
            // The store comes later: until then nothing of it may show.
            let entry = table.entry(memory, address);
            if !entry.is_writable() || !entry.is_dirty() || memory.is_code(entry.frame()) {
                return Missed::Apart;
            }
            let filled = mmu::translate(memory, table, tlb, address, Access::Write);
            assert!(filled.is_ok(), "a writable page may be written");
        }
        if memory.has_code_writes() {
            return Missed::Step;
        }
        let mask = tlb.mask();
        let block = tlb.block_mut();
        block[context::MASK] = mask;
        Missed::Resume(miss.retry)
    }

    /// The host code for a guest address, by the address space's jump cache.
    fn locate(&mut self, space: &mut Space<'_>, rip: u64) -> Result<u64, Unresolved> {
        let base = self.code.memory.range().start;
        if let Some(host) = context::find_jump(space.tlb.block(), rip) {
            return Ok(host - base);
        }
        let id = self.resolve(space, rip, Form::Whole)?;
        let entry = self.code.cache.block(id).entry;
        context::enter_jump(space.tlb.block_mut(), rip, base + entry);
        Ok(entry)
    }

    /// The block at a guest address, translated if need be.
    fn resolve(&mut self, space: &mut Space<'_>, rip: u64, form: Form) -> Result<BlockId, Unresolved> {
        self.statistics.dispatches += 1;
        if self.code.is_full() {
            self.forget_all(space.tlb);
        }
        let page = self.code_page(space, rip)?;
        if let Some(id) = self.code.cache.find(rip, page, form) {
            return Ok(id);
        }
        let bytes = page_bytes(space, rip);
        let begin = self.options.measure.then(Instant::now);
        let id = self.code.translate(bytes, rip, page, form, &mut self.statistics);
        self.statistics.translation_ns += begin.map_or(0, |begin| begin.elapsed().as_nanos() as u64);
        match id {
            Some(id) => Ok(id),
            None => self.straddling(space, rip, page),
        }
    }

    /// What executes the last `left` instructions of a slice, or the first of them; none if they are to be stepped.
    /// Blocks for it are made only for places where slices have ended before: most do where the program spends its time.
    fn ending(&mut self, rip: u64, left: u64) -> Option<Form> {
        let power = left.ilog2().min(u32::from(Form::ENDINGS) - 1);
        let place = rip << 3 | u64::from(power);
        let seen = &mut self.endings[(place ^ place >> 12) as usize % ENDING_PLACES];
        if *seen == place {
            return Some(Form::Ending(power as u8));
        }
        *seen = place;
        (left >= SHORT_INSTRUCTIONS as u64).then_some(Form::Apart)
    }

    /// The block of an instruction that goes over the end of its page.
    fn straddling(&mut self, space: &mut Space<'_>, rip: u64, page: PageName) -> Result<BlockId, Unresolved> {
        let next_address = (rip & !0xfff).wrapping_add(0x1000);
        if execute_slot(next_address) == execute_slot(rip) {
            return Err(Unresolved::Step);
        }
        let second = self.code_page(space, next_address)?;
        if let Some(id) = self.code.cache.find_straddling(rip, page, second) {
            return Ok(id);
        }
        let bytes = straddling_bytes(space, rip).ok_or(Unresolved::Step)?;
        Ok(self.code.translate_straddling(&bytes, rip, page, second, &mut self.statistics))
    }

    /// The page from which code at an address is executed.
    fn code_page(&mut self, space: &mut Space<'_>, rip: u64) -> Result<PageName, Unresolved> {
        let address = rip & !0xfff;
        let slot = EXECUTE + execute_slot(rip);
        let known = PageName(space.tlb.block()[slot] as u32);
        if known != NO_PAGE && self.code.cache.page(known).address == address {
            return Ok(known);
        }
        if !is_canonical(space, rip) {
            return Err(Unresolved::Step);
        }
        // The counters are about data: how often code is fetched depends on the way it is run.
        let misses = space.tlb.misses;
        let found = mmu::translate(space.memory, space.table, space.tlb, rip, Access::Execute);
        space.tlb.misses = misses;
        let (frame, _) = found.map_err(Unresolved::Fault)?;
        let name = match self.code.cache.bound(frame, address) {
            Some(name) => name,
            None => {
                mark_code(space, frame);
                let hash = *blake3::hash(space.memory.bytes(frame)).as_bytes();
                let name = self.code.cache.name(address, hash);
                self.code.cache.bind(frame, name);
                name
            }
        };
        space.tlb.block_mut()[slot] = u64::from(name.0);
        Ok(name)
    }

    /// Looks again at what frames hold that were written, if any.
    fn forget_written(&mut self, space: &mut Space<'_>) {
        if !space.memory.has_code_writes() {
            return;
        }
        for frame in space.memory.take_code_writes() {
            self.statistics.invalidations += 1;
            self.code.cache.unbind(frame);
        }
        self.epoch = new_epoch();
        self.attach(space.tlb);
    }

    /// Forgets all blocks, to have room for new ones.
    fn forget_all(&mut self, tlb: &mut Tlb) {
        self.statistics.resets += 1;
        self.code.clear();
        self.epoch = new_epoch();
        self.attach(tlb);
    }

    /// Makes a TLB block ready for this processor: what it remembers about host code is true afterwards.
    fn attach(&self, tlb: &mut Tlb) {
        let generation = tlb.code_generation();
        let block = tlb.block_mut();
        if block[context::EPOCH] == self.epoch && block[context::CODE_GENERATION] == generation {
            return;
        }
        if block[context::EPOCH] == 0 {
            // A new block is all zeroes, and stays untouched where it is not used.
            context::initialise(block);
        } else {
            context::forget_jumps(block);
            if block[context::EPOCH] != self.epoch {
                // Names of pages are a processor's own.
                machine::tlb::clear(&mut block[EXECUTE..EXECUTE + EXECUTE_SLOTS]);
            }
        }
        block[context::EPOCH] = self.epoch;
        block[context::CODE_GENERATION] = generation;
    }
}

impl From<Unresolved> for Outcome {
    fn from(unresolved: Unresolved) -> Outcome {
        match unresolved {
            Unresolved::Fault(fault) => Outcome::Trap(Trap::PageFault(fault)),
            Unresolved::Step => Outcome::Step,
        }
    }
}

impl Processor for X86Processor {
    fn run(&mut self, mut space: Space<'_>, registers: &mut Registers, slice: Slice) -> Exit {
        let limit = slice.instructions.min(Slice::MAX_INSTRUCTIONS);
        let mut left = limit;
        registers.extended.mxcsr &= 0xffff;
        self.attach(space.tlb);
        space.tlb.revoke_writes_to_code(space.memory);
        // A model has to see every access, and sees those of single instructions.
        let steps_only = self.options.step_only || space.model.is_some();
        // What ends: the slice, whose last instructions are fewer than the next block's.
        let (mut step, mut ends) = (false, false);
        let trap = loop {
            if left == 0 {
                break Trap::Budget;
            }
            if step || steps_only || registers.rflags & STEPPED_FLAGS != 0 {
                step = false;
                self.statistics.steps += 1;
                let time_stamp = slice.time_stamp.wrapping_add(limit - left);
                match self.stepper.step(&mut space, registers, time_stamp) {
                    Ok(()) => left -= 1,
                    Err(trap) => {
                        left -= u64::from(is_retired(&trap));
                        break trap;
                    }
                }
                continue;
            }
            self.forget_written(&mut space);
            let entry = if ends {
                let Some(form) = self.ending(registers.rip, left) else {
                    step = true;
                    continue;
                };
                self.resolve(&mut space, registers.rip, form).map(|id| self.code.cache.block(id).entry)
            } else {
                self.locate(&mut space, registers.rip)
            };
            let outcome = match entry {
                Ok(host) => self.translated(&mut space, registers, &mut left, host),
                Err(unresolved) => unresolved.into(),
            };
            match outcome {
                // A pending x87 exception comes before the fault of an operand.
                Outcome::Trap(Trap::PageFault(_)) if registers.extended.fxsave[2] & X87_PENDING != 0 => step = true,
                // The instruction that would fault is behind the slice.
                Outcome::Trap(_) if left == 0 => {}
                Outcome::Trap(trap) => break trap,
                Outcome::Step => step = true,
                Outcome::Finish => ends = true,
                Outcome::Syscall { .. } if left == 0 => {}
                Outcome::Syscall { next } => {
                    left -= 1;
                    registers.general[RCX] = next;
                    registers.general[R11] = registers.rflags;
                    registers.rip = next;
                    break Trap::Syscall;
                }
            }
        };
        Exit { trap, instructions: limit - left }
    }
}

/// Puts the guest's state into the context.
fn load(tlb: &mut Tlb, registers: &Registers, left: u64) {
    let mask = tlb.mask();
    let block = tlb.block_mut();
    block[context::GENERAL..context::GENERAL + 16].copy_from_slice(&registers.general);
    block[context::RFLAGS] = registers.rflags;
    block[context::FS_BASE] = registers.fs_base;
    block[context::GS_BASE] = registers.gs_base;
    block[context::BUDGET] = left << ACCESS_BITS;
    block[context::EXTRA_ACCESSES] = 0;
    block[context::X87_ABSENT] = 1;
    block[context::MASK] = mask;
}

/// Empties the sites if what they remember may have been taken away.
fn forget_sites(tlb: &mut Tlb) {
    let generation = tlb.data_generation();
    let block = tlb.block_mut();
    if block[context::DATA_GENERATION] != generation {
        block[context::DATA_GENERATION] = generation;
        context::forget_sites(block);
    }
}

/// Makes the context tell the guest's exact state at a point.
fn apply(tlb: &mut Tlb, point: Point) {
    let block = tlb.block_mut();
    block[context::BUDGET] = block[context::BUDGET].wrapping_add_signed(i64::from(point.refund));
    for register in (0..16).filter(|register| point.evicted >> register & 1 != 0) {
        block[context::GENERAL + register] = block[context::SPILL + register];
    }
}

/// The guest address of an access.
fn address_of(block: &[u64], access: &DataAccess, evicted: u16) -> u64 {
    let value = |register: u8| {
        let word = if evicted >> register & 1 != 0 { context::SPILL } else { context::GENERAL };
        block[word + usize::from(register)]
    };
    let base = access.base.map_or(0, value);
    let index = access.index.map_or(0, |(register, scale)| value(register) << scale);
    let segment = match access.segment {
        Some(Segment::Fs) => block[context::FS_BASE],
        Some(Segment::Gs) => block[context::GS_BASE],
        None => 0,
    };
    base.wrapping_add(index).wrapping_add(segment).wrapping_add(access.displacement as u64)
}

/// Whether the bits of an address above those that are translated all equal the highest of these. Intel SDM 1 3.3.7.1.
fn is_canonical(space: &Space<'_>, address: u64) -> bool {
    let unused = 64 - space.table.scheme().canonical_bits();
    (address as i64) << unused >> unused == address as i64
}

/// The 4 KiB of a page from which code is executed.
fn page_bytes<'a>(space: &'a Space<'_>, rip: u64) -> &'a [u8] {
    let bytes = space.memory.bytes(space.table.entry(space.memory, rip).frame());
    let offset = space.memory.page_size().offset(rip) as usize & !(SMALLEST_FRAME - 1);
    &bytes[offset..offset + SMALLEST_FRAME]
}

/// The bytes of the longest instruction that may begin in one page and end in the next. `None` if none from `rip` reaches
/// the next.
fn straddling_bytes(space: &Space<'_>, rip: u64) -> Option<[u8; MAX_INSTRUCTION_BYTES]> {
    let mut bytes = [0; MAX_INSTRUCTION_BYTES];
    let here = 0x1000 - (rip & 0xfff) as usize;
    if here >= MAX_INSTRUCTION_BYTES {
        return None;
    }
    let next = (rip & !0xfff).wrapping_add(0x1000);
    bytes[..here].copy_from_slice(&page_bytes(space, rip)[0x1000 - here..]);
    bytes[here..].copy_from_slice(&page_bytes(space, next)[..MAX_INSTRUCTION_BYTES - here]);
    Some(bytes)
}

/// Has writes to a frame reported from now on.
fn mark_code(space: &mut Space<'_>, frame: FrameNumber) {
    if !space.memory.is_code(frame) {
        space.memory.mark_code(frame);
        space.tlb.revoke_writes_to_code(space.memory);
    }
}

/// A number that no processor of this process has used before. Guests cannot see it.
fn new_epoch() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
