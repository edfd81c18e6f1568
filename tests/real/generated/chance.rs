//! Chance that can be had again: numbers from a seed (splitmix64).

use std::ops::Range;

/// Gives the same numbers for the same seed.
#[derive(Clone, Debug)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The seed that `OPSROOM_SEED` tells, or a fixed one; printed, so that a
    /// failure can be had again.
    pub(super) fn seed() -> u64 {
        number("OPSROOM_SEED").unwrap_or(42)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).unwrap()
    }

    pub(super) fn within(&mut self, range: Range<i64>) -> i64 {
        range.start + i64::try_from(self.next() % range.end.abs_diff(range.start)).unwrap()
    }

    /// True so many times of a hundred.
    pub(super) fn percent(&mut self, share: usize) -> bool {
        self.below(100) < share
    }

    pub(super) fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }
}

/// A number that the environment tells.
pub(super) fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// How many cases: so many that a normal run stays short, or what
/// `OPSROOM_GENERATED` tells.
pub(super) fn cases(short: usize) -> usize {
    number("OPSROOM_GENERATED").map_or(short, |many| usize::try_from(many).unwrap())
}
