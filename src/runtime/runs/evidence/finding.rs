//! What the parts of an answer say, and what they say together.

use crate::domain::runs::{Finding, Holds};
use crate::domain::{Mark, Num, Standing, Status, Timestamp, harmless_within, units};
use std::time::Duration;

/// Findings are cut to so many characters.
const WORDS: usize = 240;

/// What one thing says of itself, on readings taken after a moment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Part {
    /// Its status, or none where it proves nothing.
    pub(super) status: Option<Status>,
    pub(super) words: String,
    pub(super) seen: Option<Timestamp>,
    pub(super) value: Option<Num>,
    /// It proves nothing yet, and time alone will change that.
    pub(super) in_time: bool,
}

impl Part {
    pub(super) fn unknown(words: impl Into<String>, seen: Option<Timestamp>) -> Self {
        Self { status: None, words: words.into(), seen, value: None, in_time: false }
    }

    /// It proves nothing yet, and will in time.
    pub(super) fn yet(words: impl Into<String>, seen: Option<Timestamp>) -> Self {
        Self { in_time: true, ..Self::unknown(words, seen) }
    }

    pub(super) fn says(status: Status, words: impl Into<String>, seen: Option<Timestamp>) -> Self {
        Self { status: Some(status), ..Self::unknown(words, seen) }
    }

    /// What a standing says that nothing keeps from being a plain status, and
    /// that was seen after `after`.
    pub(super) fn of(standing: &Standing, after: Timestamp) -> Self {
        let words = standing.reason.clone();
        match standing.seen {
            None => Self::unknown(waiting(&words), None),
            Some(seen) if seen < after => Self::unknown("waiting for a reading", Some(seen)),
            Some(_) if standing.mark.is_some() || standing.status == Status::Unknown => {
                Self { in_time: comes_in_time(standing), ..Self::unknown(words, standing.seen) }
            }
            Some(_) => Self::says(standing.status, words, standing.seen),
        }
    }

    #[must_use]
    pub(super) fn named(mut self, name: &str) -> Self {
        self.words = format!("{name}: {}", self.words);
        self
    }

    pub(super) fn finding(self, holds: Holds) -> Finding {
        let words = harmless_within(&self.words, WORDS);
        let in_time = self.in_time && holds == Holds::Unknown;
        Finding { holds, words, seen: self.seen, value: self.value, in_time }
    }
}

/// Whether time alone brings what a standing lacks.
pub(super) fn comes_in_time(standing: &Standing) -> bool {
    matches!(standing.mark, Some(Mark::Uncovered { .. } | Mark::NoTraffic | Mark::LittleTraffic))
}

fn waiting(reason: &str) -> String {
    if reason.is_empty() { "waiting for a reading".into() } else { reason.to_owned() }
}

/// `waiting: 40s of 1m seen so far`
pub(super) fn window_words(seen: Duration, wanted: Duration) -> String {
    let (seen, wanted) = (units::age(seen.min(wanted)), units::age(wanted));
    format!("waiting: {seen} of {wanted} seen so far")
}

/// Whether all parts together have this status: the worst of them counts, and
/// what proves nothing may be anything.
pub(super) fn together(wanted: Status, parts: &[Part]) -> Finding {
    if parts.is_empty() {
        return Part::unknown("there is nothing to judge it by", None).finding(Holds::Unknown);
    }
    let worst = parts.iter().filter_map(|part| part.status).max();
    let seen = parts.iter().filter_map(|part| part.seen).min();
    let is_open = parts.iter().any(|part| part.status.is_none());
    let holds = match worst {
        _ if wanted == Status::Unknown => Holds::Unknown,
        Some(worst) if worst > wanted => Holds::No,
        Some(Status::Critical) if wanted == Status::Critical => Holds::Yes,
        _ if is_open => Holds::Unknown,
        Some(worst) if worst == wanted => Holds::Yes,
        Some(_) | None => Holds::No,
    };
    let telling = match holds {
        Holds::Unknown => parts.iter().find(|part| part.status.is_none()),
        Holds::Yes | Holds::No => parts.iter().find(|part| part.status == worst),
    };
    let Some(telling) = telling.or(parts.first()).cloned() else {
        return Part::unknown("", None).finding(Holds::Unknown);
    };
    let words = match telling.status {
        Some(status) if telling.words.is_empty() => status.word().to_owned(),
        Some(status) => format!("{status}: {}", telling.words),
        None => telling.words.clone(),
    };
    let seen = if holds == Holds::Yes { seen } else { telling.seen };
    Part { words, seen, ..telling }.finding(holds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_needs_time_says_so() {
        let at = Timestamp::from_millis(5_000);
        let finding = |mark| {
            let standing = Standing { seen: Some(at), ..Standing::unknown("why", at, Some(mark)) };
            together(Status::Ok, &[Part::of(&standing, at)])
        };
        let uncovered = Mark::Uncovered { seen: Duration::ZERO, wanted: Duration::from_secs(1) };
        for mark in [uncovered, Mark::NoTraffic, Mark::LittleTraffic] {
            assert!(finding(mark).in_time, "{mark:?}");
        }
        for mark in [Mark::Stale, Mark::Offline, Mark::Waiting] {
            assert!(!finding(mark).in_time, "{mark:?}");
        }
        // What holds, or does not, is said already.
        let parts = [Part::yet("why", None), Part::says(Status::Critical, "down", Some(at))];
        assert!(!together(Status::Ok, &parts).in_time && together(Status::Ok, &parts[..1]).in_time);
    }
}
