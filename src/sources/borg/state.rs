//! How a borg repository on this host stands, seen without borg: who writes to
//! it, and whether borg could read its list of archives without mending it first.

use super::index::{self, Index};
use crate::domain::{PollFailure, Timestamp, harmless_within};
use crate::sources::repos;
use serde_json::Value;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::UNIX_EPOCH;

/// How a repository stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    /// Who has it for writing.
    pub(super) held: Option<Held>,
    /// A transaction was ended and not yet taken into the index: whoever opens
    /// the repository next takes it in, and that is a write.
    pub(super) unfinished: bool,
    /// Why borg must not be asked: what is damaged in it, or hidden from us.
    pub(super) fault: Option<(PollFailure, String)>,
}

/// An exclusive lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    /// `pid 411 on db-1`.
    pub(super) by: String,
    /// Since when, by the time of its file.
    pub(super) since: Option<Timestamp>,
    /// What its process does, where that can be seen.
    pub(super) doing: Option<&'static str>,
    /// Its process is alive; `None` where it is on another host.
    pub(super) alive: Option<bool>,
}

impl Held {
    /// Its process is gone.
    pub(super) fn is_left(&self) -> bool {
        self.alive == Some(false)
    }
}

/// Looks at a repository's folder.
pub(super) fn of(folder: &Path) -> State {
    let mut state = State { held: held(folder), ..State::default() };
    if state.held.as_ref().is_some_and(|held| !held.is_left()) {
        return state;
    }
    let data = folder.join("data");
    let gone = |name: &str| folder.join(name).try_exists().is_ok_and(|there| !there);
    if !data.is_dir() {
        if !gone("config") && data.try_exists().is_ok_and(|there| !there) {
            state.fault = Some(damaged("its `data` is gone"));
        }
        return state;
    }
    if gone("config") {
        state.fault = Some(damaged("its `config` is gone"));
        return state;
    }
    let Some(newest) = newest_segment(&data) else { return state };
    match newest_index(folder) {
        None => {
            state.fault = Some(damaged(
                "its index is gone; borg has to read all of it to make one (borg check)",
            ));
        }
        Some(number) => match index::of(folder, number) {
            Index::Bad => {
                state.fault = Some(damaged(
                    "its index is not as it was written; the next borg command that writes makes it anew",
                ));
            }
            Index::Hidden => {
                let words = format!("`index.{number}` of the repository cannot be read");
                state.fault = Some((PollFailure::Denied, words));
            }
            Index::Sound if newest.0 > number => state.unfinished = is_committed(&newest.1),
            Index::Sound => {}
        },
    }
    state
}

fn damaged(what: &str) -> (PollFailure, String) {
    (PollFailure::Broken, format!("the repository is damaged: {what}"))
}

/// The exclusive lock of a repository or a cache.
pub(super) fn held(folder: &Path) -> Option<Held> {
    let roster = folder.join("lock.roster");
    let mut text = String::new();
    File::open(&roster).ok()?.take(64 << 10).read_to_string(&mut text).ok()?;
    let roster_told: Value = serde_json::from_str(&text).ok()?;
    let holder = roster_told.get("exclusive")?.as_array()?.first()?.as_array()?;
    let (name, pid) = (holder.first()?.as_str()?, holder.get(1)?.as_u64()?);
    let host = name.split('@').next().unwrap_or(name);
    // As the lock names it: host, its network card, process, thread.
    let thread = holder.get(2).and_then(Value::as_u64).unwrap_or(0);
    let file = folder.join("lock.exclusive").join(format!("{name}.{pid}-{thread:x}"));
    let modified = file.metadata().or_else(|_| roster.metadata()).ok()?.modified().ok();
    let since = modified.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let here = host == repos::host_name();
    Some(Held {
        by: format!("pid {pid} on {}", harmless_within(host, 80)),
        since: since
            .and_then(|since| i64::try_from(since.as_millis()).ok())
            .map(Timestamp::from_millis),
        doing: if here { repos::doing(pid, COMMANDS) } else { None },
        alive: here.then(|| repos::is_alive(pid)),
    })
}

/// What a borg that writes may be doing.
const COMMANDS: &[&str] = &[
    "create",
    "prune",
    "compact",
    "check",
    "delete",
    "rename",
    "recreate",
    "import-tar",
    "with-lock",
    "change-passphrase",
    "config",
    "upgrade",
    "mount",
    "extract",
];

/// The number of the newest `index.N`.
fn newest_index(folder: &Path) -> Option<u64> {
    let entries = std::fs::read_dir(folder).ok()?.take(1_000);
    let numbers = entries.filter_map(|entry| {
        entry.ok()?.file_name().to_str()?.strip_prefix("index.")?.parse::<u64>().ok()
    });
    numbers.max()
}

/// Number and path of the newest segment.
fn newest_segment(data: &Path) -> Option<(u64, std::path::PathBuf)> {
    let newest = |folder: &Path| {
        let entries = std::fs::read_dir(folder).ok()?;
        let numbers = entries.filter_map(|entry| {
            let entry = entry.ok()?;
            Some((entry.file_name().to_str()?.parse::<u64>().ok()?, entry.path()))
        });
        let mut all: Vec<_> = numbers.collect();
        all.sort();
        Some(all)
    };
    // The newest folder may have been made for a segment that is not there yet.
    newest(data)?.iter().rev().take(3).find_map(|(_, folder)| newest(folder)?.pop())
}

/// A segment whose last entry is a commit: checksum, length 9, tag 2
/// (borg's manual, "Internals / Data structures / Segments").
fn is_committed(segment: &Path) -> bool {
    let tail = || {
        let mut file = File::open(segment).ok()?;
        file.seek(SeekFrom::End(-9)).ok()?;
        let mut tail = [0; 9];
        file.read_exact(&mut tail).ok()?;
        Some(tail)
    };
    tail().is_some_and(|tail| tail[4..] == [9, 0, 0, 0, 2])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn repository() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("data/0")).unwrap();
        for name in ["config", "hints.3", "data/0/1", "data/0/3"] {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        let index = b"BORG_IDX\x00\x00\x00\x00\x00\x00\x00\x00\x20\x08";
        fs::write(folder.path().join("index.3"), index).unwrap();
        folder
    }

    #[test]
    fn a_good_repository_is_nothing_to_speak_of_and_a_missing_one_neither() {
        assert_eq!(of(repository().path()), State::default());
        assert_eq!(of(Path::new("/no/such")), State::default());
    }

    #[test]
    fn what_is_gone_is_damage() {
        for (name, told) in [("config", "config"), ("index.3", "index")] {
            let folder = repository();
            fs::remove_file(folder.path().join(name)).unwrap();
            let (cause, words) = of(folder.path()).fault.unwrap();
            assert!(cause == PollFailure::Broken && words.contains(told), "{words}");
        }
        let folder = repository();
        fs::write(folder.path().join("index.3"), "BORG_IDX and no more").unwrap();
        let (cause, words) = of(folder.path()).fault.unwrap();
        assert!(cause == PollFailure::Broken && words.contains("as it was written"), "{words}");
    }

    #[test]
    fn a_committed_segment_beyond_the_index_is_unfinished_work() {
        let folder = repository();
        let segment = folder.path().join("data/0/4");
        fs::write(&segment, b"BORG_SEGwritten to until the power went").unwrap();
        assert!(!of(folder.path()).unfinished);
        fs::write(&segment, b"BORG_SEG\x40\xf4\x3c\x25\x09\x00\x00\x00\x02").unwrap();
        assert!(of(folder.path()).unfinished);
    }

    #[test]
    fn a_lock_of_this_host_is_told_from_one_that_was_left_and_from_a_foreign_one() {
        let folder = repository();
        let lock = |host: &str, pid: u32| {
            let text = format!(r#"{{"exclusive": [["{host}@1", {pid}, 0]], "shared": []}}"#);
            fs::write(folder.path().join("lock.roster"), text).unwrap();
            of(folder.path()).held.unwrap()
        };
        let ours = repos::host_name();
        assert_eq!(lock(&ours, std::process::id()).alive, Some(true));
        // No process has a number beyond 2^22.
        assert!(lock(&ours, 99_999_999).is_left());
        let foreign = lock("db-9", 411);
        assert_eq!((foreign.alive, foreign.by.as_str()), (None, "pid 411 on db-9"));
        assert!(foreign.since.is_some());
        fs::write(folder.path().join("lock.roster"), r#"{"shared": [["h@1", 1, 0]]}"#).unwrap();
        assert_eq!(of(folder.path()).held, None);
    }
}
