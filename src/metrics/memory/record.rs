//! Samples that come from no page: what recording rules write, and single ones.

use super::index::PairId;
use super::series::{NONE, Series, SeriesId};
use super::target::{Owner, Watched, Written};
use super::{Memory, refusal};
use crate::domain::{Labels, Timestamp};
use crate::metrics::Sample;
use std::time::Duration;

/// Who records: a rule of a group. A rule is named by anything that tells it
/// from the others of its group and stays the same when the group's file is read
/// anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorder<'a> {
    /// The group: its file and its name.
    pub group: &'a str,
    /// The rule among its group's.
    pub rule: &'a str,
    /// About how often it is evaluated.
    pub every: Duration,
}

/// What became of recorded samples.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Samples that were kept.
    pub samples: u64,
    /// Samples that were dropped: a second one for its moment, or out of order.
    pub dropped: u64,
    /// Samples of new series for which there was no room.
    pub refused: u64,
    /// Why, in words, where there was none.
    pub refusal: Option<String>,
}

/// After a longer pause a rule's time begins anew: this, or three intervals.
const MAX_PAUSE: Duration = Duration::from_mins(5);

impl Memory {
    /// Takes what a recording rule yields at `at`, names and labels complete.
    /// All series that the rule wrote the last time and that are not among these
    /// end, as with Prometheus' rule manager; a rule whose evaluation failed
    /// records nothing and ends nothing, so this is not called for it.
    ///
    /// Rules of one group may record one after the other at one moment; a moment
    /// before the group's last one is too late, and all is dropped. Nothing is
    /// added, and no job's coverage changes.
    pub fn record(
        &mut self,
        by: Recorder<'_>,
        at: Timestamp,
        samples: impl IntoIterator<Item = (Labels, f64)>,
    ) -> Recorded {
        self.make_room(at);
        let slot = self.slot(Owner::Group(by.group.into()));
        let Some(mut group) = self.targets.get_mut(slot as usize).and_then(Option::take) else {
            return Recorded::default();
        };
        let millis = at.millis();
        let recorded = if group.times.at.last().is_some_and(|&last| millis < last) {
            Recorded { dropped: samples.into_iter().count() as u64, ..Recorded::default() }
        } else {
            self.write(&mut group, slot, by, millis, &mut samples.into_iter())
        };
        if let Some(free) = self.targets.get_mut(slot as usize) {
            *free = Some(group);
        }
        recorded
    }

    fn write(
        &mut self,
        group: &mut Watched,
        slot: u32,
        by: Recorder<'_>,
        at: i64,
        samples: &mut dyn Iterator<Item = (Labels, f64)>,
    ) -> Recorded {
        let mut recorded = Recorded::default();
        if group.times.at.last() != Some(&at) {
            group.times.push(at);
        }
        let place = group.times.next().wrapping_sub(1);
        let mut seen: Vec<SeriesId> = Vec::new();
        for (labels, value) in samples {
            let Some(id) = self.series_of(&labels, group, slot) else {
                recorded.refused += 1;
                continue;
            };
            let pushed = self.with_series(id, |series| {
                // What another brought first keeps its moments.
                series.push(place, series.target != slot, at, value)
            });
            if pushed {
                recorded.samples += 1;
            } else {
                recorded.dropped += 1;
            }
            seen.push(id);
        }
        if recorded.refused > 0 {
            let few_bytes = group.series < self.limits.series_per_target;
            let all = recorded.samples + recorded.dropped + recorded.refused;
            let why = refusal(by.group, all, recorded.refused, few_bytes, &self.limits);
            recorded.refusal = Some(why);
        }
        seen.sort_unstable();
        seen.dedup();
        let pause = MAX_PAUSE.max(by.every * 3);
        let fresh = || Written { since: at, last: at, series: Vec::new() };
        let written = group.rules.entry(by.rule.into()).or_insert_with(fresh);
        if Timestamp::from_millis(at).since(Timestamp::from_millis(written.last)) > pause {
            written.since = at;
        }
        written.last = at;
        let before = std::mem::replace(&mut written.series, seen);
        for id in before {
            if written.series.binary_search(&id).is_err() {
                self.end_recorded(id, slot, place, at);
            }
        }
        recorded
    }

    /// The rule is there no more: what it wrote last ends at `at`, and goes with age.
    pub fn forget_rule(&mut self, group: &str, rule: &str, at: Timestamp) {
        self.forget_written(group, Some(rule), at);
    }

    /// The group is there no more.
    pub fn forget_group(&mut self, group: &str, at: Timestamp) {
        self.forget_written(group, None, at);
    }

    fn forget_written(&mut self, group: &str, rule: Option<&str>, at: Timestamp) {
        let Some(&slot) = self.by_owner.get(&Owner::Group(group.into())) else { return };
        let Some(watched) = self.targets.get_mut(slot as usize).and_then(Option::as_mut) else {
            return;
        };
        let gone: Vec<SeriesId> = if let Some(rule) = rule {
            watched.rules.remove(rule).map(|written| written.series).unwrap_or_default()
        } else {
            let rules = std::mem::take(&mut watched.rules);
            rules.into_values().flat_map(|written| written.series).collect()
        };
        let last = watched.times.at.last().copied();
        if last.is_some_and(|last| at.millis() < last) {
            return;
        }
        if last != Some(at.millis()) {
            watched.times.push(at.millis());
        }
        let place = watched.times.next().wrapping_sub(1);
        for id in gone {
            self.end_recorded(id, slot, place, at.millis());
        }
    }

    fn end_recorded(&mut self, id: SeriesId, slot: u32, place: u32, at: i64) {
        self.with_series(id, |series| {
            series.end_recorded(place, series.target != slot, at);
            true
        });
    }

    /// Since when the rule has recorded without a pause that is longer than five
    /// minutes and three of its intervals, as far as its samples are still there;
    /// none where it has not. It is what a series that the rule writes is covered
    /// from, as [`Memory::first_scrape`] is for a scraped one.
    pub fn recorded_since(&self, group: &str, rule: &str) -> Option<Timestamp> {
        let slot = *self.by_owner.get(&Owner::Group(group.into()))?;
        let written = self.targets.get(slot as usize)?.as_ref()?.rules.get(rule)?;
        Some(self.known_from(written.since))
    }

    /// Puts samples of one series in as they are, each with its moment, staleness
    /// markers ([`STALE_BITS`](crate::metrics::STALE_BITS)) included; how many were kept: not those that are not newer
    /// than the one before. For tests of rules and the like; it asks for no
    /// limit but that of series.
    pub fn append(&mut self, labels: &Labels, samples: impl IntoIterator<Item = Sample>) -> u64 {
        let slot = self.slot(Owner::Loose);
        let Some(mut watched) = self.targets.get_mut(slot as usize).and_then(Option::take) else {
            return 0;
        };
        let mut kept = 0;
        if let Some(id) = self.series_of(labels, &mut watched, slot) {
            for sample in samples {
                let (at, value) = (sample.at.millis(), sample.value);
                kept += u64::from(self.with_series(id, |series| series.push(0, true, at, value)));
            }
        }
        if let Some(free) = self.targets.get_mut(slot as usize) {
            *free = Some(watched);
        }
        kept
    }

    /// The series with these labels, a new one of `watched` where there is none;
    /// none where there is no room for it.
    fn series_of(&mut self, labels: &Labels, watched: &mut Watched, slot: u32) -> Option<SeriesId> {
        let room =
            watched.series < self.limits.series_per_target && self.bytes() < self.limits.bytes;
        let mut pairs: Vec<PairId> = Vec::with_capacity(labels.len());
        for (name, value) in labels.iter() {
            pairs.push(if room {
                self.index.make_pair(name, value)
            } else {
                self.index.find_pair(name, value)?
            });
        }
        let hash = match self.index.find(&pairs, &self.series) {
            Ok(id) => return Some(id),
            Err(hash) if room => hash,
            Err(_) => return None,
        };
        let id = SeriesId::try_from(self.series.len()).ok().filter(|&id| id != NONE)?;
        self.index.add(&pairs, hash, id);
        let series = Series::new(pairs.into(), slot);
        self.bytes += series.own_bytes();
        self.series.push(series);
        watched.series += 1;
        Some(id)
    }

    /// Changes a series' samples and counts the bytes; false where there is none.
    fn with_series(&mut self, id: SeriesId, change: impl FnOnce(&mut Series) -> bool) -> bool {
        let Some(series) = self.series.get_mut(id as usize) else { return false };
        let before = series.sample_bytes();
        let changed = change(series);
        self.bytes = (self.bytes + series.sample_bytes()).saturating_sub(before);
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::memory::tests::{STEP, api, at, memory, take, values};
    use crate::metrics::memory::{Limits, Stats};
    use crate::metrics::{STALE_BITS, window};

    const BY: Recorder<'_> =
        Recorder { group: "rules.yml;a", rule: "0", every: Duration::from_secs(5) };

    fn series(name: &str, service: &str) -> Labels {
        Labels::new([("__name__", name), ("service", service)])
    }

    fn of(values: &[(&str, f64)]) -> Vec<(Labels, f64)> {
        values.iter().map(|(service, value)| (series("r", service), *value)).collect()
    }

    #[test]
    fn what_a_rule_yields_no_more_ends_and_may_come_back() {
        let mut memory = memory();
        let recorded = memory.record(BY, at(STEP), of(&[("a", 1.0), ("b", 1.0)]));
        assert_eq!(recorded, Recorded { samples: 2, ..Recorded::default() });
        memory.record(BY, at(2 * STEP), of(&[("a", 2.0)]));
        memory.record(BY, at(3 * STEP), of(&[]));
        memory.record(BY, at(4 * STEP), of(&[("b", 4.0)]));
        assert_eq!(
            values(&memory, "r"),
            ["1@5000 2@10000 stale@15000", "1@5000 stale@10000 4@20000"]
        );
        let Stats { targets, recorded, jobs, .. } = memory.stats();
        assert_eq!((targets, jobs.len(), recorded.series), (0, 0, 2));
        assert_eq!(recorded.oldest, Some(at(STEP)));
    }

    #[test]
    fn rules_of_a_group_record_one_after_the_other_at_one_moment() {
        let mut memory = memory();
        let other = Recorder { rule: "1", ..BY };
        for scrape in 1..4_i32 {
            let now = at(i64::from(scrape) * STEP);
            memory.record(BY, now, of(&[("a", scrape.into())]));
            let second = memory.record(other, now, of(&[("a", 9.0), ("b", scrape.into())]));
            assert_eq!((second.samples, second.dropped), (1, 1), "one value for one moment");
        }
        memory.record(other, at(4 * STEP), of(&[]));
        memory.record(BY, at(4 * STEP), of(&[("a", 4.0)]));
        assert_eq!(
            values(&memory, "r"),
            ["1@5000 2@10000 3@15000 stale@20000", "1@5000 2@10000 3@15000 stale@20000"],
            "Prometheus, too, lets the end stand that was written first"
        );
        let late = memory.record(BY, at(STEP), of(&[("a", 1.0), ("c", 1.0)]));
        assert_eq!((late.samples, late.dropped), (0, 2));
    }

    #[test]
    fn a_rule_that_moved_to_another_group_goes_on_with_its_series() {
        let mut memory = memory();
        memory.record(BY, at(STEP), of(&[("a", 1.0)]));
        memory.forget_rule(BY.group, BY.rule, at(STEP + 1));
        let moved = Recorder { group: "rules.yml;b", ..BY };
        memory.record(moved, at(2 * STEP), of(&[("a", 2.0)]));
        memory.record(moved, at(3 * STEP), of(&[("a", 3.0)]));
        memory.forget_group(moved.group, at(4 * STEP));
        memory.forget_group("nobody", at(4 * STEP));
        assert_eq!(values(&memory, "r"), ["1@5000 stale@5001 2@10000 3@15000 stale@20000"]);
        assert_eq!(memory.recorded_since(BY.group, BY.rule), None);
        memory.record(BY, at(5 * STEP), of(&[("a", 5.0)]));
        assert!(values(&memory, "r")[0].ends_with("stale@20000 5@25000"));
    }

    #[test]
    fn a_rules_coverage_begins_with_its_first_record_and_jobs_keep_theirs() {
        let mut memory = memory();
        take(&mut memory, "a 1\n", STEP);
        assert_eq!(memory.recorded_since(BY.group, BY.rule), None);
        memory.record(BY, at(2 * STEP), of(&[]));
        memory.record(BY, at(3 * STEP), [(series("r", "a").with("job", "api"), 1.0)]);
        assert_eq!(memory.recorded_since(BY.group, BY.rule), Some(at(2 * STEP)));
        assert_eq!(memory.recorded_since(BY.group, "1"), None);
        assert_eq!(memory.first_scrape("api"), Some(at(STEP)));
        assert_eq!(memory.first_scrapes().len(), 1);
        memory.record(BY, at(400_000), of(&[]));
        assert_eq!(memory.recorded_since(BY.group, BY.rule), Some(at(400_000)), "a pause");
        let hourly = Recorder { rule: "2", every: Duration::from_hours(1), ..BY };
        memory.record(hourly, at(500_000), of(&[]));
        memory.record(hourly, at(500_000 + 3_600_000), of(&[]));
        assert_eq!(memory.recorded_since(BY.group, "2"), Some(at(500_000)));
    }

    #[test]
    fn what_was_recorded_is_kept_with_the_window() {
        let mut memory = memory();
        for scrape in 1..100_i32 {
            memory.record(BY, at(i64::from(scrape) * STEP), of(&[("a", scrape.into())]));
        }
        memory.append(&series("one", "x"), [Sample { at: at(7), value: 1.5 }]);
        let mut again = window::read(&window::write(&memory), Limits::default()).unwrap();
        assert_eq!(values(&again, "r"), values(&memory, "r"));
        assert_eq!(values(&again, "one"), ["1.5@7"]);
        assert_eq!(again.recorded_since(BY.group, BY.rule), Some(at(STEP)));
        again.record(BY, at(100 * STEP), of(&[("a", 100.0)]));
        assert!(values(&again, "r")[0].ends_with("99@495000 100@500000"));
    }

    #[test]
    fn recorded_series_count_against_the_limits_and_go_with_age() {
        let mut memory = Memory::new(Limits {
            series_per_target: 2,
            age: Duration::from_mins(10),
            ..Limits::default()
        });
        let recorded = memory.record(BY, at(STEP), of(&[("a", 1.0), ("b", 1.0), ("c", 1.0)]));
        assert_eq!((recorded.samples, recorded.refused), (2, 1));
        assert_eq!(
            recorded.refusal.as_deref(),
            Some(
                "rules.yml;a sends 3 series, 2 are allowed: 1 new ones were not taken; drop labels \
                 whose values never repeat, or raise memory.series_per_target"
            )
        );
        take(&mut memory, "a 1\n", STEP);
        memory.expire(at(10_000_000));
        assert_eq!(memory.stats(), Stats { bytes: memory.bytes(), ..Stats::default() });
        assert_eq!(memory.record(BY, at(20_000_000), of(&[("c", 1.0)])).samples, 1);
    }

    #[test]
    fn a_rule_may_record_onto_a_series_that_is_scraped() {
        let mut memory = memory();
        take(&mut memory, "a 1\n", STEP);
        let scraped = Labels::new(api().labels().iter().map(|(n, v)| (n.clone(), v.clone())));
        let scraped = scraped.with("__name__", "a");
        assert_eq!(memory.record(BY, at(STEP), [(scraped.clone(), 2.0)]).dropped, 1);
        assert_eq!(memory.record(BY, at(STEP + 1), [(scraped, 3.0)]).samples, 1);
        take(&mut memory, "a 4\n", 2 * STEP);
        assert_eq!(values(&memory, "a"), ["1@5000 3@5001 4@10000"]);
    }

    #[test]
    fn single_samples_are_kept_in_their_order() {
        let mut memory = memory();
        let stale = f64::from_bits(STALE_BITS);
        let samples = [(5, 1.0), (9, 2.0), (9, 3.0), (7, 4.0), (10, stale), (11, f64::INFINITY)];
        let kept = memory.append(
            &series("x", "a"),
            samples.map(|(millis, value)| Sample { at: at(millis), value }),
        );
        assert_eq!(kept, 4);
        assert_eq!(values(&memory, "x"), ["1@5 2@9 stale@10 inf@11"]);
    }
}
