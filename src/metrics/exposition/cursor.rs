//! A place in one line, and the tokens that both formats share.

use super::{Format, MAX_TEXT};
use crate::domain::harmless_within;
use std::borrow::Cow;

const LETTER: u8 = 1;
const DIGIT: u8 = 2;
const COLON: u8 = 3;

/// What each byte is in a bare name; 0 for what cannot be in one.
const NAME: [u8; 256] = {
    let mut kinds = [0; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        kinds[byte as usize] = if byte.is_ascii_alphabetic() || byte == b'_' {
            LETTER
        } else if byte.is_ascii_digit() {
            DIGIT
        } else if byte == b':' {
            COLON
        } else {
            0
        };
        byte += 1;
    }
    kinds
};

/// Why a line cannot be read: where in it, and what is wrong there.
pub(super) struct Fault {
    /// Bytes from the line's beginning.
    pub(super) at: usize,
    /// In words, harmless to show.
    pub(super) message: Cow<'static, str>,
}

/// A place in one line.
pub(super) struct Cursor<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
    pub(super) format: Format,
}

impl<'a> Cursor<'a> {
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    pub(super) fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
    }

    /// What stands between two parts of a line: any blanks in text, one space
    /// in OpenMetrics. Whether there was one.
    pub(super) fn gap(&mut self) -> bool {
        let from = self.at;
        match self.format {
            Format::Text => self.blanks(),
            Format::OpenMetrics => {
                self.take(b' ');
            }
        }
        self.at > from
    }

    pub(super) fn fault(&self, message: impl Into<Cow<'static, str>>) -> Fault {
        Fault { at: self.at, message: message.into() }
    }

    /// `expected a value, found "x"`.
    pub(super) fn expected(&self, what: &str) -> Fault {
        let found = match self.rest().chars().next() {
            None => "the end of the line".to_owned(),
            Some(c) => format!("\"{}\"", harmless_within(c.encode_utf8(&mut [0; 4]), 8)),
        };
        self.fault(format!("expected {what}, found {found}"))
    }

    /// A bare name: letters, digits and `_`, not beginning with a digit, and
    /// `:` where `colons` says so. Empty where none begins here.
    pub(super) fn bare_name(&mut self, colons: bool) -> &'a str {
        let rest = self.rest();
        let mut end = 0;
        for &byte in rest.as_bytes() {
            let kind = NAME[usize::from(byte)];
            if kind == 0 || (kind == DIGIT && end == 0) || (kind == COLON && !colons) {
                break;
            }
            end += 1;
        }
        self.at += end;
        &rest[..end]
    }

    /// A text in double quotes, unescaped: `\\`, `\"` and `\n`; any other
    /// backslash stands for itself, as in Prometheus.
    pub(super) fn quoted(&mut self) -> Result<Cow<'a, str>, Fault> {
        let from = self.at;
        self.at += 1;
        let rest = self.rest();
        let bytes = rest.as_bytes();
        let mut escapes = false;
        let mut end = 0;
        loop {
            match bytes.get(end) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escapes = true;
                    end += 2;
                }
                Some(_) => end += 1,
                None => return Err(Fault { at: from, message: "this quote has no end".into() }),
            }
        }
        if end > MAX_TEXT {
            let message = format!("a text of {end} bytes; at most {MAX_TEXT} are read");
            return Err(Fault { at: from, message: message.into() });
        }
        self.at += end + 1;
        let raw = &rest[..end];
        Ok(if escapes { Cow::Owned(unescaped(raw, true)) } else { Cow::Borrowed(raw) })
    }

    /// What stands here up to the next blank.
    pub(super) fn token(&mut self) -> &'a str {
        let rest = self.rest();
        let end = rest.bytes().position(|b| b == b' ' || b == b'\t').unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }
}

/// Without escapes; `\"` is one only where `quotes` says so.
pub(super) fn unescaped(raw: &str, quotes: bool) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        let (plain, taken) = match rest.as_bytes().get(at + 1) {
            Some(b'\\') => ("\\", 2),
            Some(b'n') => ("\n", 2),
            Some(b'"') if quotes => ("\"", 2),
            _ => ("\\", 1),
        };
        text.push_str(plain);
        rest = &rest[at + taken..];
    }
    text.push_str(rest);
    text
}
