//! What the errors of MySQL and MariaDB are called.

use crate::domain::reading::PollFailure;
use crate::domain::{PollError, harmless_within};
use sqlx::error::DatabaseError;
use sqlx::mysql::MySqlDatabaseError;

/// What the server said, by its error's number (MySQL Server Error Message Reference).
pub(super) fn answered(said: &dyn DatabaseError, with_password: bool) -> PollError {
    let number =
        said.try_downcast_ref::<MySqlDatabaseError>().map_or(0, MySqlDatabaseError::number);
    error(number, said.message(), with_password)
}

pub(super) fn error(number: u16, message: &str, with_password: bool) -> PollError {
    let told = |failure, words: &str| PollError::new(failure, format!("{words} ({number})"));
    match number {
        1045 | 1698 if !with_password => {
            told(PollFailure::Denied, "denied, and no password is set")
        }
        1045 | 1698 => told(PollFailure::Denied, "denied: wrong user or password"),
        1044 => told(PollFailure::Denied, "denied: this user may not use that database"),
        1130 => told(PollFailure::Denied, "denied: nobody may come in from this host"),
        1142 | 1143 | 1227 | 1370 => told(PollFailure::Denied, "not permitted"),
        1049 => told(PollFailure::Absent, "absent: no such database"),
        1146 => told(PollFailure::Absent, "no such table"),
        1040 | 1203 | 1226 => told(PollFailure::Busy, "too many connections"),
        1129 => told(
            PollFailure::Denied,
            "host blocked after too many errors; mariadb-admin flush-hosts",
        ),
        1053 => told(PollFailure::Network, "shutting down"),
        1205 => told(PollFailure::Busy, "locked: waited too long for a lock"),
        1213 => told(PollFailure::Busy, "ended by a deadlock"),
        1317 | 1969 | 3024 => told(PollFailure::Timeout, "took too long and was ended"),
        1792 | 1290 => told(PollFailure::Broken, "it writes, and only reading is allowed"),
        1064 => told(PollFailure::Broken, "this is not SQL as the server knows it"),
        1927 | 2006 | 2013 => told(PollFailure::Network, "connection broken"),
        // Values stand in single quotes, and so do names: neither is shown.
        _ => {
            let first = message.split('\'').next().unwrap_or_default().trim_end();
            PollError::broken(format!("{} ({number})", harmless_within(first, 100)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_has_its_word() {
        for (number, cause, words) in [
            (1045, PollFailure::Denied, "denied: wrong user or password (1045)"),
            (1049, PollFailure::Absent, "absent: no such database (1049)"),
            (1040, PollFailure::Busy, "too many connections (1040)"),
            (1205, PollFailure::Busy, "locked: waited too long for a lock (1205)"),
            (1366, PollFailure::Broken, "Incorrect integer value: (1366)"),
        ] {
            let error = error(number, "Incorrect integer value: 'hunter2' for column", true);
            assert_eq!((error.cause, error.message.as_str()), (cause, words));
        }
        assert!(error(1045, "", false).message.contains("no password is set"));
    }
}
