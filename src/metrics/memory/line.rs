//! The labels of one line of a page as pairs of the index. A label often is the
//! one that the line before had in its place, and almost always has its name.

use super::index::{Index, NameId, PairId};
use super::series::NONE;

/// A line that was looked up.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    /// Name and pair of each label, in the order of the page.
    labels: Vec<(NameId, PairId)>,
    /// How many of them belong to this line; the others to one before.
    pub(super) used: usize,
    /// How many came from the page, the others being the target's.
    pub(super) own: usize,
    /// Whether the names are those of the line before, in the same order.
    same_names: bool,
    /// How many labels the line before had.
    before: usize,
    /// Its number on the page; none where it cannot be gone by.
    pub(super) number: Option<u64>,
    /// For each place in the order of names the one on the page.
    order: Vec<u16>,
    sorted: Vec<PairId>,
}

impl Line {
    /// Begins with the next line, of which the first `same` labels are those of
    /// the line before.
    pub(super) fn begin(&mut self, same: usize) {
        self.before = self.used;
        self.used = same.min(self.own);
        self.same_names = true;
    }

    /// Whether the line before had a label of the page with this name here: then
    /// no label of the target has it.
    pub(super) fn is_own_name(&self, index: &Index, name: &str) -> bool {
        self.used < self.own
            && self
                .labels
                .get(self.used)
                .and_then(|(known, _)| index.name(*known))
                .is_some_and(|known| **known == *name)
    }

    /// Adds a label. False where it is new and there is no `room` for new ones.
    pub(super) fn enter(&mut self, index: &mut Index, name: &str, value: &str, room: bool) -> bool {
        let before = self.labels.get(self.used).copied();
        let mut name_id = before.map(|(id, _)| id);
        if name_id.and_then(|id| index.name(id)).is_none_or(|known| **known != *name) {
            name_id = if room { Some(index.make_name(name)) } else { index.find_name(name) };
            self.same_names = false;
        }
        let Some(name_id) = name_id else { return false };
        let same = before
            .filter(|(id, _)| *id == name_id)
            .and_then(|(_, pair)| index.pair(pair))
            .is_some_and(|pair| *pair.value == *value);
        let pair = match before {
            Some((_, pair)) if same => Some(pair),
            _ if room => Some(index.make_value(name_id, value)),
            _ => index.find_value(name_id, value),
        };
        let Some(pair) = pair else {
            self.same_names = false;
            return false;
        };
        match self.labels.get_mut(self.used) {
            Some(place) => *place = (name_id, pair),
            None => self.labels.push((name_id, pair)),
        }
        self.used += 1;
        true
    }

    /// The pairs in the order of their names.
    pub(super) fn pairs(&mut self, index: &Index) -> &[PairId] {
        let labels = self.labels.get(..self.used).unwrap_or_default();
        if !self.same_names || self.before != self.used || self.order.len() != self.used {
            self.order.clear();
            self.order.extend((0..).take(self.used));
            let name =
                |place: u16| labels.get(usize::from(place)).and_then(|(name, _)| index.name(*name));
            self.order.sort_by(|a, b| name(*a).cmp(&name(*b)));
        }
        self.sorted.clear();
        let pair = |place: &u16| labels.get(usize::from(*place)).map_or(NONE, |(_, pair)| *pair);
        self.sorted.extend(self.order.iter().map(pair));
        &self.sorted
    }
}
