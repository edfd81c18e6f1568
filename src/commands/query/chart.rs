//! Series over time as a drawing in text: braille dots, or letters where there
//! is no colour to tell series apart and where braille cannot be shown.

use super::{clock, short_clock};
use crate::domain::{Num, Thresholds, Timestamp, Unit, harmless_within};
use crate::metrics::Line;
use crate::ui::chart::{Base, Scale};
use std::time::Duration;
use unicode_width::UnicodeWidthStr;

/// How a drawing may look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// Columns of the terminal.
    pub(super) width: usize,
    /// Rows of the drawing itself.
    pub(super) height: usize,
    /// Whether series may be told apart by colour.
    pub(super) colour: bool,
    /// Whether braille can be shown.
    pub(super) braille: bool,
}

/// So many series are drawn in colours, and so many with letters.
const IN_COLOURS: usize = 6;
const IN_LETTERS: usize = 12;
/// Foreground colours of a terminal, told apart also by the colour-blind as far as that goes.
const COLOURS: [u8; IN_COLOURS] = [36, 33, 35, 32, 34, 31];

/// Draws `lines` from `start` to `end`; values further apart than `step` and a
/// half are not connected: a gap is a gap. Where not all can be drawn, those with
/// the highest last values are.
pub(super) fn chart(
    lines: &[Line],
    (start, end): (Timestamp, Timestamp),
    step: Duration,
    base: Base,
    look: Look,
) -> String {
    let dots = look.braille && (look.colour || lines.len() <= 1);
    let most = if dots { IN_COLOURS } else { IN_LETTERS };
    let drawn = first_of(lines, most);
    let finite = || drawn.iter().flat_map(|line| finite_of(line)).map(|(_, value)| value);
    let scale = |base| Scale::of(finite(), base, Unit::Number, Thresholds::default());
    let fits = |scale: &Scale| {
        let labels = scale.labels(Unit::Number);
        scale.has_zero() || labels.iter().all(|label| label.len() <= look.width / 3)
    };
    let Some(scale) = scale(base).filter(fits).or_else(|| scale(Base::Zero)) else {
        let mut out = "no finite value to draw\n".to_owned();
        legend(&mut out, &drawn, dots, look, &short);
        return out;
    };
    let names = scale.labels(Unit::Number);
    let margin = names.iter().map(String::len).max().unwrap_or(0) + 1;
    let columns = look.width.saturating_sub(margin + 2).max(10);
    let mut canvas = Canvas::new(columns, look.height.max(3), dots);
    let (wide, tall) = canvas.dots();
    let length = end.since(start).as_secs_f64().max(0.001);
    let reach = step.as_secs_f64() * 1.5;
    for (series, line) in drawn.iter().enumerate() {
        let mut before: Option<(f64, (i64, i64))> = None;
        for (at, value) in finite_of(line) {
            let seconds = at.seconds() - start.seconds();
            let place = (
                rounded(seconds / length * (wide - 1) as f64),
                rounded((1.0 - scale.share(value)) * (tall - 1) as f64),
            );
            match before {
                Some((then, from)) if seconds - then <= reach => canvas.line(from, place, series),
                _ => canvas.dot(place, series),
            }
            before = Some((seconds, place));
        }
    }
    let mut out = String::new();
    for (row, cells) in canvas.rows(look.colour).enumerate() {
        let name = match row {
            0 => &names[0],
            _ if row == canvas.height / 2 => &names[1],
            _ if row + 1 == canvas.height => &names[2],
            _ => "",
        };
        let edge = if look.braille { '\u{2502}' } else { '|' };
        out.push_str(format!("{name:>margin$} {edge}{cells}").trim_end());
        out.push('\n');
    }
    let (mut from, mut to) = (clock(start), clock(end));
    if from.width() + to.width() + 2 > columns {
        (from, to) = (short_clock(start, end), short_clock(end, start));
    }
    let space = columns.saturating_sub(from.width() + to.width()).max(1);
    out.extend([" ".repeat(margin + 2), from, " ".repeat(space), to, "\n".to_owned()]);
    if !scale.has_zero() {
        out.push_str("  the scale does not begin at 0\n");
    }
    let figure = |value: f64| {
        if scale.has_zero() { short(value) } else { scale.figure(value, Unit::Number) }
    };
    legend(&mut out, &drawn, dots, look, &figure);
    if lines.len() > drawn.len() {
        let more = lines.len() - drawn.len();
        let more = more.to_string();
        out.extend(["  and ", &*more, " more series, whose last values are lower: not drawn\n"]);
    }
    out
}

/// The series with their figures: what they have alike once, before them.
fn legend(
    out: &mut String,
    drawn: &[&Line],
    dots: bool,
    look: Look,
    figure: &dyn Fn(f64) -> String,
) {
    let is_common = |name: &str| {
        drawn.len() > 1
            && drawn.iter().all(|line| line.labels.get(name) == drawn[0].labels.get(name))
    };
    let common = drawn.first().map(|line| line.labels.filtered(is_common)).unwrap_or_default();
    if !common.is_empty() {
        let common = harmless_within(&common.to_string(), look.width.saturating_sub(6).max(20));
        out.extend(["  all ", &*common, "\n"]);
    }
    for (series, line) in drawn.iter().enumerate() {
        let mark = if dots { '\u{28ff}' } else { letter(series) };
        let mark = painted(&mark.to_string(), series, look.colour);
        let own = line.labels.filtered(|name| !is_common(name)).to_string();
        let says = said(line, figure);
        let room = look.width.saturating_sub(says.len() + 6);
        // Where both have no room beside each other the figures come below.
        let (room, between) =
            if room < 12 && own.len() > room { (look.width - 4, "\n    ") } else { (room, "  ") };
        let labels = harmless_within(&own, room.max(8));
        out.extend(["  ", &*mark, " ", &*labels, between, &*says, "\n"]);
    }
}

/// `last 3  min 1  max 5  avg 2.5`
pub(super) fn said(line: &Line, figure: &dyn Fn(f64) -> String) -> String {
    let values = || line.points.iter().map(|(_, value)| value.0).filter(|value| !value.is_nan());
    let count = values().count();
    let Some((_, last)) = line.points.last() else { return "no values".to_owned() };
    if count == 0 {
        return "last NaN".to_owned();
    }
    let low = values().fold(f64::INFINITY, f64::min);
    let high = values().fold(f64::NEG_INFINITY, f64::max);
    // In parts: the sum of large values may be none.
    let mean = values().fold(0.0, |sum, value| sum + value / count as f64);
    let [last, low, high, mean] = [last.0, low, high, mean].map(figure);
    format!("last {last}  min {low}  max {high}  avg {mean}")
}

/// All of them, or as many with the highest last values, in their order.
fn first_of(lines: &[Line], most: usize) -> Vec<&Line> {
    let last = |line: &Line| {
        let last = line.points.last().map(|(_, value)| value.0);
        last.filter(|value| !value.is_nan()).unwrap_or(f64::NEG_INFINITY)
    };
    let mut order: Vec<usize> = (0..lines.len()).collect();
    order.sort_by(|a, b| last(&lines[*b]).total_cmp(&last(&lines[*a])));
    order.truncate(most);
    order.sort_unstable();
    order.into_iter().map(|at| &lines[at]).collect()
}

fn finite_of(line: &Line) -> impl Iterator<Item = (Timestamp, f64)> {
    let points = line.points.iter().map(|(at, value)| (*at, value.0));
    points.filter(|(_, value)| value.is_finite())
}

/// Four digits that count.
pub(super) fn short(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return Num(value).to_string();
    }
    let size = value.abs().log10().floor();
    if (-4.0..9.0).contains(&size) {
        let digits = (3.0 - size).clamp(0.0, 8.0);
        let text = format!("{value:.*}", whole(digits));
        if !text.contains('.') {
            return text;
        }
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    format!("{value:.3e}")
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "small and not below zero; saturates"
)]
fn whole(value: f64) -> usize {
    value as usize
}

#[expect(clippy::cast_possible_truncation, reason = "within a drawing; saturates")]
fn rounded(value: f64) -> i64 {
    value.round() as i64
}

fn letter(series: usize) -> char {
    char::from(b'a' + u8::try_from(series % IN_LETTERS).unwrap_or(0))
}

fn painted(text: &str, series: usize, colour: bool) -> String {
    if colour {
        format!("\u{1b}[{}m{text}\u{1b}[0m", COLOURS[series % IN_COLOURS])
    } else {
        text.to_owned()
    }
}

/// Cells with the dots set in each and the series that set the last one.
struct Canvas {
    width: usize,
    height: usize,
    braille: bool,
    cells: Vec<(u8, Option<usize>)>,
}

impl Canvas {
    fn new(width: usize, height: usize, braille: bool) -> Self {
        Self { width, height, braille, cells: vec![(0, None); width * height] }
    }

    /// Columns and rows of dots.
    fn dots(&self) -> (usize, usize) {
        if self.braille { (self.width * 2, self.height * 4) } else { (self.width, self.height) }
    }

    fn dot(&mut self, (x, y): (i64, i64), series: usize) {
        // Bits of a braille cell, column by column.
        const BITS: [[u8; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];
        let (wide, tall) = self.dots();
        let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else { return };
        if x >= wide || y >= tall {
            return;
        }
        let (across, down) = if self.braille { (2, 4) } else { (1, 1) };
        let cell = &mut self.cells[(y / down) * self.width + x / across];
        cell.0 |= BITS[x % across][y % down];
        cell.1 = Some(series);
    }

    fn line(&mut self, from: (i64, i64), to: (i64, i64), series: usize) {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let count = dx.abs().max(dy.abs()).max(1);
        for i in 0..=count {
            let share = i as f64 / count as f64;
            let x = from.0 as f64 + dx as f64 * share;
            let y = from.1 as f64 + dy as f64 * share;
            self.dot((rounded(x), rounded(y)), series);
        }
    }

    fn rows(&self, colour: bool) -> impl Iterator<Item = String> {
        self.cells.chunks(self.width).map(move |cells| {
            let mut row = String::new();
            for (bits, series) in cells {
                match series {
                    None => row.push(' '),
                    Some(series) => {
                        let dots = char::from_u32(0x2800 + u32::from(*bits)).unwrap_or('.');
                        let mark = if self.braille { dots } else { letter(*series) };
                        row.push_str(&painted(&mark.to_string(), *series, colour));
                    }
                }
            }
            row
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Labels;

    fn line(name: &str, values: &[f64]) -> Line {
        let points = (0..).zip(values).filter(|(_, value)| !value.is_nan());
        let points = points.map(|(i, value)| (Timestamp::from_millis(i * 1_000), Num(*value)));
        Line { labels: Labels::new([("i", name)]), points: points.collect() }
    }

    fn drawn(lines: &[Line], colour: bool, braille: bool) -> String {
        let look = Look { width: 30, height: 4, colour, braille };
        let end = Timestamp::from_millis(9_000);
        chart(lines, (Timestamp::from_millis(0), end), Duration::from_secs(1), Base::Auto, look)
    }

    #[test]
    fn letters_tell_series_apart_where_there_is_no_colour() {
        let up: Vec<f64> = (0..10).map(f64::from).collect();
        let down: Vec<f64> = (0..10).rev().map(f64::from).collect();
        let text = drawn(&[line("x", &up), line("y", &down)], false, true);
        let rows: Vec<&str> = text.lines().collect();
        assert!(rows[0].starts_with(" 10 \u{2502}bb") && rows[0].ends_with("aa"), "{text}");
        assert!(rows[3].starts_with("  0 \u{2502}a") && rows[3].ends_with('b'), "{text}");
        assert_eq!(rows[4].split_whitespace().count(), 2, "{text}");
        assert!(rows[5].contains("a {i=\"x\"}"), "{text}");
        assert!(rows[6].contains("last 9  min 0  max 9  avg 4.5"), "{text}");
        assert!(!text.contains('\u{1b}'));
        assert!(drawn(&[line("x", &up)], false, false).is_ascii());
        let painted = drawn(&[line("x", &up), line("y", &down)], true, true);
        assert!(painted.contains("\u{1b}[36m\u{28ff}\u{1b}[0m {i=\"x\"}"), "{painted}");
    }

    #[test]
    fn a_gap_is_a_gap() {
        let nan = f64::NAN;
        let text =
            drawn(&[line("x", &[1.0, 1.0, nan, nan, nan, nan, nan, nan, 1.0, 1.0])], false, false);
        let row = text.lines().find(|row| row.contains('a')).unwrap();
        let (_, row) = row.split_once('|').unwrap();
        assert_eq!(row.trim_matches('a').trim(), "", "{text}");
        assert!(row.trim_matches('a').len() > 10, "{text}");
    }

    #[test]
    fn odd_values_are_drawn_or_said() {
        assert_eq!(
            drawn(&[line("x", &[f64::NAN])], false, true),
            "no finite value to draw\n  \u{28ff} {i=\"x\"}  no values\n"
        );
        for values in [&[f64::INFINITY, 1.0][..], &[-1e308, 1e308], &[0.0], &[1e-300, 2e-300]] {
            assert!(drawn(&[line("x", values)], false, true).lines().count() >= 6);
        }
        assert_eq!(short(1234.5678), "1235");
        assert_eq!(short(0.000_123_46), "0.0001235");
        assert_eq!(short(-12.0), "-12");
        assert_eq!(short(1200.0), "1200");
        assert_eq!(short(1.5e12), "1.500e12");
    }
}
