//! Status files as jobs write them, whole and not.

use super::*;
use crate::config::Config;
use crate::sources::{Sources, kind_keys};
use std::fs;
use std::os::unix::fs::PermissionsExt;

fn told(text: &str) -> Result<BackupReading, PollError> {
    parse(text.as_bytes(), &Wants { min_size: 100, ..Wants::default() })
}

fn faults(reading: &BackupReading) -> Vec<&str> {
    let fault = |one: &Snapshot| one.fault.is_some();
    let words = |one| if fault(one) { &one.fault.as_ref().unwrap().words } else { "good" };
    reading.snapshots.iter().map(words).collect()
}

fn why(text: &str) -> String {
    let error = told(text).unwrap_err();
    assert_eq!(error.cause, PollFailure::Broken, "{text}");
    error.message
}

#[test]
fn one_object_a_list_and_lines_are_read() {
    let one = r#"{"at":"2026-11-21T03:00:00+01:00","ok":true,"bytes":"1048576","took_s":61.5}"#;
    let reading = told(one).unwrap();
    let snapshot = &reading.snapshots[0];
    assert_eq!(snapshot.taken.to_string(), "2026-11-21T02:00:00.000Z");
    assert_eq!(
        (snapshot.size, snapshot.took),
        (Some(1 << 20), Some(Duration::from_millis(61_500)))
    );
    assert_eq!((faults(&reading), reading.count), (vec!["good"], 1));
    let pretty = "\u{feff}{\n  \"at\": 1795230000,\n  \"ok\": \"true\",\n  \"bytes\": null\n}\n";
    assert_eq!(faults(&told(pretty).unwrap()), ["good"]);

    let list = format!(r#"[{one}, {{"at":1795230000,"ok":false,"error":"disk\u001b[2J full"}}]"#);
    let reading = told(&list).unwrap();
    assert_eq!(reading.count, 2);
    assert!(faults(&reading)[1].starts_with("disk") && !faults(&reading)[1].contains('\u{1b}'));

    // The line that is being written takes nothing back.
    let lines =
        format!("{one}\n\n{{\"at\":1795240000,\"running\":true,\"name\":\"n\"}}\n{{\"at\":17");
    let reading = told(&lines).unwrap();
    assert_eq!(faults(&reading), ["good"]);
    assert_eq!(reading.running.as_ref().unwrap().by, "n");
    assert_eq!(reading.notes, ["1 entry cannot be used, the last: it is no whole JSON"]);
    assert_eq!(told("[]").unwrap().count, 0);
}

#[test]
fn only_what_says_that_it_went_well_is_good() {
    let fault = |rest: &str| {
        let reading = told(&format!(r#"{{"at":1795230000{rest}}}"#)).unwrap();
        faults(&reading)[0].to_owned()
    };
    assert_eq!(fault(r#","ok":true"#), "good");
    assert_eq!(fault(r#","ok":true,"error":"""#), "good");
    assert_eq!(fault(r#","ok":true,"error":null"#), "good");
    assert_eq!(fault(r#","ok":false"#), "it failed");
    assert_eq!(fault(""), "it does not say `ok`");
    assert_eq!(fault(r#","ok":"perhaps""#), "it does not say `ok`");
    assert_eq!(fault(r#","ok":true,"bytes":0"#), "empty");
    assert!(fault(r#","ok":true,"bytes":99"#).starts_with("too small: 99B, at least "));
    assert_eq!(fault(r#","ok":true,"error":"exit code 2""#), "exit code 2");
}

#[test]
fn what_cannot_be_used_is_broken_with_its_reason() {
    assert_eq!(why(" \n"), "it is empty");
    assert_eq!(why("<html>login</html>"), "it is no whole JSON");
    assert_eq!(why(r#"{"at":17952"#), "it is no whole JSON");
    assert_eq!(why(r#"{"ok":true}"#), "it tells no time in `at`");
    assert_eq!(why(r#"{"ok":true,"at":"yesterday"}"#), "it tells no time in `at`");
    assert_eq!(why("42"), "it is no JSON object");
    assert_eq!(why("\u{0}\u{0}\u{0}"), "it is no whole JSON");
}

async fn poll(status: &str) -> Result<BackupReading, PollError> {
    let mut mistakes = Mistakes::default();
    let text = format!("[backup.a]\nstatus = '{status}'\ntimeout = '5s'\n");
    let config = Config::read(&text, &kind_keys(), &mut mistakes);
    let sources = Sources::of(&config, &Shared::new(|| Duration::ZERO, 1), &mut mistakes);
    assert!(mistakes.is_empty(), "{:?}", mistakes.in_order());
    match sources.all[0].poll(Timestamp::default()).await? {
        Brought::Reading(Reading::Backup(reading)) => Ok(BackupReading::clone(&reading)),
        other => panic!("no backups: {other:?}"),
    }
}

#[tokio::test]
async fn a_file_is_read_to_its_end_and_why_not_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("s.json");
    let path = file.to_string_lossy().into_owned();
    assert_eq!(poll(&path).await.unwrap_err().cause, PollFailure::Absent);
    let line = "{\"at\":1795230000,\"ok\":true,\"bytes\":4096,\"note\":\"0123456789\"}\n";
    fs::write(&file, line.repeat(30_000)).unwrap();
    let reading = poll(&path).await.unwrap();
    assert!(reading.notes.is_empty(), "{:?}", reading.notes);
    assert_eq!((reading.snapshots.len(), reading.place.as_str()), (1_000, &*path));
    assert_eq!(poll(&folder.path().to_string_lossy()).await.unwrap_err().message, "it is no file");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::File::open(&file).is_err() {
        assert_eq!(poll(&path).await.unwrap_err().cause, PollFailure::Denied);
    }
}

#[test]
fn what_is_neither_a_path_nor_a_url_is_a_mistake() {
    let mut mistakes = Mistakes::default();
    let config = Config::read("[backup.a]\nstatus = 's.json'\n", &kind_keys(), &mut mistakes);
    Sources::of(&config, &Shared::new(|| Duration::ZERO, 1), &mut mistakes);
    assert_eq!(mistakes.in_order()[0].message, "neither a whole path nor a URL");
}
