//! The tree of a template, and how its parts are written in errors.

use std::fmt;
use std::sync::Arc;

/// What is done one after the other.
pub(super) type List = Vec<Node>;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Text(String),
    Action(Pipe),
    If(Branch),
    With(Branch),
    Range(Branch),
    Template { name: Arc<str>, pipe: Option<Pipe>, at: usize },
    Break,
    Continue,
}

/// A condition and what is done where it holds, and where not.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Branch {
    pub(super) pipe: Pipe,
    pub(super) then: List,
    pub(super) otherwise: List,
}

/// `$a, $b := x | y`
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pipe {
    pub(super) variables: Vec<Arc<str>>,
    /// `=`, not `:=`.
    pub(super) assigns: bool,
    pub(super) commands: Vec<Command>,
    pub(super) at: usize,
}

/// A function and what it is given, or one value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Command {
    pub(super) words: Vec<Word>,
    pub(super) at: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Word {
    pub(super) kind: WordKind,
    pub(super) at: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum WordKind {
    Dot,
    Nil,
    Bool(bool),
    Int(i64, String),
    Float(f64, String),
    Text(Arc<str>),
    Field(Vec<Arc<str>>),
    Variable(Arc<str>, Vec<Arc<str>>),
    Function(Arc<str>),
    Pipe(Box<Pipe>),
    Chain(Box<Word>, Vec<Arc<str>>),
}

impl fmt::Display for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.variables.is_empty() {
            f.write_str(&self.variables.join(", "))?;
            f.write_str(if self.assigns { " = " } else { " := " })?;
        }
        for (i, command) in self.commands.iter().enumerate() {
            f.write_str(if i > 0 { " | " } else { "" })?;
            command.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, word) in self.words.iter().enumerate() {
            f.write_str(if i > 0 { " " } else { "" })?;
            match &word.kind {
                WordKind::Pipe(pipe) => write!(f, "({pipe})")?,
                _ => word.fmt(f)?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = |f: &mut fmt::Formatter<'_>, fields: &[Arc<str>]| {
            fields.iter().try_for_each(|field| write!(f, ".{field}"))
        };
        match &self.kind {
            WordKind::Dot => f.write_str("."),
            WordKind::Nil => f.write_str("nil"),
            WordKind::Bool(value) => write!(f, "{value}"),
            WordKind::Int(_, written) | WordKind::Float(_, written) => f.write_str(written),
            WordKind::Text(text) => write!(f, "{}", super::printf::quote(text)),
            WordKind::Field(names) => fields(f, names),
            WordKind::Variable(name, names) => {
                f.write_str(name)?;
                fields(f, names)
            }
            WordKind::Function(name) => f.write_str(name),
            WordKind::Pipe(pipe) => write!(f, "({pipe})"),
            WordKind::Chain(word, names) => {
                word.fmt(f)?;
                fields(f, names)
            }
        }
    }
}
