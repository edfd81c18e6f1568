//! The watcher is watched.

use super::*;
use crate::domain::{
    AlertsReading, BrokenRule, Cluster, Notifications, ServerReading, TargetDown, TargetsReading,
    Watchdog,
};

fn house() -> World {
    let of = |id: &str, role: Role| source(id, role);
    let mut sources = vec![
        of("prometheus", Role::Server),
        of("alertmanager", Role::Alerts),
        of("targets", Role::Targets),
        check("api", "health"),
    ];
    sources.extend((0..6).map(|i| scrape("node", "node", &format!("10.0.0.{i}:9100"))));
    let mut world =
        World::new(Inventory { sources, services: vec![service("api")], ..Inventory::default() });
    world.server(0).alerts(AlertsReading::default()).poll("check/api/health", fine());
    for i in 0..6 {
        world.poll(&format!("scrape/node/10.0.0.{i}:9100"), page());
    }
    world
}

impl World {
    fn server(&mut self, skew_ms: i64) -> &mut Self {
        let reading = ServerReading { skew_ms: Some(skew_ms), ..ServerReading::default() };
        self.poll("prometheus", Ok(Reading::Server(reading)));
        self
    }

    fn alerts(&mut self, reading: AlertsReading) -> &mut Self {
        self.poll("alertmanager", Ok(Reading::Alerts(Arc::new(reading))));
        self
    }

    fn watched(&self) -> Vec<(Status, String)> {
        self.known.watch().into_iter().map(|watch| (watch.status, watch.words)).collect()
    }
}

fn warning(words: &str) -> (Status, String) {
    (Status::Warning, words.to_owned())
}

fn critical(words: &str) -> (Status, String) {
    (Status::Critical, words.to_owned())
}

#[test]
fn a_house_in_order_has_nothing_to_say() {
    assert_eq!(house().watched(), []);
}

#[test]
fn what_a_manager_of_alerts_says_of_itself_comes_worst_first() {
    let mut world = house();
    let rule = |name: &str| BrokenRule {
        name: name.into(),
        group: "shop".into(),
        error: "found duplicate series".into(),
    };
    world.alerts(AlertsReading {
        cluster: Some(Cluster { status: "settling".into(), peers: 2 }),
        broken_rules: vec![rule("A"), rule("B")],
        watchdog: Some(Watchdog { name: "Watchdog".into(), fires: false }),
        notifications: vec![Notifications {
            integration: "slack".into(),
            tried: 90,
            failed: 4,
            tried_lately: 10,
            failed_lately: 4,
            failing: true,
        }],
        ..AlertsReading::default()
    });
    assert_eq!(
        world.watched(),
        [
            critical("alertmanager 4 of 10 slack notifications fail"),
            critical("alertmanager alert Watchdog is missing"),
            warning("alertmanager 2 rules cannot be evaluated"),
            warning("alertmanager cluster settling"),
        ]
    );
    assert_eq!(world.known.verdict(), Status::Unknown, "only what waits counts");
    world.alerts(AlertsReading {
        cluster: Some(Cluster { status: "ready".into(), peers: 2 }),
        watchdog: Some(Watchdog { name: "Watchdog".into(), fires: true }),
        ..AlertsReading::default()
    });
    assert_eq!(world.watched(), []);
}

#[test]
fn targets_that_are_down_are_counted_and_a_single_one_is_named() {
    let mut world = house();
    let down = TargetDown {
        job: "node".into(),
        instance: "db-1:9100".into(),
        error: "connection refused".into(),
        scraped: None,
    };
    let mut reading =
        TargetsReading { up: 39, down: vec![down], down_count: 1, ..Default::default() };
    world.poll("targets", Ok(Reading::Targets(Arc::new(reading.clone()))));
    assert_eq!(world.watched(), [warning("targets 1 of 40 down: node db-1:9100")]);
    reading.down.push(reading.down[0].clone());
    (reading.up, reading.down_count) = (38, 2);
    world.poll("targets", Ok(Reading::Targets(Arc::new(reading))));
    assert_eq!(world.watched(), [warning("targets 2 of 40 down")]);
}

#[test]
fn sources_that_are_down_are_told_one_by_one_and_a_crowd_of_targets_at_once() {
    let mut world = house();
    world.poll_thrice("prometheus", &refused());
    world.poll_thrice("scrape/node/10.0.0.1:9100", &refused());
    assert_eq!(
        world.watched(),
        [
            warning("prometheus down: connection refused"),
            warning("scrape node/10.0.0.1:9100 down: connection refused"),
        ]
    );
    for i in 2..6 {
        world.poll_thrice(&format!("scrape/node/10.0.0.{i}:9100"), &refused());
    }
    assert!(
        world.watched().contains(&warning("5 of 6 scraped targets down")),
        "{:?}",
        world.watched()
    );
    assert_eq!(world.watched().len(), 2);
}

#[test]
fn a_source_that_is_not_heard_of_is_stale() {
    let mut world = house();
    world.seconds(31).tick();
    let said = world.watched();
    assert!(said.contains(&warning("prometheus stale")), "{said:?}");
    assert!(said.contains(&warning("6 of 6 scraped targets down")), "{said:?}");
}

#[test]
fn a_clock_is_off_when_two_readings_say_so() {
    let mut world = house();
    world.server(12_000);
    assert_eq!(world.watched(), [], "once is a hiccup");
    world.server(13_500);
    assert_eq!(world.watched(), [warning("clock of prometheus over 10s ahead: check NTP")]);
    world.server(-12_000);
    assert_eq!(world.watched(), []);
    world.server(-4_000);
    assert_eq!(world.watched(), [], "five seconds are tolerated");
}

#[test]
fn where_most_servers_agree_it_is_the_clock_of_this_host() {
    let mut world = house();
    let check = |skew: i64| {
        Ok(Reading::Check(CheckReading {
            status: Status::Ok,
            skew_ms: Some(skew),
            ..CheckReading::default()
        }))
    };
    for _ in 0..2 {
        world.server(-70_000).poll("check/api/health", check(-71_000));
        world.alerts(AlertsReading { skew_ms: Some(100), ..AlertsReading::default() });
    }
    assert_eq!(
        world.watched(),
        [warning("this host's clock is over 1m ahead, say 2 of 3 servers: check NTP")]
    );
}

#[test]
fn polls_that_begin_late_are_told_while_they_do() {
    let mut world = house();
    let late = |world: &World, late: Duration| {
        Msg::Polled(vec![Polled {
            source: "prometheus".into(),
            taken: world.now,
            next: world.now + EVERY,
            took: Duration::ZERO,
            late,
            outcome: Ok(Reading::Server(ServerReading::default())),
        }])
    };
    let msg = late(&world, Duration::from_secs(12));
    world.known.take(world.now, &msg);
    assert_eq!(world.watched(), [warning("polls begin over 10s late")]);
    let msg = late(&world, Duration::from_millis(900));
    world.known.take(world.now, &msg);
    assert_eq!(world.watched(), []);
}
