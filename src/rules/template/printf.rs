//! Go's Print, Println and Printf, as far as templates reach them.

use super::number;
use super::value::Value;
use std::fmt::Write;

/// The widest that a format may ask for.
const WIDEST: usize = 1_024;

/// `print`: a space between two that are no text.
pub(super) fn print(values: &[Value]) -> String {
    let mut text = String::new();
    for (i, value) in values.iter().enumerate() {
        let is_text = |value: &Value| matches!(value, Value::Text(_));
        if i > 0 && !is_text(value) && !is_text(&values[i - 1]) {
            text.push(' ');
        }
        text.push_str(&bare(value));
    }
    text
}

/// `println`
pub(super) fn println(values: &[Value]) -> String {
    let values: Vec<String> = values.iter().map(bare).collect();
    values.join(" ") + "\n"
}

/// As `%v` has it.
fn bare(value: &Value) -> String {
    match value {
        Value::Missing => "<nil>".into(),
        Value::Sample(..) => format!("&{}", value.printed()),
        _ => value.printed(),
    }
}

/// A Go string literal.
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{b}' => quoted.push_str("\\v"),
            '\u{c}' => quoted.push_str("\\f"),
            // Writing into a string does not fail.
            c if c.is_ascii_control() => {
                let _ = write!(quoted, "\\x{:02x}", u32::from(c));
            }
            c if c.is_control() || c == '\u{feff}' => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "one for each flag that Go has")]
struct Flags {
    minus: bool,
    plus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

struct Format<'v> {
    values: &'v [Value],
    next: usize,
    reordered: bool,
    /// An index in brackets meant nothing.
    bad_index: bool,
}

/// `printf`
pub(super) fn printf(format: &str, values: &[Value]) -> String {
    let mut text = String::new();
    let mut state = Format { values, next: 0, reordered: false, bad_index: false };
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        rest = state.one(rest, &mut text);
    }
    text.push_str(rest);
    if !state.reordered && state.next < values.len() {
        let extra: Vec<String> = values[state.next..]
            .iter()
            .map(|value| match value {
                Value::Missing => "<nil>".into(),
                _ => format!("{}={}", value.type_name(), bare(value)),
            })
            .collect();
        let _ = write!(text, "%!(EXTRA {})", extra.join(", "));
    }
    text
}

impl Format<'_> {
    /// `[3]`: which value comes next.
    fn index<'t>(&mut self, rest: &'t str) -> &'t str {
        let Some(inside) = rest.strip_prefix('[') else { return rest };
        self.reordered = true;
        let Some(end) = inside.find(']') else {
            self.bad_index = true;
            return inside;
        };
        match inside[..end].parse::<usize>() {
            Ok(index) if index >= 1 && index <= self.values.len() => self.next = index - 1,
            _ => self.bad_index = true,
        }
        &inside[end + 1..]
    }

    /// A number, or `*` and the value that has it; `None` where neither stands.
    fn size<'t>(&mut self, rest: &'t str, text: &mut String, bad: &str) -> (Option<i64>, &'t str) {
        if let Some(after) = rest.strip_prefix('*') {
            let given = self.values.get(self.next);
            self.next += 1;
            return match given {
                Some(Value::Int(size)) if size.unsigned_abs() <= WIDEST as u64 => {
                    (Some(*size), after)
                }
                _ => {
                    text.push_str(bad);
                    (None, after)
                }
            };
        }
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let size = rest[..digits]
            .parse()
            .ok()
            .map(|size: i64| size.min(i64::try_from(WIDEST).unwrap_or(i64::MAX)));
        (size, &rest[digits..])
    }

    fn one<'t>(&mut self, mut rest: &'t str, text: &mut String) -> &'t str {
        let mut flags = Flags::default();
        loop {
            match rest.bytes().next() {
                Some(b'-') => (flags.minus, flags.zero) = (true, false),
                Some(b'+') => flags.plus = true,
                Some(b'#') => flags.sharp = true,
                Some(b' ') => flags.space = true,
                Some(b'0') => flags.zero = !flags.minus,
                _ => break,
            }
            rest = &rest[1..];
        }
        self.bad_index = false;
        rest = self.index(rest);
        let (width, after) = self.size(rest, text, "%!(BADWIDTH)");
        rest = after;
        if let Some(width) = width {
            if width < 0 {
                (flags.minus, flags.zero) = (true, false);
            }
            flags.width = usize::try_from(width.unsigned_abs()).ok();
        }
        if let Some(after) = rest.strip_prefix('.') {
            let after = self.index(after);
            let (precision, after) = self.size(after, text, "%!(BADPREC)");
            flags.precision = Some(usize::try_from(precision.unwrap_or(0)).unwrap_or(0));
            rest = after;
        }
        rest = self.index(rest);
        let Some(verb) = rest.chars().next() else {
            text.push_str("%!(NOVERB)");
            return rest;
        };
        rest = &rest[verb.len_utf8()..];
        if verb == '%' {
            text.push('%');
        } else if self.bad_index {
            let _ = write!(text, "%!{verb}(BADINDEX)");
        } else if let Some(value) = self.values.get(self.next) {
            self.next += 1;
            text.push_str(&formatted(value, verb, &flags));
        } else {
            let _ = write!(text, "%!{verb}(MISSING)");
        }
        rest
    }
}

fn formatted(value: &Value, verb: char, flags: &Flags) -> String {
    match (verb, value) {
        ('T' | 'v', Value::Missing) => return padded("<nil>".into(), flags),
        ('T', _) => return padded(value.type_name().into(), flags),
        (_, Value::Missing) => return format!("%!{verb}(<nil>)"),
        _ => {}
    }
    let formatted = match value {
        Value::Bool(held) => matches!(verb, 't' | 'v').then(|| padded(held.to_string(), flags)),
        Value::Int(held) => int(*held, verb, flags),
        Value::Float(held) => float(*held, verb, flags),
        Value::Text(held) => text(held, verb, flags),
        Value::Moment(_) | Value::Span(_) if matches!(verb, 's' | 'v') => {
            Some(padded(value.printed(), flags))
        }
        // Each part by itself, in Go's brackets.
        Value::Labels(labels) => {
            let entries = labels.iter().map(|(name, value)| {
                let part = |text: &str| formatted_text(text, verb, flags);
                format!("{}:{}", part(name), part(value))
            });
            Some(format!("map[{}]", entries.collect::<Vec<_>>().join(" ")))
        }
        _ => matches!(verb, 'v' | 's').then(|| padded(bare(value), flags)),
    };
    formatted.unwrap_or_else(|| format!("%!{verb}({}={})", value.type_name(), bare(value)))
}

fn formatted_text(held: &str, verb: char, flags: &Flags) -> String {
    text(held, verb, flags).unwrap_or_else(|| format!("%!{verb}(string={held})"))
}

fn padded(text: String, flags: &Flags) -> String {
    let (width, length) = (flags.width.unwrap_or(0), text.chars().count());
    if length >= width {
        return text;
    }
    let missing = width - length;
    if flags.minus {
        text + &" ".repeat(missing)
    } else {
        (if flags.zero { "0" } else { " " }).repeat(missing) + &text
    }
}

/// Zeros go between sign and digits.
fn padded_number(text: String, flags: &Flags) -> String {
    let (width, length) = (flags.width.unwrap_or(0), text.chars().count());
    if !flags.zero || length >= width {
        return padded(text, &Flags { zero: false, ..copied(flags) });
    }
    let (sign, digits) = match text.strip_prefix(['+', '-', ' ']) {
        Some(digits) => text.split_at(text.len() - digits.len()),
        None => ("", text.as_str()),
    };
    format!("{sign}{}{digits}", "0".repeat(width - length))
}

fn copied(flags: &Flags) -> Flags {
    Flags {
        width: flags.width,
        precision: flags.precision,
        ..Flags { minus: flags.minus, ..Flags::default() }
    }
}

fn signed(text: String, flags: &Flags) -> String {
    match text.strip_prefix('+') {
        Some(rest) if !flags.plus => {
            if flags.space {
                format!(" {rest}")
            } else {
                rest.to_owned()
            }
        }
        None if !text.starts_with('-') && flags.plus => format!("+{text}"),
        None if !text.starts_with('-') && flags.space => format!(" {text}"),
        _ => text,
    }
}

fn int(value: i64, verb: char, flags: &Flags) -> Option<String> {
    let size = value.unsigned_abs();
    let digits = match verb {
        'd' | 'v' => size.to_string(),
        'x' => format!("{}{size:x}", if flags.sharp { "0x" } else { "" }),
        'X' => format!("{}{size:X}", if flags.sharp { "0X" } else { "" }),
        'o' => format!("{}{size:o}", if flags.sharp { "0" } else { "" }),
        'O' => format!("0o{size:o}"),
        'b' => format!("{}{size:b}", if flags.sharp { "0b" } else { "" }),
        'c' | 'q' | 'U' => {
            let c = u32::try_from(value).ok().and_then(char::from_u32).unwrap_or('\u{fffd}');
            let text = match verb {
                'c' => c.to_string(),
                'q' => format!("'{c}'"),
                _ => format!("U+{:04X}", u32::from(c)),
            };
            return Some(padded(text, flags));
        }
        _ => return None,
    };
    let digits = match flags.precision {
        Some(0) if value == 0 => String::new(),
        Some(precision) if digits.len() < precision => {
            "0".repeat(precision - digits.len()) + &digits
        }
        _ => digits,
    };
    let text = if value < 0 { format!("-{digits}") } else { digits };
    let text = signed(text, flags);
    Some(if flags.precision.is_some() {
        padded(text, &Flags { zero: false, ..copied(flags) })
    } else {
        padded_number(text, flags)
    })
}

fn float(value: f64, verb: char, flags: &Flags) -> Option<String> {
    let six = flags.precision.unwrap_or(6);
    let text = match verb {
        'v' | 'g' => number::general(value, flags.precision),
        'G' => number::general(value, flags.precision).replace('e', "E"),
        'f' | 'F' => number::fixed(value, six),
        'e' => number::scientific(value, six),
        'E' => number::scientific(value, six).replace('e', "E"),
        _ => return None,
    };
    let text = if value == f64::INFINITY && verb == 'v' { text } else { signed(text, flags) };
    if value.is_finite() {
        Some(padded_number(text, flags))
    } else {
        Some(padded(text, &Flags { zero: false, ..copied(flags) }))
    }
}

fn text(value: &str, verb: char, flags: &Flags) -> Option<String> {
    let cut: String = match flags.precision {
        Some(precision) => value.chars().take(precision).collect(),
        None => value.to_owned(),
    };
    let hex = |upper: bool| {
        cut.bytes().fold(String::new(), |mut text, byte| {
            // Writing into a string does not fail.
            let _ = if upper { write!(text, "{byte:02X}") } else { write!(text, "{byte:02x}") };
            text
        })
    };
    Some(padded(
        match verb {
            's' | 'v' => cut,
            'q' if flags.sharp && !cut.contains('`') => format!("`{cut}`"),
            'q' => quote(&cut),
            'x' => hex(false),
            'X' => hex(true),
            _ => return None,
        },
        flags,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_read_as_in_go() {
        let float = Value::Float;
        let int = Value::Int;
        let words = |text: &str| Value::text(text);
        for (format, values, expected) in [
            ("%.2f%%", vec![float(12.345)], "12.35%"),
            (
                "%5.1f|%-7.2f|%07.2f|%+.0f",
                vec![float(1.25), float(2.5), float(-3.5), float(4.0)],
                "  1.2|2.50   |-003.50|+4",
            ),
            ("%d", vec![float(5.0)], "%!d(float64=5)"),
            (
                "%d %5d %-5d| %05d %x %#x %o %b",
                (0..8).map(|_| int(42)).collect(),
                "42    42 42   | 00042 2a 0x2a 52 101010",
            ),
            (
                "%s %q %8s %-8s| %.2s %x",
                (0..6).map(|_| words("abc")).collect(),
                "abc \"abc\"      abc abc     | ab 616263",
            ),
            ("%v %v %v", vec![float(1e6), words("x"), Value::Bool(true)], "1e+06 x true"),
            ("%s", vec![int(1)], "%!s(int=1)"),
            ("%d %d", vec![int(1)], "1 %!d(MISSING)"),
            ("x", vec![int(1)], "x%!(EXTRA int=1)"),
            ("%", vec![], "%!(NOVERB)"),
            ("%!", vec![], "%!!(MISSING)"),
            ("%[2]d %[1]d", vec![int(1), int(2)], "2 1"),
            ("%*d|%-*d|", vec![int(5), int(42), int(4), int(7)], "   42|7   |"),
            (
                "%e %g %.3g %G",
                vec![float(1234.5), float(1e-7), float(1234.5), float(1e20)],
                "1.234500e+03 1e-07 1.23e+03 1E+20",
            ),
            ("%c %U %q", vec![int(65), int(233), int(65)], "A U+00E9 'A'"),
            ("%t %T", vec![Value::Bool(false), float(1.0)], "false float64"),
            ("% d %+d", vec![int(5), int(5)], " 5 +5"),
            ("%.3d", vec![int(5)], "005"),
            ("%[5]d", vec![int(5)], "%!d(BADINDEX)"),
            ("%z", vec![int(1)], "%!z(int=1)"),
        ] {
            assert_eq!(printf(format, &values), expected, "{format}");
        }
    }

    #[test]
    fn spaces_stand_between_what_is_no_text() {
        let values =
            [Value::Int(1), Value::Int(2), Value::text("a"), Value::text("b"), Value::Int(3)];
        assert_eq!(print(&values), "1 2ab3");
        assert_eq!(println(&values[..2]), "1 2\n");
    }
}
