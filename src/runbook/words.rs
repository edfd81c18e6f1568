//! What a shell makes of a script: its commands, their words, the variables in
//! them. After the POSIX shell command language and bash(1), as far as it takes
//! to say where a value ends up; it never fails and never runs anything.

use std::iter::Peekable;
use std::str::Chars;

/// Deeper nesting is not looked into: what stands there counts as one word.
const DEEPEST: usize = 24;

/// How a variable stands in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// Only whether it is set counts: `${X:+y}`.
    Tested,
    /// In double quotes: one word, whatever it holds.
    Quoted,
    /// Bare: what it holds is split into words, and stars in it are file names.
    Bare,
    /// In arithmetic, in a subscript, as a name of a name: what it holds is evaluated.
    Evaluated,
}

/// A variable in a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// Its name; `1`, `@`, `*` among them.
    pub name: String,
    /// How it stands there.
    pub how: How,
    /// It has a default there: `${X:-y}`.
    pub default: bool,
}

/// A word of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word {
    /// Its text without quotes; an expansion is `\u{1}`.
    pub text: String,
    /// The variables in it, those of command substitutions among them.
    pub uses: Vec<Use>,
}

/// A simple command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Command {
    /// Its line in the script, from 1.
    pub line: u32,
    /// The variables that it sets before its first word, and to what.
    pub sets: Vec<(String, Word)>,
    /// Its words.
    pub words: Vec<Word>,
    /// Where its output goes: `>`, `>>`, and the file.
    pub writes: Vec<Word>,
    /// What it reads: files, here-documents, here-strings.
    pub input: Vec<Word>,
    /// The commands of one pipeline have the same number.
    pub pipeline: u32,
    /// It runs in the background.
    pub background: bool,
}

impl Command {
    /// The program's name, without its folder; none where there is none, or an expansion.
    pub fn program(&self) -> Option<&str> {
        let text = self.words.first()?.text.as_str();
        (!text.contains('\u{1}')).then(|| text.rsplit('/').next().unwrap_or(text))
    }
}

impl Command {
    /// All variables in it.
    pub fn uses(&self) -> impl Iterator<Item = &Use> {
        let sets = self.sets.iter().map(|(_, word)| word);
        let words = sets.chain(&self.words).chain(&self.writes).chain(&self.input);
        words.flat_map(|word| &word.uses)
    }
}

/// All variables that are named in a script, those with a default among them.
pub fn named(script: &str) -> Vec<String> {
    let mut found = variables(script);
    for name in optional(script) {
        if !found.contains(&name) {
            found.push(name);
        }
    }
    found
}

/// The commands of a script, those in substitutions among them.
pub fn commands(script: &str) -> Vec<Command> {
    let mut found = Vec::new();
    let mut pipelines = 0;
    let mut scan = Scan::of(script, 1, 0, &mut found, &mut pipelines);
    scan.list(None);
    found
}

/// The variables that a command uses: neither set in it nor with a default
/// there, nor set by the shell for itself alone (`$1`, `$@`).
pub fn variables(script: &str) -> Vec<String> {
    used(script, |found| !found.default)
}

/// The variables that a command uses where they have a value, and does without
/// where they have none: `${X:-y}`.
pub fn optional(script: &str) -> Vec<String> {
    used(script, |found| found.default)
}

fn used(script: &str, which: impl Fn(&Use) -> bool) -> Vec<String> {
    let mut set: Vec<String> = Vec::new();
    let mut found: Vec<String> = Vec::new();
    for command in commands(script) {
        let sets = command.sets.iter().map(|(_, word)| word);
        let words = sets.chain(&command.words).chain(&command.writes).chain(&command.input);
        for used in words.flat_map(|word| &word.uses) {
            let known = set.contains(&used.name) || found.contains(&used.name);
            if super::given::is_identifier(&used.name) && which(used) && !known {
                found.push(used.name.clone());
            }
        }
        set.extend(assigned(&command));
    }
    found
}

/// The variables that a command sets.
pub fn assigned(command: &Command) -> Vec<String> {
    let mut names: Vec<String> = command.sets.iter().map(|(name, _)| name.clone()).collect();
    let plain = |word: &Word| {
        let name = word.text.split(['=', '[']).next().unwrap_or_default().trim_end_matches('+');
        super::given::is_identifier(name).then(|| name.to_owned())
    };
    let others = command.words.get(1..).unwrap_or_default();
    match command.program() {
        Some("for" | "select") => names.extend(others.first().and_then(plain)),
        Some(
            "export" | "readonly" | "declare" | "typeset" | "local" | "read" | "mapfile"
            | "readarray" | "getopts" | "let",
        ) => names.extend(others.iter().filter_map(plain)),
        Some("printf") => {
            let named = others.iter().position(|word| word.text == "-v");
            names.extend(named.and_then(|at| others.get(at + 1)).and_then(plain));
        }
        _ => {}
    }
    names
}

struct Scan<'t, 'o> {
    chars: Peekable<Chars<'t>>,
    line: u32,
    depth: usize,
    out: &'o mut Vec<Command>,
    pipelines: &'o mut u32,
    /// The number of the pipeline that is being read.
    pipeline: u32,
    /// Here-documents whose texts begin at the next line: end, whether tabs are
    /// taken off, whether variables count, and the command that reads them.
    heredocs: Vec<(String, bool, bool, usize)>,
}

/// What ends a list of commands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Bracket,
}

impl<'t, 'o> Scan<'t, 'o> {
    fn of(
        text: &'t str,
        line: u32,
        depth: usize,
        out: &'o mut Vec<Command>,
        pipelines: &'o mut u32,
    ) -> Self {
        let chars = text.chars().peekable();
        Self { chars, line, depth, out, pipelines, pipeline: 0, heredocs: Vec::new() }
    }

    fn peek(&mut self) -> Option<char> {
        self.chars.peek().copied()
    }

    fn second(&self) -> Option<char> {
        let mut ahead = self.chars.clone();
        ahead.next();
        ahead.next()
    }

    fn take(&mut self) -> Option<char> {
        let c = self.chars.next();
        self.line += u32::from(c == Some('\n'));
        c
    }

    fn take_if(&mut self, wanted: char) -> bool {
        let is = self.peek() == Some(wanted);
        if is {
            self.take();
        }
        is
    }

    /// Commands until the end.
    fn list(&mut self, end: Option<End>) {
        let outer = self.pipeline;
        self.next_pipeline();
        self.commands(end);
        self.pipeline = outer;
    }

    fn next_pipeline(&mut self) {
        *self.pipelines += 1;
        self.pipeline = *self.pipelines;
    }

    fn commands(&mut self, end: Option<End>) {
        let mut command = self.begin();
        let mut cases = 0_u32;
        let mut groups = 0_u32;
        while let Some(c) = self.peek() {
            let double_square = command.words.first().is_some_and(|word| word.text == "[[")
                && command.words.last().is_none_or(|word| word.text != "]]");
            match c {
                ' ' | '\t' | '\r' => {
                    self.take();
                }
                '\\' if self.second() == Some('\n') => {
                    self.take();
                    self.take();
                }
                '#' => {
                    while self.peek().is_some_and(|c| c != '\n') {
                        self.take();
                    }
                }
                '\n' => {
                    self.close(&mut command, false, false);
                    self.take();
                    self.heredoc_texts();
                }
                '&' | '|' | '(' | ')' | '<' | '>' if double_square => {
                    self.take();
                    command.words.push(Word { text: c.into(), uses: Vec::new() });
                }
                ';' => {
                    self.take();
                    self.close(&mut command, false, false);
                }
                '&' => {
                    self.take();
                    if self.take_if('&') {
                        self.close(&mut command, false, false);
                    } else if self.peek() == Some('>') {
                        self.redirection(&mut command);
                    } else {
                        self.close(&mut command, true, false);
                    }
                }
                '|' => {
                    self.take();
                    let or = self.take_if('|');
                    if !or {
                        self.take_if('&');
                    }
                    self.close(&mut command, false, !or);
                }
                '(' => {
                    self.take();
                    let array = command.sets.last().is_some_and(|(_, value)| value.text.is_empty());
                    if command.words.is_empty() && array {
                        self.array(&mut command);
                    } else if self.peek() == Some('(')
                        && command.words.last().is_none_or(|word| word.text == "for")
                    {
                        self.take();
                        let mut word = Word { text: "((".into(), uses: Vec::new() };
                        self.arithmetic(&mut word, "))");
                        command.words.push(word);
                    } else if self.peek() == Some(')') && command.words.len() == 1 {
                        // A function: its name is called later.
                        self.take();
                        command.words.clear();
                    } else {
                        self.close(&mut command, false, true);
                        groups += 1;
                    }
                }
                ')' if cases > 0 => {
                    self.take();
                    command.words.clear();
                }
                ')' if groups > 0 => {
                    self.take();
                    groups -= 1;
                    self.close(&mut command, false, true);
                }
                ')' => {
                    self.take();
                    if end == Some(End::Bracket) {
                        self.close(&mut command, false, false);
                        return;
                    }
                    self.close(&mut command, false, false);
                }
                '<' | '>' if self.second() != Some('(') => self.redirection(&mut command),
                _ => {
                    let word = self.word();
                    self.put(&mut command, word, &mut cases);
                }
            }
        }
        self.close(&mut command, false, false);
    }

    fn begin(&self) -> Command {
        Command { line: self.line, pipeline: self.pipeline, ..Command::default() }
    }

    /// A command has ended.
    fn close(&mut self, command: &mut Command, background: bool, pipe: bool) {
        if !pipe {
            self.next_pipeline();
        }
        let next = self.begin();
        let mut done = std::mem::replace(command, next);
        done.background = background;
        let empty = done.words.is_empty()
            && done.sets.is_empty()
            && done.writes.is_empty()
            && done.input.is_empty();
        if !empty {
            let at = self.out.len();
            for heredoc in &mut self.heredocs {
                // Those of this command did not know its place yet.
                if heredoc.3 == usize::MAX {
                    heredoc.3 = at;
                }
            }
            self.out.push(done);
        }
    }

    fn put(&mut self, command: &mut Command, word: Word, cases: &mut u32) {
        if command.words.is_empty() {
            if command.sets.is_empty() {
                command.line = self.line;
            }
            match word.text.as_str() {
                "if" | "then" | "elif" | "else" | "fi" | "do" | "done" | "while" | "until"
                | "{" | "}" | "!" | "time" | "function" | "coproc" => return,
                "case" => *cases += 1,
                "esac" => {
                    *cases = cases.saturating_sub(1);
                    return;
                }
                _ => {}
            }
            if let Some((name, value)) = assignment(&word) {
                command.sets.push((name, value));
                return;
            }
        }
        // `case X in a) …`: what follows are patterns.
        if word.text == "in" && command.program() == Some("case") {
            self.close(command, false, false);
            return;
        }
        command.words.push(word);
    }

    /// `> file`, `2>&1`, `<< END`, `<<< text`.
    fn redirection(&mut self, command: &mut Command) {
        // A number before it is no word.
        let numbered = command.words.last().is_some_and(|word| {
            word.uses.is_empty()
                && !word.text.is_empty()
                && word.text.bytes().all(|b| b.is_ascii_digit())
        });
        let mut operator = String::new();
        while let Some(c @ ('<' | '>')) = self.peek() {
            if operator.len() == 3 || (c == '>' && operator == ">>") {
                break;
            }
            operator.push(c);
            self.take();
        }
        if numbered && operator.starts_with('>') {
            command.words.pop();
        }
        let dash = operator == "<<" && self.take_if('-');
        let to_number = self.take_if('&');
        self.take_if('|');
        while matches!(self.peek(), Some(' ' | '\t')) {
            self.take();
        }
        if operator == "<<" {
            let (end, quoted) = self.heredoc_end();
            self.heredocs.push((end, dash, !quoted, usize::MAX));
            return;
        }
        let word = self.word();
        if word == Word::default() {
            // Nothing that can be a file: one step on, so that this ends.
            return;
        }
        if operator.starts_with('>') {
            let number =
                to_number && word.text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
            if !number {
                command.writes.push(word);
            }
        } else {
            command.input.push(word);
        }
    }

    /// The word that ends a here-document, and whether it is quoted.
    fn heredoc_end(&mut self) -> (String, bool) {
        let (mut end, mut quoted) = (String::new(), false);
        while let Some(c) = self.peek() {
            match c {
                '\'' | '"' | '\\' => quoted = true,
                c if c.is_whitespace() || ";&|<>()".contains(c) => break,
                c => end.push(c),
            }
            self.take();
        }
        (end, quoted)
    }

    /// The texts of here-documents, from the line on that begins here.
    fn heredoc_texts(&mut self) {
        for (end, dash, expands, at) in std::mem::take(&mut self.heredocs) {
            let mut text = String::new();
            while self.peek().is_some() {
                let mut line = String::new();
                while let Some(c) = self.take() {
                    line.push(c);
                    if c == '\n' {
                        break;
                    }
                }
                let bare = line.strip_suffix('\n').unwrap_or(&line);
                let bare = if dash { bare.trim_start_matches('\t') } else { bare };
                if bare == end {
                    break;
                }
                text.push_str(&line);
            }
            let word = if expands { self.text_of(&text) } else { Word { text, uses: Vec::new() } };
            if let Some(command) = self.out.get_mut(at) {
                command.input.push(word);
            }
        }
    }

    /// A text in which variables count, and quotes do not.
    fn text_of(&mut self, text: &str) -> Word {
        let mut word = Word::default();
        let mut inner = Scan::of(text, self.line, self.depth + 1, self.out, self.pipelines);
        while let Some(c) = inner.take() {
            match c {
                '\\' => {
                    inner.take();
                }
                '$' => inner.expansion(&mut word, How::Quoted),
                '`' => inner.backquoted(&mut word),
                c => word.text.push(c),
            }
        }
        word
    }

    fn word(&mut self) -> Word {
        let mut word = Word::default();
        while let Some(c) = self.peek() {
            match c {
                '<' | '>' if self.second() == Some('(') && word.text.is_empty() => {
                    self.take();
                    self.take();
                    self.substitution(&mut word);
                }
                ' ' | '\t' | '\r' | '\n' | ';' | '&' | '|' | '(' | ')' | '<' | '>' => break,
                '\'' => {
                    self.take();
                    while let Some(c) = self.take() {
                        if c == '\'' {
                            break;
                        }
                        word.text.push(c);
                    }
                }
                '"' => {
                    self.take();
                    self.quoted(&mut word);
                }
                '\\' => {
                    self.take();
                    word.text.extend(self.take().filter(|c| *c != '\n'));
                }
                '$' => {
                    self.take();
                    self.expansion(&mut word, How::Bare);
                }
                '`' => {
                    self.take();
                    self.backquoted(&mut word);
                }
                c => {
                    self.take();
                    word.text.push(c);
                }
            }
        }
        word
    }

    /// The words of `NAME=( … )`.
    fn array(&mut self, command: &mut Command) {
        loop {
            match self.peek() {
                None => return,
                Some(')') => {
                    self.take();
                    return;
                }
                Some(c) if c.is_whitespace() || ";&|(<>".contains(c) => {
                    self.take();
                }
                Some(_) => {
                    let word = self.word();
                    if let Some((_, value)) = command.sets.last_mut() {
                        value.uses.extend(word.uses);
                    }
                }
            }
        }
    }

    /// What stands between double quotes.
    fn quoted(&mut self, word: &mut Word) {
        // An empty text is a word, too.
        while let Some(c) = self.take() {
            match c {
                '"' => return,
                '\\' => match self.peek() {
                    Some(c @ ('"' | '$' | '`' | '\\' | '\n')) => {
                        self.take();
                        word.text.extend((c != '\n').then_some(c));
                    }
                    _ => word.text.push('\\'),
                },
                '$' => self.expansion(word, How::Quoted),
                '`' => self.backquoted(word),
                c => word.text.push(c),
            }
        }
    }

    /// What follows a `$`.
    fn expansion(&mut self, word: &mut Word, how: How) {
        // Deeper, what opens something is text, and names count as bare.
        if self.depth >= DEEPEST && matches!(self.peek(), Some('(' | '{' | '[')) {
            return word.text.push('\u{1}');
        }
        self.depth += 1;
        self.expanded(word, how);
        self.depth -= 1;
    }

    fn expanded(&mut self, word: &mut Word, how: How) {
        match self.peek() {
            Some('(') => {
                self.take();
                if self.peek() == Some('(') {
                    self.take();
                    word.text.push('\u{1}');
                    self.arithmetic(word, "))");
                } else {
                    self.substitution(word);
                }
            }
            Some('[') => {
                self.take();
                word.text.push('\u{1}');
                self.arithmetic(word, "]");
            }
            Some('{') => {
                self.take();
                word.text.push('\u{1}');
                self.parameter(word, how);
            }
            Some('\'') if how == How::Bare => {
                self.take();
                while let Some(c) = self.take() {
                    match c {
                        '\'' => return,
                        '\\' => {
                            self.take();
                            word.text.push('\u{fffd}');
                        }
                        c => word.text.push(c),
                    }
                }
            }
            // `$"…"`: a text to be translated.
            Some('"') if how == How::Bare => {}
            Some(c) if c.is_ascii_alphabetic() || c == '_' => {
                let name = self.name();
                word.text.push('\u{1}');
                word.uses.push(Use { name, how, default: false });
            }
            Some(c) if c.is_ascii_digit() || "@*#?-$!".contains(c) => {
                self.take();
                word.text.push('\u{1}');
                word.uses.push(Use { name: c.into(), how, default: false });
            }
            _ => word.text.push('$'),
        }
    }

    fn name(&mut self) -> String {
        let mut name = String::new();
        while let Some(c) = self.peek() {
            if !(c.is_ascii_alphanumeric() || c == '_') {
                break;
            }
            name.push(c);
            self.take();
        }
        name
    }

    /// `${…}`, from behind its bracket.
    fn parameter(&mut self, word: &mut Word, how: How) {
        let mut own = how;
        if self.peek() == Some('!') && self.second() != Some('}') {
            self.take();
            own = How::Evaluated;
        }
        if self.peek() == Some('#') && self.second() != Some('}') {
            self.take();
        }
        let mut name = self.name();
        if name.is_empty() {
            name.extend(self.take().filter(|c| *c != '}'));
        }
        let at = word.uses.len();
        word.uses.push(Use { name, how: own, default: false });
        if self.take_if('[') {
            self.arithmetic(word, "]");
        }
        let mut inner = how;
        match self.peek() {
            Some(':') => {
                self.take();
                if matches!(self.peek(), Some('-' | '=' | '?' | '+')) {
                    word.uses[at].default = self.peek() != Some('?');
                    if self.peek() == Some('+') {
                        word.uses[at].how = How::Tested;
                    }
                } else {
                    inner = How::Evaluated;
                }
            }
            Some('+') => {
                word.uses[at].default = true;
                word.uses[at].how = How::Tested;
            }
            Some('-' | '=') => word.uses[at].default = true,
            Some('@') => word.uses[at].how = How::Evaluated,
            _ => {}
        }
        // The rest is a word that goes on to the bracket.
        while let Some(c) = self.take() {
            match c {
                '}' => {
                    // What stands in `${X:+… $X …}` counts only where X has a value.
                    let (before, inside) = word.uses.split_at_mut(at + 1);
                    if let Some(own) = before.last().filter(|own| own.default) {
                        let same = inside.iter_mut().filter(|used| used.name == own.name);
                        same.for_each(|used| used.default = true);
                    }
                    return;
                }
                '\\' => {
                    self.take();
                }
                '$' => {
                    let from = word.uses.len();
                    self.expansion(word, inner);
                    if inner == How::Evaluated {
                        word.uses[from..].iter_mut().for_each(|used| used.how = How::Evaluated);
                    }
                }
                '`' => self.backquoted(word),
                '\'' if how == How::Bare => while self.take().is_some_and(|c| c != '\'') {},
                '"' => self.quoted(word),
                c if inner == How::Evaluated && (c.is_ascii_alphabetic() || c == '_') => {
                    let name = format!("{c}{}", self.name());
                    word.uses.push(Use { name, how: How::Evaluated, default: false });
                }
                _ => {}
            }
        }
    }

    /// Arithmetic, to its end: names in it are variables, whose values are evaluated.
    fn arithmetic(&mut self, word: &mut Word, end: &str) {
        let (open, close) = if end == "]" { ('[', ']') } else { ('(', ')') };
        let mut open_now = end.len();
        while let Some(c) = self.take() {
            match c {
                c if c == open => open_now += 1,
                c if c == close => {
                    open_now -= 1;
                    if open_now == 0 {
                        return;
                    }
                }
                '$' => {
                    let from = word.uses.len();
                    self.expansion(word, How::Evaluated);
                    word.uses[from..].iter_mut().for_each(|used| used.how = How::Evaluated);
                }
                '`' => self.backquoted(word),
                c if c.is_ascii_alphabetic() || c == '_' => {
                    let name = format!("{c}{}", self.name());
                    word.uses.push(Use { name, how: How::Evaluated, default: false });
                }
                // A number such as 0x1f is none.
                c if c.is_ascii_digit() => {
                    self.name();
                }
                _ => {}
            }
        }
    }

    /// `$(…)`, from behind its bracket: its commands stand before the one that it is in.
    fn substitution(&mut self, word: &mut Word) {
        word.text.push('\u{1}');
        if self.depth > DEEPEST {
            return;
        }
        let from = self.out.len();
        let heredocs = std::mem::take(&mut self.heredocs);
        self.depth += 1;
        self.list(Some(End::Bracket));
        self.depth -= 1;
        self.heredocs = heredocs;
        self.carry(from, word);
    }

    /// `` `…` ``, from behind its first quote.
    fn backquoted(&mut self, word: &mut Word) {
        word.text.push('\u{1}');
        let mut text = String::new();
        while let Some(c) = self.take() {
            match c {
                '`' => break,
                '\\' => match self.take() {
                    Some(c @ ('`' | '$' | '\\')) => text.push(c),
                    Some(c) => text.extend(['\\', c]),
                    None => {}
                },
                c => text.push(c),
            }
        }
        if self.depth < DEEPEST {
            let from = self.out.len();
            let (line, depth) = (self.line, self.depth + 1);
            Scan::of(&text, line, depth, self.out, self.pipelines).list(None);
            self.carry(from, word);
        }
    }

    /// What is used within a substitution is used by the word that it stands in.
    fn carry(&mut self, from: usize, word: &mut Word) {
        for command in &self.out[from..] {
            let sets = command.sets.iter().map(|(_, value)| value);
            let words = sets.chain(&command.words).chain(&command.writes).chain(&command.input);
            for used in words.flat_map(|inner| &inner.uses) {
                if used.how != How::Tested {
                    word.uses.push(Use { how: How::Quoted, ..used.clone() });
                }
            }
        }
    }
}

/// `NAME=value`, `NAME+=value`, `NAME[1]=value`.
fn assignment(word: &Word) -> Option<(String, Word)> {
    let (left, right) = word.text.split_once('=')?;
    let name = left.trim_end_matches('+').split('[').next().unwrap_or_default();
    // A quoted `=` looks the same: such a command is never found anyway.
    super::given::is_identifier(name)
        .then(|| (name.to_owned(), Word { text: right.to_owned(), uses: word.uses.clone() }))
}

#[cfg(test)]
#[path = "words_tests.rs"]
mod tests;
