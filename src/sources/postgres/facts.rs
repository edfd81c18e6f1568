//! What the queries bring, read from their JSON.

use crate::domain::PollError;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// All answers of one poll. A part that was denied or failed says why.
#[derive(Debug)]
pub(super) struct Answers {
    pub(super) core: Core,
    pub(super) replication: Result<Replication, String>,
    /// Asked only where somebody waits.
    pub(super) blocked: Option<Result<Blocked, String>>,
    /// Segments that wait for being archived, where that fails.
    pub(super) waiting_segments: Option<f64>,
    pub(super) slow: Option<Slow>,
    pub(super) own: Option<Own>,
}

/// Sessions, archive, wraparound.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Core {
    pub(super) version: String,
    pub(super) number: i64,
    pub(super) standby: bool,
    pub(super) now: Option<f64>,
    pub(super) started: Option<f64>,
    pub(super) max: Option<f64>,
    /// Of these, ordinary roles get none.
    pub(super) reserved: Option<f64>,
    pub(super) monitor: bool,
    pub(super) clients: Option<f64>,
    pub(super) backends: Option<f64>,
    waiting: Option<f64>,
    pub(super) longest: Option<Session>,
    pub(super) idle: Option<Session>,
    pub(super) idle_count: Option<f64>,
    pub(super) deadlocks: Option<f64>,
    pub(super) temp_bytes: Option<f64>,
    pub(super) commits: Option<f64>,
    pub(super) xid_age: Option<f64>,
    pub(super) archive_mode: Option<String>,
    pub(super) archiver: Option<Archiver>,
    /// Schema of `pg_stat_statements`.
    pub(super) statements: Option<String>,
}

impl Core {
    /// Whether a session waits for a lock.
    pub(super) fn waiting(&self) -> bool {
        self.waiting.is_some_and(|many| many > 0.0)
    }

    /// Whether segments are archived at all.
    pub(super) fn archives(&self) -> bool {
        matches!(
            (self.archive_mode.as_deref(), self.standby),
            (Some("on"), false) | (Some("always"), _)
        )
    }

    /// Whether the last try to archive a segment failed.
    pub(super) fn archiving_fails(&self) -> bool {
        self.archives() && self.archiver.as_ref().is_some_and(Archiver::fails)
    }
}

/// A session that has been at something for long.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Session {
    pub(super) pid: i64,
    pub(super) seconds: Option<f64>,
    pub(super) state: Option<String>,
    pub(super) app: Option<String>,
}

/// `pg_stat_archiver`, its times as seconds since the epoch.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Archiver {
    pub(super) archived_count: Option<f64>,
    pub(super) failed_count: Option<f64>,
    pub(super) last_failed_wal: Option<String>,
    pub(super) last_failed: Option<f64>,
    /// Or when counting began, where nothing ever was.
    pub(super) last_archived: Option<f64>,
}

impl Archiver {
    fn fails(&self) -> bool {
        match (self.last_failed, self.last_archived) {
            (Some(failed), Some(archived)) => failed > archived,
            (Some(_), None) => true,
            (None, _) => false,
        }
    }
}

/// Standbys, slots, and the way to a primary.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Replication {
    pub(super) standby: bool,
    pub(super) replicas: Option<Vec<Replica>>,
    pub(super) slots: Option<Vec<Slot>>,
    pub(super) receiver: Option<Receiver>,
    /// Received and not yet replayed.
    pub(super) bytes: Option<f64>,
    /// Age of the last transaction that was replayed.
    pub(super) seconds: Option<f64>,
    pub(super) paused: Option<bool>,
}

/// A standby, as its primary sees it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Replica {
    pub(super) name: String,
    pub(super) state: Option<String>,
    pub(super) sync_state: Option<String>,
    pub(super) bytes: Option<f64>,
    pub(super) seconds: Option<f64>,
}

/// A replication slot.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Slot {
    pub(super) name: String,
    pub(super) active: bool,
    pub(super) bytes: Option<f64>,
    pub(super) wal_status: Option<String>,
}

/// A standby's own end of the link.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Receiver {
    pub(super) status: Option<String>,
    /// Seconds since anything came.
    pub(super) silent: Option<f64>,
}

/// Sessions that wait for a lock, and who holds most of them up.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Blocked {
    pub(super) count: Option<f64>,
    pub(super) seconds: Option<f64>,
    pub(super) by: Option<i64>,
    pub(super) state: Option<String>,
    pub(super) since: Option<f64>,
}

/// The slow queries, or why they are not known.
#[derive(Clone, Debug)]
pub(super) enum Slow {
    Top(Vec<SlowQuery>),
    Not(String),
}

/// A statement with the time it took in all and on average, in seconds.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SlowQuery {
    pub(super) query: Option<String>,
    pub(super) calls: f64,
    pub(super) total: f64,
    pub(super) mean: f64,
}

/// What the operator's query came to: no row, or whether its first value is true.
#[derive(Debug)]
pub(super) struct Own {
    pub(super) outcome: Result<Option<bool>, String>,
    pub(super) took: Duration,
}

/// Reads one answer.
pub(super) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, PollError> {
    serde_json::from_str(text).map_err(|_| PollError::broken("the answer cannot be read"))
}
