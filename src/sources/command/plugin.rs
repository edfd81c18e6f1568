//! What monitoring plugins print: a line for people, and numbers after `|`.
//!
//! Nagios Plugins Development Guidelines, "Plugin Output for Nagios" and
//! "Performance data"; several lines as Nagios 3 and later allow them.

use crate::domain::{Num, harmless_within};

/// Numbers beyond these are dropped.
const MOST_NUMBERS: usize = 100;

/// A plugin's output.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Output {
    /// The first line, without numbers.
    pub(super) summary: String,
    /// Name and value.
    pub(super) numbers: Vec<(String, Num)>,
}

/// Reads a plugin's output.
pub(super) fn read(bytes: &[u8]) -> Output {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.lines().skip_while(|line| line.trim().is_empty());
    let first = lines.next().unwrap_or_default();
    let (summary, numbers) = split(first);
    let mut output = Output { summary: harmless_within(summary.trim(), 200), numbers: Vec::new() };
    perfdata(numbers, &mut output.numbers);
    // In the longer text, numbers begin after the next `|` and go on to the end.
    let mut in_numbers = false;
    for line in lines {
        if in_numbers {
            perfdata(line, &mut output.numbers);
        } else if let Some((_, numbers)) = line.split_once('|') {
            in_numbers = true;
            perfdata(numbers, &mut output.numbers);
        }
    }
    output
}

fn split(line: &str) -> (&str, &str) {
    line.split_once('|').unwrap_or((line, ""))
}

/// `'label'=value[UOM];warn;crit;min;max`, parted by blanks; a quote in a label is doubled.
fn perfdata(mut text: &str, into: &mut Vec<(String, Num)>) {
    loop {
        text = text.trim_start();
        if text.is_empty() || into.len() >= MOST_NUMBERS {
            return;
        }
        let Some((label, rest)) = label(text) else {
            let Some((_, rest)) = text.split_once(char::is_whitespace) else { return };
            text = rest;
            continue;
        };
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let value = rest[..end].split(';').next().unwrap_or_default();
        if let Some((number, unit)) = number(value) {
            let label = harmless_within(&label, 60);
            let name = if unit.is_empty() { label } else { format!("{label} ({unit})") };
            into.push((name, Num(number)));
        }
        text = &rest[end..];
    }
}

/// A label and what stands after its `=`.
fn label(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('\'') else {
        let end = text.find(|c: char| c == '=' || c.is_whitespace())?;
        return text[end..].strip_prefix('=').map(|rest| (text[..end].to_owned(), rest));
    };
    let mut label = String::new();
    let mut chars = quoted.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c != '\'' {
            label.push(c);
        } else if chars.next_if(|(_, next)| *next == '\'').is_some() {
            label.push('\'');
        } else {
            return quoted[at + 1..].strip_prefix('=').map(|rest| (label, rest));
        }
    }
    None
}

/// A number and its unit: `12.5ms`, `83%`, `U` for none.
fn number(text: &str) -> Option<(f64, String)> {
    let end = text
        .char_indices()
        .find(|(at, c)| {
            let sign = matches!(c, '+' | '-') && (*at == 0 || text[..*at].ends_with(['e', 'E']));
            let exponent = matches!(c, 'e' | 'E')
                && text[at + 1..]
                    .starts_with(|next: char| next.is_ascii_digit() || "+-".contains(next));
            !(c.is_ascii_digit() || *c == '.' || *c == ',' || sign || exponent)
        })
        .map_or(text.len(), |(at, _)| at);
    let value: f64 = text[..end].replace(',', ".").parse().ok()?;
    value.is_finite().then(|| (value, harmless_within(text[end..].trim(), 8)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(text: &str) -> Vec<(String, f64)> {
        read(text.as_bytes()).numbers.into_iter().map(|(name, value)| (name, value.0)).collect()
    }

    #[test]
    fn the_first_line_and_its_numbers_are_read() {
        let out = read(b"PING OK - RTA = 0.05 ms|rta=0.050000ms;100;500;0 pl=0%;20;60;0\n");
        assert_eq!(out.summary, "PING OK - RTA = 0.05 ms");
        assert_eq!(out.numbers, [("rta (ms)".into(), Num(0.05)), ("pl (%)".into(), Num(0.0))]);
    }

    #[test]
    fn numbers_may_stand_in_several_lines() {
        let text =
            "DISK OK | /=2643MB;5948;5958;0;5968\nlong text\nmore | /boot=68MB;88\n/home=69357MB\n";
        let expected = [("/ (MB)", 2643.0), ("/boot (MB)", 68.0), ("/home (MB)", 69357.0)];
        assert_eq!(numbers(text), expected.map(|(name, value)| (name.to_owned(), value)));
    }

    #[test]
    fn labels_may_be_quoted_and_odd_values_are_left_out() {
        let text = "ok | 'a b''s'=1e3c;2 x=U y=-1.5 junk z=1,5s 'open=3 w=NaN";
        let expected = [("a b's (c)", 1000.0), ("y", -1.5), ("z (s)", 1.5)];
        assert_eq!(numbers(text), expected.map(|(name, value)| (name.to_owned(), value)));
    }

    #[test]
    fn hostile_output_is_bounded_and_harmless() {
        let out = read(b"\n\x1b[2Jgone \xff|a=1\n");
        assert_eq!(out.summary, "\u{fffd}gone \u{fffd}");
        let many = format!("x|{}", "a=1 ".repeat(5_000));
        assert_eq!(numbers(&many).len(), MOST_NUMBERS);
        assert_eq!(read(b""), Output::default());
    }
}
