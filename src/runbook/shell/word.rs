//! Words: quotes, arrays, subscripts, backticks.

use super::expand::{Context, name_length};
use super::lexer::Lexer;
use super::{Around, Command, EXPANDED, How, Place, Script, Use, Word};
use std::ops::Range;

/// What ends a word or means something in one.
const STOPS: &[u8] = b" \t\n;&|()<>'\"\\$`";

impl Lexer<'_> {
    /// The word that begins here.
    pub(super) fn word(&mut self) -> Word {
        let mut word = Word { range: self.at..self.at, ..Word::default() };
        while self.at < self.limit {
            match self.peek(0) {
                b'<' | b'>' if self.peek(1) == b'(' => {
                    self.at += 2;
                    self.substitution(&mut word);
                }
                b'(' if self.text[word.range.start..self.at].ends_with('=') => {
                    self.deeper(|it| it.array(&mut word));
                }
                b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'(' | b')' | b'<' | b'>' => break,
                b'\'' => {
                    word.quoted = true;
                    self.at += 1;
                    self.single(&mut word);
                }
                b'"' => {
                    self.at += 1;
                    self.double(&mut word);
                }
                b'\\' if self.peek(1) == b'\n' => self.at += 2,
                b'\\' => self.escaped(&mut word, Place::Bare),
                b'$' => self.dollar(&mut word, Context::BARE),
                b'`' => self.backticks(&mut word, false),
                _ => self.plain(&mut word, STOPS, Place::Bare),
            }
        }
        word.range.end = self.at;
        word
    }

    /// Text that means nothing, up to one of these.
    pub(super) fn plain(&mut self, word: &mut Word, stops: &[u8], place: Place) {
        let length = self.run(stops);
        word.text.push_str(&self.text[self.at..self.at + length]);
        self.literal(length, place);
    }

    /// A character that means nothing.
    pub(super) fn one(&mut self, word: &mut Word, place: Place) {
        let c = self.text[self.at..self.limit].chars().next();
        word.text.extend(c);
        self.literal(c.map_or(1, char::len_utf8), place);
    }

    /// A backslash and what stands behind it.
    pub(super) fn escaped(&mut self, word: &mut Word, place: Place) {
        word.quoted = true;
        self.literal(1, place);
        if self.at < self.limit {
            self.one(word, place);
        } else {
            self.found.open = true;
        }
    }

    /// `'…'`, from behind the first.
    pub(super) fn single(&mut self, word: &mut Word) {
        let length = self.run(b"'");
        word.text.push_str(&self.text[self.at..self.at + length]);
        self.literal(length, Place::Single);
        self.found.open |= self.at >= self.limit;
        self.at = (self.at + 1).min(self.limit);
    }

    /// `$'…'`, from behind its first quote.
    pub(super) fn ansi(&mut self, word: &mut Word) {
        word.quoted = true;
        while self.at < self.limit {
            match self.peek(0) {
                b'\'' => {
                    self.at += 1;
                    return;
                }
                b'\\' => {
                    // What it stands for is not told.
                    let length = word.text.len();
                    self.escaped(word, Place::Ansi);
                    word.text.truncate(length);
                    word.text.push('\u{fffd}');
                }
                _ => self.plain(word, b"'\\", Place::Ansi),
            }
        }
        self.found.open = true;
    }

    /// `"…"`, from behind the first.
    pub(super) fn double(&mut self, word: &mut Word) {
        word.quoted = true;
        while self.at < self.limit {
            match self.peek(0) {
                b'"' => {
                    self.at += 1;
                    return;
                }
                b'$' => self.dollar(word, Context::DOUBLE),
                b'`' => self.backticks(word, true),
                b'\\' => match self.peek(1) {
                    b'\n' => self.at += 2,
                    b'"' | b'$' | b'`' | b'\\' => self.escaped(word, Place::Double),
                    _ => {
                        word.text.push('\\');
                        self.escaped(word, Place::Double);
                    }
                },
                _ => self.plain(word, b"\"$`\\", Place::Double),
            }
        }
        self.found.open = true;
    }

    /// The words of `NAME=( … )`.
    fn array(&mut self, word: &mut Word) {
        self.at += 1;
        word.text.push(EXPANDED);
        self.found.unsure |= !self.waiting.is_empty();
        while self.at < self.limit {
            match self.peek(0) {
                b')' => {
                    self.at += 1;
                    return;
                }
                b' ' | b'\t' | b'\n' => self.at += 1,
                b'\\' if self.peek(1) == b'\n' => self.at += 2,
                b'#' => self.literal(self.run(b"\n"), Place::Comment),
                b';' | b'&' | b'|' | b'(' => {
                    self.found.unsure = true;
                    self.at += 1;
                }
                b'<' | b'>' if self.peek(1) != b'(' => {
                    self.found.unsure = true;
                    self.at += 1;
                }
                _ => {
                    let mut element = self.word();
                    self.subscript(&mut element);
                    word.uses.append(&mut element.uses);
                }
            }
        }
        self.found.open = true;
    }

    /// What stands between the brackets of `A[…]=…` is arithmetic, and bare names
    /// in it are variables.
    pub(super) fn subscript(&mut self, word: &mut Word) {
        let raw = &self.text[word.range.clone()];
        let Some(open) = raw.find('[') else { return };
        let Some(close) = raw.find("]=").or_else(|| raw.find("]+=")).filter(|at| *at > open) else {
            return;
        };
        let inner = word.range.start + open + 1..word.range.start + close;
        for used in word.uses.iter_mut().filter(|used| inner.contains(&used.at)) {
            used.how = How::Evaluated;
        }
        let mut at = inner.start;
        while at < inner.end {
            let length = name_length(&self.bytes[at..inner.end]);
            let number = self.bytes[at].is_ascii_digit();
            if length > 0 && !number && at.checked_sub(1).is_none_or(|at| self.bytes[at] != b'$') {
                let name = self.text[at..at + length].to_owned();
                word.uses.push(Use { name, how: How::Evaluated, default: false, at });
            }
            at += length.max(1);
        }
        self.found.subscripts.push(inner);
    }

    /// `` `…` ``: what is escaped in it is read as if it were not.
    pub(super) fn backticks(&mut self, word: &mut Word, double: bool) {
        let begin = self.at;
        self.at += 1;
        let mut text: Vec<u8> = Vec::new();
        // Where each byte of it stands here.
        let mut places: Vec<usize> = Vec::new();
        let mut closed = false;
        while self.at < self.limit && !closed {
            let (byte, next) = (self.peek(0), self.peek(1));
            closed = byte == b'`';
            let escapes = matches!(next, b'`' | b'$' | b'\\') || (double && next == b'"');
            // In a heredoc shells differ about `\"`.
            self.found.unsure |= byte == b'\\' && next == b'"' && self.around.heredoc;
            let taken = match byte {
                b'\\' if escapes => self.at + 1..self.at + 2,
                b'\\' => self.at..(self.at + 2).min(self.limit),
                b'`' => self.at..self.at,
                _ => self.at..self.at + 1,
            };
            text.extend(&self.bytes[taken.clone()]);
            places.extend(taken.clone());
            self.at = if closed { self.at + 1 } else { taken.end };
        }
        self.found.open |= !closed;
        places.push(if closed { self.at - 1 } else { self.at });
        // A backslash may have taken the first byte of a longer character.
        let text = String::from_utf8_lossy(&text).into_owned();
        if text.len() + 1 != places.len() {
            self.found.unsure = true;
            word.text.push(EXPANDED);
            return;
        }
        let around = Around { backticks: true, ..self.around };
        let depth = self.depth;
        let from = self.found.commands.len();
        self.deeper(|it| {
            let mut inner = Lexer::of(&text, depth + 1, around);
            inner.list(false, None);
            inner.found.unsure |= !inner.waiting.is_empty();
            it.take_over(inner.found, &places);
        });
        self.carry(from, begin, word);
    }

    /// Takes over what was read of another text, whose bytes stand at these places here.
    fn take_over(&mut self, other: Script, places: &[usize]) {
        let at = |byte: usize| places.get(byte).or(places.last()).copied().unwrap_or_default();
        let range = |range: Range<usize>| at(range.start)..at(range.end).max(at(range.start));
        let mine = &mut self.found;
        let pipelines = mine.pipelines.len();
        mine.pieces.extend(other.pieces.into_iter().map(|mut it| {
            it.range = range(it.range);
            it
        }));
        mine.expansions.extend(other.expansions.into_iter().map(|mut it| {
            it.range = range(it.range);
            it
        }));
        mine.sets.extend(other.sets.into_iter().map(|mut it| {
            it.at = at(it.at);
            it.value = it.value.map(range);
            it
        }));
        mine.commands.extend(other.commands.into_iter().map(|mut it: Command| {
            it.at = at(it.at);
            it.stage.pipeline += pipelines;
            let sets = it.sets.iter_mut().map(|set| &mut set.value);
            let words = sets.chain(&mut it.words).chain(&mut it.writes).chain(&mut it.input);
            for word in words.chain(&mut it.patterns) {
                word.range = range(word.range.clone());
                word.uses.iter_mut().for_each(|used| used.at = at(used.at));
            }
            it.sets.iter_mut().for_each(|set| set.at = at(set.at));
            it
        }));
        mine.pipelines.extend(
            other
                .pipelines
                .into_iter()
                .map(|it| it.map(|it| super::Stage { pipeline: it.pipeline + pipelines, ..it })),
        );
        mine.subscripts.extend(other.subscripts.into_iter().map(range));
        mine.functions.extend(other.functions);
        mine.evaluating.extend(other.evaluating);
        mine.open |= other.open;
        mine.unsure |= other.unsure;
    }
}
