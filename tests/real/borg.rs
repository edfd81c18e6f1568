//! Backups in a real borg repository: its faults, each with its word.

use super::database::{run, secret};
use super::repository::{
    Watched, Writer, copied, damage, files, hangs, is_missed, is_since, traces,
};
use super::support::{now, program, until};
use opsroom::domain::{PollFailure, Status};
use std::path::{Path, PathBuf};
use std::process::Command;

const PASSPHRASE: &str = "borg-swordfish";

struct Repository {
    folder: tempfile::TempDir,
    at: PathBuf,
}

impl Repository {
    /// A new one, without archives.
    fn new() -> Option<Self> {
        program("borg")?;
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("repository");
        let made = Self { folder, at };
        run(made.command().args(["init", "-e", "repokey-blake2"]));
        let source = made.folder.path().join("source");
        std::fs::create_dir(&source).unwrap();
        std::fs::write(
            source.join("f"),
            (0..100_000_u32).flat_map(u32::to_be_bytes).collect::<Vec<_>>(),
        )
        .unwrap();
        Some(made)
    }

    fn command(&self) -> Command {
        let mut command = Command::new("borg");
        command.env("BORG_REPO", &self.at).env("BORG_PASSPHRASE", PASSPHRASE);
        command.env("BORG_BASE_DIR", self.folder.path().join("base"));
        command
    }

    fn create(&self, name: &str) {
        let source = self.folder.path().join("source");
        run(self.command().args(["create", &format!("::{name}")]).arg(source));
    }

    /// A `create` that goes on until it is let go.
    async fn slow(&self, name: &str) -> Writer {
        let mut command = self.command();
        let writer = Writer::start(command.args(["create", &format!("::{name}"), "-"]));
        let (roster, pid) = (self.at.join("lock.roster"), writer.pid().to_string());
        until("it holds the lock", || async {
            let told = std::fs::read_to_string(&roster).unwrap_or_default();
            told.contains("exclusive") && told.contains(&pid)
        })
        .await;
        writer
    }

    fn table_of(&self, at: &Path, passphrase: &str) -> String {
        let passphrase = secret(self.folder.path(), &format!("pw-{passphrase}"), passphrase);
        let base = self.folder.path().join("base");
        format!(
            "borg = '{}'\npassphrase = '{passphrase}'\nenv = {{ BORG_BASE_DIR = '{}', \
             BORG_RELOCATED_REPO_ACCESS_IS_OK = 'yes' }}",
            at.display(),
            base.display()
        )
    }

    fn table(&self) -> String {
        self.table_of(&self.at, PASSPHRASE)
    }

    /// How a copy stands that was broken.
    async fn broken(&self, how: impl FnOnce(&Path)) -> String {
        let copy = self.folder.path().join("copy");
        copied(&self.at, &copy);
        how(&copy);
        let before = traces(&copy);
        let stands = Watched::stands(&self.table_of(&copy, PASSPHRASE)).await;
        assert_eq!(traces(&copy), before, "a look wrote to it");
        stands
    }
}

#[tokio::test]
async fn archives_are_seen_and_a_running_create_is_left_alone() {
    let Some(repository) = Repository::new() else { return };
    let begun = now();
    let mut watched = Watched::of(&repository.table());
    assert_eq!(watched.found().await.count, 0);
    assert_eq!(watched.standing(), "critical no backup at all");
    repository.create("one");
    repository.create("two");

    let before = traces(&repository.at);
    let good = watched.found().await;
    assert_eq!(traces(&repository.at), before, "a look wrote to it");
    assert_eq!((good.count, good.encrypted), (2, Some(true)));
    let newest = good.snapshots.last().unwrap();
    assert_eq!(newest.id, "two");
    assert!(is_since(newest.taken, begun) && newest.took.is_some(), "{newest:?}");
    assert!(newest.size.is_some_and(|size| size >= 400_000), "{newest:?}");
    assert_eq!(good.off_host, Some(false));
    assert!(good.free.is_some_and(|free| free > 0));
    assert!(good.tool.as_ref().is_some_and(|tool| tool.starts_with("borg 1.")), "{good:?}");
    assert!(good.problems.is_empty() && good.notes.is_empty() && good.running.is_none());
    assert!(watched.standing().starts_with("ok "), "{}", watched.standing());
    let pattern = format!("{}\nprefix = 'o'", repository.table());
    assert_eq!(Watched::of(&pattern).found().await.count, 1);

    let writer = repository.slow("three").await;
    let before = traces(&repository.at);
    let beside = watched.found().await;
    let running = beside.running.as_ref().unwrap();
    assert!(running.by.starts_with(&format!("pid {} on ", writer.pid())), "{running:?}");
    assert!(is_since(running.since.unwrap(), begun));
    assert_eq!(beside.count, 2);
    assert!(watched.standing().starts_with("ok "), "{}", watched.standing());
    // Who knows nothing yet learns that it is held, and by whom.
    let mut new = Watched::of(&repository.table());
    let words = new.fails(PollFailure::Busy).await;
    assert!(words.starts_with("create holds the repository"), "{words}");
    assert!(new.standing().starts_with("unknown busy: create holds"), "{}", new.standing());
    assert_eq!(new.verify().await.unwrap_err().cause, PollFailure::Busy);
    assert_eq!(traces(&repository.at), before, "a look wrote to it");
    writer.finish();
    let after = watched.found().await;
    assert_eq!((after.count, after.running.is_none()), (3, true));

    repository.slow("four").await.kill();
    let before = traces(&repository.at);
    let left = watched.found().await;
    assert_eq!(traces(&repository.at), before, "a look wrote to it");
    assert_eq!((left.count, left.running.is_none()), (3, true));
    assert!(left.notes.iter().any(|note| note.contains(" left a lock ")), "{:?}", left.notes);
    repository.create("five");
    assert_eq!(watched.found().await.count, 4);
}

#[tokio::test]
async fn every_fault_of_a_repository_has_its_word() {
    let Some(repository) = Repository::new() else { return };
    repository.create("one");
    let table = repository.table();
    let wrong = repository.table_of(&repository.at, "marlin");
    assert_eq!(Watched::stands(&wrong).await, "unknown denied: wrong passphrase");
    let nowhere = repository.folder.path().join("nowhere");
    let absent = Watched::stands(&repository.table_of(&nowhere, PASSPHRASE)).await;
    assert!(absent.starts_with("critical absent: "), "{absent}");
    let plain = repository.folder.path().join("source");
    let absent = Watched::stands(&repository.table_of(&plain, PASSPHRASE)).await;
    assert!(absent.starts_with("critical absent: "), "{absent}");

    let index = |copy: &Path| files(copy, "/index.")[0].clone();
    for (how, words) in [
        (
            Box::new(|copy: &Path| std::fs::remove_file(copy.join("config")).unwrap())
                as Box<dyn FnOnce(&Path)>,
            "its `config` is gone",
        ),
        (
            Box::new(|copy: &Path| std::fs::remove_dir_all(copy.join("data")).unwrap()),
            "its `data` is gone",
        ),
        (
            Box::new(move |copy: &Path| std::fs::remove_file(index(copy)).unwrap()),
            "its index is gone",
        ),
        (Box::new(move |copy: &Path| damage(&index(copy))), "its index is not as it was written"),
        (
            Box::new(move |copy: &Path| std::fs::write(index(copy), "BORG_IDX").unwrap()),
            "its index is not as it was written",
        ),
    ] {
        let stands = repository.broken(how).await;
        assert!(stands.starts_with("critical broken: the repository is damaged: "), "{stands}");
        assert!(stands.contains(words), "{stands}");
    }
    // The key stands in `config`.
    let keyless = |copy: &Path| {
        let path = copy.join("config");
        let config = std::fs::read_to_string(&path).unwrap();
        std::fs::write(path, config.split("key = ").next().unwrap()).unwrap();
    };
    let stands = repository.broken(keyless).await;
    assert!(
        stands.starts_with("critical broken: ") || stands.starts_with("unknown denied: "),
        "{stands}"
    );
    // The list of archives is in the last segment that holds anything.
    let listless = |copy: &Path| {
        for segment in files(copy, "/data/") {
            damage(&segment);
        }
    };
    let stands = repository.broken(listless).await;
    assert!(stands.starts_with("critical broken: "), "{stands}");

    is_missed(&table).await;
    hangs(repository.folder.path(), &table, PASSPHRASE).await;
}

#[tokio::test]
async fn a_full_check_reads_all_of_the_newest_archive() {
    let Some(repository) = Repository::new() else { return };
    let empty = Watched::of(&repository.table()).verify().await.unwrap_err();
    assert_eq!(empty.cause, PollFailure::Absent);
    repository.create("one");
    let before = traces(&repository.at);
    let good = Watched::of(&repository.table()).verify().await.unwrap();
    assert_eq!(traces(&repository.at), before, "a check wrote to it");
    assert_eq!((good.status, good.of.as_str()), (Status::Ok, "one"), "{good:?}");

    damage(&files(&repository.at, "/data/")[0]);
    let mut watched = Watched::of(&repository.table());
    watched.found().await;
    assert!(watched.standing().starts_with("ok "), "a look reads no data");
    let bad = watched.verify().await.unwrap();
    assert_eq!(bad.status, Status::Critical, "{bad:?}");
    assert!(bad.words.starts_with("not all of it can be read: "), "{bad:?}");
    assert!(!format!("{bad:?}").contains(PASSPHRASE));
}
