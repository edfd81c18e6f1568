use super::super::facts::{Replication, parse};
use super::*;
use crate::domain::Thresholds;
use std::time::Duration;

fn limits() -> Limits {
    let above = |warning, critical| Thresholds {
        below: false,
        warning: Some(warning),
        critical: Some(critical),
    };
    Limits {
        connections: above(0.8, 0.95),
        longest: above(300.0, 3_600.0),
        idle: above(60.0, 900.0),
        blocked: above(10.0, 120.0),
        lag: above(60.0, 600.0),
        lag_bytes: above(256e6, 4e9),
        replicas: None,
        slot_bytes: above(1e9, 16e9),
        archive: above(0.0, 900.0),
        ids: above(0.5, 0.85),
    }
}

/// A server without trouble, as the query brings it; `more` is put before its end.
fn answers(more: &str, replication: &str) -> Answers {
    let core = format!(
        r#"{{"version":"15.18 (Debian 15.18-0+deb12u1)","number":150018,"standby":false,
        "now":1000000,"started":1000,"max":30,"reserved":3,"monitor":true,"clients":12,
        "backends":13,"waiting":0,"longest":null,"idle":null,"idle_count":0,"deadlocks":0,
        "xid_age":740,"archive_mode":"off","statements":null{more}}}"#
    );
    Answers {
        core: parse(&core).unwrap(),
        replication: Ok(parse::<Replication>(replication).unwrap()),
        blocked: None,
        waiting_segments: None,
        slow: None,
        own: None,
    }
}

fn judged(answers: &Answers) -> CheckReading {
    judge(answers, &limits(), &mut None)
}

fn with(more: &str) -> CheckReading {
    judged(&answers(more, "{}"))
}

fn part(reading: &CheckReading, name: &str) -> (Status, String) {
    let found = reading.components.iter().find(|part| part.name == name);
    found.map(|part| (part.status, part.detail.clone())).unwrap()
}

#[test]
fn a_server_without_trouble_is_told_in_a_line() {
    let good = with("");
    assert_eq!(good.summary, "PostgreSQL 15.18 primary, 12 of 30 connections");
    assert_eq!((good.status, good.cause), (Status::Ok, None));
    assert_eq!(part(&good, "connections").1, "12 of 30 (40%)");
}

#[test]
fn sessions_are_told_with_their_pid_and_state() {
    let long = answers("", "{}");
    let mut long = long;
    long.core.longest =
        parse(r#"{"pid":411,"seconds":420,"state":"idle in transaction","app":"api"}"#).unwrap();
    long.core.idle =
        parse(r#"{"pid":411,"seconds":100,"state":"idle in transaction","app":"api"}"#).unwrap();
    let told = judged(&long);
    assert_eq!(
        told.summary,
        "longest transaction 7m, pid 411, idle in transaction, api (and 1 more)"
    );
    assert_eq!(told.status, Status::Warning);
    // A nightly dump is long, and that is no reason to wake anybody.
    long.core.longest =
        parse(r#"{"pid":7,"seconds":90000,"state":"active","app":"pg_dump"}"#).unwrap();
    assert_eq!(part(&judged(&long), "longest transaction").0, Status::Warning);

    long.blocked = Some(Ok(parse(
        r#"{"count":2,"seconds":130,"by":411,"state":"idle in transaction","since":420}"#,
    )
    .unwrap()));
    let told = judged(&long);
    assert!(told.summary.starts_with("2 blocked by pid 411, for 2m10s"), "{}", told.summary);
    let detail = "2 by pid 411 (idle in transaction 7m), for 2m10s";
    assert_eq!(part(&told, "blocked"), (Status::Critical, detail.into()));
}

#[test]
fn without_the_right_to_see_sessions_they_are_unknown_and_the_rest_counts() {
    let mut small = answers("", "{}");
    small.core.monitor = false;
    let told = judged(&small);
    assert_eq!((told.status, part(&told, "blocked").0), (Status::Ok, Status::Unknown));
    assert_eq!(part(&told, "connections").1, "13 of 30 (43%)");
    assert!(told.notes[0].contains("grant pg_monitor"));
}

#[test]
fn an_archive_that_fails_says_since_when() {
    let archiver = |archived: &str| {
        format!(
            r#","archiver":{{"archived_count":5,"failed_count":3,"last_failed":999990,
            "last_failed_wal":"000000010000000000000007","last_archived":{archived}}}"#
        )
    };
    let mut failing = answers(&archiver("999900"), "{}");
    assert!(!failing.core.archiving_fails(), "archiving is off");
    failing.core.archive_mode = Some("on".into());
    failing.waiting_segments = Some(2.0);
    let words = "fails at 000000010000000000000007, 3 failures, 2 segments waiting, last archived 1m40s ago";
    assert_eq!(part(&judged(&failing), "archive"), (Status::Warning, words.into()));
    let mut long = answers(&archiver("990000"), "{}");
    long.core.archive_mode = Some("on".into());
    assert_eq!(judged(&long).status, Status::Critical);
    let mut well = answers(&archiver("999995"), "{}");
    well.core.archive_mode = Some("on".into());
    assert_eq!(part(&judged(&well), "archive"), (Status::Ok, "last segment 5s ago".into()));
}

#[test]
fn a_quiet_standby_is_not_late() {
    let standby = |text: &str| judged(&answers("", text));
    let link = r#""receiver":{"status":"streaming","silent":3}"#;
    let quiet = standby(&format!(r#"{{"standby":true,{link},"bytes":0,"seconds":90000}}"#));
    assert_eq!(part(&quiet, "replay"), (Status::Ok, "replayed all that came".into()));
    let late = standby(&format!(r#"{{"standby":true,{link},"bytes":1048576,"seconds":700}}"#));
    assert_eq!(part(&late, "replay"), (Status::Critical, "1MB and 11m behind".into()));
    let cut = standby(r#"{"standby":true,"receiver":null,"bytes":0}"#);
    assert_eq!(cut.summary, "standby: no link to the primary: nothing is received");
    let paused = standby(&format!(r#"{{"standby":true,{link},"bytes":0,"paused":true}}"#));
    assert_eq!(paused.status, Status::Warning);
}

#[test]
fn a_primary_tells_of_its_standbys_and_slots() {
    let text = r#"{"standby":false,"replicas":[
        {"name":"standby_a","state":"streaming","sync_state":"async","bytes":0,"seconds":null},
        {"name":"standby_b","state":"catchup","sync_state":"sync","bytes":5e9,"seconds":5}],
        "slots":[{"name":"a","active":true,"bytes":0},{"name":"b","active":false,"bytes":2e9},
        {"name":"c","active":false,"wal_status":"lost"}]}"#;
    let mut limits = limits();
    limits.replicas = Some(2);
    let told = judge(&answers("", text), &limits, &mut None);
    assert_eq!(part(&told, "replica standby_a").1, "streaming, nothing behind");
    assert_eq!(part(&told, "replica standby_b").0, Status::Critical);
    assert_eq!(part(&told, "replicas"), (Status::Critical, "1 of 2 streaming".into()));
    assert_eq!(part(&told, "slot a").0, Status::Ok);
    assert_eq!(part(&told, "slot b").0, Status::Warning);
    assert_eq!(part(&told, "slot c").0, Status::Critical);
}

#[test]
fn the_own_query_and_slow_ones_are_told_without_values() {
    let mut of = answers("", "{}");
    of.own = Some(Own { outcome: Ok(None), took: Duration::from_millis(4) });
    let query = r#"[{"query":"select 'hunter2' from t","calls":2,"total":1.5,"mean":0.75}]"#;
    of.slow = Some(Slow::Top(parse(query).unwrap()));
    let told = judged(&of);
    assert_eq!(told.summary, "query: brings no row");
    let slow = part(&told, "slow queries/1");
    assert_eq!(slow, (Status::Ok, "1.5s in 2 calls, 750ms each: select ? from t".into()));
}

#[test]
fn answers_that_lack_everything_bring_no_harm() {
    let mut empty = answers("", "{}");
    empty.core = parse("{}").unwrap();
    empty.replication = Err("denied".into());
    assert_eq!(judged(&empty).status, Status::Ok);
    assert!(parse::<Core>("<html>").is_err() && parse::<Core>("").is_err());
}
