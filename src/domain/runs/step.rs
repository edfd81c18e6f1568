//! A step of a runbook: what is executed, asked or ticked.

use super::{Condition, StepId};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A part of a runbook that is executed, asked or ticked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Its number.
    pub id: StepId,
    /// Its `name=`, unique in the runbook.
    pub name: Option<String>,
    /// What it is called in lists: the nearest heading above, or its first line.
    pub title: String,
    /// The line of its block in the text, from 1.
    pub line: u32,
    /// What it is.
    pub kind: StepKind,
}

/// What a step is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum StepKind {
    /// A command block.
    Command(CommandStep),
    /// A `check` block: all of its conditions shall hold.
    Check(CheckStep),
    /// A task-list item: ticked by a person.
    Manual {
        /// What to do, Markdown.
        text: String,
    },
}

/// The shell that runs a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shell {
    /// `sh -eu`
    Sh,
    /// `bash -euo pipefail`
    Bash,
}

/// A command block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is an attribute of the format")]
pub struct CommandStep {
    /// Who runs it.
    pub shell: Shell,
    /// Exactly what is run: prompts and output dropped, placeholders turned into expansions.
    pub script: String,
    /// It changes something: all that is not marked `reads`.
    pub changes: bool,
    /// It runs in a terminal of its own (`tty`): ssh, psql, sudo.
    pub tty: bool,
    /// After this its whole group is ended; a changing step is then `outcome unknown`.
    pub timeout: Option<Duration>,
    /// The name that has to be typed: of the service, of the host, or another word
    /// (`confirm=service`, `confirm=host`, `confirm=WORD`).
    pub confirm: Option<String>,
    /// A second person has to approve it (`approve`).
    pub approve: bool,
    /// The variable that keeps the last line of its output (`capture=`).
    pub capture: Option<String>,
    /// The step that undoes it (`undo=`).
    pub undo: Option<StepId>,
    /// It undoes another one and never runs forward.
    pub undoes: bool,
    /// So often it is started again by itself when it fails (`retry=`); only reads.
    pub retry: u32,
    /// What counts as success.
    pub expect: Expect,
    /// Where it runs instead of the run's folder (`cwd=`).
    pub folder: Option<String>,
    /// Variables that it uses and does not set.
    pub uses: Vec<String>,
    /// What could not be placed safely: the operator edits the line before it runs. In words.
    pub edit: Option<String>,
}

/// What counts as success of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expect {
    /// It ends with one of these codes (`expect=0`, `expect=0,2`).
    Codes(Vec<i32>),
    /// It ends with 0 and its output matches this regular expression (`expect=/…/`).
    Output(String),
}

/// A `check` block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckStep {
    /// Its lines as they stand, and what they ask.
    pub lines: Vec<(String, Condition)>,
    /// Asked again until all hold or this is over (`within=`); asked once where none.
    pub within: Option<Duration>,
    /// It stands after the last changing step: it is the run's proof.
    pub proof: bool,
}

/// A line of a `pin` block: `release = deployctl current "$SERVICE"`. Not a step:
/// asked anew right before each changing step after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// What is pinned.
    pub name: String,
    /// The command, a read, whose output must stay what it was.
    pub command: String,
    /// The line in the text, from 1.
    pub line: u32,
    /// The steps from this one on are held to it.
    pub before: StepId,
}
