//! Every function of the language: its arguments, its result, how it is computed.

mod described;

use super::ast::Type::{self, Matrix, Scalar, Text, Vector};
pub use described::{Described, all};

/// A function of the language.
#[derive(Debug)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// The types of its arguments.
    pub args: &'static [Type],
    /// How many of the last arguments may be left out.
    pub optional: usize,
    /// Whether the last argument may be repeated.
    pub repeats: bool,
    /// The type of its result.
    pub returns: Type,
    pub(super) how: How,
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// How a function is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// From the samples of a window.
    Window(Over),
    /// From each value by itself.
    Each(Math),
    /// From a moment's parts; of now where no argument is given.
    Calendar(Part),
    Absent,
    AbsentOverTime,
    Clamp,
    ClampMax,
    ClampMin,
    HistogramFraction,
    HistogramQuantile,
    HistogramQuantiles,
    Info,
    LabelJoin,
    LabelReplace,
    MaxOf,
    MinOf,
    Pi,
    Query(Query),
    Round,
    Scalar,
    Sort {
        descending: bool,
    },
    SortByLabel {
        descending: bool,
    },
    Time,
    Timestamp,
    Vector,
    /// Not there yet; what it needs.
    Missing(&'static str),
}

/// What a function tells of the query itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Query {
    Start,
    End,
    Step,
    Range,
}

/// Functions over the samples of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    Avg,
    Changes,
    Count,
    Delta,
    Deriv,
    DoubleExponentialSmoothing,
    First,
    Idelta,
    Increase,
    Irate,
    Last,
    Mad,
    Max,
    Min,
    PredictLinear,
    Present,
    Quantile,
    Rate,
    Resets,
    Stddev,
    Stdvar,
    Sum,
    TsOfFirst,
    TsOfLast,
    TsOfMax,
    TsOfMin,
}

/// Functions of one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Math {
    Abs,
    Acos,
    Acosh,
    Asin,
    Asinh,
    Atan,
    Atanh,
    Ceil,
    Cos,
    Cosh,
    Deg,
    Exp,
    Floor,
    Ln,
    Log10,
    Log2,
    Rad,
    Sgn,
    Sin,
    Sinh,
    Sqrt,
    Tan,
    Tanh,
}

/// Parts of a moment, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    DayOfMonth,
    DayOfWeek,
    DayOfYear,
    DaysInMonth,
    Hour,
    Minute,
    Month,
    Year,
}

const fn plain(name: &'static str, args: &'static [Type], how: How) -> Function {
    Function { name, args, optional: 0, repeats: false, returns: Vector, how }
}

const fn window(name: &'static str, over: Over) -> Function {
    plain(name, &[Matrix], How::Window(over))
}

const fn each(name: &'static str, math: Math) -> Function {
    plain(name, &[Vector], How::Each(math))
}

const fn calendar(name: &'static str, part: Part) -> Function {
    Function { optional: 1, ..plain(name, &[Vector], How::Calendar(part)) }
}

const fn scalar(name: &'static str, args: &'static [Type], how: How) -> Function {
    Function { returns: Scalar, ..plain(name, args, how) }
}

const fn missing(name: &'static str, args: &'static [Type], what: &'static str) -> Function {
    plain(name, args, How::Missing(what))
}

const NATIVE: &str = "native histograms";

static FUNCTIONS: &[Function] = &[
    each("abs", Math::Abs),
    plain("absent", &[Vector], How::Absent),
    plain("absent_over_time", &[Matrix], How::AbsentOverTime),
    each("acos", Math::Acos),
    each("acosh", Math::Acosh),
    each("asin", Math::Asin),
    each("asinh", Math::Asinh),
    each("atan", Math::Atan),
    each("atanh", Math::Atanh),
    window("avg_over_time", Over::Avg),
    each("ceil", Math::Ceil),
    window("changes", Over::Changes),
    plain("clamp", &[Vector, Scalar, Scalar], How::Clamp),
    plain("clamp_max", &[Vector, Scalar], How::ClampMax),
    plain("clamp_min", &[Vector, Scalar], How::ClampMin),
    each("cos", Math::Cos),
    each("cosh", Math::Cosh),
    window("count_over_time", Over::Count),
    calendar("day_of_month", Part::DayOfMonth),
    calendar("day_of_week", Part::DayOfWeek),
    calendar("day_of_year", Part::DayOfYear),
    calendar("days_in_month", Part::DaysInMonth),
    each("deg", Math::Deg),
    window("delta", Over::Delta),
    window("deriv", Over::Deriv),
    plain(
        "double_exponential_smoothing",
        &[Matrix, Scalar, Scalar],
        How::Window(Over::DoubleExponentialSmoothing),
    ),
    scalar("end", &[], How::Query(Query::End)),
    each("exp", Math::Exp),
    window("first_over_time", Over::First),
    each("floor", Math::Floor),
    missing("histogram_avg", &[Vector], NATIVE),
    missing("histogram_count", &[Vector], NATIVE),
    plain("histogram_fraction", &[Scalar, Scalar, Vector], How::HistogramFraction),
    plain("histogram_quantile", &[Scalar, Vector], How::HistogramQuantile),
    Function {
        repeats: true,
        ..plain("histogram_quantiles", &[Vector, Text, Scalar], How::HistogramQuantiles)
    },
    missing("histogram_stddev", &[Vector], NATIVE),
    missing("histogram_stdvar", &[Vector], NATIVE),
    missing("histogram_sum", &[Vector], NATIVE),
    calendar("hour", Part::Hour),
    window("idelta", Over::Idelta),
    window("increase", Over::Increase),
    Function { optional: 1, ..plain("info", &[Vector, Vector], How::Info) },
    window("irate", Over::Irate),
    Function {
        optional: 1,
        repeats: true,
        ..plain("label_join", &[Vector, Text, Text, Text], How::LabelJoin)
    },
    plain("label_replace", &[Vector, Text, Text, Text, Text], How::LabelReplace),
    window("last_over_time", Over::Last),
    each("ln", Math::Ln),
    each("log10", Math::Log10),
    each("log2", Math::Log2),
    window("mad_over_time", Over::Mad),
    scalar("max_of", &[Scalar, Scalar], How::MaxOf),
    window("max_over_time", Over::Max),
    scalar("min_of", &[Scalar, Scalar], How::MinOf),
    window("min_over_time", Over::Min),
    calendar("minute", Part::Minute),
    calendar("month", Part::Month),
    scalar("pi", &[], How::Pi),
    plain("predict_linear", &[Matrix, Scalar], How::Window(Over::PredictLinear)),
    window("present_over_time", Over::Present),
    plain("quantile_over_time", &[Scalar, Matrix], How::Window(Over::Quantile)),
    each("rad", Math::Rad),
    scalar("range", &[], How::Query(Query::Range)),
    window("rate", Over::Rate),
    window("resets", Over::Resets),
    Function { optional: 1, ..plain("round", &[Vector, Scalar], How::Round) },
    scalar("scalar", &[Vector], How::Scalar),
    each("sgn", Math::Sgn),
    each("sin", Math::Sin),
    each("sinh", Math::Sinh),
    plain("sort", &[Vector], How::Sort { descending: false }),
    Function {
        optional: 1,
        repeats: true,
        ..plain("sort_by_label", &[Vector, Text], How::SortByLabel { descending: false })
    },
    Function {
        optional: 1,
        repeats: true,
        ..plain("sort_by_label_desc", &[Vector, Text], How::SortByLabel { descending: true })
    },
    plain("sort_desc", &[Vector], How::Sort { descending: true }),
    each("sqrt", Math::Sqrt),
    scalar("start", &[], How::Query(Query::Start)),
    window("stddev_over_time", Over::Stddev),
    window("stdvar_over_time", Over::Stdvar),
    scalar("step", &[], How::Query(Query::Step)),
    window("sum_over_time", Over::Sum),
    each("tan", Math::Tan),
    each("tanh", Math::Tanh),
    scalar("time", &[], How::Time),
    plain("timestamp", &[Vector], How::Timestamp),
    window("ts_of_first_over_time", Over::TsOfFirst),
    window("ts_of_last_over_time", Over::TsOfLast),
    window("ts_of_max_over_time", Over::TsOfMax),
    window("ts_of_min_over_time", Over::TsOfMin),
    plain("vector", &[Scalar], How::Vector),
    calendar("year", Part::Year),
];

/// The function called `name`.
pub(super) fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

/// What to say of a function that is not there.
pub(super) fn unknown(name: &str) -> String {
    let known = if name == "holt_winters" {
        Some("double_exponential_smoothing")
    } else {
        let near = FUNCTIONS.iter().map(|known| (distance(name, known.name), known.name));
        near.filter(|(far, _)| *far <= 2).min().map(|(_, known)| known)
    };
    let shown: String = name.chars().take(60).collect();
    match known {
        Some(known) => format!("there is no function {shown:?}; did you mean {known}?"),
        None => format!("there is no function {shown:?}"),
    }
}

/// How many letters must be changed, added, removed or swapped with their
/// neighbour to make one name the other.
fn distance(one: &str, other: &str) -> usize {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len().abs_diff(other.len()) > 2 {
        return usize::MAX;
    }
    let mut rows: Vec<Vec<usize>> = vec![(0..=other.len()).collect()];
    for (i, a) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let changed = rows[i][j] + usize::from(a != b);
            let mut least = changed.min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == other[j - 1] && one[i - 1] == *b {
                least = least.min(rows[i - 1][j - 1] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[one.len()][other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_is_listed_once_in_order() {
        assert!(FUNCTIONS.windows(2).all(|pair| pair[0].name < pair[1].name));
    }

    #[test]
    fn a_mistyped_name_is_answered_with_the_right_one() {
        assert!(unknown("histogram_quantil").contains("did you mean histogram_quantile?"));
        assert!(unknown("holt_winters").contains("double_exponential_smoothing"));
        assert!(!unknown("frobnicate").contains("did you mean"));
    }
}
