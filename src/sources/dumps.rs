//! Dump files of one data set, judged by what is in them: `mysqldump`, `pg_dump`,
//! tar; plain, gzip, zstd.

mod content;
mod custom;
mod files;
pub(super) mod glob;
mod listed;
mod read;
mod walk;

pub(super) use listed::KIND as LISTED;

use super::backup::{ENCRYPTED, MIN_SIZE, OFF_HOST};
use super::client::Shared;
use super::process::{Program, RunError};
use super::{Brought, Kind, Made, Source};
use crate::config::{Family, Key, Mistakes, Shape, Table, home_path, key};
use crate::domain::{
    FullCheck, PollError, PollFailure, Reading, SourceInfo, Status, Timestamp, harmless_within,
    units,
};
use crate::store::message::{Look, Seen};
use content::Format;
use files::{Checked, Files, Known};
use futures_util::future::BoxFuture;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The kind in the registry.
pub(super) const KIND: Kind =
    Kind { family: Family::Backup, name: "dumps", keys: &[KEYS, SHARED], network: false, make };

const KEYS: &[Key] = &[
    key(
        "dumps",
        Shape::OneOrMore(&Shape::Path),
        "The files, by patterns with `*`, `?` and `[a-z]`. Each is read once in its life: its ends, and all of it where it is packed and not too large.",
    )
    .like(r#""/srv/backup/orders-*.sql.gz""#)
    .needed(),
    key("unpack", Shape::Size, "Packed files up to this size are unpacked to see their last line; of larger ones a full check tells.")
        .or("64 MiB"),
    key("settle", Shape::PAUSE, "A file that is not whole and younger than this is still being written.")
        .or("2m"),
];

/// What dump files have, however they are known.
const SHARED: &[Key] = &[
    key("format", Shape::OneOf(FORMATS), "What they are; `auto` takes whatever is known here.")
        .or("auto"),
    MIN_SIZE,
    OFF_HOST,
    ENCRYPTED,
];

const FORMATS: &[&str] = &["auto", "mysqldump", "pg_dump", "custom", "tar"];

/// A full check takes no longer than this.
const CHECK: Duration = Duration::from_hours(1);
/// Of what `pg_restore` complains so much is kept.
const COMPLAINTS: usize = 4 << 10;
const WORDS: usize = 120;

/// What the config wants of dump files, however they are known.
#[derive(Clone, Debug)]
struct Wants {
    format: Option<Format>,
    min_size: u64,
    off_host: Option<bool>,
    encrypted: Option<bool>,
}

impl Wants {
    fn of(table: &Table) -> Self {
        let format = match table.text("format").as_str() {
            "mysqldump" => Some(Format::Mysql),
            "pg_dump" => Some(Format::Postgres),
            "custom" => Some(Format::Custom),
            "tar" => Some(Format::Tar),
            _ => None,
        };
        Self {
            format,
            min_size: if table.has("min_size") { table.size("min_size") } else { 0 },
            off_host: table.optional_flag("off_host"),
            encrypted: table.optional_flag("encrypted"),
        }
    }
}

/// Dump files of this host.
struct Dumps {
    info: SourceInfo,
    shared: Arc<Shared>,
    files: Arc<Files>,
    known: Arc<Mutex<Known>>,
}

fn make(table: &Table, made: Made, _: &mut Mistakes) -> Option<Arc<dyn Source>> {
    let Made { mut info, shared, .. } = made;
    let told = table.texts("dumps");
    let patterns: Vec<PathBuf> = told.iter().map(|pattern| home_path(pattern)).collect();
    if patterns.is_empty() {
        return None;
    }
    let unpack = table.size("unpack");
    info.asks = harmless_within(&told.join(" "), WORDS);
    info.cost = format!(
        "a stat of each file; a new one is read once: 16 kB, or unpacked up to {}",
        units::bytes(unpack as f64)
    );
    let files = Arc::new(Files {
        patterns,
        place: info.asks.clone(),
        wants: Wants::of(table),
        unpack,
        settle: table.duration("settle"),
        // The other half is for a file system that takes its time.
        patience: info.timeout / 2,
    });
    Some(Arc::new(Dumps { info, shared, files, known: Arc::default() }))
}

/// Tells a thread that reads files that nobody waits any more.
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Lets `work` read files on a thread of its own, for so long at most.
async fn reading<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce(&AtomicBool) -> Result<T, PollError> + Send + 'static,
) -> Result<T, PollError> {
    let stop = Stop(Arc::default());
    let heard = Arc::clone(&stop.0);
    let done = tokio::task::spawn_blocking(move || work(&heard));
    match tokio::time::timeout(limit, done).await {
        Ok(Ok(done)) => done,
        Ok(Err(error)) => Err(PollError::broken(error.to_string())),
        Err(_) => {
            let words = format!("the files were not read within {}", units::duration(limit));
            Err(PollError::new(PollFailure::Timeout, words))
        }
    }
}

impl Dumps {
    async fn check(&self, now: Timestamp) -> Result<Seen, PollError> {
        let begun = self.shared.monotonic();
        let (files, known) = (Arc::clone(&self.files), Arc::clone(&self.known));
        let checked = reading(CHECK, move |stop| files.check(&known, now, stop)).await?;
        let (status, words) = match checked.restorable() {
            Some(path) => restored_to_nowhere(&checked, path).await,
            None => checked.words(),
        };
        let took = self.shared.monotonic().saturating_sub(begun);
        checked.keep(&self.known, status, &words);
        Ok(Seen::Verified(FullCheck { of: checked.id, status, words, took }))
    }
}

/// Has `pg_restore` read all of an archive, as a restore would.
async fn restored_to_nowhere(checked: &Checked, path: &str) -> (Status, String) {
    let program = |name: &str| Program {
        argv: [name, "-f", "/dev/null", path].map(Into::into).to_vec(),
        env: std::collections::BTreeMap::new(),
        folder: None,
        limit: CHECK,
        most: COMPLAINTS,
        keep_end: true,
    };
    let mut ran = program("pg_restore").run().await;
    if let Err(RunError::Start(_)) = &ran {
        let stop = AtomicBool::new(false);
        let elsewhere = PathBuf::from("/usr/lib/postgresql/*/bin/pg_restore");
        if let Some(found) = glob::find(&elsewhere, &stop).paths.into_iter().max() {
            ran = program(&found.to_string_lossy()).run().await;
        }
    }
    match ran {
        Ok(ran) if ran.status.success() => {
            (Status::Ok, format!("pg_restore reads all of it, {}", checked.size_words()))
        }
        Ok(ran) => {
            let complaint = String::from_utf8_lossy(&ran.err);
            let last = complaint.lines().rev().find(|line| !line.trim().is_empty());
            let last = harmless_within(last.unwrap_or("it says nothing"), WORDS);
            (Status::Critical, format!("damaged: {last}"))
        }
        Err(RunError::Timeout { .. }) => {
            let limit = units::duration(CHECK);
            (Status::Unknown, format!("pg_restore was not done within {limit}"))
        }
        Err(RunError::Start(_)) => (
            Status::Unknown,
            "pg_restore is not installed here, so only its table of contents was read".into(),
        ),
    }
}

impl Source for Dumps {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn poll(&self, now: Timestamp) -> BoxFuture<'_, Result<Brought, PollError>> {
        Box::pin(async move {
            let begun = self.shared.monotonic();
            let (files, known) = (Arc::clone(&self.files), Arc::clone(&self.known));
            let shared = Arc::clone(&self.shared);
            let mut found = reading(self.info.timeout, move |stop| {
                files.poll(&known, now, &|| shared.monotonic(), stop)
            })
            .await?;
            found.took = self.shared.monotonic().saturating_sub(begun);
            Ok(Brought::Reading(Reading::Backup(Arc::new(found))))
        })
    }

    fn look(&self, look: &Look, now: Timestamp) -> Option<BoxFuture<'_, Result<Seen, PollError>>> {
        matches!(look, Look::Verify)
            .then(|| Box::pin(self.check(now)) as BoxFuture<'_, Result<Seen, PollError>>)
    }
}

#[cfg(test)]
mod tests;
