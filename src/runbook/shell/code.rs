//! Where another program, or the shell itself, reads a part of a script as code:
//! a value that stands in one is no longer only a value.

use super::arguments::{RUNNERS, SHELLS, base, behind_wrappers, marks};
use super::{Command, Script, Word};
use std::collections::HashMap;
use std::ops::Range;

/// What reads a part of a script as code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// `eval`, `trap`
    Eval,
    /// `. file`, `source file`
    Sourced,
    /// `sh -c`, `su -c`, `watch`
    Shell,
    /// The shell of another host: `ssh host …`
    Remote,
    /// The language of a program: awk, sed, jq, SQL, Python …
    Program,
    /// Arithmetic, which expands what a variable holds once more.
    Arithmetic,
    /// The name of a variable, or what a number or an array is set to.
    Name,
    /// The program that is run.
    Command,
    /// What a program that runs its input reads.
    Input,
}

impl Code {
    /// In words: `inside ssh`.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Eval => "inside `eval`",
            Self::Sourced => "as a file that is run",
            Self::Shell => "inside `sh -c`",
            Self::Remote => "inside a command for another host's shell",
            Self::Program => "inside a program for awk, sed, jq, SQL or the like",
            Self::Arithmetic => "inside arithmetic",
            Self::Name => "as a name or a number, which a shell evaluates",
            Self::Command => "in the place of a command",
            Self::Input => "in what a shell or a program is given to run",
        }
    }
}

/// How a program gets its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    Argument,
    Input,
    Pipe,
}

/// A word that is code.
#[derive(Clone, Debug)]
pub(crate) struct Coded<'s> {
    pub(crate) command: &'s Command,
    pub(crate) word: &'s Word,
    pub(crate) code: Code,
    pub(crate) via: Via,
    /// It surely is; else a program that runs what it is given is near.
    pub(crate) sure: bool,
    /// What reads it.
    pub(crate) program: &'s str,
}

/// Programs that run or evaluate something of what they are given.
const NEAR: &[&str] = &[
    ".",
    "ansible",
    "at",
    "autossh",
    "awk",
    "batch",
    "bc",
    "clickhouse-client",
    "crontab",
    "dc",
    "ed",
    "eval",
    "ex",
    "expect",
    "gawk",
    "gdb",
    "gojq",
    "jq",
    "knife",
    "lua",
    "make",
    "mariadb",
    "mawk",
    "mongo",
    "mongosh",
    "mosh",
    "mysql",
    "nawk",
    "node",
    "nsenter",
    "parallel",
    "pdsh",
    "perl",
    "php",
    "pssh",
    "psql",
    "python",
    "python2",
    "python3",
    "rsync",
    "ruby",
    "runuser",
    "salt",
    "scp",
    "sed",
    "sftp",
    "source",
    "sqlite3",
    "ssh",
    "su",
    "tclsh",
    "trap",
    "unset",
    "vi",
    "vim",
    "watch",
    "xargs",
    "yq",
];

/// Whether a word names such a program.
pub(super) fn is_near(word: &str) -> bool {
    let name = base(word);
    NEAR.contains(&name) || SHELLS.contains(&name)
}

/// All words that are code, or may be, by commands.
pub(crate) fn coded(script: &Script) -> Vec<Coded<'_>> {
    let mut found = Vec::new();
    let piped = piped(script);
    let called = script.commands.iter().enumerate().find_map(|(at, command)| {
        let calls = command.program().is_some_and(|name| script.functions.contains(name));
        piped[at].filter(|_| calls)
    });
    for (at, command) in script.commands.iter().enumerate() {
        of_command(command, &mut found);
        // What a function writes may stand anywhere in the script.
        if let Some(program) = piped[at].or(called) {
            let (code, via, sure) = (Code::Input, Via::Pipe, true);
            let words = command.words.iter().chain(&command.input);
            found.extend(words.map(|word| Coded { command, word, code, via, sure, program }));
        }
    }
    found
}

fn of_command<'s>(command: &'s Command, found: &mut Vec<Coded<'s>>) {
    let words: Vec<&str> = command.words.iter().map(|word| word.text.as_str()).collect();
    let mut add = |word: &'s Word, code, via, sure, program| {
        found.push(Coded { command, word, code, via, sure, program });
    };
    let name = behind_wrappers(&words);
    for at in [Some(0), name.filter(|at| *at > 0)].into_iter().flatten() {
        if let Some(word) = command.words.get(at) {
            add(word, Code::Command, Via::Argument, true, "");
        }
    }
    for mark in marks(&words) {
        if let (Some(word), Some(program)) =
            (command.words.get(mark.word), command.words.get(mark.program))
        {
            add(word, mark.code, Via::Argument, true, program.base());
        }
    }
    let Some((at, program)) = evaluator(command) else { return };
    for word in &command.words[1..] {
        add(word, Code::Program, Via::Argument, false, program);
    }
    let prefixed = name.is_some_and(|name| name == at || RUNNERS.contains(&base(words[name])));
    let sure = prefixed && reads_code(command, at, program);
    for word in &command.input {
        add(word, Code::Input, Via::Input, sure, program);
    }
}

/// The first word that names something that evaluates, and its place.
fn evaluator(command: &Command) -> Option<(usize, &str)> {
    let at = command.words.iter().position(|word| is_near(&word.text))?;
    Some((at, command.words[at].base()))
}

/// For each command the program behind it in its pipeline that runs what it reads.
fn piped(script: &Script) -> Vec<Option<&str>> {
    // Of each pipeline the last stage that is such a program, or holds one.
    let mut readers: HashMap<usize, (usize, &str)> = HashMap::new();
    let mut found = vec![None; script.commands.len()];
    for (at, command) in script.commands.iter().enumerate().rev() {
        found[at] = script.stages(command).find_map(|stage| {
            let (member, program) = readers.get(&stage.pipeline)?;
            (*member > stage.member).then_some(*program)
        });
        if let Some((word, program)) = evaluator(command)
            && reads_code(command, word, program)
        {
            for stage in script.stages(command) {
                readers.entry(stage.pipeline).or_insert((stage.member, program));
            }
        }
    }
    found
}

/// Whether a program runs what it reads from its input.
fn reads_code(command: &Command, at: usize, program: &str) -> bool {
    let words = &command.words[at + 1..];
    let operand = words.iter().any(|word| !word.text.starts_with('-'));
    match program {
        "python" | "python2" | "python3" | "perl" | "ruby" | "node" | "php" | "lua" => !operand,
        // `sh -s value` reads its script, too.
        shell if SHELLS.contains(&shell) => {
            !operand
                || words.iter().any(|word| word.text.starts_with('-') && word.text.contains('s'))
        }
        "psql" | "mysql" | "mariadb" | "sqlite3" | "ssh" | "su" | "runuser" | "parallel" | "at"
        | "batch" | "bc" | "dc" | "ed" | "ex" | "crontab" | "mongo" | "mongosh" => true,
        "xargs" => words.iter().any(|word| is_near(&word.text)),
        _ => false,
    }
}

/// The parts of a script that are surely code: disjoint, in order.
pub(crate) fn ranges(script: &Script) -> Vec<(Range<usize>, Code)> {
    let sure = coded(script).into_iter().filter(|it| it.sure);
    let mut found: Vec<(Range<usize>, Code)> =
        sure.map(|it| (it.word.range.clone(), it.code)).collect();
    let arithmetic = script.expansions.iter().filter(|it| it.arithmetic);
    found.extend(arithmetic.map(|it| (it.range.clone(), Code::Arithmetic)));
    let pieces = script
        .pieces
        .iter()
        .filter(|piece| piece.place == super::Place::Arithmetic || piece.around.arithmetic);
    found.extend(pieces.map(|piece| (piece.range.clone(), Code::Arithmetic)));
    found.extend(script.subscripts.iter().map(|range| (range.clone(), Code::Arithmetic)));
    let numbers = script.sets.iter().filter(|set| script.evaluating.contains(&set.name));
    found.extend(numbers.filter_map(|set| Some((set.value.clone()?, Code::Name))));
    found.sort_by_key(|(range, code)| {
        // What a program makes of its words says more than that they are piped.
        (range.start, usize::MAX - range.end, matches!(code, Code::Command | Code::Input))
    });
    let mut disjoint: Vec<(Range<usize>, Code)> = Vec::with_capacity(found.len());
    for (range, code) in found {
        match disjoint.last_mut() {
            // What lies within another is told by the outer one.
            Some((last, _)) if range.start < last.end => last.end = last.end.max(range.end),
            _ => disjoint.push((range, code)),
        }
    }
    disjoint
}
