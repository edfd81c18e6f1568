//! From label pairs to series.

use super::hashing::{Keyed, KeyedMap};
use super::series::{NONE, Series, SeriesId};
use crate::domain::Labels;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The place of a label pair in the index.
pub(super) type PairId = u32;
/// The place of a label name in the index.
pub(super) type NameId = u32;

/// A label with one of its values, and the series that have it, growing.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub(super) name: NameId,
    pub(super) value: Arc<str>,
    pub(super) series: Vec<SeriesId>,
}

/// A label name and its values.
#[derive(Clone, Debug)]
pub(super) struct Name {
    pub(super) text: Arc<str>,
    values: KeyedMap<Arc<str>, PairId>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    keyed: Keyed,
    by_name: KeyedMap<Arc<str>, NameId>,
    names: Vec<Name>,
    pairs: Vec<Pair>,
    /// Each series by the hash of its pairs; where two have the same, the second
    /// stands at the next number.
    by_pairs: HashMap<u64, SeriesId, BuildHasherDefault<AsIs>>,
    /// Bytes of the pairs' texts.
    bytes: usize,
    /// Bytes of labels that were made for those who asked.
    told: Count,
}

/// A number that can be added to by who only looks.
#[derive(Debug, Default)]
struct Count(AtomicUsize);

impl Clone for Count {
    fn clone(&self) -> Self {
        Self(AtomicUsize::new(self.0.load(Ordering::Relaxed)))
    }
}

impl Index {
    pub(super) fn pair(&self, id: PairId) -> Option<&Pair> {
        self.pairs.get(id as usize)
    }

    pub(super) fn pairs(&self) -> &[Pair] {
        &self.pairs
    }

    pub(super) fn names(&self) -> &[Name] {
        &self.names
    }

    pub(super) fn name(&self, id: NameId) -> Option<&Arc<str>> {
        self.names.get(id as usize).map(|name| &name.text)
    }

    pub(super) fn find_name(&self, name: &str) -> Option<NameId> {
        self.by_name.get(name).copied()
    }

    /// The id of a name, made where it is new.
    pub(super) fn make_name(&mut self, name: &str) -> NameId {
        if let Some(id) = self.find_name(name) {
            return id;
        }
        let id = NameId::try_from(self.names.len()).unwrap_or(NameId::MAX);
        let text: Arc<str> = name.into();
        self.bytes += name.len() + 16 + 40 + size_of::<Name>();
        self.by_name.insert(Arc::clone(&text), id);
        self.names.push(Name { text, values: HashMap::with_hasher(self.keyed.clone()) });
        id
    }

    pub(super) fn find_pair(&self, name: &str, value: &str) -> Option<PairId> {
        self.find_value(self.find_name(name)?, value)
    }

    /// The pair of a name with a value.
    pub(super) fn find_value(&self, name: NameId, value: &str) -> Option<PairId> {
        self.names.get(name as usize)?.values.get(value).copied()
    }

    /// The pair, made where it is new.
    pub(super) fn make_pair(&mut self, name: &str, value: &str) -> PairId {
        let name = self.make_name(name);
        self.make_value(name, value)
    }

    /// The pair of a name with a value, made where it is new.
    pub(super) fn make_value(&mut self, name: NameId, value: &str) -> PairId {
        if let Some(id) = self.find_value(name, value) {
            return id;
        }
        let Some(values) = self.names.get_mut(name as usize).map(|name| &mut name.values) else {
            return PairId::MAX;
        };
        let value: Arc<str> = value.into();
        self.bytes += pair_bytes(&value);
        let id = PairId::try_from(self.pairs.len()).unwrap_or(PairId::MAX);
        values.insert(Arc::clone(&value), id);
        self.pairs.push(Pair { name, value, series: Vec::new() });
        id
    }

    /// Puts pairs in the order of their names.
    pub(super) fn sort(&self, pairs: &mut [PairId]) {
        let name = |id: PairId| self.pair(id).and_then(|pair| self.name(pair.name));
        pairs.sort_unstable_by(|a, b| name(*a).cmp(&name(*b)));
    }

    /// The labels of pairs in the order of their names.
    pub(super) fn labels(&self, pairs: &[PairId]) -> Labels {
        let known = || pairs.iter().filter_map(|&id| self.text(id));
        // All are known, so that the list can be made at its size at once.
        let first = known().next();
        let Some(some) = first else { return Labels::default() };
        Labels::in_order(pairs.iter().map(|&id| self.text(id).unwrap_or(some)))
    }

    fn text(&self, id: PairId) -> Option<(&Arc<str>, &Arc<str>)> {
        let pair = self.pair(id)?;
        Some((self.name(pair.name)?, &pair.value))
    }

    /// A series' labels, kept with it from the first question on.
    pub(super) fn labels_of<'s>(&self, series: &'s Series) -> &'s Labels {
        series.labels.get_or_init(|| {
            self.told.0.fetch_add(labels_bytes(series.pairs.len()), Ordering::Relaxed);
            self.labels(&series.pairs)
        })
    }

    /// The value that a series has for a name; empty where it has none.
    pub(super) fn value_of(&self, series: &Series, name: NameId) -> &str {
        let mut pairs = series.pairs.iter().filter_map(|&id| self.pair(id));
        pairs.find(|pair| pair.name == name).map_or("", |pair| &pair.value)
    }

    /// Makes room for so many more series.
    pub(super) fn reserve(&mut self, series: usize) {
        self.by_pairs.reserve(series);
    }

    /// The series with these pairs, which are in the order of their names; or
    /// where it would stand.
    pub(super) fn find(&self, pairs: &[PairId], all: &[Series]) -> Result<SeriesId, u64> {
        let mut hash = self.keyed.numbers(pairs);
        loop {
            match self.by_pairs.get(&hash) {
                None => return Err(hash),
                Some(&id) if all.get(id as usize).is_some_and(|one| *one.pairs == *pairs) => {
                    return Ok(id);
                }
                Some(_) => hash = hash.wrapping_add(1),
            }
        }
    }

    /// Enters a series where [`Index::find`] said; `id` is greater than all before it.
    pub(super) fn add(&mut self, pairs: &[PairId], hash: u64, id: SeriesId) {
        for pair in pairs {
            if let Some(pair) = self.pairs.get_mut(*pair as usize) {
                pair.series.push(id);
            }
        }
        self.by_pairs.insert(hash, id);
    }

    /// After series went away: `new` holds for each old id the new one, or
    /// [`NONE`], and `all` those that are left. Names and pairs that none of them
    /// has go, too.
    pub(super) fn renumber(&mut self, new: &[SeriesId], all: &mut [Series]) {
        let mut new_pairs = Vec::with_capacity(self.pairs.len());
        let mut next: PairId = 0;
        for pair in &mut self.pairs {
            pair.series.retain_mut(|id| {
                *id = new.get(*id as usize).copied().unwrap_or(NONE);
                *id != NONE
            });
            if pair.series.capacity() > 2 * pair.series.len() + 8 {
                pair.series.shrink_to_fit();
            }
            let stays = !pair.series.is_empty();
            new_pairs.push(if stays { next } else { NONE });
            next += u32::from(stays);
        }
        if next as usize != self.pairs.len() {
            self.pairs.retain(|pair| !pair.series.is_empty());
            self.pairs.shrink_to_fit();
            for pair in all.iter_mut().flat_map(|series| &mut series.pairs) {
                *pair = new_pairs.get(*pair as usize).copied().unwrap_or(NONE);
            }
            self.rename();
        }
        self.by_pairs.clear();
        self.by_pairs.shrink_to(all.len());
        let mut told = 0;
        for (id, series) in (0..).zip(&*all) {
            if series.labels.get().is_some() {
                told += labels_bytes(series.pairs.len());
            }
            if let Err(hash) = self.find(&series.pairs, all) {
                self.by_pairs.insert(hash, id);
            }
        }
        self.told.0.store(told, Ordering::Relaxed);
    }

    /// Numbers the names anew after pairs went away.
    fn rename(&mut self) {
        let old = std::mem::take(&mut self.names);
        self.by_name = HashMap::with_hasher(self.keyed.clone());
        self.bytes = 0;
        let mut new: Vec<NameId> = vec![NONE; old.len()];
        let mut pairs = std::mem::take(&mut self.pairs);
        for (id, pair) in (0..).zip(&mut pairs) {
            let Some(name) = new.get_mut(pair.name as usize) else { continue };
            if *name == NONE
                && let Some(old) = old.get(pair.name as usize)
            {
                *name = self.make_name(&old.text);
            }
            pair.name = *name;
            self.bytes += pair_bytes(&pair.value);
            if let Some(name) = self.names.get_mut(*name as usize) {
                name.values.insert(Arc::clone(&pair.value), id);
            }
        }
        self.pairs = pairs;
    }

    /// The values of a label with the series that have them.
    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = &Pair> {
        let name = self.find_name(name).and_then(|id| self.names.get(id as usize));
        name.into_iter().flat_map(|name| name.values.values()).filter_map(|&id| self.pair(id))
    }

    pub(super) fn value_count(&self, name: &str) -> usize {
        let name = self.find_name(name).and_then(|id| self.names.get(id as usize));
        name.map_or(0, |name| name.values.len())
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes + self.told.0.load(Ordering::Relaxed)
    }
}

/// A pair's value, its places in the maps and lists.
fn pair_bytes(value: &str) -> usize {
    value.len() + 16 + 40 + size_of::<Pair>()
}

/// Labels as a list of texts.
fn labels_bytes(count: usize) -> usize {
    32 + 32 * count
}

/// A hasher for keys that are hashes.
#[derive(Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _bytes: &[u8]) {}

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}
