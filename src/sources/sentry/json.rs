//! JSON of error trackers, read with patience: numbers as text, times with and
//! without a zone, lists with and without a frame, pages of HTML in between.

use crate::domain::{PollError, Timestamp, harmless_within};
use serde_json::Value;

/// Reads a body as JSON, or says in words what it is instead.
pub fn read(body: &[u8]) -> Result<Value, PollError> {
    let text = String::from_utf8_lossy(body);
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Err(PollError::broken("the answer is empty"));
    }
    if text.starts_with('<') {
        return Err(PollError::broken("the answer is a web page, not JSON: is `url` right?"));
    }
    serde_json::from_str(text).map_err(|error| {
        if error.is_eof() {
            PollError::broken("the answer is cut off")
        } else {
            PollError::broken("the answer is no JSON")
        }
    })
}

/// The items of a list: a plain one, or one in a frame of `results` or `data`.
pub fn items(value: Value) -> Result<Vec<Value>, PollError> {
    let list = match value {
        Value::Array(items) => return Ok(items),
        Value::Object(mut frame) => frame.remove("results").or_else(|| frame.remove("data")),
        _ => None,
    };
    match list {
        Some(Value::Array(items)) => Ok(items),
        _ => Err(PollError::broken("the answer is no list")),
    }
}

/// A text, harmless and no longer than `most`; a number counts as its text.
/// None where it is missing, null or empty.
pub fn text(value: &Value, key: &str, most: usize) -> Option<String> {
    plain(value.get(key)?, most)
}

/// The same of a value itself.
pub fn plain(value: &Value, most: usize) -> Option<String> {
    let text = match value {
        Value::String(text) => harmless_within(text.trim(), most),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

/// A whole number that is not below zero, also one that is written as text.
pub fn whole(value: &Value, key: &str) -> Option<u64> {
    whole_of(value.get(key)?)
}

/// The same of a value itself.
pub fn whole_of(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64().or_else(|| cut(number.as_f64()?)),
        Value::String(text) => {
            let text = text.trim();
            text.parse().ok().or_else(|| cut(text.parse().ok()?))
        }
        _ => None,
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked right here")]
fn cut(number: f64) -> Option<u64> {
    (0.0..9e15).contains(&number).then_some(number as u64)
}

/// A number, also one that is written as text.
pub fn number(value: &Value, key: &str) -> Option<f64> {
    let number = match value.get(key)? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|number: &f64| number.is_finite())
}

/// A moment: RFC 3339, the same without a zone (it is UTC then), or seconds or
/// milliseconds since 1970.
pub fn time(value: &Value, key: &str) -> Option<Timestamp> {
    match value.get(key)? {
        Value::String(text) => time_of(text),
        Value::Number(number) => epoch(number.as_f64()?),
        _ => None,
    }
}

/// A moment that is written as text.
pub fn time_of(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(moment) = chrono::DateTime::parse_from_rfc3339(text) {
        return Some(Timestamp::from_millis(moment.timestamp_millis()));
    }
    let forms = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M"];
    let naive = forms
        .iter()
        .find_map(|form| chrono::NaiveDateTime::parse_from_str(text, form).ok())
        .or_else(|| {
            let day = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
            day.and_hms_opt(0, 0, 0)
        });
    if let Some(naive) = naive {
        return Some(Timestamp::from_millis(naive.and_utc().timestamp_millis()));
    }
    let zoned = ["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z"];
    let zoned = zoned.iter().find_map(|form| chrono::DateTime::parse_from_str(text, form).ok());
    match zoned {
        Some(moment) => Some(Timestamp::from_millis(moment.timestamp_millis())),
        None => epoch(text.parse().ok()?),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "checked right here")]
fn epoch(number: f64) -> Option<Timestamp> {
    // Seconds reach into the year 5138 before they look like milliseconds.
    let millis = if number.abs() < 1e11 { number * 1e3 } else { number };
    (millis.is_finite() && millis.abs() < 1e15).then(|| Timestamp::from_millis(millis as i64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_no_json_is_called_by_its_name() {
        let words = |body: &str| read(body.as_bytes()).unwrap_err().message;
        assert_eq!(words(" \n"), "the answer is empty");
        assert!(words("<!doctype html><html>").starts_with("the answer is a web page"));
        assert_eq!(words("[{\"id\": \"1\""), "the answer is cut off");
        assert_eq!(words("Method not allowed"), "the answer is no JSON");
        assert!(read("\u{feff}[]".as_bytes()).is_ok());
        assert!(read(b"[\"\xff\"]").is_ok());
        assert!(items(json!({ "detail": "x" })).is_err());
        assert_eq!(items(json!({ "next": null, "results": [1, 2] })).unwrap().len(), 2);
    }

    #[test]
    fn numbers_may_be_text_and_text_may_be_numbers() {
        let value = json!({ "a": "150", "b": 7, "c": null, "d": "1.5e3", "e": -1, "f": "many" });
        let wholes: Vec<_> = ["a", "b", "c", "d", "e", "f", "g"].map(|k| whole(&value, k)).into();
        assert_eq!(wholes, [Some(150), Some(7), None, Some(1_500), None, None, None]);
        assert_eq!(text(&value, "b", 9).as_deref(), Some("7"));
        assert_eq!(number(&json!({ "x": "0.5" }), "x"), Some(0.5));
    }

    #[test]
    fn moments_are_read_with_and_without_a_zone() {
        let millis = |text: &str| time_of(text).map(Timestamp::millis);
        let noon = Some(1_544_097_600_000);
        for text in [
            "2018-12-06T12:00:00Z",
            "2018-12-06T12:00:00.000000Z",
            "2018-12-06T12:00:00",
            "2018-12-06 12:00:00.000",
            "2018-12-06T13:00:00+01:00",
            "2018-12-06T12:00:00+0000",
            "1544097600",
            "1544097600000",
        ] {
            assert_eq!(millis(text), noon, "{text}");
        }
        assert_eq!(millis("soon"), None);
        assert_eq!(time(&json!({ "at": 1_544_097_600.0 }), "at").map(Timestamp::millis), noon);
    }
}
