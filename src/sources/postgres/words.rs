//! What PostgreSQL's errors are called, and where its sockets are.

use crate::domain::reading::PollFailure;
use crate::domain::{PollError, harmless_within};
use sqlx::error::DatabaseError;
use std::path::{Path, PathBuf};

/// What the server said, by its SQLSTATE (PostgreSQL documentation, appendix A).
pub(super) fn answered(said: &dyn DatabaseError, with_password: bool) -> PollError {
    let code = said.code().unwrap_or_default();
    error(&code, said.message(), with_password)
}

pub(super) fn error(code: &str, message: &str, with_password: bool) -> PollError {
    let said = message_of(code, message);
    let told = |failure, words: &str| PollError::new(failure, format!("{words}: {said}"));
    match code {
        "28P01" | "28000" if !with_password => {
            told(PollFailure::Denied, "denied, and no password is set")
        }
        "28P01" | "28000" | "42501" => told(PollFailure::Denied, "denied"),
        "3D000" => told(PollFailure::Absent, "absent"),
        "53300" => told(PollFailure::Busy, "too many connections"),
        "53100" => told(PollFailure::Broken, "disk full"),
        "53200" => told(PollFailure::Broken, "out of memory"),
        "57P03" => told(PollFailure::Busy, "starting up"),
        "57P01" => told(PollFailure::Network, "shutting down"),
        "57P02" => told(PollFailure::Network, "restarting after a crash"),
        "57014" => PollError::new(PollFailure::Timeout, "took too long and was ended"),
        "55P03" => PollError::new(PollFailure::Busy, "locked: waited too long for a lock"),
        "25006" => PollError::broken("it writes, and only reading is allowed"),
        _ if code.starts_with("08") => told(PollFailure::Network, "connection broken"),
        _ => PollError::broken(format!("{said} ({code})")),
    }
}

/// The server's words, where these cannot quote data: errors in data do so.
fn message_of(code: &str, message: &str) -> String {
    if code.starts_with("22") || code.starts_with("23") || code.starts_with('P') {
        return "an error in the data".into();
    }
    // Values stand in single quotes, names in double ones.
    let mut parts = message.split('\'');
    let mut out = parts.next().unwrap_or_default().to_owned();
    if message.contains('\'') {
        out.push('…');
    }
    harmless_within(&out, 120)
}

/// Folder and port of a socket that is given as a folder, or as
/// `/run/postgresql/.s.PGSQL.5433`.
pub(super) fn socket(path: &Path) -> (PathBuf, u16) {
    let file = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let port = file.strip_prefix(".s.PGSQL.").and_then(|port| port.parse().ok());
    match (port, path.parent()) {
        (Some(port), Some(folder)) => (folder.to_owned(), port),
        _ => (path.to_owned(), 5432),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sqlstate_has_its_word() {
        let told = |code, message| {
            let error = error(code, message, true);
            (error.cause, error.message)
        };
        for (code, message, cause, words) in [
            (
                "28P01",
                "password authentication failed for user \"ops\"",
                PollFailure::Denied,
                "denied: password authentication failed for user \"ops\"",
            ),
            (
                "3D000",
                "database \"nope\" does not exist",
                PollFailure::Absent,
                "absent: database \"nope\" does not exist",
            ),
            (
                "53300",
                "sorry, too many clients already",
                PollFailure::Busy,
                "too many connections: sorry, too many clients already",
            ),
            (
                "57P03",
                "the database system is starting up",
                PollFailure::Busy,
                "starting up: the database system is starting up",
            ),
            (
                "57014",
                "canceling statement due to statement timeout",
                PollFailure::Timeout,
                "took too long and was ended",
            ),
            (
                "55P03",
                "canceling statement due to lock timeout",
                PollFailure::Busy,
                "locked: waited too long for a lock",
            ),
            (
                "42P01",
                "relation \"x\" does not exist",
                PollFailure::Broken,
                "relation \"x\" does not exist (42P01)",
            ),
        ] {
            assert_eq!(told(code, message), (cause, words.to_owned()));
        }
        let no_password = error("28P01", "x", false).message;
        assert_eq!(no_password, "denied, and no password is set: x");
    }

    #[test]
    fn errors_in_data_do_not_show_it() {
        for (code, message) in [
            ("22P02", "invalid input syntax for type integer: \"hunter2\""),
            ("42601", "syntax error at or near 'hunter2'"),
            ("23505", "duplicate key (hunter2)"),
        ] {
            assert!(!error(code, message, true).message.contains("hunter2"));
        }
    }

    #[test]
    fn a_socket_is_its_folder_or_its_file() {
        assert_eq!(socket(Path::new("/run/pg")), ("/run/pg".into(), 5432));
        assert_eq!(socket(Path::new("/run/pg/.s.PGSQL.5433")), ("/run/pg".into(), 5433));
    }
}
