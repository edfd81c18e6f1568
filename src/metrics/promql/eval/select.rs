//! Selectors: one question to the storage for all steps.

use super::over::Window;
use super::table::{ABSENT, Names, Table};
use super::{Engine, EvalError, Outcome, Steps};
use crate::domain::labels::METRIC_NAME;
use crate::domain::{Labels, Num, Timestamp};
use crate::metrics::promql::ast::{At, Expr, Extent, Kind, Selector, Shift, Span, Subquery};
use crate::metrics::{Line, Sample, is_stale};
use std::time::Duration;

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// So many samples of a series are counted together.
const SPENT_TOGETHER: usize = 1 << 16;

/// The moments that a selector looks at.
#[derive(Clone, Copy)]
pub(super) struct Moments {
    pub(super) steps: Steps,
    /// The same for all steps.
    pub(super) fixed: bool,
}

impl Moments {
    pub(super) fn first(self) -> i64 {
        self.steps.start
    }

    pub(super) fn last(self) -> i64 {
        self.steps.last()
    }
}

/// What computes the value of a window at a step.
pub(super) type Kernel<'k> = dyn Fn(&Window<'_>, usize) -> Option<f64> + 'k;

impl Engine<'_> {
    pub(super) fn moments(&self, shift: Shift, steps: Steps) -> Moments {
        let offset_ms = shift.offset_ms.unwrap_or(0);
        let fixed = match shift.at {
            None => None,
            Some(At::Millis(millis)) => Some(millis),
            Some(At::Start) => Some(self.start),
            Some(At::End) => Some(self.end),
        };
        let start = fixed.unwrap_or(steps.start).saturating_sub(offset_ms);
        let steps = if fixed.is_some() {
            Steps { start, step: 1, count: 1 }
        } else {
            Steps { start, ..steps }
        };
        Moments { steps, fixed: fixed.is_some() }
    }

    /// Adds a row without values, where there is room for one.
    pub(super) fn add_row(&self, table: &mut Table, labels: &Labels, span: Span) -> Outcome<usize> {
        self.keep(table.steps, span)?;
        Ok(table.add(labels.clone()))
    }

    /// Asks the storage, and counts what comes.
    pub(super) fn select(
        &self,
        selector: &Selector,
        after: i64,
        until: i64,
        span: Span,
        found: &mut dyn FnMut(&Labels, &[Sample]) -> Outcome<()>,
    ) -> Outcome<()> {
        let mut outcome = Ok(());
        self.storage.select(
            &selector.matchers,
            Timestamp::from_millis(after),
            Timestamp::from_millis(until),
            &mut |labels, samples| {
                if outcome.is_err() {
                    return;
                }
                outcome = self.spend(samples.len(), span).and_then(|()| found(labels, samples));
            },
        );
        outcome
    }

    /// The last value of each series at each step, or when it was taken.
    pub(super) fn latest(
        &self,
        selector: &Selector,
        steps: Steps,
        span: Span,
        taken: bool,
    ) -> Outcome<Table> {
        let moments = self.moments(selector.shift, steps);
        match selector.extent {
            Extent::Plain => {}
            Extent::Smoothed => return self.smoothed(selector, moments, steps, span),
            Extent::Anchored => {
                let message = "anchored is for ranges: increase(x[5m] anchored)";
                return Err(EvalError::new(message, span));
            }
        }
        if moments.steps.count == 1 {
            return self.latest_packed(selector, moments, steps, span, taken);
        }
        let lookback = millis(self.limits.lookback);
        let after = moments.first().saturating_sub(lookback);
        let mut table = Table::new(steps.count);
        table.names = names_of(selector);
        self.select(selector, after, moments.last(), span, &mut |labels, samples| {
            let mut next = 0;
            let mut row = None;
            for step in 0..moments.steps.count {
                let moment = moments.steps.at(step);
                while samples.get(next).is_some_and(|sample| sample.at.millis() <= moment) {
                    next += 1;
                }
                let Some(sample) = next.checked_sub(1).map(|last| samples[last]) else {
                    continue;
                };
                let too_old = sample.at.millis() <= moment.saturating_sub(lookback);
                if too_old || is_stale(sample.value) {
                    continue;
                }
                let value = if taken { sample.at.seconds() } else { sample.value };
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

    /// `kernel` over the window of each series at each step. Names are kept.
    pub(super) fn windows(&self, expr: &Expr, steps: Steps, kernel: &Kernel<'_>) -> Outcome<Table> {
        let span = expr.span;
        let mut table = Table::new(steps.count);
        match &expr.bare().kind {
            Kind::Range(selector, range) if selector.extent != Extent::Plain => {
                return self.extended_windows(selector, *range, steps, kernel, span);
            }
            Kind::Range(selector, range) => {
                let moments = self.moments(selector.shift, steps);
                let range = millis(*range);
                table.names = names_of(selector);
                let after = moments.first().saturating_sub(range);
                let mut fresh = Vec::new();
                self.select(selector, after, moments.last(), span, &mut |labels, samples| {
                    let samples = without_stale(samples, &mut fresh);
                    self.slide(&mut table, labels, samples, (moments, range), steps, kernel, span)
                })?;
            }
            Kind::Subquery(subquery) => {
                let moments = self.moments(subquery.shift, steps);
                let range = millis(subquery.range);
                let (inner, grid) = self.subquery(subquery, moments, span)?;
                table.names = inner.names;
                let mut samples = Vec::new();
                for (row, labels) in inner.labels.iter().enumerate() {
                    samples.clear();
                    samples.extend(samples_of(inner.row(row), grid));
                    self.slide(
                        &mut table,
                        labels,
                        &samples,
                        (moments, range),
                        steps,
                        kernel,
                        span,
                    )?;
                }
            }
            _ => return Err(EvalError::new("a range vector is needed here", span)),
        }
        Ok(table)
    }

    #[expect(clippy::too_many_arguments, reason = "the state of two loops that share their body")]
    fn slide(
        &self,
        table: &mut Table,
        labels: &Labels,
        samples: &[Sample],
        (moments, range): (Moments, i64),
        steps: Steps,
        kernel: &Kernel<'_>,
        span: Span,
    ) -> Outcome<()> {
        let (mut low, mut high) = (0, 0);
        let mut row = None;
        let mut looked_at = 0;
        let rounds = if moments.fixed { 1 } else { steps.count };
        for step in 0..rounds {
            let end_ms = moments.steps.at(step);
            let start_ms = end_ms.saturating_sub(range);
            if rounds == 1 {
                // The storage was asked for just this window.
                high = samples.len();
            } else {
                while samples.get(low).is_some_and(|sample| sample.at.millis() <= start_ms) {
                    low += 1;
                }
                high = high.max(low);
                while samples.get(high).is_some_and(|sample| sample.at.millis() <= end_ms) {
                    high += 1;
                }
            }
            if low == high {
                continue;
            }
            looked_at += high - low;
            if looked_at >= SPENT_TOGETHER {
                self.spend(std::mem::take(&mut looked_at), span)?;
            }
            let window = Window { samples: &samples[low..high], start_ms, end_ms };
            // Of a window that is fixed, a parameter may still change from step to step.
            let reached = if moments.fixed { steps.count } else { step + 1 };
            for step in step..reached {
                if let Some(value) = kernel(&window, step) {
                    let row = match row {
                        Some(row) => row,
                        None => *row.insert(self.add_row(table, labels, span)?),
                    };
                    table.set(row, step, value);
                }
            }
        }
        self.spend(looked_at, span)
    }

    /// The inner expression of a subquery over all that its windows need: a
    /// grid that is the same whoever asks (multiples of the step).
    fn subquery(
        &self,
        subquery: &Subquery,
        moments: Moments,
        span: Span,
    ) -> Outcome<(Table, Steps)> {
        let step = millis(subquery.step.unwrap_or(self.limits.subquery_step)).max(1);
        let after = moments.first().saturating_sub(millis(subquery.range));
        let mut start = after.div_euclid(step).saturating_mul(step);
        if start <= after {
            start = start.saturating_add(step);
        }
        let length = moments.last().saturating_sub(start);
        let count = if length < 0 { 0 } else { length / step + 1 };
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let grid = Steps { start, step, count };
        if count == 0 {
            return Ok((Table::new(0), grid));
        }
        self.keep(count, span)?;
        let table = match self.eval(&subquery.expr, grid)? {
            super::Value::Vector(table) => table,
            super::Value::Scalar(values) => Table::of(Labels::default(), values),
            super::Value::Text(_) => Table::new(count),
        };
        Ok((table, grid))
    }

    /// The samples themselves of a range vector, at one moment.
    pub(super) fn samples(&self, expr: &Expr, steps: Steps) -> Outcome<Vec<Line>> {
        let mut lines = Vec::new();
        let mut add = |labels: &Labels, samples: &mut dyn Iterator<Item = Sample>| {
            let points: Vec<_> = samples.map(|sample| (sample.at, Num(sample.value))).collect();
            if !points.is_empty() {
                lines.push(Line { labels: labels.clone(), points });
            }
        };
        match &expr.kind {
            Kind::Range(selector, _) if selector.extent != Extent::Plain => {
                let word = selector.extent.word();
                let message = format!(
                    "a range that is {word} has values only within a function such as increase()"
                );
                return Err(EvalError::new(message, expr.span));
            }
            Kind::Range(selector, range) => {
                let moments = self.moments(selector.shift, steps);
                let after = moments.first().saturating_sub(millis(*range));
                self.select(selector, after, moments.last(), expr.span, &mut |labels, samples| {
                    add(labels, &mut samples.iter().copied().filter(|s| !is_stale(s.value)));
                    Ok(())
                })?;
            }
            Kind::Subquery(subquery) => {
                let moments = self.moments(subquery.shift, steps);
                let (inner, grid) = self.subquery(subquery, moments, expr.span)?;
                let inner = inner.settle();
                for (row, labels) in inner.labels.iter().enumerate() {
                    add(labels, &mut samples_of(inner.row(row), grid));
                }
            }
            _ => return Err(EvalError::new("a range vector is needed here", expr.span)),
        }
        lines.sort_by(|a, b| a.labels.cmp(&b.labels));
        Ok(lines)
    }
}

pub(super) fn names_of(selector: &Selector) -> Names {
    if selector.equal(METRIC_NAME).is_some() { Names::One } else { Names::Any }
}

fn samples_of(row: &[f64], grid: Steps) -> impl Iterator<Item = Sample> {
    let values = row.iter().enumerate();
    let there = values.filter(|(_, value)| value.to_bits() != ABSENT.to_bits());
    there.map(move |(at, value)| Sample { at: Timestamp::from_millis(grid.at(at)), value: *value })
}

/// Windows do not see where a series ended.
pub(super) fn without_stale<'s>(samples: &'s [Sample], fresh: &'s mut Vec<Sample>) -> &'s [Sample] {
    if samples.iter().all(|sample| !is_stale(sample.value)) {
        return samples;
    }
    fresh.clear();
    fresh.extend(samples.iter().copied().filter(|sample| !is_stale(sample.value)));
    fresh
}
