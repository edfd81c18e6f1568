//! Signals: asked when due, judged as they are answered.

use super::*;

fn api() -> Inventory {
    let mut errors = signal("api/errors", SignalKind::Errors, "5xx", Unit::Ratio);
    errors.min_requests = Some(("requests".into(), 10.0));
    let mut traffic = signal("api/traffic", SignalKind::Traffic, "req/s", Unit::PerSecond);
    traffic.thresholds = Thresholds::default();
    Inventory {
        sources: vec![check("api", "health"), scrape("api", "api", "api:80")],
        services: vec![service("api")],
        signals: vec![errors, traffic],
        ..Inventory::default()
    }
}

fn plain(unit: Unit) -> World {
    World::new(Inventory {
        services: vec![service("api")],
        signals: vec![signal("api/errors", SignalKind::Errors, "5xx", unit)],
        ..Inventory::default()
    })
}

fn ids(effects: &[Effect]) -> Vec<String> {
    asks(effects).iter().map(|ask| ask.id.0.to_string()).collect()
}

/// Answers all that is asked: errors, requests and traffic.
fn answer_all(world: &mut World, asked: &[Ask], errors: f64, requests: f64, traffic: f64) {
    // Traffic first, so that the reason can name it.
    for ask in asked.iter().rev() {
        let value = match &*ask.id.0 {
            "signal/api/errors" => errors,
            "requests/api/errors" => requests,
            _ => traffic,
        };
        world.answer(ask, one(value));
    }
}

#[test]
fn signals_are_asked_when_due_and_never_twice_at_once() {
    let mut world = World::new(api());
    let first = world.tick();
    assert_eq!(ids(&first), ["signal/api/errors", "requests/api/errors", "signal/api/traffic"]);
    assert_eq!(world.seconds(30).tick(), [], "all are on their way");
    answer_all(&mut world, &asks(&first), 0.0, 100.0, 41.0);
    assert_eq!(world.tick().len(), 3);
    // What never comes is asked again after a minute.
    assert_eq!(world.seconds(59).tick(), []);
    assert_eq!(world.seconds(1).tick().len(), 3);
}

#[test]
fn a_scrape_of_its_job_asks_a_signal_at_once_but_not_each_of_many() {
    let mut world = World::new(api());
    let first = asks(&world.tick());
    answer_all(&mut world, &first, 0.0, 100.0, 41.0);
    let effects = world.seconds(2).poll("scrape/api/api:80", page());
    assert_eq!(ids(&effects).len(), 3);
    answer_all(&mut world, &asks(&effects), 0.0, 100.0, 41.0);
    assert!(ids(&world.seconds(1).poll("scrape/api/api:80", page())).is_empty(), "just asked");
}

#[test]
fn an_error_rate_above_its_threshold_is_critical_with_its_words_and_alert() {
    let mut world = World::new(api());
    world.poll("check/api/health", fine());
    let asked = asks(&world.tick());
    answer_all(&mut world, &asked, 0.124, 2_460.0, 41.0);
    let errors = world.signal("api/errors");
    assert_eq!(errors.status, Status::Critical);
    assert_eq!(errors.reason, "5xx 12.4% > 5%, 41 req/s");
    assert_eq!(world.service("api").reason, errors.reason);
    assert_eq!(world.alert_names(), ["HighErrorRate"]);
    let alert = &world.known.alerts[0];
    assert_eq!(alert.expression, r#"api/errors{job="api"}"#);
    assert_eq!(alert.labels.get("service"), Some("api"));
    assert!(alert.since_at_least, "nobody saw it begin");

    let asked = asks(&world.seconds(10).tick());
    answer_all(&mut world, &asked, 0.02, 2_460.0, 41.0);
    assert_eq!(world.service("api").status, Status::Warning);
    assert_eq!(world.known.alerts.len(), 1);
    let asked = asks(&world.seconds(10).tick());
    answer_all(&mut world, &asked, 0.01, 2_460.0, 41.0);
    assert_eq!(world.service("api").status, Status::Ok, "the threshold itself is not beyond it");
    assert!(world.known.alerts.is_empty());
}

#[test]
fn under_the_least_requests_it_warns_at_most_and_says_so() {
    let mut world = World::new(api());
    let asked = asks(&world.tick());
    answer_all(&mut world, &asked, 0.5, 4.0, 0.01);
    let errors = world.signal("api/errors");
    assert_eq!((errors.status, errors.mark), (Status::Warning, Some(Mark::LittleTraffic)));
    assert_eq!(errors.reason, "5xx 50% > 5%, 0.01 req/s, little traffic: 4 in the window");
}

#[test]
fn no_requests_are_unknown_and_leave_a_service_whose_check_is_ok_alone() {
    for (errors, requests) in [(f64::NAN, f64::NAN), (0.0, 0.0)] {
        let mut world = World::new(api());
        let asked = asks(&world.tick());
        answer_all(&mut world, &asked, errors, requests, 0.0);
        let standing = world.signal("api/errors");
        assert_eq!((standing.status, standing.mark), (Status::Unknown, Some(Mark::NoTraffic)));
        assert_eq!(standing.reason, "no traffic");
        assert_eq!(world.service("api").status, Status::Unknown, "its check has not answered");
        world.poll("check/api/health", fine());
        assert_eq!(world.service("api").status, Status::Ok);
        world.poll_thrice("check/api/health", &refused());
        assert_eq!(world.service("api").status, Status::Unknown);
    }
}

#[test]
fn too_little_of_the_window_is_not_judged() {
    let mut world = plain(Unit::Ratio);
    let asked = asks(&world.tick());
    let (seen, wanted) = (Duration::from_secs(40), Duration::from_mins(5));
    world.answer_covered(&asked[0], one(0.9), Coverage::Partial { seen, wanted });
    let standing = world.signal("api/errors");
    assert_eq!((standing.status, standing.reason.as_str()), (Status::Unknown, "40s of 5m seen"));
    assert_eq!(standing.mark, Some(Mark::Uncovered { seen, wanted }));
    assert_eq!(world.service("api").reason, "5xx: 40s of 5m seen");
}

#[test]
fn an_answer_without_numbers_is_unknown_and_says_why() {
    let no_point = |data: Data| {
        let mut world = plain(Unit::Ratio);
        let asked = asks(&world.tick());
        world.answer(&asked[0], Ok(data));
        let standing = world.signal("api/errors").clone();
        assert_eq!(standing.status, Status::Unknown);
        standing.reason
    };
    assert_eq!(no_point(Data::Vector(Vec::new())), "no series matches");
    assert_eq!(no_point(Data::Matrix(Vec::new())), "no series matches");
    assert_eq!(no_point(Data::Text("x".into())), "the answer is a text, not a number");
    assert_eq!(no_point(Data::Scalar(Num(f64::NAN))), "no traffic");
}

#[test]
fn an_engine_that_fails_once_is_asked_again_before_anything_is_unknown() {
    let mut world = plain(Unit::Ratio);
    let asked = asks(&world.tick());
    world.answer(&asked[0], one(0.0));
    assert_eq!(world.service("api").status, Status::Ok);
    world.seconds(8);
    for failure in 1..=3 {
        let asked = asks(&world.seconds(2).tick());
        assert_eq!(asked.len(), 1, "failure {failure}");
        world.answer(&asked[0], engine_error("connection refused"));
        let expected = if failure < 3 { Status::Ok } else { Status::Unknown };
        assert_eq!(world.service("api").status, expected, "failure {failure}");
    }
    assert_eq!(world.service("api").reason, "5xx: connection refused");
    assert_eq!(asks(&world.seconds(2).tick()), [], "from now on at its own pace");
}

#[test]
fn an_expression_with_a_mistake_is_unknown_at_once() {
    let mut world = plain(Unit::Ratio);
    let asked = asks(&world.tick());
    let error = AskError { message: "unexpected \")\"".into(), span: Some((3, 4)) };
    world.answer(&asked[0], Err(error));
    assert_eq!(world.signal("api/errors").reason, "unexpected \")\"");
}

#[test]
fn a_critical_that_nobody_answers_for_any_more_stays_and_its_alert_too() {
    let mut world = plain(Unit::Ratio);
    let asked = asks(&world.tick());
    world.answer(&asked[0], one(0.9));
    for _ in 0..4 {
        let asked = asks(&world.seconds(10).tick());
        world.answer(&asked[0], engine_error("timed out"));
    }
    let standing = world.signal("api/errors");
    assert_eq!((standing.status, standing.mark), (Status::Critical, Some(Mark::Stale)));
    assert_eq!(standing.seen, Some(START));
    assert_eq!(world.alert_names(), ["HighErrorRate"]);
    // Silence alone does the same, and makes an ok unknown.
    let mut world = plain(Unit::Ratio);
    let asked = asks(&world.tick());
    world.answer(&asked[0], one(0.0));
    world.seconds(31).tick();
    assert_eq!(world.signal("api/errors").mark, Some(Mark::Stale));
    assert_eq!(world.service("api").status, Status::Unknown);
}

#[test]
fn each_bad_series_is_an_alert_and_the_worst_counts() {
    let mut world = plain(Unit::Number);
    let asked = asks(&world.tick());
    world.answer(&asked[0], vector(&[("a", 0.02), ("b", f64::NAN), ("c", 0.3), ("d", 0.0)]));
    let standing = world.signal("api/errors");
    assert_eq!(
        (standing.status, standing.reason.as_str()),
        (Status::Critical, "5xx 0.3 > 0.05 on c")
    );
    assert_eq!(world.known.alerts.len(), 2);
    let values = &world.known.signals[&SignalId::from("api/errors")].values;
    let order: Vec<_> = values.iter().map(|value| value.labels.get("instance").unwrap()).collect();
    assert_eq!(order, ["c", "a", "b", "d"]);
    let asked = asks(&world.seconds(10).tick());
    world.answer(&asked[0], vector(&[("a", 0.02), ("d", 0.02)]));
    let instances: Vec<_> = world.known.alerts.iter().map(|a| a.labels.get("instance")).collect();
    assert_eq!(instances, [Some("a"), Some("d")], "longest first; c is gone");
    assert!(world.known.alerts[0].since < world.known.alerts[1].since);
}

#[test]
fn below_is_bad_where_the_signal_says_so() {
    let mut disk = signal("api/disk", SignalKind::Disk, "disk", Unit::Ratio);
    disk.thresholds = Thresholds { below: true, warning: Some(0.2), critical: Some(0.1) };
    let mut world = World::new(Inventory {
        services: vec![service("api")],
        signals: vec![disk],
        ..Inventory::default()
    });
    let asked = asks(&world.tick());
    world.answer(&asked[0], vector(&[("db-1", 0.12), ("db-2", 0.5)]));
    assert_eq!(world.signal("api/disk").reason, "disk 12% free < 20% on db-1");
    assert_eq!(world.alert_names(), ["LowDisk"]);
}

#[test]
fn a_signal_of_the_config_names_its_own_alert() {
    let own = signal("api/queue_depth", SignalKind::Custom, "queue", Unit::Number);
    let mut world = World::new(Inventory {
        services: vec![service("api")],
        signals: vec![own],
        ..Inventory::default()
    });
    let asked = asks(&world.tick());
    world.answer(&asked[0], one(7.0));
    assert_eq!(world.alert_names(), ["QueueDepth"]);
}

#[test]
fn hostile_labels_reach_neither_reason_nor_alert() {
    let mut world = plain(Unit::Number);
    let asked = asks(&world.tick());
    let evil = format!("a\u{1b}]0;x\u{7}\u{202e}{}", "y".repeat(1_000_000));
    world.answer(&asked[0], vector(&[(&evil, 0.9), ("b", 0.9)]));
    let standing = world.signal("api/errors");
    assert!(!standing.reason.contains(['\u{1b}', '\u{202e}']));
    assert!(standing.reason.chars().count() < 200);
    for alert in &world.known.alerts {
        let labels: usize = alert.labels.iter().map(|(_, value)| value.len()).sum();
        assert!(labels < 2_000, "{labels}");
    }
}

#[test]
fn an_answer_to_another_question_is_not_judged() {
    let mut world = plain(Unit::Ratio);
    let asked = asks(&world.tick());
    let stranger = Ask { expr: "another".into(), ..asked[0].clone() };
    world.answer(&stranger, one(0.9));
    let old = Ask { at: START - EVERY, ..asked[0].clone() };
    world.answer(&old, one(0.9));
    assert_eq!(world.signal("api/errors").mark, Some(Mark::Waiting));
    // A panel's answer is kept for it; an older one does not replace it.
    let panel = Ask { id: AskId("panel/1".into()), ..asked[0].clone() };
    world.answer(&panel, one(1.0));
    let older = Ask { at: START - EVERY, ..panel.clone() };
    world.answer(&older, one(2.0));
    assert_eq!(world.known.answers[&panel.id].outcome, one(1.0));
    for place in 0..2 * ANSWERS {
        let panel = Ask { id: AskId(format!("panel/{place}").into()), ..panel.clone() };
        world.answer(&panel, one(1.0));
    }
    assert_eq!(world.known.answers.len(), ANSWERS);
}

#[test]
fn new_thresholds_are_judged_by_the_next_answer_at_once() {
    let mut world = plain(Unit::Ratio);
    let asked = asks(&world.tick());
    world.answer(&asked[0], one(0.5));
    let mut inventory = Inventory::clone(&world.known.inventory);
    inventory.signals[0].thresholds.critical = Some(0.9);
    let effects = world.seconds(1);
    let effects = effects.known.take(effects.now, &Msg::Reloaded(Ok(Arc::new(inventory))));
    assert_eq!(world.signal("api/errors").status, Status::Critical, "until it is answered");
    world.answer(&asks(&effects)[0], one(0.5));
    assert_eq!(world.signal("api/errors").status, Status::Warning);
}
