//! What is read from pages, line by line.

use super::*;
use std::fmt::Write as _;

#[derive(Default)]
struct Seen {
    samples: Vec<String>,
    metas: Vec<String>,
}

impl Sink for Seen {
    fn sample(&mut self, sample: &SampleLine<'_, '_>) {
        let labels = |labels: &[Label<'_>]| {
            labels.iter().map(|l| format!("{}={:?}", l.name, l.value)).collect::<Vec<_>>().join(",")
        };
        let mut text = format!("{}{{{}}}", sample.name, labels(sample.labels));
        match sample.value {
            Value::Float(value) => drop(write!(text, " {value:?}")),
            Value::NativeHistogram => text.push_str(" native"),
        }
        if let Some(at) = sample.at {
            let _ = write!(text, " @{}", at.millis());
        }
        if let Some(exemplar) = &sample.exemplar {
            let _ = write!(text, " # {{{}}} {:?}", labels(exemplar.labels), exemplar.value);
            if let Some(at) = exemplar.at {
                let _ = write!(text, " @{}", at.millis());
            }
        }
        self.samples.push(text);
    }
    fn meta(&mut self, family: &str, meta: &Meta<'_>) {
        self.metas.push(format!("{family} {meta:?}"));
    }
}

fn read(body: impl AsRef<[u8]>, format: Format) -> (Vec<String>, Faults) {
    let mut seen = Seen::default();
    let faults = parse(body.as_ref(), format, &mut seen);
    (seen.samples, faults)
}

fn good(body: &str) -> Vec<String> {
    let (samples, faults) = read(body, Format::Text);
    assert_eq!(faults, Faults::default(), "{body}");
    samples
}

fn bad(body: &str) -> String {
    let (_, faults) = read(body, Format::Text);
    assert_eq!(faults.total, 1, "{body}: {:?}", faults.first);
    let fault = &faults.first[0];
    format!("{}:{} {}", fault.line, fault.column, fault.message)
}

fn open(body: &str) -> (Vec<String>, Vec<String>) {
    let (samples, faults) = read(body, Format::OpenMetrics);
    let faults =
        faults.first.iter().map(|f| format!("{}:{} {}", f.line, f.column, f.message)).collect();
    (samples, faults)
}

#[test]
fn text_takes_what_prometheus_takes() {
    assert_eq!(good("a 1"), ["a{} 1.0"]);
    assert_eq!(good("a{b=\"c\"}1\r\nd 2\r\n"), ["a{b=\"c\"} 1.0", "d{} 2.0"]);
    assert_eq!(good("job:x:rate5m{job=\"x\"} 1"), ["job:x:rate5m{job=\"x\"} 1.0"]);
    assert_eq!(good("a{p=\"/u/{id},x=1#\"} 1"), ["a{p=\"/u/{id},x=1#\"} 1.0"]);
    assert_eq!(
        good(r#"a{m="say \"hi\"\n",p="C:\\",q="\z"} 1"#),
        [r#"a{m="say \"hi\"\n",p="C:\\",q="\\z"} 1.0"#]
    );
    assert_eq!(good(" a { b = \"c\" , } \t 33  \t123  "), ["a{b=\"c\"} 33.0 @123"]);
    assert_eq!(good("a{} 1\na{,} 2\na{ , } 3"), ["a{} 1.0", "a{} 2.0", "a{} 3.0"]);
    assert_eq!(good("a{b=\"\"} +Inf -3"), ["a{b=\"\"} inf @-3"]);
    assert_eq!(good("# c\n\n#x\n#\n \t\n# HELP\n# EOF\na 1"), ["a{} 1.0"]);
    assert_eq!(good("\u{feff}a 1\n"), ["a{} 1.0"]);
    assert_eq!(good(""), Vec::<String>::new());
}

#[test]
fn quoted_names_are_taken_wherever_they_stand() {
    assert_eq!(good(r#"{"my.metric", "a.b"="c"} 1"#), [r#"my.metric{a.b="c"} 1.0"#]);
    assert_eq!(good(r#"{a="b","my \"m\""} 1"#), [r#"my "m"{a="b"} 1.0"#]);
    assert_eq!(good(r#"a{"lab.el"="v"} 1"#), [r#"a{lab.el="v"} 1.0"#]);
}

#[test]
fn a_malformed_line_is_reported_with_its_place() {
    for (line, report) in [
        ("a", "1:2 expected a value, found the end of the line"),
        ("a ", "1:3 expected a value, found the end of the line"),
        ("a true", "1:3 the value \"true\" is not a number"),
        ("a{b=\"c} 1", "1:5 this quote has no end"),
        ("a{b=\"c\" 1", "1:9 expected a label name, found \"1\""),
        ("a{b=\"c\",", "1:2 this brace is never closed"),
        ("a{b='c'} 1", "1:5 expected a label value in double quotes, found \"'\""),
        ("a{b=c} 1", "1:5 expected a label value in double quotes, found \"c\""),
        ("a{b} 1", "1:4 expected = after the label's name, found \"}\""),
        ("a{1b=\"c\"} 1", "1:3 expected a label name, found \"1\""),
        ("a-b 1", "1:2 expected a blank before the value, found \"-\""),
        ("größe 1", "1:3 expected a blank before the value, found \"ö\""),
        ("1a 1", "1:1 expected a metric name, found \"1\""),
        (
            "a 1 1395066363.123",
            "1:5 the timestamp \"1395066363.123\" is not a number of whole milliseconds",
        ),
        ("a 1 1000 junk", "1:10 expected the end of the line, found \"j\""),
        ("a{x=\"1\",x=\"2\"} 1", "1:1 a label name stands twice"),
        ("a{__name__=\"b\"} 1", "1:3 the label __name__ is reserved"),
        ("{x=\"1\"} 1", "1:1 there is no metric name"),
        ("{} 1", "1:1 there is no metric name"),
        ("{\"a\",\"b\"} 1", "1:6 this is a second metric name"),
        ("a{\"\"=\"x\"} 1", "1:3 a name is empty"),
        ("# TYPE a foo", "1:10 no known metric type"),
        ("# TYPE a", "1:9 expected a metric type, found the end of the line"),
        ("# HELP 1 x", "1:8 expected a metric name, found \"1\""),
    ] {
        assert_eq!(bad(line), report, "{line}");
    }
}

#[test]
fn good_lines_live_beside_bad_ones() {
    let (samples, faults) = read("a 1\nb x\n\nc{d=\"e} 2\nf 3", Format::Text);
    assert_eq!(samples, ["a{} 1.0", "f{} 3.0"]);
    assert_eq!(faults.total, 2);
    assert_eq!(faults.first.iter().map(|f| f.line).collect::<Vec<_>>(), [2, 4]);
}

#[test]
fn bytes_that_are_no_utf8_cost_only_their_line() {
    let (samples, faults) = read(b"a 1\nb{c=\"\xff\"} 2\nd 3\n", Format::Text);
    assert_eq!(samples, ["a{} 1.0", "d{} 3.0"]);
    assert_eq!((faults.total, faults.first[0].line, faults.first[0].column), (1, 2, 6));
}

#[test]
fn reports_are_bounded_and_harmless() {
    let (_, faults) = read("a \u{1b}[2J\u{202e}\n".repeat(1000), Format::Text);
    assert_eq!((faults.total, faults.first.len()), (1000, MAX_DESCRIBED));
    assert!(!faults.first[0].message.contains(['\u{1b}', '\u{202e}']), "{:?}", faults.first[0]);
}

#[test]
fn huge_texts_end_in_a_clear_error_for_their_line() {
    let huge = "x".repeat(1 << 20);
    let (samples, faults) = read(format!("a{{b=\"{huge}\"}} 1\nc 2\n"), Format::Text);
    assert_eq!(samples, ["c{} 2.0"]);
    assert_eq!(faults.first[0].message, "a line of 1048585 bytes; at most 131072 are read");
    let (_, faults) = read(format!("a{{b=\"{}\"}} 1\n", &huge[..20_000]), Format::Text);
    assert_eq!(faults.first[0].message, "a text of 20000 bytes; at most 16384 are read");
    let many = (0..300).map(|i| format!("l{i}=\"v\"")).collect::<Vec<_>>().join(",");
    let (_, faults) = read(format!("a{{{many}}} 1\n"), Format::Text);
    assert_eq!(faults.first[0].message, "more than 256 labels");
}

#[test]
fn metadata_is_unescaped() {
    let mut seen = Seen::default();
    let body =
        "  #\tTYPE  a\tgauge \n# HELP a x\\\\y\\nz \\\"q\n# HELP b\n# TYPE \"c.d\" untyped\n";
    let faults = parse(body.as_bytes(), Format::Text, &mut seen);
    assert_eq!(faults.total, 0, "{faults:?}");
    assert_eq!(
        seen.metas,
        ["a Kind(Gauge)", r#"a Help("x\\y\nz \\\"q")"#, "b Help(\"\")", "c.d Kind(Unknown)"]
    );
}

#[test]
fn openmetrics_has_exemplars_and_seconds() {
    let body = "# TYPE h histogram\nh_bucket{le=\"1\"} 1 # {trace_id=\"a}b\"} 0.67\n\
                c_total 10 1600000000.5 # {} 1 2.5\nn {count:24,sum:100}\n# EOF\n";
    let (samples, faults) = open(body);
    assert_eq!(faults, Vec::<String>::new());
    assert_eq!(
        samples,
        [
            "h_bucket{le=\"1\"} 1.0 # {trace_id=\"a}b\"} 0.67",
            "c_total{} 10.0 @1600000000500 # {} 1.0 @2500",
            "n{} native",
        ]
    );
}

#[test]
fn openmetrics_is_strict() {
    for (line, report) in [
        ("", "1:1 an empty line"),
        (" a 1", "1:1 expected a metric name, found \" \""),
        ("a  1", "1:3 expected a value, found \" \""),
        ("a 1 ", "1:5 a blank ends the line"),
        ("a 1 2 ", "1:7 a blank ends the line"),
        ("a{b=\"c\"}1", "1:9 expected a blank before the value, found \"1\""),
        ("a 1 NaN", "1:5 the timestamp \"NaN\" is not a number of seconds"),
        ("a 1 # {b=\"c\"}", "1:14 expected an exemplar's value, found the end of the line"),
        ("a 1 # {b}", "1:9 expected = after the label's name, found \"}\""),
        ("#EOF", "1:2 expected HELP, TYPE, UNIT or EOF, found \"E\""),
        ("# comment", "1:3 expected HELP, TYPE, UNIT or EOF, found \"c\""),
        ("# TYPE a untyped", "1:10 no known metric type"),
        ("# TYPE a  gauge", "1:10 no known metric type"),
        ("# HELP a", "1:9 expected a text, found the end of the line"),
        ("# UNIT a_bytes seconds", "1:16 the unit is not the last part of the name"),
    ] {
        let (_, faults) = open(&format!("{line}\n# EOF\n"));
        assert_eq!(faults, [report], "{line}");
    }
}

#[test]
fn a_cut_openmetrics_page_says_so_and_its_last_number_is_not_believed() {
    let (samples, faults) = open("a 1\nb 12");
    assert_eq!(samples, ["a{} 1.0"]);
    assert_eq!(
        faults,
        [
            "2:1 the page was cut in the middle of this line",
            "3:1 the page was cut: it has no # EOF"
        ]
    );
    let (samples, faults) = open("a 1\n# EOF\nb 2\n");
    assert_eq!((samples.len(), faults), (1, vec!["3:1 text after # EOF".to_owned()]));
}
