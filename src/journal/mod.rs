//! The journal: `SQLite`, one hash chain for each writer, its heads in a second file.

mod chain;
mod heads;
mod place;
mod read;
mod reserve;
mod schema;
mod verify;
mod words;
mod writer;

pub use chain::Row;
pub use heads::{Head, Kept};
pub use place::Place;
pub use read::Reader;
pub use verify::Verdict;

use crate::domain::Timestamp;
use crate::domain::runs::{
    Arming, BookId, Entry, Moment, ProcessId, Record, RunId, RunRecord, Who, WriterId, WriterKind,
};
use crate::runbook::Past;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use thiserror::Error;
use tokio::sync::Mutex;
use writer::{Guard, Refusal, Writer};

/// Why a record could not be written or read.
#[derive(Debug, Error)]
pub enum JournalError {
    /// It cannot be used as it lies there.
    #[error("the journal in {}: {why}", folder.display())]
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
    #[error(
        "{target} is held by run {run} of {who}, since {since}: go on with it (opsroom attach {run}), or end it there (abandon)"
    )]
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

/// Why a run was not taken up.
#[derive(Debug, Error)]
pub enum TakeUpError {
    /// Nothing of that name was ever started.
    #[error("there is no run {0}")]
    NotThere(RunId),
    /// It is over.
    #[error("run {0} has ended")]
    Ended(RunId),
    /// Its process lives: it is followed, not taken up.
    #[error("run {run} is carried out by process {}", process.pid)]
    Alive {
        /// Which run.
        run: RunId,
        /// By which process.
        process: ProcessId,
    },
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// The journal, opened by one writer. A handle: clones are the same writer.
///
/// Each appending is carried to its end even where the future that asked for it
/// is dropped: the chain never stands on a record that nobody remembers.
#[derive(Clone, Debug)]
pub struct Journal {
    place: Arc<Place>,
    id: WriterId,
    writer: Arc<Mutex<Writer>>,
    on_reserve: Arc<AtomicBool>,
}

impl Journal {
    /// Opens it, makes it where there is none, brings an older one to this
    /// version, and writes this writer's first record.
    pub async fn open(
        place: Place,
        kind: WriterKind,
        who: Who,
        process: ProcessId,
        at: Timestamp,
    ) -> Result<Self, JournalError> {
        let journal = Self::quiet(place, kind, who, process, at).await?;
        journal.writer.lock().await.begin().await?;
        Ok(journal)
    }

    /// As [`Self::open`], for somebody who may do nothing: this writer's first
    /// record is written with the first one behind it.
    pub async fn quiet(
        place: Place,
        kind: WriterKind,
        who: Who,
        process: ProcessId,
        at: Timestamp,
    ) -> Result<Self, JournalError> {
        let on_reserve = Arc::new(AtomicBool::new(false));
        let place = Arc::new(place);
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let opening = (at, Record::Opened { who, kind, process, version });
        let writer = Writer::open(Arc::clone(&place), Arc::clone(&on_reserve), opening).await?;
        let id = writer.id().clone();
        Ok(Self { place, id, writer: Arc::new(Mutex::new(writer)), on_reserve })
    }

    /// Where it lies.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// How this writer is called in it.
    pub fn writer(&self) -> &WriterId {
        &self.id
    }

    /// Whether its disk is full and it lives on what was kept for that: only
    /// clean-up should go on.
    pub fn on_reserve(&self) -> bool {
        self.on_reserve.load(Ordering::Relaxed)
    }

    /// Gives a part of what was kept to a disk that is full, for what a run cannot
    /// begin without. Whether there was one.
    pub async fn make_room(&self) -> bool {
        self.writer.lock().await.release().await
    }

    /// Appends a record: when this gives, it is on the disk.
    pub async fn append(&self, at: Timestamp, record: Record) -> Result<Entry, JournalError> {
        match self.write(at, record, Guard::None).await? {
            Ok(entry) => Ok(entry),
            // Nothing is asked of a record without a guard.
            Err(_) => Err(JournalError::Write("it was refused".into())),
        }
    }

    /// Appends the `Started` of a run, unless another run holds its target:
    /// both in one transaction.
    pub async fn begin(
        &self,
        at: Timestamp,
        run: RunId,
        started: RunRecord,
    ) -> Result<Entry, BeginError> {
        let guard = Guard::begin(&run, &started);
        match self.write(at, Record::Run { run, what: started }, guard).await? {
            Ok(entry) => Ok(entry),
            Err(Refusal::Held { target, run, who, since }) => {
                Err(BeginError::Held { target, run, who, since })
            }
            Err(_) => {
                Err(JournalError::Write("a run of this name was started before".into()).into())
            }
        }
    }

    /// Appends that this process has taken a run up, if the one that carried it
    /// out last is dead by `dead` and the run has not ended: of several that try
    /// at once, one succeeds.
    pub async fn take_up(
        &self,
        at: Timestamp,
        run: &RunId,
        who: Who,
        process: ProcessId,
        dead: impl Fn(&ProcessId) -> bool,
    ) -> Result<Entry, TakeUpError> {
        let last = self.writer.lock().await.last_process(run).await?;
        let Some((place, last)) = last else { return Err(TakeUpError::NotThere(run.clone())) };
        if !dead(&last) {
            return Err(TakeUpError::Alive { run: run.clone(), process: last });
        }
        let record = Record::Run { run: run.clone(), what: RunRecord::TakenUp { who, process } };
        match self.write(at, record, Guard::TakeUp { run: run.clone(), last: place }).await? {
            Ok(entry) => Ok(entry),
            Err(Refusal::Ended) => Err(TakeUpError::Ended(run.clone())),
            Err(_) => {
                let last = self.writer.lock().await.last_process(run).await?;
                let process = last
                    .map_or_else(|| ProcessId { pid: 0, start: 0, boot: "".into() }, |(_, it)| it);
                Err(TakeUpError::Alive { run: run.clone(), process })
            }
        }
    }

    /// A name for a new run that none has had, its folder made: what is never
    /// started takes the folder away again ([`Place::forget`]).
    pub async fn fresh_run_id(&self) -> Result<RunId, JournalError> {
        self.writer.lock().await.fresh_run_id().await
    }

    /// The records of a run behind this place.
    pub async fn of_run(&self, run: &RunId, after: i64) -> Result<Vec<Entry>, JournalError> {
        read::of_run(self.writer.lock().await.db(), run, after).await
    }

    /// So many records are missing that its heads know of: of this writer, and of
    /// writers of whom nothing is left. What they told is not known.
    pub async fn missing(&self, writer: &WriterId) -> Result<u64, JournalError> {
        let kept = Kept::read(&self.place.heads()).map_err(|error| JournalError::Place {
            folder: self.place.folder.clone(),
            why: words::reason(&error),
        })?;
        let Some(kept) = kept else { return Ok(0) };
        read::missing(self.writer.lock().await.db(), &kept, writer).await
    }

    /// The newest runs, each with its records, the newest first.
    pub async fn runs(&self, most: usize) -> Result<Vec<Vec<Entry>>, JournalError> {
        read::runs(self.writer.lock().await.db(), most).await
    }

    /// The arming that counts for this user in this environment now, as the
    /// wall clock and the time since the boot both say.
    pub async fn armed(
        &self,
        who: &Who,
        environment: &str,
        now: &Moment,
    ) -> Result<Option<Arming>, JournalError> {
        read::armed(self.writer.lock().await.db(), who, environment, now).await
    }

    /// What was done with each runbook before. A rehearsal counts where it was
    /// of the text that `texts` names by its hash, or where that names none.
    pub async fn past(
        &self,
        texts: &BTreeMap<BookId, String>,
    ) -> Result<BTreeMap<BookId, Past>, JournalError> {
        read::past(self.writer.lock().await.db(), texts).await
    }

    /// Writes in a task of its own, which nobody's impatience can cut off.
    async fn write(
        &self,
        at: Timestamp,
        record: Record,
        guard: Guard,
    ) -> Result<Result<Entry, Refusal>, JournalError> {
        let writer = Arc::clone(&self.writer);
        let task = tokio::spawn(async move { writer.lock().await.append(at, record, guard).await });
        task.await.unwrap_or_else(|_| Err(JournalError::Write("the program ends".into())))
    }
}

#[cfg(test)]
mod tests;
