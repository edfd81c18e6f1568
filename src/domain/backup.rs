//! Backups: what a look at a data set's backups finds, and what is wanted of them.

use super::{ServiceName, Status, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What is wanted of the backups of a data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackupRole {
    /// Its name: `orders`.
    pub name: String,
    /// The service whose data it is, where the config says so.
    pub service: Option<ServiceName>,
    /// Recovery point objective: the last good backup may be this old.
    pub rpo: Duration,
    /// Recovery time objective: a restore may take this long.
    pub rto: Option<Duration>,
    /// So many good backups must be kept.
    pub keep: Option<u32>,
    /// The oldest good backup must be this old, once there are some.
    pub keep_for: Option<Duration>,
    /// A verified restore must not be older than this; without it a data set
    /// whose restore was never tried is worth knowing and no more.
    pub restore_test: Option<Duration>,
    /// So many bytes must be free where it is stored.
    pub min_free: Option<u64>,
    /// The worst status that it may count for, as an advisory if `Ok`.
    pub at_most: Status,
}

/// What one look at a data set's backups found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BackupReading {
    /// Backups that are there, oldest first; of many the newest 1,000.
    pub snapshots: Vec<Snapshot>,
    /// How many there are, those left out included.
    pub count: u64,
    /// Whether one is made right now, and since when.
    pub running: Option<Running>,
    /// They are encrypted where they are stored.
    pub encrypted: Option<bool>,
    /// They are stored on another host than the one the data is on.
    pub off_host: Option<bool>,
    /// Bytes free where they are stored.
    pub free: Option<u64>,
    /// Where they are stored, harmless to show and without secrets.
    pub place: String,
    /// The tool, and its version where it tells: `restic 0.14.0`.
    pub tool: Option<String>,
    /// What is wrong beside single backups: damage, archiving that fails.
    pub problems: Vec<BackupProblem>,
    /// The last restore that was tried and verified.
    pub restore: Option<RestoreTest>,
    /// What a reader must know beside: `the lock of a dead process is left`.
    pub notes: Vec<String>,
    /// How long the look took.
    pub took: Duration,
}

/// One backup: a snapshot, an archive, a dump file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Its id, archive name, label or file name, harmless to show.
    pub id: String,
    /// The moment whose data it holds at the latest: its end, or its start
    /// where the tool tells no end.
    pub taken: Timestamp,
    /// How long it took to make.
    pub took: Option<Duration>,
    /// How much data it holds, in bytes; as stored where the tool tells no more.
    pub size: Option<u64>,
    /// What keeps it from being a good one: `truncated: no closing line`.
    pub fault: Option<Fault>,
    /// The host that it was made on, where the tool tells.
    pub host: Option<String>,
}

/// What keeps a backup from being a good one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// `Critical`: nothing can be restored from it. `Warning`: part of it is missing.
    pub status: Status,
    /// In words, harmless to show.
    pub words: String,
}

/// A backup that is being made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// Since when, where it is known.
    pub since: Option<Timestamp>,
    /// Who or what: `pid 411 on db-1`.
    pub by: String,
}

/// Something wrong with the repository as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupProblem {
    /// How bad.
    pub status: Status,
    /// In words, harmless to show.
    pub words: String,
}

/// A restore that was tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreTest {
    /// When it ended.
    pub at: Timestamp,
    /// Whether what came back was verified and good.
    pub good: bool,
    /// How long it took.
    pub took: Option<Duration>,
    /// How many bytes it brought back.
    pub size: Option<u64>,
    /// What it says of itself, harmless to show; may be empty.
    pub words: String,
}

/// A full check of a backup, made on request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FullCheck {
    /// What was checked: a snapshot's id, or the repository.
    pub of: String,
    /// `Ok` where all of it could be read and is sound.
    pub status: Status,
    /// What was found, in words.
    pub words: String,
    /// How long it took.
    pub took: Duration,
}
