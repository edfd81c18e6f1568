//! A runbook as it was read.

use crate::domain::runs::{BookId, Pin, Step};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A runbook as it was read: its text, what of it is executed, and what is
/// wrong with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Book {
    /// Its name: the file's name without `.md`.
    pub id: BookId,
    /// The file; `built in` for one that ships with opsroom.
    pub path: String,
    /// Its title: of the front matter, else the first heading, else its name.
    pub title: String,
    /// The front matter.
    pub front: Front,
    /// The whole text.
    pub text: Arc<str>,
    /// SHA-256 of the text, in hexadecimal.
    pub hash: String,
    /// Headings and blocks.
    pub document: Document,
    /// What is executed, asked or ticked, in the order of the text.
    pub steps: Vec<Step>,
    /// What must stay as it is.
    pub pins: Vec<Pin>,
    /// Written for people only: no block has an attribute of opsroom's, and no
    /// `check` or `pin` block stands in it. Each command block is confirmed by itself.
    pub foreign: bool,
    /// What is wrong with it, or unwise in it. With an error in it it is not run.
    pub remarks: Vec<Remark>,
}

impl Book {
    /// Whether it may be run.
    pub fn is_sound(&self) -> bool {
        self.remarks.iter().all(|remark| remark.level != Level::Error)
    }
}

/// The front matter. Keys that are missing are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Front {
    /// `title`
    pub title: Option<String>,
    /// `alerts`: offered when these fire. `*` stands for any characters.
    pub alerts: Vec<String>,
    /// `services`: offered for these. `*` stands for any characters.
    pub services: Vec<String>,
    /// `hosts`: where it may run. `*` stands for any characters; anywhere where empty.
    pub hosts: Vec<String>,
    /// `params`, in the order of the text.
    pub params: Vec<Param>,
    /// `cwd`: where its commands run.
    pub folder: Option<String>,
    /// The lines of the text that it stands in, from 1; none where there is none.
    pub lines: Option<(u32, u32)>,
}

/// A parameter: `RELEASE: { ask: Release to go back to, from: deployctl list, match: 'v[0-9]+' }`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Param {
    /// Its name, which is the variable's.
    pub name: String,
    /// `ask`: the question.
    pub ask: String,
    /// `default`
    pub default: Option<String>,
    /// `choices`: a list.
    pub choices: Vec<String>,
    /// `from`: a command, a read, that prints choices, one a line.
    pub from: Option<String>,
    /// `values`: PromQL whose answer's label gives choices: `label(EXPR, NAME)` as
    /// `values: { expr: …, label: … }`.
    pub values: Option<(String, String)>,
    /// `match`: a regular expression that the whole value must match.
    pub pattern: Option<String>,
    /// `secret`: not shown, not kept.
    pub secret: bool,
}

/// Headings and code blocks of a Markdown text, as `CommonMark` reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// All headings.
    pub headings: Vec<Heading>,
    /// All code blocks.
    pub blocks: Vec<Block>,
}

/// A heading.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heading {
    /// 1 to 6.
    pub level: u8,
    /// Its text without markup.
    pub text: String,
    /// Its line, from 1.
    pub line: u32,
}

/// A code block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// How it is marked.
    pub kind: BlockKind,
    /// Its first line, from 1: the fence's, where it has one.
    pub line: u32,
    /// Its last line, the closing fence where there is one.
    pub end_line: u32,
    /// The info string; empty for an indented block.
    pub info: String,
    /// The first word of the info string, as it stands.
    pub language: String,
    /// What the info string says after it.
    pub attributes: Vec<Attribute>,
    /// It stands in a list item.
    pub in_list: bool,
    /// It stands in a quote.
    pub in_quote: bool,
    /// What stands in it, without the indentation of its list.
    pub content: String,
}

/// How a code block is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BlockKind {
    /// By fences.
    Fence,
    /// By indentation.
    Indented,
}

/// An attribute of a code block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    /// Its name.
    pub name: String,
    /// Its value; empty for a bare word.
    pub value: String,
}

/// Something that is wrong with a runbook, or unwise in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    /// How bad it is.
    pub level: Level,
    /// The line, from 1.
    pub line: u32,
    /// What, and what to do about it.
    pub words: String,
}

/// How bad a remark is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// It cannot be run like this.
    Error,
    /// It can be run, and somebody should look at it.
    Warning,
}
