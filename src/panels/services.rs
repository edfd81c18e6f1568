//! Services, worst first: errors, latency, traffic, and the last half hour.

use super::range::aligned;
use super::{ActCx, Chosen, Kind, Panel, Question, Rows, ViewCx, cells};
use crate::domain::{ServiceName, Signal, SignalKind, Status, harmless_within};
use crate::metrics::Data;
use crate::store::{Action, AskId, Effect, ServiceState};
use crate::ui::Scope;
use crate::ui::layout::Need;
use crate::ui::sparkline::sparkline;
use crate::ui::table::{Cell, Column, Table, fit};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use std::cmp::Reverse;
use std::time::Duration;

/// As the registry knows it.
pub const KIND: Kind =
    Kind { name: "services", filtered: true, build: || Box::new(Services::default()) };

#[derive(Debug, Default)]
struct Services {
    rows: Rows<ServiceName>,
    all: usize,
}

const SPARK: usize = 6;
const COLUMNS: [Column; 10] = [
    Column::new("", 1),
    Column::new("", 4),
    Column::new("", 12).sharing(1),
    Column::new("errors", 8).right(),
    Column::new("p95", 8).right(),
    Column::new("req/s", 8).right().goes(1),
    Column::new("last 30 min", 15).goes(3),
    Column::new("why", 26).sharing(3).goes(4),
    Column::new("since", 7).right(),
    Column::new("age", 6).right().goes(2),
];

/// What sparklines show.
const SPARK_LENGTH: Duration = Duration::from_mins(30);
const SPARK_STEP: Duration = Duration::from_mins(1);
/// An error rate of this much fills a sparkline, where no threshold says otherwise.
const SPARK_TOP: f64 = 0.05;

fn spark_id(signal: &Signal) -> AskId {
    AskId(format!("spark/{}", signal.id).into())
}

impl Services {
    fn visible(&self, area: Rect) -> impl Iterator<Item = &ServiceName> {
        let height = usize::from(area.height.saturating_sub(1));
        let from = self.rows.from(height);
        (from..from + height).map_while(|i| self.rows.get(i))
    }
}

impl Panel for Services {
    fn scope(&self) -> Scope {
        Scope::Rows
    }

    fn need(&self, _: &ActCx<'_>) -> Need {
        self.rows.need(6, 1)
    }

    fn refresh(&mut self, cx: &ActCx<'_>) {
        if !cx.changed && !self.rows.is_empty() {
            return;
        }
        let services = &cx.known.services;
        self.all = services.len();
        let explained = cx.known.explained();
        let key = |name: &ServiceName| {
            let status = services.get(name).map_or(Status::Unknown, |of| of.standing.status);
            (Reverse(status), cx.index.place(name))
        };
        // What is explained stands under what explains it.
        let mut list: Vec<_> = services
            .iter()
            .filter(|(name, state)| {
                let standing = &state.standing;
                let owner = if cx.filter.is_empty() { None } else { cx.index.service(name) };
                let owner = owner.and_then(|service| service.owner.as_deref()).unwrap_or("");
                cells::passes(
                    cx.filter,
                    [name.as_str(), standing.status.word(), &standing.reason, owner],
                )
            })
            .map(|(name, _)| {
                let root = explained.root_of(name);
                (key(root.unwrap_or(name)), root.is_some(), key(name), name)
            })
            .collect();
        list.sort_unstable();
        let list = list.into_iter().map(|(.., name)| name.clone()).collect();
        self.rows.set(list, |name| services.contains_key(name));
    }

    fn act(&mut self, action: Action, cx: &ActCx<'_>) -> Option<Vec<Effect>> {
        let height = cx.area.height.saturating_sub(1);
        self.rows.act(action, height.into()).then(Vec::new)
    }

    fn chosen(&self, _: &ActCx<'_>) -> Option<Chosen> {
        self.rows.selected().cloned().map(Chosen::Service)
    }

    fn copied(&self, cx: &ActCx<'_>) -> Option<String> {
        let name = self.rows.selected()?;
        let standing = &cx.known.services.get(name)?.standing;
        Some(format!("{name} {}: {}", standing.status, cells::reason(standing)))
    }

    fn questions(&self, cx: &ActCx<'_>) -> Vec<Question> {
        if fit(&COLUMNS, cx.area.width)[SPARK].is_none() {
            return Vec::new();
        }
        let errors = |name| cx.index.signal(name, SignalKind::Errors);
        self.visible(cx.area)
            .filter_map(errors)
            .map(|signal| Question {
                id: spark_id(signal),
                expr: signal.expr.clone(),
                split: None,
                range: Some(crate::store::AskRange { length: SPARK_LENGTH, step: SPARK_STEP }),
                at: None,
                engine: signal.engine,
            })
            .collect()
    }

    fn view(&self, cx: &ViewCx<'_>, area: Rect, buf: &mut Buffer) -> Option<Position> {
        let count = self.rows.len();
        let title = self.rows.title("SERVICES", self.all);
        let places = fit(&COLUMNS, area.width);
        let spark_cells = places[SPARK].map_or(0, |(_, width)| usize::from(width));
        let table = Table {
            title: &title,
            columns: &COLUMNS,
            rows: count,
            from: self.rows.from(area.height.saturating_sub(1).into()),
            selected: self.rows.at(),
            focused: cx.focused,
            empty: if self.all == 0 {
                "the config names no services; 5 asks for metrics, 9 shows what is polled"
            } else {
                "no service holds the filter's text"
            },
        };
        table.draw(cx.theme, area, buf, |i| {
            let Some(name) = self.rows.get(i) else { return Vec::new() };
            let Some(state) = cx.act.known.services.get(name) else { return Vec::new() };
            row(cx, name, state, spark_cells)
        });
        None
    }
}

fn row(
    cx: &ViewCx<'_>,
    name: &ServiceName,
    state: &ServiceState,
    spark_cells: usize,
) -> Vec<Cell<'static>> {
    let standing = &state.standing;
    let [glyph, word] = cells::standing(cx, standing);
    let root = cx.act.known.explained().root_of(name);
    let indent = if root.is_some() { "  " } else { "" };
    let shown = format!("{indent}{}", harmless_within(name.as_str(), cells::LONGEST));
    let name_cell = Cell::new(shown, cx.theme.strong());
    let kinds = [SignalKind::Errors, SignalKind::Latency, SignalKind::Traffic];
    let signals = kinds.map(|kind| cx.act.index.signal(name, kind));
    let mut reason = cells::reason(standing);
    if let Some(root) = root {
        reason = format!("explained by {root}: {reason}");
    }
    let mut row = vec![glyph, word, name_cell];
    let has_values = signals.iter().flatten().any(|signal| {
        cx.act.known.signals.get(&signal.id).is_some_and(|state| !state.values.is_empty())
    });
    // Old values beside an unknown would say what nobody knows any more.
    let told = has_values && standing.status != Status::Unknown;
    if told {
        row.extend(signals.map(|signal| match signal {
            Some(signal) => cells::value(cx, signal, cx.act.known.signals.get(&signal.id)),
            None => Cell::new("-", cx.theme.faint()),
        }));
        row.push(match signals[0] {
            Some(signal) => spark(cx, signal, spark_cells),
            None => Cell::default(),
        });
    } else {
        // The reason is worth more than dashes.
        row.push(Cell::new(format!("  {reason}"), cx.theme.text()).over(4));
        row.extend([Cell::default(), Cell::default(), Cell::default()]);
    }
    let shown = if told && standing.status != Status::Ok { reason } else { String::new() };
    row.push(Cell::new(shown, cx.theme.text()));
    row.push(cells::since(cx, standing, cx.theme.faint()));
    let old = standing.mark == Some(crate::store::Mark::Stale);
    row.push(cells::age(cx, standing.seen, old));
    row
}

fn spark(cx: &ViewCx<'_>, signal: &Signal, cells: usize) -> Cell<'static> {
    let Some(answer) = cx.act.known.answers.get(&spark_id(signal)) else {
        return Cell::new("", cx.theme.faint());
    };
    let until = aligned(cx.act.now, SPARK_STEP);
    let mut points = Vec::new();
    if let Ok(Data::Matrix(lines)) = &answer.outcome {
        points.extend(lines.iter().flat_map(|line| line.points.iter().copied()));
    }
    // The newest value stands in the last cell, so that news is seen before a step is over.
    if let Some(state) = cx.act.known.signals.get(&signal.id)
        && let (Some(seen), Some(worst)) = (state.standing.seen, state.values.first())
        && cx.act.now.since(seen) < SPARK_STEP * 2
    {
        points.push((until, worst.value));
    }
    let top = signal.thresholds.critical.unwrap_or(SPARK_TOP);
    let drawn = sparkline(&points, until, SPARK_LENGTH, cells, top, cx.theme.glyphs);
    Cell::new(drawn, cx.theme.series(0))
}
