//! Expressions to values: all steps of a range at once, each selector asked once.

#![expect(clippy::float_cmp, reason = "PromQL compares values exactly")]

mod aggregate;
mod binary;
mod call;
mod extended;
mod group;
mod histogram;
mod info;
mod label;
mod limit;
mod math;
mod over;
mod packed;
mod select;
mod table;
#[cfg(test)]
mod tests;

use super::annotation::{Annotation, Annotations};
use super::ast::{Expr, Kind, Span, Type};
use super::timing::{self, Asked};
use crate::domain::{Labels, Num, Timestamp};
use crate::metrics::{Data, Line, Point, Storage};
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use table::{ABSENT, Table};

/// How far an evaluation may go, and the settings that Prometheus calls global.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The most samples that may be looked at, those of overlapping windows each
    /// time. A value that is kept for a step counts as eight.
    pub samples: u64,
    /// The most steps of a range.
    pub steps: usize,
    /// How old the last sample of a series may be.
    pub lookback: Duration,
    /// The step of a subquery that names none.
    pub subquery_step: Duration,
    /// Once this is true, the evaluation ends with an error.
    pub stop: Option<Arc<AtomicBool>>,
    /// Asked now and then whether the evaluation has to end.
    pub check: Option<Check>,
}

/// Says why an evaluation has to end, once it has to.
#[derive(Clone)]
pub struct Check(Arc<dyn Fn() -> Option<String> + Send + Sync>);

impl Check {
    /// `says` gives the words once the evaluation has to end.
    pub fn new(says: impl Fn() -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(says))
    }
}

impl std::fmt::Debug for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Check")
    }
}

/// So much work lies between two checks; a call counts as some samples.
const CHECK_EVERY: u64 = 1 << 17;
const CALL: u64 = 256;

impl Default for Limits {
    /// As Prometheus has them, 11,000 steps, 5 minutes and 1 minute; and as many
    /// samples as take about a second and 100 MB.
    fn default() -> Self {
        Self {
            samples: 100_000_000,
            steps: 11_000,
            lookback: Duration::from_mins(5),
            subquery_step: Duration::from_mins(1),
            stop: None,
            check: None,
        }
    }
}

/// The value of an expression, and what to be wary of.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluated {
    /// The value.
    pub data: Data,
    /// What is likely wrong.
    pub warnings: Vec<Annotation>,
    /// What may be meant otherwise.
    pub infos: Vec<Annotation>,
}

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EvalError {
    /// In words.
    pub message: String,
    /// Which part of the expression it is about.
    pub span: Span,
}

impl EvalError {
    fn new(message: impl Into<String>, span: Span) -> Self {
        Self { message: message.into(), span }
    }
}

type Outcome<T> = Result<T, EvalError>;

/// The value of `expr` at the moment `at`.
///
/// # Errors
/// Series that cannot be paired or told apart, limits, functions that are not there yet.
pub fn instant(
    expr: &Expr,
    storage: &dyn Storage,
    at: Timestamp,
    limits: &Limits,
) -> Outcome<Evaluated> {
    let expr = &*timing::settled(expr, Asked::default())?;
    let engine = Engine::new(storage, limits, (at.millis(), at.millis(), 0));
    let steps = Steps { start: at.millis(), step: 1, count: 1 };
    let data = if expr.value_type() == Type::Matrix {
        Data::Matrix(engine.samples(expr.bare(), steps)?)
    } else {
        match engine.eval(expr, steps)? {
            Value::Scalar(values) => Data::Scalar(Num(values.first().copied().unwrap_or(f64::NAN))),
            Value::Text(text) => Data::Text(text),
            Value::Vector(table) => {
                let table = table.settle();
                let points = table.labels.iter().zip(&table.values);
                let points = points.filter(|(_, value)| table::is_there(**value));
                Data::Vector(
                    points
                        .map(|(labels, value)| Point { labels: labels.clone(), value: Num(*value) })
                        .collect(),
                )
            }
        }
    };
    Ok(engine.finish(data))
}

/// The values of `expr` from `start` to `end`, both included, every `step`.
///
/// # Errors
/// As [`instant`], and where the expression has no value at each step.
pub fn range(
    expr: &Expr,
    storage: &dyn Storage,
    start: Timestamp,
    end: Timestamp,
    step: Duration,
    limits: &Limits,
) -> Outcome<Evaluated> {
    let span = expr.span;
    let kind = expr.value_type();
    if !matches!(kind, Type::Scalar | Type::Vector) {
        let message = format!("over a range of time {} has no value", kind.name());
        return Err(EvalError::new(message, span));
    }
    let step = i64::try_from(step.as_millis()).unwrap_or(i64::MAX);
    if step == 0 {
        return Err(EvalError::new("the step must be at least a millisecond", span));
    }
    if end < start {
        return Err(EvalError::new("the range ends before it begins", span));
    }
    let count = end.millis().saturating_sub(start.millis()) / step;
    let count = usize::try_from(count).unwrap_or(usize::MAX).saturating_add(1);
    if count > limits.steps {
        let message = format!("{count} steps are more than the {} allowed", limits.steps);
        return Err(EvalError::new(message, span));
    }
    let asked = Asked { step_s: step as f64 / 1000.0, range_s: end.since(start).as_secs_f64() };
    let expr = &*timing::settled(expr, asked)?;
    let engine = Engine::new(storage, limits, (start.millis(), end.millis(), step));
    let steps = Steps { start: start.millis(), step, count };
    let table = match engine.eval(expr, steps)? {
        Value::Scalar(values) => Table::of(Labels::default(), values),
        Value::Vector(table) => table.settle(),
        Value::Text(_) => Table::new(count),
    };
    let mut lines: Vec<Line> = Vec::with_capacity(table.labels.len());
    for (row, labels) in table.labels.iter().enumerate() {
        let values = table.row(row).iter().enumerate();
        let there = values.filter(|(_, value)| table::is_there(**value));
        let points: Vec<_> =
            there.map(|(at, value)| (Timestamp::from_millis(steps.at(at)), Num(*value))).collect();
        if !points.is_empty() {
            lines.push(Line { labels: labels.clone(), points });
        }
    }
    lines.sort_by(|a, b| a.labels.cmp(&b.labels));
    Ok(engine.finish(Data::Matrix(lines)))
}

/// Moments at an even distance, in milliseconds.
#[derive(Clone, Copy, Debug)]
struct Steps {
    start: i64,
    step: i64,
    count: usize,
}

impl Steps {
    fn at(self, index: usize) -> i64 {
        self.start
            .saturating_add(self.step.saturating_mul(i64::try_from(index).unwrap_or(i64::MAX)))
    }

    fn last(self) -> i64 {
        self.at(self.count.saturating_sub(1))
    }
}

/// A value at each step.
enum Value {
    Scalar(Vec<f64>),
    Text(String),
    Vector(Table),
}

struct Engine<'e> {
    storage: &'e dyn Storage,
    limits: &'e Limits,
    /// First and last moment of the query, for `@ start()` and `@ end()`.
    start: i64,
    end: i64,
    /// From step to step; zero where there is but one.
    step: i64,
    looked_at: Cell<u64>,
    /// Work until the next check.
    unchecked: Cell<u64>,
    annotations: RefCell<Annotations>,
}

impl<'e> Engine<'e> {
    fn new(storage: &'e dyn Storage, limits: &'e Limits, over: (i64, i64, i64)) -> Self {
        let (start, end, step) = over;
        let (looked_at, unchecked) = (Cell::new(0), Cell::new(0));
        let annotations = RefCell::default();
        Self { storage, limits, start, end, step, looked_at, unchecked, annotations }
    }

    fn finish(self, data: Data) -> Evaluated {
        let Annotations { warnings, infos } = self.annotations.into_inner();
        Evaluated { data, warnings, infos }
    }

    fn warn(&self, message: impl AsRef<str>, span: Span) {
        self.annotations.borrow_mut().warn(message.as_ref(), span);
    }

    fn inform(&self, message: impl AsRef<str>, span: Span) {
        self.annotations.borrow_mut().inform(message.as_ref(), span);
    }

    /// Counts work that is about to be done, and ends it where it is too much or not wanted.
    fn spend(&self, samples: usize, span: Span) -> Outcome<()> {
        let looked_at = self.looked_at.get().saturating_add(samples as u64);
        self.looked_at.set(looked_at);
        if looked_at > self.limits.samples {
            let message = format!(
                "the query looks at more than {} samples; select fewer series or a shorter time",
                self.limits.samples
            );
            return Err(EvalError::new(message, span));
        }
        if self.limits.stop.as_ref().is_some_and(|stop| stop.load(Ordering::Relaxed)) {
            return Err(EvalError::new("the query was stopped", span));
        }
        if let Some(Check(says)) = &self.limits.check {
            let unchecked = self.unchecked.get().saturating_add(samples as u64 + CALL);
            if unchecked < CHECK_EVERY {
                self.unchecked.set(unchecked);
            } else {
                self.unchecked.set(0);
                if let Some(words) = says() {
                    return Err(EvalError::new(words, span));
                }
            }
        }
        Ok(())
    }

    /// Counts values that are about to be kept.
    fn keep(&self, values: usize, span: Span) -> Outcome<()> {
        self.spend(values.saturating_mul(8), span)
    }

    /// Counts new labels that are about to be made from others, a text of so many bytes among them.
    fn keep_labels(&self, others: &Labels, bytes: usize, span: Span) -> Outcome<()> {
        // A pair of labels takes four words.
        self.keep(bytes.div_ceil(8).saturating_add(4 * (1 + others.len())), span)
    }

    fn eval(&self, expr: &Expr, steps: Steps) -> Outcome<Value> {
        self.spend(steps.count, expr.span)?;
        match &expr.kind {
            Kind::Number(value) => Ok(Value::Scalar(vec![value.0; steps.count])),
            Kind::Text(text) => Ok(Value::Text(text.clone())),
            Kind::Selector(selector) => {
                self.latest(selector, steps, expr.span, false).map(Value::Vector)
            }
            Kind::Range(..) | Kind::Subquery(_) => {
                Err(EvalError::new("a range vector has no value by itself", expr.span))
            }
            Kind::Timed(_) => {
                Err(EvalError::new("this duration has no value by itself", expr.span))
            }
            Kind::Call(function, args) => self.call(function, args, steps, expr.span),
            Kind::Aggregate(aggregate) => {
                self.aggregate(aggregate, steps, expr.span).map(Value::Vector)
            }
            Kind::Binary(binary) => self.binary(binary, steps, expr.span),
            Kind::Plus(inner) | Kind::Paren(inner) => self.eval(inner, steps),
            Kind::Negate(inner) => match self.eval(inner, steps)? {
                Value::Scalar(values) => {
                    Ok(Value::Scalar(values.into_iter().map(|value| -value).collect()))
                }
                Value::Vector(table) => {
                    table.map(|_, value| -value).drop_names(expr.span, true).map(Value::Vector)
                }
                Value::Text(text) => Ok(Value::Text(text)),
            },
        }
    }

    /// The table of an expression that the parser knows to be an instant vector.
    fn vector(&self, expr: &Expr, steps: Steps) -> Outcome<Table> {
        match self.eval(expr, steps)? {
            Value::Vector(table) => Ok(table),
            Value::Scalar(_) | Value::Text(_) => {
                Err(EvalError::new("an instant vector is needed here", expr.span))
            }
        }
    }

    /// The numbers of an expression that the parser knows to be a scalar.
    fn scalar(&self, expr: &Expr, steps: Steps) -> Outcome<Vec<f64>> {
        match self.eval(expr, steps)? {
            Value::Scalar(values) => Ok(values),
            Value::Vector(_) | Value::Text(_) => {
                Err(EvalError::new("a scalar is needed here", expr.span))
            }
        }
    }

    /// The text of an expression that the parser knows to be one.
    fn text(expr: &Expr) -> Outcome<&str> {
        match &expr.bare().kind {
            Kind::Text(text) => Ok(text),
            _ => Err(EvalError::new("a quoted text is needed here", expr.span)),
        }
    }
}
