//! A line chart with axes, units, threshold lines and visible gaps: in braille
//! dots, or in marks where only ASCII can be shown.

use super::table::rule;
use super::text;
use super::theme::Theme;
use crate::domain::{Num, Thresholds, Timestamp, Unit, units};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use std::borrow::Cow;
use std::time::Duration;

/// One line of a chart.
#[derive(Clone, Debug)]
pub struct Series<'a> {
    /// Its name, harmless.
    pub name: Cow<'a, str>,
    /// Moments and values, in the order of time.
    pub points: &'a [(Timestamp, Num)],
}

/// A moment that is marked on a chart: a release.
#[derive(Clone, Debug)]
pub struct Moment<'a> {
    /// When.
    pub at: Timestamp,
    /// What, short and harmless.
    pub label: Cow<'a, str>,
}

/// A chart as it is drawn once.
#[derive(Debug)]
pub struct Chart<'a> {
    /// What it shows.
    pub title: &'a str,
    /// What must be known beside it: coverage, warnings.
    pub note: &'a str,
    /// What stands at the right end of its title.
    pub aside: &'a str,
    /// Unit of its values.
    pub unit: Unit,
    /// The first moment it shows.
    pub from: Timestamp,
    /// The last one.
    pub until: Timestamp,
    /// Points further apart than this have a gap between them.
    pub gap: Duration,
    /// Where warning and critical begin.
    pub thresholds: Thresholds,
    /// Its lines, the most important first.
    pub series: &'a [Series<'a>],
    /// Moments to mark, in the order of time.
    pub moments: &'a [Moment<'a>],
    /// What stands there when no line has a point.
    pub empty: &'a str,
    /// Minutes east of UTC.
    pub offset_min: i32,
    /// Whether keys go to it.
    pub focused: bool,
}

/// An answer may be this late before its last value no longer counts as the present one.
const LATE: Duration = Duration::from_secs(10);

/// A moment's label is cut to so many columns.
const LABEL: usize = 14;
/// With less of it than this, a label that is cut off says nothing.
const LEAST_LABEL: usize = 8;

/// The scale of the vertical axis.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Scale {
    bottom: f64,
    top: f64,
}

impl Scale {
    fn share(self, value: f64) -> f64 {
        (value - self.bottom) / (self.top - self.bottom)
    }
}

/// A grid of dots, `wide` and `high` in dots, each with the series it belongs to.
struct Dots {
    wide: usize,
    high: usize,
    of: Vec<Option<usize>>,
}

impl Dots {
    fn new(wide: usize, high: usize) -> Self {
        Self { wide, high, of: vec![None; wide * high] }
    }

    fn set(&mut self, x: usize, y: usize, series: usize) {
        if x < self.wide && y < self.high {
            self.of[y * self.wide + x] = Some(series);
        }
    }

    fn get(&self, x: usize, y: usize) -> Option<usize> {
        if x < self.wide && y < self.high { self.of[y * self.wide + x] } else { None }
    }

    fn line(&mut self, from: (usize, usize), to: (usize, usize), series: usize) {
        let across = to.0.abs_diff(from.0);
        let down = to.1.abs_diff(from.1);
        let steps = across.max(down);
        let part = |a: usize, b: usize, i: usize| {
            let moved = (a.abs_diff(b) * i + steps / 2) / steps.max(1);
            if b >= a { a + moved } else { a - moved }
        };
        for i in 0..=steps {
            self.set(part(from.0, to.0, i), part(from.1, to.1, i), series);
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share between 0 and 1 of a number of dots on a screen"
)]
fn dot(share: f64, dots: usize) -> usize {
    (share.clamp(0.0, 1.0) * dots.saturating_sub(1) as f64).round() as usize
}

/// The next of 1, 2, 2.5, 5, 10 times a power of ten, not below `value`.
fn round_up(value: f64) -> f64 {
    if value <= 0.0 || !value.is_finite() {
        return 1.0;
    }
    let power = 10f64.powf(value.log10().floor());
    let steps = [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];
    let fits = |step: &&f64| **step * power >= value * 0.999_999;
    steps.iter().find(fits).map_or(value, |step| step * power)
}

impl Chart<'_> {
    fn values(&self) -> impl Iterator<Item = f64> {
        let within = |at: Timestamp| at >= self.from && at <= self.until;
        self.series
            .iter()
            .flat_map(|series| series.points)
            .filter(move |(at, value)| within(*at) && value.0.is_finite())
            .map(|(_, value)| value.0)
    }

    /// From zero, unless there are values below it; a threshold that is not far
    /// off is on it too.
    fn scale(&self) -> Option<Scale> {
        let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in self.values() {
            least = least.min(value);
            most = most.max(value);
        }
        if least > most {
            return None;
        }
        for (threshold, reach) in [(self.thresholds.warning, 8.0), (self.thresholds.critical, 3.0)]
        {
            if let Some(threshold) = threshold
                && threshold <= most * reach
            {
                most = most.max(threshold);
            }
        }
        if most <= 0.0 && least >= 0.0 {
            // Nothing but zeros: the scale is that of what would be too much.
            let wanted = self.thresholds.critical.or(self.thresholds.warning);
            most = wanted.filter(|wanted| *wanted > 0.0).map_or(most, |wanted| wanted * 2.0);
        }
        let bottom = if least < 0.0 { -round_up(-least) } else { 0.0 };
        let top = if most > 0.0 { round_up(most) } else { 0.0 };
        let ratio_cap = if self.unit == Unit::Ratio && most <= 1.0 { 1.0 } else { f64::INFINITY };
        let top = top.min(ratio_cap);
        Some(Scale { bottom, top: if top > bottom { top } else { bottom + 1.0 } })
    }

    /// Draws it; under four lines only its title with the last values.
    pub fn draw(&self, theme: &Theme, area: Rect, buf: &mut Buffer) {
        let Some(title) = text::line_of(area, 0) else { return };
        self.draw_title(theme, title, buf);
        if area.height < 4 || area.width < 16 {
            return;
        }
        let Some(scale) = self.scale() else {
            if let Some(line) = text::line_of(area, 1) {
                let parts = [(format!("  {}", self.empty).into(), theme.faint())];
                text::write(buf, line, parts, theme.glyphs.cut);
            }
            return;
        };
        let labels = [scale.top, f64::midpoint(scale.top, scale.bottom), scale.bottom]
            .map(|value| units::value(value, self.unit));
        let wide = labels.iter().map(|label| text::width(label)).max().unwrap_or(0);
        let left = u16::try_from(wide).unwrap_or(0).min(area.width / 3);
        let plot = Rect {
            x: area.x + left + 1,
            y: area.y + 1,
            width: area.width - left - 1,
            height: area.height - 3,
        };
        self.draw_axes(theme, area, plot, buf, &labels, left);
        // Data and thresholds are drawn over it.
        self.draw_moments(theme, plot, buf);
        self.draw_thresholds(theme, plot, buf, scale);
        self.draw_lines(theme, plot, buf, scale);
    }

    fn draw_title(&self, theme: &Theme, line: Rect, buf: &mut Buffer) {
        rule(theme, line, buf, self.title, self.focused);
        let used = u16::try_from(text::width(self.title)).unwrap_or(u16::MAX).saturating_add(1);
        if used >= line.width {
            return;
        }
        let aside = u16::try_from(text::width(self.aside)).unwrap_or(0);
        let aside = if aside > 0 { (aside + 1).min(line.width - used) } else { 0 };
        let place = Rect { x: line.x + used, width: line.width - used - aside, ..line };
        if aside > 0 {
            let end = Rect { x: line.right() - aside, width: aside, ..line };
            let parts = [(" ".into(), theme.faint()), (self.aside.into(), theme.key())];
            text::write(buf, end, parts, "");
        }
        let mut room = usize::from(place.width);
        let mut parts: Vec<(Cow<'_, str>, Style)> = Vec::new();
        for (i, series) in self.series.iter().enumerate() {
            let last = series.points.iter().rev().find(|(at, _)| *at <= self.until);
            let Some((at, value)) = last else { continue };
            let old = self.until.since(*at) > self.gap + LATE;
            let shown = if old { "-".into() } else { units::value(value.0, self.unit) };
            // Where lines are drawn in dots, their colours tell them apart.
            let marks = theme.glyphs.marks;
            let mark = if theme.glyphs.braille { "" } else { marks[i % marks.len()] };
            let told = format!("{mark}{} {shown}", series.name).trim_start().to_owned();
            // A value that is cut in two is another value: whole ones, or none.
            let wide = text::width(&told);
            if i > 0 && wide > room {
                break;
            }
            room = room.saturating_sub(wide + 1);
            parts.push((told.into(), theme.series(i)));
            parts.push((" ".into(), theme.faint()));
        }
        if !self.note.is_empty() {
            parts.push((self.note.into(), theme.stale()));
            parts.push((" ".into(), theme.faint()));
        }
        text::write(buf, place, parts, theme.glyphs.cut);
    }

    fn draw_axes(
        &self,
        theme: &Theme,
        area: Rect,
        plot: Rect,
        buf: &mut Buffer,
        labels: &[String; 3],
        left: u16,
    ) {
        let glyphs = theme.glyphs;
        for y in plot.top()..plot.bottom() {
            buf.set_stringn(plot.x - 1, y, glyphs.axis_vertical, 1, theme.axis());
        }
        buf.set_stringn(plot.x - 1, plot.bottom(), glyphs.axis_corner, 1, theme.axis());
        let line = glyphs.axis_horizontal.repeat(plot.width.into());
        buf.set_stringn(plot.x, plot.bottom(), line, plot.width.into(), theme.axis());
        let mut rows = vec![(plot.y, &labels[0]), (plot.bottom() - 1, &labels[2])];
        if plot.height >= 5 {
            rows.push((plot.y + (plot.height - 1) / 2, &labels[1]));
        }
        if plot.height < 2 {
            rows.truncate(1);
        }
        for (y, label) in rows {
            let shown = text::pad(label, left.into(), true, glyphs.cut);
            buf.set_stringn(area.x, y, shown, left.into(), theme.axis());
        }
        let clock = |at| text::clock(at, self.offset_min);
        let y = plot.bottom() + 1;
        let long = self.until.since(self.from) >= Duration::from_hours(48);
        let shown =
            |at| if long { text::moment(at, self.until, self.offset_min) } else { clock(at) };
        let begin = shown(self.from);
        let end = shown(self.until);
        buf.set_stringn(plot.x, y, &begin, plot.width.into(), theme.axis());
        let wide = u16::try_from(end.len()).unwrap_or(0);
        if plot.width > wide * 3 {
            buf.set_stringn(plot.right() - wide, y, &end, wide.into(), theme.axis());
        }
        let length = format!("{} to now", units::age(self.until.since(self.from)));
        let length_wide = u16::try_from(length.len()).unwrap_or(0);
        if plot.width > wide * 2 + length_wide + 4 {
            let x = plot.x + (plot.width - length_wide) / 2;
            buf.set_stringn(x, y, &length, length.len(), theme.axis());
        }
    }

    /// Lines from top to bottom, with their labels on the axis, where they hide
    /// nothing. Those whose labels would meet share one: the newest, and how
    /// many more there are.
    fn draw_moments(&self, theme: &Theme, plot: Rect, buf: &mut Buffer) {
        let glyphs = theme.glyphs;
        let style = theme.key();
        let span = self.until.since(self.from).as_secs_f64().max(0.001);
        let mut groups: Vec<(u16, usize, &str)> = Vec::new();
        let within = |of: &&Moment<'_>| of.at >= self.from && of.at <= self.until;
        for moment in self.moments.iter().filter(within) {
            let share = moment.at.since(self.from).as_secs_f64() / span;
            let x = plot.x + u16::try_from(dot(share, plot.width.into())).unwrap_or(0);
            for y in plot.top()..plot.bottom() {
                buf.set_stringn(x, y, glyphs.moment, 1, style);
            }
            buf.set_stringn(x, plot.bottom(), glyphs.moment_foot, 1, style);
            match groups.last_mut() {
                Some((last, many, label)) if crowded(x - *last, *many, label) => {
                    (*last, *many, *label) = (x, *many + 1, &moment.label);
                }
                _ => groups.push((x, 1, &moment.label)),
            }
        }
        let mut taken = plot.x;
        for (i, (x, many, label)) in groups.iter().enumerate() {
            let until = groups.get(i + 1).map_or(plot.right(), |next| next.0 - 1);
            let room = usize::from(until.saturating_sub(x + 1));
            let label = labelled(*many, label, glyphs.cut);
            let wide = text::width(&label);
            let before = usize::from(x.saturating_sub(taken));
            let (at, shown) = if wide > room && wide < before && i + 1 == groups.len() {
                (x - u16::try_from(wide).unwrap_or(0), wide)
            } else {
                (x + 1, room)
            };
            if shown < LEAST_LABEL.min(wide) {
                continue;
            }
            let label = text::cut(&label, shown, glyphs.cut);
            (taken, _) = buf.set_stringn(at, plot.bottom(), label, shown, style);
        }
    }

    fn draw_thresholds(&self, theme: &Theme, plot: Rect, buf: &mut Buffer, scale: Scale) {
        for (threshold, style) in [
            (self.thresholds.warning, theme.threshold_warning()),
            (self.thresholds.critical, theme.threshold_critical()),
        ] {
            let Some(threshold) = threshold else { continue };
            let share = scale.share(threshold);
            if (0.0..=1.0).contains(&share) {
                let y = plot.y + row(share, plot.height);
                let line = theme.glyphs.threshold.repeat(plot.width.into());
                buf.set_stringn(plot.x, y, line, plot.width.into(), style);
                let label = units::value(threshold, self.unit);
                buf.set_stringn(plot.x + 1, y, label, plot.width.saturating_sub(1).into(), style);
            }
        }
    }

    fn draw_lines(&self, theme: &Theme, plot: Rect, buf: &mut Buffer, scale: Scale) {
        let (across, down) = if theme.glyphs.braille { (2, 4) } else { (1, 1) };
        let mut dots = Dots::new(usize::from(plot.width) * across, usize::from(plot.height) * down);
        let span = self.until.since(self.from).as_secs_f64().max(0.001);
        // The first series is the most important: it is drawn last, over the others.
        for (i, series) in self.series.iter().enumerate().rev() {
            let mut before: Option<(Timestamp, (usize, usize))> = None;
            for (at, value) in series.points {
                if *at < self.from || *at > self.until || !value.0.is_finite() {
                    before = before.filter(|_| value.0.is_finite());
                    continue;
                }
                let x = dot(at.since(self.from).as_secs_f64() / span, dots.wide);
                let y = dot(1.0 - scale.share(value.0), dots.high);
                match before.filter(|(earlier, _)| at.since(*earlier) <= self.gap) {
                    Some((_, from)) => dots.line(from, (x, y), i),
                    None => dots.set(x, y, i),
                }
                before = Some((*at, (x, y)));
            }
        }
        for row in 0..plot.height {
            for column in 0..plot.width {
                let (symbol, series) = if theme.glyphs.braille {
                    braille(&dots, column.into(), row.into())
                } else {
                    let series = dots.get(column.into(), row.into());
                    let marks = &theme.glyphs.marks;
                    (series.map(|i| Cow::Borrowed(marks[i % marks.len()])), series)
                };
                if let (Some(symbol), Some(series)) = (symbol, series) {
                    let (x, y) = (plot.x + column, plot.y + row);
                    buf[(x, y)]
                        .set_symbol(&symbol)
                        .set_style(Style::reset().patch(theme.series(series)));
                }
            }
        }
    }
}

/// Whether a label that has so many columns until the next moment would say too little.
fn crowded(columns: u16, many: usize, label: &str) -> bool {
    let room = usize::from(columns).saturating_sub(2);
    room < LEAST_LABEL && room < text::width(&labelled(many, label, ""))
}

/// The label of so many moments, of which this is the newest.
fn labelled(many: usize, label: &str, mark: &str) -> String {
    let label = text::cut(label, LABEL, mark);
    if many > 1 { format!("{label} +{}", many - 1) } else { label.into_owned() }
}

fn row(share: f64, height: u16) -> u16 {
    u16::try_from(dot(1.0 - share, height.into())).unwrap_or(0)
}

/// The braille character of a cell (Unicode 15, "Braille Patterns": dots 1 to 8
/// are bits 0 to 7), and the most important series in it.
fn braille(dots: &Dots, column: usize, row: usize) -> (Option<Cow<'static, str>>, Option<usize>) {
    const BITS: [[u32; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
    let mut pattern = 0;
    let mut first: Option<usize> = None;
    for (y, bits) in BITS.iter().enumerate() {
        for (x, bit) in bits.iter().enumerate() {
            if let Some(series) = dots.get(column * 2 + x, row * 4 + y) {
                pattern |= bit;
                first = Some(first.map_or(series, |known| known.min(series)));
            }
        }
    }
    let symbol = char::from_u32(0x2800 + pattern).filter(|_| pattern > 0);
    (symbol.map(|symbol| symbol.to_string().into()), first)
}

#[cfg(test)]
mod tests {
    use super::super::glyphs::ASCII;
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1000)
    }

    fn drawn(series: &[Series<'_>], ascii: bool, height: u16) -> String {
        drawn_with(series, &[], ascii, height)
    }

    fn drawn_with(
        series: &[Series<'_>],
        moments: &[Moment<'_>],
        ascii: bool,
        height: u16,
    ) -> String {
        let mut theme = Theme::named("dark").unwrap();
        if ascii {
            theme = theme.with_glyphs(&ASCII);
        }
        let area = Rect::new(0, 0, 40, height);
        let mut buf = Buffer::empty(area);
        let chart = Chart {
            title: "5xx",
            note: "",
            aside: "",
            unit: Unit::Ratio,
            from: at(0),
            until: at(600),
            gap: Duration::from_secs(30),
            thresholds: Thresholds { below: false, warning: Some(0.01), critical: Some(0.05) },
            series,
            moments,
            empty: "no data in this range",
            offset_min: 0,
            focused: false,
        };
        chart.draw(&theme, area, &mut buf);
        let line = |y| (0..40).map(|x| buf[(x, y)].symbol().to_owned()).collect::<String>();
        (0..height).map(|y| line(y).trim_end().to_owned()).collect::<Vec<_>>().join("\n")
    }

    fn points() -> Vec<(Timestamp, Num)> {
        let value = |s: i64| if s < 300 { 0.004 } else { 0.06 };
        (0..=40)
            .map(|i| i * 15)
            .filter(|s| !(120..240).contains(s))
            .map(|s| (at(s), Num(value(s))))
            .collect()
    }

    #[test]
    fn a_line_with_a_gap_and_both_thresholds() {
        let points = points();
        let series = [Series { name: "api".into(), points: &points }];
        insta::assert_snapshot!(drawn(&series, false, 10));
        insta::assert_snapshot!(drawn(&series, true, 10));
    }

    #[test]
    fn releases_are_lines_with_labels_that_hide_no_data_and_share_where_they_are_crowded() {
        let points = points();
        let series = [Series { name: "api".into(), points: &points }];
        let moment = |s, label: &'static str| Moment { at: at(s), label: label.into() };
        let moments = [
            moment(-50, "before"),
            moment(60, "v140"),
            moment(280, "v141"),
            moment(300, "v142"),
            moment(320, "v143"),
            moment(595, "v144"),
        ];
        insta::assert_snapshot!(drawn_with(&series, &moments, false, 10));
        insta::assert_snapshot!(drawn_with(&series, &moments, true, 10));
        let long = [moment(500, "a-version-that-is-far-too-long-for-this")];
        for height in 0..12 {
            drawn_with(&series, &long, false, height);
        }
    }

    #[test]
    fn without_data_it_says_why() {
        assert!(drawn(&[], false, 10).contains("no data in this range"));
        let points = [(at(5), Num(f64::NAN))];
        let series = [Series { name: "x".into(), points: &points }];
        assert!(drawn(&series, false, 10).contains("no data in this range"));
    }

    #[test]
    fn no_size_and_no_value_is_too_odd_to_be_drawn() {
        let points = [(at(1), Num(f64::MAX)), (at(2), Num(-f64::MAX)), (at(3), Num(1e-300))];
        let series = [Series { name: "x".into(), points: &points }];
        for height in 0..12 {
            drawn(&series, false, height);
            drawn(&series, true, height);
        }
    }

    #[test]
    fn scales_end_at_round_numbers() {
        let ends = [0.0, 0.9, 1.0, 2.2, 7.0, 12.0].map(|value| round_up(value).to_string());
        assert_eq!(ends, ["1", "1", "1", "2.5", "8", "15"]);
    }
}
