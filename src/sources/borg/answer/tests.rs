use super::*;
use PollFailure::{Absent, Broken, Busy, Denied, Name, Network, Refused};

macro_rules! recorded {
    ($version:literal, $name:literal) => {
        &include_bytes!(concat!("../../../../tests/data/", $version, "/", $name))[..]
    };
}

macro_rules! both {
    ($name:literal) => {
        [recorded!("borg", $name), recorded!("borg-1.4.5", $name)]
    };
}

#[test]
fn archives_come_oldest_first_and_times_are_utc() {
    for out in both!("list.out") {
        let (reading, told) = archives(out).unwrap();
        assert_eq!(reading.snapshots.len(), 4);
        assert_eq!(told.ids.len(), 4);
        assert!(reading.snapshots[0].id.starts_with("web-2026-11-21T09:0"));
        assert!(reading.snapshots[0].taken.to_string().starts_with("2026-11-21T09:0"));
        assert_eq!(reading.encrypted, Some(true));
        assert_eq!(told.repository.len(), 64);
        assert!(told.modified.starts_with("2026-11-21T09:0"));
    }
    for out in both!("list_empty.out") {
        assert!(archives(out).unwrap().0.snapshots.is_empty());
    }
}

#[test]
fn odd_answers_are_broken_and_odd_archives_are_counted() {
    for wrong in [&b""[..], b"{}", b"[]", b"{\"archives\":{}}", b"<html>", b"{\"archives\":["] {
        assert_eq!(archives(wrong).unwrap_err().cause, Broken);
    }
    let out = br#"{"archives":[
        {"name":"b","start":"2026-11-21T03:00:00","end":"2026-11-21T03:05:00.500000","hostname":"db-1"},
        {"archive":"a","time":"2026-11-20T03:00:00+08:00","id":null},
        {"name":"c.checkpoint.1","time":"2026-11-21T04:00:00.000000"},
        {"name":"d"}, null],
        "encryption":{"mode":"authenticated-blake2"}}"#;
    let (reading, told) = archives(out).unwrap();
    assert_eq!(told.names, ["a", "b", "c.checkpoint.1"]);
    assert_eq!(reading.snapshots[0].taken.to_string(), "2026-11-19T19:00:00.000Z");
    assert_eq!(reading.snapshots[1].took, Some(std::time::Duration::from_millis(300_500)));
    assert!(reading.snapshots[2].fault.is_some() && reading.snapshots[1].fault.is_none());
    assert_eq!(reading.problems[0].words, "2 archives without a time that can be read");
    assert_eq!(reading.encrypted, Some(false));
}

#[test]
fn the_version_is_the_programs_own() {
    assert_eq!(version(recorded!("borg", "version.out")).as_deref(), Some("borg 1.2.4"));
    assert!(version(recorded!("borg-1.4.5", "version.out")).unwrap().ends_with("1.4.5"));
}

#[test]
fn sizes_are_read_for_the_archive_that_was_asked_for() {
    for out in both!("info_last.out") {
        let id = serde_json::from_slice::<Value>(out).unwrap()["archives"][0]["id"].clone();
        let size = crate::sources::borg::sizes::parse(out, id.as_str().unwrap()).unwrap();
        let mut snapshot = Snapshot::default();
        size.put(&mut snapshot);
        assert_eq!((snapshot.size, snapshot.host.as_deref()), (Some(5), Some("vm")));
        assert!(snapshot.took.unwrap().as_millis() > 0);
        assert_eq!(crate::sources::borg::sizes::parse(out, "00"), None);
    }
}

#[test]
fn each_error_has_its_word_with_and_without_ids() {
    let same = [
        (both!("missing_repo.err"), Absent),
        (both!("missing_repo_logjson.err"), Absent),
        (both!("modern_codes_missing.err"), Absent),
        (both!("wrong_pass.err"), Denied),
        (both!("wrong_pass_logjson.err"), Denied),
        (both!("modern_codes_wrong.err"), Denied),
        (both!("no_pass.err"), Denied),
        (both!("passcommand_bad.err"), Denied),
        (both!("lock_list_nowait.err"), Busy),
        (both!("lock_check.err"), Busy),
        (both!("damaged_extract.err"), Broken),
        (both!("bad_flag.err"), Broken),
    ];
    for (recorded, cause) in same {
        for err in recorded {
            let told = failed(2, err);
            assert_eq!(told.0, cause, "{}", told.1);
        }
    }
    assert_eq!(failed(2, recorded!("borg", "wrong_pass_logjson.err")).1, "wrong passphrase");
    let (cause, words) = failed(2, recorded!("borg", "lock_bypass.err"));
    assert!(cause == Broken && words.contains("newer than repository"), "{words}");
}

#[test]
fn modern_exit_codes_tell_where_no_message_does() {
    for (code, cause) in [
        (13, Absent),
        (15, Absent),
        (52, Denied),
        (50, Denied),
        (42, Denied),
        (73, Busy),
        (80, Network),
        (90, Broken),
        (12, Broken),
        (2, Broken),
        (99, Broken),
    ] {
        assert_eq!(failed(code, b"").0, cause, "{code}");
    }
    assert_eq!(failed(143, b"").1, "borg was ended by signal 15");
}

#[test]
fn what_ssh_says_is_told_apart() {
    let line = |message: &str, id: &str| {
        format!(
            "{{\"type\":\"log_message\",\"levelname\":\"ERROR\",\"msgid\":\"{id}\",\"message\":\"{message}\"}}\n"
        )
    };
    let closed = "Connection closed by remote host. Is borg working on the server?";
    let after = |said: &str| {
        let warned = line(&format!("Remote: {said}"), "").replace("ERROR", "WARNING");
        failed(2, (warned + &line(closed, "ConnectionClosedWithHint")).as_bytes()).0
    };
    assert_eq!(after("ssh: connect to host b port 22: Connection refused"), Refused);
    assert_eq!(after("ssh: Could not resolve hostname b: Name or service not known"), Name);
    assert_eq!(after("borg@b: Permission denied (publickey)."), Denied);
    assert_eq!(after("hm"), Network);
    let lock = line(
        "Failed to create/acquire the lock /r/lock.exclusive ([Errno 13] Permission denied: '/r').",
        "LockFailed",
    );
    assert_eq!(failed(2, lock.as_bytes()).0, Denied);
    let unknown = line("Cache initialization aborted", "Cache.CacheInitAbortedError");
    let (cause, words) = failed(60, unknown.as_bytes());
    assert!(cause == Denied && words.contains("BORG_UNKNOWN_UNENCRYPTED"), "{words}");
}
