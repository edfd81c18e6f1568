//! What `SQLite` says, in words for a person.

use super::JournalError;
use std::io::{self, ErrorKind};

/// The extended result code of `SQLite` (sqlite.org/rescode.html).
fn code(error: &sqlx::Error) -> Option<i32> {
    error.as_database_error()?.code()?.parse().ok()
}

/// Whether there was no room: `SQLITE_FULL`, or an I/O error in writing, as a
/// quota or a file that cannot grow gives.
pub(super) fn is_full(error: &sqlx::Error) -> bool {
    // SQLITE_IOERR_WRITE, _TRUNCATE, _SHMSIZE, _SHMMAP.
    const IO: [i32; 4] = [778, 1546, 4874, 5386];
    code(error).is_some_and(|code| code & 0xff == 13 || IO.contains(&code))
}

fn words(error: &sqlx::Error) -> String {
    let Some(code) = code(error) else { return error.to_string() };
    let said = error.as_database_error().map_or("", |error| error.message());
    match code & 0xff {
        5 | 6 => "another process has held it for ten seconds".into(),
        8 => format!("this user may not write it ({said})"),
        11 | 26 => format!(
            "journal.sqlite is damaged ({said}); nothing was changed: keep a copy of the whole \
             folder, then move journal.sqlite out of it, and a new one begins"
        ),
        13 => "there is no room on its disk".into(),
        14 => format!("journal.sqlite cannot be opened ({said})"),
        _ => format!("{said} (SQLite code {code})"),
    }
}

/// What `map_err` wants of a writing that failed.
#[expect(clippy::needless_pass_by_value, reason = "map_err gives it away")]
pub(super) fn write_error(error: sqlx::Error) -> JournalError {
    JournalError::Write(words(&error))
}

/// What `map_err` wants of a reading that failed.
#[expect(clippy::needless_pass_by_value, reason = "map_err gives it away")]
pub(super) fn read_error(error: sqlx::Error) -> JournalError {
    JournalError::Read(words(&error))
}

/// Why a file or folder could not be used.
pub(super) fn reason(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "no such file or folder".into(),
        ErrorKind::PermissionDenied => "this user may not use it".into(),
        ErrorKind::StorageFull => "there is no room on its disk".into(),
        _ => error.to_string(),
    }
}
