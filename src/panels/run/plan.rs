//! The plan of a run: all of what would be done, with every value, before
//! anything is.

use super::Scene;
use super::head::shell;
use super::steps::kind;
use crate::domain::runs::{CommandStep, Expect, Origin, Plan, Step, StepKind};
use crate::domain::{Status, harmless_within, units};
use crate::panels::desk;
use crate::panels::texts::Parts;
use crate::runbook::beside::{in_words, limits};
use crate::ui::text;

const NAME: usize = 12;
/// Steps are set apart from each other where there are this many columns.
const SPACED: usize = 100;

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
    let words = format!("{} in {environment}{armed}, on host {}", plan.target, plan.host);
    fact(scene, &mut lines, "target", &words);
    if let Some(alert) = &plan.alert {
        let pending = if alert.pending { " (pending: it does not fire yet)" } else { "" };
        let name = alert.labels.get("alertname").unwrap_or("unnamed");
        let words = format!("{name}{pending} {}", alert.reason);
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
        // A small screen has better use for an empty line.
        if scene.width >= SPACED {
            lines.push(Vec::new());
        }
        lines.extend(of_step(scene, plan, step));
    }
    lines.push(Vec::new());
    let foreign = if plan.book.foreign { ", written for people" } else { "" };
    fact(scene, &mut lines, "runbook", &format!("{}{foreign}", plan.book.path));
    let reach = if scene.cx.act.known.inventory.shared { "this host" } else { "only you" };
    fact(scene, &mut lines, "lock", &format!("one changing run at a time ({reach})"));
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
    let mut lines = Vec::new();
    let head = |more: &[String]| {
        let mut head: Parts = vec![
            (format!(" {:>2} ", step.id.0).into(), theme.strong()),
            (format!("{what} ").into(), style),
            (harmless_within(&step.title, 300).into(), theme.strong()),
        ];
        let used: usize = head.iter().map(|(words, _)| text::width(words)).sum();
        let more = harmless_within(&more.join("; "), 400);
        if used + 2 + text::width(&more) <= scene.width {
            head.push((format!("  {more}").into(), theme.faint()));
            return vec![head];
        }
        let mut lines = vec![head];
        lines.extend(scene.wrapped(&more, 6, theme.faint()));
        lines
    };
    match &step.kind {
        StepKind::Command(command) => {
            let limits = limits(command, plan);
            let (limit, undo) = limits.split_at(1);
            let mut more = asked(command);
            more.extend_from_slice(limit);
            more.extend(particulars(step, plan, command));
            lines.extend(head(&more));
            let edited = scene.followed.run.as_ref().and_then(|run| run.standing(step.id));
            let edited = edited.and_then(|of| of.edited.as_deref());
            lines.extend(scene.verbatim(edited.unwrap_or(&command.script), 6, theme.text()));
            if let Some(why) = &command.edit {
                let words = format!("to be edited before it runs: {why}");
                lines.extend(scene.wrapped(&words, 6, theme.status(Status::Warning)));
            }
            for words in undo {
                lines.extend(scene.wrapped(words, 6, theme.faint()));
            }
        }
        StepKind::Check(check) => {
            let within =
                check.within.map(|within| format!("asked for {}", units::duration(within)));
            lines.extend(head(&within.into_iter().collect::<Vec<_>>()));
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
        StepKind::Manual { text } => {
            lines.extend(head(&[]));
            lines.extend(scene.wrapped(text, 6, theme.text()));
        }
    }
    lines
}

/// What is asked of a person before a command runs.
fn asked(command: &CommandStep) -> Vec<String> {
    let mut more = Vec::new();
    if let Some(word) = &command.confirm {
        more.push(format!("confirmed by typing {word}"));
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
    more
}

/// What of a command is not as usual.
fn particulars(step: &Step, plan: &Plan, command: &CommandStep) -> Vec<String> {
    let mut more = Vec::new();
    // The first line of the page says how the first command runs.
    let is_command = |step: &&Step| matches!(step.kind, StepKind::Command(_));
    let usual = plan.steps.iter().find(is_command).and_then(|first| shell(first, plan));
    let own = shell(step, plan);
    if own != usual {
        more.extend(own);
    }
    match &command.expect {
        Expect::Codes(codes) if codes.as_slice() != [0] => {
            let codes: Vec<String> = codes.iter().map(ToString::to_string).collect();
            more.push(format!("well with exit code {}", codes.join(" or ")));
        }
        Expect::Codes(_) => {}
        Expect::Output(pattern) => {
            more.push(format!("well where its output matches {pattern}"));
        }
    }
    if command.retry > 0 {
        more.push(format!("tried again {} times", command.retry));
    }
    if let Some(name) = &command.capture {
        more.push(format!("its last line becomes {name}"));
    }
    more
}
