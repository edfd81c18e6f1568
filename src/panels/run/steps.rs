//! The list of a run's steps, and the signals of its target below it.

use super::Scene;
use super::head::short_target;
use crate::domain::runs::{Holds, ProofLine, Step, StepId, StepKind};
use crate::domain::{Num, Status, Timestamp, harmless_within};
use crate::panels::desk;
use crate::panels::texts::Parts;
use crate::runbook::{Run, Standing, StepState};
use crate::ui::{sparkline, text};
use ratatui::style::Style;
use std::collections::BTreeMap;

/// As many as there is room for, the one that the run is at among them; and how
/// many are not shown, in words.
pub(super) fn lines(
    scene: &Scene<'_>,
    run: &Run,
    listed: &[StepId],
    at: Option<StepId>,
    room: usize,
) -> (Vec<Parts>, String) {
    let place = at.and_then(|at| listed.iter().position(|step| *step == at)).unwrap_or(0);
    let last = listed.len().saturating_sub(room);
    let from = (place + 2).saturating_sub(room).min(last).min(place);
    let shown = listed.iter().skip(from).take(room);
    let rows = shown.map(|step| row(scene, run, *step, at == Some(*step))).collect();
    let steps = |count| if count == 1 { "step" } else { "steps" };
    let hidden = match (from, listed.len().saturating_sub(from + room)) {
        (0, 0) => String::new(),
        (0, below) => format!("{below} more {} below", steps(below)),
        (above, 0) => format!("{above} more {} above", steps(above)),
        (above, below) => format!("{above} more above, {below} below"),
    };
    (rows, hidden)
}

fn row(scene: &Scene<'_>, run: &Run, id: StepId, is_at: bool) -> Parts {
    let theme = scene.theme;
    let (Some(step), Some(standing)) = (run.plan.step(id), run.standing(id)) else {
        return Vec::new();
    };
    let asked = desk::ask(scene.followed).filter(|ask| ask.step == id);
    let (word, style) = word(scene, standing, asked.is_some());
    let kind = kind(step);
    let kind_style = if kind == "CHANGES" || kind == "UNDOES" {
        theme.status(Status::Warning)
    } else {
        theme.faint()
    };
    let (took, when) = times(scene, standing);
    let wide = scene.width >= 100;
    let title_room = if wide { 40 } else { 24 };
    let tail = 6 + 10;
    let used = 10 + title_room + 1 + 9;
    let room = scene.width.saturating_sub(used + tail);
    let cut = theme.glyphs.cut;
    let title = text::pad(&harmless_within(&step.title, 300), title_room, false, cut);
    let told = text::pad(&words(scene, run, step, standing, is_at), room, false, cut);
    let pointer = if is_at { theme.glyphs.pointer } else { " " };
    let title_style = match standing.state {
        StepState::Waiting if !is_at => theme.faint(),
        _ if is_at => theme.strong(),
        _ => theme.text(),
    };
    vec![
        (pointer.to_owned().into(), theme.strong()),
        (format!("{:>2} ", id.0).into(), theme.text()),
        (format!("{word:<5} ").into(), style),
        (format!("{title} ").into(), title_style),
        (format!("{kind:<9}").into(), kind_style),
        (told.into(), theme.text()),
        (format!("{took:>6}").into(), theme.faint()),
        (format!("  {when:>8}").into(), theme.faint()),
    ]
}

/// The word of a state, four columns at most.
pub(super) fn word(scene: &Scene<'_>, of: &Standing, asked: bool) -> (&'static str, Style) {
    let theme = scene.theme;
    match of.state {
        StepState::Waiting | StepState::Reserve if asked => ("ASK", theme.status(Status::Warning)),
        StepState::Waiting | StepState::Reserve => ("-", theme.faint()),
        StepState::Running => ("RUNS", theme.title_focused()),
        StepState::Ok => ("ok", theme.status(Status::Ok)),
        StepState::Failed => ("FAIL", theme.status(Status::Critical)),
        StepState::Unknown => ("UNKN", theme.status(Status::Unknown)),
        StepState::Unproved => ("UNPR", theme.status(Status::Warning)),
        StepState::Ticked => ("done", theme.status(Status::Ok)),
        StepState::Skipped => ("skip", theme.status(Status::Warning)),
        StepState::Undone => ("undo", theme.faint()),
    }
}

/// What a step is, in a word.
pub(super) fn kind(step: &Step) -> &'static str {
    match &step.kind {
        StepKind::Command(command) if command.undoes => "UNDOES",
        StepKind::Command(command) if command.changes => "CHANGES",
        StepKind::Command(_) => "reads",
        StepKind::Check(check) if check.proof => "PROOF",
        StepKind::Check(_) => "check",
        StepKind::Manual { .. } => "by hand",
    }
}

/// What a step has brought, or is about, in words.
pub(super) fn words(
    scene: &Scene<'_>,
    run: &Run,
    step: &Step,
    standing: &Standing,
    is_at: bool,
) -> String {
    if let Some((who, word)) = &standing.word
        && standing.state != StepState::Ok
        && !word.is_empty()
    {
        return harmless_within(&format!("{}: {word}", who.user), 200);
    }
    if let Some((_, end)) = &standing.end {
        let captured = match (&step.kind, &end.captured) {
            (StepKind::Command(command), Some(value)) => {
                command.capture.as_ref().map(|name| format!("{name}={value}"))
            }
            _ => None,
        };
        let first = end.findings.first().map(|finding| finding.words.clone());
        let plain =
            if end.words.is_empty() { first.unwrap_or_default() } else { end.words.clone() };
        return harmless_within(&captured.unwrap_or(plain), 200);
    }
    if is_at && super::head::changes_something(step) {
        if let Some(undone) = super::undoing(run) {
            let target = harmless_within(short_target(&run.plan), 60);
            return format!("undoes step {undone}, {target}");
        }
        let environment = harmless_within(&run.plan.environment, 40).to_uppercase();
        return format!("{} in {environment}", harmless_within(short_target(&run.plan), 60));
    }
    if standing.state == StepState::Running {
        let finding = scene.followed.doing.findings.first();
        return finding.map_or(String::new(), |(_, of)| harmless_within(&of.words, 200));
    }
    match &step.kind {
        StepKind::Check(check) => {
            let line = check.lines.first().map_or("", |(line, _)| line.as_str());
            harmless_within(line, 200)
        }
        _ => String::new(),
    }
}

fn times(scene: &Scene<'_>, standing: &Standing) -> (String, String) {
    let clock = |at: Timestamp| text::clock_s(at, scene.cx.offset_min);
    match (&standing.end, standing.started) {
        (Some((at, end)), _) => (crate::domain::units::duration(end.took), clock(*at)),
        (None, Some(at)) => (super::ago(scene, at), clock(at)),
        (None, None) => (String::new(), String::new()),
    }
}

/// What a finding says, with how it looks.
pub(super) fn finding(
    scene: &Scene<'_>,
    line: &str,
    of: &crate::domain::runs::Finding,
) -> Vec<Parts> {
    let theme = scene.theme;
    let (glyph, word, style) = holds(scene, of.holds);
    let age = of.seen.map_or_else(|| "no reading".to_owned(), |at| super::ago(scene, at));
    let line = harmless_within(line, 400);
    let words = harmless_within(&of.words, 400);
    let room = scene.width.saturating_sub(24);
    let short = text::width(&line) + text::width(&words) + 4 + 22;
    if short <= scene.width {
        let gap = scene.width - short;
        return vec![vec![
            (format!("   {glyph} {word:<8} ").into(), style),
            (format!("{line}  ").into(), theme.text()),
            (format!("{words}{}", " ".repeat(gap)).into(), theme.faint()),
            (format!("{age:>9}").into(), theme.faint()),
        ]];
    }
    let mut parts = vec![
        (format!("   {glyph} {word:<8} ").into(), style),
        (text::pad(&line, room.min(46), false, theme.glyphs.cut).into(), theme.text()),
    ];
    let left = scene.width.saturating_sub(14 + room.min(46) + 10);
    if text::width(&words) + 2 <= left {
        parts.push((format!("  {}", text::pad(&words, left - 2, false, "")).into(), theme.text()));
        parts.push((format!("{age:>9}").into(), theme.faint()));
        return vec![parts];
    }
    let mut lines = vec![parts];
    let mut told = scene.wrapped(&words, 14, theme.text());
    if let Some(last) = told.last_mut() {
        last.push((format!("  {age}").into(), theme.faint()));
    }
    lines.extend(told);
    lines
}

/// Glyph, word and style of an answer: only a yes looks well.
pub(super) fn holds(scene: &Scene<'_>, of: Holds) -> (&'static str, &'static str, Style) {
    let theme = scene.theme;
    let of_status = |status| (theme.glyphs.status(status), theme.status(status));
    match of {
        Holds::Yes => (of_status(Status::Ok).0, "holds", of_status(Status::Ok).1),
        Holds::No => (of_status(Status::Warning).0, "does not", of_status(Status::Warning).1),
        Holds::Unknown => (of_status(Status::Unknown).0, "unknown", of_status(Status::Unknown).1),
    }
}

/// Whether a check of the run asks this line; else it is watched beside.
pub(super) fn is_asked(run: &Run, line: &str) -> bool {
    run.plan.steps.iter().any(|step| match &step.kind {
        StepKind::Check(check) => check.lines.iter().any(|(of, _)| of == line),
        _ => false,
    })
}

/// Whether a line is a yes or a no: a check asks it, or it is about the alert or
/// the service that the run is of.
pub(super) fn is_condition(run: &Run, line: &str) -> bool {
    let is_of = |kind| line.starts_with(kind) && line.contains(" is ");
    is_asked(run, line) || is_of("alert ") || is_of("service ")
}

/// Whether a check that proves the run asks this line.
pub(super) fn is_proof(run: &Run, line: &str) -> bool {
    run.plan.steps.iter().any(|step| match &step.kind {
        StepKind::Check(check) => check.proof && check.lines.iter().any(|(of, _)| of == line),
        _ => false,
    })
}

/// The signals of the target, live: a title and a line each.
pub(super) fn live(
    scene: &Scene<'_>,
    run: &Run,
    history: &BTreeMap<String, Vec<(Timestamp, Num)>>,
) -> Vec<Parts> {
    let signals = &scene.followed.doing.signals;
    if signals.is_empty() {
        return Vec::new();
    }
    let theme = scene.theme;
    let of = harmless_within(short_target(&run.plan), 40);
    let lead = scene.theme.glyphs.rule.repeat(2);
    let title = format!("{of} live");
    let rest = scene.width.saturating_sub(4 + text::width(&title) + 7);
    let mut lines = vec![vec![
        (format!("{lead} ").into(), theme.faint()),
        (title.into(), theme.title()),
        (format!(" {}", theme.glyphs.rule.repeat(rest)).into(), theme.faint()),
        (" age ".into(), theme.faint()),
        (theme.glyphs.rule.to_owned().into(), theme.faint()),
    ]];
    // What is measured says more than the lines of the proof, which say yes or no;
    // what a check asked before the change is no matter now.
    let (asked, measured): (Vec<&ProofLine>, Vec<&ProofLine>) =
        signals.iter().partition(|signal| is_condition(run, &signal.line));
    let named = measured.iter().map(|signal| text::width(&signal.line)).max().unwrap_or(0);
    let named = named.clamp(6, if scene.width >= 100 { 44 } else { 24 });
    for signal in measured {
        lines.push(measured_line(scene, signal, named, history));
    }
    let beside = |line: &str| is_asked(run, line) && !is_proof(run, line);
    for signal in asked.into_iter().filter(|signal| !beside(&signal.line)) {
        lines.push(proof_line(scene, signal));
    }
    lines
}

fn seen_ago(scene: &Scene<'_>, signal: &ProofLine) -> String {
    let age = signal.finding.seen.map_or_else(|| "-".to_owned(), |at| super::ago(scene, at));
    format!("{age:>8}")
}

/// What was found, without the name that stands before it already.
pub(super) fn unnamed(words: &str, name: &str) -> String {
    let short = words.strip_prefix(name).map(|rest| rest.trim_start_matches([':', ' ']));
    harmless_within(short.filter(|rest| !rest.is_empty()).unwrap_or(words), 200)
}

/// `5xx  5xx 30% > 5%, 36 req/s  ▇▇██  <10s`
fn measured_line(
    scene: &Scene<'_>,
    signal: &ProofLine,
    named: usize,
    history: &BTreeMap<String, Vec<(Timestamp, Num)>>,
) -> Parts {
    let theme = scene.theme;
    let found = &signal.finding;
    let style =
        if found.holds == Holds::Unknown { theme.status(Status::Unknown) } else { theme.text() };
    let name = harmless_within(&signal.line, 200);
    let words = unnamed(&found.words, &signal.line);
    let words = words.as_str();
    let told = 30.max(scene.width.saturating_sub(3 + named + 2 + 1 + 8 + 40)).min(60);
    let known = history.get(&signal.line).map_or(&[][..], Vec::as_slice);
    let values: Vec<Option<f64>> =
        known.iter().map(|(_, value)| value.0.is_finite().then_some(value.0)).collect();
    let cells = scene.width.saturating_sub(3 + named + 1 + told + 1 + 8).min(40);
    let heights = sparkline::heights(&values, cells, theme.glyphs);
    let cut = theme.glyphs.cut;
    let gap = scene.width.saturating_sub(3 + named + 1 + told + 1 + cells + 8);
    vec![
        ("   ".into(), theme.text()),
        (text::pad(&name, named, false, cut).into(), theme.strong()),
        (format!(" {} ", text::pad(words, told, false, cut)).into(), style),
        (text::pad(&heights, cells, false, "").into(), theme.series(0)),
        (" ".repeat(gap).into(), theme.text()),
        (seen_ago(scene, signal).into(), theme.faint()),
    ]
}

/// `▲ not yet  alert HighErrorRate is not firing  5xx 30% > 5%  <10s`
fn proof_line(scene: &Scene<'_>, signal: &ProofLine) -> Parts {
    let theme = scene.theme;
    let (glyph, word, style) = holds(scene, signal.finding.holds);
    let word = if signal.finding.holds == Holds::No { "not yet" } else { word };
    let name = harmless_within(&signal.line, 200);
    let words = harmless_within(&signal.finding.words, 200);
    let cut = theme.glyphs.cut;
    // The name is read first: what was found takes what is left.
    let room = scene.width.saturating_sub(3 + 2 + 9 + 8);
    let name = text::cut(&name, room, cut).into_owned();
    let left = room.saturating_sub(text::width(&name) + 2);
    let words =
        if left < 8 { String::new() } else { format!("  {}", text::cut(&words, left, cut)) };
    let gap = room.saturating_sub(text::width(&name) + text::width(&words));
    vec![
        (format!("   {glyph} {word:<9}").into(), style),
        (name.into(), theme.strong()),
        (words.into(), theme.text()),
        (" ".repeat(gap).into(), theme.text()),
        (seen_ago(scene, signal).into(), theme.faint()),
    ]
}
