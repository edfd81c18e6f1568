//! Tests of what the module promises.

use super::*;
use proptest::prelude::*;

fn fails(text: &str) -> (String, &str) {
    let error = parse(text).unwrap_err();
    (error.message, &text[error.start..error.end])
}

#[test]
fn an_error_says_what_is_wrong_and_points_at_it() {
    for (text, place, words) in [
        ("sum(rate(up))", "up", "rate takes range vector here, got instant vector; add a range"),
        ("rate(sum(up))", "sum(up)", "add a subquery range"),
        ("up{job=api}", "api", "expected a quoted text"),
        ("up{job=~\"(\"}", "\"(\"", "the regular expression is broken"),
        ("1 +", "", "unexpected end, expected an expression"),
        ("up[5x]", "5x", "neither a number nor a duration"),
        ("up[0s]", "0s", "greater than 0"),
        ("raet(up[5m])", "raet", "did you mean rate?"),
        ("up)", ")", "expected the end or an operator"),
        ("foo + bool bar", "+ bool", "bool is only allowed"),
        ("1 == 2", "==", "== bool"),
        ("sum(up) by job", "job", "expected \"(\""),
        ("{job=~\".*\"}", "{job=~\".*\"}", "every series"),
        ("up[5m / 0]", "/", "divided by zero"),
        ("up[-5m]", "-5m", "greater than 0"),
        ("up[rate()]", "rate", "step(), range(), min_of(a, b)"),
        ("a and fill(0) b", "a and fill(0) b", "fill is not allowed here"),
        ("a + fill(0) fill_left(0) b", "fill_left", "filled already"),
        ("up[5m] anchored smoothed", "smoothed", "cannot be used together"),
        ("sum(up) smoothed", "smoothed", "only allowed after a selector or a range"),
        ("info(up, 1)", "1", "info takes instant vector here"),
        ("\"a", "\"a", "no closing"),
        ("é", "é", "unexpected character"),
        ("", "", "empty"),
    ] {
        let (message, found) = fails(text);
        assert!(found == place && message.contains(words), "{text}: {message} at {found:?}");
    }
}

#[test]
fn operators_bind_as_in_prometheus() {
    for (text, grouped) in [
        ("1 + 2 * 3", "1 + (2 * 3)"),
        ("2 ^ 3 ^ 2", "2 ^ (3 ^ 2)"),
        ("a - b - c", "(a - b) - c"),
        ("a or b and c", "a or (b and c)"),
        ("a and b unless c", "(a and b) unless c"),
        ("a + b > c or d", "((a + b) > c) or d"),
    ] {
        let strip = |expr: Expr| expr.to_string().replace(['(', ')'], "");
        let (one, other) = (parse(text).unwrap(), parse(grouped).unwrap());
        assert_eq!(strip(one.clone()), strip(other.clone()));
        assert_eq!(shape(&one), shape(&other), "{text}");
    }
    assert!(matches!(parse("-1 ^ 2").unwrap().kind, Kind::Negate(_)));
    assert!(matches!(parse("-a * b").unwrap().kind, Kind::Binary(_)));
}

/// The tree without parentheses, as nested brackets.
fn shape(expr: &Expr) -> String {
    let below: Vec<String> = expr.bare().children().map(shape).collect();
    format!("[{}]", below.concat())
}

#[test]
fn hostile_nesting_and_length_end_in_an_error() {
    let deep = 20_000;
    for text in [
        "(".repeat(deep),
        "-".repeat(deep) + "1",
        "abs(".repeat(deep),
        "1^".repeat(deep) + "1",
        "a+".repeat(deep) + "a",
        "sum by (a) (".repeat(5_000),
        format!("a{}", "[1m:]".repeat(10_000)),
        "a ".repeat(40_000),
        format!("a[{}5m", "-".repeat(deep)),
        format!("a[{}", "(".repeat(deep)),
        format!("a[5m{}]", "*2".repeat(deep)),
        format!("a offset {}", "min_of(".repeat(5_000)),
        format!("a{{{}}}", "b=~\"x{200}\",".repeat(100)),
        "{".repeat(deep),
        "[".repeat(deep),
    ] {
        assert!(parse(&text).is_err());
    }
    assert!(parse(&("a+".repeat(200) + "a")).is_ok());
    assert!(parse(&format!("{}1{}", "(".repeat(60), ")".repeat(60))).is_ok());
    assert!(parse("a{b=~\"(((a{100}){100}){100})\"}").is_err());
}

#[test]
fn names_in_quotes_and_keywords_as_names_are_read_and_written() {
    for text in [
        r#"{"http.requests", "status code"="200"}"#,
        "sum",
        "sum by (by) (without)",
        "offset offset 5m",
        "start + end",
        "foo and on (bool) sum",
        "step @ start()",
        r#"count_values("a\n\"", up)"#,
        "up{a=\"\\xff\"}",
        "-Inf + NaN % 1e300 + 0.000000001",
        "foo[step() * 2 - -1] offset -(range() ^ 2)",
        "foo[(-2) ^ 3 + 9] @ end() offset (5m - 7)",
        "sum_over_time((a + b)[min_of(1h, range() + 1ms):max_of(step() % 7, 1s) + 1ms] offset -step())",
        "rate(foo[5m] anchored offset 1m) + foo smoothed offset step()",
        "a + fill(-1.5) b * on (x) group_left (y) fill_right(Inf) fill_left(NaN) fill",
        "info(up, {data=~\".*\"})",
        "limitk by (a) (3, limit_ratio(-0.5, foo))",
        "min_over_time(rate(foo[2s] @ 1.5 offset -1h)[5m:] @ end() offset 3w)[4m:3s]",
    ] {
        let expr = parse(text).unwrap();
        assert_eq!(parse(&expr.to_string()).as_ref(), Ok(&expr), "{text} as {expr}");
    }
}

fn vector() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "[a-z_]{1,8}(\\{[a-z]{1,4}(=|!=|=~|!~)\"[a-z.+]{1,5}\"\\})?"
            .prop_filter("a name that parses", |text| parse(text).is_ok()),
        Just("up offset -90s".to_owned()),
        Just("up @ 12.5".to_owned()),
        Just("vector(1.5e-9)".to_owned()),
    ];
    leaf.prop_recursive(4, 40, 3, |inner| {
        prop_oneof![
            (inner.clone(), "sum|avg|max", "by|without")
                .prop_map(|(a, op, how)| format!("{op} {how} (x, \"y z\") ({a})")),
            (inner.clone(), inner.clone(), "\\+|-|\\*|/|\\^|%|==|>=|and|or|unless")
                .prop_map(|(a, b, op)| format!("{a} {op} {b}")),
            (inner.clone(), inner.clone(), "<|\\*")
                .prop_map(|(a, b, op)| format!("{a} {op} ignoring (z) group_left (w) {b}")),
            inner.clone().prop_map(|a| format!("-{a}")),
            inner.clone().prop_map(|a| format!("({a})")),
            inner.clone().prop_map(|a| format!("max_over_time(({a})[1h30m:10s] offset 1d)")),
            inner.prop_map(|a| format!("topk(2 ^ 3, {a})")),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_printed_reads_back_to_the_same_tree(text in vector()) {
        let expr = parse(&text).unwrap();
        prop_assert_eq!(parse(&expr.to_string()), Ok(expr));
    }

    #[test]
    fn any_text_is_read_or_refused_within_its_bounds(text in "[a-z(){}\\[\\]\"'`\\\\0-9.:,=~!<>+*/^%@# \n\u{e9}-]{0,60}") {
        if let Err(error) = parse(&text) {
            prop_assert!(error.start <= error.end && error.end <= text.len());
            prop_assert!(text.is_char_boundary(error.start) && text.is_char_boundary(error.end));
        }
    }
}
