//! What a fence's language makes of its block.

use crate::domain::runs::Shell;

/// What a code block is, by its language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    /// Commands for this shell.
    Shell(Shell),
    /// Conditions.
    Check,
    /// What must stay as it is.
    Pin,
    /// Nothing is said: it may be commands.
    Unlabelled,
    /// Text, which may show commands behind prompts.
    Text,
    /// Something else.
    Other,
    /// Nothing that is known; close to the name of a shell.
    Misspelt(Shell),
}

const BASH: &[&str] = &[
    "bash",
    "shell",
    "zsh",
    "ksh",
    "console",
    "terminal",
    "shellsession",
    "shell-session",
    "sh-session",
    "bash-session",
    "zsh-session",
    "bashsession",
    "shellscript",
    "shell-script",
    "shell_session",
    "term",
    "commandline",
    "command-line",
    "cmdline",
    "command",
    "commands",
    "cli",
    "linux",
    "unix",
    "tty",
    "prompt",
    "session",
    "ssh-session",
    "user-session",
    "root-session",
];
const SH: &[&str] = &["sh", "dash", "ash", "posix", "busybox"];
const TEXT: &[&str] = &["text", "txt", "plaintext", "plain", "none", "nohighlight"];
/// Names that lie close to those of shells and are others.
const STRANGERS: &[&str] = &[
    "hash",
    "base",
    "batch",
    "basic",
    "css",
    "rs",
    "hs",
    "js",
    "ts",
    "cs",
    "fs",
    "vs",
    "go",
    "h",
    "s",
    "c",
    "d",
    "r",
    "csh",
    "tcsh",
    "fish",
    "nush",
    "nushell",
    "nu",
    "pwsh",
    "posh",
    "elvish",
    "powershell",
    "bat",
    "dos",
    "cmd",
    "ps1",
    "xsh",
    "smali",
    "thrift",
    "tcl",
    "shen",
    "slash",
    "shex",
    "http",
    "consul",
    "conf",
    "config",
    "squid",
    "awk",
    "ssh",
    "jsh",
];

/// What a language makes of a block. Case, a class (`{.bash}`), and what is
/// written close to it (`bash:run.sh`, `language-sh`, `sh{name=x}`) do not matter.
pub(super) fn language(word: &str) -> Language {
    let word = word.trim_start_matches(['{', '.']).to_lowercase();
    let end = word
        .find(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '_' | '+' | '#')))
        .unwrap_or(word.len());
    let word = &word[..end];
    let word =
        word.strip_prefix("language-").or_else(|| word.strip_prefix("lang-")).unwrap_or(word);
    match word {
        "" => Language::Unlabelled,
        "check" => Language::Check,
        "pin" => Language::Pin,
        word if SH.contains(&word) => Language::Shell(Shell::Sh),
        word if BASH.contains(&word) => Language::Shell(Shell::Bash),
        word if TEXT.contains(&word) => Language::Text,
        word if STRANGERS.contains(&word) => Language::Other,
        word => misspelt(word).map_or(Language::Other, Language::Misspelt),
    }
}

fn misspelt(word: &str) -> Option<Shell> {
    // A digit or a letter too many before or behind `sh`: `8sh`, `shh`.
    let bare = word.trim_matches(|c: char| !c.is_ascii_lowercase());
    if matches!(bare, "sh" | "shh" | "ssh") && bare != word || word == "shh" {
        return Some(Shell::Sh);
    }
    let names = ["bash", "shell", "console", "terminal", "shellsession", "shellscript"];
    (word.len() >= 3 && names.iter().any(|name| one_slip(word, name))).then_some(Shell::Bash)
}

/// Whether one letter is missing, too many, another, or swapped with its neighbour.
fn one_slip(word: &str, name: &str) -> bool {
    let (word, name): (Vec<char>, Vec<char>) = (word.chars().collect(), name.chars().collect());
    let same = word.iter().zip(&name).take_while(|(of_word, of_name)| of_word == of_name).count();
    match (&word[same..], &name[same..]) {
        ([], [_]) | ([_], []) => true,
        ([first, second, rest @ ..], [other, another, end @ ..])
            if first == another && second == other && rest == end =>
        {
            true
        }
        ([_, rest @ ..], [_, end @ ..]) if rest == end => true,
        ([_, rest @ ..], left) if rest == left => true,
        (left, [_, end @ ..]) => left == end,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shells_are_known_in_any_case_and_dress() {
        for word in ["bash", "Bash", "SHELL", "zsh", "console", "Terminal", "sh-session", "shell"] {
            assert_eq!(language(word), Language::Shell(Shell::Bash), "{word}");
        }
        for word in ["sh", "SH", "{.sh", "sh{name=x}", "language-sh", "sh:run.sh", "sh,norun"] {
            assert_eq!(language(word), Language::Shell(Shell::Sh), "{word}");
        }
        for word in
            ["shel", "bsh", "8sh", "bahs", "shelll", "consol", "conosle", "terminl", "basch"]
        {
            assert!(matches!(language(word), Language::Misspelt(_)), "{word}");
        }
        for word in
            ["yaml", "json", "sql", "promql", "output", "diff", "fish", "hcl", "hash", "ssh", "log"]
        {
            assert_eq!(language(word), Language::Other, "{word}");
        }
        assert_eq!(language(""), Language::Unlabelled);
        assert_eq!(language("text"), Language::Text);
        assert_eq!(language("check"), Language::Check);
        assert_eq!(language("pin"), Language::Pin);
    }
}
