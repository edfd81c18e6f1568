//! Backups of a real Postgres by a real pgBackRest: its faults, each with its word.

use super::database::{As, run, scratch, secret};
use super::postgres::{Postgres, programs};
use super::repository::{
    Watched, Writer, copied, damage, files, hangs, is_missed, is_since, traces,
};
use super::support::{now, program, until};
use opsroom::domain::{PollFailure, Status};
use rustix::process::{Pid, Signal, kill_process};
use std::path::{Path, PathBuf};
use std::process::Command;

const PASSPHRASE: &str = "pgbackrest-swordfish";

pub(crate) struct Stanza {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) user: As,
    pub(crate) postgres: Postgres,
}

impl Stanza {
    /// A server whose WAL goes to a repository that has no stanza yet.
    pub(crate) async fn new() -> Option<Self> {
        program("pgbackrest")?;
        let bin = programs()?;
        let folder = scratch();
        let user = As::user("postgres");
        for name in ["repository", "other", "log", "lock", "spool"] {
            user.folder(folder.path(), name);
        }
        let postgres = Postgres::start(&bin, folder.path(), None).await;
        let made = Self { folder, user, postgres };
        let config = made.config("server.conf", &made.repository(), "");
        let push =
            format!("pgbackrest --config={} --stanza=main archive-push %p", config.display());
        made.postgres.sql(&format!("alter system set archive_command = '{push}'"));
        made.postgres.sql("select pg_reload_conf()");
        Some(made)
    }

    pub(crate) fn repository(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    /// Writes a config for a repository.
    pub(crate) fn config(&self, name: &str, repository: &Path, more: &str) -> PathBuf {
        let at = self.folder.path();
        let path = at.join(name);
        let text = format!(
            "[global]\nrepo1-path={}\nrepo1-retention-full=9\nlog-path={at}/log\nlock-path={at}/lock\n\
             spool-path={at}/spool\nstart-fast=y\narchive-timeout=20\ncompress-level=1\n{more}\n\
             [main]\npg1-path={}\npg1-port={}\npg1-socket-path={}\npg1-user=postgres\n",
            repository.display(),
            self.postgres.data.display(),
            self.postgres.port,
            self.postgres.data.display(),
            at = at.display(),
        );
        std::fs::write(&path, text).unwrap();
        self.user.own(&path);
        path
    }

    pub(crate) fn command(&self, config: &Path) -> Command {
        let mut command = self.user.command(&program("pgbackrest").unwrap());
        command.arg(format!("--config={}", config.display())).arg("--stanza=main");
        command
    }

    /// The table for a config, without the program.
    fn bare_table(config: &Path) -> String {
        format!("pgbackrest = 'main'\nconfig = '{}'", config.display())
    }

    fn table(config: &Path) -> String {
        let as_postgres = if rustix::process::geteuid().is_root() {
            "program = ['setpriv', '--reuid=postgres', '--regid=postgres', '--init-groups', 'pgbackrest']"
        } else {
            ""
        };
        format!("{}\n{as_postgres}", Self::bare_table(config))
    }

    /// How a copy stands that was broken.
    async fn broken(&self, how: impl FnOnce(&Path)) -> String {
        let copy = self.folder.path().join("copy");
        copied(&self.repository(), &copy);
        how(&copy);
        let config = self.config("copy.conf", &copy, "");
        let before = traces(&copy);
        let stands = Watched::stands(&Self::table(&config)).await;
        assert_eq!(traces(&copy), before, "a look wrote to it");
        stands
    }

    /// All that a look could write to.
    fn traces(&self) -> impl PartialEq + std::fmt::Debug + use<> {
        let own = ["repository", "log", "lock", "spool"];
        own.map(|name| traces(&self.folder.path().join(name)))
    }
}

#[tokio::test]
async fn every_state_of_a_stanza_has_its_word_and_a_look_writes_nothing() {
    let Some(stanza) = Stanza::new().await else { return };
    let config = stanza.config("console.conf", &stanza.repository(), "");
    let table = Stanza::table(&config);
    let absent = Watched::stands(&table).await;
    assert_eq!(absent, "critical absent: there is no such stanza in the repository");
    run(stanza.command(&config).arg("stanza-create"));
    let mut watched = Watched::of(&table);
    assert_eq!(watched.found().await.count, 0);
    assert_eq!(watched.standing(), "critical no backup at all");
    assert_eq!(watched.verify().await.unwrap_err().cause, PollFailure::Absent);

    let begun = now();
    run(stanza.command(&config).args(["--type=full", "backup"]));
    let before = stanza.traces();
    let good = watched.found().await;
    assert_eq!(stanza.traces(), before, "a look wrote to it");
    assert_eq!((good.count, good.encrypted, good.off_host), (1, Some(false), Some(false)));
    let newest = good.snapshots.last().unwrap();
    assert!(is_since(newest.taken, begun) && newest.took.is_some(), "{newest:?}");
    assert!(newest.size.is_some_and(|size| size > 10_000_000), "{newest:?}");
    assert!(good.place.ends_with("/repository, stanza main"), "{}", good.place);
    assert!(good.free.is_some_and(|free| free > 0));
    assert!(good.tool.as_ref().is_some_and(|tool| tool.starts_with("pgBackRest 2.")), "{good:?}");
    assert!(good.problems.is_empty() && good.running.is_none(), "{good:?}");
    assert!(watched.standing().starts_with("ok "), "{}", watched.standing());

    // A backup that is held up on its way, and then dies.
    let lock = stanza.folder.path().join("lock/main-backup.lock");
    let writer = Writer::start(stanza.command(&config).args(["--type=full", "backup"]));
    until("it holds the lock", || async {
        std::fs::metadata(&lock).is_ok_and(|about| about.len() > 0)
    })
    .await;
    let pid = Pid::from_raw(i32::try_from(writer.pid()).unwrap()).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    let beside = watched.found().await;
    assert!(beside.running.is_some(), "{beside:?}");
    assert_eq!(beside.count, 1);
    assert!(watched.standing().starts_with("ok "), "{}", watched.standing());
    writer.kill();
    until("its lock is free again", || async {
        watched
            .source
            .poll(now())
            .await
            .is_ok_and(|brought| !format!("{brought:?}").contains("running: Some"))
    })
    .await;

    // Encrypted, and the passphrase is not in its config.
    let other = stanza.folder.path().join("other");
    let with = format!("repo1-cipher-type=aes-256-cbc\nrepo1-cipher-pass={PASSPHRASE}");
    let server = stanza.config("other.conf", &other, &with);
    run(stanza.command(&server).args(["--no-online", "stanza-create"]));
    let bare = stanza.config("bare.conf", &other, "repo1-cipher-type=aes-256-cbc");
    let given = |pass: &str| {
        let pass = secret(stanza.folder.path(), &format!("pw-{pass}"), pass);
        format!("cipher_pass = '{pass}'")
    };
    let table = |more: &str| format!("{}\n{more}", Stanza::table(&bare));
    let mut right = Watched::of(&table(&given(PASSPHRASE)));
    let answer = right.found().await;
    assert_eq!((answer.encrypted, answer.count), (Some(true), 0));
    for more in [given("marlin"), String::new()] {
        let stands = Watched::stands(&table(&more)).await;
        assert!(stands.starts_with("unknown denied: "), "{stands}");
    }
    is_missed(&Stanza::bare_table(&bare)).await;
    let bare = format!("{}\n{}", Stanza::bare_table(&bare), given(PASSPHRASE));
    hangs(stanza.folder.path(), &bare, PASSPHRASE).await;

    // Broken.
    let stands = stanza
        .broken(|copy| {
            for file in files(copy, "backup.info") {
                damage(&file);
            }
        })
        .await;
    assert!(stands.starts_with("critical broken: "), "{stands}");
    let stands = stanza
        .broken(|copy| {
            for file in files(copy, "backup.info") {
                std::fs::remove_file(file).unwrap();
            }
        })
        .await;
    assert!(stands.starts_with("critical broken: "), "{stands}");
    let stands = stanza.broken(|copy| std::fs::remove_dir_all(copy.join("archive")).unwrap()).await;
    assert!(stands.starts_with("critical broken: "), "{stands}");
    let label = newest.id.clone();
    let lost =
        |copy: &Path| std::fs::remove_dir_all(copy.join("backup/main").join(&label)).unwrap();
    let stands = stanza.broken(lost).await;
    assert!(stands.starts_with("critical no good backup: "), "{stands}");
    assert!(stands.contains("its files are gone from the repository"), "{stands}");
    let gone = stanza.folder.path().join("nowhere");
    let config = stanza.config("nowhere.conf", &gone, "");
    let stands = Watched::stands(&Stanza::table(&config)).await;
    assert!(stands.starts_with("critical absent: "), "{stands}");
    let stands = stanza
        .broken(|copy| {
            let mode = rustix::fs::Mode::empty();
            rustix::fs::chmod(copy.join("backup"), mode).unwrap();
        })
        .await;
    assert!(stands.starts_with("unknown denied: "), "{stands}");
}

#[tokio::test]
async fn a_full_check_reads_all_files_of_all_backups() {
    let Some(stanza) = Stanza::new().await else { return };
    let config = stanza.config("console.conf", &stanza.repository(), "");
    run(stanza.command(&config).arg("stanza-create"));
    run(stanza.command(&config).args(["--type=full", "backup"]));
    let before = stanza.traces();
    let mut watched = Watched::of(&Stanza::table(&config));
    let good = watched.verify().await.unwrap();
    assert_eq!(stanza.traces(), before, "a check wrote to it");
    assert_eq!(good.status, Status::Ok, "{good:?}");
    assert_eq!(good.of, "stanza main");

    damage(&files(&stanza.repository(), "/pg_data/base/")[0]);
    watched.found().await;
    assert!(watched.standing().starts_with("ok "), "a look reads no data");
    let bad = watched.verify().await.unwrap();
    assert_eq!(bad.status, Status::Critical, "{bad:?}");
    assert!(bad.words.starts_with("not all of it is sound: invalid "), "{bad:?}");
}
