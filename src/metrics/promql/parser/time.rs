//! Ranges, offsets and moments.

use super::{ParseError, Parsed, Parser, node};
use crate::domain::Num;
use crate::metrics::promql::ast::{At, BinaryOp, Expr, Span};
use crate::metrics::promql::build::{self, Brackets, Length};
use crate::metrics::promql::lexer::What;
use crate::metrics::promql::timing::{Asked, LONGEST_MS, Timing, Written};

impl Parser<'_> {
    /// `[5m]` or `[1h:1m]` after `expr`.
    pub(super) fn bracket(&mut self, expr: Expr) -> Parsed<Expr> {
        let open = self.take().span;
        let range = self.length("as the range")?;
        let is_subquery = self.takes(":");
        let has_step = is_subquery && !self.sees("]");
        let step = if has_step { Some(self.length("as the step")?) } else { None };
        let close = self.expect("]", "to close the range")?;
        let brackets = Brackets { range, is_subquery, step, span: open.to(close) };
        let expr = build::with_brackets(expr, brackets)?;
        node(expr.kind, expr.span)
    }

    /// A duration above zero.
    fn length(&mut self, place: &str) -> Parsed<Length> {
        let (timing, span) = self.timing(0, place)?;
        if let Timing::Seconds(Num(seconds)) = timing
            && seconds <= 0.0
        {
            return Err(ParseError::at("the duration must be greater than 0", span));
        }
        settled(timing, span, false)
    }

    /// What stands after `offset`: a duration with a sign, or one in brackets.
    pub(super) fn offset(&mut self) -> Parsed<Length> {
        let start = self.peek().span;
        let negative = self.sees("-");
        if negative || self.sees("+") {
            self.take();
        }
        let (timing, span) = self.timing_atom("after offset")?;
        let timing = if negative { negated(timing) } else { timing };
        settled(timing, start.to(span), true)
    }

    /// A duration whose operators bind at least as strongly as `weakest`.
    fn timing(&mut self, weakest: u8, place: &str) -> Parsed<(Timing, Span)> {
        let nesting = self.nesting;
        self.deeper()?;
        let start = self.peek().span;
        let (mut lhs, mut span) = if self.sees("-") || self.sees("+") {
            let negative = self.sees("-");
            self.take();
            let (inner, end) = self.timing(BinaryOp::Pow.strength(), place)?;
            (if negative { negated(inner) } else { inner }, start.to(end))
        } else {
            self.timing_atom(place)?
        };
        while let Some(op) = self.operator().filter(|op| {
            matches!(
                op,
                BinaryOp::Add
                    | BinaryOp::Sub
                    | BinaryOp::Mul
                    | BinaryOp::Div
                    | BinaryOp::Mod
                    | BinaryOp::Pow
            )
        }) {
            if op.strength() < weakest {
                break;
            }
            let op_span = self.take().span;
            let side = if op == BinaryOp::Pow { op.strength() } else { op.strength() + 1 };
            let (rhs, end) = self.timing(side, place)?;
            let divides = matches!(op, BinaryOp::Div | BinaryOp::Mod);
            if divides && matches!(rhs, Timing::Seconds(Num(value)) if value == 0.0) {
                return Err(ParseError::at("the duration is divided by zero", op_span));
            }
            // A chain is as deep as it is long.
            self.deeper()?;
            lhs = Timing::Binary(op, Box::new(lhs), Box::new(rhs));
            span = span.to(end);
        }
        self.nesting = nesting;
        Ok((lhs, span))
    }

    fn timing_atom(&mut self, place: &str) -> Parsed<(Timing, Span)> {
        let token = self.peek().clone();
        let timing = match token.what {
            What::Millis(millis) => Timing::Seconds(Num(millis as f64 / 1000.0)),
            What::Number(seconds) => {
                build::millis_of(seconds)
                    .filter(|millis| millis.unsigned_abs() <= LONGEST_MS)
                    .ok_or_else(|| ParseError::at("the duration is out of range", token.span))?;
                Timing::Seconds(Num(seconds))
            }
            What::Sign("(") => {
                self.take();
                let (inner, _) = self.timing(0, place)?;
                let close = self.expect(")", "to close the bracket")?;
                return Ok((inner, token.span.to(close)));
            }
            What::Word if self.sees_ahead(1, "(") => return self.timing_call(token.span),
            _ => return Err(self.unexpected(&format!("a duration such as 5m {place}"))),
        };
        self.take();
        Ok((timing, token.span))
    }

    /// `step()`, `range()`, `min_of(a, b)`, `max_of(a, b)`
    fn timing_call(&mut self, start: Span) -> Parsed<(Timing, Span)> {
        let word = self.word_ahead(0).unwrap_or_default();
        if !matches!(word.as_str(), "step" | "range" | "min_of" | "max_of" | "min" | "max") {
            let message =
                "a duration is computed with step(), range(), min_of(a, b) and max_of(a, b) only";
            return Err(ParseError::at(message, start));
        }
        self.take();
        self.take();
        if matches!(word.as_str(), "step" | "range") {
            let close = self.expect(")", "since it takes nothing")?;
            let timing = if word == "step" { Timing::Step } else { Timing::Range };
            return Ok((timing, start.to(close)));
        }
        let (one, _) = self.timing(0, "as the first argument")?;
        self.expect(",", "between the two durations")?;
        let (other, _) = self.timing(0, "as the second argument")?;
        let close = self.expect(")", "after the second duration")?;
        let (one, other) = (Box::new(one), Box::new(other));
        let least = word.starts_with("min");
        let timing = if least { Timing::Least(one, other) } else { Timing::Most(one, other) };
        Ok((timing, start.to(close)))
    }

    /// What stands after `@`.
    pub(super) fn moment(&mut self) -> Parsed<(At, Span)> {
        let start = self.peek().span;
        if let Some(word @ ("start" | "end")) = self.word_ahead(0).as_deref() {
            let at = if word == "start" { At::Start } else { At::End };
            self.take();
            self.expect("(", "after the name")?;
            let close = self.expect(")", "since it takes nothing")?;
            return Ok((at, start.to(close)));
        }
        let negative = self.sees("-");
        if negative || self.sees("+") {
            self.take();
        }
        let token = self.peek().clone();
        let seconds = match token.what {
            What::Number(seconds) => seconds,
            What::Millis(millis) => millis as f64 / 1000.0,
            What::Word => match self.word_ahead(0).as_deref() {
                Some("inf") => f64::INFINITY,
                Some("nan") => f64::NAN,
                _ => return Err(self.unexpected("a time in seconds, start() or end() after @")),
            },
            _ => return Err(self.unexpected("a time in seconds, start() or end() after @")),
        };
        let span = start.to(token.span);
        let seconds = if negative { -seconds } else { seconds };
        let millis = build::millis_of(seconds)
            .ok_or_else(|| ParseError::at("the time after @ is out of range", span))?;
        self.take();
        Ok((At::Millis(millis), span))
    }
}

fn negated(timing: Timing) -> Timing {
    match timing {
        Timing::Seconds(Num(value)) => Timing::Seconds(Num(-value)),
        other => Timing::Negate(Box::new(other)),
    }
}

/// Computed at once where the query does not decide about it.
fn settled(timing: Timing, span: Span, signed: bool) -> Parsed<Length> {
    match (timing.millis(Asked::default(), signed), &timing) {
        (Ok(millis), timing) if !timing.asks() => Ok(Length { millis, of_query: None }),
        (Err(message), Timing::Seconds(_)) => Err(ParseError::at(message, span)),
        // What stands in for it is never evaluated.
        (found, _) => {
            let millis = found.unwrap_or(1);
            Ok(Length { millis, of_query: Some(Written { timing, span }) })
        }
    }
}
