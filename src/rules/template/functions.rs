//! The functions that templates of rules may call: Go's own and those of Prometheus.

use super::number::general;
use super::printf;
use super::value::Value;
use super::words::{
    html, humanize, humanize_1024, humanize_duration, js, query_escape, split_port, strip_domain,
    title,
};
use crate::domain::Labels;
use crate::metrics::promql;
use std::collections::BTreeMap;
use std::rc::Rc;

/// `query`, `externalURL` and `pathPrefix` ask the evaluation itself.
const NAMES: &[&str] = &[
    "and",
    "args",
    "break",
    "call",
    "continue",
    "eq",
    "externalURL",
    "first",
    "ge",
    "graphLink",
    "gt",
    "html",
    "humanize",
    "humanize1024",
    "humanizeDuration",
    "humanizePercentage",
    "humanizeTimestamp",
    "index",
    "js",
    "label",
    "le",
    "len",
    "lt",
    "match",
    "ne",
    "not",
    "now",
    "or",
    "parseDuration",
    "pathPrefix",
    "print",
    "printf",
    "println",
    "query",
    "reReplaceAll",
    "safeHtml",
    "slice",
    "sortByLabel",
    "stripDomain",
    "stripPort",
    "strvalue",
    "tableLink",
    "title",
    "toDuration",
    "toLower",
    "toTime",
    "toUpper",
    "urlQueryEscape",
    "urlquery",
    "value",
];

/// Whether a template may call it.
pub(super) fn is_known(name: &str) -> bool {
    NAMES.binary_search(&name).is_ok()
}

/// Why a function gave nothing.
pub(super) enum Failed {
    /// It failed by itself.
    Call(String),
    /// It cannot be called like that: which of its values is wrong, and how.
    Given(Option<usize>, String),
}

type Outcome = Result<Value, Failed>;

fn fail<T>(words: impl Into<String>) -> Result<T, Failed> {
    Err(Failed::Call(words.into()))
}

/// How many values a function takes: at least, at most.
fn counts(name: &str) -> (usize, Option<usize>) {
    match name {
        "first" | "value" | "strvalue" | "title" | "toLower" | "toUpper" | "stripPort"
        | "stripDomain" | "graphLink" | "tableLink" | "humanize" | "humanize1024"
        | "humanizeDuration" | "humanizePercentage" | "humanizeTimestamp" | "parseDuration"
        | "safeHtml" | "toTime" | "toDuration" | "not" | "len" | "urlQueryEscape" => (1, Some(1)),
        "match" | "label" | "sortByLabel" | "ne" | "lt" | "le" | "gt" | "ge" => (2, Some(2)),
        "reReplaceAll" => (3, Some(3)),
        "now" => (0, Some(0)),
        "eq" | "printf" | "index" | "slice" | "call" => (1, None),
        _ => (0, None),
    }
}

/// Calls a function that needs nothing but its values; `at_ms` is the moment
/// of the evaluation.
pub(super) fn call(name: &str, given: &[Value], at_ms: i64) -> Outcome {
    let (least, most) = counts(name);
    if given.len() < least || most.is_some_and(|most| given.len() > most) {
        let wanted = if most.is_some() { least.to_string() } else { format!("at least {least}") };
        let words = format!("wrong number of args for {name}: want {wanted} got {}", given.len());
        return Err(Failed::Given(None, words));
    }
    Ok(match name {
        "args" => {
            let args =
                given.iter().enumerate().map(|(i, value)| (format!("arg{i}"), value.clone()));
            Value::Args(Rc::new(args.collect::<BTreeMap<_, _>>()))
        }
        "print" => Value::text(printf::print(given)),
        "println" => Value::text(printf::println(given)),
        "printf" => Value::text(printf::printf(text(given, 0)?, &given[1..])),
        "html" | "js" | "urlquery" => {
            let held = match given {
                [Value::Text(text)] => text.to_string(),
                _ => printf::print(given),
            };
            Value::text(match name {
                "html" => html(&held),
                "js" => js(&held),
                _ => query_escape(&held),
            })
        }
        "not" => Value::Bool(!given[0].is_true()),
        "len" => length(&given[0])?,
        "index" => index(given)?,
        "slice" => slice(given)?,
        "eq" | "ne" | "lt" | "le" | "gt" | "ge" => Value::Bool(compare(name, given)?),
        "call" => return fail("error calling non-function"),
        "now" => Value::Float(at_ms as f64 / 1000.0),
        "title" => Value::text(title(text(given, 0)?)),
        "toUpper" => Value::text(text(given, 0)?.to_uppercase()),
        "toLower" => Value::text(text(given, 0)?.to_lowercase()),
        "safeHtml" => Value::text(text(given, 0)?),
        "urlQueryEscape" => Value::text(query_escape(text(given, 0)?)),
        "graphLink" => {
            Value::text(format!("/graph?g0.expr={}&g0.tab=0", query_escape(text(given, 0)?)))
        }
        "tableLink" => {
            Value::text(format!("/graph?g0.expr={}&g0.tab=1", query_escape(text(given, 0)?)))
        }
        "stripPort" => {
            Value::text(split_port(text(given, 0)?).map_or(text(given, 0)?, |(host, _)| host))
        }
        "stripDomain" => Value::text(strip_domain(text(given, 0)?)),
        _ => return numbers(name, given).unwrap_or_else(|| series(name, given)),
    })
}

/// Of what `query` answers, and of patterns.
fn series(name: &str, given: &[Value]) -> Outcome {
    Ok(match name {
        "first" => match &*answer(given, 0)? {
            [(labels, value), ..] => Value::Sample(labels.clone(), *value),
            [] => return fail("first() called on vector with no elements"),
        },
        "label" => {
            let (labels, _) = sample(given, 1)?;
            Value::text(labels.get(text(given, 0)?).unwrap_or_default())
        }
        "value" => Value::Float(sample(given, 0)?.1),
        "strvalue" => Value::text(sample(given, 0)?.0.get("__value__").unwrap_or_default()),
        "sortByLabel" => {
            let by = text(given, 0)?;
            let mut series = answer(given, 1)?.to_vec();
            series.sort_by(|a, b| {
                a.0.get(by).unwrap_or_default().cmp(b.0.get(by).unwrap_or_default())
            });
            Value::Answer(series.into())
        }
        "reReplaceAll" => {
            let (pattern, with, held) = (text(given, 0)?, text(given, 1)?, text(given, 2)?);
            Value::text(&*regex(pattern)?.replace_all(held, with))
        }
        "match" => Value::Bool(regex(text(given, 0)?)?.is_match(text(given, 1)?)),
        _ => return fail("this function is not there yet"),
    })
}

/// Of numbers, for people; `None` where it is none of these.
fn numbers(name: &str, given: &[Value]) -> Option<Outcome> {
    let value =
        |wanted: fn(f64) -> Outcome| given.first().map_or(fail("no value"), float).and_then(wanted);
    Some(match name {
        "parseDuration" => {
            text(given, 0).and_then(|held| match crate::rules::duration::parse(held) {
                Ok(duration) => Ok(Value::Float(duration.as_secs_f64())),
                Err(words) => fail(words),
            })
        }
        "humanize" => value(|it| Ok(Value::text(humanize(it)))),
        "humanize1024" => value(|it| Ok(Value::text(humanize_1024(it)))),
        "humanizeDuration" => value(|it| Ok(Value::text(humanize_duration(it)))),
        "humanizePercentage" => {
            value(|it| Ok(Value::text(format!("{}%", general(it * 100.0, Some(4))))))
        }
        "humanizeTimestamp" => value(|it| {
            Ok(Value::text(if it.is_finite() {
                super::value::moment(moment(it)?)
            } else {
                general(it, Some(4))
            }))
        }),
        "toTime" => value(|it| finite(it).and_then(moment).map(Value::Moment)),
        "toDuration" => value(|it| finite(it).map(Value::Span)),
        _ => return None,
    })
}

fn wrong<T>(place: usize, wanted: &str, given: &Value) -> Result<T, Failed> {
    let words = match given {
        Value::Missing => format!("invalid value; expected {wanted}"),
        _ => format!("wrong type for value; expected {wanted}; got {}", given.type_name()),
    };
    Err(Failed::Given(Some(place), words))
}

fn text(given: &[Value], place: usize) -> Result<&str, Failed> {
    match &given[place] {
        Value::Text(text) => Ok(text),
        other => wrong(place, "string", other),
    }
}

fn answer(given: &[Value], place: usize) -> Result<Rc<[(Labels, f64)]>, Failed> {
    match &given[place] {
        Value::Answer(series) => Ok(Rc::clone(series)),
        other => wrong(place, "template.queryResult", other),
    }
}

fn sample(given: &[Value], place: usize) -> Result<(&Labels, f64), Failed> {
    match &given[place] {
        Value::Sample(labels, value) => Ok((labels, *value)),
        other => wrong(place, "*template.sample", other),
    }
}

fn float(given: &Value) -> Result<f64, Failed> {
    match given {
        Value::Float(value) | Value::Span(value) => Ok(*value),
        Value::Int(value) => Ok(*value as f64),
        Value::Text(text) => match super::go_float(text) {
            Some(value) => Ok(value),
            None => {
                fail(format!("strconv.ParseFloat: parsing {}: invalid syntax", printf::quote(text)))
            }
        },
        other => fail(format!("can't convert {} to float", other.type_name())),
    }
}

fn finite(value: f64) -> Result<f64, Failed> {
    if value.is_finite() { Ok(value) } else { fail("value is NaN or Inf") }
}

fn moment(seconds: f64) -> Result<i64, Failed> {
    let nanos = seconds * 1e9;
    if nanos.abs() > i64::MAX as f64 {
        let words = "cannot be represented as a nanoseconds timestamp since it overflows int64";
        return fail(format!("{} {words}", general(seconds, None)));
    }
    #[expect(clippy::cast_possible_truncation, reason = "what is below a millisecond is not shown")]
    Ok((nanos / 1e6) as i64)
}

fn regex(pattern: &str) -> Result<regex::Regex, Failed> {
    const SIZE: usize = 1 << 20;
    let built = promql::of_go(pattern).and_then(|pattern| {
        let built = regex::RegexBuilder::new(&pattern).size_limit(SIZE).build();
        built
            .map_err(|error| error.to_string().lines().last().unwrap_or_default().trim().to_owned())
    });
    built.or_else(|why| fail(format!("regexp: Compile({}): {why}", printf::quote(pattern))))
}

fn length(value: &Value) -> Outcome {
    let length = match value {
        Value::Text(text) => text.len(),
        Value::Labels(labels) => labels.len(),
        Value::Answer(series) => series.len(),
        Value::Args(args) => args.len(),
        Value::Missing => return fail("len of nil pointer"),
        other => return fail(format!("len of type {}", other.type_name())),
    };
    Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
}

fn place(value: &Value, length: usize) -> Result<usize, Failed> {
    match value {
        Value::Int(at) => match usize::try_from(*at) {
            Ok(at) if at < length => Ok(at),
            _ => fail(format!("index out of range: {at}")),
        },
        Value::Missing => fail("cannot index slice/array with nil"),
        other => fail(format!("cannot index slice/array with type {}", other.type_name())),
    }
}

fn index(given: &[Value]) -> Outcome {
    let mut value = given[0].clone();
    for by in &given[1..] {
        value = match (&value, by) {
            (Value::Missing, _) => return fail("index of untyped nil"),
            (Value::Labels(labels), Value::Text(name)) => {
                Value::text(labels.get(name).unwrap_or_default())
            }
            (Value::Args(args), Value::Text(name)) => {
                args.get(&**name).cloned().unwrap_or(Value::Missing)
            }
            (Value::Labels(_) | Value::Args(_), by) => {
                return fail(format!("value has type {}; should be string", by.type_name()));
            }
            (Value::Answer(series), by) => {
                let (labels, value) = &series[place(by, series.len())?];
                Value::Sample(labels.clone(), *value)
            }
            (Value::Text(text), by) => {
                Value::Int(i64::from(text.as_bytes()[place(by, text.len())?]))
            }
            (other, _) => return fail(format!("can't index item of type {}", other.type_name())),
        };
    }
    Ok(value)
}

fn slice(given: &[Value]) -> Outcome {
    let length = match &given[0] {
        Value::Text(text) => text.len(),
        Value::Answer(series) => series.len(),
        Value::Missing => return fail("slice of untyped nil"),
        other => return fail(format!("can't slice item of type {}", other.type_name())),
    };
    if given.len() > 3 {
        return fail("cannot 3-index slice a string");
    }
    let from = given.get(1).map_or(Ok(0), |at| place(at, length + 1))?;
    let to = given.get(2).map_or(Ok(length), |at| place(at, length + 1))?;
    if from > to {
        return fail(format!("invalid slice index: {from} > {to}"));
    }
    Ok(match &given[0] {
        Value::Answer(series) => Value::Answer(series[from..to].into()),
        Value::Text(text) => Value::text(String::from_utf8_lossy(&text.as_bytes()[from..to])),
        _ => Value::Missing,
    })
}

fn compare(name: &str, given: &[Value]) -> Result<bool, Failed> {
    const UNLIKE: &str = "incompatible types for comparison";
    let basic = |value: &Value| {
        matches!(value, Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Text(_))
    };
    let equal = |a: &Value, b: &Value| match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => Ok(a == b),
        (Value::Int(a), Value::Int(b)) => Ok(a == b),
        #[expect(clippy::float_cmp, reason = "templates compare values exactly")]
        (Value::Float(a), Value::Float(b)) => Ok(a == b),
        (Value::Text(a), Value::Text(b)) => Ok(a == b),
        (Value::Missing, Value::Missing) => Ok(true),
        (Value::Missing, _) | (_, Value::Missing) => Ok(false),
        (a, b) if basic(a) && basic(b) => fail(UNLIKE),
        (a, b) => {
            let one = if basic(a) { b } else { a };
            fail(format!("non-comparable type {}: {}", one.printed(), one.type_name()))
        }
    };
    let less = |a: &Value, b: &Value| match (a, b) {
        (Value::Int(a), Value::Int(b)) => Ok(a < b),
        (Value::Float(a), Value::Float(b)) => Ok(a < b),
        (Value::Text(a), Value::Text(b)) => Ok(a < b),
        (a, b) if basic(a) && basic(b) && !matches!((a, b), (Value::Bool(_), Value::Bool(_))) => {
            fail(UNLIKE)
        }
        _ => fail("invalid type for comparison"),
    };
    match name {
        "eq" => {
            if given.len() < 2 {
                return fail("missing argument for comparison");
            }
            for other in &given[1..] {
                if equal(&given[0], other)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        "ne" => equal(&given[0], &given[1]).map(|equal| !equal),
        "lt" => less(&given[0], &given[1]),
        // As Go has it: with NaN both `le` and its opposite may be false.
        "le" => Ok(less(&given[0], &given[1])? || equal(&given[0], &given[1])?),
        "gt" => Ok(!(less(&given[0], &given[1])? || equal(&given[0], &given[1])?)),
        _ => less(&given[0], &given[1]).map(|less| !less),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_order() {
        assert!(NAMES.is_sorted());
    }

    #[test]
    fn numbers_are_made_readable() {
        for (value, text) in [
            (0.0, "0"),
            (123_456.7, "123.5k"),
            (1_234_567.0, "1.235M"),
            (0.001_23, "1.23m"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (-5000.0, "-5k"),
            (1e27, "1000Y"),
        ] {
            assert_eq!(humanize(value), text);
        }
        for (value, text) in [
            (0.5, "0.5"),
            (1024.0, "1ki"),
            (1_048_576.0, "1Mi"),
            (500.0, "500"),
            (123_456.7, "120.6ki"),
        ] {
            assert_eq!(humanize_1024(value), text);
        }
        for (value, text) in [
            (0.0, "0s"),
            (1.0, "1s"),
            (59.5, "59.5s"),
            (60.0, "1m 0s"),
            (3600.0, "1h 0m 0s"),
            (86_400.0, "1d 0h 0m 0s"),
            (90_061.0, "1d 1h 1m 1s"),
            (-61.0, "-1m 1s"),
            (0.001_2, "1.2ms"),
            (0.000_001, "1us"),
            (1.5, "1.5s"),
        ] {
            assert_eq!(humanize_duration(value), text);
        }
    }

    #[test]
    fn hosts_lose_their_ports_and_domains() {
        for (text, stripped) in
            [("a:80", "a"), ("a", "a"), ("[::1]:80", "::1"), ("::1", "::1"), ("a:b:c", "a:b:c")]
        {
            assert_eq!(split_port(text).map_or(text, |(host, _)| host), stripped);
        }
        for (text, stripped) in
            [("a.b.c:80", "a:80"), ("a.b", "a"), ("10.0.0.1:80", "10.0.0.1:80"), ("a", "a")]
        {
            assert_eq!(strip_domain(text), stripped);
        }
    }

    #[test]
    fn words_get_capitals() {
        assert_eq!(title("hello WORLD foo-bar it's"), "Hello WORLD Foo-Bar It's");
    }
}
