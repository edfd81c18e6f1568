//! Aggregations: groups of series to one, or to a choice of them.

use super::group::{Grouper, Pick};
use super::math::{Mean, Sum, Variance, ascending, quantile};
use super::table::{ABSENT, Names, Table, is_there};
use super::{Engine, EvalError, Outcome, Steps};
use crate::domain::labels::METRIC_NAME;
use crate::domain::{Labels, Num};
use crate::metrics::promql::ast::{Aggregate, Aggregation, Span};
use std::collections::HashMap;

/// Which group each row belongs to.
pub(super) struct Groups {
    pub(super) of_row: Vec<usize>,
    pub(super) labels: Vec<Labels>,
}

/// The labels that count for an aggregation of series whose names count or not.
pub(super) fn pick_of(aggregate: &Aggregate, names_dropped: bool) -> Pick {
    match &aggregate.grouping {
        None => Pick::By(Vec::new()),
        Some(grouping) if grouping.without => {
            let mut names = grouping.labels.clone();
            names.push(METRIC_NAME.to_owned());
            Pick::Without(names)
        }
        Some(grouping) => {
            let mut names = grouping.labels.clone();
            if names_dropped {
                names.retain(|name| name != METRIC_NAME);
            }
            Pick::By(names)
        }
    }
}

fn groups(aggregate: &Aggregate, table: &Table) -> Groups {
    let pick = pick_of(aggregate, table.names == Names::Dropped);
    if matches!(&pick, Pick::By(names) if names.is_empty()) {
        let labels = if table.labels.is_empty() { vec![] } else { vec![Labels::default()] };
        return Groups { of_row: vec![0; table.labels.len()], labels };
    }
    let mut grouper = Grouper::new(pick, table.labels.len() / 4);
    let of_row = table.labels.iter().map(|labels| grouper.id(labels)).collect();
    Groups { of_row, labels: grouper.labels() }
}

impl Engine<'_> {
    pub(super) fn aggregate(
        &self,
        aggregate: &Aggregate,
        steps: Steps,
        span: Span,
    ) -> Outcome<Table> {
        let op = aggregate.op;
        if let Some(table) = self.aggregate_packed(aggregate, steps) {
            return table;
        }
        let table = self.vector(&aggregate.expr, steps)?;
        self.spend(table.values.len(), span)?;
        let number = || match &aggregate.param {
            Some(param) => self.scalar(param, steps),
            None => Err(EvalError::new("a parameter is missing", span)),
        };
        let of_param = aggregate.param.as_ref().map_or(span, |param| param.span);
        match op {
            Aggregation::Limitk => {
                let wanted = number()?;
                Self::limitk(&table, &groups(aggregate, &table), &wanted, of_param)
            }
            Aggregation::LimitRatio => {
                let wanted = number()?;
                self.limit_ratio(table, &wanted, of_param)
            }
            Aggregation::Topk | Aggregation::Bottomk => {
                let wanted = number()?;
                if wanted.iter().any(|value| value.is_nan()) {
                    return Err(EvalError::new(
                        format!("{} cannot give NaN series", op.name()),
                        span,
                    ));
                }
                // As Prometheus 3: too few is nothing, but too many is a mistake.
                if let Some(value) = wanted.iter().find(|value| **value >= 2_f64.powi(63)) {
                    let message = format!("{} cannot give {} series", op.name(), Num(*value));
                    return Err(EvalError::new(message, of_param));
                }
                let groups = groups(aggregate, &table);
                Ok(choose(&table, &groups, &wanted, op == Aggregation::Topk))
            }
            Aggregation::CountValues => {
                let label = match &aggregate.param {
                    Some(param) => Self::text(param)?,
                    None => "",
                };
                if label.is_empty() {
                    return Err(EvalError::new("count_values needs the name of a label", span));
                }
                let groups = groups(aggregate, &table);
                let keeps = aggregate.grouping.as_ref().is_none_or(|grouping| {
                    !grouping.without
                        || (label != METRIC_NAME && !grouping.labels.iter().any(|one| one == label))
                });
                self.count_values(&table, &groups, keeps.then_some(label), span)
            }
            Aggregation::Quantile => {
                let wanted = number()?;
                self.check_quantiles(&wanted, of_param);
                let groups = groups(aggregate, &table);
                Ok(fold(
                    &table,
                    groups,
                    Vec::new(),
                    |values: &mut Vec<f64>, value| values.push(value),
                    |mut values, step| quantile(wanted[step], &mut values),
                ))
            }
            _ => {
                let groups = groups(aggregate, &table);
                Ok(simple(op, &table, groups))
            }
        }
    }
}

fn simple(op: Aggregation, table: &Table, groups: Groups) -> Table {
    let extreme = |groups: Groups, better: fn(f64, f64) -> bool| {
        fold(
            table,
            groups,
            f64::NAN,
            |best: &mut f64, value| {
                if better(value, *best) || best.is_nan() {
                    *best = value;
                }
            },
            |best, _| best,
        )
    };
    match op {
        Aggregation::Sum => fold(table, groups, Sum::default(), Sum::add, |sum, _| sum.total()),
        Aggregation::Avg => fold(table, groups, Mean::default(), Mean::add, |mean, _| mean.value()),
        Aggregation::Min => extreme(groups, |new, best| new < best),
        Aggregation::Max => extreme(groups, |new, best| new > best),
        Aggregation::Count => {
            fold(table, groups, 0.0, |count: &mut f64, _| *count += 1.0, |count, _| count)
        }
        Aggregation::Stdvar => {
            fold(table, groups, Variance::default(), Variance::add, |sum, _| sum.value())
        }
        Aggregation::Stddev => {
            fold(table, groups, Variance::default(), Variance::add, |sum, _| sum.value().sqrt())
        }
        _ => fold(table, groups, (), |(), _| {}, |(), _| 1.0),
    }
}

/// Adds up each group at each step, and ends it.
fn fold<S: Clone>(
    table: &Table,
    groups: Groups,
    empty: S,
    add: impl Fn(&mut S, f64),
    end: impl Fn(S, usize) -> f64,
) -> Table {
    let steps = table.steps;
    let mut states = vec![empty; groups.labels.len() * steps];
    let mut seen = vec![false; states.len()];
    for (row, group) in groups.of_row.iter().enumerate() {
        for (step, value) in table.row(row).iter().enumerate() {
            if is_there(*value) {
                add(&mut states[group * steps + step], *value);
                seen[group * steps + step] = true;
            }
        }
    }
    let mut result = Table::new(steps);
    result.labels = groups.labels;
    result.values = states
        .into_iter()
        .zip(seen)
        .enumerate()
        .map(|(at, (state, seen))| if seen { end(state, at % steps) } else { ABSENT })
        .collect();
    result
}

/// The first `wanted` of each group; those of one instant in their order.
fn choose(table: &Table, groups: &Groups, wanted: &[f64], largest: bool) -> Table {
    let mut members = vec![Vec::new(); groups.labels.len()];
    for (row, group) in groups.of_row.iter().enumerate() {
        members[*group].push(row);
    }
    let mut chosen = Vec::new();
    let mut result = table.clone();
    result.values.fill(ABSENT);
    for rows in &members {
        for (step, wanted) in wanted.iter().enumerate() {
            let mut there: Vec<(f64, usize)> = rows
                .iter()
                .map(|row| (table.at(*row, step), *row))
                .filter(|(value, _)| is_there(*value))
                .collect();
            // NaN comes last either way.
            there.sort_by(|(a, _), (b, _)| match (a.is_nan(), b.is_nan()) {
                (false, false) if largest => ascending(*b, *a),
                (false, false) => ascending(*a, *b),
                (a, b) => a.cmp(&b),
            });
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "saturates, and is never NaN"
            )]
            let count = *wanted as usize;
            for (value, row) in there.into_iter().take(count) {
                result.set(row, step, value);
                chosen.push(row);
            }
        }
    }
    if table.steps == 1 { result.pick_rows(&chosen) } else { result }
}

impl Engine<'_> {
    /// How many series of a group have each value, the value in `label`. Groups
    /// that this leaves with the same labels are one; there is no label where
    /// the grouping itself takes it away.
    fn count_values(
        &self,
        table: &Table,
        groups: &Groups,
        label: Option<&str>,
        span: Span,
    ) -> Outcome<Table> {
        let mut result = Table::new(table.steps);
        let mut rows: HashMap<(usize, u64), usize> = HashMap::new();
        let mut by_labels: HashMap<Labels, usize> = HashMap::new();
        for (row, group) in groups.of_row.iter().enumerate() {
            for (step, value) in table.row(row).iter().enumerate() {
                if !is_there(*value) {
                    continue;
                }
                let key = (*group, value.to_bits());
                let to = if let Some(to) = rows.get(&key) {
                    *to
                } else {
                    self.keep_labels(&groups.labels[*group], 24, span)?;
                    let labels = match label {
                        Some(label) => groups.labels[*group].with(label, &Num(*value).to_string()),
                        None => groups.labels[*group].clone(),
                    };
                    let to = match by_labels.get(&labels) {
                        Some(to) => *to,
                        None => self.add_row(&mut result, &labels, span)?,
                    };
                    by_labels.insert(labels, to);
                    rows.insert(key, to);
                    to
                };
                let before = result.at(to, step);
                result.set(to, step, if is_there(before) { before + 1.0 } else { 1.0 });
            }
        }
        Ok(result)
    }
}
