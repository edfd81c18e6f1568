//! Alerts that fire or are pending, worst first.

use super::{ActCx, Chosen, Kind, Panel, Rows, ViewCx, cells};
use crate::domain::{Alert, AlertState, Severity, SourceId, Status, harmless_within};
use crate::store::{Action, Effect};
use crate::ui::Scope;
use crate::ui::layout::Need;
use crate::ui::table::{Cell, Column, Table};
use crate::ui::text;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use std::borrow::Cow;

/// As the registry knows it.
pub const KIND: Kind =
    Kind { name: "alerts", filtered: true, build: || Box::new(Alerts::default()) };

#[derive(Debug, Default)]
struct Alerts {
    rows: Rows<u64>,
    /// Where each row stood in what is known when the rows were taken in.
    places: Vec<usize>,
    all: usize,
}

const COLUMNS: [Column; 7] = [
    Column::new("", 1),
    Column::new("", 4),
    Column::new("", 15).sharing(1),
    Column::new("alert", 19).goes(3),
    Column::new("why", 38).sharing(3),
    Column::new("for", 7).right(),
    Column::new("seen", 6).right().goes(1),
];

/// The status that an alert is shown with.
pub(super) fn shown_status(alert: &Alert) -> Status {
    alert.severity.status()
}

fn find<'a>(cx: &ActCx<'a>, identity: u64) -> Option<&'a Alert> {
    cx.known.alerts.iter().find(|alert| alert.identity() == identity)
}

impl Alerts {
    /// The alert of a row.
    fn at<'a>(&self, cx: &ActCx<'a>, row: usize) -> Option<&'a Alert> {
        let identity = *self.rows.get(row)?;
        let there = self.places.get(row).and_then(|place| cx.known.alerts.get(*place));
        there.filter(|alert| alert.identity() == identity).or_else(|| find(cx, identity))
    }
}

impl Panel for Alerts {
    fn scope(&self) -> Scope {
        Scope::Rows
    }

    fn need(&self, _: &ActCx<'_>) -> Need {
        self.rows.need(10, 0)
    }

    fn refresh(&mut self, cx: &ActCx<'_>) {
        let known = &cx.known.alerts;
        if !cx.changed && self.all == known.len() {
            return;
        }
        self.all = known.len();
        let passes = |alert: &Alert| {
            let service = alert.service.as_ref().map_or("", |name| name.as_str());
            cells::passes(cx.filter, [alert.name(), service, &alert.reason, alert.severity_word()])
        };
        let shown = known.iter().enumerate().filter(|(_, alert)| passes(alert));
        let (places, list) = shown.map(|(place, alert)| (place, alert.identity())).unzip();
        self.places = places;
        self.rows.set(list, |identity| find(cx, *identity).is_some());
    }

    fn act(&mut self, action: Action, cx: &ActCx<'_>) -> Option<Vec<Effect>> {
        let height = cx.area.height.saturating_sub(1);
        self.rows.act(action, height.into()).then(Vec::new)
    }

    fn chosen(&self, _: &ActCx<'_>) -> Option<Chosen> {
        self.rows.selected().map(|identity| Chosen::Alert(*identity))
    }

    fn choose(&mut self, wanted: &Chosen) {
        if let Chosen::Alert(identity) = wanted {
            self.rows.choose(identity);
        }
    }

    fn copied(&self, cx: &ActCx<'_>) -> Option<String> {
        let alert = find(cx, *self.rows.selected()?)?;
        Some(format!("{} {}: {}", alert.name(), alert.labels, alert.reason))
    }

    fn view(&self, cx: &ViewCx<'_>, area: Rect, buf: &mut Buffer) -> Option<Position> {
        let count = self.rows.len();
        let title = self.rows.title("ALERTS", self.all);
        let unknown = if self.all == 0 { cx.act.known.counts().unknown } else { 0 };
        let empty = match (self.all, unknown) {
            (0, 0) => "no alert fires".to_owned(),
            (0, 1) => "no alert fires; 1 thing is unknown".to_owned(),
            (0, many) => format!("no alert fires; {many} things are unknown"),
            _ => "no alert holds the filter's text".to_owned(),
        };
        let table = Table {
            title: &title,
            columns: &COLUMNS,
            rows: count,
            from: self.rows.from(area.height.saturating_sub(1).into()),
            selected: self.rows.at(),
            focused: cx.focused,
            empty: &empty,
        };
        table.draw(cx.theme, area, buf, |i| {
            self.at(&cx.act, i).map_or_else(Vec::new, |alert| row(cx, alert))
        });
        None
    }
}

/// What an alert is about, and its reason without what that says already.
fn whose<'a>(cx: &ActCx<'_>, alert: &'a Alert) -> (String, Cow<'a, str>) {
    let reason = Cow::Borrowed(alert.reason.as_str());
    if let Some(service) = &alert.service {
        return (service.to_string(), reason);
    }
    if let Some(instance) = alert.labels.get("instance") {
        let said = format!(" on {instance}");
        let reason = match reason.split_once(&said) {
            Some((before, "")) => Cow::Owned(before.to_owned()),
            Some((before, after)) if after.starts_with(' ') => {
                Cow::Owned(format!("{before} on{after}"))
            }
            _ => reason,
        };
        return (cells::host(cx, instance), reason);
    }
    let source = alert.labels.get("source").map(|id| SourceId(id.into()));
    if let Some(source) = source.and_then(|id| cx.index.source(&id)) {
        let reason = match alert.reason.strip_prefix(&format!("{}: ", source.label)) {
            Some(rest) => Cow::Borrowed(rest),
            None => reason,
        };
        return (source.label.clone(), reason);
    }
    (alert.name().to_owned(), reason)
}

fn row(cx: &ViewCx<'_>, alert: &Alert) -> Vec<Cell<'static>> {
    let status = shown_status(alert);
    let [glyph, word] = cells::status(cx, status);
    let word = if alert.severity == Severity::Info { Cell::new("info", word.style) } else { word };
    let (of, reason) = whose(&cx.act, alert);
    let pending = if alert.state == AlertState::Pending { "pending: " } else { "" };
    let why = format!("{pending}{}", harmless_within(&reason, cells::LONGEST));
    let held = cx.act.now.since(alert.since);
    let lasts = match text::age_in_steps(held) {
        steps if !alert.since_at_least => steps,
        steps if steps.starts_with('<') => ">=0s".to_owned(),
        steps => format!(">={steps}"),
    };
    vec![
        glyph,
        word,
        Cell::new(harmless_within(&of, cells::LONGEST), cx.theme.strong()),
        Cell::new(harmless_within(alert.name(), cells::LONGEST), cx.theme.text()),
        Cell::new(why, cx.theme.text()),
        Cell::new(lasts, cx.theme.text()),
        cells::age(cx, Some(alert.seen), false),
    ]
}

trait SeverityWord {
    fn severity_word(&self) -> &'static str;
}

impl SeverityWord for Alert {
    fn severity_word(&self) -> &'static str {
        match self.severity {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }
}
