//! The one door through which text from outside reaches the screen, a log or JSON:
//! control characters, escape sequences, bidi overrides and invisible characters
//! lose their power here.

use std::borrow::Cow;

/// Shown in the place of characters that were taken out.
const STAND_IN: char = '\u{fffd}';

/// Characters that print nothing or reorder what is printed: C0 and C1 controls,
/// bidi marks, embeddings, overrides and isolates, zero-width characters,
/// line and paragraph separators, the byte order mark, variation selectors of
/// the supplementary plane and tag characters.
fn is_harmful(c: char) -> bool {
    matches!(c,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{115f}'..='\u{1160}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// The text with nothing in it that a terminal would act upon. Tabs and line
/// ends become one space each; an escape sequence goes as a whole.
pub fn harmless(text: &str) -> Cow<'_, str> {
    if !text.contains(is_harmful) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(cleaned(text, usize::MAX))
}

/// Like [`harmless`], and at most `most` characters long; what was cut off is
/// told by an ellipsis. Reads no more of the text than it needs.
pub fn harmless_within(text: &str, most: usize) -> String {
    let mut out = cleaned(text, most.saturating_add(1));
    if let Some((cut, _)) = out.char_indices().nth(most) {
        let last = out[..cut].char_indices().next_back().map_or(0, |(at, _)| at);
        out.truncate(last);
        out.push('…');
    }
    out
}

fn cleaned(text: &str, most: usize) -> String {
    let mut out = String::with_capacity(text.len().min(most.saturating_mul(4)));
    let mut length = 0;
    let mut chars = text.chars().peekable();
    while length < most
        && let Some(c) = chars.next()
    {
        let shown = match c {
            '\n' | '\t' => ' ',
            '\r' if chars.peek() == Some(&'\n') => continue,
            '\u{1b}' | '\u{90}' | '\u{98}' | '\u{9b}' | '\u{9d}'..='\u{9f}' => {
                skip_sequence(c, &mut chars);
                STAND_IN
            }
            c if is_harmful(c) => STAND_IN,
            c => c,
        };
        out.push(shown);
        length += 1;
    }
    out
}

/// Steps over the rest of an escape sequence (ECMA-48: CSI ends with `@` to `~`,
/// strings with ST or BEL). A sequence is taken to be no longer than this,
/// so that an unfinished one does not swallow the whole text.
const LONGEST_SEQUENCE: usize = 4096;

fn skip_sequence(first: char, chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    let kind = match first {
        '\u{1b}' => match chars.peek() {
            Some('[') => '[',
            Some(']' | 'P' | 'X' | '^' | '_') => ']',
            // Two-character sequences, with intermediates such as `ESC ( B`.
            Some(' '..='/') => {
                while chars.next_if(|c| (' '..='/').contains(c)).is_some() {}
                chars.next_if(|c| ('0'..='~').contains(c));
                return;
            }
            Some('0'..='~') => {
                chars.next();
                return;
            }
            _ => return,
        },
        '\u{9b}' => '[',
        _ => ']',
    };
    if first == '\u{1b}' {
        chars.next();
    }
    if kind == '[' {
        while chars.next_if(|c| (' '..='?').contains(c)).is_some() {}
        chars.next_if(|c| ('@'..='~').contains(c));
        return;
    }
    let mut ahead = chars.clone();
    for _ in 0..LONGEST_SEQUENCE {
        match ahead.next() {
            Some('\u{7}' | '\u{9c}') => {
                *chars = ahead;
                return;
            }
            Some('\u{1b}') => {
                if ahead.next_if_eq(&'\\').is_some() {
                    *chars = ahead;
                }
                return;
            }
            Some(_) => {}
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_in_any_script_stays_as_it_is() {
        for text in ["", "ok", "größer", "数据库 异常", "é = e\u{301}", "🔥"] {
            assert!(matches!(harmless(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    #[test]
    fn escape_sequences_go_as_a_whole() {
        assert_eq!(harmless("a\x1b[31mred\x1b[0m"), "a\u{fffd}red\u{fffd}");
        assert_eq!(harmless("a\x1b]0;title\x07b"), "a\u{fffd}b");
        assert_eq!(harmless("a\x1b]52;c;ZXZpbA==\x1b\\b"), "a\u{fffd}b");
        assert_eq!(harmless("a\x1b(0b"), "a\u{fffd}b");
        assert_eq!(harmless("a\u{9b}2Jb"), "a\u{fffd}b");
        assert_eq!(harmless("end\x1b"), "end\u{fffd}");
    }

    #[test]
    fn an_unfinished_string_does_not_swallow_the_text() {
        let shown = harmless("\x1b]0;never ended");
        assert_eq!(shown, "\u{fffd}0;never ended");
    }

    #[test]
    fn bidi_and_invisible_characters_are_made_visible() {
        assert_eq!(harmless("user\u{202e}txt.exe"), "user\u{fffd}txt.exe");
        assert_eq!(harmless("a\u{200b}b\u{feff}c\u{2066}"), "a\u{fffd}b\u{fffd}c\u{fffd}");
        assert_eq!(harmless("\u{e0041}"), "\u{fffd}");
    }

    #[test]
    fn lines_and_tabs_become_spaces() {
        assert_eq!(harmless("one\r\ntwo\tthree\n"), "one two three ");
        assert_eq!(harmless("a\rb"), "a\u{fffd}b");
    }

    #[test]
    fn long_text_is_cut_with_an_ellipsis() {
        assert_eq!(harmless_within("abcdef", 6), "abcdef");
        assert_eq!(harmless_within("abcdefg", 6), "abcde…");
        assert_eq!(harmless_within(&"x".repeat(1_000_000), 3), "xx…");
        assert_eq!(harmless_within("abc", 0), "…");
    }

    proptest::proptest! {
        #[test]
        fn nothing_harmful_ever_remains(text in "\\PC*|[\\x00-\\x9f\\u{200b}-\\u{206f}]*", most in 0_usize..40) {
            proptest::prop_assert!(!harmless(&text).contains(is_harmful));
            let short = harmless_within(&text, most);
            proptest::prop_assert!(!short.contains(is_harmful));
            proptest::prop_assert!(short.chars().count() <= most.max(1));
        }
    }
}
