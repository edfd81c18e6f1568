//! The line that says what is polled: what fails first, then the rest as far
//! as there is room.

use super::state::State;
use crate::domain::{Counts, Role, SourceInfo, Status, Timestamp, harmless_within};
use crate::panels::cells;
use crate::store::{Known, Online};
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
        Self { counts: known.counts(), order, crowds, bad, all: sources.len() }
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
    match (kind(state.shown(), source, now), age) {
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
    let mut parts: Vec<Part<'_>> = Vec::new();
    let (mut used, mut shown, mut shown_bad) = (0, 0, 0);
    for source in survey.order.iter().filter_map(|i| known.inventory.sources.get(*i)) {
        let part = part(state, theme, source);
        let columns = text::width(&part.0) + 2;
        if used + columns > room {
            break;
        }
        used += columns;
        shown_bad += usize::from(shown < survey.bad);
        shown += 1;
        parts.push(part);
        parts.push(("  ".into(), theme.text()));
    }
    let (left, left_bad) = (survey.all - shown, survey.bad - shown_bad);
    if left_bad > 0 {
        let more = format!("+{left}, {left_bad} without answer");
        parts.push((more.into(), theme.status(Status::Unknown)));
    } else if left > 0 {
        parts.push((format!("+{left} answer").into(), theme.faint()));
    }
    if survey.all == 0 {
        parts.push(("nothing is polled: the config names no sources".into(), theme.faint()));
    }
    text::write(buf, Rect { width: area.width - wide, ..area }, parts, theme.glyphs.cut);
    let place = Rect { x: area.right() - wide, width: wide, ..area };
    text::write(buf, place, [network], theme.glyphs.cut);
}
