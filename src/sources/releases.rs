//! Releases as lines of a file or of a command's output tell of them.

pub(super) mod command;
pub(super) mod file;

use super::loose;
use crate::config::Table;
use crate::domain::{PollError, Release, ReleasesReading, ServiceName, Timestamp, harmless_within};
use serde::Deserialize;
use serde_json::Value;

/// Of a file or an output so many bytes are read, the last.
const MOST_BYTES: usize = 256 << 10;
/// So many releases are told of, the newest.
const MOST: usize = 200;
/// So many lines that could not be read are named.
const NOTES: usize = 5;
/// A version or name is cut to so many characters.
const WORDS: usize = 80;

/// What all lines of a source have in common.
#[derive(Clone, Debug, Default)]
struct Common {
    /// The service, for lines that name none.
    service: Option<ServiceName>,
    /// The source's label.
    origin: String,
}

impl Common {
    fn read(table: &Table, label: &str) -> Self {
        let service = table.optional_text("service").map(Into::into);
        Self { service, origin: label.into() }
    }
}

/// A line as JSON.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Line {
    #[serde(alias = "release", alias = "tag")]
    version: Value,
    service: Value,
    #[serde(alias = "time", alias = "timestamp")]
    at: Value,
    #[serde(alias = "author", alias = "user")]
    by: Value,
    #[serde(alias = "previous")]
    before: Value,
}

/// Reads lines, each `{"version": …, "at": …, "service": …, "by": …, "before":
/// …}` or `AT VERSION by WHO`. Where `cut` the first line is a part of one.
/// The last line counts only if it is whole: whoever writes may not have ended.
fn parse(bytes: &[u8], cut: bool, common: &Common) -> Result<ReleasesReading, PollError> {
    let text = String::from_utf8_lossy(bytes);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut reading = ReleasesReading::default();
    let mut bad = 0_usize;
    for (number, line) in text.split_inclusive('\n').enumerate().skip(usize::from(cut)) {
        let ended = line.ends_with('\n');
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') || !ended && !is_object(line) {
            continue;
        }
        match release(line, common) {
            Ok(release) => reading.releases.push(release),
            Err(why) => {
                bad += 1;
                if bad <= NOTES {
                    let place = if cut { "a line".into() } else { format!("line {}", number + 1) };
                    reading.notes.push(format!("{place}: {why}"));
                }
            }
        }
    }
    if reading.releases.is_empty() && bad > 0 {
        let first = reading.notes.first().map_or("", String::as_str);
        return Err(PollError::broken(format!("no line tells of a release; {first}")));
    }
    if bad > NOTES {
        reading.notes.push(format!("{} more lines cannot be read", bad - NOTES));
    }
    // Of one moment the later line is the later release.
    reading.releases.reverse();
    reading.releases.sort_by_key(|release| std::cmp::Reverse(release.at));
    reading.releases.truncate(MOST);
    Ok(reading)
}

fn is_object(line: &str) -> bool {
    line.starts_with('{') && serde_json::from_str::<serde::de::IgnoredAny>(line).is_ok()
}

fn release(line: &str, common: &Common) -> Result<Release, &'static str> {
    if !line.starts_with('{') {
        return plain(line, common);
    }
    let line: Line = serde_json::from_str(line).map_err(|_| "this is no JSON object")?;
    let shown = |value: &Value| loose::shown(value, WORDS).trim().to_owned();
    let some = |value: &Value| Some(shown(value)).filter(|text| !text.is_empty());
    let version = some(&line.version).ok_or("it has no `version`")?;
    if line.at.is_null() {
        return Err("it has no `at`");
    }
    let at = moment(&line.at).ok_or("`at` is no moment")?;
    Ok(Release {
        version,
        before: some(&line.before),
        service: some(&line.service)
            .map(|name| ServiceName::from(name.as_str()))
            .or_else(|| common.service.clone()),
        at,
        by: shown(&line.by),
        origin: common.origin.clone(),
        new_issues: None,
    })
}

/// `2026-11-21T09:00:00Z v142 by ci`
fn plain(line: &str, common: &Common) -> Result<Release, &'static str> {
    let mut words = line.split_whitespace();
    let at = words.next().unwrap_or_default();
    let at = moment(&Value::String(at.into())).ok_or("it begins with no moment")?;
    let version = words.next().ok_or("it has no version")?;
    let by = match words.next() {
        None => String::new(),
        Some("by") => words.collect::<Vec<_>>().join(" "),
        Some(_) => return Err("expected `AT VERSION by WHO`"),
    };
    Ok(Release {
        version: harmless_within(version, WORDS),
        service: common.service.clone(),
        at,
        by: harmless_within(&by, WORDS),
        origin: common.origin.clone(),
        ..Release::default()
    })
}

/// RFC 3339, seconds since the epoch with or without fraction, or milliseconds:
/// seconds of our time have ten digits before the point, milliseconds thirteen.
fn moment(value: &Value) -> Option<Timestamp> {
    if let Some(number) = loose::number(value) {
        let millis = if number.abs() >= 1e11 { number } else { number * 1_000.0 };
        // From 1970 to the year 9999.
        if !(millis > 0.0 && millis < 253_402_300_800_000.0) {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "it is within bounds")]
        return Some(Timestamp::from_millis(millis.round() as i64));
    }
    loose::moment(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn common() -> Common {
        Common { service: Some("api".into()), origin: "deploys".into() }
    }

    fn versions(text: &str) -> Vec<String> {
        let reading = parse(text.as_bytes(), false, &common()).unwrap();
        reading.releases.into_iter().map(|release| release.version).collect()
    }

    #[test]
    fn json_lines_and_plain_lines_tell_of_releases() {
        let text = r#"{"version":"v141","at":"2026-11-20T10:00:00+08:00","service":"web","by":"wang"}
# a remark
2026-11-21T09:00:00Z v142 by ci of shop

{"tag":"v143","timestamp":1795254000,"previous":"v142"}
{"version":144,"at":"1795254060000"}
"#;
        let reading = parse(text.as_bytes(), false, &common()).unwrap();
        let told: Vec<String> = reading
            .releases
            .iter()
            .map(|r| {
                let service = r.service.as_ref().unwrap();
                format!("{} {service:?} {:?} {} {}", r.version, r.before, r.by, r.at)
            })
            .collect();
        let service = |name: &str| format!("{:?}", ServiceName::from(name));
        assert_eq!(
            told,
            [
                format!("144 {} None  2026-11-21T09:41:00.000Z", service("api")),
                format!("v143 {} Some(\"v142\")  2026-11-21T09:40:00.000Z", service("api")),
                format!("v142 {} None ci of shop 2026-11-21T09:00:00.000Z", service("api")),
                format!("v141 {} None wang 2026-11-20T02:00:00.000Z", service("web")),
            ]
        );
        assert!(reading.notes.is_empty(), "{:?}", reading.notes);
        assert_eq!(reading.releases[0].origin, "deploys");
    }

    #[test]
    fn a_last_line_counts_only_when_it_is_whole() {
        assert_eq!(versions("2026-11-21T09:00:00Z v1\n2026-11-21T09:01:00Z v14"), ["v1"]);
        let whole = "{\"version\":\"v1\",\"at\":1}\n";
        assert_eq!(versions(&format!("{whole}{{\"version\":\"v2\",\"at\":2}}")), ["v2", "v1"]);
        assert_eq!(versions(&format!("{whole}{{\"version\":\"v2\",\"at\"")), ["v1"]);
        assert_eq!(versions(""), [""; 0]);
        assert_eq!(versions("{\"version\":\"v2\""), [""; 0], "it is still being written");
    }

    #[test]
    fn of_a_long_file_the_first_line_is_a_part_and_is_left_out() {
        let text = b"sion\":\"v1\",\"at\":1}\n{\"version\":\"v2\",\"at\":2}\n";
        let reading = parse(text, true, &common()).unwrap();
        assert_eq!((reading.releases.len(), reading.notes.len()), (1, 0));
    }

    #[test]
    fn lines_that_cannot_be_read_are_named_and_the_others_count() {
        let text = "nonsense\n{}\n{\"version\":\"v1\"}\n{\"version\":\"v1\",\"at\":\"soon\"}\n{]\n\
                    2026-11-21T09:00:00Z\n{\"version\":\"v1\",\"at\":5}\n";
        let reading = parse(text.as_bytes(), false, &common()).unwrap();
        assert_eq!(reading.releases.len(), 1);
        assert_eq!(
            reading.notes,
            [
                "line 1: it begins with no moment",
                "line 2: it has no `version`",
                "line 3: it has no `at`",
                "line 4: `at` is no moment",
                "line 5: this is no JSON object",
                "1 more lines cannot be read",
            ]
        );
        let failed = parse(b"<html>\n", false, &common()).unwrap_err();
        assert_eq!(failed.message, "no line tells of a release; line 1: it begins with no moment");
    }

    #[test]
    fn hostile_lines_are_harmless_and_many_are_bounded() {
        let line = "{\"version\":\"v\\u001b[2J\",\"by\":\"\\u001b]0;x\\u0007\",\"at\":7}\n";
        let reading = parse(line.as_bytes(), false, &common()).unwrap();
        assert!(!format!("{:?}", reading.releases).contains("\\u{1b}"));
        let many = (1..1_000).map(|i| format!("{{\"version\":\"v{i}\",\"at\":{i}}}\n"));
        let many = many.collect::<Vec<_>>().concat();
        let told = versions(&many);
        assert_eq!((told.len(), told[0].as_str()), (200, "v999"));
        for odd in ["1e300", "-5", "0", "null", "[]", "true"] {
            let line = format!("{{\"version\":\"v\",\"at\":{odd}}}\n");
            assert!(parse(line.as_bytes(), false, &common()).is_err(), "{odd}");
        }
    }
}
