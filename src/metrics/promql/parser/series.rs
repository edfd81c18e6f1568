//! Selectors and lists of labels.

use super::{MAX_REGEXES, ParseError, Parsed, Parser, node};
use crate::metrics::Matcher;
use crate::metrics::promql::ast::{Expr, Kind, LabelMatch, MatchKind, Span};
use crate::metrics::promql::build;
use crate::metrics::promql::lexer::What;

impl Parser<'_> {
    /// `(a, "b c",)`
    pub(super) fn label_list(&mut self) -> Parsed<Vec<String>> {
        self.expect("(", "before the list of labels")?;
        let mut labels = Vec::new();
        loop {
            if self.takes(")") {
                return Ok(labels);
            }
            labels.push(self.label("in the list of labels")?);
            if !self.takes(",") && !self.sees(")") {
                return Err(self.unexpected("\",\" or \")\" in the list of labels"));
            }
        }
    }

    fn label(&mut self, place: &str) -> Parsed<String> {
        let token = self.peek().clone();
        let name = match token.what {
            What::Word => {
                let name = self.slice(token.span);
                if name.contains(':') {
                    return Err(ParseError::at(
                        format!("a label with a colon stands in quotes: \"{name}\""),
                        token.span,
                    ));
                }
                name.to_owned()
            }
            What::Text(name) if !name.is_empty() => name,
            _ => return Err(self.unexpected(&format!("a label {place}"))),
        };
        self.take();
        Ok(name)
    }

    /// A selector whose name, where it has one, is the token at hand before `{`.
    /// One that takes every series is refused unless `all` may be selected.
    pub(super) fn selector(&mut self, name: Option<&str>, all: bool, start: Span) -> Parsed<Expr> {
        let mut name = name.map(str::to_owned);
        let mut matches = Vec::new();
        let mut span = start;
        if self.takes("{") {
            loop {
                if self.sees("}") {
                    span = start.to(self.take().span);
                    break;
                }
                self.condition(&mut name, &mut matches)?;
                if !self.takes(",") && !self.sees("}") {
                    return Err(self.unexpected("\",\" or \"}\" after the condition"));
                }
            }
        }
        let selector = build::selector(name, matches, all, span)?;
        node(Kind::Selector(selector), span)
    }

    fn condition(
        &mut self,
        name: &mut Option<String>,
        into: &mut Vec<(LabelMatch, Matcher)>,
    ) -> Parsed<()> {
        let token = self.peek().clone();
        let label = self.label("in the braces")?;
        let kind = match self.peek().what {
            What::Sign("=") => MatchKind::Equal,
            What::Sign("!=") => MatchKind::NotEqual,
            What::Sign("=~") => MatchKind::Regex,
            What::Sign("!~") => MatchKind::NotRegex,
            What::Sign("," | "}") if matches!(token.what, What::Text(_)) => {
                if let Some(first) = name {
                    let message = format!("the metric has two names, {first:?} and {label:?}");
                    return Err(ParseError::at(message, token.span));
                }
                *name = Some(label);
                return Ok(());
            }
            _ => return Err(self.unexpected("one of = != =~ !~ after the label")),
        };
        self.take();
        let value = self.peek().clone();
        let What::Text(text) = value.what else {
            return Err(self.unexpected("a quoted text to compare the label with"));
        };
        self.take();
        if matches!(kind, MatchKind::Regex | MatchKind::NotRegex) {
            self.regexes += 1;
            if self.regexes > MAX_REGEXES {
                let message =
                    format!("more than {MAX_REGEXES} regular expressions in one expression");
                return Err(ParseError::at(message, value.span));
            }
        }
        let one = LabelMatch { name: label, kind, value: text };
        let matcher =
            build::matcher(&one).map_err(|message| ParseError::at(message, value.span))?;
        into.push((one, matcher));
        Ok(())
    }
}
