//! One service: who owns it, and its checks with their components and certificates.

use super::texts::{self, Parts};
use super::{ActCx, Chosen, Kind, Panel, Rows, ViewCx, cells};
use crate::domain::{
    Certificate, ServiceName, SourceId, Status, Timestamp, harmless_within, units,
};
use crate::store::{Action, CheckState, Effect};
use crate::ui::Scope;
use crate::ui::layout::Need;
use crate::ui::table::{Cell, Column, Table, rule};
use crate::ui::text;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use std::time::Duration;

/// As the registry knows it.
pub const KIND: Kind =
    Kind { name: "checks", filtered: true, build: || Box::new(Checks::default()) };

/// A row: a check, one of its components, or its certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Row {
    Check(SourceId),
    Component(SourceId, String),
    Certificate(SourceId),
}

#[derive(Debug, Default)]
struct Checks {
    rows: Rows<Row>,
}

const COLUMNS: [Column; 7] = [
    Column::new("", 1),
    Column::new("", 4),
    Column::new("", 20),
    Column::new("", 24).flexible(),
    Column::new("took", 7).right().goes(1),
    Column::new("since", 7).right(),
    Column::new("age", 6).right(),
];

fn service<'a>(cx: &ActCx<'a>) -> Option<&'a ServiceName> {
    match cx.subject {
        Some(Chosen::Service(name)) => Some(name),
        _ => None,
    }
}

/// Facts of the service, at most four lines.
fn facts(cx: &ViewCx<'_>, width: u16) -> Vec<Parts> {
    let Some(service) = service(&cx.act).and_then(|name| cx.act.index.service(name)) else {
        return vec![texts::plain(cx, "the config names no such service")];
    };
    let mut parts = Vec::new();
    let owner = service.owner.as_deref().map(|owner| ("owner", owner.to_owned()));
    let contact = service.contact.as_deref().map(|contact| ("contact", contact.to_owned()));
    let link = service.link.as_deref().map(|link| ("link", link.to_owned()));
    let needs = (!service.depends_on.is_empty()).then(|| {
        let states = service.depends_on.iter().map(|name| {
            let state = cx.act.known.services.get(name);
            let status = state.map_or(Status::Unknown, |state| state.standing.status);
            format!("{name} {status}")
        });
        ("depends on", states.collect::<Vec<_>>().join(", "))
    });
    for (name, value) in [owner, contact, needs, link].into_iter().flatten() {
        parts.extend(texts::fact(cx, width, name, &value).into_iter().take(1));
    }
    parts
}

impl Checks {
    fn facts_height(cx: &ActCx<'_>) -> u16 {
        let found = service(cx).and_then(|name| cx.index.service(name));
        let count = found.map_or(1, |service| {
            usize::from(service.owner.is_some())
                + usize::from(service.contact.is_some())
                + usize::from(service.link.is_some())
                + usize::from(!service.depends_on.is_empty())
        });
        u16::try_from(count).unwrap_or(4) + 1
    }

    fn table_area(cx: &ActCx<'_>, area: Rect) -> Rect {
        let above = Self::facts_height(cx).min(area.height);
        Rect { y: area.y + above, height: area.height - above, ..area }
    }
}

impl Panel for Checks {
    fn scope(&self) -> Scope {
        Scope::Rows
    }

    fn need(&self, cx: &ActCx<'_>) -> Need {
        let rows = u16::try_from(self.rows.len().max(1)).unwrap_or(u16::MAX);
        let most = Self::facts_height(cx).saturating_add(rows).saturating_add(1);
        Need { least: most.min(9), most: most.min(20), order: 0 }
    }

    fn refresh(&mut self, cx: &ActCx<'_>) {
        let mut list = Vec::new();
        for (source, role) in service(cx).into_iter().flat_map(|name| cx.index.checks_of(name)) {
            let state = cx.known.checks.get(&source.id);
            let answer = state.and_then(|state| state.last.as_ref());
            if cells::passes(cx.filter, [role.name.as_str()]) {
                list.push(Row::Check(source.id.clone()));
            }
            for component in answer.map_or(&[][..], |answer| &answer.components) {
                if cells::passes(cx.filter, [component.name.as_str(), component.status.word()]) {
                    list.push(Row::Component(source.id.clone(), component.name.clone()));
                }
            }
            if answer.is_some_and(|answer| answer.certificate.is_some())
                && cells::passes(cx.filter, ["certificate"])
            {
                list.push(Row::Certificate(source.id.clone()));
            }
        }
        let filtered = !cx.filter.is_empty();
        self.rows.set(list, |_| filtered);
    }

    fn act(&mut self, action: Action, cx: &ActCx<'_>) -> Option<Vec<Effect>> {
        let height = Self::table_area(cx, cx.area).height.saturating_sub(1);
        self.rows.act(action, height.into()).then(Vec::new)
    }

    fn chosen(&self, _: &ActCx<'_>) -> Option<Chosen> {
        self.rows.selected().map(|row| match row {
            Row::Check(id) | Row::Component(id, _) | Row::Certificate(id) => {
                Chosen::Source(id.clone())
            }
        })
    }

    fn copied(&self, cx: &ActCx<'_>) -> Option<String> {
        match self.rows.selected()? {
            Row::Check(id) | Row::Component(id, _) | Row::Certificate(id) => {
                cx.index.source(id).map(|source| source.asks.clone())
            }
        }
    }

    fn view(&self, cx: &ViewCx<'_>, area: Rect, buf: &mut Buffer) -> Option<Position> {
        let name = service(&cx.act)?;
        if let Some(line) = text::line_of(area, 0) {
            let shown = harmless_within(name.as_str(), 60);
            let title = match cx.act.known.services.get(name) {
                Some(state) => {
                    let reason = match cells::reason(&state.standing) {
                        reason if reason.is_empty() => String::new(),
                        reason => format!(": {reason}"),
                    };
                    format!("SERVICE {shown} {}{reason}", state.standing.status)
                }
                None => format!("SERVICE {shown}"),
            };
            let title = text::cut(&title, usize::from(line.width), cx.theme.glyphs.cut);
            rule(cx.theme, line, buf, &title, cx.focused);
        }
        let table_area = Self::table_area(&cx.act, area);
        let above = Rect { y: area.y + 1, height: table_area.y.saturating_sub(area.y + 1), ..area };
        texts::draw(cx, above, buf, facts(cx, area.width));
        let table = Table {
            title: "CHECKS",
            columns: &COLUMNS,
            rows: self.rows.len(),
            from: self.rows.from(table_area.height.saturating_sub(1).into()),
            selected: self.rows.at(),
            focused: cx.focused,
            empty: if cx.act.filter.is_empty() {
                "no checks: the config names none for this service"
            } else {
                "no check holds the filter's text"
            },
        };
        table.draw(cx.theme, table_area, buf, |i| {
            self.rows.get(i).map_or_else(Vec::new, |at| row(cx, at))
        });
        None
    }
}

fn row(cx: &ViewCx<'_>, at: &Row) -> Vec<Cell<'static>> {
    let (Row::Check(id) | Row::Component(id, _) | Row::Certificate(id)) = at;
    let Some(state) = cx.act.known.checks.get(id) else { return Vec::new() };
    let empty = || Cell::new("", cx.theme.text());
    match at {
        Row::Check(id) => check_row(cx, id, state),
        Row::Component(_, name) => {
            let components = state.last.iter().flat_map(|last| &last.components);
            let Some(component) = components.into_iter().find(|part| part.name == *name) else {
                return Vec::new();
            };
            let [glyph, word] = cells::status(cx, component.status);
            let name = format!("  {}", harmless_within(&component.name, 100));
            let detail = harmless_within(&component.detail, cells::LONGEST);
            vec![
                glyph,
                word,
                Cell::new(name, cx.theme.text()),
                Cell::new(detail, cx.theme.text()),
                empty(),
                empty(),
                cells::age(cx, state.standing.seen, false),
            ]
        }
        Row::Certificate(_) => {
            let certificate = state.last.as_ref().and_then(|last| last.certificate.as_ref());
            let Some(certificate) = certificate else { return Vec::new() };
            let status = state.certificate.as_ref().map_or(Status::Ok, |standing| standing.status);
            let [glyph, word] = cells::status(cx, status);
            let style =
                if status == Status::Ok { cx.theme.text() } else { cx.theme.status(status) };
            vec![
                glyph,
                word,
                Cell::new("  certificate", cx.theme.text()),
                Cell::new(validity(certificate, cx.act.now), style),
                empty(),
                empty(),
                cells::age(cx, state.standing.seen, false),
            ]
        }
    }
}

fn check_row(cx: &ViewCx<'_>, id: &SourceId, state: &CheckState) -> Vec<Cell<'static>> {
    let [glyph, word] = cells::standing(cx, &state.standing);
    let source = cx.act.index.source(id);
    let name = match source.map(|source| &source.role) {
        Some(crate::domain::Role::Check(role)) => role.name.clone(),
        _ => id.to_string(),
    };
    let mut reason = cells::reason(&state.standing);
    let last = state.last.as_ref();
    let notes = last.map_or(&[][..], |last| &last.notes);
    let notes = notes.iter().chain(source.and_then(|source| source.note.as_ref()));
    let mut told: Vec<&String> = notes.collect();
    told.dedup();
    for note in told {
        reason = format!("{reason}, {}", harmless_within(note, 120));
    }
    let took = last.map_or_else(|| "-".into(), |last| units::duration(last.took));
    let old = state.standing.mark == Some(crate::store::Mark::Stale);
    vec![
        glyph,
        word,
        Cell::new(harmless_within(&name, 100), cx.theme.strong()),
        Cell::new(reason, cx.theme.text()),
        Cell::new(took, cx.theme.faint()),
        cells::since(cx, &state.standing, cx.theme.faint()),
        cells::age(cx, state.standing.seen, old),
    ]
}

/// How long a certificate is still valid.
fn validity(certificate: &Certificate, now: Timestamp) -> String {
    const DAY: Duration = Duration::from_hours(24);
    let days = |of: Duration| of.as_secs() / DAY.as_secs();
    let left = if certificate.not_after <= now {
        format!("expired {}d ago", days(now.since(certificate.not_after)))
    } else if certificate.not_before > now {
        format!("not valid for another {}d", days(certificate.not_before.since(now)))
    } else {
        format!("{} days left", days(certificate.not_after.since(now)))
    };
    let problem =
        certificate.problem.as_ref().map_or_else(String::new, |problem| format!(", {problem}"));
    let whole = format!("{left}{problem}, {} by {}", certificate.subject, certificate.issuer);
    harmless_within(&whole, cells::LONGEST)
}
