//! Set `rules`: rule files as published, files to refuse, and unit tests of rules.

use opsroom::domain::{Labels, Timestamp};
use opsroom::metrics::promql::{Limits, instant, parse};
use opsroom::metrics::{Data, Memory, STALE_BITS, Sample};
use opsroom::rules::{self, Context, GroupState, Names, RuleFile, State, evaluate};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// Cases that are believed wrong: file, and why.
const WRONG: &[(&str, &str)] = &[(
    "vmalert_dir_rules1-good.rules",
    "line 3: promtool 2.42 refuses labels of a group; Prometheus 3 has them, and so does vmalert",
)];

/// Unit tests that are believed wrong: id, what of them, and why.
const WRONG_UNITS: &[(&str, &str)] = &[
    (
        "kubernetes-mixin/tests.yaml#44",
        "exp_labels: YAML's `condition: true` was made \"True\" when the cases were; upstream and promtool read \"true\"",
    ),
    (
        "openshift-cmo/bz1974830.yaml#4",
        "changes(..[5m]) over samples 5 minutes apart: 1 where the range is closed on the left (Prometheus 2), 0 where it is open (Prometheus 3)",
    ),
    (
        "vmalert/test1.yaml#0",
        "vmalert puts external_labels onto alerts; promtool does not load the file",
    ),
    (
        "vmalert/test2.yaml#0",
        "vmalert puts external_labels onto alerts, MetricsQL counts otherwise; promtool does not load the file",
    ),
];

fn read(path: &Path, names: Names) -> RuleFile {
    rules::read(&fs::read(path).unwrap(), names)
}

fn told(file: &RuleFile) -> String {
    let wrong = file.mistakes.iter().filter(|mistake| !mistake.advisory);
    let words = wrong.map(|m| format!("{}:{}: {}", m.line, m.column, m.message));
    words.collect::<Vec<_>>().join("; ")
}

#[test]
fn rules_files() {
    let Some(folder) = super::folder("rules") else { return };
    let index: Vec<Value> =
        serde_json::from_slice(&fs::read(folder.join("index.json")).unwrap()).unwrap();
    let mut failures = Vec::new();
    for entry in &index {
        let name = entry["file"].as_str().unwrap();
        let file = read(&folder.join("files").join(name), Names::Utf8);
        let loads = entry["promtool_2.42"] == "ok";
        let count = |alerts: bool| {
            let rules = file.groups.iter().flat_map(|group| &group.rules);
            rules.filter(|rule| rule.is_alert() == alerts).count() as u64
        };
        let counts = (entry["alerts"].as_u64(), entry["records"].as_u64());
        if loads != file.is_sound() {
            failures.push(format!("{name}: {}", told(&file)));
        } else if loads && counts != (Some(count(true)), Some(count(false))) {
            failures.push(format!("{name}: {} alerts, {} records", count(true), count(false)));
        }
    }
    super::tell("rules files", index.len(), &failures);
    assert!(failures.is_empty());
}

#[test]
fn rules_validity() {
    let Some(folder) = super::folder("rules/validity") else { return };
    let index: Vec<Value> =
        serde_json::from_slice(&fs::read(folder.join("index.json")).unwrap()).unwrap();
    let mut failures = Vec::new();
    let mut total = 0;
    for entry in &index {
        let name = entry["file"].as_str().unwrap();
        if let Some((_, why)) = WRONG.iter().find(|(wrong, _)| *wrong == name) {
            println!("set rules validity: left out as wrong, {name} {why}");
            continue;
        }
        total += 1;
        let upstream = entry["upstream"].as_str().unwrap();
        // vmalert has a language of its own: of its files counts what promtool says.
        let ours = upstream.contains("vmalert");
        let verdict = if ours { entry["promtool_2.42"].as_str().unwrap() } else { upstream };
        // Upstream reads this one with its old scheme of names.
        let names = if name.contains("legacy_validation") { Names::Legacy } else { Names::Utf8 };
        let file = read(&folder.join(name), names);
        if verdict.starts_with("accept") != file.is_sound() {
            failures.push(format!("{name} {verdict}: {}", told(&file)));
        }
    }
    super::tell("rules validity", total, &failures);
    assert!(failures.is_empty());
}

#[test]
fn rules_unit() {
    let Some(folder) = super::folder("rules/unit") else { return };
    let cases: Vec<Value> =
        serde_json::from_slice(&fs::read(folder.join("tests.json")).unwrap()).unwrap();
    let mut failures = Vec::new();
    let mut total = 0;
    for case in &cases {
        let id = case["id"].as_str().unwrap();
        let expected = case["upstream_expectation"].as_str().unwrap();
        if expected != "pass" || case["native_histogram"] == true {
            println!("set rules unit: left out, {id}: {expected}");
            continue;
        }
        if let Some((_, why)) = WRONG_UNITS.iter().find(|(wrong, _)| *wrong == id) {
            println!("set rules unit: left out as wrong, {id} {why}");
            continue;
        }
        let file = read(&folder.join(case["rules_file"].as_str().unwrap()), Names::Utf8);
        if !file.is_sound() {
            failures.push(format!("{id}: {}", told(&file)));
            total += 1;
            continue;
        }
        let (run, wrong) = unit(case, &file);
        total += run;
        failures.extend(wrong.into_iter().map(|words| format!("{id}: {words}")));
    }
    super::tell("rules unit", total, &failures);
    assert!(failures.is_empty());
}

fn millis(value: &Value) -> i64 {
    value.as_i64().unwrap()
}

fn labels(value: &Value) -> Labels {
    let pairs = value.as_object().unwrap().iter();
    Labels::new(pairs.map(|(name, value)| (name.as_str(), value.as_str().unwrap())))
}

fn number(value: &Value) -> Option<f64> {
    match value.as_str() {
        None => value.as_f64(),
        Some("stale") => Some(f64::from_bits(STALE_BITS)),
        Some("+Inf") => Some(f64::INFINITY),
        Some(text) => Some(text.parse().unwrap()),
    }
}

/// How many expectations a case has, and those that did not come true.
fn unit(case: &Value, file: &RuleFile) -> (usize, Vec<String>) {
    let everything = opsroom::metrics::Limits {
        age: Duration::from_secs(1 << 40),
        bytes: usize::MAX / 2,
        series_per_target: 1 << 24,
    };
    let mut memory = Memory::new(everything);
    let interval = millis(&case["interval_ms"]);
    for series in case["input_series"].as_array().unwrap() {
        let values = series["values"].as_array().unwrap().iter().enumerate();
        let samples = values.filter_map(|(i, value)| {
            let at = Timestamp::from_millis(i64::try_from(i).unwrap() * interval);
            Some(Sample { at, value: number(value)? })
        });
        memory.append(&labels(&series["labels"]), samples);
    }
    let every = millis(&case["evaluation_interval_ms"]);
    let alerts = case["alert_rule_test"].as_array().unwrap();
    let exprs = case["promql_expr_test"].as_array().unwrap();
    let last = alerts.iter().chain(exprs).map(|test| millis(&test["eval_time_ms"])).max();
    let order: Vec<&str> = case["group_eval_order"]
        .as_array()
        .map(|order| order.iter().map(|name| name.as_str().unwrap()).collect())
        .unwrap_or_default();
    let mut groups: Vec<_> =
        file.groups.iter().map(|group| (group, GroupState::new(group))).collect();
    groups.sort_by_key(|(group, _)| {
        order.iter().position(|name| **name == *group.name).unwrap_or(order.len())
    });
    let external = Labels::default();
    let context = Context {
        external_labels: &external,
        external_url: "",
        limits: Limits {
            subquery_step: Duration::from_millis(every.unsigned_abs()),
            ..Limits::default()
        },
        every: Duration::from_millis(every.unsigned_abs()),
        restores: false,
        earlier: &opsroom::rules::Earlier::default(),
    };
    let mut failures = Vec::new();
    let mut at = 0;
    while at <= last.unwrap_or(0) {
        for (group, state) in &mut groups {
            for (rule, state) in group.rules.iter().zip(&mut state.rules) {
                let moment = Timestamp::from_millis(at);
                evaluate(&mut memory, (group, &group.name), rule, state, moment, &context);
                if let rules::Health::Failed(words) = &state.health {
                    failures.push(format!("{} at {at}: {words}", rule.name));
                }
            }
        }
        for test in alerts {
            let due = millis(&test["eval_time_ms"]);
            if due >= at && due < at + every {
                failures.extend(wrong_alerts(test, &groups));
            }
        }
        at += every;
    }
    for test in exprs {
        failures.extend(wrong_samples(test, &memory, &context.limits));
    }
    (alerts.len() + exprs.len(), failures)
}

type Told = BTreeMap<(Labels, BTreeMap<String, String>), usize>;

fn wrong_alerts(test: &Value, groups: &[(&rules::Group, GroupState)]) -> Option<String> {
    let name = test["alertname"].as_str().unwrap();
    let mut got = Told::new();
    for (group, state) in groups {
        for (rule, state) in group.rules.iter().zip(&state.rules) {
            let fires = state.active.iter().filter(|(_, alert)| alert.state == State::Firing);
            for (labels, alert) in fires.filter(|_| rule.is_alert() && &*rule.name == name) {
                let words = alert.annotations.iter();
                let words = words.map(|(name, text)| (name.to_string(), text.clone())).collect();
                *got.entry((labels.clone(), words)).or_default() += 1;
            }
        }
    }
    let mut expected = Told::new();
    for one in test["exp_alerts"].as_array().unwrap() {
        let words = one["annotations"].as_object().into_iter().flatten();
        let words = words.map(|(name, text)| (name.clone(), text.as_str().unwrap().to_owned()));
        *expected.entry((labels(&one["labels"]), words.collect())).or_default() += 1;
    }
    (got != expected)
        .then(|| format!("{name} at {}: expected {expected:?}, got {got:?}", test["eval_time_ms"]))
}

fn wrong_samples(test: &Value, memory: &Memory, limits: &Limits) -> Option<String> {
    let text = test["expr"].as_str().unwrap();
    let at = Timestamp::from_millis(millis(&test["eval_time_ms"]));
    let data = instant(&parse(text).unwrap(), memory, at, limits);
    let mut got: Vec<(Labels, f64)> = match data.map(|found| found.data) {
        Ok(Data::Vector(points)) => points.into_iter().map(|p| (p.labels, p.value.0)).collect(),
        Ok(Data::Scalar(value)) => vec![(Labels::default(), value.0)],
        other => return Some(format!("{text}: {other:?}")),
    };
    let mut expected: Vec<(Labels, f64)> = test["exp_samples"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (labels(&one["labels"]), number(&one["value"]).unwrap()))
        .collect();
    got.sort_by(|a, b| a.0.cmp(&b.0));
    expected.sort_by(|a, b| a.0.cmp(&b.0));
    let same = got.len() == expected.len()
        && got.iter().zip(&expected).all(|(a, b)| {
            let near = (a.1 - b.1).abs() <= 1e-9 * a.1.abs().max(b.1.abs());
            a.0 == b.0 && (near || a.1.to_bits() == b.1.to_bits() || (a.1.is_nan() && b.1.is_nan()))
        });
    (!same).then(|| format!("{text} at {at}: expected {expected:?}, got {got:?}"))
}
