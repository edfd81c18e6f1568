//! One series: its labels and its samples, the newest in an open chunk.

use super::chunk::{Chunk, Head, Sealed, Times};
use super::index::PairId;
use crate::domain::{Labels, Timestamp};
use crate::metrics::storage::{Ends, Packed};
use crate::metrics::{STALE_BITS, Sample, is_stale};
use std::sync::OnceLock;

/// The place of a series in the memory's list.
pub(super) type SeriesId = u32;
/// No series.
pub(super) const NONE: SeriesId = SeriesId::MAX;

#[derive(Clone, Debug)]
pub(super) struct Series {
    /// Its labels in the order of their names.
    pub(super) pairs: Box<[PairId]>,
    /// The same as texts, once somebody has asked for them.
    pub(super) labels: OnceLock<Labels>,
    /// Whose it is.
    pub(super) target: u32,
    /// The place of the last scrape that had it on its page.
    pub(super) seen: u32,
    /// Its line in the target's last page.
    pub(super) row: u32,
    /// How many samples are in full chunks.
    sealed_samples: u32,
    /// The newest value.
    pub(super) last: f64,
    /// Full chunks, the oldest first.
    pub(super) sealed: Vec<Sealed>,
    /// The one that is being filled.
    pub(super) head: Head,
}

impl Series {
    pub(super) fn new(pairs: Box<[PairId]>, target: u32) -> Self {
        Self {
            pairs,
            labels: OnceLock::new(),
            target,
            seen: u32::MAX,
            row: u32::MAX,
            sealed_samples: 0,
            last: 0.0,
            sealed: Vec::new(),
            head: Head::default(),
        }
    }

    /// When the newest sample was taken; none where there is none yet.
    pub(super) fn last_at(&self) -> Option<i64> {
        (self.head.count > 0).then_some(self.head.last_at)
    }

    /// When the oldest sample that is left was taken.
    pub(super) fn first_at(&self) -> Option<i64> {
        let oldest = self.sealed.first().map(|chunk| chunk.first_at);
        oldest.or_else(|| (self.head.count > 0).then_some(self.head.first_at))
    }

    /// Whether it ended.
    pub(super) fn is_stale(&self) -> bool {
        self.head.count > 0 && is_stale(self.last)
    }

    /// Adds a sample. False where it is not newer than the newest one.
    pub(super) fn push(&mut self, place: u32, timed: bool, at: i64, value: f64) -> bool {
        let before = self.last;
        if self.last_at().is_some_and(|last| at <= last) {
            return false;
        }
        if self.head.count > 0 && self.head.takes(place, timed) {
            self.head.push(before, value, at);
        } else {
            if self.head.count > 0 {
                self.add_sealed(self.head.seal());
            }
            self.head.begin(place, timed, at, value);
        }
        self.last = value;
        true
    }

    /// Says that who recorded it does so no more; `own` where its moments are the
    /// series' own ones and not those of who records.
    pub(super) fn end_recorded(&mut self, place: u32, own: bool, at: i64) {
        if self.head.count > 0 && !self.is_stale() {
            self.push(place, own, at, f64::from_bits(STALE_BITS));
            // It may be the last that is heard of it.
            self.head.bytes.shrink_to_fit();
        }
    }

    /// Says that it is on its target's page no more.
    pub(super) fn end(&mut self, place: u32, at: i64) {
        if !self.head.is_timed() {
            self.end_recorded(place, false, at);
        }
    }

    /// Adds a full chunk, newer than all that are there.
    pub(super) fn add_sealed(&mut self, chunk: Sealed) {
        self.sealed_samples += u32::from(chunk.count);
        self.sealed.reserve_exact(1);
        self.sealed.push(chunk);
    }

    /// Forgets full chunks that ended before `oldest`; the bytes that were theirs.
    pub(super) fn forget_before(&mut self, oldest: i64) -> usize {
        let old = self.sealed.iter().take_while(|chunk| chunk.last_at < oldest).count();
        let mut freed = 0;
        for chunk in self.sealed.drain(..old) {
            self.sealed_samples -= u32::from(chunk.count);
            freed += chunk_bytes(&chunk);
        }
        if self.sealed.capacity() > 2 * self.sealed.len() + 4 {
            self.sealed.shrink_to_fit();
        }
        freed
    }

    /// How many samples there are.
    pub(super) fn count(&self) -> u64 {
        u64::from(self.sealed_samples) + u64::from(self.head.count)
    }

    /// The first place of its target's moments that it needs.
    pub(super) fn first_place(&self) -> Option<u32> {
        let sealed = self.sealed.iter().find(|chunk| !chunk.is_timed()).map(|chunk| chunk.start);
        let head = || (self.head.count > 0 && !self.head.is_timed()).then_some(self.head.start);
        sealed.or_else(head)
    }

    /// The bytes that its samples take.
    pub(super) fn sample_bytes(&self) -> usize {
        self.head.bytes.capacity() + self.sealed.iter().map(chunk_bytes).sum::<usize>()
    }

    /// The bytes that it takes without its samples: itself, its places in the index.
    pub(super) fn own_bytes(&self) -> usize {
        size_of::<Self>() + 16 + 24 + self.pairs.len() * (4 + 6)
    }
}

/// The bytes that a sealed chunk takes.
pub(super) fn chunk_bytes(chunk: &Sealed) -> usize {
    size_of::<Sealed>() + chunk.bytes.len() + 16
}

/// The moments from one to another, as places in a target's list, too.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    /// Samples are later than this.
    pub(super) after: i64,
    /// The last moment that counts.
    pub(super) until: i64,
    /// The place of the first moment that counts.
    low: u32,
    /// The place after the last one.
    high: u32,
}

impl Range {
    pub(super) fn new(times: &Times, after: i64, until: i64) -> Self {
        let place = |moment: i64| {
            let before = times.at.partition_point(|&at| at <= moment);
            times.first.saturating_add(u32::try_from(before).unwrap_or(u32::MAX))
        };
        Self { after, until, low: place(after), high: place(until) }
    }

    /// Which samples of a chunk that is not timed count.
    fn part(&self, chunk: &Chunk<&[u8]>) -> (usize, usize) {
        let from = self.low.saturating_sub(chunk.start).min(u32::from(chunk.count));
        let to = self.high.saturating_sub(chunk.start).min(u32::from(chunk.count));
        (from as usize, to as usize)
    }
}

/// A series' samples of a range.
pub(super) struct Window<'a> {
    pub(super) series: &'a Series,
    pub(super) times: &'a Times,
    pub(super) range: Range,
}

impl<'a> Window<'a> {
    /// The chunks that reach into it.
    fn chunks(&self) -> impl Iterator<Item = Chunk<&'a [u8]>> {
        let Range { after, until, .. } = self.range;
        let sealed = &self.series.sealed;
        let old = sealed.iter().rposition(|chunk| chunk.last_at <= after).map_or(0, |at| at + 1);
        let head = &self.series.head;
        let open = (head.count > 0 && head.last_at > after).then(|| head.packed());
        let sealed = sealed.get(old..).unwrap_or_default().iter().map(Chunk::packed);
        sealed.chain(open).take_while(move |chunk| chunk.first_at <= until)
    }

    fn each(&self, chunk: &Chunk<&[u8]>, each: &mut impl FnMut(i64, f64)) {
        let Range { after, until, .. } = self.range;
        if chunk.is_timed() {
            chunk.timed(&mut |at, value| {
                if at > after && at <= until {
                    each(at, value);
                }
            });
            return;
        }
        let (from, to) = self.range.part(chunk);
        let moments = self.times.from(chunk.start, chunk.count);
        let mut moments = moments.get(from..).unwrap_or_default().iter();
        chunk.values(from, to, &mut |value| {
            if let Some(&at) = moments.next() {
                each(at, value);
            }
        });
    }
}

fn sample(at: i64, value: f64) -> Sample {
    Sample { at: Timestamp::from_millis(at), value }
}

impl Packed for Window<'_> {
    fn unpack(&self, into: &mut Vec<Sample>) {
        for chunk in self.chunks() {
            into.reserve(usize::from(chunk.count));
            self.each(&chunk, &mut |at, value| into.push(sample(at, value)));
        }
    }

    fn last(&self) -> Option<Sample> {
        let head = &self.series.head;
        if head.count > 0 && head.last_at <= self.range.until {
            let newest = sample(head.last_at, self.series.last);
            return (head.last_at > self.range.after).then_some(newest);
        }
        let mut last = None;
        for chunk in self.chunks() {
            self.each(&chunk, &mut |at, value| last = Some(sample(at, value)));
        }
        last
    }

    fn ends(&self, fell: &mut Vec<f64>) -> Option<Ends> {
        let mut ends: Option<Ends> = None;
        let mut add = |first: Sample, last: Sample, count: usize| match &mut ends {
            None => ends = Some(Ends { first, last, count }),
            Some(ends) => {
                if first.value < ends.last.value {
                    fell.push(ends.last.value);
                }
                ends.last = last;
                ends.count += count;
            }
        };
        for chunk in self.chunks() {
            let (from, to) = self.range.part(&chunk);
            let moments = self.times.from(chunk.start, chunk.count);
            if from < to
                && let Some((first, last)) = chunk.ends(from, to)
                && let (Some(&first_at), Some(&last_at)) = (moments.get(from), moments.get(to - 1))
            {
                if !is_stale(first) {
                    add(sample(first_at, first), sample(last_at, last), to - from);
                }
                continue;
            }
            self.each(&chunk, &mut |at, value| {
                if !is_stale(value) {
                    add(sample(at, value), sample(at, value), 1);
                }
            });
        }
        ends
    }
}
