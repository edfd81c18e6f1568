//! What is offered at a place, and how it is written there.

use super::place::What;
use crate::domain::harmless;
use crate::metrics::promql::functions;
use crate::store::Named;
use crate::ui::fuzzy;
use std::collections::HashMap;

/// A name that may be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    /// As it is, maybe harmful.
    pub(crate) name: String,
    pub(crate) sort: Sort,
    /// A function's signature, a metric's type.
    pub(crate) kind: String,
    pub(crate) help: String,
}

/// What is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    Metric,
    Function,
    Keyword,
    Label,
    Value,
    Duration,
}

/// Words of the language, how they are written, and what they do.
const KEYWORDS: [(&str, &str, &str); 14] = [
    ("by", "by (labels)", "one group for each set of these labels"),
    ("without", "without (labels)", "one group for each set of all other labels"),
    ("on", "on (labels)", "series match where these labels are equal"),
    ("ignoring", "ignoring (labels)", "series match where all other labels are equal"),
    ("group_left", "group_left (labels)", "many on the left match one on the right"),
    ("group_right", "group_right (labels)", "one on the left matches many on the right"),
    ("bool", "a > bool b", "0 or 1 instead of leaving series out"),
    ("offset", "x offset 5m", "as it was this long before"),
    ("and", "a and b", "series of a that b has, too"),
    ("or", "a or b", "series of a, and those of b that a does not have"),
    ("unless", "a unless b", "series of a that b does not have"),
    ("atan2", "a atan2 b", "the angle of two sides, in radians"),
    ("start()", "x @ start()", "at the first moment of the range"),
    ("end()", "x @ end()", "at the last moment of the range"),
];

const DURATIONS: [&str; 12] =
    ["1m", "5m", "10m", "15m", "30m", "1h", "2h", "6h", "12h", "1d", "7d", "30d"];

fn keyword(word: &str) -> Offer {
    let known = KEYWORDS.iter().find(|known| known.0 == word);
    let (kind, help) = known.map_or(("", ""), |known| (known.1, known.2));
    Offer { name: word.into(), sort: Sort::Keyword, kind: kind.into(), help: help.into() }
}

/// What the language itself has for this place.
fn own(what: &What, typed: &str) -> Vec<Offer> {
    match what {
        What::Operand(words) => {
            let functions = functions::all().iter().map(|one| Offer {
                name: one.name.into(),
                sort: Sort::Function,
                kind: one.signature.into(),
                help: one.does.into(),
            });
            functions.chain(words.iter().map(|word| keyword(word))).collect()
        }
        What::Word(words) => words.iter().map(|word| keyword(word)).collect(),
        What::Duration => {
            let number = typed.trim_end_matches(|c: char| c.is_ascii_alphabetic());
            let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
            let units = ["m", "s", "h", "d", "w"].into_iter().filter(|_| is_number);
            let built = units.map(|unit| format!("{number}{unit}"));
            let usual = DURATIONS.iter().map(|usual| (*usual).to_owned());
            let mut all: Vec<String> = built.chain(usual).collect();
            let mut seen = std::collections::HashSet::new();
            all.retain(|one| one.starts_with(typed) && seen.insert(one.clone()));
            let offer = |name| Offer {
                name,
                sort: Sort::Duration,
                kind: String::new(),
                help: String::new(),
            };
            all.into_iter().map(offer).collect()
        }
        _ => Vec::new(),
    }
}

/// All that fits what is typed, the best first: of the language and of the
/// names that an engine has told.
pub(crate) fn offers(what: &What, typed: &str, told: &[Named]) -> Vec<Offer> {
    let mut own = own(what, typed);
    // Few letters are in some order in most of these words.
    let lower = typed.to_lowercase();
    own.retain(|offer| offer.name.contains(&lower));
    if *what == What::Duration {
        return own;
    }
    let sort = match what {
        What::Value { .. } => Sort::Value,
        What::Label { .. } => Sort::Label,
        _ => Sort::Metric,
    };
    let told = told.iter().map(|named| Offer {
        name: named.name.clone(),
        sort,
        kind: named.kind.clone(),
        help: named.help.clone(),
    });
    let all: Vec<Offer> = told.chain(own).collect();
    let (best, _) = fuzzy::best(typed, all.iter().map(|offer| offer.name.as_str()), usize::MAX);
    let mut by_name: HashMap<&str, Vec<&Offer>> = HashMap::new();
    for offer in all.iter().rev() {
        by_name.entry(&offer.name).or_default().push(offer);
    }
    let next = |name: &str| by_name.get_mut(name).and_then(Vec::pop).cloned();
    best.into_iter().filter_map(next).collect()
}

/// The text that stands for an offer, to be put where `rest` follows.
pub(crate) fn written(what: &What, offer: &Offer, rest: &str) -> String {
    let name = offer.name.as_str();
    let call = if rest.trim_start().starts_with('(') { "" } else { "(" };
    match (what, offer.sort) {
        (_, Sort::Duration) => name.to_owned(),
        (_, Sort::Keyword) if name.ends_with(')') => name.to_owned(),
        (_, Sort::Keyword) => match name {
            "by" | "without" | "on" | "ignoring" | "group_left" | "group_right" => {
                format!("{name} {call}")
            }
            _ => format!("{name} "),
        },
        (_, Sort::Function) if offer.kind.ends_with("()") && !call.is_empty() => {
            format!("{name}()")
        }
        (_, Sort::Function) => format!("{name}{call}"),
        (What::Value { quote, pattern, .. }, _) => {
            let name = if *pattern { regex::escape(name) } else { name.to_owned() };
            quoted(&name, *quote, rest)
        }
        (What::QuotedMetric(quote) | What::Label { quote: Some(quote), .. }, _) => {
            quoted(name, Some(*quote), rest)
        }
        (What::Label { .. }, _) if is_plain(name, false) => name.to_owned(),
        (What::Label { .. }, _) => quoted(name, None, rest),
        _ if is_plain(name, true) => name.to_owned(),
        _ => format!("{{{}}}", quoted(name, None, "")),
    }
}

/// Whether a name needs no quotes.
fn is_plain(name: &str, metric: bool) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || (metric && c == ':');
    !name.is_empty() && name.chars().all(fits) && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// The text in quotes, of which the first ones are there already if `open`.
fn quoted(text: &str, open: Option<char>, rest: &str) -> String {
    let quote = open.unwrap_or('"');
    let inner = if quote == '`' { text.to_owned() } else { escaped(text, quote) };
    let first = if open.is_none() { "\"" } else { "" };
    let last = if rest.starts_with(quote) { String::new() } else { quote.to_string() };
    format!("{first}{inner}{last}")
}

/// As PromQL writes a text (its escapes are those of Go): what a terminal would
/// act upon is written as a number.
fn escaped(text: &str, quote: char) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c == quote => out.extend(['\\', c]),
            c if is_harmless(c) => out.push(c),
            c => {
                let code = u32::from(c);
                let shown = if code <= 0xffff {
                    format!("\\u{code:04x}")
                } else {
                    format!("\\U{code:08x}")
                };
                out.push_str(&shown);
            }
        }
    }
    out
}

fn is_harmless(c: char) -> bool {
    let mut bytes = [0; 4];
    let text: &str = c.encode_utf8(&mut bytes);
    *harmless(text) == *text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::SeriesOf;

    fn named(name: &str) -> Named {
        Named { name: name.into(), ..Named::default() }
    }

    fn names(what: &What, typed: &str, told: &[&str]) -> Vec<String> {
        let told: Vec<Named> = told.iter().map(|name| named(name)).collect();
        offers(what, typed, &told).into_iter().map(|offer| offer.name).collect()
    }

    fn value(quote: Option<char>, pattern: bool) -> What {
        What::Value { label: "a".into(), of: SeriesOf::default(), quote, pattern }
    }

    fn taken(what: &What, name: &str, rest: &str) -> String {
        let own = offers(what, "", &[]);
        let told = offers(what, "", &[named(name)]);
        let found = own.iter().chain(&told).find(|offer| offer.name == name);
        written(what, found.unwrap(), rest)
    }

    #[test]
    fn functions_and_metrics_stand_in_one_list_the_best_first() {
        let found = names(&What::Operand(&[]), "rate", &["rate_limit_hits", "request_rate"]);
        assert_eq!(found[..3], ["rate", "rate_limit_hits", "request_rate"]);
        assert!(found.contains(&"irate".to_owned()));
        assert_eq!(names(&What::Operand(&["bool"]), "boo", &[]), ["bool"]);
    }

    #[test]
    fn stretches_of_time_begin_with_what_is_typed() {
        assert_eq!(names(&What::Duration, "5", &[])[..2], ["5m", "5s"]);
        assert_eq!(names(&What::Duration, "1", &[])[..3], ["1m", "1s", "1h"]);
        assert_eq!(names(&What::Duration, "", &[])[0], "1m");
        assert!(names(&What::Duration, "x", &[]).is_empty());
    }

    #[test]
    fn values_are_written_so_that_they_read_back() {
        assert_eq!(taken(&value(None, false), "api", ""), "\"api\"");
        assert_eq!(taken(&value(Some('"'), false), "api", "}"), "api\"");
        assert_eq!(taken(&value(Some('"'), false), "api", "\"}"), "api");
        for name in ["C:\\a \"b\"", "a\nb", "it's", "\u{202e}x", "\u{1b}[2J", "ü", "`"] {
            for quote in ['"', '\''] {
                let text = taken(&value(Some(quote), false), name, "");
                let whole = format!("{{a={quote}{text}}}");
                assert!(!whole.chars().any(char::is_control), "{whole:?}");
                let read = crate::metrics::promql::parse(&whole).unwrap();
                let crate::metrics::promql::Kind::Selector(selector) = &read.kind else { panic!() };
                assert_eq!(selector.equal("a"), Some(name), "{whole}");
            }
        }
    }

    #[test]
    fn in_a_pattern_a_value_means_itself() {
        let text = taken(&value(Some('"'), true), "10.0.0.7:9100+x", "");
        assert_eq!(text, r#"10\\.0\\.0\\.7:9100\\+x""#);
        assert!(crate::metrics::promql::parse(&format!("{{a=~\"{text}}}")).is_ok());
    }

    #[test]
    fn names_that_need_quotes_get_them() {
        let label = |quote| What::Label { of: SeriesOf::default(), quote };
        assert_eq!(taken(&What::Operand(&[]), "my.metric", ""), "{\"my.metric\"}");
        assert_eq!(taken(&What::Operand(&[]), "job:up", ""), "job:up");
        assert_eq!(taken(&label(None), "http.code", ""), "\"http.code\"");
        assert_eq!(taken(&label(None), "code", ""), "code");
        assert_eq!(taken(&label(Some('"')), "http.code", ""), "http.code\"");
        assert_eq!(taken(&What::QuotedMetric('\''), "a.b", ""), "a.b'");
    }

    #[test]
    fn functions_are_called_and_words_leave_room() {
        assert_eq!(taken(&What::Operand(&[]), "rate", ""), "rate(");
        assert_eq!(taken(&What::Operand(&[]), "rate", "(x[5m])"), "rate");
        assert_eq!(taken(&What::Operand(&[]), "time", ""), "time()");
        assert_eq!(taken(&What::Word(&["by"]), "by", ""), "by (");
        assert_eq!(taken(&What::Word(&["offset"]), "offset", ""), "offset ");
    }
}
