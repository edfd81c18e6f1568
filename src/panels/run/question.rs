//! What a person is asked, on the last lines of a run's page.

use super::Scene;
use super::stale_now;
use crate::domain::runs::Decision;
use crate::domain::{Status, harmless_within};
use crate::panels::desk::{self, Aspect, Intent, START, Wants};
use crate::panels::texts::Parts;
use crate::runbook::AskKind;
use crate::ui::text;

type Cursor = Option<(usize, usize)>;

/// The lines, and where the cursor stands in them.
pub(super) fn lines(scene: &Scene<'_>) -> (Vec<Parts>, Cursor) {
    let (mut lines, mut cursor) = asked(scene);
    if let Some(why) = &scene.followed.refused {
        let why = harmless_within(why, 300);
        let words = format!("refused: {why}");
        let told = scene.wrapped(&words, 1, scene.theme.bad_notice());
        cursor = cursor.map(|(x, line)| (x, line + told.len()));
        lines.splice(0..0, told);
    }
    (lines, cursor)
}

fn asked(scene: &Scene<'_>) -> (Vec<Parts>, Cursor) {
    let theme = scene.theme;
    let followed = scene.followed;
    let ended = followed.run.as_ref().is_some_and(|run| run.ended.is_some());
    if followed.lost.is_some() && !ended {
        let words = match &followed.run {
            Some(_) => " y follows it again, or takes it up where its process has died",
            None => " its process is gone; nothing was run",
        };
        return (vec![Scene::styled(words, theme.key())], None);
    }
    let Some(question) = desk::question(scene.id, followed) else {
        let words = match &followed.run {
            Some(run) if run.ended.is_some() => " w writes this as Markdown",
            Some(_) => "",
            None => return (Vec::new(), None),
        };
        return (vec![Scene::styled(words, theme.key())], None);
    };
    if scene.desk.look != Aspect::Work {
        let words = " a question waits; esc comes back to it";
        return (vec![Scene::styled(words, theme.key())], None);
    }
    if scene.desk.is_sent(&question, scene.cx.act.now) {
        return (vec![Scene::styled(" answered: the run takes it up", theme.faint())], None);
    }
    if stale_now(scene).is_some() {
        let words = " a question waits; it can be answered once the run is heard again";
        return (vec![Scene::styled(words, theme.faint())], None);
    }
    if let Some(intent) = &scene.desk.intent {
        let why = if *intent == Intent::Approve {
            "type the word approve"
        } else if intent.needs_reason() {
            "why"
        } else {
            "a note, or nothing"
        };
        let prompt = format!(" {}: {why}, then enter (esc takes it back): ", intent.words());
        return typed(scene, &prompt, scene.desk.line.text());
    }
    match desk::wants(scene.desk, followed) {
        Some(Wants::Values) => {
            let words = " type it or choose with the arrows, then enter; the plan is shown first";
            (vec![Scene::styled(words, theme.key())], None)
        }
        Some(wants) => wanted(scene, &wants),
        None => (vec![choices(scene)], None),
    }
}

fn wanted(scene: &Scene<'_>, wants: &Wants<'_>) -> (Vec<Parts>, Cursor) {
    let theme = scene.theme;
    let line = scene.desk.line.text();
    let step = desk::ask(scene.followed).map_or(0, |ask| ask.step.0);
    if scene.desk.keys {
        let words = " letters are keys now: enter or tab comes back to the question";
        return (vec![Scene::styled(words, theme.key())], None);
    }
    match wants {
        Wants::Word(word) if *word == START && desk::ask(scene.followed).is_none() => {
            typed(scene, &format!(" Type {START}, then enter, to begin; esc leaves it: "), line)
        }
        Wants::Word(word) => {
            let word = text::cut(word, scene.width / 3, theme.glyphs.cut);
            let prompt =
                format!(" Type {word}, then enter, to run step {step}; esc runs nothing: ");
            typed(scene, &prompt, line)
        }
        Wants::Secret => {
            let stars = "*".repeat(line.chars().count());
            typed(scene, " Type it, then enter; it is not shown: ", &stars)
        }
        Wants::Lines => {
            let words = " arrows choose the line; ctrl-x: this is the text; esc other keys";
            (vec![Scene::styled(words, theme.key())], None)
        }
        Wants::Text => typed(scene, " Arm it for how long, and why (15m api 5xx): ", line),
        Wants::Values => (Vec::new(), None),
    }
}

fn typed(scene: &Scene<'_>, prompt: &str, line: &str) -> (Vec<Parts>, Cursor) {
    let theme = scene.theme;
    let used = text::width(prompt);
    let room = scene.width.saturating_sub(used + 1).max(8);
    let wide = text::width(line);
    let shown = text::skip(line, wide.saturating_sub(room));
    let cursor = used + text::width(&shown);
    let parts =
        vec![(prompt.to_owned().into(), theme.key()), (shown.into_owned().into(), theme.input())];
    (vec![parts], Some((cursor, 0)))
}

/// The keys of a question that letters answer.
fn choices(scene: &Scene<'_>) -> Parts {
    let Some(ask) = desk::ask(scene.followed) else { return Vec::new() };
    let mut keys: Vec<(&str, &str)> = Vec::new();
    let mut words = String::new();
    match &ask.kind {
        AskKind::Confirm { .. } => {
            let undone = scene.followed.run.as_ref().and_then(super::undoing);
            words = match undone {
                Some(undone) => format!("Run step {} to undo step {undone}?", ask.step),
                None => format!("Run step {}?", ask.step),
            };
            keys.extend([("y", "runs it"), ("S", "leaves it out"), ("X", "abandons the run")]);
        }
        AskKind::Manual => {
            words = format!("Step {}:", ask.step);
            keys.extend([("y", "it is done"), ("S", "leave it out"), ("X", "abandon the run")]);
        }
        AskKind::Failed { choices, skip } => {
            words = "What now?".into();
            for choice in choices {
                keys.extend(match choice {
                    Decision::Retry => Some(("R", "retry")),
                    Decision::Undo => Some(("u", "undo what was done")),
                    Decision::Abandon => Some(("X", "abandon")),
                    Decision::WasDone | Decision::WasNotDone => None,
                });
            }
            if *skip {
                keys.push(("S", "skip"));
            }
        }
        AskKind::Unknown { alive } => {
            words = "What have you seen?".into();
            if *alive {
                keys.extend([("L", "look again"), ("K", "end it")]);
            } else {
                keys.extend([("D", "it was done"), ("N", "it was not done")]);
            }
        }
        AskKind::Approve { .. } => {
            words = "It waits for a second person.".into();
            // Nobody approves what they began themselves.
            let user = scene.cx.act.user;
            if scene.followed.run.as_ref().is_none_or(|run| run.who.user != user) {
                keys.push(("y", "approve another's run"));
            }
            keys.push(("X", "abandon"));
        }
        AskKind::Changed { may_go_on, .. } => {
            words = "Nothing was run.".into();
            keys.push(("L", "look again"));
            if *may_go_on {
                keys.push(("R", "go on all the same"));
            }
            keys.extend([("S", "leave it out"), ("X", "abandon")]);
        }
        AskKind::Edit { .. } | AskKind::Secret { .. } | AskKind::Arm => {}
    }
    let theme = scene.theme;
    let mut parts: Parts = vec![(format!(" {words}  ").into(), theme.status(Status::Warning))];
    for (key, does) in keys {
        parts.push((key.to_owned().into(), theme.key()));
        parts.push((format!(" {does}   ").into(), theme.text()));
    }
    parts
}
