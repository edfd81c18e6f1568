//! A command block to the script that a person would type: prompts dropped,
//! output not run.

use super::guess::{is_command, is_sentence};
use super::shell;

/// What is run of a block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Typed {
    /// The script, without an empty line at its ends.
    pub(super) script: String,
    /// Lines had prompts: the others are output.
    pub(super) prompts: bool,
    /// A program was shown that asks for commands of its own: `mysql>`, `gpg>`,
    /// or a shell within a shell.
    pub(super) dialogue: bool,
}

/// Reads what a person would type: where lines have prompts, what stands behind
/// them and what belongs to it; else everything.
pub(super) fn typed(content: &str) -> Typed {
    let lines: Vec<&str> = content.lines().collect();
    let prompted: Vec<Option<&str>> = lines.iter().map(|line| behind_prompt(line)).collect();
    let mut found = if prompted.iter().any(Option::is_some) {
        with_prompts(&lines, &prompted)
    } else if is_root_session(&lines) {
        let prompted: Vec<Option<&str>> =
            lines.iter().map(|line| behind_root_prompt(line)).collect();
        with_prompts(&lines, &prompted)
    } else {
        Typed { script: content.to_owned(), ..Typed::default() }
    };
    found.dialogue = lines.iter().any(|line| is_dialogue(line))
        || (found.prompts
            && lines.iter().any(|line| behind_root_prompt(line).is_some_and(is_command)))
            && prompted.iter().any(Option::is_some);
    let kept = found.script.trim_end();
    let kept = kept.trim_start_matches('\n');
    found.script = kept.to_owned();
    found
}

/// Commands behind prompts; the lines that go on with them; nothing else.
fn with_prompts(lines: &[&str], prompted: &[Option<&str>]) -> Typed {
    let mut script = String::new();
    let mut at = 0;
    while at < lines.len() {
        let Some(first) = prompted[at] else {
            at += 1;
            continue;
        };
        let next = (at + 1..lines.len()).find(|i| prompted[*i].is_some()).unwrap_or(lines.len());
        let more = &lines[at + 1..next];
        let (command, _) = whole_command(first, more);
        if !command.trim().is_empty() {
            script.push_str(command.trim_end());
            script.push('\n');
        }
        at = next;
    }
    Typed { script, prompts: true, dialogue: false }
}

/// The command that begins with this line, with those of the lines behind it
/// that belong to it, and how many these are.
fn whole_command(first: &str, more: &[&str]) -> (String, usize) {
    let continued = more.first().is_some_and(|line| behind_continuation(line).is_some());
    let mut text = String::from(first);
    text.push('\n');
    for line in more {
        let line = if continued { behind_continuation(line).unwrap_or(line) } else { line };
        text.push_str(line);
        text.push('\n');
    }
    let script = shell::read(&text);
    let end = script.whole.or((!script.open).then_some(text.len()));
    if let Some(end) = end {
        let taken = text[..end.min(text.len())].trim_end_matches('\n').to_owned();
        let lines = taken.matches('\n').count();
        return (taken, lines);
    }
    // A quote that nothing closes, in a command or in its output: the line
    // itself, with those that a backslash or `>` ties to it.
    let mut taken = String::from(first);
    let mut count = 0;
    for line in more {
        let tied = behind_continuation(line);
        if !taken.ends_with('\\') && tied.is_none() {
            break;
        }
        taken.push('\n');
        taken.push_str(tied.unwrap_or(line));
        count += 1;
    }
    (taken, count)
}

/// `> …`, where a command goes on.
fn behind_continuation(line: &str) -> Option<&str> {
    let line = line.trim_start();
    line.strip_prefix("> ").or_else(|| (line == ">").then_some(""))
}

/// What stands behind a prompt: `$ `, `% `, `user@host:~$ `, `[user@host dir]# `,
/// `root@host:/# `, `bash-5.1$ `, `host % `, `(venv) $ `, `❯ `.
pub(super) fn behind_prompt(line: &str) -> Option<&str> {
    let line = line.trim_start();
    for sign in ["$", "❯", "➜", "λ"] {
        if let Some(rest) = line.strip_prefix(sign)
            && (rest.is_empty() || rest.starts_with([' ', '\t']))
        {
            return Some(rest.trim_start());
        }
    }
    let rest = line.strip_prefix("% ").filter(|rest| is_command(rest));
    rest.or_else(|| behind_long_prompt(line))
}

fn behind_long_prompt(line: &str) -> Option<&str> {
    // `(venv) $ `
    if let Some((env, rest)) = line.strip_prefix('(').and_then(|rest| rest.split_once(") ")) {
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
        if !env.is_empty() && env.chars().all(plain) {
            return behind_prompt_once(rest);
        }
    }
    behind_prompt_once(line)
}

fn behind_prompt_once(line: &str) -> Option<&str> {
    if let Some(rest) = line.strip_prefix("$ ") {
        return Some(rest.trim_start());
    }
    // `[user@host dir]$ `
    if let Some((inner, rest)) = line.strip_prefix('[').and_then(|rest| rest.split_once(']'))
        && inner.contains('@')
        && !inner.contains(['"', '\''])
    {
        let rest = rest.trim_start();
        return rest.strip_prefix(['$', '#', '%']).and_then(after_sign);
    }
    // `user@host:~/dir$ `, `host:~# `, `bash-5.1$ `, `user@host % `, `sh-4.4# `
    let end = line.find(['$', '#', '%'])?;
    let (before, rest) = (&line[..end], &line[end + 1..]);
    let rest = after_sign(rest)?;
    let prompt = before.trim_end();
    let plain = |c: char| c.is_alphanumeric() || "@-_.:~/+".contains(c);
    if prompt.is_empty() || prompt.len() > 80 {
        return None;
    }
    let words: Vec<&str> = prompt.split(' ').collect();
    let shape = match words.as_slice() {
        [one] => {
            one.contains('@')
                || one.contains(":~")
                || one.contains(":/")
                || ["bash-", "sh-", "zsh-"].iter().any(|shell| {
                    one.strip_prefix(shell)
                        .is_some_and(|v| v.starts_with(|c: char| c.is_ascii_digit()))
                })
                || (line.as_bytes()[end] == b'%' && before.ends_with(' ') && is_command(rest))
        }
        // `user@host dir % `
        [one, _] => one.contains('@'),
        _ => false,
    };
    // `https://host/#anchor text` and `name: 50% done` are no prompts.
    let address = prompt.contains("://");
    (shape && !address && words.iter().all(|word| word.chars().all(plain))).then_some(rest)
}

/// Behind the sign of a prompt stands a blank or nothing.
fn after_sign(rest: &str) -> Option<&str> {
    if rest.is_empty() {
        return Some(rest);
    }
    rest.strip_prefix([' ', '\t']).map(str::trim_start)
}

/// What stands behind `# `.
fn behind_root_prompt(line: &str) -> Option<&str> {
    let rest = line.trim_start().strip_prefix('#')?;
    let rest = rest.strip_prefix(' ')?;
    (!rest.trim().is_empty()).then(|| rest.trim_start())
}

/// Whether `# ` is root's prompt in this block and no remark: commands stand
/// behind it, and no line without it is one.
pub(super) fn is_root_session(lines: &[&str]) -> bool {
    let mut commands = 0;
    for line in lines {
        if let Some(rest) = behind_root_prompt(line) {
            if is_command(rest) {
                commands += 1;
            } else if is_sentence(rest) {
                return false;
            }
        } else if is_command(line.trim_start()) && !line.starts_with([' ', '\t']) {
            return false;
        }
    }
    commands > 0
}

/// The prompt of a program that is no shell: `mysql> `, `db=# `, `gpg> `, `>>> `.
fn is_dialogue(line: &str) -> bool {
    let line = line.trim_start();
    if line.starts_with(">>> ") || line.starts_with("irb(") || line.starts_with("127.0.0.1:6379>") {
        return true;
    }
    let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    let (name, rest) = line.split_at(line.find(|c| !part(c)).unwrap_or(line.len()));
    !name.is_empty()
        && (rest.starts_with("=# ")
            || rest.starts_with("=> ")
            || rest.starts_with("-# ")
            || (rest.starts_with("> ")
                && [
                    "mysql", "gpg", "mariadb", "sqlite", "ftp", "sftp", "ksql", "cqlsh", "telnet",
                    "redis", "mongo", "virsh", "nslookup", "psql",
                ]
                .contains(&name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(content: &str) -> String {
        typed(content).script
    }

    #[test]
    fn prompts_are_dropped_and_output_is_not_run() {
        for (content, expected) in [
            ("$ a\nout\n$ b\n", "a\nb"),
            ("a\nb\n", "a\nb"),
            ("  $ a\n  out\n", "a"),
            ("$ a \\\n  b\nout\n", "a \\\n  b"),
            ("$ a \\\n> b\nout\n", "a \\\nb"),
            (
                "$ for x in 1 2; do\n>   echo $x\n> done\n1\n2\n",
                "for x in 1 2; do\n  echo $x\ndone",
            ),
            ("$ cat <<EOF\nx\n$y\nEOF\nx\n", "cat <<EOF\nx\n$y\nEOF"),
            ("$ echo 'a\nb'\na\nb\n", "echo 'a\nb'"),
            ("$ echo it's\nout\n$ b\n", "echo it's\nb"),
            ("user@host:~$ a\nout\nroot@host:/etc# b\n", "a\nb"),
            ("[root@host ~]# a\n[li@host dir]$ b\nout\n", "a\nb"),
            ("bash-5.1$ a\nsh-4.4# b\n", "a\nb"),
            ("(venv) $ a\n", "a"),
            ("chef-repo % ./bin/x gstg\nFetching\n", "./bin/x gstg"),
            ("li@mac ~ % ls\nout\n", "ls"),
            ("$\n$ a\n", "a"),
            ("# remark\n$ a\n", "a"),
            ("$ a | \\\n    b '{print $1}'\nx\n", "a | \\\n    b '{print $1}'"),
            ("export A=$B\necho $A\n", "export A=$B\necho $A"),
        ] {
            assert_eq!(script(content), expected, "{content}");
        }
    }

    #[test]
    fn a_root_prompt_is_told_from_a_remark() {
        for (content, expected) in [
            ("# kill -TERM 1827\n", "kill -TERM 1827"),
            ("# pstree -pals $(pgrep x)\nsystemd,1\n  └─x\n", "pstree -pals $(pgrep x)"),
            (
                "# for p in $(pgrep x); do ps $p; done\nUSER PID\n",
                "for p in $(pgrep x); do ps $p; done",
            ),
            (
                "# systemctl restart x\n# systemctl status x\nactive\n",
                "systemctl restart x\nsystemctl status x",
            ),
        ] {
            assert_eq!(script(content), expected, "{content}");
        }
        for content in [
            "# find the top-10 users\noc adm x",
            "# Show it\nkubectl get x",
            "# Remove the thing\n# kubectl delete x\nkubectl get y",
            "# kill the process that hangs\nsystemctl restart x",
            "# restart",
            "# Kill all of them\n# kill -9 1",
        ] {
            assert_eq!(script(content), content, "{content}");
        }
    }

    #[test]
    fn programs_with_prompts_of_their_own_need_a_terminal() {
        assert!(typed("$ mysql\nmysql> show tables;\n").dialogue);
        assert!(typed("$ gpg --edit-key x\ngpg> key 1\n").dialogue);
        assert!(typed("$ oc debug node/x\n# sysctl -a | grep fs\n# lsof -n\n").dialogue);
        assert!(!typed("$ kubectl get nodes\nNAME\n").dialogue);
        assert_eq!(script("$ psql\ndb=# select 1;\n"), "psql");
    }
}
