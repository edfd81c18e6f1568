//! A moment by two clocks, and whether an arming counts in it.

use super::{Arming, Who};
use crate::domain::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// A moment by the wall clock and by the time since the boot, which nobody can put back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The time of day.
    pub at: Timestamp,
    /// The boot that this host is in.
    pub boot: Arc<str>,
    /// The time since that boot, a suspended host's sleep in it.
    pub since_boot: Duration,
}

impl Who {
    /// The number that tells people apart: of the user that logged in, where the
    /// kernel tells, else of the user.
    pub fn person(&self) -> u32 {
        self.login.unwrap_or(self.uid)
    }
}

impl Arming {
    /// Whether it is this person's, for this environment.
    pub fn is_of(&self, who: &Who, environment: &str) -> bool {
        self.who.person() == who.person() && self.environment == environment
    }

    /// Whether it counts in this moment: by both clocks, in the boot in which it was made.
    pub fn counts(&self, now: &Moment) -> bool {
        let (boot, end) = &self.boot;
        now.at < self.until && **boot == *now.boot && now.since_boot.as_millis() < u128::from(*end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arming() -> Arming {
        let who = Who { uid: 1_000, ..Who::default() };
        let at = Timestamp::from_millis(1_000_000);
        Arming {
            who,
            environment: "production".into(),
            reason: "api 5xx".into(),
            at,
            until: at + Duration::from_mins(1),
            boot: ("b1".into(), 160_000),
        }
    }

    fn moment(at: i64, boot: &str, since_boot: u64) -> Moment {
        Moment {
            at: Timestamp::from_millis(at),
            boot: boot.into(),
            since_boot: Duration::from_millis(since_boot),
        }
    }

    #[test]
    fn either_clock_ends_it_and_so_does_a_restart() {
        let arming = arming();
        assert!(arming.counts(&moment(1_000_000, "b1", 100_000)));
        assert!(arming.counts(&moment(1_059_999, "b1", 159_999)));
        assert!(!arming.counts(&moment(1_060_000, "b1", 100_000)));
        // The clock was put back by an hour: the time since the boot goes on.
        assert!(!arming.counts(&moment(-2_600_000, "b1", 160_000)));
        assert!(!arming.counts(&moment(1_000_000, "b2", 100_000)));
    }

    #[test]
    fn it_is_of_who_logged_in_whatever_sudo_made_of_them() {
        let mut arming = arming();
        arming.who.login = Some(1_000);
        let root = Who { uid: 0, login: Some(1_000), ..Who::default() };
        assert!(arming.is_of(&root, "production"));
        assert!(!arming.is_of(&root, "staging"));
        assert!(!arming.is_of(&Who { uid: 1_000, login: Some(0), ..Who::default() }, "production"));
    }
}
