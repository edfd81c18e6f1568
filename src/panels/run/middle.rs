//! The middle of a run's page: exactly what will run, or what runs, or what
//! became of it.

use super::Scene;
use super::steps::finding;
use crate::domain::runs::{Step, StepId, StepKind};
use crate::domain::{Status, harmless_within, units};
use crate::panels::desk;
use crate::panels::texts::Parts;
use crate::runbook::{Ask, AskKind, Run, StepState, beside};
use crate::ui::text;
use ratatui::style::Style;

/// So many lines of output stand beside a step that runs or failed.
const TAIL: usize = 12;

pub(super) fn lines(
    scene: &Scene<'_>,
    run: &Run,
    at: Option<StepId>,
    output: &[String],
) -> Vec<Parts> {
    let Some(step) = at.and_then(|at| run.plan.step(at)) else {
        return vec![scene.title("it goes on")];
    };
    if let Some(ask) = desk::ask(scene.followed) {
        return asked(scene, run, step, ask, output);
    }
    let standing = run.standing(step.id);
    let since = standing.and_then(|of| of.started).map(|at| super::ago(scene, at));
    if standing.is_none_or(|of| of.state != StepState::Running) {
        return vec![scene.title(&format!("step {} is next", step.id))];
    }
    let for_so_long = since.map_or(String::new(), |since| format!(" for {since}"));
    match &step.kind {
        StepKind::Check(check) => {
            let within = check
                .within
                .map_or(String::new(), |within| format!(", at most {}", units::duration(within)));
            let title = format!("step {} is asked{for_so_long}{within}", step.id);
            let mut lines = vec![scene.title(&title)];
            lines.extend(findings(scene, check.lines.iter().map(|(line, _)| line.as_str())));
            lines
        }
        StepKind::Command(command) => {
            let limit = command.timeout.unwrap_or(run.plan.timeout);
            let limit = units::duration(limit);
            let title = format!("step {} runs{for_so_long}, at most {limit}", step.id);
            let mut lines = vec![scene.title(&title)];
            if command.tty {
                lines.extend(terminal(scene, run, step));
            }
            lines.extend(tail(scene, output));
            lines
        }
        StepKind::Manual { .. } => vec![scene.title("by hand")],
    }
}

fn terminal(scene: &Scene<'_>, run: &Run, step: &Step) -> Vec<Parts> {
    let into = Some((run.id.clone(), step.id)) == scene.desk.terminal;
    let words = if into {
        "keys go to its terminal; ctrl-] comes back"
    } else {
        "it has a terminal: i types into it. A full-screen program is seen with"
    };
    let mut lines = vec![Scene::styled(format!("   {words}"), scene.theme.key())];
    if !into {
        let words = format!("   opsroom attach {} in another terminal", run.id);
        lines.push(Scene::styled(words, scene.theme.key()));
    }
    lines
}

/// The end of the output.
fn tail(scene: &Scene<'_>, output: &[String]) -> Vec<Parts> {
    let from = output.len().saturating_sub(TAIL);
    if output.is_empty() {
        return vec![Scene::styled("   no output yet", scene.theme.faint())];
    }
    let lines = output[from..].iter().map(|line| format!("   {line}"));
    lines.map(|line| scene.plain(line)).collect()
}

fn findings<'a>(scene: &Scene<'_>, lines: impl Iterator<Item = &'a str>) -> Vec<Parts> {
    let known = &scene.followed.doing.findings;
    let mut shown = Vec::new();
    for line in lines {
        if let Some((_, of)) = known.iter().find(|(of, _)| of == line) {
            shown.extend(finding(scene, line, of));
        } else {
            let words = format!("   ? {line}: not asked yet");
            shown.push(Scene::styled(harmless_within(&words, 400), scene.theme.faint()));
        }
    }
    shown
}

fn asked(scene: &Scene<'_>, run: &Run, step: &Step, ask: &Ask, output: &[String]) -> Vec<Parts> {
    let theme = scene.theme;
    let id = step.id;
    match &ask.kind {
        AskKind::Confirm { preview, .. } => {
            let mut lines = vec![scene.title("exactly this will run")];
            lines.extend(scene.verbatim(preview, 3, theme.strong()));
            lines.extend(around(scene, run, step));
            lines
        }
        AskKind::Manual => {
            let mut lines = vec![scene.title(&format!("step {id} is done by hand"))];
            if let StepKind::Manual { text } = &step.kind {
                lines.extend(scene.wrapped(text, 3, theme.strong()));
            }
            lines
        }
        AskKind::Failed { .. } => {
            let standing = run.standing(id);
            let unproved = standing.is_some_and(|of| of.state == StepState::Unproved);
            let end = standing.and_then(|of| of.end.as_ref());
            let why = end.map_or("", |(_, end)| end.words.as_str());
            let what = if unproved { "is not proved" } else { "failed" };
            let mut lines = vec![scene.title(&format!("step {id} {what}: {why}"))];
            match (&step.kind, end) {
                (StepKind::Check(check), Some((_, end))) => {
                    for ((line, _), of) in check.lines.iter().zip(&end.findings) {
                        lines.extend(finding(scene, line, of));
                    }
                }
                _ => lines.extend(tail(scene, output)),
            }
            lines
        }
        AskKind::Unknown { alive } => {
            let end = run.standing(id).and_then(|of| of.end.as_ref());
            let why = end.map_or("", |(_, end)| end.words.as_str());
            let title = if *alive { "it still runs" } else { "outcome unknown" };
            let mut lines = vec![scene.title(&format!("step {id}: {title} {why}"))];
            let words = if *alive {
                "Its command was cut off from its run and still runs. Look again until it has \
                 ended; then find out what it has done."
            } else {
                "Nobody saw how it ended: it may have been done, in part or not at all. Look for \
                 yourself before you say which. Nothing else runs on this target meanwhile."
            };
            lines.extend(scene.wrapped(words, 3, theme.status(Status::Unknown)));
            lines.extend(script_of(scene, run, step));
            lines.extend(tail(scene, output));
            lines
        }
        AskKind::Edit { why, .. } => {
            let mut lines = vec![scene.title("edit the text before it can run")];
            lines.extend(scene.wrapped(why, 3, theme.status(Status::Warning)));
            lines.extend(editor(scene));
            lines
        }
        AskKind::Secret { ask, name } => {
            let mut lines = vec![scene.title("a secret is needed")];
            let words = if ask.is_empty() { name } else { ask };
            lines.extend(scene.wrapped(words, 3, theme.text()));
            let words = "It is not shown, not recorded, and held in memory alone.";
            lines.extend(scene.wrapped(words, 3, theme.faint()));
            lines
        }
        AskKind::Arm => {
            let environment = harmless_within(&run.plan.environment, 40).to_uppercase();
            let title = format!("{environment} is read-only until it is armed");
            let mut lines = vec![scene.title(&title)];
            lines.extend(script_of(scene, run, step));
            lines.extend(around(scene, run, step));
            lines
        }
        AskKind::Approve { until } => {
            let left = until.since(scene.cx.act.now);
            let title = format!("a second person approves step {id}");
            let mut lines = vec![scene.title(&title)];
            let words = format!(
                "From their own login: opsroom approve {}. Nobody within {} is a no.",
                run.id,
                units::age(left)
            );
            lines.extend(scene.wrapped(&words, 3, theme.key()));
            lines.extend(script_of(scene, run, step));
            lines.extend(around(scene, run, step));
            lines
        }
        AskKind::Changed { difference } => {
            let mut lines = vec![scene.title("something changed meanwhile: step held")];
            for line in difference {
                lines.extend(scene.verbatim(line, 3, theme.status(Status::Warning)));
            }
            lines.extend(script_of(scene, run, step));
            lines
        }
    }
}

/// The text that is edited, line by line.
fn editor(scene: &Scene<'_>) -> Vec<Parts> {
    let theme = scene.theme;
    let Some(editor) = &scene.desk.editor else { return Vec::new() };
    let lines = editor.lines.iter().enumerate().map(|(at, line)| {
        let is_at = editor.at == at;
        let pointer = if is_at { theme.glyphs.pointer } else { " " };
        let style = if is_at { theme.input() } else { theme.text() };
        vec![
            (format!(" {pointer} ").into(), theme.strong()),
            (crate::domain::harmless(line.text()).into_owned().into(), style),
        ]
    });
    lines.collect()
}

fn script_of(scene: &Scene<'_>, run: &Run, step: &Step) -> Vec<Parts> {
    let StepKind::Command(command) = &step.kind else { return Vec::new() };
    let edited = run.standing(step.id).and_then(|of| of.edited.as_deref());
    scene.verbatim(edited.unwrap_or(&command.script), 3, scene.theme.strong())
}

/// What the text of a step does not say: values, time, undo.
fn around(scene: &Scene<'_>, run: &Run, step: &Step) -> Vec<Parts> {
    let StepKind::Command(command) = &step.kind else { return Vec::new() };
    let mut lines = in_line(scene, beside::values(run, command), scene.theme.text());
    let limits = beside::limits(command, &run.plan);
    lines.extend(in_line(scene, limits, scene.theme.faint()));
    lines
}

/// Several things in a line where there is room for them.
fn in_line(scene: &Scene<'_>, things: Vec<String>, style: Style) -> Vec<Parts> {
    let room = scene.width.saturating_sub(3);
    let mut lines: Vec<String> = Vec::new();
    for thing in things {
        match lines.last_mut() {
            Some(line) if text::width(line) + 3 + text::width(&thing) <= room => {
                line.push_str("   ");
                line.push_str(&thing);
            }
            _ => lines.push(thing),
        }
    }
    lines.iter().flat_map(|line| scene.verbatim(line, 3, style)).collect()
}
