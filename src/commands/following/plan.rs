//! A plan as text: everything that would be run, before anything is.

use super::ask::push_text;
use super::say::clock;
use crate::domain::runs::{
    CheckStep, CommandStep, Expect, Held, Origin, Plan, Shell, Step, StepKind,
};
use crate::domain::{harmless, units};
use crate::runbook::ParamAsk;

/// The plan, as it is shown before the start and by `--dry-run`. The parameters
/// of `open` have no value yet.
pub(super) fn text<'a>(plan: &Plan, open: impl IntoIterator<Item = &'a ParamAsk>) -> String {
    let mut lines = Vec::new();
    head(&mut lines, plan, open);
    for step in &plan.steps {
        lines.push(String::new());
        push_step(&mut lines, plan, step);
    }
    if !plan.warnings.is_empty() {
        lines.push(String::new());
        lines.extend(plan.warnings.iter().map(|warning| format!("!! {}", harmless(warning))));
    }
    lines.push(String::new());
    lines.join("\n") + "\n"
}

fn head<'a>(lines: &mut Vec<String>, plan: &Plan, open: impl IntoIterator<Item = &'a ParamAsk>) {
    let clean = |text: &str| harmless(text).into_owned();
    lines.push(format!("{}  ({})", clean(&plan.book.title), clean(&plan.book.path)));
    lines.push(format!(
        "   {} on {} as {}, in {}",
        clean(&plan.environment).to_uppercase(),
        clean(&plan.host),
        clean(&plan.user),
        clean(&plan.folder)
    ));
    lines.push(format!("   target {}: one changing run at a time", clean(&plan.target)));
    if plan.armed_only {
        lines.push("   changes need the environment to be armed".to_owned());
    }
    if plan.book.foreign {
        lines.push("   written for people: each command is confirmed by itself".to_owned());
    }
    if let Some(alert) = &plan.alert {
        let (labels, reason) = (clean(&alert.labels.to_string()), clean(&alert.reason));
        lines.push(format!("   alert {labels} since {}: {reason}", clock(alert.since)));
        if alert.pending {
            lines.push("   it is pending: it does not fire yet".to_owned());
        }
    }
    for value in &plan.values {
        let held = match &value.held {
            Held::Text(text) => clean(text),
            Held::Secret => "(secret)".to_owned(),
            Held::Captured(step) => format!("(what step {step} captures)"),
        };
        let origin = match value.origin {
            Origin::Chosen => "chosen",
            Origin::Default => "default",
            Origin::Label => "label",
            Origin::Service => "config",
            Origin::Step => "step",
        };
        lines.push(format!("   {}={held}  ({origin})", clean(&value.name)));
    }
    for ask in open {
        let name = clean(&ask.param.name);
        let why = match &ask.mistake {
            _ if ask.param.secret => "secret, asked before the start",
            Some(_) => "what was given cannot be used",
            None => "missing",
        };
        lines.push(format!("   {name}=?  ({why})"));
    }
    for (name, value) in &plan.environ {
        lines.push(format!("   {}={}", clean(name), clean(value)));
    }
    for pin in &plan.pins {
        let (name, command) = (clean(&pin.name), clean(&pin.command));
        lines.push(format!("   pin {name} = {command}, from step {} on", pin.before));
    }
}

fn push_step(lines: &mut Vec<String>, plan: &Plan, step: &Step) {
    let title = harmless(&step.title);
    match &step.kind {
        StepKind::Command(command) => {
            let kind = if command.changes { "CHANGES" } else { "reads" };
            lines.push(format!("{} {title}  {kind}{}", step.id, marks(plan, command)));
            push_text(lines, &command.script);
        }
        StepKind::Check(check) => {
            lines.push(format!("{} {title}  check{}", step.id, within(check)));
            lines.extend(check.lines.iter().map(|(line, _)| format!("   | {}", harmless(line))));
        }
        StepKind::Manual { text } => {
            lines.push(format!("{} {title}  by hand", step.id));
            push_text(lines, text);
        }
    }
}

fn marks(plan: &Plan, command: &CommandStep) -> String {
    let mut marks = vec![
        match command.shell {
            Shell::Sh => "sh -eu".to_owned(),
            Shell::Bash => "bash -euo pipefail".to_owned(),
        },
        format!("at most {}", units::duration(command.timeout.unwrap_or(plan.timeout))),
    ];
    let mut say = |mark: Option<String>| marks.extend(mark);
    say(command.folder.as_ref().map(|folder| format!("in {}", harmless(folder))));
    say(command.tty.then(|| "in a terminal".to_owned()));
    say(command.confirm.as_ref().map(|word| format!("confirmed by typing {}", harmless(word))));
    say(command.approve.then(|| "approved by a second person".to_owned()));
    say(command.capture.as_ref().map(|name| format!("captures {}", harmless(name))));
    say(command.undo.map(|undo| format!("undone by step {undo}")));
    say(command.undoes.then(|| "runs only to undo".to_owned()));
    say((command.retry > 0).then(|| format!("tried {} times more", command.retry)));
    say(match &command.expect {
        Expect::Codes(codes) if *codes == [0] => None,
        Expect::Codes(codes) => Some(format!("expects exit code {codes:?}")),
        Expect::Output(pattern) => Some(format!("expects output like {}", harmless(pattern))),
    });
    say(command.edit.as_ref().map(|why| format!("to be edited: {}", harmless(why))));
    format!(", {}", marks.join(", "))
}

fn within(check: &CheckStep) -> String {
    let within = check.within.map(|within| format!(", within {}", units::duration(within)));
    let proof = if check.proof { ", the proof" } else { "" };
    within.unwrap_or_default() + proof
}
