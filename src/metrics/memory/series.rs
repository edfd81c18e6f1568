//! One series: its labels and its samples, the newest in an open chunk.

use super::chunk::{Chunk, Times};
use crate::domain::Labels;
use crate::domain::Timestamp;
use crate::metrics::{STALE_BITS, Sample, is_stale};

/// The place of a series in the memory's list.
pub(super) type SeriesId = u32;
/// No series.
pub(super) const NONE: SeriesId = SeriesId::MAX;

#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) labels: Labels,
    /// Whose it is.
    pub(super) target: u32,
    /// The place of the last scrape that had it on its page.
    pub(super) seen: u32,
    /// Its line in the target's last page.
    pub(super) row: u32,
    /// The newest value.
    pub(super) last: f64,
    /// Full chunks, the oldest first.
    pub(super) sealed: Vec<Chunk>,
    /// The one that is being filled.
    pub(super) head: Chunk,
}

impl Series {
    pub(super) fn new(labels: Labels, target: u32) -> Self {
        Self {
            labels,
            target,
            seen: u32::MAX,
            row: u32::MAX,
            last: 0.0,
            sealed: Vec::new(),
            head: Chunk::default(),
        }
    }

    /// When the newest sample was taken; none where there is none yet.
    pub(super) fn last_at(&self) -> Option<i64> {
        (self.head.count > 0).then_some(self.head.last_at)
    }

    /// Whether it ended.
    pub(super) fn is_stale(&self) -> bool {
        self.head.count > 0 && is_stale(self.last)
    }

    /// Adds a sample. False where it is not newer than the newest one.
    pub(super) fn push(&mut self, place: u32, timed: bool, at: i64, value: f64) -> bool {
        if self.last_at().is_some_and(|last| at <= last) {
            return false;
        }
        if self.head.count == 0 {
            self.head = Chunk::new(place, timed);
        } else if !self.head.takes(place, timed) {
            let mut full = std::mem::replace(&mut self.head, Chunk::new(place, timed));
            full.settle();
            full.bytes.shrink_to_fit();
            self.sealed.push(full);
        }
        self.head.push(self.last, value, at);
        self.last = value;
        true
    }

    /// Says that who recorded it does so no more; `own` where its moments are the
    /// series' own ones and not those of who records.
    pub(super) fn end_recorded(&mut self, place: u32, own: bool, at: i64) {
        if self.head.count > 0 && !self.is_stale() {
            self.push(place, own, at, f64::from_bits(STALE_BITS));
        }
    }

    /// Says that it is on its target's page no more.
    pub(super) fn end(&mut self, place: u32, at: i64) {
        if self.head.count > 0 && !self.head.timed && !self.is_stale() {
            self.push(place, false, at, f64::from_bits(STALE_BITS));
        }
    }

    pub(super) fn chunks(&self) -> impl Iterator<Item = &Chunk> {
        self.sealed.iter().chain(std::iter::once(&self.head)).filter(|chunk| chunk.count > 0)
    }

    /// The samples in `(after, until]`, in the order of time.
    pub(super) fn samples(&self, times: &Times, after: i64, until: i64, into: &mut Vec<Sample>) {
        for chunk in self.chunks() {
            if chunk.last_at <= after {
                continue;
            }
            if chunk.first_at > until {
                break;
            }
            chunk.samples(times, |at, value| {
                if at > after && at <= until {
                    into.push(Sample { at: Timestamp::from_millis(at), value });
                }
                at <= until
            });
        }
    }

    /// The bytes that its samples take.
    pub(super) fn sample_bytes(&self) -> usize {
        self.head.bytes.capacity() + self.sealed.iter().map(chunk_bytes).sum::<usize>()
    }

    /// The bytes that it takes without its samples: itself, its labels, its
    /// places in the index.
    pub(super) fn own_bytes(&self) -> usize {
        size_of::<Self>() + 48 + self.labels.len() * (32 + 8)
    }
}

/// The bytes that a sealed chunk takes.
pub(super) fn chunk_bytes(chunk: &Chunk) -> usize {
    size_of::<Chunk>() + chunk.bytes.capacity() + 16
}
