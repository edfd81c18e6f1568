//! Series by steps, and series that belong together.

use super::{EvalError, Outcome};
use crate::domain::Labels;
use crate::domain::labels::METRIC_NAME;
use crate::metrics::promql::Span;
use crate::metrics::{STALE_BITS, is_stale};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Stands where a series has no value at a step. No computation yields these
/// bits: they are those of the staleness marker, which selectors take out.
pub(super) const ABSENT: f64 = f64::from_bits(STALE_BITS);

/// Whether a series has a value here.
pub(super) fn is_there(value: f64) -> bool {
    !is_stale(value)
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
            let again = std::mem::replace(&mut seen[into], true);
            for step in 0..self.steps {
                let value = self.at(row, step);
                if !is_there(value) {
                    continue;
                }
                if again && (strict || is_there(merged.at(into, step))) {
                    let labels = &merged.labels[into];
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

/// Which labels count.
#[derive(Clone, Debug)]
pub(super) enum Pick {
    /// These.
    By(Vec<String>),
    /// All but these.
    Without(Vec<String>),
}

impl Pick {
    fn takes(&self, name: &str) -> bool {
        match self {
            Self::By(names) => names.iter().any(|one| one == name),
            Self::Without(names) => names.iter().all(|one| one != name),
        }
    }

    fn of<'l>(&self, labels: &'l Labels) -> impl Iterator<Item = (&'l str, &'l str)> {
        let taken = labels.iter().filter(|(name, _)| self.takes(name));
        taken.map(|(name, value)| (&**name, &**value))
    }

    /// Only the labels that count.
    pub(super) fn take(&self, labels: &Labels) -> Labels {
        labels.filtered(|name| self.takes(name))
    }
}

/// Gives series whose labels that count are the same one number.
pub(super) struct Grouper {
    pick: Pick,
    heads: HashMap<u64, u32, BuildHasherDefault<AsIs>>,
    /// The next group with the same hash; none where it is itself.
    next: Vec<u32>,
    /// The first labels of each group, whole.
    pub(super) firsts: Vec<Labels>,
}

impl Grouper {
    pub(super) fn new(pick: Pick, expected: usize) -> Self {
        let heads =
            HashMap::with_capacity_and_hasher(expected.min(1024), BuildHasherDefault::default());
        Self { pick, heads, next: Vec::new(), firsts: Vec::new() }
    }

    fn hash(&self, labels: &Labels) -> u64 {
        let mut hash = 0;
        for (name, value) in self.pick.of(labels) {
            hash = mix(mix(hash, name.as_bytes()), value.as_bytes());
        }
        hash
    }

    fn same(&self, group: usize, labels: &Labels) -> bool {
        self.pick.of(&self.firsts[group]).eq(self.pick.of(labels))
    }

    /// The number of the group of `labels`, a new one where there is none yet.
    pub(super) fn id(&mut self, labels: &Labels) -> usize {
        let hash = self.hash(labels);
        let new = u32::try_from(self.firsts.len()).unwrap_or(u32::MAX);
        let head = *self.heads.entry(hash).or_insert(new);
        let mut at = head;
        if head != new {
            loop {
                if self.same(at as usize, labels) {
                    return at as usize;
                }
                let next = self.next[at as usize];
                if next == at {
                    self.next[at as usize] = new;
                    break;
                }
                at = next;
            }
        }
        self.next.push(new);
        self.firsts.push(labels.clone());
        new as usize
    }

    /// The labels of each group, only those that count.
    pub(super) fn labels(&self) -> Vec<Labels> {
        self.firsts.iter().map(|labels| self.pick.take(labels)).collect()
    }
}

/// Folds bytes into a hash, eight at a time.
fn mix(hash: u64, bytes: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let fold = |hash: u64, word: u64| (hash.rotate_left(23) ^ word).wrapping_mul(FACTOR);
    let mut hash = fold(hash, bytes.len() as u64);
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        let mut word = [0; 8];
        word.copy_from_slice(chunk);
        hash = fold(hash, u64::from_le_bytes(word));
    }
    let rest = chunks.remainder();
    if !rest.is_empty() {
        let mut word = [0; 8];
        word[..rest.len()].copy_from_slice(rest);
        hash = fold(hash, u64::from_le_bytes(word));
    }
    hash ^ (hash >> 29)
}

/// A hasher for keys that are hashes.
#[derive(Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = mix(self.0, bytes);
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}
