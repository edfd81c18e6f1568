//! Pages of samples as targets expose them: Prometheus text 0.0.4 and OpenMetrics 1.0.
//!
//! A malformed line is reported with its place and costs only itself; the
//! reader hands out slices of the page and allocates only where a text holds
//! an escape.

mod comment;
mod cursor;
mod format;
mod line;
mod number;
mod page;

pub use format::{Format, PageError};
pub use number::openmetrics_float;
pub use page::parse;

use crate::domain::{Malformed, Timestamp};
use std::borrow::Cow;

/// A line longer than this is not read.
pub const MAX_LINE: usize = 128 * 1024;
/// A name, label value or exemplar value longer than this is not read.
pub const MAX_TEXT: usize = 16 * 1024;
/// A line with more labels than this is not read.
pub const MAX_LABELS: usize = 256;
/// So many malformed lines are described; all are counted.
pub const MAX_DESCRIBED: usize = 8;

/// A label of a line, unescaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label<'a> {
    /// Its name.
    pub name: Cow<'a, str>,
    /// Its value.
    pub value: Cow<'a, str>,
}

/// A line that holds a sample.
#[derive(Clone, Debug)]
pub struct SampleLine<'a, 'l> {
    /// Counted from 1.
    pub line: u64,
    /// Name and labels as they stand in the page.
    pub series: &'a str,
    /// The metric's name.
    pub name: &'l str,
    /// Its labels in the page's order, empty values included, no name twice.
    pub labels: &'l [Label<'a>],
    /// How far name and labels are those of a line before.
    pub like: Option<Like>,
    /// Its value.
    pub value: Value,
    /// The moment that the page gives it.
    pub at: Option<Timestamp>,
    /// The exemplar that comes with it.
    pub exemplar: Option<Exemplar<'a, 'l>>,
}

/// What a line has in common with one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Like {
    /// Which one, counted from 1.
    pub line: u64,
    /// So many labels are the same, and the name.
    pub labels: usize,
}

/// What a sample holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// A number.
    Float(f64),
    /// A native histogram, which is recognised and not read.
    NativeHistogram,
}

/// An example of what was counted, OpenMetrics only.
#[derive(Clone, Debug)]
pub struct Exemplar<'a, 'l> {
    /// Its labels.
    pub labels: &'l [Label<'a>],
    /// Its value.
    pub value: f64,
    /// Its moment.
    pub at: Option<Timestamp>,
}

/// What a page says of a metric family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meta<'a> {
    /// `# TYPE`
    Kind(MetricKind),
    /// `# HELP`, unescaped.
    Help(Cow<'a, str>),
    /// `# UNIT`
    Unit(&'a str),
}

/// The type of a metric family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MetricKind {
    /// Only ever grows, or starts anew.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts in buckets.
    Histogram,
    /// Counts in buckets that may shrink.
    GaugeHistogram,
    /// Quantiles that the target has computed.
    Summary,
    /// Facts as labels.
    Info,
    /// One of several states.
    StateSet,
    /// Not told.
    #[default]
    Unknown,
}

impl MetricKind {
    /// The word that OpenMetrics has for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::GaugeHistogram => "gaugehistogram",
            Self::Summary => "summary",
            Self::Info => "info",
            Self::StateSet => "stateset",
            Self::Unknown => "unknown",
        }
    }
}

/// Takes what is on a page, in its order.
pub trait Sink {
    /// Whether `line` begins with a series that the sink knows already: how
    /// many bytes name it. The rest is then read and [`Sink::recalled`] gets it.
    fn recall(&mut self, line: &str) -> Option<usize> {
        let _ = line;
        None
    }
    /// The value of the series that was just recalled, and its text.
    fn recalled(&mut self, series: &str, value: f64, at: Option<Timestamp>) {
        let _ = (series, value, at);
    }
    /// A sample.
    fn sample(&mut self, sample: &SampleLine<'_, '_>);
    /// What the page says of a family.
    fn meta(&mut self, family: &str, meta: &Meta<'_>) {
        let _ = (family, meta);
    }
}

/// What could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// How many lines.
    pub total: u64,
    /// The first [`MAX_DESCRIBED`] of them.
    pub first: Vec<Malformed>,
}

impl Faults {
    /// Counts one more, and keeps its description while there is room.
    pub fn add(&mut self, line: u64, column: usize, message: impl Into<String>) {
        self.total += 1;
        if self.first.len() < MAX_DESCRIBED {
            let column = u64::try_from(column).unwrap_or(u64::MAX);
            self.first.push(Malformed { line, column, message: message.into() });
        }
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod whole_pages;
