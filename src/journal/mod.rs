//! The journal: SQLite, one hash chain for each writer, its heads in a second file.

use crate::domain::Timestamp;
use crate::domain::runs::{
    Arming, BookId, Entry, ProcessId, Record, RunId, RunRecord, Who, WriterKind,
};
use crate::runbook::Past;
use std::collections::BTreeMap;
use std::path::PathBuf;
use thiserror::Error;

/// Where a journal lies and how far its locks reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The folder that holds `journal.sqlite`, `heads`, `reserve` and `runs/`.
    pub folder: PathBuf,
    /// Where the sockets of runs are.
    pub sockets: PathBuf,
    /// Shared by the users of this host, or one user's own.
    pub shared: bool,
}

impl Place {
    /// The folder of a run: its output and text.
    pub fn run(&self, run: &RunId) -> PathBuf {
        self.folder.join("runs").join(run.as_str())
    }

    /// How far a lock reaches: `only you`, `this host`.
    pub fn reach(&self) -> &'static str {
        if self.shared { "this host" } else { "only you" }
    }
}

/// Why a record could not be written or read.
#[derive(Debug, Error)]
pub enum JournalError {
    /// It cannot be used as it lies there.
    #[error("the journal in {folder}: {why}")]
    Place {
        /// Its folder.
        folder: PathBuf,
        /// Why not, and what to do.
        why: String,
    },
    /// The record could not be written: what it announces does not happen.
    #[error("the journal cannot be written: {0}")]
    Write(String),
    /// It could not be read.
    #[error("the journal cannot be read: {0}")]
    Read(String),
}

/// Why a run did not begin.
#[derive(Debug, Error)]
pub enum BeginError {
    /// Another run holds its target.
    #[error("{target} is held by run {run} of {who}, since {since}")]
    Held {
        /// What.
        target: String,
        /// By which run.
        run: RunId,
        /// Whose.
        who: String,
        /// Since when.
        since: Timestamp,
    },
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// The journal, opened by one writer. A handle: clones are the same writer.
#[derive(Clone, Debug)]
pub struct Journal {
    place: Place,
}

impl Journal {
    /// Opens it, makes it where there is none, brings an older one to this
    /// version, and writes this writer's first record.
    pub async fn open(
        place: Place,
        _kind: WriterKind,
        _who: Who,
        _process: ProcessId,
        _at: Timestamp,
    ) -> Result<Self, JournalError> {
        Ok(Self { place })
    }

    /// Where it lies.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Appends a record: when this gives, it is on the disk.
    pub async fn append(&self, _at: Timestamp, _record: Record) -> Result<Entry, JournalError> {
        Err(JournalError::Write("not there yet".into()))
    }

    /// Appends the `Started` of a run, unless another run holds its target:
    /// both in one transaction.
    pub async fn begin(
        &self,
        _at: Timestamp,
        _run: RunId,
        _started: RunRecord,
    ) -> Result<Entry, BeginError> {
        Err(JournalError::Write("not there yet".into()).into())
    }

    /// The records of a run behind this place.
    pub async fn of_run(&self, _run: &RunId, _after: i64) -> Result<Vec<Entry>, JournalError> {
        Ok(Vec::new())
    }

    /// The newest runs, each with its records, the newest first.
    pub async fn runs(&self, _most: usize) -> Result<Vec<Vec<Entry>>, JournalError> {
        Ok(Vec::new())
    }

    /// The arming that counts for this user in this environment at `at`, as the
    /// wall clock and the time since the boot both say.
    pub async fn armed(
        &self,
        _who: &Who,
        _environment: &str,
        _at: Timestamp,
    ) -> Result<Option<Arming>, JournalError> {
        Ok(None)
    }

    /// What was done with each runbook before.
    pub async fn past(&self) -> Result<BTreeMap<BookId, Past>, JournalError> {
        Ok(BTreeMap::new())
    }
}
