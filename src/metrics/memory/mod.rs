//! The sample memory of the embedded engine: what scraped pages held, bounded
//! by age and by bytes, the oldest going first.

mod chunk;
mod evict;
mod hashing;
mod index;
mod keep;
mod line;
mod naming;
mod pages;
mod record;
mod scrape;
mod select;
mod series;
mod target;
mod token;

pub use record::{Recorded, Recorder};
pub use target::Target;

use crate::domain::{Malformed, ScrapeReading, Timestamp, harmless_within};
use crate::metrics::exposition::{MAX_DESCRIBED, MetricKind, PageError};
use index::Index;
use select::Resolved;
use series::Series;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use target::{Owner, Watched};

/// How much the memory holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Samples older than this go.
    pub age: Duration,
    /// Beyond this the oldest samples go, and then no new series are taken.
    pub bytes: usize,
    /// One target's series; what a page has beyond them is not taken. A group of
    /// recording rules may have as many.
    pub series_per_target: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { age: Duration::from_hours(6), bytes: 256 << 20, series_per_target: 200_000 }
    }
}

/// What became of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageSummary {
    /// Samples that were kept.
    pub samples: u64,
    /// Series of this target that are in memory.
    pub series: u64,
    /// Lines that could not be read.
    pub malformed: u64,
    /// The first few of those.
    pub first_malformed: Vec<Malformed>,
    /// Samples that were dropped: a second one for its moment, out of order, too
    /// old, or in the future.
    pub dropped: u64,
    /// Samples of new series for which there was no room.
    pub refused: u64,
    /// Why, in words, where there was none.
    pub refusal: Option<String>,
}

impl PageSummary {
    /// As the reading of a poll that brought a page of `bytes` in `took`.
    pub fn to_reading(&self, bytes: u64, took: Duration) -> ScrapeReading {
        ScrapeReading {
            samples: self.samples,
            series: self.series,
            bytes,
            took,
            malformed: self.malformed,
            first_malformed: self.first_malformed.clone(),
            note: self.refusal.clone(),
            since: None,
        }
    }
}

/// What pages say of a metric family.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Its type.
    pub kind: MetricKind,
    /// What it is, as it came from outside.
    pub help: String,
    /// Its unit; may be empty.
    pub unit: String,
}

/// How full the memory is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Targets that are in memory.
    pub targets: usize,
    /// Series of all targets.
    pub series: usize,
    /// Samples of all series.
    pub samples: u64,
    /// Bytes, near enough: samples, labels, index and the last pages' series.
    pub bytes: usize,
    /// For each job its series and its oldest sample.
    pub jobs: BTreeMap<String, JobStats>,
    /// The same of what recording rules wrote.
    pub recorded: JobStats,
}

/// How much of a job is in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobStats {
    /// Its targets, those of which only old samples are left included.
    pub targets: usize,
    /// Series of its targets.
    pub series: usize,
    /// When the oldest scrape was of which a sample is left.
    pub oldest: Option<Timestamp>,
}

/// The samples of all scraped targets.
#[derive(Clone, Debug)]
pub struct Memory {
    limits: Limits,
    series: Vec<Series>,
    index: Index,
    targets: Vec<Option<Watched>>,
    by_owner: HashMap<Owner, u32>,
    metadata: HashMap<String, Metadata>,
    /// Bytes of samples and series; the index and the pages know their own.
    bytes: usize,
    /// Before this moment samples have been forgotten.
    kept_from: Option<i64>,
    /// The series that were asked for.
    resolved: Resolved,
}

impl Memory {
    /// An empty memory.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            series: Vec::new(),
            index: Index::default(),
            targets: Vec::new(),
            by_owner: HashMap::new(),
            metadata: HashMap::new(),
            bytes: 0,
            kept_from: None,
            resolved: Resolved::default(),
        }
    }

    /// Takes a page that was scraped from `target` at `at` in `took`. An error
    /// means that nothing of it could be used; that counts as a failed scrape.
    ///
    /// What Prometheus adds is added: `up`, `scrape_duration_seconds`,
    /// `scrape_samples_scraped`, and the end of each series that was on the
    /// target's last page and is not on this one.
    pub fn take_page(
        &mut self,
        target: &Target,
        content_type: &str,
        body: &[u8],
        took: Duration,
        at: Timestamp,
    ) -> Result<PageSummary, PageError> {
        self.scrape(target, Some((content_type, body)), took, at)
    }

    /// A scrape of `target` failed at `at`, after `took`: all its series end,
    /// and `up` is 0.
    pub fn target_failed(&mut self, target: &Target, took: Duration, at: Timestamp) {
        // Without a page there is none that could be bad.
        let _ = self.scrape(target, None, took, at);
    }

    /// `target` is scraped no more: its series end at `at`, and go with age.
    pub fn forget_target(&mut self, target: &Target, at: Timestamp) {
        let slot = self.by_owner.get(&Owner::Target(target.clone()));
        let watched = slot.and_then(|&slot| self.targets.get_mut(slot as usize));
        let Some(watched) = watched.and_then(Option::as_mut) else { return };
        if watched.times.at.last().is_some_and(|&last| at.millis() <= last) {
            return;
        }
        let place = watched.times.push(at.millis());
        let mut bytes = self.bytes;
        for id in watched.live().chain(watched.own) {
            if let Some(series) = self.series.get_mut(id as usize) {
                let before = series.sample_bytes();
                series.end(place, at.millis());
                bytes = (bytes + series.sample_bytes()).saturating_sub(before);
            }
        }
        watched.pages = pages::Pages::default();
        self.bytes = bytes;
    }

    /// The moment from which on a job's samples are known: its first scrape that
    /// brought a page, or what is left of it where older samples have gone. It
    /// begins anew where none of its targets was asked for five minutes, as
    /// when a window is taken up after a pause; a target that was asked and
    /// failed has been seen.
    pub fn first_scrape(&self, job: &str) -> Option<Timestamp> {
        let of_job = self.watched().filter(|watched| watched.job() == Some(job));
        of_job.filter_map(|watched| watched.since).min().map(|since| self.known_from(since))
    }

    /// [`Memory::first_scrape`] of each job.
    pub fn first_scrapes(&self) -> BTreeMap<String, Timestamp> {
        let mut firsts: BTreeMap<&str, i64> = BTreeMap::new();
        for watched in self.watched() {
            if let (Some(job), Some(since)) = (watched.job(), watched.since) {
                let first = firsts.entry(job).or_insert(since);
                *first = since.min(*first);
            }
        }
        firsts.into_iter().map(|(job, since)| (job.to_owned(), self.known_from(since))).collect()
    }

    /// A moment since when a job was scraped, or that before which its samples have gone.
    fn known_from(&self, since: i64) -> Timestamp {
        Timestamp::from_millis(since.max(self.kept_from.unwrap_or(i64::MIN)))
    }

    fn watched(&self) -> impl Iterator<Item = &Watched> {
        self.targets.iter().flatten()
    }

    /// How full it is. Looks at every series, but at no sample.
    pub fn stats(&self) -> Stats {
        let mut stats = Stats {
            series: self.series.len(),
            samples: self.series.iter().map(Series::count).sum(),
            bytes: self.bytes(),
            ..Stats::default()
        };
        for watched in self.watched() {
            let of = match watched.job() {
                Some(job) => {
                    stats.targets += 1;
                    stats.jobs.entry(job.to_owned()).or_default()
                }
                None => &mut stats.recorded,
            };
            of.series += watched.series;
            of.targets += 1;
            // A moment stays as long as a sample of it.
            let oldest = watched.times.at.first().filter(|_| watched.series > 0);
            of.oldest = match (of.oldest, oldest.copied().map(Timestamp::from_millis)) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        }
        stats
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// Bytes that it takes, near enough.
    pub fn bytes(&self) -> usize {
        let owners: usize = self.watched().map(Watched::bytes).sum();
        self.bytes + self.index.bytes() + self.resolved.bytes() + owners
    }

    /// What pages said of the family that the metric belongs to.
    pub fn metadata(&self, metric: &str) -> Option<&Metadata> {
        const ENDINGS: [&str; 8] =
            ["_total", "_bucket", "_sum", "_count", "_created", "_info", "_gcount", "_gsum"];
        self.metadata
            .get(metric)
            .or_else(|| ENDINGS.iter().find_map(|e| self.metadata.get(metric.strip_suffix(e)?)))
    }

    /// All metric names, in order.
    pub fn metric_names(&self) -> Vec<&str> {
        self.label_values(crate::domain::labels::METRIC_NAME)
    }

    /// All label names, in order.
    pub fn label_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.index.names().iter().map(|name| &*name.text).collect();
        names.sort_unstable();
        names
    }

    /// All values of a label, in order.
    pub fn label_values(&self, name: &str) -> Vec<&str> {
        let mut values: Vec<&str> = self.index.values(name).map(|pair| &*pair.value).collect();
        values.sort_unstable();
        values
    }
}

/// Why samples of new series were not taken, in words: `who` sent them, `seen`
/// samples in all.
fn refusal(who: &str, seen: u64, refused: u64, few_bytes: bool, limits: &Limits) -> String {
    let who = harmless_within(who, 120);
    if few_bytes {
        let mebibytes = limits.bytes >> 20;
        format!(
            "the sample memory of {mebibytes} MiB is full: {refused} samples of new series of {who} \
             were not taken; raise memory.bytes, or scrape less"
        )
    } else {
        let most = limits.series_per_target;
        let has = if seen > most as u64 {
            format!("{who} sends {seen} series, {most} are allowed")
        } else {
            format!("{who} has {most} series in memory with those that ended, no more are allowed")
        };
        format!(
            "{has}: {refused} new ones were not taken; drop labels whose values never repeat, or \
             raise memory.series_per_target"
        )
    }
}

/// Adds malformed lines that were found later to those found while reading.
fn describe(summary: &mut PageSummary, total: u64, first: Vec<Malformed>) {
    summary.malformed += total;
    summary.first_malformed.extend(first);
    summary.first_malformed.sort_by_key(|malformed| malformed.line);
    summary.first_malformed.truncate(MAX_DESCRIBED);
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
