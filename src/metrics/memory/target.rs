//! Whose series they are, and what is kept of them beside their series.

use super::chunk::Times;
use super::pages::Pages;
use super::series::{NONE, SeriesId};
use crate::domain::Labels;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Something that is scraped. Its labels are on all its series.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    labels: Labels,
}

impl Target {
    /// A target of a job with labels of its own.
    pub fn new<N: Into<Arc<str>>, V: Into<Arc<str>>>(
        job: &str,
        instance: &str,
        labels: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let mut all: Vec<(Arc<str>, Arc<str>)> =
            labels.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        all.push(("job".into(), job.into()));
        all.push(("instance".into(), instance.into()));
        Self { labels: Labels::new(all) }
    }

    pub(super) fn from_labels(labels: Labels) -> Self {
        Self { labels }
    }

    /// `job`, `instance` and its own labels.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// The job that it belongs to.
    pub fn job(&self) -> &str {
        self.labels.get("job").unwrap_or_default()
    }

    /// Its address, usually.
    pub fn instance(&self) -> &str {
        self.labels.get("instance").unwrap_or_default()
    }
}

/// Who brings samples.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Owner {
    /// What is scraped.
    Target(Target),
    /// A group of recording rules, by its name.
    Group(Arc<str>),
    /// Nobody: samples that were put in one by one.
    Loose,
}

impl Owner {
    pub(super) fn target(&self) -> Option<&Target> {
        match self {
            Self::Target(target) => Some(target),
            Self::Group(_) | Self::Loose => None,
        }
    }
}

/// What a rule has recorded.
#[derive(Clone, Debug, Default)]
pub(super) struct Written {
    /// Since when it writes without a long pause.
    pub(super) since: i64,
    /// When it wrote last.
    pub(super) last: i64,
    /// What it wrote then, growing.
    pub(super) series: Vec<SeriesId>,
}

/// What is kept of an owner beside its series.
#[derive(Clone, Debug)]
pub(super) struct Watched {
    pub(super) owner: Owner,
    /// When it was scraped, or wrote.
    pub(super) times: Times,
    /// The first scrape that brought a page since when nobody looked for long.
    pub(super) since: Option<i64>,
    /// The series on its last page, by line.
    pub(super) pages: Pages,
    /// Whether those go on: not after a failed scrape.
    pub(super) alive: bool,
    /// `up`, `scrape_duration_seconds`, `scrape_samples_scraped`.
    pub(super) own: [SeriesId; 3],
    /// How many series it has.
    pub(super) series: usize,
    /// Whether it had more series than it may have when it was scraped last.
    pub(super) over: bool,
    /// For a group what each of its rules has recorded.
    pub(super) rules: BTreeMap<Arc<str>, Written>,
}

impl Watched {
    pub(super) fn new(owner: Owner) -> Self {
        Self {
            owner,
            times: Times::default(),
            since: None,
            pages: Pages::default(),
            alive: false,
            own: [NONE; 3],
            series: 0,
            over: false,
            rules: BTreeMap::new(),
        }
    }

    /// The job of a target.
    pub(super) fn job(&self) -> Option<&str> {
        self.owner.target().map(Target::job)
    }

    /// The series that were on the last page and have not ended.
    pub(super) fn live(&self) -> impl Iterator<Item = SeriesId> {
        self.pages.rows.iter().filter(|_| self.alive).map(|row| row.series)
    }

    pub(super) fn bytes(&self) -> usize {
        let rule = |(name, written): (&Arc<str>, &Written)| {
            name.len() + size_of::<Written>() + 64 + written.series.capacity() * 4
        };
        size_of::<Self>()
            + self.times.at.capacity() * 8
            + self.pages.bytes()
            + self.rules.iter().map(rule).sum::<usize>()
    }
}
