//! Numbers, durations and quoted texts.

/// Milliseconds in each unit of a duration, in the order in which they must stand.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// What a word that begins with a digit says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Quantity {
    /// A number.
    Number(f64),
    /// A duration in milliseconds.
    Millis(i64),
}

/// Why it says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadQuantity {
    /// It is neither a number nor a duration.
    Syntax,
    /// It is too large.
    Range,
}

/// Reads `1.5`, `0x1f`, `1_000`, `1e9`, `0755` (octal, as Go has it), `1h30m`.
pub(super) fn quantity(word: &str) -> Result<Quantity, BadQuantity> {
    let starts_as_number = word
        .bytes()
        .all(|b| b.is_ascii_hexdigit() || matches!(b, b'.' | b'_' | b'x' | b'X' | b'+' | b'-'));
    if starts_as_number {
        match number(word) {
            Err(BadQuantity::Syntax) => {}
            found => return found.map(Quantity::Number),
        }
    }
    millis(word).map(Quantity::Millis)
}

fn number(word: &str) -> Result<f64, BadQuantity> {
    let hex = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X"));
    let digits = hex.unwrap_or(word);
    let is_digit = |b: u8| if hex.is_some() { b.is_ascii_hexdigit() } else { b.is_ascii_digit() };
    // An underscore stands between digits, or between 0x and a digit.
    let bytes = digits.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        if *byte == b'_' {
            let before = if at == 0 { hex.is_some() } else { is_digit(bytes[at - 1]) };
            let after = bytes.get(at + 1).is_some_and(|b| is_digit(*b));
            if !before || !after {
                return Err(BadQuantity::Syntax);
            }
        }
    }
    let plain: String = digits.chars().filter(|c| *c != '_').collect();
    let value = if hex.is_some() {
        from_digits(&plain, 16)?
    } else if plain.len() > 1 && plain.starts_with('0') && plain.bytes().all(|b| b.is_ascii_digit())
    {
        if plain.bytes().all(|b| b < b'8') {
            from_digits(&plain, 8)?
        } else {
            plain.parse().map_err(|_| BadQuantity::Syntax)?
        }
    } else {
        if !plain.bytes().any(|b| b.is_ascii_digit()) {
            return Err(BadQuantity::Syntax);
        }
        plain.parse().map_err(|_| BadQuantity::Syntax)?
    };
    if value.is_infinite() { Err(BadQuantity::Range) } else { Ok(value) }
}

fn from_digits(digits: &str, base: u32) -> Result<f64, BadQuantity> {
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(base)) {
        return Err(BadQuantity::Syntax);
    }
    let value = i64::from_str_radix(digits, base).map_err(|_| BadQuantity::Range)?;
    Ok(value as f64)
}

/// Reads `1h30m`: units from large to small, each at most once.
fn millis(word: &str) -> Result<i64, BadQuantity> {
    let mut rest = word;
    let mut total = 0_u64;
    let mut units = UNITS.iter();
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (count, tail) = rest.split_at(digits);
        let letters = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, tail) = tail.split_at(letters);
        if count.is_empty() {
            return Err(BadQuantity::Syntax);
        }
        let Some((_, each)) = units.find(|(name, _)| *name == unit) else {
            return Err(BadQuantity::Syntax);
        };
        let count: u64 = count.parse().map_err(|_| BadQuantity::Range)?;
        total = count
            .checked_mul(*each)
            .and_then(|part| total.checked_add(part))
            .ok_or(BadQuantity::Range)?;
        rest = tail;
    }
    // As a Go duration, in nanoseconds.
    let longest = i64::MAX / 1_000_000;
    i64::try_from(total).ok().filter(|total| *total <= longest).ok_or(BadQuantity::Range)
}

/// Writes milliseconds as a duration that reads back: `1h30m`.
pub(super) fn duration_text(millis: u128) -> String {
    if millis == 0 {
        return "0s".to_owned();
    }
    let mut rest = millis;
    let mut text = String::new();
    for (unit, each) in UNITS.iter().skip(2) {
        let count = rest / u128::from(*each);
        if count > 0 {
            text.push_str(&count.to_string());
            text.push_str(unit);
            rest %= u128::from(*each);
        }
    }
    text
}

/// What is wrong in a quoted text, and how many bytes after its first quote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BadText {
    /// In words.
    pub(super) message: String,
    /// Bytes from the opening quote.
    pub(super) at: usize,
}

/// Reads a quoted text from the beginning of `text`; gives it and its length in
/// bytes with both quotes. Escapes are those of Go; bytes that are no UTF-8
/// become U+FFFD.
pub(super) fn quoted(text: &str) -> Result<(String, usize), BadText> {
    let bad = |message: String, at: usize| Err(BadText { message, at });
    let bytes = text.as_bytes();
    let Some(&quote) = bytes.first() else {
        return bad("a quoted text is missing".to_owned(), 0);
    };
    if quote == b'`' {
        return match text[1..].find('`') {
            Some(length) => Ok((text[1..=length].to_owned(), length + 2)),
            None => bad("this raw text has no closing `".to_owned(), text.len()),
        };
    }
    let mut out: Vec<u8> = Vec::new();
    let mut at = 1;
    loop {
        match bytes.get(at) {
            None | Some(b'\n') => {
                let quote = char::from(quote);
                return bad(format!("this text has no closing {quote}"), at);
            }
            Some(&byte) if byte == quote => {
                return Ok((String::from_utf8_lossy(&out).into_owned(), at + 1));
            }
            Some(b'\\') => {
                let (eaten, place) = (escape(&text[at..], quote, &mut out), at);
                match eaten {
                    Ok(length) => at += length,
                    Err(message) => return bad(message, place),
                }
            }
            Some(&byte) => {
                out.push(byte);
                at += 1;
            }
        }
    }
}

/// Reads one escape; gives its length.
fn escape(text: &str, quote: u8, out: &mut Vec<u8>) -> Result<usize, String> {
    let Some(letter) = text[1..].chars().next() else {
        return Err("the text ends within an escape".to_owned());
    };
    let digits = |from: usize, count: usize, base: u32| -> Result<u32, String> {
        let digits = text.get(from..from + count).filter(|d| d.chars().all(|c| c.is_digit(base)));
        digits
            .and_then(|digits| u32::from_str_radix(digits, base).ok())
            .ok_or_else(|| format!("\\{letter} must be followed by {count} digits of base {base}"))
    };
    let simple = match letter {
        'a' => 7,
        'b' => 8,
        'f' => 12,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 11,
        '\\' => b'\\',
        '"' | '\'' if letter == char::from(quote) => quote,
        'x' => {
            out.push(u8::try_from(digits(2, 2, 16)?).unwrap_or_default());
            return Ok(4);
        }
        '0'..='7' => {
            let value = digits(1, 3, 8)?;
            out.push(u8::try_from(value).map_err(|_| "an octal escape ends at \\377".to_owned())?);
            return Ok(4);
        }
        'u' | 'U' => {
            let count = if letter == 'u' { 4 } else { 8 };
            let value = digits(2, count, 16)?;
            let Some(found) = char::from_u32(value) else {
                return Err(format!("U+{value:04X} is no character"));
            };
            out.extend_from_slice(found.encode_utf8(&mut [0; 4]).as_bytes());
            return Ok(2 + count);
        }
        _ => {
            return Err(format!(
                "unknown escape \\{letter}; allowed: \\a \\b \\f \\n \\r \\t \\v \\\\ the quote, \\x, \\u, \\U and octal"
            ));
        }
    };
    out.push(simple);
    Ok(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_in_prometheus() {
        for (word, value) in [
            ("1", 1.0),
            ("0xc", 12.0),
            ("0755", 493.0),
            ("5.", 5.0),
            (".5", 0.5),
            ("1e-3", 0.001),
            ("1_000", 1000.0),
            ("0x_ff", 255.0),
            ("089", 89.0),
        ] {
            assert_eq!(quantity(word), Ok(Quantity::Number(value)), "{word}");
        }
        assert_eq!(quantity("1__0"), Err(BadQuantity::Syntax));
        assert_eq!(quantity(&"9".repeat(400)), Err(BadQuantity::Range));
    }

    #[test]
    fn durations_go_from_large_to_small_units() {
        assert_eq!(quantity("1h30m"), Ok(Quantity::Millis(5_400_000)));
        assert_eq!(quantity("1d"), Ok(Quantity::Millis(86_400_000)));
        assert_eq!(quantity("1001ms"), Ok(Quantity::Millis(1001)));
        for bad in ["5m1m", "5m1", "5mm", "1m1h", "m", "1x"] {
            assert_eq!(quantity(bad), Err(BadQuantity::Syntax), "{bad}");
        }
        assert_eq!(quantity("99999999999y"), Err(BadQuantity::Range));
        assert_eq!(duration_text(5_400_001), "1h30m1ms");
    }

    #[test]
    fn texts_take_the_escapes_of_go() {
        assert_eq!(quoted(r#""a\"\x41\102\u263a" x"#), Ok(("a\"AB\u{263a}".to_owned(), 19)));
        assert_eq!(quoted("`\\n`"), Ok(("\\n".to_owned(), 4)));
        assert!(quoted(r#""\c""#).is_err());
        assert!(quoted("\"\\").is_err());
        assert!(quoted("\"a\nb\"").is_err());
        assert_eq!(quoted("\"é").unwrap_err().at, 3);
    }
}
