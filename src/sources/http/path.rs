//! Conditions on a JSON body: `$.a.b[0].c == "ok"`.

use crate::domain::harmless_within;
use serde_json::Value;
use std::cmp::Ordering;

/// A condition on a JSON body.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    text: String,
    path: Vec<Step>,
    test: Option<(Test, Value)>,
}

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Key(String),
    At(usize),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Test {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Condition {
    /// Reads `PATH`, `PATH exists` or `PATH OP VALUE`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (path, rest) = read_path(text.trim())?;
        let rest = rest.trim();
        let text = text.trim().to_owned();
        if rest.is_empty() || rest == "exists" {
            return Ok(Self { text, path, test: None });
        }
        let tests = [
            ("==", Test::Equal),
            ("!=", Test::NotEqual),
            ("<=", Test::LessOrEqual),
            (">=", Test::GreaterOrEqual),
            ("<", Test::Less),
            (">", Test::Greater),
            ("=", Test::Equal),
        ];
        for (sign, test) in tests {
            if let Some(value) = rest.strip_prefix(sign) {
                let value = value.trim();
                if value.is_empty() {
                    return Err(format!("nothing stands after `{sign}`"));
                }
                // A bare word is a text.
                let value = serde_json::from_str(value).unwrap_or_else(|_| {
                    let bare = value.strip_prefix('\'').and_then(|v| v.strip_suffix('\''));
                    Value::String(bare.unwrap_or(value).to_owned())
                });
                return Ok(Self { text, path, test: Some((test, value)) });
            }
        }
        Err(format!("`{}` is no comparison", harmless_within(rest, 40)))
    }

    /// Whether a body fulfils it, or what it holds instead.
    pub(super) fn check(&self, body: &Value) -> Result<(), String> {
        let mut value = body;
        for step in &self.path {
            let next = match step {
                Step::Key(key) => value.get(key),
                Step::At(at) => value.get(at),
            };
            value = next.ok_or_else(|| format!("{} is not in the body", self.path_text()))?;
        }
        let Some((test, wanted)) = &self.test else { return Ok(()) };
        if holds(*test, value, wanted) {
            return Ok(());
        }
        let found = harmless_within(&value.to_string(), 60);
        Err(format!("{}, and it is {found}", harmless_within(&self.text, 80)))
    }

    fn path_text(&self) -> String {
        let mut text = String::from("$");
        for step in &self.path {
            let (before, name, after) = match step {
                Step::Key(key) => (".", harmless_within(key, 40), ""),
                Step::At(at) => ("[", at.to_string(), "]"),
            };
            text.extend([before, &name, after]);
        }
        text
    }
}

fn holds(test: Test, value: &Value, wanted: &Value) -> bool {
    let order = compare(value, wanted);
    match test {
        Test::Equal => order == Some(Ordering::Equal),
        Test::NotEqual => order != Some(Ordering::Equal),
        Test::Less => order == Some(Ordering::Less),
        Test::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        Test::Greater => order == Some(Ordering::Greater),
        Test::GreaterOrEqual => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
    }
}

/// Numbers by value, numbers in texts too where the other side is a number
/// (many APIs send them so), texts by their letters, the rest only for equality.
fn compare(value: &Value, wanted: &Value) -> Option<Ordering> {
    let number = |value: &Value| match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    match (value, wanted) {
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (Value::Number(_), _) | (_, Value::Number(_)) => {
            number(value)?.partial_cmp(&number(wanted)?)
        }
        (a, b) => (a == b).then_some(Ordering::Equal),
    }
}

/// Reads `$.a.b[0]["c d"]`, and gives what stands after it.
fn read_path(text: &str) -> Result<(Vec<Step>, &str), String> {
    let mut rest = text.strip_prefix('$').unwrap_or(text);
    let mut path = Vec::new();
    loop {
        let first = path.is_empty() && rest.len() == text.len();
        if let Some(inner) = rest.strip_prefix('[') {
            let end = end_of_bracket(inner).ok_or("`[` without `]`")?;
            let step = inner[..end].trim();
            let quoted = ['"', '\'']
                .iter()
                .find_map(|q| step.strip_prefix(*q).and_then(|step| step.strip_suffix(*q)));
            path.push(match quoted {
                Some(key) => Step::Key(key.to_owned()),
                None => Step::At(
                    step.parse().map_err(|_| format!("`[{step}]` is no position in a list"))?,
                ),
            });
            rest = &inner[end + 1..];
            continue;
        }
        let name = match rest.strip_prefix('.') {
            Some(name) => name,
            None if first => rest,
            None => return Ok((path, rest)),
        };
        let end = name
            .find(|c: char| matches!(c, '.' | '[' | '=' | '!' | '<' | '>') || c.is_whitespace())
            .unwrap_or(name.len());
        if end == 0 {
            return Err("a name is missing in the path".into());
        }
        path.push(Step::Key(name[..end].to_owned()));
        rest = &name[end..];
    }
}

/// The place of the `]` that ends a bracket, quotes respected.
fn end_of_bracket(inner: &str) -> Option<usize> {
    let quote = inner.trim_start().chars().next().filter(|c| matches!(c, '"' | '\''));
    match quote {
        None => inner.find(']'),
        Some(quote) => {
            let open = inner.find(quote)?;
            let close = open + 1 + inner[open + 1..].find(quote)?;
            Some(close + inner[close..].find(']')?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(condition: &str) -> Result<(), String> {
        let body = serde_json::json!({
            "status": "ok", "queue": {"length": 7, "size": "12"},
            "checks": [{"ok": true}, {"ok": false}], "a.b": {"c]d": 1}, "none": null,
        });
        Condition::parse(condition).and_then(|condition| condition.check(&body))
    }

    #[test]
    fn paths_and_comparisons_hold() {
        for good in [
            "$.status == \"ok\"",
            "status==ok",
            "status == 'ok'",
            "queue.length < 8",
            "$.queue.length>=7",
            "queue.size > 9",
            "checks[0].ok == true",
            "$.checks[1]['ok'] != true",
            "$[\"a.b\"][\"c]d\"] == 1",
            "status",
            "$.none exists",
            "$.none == null",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn what_does_not_hold_tells_what_is_there() {
        assert_eq!(check("status == down").unwrap_err(), "status == down, and it is \"ok\"");
        assert_eq!(check("$.queue.age < 3").unwrap_err(), "$.queue.age is not in the body");
        assert!(check("status < 3").is_err() && check("checks[7]").is_err());
    }

    #[test]
    fn mistakes_are_named() {
        for bad in ["$.", "a..b", "a[x]", "a ~ b", "a ==", "a[\"b", ""] {
            assert!(Condition::parse(bad).is_err(), "{bad}");
        }
    }
}
