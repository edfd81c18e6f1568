//! What is remembered of a command's output while it passes by: its last
//! lines, and as much as is held against a pattern.

use crate::domain::harmless_within;

/// A line that is longer is no value, and no sentence.
const LONGEST_LINE: usize = 16 * 1024;
/// So much of the beginning, and of the end, is held against a pattern.
const SAMPLE: usize = 1024 * 1024;
/// A last line that is longer explains nothing at a glance.
const SHORT: usize = 160;

/// The last line with something in it.
#[derive(Debug, Default)]
pub(super) struct LastLine {
    last: Vec<u8>,
    current: Vec<u8>,
    too_long: bool,
    last_too_long: bool,
}

impl LastLine {
    pub(super) fn take(&mut self, bytes: &[u8]) {
        let mut lines = bytes.split(|byte| *byte == b'\n');
        if let Some(rest) = lines.next() {
            self.add(rest);
        }
        for next in lines {
            self.end_line();
            self.add(next);
        }
    }

    fn add(&mut self, bytes: &[u8]) {
        let room = LONGEST_LINE - self.current.len();
        self.too_long |= bytes.len() > room;
        self.current.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn end_line(&mut self) {
        if self.current.iter().any(|byte| !byte.is_ascii_whitespace()) {
            std::mem::swap(&mut self.last, &mut self.current);
            self.last_too_long = self.too_long;
        }
        self.current.clear();
        self.too_long = false;
    }

    /// It, without blanks at its end; none where there is none, where it is too
    /// long to be a value, and where no variable could hold it.
    pub(super) fn value(&mut self) -> Option<String> {
        self.end_line();
        let line = String::from_utf8_lossy(&self.last);
        let line = line.trim_end();
        (!line.is_empty() && !self.last_too_long && !line.contains('\0')).then(|| line.to_owned())
    }

    /// It, where it is short enough to explain something.
    pub(super) fn words(&mut self) -> Option<String> {
        let line = self.value()?;
        // Of a progress line the last that was to be seen.
        let seen = line.rsplit('\r').find(|part| !part.trim().is_empty())?.trim();
        (seen.chars().count() <= SHORT).then(|| harmless_within(seen, SHORT))
    }
}

/// Beginning and end of an output, to be held against a pattern.
#[derive(Debug, Default)]
pub(super) struct Sample {
    head: Vec<u8>,
    tail: Vec<u8>,
    left_out: bool,
}

impl Sample {
    pub(super) fn take(&mut self, bytes: &[u8]) {
        let room = SAMPLE - self.head.len();
        let (head, rest) = bytes.split_at(bytes.len().min(room));
        self.head.extend_from_slice(head);
        self.tail.extend_from_slice(rest);
        if self.tail.len() > 2 * SAMPLE {
            self.left_out = true;
            self.tail.drain(..self.tail.len() - SAMPLE);
        }
    }

    /// Whether the pattern is found in it.
    pub(super) fn matches(&self, pattern: &regex::Regex) -> bool {
        if self.left_out {
            let found = |part: &[u8]| pattern.is_match(&String::from_utf8_lossy(part));
            return found(&self.head) || found(&self.tail);
        }
        let whole = [self.head.as_slice(), &self.tail].concat();
        pattern.is_match(&String::from_utf8_lossy(&whole))
    }

    /// Whether it is not all of the output.
    pub(super) fn left_out(&self) -> bool {
        self.left_out
    }

    /// All of it as text; none where some of it was left out.
    pub(super) fn whole(&self) -> Option<String> {
        let whole = [self.head.as_slice(), &self.tail].concat();
        (!self.left_out).then(|| String::from_utf8_lossy(&whole).into_owned())
    }
}

/// The pattern of an `expect=/…/`: `^` and `$` are ends of lines, as with grep.
pub(super) fn pattern(text: &str) -> Result<regex::Regex, String> {
    let built = regex::RegexBuilder::new(text).multi_line(true).build();
    built.map_err(|error| format!("the pattern /{text}/ cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(pieces: &[&str]) -> Option<String> {
        let mut line = LastLine::default();
        for piece in pieces {
            line.take(piece.as_bytes());
        }
        line.value()
    }

    #[test]
    fn the_last_line_is_the_last_with_something_in_it_however_it_comes() {
        assert_eq!(last(&["v1\nv2\n"]).as_deref(), Some("v2"));
        assert_eq!(last(&["v1\nv", "2", "\r\n", "\n  \n"]).as_deref(), Some("v2"));
        assert_eq!(last(&["v1\nv2"]).as_deref(), Some("v2"));
        assert_eq!(last(&["  a b "]).as_deref(), Some("  a b"));
        assert_eq!(last(&["", "\n\n"]), None);
    }

    #[test]
    fn what_no_variable_can_hold_is_no_value() {
        assert_eq!(last(&["a\0b\n"]), None);
        let long = "x".repeat(LONGEST_LINE + 1);
        assert_eq!(last(&["v1\n", &long]), None);
        assert_eq!(last(&[&long, "\nv2\n"]).as_deref(), Some("v2"));
    }

    #[test]
    fn a_last_line_is_quoted_without_its_escapes_and_its_progress() {
        let mut line = LastLine::default();
        line.take(b"10%\r50%\r\x1b[31mno route\r\n");
        let words = line.words().unwrap();
        assert!(words.ends_with("no route") && !words.contains('\x1b'), "{words:?}");
    }

    #[test]
    fn a_pattern_looks_at_both_ends_of_an_output_without_end() {
        let mut sample = Sample::default();
        sample.take(b"begin\n");
        let much = vec![b'y'; 64 * 1024];
        for _ in 0..100 {
            sample.take(&much);
        }
        sample.take(b"\nend of it\n");
        let found = |text: &str| sample.matches(&pattern(text).unwrap());
        assert!(found("^begin$") && found("^end of it$") && !found("middle"));
        assert!(sample.left_out() && sample.whole().is_none());
        assert!(pattern("(").unwrap_err().contains("cannot be read"));
    }

    #[test]
    fn a_match_may_stand_across_head_and_tail() {
        let mut sample = Sample::default();
        sample.take(&vec![b'a'; SAMPLE - 2]);
        sample.take(b"done");
        assert!(sample.matches(&pattern("done$").unwrap()));
    }
}
