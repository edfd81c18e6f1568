//! Where a command makes more of a value than a word: it runs it, evaluates it,
//! or hands it to something that does.

use super::given::refused;
use super::shell::{self, Code, Coded, Command, How, Script, Use, Via, Word};
use std::collections::{BTreeSet, HashSet};

/// A place in a script where what a variable holds is more than a word.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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

/// Scripts within scripts are looked at so deep.
const DEEPEST: u8 = 3;

/// All places of these variables, and of those that take their values over.
pub fn places(script: &str, names: &[String]) -> Vec<Place> {
    let mut found = Vec::new();
    look(script, 1, names, 0, &mut found);
    let mut seen = HashSet::new();
    found.retain(|place| seen.insert(place.clone()));
    found
}

fn look(text: &str, first_line: u32, names: &[String], depth: u8, found: &mut Vec<Place>) {
    let script = shell::read(text);
    let held = holders(&script, names);
    let mut put = |used: &Use, line: u32, words: String, sure: bool, bare: bool| {
        if held.contains(&used.name) && used.how != How::Tested {
            let line = first_line + line - 1;
            found.push(Place { name: used.name.clone(), line, words, sure, bare });
        }
    };
    let mut deeper: Vec<(&str, u32)> = Vec::new();
    for command in &script.commands {
        for used in command.uses().filter(|used| used.how == How::Evaluated) {
            let words = "in arithmetic or as a name, which a shell evaluates";
            put(used, command.line, words.into(), true, false);
        }
        for set in &command.sets {
            let number = script.evaluating.contains(&set.name);
            if number || refused(&set.name).is_some() {
                let words = format!("in what {} is set to, which a shell acts upon", set.name);
                set.value
                    .uses
                    .iter()
                    .for_each(|it| put(it, command.line, words.clone(), number, false));
            }
        }
        let program = command.program().unwrap_or_default();
        // `declare -a A` once, and then `declare A=…`.
        if shell::declares(program)
            && let Some(name) =
                command.assigned().iter().find(|name| script.evaluating.contains(*name))
        {
            let words = format!("in what {name} is set to, which a shell acts upon");
            let uses = command.words.iter().flat_map(|word| &word.uses);
            uses.for_each(|used| put(used, command.line, words.clone(), true, false));
        }
        if !["[[", "test", "[", "case"].contains(&program) {
            let bare = command.words.iter().skip(1).flat_map(|word| &word.uses);
            for used in bare.filter(|used| used.how == How::Bare) {
                put(used, command.line, "without quotes".into(), true, true);
            }
        }
    }
    for coded in shell::coded(&script) {
        let words = words(&coded);
        let line = coded.command.line;
        coded.word.uses.iter().for_each(|used| put(used, line, words.clone(), coded.sure, false));
        // A shell of its own finds the variables in its environment.
        let own = matches!(coded.code, Code::Eval | Code::Shell) && coded.via == Via::Argument;
        if own && coded.sure && coded.word.text.contains('$') && coded.word.uses.is_empty() {
            deeper.push((&coded.word.text, first_line + line - 1));
        }
    }
    // Nothing can be said for sure about what cannot be read to its end.
    if script.open || script.unsure {
        for used in script.commands.iter().flat_map(Command::uses) {
            put(used, 1, "in a command that cannot be read for sure".into(), false, false);
        }
        for name in names {
            let used = Use { name: name.clone(), how: How::Bare, default: false, at: 0 };
            if text.contains(name.as_str()) {
                put(&used, 1, "in a command that cannot be read for sure".into(), false, false);
            }
        }
    }
    if depth < DEEPEST {
        let held: Vec<String> = held.iter().cloned().collect();
        for (script, line) in deeper {
            look(script, line, &held, depth + 1, found);
        }
    }
}

fn words(coded: &Coded<'_>) -> String {
    let program = coded.program;
    match (coded.code, coded.via) {
        (Code::Command, _) => "as the program to run".into(),
        (_, Via::Pipe) => format!("in what is piped to `{program}`"),
        (Code::Arithmetic, _) => format!("in a number of `{program}`, which evaluates it"),
        (Code::Name, _) => format!("as a name or a number of `{program}`, which evaluates it"),
        _ => format!("inside `{program}`"),
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
fn holders(script: &Script, names: &[String]) -> BTreeSet<String> {
    let mut held: BTreeSet<String> = names.iter().cloned().collect();
    // What each command sets, found once.
    let all: Vec<(&Command, Vec<String>)> =
        script.commands.iter().map(|command| (command, command.assigned())).collect();
    let mut grown = true;
    while grown {
        grown = false;
        for (command, assigned) in &all {
            let holds = |word: &Word| {
                word.uses.iter().any(|used| held.contains(&used.name) && used.how != How::Tested)
            };
            let mut new: Vec<String> = Vec::new();
            for set in command.sets.iter().filter(|set| holds(&set.value)) {
                new.push(set.name.clone());
            }
            let reads =
                matches!(command.program(), Some("read" | "mapfile" | "readarray" | "getopts"));
            let given = command.words.iter().any(holds);
            if reads || given {
                new.extend(assigned.iter().cloned());
            }
            // What a function is called with, it has as $1, $2 …
            let calls = match command.program() {
                Some(program) => program == "set" || script.functions.contains(program),
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
            "case $X in sh) ls;; *) ls;; esac",
            "declare -a y; y+=(a); ls \"$X\"",
            "i=0; while (( i < 3 )); do ls \"$X\"; ((i++)); done",
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
            "Y[$X]=1",
            "Y[X]=1",
            "Y=([$X]=1)",
            "declare -i y; y=$X",
            "declare -n y=\"$X\"; echo \"$y\"",
            "declare -a \"y=$X\"",
            "declare -a y; declare y=\"$X\"",
            "for ((i = 0; i < X; i++)); do ls; done",
            "printf '%s' \"$X\" |\n  sh",
            "{ echo \"$X\"; date; } | sh",
            "for i in 1 2; do echo \"$X\"; done | bash -s",
            "cat <<EOF | ssh host\nrm $X\nEOF",
            "f() { echo \"$X\"; }; f | sh",
            "echo \"$X\" | { read -r y; sh; }",
            "echo `eval \\$X`",
            "psql -Atc \"select '$X'\"",
            "mysql -Ne \"select '$X'\"",
            "docker exec c psql -c \"select '$X'\"",
            "ssh -o ProxyCommand=\"nc $X 22\" host",
            "sudo -n \"$X\"",
            "jq \".[] | select(.a == \\\"$X\\\")\" f",
            "case a in ${!X}) ls;; esac",
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
            "sed -e s/a/b/ \"$X\"",
            "sqlite3 \"$X\" 'select 1'",
            "PATH=\"$X\" ls",
            "ls \"$X",
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
