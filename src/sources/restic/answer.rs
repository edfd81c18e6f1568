//! What restic prints: snapshots, locks, errors (0.14 recorded; codes and JSON
//! of newer ones from its manual, "Scripting").

use crate::domain::{
    BackupProblem, BackupReading, PollError, PollFailure, Snapshot, Status, Timestamp,
    harmless_within, units,
};
use crate::sources::repos::{text, whole, words};
use chrono::DateTime;
use serde_json::Value;
use std::collections::BTreeSet;

/// A lock of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lock {
    /// When it was made, or last made anew.
    pub(super) at: Timestamp,
    pub(super) exclusive: bool,
    pub(super) host: String,
    pub(super) pid: u64,
}

fn moment(text: &str) -> Option<Timestamp> {
    let at = DateTime::parse_from_rfc3339(text.trim()).ok()?;
    Some(Timestamp::from_millis(at.timestamp_millis()))
}

/// Reads `restic snapshots --json`. Without a filter it is told when snapshots
/// of several hosts or paths are mixed.
pub(super) fn snapshots(out: &[u8], filtered: bool) -> Result<BackupReading, PollError> {
    let unusable = |why: &str| PollError::broken(format!("restic's answer cannot be read: {why}"));
    let start = out.iter().position(|byte| !byte.is_ascii_whitespace());
    let Some(start) = start else { return Err(unusable("it is empty")) };
    let answer: Value = serde_json::from_slice(&out[start..])
        .map_err(|error| unusable(&harmless_within(&error.to_string(), 80)))?;
    let list = match answer {
        Value::Array(list) => list,
        Value::Null => Vec::new(),
        _ => return Err(unusable("expected a list of snapshots")),
    };
    let mut reading = BackupReading::default();
    let mut groups = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut unread = 0;
    for told in &list {
        match snapshot(told) {
            Some(snapshot) if seen.insert(text(told, "id").unwrap_or(&snapshot.id).to_owned()) => {
                groups.insert((snapshot.host.clone(), told.get("paths").map(Value::to_string)));
                reading.snapshots.push(snapshot);
            }
            Some(_) => {}
            None => unread += 1,
        }
    }
    reading.snapshots.sort_by_key(|snapshot| snapshot.taken);
    if unread > 0 {
        let words = format!("{} without a time that can be read", units::count(unread, "snapshot"));
        reading.problems.push(BackupProblem { status: Status::Warning, words });
    }
    if !filtered && groups.len() > 1 {
        reading.notes.push(format!(
            "snapshots of {} different hosts and paths are taken for one data set; `host` and `paths` tell them apart",
            groups.len()
        ));
    }
    Ok(reading)
}

fn snapshot(told: &Value) -> Option<Snapshot> {
    let begun = moment(text(told, "time")?)?;
    let summary = told.get("summary").filter(|summary| summary.is_object());
    let at = |name| summary.and_then(|summary| text(summary, name)).and_then(moment);
    let ended = at("backup_end").filter(|end| *end >= begun);
    let id = text(told, "short_id").or_else(|| text(told, "id")).unwrap_or("?");
    Some(Snapshot {
        id: harmless_within(&id.chars().take(8).collect::<String>(), 8),
        taken: ended.unwrap_or(begun),
        took: ended.map(|ended| ended.since(at("backup_start").unwrap_or(begun))),
        // Fields that are 0 are left out.
        size: summary.map(|summary| whole(summary, "total_bytes_processed").unwrap_or(0)),
        fault: None,
        host: text(told, "hostname").map(|host| harmless_within(host, 80)),
    })
}

/// Snapshots that restic could not read: it warns of each, leaves it out, and
/// ends well.
pub(super) fn unread(err: &[u8]) -> Option<String> {
    let err = String::from_utf8_lossy(&err[..err.len().min(64 << 10)]);
    let ids: BTreeSet<&str> = err
        .lines()
        .filter_map(|line| line.split_once("could not load snapshot ")?.1.split(':').next())
        .collect();
    let first = harmless_within(ids.first()?, 8);
    let more = if ids.len() > 1 { format!(" and {} more", ids.len() - 1) } else { String::new() };
    Some(format!("a snapshot is damaged and cannot be read: {first}{more}"))
}

/// An id as restic writes it: nothing else is handed back to it.
pub(super) fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Reads `restic list locks`.
pub(super) fn locks(out: &[u8]) -> Vec<String> {
    let out = String::from_utf8_lossy(out);
    out.lines().map(str::trim).filter(|line| is_id(line)).map(str::to_owned).collect()
}

/// Reads `restic cat lock`.
pub(super) fn lock(out: &[u8]) -> Option<Lock> {
    let told: Value = serde_json::from_slice(out).ok()?;
    Some(Lock {
        at: moment(text(&told, "time")?)?,
        exclusive: told.get("exclusive").and_then(Value::as_bool).unwrap_or(false),
        host: harmless_within(text(&told, "hostname").unwrap_or("?"), 80),
        pid: whole(&told, "pid").unwrap_or(0),
    })
}

/// Reads `restic version`: `restic 0.14.0`.
pub(super) fn version(out: &[u8]) -> Option<String> {
    let out = String::from_utf8_lossy(out);
    let mut words = out.split_whitespace();
    let (name, number) = (words.next()?, words.next()?);
    (name == "restic" && number.starts_with(|c: char| c.is_ascii_digit()))
        .then(|| harmless_within(&format!("{name} {number}"), 40))
}

/// Why restic ended as it did, from its exit code and what it said. Old ones
/// have one code for everything.
pub(super) fn failed(code: i32, err: &[u8], out: &[u8]) -> (PollFailure, String) {
    let mut code = code;
    let mut said = Vec::new();
    let lines = |bytes: &[u8]| {
        let tail = &bytes[..bytes.len().min(64 << 10)];
        let text = String::from_utf8_lossy(tail).into_owned();
        text.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>()
    };
    let mut take = |line: String| {
        let json = line.starts_with('{').then(|| serde_json::from_str::<Value>(&line).ok());
        let Some(Some(told)) = json else {
            if !line.is_empty() {
                said.push(line);
            }
            return;
        };
        if text(&told, "message_type") == Some("exit_error")
            && let Some(told) = whole(&told, "code").and_then(|code| i32::try_from(code).ok())
        {
            code = told;
        }
        let error = told.get("error").and_then(|error| text(error, "message"));
        if let Some(message) = text(&told, "message").or(error) {
            said.extend(message.lines().map(str::to_owned));
        }
    };
    lines(err).into_iter().for_each(&mut take);
    // Newer ones say it on the other side.
    lines(out).into_iter().filter(|line| line.contains("exit_error")).for_each(&mut take);
    let all = said.join("\n");
    let lower = all.to_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| lower.contains(part));
    let fatal = said.iter().find(|line| line.starts_with("Fatal:")).or(said.first());
    let told = fatal.map_or("", |line| line.trim_start_matches("Fatal:").trim()).to_owned();
    let with = |cause, words: &str| (cause, words.to_owned());
    if code == 12 || has(&["wrong password or no key found"]) {
        return with(PollFailure::Denied, "wrong password");
    }
    if has(&["an empty password", "resolving password failed", "password is empty"]) {
        return with(PollFailure::Denied, "no password was given");
    }
    if code == 11 || has(&["repository is already locked", "unable to create lock"]) {
        let by = said.iter().find_map(|line| line.split_once("already locked").map(|(_, by)| by));
        let by = by.map(|by| by.split(" (UID").next().unwrap_or(by)).unwrap_or_default();
        return (PollFailure::Busy, format!("the repository is locked{by}"));
    }
    if let Some(cause) = words::failure(&all) {
        return (cause, told);
    }
    if code == 10
        || has(&[
            "is there a repository at the following location",
            "unable to open config file",
            "repository does not exist",
            "the specified bucket does not exist",
        ])
    {
        return with(PollFailure::Absent, "there is no restic repository");
    }
    match (code, told.as_str()) {
        (130.., _) => (PollFailure::Broken, format!("restic was ended by signal {}", code - 128)),
        (_, "") => (PollFailure::Broken, format!("restic ended with exit code {code}")),
        _ => (PollFailure::Broken, told),
    }
}

#[cfg(test)]
mod tests;
