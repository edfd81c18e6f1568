//! The first lines of a run: which it is, as whom, in whose hands, and its pins.

use super::{Scene, ago, current, listed, stale_now};
use crate::domain::harmless_within;
use crate::domain::runs::{Plan, Shell, Step, StepKind};
use crate::panels::desk::plan;
use crate::panels::texts::Parts;
use crate::runbook::{RunRequest, StepState};
use crate::ui::text;

pub(super) fn lines(scene: &Scene<'_>) -> Vec<Parts> {
    let mut lines = vec![first(scene)];
    if let Some(plan) = plan(scene.followed) {
        lines.push(second(scene, plan));
        if scene.followed.run.as_ref().is_none_or(|run| run.ended.is_none()) {
            lines.push(pins(scene, plan));
        }
    } else if let Some(request) = &scene.followed.request {
        lines.push(about(scene, request));
    }
    if let Some(trouble) = &scene.followed.doing.trouble {
        let words = format!("it waits: {}", harmless_within(trouble, 500));
        lines.push(Scene::styled(words, scene.theme.bad_notice()));
    }
    if let Some(why) = stale_now(scene) {
        let glyph = scene.theme.glyphs.unknown;
        let words = format!("{glyph} STALE: {why}; nothing can be answered");
        lines.push(Scene::styled(words, scene.theme.bad_notice()));
    }
    lines
}

fn first(scene: &Scene<'_>) -> Parts {
    let theme = scene.theme;
    let followed = scene.followed;
    let title = match (plan(followed), &followed.request) {
        (Some(plan), _) => plan.book.title.clone(),
        (None, Some(request)) => request.book.clone(),
        (None, None) => String::new(),
    };
    let title = harmless_within(&title, 200);
    let step = followed.run.as_ref().map_or_else(String::new, |run| {
        let at = current(followed);
        let steps = listed(run, at);
        let over = |state| !matches!(state, StepState::Waiting | StepState::Running);
        let at = at.and_then(|at| steps.iter().position(|step| *step == at));
        let done = run.steps.iter().filter(|of| over(of.state) && of.state != StepState::Reserve);
        match (&run.ended, at) {
            (Some(_), _) => format!("{} of {} steps", done.count(), steps.len()),
            (None, Some(at)) => {
                let (nth, count) = (at + 1, steps.len());
                match steps.get(at) {
                    Some(id) if id.0 as usize != nth => format!("step {id} ({nth} of {count})"),
                    _ => format!("step {nth}/{count}"),
                }
            }
            (None, None) => String::new(),
        }
    });
    let leave = match &followed.run {
        None => "nothing has run yet; esc leaves it".to_owned(),
        Some(run) if run.ended.is_some() => {
            format!("started by {}", harmless_within(&run.who.user, 30))
        }
        Some(_) => format!("if you leave: opsroom attach {}", scene.id),
    };
    let head = format!("RUN {} ", scene.id);
    let used = text::width(&head) + text::width(&step) + text::width(&leave) + 4;
    let title = text::cut(&title, scene.width.saturating_sub(used), theme.glyphs.cut).into_owned();
    let gap = scene.width.saturating_sub(used + text::width(&title));
    let before = " ".repeat(2 + gap / 2);
    let between = " ".repeat(2 + gap - gap / 2);
    vec![
        (head.into(), theme.title_focused()),
        (title.into(), theme.strong()),
        (format!("{before}{step}").into(), theme.text()),
        (format!("{between}{leave}").into(), theme.faint()),
    ]
}

/// What a run is about, before its plan stands.
fn about(scene: &Scene<'_>, request: &RunRequest) -> Parts {
    let known = &scene.cx.act.known.inventory;
    let environment = harmless_within(&known.environment, 40).to_uppercase();
    let of = match &request.service {
        Some(service) => harmless_within(service.as_str(), 60),
        None => "this host".to_owned(),
    };
    let mut parts: Parts = vec![
        ("for ".into(), scene.theme.text()),
        (of.into(), scene.theme.strong()),
        (format!(" in {environment}").into(), scene.theme.text()),
    ];
    if let Some(alert) = &request.alert {
        let name = alert.labels.get("alertname").unwrap_or("an alert without a name");
        let words = format!(", from {name}: {}", alert.reason);
        parts.push((harmless_within(&words, 300).into(), scene.theme.faint()));
    }
    parts
}

/// The shell and its folder for a step.
pub(super) fn shell(step: &Step, plan: &Plan) -> Option<String> {
    let StepKind::Command(command) = &step.kind else { return None };
    let shell = match command.shell {
        Shell::Bash => "bash -euo pipefail",
        Shell::Sh => "sh -eu",
    };
    let folder = command.folder.as_deref().unwrap_or(&plan.folder);
    Some(format!("{shell}, in {}", harmless_within(folder, 200)))
}

fn second(scene: &Scene<'_>, plan: &Plan) -> Parts {
    let theme = scene.theme;
    let step = current(scene.followed).and_then(|at| plan.step(at));
    let step = step.filter(|step| matches!(step.kind, StepKind::Command(_)));
    let any = plan.steps.iter().find(|step| matches!(step.kind, StepKind::Command(_)));
    let how = step.or(any).and_then(|step| shell(step, plan));
    let how = how.map_or(String::new(), |how| format!(", {how}"));
    let left = format!("as {}{how}", harmless_within(&plan.user, 40));
    let changes = plan.steps.iter().any(changes_something);
    let target = harmless_within(short_target(plan), 60);
    let shared = scene.cx.act.known.inventory.shared;
    let reach = if shared { "this host" } else { "only you" };
    let right = match &scene.followed.run {
        _ if !changes => "no lock: it only reads".to_owned(),
        None => format!("will lock {target} ({reach})"),
        Some(run) if run.ended.is_some() => format!("lock {target}: free again"),
        Some(run) => {
            let who = harmless_within(&run.who.user, 30);
            format!("lock {target}: {who} ({reach})")
        }
    };
    let room = scene.width.saturating_sub(text::width(&right) + 2);
    let left = text::pad(&left, room, false, theme.glyphs.cut);
    vec![(left.into(), theme.text()), (format!("  {right}").into(), theme.text())]
}

/// Whether a step changes something.
pub(super) fn changes_something(step: &Step) -> bool {
    matches!(&step.kind, StepKind::Command(command) if command.changes)
}

/// `api` of `service/api`.
pub(super) fn short_target(plan: &Plan) -> &str {
    plan.target.split_once('/').map_or(plan.target.as_str(), |(_, name)| name)
}

fn pins(scene: &Scene<'_>, plan: &Plan) -> Parts {
    let theme = scene.theme;
    let doing = &scene.followed.doing;
    let Some(at) = doing.pins_at.filter(|_| !doing.pins.is_empty()) else {
        let mut names = vec!["host".to_owned(), "environment".to_owned()];
        names.extend(plan.pins.iter().map(|pin| harmless_within(&pin.name, 40)));
        let words = format!("PINS {}: asked right before each change", names.join(", "));
        return Scene::styled(words, theme.faint());
    };
    let mut parts: Parts =
        vec![(format!("PINS asked {} ago: ", ago(scene, at)).into(), theme.faint())];
    for (i, pin) in doing.pins.iter().enumerate() {
        if i > 0 {
            parts.push((format!(" {} ", theme.glyphs.bar).into(), theme.faint()));
        }
        let name = harmless_within(&pin.name, 40);
        let was = harmless_within(&pin.was, 60);
        let (words, style) = match &pin.is {
            Ok(is) if *is == pin.was => (format!("{name} {was} ="), theme.text()),
            Ok(is) => {
                let is = harmless_within(is, 60);
                (format!("{name} {was} {} {is}", theme.glyphs.arrow), theme.bad_notice())
            }
            Err(why) => (format!("{name}: {}", harmless_within(why, 60)), theme.bad_notice()),
        };
        parts.push((words.into(), style));
    }
    parts
}
