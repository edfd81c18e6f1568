//! Unresolved issues of error trackers: what is new, came back or grows first.

use super::{ActCx, Chosen, Kind, Panel, Rows, ViewCx, cells};
use crate::domain::{
    Issue, IssuesReading, Level, Mark, Reading, SourceId, SourceInfo, Status, Trend,
    harmless_within, units,
};
use crate::store::{Action, Effect};
use crate::ui::layout::Need;
use crate::ui::sparkline::heights;
use crate::ui::table::{Cell, Column, Table, fit};
use crate::ui::{Scope, Theme, text};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use std::collections::BTreeMap;

/// As the registry knows it.
pub const KIND: Kind =
    Kind { name: "issues", filtered: true, build: || Box::new(Issues::default()) };

/// A row: a source that tells nothing new, or an issue.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Row {
    Trouble(SourceId),
    Issue(SourceId, String),
}

#[derive(Debug, Default)]
struct Issues {
    rows: Rows<Row>,
    /// Where each row's issue stood in its reading when the rows were taken in.
    places: Vec<usize>,
    all: usize,
    more: bool,
}

/// Which column shows the last day.
const DAY: usize = 7;
const COLUMNS: [Column; 11] = [
    Column::new("", 1),
    Column::new("", 10),
    Column::new("level", 5),
    Column::new("service", 9).sharing(1),
    Column::new("issue", 26).sharing(5),
    Column::new("events", 7).right(),
    Column::new("users", 6).right().goes(1),
    Column::new("last 24 h", 12).goes(3),
    Column::new("first", 6).right().goes(4),
    Column::new("last", 6).right(),
    Column::new("release", 10).goes(2),
];

/// What a source of issues last brought.
pub(super) fn reading<'a>(cx: &ActCx<'a>, id: &SourceId) -> Option<&'a IssuesReading> {
    match &cx.known.sources.get(id)?.reading {
        Some(Reading::Issues(reading)) => Some(reading),
        _ => None,
    }
}

/// The issue that is chosen, and who tells of it.
pub(super) fn chosen<'a>(cx: &ActCx<'a>) -> Option<(&'a SourceInfo, &'a Issue)> {
    let Some(Chosen::Issue { source, id }) = cx.subject else { return None };
    Some((cx.index.source(source)?, cx.known.issue(source, id)?))
}

/// Why a source of issues tells nothing new, where that is so.
pub(super) fn trouble(cx: &ActCx<'_>, source: &SourceInfo) -> Option<String> {
    let state = cx.known.sources.get(&source.id)?;
    let age = |at| text::age_in_steps(cx.now.since(at));
    let data = state.answered.map_or_else(String::new, |at| format!("; data is {} old", age(at)));
    if state.standing.mark == Some(Mark::Offline) {
        return Some(format!("{}{data}", state.standing.reason));
    }
    if let Some((since, error)) = &state.failing {
        let why = harmless_within(&error.message, cells::LONGEST);
        return Some(format!("{why} (for {}){data}", age(*since)));
    }
    match state.answered {
        None => Some("nothing has answered yet".into()),
        Some(at) if state.is_stale(cx.now, source.every) => {
            Some(format!("STALE: no answer for {}", age(at)))
        }
        Some(_) => None,
    }
}

/// Whose issue it is: the service, or the project where the config names none for it.
pub(super) fn whose(issue: &Issue) -> &str {
    issue.service.as_ref().map_or(issue.project.as_str(), |service| service.as_str())
}

/// Glyph and style of a trend.
pub(super) fn trend_look(theme: &Theme, trend: Trend) -> (&'static str, Style) {
    match trend {
        Trend::Ongoing => (" ", theme.faint()),
        _ => (theme.glyphs.status(Status::Warning), theme.status(Status::Warning)),
    }
}

/// The word of a level, in five columns.
pub(super) fn level_word(level: Level) -> &'static str {
    match level {
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warning => "warn",
        Level::Error => "error",
        Level::Fatal => "fatal",
    }
}

/// A count in few columns.
#[expect(clippy::cast_precision_loss, reason = "three digits of it are shown")]
pub(super) fn count(of: u64) -> String {
    units::number(of as f64)
}

/// Events an hour as numbers to draw.
pub(super) fn hours(issue: &Issue) -> Vec<Option<f64>> {
    issue.hours.iter().map(|events| Some(f64::from(*events))).collect()
}

/// As it is copied: what people call it, and where it is read.
pub(super) fn copied(issue: &Issue) -> String {
    let link = issue.link.as_deref().unwrap_or_default();
    let named = if issue.short.is_empty() { &issue.title } else { &issue.short };
    format!("{named} {link}").trim().to_owned()
}

fn passes(filter: &str, issue: &Issue) -> bool {
    let text = |of: &'_ Option<String>| of.clone().unwrap_or_default();
    filter.is_empty()
        || cells::passes(
            filter,
            [
                issue.title.as_str(),
                &issue.culprit,
                &issue.short,
                &issue.project,
                whose(issue),
                level_word(issue.level),
                issue.trend.word(),
                &text(&issue.last_release),
                &text(&issue.environment),
            ],
        )
}

impl Panel for Issues {
    fn scope(&self) -> Scope {
        Scope::Rows
    }

    fn need(&self, _: &ActCx<'_>) -> Need {
        self.rows.need(8, 0)
    }

    fn refresh(&mut self, cx: &ActCx<'_>) {
        if !cx.changed && !self.rows.is_empty() {
            return;
        }
        let (mut list, mut places) = (Vec::new(), Vec::new());
        for source in cx.index.trackers().filter(|source| trouble(cx, source).is_some()) {
            list.push(Row::Trouble(source.id.clone()));
            places.push(0);
        }
        let mut by_id = BTreeMap::new();
        self.more = false;
        for source in cx.index.trackers() {
            let Some(reading) = reading(cx, &source.id) else { continue };
            self.more |= reading.more;
            let known = reading.issues.iter().enumerate();
            by_id.extend(known.map(|(place, issue)| ((&source.id, &issue.id), place)));
        }
        let issues = cx.known.issues();
        self.all = issues.len();
        for (source, issue) in issues.into_iter().filter(|(_, issue)| passes(cx.filter, issue)) {
            list.push(Row::Issue(source.id.clone(), issue.id.clone()));
            places.push(by_id.get(&(&source.id, &issue.id)).copied().unwrap_or(0));
        }
        self.places = places;
        let filtered = !cx.filter.is_empty();
        self.rows.set(list, |row| match row {
            Row::Trouble(_) => false,
            Row::Issue(source, id) => filtered && cx.known.issue(source, id).is_some(),
        });
    }

    fn act(&mut self, action: Action, cx: &ActCx<'_>) -> Option<Vec<Effect>> {
        let height = cx.area.height.saturating_sub(1);
        self.rows.act(action, height.into()).then(Vec::new)
    }

    fn chosen(&self, _: &ActCx<'_>) -> Option<Chosen> {
        self.rows.selected().map(|row| match row {
            Row::Trouble(source) => Chosen::Source(source.clone()),
            Row::Issue(source, id) => Chosen::Issue { source: source.clone(), id: id.clone() },
        })
    }

    fn choose(&mut self, wanted: &Chosen) {
        if let Chosen::Issue { source, id } = wanted {
            self.rows.choose(&Row::Issue(source.clone(), id.clone()));
        }
    }

    fn copied(&self, cx: &ActCx<'_>) -> Option<String> {
        match self.rows.selected()? {
            Row::Trouble(source) => cx.index.source(source).map(|source| source.asks.clone()),
            Row::Issue(source, id) => cx.known.issue(source, id).map(copied),
        }
    }

    fn view(&self, cx: &ViewCx<'_>, area: Rect, buf: &mut Buffer) -> Option<Position> {
        let shown = self.rows.iter().filter(|row| matches!(row, Row::Issue(..))).count();
        let more = if self.more { "+" } else { "" };
        let mut title = if shown == self.all {
            format!("ISSUES {shown}{more}")
        } else {
            format!("ISSUES {shown} of {}{more}", self.all)
        };
        // The age of what is listed; sources in trouble have their own rows.
        let answered = cx.act.index.trackers().filter_map(|source| {
            let answered = cx.act.known.sources.get(&source.id)?.answered?;
            trouble(&cx.act, source).is_none().then_some((source, answered))
        });
        for (source, answered) in answered.take(2) {
            let age = text::age_in_steps(cx.act.now.since(answered));
            title = format!("{title}, {} {age}", harmless_within(&source.label, 20));
        }
        let places = fit(&COLUMNS, area.width);
        let day = places[DAY].map_or(0, |(_, width)| usize::from(width));
        let table = Table {
            title: &title,
            columns: &COLUMNS,
            rows: self.rows.len(),
            from: self.rows.from(area.height.saturating_sub(1).into()),
            selected: self.rows.at(),
            focused: cx.focused,
            empty: if self.all == 0 {
                "no unresolved issues"
            } else {
                "no issue holds the filter's text"
            },
        };
        table.draw(cx.theme, area, buf, |i| match self.rows.get(i) {
            Some(Row::Trouble(source)) => trouble_row(cx, source),
            Some(Row::Issue(source, id)) => {
                let issues = reading(&cx.act, source).map_or(&[][..], |of| &of.issues);
                let there = self.places.get(i).and_then(|place| issues.get(*place));
                let there = there.filter(|issue| issue.id == *id);
                let issue = there.or_else(|| cx.act.known.issue(source, id));
                issue.map_or_else(Vec::new, |issue| row(cx, issue, day))
            }
            None => Vec::new(),
        });
        None
    }
}

fn trouble_row(cx: &ViewCx<'_>, id: &SourceId) -> Vec<Cell<'static>> {
    let Some(source) = cx.act.index.source(id) else { return Vec::new() };
    let state = cx.act.known.sources.get(id);
    let [glyph, word] = match state {
        Some(state) if state.failing.is_none() => cells::standing(cx, &state.standing),
        _ => cells::status(cx, Status::Unknown),
    };
    let why = trouble(&cx.act, source).unwrap_or_default();
    vec![
        glyph,
        word,
        Cell::default(),
        Cell::new(harmless_within(&source.label, 100), cx.theme.strong()),
        Cell::new(why, cx.theme.text()).over(6),
    ]
}

fn row(cx: &ViewCx<'_>, issue: &Issue, day: usize) -> Vec<Cell<'static>> {
    let theme = cx.theme;
    let (glyph, style) = trend_look(theme, issue.trend);
    let level = match issue.level {
        Level::Fatal => theme.status(Status::Critical),
        Level::Error => theme.text(),
        _ => theme.faint(),
    };
    let values = hours(issue);
    let drawn = heights(&in_cells(&values, day), day, theme.glyphs);
    let age = |at| text::age_in_steps(cx.act.now.since(at));
    let users = issue.users.map_or_else(|| "-".into(), count);
    let release = issue.last_release.as_deref().unwrap_or_default();
    vec![
        Cell::new(glyph, style),
        Cell::new(issue.trend.word(), style),
        Cell::new(level_word(issue.level), level),
        Cell::new(harmless_within(whose(issue), 100), theme.strong()),
        Cell::new(harmless_within(&issue.title, cells::LONGEST), theme.text()),
        Cell::new(count(issue.events), theme.text()),
        Cell::new(users, theme.text()),
        Cell::new(drawn, theme.series(0)),
        Cell::new(age(issue.first), theme.faint()),
        Cell::new(age(issue.last), theme.faint()),
        Cell::new(harmless_within(release, 100), theme.faint()),
    ]
}

/// The sums of as many neighbours as it takes for all to fit into `cells`.
fn in_cells(values: &[Option<f64>], cells: usize) -> Vec<Option<f64>> {
    if cells == 0 {
        return Vec::new();
    }
    let each = values.len().div_ceil(cells).max(1);
    let sum = |part: &[Option<f64>]| part.iter().flatten().copied().reduce(|a, b| a + b);
    // The newest cell is a whole one.
    let rest = values.len() % each;
    let (first, whole) = values.split_at(rest);
    let first = (rest > 0).then(|| sum(first));
    first.into_iter().chain(whole.chunks(each).map(sum)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_share_cells_from_the_newest_on() {
        let values: Vec<Option<f64>> = (0..5).map(|hour| Some(f64::from(hour))).collect();
        assert_eq!(in_cells(&values, 3), [Some(0.0), Some(3.0), Some(7.0)]);
        assert_eq!(in_cells(&values, 9), values);
        assert!(in_cells(&values, 0).is_empty() && in_cells(&[], 4).is_empty());
    }

    #[test]
    fn an_issue_is_copied_with_its_link() {
        let mut issue =
            Issue { short: "SHOP-12".into(), title: "TypeError".into(), ..Issue::default() };
        assert_eq!(copied(&issue), "SHOP-12");
        issue.link = Some("https://sentry.example/12".into());
        assert_eq!(copied(&issue), "SHOP-12 https://sentry.example/12");
    }
}
