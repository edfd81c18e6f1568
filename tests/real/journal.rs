//! The journal on a real disk: many writers at once, writers that are killed, a
//! full disk, a write-ahead log that is cut off, a database that is damaged, and
//! the commands that read it.

use crate::support::now;
use opsroom::domain::runs::{ProcessId, Record, Who, WriterKind};
use opsroom::journal::{Journal, JournalError, Place, Reader, Row, Verdict};
use opsroom::runtime::runs::process;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// Names the folder to the children that this binary is started again as.
const FOLDER: &str = "OPSROOM_TEST_JOURNAL";

fn who() -> Who {
    process::who()
}

fn acted(what: impl Into<String>) -> Record {
    Record::Acted { who: who(), what: what.into() }
}

async fn open(folder: &Path) -> Journal {
    let own = process::own().unwrap();
    Journal::open(Place::own(folder), WriterKind::Command, who(), own, now()).await.unwrap()
}

fn in_runtime<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

async fn verdict(folder: &Path) -> Verdict {
    Reader::new(Place::own(folder)).verify(&[]).await.unwrap()
}

/// This binary again, to run one test of it that others start.
fn again(test: &str, folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("journal::{test}"), "--ignored", "--nocapture"]);
    command.env(FOLDER, folder).stdin(Stdio::null());
    command
}

fn folder_of_parent() -> PathBuf {
    std::env::var_os(FOLDER).unwrap().into()
}

#[test]
#[ignore = "started by a_host_full_of_writers_loses_nothing"]
fn a_writer() {
    in_runtime(async {
        let journal = open(&folder_of_parent()).await;
        for number in 1..=200 {
            journal.append(now(), acted(format!("{number}"))).await.unwrap();
        }
    });
}

#[test]
fn a_host_full_of_writers_loses_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("state");
    let start = || again("a_writer", &folder).stdout(Stdio::null()).spawn().unwrap();
    let children: Vec<Child> = (0..8).map(|_| start()).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let verdict = in_runtime(verdict(&folder));
    assert!(verdict.is_whole(), "{verdict:?}");
    assert_eq!((verdict.records, verdict.heads.len()), (8 * 201, 8));
}

#[test]
#[ignore = "started by a_writer_that_is_killed_leaves_all_that_it_recorded"]
fn a_writer_without_end() {
    in_runtime(async {
        let journal = open(&folder_of_parent()).await;
        let mut out = std::io::stdout();
        loop {
            let entry = journal.append(now(), acted("on and on")).await.unwrap();
            writeln!(out, "recorded {} {}", entry.writer, entry.seq).unwrap();
        }
    });
}

#[test]
fn a_writer_that_is_killed_leaves_all_that_it_recorded() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("state");
    let mut recorded = Vec::new();
    for kill in 0..30_usize {
        let mut command = again("a_writer_without_end", &folder);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let mut lines = out.lines().map(Result::unwrap).filter(|it| it.starts_with("recorded "));
        // A different moment each time, and never the same distance from a sync.
        let last = lines.nth(kill * 7 % 31).unwrap();
        (0..kill * 997 % 20_000).for_each(|_| std::hint::spin_loop());
        child.kill().unwrap();
        child.wait().unwrap();
        recorded.push(lines.last().unwrap_or(last));
    }
    in_runtime(async {
        let verdict = verdict(&folder).await;
        assert!(verdict.is_whole(), "{verdict:?}");
        for line in recorded {
            // A line may have been cut off by the kill; what it names stands all the same.
            let mut words = line.split(' ').skip(1);
            let (writer, seq) = (words.next().unwrap(), words.next().unwrap_or("1"));
            let seq: i64 = seq.parse().unwrap_or(1);
            let head = verdict.heads.iter().find(|head| head.writer == writer).unwrap();
            assert!(head.seq >= seq, "{line}: {head:?}");
        }
        open(&folder).await;
    });
}

#[test]
#[ignore = "started by a_full_disk_takes_clean_up_and_says_so, in a file system of its own"]
fn on_a_small_disk() {
    let folder = folder_of_parent();
    in_runtime(async {
        let journal = open(&folder.join("state")).await;
        assert!(!journal.on_reserve());
        let filler = folder.join("filler");
        let mut file = std::fs::File::create(&filler).unwrap();
        let much = vec![1; 65_536];
        while file.write_all(&much).is_ok() {}
        while file.write_all(&[1; 512]).is_ok() {}
        drop(file);
        let text = "x".repeat(1 << 20);
        let (mut written, mut refused) = (0, None);
        while refused.is_none() && written < 100 {
            match journal.append(now(), acted(text.as_str())).await {
                Ok(_) => {
                    written += 1;
                    assert!(journal.on_reserve() || written < 5, "{written}");
                }
                Err(error) => refused = Some(error),
            }
        }
        // Nearly all of it is of use, and then nothing is pretended.
        assert!((8..=16).contains(&written), "{written}");
        let refused = refused.unwrap();
        assert!(matches!(&refused, JournalError::Write(_)), "{refused}");
        assert!(journal.on_reserve());
        assert!(journal.append(now(), acted(text.as_str())).await.is_err());
        // Another process can still look.
        let seen = verdict(&folder.join("state")).await;
        assert!(seen.wrong.is_empty(), "{seen:?}");
        std::fs::remove_file(&filler).unwrap();
        journal.append(now(), acted("room again")).await.unwrap();
        assert!(!journal.on_reserve());
        let seen = verdict(&folder.join("state")).await;
        assert!(seen.is_whole(), "{seen:?}");
        assert_eq!(seen.records, written + 2);
        println!("{written} records of 1 MiB went into the reserve; then: {refused}");
    });
}

#[test]
fn a_full_disk_takes_clean_up_and_says_so() {
    let scratch = tempfile::tempdir().unwrap();
    let mount = r#"mount -t tmpfs -o size=56m tmpfs "$1" && echo mounted && shift && exec "$@""#;
    let child = again("on_a_small_disk", scratch.path());
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", mount, "sh"]).arg(scratch.path());
    command.arg(child.get_program()).args(child.get_args()).env(FOLDER, scratch.path());
    let Some(Output { status, stdout, stderr }) = command.output().ok() else {
        println!("skipped: unshare is not installed");
        return;
    };
    let text = String::from_utf8_lossy(&stdout);
    if !text.contains("mounted") {
        let why = String::from_utf8_lossy(&stderr);
        println!("skipped: no file system of its own can be mounted here: {}", why.trim());
        return;
    }
    assert!(status.success(), "{text}\n{}", String::from_utf8_lossy(&stderr));
    println!("{text}");
}

/// What lies on the disk at this moment, as a power cut would leave it.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in ["journal.sqlite", "journal.sqlite-wal", "heads"] {
        if from.join(file).exists() {
            std::fs::copy(from.join(file), to.join(file)).unwrap();
        }
    }
}

#[test]
fn a_log_that_is_cut_off_opens_and_what_is_missing_is_named() {
    let scratch = tempfile::tempdir().unwrap();
    let live = scratch.path().join("live");
    in_runtime(async {
        let journal = open(&live).await;
        for number in 0..12 {
            journal.append(now(), acted(format!("{number}"))).await.unwrap();
        }
        let length = std::fs::metadata(live.join("journal.sqlite-wal")).unwrap().len();
        let (mut whole, mut named) = (0, 0);
        for (number, length) in (0..length).step_by(4_096 + 24 + 371).chain([length]).enumerate() {
            let cut = scratch.path().join(format!("cut{number}"));
            copy(&live, &cut);
            let log = std::fs::File::options().write(true).open(cut.join("journal.sqlite-wal"));
            log.unwrap().set_len(length).unwrap();
            let before = verdict(&cut).await;
            let left = i64::try_from(before.records).unwrap();
            if left == 13 {
                assert!(before.is_whole(), "{before:?}");
                whole += 1;
            } else {
                let (from, to) = (left + 1, 13);
                let span = if from == to { "record 13 is" } else { "records" };
                assert_eq!(before.wrong.len(), 1, "{before:?}");
                assert!(before.wrong[0].contains(span), "{before:?}");
                named += 1;
            }
            // Work goes on in it, and what is missing stays named.
            let next = open(&cut).await;
            next.append(now(), acted("after the power cut")).await.unwrap();
            let after = verdict(&cut).await;
            assert_eq!(after.wrong.len(), before.wrong.len(), "{after:?}");
            assert_eq!(after.records, before.records + 2);
        }
        assert!(whole > 0 && named > 5, "{whole} {named}");
    });
}

async fn rows(folder: &Path) -> Result<Vec<Row>, JournalError> {
    let mut rows = Vec::new();
    Reader::new(Place::own(folder))
        .each(None, |row| {
            rows.push(row);
            true
        })
        .await?;
    Ok(rows)
}

#[test]
fn a_flipped_byte_in_the_files_changes_nothing_or_is_found() {
    let scratch = tempfile::tempdir().unwrap();
    let live = scratch.path().join("live");
    in_runtime(async {
        let journal = open(&live).await;
        for number in 0..20 {
            journal.append(now(), acted(format!("{number} {}", "y".repeat(700)))).await.unwrap();
        }
        drop(journal);
        let whole = rows(&live).await.unwrap();
        let (mut found, mut harmless) = (0, 0);
        for file in ["journal.sqlite", "heads"] {
            let length = std::fs::metadata(live.join(file)).unwrap().len();
            let cases = if file == "heads" { 60 } else { 240 };
            for case in 0..cases {
                let folder = scratch.path().join("changed");
                copy(&live, &folder);
                let path = folder.join(file);
                let mut bytes = std::fs::read(&path).unwrap();
                let at = usize::try_from(case * 7_919 * 131 % length).unwrap();
                bytes[at] ^= 1 << (case % 8);
                std::fs::write(&path, bytes).unwrap();
                let seen = Reader::new(Place::own(&folder)).verify(&[]).await;
                if seen.as_ref().is_ok_and(Verdict::is_whole) {
                    assert_eq!(rows(&folder).await.unwrap(), whole, "byte {at} of {file}");
                    harmless += 1;
                } else {
                    found += 1;
                }
                std::fs::remove_dir_all(&folder).unwrap();
            }
        }
        println!("{found} flipped bytes were found, {harmless} changed nothing");
        // Half of the file is room that nothing stands in.
        assert!(found > 80, "{found}");
    });
}

#[test]
fn a_damaged_database_is_said_and_left_where_it_is() {
    let scratch = tempfile::tempdir().unwrap();
    in_runtime(async {
        let path = scratch.path().join("journal.sqlite");
        std::fs::write(&path, "this is no database, whatever its name says").unwrap();
        let process = ProcessId { pid: 1, start: 1, boot: "b".into() };
        let place = Place::own(scratch.path());
        let opened = Journal::open(place, WriterKind::Run, who(), process, now()).await;
        let error = opened.unwrap_err().to_string();
        assert!(error.contains("journal.sqlite is damaged ("), "{error}");
        assert!(error.contains("keep a copy of the whole folder"), "{error}");
        let wrong = verdict(scratch.path()).await.wrong;
        assert!(wrong[0].contains("journal.sqlite is damaged ("), "{wrong:?}");
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "this is no database, whatever its name says");
    });
}

/// The program with a config of its own.
struct Program {
    scratch: tempfile::TempDir,
}

impl Program {
    fn with(config: &str) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("state");
        let text = format!("{config}\n[journal]\nfolder = \"{}\"\n", folder.display());
        std::fs::write(scratch.path().join("config.toml"), text).unwrap();
        Self { scratch }
    }

    fn folder(&self) -> PathBuf {
        self.scratch.path().join("state")
    }

    /// Standard output, standard error and exit code.
    fn run(&self, arguments: &[&str]) -> (String, String, i32) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_opsroom"));
        command.arg("--config").arg(self.scratch.path().join("config.toml")).args(arguments);
        command.env("HOME", self.scratch.path()).env("NO_COLOR", "1").stdin(Stdio::null());
        let Output { status, stdout, stderr } = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (text(stdout), text(stderr), status.code().unwrap())
    }
}

#[test]
fn the_journal_is_read_and_checked_by_commands() {
    let program = Program::with("");
    let (out, err, code) = program.run(&["audit", "show"]);
    assert_eq!((out.as_str(), code), ("", 0), "{err}");
    assert!(err.starts_with("nothing was recorded yet in "), "{err}");
    assert!(!program.folder().join("journal.sqlite").exists());
    let (out, _, code) = program.run(&["audit", "verify"]);
    assert!(out.starts_with("nothing was recorded yet in ") && code == 0, "{out}");

    let (out, err, code) = program.run(&["arm", "15m", "--reason", "api 5xx \u{1b}[31mred"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.starts_with("production is armed for 15m, until 20"), "{out}");
    let (_, err, code) = program.run(&["arm", "5h", "--reason", "x"]);
    assert!(err.contains("at most 4h") && code == 1, "{err}");
    assert_eq!(program.run(&["disarm"]).0, "production is disarmed\n");
    assert_eq!(program.run(&["disarm"]).0, "production was not armed\n");

    let (out, _, code) = program.run(&["audit", "show"]);
    assert_eq!((out.lines().count(), code), (4, 0), "{out}");
    assert!(!out.contains('\u{1b}') && out.contains("armed production until "), "{out}");
    let (out, _, _) = program.run(&["audit", "show", "--json", "-n", "1"]);
    let last: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(last["record"]["disarmed"]["why"], "by hand");
    let (out, _, code) = program.run(&["audit", "export", "--markdown"]);
    assert!(out.starts_with("# Journal\n") && out.contains("disarmed production"), "{out}");
    assert_eq!(code, 0);
    let (out, _, _) = program.run(&["audit", "export", "--json"]);
    assert_eq!(out.lines().count(), 4);
    let (out, err, code) = program.run(&["audit", "export", "--run", "nope"]);
    assert_eq!((out.as_str(), code), ("", 1), "{err}");
    assert!(err.contains("has no run nope"), "{err}");

    let (heads, _, code) = program.run(&["audit", "verify", "--heads"]);
    assert_eq!((heads.lines().count(), code), (2, 0), "{heads}");
    let kept = program.scratch.path().join("kept");
    let told = heads.lines().map(|it| format!("Nov 21 03:16 h opsroom: {it}\n"));
    let syslog = told.collect::<Vec<_>>().concat();
    std::fs::write(&kept, format!("another line\n{syslog}")).unwrap();
    let against = ["audit", "verify", "--against", kept.to_str().unwrap()];
    let (out, _, code) = program.run(&against);
    assert!(out.contains("whole: every record is as it was written") && code == 0, "{out}");

    // The tail is cut off, and the heads are put back to where they were.
    let state = program.folder();
    let heads_before = std::fs::read(state.join("heads")).unwrap();
    std::fs::remove_file(state.join("journal.sqlite")).unwrap();
    let (out, _, code) = program.run(&["audit", "verify"]);
    assert_eq!(code, 10, "{out}");
    assert_eq!(out.matches("wrong: writer ").count(), 2, "{out}");
    std::fs::remove_file(state.join("heads")).unwrap();
    let (out, _, code) = program.run(&against);
    assert_eq!((out.matches("kept elsewhere name them").count(), code), (2, 10), "{out}");
    assert_eq!(heads_before.len() % 128, 0);

    let staging = Program::with("environment = \"staging\"");
    let (_, err, code) = staging.run(&["arm", "1m", "--reason", "x"]);
    assert!(err.contains("staging needs no arming") && code == 1, "{err}");
    assert!(!staging.folder().exists());
}

#[test]
fn without_heads_the_end_is_not_proved_and_the_exit_code_says_so() {
    let program = Program::with("");
    program.run(&["arm", "1m", "--reason", "x"]);
    std::fs::remove_file(program.folder().join("heads")).unwrap();
    let (out, _, code) = program.run(&["audit", "verify"]);
    assert_eq!(code, 11, "{out}");
    assert!(out.contains("unproved: there are no heads"), "{out}");
}
