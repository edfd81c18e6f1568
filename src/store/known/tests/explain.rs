//! What folds under what, and what never does.

use super::*;
use crate::domain::Component;

/// web needs api, api and worker need db; db is asked first.
fn shop() -> World {
    let mut services = ["db", "api", "web", "worker"].map(service);
    services[1].depends_on = vec!["db".into()];
    services[2].depends_on = vec!["api".into()];
    services[3].depends_on = vec!["db".into()];
    let names = ["db", "api", "web", "worker"];
    let mut world = World::new(Inventory {
        sources: names.iter().map(|name| check(name, "health")).collect(),
        services: services.to_vec(),
        signals: vec![
            signal("api/5xx", SignalKind::Errors, "5xx", Unit::Ratio),
            signal("api/queue", SignalKind::Custom, "queue", Unit::Number),
        ],
        ..Inventory::default()
    });
    for name in names {
        world.poll(&health(name), fine());
    }
    let asked = asks(&world.tick());
    for ask in &asked {
        world.answer(ask, one(0.0));
    }
    world
}

fn health(name: &str) -> String {
    format!("check/{name}/health")
}

fn timeout() -> Result<Reading, PollError> {
    reading(Status::Critical, "no answer in 5s", Some(Cause::Timeout))
}

fn naming(status: Status, parts: &[(&str, Status)]) -> Result<Reading, PollError> {
    let part = |(name, status): &(&str, Status)| Component {
        name: (*name).into(),
        status: *status,
        detail: String::new(),
    };
    Ok(Reading::Check(CheckReading {
        status,
        summary: "HTTP 503".into(),
        cause: Some(Cause::Answer),
        components: parts.iter().map(part).collect(),
        ..CheckReading::default()
    }))
}

impl World {
    fn breaks(&mut self, name: &str, how: &Result<Reading, PollError>) -> &mut Self {
        self.poll_thrice(&health(name), how);
        self
    }

    fn root(&self, name: &str) -> Option<&str> {
        self.known.explained().root_of(&name.into()).map(ServiceName::as_str)
    }

    /// Names of the services whose alerts are folded.
    fn folded(&self) -> Vec<String> {
        let alerts = self.known.alerts.iter();
        let explained = self.known.explained();
        let folded = alerts.filter(|alert| explained.root_of_alert(alert.identity()).is_some());
        let name = |alert: &Alert| format!("{} {}", alert.service.as_ref().unwrap(), alert.name());
        let mut names: Vec<String> = folded.map(name).collect();
        names.sort();
        names
    }
}

const CRITICAL: Status = Status::Critical;

#[test]
fn what_times_out_after_what_it_needs_folds_under_the_root_of_all_and_counts_all_the_same() {
    let mut world = shop();
    world.seconds(10).breaks("db", &cut_off());
    world.seconds(1).breaks("api", &timeout()).breaks("worker", &timeout());
    assert_eq!(world.root("web"), None);
    world.seconds(5).breaks("web", &timeout());
    assert_eq!(world.root("api"), Some("db"));
    assert_eq!(world.root("worker"), Some("db"));
    assert_eq!(world.root("web"), Some("db"), "through the api");
    assert_eq!(world.root("db"), None);
    assert_eq!(world.folded().len(), 3);
    assert_eq!(world.known.counts(), Counts { critical: 4, ..Counts::default() });
}

#[test]
fn an_answer_that_is_bad_for_a_reason_of_its_own_never_folds() {
    let mut world = shop();
    world.seconds(10).breaks("db", &bad());
    for answer in [
        bad(),
        naming(CRITICAL, &[("disk", CRITICAL)]),
        naming(CRITICAL, &[("db", CRITICAL), ("disk", CRITICAL)]),
        naming(CRITICAL, &[("db", Status::Warning)]),
        naming(CRITICAL, &[("db", Status::Ok)]),
        naming(CRITICAL, &[("mongodb", CRITICAL)]),
        reading(CRITICAL, "certificate has expired", Some(Cause::Tls)),
        reading(CRITICAL, "no such program", Some(Cause::Check)),
        Err(PollError::new(PollFailure::Denied, "HTTP 401")),
        Err(PollError::new(PollFailure::Busy, "starting up")),
    ] {
        world.seconds(10).breaks("api", &answer);
        assert_eq!((world.root("api"), world.folded().len()), (None, 0), "{answer:?}");
    }
    world.seconds(10).breaks("api", &naming(CRITICAL, &[("db", CRITICAL)]));
    assert_eq!(world.root("api"), Some("db"), "and as soon as it names it, it does");
    world.seconds(10).poll(&health("api"), bad());
    assert_eq!(world.root("api"), None);
}

#[test]
fn a_component_names_what_is_needed_in_the_ways_of_health_answers() {
    for (name, named) in [
        ("db", true),
        ("DB", true),
        ("readiness/db", true),
        ("db:responseTime", true),
        ("database", true),
        ("postgres", true),
        ("mysql", true),
        ("redis", false),
        ("db-migrations", false),
        ("db/worker", true),
    ] {
        let mut world = shop();
        world.seconds(10).breaks("db", &bad());
        world.seconds(1).breaks("api", &naming(CRITICAL, &[(name, CRITICAL)]));
        assert_eq!(world.root("api").is_some(), named, "{name}");
    }
    // A group that only sums up what is in it needs no name of its own.
    let mut world = shop();
    world.seconds(10).breaks("db", &bad());
    let parts = [("readiness", CRITICAL), ("readiness/db", CRITICAL)];
    world.seconds(1).breaks("api", &naming(CRITICAL, &parts));
    assert_eq!(world.root("api"), Some("db"));
    // What is needed over several steps may be named, too.
    world.seconds(1).breaks("web", &naming(CRITICAL, &[("db", CRITICAL)]));
    assert_eq!(world.root("web"), Some("db"));
}

#[test]
fn what_broke_first_is_no_consequence() {
    let mut world = shop();
    world.seconds(10).breaks("api", &timeout());
    world.seconds(60).breaks("db", &bad());
    assert_eq!(world.root("api"), None);
    // Within an interval nobody saw which was first.
    let mut world = shop();
    world.seconds(10).breaks("api", &timeout()).breaks("db", &bad());
    assert_eq!(world.root("api"), Some("db"));
}

#[test]
fn only_what_is_at_least_as_bad_explains_and_what_is_unknown_nothing() {
    let mut world = shop();
    world.seconds(10).breaks("db", &reading(Status::Warning, "slow", None));
    world.seconds(1).breaks("api", &timeout());
    assert_eq!(world.root("api"), None);
    let part = [("db", Status::Warning)];
    world.seconds(1).breaks("worker", &naming(Status::Warning, &part));
    assert_eq!(world.root("worker"), Some("db"));

    let mut world = shop();
    world.seconds(10).breaks("db", &refused());
    assert_eq!(world.service("db").status, Status::Unknown);
    world.seconds(1).breaks("api", &timeout());
    assert_eq!(world.root("api"), None);
    // The other way round: what could not be asked folds as what timed out does.
    let mut world = shop();
    world.seconds(10).breaks("db", &bad());
    world.seconds(1).breaks("worker", &refused());
    assert_eq!(world.service("worker").status, Status::Unknown);
    assert_eq!(world.root("worker"), Some("db"));
}

#[test]
fn when_the_root_heals_what_is_still_bad_unfolds_at_once() {
    let mut world = shop();
    world.seconds(10).breaks("db", &bad());
    world.seconds(1).breaks("api", &timeout()).breaks("web", &timeout());
    let moved = world.known.moved;
    world.seconds(10).breaks("db", &fine());
    assert_eq!((world.root("api"), world.root("web")), (None, Some("api")));
    assert!(world.known.moved > moved);
    world.seconds(1).breaks("api", &fine());
    assert_eq!(world.root("web"), None);
    assert!(!world.known.alerts.is_empty() && world.folded().is_empty());
}

#[test]
fn what_recovers_stays_folded_until_that_counts() {
    let mut world = shop();
    world.seconds(10).breaks("db", &bad());
    world.seconds(1).breaks("api", &timeout());
    world.seconds(10).poll(&health("api"), fine());
    assert_eq!(world.service("api").status, CRITICAL);
    assert_eq!(world.root("api"), Some("db"));
}

#[test]
fn errors_fold_only_beside_a_check_that_does_and_other_signals_never() {
    let answer = |world: &mut World, errors: f64, queue: f64| {
        let asked = asks(&world.seconds(10).tick());
        for ask in &asked {
            let value = if ask.id.0.contains("5xx") { errors } else { queue };
            world.answer(ask, one(value));
        }
    };
    let mut world = shop();
    world.seconds(10).breaks("db", &bad());
    answer(&mut world, 0.2, 0.0);
    assert_eq!((world.root("api"), world.folded().len()), (None, 0));
    world.seconds(1).breaks("api", &timeout());
    assert_eq!(world.root("api"), Some("db"));
    assert_eq!(world.folded().len(), 2);
    answer(&mut world, 0.2, 0.2);
    assert_eq!(world.root("api"), None, "something else is bad, too");
    assert_eq!(world.folded(), ["api CheckFailing", "api HighErrorRate"]);
}

#[test]
fn a_release_of_its_own_just_before_is_the_likelier_reason() {
    let released = |world: &mut World, minutes: u64| {
        world.known.releases = vec![Release {
            version: "v2".into(),
            service: Some("api".into()),
            at: world.now - Duration::from_mins(minutes),
            ..Release::default()
        }];
    };
    let mut world = shop();
    world.seconds(10).breaks("db", &bad());
    released(&mut world, 2);
    world.seconds(1).breaks("api", &timeout());
    assert_eq!(world.root("api"), None);
    world.seconds(1).breaks("api", &naming(CRITICAL, &[("db", CRITICAL)]));
    assert_eq!(world.root("api"), Some("db"), "it says itself what is wrong");

    let mut world = shop();
    world.seconds(10).breaks("db", &bad());
    released(&mut world, 20);
    world.seconds(1).breaks("api", &timeout());
    assert_eq!(world.root("api"), Some("db"));
}

#[test]
fn a_certificate_that_will_end_breaks_nobody() {
    let mut world = shop();
    let ending = crate::domain::Certificate {
        subject: "db".into(),
        issuer: "ca".into(),
        not_before: START - Duration::from_hours(1),
        not_after: START + Duration::from_hours(48),
        problem: None,
    };
    let reading =
        CheckReading { status: Status::Ok, certificate: Some(ending), ..CheckReading::default() };
    world.seconds(10).poll(&health("db"), Ok(Reading::Check(reading)));
    assert_eq!(world.service("db").status, CRITICAL);
    world.seconds(10).breaks("api", &timeout());
    assert_eq!(world.root("api"), None);
}

#[test]
fn general_words_mean_something_only_where_one_thing_can_be_meant() {
    let two = |kinds: [&str; 2]| {
        let mut api = service("api");
        api.depends_on = vec!["orders".into(), "stock".into()];
        let mut sources = ["orders", "stock", "api"].map(|name| check(name, "health"));
        for (source, kind) in sources.iter_mut().zip(kinds) {
            source.kind = kind.into();
        }
        sources[0].asks = "postgres://app@orders.internal:5432/orders".into();
        let mut world = World::new(Inventory {
            sources: sources.to_vec(),
            services: vec![service("orders"), service("stock"), api],
            ..Inventory::default()
        });
        for name in ["orders", "stock", "api"] {
            world.poll(&health(name), fine());
        }
        world.seconds(10).breaks("orders", &bad());
        world
    };
    let mut world = two(["postgres", "redis"]);
    world.breaks("api", &naming(CRITICAL, &[("database", CRITICAL)]));
    assert_eq!(world.root("api"), Some("orders"));
    let mut world = two(["postgres", "mysql"]);
    world.breaks("api", &naming(CRITICAL, &[("database", CRITICAL)]));
    assert_eq!(world.root("api"), None, "it may be the other one");
    world.seconds(1).breaks("api", &naming(CRITICAL, &[("postgres", CRITICAL)]));
    assert_eq!(world.root("api"), Some("orders"));
    world.seconds(1).breaks("api", &naming(CRITICAL, &[("stock", CRITICAL)]));
    assert_eq!(world.root("api"), None, "it names one that is well");
    world.seconds(1).breaks("api", &naming(CRITICAL, &[("orders.internal", CRITICAL)]));
    assert_eq!(world.root("api"), Some("orders"), "by its host");
}

#[test]
fn an_alert_of_others_folds_by_a_label_that_names_what_is_needed() {
    let mut world = shop();
    world.seconds(10).breaks("db", &bad());
    let foreign = |label: &str, value: &str| Alert {
        labels: Labels::new([("alertname", "Slow"), (label, value)]),
        origins: vec!["alertmanager".into()],
        service: Some("api".into()),
        source: Some("alertmanager".into()),
        ..world.known.alerts[0].clone()
    };
    let found: Vec<bool> = [("upstream", "db"), ("team", "db"), ("upstream", "dbx")]
        .map(|(label, value)| foreign(label, value))
        .into_iter()
        .map(|alert| {
            let mut known = world.known.clone();
            known.alerts.push(alert.clone());
            known.settle_explained();
            known.explained().root_of_alert(alert.identity()).is_some()
        })
        .collect();
    assert_eq!(found, [true, false, false]);
}

#[test]
fn a_long_chain_and_a_circle_come_to_an_end() {
    let chain = |circle: bool| {
        let name = |i: usize| format!("s{i:04}");
        let services = (0..300).map(|i| {
            let mut of = service(&name(i));
            if i > 0 || circle {
                of.depends_on = vec![name(if i == 0 { 299 } else { i - 1 }).into()];
            }
            of
        });
        let mut world = World::new(Inventory {
            sources: (0..300).map(|i| check(&name(i), "health")).collect(),
            services: services.collect(),
            ..Inventory::default()
        });
        for _ in 0..3 {
            let polled = (0..300).map(|i| Polled {
                source: format!("check/{}/health", name(i)).into(),
                taken: world.now,
                next: world.now + EVERY,
                took: Duration::ZERO,
                late: Duration::ZERO,
                outcome: timeout(),
            });
            let polled = polled.collect();
            world.known.take(world.now, &Msg::Polled(polled));
            world.seconds(1);
        }
        world
    };
    let world = chain(false);
    assert_eq!(world.root("s0299"), Some("s0000"));
    assert_eq!(world.folded().len(), 299);
    let world = chain(true);
    assert_eq!((world.root("s0000"), world.known.counts().critical), (None, 300));
}
