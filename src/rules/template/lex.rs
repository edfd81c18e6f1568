//! Tokens of Go's text/template, as its documentation describes them.

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum What {
    /// Text outside of actions.
    Text(String),
    /// `{{`
    Open,
    /// `}}`
    Close,
    /// A keyword: `if`, `else`, `end` …
    Keyword,
    /// A function's name, `true`, `false`.
    Word,
    /// `.name`
    Field,
    /// `$name`
    Variable,
    /// `.`
    Dot,
    /// `"a"`, `` `a` ``; its value.
    Quoted(String),
    /// `'a'`; its code.
    Rune(i64),
    /// `1`, `0x1`, `1.5`
    Number,
    /// Spaces between two parts of an action.
    Space,
    Pipe,
    Declare,
    Assign,
    Left,
    Right,
    /// `,` and any other character, which the grammar refuses where it stands.
    Char,
    End,
    /// What cannot be read; nothing follows.
    Bad(String),
}

/// A token and where it stands in the text, in bytes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) what: What,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// What is wrong with a template, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// In the words of Go's own reader.
    pub message: String,
    /// Where, in bytes of the text.
    pub at: usize,
}

impl TemplateError {
    pub(super) fn new(message: impl Into<String>, at: usize) -> Self {
        Self { message: message.into(), at }
    }
}

type Lexed<T> = Result<T, TemplateError>;

pub(super) const KEYWORDS: &[&str] = &[
    "block", "break", "continue", "define", "else", "end", "if", "nil", "range", "template", "with",
];

/// All tokens of `text`; the last one is its end, or what cannot be read: the
/// grammar may stumble before it gets there.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut lexer = Lexer { text, at: 0, tokens: Vec::new() };
    if let Err(TemplateError { message, at }) = lexer.outside() {
        lexer.tokens.push(Token { what: What::Bad(message), start: at, end: at });
    }
    lexer.tokens
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    tokens: Vec<Token>,
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn put(&mut self, what: What, start: usize) {
        self.tokens.push(Token { what, start, end: self.at });
    }

    fn outside(&mut self) -> Lexed<()> {
        let mut trim = false;
        loop {
            let start = self.at;
            let found = self.rest().find("{{");
            let end = found.map_or(self.text.len(), |offset| start + offset);
            let mut held = &self.text[start..end];
            if trim {
                held = held.trim_start_matches(is_space);
            }
            let after = &self.text[end..];
            let trims =
                after.len() > 3 && after[2..].starts_with('-') && after[3..].starts_with(is_space);
            if trims {
                held = held.trim_end_matches(is_space);
            }
            let held = held.to_owned();
            self.at = end;
            if !held.is_empty() {
                self.put(What::Text(held), start);
            }
            if found.is_none() {
                self.put(What::End, end);
                return Ok(());
            }
            self.at = end + 2 + if trims { 2 } else { 0 };
            trim = if self.rest().starts_with("/*") { self.comment()? } else { self.action(end)? };
        }
    }

    /// `{{/* … */}}`; whether what follows is trimmed.
    fn comment(&mut self) -> Lexed<bool> {
        let Some(length) = self.rest().find("*/") else {
            return Err(TemplateError::new("unclosed comment", self.at));
        };
        self.at += length + 2;
        match self.close() {
            Some((length, trims)) => {
                self.at += length;
                Ok(trims)
            }
            None => Err(TemplateError::new("comment ends before closing delimiter", self.at)),
        }
    }

    /// The length of the closing mark at hand, and whether it trims.
    fn close(&self) -> Option<(usize, bool)> {
        let rest = self.rest();
        if rest.starts_with("}}") {
            return Some((2, false));
        }
        let trims = rest.starts_with(is_space) && rest[1..].starts_with("-}}");
        trims.then_some((4, true))
    }

    fn action(&mut self, open: usize) -> Lexed<bool> {
        self.put(What::Open, open);
        let mut depth = 0_u32;
        loop {
            let start = self.at;
            if let Some((length, trims)) = self.close() {
                if depth > 0 {
                    return Err(TemplateError::new("unclosed left paren", start));
                }
                self.at += length;
                self.put(What::Close, start);
                return Ok(trims);
            }
            let Some(c) = self.rest().chars().next() else {
                return Err(TemplateError::new("unclosed action", open));
            };
            self.at += c.len_utf8();
            let what = match c {
                _ if is_space(c) => {
                    while self.close().is_none() && self.rest().starts_with(is_space) {
                        self.at += 1;
                    }
                    What::Space
                }
                '=' => What::Assign,
                ':' => {
                    if !self.rest().starts_with('=') {
                        return Err(TemplateError::new("expected :=", start));
                    }
                    self.at += 1;
                    What::Declare
                }
                '|' => What::Pipe,
                '"' => self.quoted(start)?,
                '`' => self.raw(start)?,
                '\'' => self.rune(start)?,
                '$' => self.named(What::Variable)?,
                '.' if !self.rest().starts_with(|c: char| c.is_ascii_digit()) => {
                    if self.rest().starts_with(is_word) {
                        self.named(What::Field)?
                    } else {
                        self.terminated()?;
                        What::Dot
                    }
                }
                '.' | '+' | '-' | '0'..='9' => self.number(start)?,
                '(' => {
                    depth += 1;
                    What::Left
                }
                ')' => {
                    depth = depth
                        .checked_sub(1)
                        .ok_or_else(|| TemplateError::new("unexpected right paren", start))?;
                    What::Right
                }
                _ if is_word(c) => self.word(start)?,
                ' '..='~' => What::Char,
                _ => {
                    let words = format!("unrecognized character in action: {}", code(c));
                    return Err(TemplateError::new(words, start));
                }
            };
            self.put(what, start);
        }
    }

    fn word(&mut self, start: usize) -> Lexed<What> {
        let what = self.named(What::Word)?;
        let word = &self.text[start..self.at];
        Ok(if KEYWORDS.contains(&word) { What::Keyword } else { what })
    }

    fn named(&mut self, what: What) -> Lexed<What> {
        let length: usize =
            self.rest().chars().take_while(|c| is_word(*c)).map(char::len_utf8).sum();
        self.at += length;
        self.terminated()?;
        Ok(what)
    }

    /// A name ends where something else may begin.
    fn terminated(&self) -> Lexed<()> {
        let rest = self.rest();
        match rest.chars().next() {
            None | Some('.' | ',' | '|' | ':' | ')' | '(') => Ok(()),
            Some(c) if is_space(c) || rest.starts_with("}}") => Ok(()),
            Some(c) => Err(TemplateError::new(format!("bad character {}", code(c)), self.at)),
        }
    }

    fn quoted(&mut self, start: usize) -> Lexed<What> {
        let mut escaped = false;
        let end = self.rest().char_indices().find(|(_, c)| {
            let ends = *c == '\n' || (*c == '"' && !escaped);
            escaped = *c == '\\' && !escaped;
            ends
        });
        let Some((length, '"')) = end else {
            return Err(TemplateError::new("unterminated quoted string", start));
        };
        let inside = &self.text[start + 1..self.at + length];
        let value = unquoted(inside).ok_or_else(|| TemplateError::new("invalid syntax", start))?;
        self.at += length + 1;
        Ok(What::Quoted(value))
    }

    fn raw(&mut self, start: usize) -> Lexed<What> {
        let Some(length) = self.rest().find('`') else {
            return Err(TemplateError::new("unterminated raw quoted string", start));
        };
        let inside = self.text[self.at..self.at + length].replace('\r', "");
        self.at += length + 1;
        Ok(What::Quoted(inside))
    }

    fn rune(&mut self, start: usize) -> Lexed<What> {
        let mut escaped = false;
        let end = self.rest().char_indices().find(|(_, c)| {
            let ends = *c == '\n' || (*c == '\'' && !escaped);
            escaped = *c == '\\' && !escaped;
            ends
        });
        let Some((length, '\'')) = end else {
            return Err(TemplateError::new("unterminated character constant", start));
        };
        let inside = &self.text[start + 1..self.at + length];
        let value = unquoted(&inside.replace("\\'", "'"));
        let mut chars = value.iter().flat_map(|value| value.chars());
        let (Some(c), None) = (chars.next(), chars.next()) else {
            let written = &self.text[start..=self.at + length];
            return Err(TemplateError::new(
                format!("malformed character constant: {written}"),
                start,
            ));
        };
        self.at += length + 1;
        Ok(What::Rune(i64::from(u32::from(c))))
    }

    fn number(&mut self, start: usize) -> Lexed<What> {
        let is_digit = |c: &char| {
            c.is_ascii_hexdigit()
                || matches!(c, '.' | '_' | 'x' | 'X' | 'o' | 'O' | 'p' | 'P' | '+' | '-')
        };
        let hex = self.text[start..].trim_start_matches(['+', '-']).starts_with("0x");
        let mut last = ' ';
        let mut points = usize::from(self.text[start..self.at].contains('.'));
        let taken: usize = self
            .rest()
            .chars()
            .take_while(|c| {
                let is_sign = matches!(c, '+' | '-');
                let exponent = if hex { 'p' } else { 'e' };
                let fits = is_digit(c) && (!is_sign || last.eq_ignore_ascii_case(&exponent));
                points += usize::from(*c == '.');
                last = *c;
                fits && points < 2
            })
            .map(char::len_utf8)
            .sum();
        self.at += taken;
        if self.rest().starts_with(is_word) && !self.rest().starts_with('i') {
            self.at += self.rest().chars().next().map_or(0, char::len_utf8);
            let words = format!("bad number syntax: {:?}", &self.text[start..self.at]);
            return Err(TemplateError::new(words, start));
        }
        if self.rest().starts_with('i') {
            return Err(TemplateError::new("complex numbers are not supported", start));
        }
        Ok(What::Number)
    }
}

fn code(c: char) -> String {
    format!("U+{:04X} '{c}'", u32::from(c))
}

/// The value of a Go string's inside.
fn unquoted(inside: &str) -> Option<String> {
    let mut value = Vec::new();
    let mut chars = inside.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            value.extend(c.encode_utf8(&mut [0; 4]).bytes());
            continue;
        }
        let digits = |chars: &mut std::str::Chars<'_>, first: Option<char>, count: usize, radix| {
            let digits: String = first.into_iter().chain(chars.by_ref().take(count)).collect();
            u32::from_str_radix(&digits, radix)
                .ok()
                .filter(|_| digits.len() == count + first.iter().count())
        };
        let c = chars.next()?;
        let byte = match c {
            'a' => 7,
            'b' => 8,
            'f' => 12,
            'n' => b'\n',
            'r' => b'\r',
            't' => b'\t',
            'v' => 11,
            '\\' => b'\\',
            '"' => b'"',
            '\'' => b'\'',
            'x' => u8::try_from(digits(&mut chars, None, 2, 16)?).ok()?,
            '0'..='7' => u8::try_from(digits(&mut chars, Some(c), 2, 8)?).ok()?,
            'u' | 'U' => {
                let code = digits(&mut chars, None, if c == 'u' { 4 } else { 8 }, 16)?;
                value.extend(char::from_u32(code)?.encode_utf8(&mut [0; 4]).bytes());
                continue;
            }
            _ => return None,
        };
        value.push(byte);
    }
    Some(
        String::from_utf8(value)
            .unwrap_or_else(|bad| String::from_utf8_lossy(bad.as_bytes()).into_owned()),
    )
}
