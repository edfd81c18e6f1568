//! What one poll of one source brought back, or why it brought nothing.

use super::{
    AlertsReading, BackupReading, IssuesReading, Num, ReleasesReading, Status, TargetsReading,
    Timestamp,
};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What one poll of one source brought back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Reading {
    /// The answer to a check.
    Check(CheckReading),
    /// A page of samples was read into the sample memory.
    Scrape(ScrapeReading),
    /// A metrics server answered.
    Server(ServerReading),
    /// Alerts, and what a server says of them.
    Alerts(Arc<AlertsReading>),
    /// The targets of a metrics server.
    Targets(Arc<TargetsReading>),
    /// Issues of an error tracker.
    Issues(Arc<IssuesReading>),
    /// The backups of a data set.
    Backup(Arc<BackupReading>),
    /// Releases.
    Releases(Arc<ReleasesReading>),
}

impl Reading {
    /// How far the clock of whoever answered is ahead of this host's, in
    /// milliseconds, where its answer told the time.
    pub fn skew_ms(&self) -> Option<i64> {
        match self {
            Self::Check(reading) => reading.skew_ms,
            Self::Server(reading) => reading.skew_ms,
            Self::Alerts(reading) => reading.skew_ms,
            Self::Issues(reading) => reading.skew_ms,
            Self::Scrape(_) | Self::Targets(_) | Self::Backup(_) | Self::Releases(_) => None,
        }
    }
}

/// The answer to a check.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CheckReading {
    /// What the check found, before any confirming.
    pub status: Status,
    /// The reason in a few words, harmless to show: `HTTP 503`, `connection refused`.
    pub summary: String,
    /// How long the answer took.
    pub took: Duration,
    /// In which layer it failed, where it did.
    pub cause: Option<Cause>,
    /// The parts that the answer speaks of, each with its own status.
    pub components: Vec<Component>,
    /// The leaf certificate that the server showed.
    pub certificate: Option<Certificate>,
    /// Numbers that came with the answer (a plugin's perfdata).
    pub numbers: Vec<(String, Num)>,
    /// What a reader must know beside the status: `TLS not verified`.
    pub notes: Vec<String>,
    /// How far the server's clock is ahead of this host's, in milliseconds.
    pub skew_ms: Option<i64>,
}

/// Where a failed check failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// The name did not resolve.
    Name,
    /// Nothing listens there.
    Refused,
    /// No answer in time.
    Timeout,
    /// No route, reset, closed in the middle.
    Network,
    /// The TLS handshake failed.
    Tls,
    /// It answered, and the answer is bad.
    Answer,
    /// The check itself could not be carried out (a missing program or file).
    Check,
}

/// A part that a health answer speaks of: `database`, `redis`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Component {
    /// Its name in the answer, a path with `/` where it is nested.
    pub name: String,
    /// Its status.
    pub status: Status,
    /// What the answer says of it, harmless to show; may be empty.
    pub detail: String,
}

/// A server's leaf certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The subject's common name or first alternative name.
    pub subject: String,
    /// The issuer's common name or organization.
    pub issuer: String,
    /// Start of validity.
    pub not_before: Timestamp,
    /// End of validity.
    pub not_after: Timestamp,
    /// Why it is not trusted, where it is not.
    pub problem: Option<String>,
}

/// What a scraped page held.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScrapeReading {
    /// Samples that were kept.
    pub samples: u64,
    /// Series of this target that are in memory.
    pub series: u64,
    /// Bytes of the page, unpacked.
    pub bytes: u64,
    /// How long the page took to come.
    pub took: Duration,
    /// How many lines could not be read.
    pub malformed: u64,
    /// The first few of those.
    pub first_malformed: Vec<Malformed>,
    /// What a reader must know beside: series for which there was no room.
    pub note: Option<String>,
    /// The moment from which on the samples of its job are in memory.
    #[serde(default)]
    pub since: Option<Timestamp>,
}

/// A line of a page that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Malformed {
    /// Counted from 1.
    pub line: u64,
    /// Column in bytes, counted from 1.
    pub column: u64,
    /// What is wrong there.
    pub message: String,
}

/// What a metrics server says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerReading {
    /// Product and version where it tells: `Prometheus 2.42.0`.
    pub version: Option<String>,
    /// How long the answer took.
    pub took: Duration,
    /// How far the server's clock is ahead of this host's, in milliseconds.
    pub skew_ms: Option<i64>,
}

/// Why a poll brought nothing. Its text is what the operator reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PollError {
    /// What kind of failure it is.
    pub cause: PollFailure,
    /// The whole reason in words, harmless to show and without secrets.
    pub message: String,
    /// Not before this much time has gone by, where the server said so.
    pub retry_after: Option<Duration>,
}

/// The kinds of failure that are told apart everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PollFailure {
    /// The name did not resolve.
    Name,
    /// Nothing listens there.
    Refused,
    /// No answer in time.
    Timeout,
    /// No route, reset, closed in the middle.
    Network,
    /// The TLS handshake failed.
    Tls,
    /// Wrong or missing credentials (401, 403, wrong password).
    Denied,
    /// What is asked for is not there (404, no repository).
    Absent,
    /// Locked or starting up; later it may answer.
    Busy,
    /// It answered, and the answer cannot be used.
    Broken,
    /// More came than is taken.
    TooBig,
    /// Asked too often.
    Limited,
}

impl PollError {
    /// With a message and no time to wait for.
    pub fn new(cause: PollFailure, message: impl Into<String>) -> Self {
        Self { cause, message: message.into(), retry_after: None }
    }

    /// The answer cannot be used.
    pub fn broken(message: impl Into<String>) -> Self {
        Self::new(PollFailure::Broken, message)
    }
}

impl fmt::Display for PollError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for PollError {}
