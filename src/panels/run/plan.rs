//! The plan of a run: all of what would be done, with every value, before
//! anything is.

use super::Scene;
use super::head::shell;
use super::middle::{in_words, limits};
use super::steps::kind;
use crate::domain::runs::{Expect, Origin, Plan, Step, StepKind};
use crate::domain::{Status, harmless_within, units};
use crate::panels::desk;
use crate::panels::texts::Parts;
use crate::ui::text;
use std::fmt::Write as _;

const NAME: usize = 12;

/// More lines than it can have in this many columns.
pub(super) fn height(plan: &Plan, width: usize) -> usize {
    let width = width.saturating_sub(20).max(10);
    let of = |text: &str| text.lines().map(|line| 2 + line.len() / width).sum::<usize>() + 2;
    let steps = plan.steps.iter().map(|step| match &step.kind {
        StepKind::Command(command) => of(&command.script) + 10 + command.uses.len() * 2,
        StepKind::Check(check) => check.lines.iter().map(|(line, _)| of(line)).sum::<usize>() + 4,
        StepKind::Manual { text } => of(text) + 4,
    });
    let values = plan.values.len() * 3 + plan.environ.len() * 3 + plan.pins.len() * 3;
    steps.sum::<usize>() + values + plan.warnings.iter().map(|words| of(words)).sum::<usize>() + 20
}

pub(super) fn lines(scene: &Scene<'_>) -> Vec<Parts> {
    let theme = scene.theme;
    let Some(plan) = desk::plan(scene.followed) else { return Vec::new() };
    let mut lines = Vec::new();
    for words in &plan.warnings {
        let glyph = theme.glyphs.warning;
        lines.extend(scene.wrapped(&format!("{glyph} {words}"), 1, theme.status(Status::Warning)));
    }
    let environment = plan.environment.to_uppercase();
    let armed = match (plan.armed_only, scene.cx.act.known.runs.armed_at(scene.cx.act.now)) {
        (false, _) => String::new(),
        (true, Some(_)) => ", armed".to_owned(),
        (true, None) => ", read-only: changes will ask to arm it first".to_owned(),
    };
    fact(scene, &mut lines, "in", &format!("{environment}{armed}, on host {}", plan.host));
    let foreign = if plan.book.foreign { ", written for people" } else { "" };
    fact(scene, &mut lines, "runbook", &format!("{}{foreign}", plan.book.path));
    let reach = if scene.cx.act.known.inventory.shared { "this host" } else { "only you" };
    let target = format!("{}; one changing run at a time ({reach})", plan.target);
    fact(scene, &mut lines, "target", &target);
    if let Some(alert) = &plan.alert {
        let words =
            format!("{} {}", alert.labels.get("alertname").unwrap_or("unnamed"), alert.reason);
        fact(scene, &mut lines, "alert", &words);
    }
    let used = |name: &str| {
        plan.steps.iter().any(|step| match &step.kind {
            StepKind::Command(command) => command.uses.iter().any(|used| used == name),
            _ => false,
        })
    };
    let (first, rest): (Vec<_>, Vec<_>) =
        plan.values.iter().partition(|value| value.origin == Origin::Chosen || used(&value.name));
    for (i, value) in first.iter().enumerate() {
        let captured = scene.followed.run.as_ref().and_then(|run| run.captured.get(&value.name));
        let name = if i == 0 { "values" } else { "" };
        fact(scene, &mut lines, name, &in_words(value, captured.map(String::as_str)));
    }
    for pin in &plan.pins {
        let words = format!("{} = {}; from step {} on", pin.name, pin.command, pin.before);
        fact(scene, &mut lines, "pinned", &words);
    }
    for step in &plan.steps {
        lines.push(Vec::new());
        lines.extend(of_step(scene, plan, step));
    }
    lines.push(Vec::new());
    for (i, value) in rest.iter().enumerate() {
        let name = if i == 0 { "also set" } else { "" };
        fact(scene, &mut lines, name, &in_words(value, None));
    }
    if let Some(alert) = &plan.alert {
        fact(scene, &mut lines, "behind it", &alert.expression);
    }
    let environ: Vec<String> =
        plan.environ.iter().map(|(name, value)| format!("{name}={value}")).collect();
    fact(scene, &mut lines, "environment", &environ.join("  "));
    lines
}

fn fact(scene: &Scene<'_>, lines: &mut Vec<Parts>, name: &str, value: &str) {
    let theme = scene.theme;
    let value = harmless_within(value, 2_000);
    let room = scene.width.saturating_sub(NAME + 4);
    for (i, line) in text::wrap(&value, room).into_iter().enumerate() {
        let name = text::pad(if i == 0 { name } else { "" }, NAME, false, "");
        lines.push(vec![(format!("  {name} ").into(), theme.faint()), (line.into(), theme.text())]);
    }
}

fn of_step(scene: &Scene<'_>, plan: &Plan, step: &Step) -> Vec<Parts> {
    let theme = scene.theme;
    let what = kind(step);
    let style = match what {
        "CHANGES" | "UNDOES" => theme.status(Status::Warning),
        _ => theme.faint(),
    };
    let mut more = Vec::new();
    match &step.kind {
        StepKind::Command(command) => {
            if let Some(word) = &command.confirm {
                more.push(format!("confirmed by typing the {word}"));
            } else if command.undoes {
                more.push("runs only to undo".into());
            } else if command.changes {
                more.push("confirmed by itself".into());
            }
            if command.approve {
                more.push("approved by a second person".into());
            }
            if command.tty {
                more.push("in a terminal of its own".into());
            }
        }
        StepKind::Check(check) => {
            if let Some(within) = check.within {
                more.push(format!("asked for {}", units::duration(within)));
            }
        }
        StepKind::Manual { .. } => {}
    }
    let mut lines = vec![vec![
        (format!(" {:>2} ", step.id.0).into(), theme.strong()),
        (format!("{what} ").into(), style),
        (harmless_within(&step.title, 300).into(), theme.strong()),
        (format!("  {}", harmless_within(&more.join(", "), 200)).into(), theme.faint()),
    ]];
    match &step.kind {
        StepKind::Command(command) => {
            let edited = scene.followed.run.as_ref().and_then(|run| run.standing(step.id));
            let edited = edited.and_then(|of| of.edited.as_deref());
            lines.extend(scene.verbatim(edited.unwrap_or(&command.script), 6, theme.text()));
            if let Some(why) = &command.edit {
                let words = format!("to be edited before it runs: {why}");
                lines.extend(scene.wrapped(&words, 6, theme.status(Status::Warning)));
            }
            for name in &command.uses {
                let value = plan.values.iter().find(|value| value.name == *name);
                let captured = scene.followed.run.as_ref().and_then(|run| run.captured.get(name));
                let captured = captured.map(String::as_str);
                if let Some(value) = value {
                    lines.extend(scene.wrapped(&in_words(value, captured), 6, theme.key()));
                }
            }
            let mut words = shell(step, plan).unwrap_or_default();
            let _ = write!(words, "; {}", limits(command, plan.timeout, plan).join("; "));
            match &command.expect {
                Expect::Codes(codes) if codes.as_slice() != [0] => {
                    let codes: Vec<String> = codes.iter().map(ToString::to_string).collect();
                    let _ = write!(words, "; well with exit code {}", codes.join(" or "));
                }
                Expect::Codes(_) => {}
                Expect::Output(pattern) => {
                    let _ = write!(words, "; well where its output matches {pattern}");
                }
            }
            if command.retry > 0 {
                let _ = write!(words, "; tried again {} times", command.retry);
            }
            if let Some(name) = &command.capture {
                let _ = write!(words, "; its last line becomes {name}");
            }
            lines.extend(scene.wrapped(&words, 6, theme.faint()));
        }
        StepKind::Check(check) => {
            for (line, _) in &check.lines {
                lines.extend(scene.verbatim(line, 6, theme.text()));
                let now = &scene.followed.doing.findings;
                let signals = &scene.followed.doing.signals;
                let live = signals.iter().find(|of| of.line == *line).map(|of| &of.finding);
                let found = now.iter().find(|(of, _)| of == line).map(|(_, of)| of).or(live);
                if let Some(found) = found.filter(|_| scene.followed.run.is_none()) {
                    lines.extend(scene.wrapped(&format!("now: {}", found.words), 8, theme.key()));
                }
            }
        }
        StepKind::Manual { text } => lines.extend(scene.wrapped(text, 6, theme.text())),
    }
    lines
}
