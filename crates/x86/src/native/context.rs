//! The words at the start of a TLB block that belong to the processor, by index. Rust has them as `block[word]`,
//! translated code as `[r13 + offset(word)]`, single instructions (`native::enter`) as `gs:[displacement(word)]`.
//!
//! Guest registers 0 to 12 (rax to r12) live in the host registers of the same number while translated code runs.
//! Guest r13, r14 and r15 live in their words all the time: the host's r13 is the address of the context plus a bias
//! that puts its hot words within reach of one-byte displacements, r14 and r15 are scratch.

use machine::tlb::{JUMP_SLOTS, JUMP_TAGS, JUMP_TARGETS, PROCESSOR_WORDS};

/// The guest's sixteen general-purpose registers, by number.
pub const GENERAL: usize = 0;
/// The guest's rip, where an exit left it; not kept up to date in between.
pub const RIP: usize = 16;
/// Instructions left in the upper 44 bits, data accesses made in the lower 20.
pub const BUDGET: usize = 17;
/// Why translated code came back: a number that translated code sets, or [`EXIT_FAULT`].
pub const EXIT: usize = 18;
/// What `pext` takes a TLB slot out of an address with: `Tlb::mask`.
pub const MASK: usize = 19;
/// 1 << 63.
pub const SIGN: usize = 20;
/// All bits of an address but the offset in its page.
pub const PAGE_MASK: usize = 21;
/// The bits of an address that are the offset in its page.
pub const OFFSET_MASK: usize = 22;
/// What `pext` takes a slot of the jump cache out of an address with. Changes when the cache grows.
pub const JUMP_MASK: usize = 23;
/// Base of the guest's fs segment.
pub const FS_BASE: usize = 24;
/// Base of the guest's gs segment.
pub const GS_BASE: usize = 25;
/// Not 0 if the guest's x87 state is in memory and not in the host's registers.
pub const X87_ABSENT: usize = 26;
/// Data accesses that could not be counted when their block was translated (repeated string instructions).
pub const EXTRA_ACCESSES: usize = 27;
/// Entries made in the jump cache since it grew last.
pub const JUMP_FILLS: usize = 28;
/// A host register while a site looks into the TLB.
pub const COLD: usize = 29;
/// Flags of the host meanwhile: ah as `lahf` has it, al the overflow flag.
pub const KEPT_FLAGS: usize = 30;
/// Elements of a repeated string instruction that come later.
pub const LATER: usize = 31;
/// By the logarithm of a size up to 8: all bits of an address but the offset in its page, and those that are zero if it
/// is a multiple of the size.
pub const ALIGNED_MASKS: usize = 1000;
/// Values of host registers that translated code borrowed, by number.
pub const SPILL: usize = 32;
/// The guest's flags CF, PF, AF, ZF, SF, DF and OF; other bits are not the guest's.
pub const RFLAGS: usize = 48;
/// The host's r14.
pub const SCRATCH_14: usize = 49;
/// The host's r15.
pub const SCRATCH_15: usize = 50;
/// The host's r13, for single instructions.
pub const SCRATCH_13: usize = 51;
/// The host's stack pointer meanwhile.
pub const HOST_RSP: usize = 52;
/// Address of the `ExtendedState` in whose `ymm` and `mxcsr` an exit leaves the vector registers.
pub const EXTENDED: usize = 53;
/// Where entry jumps to.
pub const TARGET: usize = 54;
/// The host instruction that faulted, if [`EXIT`] is [`EXIT_FAULT`].
pub const FAULT_PC: usize = 55;
/// The host's signal number in the lower half, `si_code` in the upper half.
pub const FAULT_SIGNAL: usize = 56;
/// The host address of the fault (`si_addr`).
pub const FAULT_ADDRESS: usize = 57;
/// The host's MXCSR.
pub const HOST_MXCSR: usize = 58;
/// The code epoch of the processor for which this block is set up; 0 if none.
pub const EPOCH: usize = 59;
/// `Tlb::code_generation` at which the jump cache was last emptied.
pub const CODE_GENERATION: usize = 60;
/// `Tlb::data_generation` at which the sites were last emptied.
pub const DATA_GENERATION: usize = 61;
/// A buffer of [`BOUNCE_BYTES`] bytes for the memory operand of one instruction; see [`bounce_word`].
pub const BOUNCE: usize = 64;
/// Bytes in the bounce buffer.
pub const BOUNCE_BYTES: usize = 4096;

/// One byte for each [`SITE_GROUP`] sites, eight in a word: not 0 if one of them may remember a page.
pub const SITE_GROUPS: usize = 1008;
/// Sites that are emptied together.
pub const SITE_GROUP: usize = 32;
/// Sites: places in translated code that access memory, each of which remembers the page it accessed last. Per site,
/// minus the address of the page, or [`NO_PAGE`]. Even sites read, odd ones write.
pub const SITE_TAGS: usize = 1024;
/// Sites at most; further ones share.
pub const SITES: usize = 2048;
/// Per site, host address minus guest address.
pub const SITE_ADDENDS: usize = SITE_TAGS + SITES;
/// The tag of a site that remembers no page. An address with which it matches is not canonical, and neither is its sum
/// with any addend: the host faults.
pub const NO_PAGE: u64 = 1 << 63;

const _: () = assert!(BOUNCE + 8 + BOUNCE_BYTES / 8 <= ALIGNED_MASKS && ALIGNED_MASKS + 4 <= SITE_GROUPS);
const _: () = assert!(SITE_GROUPS + SITES / SITE_GROUP / 8 <= SITE_TAGS);
const _: () = assert!(SITE_ADDENDS + SITES <= PROCESSOR_WORDS);

/// The value of [`EXIT`] after a host fault.
pub const EXIT_FAULT: u64 = u64::MAX;

/// What the host's r13 is above the address of the context: the words from 13 to 44 are within 128 bytes.
pub const BIAS: i32 = 13 * 8 + 128;

/// The displacement of a word from the host's r13 in translated code.
pub const fn offset(word: usize) -> i32 {
    (word * 8) as i32 - BIAS
}

/// The flags that translated code keeps in the host's flags: CF, PF, AF, ZF, SF, DF, OF.
pub const NATIVE_FLAGS: u64 = 0xcd5;

/// The displacement from the host's r13 of the byte that stands for a site's group.
pub const fn group_offset(site: usize) -> i32 {
    offset(SITE_GROUPS) + (site / SITE_GROUP) as i32
}

/// The displacement of a word from the `gs` base.
pub const fn displacement(word: usize) -> i32 {
    (word * 8) as i32
}

/// The first word of the bounce buffer whose host address is a multiple of 64.
pub fn bounce_word(block: &[u64]) -> usize {
    let misalignment = (block.as_ptr() as usize / 8 + BOUNCE) % 8;
    BOUNCE + (8 - misalignment) % 8
}

/// The lowest bit of an address that is part of its slot in the jump cache. Functions begin at multiples of 16.
const JUMP_SHIFT: u32 = 3;
/// In the tag of slot 0: what matches no address of this slot. In the others it is 0, which only address 0 would match.
const NO_JUMP: u64 = (1_u64 << JUMP_SHIFT).wrapping_neg();

/// Slots of a jump cache at first. It doubles when it proves too small: most processes are small, and emptying the cache
/// costs what is in use.
const FIRST_JUMP_SLOTS: usize = 256;

/// Slots of a block's jump cache that are in use.
fn jump_slots(block: &[u64]) -> usize {
    (block[JUMP_MASK] >> JUMP_SHIFT) as usize + 1
}

/// The slot of an address in a block's jump cache: what `pext` gives with the word [`JUMP_MASK`].
#[inline]
pub fn jump_slot(block: &[u64], rip: u64) -> usize {
    ((rip & block[JUMP_MASK]) >> JUMP_SHIFT) as usize
}

/// The host address for a guest address in the jump cache.
#[inline]
pub fn find_jump(block: &[u64], rip: u64) -> Option<u64> {
    let slot = jump_slot(block, rip);
    (block[JUMP_TAGS + slot] == rip.wrapping_neg()).then(|| block[JUMP_TARGETS + slot])
}

/// Puts the host address for a guest address into the jump cache.
pub fn enter_jump(block: &mut [u64], rip: u64, host: u64) {
    block[JUMP_FILLS] += 1;
    let slots = jump_slots(block);
    if block[JUMP_FILLS] > 2 * slots as u64 && slots < JUMP_SLOTS {
        block[JUMP_MASK] = (2 * slots as u64 - 1) << JUMP_SHIFT;
        forget_jumps(block);
        block[JUMP_FILLS] = 0;
    }
    let slot = jump_slot(block, rip);
    block[JUMP_TAGS + slot] = rip.wrapping_neg();
    block[JUMP_TARGETS + slot] = host;
}

/// Empties the jump cache.
pub fn forget_jumps(block: &mut [u64]) {
    let slots = jump_slots(block);
    block[JUMP_TAGS..JUMP_TAGS + slots].fill(0);
    block[JUMP_TAGS] = NO_JUMP;
}

/// Takes one address out of the jump cache.
pub fn forget_jump(block: &mut [u64], rip: u64) {
    let slot = jump_slot(block, rip);
    block[JUMP_TAGS + slot] = if slot == 0 { NO_JUMP } else { 0 };
}

/// Empties all sites that may remember a page.
pub fn forget_sites(block: &mut [u64]) {
    for word in 0..SITES / SITE_GROUP / 8 {
        let mut used = std::mem::take(&mut block[SITE_GROUPS + word]);
        while used != 0 {
            let byte = used.trailing_zeros() as usize / 8;
            used &= !(0xff << (byte * 8));
            let first = SITE_TAGS + (word * 8 + byte) * SITE_GROUP;
            block[first..first + SITE_GROUP].fill(NO_PAGE);
        }
    }
}

/// Sets the words of a block that was all zeroes.
pub fn initialise(block: &mut [u64]) {
    block[SITE_TAGS..SITE_TAGS + SITES].fill(NO_PAGE);
    block[SIGN] = 1 << 63;
    block[PAGE_MASK] = !0xfff;
    block[OFFSET_MASK] = 0xfff;
    for size in 0..4 {
        block[ALIGNED_MASKS + size] = !0xfff | ((1 << size) - 1);
    }
    block[JUMP_MASK] = (FIRST_JUMP_SLOTS as u64 - 1) << JUMP_SHIFT;
    block[JUMP_TAGS] = NO_JUMP;
    block[HOST_MXCSR] = u64::from(machine::registers::MXCSR_INITIAL);
}
