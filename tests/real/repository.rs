//! What the tests of backup tools have in common: one data set as the console
//! watches it, what of a folder would show a write or a lock, and a tool that
//! hangs.

use super::support::{monotonic, now};
use opsroom::config::{Config, Mistakes};
use opsroom::domain::{BackupReading, FullCheck, PollError, PollFailure, Reading, Timestamp};
use opsroom::sources::{Brought, Shared, Source, Sources, kind_keys};
use opsroom::store::{Known, Look, Msg, Polled, Seen};
use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// The backups of one data set, as the console watches them.
pub(crate) struct Watched {
    pub(crate) source: Arc<dyn Source>,
    known: Known,
}

impl Watched {
    /// From what stands in its table.
    pub(crate) fn of(table: &str) -> Self {
        Self::within(60, table)
    }

    /// With so many seconds for each look.
    pub(crate) fn within(seconds: u64, table: &str) -> Self {
        let text = format!("[backup.data]\ntimeout = '{seconds}s'\nrpo = '26h'\n{table}");
        let mut mistakes = Mistakes::default();
        let config = Config::read(&text, &kind_keys(), &mut mistakes);
        let sources = Sources::of(&config, &Shared::new(monotonic, 10), &mut mistakes);
        assert!(mistakes.is_empty(), "{:?}", mistakes.in_order());
        let mut inventory = config.inventory();
        inventory.sources = vec![sources.all[0].info().clone()];
        let known = Known::new(Arc::new(inventory), now());
        Self { source: Arc::clone(&sources.all[0]), known }
    }

    /// One look, which the rules take in.
    pub(crate) async fn look(&mut self) -> Result<Arc<BackupReading>, PollError> {
        let taken = now();
        let outcome = match self.source.poll(taken).await {
            Ok(Brought::Reading(reading)) => Ok(reading),
            Ok(other) => panic!("no reading: {other:?}"),
            Err(error) => Err(error),
        };
        let info = self.source.info();
        let polled = Polled {
            source: info.id.clone(),
            taken,
            next: taken + info.every,
            took: Duration::ZERO,
            late: Duration::ZERO,
            outcome: outcome.clone(),
        };
        self.known.take(now(), &Msg::Polled(vec![polled]));
        match outcome? {
            Reading::Backup(reading) => Ok(reading),
            other => panic!("no reading of backups: {other:?}"),
        }
    }

    /// A look that finds something.
    pub(crate) async fn found(&mut self) -> Arc<BackupReading> {
        self.look().await.unwrap()
    }

    /// A look that finds nothing, for this reason.
    pub(crate) async fn fails(&mut self, cause: PollFailure) -> String {
        let error = self.look().await.unwrap_err();
        assert_eq!(error.cause, cause, "{error:?}");
        error.message
    }

    /// How they stand after what was seen: `critical broken: …`.
    pub(crate) fn standing(&self) -> String {
        let standing = &self.known.backups[&self.source.info().id].standing;
        format!("{} {}", standing.status, standing.reason)
    }

    /// How a first look and its confirmation leave them standing.
    pub(crate) async fn stands(table: &str) -> String {
        let mut watched = Self::of(table);
        let _ = watched.look().await;
        let _ = watched.look().await;
        watched.standing()
    }

    /// A full check.
    pub(crate) async fn verify(&self) -> Result<FullCheck, PollError> {
        match self.source.look(&Look::Verify, now()).unwrap().await? {
            Seen::Verified(check) => Ok(check),
            other @ Seen::Event(_) => panic!("no full check: {other:?}"),
        }
    }
}

/// A moment is between a former one and now, give or take a second.
pub(crate) fn is_since(at: Timestamp, before: Timestamp) -> bool {
    let second = Duration::from_secs(1);
    at + second >= before && at <= now() + second
}

/// All that is in a folder, with what any write to it would change: a file's
/// number, length and times, a folder's too, so that a lock that came and went
/// shows.
pub(crate) fn traces(folder: &Path) -> BTreeMap<PathBuf, [i64; 6]> {
    let mut all = BTreeMap::new();
    let mut left = vec![folder.to_owned()];
    while let Some(path) = left.pop() {
        let about = path.symlink_metadata().unwrap();
        if about.is_dir() {
            left.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        let number = i64::try_from(about.ino()).unwrap();
        let length = i64::try_from(about.len()).unwrap();
        let times = [about.mtime(), about.mtime_nsec(), about.ctime(), about.ctime_nsec()];
        all.insert(path, [number, length, times[0], times[1], times[2], times[3]]);
    }
    all
}

/// The files below a folder whose path has `part` in it, the biggest first.
pub(crate) fn files(folder: &Path, part: &str) -> Vec<PathBuf> {
    let mut all: Vec<_> = traces(folder)
        .into_iter()
        .filter(|(path, _)| path.is_file() && path.to_str().unwrap().contains(part))
        .collect();
    all.sort_by_key(|(_, told)| std::cmp::Reverse(told[1]));
    all.into_iter().map(|(path, _)| path).collect()
}

/// Writes over a file's bytes in the middle.
pub(crate) fn damage(path: &Path) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    let end = bytes.len().min(middle + 64);
    bytes[middle..end].iter_mut().for_each(|byte| *byte ^= 0x5a);
    std::fs::write(path, bytes).unwrap();
}

/// A copy of a repository, to be broken.
pub(crate) fn copied(from: &Path, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    let done = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(done.success());
}

/// A tool that reads what this holds the other end of, and ends with it.
pub(crate) struct Writer(Child);

impl Writer {
    pub(crate) fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Lets it come to its end.
    pub(crate) fn finish(mut self) {
        let mut stdin = self.0.stdin.take().unwrap();
        stdin.write_all(b"to the end").unwrap();
        drop(stdin);
        assert!(self.0.wait().unwrap().success());
    }

    /// Ends it as a crash does.
    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A script, as `program`.
pub(crate) fn script(folder: &Path, name: &str, lines: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{lines}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// A tool that hangs is ended at the limit with all that it started, and shows
/// no secret in its arguments while it runs.
pub(crate) async fn hangs(folder: &Path, table: &str, secret: &str) {
    let told = folder.join("hung");
    let at = told.display();
    let lines = format!("sleep 600 & echo $$ $! \"$@\" > {at}.new; mv {at}.new {at}; wait");
    let program = script(folder, "hangs", &lines);
    let table = format!("{table}\nprogram = '{}'", program.display());
    let mut watched = Watched::within(2, &table);
    let looking = tokio::spawn(async move { (watched.fails(PollFailure::Timeout).await, watched) });
    super::support::until("it runs", || async { told.exists() }).await;
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&line).contains(secret), "{}", entry.path().display());
    }
    let (words, watched) = looking.await.unwrap();
    assert!(words.ends_with("no answer in 2s (ended)"), "{words}");
    assert!(watched.standing().starts_with("unknown "), "{}", watched.standing());
    let told = std::fs::read_to_string(&told).unwrap();
    for pid in told.split_whitespace().take(2) {
        // A process that was killed still has to end.
        super::support::until("what it started has ended", || async {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            stat.is_empty() || stat.contains(") Z ")
        })
        .await;
    }
    assert!(!told.contains(secret));
}

/// A program that is not there is told in words.
pub(crate) async fn is_missed(table: &str) {
    let mut watched = Watched::of(&format!("{table}\nprogram = '/no/such/tool'"));
    let words = watched.fails(PollFailure::Absent).await;
    assert_eq!(words, "/no/such/tool: no such program");
    assert_eq!(watched.standing(), "critical absent: /no/such/tool: no such program");
}
