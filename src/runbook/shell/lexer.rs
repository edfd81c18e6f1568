//! Lists of commands: what ends one, what joins two, and what keywords open
//! (POSIX.1-2024, Shell Command Language, 2.3 to 2.10; bash's own forms too).

use super::input::Waiting;
use super::sets::assignment;
use super::{Around, Command, Piece, Place, Script, Stage, Word};
use std::collections::VecDeque;

/// How deep quotes and brackets may be nested.
const DEEPEST: usize = 40;

/// No part of a command was read yet.
const FRESH: usize = usize::MAX;

/// Reads a script.
pub(super) fn read(text: &str) -> Script {
    let mut lexer = Lexer::of(text, 0, Around::default());
    lexer.list(false, None);
    let mut found = lexer.found;
    let ends: Vec<usize> = text.match_indices('\n').map(|(at, _)| at).collect();
    for command in &mut found.commands {
        let line = ends.partition_point(|end| *end < command.at) + 1;
        command.line = u32::try_from(line).unwrap_or(u32::MAX);
    }
    found.sets.sort_by_key(|set| set.at);
    found
}

pub(super) struct Lexer<'t> {
    pub(super) text: &'t str,
    pub(super) bytes: &'t [u8],
    pub(super) at: usize,
    /// The text is read up to here: the end of the innermost heredoc.
    pub(super) limit: usize,
    pub(super) depth: usize,
    /// In a subshell or a substitution.
    pub(super) nested: bool,
    pub(super) around: Around,
    /// Heredocs whose texts begin in the next line.
    pub(super) waiting: VecDeque<Waiting>,
    /// What is being read.
    pub(super) stage: Stage,
    pub(super) found: Script,
}

/// A list of commands that is being read.
pub(super) struct List {
    pub(super) command: Command,
    /// What `if`, `{`, `case` and the like have opened.
    blocks: Vec<Block>,
    /// The last thing was `|`, `&&`, `||` or the head of a function.
    operator: bool,
    /// `[[` was read, and no `]]` yet.
    test: bool,
    /// `)` ends it.
    bracket: bool,
}

struct Block {
    /// Where it stands itself.
    stage: Stage,
    case: Option<Case>,
}

/// Where in a `case` one is, and the place of its command.
#[derive(Clone, Copy)]
enum Case {
    Subject,
    Patterns(usize),
    Body(usize),
}

/// What stands behind a command.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Joint {
    Done,
    Background,
    Pipe,
}

fn fresh() -> Command {
    Command { at: FRESH, ..Command::default() }
}

impl List {
    fn case(&self) -> Option<Case> {
        self.blocks.last().and_then(|block| block.case)
    }

    fn set_case(&mut self, case: Case) {
        if let Some(block) = self.blocks.last_mut() {
            block.case = Some(case);
        }
    }

    /// Something of the command stands at this place.
    pub(super) fn begin(&mut self, at: usize) {
        if self.command.at == FRESH {
            self.command.at = at;
        }
        self.operator = false;
    }
}

impl<'t> Lexer<'t> {
    pub(super) fn of(text: &'t str, depth: usize, around: Around) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            at: 0,
            limit: text.len(),
            depth,
            nested: depth > 0,
            around,
            waiting: VecDeque::new(),
            stage: Stage::default(),
            found: Script::default(),
        }
    }

    pub(super) fn peek(&self, ahead: usize) -> u8 {
        let at = self.at + ahead;
        if at < self.limit { self.bytes[at] } else { 0 }
    }

    /// Takes bytes as they stand.
    pub(super) fn literal(&mut self, bytes: usize, place: Place) {
        let end = (self.at + bytes).min(self.limit);
        let (range, around) = (self.at..end, self.around);
        self.at = end;
        match self.found.pieces.last_mut() {
            Some(last)
                if last.range.end == range.start
                    && last.place == place
                    && last.around == around =>
            {
                last.range.end = range.end;
            }
            _ if range.is_empty() => {}
            _ => self.found.pieces.push(Piece { range, place, around }),
        }
    }

    /// Up to the first of these bytes.
    pub(super) fn run(&self, stops: &[u8]) -> usize {
        let rest = &self.bytes[self.at..self.limit];
        rest.iter().position(|byte| stops.contains(byte)).unwrap_or(rest.len())
    }

    /// One level deeper; what is too deep is text to its end.
    pub(super) fn deeper(&mut self, inner: impl FnOnce(&mut Self)) {
        if self.depth >= DEEPEST {
            self.found.unsure = true;
            self.literal(self.limit - self.at, Place::Bare);
            return;
        }
        self.depth += 1;
        inner(self);
        self.depth -= 1;
    }

    fn begin_pipeline(&mut self, outer: Option<Stage>) {
        self.stage = Stage { pipeline: self.found.pipelines.len(), member: 0 };
        self.found.pipelines.push(outer);
    }

    /// What stands between brackets, from behind the first: commands of a shell of
    /// their own.
    pub(super) fn bracketed(&mut self, outer: Option<Stage>) {
        let stage = self.stage;
        let nested = std::mem::replace(&mut self.nested, true);
        self.deeper(|it| it.list(true, outer));
        self.stage = stage;
        self.nested = nested;
    }

    /// Commands, to a bracket or to the end.
    pub(super) fn list(&mut self, bracket: bool, outer: Option<Stage>) {
        let mut list =
            List { command: fresh(), blocks: Vec::new(), operator: false, test: false, bracket };
        self.begin_pipeline(outer);
        let mut closed = false;
        while self.at < self.limit && !closed {
            closed = self.token(&mut list);
        }
        let open = list.operator || list.test || !list.blocks.is_empty() || closed != bracket;
        self.end(&mut list, Joint::Done);
        self.found.open |= open || (self.depth == 0 && !self.waiting.is_empty());
    }

    /// The next thing of a list. True where it is the bracket that ends it.
    fn token(&mut self, list: &mut List) -> bool {
        let (byte, next) = (self.peek(0), self.peek(1));
        let patterns = matches!(list.case(), Some(Case::Patterns(_)));
        match byte {
            b' ' | b'\t' => self.at += 1,
            b'\\' if next == b'\n' => self.at += 2,
            b'#' => self.literal(self.run(b"\n"), Place::Comment),
            b'(' | b')' | b'|' | b';' | b'&' if patterns => {
                if let (b')', Some(Case::Patterns(command))) = (byte, list.case()) {
                    list.set_case(Case::Body(command));
                }
                self.at += 1;
            }
            b'\n' if list.test => self.at += 1,
            b'<' | b'>' if next == b'(' => self.begin_word(list),
            b'(' | b')' | b'&' | b'|' | b'<' | b'>' if list.test => {
                let range = self.at..self.at + 1;
                let text = self.text[range.clone()].to_owned();
                list.command.words.push(Word { range, text, ..Word::default() });
                self.literal(1, Place::Bare);
            }
            b'\n' => self.line_end(list),
            b'&' if next == b'>' => {
                self.at += 1;
                self.redirection(list);
            }
            b';' | b'&' | b'|' => self.operator(list, byte),
            b'(' => self.open_bracket(list),
            b')' => {
                self.end(list, Joint::Done);
                self.at += 1;
                list.operator = false;
                return list.bracket;
            }
            b'<' | b'>' => self.redirection(list),
            _ => self.begin_word(list),
        }
        false
    }

    fn begin_word(&mut self, list: &mut List) {
        let word = self.word();
        // Digits right before it are the number of a file, no word.
        let redirects = matches!(self.peek(0), b'<' | b'>') && self.peek(1) != b'(';
        let number = !word.quoted && word.text.bytes().all(|byte| byte.is_ascii_digit());
        if !(redirects && number) {
            self.put(list, word);
        }
    }

    fn line_end(&mut self, list: &mut List) {
        // Behind `|` the line's end means nothing.
        if list.command.at != FRESH || !list.operator {
            self.end(list, Joint::Done);
        }
        self.at += 1;
        self.heredoc_texts();
        let whole = self.depth == 0 && list.blocks.is_empty() && !list.operator && !self.found.open;
        if whole && !self.found.commands.is_empty() {
            let last = self.at - 1;
            let end = if self.bytes.get(last) == Some(&b'\n') { last } else { self.at };
            self.found.whole.get_or_insert(end);
        }
    }

    fn operator(&mut self, list: &mut List, byte: u8) {
        let double = self.peek(1) == byte;
        let pipe = byte == b'|' && !double;
        let joint = match byte {
            b'|' if pipe => Joint::Pipe,
            b'&' if !double => Joint::Background,
            _ => Joint::Done,
        };
        self.end(list, joint);
        self.at += 1 + usize::from(double || (pipe && self.peek(1) == b'&'));
        list.operator = byte == b'|' || (byte == b'&' && double);
        // `;;`, `;&`, `;;&`
        if let (b';', Some(Case::Body(command))) = (byte, list.case())
            && (double || self.peek(0) == b'&')
        {
            self.at += usize::from(self.peek(0) == b'&');
            list.set_case(Case::Patterns(command));
        }
    }

    /// `(`: a subshell, `((…))`, or the brackets of a function.
    fn open_bracket(&mut self, list: &mut List) {
        let command = &list.command;
        let counts = command.words.len() == 1 && command.words[0].text == "for";
        if self.peek(1) == b'(' && (command.at == FRESH || counts) {
            list.begin(self.at);
            let mut word = Word { range: self.at..self.at, text: "((".into(), ..Word::default() };
            self.at += 2;
            self.deeper(|it| it.arithmetic(&mut word, (b'(', b')'), 2));
            word.range.end = self.at;
            list.command.words.push(word);
            return;
        }
        if command.words.len() == 1 && command.sets.is_empty() && self.empty_brackets() {
            if let Some(name) = list.command.words.pop() {
                self.found.functions.insert(name.text);
            }
            list.command.at = FRESH;
            list.operator = true;
            return;
        }
        if command.at != FRESH {
            self.end(list, Joint::Done);
        }
        self.at += 1;
        self.bracketed(Some(self.stage));
        list.operator = false;
    }

    /// `()`, with blanks in it: skipped where it stands here.
    fn empty_brackets(&mut self) -> bool {
        let rest = self.text[self.at..self.limit].strip_prefix('(');
        let rest = rest.and_then(|rest| rest.trim_start_matches([' ', '\t']).strip_prefix(')'));
        if let Some(rest) = rest {
            self.at = self.limit - rest.len();
        }
        rest.is_some()
    }

    pub(super) fn blanks(&mut self) {
        while matches!(self.peek(0), b' ' | b'\t') {
            self.at += 1;
        }
    }

    fn open_block(&mut self, list: &mut List, case: Option<Case>) {
        list.blocks.push(Block { stage: self.stage, case });
        if list.blocks.len() <= DEEPEST {
            self.begin_pipeline(Some(self.stage));
        } else {
            self.found.unsure = true;
        }
    }

    fn close_block(&mut self, list: &mut List) {
        if let Some(block) = list.blocks.pop() {
            self.stage = block.stage;
        }
    }

    /// A word has been read.
    fn put(&mut self, list: &mut List, mut word: Word) {
        match list.case() {
            Some(Case::Patterns(_)) if !word.quoted && word.text == "esac" => {
                return self.close_block(list);
            }
            Some(Case::Patterns(command)) => {
                if let Some(command) = self.found.commands.get_mut(command) {
                    command.patterns.push(word);
                }
                return;
            }
            Some(Case::Subject) if word.text == "in" && list.command.words.len() > 1 => {
                let command = self.found.commands.len();
                self.end(list, Joint::Done);
                return list.set_case(Case::Patterns(command));
            }
            _ => {}
        }
        list.operator = false;
        let first = list.command.words.is_empty();
        if first && list.command.at == FRESH && !word.quoted && self.keyword(list, &word.text) {
            return;
        }
        list.begin(word.range.start);
        if first && let Some((name, value)) = assignment(self.text, &word.range) {
            self.subscript(&mut word);
            let text = word.text.split_once('=').map_or("", |(_, text)| text).to_owned();
            let (at, uses) = (word.range.start, word.uses);
            let value = Word { range: value, text, uses, quoted: word.quoted };
            list.command.sets.push(super::Assignment { name, at, value });
            return;
        }
        if first {
            list.test = !word.quoted && word.text == "[[";
        } else if list.test && word.text == "]]" {
            list.test = false;
        } else if list.command.program().is_some_and(super::sets::declares) {
            self.subscript(&mut word);
        }
        list.command.words.push(word);
    }

    /// Whether this word, in the place of a command, is one of the shell's own,
    /// and no part of any command.
    fn keyword(&mut self, list: &mut List, text: &str) -> bool {
        match text {
            "then" | "else" | "elif" | "do" | "!" | "coproc" => {}
            "time" => {
                self.blanks();
                if self.text[self.at..self.limit].starts_with("-p ") {
                    self.at += 2;
                }
            }
            "if" | "while" | "until" | "{" => self.open_block(list, None),
            "fi" | "done" | "}" => self.close_block(list),
            "esac" => {
                while list.blocks.last().is_some_and(|block| block.case.is_none()) {
                    self.close_block(list);
                }
                self.close_block(list);
            }
            "function" => {
                self.blanks();
                let name = self.word();
                self.found.functions.insert(name.text);
                self.blanks();
                self.empty_brackets();
                list.operator = true;
            }
            "for" | "select" => {
                self.open_block(list, None);
                return false;
            }
            "case" => {
                self.open_block(list, Some(Case::Subject));
                return false;
            }
            _ => return false,
        }
        true
    }

    /// A command has ended.
    fn end(&mut self, list: &mut List, joint: Joint) {
        let next = Command { piped: joint == Joint::Pipe, ..fresh() };
        let mut done = std::mem::replace(&mut list.command, next);
        list.test = false;
        done.stage = self.stage;
        if joint == Joint::Pipe {
            self.stage.member += 1;
        } else {
            let outer = self.found.pipelines.get(self.stage.pipeline).copied().flatten();
            self.begin_pipeline(outer);
        }
        done.background = joint == Joint::Background;
        if done.at == FRESH {
            if let Some(last) = self.found.commands.last_mut() {
                last.background |= done.background;
            }
            return;
        }
        self.note_sets(&done, self.nested || done.piped || joint == Joint::Pipe);
        self.found.commands.push(done);
    }
}
