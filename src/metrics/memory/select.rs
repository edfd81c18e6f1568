//! From matchers to series.

use super::Memory;
use super::series::SeriesId;
use crate::domain::{Labels, Timestamp};
use crate::metrics::{MatchOp, Matcher, Sample, Storage};

impl Memory {
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
            found.retain(|&id| {
                self.series.get(id as usize).is_some_and(|series| {
                    let value = |name: &str| series.labels.get(name).unwrap_or_default();
                    open.iter().all(|matcher| matcher.matches(value(&matcher.name)))
                })
            });
        }
        found
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
        for id in self.matching(matchers) {
            let Some(series) = self.series.get(id as usize) else { continue };
            let Some(Some(watched)) = self.targets.get(series.target as usize) else { continue };
            samples.clear();
            series.samples(&watched.times, after.millis(), until.millis(), &mut samples);
            if !samples.is_empty() {
                found(&series.labels, &samples);
            }
        }
    }
}
