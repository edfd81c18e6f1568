//! The memory's parts as `metrics::window` writes and reads them.

use super::chunk::{Chunk, Form, Sealed, Times};
use super::index::{Index, PairId};
use super::series::Series;
use super::target::{Owner, Target, Watched, Written};
use super::{Limits, Memory, Metadata};
use crate::domain::Labels;
use crate::metrics::exposition::MetricKind;
use crate::metrics::window::{Reader, Writer};

const KINDS: [MetricKind; 8] = [
    MetricKind::Unknown,
    MetricKind::Counter,
    MetricKind::Gauge,
    MetricKind::Histogram,
    MetricKind::GaugeHistogram,
    MetricKind::Summary,
    MetricKind::Info,
    MetricKind::StateSet,
];

// Who has a slot.
const NOBODY: u64 = 0;
const TARGET: u64 = 1;
const GROUP: u64 = 2;
const LOOSE: u64 = 3;

// How a chunk is to be read; below these the width of its steps.
const TOKENS: u8 = 8;
const TIMED: u8 = 9;

impl Memory {
    /// Everything but the last pages, which the next scrapes bring anew.
    pub(in crate::metrics) fn save(&self, out: &mut Writer) {
        out.count(self.index.names().len());
        for name in self.index.names() {
            out.bytes(name.text.as_bytes());
        }
        out.count(self.index.pairs().len());
        for pair in self.index.pairs() {
            out.number(u64::from(pair.name));
            out.bytes(pair.value.as_bytes());
        }
        out.number(u64::from(self.kept_from.is_some()));
        out.signed(self.kept_from.unwrap_or_default());

        out.count(self.targets.len());
        for slot in &self.targets {
            match slot {
                None => out.number(NOBODY),
                Some(watched) => save_watched(watched, out),
            }
        }

        out.count(self.series.len());
        for series in &self.series {
            save_series(series, out);
        }

        out.count(self.metadata.len());
        for (family, metadata) in &self.metadata {
            out.bytes(family.as_bytes());
            let kind = KINDS.iter().position(|&kind| kind == metadata.kind);
            out.count(kind.unwrap_or_default());
            out.bytes(metadata.help.as_bytes());
            out.bytes(metadata.unit.as_bytes());
        }
    }

    /// The memory that was saved; `None` where the bytes make no sense.
    pub(in crate::metrics) fn load(from: &mut Reader<'_>, limits: Limits) -> Option<Self> {
        let mut memory = Self::new(limits);
        let mut names = Vec::new();
        for place in 0..from.count()? {
            // Each name stands once.
            let id = memory.index.make_name(from.text()?);
            (id as usize == place).then_some(())?;
            names.push(id);
        }
        for place in 0..from.count()? {
            let name = *names.get(from.small::<usize>()?)?;
            let value = from.text().filter(|value| !value.is_empty())?;
            (memory.index.make_value(name, value) as usize == place).then_some(())?;
        }
        let kept = from.number()? == 1;
        memory.kept_from = Some(from.signed()?).filter(|_| kept);
        for slot in 0..from.small::<u32>()? {
            let watched = watched(from)?;
            if let Some(watched) = &watched {
                memory.by_owner.insert(watched.owner.clone(), slot);
            }
            memory.targets.push(watched);
        }
        let ranks = ranks(&memory.index);
        let count = from.count()?;
        // Each takes some bytes at least.
        memory.index.reserve(count.min(from.left() / 8));
        memory.series.reserve(count.min(from.left() / 8));
        for id in (0..).take(count) {
            let series = series(from, &memory.index, &ranks)?;
            // A series without a target could never be scraped nor shown.
            memory.targets.get_mut(series.target as usize)?.as_mut()?.series += 1;
            memory.bytes += series.own_bytes() + series.sample_bytes();
            let hash = memory.index.find(&series.pairs, &memory.series).err()?;
            memory.index.add(&series.pairs, hash, id);
            memory.series.push(series);
        }
        for _ in 0..from.count()? {
            let family = from.text()?.to_owned();
            let kind = *KINDS.get(from.small::<usize>()?)?;
            let (help, unit) = (from.text()?.to_owned(), from.text()?.to_owned());
            memory.metadata.insert(family, Metadata { kind, help, unit });
        }
        from.is_done().then_some(memory)
    }
}

fn save_watched(watched: &Watched, out: &mut Writer) {
    match &watched.owner {
        Owner::Target(target) => {
            out.number(TARGET);
            out.count(target.labels().len());
            for text in target.labels().iter().flat_map(|(name, value)| [name, value]) {
                out.bytes(text.as_bytes());
            }
        }
        Owner::Group(name) => {
            out.number(GROUP);
            out.bytes(name.as_bytes());
            out.count(watched.rules.len());
            for (rule, written) in &watched.rules {
                out.bytes(rule.as_bytes());
                out.signed(written.since);
                out.signed(written.last);
            }
        }
        Owner::Loose => out.number(LOOSE),
    }
    out.number(u64::from(watched.since.is_some()));
    out.signed(watched.since.unwrap_or_default());
    out.number(u64::from(watched.times.first));
    out.count(watched.times.at.len());
    let mut before = 0;
    for &at in &watched.times.at {
        out.signed(at.wrapping_sub(before));
        before = at;
    }
}

fn save_series(series: &Series, out: &mut Writer) {
    out.count(series.pairs.len());
    for &pair in &series.pairs {
        out.number(u64::from(pair));
    }
    out.number(u64::from(series.target));
    out.bits(series.last);
    out.count(series.sealed.len() + usize::from(series.head.count > 0));
    for chunk in &series.sealed {
        save_chunk(&chunk.packed(), out);
    }
    if series.head.count > 0 {
        save_chunk(&series.head.packed(), out);
    }
}

fn save_chunk(chunk: &Chunk<&[u8]>, out: &mut Writer) {
    let (form, run) = match chunk.form {
        Form::Steps(width) => (width, 0),
        Form::Tokens(run) => (TOKENS, run),
        Form::Timed => (TIMED, 0),
    };
    out.byte(form);
    out.byte(run);
    out.byte(chunk.count);
    out.number(u64::from(chunk.start));
    out.signed(chunk.first_at);
    out.number(chunk.last_at.abs_diff(chunk.first_at));
    out.bits(chunk.first);
    out.bytes(chunk.bytes);
}

fn chunk(from: &mut Reader<'_>) -> Option<Sealed> {
    let (form, run) = (from.byte()?, from.byte()?);
    let form = match form {
        0..=4 => Form::Steps(form),
        TOKENS => Form::Tokens(run),
        TIMED => Form::Timed,
        _ => return None,
    };
    let count = from.byte().filter(|&count| count > 0 && run <= count)?;
    let start = from.small()?;
    let first_at = from.signed()?;
    let last_at = first_at.checked_add_unsigned(from.number()?)?;
    let first = from.bits()?;
    let bytes: Box<[u8]> = from.bytes()?.into();
    let steps = match form {
        Form::Steps(width) => bytes.len() == usize::from(width) * usize::from(count - 1),
        Form::Tokens(_) | Form::Timed => true,
    };
    steps.then_some(Chunk { first_at, last_at, first, start, count, form, bytes })
}

/// Whoever has this slot; `Some(None)` where nobody does.
#[expect(clippy::option_option, reason = "the outer one says whether the bytes make sense")]
fn watched(from: &mut Reader<'_>) -> Option<Option<Watched>> {
    let mut watched = match from.number()? {
        NOBODY => return Some(None),
        TARGET => {
            let mut labels = Vec::new();
            for _ in 0..from.count()? {
                labels.push((from.text()?, from.text()?));
            }
            Watched::new(Owner::Target(Target::from_labels(Labels::new(labels))))
        }
        GROUP => {
            let mut group = Watched::new(Owner::Group(from.text()?.into()));
            for _ in 0..from.count()? {
                let rule = from.text()?.into();
                let (since, last) = (from.signed()?, from.signed()?);
                group.rules.insert(rule, Written { since, last, series: Vec::new() });
            }
            group
        }
        LOOSE => Watched::new(Owner::Loose),
        _ => return None,
    };
    let paged = from.number()? == 1;
    watched.since = Some(from.signed()?).filter(|_| paged);
    watched.times = Times { first: from.small()?, ..Times::default() };
    let mut before = 0_i64;
    for _ in 0..from.count()? {
        before = before.wrapping_add(from.signed()?);
        watched.times.push(before);
    }
    // The moments grow, and no place comes twice.
    let grows = watched.times.at.is_sorted_by(|a, b| a < b);
    let fits = watched.times.first.checked_add(u32::try_from(watched.times.at.len()).ok()?);
    (grows && fits.is_some()).then_some(Some(watched))
}

/// For each name its place in the order of names.
fn ranks(index: &Index) -> Vec<u32> {
    let mut order: Vec<(&str, u32)> =
        (0..).zip(index.names()).map(|(id, name)| (&*name.text, id)).collect();
    order.sort_unstable();
    let mut ranks = vec![0; order.len()];
    for (rank, (_, id)) in (0..).zip(order) {
        if let Some(place) = ranks.get_mut(id as usize) {
            *place = rank;
        }
    }
    ranks
}

fn series(from: &mut Reader<'_>, index: &Index, ranks: &[u32]) -> Option<Series> {
    let count = from.count().filter(|&count| count <= ranks.len())?;
    let mut pairs = Vec::with_capacity(count);
    let mut before = None;
    for _ in 0..count {
        let id = from.small::<PairId>()?;
        let rank = *ranks.get(index.pair(id)?.name as usize)?;
        // In the order of names, each once.
        before.is_none_or(|before| before < rank).then_some(())?;
        before = Some(rank);
        pairs.push(id);
    }
    let mut series = Series::new(pairs.into(), from.small()?);
    series.last = from.bits()?;
    let chunks = from.count()?;
    let mut last_at = None;
    for left in (0..chunks).rev() {
        let chunk = chunk(from)?;
        // One after the other.
        last_at.is_none_or(|last| last < chunk.first_at).then_some(())?;
        last_at = Some(chunk.last_at);
        if left > 0 {
            series.add_sealed(chunk);
        } else {
            series.head = chunk.open();
        }
    }
    Some(series)
}
