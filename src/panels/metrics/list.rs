//! The chart of an expression, and the list of its series, which is the chart's legend.

use super::digest::By;
use super::{DRAWN, Metrics};
use crate::domain::{Labels, Thresholds, Unit, harmless_within, units};
use crate::metrics::Data;
use crate::panels::{ActCx, ViewCx, cells};
use crate::store::Answer;
use crate::ui::chart::{Chart, Scale, Series};
use crate::ui::table::{Cell, Column, ColumnOf, Table};
use crate::ui::text;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::borrow::Cow;

/// What tells a drawn series in the list and in the chart, beside its colour.
pub(super) const LETTERS: [&str; DRAWN] =
    ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];

const LEGEND: [Column; 6] = [
    Column::new("", 1),
    Column::new("", 20).flexible(),
    Column::new("last", FIGURE).right(),
    Column::new("min", FIGURE).right().goes(2),
    Column::new("max", FIGURE).right().goes(1),
    Column::new("avg", FIGURE).right().goes(3),
];
const AT_CURSOR: [Column; 6] = [
    Column::new("", 1),
    Column::new("", 20).flexible(),
    Column::new("at cursor", FIGURE).right(),
    Column::new("last", FIGURE).right().goes(1),
    Column::new("min", FIGURE).right().goes(3),
    Column::new("max", FIGURE).right().goes(2),
];
const TABLE: [Column; 2] = [Column::new("", 20).flexible(), Column::new("value", 24).right()];

/// The columns of a figure, where it is short.
const FIGURE: u16 = 9;

const STOPPED: &str = "stopped before an answer came";

/// A figure in few columns; a dash where there is none.
fn figure(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), units::number)
}

impl Metrics {
    /// The slot in which a series is drawn.
    fn slot(&self, labels: &Labels) -> Option<usize> {
        self.slots.iter().position(|slot| slot.as_ref() == Some(labels))
    }

    /// The answer's place of each series that is drawn, by slot.
    fn drawn(&self) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        let count = self.slots.iter().flatten().count();
        for (labels, place) in self.rows.iter().zip(&self.places) {
            if found.len() == count {
                break;
            }
            found.extend(self.slot(labels).map(|slot| (slot, *place)));
        }
        // The first in the list lies over the others.
        found
    }

    pub(super) fn draw_chart(&self, cx: &ViewCx<'_>, area: Rect, buf: &mut Buffer) {
        if area.height == 0 {
            return;
        }
        let series = self.series();
        let mut notes = Vec::new();
        let (until, length) = (self.window.until(&cx.act), cx.act.range.length());
        if self.chart.answer().is_some_and(|answer| asked_for(answer) != (until, length)) {
            notes.push("asked, no answer yet".to_owned());
        }
        let chart = self.chart_of(&cx.act, &series);
        if let Some(unseen) = chart.unseen {
            let at = text::stamp(unseen, cx.act.now, cx.offset_min);
            notes.push(format!("not seen before {at}"));
        }
        if !chart.live {
            let at = text::stamp(until, cx.act.now, cx.offset_min);
            notes.push(format!("until {at}, 0 is live"));
        }
        Chart {
            title: &self.chart_title(),
            note: &notes.join(", "),
            empty: &self.empty_chart(cx),
            offset_min: cx.offset_min,
            ..chart
        }
        .draw(cx.theme, area, buf);
    }

    /// The series that are drawn.
    pub(super) fn series(&self) -> Vec<Series<'_>> {
        let of = |(slot, place): (usize, usize)| Series {
            name: Cow::Borrowed(LETTERS[slot % DRAWN]),
            points: self.chart.points(place),
            slot,
            letter: LETTERS[slot % DRAWN],
        };
        self.drawn().into_iter().map(of).collect()
    }

    /// The chart of these series, without words.
    pub(super) fn chart_of<'a>(&self, cx: &ActCx<'_>, series: &'a [Series<'a>]) -> Chart<'a> {
        let until = self.window.until(cx);
        let from = until - cx.range.length();
        Chart {
            title: "CHART",
            note: "",
            aside: "",
            unit: Unit::Number,
            from,
            until,
            gap: cx.range.step() * 3 / 2,
            thresholds: Thresholds::default(),
            base: self.base,
            series,
            moments: &[],
            empty: "",
            offset_min: 0,
            focused: false,
            legend: false,
            live: self.window.end.is_none(),
            now: cx.now,
            unseen: self.unseen_before().filter(|unseen| *unseen > from),
            cursor: self.window.at(cx),
        }
    }

    /// `CHART 13 to 24 of 340, highest by last value (> more)`
    fn chart_title(&self) -> String {
        let shown = self.shown();
        if shown <= DRAWN {
            return "CHART".into();
        }
        let first = self.group * DRAWN;
        let last = (first + DRAWN).min(shown);
        let by = self.by.in_list().words();
        format!("CHART {} to {last} of {shown}, {by} (> more)", first + 1)
    }

    /// Why nothing is drawn.
    fn empty_chart(&self, cx: &ViewCx<'_>) -> String {
        let Some(answer) = self.chart.answer() else {
            let stopped = self.is_stopped(&cx.act);
            let why = if stopped { STOPPED } else { "asked, no answer yet" };
            return why.into();
        };
        match &answer.outcome {
            Ok(Data::Matrix(lines)) if lines.is_empty() => "no data in this range".into(),
            Ok(Data::Matrix(_)) if self.slots.iter().all(Option::is_none) => {
                "all series are hidden: space shows one".into()
            }
            Ok(Data::Matrix(_)) => "no number to draw in this range: see the values below".into(),
            Ok(_) => "the answer has no lines to draw".into(),
            Err(error) => harmless_within(&error.message, cells::LONGEST),
        }
    }

    pub(super) fn draw_list(&self, cx: &ViewCx<'_>, area: Rect, buf: &mut Buffer) {
        let text_value = match self.now.answer().map(|answer| &answer.outcome) {
            Some(Ok(Data::Text(text))) => Some(format!("a text: {}", harmless_within(text, 200))),
            _ => None,
        };
        let cursor = self.window.at(&cx.act).filter(|_| !self.table);
        let series = self.series();
        // Figures are told apart where the scale tells them apart.
        let scale = self.chart_of(&cx.act, &series).scale(area.width);
        let wide = self.figures_wide(scale);
        let figures = |column: Column| {
            if column.right { Column { width: wide, ..column } } else { column }
        };
        let (legend, at_cursor) = (LEGEND.map(figures), AT_CURSOR.map(figures));
        let labelled = if self.table { self.label_columns(area.width) } else { Vec::new() };
        let columns: &[ColumnOf<'_>] = match (self.table, cursor) {
            (true, _) if !labelled.is_empty() => &labelled,
            (true, _) => &TABLE,
            (false, Some(_)) => &at_cursor,
            (false, None) => &legend,
        };
        let title = self.title(cx, area.width);
        let whole = self.whole_name(area, wide);
        let mut area = area;
        if let Some(whole) = whole {
            area.height -= 1;
            let line = Rect { y: area.bottom(), height: 1, ..area };
            let parts = [(format!("  {whole}").into(), cx.theme.faint())];
            text::write(buf, line, parts, cx.theme.glyphs.cut);
        }
        let table = Table {
            title: &title,
            columns,
            rows: self.rows.len(),
            from: self.rows.from(area.height.saturating_sub(1).into()),
            selected: self.rows.at(),
            focused: cx.focused,
            empty: match (&text_value, self.listed().answer()) {
                (Some(text), _) => text,
                (None, None) if self.is_stopped(&cx.act) => STOPPED,
                (None, None) => "asked, no answer yet",
                (None, Some(_)) if !cx.act.filter.is_empty() => "no series holds the filter's text",
                (None, Some(_)) if self.table => "no series: nothing has these labels now",
                (None, Some(_)) => "no series: nothing had these labels in this range",
            },
        };
        table.draw(cx.theme, area, buf, |i| {
            let (Some(labels), Some(place)) = (self.rows.get(i), self.places.get(i)) else {
                return Vec::new();
            };
            if self.table {
                let value = self.now.figures(*place).last;
                // As exact as it is: this is the place to copy it from.
                let value = value.map_or_else(|| "-".into(), exact);
                let value = Cell::new(value, cx.theme.strong());
                if !labelled.is_empty() {
                    let of = |(name, _): &(std::sync::Arc<str>, usize)| {
                        let text = labels.get(name).unwrap_or("");
                        Cell::new(harmless_within(text, cells::LONGEST), cx.theme.text())
                    };
                    let mut row: Vec<_> = self.now.columns().iter().map(of).collect();
                    row.push(value);
                    return row;
                }
                let room = usize::from(area.width).saturating_sub(27);
                let name = self.now.name_within(*place, room, cx.theme.glyphs.cut);
                let name = harmless_within(&name, cells::LONGEST);
                return vec![Cell::new(name, cx.theme.text()), value];
            }
            self.legend_row(cx, labels, *place, (cursor, scale, wide, area.width))
        });
    }

    /// The columns that the figures of what is drawn need.
    fn figures_wide(&self, scale: Option<Scale>) -> u16 {
        let Some(scale) = scale.filter(|scale| !scale.has_zero()) else { return FIGURE };
        let drawn = self.drawn().into_iter().map(|(_, place)| self.chart.figures(place));
        let figures = drawn.flat_map(|of| [of.last, of.min, of.max, of.mean]).flatten();
        let wide = figures.map(|value| scale.figure(value, Unit::Number).len()).max();
        u16::try_from(wide.unwrap_or(0)).unwrap_or(FIGURE).clamp(FIGURE, 14)
    }

    /// A column for each label that differs, where there is room for all of them.
    fn label_columns(&self, width: u16) -> Vec<ColumnOf<'_>> {
        let value = TABLE[1];
        let columns = self.now.columns();
        let wide: usize = columns.iter().map(|(_, wide)| wide + 1).sum();
        let room = usize::from(width.saturating_sub(value.width + 2));
        if columns.is_empty() || wide > room || !columns.iter().all(|(name, _)| is_plain(name)) {
            return Vec::new();
        }
        let named = columns
            .iter()
            .map(|(name, wide)| ColumnOf::new(name, u16::try_from(*wide).unwrap_or(1)).flexible());
        named.chain([value]).collect()
    }

    /// All labels of the selected series, where the list has no room for them.
    fn whole_name(&self, area: Rect, wide: u16) -> Option<String> {
        const ROOM_FOR_IT: u16 = 5;
        let place = *self.places.get(self.rows.at()?)?;
        let listed = self.listed();
        let figures = if self.table { 27 } else { 4 + 4 * (usize::from(wide) + 1) };
        let room = usize::from(area.width).saturating_sub(figures);
        let long = text::width(&listed.name(place)) > room || !listed.common().is_empty();
        let whole = || harmless_within(&listed.labels(place).to_string(), cells::LONGEST);
        (long && area.height >= ROOM_FOR_IT).then(whole)
    }

    fn legend_row(
        &self,
        cx: &ViewCx<'_>,
        labels: &Labels,
        place: usize,
        (cursor, scale, wide, width): (Option<crate::domain::Timestamp>, Option<Scale>, u16, u16),
    ) -> Vec<Cell<'static>> {
        let theme = cx.theme;
        let slot = self.slot(labels);
        let style = slot.map_or(theme.faint(), |slot| theme.series(slot));
        let off = self.hidden.contains(labels) && self.only.is_none();
        let letter = match slot {
            Some(slot) => LETTERS[slot % DRAWN],
            None if off => "-",
            None => "",
        };
        let room = usize::from(width).saturating_sub(4 + 4 * (usize::from(wide) + 1));
        let name = self.chart.name_within(place, room, theme.glyphs.cut);
        let name = harmless_within(&name, cells::LONGEST);
        let figures = self.chart.figures(place);
        let value = if slot.is_some() { theme.strong() } else { theme.faint() };
        let figure = |of: Option<f64>| match (of, scale) {
            (Some(value), Some(scale)) => {
                let exact = scale.figure(value, Unit::Number);
                // Of what has no room the short form stands there.
                if exact.len() <= wide.into() { exact } else { units::number(value) }
            }
            (value, _) => figure(value),
        };
        let faint = |of| Cell::new(figure(of), theme.faint());
        let mut row = vec![Cell::new(letter, style), Cell::new(name, style)];
        if let Some(at) = cursor {
            row.push(Cell::new(figure(self.chart.value_at(place, at)), value));
            row.extend([figures.last, figures.min, figures.max].map(faint));
        } else {
            row.push(Cell::new(figure(figures.last), value));
            row.extend([figures.min, figures.max, figures.mean].map(faint));
        }
        row
    }

    /// `SERIES 340, lowest by last value, all x{job="api"}`.
    fn title(&self, cx: &ViewCx<'_>, width: u16) -> String {
        let listed = self.listed();
        let (rows, all) = (self.rows.len(), listed.len());
        let name = if self.table { "VALUES" } else { "SERIES" };
        let count =
            if rows == all { format!("{name} {all}") } else { format!("{name} {rows} of {all}") };
        let at = self.window.at(&cx.act).filter(|_| !self.table);
        let at = at.map(|at| format!(" at {}", text::clock_s(at, cx.offset_min)));
        let title = format!("{count}{}{}", at.unwrap_or_default(), self.order(rows));
        let common = listed.common();
        let room = usize::from(width).saturating_sub(text::width(&title) + 66);
        if common.is_empty() || text::width(&common) > room {
            return title;
        }
        format!("{title}, all {}", harmless_within(&common, room))
    }

    /// What stands first, where it is not what usually does.
    fn order(&self, rows: usize) -> String {
        let listed = self.listed();
        let by = self.by.in_list();
        if self.table && rows > 1 {
            match self.by.in_table(listed.columns().len()) {
                By::Lowest => ", lowest first".to_owned(),
                By::Name => ", by name".to_owned(),
                By::Label(at) => {
                    let name = listed.columns().get(at).map_or("", |(name, _)| name);
                    format!(", by {}", harmless_within(name, 30))
                }
                _ => ", highest first".to_owned(),
            }
        } else if self.table {
            String::new()
        } else if self.only.is_some() {
            ", one drawn: enter shows all".to_owned()
        } else if rows > 1 && by != By::Last {
            format!(", {}", by.words())
        } else {
            String::new()
        }
    }
}

/// Whether a label's name is harmless as it is.
fn is_plain(name: &str) -> bool {
    *crate::domain::harmless(name) == *name
}

/// A value with all its digits, where they fit.
fn exact(value: f64) -> String {
    let plain = crate::domain::Num(value).to_string();
    if plain.len() <= 22 { plain } else { format!("{value:e}") }
}

/// The moment and the length that an answer is about.
fn asked_for(answer: &Answer) -> (crate::domain::Timestamp, std::time::Duration) {
    let length = answer.ask.range.map_or_else(Default::default, |range| range.length);
    (answer.ask.at, length)
}
