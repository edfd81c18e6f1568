//! Text to tokens.

use super::ast::Span;
use super::literal::{BadQuantity, Quantity, quantity, quoted};
use super::parser::ParseError;

/// A token and its place.
#[derive(Clone, Debug)]
pub(super) struct Token {
    /// What it is.
    pub(super) what: What,
    /// Where it stands.
    pub(super) span: Span,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum What {
    /// A name or keyword.
    Word,
    /// A number.
    Number(f64),
    /// A duration in milliseconds.
    Millis(i64),
    /// A quoted text.
    Text(String),
    /// An operator or bracket.
    Sign(&'static str),
    /// The end.
    End,
}

/// All signs, longer ones first.
const SIGNS: [&str; 24] = [
    "==", "=~", "!=", "!~", ">=", "<=", "(", ")", "{", "}", "[", "]", ",", "+", "-", "*", "/", "%",
    "^", "=", ">", "<", "@", ":",
];

/// Cuts `text` into tokens; the last one is the end.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, ParseError> {
    let mut found = Vec::new();
    let mut at = 0;
    let mut brackets = 0_usize;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let start = at;
        if first.is_ascii_whitespace() {
            at += 1;
            continue;
        }
        if first == '#' {
            at += rest.find('\n').unwrap_or(rest.len());
            continue;
        }
        let digit_next = rest.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
        let what = if first.is_ascii_digit() || (first == '.' && digit_next) {
            let length = quantity_length(rest.as_bytes());
            at += length;
            match quantity(&rest[..length]) {
                Ok(Quantity::Number(value)) => What::Number(value),
                Ok(Quantity::Millis(millis)) => What::Millis(millis),
                Err(BadQuantity::Range) => {
                    return Err(ParseError::new("this number is too large", start, at));
                }
                Err(BadQuantity::Syntax) => {
                    let word = &rest[..length];
                    return Err(ParseError::new(
                        format!("{word:?} is neither a number nor a duration such as 1h30m"),
                        start,
                        at,
                    ));
                }
            }
        } else if matches!(first, '"' | '\'' | '`') {
            match quoted(rest) {
                Ok((value, length)) => {
                    at += length;
                    What::Text(value)
                }
                Err(bad) => {
                    let place = (start + bad.at).min(text.len());
                    return Err(ParseError::new(bad.message, start, place.max(start + 1)));
                }
            }
        } else if first.is_ascii_alphabetic() || first == '_' || (first == ':' && brackets == 0) {
            let inside =
                |b: u8| b.is_ascii_alphanumeric() || b == b'_' || (b == b':' && brackets == 0);
            at += rest.bytes().take_while(|b| inside(*b)).count();
            What::Word
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            at += sign.len();
            match *sign {
                "[" => brackets += 1,
                "]" => brackets = brackets.saturating_sub(1),
                _ => {}
            }
            What::Sign(sign)
        } else {
            let length = first.len_utf8();
            return Err(ParseError::new(
                format!(
                    "unexpected character {first:?}; names with such characters stand in quotes: {{\"name\"}}"
                ),
                start,
                start + length,
            ));
        };
        found.push(Token { what, span: Span { start, end: at } });
    }
    found.push(Token { what: What::End, span: Span { start: text.len(), end: text.len() } });
    Ok(found)
}

/// How many bytes belong to a number or duration.
fn quantity_length(bytes: &[u8]) -> usize {
    let hex = bytes.starts_with(b"0x") || bytes.starts_with(b"0X");
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let exponent_sign = matches!(byte, b'+' | b'-')
            && !hex
            && at > 0
            && matches!(bytes[at - 1], b'e' | b'E')
            && bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
        if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.') || exponent_sign {
            at += 1;
        } else {
            break;
        }
    }
    at
}
