//! Dump files that a command lists, for hosts where the console cannot look
//! itself: JSON lines with `name`, `bytes`, `modified`, and `tail` where it can.

use super::content::{ENDS, Ends, Found};
use super::{SHARED, Wants, content};
use crate::config::{Family, Key, Mistakes, Secret, Shape, Table, key};
use crate::domain::{
    BackupReading, Fault, PollError, PollFailure, Reading, Running, Snapshot, SourceInfo, Status,
    Timestamp, harmless_within, units,
};
use crate::sources::backup::restored::{number, time, whole};
use crate::sources::client::Shared;
use crate::sources::process::{Program, Ran, RunError};
use crate::sources::{Brought, Kind, Made, Source, command};
use futures_util::future::BoxFuture;
use serde_json::Value;
use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;

/// The kind in the registry.
pub(in crate::sources) const KIND: Kind =
    Kind { family: Family::Backup, name: "dump_list", keys: &[KEYS, SHARED], network: true, make };

const KEYS: &[Key] = &[
    key(
        "dump_list",
        Shape::OneOrMore(&Shape::Text),
        "A command that lists dump files of another host as JSON lines: `name`, `bytes`, `modified` (RFC 3339 or seconds), and where it can `tail` (the last lines, unpacked), `ok`, `error`, `running`. A list is run as it is; one text is a line for `/bin/sh`.",
    )
    .like(r#"["ssh", "backup@store", "list-dumps", "orders"]"#)
    .needed(),
    key("env", Shape::Map(&Shape::Header), "Variables; values may be secret references.")
        .like(r#"{ STORE_TOKEN = "file:/etc/opsroom/store.token" }"#),
];

/// Of the list so many bytes are read.
const MOST_OUTPUT: usize = 4 << 20;
const WORDS: usize = 120;

struct List {
    info: SourceInfo,
    shared: Arc<Shared>,
    program: Program,
    env: Vec<(String, Secret)>,
    wants: Wants,
}

fn make(table: &Table, made: Made, mistakes: &mut Mistakes) -> Option<Arc<dyn Source>> {
    let Made { mut info, shared, .. } = made;
    let words = table.texts("dump_list");
    let argv = match words.as_slice() {
        [] => return None,
        [line] => vec!["/bin/sh".into(), "-c".into(), line.clone()],
        _ => words.clone(),
    };
    if words.iter().any(|word| word.contains('\0')) || words[0].trim().is_empty() {
        mistakes.wrong_but(table.span_of("dump_list"), "this is no command", "name a program");
        return None;
    }
    info.asks = command::asks(&words);
    info.cost = "one run of the command".into();
    let program = Program {
        argv,
        env: std::collections::BTreeMap::new(),
        folder: None,
        limit: info.timeout,
        most: MOST_OUTPUT,
        keep_end: false,
    };
    let (env, wants) = (table.secret_map("env"), Wants::of(table));
    Some(Arc::new(List { info, shared, program, env, wants }))
}

impl List {
    async fn ask(&self) -> Result<BackupReading, PollError> {
        let mut program = self.program.clone();
        for (name, secret) in &self.env {
            let value = self.shared.secret(secret).await;
            let value = value.map_err(|why| PollError::new(PollFailure::Denied, why))?;
            program.env.insert(name.clone(), value.reveal().to_owned());
        }
        let ran = program.run().await.map_err(|error| match error {
            RunError::Start(why) => PollError::broken(why),
            RunError::Timeout { .. } => {
                let limit = units::duration(self.info.timeout);
                PollError::new(PollFailure::Timeout, format!("no answer in {limit} (ended)"))
            }
        })?;
        if !ran.status.success() {
            return Err(failed(&ran));
        }
        if ran.out.len() >= MOST_OUTPUT {
            let most = units::bytes(MOST_OUTPUT as f64);
            return Err(PollError::new(PollFailure::TooBig, format!("a list of more than {most}")));
        }
        let mut reading = parse(&ran.out, &self.wants)?;
        reading.place.clone_from(&self.info.asks);
        Ok(reading)
    }
}

/// What a command that failed says of why, in the words of ssh and ls.
fn failed(ran: &Ran) -> PollError {
    let text = String::from_utf8_lossy(&ran.err);
    let lower = text.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let cause = if says(&["permission denied", "access denied", "host key verification failed"]) {
        PollFailure::Denied
    } else if says(&["could not resolve", "name or service not known"]) {
        PollFailure::Name
    } else if says(&["connection refused"]) {
        PollFailure::Refused
    } else if says(&["timed out"]) {
        PollFailure::Timeout
    } else if says(&["no route to host", "network is unreachable", "connection closed"]) {
        PollFailure::Network
    } else if says(&["no such file or directory", "not found"]) {
        PollFailure::Absent
    } else {
        PollFailure::Broken
    };
    let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let ended = match (ran.status.code(), ran.status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, signal) => format!("ended by signal {}", signal.unwrap_or_default()),
    };
    let last = harmless_within(last.trim(), WORDS);
    let message = if last.is_empty() { ended } else { format!("{last} ({ended})") };
    PollError::new(cause, message)
}

/// A list, one file a line. Lines that are none are counted; a list of nothing
/// else is unusable, an empty one says that there is no backup.
fn parse(body: &[u8], wants: &Wants) -> Result<BackupReading, PollError> {
    let text = String::from_utf8_lossy(body);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let mut reading = BackupReading {
        off_host: wants.off_host,
        encrypted: wants.encrypted,
        ..BackupReading::default()
    };
    let mut bad = 0_usize;
    for line in &lines {
        match file(line, wants) {
            Some(Listed::Done(snapshot)) => reading.snapshots.push(snapshot),
            Some(Listed::Running(running)) => reading.running = Some(running),
            None => bad += 1,
        }
    }
    if bad > 0 && bad == lines.len() {
        let first = harmless_within(lines[0], 60);
        return Err(PollError::broken(format!("the list is no JSON lines: {first}")));
    }
    if bad > 0 {
        reading.notes.push(format!("{} of the list cannot be read", units::count(bad, "line")));
    }
    reading.count = reading.snapshots.len() as u64;
    Ok(reading)
}

enum Listed {
    Done(Snapshot),
    Running(Running),
}

fn file(line: &str, wants: &Wants) -> Option<Listed> {
    let told: Value = serde_json::from_str(line).ok()?;
    let text = |key: &str| told.get(key).and_then(Value::as_str);
    let id = harmless_within(text("name")?, WORDS);
    let taken = told.get("modified").and_then(time);
    if told.get("running").and_then(Value::as_bool) == Some(true) {
        return Some(Listed::Running(Running { since: taken, by: id }));
    }
    let size = told.get("bytes").and_then(number).and_then(whole);
    let critical = |words: String| Fault { status: Status::Critical, words };
    let error = text("error").filter(|error| !error.is_empty());
    let fault = if let Some(error) = error {
        Some(critical(harmless_within(error, WORDS)))
    } else if told.get("ok").and_then(Value::as_bool) == Some(false) {
        Some(critical("it is listed as failed".into()))
    } else if size == Some(0) {
        Some(critical("empty".into()))
    } else if let Some(size) = size.filter(|size| *size < wants.min_size) {
        Some(critical(format!("too small: {}", units::bytes(size as f64))))
    } else {
        text("tail").and_then(|tail| closed(tail).fault)
    };
    Some(Listed::Done(Snapshot { id, taken: taken?, took: None, size, fault, host: None }))
}

/// Judges by the last lines alone: whichever dump it is, it must be closed.
fn closed(tail: &str) -> Found {
    let beginnings = [
        "-- MySQL dump 1\n",
        "-- PostgreSQL database dump\n",
        "-- PostgreSQL database cluster dump\n",
    ];
    let found = beginnings.into_iter().map(|head| {
        let end = tail.len().saturating_sub(ENDS);
        let tail = tail.as_bytes()[end..].to_vec();
        content::judge(&Ends { head: head.into(), tail, total: u64::MAX }, None)
    });
    let found: Vec<Found> = found.collect();
    match found.iter().find(|found| found.fault.is_none()) {
        Some(good) => good.clone(),
        None => found.into_iter().next().unwrap_or_default(),
    }
}

impl Source for List {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn poll(&self, _: Timestamp) -> BoxFuture<'_, Result<Brought, PollError>> {
        Box::pin(async move {
            let begun = self.shared.monotonic();
            let mut found = self.ask().await?;
            found.took = self.shared.monotonic().saturating_sub(begun);
            Ok(Brought::Reading(Reading::Backup(Arc::new(found))))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Wants =
        Wants { format: None, min_size: 100, off_host: Some(true), encrypted: None };

    #[test]
    fn a_list_becomes_backups_and_its_tails_are_judged() {
        let body = concat!(
            r#"{"name":"a.sql.gz","bytes":"4096","modified":1795230000,"tail":"-- Dump completed on 2026-11-21  9:12:33\n"}"#,
            "\n",
            r#"{"name":"b.sql","bytes":4096,"modified":"2026-11-21T09:00:00Z","tail":"INSERT INTO t VALUES (1);\n"}"#,
            "\n",
            r#"{"name":"c.sql","bytes":0,"modified":1795230000}"#,
            "\n",
            r#"{"name":"d.sql","bytes":4096,"modified":1795230000,"error":"disk\u001b[2J full"}"#,
            "\n",
            r#"{"name":"e.sql","bytes":12,"modified":1795230000}"#,
            "\n",
            r#"{"name":"f.sql","bytes":1,"modified":1795230000,"running":true}"#,
            "\n",
            "not json\n\n",
        );
        let reading = parse(body.as_bytes(), &NONE).unwrap();
        let faults: Vec<String> = reading
            .snapshots
            .iter()
            .map(|one| one.fault.as_ref().map_or_else(|| "good".into(), |f| f.words.clone()))
            .collect();
        assert_eq!(faults[..3], ["good", "truncated: no closing line", "empty"]);
        assert!(faults[3].starts_with("disk") && !faults[3].contains('\u{1b}'));
        assert_eq!(faults[4], "too small: 12B");
        assert_eq!(reading.running.unwrap().by, "f.sql");
        assert_eq!(reading.notes, ["1 line of the list cannot be read"]);
        assert_eq!((reading.count, reading.off_host), (5, Some(true)));
    }

    #[test]
    fn an_empty_list_is_no_backup_and_a_page_of_html_is_unusable() {
        assert_eq!(parse(b"\n", &NONE).unwrap().count, 0);
        assert_eq!(parse(b"<html>502</html>", &NONE).unwrap_err().cause, PollFailure::Broken);
    }

    #[test]
    fn what_ssh_says_is_told_apart() {
        let said = |text: &str| {
            let status = std::process::ExitStatus::from_raw(255 << 8);
            failed(&Ran { status, out: Vec::new(), err: text.into() })
        };
        let denied = said("backup@store: Permission denied (publickey).\r\n");
        assert_eq!(denied.cause, PollFailure::Denied);
        assert_eq!(denied.message, "backup@store: Permission denied (publickey). (exit code 255)");
        let cause = |text| said(text).cause;
        assert_eq!(cause("connect to host x port 22: Connection refused"), PollFailure::Refused);
        assert_eq!(
            cause("ls: cannot access '/srv': No such file or directory"),
            PollFailure::Absent
        );
        assert_eq!(cause("boom"), PollFailure::Broken);
    }
}
