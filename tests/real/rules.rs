//! Rules of rule files: opsroom beside a real Prometheus that has the same file
//! and the same target, and `opsroom rules` beside promtool.

use super::promql::serve;
use super::support::{Server, free_port, now, program};
use opsroom::config::Found;
use opsroom::domain::{AlertState, AlertsReading, Reading, Reported, SourceId, Status};
use opsroom::runtime::assemble::Assembled;
use opsroom::runtime::headless;
use opsroom::store::Known;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const RULES: &str = r#"groups:
- name: queues
  rules:
  - record: queue:length:max
    expr: max by (job, queue) (queue_length)
  - alert: QueueLong
    expr: queue:length:max > 10
    for: 3s
    labels: {severity: page}
    annotations:
      summary: 'queue {{ $labels.queue }} has {{ $value | humanize }} of {{ query "queue_limit" | first | value }}'
      runbook_url: https://books.example/queue
"#;

fn page(length: u64) -> (u16, String) {
    (200, format!("queue_length{{queue=\"mail\"}} {length}\nqueue_limit 10\n"))
}

fn told<'k>(known: &'k Known, source: &str) -> Option<&'k AlertsReading> {
    match known.sources.get(&SourceId::from(source))?.reading.as_ref()? {
        Reading::Alerts(reading) => Some(reading),
        _ => None,
    }
}

fn state(reading: &AlertsReading) -> Option<AlertState> {
    reading.alerts.first().map(|alert| alert.state)
}

/// What must be the same wherever the rule is evaluated.
fn same(alert: &Reported) -> impl PartialEq + std::fmt::Debug {
    (alert.labels.clone(), alert.annotations.clone(), alert.severity, alert.value)
}

#[test]
fn an_alert_goes_the_same_way_here_and_in_a_real_prometheus() {
    let Some(prometheus) = program("prometheus") else { return };
    let held = Arc::new(Mutex::new(page(1)));
    let target = serve(&held);
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let port = free_port();
    file("rules.yml", RULES);
    file(
        "p.yml",
        &format!(
            "global: {{ scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }}\n\
             rule_files: [rules.yml]\nscrape_configs:\n\
             - {{ job_name: shop, static_configs: [ {{ targets: ['127.0.0.1:{target}'] }} ] }}\n"
        ),
    );
    let _server = Server::start(
        Command::new(prometheus)
            .arg(format!("--config.file={}", folder.path().join("p.yml").display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}")),
    );
    let text = format!(
        "rules = 'rule[s].yml'\n[prometheus]\nurl = 'http://127.0.0.1:{port}'\nalerts_every = '1s'\n\
         [service.shop]\njob = 'shop'\npreset = 'none'\n\
         [scrape.shop]\ntargets = ['127.0.0.1:{target}']\nevery = '1s'\ntimeout = '1s'\n"
    );
    file("config.toml", &text);
    let path = folder.path().join("config.toml");
    let assembled =
        Assembled::of(&Found { path, text }, false).map_err(|error| error.text).unwrap();

    let phase = RefCell::new(0);
    let moments = RefCell::new(Vec::new());
    let note = |what: &str| moments.borrow_mut().push((what.to_owned(), now()));
    let step = |known: &Known| -> Option<Duration> {
        let more = Some(Duration::from_mins(1));
        let (Some(ours), Some(theirs)) = (told(known, "rules"), told(known, "prometheus/alerts"))
        else {
            return more;
        };
        assert_eq!(ours.broken_rules, []);
        let mut phase = phase.borrow_mut();
        match (*phase, state(ours), state(theirs)) {
            (0, None, None) if ours.rules == Some(1) && theirs.rules == Some(1) => {
                *held.lock().unwrap() = page(1500);
                note("broken");
                *phase = 1;
            }
            (1, Some(AlertState::Pending), _) => {
                note("pending here");
                *phase = 2;
            }
            (2, Some(AlertState::Firing), _) => {
                note("firing here");
                *phase = 3;
            }
            (3, Some(AlertState::Firing), Some(AlertState::Firing)) => {
                note("firing in both");
                assert_eq!(same(&ours.alerts[0]), same(&theirs.alerts[0]));
                let summary = &ours.alerts[0].annotations["summary"];
                assert_eq!(summary, "queue mail has 1.5k of 10");
                // Both tell of one alert: it is one line, and the service's.
                let all: Vec<_> =
                    known.alerts.iter().filter(|it| it.name() == "QueueLong").collect();
                assert_eq!(all.len(), 1, "{all:#?}");
                assert_eq!(all[0].origins.len(), 2, "{:?}", all[0].origins);
                assert!(all[0].origins.iter().any(|origin| origin == "local"));
                assert_eq!(known.services["shop"].standing.status, Status::Critical);
                // Since it was broken, and for as long as the rule wants: how far
                // apart the two are depends on who got to evaluate first. What was
                // under way when it broke, and saw it, began up to its second before.
                let broken = moments.borrow()[0].1.millis() - 1_000;
                for since in [ours.alerts[0].since, theirs.alerts[0].since] {
                    let held = broken..=now().millis() - 3_000;
                    assert!(held.contains(&since.millis()), "{since:?} is not in {held:?}");
                }
                *held.lock().unwrap() = page(2);
                *phase = 4;
            }
            (4, None, None) => {
                note("healed in both");
                *phase = 5;
                return None;
            }
            _ => {}
        }
        more
    };
    headless::look_on(assembled, None, Duration::from_mins(1), &BTreeSet::new(), step).unwrap();
    let moments = moments.into_inner();
    assert_eq!(phase.into_inner(), 5, "{moments:?}");
    let begun = moments[0].1;
    for (what, at) in &moments {
        println!("{what}: {} ms", at.millis() - begun.millis());
    }
    both_are_listed(folder.path());
}

/// `opsroom rules list` knows the rules of both.
fn both_are_listed(folder: &Path) {
    let listed = Command::new(env!("CARGO_BIN_EXE_opsroom"))
        .env("HOME", folder)
        .env_remove("OPSROOM_CONFIG")
        .arg("--config")
        .arg(folder.join("config.toml"))
        .args(["rules", "list", "--json"])
        .output()
        .unwrap();
    assert!(listed.status.success(), "{listed:?}");
    let rules: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    let of = |by: &str| -> Vec<(String, String)> {
        let rules = rules.as_array().unwrap().iter().filter(|rule| rule["by"] == by);
        let mut told: Vec<_> = rules
            .map(|rule| {
                assert_eq!(rule["group"], "queues", "{rule:#}");
                assert!(rule["evaluated"].is_string() && rule["took_seconds"].is_f64(), "{rule:#}");
                let text = |key: &str| rule[key].as_str().unwrap().to_owned();
                (text("rule"), text("type"))
            })
            .collect();
        told.sort();
        told
    };
    let expected = [("QueueLong", "alerting"), ("queue:length:max", "recording")]
        .map(|(name, kind)| (name.to_owned(), kind.to_owned()));
    assert_eq!(of("rules"), expected);
    assert_eq!(of("prometheus alerts"), expected);
}

/// How a program ends over a file in a folder.
fn code(command: &mut Command, folder: &Path, file: &str) -> i32 {
    let ended = command.arg(file).current_dir(folder).output().unwrap();
    ended.status.code().unwrap()
}

const TESTED: &str = r#"groups:
- name: a
  rules:
  - record: job:up:sum
    expr: sum by (job) (up)
  - alert: Down
    expr: up == 0
    for: 2m
    labels: {severity: page, of: '{{ $labels.job | toUpper }}'}
    annotations: {summary: '{{ $labels.instance }} of {{ $externalLabels.cluster }} is down since {{ $value }}'}
- name: b
  rules:
  - alert: Few
    expr: job:up:sum < 2
    keep_firing_for: 3m
    annotations: {value: '{{ printf "%.1f" $value }}', all: '{{ range query "up" | sortByLabel "instance" }}{{ .Labels.instance }}={{ .Value }} {{ end }}'}
"#;

/// Tests and whether their expectations come true.
const TESTS: &[(&str, bool)] = &[
    ("", true),
    (
        "  promql_expr_test: [{expr: 'job:up:sum', eval_time: 1m, exp_samples: [{labels: 'job:up:sum{job=\"j\"}', value: 2}]}]",
        true,
    ),
    (
        "  promql_expr_test: [{expr: 'job:up:sum', eval_time: 1m, exp_samples: [{labels: 'job:up:sum{job=\"j\"}', value: 3}]}]",
        false,
    ),
    ("  promql_expr_test: [{expr: 'job:up:sum', eval_time: 1m}]", false),
    ("  promql_expr_test: [{expr: 'nothing', eval_time: 1m}]", true),
    ("  promql_expr_test: [{expr: '1 + 1', exp_samples: [{labels: '{}', value: 2}]}]", true),
    ("  promql_expr_test: [{expr: 'up[5m]', eval_time: 1m}]", false),
    ("  promql_expr_test: [{expr: 'up +', eval_time: 1m}]", false),
    (
        "  promql_expr_test: [{expr: 'rate(up[5m])', eval_time: 5m, exp_samples: [{labels: '{job=\"j\",instance=\"1\"}', value: 0}, {labels: '{job=\"j\",instance=\"2\"}', value: 0}]}]",
        true,
    ),
    (
        "  promql_expr_test: [{expr: 'ALERTS', eval_time: 5m, exp_samples: [{labels: 'ALERTS{alertname=\"Down\",alertstate=\"pending\",instance=\"2\",job=\"j\",of=\"J\",severity=\"page\"}', value: 1}, {labels: 'ALERTS{alertname=\"Few\",alertstate=\"firing\",job=\"j\"}', value: 1}]}]",
        true,
    ),
    ("  alert_rule_test: [{eval_time: 5m, alertname: Down}]", true),
    ("  alert_rule_test: [{eval_time: 6m, alertname: Down}]", false),
    (
        "  alert_rule_test: [{eval_time: 6m, alertname: Down, exp_alerts: [{exp_labels: {severity: page, of: J, instance: '2', job: j}, exp_annotations: {summary: '2 of c is down since 0'}}]}]",
        true,
    ),
    (
        "  alert_rule_test: [{eval_time: 6m, alertname: Down, exp_alerts: [{exp_labels: {severity: page, of: J, instance: '2', job: j}, exp_annotations: {summary: '3 of c is down since 0'}}]}]",
        false,
    ),
    (
        "  alert_rule_test: [{eval_time: 6m59s, alertname: Down, exp_alerts: [{exp_labels: {severity: page, of: J, instance: '2', job: j}, exp_annotations: {summary: '2 of c is down since 0'}}]}]",
        true,
    ),
    (
        "  alert_rule_test: [{eval_time: 4m, alertname: Few, exp_alerts: [{exp_labels: {job: j}, exp_annotations: {value: '1.0', all: '1=1 2=0 '}}]}]",
        true,
    ),
    ("  alert_rule_test: [{eval_time: 9m, alertname: Few, exp_alerts: []}]", false),
    ("  alert_rule_test: [{eval_time: 12m, alertname: Few, exp_alerts: []}]", true),
    ("  alert_rule_test: [{eval_time: 1m, alertname: NoSuchAlert, exp_alerts: []}]", true),
    ("  alert_rule_test: [{eval_time: 1m, exp_alerts: []}]", false),
    ("  nonsense: 1", false),
    ("  alert_rule_test: [{eval_time: 1x, alertname: Down}]", false),
    ("  promql_expr_test: [{expr: 'up', eval_time: 30m}]", false),
    (
        "  promql_expr_test: [{expr: 'gap', eval_time: 3m, exp_samples: [{labels: gap, value: 4}]}]",
        true,
    ),
    (
        "  promql_expr_test: [{expr: 'count_over_time(gap[10m])', eval_time: 9m, exp_samples: [{labels: '{}', value: 3}]}]",
        true,
    ),
    ("  promql_expr_test: [{expr: 'gap', eval_time: 5m}]", false),
];

#[test]
fn tests_of_rules_end_as_with_promtool() {
    let Some(promtool) = program("promtool") else { return };
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    std::fs::create_dir(folder.join("rules")).unwrap();
    std::fs::write(folder.join("rules/a.yml"), TESTED).unwrap();
    let mut wrong = Vec::new();
    for (number, (expectations, comes_true)) in TESTS.iter().enumerate() {
        let text = format!(
            "rule_files: ['rules/*.yml']\nevaluation_interval: 1m\ngroup_eval_order: [a, b]\ntests:\n\
             - interval: 1m\n  external_labels: {{cluster: c}}\n  input_series:\n  \
             - {{series: 'up{{job=\"j\",instance=\"1\"}}', values: '1x20'}}\n  \
             - {{series: 'up{{job=\"j\",instance=\"2\"}}', values: '1 1 1 1 0 0 0 0 1+0x20'}}\n  \
             - {{series: 'gap', values: '_ 1+3x1 _ stale 7'}}\n{expectations}\n"
        );
        let name = format!("t{number}.yml");
        std::fs::write(folder.join(&name), text).unwrap();
        let theirs = code(Command::new(&promtool).args(["test", "rules"]), folder, &name);
        let mut opsroom = Command::new(env!("CARGO_BIN_EXE_opsroom"));
        let ours = code(opsroom.args(["rules", "test"]), folder, &name);
        if (ours == 0) != (theirs == 0) || (ours == 0) != *comes_true {
            wrong.push(format!("promtool {theirs}, opsroom {ours}: {expectations}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Rule files that both must judge alike.
const FILES: &[&str] = &[
    "",
    "groups: []",
    "groups:\n- name: a\n  rules: []",
    "groups:\n- rules: []",
    "groups:\n- {name: a}\n- {name: a}",
    "groups:\n- {name: a, interval: 5x}",
    "groups:\n- {name: a, limit: x}",
    "groups:\n- {name: a, limit: '5'}",
    "groups:\n- {name: a, limit: -1}",
    "groups:\n- {name: a, wrong: 1}",
    "groups:\n- name: a\n  rules:\n  - {alert: A, expr: up}",
    "groups:\n- name: a\n  rules:\n  - {alert: A, expr: 'up ='}",
    "groups:\n- name: a\n  rules:\n  - {alert: A, expr: 1, for: ''}",
    "groups:\n- name: a\n  rules:\n  - {alert: A, expr: 1, for: 1h30m}",
    "groups:\n- name: a\n  rules:\n  - {alert: A, expr: 1, for: 30m1h}",
    "groups:\n- name: a\n  rules:\n  - {alert: A}",
    "groups:\n- name: a\n  rules:\n  - {record: A, expr: up, for: 0s}",
    "groups:\n- name: a\n  rules:\n  - {record: A, expr: up, for: 1s}",
    "groups:\n- name: a\n  rules:\n  - {record: A, expr: up, annotations: {}}",
    "groups:\n- name: a\n  rules:\n  - {record: A, expr: up, annotations: {a: b}}",
    "groups:\n- name: a\n  rules:\n  - {record: A, expr: up, labels: {a: '{{ $x }}'}}",
    "groups:\n- name: a\n  rules:\n  - {alert: A, expr: up, labels: {a: '{{ $x }}'}}",
    "groups:\n- name: a\n  rules:\n  - {alert: A, expr: up, labels: {a: '{{ $labels.x }}', b: 1, c: true, d: }}",
    "groups:\n- name: a\n  rules:\n  - {alert: A, expr: up, labels: [a]}",
    "groups:\n- name: a\n  rules:\n  - {alert: A, expr: [up]}",
    "groups:\n- name: a\n  rules:\n  - {alert: A, alert: B, expr: up}",
    "groups:\n- name: a\n  rules: &r\n  - {alert: A, expr: up}\n- {name: b, rules: *r}",
    "groups:\n- name: a\n  rules:\n  - &d {alert: A, expr: up}\n  - {<<: *d, alert: B}",
    "groups:\n- name: a\n  rules:\n  - alert: A\n    expr: |\n      up\n       == 0\n    annotations:\n      a: >-\n        b {{ if true }}x{{ end }}\n        c",
    "groups: [",
    "a",
    "- a",
    "groups:\n- name: a\n  rules:\n  - {alert: 5, expr: 5}",
    "groups:\n- name: a\n  rules:\n  - {alert: '', expr: up}",
    "---\ngroups: []\n---\nwrong: 1",
    "groups:\n- name: a\n  interval:\n  rules:",
];

#[test]
fn rule_files_are_taken_and_refused_as_by_promtool() {
    let Some(promtool) = program("promtool") else { return };
    let scratch = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    for text in FILES {
        std::fs::write(scratch.path().join("r.yml"), text).unwrap();
        let theirs =
            code(Command::new(&promtool).args(["check", "rules"]), scratch.path(), "r.yml");
        let mut opsroom = Command::new(env!("CARGO_BIN_EXE_opsroom"));
        let ours = code(opsroom.args(["rules", "check"]), scratch.path(), "r.yml");
        if (ours == 0) != (theirs == 0) {
            wrong.push(format!("promtool {theirs}, opsroom {ours}: {text}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
