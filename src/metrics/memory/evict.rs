//! What goes when it is old, and what goes when there is no room.

use super::Memory;
use super::series::{NONE, Series, SeriesId, chunk_bytes};
use crate::domain::Timestamp;

impl Memory {
    /// Forgets what is older than the limit, as far as whole chunks are, and
    /// targets of which nothing is left. Looks at every series: for now and
    /// then, not for each scrape.
    pub fn expire(&mut self, now: Timestamp) {
        let oldest = (now - self.limits.age).millis();
        self.forget_before(oldest);
        self.forget_moments();
        self.forget_targets(oldest);
        self.metadata.shrink_to_fit();
    }

    /// Forgets the oldest when the bytes come near their limit.
    pub(super) fn make_room(&mut self, now: Timestamp) {
        let used = self.bytes();
        let enough = self.limits.bytes - self.limits.bytes / 10;
        if used <= enough {
            return;
        }
        let excess = used - (self.limits.bytes - self.limits.bytes / 5);
        let mut ends = Vec::new();
        for series in &self.series {
            ends.extend(series.sealed.iter().map(|chunk| (chunk.last_at, chunk_bytes(chunk))));
            if series.is_stale() {
                let bytes = series.own_bytes() + series.head.bytes.capacity();
                ends.push((series.head.last_at, bytes));
            }
        }
        ends.sort_unstable();
        let mut freed = 0;
        let oldest = ends.iter().find(|(_, bytes)| {
            freed += bytes;
            freed >= excess
        });
        // Never what was scraped a moment ago.
        if let Some(&(oldest, _)) = oldest.or(ends.last()) {
            self.forget_before(oldest.min(now.millis() - 1).saturating_add(1));
            self.forget_moments();
        }
    }

    /// Forgets chunks that ended before `oldest`, and series of which none is left.
    fn forget_before(&mut self, oldest: i64) {
        let mut freed = 0;
        let mut lost = false;
        let mut idle = false;
        for series in &mut self.series {
            let gone = series.forget_before(oldest);
            freed += gone;
            lost = lost || gone > 0;
            idle = idle || series.last_at().is_none_or(|last| last < oldest);
        }
        self.bytes = self.bytes.saturating_sub(freed);
        if idle {
            lost = true;
            self.remove(|series| series.last_at().is_none_or(|last| last < oldest));
        }
        if lost {
            self.kept_from = Some(self.kept_from.map_or(oldest, |from| from.max(oldest)));
        }
    }

    /// Forgets moments of scrapes that no chunk needs any more.
    fn forget_moments(&mut self) {
        let mut needed: Vec<u32> =
            self.targets.iter().map(|w| w.as_ref().map_or(0, |w| w.times.next())).collect();
        for series in &self.series {
            let first = series.first_place();
            if let (Some(first), Some(needed)) = (first, needed.get_mut(series.target as usize)) {
                *needed = first.min(*needed);
            }
        }
        for (watched, needed) in self.targets.iter_mut().zip(needed) {
            if let Some(watched) = watched {
                // The last one stays: the next scrape has to be later.
                let last = watched.times.next().saturating_sub(1);
                watched.times.forget_before(needed.min(last));
            }
        }
    }

    fn forget_targets(&mut self, oldest: i64) {
        for slot in &mut self.targets {
            let gone = slot.as_ref().is_some_and(|watched| {
                watched.series == 0 && watched.times.at.last().is_none_or(|&last| last < oldest)
            });
            if gone && let Some(watched) = slot.take() {
                self.by_owner.remove(&watched.owner);
            }
        }
    }

    /// Forgets the series of one owner that have ended.
    pub(super) fn forget_ended(&mut self, slot: u32) {
        self.remove(|series| series.target == slot && series.is_stale());
    }

    /// Takes series out and numbers the others anew.
    fn remove(&mut self, gone: impl Fn(&Series) -> bool) {
        let mut new: Vec<SeriesId> = Vec::with_capacity(self.series.len());
        let mut next = 0;
        let mut freed = 0;
        for series in &self.series {
            if gone(series) {
                new.push(NONE);
                freed += series.own_bytes() + series.sample_bytes();
                let watched = self.targets.get_mut(series.target as usize);
                if let Some(watched) = watched.and_then(Option::as_mut) {
                    watched.series = watched.series.saturating_sub(1);
                }
            } else {
                new.push(next);
                next += 1;
            }
        }
        let mut ids = new.iter();
        self.series.retain(|_| ids.next().is_some_and(|&id| id != NONE));
        self.bytes = self.bytes.saturating_sub(freed);
        if self.series.capacity() > 2 * self.series.len() + 1_024 {
            self.series.shrink_to_fit();
        }
        self.resolved.forget();
        self.index.renumber(&new, &mut self.series);
        for watched in self.targets.iter_mut().flatten() {
            watched.pages.renumber(&new);
            for written in watched.rules.values_mut() {
                written.series = renumbered(&written.series, &new);
            }
            for own in &mut watched.own {
                *own = new.get(*own as usize).copied().unwrap_or(NONE);
            }
        }
    }
}

/// The new ids of those series that are still there.
fn renumbered(series: &[SeriesId], new: &[SeriesId]) -> Vec<SeriesId> {
    let ids = series.iter().filter_map(|&id| new.get(id as usize).copied());
    ids.filter(|&id| id != NONE).collect()
}
