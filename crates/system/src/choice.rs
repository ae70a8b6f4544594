//! Choosers: what Linux leaves open, decided from a seed.

use kernel::Id;
use kernel::ports::Chooser;
use kernel::process::Thread;
use std::collections::VecDeque;

/// A small deterministic generator: xoshiro256** by Blackman and Vigna (2018), started from a seed by SplitMix64 as
/// its authors advise. Good statistics, four words of state, the same numbers on every machine; no secret.
#[derive(Clone, Debug)]
pub struct Generator {
    state: [u64; 4],
}

impl Generator {
    /// The generator of a seed. Different `stream`s of one seed have nothing to do with one another.
    pub fn new(seed: u64, stream: u64) -> Generator {
        let mut splitmix = seed ^ stream.wrapping_mul(0xd134_2543_de82_ef95);
        let state = [(); 4].map(|()| {
            splitmix = splitmix.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = splitmix;
            mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ mixed >> 31
        });
        Generator { state }
    }

    /// The next 64 bits.
    pub fn next_word(&mut self) -> u64 {
        let state = &mut self.state;
        let result = state[1].wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let shifted = state[1] << 17;
        state[2] ^= state[0];
        state[3] ^= state[1];
        state[1] ^= state[2];
        state[0] ^= state[3];
        state[2] ^= shifted;
        state[3] = state[3].rotate_left(45);
        result
    }

    /// A number below `bound`, which is not 0. (By multiplication; the bias is below `bound` / 2^64.)
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next_word()) * u128::from(bound)) >> 64) as u64
    }

    /// Fills `bytes`.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next_word().to_le_bytes()[..chunk.len()]);
        }
    }
}

/// Threads take turns in the order in which they became ready; the seed says how long a turn lasts.
///
/// Random bytes come from a stream of their own, so that a program that asks for more of them does not change the
/// schedule.
#[derive(Clone, Debug)]
pub struct RoundRobin {
    turns: Generator,
    bytes: Generator,
}

impl RoundRobin {
    /// Instructions in the shortest turn.
    pub const SHORTEST: u64 = 20_000;
    /// Instructions in the longest turn.
    pub const LONGEST: u64 = 100_000;

    /// The chooser of a seed.
    pub fn new(seed: u64) -> RoundRobin {
        RoundRobin { turns: Generator::new(seed, 0), bytes: Generator::new(seed, 1) }
    }
}

impl Chooser for RoundRobin {
    fn next_thread(&mut self, _queue: &VecDeque<Id<Thread>>) -> usize {
        0
    }

    fn slice(&mut self) -> u64 {
        RoundRobin::SHORTEST + self.turns.below(RoundRobin::LONGEST - RoundRobin::SHORTEST + 1)
    }

    fn signal_receiver(&mut self, _candidates: &[Id<Thread>]) -> usize {
        // Linux prefers the main thread, which is the first candidate: kernel/signal.c, complete_signal.
        0
    }

    fn random(&mut self, bytes: &mut [u8]) {
        self.bytes.fill(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_xoshiro256_starstar() {
        // Computed by hand from the authors' C for the state 1, 2, 3, 4.
        let mut generator = Generator { state: [1, 2, 3, 4] };
        assert_eq!([(); 3].map(|()| generator.next_word()), [11_520, 0, 1_509_978_240]);
    }

    #[test]
    fn a_seed_decides_the_turns_and_random_bytes_do_not_change_them() {
        let turns = |seed, disturb: bool| {
            let mut chooser = RoundRobin::new(seed);
            (0..100)
                .map(|_| {
                    if disturb {
                        chooser.random(&mut [0; 13]);
                    }
                    chooser.slice()
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(turns(7, false), turns(7, true));
        assert_ne!(turns(7, false), turns(8, false));
        assert!(turns(0, false).iter().all(|turn| (RoundRobin::SHORTEST..=RoundRobin::LONGEST).contains(turn)));
    }

    #[test]
    fn random_bytes_differ_between_calls() {
        let mut chooser = RoundRobin::new(0);
        let (mut first, mut second) = ([0; 16], [0; 16]);
        chooser.random(&mut first);
        chooser.random(&mut second);
        assert_ne!(first, second);
    }
}
