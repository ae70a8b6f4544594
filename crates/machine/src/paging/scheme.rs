//! How a virtual address splits into table indices and an offset.

/// The shape of a page table: the index bits of each level, the top one first, and the bits of the offset.
///
/// Addresses whose bits above the split are not a copy of the highest bit (x86-64: not canonical) are never mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PagingScheme {
    name: &'static str,
    index_bits: Vec<u8>,
    offset_bits: u8,
    /// The sum of all.
    address_bits: u8,
}

impl PagingScheme {
    /// Four levels of 512 entries, 4 KiB pages, Intel SDM 3A 4.5.4. User space is the lower half: 47 bits.
    pub fn x86_64() -> PagingScheme {
        PagingScheme { name: "x86-64", index_bits: vec![9, 9, 9, 9], offset_bits: 12, address_bits: 48 }
    }

    /// The name that `--paging` uses.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// How many tables a walk visits.
    pub fn levels(&self) -> usize {
        self.index_bits.len()
    }

    /// Bits of the offset within a page.
    pub fn offset_bits(&self) -> u32 {
        u32::from(self.offset_bits)
    }

    /// Bytes in a page.
    pub fn page_size(&self) -> u64 {
        1 << self.offset_bits
    }

    /// Bits of a virtual address that take part in the walk.
    pub fn address_bits(&self) -> u32 {
        u32::from(self.address_bits)
    }

    /// The first address that user programs can never map.
    pub fn user_end(&self) -> u64 {
        1 << (self.address_bits() - 1)
    }

    /// How many bytes of address space one entry of a table at `level` (0 is the root) covers.
    pub fn span(&self, level: usize) -> u64 {
        let below: u32 = self.index_bits[level + 1..].iter().map(|bits| u32::from(*bits)).sum();
        1 << (below + self.offset_bits())
    }

    /// The index into the table at `level` (0 is the root) for `address`.
    pub fn index(&self, level: usize, address: u64) -> usize {
        (address / self.span(level)) as usize & ((1 << self.index_bits[level]) - 1)
    }
}
