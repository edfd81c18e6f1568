//! What an expression asks for: which series, how far back.

use super::ast::{At, Expr, Kind, Selector, Shift};
use std::time::Duration;

/// How far back a selector looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reach<'e> {
    /// The selector.
    pub selector: &'e Selector,
    /// From the moment of evaluation back to the oldest sample that counts;
    /// zero where the latest sample alone is asked for.
    pub back: Duration,
    /// The oldest moment that counts, where `@` names it.
    pub fixed_ms: Option<i64>,
}

/// All selectors of an expression, from left to right.
pub fn selectors(expr: &Expr) -> Vec<&Selector> {
    reaches(expr).into_iter().map(|reach| reach.selector).collect()
}

/// Whether it says how fast something is counted, `rate(x[5m])`, or is made from
/// that; a quantile of counted buckets is in the unit of what they hold.
pub fn counts(expr: &Expr) -> bool {
    match &expr.kind {
        Kind::Call(function, _) if function.name.starts_with("histogram_quantile") => false,
        Kind::Call(function, _)
            if ["rate", "irate", "increase", "resets", "changes"].contains(&function.name) =>
        {
            true
        }
        Kind::Subquery(subquery) => counts(&subquery.expr),
        _ => expr.children().any(counts),
    }
}

/// How far back the expression looks at most, ranges, offsets and subqueries
/// added up. A moment that `@` names does not count.
pub fn window(expr: &Expr) -> Duration {
    let reaches = reaches(expr);
    let relative = reaches.iter().filter(|reach| reach.fixed_ms.is_none());
    relative.map(|reach| reach.back).max().unwrap_or_default()
}

/// Each selector of an expression with how far back it looks.
pub fn reaches(expr: &Expr) -> Vec<Reach<'_>> {
    let mut found = Vec::new();
    walk(expr, Base { back_ms: 0, fixed: false }, &mut found);
    found
}

/// The oldest moment at which an expression is evaluated.
#[derive(Clone, Copy)]
struct Base {
    /// Before the moment of evaluation; before the epoch where it is `fixed`.
    back_ms: i64,
    fixed: bool,
}

impl Base {
    fn shifted(self, shift: Shift, range: Duration) -> Self {
        let range = i64::try_from(range.as_millis()).unwrap_or(i64::MAX);
        let back = range.saturating_add(shift.offset_ms.unwrap_or(0));
        match shift.at {
            Some(At::Millis(at)) => Self { back_ms: back.saturating_sub(at), fixed: true },
            // Of one instant, start and end are the moment of evaluation.
            Some(At::Start | At::End) => Self { back_ms: back, fixed: false },
            None => Self { back_ms: self.back_ms.saturating_add(back), ..self },
        }
    }
}

fn walk<'e>(expr: &'e Expr, base: Base, found: &mut Vec<Reach<'e>>) {
    let mut note = |selector: &'e Selector, range: Duration| {
        let base = base.shifted(selector.shift, range);
        found.push(Reach {
            selector,
            back: Duration::from_millis(u64::try_from(base.back_ms).unwrap_or(0)),
            fixed_ms: base.fixed.then(|| base.back_ms.saturating_neg()),
        });
    };
    match &expr.kind {
        Kind::Selector(selector) => note(selector, Duration::ZERO),
        Kind::Range(selector, range) => note(selector, *range),
        Kind::Subquery(subquery) => {
            walk(&subquery.expr, base.shifted(subquery.shift, subquery.range), found);
        }
        _ => expr.children().for_each(|child| walk(child, base, found)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::promql::parse;

    fn seconds(text: &str) -> u64 {
        window(&parse(text).unwrap()).as_secs()
    }

    #[test]
    fn ranges_offsets_and_subqueries_add_up() {
        assert_eq!(seconds("up"), 0);
        assert_eq!(seconds("up offset 1m"), 60);
        assert_eq!(seconds("rate(x[5m]) / rate(y[10m])"), 600);
        assert_eq!(seconds("max_over_time(rate(x[5m] offset 1m)[1h:1m] offset 1h)"), 7560);
        assert_eq!(seconds("rate(x[5m] offset -10m)"), 0);
        assert_eq!(seconds("rate(x[5m] @ 1000)"), 0);
        assert_eq!(seconds("rate(x[5m] @ end())"), 300);
    }

    #[test]
    fn what_is_counted_is_told_from_what_is_measured() {
        let counted = |text: &str| counts(&parse(text).unwrap());
        assert!(counted("sum by (job) (rate(x[5m])) / sum(rate(y[5m]))"));
        assert!(counted("max_over_time(irate(x[5m])[1h:1m])"));
        assert!(!counted("histogram_quantile(0.95, sum by (le) (rate(x_bucket[5m])))"));
        assert!(!counted("node_memory_MemFree_bytes > avg_over_time(x[5m])"));
    }

    #[test]
    fn selectors_come_from_left_to_right() {
        let expr = parse("sum(a{job=\"x\"}) / topk(scalar(c), b)").unwrap();
        let names: Vec<_> = selectors(&expr).iter().map(|s| s.equal("__name__").unwrap()).collect();
        assert_eq!(names, ["a", "c", "b"]);
        assert_eq!(selectors(&expr)[0].equal("job"), Some("x"));
    }
}
