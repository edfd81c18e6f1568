//! Backups in a restic repository: its snapshots, without a lock.

mod answer;

use super::process::Ran;
use super::repos::{self, MOST_SNAPSHOTS, Ready, SURROUNDINGS, Tool, place};
use super::{Brought, Kind, Made, Source};
use crate::config::{Family, Key, Mistakes, Secret, Shape, Table, home_path, key};
use crate::domain::{
    BackupProblem, BackupReading, FullCheck, PollError, PollFailure, Reading, Running, SourceInfo,
    Status, Timestamp, harmless_within, units,
};
use crate::store::message::{Look, Seen};
use answer::{Lock, failed, lock, locks, snapshots};
use futures_util::future::BoxFuture;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The kind in the registry.
pub(super) const KIND: Kind = Kind {
    family: Family::Backup,
    name: "restic",
    keys: &[KEYS, SURROUNDINGS],
    network: false,
    make,
};

const KEYS: &[Key] = &[
    key("restic", Shape::Name, "A restic repository, as restic names it: a path, or `s3:`, `sftp:`, `rest:`, `b2:`, `azure:`, `gs:`, `swift:`, `rclone:`.")
        .like("s3:s3.amazonaws.com/shop-backups/orders")
        .needed(),
    key("password", Shape::Secret, "Its password, where `env_file` or `env` does not give it. A key of its own for the console can be taken away again: `restic key add`.")
        .like("file:/etc/opsroom/restic.password"),
    key("host", Shape::Name, "Only snapshots of this host count.").like("db-1"),
    key("paths", Shape::OneOrMore(&Shape::Name), "Only snapshots of exactly these paths count.")
        .like(r#"["/var/lib/orders"]"#),
    key("tags", Shape::OneOrMore(&Shape::Name), "Only snapshots with one of these tags count; `a,b` asks for both.")
        .like(r#"["nightly"]"#),
    key("program", Shape::OneOrMore(&Shape::Name), "The program, with first arguments where it is a list.")
        .or(r#"["restic"]"#),
];

/// A lock that is older was left behind: restic makes a living one anew every 5 minutes.
const LOCK_LIVES: Duration = Duration::from_mins(30);
/// Of many locks so many are looked at.
const MOST_LOCKS: usize = 3;

/// A restic repository.
struct Restic {
    info: SourceInfo,
    tool: Tool,
    place: Place,
    password: Option<Secret>,
    filters: Vec<String>,
    /// Which snapshots count is told, so that no other's age can pass for theirs.
    filtered: bool,
    hangs: Arc<AtomicBool>,
    memory: Mutex<Memory>,
}

/// What is remembered from poll to poll.
#[derive(Default)]
struct Memory {
    version: Option<String>,
    /// When the locks that are there were first seen to be held, by their holder:
    /// a lock itself tells only when it was last made anew.
    held: BTreeMap<(String, u64), Timestamp>,
}

/// Where a repository is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    /// As restic takes it.
    name: String,
    /// The folder of one on this host.
    folder: Option<PathBuf>,
    /// It is stored on another host, where its name tells.
    elsewhere: Option<bool>,
}

impl Place {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let path = text.strip_prefix("local:").unwrap_or(text);
        if path.starts_with(['/', '~']) {
            let folder = home_path(path);
            let name = folder.to_string_lossy().into_owned();
            return Some(Self { name, folder: Some(folder), elsewhere: None });
        }
        let (scheme, rest) = text.split_once(':')?;
        let elsewhere = match scheme {
            "s3" | "rest" | "sftp" => Some(place::is_elsewhere(place::host(rest))),
            "b2" | "azure" | "gs" | "swift" => Some(true),
            "rclone" => None,
            _ => return None,
        };
        let name = text.to_owned();
        (!rest.is_empty()).then_some(Self { name, folder: None, elsewhere })
    }
}

fn make(table: &Table, made: Made, mistakes: &mut Mistakes) -> Option<Arc<dyn Source>> {
    let Made { mut info, shared, .. } = made;
    let Some(place) = Place::parse(&table.text("restic")) else {
        let help = "expected a path that begins with \"/\", or `s3:…`, `sftp:…`, `rest:…`, `b2:…`, `azure:…`, `gs:…`, `swift:…`, `rclone:…`";
        mistakes.wrong_but(table.span_of("restic"), "this is no restic repository", help);
        return None;
    };
    let tool = Tool::read(table, "restic", &shared, mistakes);
    info.asks = place::shown(&place.name);
    info.network = place.folder.is_none();
    info.cost = if info.network {
        "restic snapshots and list locks, without a lock: a listing and what is new, about 0.5 s of CPU each".into()
    } else {
        "restic snapshots, without lock or cache: reads the snapshots' files, about 0.5 s of CPU"
            .into()
    };
    let mut filters = Vec::new();
    for (option, name) in [("--path", "paths"), ("--tag", "tags")] {
        filters.extend(table.texts(name).iter().map(|value| format!("{option}={value}")));
    }
    filters.extend(table.optional_text("host").map(|host| format!("--host={host}")));
    Some(Arc::new(Restic {
        info,
        tool,
        place,
        password: table.secret("password"),
        filtered: table.has("host") || table.has("paths") || table.has("tags"),
        filters,
        hangs: Arc::default(),
        memory: Mutex::default(),
    }))
}

impl Restic {
    async fn ready(&self, limit: Duration) -> Result<Ready, PollError> {
        let mut ready = self.tool.ready(limit).await?;
        ready.give_place("RESTIC_REPOSITORY", &self.place.name);
        if let Some(password) = &self.password {
            ready.give("RESTIC_PASSWORD", password).await?;
        }
        Ok(ready)
    }

    /// Runs restic without a lock, and with no cache but ours.
    async fn run(&self, ready: &Ready, arguments: &[&str]) -> Result<Ran, PollError> {
        let cache = match (&self.place.folder, repos::cache_folder("restic")) {
            (None, Some(folder)) => format!("--cache-dir={}", folder.display()),
            _ => "--no-cache".into(),
        };
        let all: Vec<&str> =
            arguments.iter().copied().chain(["--no-lock", cache.as_str()]).collect();
        let ran = match arguments.first() {
            Some(&"dump") => ready.exhaust(&all).await?,
            _ => ready.run(&all).await?,
        };
        let code = repos::code(&ran);
        if code == 0 {
            return Ok(ran);
        }
        Err(self.failure(ready, code, &ran).await)
    }

    async fn failure(&self, ready: &Ready, code: i32, ran: &Ran) -> PollError {
        let (mut cause, mut words) = failed(code, &ran.err, &ran.out);
        if let Some(folder) = self.place.folder.clone()
            && matches!(cause, PollFailure::Absent | PollFailure::Denied)
            && let Some(Some(lost)) = place::patiently(&self.hangs, move || damage(&folder)).await
        {
            (cause, words) = (PollFailure::Broken, lost);
        }
        PollError::new(cause, ready.shown(&words))
    }

    async fn ask(&self, now: Timestamp) -> Result<BackupReading, PollError> {
        let ready = self.ready(self.info.timeout).await?;
        let mut arguments = vec!["snapshots", "--json"];
        arguments.extend(self.filters.iter().map(String::as_str));
        let ran = self.run(&ready, &arguments).await?;
        let mut reading = snapshots(&ran.out, self.filtered)?;
        let lost = answer::unread(&ran.err);
        reading
            .problems
            .extend(lost.map(|words| BackupProblem { status: Status::Critical, words }));
        reading.count = reading.snapshots.len() as u64;
        let surplus = reading.snapshots.len().saturating_sub(MOST_SNAPSHOTS);
        reading.snapshots.drain(..surplus);
        reading.encrypted = Some(true);
        reading.place = place::shown(&self.place.name);
        reading.off_host = self.place.elsewhere;
        if let Some(folder) = &self.place.folder {
            let room = place::room(folder.clone(), &self.hangs).await;
            reading.free = room.free;
            let ours = repos::host_name();
            let of_here = reading.snapshots.last().is_some_and(|last| {
                last.host.as_ref().is_some_and(|host| host.eq_ignore_ascii_case(&ours))
            });
            reading.off_host = (of_here && !room.foreign).then_some(false);
            let folder = folder.clone();
            let full = reading.count > 0;
            let lost = place::patiently(&self.hangs, move || hollow(&folder, full)).await.flatten();
            reading
                .problems
                .extend(lost.map(|words| BackupProblem { status: Status::Critical, words }));
        }
        match self.locks(&ready).await {
            Ok(locks) => self.judge_locks(&locks, now, &mut reading),
            Err(error) => reading.notes.push(format!("locks could not be read: {error}")),
        }
        reading.tool = self.version(&ready).await;
        reading.took = ready.took();
        Ok(reading)
    }

    /// The locks that are there. Those of a folder on this host are seen without restic.
    async fn locks(&self, ready: &Ready) -> Result<Vec<Lock>, PollError> {
        let names = match &self.place.folder {
            Some(folder) => {
                let folder = folder.join("locks");
                let names = place::patiently(&self.hangs, move || locks_in(&folder)).await;
                names.unwrap_or_default()
            }
            None => locks(&self.run(ready, &["list", "locks"]).await?.out),
        };
        let mut found = Vec::new();
        for name in names.iter().rev().take(MOST_LOCKS) {
            // One that is gone by now was taken away by its holder.
            if let Ok(ran) = self.run(ready, &["cat", "lock", name]).await {
                found.extend(lock(&ran.out));
            }
        }
        Ok(found)
    }

    fn judge_locks(&self, locks: &[Lock], now: Timestamp, reading: &mut BackupReading) {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let ours = repos::host_name();
        let mut held = BTreeMap::new();
        for lock in locks {
            let holder = format!("pid {} on {}", lock.pid, lock.host);
            let here = lock.host == ours;
            let age = now.since(lock.at);
            if age > LOCK_LIVES || here && !repos::is_alive(lock.pid) {
                let age = units::age(age);
                reading.notes.push(format!(
                    "{holder} left a lock {age} ago and is gone; it keeps prune and check out until `restic unlock`"
                ));
                continue;
            }
            let key = (lock.host.clone(), lock.pid);
            let since = memory.held.get(&key).copied().unwrap_or(lock.at).min(lock.at);
            held.insert(key, since);
            let doing = if here { repos::doing(lock.pid, COMMANDS) } else { None };
            if lock.exclusive || doing.is_some_and(|doing| doing != "backup") {
                let what = doing.unwrap_or("prune, forget or check");
                reading.notes.push(format!("{what} runs: {holder}"));
            } else if reading.running.is_none() {
                reading.running = Some(Running { since: Some(since), by: holder });
            }
        }
        memory.held = held;
    }

    /// restic's version, asked once.
    async fn version(&self, ready: &Ready) -> Option<String> {
        let known = |memory: &Mutex<Memory>| {
            memory.lock().unwrap_or_else(PoisonError::into_inner).version.clone()
        };
        if let Some(version) = known(&self.memory) {
            return Some(version);
        }
        let ran = ready.run(&["version"]).await.ok()?;
        let version = answer::version(&ran.out)?;
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).version = Some(version.clone());
        Some(version)
    }

    /// Reads all of the newest snapshot.
    async fn verify(&self) -> Result<Seen, PollError> {
        let ready = self.ready(repos::LOOK_LIMIT).await?;
        let mut arguments = vec!["snapshots", "--json"];
        arguments.extend(self.filters.iter().map(String::as_str));
        let reading = snapshots(&self.run(&ready, &arguments).await?.out, self.filtered)?;
        let Some(newest) = reading.snapshots.last() else {
            return Err(PollError::new(PollFailure::Absent, "there is no snapshot to check"));
        };
        let checked = self.run(&ready, &["dump", &newest.id, "/"]).await;
        let (status, words) = match checked {
            Ok(_) => (Status::Ok, READ_ALL.to_owned()),
            Err(error) if error.cause == PollFailure::Broken => {
                (Status::Critical, format!("not all of it can be read: {}", error.message))
            }
            Err(error) => return Err(error),
        };
        let of = harmless_within(&newest.id, 80);
        Ok(Seen::Verified(FullCheck { of, status, words, took: ready.took() }))
    }
}

const READ_ALL: &str =
    "every file of this snapshot was read, decrypted and is sound; no lock was taken";

/// What restic may be doing while it holds a lock.
const COMMANDS: &[&str] = &[
    "backup",
    "check",
    "copy",
    "diff",
    "dump",
    "find",
    "forget",
    "key",
    "list",
    "ls",
    "migrate",
    "mount",
    "prune",
    "rebuild-index",
    "recover",
    "repair",
    "restore",
    "rewrite",
    "snapshots",
    "stats",
    "tag",
];

/// restic says of a repository that lost its config or its keys what it says of
/// none at all, or of a wrong password. On this host we can look.
fn damage(folder: &Path) -> Option<String> {
    if !folder.join("data").is_dir() {
        return None;
    }
    let gone = |path: &Path| path.try_exists().is_ok_and(|there| !there);
    let no_keys = match std::fs::read_dir(folder.join("keys")) {
        Ok(mut keys) => keys.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    };
    let what = match (gone(&folder.join("config")), no_keys) {
        (true, _) => "`config` is gone",
        (_, true) => "`keys` are gone",
        _ => return None,
    };
    Some(format!("the repository is damaged: its {what}"))
}

/// What a repository cannot be without, or one that has snapshots not empty of;
/// `restic snapshots` does not miss it.
fn hollow(folder: &Path, has_snapshots: bool) -> Option<String> {
    let is_gone = |name: &str| match std::fs::read_dir(folder.join(name)) {
        Ok(mut entries) => has_snapshots && entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    };
    let what = ["snapshots", "data", "index"].into_iter().find(|name| is_gone(name))?;
    Some(format!("the repository is damaged: its `{what}` is gone"))
}

/// Names of the files in a folder of locks, the newest last.
fn locks_in(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<_> = entries
        .take(1_000)
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name().into_string().ok()?;
            answer::is_id(&name).then_some((entry.metadata().ok()?.modified().ok()?, name))
        })
        .collect();
    found.sort();
    found.into_iter().map(|(_, name)| name).collect()
}

impl Source for Restic {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn poll(&self, now: Timestamp) -> BoxFuture<'_, Result<Brought, PollError>> {
        Box::pin(async move {
            let reading = self.ask(now).await?;
            Ok(Brought::Reading(Reading::Backup(Arc::new(reading))))
        })
    }

    fn look(&self, look: &Look, _: Timestamp) -> Option<BoxFuture<'_, Result<Seen, PollError>>> {
        matches!(look, Look::Verify).then(|| -> BoxFuture<'_, _> { Box::pin(self.verify()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_told_apart_by_their_scheme() {
        let told = |text: &str| Place::parse(text).map(|place| (place.folder, place.elsewhere));
        assert_eq!(told("/srv/r"), Some((Some("/srv/r".into()), None)));
        assert_eq!(told("local:/srv/r"), Some((Some("/srv/r".into()), None)));
        assert_eq!(told("s3:s3.amazonaws.com/b/r"), Some((None, Some(true))));
        assert_eq!(told("rest:http://me:x@127.0.0.1:8000/"), Some((None, Some(false))));
        assert_eq!(told("sftp:borg@db-1:/r"), Some((None, Some(true))));
        assert_eq!(told("rclone:drive:r"), Some((None, None)));
        for wrong in ["repo", "", "ftp:host/r", "s3:", "c:\\r"] {
            assert_eq!(told(wrong), None, "{wrong}");
        }
    }
}
