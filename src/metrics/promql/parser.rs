//! Tokens to a tree, by operator precedence.

mod series;
#[cfg(test)]
mod tests;
mod time;

use super::ast::{
    Aggregate, Aggregation, Binary, BinaryOp, Expr, Extent, Group, Grouping, Kind, Matching, Span,
};
use super::build;
use super::functions;
use super::lexer::{Token, What, tokens};
use crate::domain::Num;

/// The longest expression that is read, in bytes.
pub const MAX_LENGTH: usize = 64 * 1024;
/// How deep brackets, signs and powers may be nested in one another.
const MAX_NESTING: u32 = 64;
/// So many regular expressions may stand in one expression: each takes up to
/// a few megabytes.
const MAX_REGEXES: usize = 64;
/// How many nodes may lie one below the other, chains of operators included.
const MAX_HEIGHT: u32 = 256;

/// Why an expression is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParseError {
    /// What is wrong, and where it helps what is allowed.
    pub message: String,
    /// Where it begins, in bytes.
    pub start: usize,
    /// Where it ends, in bytes.
    pub end: usize,
}

impl ParseError {
    pub(super) fn new(message: impl Into<String>, start: usize, end: usize) -> Self {
        Self { message: message.into(), start, end }
    }

    pub(super) fn at(message: impl Into<String>, span: Span) -> Self {
        Self::new(message, span.start, span.end)
    }
}

type Parsed<T> = Result<T, ParseError>;

/// Reads an expression and checks its types.
///
/// # Errors
/// The first mistake, with its place.
pub fn parse(text: &str) -> Parsed<Expr> {
    if text.len() > MAX_LENGTH {
        return Err(ParseError::new(
            format!("the expression has {} bytes; {MAX_LENGTH} are allowed", text.len()),
            0,
            text.len(),
        ));
    }
    let mut parser = Parser { text, tokens: tokens(text)?, next: 0, nesting: 0, regexes: 0 };
    if parser.peek().what == What::End {
        return Err(ParseError::new("the expression is empty", 0, text.len()));
    }
    let expr = parser.expression(0)?;
    if parser.peek().what != What::End {
        return Err(parser.unexpected("the end or an operator"));
    }
    Ok(expr)
}

fn node(kind: Kind, span: Span) -> Parsed<Expr> {
    let expr = Expr::new(kind, span);
    if expr.height > MAX_HEIGHT {
        return Err(ParseError::at(
            format!("more than {MAX_HEIGHT} operators are chained here"),
            span,
        ));
    }
    Ok(expr)
}

struct Parser<'t> {
    text: &'t str,
    tokens: Vec<Token>,
    next: usize,
    nesting: u32,
    regexes: usize,
}

impl<'t> Parser<'t> {
    fn peek(&self) -> &Token {
        self.ahead(0)
    }

    fn ahead(&self, by: usize) -> &Token {
        // The end is always the last token and is never passed.
        &self.tokens[(self.next + by).min(self.tokens.len() - 1)]
    }

    fn take(&mut self) -> Token {
        let token = self.peek().clone();
        self.next = (self.next + 1).min(self.tokens.len() - 1);
        token
    }

    /// Of the token before the one at hand.
    fn last_span(&self) -> Span {
        self.tokens[self.next.saturating_sub(1)].span
    }

    fn slice(&self, span: Span) -> &'t str {
        &self.text[span.start..span.end]
    }

    fn sees(&self, sign: &str) -> bool {
        self.sees_ahead(0, sign)
    }

    fn sees_ahead(&self, by: usize, sign: &str) -> bool {
        matches!(self.ahead(by).what, What::Sign(found) if found == sign)
    }

    /// The word at hand in lower case.
    fn word_ahead(&self, by: usize) -> Option<String> {
        let token = self.ahead(by);
        (token.what == What::Word).then(|| self.slice(token.span).to_ascii_lowercase())
    }

    fn takes(&mut self, sign: &str) -> bool {
        let seen = self.sees(sign);
        if seen {
            self.take();
        }
        seen
    }

    fn unexpected(&self, wanted: &str) -> ParseError {
        let token = self.peek();
        if token.what == What::End {
            return ParseError::at(format!("unexpected end, expected {wanted}"), token.span);
        }
        let found: String = self.slice(token.span).chars().take(40).collect();
        ParseError::at(format!("unexpected {found:?}, expected {wanted}"), token.span)
    }

    fn expect(&mut self, sign: &str, place: &str) -> Parsed<Span> {
        if self.sees(sign) {
            Ok(self.take().span)
        } else {
            Err(self.unexpected(&format!("{sign:?} {place}")))
        }
    }

    /// One level down, where there is one.
    fn deeper(&mut self) -> Parsed<()> {
        if self.nesting >= MAX_NESTING {
            let span = self.peek().span;
            return Err(ParseError::at(
                format!("brackets and signs are nested more than {MAX_NESTING} deep"),
                span,
            ));
        }
        self.nesting += 1;
        Ok(())
    }

    /// An expression whose operators bind at least as strongly as `weakest`.
    fn expression(&mut self, weakest: u8) -> Parsed<Expr> {
        self.deeper()?;
        let mut lhs = self.signed()?;
        while let Some(op) = self.operator() {
            if op.strength() < weakest {
                break;
            }
            let op_span = self.take().span;
            let (bool_result, matching) = self.modifiers(op, op_span)?;
            // Only ^ binds from the right.
            let side = if op == BinaryOp::Pow { op.strength() } else { op.strength() + 1 };
            let rhs = self.expression(side)?;
            let span = lhs.span.to(rhs.span);
            let binary = Binary { op, lhs, rhs, bool_result, matching };
            build::check_binary(&binary, op_span, span)?;
            lhs = node(Kind::Binary(Box::new(binary)), span)?;
        }
        self.nesting -= 1;
        Ok(lhs)
    }

    fn operator(&self) -> Option<BinaryOp> {
        Some(match &self.peek().what {
            What::Sign(sign) => match *sign {
                "+" => BinaryOp::Add,
                "-" => BinaryOp::Sub,
                "*" => BinaryOp::Mul,
                "/" => BinaryOp::Div,
                "%" => BinaryOp::Mod,
                "^" => BinaryOp::Pow,
                "==" => BinaryOp::Eq,
                "!=" => BinaryOp::Ne,
                ">" => BinaryOp::Gt,
                "<" => BinaryOp::Lt,
                ">=" => BinaryOp::Ge,
                "<=" => BinaryOp::Le,
                _ => return None,
            },
            What::Word => match self.word_ahead(0)?.as_str() {
                "and" => BinaryOp::And,
                "or" => BinaryOp::Or,
                "unless" => BinaryOp::Unless,
                "atan2" => BinaryOp::Atan2,
                _ => return None,
            },
            _ => return None,
        })
    }

    /// `bool`, `on`, `ignoring`, `group_left`, `group_right` after an operator.
    fn modifiers(&mut self, op: BinaryOp, op_span: Span) -> Parsed<(bool, Option<Matching>)> {
        let mut bool_result = false;
        if self.word_ahead(0).as_deref() == Some("bool") {
            let span = self.take().span;
            if !op.compares() {
                let message = "bool is only allowed after a comparison: == != > < >= <=";
                return Err(ParseError::at(message, op_span.to(span)));
            }
            bool_result = true;
        }
        let on = match self.word_ahead(0).as_deref() {
            Some("on") => true,
            Some("ignoring") => false,
            _ => {
                let fill = self.fill()?;
                let fills = fill != [None; 2];
                let matching = fills.then(|| Matching { fill, ..Matching::default() });
                return Ok((bool_result, matching));
            }
        };
        self.take();
        let labels = self.label_list()?;
        let mut matching = Matching { on, labels, ..Matching::default() };
        let group = match self.word_ahead(0).as_deref() {
            Some("group_left") => Some(Group::Left),
            Some("group_right") => Some(Group::Right),
            _ => None,
        };
        if let Some(group) = group {
            let span = self.take().span;
            let include = if self.sees("(") { self.label_list()? } else { Vec::new() };
            if op.is_set() {
                let message =
                    format!("{} always pairs many with many; no grouping is allowed", op.sign());
                return Err(ParseError::at(message, span));
            }
            if on && let Some(twice) = include.iter().find(|name| matching.labels.contains(name)) {
                let message = format!("label {twice:?} stands in both on and the group modifier");
                return Err(ParseError::at(message, span));
            }
            matching.group = Some((group, include));
        }
        matching.fill = self.fill()?;
        Ok((bool_result, Some(matching)))
    }

    /// `fill(0)`, `fill_left(0) fill_right(1)`: what stands in for missing series.
    fn fill(&mut self) -> Parsed<[Option<Num>; 2]> {
        let mut fill = [None; 2];
        while self.sees_ahead(1, "(") {
            let sides: &[usize] = match self.word_ahead(0).as_deref() {
                Some("fill") => &[0, 1],
                Some("fill_left") => &[0],
                Some("fill_right") => &[1],
                _ => break,
            };
            let span = self.take().span;
            if sides.iter().any(|side| fill[*side].is_some()) {
                return Err(ParseError::at("this side is filled already", span));
            }
            self.take();
            let negative = self.sees("-");
            if negative || self.sees("+") {
                self.take();
            }
            let value = match self.peek().what {
                What::Number(value) => value,
                What::Millis(millis) => millis as f64 / 1000.0,
                What::Word => match self.word_ahead(0).as_deref() {
                    Some("inf") => f64::INFINITY,
                    Some("nan") => f64::NAN,
                    _ => return Err(self.unexpected("a number to fill with")),
                },
                _ => return Err(self.unexpected("a number to fill with")),
            };
            self.take();
            self.expect(")", "after the number")?;
            for side in sides {
                fill[*side] = Some(Num(if negative { -value } else { value }));
            }
        }
        Ok(fill)
    }

    /// An operand with the signs before it.
    fn signed(&mut self) -> Parsed<Expr> {
        let negate = match self.peek().what {
            What::Sign("-") => true,
            What::Sign("+") => false,
            _ => return self.operand(),
        };
        let sign = self.take().span;
        // A sign binds weaker than ^ and as strongly as *.
        let inner = self.expression(BinaryOp::Pow.strength())?;
        let span = sign.to(inner.span);
        build::check_sign(&inner, span)?;
        let inner = Box::new(inner);
        node(if negate { Kind::Negate(inner) } else { Kind::Plus(inner) }, span)
    }

    /// A primary expression and what is appended to it.
    fn operand(&mut self) -> Parsed<Expr> {
        let mut expr = self.primary()?;
        loop {
            if self.sees("[") {
                expr = self.bracket(expr)?;
            } else if self.sees("@") {
                let at_span = self.take().span;
                let (at, span) = self.moment()?;
                expr = build::with_at(expr, at, at_span.to(span))?;
            } else {
                match self.word_ahead(0).as_deref() {
                    Some("offset") => {
                        let word = self.take().span;
                        let offset = self.offset()?;
                        expr = build::with_offset(expr, offset, word.to(self.last_span()))?;
                    }
                    Some("anchored") => {
                        let span = self.take().span;
                        expr = build::with_extent(expr, Extent::Anchored, span)?;
                    }
                    Some("smoothed") => {
                        let span = self.take().span;
                        expr = build::with_extent(expr, Extent::Smoothed, span)?;
                    }
                    _ => return Ok(expr),
                }
            }
        }
    }

    fn primary(&mut self) -> Parsed<Expr> {
        let token = self.peek().clone();
        let number = |value: f64| Kind::Number(Num(value));
        match token.what {
            What::Number(value) => {
                self.take();
                node(number(value), token.span)
            }
            What::Millis(millis) => {
                self.take();
                node(number(millis as f64 / 1000.0), token.span)
            }
            What::Text(text) => {
                self.take();
                node(Kind::Text(text), token.span)
            }
            What::Sign("(") => {
                self.take();
                let inner = self.expression(0)?;
                let close = self.expect(")", "to close the bracket")?;
                node(Kind::Paren(Box::new(inner)), token.span.to(close))
            }
            What::Sign("{") => self.selector(None, false, token.span),
            What::Word => self.named(token.span),
            _ => Err(self.unexpected("an expression")),
        }
    }

    /// What begins with a word: number, function, aggregation or metric.
    fn named(&mut self, span: Span) -> Parsed<Expr> {
        let name = self.slice(span);
        let lower = name.to_ascii_lowercase();
        match lower.as_str() {
            "inf" | "nan" => {
                self.take();
                let value = if lower == "inf" { f64::INFINITY } else { f64::NAN };
                return node(Kind::Number(Num(value)), span);
            }
            "bool" | "on" | "ignoring" | "group_left" | "group_right" | "atan2" => {
                return Err(self.unexpected("an expression"));
            }
            _ => {}
        }
        let after = self.word_ahead(1);
        let opens = self.sees_ahead(1, "(");
        if let Some((_, op)) = Aggregation::ALL.iter().find(|(known, _)| *known == lower)
            && (opens || matches!(after.as_deref(), Some("by" | "without")))
        {
            self.take();
            return self.aggregate(*op, span);
        }
        if !opens {
            self.take();
            return self.selector(Some(name), false, span);
        }
        let Some(function) = functions::find(name) else {
            return Err(ParseError::at(functions::unknown(name), span));
        };
        self.take();
        let (args, close) = self.arguments(function.name == "info")?;
        let span = span.to(close);
        build::check_call(function, &args, span)?;
        node(Kind::Call(function, args), span)
    }

    /// Those after the first of `info` say which labels are wanted: any selector will do.
    fn arguments(&mut self, of_info: bool) -> Parsed<(Vec<Expr>, Span)> {
        self.expect("(", "before the arguments")?;
        let mut args = Vec::new();
        if self.sees(")") {
            return Ok((args, self.take().span));
        }
        loop {
            let opens = self.peek().span;
            if of_info && args.len() == 1 && self.sees("{") {
                args.push(self.selector(None, true, opens)?);
                if !self.sees(",") && !self.sees(")") {
                    let message = "info takes nothing but conditions on labels here: {job=\"api\"}";
                    return Err(ParseError::at(message, opens.to(self.peek().span)));
                }
            } else {
                args.push(self.expression(0)?);
            }
            if self.sees(")") {
                return Ok((args, self.take().span));
            }
            let comma = self.expect(",", "or \")\" after the argument")?;
            if self.sees(")") {
                return Err(ParseError::at("a comma must be followed by an argument", comma));
            }
        }
    }

    fn aggregate(&mut self, op: Aggregation, start: Span) -> Parsed<Expr> {
        let mut grouping = self.grouping()?;
        let (mut args, close) = self.arguments(false)?;
        let mut span = start.to(close);
        if grouping.is_none() {
            grouping = self.grouping()?;
            if grouping.is_some() {
                span = start.to(self.last_span());
            }
        }
        let wanted = if op.param().is_some() { 2 } else { 1 };
        if args.len() != wanted {
            let message = format!("{} takes {wanted} argument(s), got {}", op.name(), args.len());
            return Err(ParseError::at(message, span));
        }
        let (Some(expr), param) = (args.pop(), args.pop()) else {
            return Err(ParseError::at("an argument is missing", span));
        };
        let aggregate = Aggregate { op, param, expr, grouping };
        build::check_aggregate(&aggregate)?;
        node(Kind::Aggregate(Box::new(aggregate)), span)
    }

    fn grouping(&mut self) -> Parsed<Option<Grouping>> {
        let without = match self.word_ahead(0).as_deref() {
            Some("by") => false,
            Some("without") => true,
            _ => return Ok(None),
        };
        self.take();
        Ok(Some(Grouping { without, labels: self.label_list()? }))
    }
}
