//! `anchored` and `smoothed`: what lies next to a range counts for its edges
//! (prometheus/proposals, 0052).

use super::over::Window;
use super::select::{Kernel, Moments, millis, names_of};
use super::table::Table;
use super::{Engine, EvalError, Outcome, Steps};
use crate::domain::Timestamp;
use crate::metrics::promql::ast::{Expr, Extent, Kind, Selector, Span};
use crate::metrics::promql::functions::Over;
use crate::metrics::{Sample, is_stale};
use std::time::Duration;

/// The range of an expression that is not plain.
pub(super) fn extent_of(expr: &Expr) -> Extent {
    match &expr.bare().kind {
        Kind::Range(selector, _) => selector.extent,
        _ => Extent::Plain,
    }
}

/// Whether `over` can be computed over such a range.
pub(super) fn check(over: Over, name: &str, window: &Expr) -> Outcome<()> {
    let extent = extent_of(window);
    let (fits, of) = match extent {
        Extent::Plain => return Ok(()),
        Extent::Smoothed => {
            (matches!(over, Over::Delta | Over::Increase | Over::Rate), "delta, increase, rate")
        }
        Extent::Anchored => (
            matches!(
                over,
                Over::Delta | Over::Increase | Over::Rate | Over::Changes | Over::Resets
            ),
            "changes, delta, increase, rate, resets",
        ),
    };
    if fits {
        return Ok(());
    }
    let message =
        format!("{} modifier can only be used with: {of} - not with {name}", extent.word());
    Err(EvalError::new(message, window.span))
}

/// The value of `over`; the samples of the window reach beyond its edges.
pub(super) fn value(over: Over, window: &Window<'_>, smooth: bool) -> Option<f64> {
    let samples = window.samples;
    let (start, end) = (window.start_ms, window.end_ms);
    let most = samples.len() - 1;
    let before = |at: i64| samples[..most].partition_point(|sample| sample.at.millis() < at);
    // The last one at or before the start, else the first.
    let first = before(start.saturating_add(1)).saturating_sub(1);
    let last = if smooth { before(end) } else { most };
    if samples[last].at.millis() <= start || samples[first].at.millis() > end {
        return None;
    }
    let pairs = |counts: fn(f64, f64) -> bool| {
        let pairs = samples[first..=last].windows(2);
        pairs.filter(|pair| counts(pair[0].value, pair[1].value)).count() as f64
    };
    let counter = matches!(over, Over::Rate | Over::Increase);
    match over {
        Over::Resets => return Some(pairs(|a, b| b < a)),
        Over::Changes => return Some(pairs(|a, b| a != b && !(a.is_nan() && b.is_nan()))),
        _ => {}
    }
    let left = if smooth && samples[first].at.millis() < start {
        between(samples[first], samples[first + 1], start, counter)
    } else {
        samples[first].value
    };
    let right = if smooth && last > 0 && samples[last].at.millis() > end {
        between(samples[last - 1], samples[last], end, counter)
    } else {
        samples[last].value
    };
    let mut gained = right - left;
    if counter {
        // Resets at the edges are in their values already.
        let from = first + usize::from(samples[first].at.millis() <= start);
        let to = last + usize::from(samples[last].at.millis() < end);
        let interpolated_first = smooth && samples[first].at.millis() < start;
        let interpolated_last = smooth && samples[last].at.millis() > end;
        if !(interpolated_first && interpolated_last && from >= to) {
            let mut previous = left;
            for sample in samples.get(from..to).unwrap_or_default() {
                if sample.value < previous {
                    gained += previous;
                }
                previous = sample.value;
            }
            if right < previous {
                gained += previous;
            }
        }
    }
    if over == Over::Rate {
        gained /= (end - start) as f64 / 1000.0;
    }
    Some(gained)
}

/// The value at `at` on the line from one sample to the next; a counter that
/// began anew between them rose from zero.
fn between(one: Sample, next: Sample, at: i64, counter: bool) -> f64 {
    let low = if counter && next.value < one.value { 0.0 } else { one.value };
    let share = (at - one.at.millis()) as f64 / (next.at.millis() - one.at.millis()) as f64;
    low + (next.value - low) * share
}

fn fresh(samples: &[Sample]) -> Vec<Sample> {
    samples.iter().copied().filter(|sample| !is_stale(sample.value)).collect()
}

/// Those after `after` until `until`.
fn inside(samples: &[Sample], after: i64, until: i64) -> &[Sample] {
    let from = samples.partition_point(|sample| sample.at.millis() <= after);
    let to = samples.partition_point(|sample| sample.at.millis() <= until);
    &samples[from..to.max(from)]
}

impl Engine<'_> {
    /// As `windows`, the samples of each window with those next to it.
    pub(super) fn extended_windows(
        &self,
        selector: &Selector,
        range: Duration,
        steps: Steps,
        kernel: &Kernel<'_>,
        span: Span,
    ) -> Outcome<Table> {
        let (moments, range) = (self.moments(selector.shift, steps), millis(range));
        let lookback = millis(self.limits.lookback);
        let after_end = if selector.extent == Extent::Smoothed { lookback } else { 0 };
        let mut table = Table::new(steps.count);
        table.names = names_of(selector);
        let from = moments.first().saturating_sub(range).saturating_sub(lookback);
        let until = moments.last().saturating_add(after_end);
        self.select(selector, from, until, span, &mut |labels, samples| {
            let samples = fresh(samples);
            let mut row = None;
            for step in 0..moments.steps.count {
                let end_ms = moments.steps.at(step);
                let start_ms = end_ms.saturating_sub(range);
                let samples = inside(
                    &samples,
                    start_ms.saturating_sub(lookback),
                    end_ms.saturating_add(after_end),
                );
                self.spend(samples.len(), span)?;
                if samples.is_empty() {
                    continue;
                }
                let window = Window { samples, start_ms, end_ms };
                let reached = if moments.fixed { steps.count } else { step + 1 };
                for step in step..reached {
                    if let Some(value) = kernel(&window, step) {
                        let row = match row {
                            Some(row) => row,
                            None => *row.insert(self.add_row(&mut table, labels, span)?),
                        };
                        table.set(row, step, value);
                    }
                }
            }
            Ok(())
        })?;
        Ok(table)
    }

    /// `x smoothed`: the value on the line between the samples around each step.
    pub(super) fn smoothed(
        &self,
        selector: &Selector,
        moments: Moments,
        steps: Steps,
        span: Span,
    ) -> Outcome<Table> {
        let lookback = millis(self.limits.lookback);
        let mut table = Table::new(steps.count);
        table.names = names_of(selector);
        let from = moments.first().saturating_sub(lookback);
        let until = moments.last().saturating_add(lookback);
        self.select(selector, from, until, span, &mut |labels, samples| {
            let samples = fresh(samples);
            let mut row = None;
            for step in 0..moments.steps.count {
                let at = moments.steps.at(step);
                let next = samples.partition_point(|sample| sample.at.millis() <= at);
                let Some(one) = next.checked_sub(1).map(|last| samples[last]) else {
                    continue;
                };
                if one.at <= Timestamp::from_millis(at.saturating_sub(lookback)) {
                    continue;
                }
                let until = at.saturating_add(lookback);
                let value = match samples.get(next) {
                    Some(next) if next.at.millis() <= until => between(one, *next, at, false),
                    _ => one.value,
                };
                let row = match row {
                    Some(row) => row,
                    None => *row.insert(self.add_row(&mut table, labels, span)?),
                };
                if moments.fixed {
                    table.values[row * steps.count..].fill(value);
                } else {
                    table.set(row, step, value);
                }
            }
            Ok(())
        })?;
        Ok(table)
    }
}
