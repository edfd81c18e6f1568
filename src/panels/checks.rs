//! One service: who owns it, and its checks with their components and certificates.

use super::texts::{self, Parts};
use super::{ActCx, Chosen, Kind, Panel, Rows, ViewCx, cells};
use crate::domain::{
    Certificate, CheckReading, Component, Mark, ServiceName, SourceId, Standing, Status, Timestamp,
    harmless_within, units,
};
use crate::store::{Action, CheckState, Effect};
use crate::ui::Scope;
use crate::ui::layout::Need;
use crate::ui::table::{Cell, Column, Table, rule};
use crate::ui::text;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::time::Duration;

/// As the registry knows it.
pub const KIND: Kind =
    Kind { name: "checks", filtered: true, build: || Box::new(Checks::default()) };

/// A row: a check, what it measured, one of its components, those that are
/// well, or its certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Row {
    Check(SourceId),
    Numbers(SourceId),
    Component(SourceId, String),
    Folded(SourceId),
    Certificate(SourceId),
    Note(SourceId),
}

impl Row {
    fn source(&self) -> &SourceId {
        match self {
            Self::Check(id)
            | Self::Numbers(id)
            | Self::Component(id, _)
            | Self::Folded(id)
            | Self::Certificate(id)
            | Self::Note(id) => id,
        }
    }
}

#[derive(Debug, Default)]
struct Checks {
    rows: Rows<Row>,
    /// Where each row's component stood in its answer when the rows were taken in.
    places: Vec<usize>,
    /// Checks of which all components are shown.
    unfolded: BTreeSet<SourceId>,
}

/// Of more components than this, those that are well fold into one row.
const FOLDS: usize = 8;
/// More notes of a check are on the page of sources.
const MOST_NOTES: usize = 5;
/// Numbers that say more than the components do are no more than this.
const FEW_NUMBERS: usize = 3;

const COLUMNS: [Column; 7] = [
    Column::new("", 1),
    Column::new("", 4),
    Column::new("", 22).sharing(1),
    Column::new("", 28).sharing(3),
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
            let id = &source.id;
            let answer = cx.known.checks.get(id).and_then(|state| state.last.as_ref());
            if cells::passes(cx.filter, [role.name.as_str()]) {
                list.push((Row::Check(id.clone()), 0));
            }
            let Some(answer) = answer else { continue };
            if has_numbers(answer) && cx.filter.is_empty() {
                list.push((Row::Numbers(id.clone()), 0));
            }
            let folds = cx.filter.is_empty()
                && !self.unfolded.contains(id)
                && answer.components.len() > FOLDS;
            let places = worst_first(&answer.components);
            for place in places {
                let part = &answer.components[place];
                let well = folds && part.status == Status::Ok;
                if !well && cells::passes(cx.filter, [part.name.as_str(), part.status.word()]) {
                    list.push((Row::Component(id.clone(), part.name.clone()), place));
                }
            }
            if folds && answer.components.iter().any(|part| part.status == Status::Ok) {
                list.push((Row::Folded(id.clone()), 0));
            }
            if answer.certificate.is_some() && cells::passes(cx.filter, ["certificate"]) {
                list.push((Row::Certificate(id.clone()), 0));
            }
            if cx.filter.is_empty() {
                list.extend(notes(answer).map(|place| (Row::Note(id.clone()), place)));
            }
        }
        let filtered = !cx.filter.is_empty();
        let (list, places) = list.into_iter().unzip();
        self.places = places;
        self.rows.set(list, |_| filtered);
    }

    fn act(&mut self, action: Action, cx: &ActCx<'_>) -> Option<Vec<Effect>> {
        if let (Action::Open, Some(Row::Folded(id))) = (action, self.rows.selected()) {
            self.unfolded.insert(id.clone());
            return Some(Vec::new());
        }
        let height = Self::table_area(cx, cx.area).height.saturating_sub(1);
        self.rows.act(action, height.into()).then(Vec::new)
    }

    fn chosen(&self, _: &ActCx<'_>) -> Option<Chosen> {
        self.rows.selected().map(|row| Chosen::Source(row.source().clone()))
    }

    fn copied(&self, cx: &ActCx<'_>) -> Option<String> {
        cx.index.source(self.rows.selected()?.source()).map(|source| source.asks.clone())
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
            let place = self.places.get(i).copied().unwrap_or(0);
            self.rows.get(i).map_or_else(Vec::new, |at| row(cx, at, place))
        });
        None
    }
}

/// The places of components, those that are worst first.
fn worst_first(components: &[Component]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..components.len()).collect();
    places.sort_by_key(|place| Reverse(components[*place].status));
    places
}

/// Whether an answer's numbers say more than its components do.
fn has_numbers(answer: &CheckReading) -> bool {
    let count = answer.numbers.len();
    count > 0 && (answer.components.is_empty() || count <= FEW_NUMBERS)
}

/// The places of notes that no component says already.
fn notes(answer: &CheckReading) -> impl Iterator<Item = usize> {
    let says = |note: &str, part: &Component| {
        note.strip_prefix(&part.name).is_some_and(|rest| rest.starts_with(": "))
    };
    let told = move |note: &str| answer.components.iter().any(|part| says(note, part));
    let notes = answer.notes.iter().enumerate();
    notes.filter(move |(_, note)| !told(note)).map(|(place, _)| place).take(MOST_NOTES)
}

/// A row under a check: its texts go on where only a check has something to say.
fn under<'a>(
    cx: &ViewCx<'_>,
    [glyph, word]: [Cell<'a>; 2],
    name: &str,
    said: &str,
    of: &Standing,
) -> Vec<Cell<'a>> {
    let name = format!("  {}", harmless_within(name, 100));
    let said = harmless_within(said, cells::LONGEST);
    vec![
        glyph,
        word,
        Cell::new(name, cx.theme.text()),
        Cell::new(said, cx.theme.text()).over(2),
        Cell::default(),
        Cell::default(),
        cells::age(cx, of.seen, of.mark == Some(Mark::Stale)),
    ]
}

fn row(cx: &ViewCx<'_>, at: &Row, place: usize) -> Vec<Cell<'static>> {
    let id = at.source();
    let Some(state) = cx.act.known.checks.get(id) else { return Vec::new() };
    let empty = || Cell::new("", cx.theme.text());
    let none = || [Cell::default(), Cell::default()];
    let components = state.last.as_ref().map_or(&[][..], |last| &last.components);
    let of = &state.standing;
    match at {
        Row::Check(id) => check_row(cx, id, state),
        Row::Numbers(_) => {
            let numbers = state.last.iter().flat_map(|last| &last.numbers);
            let told = numbers.map(|(name, value)| format!("{name} {}", units::number(value.0)));
            under(cx, none(), "", &told.collect::<Vec<_>>().join(", "), of)
        }
        Row::Component(_, name) => {
            let there = components.get(place).filter(|part| part.name == *name);
            let part = there.or_else(|| components.iter().find(|part| part.name == *name));
            let Some(part) = part else { return Vec::new() };
            under(cx, cells::status(cx, part.status), &part.name, &part.detail, of)
        }
        Row::Folded(_) => {
            let well: Vec<&str> = components
                .iter()
                .filter(|part| part.status == Status::Ok)
                .map(|part| part.name.as_str())
                .collect();
            let name = format!("+{} ok", well.len());
            let said = format!("enter unfolds: {}", well.join(", "));
            under(cx, cells::status(cx, Status::Ok), &name, &said, of)
        }
        Row::Note(_) => {
            let told = state.last.as_ref().and_then(|last| last.notes.get(place));
            under(cx, none(), "note", told.map_or("", String::as_str), of)
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
    if let Some(note) = source.and_then(|source| source.note.as_ref()) {
        reason = format!("{reason}, {}", harmless_within(note, 120));
    }
    let took = last.map_or_else(|| "-".into(), |last| units::duration(last.took));
    let old = state.standing.mark == Some(Mark::Stale);
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
