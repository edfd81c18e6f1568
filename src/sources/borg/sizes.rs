//! Size and duration of an archive, by `borg info`.
//!
//! `borg info` wants a cache that is up to date, locks it for as long as it
//! works, and makes it anew from the whole repository where it is old: all that
//! would be in the way of a backup. So it gets a copy of the cache of whoever
//! makes the backups, and only where that one is up to date.

use super::answer::{moment, object};
use super::state;
use crate::domain::{Snapshot, Timestamp, harmless_within};
use crate::sources::repos::{Ready, text, whole};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A cache with a greater index of chunks is not copied.
const BIGGEST_INDEX: u64 = 512 << 20;

/// What is known of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Size {
    bytes: Option<u64>,
    ended: Option<Timestamp>,
    took: Option<Duration>,
    host: Option<String>,
}

impl Size {
    /// Puts it to its archive.
    pub(super) fn put(&self, snapshot: &mut Snapshot) {
        snapshot.size = self.bytes.or(snapshot.size);
        snapshot.taken = self.ended.unwrap_or(snapshot.taken).max(snapshot.taken);
        snapshot.took = self.took.or(snapshot.took);
        if self.host.is_some() {
            snapshot.host.clone_from(&self.host);
        }
    }
}

/// Reads `borg info --json` of one archive.
pub(super) fn parse(out: &[u8], id: &str) -> Option<Size> {
    let answer = object(out).ok()?;
    let archives = answer.get("archives")?.as_array()?;
    let archive = archives.iter().find(|archive| text(archive, "id") == Some(id))?;
    let took = archive.get("duration").and_then(Value::as_f64);
    Some(Size {
        bytes: archive.get("stats").and_then(|stats| whole(stats, "original_size")),
        ended: text(archive, "end").and_then(moment),
        took: took.and_then(|took| Duration::try_from_secs_f64(took).ok()),
        host: text(archive, "hostname").map(|host| harmless_within(host, 80)),
    })
}

/// Where borg has its caches for whoever makes the backups.
pub(super) fn usual_cache(ready: &Ready) -> Option<PathBuf> {
    if let Some(folder) = ready.variable("BORG_CACHE_DIR") {
        return Some(folder.into());
    }
    if let Some(base) = ready.variable("BORG_BASE_DIR") {
        return Some(Path::new(base).join(".cache/borg"));
    }
    let cache = ready.variable("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || ready.variable("HOME").map(|home| Path::new(home).join(".cache"));
    let usual = || Some(directories::BaseDirs::new()?.home_dir().join(".cache"));
    Some(cache.or_else(home).or_else(usual)?.join("borg"))
}

/// A copy of a cache, which ends with this.
#[derive(Debug)]
pub(super) struct Copy(PathBuf);

impl Copy {
    /// As `BORG_CACHE_DIR`.
    pub(super) fn folder(&self) -> &Path {
        &self.0
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // It is our own folder, and a few files; what stays is in the way of nobody.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Copies the cache of a repository, where it is that of the repository as it
/// was last written to, and nobody writes to it. It goes into a folder of `base`
/// that `unique` makes one.
pub(super) fn copy_cache(
    (from, base): (&Path, &Path),
    id: &str,
    modified: &str,
    unique: u128,
) -> Option<Copy> {
    let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let from = from.join(Some(id).filter(|_| is_id)?);
    let free = |folder: &Path| state::held(folder).is_none_or(|held| held.is_left());
    let fresh = |config: &str| {
        let told = config.lines().find_map(|line| line.strip_prefix("timestamp = "));
        let second = |text: &str| moment(text).map(|at| at.millis().div_euclid(1_000));
        told.and_then(second).is_some_and(|at| Some(at) == second(modified))
    };
    let config = fs::read_to_string(from.join("config")).ok()?;
    let index = from.join("chunks");
    if !free(&from) || !fresh(&config) || index.metadata().ok()?.len() > BIGGEST_INDEX {
        return None;
    }
    let copy = Copy(base.join(format!("{}-{unique}", std::process::id())));
    let to = copy.0.join(id);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&to).ok()?;
    fs::copy(&index, to.join("chunks")).ok()?;
    fs::write(to.join("config"), &config).ok()?;
    // What was written to meanwhile is of no use.
    let same = fs::read_to_string(from.join("config")).ok()? == config;
    (same && free(&from)).then_some(copy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_is_copied_only_where_it_is_up_to_date_and_the_copy_goes_again() {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("ab12");
        fs::create_dir(&cache).unwrap();
        fs::write(cache.join("config"), "[cache]\ntimestamp = 2026-11-21T09:00:11.810232\n")
            .unwrap();
        fs::write(cache.join("chunks"), "x").unwrap();
        let base = folder.path().join("copies");
        let copied = |id, modified| copy_cache((folder.path(), &base), id, modified, 1);
        assert!(copied("ab12", "2026-11-21T09:00:10.000000").is_none());
        assert!(copied("../ab12", "2026-11-21T09:00:11.000000").is_none());
        let copy = copied("ab12", "2026-11-21T09:00:11.000000").unwrap();
        let to = copy.folder().join("ab12");
        assert_eq!(fs::read(to.join("chunks")).unwrap(), b"x");
        drop(copy);
        assert!(!to.exists());
        let lock = format!(
            r#"{{"exclusive": [["{}@1", {}, 0]]}}"#,
            crate::sources::repos::host_name(),
            std::process::id()
        );
        fs::write(cache.join("lock.roster"), lock).unwrap();
        assert!(copied("ab12", "2026-11-21T09:00:11.000000").is_none());
    }
}
