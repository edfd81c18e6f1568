//! Values of variables: what they have to look like before a command gets them.
//!
//! A shell that gets a value by name cannot be tricked by it as long as the
//! value stays a value. `ssh`, `eval`, `sh -c`, arithmetic and a leading `-`
//! make words of it again: so what goes into a changing step, or into a place
//! that reads values as text, has to match a whole pattern.

use crate::domain::harmless_within;
use regex::{Regex, RegexBuilder};

/// What a value has to match that has no pattern of its own.
pub const USUAL: &str = "[A-Za-z0-9][A-Za-z0-9._:@/-]{0,127}";

/// No value is longer, in bytes: an environment holds only so much.
pub const LONGEST: usize = 32 * 1024;

/// So many characters of a value are repeated in a message.
const SHOWN: usize = 60;

/// Whether a value may go into a changing step: whether the whole of it
/// matches its own pattern, or the usual one. Words for the operator where not.
pub fn fits(pattern: Option<&str>, value: &str) -> Result<(), String> {
    is_plain(value)?;
    let shown = harmless_within(value, SHOWN);
    match pattern {
        None if usual(value) => Ok(()),
        None if value.is_empty() => Err("it is empty".into()),
        None => Err(format!(
            "`{shown}` holds characters that a shell could act upon; allowed are letters, digits and ._:@/- and no other at the beginning, 128 at most, unless the runbook gives a `match`"
        )),
        Some(own) => {
            if whole(own)?.is_match(value) {
                Ok(())
            } else if value.is_empty() {
                Err("it is empty".into())
            } else {
                Err(format!("`{shown}` does not match {}", harmless_within(own, SHOWN)))
            }
        }
    }
}

/// Whether a value may go into a step that only reads, as one quoted word: text
/// without control characters that no program takes for an option.
pub fn fits_reading(pattern: Option<&str>, value: &str) -> Result<(), String> {
    if pattern.is_some() {
        return fits(pattern, value);
    }
    is_plain(value)?;
    if value.starts_with('-') {
        let shown = harmless_within(value, SHOWN);
        return Err(format!("`{shown}` begins with -, as options do"));
    }
    Ok(())
}

/// A pattern, to be matched against a whole value and nothing less.
pub fn whole(pattern: &str) -> Result<Regex, String> {
    let build = |text: &str| RegexBuilder::new(text).size_limit(1 << 20).build();
    let wrong = |error: regex::Error| {
        let shown = harmless_within(pattern, SHOWN);
        let last = error.to_string();
        let why = last.lines().last().unwrap_or_default().trim_start_matches("error: ");
        format!("`{shown}` is no regular expression: {}", harmless_within(why, 120))
    };
    // First alone: `a)|(?:.*` must not become one by what is put around it.
    build(pattern).map_err(wrong)?;
    build(&format!(r"\A(?:{pattern})\z"))
        // A comment of `(?x)` goes on to the end of its line.
        .or_else(|_| build(&format!("\\A(?:{pattern}\n)\\z")))
        .map_err(wrong)
}

/// The pattern that these texts alone match.
pub fn one_of(choices: &[String]) -> String {
    choices.iter().map(|choice| regex::escape(choice)).collect::<Vec<_>>().join("|")
}

/// Whether an environment can hold it and a line can show it.
fn is_plain(value: &str) -> Result<(), String> {
    if value.len() > LONGEST {
        return Err(format!("it is longer than {} KiB", LONGEST / 1024));
    }
    if value.contains(char::is_control) {
        let shown = harmless_within(value, SHOWN);
        return Err(format!("`{shown}` holds line breaks or other control characters"));
    }
    Ok(())
}

/// [`USUAL`], by hand: it is asked often.
fn usual(value: &str) -> bool {
    let bytes = value.as_bytes();
    bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.len() <= 128
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"._:@/-".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_without_a_pattern_is_a_plain_word() {
        for good in
            ["v141", "10.0.0.1:9100", "api/health", "li@example", "a", "2026-11-21T03:00:00"]
        {
            assert_eq!(fits(None, good), Ok(()), "{good}");
        }
        let long = "a".repeat(129);
        for bad in [
            "", "-rf", "/etc", "$(id)", "a b", "a;b", "a\nb", "a\n", "é", "`id`", "a'b", "a\"b",
            "x[$(id)]", "a\0b", "~root", "a*", "..", &long,
        ] {
            assert!(fits(None, bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_usual_pattern_by_hand_says_what_the_expression_says() {
        let expression = whole(USUAL).unwrap();
        let mut texts: Vec<String> =
            (0..=255_u8).map(|byte| char::from(byte).to_string()).collect();
        texts.extend((0..=255_u8).map(|byte| format!("a{}", char::from(byte))));
        texts.extend([127, 128, 129].map(|length| "z".repeat(length)));
        for text in texts {
            assert_eq!(usual(&text), expression.is_match(&text), "{text:?}");
        }
    }

    #[test]
    fn a_pattern_is_held_against_the_whole_value_whatever_it_says() {
        for (pattern, good, bad) in [
            ("v[0-9]+", "v12", "v12;id"),
            ("a|b", "b", "ab"),
            ("(?m)^v1$", "v1", "v1\nrm"),
            ("^v1$", "v1", "xv1"),
            ("(?x) v1 # the first", "v1", "v1x"),
            ("a|", "", "b"),
            ("(?i)yes", "YES", "YES!"),
            (".*", "a b", "a\nb"),
            ("(?s).*", "a b", "a\nb"),
        ] {
            assert_eq!(fits(Some(pattern), good), Ok(()), "{pattern}");
            assert!(fits(Some(pattern), bad).is_err(), "{pattern} {bad:?}");
        }
    }

    #[test]
    fn a_pattern_cannot_step_out_of_what_is_put_around_it() {
        for pattern in ["a)|(?:.*", "a)|(.*", "(", "[", "a{2", "(?P<x>"] {
            assert!(fits(Some(pattern), "anything").is_err(), "{pattern}");
        }
        assert!(whole("(").unwrap_err().starts_with("`(` is no regular expression: "));
    }

    #[test]
    fn a_read_takes_any_text_that_is_no_option() {
        for good in ["a b", "/data", "5xx > 5%", "$(id)", ""] {
            assert_eq!(fits_reading(None, good), Ok(()), "{good}");
        }
        for bad in ["-delete", "a\nb", "a\u{1b}[2J", "\0"] {
            assert!(fits_reading(None, bad).is_err(), "{bad:?}");
        }
        assert!(fits_reading(Some("v1"), "v2").is_err());
    }

    #[test]
    fn choices_match_themselves_and_nothing_else() {
        let pattern = one_of(&["us east".into(), "a.b".into()]);
        assert_eq!(fits(Some(&pattern), "us east"), Ok(()));
        assert!(fits(Some(&pattern), "axb").is_err());
        assert!(fits(Some(&pattern), "us").is_err());
    }

    proptest::proptest! {
        #[test]
        fn nothing_that_the_usual_pattern_takes_means_anything_to_a_shell(
            value in "[a-c0-9/.$`;&|<>() \\-:@*?#~=%!\\n'\"\\\\\\[{]{1,4}"
        ) {
            let acted_upon = "$`;&|<>()\\\"' *?[#~=%!{\n";
            let acted_upon = value.starts_with('-') || value.contains(|c| acted_upon.contains(c));
            if acted_upon {
                proptest::prop_assert!(fits(None, &value).is_err());
            }
        }
    }
}
