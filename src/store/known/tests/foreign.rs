//! Alerts that others raise.

use super::*;
use crate::domain::{
    AlertState, AlertsReading, BrokenRule, Notifications, Quiet, Reported, Severity,
    TargetsReading, Watchdog,
};
use crate::store::glance::{Glance, ProblemKind};

const AM: &str = "alertmanager";
const PROM: &str = "prometheus/alerts";

fn world() -> World {
    let mut api = service("api");
    api.job = Some("api-server".into());
    let mut am = source(AM, Role::Alerts);
    am.kind = "alertmanager".into();
    let mut prom = source(PROM, Role::Alerts);
    prom.kind = "rules".into();
    let targets = source("prometheus/targets", Role::Targets);
    let services = vec![api, service("db")];
    World::new(Inventory { sources: vec![prom, am, targets], services, ..Inventory::default() })
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    Labels::new(pairs.iter().copied())
}

fn told(pairs: &[(&str, &str)]) -> Reported {
    let labels = labels(pairs);
    Reported {
        severity: Severity::of_label(labels.get("severity")),
        labels,
        annotations: BTreeMap::from([("summary".into(), "it is bad".into())]),
        state: AlertState::Firing,
        since: START,
        since_at_least: false,
        quiet: Vec::new(),
        receivers: Vec::new(),
        expression: String::new(),
        value: None,
        link: None,
    }
}

fn pending(pairs: &[(&str, &str)]) -> Reported {
    Reported { state: AlertState::Pending, ..told(pairs) }
}

fn silenced(pairs: &[(&str, &str)]) -> Reported {
    let quiet = Quiet::Silenced {
        id: "1".into(),
        by: "li".into(),
        until: Some(START + Duration::from_hours(2)),
        comment: "known".into(),
    };
    Reported { quiet: vec![quiet], ..told(pairs) }
}

fn answer(alerts: Vec<Reported>) -> Result<Reading, PollError> {
    whole(AlertsReading { alerts, ..AlertsReading::default() })
}

fn whole(reading: AlertsReading) -> Result<Reading, PollError> {
    Ok(Reading::Alerts(Arc::new(reading)))
}

const DOWN: [(&str, &str); 3] =
    [("alertname", "TargetDown"), ("instance", "h:1"), ("severity", "critical")];

fn with<'l>(base: &[(&'l str, &'l str)], more: &[(&'l str, &'l str)]) -> Vec<(&'l str, &'l str)> {
    base.iter().chain(more).copied().collect()
}

fn happened(world: &World) -> Vec<String> {
    let words = world.known.events.iter().filter_map(|event| match &event.kind {
        EventKind::AlertFired { name, .. } => Some(format!("fired {name}")),
        EventKind::AlertResolved { name, .. } => Some(format!("resolved {name}")),
        EventKind::Note { text } => Some(text.clone()),
        _ => None,
    });
    words.collect()
}

#[test]
fn the_same_alert_from_both_is_one_line_with_both_origins() {
    let mut world = world();
    let mut early = told(&DOWN);
    early.since = START - Duration::from_mins(5);
    early.expression = "up == 0".into();
    world.poll(PROM, answer(vec![early]));
    assert_eq!(world.known.alerts.len(), 1);
    let external = with(&DOWN, &[("cluster", "lab"), ("replica", "a")]);
    world.seconds(1).poll(AM, answer(vec![told(&external)]));
    let [alert] = &world.known.alerts[..] else { panic!("{:?}", world.known.alerts) };
    assert_eq!(alert.origins, ["alertmanager", "prometheus"]);
    assert_eq!(alert.labels, labels(&external));
    assert_eq!(alert.since, START - Duration::from_mins(5));
    assert_eq!((alert.expression.as_str(), alert.reason.as_str()), ("up == 0", "it is bad"));
    assert_eq!(happened(&world), ["fired TargetDown"]);
    assert_eq!(world.known.counts().critical, 1);

    // Whoever forgets it first: it goes on, and ends once.
    world.seconds(9).poll(AM, answer(vec![]));
    assert_eq!(world.known.alerts[0].origins, ["prometheus"]);
    world.seconds(1).poll(PROM, answer(vec![]));
    assert!(world.known.alerts.is_empty());
    assert_eq!(happened(&world), ["fired TargetDown", "resolved TargetDown"]);
    assert_eq!(world.known.counts().critical, 0);
}

#[test]
fn what_alertmanager_keeps_apart_stays_apart_and_the_nearest_is_joined() {
    let mut world = world();
    let replicas = |name| told(&with(&DOWN, &[("replica", name)]));
    let nearest = told(&with(&DOWN, &[]));
    world.poll(AM, answer(vec![replicas("a"), replicas("b")]));
    world.poll(PROM, answer(vec![nearest.clone()]));
    assert_eq!(world.known.alerts.len(), 2, "two replicas, one of them told of by both");
    let both = world.known.alerts.iter().filter(|alert| alert.origins.len() == 2);
    assert_eq!(both.count(), 1);
    world.seconds(1).poll(AM, answer(vec![replicas("a"), nearest]));
    let exact = world.known.alerts.iter().find(|alert| alert.labels == labels(&DOWN)).unwrap();
    assert_eq!(exact.origins.len(), 2);
    // Another instance is another alert, and one without an instance takes none of these.
    let other = [("alertname", "TargetDown"), ("instance", "h:2"), ("severity", "critical")];
    let bare = [("alertname", "TargetDown"), ("severity", "critical")];
    world.seconds(1).poll(PROM, answer(vec![told(&bare), told(&other), told(&DOWN)]));
    assert_eq!(world.known.alerts.len(), 3, "{:#?}", world.known.alerts);
}

#[test]
fn pending_quiet_and_informing_alerts_are_listed_last_and_count_for_nothing() {
    let mut world = world();
    world.poll_thrice(PROM, &answer(vec![pending(&[("alertname", "P"), ("severity", "page")])]));
    world.poll_thrice(
        AM,
        &answer(vec![
            silenced(&[("alertname", "S"), ("severity", "critical")]),
            told(&[("alertname", "I"), ("severity", "info")]),
            told(&[("alertname", "W"), ("severity", "warning")]),
        ]),
    );
    world.poll("prometheus/targets", Ok(Reading::Targets(Arc::default())));
    assert_eq!(world.alert_names(), ["W", "P", "I", "S"]);
    let counts = world.known.counts();
    assert_eq!((counts.critical, counts.warning), (0, 1));
    assert_eq!(happened(&world), ["fired W"]);
    let glance = Glance::of(&world.known);
    let alerts: Vec<&str> = glance
        .problems
        .iter()
        .filter(|problem| problem.kind == ProblemKind::Alert)
        .map(|problem| problem.name.as_str())
        .collect();
    assert_eq!(alerts, ["W"]);
    assert!(glance.text(world.now).contains("warning   alert    W"), "{}", glance.text(world.now));
}

#[test]
fn a_silence_is_no_end_and_its_end_no_beginning() {
    let mut world = world();
    let w = [("alertname", "W")];
    world.poll(AM, answer(vec![told(&w)]));
    world.seconds(1).poll(AM, answer(vec![silenced(&w)]));
    assert_eq!(world.known.counts().warning, 0);
    world.seconds(1).poll(AM, answer(vec![told(&w)]));
    assert_eq!(world.known.counts().warning, 1);
    assert_eq!(happened(&world), ["fired W"]);
    // One that was quiet from the first is told when it gets loud.
    let s = [("alertname", "S")];
    world.seconds(1).poll(AM, answer(vec![told(&w), silenced(&s)]));
    assert_eq!(happened(&world).len(), 1);
    world.seconds(1).poll(AM, answer(vec![told(&w), told(&s)]));
    assert_eq!(happened(&world), ["fired W", "fired S"]);
    world.seconds(1).poll(AM, answer(vec![silenced(&s)]));
    world.seconds(1).poll(AM, answer(vec![]));
    assert_eq!(happened(&world), ["fired W", "fired S", "resolved W", "resolved S"]);
}

#[test]
fn an_alert_of_a_service_is_part_of_its_verdict() {
    let mut world = world();
    let by_label = told(&[("alertname", "Slow"), ("service", "db")]);
    let by_job = told(&[("alertname", "Errors"), ("job", "api-server"), ("severity", "critical")]);
    world.poll(AM, answer(vec![by_label, by_job.clone(), told(&[("alertname", "Other")])]));
    let api = world.service("api");
    assert_eq!((api.status, api.reason.as_str()), (Status::Critical, "alert Errors: it is bad"));
    assert_eq!(world.service("db").reason, "alert Slow: it is bad");
    let counts = world.known.counts();
    assert_eq!((counts.critical, counts.warning), (1, 2), "api; db, Other");
    world.seconds(1).poll(AM, answer(vec![]));
    assert_eq!(world.service("api").status, Status::Unknown, "nothing else to judge it by");
    assert_eq!(world.known.counts().critical, 0);
}

#[test]
fn what_a_dead_source_told_stays_and_what_is_critical_stays_so() {
    let mut world = world();
    world.poll_thrice(AM, &answer(vec![told(&DOWN), told(&[("alertname", "W")])]));
    let seen = world.now;
    for _ in 0..8 {
        world.seconds(5).poll(AM, refused());
        world.tick();
    }
    assert_eq!(world.alert_names(), ["TargetDown", "W", "SourceDown"]);
    let alert = &world.known.alerts[0];
    assert_eq!(alert.seen, seen);
    let standing = world.known.standing_of_alert(alert);
    assert_eq!((standing.status, standing.mark), (Status::Critical, Some(Mark::Stale)));
    let counts = world.known.counts();
    assert_eq!((counts.critical, counts.warning), (1, 1), "the source itself is the warning");
    let text = Glance::of(&world.known).text(world.now);
    assert!(text.contains("alert    TargetDown          it is bad, unseen 40s"), "{text}");
    assert!(text.contains("unknown   alert    W"), "{text}");
    assert_eq!(happened(&world).len(), 3);
    // It is back, and nothing has changed.
    world.seconds(1).poll_thrice(AM, &answer(vec![told(&DOWN), told(&[("alertname", "W")])]));
    assert_eq!(world.known.counts().critical, 1);
    assert!(world.known.standing_of_alert(&world.known.alerts[0]).mark.is_none());
}

#[test]
fn prometheus_answers_for_an_alertmanager_that_is_dead() {
    let mut world = world();
    world.poll(AM, answer(vec![told(&[("alertname", "W")])]));
    world.poll(PROM, answer(vec![told(&[("alertname", "W")])]));
    for _ in 0..8 {
        world.seconds(5).poll(PROM, answer(vec![told(&[("alertname", "W")])]));
        world.poll(AM, refused());
    }
    let standing = world.known.standing_of_alert(&world.known.alerts[1]);
    assert_eq!((standing.status, standing.mark), (Status::Warning, None));
}

#[test]
fn what_is_wrong_with_the_alerting_itself_is_a_warning_with_its_reason() {
    let mut world = world();
    let rule = BrokenRule { name: "R".into(), group: "g".into(), error: "bad labels".into() };
    let reading = AlertsReading { broken_rules: vec![rule], ..AlertsReading::default() };
    world.poll_thrice(PROM, &whole(reading));
    let webhook = Notifications {
        integration: "webhook".into(),
        tried: 9,
        failed: 3,
        tried_lately: 4,
        failed_lately: 4,
        failing: true,
    };
    let watchdog = Some(Watchdog { name: "Watchdog".into(), fires: false });
    let reading =
        AlertsReading { notifications: vec![webhook], watchdog, ..AlertsReading::default() };
    world.poll_thrice(AM, &whole(reading));
    let reason = |id: &str| world.known.sources[&SourceId::from(id)].standing.reason.clone();
    assert_eq!(reason(PROM), "rule R is broken: bad labels");
    assert_eq!(
        reason(AM),
        "Watchdog does not fire: alerts may not arrive; webhook notifications fail, 4 of 4 in 5m"
    );
    assert_eq!(world.known.counts().warning, 2);
    assert_eq!(world.known.broken_rules().count(), 1);
    assert_eq!(world.known.failing_notifications().count(), 1);
    assert_eq!(world.known.missing_watchdog(), Some("Watchdog"));
}

#[test]
fn a_watchdog_is_no_alert_and_targets_that_are_down_are_counted() {
    let mut world = world();
    world.poll(PROM, answer(vec![told(&[("alertname", "Watchdog")])]));
    let own = [("alertname", "AlwaysFiring")];
    let watchdog = Some(Watchdog { name: "AlwaysFiring".into(), fires: true });
    let alerts = vec![told(&own)];
    world.poll(AM, whole(AlertsReading { alerts, watchdog, ..AlertsReading::default() }));
    assert!(world.known.alerts.is_empty(), "{:?}", world.alert_names());
    world.seconds(1).poll(PROM, answer(vec![told(&own)]));
    assert!(world.known.alerts.is_empty(), "{:?}", world.alert_names());
    let targets = TargetsReading { up: 41, down_count: 1, ..TargetsReading::default() };
    world.poll("prometheus/targets", Ok(Reading::Targets(Arc::new(targets))));
    assert_eq!(world.known.targets().unwrap().1.down_count, 1);
    let id = SourceId::from("prometheus/targets");
    assert_eq!(world.known.sources[&id].standing.reason, "41 targets up, 1 down");
}

#[test]
fn five_thousand_alerts_of_one_name_are_joined_and_a_storm_leaves_the_history() {
    let mut world = world();
    let names: Vec<String> = (0..5_000).map(|i| format!("h-{i}")).collect();
    let one = |name: &str, external: bool| {
        let more: &[(&str, &str)] = if external { &[("cluster", "lab")] } else { &[] };
        told(&with(&[("alertname", "Down"), ("instance", name)], more))
    };
    world.poll(AM, answer(names.iter().map(|name| one(name, true)).collect()));
    world.poll(PROM, answer(names.iter().map(|name| one(name, false)).collect()));
    assert_eq!(world.known.alerts.len(), 5_000);
    assert!(world.known.alerts.iter().all(|alert| alert.origins.len() == 2));
    assert_eq!(world.known.counts().warning, 5_000);
    let before = happened(&world).len();
    assert_eq!(before, 201);
    assert_eq!(happened(&world)[200], "4800 more alerts began to fire");
    world.seconds(10).poll(AM, answer(names.iter().map(|name| one(name, true)).collect()));
    assert_eq!(happened(&world).len(), before);
    world.seconds(1).poll(AM, answer(vec![]));
    world.poll(PROM, answer(vec![]));
    assert_eq!(happened(&world).last().unwrap(), "4800 more alerts ended");
}

#[test]
fn a_reload_keeps_alerts_of_sources_that_stay_and_drops_those_of_others() {
    let mut world = world();
    world.poll(AM, answer(vec![told(&[("alertname", "A")])]));
    world.poll(PROM, answer(vec![told(&[("alertname", "B"), ("service", "new")])]));
    let mut inventory = Inventory::clone(&world.known.inventory);
    inventory.sources.retain(|info| info.id.as_str() != AM);
    inventory.services.push(service("new"));
    world.known.take(world.now, &Msg::Reloaded(Ok(Arc::new(inventory))));
    assert_eq!(world.alert_names(), ["B"]);
    assert_eq!(world.service("new").reason, "alert B: it is bad");
    assert_eq!(happened(&world), ["fired A", "fired B", "resolved A"]);
}
