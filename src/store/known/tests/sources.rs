//! Scraped targets, servers, canaries, hosts, reloads.

use super::*;

const HEALTH: &str = "check/api/health";
const CANARY: &str = "self/canary";

fn with_canary() -> World {
    World::new(Inventory {
        sources: vec![check("api", "health"), source(CANARY, Role::Canary)],
        services: vec![service("api")],
        ..Inventory::default()
    })
}

#[test]
fn a_dead_server_is_a_source_down_and_warns() {
    let mut world = World::new(Inventory {
        sources: vec![source("prometheus", Role::Server)],
        ..Inventory::default()
    });
    world.poll_thrice("prometheus", &refused());
    assert_eq!(world.alert_names(), ["SourceDown"]);
    assert_eq!(world.known.alerts[0].reason, "prometheus: connection refused");
    assert_eq!(world.known.counts(), Counts { warning: 1, ..Counts::default() });
    let state = &world.known.sources[&SourceId::from("prometheus")];
    assert_eq!((state.polls, state.failures), (3, 3));
    assert_eq!(state.failing.as_ref().unwrap().0, START + Duration::from_secs(1));
}

#[test]
fn a_server_that_says_when_is_not_asked_again_before() {
    let mut world = World::new(Inventory {
        sources: vec![source("prometheus", Role::Server)],
        ..Inventory::default()
    });
    let after = Duration::from_secs(7);
    let error = PollError {
        retry_after: Some(after),
        ..PollError::new(PollFailure::Busy, "it replays its log")
    };
    let again = Effect::PollAgain { source: "prometheus".into(), after };
    assert_eq!(world.poll("prometheus", Err(error)), [again]);
}

#[test]
fn who_is_asked_too_often_is_not_asked_again_before_its_time() {
    let mut world = World::new(Inventory {
        sources: vec![source("sentry", Role::Issues)],
        ..Inventory::default()
    });
    let again = Effect::PollAgain { source: "sentry".into(), after: EVERY };
    let limited = Err(PollError::new(PollFailure::Limited, "HTTP 429"));
    assert_eq!(world.poll("sentry", limited), [again]);
}

#[test]
fn a_host_whose_own_network_is_gone_blames_nobody() {
    let mut world = with_canary();
    world.poll(HEALTH, fine());
    world.poll(CANARY, fine());
    // The check's first failure has the canary asked at once.
    let effects = world.seconds(10).poll(HEALTH, cut_off());
    assert!(effects.contains(&Effect::PollNow(CANARY.into())), "{effects:?}");
    world.poll(CANARY, cut_off());
    world.later(Duration::from_millis(500)).poll(CANARY, cut_off());
    assert!(matches!(world.known.online, Online::No { .. }));
    assert_eq!(world.check(HEALTH).reason, "this host is offline");
    world.poll_thrice(HEALTH, &cut_off());
    world.poll_thrice(HEALTH, &cut_off());
    assert_eq!(world.service("api").status, Status::Unknown);
    assert_eq!(world.service("api").mark, Some(Mark::Offline));
    assert!(world.known.alerts.is_empty());
    // Back again, everything is asked, and the old ok counts only while it is fresh.
    let effects = world.poll(CANARY, fine());
    assert!(!effects.contains(&Effect::PollAll), "one good answer is not enough: {effects:?}");
    let effects = world.seconds(1).poll(CANARY, fine());
    assert!(effects.contains(&Effect::PollAll), "{effects:?}");
    world.seconds(1).poll(HEALTH, fine());
    assert_eq!(world.service("api").status, Status::Ok);
    let network = |event: &&Event| matches!(event.kind, EventKind::NetworkChanged { .. });
    assert_eq!(world.known.events.iter().filter(network).count(), 2);
}

#[test]
fn a_network_that_dies_right_after_the_canary_answered_is_found_out_in_time() {
    let mut world = with_canary();
    world.poll(HEALTH, fine());
    world.seconds(9).poll(CANARY, fine());
    let poll = Effect::PollNow(CANARY.into());
    let effects = world.later(Duration::from_millis(400)).poll(HEALTH, cut_off());
    assert!(!effects.contains(&poll), "it has just answered");
    let effects = world.seconds(1).poll(HEALTH, cut_off());
    assert!(effects.contains(&poll));
    world.poll(CANARY, cut_off());
    world.later(Duration::from_millis(500)).poll(CANARY, cut_off());
    world.later(Duration::from_millis(500)).poll(HEALTH, cut_off());
    assert_eq!(world.check(HEALTH).mark, Some(Mark::Offline));
    assert!(world.known.alerts.is_empty());
}

#[test]
fn while_offline_an_answer_from_nearby_is_believed() {
    let mut world = with_canary();
    for _ in 0..2 {
        world.seconds(1).poll(CANARY, cut_off());
    }
    world.seconds(1).poll_thrice(HEALTH, &bad());
    assert_eq!(world.check(HEALTH).status, Status::Critical, "it answered, and badly");
}

#[test]
fn a_canary_that_is_no_longer_asked_excuses_nobody() {
    let mut world = with_canary();
    for _ in 0..2 {
        world.seconds(1).poll(CANARY, cut_off());
    }
    world.seconds(31).tick();
    assert_eq!(world.known.online, Online::Untold);
    world.poll_thrice(HEALTH, &cut_off());
    assert_eq!(world.check(HEALTH).status, Status::Critical);
}

fn hosts() -> World {
    let mut cpu = signal("host/node/cpu", SignalKind::Cpu, "cpu", Unit::Ratio);
    cpu.service = None;
    cpu.hosts = Some("node".into());
    cpu.at_most = Status::Warning;
    cpu.expr = r#"cpu{job="node"}"#.into();
    cpu.thresholds = Thresholds { below: false, warning: Some(0.7), critical: Some(0.8) };
    World::new(Inventory {
        sources: vec![scrape("node", "node", "db-1:9100"), scrape("node", "node", "db-2:9100")],
        hosts: vec![HostGroup { name: "node".into(), job: "node".into() }],
        signals: vec![cpu],
        ..Inventory::default()
    })
}

#[test]
fn each_host_is_judged_by_its_own_series_and_warns_at_most() {
    let mut world = hosts();
    assert_eq!(world.known.counts(), Counts { unknown: 2, ..Counts::default() });
    world.poll("scrape/node/db-2:9100", page());
    let effects = world.poll("scrape/node/db-1:9100", page());
    assert!(effects.is_empty(), "asked already, not twice at once: {effects:?}");
    let mut world = hosts();
    let asked = asks(&world.poll("scrape/node/db-1:9100", page()));
    world.poll("scrape/node/db-2:9100", page());
    world.answer(&asked[0], vector(&[("db-1:9100", 0.92), ("db-2:9100", 0.2)]));
    let host = |world: &World, name: &str| world.known.hosts["node"][name].standing.clone();
    assert_eq!(host(&world, "db-1:9100").status, Status::Warning);
    assert_eq!(host(&world, "db-1:9100").reason, "cpu 92% > 80%");
    assert_eq!(host(&world, "db-2:9100").status, Status::Ok);
    assert_eq!(world.known.counts(), Counts { warning: 1, ok: 1, ..Counts::default() });
    assert_eq!(world.alert_names(), ["HighCpu"]);
    assert_eq!(world.known.alerts[0].labels.get("instance"), Some("db-1:9100"));
    assert_eq!(world.known.alerts[0].reason, "cpu 92% > 80% on db-1:9100");
}

#[test]
fn a_dead_exporter_is_one_problem() {
    let mut world = hosts();
    let asked = asks(&world.poll("scrape/node/db-1:9100", page()));
    world.poll("scrape/node/db-2:9100", page());
    world.answer(&asked[0], vector(&[("db-1:9100", 0.1), ("db-2:9100", 0.2)]));
    world.poll_thrice("scrape/node/db-1:9100", &refused());
    assert_eq!(world.known.counts(), Counts { warning: 1, ok: 1, ..Counts::default() });
    assert_eq!(world.known.hosts["node"]["db-1:9100"].standing.reason, "connection refused");
}

#[test]
fn a_host_that_is_no_longer_in_any_answer_is_unknown_for_an_hour() {
    let mut cpu = signal("host/node/cpu", SignalKind::Cpu, "cpu", Unit::Ratio);
    (cpu.service, cpu.hosts, cpu.engine) = (None, Some("node".into()), EngineKind::Server);
    let mut world = World::new(Inventory {
        hosts: vec![HostGroup { name: "node".into(), job: "node".into() }],
        signals: vec![cpu],
        ..Inventory::default()
    });
    assert_eq!(world.known.counts(), Counts { unknown: 1, ..Counts::default() });
    let asked = asks(&world.tick());
    world.answer(&asked[0], vector(&[("a", 0.0), ("b", 0.0)]));
    assert_eq!(world.known.counts(), Counts { ok: 2, ..Counts::default() });
    let mut left = 0;
    for _ in 0..=361 {
        world.seconds(10);
        for ask in asks(&world.tick()) {
            world.answer(&ask, vector(&[("b", 0.0)]));
        }
        left += usize::from(world.known.counts().unknown == 1);
    }
    assert!((359..=361).contains(&left), "{left}");
    assert_eq!(world.known.counts(), Counts { ok: 1, ..Counts::default() });
}

#[test]
fn a_reload_keeps_what_is_still_asked_and_never_changes_the_environment() {
    let mut world = World::new(Inventory {
        sources: vec![check("api", "health"), check("web", "health"), check("old", "health")],
        services: vec![service("api"), service("web"), service("old")],
        ..Inventory::default()
    });
    for name in ["api", "web", "old"] {
        world.poll_thrice(&format!("check/{name}/health"), &bad());
    }
    let mut moved = check("web", "health");
    moved.asks = "http://elsewhere".into();
    let next = Inventory {
        environment: "another".into(),
        sources: vec![check("new", "health"), moved, check("api", "health")],
        services: vec![service("new"), service("web"), service("api")],
        ..Inventory::default()
    };
    let api = world.known.checks[&SourceId::from(HEALTH)].clone();
    world.seconds(1);
    world.known.take(world.now, &Msg::Reloaded(Ok(Arc::new(next))));
    assert_eq!(world.known.inventory.environment, "test");
    assert_eq!(world.known.checks[&SourceId::from(HEALTH)], api);
    assert_eq!(world.check("check/web/health").mark, Some(Mark::Waiting), "it asks another");
    assert_eq!(world.service("new").status, Status::Unknown);
    assert!(!world.known.services.contains_key("old"));
    assert_eq!(world.alert_names().len(), 1);
    assert_eq!(world.service("web").status, Status::Unknown);
    let before = world.known.clone();
    world.known.take(world.now, &Msg::Reloaded(Err("line 3".into())));
    assert_eq!(world.known, before);
}
