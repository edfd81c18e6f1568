//! The file of unit tests: what it names and expects, or all that is wrong with it.

use super::super::file::{Mistake, Names, Reader, Scalar, first_line};
use super::super::yaml::{self, Key, Kind, Node};
use super::notation::{self, Written};
use crate::domain::{Labels, Timestamp};
use crate::metrics::promql::Expr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// A file of unit tests.
#[derive(Clone, Debug, PartialEq)]
pub struct TestFile {
    /// Patterns of rule files, from the folder of this one.
    pub rule_files: Vec<String>,
    /// Groups are evaluated this often.
    pub every: Duration,
    /// Groups come in this order; those that are not named come last.
    pub order: Vec<String>,
    /// Values are near enough when they differ by so little.
    pub fuzzy: bool,
    /// In the order of the file.
    pub tests: Vec<TestCase>,
}

/// One test.
#[derive(Clone, Debug, PartialEq)]
pub struct TestCase {
    /// Its name, may be empty.
    pub name: String,
    /// From sample to sample.
    pub interval: Duration,
    /// Labels and values.
    pub series: Vec<(Labels, Vec<Written>)>,
    /// What must fire.
    pub alerts: Vec<AlertTest>,
    /// What expressions must give.
    pub exprs: Vec<ExprTest>,
    /// Labels that tell this server from others.
    pub external_labels: Labels,
    /// Where this server is reached.
    pub external_url: String,
    /// The moment of the first sample.
    pub start: Timestamp,
}

/// Which alerts of a name must fire at a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertTest {
    /// From the beginning of the test.
    pub at: Duration,
    /// The alert's name.
    pub name: String,
    /// Labels and annotations.
    pub expected: Vec<(Labels, Vec<(String, String)>)>,
    /// Where it stands in the file, from 1.
    pub line: usize,
}

/// What an expression must give at a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct ExprTest {
    /// From the beginning of the test.
    pub at: Duration,
    /// The expression as it is written.
    pub text: String,
    /// The expression.
    pub expr: Arc<Expr>,
    /// Its series.
    pub expected: Vec<Expected>,
    /// Where it stands in the file, from 1.
    pub line: usize,
}

/// A series that is expected.
#[derive(Clone, Debug, PartialEq)]
pub struct Expected {
    /// Its labels.
    pub labels: Labels,
    /// Its value.
    pub value: f64,
}

/// Reads a file of unit tests; whatever is wrong stands among the mistakes.
pub fn read(bytes: &[u8]) -> (TestFile, Vec<Mistake>) {
    let mut file = TestFile {
        rule_files: Vec::new(),
        every: Duration::from_mins(1),
        order: Vec::new(),
        fuzzy: false,
        tests: Vec::new(),
    };
    let Ok(text) = std::str::from_utf8(bytes) else {
        let mut reader = Reader::new("", Names::Utf8);
        reader.wrong(0..0, "this is no text in UTF-8".into());
        return (file, reader.take_mistakes());
    };
    let mut reader = Reader::new(text, Names::Utf8);
    match yaml::document(text) {
        Ok(document) => {
            if let Some(root) = document.root {
                whole(&mut reader, root, &mut file);
            }
        }
        Err(error) => reader.wrong(error.span, format!("this is no YAML: {}", error.message)),
    }
    (file, reader.take_mistakes())
}

fn texts(reader: &mut Reader<'_>, node: Node, what: &str) -> Vec<String> {
    let nodes = reader.list(node, what);
    nodes.into_iter().filter_map(|node| Some(reader.scalar(node, what)?.text)).collect()
}

fn whole(reader: &mut Reader<'_>, root: Node, file: &mut TestFile) {
    const FIELDS: [&str; 5] =
        ["rule_files", "evaluation_interval", "group_eval_order", "fuzzy_compare", "tests"];
    for (key, node) in reader.map(root, "the file") {
        match key.text.as_str() {
            "rule_files" => file.rule_files = texts(reader, node, "rule_files"),
            "evaluation_interval" => {
                let every = reader.duration(node, "evaluation_interval");
                file.every = every.filter(|every| !every.is_zero()).unwrap_or(file.every);
            }
            "group_eval_order" => file.order = texts(reader, node, "group_eval_order"),
            "fuzzy_compare" => file.fuzzy = flag(reader, node, "fuzzy_compare"),
            "tests" => {
                for node in reader.list(node, "tests") {
                    let test = case(reader, node);
                    file.tests.push(test);
                }
            }
            _ => reader.unknown(&key, "a file of tests", &FIELDS),
        }
    }
    let mut order = file.order.clone();
    order.sort();
    order.dedup();
    if order.len() < file.order.len() {
        reader.wrong(0..0, "a group stands twice in group_eval_order".into());
    }
}

fn flag(reader: &mut Reader<'_>, node: Node, what: &str) -> bool {
    let Some(scalar) = reader.scalar(node, what) else { return false };
    match scalar.text.as_str() {
        "true" | "True" | "TRUE" if scalar.plain => true,
        "false" | "False" | "FALSE" if scalar.plain => false,
        other => {
            reader
                .wrong(scalar.span.clone(), format!("{what} must be true or false, not {other:?}"));
            false
        }
    }
}

fn case(reader: &mut Reader<'_>, node: Node) -> TestCase {
    const FIELDS: [&str; 8] = [
        "interval",
        "input_series",
        "alert_rule_test",
        "promql_expr_test",
        "external_labels",
        "external_url",
        "name",
        "start_timestamp",
    ];
    let mut test = TestCase {
        name: String::new(),
        interval: Duration::ZERO,
        series: Vec::new(),
        alerts: Vec::new(),
        exprs: Vec::new(),
        external_labels: Labels::default(),
        external_url: String::new(),
        start: Timestamp::default(),
    };
    for (key, node) in reader.map(node, "a test") {
        match key.text.as_str() {
            "name" => test.name = text(reader, node, "name"),
            "interval" => test.interval = reader.duration(node, "interval").unwrap_or_default(),
            "external_url" => test.external_url = text(reader, node, "external_url"),
            "external_labels" => test.external_labels = labels(reader, node, "external_labels"),
            "start_timestamp" => test.start = moment(reader, node),
            "input_series" => {
                for node in reader.list(node, "input_series") {
                    let series = input(reader, node);
                    test.series.extend(series);
                }
            }
            "alert_rule_test" => {
                for node in reader.list(node, "alert_rule_test") {
                    let alert = alert(reader, node);
                    test.alerts.push(alert);
                }
            }
            "promql_expr_test" => {
                for node in reader.list(node, "promql_expr_test") {
                    let expr = expr(reader, node);
                    test.exprs.extend(expr);
                }
            }
            _ => reader.unknown(&key, "a test", &FIELDS),
        }
    }
    test
}

fn text(reader: &mut Reader<'_>, node: Node, what: &str) -> String {
    reader.scalar(node, what).map(|scalar| scalar.text).unwrap_or_default()
}

fn pairs(reader: &mut Reader<'_>, node: Node, what: &str) -> Vec<(String, String)> {
    let texts: Vec<(Key, Scalar)> = reader.texts(node, what);
    texts.into_iter().map(|(key, held)| (key.text, held.text)).collect()
}

fn labels(reader: &mut Reader<'_>, node: Node, what: &str) -> Labels {
    Labels::new(pairs(reader, node, what))
}

/// RFC 3339, or seconds since 1970.
fn moment(reader: &mut Reader<'_>, node: Node) -> Timestamp {
    let Some(scalar) = reader.scalar(node, "start_timestamp") else { return Timestamp::default() };
    let seconds = scalar.text.parse::<f64>().ok().filter(|seconds| seconds.abs() < 1e12);
    #[expect(clippy::cast_possible_truncation, reason = "it was held to a range")]
    let by_number = seconds.map(|seconds| Timestamp::from_millis((seconds * 1000.0) as i64));
    let by_name = || {
        let moment = chrono::DateTime::parse_from_rfc3339(&scalar.text).ok()?;
        Some(Timestamp::from_millis(moment.timestamp_millis()))
    };
    by_number.or_else(by_name).unwrap_or_else(|| {
        let words = format!("start_timestamp must be seconds or a moment, not {:?}", scalar.text);
        reader.wrong(scalar.span.clone(), words);
        Timestamp::default()
    })
}

fn input(reader: &mut Reader<'_>, node: Node) -> Option<(Labels, Vec<Written>)> {
    let place = first_line(reader.text, &node.span);
    let (mut name, mut held) = (None, None);
    for (key, node) in reader.map(node, "a series") {
        match key.text.as_str() {
            "series" => name = reader.scalar(node, "series"),
            "values" => held = reader.scalar(node, "values"),
            _ => reader.unknown(&key, "a series", &["series", "values"]),
        }
    }
    let Some(name) = name else {
        reader.wrong(place, "the series has no name: series".into());
        return None;
    };
    let labels = read_by(reader, &name, &notation::series);
    let values = held.map_or(Some(Vec::new()), |held| read_by(reader, &held, &notation::values));
    Some((labels?, values?))
}

fn read_by<T>(
    reader: &mut Reader<'_>,
    scalar: &Scalar,
    by: &dyn Fn(&str) -> Result<T, String>,
) -> Option<T> {
    match by(&scalar.text) {
        Ok(found) => Some(found),
        Err(words) => {
            reader.wrong(scalar.span.clone(), words);
            None
        }
    }
}

fn line(reader: &Reader<'_>, span: &Range<usize>) -> usize {
    reader.line_of(span.start)
}

fn alert(reader: &mut Reader<'_>, node: Node) -> AlertTest {
    let mut test = AlertTest {
        at: Duration::ZERO,
        name: String::new(),
        expected: Vec::new(),
        line: line(reader, &node.span),
    };
    let place = first_line(reader.text, &node.span);
    for (key, node) in reader.map(node, "a test of alerts") {
        match key.text.as_str() {
            "eval_time" => test.at = reader.duration(node, "eval_time").unwrap_or_default(),
            "alertname" => test.name = text(reader, node, "alertname"),
            "exp_alerts" => {
                for node in reader.list(node, "exp_alerts") {
                    let (mut own, mut words) = (Vec::new(), Vec::new());
                    for (key, node) in reader.map(node, "an expected alert") {
                        match key.text.as_str() {
                            "exp_labels" => own = pairs(reader, node, "exp_labels"),
                            "exp_annotations" => words = pairs(reader, node, "exp_annotations"),
                            _ => {
                                let fields = ["exp_labels", "exp_annotations"];
                                reader.unknown(&key, "an expected alert", &fields);
                            }
                        }
                    }
                    words.sort();
                    test.expected.push((Labels::new(own), words));
                }
            }
            _ => {
                let fields = ["eval_time", "alertname", "exp_alerts"];
                reader.unknown(&key, "a test of alerts", &fields);
            }
        }
    }
    if test.name.is_empty() {
        reader.wrong(place, "the test of alerts has no alertname".into());
    }
    // Its own name is among an alert's labels whether the test says so or not.
    for (labels, _) in &mut test.expected {
        *labels = labels.with(crate::domain::alert::ALERT_NAME, &test.name);
    }
    test
}

fn expr(reader: &mut Reader<'_>, node: Node) -> Option<ExprTest> {
    let place = first_line(reader.text, &node.span);
    let line = line(reader, &node.span);
    let (mut at, mut held, mut expected) = (Duration::ZERO, None, Vec::new());
    for (key, node) in reader.map(node, "a test of an expression") {
        match key.text.as_str() {
            "eval_time" => at = reader.duration(node, "eval_time").unwrap_or_default(),
            "expr" => held = reader.scalar(node, "expr"),
            "exp_samples" => {
                for node in reader.list(node, "exp_samples") {
                    let sample = sample(reader, node);
                    expected.extend(sample);
                }
            }
            _ => {
                let fields = ["eval_time", "expr", "exp_samples"];
                reader.unknown(&key, "a test of an expression", &fields);
            }
        }
    }
    let Some(held) = held else {
        reader.wrong(place, "the test has no expr".into());
        return None;
    };
    let expr = reader.expr(&held)?;
    Some(ExprTest { at, text: held.text.trim().to_owned(), expr, expected, line })
}

fn sample(reader: &mut Reader<'_>, node: Node) -> Option<Expected> {
    let (mut labels, mut value) = (Some(Labels::default()), Some(0.0));
    for (key, node) in reader.map(node, "an expected sample") {
        match key.text.as_str() {
            "labels" => {
                if let Some(scalar) = reader.scalar(node, "labels") {
                    labels = read_by(reader, &scalar, &|text| {
                        let text = text.trim();
                        if text.is_empty() || text == "{}" {
                            return Ok(Labels::default());
                        }
                        notation::series(text)
                    });
                }
            }
            "value" => {
                if let Some(scalar) = reader.scalar(node, "value") {
                    value = read_by(reader, &scalar, &number);
                }
            }
            "histogram" if matches!(node.kind, Kind::Null) => {}
            "histogram" => {
                if let Some(held) = reader.scalar(node, "histogram")
                    && !held.text.is_empty()
                {
                    let words = "native histograms are not supported here";
                    reader.wrong(held.span.clone(), words.into());
                }
            }
            _ => {
                let fields = ["labels", "value", "histogram"];
                reader.unknown(&key, "an expected sample", &fields);
            }
        }
    }
    Some(Expected { labels: labels?, value: value? })
}

/// A number as YAML has it.
fn number(text: &str) -> Result<f64, String> {
    let bare = text.replace('_', "");
    let (sign, digits) = match bare.strip_prefix('-') {
        Some(digits) => (-1.0, digits),
        None => (1.0, bare.strip_prefix('+').unwrap_or(&bare)),
    };
    let value = match digits.to_ascii_lowercase().as_str() {
        ".inf" | "inf" | "+inf" => f64::INFINITY,
        ".nan" | "nan" => f64::NAN,
        lower if lower.starts_with("0x") => u64::from_str_radix(&lower[2..], 16)
            .map_err(|_| format!("{text:?} is no number"))?
            as f64,
        lower => lower.parse().map_err(|_| format!("{text:?} is no number"))?,
    };
    Ok(sign * value)
}
