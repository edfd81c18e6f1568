//! Backups in a borg repository: its archives, without a lock where it is on this host.

mod answer;
mod index;
mod sizes;
mod state;

use super::client::Shared;
use super::process::Ran;
use super::repos::{self, MOST_SNAPSHOTS, Ready, SURROUNDINGS, Tool, place};
use super::{Brought, Kind, Made, Source};
use crate::config::{Family, Key, Mistakes, Secret, Shape, Table, home_path, key};
use crate::domain::{
    BackupReading, FullCheck, PollError, PollFailure, Reading, Running, Snapshot, SourceInfo,
    Status, Timestamp, units,
};
use crate::store::message::{Look, Seen};
use answer::{archives, failed};
use futures_util::future::BoxFuture;
use sizes::Size;
use state::{Held, State};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The kind in the registry.
pub(super) const KIND: Kind = Kind {
    family: Family::Backup,
    name: "borg",
    keys: &[KEYS, SURROUNDINGS],
    network: false,
    make,
};

const KEYS: &[Key] = &[
    key("borg", Shape::Name, "A borg repository: a path, `ssh://user@host/path` or `user@host:path`.")
        .like("ssh://borg@backup-1/./orders")
        .needed(),
    key("passphrase", Shape::Secret, "Its passphrase, where `env_file` or `env` does not give it.")
        .like("file:/etc/opsroom/borg.passphrase"),
    key("prefix", Shape::Name, "Only archives whose name begins so count.").like("orders-"),
    key("glob", Shape::Name, "Only archives whose name matches this pattern count.")
        .like("orders-*")
        .instead_of("prefix"),
    key("lock_wait", Shape::Duration { least: 1_000, most: 60_000 }, "How long it waits where another borg holds the repository; for repositories on other hosts.")
        .or("1s"),
    key("sizes", Shape::Bool, "Size and duration of each new archive, once, by `borg info`: reads the archive's list of files. Left out: for a repository on this host only. Needs the cache of whoever makes the backups, and copies it.")
        .like("true"),
    key("program", Shape::OneOrMore(&Shape::Name), "The program, with first arguments where it is a list.")
        .or(r#"["borg"]"#),
];

/// A borg repository.
struct Borg {
    info: SourceInfo,
    tool: Tool,
    shared: Arc<Shared>,
    /// As borg takes it.
    repository: String,
    /// The folder of one on this host.
    folder: Option<PathBuf>,
    /// It is stored on another host, where its name tells.
    elsewhere: Option<bool>,
    passphrase: Option<Secret>,
    glob: Option<String>,
    /// In whole seconds.
    lock_wait: f64,
    with_sizes: bool,
    hangs: Arc<AtomicBool>,
    memory: Mutex<Memory>,
}

/// What is remembered from poll to poll.
#[derive(Default)]
struct Memory {
    version: Option<String>,
    /// Sizes by archive id; `None` where borg would not tell.
    sizes: BTreeMap<String, Option<Size>>,
    /// What was found when nobody held the repository.
    last: Option<BackupReading>,
}

/// The repository as borg takes it, its folder, and its host.
fn parse_place(text: &str) -> Option<(String, Option<PathBuf>, Option<bool>)> {
    let text = text.trim();
    let path = text.strip_prefix("file://").unwrap_or(text);
    if path.starts_with('/') || path.starts_with("~/") {
        let folder = home_path(path);
        return Some((folder.to_string_lossy().into_owned(), Some(folder), None));
    }
    let (host, rest) = match text.strip_prefix("ssh://") {
        Some(rest) => (place::host(rest), rest.split_once('/')?.1),
        None if text.contains("://") => return None,
        None => {
            let (host, path) = text.split_once(':')?;
            (host.rsplit_once('@').map_or(host, |(_, host)| host), path)
        }
    };
    let good = !host.is_empty() && !host.starts_with('-') && !rest.is_empty();
    good.then(|| (text.to_owned(), None, Some(place::is_elsewhere(host))))
}

/// A name's beginning as a pattern.
fn beginning(prefix: &str) -> String {
    let quoted: String = prefix
        .chars()
        .map(|c| if "*?[".contains(c) { format!("[{c}]") } else { c.to_string() })
        .collect();
    quoted + "*"
}

fn make(table: &Table, made: Made, mistakes: &mut Mistakes) -> Option<Arc<dyn Source>> {
    let Made { mut info, shared, .. } = made;
    let Some((repository, folder, elsewhere)) = parse_place(&table.text("borg")) else {
        let help =
            "expected a path that begins with \"/\", `ssh://user@host/path` or `user@host:path`";
        mistakes.wrong_but(table.span_of("borg"), "this is no borg repository", help);
        return None;
    };
    let tool = Tool::read(table, "borg", &shared, mistakes);
    let with_sizes = table.optional_flag("sizes").unwrap_or(folder.is_some());
    info.asks = place::shown(&repository);
    info.network = folder.is_none();
    let list = if folder.is_some() {
        "borg list, without lock and only while nobody writes: reads the list of archives, about 0.2 s of CPU"
    } else {
        "borg list: reads the list of archives and holds a shared lock meanwhile, so give `borg create` a --lock-wait"
    };
    let sizes = if with_sizes { "; borg info once for each new archive" } else { "" };
    info.cost = format!("{list}{sizes}");
    let glob = table.optional_text("glob");
    Some(Arc::new(Borg {
        info,
        tool,
        shared,
        repository,
        folder,
        elsewhere,
        passphrase: table.secret("passphrase"),
        glob: glob.or_else(|| table.optional_text("prefix").map(|prefix| beginning(&prefix))),
        lock_wait: table.duration("lock_wait").as_secs_f64().ceil(),
        with_sizes,
        hangs: Arc::default(),
        memory: Mutex::default(),
    }))
}

impl Borg {
    /// With the folder that borg's cache is in for whoever makes the backups.
    async fn ready(&self, limit: Duration) -> Result<(Ready, Option<PathBuf>), PollError> {
        let mut ready = self.tool.ready(limit).await?;
        let cache = sizes::usual_cache(&ready);
        ready.give_place("BORG_REPO", &self.repository);
        if let Some(passphrase) = &self.passphrase {
            ready.give("BORG_PASSPHRASE", passphrase).await?;
        } else if ["BORG_PASSCOMMAND", "BORG_PASSPHRASE_FD"]
            .iter()
            .all(|name| ready.variable(name).is_none())
        {
            // Otherwise it asks for one, on the terminal.
            ready.set_default("BORG_PASSPHRASE", "");
        }
        ready.set_default("BORG_RSH", "ssh -o BatchMode=yes");
        ready.set("BORG_EXIT_CODES", "modern");
        // Its times have no zone.
        ready.set("TZ", "UTC");
        // Even `borg list` locks the cache that it finds; of ours it has no need.
        if let Some(folder) = repos::cache_folder("borg") {
            ready.set("BORG_CACHE_DIR", folder.to_string_lossy());
        }
        Ok((ready, cache))
    }

    /// Runs borg: its output, and what it warned of.
    async fn run(&self, ready: &Ready, arguments: &[&str]) -> Result<(Ran, i32), PollError> {
        let wait = format!("--lock-wait={}", self.lock_wait);
        let mut all = vec!["--log-json", wait.as_str()];
        if self.folder.is_some() {
            all.push("--bypass-lock");
        }
        all.extend(arguments);
        let ran = match arguments.first() {
            Some(&"extract") => ready.exhaust(&all).await?,
            _ => ready.run(&all).await?,
        };
        let code = repos::code(&ran);
        if matches!(code, 0 | 1 | 100..=127) {
            return Ok((ran, code));
        }
        let (cause, words) = failed(code, &ran.err);
        Err(PollError::new(cause, ready.shown(&words)))
    }

    /// How the repository stands, where it is on this host: who writes to it.
    async fn state(&self) -> Result<State, PollError> {
        let Some(folder) = self.folder.clone() else { return Ok(State::default()) };
        let asked = place::patiently(&self.hangs, move || state::of(&folder)).await;
        let Some(state) = asked else {
            let words = "the file system does not answer";
            return Err(PollError::new(PollFailure::Timeout, words));
        };
        match &state.fault {
            Some((cause, words)) => Err(PollError::new(*cause, words.clone())),
            None => Ok(state),
        }
    }

    async fn ask(&self, now: Timestamp) -> Result<BackupReading, PollError> {
        let (ready, cache) = self.ready(self.info.timeout).await?;
        let state = self.state().await?;
        let mut reading = match state.held.as_ref().filter(|held| !held.is_left()) {
            Some(held) => self.beside(held, now)?,
            None if state.unfinished => {
                let words =
                    "a transaction was not finished; the next borg command that writes mends it";
                return Err(PollError::new(PollFailure::Busy, words));
            }
            None => {
                let reading = self.list(&ready, cache).await?;
                self.memory().last = Some(reading.clone());
                reading
            }
        };
        if let Some(left) = state.held.as_ref().filter(|held| held.is_left()) {
            reading.notes.push(format!(
                "{} left a lock and is gone; the next borg command takes it away",
                left.by
            ));
        }
        if let Some(folder) = &self.folder {
            reading.free = place::room(folder.clone(), &self.hangs).await.free;
        }
        reading.took = ready.took();
        Ok(reading)
    }

    /// What is known of a repository that another borg writes to. What it has
    /// finished is as it was; nobody else may open it meanwhile.
    fn beside(&self, held: &Held, now: Timestamp) -> Result<BackupReading, PollError> {
        let since = held.since.map(|since| units::age(now.since(since)));
        let since = since.map(|age| format!(" for {age}")).unwrap_or_default();
        let what = held.doing.unwrap_or("another borg");
        let words = format!("{what} holds the repository{since}: {}", held.by);
        let Some(mut reading) = self.memory().last.clone() else {
            return Err(PollError::new(PollFailure::Busy, words));
        };
        if held.doing.is_none_or(|doing| doing == "create") {
            reading.running = Some(Running { since: held.since, by: held.by.clone() });
        }
        reading.notes.push(format!("{words}; its archives as they were before"));
        Ok(reading)
    }

    async fn list(
        &self,
        ready: &Ready,
        cache: Option<PathBuf>,
    ) -> Result<BackupReading, PollError> {
        let glob = self.glob.as_ref().map(|glob| format!("--glob-archives={glob}"));
        let mut arguments = vec!["list", "--json"];
        arguments.extend(glob.as_deref());
        let (ran, code) = self.run(ready, &arguments).await?;
        let (mut reading, told) = archives(&ran.out)?;
        if code != 0 {
            let (_, words) = failed(code, &ran.err);
            reading.notes.push(format!("borg warned: {}", ready.shown(&words)));
        }
        reading.count = reading.snapshots.len() as u64;
        let surplus = reading.snapshots.len().saturating_sub(MOST_SNAPSHOTS);
        reading.snapshots.drain(..surplus);
        reading.place = place::shown(&self.repository);
        if let Some(cache) = cache.filter(|_| self.with_sizes) {
            self.learn_sizes(ready, &told, &cache, &reading.snapshots).await;
        }
        let host = self.put_sizes(&mut reading.snapshots, &told.ids[surplus..]);
        reading.off_host = self.elsewhere;
        if let Some(folder) = &self.folder {
            let room = place::room(folder.clone(), &self.hangs).await;
            let of_here = host.is_some_and(|host| host == repos::host_name());
            reading.off_host = (of_here && !room.foreign).then_some(false);
        }
        reading.tool = self.version(ready).await;
        Ok(reading)
    }

    /// Asks for size and duration of the newest archive, once. A failure is
    /// nothing that the operator must know: the size is then unknown.
    async fn learn_sizes(
        &self,
        ready: &Ready,
        told: &answer::Told,
        cache: &std::path::Path,
        snapshots: &[Snapshot],
    ) {
        let (Some(newest), Some(_)) = (told.ids.last(), snapshots.last()) else { return };
        {
            let mut memory = self.memory();
            memory.sizes.retain(|id, _| told.ids.contains(id));
            if memory.sizes.contains_key(newest) {
                return;
            }
        }
        let (from, id, modified) =
            (cache.to_owned(), told.repository.clone(), told.modified.clone());
        let unique = self.shared.monotonic().as_nanos();
        let Some(base) = repos::cache_folder("borg-sizes") else { return };
        let copied = place::patiently(&self.hangs, move || {
            sizes::copy_cache((&from, &base), &id, &modified, unique)
        });
        let Some(Some(copy)) = copied.await else { return };
        let mut own = ready.clone();
        own.set("BORG_CACHE_DIR", copy.folder().to_string_lossy());
        let glob = self.glob.as_ref().map(|glob| format!("--glob-archives={glob}"));
        let mut arguments = vec!["info", "--json", "--last=1"];
        arguments.extend(glob.as_deref());
        let size = match self.run(&own, &arguments).await {
            Ok((ran, _)) => sizes::parse(&ran.out, newest),
            Err(error) if error.cause == PollFailure::Timeout => None,
            Err(_) => None,
        };
        self.memory().sizes.insert(newest.clone(), size);
    }

    /// Puts known sizes to their archives, and gives the host of the newest of those.
    fn put_sizes(&self, snapshots: &mut [Snapshot], ids: &[String]) -> Option<String> {
        let memory = self.memory();
        let mut host = None;
        for (snapshot, id) in snapshots.iter_mut().zip(ids) {
            if let Some(Some(size)) = memory.sizes.get(id) {
                size.put(snapshot);
                host.clone_from(&snapshot.host);
            }
        }
        host
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// borg's version, asked once.
    async fn version(&self, ready: &Ready) -> Option<String> {
        if let Some(version) = self.memory().version.clone() {
            return Some(version);
        }
        let ran = ready.run(&["--version"]).await.ok()?;
        let version = answer::version(&ran.out)?;
        self.memory().version = Some(version.clone());
        Some(version)
    }

    /// Reads all of the newest archive.
    async fn verify(&self) -> Result<Seen, PollError> {
        let (ready, _) = self.ready(repos::LOOK_LIMIT).await?;
        let state = self.state().await?;
        if let Some(held) = state.held.filter(|held| !held.is_left()) {
            let words = format!("another borg holds the repository: {}", held.by);
            return Err(PollError::new(PollFailure::Busy, words));
        }
        let glob = self.glob.as_ref().map(|glob| format!("--glob-archives={glob}"));
        let mut arguments = vec!["list", "--json", "--last=1"];
        arguments.extend(glob.as_deref());
        let (ran, _) = self.run(&ready, &arguments).await?;
        let (reading, told) = archives(&ran.out)?;
        let (Some(newest), Some(name)) = (reading.snapshots.last(), told.names.last()) else {
            return Err(PollError::new(PollFailure::Absent, "there is no archive to check"));
        };
        let archive = format!("::{name}");
        let lock = if self.folder.is_some() {
            "no lock was taken"
        } else {
            "a shared lock was held meanwhile"
        };
        let (status, words) = match self.run(&ready, &["extract", "--dry-run", &archive]).await {
            Ok(_) => (
                Status::Ok,
                format!("every file of this archive was read, decrypted and is sound; {lock}"),
            ),
            Err(error) if error.cause == PollFailure::Broken => {
                (Status::Critical, format!("not all of it can be read: {}", error.message))
            }
            Err(error) => return Err(error),
        };
        let of = newest.id.clone();
        Ok(Seen::Verified(FullCheck { of, status, words, took: ready.took() }))
    }
}

impl Source for Borg {
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
    fn places_are_told_apart_by_their_form() {
        let told = |text: &str| parse_place(text).map(|(_, folder, elsewhere)| (folder, elsewhere));
        assert_eq!(told("/srv/r"), Some((Some("/srv/r".into()), None)));
        assert_eq!(told("file:///srv/r"), Some((Some("/srv/r".into()), None)));
        assert_eq!(told("ssh://borg@db-1:22/./r"), Some((None, Some(true))));
        assert_eq!(told("borg@db-1:r"), Some((None, Some(true))));
        assert_eq!(told("ssh://127.0.0.1/r"), Some((None, Some(false))));
        for wrong in ["repo", "", "sftp://h/r", "ssh://", "-oProxyCommand=x:r", "host:"] {
            assert_eq!(told(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_prefix_is_taken_as_it_is() {
        assert_eq!(beginning("a[1]*-"), "a[[]1][*]-*");
    }
}
