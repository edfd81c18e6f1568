//! The range of time that charts show.

use crate::domain::Timestamp;
use crate::store::AskRange;
use std::time::Duration;

const MINUTE: u64 = 60;
const HOUR: u64 = 3_600;
const DAY: u64 = 86_400;

/// Lengths and their steps in seconds: about 120 points each.
const LADDER: [(u64, u64); 10] = [
    (5 * MINUTE, 5),
    (15 * MINUTE, 10),
    (30 * MINUTE, 15),
    (HOUR, 30),
    (3 * HOUR, 90),
    (6 * HOUR, 3 * MINUTE),
    (12 * HOUR, 6 * MINUTE),
    (DAY, 12 * MINUTE),
    (2 * DAY, 30 * MINUTE),
    (7 * DAY, 90 * MINUTE),
];

/// A range on the ladder of ranges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Range(usize);

impl Default for Range {
    fn default() -> Self {
        Self(2)
    }
}

impl Range {
    /// The shortest one that holds `length`, or the longest of all.
    pub fn holding(length: Duration) -> Self {
        let fits = |(long, _): &(u64, u64)| length <= Duration::from_secs(*long);
        Self(LADDER.iter().position(fits).unwrap_or(LADDER.len() - 1))
    }

    /// The next shorter one.
    #[must_use]
    pub fn shorter(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// The next longer one.
    #[must_use]
    pub fn longer(self) -> Self {
        Self((self.0 + 1).min(LADDER.len() - 1))
    }

    /// From its first to its last point.
    pub fn length(self) -> Duration {
        Duration::from_secs(LADDER[self.0].0)
    }

    /// From point to point.
    pub fn step(self) -> Duration {
        Duration::from_secs(LADDER[self.0].1)
    }

    /// As a question asks for it.
    pub fn asked(self) -> AskRange {
        AskRange { length: self.length(), step: self.step() }
    }
}

/// The last moment not after `now` that lies on a multiple of `step`: questions
/// about it have the same points when they are asked again.
pub fn aligned(now: Timestamp, step: Duration) -> Timestamp {
    let step = i64::try_from(step.as_millis()).unwrap_or(i64::MAX).max(1);
    Timestamp::from_millis(now.millis().div_euclid(step).saturating_mul(step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zooming_ends_at_both_ends_of_the_ladder() {
        let mut range = Range::default();
        for _ in 0..20 {
            range = range.shorter();
        }
        assert_eq!(range.length(), Duration::from_mins(5));
        for _ in 0..20 {
            range = range.longer();
        }
        assert_eq!(range.length(), Duration::from_secs(7 * DAY));
    }

    #[test]
    fn a_range_holds_what_was_seen() {
        assert_eq!(Range::holding(Duration::ZERO).length(), Duration::from_mins(5));
        assert_eq!(Range::holding(Duration::from_mins(6)).length(), Duration::from_mins(15));
        assert_eq!(Range::holding(Duration::MAX).length(), Duration::from_secs(7 * DAY));
    }

    #[test]
    fn every_range_has_few_enough_points_for_any_server() {
        for (length, step) in LADDER {
            assert!((60..=200).contains(&(length / step)) && length % step == 0, "{length}");
        }
    }

    #[test]
    fn questions_are_about_multiples_of_the_step() {
        let at = aligned(Timestamp::from_millis(123_456), Duration::from_secs(10));
        assert_eq!(at.millis(), 120_000);
        assert_eq!(aligned(Timestamp::from_millis(-1), Duration::from_secs(1)).millis(), -1_000);
    }
}
