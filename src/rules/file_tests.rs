use super::*;
use std::time::Duration;

/// Mistakes of a file as `line:column: words`.
fn wrong(text: &str) -> Vec<String> {
    let file = read(text.as_bytes(), Names::Utf8);
    let told = file.mistakes.iter().map(|mistake| {
        let mark = if mistake.advisory { "unwise " } else { "" };
        format!("{mark}{}:{}: {}", mistake.line, mistake.column, mistake.message)
    });
    told.collect()
}

#[test]
fn a_file_is_read_with_all_its_fields() {
    let file = read(
        b"groups:
- name: g
  interval: 30s
  limit: 10
  query_offset: 1m
  labels: {team: a, severity: none}
  rules:
  - record: job:up:sum
    expr: sum by (job) (up)
  - alert: Down
    expr: |
      job:up:sum
        == 0
    for: 5m
    keep_firing_for: 10m
    labels:
      severity: page
    annotations:
      summary: '{{ $labels.job }} is down'
",
        Names::Utf8,
    );
    assert_eq!(file.mistakes, []);
    let group = &file.groups[0];
    assert_eq!(
        (&*group.name, group.interval, group.limit),
        ("g", Some(Duration::from_secs(30)), 10)
    );
    assert_eq!(group.offset, Duration::from_mins(1));
    let [record, alert] = &group.rules[..] else { panic!("two rules") };
    assert_eq!((&*record.name, record.is_alert(), record.line), ("job:up:sum", false, 8));
    let labels: Vec<_> = alert.labels.iter().map(|(name, held)| (&**name, held.text())).collect();
    assert_eq!(labels, [("team", "a"), ("severity", "page")]);
    assert_eq!(alert.hold(), Duration::from_mins(5));
    assert_eq!(&*alert.text, "job:up:sum\n  == 0");
}

#[test]
fn all_mistakes_are_told_at_once_with_their_places() {
    let told = wrong(
        "groups:
- name: g
  intervall: 5m
  rules:
  - alert: A
    expr: sum(up
    for: 5x
    annotation: {}
  - record: r
    alert: B
    expr: up
  - record: r
    expr: |
      up ==
        sum by (job up)
    for: 1m
    annotations: {a: b}
  - alert: C
    expr: up
    labels: {__name__: x, a: '{{ $x }}'}
    annotations:
      summary: 'it is {{ $label.x }}'
  - alert: D
- name: g
- rules: []
other: 1
",
    );
    assert_eq!(
        told,
        [
            "3:3: a group has no field \"intervall\"; did you mean \"interval\"?",
            "6:16: could not parse expression: unexpected end, expected \",\" or \")\" after the argument",
            "7:10: for: not a valid duration string: \"5x\"",
            "8:5: a rule has no field \"annotation\"; did you mean \"annotations\"?",
            "9:5: only one of 'record' and 'alert' must be set",
            "15:21: could not parse expression: unexpected \"up\", expected \",\" or \")\" in the list of labels",
            "16:5: invalid field 'for' in recording rule",
            "17:5: invalid field 'annotations' in recording rule",
            "20:14: invalid label name: __name__",
            "20:34: label \"a\": undefined variable \"$x\"",
            "22:26: annotation \"summary\": undefined variable \"$label\"",
            "23:5: field 'expr' must be set in rule",
            "24:3: the group name \"g\" is repeated in this file",
            "25:3: the group must have a name",
            "26:1: a rule file has no field \"other\"",
        ]
    );
}

#[test]
fn what_prometheus_takes_is_taken() {
    for text in [
        "",
        "# nothing\n",
        "groups:\n",
        "groups: []\n",
        "groups:\n- name: a\n",
        "groups:\n- name: a\n  rules:\n",
        "groups:\n- name: 1\n  interval: 0s\n  rules:\n  - alert: yes\n    expr: 1\n    for:\n    labels: {a: 1, b: true, c: }\n",
        "groups:\n- name: a\n  rules:\n  - record: r\n    expr: 1\n    for: 0s\n    labels: {b: '{{ $nothing'}\n",
        "x: &x\n",
    ] {
        let told = wrong(text);
        assert_eq!(told.is_empty(), !text.starts_with('x'), "{text}: {told:?}");
    }
}

#[test]
fn what_is_no_rule_file_is_told() {
    assert_eq!(wrong("[1, 2]"), ["1:1: the file is a list, and must be keys and values"]);
    assert_eq!(wrong("groups: {a: b}"), ["1:9: groups is keys and values, and must be a list"]);
    assert!(wrong("groups: [").first().unwrap().contains("this is no YAML"));
    assert!(wrong("\u{0}\u{1}").first().unwrap().contains("YAML"), "{:?}", wrong("\u{0}\u{1}"));
    let binary = read(b"groups:\n\xff\xfe", Names::Utf8);
    assert_eq!((binary.mistakes[0].line, binary.mistakes[0].column), (2, 1));
    let huge = read(&vec![b' '; LARGEST + 1], Names::Utf8);
    assert!(!huge.is_sound());
}

#[test]
fn a_key_that_stands_twice_is_a_mistake() {
    assert_eq!(
        wrong("groups:\n- name: a\n  name: b\n"),
        ["3:3: \"name\" stands here twice; first in line 2"]
    );
}

#[test]
fn names_are_free_unless_the_old_scheme_is_asked_for() {
    let text = b"groups:\n- name: a\n  rules:\n  - alert: a\n    expr: 1\n    labels: {a-b: c}\n";
    assert!(read(text, Names::Utf8).is_sound());
    assert!(!read(text, Names::Legacy).is_sound());
}

#[test]
fn a_rule_that_stands_twice_is_only_unwise() {
    let told =
        wrong("groups:\n- name: a\n  rules:\n  - {record: r, expr: 1}\n  - {record: r, expr: 2}\n");
    assert_eq!(told, ["unwise 5:1: r with the same labels stands in line 4 already"]);
}
