//! Runbooks that were written for people: what of them is commands, what their
//! commands need, and what one block hands to the next.

use super::book::{Block, Param};
use super::language::{Language, language};
use super::{commands, given, guess, marks, placeholders, shell, terminal};
use crate::domain::runs::{CommandStep, Shell, Step, StepKind};
use std::fmt::Write as _;

/// Fences of another tool that hold scripts: `step name="…"`.
const TYPED: &[&str] = &["step", "rollback", "wait", "check"];

/// What a block of such a book is.
pub(super) enum Is {
    Commands,
    Prose,
    /// It is called a shell's and reads like something else.
    Mislabelled,
}

/// Whether a block is one of the typed fences of another tool.
fn is_typed(block: &Block) -> bool {
    TYPED.contains(&block.language.as_str()) && marks::get(&block.attributes, "name").is_some()
}

/// What a block is.
pub(super) fn judge(block: &Block) -> Is {
    if is_typed(block) {
        return Is::Commands;
    }
    let commands = match language(&block.language) {
        Language::Shell(_) | Language::Misspelt(_) if guess::is_other_language(&block.content) => {
            return Is::Mislabelled;
        }
        Language::Shell(_) | Language::Misspelt(_) => true,
        Language::Unlabelled => guess::looks_like_commands(&block.content),
        Language::Text => guess::has_prompts(&block.content),
        Language::Check | Language::Pin | Language::Other => false,
    };
    if commands { Is::Commands } else { Is::Prose }
}

/// The script of a typed fence stands behind `---`.
fn script_of(block: &Block) -> &str {
    if !is_typed(block) {
        return &block.content;
    }
    block.content.split_once("---\n").map_or(&*block.content, |(head, script)| {
        let keys = head.lines().all(|line| line.trim().is_empty() || line.contains(':'));
        if keys { script } else { &block.content }
    })
}

/// The name of the typed fence that undoes this one.
pub(super) fn rollback(block: &Block) -> Option<String> {
    if !is_typed(block) {
        return None;
    }
    marks::get(&block.attributes, "rollback").map(str::to_owned)
}

/// Fills in the step of a block. False where nothing of it is run.
pub(super) fn fill(
    block: &Block,
    runme: bool,
    step: &mut CommandStep,
    params: &mut Vec<Param>,
) -> bool {
    let typed = commands::typed(script_of(block));
    if typed.script.trim().is_empty() {
        return false;
    }
    step.shell = Shell::Bash;
    step.changes = true;
    let asked =
        !matches!(marks::get(&block.attributes, "promptEnv"), Some("no" | "never" | "false"));
    let script = if asked { exports(&typed.script, runme, params) } else { typed.script };
    let filled = placeholders::fill(&script);
    for (name, words) in filled.asks {
        ask(params, &name, &words);
    }
    let read = shell::read(&filled.script);
    let wants = terminal::of(&filled.script, &read);
    step.tty |= wants.terminal || typed.dialogue;
    step.edit = filled.edit.or_else(|| {
        let shown = crate::domain::harmless_within(&wants.elsewhere?, 60);
        Some(format!("`{shown}` takes commands, and the lines below it belong in there"))
    });
    step.script = filled.script;
    true
}

/// A parameter of this name, unless there is one.
fn ask(params: &mut Vec<Param>, name: &str, words: &str) {
    if params.iter().any(|param| param.name == name) {
        return;
    }
    params.push(Param {
        name: name.to_owned(),
        ask: crate::domain::harmless_within(words, 200),
        secret: placeholders::is_secret(name),
        ..Param::default()
    });
}

/// `export X=Please enter X` asks for X, and in runme's books `export X="value"`
/// does, too, with what stands there as the default.
fn exports(script: &str, runme: bool, params: &mut Vec<Param>) -> String {
    let mut out = String::with_capacity(script.len());
    for line in script.split_inclusive('\n') {
        let (text, end) = match line.strip_suffix('\n') {
            Some(text) => (text, "\n"),
            None => (line, ""),
        };
        match exported(text, runme) {
            Some((name, question, default)) if given::refused(name).is_none() => {
                if !params.iter().any(|param| param.name == name) {
                    params.push(Param {
                        name: name.to_owned(),
                        ask: question.to_owned(),
                        secret: placeholders::is_secret(name) && default.is_none(),
                        default,
                        ..Param::default()
                    });
                }
                let _ = write!(out, "export {name}=\"${name}\"{end}");
            }
            _ => out.push_str(line),
        }
    }
    out
}

fn exported(line: &str, runme: bool) -> Option<(&str, &str, Option<String>)> {
    let (name, value) = line.trim().strip_prefix("export ")?.trim_start().split_once('=')?;
    if !given::is_identifier(name) {
        return None;
    }
    let plain = |c: char| c.is_alphanumeric() || " .,'?:/()-_".contains(c);
    let words = value.split_whitespace().count();
    if words > 1
        && !value.contains(['=', '"'])
        && !value.starts_with('\'')
        && value.chars().all(plain)
    {
        return Some((name, value.trim(), None));
    }
    let quoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'))?;
    let usual = super::values::whole(super::values::USUAL).ok()?;
    (runme && usual.is_match(quoted)).then(|| (name, name, Some(quoted.to_owned())))
}

/// Variables that one block sets and a later one uses: a person types all of
/// them into one shell, and here each block has its own. What is plain text is
/// set anew, the result of a command is captured, and the rest is asked for,
/// as is what no block sets at all.
pub(super) fn hand_on(steps: &mut [Step], params: &mut Vec<Param>) {
    let mut handed: Vec<Handed> = Vec::new();
    for index in 0..steps.len() {
        let (before, from) = steps.split_at_mut(index);
        let Some(Step { kind: StepKind::Command(step), .. }) = from.first_mut() else { continue };
        let read = shell::read(&step.script);
        for name in read.variables() {
            let known = params.iter().any(|param| param.name == name);
            let opsroom =
                name == "SERVICE" || name.starts_with("SERVICE_") || name.starts_with("LABEL_");
            if known || opsroom || given::is_given(&name, true, step.tty) {
                continue;
            }
            if given::refused(&name).is_some() {
                step.edit.get_or_insert(format!(
                    "nobody says what `${name}` is, and it cannot be asked for"
                ));
                continue;
            }
            match handed.iter_mut().rev().find(|handed| handed.name == name) {
                Some(Handed { plain: Some(assignment), .. }) => {
                    step.script = format!("{assignment}\n{}", step.script);
                }
                Some(handed) if handed.captured || capture(before, handed) => {
                    handed.captured = true;
                }
                _ => ask(params, &name, &name),
            }
        }
        step.uses = shell::variables(&step.script);
        let outlives = read.sets.iter().filter(|set| !set.nested && !set.passing);
        let sets: Vec<Handed> = outlives
            .map(|set| {
                let text = &step.script;
                let plain = set.value.as_ref().filter(|value| {
                    let inner =
                        read.expansions.iter().any(|used| value.contains(&used.range.start));
                    let held = text.get((*value).clone()).unwrap_or_default();
                    !inner && !held.contains(['$', '`', '(', '\n'])
                });
                let plain = plain.and_then(|value| text.get(set.at..value.end)).map(str::to_owned);
                Handed { name: set.name.clone(), plain, step: index, captured: false }
            })
            .collect();
        handed.extend(sets.into_iter().take(MOST_HANDED));
    }
}

/// More variables of one block are not handed on.
const MOST_HANDED: usize = 50;

/// A variable that a block sets.
struct Handed {
    name: String,
    /// The assignment, where it is plain text.
    plain: Option<String>,
    step: usize,
    captured: bool,
}

/// Has the step print the variable as its last line, which is captured.
fn capture(steps: &mut [Step], handed: &Handed) -> bool {
    let Some(Step { kind: StepKind::Command(step), .. }) = steps.get_mut(handed.step) else {
        return false;
    };
    let free = step.capture.is_none() && !step.tty && step.edit.is_none();
    if !free || placeholders::is_secret(&handed.name) || given::refused(&handed.name).is_some() {
        return false;
    }
    let _ = write!(step.script, "\nprintf '%s\\n' \"${}\"", handed.name);
    step.capture = Some(handed.name.clone());
    true
}

#[cfg(test)]
mod tests {
    use crate::domain::runs::{CommandStep, StepKind};
    use crate::runbook::Book;

    fn commands(text: &str) -> (Vec<CommandStep>, Book) {
        let book = Book::read("a", "a.md", text);
        assert!(book.foreign, "{text}");
        let commands = book
            .steps
            .iter()
            .filter_map(|step| match &step.kind {
                StepKind::Command(command) => Some(command.clone()),
                _ => None,
            })
            .collect();
        (commands, book)
    }

    fn asked(book: &Book) -> Vec<&str> {
        book.front.params.iter().map(|param| param.name.as_str()).collect()
    }

    #[test]
    fn each_command_block_is_a_step_and_the_rest_is_prose() {
        let (steps, book) = commands(
            "# T\n\n```bash\n$ kubectl get po <pod>\nNAME\n```\n\n```yaml\na: b\n```\n\n```\nsystemctl restart x\n```\n\n\
             ```\nsome output\n```\n\n```bash\napiVersion: v1\nkind: X\n```\n\n    uptime\n    df -h\n\n- [ ] tell them\n\n\
             ```shel\nls -l\n```\n",
        );
        let scripts: Vec<&str> = steps.iter().map(|step| step.script.as_str()).collect();
        assert_eq!(
            scripts,
            ["kubectl get po \"$POD\"", "systemctl restart x", "uptime\ndf -h", "ls -l"]
        );
        assert!(steps.iter().all(|step| step.changes));
        assert_eq!(asked(&book), ["POD"]);
        assert_eq!(book.steps.len(), 5);
        assert!(book.is_sound(), "{:?}", book.remarks);
        assert_eq!(book.remarks.len(), 1);
    }

    #[test]
    fn what_a_block_sets_reaches_those_behind_it() {
        let (steps, book) = commands(
            "```bash\nNS=shop\nPOD=$(kubectl get po -o name)\ntoken=$(oc get secret x)\n```\n\
             ```bash\nkubectl -n $NS logs $POD\n```\n```bash\ncurl -H \"$token\" $url $HOME\n```\n",
        );
        assert!(steps[0].script.ends_with("printf '%s\\n' \"$POD\""), "{}", steps[0].script);
        assert_eq!(steps[0].capture.as_deref(), Some("POD"));
        assert_eq!(steps[1].script, "NS=shop\nkubectl -n $NS logs $POD");
        assert_eq!(steps[1].uses, ["POD"]);
        assert_eq!(asked(&book), ["token", "url"]);
        assert!(book.front.params[0].secret);
    }

    #[test]
    fn lines_below_a_login_are_never_run_here() {
        let (steps, _) = commands("```sh\nssh db-1\nsudo su\nsystemctl start patroni\n```\n");
        assert!(
            steps[0].tty && steps[0].edit.as_ref().is_some_and(|edit| edit.contains("ssh db-1"))
        );
        let (steps, _) = commands("```sh\nssh db-1\n```\n");
        assert!(steps[0].tty && steps[0].edit.is_none());
    }

    #[test]
    fn questions_of_runme_are_asked() {
        let (steps, book) = commands(
            "---\nrunme: {id: x}\n---\n```sh {\"name\":\"a\"}\nexport REGION=\"eu-1\"\nexport NAME=Please enter a name\n\
             export MD=\"# a b\"\n```\n```sh { ignore=true }\nrm -rf /\n```\n```sh { interactive=true name=b }\nx\n```\n",
        );
        assert_eq!(
            steps[0].script,
            "export REGION=\"$REGION\"\nexport NAME=\"$NAME\"\nexport MD=\"# a b\""
        );
        assert_eq!(asked(&book), ["REGION", "NAME"]);
        assert_eq!(book.front.params[0].default.as_deref(), Some("eu-1"));
        assert_eq!(book.front.params[1].ask, "Please enter a name");
        assert_eq!(steps.len(), 2);
        assert!(steps[1].tty);
    }

    #[test]
    fn typed_fences_of_another_tool_hold_scripts() {
        let (steps, book) = commands(
            "```check name=\"a\"\ndocker info > /dev/null\n```\n```step name=\"b\" rollback=\"c\"\n  timeout: 300s\n---\n\
             ./x \"{{env}}\"\n```\n```rollback name=\"c\"\n./y\n```\n",
        );
        let scripts: Vec<&str> = steps.iter().map(|step| step.script.as_str()).collect();
        assert_eq!(scripts, ["docker info > /dev/null", "./x \"${THE_ENV}\"", "./y"]);
        assert_eq!(steps[1].undo, Some(book.steps[2].id));
        assert!(steps[2].undoes);
    }
}
