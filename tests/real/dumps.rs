//! Dump files of the real dump programs: whole, empty, cut, damaged, growing.

use super::database::scratch;
use super::mariadb::MariaDb;
use super::postgres::{Postgres, programs};
use super::support::{now, program};
use opsroom::config::Found;
use opsroom::domain::{BackupReading, Reading, SourceId, Status};
use opsroom::runtime::assemble::Assembled;
use opsroom::sources::Brought;
use opsroom::store::{BackupState, Known, Look, Msg, Polled, Seen};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

const HOUR: Duration = Duration::from_hours(1);

/// A folder of dump files with the source that looks at it.
struct Folder {
    path: PathBuf,
    assembled: Assembled,
}

impl Folder {
    fn of(scratch: &Path, name: &str, more: &str) -> Self {
        let path = scratch.join(name);
        fs::create_dir(&path).unwrap();
        let text =
            format!("[backup.orders]\ndumps = '{}/*'\nsettle = '2m'\n{more}\n", path.display());
        let found = Found { path: scratch.join("config.toml"), text };
        let assembled = Assembled::of(&found, false).map_err(|error| error.text).unwrap();
        Self { path, assembled }
    }

    /// Leaves one file there, so old.
    fn put(&self, bytes: &[u8], age: Duration) {
        for entry in fs::read_dir(&self.path).unwrap() {
            fs::remove_file(entry.unwrap().path()).unwrap();
        }
        self.add("orders.dump", bytes, age);
    }

    fn add(&self, name: &str, bytes: &[u8], age: Duration) {
        let path = self.path.join(name);
        fs::write(&path, bytes).unwrap();
        let at = Duration::from_millis(u64::try_from((now() - age).millis()).unwrap());
        let file = fs::File::options().append(true).open(path).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + at).unwrap();
    }

    async fn poll(&self) -> Arc<BackupReading> {
        match self.assembled.sources[0].poll(now()).await {
            Ok(Brought::Reading(Reading::Backup(reading))) => reading,
            other => panic!("no backups: {other:?}"),
        }
    }

    /// What it says of the only file.
    async fn word(&self, bytes: &[u8]) -> String {
        self.put(bytes, HOUR);
        let reading = self.poll().await;
        let newest = reading.snapshots.last().unwrap();
        newest.fault.as_ref().map_or_else(|| "good".into(), |fault| fault.words.clone())
    }

    async fn check(&self) -> (Status, String) {
        let look = self.assembled.sources[0].look(&Look::Verify, now()).unwrap();
        match look.await {
            Ok(Seen::Verified(check)) => (check.status, check.words),
            other => panic!("no check: {other:?}"),
        }
    }

    /// How they stand after this look.
    async fn stand(&self) -> BackupState {
        let reading = self.poll().await;
        let source = SourceId::from("backup/orders");
        let mut known = Known::new(Arc::clone(&self.assembled.inventory), now());
        let polled = Polled {
            source: source.clone(),
            taken: now(),
            next: now() + HOUR,
            took: Duration::ZERO,
            late: Duration::ZERO,
            outcome: Ok(Reading::Backup(reading)),
        };
        known.take(now(), &Msg::Polled(vec![polled]));
        known.backups.remove(&source).unwrap()
    }
}

fn packed(how: &str, plain: &[u8], scratch: &Path) -> Option<Vec<u8>> {
    let file = scratch.join("plain");
    fs::write(&file, plain).unwrap();
    let mut command = Command::new(program(how)?);
    Some(command.args(["-c", "-q"]).arg(&file).output().unwrap().stdout)
}

fn damaged(bytes: &[u8], share: f64) -> Vec<u8> {
    let mut damaged = bytes.to_vec();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a length is one"
    )]
    let at = (bytes.len() as f64 * share) as usize;
    for byte in &mut damaged[at..at + 8] {
        *byte ^= 0x55;
    }
    damaged
}

/// Lengths at which a file is cut; after the closing line nothing is missed.
fn cuts(bytes: &[u8]) -> impl Iterator<Item = usize> {
    let all = bytes.len();
    [1, 4, 17, 200, all / 3, all / 2, all * 9 / 10, all - 160].into_iter()
}

/// Whole it is good and stands so, and every cut is found.
async fn holds(folder: &Folder, whole: &[u8], what: &str) {
    assert_eq!(folder.word(whole).await, "good", "{what}");
    let state = folder.stand().await;
    assert_eq!(state.standing.status, Status::Ok, "{what}: {state:#?}");
    let allowed = "1h old, 26h allowed";
    assert_eq!(state.standing.reason, allowed, "{what}");
    // A tar archive begins with the name of a file, which can be anything.
    let from = if what.contains("-Ft") { 512 } else { 0 };
    for cut in cuts(whole).filter(|cut| *cut > from) {
        let word = folder.word(&whole[..cut]).await;
        assert!(word.starts_with("truncated"), "{what} cut at {cut} of {}: {word}", whole.len());
    }
    assert_eq!(folder.word(b"").await, "empty", "{what}");
}

#[tokio::test]
async fn dumps_of_postgres_are_judged_by_what_is_in_them() {
    let Some(bin) = programs() else { return };
    let scratch = scratch();
    let server = Postgres::start(&bin, scratch.path(), None).await;
    server.sql(
        "create table orders as select n, md5(n::text) || md5((n * 7)::text) as text \
         from generate_series(1, 20000) n",
    );
    let folder = Folder::of(scratch.path(), "dumps", "");
    let file = scratch.path().join("dump");
    for (program, arguments) in [
        ("pg_dump", &["postgres"][..]),
        ("pg_dump", &["--inserts", "postgres"]),
        ("pg_dump", &["-Fc", "postgres"]),
        ("pg_dump", &["-Fc", "-Z0", "postgres"]),
        ("pg_dump", &["-Ft", "postgres"]),
        ("pg_dumpall", &[]),
    ] {
        let what = format!("{program} {arguments:?}");
        assert_eq!(server.dump(program, arguments, &file), "", "{what}");
        let whole = fs::read(&file).unwrap();
        holds(&folder, &whole, &what).await;
        assert_eq!(folder.word(&whole).await, "good");
        let reading = folder.poll().await;
        assert!(
            program == "pg_dumpall" || reading.tool.is_some() || what.contains("-Ft"),
            "{what}"
        );
        let (status, words) = folder.check().await;
        assert_eq!(status, Status::Ok, "{what}: {words}");
        let gz = packed("gzip", &whole, scratch.path()).unwrap();
        assert_eq!(folder.word(&gz).await, "good", "{what}");
    }

    // Damage inside an archive is found by reading all of it, and counts from then on.
    server.dump("pg_dump", &["-Fc", "postgres"], &file);
    let archive = damaged(&fs::read(&file).unwrap(), 0.6);
    assert_eq!(folder.word(&archive).await, "good");
    let (status, words) = folder.check().await;
    assert_eq!(status, Status::Critical, "{words}");
    assert!(words.starts_with("damaged: pg_restore: error: "), "{words}");
    let state = folder.stand().await;
    assert_eq!(state.standing.status, Status::Critical);
    assert_eq!(state.standing.reason, format!("no good backup: newest is {words}"));

    // What a script without `set -e` and `pipefail` leaves.
    let complaint = server.dump("pg_dump", &["nonexistent"], &file);
    assert_eq!(fs::metadata(&file).unwrap().len(), 0);
    let word = folder.word(complaint.as_bytes()).await;
    assert!(word.starts_with("an error message: pg_dump: error: "), "{word}");
    let nothing = packed("gzip", b"", scratch.path()).unwrap();
    assert_eq!(folder.word(&nothing).await, "empty: the gzip stream holds nothing");
    assert_eq!(folder.stand().await.standing.status, Status::Critical);
}

#[tokio::test]
async fn dumps_of_mariadb_are_judged_by_what_is_in_them() {
    let scratch = scratch();
    let Some(server) = MariaDb::start(scratch.path(), "a", "1").await else { return };
    server.sql(
        "create database app; use app; create table orders (id int primary key, t text); \
         insert into orders select seq, concat(md5(seq), md5(seq * 7)) from seq_1_to_20000; \
         create database zoo; create table zoo.t (id int); insert into zoo.t values (1)",
    );
    let Some(dump) = server.dump(&["--all-databases"]) else { return };
    let whole = dump.stdout;
    assert!(dump.status.success() && whole.len() > 1_000_000);
    let folder = Folder::of(scratch.path(), "dumps", "");
    holds(&folder, &whole, "mariadb-dump").await;
    for arguments in [&["--skip-comments", "app"][..], &["--skip-dump-date", "app"]] {
        let whole = server.dump(arguments).unwrap().stdout;
        assert_eq!(folder.word(&whole).await, "good", "{arguments:?}");
        let cut = folder.word(&whole[..whole.len() / 2]).await;
        assert_eq!(cut, "truncated: no closing line", "{arguments:?}");
    }
    for how in ["gzip", "zstd"] {
        let Some(packed) = packed(how, &whole, scratch.path()) else { return };
        holds(&folder, &packed, how).await;
        for share in [0.3, 0.6, 0.9] {
            let word = folder.word(&damaged(&packed, share)).await;
            assert!(word.starts_with("damaged: "), "{how} at {share}: {word}");
        }
        assert_eq!(folder.word(&packed).await, "good");
        assert_eq!(folder.check().await.0, Status::Ok);
    }

    // It died in the middle, and gzip closed what it got.
    let died = server.dump(&["--databases", "app", "nonexistent"]).unwrap();
    assert!(!died.status.success());
    let packed_well = packed("gzip", &died.stdout, scratch.path()).unwrap();
    assert_eq!(folder.word(&packed_well).await, "truncated: no closing line");
    let mut both = died.stdout.clone();
    both.extend_from_slice(&died.stderr);
    let word = folder.word(&both).await;
    assert!(word.starts_with("it ends with an error: mariadb-dump: "), "{word}");
    // It never began.
    let none = server.dump(&["nonexistent"]).unwrap();
    let word = folder.word(&none.stderr).await;
    assert!(word.starts_with("an error message: mariadb-dump: Got error: 1049"), "{word}");
    let word = folder.word(&packed("gzip", &none.stdout, scratch.path()).unwrap()).await;
    assert!(
        ["truncated: no closing line", "empty: the gzip stream holds nothing"]
            .contains(&word.as_str()),
        "{word}"
    );

    // One that grows is running and no truncated one; a whole one before it counts.
    folder.put(&whole, HOUR);
    folder.add("next.sql", &whole[..whole.len() / 2], Duration::ZERO);
    let state = folder.stand().await;
    assert_eq!(state.standing.status, Status::Ok, "{state:#?}");
    let last = state.last.as_ref().unwrap();
    assert_eq!(last.running.as_ref().unwrap().by, "next.sql");
    // It rests, and stays what it is.
    folder.add("next.sql", &whole[..whole.len() / 2], 3 * Duration::from_mins(1));
    let state = folder.stand().await;
    assert_eq!(state.standing.status, Status::Warning);
    assert_eq!(state.standing.reason, "newest is truncated: no closing line; last good 1h old");
    assert_eq!(state.last.as_ref().unwrap().running, None);
    // It is whole now.
    folder.add("next.sql", &whole, Duration::ZERO);
    let state = folder.stand().await;
    assert_eq!(state.last_good().unwrap().id, "next.sql");
}
