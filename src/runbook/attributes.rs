//! The info string of a fence: its language and its attributes, in the form of
//! opsroom (`{key=value bare}`), and in both forms of runme.

use super::book::Attribute;

/// An info string in parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Info {
    /// All of it.
    pub text: String,
    /// Its first word, as it stands.
    pub language: String,
    /// What stands in braces after it, or was written like attributes.
    pub attributes: Vec<Attribute>,
}

/// Reads an info string. Never fails.
pub fn info(text: &str) -> Info {
    let text = text.trim();
    let language = text.split_whitespace().next().unwrap_or_default();
    let attributes = match text.find('{') {
        Some(brace) => read(&text[brace..]),
        None => without_braces(text[language.len()..].trim_start()),
    };
    Info { text: text.into(), language: language.into(), attributes }
}

/// Reads attributes: a JSON object, whose values become texts, or
/// `{ key=value key="two words" key='…' key=/a b/ bare }`. What is not valid
/// JSON is read in the second form, as runme does. Never fails.
pub fn read(text: &str) -> Vec<Attribute> {
    let text = text.trim();
    if let Some(attributes) = json(text) {
        return attributes;
    }
    let inner = text.strip_prefix('{').unwrap_or(text);
    words(inner)
}

/// `key="value" other=value`, as other tools write it: nothing where any word
/// of it has no `=`, since then it is a remark in words.
fn without_braces(text: &str) -> Vec<Attribute> {
    let found = words(text);
    let all = found.iter().all(|attribute| !attribute.value.is_empty());
    let plain = |attribute: &Attribute| {
        attribute.name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
    };
    if all && found.iter().all(plain) { found } else { Vec::new() }
}

fn json(text: &str) -> Option<Vec<Attribute>> {
    // Whatever stands behind the object is no part of it.
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<serde_json::Value>();
    let serde_json::Value::Object(object) = values.next()?.ok()? else { return None };
    let value = |value: serde_json::Value| match value {
        serde_json::Value::String(text) => text,
        serde_json::Value::Null => String::new(),
        other => other.to_string(),
    };
    Some(object.into_iter().map(|(name, held)| Attribute { name, value: value(held) }).collect())
}

/// Words up to the closing brace that stands outside of quotes, else to the end.
fn words(text: &str) -> Vec<Attribute> {
    let mut rest = text;
    let mut found: Vec<Attribute> = Vec::new();
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
        if rest.is_empty() || rest.starts_with('}') {
            return found;
        }
        let end = rest
            .find(|c: char| c.is_whitespace() || matches!(c, '=' | '}' | ',' | ':'))
            .unwrap_or(rest.len());
        // A word that begins with what ends words is taken as far as the next blank.
        let end = if end == 0 { rest.find(char::is_whitespace).unwrap_or(rest.len()) } else { end };
        let name = rest[..end].trim_matches(['"', '\'']).to_owned();
        rest = &rest[end..];
        let value = match rest.chars().next() {
            Some('=') => {
                let (value, after) = value(&rest[1..]);
                rest = after;
                value
            }
            // `name: "x"`, as YAML and JavaScript have it.
            Some(':') => {
                let (value, after) = value(rest[1..].trim_start());
                rest = after;
                value
            }
            _ => String::new(),
        };
        if !name.is_empty() {
            found.push(Attribute { name, value });
        }
    }
}

/// A value and what stands behind it: in quotes, between slashes, or up to the
/// next blank or brace.
fn value(text: &str) -> (String, &str) {
    match text.chars().next() {
        Some(quote @ ('"' | '\'')) => delimited(&text[1..], quote),
        Some('/') => match regular_expression(text) {
            Some(end) => (text[..end].into(), &text[end..]),
            None => bare(text),
        },
        _ => bare(text),
    }
}

fn bare(text: &str) -> (String, &str) {
    let mut depth = 0_u32;
    let mut end = text.len();
    for (i, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                end = i;
                break;
            }
            '}' => depth -= 1,
            c if c.is_whitespace() => {
                end = i;
                break;
            }
            _ => {}
        }
    }
    let word = text[..end].strip_suffix(',').unwrap_or(&text[..end]);
    (word.into(), &text[end..])
}

/// Up to the closing quote; `\"` and `\\` stand for the character.
fn delimited(text: &str, quote: char) -> (String, &str) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((i, c)) = chars.next() {
        if c == quote {
            return (value, &text[i + c.len_utf8()..]);
        }
        if c == '\\' {
            match chars.clone().next() {
                Some((_, next)) if next == quote || next == '\\' => {
                    value.push(next);
                    chars.next();
                    continue;
                }
                _ => {}
            }
        }
        value.push(c);
    }
    (value, "")
}

/// Where `/…/` ends, if it is closed before the word after it: the last slash
/// that a blank, a brace or the end follows.
fn regular_expression(text: &str) -> Option<usize> {
    let inner = text.get(1..)?;
    let mut escaped = false;
    for (i, c) in inner.char_indices() {
        if c == '/' && !escaped {
            let after = inner[i + 1..].chars().next();
            if after.is_none_or(|c| c.is_whitespace() || c == '}' || c == ',') {
                return Some(i + 2);
            }
        }
        escaped = c == '\\' && !escaped;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        read(text).into_iter().map(|attribute| (attribute.name, attribute.value)).collect()
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.into(), value.into())
    }

    #[test]
    fn words_values_and_quotes_are_read() {
        assert_eq!(
            pairs(r#"{reads capture=PREVIOUS timeout=2m cwd="/srv/my app" note='a "b"'}"#),
            [
                pair("reads", ""),
                pair("capture", "PREVIOUS"),
                pair("timeout", "2m"),
                pair("cwd", "/srv/my app"),
                pair("note", "a \"b\""),
            ]
        );
        assert_eq!(pairs("{}"), []);
        assert_eq!(pairs("{"), []);
        assert_eq!(pairs("{a=}"), [pair("a", "")]);
        assert_eq!(pairs(r#"{a="open}"#), [pair("a", "open}")]);
    }

    #[test]
    fn a_regular_expression_may_hold_blanks_braces_and_slashes() {
        assert_eq!(
            pairs(r"{expect=/v[0-9]{2} ok/ reads}"),
            [pair("expect", "/v[0-9]{2} ok/"), pair("reads", "")]
        );
        assert_eq!(pairs(r"{expect=/a\/b/}"), [pair("expect", r"/a\/b/")]);
        assert_eq!(pairs("{cwd=/srv/app reads}"), [pair("cwd", "/srv/app"), pair("reads", "")]);
        assert_eq!(pairs("{cwd=/ reads}"), [pair("cwd", "/"), pair("reads", "")]);
        assert_eq!(pairs("{cwd=/srv/}"), [pair("cwd", "/srv/")]);
    }

    #[test]
    fn json_values_become_texts() {
        assert_eq!(
            pairs(r#"{"a":"x","n":1,"b":true,"z":null,"o":{"k":"v"}}"#),
            [
                pair("a", "x"),
                pair("n", "1"),
                pair("b", "true"),
                pair("z", ""),
                pair("o", r#"{"k":"v"}"#),
            ]
        );
        assert_eq!(pairs(r#"{ name: "test" }"#), [pair("name", "test")]);
    }

    #[test]
    fn a_language_and_what_follows_it_are_told_apart() {
        let read = info("sh {name=x}");
        assert_eq!((read.language.as_str(), read.attributes.len()), ("sh", 1));
        let read = info("console # Drain, but wait 1 minute");
        assert_eq!((read.language.as_str(), read.attributes.len()), ("console", 0));
        let read = info(r#"step name="a b" timeout=1m"#);
        assert_eq!((read.language.as_str(), read.attributes.len()), ("step", 2));
        assert_eq!(info(""), Info::default());
    }
}
