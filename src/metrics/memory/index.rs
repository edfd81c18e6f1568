//! From label pairs to series.

use super::series::{NONE, Series, SeriesId};
use crate::domain::Labels;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// The place of a label pair in the index.
pub(super) type PairId = u32;

/// A label with one of its values, and the series that have it, growing.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub(super) name: Arc<str>,
    pub(super) value: Arc<str>,
    pub(super) series: Vec<SeriesId>,
}

/// Labels whose values are those of the index's pairs, one place in memory for
/// each pair: two such sets are equal where these places are.
#[derive(Clone, Debug)]
struct Interned(Labels);

impl Interned {
    fn places(&self) -> impl Iterator<Item = *const u8> {
        self.0.iter().map(|(_, value)| value.as_ptr())
    }
}

impl PartialEq for Interned {
    fn eq(&self, other: &Self) -> bool {
        self.places().eq(other.places())
    }
}

impl Eq for Interned {}

impl Hash for Interned {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        for place in self.places() {
            place.hash(hasher);
        }
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    names: HashMap<Arc<str>, HashMap<Arc<str>, PairId>>,
    pairs: Vec<Pair>,
    by_labels: HashMap<Interned, SeriesId>,
    /// Bytes of the pairs' texts.
    bytes: usize,
}

impl Index {
    pub(super) fn pair(&self, id: PairId) -> Option<&Pair> {
        self.pairs.get(id as usize)
    }

    pub(super) fn find_pair(&self, name: &str, value: &str) -> Option<PairId> {
        self.names.get(name)?.get(value).copied()
    }

    /// The pair, made where it is new.
    pub(super) fn make_pair(&mut self, name: &str, value: &str) -> PairId {
        if let Some(id) = self.find_pair(name, value) {
            return id;
        }
        let name: Arc<str> =
            self.names.get_key_value(name).map_or_else(|| name.into(), |(name, _)| name.clone());
        let value: Arc<str> = value.into();
        self.bytes += pair_bytes(&value);
        let id = PairId::try_from(self.pairs.len()).unwrap_or(PairId::MAX);
        self.names.entry(name.clone()).or_default().insert(value.clone(), id);
        self.pairs.push(Pair { name, value, series: Vec::new() });
        id
    }

    /// The labels that the pairs make.
    pub(super) fn labels(&self, pairs: &[PairId]) -> Labels {
        // One pair for each id, so that the list is made at its size at once; a
        // pair that is not there has no text and so makes no label.
        Labels::new(pairs.iter().map(|&id| {
            let pair = self.pair(id).map(|pair| (pair.name.clone(), pair.value.clone()));
            pair.unwrap_or_else(|| (Arc::default(), Arc::default()))
        }))
    }

    /// Makes room for so many more series.
    pub(super) fn reserve(&mut self, series: usize) {
        self.by_labels.reserve(series);
    }

    /// The series with these labels, which [`Index::labels`] made.
    pub(super) fn find(&self, labels: &Labels) -> Option<SeriesId> {
        self.by_labels.get(&Interned(labels.clone())).copied()
    }

    /// Enters a series; `id` is greater than all before it.
    pub(super) fn add(&mut self, labels: &Labels, pairs: &[PairId], id: SeriesId) {
        for pair in pairs {
            if let Some(pair) = self.pairs.get_mut(*pair as usize) {
                pair.series.push(id);
            }
        }
        self.by_labels.insert(Interned(labels.clone()), id);
    }

    /// Everything anew from a list of series; `None` where two have the same labels.
    pub(super) fn rebuild(series: &mut [Series]) -> Option<Self> {
        let mut index = Self::default();
        let mut pairs = Vec::new();
        for (id, one) in (0..).zip(series.iter_mut()) {
            pairs.clear();
            pairs.extend(one.labels.iter().map(|(name, value)| index.make_pair(name, value)));
            one.labels = index.labels(&pairs);
            index.add(&one.labels, &pairs, id);
        }
        (index.by_labels.len() == series.len()).then_some(index)
    }

    /// After series went away: `new` holds for each old id the new one, or [`NONE`].
    pub(super) fn renumber(&mut self, new: &[SeriesId]) {
        let number = |id: SeriesId| new.get(id as usize).copied().unwrap_or(NONE);
        for pair in &mut self.pairs {
            pair.series.retain_mut(|id| {
                *id = number(*id);
                *id != NONE
            });
        }
        self.pairs.retain(|pair| !pair.series.is_empty());
        self.names.clear();
        self.bytes = 0;
        for (id, pair) in (0..).zip(&self.pairs) {
            self.bytes += pair_bytes(&pair.value);
            self.names.entry(pair.name.clone()).or_default().insert(pair.value.clone(), id);
        }
        self.by_labels.retain(|_, id| {
            *id = number(*id);
            *id != NONE
        });
    }

    /// The values of a label with the series that have them.
    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = &Pair> {
        self.names
            .get(name)
            .into_iter()
            .flat_map(|values| values.values())
            .filter_map(|&id| self.pair(id))
    }

    pub(super) fn value_count(&self, name: &str) -> usize {
        self.names.get(name).map_or(0, HashMap::len)
    }

    pub(super) fn label_names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.names.keys()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// A pair's value, its places in the maps and lists.
fn pair_bytes(value: &str) -> usize {
    value.len() + 16 + 40 + size_of::<Pair>()
}
