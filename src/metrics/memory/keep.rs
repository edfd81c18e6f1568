//! The memory's parts as `metrics::window` writes and reads them.

use super::chunk::{Chunk, FULL, Times};
use super::index::Index;
use super::series::Series;
use super::target::{Owner, Target, Watched, Written};
use super::{Limits, Memory, Metadata};
use crate::domain::Labels;
use crate::metrics::exposition::MetricKind;
use crate::metrics::window::{Reader, Writer};
use std::collections::HashMap;
use std::sync::Arc;

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

impl Memory {
    /// Everything but the last pages, which the next scrapes bring anew.
    pub(in crate::metrics) fn save(&self, out: &mut Writer) {
        let mut texts: HashMap<Arc<str>, u64> = HashMap::new();
        let mut order: Vec<&Arc<str>> = Vec::new();
        let all = self.series.iter().map(|series| &series.labels);
        let targets = self.watched().filter_map(|watched| watched.owner.target());
        let all = all.chain(targets.map(Target::labels));
        for text in all.flat_map(Labels::iter).flat_map(|(name, value)| [name, value]) {
            if !texts.contains_key(text) {
                texts.insert(text.clone(), order.len() as u64);
                order.push(text);
            }
        }
        out.count(order.len());
        for text in order {
            out.bytes(text.as_bytes());
        }
        let labels = |out: &mut Writer, labels: &Labels| {
            out.count(labels.len());
            for text in labels.iter().flat_map(|(name, value)| [name, value]) {
                out.number(texts.get(text).copied().unwrap_or_default());
            }
        };
        out.number(u64::from(self.kept_from.is_some()));
        out.signed(self.kept_from.unwrap_or_default());

        out.count(self.targets.len());
        for slot in &self.targets {
            let Some(watched) = slot else {
                out.number(NOBODY);
                continue;
            };
            match &watched.owner {
                Owner::Target(target) => {
                    out.number(TARGET);
                    labels(out, target.labels());
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

        out.count(self.series.len());
        for series in &self.series {
            labels(out, &series.labels);
            out.number(u64::from(series.target));
            out.bits(series.last);
            let chunks: Vec<&Chunk> = series.chunks().collect();
            out.count(chunks.len());
            for chunk in chunks {
                out.number(u64::from(chunk.timed));
                out.number(u64::from(chunk.start));
                out.number(u64::from(chunk.count));
                out.number(u64::from(chunk.run));
                out.signed(chunk.first_at);
                out.signed(chunk.last_at);
                out.bytes(&chunk.bytes);
            }
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
        let mut texts: Vec<Arc<str>> = Vec::new();
        for _ in 0..from.count()? {
            texts.push(from.text()?.into());
        }
        let kept = from.number()? == 1;
        memory.kept_from = Some(from.signed()?).filter(|_| kept);
        for slot in 0..from.small::<u32>()? {
            let watched = watched(from, &texts)?;
            if let Some(watched) = &watched {
                memory.by_owner.insert(watched.owner.clone(), slot);
            }
            memory.targets.push(watched);
        }
        for _ in 0..from.count()? {
            let series = series(from, &texts)?;
            // A series without a target could never be scraped nor shown.
            memory.targets.get_mut(series.target as usize)?.as_mut()?.series += 1;
            memory.bytes += series.own_bytes() + series.sample_bytes();
            memory.series.push(series);
        }
        for _ in 0..from.count()? {
            let family = from.text()?.to_owned();
            let kind = *KINDS.get(from.small::<usize>()?)?;
            let (help, unit) = (from.text()?.to_owned(), from.text()?.to_owned());
            memory.metadata.insert(family, Metadata { kind, help, unit });
        }
        memory.index = Index::rebuild(&mut memory.series)?;
        from.is_done().then_some(memory)
    }
}

fn labels(from: &mut Reader<'_>, texts: &[Arc<str>]) -> Option<Labels> {
    let mut pairs = Vec::new();
    for _ in 0..from.count()? {
        let mut text = || texts.get(from.small::<usize>()?).cloned();
        pairs.push((text()?, text()?));
    }
    Some(Labels::new(pairs))
}

/// Whoever has this slot; `Some(None)` where nobody does.
fn watched(from: &mut Reader<'_>, texts: &[Arc<str>]) -> Option<Option<Watched>> {
    let mut watched = match from.number()? {
        NOBODY => return Some(None),
        TARGET => Watched::new(Owner::Target(Target::from_labels(labels(from, texts)?))),
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
    Some(Some(watched))
}

fn series(from: &mut Reader<'_>, texts: &[Arc<str>]) -> Option<Series> {
    let labels = labels(from, texts)?;
    let mut series = Series::new(labels, from.small()?);
    series.last = from.bits()?;
    for _ in 0..from.count()? {
        let chunk = Chunk {
            timed: from.number()? == 1,
            start: from.small()?,
            count: from.small().filter(|count| (1..=FULL).contains(count))?,
            run: from.small().filter(|&run: &u8| u16::from(run) <= FULL)?,
            first_at: from.signed()?,
            last_at: from.signed()?,
            bytes: from.bytes()?.to_vec(),
        };
        series.sealed.push(chunk);
    }
    series.head = series.sealed.pop().unwrap_or_default();
    Some(series)
}
