//! Numbers and moments as the formats write them.

use super::Format;
use crate::domain::Timestamp;

/// A value: a decimal number, `NaN` or an infinity. No underscores and no other
/// base, as Prometheus' scraper has it.
pub(super) fn value(token: &str) -> Option<f64> {
    if let Some(whole) = whole_number(token) {
        return Some(whole);
    }
    let number: f64 = token.parse().ok()?;
    if number.is_nan() {
        // Not whatever bits: one pattern of NaN marks the end of a series.
        return Some(f64::NAN);
    }
    let names_infinity = || token.bytes().any(|b| b.eq_ignore_ascii_case(&b'i'));
    (number.is_finite() || names_infinity()).then_some(number)
}

/// The quick way for what most values are: up to 15 digits.
fn whole_number(token: &str) -> Option<f64> {
    let bytes = token.as_bytes();
    if bytes.is_empty() || bytes.len() > 15 {
        return None;
    }
    let mut number = 0_u64;
    for &byte in bytes {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number * 10 + u64::from(digit);
    }
    Some(number as f64)
}

/// A moment: whole milliseconds in text, seconds with a fraction in OpenMetrics.
pub(super) fn moment(token: &str, format: Format) -> Option<Timestamp> {
    match format {
        Format::Text => {
            if token.starts_with('+') {
                return None;
            }
            token.parse().ok().map(Timestamp::from_millis)
        }
        Format::OpenMetrics => {
            let seconds = value(token).filter(|seconds| seconds.is_finite())?;
            #[expect(clippy::cast_possible_truncation, reason = "what is too far saturates")]
            let millis = (seconds * 1000.0).round() as i64;
            Some(Timestamp::from_millis(millis))
        }
    }
}

/// A number as OpenMetrics writes it in `le` and `quantile`: `1` is `1.0`.
/// Prometheus 3 writes them so whatever the page says
/// (model/textparse, `formatOpenMetricsFloat`; Go's `%g` for the digits).
pub fn openmetrics_float(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    // Where Go's shortest `%g` goes over to an exponent (strconv, `%e is used if`).
    if !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.unsigned_abs());
    }
    let mut text = number.to_string();
    if !text.contains('.') {
        text.push_str(".0");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decimal_numbers_nan_or_infinities() {
        for (token, number) in [
            ("0", 0.0),
            ("1", 1.0),
            ("999999999999999", 999_999_999_999_999.0),
            ("9007199254740993", 9_007_199_254_740_992.0),
            ("1.458255915e9", 1_458_255_915.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("+1", 1.0),
            ("1E+3", 1000.0),
            ("Inf", f64::INFINITY),
            ("+Inf", f64::INFINITY),
            ("-inf", f64::NEG_INFINITY),
        ] {
            assert_eq!(value(token), Some(number), "{token}");
        }
        assert!(value("-0").is_some_and(f64::is_sign_negative));
        assert!(value("NaN").is_some_and(f64::is_nan));
        for token in ["", "true", "1_2", "0x1p-3", "0X1", "0b1", "1e999", "1z", "--1", "e5"] {
            assert_eq!(value(token), None, "{token}");
        }
    }

    #[test]
    fn moments_are_milliseconds_in_text_and_seconds_in_openmetrics() {
        let millis = |token, format| moment(token, format).map(Timestamp::millis);
        assert_eq!(millis("-3982045", Format::Text), Some(-3_982_045));
        assert_eq!(millis("000", Format::Text), Some(0));
        assert_eq!(millis("1395066363.123", Format::Text), None);
        assert_eq!(millis("+5", Format::Text), None);
        assert_eq!(millis("1395066363.123", Format::OpenMetrics), Some(1_395_066_363_123));
        assert_eq!(millis("1.5e3", Format::OpenMetrics), Some(1_500_000));
        assert_eq!(millis("NaN", Format::OpenMetrics), None);
        assert_eq!(millis("+Inf", Format::OpenMetrics), None);
    }

    #[test]
    fn bounds_of_buckets_are_written_as_prometheus_3_does() {
        for (number, text) in [
            (1.0, "1.0"),
            (0.0, "0.0"),
            (-1.0, "-1.0"),
            (0.005, "0.005"),
            (2.5, "2.5"),
            (0.0001, "0.0001"),
            (100_000.0, "100000.0"),
            (1_000_000.0, "1e+06"),
            (1_234_567.0, "1.234567e+06"),
            (0.000_01, "1e-05"),
            (0.000_011, "1.1e-05"),
            (f64::INFINITY, "+Inf"),
        ] {
            assert_eq!(openmetrics_float(number), text);
        }
    }
}
