//! Every function and aggregation in a line, for who writes an expression.

/// A function or aggregation as a person is told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Described {
    /// Its name.
    pub name: &'static str,
    /// How it is written: `rate(counter[range])`; what may be left out stands in `?`.
    pub signature: &'static str,
    /// What it gives, in a line.
    pub does: &'static str,
    /// Whether it puts series together, and takes `by` and `without`.
    pub aggregates: bool,
}

const fn function(name: &'static str, signature: &'static str, does: &'static str) -> Described {
    Described { name, signature, does, aggregates: false }
}

const fn aggregation(name: &'static str, signature: &'static str, does: &'static str) -> Described {
    Described { name, signature, does, aggregates: true }
}

/// All functions and aggregations that can be used, in the order of their names.
pub fn all() -> &'static [Described] {
    ALL
}

static ALL: &[Described] = &[
    function("abs", "abs(v)", "each value without its sign"),
    function("absent", "absent(v)", "1 where no series is there at all, else nothing"),
    function(
        "absent_over_time",
        "absent_over_time(v[range])",
        "1 where no series had a sample in the range, else nothing",
    ),
    function("acos", "acos(v)", "arc cosine of each value, in radians"),
    function("acosh", "acosh(v)", "inverse hyperbolic cosine of each value"),
    function("asin", "asin(v)", "arc sine of each value, in radians"),
    function("asinh", "asinh(v)", "inverse hyperbolic sine of each value"),
    function("atan", "atan(v)", "arc tangent of each value, in radians"),
    function("atanh", "atanh(v)", "inverse hyperbolic tangent of each value"),
    aggregation("avg", "avg by (labels) (v)", "mean of each group's values"),
    function("avg_over_time", "avg_over_time(gauge[range])", "mean of each series over the range"),
    aggregation("bottomk", "bottomk by (labels) (k, v)", "the k series with the smallest values"),
    function("ceil", "ceil(v)", "each value rounded up to a whole number"),
    function("changes", "changes(v[range])", "how often each series' value changed in the range"),
    function("clamp", "clamp(v, min, max)", "each value held between min and max"),
    function("clamp_max", "clamp_max(v, max)", "each value, at most max"),
    function("clamp_min", "clamp_min(v, min)", "each value, at least min"),
    function("cos", "cos(v)", "cosine of each value, given in radians"),
    function("cosh", "cosh(v)", "hyperbolic cosine of each value"),
    aggregation("count", "count by (labels) (v)", "how many series each group has"),
    function("count_over_time", "count_over_time(v[range])", "how many samples lie in the range"),
    aggregation(
        "count_values",
        "count_values by (labels) (\"label\", v)",
        "how many series have each value; the value stands in the label",
    ),
    function("day_of_month", "day_of_month(times?)", "day of the month in UTC, 1 to 31"),
    function("day_of_week", "day_of_week(times?)", "day of the week in UTC, 0 is Sunday"),
    function("day_of_year", "day_of_year(times?)", "day of the year in UTC, 1 to 366"),
    function("days_in_month", "days_in_month(times?)", "how many days the month has in UTC"),
    function("deg", "deg(v)", "radians to degrees"),
    function(
        "delta",
        "delta(gauge[range])",
        "how much a gauge changed over the range, stretched to its edges",
    ),
    function(
        "deriv",
        "deriv(gauge[range])",
        "how fast a gauge changes a second, by linear regression",
    ),
    function(
        "double_exponential_smoothing",
        "double_exponential_smoothing(gauge[range], smoothing, trend)",
        "smoothed value of a gauge; both factors lie between 0 and 1",
    ),
    function("end", "end()", "the query's last moment, in seconds since 1970"),
    function("exp", "exp(v)", "e to the power of each value"),
    function("first_over_time", "first_over_time(v[range])", "oldest value in the range"),
    function("floor", "floor(v)", "each value rounded down to a whole number"),
    aggregation("group", "group by (labels) (v)", "1 for each group, whatever its values"),
    function(
        "histogram_fraction",
        "histogram_fraction(lower, upper, sum by (le) (rate(buckets[range])))",
        "share of what a histogram counted between lower and upper",
    ),
    function(
        "histogram_quantile",
        "histogram_quantile(q, sum by (le) (rate(buckets[range])))",
        "quantile of a histogram, 0.95 for p95; needs the label le",
    ),
    function(
        "histogram_quantiles",
        "histogram_quantiles(sum by (le) (rate(buckets[range])), \"label\", q, ...)",
        "several quantiles of a histogram; each q stands in the label",
    ),
    function("hour", "hour(times?)", "hour of the day in UTC, 0 to 23"),
    function("idelta", "idelta(gauge[range])", "difference of the last two samples in the range"),
    function(
        "increase",
        "increase(counter[range])",
        "how much a counter grew over the range; resets are seen through",
    ),
    function(
        "info",
        "info(v, {conditions}?)",
        "adds the labels of matching info metrics such as target_info",
    ),
    function(
        "irate",
        "irate(counter[range])",
        "growth of a counter a second, by its last two samples",
    ),
    function(
        "label_join",
        "label_join(v, \"to\", \"separator\", \"from\", ...)",
        "joins the values of labels into another label",
    ),
    function(
        "label_replace",
        "label_replace(v, \"to\", \"replacement\", \"from\", \"regex\")",
        "sets a label from what a regex finds in another; $1 is its first group",
    ),
    function("last_over_time", "last_over_time(v[range])", "newest value in the range"),
    aggregation(
        "limit_ratio",
        "limit_ratio by (labels) (ratio, v)",
        "a share of the series, always the same ones; -0.1 gives the rest of 0.9",
    ),
    aggregation("limitk", "limitk by (labels) (k, v)", "any k series of each group"),
    function("ln", "ln(v)", "natural logarithm of each value"),
    function("log10", "log10(v)", "decimal logarithm of each value"),
    function("log2", "log2(v)", "binary logarithm of each value"),
    function(
        "mad_over_time",
        "mad_over_time(gauge[range])",
        "median distance from the median over the range",
    ),
    aggregation("max", "max by (labels) (v)", "largest value of each group"),
    function("max_of", "max_of(a, b)", "the larger of two numbers"),
    function("max_over_time", "max_over_time(gauge[range])", "largest value in the range"),
    aggregation("min", "min by (labels) (v)", "smallest value of each group"),
    function("min_of", "min_of(a, b)", "the smaller of two numbers"),
    function("min_over_time", "min_over_time(gauge[range])", "smallest value in the range"),
    function("minute", "minute(times?)", "minute of the hour in UTC, 0 to 59"),
    function("month", "month(times?)", "month of the year in UTC, 1 to 12"),
    function("pi", "pi()", "the number pi"),
    function(
        "predict_linear",
        "predict_linear(gauge[range], seconds)",
        "value of a gauge in so many seconds, by linear regression",
    ),
    function(
        "present_over_time",
        "present_over_time(v[range])",
        "1 for each series with a sample in the range",
    ),
    aggregation(
        "quantile",
        "quantile by (labels) (q, v)",
        "quantile of each group's values, 0.5 is the median",
    ),
    function(
        "quantile_over_time",
        "quantile_over_time(q, gauge[range])",
        "quantile of each series' values over the range",
    ),
    function("rad", "rad(v)", "degrees to radians"),
    function("range", "range()", "length of the query's range in seconds; 0 at one instant"),
    function(
        "rate",
        "rate(counter[range])",
        "growth of a counter a second over the range; resets are seen through",
    ),
    function("resets", "resets(counter[range])", "how often a counter began anew in the range"),
    function(
        "round",
        "round(v, to?)",
        "each value rounded to the nearest multiple of to, by default 1",
    ),
    function("scalar", "scalar(v)", "the value of a single series as a number, else NaN"),
    function("sgn", "sgn(v)", "1, 0 or -1 by the sign of each value"),
    function("sin", "sin(v)", "sine of each value, given in radians"),
    function("sinh", "sinh(v)", "hyperbolic sine of each value"),
    function("sort", "sort(v)", "series by value, smallest first; at one instant only"),
    function(
        "sort_by_label",
        "sort_by_label(v, \"label\", ...)",
        "series by the values of labels, a number as a number",
    ),
    function(
        "sort_by_label_desc",
        "sort_by_label_desc(v, \"label\", ...)",
        "as sort_by_label, last first",
    ),
    function("sort_desc", "sort_desc(v)", "series by value, largest first; at one instant only"),
    function("sqrt", "sqrt(v)", "square root of each value"),
    function("start", "start()", "the query's first moment, in seconds since 1970"),
    aggregation("stddev", "stddev by (labels) (v)", "standard deviation of each group's values"),
    function(
        "stddev_over_time",
        "stddev_over_time(gauge[range])",
        "standard deviation of each series over the range",
    ),
    aggregation("stdvar", "stdvar by (labels) (v)", "variance of each group's values"),
    function(
        "stdvar_over_time",
        "stdvar_over_time(gauge[range])",
        "variance of each series over the range",
    ),
    function("step", "step()", "the query's step in seconds; 0 at one instant"),
    aggregation("sum", "sum by (labels) (v)", "sum of each group's values"),
    function(
        "sum_over_time",
        "sum_over_time(gauge[range])",
        "sum of each series' values over the range",
    ),
    function("tan", "tan(v)", "tangent of each value, given in radians"),
    function("tanh", "tanh(v)", "hyperbolic tangent of each value"),
    function("time", "time()", "the moment of evaluation, in seconds since 1970"),
    function("timestamp", "timestamp(v)", "when each sample was taken, in seconds since 1970"),
    aggregation("topk", "topk by (labels) (k, v)", "the k series with the largest values"),
    function(
        "ts_of_first_over_time",
        "ts_of_first_over_time(v[range])",
        "when the oldest sample in the range was taken",
    ),
    function(
        "ts_of_last_over_time",
        "ts_of_last_over_time(v[range])",
        "when the newest sample in the range was taken",
    ),
    function(
        "ts_of_max_over_time",
        "ts_of_max_over_time(gauge[range])",
        "when the largest value in the range was taken",
    ),
    function(
        "ts_of_min_over_time",
        "ts_of_min_over_time(gauge[range])",
        "when the smallest value in the range was taken",
    ),
    function("vector", "vector(number)", "a number as a series without labels"),
    function("year", "year(times?)", "year in UTC"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::promql::ast::Aggregation;
    use crate::metrics::promql::functions::{FUNCTIONS, How};

    #[test]
    fn whatever_can_be_used_is_described_once_and_in_order() {
        assert!(ALL.windows(2).all(|pair| pair[0].name < pair[1].name));
        let usable = FUNCTIONS.iter().filter(|one| !matches!(one.how, How::Missing(_)));
        let mut names: Vec<_> = usable.map(|one| (one.name, false)).collect();
        names.extend(Aggregation::ALL.iter().map(|(name, _)| (*name, true)));
        names.sort_unstable();
        let described: Vec<_> = ALL.iter().map(|one| (one.name, one.aggregates)).collect();
        assert_eq!(described, names);
        for one in ALL {
            assert!(one.signature.starts_with(one.name) && one.does.len() <= 80, "{}", one.name);
        }
    }
}
