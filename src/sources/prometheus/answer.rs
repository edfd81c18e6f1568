//! Answers of the Prometheus HTTP API, and of those that speak it.
//!
//! <https://prometheus.io/docs/prometheus/latest/querying/api/>. `VictoriaMetrics`
//! gives other result types for the same expression, so what came is what counts.

use crate::domain::{Labels, Num, Timestamp, harmless_within};
use crate::metrics::{Data, Line, Point};
use crate::store::message::AskError;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// An answer with what the server warns of.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// The data.
    pub data: Data,
    /// Warnings and infos, and what of the answer cannot be drawn.
    pub warnings: Vec<String>,
    /// What the server hints at.
    pub infos: Vec<String>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(default)]
    status: String,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(rename = "errorType", default)]
    error_type: Option<String>,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    warnings: Option<Vec<String>>,
    #[serde(default)]
    infos: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct QueryData<'a> {
    #[serde(rename = "resultType", default)]
    result_type: String,
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
}

/// A value with its moment: `[1795250776.1, "42"]`. Some servers send numbers.
type Pair<'a> = (f64, Value<'a>);

#[derive(Deserialize)]
#[serde(untagged)]
enum Value<'a> {
    Text(#[serde(borrow)] Cow<'a, str>),
    Number(f64),
}

impl Value<'_> {
    fn number(&self) -> Option<f64> {
        match self {
            Value::Number(number) => Some(*number),
            Value::Text(text) => text.trim().parse().ok(),
        }
    }
}

type Metric = BTreeMap<String, String>;

#[derive(Deserialize)]
struct Series<'a> {
    #[serde(default)]
    metric: Metric,
    #[serde(borrow, default)]
    value: Option<Pair<'a>>,
    #[serde(borrow, default)]
    values: Option<Vec<Pair<'a>>>,
    #[serde(default)]
    histogram: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    histograms: Option<serde::de::IgnoredAny>,
}

/// What is shown of a text of the server's.
const LONGEST: usize = 300;

fn failed(message: impl Into<String>) -> AskError {
    AskError { message: message.into(), span: None }
}

/// Reads the answer to an instant or range query.
pub fn query(body: &[u8], expr: &str) -> Result<Told, AskError> {
    let (data, mut warnings, infos) = envelope(body, expr)?;
    let text = data.ok_or_else(|| failed("the server's answer has no data"))?;
    let unusable =
        |error: serde_json::Error| failed(format!("the server's data cannot be read: {error}"));
    let data: QueryData<'_> = serde_json::from_str(text.get()).map_err(unusable)?;
    let result = data.result.map_or("[]", RawValue::get);
    let data = match data.result_type.as_str() {
        "scalar" => {
            let pair: Pair<'_> = serde_json::from_str(result).map_err(unusable)?;
            let value = pair.1.number().ok_or_else(|| failed("the scalar is no number"))?;
            Data::Scalar(Num(value))
        }
        "string" => {
            let pair: (f64, String) = serde_json::from_str(result).map_err(unusable)?;
            Data::Text(pair.1)
        }
        "vector" | "matrix" => {
            let series: Option<Vec<Series<'_>>> = serde_json::from_str(result).map_err(unusable)?;
            let series = series.unwrap_or_default();
            let native = series
                .iter()
                .filter(|one| one.histogram.is_some() || one.histograms.is_some())
                .count();
            if native > 0 {
                warnings.push(format!(
                    "{native} native histograms left out; ask for histogram_quantile() of them"
                ));
            }
            if data.result_type == "vector" { vector(series) } else { matrix(series) }
        }
        other => {
            let other = harmless_within(other, 40);
            return Err(failed(format!("the server answers with the unknown type `{other}`")));
        }
    };
    Ok(Told { data, warnings, infos })
}

fn vector(series: Vec<Series<'_>>) -> Data {
    let point = |one: Series<'_>| {
        let value = one.value?.1.number()?;
        Some(Point { labels: Labels::new(one.metric), value: Num(value) })
    };
    Data::Vector(series.into_iter().filter_map(point).collect())
}

fn matrix(series: Vec<Series<'_>>) -> Data {
    let line = |one: Series<'_>| {
        let values = one.values?;
        let points = values
            .iter()
            .filter_map(|(at, value)| Some((moment(*at)?, Num(value.number()?))))
            .collect();
        Some(Line { labels: Labels::new(one.metric), points })
    };
    Data::Matrix(series.into_iter().filter_map(line).collect())
}

/// Seconds with a fraction, as Prometheus sends them.
fn moment(seconds: f64) -> Option<Timestamp> {
    let millis = (seconds * 1_000.0).round();
    // Within the years 1 to 9999.
    if !(-6.3e13..=2.6e14).contains(&millis) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "within bounds that were checked")]
    Some(Timestamp::from_millis(millis as i64))
}

/// Data as it was written, warnings, infos.
type Opened<'a> = (Option<&'a RawValue>, Vec<String>, Vec<String>);

fn envelope<'a>(body: &'a [u8], expr: &str) -> Result<Opened<'a>, AskError> {
    let envelope: Envelope<'_> = serde_json::from_slice(body)
        .map_err(|_| failed("the server's answer is not the JSON of a metrics server"))?;
    if envelope.status != "success" {
        let says = envelope.error.or(envelope.error_type);
        return Err(complaint(&says.unwrap_or_else(|| "no reason given".into()), expr));
    }
    let notes = |all: Option<Vec<String>>| {
        let notes = all.into_iter().flatten().take(20);
        notes.map(|text| harmless_within(&text, LONGEST)).collect()
    };
    Ok((envelope.data, notes(envelope.warnings), notes(envelope.infos)))
}

/// An error of the server's, with its place in the expression where it names one:
/// `invalid parameter "query": 1:4: parse error: unexpected end of input`.
fn complaint(says: &str, expr: &str) -> AskError {
    let placed = says.split_once(": parse error: ").and_then(|(before, message)| {
        let mut parts = before.rsplit([':', ' ']);
        let column: usize = parts.next()?.parse().ok()?;
        let line: usize = parts.next()?.parse().ok()?;
        Some((offset(expr, line, column)?, message))
    });
    match placed {
        Some((at, message)) => {
            let end = expr[at..].chars().next().map_or(at, |c| at + c.len_utf8());
            AskError { message: harmless_within(message, LONGEST), span: Some((at, end)) }
        }
        None => failed(harmless_within(says, LONGEST)),
    }
}

/// The byte at which a line's column stands, both counted from 1.
fn offset(expr: &str, line: usize, column: usize) -> Option<usize> {
    let start: usize = expr.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let rest = expr.get(start..)?;
    let within = column.checked_sub(1)?;
    let at = rest.char_indices().nth(within).map_or(rest.len(), |(at, _)| at);
    Some(start + at)
}

/// Reads an error's body whatever it is; `None` where it is not the API's JSON.
pub(super) fn error(body: &[u8], expr: &str) -> Option<AskError> {
    match envelope(body, expr) {
        Err(error) if serde_json::from_slice::<Envelope<'_>>(body).is_ok() => Some(error),
        _ => None,
    }
}

/// Reads an answer whatever its data is, with what the server warns of.
pub fn data(body: &[u8]) -> Result<(serde_json::Value, Vec<String>), AskError> {
    let (data, mut warnings, infos) = envelope(body, "")?;
    warnings.extend(infos);
    let data = data.map_or("null", RawValue::get);
    let data = serde_json::from_str(data)
        .map_err(|error| failed(format!("the server's data cannot be read: {error}")))?;
    Ok((data, warnings))
}

/// Reads a list of label values or names.
pub fn names(body: &[u8]) -> Result<Vec<String>, AskError> {
    let (data, ..) = envelope(body, "")?;
    let Some(data) = data else { return Ok(Vec::new()) };
    let names: Option<Vec<String>> = serde_json::from_str(data.get())
        .map_err(|_| failed("the server's list of names cannot be read"))?;
    Ok(names.unwrap_or_default())
}

/// Reads product and version of `/api/v1/status/buildinfo`. `VictoriaMetrics`
/// says nothing of either.
pub(super) fn version(body: &[u8]) -> Result<Option<String>, AskError> {
    #[derive(Default, Deserialize)]
    struct Build {
        #[serde(default)]
        application: Option<String>,
        #[serde(default)]
        version: Option<String>,
    }
    let (data, ..) = envelope(body, "")?;
    let build: Build =
        data.and_then(|data| serde_json::from_str(data.get()).ok()).unwrap_or_default();
    let version = build.version.filter(|version| !version.is_empty());
    Ok(version.map(|version| {
        let product = build.application.as_deref().unwrap_or("Prometheus");
        harmless_within(&format!("{product} {version}"), 60)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(name: &str) -> Vec<u8> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/prometheus/");
        std::fs::read(format!("{folder}{name}")).unwrap()
    }

    fn told(name: &str) -> Told {
        query(&recorded(name), "x").unwrap()
    }

    #[test]
    fn every_type_of_result_is_read() {
        assert_eq!(told("query_scalar.json").data, Data::Scalar(Num(10.0)));
        assert_eq!(told("query_string.json").data, Data::Text("hello".into()));
        assert_eq!(told("query_empty.json").data, Data::Vector(vec![]));
        let Data::Matrix(lines) = told("query_matrix.json").data else { panic!("no matrix") };
        assert_eq!(lines[0].points[0], (Timestamp::from_millis(1_795_250_777_161), Num(1.0)));
        let Data::Matrix(lines) = told("query_range_scalar.json").data else { panic!("no matrix") };
        assert!(lines[0].labels.is_empty());
        assert_eq!(lines[0].points.len(), 3);
    }

    #[test]
    fn values_that_json_does_not_have_are_read_from_text() {
        let Data::Vector(points) = told("query_nan_inf.json").data else { panic!("no vector") };
        let values: Vec<Num> = points.iter().map(|point| point.value).collect();
        assert_eq!(values, [Num(f64::NAN), Num(f64::INFINITY), Num(f64::NEG_INFINITY)]);
    }

    #[test]
    fn warnings_come_with_their_data() {
        let told = told("warnings.json");
        assert!(matches!(told.data, Data::Vector(points) if points.len() == 3));
        assert!(told.warnings[0].starts_with("remote_read"));
    }

    #[test]
    fn native_histograms_are_left_out_and_that_is_said() {
        let mixed = told("native_hist_mixed.json");
        let Data::Vector(points) = mixed.data else { panic!("no vector") };
        assert!(points.iter().all(|point| point.labels.metric() != Some("rpc_latency_seconds")));
        assert!(!points.is_empty());
        let said = mixed.warnings.iter().any(|text| text.contains("native histogram"));
        assert!(said, "{:?}", mixed.warnings);
        assert_eq!(told("native_hist_matrix.json").data, Data::Matrix(vec![]));
    }

    #[test]
    fn an_error_points_at_its_place_in_the_expression() {
        let error = query(&recorded("err_parse.json"), "up{").unwrap_err();
        assert_eq!(error.message, "unexpected end of input inside braces");
        assert_eq!(error.span, Some((3, 3)));
        let error = query(&recorded("err_toomany.json"), "up").unwrap_err();
        assert!(error.message.starts_with("exceeded maximum resolution"));
        assert_eq!(error.span, None);
        assert_eq!(offset("a\nbé c", 2, 4), Some(6));
        assert_eq!(offset("a", 0, 1), None);
    }

    #[test]
    fn victoria_metrics_differs_and_is_read_all_the_same() {
        assert!(
            matches!(told("vm_query_num.json").data, Data::Vector(points) if points.len() == 1)
        );
        assert_eq!(told("vm_query_string.json").data, Data::Vector(vec![]));
        assert!(query(&recorded("vm_err_parse.json"), "up{").unwrap_err().message.contains("up{"));
        assert_eq!(version(&recorded("vm_buildinfo.json")), Ok(None));
        let debian = version(&recorded("status_buildinfo.json")).unwrap();
        assert_eq!(debian.as_deref(), Some("Prometheus 2.42.0+ds"));
    }

    #[test]
    fn what_is_no_answer_is_an_error_and_never_empty_data() {
        for body in ["404 page not found", "", "{}", "[]", "null", r#"{"status":"success"}"#] {
            assert!(query(body.as_bytes(), "up").is_err(), "{body}");
        }
        let odd = r#"{"status":"success","data":{"resultType":"streams","result":[]}}"#;
        assert!(query(odd.as_bytes(), "up").unwrap_err().message.contains("streams"));
        assert!(error(b"404 page not found", "").is_none());
        assert!(error(&recorded("err_503_timeout.json"), "").is_some());
    }

    #[test]
    fn names_are_a_list_that_may_be_null() {
        assert_eq!(names(&recorded("label_values.json")).unwrap().len(), 8);
        assert_eq!(names(br#"{"status":"success","data":null}"#), Ok(vec![]));
    }
}
