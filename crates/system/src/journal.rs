//! The running hash over everything that happened: two runs with the same inputs have the same.
//!
//! Not cryptographic: it guards against accidents, and costs a few nanoseconds per record because every system call
//! makes two. Words are folded in by a 64 by 64 bit multiplication whose halves are combined, as wyhash does.

use kernel::event::{Event, Record};
use std::hash::{Hash, Hasher};

/// A hash over records in their order.
#[derive(Clone, Debug)]
pub struct Journal {
    hasher: Fold,
    records: u64,
}

impl Journal {
    /// The hash of nothing.
    pub fn new() -> Journal {
        Journal { hasher: Fold { state: SECRET[0], half: None }, records: 0 }
    }

    /// Takes in a record.
    #[inline]
    pub fn add(&mut self, record: &Record) {
        self.records += 1;
        let fold = &mut self.hasher;
        let who = (record.tid as u32 as u64) << 8;
        // The two commonest by hand: fewer and independent multiplications.
        match &record.event {
            Event::SyscallEntered { number, arguments: [a, b, c, d, e, f] } => {
                let parts = fold_pair(a ^ SECRET[1], b ^ SECRET[2])
                    ^ fold_pair(c ^ SECRET[2], d ^ SECRET[3])
                    ^ fold_pair(e ^ SECRET[3], f ^ SECRET[1]);
                fold.two(record.at.0, who | 1 | number << 40);
                fold.two(parts, *number);
            }
            Event::SyscallLeft { number, result: Ok(value) } => {
                fold.two(record.at.0, who | 2 | number << 40);
                fold.two(*value, *number);
            }
            event => {
                fold.two(record.at.0, who | 3);
                event.hash(fold);
                fold.settle();
            }
        }
    }

    /// The hash of all records so far.
    pub fn hash(&self) -> u64 {
        fold_pair(self.hasher.state ^ SECRET[3], self.records ^ SECRET[1])
    }

    /// How many records there were.
    pub fn records(&self) -> u64 {
        self.records
    }
}

impl Default for Journal {
    fn default() -> Journal {
        Journal::new()
    }
}

/// Odd constants with as many ones as zeroes, those of wyhash.
const SECRET: [u64; 4] = [0xa076_1d64_78bd_642f, 0xe703_7ed1_a0b4_28db, 0x8ebc_6af0_9c88_c6e3, 0x5899_65cc_7537_4cc3];

#[inline]
fn fold_pair(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

/// A [`Hasher`] whose result depends on nothing but what is written, on every machine. Words are folded in pairs, because
/// the multiplications wait for each other.
#[derive(Clone, Debug)]
struct Fold {
    state: u64,
    /// A word that waits for its other half.
    half: Option<u64>,
}

impl Fold {
    #[inline]
    fn two(&mut self, a: u64, b: u64) {
        self.state = fold_pair(self.state ^ a, b ^ SECRET[1]).rotate_left(23) ^ b;
    }

    #[inline]
    fn one(&mut self, word: u64) {
        match self.half.take() {
            None => self.half = Some(word),
            Some(half) => self.two(half, word),
        }
    }

    /// Folds in a word that is left over, so that what follows begins a pair.
    #[inline]
    fn settle(&mut self) {
        if let Some(half) = self.half.take() {
            self.two(half, SECRET[2]);
        }
    }
}

impl Hasher for Fold {
    fn finish(&self) -> u64 {
        let mut settled = self.clone();
        settled.settle();
        settled.state
    }

    fn write(&mut self, bytes: &[u8]) {
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            self.one(u64::from_le_bytes(chunk.try_into().expect("eight bytes")));
        }
        let rest = chunks.remainder();
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        // Seven bytes at most, and their number: as long as the others differ in length, they differ.
        self.one(u64::from_le_bytes(last) ^ (bytes.len() as u64) << 56);
    }

    #[inline]
    fn write_u8(&mut self, value: u8) {
        self.one(u64::from(value));
    }
    #[inline]
    fn write_u16(&mut self, value: u16) {
        self.one(u64::from(value));
    }
    #[inline]
    fn write_u32(&mut self, value: u32) {
        self.one(u64::from(value));
    }
    #[inline]
    fn write_u64(&mut self, value: u64) {
        self.one(value);
    }
    #[inline]
    fn write_usize(&mut self, value: usize) {
        self.one(value as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::Errno;
    use kernel::clock::Instant;

    fn hash(records: &[Record]) -> u64 {
        let mut journal = Journal::new();
        records.iter().for_each(|record| journal.add(record));
        journal.hash()
    }

    fn entered(at: u64, tid: i32, number: u64, arguments: [u64; 6]) -> Record {
        Record { at: Instant(at), tid, event: Event::SyscallEntered { number, arguments } }
    }

    #[test]
    fn every_fact_of_a_record_counts() {
        let base = entered(5, 2, 1, [1, 2, 3, 4, 5, 6]);
        let mut all = vec![hash(&[]), hash(std::slice::from_ref(&base)), hash(&[base.clone(), base.clone()])];
        all.push(hash(&[entered(6, 2, 1, [1, 2, 3, 4, 5, 6])]));
        all.push(hash(&[entered(5, 3, 1, [1, 2, 3, 4, 5, 6])]));
        all.push(hash(&[entered(5, 2, 2, [1, 2, 3, 4, 5, 6])]));
        for argument in 0..6 {
            let mut arguments = [1, 2, 3, 4, 5, 6];
            arguments[argument] += 1;
            all.push(hash(&[entered(5, 2, 1, arguments)]));
        }
        let left = |result| Record { at: Instant(5), tid: 2, event: Event::SyscallLeft { number: 1, result } };
        all.push(hash(&[left(Ok(0))]));
        all.push(hash(&[left(Ok(1))]));
        all.push(hash(&[left(Err(Errno::EPERM.into()))]));
        all.push(hash(&[left(Err(Errno::ENOENT.into()))]));
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn the_order_of_records_counts() {
        let (first, second) = (entered(1, 2, 39, [0; 6]), entered(1, 3, 39, [0; 6]));
        assert_ne!(hash(&[first.clone(), second.clone()]), hash(&[second, first]));
    }
}
