//! Guesses about a text that nobody has labelled: is it a command, a sentence,
//! or another language?

mod programs;

use super::commands::{behind_prompt, is_root_session};

/// Words that begin constructs of the shell.
const KEYWORDS: &[&str] =
    &["for", "while", "until", "if", "case", "{", "[[", "[", "((", "!", "function", "select"];

/// Whether a text reads as a sentence and not as a command.
pub(super) fn is_sentence(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    let small = [
        "the", "a", "an", "to", "of", "with", "that", "this", "is", "are", "if", "and", "or",
        "all", "you", "your", "for", "from", "by", "not", "be", "should", "we", "in", "on", "when",
        "then",
    ];
    let first = words.first().copied().unwrap_or_default();
    let told =
        words.iter().skip(1).filter(|word| small.contains(&word.to_lowercase().as_str())).count();
    let capital = first.starts_with(char::is_uppercase)
        && first.len() > 1
        && !first.contains(['/', '=', '_']);
    (told > 0 && !looks_shell(text))
        || capital
        || text.ends_with(['.', ':', '!', '?']) && words.len() > 2
}

/// Options, paths, variables, pipes: what a sentence does not have.
fn looks_shell(text: &str) -> bool {
    text.split_whitespace().skip(1).any(|word| {
        (word.starts_with('-') && word.len() > 1)
            || word.starts_with(['/', '$', '|', '>', '~'])
            || word.contains(['=', '|', '*'])
            || matches!(word, "&&" | "||" | ";")
    })
}

/// Whether a line is a command: a program or a path at its beginning, or what
/// only a shell has.
pub(super) fn is_command(line: &str) -> bool {
    let line = line.trim();
    let mut words = line.split_whitespace();
    let Some(mut first) = words.next() else { return false };
    // Assignments before a command, or alone.
    while let Some((name, value)) = first.split_once('=') {
        if !super::given::is_identifier(name) {
            break;
        }
        let substitution =
            value.starts_with("$(") || value.starts_with("\"$(") || value.starts_with('`');
        match words.next() {
            _ if substitution => return true,
            Some("=") | None => {
                return !value.is_empty() && name.chars().all(|c| !c.is_lowercase());
            }
            Some(next) => first = next,
        }
    }
    if KEYWORDS.contains(&first) {
        return match first {
            "for" => {
                line.contains(" in ")
                    && (line.contains("; do") || line.ends_with("do") || line.contains('$'))
            }
            "if" => line.contains("; then") || line.contains("[ ") || line.contains("[["),
            "while" | "until" => line.contains("; do") || line.ends_with("do"),
            "case" => line.ends_with(" in"),
            "select" => line.contains(" in ") && line.contains("do"),
            "function" | "!" | "{" | "((" | "[" => looks_shell(line),
            _ => true,
        };
    }
    let bare = first.trim_end_matches(';');
    if bare.starts_with("./")
        || bare.starts_with("../")
        || bare.starts_with("~/")
        || bare.starts_with("bin/")
    {
        return bare.len() > 3;
    }
    if let Some(path) = bare.strip_prefix('/') {
        let file = path.rsplit('/').next().unwrap_or_default();
        return path.contains('/') && programs::is_known(file)
            || ["usr/bin/", "usr/sbin/", "usr/local/", "bin/", "sbin/", "opt/"].iter().any(
                |folder| {
                    path.strip_prefix(folder)
                        .is_some_and(|rest| !rest.is_empty() && !rest.contains(':'))
                },
            );
    }
    if programs::is_ambiguous(bare) {
        return looks_shell(line) && !is_told(line);
    }
    // A program's name alone, or with words that a command has.
    programs::is_known(bare) && !is_told(line)
}

/// Whether a line is a sentence about a program: `kubectl is installed`.
fn is_told(line: &str) -> bool {
    let second = line.split_whitespace().nth(1).unwrap_or_default();
    matches!(
        second,
        "is" | "was"
            | "has"
            | "will"
            | "can"
            | "should"
            | "and"
            | "or"
            | "the"
            | "are"
            | ":"
            | "="
            | "-"
    ) || line.split_whitespace().next().is_some_and(|first| first.ends_with(':'))
}

/// Whether a block without a language is commands, as far as one can tell:
/// prompts, or a first line that is a command and no line that speaks against it.
pub(super) fn looks_like_commands(content: &str) -> bool {
    let lines: Vec<&str> = content.lines().filter(|line| !line.trim().is_empty()).collect();
    let Some(first) = lines.first() else { return false };
    if has_prompts(content) {
        return true;
    }
    if is_other_language(content) {
        return false;
    }
    let first = lines.iter().find(|line| !line.trim_start().starts_with('#')).unwrap_or(first);
    is_command(first)
}

/// Whether commands stand behind prompts in a block.
pub(super) fn has_prompts(content: &str) -> bool {
    let lines: Vec<&str> = content.lines().collect();
    let dollar = |line: &&str| behind_prompt(line).is_some_and(|rest| !rest.trim().is_empty());
    lines.iter().any(dollar) || is_root_session(&lines)
}

/// Whether a block called a shell's is plainly something else: a manifest in
/// YAML, JSON, a query in PromQL or SQL, a page of metrics.
pub(super) fn is_other_language(content: &str) -> bool {
    let lines: Vec<&str> = content
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
        .collect();
    let Some(first) = lines.first() else { return false };
    if is_sql(first) {
        return true;
    }
    if lines.iter().any(|line| behind_prompt(line).is_some())
        || lines.iter().any(|line| is_command(line))
    {
        return false;
    }
    let key = |line: &&str| {
        let line = line.trim_start().trim_start_matches("- ");
        let end = line.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/')));
        end.is_some_and(|end| end > 0 && (line[end..].starts_with(": ") || &line[end..] == ":"))
    };
    let keys = lines.iter().filter(|line| key(line)).count();
    let yaml = lines.len() >= 2 && keys * 3 >= lines.len() * 2 || first.starts_with("apiVersion:");
    let json = matches!(first.trim(), "{" | "[") || first.trim_start().starts_with("{\"");
    yaml || json || is_promql(&lines.join("\n"))
}

fn is_sql(first: &str) -> bool {
    let first = first.trim_start().to_uppercase();
    [
        "SELECT ",
        "INSERT INTO ",
        "UPDATE ",
        "DELETE FROM ",
        "CREATE TABLE ",
        "ALTER ",
        "WITH RECURSIVE ",
    ]
    .iter()
    .any(|beginning| first.starts_with(beginning))
}

/// An expression that our own parser reads, with something in it that no command has.
fn is_promql(text: &str) -> bool {
    let typical = ["rate(", "sum(", "sum by", "count(", "histogram_quantile(", "max(", "avg(", "{"];
    typical.iter().any(|part| text.contains(part))
        && text.len() < 16_384
        && crate::metrics::promql::parse(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_without_a_language_are_commands_where_they_look_like_it() {
        for content in [
            "$ anything\n",
            "sudo hatop -s /run/haproxy/admin.sock\n",
            "# kill -TERM 1827\n",
            "rm -rf /x\nmv /a /b\n",
            "kubectl get pods\nNAME READY\n",
            "/usr/bin/envdir /etc/x y\n",
            "./bin/set-state gstg\n",
            "A=$(kubectl get x)\n",
            "for i in 1 2; do echo $i; done\n",
            "# restart it\nsystemctl restart x\n",
            "crontab -l\n0 0 * * * x\n",
        ] {
            assert!(looks_like_commands(content), "{content}");
        }
        for content in [
            "",
            "name: x\nvalue: y\n",
            "{\n \"a\": 1\n}\n",
            "Some text about kubectl\n",
            "Labels\n  alertname=X\n",
            "restore_command = '/usr/bin/envdir x'\n",
            "up{job=\"x\"} == 0\n",
            "select * from x;\n",
            " a | b \n---+---\n",
            "error: something failed\n",
            "date: Mon\n",
            "https://example.com/#x y\n",
            "time is money\n",
            "50% done\n",
        ] {
            assert!(!looks_like_commands(content), "{content}");
        }
    }

    #[test]
    fn what_is_plainly_no_shell_is_seen_behind_a_wrong_label() {
        assert!(is_other_language("apiVersion: v1\nkind: X\nmetadata:\n  name: y\n"));
        assert!(is_other_language("# c\nsum by(x) (rate(y{a=~\"b|c\"}[1d]))\n/ scalar(sum(z))\n"));
        assert!(is_other_language("SELECT 1;\n"));
        assert!(!is_other_language("kubectl apply -f - <<EOF\nkind: X\na: b\nEOF\n"));
        assert!(!is_other_language("govuk-docker-run rails assets:precompile\n"));
        assert!(!is_other_language("NS=$(kubectl get x)\n"));
    }
}
