//! How large pages are: the same for all of a machine, and for its frames.

/// The size of pages and frames: a power of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageSize {
    shift: u32,
}

impl PageSize {
    /// Pages of 4 KiB.
    pub const SMALLEST: PageSize = PageSize { shift: 12 };

    /// Pages with an offset of so many bits; `None` if programs cannot run with them.
    pub fn of_bits(offset_bits: u32) -> Option<PageSize> {
        (12..=16).contains(&offset_bits).then_some(PageSize { shift: offset_bits })
    }

    /// Bytes in a page.
    #[inline]
    pub fn bytes(self) -> u64 {
        1 << self.shift
    }

    /// Binary logarithm of [`Self::bytes`].
    #[inline]
    pub fn shift(self) -> u32 {
        self.shift
    }

    /// The start of the page that holds an address or offset.
    #[inline]
    pub fn start(self, address: u64) -> u64 {
        address & !(self.bytes() - 1)
    }

    /// How far an address or offset lies behind its page's start.
    #[inline]
    pub fn offset(self, address: u64) -> u64 {
        address & (self.bytes() - 1)
    }

    /// Whether an address, offset or length is a multiple of the page size.
    #[inline]
    pub fn divides(self, address: u64) -> bool {
        self.offset(address) == 0
    }

    /// The number of the page that holds an address or offset.
    #[inline]
    pub fn number(self, address: u64) -> u64 {
        address >> self.shift
    }

    /// How many pages hold `bytes` bytes.
    #[inline]
    pub fn pages(self, bytes: u64) -> u64 {
        bytes.div_ceil(self.bytes())
    }

    /// The next multiple of the page size, if there is one.
    #[inline]
    pub fn round_up(self, length: u64) -> Option<u64> {
        Some(self.start(length.checked_add(self.bytes() - 1)?))
    }
}
