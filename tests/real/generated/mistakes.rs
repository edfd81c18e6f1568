//! Texts with something changed by chance: what was right may be wrong then.

use super::chance::Chance;

/// What is put in: words and signs of the language, and what is near to them.
const TOKENS: &[&str] = &[
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "bool",
    "offset",
    "and",
    "or",
    "unless",
    "atan2",
    "sum",
    "topk",
    "rate",
    "count_values",
    "quantile",
    "inf",
    "NaN",
    "Inf",
    "start",
    "end",
    "start()",
    "end()",
    "@",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    ",",
    ",,",
    ":",
    "=",
    "==",
    "!=",
    "=~",
    "!~",
    "!",
    "~",
    "<",
    ">=",
    "=<",
    "+",
    "-",
    "*",
    "/",
    "%",
    "^",
    "\"",
    "'",
    "`",
    "\"a\"",
    "'b'",
    "`c`",
    "\"\\n\"",
    "\"\\q\"",
    "\"\\x4\"",
    "\"\\x41\"",
    "\"\\u00e9\"",
    "\"\\ud800\"",
    "\"\\777\"",
    "'\\''",
    "\"\\'\"",
    "'\\\"'",
    "`\\q`",
    "\"a\nb\"",
    "#",
    "# x\n",
    "\n",
    "\t",
    ";",
    "é",
    "5m",
    "5",
    "1h30m",
    "30m1h",
    "1.5h",
    "0s",
    "5x",
    "1d1w",
    "1w1d",
    "1ms",
    "1m1m",
    "-5m",
    "0x",
    "0x1F",
    "0b1",
    "1e",
    "1e5",
    "1E-3",
    ".5",
    "5.",
    "1_0",
    "0777",
    "08",
    "1.2.3",
    "[5m]",
    "[5m:1m]",
    "[5m:]",
    "[:1m]",
    "[0s]",
    "[5m:0s]",
    "offset 5m",
    "offset -5m",
    "offset - 5m",
    "@ 5",
    "@ -5",
    "@ 5m",
    "@ 1.5",
    "@ inf",
    "@ start()",
    "@ end ()",
    "@ x",
    "a:b",
    ":a",
    "a:",
    "{__name__=\"x\"}",
    "{}",
    "{a=\"\"}",
    "{a=\"b\",}",
    "{,}",
    "{a!=\"b\"}",
    "{a=~\".*\"}",
    "{a=~\".+\"}",
    "{on=\"x\"}",
    "{a:b=\"x\"}",
    "{1a=\"x\"}",
    "{a=b}",
    "__name__",
    "$",
    "$x",
    "?",
    "&",
    "|",
    "\\",
    "time()",
    "vector(1)",
    "x",
    "1",
    "up",
    "on(a)",
    "by(a,)",
    "by(,)",
    "by()",
    "by(sum)",
    "by (bool, offset)",
    "group_left(a,)",
    "group_left()",
    "keep_common",
    "alert",
    "if",
    "for",
    "default",
];

/// One to three changes.
pub(super) fn changed(text: &str, chance: &mut Chance) -> String {
    let mut text = text.to_owned();
    for _ in 0..=chance.below(3) {
        let mut parts = tokens(&text);
        let at = chance.below(parts.len());
        let put = chance.one(TOKENS).to_owned();
        match chance.below(6) {
            0 => drop(parts.remove(at)),
            1 => {
                let other = chance.below(parts.len());
                parts.swap(at, other);
            }
            2 => parts[at] = put,
            3 => {
                let again = parts[at].clone();
                parts.insert(at, again);
            }
            _ => parts.insert(at, if chance.percent(50) { format!(" {put} ") } else { put }),
        }
        text = parts.concat();
        if text.is_empty() {
            break;
        }
    }
    text
}

/// Words, numbers and single signs.
fn tokens(text: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let mut word = false;
    for char in text.chars() {
        let of_word = char.is_alphanumeric() || char == '_';
        match all.last_mut() {
            Some(last) if word && of_word => last.push(char),
            _ => all.push(char.to_string()),
        }
        word = of_word;
    }
    all
}
