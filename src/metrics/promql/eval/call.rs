//! Functions: arguments to values.

use super::label::{label_join, label_replace, sort_by_label};
use super::math::{apply, ascending, part_of};
use super::table::{ABSENT, Names, Table, is_there};
use super::{Engine, EvalError, Outcome, Steps, Value};
use super::{extended, over};
use crate::domain::labels::METRIC_NAME;
use crate::domain::{Labels, Num};
use crate::metrics::promql::ast::{Expr, Extent, Kind, MatchKind, Span, Type};
use crate::metrics::promql::functions::{Function, How, Over, Query};

impl Engine<'_> {
    pub(super) fn call(
        &self,
        function: &Function,
        args: &[Expr],
        steps: Steps,
        span: Span,
    ) -> Outcome<Value> {
        let how = function.how;
        let vector = |at: usize| match args.get(at) {
            Some(arg) => self.vector(arg, steps),
            None => Err(EvalError::new("an argument is missing", span)),
        };
        let scalar = |at: usize| match args.get(at) {
            Some(arg) => self.scalar(arg, steps),
            None => Err(EvalError::new("an argument is missing", span)),
        };
        let span_of = |at: usize| args.get(at).map_or(span, |arg| arg.span);
        let seconds = |step: usize| steps.at(step) as f64 / 1000.0;
        Ok(Value::Vector(match how {
            How::Time => return Ok(Value::Scalar((0..steps.count).map(seconds).collect())),
            How::Query(query) => {
                let millis = match query {
                    Query::Start => self.start,
                    Query::End => self.end,
                    Query::Step => self.step,
                    Query::Range => self.end.saturating_sub(self.start),
                };
                return Ok(Value::Scalar(vec![millis as f64 / 1000.0; steps.count]));
            }
            How::MaxOf => return Ok(Value::Scalar(pairs(&scalar(0)?, &scalar(1)?, most))),
            How::MinOf => return Ok(Value::Scalar(pairs(&scalar(0)?, &scalar(1)?, least))),
            How::Pi => return Ok(Value::Scalar(vec![std::f64::consts::PI; steps.count])),
            How::Scalar => return Ok(Value::Scalar(only(&vector(0)?))),
            How::Vector => Table::of(Labels::default(), scalar(0)?),
            How::Each(math) => {
                vector(0)?.map(|_, value| apply(math, value)).drop_names(span, false)?
            }
            How::Calendar(part) if args.is_empty() => {
                let values = (0..steps.count).map(|step| part_of(part, seconds(step).floor()));
                Table::of(Labels::default(), values.collect())
            }
            How::Calendar(part) => {
                vector(0)?.map(|_, value| part_of(part, value)).drop_names(span, false)?
            }
            How::Clamp => {
                let (low, high) = (scalar(1)?, scalar(2)?);
                clamp(vector(0)?, &low, &high).drop_names(span, false)?
            }
            How::ClampMin => {
                let low = scalar(1)?;
                clamp(vector(0)?, &low, &vec![f64::INFINITY; steps.count])
                    .drop_names(span, false)?
            }
            How::ClampMax => {
                let high = scalar(1)?;
                clamp(vector(0)?, &vec![f64::NEG_INFINITY; steps.count], &high)
                    .drop_names(span, false)?
            }
            How::Round => {
                let nearest = if args.len() > 1 { scalar(1)? } else { vec![1.0; steps.count] };
                let table = vector(0)?.map(|step, value| {
                    // The inverse has fewer problems of accuracy.
                    let inverse = 1.0 / nearest[step];
                    (value * inverse + 0.5).floor() / inverse
                });
                table.drop_names(span, false)?
            }
            How::Timestamp => self.timestamp(args, steps, span)?,
            How::Absent => {
                let table = vector(0)?;
                absent(args, &table, steps)
            }
            How::AbsentOverTime => {
                let Some(arg) = args.first() else {
                    return Err(EvalError::new("an argument is missing", span));
                };
                let table = self.windows(arg, steps, &|_, _| Some(1.0))?;
                absent(args, &table, steps)
            }
            How::Sort { descending } => {
                self.check_sort(span);
                sorted(vector(0)?, descending)
            }
            How::SortByLabel { descending } => {
                self.check_sort(span);
                sort_by_label(vector(0)?, &args[1..], descending)?
            }
            How::Info => self.info(args, steps, span)?,
            How::LabelReplace => label_replace(self, vector(0)?, args, span)?,
            How::LabelJoin => label_join(self, vector(0)?, args, span)?,
            How::HistogramQuantile => {
                let quantiles = scalar(0)?;
                let [q, buckets] = [span_of(0), span_of(1)];
                self.histogram_quantile((&quantiles, q), &vector(1)?, buckets, span)?
            }
            How::HistogramQuantiles => self.histogram_quantiles(&vector(0)?, args, steps, span)?,
            How::HistogramFraction => {
                let (low, high) = (scalar(0)?, scalar(1)?);
                self.histogram_fraction(&low, &high, &vector(2)?, span_of(2), span)?
            }
            How::Window(over) => self.over(over, function.name, args, steps, span)?,
            How::Missing(what) => {
                return Err(EvalError::new(format!("{what} are not supported"), span));
            }
        }))
    }

    fn over(
        &self,
        over: Over,
        name: &str,
        args: &[Expr],
        steps: Steps,
        span: Span,
    ) -> Outcome<Table> {
        let mut params = Vec::new();
        let mut window = None;
        for arg in args {
            if arg.value_type() == Type::Matrix {
                window = Some(arg);
            } else {
                params.push(self.scalar(arg, steps)?);
            }
        }
        let Some(window) = window else {
            return Err(EvalError::new("a range vector is needed here", span));
        };
        if over == Over::DoubleExponentialSmoothing {
            for factor in params.iter().flatten() {
                if !(*factor > 0.0 && *factor < 1.0) {
                    let message = format!("a smoothing factor lies between 0 and 1, not {factor}");
                    return Err(EvalError::new(message, span));
                }
            }
        }
        extended::check(over, name, window)?;
        let extent = extended::extent_of(window);
        let param = |at: usize, step: usize| params.get(at).map_or(0.0, |values| values[step]);
        let packed = self.rates_packed(over, window, steps);
        let table = packed.unwrap_or_else(|| {
            self.windows(window, steps, &|window, step| {
                if extent != Extent::Plain {
                    return extended::value(over, window, extent == Extent::Smoothed);
                }
                over::value(over, window, [param(0, step), param(1, step)], steps.at(step))
            })
        })?;
        if over == Over::Quantile && !table.labels.is_empty() {
            self.check_quantiles(&params[0], args[0].span);
        }
        if matches!(over, Over::Rate | Over::Increase) {
            self.check_counters(&table, window.bare().span);
        }
        if matches!(over, Over::First | Over::Last) {
            return Ok(table);
        }
        table.drop_names(span, true)
    }

    /// Warns of quantiles outside 0 to 1.
    pub(super) fn check_quantiles(&self, quantiles: &[f64], span: Span) {
        for odd in quantiles.iter().filter(|q| !(0.0..=1.0).contains(*q)) {
            let odd = Num(*odd);
            self.warn(format!("quantile value should be between 0 and 1, got {odd}"), span);
        }
    }

    /// Warns of an order that a range of time does not have.
    fn check_sort(&self, span: Span) {
        if self.start != self.end {
            let words =
                "sort is ineffective for range queries since results are always ordered by labels";
            self.warn(words, span);
        }
    }

    /// Tells of series that are likely no counters, by their names.
    pub(super) fn check_counters(&self, table: &Table, span: Span) {
        let rows = match table.names {
            Names::Dropped => return,
            Names::One => 1,
            Names::Any => table.labels.len(),
        };
        for name in table.labels.iter().take(rows).filter_map(Labels::metric) {
            let counts = ["_total", "_sum", "_count", "_bucket"];
            if !counts.iter().any(|end| name.ends_with(end)) {
                let words = format!(
                    "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {name:?}"
                );
                self.inform(words, span);
            }
        }
    }

    fn timestamp(&self, args: &[Expr], steps: Steps, span: Span) -> Outcome<Table> {
        let Some(arg) = args.first() else {
            return Err(EvalError::new("an argument is missing", span));
        };
        let table = if let Kind::Selector(selector) = &arg.bare().kind {
            self.latest(selector, steps, arg.span, true)?
        } else {
            self.vector(arg, steps)?.map(|step, _| steps.at(step) as f64 / 1000.0)
        };
        table.drop_names(span, false)
    }
}

fn absent(args: &[Expr], found: &Table, steps: Steps) -> Table {
    let mut values = vec![1.0; steps.count];
    for row in 0..found.labels.len() {
        for (value, there) in values.iter_mut().zip(found.row(row)) {
            if is_there(*there) {
                *value = ABSENT;
            }
        }
    }
    Table::of(args.first().map(absent_labels).unwrap_or_default(), values)
}

/// The labels that a missing series would have had, as far as the selector says.
fn absent_labels(arg: &Expr) -> Labels {
    let (Kind::Selector(selector) | Kind::Range(selector, _)) = &arg.bare().kind else {
        return Labels::default();
    };
    let matches = || selector.matches.iter().filter(|one| one.name != METRIC_NAME);
    let alone = |name: &str| matches().filter(|one| one.name == name).count() == 1;
    let known = matches().filter(|one| one.kind == MatchKind::Equal && alone(&one.name));
    Labels::new(known.map(|one| (one.name.as_str(), one.value.as_str())))
}

/// The value at each step where there is exactly one series, else NaN.
fn only(table: &Table) -> Vec<f64> {
    let mut values = vec![ABSENT; table.steps];
    for row in 0..table.labels.len() {
        for (value, new) in values.iter_mut().zip(table.row(row)) {
            if is_there(*new) {
                *value = if is_there(*value) { f64::NAN } else { *new };
            }
        }
    }
    values.into_iter().map(|value| if is_there(value) { value } else { f64::NAN }).collect()
}

fn pairs(one: &[f64], other: &[f64], choose: fn(f64, f64) -> f64) -> Vec<f64> {
    one.iter().zip(other).map(|(a, b)| choose(*a, *b)).collect()
}

/// The smaller one as Go has it: nothing is below -Inf, not even NaN, and -0 is below 0.
fn least(a: f64, b: f64) -> f64 {
    if a == f64::NEG_INFINITY || b == f64::NEG_INFINITY {
        f64::NEG_INFINITY
    } else if a.is_nan() || b.is_nan() {
        f64::NAN
    } else if a.total_cmp(&b).is_lt() {
        a
    } else {
        b
    }
}

/// The larger one, likewise.
fn most(a: f64, b: f64) -> f64 {
    -least(-a, -b)
}

fn clamp(table: Table, low: &[f64], high: &[f64]) -> Table {
    table.map(|step, value| {
        if high[step] < low[step] { ABSENT } else { most(low[step], least(high[step], value)) }
    })
}

/// By value where it is one instant; NaN last. Over a range there is no order.
fn sorted(table: Table, descending: bool) -> Table {
    if table.steps != 1 {
        return table;
    }
    let mut rows: Vec<usize> = (0..table.labels.len()).collect();
    rows.sort_by(|a, b| {
        let (a, b) = (table.values[*a], table.values[*b]);
        match (a.is_nan(), b.is_nan()) {
            (false, false) if descending => ascending(b, a),
            (false, false) => ascending(a, b),
            (a, b) => a.cmp(&b),
        }
    });
    table.pick_rows(&rows)
}
