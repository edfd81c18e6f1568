//! Commands that want a terminal, and those that open a shell somewhere else:
//! what a runbook writes below such a line is typed in there, not here.

use super::shell::{self, Script};

/// What a command does with the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wants {
    Nothing,
    /// An editor, a pager, something that asks or goes on until it is stopped.
    Terminal,
    /// It takes commands: a shell of another host, of root, of a container; a
    /// database's prompt.
    Commands,
}

/// What the commands of a block want.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Block {
    /// One of them wants a terminal.
    pub(super) terminal: bool,
    /// The line that takes commands, where others stand below it.
    pub(super) elsewhere: Option<String>,
}

/// What the commands of a block want.
pub(super) fn of(text: &str, script: &Script) -> Block {
    let mut block = Block::default();
    let last = script.commands.len().saturating_sub(1);
    for (i, command) in script.commands.iter().enumerate() {
        let words: Vec<&str> = command.words.iter().map(|word| word.text.as_str()).collect();
        let wants = if command.is_fed() { Wants::Nothing } else { wants(&words) };
        block.terminal |= wants != Wants::Nothing;
        if wants == Wants::Commands && i < last && block.elsewhere.is_none() {
            let shown = command.words.iter().filter_map(|word| text.get(word.range.clone()));
            block.elsewhere = Some(shown.collect::<Vec<_>>().join(" "));
        }
    }
    block
}

const SHELLS: &[&str] =
    &["sh", "bash", "zsh", "ash", "dash", "ksh", "fish", "/bin/sh", "/bin/bash"];
const SCREENS: &[&str] = &[
    "vi",
    "vim",
    "nvim",
    "nano",
    "emacs",
    "less",
    "more",
    "man",
    "top",
    "htop",
    "atop",
    "iotop",
    "k9s",
    "watch",
    "visudo",
    "passwd",
    "screen",
    "tmux",
    "hatop",
    "slabtop",
    "ssh-keygen",
    "ssh-copy-id",
    "dpkg-reconfigure",
    "fdisk",
    "parted",
    "mtr",
    "nmtui",
    "menuconfig",
    "ncdu",
];
const DIALOGUES: &[(&str, &[&str])] = &[
    ("psql", &["-c", "-f", "-l", "--command", "--file", "--list", "-V", "--version"]),
    ("gitlab-psql", &["-c", "-f", "-l", "--command", "--file"]),
    ("mysql", &["-e", "--execute", "-V", "--version"]),
    ("mariadb", &["-e", "--execute", "-V", "--version"]),
    ("mongo", &["--eval", "--version"]),
    ("mongosh", &["--eval", "--version"]),
    ("cqlsh", &["-e", "-f", "--execute", "--file"]),
    ("telnet", &[]),
    ("ftp", &[]),
    ("sftp", &["-b"]),
    ("gdb", &["-batch", "--batch", "-ex"]),
    ("irb", &[]),
];

fn wants(words: &[&str]) -> Wants {
    let Some(start) = shell::behind_wrappers(words) else {
        // `sudo -i`, `sudo -s`
        let root = words.first() == Some(&"sudo")
            && words.iter().any(|word| matches!(*word, "-i" | "-s" | "-si" | "-is"));
        return if root { Wants::Commands } else { Wants::Nothing };
    };
    let name = words[start].rsplit('/').next().unwrap_or_default();
    let rest = &words[start + 1..];
    let has = |options: &[&str]| {
        rest.iter().any(|word| {
            options.iter().any(|option| word == option || word.starts_with(&format!("{option}=")))
        })
    };
    match name {
        "ssh" | "mosh" => ssh(rest),
        "su" | "runuser" if !has(&["-c", "--command"]) => Wants::Commands,
        name if SHELLS.contains(&name) => {
            if rest.iter().all(|word| matches!(*word, "-l" | "-i" | "--login" | "-")) {
                Wants::Commands
            } else {
                Wants::Nothing
            }
        }
        "kubectl" | "oc" | "docker" | "podman" | "nerdctl" | "crictl" | "docker-compose"
        | "kubecolor" => container(rest),
        "redis-cli" if rest.chunks(2).all(|pair| pair.len() == 2 && pair[0].starts_with('-')) => {
            Wants::Commands
        }
        "rails" | "gitlab-rails" | "bin/rails" if has(&["console", "c", "dbconsole"]) => {
            Wants::Commands
        }
        "python" | "python3" | "node" | "virsh" | "nslookup" if rest.is_empty() => Wants::Commands,
        "sqlite3" if rest.len() == 1 => Wants::Commands,
        name if SCREENS.contains(&name) => Wants::Terminal,
        "tail" if has(&["-f", "-F", "--follow", "-fn"]) => Wants::Terminal,
        "journalctl" if has(&["-f", "--follow", "-fu", "-xef"]) => Wants::Terminal,
        "crontab" if has(&["-e"]) => Wants::Terminal,
        "systemctl" if has(&["edit"]) => Wants::Terminal,
        "gpg" | "gpg2"
            if has(&[
                "--edit-key",
                "--card-edit",
                "--gen-key",
                "--full-gen-key",
                "--full-generate-key",
            ]) =>
        {
            Wants::Terminal
        }
        "tcpdump" if !has(&["-c"]) => Wants::Terminal,
        "terraform" | "tofu"
            if has(&["apply", "destroy"]) && !has(&["-auto-approve", "--auto-approve"]) =>
        {
            Wants::Terminal
        }
        "apt" | "apt-get" | "yum" | "dnf" | "zypper"
            if has(&["install", "remove", "upgrade", "update", "purge"])
                && !has(&["-y", "--yes", "--assumeyes", "-qy", "-yq"])
                && !(name.starts_with("apt") && has(&["update"])) =>
        {
            Wants::Terminal
        }
        "git" if has(&["rebase"]) && has(&["-i", "--interactive"]) => Wants::Terminal,
        name => match DIALOGUES.iter().find(|(dialogue, _)| *dialogue == name) {
            Some((_, quiet)) if !has(quiet) && !rest.iter().any(|word| is_joined(word, quiet)) => {
                Wants::Commands
            }
            _ => Wants::Nothing,
        },
    }
}

/// `-e'select 1'`
fn is_joined(word: &str, options: &[&str]) -> bool {
    options.iter().any(|option| option.len() == 2 && word.starts_with(option))
}

fn ssh(rest: &[&str]) -> Wants {
    let mut terminal = false;
    let mut at = 0;
    while let Some(word) = rest.get(at).filter(|word| word.starts_with('-')) {
        terminal |= word.starts_with("-t") || word.contains('N');
        if word.contains('f') && !word.contains('F') {
            return Wants::Nothing;
        }
        let valued = word.len() == 2 && "BbcDEeFIiJLlmOopQRSWw".contains(&word[1..]);
        at += 1 + usize::from(valued);
    }
    match rest.len().saturating_sub(at) {
        0 => Wants::Nothing,
        1 if terminal => Wants::Terminal,
        1 => Wants::Commands,
        _ if terminal => Wants::Terminal,
        _ => Wants::Nothing,
    }
}

fn container(rest: &[&str]) -> Wants {
    let verb = rest.iter().find(|word| {
        matches!(
            **word,
            "exec" | "run" | "debug" | "rsh" | "edit" | "attach" | "logs" | "get" | "port-forward"
        )
    });
    let flags = |letters: &str| {
        rest.iter().take_while(|word| **word != "--").any(|word| {
            word.strip_prefix('-').is_some_and(|flags| {
                !flags.starts_with('-')
                    && !flags.is_empty()
                    && letters.chars().all(|c| flags.contains(c))
                    && flags.len() <= 3
            })
        })
    };
    let interactive = flags("t") || rest.contains(&"--tty") || rest.contains(&"--tty=true");
    let shell_last = rest.last().is_some_and(|last| SHELLS.contains(last));
    let command = rest.contains(&"--");
    match verb.copied() {
        Some("exec" | "run") if interactive && shell_last => Wants::Commands,
        Some("exec" | "run") if interactive => Wants::Terminal,
        Some("debug") if !command || shell_last => Wants::Commands,
        Some("rsh")
            if rest.iter().filter(|word| !word.starts_with('-')).count() <= 2 || shell_last =>
        {
            Wants::Commands
        }
        Some("edit" | "attach" | "port-forward") => Wants::Terminal,
        Some("logs") if flags("f") || rest.contains(&"--follow") => Wants::Terminal,
        Some("get") if flags("w") || rest.contains(&"--watch") => Wants::Terminal,
        _ => Wants::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(text: &str) -> Block {
        of(text, &shell::read(text))
    }

    #[test]
    fn what_wants_a_terminal_gets_one() {
        for text in [
            "ssh host",
            "ssh -i key a@host",
            "ssh -t host top",
            "sudo su",
            "sudo su - postgres",
            "sudo -i",
            "oc debug node/x",
            "kubectl exec -it x -- bash",
            "docker exec -ti x sh",
            "oc rsh pod",
            "oc edit flowcollector cluster",
            "tail -f /var/log/x",
            "journalctl -b -f -u kubelet",
            "kubectl logs -f x",
            "psql -h x db",
            "mysql",
            "sudo hatop -s x",
            "crontab -e",
            "vi /etc/x",
            "sudo apt install x",
            "terraform apply",
            "gpg --edit-key x",
            "redis-cli -h x",
            "kubectl get po -w",
        ] {
            assert!(block(text).terminal, "{text}");
        }
        for text in [
            "ssh host uptime",
            "ssh -f -N host",
            "sudo ls",
            "su - a -c ls",
            "kubectl exec x -- ls",
            "oc debug node/x -- chroot /host ls",
            "psql -c 'select 1'",
            "mysql -e'select 1'",
            "mysql < f",
            "cat f | psql db",
            "bash x.sh",
            "kubectl get po -o wide",
            "tail -n 5 x",
            "apt-get install -y x",
            "apt update",
            "terraform plan",
            "redis-cli ping",
            "redis-cli -h x info",
            "docker run --rm x",
            "kubectl logs x",
        ] {
            assert!(!block(text).terminal, "{text}");
        }
    }

    #[test]
    fn what_stands_below_a_login_belongs_to_the_other_side() {
        for text in [
            "ssh host\nsystemctl start x",
            "sudo su\nls",
            "oc debug node/x\nsysctl -a",
            "psql\nselect 1",
        ] {
            assert!(block(text).elsewhere.is_some(), "{text}");
        }
        for text in ["ssh host", "ssh host ls\nls", "ls\nssh host", "ssh host <<EOF\nls\nEOF\nls"] {
            assert_eq!(block(text).elsewhere, None, "{text}");
        }
    }
}
