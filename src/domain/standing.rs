//! How something stands: a status with its reason, and what keeps it from being a plain one.

use super::{Status, Timestamp, units};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A status with its reason: how a check, a signal or a service stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The status that counts.
    pub status: Status,
    /// Why, in words: `HTTP 503`, `5xx 12.4% > 5%, 41 req/s`, `nothing has answered yet`.
    pub reason: String,
    /// Since when it is so.
    pub since: Timestamp,
    /// The beginning was not seen: `since` is the latest it can be.
    pub since_at_least: bool,
    /// When the data behind it was taken.
    pub seen: Option<Timestamp>,
    /// What keeps it from being a plain status.
    pub mark: Option<Mark>,
}

/// What keeps a status from being a plain one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mark {
    /// Nothing has answered yet since the start.
    Waiting,
    /// It reads `to` now and is being asked again; the former status counts.
    Confirming { to: Status },
    /// It changes to and fro; the worst seen counts.
    Flapping,
    /// The last answer is old.
    Stale,
    /// The rule of coverage: too little of the window was seen.
    Uncovered { seen: Duration, wanted: Duration },
    /// There were no requests.
    NoTraffic,
    /// There were fewer requests than it takes to be judged.
    LittleTraffic,
    /// This host is offline.
    Offline,
}

impl Standing {
    /// Unknown since `since`, for this reason.
    pub fn unknown(reason: impl Into<String>, since: Timestamp, mark: Option<Mark>) -> Self {
        Self { reason: reason.into(), since, mark, ..Self::default() }
    }

    /// Nothing has answered yet since `started`.
    pub fn waiting(started: Timestamp) -> Self {
        Self::unknown("nothing has answered yet", started, Some(Mark::Waiting))
    }

    /// The reason as a sentence at `now`: `HTTP 503 for 2m14s`; for old data
    /// `HTTP 503, unseen 2m`.
    pub fn words(&self, now: Timestamp) -> String {
        if self.mark == Some(Mark::Stale)
            && let Some(seen) = self.seen
        {
            return format!("{}, unseen {}", self.reason, units::age(now.since(seen)));
        }
        match (self.status, self.mark) {
            (Status::Ok, _) | (_, Some(Mark::Confirming { .. })) => self.reason.clone(),
            _ => {
                let held = units::age(now.since(self.since));
                let least = if self.since_at_least { "at least " } else { "" };
                format!("{} for {least}{held}", self.reason)
            }
        }
    }

    /// Whether nothing has answered yet, a first bad answer being confirmed included.
    pub fn is_waiting(&self) -> bool {
        self.status == Status::Unknown && self.seen.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_says_for_how_long_and_how_long_unseen() {
        let start = Timestamp::from_millis(0);
        let mut standing = Standing {
            status: Status::Critical,
            reason: "HTTP 503".into(),
            since: start,
            seen: Some(start + Duration::from_secs(14)),
            ..Standing::default()
        };
        let now = start + Duration::from_secs(134);
        assert_eq!(standing.words(now), "HTTP 503 for 2m14s");
        standing.since_at_least = true;
        assert_eq!(standing.words(now), "HTTP 503 for at least 2m14s");
        standing.mark = Some(Mark::Stale);
        assert_eq!(standing.words(now), "HTTP 503, unseen 2m");
    }
}
