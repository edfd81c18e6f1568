//! Statements as they may be shown: shape and names, and none of the values in them.

use crate::domain::harmless_within;

/// No statement is shown longer than this.
const LONGEST: usize = 80;
/// No more of a statement is read.
const READ: usize = 2_000;
/// Statements of which names and shape are told. Of any other, such as
/// `ALTER USER … PASSWORD …`, the first words are all.
const TOLD: &[&str] =
    &["select", "insert", "update", "delete", "with", "merge", "replace", "values"];

/// A statement without literals and comments, in one short line.
pub(in crate::sources) fn without_literals(sql: &str) -> String {
    let mut out = String::new();
    let mut chars = sql.chars().take(READ).peekable();
    let mut before = ' ';
    while let Some(c) = chars.next() {
        let put = match c {
            '\'' | '"' => {
                out.push('?');
                if !skip_quoted(c, &mut chars) {
                    out.push('…');
                    break;
                }
                before = '?';
                continue;
            }
            '-' if chars.peek() == Some(&'-') => {
                while chars.next().is_some_and(|c| c != '\n') {}
                ' '
            }
            '/' if chars.peek() == Some(&'*') => {
                let mut last = ' ';
                for c in chars.by_ref() {
                    if last == '*' && c == '/' {
                        break;
                    }
                    last = c;
                }
                ' '
            }
            // A quote between dollars: what follows may be anything.
            '$' if !chars.peek().is_some_and(char::is_ascii_digit) => {
                out.push('…');
                break;
            }
            c if c.is_ascii_digit() && !(before.is_alphanumeric() || "_$?".contains(before)) => {
                while chars.next_if(|c| c.is_ascii_alphanumeric() || *c == '.').is_some() {}
                '?'
            }
            c if c.is_whitespace() => ' ',
            c => c,
        };
        if !(put == ' ' && out.ends_with(' ')) {
            out.push(put);
        }
        before = put;
    }
    let text = out.trim();
    let first = text.split([' ', '(']).next().unwrap_or_default();
    if TOLD.iter().any(|word| first.eq_ignore_ascii_case(word)) {
        harmless_within(text, LONGEST)
    } else {
        let words: Vec<&str> = text.split(' ').take(2).collect();
        harmless_within(&format!("{} …", words.join(" ")), LONGEST)
    }
}

/// Steps over the rest of a quoted text. Gives false where it is not sure where
/// that ends: a backslash means something else to each server and setting.
fn skip_quoted(quote: char, chars: &mut std::iter::Peekable<impl Iterator<Item = char>>) -> bool {
    while let Some(c) = chars.next() {
        if c == '\\' {
            return false;
        } else if c == quote && chars.next_if_eq(&quote).is_none() {
            return true;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_comments_go_and_names_stay() {
        let shown = without_literals;
        assert_eq!(
            shown(
                "SELECT *\n  FROM t1 WHERE a='it''s secret' and b = 42.5 and c=$1 -- x\n limit 10"
            ),
            "SELECT * FROM t1 WHERE a=? and b = ? and c=$1 limit ?"
        );
        assert_eq!(shown("select /* trace=abc */ 1"), "select ?");
        assert_eq!(shown("select $tag$secret$tag$"), "select …");
        assert_eq!(shown("select 'never ended secret"), "select ?");
        assert_eq!(shown("select 'a\\', 'secret' from x"), "select ?…");
        assert_eq!(
            shown("insert into t values (\"secret\", 0xdeadbeef)"),
            "insert into t values (?, ?)"
        );
    }

    #[test]
    fn of_other_statements_the_first_words_are_all() {
        assert_eq!(without_literals("alter user x password 'secret'"), "alter user …");
        assert_eq!(without_literals("SET PASSWORD = secret"), "SET PASSWORD …");
        assert_eq!(without_literals(""), " …");
        assert!(without_literals(&"select a,".repeat(500)).chars().count() <= LONGEST);
    }
}
