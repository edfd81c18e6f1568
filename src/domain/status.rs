//! The answer to a check, and how answers are counted and compared.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The answer to a check. Ordered by how much it matters:
/// `ok < unknown < warning < critical`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It answered, and well.
    Ok,
    /// Nobody knows: not asked yet, no longer answering, or not judged.
    #[default]
    Unknown,
    /// Worth a look in working hours.
    Warning,
    /// Worth a person's night.
    Critical,
}

impl Status {
    /// Nagios' exit codes: 0 ok, 1 warning, 2 critical, 3 unknown
    /// (Nagios Plugins Development Guidelines, "Plugin Return Codes").
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }

    /// The word, in lower case.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// How many of a group have each status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// How many are critical.
    pub critical: usize,
    /// How many are at warning.
    pub warning: usize,
    /// How many are unknown.
    pub unknown: usize,
    /// How many are ok.
    pub ok: usize,
}

impl Counts {
    /// Counts one more.
    pub fn add(&mut self, status: Status) {
        match status {
            Status::Critical => self.critical += 1,
            Status::Warning => self.warning += 1,
            Status::Unknown => self.unknown += 1,
            Status::Ok => self.ok += 1,
        }
    }

    /// One that was counted counts for something else.
    pub fn replace(&mut self, before: Status, after: Status) {
        let of = match before {
            Status::Critical => &mut self.critical,
            Status::Warning => &mut self.warning,
            Status::Unknown => &mut self.unknown,
            Status::Ok => &mut self.ok,
        };
        if *of > 0 {
            *of -= 1;
            self.add(after);
        }
    }

    /// The worst status that was counted; unknown where nothing was.
    pub fn verdict(self) -> Status {
        if self.critical > 0 {
            Status::Critical
        } else if self.warning > 0 {
            Status::Warning
        } else if self.unknown > 0 || self.ok == 0 {
            Status::Unknown
        } else {
            Status::Ok
        }
    }
}

impl FromIterator<Status> for Counts {
    fn from_iter<I: IntoIterator<Item = Status>>(statuses: I) -> Self {
        let mut counts = Self::default();
        for status in statuses {
            counts.add(status);
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_is_the_worst_and_nothing_is_unknown() {
        let verdict = |statuses: &[Status]| statuses.iter().copied().collect::<Counts>().verdict();
        assert_eq!(verdict(&[]), Status::Unknown);
        assert_eq!(verdict(&[Status::Ok]), Status::Ok);
        assert_eq!(verdict(&[Status::Ok, Status::Unknown]), Status::Unknown);
        assert_eq!(verdict(&[Status::Unknown, Status::Warning]), Status::Warning);
        assert_eq!(verdict(&[Status::Warning, Status::Critical]), Status::Critical);
    }
}
