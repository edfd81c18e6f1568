//! Hosts, worst first: processor, memory, disk, its traffic, network.

use super::{ActCx, Chosen, Kind, Panel, Rows, ViewCx, cells};
use crate::domain::{Signal, SignalKind, Status, Timestamp, harmless_within, units};
use crate::store::{Action, Effect, HostState, Mark, SignalValue};
use crate::ui::Scope;
use crate::ui::layout::Need;
use crate::ui::table::{Cell, Column, Table};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use std::cmp::Reverse;
use std::sync::Arc;

/// As the registry knows it.
pub const KIND: Kind = Kind { name: "hosts", filtered: true, build: || Box::new(Hosts::default()) };

/// A group and the instance in it.
type Host = (String, Arc<str>);

#[derive(Debug, Default)]
struct Hosts {
    rows: Rows<Host>,
    all: usize,
}

const KINDS: [SignalKind; 5] = [
    SignalKind::Cpu,
    SignalKind::Memory,
    SignalKind::Disk,
    SignalKind::DiskIo,
    SignalKind::Network,
];
const COLUMNS: [Column; 9] = [
    Column::new("", 1),
    Column::new("", 4),
    Column::new("", 14).flexible(),
    Column::new("cpu", 7).right(),
    Column::new("memory", 7).right(),
    Column::new("disk free", 10).right(),
    Column::new("disk io", 8).right().goes(1),
    Column::new("network", 9).right().goes(2),
    Column::new("age", 6).right(),
];

/// Every host that was seen, by its group.
fn all<'a>(cx: &ActCx<'a>) -> impl Iterator<Item = (&'a str, &'a Arc<str>, &'a HostState)> {
    cx.known.hosts.iter().flat_map(|(group, hosts)| {
        hosts.iter().map(move |(instance, state)| (group.as_str(), instance, state))
    })
}

fn find<'a>(cx: &ActCx<'a>, (group, instance): &Host) -> Option<&'a HostState> {
    cx.known.hosts.get(group)?.get(instance)
}

impl Panel for Hosts {
    fn scope(&self) -> Scope {
        Scope::Rows
    }

    fn need(&self, cx: &ActCx<'_>) -> Need {
        if cx.known.inventory.hosts.is_empty() {
            return Need { least: 0, most: 0, order: 2 };
        }
        self.rows.need(3, 2)
    }

    fn refresh(&mut self, cx: &ActCx<'_>) {
        self.all = all(cx).count();
        let mut list: Vec<(Reverse<Status>, Host)> = all(cx)
            .filter(|(group, instance, state)| {
                let standing = &state.standing;
                let texts = [group, instance.as_ref(), standing.status.word(), &standing.reason];
                cells::passes(cx.filter, texts)
            })
            .map(|(group, instance, state)| {
                (Reverse(state.standing.status), (group.to_owned(), Arc::clone(instance)))
            })
            .collect();
        list.sort();
        let list = list.into_iter().map(|(_, host)| host).collect();
        self.rows.set(list, |host| find(cx, host).is_some());
    }

    fn act(&mut self, action: Action, cx: &ActCx<'_>) -> Option<Vec<Effect>> {
        let height = cx.area.height.saturating_sub(1);
        self.rows.act(action, height.into()).then(Vec::new)
    }

    fn chosen(&self, _: &ActCx<'_>) -> Option<Chosen> {
        let (group, instance) = self.rows.selected()?.clone();
        Some(Chosen::Host { group, instance: instance.to_string() })
    }

    fn copied(&self, _: &ActCx<'_>) -> Option<String> {
        self.rows.selected().map(|(_, instance)| instance.to_string())
    }

    fn view(&self, cx: &ViewCx<'_>, area: Rect, buf: &mut Buffer) -> Option<Position> {
        let title = format!("HOSTS {}", self.rows.len());
        let waiting = cx.act.known.inventory.hosts.iter().any(|group| {
            cx.act.index.host_signals(&group.name).any(|signal| {
                let state = cx.act.known.signals.get(&signal.id);
                state.is_none_or(|state| state.standing.mark == Some(Mark::Waiting))
            })
        });
        let table = Table {
            title: &title,
            columns: &COLUMNS,
            rows: self.rows.len(),
            from: self.rows.from(area.height.saturating_sub(1).into()),
            selected: self.rows.at(),
            focused: cx.focused,
            empty: if self.all > 0 {
                "no host holds the filter's text"
            } else if waiting {
                "no numbers yet: waiting for the first answer"
            } else {
                "no numbers: no host exporter has answered for these jobs"
            },
        };
        table.draw(cx.theme, area, buf, |i| {
            let Some(host) = self.rows.get(i) else { return Vec::new() };
            find(&cx.act, host).map_or_else(Vec::new, |state| row(cx, host, state))
        });
        None
    }
}

fn row(cx: &ViewCx<'_>, host: &Host, state: &HostState) -> Vec<Cell<'static>> {
    let (group, instance) = host;
    let standing = &state.standing;
    let [glyph, word] = cells::standing(cx, standing);
    let name = harmless_within(&cells::host(&cx.act, instance), cells::LONGEST);
    let name =
        if cx.act.known.inventory.hosts.len() > 1 { format!("{group} {name}") } else { name };
    let mut row = vec![glyph, word, Cell::new(name, cx.theme.strong())];
    let mut oldest: Option<Timestamp> = None;
    let mut old = false;
    let mut values = 0;
    for kind in KINDS {
        let signal = cx.act.index.host_signals(group).find(|signal| signal.kind == kind);
        let known = signal.and_then(|signal| cx.act.known.signals.get(&signal.id));
        let found = known.and_then(|known| {
            known.values.iter().find(|v| v.labels.get("instance").unwrap_or("") == &**instance)
        });
        row.push(match (signal, known, found) {
            (Some(signal), Some(known), Some(value)) => {
                if let Some(seen) = known.standing.seen {
                    oldest = Some(oldest.map_or(seen, |oldest| oldest.min(seen)));
                }
                let unseen = matches!(known.standing.mark, Some(Mark::Stale | Mark::Offline));
                old |= unseen;
                values += 1;
                value_cell(cx, signal, value, unseen)
            }
            _ => Cell::new("-", cx.theme.faint()),
        });
    }
    if values == 0 {
        // Nothing to put into the columns: the reason is worth more than dashes.
        row.truncate(3);
        let reason = cells::reason(standing);
        row.push(Cell::new(format!("  {reason}"), cx.theme.text()).over(KINDS.len() - 1));
        row.resize(3 + KINDS.len(), Cell::default());
    }
    row.push(cells::age(cx, oldest.or(standing.seen), old || state.missing.is_some()));
    row
}

fn value_cell(cx: &ViewCx<'_>, signal: &Signal, value: &SignalValue, old: bool) -> Cell<'static> {
    let style = match value.status {
        _ if old => cx.theme.stale(),
        Status::Ok => cx.theme.text(),
        status => cx.theme.status(status),
    };
    Cell::new(units::value(value.value.0, signal.unit), style)
}
