//! All that is polled: when it last answered, how long that took, what failed.

use super::{ActCx, Chosen, Kind, Panel, Rows, ViewCx, cells};
use crate::domain::{SourceId, SourceInfo, Status, harmless_within, units};
use crate::store::{Action, Effect, SourceState};
use crate::ui::Scope;
use crate::ui::layout::Need;
use crate::ui::table::{Cell, Column, Table};
use crate::ui::text;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use std::cmp::Reverse;

/// As the registry knows it.
pub const KIND: Kind =
    Kind { name: "sources", filtered: true, build: || Box::new(Sources::default()) };

#[derive(Debug, Default)]
struct Sources {
    rows: Rows<SourceId>,
    all: usize,
}

const COLUMNS: [Column; 11] = [
    Column::new("", 1),
    Column::new("", 4),
    Column::new("", 16).flexible(),
    Column::new("kind", 10).goes(3),
    Column::new("answer", 6).right(),
    Column::new("took", 6).right(),
    Column::new("next", 8).right().goes(1),
    Column::new("failed", 10).right().goes(2),
    Column::new("late", 6).right().goes(5),
    Column::new("history", 7).right().goes(4),
    Column::new("error", 22),
];

fn status(cx: &ActCx<'_>, id: &SourceId) -> Status {
    let failing = cx.known.sources.get(id).is_some_and(|state| state.failing.is_some());
    let status = cx.known.standing_of_source(id).map_or(Status::Unknown, |of| of.status);
    if failing { status.max(Status::Unknown) } else { status }
}

impl Panel for Sources {
    fn scope(&self) -> Scope {
        Scope::Rows
    }

    fn need(&self, _: &ActCx<'_>) -> Need {
        self.rows.need(6, 0)
    }

    fn refresh(&mut self, cx: &ActCx<'_>) {
        if !cx.changed && !self.rows.is_empty() {
            return;
        }
        let sources = &cx.known.inventory.sources;
        self.all = sources.len();
        let mut list: Vec<(Reverse<Status>, usize, &SourceInfo)> = sources
            .iter()
            .enumerate()
            .filter(|(_, source)| {
                let texts = [source.label.as_str(), &source.kind, &source.asks, source.id.as_str()];
                cells::passes(cx.filter, texts)
            })
            .map(|(place, source)| (Reverse(status(cx, &source.id)), place, source))
            .collect();
        list.sort_by_key(|(status, place, _)| (*status, *place));
        let list = list.into_iter().map(|(.., source)| source.id.clone()).collect();
        self.rows.set(list, |id| cx.index.source(id).is_some());
    }

    fn act(&mut self, action: Action, cx: &ActCx<'_>) -> Option<Vec<Effect>> {
        let height = cx.area.height.saturating_sub(1);
        self.rows.act(action, height.into()).then(Vec::new)
    }

    fn chosen(&self, _: &ActCx<'_>) -> Option<Chosen> {
        self.rows.selected().cloned().map(Chosen::Source)
    }

    fn choose(&mut self, wanted: &Chosen) {
        if let Chosen::Source(id) = wanted {
            self.rows.choose(id);
        }
    }

    fn copied(&self, cx: &ActCx<'_>) -> Option<String> {
        cx.index.source(self.rows.selected()?).map(|source| source.asks.clone())
    }

    fn view(&self, cx: &ViewCx<'_>, area: Rect, buf: &mut Buffer) -> Option<Position> {
        let count = self.rows.len();
        let title = self.rows.title("SOURCES", self.all);
        let table = Table {
            title: &title,
            columns: &COLUMNS,
            rows: count,
            from: self.rows.from(area.height.saturating_sub(1).into()),
            selected: self.rows.at(),
            focused: cx.focused,
            empty: if self.all == 0 {
                "nothing is polled: the config names no sources"
            } else {
                "no source holds the filter's text"
            },
        };
        table.draw(cx.theme, area, buf, |i| {
            let source = self.rows.get(i).and_then(|id| cx.act.index.source(id));
            let Some(source) = source else { return Vec::new() };
            row(cx, source)
        });
        None
    }
}

fn row(cx: &ViewCx<'_>, source: &SourceInfo) -> Vec<Cell<'static>> {
    let fallback = SourceState::default();
    let state = cx.act.known.sources.get(&source.id).unwrap_or(&fallback);
    let waiting = state.polls == 0;
    let [glyph, word] = cells::status(cx, status(&cx.act, &source.id));
    let word = if waiting { Cell::new("wait", word.style) } else { word };
    let faint = cx.theme.faint();
    let old = state.is_stale(cx.act.now, source.every);
    let is_check = cx.act.known.checks.contains_key(&source.id);
    let answered = state.answered.filter(|_| !cells::unreached(cx.act.known, &source.id));
    // A check's failures are its business: what counts here is whether it could be asked.
    let failed = if is_check && state.failures == 0 {
        format!("-/{}", state.polls)
    } else {
        format!("{}/{}", state.failures, state.polls)
    };
    let took = if waiting { "-".into() } else { units::duration(state.took) };
    let next = state.next.map_or_else(|| "-".into(), |next| text::clock_s(next, cx.offset_min));
    let late = if waiting { "-".into() } else { units::duration(state.late) };
    // How far back the samples of its job go.
    let reach = match &state.reading {
        Some(crate::domain::Reading::Scrape(page)) => page.since,
        _ => None,
    };
    let reach = reach.map_or_else(String::new, |at| text::age_in_steps(cx.act.now.since(at)));
    let error =
        state.failing.as_ref().map(|(_, error)| harmless_within(&error.message, cells::LONGEST));
    let malformed = match &state.reading {
        Some(crate::domain::Reading::Scrape(page)) if page.malformed > 0 => {
            let many = usize::try_from(page.malformed).unwrap_or(usize::MAX);
            Some(units::count(many, "malformed line"))
        }
        Some(crate::domain::Reading::Scrape(page)) => {
            page.note.as_deref().map(|note| harmless_within(note, cells::LONGEST))
        }
        _ => None,
    };
    // What answers badly says so in its own words.
    let check = cx.act.known.standing_of_source(&source.id);
    let check = check.filter(|standing| !waiting && standing.status != Status::Ok);
    let said = error
        .or_else(|| check.map(cells::reason))
        .filter(|said| !said.is_empty())
        .or(malformed)
        .or_else(|| source.note.clone())
        .unwrap_or_default();
    let failed_style = if state.failures > 0 { cx.theme.text() } else { faint };
    vec![
        glyph,
        word,
        Cell::new(harmless_within(&source.label, 100), cx.theme.strong()),
        Cell::new(harmless_within(&source.kind, 20), faint),
        cells::age(cx, answered, old),
        Cell::new(took, faint),
        Cell::new(next, faint),
        Cell::new(failed, failed_style),
        Cell::new(late, faint),
        Cell::new(reach, faint),
        Cell::new(harmless_within(&said, cells::LONGEST), cx.theme.text()),
    ]
}
