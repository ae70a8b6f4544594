//! How a virtual address splits into table indices and an offset.

use std::fmt;

/// The shape of a page table: the index bits of each level, the top one first, and the bits of the offset.
///
/// Addresses whose bits above the split are not a copy of the highest bit (x86-64: not canonical) are never mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PagingScheme {
    name: Option<&'static str>,
    index_bits: Vec<u8>,
    offset_bits: u8,
    /// The sum of all.
    address_bits: u8,
}

/// Tables that a walk visits at most when programs run.
pub const MOST_LEVELS: usize = 8;

/// The schemes that have names.
const NAMED: [(&str, &[u8], u8); 5] = [
    ("x86-64", &[9, 9, 9, 9], 12),
    ("x86-64-la57", &[9, 9, 9, 9, 9], 12),
    ("sv39", &[9, 9, 9], 12),
    ("x86-32", &[10, 10], 12),
    ("flat-32", &[20], 12),
];

impl PagingScheme {
    /// Four levels of 512 entries, 4 KiB pages, Intel SDM 3A 4.5.4. User space is the lower half: 47 bits.
    pub fn x86_64() -> PagingScheme {
        PagingScheme::named(0)
    }

    fn named(which: usize) -> PagingScheme {
        let (name, index_bits, offset_bits) = NAMED[which];
        PagingScheme { name: Some(name), ..PagingScheme::split(index_bits.to_vec(), offset_bits) }
    }

    fn split(index_bits: Vec<u8>, offset_bits: u8) -> PagingScheme {
        let address_bits = index_bits.iter().sum::<u8>() + offset_bits;
        PagingScheme { name: None, index_bits, offset_bits, address_bits }
    }

    /// The scheme that `--paging` means: a name, or bits from the highest to the lowest, the offset's last, as in
    /// `10-10-12`.
    ///
    /// # Errors
    /// Why there is no such scheme.
    pub fn parse(text: &str) -> Result<PagingScheme, String> {
        if let Some(which) = NAMED.iter().position(|(name, ..)| *name == text) {
            return Ok(PagingScheme::named(which));
        }
        let names = NAMED.map(|(name, ..)| name).join(", ");
        let fields: Option<Vec<u8>> = text.split('-').map(|field| field.parse().ok()).collect();
        let Some(fields) = fields else {
            return Err(format!("neither a name ({names}) nor bits such as 10-10-12"));
        };
        let Some((offset_bits, index_bits)) = fields.split_last().filter(|(_, indices)| !indices.is_empty()) else {
            return Err("there is no index: at least one table maps pages, as in 20-12".to_string());
        };
        if fields.contains(&0) {
            return Err("a field of 0 bits selects nothing".to_string());
        }
        let bits: u32 = fields.iter().map(|bits| u32::from(*bits)).sum();
        if bits > 64 {
            return Err(format!("{bits} bits, but an address has at most 64"));
        }
        Ok(PagingScheme::split(index_bits.to_vec(), *offset_bits))
    }

    /// Whether programs can run under the scheme.
    ///
    /// # Errors
    /// Why they cannot.
    pub fn check_runs(&self) -> Result<(), String> {
        let offset = self.offset_bits;
        if !(12..=16).contains(&offset) {
            return Err(format!("pages of {offset} bits: programs run with offsets of 12 to 16 bits"));
        }
        if self.address_bits > 57 {
            return Err(format!("{} bits: an x86-64 processor has addresses of at most 57", self.address_bits));
        }
        if self.address_bits < 26 {
            return Err(format!("{} bits: programs need addresses of at least 26", self.address_bits));
        }
        if self.levels() > MOST_LEVELS {
            return Err(format!("{} levels: programs run with at most {MOST_LEVELS}", self.levels()));
        }
        match self.index_bits.iter().find(|bits| **bits > 24) {
            Some(bits) => Err(format!("a table of 2^{bits} entries: a table has at most 2^24")),
            None => Ok(()),
        }
    }

    /// The name that `--paging` uses: the scheme's own, or its bits.
    pub fn name(&self) -> String {
        match self.name {
            Some(name) => name.to_string(),
            None => self.bits(),
        }
    }

    /// The bits of all fields, as in `9-9-9-9-12`.
    pub fn bits(&self) -> String {
        let fields = self.index_bits.iter().chain([&self.offset_bits]);
        fields.map(u8::to_string).collect::<Vec<_>>().join("-")
    }

    /// How many tables a walk visits.
    pub fn levels(&self) -> usize {
        self.index_bits.len()
    }

    /// Bits of the offset within a page.
    pub fn offset_bits(&self) -> u32 {
        u32::from(self.offset_bits)
    }

    /// Bits of the index into a table at `level` (0 is the root).
    pub fn index_bits(&self, level: usize) -> u32 {
        u32::from(self.index_bits[level])
    }

    /// Bytes in a page.
    pub fn page_size(&self) -> u64 {
        1 << self.offset_bits
    }

    /// Bits of a virtual address that take part in the walk.
    pub fn address_bits(&self) -> u32 {
        u32::from(self.address_bits)
    }

    /// Bits of which those above must all equal the highest, or the processor faults: 48, or 57 with more levels. Intel
    /// SDM 1 3.3.7.1.
    pub fn canonical_bits(&self) -> u32 {
        if self.address_bits > 48 { 57 } else { 48 }
    }

    /// The first address that user programs can never map. Up to 32 bits the kernel has the last quarter, as Linux has on
    /// x86-32 (`VMSPLIT_3G`); with more, the upper half.
    pub fn user_end(&self) -> u64 {
        if self.address_bits <= 32 { 3 << (self.address_bits() - 2) } else { 1 << (self.address_bits() - 1) }
    }

    /// Bytes in an entry: 4 if addresses have at most 32 bits, as on x86-32, otherwise 8.
    pub fn entry_bytes(&self) -> u64 {
        if self.address_bits <= 32 { 4 } else { 8 }
    }

    /// Bytes in a table at `level` (0 is the root).
    pub fn table_bytes(&self, level: usize) -> u128 {
        u128::from(self.entry_bytes()) << self.index_bits[level]
    }

    /// Frames in a table at `level` (0 is the root); at least one.
    pub fn table_frames(&self, level: usize) -> u32 {
        let frames = self.table_bytes(level).div_ceil(u128::from(self.page_size()));
        u32::try_from(frames).expect("tables of programs are small")
    }

    /// Frames that entries can name.
    pub fn most_frames(&self) -> u64 {
        if self.entry_bytes() == 4 { 1 << 20 } else { 1 << 32 }
    }

    /// How far right an address is shifted until the index into a table at `level` (0 is the root) is at its end.
    pub fn shift(&self, level: usize) -> u32 {
        let below: u32 = self.index_bits[level + 1..].iter().map(|bits| u32::from(*bits)).sum();
        below + self.offset_bits()
    }

    /// How many bytes of address space one entry of a table at `level` (0 is the root) covers.
    pub fn span(&self, level: usize) -> u64 {
        1 << self.shift(level)
    }

    /// The index into the table at `level` (0 is the root) for `address`.
    pub fn index(&self, level: usize, address: u64) -> usize {
        (address >> self.shift(level)) as usize & ((1 << self.index_bits[level]) - 1)
    }
}

impl fmt::Display for PagingScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_bits_are_read() {
        for (name, ..) in NAMED {
            let scheme = PagingScheme::parse(name).unwrap();
            assert_eq!((scheme.name(), scheme.check_runs()), (name.to_string(), Ok(())));
            let same = PagingScheme::parse(&scheme.bits()).unwrap();
            assert_eq!((same.index_bits, same.offset_bits), (scheme.index_bits, scheme.offset_bits));
        }
        let textbook = PagingScheme::parse("6-5-5-8").unwrap();
        assert_eq!((textbook.levels(), textbook.page_size(), textbook.address_bits()), (3, 256, 24));
        assert_eq!([0, 1, 2].map(|level| textbook.index(level, 0xabcdef)), [0x2a, 0x1e, 0x0d]);
        assert!(textbook.check_runs().is_err());
        for wrong in ["", "12", "x86", "10--12", "0-12", "10-0", "32-32-1", "300-12", "-12", "10-10-12-"] {
            assert!(PagingScheme::parse(wrong).is_err(), "{wrong}");
        }
        for wrong in ["20-11", "20-17", "30-12", "25-25-12", "8-12", "9-9-9-9-9-1-12", "2-2-2-2-2-2-2-2-2-12"] {
            assert!(PagingScheme::parse(wrong).unwrap().check_runs().is_err(), "{wrong}");
        }
    }

    #[test]
    fn tables_have_the_sizes_of_the_textbooks() {
        let bytes = |name: &str| {
            let scheme = PagingScheme::parse(name).unwrap();
            (scheme.user_end(), (0..scheme.levels()).map(|level| scheme.table_bytes(level)).collect::<Vec<_>>())
        };
        assert_eq!(bytes("flat-32"), (0xc000_0000, vec![4 << 20]));
        assert_eq!(bytes("x86-32"), (0xc000_0000, vec![4096, 4096]));
        assert_eq!(bytes("sv39"), (1 << 38, vec![4096; 3]));
        assert_eq!(bytes("x86-64-la57"), (1 << 56, vec![4096; 5]));
        assert_eq!(PagingScheme::parse("flat-32").unwrap().table_frames(0), 1024);
        assert_eq!(PagingScheme::parse("8-8-16").unwrap().table_frames(1), 1);
    }
}
