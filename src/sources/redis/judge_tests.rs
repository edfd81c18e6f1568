use super::*;
use crate::domain::Thresholds;

fn limits() -> Limits {
    let above = |warning, critical| Thresholds {
        below: false,
        warning: Some(warning),
        critical: Some(critical),
    };
    Limits {
        memory: above(0.9, 0.98),
        clients: above(0.8, 0.95),
        hit_rate: Thresholds { below: true, warning: Some(0.8), critical: None },
        evictions: Thresholds::default(),
        lag_bytes: above(16e6, 256e6),
        replicas: None,
        last_save: above(7_200.0, 86_400.0),
    }
}

fn answers(info: &str) -> Answers {
    Answers { ping: None, info: Ok(Info::parse(info)), cluster: None, needless_password: false }
}

fn judged(info: &str) -> CheckReading {
    let moment = (Duration::from_secs(10), Timestamp::from_millis(1_795_252_600_000));
    judge(&answers(info), &limits(), moment, &mut None)
}

fn part(reading: &CheckReading, name: &str) -> (Status, String) {
    let found = reading.components.iter().find(|part| part.name == name);
    found.map(|part| (part.status, part.detail.clone())).unwrap()
}

const EVERYTHING: &str = include_str!("../../../tests/data/redis/info_everything.txt");
const UP: &str = include_str!("../../../tests/data/redis/replica_up.txt");
const DOWN: &str = include_str!("../../../tests/data/redis/replica_master_down.txt");
const PRIMARY: &str = include_str!("../../../tests/data/redis/master_with_replica.txt");
const LOADING: &str = include_str!("../../../tests/data/redis/loading_info_persistence.txt");

#[test]
fn a_server_without_trouble_is_told_in_a_line() {
    let good = judged(EVERYTHING);
    assert_eq!((good.status, good.cause), (Status::Ok, None), "{good:#?}");
    assert!(good.summary.starts_with("Redis 7.0.15 primary, "), "{}", good.summary);
    assert_eq!(part(&good, "clients"), (Status::Ok, "1 of 1000 (0%)".into()));
    assert!(good.numbers.iter().any(|(name, _)| name == "memory_bytes"));
}

#[test]
fn replication_is_told_from_both_ends() {
    assert_eq!(part(&judged(UP), "link to primary"), (Status::Ok, "127.0.0.1:16380 up".into()));
    let down = judged(DOWN);
    assert_eq!(down.summary, "link to primary 127.0.0.1:16380 down for 1s");
    assert_eq!(down.status, Status::Critical);
    let primary = judged(PRIMARY);
    assert_eq!(part(&primary, "replica 127.0.0.1:16381"), (Status::Ok, "online, 0B behind".into()));
    let behind = PRIMARY.replace("master_repl_offset:14", "master_repl_offset:20000014");
    assert_eq!(judged(&behind).status, Status::Warning);
    let syncing = DOWN.replace("sync_in_progress:0", "sync_in_progress:1");
    assert_eq!(judged(&syncing).summary, "link to primary 127.0.0.1:16380: copying all data");
    let silent = UP.replace("io_seconds_ago:2", "io_seconds_ago:90");
    assert_eq!(part(&judged(&silent), "link to primary").0, Status::Warning);
}

#[test]
fn loading_says_how_long_it_will_take() {
    let loading = judged(LOADING);
    assert_eq!(loading.summary, "loading its data from disk: 4%, 1s left");
    assert_eq!(loading.status, Status::Critical);
}

#[test]
fn a_full_memory_is_bad_only_where_nothing_may_go() {
    let full = |policy: &str, used: u32| {
        judged(&format!("used_memory:{used}\nmaxmemory:100\nmaxmemory_policy:{policy}")).status
    };
    assert_eq!(full("noeviction", 80), Status::Ok);
    assert_eq!(full("noeviction", 95), Status::Warning);
    assert_eq!(full("noeviction", 120), Status::Critical);
    assert_eq!(full("allkeys-lru", 100), Status::Ok);
    assert_eq!(full("volatile-lru", 100), Status::Warning);
}

#[test]
fn persistence_errors_are_critical_and_age_counts_only_with_changes() {
    let text = |more: &str| format!("server_time_usec:1795252600000000\n{more}");
    let bad = judged(&text("rdb_last_bgsave_status:err"));
    assert_eq!(bad.summary, "save to disk fails (rdb_last_bgsave_status err)");
    let bad = judged(&text("aof_enabled:1\naof_last_write_status:err"));
    assert_eq!((bad.status, bad.components.len()), (Status::Critical, 1));
    let old = "rdb_last_bgsave_status:ok\nrdb_last_save_time:1795240000\n";
    assert_eq!(judged(&text(old)).status, Status::Ok);
    let changed = judged(&text(&format!("{old}rdb_changes_since_last_save:7")));
    assert_eq!(part(&changed, "last save"), (Status::Warning, "3h30m ago, 7 changes since".into()));
}

#[test]
fn what_is_counted_is_told_as_a_difference_and_a_restart_begins_anew() {
    let info = |run: &str, hits: u32, misses: u32, rejected: u32| {
        answers(&format!(
            "run_id:{run}\nkeyspace_hits:{hits}\nkeyspace_misses:{misses}\nrejected_connections:{rejected}"
        ))
    };
    let now = Timestamp::default();
    let mut before = None;
    let at = |seconds| (Duration::from_secs(seconds), now);
    let first = judge(&info("a", 1_000, 9_000, 5), &limits(), at(0), &mut before);
    assert_eq!(first.status, Status::Ok);
    let next = judge(&info("a", 1_150, 9_050, 5), &limits(), at(10), &mut before);
    assert_eq!(part(&next, "hit rate"), (Status::Warning, "75% of 200 look-ups".into()));
    let next = judge(&info("a", 1_150, 9_050, 9), &limits(), at(20), &mut before);
    assert_eq!(next.summary, "4 connections rejected since the last poll");
    let restarted = judge(&info("b", 0, 0, 0), &limits(), at(30), &mut before);
    assert_eq!(restarted.status, Status::Ok);
}

#[test]
fn a_broken_cluster_and_a_primary_that_is_down_are_told() {
    let mut cluster = answers("cluster_enabled:1");
    let state = "cluster_state:fail\r\ncluster_slots_assigned:16384\r\ncluster_slots_ok:10922\r\n";
    cluster.cluster = Some(Info::parse(state));
    let moment = (Duration::ZERO, Timestamp::default());
    let bad = judge(&cluster, &limits(), moment, &mut None);
    assert_eq!(bad.summary, "cluster fail, 16384 of 16384 slots assigned, 10922 served");
    let sentinel = judged(
        "redis_mode:sentinel\nmaster0:name=shop,status=odown,address=10.0.0.1:6379,slaves=2,sentinels=3",
    );
    assert_eq!(sentinel.summary, "primary shop odown, 10.0.0.1:6379, 2 replicas, 3 sentinels");
    assert_eq!(sentinel.status, Status::Critical);
}

#[test]
fn nonsense_brings_no_harm() {
    for text in
        ["", "\0\0", "used_memory:NaN\nmaxmemory:inf", "slave0:\nslave1:state", "role:slave"]
    {
        let reading = judged(text);
        assert!(reading.summary.len() < 400);
    }
    let evil = judged("redis_version:7\x1b[31m\nrole:slave\nmaster_host:\x1b]0;x\x07");
    assert!(!format!("{evil:?}").contains('\x1b'));
}
