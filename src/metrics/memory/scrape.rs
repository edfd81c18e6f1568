//! One scrape: a page's lines become samples of series.

use super::index::PairId;
use super::line::Line;
use super::naming::{bound, free_name};
use super::pages::Pages;
use super::series::{NONE, Series, SeriesId, chunk_bytes};
use super::target::{Owner, Target, Watched};
use super::{Memory, Metadata, PageSummary, describe, refusal};
use crate::domain::labels::METRIC_NAME;
use crate::domain::{Labels, Malformed, Timestamp};
use crate::metrics::exposition::{
    Format, MAX_DESCRIBED, Meta, PageError, SampleLine, Sink, Value, parse,
};
use std::time::Duration;

/// Samples that claim to be later than this after their scrape are dropped, as
/// Prometheus does (scrape/scrape.go, `maxAheadTime`).
const MAX_AHEAD: Duration = Duration::from_mins(10);
/// After a longer pause between two scrapes of a target nobody knows what went
/// on in between: the time that one says to have seen begins anew. It is
/// Prometheus' lookback, which no value outlives.
const MAX_PAUSE: Duration = Duration::from_mins(5);
/// Longer HELP texts are cut.
const MAX_HELP: usize = 1024;
/// Families beyond this have no metadata.
const MAX_FAMILIES: usize = 50_000;

/// The metrics that a scrape adds for itself.
const OWN: [&str; 3] = ["up", "scrape_duration_seconds", "scrape_samples_scraped"];

impl Memory {
    /// A scrape that brought a page or failed.
    pub(super) fn scrape(
        &mut self,
        target: &Target,
        page: Option<(&str, &[u8])>,
        took: Duration,
        at: Timestamp,
    ) -> Result<PageSummary, PageError> {
        self.make_room(at);
        let slot = self.slot(Owner::Target(target.clone()));
        // Who sends ever new series has but one page of them; the others lose nothing.
        if self.targets.get(slot as usize).and_then(Option::as_ref).is_some_and(|w| w.over) {
            self.forget_ended(slot);
        }
        let used = self.bytes();
        let Some(mut watched) = self.targets.get_mut(slot as usize).and_then(Option::take) else {
            return Ok(PageSummary::default());
        };
        let last = watched.times.at.last().copied();
        let late = last.is_some_and(|last| at.millis() <= last);
        if last.is_some_and(|last| at.since(Timestamp::from_millis(last)) > MAX_PAUSE) {
            watched.since = None;
        }
        let place = if late { u32::MAX } else { watched.times.push(at.millis()) };
        let mut scrape = Scrape {
            memory: self,
            watched: &mut watched,
            target: target.labels(),
            slot,
            place,
            at: at.millis(),
            late,
            used,
            cursor: 0,
            found: 0,
            fresh: None,
            line: Line::default(),
            scraped: 0,
            grown: (0, 0),
            unread: Vec::new(),
            few_bytes: false,
            summary: PageSummary::default(),
        };
        scrape.enter_own();
        let outcome = scrape.run(page);
        if !late {
            scrape.finish(outcome.is_ok() && page.is_some(), took);
        }
        let (mut summary, scraped) = (scrape.summary, scrape.scraped);
        let (grown, few_bytes) = (scrape.grown, scrape.few_bytes);
        self.bytes = (self.bytes + grown.0).saturating_sub(grown.1);
        summary.series = watched.series as u64;
        watched.over = summary.refused > 0 && !few_bytes;
        if summary.refused > 0 {
            let who = format!("{} {}", target.job(), target.instance());
            let why = refusal(&who, scraped, summary.refused, few_bytes, &self.limits);
            summary.refusal = Some(why);
        }
        if let Some(slot) = self.targets.get_mut(slot as usize) {
            *slot = Some(watched);
        }
        outcome.map(|()| summary)
    }

    /// The owner's place in the list.
    pub(super) fn slot(&mut self, owner: Owner) -> u32 {
        if let Some(&slot) = self.by_owner.get(&owner) {
            return slot;
        }
        let free = self.targets.iter().position(Option::is_none).unwrap_or(self.targets.len());
        let watched = Some(Watched::new(owner.clone()));
        match self.targets.get_mut(free) {
            Some(slot) => *slot = watched,
            None => self.targets.push(watched),
        }
        let slot = u32::try_from(free).unwrap_or(u32::MAX);
        self.by_owner.insert(owner, slot);
        slot
    }
}

/// A scrape that is being taken in.
struct Scrape<'m> {
    memory: &'m mut Memory,
    watched: &'m mut Watched,
    /// The labels of what is scraped.
    target: &'m Labels,
    slot: u32,
    place: u32,
    at: i64,
    /// The clock went back: nothing of this page can be kept.
    late: bool,
    /// Bytes of the memory before this scrape.
    used: usize,
    /// The row of the last page that is expected next.
    cursor: usize,
    /// The row that was recalled.
    found: usize,
    /// This page's rows, from its first difference on.
    fresh: Option<Pages>,
    /// The last line that was looked up.
    line: Line,
    scraped: u64,
    /// Bytes that series and samples have taken, and those that were given back.
    grown: (usize, usize),
    /// Lines that were read and are of no use.
    unread: Vec<Malformed>,
    /// Series were refused for want of bytes.
    few_bytes: bool,
    summary: PageSummary,
}

impl Scrape<'_> {
    fn run(&mut self, page: Option<(&str, &[u8])>) -> Result<(), PageError> {
        let Some((content_type, body)) = page else { return Ok(()) };
        let format = Format::from_content_type(content_type, body)?;
        if self.watched.pages.rows.is_empty() && !self.late {
            self.reserve(body);
        }
        let faults = parse(body, format, self);
        if self.scraped == 0
            && let Some(first) = faults.first.first()
        {
            return Err(PageError::Unreadable(first.clone()));
        }
        describe(&mut self.summary, faults.total, faults.first);
        let unread = std::mem::take(&mut self.unread);
        describe(&mut self.summary, 0, unread);
        Ok(())
    }

    /// Makes room for a target's first page at once: growing by and by copies
    /// and hashes what is there again and again.
    fn reserve(&mut self, body: &[u8]) {
        let lines = body.iter().map(|&byte| usize::from(byte == b'\n')).sum::<usize>();
        let room = self.memory.limits.series_per_target.saturating_sub(self.watched.series);
        let bytes = self.memory.limits.bytes.saturating_sub(self.used);
        // A series takes some hundred bytes, so that not more of them find room.
        let series = lines.min(room).min(bytes / 512);
        self.memory.series.reserve(series);
        self.memory.index.reserve(series);
        let mut fresh = Pages::default();
        fresh.reserve(body.len().min(bytes), series);
        self.fresh = Some(fresh);
    }

    /// Ends what is on the target's page no more and adds the scrape's own samples.
    fn finish(&mut self, up: bool, took: Duration) {
        if up {
            if self.cursor < self.watched.pages.rows.len() {
                self.diverge();
            }
            if let Some(mut fresh) = self.fresh.take() {
                let place = self.place;
                self.end_series(|series| series.seen != place);
                fresh.shrink();
                self.watched.pages = fresh;
            }
            self.watched.since.get_or_insert(self.at);
        } else {
            self.end_series(|_| true);
        }
        self.watched.alive = up;
        let values = [f64::from(u8::from(up)), took.as_secs_f64(), self.scraped as f64];
        for (id, value) in self.watched.own.into_iter().zip(values) {
            self.push(id, None, value);
        }
    }

    fn end_series(&mut self, gone: impl Fn(&Series) -> bool) {
        for id in self.watched.live() {
            if let Some(series) = self.memory.series.get_mut(id as usize)
                && gone(series)
            {
                let before = series.sample_bytes();
                series.end(self.place, self.at);
                self.grown.0 += series.sample_bytes();
                self.grown.1 += before;
            }
        }
    }

    /// Before the page: a page's own `up` is not to take this one's place.
    fn enter_own(&mut self) {
        for (i, name) in OWN.into_iter().enumerate() {
            if self.watched.own[i] == NONE {
                self.watched.own[i] = self.own_series(name);
            }
        }
    }

    fn own_series(&mut self, name: &str) -> SeriesId {
        let index = &mut self.memory.index;
        let mut pairs = vec![index.make_pair(METRIC_NAME, name)];
        let target = self.target.iter();
        pairs.extend(target.map(|(name, value)| index.make_pair(name, value)));
        index.sort(&mut pairs);
        match index.find(&pairs, &self.memory.series) {
            Ok(id) => id,
            Err(hash) => self.add(&pairs, hash),
        }
    }

    fn add(&mut self, pairs: &[PairId], hash: u64) -> SeriesId {
        let id = SeriesId::try_from(self.memory.series.len()).unwrap_or(NONE);
        self.memory.index.add(pairs, hash, id);
        let series = Series::new(pairs.into(), self.slot);
        self.grown.0 += series.own_bytes();
        self.memory.series.push(series);
        self.watched.series += 1;
        id
    }

    /// Adds a sample to a series. False where it was dropped.
    fn push(&mut self, id: SeriesId, at: Option<Timestamp>, value: f64) -> bool {
        let Some(series) = self.memory.series.get_mut(id as usize) else { return false };
        let twice = series.seen == self.place && at.is_none();
        series.seen = self.place;
        if let Some(at) = at {
            let (now, at) = (Timestamp::from_millis(self.at), at);
            if at > now + MAX_AHEAD || at < now - self.memory.limits.age {
                return false;
            }
        }
        if twice || self.late {
            return false;
        }
        let (capacity, sealed) = (series.head.bytes.capacity(), series.sealed.len());
        let millis = at.map_or(self.at, Timestamp::millis);
        let kept = series.push(self.place, at.is_some(), millis, value);
        let after = series.head.bytes.capacity();
        if series.sealed.len() > sealed {
            self.grown.0 += series.sealed.last().map_or(0, chunk_bytes);
        }
        self.grown.0 += after;
        self.grown.1 += capacity;
        kept
    }

    fn count(&mut self, kept: bool) {
        if kept {
            self.summary.samples += 1;
        } else {
            self.summary.dropped += 1;
        }
    }

    /// From here on the page is not the last one; what fitted until now is kept.
    fn diverge(&mut self) {
        if self.fresh.is_none() {
            self.fresh = Some(self.watched.pages.beginning(self.cursor));
        }
    }

    fn note_row(&mut self, text: &str, id: SeriesId) {
        if let Some(fresh) = &mut self.fresh {
            let row = fresh.push(text, id);
            if let Some(series) = self.memory.series.get_mut(id as usize) {
                series.row = row;
            }
        }
    }

    /// The series that a line names; none, and said why, where there is no room.
    fn series(&mut self, sample: &SampleLine<'_, '_>) -> Option<SeriesId> {
        let limits = self.memory.limits;
        let bytes = (self.used + self.grown.0).saturating_sub(self.grown.1);
        let most = limits.series_per_target.saturating_add(OWN.len());
        let room = self.watched.series < most && bytes < limits.bytes;
        let mut line = std::mem::take(&mut self.line);
        // The name, and the labels that are the same and have a value.
        let like = sample.like.filter(|like| line.number == Some(like.line));
        let (same, rest) = sample.labels.split_at(like.map_or(0, |like| like.labels));
        let given = same.iter().filter(|label| !label.value.is_empty()).count();
        line.begin(if like.is_some() { given + 1 } else { 0 });
        let (index, metadata) = (&mut self.memory.index, &self.memory.metadata);
        let mut known = like.is_some() || line.enter(index, METRIC_NAME, sample.name, room);
        let mut renamed = false;
        for label in rest {
            if label.value.is_empty() {
                continue;
            }
            let value = bound(&label.name, &label.value, sample.name, metadata);
            if line.is_own_name(index, &label.name) {
                known &= line.enter(index, &label.name, &value, room);
            } else {
                let name = free_name(&label.name, self.target, sample);
                renamed |= name != label.name;
                known &= line.enter(index, &name, &value, room);
            }
        }
        line.own = line.used;
        // A new name depends on labels that may follow.
        line.number = Some(sample.line).filter(|_| known && !renamed);
        for (name, value) in self.target.iter() {
            known &= line.enter(index, name, value, room);
        }
        let mut id = NONE;
        if known {
            let pairs = line.pairs(index);
            id = match index.find(pairs, &self.memory.series) {
                Ok(id) => id,
                Err(hash) if room => self.add(pairs, hash),
                Err(_) => NONE,
            };
        }
        self.line = line;
        if id == NONE {
            self.summary.refused += 1;
            self.few_bytes = bytes >= limits.bytes;
            return None;
        }
        Some(id)
    }
}

impl Sink for Scrape<'_> {
    fn recall(&mut self, line: &str) -> Option<usize> {
        let (row, length) = self.watched.pages.find(self.cursor, line)?;
        self.found = row;
        Some(length)
    }

    fn recalled(&mut self, line: &str, value: f64, at: Option<Timestamp>) {
        let Some(row) = self.watched.pages.rows.get(self.found).copied() else { return };
        if self.found != self.cursor {
            self.diverge();
        }
        self.note_row(line, row.series);
        self.cursor = self.found + 1;
        self.scraped += 1;
        let kept = self.push(row.series, at, value);
        self.count(kept);
    }

    fn sample(&mut self, sample: &SampleLine<'_, '_>) {
        self.scraped += 1;
        let Value::Float(value) = sample.value else {
            self.summary.malformed += 1;
            if self.unread.len() < MAX_DESCRIBED {
                let message = "native histograms are not read".to_owned();
                self.unread.push(Malformed { line: sample.line, column: 1, message });
            }
            return;
        };
        if self.late {
            self.summary.dropped += 1;
            return;
        }
        let Some(id) = self.series(sample) else { return };
        let owner = self.memory.series.get(id as usize).map(|series| (series.target, series.row));
        if self.watched.own.contains(&id) || owner.is_none_or(|(target, _)| target != self.slot) {
            self.summary.dropped += 1;
            return;
        }
        self.diverge();
        // Where the last page had this line, its next lines are likely to follow.
        if let Some((_, row)) = owner
            && self.watched.pages.rows.get(row as usize).is_some_and(|old| old.series == id)
        {
            self.cursor = row as usize + 1;
        }
        self.note_row(sample.series, id);
        let kept = self.push(id, sample.at, value);
        self.count(kept);
    }

    fn meta(&mut self, family: &str, meta: &Meta<'_>) {
        let families = &mut self.memory.metadata;
        if !families.contains_key(family) {
            if families.len() >= MAX_FAMILIES {
                return;
            }
            families.insert(family.to_owned(), Metadata::default());
        }
        let Some(known) = families.get_mut(family) else { return };
        match meta {
            Meta::Kind(kind) => known.kind = *kind,
            Meta::Help(help) => {
                let end = help.floor_char_boundary(MAX_HELP.min(help.len()));
                if known.help != help[..end] {
                    help[..end].clone_into(&mut known.help);
                }
            }
            Meta::Unit(unit) => (*unit).clone_into(&mut known.unit),
        }
    }
}
