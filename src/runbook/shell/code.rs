//! Words of commands that another program reads as code: a value that stands
//! in one is no longer only a value.

use super::{Place, Script, plain};
use std::ops::Range;

/// What reads a part of a script as code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// `eval`, `trap`
    Eval,
    /// `sh -c`, `su -c`, `watch`
    Shell,
    /// The shell of another host: `ssh host …`
    Remote,
    /// The language of a program: awk, sed, jq, SQL, Python …
    Program,
    /// Arithmetic, which expands what a variable holds once more.
    Arithmetic,
}

impl Code {
    /// In words: `inside ssh`.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Eval => "inside `eval`",
            Self::Shell => "inside `sh -c`",
            Self::Remote => "inside a command for another host's shell",
            Self::Program => "inside a program for awk, sed, jq, SQL or the like",
            Self::Arithmetic => "inside arithmetic",
        }
    }
}

const SHELLS: &[&str] = &["sh", "bash", "zsh", "dash", "ksh", "ash", "fish", "busybox"];
/// Commands that run the command behind them, and their options that take a value.
const WRAPPERS: &[(&str, &[&str])] = &[
    ("sudo", &["-u", "-g", "-h", "-p", "-C", "-r", "-t", "-U", "-D", "-R", "-T"]),
    ("doas", &["-u", "-C"]),
    ("env", &["-u", "-C", "-S"]),
    ("nohup", &[]),
    ("exec", &["-a"]),
    ("command", &[]),
    ("builtin", &[]),
    ("setsid", &[]),
    ("stdbuf", &["-i", "-o", "-e"]),
    ("nice", &["-n"]),
    ("ionice", &["-c", "-n", "-p"]),
    ("chronic", &[]),
    ("unbuffer", &[]),
    ("strace", &["-o", "-e", "-p", "-s"]),
    ("xargs", &["-I", "-n", "-P", "-L", "-d", "-s", "-E", "-a"]),
];
/// Options of `ssh` that take a value.
const SSH_OPTIONS: &str = "BbcDEeFIiJLlmOopQRSWw";
/// Tools that hand all that follows to shells of other hosts.
const FLEETS: &[&str] = &[
    "knife",
    "pdsh",
    "clush",
    "dsh",
    "pssh",
    "parallel-ssh",
    "ansible",
    "salt",
    "parallel",
    "mosh",
];
/// Options behind which code stands, by program.
const CODE_OPTIONS: &[(&[&str], &[&str])] = &[
    (
        &["psql", "vsql", "cockroach", "clickhouse-client"],
        &["-c", "--command", "-q", "--query", "-e", "--execute"],
    ),
    (&["mysql", "mariadb"], &["-e", "--execute"]),
    (&["mongo", "mongosh", "redis-cli"], &["--eval"]),
    (&["python", "python2", "python3"], &["-c"]),
    (&["perl", "ruby", "node", "lua", "osascript", "rails"], &["-e", "-E", "-ne", "-pe", "--eval"]),
    (&["php"], &["-r"]),
];

/// The parts of a script that something reads as code: disjoint, in order.
pub(super) fn codes(text: &str, script: &Script) -> Vec<(Range<usize>, Code)> {
    let mut found: Vec<(Range<usize>, Code)> = Vec::new();
    for command in &script.commands {
        let words: Vec<String> =
            command.words.iter().map(|word| plain(&text[word.clone()])).collect();
        let mut mark = |index: usize, code: Code| {
            if let Some(word) = command.words.get(index) {
                found.push((word.clone(), code));
            }
        };
        of_command(&words, &mut mark);
    }
    let arithmetic = script.pieces.iter().filter(|piece| piece.place == Place::Arithmetic);
    found.extend(arithmetic.map(|piece| (piece.range.clone(), Code::Arithmetic)));
    let used =
        script.uses.iter().filter(|used| used.place == Place::Arithmetic || used.around.arithmetic);
    found.extend(used.map(|used| (used.range.clone(), Code::Arithmetic)));
    found.sort_by_key(|(range, _)| (range.start, usize::MAX - range.end));
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

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| crate::runbook::given::is_identifier(name))
}

fn base(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

/// Marks the words of a command that are code.
fn of_command(words: &[String], mark: &mut dyn FnMut(usize, Code)) {
    // `sh -c CODE` anywhere: behind `docker exec x`, `find -exec`, `kubectl exec x --`.
    for (i, word) in words.iter().enumerate() {
        if SHELLS.contains(&base(word)) {
            after_shell(words, i, mark);
        }
    }
    let Some(start) = behind_wrappers(words) else { return };
    let name = base(&words[start]);
    let rest = start + 1..words.len();
    match name {
        "eval" => rest.for_each(|i| mark(i, Code::Eval)),
        "trap" => mark(start + 1, Code::Eval),
        "let" => rest.for_each(|i| mark(i, Code::Arithmetic)),
        "[[" => comparison(words, mark),
        "ssh" | "autossh" | "rsh" | "sshpass" => ssh(words, start, mark),
        "gcloud" | "aws" | "az" => {
            after_options(words, start, &["--command", "--parameters"], Code::Remote, mark);
        }
        "su" | "runuser" | "script" | "flock" => {
            after_options(words, start, &["-c", "--command"], Code::Shell, mark);
        }
        "watch" | "at" | "batch" | "entr" => rest.for_each(|i| mark(i, Code::Shell)),
        "awk" | "gawk" | "mawk" | "nawk" => {
            after_options(words, start, &["-v", "-f", "--assign", "-e"], Code::Program, mark);
            operand(words, start, &["-F", "-v", "-f", "-e"], mark);
        }
        "sed" | "gsed" => {
            after_options(words, start, &["-e", "--expression"], Code::Program, mark);
            operand(words, start, &["-e", "-f", "-l", "--expression"], mark);
        }
        "jq" | "yq" | "gojq" => operand(words, start, &["-f", "--indent", "-L"], mark),
        "sqlite3" => rest.for_each(|i| mark(i, Code::Program)),
        "expr" | "bc" | "dc" => rest.for_each(|i| mark(i, Code::Program)),
        name if FLEETS.contains(&name) => rest.for_each(|i| mark(i, Code::Remote)),
        name => {
            for (programs, options) in CODE_OPTIONS {
                if programs.contains(&name) {
                    after_options(words, start, options, Code::Program, mark);
                }
            }
        }
    }
}

/// The word that names the command, behind assignments, `sudo` and the like.
pub(crate) fn behind_wrappers(words: &[String]) -> Option<usize> {
    let mut at = 0;
    loop {
        while is_assignment(words.get(at)?) {
            at += 1;
        }
        let name = base(words.get(at)?);
        let options: &[&str] = match name {
            "timeout" => {
                // The time stands before the command.
                at += 1;
                while words.get(at)?.starts_with('-') {
                    at += 1 + usize::from(matches!(words[at].as_str(), "-s" | "-k"));
                }
                at += 1;
                continue;
            }
            name => match WRAPPERS.iter().find(|(wrapper, _)| *wrapper == name) {
                Some((_, options)) => options,
                None => return Some(at),
            },
        };
        at += 1;
        while let Some(word) = words.get(at).filter(|word| word.starts_with('-')) {
            at += 1 + usize::from(options.contains(&word.as_str()));
            if word == "--" {
                break;
            }
        }
    }
}

/// `-c` of a shell, alone or among other letters.
fn after_shell(words: &[String], shell: usize, mark: &mut dyn FnMut(usize, Code)) {
    let mut at = shell + 1;
    let mut code = false;
    while let Some(word) = words.get(at) {
        let option = word.starts_with(['-', '+']) && word.len() > 1;
        if !option {
            break;
        }
        code |= word.starts_with('-') && !word.starts_with("--") && word.contains('c');
        // `-o pipefail`
        let valued = word.ends_with('o') && !word.starts_with("--");
        at += 1 + usize::from(valued && words.get(at + 1).is_some_and(|next| next != "-c"));
    }
    if code {
        mark(at, Code::Shell);
    }
}

fn ssh(words: &[String], start: usize, mark: &mut dyn FnMut(usize, Code)) {
    let mut at = start + 1;
    if base(&words[start]) == "sshpass" {
        match words.iter().position(|word| base(word) == "ssh") {
            Some(ssh) => at = ssh + 1,
            None => return,
        }
    }
    while let Some(word) = words.get(at).filter(|word| word.starts_with('-')) {
        let last = word.chars().last().unwrap_or('-');
        at += 1 + usize::from(word.len() == 2 && SSH_OPTIONS.contains(last));
    }
    // Behind the host stands what its shell reads.
    (at + 1..words.len()).for_each(|i| mark(i, Code::Remote));
}

/// The words behind these options, also `--option=WORD`.
fn after_options(
    words: &[String],
    start: usize,
    options: &[&str],
    code: Code,
    mark: &mut dyn FnMut(usize, Code),
) {
    for (i, word) in words.iter().enumerate().skip(start + 1) {
        if options.contains(&word.as_str()) {
            mark(i + 1, code);
        } else if options.iter().any(|option| {
            let value = word.strip_prefix(option);
            value.is_some_and(|value| {
                value.starts_with('=') || (option.len() == 2 && !value.is_empty())
            })
        }) {
            mark(i, code);
        }
    }
}

/// The first word that is no option and no value of one.
fn operand(words: &[String], start: usize, valued: &[&str], mark: &mut dyn FnMut(usize, Code)) {
    let mut at = start + 1;
    while let Some(word) = words.get(at) {
        if word == "--arg" || word == "--argjson" || word == "--slurpfile" || word == "--rawfile" {
            at += 3;
        } else if valued.contains(&word.as_str()) {
            at += 2;
        } else if word.starts_with('-') && word.len() > 1 {
            at += 1;
        } else {
            mark(at, Code::Program);
            return;
        }
    }
}

/// `[[ $A -gt 1 ]]` is arithmetic on both sides.
fn comparison(words: &[String], mark: &mut dyn FnMut(usize, Code)) {
    for (i, word) in words.iter().enumerate() {
        if matches!(word.as_str(), "-eq" | "-ne" | "-lt" | "-le" | "-gt" | "-ge") && i > 0 {
            mark(i - 1, Code::Arithmetic);
            mark(i + 1, Code::Arithmetic);
        }
    }
}
