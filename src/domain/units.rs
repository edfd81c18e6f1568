//! Numbers, durations and sizes as people read them: short, in few columns.

use super::{Num, Unit};
use std::time::Duration;

const SECOND_MS: u128 = 1_000;
const MINUTE_S: u64 = 60;
const HOUR_S: u64 = 3_600;
const DAY_S: u64 = 86_400;

/// A duration in at most six columns and two units: `0s`, `280ms` (below one
/// second), `41s`, `2m14s`, `11m`, `3h05m`, `26h`, `9d`.
pub fn duration(of: Duration) -> String {
    let seconds = of.as_secs();
    if seconds == 0 {
        let millis = of.as_millis() % SECOND_MS;
        return if millis == 0 { "0s".into() } else { format!("{millis}ms") };
    }
    age(of)
}

/// Reads a time: `10s`, `500ms`, `1h30m`, `26h`, `30d`, `1.5s`, `2 weeks`.
pub fn read_duration(text: &str) -> Option<Duration> {
    let mut seconds = 0.0;
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (number, unit, after) = number_and_unit(rest)?;
        let scale = match unit {
            "ms" | "millisecond" | "milliseconds" => 0.001,
            "s" | "sec" | "second" | "seconds" => 1.0,
            "m" | "min" | "minute" | "minutes" => 60.0,
            "h" | "hour" | "hours" => 3_600.0,
            "d" | "day" | "days" => 86_400.0,
            "w" | "week" | "weeks" => 7.0 * 86_400.0,
            _ => return None,
        };
        seconds += number * scale;
        rest = after.trim_start();
    }
    let exact = Duration::try_from_secs_f64(seconds).ok()?;
    // Whole milliseconds, so that sums of decimal fractions come out even.
    let millis = (exact.as_nanos() + 500_000) / 1_000_000;
    Some(Duration::from_millis(u64::try_from(millis).ok()?))
}

/// Digits with at most one point; no sign, exponent, `inf` or `nan`.
pub(crate) fn plain_number(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    (plain && !text.is_empty()).then(|| text.parse().ok()).flatten()
}

/// Splits `1.5 MiB rest` into 1.5, `MiB` and ` rest`.
pub(crate) fn number_and_unit(text: &str) -> Option<(f64, &str, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let number = plain_number(&text[..digits])?;
    let unit = text[digits..].trim_start();
    let end = unit.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(unit.len());
    Some((number, &unit[..end], &unit[end..]))
}

/// An age in whole seconds and up: `0s`, `4s`, `2m10s`, `38m`, `3h05m`, `26h`, `9d`.
pub fn age(of: Duration) -> String {
    let s = of.as_secs();
    if s < MINUTE_S {
        format!("{s}s")
    } else if s < 10 * MINUTE_S {
        match s % MINUTE_S {
            0 => format!("{}m", s / MINUTE_S),
            rest => format!("{}m{rest:02}s", s / MINUTE_S),
        }
    } else if s < HOUR_S {
        format!("{}m", s / MINUTE_S)
    } else if s < 10 * HOUR_S {
        match s % HOUR_S / MINUTE_S {
            0 => format!("{}h", s / HOUR_S),
            rest => format!("{}h{rest:02}m", s / HOUR_S),
        }
    } else if s < 2 * DAY_S {
        format!("{}h", s / HOUR_S)
    } else {
        format!("{}d", s / DAY_S)
    }
}

/// A number in three significant digits without a trailing zero: `0.03`, `41`, `1.2k`, `3.4M`.
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return Num(value).to_string();
    }
    let size = value.abs();
    if size >= 999.5e12 {
        return format!("{value:.2e}");
    }
    let (scaled, ending) = match size {
        s if s >= 999.5e9 => (value / 1e12, "T"),
        s if s >= 999.5e6 => (value / 1e9, "G"),
        s if s >= 999.5e3 => (value / 1e6, "M"),
        s if s >= 9_999.5 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    if scaled != 0.0 && scaled.abs() < 0.001 {
        return format!("{scaled:.1e}{ending}");
    }
    format!("{}{ending}", significant(scaled))
}

fn significant(value: f64) -> String {
    let size = value.abs();
    let decimals = match size {
        s if s >= 99.5 => 0,
        s if s >= 9.95 => 1,
        s if s >= 0.995 => 2,
        _ => 3,
    };
    let text = format!("{value:.decimals$}");
    let text = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        text.as_str()
    };
    if text == "-0" { "0".into() } else { text.into() }
}

/// Bytes in powers of 1,024: `0B`, `812B`, `57.8kB`, `3.2MB`, `1.1GB`.
pub fn bytes(value: f64) -> String {
    if !value.is_finite() {
        return Num(value).to_string();
    }
    let mut scaled = value;
    for unit in ["B", "kB", "MB", "GB", "TB"] {
        if scaled.abs() < 999.5 {
            return format!("{}{unit}", significant(scaled));
        }
        scaled /= 1024.0;
    }
    // More than all that can be stored is a number.
    if scaled.abs() >= 1e6 { format!("{value:.2e}B") } else { format!("{}PB", significant(scaled)) }
}

/// A share in percent: `0%`, `0.03%`, `12.4%`, `100%`.
pub fn percent(ratio: f64) -> String {
    if !ratio.is_finite() {
        return Num(ratio).to_string();
    }
    let percent = ratio * 100.0;
    if percent.abs() >= 99.95 {
        return format!("{percent:.0}%");
    }
    if percent != 0.0 && percent.abs() < 0.005 {
        return if percent > 0.0 { "<0.01%".into() } else { format!("{percent:.1e}%") };
    }
    let text = if percent.abs() < 1.0 { format!("{percent:.2}") } else { format!("{percent:.1}") };
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{}%", if text == "-0" { "0" } else { text })
}

/// Seconds as a latency or a stretch of time: `0.4ms`, `810ms`, `2.3s`, `5h`.
pub fn seconds(value: f64) -> String {
    if !value.is_finite() {
        return Num(value).to_string();
    }
    let size = value.abs();
    if value == 0.0 {
        "0s".into()
    } else if size < 0.000_999_5 {
        format!("{}us", significant(value * 1e6))
    } else if size < 0.999_5 {
        format!("{}ms", significant(value * 1e3))
    } else if size < 60.0 {
        format!("{}s", significant(value))
    } else {
        let sign = if value < 0.0 { "-" } else { "" };
        format!("{sign}{}", age(Duration::try_from_secs_f64(size).unwrap_or(Duration::MAX)))
    }
}

/// How many of a thing: `1 service`, `2 services`.
pub fn count(many: usize, thing: &str) -> String {
    format!("{many} {thing}{}", if many == 1 { "" } else { "s" })
}

/// A value in its unit.
pub fn value(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Ratio => percent(value),
        Unit::Seconds => seconds(value),
        Unit::Bytes => bytes(value),
        Unit::BytesPerSecond if value.is_finite() => format!("{}/s", bytes(value)),
        Unit::PerSecond if value.is_finite() => format!("{}/s", number(value)),
        Unit::Number | Unit::BytesPerSecond | Unit::PerSecond => number(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_fit_six_columns() {
        let shown = |s: u64| age(Duration::from_secs(s));
        assert_eq!(shown(0), "0s");
        assert_eq!(shown(59), "59s");
        assert_eq!(shown(130), "2m10s");
        assert_eq!(shown(120), "2m");
        assert_eq!(shown(660), "11m");
        assert_eq!(shown(3 * 3600 + 300), "3h05m");
        assert_eq!(shown(26 * 3600), "26h");
        assert_eq!(shown(9 * 86_400), "9d");
        for exponent in 0..40 {
            assert!(shown(1 << exponent).len() <= 10);
        }
        assert_eq!(duration(Duration::from_millis(280)), "280ms");
    }

    #[test]
    fn numbers_are_short_and_do_not_pretend() {
        assert_eq!(number(0.0), "0");
        assert_eq!(number(-0.0), "0");
        assert_eq!(number(0.030), "0.03");
        assert_eq!(number(41.0), "41");
        assert_eq!(number(1234.0), "1234");
        assert_eq!(number(12_345.0), "12.3k");
        assert_eq!(number(3.4e6), "3.4M");
        assert_eq!(number(0.000_02), "2.0e-5");
        assert_eq!(number(f64::NAN), "NaN");
        assert_eq!(number(f64::NEG_INFINITY), "-Inf");
    }

    #[test]
    fn one_thing_is_no_plural() {
        assert_eq!([0, 1, 2].map(|many| count(many, "line")), ["0 lines", "1 line", "2 lines"]);
    }

    #[test]
    fn each_unit_has_its_form() {
        assert_eq!(percent(0.124), "12.4%");
        assert_eq!(percent(0.0), "0%");
        assert_eq!(percent(1.0), "100%");
        assert_eq!(percent(0.000_01), "<0.01%");
        assert_eq!(percent(0.000_3), "0.03%");
        assert_eq!(seconds(2.3), "2.3s");
        assert_eq!(seconds(0.81), "810ms");
        assert_eq!(seconds(0.0004), "400us");
        assert_eq!(seconds(18_000.0), "5h");
        assert_eq!(seconds(f64::INFINITY), "+Inf");
        assert_eq!(bytes(0.0), "0B");
        assert_eq!(bytes(59_187.0), "57.8kB");
        assert_eq!(bytes(f64::MAX), "1.80e308B");
        assert_eq!(value(3_145_728.0, Unit::BytesPerSecond), "3MB/s");
        assert_eq!(value(41.0, Unit::PerSecond), "41/s");
    }
}
