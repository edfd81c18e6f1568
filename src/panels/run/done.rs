//! A run that is over: before and after, what was done, how long it took. Only
//! what is proved looks well.

use super::Scene;
use super::steps::{holds, is_asked, is_condition, is_proof, kind, unnamed, word, words};
use crate::domain::runs::{Holds, ProofLine, RunOutcome};
use crate::domain::{harmless_within, units};
use crate::panels::offers::outcome_status;
use crate::panels::texts::Parts;
use crate::runbook::{Run, StepState};
use crate::ui::text;

pub(super) fn lines(scene: &Scene<'_>, run: &Run, room: usize) -> Vec<Parts> {
    let theme = scene.theme;
    let Some((at, outcome, reason)) = &run.ended else { return Vec::new() };
    let status = outcome_status(*outcome);
    let style = theme.status(status);
    let clock = text::clock_s(*at, scene.cx.offset_min);
    let took = units::duration(at.since(run.started));
    let glyph = theme.glyphs.status(status);
    let head = outcome.word().to_uppercase();
    let mut lines = vec![
        Vec::new(),
        vec![
            (format!(" {glyph} {head}").into(), style),
            (format!("  after {took}, at {clock}").into(), theme.text()),
        ],
    ];
    lines.extend(scene.wrapped(reason, 3, theme.text()));
    if *outcome == RunOutcome::Unproved {
        let words = "All was done, and nothing proves that it is fixed. Look for yourself.";
        lines.extend(scene.wrapped(words, 3, style));
    }
    let proof = before_and_after(scene, run);
    let done = what_was_done(scene, run);
    if !proof.is_empty() {
        lines.push(scene.title("before and after"));
        lines.extend(proof);
    }
    lines.push(scene.title("what was done"));
    let left = room.saturating_sub(lines.len());
    if done.len() > left && left > 1 {
        let hidden = done.len() - left + 1;
        lines.extend(most_telling(done, left - 1));
        let words = format!("   {hidden} more; w writes all of it, t shows the plan");
        lines.push(Scene::styled(words, theme.key()));
    } else {
        lines.extend(done.into_iter().map(|(_, line)| line));
    }
    lines
}

/// As many as there is room for, in their order: what changed something or did
/// not go well before what only looked.
fn most_telling(done: Vec<(bool, Parts)>, room: usize) -> Vec<Parts> {
    let telling = done.iter().filter(|(tells, _)| *tells).count();
    let mut others = room.saturating_sub(telling);
    let shown = done.into_iter().filter(|(tells, _)| {
        if *tells {
            return true;
        }
        let is_shown = others > 0;
        others = others.saturating_sub(1);
        is_shown
    });
    shown.map(|(_, line)| line).take(room).collect()
}

fn before_and_after(scene: &Scene<'_>, run: &Run) -> Vec<Parts> {
    let theme = scene.theme;
    let after: &[ProofLine] = run.proof.as_ref().map_or(&[], |proof| &proof.after);
    let mut names: Vec<&str> = run.before.iter().map(|of| of.line.as_str()).collect();
    names.extend(after.iter().map(|of| of.line.as_str()));
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(*name));
    let arrow = theme.glyphs.arrow;
    let asked = |name: &str| is_proof(run, name);
    // Whether it was the release, or whatever was asked first, proves nothing now.
    let beside = |name: &str| is_asked(run, name) && !is_proof(run, name);
    names.retain(|name| !beside(name));
    // What proves it comes before what was watched beside.
    names.sort_by_key(|name| (!asked(name), !is_condition(run, name)));
    // Beside each other where that fits, else the line above its two values.
    let half = scene.width.saturating_sub(12) / 2;
    let widest = run.before.iter().map(|of| text::width(&of.finding.words) + 2).max();
    let wide = widest.unwrap_or(0).clamp(10, half.max(10));
    let mut lines = Vec::new();
    for name in names {
        let of = |list: &[ProofLine]| {
            let found = list.iter().find(|of| of.line == *name)?;
            let words = unnamed(&found.finding.words, name);
            if !is_condition(run, name) {
                let nobody_knows = found.finding.holds == Holds::Unknown
                    && found.finding.value.is_none()
                    && !words.is_empty();
                let lead = if nobody_knows { "unknown: " } else { "" };
                return Some((format!("  {lead}{words}"), theme.text()));
            }
            let (glyph, _, style) = holds(scene, found.finding.holds);
            Some((format!("{glyph} {words}"), style))
        };
        let none = || ("not asked".to_owned(), theme.faint());
        let (before, _) = of(&run.before).unwrap_or_else(none);
        let (now, style) = of(after).unwrap_or_else(none);
        let before = text::pad(&before, wide, false, theme.glyphs.cut);
        let name = harmless_within(name, 400);
        let named = 36.min(scene.width / 3).max(text::width(&name));
        if 3 + named + 2 + wide + 5 + text::width(&now) <= scene.width {
            lines.push(vec![
                (format!("   {}", text::pad(&name, named, false, "")).into(), theme.text()),
                (format!("  {before}").into(), theme.faint()),
                (format!("  {arrow}  ").into(), theme.faint()),
                (now.into(), style),
            ]);
            continue;
        }
        lines.extend(scene.verbatim(&name, 3, theme.text()));
        lines.push(vec![
            (format!("      {before}").into(), theme.faint()),
            (format!("  {arrow}  ").into(), theme.faint()),
            (now.into(), style),
        ]);
    }
    lines
}

/// A line for each step, and whether it changed something or did not go well.
fn what_was_done(scene: &Scene<'_>, run: &Run) -> Vec<(bool, Parts)> {
    let theme = scene.theme;
    let mut lines = Vec::new();
    for standing in &run.steps {
        let Some(step) = run.plan.step(standing.step) else { continue };
        if standing.state == StepState::Reserve {
            continue;
        }
        let (state, style) = word(scene, standing, false);
        let took = standing.end.as_ref().map(|(_, end)| units::duration(end.took));
        let title_room = if scene.width >= 100 { 44 } else { 30 };
        let room = scene.width.saturating_sub(9 + title_room + 1 + 9 + 7);
        let cut = theme.glyphs.cut;
        let title = text::pad(&harmless_within(&step.title, 300), title_room, false, cut);
        let told = words(scene, run, step, standing, false);
        let told = if standing.state == StepState::Waiting { String::new() } else { told };
        let went_well =
            matches!(standing.state, StepState::Ok | StepState::Ticked | StepState::Waiting);
        let tells = !went_well || (run.changes(step.id) && standing.attempts > 0);
        lines.push((
            tells,
            vec![
                (format!(" {:>2} ", step.id.0).into(), theme.text()),
                (format!("{state:<4} ").into(), style),
                (format!("{title} ").into(), theme.text()),
                (format!("{:<9}", kind(step)).into(), theme.faint()),
                (text::pad(&told, room, false, cut).into(), theme.text()),
                (format!("{:>7}", took.unwrap_or_default()).into(), theme.faint()),
            ],
        ));
    }
    lines
}
