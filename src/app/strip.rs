//! The line that says what is polled: what fails first, then the rest as far
//! as there is room.

use super::state::State;
use crate::domain::reading::PollFailure;
use crate::domain::{Counts, Role, SourceInfo, Status, Timestamp, harmless_within};
use crate::panels::cells;
use crate::store::{Known, Online, Watch, WatchKind};
use crate::ui::{Theme, text};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// What is counted once for many draws: with thousands of sources a key may
/// not wait for it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Survey {
    /// How many things have each status.
    pub(crate) counts: Counts,
    /// Places of sources in the inventory: those that fail, those that wait,
    /// metrics, the rest; the first few of all.
    order: Vec<usize>,
    /// Jobs that have several targets: those are told apart by their addresses.
    crowds: BTreeSet<String>,
    /// How many do not answer.
    bad: usize,
    /// How many there are.
    all: usize,
    /// What else keeps the watching from being whole, worst first.
    watch: Vec<Watch>,
}

/// No line has room for more.
const MOST: usize = 64;

/// How a source stands on the strip, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Bad,
    Waiting,
    Metrics,
    Good,
}

fn kind(known: &Known, source: &SourceInfo, now: Timestamp) -> Kind {
    let Some(state) = known.sources.get(&source.id) else { return Kind::Waiting };
    if cells::unreached(known, &source.id) {
        return Kind::Bad;
    }
    match (state.answered, state.failing.is_some()) {
        (_, true) => Kind::Bad,
        (Some(_), false) if state.is_stale(now, source.every) => Kind::Bad,
        (None, false) => Kind::Waiting,
        (Some(_), false) if matches!(source.role, Role::Server | Role::Scrape { .. }) => {
            Kind::Metrics
        }
        (Some(_), false) => Kind::Good,
    }
}

impl Survey {
    /// Of what is known at `now`.
    pub(crate) fn of(known: &Known, now: Timestamp) -> Self {
        let sources = &known.inventory.sources;
        let mut by_kind: Vec<(Kind, usize)> =
            sources.iter().enumerate().map(|(i, source)| (kind(known, source, now), i)).collect();
        let bad = by_kind.iter().filter(|(kind, _)| *kind <= Kind::Waiting).count();
        by_kind.sort_unstable();
        let order = by_kind.into_iter().take(MOST).map(|(_, i)| i).collect();
        let mut jobs: BTreeMap<&str, usize> = BTreeMap::new();
        for source in sources {
            if let Role::Scrape { job } = &source.role {
                *jobs.entry(job).or_default() += 1;
            }
        }
        let crowds = jobs.into_iter().filter(|(_, targets)| *targets > 1);
        let crowds = crowds.map(|(job, _)| job.to_owned()).collect();
        let mut watch = known.watch();
        watch.retain(|watch| watch.kind != WatchKind::Source);
        Self { counts: known.counts(), order, crowds, bad, all: sources.len(), watch }
    }
}

type Part<'a> = (Cow<'a, str>, Style);

fn part(state: &State, theme: &Theme, source: &SourceInfo) -> Part<'static> {
    let now = state.shown_at();
    let of = state.shown().sources.get(&source.id);
    let label = match &source.role {
        Role::Scrape { job } if !state.survey.crowds.contains(job) => job,
        _ => &source.label,
    };
    let label = harmless_within(label, 24);
    let age = of.and_then(|of| of.answered).map(|at| text::age_in_steps(now.since(at)));
    let glyph = theme.glyphs.status(Status::Unknown);
    let unknown = theme.status(Status::Unknown);
    let kind = kind(state.shown(), source, now);
    let failing = of.and_then(|of| of.failing.as_ref());
    if let Some(word) = failing.and_then(|(_, error)| answer_word(error.cause)) {
        return (format!("{glyph} {label} {word}").into(), unknown);
    }
    match (kind, age) {
        (Kind::Bad, _) if cells::unreached(state.shown(), &source.id) => {
            (format!("{glyph} {label} no answer").into(), unknown)
        }
        (Kind::Bad, Some(age)) if of.is_some_and(|of| of.is_stale(now, source.every)) => {
            (format!("{glyph} {label} STALE {age}").into(), unknown)
        }
        (Kind::Bad, Some(age)) => (format!("{glyph} {label} failing, {age}").into(), unknown),
        (Kind::Bad, None) => (format!("{glyph} {label} no answer").into(), unknown),
        (_, Some(age)) => (format!("{label} {age}").into(), theme.text()),
        (_, None) => (format!("{label} wait").into(), theme.faint()),
    }
}

/// What it answered instead of what it was asked for; nothing where it did not answer.
fn answer_word(cause: PollFailure) -> Option<&'static str> {
    Some(match cause {
        PollFailure::Denied => "denied",
        PollFailure::Absent => "absent",
        PollFailure::Busy => "busy",
        PollFailure::Broken | PollFailure::TooBig => "broken",
        PollFailure::Limited => "limited",
        PollFailure::Name
        | PollFailure::Refused
        | PollFailure::Timeout
        | PollFailure::Network
        | PollFailure::Tls => return None,
    })
}

/// What a part of the strip is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Item {
    Watch,
    Bad,
    Good,
}

fn watch_part(theme: &Theme, watch: &Watch) -> Part<'static> {
    let glyph = theme.glyphs.status(watch.status);
    (format!("{glyph} {}", watch.words).into(), theme.status(watch.status))
}

/// Draws it.
pub(crate) fn draw(state: &State, theme: &Theme, area: Rect, buf: &mut Buffer) {
    /// Columns for what is said of those that have no room.
    const REST: usize = 20;
    let known = state.shown();
    let network: Part<'_> = match known.online {
        Online::Untold => ("".into(), theme.faint()),
        Online::Yes => ("own net ok".into(), theme.text()),
        Online::No { since } => {
            let age = text::age_in_steps(state.shown_at().since(since));
            (format!("THIS HOST IS OFFLINE {age}").into(), theme.status(Status::Critical))
        }
    };
    let wide = u16::try_from(text::width(&network.0)).unwrap_or(0).min(area.width);
    let room = usize::from(area.width - wide).saturating_sub(REST);
    let survey = &state.survey;
    let sources = &known.inventory.sources;
    let in_order = || survey.order.iter().filter_map(|i| sources.get(*i));
    let failing = survey.bad.min(survey.order.len());
    let watched = |critical: bool| {
        let of = survey.watch.iter().filter(move |of| (of.status == Status::Critical) == critical);
        of.map(|of| (Item::Watch, watch_part(theme, of)))
    };
    let bad = in_order().take(failing).map(|of| (Item::Bad, part(state, theme, of)));
    let rest = in_order().skip(failing).map(|of| (Item::Good, part(state, theme, of)));
    let items = watched(true).chain(bad).chain(watched(false)).chain(rest).take(MOST);
    let items: Vec<(Item, Part<'_>)> = items.collect();
    // What is longest may not hide what else is wrong, if that has room beside it.
    let second = items.get(1).filter(|(item, _)| *item != Item::Good);
    let second = second.map_or(0, |(_, (words, _))| text::width(words) + 4);
    let first = Some(room.saturating_sub(second)).filter(|left| *left >= room / 2).unwrap_or(room);
    let mut parts: Vec<Part<'_>> = Vec::new();
    let (mut used, mut shown, mut shown_bad, mut shown_watch) = (0, 0, 0, 0);
    for (item, (words, style)) in items {
        let columns = text::width(&words) + 2;
        // What is worst is told at least in part.
        let words = match used {
            0 => text::cut(&words, first, theme.glyphs.cut).into_owned(),
            _ if used + columns > room => break,
            _ => words.into_owned(),
        };
        used += columns.min(room);
        match item {
            Item::Watch => shown_watch += 1,
            Item::Bad | Item::Good => shown += 1,
        }
        shown_bad += usize::from(item == Item::Bad);
        parts.push((words.into(), style));
        parts.push(("  ".into(), theme.text()));
    }
    let (left, left_bad) = (survey.all - shown, survey.bad - shown_bad);
    let left_watch = survey.watch.len() - shown_watch;
    let unknown = theme.status(Status::Unknown);
    match (left + left_watch, left_bad, left_watch) {
        (0, ..) => {}
        (left, 0, 0) => parts.push((format!("+{left} answer").into(), theme.faint())),
        (left, bad, 0) => parts.push((format!("+{left}, {bad} without answer").into(), unknown)),
        (left, bad, watch) => {
            parts.push((format!("+{left}, {} wrong", bad + watch).into(), unknown));
        }
    }
    if survey.all == 0 {
        parts.push(("nothing is polled: the config names no sources".into(), theme.faint()));
    }
    text::write(buf, Rect { width: area.width - wide, ..area }, parts, theme.glyphs.cut);
    let place = Rect { x: area.right() - wide, width: wide, ..area };
    text::write(buf, place, [network], theme.glyphs.cut);
}
