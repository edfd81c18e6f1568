//! Backups against what is wanted of them.

use super::*;
use crate::domain::{
    BackupProblem, BackupReading, BackupRole, Fault, FullCheck, RestoreTest, Running, Severity,
    Snapshot,
};
use crate::store::glance::{Glance, ProblemKind};
use crate::store::{Look, Looked, Seen};

const ID: &str = "backup/orders";
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
const MB: u64 = 1 << 20;

pub(super) fn role() -> BackupRole {
    BackupRole {
        name: "orders".into(),
        service: None,
        rpo: 26 * HOUR,
        rto: None,
        keep: None,
        keep_for: None,
        restore_test: None,
        min_free: None,
        at_most: Status::Critical,
    }
}

fn info(role: BackupRole) -> SourceInfo {
    SourceInfo {
        kind: "restic".into(),
        label: role.name.clone(),
        every: Duration::from_mins(15),
        ..source(ID, Role::Backup(role))
    }
}

fn world(role: BackupRole) -> World {
    World::new(Inventory { sources: vec![info(role)], ..Inventory::default() })
}

/// A good one that was taken so long before the start.
fn taken(ago: Duration) -> Snapshot {
    Snapshot {
        id: format!("s{}", ago.as_secs() / 3_600),
        taken: START - ago,
        size: Some(100 * MB),
        ..Snapshot::default()
    }
}

fn sized(ago: Duration, size: u64) -> Snapshot {
    Snapshot { size: Some(size), ..taken(ago) }
}

fn faulty(ago: Duration, status: Status, words: &str) -> Snapshot {
    Snapshot { fault: Some(Fault { status, words: words.into() }), ..taken(ago) }
}

fn found(snapshots: Vec<Snapshot>) -> BackupReading {
    BackupReading { count: snapshots.len() as u64, snapshots, ..BackupReading::default() }
}

fn restored(ago: Duration, good: bool) -> RestoreTest {
    RestoreTest { at: START - ago, good, took: None, size: None, words: String::new() }
}

fn outcome(reading: BackupReading) -> Result<Reading, PollError> {
    Ok(Reading::Backup(Arc::new(reading)))
}

fn failed(cause: PollFailure, message: &str) -> Result<Reading, PollError> {
    Err(PollError::new(cause, message))
}

impl World {
    fn backup(&self) -> &BackupState {
        &self.known.backups[&SourceId::from(ID)]
    }

    fn said(&self) -> (Status, &str) {
        let standing = &self.backup().standing;
        (standing.status, &standing.reason)
    }
}

/// How a reading stands right after the start.
fn judged(role: BackupRole, reading: BackupReading) -> BackupState {
    let mut world = world(role);
    world.poll(ID, outcome(reading));
    world.backup().clone()
}

fn says(role: BackupRole, reading: BackupReading) -> (Status, String) {
    let standing = judged(role, reading).standing;
    (standing.status, standing.reason)
}

fn told(status: Status, reason: &str) -> (Status, String) {
    (status, reason.to_owned())
}

#[test]
fn a_backup_within_the_rpo_is_ok_and_turns_critical_by_time_alone() {
    let mut world = world(role());
    world.poll(ID, outcome(found(vec![taken(27 * HOUR), taken(3 * HOUR)])));
    assert_eq!(world.said(), (Status::Ok, "3h old, 26h allowed"));
    assert_eq!(world.backup().last_good().unwrap().id, "s3");
    assert!(world.known.alerts.is_empty());
    // Looked at every quarter of an hour, and nothing new is ever there.
    for _ in 0..23 * 4 {
        world.later(Duration::from_mins(15)).poll(ID, outcome(found(vec![taken(3 * HOUR)])));
    }
    assert_eq!(world.said(), (Status::Ok, "26h old, 26h allowed"));
    world.seconds(61).tick();
    assert_eq!(world.said(), (Status::Critical, "26h old, 26h allowed, 1m01s over"));
    assert_eq!(world.backup().standing.since, START + 23 * HOUR, "since the RPO was over");
    assert_eq!(world.alert_names(), ["BackupStale"]);
    let alert = &world.known.alerts[0];
    assert_eq!(alert.reason, "orders: 26h old, 26h allowed, 1m01s over");
    assert_eq!((alert.labels.get("backup"), alert.severity), (Some("orders"), Severity::Critical));
    world.later(HOUR).poll(ID, outcome(found(vec![taken(3 * HOUR)])));
    assert_eq!(world.said(), (Status::Critical, "27h old, 26h allowed"));
    assert_eq!(world.known.alerts.len(), 1);
    // A new one ends it.
    let new = Snapshot { taken: world.now - HOUR, ..taken(HOUR) };
    world.poll(ID, outcome(found(vec![taken(3 * HOUR), new])));
    assert_eq!(world.said().0, Status::Ok);
    assert!(world.known.alerts.is_empty());
    let changes = world.known.events.iter().filter_map(|event| match &event.kind {
        EventKind::BackupChanged { from, to, .. } => Some((*from, *to)),
        _ => None,
    });
    assert_eq!(
        changes.collect::<Vec<_>>(),
        [(Status::Ok, Status::Critical), (Status::Critical, Status::Ok)]
    );
}

#[test]
fn a_data_set_without_a_good_backup_is_critical() {
    let no_good = |snapshots| says(role(), found(snapshots));
    assert_eq!(no_good(vec![]), told(Status::Critical, "no backup at all"));
    let cut = faulty(HOUR, Status::Critical, "truncated: no closing line");
    assert_eq!(
        no_good(vec![cut.clone()]),
        told(Status::Critical, "no good backup: newest is truncated: no closing line")
    );
    assert_eq!(
        no_good(vec![taken(3 * HOUR), cut.clone()]),
        told(Status::Warning, "newest is truncated: no closing line; last good 3h old")
    );
    assert_eq!(
        no_good(vec![taken(27 * HOUR), cut.clone()]),
        told(
            Status::Critical,
            "newest is truncated: no closing line; last good 27h old, 26h allowed"
        )
    );
    let first = BackupReading {
        running: Some(Running { since: Some(START - HOUR), by: "pid 4".into() }),
        ..found(vec![])
    };
    let words = "no backup yet; the first is being made";
    assert_eq!(says(role(), first), told(Status::Critical, words));
    // An old faulty one behind a good one is no more than worth knowing.
    let state = judged(role(), found(vec![cut, taken(Duration::from_mins(30))]));
    assert_eq!(state.standing.status, Status::Ok);
    assert_eq!(state.advisories, ["1 of 2 are faulty", "restore never tried"]);
}

#[test]
fn an_empty_backup_is_critical_and_one_that_shrank_by_half_a_warning() {
    let before = || (2..12).map(|days| sized(DAY * days, 100 * MB));
    let newest = |size: u64| found(before().chain([sized(HOUR, size)]).collect());
    assert_eq!(
        says(role(), newest(0)),
        told(Status::Critical, "newest is empty; last good 2d old, 26h allowed")
    );
    let two = found(vec![sized(2 * HOUR, 100 * MB), sized(HOUR, 0)]);
    assert_eq!(says(role(), two), told(Status::Critical, "newest is empty; last good 2h old"));
    assert_eq!(
        says(role(), newest(50 * MB)),
        told(Status::Warning, "shrank to 50MB, usual 100MB (-50%)")
    );
    assert_eq!(says(role(), newest(51 * MB)).0, Status::Ok);
    let change = judged(role(), newest(120 * MB)).size_change().unwrap();
    assert_eq!((change.words().as_str(), change.of), ("120MB, usual 100MB (+20%)", 10));
    // One odd size among ten does not move the median, another host's sizes do not count.
    let mut odd: Vec<Snapshot> = before().collect();
    odd[3].size = Some(9_000 * MB);
    odd.push(Snapshot { host: Some("web".into()), ..sized(2 * HOUR, 9_000 * MB) });
    odd.push(sized(HOUR, 90 * MB));
    let state = judged(role(), found(odd));
    assert_eq!((state.standing.status, state.sizes().len()), (Status::Ok, 12));
}

#[test]
fn too_few_and_too_short_a_history_warn() {
    let few = BackupRole { keep: Some(3), ..role() };
    let two = || found(vec![taken(DAY), taken(HOUR)]);
    assert_eq!(says(few.clone(), two()), told(Status::Warning, "2 kept, 3 wanted"));
    let more = BackupReading { count: 2_000, ..two() };
    assert_eq!(says(few, more).0, Status::Ok, "those that are not listed count");

    // A young set cannot reach back further, one that did could.
    let long = BackupRole { keep_for: Some(30 * DAY), ..role() };
    let state = judged(long.clone(), found(vec![taken(10 * DAY), taken(HOUR)]));
    assert_eq!(state.standing.status, Status::Ok);
    assert_eq!(state.advisories[0], "reaches back 10d, 30d wanted");
    let mut world = world(long);
    world.poll(ID, outcome(found(vec![taken(40 * DAY), taken(HOUR)])));
    assert_eq!(world.said().0, Status::Ok);
    world.seconds(60).poll(ID, outcome(found(vec![taken(10 * DAY), taken(HOUR)])));
    assert_eq!(world.said(), (Status::Warning, "reaches back 10d, 30d wanted"));
}

#[test]
fn a_restore_that_was_never_tried_is_worth_knowing_and_counts_where_it_is_wanted() {
    let good = || found(vec![taken(HOUR)]);
    let state = judged(role(), good());
    assert_eq!(
        (state.standing.status, state.advisories[0].as_str()),
        (Status::Ok, "restore never tried")
    );
    let wanted = || BackupRole { restore_test: Some(30 * DAY), ..role() };
    let with = |restore| BackupReading { restore: Some(restore), ..good() };
    assert_eq!(
        says(wanted(), good()),
        told(Status::Warning, "restore never tried, wanted every 30d")
    );
    assert_eq!(says(wanted(), with(restored(6 * DAY, true))).0, Status::Ok);
    assert_eq!(
        says(wanted(), with(restored(41 * DAY, true))),
        told(Status::Warning, "last restore 41d old, 30d allowed")
    );
    let bad = RestoreTest { words: "orders: 0 rows".into(), ..restored(3 * HOUR, false) };
    let words = "last restore failed 3h ago: orders: 0 rows";
    assert_eq!(says(wanted(), with(bad.clone())), told(Status::Critical, words));
    assert_eq!(says(role(), with(bad)), told(Status::Warning, words));
    let tomorrow = RestoreTest { at: START + DAY, ..restored(HOUR, true) };
    assert_eq!(says(wanted(), with(tomorrow)).0, Status::Warning);
}

#[test]
fn the_time_of_a_restore_is_estimated_and_says_from_what() {
    let role = || BackupRole { rto: Some(HOUR), ..role() };
    let state = judged(role(), found(vec![taken(HOUR)]));
    assert_eq!(state.standing.status, Status::Ok);
    assert!(state.advisories[1].starts_with("nothing tells how long"), "{:?}", state.advisories);
    let took =
        |minutes, one: Snapshot| Snapshot { took: Some(Duration::from_mins(minutes)), ..one };
    // The first one read everything, later ones only what was new.
    let snapshots = vec![took(60, sized(2 * DAY, 100 * MB)), took(1, sized(HOUR, 120 * MB))];
    let state = judged(role(), found(snapshots.clone()));
    let words = "restore takes ~1h12m (from how long backups took)";
    assert_eq!(state.restore_estimate().unwrap().words(), words);
    assert_eq!(
        (state.standing.status, state.standing.reason.as_str()),
        (Status::Warning, "restore takes ~1h12m (from how long backups took), 1h allowed")
    );
    let restore = RestoreTest {
        took: Some(Duration::from_mins(20)),
        size: Some(60 * MB),
        ..restored(DAY, true)
    };
    let state = judged(role(), BackupReading { restore: Some(restore), ..found(snapshots) });
    assert_eq!(state.standing.status, Status::Ok);
    assert_eq!(
        state.restore_estimate().unwrap().words(),
        "restore takes ~40m (from the last restore)"
    );
}

#[test]
fn a_backup_of_tomorrow_is_none() {
    let tomorrow = Snapshot { id: "x".into(), taken: START + DAY, ..taken(HOUR) };
    assert_eq!(
        says(role(), found(vec![tomorrow.clone()])),
        told(Status::Critical, "no good backup; x is dated 24h in the future")
    );
    let state = judged(role(), found(vec![taken(27 * HOUR), tomorrow.clone()]));
    assert_eq!(state.standing.reason, "27h old, 26h allowed; x is dated 24h in the future");
    assert_eq!(state.concerns[1].words, "x is dated 24h in the future");
    assert_eq!(state.last_good().unwrap().id, "s27");
    // A clock that is a little ahead is forgiven; what comes true counts.
    let soon = Snapshot { taken: START + Duration::from_mins(4), ..taken(HOUR) };
    assert_eq!(says(role(), found(vec![soon])), told(Status::Ok, "0s old, 26h allowed"));
    let ahead = Snapshot { taken: START + Duration::from_mins(7), ..tomorrow };
    let mut world = world(role());
    world.poll(ID, outcome(found(vec![ahead])));
    assert_eq!(world.said().0, Status::Critical);
    world.seconds(121).tick();
    assert_eq!(world.said().0, Status::Ok);
}

#[test]
fn space_runs_and_the_tools_own_findings_count() {
    let good = || found(vec![taken(HOUR)]);
    let space = BackupRole { min_free: Some(20 << 30), ..role() };
    let little = BackupReading { free: Some(3 << 30), ..good() };
    assert_eq!(
        says(space.clone(), little),
        told(Status::Warning, "3GB free where it is stored, 20GB wanted")
    );
    assert_eq!(says(space, good()).0, Status::Ok, "nobody can tell is worth knowing only");
    let since = Some(START - 27 * HOUR);
    let running = Some(Running { since, by: "pid 411 on db-1".into() });
    assert_eq!(
        says(role(), BackupReading { running, ..good() }),
        told(Status::Warning, "a backup has been running for 27h (pid 411 on db-1)")
    );
    let words = "broken: pack 4f is damaged".to_owned();
    let damage = BackupProblem { status: Status::Critical, words: words.clone() };
    let reading = BackupReading { problems: vec![damage], ..good() };
    assert_eq!(says(role(), reading), (Status::Critical, words));
    let open = BackupReading { encrypted: Some(false), off_host: Some(false), ..good() };
    let state = judged(role(), open);
    assert_eq!(state.standing.status, Status::Ok);
    assert_eq!(state.advisories, ["restore never tried", "not encrypted", "not off the host"]);
}

#[test]
fn busy_denied_absent_and_broken_are_four_different_things() {
    let after = |cause, message: &str| {
        let mut world = world(role());
        world.poll(ID, outcome(found(vec![taken(HOUR)])));
        for _ in 0..2 {
            world.seconds(5).poll(ID, failed(cause, message));
        }
        let standing = world.backup().standing.clone();
        (standing.status, standing.reason)
    };
    assert_eq!(
        after(PollFailure::Busy, "locked by pid 411"),
        told(Status::Ok, "1h old, 26h allowed; busy: locked by pid 411")
    );
    assert_eq!(
        after(PollFailure::Denied, "wrong password"),
        told(Status::Unknown, "denied: wrong password")
    );
    assert_eq!(
        after(PollFailure::Absent, "absent: no repository there"),
        told(Status::Critical, "absent: no repository there")
    );
    assert_eq!(after(PollFailure::Broken, "index 3 is damaged").1, "broken: index 3 is damaged");
    assert_eq!(
        after(PollFailure::Timeout, "no answer within 2m"),
        told(Status::Ok, "1h old, 26h allowed; no answer within 2m")
    );
    // The first look ever: nothing has to be taken back.
    for (cause, status) in [
        (PollFailure::Busy, Status::Unknown),
        (PollFailure::Denied, Status::Unknown),
        (PollFailure::Absent, Status::Critical),
        (PollFailure::Broken, Status::Critical),
        (PollFailure::Refused, Status::Unknown),
    ] {
        let mut world = world(role());
        world.poll(ID, failed(cause, "why"));
        assert_eq!(world.said().0, status, "{cause:?}");
        assert!(world.said().1.ends_with("why"));
    }
}

#[test]
fn one_failure_is_asked_again_before_it_takes_back_what_was_known() {
    let mut world = world(role());
    world.poll(ID, outcome(found(vec![taken(HOUR)])));
    let effects = world.seconds(60).poll(ID, failed(PollFailure::Absent, "not mounted"));
    assert!(matches!(effects[..], [Effect::PollAgain { .. }]), "{effects:?}");
    assert_eq!(world.said(), (Status::Ok, "absent: not mounted, asked again"));
    assert_eq!(world.backup().standing.mark, Some(Mark::Confirming { to: Status::Critical }));
    world.seconds(5).poll(ID, outcome(found(vec![taken(HOUR)])));
    assert_eq!(world.said().0, Status::Ok);
    for _ in 0..2 {
        world.seconds(5).poll(ID, failed(PollFailure::Absent, "not mounted"));
    }
    assert_eq!(world.alert_names(), ["BackupStale"]);
    // That nobody answers any more takes nothing back.
    world.seconds(5).poll(ID, failed(PollFailure::Timeout, "no answer"));
    assert_eq!(world.said(), (Status::Critical, "absent: not mounted"));
    world.seconds(5).poll(ID, outcome(found(vec![taken(HOUR)])));
    assert_eq!(world.said().0, Status::Ok);
    assert!(world.known.alerts.is_empty());
}

#[test]
fn what_is_not_seen_for_too_long_is_unknown_and_a_critical_stays() {
    let mut world = world(role());
    world.poll(ID, outcome(found(vec![taken(HOUR)])));
    world.later(Duration::from_mins(45)).tick();
    assert_eq!(world.said().0, Status::Ok);
    world.seconds(61).poll(ID, failed(PollFailure::Timeout, "no answer within 2m"));
    assert_eq!(world.said(), (Status::Unknown, "no answer within 2m, was ok"));
    assert_eq!(world.backup().standing.mark, Some(Mark::Stale));
    world.later(30 * HOUR).tick();
    assert_eq!(world.said().0, Status::Unknown, "it is not known to be too old");

    let mut world = super::backups::world(role());
    world.poll(ID, outcome(found(vec![taken(27 * HOUR)])));
    world.later(HOUR).tick();
    let standing = &world.backup().standing;
    assert_eq!((standing.status, standing.mark), (Status::Critical, Some(Mark::Stale)));
    assert_eq!(standing.words(world.now), "27h old, 26h allowed, unseen 1h");
    // A wrong password does not hide it either.
    for _ in 0..2 {
        world.seconds(5).poll(ID, failed(PollFailure::Denied, "wrong password"));
    }
    assert_eq!(world.said(), (Status::Critical, "27h old, 26h allowed; denied: wrong password"));
    assert_eq!(world.known.alerts.len(), 1);
}

#[test]
fn a_data_set_counts_once_and_stands_in_the_glance() {
    let mut inventory = Inventory {
        sources: vec![info(BackupRole { service: Some("api".into()), ..role() })],
        services: vec![service("api")],
        ..Inventory::default()
    };
    let mut world = World::new(inventory.clone());
    world.poll(ID, outcome(found(vec![taken(27 * HOUR)])));
    let counts = Counts { critical: 1, unknown: 1, ..Counts::default() };
    assert_eq!(world.known.counts(), counts, "the service has nothing to be judged by");
    let glance = Glance::of(&world.known);
    assert_eq!(glance.problems[0].kind, ProblemKind::Backup);
    assert!(glance.text(world.now).contains("critical  backup   orders  27h old, 26h allowed"));
    assert_eq!(glance.json(world.now)["problems"][0]["kind"], "backup");
    assert_eq!(world.known.alerts[0].service, Some("api".into()));
    // Less is wanted of it: the alert ends, what was seen is kept.
    inventory.sources = vec![info(BackupRole { rpo: 48 * HOUR, ..role() })];
    world.known.take(world.now, &Msg::Reloaded(Ok(Arc::new(inventory.clone()))));
    assert_eq!(world.said(), (Status::Ok, "27h old, 2d allowed"));
    assert!(world.known.alerts.is_empty());
    // An advisory neither counts nor fires.
    inventory.sources = vec![info(BackupRole { at_most: Status::Ok, ..role() })];
    inventory.services.clear();
    world.known.take(world.now, &Msg::Reloaded(Ok(Arc::new(inventory.clone()))));
    assert_eq!(world.said().0, Status::Warning);
    assert_eq!(world.known.counts(), Counts::default());
    assert!(world.known.alerts.is_empty() && Glance::of(&world.known).problems.is_empty());
    // Gone from the config, gone from here.
    inventory.sources.clear();
    world.known.take(world.now, &Msg::Reloaded(Ok(Arc::new(inventory))));
    assert!(world.known.backups.is_empty());
}

#[test]
fn a_clock_that_goes_back_does_not_keep_an_old_look_fresh() {
    let mut world = world(role());
    world.later(10 * HOUR).poll(ID, outcome(found(vec![taken(HOUR)])));
    assert_eq!(world.said().0, Status::Ok);
    world.now = START;
    world.tick();
    assert_eq!(world.backup().looked, Some(START));
    world.later(HOUR).tick();
    assert_eq!(world.said(), (Status::Unknown, "was ok"));
}

#[test]
fn an_offline_host_blames_no_repository() {
    let mut world = World::new(Inventory {
        sources: vec![info(role()), source("self/canary", Role::Canary)],
        ..Inventory::default()
    });
    world.poll(ID, outcome(found(vec![taken(HOUR)])));
    for _ in 0..3 {
        world.seconds(1).poll("self/canary", cut_off());
    }
    assert_eq!(world.said(), (Status::Unknown, "this host is offline"));
    for _ in 0..3 {
        world.seconds(1).poll("self/canary", fine());
    }
    assert_eq!(world.said().0, Status::Ok);
    assert!(world.known.alerts.is_empty());
}

#[test]
fn what_a_full_check_finds_damaged_is_broken_until_one_finds_it_sound() {
    let mut world = world(role());
    let poll = |world: &mut World, ages: &[Duration]| {
        let snapshots = ages.iter().map(|age| taken(*age)).collect();
        world.poll(ID, outcome(found(snapshots)));
    };
    let check = |world: &mut World, of: &str, status, words: &str| {
        let (of, words) = (of.to_owned(), words.to_owned());
        let check = FullCheck { of, status, words, took: Duration::ZERO };
        let (source, look, at) = (SourceId::from(ID), Look::Verify, world.now);
        let outcome = Ok(Seen::Verified(check));
        world.known.take(at, &Msg::Looked(Looked { source, look, at, outcome }));
    };
    let broken = (Status::Critical, "broken: full check of s3: not all of it can be read");
    poll(&mut world, &[4 * HOUR, 3 * HOUR]);
    check(&mut world, "s3", Status::Critical, "not all of it can be read");
    assert_eq!(world.said(), broken);
    assert_eq!(world.alert_names(), ["BackupStale"]);
    poll(&mut world, &[4 * HOUR, 3 * HOUR]);
    assert_eq!(world.said(), broken, "a look that reads little takes nothing back");
    check(&mut world, "s3", Status::Unknown, "not tried");
    assert_eq!(world.said(), broken);
    check(&mut world, "s3", Status::Ok, "all of it was read");
    assert_eq!(world.said(), (Status::Ok, "3h old, 26h allowed"));
    assert!(world.known.alerts.is_empty());

    // What is no longer kept is nobody's trouble; the whole repository is kept.
    check(&mut world, "s3", Status::Critical, "not all of it can be read");
    poll(&mut world, &[4 * HOUR, 2 * HOUR]);
    assert_eq!(world.said(), (Status::Ok, "2h old, 26h allowed"));
    check(&mut world, "stanza main", Status::Warning, "2 files are missing");
    poll(&mut world, &[HOUR]);
    assert_eq!(
        world.said(),
        (Status::Warning, "broken: full check of stanza main: 2 files are missing")
    );
}
