//! What is asked of the journal.

use super::chain::Row;
use super::heads::Kept;
use super::place::Place;
use super::words::{read_error, reason};
use super::writer::PATIENCE;
use super::{JournalError, schema};
use crate::domain::Timestamp;
use crate::domain::runs::{
    Arming, BookId, Entry, Moment, ProcessId, Record, RunId, RunRecord, Who, WriterId,
};
use crate::runbook::Past;
use futures_util::TryStreamExt;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use tokio::sync::Mutex;

/// A record as a query brings it.
type Columns = (i64, String, i64, i64, String, String);

impl From<Columns> for Row {
    fn from((place, writer, seq, at, record, hash): Columns) -> Self {
        Self { place, writer, seq, at, record, hash }
    }
}

impl Row {
    /// The record, if this program understands it.
    pub fn entry(self) -> Result<Entry, JournalError> {
        let record = serde_json::from_str(&self.record).map_err(|error| {
            let place = self.place;
            JournalError::Read(format!(
                "record {place} is not one that this opsroom knows: {error}"
            ))
        })?;
        Ok(Entry {
            place: self.place,
            writer: self.writer.into(),
            seq: u64::try_from(self.seq).unwrap_or(0),
            at: Timestamp::from_millis(self.at),
            record,
            hash: self.hash,
        })
    }
}

/// Looks at a journal and never writes to it, nor makes one where there is none:
/// then there is nothing in it. Clones share one connection, which is opened when
/// something is asked first.
#[derive(Clone, Debug)]
pub struct Reader {
    place: Arc<Place>,
    pub(super) open: Arc<Mutex<Option<Open>>>,
}

#[derive(Debug)]
pub(super) struct Open {
    db: SqliteConnection,
    /// The file that it is: another may be put in its place.
    file: (u64, u64),
}

impl Reader {
    /// Of the journal there.
    pub fn new(place: Place) -> Self {
        Self { place: Arc::new(place), open: Arc::default() }
    }

    /// Where it lies.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Whether there is a journal.
    pub fn is_there(&self) -> bool {
        self.file().is_ok_and(|file| file.is_some())
    }

    /// Device and inode of the database; none where there is none yet.
    fn file(&self) -> Result<Option<(u64, u64)>, JournalError> {
        match std::fs::metadata(self.place.database()) {
            Ok(about) => Ok((about.len() > 0).then(|| (about.dev(), about.ino()))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => {
                Err(JournalError::Place { folder: self.place.folder.clone(), why: reason(&error) })
            }
        }
    }

    /// The records of a run behind this place.
    pub async fn of_run(&self, run: &RunId, after: i64) -> Result<Vec<Entry>, JournalError> {
        let mut open = self.open.lock().await;
        match self.db(&mut open).await? {
            Some(db) => of_run(db, run, after).await,
            None => Ok(Vec::new()),
        }
    }

    /// The newest runs, each with its records, the newest first.
    pub async fn runs(&self, most: usize) -> Result<Vec<Vec<Entry>>, JournalError> {
        let mut open = self.open.lock().await;
        match self.db(&mut open).await? {
            Some(db) => runs(db, most).await,
            None => Ok(Vec::new()),
        }
    }

    /// As [`super::Journal::armed`].
    pub async fn armed(
        &self,
        who: &Who,
        environment: &str,
        now: &Moment,
    ) -> Result<Option<Arming>, JournalError> {
        let mut open = self.open.lock().await;
        match self.db(&mut open).await? {
            Some(db) => armed(db, who, environment, now).await,
            None => Ok(None),
        }
    }

    /// As [`super::Journal::past`].
    pub async fn past(
        &self,
        texts: &BTreeMap<BookId, String>,
    ) -> Result<BTreeMap<BookId, Past>, JournalError> {
        let mut open = self.open.lock().await;
        match self.db(&mut open).await? {
            Some(db) => past(db, texts).await,
            None => Ok(BTreeMap::new()),
        }
    }

    /// The newest records of all, or of one run, the oldest of them first, as they lie there.
    pub async fn newest(&self, run: Option<&RunId>, most: usize) -> Result<Vec<Row>, JournalError> {
        let mut open = self.open.lock().await;
        match self.db(&mut open).await? {
            Some(db) => newest(db, run, most).await,
            None => Ok(Vec::new()),
        }
    }

    /// Gives each record to `each`, in the order of their places, until that
    /// says that it has enough. All are of one moment.
    pub async fn each(
        &self,
        run: Option<&RunId>,
        mut each: impl FnMut(Row) -> bool,
    ) -> Result<(), JournalError> {
        let mut open = self.open.lock().await;
        let Some(db) = self.db(&mut open).await? else { return Ok(()) };
        let all = "SELECT place, writer, seq, at, record, hash FROM records ORDER BY place";
        let of_one = "SELECT place, writer, seq, at, record, hash FROM records
                      WHERE run = ? ORDER BY place";
        let mut rows = match run {
            Some(run) => sqlx::query_as::<_, Columns>(of_one).bind(run.as_str()).fetch(db),
            None => sqlx::query_as::<_, Columns>(all).fetch(db),
        };
        while let Some(columns) = rows.try_next().await.map_err(read_error)? {
            if !each(columns.into()) {
                break;
            }
        }
        Ok(())
    }

    /// The connection; none where there is no journal.
    pub(super) async fn db<'open>(
        &self,
        open: &'open mut Option<Open>,
    ) -> Result<Option<&'open mut SqliteConnection>, JournalError> {
        let Some(file) = self.file()? else {
            *open = None;
            return Ok(None);
        };
        if open.as_ref().is_none_or(|open| open.file != file) {
            *open = None;
            let options = SqliteConnectOptions::new()
                .filename(self.place.database())
                .read_only(true)
                .busy_timeout(PATIENCE)
                .pragma("cache_size", "-1024")
                .statement_cache_capacity(16)
                .disable_statement_logging();
            let mut db = options.connect().await.map_err(read_error)?;
            if schema::look(&mut db).await? == schema::Form::Empty {
                return Ok(None);
            }
            *open = Some(Open { db, file });
        }
        Ok(open.as_mut().map(|open| &mut open.db))
    }
}

pub(super) async fn of_run(
    db: &mut SqliteConnection,
    run: &RunId,
    after: i64,
) -> Result<Vec<Entry>, JournalError> {
    let sql = "SELECT place, writer, seq, at, record, hash FROM records
               WHERE run = ? AND place > ? ORDER BY place";
    let rows = sqlx::query_as::<_, Columns>(sql).bind(run.as_str()).bind(after).fetch_all(db).await;
    rows.map_err(read_error)?.into_iter().map(|row| Row::from(row).entry()).collect()
}

pub(super) async fn runs(
    db: &mut SqliteConnection,
    most: usize,
) -> Result<Vec<Vec<Entry>>, JournalError> {
    let sql = "SELECT run FROM records WHERE about = 'started' ORDER BY place DESC LIMIT ?";
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let names = sqlx::query_scalar::<_, String>(sql).bind(most).fetch_all(&mut *db).await;
    let mut runs = Vec::new();
    for name in names.map_err(read_error)? {
        runs.push(of_run(db, &name.into(), 0).await?);
    }
    Ok(runs)
}

async fn newest(
    db: &mut SqliteConnection,
    run: Option<&RunId>,
    most: usize,
) -> Result<Vec<Row>, JournalError> {
    let all = "SELECT place, writer, seq, at, record, hash FROM records
               ORDER BY place DESC LIMIT ?";
    let of_one = "SELECT place, writer, seq, at, record, hash FROM records
                  WHERE run = ? ORDER BY place DESC LIMIT ?";
    let query = match run {
        Some(run) => sqlx::query_as::<_, Columns>(of_one).bind(run.as_str()),
        None => sqlx::query_as::<_, Columns>(all),
    };
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let rows = query.bind(most).fetch_all(db).await.map_err(read_error)?;
    Ok(rows.into_iter().rev().map(Row::from).collect())
}

pub(super) async fn armed(
    db: &mut SqliteConnection,
    who: &Who,
    environment: &str,
    now: &Moment,
) -> Result<Option<Arming>, JournalError> {
    let sql = "SELECT record FROM records WHERE about = 'arming' ORDER BY place DESC";
    let mut rows = sqlx::query_scalar::<_, String>(sql).fetch(db);
    while let Some(text) = rows.try_next().await.map_err(read_error)? {
        match serde_json::from_str(&text) {
            Ok(Record::Armed(arming)) if arming.is_of(who, environment) => {
                return Ok(arming.counts(now).then_some(arming));
            }
            Ok(Record::Disarmed { who: other, environment: its, .. })
                if other.person() == who.person() && its == environment =>
            {
                return Ok(None);
            }
            Ok(_) => {}
            Err(error) => return Err(JournalError::Read(error.to_string())),
        }
    }
    Ok(None)
}

pub(super) async fn past(
    db: &mut SqliteConnection,
    texts: &BTreeMap<BookId, String>,
) -> Result<BTreeMap<BookId, Past>, JournalError> {
    let mut past: BTreeMap<BookId, Past> = BTreeMap::new();
    let started = "SELECT book, run, at, max(place) FROM records
                   WHERE about = 'started' AND book IS NOT NULL GROUP BY book";
    let started = sqlx::query_as::<_, (String, String, i64, i64)>(started);
    for (book, run, at, _) in started.fetch_all(&mut *db).await.map_err(read_error)? {
        let ended = "SELECT record FROM records WHERE run = ? AND about = 'ended'
                     ORDER BY place DESC LIMIT 1";
        let ended = sqlx::query_scalar::<_, String>(ended).bind(run).fetch_optional(&mut *db).await;
        let outcome =
            ended.map_err(read_error)?.and_then(|text| match serde_json::from_str(&text) {
                Ok(Record::Run { what: RunRecord::Ended { outcome, .. }, .. }) => Some(outcome),
                _ => None,
            });
        past.entry(book.into()).or_default().run = Some((Timestamp::from_millis(at), outcome));
    }
    let rehearsed = "SELECT at, record FROM records WHERE about = 'rehearsed' ORDER BY place";
    let mut rehearsed = sqlx::query_as::<_, (i64, String)>(rehearsed).fetch(db);
    while let Some((at, text)) = rehearsed.try_next().await.map_err(read_error)? {
        if let Ok(Record::Rehearsed { book, hash, broken }) = serde_json::from_str(&text)
            && texts.get(&book).is_none_or(|text| *text == hash)
        {
            past.entry(book).or_default().rehearsed = Some((Timestamp::from_millis(at), broken));
        }
    }
    Ok(past)
}

/// The records that began runs which have not ended.
pub(super) async fn unended(db: &mut SqliteConnection) -> Result<Vec<Entry>, JournalError> {
    let sql = "SELECT place, writer, seq, at, record, hash FROM records s
               WHERE about = 'started' AND NOT EXISTS
                 (SELECT 1 FROM records e WHERE e.run = s.run AND e.about = 'ended')
               ORDER BY place";
    let rows = sqlx::query_as::<_, Columns>(sql).fetch_all(db).await.map_err(read_error)?;
    rows.into_iter().map(|row| Row::from(row).entry()).collect()
}

/// The process that carried a run out last, and where the journal says so.
pub(super) async fn last_process(
    db: &mut SqliteConnection,
    run: &RunId,
) -> Result<Option<(i64, ProcessId)>, JournalError> {
    let sql = "SELECT place, record FROM records
               WHERE run = ? AND about IN ('started', 'taken_up') ORDER BY place DESC LIMIT 1";
    let last = sqlx::query_as::<_, (i64, String)>(sql).bind(run.as_str()).fetch_optional(db).await;
    let Some((place, text)) = last.map_err(read_error)? else { return Ok(None) };
    match serde_json::from_str(&text) {
        Ok(Record::Run {
            what: RunRecord::Started { process, .. } | RunRecord::TakenUp { process, .. },
            ..
        }) => Ok(Some((place, process))),
        _ => Err(JournalError::Read(format!("record {place} is not one that this opsroom knows"))),
    }
}

/// So many records are missing that these heads know of: of this writer, and of
/// writers of whom nothing is left. The heads were read before.
pub(super) async fn missing(
    db: &mut SqliteConnection,
    kept: &Kept,
    writer: &WriterId,
) -> Result<u64, JournalError> {
    let sql = "SELECT COALESCE(MAX(seq), 0) FROM records WHERE writer = ?";
    let mut missing = 0;
    for head in &kept.heads {
        let last = sqlx::query_scalar::<_, i64>(sql).bind(&head.writer).fetch_one(&mut *db).await;
        let last = last.map_err(read_error)?;
        if last == 0 || head.writer == writer.as_str() {
            missing += u64::try_from(head.seq - last).unwrap_or(0);
        }
    }
    Ok(missing)
}

pub(super) async fn has_ended(
    db: &mut SqliteConnection,
    run: &RunId,
) -> Result<bool, JournalError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM records WHERE run = ? AND about = 'ended')";
    let ended = sqlx::query_scalar::<_, bool>(sql).bind(run.as_str()).fetch_one(db).await;
    ended.map_err(read_error)
}
