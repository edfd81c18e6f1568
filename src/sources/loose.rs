//! Reading JSON of servers of many ages: a key may be missing or null, a number
//! may be a text, and one damaged entry costs only itself.

use crate::domain::{Labels, Timestamp, harmless_within};
use serde_json::Value;
use std::collections::BTreeMap;

/// A label's name or value from outside is cut to so many characters.
const LABEL_CHARS: usize = 200;
/// An annotation is cut to so many characters.
const ANNOTATION_CHARS: usize = 2_000;
/// So many labels or annotations of one thing are kept.
const PAIRS: usize = 64;

/// A text, or a number or truth as text; none where it is neither.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A text that is harmless to show and at most so long; empty where there is none.
pub(super) fn shown(value: &Value, most: usize) -> String {
    text(value).map_or_else(String::new, |text| harmless_within(&text, most))
}

/// A number, or a text that holds one.
pub(super) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A truth, or a text that says it.
pub(super) fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::String(text) => text.trim().to_ascii_lowercase().parse().ok(),
        _ => None,
    }
}

/// A list; nothing where it is null, missing or something else.
pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A moment in RFC 3339. The year 1 stands for none in Go.
pub(super) fn moment(value: &Value) -> Option<Timestamp> {
    let moment = chrono::DateTime::parse_from_rfc3339(value.as_str()?.trim()).ok()?;
    let millis = moment.timestamp_millis();
    (millis > 0).then(|| Timestamp::from_millis(millis))
}

/// Pairs of names and texts, harmless to show, each cut to `most` characters.
fn pairs(value: &Value, most: usize) -> impl Iterator<Item = (String, String)> {
    let pairs = value.as_object().into_iter().flatten().take(PAIRS);
    pairs.filter_map(move |(name, value)| {
        Some((harmless_within(name, LABEL_CHARS), harmless_within(&text(value)?, most)))
    })
}

/// Labels, harmless to show.
pub(super) fn labels(value: &Value) -> Labels {
    Labels::new(pairs(value, LABEL_CHARS))
}

/// Annotations, harmless to show; empty ones are left out.
pub(super) fn annotations(value: &Value) -> BTreeMap<String, String> {
    pairs(value, ANNOTATION_CHARS).filter(|(_, text)| !text.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_servers_send_in_other_clothes_is_read() {
        assert_eq!(text(&json!(7)).as_deref(), Some("7"));
        assert_eq!(text(&json!(null)), None);
        assert_eq!(number(&json!("4.99e+00")), Some(4.99));
        assert_eq!(number(&json!("+Inf")), Some(f64::INFINITY));
        assert_eq!(truth(&json!("True")), Some(true));
        assert!(list(&json!({})).is_empty());
        assert_eq!(moment(&json!("0001-01-01T00:00:00Z")), None);
        assert_eq!(moment(&json!("yesterday")), None);
        let read = moment(&json!("2017-01-17T15:07:44.723715405+01:00")).unwrap();
        assert_eq!(read.to_string(), "2017-01-17T14:07:44.723Z");
        let labels = labels(&json!({ "b": 1, "a": "x\u{1b}[2Jy", "c": null, "d": "" }));
        assert_eq!(labels.to_string(), "{a=\"x\u{fffd}y\", b=\"1\"}");
    }
}
