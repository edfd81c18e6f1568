//! Where a stanza's repository is, from pgBackRest's own config: `info` does not tell.

use crate::domain::{Fault, Snapshot, Status};
use crate::sources::repos::place::is_elsewhere;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// What its environment says, which counts more than its config.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    pub(super) kind: Option<String>,
    pub(super) host: Option<String>,
    pub(super) path: Option<String>,
}

/// Where a repository is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// For the screen.
    pub(super) shown: String,
    /// It is not on the host that the database is on; `None` where that cannot be told.
    pub(super) elsewhere: Option<bool>,
    /// Its folder, where it is on this host.
    pub(super) folder: Option<PathBuf>,
}

/// Where pgBackRest looks for its config, older place last.
const USUAL: &[&str] = &["/etc/pgbackrest/pgbackrest.conf", "/etc/pgbackrest.conf"];

/// Finds out, where the config can be read.
pub(super) fn of(config: Option<&Path>, stanza: &str, repo: u64, told: Told) -> Option<Found> {
    let usual = USUAL.iter().map(Path::new);
    let mut files = config.into_iter().chain(usual.filter(|_| config.is_none()));
    let text = files.find_map(|path| {
        let file = File::open(path)
            .ok()
            .filter(|file| file.metadata().is_ok_and(|about| about.is_file()))?;
        let mut text = String::new();
        file.take(1 << 20).read_to_string(&mut text).ok()?;
        Some(text)
    });
    from(&text?, stanza, repo, told)
}

fn from(text: &str, stanza: &str, repo: u64, told: Told) -> Option<Found> {
    let keys = keys(text, stanza);
    let get = |name: &str| keys.get(&format!("repo{repo}-{name}")).cloned();
    let kind = told.kind.or_else(|| get("type"));
    let host = told.host.or_else(|| get("host"));
    let path = told.path.or_else(|| get("path"));
    // The database's host, where this is the host of the repository.
    let database = keys.get("pg1-host");
    let path_shown = path.as_deref().unwrap_or("/var/lib/pgbackrest");
    if let Some(host) = host.filter(|host| !host.is_empty()) {
        let shown = format!("{host}:{path_shown}");
        return Some(Found { shown, elsewhere: Some(is_elsewhere(&host)), folder: None });
    }
    match kind.as_deref() {
        None | Some("posix") => {
            // Nothing tells of this repository: what is not written here may be elsewhere.
            if path.is_none() && kind.is_none() && !text.contains("repo") {
                return None;
            }
            let elsewhere = database.map_or(Some(false), |host| Some(is_elsewhere(host)));
            let folder = Some(PathBuf::from(path_shown));
            Some(Found { shown: path_shown.to_owned(), elsewhere, folder })
        }
        Some("cifs") => {
            let folder = Some(PathBuf::from(path_shown));
            Some(Found { shown: path_shown.to_owned(), elsewhere: None, folder })
        }
        Some(kind) => {
            let bucket =
                get(&format!("{kind}-bucket")).or_else(|| get(&format!("{kind}-container")));
            let endpoint =
                get(&format!("{kind}-endpoint")).or_else(|| get(&format!("{kind}-host")));
            let elsewhere = endpoint.as_deref().is_none_or(is_elsewhere);
            let shown = format!("{kind}:{}{path_shown}", bucket.unwrap_or_default());
            Some(Found { shown, elsewhere: Some(elsewhere), folder: None })
        }
    }
}

/// Of many backups the newest so many are looked for.
const MOST_LOOKED_FOR: usize = 100;

/// Marks backups whose files are gone: `info` tells of all that are in its list.
/// `folder` is that of the stanza's backups; nothing is said where it cannot be read.
pub(super) fn mark_lost(folder: &Path, snapshots: &mut [Snapshot]) {
    let is_gone = |path: &Path| {
        path.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
    };
    if !folder.is_dir() {
        return;
    }
    for snapshot in snapshots.iter_mut().rev().take(MOST_LOOKED_FOR) {
        // `20261121-090009F (repo 2)` may be in another place.
        let is_label = !snapshot.id.contains(['/', ' ']) && !snapshot.id.starts_with('.');
        if is_label && is_gone(&folder.join(&snapshot.id).join("backup.manifest")) {
            snapshot.fault = Some(Fault {
                status: Status::Critical,
                words: "its files are gone from the repository".into(),
            });
        }
    }
}

/// The keys that count for a stanza; none of them is shown but places.
fn keys(text: &str, stanza: &str) -> BTreeMap<String, String> {
    let mut keys: BTreeMap<String, (bool, String)> = BTreeMap::new();
    let mut section = String::new();
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name.clone_into(&mut section);
        } else if let Some((name, value)) = line.split_once('=')
            && !line.starts_with('#')
        {
            let own = section == stanza;
            // What the stanza says counts more than what all share.
            let stands = keys.get(name.trim()).is_some_and(|(own, _)| *own);
            if own || (section == "global" && !stands) {
                keys.insert(name.trim().into(), (own, value.trim().into()));
            }
        }
    }
    keys.into_iter().map(|(name, (_, value))| (name, value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> (String, Option<bool>, Option<PathBuf>) {
        let found = from(text, "main", 1, Told::default()).unwrap();
        (found.shown, found.elsewhere, found.folder)
    }

    #[test]
    fn a_backup_whose_files_are_gone_is_none() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("1F")).unwrap();
        std::fs::write(folder.path().join("1F/backup.manifest"), "x").unwrap();
        let mut all: Vec<_> = ["1F", "2F", "3F (repo 2)"]
            .map(|id| Snapshot { id: id.into(), ..Snapshot::default() })
            .into();
        mark_lost(Path::new("/no/such"), &mut all);
        assert!(all.iter().all(|snapshot| snapshot.fault.is_none()));
        mark_lost(folder.path(), &mut all);
        let lost: Vec<bool> = all.iter().map(|snapshot| snapshot.fault.is_some()).collect();
        assert_eq!(lost, [false, true, false]);
    }

    #[test]
    fn a_repository_is_on_this_host_on_another_or_in_a_store() {
        let local = "[global]\nrepo1-path=/r\nrepo1-cipher-pass=hunter2\n[main]\npg1-path=/d\n";
        assert_eq!(told(local), ("/r".into(), Some(false), Some("/r".into())));
        let of_other = "[global]\nrepo1-path = /r\n[main]\npg1-host = db-9\n";
        assert_eq!(told(of_other), ("/r".into(), Some(true), Some("/r".into())));
        let host = "[global]\nrepo1-host=backup-9\nrepo1-path=/r\n";
        assert_eq!(told(host), ("backup-9:/r".into(), Some(true), None));
        let s3 = "[global]\nrepo1-type=s3\nrepo1-s3-bucket=shop\nrepo1-s3-key=hunter2\n\
                  repo1-s3-endpoint=s3.example\nrepo1-path=/r\n[other]\nrepo1-type=posix\n";
        assert_eq!(told(s3), ("s3:shop/r".into(), Some(true), None));
        assert_eq!(from("[global]\nlog-path=/l\n", "main", 1, Told::default()), None);
    }
}
