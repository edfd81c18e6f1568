//! `info()`: labels of info metrics such as `target_info`, joined by instance and job.

use super::table::{ABSENT, Names, Table, is_there, short};
use super::{Engine, EvalError, Outcome, Steps};
use crate::domain::Labels;
use crate::domain::labels::METRIC_NAME;
use crate::metrics::promql::ast::{Expr, Extent, Kind, Selector, Shift, Span};
use crate::metrics::promql::build;
use crate::metrics::{MatchOp, Matcher};
use std::collections::{BTreeSet, HashMap};

/// The labels that say which info metric belongs to a series.
const IDENTIFYING: [&str; 2] = ["instance", "job"];

fn identity(labels: &Labels) -> [&str; 2] {
    IDENTIFYING.map(|name| labels.get(name).unwrap_or_default())
}

/// The moment at which the first selector of an expression looks, seen from outside.
fn first_shift(expr: &Expr, outer: Shift) -> Option<Shift> {
    let compose = |inner: Shift| {
        let at = inner.at.or(outer.at);
        let from_outside = if inner.at.is_some() { 0 } else { outer.offset_ms.unwrap_or(0) };
        let offset_ms = from_outside.saturating_add(inner.offset_ms.unwrap_or(0));
        Shift { offset_ms: Some(offset_ms), at }
    };
    match &expr.kind {
        Kind::Selector(selector) | Kind::Range(selector, _) => Some(compose(selector.shift)),
        Kind::Subquery(subquery) => first_shift(&subquery.expr, compose(subquery.shift)),
        _ => expr.children().find_map(|child| first_shift(child, outer)),
    }
}

/// What an info metric must be, and which of its labels are wanted.
struct Wanted<'e> {
    names: Vec<&'e Matcher>,
    labels: Vec<&'e Matcher>,
}

impl Wanted<'_> {
    fn takes_label(&self, name: &str) -> bool {
        name != METRIC_NAME
            && (self.labels.is_empty() || self.labels.iter().any(|one| one.name == name))
    }
}

impl Engine<'_> {
    pub(super) fn info(&self, args: &[Expr], steps: Steps, span: Span) -> Outcome<Table> {
        let Some(base_expr) = args.first() else {
            return Err(EvalError::new("an argument is missing", span));
        };
        let base = self.vector(base_expr, steps)?.settle();
        let given: &[Matcher] = match args.get(1).map(|arg| &arg.bare().kind) {
            Some(Kind::Selector(selector)) => &selector.matchers,
            _ => &[],
        };
        let name = |op: MatchOp| Matcher { name: METRIC_NAME.to_owned(), op };
        let by_default = name(MatchOp::Equal("target_info".to_owned()));
        let any = build::regex(".+_info").map_err(|message| EvalError::new(message, span))?;
        let any = name(MatchOp::Regex(any));
        let (mut names, labels): (Vec<&Matcher>, Vec<&Matcher>) =
            given.iter().partition(|one| one.name == METRIC_NAME);
        let says_yes = |one: &&Matcher| matches!(one.op, MatchOp::Equal(_) | MatchOp::Regex(_));
        let named = args.len() < 2 || names.iter().any(says_yes);
        if names.is_empty() {
            names.push(&by_default);
        } else if !named {
            // What they must not be leaves all others that are called so.
            names.push(&any);
        }
        let wanted = Wanted { names, labels };
        // Info metrics are not told of themselves.
        let is_info = |labels: &Labels| {
            let name = labels.metric().unwrap_or_default();
            named && wanted.names.iter().all(|one| one.matches(name))
        };
        let ignored: Vec<bool> = base.labels.iter().map(is_info).collect();
        let shift = first_shift(base_expr, Shift::default()).unwrap_or_default();
        let infos = self.info_series(&base, &ignored, &wanted, shift, steps, span)?;
        self.join(&base, &ignored, &infos, &wanted, steps, span)
    }

    /// When each info series that may belong to one of `base` was last seen.
    fn info_series(
        &self,
        base: &Table,
        ignored: &[bool],
        wanted: &Wanted<'_>,
        shift: Shift,
        steps: Steps,
        span: Span,
    ) -> Outcome<Table> {
        let mut known: [BTreeSet<&str>; 2] = Default::default();
        for (labels, _) in base.labels.iter().zip(ignored).filter(|(_, ignored)| !**ignored) {
            for (known, value) in known.iter_mut().zip(identity(labels)) {
                if !value.is_empty() {
                    known.insert(value);
                }
            }
        }
        if known.iter().all(BTreeSet::is_empty) {
            return Ok(Table::new(steps.count));
        }
        let matchers: Vec<Matcher> =
            wanted.names.iter().chain(&wanted.labels).map(|one| (*one).clone()).collect();
        let selector = Selector {
            name: None,
            matches: Vec::new(),
            shift,
            extent: Extent::Plain,
            matchers: matchers.into(),
        };
        let found = self.latest(&selector, steps, span, true)?;
        let fits = |labels: &Labels| {
            let pairs = identity(labels).into_iter().zip(&known);
            pairs.into_iter().all(|(value, known)| known.is_empty() || known.contains(value))
        };
        let rows: Vec<usize> =
            (0..found.labels.len()).filter(|row| fits(&found.labels[*row])).collect();
        Ok(found.pick_rows(&rows))
    }

    fn join(
        &self,
        base: &Table,
        ignored: &[bool],
        infos: &Table,
        wanted: &Wanted<'_>,
        steps: Steps,
        span: Span,
    ) -> Outcome<Table> {
        // Which info series may belong to a series, by name.
        let mut by_identity: HashMap<[&str; 2], Vec<usize>> = HashMap::new();
        for (row, labels) in infos.labels.iter().enumerate() {
            by_identity.entry(identity(labels)).or_default().push(row);
        }
        let must_be_there = wanted.labels.iter().any(|one| !one.matches(""));
        let mut result = Table::new(steps.count);
        result.names = Names::Any;
        let mut rows: HashMap<(usize, Vec<usize>), usize> = HashMap::new();
        for (row, labels) in base.labels.iter().enumerate() {
            let none = Vec::new();
            let candidates = by_identity.get(&identity(labels)).unwrap_or(&none);
            self.spend(steps.count.saturating_mul(1 + candidates.len()), span)?;
            for step in 0..steps.count {
                let value = base.at(row, step);
                if !is_there(value) {
                    continue;
                }
                let chosen =
                    if ignored[row] { Vec::new() } else { newest(infos, candidates, step, span)? };
                if chosen.is_empty() && must_be_there && !ignored[row] {
                    continue;
                }
                let key = (row, chosen);
                let to = if let Some(to) = rows.get(&key) {
                    *to
                } else {
                    let all = enriched(labels, infos, &key.1, wanted, span)?;
                    let to = self.add_row(&mut result, &all, span)?;
                    rows.insert(key, to);
                    to
                };
                result.set(to, step, value);
            }
        }
        result.merge(span, false)
    }
}

/// Of each info metric the series that was seen last.
fn newest(infos: &Table, candidates: &[usize], step: usize, span: Span) -> Outcome<Vec<usize>> {
    let mut chosen: Vec<usize> = Vec::new();
    for &row in candidates {
        let seen = infos.at(row, step);
        if seen.to_bits() == ABSENT.to_bits() {
            continue;
        }
        let name = infos.labels[row].metric();
        let Some(other) = chosen.iter_mut().find(|one| infos.labels[**one].metric() == name) else {
            chosen.push(row);
            continue;
        };
        let before = infos.at(*other, step);
        if before < seen {
            *other = row;
        } else if before.to_bits() == seen.to_bits() {
            let (a, b) = (short(&infos.labels[*other]), short(&infos.labels[row]));
            let message = format!("two info series belong to the same target: {a} and {b}");
            return Err(EvalError::new(message, span));
        }
    }
    Ok(chosen)
}

fn enriched(
    labels: &Labels,
    infos: &Table,
    chosen: &[usize],
    wanted: &Wanted<'_>,
    span: Span,
) -> Outcome<Labels> {
    let mut all = labels.clone();
    for row in chosen {
        for (name, value) in infos.labels[*row].iter() {
            if !wanted.takes_label(name) || labels.get(name).is_some() {
                continue;
            }
            match all.get(name) {
                Some(other) if other != &**value => {
                    let message =
                        format!("two info metrics say different things of label {name:?}");
                    return Err(EvalError::new(message, span));
                }
                _ => all = all.with(name, value),
            }
        }
    }
    Ok(all)
}
