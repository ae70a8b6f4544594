//! A page-table entry, Intel SDM 3A 4.5.4, table 4-20: the same bits at every level, and in every scheme.
//!
//! Schemes with addresses of at most 32 bits store it in 4 bytes, as x86-32 does (SDM 3A 4.3, table 4-6): the frame's
//! number in the upper 20 bits, and the lower 12 bits as they are. These have no bit XD; it is stored in bit 8, which in
//! entries of 8 bytes is always 0 here.

use crate::FrameNumber;

/// One entry: a frame and what may be done with it.
///
/// Bits 9 to 11 and 52 to 58 are ignored by the hardware; the kernel keeps its own marks there
/// ([`Entry::software`]).
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Entry(pub u64);

impl Entry {
    /// No page: nothing is known about the address.
    pub const NONE: Entry = Entry(0);
    /// P: the entry maps a frame (or, above the last level, a table).
    pub const PRESENT: u64 = 1 << 0;
    /// R/W: writes are allowed.
    pub const WRITABLE: u64 = 1 << 1;
    /// U/S: user mode may use it. belljar runs nothing but user mode, so an entry without it is `PROT_NONE`.
    pub const USER: u64 = 1 << 2;
    /// A: used since the bit was last cleared.
    pub const ACCESSED: u64 = 1 << 5;
    /// D: written since the bit was last cleared.
    pub const DIRTY: u64 = 1 << 6;
    /// XD: instruction fetches are not allowed.
    pub const NO_EXECUTE: u64 = 1 << 63;
    /// XD in an entry of 4 bytes.
    const NARROW_NO_EXECUTE: u32 = 1 << 8;
    const FRAME: u64 = 0x000f_ffff_ffff_f000;
    const SOFTWARE: u64 = 0b111 << 9;

    /// An entry that maps `frame` with the given bits.
    pub fn new(frame: FrameNumber, bits: u64) -> Entry {
        Entry(u64::from(frame.0) << 12 | bits | Entry::PRESENT)
    }

    /// The entry that 4 bytes of a table mean.
    #[inline]
    pub(super) fn widened(stored: u32) -> Entry {
        let no_execute = u64::from(stored & Entry::NARROW_NO_EXECUTE) << (63 - 8);
        Entry(u64::from(stored & !Entry::NARROW_NO_EXECUTE) | no_execute)
    }

    /// The entry as 4 bytes of a table.
    #[inline]
    pub(super) fn narrowed(self) -> u32 {
        let stored = self.0 as u32 | (self.0 >> (63 - 8)) as u32 & Entry::NARROW_NO_EXECUTE;
        assert_eq!(Entry::widened(stored), self, "an entry of 4 bytes names one of 2^20 frames");
        stored
    }

    /// The frame that the entry names; meaningful if it is present.
    pub fn frame(self) -> FrameNumber {
        FrameNumber(((self.0 & Entry::FRAME) >> 12) as u32)
    }

    /// P.
    pub fn is_present(self) -> bool {
        self.0 & Entry::PRESENT != 0
    }

    /// Whether user mode may read through the entry.
    pub fn is_readable(self) -> bool {
        self.0 & (Entry::PRESENT | Entry::USER) == Entry::PRESENT | Entry::USER
    }

    /// Whether user mode may write through the entry.
    pub fn is_writable(self) -> bool {
        self.is_readable() && self.0 & Entry::WRITABLE != 0
    }

    /// Whether user mode may fetch instructions through the entry.
    pub fn is_executable(self) -> bool {
        self.is_readable() && self.0 & Entry::NO_EXECUTE == 0
    }

    /// A.
    pub fn is_accessed(self) -> bool {
        self.0 & Entry::ACCESSED != 0
    }

    /// D.
    pub fn is_dirty(self) -> bool {
        self.0 & Entry::DIRTY != 0
    }

    /// The three bits that the hardware leaves to software.
    pub fn software(self) -> u64 {
        (self.0 & Entry::SOFTWARE) >> 9
    }

    /// The entry with bits added.
    pub fn with(self, bits: u64) -> Entry {
        Entry(self.0 | bits)
    }

    /// The entry with bits removed.
    pub fn without(self, bits: u64) -> Entry {
        Entry(self.0 & !bits)
    }
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let flag = |bit, name| if self.0 & bit != 0 { name } else { "-" };
        write!(
            f,
            "{:#x}:{}{}{}{}{}{}",
            self.frame().0,
            flag(Entry::PRESENT, "p"),
            flag(Entry::WRITABLE, "w"),
            flag(Entry::USER, "u"),
            flag(Entry::ACCESSED, "a"),
            flag(Entry::DIRTY, "d"),
            if self.is_executable() { "x" } else { "-" },
        )
    }
}
