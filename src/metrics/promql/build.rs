//! What may be put together with what: selectors, ranges, types of arguments.

use super::ast::{
    Aggregate, At, Binary, Expr, Extent, Kind, LabelMatch, MatchKind, Selector, Shift, Span,
    Subquery, Type,
};
use super::functions::Function;
use super::parser::ParseError;
use super::timing::{Timed, Written};
use crate::domain::labels::METRIC_NAME;
use crate::metrics::{MatchOp, Matcher};
use std::time::Duration;

type Checked = Result<(), ParseError>;

/// The most that one regular expression may take when compiled, in bytes.
const REGEX_SIZE: usize = 1 << 20;

/// Compiles a regular expression as label matchers take it: anchored, `.` matches newlines.
pub(super) fn regex(pattern: &str) -> Result<regex::Regex, String> {
    // By itself, too: what is put around it must not close its groups.
    let pattern = super::pattern::of_go(pattern)
        .and_then(|_| super::pattern::of_go(&format!("^(?s:{pattern})$")))
        .map_err(|words| format!("the regular expression is broken: {words}"))?;
    regex::RegexBuilder::new(&pattern).size_limit(REGEX_SIZE).build().map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "the regular expression is too large".to_owned(),
        error => {
            // The last line of the parser's message says what is wrong.
            let text = error.to_string();
            let last = text.lines().last().unwrap_or_default().trim();
            let last = last.strip_prefix("error: ").unwrap_or(last);
            format!("the regular expression is broken: {last}")
        }
    })
}

/// Seconds in whole milliseconds, where they fit.
pub(super) fn millis_of(seconds: f64) -> Option<i64> {
    let millis = (seconds * 1000.0).round();
    #[expect(clippy::cast_possible_truncation, reason = "held against the limits before")]
    (millis.abs() < i64::MAX as f64).then_some(millis as i64)
}

fn whole(millis: i64) -> Duration {
    Duration::from_millis(millis.unsigned_abs())
}

/// A condition, ready for a storage; an error in words.
pub(super) fn matcher(one: &LabelMatch) -> Result<Matcher, String> {
    let value = one.value.clone();
    let op = match one.kind {
        MatchKind::Equal => MatchOp::Equal(value),
        MatchKind::NotEqual => MatchOp::NotEqual(value),
        MatchKind::Regex => MatchOp::Regex(regex(&value)?),
        MatchKind::NotRegex => MatchOp::NotRegex(regex(&value)?),
    };
    Ok(Matcher { name: one.name.clone(), op })
}

/// A selector, if it selects less than everything or `all` may be selected.
pub(super) fn selector(
    name: Option<String>,
    conditions: Vec<(LabelMatch, Matcher)>,
    all: bool,
    span: Span,
) -> Result<Selector, ParseError> {
    let (written, conditions): (Vec<_>, Vec<_>) = conditions.into_iter().unzip();
    if let Some(first) = &name
        && let Some(second) = written.iter().find(|one: &&LabelMatch| one.name == METRIC_NAME)
    {
        let message = format!("the metric has two names, {first:?} and {:?}", second.value);
        return Err(ParseError::at(message, span));
    }
    let by_name = name
        .iter()
        .map(|name| Matcher { name: METRIC_NAME.to_owned(), op: MatchOp::Equal(name.clone()) });
    let matchers: Vec<Matcher> = by_name.chain(conditions).collect();
    if !all && matchers.iter().all(|matcher| matcher.matches("")) {
        let message = "the selector would take every series; at least one condition must not match an empty value";
        return Err(ParseError::at(message, span));
    }
    Ok(Selector {
        name,
        matches: written,
        shift: Shift::default(),
        extent: Extent::Plain,
        matchers: matchers.into(),
    })
}

/// A length of time, and how it was written where the query decides about it.
pub(super) struct Length {
    pub(super) millis: i64,
    pub(super) of_query: Option<Written>,
}

/// What stands in brackets after an expression.
pub(super) struct Brackets {
    pub(super) range: Length,
    pub(super) is_subquery: bool,
    /// The step of a subquery; the engine's where it is not written.
    pub(super) step: Option<Length>,
    pub(super) span: Span,
}

/// `expr`, with what the query decides about beside it.
fn timed(
    expr: Expr,
    range: Option<Written>,
    step: Option<Written>,
    offset: Option<Written>,
) -> Expr {
    let span = expr.span;
    let mut timed = match expr.kind {
        Kind::Timed(timed) => timed,
        _ if range.is_none() && step.is_none() && offset.is_none() => return expr,
        _ => Box::new(Timed { expr, range: None, step: None, offset: None }),
    };
    timed.range = range.or(timed.range);
    timed.step = step.or(timed.step);
    timed.offset = offset.or(timed.offset);
    Expr::new(Kind::Timed(timed), span)
}

/// `expr[5m]` or `expr[1h:1m]`
pub(super) fn with_brackets(expr: Expr, brackets: Brackets) -> Result<Expr, ParseError> {
    let span = expr.span.to(brackets.span);
    let range = whole(brackets.range.millis);
    if brackets.is_subquery {
        let found = expr.value_type();
        if found != Type::Vector {
            let message =
                format!("a subquery is only allowed on an instant vector, got {}", found.name());
            return Err(ParseError::at(message, span));
        }
        let step = brackets.step.as_ref().map(|step| whole(step.millis));
        let subquery = Subquery { expr, range, step, shift: Shift::default() };
        let expr = Expr::new(Kind::Subquery(Box::new(subquery)), span);
        let step = brackets.step.and_then(|step| step.of_query);
        return Ok(timed(expr, brackets.range.of_query, step, None));
    }
    let inner = match expr.kind {
        Kind::Timed(timed) => timed.expr.kind,
        kind => kind,
    };
    let Kind::Selector(selector) = inner else {
        let message =
            "a range is only allowed on a selector; for other expressions write a subquery: [5m:]";
        return Err(ParseError::at(message, brackets.span));
    };
    for (there, word) in
        [(selector.shift.offset_ms.is_some(), "offset"), (selector.shift.at.is_some(), "@")]
    {
        if there {
            let message = format!("{word} stands after the range, not before it");
            return Err(ParseError::at(message, brackets.span));
        }
    }
    let expr = Expr::new(Kind::Range(selector, range), span);
    Ok(timed(expr, brackets.range.of_query, None, None))
}

fn shift_of(expr: &mut Expr) -> Option<&mut Shift> {
    match &mut expr.kind {
        Kind::Selector(selector) | Kind::Range(selector, _) => Some(&mut selector.shift),
        Kind::Subquery(subquery) => Some(&mut subquery.shift),
        Kind::Timed(timed) => shift_of(&mut timed.expr),
        _ => None,
    }
}

/// `expr offset 5m`
pub(super) fn with_offset(mut expr: Expr, offset: Length, span: Span) -> Result<Expr, ParseError> {
    let Some(shift) = shift_of(&mut expr) else {
        let message = "offset is only allowed after a selector, a range or a subquery";
        return Err(ParseError::at(message, span));
    };
    if shift.offset_ms.is_some() {
        return Err(ParseError::at("offset is set twice", span));
    }
    shift.offset_ms = Some(offset.millis);
    expr.span = expr.span.to(span);
    Ok(timed(expr, None, None, offset.of_query))
}

/// `expr anchored`, `expr smoothed`
pub(super) fn with_extent(mut expr: Expr, extent: Extent, span: Span) -> Result<Expr, ParseError> {
    let place = match &mut expr.kind {
        Kind::Timed(timed) => &mut timed.expr.kind,
        kind => kind,
    };
    let word = extent.word();
    let (Kind::Selector(selector) | Kind::Range(selector, _)) = place else {
        let message = format!("{word} is only allowed after a selector or a range");
        return Err(ParseError::at(message, span));
    };
    if selector.extent != Extent::Plain && selector.extent != extent {
        let message = "anchored and smoothed cannot be used together";
        return Err(ParseError::at(message, span));
    }
    selector.extent = extent;
    expr.span = expr.span.to(span);
    Ok(expr)
}

/// `expr @ 123`
pub(super) fn with_at(mut expr: Expr, at: At, span: Span) -> Result<Expr, ParseError> {
    let Some(shift) = shift_of(&mut expr) else {
        let message = "@ is only allowed after a selector, a range or a subquery";
        return Err(ParseError::at(message, span));
    };
    if shift.at.is_some() {
        return Err(ParseError::at("@ is set twice", span));
    }
    shift.at = Some(at);
    expr.span = expr.span.to(span);
    Ok(expr)
}

/// A sign stands before numbers and instant vectors only.
pub(super) fn check_sign(inner: &Expr, span: Span) -> Checked {
    let found = inner.value_type();
    if matches!(found, Type::Scalar | Type::Vector) {
        return Ok(());
    }
    let message =
        format!("a sign is only allowed before a scalar or instant vector, got {}", found.name());
    Err(ParseError::at(message, span))
}

/// Types and modifiers of an operator's two sides.
pub(super) fn check_binary(binary: &Binary, op_span: Span, span: Span) -> Checked {
    let (lhs, rhs) = (binary.lhs.value_type(), binary.rhs.value_type());
    let sign = binary.op.sign();
    for (found, side) in [(lhs, &binary.lhs), (rhs, &binary.rhs)] {
        if !matches!(found, Type::Scalar | Type::Vector) {
            let message = format!("{sign} takes scalars and instant vectors, got {}", found.name());
            return Err(ParseError::at(message, side.span));
        }
    }
    let scalar = lhs == Type::Scalar || rhs == Type::Scalar;
    if binary.op.is_set() && scalar {
        return Err(ParseError::at(format!("{sign} is not allowed with a scalar"), span));
    }
    if let Some(matching) = &binary.matching {
        let fills = matching.fill != [None; 2];
        if scalar && !matching.labels.is_empty() {
            let message = "on and ignoring are only allowed between instant vectors";
            return Err(ParseError::at(message, span));
        }
        if fills && (scalar || binary.op.is_set()) {
            let message = format!(
                "fill is not allowed here: {sign} with {}",
                if scalar {
                    "a scalar has no series that could be missing"
                } else {
                    "sets of series needs no values"
                }
            );
            return Err(ParseError::at(message, span));
        }
    }
    if binary.op.compares() && !binary.bool_result && lhs == Type::Scalar && rhs == Type::Scalar {
        let message = format!("between scalars a comparison must be written {sign} bool");
        return Err(ParseError::at(message, op_span));
    }
    Ok(())
}

fn check_type(wanted: Type, arg: &Expr, of: &str) -> Checked {
    let found = arg.value_type();
    if found == wanted {
        return Ok(());
    }
    let hint = match (wanted, found) {
        (Type::Matrix, Type::Vector) => match arg.kind {
            Kind::Selector(_) => "; add a range such as [5m]",
            _ => "; add a subquery range such as [5m:]",
        },
        _ => "",
    };
    let message = format!("{of} takes {} here, got {}{hint}", wanted.name(), found.name());
    Err(ParseError::at(message, arg.span))
}

/// Number and types of a function's arguments.
pub(super) fn check_call(function: &Function, args: &[Expr], span: Span) -> Checked {
    let most = function.args.len();
    let least = most - function.optional;
    if args.len() < least || (args.len() > most && !function.repeats) {
        let wanted = match (function.repeats, least == most) {
            (true, _) => format!("at least {least}"),
            (false, true) => format!("{most}"),
            (false, false) => format!("{least} to {most}"),
        };
        let message = format!("{} takes {wanted} argument(s), got {}", function.name, args.len());
        return Err(ParseError::at(message, span));
    }
    for (at, arg) in args.iter().enumerate() {
        let Some(wanted) = function.args.get(at).or(function.args.last()) else {
            continue;
        };
        check_type(*wanted, arg, function.name)?;
    }
    if function.name == "info"
        && let Some(labels) = args.get(1)
        && !matches!(labels.kind, Kind::Selector(_))
    {
        return Err(ParseError::at(
            "info takes a selector such as {job=\"api\"} here",
            labels.span,
        ));
    }
    Ok(())
}

/// Types of what is aggregated and of the parameter.
pub(super) fn check_aggregate(aggregate: &Aggregate) -> Checked {
    check_type(Type::Vector, &aggregate.expr, aggregate.op.name())?;
    match (aggregate.op.param(), &aggregate.param) {
        (Some(wanted), Some(param)) => check_type(wanted, param, aggregate.op.name()),
        _ => Ok(()),
    }
}
