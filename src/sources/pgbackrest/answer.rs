//! What pgBackRest prints: `info --output=json`, errors (2.45 recorded; the
//! codes are those of its manual, "info command" and `error.yaml`).

use crate::domain::{
    BackupProblem, BackupReading, Fault, PollError, PollFailure, Running, Snapshot, Status,
    Timestamp, harmless_within, units,
};
use crate::sources::repos::{MOST_SNAPSHOTS, text, whole, words};
use serde_json::Value;
use std::collections::BTreeSet;

/// Reads `info --output=json` for one stanza. It exits with 0 whatever it finds:
/// what counts is the status of the stanza and of each of its repositories.
pub(super) fn info(
    out: &[u8],
    stanza: &str,
    repo: Option<u64>,
) -> Result<BackupReading, PollError> {
    let unusable =
        |why: &str| PollError::broken(format!("pgBackRest's answer cannot be read: {why}"));
    let start = out.iter().position(|byte| *byte == b'[').ok_or_else(|| unusable("no list"))?;
    // It quotes what it could not read as it is.
    let text_of_it: String = String::from_utf8_lossy(&out[start..])
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let answer: Value = serde_json::from_str(&text_of_it)
        .map_err(|error| unusable(&harmless_within(&error.to_string(), 80)))?;
    let list = answer.as_array().map(Vec::as_slice).unwrap_or_default();
    let named = |told: &&Value| text(told, "name") == Some(stanza);
    // Where nothing can be read, no stanza has its name.
    let invalid = |told: &&Value| text(told, "name").is_some_and(|name| name.starts_with('['));
    let Some(told) = list.iter().find(named).or_else(|| list.iter().find(invalid)) else {
        let words = format!("there is no stanza {} in the repository", harmless_within(stanza, 60));
        return Err(PollError::new(PollFailure::Absent, words));
    };
    let mut reading = BackupReading::default();
    backups(told, repo, &mut reading);
    status(told, repo, &mut reading)?;
    wal(told, &mut reading);
    reading.encrypted = match text(told, "cipher") {
        Some("none") => Some(false),
        Some("mixed") | None => None,
        Some(_) => Some(true),
    };
    let lock = told.get("status").and_then(|status| status.get("lock"));
    let backup = lock.and_then(|lock| lock.get("backup"));
    if let Some(backup) = backup.filter(|lock| lock.get("held") == Some(&Value::Bool(true))) {
        let done = whole(backup, "size-cplt").zip(whole(backup, "size"));
        let by = match done.filter(|(done, all)| *all > 0 && done <= all) {
            Some((done, all)) => {
                format!("pgBackRest, {} of {}", units::bytes(done as f64), units::bytes(all as f64))
            }
            None => "pgBackRest".into(),
        };
        reading.running = Some(Running { since: None, by });
    }
    Ok(reading)
}

fn backups(told: &Value, repo: Option<u64>, reading: &mut BackupReading) {
    let list = told.get("backup").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let repo_of = |backup: &Value| {
        backup.get("database").and_then(|database| whole(database, "repo-key")).unwrap_or(1)
    };
    let list: Vec<&Value> =
        list.iter().filter(|backup| repo.is_none_or(|repo| repo_of(backup) == repo)).collect();
    let known: BTreeSet<(u64, &str)> =
        list.iter().filter_map(|backup| Some((repo_of(backup), text(backup, "label")?))).collect();
    let several = known.iter().map(|(repo, _)| repo).collect::<BTreeSet<_>>().len() > 1;
    let mut unread = 0;
    for backup in &list {
        let moment = |name| {
            let seconds = backup.get("timestamp").and_then(|told| whole(told, name))?;
            let millis = i64::try_from(seconds).ok()?.checked_mul(1_000)?;
            Some(Timestamp::from_millis(millis))
        };
        let (begun, ended) = (moment("start"), moment("stop"));
        let Some(taken) = ended.or(begun) else {
            unread += 1;
            continue;
        };
        let label = text(backup, "label").unwrap_or("?");
        let needs = backup.get("reference").and_then(Value::as_array);
        let absent = needs
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .find(|needed| !known.contains(&(repo_of(backup), needed)));
        let fault = match (absent, backup.get("error").and_then(Value::as_bool)) {
            (Some(absent), _) => Some(Fault {
                status: Status::Critical,
                words: format!("it builds on {}, which is gone", harmless_within(absent, 60)),
            }),
            (None, Some(true)) => Some(Fault {
                status: Status::Warning,
                words: "pages of the database had wrong checksums when it was made".into(),
            }),
            _ => None,
        };
        let sizes = backup.get("info");
        let stored = sizes.and_then(|sizes| sizes.get("repository"));
        let several = if several { format!(" (repo {})", repo_of(backup)) } else { String::new() };
        reading.snapshots.push(Snapshot {
            id: harmless_within(&format!("{label}{several}"), 80),
            taken,
            took: begun.zip(ended).map(|(begun, ended)| ended.since(begun)),
            size: sizes
                .and_then(|sizes| whole(sizes, "size"))
                .or_else(|| stored.and_then(|stored| whole(stored, "size"))),
            fault,
            host: None,
        });
        let made = backup.get("backrest").and_then(|made| text(made, "version"));
        reading.tool = made
            .map(|version| harmless_within(&format!("pgBackRest {version}"), 40))
            .or(reading.tool.take());
    }
    reading.snapshots.sort_by_key(|snapshot| snapshot.taken);
    reading.count = reading.snapshots.len() as u64;
    let surplus = reading.snapshots.len().saturating_sub(MOST_SNAPSHOTS);
    reading.snapshots.drain(..surplus);
    if unread > 0 {
        let words = format!("{} without a time that can be read", units::count(unread, "backup"));
        reading.problems.push(BackupProblem { status: Status::Warning, words });
    }
}

const WRONG: &str = "wrong cipher passphrase";

/// The first thing that is said, without its sort; of a file that cannot be
/// loaded the reason, which is said second.
fn reason(message: &str) -> String {
    let mut lines = message.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    let first = first.split_once("] ").map_or(first, |(_, said)| said);
    let file =
        first.strip_prefix("unable to load info file '").and_then(|rest| rest.split('\'').next());
    match (file.and_then(|path| path.rsplit('/').next()), lines.next()) {
        (Some(name), Some(why)) => {
            format!("{name} cannot be read: {}", why.split_once(": ").map_or(why, |(_, why)| why))
        }
        _ => first.to_owned(),
    }
}

/// What a status means: whether there is a failure, and in which words.
fn meaning(code: u64, message: &str, encrypted: bool) -> Option<(PollFailure, String)> {
    Some(match code {
        // 2: a stanza without a backup is a finding, and no failure.
        0 | 2 => return None,
        1 => (PollFailure::Absent, "there is no such stanza in the repository".into()),
        3 => (PollFailure::Broken, "the stanza's data is missing (backup.info)".into()),
        6 => (PollFailure::Absent, "the backup that is asked for is not there".into()),
        5 => (PollFailure::Broken, "its repositories are of different databases".into()),
        _ => {
            let lower = message.to_lowercase();
            let unread = lower.starts_with("[formaterror]") || lower.starts_with("[checksumerror]");
            let cause = if lower.contains("cryptoerror") || lower.contains("cipher") {
                PollFailure::Denied
            } else if unread && encrypted && lower.contains("outside of section at line 1") {
                // One wrong passphrase of many makes text of it, of a sort.
                return Some((PollFailure::Denied, WRONG.into()));
            } else if unread {
                PollFailure::Broken
            } else if let Some(cause) = words::failure(message) {
                cause
            } else if ["hostconnecterror", "protocolerror", "filereaderror: unable to read from"]
                .iter()
                .any(|word| lower.contains(word))
            {
                PollFailure::Network
            } else {
                PollFailure::Broken
            };
            if cause == PollFailure::Denied && lower.contains("unable to flush") {
                return Some((cause, WRONG.into()));
            }
            let said = harmless_within(&reason(message), 200);
            (cause, if said.is_empty() { format!("status {code}, without a word") } else { said })
        }
    })
}

fn status(told: &Value, repo: Option<u64>, reading: &mut BackupReading) -> Result<(), PollError> {
    let code_and_words = |value: &Value| {
        let status = value.get("status")?;
        Some((whole(status, "code")?, text(status, "message").unwrap_or_default().to_owned()))
    };
    let Some((code, message)) = code_and_words(told) else {
        return Err(PollError::broken("pgBackRest's answer cannot be read: there is no status"));
    };
    let repositories = told.get("repo").and_then(Value::as_array);
    let mut failures = Vec::new();
    let mut well = 0;
    for one in repositories.into_iter().flatten() {
        let key = whole(one, "key").unwrap_or(1);
        if repo.is_some_and(|repo| repo != key) {
            continue;
        }
        let Some((code, message)) = code_and_words(one) else { continue };
        let encrypted = text(one, "cipher").is_some_and(|cipher| cipher != "none");
        if let Some((cause, words)) = meaning(code, &message, encrypted) {
            failures.push((key, cause, words));
            continue;
        }
        well += 1;
        if code == 2 && repositories.is_some_and(|all| all.len() > 1) {
            let words = format!("repository {key} has no backup");
            reading.problems.push(BackupProblem { status: Status::Warning, words });
        }
    }
    if well == 0 {
        if let Some((_, cause, words)) = failures.into_iter().next() {
            return Err(PollError::new(cause, words));
        }
        // Without a word of any repository that of the stanza counts.
        if let Some((cause, words)) = meaning(code, &message, false)
            && reading.snapshots.is_empty()
        {
            return Err(PollError::new(cause, words));
        }
    } else {
        reading.problems.extend(failures.into_iter().map(|(key, _, words)| BackupProblem {
            status: Status::Warning,
            words: format!("repository {key}: {words}"),
        }));
    }
    if code == 5 {
        let words = "its repositories are of different databases".into();
        reading.problems.push(BackupProblem { status: Status::Warning, words });
    }
    Ok(())
}

/// The WAL that is archived, and whether the newest backup has all that it needs.
fn wal(told: &Value, reading: &mut BackupReading) {
    let list = told.get("archive").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let Some(newest) = list.last() else { return };
    let (min, max) = (text(newest, "min"), text(newest, "max"));
    if let (Some(min), Some(max)) = (min, max) {
        let shown = |segment: &str| harmless_within(segment, 24);
        reading.notes.push(format!("WAL from {} to {}", shown(min), shown(max)));
    }
    let backups = told.get("backup").and_then(Value::as_array);
    let needed = backups
        .and_then(|all| all.last())
        .and_then(|backup| backup.get("archive"))
        .and_then(|archive| text(archive, "stop"));
    let Some(needed) = needed else { return };
    let same_line = |max: &str| max.get(..8) == needed.get(..8);
    if max.is_none_or(|max| same_line(max) && max < needed) {
        reading.problems.push(BackupProblem {
            status: Status::Critical,
            words: format!(
                "WAL {} is not archived: the newest backup cannot be made consistent",
                harmless_within(needed, 24)
            ),
        });
    }
}

/// Why pgBackRest ended with an exit code, which is that of its error.
pub(super) fn failed(code: i32, err: &[u8], out: &[u8]) -> (PollFailure, String) {
    let take =
        |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(64 << 10)]).into_owned();
    let all = format!("{}\n{}", take(err), take(out));
    // `ERROR: [050]: unable to …`, with a time before it where it is logged.
    let first = all
        .lines()
        .find_map(|line| line.split_once("]: ").filter(|(head, _)| head.contains("ERROR")));
    let said =
        first.map(|(_, said)| said).or_else(|| all.lines().find(|line| !line.trim().is_empty()));
    let said = said.unwrap_or_default().trim().to_owned();
    let cause = match code {
        // lock-acquire; stop
        50 | 62 => Some(PollFailure::Busy),
        // crypto
        95 | 30 => Some(PollFailure::Denied),
        // option-required: a repository is encrypted, and nobody says with what.
        37 if all.contains("cipher-pass") => Some(PollFailure::Denied),
        // file-missing, path-missing
        55 | 73 => Some(PollFailure::Absent),
        // host-connect, protocol
        125 | 103 => Some(PollFailure::Network),
        _ => None,
    };
    let cause = cause.or_else(|| words::failure(&all)).or_else(|| {
        let lower = all.to_lowercase();
        (lower.contains("sudo:") || lower.contains("password is required"))
            .then_some(PollFailure::Denied)
    });
    let cause = cause.unwrap_or(PollFailure::Broken);
    match said.as_str() {
        "" if code > 128 => (cause, format!("pgBackRest was ended by signal {}", code - 128)),
        "" => (cause, format!("pgBackRest ended with exit code {code}")),
        _ => (cause, said),
    }
}

/// A line of a log without its time, process and level.
fn unstamped(line: &str) -> &str {
    let levels = ["INFO: ", "WARN: ", "ERROR: "];
    let after = levels.iter().find_map(|level| Some(line.split_once(level)?.1));
    after.unwrap_or(line).trim()
}

/// Reads what `verify` prints. Old ones end with 0 whatever they find.
pub(super) fn verified(out: &[u8]) -> (Status, String) {
    let text = String::from_utf8_lossy(out);
    let bad = |line: &&str| {
        let lower = line.to_lowercase();
        [
            "status: error",
            "invalid checksum",
            "invalid result",
            "invalid size",
            "missing file",
            "checksum invalid",
            "file missing",
        ]
        .iter()
        .any(|word| {
            lower.find(word).is_some_and(|at| {
                // `missing: 0, checksum invalid: 0` is a good count.
                !lower[at + word.len()..].trim_start_matches(':').trim_start().starts_with('0')
            })
        }) || lower.contains("error:")
            || lower.contains("warn:")
    };
    let found: Vec<&str> = text.lines().filter(bad).map(unstamped).collect();
    // What is bad is named first, and summed up at the end.
    let sums = ["status:", "backup:", "archiveId:", "missing:", "checksum invalid:"];
    let named = |line: &&str| !sums.iter().any(|sum| line.starts_with(sum));
    match found.iter().copied().find(named).or(found.first().copied()) {
        Some(said) => {
            let named = found.iter().copied().filter(named).count();
            let more = if named > 1 { format!(" (and {} more)", named - 1) } else { String::new() };
            (Status::Critical, format!("not all of it is sound: {said}{more}"))
        }
        None => (Status::Ok, "all files of all backups and all archived WAL were read and their checksums are right; no lock was taken".into()),
    }
}

#[cfg(test)]
mod tests;
