//! Ranges, offsets and moments.

use super::{ParseError, Parsed, Parser, node};
use crate::metrics::promql::ast::{At, Expr, Span};
use crate::metrics::promql::build::{self, Brackets};
use crate::metrics::promql::lexer::What;

impl Parser<'_> {
    /// `[5m]` or `[1h:1m]` after `expr`.
    pub(super) fn bracket(&mut self, expr: Expr) -> Parsed<Expr> {
        let open = self.take().span;
        let range = self.millis("as the range")?;
        let is_subquery = self.takes(":");
        let has_step = is_subquery && !self.sees("]");
        let step = if has_step { Some(self.millis("as the step")?) } else { None };
        let close = self.expect("]", "to close the range")?;
        let brackets = Brackets { range, is_subquery, step, span: open.to(close) };
        let expr = build::with_brackets(expr, &brackets)?;
        node(expr.kind, expr.span)
    }

    /// A duration that must be there and above zero, in milliseconds.
    fn millis(&mut self, place: &str) -> Parsed<i64> {
        let (millis, span) = self.signed_millis(place)?;
        if millis <= 0 {
            return Err(ParseError::at("the duration must be greater than 0", span));
        }
        Ok(millis)
    }

    pub(super) fn signed_millis(&mut self, place: &str) -> Parsed<(i64, Span)> {
        let start = self.peek().span;
        let negative = self.sees("-");
        if negative || self.sees("+") {
            self.take();
        }
        let token = self.peek().clone();
        let millis = match token.what {
            What::Millis(millis) => millis,
            What::Number(seconds) => build::millis_of(seconds)
                .filter(|millis| millis.abs() <= i64::MAX / 1_000_000)
                .ok_or_else(|| ParseError::at("the duration is out of range", token.span))?,
            What::Sign("(") => {
                let message = "arithmetic on durations is not supported";
                return Err(ParseError::at(message, token.span));
            }
            What::Word if self.sees_ahead(1, "(") => {
                let message = "functions in durations are not supported";
                return Err(ParseError::at(message, token.span));
            }
            _ => return Err(self.unexpected(&format!("a duration such as 5m {place}"))),
        };
        self.take();
        if let What::Sign("+" | "-" | "*" | "/" | "%" | "^") = self.peek().what
            && place != "after offset"
        {
            let message = "arithmetic on durations is not supported";
            return Err(ParseError::at(message, self.peek().span));
        }
        Ok((if negative { -millis } else { millis }, start.to(token.span)))
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
