//! Load averages: how many threads were ready or ran, of late. Linux kernel/sched/loadavg.c.

use crate::clock::Instant;

/// Between two samples.
const INTERVAL_NS: u64 = 5_000_000_000;
/// One thread, in fixed point: `FIXED_1`.
const ONE: u64 = 1 << 11;
/// What of an average is left after an interval if it is over 1, 5 and 15 minutes: `EXP_1`, `EXP_5`, `EXP_15`.
const DECAYS: [u64; 3] = [1884, 2014, 2037];
/// So many intervals with nobody ready leave nothing of any load.
const FORGOTTEN: u64 = 1 << 12;

/// The averages over 1, 5 and 15 minutes.
///
/// No timer counts, for a world in which all sleep has to come to rest: who lets time pass asks for the samples that are due.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// In units of 2^-11 threads.
    averages: [u64; 3],
    next: Instant,
}

impl Default for Load {
    fn default() -> Load {
        Load { averages: [0; 3], next: Instant(INTERVAL_NS) }
    }
}

impl Load {
    /// Takes the samples that are due `now`; `active` threads were ready or ran since the last call.
    #[inline]
    pub(crate) fn sample(&mut self, now: Instant, active: usize) {
        if now >= self.next {
            self.take(now, active as u64);
        }
    }

    fn take(&mut self, now: Instant, active: u64) {
        let due = now.since(self.next) / INTERVAL_NS + 1;
        self.next = self.next.after(due * INTERVAL_NS);
        let active = active * ONE;
        for _ in 0..due.min(FORGOTTEN) {
            for (average, decay) in self.averages.iter_mut().zip(DECAYS) {
                let up = if active >= *average { ONE - 1 } else { 0 };
                *average = (*average * decay + active * (ONE - decay) + up) / ONE;
            }
        }
    }

    /// The averages in hundredths of threads, as `/proc/loadavg` rounds them.
    pub fn hundredths(&self) -> [u64; 3] {
        self.averages.map(|average| (average + ONE / 200) * 100 / ONE)
    }

    /// The averages in units of 2^-16 threads, as sysinfo(2) has them.
    pub fn shifted(&self) -> [u64; 3] {
        self.averages.map(|average| average << (16 - ONE.trailing_zeros()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000_000_000;

    #[test]
    fn the_load_of_a_busy_minute_rises_fastest_in_the_first_average() {
        let mut load = Load::default();
        for second in 0..=60 {
            load.sample(Instant(second * 1_000_000_000), 3);
        }
        let [one, five, fifteen] = load.hundredths();
        assert!((180..=195).contains(&one), "{one}");
        assert!(one > five && five > fifteen && fifteen > 0);
        assert_eq!((load.shifted()[0] * 100) >> 16, one);
    }

    #[test]
    fn a_long_sleep_counts_as_all_its_intervals() {
        let mut load = Load::default();
        load.sample(Instant(10 * MINUTE), 2);
        let mut slept = load;
        slept.sample(Instant(12 * MINUTE), 0);
        for second in 1..=120 {
            load.sample(Instant(10 * MINUTE + second * 1_000_000_000), 0);
        }
        assert_eq!(slept.hundredths(), load.hundredths());
        load.sample(Instant(u64::MAX / 2), 0);
        assert_eq!(load.hundredths(), [0; 3]);
    }
}
