//! Labels of a series or an alert.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// The label that holds a series' metric name.
pub const METRIC_NAME: &str = "__name__";

/// A set of labels, sorted by name, each name once. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels(Arc<[(Arc<str>, Arc<str>)]>);

impl Labels {
    /// From pairs in any order. An empty value means that the label is not
    /// there, as in Prometheus; of two pairs with one name the last one counts.
    pub fn new<N: Into<Arc<str>>, V: Into<Arc<str>>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let mut sorted: Vec<(Arc<str>, Arc<str>)> =
            pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        sorted.reverse();
        sorted.sort_by(|a, b| a.0.cmp(&b.0));
        sorted.dedup_by(|later, kept| later.0 == kept.0);
        sorted.retain(|(_, value)| !value.is_empty());
        Self(sorted.into())
    }

    /// From pairs that are in the order of their names, each name once, no value empty.
    pub(crate) fn in_order<'p>(
        pairs: impl ExactSizeIterator<Item = (&'p Arc<str>, &'p Arc<str>)>,
    ) -> Self {
        Self(pairs.map(|(name, value)| (Arc::clone(name), Arc::clone(value))).collect())
    }

    /// The value of the label called `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        let at = self.0.binary_search_by(|(known, _)| (**known).cmp(name)).ok()?;
        Some(&self.0[at].1)
    }

    /// The metric name, where there is one.
    pub fn metric(&self) -> Option<&str> {
        self.get(METRIC_NAME)
    }

    /// Pairs in the order of their names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Arc<str>, &Arc<str>)> {
        self.0.iter().map(|(name, value)| (name, value))
    }

    /// Only the labels whose names `keep` takes.
    #[must_use]
    pub fn filtered(&self, keep: impl Fn(&str) -> bool) -> Self {
        Self(self.0.iter().filter(|(name, _)| keep(name)).cloned().collect())
    }

    /// With the label called `name` set to `value`; without it where `value` is empty.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let others = self.0.iter().filter(|(known, _)| &**known != name).cloned();
        Self::new(others.chain([(name.into(), value.into())]))
    }

    /// The pair at this place in the order of names.
    pub fn at(&self, place: usize) -> Option<(&Arc<str>, &Arc<str>)> {
        self.0.get(place).map(|(name, value)| (name, value))
    }

    /// How many labels there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The fingerprint that Prometheus and Alertmanager give the same labels:
    /// 64-bit FNV-1a over name, 0xff, value, 0xff of each pair in order
    /// (prometheus/common, model/signature.go).
    pub fn fingerprint(&self) -> u64 {
        fnv1a(self.0.iter().flat_map(|(name, value)| {
            name.bytes().chain([0xff]).chain(value.bytes()).chain([0xff])
        }))
    }
}

/// The 64-bit FNV-1a hash (Fowler, Noll, Vo; RFC 9923): the same in every build,
/// for identities that are kept; not for anything that an enemy may choose.
pub fn fnv1a(bytes: impl IntoIterator<Item = u8>) -> u64 {
    const OFFSET: u64 = 14_695_981_039_346_656_037;
    const PRIME: u64 = 1_099_511_628_211;
    bytes.into_iter().fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}

impl fmt::Display for Labels {
    /// As PromQL writes a series: `up{job="api"}`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = self.metric() {
            f.write_str(name)?;
        }
        let others = || self.0.iter().filter(|(name, _)| &**name != METRIC_NAME);
        if others().next().is_none() {
            return if self.metric().is_none() { f.write_str("{}") } else { Ok(()) };
        }
        f.write_str("{")?;
        for (i, (name, value)) in others().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{name}={value:?}")?;
        }
        f.write_str("}")
    }
}

impl Serialize for Labels {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let pairs = std::collections::BTreeMap::<String, String>::deserialize(deserializer)?;
        Ok(Self::new(pairs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_sorted_and_the_last_of_two_counts() {
        let labels = Labels::new([("b", "1"), ("a", "2"), ("b", "3"), ("c", "")]);
        assert_eq!(labels.to_string(), r#"{a="2", b="3"}"#);
        assert_eq!(labels.get("c"), None);
    }

    #[test]
    fn labels_can_be_taken_out_and_set() {
        let labels = Labels::new([("a", "1"), ("b", "2")]);
        assert_eq!(labels.filtered(|name| name != "a"), Labels::new([("b", "2")]));
        assert_eq!(labels.with("b", "3"), Labels::new([("a", "1"), ("b", "3")]));
        assert_eq!(labels.with("b", ""), Labels::new([("a", "1")]));
    }

    #[test]
    fn a_series_reads_as_in_promql() {
        assert_eq!(Labels::new([("__name__", "up")]).to_string(), "up");
        let labels = Labels::new([("__name__", "up"), ("job", "a\"b")]);
        assert_eq!(labels.to_string(), r#"up{job="a\"b"}"#);
        assert_eq!(Labels::default().to_string(), "{}");
    }

    #[test]
    fn the_fingerprint_of_no_labels_is_the_offset_of_fnv() {
        assert_eq!(Labels::default().fingerprint(), 14_695_981_039_346_656_037);
    }
}
