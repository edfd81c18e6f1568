//! How a page's labels are called in memory.

use super::Metadata;
use crate::domain::Labels;
use crate::metrics::exposition::{MetricKind, SampleLine, openmetrics_float};
use std::borrow::Cow;
use std::collections::HashMap;

/// The name that a page's label gets: a target's own label of that name goes
/// first, as with `honor_labels: false` in Prometheus.
pub(super) fn free_name<'n>(
    name: &'n str,
    target: &Labels,
    sample: &SampleLine<'_, '_>,
) -> Cow<'n, str> {
    let mut free = Cow::Borrowed(name);
    while target.get(&free).is_some()
        || (free != name && sample.labels.iter().any(|label| label.name == free))
    {
        free = Cow::Owned(format!("exported_{free}"));
    }
    free
}

/// The bound of a bucket or the rank of a quantile as Prometheus 3 writes it,
/// so that `le="1"` and `le="1.0"` are one series.
pub(super) fn bound<'v>(
    label: &str,
    value: &'v str,
    metric: &str,
    metadata: &HashMap<String, Metadata>,
) -> Cow<'v, str> {
    let (family, kind) = match label {
        "le" => (metric.strip_suffix("_bucket"), MetricKind::Histogram),
        "quantile" => (Some(metric), MetricKind::Summary),
        _ => return Cow::Borrowed(value),
    };
    if is_canonical(value)
        || family.and_then(|family| metadata.get(family)).is_none_or(|known| known.kind != kind)
    {
        return Cow::Borrowed(value);
    }
    match value.parse() {
        Ok(number) => Cow::Owned(openmetrics_float(number)),
        Err(_) => Cow::Borrowed(value),
    }
}

/// Whether a bound is plainly written as it shall be, like `0.25`.
fn is_canonical(value: &str) -> bool {
    let Some((whole, fraction)) = value.split_once('.') else { return value == "+Inf" };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole)
        && digits(fraction)
        && whole.len() + fraction.len() <= 12
        && whole.len() <= 6
        && (whole == "0" || !whole.starts_with('0'))
        && (fraction == "0" || !fraction.ends_with('0'))
        && !fraction.starts_with("0000")
}
