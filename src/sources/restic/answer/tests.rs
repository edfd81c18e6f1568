use super::*;
use PollFailure::{Absent, Broken, Busy, Denied, Limited, Name, Refused};
use std::time::Duration;

macro_rules! recorded {
    ($name:literal) => {
        include_bytes!(concat!("../../../../tests/data/restic/", $name))
    };
}

#[test]
fn snapshots_of_an_old_restic_have_no_size_and_no_end() {
    let reading = snapshots(recorded!("snapshots.out"), true).unwrap();
    assert_eq!(reading.snapshots.len(), 5);
    let first = &reading.snapshots[0];
    assert_eq!((first.id.as_str(), first.host.as_deref()), ("81a8df02", Some("web-1")));
    assert_eq!(first.taken.to_string(), "2026-11-21T08:57:37.765Z");
    assert_eq!((first.size, first.took), (None, None));
    assert!(reading.snapshots.is_sorted_by_key(|snapshot| snapshot.taken));
    assert!(reading.notes.is_empty());
}

#[test]
fn snapshots_of_several_hosts_or_paths_are_told_unless_they_are_picked() {
    let reading = snapshots(recorded!("snapshots.out"), false).unwrap();
    assert!(reading.notes[0].starts_with("snapshots of 3 different hosts and paths"));
}

#[test]
fn a_summary_gives_size_end_and_duration_and_what_is_left_out_is_zero() {
    let told = br#"[
        {"time":"2026-11-21T03:00:00+08:00","id":"a","hostname":"db-1","paths":["/d"],
         "summary":{"backup_start":"2026-11-21T03:00:00+08:00","backup_end":"2026-11-21T03:10:00+08:00",
                    "total_bytes_processed":"1024"}},
        {"time":"2026-11-20T03:00:00Z","id":"b","hostname":"db-1","paths":["/d"],"summary":{}},
        {"time":"2026-11-20T03:00:00Z","id":"b","hostname":"db-1","paths":["/d"]},
        {"time":"2036-01-01T00:00:00Z","id":null,"paths":["/d"],"hostname":"db-1","tags":null,"summary":null},
        {"time":7}, null
    ]"#;
    let reading = snapshots(told, false).unwrap();
    let newest = reading.snapshots.iter().find(|snapshot| snapshot.id == "a").unwrap();
    assert_eq!(newest.taken.to_string(), "2026-11-20T19:10:00.000Z");
    assert_eq!((newest.size, newest.took), (Some(1_024), Some(Duration::from_mins(10))));
    assert_eq!(reading.snapshots[0].size, Some(0));
    assert_eq!(reading.snapshots.len(), 3);
    assert_eq!(reading.problems[0].words, "2 snapshots without a time that can be read");
}

#[test]
fn an_answer_that_is_none_is_broken_and_an_empty_list_is_none_of_that() {
    assert!(snapshots(recorded!("snapshots_empty.out"), true).unwrap().snapshots.is_empty());
    assert!(snapshots(b"null\n", true).unwrap().snapshots.is_empty());
    for wrong in [&b""[..], b"\n", b"<html>", b"{}", b"[{\"time\":", b"\xff\xfe", b"7"] {
        assert_eq!(snapshots(wrong, true).unwrap_err().cause, Broken);
    }
    let escape = b"[{\"time\":\"2026-11-20T03:00:00Z\",\"hostname\":\"\\u001b[2Jx\"}]";
    let reading = snapshots(escape, true).unwrap();
    assert_eq!(reading.snapshots[0].host.as_deref(), Some("\u{fffd}x"));
}

#[test]
fn locks_are_read_and_nothing_else_is_taken_for_an_id() {
    assert_eq!(locks(recorded!("lock_list.out")).len(), 1);
    assert!(locks(b"\n--password-command=x\nabc\n").is_empty());
    let lock = lock(recorded!("lock_cat.out")).unwrap();
    assert_eq!((lock.exclusive, lock.host.as_str(), lock.pid), (false, "vm", 28_395));
    assert_eq!(lock.at.to_string(), "2026-11-21T08:57:59.135Z");
}

#[test]
fn the_version_is_the_programs_own() {
    assert_eq!(version(recorded!("version.out")).as_deref(), Some("restic 0.14.0"));
    assert_eq!(version(b"usage: restic"), None);
}

#[test]
fn an_old_restic_has_one_code_and_its_words_tell_what_it_was() {
    for (err, cause, told) in [
        (&recorded!("missing_repo.err")[..], Absent, "there is no restic repository"),
        (recorded!("no_config.err"), Absent, "there is no restic repository"),
        (recorded!("wrong_password.err"), Denied, "wrong password"),
        (recorded!("no_password.err"), Denied, "no password was given"),
        (
            recorded!("lock_excl_check.err"),
            Busy,
            "the repository is locked by PID 28395 on vm by root",
        ),
        (recorded!("bad_flag.err"), Broken, "unknown flag: --nope"),
    ] {
        assert_eq!(failed(1, err, b""), (cause, told.to_owned()));
    }
    let (cause, told) = failed(1, recorded!("rest_down.err"), b"");
    assert_eq!(cause, Refused);
    assert!(told.ends_with("connection refused"), "{told}");
    assert_eq!(failed(1, recorded!("damaged_restore.err"), b"").0, Broken);
}

#[test]
fn a_new_restic_tells_by_code_and_by_json_lines() {
    let line = |code: i32, message: &str| {
        format!("{{\"message_type\":\"exit_error\",\"code\":{code},\"message\":\"{message}\"}}\n")
    };
    for (code, message, cause) in [
        (10, "Fatal: repository does not exist: unable to open config file", Absent),
        (
            11,
            "Fatal: unable to create lock in backend: repository is already locked by PID 3 on h by root (UID 0, GID 0)\\nlock was created",
            Busy,
        ),
        (12, "Fatal: wrong password or no key found", Denied),
        (
            1,
            "Fatal: unable to open config file: Stat: Access Denied.\\nIs there a repository at the following location?",
            Denied,
        ),
        (1, "Fatal: unable to open repository at s3:x: lookup x: no such host", Name),
        (1, "Fatal: SlowDown: please reduce your request rate", Limited),
        (1, "Fatal: load <snapshot/1>: invalid data returned", Broken),
    ] {
        let line = line(code, message);
        assert_eq!(failed(code, line.as_bytes(), b"").0, cause, "{message}");
        // Some versions say it on the other side, and exit with 1 all the same.
        assert_eq!(failed(1, b"", line.as_bytes()).0, cause, "{message}");
    }
    assert_eq!(failed(130, b"", b""), (Broken, "restic was ended by signal 2".into()));
    assert_eq!(failed(2, b"", b""), (Broken, "restic ended with exit code 2".into()));
    assert_eq!(failed(12, b"", b"").0, Denied);
}

#[test]
fn a_snapshot_that_restic_leaves_out_is_told() {
    assert_eq!(unread(b""), None);
    let one =
        "could not load snapshot 8253d6fd: load <snapshot/8253d6fd18>: invalid data returned\n";
    let told = unread(one.as_bytes()).unwrap();
    assert_eq!(told, "a snapshot is damaged and cannot be read: 8253d6fd");
    let two = format!("{one}{one}could not load snapshot 93: gone\n");
    assert!(unread(two.as_bytes()).unwrap().ends_with("8253d6fd and 1 more"));
}
