//! Output of commands as lines that can be shown: colours and cursor moves are
//! taken out, what a carriage return wrote over is gone.

use crate::domain::harmless;

/// No line is longer than this.
const LONGEST: usize = 4_000;

/// The lines of a text.
pub(super) fn lines(text: &str) -> Vec<String> {
    text.lines().map(line).collect()
}

fn line(raw: &str) -> String {
    let mut out = String::new();
    let mut chars = raw.chars().peekable();
    let mut rewrite = false;
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => skip(&mut chars),
            '\r' => rewrite = true,
            '\u{8}' => {
                out.pop();
            }
            '\u{7}' => {}
            c => {
                if std::mem::take(&mut rewrite) {
                    out.clear();
                }
                match c {
                    '\t' => out.push_str("    "),
                    c => out.push(c),
                }
            }
        }
        if out.len() > LONGEST {
            out.push('…');
            break;
        }
    }
    harmless(&out).into_owned()
}

/// Steps over an escape sequence (ECMA-48).
fn skip(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match chars.next() {
        Some('[') => {
            while chars.next_if(|c| (' '..='?').contains(c)).is_some() {}
            chars.next_if(|c| ('@'..='~').contains(c));
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            while let Some(c) = chars.next() {
                if c == '\u{7}' || (c == '\u{1b}' && chars.next_if_eq(&'\\').is_some()) {
                    break;
                }
            }
        }
        Some(' '..='/') => {
            chars.next();
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_go_and_progress_bars_show_their_last_state() {
        let text =
            "\u{1b}[32mok\u{1b}[0m done\r\n10%\r50%\r100%\nab\u{8}c\n\u{1b}]0;title\u{7}x\u{1b}(By";
        assert_eq!(lines(text), ["ok done", "100%", "ac", "xy"]);
    }

    #[test]
    fn nothing_else_steers_the_terminal() {
        assert_eq!(lines("a\u{9b}2Jb\u{202e}c"), ["a\u{fffd}b\u{fffd}c"]);
        assert!(lines(&"x".repeat(100_000))[0].len() < 5_000);
    }
}
