//! The parameters of a run as a form: each with its question, what is filled
//! in, and below the one with the cursor what can be chosen.

use super::Scene;
use crate::domain::{Status, harmless_within};
use crate::panels::texts::Parts;
use crate::ui::text;

/// More choices than these are narrowed down by typing.
const CHOICES: usize = 9;

pub(super) fn lines(scene: &Scene<'_>, room: usize) -> Vec<Parts> {
    let theme = scene.theme;
    let Some(form) = scene.desk.form.as_ref().filter(|form| form.run == *scene.id) else {
        return Vec::new();
    };
    let mut lines = vec![scene.title("what it asks for")];
    let mut cursor_at = 0;
    for (at, (ask, field)) in form.asked.iter().zip(&form.fields).enumerate() {
        let is_at = at == form.at;
        let pointer = if is_at { theme.glyphs.pointer } else { " " };
        let question = if ask.param.ask.is_empty() { &ask.param.name } else { &ask.param.ask };
        let name = harmless_within(&ask.param.name, 60);
        let question = harmless_within(question, 300);
        if is_at {
            cursor_at = lines.len();
        }
        lines.push(vec![
            (pointer.to_owned().into(), theme.strong()),
            (format!(" {name}").into(), theme.strong()),
            (format!("  {question}").into(), theme.text()),
        ]);
        let shown = if ask.param.secret {
            "*".repeat(field.text().chars().count())
        } else {
            crate::domain::harmless(field.text()).into_owned()
        };
        let mark = if is_at { "_" } else { "" };
        let style = if is_at { theme.input() } else { theme.text() };
        let wide = text::width(&shown).saturating_sub(scene.width.saturating_sub(8));
        let shown = text::skip(&shown, wide).into_owned();
        lines.push(vec![("   = ".into(), theme.faint()), (format!("{shown}{mark}").into(), style)]);
        let mut notes: Vec<(String, bool)> = Vec::new();
        if let Some(mistake) = form.mistake(at) {
            notes.push((mistake, true));
        }
        if let Some(failure) = &ask.failure {
            notes.push((format!("no choices: {failure}"), true));
        }
        // What can be chosen fits.
        let typed_freely = ask.choices.is_empty() || form.choices().is_empty();
        if is_at
            && typed_freely
            && let Some(pattern) = &ask.param.pattern
        {
            notes.push((format!("must match {pattern}"), false));
        }
        if is_at && ask.param.secret {
            notes.push(("a secret: not shown, not recorded".into(), false));
        }
        notes.dedup_by(|one, other| one.0 == other.0);
        for (note, bad) in notes {
            let style = if bad { theme.status(Status::Critical) } else { theme.faint() };
            lines.extend(scene.wrapped(&note, 5, style));
        }
        if is_at {
            lines.extend(choices(scene));
        }
    }
    if form.asked.iter().any(|ask| ask.value.is_some()) {
        lines.push(Vec::new());
        let words = "   what is filled in already is a default, or comes from the alert";
        lines.push(Scene::styled(words, theme.faint()));
    }
    // The field with the cursor stays in sight.
    let from = cursor_at.saturating_sub(room / 3).min(lines.len().saturating_sub(room));
    lines.drain(..from);
    lines
}

fn choices(scene: &Scene<'_>) -> Vec<Parts> {
    let theme = scene.theme;
    let Some(form) = &scene.desk.form else { return Vec::new() };
    let all = form.asked.get(form.at).map_or(0, |ask| ask.choices.len());
    if all == 0 {
        return Vec::new();
    }
    let found = form.choices();
    let typed = form.fields.get(form.at).map_or("", |field| field.text());
    let at = form.row.or_else(|| found.iter().position(|choice| *choice == typed));
    let from = at.map_or(0, |at| (at + 1).saturating_sub(CHOICES));
    let mut lines = Vec::new();
    for (row, choice) in found.iter().enumerate().skip(from).take(CHOICES) {
        let is_at = at == Some(row);
        let pointer = if is_at { theme.glyphs.pointer } else { " " };
        let style = if is_at { theme.strong() } else { theme.text() };
        lines.push(vec![
            (format!("     {pointer} ").into(), theme.strong()),
            (harmless_within(choice, 200).into(), style),
        ]);
    }
    let left = found.len().saturating_sub(from + CHOICES);
    if found.is_empty() {
        lines.push(Scene::styled("       none of them holds what is typed", theme.faint()));
    } else if left > 0 {
        lines.push(Scene::styled(format!("       +{left} more: type to narrow"), theme.faint()));
    }
    lines
}
