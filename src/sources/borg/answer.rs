//! What borg prints: archives, errors (1.2.4 and 1.4.5 recorded; the exit codes
//! and message ids are those of its manual, "Internals / Frontends").

use crate::domain::{
    BackupProblem, BackupReading, PollError, PollFailure, Snapshot, Status, Timestamp,
    harmless_within, units,
};
use crate::sources::repos::{text, words};
use chrono::NaiveDateTime;
use serde_json::Value;

/// What is told beside the archives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// Ids of the archives, in the order of the snapshots.
    pub(super) ids: Vec<String>,
    /// Their names as borg has them.
    pub(super) names: Vec<String>,
    /// The repository's id.
    pub(super) repository: String,
    /// When it was last written to, as it stands there.
    pub(super) modified: String,
}

/// A time without a zone, which is UTC since borg was told so; newer ones add one.
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let at = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f")
        .map(|naive| naive.and_utc().timestamp_millis())
        .or_else(|_| {
            chrono::DateTime::parse_from_rfc3339(text).map(|moment| moment.timestamp_millis())
        });
    at.ok().map(Timestamp::from_millis)
}

/// An answer of `--json`.
pub(super) fn object(out: &[u8]) -> Result<Value, PollError> {
    let unusable = |why: &str| PollError::broken(format!("borg's answer cannot be read: {why}"));
    if out.iter().all(u8::is_ascii_whitespace) {
        return Err(unusable("it is empty"));
    }
    let answer: Value = serde_json::from_slice(out)
        .map_err(|error| unusable(&harmless_within(&error.to_string(), 80)))?;
    if answer.is_object() { Ok(answer) } else { Err(unusable("expected an object")) }
}

/// Reads `borg list --json`: the archives, and what else it tells.
pub(super) fn archives(out: &[u8]) -> Result<(BackupReading, Told), PollError> {
    let answer = object(out)?;
    let Some(list) = answer.get("archives").and_then(Value::as_array) else {
        return Err(PollError::broken("borg's answer cannot be read: there are no `archives`"));
    };
    let mut reading = BackupReading::default();
    let mut found = Vec::new();
    let mut unread = 0;
    for archive in list {
        let name = text(archive, "name").or_else(|| text(archive, "archive")).unwrap_or("?");
        let begun = text(archive, "start").or_else(|| text(archive, "time")).and_then(moment);
        let Some(begun) = begun else {
            unread += 1;
            continue;
        };
        let ended = text(archive, "end").and_then(moment).filter(|ended| *ended >= begun);
        let snapshot = Snapshot {
            id: harmless_within(name, 80),
            taken: ended.unwrap_or(begun),
            took: ended.map(|ended| ended.since(begun)),
            // borg makes these while it works, and takes them away at the end.
            fault: is_checkpoint(name).then(|| crate::domain::Fault {
                status: Status::Warning,
                words: "a checkpoint of a backup that was not finished".into(),
            }),
            host: text(archive, "hostname").map(|host| harmless_within(host, 80)),
            ..Snapshot::default()
        };
        let id = text(archive, "id").unwrap_or(name).to_owned();
        found.push((snapshot, id, name.to_owned()));
    }
    found.sort_by_key(|(snapshot, _, _)| snapshot.taken);
    let mut told = Told::default();
    for (snapshot, id, name) in found {
        reading.snapshots.push(snapshot);
        told.ids.push(id);
        told.names.push(name);
    }
    if unread > 0 {
        let words = format!("{} without a time that can be read", units::count(unread, "archive"));
        reading.problems.push(BackupProblem { status: Status::Warning, words });
    }
    if let Some(repository) = answer.get("repository") {
        text(repository, "id").unwrap_or_default().clone_into(&mut told.repository);
        text(repository, "last_modified").unwrap_or_default().clone_into(&mut told.modified);
    }
    reading.encrypted = answer.get("encryption").and_then(|told| text(told, "mode")).map(encrypts);
    Ok((reading, told))
}

/// `NAME.checkpoint`, `NAME.checkpoint.2`.
fn is_checkpoint(name: &str) -> bool {
    let number = |rest: &str| rest.is_empty() || rest.starts_with('.');
    name.rsplit_once(".checkpoint").is_some_and(|(_, rest)| number(rest))
}

/// `none` and `authenticated` leave all in the clear.
fn encrypts(mode: &str) -> bool {
    !(mode == "none" || mode.starts_with("authenticated"))
}

/// Reads `borg --version`: `borg 1.2.4`.
pub(super) fn version(out: &[u8]) -> Option<String> {
    let out = String::from_utf8_lossy(out);
    let line = out.lines().find(|line| line.starts_with("borg"))?;
    let (name, number) = line.split_once(' ')?;
    let name = name.trim_end_matches(".exe");
    Some(harmless_within(&format!("{name} {}", number.trim()), 40))
}

/// Why borg ended as it did: by the id of its message, its exit code (1.4, where
/// it was told to tell), or by what it said.
pub(super) fn failed(code: i32, err: &[u8]) -> (PollFailure, String) {
    let err = String::from_utf8_lossy(&err[..err.len().min(256 << 10)]);
    let mut said: Vec<String> = Vec::new();
    let mut id = String::new();
    for line in err.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let json = line.starts_with('{').then(|| serde_json::from_str::<Value>(line).ok());
        let Some(Some(told)) = json else {
            said.push(line.to_owned());
            continue;
        };
        let level = text(&told, "levelname").unwrap_or_default();
        if let Some(message) = text(&told, "message")
            && matches!(level, "ERROR" | "CRITICAL" | "WARNING")
        {
            said.extend(message.lines().map(|line| line.trim().to_owned()));
            if level != "WARNING"
                && let Some(told) = text(&told, "msgid")
            {
                told.clone_into(&mut id);
            }
        }
    }
    let all = said.join("\n");
    let first = said.iter().find(|line| !line.is_empty()).cloned().unwrap_or_default();
    let general = words::failure(&all);
    let cause = by_id(&id).or_else(|| by_code(code)).or_else(|| by_words(&all));
    let with = |cause, words: &str| (cause, words.to_owned());
    match cause {
        // A lock that cannot be made for another reason than its holder.
        Some(PollFailure::Busy) if general == Some(PollFailure::Denied) => {
            (PollFailure::Denied, first)
        }
        Some(PollFailure::Busy) => {
            with(PollFailure::Busy, "another borg holds the repository (a running create does)")
        }
        Some(PollFailure::Denied) if all.contains("ncorrect") => {
            with(PollFailure::Denied, "wrong passphrase")
        }
        Some(PollFailure::Denied) if id.starts_with("Cache.") => {
            let words = match id.as_str() {
                "Cache.CacheInitAbortedError" => {
                    "borg does not know this unencrypted repository yet; BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes in `env` lets it in"
                }
                _ => {
                    "the repository was at another place before; BORG_RELOCATED_REPO_ACCESS_IS_OK=yes in `env` lets borg in"
                }
            };
            with(PollFailure::Denied, words)
        }
        Some(PollFailure::Network) => (general.unwrap_or(PollFailure::Network), first),
        Some(cause) => (cause, first),
        None if general.is_some() => (general.unwrap_or(PollFailure::Broken), first),
        None if code > 128 => {
            (PollFailure::Broken, format!("borg was ended by signal {}", code - 128))
        }
        None if first.is_empty() => {
            (PollFailure::Broken, format!("borg ended with exit code {code}"))
        }
        None => (PollFailure::Broken, first),
    }
}

fn by_id(id: &str) -> Option<PollFailure> {
    Some(match id {
        "LockTimeout" | "LockError" | "LockErrorT" | "LockFailed" => PollFailure::Busy,
        "PassphraseWrong"
        | "NoPassphraseFailure"
        | "PasscommandFailure"
        | "PasswordRetriesExceeded"
        | "KeyfileNotFoundError"
        | "KeyfileMismatchError"
        | "PathNotAllowed"
        | "Repository.PathPermissionDenied"
        | "Cache.CacheInitAbortedError"
        | "Cache.RepositoryAccessAborted" => PollFailure::Denied,
        "Repository.DoesNotExist"
        | "Repository.ParentPathDoesNotExist"
        | "Repository.InvalidRepository" => PollFailure::Absent,
        "ConnectionClosed" | "ConnectionClosedWithHint" | "ConnectionBrokenWithHint" => {
            PollFailure::Network
        }
        "" => return None,
        _ if id.contains("Integrity") || id.contains("TAM") => PollFailure::Broken,
        _ => return None,
    })
}

/// The exit codes of 1.4 with `BORG_EXIT_CODES=modern`.
fn by_code(code: i32) -> Option<PollFailure> {
    Some(match code {
        13 | 15 | 18 => PollFailure::Absent,
        21 | 41 | 42 | 50..=53 | 60 | 62 | 83 => PollFailure::Denied,
        70..=73 => PollFailure::Busy,
        80 | 81 | 87 => PollFailure::Network,
        12 | 16 | 17 | 26 | 40 | 44 | 90..=99 => PollFailure::Broken,
        _ => return None,
    })
}

/// What errors say that came without an id.
fn by_words(all: &str) -> Option<PollFailure> {
    const WORDS: &[(&str, PollFailure)] = &[
        ("Failed to create/acquire the lock", PollFailure::Busy),
        ("assphrase supplied in", PollFailure::Denied),
        ("annot acquire a passphrase", PollFailure::Denied),
        ("can not acquire a passphrase", PollFailure::Denied),
        ("asscommand supplied in", PollFailure::Denied),
        ("does not exist.", PollFailure::Absent),
        ("is not a valid repository", PollFailure::Absent),
        ("Data integrity error", PollFailure::Broken),
        ("Connection closed by remote host", PollFailure::Network),
    ];
    WORDS.iter().find(|(words, _)| all.contains(words)).map(|(_, cause)| *cause)
}

#[cfg(test)]
mod tests;
