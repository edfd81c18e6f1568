//! Lengths of time that are computed: `[step() * 2]`, `offset (5m + 30s)`.

use super::ast::{BinaryOp, Expr, Kind, Span};
use super::eval::EvalError;
use crate::domain::Num;
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

/// A length of time as it was written.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Timing {
    /// So many seconds.
    Seconds(Num),
    /// `step()`
    Step,
    /// `range()`
    Range,
    /// `-a`
    Negate(Box<Self>),
    /// `a + b`
    Binary(BinaryOp, Box<Self>, Box<Self>),
    /// `min_of(a, b)`
    Least(Box<Self>, Box<Self>),
    /// `max_of(a, b)`
    Most(Box<Self>, Box<Self>),
}

/// What a length of time may ask of the query.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked {
    /// Seconds from step to step; zero at one instant.
    pub(super) step_s: f64,
    /// Seconds from the first step to the last.
    pub(super) range_s: f64,
}

impl Timing {
    /// Whether the query decides about it.
    pub(super) fn asks(&self) -> bool {
        match self {
            Self::Seconds(_) => false,
            Self::Step | Self::Range => true,
            Self::Negate(inner) => inner.asks(),
            Self::Binary(_, a, b) | Self::Least(a, b) | Self::Most(a, b) => a.asks() || b.asks(),
        }
    }

    fn seconds(&self, asked: Asked) -> Result<f64, String> {
        Ok(match self {
            Self::Seconds(value) => value.0,
            Self::Step => asked.step_s,
            Self::Range => asked.range_s,
            Self::Negate(inner) => -inner.seconds(asked)?,
            Self::Least(a, b) => a.seconds(asked)?.min(b.seconds(asked)?),
            Self::Most(a, b) => a.seconds(asked)?.max(b.seconds(asked)?),
            Self::Binary(op, a, b) => {
                let (a, b) = (a.seconds(asked)?, b.seconds(asked)?);
                match op {
                    BinaryOp::Add => a + b,
                    BinaryOp::Sub => a - b,
                    BinaryOp::Mul => a * b,
                    BinaryOp::Div | BinaryOp::Mod if b == 0.0 => {
                        return Err("the duration is divided by zero".to_owned());
                    }
                    BinaryOp::Div => a / b,
                    BinaryOp::Mod => a % b,
                    _ => a.powf(b),
                }
            }
        })
    }

    /// In milliseconds; `signed` where it may be zero or less.
    pub(super) fn millis(&self, asked: Asked, signed: bool) -> Result<i64, String> {
        let millis = super::build::millis_of(self.seconds(asked)?)
            .filter(|millis| millis.unsigned_abs() <= LONGEST_MS)
            .ok_or("the duration is out of range")?;
        if signed || millis > 0 {
            return Ok(millis);
        }
        let hint = if self.asks() { "; step() and range() are 0 at one instant" } else { "" };
        Err(format!("the duration must be greater than 0{hint}"))
    }
}

/// The longest duration, that of Go.
pub(super) const LONGEST_MS: u64 = i64::MAX.unsigned_abs() / 1_000_000;

impl fmt::Display for Timing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seconds(value) if value.0 < 0.0 => {
                f.write_str("(")?;
                super::print::number(f, *value)?;
                f.write_str(")")
            }
            Self::Seconds(value) => super::print::number(f, *value),
            Self::Step => f.write_str("step()"),
            Self::Range => f.write_str("range()"),
            Self::Negate(inner) => write!(f, "-({inner})"),
            Self::Binary(op, a, b) => write!(f, "({a} {} {b})", op.sign()),
            Self::Least(a, b) => write!(f, "min_of({a}, {b})"),
            Self::Most(a, b) => write!(f, "max_of({a}, {b})"),
        }
    }
}

/// A length of time that the query decides about, and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) timing: Timing,
    pub(super) span: Span,
}

impl PartialEq for Written {
    fn eq(&self, other: &Self) -> bool {
        self.timing == other.timing
    }
}

/// A selector, range or subquery, and the lengths of time in it that the query
/// decides about; in the expression itself something stands in for them.
#[derive(Clone, Debug, PartialEq)]
pub struct Timed {
    pub(super) expr: Expr,
    pub(super) range: Option<Written>,
    pub(super) step: Option<Written>,
    pub(super) offset: Option<Written>,
}

impl Timed {
    /// The expression, each length of time as the query has it.
    fn settled(&self, asked: Asked) -> Result<Expr, EvalError> {
        let millis = |written: &Option<Written>, signed: bool| match written {
            None => Ok(None),
            Some(written) => match written.timing.millis(asked, signed) {
                Ok(millis) => Ok(Some(millis)),
                Err(message) => Err(EvalError { message, span: written.span }),
            },
        };
        let positive = |written: &Option<Written>| {
            millis(written, false).map(|it| it.map(|ms| Duration::from_millis(ms.unsigned_abs())))
        };
        let (new_range, new_step) = (positive(&self.range)?, positive(&self.step)?);
        let offset = millis(&self.offset, true)?;
        let mut expr = settle(&self.expr, asked)?;
        let shift = match &mut expr.kind {
            Kind::Selector(selector) => &mut selector.shift,
            Kind::Range(selector, range) => {
                *range = new_range.unwrap_or(*range);
                &mut selector.shift
            }
            Kind::Subquery(subquery) => {
                subquery.range = new_range.unwrap_or(subquery.range);
                subquery.step = new_step.or(subquery.step);
                &mut subquery.shift
            }
            _ => return Ok(expr),
        };
        shift.offset_ms = offset.or(shift.offset_ms);
        Ok(expr)
    }
}

fn is_timed(expr: &Expr) -> bool {
    matches!(expr.kind, Kind::Timed(_)) || expr.children().any(is_timed)
}

/// The expression with each length of time as the query has it.
pub(super) fn settled(expr: &Expr, asked: Asked) -> Result<Cow<'_, Expr>, EvalError> {
    if is_timed(expr) { settle(expr, asked).map(Cow::Owned) } else { Ok(Cow::Borrowed(expr)) }
}

fn settle(expr: &Expr, asked: Asked) -> Result<Expr, EvalError> {
    let boxed = |inner: &Expr| settle(inner, asked).map(Box::new);
    let kind = match &expr.kind {
        Kind::Timed(timed) => return timed.settled(asked),
        Kind::Subquery(subquery) => {
            let mut new = subquery.clone();
            new.expr = settle(&subquery.expr, asked)?;
            Kind::Subquery(new)
        }
        Kind::Call(function, args) => {
            let args: Result<Vec<Expr>, EvalError> =
                args.iter().map(|arg| settle(arg, asked)).collect();
            Kind::Call(function, args?)
        }
        Kind::Aggregate(aggregate) => {
            let mut new = aggregate.clone();
            new.expr = settle(&aggregate.expr, asked)?;
            new.param = match &aggregate.param {
                Some(param) => Some(settle(param, asked)?),
                None => None,
            };
            Kind::Aggregate(new)
        }
        Kind::Binary(binary) => {
            let mut new = binary.clone();
            new.lhs = settle(&binary.lhs, asked)?;
            new.rhs = settle(&binary.rhs, asked)?;
            Kind::Binary(new)
        }
        Kind::Negate(inner) => Kind::Negate(boxed(inner)?),
        Kind::Plus(inner) => Kind::Plus(boxed(inner)?),
        Kind::Paren(inner) => Kind::Paren(boxed(inner)?),
        kind @ (Kind::Number(_) | Kind::Text(_) | Kind::Selector(_) | Kind::Range(..)) => {
            kind.clone()
        }
    };
    Ok(Expr::new(kind, expr.span))
}
