//! Tokens to a tree, refusing what Go's text/template refuses, in its words.

use super::functions;
use super::lex::{TemplateError, Token, What, tokens};
use super::node::{Branch, Command, List, Node, Pipe, Word, WordKind};
use std::collections::HashMap;
use std::sync::Arc;

/// How deep brackets and blocks may lie in one another.
const DEPTH: u32 = 64;

type Parsed<T> = Result<T, TemplateError>;

/// A template's tree and those that it defines by name.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tree {
    pub(super) main: List,
    pub(super) named: HashMap<Arc<str>, List>,
}

/// Reads a template in which `variables` stand.
pub(super) fn parse(text: &str, variables: &[&str]) -> Parsed<Tree> {
    let variables = std::iter::once("$").chain(variables.iter().copied()).map(Into::into).collect();
    let tokens = tokens(text);
    let mut parser =
        Parser { text, tokens, next: 0, variables, named: HashMap::new(), ranges: 0, depth: 0 };
    let main = parser.top()?;
    Ok(Tree { main, named: parser.named })
}

/// What ended a list.
#[derive(Clone, Copy, PartialEq)]
enum Ended {
    End,
    Else,
}

struct Parser<'t> {
    text: &'t str,
    tokens: Vec<Token>,
    next: usize,
    variables: Vec<Arc<str>>,
    named: HashMap<Arc<str>, List>,
    ranges: u32,
    depth: u32,
}

impl<'t> Parser<'t> {
    fn peek(&self) -> &Token {
        // The end is always the last token and is never passed.
        &self.tokens[self.next.min(self.tokens.len() - 1)]
    }

    fn take(&mut self) -> Token {
        let token = self.peek().clone();
        self.next = (self.next + 1).min(self.tokens.len() - 1);
        token
    }

    fn skip_space(&mut self) {
        while self.peek().what == What::Space {
            self.take();
        }
    }

    fn take_word(&mut self) -> Token {
        self.skip_space();
        self.take()
    }

    fn written(&self, token: &Token) -> &'t str {
        &self.text[token.start..token.end]
    }

    fn unexpected<T>(&self, token: &Token, place: &str) -> Parsed<T> {
        let words = match &token.what {
            What::Bad(words) => words.clone(),
            What::End => "unexpected EOF".to_owned(),
            What::Keyword => format!("unexpected <{}> in {place}", self.written(token)),
            What::Close => format!("unexpected \"}}}}\" in {place}"),
            _ => format!("unexpected {} in {place}", super::printf::quote(self.written(token))),
        };
        Err(TemplateError::new(words, token.start))
    }

    fn keyword(&mut self) -> Option<&'t str> {
        self.skip_space();
        let token = self.peek().clone();
        (token.what == What::Keyword).then(|| self.written(&token))
    }

    fn deeper<T>(&mut self, at: usize, go: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= DEPTH {
            return Err(TemplateError::new("too many blocks and brackets in one another", at));
        }
        self.depth += 1;
        let gone = go(self);
        self.depth -= 1;
        gone
    }

    fn top(&mut self) -> Parsed<List> {
        let mut list = Vec::new();
        loop {
            if self.peek().what == What::End {
                return Ok(list);
            }
            let start = self.next;
            let token = self.take();
            if token.what == What::Open && self.keyword() == Some("define") {
                self.take();
                self.definition(token.start)?;
                continue;
            }
            self.next = start;
            match self.one()? {
                Ok(node) => list.extend(node),
                Err((Ended::Else, at)) => {
                    return Err(TemplateError::new("unexpected {{else}}", at));
                }
                Err((_, at)) => return Err(TemplateError::new("unexpected {{end}}", at)),
            }
        }
    }

    /// `{{define "name"}} … {{end}}`
    fn definition(&mut self, at: usize) -> Parsed<()> {
        let name = self.name("define clause")?;
        self.closed("define clause")?;
        let (list, ended) = self.apart(at)?;
        if ended != Ended::End {
            return Err(TemplateError::new("unexpected {{else}} in define clause", at));
        }
        self.define(name, list);
        Ok(())
    }

    /// An empty one takes no other's place.
    fn define(&mut self, name: Arc<str>, list: List) {
        let blank = |list: &List| {
            list.iter().all(|node| matches!(node, Node::Text(text) if text.trim().is_empty()))
        };
        if !self.named.contains_key(&name) || !blank(&list) {
            self.named.insert(name, list);
        }
    }

    /// A list that sees no variables but `$`.
    fn apart(&mut self, at: usize) -> Parsed<(List, Ended)> {
        let outer = std::mem::replace(&mut self.variables, vec!["$".into()]);
        let ranges = std::mem::take(&mut self.ranges);
        let list = self.deeper(at, Self::list)?;
        self.variables = outer;
        self.ranges = ranges;
        Ok(list)
    }

    fn name(&mut self, place: &str) -> Parsed<Arc<str>> {
        let token = self.take_word();
        match token.what {
            What::Quoted(name) => Ok(name.into()),
            _ => self.unexpected(&token, place),
        }
    }

    fn closed(&mut self, place: &str) -> Parsed<()> {
        let token = self.take_word();
        if token.what == What::Close { Ok(()) } else { self.unexpected(&token, place) }
    }

    /// Up to an `end` or `else`.
    fn list(&mut self) -> Parsed<(List, Ended)> {
        let mut list = Vec::new();
        loop {
            if self.peek().what == What::End {
                return Err(TemplateError::new("unexpected EOF", self.peek().start));
            }
            match self.one()? {
                Ok(node) => list.extend(node),
                Err((ended, _)) => return Ok((list, ended)),
            }
        }
    }

    /// A text or an action; what ends the list, and where, where that comes.
    fn one(&mut self) -> Parsed<Result<Option<Node>, (Ended, usize)>> {
        let token = self.take();
        match token.what {
            What::Text(text) => return Ok(Ok(Some(Node::Text(text)))),
            What::Open => {}
            _ => return self.unexpected(&token, "input"),
        }
        let at = token.start;
        let Some(keyword) = self.keyword() else {
            let pipe = self.pipe("command", &What::Close)?;
            return Ok(Ok(Some(Node::Action(pipe))));
        };
        if keyword == "nil" {
            let pipe = self.pipe("command", &What::Close)?;
            return Ok(Ok(Some(Node::Action(pipe))));
        }
        let token = self.take();
        let node = match keyword {
            "if" => Node::If(self.branch("if", at)?),
            "with" => Node::With(self.branch("with", at)?),
            "range" => Node::Range(self.branch("range", at)?),
            "end" => {
                self.closed("end")?;
                return Ok(Err((Ended::End, at)));
            }
            // What follows, `if` or nothing, is for the branch that it ends.
            "else" => {
                if !matches!(self.keyword(), Some("if" | "with")) {
                    self.closed("else")?;
                }
                return Ok(Err((Ended::Else, at)));
            }
            "break" | "continue" => {
                let closing = self.take_word();
                if closing.what != What::Close {
                    return self.unexpected(&closing, &format!("{{{{{keyword}}}}}"));
                }
                if self.ranges == 0 {
                    let words = format!("{{{{{keyword}}}}} outside {{{{range}}}}");
                    return Err(TemplateError::new(words, at));
                }
                if keyword == "break" { Node::Break } else { Node::Continue }
            }
            "template" => {
                let name = self.name("template clause")?;
                self.skip_space();
                let pipe = if self.peek().what == What::Close {
                    self.take();
                    None
                } else {
                    Some(self.pipe("template clause", &What::Close)?)
                };
                Node::Template { name, pipe, at: token.start }
            }
            "block" => {
                let name = self.name("block clause")?;
                let pipe = self.pipe("block clause", &What::Close)?;
                let (list, ended) = self.apart(at)?;
                if ended != Ended::End {
                    return Err(TemplateError::new("unexpected {{else}} in block clause", at));
                }
                self.define(Arc::clone(&name), list);
                Node::Template { name, pipe: Some(pipe), at: token.start }
            }
            _ => return Err(TemplateError::new(format!("unexpected {{{{{keyword}}}}}"), at)),
        };
        Ok(Ok(Some(node)))
    }

    fn branch(&mut self, place: &str, at: usize) -> Parsed<Branch> {
        let seen = self.variables.len();
        let pipe = self.pipe(place, &What::Close)?;
        self.ranges += u32::from(place == "range");
        let (then, ended) = self.deeper(at, Self::list)?;
        self.ranges -= u32::from(place == "range");
        let mut otherwise = Vec::new();
        if ended == Ended::Else {
            // `else if` is an `if` in the `else`, and both share one `end`.
            if let Some(word @ ("if" | "with")) = self.keyword() {
                if word != place {
                    let token = self.take();
                    return self.unexpected(&token, "else");
                }
                self.take();
                let branch = self.deeper(at, |parser| parser.branch(place, at))?;
                otherwise.push(if word == "if" { Node::If(branch) } else { Node::With(branch) });
            } else {
                let (list, ended) = self.deeper(at, Self::list)?;
                if ended == Ended::Else {
                    return Err(TemplateError::new("expected end; found {{else}}", at));
                }
                otherwise = list;
            }
        }
        self.variables.truncate(seen);
        Ok(Branch { pipe, then, otherwise })
    }

    fn pipe(&mut self, place: &str, end: &What) -> Parsed<Pipe> {
        self.skip_space();
        let at = self.peek().start;
        let (variables, assigns) = self.declarations(place)?;
        let mut commands = Vec::new();
        loop {
            self.skip_space();
            let token = self.peek().clone();
            if token.what == *end {
                self.take();
                return Self::checked(Pipe { variables, assigns, commands, at }, place);
            }
            match token.what {
                What::Word
                | What::Field
                | What::Variable
                | What::Dot
                | What::Quoted(_)
                | What::Rune(_)
                | What::Number
                | What::Left => commands.push(self.command()?),
                What::Keyword if self.written(&token) == "nil" => commands.push(self.command()?),
                _ => return self.unexpected(&token, place),
            }
        }
    }

    fn checked(pipe: Pipe, place: &str) -> Parsed<Pipe> {
        if pipe.commands.is_empty() {
            return Err(TemplateError::new(format!("missing value for {place}"), pipe.at));
        }
        for (i, command) in pipe.commands.iter().enumerate().skip(1) {
            let fixed = matches!(
                command.words.first().map(|word| &word.kind),
                Some(
                    WordKind::Bool(_)
                        | WordKind::Dot
                        | WordKind::Nil
                        | WordKind::Int(..)
                        | WordKind::Float(..)
                        | WordKind::Text(_)
                )
            );
            if fixed {
                let words = format!("non executable command in pipeline stage {}", i + 1);
                return Err(TemplateError::new(words, command.at));
            }
        }
        Ok(pipe)
    }

    /// `$a :=`, `$i, $e :=`, `$a =`
    fn declarations(&mut self, place: &str) -> Parsed<(Vec<Arc<str>>, bool)> {
        let mut names: Vec<Arc<str>> = Vec::new();
        loop {
            let start = self.next;
            self.skip_space();
            let token = self.peek().clone();
            if token.what != What::Variable {
                self.next = start;
                break;
            }
            self.take();
            self.skip_space();
            let sign = self.peek().clone();
            let name: Arc<str> = self.written(&token).into();
            match sign.what {
                What::Declare | What::Assign => {
                    self.take();
                    let assigns = sign.what == What::Assign;
                    names.push(Arc::clone(&name));
                    if assigns {
                        for name in &names {
                            self.known(name, token.start)?;
                        }
                    } else {
                        self.variables.extend(names.iter().cloned());
                    }
                    return Ok((names, assigns));
                }
                What::Char if self.written(&sign) == "," => {
                    self.take();
                    if place != "range" || !names.is_empty() {
                        let words = format!("too many declarations in {place}");
                        return Err(TemplateError::new(words, sign.start));
                    }
                    names.push(name);
                    self.skip_space();
                    if self.peek().what != What::Variable {
                        return Err(TemplateError::new(
                            "range can only initialize variables",
                            sign.start,
                        ));
                    }
                }
                _ => {
                    self.next = start;
                    break;
                }
            }
        }
        Ok((Vec::new(), false))
    }

    fn known(&self, name: &str, at: usize) -> Parsed<()> {
        if self.variables.iter().any(|known| &**known == name) {
            return Ok(());
        }
        Err(TemplateError::new(format!("undefined variable {name:?}"), at))
    }

    fn command(&mut self) -> Parsed<Command> {
        self.skip_space();
        let at = self.peek().start;
        let mut words = Vec::new();
        loop {
            self.skip_space();
            if let Some(word) = self.operand()? {
                words.push(word);
            }
            let token = self.take();
            match token.what {
                What::Space => continue,
                What::Right | What::Close => self.next -= 1,
                What::Pipe => {}
                _ => return self.unexpected(&token, "operand"),
            }
            break;
        }
        if words.is_empty() {
            return Err(TemplateError::new("empty command", at));
        }
        Ok(Command { words, at })
    }

    fn operand(&mut self) -> Parsed<Option<Word>> {
        let Some(word) = self.term()? else { return Ok(None) };
        let mut fields: Vec<Arc<str>> = Vec::new();
        let at = self.peek().start;
        while self.peek().what == What::Field {
            let token = self.take();
            fields.push(self.written(&token)[1..].into());
        }
        if fields.is_empty() {
            return Ok(Some(word));
        }
        let kind = match word.kind {
            WordKind::Field(mut names) => {
                names.extend(fields);
                WordKind::Field(names)
            }
            WordKind::Variable(name, _) => WordKind::Variable(name, fields),
            WordKind::Bool(_)
            | WordKind::Text(_)
            | WordKind::Int(..)
            | WordKind::Float(..)
            | WordKind::Nil
            | WordKind::Dot => {
                let written = word.to_string();
                let words = format!("unexpected . after term {}", super::printf::quote(&written));
                return Err(TemplateError::new(words, at));
            }
            kind => WordKind::Chain(Box::new(Word { kind, at: word.at }), fields),
        };
        Ok(Some(Word { kind, at }))
    }

    fn term(&mut self) -> Parsed<Option<Word>> {
        self.skip_space();
        let token = self.peek().clone();
        let written = self.written(&token);
        let kind = match token.what {
            What::Word if written == "true" || written == "false" => {
                WordKind::Bool(written == "true")
            }
            What::Word => {
                if !functions::is_known(written) {
                    let words = format!("function {written:?} not defined");
                    return Err(TemplateError::new(words, token.start));
                }
                WordKind::Function(written.into())
            }
            What::Keyword if written == "nil" => WordKind::Nil,
            What::Dot => WordKind::Dot,
            What::Variable => {
                self.known(written, token.start)?;
                WordKind::Variable(written.into(), Vec::new())
            }
            What::Field => WordKind::Field(vec![written[1..].into()]),
            What::Quoted(ref text) => WordKind::Text(text.as_str().into()),
            What::Rune(code) => WordKind::Int(code, written.to_owned()),
            What::Number => number(written, token.start)?,
            What::Left => {
                self.take();
                let pipe =
                    self.deeper(token.start, |p| p.pipe("parenthesized pipeline", &What::Right))?;
                return Ok(Some(Word { kind: WordKind::Pipe(Box::new(pipe)), at: token.start }));
            }
            _ => return Ok(None),
        };
        self.take();
        Ok(Some(Word { kind, at: token.start }))
    }
}

fn number(written: &str, at: usize) -> Parsed<WordKind> {
    let bad = |words: String| Err(TemplateError::new(words, at));
    let bare = written.replace('_', "");
    let (sign, digits) = match bare.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, bare.strip_prefix('+').unwrap_or(&bare)),
    };
    let lower = digits.to_ascii_lowercase();
    let whole = if let Some(hex) = lower.strip_prefix("0x") {
        i64::from_str_radix(hex, 16)
    } else if let Some(octal) = lower.strip_prefix("0o") {
        i64::from_str_radix(octal, 8)
    } else if let Some(binary) = lower.strip_prefix("0b") {
        i64::from_str_radix(binary, 2)
    } else if lower.len() > 1 && lower.starts_with('0') && lower.bytes().all(|b| b.is_ascii_digit())
    {
        i64::from_str_radix(&lower, 8)
    } else {
        lower.parse()
    };
    if let Ok(whole) = whole {
        return Ok(WordKind::Int(sign * whole, written.to_owned()));
    }
    if lower.is_empty() {
        return bad(format!("illegal number syntax: {written:?}"));
    }
    if lower.bytes().all(|byte| byte.is_ascii_digit()) {
        return bad(format!("integer overflow: {written:?}"));
    }
    match lower.parse::<f64>() {
        Ok(value) if lower.starts_with(|c: char| c.is_ascii_digit() || c == '.') => {
            Ok(WordKind::Float(
                f64::from(i32::try_from(sign).unwrap_or(1)) * value,
                written.to_owned(),
            ))
        }
        _ => bad(format!("illegal number syntax: {written:?}")),
    }
}
