//! A night on which the database fails, half of what needs it with it, and others
//! tell of it, too.

use super::house::{
    NAMES, NOW, ago, alert, answer_charts, inventory, press, setting, text_of, unicode_of,
};
use crate::app::State;
use crate::domain::{
    Alert, AlertState, Cause, CheckReading, Labels, Quiet, Reading, Release, Severity, Status,
};
use crate::store::{Known, Msg, Polled};
use crate::ui::Keys;
use std::sync::Arc;
use std::time::Duration;

fn poll(known: &mut Known, at_s: u64, name: &str, status: Status, cause: Option<Cause>) {
    let at = ago(at_s);
    let summary = match (status, cause) {
        (Status::Ok, _) => "HTTP 200",
        (_, Some(Cause::Timeout)) => "no answer in 5s",
        (_, Some(Cause::Refused)) => "connection refused",
        _ => "HTTP 500",
    };
    let reading =
        CheckReading { status, summary: summary.into(), cause, ..CheckReading::default() };
    let polled = Polled {
        source: format!("check/{name}/health").into(),
        taken: at,
        next: at + Duration::from_secs(10),
        took: Duration::from_millis(9),
        late: Duration::ZERO,
        outcome: Ok(Reading::Check(reading)),
    };
    known.take(at, &Msg::Polled(vec![polled]));
}

/// db refuses, api and payments wait for it in vain, worker is ill by itself.
pub(super) fn database_down(width: u16, height: u16) -> State {
    let mut inventory = inventory(&NAMES);
    for service in &mut inventory.services {
        if service.name.as_str() == "db" {
            service.depends_on.clear();
        }
    }
    inventory.signals.clear();
    inventory.hosts.clear();
    let (keys, size) = (Keys::default(), (width, height));
    let mut state = State::new(Arc::new(inventory), setting(), keys, size, ago(900));
    let known = &mut state.known;
    for at in (730..=840).rev().step_by(10) {
        for name in NAMES {
            poll(known, at, name, Status::Ok, None);
        }
    }
    let critical = Status::Critical;
    for again in 0..3 {
        poll(known, 720 - again, "db", critical, Some(Cause::Refused));
    }
    for at in (0..=700).rev().step_by(10) {
        poll(known, at, "web", Status::Ok, None);
        poll(known, at, "db", critical, Some(Cause::Refused));
        poll(known, at, "api", critical, Some(Cause::Timeout));
        poll(known, at, "payments", critical, Some(Cause::Timeout));
        poll(known, at, "worker", critical, Some(Cause::Answer));
    }
    assert_eq!(known.now, NOW);
    state.sheets.clear();
    state.settle(true);
    state
}

/// Alerts as Alertmanager and Prometheus tell of them.
fn others() -> Vec<Alert> {
    let foreign = |name: &str, service: &str, severity, since_s, why: &str| Alert {
        labels: Labels::new([("alertname", name), ("service", service), ("job", service)]),
        origins: vec!["alertmanager".into(), "prometheus".into()],
        source: Some("alertmanager".into()),
        receivers: vec!["pager".into(), "shop-chat".into()],
        link: Some("http://prom.internal:9090/graph?g0.expr=up".into()),
        ..alert(name, service, severity, since_s, why)
    };
    let wang = Quiet::Silenced {
        id: "8f0c".into(),
        by: "wang".into(),
        until: Some(NOW + Duration::from_hours(7)),
        comment: "disk is on order".into(),
    };
    vec![
        Alert {
            quiet: vec![wang],
            ..foreign("DiskAlmostFull", "db", Severity::Critical, 86_400, "disk 4% free")
        },
        Alert {
            quiet: vec![Quiet::Inhibited { by: "DatabaseDown service=db".into() }],
            ..foreign("QueueGrows", "worker", Severity::Warning, 600, "queue 4012 > 100")
        },
        Alert {
            state: AlertState::Pending,
            ..foreign("ReplicaLag", "db", Severity::Warning, 40, "lag 41s > 30s")
        },
        Alert {
            quiet: vec![Quiet::Muted { by: "weekends".into() }],
            ..foreign("SlowPages", "web", Severity::Warning, 4_000, "p95 1.1s > 1s")
        },
        foreign("Watchdog", "web", Severity::Info, 864_000, "always fires"),
    ]
}

fn with_others(width: u16, height: u16) -> State {
    let mut state = database_down(width, height);
    state.known.alerts.extend(others());
    state.settle(true);
    state
}

#[test]
fn what_the_database_explains_is_one_row_under_it() {
    insta::assert_snapshot!(text_of(&database_down(80, 24), 80, 24));
    insta::assert_snapshot!(unicode_of(&database_down(120, 40), 120, 40));
}

#[test]
fn a_fold_opens_and_closes_and_keeps_the_selection() {
    let mut state = database_down(80, 24);
    assert!(text_of(&state, 80, 24).contains("+2 explained by db: api, payments (enter unfolds)"));
    press(&mut state, "down enter");
    let text = text_of(&state, 80, 24);
    let fold = text.lines().find(|line| line.contains("2 explained by db")).unwrap();
    assert!(fold.starts_with('>') && fold.ends_with("(enter folds)"), "{text}");
    assert_eq!(text.matches("CRIT   payments").count(), 2, "among alerts and services: {text}");
    press(&mut state, "enter");
    let text = text_of(&state, 80, 24);
    assert!(text.contains("+2 explained by db"), "{text}");
    assert_eq!(text.matches("CRIT   payments").count(), 1, "{text}");
}

#[test]
fn a_filter_looks_into_folds() {
    let mut state = database_down(80, 24);
    press(&mut state, "/ p a y enter");
    let text = text_of(&state, 80, 24);
    assert!(text.contains("ALERTS 1 of 4") && text.contains("no answer in 5s"), "{text}");
}

#[test]
fn an_alert_that_folds_while_it_is_selected_leaves_its_fold_selected() {
    let mut state = database_down(80, 24);
    press(&mut state, "down enter down");
    press(&mut state, "up enter");
    assert_eq!(state.chosen(), Some(crate::panels::Chosen::Service("db".into())));
}

#[test]
fn alerts_of_all_origins_with_their_states() {
    let mut state = with_others(80, 24);
    press(&mut state, "3");
    insta::assert_snapshot!(text_of(&state, 80, 24));
    let mut state = with_others(120, 40);
    press(&mut state, "3 G");
    insta::assert_snapshot!(unicode_of(&state, 120, 40));
}

#[test]
fn a_silenced_alert_says_who_until_when_and_why() {
    let mut state = with_others(80, 40);
    press(&mut state, "3 / d i s k enter");
    answer_charts(&mut state);
    let text = text_of(&state, 80, 40);
    assert!(text.contains("silenced by wang until 10:07: disk is on order (8f0c)"), "{text}");
    assert!(text.contains("receivers    pager, shop-chat"), "{text}");
}

#[test]
fn five_thousand_alerts_stay_in_order() {
    let mut state = database_down(80, 24);
    let many = (0..5_000).map(|i| Alert {
        labels: Labels::new([("alertname", "Many"), ("n", &format!("{i:04}"))]),
        service: None,
        source: Some("alertmanager".into()),
        ..alert("Many", "web", Severity::Warning, 60, "many")
    });
    state.known.alerts.extend(many);
    press(&mut state, "3 G");
    assert!(text_of(&state, 80, 24).contains("ALERTS 5004, 2 folded"));
}

fn release(version: &str, service: Option<&str>, minutes: u64) -> Release {
    Release {
        version: version.into(),
        service: service.map(Into::into),
        at: NOW - Duration::from_mins(minutes),
        by: "ci".into(),
        origin: "deployments".into(),
        ..Release::default()
    }
}

/// A night that goes wrong two minutes after a release.
fn released(width: u16, height: u16) -> State {
    let mut state = super::house::burning(width, height);
    state.known.releases = vec![
        release("v142", Some("api"), 13),
        release("v88", Some("web"), 20),
        release("kernel 6.1.2", None, 25),
        release("v141", Some("api"), 5_000),
    ];
    state.sheets.clear();
    state.settle(true);
    state
}

#[test]
fn what_changed_last_stands_above_and_releases_are_marked_on_charts() {
    let mut state = released(80, 24);
    answer_charts(&mut state);
    insta::assert_snapshot!(text_of(&state, 80, 24));
    let mut state = released(120, 40);
    answer_charts(&mut state);
    insta::assert_snapshot!(unicode_of(&state, 120, 40));
    let mut state = released(120, 40);
    press(&mut state, "enter");
    answer_charts(&mut state);
    insta::assert_snapshot!(unicode_of(&state, 120, 40));
}

#[test]
fn a_change_is_told_for_an_hour_or_while_something_is_wrong() {
    let told = |state: &State| text_of(state, 80, 24).contains("changed: ");
    assert!(!told(&super::house::burning(80, 24)), "nothing is known to have changed");
    let mut state = super::house::calm(80, 24);
    state.known.releases = vec![release("v142", Some("api"), 59)];
    state.settle(true);
    assert!(told(&state));
    state.known.releases = vec![release("v142", Some("api"), 61)];
    state.settle(true);
    assert!(!told(&state), "all is well again");
    let mut state = released(80, 24);
    state.known.releases = vec![release("v142", Some("worker"), 3_000)];
    state.settle(true);
    assert!(!told(&state), "of days ago, and nothing came of it");
}

#[test]
fn of_equally_bad_alerts_the_one_of_what_was_just_released_is_under_the_cursor() {
    let burning = |releases: Vec<Release>| {
        let mut state = super::house::calm(80, 24);
        let critical = |service: &str, ago| Alert {
            source: Some("alertmanager".into()),
            ..alert("HighErrorRate", service, Severity::Critical, ago, "5xx 30% > 5%")
        };
        state.known.alerts = vec![critical("web", 70), critical("api", 60)];
        state.known.releases = releases;
        state.sheets.clear();
        state.settle(true);
        let chosen = text_of(&state, 80, 24);
        let chosen = chosen.lines().find(|line| line.starts_with('>')).map(str::to_owned);
        chosen.unwrap_or_default()
    };
    assert!(burning(Vec::new()).contains(" web "), "the first one");
    assert!(burning(vec![release("v142", Some("api"), 2)]).contains(" api "));
    assert!(burning(vec![release("v142", Some("api"), 5_000)]).contains(" web "), "long ago");
}

#[test]
fn the_line_of_the_last_change_takes_no_keys() {
    let mut state = released(80, 24);
    let lines = text_of(&state, 80, 24).matches("changed: ").count();
    assert_eq!(lines, 1);
    for _ in 0..8 {
        let panel = &state.sheets[&state.page].panels[state.sheets[&state.page].focus];
        assert_ne!(panel.0.name, "changed");
        press(&mut state, "tab");
    }
}

#[test]
fn the_strip_says_what_keeps_the_watching_from_being_whole() {
    let mut state = super::house::calm(80, 24);
    for source in state.known.sources.values_mut() {
        source.late = Duration::from_secs(12);
    }
    state.settle(true);
    let text = text_of(&state, 80, 24);
    assert_eq!(
        text.lines().nth(1),
        Some("! polls begin over 10s late  prom <10s  web/health <10s  +4 answer")
    );
    // What is bad for certain comes before it.
    let mut state = super::house::burning(120, 40);
    for source in state.known.sources.values_mut() {
        source.late = Duration::from_secs(12);
    }
    state.settle(true);
    let text = text_of(&state, 120, 40);
    let strip = text.lines().nth(1).unwrap();
    assert!(strip.starts_with("? db/health STALE 2m10s  ! polls begin over 10s late  "), "{strip}");
}
