//! Whole pages: recorded ones, generated ones against another reader, and
//! anything at all.

use super::*;
use crate::metrics::{Limits, Memory, PageError, Storage, Target};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

/// Samples by name, labels and moment.
#[derive(Default)]
struct Table(Vec<Row>);

type Row = (String, BTreeMap<String, String>, u64, Option<i64>);

impl Sink for Table {
    fn sample(&mut self, sample: &SampleLine<'_, '_>) {
        let Value::Float(value) = sample.value else { return };
        let pair = |label: &Label<'_>| (label.name.to_string(), label.value.to_string());
        let labels = sample.labels.iter().map(pair).collect();
        let at = sample.at.map(Timestamp::millis);
        self.0.push((sample.name.to_owned(), labels, value.to_bits(), at));
    }
}

fn table(body: &[u8], format: Format) -> (Table, Faults) {
    let mut table = Table::default();
    let faults = parse(body, format, &mut table);
    (table, faults)
}

const RECORDED: [(&str, &[u8], Format, usize); 5] = [
    (
        "client_python, text",
        include_bytes!("../../../tests/data/expo/pyclient_text.txt"),
        Format::Text,
        35,
    ),
    (
        "client_python, OpenMetrics",
        include_bytes!("../../../tests/data/expo/pyclient_openmetrics.txt"),
        Format::OpenMetrics,
        35,
    ),
    (
        "blackbox exporter",
        include_bytes!("../../../tests/data/expo/blackbox_http_ok.txt"),
        Format::Text,
        18,
    ),
    (
        "node exporter",
        include_bytes!("../../../tests/data/expo/node_collect.txt"),
        Format::Text,
        83,
    ),
    (
        "Pushgateway",
        include_bytes!("../../../tests/data/expo/pushgateway_text.txt"),
        Format::Text,
        67,
    ),
];

#[test]
fn recorded_pages_are_read_whole() {
    for (name, body, format, samples) in RECORDED {
        let (table, faults) = table(body, format);
        assert_eq!((table.0.len(), faults), (samples, Faults::default()), "{name}");
    }
}

#[test]
fn recorded_error_texts_are_no_pages() {
    for body in [
        &include_bytes!("../../../tests/data/expo/push_bad.txt")[..],
        &include_bytes!("../../../tests/data/expo/blackbox_badmodule.txt")[..],
    ] {
        let mut memory = Memory::new(Limits::default());
        let target = Target::new("a", "b", [("", ""); 0]);
        let at = Timestamp::from_millis(1);
        let outcome = memory.take_page(&target, "text/plain", body, Duration::ZERO, at);
        assert!(matches!(outcome, Err(PageError::Unreadable(_))), "{outcome:?}");
    }
}

/// A line of a page: name, labels, value, moment.
type Line = (String, BTreeMap<String, String>, f64, Option<i64>);

/// Lines that the other reader understands: no escapes, none of `,}=` in values,
/// no label that is empty.
fn plain_line() -> impl Strategy<Value = Line> {
    let name = "[a-zA-Z_][a-zA-Z0-9_]{0,12}";
    let labels = prop::collection::btree_map(name, "[a-zA-Z0-9 /._-]{1,12}", 0..5);
    let value = prop_oneof![
        any::<i32>().prop_map(f64::from),
        any::<f64>().prop_filter("a number", |value| value.is_finite()),
        Just(f64::INFINITY),
    ];
    (name, labels, value, prop::option::of(0_i64..4_000_000_000_000))
}

fn written(lines: &[Line]) -> String {
    let line = |(name, labels, value, at): &Line| {
        let labels: Vec<String> = labels.iter().map(|(n, v)| format!("{n}=\"{v}\"")).collect();
        let labels =
            if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let value = crate::domain::Num(*value);
        let at = at.map_or(String::new(), |at| format!(" {at}"));
        format!("{name}{labels} {value}{at}\n")
    };
    lines.iter().map(line).collect::<Vec<_>>().concat()
}

/// Label values with all that needs an escape, and more.
fn hostile_line() -> impl Strategy<Value = (String, BTreeMap<String, String>, i32)> {
    let text = "[a-z\"\\\\\n,{}=# ü東]{0,8}";
    (text, prop::collection::btree_map(text, text, 0..4), any::<i32>()).prop_filter(
        "names are not empty",
        |(name, labels, _)| {
            !name.is_empty() && labels.keys().all(|l| !l.is_empty() && l != "__name__")
        },
    )
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

proptest! {
    #[test]
    fn plain_pages_are_read_as_another_reader_does(
        lines in prop::collection::vec(plain_line(), 0..20),
    ) {
        let body = written(&lines);
        let (ours, faults) = table(body.as_bytes(), Format::Text);
        prop_assert_eq!(faults.total, 0);
        let now = chrono::DateTime::UNIX_EPOCH;
        let theirs = prometheus_parse::Scrape::parse_at(body.lines().map(|l| Ok(l.to_owned())), now)
            .unwrap();
        let theirs: Vec<_> = theirs
            .samples
            .iter()
            .map(|sample| {
                let labels: BTreeMap<String, String> =
                    sample.labels.iter().map(|(n, v)| (n.clone(), v.clone())).collect();
                let value = match sample.value {
                    prometheus_parse::Value::Untyped(value) => value.to_bits(),
                    _ => 0,
                };
                (sample.metric.clone(), labels, value, sample.timestamp.timestamp_millis())
            })
            .collect();
        let ours: Vec<_> =
            ours.0.into_iter().map(|(n, l, v, at)| (n, l, v, at.unwrap_or(0))).collect();
        prop_assert_eq!(ours, theirs);
    }

    #[test]
    fn what_is_escaped_comes_back(lines in prop::collection::vec(hostile_line(), 0..10)) {
        let mut body = String::new();
        for (name, labels, value) in &lines {
            let labels: Vec<String> =
                labels.iter().map(|(n, v)| format!(",{}={}", quoted(n), quoted(v))).collect();
            body.extend(["{", &quoted(name), &labels.concat(), "} ", &value.to_string(), "\n"]);
        }
        let wanted: Vec<_> = lines
            .into_iter()
            .map(|(name, labels, value)| (name, labels, f64::from(value).to_bits(), None))
            .collect();
        for format in [Format::Text, Format::OpenMetrics] {
            let end = if format == Format::Text { "" } else { "# EOF\n" };
            let (read, faults) = table(format!("{body}{end}").as_bytes(), format);
            prop_assert_eq!(faults, Faults::default());
            prop_assert_eq!(&read.0, &wanted);
        }
    }

    /// Each line is a sample, a comment, blank, or reported.
    #[test]
    fn nothing_panics_and_no_line_is_lost(
        body in prop::collection::vec(
            prop_oneof![
                "[ab_{}=\",# \t\\\\0-9.eE+{count:1}-]{0,24}".prop_map(String::into_bytes),
                "# (HELP|TYPE|UNIT|EOF)?[ \t\"a-z]{0,12}".prop_map(String::into_bytes),
                prop::collection::vec(any::<u8>(), 0..12),
            ],
            0..12,
        ),
    ) {
        let body = body.join(&b'\n');
        for format in [Format::Text, Format::OpenMetrics] {
            struct Count(u64);
            impl Sink for Count {
                fn sample(&mut self, _: &SampleLine<'_, '_>) {
                    self.0 += 1;
                }
            }
            let mut count = Count(0);
            let faults = parse(&body, format, &mut count);
            let lines = body.split(|&byte| byte == b'\n');
            let says_something = |line: &&[u8]| {
                let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line).trim_ascii();
                !line.is_empty() && line[0] != b'#'
            };
            prop_assert!(count.0 + faults.total >= lines.filter(says_something).count() as u64);
        }
    }

    /// What the positional cache recalls is what reading anew would find.
    #[test]
    fn a_warm_page_is_read_as_a_cold_one(
        pages in prop::collection::vec(
            prop::collection::vec(
                ("(a|ab|a\\{\\}|a\\{b=\"c\"\\}|a\\{b=\"c\",\\}|b|b\\{x=\"y\"\\})", " {0,2}", 0_u16..9), 0..8),
            1..6,
        ),
    ) {
        let mut warm = Memory::new(Limits::default());
        let target = Target::new("j", "i", [("", ""); 0]);
        for (i, lines) in (1_i64..).zip(&pages) {
            let body: String = lines
                .iter()
                .map(|(series, gap, value)| format!("{series}{gap}{value}\n"))
                .collect::<Vec<_>>()
                .concat();
            let at = Timestamp::from_millis(i * 1_000);
            let take = |memory: &mut Memory| {
                let page = memory.take_page(&target, "", body.as_bytes(), Duration::ZERO, at);
                page.map(|page| (page.samples, page.dropped, page.malformed))
            };
            let mut cold = Memory::new(Limits::default());
            prop_assert_eq!(take(&mut warm), take(&mut cold));
            let now = |memory: &Memory| {
                let mut all = BTreeMap::new();
                memory.select(&[], at - Duration::from_millis(1), at, &mut |labels, samples| {
                    let value = samples[0].value;
                    if !crate::metrics::is_stale(value) {
                        all.insert(labels.to_string(), value.to_bits());
                    }
                });
                all
            };
            prop_assert_eq!(now(&warm), now(&cold));
        }
    }
}
