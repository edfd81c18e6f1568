use super::*;
use crate::domain::{Labels, Timestamp};
use crate::metrics::promql::Limits;
use crate::metrics::{Data, Memory, STALE_BITS, Sample, promql};
use std::time::Duration;

/// A memory, a group and its state, evaluated each minute.
struct Bench {
    memory: Memory,
    group: Group,
    state: GroupState,
    earlier: Earlier,
    external: Labels,
}

impl Bench {
    fn new(rules: &str) -> Self {
        let file = read(format!("groups:\n- name: g\n  rules:\n{rules}").as_bytes(), Names::Utf8);
        assert!(file.is_sound(), "{:?}", file.mistakes);
        let group = file.groups.into_iter().next().unwrap();
        let state = GroupState::new(&group);
        let memory = Memory::new(crate::metrics::Limits::default());
        Self { memory, group, state, earlier: Earlier::new(), external: Labels::default() }
    }

    /// A sample each minute; `None` where there is none.
    fn series(mut self, labels: &[(&str, &str)], values: &[Option<f64>]) -> Self {
        let samples = values.iter().enumerate().filter_map(|(minute, value)| {
            let at = Timestamp::from_millis(i64::try_from(minute).unwrap() * 60_000);
            value.map(|value| Sample { at, value })
        });
        self.memory.append(&Labels::new(labels.iter().copied()), samples);
        self
    }

    fn at(&mut self, minute: i64) -> &mut Self {
        let context = Context {
            external_labels: &self.external,
            external_url: "",
            limits: Limits::default(),
            every: Duration::from_mins(1),
            restores: true,
            earlier: &self.earlier,
        };
        let at = Timestamp::from_millis(minute * 60_000);
        for (rule, state) in self.group.rules.iter().zip(&mut self.state.rules) {
            evaluate(&mut self.memory, (&self.group, "f/g"), rule, state, at, &context);
        }
        self
    }

    /// The states of a rule's alerts.
    fn told(&self, rule: usize) -> String {
        let states = self.state.rules[rule].active.iter().map(|(labels, alert)| {
            let labels = labels.filtered(|name| name != "alertname");
            format!("{labels} {:?} {}", alert.state, alert.since.millis() / 60_000)
        });
        states.collect::<Vec<_>>().join("; ")
    }

    fn ask(&self, expr: &str, minute: i64) -> String {
        let at = Timestamp::from_millis(minute * 60_000);
        let expr = promql::parse(expr).unwrap();
        match promql::instant(&expr, &self.memory, at, &Limits::default()).unwrap().data {
            Data::Vector(points) => points
                .iter()
                .map(|point| format!("{} {}", point.labels, point.value))
                .collect::<Vec<_>>()
                .join("; "),
            other => format!("{other:?}"),
        }
    }
}

#[test]
fn an_alert_is_pending_and_then_fires_and_ends() {
    let mut bench = Bench::new("  - {alert: A, expr: v > 0, for: 2m}\n").series(
        &[("__name__", "v"), ("i", "1")],
        &[Some(0.0), Some(1.0), Some(1.0), Some(1.0), Some(0.0), Some(0.0)],
    );
    assert_eq!(bench.at(0).told(0), "");
    assert_eq!(bench.at(1).told(0), "{i=\"1\"} Pending 1");
    assert_eq!(
        bench.ask("ALERTS", 1),
        "ALERTS{alertname=\"A\", alertstate=\"pending\", i=\"1\"} 1"
    );
    assert_eq!(bench.at(2).told(0), "{i=\"1\"} Pending 1");
    assert_eq!(bench.at(3).told(0), "{i=\"1\"} Firing 1");
    assert_eq!(bench.ask("ALERTS", 3), "ALERTS{alertname=\"A\", alertstate=\"firing\", i=\"1\"} 1");
    assert_eq!(bench.ask("ALERTS_FOR_STATE", 3), "ALERTS_FOR_STATE{alertname=\"A\", i=\"1\"} 60");
    assert_eq!(bench.at(4).told(0), "{i=\"1\"} Inactive 1");
    assert_eq!(bench.ask("ALERTS", 4), "");
    assert_eq!(bench.at(19).told(0), "{i=\"1\"} Inactive 1");
    assert_eq!(bench.at(20).told(0), "");
}

#[test]
fn one_that_is_to_keep_firing_does() {
    let mut bench = Bench::new("  - {alert: A, expr: v > 0, keep_firing_for: 2m}\n")
        .series(&[("__name__", "v")], &[Some(1.0), Some(0.0), Some(0.0), Some(0.0)]);
    assert_eq!(bench.at(0).told(0), "{} Firing 0");
    assert_eq!(bench.at(1).told(0), "{} Firing 0");
    assert_eq!(bench.at(2).told(0), "{} Firing 0");
    assert_eq!(bench.at(3).told(0), "{} Inactive 0");
}

#[test]
fn recording_rules_feed_those_that_follow_in_the_same_evaluation() {
    let mut bench = Bench::new(
        "  - {record: 'j:v:sum', expr: sum by (j) (v), labels: {team: a}}\n  - {alert: A, expr: 'j:v:sum > 2'}\n",
    )
    .series(&[("__name__", "v"), ("j", "x"), ("i", "1")], &[Some(1.0), Some(f64::from_bits(STALE_BITS))])
    .series(&[("__name__", "v"), ("j", "x"), ("i", "2")], &[Some(2.0), Some(f64::from_bits(STALE_BITS))]);
    assert_eq!(bench.at(0).told(1), "{j=\"x\", team=\"a\"} Firing 0");
    assert_eq!(bench.ask("j:v:sum", 0), "j:v:sum{j=\"x\", team=\"a\"} 3");
    // What a rule yields no more ends at once, not after five minutes.
    bench.at(1);
    assert_eq!(bench.ask("j:v:sum", 1), "");
}

#[test]
fn labels_are_filled_in_and_must_tell_alerts_apart() {
    let mut bench = Bench::new(
        "  - {alert: A, expr: v > 0, labels: {i: '', s: '{{ if gt $value 1.0 }}high{{ end }}'}, annotations: {t: 'v is {{ $value }}', e: '{{ first .Labels }}'}}\n",
    )
    .series(&[("__name__", "v"), ("i", "1")], &[Some(2.0), Some(2.0)])
    .series(&[("__name__", "v"), ("i", "2")], &[None, Some(2.0)]);
    assert_eq!(bench.at(0).told(0), "{s=\"high\"} Firing 0");
    let (_, alert) = bench.state.rules[0].active.iter().next().unwrap();
    assert_eq!(alert.annotations[1].1, "v is 2");
    assert!(
        alert.annotations[0]
            .1
            .starts_with("<error expanding template: error executing template __alert_A: ")
    );
    bench.at(1);
    let Health::Failed(words) = &bench.state.rules[0].health else { panic!("two are one") };
    assert!(words.contains("same labelset after applying alert labels"));
}

#[test]
fn too_many_alerts_are_none() {
    let mut bench = Bench::new("  - {alert: A, expr: v}\n  - {record: r, expr: v}\n")
        .series(&[("__name__", "v"), ("i", "1")], &[Some(2.0)])
        .series(&[("__name__", "v"), ("i", "2")], &[Some(2.0)]);
    bench.group.limit = 1;
    bench.at(0);
    assert_eq!(bench.told(0), "");
    assert_eq!(
        bench.state.rules[0].health,
        Health::Failed("exceeded limit of 1 with 2 alerts".into())
    );
    assert_eq!(
        bench.state.rules[1].health,
        Health::Failed("exceeded limit of 1 with 2 series".into())
    );
}

#[test]
fn a_restart_takes_alerts_up_where_they_were() {
    let mut bench = Bench::new("  - {alert: A, expr: v > 0, for: 10m}\n")
        .series(&[("__name__", "v")], &[Some(1.0); 40]);
    assert_eq!(bench.at(0).told(0), "{} Pending 0");
    assert!(bench.state.rules[0].active.values().all(|alert| alert.since_at_least));
    bench.at(5);
    bench.state = GroupState::new(&bench.group);
    // Three minutes that nobody saw count for nothing.
    assert_eq!(bench.at(8).told(0), "{} Pending 3");
    assert!(bench.state.rules[0].active.values().all(|alert| !alert.since_at_least));
    assert_eq!(bench.at(13).told(0), "{} Firing 3");
    bench.state = GroupState::new(&bench.group);
    assert_eq!(bench.at(20).told(0), "{} Firing 3");
}

#[test]
fn what_another_process_knew_last_is_newer_than_what_it_kept() {
    let mut bench = Bench::new("  - {alert: A, expr: v > 0, for: 3m}\n")
        .series(&[("__name__", "v")], &[Some(1.0); 40]);
    bench.at(0).at(1);
    bench.state = GroupState::new(&bench.group);
    let at = |minute: i64| Timestamp::from_millis(minute * 60_000);
    // It fired in the fourth minute, of which no sample was kept.
    bench.earlier.insert(Labels::new([("alertname", "A")]), (at(4), at(0)));
    assert_eq!(bench.at(5).told(0), "{} Firing 0");
    // What is known of an older time than what was kept says nothing.
    bench.state = GroupState::new(&bench.group);
    bench.earlier.insert(Labels::new([("alertname", "A")]), (at(2), at(2)));
    assert_eq!(bench.at(6).told(0), "{} Firing 0");
}

#[test]
fn an_alert_that_begins_later_was_seen_to_begin() {
    let mut bench = Bench::new("  - {alert: A, expr: v > 0}\n")
        .series(&[("__name__", "v")], &[Some(0.0), Some(1.0)]);
    bench.at(0);
    bench.at(1);
    assert!(bench.state.rules[0].active.values().all(|alert| !alert.since_at_least));
}

#[test]
fn a_file_that_is_read_anew_ends_no_alert() {
    let mut bench =
        Bench::new("  - {alert: A, expr: v > 0, for: 1m}\n  - {alert: A, expr: v > 1}\n")
            .series(&[("__name__", "v")], &[Some(1.0), Some(1.0)]);
    bench.at(0);
    let mut anew = GroupState::new(&bench.group);
    anew.take_over(std::mem::take(&mut bench.state));
    bench.state = anew;
    assert_eq!(bench.at(1).told(0), "{} Firing 0");
    assert_eq!(bench.told(1), "");
}
