//! A line chart with axes, units, threshold lines and visible gaps: in braille
//! dots, or in marks where only ASCII can be shown.

mod dots;
mod scale;

pub use scale::{Base, Scale};

use super::table::rule;
use super::text;
use super::theme::Theme;
use crate::domain::{Num, Thresholds, Timestamp, Unit, units};
use dots::{Dots, braille};
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
    /// Which of the theme's colours it has.
    pub slot: usize,
    /// A letter that tells it where colours do not; empty for none.
    pub letter: &'static str,
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
    /// Where its scale begins.
    pub base: Base,
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
    /// Whether its lines and their last values stand in its title.
    pub legend: bool,
    /// Whether it goes on with the time.
    pub live: bool,
    /// The present moment.
    pub now: Timestamp,
    /// Before this moment nothing was seen.
    pub unseen: Option<Timestamp>,
    /// The moment that is looked at.
    pub cursor: Option<Timestamp>,
}

/// An answer may be this late before its last value no longer counts as the present one.
const LATE: Duration = Duration::from_secs(10);

/// A moment's label is cut to so many columns.
const LABEL: usize = 14;
/// With less of it than this, a label that is cut off says nothing.
const LEAST_LABEL: usize = 8;

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share between 0 and 1 of a number of dots on a screen"
)]
fn dot(share: f64, dots: usize) -> usize {
    (share.clamp(0.0, 1.0) * dots.saturating_sub(1) as f64).round() as usize
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

    /// Its vertical scale in so many columns; none where nothing is drawn.
    pub fn scale(&self, width: u16) -> Option<Scale> {
        let of = |base| Scale::of(self.values(), base, self.unit, self.thresholds);
        let scale = of(self.base)?;
        // Bounds that are cut off would mislead.
        let wide = scale.labels(self.unit).iter().map(|label| text::width(label)).max();
        let fits = wide.unwrap_or(0) <= usize::from(width / 3);
        if fits || scale.has_zero() { Some(scale) } else { of(Base::Zero) }
    }

    /// Draws it; under four lines only its title with the last values.
    pub fn draw(&self, theme: &Theme, area: Rect, buf: &mut Buffer) {
        let Some(title) = text::line_of(area, 0) else { return };
        let scale = self.scale(area.width);
        let drawn = area.height >= 4 && area.width >= 16;
        // Who sees a line must know what its height means.
        let floats = drawn && scale.is_some_and(|scale| !scale.has_zero());
        self.draw_title(theme, title, buf, if floats { "scale not from 0" } else { "" });
        if !drawn {
            return;
        }
        let Some(scale) = scale else {
            if let Some(line) = text::line_of(area, 1) {
                let parts = [(format!("  {}", self.empty).into(), theme.faint())];
                text::write(buf, line, parts, theme.glyphs.cut);
            }
            return;
        };
        let labels = scale.labels(self.unit);
        let wide = labels.iter().map(|label| text::width(label)).max().unwrap_or(0);
        let left = u16::try_from(wide).unwrap_or(0).min(area.width / 3);
        let plot = Rect {
            x: area.x + left + 1,
            y: area.y + 1,
            width: area.width - left - 1,
            height: area.height - 3,
        };
        self.draw_axes(theme, area, plot, buf, &labels, left);
        self.draw_unseen(theme, plot, buf);
        // Data and thresholds are drawn over it.
        self.draw_moments(theme, plot, buf);
        self.draw_thresholds(theme, plot, buf, scale);
        self.draw_lines(theme, plot, buf, scale);
        self.draw_cursor(theme, plot, buf);
    }

    fn draw_title(&self, theme: &Theme, line: Rect, buf: &mut Buffer, scale: &'static str) {
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
        if !scale.is_empty() {
            let then = if self.legend || self.note.is_empty() { " " } else { ", " };
            room = room.saturating_sub(text::width(scale) + then.len());
            parts.extend([(scale.into(), theme.stale()), (then.into(), theme.stale())]);
        }
        for (i, series) in self.series.iter().enumerate().filter(|_| self.legend) {
            let last = series.points.iter().rev().find(|(at, _)| *at <= self.until);
            let Some((at, value)) = last else { continue };
            let old = self.until.since(*at) > self.gap + LATE;
            let shown = if old { "-".into() } else { units::value(value.0, self.unit) };
            // Where lines are drawn in dots, their colours tell them apart.
            let marks = theme.glyphs.marks;
            let mark = if theme.glyphs.braille { "" } else { marks[series.slot % marks.len()] };
            let told = format!("{mark}{} {shown}", series.name).trim_start().to_owned();
            // A value that is cut in two is another value: whole ones, or none.
            let wide = text::width(&told);
            if i > 0 && wide > room {
                break;
            }
            room = room.saturating_sub(wide + 1);
            parts.push((told.into(), theme.series(series.slot)));
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
        let y = plot.bottom() + 1;
        let long = self.until.since(self.from) >= Duration::from_hours(48);
        let shown = |at| match (long, self.live) {
            (true, _) => text::moment(at, self.until, self.offset_min),
            (false, true) => text::clock(at, self.offset_min),
            (false, false) => text::stamp(at, self.now, self.offset_min),
        };
        let begin = shown(self.from);
        let end = shown(self.until);
        buf.set_stringn(plot.x, y, &begin, plot.width.into(), theme.axis());
        let wide = u16::try_from(end.len()).unwrap_or(0);
        if plot.width > wide * 3 {
            buf.set_stringn(plot.right() - wide, y, &end, wide.into(), theme.axis());
        }
        let length = units::age(self.until.since(self.from));
        let length = if self.live { format!("{length} to now") } else { length };
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

    /// The column of a moment.
    fn column(&self, plot: Rect, at: Timestamp) -> u16 {
        let span = self.until.since(self.from).as_secs_f64().max(0.001);
        let share = at.since(self.from).as_secs_f64() / span;
        plot.x + u16::try_from(dot(share, plot.width.into())).unwrap_or(0)
    }

    /// The stretch of which nothing is known: it is no stretch of nothing.
    fn draw_unseen(&self, theme: &Theme, plot: Rect, buf: &mut Buffer) {
        let Some(unseen) = self.unseen.filter(|unseen| *unseen > self.from) else { return };
        let end = if unseen > self.until { plot.right() } else { self.column(plot, unseen) };
        for y in plot.top()..plot.bottom() {
            for x in (plot.x..end).filter(|x| (x + y) % 4 == 0) {
                buf.set_stringn(x, y, ".", 1, theme.faint());
            }
        }
        let at = text::stamp(unseen, self.now, self.offset_min);
        let words = format!(" not seen before {at} ");
        let (wide, room) = (words.len(), usize::from(end - plot.x));
        if wide <= room && plot.height > 0 {
            let x = plot.x + u16::try_from((room - wide) / 2).unwrap_or(0);
            buf.set_stringn(x, plot.y + plot.height / 2, words, wide, theme.faint());
        }
    }

    /// A line at the moment that is looked at, and the time under it.
    fn draw_cursor(&self, theme: &Theme, plot: Rect, buf: &mut Buffer) {
        let within = |at: &Timestamp| *at >= self.from && *at <= self.until;
        let Some(at) = self.cursor.filter(within) else { return };
        let x = self.column(plot, at);
        for y in plot.top()..plot.bottom() {
            let cell = &mut buf[(x, y)];
            if cell.symbol() == " " || cell.symbol() == "." {
                cell.set_symbol(theme.glyphs.axis_vertical).set_style(theme.key());
            }
        }
        buf.set_stringn(x, plot.bottom(), theme.glyphs.moment_foot, 1, theme.key());
        let clock = text::clock_s(at, self.offset_min);
        let wide = u16::try_from(clock.len()).unwrap_or(0);
        let x =
            x.saturating_sub(wide / 2).clamp(plot.x, plot.right().saturating_sub(wide).max(plot.x));
        let room = plot.right().saturating_sub(x).into();
        // What stands beside it must not look like a part of it.
        buf.set_stringn(x.saturating_sub(1).max(plot.x), plot.bottom() + 1, " ", 1, theme.axis());
        let (after, _) = buf.set_stringn(x, plot.bottom() + 1, &clock, room, theme.key());
        if after < plot.right() {
            buf.set_stringn(after, plot.bottom() + 1, " ", 1, theme.axis());
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
                    (series.map(|i| Cow::Borrowed(self.mark(theme, i))), series)
                };
                if let (Some(symbol), Some(series)) = (symbol, series) {
                    let (x, y) = (plot.x + column, plot.y + row);
                    buf[(x, y)]
                        .set_symbol(&symbol)
                        .set_style(Style::reset().patch(theme.series(self.slot(series))));
                }
            }
        }
        self.draw_letters(theme, plot, buf, scale);
    }

    fn slot(&self, series: usize) -> usize {
        self.series.get(series).map_or(series, |series| series.slot)
    }

    /// What a line is drawn with where there are no dots.
    fn mark(&self, theme: &Theme, series: usize) -> &'static str {
        let marks = &theme.glyphs.marks;
        match self.series.get(series) {
            Some(series) if !series.letter.is_empty() => series.letter,
            _ => marks[self.slot(series) % marks.len()],
        }
    }

    /// The letter of each line at its last point, as far as there is room.
    fn draw_letters(&self, theme: &Theme, plot: Rect, buf: &mut Buffer, scale: Scale) {
        let mut taken: Vec<(u16, u16)> = Vec::new();
        for series in self.series.iter().filter(|series| !series.letter.is_empty()) {
            let shown = |(at, value): &&(Timestamp, Num)| {
                *at >= self.from && *at <= self.until && value.0.is_finite()
            };
            let Some((at, value)) = series.points.iter().rev().find(shown) else { continue };
            let y = plot.y + row(scale.share(value.0), plot.height);
            let mut x = self.column(plot, *at);
            while taken.contains(&(x, y)) && x > plot.x {
                x -= 1;
            }
            if !taken.contains(&(x, y)) {
                taken.push((x, y));
                let style = Style::reset().patch(theme.series(series.slot));
                buf[(x, y)].set_symbol(series.letter).set_style(style);
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

#[cfg(test)]
mod tests;
