//! An expression that may end anywhere, cut into its parts.

/// A part and its place in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lexed {
    pub(super) sort: Sort,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// What a part is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// A name or a keyword.
    Word,
    /// A number or a stretch of time.
    Number,
    /// A text in these quotes, ended or not.
    Text { quote: char, closed: bool },
    /// An operator or a bracket.
    Sign,
    /// A comment.
    Comment,
}

/// Signs of two characters.
const LONG: [&str; 6] = ["==", "=~", "!=", "!~", ">=", "<="];

/// The parts of the text; whatever is no part of the language is a sign.
pub(super) fn lexed(text: &str) -> Vec<Lexed> {
    let mut found = Vec::new();
    let mut at = 0;
    let mut brackets = 0_usize;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let start = at;
        let inside = |c: char| c.is_ascii_alphanumeric() || c == '_' || (c == ':' && brackets == 0);
        let length = |keep: &dyn Fn(char) -> bool| rest.find(|c| !keep(c)).unwrap_or(rest.len());
        let sort = match first {
            c if c.is_whitespace() => {
                at += c.len_utf8();
                continue;
            }
            '#' => {
                at += length(&|c| c != '\n');
                Sort::Comment
            }
            '"' | '\'' | '`' => {
                let (long, closed) = text_length(rest, first);
                at += long;
                Sort::Text { quote: first, closed }
            }
            '0'..='9' => {
                at += length(&|c| c.is_ascii_alphanumeric() || c == '.' || c == '_');
                Sort::Number
            }
            c if c.is_ascii_alphabetic() || c == '_' || (c == ':' && brackets == 0) => {
                at += length(&inside);
                Sort::Word
            }
            _ => {
                at += LONG
                    .iter()
                    .find(|long| rest.starts_with(**long))
                    .map_or(first.len_utf8(), |l| l.len());
                match first {
                    '[' => brackets += 1,
                    ']' => brackets = brackets.saturating_sub(1),
                    _ => {}
                }
                Sort::Sign
            }
        };
        found.push(Lexed { sort, start, end: at });
    }
    found
}

/// The bytes of a text with its quotes, and whether it is ended.
fn text_length(rest: &str, quote: char) -> (usize, bool) {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' if quote != '`' => escaped = true,
            c if c == quote => return (at + 1, true),
            _ => {}
        }
    }
    (rest.len(), false)
}
