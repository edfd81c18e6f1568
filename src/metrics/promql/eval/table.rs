//! Series by steps, and series that belong together.

use super::group::{Grouper, Pick};
use super::{EvalError, Outcome};
use crate::domain::labels::METRIC_NAME;
use crate::domain::{Labels, harmless_within};
use crate::metrics::promql::Span;
use crate::metrics::{STALE_BITS, is_stale};

/// Stands where a series has no value at a step. No computation yields these
/// bits: they are those of the staleness marker, which selectors take out.
pub(super) const ABSENT: f64 = f64::from_bits(STALE_BITS);

/// Whether a series has a value here.
pub(super) fn is_there(value: f64) -> bool {
    !is_stale(value)
}

/// Labels for a message; they come from outside.
pub(super) fn short(labels: &Labels) -> String {
    harmless_within(&labels.to_string(), 200)
}

/// What is known of the metric names in a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    /// They count, and may differ.
    Any,
    /// They count, and are all the same or all not there.
    One,
    /// They are still in the labels but no longer count.
    Dropped,
}

/// Values of series at the same steps.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) steps: usize,
    pub(super) labels: Vec<Labels>,
    /// Row after row.
    pub(super) values: Vec<f64>,
    pub(super) names: Names,
}

impl Table {
    pub(super) fn new(steps: usize) -> Self {
        Self { steps, labels: Vec::new(), values: Vec::new(), names: Names::Any }
    }

    pub(super) fn of(labels: Labels, values: Vec<f64>) -> Self {
        Self { steps: values.len(), labels: vec![labels], values, names: Names::One }
    }

    pub(super) fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.steps..(row + 1) * self.steps]
    }

    pub(super) fn at(&self, row: usize, step: usize) -> f64 {
        self.values[row * self.steps + step]
    }

    /// Adds a row without values, gives its number.
    pub(super) fn add(&mut self, labels: Labels) -> usize {
        self.labels.push(labels);
        self.values.resize(self.labels.len() * self.steps, ABSENT);
        self.labels.len() - 1
    }

    pub(super) fn set(&mut self, row: usize, step: usize, value: f64) {
        self.values[row * self.steps + step] = value;
    }

    /// Each value that is there as `change(step, value)`.
    pub(super) fn map(mut self, change: impl Fn(usize, f64) -> f64) -> Self {
        if self.steps == 0 {
            return self;
        }
        for row in self.values.chunks_exact_mut(self.steps) {
            for (step, value) in row.iter_mut().enumerate() {
                if is_there(*value) {
                    *value = change(step, *value);
                }
            }
        }
        self
    }

    /// Without metric names. Rows that become the same are put together where
    /// they have no step in common and `strict` does not forbid it.
    pub(super) fn drop_names(mut self, span: Span, strict: bool) -> Outcome<Self> {
        match self.names {
            Names::Dropped => Ok(self),
            Names::One => {
                self.names = Names::Dropped;
                Ok(self)
            }
            Names::Any => {
                self.names = Names::Dropped;
                self.settle().merge(span, strict)
            }
        }
    }

    /// With labels that are what they count for.
    pub(super) fn settle(mut self) -> Self {
        if self.names == Names::Dropped {
            for labels in &mut self.labels {
                if labels.metric().is_some() {
                    *labels = labels.filtered(|name| name != METRIC_NAME);
                }
            }
            self.names = Names::One;
        }
        self
    }

    /// Puts rows with the same labels together.
    pub(super) fn merge(self, span: Span, strict: bool) -> Outcome<Self> {
        let mut groups = Grouper::new(Pick::Without(Vec::new()), self.labels.len());
        let mut to: Vec<usize> = Vec::with_capacity(self.labels.len());
        for labels in &self.labels {
            to.push(groups.id(labels));
        }
        if groups.firsts.len() == self.labels.len() {
            return Ok(self);
        }
        let mut merged = Self::new(self.steps);
        merged.names = self.names;
        for first in groups.firsts {
            merged.add(first);
        }
        let mut seen = vec![false; merged.labels.len()];
        for (row, &into) in to.iter().enumerate() {
            if !self.row(row).iter().any(|value| is_there(*value)) {
                continue;
            }
            let again = std::mem::replace(&mut seen[into], true);
            for step in 0..self.steps {
                let value = self.at(row, step);
                if !is_there(value) {
                    continue;
                }
                if again && (strict || is_there(merged.at(into, step))) {
                    let labels = short(&merged.labels[into]);
                    let message = format!("two series have the same labels {labels}");
                    return Err(EvalError::new(message, span));
                }
                merged.set(into, step, value);
            }
        }
        Ok(merged)
    }

    /// Only these rows, in this order.
    pub(super) fn pick_rows(&self, rows: &[usize]) -> Self {
        let mut picked = Self::new(self.steps);
        picked.names = self.names;
        for &row in rows {
            picked.labels.push(self.labels[row].clone());
            picked.values.extend_from_slice(self.row(row));
        }
        picked
    }
}
