//! What another process knew, taken up.

use super::*;
use crate::domain::Event;

fn inventory() -> Arc<Inventory> {
    Arc::new(Inventory {
        environment: "test".into(),
        sources: vec![check("api", "health")],
        services: vec![service("api")],
        ..Inventory::default()
    })
}

fn later(seconds: u64) -> Timestamp {
    START + Duration::from_secs(seconds)
}

/// A service that has been down since the third second.
fn watched() -> Known {
    let mut known = Known::new(inventory(), START);
    for second in [0, 3, 4, 5, 13, 23] {
        let at = later(second);
        let status = if second == 0 { Status::Ok } else { Status::Critical };
        let polled = Polled {
            source: "check/api/health".into(),
            taken: at,
            next: at + EVERY,
            took: Duration::from_millis(3),
            late: Duration::ZERO,
            outcome: Ok(Reading::Check(CheckReading { status, ..CheckReading::default() })),
        };
        known.take(at, &Msg::Polled(vec![polled]));
    }
    known.take(later(24), &Msg::Ticked);
    known
}

fn started(at: Timestamp, kept: &Known) -> Known {
    let mut known = Known::new(inventory(), at);
    let json = serde_json::to_string(&kept.to_be_kept()).unwrap();
    known.take(at, &Msg::Remembered(serde_json::from_str(&json).unwrap()));
    known
}

#[test]
fn a_console_that_starts_while_watch_runs_knows_since_when_it_is_so() {
    let watched = watched();
    let api = watched.services["api"].clone();
    assert_eq!((api.standing.status, api.standing.since), (Status::Critical, later(3)));
    let known = started(later(30), &watched);
    assert_eq!(known.services["api"], api);
    assert_eq!(known.alerts, watched.alerts);
    assert_eq!(known.events, watched.events);
    assert_eq!(known.now, later(30));
}

#[test]
fn what_was_ok_then_is_not_ok_for_ever() {
    let mut known = Known::new(inventory(), START);
    let reading = CheckReading { status: Status::Ok, ..CheckReading::default() };
    let outcome = Ok(Reading::Check(reading));
    let (took, late) = (Duration::ZERO, Duration::ZERO);
    let source = SourceId::from("check/api/health");
    let polled = Polled { source, taken: START, next: START + EVERY, took, late, outcome };
    known.take(START, &Msg::Polled(vec![polled]));
    assert_eq!(known.services["api"].standing.status, Status::Ok);
    // Older than three of its intervals when it is taken up.
    let known = started(later(45), &known);
    assert_eq!(known.services["api"].standing.status, Status::Unknown);
}

#[test]
fn of_an_older_time_only_what_happened_is_taken_over() {
    let watched = watched();
    let known = started(later(24 + 600), &watched);
    assert_eq!(known.services["api"].standing.status, Status::Unknown);
    assert!(known.alerts.is_empty());
    let pause = Event {
        at: later(24),
        kind: EventKind::Note { text: "nobody watched from here on, for 10m".into() },
    };
    assert_eq!(known.events.len(), watched.events.len() + 1);
    assert_eq!(known.events.back(), Some(&pause));
}

#[test]
fn another_environment_and_the_future_say_nothing() {
    let watched = watched();
    let mut other = watched.clone();
    other.inventory =
        Arc::new(Inventory { environment: "other".into(), ..Inventory::clone(&inventory()) });
    assert!(started(later(30), &other).events.is_empty());
    assert!(started(later(10), &watched).events.is_empty());
}
