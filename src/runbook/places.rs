//! Where a command makes more of a value than a word: it runs it, evaluates it,
//! or hands it to something that does.

use super::words::{Command, How, Word, assigned, commands};
use std::collections::BTreeSet;

/// A place in a script where what a variable holds is more than a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The variable, or one that holds the same.
    pub name: String,
    /// The line of the script, from 1.
    pub line: u32,
    /// Where, in words: `inside ssh`, `in arithmetic`.
    pub words: String,
    /// It is surely code there; else it may be, and nobody is warned of it.
    pub sure: bool,
    /// It only stands there without quotes.
    pub bare: bool,
}

/// Programs that run or evaluate what they are given.
const EVALUATE: &[&str] = &[
    ".",
    "ansible",
    "ash",
    "at",
    "autossh",
    "awk",
    "bash",
    "batch",
    "bc",
    "busybox",
    "clickhouse-client",
    "csh",
    "crontab",
    "dash",
    "dc",
    "ed",
    "eval",
    "ex",
    "expect",
    "fish",
    "gawk",
    "gdb",
    "knife",
    "ksh",
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
    "sh",
    "source",
    "sqlite3",
    "ssh",
    "su",
    "tcsh",
    "tclsh",
    "trap",
    "unset",
    "vi",
    "vim",
    "watch",
    "xargs",
    "zsh",
];

/// Shells, as far as they take a script by `-c`.
const SHELLS: &[&str] = &["ash", "bash", "busybox", "dash", "fish", "ksh", "sh", "zsh"];

/// Programs that run the words behind them.
const PREFIXES: &[&str] = &[
    "builtin",
    "chronic",
    "chroot",
    "command",
    "docker",
    "doas",
    "env",
    "exec",
    "find",
    "flock",
    "ionice",
    "kubectl",
    "nice",
    "nohup",
    "nsenter",
    "oc",
    "podman",
    "setsid",
    "stdbuf",
    "strace",
    "sudo",
    "systemd-run",
    "time",
    "timeout",
    "watch",
    "xargs",
];

/// Operators of `[[` that evaluate what stands beside them.
const EVALUATING: &[&str] = &["-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-v", "-R"];

/// All places of these variables, and of those that take their values over.
pub fn places(script: &str, names: &[String]) -> Vec<Place> {
    let mut found = Vec::new();
    look(script, 1, names, 0, &mut found);
    found
}

fn look(script: &str, first_line: u32, names: &[String], depth: u8, found: &mut Vec<Place>) {
    let all = commands(script);
    let held = holders(script, &all, names);
    let mut deeper: Vec<(String, u32)> = Vec::new();
    for (at, command) in all.iter().enumerate() {
        let mut put = |name: &str, words: String, sure: bool, bare: bool| {
            let line = first_line + command.line - 1;
            let place = Place { name: name.into(), line, words, sure, bare };
            if !found.contains(&place) {
                found.push(place);
            }
        };
        let of = |words: &mut dyn Iterator<Item = &Word>| -> Vec<(String, How)> {
            words
                .flat_map(|word| &word.uses)
                .filter(|used| held.contains(&used.name) && used.how != How::Tested)
                .map(|used| (used.name.clone(), used.how))
                .collect()
        };
        for used in command.uses() {
            if used.how == How::Evaluated && held.contains(&used.name) {
                let words = "in arithmetic or as a name, which a shell evaluates";
                put(&used.name, words.into(), true, false);
            }
        }
        for (name, _) in of(&mut command.words.first().into_iter()) {
            put(&name, "as the program to run".into(), true, false);
        }
        let program = command.program().unwrap_or_default();
        let all_words = || command.words.iter().skip(1);
        if program == "[[" || program == "test" || program == "[" {
            let evaluates = |word: &Word| {
                word.text == "-v" || (program == "[[" && EVALUATING.contains(&word.text.as_str()))
            };
            if command.words.iter().any(evaluates) {
                for (name, _) in of(&mut all_words()) {
                    put(
                        &name,
                        format!("in a comparison of `{program}`, which evaluates it"),
                        true,
                        false,
                    );
                }
            }
        } else if program != "case" {
            for (name, how) in of(&mut all_words()) {
                if how == How::Bare {
                    put(&name, "without quotes".into(), true, true);
                }
            }
        }
        for (name, words) in declared(command, program, &held) {
            put(&name, words, true, false);
        }
        // What is piped into a program that runs it, too.
        let behind = all[at..].iter().filter(|other| other.pipeline == command.pipeline);
        for (place, other) in behind.enumerate() {
            let Some((index, inner)) = evaluator(other) else { continue };
            let shown = format!("inside `{inner}`");
            if place > 0 {
                if reads_code(other, index, inner) {
                    for (name, _) in of(&mut command.words.iter()) {
                        put(&name, format!("in what is piped to `{inner}`"), true, false);
                    }
                }
                continue;
            }
            let code = code_words(&other.words[index..], inner);
            let prefixed = index == 0 || PREFIXES.contains(&program);
            for (offset, word) in other.words.iter().enumerate().skip(1) {
                let sure = prefixed && offset > index && code.contains(&(offset - index));
                for (name, _) in of(&mut std::iter::once(word)) {
                    put(&name, shown.clone(), sure, false);
                }
            }
            let sure = prefixed && reads_code(other, index, inner);
            for (name, _) in of(&mut other.input.iter()) {
                put(&name, shown.clone(), sure, false);
            }
            // A shell of its own finds the variables in its environment.
            let local = SHELLS.contains(&inner) || ["eval", "trap", "watch"].contains(&inner);
            if local && depth < 3 {
                let literal = code.iter().filter_map(|at| other.words.get(index + at));
                let literal =
                    literal.filter(|word| word.text.contains('$') && word.uses.is_empty());
                let line = first_line + command.line - 1;
                deeper.extend(literal.map(|word| (word.text.clone(), line)));
            }
        }
    }
    let held: Vec<String> = held.into_iter().collect();
    for (script, line) in deeper {
        look(&script, line, &held, depth + 1, found);
    }
}

/// Where a script makes more of this variable than a word, in words; none where
/// it is one quoted word of a program that only takes words.
pub(super) fn unsafe_place(script: &str, name: &str) -> Option<String> {
    let all = places(script, &[name.to_owned()]);
    let worst = all.iter().find(|place| place.sure && !place.bare).or_else(|| all.first())?;
    Some(worst.words.clone())
}

/// These variables, and all that may hold their values in the script.
fn holders(script: &str, all: &[Command], names: &[String]) -> BTreeSet<String> {
    let mut held: BTreeSet<String> = names.iter().cloned().collect();
    let functions = functions(script);
    let mut grown = true;
    while grown {
        grown = false;
        for command in all {
            let holds = |word: &Word| {
                word.uses.iter().any(|used| held.contains(&used.name) && used.how != How::Tested)
            };
            let mut new: Vec<String> = Vec::new();
            for (name, value) in &command.sets {
                if holds(value) {
                    new.push(name.clone());
                }
            }
            let reads =
                matches!(command.program(), Some("read" | "mapfile" | "readarray" | "getopts"));
            let given = command.words.iter().any(holds);
            if reads || given {
                new.extend(assigned(command));
            }
            // What a function is called with, it has as $1, $2 …
            let calls = match command.program() {
                Some(program) => program == "set" || functions.contains(program),
                None => true,
            };
            if given && calls {
                new.extend("123456789@*".chars().map(String::from));
            }
            for name in new {
                grown |= held.insert(name);
            }
        }
    }
    held
}

/// The functions that a script defines.
fn functions(script: &str) -> BTreeSet<&str> {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let before = script.match_indices("()").map(|(at, _)| {
        let text = script[..at].trim_end();
        let start = text.rfind(|c| !part(c)).map_or(0, |last| last + 1);
        // What stands before the name may be longer than one byte.
        text.get(start..).unwrap_or_default()
    });
    let behind = script.match_indices("function ").map(|(at, word)| {
        let text = script[at + word.len()..].trim_start();
        text.split(|c| !part(c)).next().unwrap_or_default()
    });
    before.chain(behind).filter(|name| !name.is_empty()).collect()
}

/// The first word that evaluates what stands behind it, and its place.
fn evaluator(command: &Command) -> Option<(usize, &str)> {
    command.words.iter().enumerate().find_map(|(at, word)| {
        let name = word.text.rsplit('/').next().unwrap_or_default();
        EVALUATE.contains(&name).then_some((at, name))
    })
}

/// `declare`, `printf -v`, `read`, `unset`: names that are evaluated.
fn declared(command: &Command, program: &str, held: &BTreeSet<String>) -> Vec<(String, String)> {
    let words = command.words.get(1..).unwrap_or_default();
    let holds = |word: &Word| {
        word.uses.iter().find(|used| held.contains(&used.name)).map(|used| used.name.clone())
    };
    let whole = || format!("as a name or a number of `{program}`, which evaluates it");
    match program {
        "let" | "unset" | "read" | "mapfile" | "readarray" | "getopts" | "wait" => {
            words.iter().filter_map(holds).map(|name| (name, whole())).collect()
        }
        "declare" | "typeset" | "local" | "export" | "readonly" => {
            let number =
                words.iter().any(|word| word.text.starts_with('-') && word.text.contains('i'));
            let named = |word: &&Word| {
                let name = word.text.split('=').next().unwrap_or_default();
                number || name.contains('\u{1}') || name.contains('[')
            };
            words.iter().filter(named).filter_map(holds).map(|name| (name, whole())).collect()
        }
        "printf" => {
            let at = words.iter().position(|word| word.text == "-v");
            let name = at.and_then(|at| words.get(at + 1)).and_then(holds);
            name.map(|name| (name, whole())).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// Whether a program runs what it reads from its input.
fn reads_code(command: &Command, at: usize, program: &str) -> bool {
    let words = &command.words[at + 1..];
    let operand = words.iter().any(|word| !word.text.starts_with('-'));
    match program {
        "sh" | "bash" | "dash" | "ash" | "zsh" | "ksh" | "fish" | "csh" | "tcsh" | "python"
        | "python2" | "python3" | "perl" | "ruby" | "node" | "php" | "lua" => !operand,
        "psql" | "mysql" | "mariadb" | "sqlite3" | "ssh" | "su" | "runuser" | "parallel" | "at"
        | "batch" | "bc" | "dc" | "ed" | "ex" | "crontab" | "mongo" | "mongosh" => true,
        "xargs" => words.iter().any(|word| EVALUATE.contains(&word.text.as_str())),
        _ => false,
    }
}

/// Which words of a program are code to it, by their places in its words.
fn code_words(words: &[Word], program: &str) -> Vec<usize> {
    let text = |at: usize| words.get(at).map_or("", |word| word.text.as_str());
    let all = || (1..words.len()).collect();
    // Behind an option that takes code, alone or as `--option=code`.
    let behind = |options: &[&str]| -> Vec<usize> {
        let mut found = Vec::new();
        for at in 1..words.len() {
            let is = |option: &&str| text(at) == *option;
            if options.iter().any(is) {
                found.push(at + 1);
            }
            if options.iter().any(|option| {
                option.starts_with("--")
                    && text(at).strip_prefix(option).is_some_and(|rest| rest.starts_with('='))
            }) {
                found.push(at);
            }
        }
        found
    };
    let first_operand = |with_value: &[&str]| -> Option<usize> {
        let mut at = 1;
        while at < words.len() {
            let word = text(at);
            if word == "--" {
                return Some(at + 1);
            }
            if !word.starts_with('-') || word == "-" {
                return Some(at);
            }
            at += if with_value.contains(&word) { 2 } else { 1 };
        }
        None
    };
    match program {
        "eval" | "." | "source" | "watch" | "parallel" | "trap" | "pdsh" | "pssh" => all(),
        "ssh" | "autossh" | "mosh" => {
            const WITH_VALUE: &[&str] = &[
                "-B", "-b", "-c", "-D", "-E", "-e", "-F", "-I", "-i", "-J", "-L", "-l", "-m", "-O",
                "-o", "-p", "-Q", "-R", "-S", "-W", "-w",
            ];
            let host = first_operand(WITH_VALUE);
            host.map_or_else(Vec::new, |host| (host + 1..words.len()).collect())
        }
        "sh" | "bash" | "dash" | "ash" | "zsh" | "ksh" | "fish" | "csh" | "tcsh" | "su"
        | "runuser" => {
            let option = |word: &str| {
                word.starts_with('-') && !word.starts_with("--") && word.ends_with('c')
            };
            (1..words.len()).filter(|at| option(text(at - 1)) && *at > 1).collect()
        }
        "awk" | "gawk" | "mawk" | "nawk" => {
            first_operand(&["-v", "-F", "-f"]).into_iter().collect()
        }
        "sed" => {
            let given = behind(&["-e", "--expression"]);
            if given.is_empty() {
                first_operand(&["-f", "-l"]).into_iter().collect()
            } else {
                given
            }
        }
        "perl" | "ruby" => behind(&["-e", "-E", "-ne", "-pe", "-lne", "-lpe"]),
        "python" | "python2" | "python3" => behind(&["-c"]),
        "node" => behind(&["-e", "-p", "--eval"]),
        "php" => behind(&["-r"]),
        "lua" => behind(&["-e"]),
        "psql" | "clickhouse-client" => behind(&["-c", "--command", "-q", "--query"]),
        "mysql" | "mariadb" => behind(&["-e", "--execute"]),
        "mongo" | "mongosh" => behind(&["--eval"]),
        "sqlite3" => first_operand(&[]).map(|at| at + 1).into_iter().collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sure(script: &str) -> Vec<String> {
        let all = places(script, &["X".to_owned()]);
        all.into_iter().filter(|place| place.sure && !place.bare).map(|place| place.words).collect()
    }

    fn is_unsafe(script: &str) -> bool {
        unsafe_place(script, "X").is_some()
    }

    #[test]
    fn one_quoted_word_of_a_plain_program_is_safe() {
        for script in [
            "deployctl rollback \"$X\"",
            "curl -fsS \"https://$X/healthz\"",
            "y=$X; echo \"$y\"",
            "grep -F -- \"$X\" /var/log/app.log | sort | head",
            "if [ \"$X\" = a ]; then echo \"$X\"; fi",
            "[[ $X == a* ]] && true",
            "case $X in a) true;; esac",
            "kubectl -n \"$X\" get pods",
            "cat <<EOF\n$X\nEOF",
            "export Y=\"$X\"",
            "ssh host uptime",
            "${X:+sudo -n} ls",
            "ask() { psql \"$@\"; }; ask -c 'select 1'; echo \"$X\"",
        ] {
            assert!(!is_unsafe(script), "{script}: {:?}", places(script, &["X".to_owned()]));
        }
    }

    #[test]
    fn code_is_found_wherever_it_hides() {
        for script in [
            "ssh host \"systemctl status $X\"",
            "ssh -p 22 -o A=b host cat \"$X\"",
            "ssh host <<EOF\nrm $X\nEOF",
            "eval \"$X\"",
            "sh -c \"echo $X\"",
            "bash -lc \"echo $X\"",
            "sudo -n sh -c \"echo $X\"",
            "docker exec c sh -c \"echo $X\"",
            "kubectl exec p -- bash -c \"echo $X\"",
            "find / -exec sh -c \"echo $X\" \\;",
            "echo \"$X\" | sh",
            "printf '%s' \"$X\" | psql -d a",
            "bash <<< \"$X\"",
            "psql -c \"select '$X'\"",
            "psql --command=\"select '$X'\"",
            "mysql -e \"$X\"",
            "awk \"/$X/ {print}\" f",
            "sed \"s/a/$X/\" f",
            "perl -e \"print $X\"",
            "python3 -c \"print('$X')\"",
            "a $((X + 1))",
            "[[ $X -gt 5 ]]",
            "[ -v \"$X\" ]",
            "let y=$X",
            "declare -i y=\"$X\"",
            "printf -v \"$X\" a",
            "unset \"$X\"",
            "read \"$X\"",
            "\"$X\" --help",
            "y=\"$X\"; eval \"$y\"",
            "for y in $X; do ssh h rm \"$y\"; done",
            "f() { eval \"$1\"; }; f \"$X\"",
            "y=$(echo \"$X\"); sh -c \"$y\"",
            "echo \"$X\" | while read -r y; do ssh h \"ls $y\"; done",
            "watch \"ls $X\"",
            "echo \"$X\" | xargs sh -c 'ls $0'",
            "source \"$X\"",
            ". \"$X\"",
            "echo ${!X}",
            "bash -c 'eval \"$X\"'",
            "trap 'eval $X' EXIT",
            "set -- \"$X\"; eval \"$1\"",
        ] {
            assert!(!sure(script).is_empty(), "{script}: {:?}", places(script, &["X".to_owned()]));
        }
    }

    #[test]
    fn what_is_surely_no_code_is_not_called_so_and_still_held_to_its_pattern() {
        for script in [
            "ssh \"$X\" uptime",
            "ssh -i \"$X\" host uptime",
            "psql -h \"$X\" -c 'select 1'",
            "sh -c 'echo \"$1\"' _ \"$X\"",
            "awk -v x=\"$X\" '{print x}' f",
            "awk '{print}' \"$X\"",
            "systemctl status ssh \"$X\"",
            "sed -n 1p \"$X\"",
        ] {
            assert_eq!(sure(script), [""; 0], "{script}");
            assert!(is_unsafe(script), "{script}");
        }
    }

    #[test]
    fn without_quotes_a_value_is_more_than_one_word() {
        let all = places("ls $X", &["X".to_owned()]);
        assert!(all[0].bare && all[0].words == "without quotes");
        assert!(is_unsafe("ls $X"));
    }
}
