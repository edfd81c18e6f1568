//! What may stand where the cursor is, by a tolerant look at the text: an
//! expression that is being typed is hardly ever whole.

use super::lexed::{Lexed, Sort, lexed};
use crate::metrics::promql::functions;
use crate::store::{SeriesOf, Sought};

/// What may stand at the cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) what: What,
    /// What is typed of it so far, without quotes and escapes.
    pub(crate) typed: String,
    /// The bytes that it stands in.
    pub(crate) from: usize,
    pub(crate) until: usize,
    /// The metric that the cursor is at.
    pub(crate) metric: Option<String>,
}

/// A kind of thing that may stand somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A metric, a function, an aggregation; words that begin with it.
    Operand(&'static [&'static str]),
    /// A word that goes on after an operand.
    Word(&'static [&'static str]),
    /// A metric's name in quotes, in braces.
    QuotedMetric(char),
    /// A label's name, in these quotes where it is in some.
    Label { of: SeriesOf, quote: Option<char> },
    /// A label's value, in these quotes where they are open.
    Value { label: String, of: SeriesOf, quote: Option<char>, pattern: bool },
    /// A stretch of time.
    Duration,
    /// Nothing that could be told.
    Nothing,
}

impl What {
    /// The names that an engine knows.
    pub(crate) fn sought(&self) -> Sought {
        match self {
            Self::Operand(_) | Self::QuotedMetric(_) => Sought::Metrics,
            Self::Label { of, .. } => Sought::Labels(of.clone()),
            Self::Value { label, of, .. } => {
                Sought::Values { label: label.clone(), of: of.clone() }
            }
            Self::Word(_) | Self::Duration | Self::Nothing => Sought::Nothing,
        }
    }

    /// Whether it is offered before a letter of it is typed.
    pub(crate) fn is_narrow(&self) -> bool {
        matches!(
            self,
            Self::Label { .. } | Self::Value { .. } | Self::QuotedMetric(_) | Self::Duration
        )
    }
}

const GROUPING: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];
const OPERATORS: [&str; 4] = ["and", "or", "unless", "atan2"];
const OTHERS: [&str; 5] = ["offset", "bool", "inf", "nan", "limit"];

const AFTER_OPERAND: &[&str] = &["and", "or", "unless", "offset", "atan2"];
const AFTER_AGGREGATION: &[&str] = &["by", "without", "and", "or", "unless", "offset", "atan2"];
const AFTER_NAME: &[&str] = &["by", "without"];
const AFTER_SIGN: &[&str] = &["on", "ignoring"];
const AFTER_COMPARISON: &[&str] = &["bool", "on", "ignoring"];
const AFTER_MATCHING: &[&str] = &["group_left", "group_right"];
const MOMENTS: &[&str] = &["start()", "end()"];

fn described(word: &str) -> Option<&'static functions::Described> {
    functions::all().iter().find(|one| one.name == word)
}

fn aggregates(word: &str) -> bool {
    described(word).is_some_and(|one| one.aggregates)
}

fn is_metric(word: &str) -> bool {
    let lower = word.to_lowercase();
    let reserved = |list: &[&str]| list.contains(&lower.as_str());
    !reserved(&GROUPING) && !reserved(&OPERATORS) && !reserved(&OTHERS) && described(word).is_none()
}

/// What is open at the cursor.
enum Open {
    /// The arguments of a function, of an aggregation, or a group.
    Arguments { aggregates: bool },
    /// A list of labels: `by (`, and that word.
    Labels { word: String },
    /// `{`
    Braces(Braces),
    /// `[`
    Brackets,
}

/// A selector's braces so far.
#[derive(Default)]
struct Braces {
    of: SeriesOf,
    label: Option<String>,
    sign: Option<String>,
    /// A name in quotes: a metric's, unless a sign follows.
    named: Option<String>,
    /// A condition is there: a comma comes next.
    full: bool,
}

/// What the part before the cursor ended with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    /// Nothing yet, or what needs an operand.
    Start,
    Sign,
    Comparison,
    Operand,
    Aggregation,
    /// The name of an aggregation.
    Name,
    /// `on (…)`
    Matching,
    Offset,
    At,
}

/// Looks at the text with the cursor at this byte.
pub(crate) fn place(text: &str, cursor: usize) -> Place {
    let cursor = (0..=cursor.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    let cursor = cursor.unwrap_or(0);
    let before = lexed(&text[..cursor]);
    let nothing = |metric| Place {
        what: What::Nothing,
        typed: String::new(),
        from: cursor,
        until: cursor,
        metric,
    };
    // What the cursor is in the middle or at the end of.
    let current = before.last().filter(|last| {
        last.end == cursor
            && match last.sort {
                Sort::Word | Sort::Number | Sort::Comment => true,
                Sort::Text { closed, .. } => !closed,
                Sort::Sign => false,
            }
    });
    if current.is_some_and(|current| current.sort == Sort::Comment) {
        return nothing(None);
    }
    let read = &before[..before.len() - usize::from(current.is_some())];
    let mut look = Look::default();
    for (at, one) in read.iter().enumerate() {
        look.take(text, read, at, one);
    }
    let whole_end = cursor + word_length(&text[cursor..]);
    let metric = match (look.open.last(), current) {
        (Some(Open::Braces(braces)), _) => braces.of.metric.clone(),
        (Some(Open::Brackets), _) => look.metrics.last().cloned(),
        (_, Some(current)) if current.sort == Sort::Word => {
            let whole = &text[current.start..whole_end];
            is_metric(whole).then(|| whole.to_owned())
        }
        (_, None) if read.last().is_some_and(|last| last.end == cursor) => look.at.clone(),
        _ => None,
    };
    let (typed, from, until) = match current {
        None => (String::new(), cursor, cursor),
        Some(Lexed { sort: Sort::Text { quote, .. }, start, .. }) => {
            let from = start + 1;
            (text[from..cursor].to_owned(), from, cursor + rest_of_text(&text[cursor..], *quote))
        }
        Some(current) => (text[current.start..cursor].to_owned(), current.start, whole_end),
    };
    let quote = match current.map(|current| &current.sort) {
        Some(Sort::Text { quote, .. }) => Some(*quote),
        _ => None,
    };
    let number = current.is_some_and(|current| current.sort == Sort::Number);
    let what = match look.open.last() {
        Some(Open::Braces(braces)) => braces.expect(quote),
        Some(Open::Labels { .. }) => {
            let of = SeriesOf { metric: look.metric_of(text, cursor), given: Vec::new() };
            What::Label { of, quote }
        }
        Some(Open::Brackets) => What::Duration,
        _ if quote.is_some() => What::Nothing,
        _ => match look.last {
            Last::Offset => What::Duration,
            _ if number => What::Nothing,
            Last::At => What::Word(MOMENTS),
            Last::Start => What::Operand(&[]),
            Last::Sign => What::Operand(AFTER_SIGN),
            Last::Comparison => What::Operand(AFTER_COMPARISON),
            Last::Matching => What::Operand(AFTER_MATCHING),
            Last::Operand => What::Word(AFTER_OPERAND),
            Last::Aggregation => What::Word(AFTER_AGGREGATION),
            Last::Name => What::Word(AFTER_NAME),
        },
    };
    let place = Place { what, typed, from, until, metric };
    within_quotes(text, cursor, place)
}

impl Braces {
    /// What may stand next, in these quotes where some are open.
    fn expect(&self, quote: Option<char>) -> What {
        let of = self.of.clone();
        match (&self.label, &self.sign) {
            (Some(label), Some(sign)) => {
                What::Value { label: label.clone(), of, quote, pattern: sign.contains('~') }
            }
            (None, None) if !self.full && self.named.is_none() => match quote {
                Some(quote) if of == SeriesOf::default() => What::QuotedMetric(quote),
                quote => What::Label { of, quote },
            },
            _ => What::Nothing,
        }
    }

    fn text(&mut self, value: String) {
        match (self.label.take(), self.sign.take()) {
            (Some(name), Some(sign)) => {
                if sign == "=" {
                    self.of.given.push((name, value));
                }
                self.full = true;
            }
            (None, None) => self.named = Some(value),
            _ => {}
        }
    }

    fn sign(&mut self, sign: &str) {
        match sign {
            "," => {
                let named = self.named.take();
                self.of.metric = self.of.metric.take().or(named);
                (self.label, self.sign, self.full) = (None, None, false);
            }
            "=" | "=~" | "!=" | "!~" => {
                self.label = self.label.take().or_else(|| self.named.take());
                self.sign = Some(sign.to_owned());
            }
            _ => {}
        }
    }
}

/// Takes escapes out of what is typed in quotes; of a pattern only the last
/// of its alternatives counts.
fn within_quotes(text: &str, cursor: usize, place: Place) -> Place {
    let (quote, pattern) = match &place.what {
        What::Value { quote: Some(quote), pattern, .. } => (*quote, *pattern),
        What::QuotedMetric(quote) | What::Label { quote: Some(quote), .. } => (*quote, false),
        _ => return place,
    };
    let mut from = place.from;
    if pattern {
        let bar = text[from..cursor].rfind(['|', '(']);
        from += bar.map_or(0, |at| at + 1);
    }
    let mut typed = text[from..cursor].to_owned();
    if quote != '`' {
        typed = unescaped(&typed);
    }
    if pattern {
        typed = unescaped(&typed);
    }
    Place { typed, from, ..place }
}

fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '\\' { out.extend(chars.next()) } else { out.push(c) }
    }
    out
}

/// How many bytes of a name go on after the cursor.
fn word_length(rest: &str) -> usize {
    rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':').unwrap_or(rest.len())
}

/// How many bytes until the quote that ends the text; none where what comes
/// before it looks like the rest of the selector: then the text was not ended.
fn rest_of_text(rest: &str, quote: char) -> usize {
    match rest.find(quote) {
        Some(at) if !rest[..at].contains(['{', '}', '=', ',', '(', ')', '[']) => at,
        _ => 0,
    }
}

/// What was seen before the cursor.
struct Look {
    open: Vec<Open>,
    last: Last,
    metrics: Vec<String>,
    /// The metric that the last thing was about.
    at: Option<String>,
}

impl Default for Look {
    fn default() -> Self {
        Self { open: Vec::new(), last: Last::Start, metrics: Vec::new(), at: None }
    }
}

impl Look {
    fn take(&mut self, text: &str, all: &[Lexed], at: usize, one: &Lexed) {
        let shown = &text[one.start..one.end];
        match &one.sort {
            Sort::Comment => {}
            Sort::Word => self.word(text, all, at, shown),
            Sort::Number => {
                if !matches!(self.open.last(), Some(Open::Braces(_) | Open::Brackets)) {
                    (self.last, self.at) = (Last::Operand, None);
                }
            }
            Sort::Text { quote, .. } => {
                let inner = shown[1..].strip_suffix(*quote).unwrap_or(&shown[1..]);
                let value = if *quote == '`' { inner.to_owned() } else { unescaped(inner) };
                match self.open.last_mut() {
                    Some(Open::Braces(braces)) => braces.text(value),
                    Some(Open::Labels { .. }) => {}
                    _ => (self.last, self.at) = (Last::Operand, None),
                }
            }
            Sort::Sign => self.sign(text, all, at, shown),
        }
    }

    fn word(&mut self, text: &str, all: &[Lexed], at: usize, word: &str) {
        match self.open.last_mut() {
            Some(Open::Braces(braces)) => return braces.label = Some(word.to_owned()),
            Some(Open::Brackets | Open::Labels { .. }) => return,
            _ => {}
        }
        let lower = word.to_lowercase();
        let called = all.get(at + 1).is_some_and(|next| text[next.start..].starts_with('('));
        self.at = None;
        self.last = match lower.as_str() {
            "offset" => Last::Offset,
            "bool" => Last::Sign,
            word if OPERATORS.contains(&word) => Last::Sign,
            word if GROUPING.contains(&word) => self.last,
            name if aggregates(name) => Last::Name,
            _ if called => Last::Start,
            _ => {
                if is_metric(word) {
                    self.metrics.push(word.to_owned());
                    self.at = Some(word.to_owned());
                }
                Last::Operand
            }
        };
    }

    fn sign(&mut self, text: &str, all: &[Lexed], at: usize, sign: &str) {
        let before = at.checked_sub(1).and_then(|at| all.get(at));
        let before = before.filter(|one| one.sort == Sort::Word);
        let word = before.map_or("", |one| &text[one.start..one.end]).to_lowercase();
        match sign {
            "(" if GROUPING.contains(&word.as_str()) => {
                self.open.push(Open::Labels { word });
            }
            "(" => {
                self.open.push(Open::Arguments {
                    aggregates: aggregates(&word) || self.last == Last::Name,
                });
                (self.last, self.at) = (Last::Start, None);
            }
            "{" => {
                let metric = self.at.take();
                let of = SeriesOf { metric, given: Vec::new() };
                self.open.push(Open::Braces(Braces { of, ..Braces::default() }));
            }
            "[" => self.open.push(Open::Brackets),
            ")" | "}" | "]" => self.close(),
            _ => match self.open.last_mut() {
                Some(Open::Braces(braces)) => braces.sign(sign),
                Some(Open::Brackets | Open::Labels { .. }) => {}
                _ => {
                    self.at = None;
                    self.last = match sign {
                        "," => Last::Start,
                        "@" => Last::At,
                        "==" | "!=" | ">" | "<" | ">=" | "<=" => Last::Comparison,
                        _ => Last::Sign,
                    };
                }
            },
        }
    }

    fn close(&mut self) {
        self.at = None;
        self.last = match self.open.pop() {
            Some(Open::Arguments { aggregates: true }) => Last::Aggregation,
            Some(Open::Labels { word }) => match (word.as_str(), self.last) {
                ("on" | "ignoring", _) => Last::Matching,
                // `sum by (job)` goes on with its arguments, `sum(…) by (job)` is whole.
                ("by" | "without", Last::Aggregation) => Last::Operand,
                (_, last) => last,
            },
            Some(Open::Braces(braces)) => {
                let metric = braces.of.metric.or(braces.named);
                self.metrics.extend(metric.clone());
                self.at = metric;
                Last::Operand
            }
            _ => Last::Operand,
        };
    }

    /// The metric whose labels stand in a list: what is aggregated, or what was
    /// matched before.
    fn metric_of(&self, text: &str, cursor: usize) -> Option<String> {
        let before = || self.metrics.last().cloned();
        if self.last != Last::Name {
            return before();
        }
        // `sum by (|) (rate(…))`: what is aggregated stands behind the cursor.
        let after = lexed(&text[cursor..]);
        let rest = &text[cursor..];
        let name = after.iter().enumerate().find_map(|(at, one)| {
            let word = &rest[one.start..one.end];
            let called = after.get(at + 1).is_some_and(|next| rest[next.start..].starts_with('('));
            let closed = after[..at].iter().any(|one| &rest[one.start..one.end] == ")");
            (one.sort == Sort::Word && closed && !called && is_metric(word))
                .then(|| word.to_owned())
        });
        name.or_else(before)
    }
}

#[cfg(test)]
mod tests;
