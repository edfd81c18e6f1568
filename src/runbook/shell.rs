//! What a shell makes of a script: where each part stands, which variables it
//! uses and sets, and its commands. Total and linear: what no shell would read
//! is read as far as it goes.

mod code;
mod lexer;
#[cfg(test)]
mod tests;

pub(crate) use code::{Code, behind_wrappers};

use std::ops::Range;

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
    /// `$((…))`, `((…))`, `$[…]`
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

/// A variable that is expanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Use {
    pub(crate) name: String,
    /// All of the expansion, `$` and braces included.
    pub(crate) range: Range<usize>,
    pub(crate) place: Place,
    pub(crate) around: Around,
    /// `${NAME:-…}`: it need not be set.
    pub(crate) defaulted: bool,
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

/// A simple command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Command {
    /// Its words, assignments before it among them; redirections are left out.
    pub(crate) words: Vec<Range<usize>>,
    /// Something else than the terminal is its input: a file, a heredoc, a pipe.
    pub(crate) fed: bool,
}

/// A script as a shell sees it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script {
    pub(crate) pieces: Vec<Piece>,
    pub(crate) uses: Vec<Use>,
    pub(crate) sets: Vec<Set>,
    pub(crate) commands: Vec<Command>,
    /// Where the first line ends behind which a command is whole; in bytes, the
    /// line's end not included.
    pub(crate) whole: Option<usize>,
    /// It ends within quotes, brackets, a heredoc or behind an operator.
    pub(crate) open: bool,
    /// Nested too deep to be read to its end.
    pub(crate) too_deep: bool,
    /// Disjoint, in order: parts that another program reads as code.
    codes: Vec<(Range<usize>, Code)>,
}

impl Script {
    /// What reads this place as code, if anything does: `ssh`, `eval`, `sh -c`,
    /// `awk`, arithmetic.
    pub(crate) fn code_at(&self, byte: usize) -> Option<Code> {
        let index = self.codes.partition_point(|(range, _)| range.end <= byte);
        self.codes.get(index).filter(|(range, _)| range.contains(&byte)).map(|(_, code)| *code)
    }

    /// The piece that holds this place.
    pub(crate) fn piece_at(&self, byte: usize) -> Option<&Piece> {
        let index = self.pieces.partition_point(|piece| piece.range.end <= byte);
        self.pieces.get(index).filter(|piece| piece.range.contains(&byte))
    }

    /// Variables that are used and that nothing before sets, each once, in the
    /// order of their first use. One with a default of its own is none.
    pub(crate) fn needs(&self) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        let mut known: std::collections::BTreeSet<&str> = std::collections::BTreeSet::new();
        let mut sets = self.sets.iter().filter(|set| !set.passing).peekable();
        for used in &self.uses {
            while let Some(set) = sets.next_if(|set| set.at <= used.range.start) {
                // `A=$A` uses the one that was there before.
                let within = set.value.as_ref().is_some_and(|value| value.end > used.range.start);
                if within && set.name == used.name && !known.contains(used.name.as_str()) {
                    note(&mut found, used);
                }
                known.insert(&set.name);
            }
            if !known.contains(used.name.as_str()) {
                note(&mut found, used);
            }
        }
        found
    }
}

fn note(found: &mut Vec<String>, used: &Use) {
    if !used.defaulted && !found.contains(&used.name) {
        found.push(used.name.clone());
    }
}

/// Reads a script. Never fails.
pub(crate) fn read(text: &str) -> Script {
    let mut script = lexer::read(text);
    script.codes = code::codes(text, &script);
    script
}

/// The variables that a script uses and does not set, without those that have
/// a default where they stand.
pub(crate) fn needs(text: &str) -> Vec<String> {
    read(text).needs()
}

/// A word without its quotes and escapes, as far as nothing is expanded in it.
pub(crate) fn plain(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    let mut chars = word.chars();
    let mut single = false;
    while let Some(c) = chars.next() {
        match c {
            '\'' => single = !single,
            '"' if !single => {}
            '\\' if !single => out.extend(chars.next()),
            c => out.push(c),
        }
    }
    out
}
