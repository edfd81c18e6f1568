//! What to be wary of in an answer, in the words of Prometheus, with its place.

use super::ast::Span;
use std::fmt;

/// A warning or a hint, and what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotation {
    /// In words, as Prometheus has them: `PromQL info: metric might not be a counter …`.
    pub message: String,
    /// Which part of the expression it is about.
    pub span: Span,
}

impl Annotation {
    /// In words, with line and column in `text`: `PromQL info: … (1:6)`.
    pub fn placed(&self, text: &str) -> String {
        let before = &text[..text.floor_char_boundary(self.span.start)];
        let line = 1 + before.matches('\n').count();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        format!("{} ({line}:{})", self.message, before.len() - line_start + 1)
    }
}

impl fmt::Display for Annotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// So many of each kind are kept.
const KEPT: usize = 10;

/// Those of an evaluation, each once.
#[derive(Debug, Default)]
pub(super) struct Annotations {
    pub(super) warnings: Vec<Annotation>,
    pub(super) infos: Vec<Annotation>,
}

impl Annotations {
    pub(super) fn warn(&mut self, message: &str, span: Span) {
        add(&mut self.warnings, format!("PromQL warning: {message}"), span);
    }

    pub(super) fn inform(&mut self, message: &str, span: Span) {
        add(&mut self.infos, format!("PromQL info: {message}"), span);
    }
}

fn add(all: &mut Vec<Annotation>, message: String, span: Span) {
    let new = Annotation { message, span };
    // A few say it all; one for each of 10,000 series says nothing.
    if all.len() < KEPT && !all.contains(&new) {
        all.push(new);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_line_and_column() {
        let at = |start: usize, text: &str| {
            let span = Span { start, end: start + 1 };
            Annotation { message: "x".to_owned(), span }.placed(text)
        };
        assert_eq!(at(5, "rate(x[5m])"), "x (1:6)");
        assert_eq!(at(6, "1 +\n  y"), "x (2:3)");
        assert_eq!(at(9, ""), "x (1:1)");
    }
}
