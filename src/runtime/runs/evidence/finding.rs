//! What the parts of an answer say, and what they say together.

use crate::domain::runs::{Finding, Holds};
use crate::domain::{Num, Standing, Status, Timestamp, harmless_within, units};
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
}

impl Part {
    pub(super) fn unknown(words: impl Into<String>, seen: Option<Timestamp>) -> Self {
        Self { status: None, words: words.into(), seen, value: None }
    }

    pub(super) fn says(status: Status, words: impl Into<String>, seen: Option<Timestamp>) -> Self {
        Self { status: Some(status), words: words.into(), seen, value: None }
    }

    /// What a standing says that nothing keeps from being a plain status, and
    /// that was seen after `after`.
    pub(super) fn of(standing: &Standing, after: Timestamp) -> Self {
        let words = standing.reason.clone();
        match standing.seen {
            None => Self::unknown(waiting(&words), None),
            Some(seen) if seen < after => Self::unknown("waiting for a reading", Some(seen)),
            Some(_) if standing.mark.is_some() || standing.status == Status::Unknown => {
                Self::unknown(words, standing.seen)
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
        Finding { holds, words, seen: self.seen, value: self.value }
    }
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
