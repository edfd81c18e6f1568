//! Expansions: `$X`, `${X…}`, `$(…)`, `$((…))`.

use super::lexer::Lexer;
use super::{EXPANDED, Expansion, How, Place, Set, Use, Word};
use crate::runbook::given::is_identifier;
use std::collections::BTreeSet;

/// Where an expansion stands.
#[derive(Clone, Copy)]
pub(super) struct Context {
    place: Place,
    how: How,
    /// Single quotes quote.
    quotes: bool,
}

impl Context {
    pub(super) const BARE: Self = Self { place: Place::Bare, how: How::Bare, quotes: true };
    pub(super) const DOUBLE: Self = Self { place: Place::Double, how: How::Quoted, quotes: false };
    pub(super) const HEREDOC: Self =
        Self { place: Place::Heredoc, how: How::Quoted, quotes: false };
    const ARITHMETIC: Self = Self { place: Place::Arithmetic, how: How::Evaluated, quotes: false };
}

/// How many of these bytes belong to a name, or to a number.
pub(super) fn name_length(bytes: &[u8]) -> usize {
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    bytes.iter().position(|byte| !part(byte)).unwrap_or(bytes.len())
}

impl Lexer<'_> {
    /// The name here; it may be empty.
    fn name(&mut self) -> String {
        let from = self.at;
        self.at += name_length(&self.bytes[from..self.limit]);
        self.text[from..self.at].to_owned()
    }

    /// Notes a variable that began there and goes on to here.
    fn note(&mut self, word: &mut Word, name: String, how: How, from: usize) {
        if is_identifier(&name) {
            let arithmetic = how == How::Evaluated || self.around.arithmetic;
            let (name, range) = (name.clone(), from..self.at);
            self.found.expansions.push(Expansion { name, range, arithmetic, default: false });
        }
        word.uses.push(Use { name, how, default: false, at: from });
    }

    /// An expansion, or a `$` that is none.
    pub(super) fn dollar(&mut self, word: &mut Word, context: Context) {
        let (from, uses) = (self.at, word.uses.len());
        match (self.peek(1), self.peek(2)) {
            (b'\'', _) if context.quotes => {
                self.at += 2;
                self.ansi(word);
            }
            (b'"', _) if context.quotes => {
                self.at += 2;
                self.double(word);
            }
            (b'(', b'(') => {
                self.at += 3;
                word.text.push(EXPANDED);
                self.deeper(|it| it.arithmetic(word, (b'(', b')'), 2));
            }
            (b'(', _) => {
                self.at += 2;
                self.substitution(word);
            }
            (b'[', _) => {
                self.at += 2;
                word.text.push(EXPANDED);
                self.deeper(|it| it.arithmetic(word, (b'[', b']'), 1));
            }
            (b'{', _) => self.deeper(|it| it.parameter(word, context)),
            (byte, _) if byte.is_ascii_alphabetic() || byte == b'_' => {
                self.at += 1;
                let name = self.name();
                word.text.push(EXPANDED);
                self.note(word, name, context.how, from);
            }
            (byte, _) if byte.is_ascii_digit() || b"@*#?-$!".contains(&byte) => {
                self.at += 2;
                word.text.push(EXPANDED);
                self.note(word, char::from(byte).into(), context.how, from);
            }
            _ => self.one(word, context.place),
        }
        if context.how == How::Evaluated {
            word.uses[uses..].iter_mut().for_each(|used| used.how = How::Evaluated);
        }
    }

    /// `${…}`
    fn parameter(&mut self, word: &mut Word, context: Context) {
        let from = self.at;
        word.text.push(EXPANDED);
        let length = word.text.len();
        let around = self.around;
        self.around.parameter = true;
        self.at += 2;
        // A newer bash runs `${ command; }`.
        self.found.unsure |= matches!(self.peek(0), b' ' | b'\t' | b'\n' | b'|');
        let indirect = self.peek(0) == b'!' && self.peek(1) != b'}';
        let counted = self.peek(0) == b'#' && self.peek(1) != b'}';
        self.at += usize::from(indirect || counted);
        let mut name = self.name();
        if name.is_empty() && b"@*#?-$!".contains(&self.peek(0)) {
            name.push(char::from(self.peek(0)));
            self.at += 1;
        }
        let (uses, expansions) = (word.uses.len(), self.found.expansions.len());
        let how = if indirect { How::Evaluated } else { context.how };
        self.note(word, name.clone(), how, from);
        if self.peek(0) == b'[' {
            self.at += 1;
            let named = self.found.expansions.len();
            self.deeper(|it| it.arithmetic(word, (b'[', b']'), 1));
            // The keys of a map look like variables.
            self.found.expansions.drain(named..);
        }
        let colon = self.peek(0) == b':';
        let sign = self.peek(usize::from(colon));
        let mut inner = Context { place: Place::Parameter, ..context };
        match sign {
            b'-' | b'=' | b'+' | b'?' => {}
            b'@' if !colon => word.uses[uses].how = How::Evaluated,
            _ if colon => inner.how = How::Evaluated,
            _ => {}
        }
        let default = matches!(sign, b'-' | b'=' | b'+');
        if sign == b'=' && is_identifier(&name) {
            let (name, nested) = (name.clone(), self.nested);
            self.found.sets.push(Set { name, at: from, value: None, passing: false, nested });
        }
        let pattern = !colon && matches!(sign, b'#' | b'%');
        self.rest_of_parameter(word, inner, pattern);
        word.text.truncate(length);
        self.around = around;
        if sign == b'+' {
            word.uses[uses].how = How::Tested;
        }
        if default {
            // What stands in `${X:+… $X …}` counts only where X has a value.
            let same = word.uses[uses..].iter_mut().filter(|used| used.name == name);
            same.for_each(|used| used.default = true);
            let same = self.found.expansions[expansions..].iter_mut();
            same.filter(|used| used.name == name).for_each(|used| used.default = true);
        }
    }

    /// What stands in `${X…}` behind the name, to the bracket.
    fn rest_of_parameter(&mut self, word: &mut Word, context: Context, pattern: bool) {
        while self.at < self.limit {
            match self.peek(0) {
                b'}' => {
                    self.at += 1;
                    return;
                }
                b'\'' if context.quotes || pattern => {
                    self.at += 1;
                    self.single(word);
                }
                b'\'' => {
                    // Shells differ about quotes in here: nothing may depend on them.
                    let rest = &self.text[self.at + 1..self.limit];
                    let end = rest.find(['\'', '}', '"', '$', '`', '\\']);
                    let harmless = end.is_some_and(|end| rest.as_bytes()[end] == b'\'');
                    self.found.unsure |= !harmless;
                    let length = if harmless { end.unwrap_or_default() + 2 } else { 1 };
                    self.literal(length, Place::Parameter);
                }
                b'"' => {
                    self.at += 1;
                    self.double(word);
                }
                b'$' => self.dollar(word, context),
                b'`' => self.backticks(word, !context.quotes),
                b'\\' => self.escaped(word, Place::Parameter),
                byte if context.how == How::Evaluated && is_name_start(byte) => {
                    self.evaluated_name(word);
                }
                _ => self.one(word, Place::Parameter),
            }
        }
        self.found.open = true;
    }

    /// Arithmetic, to its end: names in it are variables, whose values are evaluated.
    pub(super) fn arithmetic(&mut self, word: &mut Word, (open, close): (u8, u8), brackets: u32) {
        let around = self.around;
        self.around.arithmetic = true;
        let (length, mut left) = (word.text.len(), brackets);
        while self.at < self.limit && left > 0 {
            match self.peek(0) {
                byte if byte == open => {
                    left += 1;
                    self.at += 1;
                }
                byte if byte == close => {
                    left -= 1;
                    self.at += 1;
                    // `$((a) | b)` is a command, or an error.
                    let together = left != 1 || brackets != 2 || self.peek(0) == close;
                    self.found.unsure |= !together;
                }
                b'$' => self.dollar(word, Context::ARITHMETIC),
                b'`' => self.backticks(word, true),
                b'\\' => self.escaped(word, Place::Arithmetic),
                byte if is_name_start(byte) => self.evaluated_name(word),
                // Numbers: `0x1f`, `16#ff`.
                byte if byte.is_ascii_digit() => {
                    let rest = &self.bytes[self.at..self.limit];
                    let number = |byte: &u8| byte.is_ascii_alphanumeric() || b"_#@".contains(byte);
                    let length = rest.iter().position(|byte| !number(byte)).unwrap_or(rest.len());
                    self.literal(length, Place::Arithmetic);
                }
                _ => self.one(word, Place::Arithmetic),
            }
        }
        self.found.open |= left > 0;
        word.text.truncate(length);
        self.around = around;
    }

    fn evaluated_name(&mut self, word: &mut Word) {
        let from = self.at;
        let name = self.name();
        let rest = self.text[self.at..self.limit].trim_start_matches(' ');
        self.at = from;
        self.literal(name.len(), Place::Arithmetic);
        if rest.starts_with('=') && !rest.starts_with("==") {
            let nested = self.nested;
            self.found.sets.push(Set { name, at: from, value: None, passing: false, nested });
        } else {
            self.note(word, name, How::Evaluated, from);
        }
    }

    /// `$(…)`, from behind its bracket: its commands stand before the one that it
    /// is in.
    pub(super) fn substitution(&mut self, word: &mut Word) {
        let (from, begin) = (self.found.commands.len(), self.at);
        let waiting = std::mem::take(&mut self.waiting);
        self.bracketed(None);
        // Whose text comes first, and whether the text of one in here can stand
        // behind the bracket: shells differ.
        let lines = self.text[begin..self.at].contains('\n');
        self.found.unsure |= !self.waiting.is_empty() || (lines && !waiting.is_empty());
        let own = std::mem::replace(&mut self.waiting, waiting);
        self.waiting.extend(own);
        self.carry(from, begin, word);
    }

    /// What is used within a substitution is used by the word that it stands in.
    pub(super) fn carry(&mut self, from: usize, at: usize, word: &mut Word) {
        let mut seen: BTreeSet<(&str, bool)> = BTreeSet::new();
        for used in self.found.commands[from..].iter().flat_map(super::Command::uses) {
            // Each once, or they would double with each level.
            if used.how != How::Tested && seen.insert((&used.name, used.default)) {
                word.uses.push(Use { how: How::Quoted, at, ..used.clone() });
            }
        }
        word.text.push(EXPANDED);
    }
}

fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}
