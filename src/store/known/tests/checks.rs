//! Checks, their services and alerts.

use super::*;
use crate::domain::{Certificate, Severity};

fn shop() -> World {
    World::new(Inventory {
        sources: vec![check("api", "health")],
        services: vec![service("api")],
        ..Inventory::default()
    })
}

const HEALTH: &str = "check/api/health";

#[test]
fn before_the_first_answer_everything_is_unknown() {
    let world = shop();
    assert_eq!(world.check(HEALTH).mark, Some(Mark::Waiting));
    assert_eq!(world.service("api").status, Status::Unknown);
    assert_eq!(world.known.counts(), Counts { unknown: 1, ..Counts::default() });
    assert_eq!(world.known.verdict(), Status::Unknown);
}

#[test]
fn a_fault_is_asked_again_twice_then_critical_with_an_alert_and_events() {
    let mut world = shop();
    assert_eq!(world.poll(HEALTH, fine()), []);
    assert!(world.known.events.is_empty(), "learning that it is well is no event");
    let again = Effect::PollAgain { source: HEALTH.into(), after: Duration::from_secs(1) };
    assert_eq!(world.seconds(10).poll(HEALTH, bad()), std::slice::from_ref(&again));
    assert_eq!(world.service("api").status, Status::Ok);
    assert_eq!(world.service("api").mark, Some(Mark::Confirming { to: Status::Critical }));
    assert_eq!(world.seconds(1).poll(HEALTH, bad()), [again]);
    assert!(world.known.alerts.is_empty());
    assert_eq!(world.seconds(1).poll(HEALTH, bad()), []);
    let api = world.service("api").clone();
    assert_eq!((api.status, api.reason.as_str()), (Status::Critical, "HTTP 503"));
    assert_eq!(api.since, START + Duration::from_secs(10));
    let alert = &world.known.alerts[0];
    assert_eq!(
        alert.labels.to_string(),
        r#"{alertname="CheckFailing", check="health", service="api"}"#
    );
    assert_eq!(
        (alert.severity, alert.expression.as_str()),
        (Severity::Critical, "check api/health")
    );
    assert_eq!((alert.since, alert.seen), (api.since, world.now));
    let kinds: Vec<_> = world.known.events.iter().map(|event| &event.kind).collect();
    assert!(matches!(
        kinds[..],
        [
            EventKind::CheckChanged { to: Status::Critical, .. },
            EventKind::AlertFired { .. } | EventKind::ServiceChanged { .. },
            EventKind::AlertFired { .. } | EventKind::ServiceChanged { .. },
        ]
    ));
    let history = &world.known.services[&ServiceName::from("api")].history;
    assert_eq!(history.back(), Some(&(api.since, Status::Critical)));

    world.seconds(10).poll_thrice(HEALTH, &fine());
    assert_eq!(world.service("api").status, Status::Ok);
    assert!(world.known.alerts.is_empty());
    let resolved = |event: &Event| matches!(event.kind, EventKind::AlertResolved { .. });
    assert_eq!(world.known.events.iter().filter(|event| resolved(event)).count(), 1);
}

#[test]
fn an_alert_stays_the_same_when_its_severity_changes() {
    let mut world = shop();
    world.poll_thrice(HEALTH, &reading(Status::Warning, "slow", None));
    let (identity, since) = (world.known.alerts[0].identity(), world.known.alerts[0].since);
    world.seconds(60).poll_thrice(HEALTH, &bad());
    let alert = &world.known.alerts[0];
    assert_eq!((alert.identity(), alert.since), (identity, since));
    assert_eq!(alert.severity, Severity::Critical);
    let fired = |event: &&Event| matches!(event.kind, EventKind::AlertFired { .. });
    assert_eq!(world.known.events.iter().filter(fired).count(), 1);
}

#[test]
fn a_check_that_cannot_be_asked_is_unknown_and_its_alert_goes_on() {
    let mut world = shop();
    world.poll(HEALTH, fine());
    world.poll_thrice(HEALTH, &refused());
    let standing = world.check(HEALTH).clone();
    assert_eq!(
        (standing.status, standing.reason.as_str()),
        (Status::Unknown, "connection refused")
    );
    assert_eq!(standing.seen, Some(START), "a failed poll has seen nothing");
    assert!(world.known.alerts.is_empty());

    world.poll_thrice(HEALTH, &reading(Status::Warning, "slow", None));
    assert_eq!(world.alert_names(), ["CheckFailing"]);
    world.seconds(60).tick();
    assert_eq!(world.check(HEALTH).status, Status::Unknown);
    assert_eq!(world.alert_names(), ["CheckFailing"], "nobody knows that it has ended");
}

#[test]
fn what_is_not_heard_of_turns_stale_by_the_tick() {
    let mut world = shop();
    world.poll(HEALTH, fine());
    world.seconds(30).tick();
    assert_eq!(world.service("api").status, Status::Ok);
    world.later(Duration::from_millis(1)).tick();
    assert_eq!(world.service("api").status, Status::Unknown);
    assert_eq!(world.service("api").mark, Some(Mark::Stale));
    world.poll_thrice(HEALTH, &bad());
    world.seconds(120).tick();
    let api = world.service("api");
    assert_eq!((api.status, api.mark), (Status::Critical, Some(Mark::Stale)));
    assert_eq!(api.words(world.now), "HTTP 503, unseen 2m");
}

#[test]
fn third_parties_warn_at_most_and_advisories_count_for_nothing() {
    let capped = |at_most: Status| {
        let mut info = check("api", "mail");
        if let Role::Check(role) = &mut info.role {
            role.at_most = at_most;
        }
        let mut world = World::new(Inventory {
            sources: vec![check("api", "health"), info],
            services: vec![service("api")],
            ..Inventory::default()
        });
        world.poll(HEALTH, fine());
        world.poll_thrice("check/api/mail", &bad());
        world
    };
    let third = capped(Status::Warning);
    assert_eq!(third.service("api").status, Status::Warning);
    assert_eq!(third.service("api").reason, "mail: HTTP 503");
    assert_eq!(third.known.alerts[0].severity, Severity::Warning);
    let advisory = capped(Status::Ok);
    assert_eq!(advisory.check("check/api/mail").status, Status::Warning, "never shown as ok");
    assert_eq!(advisory.service("api").status, Status::Ok);
    assert!(advisory.known.alerts.is_empty());
}

#[test]
fn a_certificate_is_judged_by_its_days_even_when_nothing_else_happens() {
    let mut world = shop();
    let day = Duration::from_hours(24);
    let certificate = Certificate {
        subject: "api".into(),
        issuer: "ca".into(),
        not_before: START - day,
        not_after: START + day * 7 + Duration::from_secs(20),
        problem: None,
    };
    let with = CheckReading {
        status: Status::Ok,
        certificate: Some(certificate),
        ..CheckReading::default()
    };
    world.poll(HEALTH, Ok(Reading::Check(with)));
    assert_eq!(world.alert_names(), ["CertificateExpiring"]);
    assert_eq!(world.service("api").status, Status::Warning);
    assert_eq!(world.service("api").reason, "certificate ends in 7d");
    world.seconds(20).tick();
    assert_eq!(world.service("api").status, Status::Warning);
    world.seconds(1).tick();
    assert_eq!(world.service("api").status, Status::Critical, "less than seven days");
    // A plain answer without it ends it.
    world.seconds(1).poll(HEALTH, fine());
    assert_eq!(world.service("api").status, Status::Ok);
    assert!(world.known.alerts.is_empty());
}

#[test]
fn the_worst_alerts_come_first_and_then_the_longest() {
    let names = ["a", "b", "c"];
    let mut world = World::new(Inventory {
        sources: names.iter().map(|name| check(name, "health")).collect(),
        services: names.iter().map(|name| service(name)).collect(),
        ..Inventory::default()
    });
    world.poll_thrice("check/b/health", &reading(Status::Warning, "slow", None));
    world.poll_thrice("check/c/health", &bad());
    world.poll_thrice("check/a/health", &bad());
    let order: Vec<_> =
        world.known.alerts.iter().map(|alert| alert.service.clone().unwrap()).collect();
    assert_eq!(order, ["c".into(), "a".into(), "b".into()] as [ServiceName; 3]);
    assert_eq!(world.known.counts(), Counts { critical: 2, warning: 1, ..Counts::default() });
}

#[test]
fn after_a_worse_time_a_service_is_at_warning_since_the_worse_ended() {
    let mut world = World::new(Inventory {
        sources: vec![check("api", "health"), check("api", "deep")],
        services: vec![service("api")],
        ..Inventory::default()
    });
    world.poll_thrice("check/api/deep", &reading(Status::Warning, "slow", None));
    world.poll_thrice(HEALTH, &bad());
    world.seconds(5).poll_thrice(HEALTH, &fine());
    let api = world.service("api");
    assert_eq!((api.status, api.reason.as_str()), (Status::Warning, "deep: slow"));
    assert_eq!(api.since, world.now - Duration::from_secs(2), "the first of the good polls");
}

#[test]
fn ten_thousand_events_leave_the_last_two_thousand() {
    let mut world = shop();
    for _ in 0..1_500 {
        world.seconds(10).poll_thrice(HEALTH, &bad());
        world.seconds(10).poll_thrice(HEALTH, &fine());
        // Quiet enough not to flap.
        for _ in 0..18 {
            world.seconds(10).poll(HEALTH, fine());
        }
    }
    assert_eq!(world.known.events.len(), EVENTS);
    assert!(world.known.services[&ServiceName::from("api")].history.len() <= 200);
}

#[test]
fn an_unknown_source_and_a_late_answer_change_nothing() {
    let mut world = shop();
    world.poll(HEALTH, fine());
    world.seconds(10).poll(HEALTH, fine());
    let before = world.known.clone();
    assert_eq!(world.poll("check/none/health", bad()), []);
    assert_eq!(world.known, before);
    world.now = world.now - Duration::from_secs(5);
    let late = Polled {
        source: HEALTH.into(),
        taken: world.now,
        next: world.now,
        took: Duration::ZERO,
        late: Duration::ZERO,
        outcome: bad(),
    };
    world.known.take(before.now, &Msg::Polled(vec![late]));
    assert_eq!(world.known.checks, before.checks);
}

#[test]
fn a_check_that_takes_longer_than_its_interval_is_not_stale_in_between() {
    let mut world = shop();
    let took = Duration::from_secs(25);
    for _ in 0..3 {
        let taken = world.now;
        let polled = Polled {
            source: HEALTH.into(),
            taken,
            next: taken + EVERY * 3,
            took,
            late: Duration::ZERO,
            outcome: fine(),
        };
        world.later(took);
        world.known.take(world.now, &Msg::Polled(vec![polled]));
        world.seconds(4).tick();
        assert_eq!(world.service("api").status, Status::Ok);
        world.seconds(1);
    }
}
