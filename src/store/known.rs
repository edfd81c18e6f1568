//! What is known now: the fold of everything that came in, as panels,
//! `glance` and runs read it.

use crate::domain::{
    Alert, CheckReading, Event, Inventory, Labels, Num, PollError, Reading, ServiceName, SignalId,
    SourceId, Status, Timestamp,
};
use crate::store::{Answer, AskId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Everything known at `now`. All statuses in it already count staleness,
/// confirming, flapping and the state of one's own network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Known {
    /// What is watched.
    pub inventory: Arc<Inventory>,
    /// When watching began.
    pub started: Timestamp,
    /// The moment that all of this is about.
    pub now: Timestamp,
    /// Whether this host has a network, as the canaries say.
    pub online: Online,
    /// Every source, in the order of the inventory.
    pub sources: BTreeMap<SourceId, SourceState>,
    /// Every check, by its source.
    pub checks: BTreeMap<SourceId, CheckState>,
    /// Every signal.
    pub signals: BTreeMap<SignalId, SignalState>,
    /// Every service.
    pub services: BTreeMap<ServiceName, ServiceState>,
    /// Alerts that fire or are pending, worst first, then longest first.
    pub alerts: Vec<Alert>,
    /// The last answers to questions, by their place.
    pub answers: BTreeMap<AskId, Arc<Answer>>,
    /// What happened, oldest first, bounded.
    pub events: VecDeque<Event>,
}

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
    /// When its last poll began.
    pub polled: Option<Timestamp>,
    /// When it last brought something.
    pub answered: Option<Timestamp>,
    /// What it last brought.
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
}

impl SourceState {
    /// Whether its last answer is older than three of its intervals.
    pub fn is_stale(&self, now: Timestamp, every: Duration) -> bool {
        self.answered.is_some_and(|answered| now.since(answered) > every * 3)
    }
}

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

/// How a check stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CheckState {
    /// Its status and reason.
    pub standing: Standing,
    /// Its last answer, with components and certificate.
    pub last: Option<CheckReading>,
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
