//! Releases: one each, whoever tells, and what began after them.

use super::*;
use crate::domain::{IssuesReading, Release, ReleasesReading};

const MINUTE: Duration = Duration::from_mins(1);

fn world() -> World {
    let mut web = service("web");
    web.depends_on = vec!["api".into()];
    World::new(Inventory {
        sources: vec![
            source("release/deploys", Role::Releases),
            source("release/ci", Role::Releases),
            source("sentry/shop", Role::Issues),
            check("api", "health"),
            check("web", "health"),
            check("db", "port"),
        ],
        services: vec![service("api"), web, service("db")],
        ..Inventory::default()
    })
}

fn release(service: &str, version: &str, at: Timestamp) -> Release {
    let service = (!service.is_empty()).then(|| service.into());
    Release { version: version.into(), service, at, ..Release::default() }
}

fn marked(releases: &[Release]) -> Result<Reading, PollError> {
    let releases = releases.to_vec();
    Ok(Reading::Releases(Arc::new(ReleasesReading { releases, ..ReleasesReading::default() })))
}

fn tracked(releases: &[Release]) -> Result<Reading, PollError> {
    let releases = releases.to_vec();
    Ok(Reading::Issues(Arc::new(IssuesReading { releases, ..IssuesReading::default() })))
}

fn told(world: &World) -> Vec<(String, i64)> {
    let minutes = |at: Timestamp| (at.millis() - START.millis()) / 60_000;
    world.known.releases.iter().map(|r| (r.version.clone(), minutes(r.at))).collect()
}

fn versions(world: &World) -> Vec<&str> {
    world.known.releases.iter().map(|r| r.version.as_str()).collect()
}

#[test]
fn a_poll_that_tells_the_same_again_changes_nothing() {
    let mut world = world();
    let list = [release("api", "v2", START - MINUTE), release("api", "v1", START - 9 * MINUTE)];
    world.seconds(1).poll("release/deploys", marked(&list));
    let first = world.known.releases.clone();
    world.seconds(1).poll("release/deploys", marked(&list));
    assert_eq!(world.known.releases, first);
    assert_eq!(told(&world), [("v2".into(), -1), ("v1".into(), -9)]);
    assert_eq!(world.known.releases[0].origin, "release deploys");
    assert!(world.known.events.is_empty(), "both were before this console");
}

#[test]
fn a_release_while_watching_is_an_event_and_only_once() {
    let mut world = world();
    world.seconds(100).poll("release/deploys", marked(&[release("api", "v2", START + MINUTE)]));
    world.seconds(10).poll("release/deploys", marked(&[release("api", "v2", START + MINUTE)]));
    world.seconds(10).poll("sentry/shop", tracked(&[release("api", "v2", START + MINUTE)]));
    let released = |event: &&Event| matches!(event.kind, EventKind::Released { .. });
    assert_eq!(world.known.events.iter().filter(released).count(), 1);
}

#[test]
fn a_step_back_to_an_old_version_is_a_release_of_its_own() {
    let mut world = world();
    let back = [
        release("api", "v1", START - 3 * MINUTE),
        release("api", "v2", START - 16 * MINUTE),
        release("api", "v1", START - 30 * MINUTE),
    ];
    world.poll("release/deploys", marked(&back));
    assert_eq!(versions(&world), ["v1", "v2", "v1"]);
    assert_eq!(world.known.version_before(&world.known.releases[0]), Some("v2"));
}

#[test]
fn two_that_tell_of_one_release_give_one_and_the_marker_knows_when() {
    for tracker_first in [true, false] {
        let mut world = world();
        let mut of_tracker = release("api", "v2", START - 20 * MINUTE);
        of_tracker.new_issues = Some(3);
        let mut of_marker = release("api", "v2", START - 5 * MINUTE);
        of_marker.by = "ci".into();
        let polls = [("sentry/shop", tracked(&[of_tracker])), ("release/ci", marked(&[of_marker]))];
        let order = if tracker_first { [0, 1, 0] } else { [1, 0, 1] };
        for place in order {
            world.seconds(1).poll(polls[place].0, polls[place].1.clone());
        }
        assert_eq!(told(&world), [("v2".into(), -5)], "tracker first: {tracker_first}");
        let release = &world.known.releases[0];
        assert_eq!((release.by.as_str(), release.new_issues), ("ci", Some(3)));
    }
}

#[test]
fn of_two_markers_the_earlier_moment_counts_and_another_service_is_another_release() {
    let mut world = world();
    for _ in 0..2 {
        world.poll("release/deploys", marked(&[release("api", "v2", START - 5 * MINUTE)]));
        world.poll("release/ci", marked(&[release("", "v2", START - 6 * MINUTE)]));
        world.poll("release/ci", marked(&[release("web", "v2", START - 6 * MINUTE)]));
    }
    assert_eq!(told(&world), [("v2".into(), -6), ("v2".into(), -6)]);
    let services: BTreeSet<_> = world.known.releases.iter().map(|r| r.service.clone()).collect();
    assert_eq!(services, BTreeSet::from([Some("api".into()), Some("web".into())]));
}

#[test]
fn only_the_newest_are_kept() {
    let mut world = world();
    let at = |i: usize| START - MINUTE * u32::try_from(i).unwrap();
    let list: Vec<Release> =
        (0..150).map(|i| release("api", &format!("a{i}"), at(i * 2))).collect();
    world.poll("release/deploys", marked(&list));
    let list: Vec<Release> =
        (0..150).map(|i| release("web", &format!("w{i}"), at(i * 2))).collect();
    world.poll("release/ci", marked(&list));
    assert_eq!(world.known.releases.len(), 200);
    assert!(world.known.releases.iter().any(|r| r.version == "w0"));
    assert!(!versions(&world).contains(&"a149"));
}

#[test]
fn the_change_before_the_first_error_is_told_with_its_distance() {
    let mut world = world();
    world.poll("check/api/health", fine());
    world.poll("check/web/health", fine());
    world.seconds(60).poll("release/deploys", marked(&[release("api", "v142", START + MINUTE)]));
    let change = world.known.last_change().unwrap();
    assert_eq!(change.before_first_error, None, "nothing is wrong yet");
    world.seconds(120).poll("check/api/health", fine());
    let begun = world.now + Duration::from_secs(1);
    world.poll_thrice("check/api/health", &bad());
    world.seconds(60).poll_thrice("check/web/health", &bad());
    // A step back does not hide what was before the error.
    let back = [release("api", "v141", world.now), release("api", "v142", START + MINUTE)];
    world.poll("release/deploys", marked(&back));
    let change = world.known.last_change().unwrap();
    assert_eq!(change.release.version, "v142");
    assert_eq!(change.before_first_error, Some(begun.since(START + MINUTE)));
    assert!(!change.at_most);
}

#[test]
fn a_release_of_another_service_explains_nothing() {
    let mut world = world();
    world.poll("check/db/port", fine());
    world.seconds(60).poll("release/deploys", marked(&[release("web", "v7", START + MINUTE)]));
    world.seconds(60).poll_thrice("check/db/port", &bad());
    let change = world.known.last_change().unwrap();
    assert_eq!((change.release.version.as_str(), change.before_first_error), ("v7", None));
}

#[test]
fn a_release_that_is_still_to_come_or_long_ago_explains_nothing() {
    let mut world = world();
    world.poll("check/api/health", fine());
    let list =
        [release("api", "v9", START + 600 * MINUTE), release("api", "v1", START - 3_000 * MINUTE)];
    world.poll("release/deploys", marked(&list));
    world.seconds(60).poll_thrice("check/api/health", &bad());
    let change = world.known.last_change().unwrap();
    assert_eq!((change.release.version.as_str(), change.before_first_error), ("v1", None));
    assert_eq!(world.known.newest_release(&"api".into()).unwrap().version, "v1");
    let api = "api".into();
    let within = world.known.releases_within(Some(&api), START, START + 999 * MINUTE);
    assert_eq!(within.count(), 1);
}

#[test]
fn where_the_beginning_was_not_seen_the_distance_is_the_longest_it_can_be() {
    let mut world = world();
    world.poll("release/deploys", marked(&[release("api", "v2", START - MINUTE)]));
    world.poll_thrice("check/api/health", &bad());
    let change = world.known.last_change().unwrap();
    assert!(change.before_first_error.is_some() && change.at_most, "{change:?}");
}
