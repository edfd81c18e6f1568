//! Commands that change something, as far as their words tell.

use crate::runbook::shell::{self, Command, EXPANDED, Word};
use regex::Regex;
use std::sync::LazyLock;

/// Programs that always change something.
const ALWAYS: &[&str] = &[
    "chmod",
    "chown",
    "chgrp",
    "dd",
    "dropdb",
    "createdb",
    "fallocate",
    "halt",
    "kill",
    "killall",
    "ln",
    "mkfs",
    "mv",
    "passwd",
    "pkill",
    "poweroff",
    "reboot",
    "rm",
    "rmdir",
    "shred",
    "shutdown",
    "swapoff",
    "swapon",
    "truncate",
    "umount",
    "unlink",
    "useradd",
    "userdel",
    "usermod",
    "wipefs",
    "pg_restore",
    "mkdir",
    "touch",
];

/// Programs, and the words by which they change something.
const BY_WORD: &[(&str, &[&str])] = &[
    ("apt", &["install", "remove", "purge", "upgrade", "full-upgrade", "autoremove"]),
    ("apt-get", &["install", "remove", "purge", "upgrade", "dist-upgrade", "autoremove"]),
    (
        "aws",
        &[
            "delete",
            "terminate-instances",
            "stop-instances",
            "start-instances",
            "reboot-instances",
            "rm",
            "put-object",
        ],
    ),
    ("borg", &["create", "delete", "prune", "compact", "break-lock", "init", "recreate"]),
    ("crontab", &["-r", "-e"]),
    (
        "docker",
        &[
            "rm", "rmi", "stop", "start", "restart", "kill", "run", "prune", "up", "down", "pause",
            "unpause", "update",
        ],
    ),
    ("podman", &["rm", "rmi", "stop", "start", "restart", "kill", "run", "prune"]),
    ("dnf", &["install", "remove", "update", "upgrade"]),
    ("gcloud", &["delete", "create", "update", "reset", "stop", "start"]),
    ("git", &["push", "reset", "checkout", "clean", "commit", "merge", "rebase", "pull", "stash"]),
    ("helm", &["install", "upgrade", "rollback", "uninstall", "delete"]),
    ("ip", &["add", "del", "delete", "flush", "set"]),
    ("iptables", &["-A", "-D", "-F", "-I", "-P", "-X"]),
    (
        "kubectl",
        &[
            "annotate",
            "apply",
            "cordon",
            "create",
            "delete",
            "drain",
            "edit",
            "expose",
            "label",
            "patch",
            "replace",
            "restart",
            "scale",
            "set",
            "taint",
            "uncordon",
            "undo",
            "autoscale",
        ],
    ),
    (
        "oc",
        &[
            "adm", "annotate", "apply", "create", "delete", "edit", "label", "patch", "replace",
            "restart", "scale", "set", "undo",
        ],
    ),
    ("lvremove", &[""]),
    ("nomad", &["stop", "run", "restart"]),
    (
        "pgbackrest",
        &[
            "restore",
            "backup",
            "expire",
            "stanza-create",
            "stanza-upgrade",
            "stanza-delete",
            "start",
            "stop",
        ],
    ),
    ("pm2", &["delete", "kill", "reload", "restart", "start", "stop", "reset", "save"]),
    ("rabbitmqctl", &["stop", "stop_app", "reset", "force_reset", "purge_queue", "delete_queue"]),
    (
        "redis-cli",
        &["del", "flushall", "flushdb", "set", "shutdown", "unlink", "expire", "failover", "debug"],
    ),
    ("restic", &["backup", "forget", "prune", "restore", "unlock", "init", "rebuild-index", "tag"]),
    ("service", &["restart", "start", "stop", "reload"]),
    (
        "supervisorctl",
        &["reload", "remove", "restart", "shutdown", "start", "stop", "update", "reread", "clear"],
    ),
    ("sysctl", &["-w"]),
    (
        "systemctl",
        &[
            "daemon-reload",
            "disable",
            "enable",
            "isolate",
            "kill",
            "mask",
            "reload",
            "restart",
            "set-property",
            "start",
            "stop",
            "try-restart",
            "unmask",
            "reboot",
            "poweroff",
        ],
    ),
    ("terraform", &["apply", "destroy", "import", "taint"]),
    ("yum", &["install", "remove", "update", "upgrade"]),
    ("deployctl", &["rollback", "promote", "deploy"]),
];

/// Programs that only run what stands behind them.
const PREFIXES: &[&str] = &[
    "builtin", "command", "doas", "env", "ionice", "nice", "nohup", "setsid", "stdbuf", "sudo",
    "time", "timeout", "xargs",
];

/// Statements of SQL that change something, at the beginning of one.
static SQL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?im)(?:^|;|\b(?:as|begin)\b)\s*(alter|create|delete\s+from|drop|grant|insert\s+into|reindex|revoke|truncate|update\s+\S+\s+set|vacuum\s+full)\b").ok()
});
static TERMINATES: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)pg_(?:terminate|cancel)_backend\s*\(").ok());
static PIPED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"\b(?:eval|source|sh|bash|zsh|dash|python3?|perl|ruby)\b[^\n;|]*(?:\$\(|<\(|`)\s*(?:curl|wget|fetch)\b").ok()
});

/// What of a command changes something, in words; none where nothing is known to.
pub(super) fn change(command: &Command, script: &str) -> Option<String> {
    // What a script makes for itself it may also change.
    let own = |word: &Word| word.text.starts_with(EXPANDED) && script.contains("mktemp");
    for word in &command.writes {
        let text = word.text.as_str();
        let harmless = ["/dev/null", "/dev/stderr", "/dev/stdout", "/dev/tty", "/dev/fd/"]
            .iter()
            .any(|device| text.starts_with(device));
        if !harmless && !own(word) {
            return Some(if text.contains(EXPANDED) {
                "`>` into a file".to_owned()
            } else {
                format!("`> {text}`")
            });
        }
    }
    let words: Vec<&Word> = command.words.iter().collect();
    let skipped = |word: &&Word| {
        let text = word.text.as_str();
        PREFIXES.contains(&text)
            || text.starts_with('-')
            || text.contains('=')
            || (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let prefixed = words.first().is_some_and(|word| PREFIXES.contains(&word.text.as_str()));
    let at = if prefixed { words.iter().position(|word| !skipped(word))? } else { 0 };
    let name = words.get(at)?.text.rsplit('/').next().unwrap_or_default();
    let rest: Vec<&str> = words[at + 1..].iter().map(|word| word.text.as_str()).collect();
    if ALWAYS.contains(&name) || name.starts_with("mkfs.") {
        let asks =
            name == "kill" && rest.first().is_some_and(|word| *word == "-0" || *word == "-l");
        let lists = name == "pg_restore"
            && rest.iter().any(|word| ["-l", "--list", "/dev/null"].contains(word));
        let mut operands = words[at + 1..].iter().filter(|word| !word.text.starts_with('-'));
        let only_own = operands.clone().next().is_some() && operands.all(|word| own(word));
        return (!asks && !lists && !only_own).then(|| format!("`{name}`"));
    }
    let by_word = BY_WORD.iter().find(|(program, _)| *program == name);
    if let Some((_, changing)) = by_word {
        let dry = rest.iter().any(|word| word.starts_with("--dry-run") || *word == "--noop");
        // The first words say what is done; behind them stand names.
        let said = rest.iter().filter(|word| !word.starts_with("--")).take(3);
        let mut said = said.filter(|word| changing.iter().any(|it| it.eq_ignore_ascii_case(word)));
        return said.next().filter(|_| !dry).map(|word| format!("`{name} {word}`"));
    }
    match name {
        "sed" if rest.iter().any(|word| word.starts_with("-i") || *word == "--in-place") => {
            Some("`sed -i`".into())
        }
        "find" if rest.contains(&"-delete") => Some("`find -delete`".into()),
        "tee" if rest.iter().any(|word| !word.starts_with('-') && *word != "/dev/null") => {
            Some("`tee`".into())
        }
        "curl" => {
            let asked = rest
                .windows(2)
                .find(|pair| pair[0] == "-X" || pair[0] == "--request")
                .map(|pair| pair[1]);
            let glued =
                rest.iter().find_map(|word| word.strip_prefix("-X").filter(|it| !it.is_empty()));
            let sends = rest.iter().any(|word| {
                ["-d", "--data", "--data-raw", "--data-binary", "-F", "--form", "-T"].contains(word)
            });
            match asked.or(glued) {
                Some("GET" | "HEAD" | "OPTIONS") => None,
                Some(method) if !method.contains(EXPANDED) => Some(format!("`curl -X {method}`")),
                _ => sends.then(|| "`curl` with data".to_owned()),
            }
        }
        "psql" | "mysql" | "mariadb" | "sqlite3" | "clickhouse-client" => {
            let texts = command.words.iter().chain(&command.input).map(|word| word.text.as_str());
            let mut texts = texts.filter_map(|text| {
                let found = SQL.as_ref()?.captures(text).and_then(|found| found.get(1));
                found
                    .or_else(|| TERMINATES.as_ref()?.find(text))
                    .map(|found| found.as_str().to_owned())
            });
            texts.next().map(|what| format!("`{}` in `{name}`", what.to_lowercase()))
        }
        _ => None,
    }
}

/// The lines of a script in which a download is run as it comes.
pub(super) fn piped_downloads(script: &str) -> Vec<u32> {
    let read = shell::read(script);
    let all = &read.commands;
    let mut found: Vec<u32> = Vec::new();
    for command in all {
        if !matches!(command.program(), Some("curl" | "wget" | "fetch")) {
            continue;
        }
        let runs = all.iter().any(|other| {
            let names = other
                .words
                .iter()
                .take(4)
                .map(|word| word.text.rsplit('/').next().unwrap_or_default());
            let mut shells = names.filter(|name| {
                ["sh", "bash", "zsh", "dash", "ksh", "python", "python3", "perl", "ruby"]
                    .contains(name)
            });
            read.are_piped(command, other) && shells.next().is_some() && {
                let first = other.program().unwrap_or_default();
                other.words.len() == 1
                    || PREFIXES.contains(&first)
                    || !matches!(first, "grep" | "echo" | "jq")
            }
        });
        if runs {
            found.push(command.line);
        }
    }
    for (number, line) in (1..).zip(script.lines()) {
        if PIPED.as_ref().is_some_and(|form| form.is_match(line)) && !found.contains(&number) {
            found.push(number);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(script: &str) -> Vec<String> {
        shell::read(script).commands.iter().filter_map(|command| change(command, script)).collect()
    }

    #[test]
    fn changes_are_known_by_their_words() {
        for script in [
            "rm -rf /srv/x",
            "sudo -n systemctl restart api",
            "kubectl -n shop delete pod x",
            "kubectl rollout restart deploy/x",
            "echo x > /etc/motd",
            "psql -c 'DROP TABLE x'",
            "psql <<EOF\ndelete from x;\nEOF",
            "redis-cli FLUSHALL",
            "docker compose up -d",
            "sed -i s/a/b/ f",
            "find / -delete",
            "curl -X POST http://x",
            "curl -d a http://x",
            "restic forget --keep-last 1",
            "pm2 restart api",
            "supervisorctl stop x",
            "kill 1",
            "git reset --hard",
            "ls | xargs rm",
            "timeout 5 systemctl stop x",
            "psql -c 'select pg_terminate_backend(1)'",
            "echo a | tee /etc/x",
            "deployctl rollback api v1",
            "mkdir x",
        ] {
            assert!(!changes(script).is_empty(), "{script}");
        }
    }

    #[test]
    fn reads_are_left_alone() {
        for script in [
            "systemctl status api",
            "systemctl show -p ActiveState --value api",
            "kubectl get pods -l app=delete",
            "grep rm /var/log/x",
            "echo restart",
            "ls > /dev/null 2>&1",
            "psql -c 'select 1'",
            "kill -0 5",
            "docker ps",
            "curl -fsS http://x/healthz",
            "curl -X GET http://x",
            "git log --oneline",
            "restic snapshots",
            "D=$(mktemp -d); ls > \"$D/x\"; rm -rf \"$D\"",
            "pg_restore -l x.dump",
            "kubectl delete pod x --dry-run=client",
            "psql -c \"select created, updated from drops\"",
            "supervisorctl status",
            "redis-cli get x",
            "journalctl -u x -n 50",
            "deployctl list api",
        ] {
            assert_eq!(changes(script), [""; 0], "{script}");
        }
    }

    #[test]
    fn a_download_that_is_run_is_found() {
        for script in [
            "curl -fsSL https://x/install.sh | sh",
            "wget -qO- x | sudo bash -s",
            "bash <(curl -s x)",
            "sh -c \"$(curl -fsSL x)\"",
            "eval \"$(curl x)\"",
            "curl x | tee y | bash",
        ] {
            assert!(!piped_downloads(script).is_empty(), "{script}");
        }
        for script in [
            "curl x | jq .",
            "curl -o f x; sha256sum -c f.sum; sh f",
            "curl x | grep bash",
            "x=$(curl y)",
        ] {
            assert_eq!(piped_downloads(script), [0; 0], "{script}");
        }
    }
}
