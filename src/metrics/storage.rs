//! The seam between the evaluator and wherever samples lie.

use crate::domain::{Labels, Timestamp};
use std::collections::HashMap;

/// One sample of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// When it was taken.
    pub at: Timestamp,
    /// Its value; [`STALE_BITS`] marks the end of a series.
    pub value: f64,
}

/// The bits of the NaN that says "this series ended here"
/// (prometheus/prometheus, model/value/value.go, `StaleNaN`).
pub const STALE_BITS: u64 = 0x7ff0_0000_0000_0002;

/// Whether a value is the staleness marker.
pub fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE_BITS
}

/// How a label is compared.
#[derive(Clone, Debug)]
pub enum MatchOp {
    /// `=`
    Equal(String),
    /// `!=`
    NotEqual(String),
    /// `=~`, anchored at both ends; `.` matches newlines too.
    Regex(regex::Regex),
    /// `!~`
    NotRegex(regex::Regex),
}

/// One condition on one label. A label that is not there has the empty value.
#[derive(Clone, Debug)]
pub struct Matcher {
    /// The label's name.
    pub name: String,
    /// The condition.
    pub op: MatchOp,
}

impl Matcher {
    /// Whether `value` fulfils it.
    pub fn matches(&self, value: &str) -> bool {
        match &self.op {
            MatchOp::Equal(wanted) => value == wanted,
            MatchOp::NotEqual(unwanted) => value != unwanted,
            MatchOp::Regex(regex) => regex.is_match(value),
            MatchOp::NotRegex(regex) => !regex.is_match(value),
        }
    }
}

/// Which labels tell groups of series apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grouping {
    /// These.
    By(Vec<String>),
    /// All but these.
    Without(Vec<String>),
}

impl Grouping {
    /// Whether the label called `name` counts.
    pub fn takes(&self, name: &str) -> bool {
        match self {
            Self::By(names) => names.iter().any(|one| one == name),
            Self::Without(names) => names.iter().all(|one| one != name),
        }
    }

    /// Only the labels that count.
    pub fn take(&self, labels: &Labels) -> Labels {
        labels.filtered(|name| self.takes(name))
    }
}

/// The first and the last of samples, and how many there are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ends {
    /// The first.
    pub first: Sample,
    /// The last; the same where there is but one.
    pub last: Sample,
    /// How many.
    pub count: usize,
}

/// The samples of one series in a range of time, not unpacked yet.
pub trait Packed {
    /// Adds all of them in the order of time, staleness markers included.
    fn unpack(&self, into: &mut Vec<Sample>);

    /// The last of them, which may be a staleness marker.
    fn last(&self) -> Option<Sample>;

    /// First, last and number of those that are no staleness markers; each value
    /// after which a smaller one followed is added to `fell`.
    fn ends(&self, fell: &mut Vec<f64>) -> Option<Ends>;
}

impl Packed for &[Sample] {
    fn unpack(&self, into: &mut Vec<Sample>) {
        into.extend_from_slice(self);
    }

    fn last(&self) -> Option<Sample> {
        <[Sample]>::last(self).copied()
    }

    fn ends(&self, fell: &mut Vec<f64>) -> Option<Ends> {
        let mut samples = self.iter().copied().filter(|sample| !is_stale(sample.value));
        let first = samples.next()?;
        let mut ends = Ends { first, last: first, count: 1 };
        for sample in samples {
            if sample.value < ends.last.value {
                fell.push(ends.last.value);
            }
            ends.last = sample;
            ends.count += 1;
        }
        Some(ends)
    }
}

/// Takes the number of a series' group, and the series' samples.
pub type OfGroup<'f> = dyn FnMut(usize, &dyn Packed) + 'f;

/// Something that holds samples and can be asked for them.
pub trait Storage {
    /// Hands over each series that fulfils all `matchers` and has samples in
    /// `(after, until]`: its labels and those samples in the order of time,
    /// staleness markers included. A series is handed over once.
    fn select(
        &self,
        matchers: &[Matcher],
        after: Timestamp,
        until: Timestamp,
        found: &mut dyn FnMut(&Labels, &[Sample]),
    );

    /// The same series in the same order, their samples still packed: for who
    /// needs but a few of them. There may be none.
    fn select_packed(
        &self,
        matchers: &[Matcher],
        after: Timestamp,
        until: Timestamp,
        found: &mut dyn FnMut(&Labels, &dyn Packed),
    ) {
        self.select(matchers, after, until, &mut |labels, samples| found(labels, &samples));
    }

    /// The same for who needs of the labels only which group they make: calls
    /// `found` with the group's number, and gives the labels of each group in the
    /// end, those that count by `grouping`. A group may have no sample.
    fn select_grouped(
        &self,
        matchers: &[Matcher],
        after: Timestamp,
        until: Timestamp,
        grouping: &Grouping,
        found: &mut OfGroup<'_>,
    ) -> Vec<Labels> {
        let mut numbers: HashMap<Labels, usize> = HashMap::new();
        let mut groups = Vec::new();
        self.select(matchers, after, until, &mut |labels, samples| {
            let number = *numbers.entry(grouping.take(labels)).or_insert_with_key(|labels| {
                groups.push(labels.clone());
                groups.len() - 1
            });
            found(number, &samples);
        });
        groups
    }
}
