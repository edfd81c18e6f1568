//! The tables of the journal, from the first version on.

use super::JournalError;
use super::words::{read_error, write_error};
use sqlx::{Executor, SqliteConnection};
use std::fmt::Write as _;

/// `PRAGMA application_id`: "opsj". A database of another program is not touched.
const OURS: i64 = 0x6f70_736a;

/// What brings version 0, 1, … to the next one. A line that has been released
/// is never changed.
const STEPS: &[&str] = &[
    // `about`, `run` and `book` are what records are looked up by; they repeat
    // what the record says, and `audit verify` holds them against it.
    "CREATE TABLE records (
        place  INTEGER PRIMARY KEY,
        writer TEXT NOT NULL,
        seq    INTEGER NOT NULL,
        at     INTEGER NOT NULL,
        hash   TEXT NOT NULL,
        about  TEXT,
        run    TEXT,
        book   TEXT,
        record TEXT NOT NULL,
        UNIQUE (writer, seq)
     ) STRICT;
     CREATE INDEX records_by_run ON records (run, place, about) WHERE run IS NOT NULL;
     CREATE INDEX records_by_about ON records (about, place, run, book) WHERE about IS NOT NULL;
     CREATE TABLE journal (id TEXT NOT NULL) STRICT;
     CREATE TRIGGER records_stay BEFORE DELETE ON records
        BEGIN SELECT raise(ABORT, 'the journal only grows'); END;
     CREATE TRIGGER records_stand BEFORE UPDATE ON records
        BEGIN SELECT raise(ABORT, 'the journal only grows'); END;",
];

/// The version that this program writes.
pub(super) const VERSION: i64 = 1;

/// What kind of database it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Nothing in it yet.
    Empty,
    /// A journal of this version.
    Ours(i64),
}

/// Looks at a database: an older one of ours, this version's, or an error that
/// says whose it is.
pub(super) async fn look(db: &mut SqliteConnection) -> Result<Form, JournalError> {
    let number = |sql: &'static str| sqlx::query_scalar::<_, i64>(sql);
    let app = number("PRAGMA application_id").fetch_one(&mut *db).await.map_err(read_error)?;
    let version = number("PRAGMA user_version").fetch_one(&mut *db).await.map_err(read_error)?;
    let tables = number("SELECT count(*) FROM sqlite_schema").fetch_one(&mut *db).await;
    let tables = tables.map_err(read_error)?;
    match (app, version) {
        (0, 0) if tables == 0 => Ok(Form::Empty),
        (OURS, 1..=VERSION) => Ok(Form::Ours(version)),
        (OURS, newer) if newer > VERSION => Err(JournalError::Read(format!(
            "it was written by a newer opsroom (form {newer}, this one knows {VERSION})"
        ))),
        _ => Err(JournalError::Read("this database is no journal of opsroom".into())),
    }
}

/// Brings it to this version: all steps in one transaction.
pub(super) async fn migrate(db: &mut SqliteConnection) -> Result<(), JournalError> {
    let from = match look(db).await? {
        Form::Ours(VERSION) => return Ok(()),
        Form::Ours(version) => version,
        Form::Empty => 0,
    };
    let mut sql = String::from("BEGIN IMMEDIATE;");
    for step in STEPS.iter().skip(usize::try_from(from).unwrap_or(0)) {
        sql.push_str(step);
    }
    // Writing to a String cannot fail.
    let _ = write!(sql, "PRAGMA application_id = {OURS}; PRAGMA user_version = {VERSION}; COMMIT;");
    let done = db.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(sql))).await;
    if let Err(error) = done {
        // There may be no transaction to take back.
        let _ = db.execute("ROLLBACK").await;
        return Err(write_error(error));
    }
    Ok(())
}
