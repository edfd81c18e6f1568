//! Functions over the samples of a window, formulas as in promql/functions.go.

use super::math::{Mean, Sum, Variance, quantile};
use crate::metrics::promql::functions::Over;
use crate::metrics::{Ends, Packed, Sample};

/// The samples of one series in `(start, end]`; at least one, none of them stale.
pub(super) struct Window<'w> {
    pub(super) samples: &'w [Sample],
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
}

impl Window<'_> {
    fn values(&self) -> impl Iterator<Item = f64> {
        self.samples.iter().map(|sample| sample.value)
    }

    fn first(&self) -> Sample {
        self.samples[0]
    }

    fn last(&self) -> Sample {
        self.samples[self.samples.len() - 1]
    }
}

fn seconds(millis: i64) -> f64 {
    millis as f64 / 1000.0
}

/// The value of `over`; `params` are its scalars, `now_ms` the moment of evaluation.
pub(super) fn value(over: Over, window: &Window<'_>, params: [f64; 2], now_ms: i64) -> Option<f64> {
    Some(match over {
        Over::Rate => return extrapolated(window, true, true),
        Over::Increase => return extrapolated(window, true, false),
        Over::Delta => return extrapolated(window, false, false),
        Over::Irate => return last_two(window, true),
        Over::Idelta => return last_two(window, false),
        Over::Deriv => {
            // Near the values in use, for the sake of accuracy.
            return trend(window, window.first().at.millis()).map(|(slope, _)| slope);
        }
        Over::PredictLinear => {
            let (slope, intercept) = trend(window, now_ms)?;
            slope * params[0] + intercept
        }
        Over::DoubleExponentialSmoothing => return smoothed(window, params),
        Over::Avg => {
            let mut mean = Mean::default();
            window.values().for_each(|value| mean.add(value));
            mean.value()
        }
        Over::Sum => {
            let mut sum = Sum::default();
            window.values().for_each(|value| sum.add(value));
            sum.total()
        }
        Over::Count => window.samples.len() as f64,
        Over::Present => 1.0,
        Over::First => window.first().value,
        Over::Last => window.last().value,
        Over::TsOfFirst => window.first().at.seconds(),
        Over::TsOfLast => window.last().at.seconds(),
        Over::Max => best(window, |new, best| new > best).value,
        Over::Min => best(window, |new, best| new < best).value,
        Over::TsOfMax => best(window, |new, best| new >= best).at.seconds(),
        Over::TsOfMin => best(window, |new, best| new <= best).at.seconds(),
        Over::Changes => {
            let differ = |a: f64, b: f64| a != b && !(a.is_nan() && b.is_nan());
            pairs(window, differ)
        }
        Over::Resets => pairs(window, |before, after| after < before),
        Over::Stdvar => variance(window),
        Over::Stddev => variance(window).sqrt(),
        Over::Quantile => quantile(params[0], &mut window.values().collect::<Vec<_>>()),
        Over::Mad => {
            let mut values: Vec<f64> = window.values().collect();
            let median = quantile(0.5, &mut values);
            for value in &mut values {
                *value = (*value - median).abs();
            }
            quantile(0.5, &mut values)
        }
    })
}

fn best(window: &Window<'_>, better: impl Fn(f64, f64) -> bool) -> Sample {
    let mut best = window.first();
    for sample in window.samples {
        if better(sample.value, best.value) || best.value.is_nan() {
            best = *sample;
        }
    }
    best
}

fn pairs(window: &Window<'_>, counts: impl Fn(f64, f64) -> bool) -> f64 {
    let pairs = window.samples.windows(2);
    pairs.filter(|pair| counts(pair[0].value, pair[1].value)).count() as f64
}

fn variance(window: &Window<'_>) -> f64 {
    let mut variance = Variance::default();
    window.values().for_each(|value| variance.add(value));
    variance.value()
}

/// How a gain is told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    /// A fall is a counter that began anew.
    pub(super) counter: bool,
    /// As so much a second.
    pub(super) by_second: bool,
}

fn extrapolated(window: &Window<'_>, counter: bool, by_second: bool) -> Option<f64> {
    let mut fell = Vec::new();
    let ends = window.samples.ends(&mut fell)?;
    stretched(&ends, &fell, (window.start_ms, window.end_ms), Stretch { counter, by_second })
}

/// `extrapolatedRate`: what the counter or gauge gained between the ends of its
/// samples, stretched to the window's edges where the samples come close to them.
/// `fell` holds the values after which a smaller one followed.
pub(super) fn stretched(
    ends: &Ends,
    fell: &[f64],
    (start_ms, end_ms): (i64, i64),
    stretch: Stretch,
) -> Option<f64> {
    if ends.count < 2 {
        return None;
    }
    let Ends { first, last, .. } = ends;
    let mut gained = last.value - first.value;
    if stretch.counter {
        for before in fell {
            gained += before;
        }
    }
    let mut to_start = seconds(first.at.millis() - start_ms);
    let mut to_end = seconds(end_ms - last.at.millis());
    let sampled = seconds(last.at.millis() - first.at.millis());
    let between = sampled / (ends.count - 1) as f64;
    let threshold = between * 1.1;
    if to_start >= threshold {
        to_start = between / 2.0;
    }
    if stretch.counter {
        // A counter cannot have been below zero.
        let mut to_zero = to_start;
        if gained > 0.0 && first.value >= 0.0 {
            to_zero = sampled * (first.value / gained);
        }
        to_start = to_start.min(to_zero);
    }
    if to_end >= threshold {
        to_end = between / 2.0;
    }
    let mut factor = (sampled + to_start + to_end) / sampled;
    if stretch.by_second {
        factor /= seconds(end_ms - start_ms);
    }
    Some(gained * factor)
}

/// `instantValue`: from the last two samples alone.
fn last_two(window: &Window<'_>, is_rate: bool) -> Option<f64> {
    let [.., before, last] = window.samples else {
        return None;
    };
    let apart = last.at.millis() - before.at.millis();
    if apart == 0 {
        return None;
    }
    let reset = is_rate && last.value < before.value;
    let gained = if reset { last.value } else { last.value - before.value };
    Some(if is_rate { gained / seconds(apart) } else { gained })
}

/// `linearRegression`: slope by the second, and the value at `at_ms`.
fn trend(window: &Window<'_>, at_ms: i64) -> Option<(f64, f64)> {
    if window.samples.len() < 2 {
        return None;
    }
    let first = window.first().value;
    let constant = window.values().skip(1).all(|value| value == first);
    if constant {
        let nan = (f64::NAN, f64::NAN);
        return Some(if first.is_infinite() { nan } else { (0.0, first) });
    }
    let mut sums = [Sum::default(); 4];
    for sample in window.samples {
        let (x, y) = (seconds(sample.at.millis() - at_ms), sample.value);
        for (sum, value) in sums.iter_mut().zip([x, y, x * y, x * x]) {
            sum.add(value);
        }
    }
    let [x, y, xy, xx] = sums.map(|sum| sum.sum + sum.rest);
    let n = window.samples.len() as f64;
    let slope = (xy - x * y / n) / (xx - x * x / n);
    Some((slope, y / n - slope * x / n))
}

fn smoothed(window: &Window<'_>, [smoothing, trending]: [f64; 2]) -> Option<f64> {
    if window.samples.len() < 2 {
        return None;
    }
    let (mut before, mut now) = (0.0, window.first().value);
    let mut slope = window.samples[1].value - window.first().value;
    for (at, sample) in window.samples.iter().enumerate().skip(1) {
        if at > 1 {
            slope = trending * (now - before) + (1.0 - trending) * slope;
        }
        let next = smoothing * sample.value + (1.0 - smoothing) * (now + slope);
        (before, now) = (now, next);
    }
    Some(now)
}
