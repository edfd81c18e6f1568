//! The same question, split by one more label.

use super::ast::{Aggregation, BinaryOp, Expr, Grouping, Kind};
use super::functions::How;
use super::parser::{ParseError, parse};

/// Rewrites an expression so that its answer is split by `label`: each
/// aggregation keeps the label, and so does the matching between two sides.
/// An expression without aggregations is split by all labels already.
///
/// # Errors
/// The expression is none, or `label` has no name.
pub fn split_by(text: &str, label: &str) -> Result<String, ParseError> {
    if label.is_empty() {
        return Err(ParseError::new("the label to split by has no name", 0, 0));
    }
    Ok(split(parse(text)?, label).to_string())
}

fn add(labels: &mut Vec<String>, label: &str) {
    if labels.iter().all(|known| known != label) {
        labels.push(label.to_owned());
    }
}

fn split(expr: Expr, label: &str) -> Expr {
    let span = expr.span;
    let kind = match expr.kind {
        Kind::Aggregate(mut aggregate) => {
            aggregate.expr = split(aggregate.expr, label);
            // The five largest are the five largest; they are not asked for in each group.
            let chooses = matches!(
                aggregate.op,
                Aggregation::Topk
                    | Aggregation::Bottomk
                    | Aggregation::Limitk
                    | Aggregation::LimitRatio
            );
            if !chooses {
                let grouping = aggregate
                    .grouping
                    .get_or_insert(Grouping { without: false, labels: Vec::new() });
                if grouping.without {
                    grouping.labels.retain(|known| known != label);
                } else {
                    add(&mut grouping.labels, label);
                }
            }
            Kind::Aggregate(aggregate)
        }
        Kind::Binary(mut binary) => {
            // A constant that stands in for a missing series has no labels to split by.
            if binary.op == BinaryOp::Or && is_constant_vector(&binary.rhs) {
                return split(binary.lhs, label);
            }
            binary.lhs = split(binary.lhs, label);
            binary.rhs = split(binary.rhs, label);
            if let Some(matching) = &mut binary.matching {
                if matching.on {
                    add(&mut matching.labels, label);
                } else {
                    matching.labels.retain(|known| known != label);
                }
                if let Some((_, include)) = &mut matching.group {
                    include.retain(|known| known != label);
                }
            }
            Kind::Binary(binary)
        }
        Kind::Call(function, args) => {
            // These ask about all series at once.
            let whole = matches!(function.how, How::Scalar | How::Absent | How::AbsentOverTime);
            let args =
                if whole { args } else { args.into_iter().map(|arg| split(arg, label)).collect() };
            Kind::Call(function, args)
        }
        Kind::Subquery(mut subquery) => {
            subquery.expr = split(subquery.expr, label);
            Kind::Subquery(subquery)
        }
        Kind::Timed(mut timed) => {
            timed.expr = split(timed.expr, label);
            Kind::Timed(timed)
        }
        Kind::Negate(inner) => Kind::Negate(Box::new(split(*inner, label))),
        Kind::Plus(inner) => Kind::Plus(Box::new(split(*inner, label))),
        Kind::Paren(inner) => Kind::Paren(Box::new(split(*inner, label))),
        kind @ (Kind::Number(_) | Kind::Text(_) | Kind::Selector(_) | Kind::Range(..)) => kind,
    };
    Expr::new(kind, span)
}

fn is_constant_vector(expr: &Expr) -> bool {
    matches!(&expr.bare().kind, Kind::Call(function, args)
        if function.how == How::Vector
            && args.iter().all(|arg| matches!(arg.bare().kind, Kind::Number(_))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_of_a_ratio_keep_the_label() {
        assert_eq!(
            split_by("sum(rate(x[5m])) / sum(rate(y[5m]))", "route").unwrap(),
            "sum by (route) (rate(x[5m])) / sum by (route) (rate(y[5m]))"
        );
    }

    #[test]
    fn a_quantile_keeps_its_buckets() {
        assert_eq!(
            split_by("histogram_quantile(0.95, sum by (le) (rate(x_bucket[5m])))", "route")
                .unwrap(),
            "histogram_quantile(0.95, sum by (le, route) (rate(x_bucket[5m])))"
        );
    }

    #[test]
    fn matching_without_and_stand_ins_follow() {
        assert_eq!(
            split_by("sum by (a) (x) / on (a) sum without (route, b) (y)", "route").unwrap(),
            "sum by (a, route) (x) / on (a, route) sum without (b) (y)"
        );
        assert_eq!(
            split_by("(sum(x) or vector(0)) / sum(y)", "r").unwrap(),
            "(sum by (r) (x)) / sum by (r) (y)"
        );
        assert_eq!(split_by("topk(3, sum(x))", "r").unwrap(), "topk(3, sum by (r) (x))");
        assert_eq!(split_by("sum by (r) (x)", "r").unwrap(), "sum by (r) (x)");
        assert_eq!(split_by("rate(x[5m])", "r").unwrap(), "rate(x[5m])");
        assert_eq!(split_by("sum(x)", "http.route").unwrap(), r#"sum by ("http.route") (x)"#);
        assert!(split_by("sum(", "r").is_err());
    }
}
