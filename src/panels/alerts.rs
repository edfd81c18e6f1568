//! Alerts that fire or are pending, worst first.

use super::{ActCx, Chosen, Kind, Panel, Rows, ViewCx, cells};
use crate::domain::{
    Alert, AlertState, Quiet, ServiceName, Severity, SourceId, Status, Timestamp, harmless_within,
};
use crate::store::{Action, Effect};
use crate::ui::Scope;
use crate::ui::layout::Need;
use crate::ui::table::{Cell, Column, Table, fit};
use crate::ui::text;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// As the registry knows it.
pub const KIND: Kind =
    Kind { name: "alerts", filtered: true, build: || Box::new(Alerts::default()) };

/// A row: an alert, or how many are explained by a service.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Row {
    Alert(u64),
    Fold(ServiceName),
}

#[derive(Debug, Default)]
struct Alerts {
    rows: Rows<Row>,
    /// Where each row's alert stood in what is known when the rows were taken in.
    places: Vec<usize>,
    /// What folds under each root, in order, whether it is unfolded or not.
    folds: BTreeMap<ServiceName, Vec<usize>>,
    /// The roots that are unfolded.
    open: BTreeSet<ServiceName>,
    /// Which root each alert of `folds` is under.
    under: BTreeMap<u64, ServiceName>,
    tally: Tally,
    /// Rows are taken in anew though nothing has changed.
    due: bool,
    /// To be selected when they are.
    wanted: Option<u64>,
}

/// How many alerts there are of what kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    all: usize,
    shown: usize,
    folded: usize,
    silenced: usize,
    inhibited: usize,
    muted: usize,
    pending: usize,
}

impl Tally {
    fn add(&mut self, alert: &Alert) {
        match alert.quiet.first() {
            Some(Quiet::Silenced { .. }) => self.silenced += 1,
            Some(Quiet::Inhibited { .. }) => self.inhibited += 1,
            Some(Quiet::Muted { .. }) => self.muted += 1,
            None if alert.state == AlertState::Pending => self.pending += 1,
            None => {}
        }
    }

    fn title(self, filtered: bool) -> String {
        let mut title = if filtered && self.shown != self.all {
            format!("ALERTS {} of {}", self.shown, self.all)
        } else {
            format!("ALERTS {}", self.all)
        };
        for (count, word) in [
            (self.folded, "folded"),
            (self.silenced, "silenced"),
            (self.inhibited, "inhibited"),
            (self.muted, "muted"),
            (self.pending, "pending"),
        ] {
            if count > 0 {
                // Writing to a String cannot fail.
                let _ = write!(title, ", {count} {word}");
            }
        }
        title
    }
}

const ALERT: usize = 3;
const COLUMNS: [Column; 8] = [
    Column::new("", 1),
    Column::new("", 4),
    Column::new("", 15).sharing(1),
    Column::new("alert", 19).goes(3),
    Column::new("why", 38).sharing(3),
    Column::new("origin", 8).goes(4),
    Column::new("for", 7).right(),
    Column::new("seen", 6).right().goes(1),
];

/// The status that an alert is shown with.
pub(super) fn shown_status(alert: &Alert) -> Status {
    alert.severity.status()
}

/// Those that count come first, then those that will, then those that nobody is told of.
fn rank(alert: &Alert) -> u8 {
    if alert.is_quiet() {
        3
    } else if alert.state == AlertState::Pending {
        1
    } else if alert.severity == Severity::Info {
        2
    } else {
        0
    }
}

fn find<'a>(cx: &ActCx<'a>, identity: u64) -> Option<&'a Alert> {
    cx.known.alerts.iter().find(|alert| alert.identity() == identity)
}

impl Alerts {
    /// The alert of a row.
    fn at<'a>(&self, cx: &ActCx<'a>, row: usize) -> Option<&'a Alert> {
        let Row::Alert(identity) = self.rows.get(row)? else { return None };
        let there = self.places.get(row).and_then(|place| cx.known.alerts.get(*place));
        there.filter(|alert| alert.identity() == *identity).or_else(|| find(cx, *identity))
    }

    /// Takes the rows in: what is explained stands under the first alert of
    /// what explains it, as one row until it is unfolded. A filter looks at
    /// each alert by itself.
    fn take_in(&mut self, cx: &ActCx<'_>) {
        let known = &cx.known.alerts;
        let explained = cx.known.explained();
        self.tally = Tally { all: known.len(), ..Tally::default() };
        self.folds.clear();
        self.under.clear();
        let passes = |alert: &Alert| {
            let service = alert.service.as_ref().map_or("", |name| name.as_str());
            let state = match alert.quiet.first() {
                Some(Quiet::Silenced { .. }) => "silenced",
                Some(Quiet::Inhibited { .. }) => "inhibited",
                Some(Quiet::Muted { .. }) => "muted",
                None if alert.state == AlertState::Pending => "pending",
                None => "firing",
            };
            let origins = alert.origins.iter().map(String::as_str);
            let said = [alert.name(), service, &alert.reason, severity_word(alert.severity), state];
            cells::passes(cx.filter, said.into_iter().chain(origins))
        };
        // Whose release stands right before the first error stands before others that
        // are as bad: they may be so because of it.
        let change = cx.known.last_change().filter(|change| change.before_first_error.is_some());
        let suspect = change.and_then(|change| change.release.service);
        let mut listed: Vec<(u8, Reverse<Severity>, bool, usize, u64)> =
            Vec::with_capacity(known.len());
        let mut heads: BTreeSet<&ServiceName> = BTreeSet::new();
        for (place, alert) in known.iter().enumerate() {
            self.tally.add(alert);
            if !passes(alert) {
                continue;
            }
            let (rank, identity) = (rank(alert), alert.identity());
            let root = explained.root_of_alert(identity);
            match root.filter(|_| cx.filter.is_empty() && rank < 3) {
                Some(root) => {
                    self.folds.entry(root.clone()).or_default().push(place);
                    self.under.insert(identity, root.clone());
                }
                None if rank == 0 => heads.extend(alert.service.as_ref()),
                None => {}
            }
            let beside = suspect.is_none() || alert.service != suspect;
            listed.push((rank, Reverse(alert.severity), beside, place, identity));
        }
        listed.sort_unstable();
        self.tally.shown = listed.len();
        self.tally.folded = self.under.len();
        let (mut list, mut places) = (Vec::new(), Vec::new());
        let mut seen: BTreeSet<&ServiceName> = BTreeSet::new();
        for (.., place, identity) in listed {
            let root = match self.under.get(&identity) {
                // Where what explains has no alert of its own, it stands here.
                Some(root) if !heads.contains(root) => Some(root),
                Some(_) => continue,
                None => {
                    list.push(Row::Alert(identity));
                    places.push(place);
                    known[place].service.as_ref()
                }
            };
            let Some(root) = root.filter(|root| self.folds.contains_key(*root)) else { continue };
            if !seen.insert(root) {
                continue;
            }
            list.push(Row::Fold(root.clone()));
            places.push(usize::MAX);
            if self.open.contains(root) {
                let folded = self.folds.get(root).into_iter().flatten();
                for place in folded {
                    list.push(Row::Alert(known[*place].identity()));
                    places.push(*place);
                }
            }
        }
        self.places = places;
        // What was selected and is folded now is in the row that it folded into.
        let into = match self.rows.selected() {
            Some(Row::Alert(identity)) => {
                self.under.get(identity).filter(|root| !self.open.contains(*root)).cloned()
            }
            _ => None,
        };
        self.rows.set(list, |row| match row {
            Row::Alert(identity) => find(cx, *identity).is_some(),
            Row::Fold(_) => false,
        });
        // What is worst may come in later than what it causes.
        self.rows.rest_on_first();
        if let Some(root) = into {
            self.rows.choose(&Row::Fold(root));
        }
        if let Some(identity) = self.wanted.take() {
            self.rows.choose(&Row::Alert(identity));
        }
    }

    fn fold_row(&self, cx: &ViewCx<'_>, root: &ServiceName, wide: u16) -> Vec<Cell<'static>> {
        let folded = self.folds.get(root).map_or(&[][..], Vec::as_slice);
        let mut services: Vec<&ServiceName> = Vec::new();
        for place in folded {
            let of = cx.act.known.alerts.get(*place).and_then(|alert| alert.service.as_ref());
            if let Some(of) = of.filter(|of| !services.contains(of))
                && services.len() < 100
            {
                services.push(of);
            }
        }
        let shown = |name: &ServiceName| harmless_within(name.as_str(), 40);
        let open = self.open.contains(root);
        let sign = if open { "" } else { "+" };
        let how = if open { " (enter folds)" } else { " (enter unfolds)" };
        let head = format!("{sign}{} explained by {}", folded.len(), shown(root));
        let names: Vec<String> = services.into_iter().map(shown).collect();
        let left = usize::from(wide).saturating_sub(text::width(&head) + how.len() + 5);
        let names = names.join(", ");
        let names = text::cut(&names, left, cx.theme.glyphs.cut);
        let mut cells = vec![Cell::default(); COLUMNS.len()];
        let said = format!("{head}: {names}{how}");
        cells[1] = Cell::new(said, cx.theme.key()).over(COLUMNS.len() - 2);
        cells
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
        if cx.changed || self.due || self.tally.all != cx.known.alerts.len() {
            self.due = false;
            self.take_in(cx);
        }
    }

    fn act(&mut self, action: Action, cx: &ActCx<'_>) -> Option<Vec<Effect>> {
        if let (Action::Open, Some(Row::Fold(root))) = (action, self.rows.selected()) {
            if !self.open.remove(root) {
                self.open.insert(root.clone());
            }
            self.due = true;
            return Some(Vec::new());
        }
        let height = cx.area.height.saturating_sub(1);
        self.rows.act(action, height.into()).then(Vec::new)
    }

    fn chosen(&self, _: &ActCx<'_>) -> Option<Chosen> {
        self.rows.selected().map(|row| match row {
            Row::Alert(identity) => Chosen::Alert(*identity),
            Row::Fold(root) => Chosen::Service(root.clone()),
        })
    }

    fn choose(&mut self, wanted: &Chosen) {
        if let Chosen::Alert(identity) = wanted {
            if let Some(root) = self.under.get(identity)
                && self.open.insert(root.clone())
            {
                self.due = true;
                self.wanted = Some(*identity);
            }
            self.rows.choose(&Row::Alert(*identity));
        }
    }

    fn copied(&self, cx: &ActCx<'_>) -> Option<String> {
        match self.rows.selected()? {
            Row::Alert(identity) => {
                let alert = find(cx, *identity)?;
                Some(format!("{} {}: {}", alert.name(), alert.labels, alert.reason))
            }
            Row::Fold(root) => {
                let folded = self.folds.get(root)?.iter();
                let alerts = folded.filter_map(|place| cx.known.alerts.get(*place));
                let lines = alerts.map(|alert| format!("{} {}", alert.name(), alert.labels));
                Some(format!("explained by {root}:\n{}", lines.collect::<Vec<_>>().join("\n")))
            }
        }
    }

    fn view(&self, cx: &ViewCx<'_>, area: Rect, buf: &mut Buffer) -> Option<Position> {
        let all = self.tally.all;
        let title = self.tally.title(!cx.act.filter.is_empty());
        let unknown = if all == 0 { cx.act.known.counts().unknown } else { 0 };
        let empty = match (all, unknown) {
            (0, 0) => "no alert fires".to_owned(),
            (0, 1) => "no alert fires; 1 thing is unknown".to_owned(),
            (0, many) => format!("no alert fires; {many} things are unknown"),
            _ => "no alert holds the filter's text".to_owned(),
        };
        let table = Table {
            title: &title,
            columns: &COLUMNS,
            rows: self.rows.len(),
            from: self.rows.from(area.height.saturating_sub(1).into()),
            selected: self.rows.at(),
            focused: cx.focused,
            empty: &empty,
        };
        let named = fit(&COLUMNS, area.width)[ALERT].is_some();
        table.draw(cx.theme, area, buf, |i| match self.rows.get(i) {
            Some(Row::Fold(root)) => self.fold_row(cx, root, area.width),
            Some(Row::Alert(identity)) => self.at(&cx.act, i).map_or_else(Vec::new, |alert| {
                row(cx, alert, named, self.under.contains_key(identity))
            }),
            None => Vec::new(),
        });
        None
    }
}

/// What keeps an alert quiet: `silenced by wang until 14:10`.
pub(super) fn quiet_words(quiet: &Quiet, now: Timestamp, offset_min: i32) -> String {
    match quiet {
        Quiet::Silenced { by, until, .. } => {
            let mut words = "silenced".to_owned();
            // Writing to a String cannot fail.
            if !by.is_empty() {
                let _ = write!(words, " by {}", harmless_within(by, 40));
            }
            if let Some(until) = until {
                let _ = write!(words, " until {}", text::moment(*until, now, offset_min));
            }
            words
        }
        Quiet::Inhibited { by } => format!("inhibited by {}", harmless_within(by, 80)),
        Quiet::Muted { by } => format!("muted by {}", harmless_within(by, 80)),
    }
}

/// What an alert is about, and its reason without what that says already.
fn whose<'a>(cx: &ActCx<'_>, alert: &'a Alert) -> (String, Cow<'a, str>) {
    let reason = Cow::Borrowed(alert.reason.as_str());
    if let Some(service) = &alert.service {
        return (service.to_string(), reason);
    }
    if let Some(backup) = alert.labels.get("backup")
        && let Some(rest) = alert.reason.strip_prefix(&format!("{backup}: "))
    {
        return (backup.to_owned(), Cow::Borrowed(rest));
    }
    if let Some(instance) = alert.labels.get("instance") {
        // In `node on 10.0.0.7:9100 is down` it is needed, before a path it is not.
        let said = format!(" on {instance}");
        let reason = match reason.split_once(&said) {
            Some((before, "")) => Cow::Owned(before.to_owned()),
            Some((before, after)) if after.starts_with(" /") => {
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

fn row(cx: &ViewCx<'_>, alert: &Alert, named: bool, indented: bool) -> Vec<Cell<'static>> {
    let status = shown_status(alert);
    let [glyph, word] = cells::status(cx, status);
    let word = if alert.severity == Severity::Info { Cell::new("info", word.style) } else { word };
    let (of, reason) = whose(&cx.act, alert);
    let why = harmless_within(&reason, cells::LONGEST);
    let name = harmless_within(alert.name(), cells::LONGEST);
    // The reason that others give for an alert seldom says which it is.
    let says = why.contains(&name) || of == name;
    let which = match alert.labels.get("backup") {
        Some(backup) if !named && *backup == of => "backup",
        _ if named || says || alert.source.is_none() => "",
        _ => name.as_str(),
    };
    let state = match alert.quiet.first() {
        Some(quiet) => quiet_words(quiet, cx.act.now, cx.offset_min),
        None if alert.state == AlertState::Pending => "pending".to_owned(),
        None => String::new(),
    };
    let said = [which, &state, &why].into_iter().filter(|part| !part.is_empty());
    let why = said.collect::<Vec<_>>().join(": ");
    let held = cx.act.now.since(alert.since);
    let lasts = match text::age_in_steps(held) {
        steps if !alert.since_at_least => steps,
        steps if steps.starts_with('<') => ">=0s".to_owned(),
        steps => format!(">={steps}"),
    };
    let indent = if indented { "  " } else { "" };
    let of = format!("{indent}{}", harmless_within(&of, cells::LONGEST));
    let mut cells = vec![
        glyph,
        word,
        Cell::new(of, cx.theme.strong()),
        Cell::new(name, cx.theme.text()),
        Cell::new(why, cx.theme.text()),
        Cell::new(origins(alert), cx.theme.faint()),
        Cell::new(lasts, cx.theme.text()),
        cells::age(cx, Some(alert.seen), false),
    ];
    if alert.is_quiet() {
        for cell in &mut cells {
            cell.style = cx.theme.faint();
        }
    }
    cells
}

/// Who tells of it, in a few columns.
fn origins(alert: &Alert) -> String {
    let short = |origin: &String| match origin.as_str() {
        "prometheus" => "prom".to_owned(),
        "alertmanager" => "am".to_owned(),
        other => harmless_within(other, 20),
    };
    alert.origins.iter().map(short).collect::<Vec<_>>().join("+")
}

/// The severity in a word.
pub(super) fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    }
}
