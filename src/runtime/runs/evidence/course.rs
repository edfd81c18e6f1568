//! Notices that the clock was set: what was seen before it bears times of another
//! clock, and proves nothing about what came after.

use crate::domain::Timestamp;
use std::time::Duration;

/// A clock that is brought in line slowly moves by less between two looks.
const SET: i64 = 1_000;

/// How the clock goes beside the one that only goes forward.
#[derive(Clone, Copy, Debug)]
pub(super) struct Course {
    /// How far it is ahead of that one, in milliseconds.
    ahead_ms: i64,
    /// When it was set last, by its own new time; none as long as it was not.
    set: Option<Timestamp>,
}

impl Course {
    pub(super) fn at(now: Timestamp, monotonic: Duration) -> Self {
        Self { ahead_ms: ahead_ms(now, monotonic), set: None }
    }

    /// The course from now on, where the clock was set since the last look.
    pub(super) fn set_since(&mut self, now: Timestamp, monotonic: Duration) -> Option<Self> {
        let ahead_ms = ahead_ms(now, monotonic);
        if (ahead_ms - self.ahead_ms).abs() > SET {
            return Some(Self { ahead_ms, set: Some(now) });
        }
        self.ahead_ms = ahead_ms;
        None
    }

    /// The moment that readings have to be of after: not before the clock was set.
    /// A moment that lies ahead is one of the clock as it was.
    pub(super) fn after(&self, after: Timestamp, now: Timestamp) -> Timestamp {
        match self.set {
            Some(set) if after > now => set,
            Some(set) => after.max(set),
            None => after,
        }
    }
}

fn ahead_ms(now: Timestamp, monotonic: Duration) -> i64 {
    now.millis().saturating_sub(i64::try_from(monotonic.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(10 * HOUR + millis)
    }

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_clock_that_goes_or_is_brought_in_line_was_not_set() {
        let mut course = Course::at(at(0), ms(0));
        for look in 1..10_000_i64 {
            // Half a millisecond too much in each second.
            let monotonic = ms(u64::try_from(look * 2_000).unwrap());
            assert!(course.set_since(at(look * 2_001), monotonic).is_none());
        }
        assert_eq!(course.after(at(5), at(9)), at(5));
    }

    #[test]
    fn nothing_of_before_the_clock_was_set_counts() {
        let mut course = Course::at(at(0), ms(0));
        let forward = course.set_since(at(HOUR + 10), ms(10)).unwrap();
        assert_eq!(forward.after(at(5), at(HOUR + 20)), at(HOUR + 10));
        assert_eq!(forward.after(at(HOUR + 15), at(HOUR + 20)), at(HOUR + 15));
        let back = course.set_since(at(10 - HOUR), ms(10)).unwrap();
        // The moment of a change before it was set lies ahead now.
        assert_eq!(back.after(at(5), at(20 - HOUR)), at(10 - HOUR));
        assert_eq!(back.after(at(15 - HOUR), at(20 - HOUR)), at(15 - HOUR));
        assert_eq!(back.after(at(5 - HOUR), at(20 - HOUR)), at(10 - HOUR));
    }
}
