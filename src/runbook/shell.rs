//! What a shell makes of a script: its commands, their words, the variables in
//! them, and where each part stands. The one reader that the linter, the plan
//! and the placeholders ask. After the POSIX shell command language and bash(1);
//! total and linear: it never fails and never runs anything, and where shells
//! differ or nothing can be told for sure it says so.

mod arguments;
mod code;
#[cfg(test)]
mod command_tests;
mod expand;
mod input;
mod lexer;
mod sets;
#[cfg(test)]
mod tests;
mod word;

pub(crate) use arguments::behind_wrappers;
pub(crate) use code::{Code, Coded, Via, coded, ranges};
pub(crate) use sets::declares;

use std::collections::BTreeSet;
use std::ops::Range;

/// Stands for an expansion in the text of a word.
pub const EXPANDED: char = '\u{1}';

/// What stands around a part of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// No quotes.
    Bare,
    /// `"…"`
    Double,
    /// `'…'`
    Single,
    /// `$'…'`
    Ansi,
    /// `# …`
    Comment,
    /// The text behind `<<EOF`, in which variables are expanded.
    Heredoc,
    /// The text behind `<<'EOF'`, in which nothing is.
    QuotedHeredoc,
    /// `$((…))`, `((…))`, `$[…]`, a subscript.
    Arithmetic,
    /// `${…}`
    Parameter,
}

/// What lies around a part further out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a place that a part can stand in")]
pub(crate) struct Around {
    /// It stands in backticks.
    pub(crate) backticks: bool,
    /// It stands in the text behind `<<EOF`.
    pub(crate) heredoc: bool,
    /// It stands in an arithmetic expression.
    pub(crate) arithmetic: bool,
    /// It stands in `${…}`.
    pub(crate) parameter: bool,
}

/// A part of a script that is taken as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) range: Range<usize>,
    pub(crate) place: Place,
    pub(crate) around: Around,
}

/// A variable that is expanded somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expansion {
    pub(crate) name: String,
    /// All of it, `$` and braces included.
    pub(crate) range: Range<usize>,
    /// It stands in arithmetic.
    pub(crate) arithmetic: bool,
    /// It need not be set: `${X:-y}`, `${X:+… $X …}`.
    pub(crate) default: bool,
}

/// A variable that is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Set {
    pub(crate) name: String,
    /// Where the word begins that sets it.
    pub(crate) at: usize,
    /// The text behind `=`; none where something else sets it (`read`, `for`).
    pub(crate) value: Option<Range<usize>>,
    /// Only for the command that stands behind it: `A=1 command`.
    pub(crate) passing: bool,
    /// In a subshell, `$(…)` or a pipe: it does not outlive that.
    pub(crate) nested: bool,
}

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
    /// Where it begins, in bytes.
    pub at: usize,
}

/// A word of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word {
    /// Where it stands, in bytes.
    pub range: Range<usize>,
    /// Its text without quotes; each expansion is [`EXPANDED`].
    pub text: String,
    /// The variables in it, those of command substitutions among them.
    pub uses: Vec<Use>,
    /// Something in it is quoted: it is no keyword.
    pub quoted: bool,
}

impl Word {
    /// The name of a program without its folder.
    pub(crate) fn base(&self) -> &str {
        self.text.rsplit('/').next().unwrap_or(&self.text)
    }
}

/// `NAME=value` before a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The variable.
    pub name: String,
    /// Where the word begins, in bytes.
    pub at: usize,
    /// What stands behind the sign, with the variables of the whole word.
    pub value: Word,
}

/// A place in a pipeline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stage {
    /// Which pipeline: a place in [`Script::pipelines`].
    pub(crate) pipeline: usize,
    /// Its how-manieth command, from 0.
    pub(crate) member: usize,
}

/// A simple command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Command {
    /// Its line in the script, from 1.
    pub line: u32,
    /// Where it begins, in bytes.
    pub at: usize,
    /// The variables that it sets before its first word.
    pub sets: Vec<Assignment>,
    /// Its words; redirections are left out.
    pub words: Vec<Word>,
    /// Where its output goes: `>`, `>>`, and the file.
    pub writes: Vec<Word>,
    /// What it reads: files, here-documents, here-strings.
    pub input: Vec<Word>,
    /// The patterns of a `case`.
    pub patterns: Vec<Word>,
    /// It reads what the command before it writes.
    pub piped: bool,
    /// Its place in a pipeline.
    pub(crate) stage: Stage,
    /// It runs in the background.
    pub background: bool,
}

impl Command {
    /// The program's name, without its folder; none where there is none, or an expansion.
    pub fn program(&self) -> Option<&str> {
        let first = self.words.first()?;
        (!first.text.contains(EXPANDED)).then(|| first.base())
    }

    /// Something else than the terminal is its input: a file, a heredoc, a pipe.
    pub fn is_fed(&self) -> bool {
        self.piped || !self.input.is_empty()
    }

    /// All variables in it.
    pub fn uses(&self) -> impl Iterator<Item = &Use> {
        let sets = self.sets.iter().map(|set| &set.value);
        let words = sets.chain(&self.words).chain(&self.writes).chain(&self.input);
        words.chain(&self.patterns).flat_map(|word| &word.uses)
    }
}

/// A script as a shell sees it.
#[derive(Clone, Debug, Default)]
pub struct Script {
    pub(crate) pieces: Vec<Piece>,
    pub(crate) expansions: Vec<Expansion>,
    pub(crate) sets: Vec<Set>,
    /// Its commands, those of a substitution before the one that it stands in.
    pub commands: Vec<Command>,
    /// The functions that it defines.
    pub(crate) functions: BTreeSet<String>,
    /// Variables that are declared as numbers, references or arrays: a shell
    /// evaluates what they are set to.
    pub(crate) evaluating: BTreeSet<String>,
    /// Subscripts of what is set, `A[…]=`: arithmetic.
    pub(crate) subscripts: Vec<Range<usize>>,
    /// Where each pipeline stands in an outer one: within `{ … }`, `(…)`, `while …`.
    pub(crate) pipelines: Vec<Option<Stage>>,
    /// Where the first line ends behind which a command is whole; in bytes, the
    /// line's end not included.
    pub(crate) whole: Option<usize>,
    /// It ends within quotes, brackets, a heredoc or behind an operator.
    pub(crate) open: bool,
    /// It is nested too deep to be read to its end, or shells differ about it.
    pub(crate) unsure: bool,
}

impl Script {
    /// The piece that holds this place.
    pub(crate) fn piece_at(&self, byte: usize) -> Option<&Piece> {
        let index = self.pieces.partition_point(|piece| piece.range.end <= byte);
        self.pieces.get(index).filter(|piece| piece.range.contains(&byte))
    }

    /// Where a command stands: in its pipeline, in the one around that, and so on.
    pub(crate) fn stages(&self, command: &Command) -> impl Iterator<Item = Stage> {
        std::iter::successors(Some(command.stage), |inner| {
            self.pipelines.get(inner.pipeline).copied().flatten()
        })
    }

    /// Whether what one command writes can reach another behind it: both stand in
    /// one pipeline, by themselves or within what does.
    pub(crate) fn are_piped(&self, one: &Command, other: &Command) -> bool {
        self.stages(one).any(|from| {
            let reads = |to: Stage| to.pipeline == from.pipeline && to.member > from.member;
            self.stages(other).any(reads)
        })
    }

    /// Variables that are used and that nothing before sets, each once, in the
    /// order of their first use; those with a default where they stand, or the others.
    fn wanted(&self, default: bool) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        let mut known: BTreeSet<&str> = BTreeSet::new();
        let mut sets = self.sets.iter().filter(|set| !set.passing).peekable();
        for used in &self.expansions {
            let mut within = false;
            while let Some(set) = sets.next_if(|set| set.at <= used.range.start) {
                // `A=$A` uses the one that was there before.
                let value = set.value.as_ref().is_some_and(|value| value.end > used.range.start);
                within |= value && set.name == used.name && !known.contains(&*used.name);
                known.insert(&set.name);
            }
            let asked = used.default == default && (within || !known.contains(&*used.name));
            if asked && !found.contains(&used.name) {
                found.push(used.name.clone());
            }
        }
        found
    }

    /// The variables that it uses and does not set, without those that have a
    /// default where they stand.
    pub fn variables(&self) -> Vec<String> {
        self.wanted(false)
    }

    /// The variables that it uses where they have a value, and does without where
    /// they have none: `${X:-y}`.
    pub fn optional(&self) -> Vec<String> {
        self.wanted(true)
    }
}

/// Reads a script. Never fails.
pub fn read(text: &str) -> Script {
    lexer::read(text)
}

/// The variables that a script needs: [`Script::variables`].
pub fn variables(text: &str) -> Vec<String> {
    read(text).variables()
}

/// All variables that a script uses and does not set, those with a default among them.
pub fn named(text: &str) -> Vec<String> {
    let script = read(text);
    let mut found = script.variables();
    for name in script.optional() {
        if !found.contains(&name) {
            found.push(name);
        }
    }
    found
}
