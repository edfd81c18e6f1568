//! What a backup job says of itself: a small JSON file, here or on a web server.

use super::restored::{number, time, whole};
use super::{ENCRYPTED, MIN_SIZE, OFF_HOST};
use crate::config::{CLIENT, Client, Family, Key, Mistakes, Shape, TRUST, Table, home_path, key};
use crate::domain::{
    BackupReading, Fault, PollError, PollFailure, Reading, Running, Snapshot, SourceInfo, Status,
    Timestamp, harmless_within, units,
};
use crate::sources::client::{Shared, Target, said_status, shown};
use crate::sources::http::NOT_VERIFIED;
use crate::sources::{Brought, Kind, Made, Source};
use futures_util::future::BoxFuture;
use reqwest::Url;
use serde_json::Value;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The kind in the registry.
pub(in crate::sources) const KIND: Kind = Kind {
    family: Family::Backup,
    name: "status",
    keys: &[KEYS, CLIENT, TRUST],
    network: false,
    make,
};

const KEYS: &[Key] = &[
    key(
        "status",
        Shape::Text,
        "A file or a URL that says what the last backup came to: JSON with `at` (RFC 3339 or seconds) and `ok`, and where it can `bytes`, `took_s`, `error`, `running`. One object, or a history: a list, or one object a line.",
    )
    .like("/var/lib/backup/orders.json")
    .needed(),
    MIN_SIZE,
    OFF_HOST,
    ENCRYPTED,
];

/// Of a long history the end is read.
const END: u64 = 1 << 20;
/// A message is cut to so many characters.
const WORDS: usize = 120;

/// Where it stands.
enum Place {
    File(Arc<StatusFile>),
    Web(Box<Target>),
}

struct StatusFile {
    path: PathBuf,
    /// Held by whoever reads it: a file system may hang.
    read: Mutex<()>,
}

struct StatusSource {
    info: SourceInfo,
    shared: Arc<Shared>,
    place: Place,
    wants: Wants,
}

/// What the config says of it.
#[derive(Default)]
struct Wants {
    min_size: u64,
    off_host: Option<bool>,
    encrypted: Option<bool>,
}

fn make(table: &Table, made: Made, mistakes: &mut Mistakes) -> Option<Arc<dyn Source>> {
    let Made { mut info, shared, connect_timeout, .. } = made;
    let told = table.optional_text("status")?;
    let place = if told.starts_with("http://") || told.starts_with("https://") {
        let Ok(url) = Url::parse(&told) else {
            mistakes.wrong_but(table.span_of("status"), "this is no URL", "http://host/path");
            return None;
        };
        info.asks = shown(&url);
        info.cost = "1 GET".into();
        info.network = true;
        let client = Client::read(table, mistakes);
        if client.skip_verify && url.scheme() == "https" {
            info.note = Some(NOT_VERIFIED.into());
        }
        let mut target = Target::get(url, client, info.timeout);
        target.connect_timeout = connect_timeout;
        target.max_body = END;
        Place::Web(Box::new(target))
    } else if told.starts_with('/') || told.starts_with("~/") {
        info.asks = harmless_within(&told, WORDS);
        info.cost = "one file is read, 1 MiB of it at most".into();
        Place::File(Arc::new(StatusFile { path: home_path(&told), read: Mutex::new(()) }))
    } else {
        let help = "write /path/to/file or http://host/path";
        mistakes.wrong_but(table.span_of("status"), "neither a whole path nor a URL", help);
        return None;
    };
    let wants = Wants {
        min_size: if table.has("min_size") { table.size("min_size") } else { 0 },
        off_host: table.optional_flag("off_host"),
        encrypted: table.optional_flag("encrypted"),
    };
    Some(Arc::new(StatusSource { info, shared, place, wants }))
}

impl StatusFile {
    fn bytes(&self) -> Result<Vec<u8>, PollError> {
        let Ok(_alone) = self.read.try_lock() else {
            let words = "an earlier look still reads this file";
            return Err(PollError::new(PollFailure::Timeout, words));
        };
        read(&self.path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                PollError::new(PollFailure::Absent, "there is no such file")
            }
            io::ErrorKind::PermissionDenied => {
                PollError::new(PollFailure::Denied, "no permission to read it")
            }
            io::ErrorKind::IsADirectory => PollError::broken("it is no file"),
            kind => PollError::new(PollFailure::Network, format!("it cannot be read: {kind}")),
        })
    }
}

/// The end of a file; of one that is cut there without the line that is cut.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let meta = std::fs::metadata(path)?;
    if !meta.is_file() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let mut file = File::open(path)?;
    let from = meta.len().saturating_sub(END);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(END).read_to_end(&mut bytes)?;
    if from > 0
        && let Some(line) = bytes.iter().position(|byte| *byte == b'\n')
    {
        bytes.drain(..=line);
    }
    Ok(bytes)
}

impl StatusSource {
    async fn ask(&self) -> Result<BackupReading, PollError> {
        let body = match &self.place {
            Place::Web(target) => {
                let fetched = target.fetch(&self.shared).await?;
                if !(200..300).contains(&fetched.status) {
                    let mut error =
                        said_status(fetched.status, fetched.header("retry-after"), &fetched.body);
                    if fetched.status >= 500 && error.cause == PollFailure::Broken {
                        // The web server's trouble is no word on the backup.
                        error.cause = PollFailure::Network;
                    }
                    return Err(error);
                }
                fetched.body.to_vec()
            }
            Place::File(file) => {
                let file = Arc::clone(file);
                let limit = self.info.timeout;
                let reads = tokio::task::spawn_blocking(move || file.bytes());
                match tokio::time::timeout(limit, reads).await {
                    Ok(Ok(bytes)) => bytes?,
                    Ok(Err(error)) => return Err(PollError::broken(error.to_string())),
                    Err(_) => {
                        let words = format!("it was not read within {}", units::duration(limit));
                        return Err(PollError::new(PollFailure::Timeout, words));
                    }
                }
            }
        };
        let mut reading = parse(&body, &self.wants)?;
        reading.place.clone_from(&self.info.asks);
        Ok(reading)
    }
}

/// One object, a list of them, or one a line.
fn parse(body: &[u8], wants: &Wants) -> Result<BackupReading, PollError> {
    let text = String::from_utf8_lossy(body);
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Err(PollError::broken("it is empty"));
    }
    let mut reading = BackupReading {
        off_host: wants.off_host,
        encrypted: wants.encrypted,
        ..BackupReading::default()
    };
    let all: Vec<Option<Value>> = match serde_json::from_str(text) {
        Ok(Value::Array(all)) => all.into_iter().map(Some).collect(),
        Ok(one) => vec![Some(one)],
        Err(_) => {
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            lines.map(|line| serde_json::from_str(line).ok()).collect()
        }
    };
    let mut bad: Option<(usize, &'static str)> = None;
    for told in &all {
        match told.as_ref().ok_or("it is no whole JSON").and_then(|told| one(told, wants)) {
            Ok(One::Done(snapshot)) => reading.snapshots.push(snapshot),
            Ok(One::Running(running)) => reading.running = Some(running),
            Err(why) => bad = Some((bad.map_or(1, |(many, _)| many + 1), why)),
        }
    }
    if let Some((many, why)) = bad {
        if many == all.len() {
            return Err(PollError::broken(why));
        }
        let words = format!("{} cannot be used, the last: {why}", units::count(many, "entry"));
        reading.notes.push(words);
    }
    reading.count = reading.snapshots.len() as u64;
    Ok(reading)
}

enum One {
    Done(Snapshot),
    Running(Running),
}

/// One run of the job.
fn one(told: &Value, wants: &Wants) -> Result<One, &'static str> {
    if !told.is_object() {
        return Err("it is no JSON object");
    }
    let text = |key: &str| told.get(key).and_then(Value::as_str).filter(|it| !it.is_empty());
    let name = text("name").or_else(|| text("id")).map(|name| harmless_within(name, WORDS));
    let at = told.get("at").and_then(time);
    if told.get("running").and_then(flag) == Some(true) {
        return Ok(One::Running(Running { since: at, by: name.unwrap_or_default() }));
    }
    let taken = at.ok_or("it tells no time in `at`")?;
    let size = told.get("bytes").and_then(number).and_then(whole);
    let ok = told.get("ok").and_then(flag);
    let words = match (text("error"), ok, size) {
        (Some(error), ..) => Some(harmless_within(error, WORDS)),
        (None, Some(false), _) => Some("it failed".into()),
        // Silence is no proof.
        (None, None, _) => Some("it does not say `ok`".into()),
        (None, Some(true), Some(0)) => Some("empty".into()),
        (None, Some(true), Some(size)) if size < wants.min_size => Some(format!(
            "too small: {}, at least {} wanted",
            units::bytes(size as f64),
            units::bytes(wants.min_size as f64)
        )),
        (None, Some(true), _) => None,
    };
    let took = told.get("took_s").and_then(number);
    Ok(One::Done(Snapshot {
        id: name.unwrap_or_else(|| taken.to_string()),
        taken,
        took: took.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
        size,
        fault: words.map(|words| Fault { status: Status::Critical, words }),
        host: text("host").map(|host| harmless_within(host, WORDS)),
    }))
}

/// Yes or no, also as a text.
fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) => text.trim().to_ascii_lowercase().parse().ok(),
        _ => None,
    }
}

impl Source for StatusSource {
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
mod tests;
