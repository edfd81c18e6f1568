//! Backups in a real restic repository: its faults, each with its word.

use super::database::{run, secret};
use super::repository::{
    Watched, Writer, copied, damage, files, hangs, is_missed, is_since, script, traces,
};
use super::support::{now, program, until};
use opsroom::domain::{PollFailure, Status};
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) const PASSWORD: &str = "restic-swordfish";

pub(crate) struct Repository {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) at: PathBuf,
}

impl Repository {
    /// A new one, without snapshots.
    pub(crate) fn new() -> Option<Self> {
        program("restic")?;
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("repository");
        let made = Self { folder, at };
        run(made.command().arg("init"));
        Some(made)
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new("restic");
        let cache = self.folder.path().join("cache");
        command.env("RESTIC_REPOSITORY", &self.at).env("RESTIC_PASSWORD", PASSWORD);
        command.env("RESTIC_CACHE_DIR", cache);
        command
    }

    pub(crate) fn backup(&self, seed: u8) {
        let source = self.folder.path().join("source");
        std::fs::create_dir_all(&source).unwrap();
        let mut bytes = Vec::new();
        let mut state = u32::from(seed) + 1;
        for _ in 0..200_000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            bytes.push(state.to_be_bytes()[0]);
        }
        std::fs::write(source.join(format!("f{seed}")), bytes).unwrap();
        run(self.command().args(["backup", "--quiet"]).arg(source));
    }

    /// A backup that goes on until it is let go.
    async fn slow(&self) -> Writer {
        let mut command = self.command();
        let writer = Writer::start(command.args(["backup", "--stdin", "--stdin-filename", "slow"]));
        let locks = self.at.join("locks");
        until("it holds a lock", || async { std::fs::read_dir(&locks).unwrap().next().is_some() })
            .await;
        writer
    }

    fn table_of(&self, at: &Path, password: &str) -> String {
        let password = secret(self.folder.path(), &format!("pw-{password}"), password);
        format!("restic = '{}'\npassword = '{password}'", at.display())
    }

    fn table(&self) -> String {
        self.table_of(&self.at, PASSWORD)
    }

    /// How a copy stands that was broken.
    async fn broken(&self, how: impl FnOnce(&Path)) -> String {
        let copy = self.folder.path().join("copy");
        copied(&self.at, &copy);
        how(&copy);
        let before = traces(&copy);
        let stands = Watched::stands(&self.table_of(&copy, PASSWORD)).await;
        assert_eq!(traces(&copy), before, "a look wrote to it");
        stands
    }
}

#[tokio::test]
async fn snapshots_are_seen_beside_a_running_backup_and_nothing_is_written() {
    let Some(repository) = Repository::new() else { return };
    let begun = now();
    let mut watched = Watched::of(&repository.table());
    let empty = watched.found().await;
    assert_eq!((empty.count, empty.encrypted), (0, Some(true)));
    assert_eq!(watched.standing(), "critical no backup at all");
    repository.backup(1);
    repository.backup(2);

    let before = traces(&repository.at);
    let good = watched.found().await;
    assert_eq!(traces(&repository.at), before, "a look wrote to it");
    assert_eq!((good.count, good.snapshots.len()), (2, 2));
    assert!(good.snapshots.iter().all(|one| is_since(one.taken, begun) && one.fault.is_none()));
    assert_eq!((good.off_host, good.encrypted), (Some(false), Some(true)));
    assert!(good.free.is_some_and(|free| free > 0));
    assert_eq!(good.place, repository.at.display().to_string());
    assert!(good.tool.as_ref().is_some_and(|tool| tool.starts_with("restic 0.")), "{good:?}");
    assert!(good.problems.is_empty() && good.notes.is_empty() && good.running.is_none());
    assert!(watched.standing().starts_with("ok "), "{}", watched.standing());

    // Only those of another host count: there are none.
    let other = Watched::stands(&format!("{}\nhost = 'nowhere'", repository.table())).await;
    assert_eq!(other, "critical no backup at all");

    let writer = repository.slow().await;
    let before = traces(&repository.at);
    let beside = watched.found().await;
    assert_eq!(traces(&repository.at), before, "a look wrote to it");
    let running = beside.running.as_ref().unwrap();
    assert!(running.by.starts_with(&format!("pid {} on ", writer.pid())), "{running:?}");
    assert!(is_since(running.since.unwrap(), begun));
    assert_eq!(beside.count, 2);
    assert!(watched.standing().starts_with("ok "), "{}", watched.standing());
    writer.finish();
    let after = watched.found().await;
    assert_eq!((after.count, after.running.is_none()), (3, true));

    repository.slow().await.kill();
    let left = watched.found().await;
    assert!(left.running.is_none());
    assert!(left.notes.iter().any(|note| note.contains(" left a lock ")), "{:?}", left.notes);
    assert!(watched.standing().starts_with("ok "), "{}", watched.standing());
}

#[tokio::test]
async fn every_fault_of_a_repository_has_its_word() {
    let Some(repository) = Repository::new() else { return };
    repository.backup(1);
    let table = repository.table();
    let wrong = repository.table_of(&repository.at, "marlin");
    assert_eq!(Watched::stands(&wrong).await, "unknown denied: wrong password");
    let none = format!("restic = '{}'", repository.at.display());
    assert_eq!(Watched::stands(&none).await, "unknown denied: no password was given");
    let nowhere = repository.folder.path().join("nowhere");
    let absent = Watched::stands(&repository.table_of(&nowhere, PASSWORD)).await;
    assert_eq!(absent, "critical absent: there is no restic repository");

    let gone = |name: &'static str| {
        move |copy: &Path| {
            let path = copy.join(name);
            if path.is_dir() {
                std::fs::remove_dir_all(path).unwrap();
            } else {
                std::fs::remove_file(path).unwrap();
            }
        }
    };
    for (name, words) in [
        ("config", "critical broken: the repository is damaged: its `config` is gone"),
        ("keys", "critical broken: the repository is damaged: its `keys` are gone"),
        ("data", "critical the repository is damaged: its `data` is gone"),
        ("index", "critical the repository is damaged: its `index` is gone"),
    ] {
        assert_eq!(repository.broken(gone(name)).await, words);
    }
    let stands = repository.broken(gone("snapshots")).await;
    assert!(stands.starts_with("critical "), "{stands}");
    assert!(stands.contains("its `snapshots` is gone"), "{stands}");
    let stands = repository.broken(|copy| damage(&copy.join("config"))).await;
    assert!(stands.starts_with("critical broken: "), "{stands}");
    let emptied = |copy: &Path| std::fs::write(&files(copy, "/keys/")[0], "").unwrap();
    let stands = repository.broken(emptied).await;
    assert!(stands.starts_with("critical broken: "), "{stands}");
    let stands = repository.broken(|copy| damage(&files(copy, "/snapshots/")[0])).await;
    assert!(stands.starts_with("critical "), "{stands}");
    assert!(stands.contains("a snapshot is damaged and cannot be read: "), "{stands}");

    is_missed(&table).await;
    hangs(repository.folder.path(), &table, PASSWORD).await;
    // Whatever it says, a secret in it is not shown.
    let echo =
        script(repository.folder.path(), "echo", "echo \"bad: $RESTIC_PASSWORD\" >&2; exit 1");
    let mut told = Watched::of(&format!("{table}\nprogram = '{}'", echo.display()));
    let words = told.fails(PollFailure::Broken).await;
    assert!(words.starts_with("bad: ") && !words.contains(PASSWORD), "{words}");
}

#[tokio::test]
async fn a_full_check_reads_all_of_the_newest_snapshot() {
    let Some(repository) = Repository::new() else { return };
    let empty = Watched::of(&repository.table()).verify().await.unwrap_err();
    assert_eq!(empty.cause, PollFailure::Absent);
    repository.backup(1);
    let before = traces(&repository.at);
    let good = Watched::of(&repository.table()).verify().await.unwrap();
    assert_eq!(traces(&repository.at), before, "a check wrote to it");
    assert_eq!(good.status, Status::Ok, "{good:?}");

    damage(&files(&repository.at, "/data/")[0]);
    let mut watched = Watched::of(&repository.table());
    watched.found().await;
    assert!(watched.standing().starts_with("ok "), "a look reads no data");
    let bad = watched.verify().await.unwrap();
    assert_eq!(bad.status, Status::Critical, "{bad:?}");
    assert!(bad.words.starts_with("not all of it can be read: "), "{bad:?}");
    assert!(!format!("{bad:?}").contains(PASSWORD));
}
