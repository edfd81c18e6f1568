//! Text that must fit into columns: wide characters take two, combining marks none.

use crate::domain::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use std::borrow::Cow;
use std::time::Duration;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// How many columns a text takes.
pub fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.width() }
}

/// The text in at most `most` columns; what was cut off is told by `mark`.
pub fn cut<'a>(text: &'a str, most: usize, mark: &str) -> Cow<'a, str> {
    if width(text) <= most {
        return Cow::Borrowed(text);
    }
    let room = most.saturating_sub(width(mark));
    let mut used = 0;
    let mut out = String::new();
    for piece in text.graphemes(true) {
        let wide = width(piece);
        if used + wide > room {
            break;
        }
        used += wide;
        out.push_str(piece);
    }
    if most >= width(mark) {
        out.push_str(mark);
    }
    Cow::Owned(out)
}

/// The text without its first `columns`; a wide character that is cut in two leaves a space.
pub fn skip(text: &str, columns: usize) -> Cow<'_, str> {
    if columns == 0 {
        return Cow::Borrowed(text);
    }
    let mut gone = 0;
    for (at, piece) in text.grapheme_indices(true) {
        if gone == columns {
            return Cow::Borrowed(&text[at..]);
        }
        if gone > columns {
            return Cow::Owned(format!(" {}", &text[at..]));
        }
        gone += width(piece);
    }
    Cow::Borrowed("")
}

/// The text in exactly `columns` columns, to the left or to the right.
pub fn pad(text: &str, columns: usize, right: bool, mark: &str) -> String {
    let fitted = cut(text, columns, mark);
    let room = " ".repeat(columns.saturating_sub(width(&fitted)));
    if right { format!("{room}{fitted}") } else { format!("{fitted}{room}") }
}

/// Lines of at most `columns` columns, broken at spaces where there are any.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let columns = columns.max(1);
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let gap = usize::from(!line.is_empty());
        if width(&line) + gap + width(word) <= columns {
            if gap == 1 {
                line.push(' ');
            }
            line.push_str(word);
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        for piece in word.graphemes(true) {
            if width(&line) + width(piece) > columns && !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            line.push_str(piece);
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// Lines of at most `columns` columns, broken wherever that is, with all spaces
/// as they are: for text whose every character counts.
pub fn fold(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(2);
    let mut lines = vec![String::new()];
    let mut used = 0;
    for piece in text.graphemes(true) {
        let wide = width(piece);
        if used + wide > columns {
            lines.push(String::new());
            used = 0;
        }
        used += wide;
        if let Some(line) = lines.last_mut() {
            line.push_str(piece);
        }
    }
    lines
}

/// Writes parts one after the other, no further than the area is wide, and
/// gives the column after the last one.
pub fn write<'a>(
    buf: &mut Buffer,
    area: Rect,
    parts: impl IntoIterator<Item = (Cow<'a, str>, Style)>,
    mark: &str,
) -> u16 {
    let mut x = area.x;
    if area.height == 0 {
        return x;
    }
    for (part, style) in parts {
        let room = usize::from(area.right().saturating_sub(x));
        if room == 0 {
            break;
        }
        let fitted = cut(&part, room, mark);
        (x, _) = buf.set_stringn(x, area.y, &fitted, room, style);
    }
    x
}

/// One line of the area, counted from its top; nothing where it has fewer.
pub fn line_of(area: Rect, index: usize) -> Option<Rect> {
    let y = area.y.checked_add(u16::try_from(index).ok()?)?;
    (y < area.bottom()).then_some(Rect { y, height: 1, ..area })
}

/// An age in steps, so that a quiet screen stays quiet: `<10s`, `10s`, `50s`,
/// `1m30s`, `12m`, `3h`, `2d`.
pub fn age_in_steps(age: Duration) -> String {
    let s = age.as_secs();
    match s {
        0..10 => "<10s".into(),
        10..60 => format!("{}s", s / 10 * 10),
        60..600 => match s % 60 / 10 * 10 {
            0 => format!("{}m", s / 60),
            rest => format!("{}m{rest}s", s / 60),
        },
        _ => crate::domain::units::age(Duration::from_secs(s / 60 * 60)),
    }
}

/// A number that changes when [`age_in_steps`] does.
pub fn age_step(age: Duration) -> u64 {
    let s = age.as_secs();
    if s < 600 { s / 10 } else { 60 + s / 60 }
}

/// Minutes east of UTC as on a clock: `+08`, `-0330`, `Z`.
pub fn offset(minutes: i32) -> String {
    let (hours, rest) = (minutes.abs() / 60, minutes.abs() % 60);
    let sign = if minutes < 0 { '-' } else { '+' };
    match (minutes, rest) {
        (0, _) => "Z".into(),
        (_, 0) => format!("{sign}{hours:02}"),
        _ => format!("{sign}{hours:02}{rest:02}"),
    }
}

const DAY_MIN: i64 = 24 * 60;

/// The time of day: `03:14`.
pub fn clock(at: Timestamp, offset_min: i32) -> String {
    let minutes = at.millis().div_euclid(60_000).saturating_add(i64::from(offset_min));
    let of_day = minutes.rem_euclid(DAY_MIN);
    format!("{:02}:{:02}", of_day / 60, of_day % 60)
}

/// The time of day to the second: `03:14:05`.
pub fn clock_s(at: Timestamp, offset_min: i32) -> String {
    format!("{}:{:02}", clock(at, offset_min), at.millis().div_euclid(1000).rem_euclid(60))
}

/// A moment, seen from `now`: the time of day, with the date where that is
/// another day: `03:14`, `11-19 03:14`.
pub fn stamp(at: Timestamp, now: Timestamp, offset_min: i32) -> String {
    let (clock, date) = (clock(at, offset_min), moment(at, now, offset_min));
    if clock == date { clock } else { format!("{date} {clock}") }
}

/// When something began, seen from `now`: the time of day, or the date when it
/// was on another day: `03:14`, `11-19`.
pub fn moment(at: Timestamp, now: Timestamp, offset_min: i32) -> String {
    let day = |t: Timestamp| {
        t.millis().div_euclid(60_000).saturating_add(i64::from(offset_min)).div_euclid(DAY_MIN)
    };
    if day(at) == day(now) {
        return clock(at, offset_min);
    }
    let shift = i64::from(offset_min) * 60_000;
    chrono::DateTime::from_timestamp_millis(at.millis().saturating_add(shift))
        .map_or_else(|| "?".into(), |date| date.format("%m-%d").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_characters_take_two_columns_and_marks_none() {
        assert_eq!(width("数据库"), 6);
        assert_eq!(width("e\u{301}"), 1);
        assert_eq!(cut("数据库", 5, "~"), "数据~");
        assert_eq!(cut("数据库", 4, "~"), "数~");
        assert_eq!(pad("数据库", 4, false, "~"), "数~ ");
        assert_eq!(pad("库", 5, true, "~"), "   库");
        assert_eq!(skip("数据", 1), " 据");
        assert_eq!(skip("abc", 2), "c");
        assert_eq!(cut("e\u{301}e\u{301}e\u{301}", 2, "~"), "e\u{301}~");
    }

    #[test]
    fn words_wrap_and_long_ones_break() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        assert_eq!(wrap("数据库", 5), ["数据", "库"]);
        assert!(wrap("", 5).is_empty());
    }

    #[test]
    fn folded_text_keeps_its_spaces() {
        assert_eq!(fold("a  b  c", 4), ["a  b", "  c"]);
        assert_eq!(fold("数据库", 5), ["数据", "库"]);
        assert_eq!(fold("", 5), [""]);
    }

    #[test]
    fn ages_change_in_steps() {
        let shown = |s| age_in_steps(Duration::from_secs(s));
        assert_eq!(shown(0), "<10s");
        assert_eq!(shown(9), "<10s");
        assert_eq!(shown(59), "50s");
        assert_eq!(shown(130), "2m10s");
        assert_eq!(shown(120), "2m");
        assert_eq!(shown(659), "10m");
        assert_eq!(shown(3 * 3600 + 330), "3h05m");
        for s in 0..100_000 {
            let changes = shown(s) != shown(s + 1);
            let steps = age_step(Duration::from_secs(s)) != age_step(Duration::from_secs(s + 1));
            assert!(steps || !changes, "{s}");
        }
    }

    #[test]
    fn clocks_say_their_zone() {
        let at = Timestamp::from_millis(1_700_000_000_000);
        assert_eq!(clock(at, 0), "22:13");
        assert_eq!(clock(at, 480), "06:13");
        assert_eq!(clock_s(at, -210), "18:43:20");
        assert_eq!(offset(480), "+08");
        assert_eq!(offset(-210), "-0330");
        assert_eq!(offset(0), "Z");
        assert_eq!(moment(at, at + Duration::from_mins(1), 0), "22:13");
        assert_eq!(moment(at, at + Duration::from_hours(24), 0), "11-14");
    }
}
