//! Dump files in a folder, from poll to poll.

use super::*;
use crate::config::Config;
use crate::domain::BackupReading;
use crate::sources::{Sources, kind_keys};
use std::fs::{self, File};
use std::path::Path;
use std::time::SystemTime;

const GOOD: &str = "-- MySQL dump 10.13  Distrib 8.0.36, for Linux (x86_64)\n--\n\
                    INSERT INTO t VALUES (1);\n-- Dump completed on 2026-11-21  9:12:33\n";
/// 2026-11-21 09:12:33, when it was made by its own word.
const MADE: i64 = 1_795_252_353;
const HOUR: Duration = Duration::from_hours(1);

fn at(hours: u64) -> Timestamp {
    Timestamp::from_millis(MADE * 1_000) + HOUR * u32::try_from(hours).unwrap()
}

fn write(path: &Path, text: &str, at: Timestamp) {
    fs::write(path, text).unwrap();
    touch(path, at);
}

fn touch(path: &Path, at: Timestamp) {
    let since = Duration::from_millis(u64::try_from(at.millis()).unwrap());
    let file = File::options().append(true).open(path).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + since).unwrap();
}

fn source(folder: &Path, more: &str) -> Arc<dyn Source> {
    let text = format!("[backup.orders]\ndumps = '{}/*.sql*'\n{more}", folder.display());
    let mut mistakes = Mistakes::default();
    let config = Config::read(&text, &kind_keys(), &mut mistakes);
    let sources = Sources::of(&config, &Shared::new(|| Duration::ZERO, 1), &mut mistakes);
    assert!(mistakes.is_empty(), "{:?}", mistakes.in_order());
    Arc::clone(&sources.all[0])
}

async fn poll(source: &Arc<dyn Source>, now: Timestamp) -> BackupReading {
    match source.poll(now).await {
        Ok(Brought::Reading(Reading::Backup(reading))) => BackupReading::clone(&reading),
        other => panic!("no backups: {other:?}"),
    }
}

fn faults(reading: &BackupReading) -> Vec<(String, String)> {
    let faults = reading.snapshots.iter().map(|one| {
        let fault = one.fault.as_ref().map_or("good", |fault| fault.words.as_str());
        (one.id.clone(), fault.to_owned())
    });
    faults.collect()
}

#[tokio::test]
async fn files_are_told_oldest_first_with_what_is_wrong_with_each() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    write(&path("a.sql"), GOOD, at(0));
    write(&path("b.sql"), &GOOD[..60], at(1));
    write(&path("c.sql"), "", at(2));
    fs::create_dir(path("d.sql")).unwrap();
    std::os::unix::fs::symlink(path("a.sql"), path("latest.sql")).unwrap();
    std::os::unix::fs::symlink(path("gone"), path("nowhere.sql")).unwrap();
    write(&path("x\n\u{1b}[2J.sql"), GOOD, at(3));
    let reading = poll(&source(folder.path(), "off_host = true"), at(5)).await;
    let told = faults(&reading);
    let word = |name: &str| told.iter().find(|(id, _)| id == name).map(|(_, word)| word.as_str());
    assert_eq!(word("a.sql"), Some("good"));
    assert_eq!(word("b.sql"), Some("truncated: no closing line"));
    assert_eq!(word("c.sql"), Some("empty"));
    assert_eq!((told.len(), reading.count), (4, 4), "{told:?}");
    assert!(!told[3].0.contains(['\n', '\u{1b}']), "{told:?}");
    assert_eq!(reading.notes, ["left out what is no file: 1", "1 link to nowhere"]);
    assert_eq!(reading.tool.as_deref(), Some("mysqldump 8.0.36"));
    assert_eq!((reading.off_host, reading.encrypted), (Some(true), Some(false)));
    assert!(reading.free.is_some());
}

#[tokio::test]
async fn a_file_is_read_once_as_long_as_it_stays_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.sql");
    write(&file, GOOD, at(0));
    let source = source(folder.path(), "");
    assert_eq!(faults(&poll(&source, at(5)).await)[0].1, "good");
    // The same length, time and inode: nobody reads it again.
    write(&file, &"x".repeat(GOOD.len()), at(0));
    assert_eq!(faults(&poll(&source, at(5)).await)[0].1, "good");
    write(&file, &GOOD[..80], at(1));
    assert_eq!(faults(&poll(&source, at(5)).await)[0].1, "truncated: no closing line");
}

#[tokio::test]
async fn a_file_that_is_being_written_is_no_truncated_one_until_it_rests() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.sql");
    let source = source(folder.path(), "");
    let now = at(5);
    write(&file, &GOOD[..70], now - Duration::from_secs(30));
    let reading = poll(&source, now).await;
    assert_eq!((reading.snapshots.len(), reading.count), (0, 0));
    assert_eq!(reading.running.as_ref().unwrap().since, Some(now));
    let now = now + Duration::from_mins(1);
    write(&file, &GOOD[..90], now);
    let running = poll(&source, now).await.running.unwrap();
    assert_eq!((running.since, running.by.as_str()), (Some(at(5)), "a.sql"));
    // It rests, and is still not whole.
    let later = now + Duration::from_mins(3);
    let reading = poll(&source, later).await;
    assert_eq!(faults(&reading)[0].1, "truncated: no closing line");
    assert_eq!(reading.running, None);
    // A whole one counts at once.
    write(&file, GOOD, later);
    assert_eq!(faults(&poll(&source, later).await)[0].1, "good");
}

#[tokio::test]
async fn a_later_copy_is_as_old_as_its_own_date() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("a.sql"), GOOD, at(72));
    let reading = poll(&source(folder.path(), ""), at(73)).await;
    assert_eq!(reading.snapshots[0].taken, at(0));
    assert!(
        reading.notes[0].contains("by its own word it is of 2026-11-21"),
        "{:?}",
        reading.notes
    );
}

#[tokio::test]
async fn a_missing_folder_is_absent_and_an_empty_one_has_no_backup() {
    let folder = tempfile::tempdir().unwrap();
    let reading = poll(&source(folder.path(), ""), at(0)).await;
    assert_eq!((reading.count, reading.snapshots.len()), (0, 0));
    let gone = source(&folder.path().join("gone"), "");
    let error = gone.poll(at(0)).await.unwrap_err();
    assert_eq!(error.cause, PollFailure::Absent);
    assert!(error.message.ends_with("there is no such folder"), "{}", error.message);
}

#[tokio::test]
async fn limits_and_formats_of_the_config_hold() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("a.sql"), GOOD, at(0));
    let small = poll(&source(folder.path(), "min_size = '1 MiB'"), at(5)).await;
    assert!(faults(&small)[0].1.starts_with("too small: "), "{:?}", faults(&small));
    let other = poll(&source(folder.path(), "format = 'custom'"), at(5)).await;
    assert_eq!(faults(&other)[0].1, "it is a mysqldump, not what it should be");
}

#[tokio::test]
async fn a_full_check_reads_the_newest_and_its_finding_counts() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.sql");
    let mut text = GOOD.as_bytes()[..60].to_vec();
    text.extend(vec![b'x'; 300_000]);
    text.extend(vec![0; 16_384]);
    text.extend(b"\n-- Dump completed\n");
    fs::write(&file, &text).unwrap();
    touch(&file, at(0));
    let source = source(folder.path(), "");
    assert_eq!(faults(&poll(&source, at(5)).await)[0].1, "good");
    let check = source.look(&Look::Verify, at(5)).unwrap().await;
    let Ok(Seen::Verified(check)) = check else { panic!("{check:?}") };
    assert_eq!((check.of.as_str(), check.status), ("a.sql", Status::Critical));
    assert_eq!(check.words, "damaged: zeros where rows should be");
    assert_eq!(faults(&poll(&source, at(5)).await)[0].1, check.words);
    assert!(source.look(&Look::Issue("1".into()), at(5)).is_none());
}

#[tokio::test]
async fn the_mark_of_a_restore_comes_with_the_reading() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("a.sql"), GOOD, at(0));
    let mark = folder.path().join("restored");
    let more = format!("restored = '{}'", mark.display());
    let source = source(folder.path(), &more);
    assert_eq!(poll(&source, at(5)).await.restore, None);
    fs::write(&mark, "{\"at\":\"2026-11-20T03:00:00Z\",\"ok\":true,\"took_s\":60}\n").unwrap();
    let restore = poll(&source, at(5)).await.restore.unwrap();
    assert_eq!((restore.good, restore.took), (true, Some(Duration::from_mins(1))));
    fs::remove_file(&mark).unwrap();
    fs::create_dir(&mark).unwrap();
    assert_eq!(poll(&source, at(5)).await.notes, ["restore mark: it is no file"]);
}
