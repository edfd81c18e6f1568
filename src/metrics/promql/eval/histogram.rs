//! Classic histograms: quantiles and fractions from buckets (promql/quantile.go).

use super::group::{Grouper, Pick};
use super::table::{Names, Table, is_there};
use super::{Engine, EvalError, Outcome, Steps};
use crate::domain::Num;
use crate::domain::labels::METRIC_NAME;
use crate::metrics::promql::ast::{Expr, Span};

/// The label with a bucket's upper bound.
const BOUND: &str = "le";

/// All that was counted up to a bound.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    bound: f64,
    count: f64,
}

impl Engine<'_> {
    pub(super) fn histogram_quantile(
        &self,
        (quantiles, of_quantiles): (&[f64], Span),
        table: &Table,
        of_buckets: Span,
        span: Span,
    ) -> Outcome<Table> {
        self.check_quantiles(quantiles, of_quantiles);
        let mut forced = false;
        let found = self.histograms(table, of_buckets, span, &mut |step, buckets| {
            let (value, mended) = quantile(quantiles[step], buckets);
            forced |= mended;
            value
        });
        if forced {
            let words = "input to histogram_quantile needed to be fixed for monotonicity (see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)";
            self.inform(words, of_buckets);
        }
        found
    }

    /// One series for each histogram and quantile, the quantile in a label.
    pub(super) fn histogram_quantiles(
        &self,
        table: &Table,
        args: &[Expr],
        steps: Steps,
        span: Span,
    ) -> Outcome<Table> {
        let [buckets, label, wanted @ ..] = args else {
            return Err(EvalError::new("an argument is missing", span));
        };
        let label = Self::text(label)?;
        let mut all = Table::new(table.steps);
        for q in wanted {
            let quantiles = self.scalar(q, steps)?;
            let quantile = (&quantiles[..], q.span);
            let found = self.histogram_quantile(quantile, table, buckets.span, span)?.settle();
            for (row, labels) in found.labels.iter().enumerate() {
                for (step, value) in found.row(row).iter().enumerate() {
                    // The quantile may change from step to step, and the label with it.
                    if step == 0 || quantiles[step].to_bits() != quantiles[step - 1].to_bits() {
                        let labels = labels.with(label, &Num(quantiles[step]).to_string());
                        self.add_row(&mut all, &labels, span)?;
                    }
                    let last = all.labels.len() - 1;
                    all.set(last, step, *value);
                }
            }
        }
        all.merge(span, false)
    }

    pub(super) fn histogram_fraction(
        &self,
        low: &[f64],
        high: &[f64],
        table: &Table,
        of_buckets: Span,
        span: Span,
    ) -> Outcome<Table> {
        self.histograms(table, of_buckets, span, &mut |step, buckets| {
            fraction(low[step], high[step], buckets)
        })
    }

    /// One value for each histogram and step.
    fn histograms(
        &self,
        table: &Table,
        of_buckets: Span,
        span: Span,
        value: &mut dyn FnMut(usize, &mut Vec<Bucket>) -> f64,
    ) -> Outcome<Table> {
        let mut names = vec![BOUND.to_owned()];
        if table.names == Names::Dropped {
            names.push(METRIC_NAME.to_owned());
        }
        let pick = Pick::Without(names);
        let mut groups = Grouper::new(pick, table.labels.len() / 8);
        let mut members: Vec<Vec<(f64, usize)>> = Vec::new();
        for (row, labels) in table.labels.iter().enumerate() {
            let Some(bound) = labels.get(BOUND).and_then(|bound| bound.parse::<f64>().ok()) else {
                let bound = labels.get(BOUND).unwrap_or_default();
                let named = labels.metric().filter(|_| table.names != Names::Dropped);
                let of = named.map(|name| format!(" for metric name {name:?}")).unwrap_or_default();
                self.warn(
                    format!(
                        "bucket label {BOUND:?} is missing or has a malformed value of {bound:?}{of}"
                    ),
                    of_buckets,
                );
                continue;
            };
            let group = groups.id(labels);
            if group == members.len() {
                members.push(Vec::new());
            }
            members[group].push((bound, row));
        }
        let mut result = Table::new(table.steps);
        result.names = table.names;
        let mut buckets = Vec::new();
        for (labels, mut rows) in groups.labels().into_iter().zip(members) {
            rows.sort_by(|a, b| a.0.total_cmp(&b.0));
            let row = result.add(labels);
            for step in 0..table.steps {
                buckets.clear();
                buckets.extend(rows.iter().filter_map(|(bound, row)| {
                    let count = table.at(*row, step);
                    is_there(count).then_some(Bucket { bound: *bound, count })
                }));
                if !buckets.is_empty() {
                    result.set(row, step, value(step, &mut buckets));
                }
            }
        }
        self.spend(result.values.len(), span)?;
        result.drop_names(span, false)
    }
}

fn coalesce(buckets: &mut Vec<Bucket>) {
    buckets.dedup_by(|later, kept| {
        let same = later.bound == kept.bound;
        if same {
            kept.count += later.count;
        }
        same
    });
}

/// Takes back differences that are only rounding, then makes sure that no
/// bucket counts less than a smaller one; says whether that was needed.
fn make_monotonic(buckets: &mut [Bucket]) -> bool {
    const TOLERANCE: f64 = 1e-12;
    let mut before = buckets[0].count;
    for bucket in buckets.iter_mut().skip(1) {
        let delta = (bucket.count - before).abs();
        if delta == 0.0 {
            continue;
        }
        if delta / bucket.count <= TOLERANCE {
            bucket.count = before;
        } else {
            before = bucket.count;
        }
    }
    let mut forced = false;
    let mut most = buckets[0].count;
    for bucket in buckets.iter_mut().skip(1) {
        if bucket.count > most {
            most = bucket.count;
        } else if bucket.count < most {
            bucket.count = most;
            forced = true;
        }
    }
    forced
}

/// The quantile, and whether the buckets had to be mended. `buckets` is not
/// empty and in the order of its bounds.
fn quantile(q: f64, buckets: &mut Vec<Bucket>) -> (f64, bool) {
    if q.is_nan() {
        return (f64::NAN, false);
    }
    if q < 0.0 {
        return (f64::NEG_INFINITY, false);
    }
    if q > 1.0 {
        return (f64::INFINITY, false);
    }
    if buckets[buckets.len() - 1].bound != f64::INFINITY {
        return (f64::NAN, false);
    }
    coalesce(buckets);
    let forced = make_monotonic(buckets);
    let last = buckets.len() - 1;
    if last == 0 || buckets[last].count == 0.0 || buckets[last].count.is_nan() {
        return (f64::NAN, forced && last > 0);
    }
    let mut rank = q * buckets[last].count;
    let at = buckets[..last].partition_point(|bucket| bucket.count < rank);
    if at == last {
        return (buckets[last - 1].bound, forced);
    }
    if at == 0 && buckets[0].bound <= 0.0 {
        return (buckets[0].bound, forced);
    }
    let (mut start, mut count) = (0.0, buckets[at].count);
    if at > 0 {
        let before = buckets[at - 1];
        start = before.bound;
        count -= before.count;
        rank -= before.count;
    }
    (start + (buckets[at].bound - start) * (rank / count), forced)
}

/// Which share was counted between `low` and `high`.
fn fraction(low: f64, high: f64, buckets: &mut Vec<Bucket>) -> f64 {
    if buckets[buckets.len() - 1].bound != f64::INFINITY {
        return f64::NAN;
    }
    coalesce(buckets);
    let count = buckets[buckets.len() - 1].count;
    if count == 0.0 || low.is_nan() || high.is_nan() || count.is_nan() {
        return f64::NAN;
    }
    if low >= high {
        return 0.0;
    }
    let rank = |wanted: f64| {
        let mut below = 0.0;
        for (at, bucket) in buckets.iter().enumerate() {
            let start = match at {
                0 if bucket.bound > 0.0 => 0.0,
                0 => f64::NEG_INFINITY,
                at => buckets[at - 1].bound,
            };
            if start >= wanted {
                return below;
            }
            if bucket.bound > wanted {
                if start.is_infinite() {
                    return bucket.count;
                }
                let share = (wanted - start) / (bucket.bound - start);
                return below + (bucket.count - below) * share;
            }
            below = bucket.count;
        }
        count
    };
    (rank(high).min(count) - rank(low).min(count)) / count
}
