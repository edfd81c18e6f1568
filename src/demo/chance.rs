//! Chance from a seed: the same seed gives the same shop day.

use std::time::Duration;

/// A source of chance (`SplitMix64`, Steele, Lea and Flood 2014).
#[derive(Clone, Debug)]
pub(super) struct Chance(u64);

impl Chance {
    /// From a seed; `stream` keeps those who share a seed apart.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        Self(seed ^ stream.wrapping_mul(0xd134_2543_de82_ef95))
    }

    /// Any number.
    pub(super) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to less than 1, in steps that a float holds exactly.
    pub(super) fn share(&mut self) -> f64 {
        const STEPS: u64 = 1 << 53;
        (self.number() % STEPS) as f64 / STEPS as f64
    }

    /// Whether something of this probability happens.
    pub(super) fn happens(&mut self, probability: f64) -> bool {
        self.share() < probability
    }

    /// The time to the next arrival, where arrivals know nothing of each other.
    pub(super) fn gap(&mut self, mean: Duration) -> Duration {
        mean.mul_f64(-(1.0 - self.share()).ln())
    }

    /// A time with a long tail, as work takes: half are shorter than `median`,
    /// about one in twenty takes more than twice as long.
    pub(super) fn work(&mut self, median: Duration) -> Duration {
        // Twelve shares add up to nearly a normal distribution around 6.
        let normal: f64 = (0..12).map(|_| self.share()).sum::<f64>() - 6.0;
        median.mul_f64((0.45 * normal).exp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers_and_another_stream_others() {
        let take = |seed, stream| {
            let mut chance = Chance::new(seed, stream);
            [chance.number(), chance.number(), chance.number()]
        };
        assert_eq!(take(7, 1), take(7, 1));
        assert_ne!(take(7, 1), take(7, 2));
        assert_ne!(take(7, 1), take(8, 1));
    }

    #[test]
    fn arrivals_and_work_are_as_long_as_they_should_be_on_average() {
        let mut chance = Chance::new(1, 0);
        let mean = Duration::from_millis(30);
        let gaps: Duration = (0..10_000).map(|_| chance.gap(mean)).sum();
        assert!((0.95..1.05).contains(&(gaps.as_secs_f64() / 300.0)), "{gaps:?}");
        let mut work: Vec<Duration> = (0..10_000).map(|_| chance.work(mean)).collect();
        work.sort();
        assert!((0.95..1.05).contains(&(work[5_000].as_secs_f64() / 0.03)), "{:?}", work[5_000]);
        assert!(work[9_500] > 2 * mean && work[9_500] < 3 * mean, "{:?}", work[9_500]);
    }
}
