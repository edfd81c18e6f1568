//! Durations as Prometheus' configuration writes them.

use std::fmt::Write as _;
use std::time::Duration;

/// Largest unit first; each at most once, in this order.
const UNITS: [(&str, u64); 7] = [
    ("y", 31_536_000_000),
    ("w", 604_800_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Reads `1h30m`; `0` needs no unit.
///
/// # Errors
/// What is no duration, in the words of Prometheus.
pub fn parse(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    if text.is_empty() {
        return Err("empty duration string".into());
    }
    let bad = || format!("not a valid duration string: {text:?}");
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut millis = 0_u64;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let count: u64 = rest[..digits].parse().map_err(|_| bad())?;
        rest = &rest[digits..];
        let letters = rest.bytes().take_while(u8::is_ascii_lowercase).count();
        let (_, size) =
            units.by_ref().find(|(unit, _)| *unit == &rest[..letters]).ok_or_else(bad)?;
        rest = &rest[letters..];
        millis = count
            .checked_mul(*size)
            .and_then(|part| millis.checked_add(part))
            .filter(|millis| *millis <= 9_223_372_036_854)
            .ok_or_else(|| "duration out of range".to_owned())?;
    }
    Ok(Duration::from_millis(millis))
}

/// As Prometheus writes a duration: `1h30m`.
pub fn written(duration: Duration) -> String {
    let mut millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 {
        return "0s".into();
    }
    let mut text = String::new();
    for (unit, size) in UNITS {
        // Years and weeks only where nothing is left over.
        let whole = !matches!(unit, "y" | "w") || millis.is_multiple_of(size);
        if whole && millis >= size {
            let _ = write!(text, "{}{unit}", millis / size);
            millis %= size;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        for (text, millis) in [
            ("0", 0),
            ("0s", 0),
            ("1m", 60_000),
            ("1h30m", 5_400_000),
            ("1d", 86_400_000),
            ("1y", 31_536_000_000),
            ("500ms", 500),
            ("1m500ms", 60_500),
            ("90s", 90_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in
            ["", "1", "m", "1m1h", "-1m", "1.5h", "1 m", "1m1m", "1M", "99999999999y", "9999999y"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
        for text in ["1h30m", "1d", "2w", "500ms", "1m30s", "0s", "1y"] {
            assert_eq!(written(parse(text).unwrap()), text);
        }
    }
}
