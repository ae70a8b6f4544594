//! Random numbers from a seed, with a liking for the values at which things break.

pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// SplitMix64.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ value >> 31
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// True in so many of a hundred cases.
    pub fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }

    /// A number for a general-purpose register or an immediate.
    pub fn integer(&mut self) -> u64 {
        let sign = 1u64 << self.pick(&[7, 15, 31, 63]);
        match self.below(10) {
            0 => 0,
            1 => 1,
            2 => u64::MAX,
            3 => sign,
            4 => sign - 1,
            5 => self.below(256),
            6 => self.below(256).wrapping_neg(),
            7 => self.next() & 0xffff_ffff,
            _ => self.next(),
        }
    }

    fn single(&mut self) -> u32 {
        let sign = (self.next() as u32) & 1 << 31;
        let special = [
            0,
            1,
            0x007f_ffff,
            0x0080_0000,
            0x3f80_0000,
            0x4b00_0000,
            0x4f00_0000,
            0x7f7f_ffff,
            0x7f80_0000,
            0x7fc0_0000,
            0x7f80_0001,
        ];
        match self.below(10) {
            0..4 => sign | self.pick(&special),
            4..7 => sign | ((self.next() as u32 as f32) / 1024.0).to_bits() & !(1 << 31),
            _ => self.next() as u32,
        }
    }

    pub fn double(&mut self) -> u64 {
        let sign = self.next() & 1 << 63;
        let special = [
            0,
            1,
            0x000f_ffff_ffff_ffff,
            0x0010_0000_0000_0000,
            0x3ff0_0000_0000_0000,
            0x4330_0000_0000_0000,
            0x43e0_0000_0000_0000,
            0x7fef_ffff_ffff_ffff,
            0x7ff0_0000_0000_0000,
            0x7ff8_0000_0000_0000,
            0x7ff0_0000_0000_0001,
        ];
        match self.below(10) {
            0..4 => sign | self.pick(&special),
            4..7 => sign | ((self.next() as i32 as f64) / 1024.0).to_bits() & !(1 << 63),
            _ => self.next(),
        }
    }

    /// Eight bytes of vector or memory: integers, floats, halves.
    pub fn word(&mut self) -> u64 {
        match self.below(4) {
            0 => self.integer(),
            1 => self.double(),
            2 => u64::from(self.single()) << 32 | u64::from(self.single()),
            _ => self.next(),
        }
    }

    /// An x87 register's ten bytes.
    pub fn extended(&mut self) -> [u8; 10] {
        let significand = match self.below(6) {
            0 => 0,
            1 => 1 << 63,
            2 => u64::MAX,
            3 => 3 << 62,
            4 => self.next(),
            _ => self.next() | 1 << 63,
        };
        let exponent = match self.below(6) {
            0 => 0,
            1 => 0x7fff,
            2 => 1,
            3 => self.next() as u16 & 0x7fff,
            _ => 0x3fff - 40 + self.below(80) as u16,
        };
        let exponent = exponent | (self.next() as u16 & 0x8000);
        let mut bytes = [0; 10];
        bytes[..8].copy_from_slice(&significand.to_le_bytes());
        bytes[8..].copy_from_slice(&exponent.to_le_bytes());
        bytes
    }
}
