//! The commands of a rehearsal: only what reads, and nothing behind the first change.

use super::Rehearsal;
use crate::domain::harmless_within;
use crate::domain::runs::{CommandStep, Expect, Held, Plan, Shell, Step, StepKind};
use crate::runbook::plan::{environment, value_fits};
use crate::runbook::shell::named;
use crate::runtime::runs::process;
use crate::steps;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A read has this time, or its own where that is shorter.
pub(super) const READ: Duration = Duration::from_mins(1);
/// A pin has as long as in a run.
const PIN: Duration = Duration::from_secs(15);
/// Under this name a script goes to the shell that runs it: no shell reads it as its own.
const SCRIPT: &str = "OPSROOM_SCRIPT";

/// Runs what only reads, up to the first change: what stands behind that speaks
/// of what it has done. Of all others the shell says whether it understands them.
pub(super) async fn reads(plan: &Plan, made_up: &BTreeSet<String>, done: &mut Rehearsal) {
    let mut trying = Trying { plan, made_up, captured: BTreeMap::new(), has_changed: false, done };
    for step in &plan.steps {
        if let StepKind::Command(command) = &step.kind {
            trying.step(step, command).await;
        }
    }
    for pin in &plan.pins {
        let uses = named(&pin.command);
        let who = format!("the pin {}", harmless_within(&pin.name, 40));
        let path = trying.path();
        if let Err(why) = understood(Shell::Bash, &pin.command, &path).await {
            trying.done.broken.push(format!("{who}: {why}"));
            continue;
        }
        if !trying.is_real(&uses) {
            continue;
        }
        let env = environment(plan, &uses, false, &trying.captured, &BTreeMap::new());
        trying.done.ran += 1;
        let asked = steps::ask(&pin.command, &env, &plan.folder, PIN, process::process_id).await;
        if let Err(why) = asked {
            trying.done.broken.push(format!("{who}: {why}"));
        }
    }
}

struct Trying<'t> {
    plan: &'t Plan,
    made_up: &'t BTreeSet<String>,
    captured: BTreeMap<String, String>,
    /// The first changing step lies behind.
    has_changed: bool,
    done: &'t mut Rehearsal,
}

impl Trying<'_> {
    async fn step(&mut self, step: &Step, command: &CommandStep) {
        let who = format!("step {} ({})", step.id, harmless_within(&step.title, 40));
        if let Some(why) = &command.edit {
            // Before that no shell can be asked whether it understands it.
            self.has_changed |= command.changes && !command.undoes;
            self.done.edits.push(format!("{who}: {why}"));
            self.done.planned += 1;
            return;
        }
        if let Err(why) = understood(command.shell, &command.script, &self.path()).await {
            self.done.broken.push(format!("{who}: {why}"));
            return;
        }
        self.has_changed |= command.changes && !command.undoes;
        let only_reads = !self.has_changed && !command.changes && !command.undoes && !command.tty;
        if !only_reads || !self.is_real(&named(&command.script)) {
            self.done.planned += 1;
            return;
        }
        let mut env =
            environment(self.plan, &command.uses, false, &self.captured, &BTreeMap::new());
        env.insert(SCRIPT.into(), command.script.clone());
        let folder = command.folder.as_deref().unwrap_or(&self.plan.folder);
        let limit = command.timeout.unwrap_or(self.plan.timeout).min(READ);
        self.done.ran += 1;
        let mut asked = Err(String::new());
        for _ in 0..=command.retry {
            asked = steps::ask(&around(command), &env, folder, limit, process::process_id).await;
            asked = judged(command, asked);
            if asked.is_ok() {
                break;
            }
        }
        match asked {
            Ok(text) => {
                let Some(name) = &command.capture else { return };
                let mut lines = text.lines().rev().map(str::trim_end);
                let last = lines.find(|line| !line.trim().is_empty());
                match last.map(|last| value_fits(self.plan, name, last)) {
                    None => self.done.broken.push(format!("{who}: it printed nothing for {name}")),
                    Some(Err(why)) => {
                        self.done.broken.push(format!("{who}: {name} cannot be used: {why}"));
                    }
                    Some(Ok(())) => {
                        self.captured.insert(name.clone(), last.unwrap_or_default().to_owned());
                    }
                }
            }
            Err(why) => self.done.broken.push(format!("{who}: {why}")),
        }
    }

    fn path(&self) -> String {
        self.plan.environ.get("PATH").cloned().unwrap_or_default()
    }

    /// Whether all that a command uses has a value that is not made up.
    fn is_real(&self, uses: &[String]) -> bool {
        uses.iter().all(|name| {
            let value = self.plan.values.iter().find(|value| value.name == *name);
            !self.made_up.contains(name)
                && match value.map(|value| &value.held) {
                    Some(Held::Secret) => false,
                    Some(Held::Captured(_)) => self.captured.contains_key(name),
                    Some(Held::Text(_)) | None => true,
                }
        })
    }
}

/// The script in the shell that it is for. What nobody looks at may be as long as
/// it wants; errors count as output where the output is held against a pattern.
fn around(command: &CommandStep) -> String {
    let shell = match command.shell {
        Shell::Bash => "bash -euo pipefail",
        Shell::Sh => "sh -eu",
    };
    let run = format!("{shell} -c \"${SCRIPT}\"");
    match (&command.expect, &command.capture) {
        (Expect::Output(_), _) => format!("{run} 2>&1"),
        (Expect::Codes(_), Some(_)) => run,
        // Not into /dev/null itself: some programs do less then.
        (Expect::Codes(_), None) => format!("{run} | cat > /dev/null"),
    }
}

/// Whether the shell can read a script; it runs nothing of it.
pub(super) async fn understood(shell: Shell, script: &str, path: &str) -> Result<(), String> {
    let env = BTreeMap::from([
        ("PATH".to_owned(), path.to_owned()),
        ("LANG".to_owned(), "C.UTF-8".to_owned()),
        (SCRIPT.to_owned(), script.to_owned()),
    ]);
    // What a script turns on for its own reading is on from the first line.
    let shell = match shell {
        Shell::Bash if script.contains("extglob") => "bash -O extglob",
        Shell::Bash => "bash",
        Shell::Sh => "sh",
    };
    let check = format!("{shell} -n -c \"${SCRIPT}\"");
    let asked = steps::ask(&check, &env, "/", READ, process::process_id).await;
    asked.map(drop).map_err(|why| format!("{shell} cannot read it: {why}"))
}

/// What it printed, where that is what the step expects.
fn judged(command: &CommandStep, asked: Result<String, String>) -> Result<String, String> {
    match (&command.expect, asked) {
        (Expect::Codes(codes), Err(why)) => {
            let code = why.strip_prefix("exit code ").map(|rest| {
                rest.split_once(':').map_or(rest, |(code, _)| code).trim().parse::<i32>()
            });
            match code {
                Some(Ok(code)) if codes.contains(&code) => Ok(String::new()),
                _ => Err(why),
            }
        }
        (Expect::Codes(codes), Ok(text)) => {
            if codes.contains(&0) {
                Ok(text)
            } else {
                Err("exit code 0".into())
            }
        }
        (Expect::Output(pattern), asked) => {
            let text = asked?;
            let is_match = regex::Regex::new(pattern).is_ok_and(|it| it.is_match(&text));
            if is_match { Ok(text) } else { Err(format!("its output does not match {pattern}")) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runbook::Book;

    fn command(text: &str) -> CommandStep {
        let book = Book::read("book", "/book.md", &format!("# B\n{text}"));
        match &book.steps[0].kind {
            StepKind::Command(command) => command.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_read_is_judged_as_in_a_run() {
        let ended = |words: &str| Err(words.to_owned());
        let codes = command("```bash {reads expect=1,2}\ngrep a b\n```\n");
        assert_eq!(judged(&codes, ended("exit code 1")), Ok(String::new()));
        assert_eq!(judged(&codes, ended("exit code 2: no such file")), Ok(String::new()));
        assert_eq!(judged(&codes, ended("exit code 12")), ended("exit code 12"));
        assert_eq!(judged(&codes, Ok("a".into())), ended("exit code 0"));
        assert_eq!(judged(&codes, ended("ended by a signal")), ended("ended by a signal"));
        let output = command("```bash {reads expect=/^ok$/}\ntrue\n```\n");
        assert_eq!(judged(&output, Ok("ok".into())), Ok("ok".into()));
        assert!(judged(&output, Ok("not ok".into())).is_err());
        assert!(judged(&output, ended("exit code 1")).is_err());
    }

    #[tokio::test]
    async fn a_shell_reads_a_script_and_runs_nothing_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let canary = folder.path().join("canary");
        let touch = format!("touch '{0}'; : $(touch '{0}') `touch '{0}'`", canary.display());
        for shell in [Shell::Bash, Shell::Sh] {
            assert_eq!(understood(shell, &touch, "/usr/bin:/bin").await, Ok(()));
            assert!(understood(shell, "if true; then", "/usr/bin:/bin").await.is_err());
        }
        assert!(!canary.exists());
        let patterns = "shopt -s extglob\nls !(a|b)";
        assert_eq!(understood(Shell::Bash, patterns, "/usr/bin:/bin").await, Ok(()));
    }
}
