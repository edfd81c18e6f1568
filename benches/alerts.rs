//! What it costs to take in what Alertmanager and Prometheus tell of 5,000
//! alerts: the first time, told the same again, and with a tenth of it changed.

use divan::{Bencher, black_box};
use opsroom::domain::alert::ALERT_NAME;
use opsroom::domain::{
    AlertState, AlertsReading, Inventory, Labels, Reading, Reported, Role, Severity, SourceId,
    SourceInfo, Timestamp,
};
use opsroom::store::{Known, Msg, Polled};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const ALERTS: usize = 5_000;
const EVERY: Duration = Duration::from_secs(10);

fn main() {
    divan::main();
}

fn source(kind: &str) -> SourceInfo {
    SourceInfo {
        id: SourceId::from(kind),
        role: Role::Alerts,
        label: kind.into(),
        kind: kind.into(),
        asks: String::new(),
        every: EVERY,
        timeout: EVERY,
        network: true,
        note: None,
        cost: String::new(),
    }
}

/// What a source of this kind tells; Alertmanager's labels are more. Alerts
/// from `from` on, as they come and go.
fn told(kind: &str, from: usize) -> AlertsReading {
    let alert = |n: usize| {
        let labels = [
            (ALERT_NAME, format!("Alert{}", n % 40)),
            ("instance", format!("host-{n}:9100")),
            ("job", format!("job-{}", n % 100)),
            ("namespace", "shop".to_owned()),
            ("severity", ["critical", "warning", "info"][n % 3].to_owned()),
        ];
        let labels = Labels::new(labels.iter().map(|(name, value)| (*name, value.as_str())));
        let labels = if kind == "alertmanager" {
            labels.with("cluster", "north").with("replica", "a")
        } else {
            labels
        };
        let summary = format!("host-{n} has less than 10% of its disk left");
        Reported {
            severity: Severity::of_label(labels.get("severity")),
            labels,
            annotations: BTreeMap::from([("summary".into(), summary)]),
            state: AlertState::Firing,
            since: Timestamp::from_millis(1_000),
            since_at_least: false,
            quiet: Vec::new(),
            receivers: vec!["team".into()],
            expression: "disk_free / disk_size < 0.1".into(),
            value: None,
            link: None,
        }
    };
    let mut alerts: Vec<Reported> = (from..from + ALERTS).map(alert).collect();
    alerts.sort_by(|a, b| a.labels.cmp(&b.labels));
    AlertsReading { alerts, ..AlertsReading::default() }
}

fn polls(at: Timestamp, from: usize) -> [Msg; 2] {
    ["alertmanager", "rules"].map(|kind| {
        Msg::Polled(vec![Polled {
            source: SourceId::from(kind),
            taken: at,
            next: at + EVERY,
            took: Duration::ZERO,
            late: Duration::ZERO,
            outcome: Ok(Reading::Alerts(Arc::new(told(kind, from)))),
        }])
    })
}

fn nothing() -> Known {
    let sources = vec![source("alertmanager"), source("rules")];
    let inventory = Inventory { sources, ..Inventory::default() };
    Known::new(Arc::new(inventory), Timestamp::from_millis(0))
}

fn take(known: &mut Known, at: Timestamp, polls: &[Msg]) {
    for msg in polls {
        known.take(at, msg);
    }
}

/// Both sources' polls, taken in by a store that knows those of `before`.
fn after(bencher: Bencher<'_, '_>, before: Option<usize>, from: usize) {
    let (first, second) = (Timestamp::from_millis(10_000), Timestamp::from_millis(20_000));
    let mut known = nothing();
    if let Some(before) = before {
        take(&mut known, first, &polls(first, before));
    }
    bencher.with_inputs(|| (known.clone(), polls(second, from))).bench_values(
        |(mut known, polls)| {
            take(&mut known, second, &polls);
            black_box(known)
        },
    );
}

#[divan::bench]
fn first_reading(bencher: Bencher<'_, '_>) {
    after(bencher, None, 0);
}

#[divan::bench]
fn told_the_same(bencher: Bencher<'_, '_>) {
    after(bencher, Some(0), 0);
}

#[divan::bench]
fn a_tenth_changed(bencher: Bencher<'_, '_>) {
    after(bencher, Some(0), ALERTS / 10);
}
