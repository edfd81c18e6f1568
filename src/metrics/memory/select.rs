//! From matchers to series, and to the groups that they make: found once, and
//! again only for series that have come since.

use super::Memory;
use super::index::{Index, NameId, PairId};
use super::series::{Range, Series, SeriesId, Window};
use crate::domain::{Labels, Timestamp};
use crate::metrics::{Grouping, MatchOp, Matcher, OfGroup, Packed, Sample, Storage};
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

/// What is remembered of answers takes at most so many bytes.
const MAX_BYTES: usize = 16 << 20;

/// The answers to questions for series, until series go.
#[derive(Debug, Default)]
pub(super) struct Resolved(Mutex<Answers>);

#[derive(Debug, Default)]
struct Answers {
    by_matchers: HashMap<String, Answer>,
    /// How many questions there were.
    asked: u64,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Answer {
    /// The series, growing.
    series: Arc<Vec<SeriesId>>,
    groups: Vec<Groups>,
    /// Series before this one have been looked at.
    until: usize,
    asked: u64,
}

/// What a grouping makes of an answer's series.
#[derive(Debug)]
struct Groups {
    grouping: Grouping,
    /// The group of each series.
    of: Arc<Vec<u32>>,
    labels: Arc<Vec<Labels>>,
    known: HashMap<Box<[PairId]>, u32>,
}

/// Series, the group of each, and the labels of the groups.
type Grouped = (Arc<Vec<SeriesId>>, Arc<Vec<u32>>, Arc<Vec<Labels>>);

impl Clone for Resolved {
    /// A copy finds its series anew.
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Resolved {
    /// After series went away or were numbered anew.
    pub(super) fn forget(&mut self) {
        *self.0.get_mut().unwrap_or_else(PoisonError::into_inner) = Answers::default();
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).bytes
    }
}

impl Answer {
    fn bytes(&self) -> usize {
        let groups = self.groups.iter().map(|groups| {
            groups.of.capacity() * 4 + groups.labels.len() * 256 + size_of::<Groups>()
        });
        size_of::<Self>() + 256 + self.series.capacity() * 4 + groups.sum::<usize>()
    }
}

impl Groups {
    fn new(grouping: &Grouping) -> Self {
        let grouping = grouping.clone();
        Self { grouping, of: Arc::default(), labels: Arc::default(), known: HashMap::new() }
    }

    /// Takes in series that are not grouped yet.
    fn extend(&mut self, series: &[SeriesId], all: &[Series], index: &Index) {
        let takes = |name: NameId| index.name(name).is_some_and(|name| self.grouping.takes(name));
        let takes: Vec<bool> = (0..).map_while(|id| index.name(id).map(|_| takes(id))).collect();
        let of = Arc::make_mut(&mut self.of);
        let labels = Arc::make_mut(&mut self.labels);
        let mut key = Vec::new();
        for id in series.get(of.len()..).unwrap_or_default() {
            key.clear();
            let pairs = all.get(*id as usize).map(|series| &*series.pairs).unwrap_or_default();
            key.extend(pairs.iter().copied().filter(|&id| {
                let name = index.pair(id).map(|pair| pair.name as usize);
                name.and_then(|name| takes.get(name)).is_some_and(|&takes| takes)
            }));
            let group = if let Some(&group) = self.known.get(&*key) {
                group
            } else {
                let group = u32::try_from(labels.len()).unwrap_or(u32::MAX);
                labels.push(index.labels(&key));
                self.known.insert(key.as_slice().into(), group);
                group
            };
            of.push(group);
        }
    }
}

/// A question as a text.
fn key(matchers: &[Matcher]) -> String {
    let mut key = String::new();
    for matcher in matchers {
        let (op, value) = match &matcher.op {
            MatchOp::Equal(value) => ('=', value.as_str()),
            MatchOp::NotEqual(value) => ('!', value.as_str()),
            MatchOp::Regex(regex) => ('~', regex.as_str()),
            MatchOp::NotRegex(regex) => ('^', regex.as_str()),
        };
        // The lengths keep any two questions apart.
        let (name, length) = (&matcher.name, value.len());
        let _ = write!(key, "{}{op}{length} {name}{value}", name.len());
    }
    key
}

impl Answers {
    /// The answer to a question, up to date.
    fn answer(&mut self, matchers: &[Matcher], memory: &Memory) -> &mut Answer {
        self.asked += 1;
        let key = key(matchers);
        if self.bytes > MAX_BYTES {
            self.let_go();
        }
        let answer = self.by_matchers.entry(key).or_default();
        answer.asked = self.asked;
        let all = memory.series.len();
        if answer.until < all {
            self.bytes = self.bytes.saturating_sub(answer.bytes());
            if answer.until == 0 {
                answer.series = Arc::new(memory.matching(matchers));
            } else {
                let series = Arc::make_mut(&mut answer.series);
                memory.match_from(answer.until, matchers, series);
            }
            answer.until = all;
            self.bytes += answer.bytes();
        }
        answer
    }

    /// Forgets the half that nobody asked for lately.
    fn let_go(&mut self) {
        let mut asked: Vec<u64> = self.by_matchers.values().map(|answer| answer.asked).collect();
        asked.sort_unstable();
        let middle = asked.get(asked.len() / 2).copied().unwrap_or(0);
        self.by_matchers.retain(|_, answer| answer.asked > middle);
        self.bytes = self.by_matchers.values().map(Answer::bytes).sum();
    }
}

impl Memory {
    fn resolved(&self, matchers: &[Matcher]) -> Arc<Vec<SeriesId>> {
        let mut answers = self.resolved.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&answers.answer(matchers, self).series)
    }

    /// The series, the group of each, and the labels of the groups.
    fn grouped(&self, matchers: &[Matcher], grouping: &Grouping) -> Grouped {
        let mut guard = self.resolved.0.lock().unwrap_or_else(PoisonError::into_inner);
        let answers = &mut *guard;
        let answer = answers.answer(matchers, self);
        let before = answer.bytes();
        let known = answer.groups.iter().position(|groups| groups.grouping == *grouping);
        let place = known.unwrap_or(answer.groups.len());
        if known.is_none() {
            answer.groups.push(Groups::new(grouping));
        }
        let series = Arc::clone(&answer.series);
        let (mut of, mut labels) = (Arc::default(), Arc::default());
        if let Some(groups) = answer.groups.get_mut(place) {
            if groups.of.len() < series.len() {
                groups.extend(&series, &self.series, &self.index);
            }
            (of, labels) = (Arc::clone(&groups.of), Arc::clone(&groups.labels));
        }
        let after = answer.bytes();
        answers.bytes = (answers.bytes + after).saturating_sub(before);
        (series, of, labels)
    }

    /// The names of labels that series have which fulfil all matchers, in order.
    pub fn label_names_of(&self, matchers: &[Matcher]) -> Vec<&str> {
        let mut seen = vec![false; self.index.names().len()];
        for pair in self.pairs_of(matchers) {
            if let Some(seen) = self.index.pair(pair).and_then(|p| seen.get_mut(p.name as usize)) {
                *seen = true;
            }
        }
        let names = self.index.names().iter().zip(seen);
        let mut names: Vec<&str> =
            names.filter(|(_, seen)| *seen).map(|(name, _)| &*name.text).collect();
        names.sort_unstable();
        names
    }

    /// The values of a label in series which fulfil all matchers, in order.
    pub fn label_values_of(&self, label: &str, matchers: &[Matcher]) -> Vec<&str> {
        let Some(name) = self.index.find_name(label) else { return Vec::new() };
        let pairs: HashSet<PairId> = self.pairs_of(matchers).collect();
        let pairs = pairs.into_iter().filter_map(|id| self.index.pair(id));
        let mut values: Vec<&str> =
            pairs.filter(|pair| pair.name == name).map(|pair| &*pair.value).collect();
        values.sort_unstable();
        values
    }

    fn pairs_of(&self, matchers: &[Matcher]) -> impl Iterator<Item = PairId> {
        let found = self.matching(matchers).into_iter();
        let series = found.filter_map(|id| self.series.get(id as usize));
        series.flat_map(|series| series.pairs.iter().copied())
    }

    /// The series that fulfil all matchers, in the order of their ids.
    fn matching(&self, matchers: &[Matcher]) -> Vec<SeriesId> {
        let mut lists: Vec<&[SeriesId]> = Vec::new();
        let mut open: Vec<&Matcher> = Vec::new();
        for matcher in matchers {
            match &matcher.op {
                MatchOp::Equal(value) if !value.is_empty() => {
                    let pair = self.index.find_pair(&matcher.name, value);
                    let Some(pair) = pair.and_then(|id| self.index.pair(id)) else {
                        return Vec::new();
                    };
                    lists.push(&pair.series);
                }
                _ => open.push(matcher),
            }
        }
        lists.sort_unstable_by_key(|list| list.len());
        let mut found = intersection(&lists);
        // What needs a label to be there is looked up by that label's values,
        // unless fewer series than values are left to be looked at.
        open.retain(|matcher| {
            let few =
                found.as_ref().is_some_and(|f| f.len() < self.index.value_count(&matcher.name));
            if few || matcher.matches("") {
                return true;
            }
            let fitting = self.index.values(&matcher.name).filter(|p| matcher.matches(&p.value));
            let fitting: Vec<&[SeriesId]> = fitting.map(|pair| &*pair.series).collect();
            let mut all = fitting.concat();
            all.sort_unstable();
            found = Some(match found.take() {
                Some(found) => intersection(&[&found, &all]).unwrap_or_default(),
                None => all,
            });
            false
        });
        let mut found = found.unwrap_or_else(|| (0..).take(self.series.len()).collect());
        if !open.is_empty() {
            let open = self.named(open);
            found.retain(|&id| self.series.get(id as usize).is_some_and(|s| self.fits(s, &open)));
        }
        found.shrink_to_fit();
        found
    }

    /// Adds those that fulfil all matchers from the series at `from` on.
    fn match_from(&self, from: usize, matchers: &[Matcher], found: &mut Vec<SeriesId>) {
        let matchers = self.named(matchers);
        let new = self.series.get(from..).unwrap_or_default().iter().zip(from..);
        let fitting = new.filter(|(series, _)| self.fits(series, &matchers));
        found.extend(fitting.filter_map(|(_, id)| SeriesId::try_from(id).ok()));
    }

    /// Matchers with the ids of their names; a name that nobody has has none.
    fn named<'m>(
        &self,
        matchers: impl IntoIterator<Item = &'m Matcher>,
    ) -> Vec<(Option<NameId>, &'m Matcher)> {
        let named = |matcher: &'m Matcher| (self.index.find_name(&matcher.name), matcher);
        matchers.into_iter().map(named).collect()
    }

    fn fits(&self, series: &Series, matchers: &[(Option<NameId>, &Matcher)]) -> bool {
        matchers.iter().all(|(name, matcher)| {
            matcher.matches(name.map_or("", |name| self.index.value_of(series, name)))
        })
    }

    /// Hands over each of the series with its place among them and its samples.
    fn walk<'s>(
        &'s self,
        series: &[SeriesId],
        after: Timestamp,
        until: Timestamp,
        mut each: impl FnMut(usize, &'s Series, Window<'s>),
    ) {
        let ranges: Vec<Option<Range>> = self
            .targets
            .iter()
            .map(|slot| {
                let times = &slot.as_ref()?.times;
                Some(Range::new(times, after.millis(), until.millis()))
            })
            .collect();
        for (place, &id) in series.iter().enumerate() {
            let Some(series) = self.series.get(id as usize) else { continue };
            let slot = series.target as usize;
            if let (Some(Some(watched)), Some(Some(range))) =
                (self.targets.get(slot), ranges.get(slot))
                && series.last_at().is_some_and(|last| last > range.after)
                && series.first_at().is_some_and(|first| first <= range.until)
            {
                each(place, series, Window { series, times: &watched.times, range: *range });
            }
        }
    }
}

/// What is in all of the growing lists, the shortest of which comes first;
/// none where there is no list.
fn intersection(lists: &[&[SeriesId]]) -> Option<Vec<SeriesId>> {
    let (shortest, others) = lists.split_first()?;
    let mut found = shortest.to_vec();
    for list in others {
        let mut rest = *list;
        found.retain(|id| {
            // Long lists are walked in steps that double.
            let mut step = 1;
            while rest.get(step).is_some_and(|other| other < id) {
                step *= 2;
            }
            let until = rest.len().min(step + 1);
            rest = &rest[rest[..until].partition_point(|other| other < id)..];
            rest.first() == Some(id)
        });
    }
    Some(found)
}

impl Storage for Memory {
    fn select(
        &self,
        matchers: &[Matcher],
        after: Timestamp,
        until: Timestamp,
        found: &mut dyn FnMut(&Labels, &[Sample]),
    ) {
        let mut samples = Vec::new();
        self.walk(&self.resolved(matchers), after, until, |_, series, window| {
            samples.clear();
            window.unpack(&mut samples);
            if !samples.is_empty() {
                found(self.index.labels_of(series), &samples);
            }
        });
    }

    fn select_packed(
        &self,
        matchers: &[Matcher],
        after: Timestamp,
        until: Timestamp,
        found: &mut dyn FnMut(&Labels, &dyn Packed),
    ) {
        self.walk(&self.resolved(matchers), after, until, |_, series, window| {
            found(self.index.labels_of(series), &window);
        });
    }

    fn select_grouped(
        &self,
        matchers: &[Matcher],
        after: Timestamp,
        until: Timestamp,
        grouping: &Grouping,
        found: &mut OfGroup<'_>,
    ) -> Vec<Labels> {
        let (series, of, labels) = self.grouped(matchers, grouping);
        self.walk(&series, after, until, |place, _, window| {
            if let Some(&group) = of.get(place) {
                found(group as usize, &window);
            }
        });
        labels.to_vec()
    }
}
