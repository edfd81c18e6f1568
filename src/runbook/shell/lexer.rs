//! A script to its parts, byte by byte, with a stack of what is open
//! (POSIX.1-2024, Shell Command Language, 2.2 to 2.10; bash's own forms too).

use super::{Around, Command, Piece, Place, Script, Set, Use};
use crate::runbook::given::is_identifier;
use std::collections::VecDeque;
use std::ops::Range;

/// How deep quotes and brackets may be nested.
const DEEPEST: usize = 64;

/// Reads a script.
pub(super) fn read(text: &str) -> Script {
    let mut lexer = Lexer {
        text,
        bytes: text.as_bytes(),
        at: 0,
        stack: vec![Frame::commands(Close::Never, Around::default(), false)],
        waiting: VecDeque::new(),
        limit: text.len(),
        found: Script::default(),
    };
    lexer.run();
    lexer.found
}

/// What ends a list of commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Close {
    /// The end of the text.
    Never,
    /// `)`
    Bracket,
    /// A backtick.
    Backtick,
}

/// What is open.
#[derive(Debug)]
enum Kind {
    Commands(Commands),
    Double,
    Parameter {
        double: bool,
    },
    /// `]` or `))`, and how many brackets are open in it.
    Arithmetic {
        square: bool,
        brackets: u32,
    },
    /// It ends here, and its delimiter's line ends there.
    Heredoc {
        end: usize,
        after: usize,
        limit_before: usize,
    },
}

#[derive(Debug)]
struct Frame {
    kind: Kind,
    around: Around,
}

/// A list of commands that is being read.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is something that was read before")]
struct Commands {
    close: Close,
    /// In a subshell or a substitution.
    nested: bool,
    words: Vec<Range<usize>>,
    /// Where the word began that is being read.
    word: Option<usize>,
    /// The word is the target of a redirection.
    target: bool,
    /// `case … in` that no `esac` has ended.
    cases: u32,
    /// `if`, `for`, `while`, `{` that nothing has ended.
    blocks: u32,
    /// The last thing was `|`, `&&` or `||`.
    operator: bool,
    /// Something is the command's input, and the next one's.
    fed: bool,
    piped: bool,
    /// Words of an array, `A=(…)`: no commands.
    array: bool,
}

impl Frame {
    fn commands(close: Close, around: Around, nested: bool) -> Self {
        let commands = Commands {
            close,
            nested,
            words: Vec::new(),
            word: None,
            target: false,
            cases: 0,
            blocks: 0,
            operator: false,
            fed: false,
            piped: false,
            array: false,
        };
        Self { kind: Kind::Commands(commands), around }
    }
}

/// A heredoc whose text begins in the next line.
#[derive(Debug)]
struct Waiting {
    delimiter: String,
    quoted: bool,
    tabs: bool,
    around: Around,
}

struct Lexer<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    stack: Vec<Frame>,
    waiting: VecDeque<Waiting>,
    /// The text is read up to here: the end of the innermost heredoc.
    limit: usize,
    found: Script,
}

impl Lexer<'_> {
    fn run(&mut self) {
        loop {
            if self.at >= self.limit {
                if self.leave_heredoc() {
                    continue;
                }
                break;
            }
            if self.stack.len() > DEEPEST {
                self.found.too_deep = true;
                self.found.open = true;
                let rest = self.at..self.text.len();
                self.found.pieces.push(Piece {
                    range: rest,
                    place: Place::Bare,
                    around: Around::default(),
                });
                return;
            }
            match self.stack.last().map(|frame| &frame.kind) {
                Some(Kind::Commands(_)) => self.in_commands(),
                Some(Kind::Double) => self.in_double(),
                Some(Kind::Parameter { double }) => {
                    let double = *double;
                    self.in_parameter(double);
                }
                Some(Kind::Arithmetic { .. }) => self.in_arithmetic(),
                Some(Kind::Heredoc { .. }) => self.in_heredoc(),
                None => break,
            }
        }
        self.finish();
    }

    fn finish(&mut self) {
        let open = self.stack.len() > 1 || !self.waiting.is_empty() || self.found.open;
        self.end_word();
        let trailing = self
            .commands()
            .is_some_and(|commands| commands.cases > 0 || commands.blocks > 0 || commands.operator);
        while !self.stack.is_empty() {
            self.end_command();
            self.stack.pop();
        }
        self.found.open = open || trailing;
        self.found.sets.sort_by_key(|set| set.at);
    }

    fn peek(&self, ahead: usize) -> u8 {
        let at = self.at + ahead;
        if at < self.limit { self.bytes[at] } else { 0 }
    }

    fn around(&self) -> Around {
        self.stack.last().map(|frame| frame.around).unwrap_or_default()
    }

    fn commands(&mut self) -> Option<&mut Commands> {
        match self.stack.last_mut().map(|frame| &mut frame.kind) {
            Some(Kind::Commands(commands)) => Some(commands),
            _ => None,
        }
    }

    /// The length of the character here.
    fn width(&self) -> usize {
        self.text.get(self.at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8)
    }

    /// Takes bytes as they stand.
    fn literal(&mut self, bytes: usize, place: Place) {
        let end = (self.at + bytes).min(self.limit).max(self.at + 1).min(self.text.len());
        let range = self.at..end;
        let around = self.around();
        match self.found.pieces.last_mut() {
            Some(last)
                if last.range.end == range.start
                    && last.place == place
                    && last.around == around =>
            {
                last.range.end = range.end;
            }
            _ => self.found.pieces.push(Piece { range, place, around }),
        }
        self.at = end;
    }

    fn begin_word(&mut self) {
        let at = self.at;
        if let Some(commands) = self.commands() {
            commands.word.get_or_insert(at);
        }
    }

    fn in_commands(&mut self) {
        let byte = self.peek(0);
        match byte {
            b'\n' => self.line_end(),
            b' ' | b'\t' => {
                self.end_word();
                self.at += 1;
            }
            b'\\' if self.peek(1) == b'\n' => self.at += 2,
            b'\\' if self.at + 1 >= self.limit => {
                self.found.open = true;
                self.at += 1;
            }
            b'\\' => {
                self.begin_word();
                self.literal(1, Place::Bare);
                let width = self.width();
                self.literal(width, Place::Bare);
            }
            b'#' if self.commands().is_some_and(|commands| commands.word.is_none()) => {
                let end = self.line_from(self.at);
                self.literal(end - self.at, Place::Comment);
            }
            b'\'' => {
                self.begin_word();
                self.at += 1;
                self.single();
            }
            b'"' => {
                self.begin_word();
                self.at += 1;
                self.push(Kind::Double);
            }
            b'$' => {
                self.begin_word();
                self.dollar(Place::Bare);
            }
            b'`' => {
                self.begin_word();
                self.backtick();
            }
            b'(' => self.open_bracket(),
            b')' => self.close_bracket(),
            b'<' | b'>' => self.redirection(),
            b'&' if self.peek(1) == b'>' => {
                self.end_word();
                self.at += 1;
                self.redirection();
            }
            b';' | b'&' | b'|' => self.operator(byte),
            _ => {
                self.begin_word();
                let width = self.width();
                self.literal(width, Place::Bare);
            }
        }
    }

    fn line_end(&mut self) {
        self.end_word();
        self.end_command();
        self.at += 1;
        self.note_whole();
        self.enter_heredoc();
    }

    fn operator(&mut self, byte: u8) {
        self.end_word();
        self.end_command();
        let double = self.peek(1) == byte;
        let goes_on = byte == b'|' || (byte == b'&' && double);
        self.at += 1 + usize::from(double || (byte == b'|' && self.peek(1) == b'&'));
        if let Some(commands) = self.commands() {
            commands.operator = goes_on;
            commands.piped = byte == b'|' && !double;
        }
    }

    fn open_bracket(&mut self) {
        let Some(commands) = self.commands() else { return };
        let fresh = commands.word.is_none() && commands.words.is_empty();
        let text = commands.word;
        let array = text.is_some_and(|from| self.text[from..self.at].ends_with('='));
        if fresh && self.peek(1) == b'(' {
            self.begin_word();
            self.at += 2;
            self.push(Kind::Arithmetic { square: false, brackets: 0 });
            return;
        }
        self.begin_word();
        self.at += 1;
        let around = self.around();
        let mut frame = Frame::commands(Close::Bracket, around, true);
        if let Kind::Commands(commands) = &mut frame.kind {
            commands.array = array;
        }
        self.stack.push(frame);
    }

    fn close_bracket(&mut self) {
        self.end_word();
        self.end_command();
        self.at += 1;
        let Some(commands) = self.commands() else { return };
        commands.operator = false;
        // Within `case` a bracket ends a pattern.
        if commands.cases == 0 && commands.close == Close::Bracket {
            self.stack.pop();
        }
    }

    fn redirection(&mut self) {
        // Digits right before it are the number of a file, no word.
        let at = self.at;
        let text = self.text;
        if let Some(commands) = self.commands() {
            let number = |from: usize| text[from..at].bytes().all(|b| b.is_ascii_digit());
            if commands.word.is_some_and(number) {
                commands.word = None;
            }
        }
        if self.peek(1) == b'(' {
            // `<(…)` is a word.
            self.begin_word();
            self.at += 2;
            let around = self.around();
            self.stack.push(Frame::commands(Close::Bracket, around, true));
            return;
        }
        self.end_word();
        if self.peek(0) == b'<'
            && let Some(commands) = self.commands()
        {
            commands.fed = true;
        }
        let rest = &self.text[at..self.limit];
        if rest.starts_with("<<<") {
            self.at += 3;
        } else if rest.starts_with("<<") {
            self.heredoc();
            return;
        } else if [">>", ">&", ">|", "<&", "<>"].iter().any(|operator| rest.starts_with(operator)) {
            self.at += 2;
        } else {
            self.at += 1;
        }
        if let Some(commands) = self.commands() {
            commands.target = true;
        }
    }

    /// `<<EOF`, `<<-'EOF'`: what ends the text that begins in the next line.
    fn heredoc(&mut self) {
        self.at += 2;
        let tabs = self.peek(0) == b'-';
        self.at += usize::from(tabs);
        while matches!(self.peek(0), b' ' | b'\t') {
            self.at += 1;
        }
        let start = self.at;
        let mut quote = 0_u8;
        while self.at < self.limit {
            let byte = self.bytes[self.at];
            if quote != 0 {
                if byte == quote {
                    quote = 0;
                } else if byte == b'\n' {
                    break;
                }
            } else if matches!(byte, b'\'' | b'"') {
                quote = byte;
            } else if byte == b'\\' && self.at + 1 < self.limit {
                self.at += 1;
                let width = self.width();
                self.at += width;
                continue;
            } else if matches!(
                byte,
                b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')'
            ) {
                break;
            }
            self.at += 1;
        }
        self.at = self.at.min(self.limit);
        let word = &self.text[start..self.at];
        if word.is_empty() {
            return;
        }
        let quoted = word.contains(['\'', '"', '\\']);
        let delimiter = super::plain(word);
        let around = self.around();
        self.waiting.push_back(Waiting { delimiter, quoted, tabs, around });
    }

    /// Where the line ends that begins or goes on here.
    fn line_from(&self, at: usize) -> usize {
        let rest = &self.bytes[at..self.limit];
        rest.iter().position(|byte| *byte == b'\n').map_or(self.limit, |end| at + end)
    }

    /// At the beginning of a line: the texts of heredocs that wait, up to the
    /// first in which anything can be expanded.
    fn enter_heredoc(&mut self) {
        while let Some(waiting) = self.waiting.pop_front() {
            let (end, after) = self.heredoc_end(&waiting);
            if !waiting.quoted {
                let around = Around { heredoc: true, ..waiting.around };
                let kind = Kind::Heredoc { end, after, limit_before: self.limit };
                self.stack.push(Frame { kind, around });
                self.limit = end;
                return;
            }
            if end > self.at {
                self.literal(end - self.at, Place::QuotedHeredoc);
            }
            self.at = after;
            self.note_whole();
        }
    }

    /// Where the text ends that begins here, and where its delimiter's line does.
    fn heredoc_end(&mut self, waiting: &Waiting) -> (usize, usize) {
        let mut line = self.at;
        while line < self.limit {
            let line_end = self.line_from(line);
            let text = &self.text[line..line_end];
            let text = if waiting.tabs { text.trim_start_matches('\t') } else { text };
            if text == waiting.delimiter {
                return (line, (line_end + 1).min(self.limit));
            }
            line = line_end + 1;
        }
        self.found.open = true;
        (self.limit, self.limit)
    }

    /// Behind a line's end: is all whole that has begun?
    fn note_whole(&mut self) {
        let top = self.stack.len() == 1 && self.waiting.is_empty() && !self.found.open;
        let goes_on = |it: &mut Commands| it.operator || it.blocks > 0 || it.cases > 0;
        let some = !self.found.commands.is_empty();
        if top && some && self.commands().is_some_and(|it| !goes_on(it)) {
            let end = self.at.saturating_sub(1);
            let end = if self.bytes.get(end) == Some(&b'\n') { end } else { self.at };
            self.found.whole.get_or_insert(end);
        }
    }

    /// At the limit: what is open in the innermost heredoc ends with it.
    fn leave_heredoc(&mut self) -> bool {
        let heredoc = |frame: &Frame| matches!(frame.kind, Kind::Heredoc { .. });
        let Some(index) = self.stack.iter().rposition(heredoc) else { return false };
        while self.stack.len() > index + 1 {
            self.end_word();
            self.end_command();
            self.stack.pop();
        }
        if let Some(Frame { kind: Kind::Heredoc { end, after, limit_before }, .. }) =
            self.stack.pop()
        {
            self.limit = limit_before;
            self.at = after.max(end);
            self.note_whole();
        }
        self.enter_heredoc();
        true
    }

    fn single(&mut self) {
        let rest = &self.bytes[self.at..self.limit];
        let closing = rest.iter().position(|byte| *byte == b'\'');
        let length = closing.unwrap_or(rest.len());
        if length > 0 {
            self.literal(length, Place::Single);
        }
        if closing.is_some() {
            self.at += 1;
        } else {
            self.found.open = true;
        }
    }

    fn ansi(&mut self) {
        while self.at < self.limit {
            match self.bytes[self.at] {
                b'\'' => {
                    self.at += 1;
                    return;
                }
                b'\\' => {
                    self.literal(1, Place::Ansi);
                    if self.at < self.limit {
                        let width = self.width();
                        self.literal(width, Place::Ansi);
                    }
                }
                _ => {
                    let width = self.width();
                    self.literal(width, Place::Ansi);
                }
            }
        }
        self.found.open = true;
    }

    fn in_double(&mut self) {
        match self.peek(0) {
            b'"' => {
                self.at += 1;
                self.stack.pop();
            }
            b'$' => self.dollar(Place::Double),
            b'`' => self.backtick(),
            b'\\' => self.escaped(Place::Double),
            _ => {
                let width = self.width();
                self.literal(width, Place::Double);
            }
        }
    }

    fn escaped(&mut self, place: Place) {
        self.literal(1, place);
        if self.at < self.limit {
            let width = self.width();
            self.literal(width, place);
        }
    }

    fn in_heredoc(&mut self) {
        match self.peek(0) {
            b'$' => self.dollar(Place::Heredoc),
            b'`' => self.backtick(),
            b'\\' => self.escaped(Place::Heredoc),
            _ => {
                let width = self.width();
                self.literal(width, Place::Heredoc);
            }
        }
    }

    fn in_parameter(&mut self, double: bool) {
        match self.peek(0) {
            b'}' => {
                self.at += 1;
                self.stack.pop();
            }
            b'\'' if !double => {
                self.at += 1;
                self.single();
            }
            b'"' => {
                self.at += 1;
                self.push(Kind::Double);
            }
            b'$' => self.dollar(Place::Parameter),
            b'`' => self.backtick(),
            b'\\' => self.escaped(Place::Parameter),
            _ => {
                let width = self.width();
                self.literal(width, Place::Parameter);
            }
        }
    }

    fn in_arithmetic(&mut self) {
        let (byte, next) = (self.peek(0), self.peek(1));
        let Some(Frame { kind: Kind::Arithmetic { square, brackets }, .. }) = self.stack.last_mut()
        else {
            return;
        };
        match byte {
            b']' if *square => {
                self.at += 1;
                self.stack.pop();
            }
            b'(' => {
                *brackets += 1;
                self.at += 1;
            }
            b')' if *brackets > 0 => {
                *brackets -= 1;
                self.at += 1;
            }
            b')' if !*square => {
                self.at += 1 + usize::from(next == b')');
                self.stack.pop();
            }
            b'$' => self.dollar(Place::Arithmetic),
            b'`' => self.backtick(),
            b'\\' => self.escaped(Place::Arithmetic),
            byte if byte.is_ascii_alphabetic() || byte == b'_' => self.arithmetic_name(),
            _ => {
                let width = self.width();
                self.literal(width, Place::Arithmetic);
            }
        }
    }

    fn arithmetic_name(&mut self) {
        let start = self.at;
        let end = self.name_end(start);
        let name = self.text[start..end].to_owned();
        let rest = self.text[end..self.limit].trim_start_matches(' ');
        let sets = rest.starts_with('=') && !rest.starts_with("==");
        // Digits before it: `0xff`, `16#ff` are numbers.
        let number = start > 0
            && (self.bytes[start - 1].is_ascii_alphanumeric() || self.bytes[start - 1] == b'#');
        if sets {
            self.set(name, start, None, false);
        } else if !number {
            let around = self.around();
            let range = start..end;
            let place = Place::Arithmetic;
            self.found.uses.push(Use { name, range, place, around, defaulted: false });
        }
        self.literal(end - start, Place::Arithmetic);
    }

    fn name_end(&self, start: usize) -> usize {
        let rest = &self.bytes[start..self.limit];
        let end = rest.iter().position(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'_'));
        end.map_or(self.limit, |end| start + end)
    }

    fn push(&mut self, kind: Kind) {
        let mut around = self.around();
        match kind {
            Kind::Arithmetic { .. } => around.arithmetic = true,
            Kind::Parameter { .. } => around.parameter = true,
            _ => {}
        }
        self.stack.push(Frame { kind, around });
    }

    fn backtick(&mut self) {
        self.at += 1;
        let floor = self
            .stack
            .iter()
            .rposition(|frame| matches!(frame.kind, Kind::Heredoc { .. }))
            .map_or(0, |heredoc| heredoc + 1);
        let opened = self.stack.iter().skip(floor).rposition(|frame| {
            matches!(&frame.kind, Kind::Commands(commands) if commands.close == Close::Backtick)
        });
        if let Some(index) = opened {
            while self.stack.len() > floor + index {
                self.end_word_at(self.at - 1);
                self.end_command();
                self.stack.pop();
            }
        } else {
            let around = Around { backticks: true, ..self.around() };
            self.stack.push(Frame::commands(Close::Backtick, around, true));
        }
    }

    /// An expansion, or a `$` that is none.
    fn dollar(&mut self, place: Place) {
        let quotes = place == Place::Bare;
        match (self.peek(1), self.peek(2)) {
            (b'\'', _) if quotes => {
                self.at += 2;
                self.ansi();
            }
            (b'"', _) if quotes => {
                self.at += 2;
                self.push(Kind::Double);
            }
            (b'(', b'(') => {
                self.at += 3;
                self.push(Kind::Arithmetic { square: false, brackets: 0 });
            }
            (b'(', _) => {
                self.at += 2;
                let around = self.around();
                self.stack.push(Frame::commands(Close::Bracket, around, true));
            }
            (b'[', _) => {
                self.at += 2;
                self.push(Kind::Arithmetic { square: true, brackets: 0 });
            }
            (b'{', _) => self.parameter(place),
            (byte, _) if byte.is_ascii_alphabetic() || byte == b'_' => {
                let end = self.name_end(self.at + 1);
                let name = self.text[self.at + 1..end].to_owned();
                self.used(name, self.at..end, place, false);
                self.at = end;
            }
            (byte, _) if byte.is_ascii_digit() || b"@*#?$!-".contains(&byte) => self.at += 2,
            _ => self.literal(1, place),
        }
    }

    fn used(&mut self, name: String, range: Range<usize>, place: Place, defaulted: bool) {
        let around = self.around();
        self.found.uses.push(Use { name, range, place, around, defaulted });
    }

    /// `${…}`
    fn parameter(&mut self, place: Place) {
        let start = self.at;
        self.at += 2;
        if matches!(self.peek(0), b'!' | b'#')
            && (self.peek(1).is_ascii_alphabetic() || self.peek(1) == b'_')
        {
            self.at += 1;
        }
        let end = self.name_end(self.at);
        let name = &self.text[self.at..end];
        if is_identifier(name) {
            let name = name.to_owned();
            self.at = end;
            let after = if self.peek(0) == b':' { self.peek(1) } else { self.peek(0) };
            let defaulted = matches!(after, b'-' | b'=' | b'+' | b'?') && {
                // `${NAME?words}` ends the script by itself where it is not set.
                after != b'?'
            };
            let closing = if self.peek(0) == b'}' { end + 1 } else { end };
            self.used(name.clone(), start..closing, place, defaulted);
            if after == b'=' {
                self.set(name, start, None, false);
            }
        }
        let double = matches!(place, Place::Double | Place::Heredoc);
        self.push(Kind::Parameter { double });
    }

    fn set(&mut self, name: String, at: usize, value: Option<Range<usize>>, passing: bool) {
        let nested = self
            .stack
            .iter()
            .any(|frame| matches!(&frame.kind, Kind::Commands(commands) if commands.nested));
        self.found.sets.push(Set { name, at, value, passing, nested });
    }

    fn end_word(&mut self) {
        self.end_word_at(self.at);
    }

    fn end_word_at(&mut self, at: usize) {
        let text = self.text;
        let Some(commands) = self.commands() else { return };
        let Some(start) = commands.word.take() else { return };
        commands.operator = false;
        if std::mem::take(&mut commands.target) || commands.array {
            return;
        }
        let word = start..at.max(start);
        if commands.words.is_empty() {
            match &text[word.clone()] {
                "then" | "else" | "elif" | "do" | "!" | "time" | "coproc" => return,
                "if" | "while" | "until" | "{" => {
                    commands.blocks += 1;
                    return;
                }
                "for" | "select" => commands.blocks += 1,
                "fi" | "done" | "}" => commands.blocks = commands.blocks.saturating_sub(1),
                "case" => commands.cases += 1,
                "esac" => commands.cases = commands.cases.saturating_sub(1),
                _ => {}
            }
        }
        // `name() {`, `function name {`
        let function = |first: &Range<usize>| {
            let first = &text[first.clone()];
            first.ends_with("()") || first == "function"
        };
        if &text[word.clone()] == "{" && commands.words.first().is_some_and(function) {
            commands.blocks += 1;
            commands.words.clear();
            return;
        }
        commands.words.push(word);
    }

    fn end_command(&mut self) {
        let Some(commands) = self.commands() else { return };
        commands.target = false;
        let words = std::mem::take(&mut commands.words);
        if words.is_empty() {
            return;
        }
        let fed = std::mem::take(&mut commands.fed) || std::mem::take(&mut commands.piped);
        self.note_sets(&words);
        self.found.commands.push(Command { words, fed });
    }

    /// The variables that a command sets.
    fn note_sets(&mut self, words: &[Range<usize>]) {
        let text = self.text;
        let assigned = |word: &Range<usize>| assignment(text, word);
        let first = words.iter().position(|word| assigned(word).is_none());
        let leading = &words[..first.unwrap_or(words.len())];
        for word in leading {
            if let Some((name, value)) = assigned(word) {
                self.set(name, word.start, Some(value), first.is_some());
            }
        }
        let Some(first) = first else { return };
        let rest = &words[first + 1..];
        let name_of = |word: &Range<usize>| super::plain(&text[word.clone()]);
        let command = name_of(&words[first]);
        let names: Vec<Range<usize>> = match command.as_str() {
            "export" | "readonly" | "declare" | "typeset" | "local" => {
                for word in rest {
                    if let Some((name, value)) = assigned(word) {
                        self.set(name, word.start, Some(value), false);
                    }
                }
                return;
            }
            "for" | "select" => rest.iter().take(1).cloned().collect(),
            "read" | "mapfile" | "readarray" | "unset" => rest
                .iter()
                .filter(|word| !text[(*word).clone()].starts_with('-'))
                .cloned()
                .collect(),
            "getopts" => rest.get(1).cloned().into_iter().collect(),
            "printf" => match rest.first() {
                Some(option) if &text[option.clone()] == "-v" => {
                    rest.get(1).cloned().into_iter().collect()
                }
                _ => return,
            },
            "let" => {
                for word in rest {
                    if let Some((name, _)) = assigned(word) {
                        self.set(name, word.start, None, false);
                    }
                }
                return;
            }
            _ => return,
        };
        for word in names {
            let name = name_of(&word);
            if is_identifier(&name) {
                self.set(name, word.start, None, false);
            }
        }
    }
}

/// `NAME=…`, `NAME+=…`, `NAME[…]=…`: the name, and what stands behind the sign.
fn assignment(text: &str, word: &Range<usize>) -> Option<(String, Range<usize>)> {
    let held = text.get(word.clone())?;
    let held = held.strip_prefix('"').unwrap_or(held);
    let skipped = word.end - word.start - held.len();
    let end = held.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))?;
    let name = &held[..end];
    if !is_identifier(name) {
        return None;
    }
    let mut sign = end;
    if held[sign..].starts_with('[') {
        sign += held[sign..].find(']')? + 1;
    }
    if held[sign..].starts_with('+') {
        sign += 1;
    }
    held[sign..]
        .starts_with('=')
        .then(|| (name.to_owned(), word.start + skipped + sign + 1..word.end))
}
