//! Functions that change or sort by labels.

use super::table::{Names, Table};
use super::{Engine, EvalError, Outcome};
use crate::domain::labels::METRIC_NAME;
use crate::metrics::promql::ast::{Expr, Span};
use crate::metrics::promql::build;
use std::cmp::Ordering;

pub(super) fn label_replace(
    engine: &Engine<'_>,
    table: Table,
    args: &[Expr],
    span: Span,
) -> Outcome<Table> {
    let [_, to, replacement, from, pattern] = args else {
        return Err(EvalError::new("an argument is missing", span));
    };
    let (to_name, replacement) = (Engine::text(to)?, Engine::text(replacement)?);
    let from = Engine::text(from)?;
    let regex = build::regex(Engine::text(pattern)?)
        .map_err(|message| EvalError::new(message, pattern.span))?;
    check_label(to_name, to)?;
    let mut table = table.settle();
    let groups = replacement.matches('$').count();
    for labels in &mut table.labels {
        let value = labels.get(from).unwrap_or_default().to_owned();
        if let Some(found) = regex.captures(&value) {
            // No group is longer than the value.
            let longest = replacement.len().saturating_add(groups.saturating_mul(value.len()));
            engine.keep_labels(labels, longest, span)?;
            let mut new = String::new();
            found.expand(replacement, &mut new);
            *labels = labels.with(to_name, &new);
        }
    }
    renamed(table, to_name).merge(span, false)
}

pub(super) fn label_join(
    engine: &Engine<'_>,
    table: Table,
    args: &[Expr],
    span: Span,
) -> Outcome<Table> {
    let [_, to, between, from @ ..] = args else {
        return Err(EvalError::new("an argument is missing", span));
    };
    let (to_name, between) = (Engine::text(to)?, Engine::text(between)?);
    check_label(to_name, to)?;
    let mut names = Vec::new();
    for arg in from {
        let name = Engine::text(arg)?;
        check_label(name, arg)?;
        names.push(name);
    }
    let mut table = table.settle();
    for labels in &mut table.labels {
        let values: Vec<&str> =
            names.iter().map(|name| labels.get(name).unwrap_or_default()).collect();
        let length: usize = values.iter().map(|value| value.len() + between.len()).sum();
        engine.keep_labels(labels, length, span)?;
        let joined = values.join(between);
        *labels = labels.with(to_name, &joined);
    }
    renamed(table, to_name).merge(span, false)
}

/// In the order that a person expects: `node2` before `node10`.
pub(super) fn sort_by_label(table: Table, names: &[Expr], descending: bool) -> Outcome<Table> {
    if table.steps != 1 {
        return Ok(table);
    }
    let mut wanted = Vec::new();
    for name in names {
        wanted.push(Engine::text(name)?);
    }
    let table = table.settle();
    let mut rows: Vec<usize> = (0..table.labels.len()).collect();
    rows.sort_by(|a, b| {
        let (a, b) = (&table.labels[*a], &table.labels[*b]);
        let by_names = wanted
            .iter()
            .map(|name| natural(a.get(name).unwrap_or_default(), b.get(name).unwrap_or_default()));
        let order = by_names.fold(Ordering::Equal, Ordering::then).then_with(|| a.cmp(b));
        if descending { order.reverse() } else { order }
    });
    Ok(table.pick_rows(&rows))
}

fn check_label(name: &str, arg: &Expr) -> Outcome<()> {
    if name.is_empty() {
        return Err(EvalError::new("a label has a name", arg.span));
    }
    Ok(())
}

fn renamed(mut table: Table, label: &str) -> Table {
    if label == METRIC_NAME {
        table.names = Names::Any;
    }
    table
}

/// Runs of digits are compared as numbers.
fn natural(one: &str, other: &str) -> Ordering {
    let (mut one, mut other) = (one, other);
    loop {
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let (a, b) = (digits(one), digits(other));
        if a > 0 && b > 0 {
            let (x, y) = (one[..a].trim_start_matches('0'), other[..b].trim_start_matches('0'));
            let order = x.len().cmp(&y.len()).then_with(|| x.cmp(y)).then_with(|| a.cmp(&b));
            if order != Ordering::Equal {
                return order;
            }
            (one, other) = (&one[a..], &other[b..]);
            continue;
        }
        let (mut left, mut right) = (one.chars(), other.chars());
        match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (x, y) if x != y => return x.cmp(&y),
            _ => (one, other) = (left.as_str(), right.as_str()),
        }
    }
}
