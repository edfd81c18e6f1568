//! The mark of a verified restore: a file whose time counts, or JSON lines.

use crate::domain::{RestoreTest, Timestamp, harmless_within};
use serde_json::Value;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Of a long record the end is read.
const END: u64 = 64 << 10;
/// What a line says of itself is cut to so many characters.
const WORDS: usize = 120;

/// What the mark tells.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Mark {
    /// The last restore; none where none was ever tried.
    pub(super) test: Option<RestoreTest>,
    /// What a reader must know beside.
    pub(super) note: Option<String>,
}

/// Reads the mark. A file that is not there says that a restore was never tried.
pub(super) fn read(path: &Path) -> Result<Mark, String> {
    let why = |error: std::io::Error| error.kind().to_string();
    let meta = match std::fs::metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Mark::default()),
        Err(error) => return Err(why(error)),
    };
    if !meta.is_file() {
        return Err("it is no file".into());
    }
    let mut file = File::open(path).map_err(why)?;
    file.seek(SeekFrom::Start(meta.len().saturating_sub(END))).map_err(why)?;
    let mut bytes = Vec::new();
    file.take(END).read_to_end(&mut bytes).map_err(why)?;
    let touched = meta.modified().map_err(why).map(moment)?;
    Ok(parse(&bytes, touched))
}

/// A moment of the file system.
pub(in crate::sources) fn moment(time: SystemTime) -> Timestamp {
    let whole = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => Timestamp::from_millis(whole(after)),
        Err(before) => Timestamp::from_millis(-whole(before.duration())),
    }
}

/// The last line that can be read counts; of a file without JSON the time counts.
fn parse(bytes: &[u8], touched: Timestamp) -> Mark {
    let text = String::from_utf8_lossy(bytes);
    let lines = text.lines().map(str::trim).filter(|line| line.starts_with('{'));
    let lines: Vec<&str> = lines.collect();
    if lines.is_empty() {
        let plain =
            RestoreTest { at: touched, good: true, took: None, size: None, words: String::new() };
        return Mark { test: Some(plain), note: None };
    }
    let mut note = None;
    for line in lines.into_iter().rev() {
        match restore(line) {
            Ok(found) => return Mark { test: Some(found), note },
            Err(why) => note = note.or(Some(why)),
        }
    }
    Mark { test: None, note }
}

/// One line: `at` and `ok` are needed, `took_s`, `bytes` and `note` help.
fn restore(line: &str) -> Result<RestoreTest, String> {
    let told: Value = serde_json::from_str(line).map_err(|_| "its last line is no whole JSON")?;
    let at = told.get("at").and_then(time).ok_or("its last line tells no time in `at`")?;
    let good = told.get("ok").and_then(Value::as_bool).ok_or("its last line tells no `ok`")?;
    let words = told.get("note").or_else(|| told.get("error")).and_then(Value::as_str);
    Ok(RestoreTest {
        at,
        good,
        took: told.get("took_s").and_then(number).and_then(|s| Duration::try_from_secs_f64(s).ok()),
        size: told.get("bytes").and_then(number).and_then(whole),
        words: words.map(|words| harmless_within(words, WORDS)).unwrap_or_default(),
    })
}

/// A number, or a text that is one.
pub(in crate::sources) fn number(value: &Value) -> Option<f64> {
    let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
    number.is_finite().then_some(number)
}

/// A number of bytes.
pub(in crate::sources) fn whole(number: f64) -> Option<u64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates, and what is below zero was refused"
    )]
    (number >= 0.0).then_some(number as u64)
}

/// RFC 3339, or seconds since 1970 (milliseconds where the number is that large).
pub(in crate::sources) fn time(value: &Value) -> Option<Timestamp> {
    /// In seconds this is the year 5138, in milliseconds 1973.
    const MILLIS_FROM: f64 = 1e11;
    if let Some(text) = value.as_str()
        && let Ok(at) = chrono::DateTime::parse_from_rfc3339(text.trim())
    {
        return Some(Timestamp::from_millis(at.timestamp_millis()));
    }
    let number = number(value).filter(|number| *number >= 0.0)?;
    let millis = if number >= MILLIS_FROM { number } else { number * 1_000.0 };
    #[expect(clippy::cast_possible_truncation, reason = "the cast saturates")]
    Some(Timestamp::from_millis(millis.round() as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    #[test]
    fn the_last_whole_line_counts_and_a_plain_files_time() {
        let plain = parse(b"", NOW).test.unwrap();
        assert_eq!((plain.at, plain.good), (NOW, true));
        assert_eq!(parse(b"restored, li\n", NOW).test.unwrap().at, NOW);

        let lines = concat!(
            r#"{"at":"2026-11-20T03:00:00Z","ok":true,"took_s":61.5,"bytes":"1048576"}"#,
            "\n",
            r#"{"at":1795230000,"ok":false,"note":"0 rows\u001b[2J in orders"}"#,
            "\n",
        );
        let last = parse(lines.as_bytes(), NOW).test.unwrap();
        assert_eq!((last.at.millis(), last.good), (1_795_230_000_000, false));
        assert!(last.words.starts_with("0 rows") && !last.words.contains('\u{1b}'));

        // A line that is being written does not take the last one back.
        let torn = format!("{}\n{{\"at\":179", lines.lines().next().unwrap());
        let mark = parse(torn.as_bytes(), NOW);
        let last = mark.test.unwrap();
        assert_eq!((last.good, last.size), (true, Some(1 << 20)));
        assert_eq!(last.took, Some(Duration::from_millis(61_500)));
        assert_eq!(mark.note.as_deref(), Some("its last line is no whole JSON"));
    }

    #[test]
    fn a_line_that_does_not_say_that_it_went_well_is_no_proof() {
        let mark = parse(br#"{"at":"2026-11-20T03:00:00Z"}"#, NOW);
        assert_eq!(mark.test, None);
        assert_eq!(mark.note.as_deref(), Some("its last line tells no `ok`"));
        assert_eq!(parse(br#"{"ok":true,"at":"soon"}"#, NOW).test, None);
    }

    #[test]
    fn no_file_is_never_and_a_folder_cannot_be_read() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(&folder.path().join("none")), Ok(Mark::default()));
        assert_eq!(read(folder.path()), Err("it is no file".into()));
        let file = folder.path().join("mark");
        std::fs::write(&file, "").unwrap();
        assert!(read(&file).unwrap().test.unwrap().good);
    }
}
