use super::*;
use crate::rules::Names;

const RULES: &str = "groups:
- name: g
  rules:
  - record: job:up:sum
    expr: sum by (job) (up)
  - alert: Down
    expr: up == 0
    for: 2m
    labels: {severity: page}
    annotations: {summary: '{{ $labels.instance }} is down in {{ $externalLabels.cluster }}'}
";

fn outcome(tests: &str) -> (Vec<String>, Vec<Failure>) {
    let rules = crate::rules::read(RULES.as_bytes(), Names::Utf8);
    assert!(rules.is_sound());
    let (file, mistakes) = read(tests.as_bytes());
    let groups: Vec<_> = rules.groups.iter().map(|group| ("r.yml", group)).collect();
    let mistakes = mistakes.iter().map(|m| format!("{}:{}: {}", m.line, m.column, m.message));
    (mistakes.collect(), run(&file, &groups))
}

#[test]
fn expectations_that_come_true_are_no_failures() {
    let (mistakes, failures) = outcome(
        "rule_files: [r.yml]
evaluation_interval: 1m
tests:
- interval: 1m
  external_labels: {cluster: c1}
  input_series:
  - series: 'up{job=\"a\",instance=\"1\"}'
    values: '1 0x5'
  alert_rule_test:
  - {eval_time: 2m, alertname: Down}
  - eval_time: 3m30s
    alertname: Down
    exp_alerts:
    - exp_labels: {job: a, instance: '1', severity: page}
      exp_annotations: {summary: 1 is down in c1}
  promql_expr_test:
  - expr: job:up:sum
    eval_time: 1m
    exp_samples:
    - labels: 'job:up:sum{job=\"a\"}'
      value: 0
  - expr: 1 + 1
    exp_samples: [{value: 2}]
",
    );
    assert_eq!(mistakes, Vec::<String>::new());
    assert_eq!(failures, []);
}

#[test]
fn failures_say_what_was_expected_and_what_came() {
    let (mistakes, failures) = outcome(
        "tests:
- name: first
  input_series: [{series: up, values: 0x5}]
  alert_rule_test:
  - eval_time: 5m
    alertname: Down
    exp_alerts: []
  promql_expr_test:
  - expr: up
    eval_time: 1m
    exp_samples: [{labels: up, value: 1}]
  - expr: up[1m]
",
    );
    assert_eq!(mistakes, Vec::<String>::new());
    let [alert, expr, matrix] = &failures[..] else { panic!("{failures:?}") };
    assert_eq!(
        (alert.test.as_str(), alert.line, alert.about.as_str()),
        ("first", 5, "alert Down at 5m")
    );
    assert_eq!(alert.got[0], "{alertname=\"Down\", severity=\"page\"}");
    assert_eq!(
        (expr.line, &expr.expected[..], &expr.got[..]),
        (9, &["up 1".to_owned()][..], &["up 0".to_owned()][..])
    );
    assert_eq!(matrix.error.as_deref(), Some("rule result is not a vector or scalar"));
}

#[test]
fn all_mistakes_of_a_file_of_tests_are_told() {
    let (mistakes, _) = outcome(
        "rule_file: x
tests:
- interval: 1x
  input_series: [{series: 'up{', values: 1}, {series: up, values: a}, {series: h, values: '{{schema:0}}'}]
  alert_rule_test: [{eval_time: 1m}]
  promql_expr_test: [{expr: up +}, {expr: up, exp_samples: [{labels: 'up[', value: x}]}]
",
    );
    let lines: Vec<&str> = mistakes.iter().map(|words| words.split_once(": ").unwrap().0).collect();
    assert_eq!(
        lines,
        ["1:1", "3:13", "4:27", "4:67", "4:91", "5:21", "6:32", "6:70", "6:84"],
        "{mistakes:#?}"
    );
}
