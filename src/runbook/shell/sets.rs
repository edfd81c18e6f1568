//! Which variables a command sets.

use super::lexer::Lexer;
use super::{Command, EXPANDED, Set, Word};
use crate::runbook::given::is_identifier;
use std::ops::Range;

/// `NAME=…`, `NAME+=…`, `NAME[…]=…`: the name, and where the value stands.
pub(super) fn assignment(text: &str, word: &Range<usize>) -> Option<(String, Range<usize>)> {
    let held = text.get(word.clone())?;
    let end = held.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))?;
    let name = held.get(..end).filter(|name| is_identifier(name))?;
    let mut sign = end;
    if held[sign..].starts_with('[') {
        sign += held[sign..].find("]=").or_else(|| held[sign..].find("]+="))? + 1;
    }
    sign += usize::from(held[sign..].starts_with('+'));
    held[sign..].starts_with('=').then(|| (name.to_owned(), word.start + sign + 1..word.end))
}

/// Whether a command declares the variables that it names.
pub(crate) fn declares(program: &str) -> bool {
    matches!(program, "declare" | "typeset" | "local" | "export" | "readonly")
}

/// Whether such a command makes numbers, references or arrays of its variables:
/// `-i`, `-n`, `-a`, `-A`.
pub(super) fn makes_evaluating<'w>(
    program: &str,
    mut words: impl Iterator<Item = &'w str>,
) -> bool {
    let option = |word: &str| {
        word.starts_with(EXPANDED)
            || (word.starts_with(['-', '+']) && word.contains(['i', 'n', 'a', 'A']))
    };
    // `export -n` takes the mark away.
    declares(program) && program != "export" && words.any(option)
}

/// The variable that a word names or sets: `A`, `A=1`, `A[1]`.
fn name_of(word: &Word) -> Option<String> {
    let name = word.text.split(['=', '[', '+']).next().unwrap_or_default().trim();
    is_identifier(name).then(|| name.to_owned())
}

/// The variables that a command sets by its words, and where the value stands
/// if it stands there.
fn by_words(text: &str, command: &Command) -> Vec<(String, usize, Option<Range<usize>>)> {
    let Some(program) = command.program() else { return Vec::new() };
    let words = command.words.get(1..).unwrap_or_default();
    let options = |word: &&Word| !word.text.starts_with(['-', '+']);
    let named: Vec<&Word> = match program {
        "for" | "select" => words.iter().take(1).collect(),
        "read" | "mapfile" | "readarray" | "unset" | "declare" | "typeset" | "local" => {
            words.iter().filter(options).collect()
        }
        // Without a value they only mark what is there.
        "export" | "readonly" | "let" => {
            words.iter().filter(|word| word.text.contains('=')).collect()
        }
        "getopts" => words.iter().skip(1).take(1).collect(),
        "printf" => match words {
            [option, name, ..] if option.text == "-v" => vec![name],
            _ => Vec::new(),
        },
        _ => Vec::new(),
    };
    let set = |word: &Word| {
        let value = assignment(text, &word.range).map(|(_, value)| value);
        Some((name_of(word)?, word.range.start, value.filter(|_| declares(program))))
    };
    named.into_iter().filter_map(set).collect()
}

impl Command {
    /// The variables that it sets.
    pub(crate) fn assigned(&self) -> Vec<String> {
        let leading = self.sets.iter().map(|set| set.name.clone());
        leading.chain(by_words("", self).into_iter().map(|(name, ..)| name)).collect()
    }
}

impl Lexer<'_> {
    /// A command is whole: what does it set?
    pub(super) fn note_sets(&mut self, command: &Command, nested: bool) {
        let passing = !command.words.is_empty();
        for set in &command.sets {
            let value = Some(set.value.range.clone());
            self.found.sets.push(Set {
                name: set.name.clone(),
                at: set.at,
                value,
                passing,
                nested,
            });
        }
        let by_words = by_words(self.text, command);
        let program = command.program().unwrap_or_default();
        if makes_evaluating(program, command.words.iter().skip(1).map(|word| word.text.as_str())) {
            self.found.evaluating.extend(by_words.iter().map(|(name, ..)| name.clone()));
        }
        for (name, at, value) in by_words {
            self.found.sets.push(Set { name, at, value, passing: false, nested });
        }
    }
}
