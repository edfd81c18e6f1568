//! Regular expressions as Go reads them (RE2, its `regexp/syntax`), in the words of
//! the `regex` crate: the two differ in what is literal, in ASCII and in escapes.

use std::fmt::Write;

/// The most times that Go repeats anything.
const MOST_REPEATS: u32 = 1_000;

/// Classes that have a name.
const NAMED: &[&str] = &[
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
    "space", "upper", "word", "xdigit",
];

/// The same pattern for the `regex` crate.
///
/// # Errors
/// In words, where Go would not take it. What both refuse is left to the crate.
pub(crate) fn of_go(pattern: &str) -> Result<String, String> {
    let mut reader = Reader { rest: pattern, out: String::with_capacity(pattern.len()) };
    let mut repeated = false;
    let mut open = 0_usize;
    while let Some(next) = reader.rest.chars().next() {
        let before = std::mem::take(&mut repeated);
        match next {
            '*' | '+' | '?' => {
                let length = 1;
                reader.repeat(length, before)?;
                repeated = true;
            }
            '{' => match reader.counted()? {
                Some(length) => {
                    reader.repeat(length, before)?;
                    repeated = true;
                }
                None => reader.literal('{', 1),
            },
            '(' if reader.rest.starts_with("(?") => open += usize::from(reader.flags()?),
            '(' => {
                open += 1;
                reader.keep(1);
            }
            ')' => {
                open = open.checked_sub(1).ok_or("a ) closes nothing")?;
                reader.keep(1);
            }
            '|' | '^' | '$' | '.' => reader.keep(1),
            '[' => reader.class()?,
            '\\' => reader.escape()?,
            other => reader.literal(other, other.len_utf8()),
        }
    }
    if open > 0 { Err("a ( is not closed".to_owned()) } else { Ok(reader.out) }
}

struct Reader<'p> {
    rest: &'p str,
    out: String,
}

impl<'p> Reader<'p> {
    fn skip(&mut self, bytes: usize) -> &'p str {
        let (skipped, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        skipped
    }

    fn keep(&mut self, bytes: usize) {
        let kept = self.skip(bytes);
        self.out.push_str(kept);
    }

    fn literal(&mut self, char: char, bytes: usize) {
        self.skip(bytes);
        self.put(char);
    }

    /// A character that means itself.
    fn put(&mut self, char: char) {
        if char.is_alphanumeric() {
            self.out.push(char);
        } else {
            let _ = write!(self.out, "\\x{{{:x}}}", u32::from(char));
        }
    }

    /// `*`, `{2}` and the like, so many bytes; `?` after it makes it lazy.
    fn repeat(&mut self, length: usize, again: bool) -> Result<(), String> {
        let lazy = usize::from(self.rest[length..].starts_with('?'));
        if again {
            return Err(format!("{:?} repeats what is repeated", &self.rest[..length]));
        }
        self.keep(length + lazy);
        Ok(())
    }

    /// How long a `{2,3}` is that stands here; none where the brace is literal.
    fn counted(&self) -> Result<Option<usize>, String> {
        let Some((inside, _)) = self.rest[1..].split_once('}') else { return Ok(None) };
        let (least, most) = match inside.split_once(',') {
            Some((least, "")) => (least, None),
            Some((least, most)) => (least, Some(most)),
            None => (inside, Some(inside)),
        };
        let number = |text: &str| {
            let zeros = text.len() > 1 && text.starts_with('0');
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            (digits && !zeros).then(|| text.parse::<u32>().unwrap_or(u32::MAX))
        };
        let (Some(least), Some(most)) = (number(least), most.map_or(Some(0), number)) else {
            return Ok(None);
        };
        if least > MOST_REPEATS
            || most > MOST_REPEATS
            || (inside.contains(',') && !inside.ends_with(',') && most < least)
        {
            return Err(format!("{{{inside}}} is no number of times"));
        }
        Ok(Some(inside.len() + 2))
    }

    /// `(?flags)`, `(?flags:`, `(?P<name>` and `(?<name>`; whether a group begins.
    fn flags(&mut self) -> Result<bool, String> {
        let inside = &self.rest[2..];
        if inside.starts_with("P<") || inside.starts_with('<') {
            let Some(end) = inside.find('>') else {
                return Err("the name of a group does not end".to_owned());
            };
            let name = &inside[inside.find('<').unwrap_or(0) + 1..end];
            let word = |char: char| char.is_ascii_alphanumeric() || char == '_';
            if name.is_empty() || !name.chars().all(word) {
                return Err("a group has a name of letters, digits and _".to_owned());
            }
            // A name that begins with a digit is none for the crate; as a number it
            // is not asked by name anyway.
            let begins = name.starts_with(|first: char| first.is_ascii_digit());
            if begins {
                self.skip(2 + end + 1);
                self.out.push('(');
            } else {
                self.keep(2 + end + 1);
            }
            return Ok(true);
        }
        let Some(end) = inside.find([':', ')']) else {
            return Err("the flags of a group do not end".to_owned());
        };
        let (on, off) = match inside[..end].split_once('-') {
            Some((_, "")) => return Err("the flags of a group end with -".to_owned()),
            Some(both) => both,
            None => (&inside[..end], ""),
        };
        if let Some(flag) = on.chars().chain(off.chars()).find(|flag| !"imsU".contains(*flag)) {
            return Err(format!("{flag:?} is no flag of a group"));
        }
        let set = |flag: &char| on.contains(*flag) && !off.contains(*flag);
        let on: String = "imsU".chars().filter(set).collect();
        let off: String = "imsU".chars().filter(|flag| off.contains(*flag)).collect();
        let ends = &inside[end..=end];
        self.skip(2 + end + 1);
        let minus = if off.is_empty() { "" } else { "-" };
        if ends == ":" || !(on.is_empty() && off.is_empty()) {
            self.out.extend(["(?", &on, minus, &off, ends]);
        }
        Ok(ends == ":")
    }

    fn escape(&mut self) -> Result<(), String> {
        let Some(next) = self.rest[1..].chars().next() else {
            return Err("it ends with a \\".to_owned());
        };
        match next {
            // Of ASCII words is only \b; there is no such thing for the opposite.
            'A' | 'z' | 'B' => self.keep(2),
            'b' => {
                self.skip(2);
                self.out.push_str("(?-u:\\b)");
            }
            'Q' => {
                self.skip(2);
                let (quoted, rest) = self.rest.split_once("\\E").unwrap_or((self.rest, ""));
                quoted.chars().for_each(|char| self.put(char));
                self.rest = rest;
            }
            'p' | 'P' => self.unicode(next),
            _ => {
                if let Some((opposite, set)) = ascii_class(next) {
                    self.skip(2);
                    self.out.extend(["[", if opposite { "^" } else { "" }, set, "]"]);
                } else {
                    let char = self.char()?;
                    self.put(char);
                }
            }
        }
        Ok(())
    }

    /// `\pL`, `\p{Greek}`, `\p{^Greek}`
    fn unicode(&mut self, letter: char) {
        let Some(name) = self.rest[2..].strip_prefix("{^") else {
            self.keep(2);
            // The name itself, whatever it is.
            match self.rest.split_once('}') {
                Some((name, _)) if name.starts_with('{') => self.keep(name.len() + 1),
                _ => self.keep(self.rest.chars().next().map_or(0, char::len_utf8)),
            }
            return;
        };
        let end = name.find('}').map_or(name.len(), |end| end + 1);
        self.skip(4);
        self.out.push_str(if letter == 'p' { "\\P{" } else { "\\p{" });
        self.keep(end);
    }

    /// One character, escaped or not.
    fn char(&mut self) -> Result<char, String> {
        let mut chars = self.rest.chars();
        let wrong = |text: &str| {
            Err(format!("{:?} is no escape", text.chars().take(3).collect::<String>()))
        };
        match (chars.next(), chars.next()) {
            (Some('\\'), Some(next)) => {
                let digits = |from: usize, most: usize, radix: u32| {
                    let text = &self.rest[from..];
                    text.chars().take(most).take_while(|char| char.is_digit(radix)).count()
                };
                let (found, bytes) = match next {
                    'a' => (Some('\x07'), 2),
                    'f' => (Some('\x0c'), 2),
                    'n' => (Some('\n'), 2),
                    'r' => (Some('\r'), 2),
                    't' => (Some('\t'), 2),
                    'v' => (Some('\x0b'), 2),
                    '0'..='7' => {
                        let count = digits(1, 3, 8);
                        // One digit that is not zero would refer to a group.
                        if next != '0' && count < 2 {
                            return wrong(self.rest);
                        }
                        (of_digits(&self.rest[1..=count], 8), 1 + count)
                    }
                    'x' if self.rest[2..].starts_with('{') => {
                        let count = digits(3, usize::MAX, 16);
                        let ends = self.rest[3 + count..].starts_with('}');
                        (of_digits(&self.rest[3..3 + count], 16).filter(|_| ends), 4 + count)
                    }
                    'x' => {
                        let count = digits(2, 2, 16);
                        (of_digits(&self.rest[2..2 + count], 16).filter(|_| count == 2), 2 + count)
                    }
                    next if next.is_ascii() && !next.is_ascii_alphanumeric() => (Some(next), 2),
                    _ => (None, 0),
                };
                let Some(found) = found else { return wrong(self.rest) };
                self.skip(bytes);
                Ok(found)
            }
            (Some('\\'), None) => Err("it ends with a \\".to_owned()),
            (Some(char), _) => {
                self.skip(char.len_utf8());
                Ok(char)
            }
            (None, _) => Err("a [ is not closed".to_owned()),
        }
    }

    /// `[a-z]`, where `&&`, `--` and a second `[` mean nothing by themselves.
    fn class(&mut self) -> Result<(), String> {
        self.keep(1);
        if self.rest.starts_with('^') {
            self.keep(1);
        }
        let mut first = true;
        while first || !self.rest.starts_with(']') {
            first = false;
            if self.rest.is_empty() {
                return Err("a [ is not closed".to_owned());
            }
            if self.rest.starts_with("[:")
                && let Some(end) = self.rest.find(":]")
            {
                let name = &self.rest[2..end];
                if !NAMED.contains(&name.strip_prefix('^').unwrap_or(name)) {
                    return Err(format!("[:{name}:] is no class"));
                }
                self.keep(end + 2);
                continue;
            }
            if let Some(escaped) = self.rest.strip_prefix('\\') {
                let next = escaped.chars().next().unwrap_or_default();
                if let 'p' | 'P' = next {
                    self.unicode(next);
                    continue;
                }
                if let Some((opposite, set)) = ascii_class(next) {
                    self.skip(2);
                    self.out.extend(["[", if opposite { "^" } else { "" }, set, "]"]);
                    continue;
                }
            }
            let low = self.char()?;
            let mut ahead = self.rest.chars();
            let high = if ahead.next() == Some('-') && !matches!(ahead.next(), Some(']') | None) {
                self.skip(1);
                self.char()?
            } else {
                low
            };
            if high < low {
                return Err(format!("{low:?} to {high:?} is no range"));
            }
            self.put(low);
            if high != low {
                self.out.push('-');
                self.put(high);
            }
        }
        self.keep(1);
        Ok(())
    }
}

fn of_digits(digits: &str, radix: u32) -> Option<char> {
    char::from_u32(u32::from_str_radix(digits, radix).ok()?)
}

/// `\d` and the like, which are ASCII in Go: whether it is the opposite, and of what.
fn ascii_class(letter: char) -> Option<(bool, &'static str)> {
    let set = match letter.to_ascii_lowercase() {
        'd' => "0-9",
        's' => r"\t\n\x0c\r\x20",
        'w' => "0-9A-Za-z_",
        _ => return None,
    };
    Some((letter.is_ascii_uppercase(), set))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        let pattern = format!("^(?:{})$", of_go(pattern).unwrap());
        regex::Regex::new(&pattern).unwrap().is_match(text)
    }

    #[test]
    fn what_is_literal_for_go_is_literal() {
        for (pattern, text) in [
            ("/users/{id}/.*", "/users/{id}/7"),
            ("a{,2}", "a{,2}"),
            ("a{01}", "a{01}"),
            ("x{", "x{"),
            ("[]a]+", "]a"),
            ("[a[b]", "["),
            ("[&&x]+", "&x&"),
            ("[+--]+", "+,-"),
            (r"\_\<\>", "_<>"),
            (r"\Qa.b*\E.", "a.b*c"),
            (r"\Qa.b", "a.b"),
            (r"\101\x41\x{e9}", "AAé"),
            (r"[\101-\x43]+", "ABC"),
            (r"\b{2", "{2"),
            ("#  ~&-é", "#  ~&-é"),
            ("(?)a(?ii:B)", "ab"),
            ("(?<x>a)(?P<1>b)", "ab"),
        ] {
            assert!(matches(pattern, text) || pattern.starts_with(r"\b"), "{pattern} {text}");
        }
    }

    #[test]
    fn classes_are_of_ascii() {
        assert!(matches(r"\w\d\s", "a1 ") && matches(r"[\w-]+", "a-b"));
        for (pattern, text) in [(r"\w", "é"), (r"\d", "٣"), (r"\s", "\u{a0}"), (r"[\W]", "a")] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
        assert!(matches(r"\W\D\S[\W][[:alpha:]]", "éééÉz"));
        assert!(matches(r"\p{Greek}\pL\P{Greek}\p{^Greek}", "αaaa"));
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for pattern in [
            "a**",
            "a+*",
            "a{2}{3}",
            "a*??",
            "a{1001}",
            "a{3,2}",
            r"\8",
            r"\1",
            r"\x1",
            r"\x{110000}",
            r"\e",
            r"\C",
            r"\u0041",
            "(?x)a",
            "(?i-)a",
            "(?P<>a)",
            "(?P<a b>a)",
            "[b-a]",
            "[a",
            "a\\",
            r"[\8]",
            "[[:nope:]]",
            "a)(b",
            "(a",
            "(?",
        ] {
            assert!(of_go(pattern).is_err(), "{pattern}");
        }
    }
}
