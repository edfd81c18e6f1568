//! Series as tests write them: `up{job="a"}` with `1+2x3 _ stale 5`.

use crate::domain::Labels;
use crate::domain::labels::METRIC_NAME;
use crate::metrics::promql::{self, Kind, MatchKind};

/// So many values may a series have.
const MOST: usize = 1_000_000;

/// A value of a series; its place tells its moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Written {
    /// There is no sample.
    None,
    /// The series ends here.
    Stale,
    /// A sample.
    Value(f64),
}

/// The labels of a series.
///
/// # Errors
/// What is no series, in words.
pub fn series(text: &str) -> Result<Labels, String> {
    let expr = promql::parse(text).map_err(|error| error.message)?;
    let Kind::Selector(selector) = &expr.kind else {
        return Err("this is no series".into());
    };
    if selector.shift.offset_ms.is_some() || selector.shift.at.is_some() {
        return Err("a series has neither offset nor @".into());
    }
    let mut pairs = Vec::new();
    if let Some(name) = selector.equal(METRIC_NAME) {
        pairs.push((METRIC_NAME.to_owned(), name.to_owned()));
    }
    for one in &selector.matches {
        if one.kind != MatchKind::Equal {
            return Err(format!("the label {} of a series is set with =", one.name));
        }
        pairs.push((one.name.clone(), one.value.clone()));
    }
    Ok(Labels::new(pairs))
}

/// The values of a series.
///
/// # Errors
/// What cannot be read, in words.
pub(super) fn values(text: &str) -> Result<Vec<Written>, String> {
    if text.contains("{{") {
        return Err("native histograms are not supported here".into());
    }
    let mut values = Vec::new();
    for word in text.split_ascii_whitespace() {
        one(word, &mut values).ok_or_else(|| format!("{word:?} is no value of a series"))?;
        if values.len() > MOST {
            return Err(format!("more than {MOST} values"));
        }
    }
    Ok(values)
}

/// How often, where a word says so: `x5`.
fn times(word: &str) -> Option<usize> {
    let digits = word.strip_prefix('x')?;
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok())?.filter(|count| *count <= MOST)
}

fn one(word: &str, into: &mut Vec<Written>) -> Option<()> {
    if let Some(rest) = word.strip_prefix('_') {
        let count = if rest.is_empty() { 1 } else { times(rest)? };
        into.extend(std::iter::repeat_n(Written::None, count));
        return Some(());
    }
    if word == "stale" {
        into.push(Written::Stale);
        return Some(());
    }
    let (first, rest) = number(word)?;
    if rest.is_empty() {
        into.push(Written::Value(first));
        return Some(());
    }
    if rest.starts_with('x') {
        // Once as it stands, and so often again.
        let count = times(rest)?;
        into.extend(std::iter::repeat_n(Written::Value(first), count + 1));
        return Some(());
    }
    let sign = match rest.bytes().next()? {
        b'+' => 1.0,
        b'-' => -1.0,
        _ => return None,
    };
    let (step, rest) = number(&rest[1..])?;
    let count = times(rest)?;
    let mut value = first;
    for _ in 0..=count {
        into.push(Written::Value(value));
        value += sign * step;
    }
    Some(())
}

/// The number that a word begins with, and what follows it.
fn number(word: &str) -> Option<(f64, &str)> {
    let (sign, bare) = match word.as_bytes().first()? {
        b'-' => (-1.0, &word[1..]),
        b'+' => (1.0, &word[1..]),
        _ => (1.0, word),
    };
    for (name, value) in [("inf", f64::INFINITY), ("nan", f64::NAN)] {
        if bare.get(..3).is_some_and(|begin| begin.eq_ignore_ascii_case(name)) {
            return Some((sign * value, &bare[3..]));
        }
    }
    // `0x5` is no number in base 16 here: it is nought, and five times again.
    let bytes = bare.as_bytes();
    let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let mut end = digits(0);
    if bytes.get(end) == Some(&b'.') {
        end += 1 + digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let signed = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits((end + 1 + signed).min(bytes.len()));
        if exponent > 0 {
            end += 1 + signed + exponent;
        }
    }
    Some((sign * bare[..end].parse::<f64>().ok()?, &bare[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        match values(text) {
            Ok(values) => values
                .iter()
                .map(|value| match value {
                    Written::None => "_".into(),
                    Written::Stale => "stale".into(),
                    Written::Value(value) => value.to_string(),
                })
                .collect::<Vec<String>>()
                .join(" "),
            Err(words) => words,
        }
    }

    #[test]
    fn values_expand_as_in_promtool() {
        for (text, expanded) in [
            ("1 2 3", "1 2 3"),
            ("1+2x3", "1 3 5 7"),
            ("10-2x2", "10 8 6"),
            ("5x2", "5 5 5"),
            ("_ _x2 1", "_ _ _ 1"),
            ("stale 1", "stale 1"),
            ("-1.5e2 .5 0x2 Inf -inf NaN", "-150 0.5 0 0 0 inf -inf NaN"),
            ("1+-1x2", "1 0 -1"),
            ("1-0.5x1", "1 0.5"),
            ("", ""),
        ] {
            assert_eq!(told(text), expanded, "{text}");
        }
        for text in ["a", "1+2", "1x", "x3", "1+x3", "_y", "1x99999999999", "{{schema:1}}"] {
            assert!(values(text).is_err(), "{text}");
        }
    }

    #[test]
    fn labels_are_read_as_in_promql() {
        assert_eq!(series("up{a=\"b\"}").unwrap().to_string(), "up{a=\"b\"}");
        assert_eq!(series("{a=\"b\"}").unwrap().to_string(), "{a=\"b\"}");
        for text in ["up{a=~\"b\"}", "up + 1", "up[5m]", "up offset 1m", "{"] {
            assert!(series(text).is_err(), "{text}");
        }
    }
}
