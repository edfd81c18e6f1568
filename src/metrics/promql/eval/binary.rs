//! Operators: scalars, a vector with a scalar, two vectors by matching labels, sets.

use super::group::{Grouper, Pick};
use super::table::{Names, Table, is_there, short};
use super::{Engine, EvalError, Outcome, Steps, Value};
use crate::domain::labels::METRIC_NAME;
use crate::domain::{Labels, Num};
use crate::metrics::promql::ast::{Binary, BinaryOp, Group, Matching, Span};
use std::collections::HashMap;

/// The result of an operator; none where a comparison does not hold.
fn compute(op: BinaryOp, lhs: f64, rhs: f64, bool_result: bool) -> Option<f64> {
    let holds = |holds: bool| match (bool_result, holds) {
        (true, holds) => Some(f64::from(u8::from(holds))),
        (false, true) => Some(lhs),
        (false, false) => None,
    };
    match op {
        BinaryOp::Add => Some(lhs + rhs),
        BinaryOp::Sub => Some(lhs - rhs),
        BinaryOp::Mul => Some(lhs * rhs),
        BinaryOp::Div => Some(lhs / rhs),
        BinaryOp::Mod => Some(lhs % rhs),
        BinaryOp::Pow => Some(lhs.powf(rhs)),
        BinaryOp::Atan2 => Some(lhs.atan2(rhs)),
        BinaryOp::Eq => holds(lhs == rhs),
        BinaryOp::Ne => holds(lhs != rhs),
        BinaryOp::Gt => holds(lhs > rhs),
        BinaryOp::Lt => holds(lhs < rhs),
        BinaryOp::Ge => holds(lhs >= rhs),
        BinaryOp::Le => holds(lhs <= rhs),
        BinaryOp::And | BinaryOp::Or | BinaryOp::Unless => None,
    }
}

impl Engine<'_> {
    pub(super) fn binary(&self, binary: &Binary, steps: Steps, span: Span) -> Outcome<Value> {
        let op = binary.op;
        let lhs = self.eval(&binary.lhs, steps)?;
        let rhs = self.eval(&binary.rhs, steps)?;
        match (lhs, rhs) {
            (Value::Scalar(lhs), Value::Scalar(rhs)) => {
                let pairs = lhs.into_iter().zip(rhs);
                let values = pairs.map(|(a, b)| compute(op, a, b, true).unwrap_or(f64::NAN));
                Ok(Value::Scalar(values.collect()))
            }
            (Value::Vector(table), Value::Scalar(numbers)) => {
                one_sided(binary, table, |step, value| (value, numbers[step]), span)
            }
            (Value::Scalar(numbers), Value::Vector(table)) => {
                one_sided(binary, table, |step, value| (numbers[step], value), span)
            }
            (Value::Vector(lhs), Value::Vector(rhs)) => {
                self.spend(lhs.values.len() + rhs.values.len(), span)?;
                let (lhs, rhs) = (lhs.settle(), rhs.settle());
                let table = if op.is_set() {
                    sets(binary, &lhs, &rhs, span)?
                } else {
                    paired(self, binary, &lhs, &rhs, span)?
                };
                Ok(Value::Vector(table))
            }
            _ => Err(EvalError::new("a text cannot be computed with", span)),
        }
    }
}

fn one_sided(
    binary: &Binary,
    mut table: Table,
    sides: impl Fn(usize, f64) -> (f64, f64),
    span: Span,
) -> Outcome<Value> {
    let filters = binary.op.compares() && !binary.bool_result;
    table = table.map(|step, value| {
        let (lhs, rhs) = sides(step, value);
        match compute(binary.op, lhs, rhs, binary.bool_result) {
            // A filter gives the series' value, on whichever side it stands.
            Some(_) if filters => value,
            Some(result) => result,
            None => super::ABSENT,
        }
    });
    let table = if filters { table } else { table.drop_names(span, false)? };
    Ok(Value::Vector(table))
}

fn pick(matching: Option<&Matching>) -> Pick {
    match matching {
        Some(Matching { on: true, labels, .. }) => Pick::By(labels.clone()),
        other => {
            let mut names = other.map(|matching| matching.labels.clone()).unwrap_or_default();
            names.push(METRIC_NAME.to_owned());
            Pick::Without(names)
        }
    }
}

/// The groups of both sides' rows.
fn matched(binary: &Binary, lhs: &Table, rhs: &Table) -> (Vec<usize>, Vec<usize>, Grouper) {
    let expected = lhs.labels.len().max(rhs.labels.len());
    let mut groups = Grouper::new(pick(binary.matching.as_ref()), expected);
    let left = lhs.labels.iter().map(|labels| groups.id(labels)).collect();
    let right = rhs.labels.iter().map(|labels| groups.id(labels)).collect();
    (left, right, groups)
}

/// `and`, `or`, `unless`
fn sets(binary: &Binary, lhs: &Table, rhs: &Table, span: Span) -> Outcome<Table> {
    let (left, right, groups) = matched(binary, lhs, rhs);
    let count = groups.firsts.len();
    let steps = lhs.steps;
    let present = |table: &Table, of_row: &[usize]| {
        let mut present = vec![false; count * steps];
        for (row, group) in of_row.iter().enumerate() {
            for step in 0..steps {
                present[group * steps + step] |= is_there(table.at(row, step));
            }
        }
        present
    };
    let keep = |table: &Table, of_row: &[usize], other: &[bool], wanted: bool| {
        let mut kept = table.clone();
        for (row, group) in of_row.iter().enumerate() {
            for step in 0..steps {
                if other[group * steps + step] != wanted {
                    kept.set(row, step, super::ABSENT);
                }
            }
        }
        kept
    };
    Ok(match binary.op {
        BinaryOp::And => keep(lhs, &left, &present(rhs, &right), true),
        BinaryOp::Unless => keep(lhs, &left, &present(rhs, &right), false),
        _ => {
            let rest = keep(rhs, &right, &present(lhs, &left), false);
            let mut both = lhs.clone();
            both.names = Names::Any;
            both.labels.extend(rest.labels);
            both.values.extend(rest.values);
            both.merge(span, false)?
        }
    })
}

/// The labels of a pair's result.
fn result_labels(binary: &Binary, many: &Labels, one: &Labels) -> Labels {
    let keeps_name = binary.op.compares() && !binary.bool_result;
    let matching = binary.matching.as_ref();
    let include = matching.and_then(|matching| matching.group.as_ref());
    let mut labels = many.filtered(|name| {
        if name == METRIC_NAME && !keeps_name {
            return false;
        }
        match (matching, include) {
            (Some(matching), None) => {
                matching.labels.iter().any(|label| label == name) == matching.on
            }
            _ => true,
        }
    });
    if let Some((_, names)) = include {
        for name in names {
            labels = labels.with(name, one.get(name).unwrap_or_default());
        }
    }
    labels
}

/// Arithmetic and comparisons between series that match.
fn paired(
    engine: &Engine<'_>,
    binary: &Binary,
    lhs: &Table,
    rhs: &Table,
    span: Span,
) -> Outcome<Table> {
    let (left, right, groups) = matched(binary, lhs, rhs);
    let group = binary.matching.as_ref().and_then(|matching| matching.group.as_ref());
    let swapped = matches!(group, Some((Group::Right, _)));
    let (many, many_of, one, one_of) =
        if swapped { (rhs, &right, lhs, &left) } else { (lhs, &left, rhs, &right) };
    let one_side = if swapped { "left" } else { "right" };
    let mut pairs: HashMap<(usize, usize), usize> = HashMap::new();
    let mut result = Table::new(lhs.steps);
    let nobody = usize::MAX;
    // After the sides are swapped, as Prometheus does it.
    let [fill_many, fill_one] = match &binary.matching {
        Some(matching) => matching.fill.map(|fill| fill.map(|Num(value)| value)),
        None => [None; 2],
    };
    let matching_labels = pick(binary.matching.as_ref());
    let mut met = vec![false; groups.firsts.len()];
    let mut partner = vec![nobody; groups.firsts.len()];
    let mut taken = vec![nobody; groups.firsts.len()];
    for step in 0..lhs.steps {
        let any = |table: &Table| (0..table.labels.len()).any(|row| is_there(table.at(row, step)));
        if !any(many) && (fill_many.is_none() || !any(one)) {
            continue;
        }
        partner.fill(nobody);
        for (row, group) in one_of.iter().enumerate() {
            if !is_there(one.at(row, step)) {
                continue;
            }
            let before = std::mem::replace(&mut partner[*group], row);
            if before != nobody {
                let (a, b) = (short(&one.labels[before]), short(&one.labels[row]));
                let message = format!(
                    "several series on the {one_side} side match the same labels: {a} and {b}; say with on or ignoring which labels count"
                );
                return Err(EvalError::new(message, span));
            }
        }
        if fill_many.is_some() {
            met.fill(false);
        }
        for (row, at) in many_of.iter().enumerate() {
            let (value, other) = (many.at(row, step), partner[*at]);
            if !is_there(value) {
                continue;
            }
            met[*at] = true;
            let other_value = match fill_one {
                _ if other != nobody => one.at(other, step),
                Some(fill) => fill,
                None => continue,
            };
            let (a, b) = if swapped { (other_value, value) } else { (value, other_value) };
            let Some(computed) = compute(binary.op, a, b, binary.bool_result) else {
                continue;
            };
            if group.is_none() && std::mem::replace(&mut taken[*at], step) == step {
                let labels = short(&many.labels[row]);
                let message = format!(
                    "several series on the left side match the same one, {labels} among them; that must be said with group_left or group_right"
                );
                return Err(EvalError::new(message, span));
            }
            let to = if let Some(to) = pairs.get(&(row, other)) {
                *to
            } else {
                let many = &many.labels[row];
                let labels = match one.labels.get(other) {
                    Some(one) => result_labels(binary, many, one),
                    None => result_labels(binary, many, &matching_labels.take(many)),
                };
                engine.keep_labels(&labels, 0, span)?;
                let to = engine.add_row(&mut result, &labels, span)?;
                pairs.insert((row, other), to);
                to
            };
            result.set(to, step, computed);
        }
        let Some(fill) = fill_many else { continue };
        for (row, at) in one_of.iter().enumerate() {
            let value = one.at(row, step);
            if met[*at] || !is_there(value) {
                continue;
            }
            let (a, b) = if swapped { (value, fill) } else { (fill, value) };
            let Some(computed) = compute(binary.op, a, b, binary.bool_result) else {
                continue;
            };
            let to = if let Some(to) = pairs.get(&(nobody, row)) {
                *to
            } else {
                let one = &one.labels[row];
                let labels = result_labels(binary, &matching_labels.take(one), one);
                let to = engine.add_row(&mut result, &labels, span)?;
                pairs.insert((nobody, row), to);
                to
            };
            result.set(to, step, computed);
        }
    }
    result.merge(span, false)
}
