//! The translation look-aside buffer of one address space, in the layout that translated code checks inline.
//!
//! Direct-mapped, indexed by the low bits of the page number. For data there are three parallel arrays: the page a
//! slot permits reads of, the page it permits writes of, and what to add to a guest address to get the host's. A tag
//! holds the *negated* page address, so that `address + tag` is the offset in the page exactly if the slot matches:
//!
//! ```text
//! lea s,[ea];  pext i,s,gs:[MASK];  add s,gs:[READ_TAGS+i*8];  cmp s,4096-size;  ja miss
//! mov i,gs:[ADDENDS+i*8];  op [base+i+disp]
//! ```
//!
//! A slot that permits nothing holds the tag of a page that belongs into another slot, and not into the next one either: what
//! begins in the slot's page and ends in the page behind it is looked up by its first byte, and tested by its last.
//! The buffer starts small and doubles when it proves too small; a flush costs what is in use.
//!
//! Slots are for pieces of 4 KiB, whatever the size of pages, so that translated code is the same for all schemes: a
//! larger page comes in piece by piece, and goes as a whole. Only its first piece counts as a miss.
//!
//! The block begins with a page that the processor may use as it likes: with the `gs` base at the block, registers
//! and TLB are reached by the same prefix, and a switch of address space is a change of one pointer.

use crate::frames::{SMALLEST_FRAME, ZeroedWords};
use crate::tlb_model::{Flush, FlushCause};
use crate::{Access, Entry, FrameNumber, PhysicalMemory};

/// Slots at most.
pub const MAX_SLOTS: usize = 4096;
/// Slots at first.
pub const MIN_SLOTS: usize = 256;
/// Slots of the table of executable pages.
pub const EXECUTE_SLOTS: usize = 4096;
/// Entries in the processor's cache of indirect jump targets, at most.
pub const JUMP_SLOTS: usize = 4096;

/// Words at the start of the block that belong to the processor: register file, budget, spill slots, ...
pub const PROCESSOR_WORDS: usize = 5120;
/// First word of the read tags: per slot, minus the address of the page that may be read.
pub const READ_TAGS: usize = PROCESSOR_WORDS;
/// First word of the write tags: per slot, minus the address of the page that may be written.
pub const WRITE_TAGS: usize = READ_TAGS + MAX_SLOTS;
/// First word of the addends: per slot, host address minus guest address.
pub const ADDENDS: usize = WRITE_TAGS + MAX_SLOTS;
/// First word of the executable pages: per [`execute_slot`], the processor's name for the page whose code may run, 0 if
/// none. The processor fills it in.
pub const EXECUTE: usize = ADDENDS + MAX_SLOTS;
/// First word of the processor's cache of indirect jumps, guest addresses. The processor fills it in, and empties it
/// when [`Tlb::code_generation`] has changed.
pub const JUMP_TAGS: usize = EXECUTE + EXECUTE_SLOTS;
/// First word of the processor's cache of indirect jumps, host addresses.
pub const JUMP_TARGETS: usize = JUMP_TAGS + JUMP_SLOTS;
/// Eight-byte words in a block.
pub const BLOCK_WORDS: usize = JUMP_TARGETS + JUMP_SLOTS;

/// The slot of the table of executable pages for a page. Known when code is translated, so the hash costs nothing.
pub fn execute_slot(address: u64) -> usize {
    let page = address >> 12;
    (page ^ page >> 12 ^ page >> 24) as usize & (EXECUTE_SLOTS - 1)
}

/// Makes words zero and writes only where they are not: host memory that was never used stays unused.
pub fn clear(words: &mut [u64]) {
    for part in words.chunks_mut(64) {
        if part.iter().fold(0, |all, word| all | word) != 0 {
            part.fill(0);
        }
    }
}

/// The TLB of one address space.
///
/// # Invariants
/// - it holds nothing that the page table does not permit;
/// - a write tag matches only if the entry's dirty bit is set and the frame is not known to be code.
#[derive(Debug)]
pub struct Tlb {
    block: ZeroedWords,
    host_base: u64,
    /// Bytes in a page.
    page_size: u64,
    /// Slots in use, a power of two.
    slots: usize,
    /// Fills since the last resize or flush.
    pressure: usize,
    code_generation: u64,
    data_generation: u64,
    code_marks_seen: u64,
    /// Accesses to pages of which the buffer held nothing that permits them.
    pub misses: u64,
    /// Data accesses made by guest instructions; counted by the processor.
    pub accesses: u64,
    /// Times the whole buffer was emptied.
    pub flushes: u64,
    /// What was flushed, for a model that follows; only if one does.
    log: Option<Vec<Flush>>,
}

impl Tlb {
    /// An empty buffer for pages of `memory`.
    pub fn new(memory: &PhysicalMemory) -> Tlb {
        let mut tlb = Tlb {
            block: ZeroedWords::new(BLOCK_WORDS),
            host_base: memory.host_base(),
            page_size: memory.frame_size() as u64,
            slots: MIN_SLOTS,
            pressure: 0,
            code_generation: 1,
            data_generation: 1,
            code_marks_seen: memory.code_marks(),
            misses: 0,
            accesses: 0,
            flushes: 0,
            log: None,
        };
        tlb.empty();
        tlb
    }

    /// The block of [`BLOCK_WORDS`] words, for the processor that runs on it.
    pub fn block(&self) -> &[u64] {
        &self.block
    }

    /// The block of [`BLOCK_WORDS`] words, for the processor that runs on it. It does not move while the TLB lives.
    pub fn block_mut(&mut self) -> &mut [u64] {
        &mut self.block
    }

    /// The mask that `pext` applies to an address to get its slot. Changes when the buffer grows, which only a fill does.
    pub fn mask(&self) -> u64 {
        (self.slots as u64 - 1) << 12
    }

    /// Changes whenever a page that may hold code was taken away: what the processor remembers about
    /// "address to code" of this address space is void.
    pub fn code_generation(&self) -> u64 {
        self.code_generation
    }

    /// Changes whenever a permission to read or write was taken away: what the processor remembers about data of this
    /// address space besides the buffer is void.
    pub fn data_generation(&self) -> u64 {
        self.data_generation
    }

    fn slot(&self, address: u64) -> usize {
        (address >> 12) as usize & (self.slots - 1)
    }

    /// A tag that no address with this slot matches, nor one on the page behind it.
    fn never(slot: usize) -> u64 {
        ((slot as u64 ^ 2) << 12).wrapping_neg()
    }

    /// The frame and offset for `address` if the buffer permits the access. Fetches always miss: the processor keeps
    /// translated code instead.
    #[inline]
    pub fn lookup(&self, memory: &PhysicalMemory, address: u64, access: Access) -> Option<(FrameNumber, usize)> {
        let slot = self.slot(address);
        let tag = match access {
            Access::Read => self.block[READ_TAGS + slot],
            Access::Write => self.block[WRITE_TAGS + slot],
            Access::Execute => return None,
        };
        if address.wrapping_add(tag) >= 4096 {
            return None;
        }
        let physical = address.wrapping_add(self.block[ADDENDS + slot]).wrapping_sub(self.host_base);
        let frame = FrameNumber((physical >> memory.frame_shift()) as u32);
        Some((frame, (address & (self.page_size - 1)) as usize))
    }

    /// Puts a page in, after a miss. `entry` permits `access` and has the bits set that go with it.
    pub(crate) fn fill(&mut self, memory: &PhysicalMemory, address: u64, entry: Entry, access: Access) {
        self.misses += u64::from(!self.holds_another_piece(address, access));
        if access == Access::Execute {
            return;
        }
        self.pressure += 1;
        if self.pressure > 4 * self.slots && self.slots < MAX_SLOTS {
            self.slots *= 2;
            self.empty();
        }
        let (slot, page) = (self.slot(address), address & !0xfff);
        let tag = page.wrapping_neg();
        let addend = memory.host_address(entry.frame()).wrapping_sub(address & !(self.page_size - 1));
        let write =
            access == Access::Write || self.block[WRITE_TAGS + slot] == tag && self.block[ADDENDS + slot] == addend;
        self.block[READ_TAGS + slot] = tag;
        self.block[WRITE_TAGS + slot] = if write { tag } else { Tlb::never(slot) };
        self.block[ADDENDS + slot] = addend;
    }

    /// Whether the buffer permits the access to another piece of the same page.
    fn holds_another_piece(&self, address: u64, access: Access) -> bool {
        let tags = match access {
            Access::Read => READ_TAGS,
            Access::Write => WRITE_TAGS,
            Access::Execute => return false,
        };
        let (piece, page) = (address & !0xfff, address & !(self.page_size - 1));
        (page..=page + (self.page_size - 1))
            .step_by(SMALLEST_FRAME)
            .any(|other| other != piece && self.block[tags + self.slot(other)] == other.wrapping_neg())
    }

    /// Keeps a log of what is flushed from now on ([`Self::take_log`]), or none.
    pub fn keep_log(&mut self, is_wanted: bool) {
        self.log = is_wanted.then(Vec::new);
    }

    /// What was flushed since the last call, in order.
    pub fn take_log(&mut self) -> Vec<Flush> {
        self.log.as_mut().map(std::mem::take).unwrap_or_default()
    }

    fn note(&mut self, cause: FlushCause, page: Option<u64>) {
        if let Some(log) = &mut self.log {
            log.push(Flush { cause, page });
        }
    }

    /// Forgets one page. To be called when its entry loses a permission, its accessed or dirty bit, or its frame.
    pub fn flush_page(&mut self, address: u64, cause: FlushCause) {
        self.note(cause, Some(address));
        self.data_generation += 1;
        let page = address & !(self.page_size - 1);
        for piece in (page..=page + (self.page_size - 1)).step_by(SMALLEST_FRAME) {
            self.flush_piece(piece);
        }
    }

    fn flush_piece(&mut self, piece: u64) {
        let (slot, tag) = (self.slot(piece), piece.wrapping_neg());
        if self.block[READ_TAGS + slot] == tag || self.block[WRITE_TAGS + slot] == tag {
            self.block[READ_TAGS + slot] = Tlb::never(slot);
            self.block[WRITE_TAGS + slot] = Tlb::never(slot);
        }
        let slot = EXECUTE + execute_slot(piece);
        if self.block[slot] != 0 {
            self.block[slot] = 0;
            self.code_generation += 1;
        }
    }

    /// Forgets everything.
    pub fn flush(&mut self, cause: FlushCause) {
        self.note(cause, None);
        self.forget();
    }

    fn forget(&mut self) {
        self.flushes += 1;
        self.pressure = 0;
        clear(&mut self.block[EXECUTE..EXECUTE + EXECUTE_SLOTS]);
        self.code_generation += 1;
        self.data_generation += 1;
        self.empty();
    }

    /// What the buffer permits for data: addresses of pieces of pages, their frames, and whether they may be written too.
    pub fn cached<'a>(&'a self, memory: &'a PhysicalMemory) -> impl Iterator<Item = (u64, FrameNumber, Access)> + 'a {
        (0..self.slots).flat_map(|slot| {
            let cached = |tags: usize, access| {
                let page = self.block[tags + slot].wrapping_neg();
                let (frame, _) = self.lookup(memory, page, access).filter(|_| self.slot(page) == slot)?;
                Some((page, frame, access))
            };
            [cached(READ_TAGS, Access::Read), cached(WRITE_TAGS, Access::Write)].into_iter().flatten()
        })
    }

    /// Makes the buffer as good as new for another address space, without a new allocation.
    pub fn recycle(&mut self, memory: &PhysicalMemory) {
        self.slots = MIN_SLOTS;
        self.forget();
        self.log = None;
        self.code_marks_seen = memory.code_marks();
        (self.misses, self.accesses, self.flushes) = (0, 0, 0);
    }

    /// Forgets all permissions to write: fork made the address space copy-on-write.
    pub fn flush_writes(&mut self) {
        self.note(FlushCause::Fork, None);
        self.forget_writes();
    }

    fn forget_writes(&mut self) {
        self.data_generation += 1;
        for slot in 0..self.slots {
            self.block[WRITE_TAGS + slot] = Tlb::never(slot);
        }
    }

    /// Forgets permissions to write to frames that have become code since the last call
    /// ([`PhysicalMemory::mark_code`]). The processor calls it before it runs on this TLB, and after it marked a frame.
    pub fn revoke_writes_to_code(&mut self, memory: &PhysicalMemory) {
        if self.code_marks_seen != memory.code_marks() {
            self.code_marks_seen = memory.code_marks();
            self.forget_writes();
        }
    }

    fn empty(&mut self) {
        for slot in 0..self.slots {
            self.block[READ_TAGS + slot] = Tlb::never(slot);
            self.block[WRITE_TAGS + slot] = Tlb::never(slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PageSize, PageTable, PagingScheme, mmu};

    fn one_page(bits: u64) -> (PhysicalMemory, PageTable, Tlb, FrameNumber) {
        let mut memory = PhysicalMemory::new(1 << 20).unwrap();
        let mut table = PageTable::new(PagingScheme::x86_64(), &mut memory).unwrap();
        let frame = memory.allocate_zeroed().unwrap();
        table.set(&mut memory, 0x7000, Entry::new(frame, Entry::USER | bits)).unwrap();
        let tlb = Tlb::new(&memory);
        (memory, table, tlb, frame)
    }

    #[test]
    fn a_read_does_not_permit_a_later_write_without_a_walk() {
        let (mut memory, mut table, mut tlb, frame) = one_page(Entry::WRITABLE);
        assert_eq!(mmu::translate(&mut memory, &mut table, &mut tlb, 0x7123, Access::Read), Ok((frame, 0x123)));
        assert_eq!(tlb.lookup(&memory, 0x7fff, Access::Read), Some((frame, 0xfff)));
        assert_eq!(tlb.lookup(&memory, 0x7000, Access::Write), None);
        assert!(!table.entry(&memory, 0x7000).is_dirty());
        mmu::translate(&mut memory, &mut table, &mut tlb, 0x7000, Access::Write).unwrap();
        assert!(table.entry(&memory, 0x7000).is_dirty());
        assert_eq!(tlb.lookup(&memory, 0x7000, Access::Write), Some((frame, 0)));
        tlb.flush_page(0x7fff, FlushCause::Unmap);
        assert_eq!(tlb.lookup(&memory, 0x7000, Access::Read), None);
        assert_eq!(tlb.misses, 2);
    }

    #[test]
    fn a_slot_that_permits_nothing_matches_no_address() {
        let (memory, _, tlb, _) = one_page(0);
        for page in 0..2 * MIN_SLOTS as u64 {
            for address in [page << 12, (page << 12) + 4095, (page << 12) | 1 << 63] {
                assert_eq!(tlb.lookup(&memory, address, Access::Read), None);
                assert_eq!(tlb.lookup(&memory, address, Access::Write), None);
            }
            // Translated code looks at the slot of the first byte, and at the tag with the last.
            for tags in [READ_TAGS, WRITE_TAGS] {
                let tag = tlb.block()[tags + tlb.slot(page << 12)];
                assert!(((page + 1) << 12).wrapping_add(tag) >= 4096, "page {page:#x} and what crosses its end");
            }
        }
    }

    #[test]
    fn a_frame_that_became_code_is_written_through_a_walk_again() {
        let (mut memory, mut table, mut tlb, frame) = one_page(Entry::WRITABLE);
        mmu::translate(&mut memory, &mut table, &mut tlb, 0x7000, Access::Write).unwrap();
        memory.mark_code(frame);
        tlb.revoke_writes_to_code(&memory);
        assert_eq!(tlb.lookup(&memory, 0x7000, Access::Write), None);
        mmu::translate(&mut memory, &mut table, &mut tlb, 0x7000, Access::Write).unwrap();
        assert_eq!(memory.take_code_writes(), [frame]);
    }

    #[test]
    fn a_large_page_is_missed_once_though_it_comes_in_pieces() {
        let size = PageSize::of_bits(14).unwrap();
        let mut memory = PhysicalMemory::with_frames_of(size, 1 << 20).unwrap();
        let mut table = PageTable::new(PagingScheme::parse("8-8-14").unwrap(), &mut memory).unwrap();
        let frame = memory.allocate_zeroed().unwrap();
        table.set(&mut memory, 0x8000, Entry::new(frame, Entry::USER | Entry::WRITABLE)).unwrap();
        let mut tlb = Tlb::new(&memory);
        let mut misses = |address, access| {
            let before = tlb.misses;
            mmu::translate(&mut memory, &mut table, &mut tlb, address, access).unwrap();
            tlb.misses - before
        };
        assert_eq!([0x8000, 0x9000, 0xbfff, 0x8fff].map(|address| misses(address, Access::Read)), [1, 0, 0, 0]);
        assert_eq!([0xa000, 0xb000, 0x8000].map(|address| misses(address, Access::Write)), [1, 0, 0]);
        tlb.flush_page(0x9000, FlushCause::Unmap);
        assert_eq!(tlb.cached(&memory).count(), 0);
        mmu::translate(&mut memory, &mut table, &mut tlb, 0xb000, Access::Read).unwrap();
        assert_eq!(tlb.misses, 3);
    }

    #[test]
    fn a_forbidden_access_faults_with_the_reason() {
        let (mut memory, mut table, mut tlb, _) = one_page(Entry::NO_EXECUTE);
        let fault = mmu::translate(&mut memory, &mut table, &mut tlb, 0x7010, Access::Write).unwrap_err();
        assert_eq!((fault.present, fault.error_code()), (true, 0b111));
        let fault = mmu::translate(&mut memory, &mut table, &mut tlb, 0x7010, Access::Execute).unwrap_err();
        assert_eq!((fault.present, fault.error_code()), (true, 0b10101));
        let fault = mmu::translate(&mut memory, &mut table, &mut tlb, 0x8000, Access::Read).unwrap_err();
        assert_eq!((fault.present, fault.error_code()), (false, 0b100));
    }
}
