//! Issues in a line or a few: what is new in each service, and sources that tell nothing.

use super::{ActCx, Chosen, Kind, Panel, Rows, ViewCx, issues};
use crate::domain::{
    Issue, IssuesReading, ServiceName, SourceId, SourceInfo, Status, Trend, harmless_within,
};
use crate::store::{Action, Effect};
use crate::ui::Scope;
use crate::ui::layout::Need;
use crate::ui::text;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// On the overview.
pub const KIND: Kind =
    Kind { name: "issue-lines", filtered: false, build: || Box::new(Lines::default()) };

/// On the page of a service: its own.
pub const OF_SERVICE: Kind = Kind {
    name: "service-issues",
    filtered: false,
    build: || Box::new(Lines { of_service: true, ..Lines::default() }),
};

/// More lines than this are on the page of issues only.
const MOST: u16 = 4;
/// So many on the page of a service, where the screen is a small one.
const FEW: u16 = 2;
/// Charts and a line each for issues and backups need so many.
const CHARTS: usize = 8;
const SMALL: u16 = 30;
/// Columns of the first word, and of the age at the end.
pub(super) const WORD: usize = 9;
pub(super) const AGE: u16 = 8;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Line {
    /// A source that tells nothing new.
    Trouble(SourceId),
    /// What is new in a service or project: its issue that matters most, and how many.
    News { source: SourceId, top: String, told: String },
    /// One issue.
    One { source: SourceId, id: String },
    /// Nothing is new at this source.
    Quiet(SourceId),
}

#[derive(Debug, Default)]
struct Lines {
    of_service: bool,
    rows: Rows<Line>,
    configured: bool,
    wrong: bool,
}

fn service<'a>(cx: &ActCx<'a>) -> Option<&'a ServiceName> {
    match cx.subject {
        Some(Chosen::Service(name)) => Some(name),
        _ => None,
    }
}

/// One line for each service or project that has something new, in the order
/// of the issues.
fn news(cx: &ActCx<'_>) -> Vec<Line> {
    let mut seen = BTreeSet::new();
    let mut lines = Vec::new();
    let all = cx.known.issues();
    for (source, issue) in &all {
        let group = (&source.id, issues::whose(issue));
        let same = |other: &&(&SourceInfo, &Issue)| {
            other.0.id == source.id && issues::whose(other.1) == group.1
        };
        if !seen.insert(group) {
            continue;
        }
        let Some(service) = &issue.service else {
            let of_group = all.iter().filter(same).map(|(_, issue)| issue.trend);
            let told = words(of_group);
            if !told.is_empty() {
                lines.push(Line::News { source: source.id.clone(), top: issue.id.clone(), told });
            }
            continue;
        };
        let Some(of) = cx.known.issues_of(service) else { continue };
        if of.new + of.regressed + of.escalating == 0 {
            continue;
        }
        let release = |issue: &Issue| {
            of.release.is_some_and(|new| issue.first_release.as_deref() == Some(new))
        };
        let is_news =
            |(_, issue): &&(&SourceInfo, &Issue)| issue.trend != Trend::Ongoing || release(issue);
        let top = all.iter().filter(same).find(is_news).map_or(*issue, |(_, top)| top);
        lines.push(Line::News { source: source.id.clone(), top: top.id.clone(), told: of.words() });
    }
    lines
}

/// `2 new, 1 regressed`
fn words(trends: impl Iterator<Item = Trend>) -> String {
    let mut counts: BTreeMap<Trend, usize> = BTreeMap::new();
    for trend in trends.filter(|trend| *trend != Trend::Ongoing) {
        *counts.entry(trend).or_default() += 1;
    }
    let told = counts.into_iter().map(|(trend, count)| format!("{count} {}", trend.word()));
    told.collect::<Vec<_>>().join(", ")
}

/// How many lines there is room for, beside what matters more: one at least.
pub(super) fn room(cx: &ActCx<'_>, of_service: bool) -> u16 {
    if of_service {
        return if cx.area.height < SMALL { FEW } else { MOST };
    }
    let known = cx.known;
    let hosts: usize = known.hosts.values().map(|hosts| hosts.len().max(1)).sum();
    let rows = known.alerts.len().max(1) + known.services.len().max(1) + hosts;
    let titles = 2 + usize::from(hosts > 0);
    let spare = usize::from(cx.area.height).saturating_sub(rows + titles);
    // What is too little for charts is for lines.
    let parts = if spare < CHARTS { 2 } else { 3 };
    u16::try_from(spare / parts).unwrap_or(MOST).clamp(1, MOST)
}

/// The issues of a service that matter most.
fn of_service(cx: &ActCx<'_>, name: &ServiceName) -> Vec<Line> {
    let all = cx.known.issues().into_iter();
    let own = all.filter(|(_, issue)| issue.service.as_ref() == Some(name));
    own.take(MOST.into())
        .map(|(source, issue)| Line::One { source: source.id.clone(), id: issue.id.clone() })
        .collect()
}

impl Lines {
    fn lines(&self, cx: &ActCx<'_>) -> Vec<Line> {
        let troubled = |source: &&SourceInfo| issues::trouble(cx, source).is_some();
        let trouble = cx.index.trackers().filter(troubled);
        let trouble = trouble.map(|source| Line::Trouble(source.id.clone()));
        if self.of_service {
            let Some(name) = service(cx) else { return Vec::new() };
            let own = of_service(cx, name);
            let projects = cx.index.service(name).is_some_and(|of| !of.projects.is_empty());
            // That nothing is told matters where something would be.
            return match (own.is_empty(), projects) {
                (true, false) => Vec::new(),
                _ => trouble.chain(own).collect(),
            };
        }
        let mut lines: Vec<Line> = trouble.chain(news(cx)).collect();
        let quiet = cx.index.trackers().filter(|source| {
            let told = lines.iter().any(|line| match line {
                Line::Trouble(id) | Line::News { source: id, .. } => *id == source.id,
                Line::One { .. } | Line::Quiet(_) => false,
            });
            !told
        });
        let quiet: Vec<Line> = quiet.map(|source| Line::Quiet(source.id.clone())).collect();
        lines.extend(quiet);
        lines
    }
}

impl Panel for Lines {
    fn scope(&self) -> Scope {
        Scope::Rows
    }

    fn need(&self, cx: &ActCx<'_>) -> Need {
        if !self.configured || self.rows.is_empty() {
            return Need { least: 0, most: 0, order: 3 };
        }
        let lines = u16::try_from(self.rows.len()).unwrap_or(u16::MAX);
        let most = room(cx, self.of_service);
        // What is wrong keeps its line on the smallest screen.
        Need { least: 1, most: lines.min(most), order: if self.wrong { 0 } else { 3 } }
    }

    fn refresh(&mut self, cx: &ActCx<'_>) {
        if !cx.changed && self.configured {
            return;
        }
        self.configured = cx.index.trackers().next().is_some();
        if !self.configured {
            return;
        }
        let lines = self.lines(cx);
        self.wrong = lines.iter().any(|line| match line {
            Line::Trouble(_) | Line::News { .. } => true,
            Line::One { .. } | Line::Quiet(_) => false,
        });
        self.rows.set(lines, |_| false);
    }

    fn act(&mut self, action: Action, cx: &ActCx<'_>) -> Option<Vec<Effect>> {
        self.rows.act(action, cx.area.height.into()).then(Vec::new)
    }

    fn chosen(&self, cx: &ActCx<'_>) -> Option<Chosen> {
        match self.rows.selected()? {
            Line::Trouble(id) => Some(Chosen::Source(id.clone())),
            Line::News { source, top: id, .. } | Line::One { source, id } => {
                Some(Chosen::Issue { source: source.clone(), id: id.clone() })
            }
            Line::Quiet(source) => {
                let first = issues::reading(cx, source).and_then(|of| of.issues.first());
                Some(match first {
                    Some(issue) => Chosen::Issue { source: source.clone(), id: issue.id.clone() },
                    None => Chosen::Source(source.clone()),
                })
            }
        }
    }

    fn copied(&self, cx: &ActCx<'_>) -> Option<String> {
        match self.chosen(cx)? {
            Chosen::Issue { source, id } => cx.known.issue(&source, &id).map(issues::copied),
            _ => None,
        }
    }

    fn view(&self, cx: &ViewCx<'_>, area: Rect, buf: &mut Buffer) -> Option<Position> {
        // Who does not move in it sees what matters most.
        let from = if cx.focused { self.rows.from(area.height.into()) } else { 0 };
        let hidden = self.rows.len().saturating_sub(from + usize::from(area.height));
        for at in 0..usize::from(area.height) {
            let (Some(place), Some(line)) = (text::line_of(area, at), self.rows.get(from + at))
            else {
                break;
            };
            let more = if at + 1 == usize::from(area.height) { hidden } else { 0 };
            let selected = cx.focused && self.rows.at() == Some(from + at);
            draw_line(cx, place, buf, line, more, selected);
        }
        None
    }
}

/// A line as all of them are: a word, what it tells, an age at its end.
pub(super) fn write_line<'a>(
    cx: &ViewCx<'_>,
    line: Rect,
    buf: &mut Buffer,
    (word, age): (&str, &str),
    parts: impl IntoIterator<Item = (Cow<'a, str>, Style)>,
    selected: bool,
) {
    let theme = cx.theme;
    let style = if cx.focused { theme.title_focused() } else { theme.title() };
    let pointer = if selected { theme.glyphs.pointer } else { " " };
    let head = [
        (Cow::from(text::pad(word, WORD, false, theme.glyphs.cut)), style),
        (pointer.into(), theme.strong()),
    ];
    let room = Rect { width: line.width.saturating_sub(AGE), ..line };
    let all = head.into_iter().chain(parts);
    text::write(buf, room, all, theme.glyphs.cut);
    let end = Rect { x: line.right().saturating_sub(AGE), width: AGE.min(line.width), ..line };
    let age = text::pad(age, usize::from(end.width), true, "");
    text::write(buf, end, [(age.into(), theme.faint())], "");
    if selected {
        crate::ui::table::select(theme, line, buf);
    }
}

/// `SENTRY`, as the source calls itself.
fn word(cx: &ViewCx<'_>, source: &SourceId) -> String {
    let server = issues::reading(&cx.act, source).and_then(|of| of.server.split(' ').next());
    let label = cx.act.index.source(source).map_or("", |source| source.label.as_str());
    let name = server.filter(|name| !name.is_empty()).unwrap_or(label);
    harmless_within(name, 20).to_uppercase()
}

fn draw_line(
    cx: &ViewCx<'_>,
    place: Rect,
    buf: &mut Buffer,
    line: &Line,
    more: usize,
    selected: bool,
) {
    let theme = cx.theme;
    let (Line::Trouble(id)
    | Line::News { source: id, .. }
    | Line::One { source: id, .. }
    | Line::Quiet(id)) = line;
    let Some(source) = cx.act.index.source(id) else { return };
    let answered = cx.act.known.sources.get(id).and_then(|state| state.answered);
    let age = |at| text::age_in_steps(cx.act.now.since(at));
    let read = answered.map_or_else(|| "-".into(), age);
    let room = usize::from(place.width.saturating_sub(AGE)).saturating_sub(WORD + 1);
    let more = if more > 0 { format!(" | +{more} more") } else { String::new() };
    let find = |issue: &str| cx.act.known.issue(id, issue);
    let (said, style, read) = match line {
        Line::Trouble(_) => {
            let why = issues::trouble(&cx.act, source).unwrap_or_default();
            (format!("? {why}{more}"), theme.status(Status::Unknown), read)
        }
        Line::Quiet(_) => {
            let reading = issues::reading(&cx.act, id);
            let told = reading.map_or_else(String::new, quiet_words);
            (format!("{told}{more}"), theme.text(), read)
        }
        Line::News { top, told, .. } => {
            let Some(issue) = find(top) else { return };
            (news_words(issue, told, room, &more, cx), theme.text(), read)
        }
        Line::One { id: issue, .. } => {
            let Some(issue) = find(issue) else { return };
            let trend = issue.trend.word();
            let end = format!("{}{more}", counted(issue));
            let room = room.saturating_sub(text::width(trend) + text::width(&end) + 1);
            let title = harmless_within(&issue.title, 200);
            let title = text::cut(&title, room, theme.glyphs.cut);
            (format!("{trend} {title}{end}"), theme.text(), age(issue.last))
        }
    };
    let new = match line {
        Line::News { .. } => true,
        Line::One { id: issue, .. } => find(issue).is_some_and(|of| of.trend != Trend::Ongoing),
        _ => false,
    };
    let style = if new { theme.status(Status::Warning) } else { style };
    let (strong, rest) = match (new, said.split_once(": ")) {
        (true, Some((head, rest))) => (format!("{head}: "), rest.to_owned()),
        _ => (said, String::new()),
    };
    let parts = [(Cow::from(strong), style), (rest.into(), theme.text())];
    write_line(cx, place, buf, (&word(cx, id), &read), parts, selected);
}

/// `14 unresolved, none new`, `6 unresolved, 2 new, all from before the last release`. What a server calls new may be older than the
/// last release, against which the lines of services are told.
fn quiet_words(reading: &IssuesReading) -> String {
    let told = words(reading.issues.iter().map(|issue| issue.trend));
    let none = match told.as_str() {
        "" => "none new".to_owned(),
        told => format!("{told}, all from before the last release"),
    };
    match reading.issues.len() {
        0 => "no unresolved issues".to_owned(),
        many if reading.more => format!("more than {many} unresolved, {none}"),
        many => format!("{many} unresolved, {none}"),
    }
}

fn counted(issue: &Issue) -> String {
    let users =
        issue.users.map_or_else(String::new, |users| format!(", {} users", issues::count(users)));
    format!(", {} events{users}", issues::count(issue.events))
}

/// `api 2 new since v142: TypeError checkout, 318 events, 94 users`: the
/// title gives way, the counts stay.
fn news_words(issue: &Issue, told: &str, room: usize, more: &str, cx: &ViewCx<'_>) -> String {
    let told = harmless_within(told, 80);
    let head = format!("{} {told}: ", harmless_within(issues::whose(issue), 24));
    let end = format!("{}{more}", counted(issue));
    let left = room.saturating_sub(text::width(&head) + text::width(&end));
    let title = harmless_within(&issue.title, 200);
    format!("{head}{}{end}", text::cut(&title, left, cx.theme.glyphs.cut))
}
