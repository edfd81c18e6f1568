use super::*;
use PollFailure::{Absent, Broken, Busy, Denied, Network};

macro_rules! recorded {
    ($name:literal) => {
        &include_bytes!(concat!("../../../../tests/data/pgbackrest/", $name))[..]
    };
}

fn of(out: &[u8]) -> Result<BackupReading, PollError> {
    info(out, "main", None)
}

#[test]
fn a_chain_of_backups_has_times_sizes_durations() {
    let reading = of(recorded!("info_all.out")).unwrap();
    let ids: Vec<&str> = reading.snapshots.iter().map(|snapshot| snapshot.id.as_str()).collect();
    let expected = [
        "20261121-090728F",
        "20261121-090728F_20261121-090732I",
        "20261121-090728F_20261121-090734D",
    ];
    assert_eq!(ids, expected);
    let full = &reading.snapshots[0];
    assert_eq!((full.size, full.took.unwrap().as_secs()), (Some(31_389_975), 3));
    assert_eq!(full.taken.millis(), 1_795_252_051_000);
    assert_eq!((reading.encrypted, reading.count), (Some(false), 3));
    assert_eq!(reading.tool.as_deref(), Some("pgBackRest 2.45"));
    assert_eq!(reading.notes, ["WAL from 000000010000000000000001 to 000000010000000000000007"]);
    assert!(reading.running.is_none() && reading.problems.is_empty());
}

#[test]
fn a_lock_means_that_one_runs() {
    assert!(of(recorded!("info_locked.out")).unwrap().running.is_some());
    let text = String::from_utf8(recorded!("info_locked.out").to_vec()).unwrap();
    let newer =
        text.replace("\"held\":true", "\"held\":true,\"size\":4000000,\"size-cplt\":1000000");
    let by = of(newer.as_bytes()).unwrap().running.unwrap().by;
    assert!(by.starts_with("pgBackRest, ") && by.contains(" of "), "{by}");
}

#[test]
fn it_always_exits_with_zero_and_the_status_tells() {
    assert!(of(recorded!("info_nobackup.out")).unwrap().snapshots.is_empty());
    for (out, cause) in [
        (recorded!("info_nothing.out"), Absent),
        (recorded!("info_unknown.out"), Absent),
        (recorded!("info_missing_data.out"), Broken),
        (recorded!("info_noperm.out"), Denied),
        (&b""[..], Broken),
        (b"ERROR: no", Broken),
        (b"[{\"name\":\"main\"}]", Broken),
        (b"[{\"name\":\"other\",\"status\":{\"code\":0}}]", Absent),
    ] {
        let error = of(out).unwrap_err();
        assert_eq!(error.cause, cause, "{error}");
    }
    let told = of(recorded!("info_noperm.out")).unwrap_err().message;
    assert!(told.contains("Permission denied"), "{told}");
    let other = |message: &str| {
        let text = format!(
            r#"[{{"name":"[invalid]","backup":[],"repo":[{{"key":1,"status":{{"code":99,"message":"{message}"}}}}],"status":{{"code":99,"message":"other"}}}}]"#
        );
        of(text.as_bytes()).unwrap_err().cause
    };
    assert_eq!(other("[CryptoError] cipher header invalid"), Denied);
    assert_eq!(other("[HostConnectError] unable to connect"), Network);
    assert_eq!(other("[FormatError] invalid"), Broken);
}

#[test]
fn one_bad_repository_of_two_is_a_problem_and_no_failure() {
    let text = String::from_utf8(recorded!("info_all.out").to_vec()).unwrap();
    let second =
        r#""repo":[{"cipher":"none","key":2,"status":{"code":1,"message":"missing stanza path"}},"#;
    let two =
        text.replace("\"repo\":[", second).replace("\"code\":0,\"lock\"", "\"code\":4,\"lock\"");
    let reading = info(two.as_bytes(), "main", None).unwrap();
    assert_eq!(reading.snapshots.len(), 3);
    assert_eq!(
        reading.problems[0].words,
        "repository 2: there is no such stanza in the repository"
    );
    assert!(info(two.as_bytes(), "main", Some(1)).unwrap().problems.is_empty());
    assert_eq!(info(two.as_bytes(), "main", Some(2)).unwrap_err().cause, Absent);
}

#[test]
fn page_errors_broken_chains_and_missing_wal_are_told() {
    let text = String::from_utf8(recorded!("info_all.out").to_vec()).unwrap();
    let bad = text.replacen("\"error\":false", "\"error\":true", 1);
    assert_eq!(
        of(bad.as_bytes()).unwrap().snapshots[0].fault.as_ref().unwrap().status,
        Status::Warning
    );
    let null = text.replace("\"error\":false", "\"error\":null");
    assert!(of(null.as_bytes()).unwrap().snapshots.iter().all(|snapshot| snapshot.fault.is_none()));
    let lost = text.replacen("\"label\":\"20261121-090728F\"", "\"label\":\"X\"", 1);
    let reading = of(lost.as_bytes()).unwrap();
    let newest = reading.snapshots.last().unwrap().fault.as_ref().unwrap();
    assert_eq!(newest.status, Status::Critical);
    assert!(newest.words.contains("20261121-090728F, which is gone"), "{}", newest.words);
    let behind = text
        .replace("\"max\":\"000000010000000000000007\"", "\"max\":\"000000010000000000000005\"");
    assert_eq!(of(behind.as_bytes()).unwrap().problems[0].status, Status::Critical);
}

#[test]
fn exit_codes_and_words_tell_why_it_ended() {
    for (code, err, cause) in [
        (31, recorded!("bad_option.err"), Broken),
        (50, recorded!("backup_locked.err"), Busy),
        (62, recorded!("backup_stopped.err"), Busy),
        (55, recorded!("check_nostanza.err"), Absent),
        (1, b"sudo: a password is required\n", Denied),
        (41, b"ERROR: [041]: unable to open file '/etc/pgbackrest.conf' for read: [13] Permission denied", Denied),
    ] {
        assert_eq!(failed(code, err, b"").0, cause, "{code}");
    }
    assert_eq!(failed(31, recorded!("bad_option.err"), b"").1, "invalid option '--bogus'");
    assert_eq!(failed(25, b"", b"").1, "pgBackRest ended with exit code 25");
}

#[test]
fn what_verify_finds_is_told() {
    assert_eq!(verified(recorded!("verify.out")).0, Status::Ok);
    let good = b"P00   INFO: Results:\n  backup: 2F, status: valid, total files checked: 9, total valid files: 9\n\
                 missing: 0, checksum invalid: 0, size invalid: 0, other: 0\n";
    assert_eq!(verified(good).0, Status::Ok);
    let bad =
        b"P01   INFO: invalid checksum 'main/backup/x.gz'\nstatus: invalid\nchecksum invalid: 1";
    assert_eq!(verified(bad).0, Status::Critical);
}

#[test]
fn what_a_wrong_passphrase_makes_of_a_file_is_told_from_damage() {
    let ask = |cipher: &str, message: &[u8]| {
        let head = format!(
            r#"[{{"name":"main","cipher":"{cipher}","repo":[{{"key":1,"cipher":"{cipher}","status":{{"code":99,"message":""#
        );
        let tail = r#""}}],"status":{"code":99,"message":"other"}}]"#;
        let error =
            info(&[head.as_bytes(), message, tail.as_bytes()].concat(), "main", None).unwrap_err();
        (error.cause, error.message)
    };
    let garbage = b"[FormatError] unable to load info file '/r/backup.info' or '/r/backup.info.copy':\\nFormatError: key/value found outside of section at line 1: \xed\x1f\x00\xff";
    assert_eq!(ask("aes-256-cbc", garbage), (Denied, "wrong cipher passphrase".into()));
    let (cause, words) = ask("none", garbage);
    assert_eq!(cause, Broken);
    assert!(words.starts_with("backup.info cannot be read: key/value found outside"), "{words}");
    let flush =
        b"[CryptoError] unable to load info file '/r/b' or '/r/c':\\nCryptoError: unable to flush";
    assert_eq!(ask("aes-256-cbc", flush), (Denied, "wrong cipher passphrase".into()));
    let sum = b"[ChecksumError] unable to load info file '/certificate/b' or '/r/c':\\nChecksumError: invalid checksum";
    assert_eq!(ask("aes-256-cbc", sum), (Broken, "b cannot be read: invalid checksum".into()));
}
