//! Issues of an error tracker, as Sentry and its relatives tell of them.

use super::{Num, ServiceName, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What one poll of an error tracker brought.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct IssuesReading {
    /// What answers: `Sentry`, `GlitchTip`, `Bugsink 2.6.1`.
    pub server: String,
    /// Unresolved issues, the last seen first; of many the first 1,000.
    pub issues: Vec<Issue>,
    /// There are more than were read.
    pub more: bool,
    /// Releases, the newest first.
    pub releases: Vec<super::Release>,
    /// Share of sessions or users that did not crash, by project.
    pub crash_free: Vec<CrashFree>,
    /// What is left of the rate limit, where the server tells.
    pub limit: Option<RateLimit>,
    /// Parts that could not be read: `releases: HTTP 403`.
    pub notes: Vec<String>,
    /// How long all of it took.
    pub took: Duration,
    /// How far the server's clock is ahead of this host's, in milliseconds.
    pub skew_ms: Option<i64>,
}

/// An unresolved issue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issue {
    /// The server's id of it.
    pub id: String,
    /// The short id that people say: `SHOP-12`.
    pub short: String,
    /// The project's slug.
    pub project: String,
    /// The service that the project belongs to, where the config says so.
    pub service: Option<ServiceName>,
    /// `TypeError: x is undefined`.
    pub title: String,
    /// Where it happens: `checkout.views in pay`.
    pub culprit: String,
    /// How bad its events are.
    pub level: Level,
    /// Whether it is new, came back, or grows.
    pub trend: Trend,
    /// No code handled it.
    pub unhandled: Option<bool>,
    /// So many events.
    pub events: u64,
    /// So many users, where the server counts them.
    pub users: Option<u64>,
    /// When it was first seen.
    pub first: Timestamp,
    /// When it was last seen.
    pub last: Timestamp,
    /// The release it was first seen in.
    pub first_release: Option<String>,
    /// The release it was last seen in.
    pub last_release: Option<String>,
    /// The environments it was seen in, where told.
    pub environment: Option<String>,
    /// Events an hour over the last 24 hours, oldest first; empty where not told.
    pub hours: Vec<u32>,
    /// Its page.
    pub link: Option<String>,
}

/// How bad an event is, as in Sentry.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// For developers.
    Debug,
    /// For information.
    Info,
    /// May be wrong.
    Warning,
    /// Went wrong.
    #[default]
    Error,
    /// The process died of it.
    Fatal,
}

/// Which way an issue goes.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Trend {
    /// It goes on as before.
    #[default]
    Ongoing,
    /// First seen not long ago, as the server counts it.
    New,
    /// It was resolved and came back.
    Regressed,
    /// It comes much more often than it did.
    Escalating,
}

impl Trend {
    /// The word, in lower case.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ongoing => "ongoing",
            Self::New => "new",
            Self::Regressed => "regressed",
            Self::Escalating => "escalating",
        }
    }

    /// The trend of a word; unknown words are no trend.
    pub fn of(word: &str) -> Option<Self> {
        let all = [Self::Ongoing, Self::New, Self::Regressed, Self::Escalating];
        all.into_iter().find(|trend| trend.word() == word)
    }
}

/// An event of an issue, as far as a person on call needs it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssueEvent {
    /// Its id.
    pub id: String,
    /// When it happened.
    pub at: Timestamp,
    /// `TypeError`; the last of a chain of exceptions.
    pub kind: String,
    /// `x is undefined`.
    pub value: String,
    /// The innermost frames, the innermost first; at most 20.
    pub frames: Vec<Frame>,
    /// The release.
    pub release: Option<String>,
    /// The environment.
    pub environment: Option<String>,
    /// A few tags: `browser Chrome 120`. Never a user, a header or a body.
    pub tags: Vec<(String, String)>,
}

/// A frame of a stack.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// The file or module.
    pub file: String,
    /// The function.
    pub function: String,
    /// The line, counted from 1.
    pub line: Option<u64>,
    /// It is the application's own code.
    pub own: bool,
    /// The line of code itself, where told; may be empty.
    pub code: String,
}

/// The share of sessions or users that did not crash.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CrashFree {
    /// The project's slug.
    pub project: String,
    /// Of sessions, from 0 to 1.
    pub sessions: Option<Num>,
    /// Of users, from 0 to 1.
    pub users: Option<Num>,
}

/// What issues count for in the verdict of the service that they belong to.
/// Left alone they are worth knowing and count for nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct IssueRules {
    /// Issues that go one of these ways are a warning.
    pub warning: Vec<Trend>,
    /// Where the share of sessions that did not crash is a warning, and critical.
    pub crash_free: super::Thresholds,
}

impl IssueRules {
    /// Whether anything counts.
    pub fn count(&self) -> bool {
        let Self { warning, crash_free } = self;
        !warning.is_empty() || crash_free.warning.is_some() || crash_free.critical.is_some()
    }
}

/// What is left of a rate limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateLimit {
    /// So many requests a window.
    pub limit: u64,
    /// So many are left.
    pub remaining: u64,
    /// When the window begins anew.
    pub reset: Timestamp,
}
