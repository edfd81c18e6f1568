//! How each thing that is watched stands.

use super::{checks, signals, sources};
use crate::domain::{CheckReading, Labels, Num, PollError, Reading, Standing, Status, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::time::Duration;

/// Whether this host has a network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Online {
    /// No canary is set, or none has answered yet: sources are believed.
    #[default]
    Untold,
    /// A canary answers.
    Yes,
    /// No canary answers.
    No { since: Timestamp },
}

/// What is known of a source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SourceState {
    /// How it stands as a source: `ok` while it answers. For a source that
    /// answers a check see [`super::Known::standing_of_source`].
    pub standing: Standing,
    /// When its last poll began.
    pub polled: Option<Timestamp>,
    /// When it last brought something.
    pub answered: Option<Timestamp>,
    /// What it last brought; for a check see [`CheckState::last`].
    pub reading: Option<Reading>,
    /// Why the last poll brought nothing, if so, and since when that is so.
    pub failing: Option<(Timestamp, PollError)>,
    /// When it is asked next.
    pub next: Option<Timestamp>,
    /// How long the last poll took.
    pub took: Duration,
    /// How late the last poll began.
    pub late: Duration,
    /// How many polls ended.
    pub polls: u64,
    /// How many of them brought nothing.
    pub failures: u64,
    /// What the rules remember of it.
    pub memory: sources::Memory,
}

impl SourceState {
    /// When its last answer is older than three of its intervals; one whose
    /// polls take longer than its interval cannot answer as often as that.
    pub(super) fn stale_at(&self, every: Duration) -> Option<Timestamp> {
        let answered = self.answered?;
        Some(answered + every.max(self.took).saturating_mul(3))
    }

    /// Whether its last answer is so old that it says nothing of now.
    pub fn is_stale(&self, now: Timestamp, every: Duration) -> bool {
        self.stale_at(every).is_some_and(|moment| now > moment)
    }
}

/// How a check stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CheckState {
    /// Its status and reason.
    pub standing: Standing,
    /// Its last answer, with components and certificate.
    pub last: Option<CheckReading>,
    /// How the certificate stands that it was last shown.
    pub certificate: Option<Standing>,
    /// What the rules remember of it.
    pub memory: checks::Memory,
}

/// How a signal stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SignalState {
    /// Its status and reason.
    pub standing: Standing,
    /// Its values, worst first; empty where there is no answer or no data.
    pub values: Vec<SignalValue>,
    /// What the engine warned of, or why it did not answer.
    pub notes: Vec<String>,
    /// What the rules remember of it.
    pub memory: signals::Memory,
}

/// One series of a signal's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalValue {
    /// Its labels.
    pub labels: Labels,
    /// Its value in the signal's unit.
    pub value: Num,
    /// How it is judged.
    pub status: Status,
}

/// How a service stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceState {
    /// The worst of its checks and signals, with that one's reason.
    pub standing: Standing,
    /// Its verdicts over time, oldest first, bounded: `(since, status)`.
    pub history: VecDeque<(Timestamp, Status)>,
}

/// How a host stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostState {
    /// The worst of its signals, or of the scrape that brings them.
    pub standing: Standing,
    /// Since when nothing told of it, where that is so.
    pub missing: Option<Timestamp>,
}
