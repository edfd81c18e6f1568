//! Mistakes in a config: all of them, each with its place.

use std::ops::Range;

/// Bytes of the file, from and up to.
pub type Span = Range<usize>;

/// How many mistakes are kept; of the others only the number is.
pub const KEPT: usize = 100;

/// Something in the file that is wrong, or unwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where.
    pub span: Span,
    /// What is wrong, in one line.
    pub message: String,
    /// What is allowed, or meant, or to be done.
    pub help: Option<String>,
    /// Only unwise: the config counts all the same.
    pub advisory: bool,
}

/// All mistakes of one file.
#[derive(Clone, Debug, Default)]
pub struct Mistakes {
    kept: Vec<Mistake>,
    wrong: usize,
    unwise: usize,
    hidden: Vec<Span>,
}

impl Mistakes {
    /// Something is wrong at `span`.
    pub fn wrong(&mut self, span: Span, message: impl Into<String>) {
        self.put(span, message.into(), None, false);
    }

    /// Something is wrong at `span`, and this is what helps.
    pub fn wrong_but(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.put(span, message.into(), Some(help.into()), false);
    }

    /// Something at `span` is allowed and unwise.
    pub fn unwise(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.put(span, message.into(), Some(help.into()), true);
    }

    /// The text at `span` is never to be shown.
    pub fn hide(&mut self, span: Span) {
        self.hidden.push(span);
    }

    fn put(&mut self, span: Span, message: String, help: Option<String>, advisory: bool) {
        let count = if advisory { &mut self.unwise } else { &mut self.wrong };
        *count += 1;
        if *count <= KEPT {
            let clean = |text: String| crate::domain::harmless(&text).into_owned();
            let (message, help) = (clean(message), help.map(clean));
            self.kept.push(Mistake { span, message, help, advisory });
        }
    }

    /// Whether nothing is wrong; advisories do not count.
    pub fn is_empty(&self) -> bool {
        self.wrong == 0
    }

    /// How many mistakes there are in all, advisories aside.
    pub fn len(&self) -> usize {
        self.wrong
    }

    /// How many advisories there are in all.
    pub fn advisories(&self) -> usize {
        self.unwise
    }

    /// Those that were kept, in the order of the file.
    pub fn in_order(&self) -> Vec<&Mistake> {
        let mut all: Vec<&Mistake> = self.kept.iter().collect();
        all.sort_by_key(|mistake| (mistake.advisory, mistake.span.start));
        all
    }

    /// What of the file is never to be shown.
    pub fn hidden(&self) -> &[Span] {
        &self.hidden
    }
}
