//! Arithmetic as Prometheus does it: compensated sums, quantiles, functions of one number.

use crate::metrics::promql::functions::{Math, Part};
use chrono::{DateTime, Datelike, Timelike, Utc};
use std::cmp::Ordering;

/// A sum with its running compensation (Kahan, improved by Neumaier), as
/// Prometheus' util/kahansum has it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum {
    pub(super) sum: f64,
    pub(super) rest: f64,
}

impl Sum {
    pub(super) fn add(&mut self, value: f64) {
        let total = self.sum + value;
        if total.is_infinite() {
            self.rest = 0.0;
        } else if self.sum.abs() >= value.abs() {
            self.rest += (self.sum - total) + value;
        } else {
            self.rest += (value - total) + self.sum;
        }
        self.sum = total;
    }

    pub(super) fn total(self) -> f64 {
        if self.sum.is_infinite() { self.sum } else { self.sum + self.rest }
    }
}

/// A mean: the sum by the count, as long as the sum does not overflow; from
/// there on a running mean (promql/functions.go, `funcAvgOverTime`).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mean {
    sum: Sum,
    count: f64,
    running: bool,
}

impl Mean {
    pub(super) fn add(&mut self, value: f64) {
        self.count += 1.0;
        if self.count == 1.0 {
            self.sum.sum = value;
            return;
        }
        if !self.running {
            let mut next = self.sum;
            next.add(value);
            if !next.sum.is_infinite() {
                self.sum = next;
                return;
            }
            self.running = true;
            self.sum.sum /= self.count - 1.0;
            self.sum.rest /= self.count - 1.0;
        }
        let share = (self.count - 1.0) / self.count;
        self.sum = Sum { sum: share * self.sum.sum, rest: share * self.sum.rest };
        self.sum.add(value / self.count);
    }

    pub(super) fn value(self) -> f64 {
        if self.running {
            self.sum.sum + self.sum.rest
        } else {
            self.sum.sum / self.count + self.sum.rest / self.count
        }
    }
}

/// A variance by Welford, compensated (promql/functions.go, `varianceOverTime`).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Variance {
    count: f64,
    mean: Sum,
    squares: Sum,
}

impl Variance {
    pub(super) fn add(&mut self, value: f64) {
        self.count += 1.0;
        let delta = value - (self.mean.sum + self.mean.rest);
        self.mean.add(delta / self.count);
        self.squares.add(delta * (value - (self.mean.sum + self.mean.rest)));
    }

    pub(super) fn value(self) -> f64 {
        (self.squares.sum + self.squares.rest) / self.count
    }
}

/// Ascending, NaN first.
pub(super) fn ascending(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| b.is_nan().cmp(&a.is_nan()))
}

/// The quantile `q` of `values`, which are put in order (promql/quantile.go).
pub(super) fn quantile(q: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    values.sort_by(|a, b| ascending(*a, *b));
    let last = values.len() - 1;
    let rank = q * last as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between zero and the number of values"
    )]
    let lower = rank.floor().max(0.0) as usize;
    let upper = (lower + 1).min(last);
    let weight = rank - rank.floor();
    values[lower.min(last)] * (1.0 - weight) + values[upper] * weight
}

pub(super) fn apply(math: Math, value: f64) -> f64 {
    match math {
        Math::Abs => value.abs(),
        Math::Acos => value.acos(),
        Math::Acosh => value.acosh(),
        Math::Asin => value.asin(),
        Math::Asinh => value.asinh(),
        Math::Atan => value.atan(),
        Math::Atanh => value.atanh(),
        Math::Ceil => value.ceil(),
        Math::Cos => value.cos(),
        Math::Cosh => value.cosh(),
        Math::Deg => value * 180.0 / std::f64::consts::PI,
        Math::Exp => value.exp(),
        Math::Floor => value.floor(),
        Math::Ln => value.ln(),
        Math::Log10 => value.log10(),
        Math::Log2 => value.log2(),
        Math::Rad => value * std::f64::consts::PI / 180.0,
        Math::Sgn => match value {
            v if v < 0.0 => -1.0,
            v if v > 0.0 => 1.0,
            v => v,
        },
        Math::Sin => value.sin(),
        Math::Sinh => value.sinh(),
        Math::Sqrt => value.sqrt(),
        Math::Tan => value.tan(),
        Math::Tanh => value.tanh(),
    }
}

/// A part of the moment `seconds` after the epoch; NaN where there is no such moment.
pub(super) fn part_of(part: Part, seconds: f64) -> f64 {
    #[expect(clippy::cast_possible_truncation, reason = "saturates, and is then no moment")]
    let moment = (!seconds.is_nan()).then(|| DateTime::<Utc>::from_timestamp(seconds as i64, 0));
    let Some(moment) = moment.flatten() else {
        return f64::NAN;
    };
    f64::from(match part {
        Part::DayOfMonth => moment.day(),
        Part::DayOfWeek => moment.weekday().num_days_from_sunday(),
        Part::DayOfYear => moment.ordinal(),
        Part::DaysInMonth => u32::from(moment.num_days_in_month()),
        Part::Hour => moment.hour(),
        Part::Minute => moment.minute(),
        Part::Month => moment.month(),
        Part::Year => return f64::from(moment.year()),
    })
}
