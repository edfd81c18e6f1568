//! The middle of a run's page: exactly what will run, or what runs, or what
//! became of it.

use super::Scene;
use super::steps::finding;
use crate::domain::runs::{OutputRange, Step, StepId, StepKind};
use crate::domain::{Status, harmless_within, units};
use crate::panels::desk;
use crate::panels::texts::Parts;
use crate::runbook::{Ask, AskKind, Run, StepState, beside};
use crate::ui::text;
use ratatui::style::Style;

/// So many lines of output stand beside a step that runs or failed.
const TAIL: usize = 40;
/// They are looked for in so many bytes at its end.
const LOOKED_AT: usize = 32 * 1024;

/// What stands in the middle of a run's page.
pub(super) struct Middle {
    pub(super) title: String,
    /// What has to be seen.
    pub(super) lines: Vec<Parts>,
    /// What commands said: as much as there is room for.
    pub(super) said: Said,
}

/// The end of what commands said.
#[derive(Default)]
pub(super) struct Said {
    pub(super) title: Option<String>,
    pub(super) lines: Vec<Parts>,
}

impl Said {
    /// Its end, in so many lines with its title.
    pub(super) fn within(self, scene: &Scene<'_>, room: usize) -> Vec<Parts> {
        if room == 0 || (self.title.is_some() && room == 1) {
            return Vec::new();
        }
        let left = room - usize::from(self.title.is_some());
        let hidden = self.lines.len().saturating_sub(left);
        let above = if hidden == 0 { "" } else { "o shows all of it" };
        let mut lines: Vec<Parts> =
            self.title.map(|title| scene.titled(&title, above)).into_iter().collect();
        lines.extend(self.lines.into_iter().skip(hidden));
        lines
    }
}

impl From<(String, Vec<Parts>)> for Middle {
    fn from((title, lines): (String, Vec<Parts>)) -> Self {
        Self { title, lines, said: Said::default() }
    }
}

pub(super) fn lines(scene: &Scene<'_>, run: &Run, at: Option<StepId>) -> Middle {
    let Some(step) = at.and_then(|at| run.plan.step(at)) else {
        return ("it goes on".to_owned(), Vec::new()).into();
    };
    if let Some(ask) = desk::ask(scene.followed) {
        return asked(scene, run, step, ask);
    }
    let standing = run.standing(step.id);
    let since = standing.and_then(|of| of.started).map(|at| super::ago(scene, at));
    if standing.is_none_or(|of| of.state != StepState::Running) {
        return (format!("step {} is next", step.id), Vec::new()).into();
    }
    let for_so_long = since.map_or(String::new(), |since| format!(" for {since}"));
    match &step.kind {
        StepKind::Check(check) => {
            let within = check
                .within
                .map_or(String::new(), |within| format!(", at most {}", units::duration(within)));
            let title = format!("step {} is asked{for_so_long}{within}", step.id);
            let lines = findings(scene, check.lines.iter().map(|(line, _)| line.as_str()));
            (title, lines).into()
        }
        StepKind::Command(command) => {
            let limit = command.timeout.unwrap_or(run.plan.timeout);
            let limit = units::duration(limit);
            let title = format!("step {} runs{for_so_long}, at most {limit}", step.id);
            let lines = if command.tty { terminal(scene, run, step) } else { Vec::new() };
            Middle { title, lines, said: tail(scene, run, step) }
        }
        StepKind::Manual { .. } => ("by hand".to_owned(), Vec::new()).into(),
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

/// The end of what a step has written: of one that runs, all behind what the
/// steps before it have.
fn text_of<'a>(scene: &'a Scene<'_>, run: &Run, step: StepId) -> &'a str {
    let output = &scene.followed.output;
    let ended = |of: &crate::runbook::Standing| of.end.as_ref().and_then(|(_, end)| end.output);
    let own = run.standing(step).and_then(ended);
    let before = run.steps.iter().filter_map(ended).map(|range| range.to).max();
    let behind = OutputRange { from: before.unwrap_or(0), to: u64::MAX, dropped: 0 };
    let text = output.of(own.unwrap_or(behind));
    &text[text.ceil_char_boundary(text.len().saturating_sub(LOOKED_AT))..]
}

/// The end of the output of a step.
fn tail(scene: &Scene<'_>, run: &Run, step: &Step) -> Said {
    let output = super::output::lines(text_of(scene, run, step.id));
    let from = output.len().saturating_sub(TAIL);
    let lines = if output.is_empty() {
        vec![Scene::styled("   no output yet", scene.theme.faint())]
    } else {
        let lines = output[from..].iter().map(|line| format!("   {line}"));
        lines.map(|line| scene.plain(line)).collect()
    };
    Said { title: None, lines }
}

/// What the reads before a change have said: that is what it is decided by.
fn said_before(scene: &Scene<'_>, run: &Run, step: &Step) -> Said {
    let theme = scene.theme;
    let mut lines = Vec::new();
    let before = run.plan.steps.iter().take_while(|of| of.id != step.id);
    let mut names = Vec::new();
    for read in before {
        if run.changes(read.id) && run.standing(read.id).is_some_and(|of| of.attempts > 0) {
            (lines, names) = (Vec::new(), Vec::new());
        }
        if run.changes(read.id) || run.standing(read.id).is_none_or(|of| of.end.is_none()) {
            continue;
        }
        let said = super::output::lines(text_of(scene, run, read.id));
        if said.is_empty() {
            continue;
        }
        names.push(read.id.to_string());
        let from = said.len().saturating_sub(TAIL);
        for (i, line) in said[from..].iter().enumerate() {
            let number = if i == 0 { format!("{:>2} ", read.id.0) } else { "   ".to_owned() };
            lines.push(vec![(number.into(), theme.faint()), (line.clone().into(), theme.text())]);
        }
    }
    let title = match names.as_slice() {
        [] => return Said::default(),
        [one] => format!("step {one} said"),
        more => format!("steps {} said", more.join(", ")),
    };
    Said { title: Some(title), lines }
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

fn asked(scene: &Scene<'_>, run: &Run, step: &Step, ask: &Ask) -> Middle {
    let theme = scene.theme;
    let id = step.id;
    match &ask.kind {
        AskKind::Confirm { preview, .. } => {
            let title = match super::undoing(run) {
                Some(undone) => format!("exactly this will run, to undo step {undone}"),
                None => "exactly this will run".to_owned(),
            };
            let mut lines = scene.verbatim(preview, 3, theme.strong());
            lines.extend(around(scene, run, step));
            Middle { title, lines, said: said_before(scene, run, step) }
        }
        AskKind::Manual => {
            let lines = match &step.kind {
                StepKind::Manual { text } => scene.wrapped(text, 3, theme.strong()),
                _ => Vec::new(),
            };
            (format!("step {id} is done by hand"), lines).into()
        }
        AskKind::Failed { .. } => {
            let standing = run.standing(id);
            let unproved = standing.is_some_and(|of| of.state == StepState::Unproved);
            let end = standing.and_then(|of| of.end.as_ref());
            let why = end.map_or("", |(_, end)| end.words.as_str());
            let what = if unproved { "is not proved" } else { "failed" };
            let title = format!("step {id} {what}: {why}");
            match (&step.kind, end) {
                (StepKind::Check(check), Some((_, end))) => {
                    let found = check.lines.iter().zip(&end.findings);
                    let lines = found.flat_map(|((line, _), of)| finding(scene, line, of));
                    (title, lines.collect()).into()
                }
                _ => Middle { title, lines: Vec::new(), said: tail(scene, run, step) },
            }
        }
        AskKind::Unknown { alive } => {
            let end = run.standing(id).and_then(|of| of.end.as_ref());
            let why = end.map_or("", |(_, end)| end.words.as_str());
            let title = if *alive { "it still runs" } else { "outcome unknown" };
            let colon = if why.is_empty() { "" } else { ": " };
            let title = format!("step {id}: {title}{colon}{why}");
            let words = if *alive {
                "Its command was cut off from its run and still runs. Look again until it has \
                 ended; then find out what it has done."
            } else {
                "Nobody saw how it ended: it may have been done, in part or not at all. Look for \
                 yourself before you say which. Nothing else runs on this target meanwhile."
            };
            let mut lines = scene.wrapped(words, 3, theme.status(Status::Unknown));
            lines.extend(script_of(scene, run, step));
            Middle { title, lines, said: tail(scene, run, step) }
        }
        AskKind::Edit { why, .. } => {
            let mut lines = scene.wrapped(why, 3, theme.status(Status::Warning));
            lines.extend(editor(scene));
            ("edit the text before it can run".to_owned(), lines).into()
        }
        AskKind::Secret { ask, name } => {
            let words = if ask.is_empty() { name } else { ask };
            let mut lines = scene.wrapped(words, 3, theme.text());
            let words = "It is not shown, not recorded, and held in memory alone.";
            lines.extend(scene.wrapped(words, 3, theme.faint()));
            ("a secret is needed".to_owned(), lines).into()
        }
        AskKind::Arm => {
            let environment = harmless_within(&run.plan.environment, 40).to_uppercase();
            let title = format!("{environment} is read-only until it is armed");
            let mut lines = script_of(scene, run, step);
            lines.extend(around(scene, run, step));
            Middle { title, lines, said: said_before(scene, run, step) }
        }
        AskKind::Approve { until } => {
            let left = until.since(scene.cx.act.now);
            let title = format!("a second person approves step {id}");
            let words = format!(
                "From their own login: opsroom approve {}. Nobody within {} is a no.",
                run.id,
                units::age(left)
            );
            let mut lines = scene.wrapped(&words, 3, theme.key());
            lines.extend(script_of(scene, run, step));
            lines.extend(around(scene, run, step));
            Middle { title, lines, said: said_before(scene, run, step) }
        }
        AskKind::Changed { difference, .. } => {
            let warning = theme.status(Status::Warning);
            let told = difference.iter().flat_map(|line| scene.verbatim(line, 3, warning));
            let mut lines: Vec<Parts> = told.collect();
            lines.extend(script_of(scene, run, step));
            ("something changed meanwhile: step held".to_owned(), lines).into()
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
