//! The seam between the evaluator and wherever samples lie.

use crate::domain::{Labels, Timestamp};

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
}
