//! What happened to one service, newest first.

use super::{ActCx, Chosen, Kind, Panel, ViewCx, cells};
use crate::domain::{Event, EventKind, Role, ServiceName, harmless_within};
use crate::store::{Action, Effect};
use crate::ui::Scope;
use crate::ui::layout::Need;
use crate::ui::table::{Cell, Column, Table};
use crate::ui::text;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// As the registry knows it.
pub const KIND: Kind =
    Kind { name: "history", filtered: false, build: || Box::new(History::default()) };

#[derive(Debug, Default)]
struct History {
    from: usize,
}

const COLUMNS: [Column; 3] =
    [Column::new("", 8), Column::new("", 20).flexible(), Column::new("", 1).goes(1)];

fn concerns(cx: &ActCx<'_>, event: &Event, name: &ServiceName) -> bool {
    match &event.kind {
        EventKind::ServiceChanged { service, .. } => service == name,
        EventKind::CheckChanged { source, .. } | EventKind::SourceChanged { source, .. } => {
            cx.index.source(source).is_some_and(
                |source| matches!(&source.role, Role::Check(role) if role.service == *name),
            )
        }
        EventKind::SignalChanged { signal, .. } => {
            cx.index.signals_of(name).any(|known| known.id == *signal)
        }
        EventKind::AlertFired { service, .. } | EventKind::AlertResolved { service, .. } => {
            service.as_ref() == Some(name)
        }
        EventKind::Released { service, .. } => service.as_ref() == Some(name),
        EventKind::BackupChanged { source, .. } => cx.index.source(source).is_some_and(
            |source| matches!(&source.role, Role::Backup(role) if role.service.as_ref() == Some(name)),
        ),
        EventKind::NetworkChanged { .. } | EventKind::Note { .. } => true,
    }
}

fn events<'a>(cx: &ActCx<'a>) -> Vec<&'a Event> {
    let Some(Chosen::Service(name)) = cx.subject else { return Vec::new() };
    cx.known.events.iter().rev().filter(|event| concerns(cx, event, name)).collect()
}

impl Panel for History {
    fn scope(&self) -> Scope {
        Scope::Text
    }

    fn need(&self, cx: &ActCx<'_>) -> Need {
        let rows = u16::try_from(events(cx).len().max(1)).unwrap_or(u16::MAX);
        Need { least: 3.min(rows + 1), most: rows.saturating_add(1).min(12), order: 1 }
    }

    fn refresh(&mut self, cx: &ActCx<'_>) {
        self.from = self.from.min(events(cx).len().saturating_sub(1));
    }

    fn act(&mut self, action: Action, cx: &ActCx<'_>) -> Option<Vec<Effect>> {
        let height = usize::from(cx.area.height.saturating_sub(1));
        let last = events(cx).len().saturating_sub(height);
        self.from = match action {
            Action::Up => self.from.saturating_sub(1),
            Action::Down => self.from + 1,
            Action::HalfUp => self.from.saturating_sub(height / 2),
            Action::HalfDown => self.from + height / 2,
            Action::First => 0,
            Action::Last => last,
            _ => return None,
        }
        .min(last);
        Some(Vec::new())
    }

    fn chosen(&self, _: &ActCx<'_>) -> Option<Chosen> {
        None
    }

    fn copied(&self, cx: &ActCx<'_>) -> Option<String> {
        let lines = events(cx).into_iter().map(|event| {
            let (_, words) = event.kind.words();
            format!("{} {words}", event.at)
        });
        let text = lines.collect::<Vec<_>>().join("\n");
        (!text.is_empty()).then_some(text)
    }

    fn view(&self, cx: &ViewCx<'_>, area: Rect, buf: &mut Buffer) -> Option<Position> {
        let events = events(&cx.act);
        let table = Table {
            title: "CHANGES",
            columns: &COLUMNS,
            rows: events.len(),
            from: self.from,
            selected: None,
            focused: cx.focused,
            empty: "nothing has changed since the start",
        };
        table.draw(cx.theme, area, buf, |i| {
            let Some(event) = events.get(i) else { return Vec::new() };
            let (status, words) = event.kind.words();
            let style = status.map_or(cx.theme.text(), |status| cx.theme.status(status));
            vec![
                Cell::new(text::clock_s(event.at, cx.offset_min), cx.theme.faint()),
                Cell::new(harmless_within(&words, cells::LONGEST), style),
            ]
        });
        None
    }
}
