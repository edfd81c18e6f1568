//! A run: its parameters, its plan, its steps as they go, and its proof.

mod done;
mod form;
mod head;
mod middle;
mod output;
mod plan;
mod question;
mod steps;

use super::desk::{self, Aspect, Desk, stale};
use super::texts::{Parts, draw};
use super::{ActCx, Chosen, Kind, Panel, ViewCx};
use crate::domain::runs::{RunId, StepId};
use crate::domain::{Num, Timestamp, harmless, harmless_within};
use crate::runbook::{Next, Run, Standing, StepState};
use crate::store::{Action, Effect, Followed};
use crate::ui::layout::Need;
use crate::ui::table::rule;
use crate::ui::{Scope, Theme, text};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use std::collections::BTreeMap;

/// As the registry knows it.
pub const KIND: Kind = Kind { name: "run", filtered: false, build: || Box::new(OneRun::default()) };

/// So many values of a signal are remembered for its row of heights.
const REMEMBERED: usize = 120;
/// So many lines of what commands said are worth signals and other steps.
const SAID: usize = 6;
/// Text from outside in one line.
const LONGEST: usize = 2_000;

#[derive(Debug, Default)]
struct OneRun {
    id: Option<RunId>,
    look: Aspect,
    /// The first line that is shown; of output the last ones where none is set.
    from: Option<usize>,
    /// What the signals said before.
    history: BTreeMap<String, Vec<(Timestamp, Num)>>,
    /// The output as lines, and of how much of it.
    output: Vec<String>,
    cleaned: (u64, usize),
}

/// What is drawn of a run, gathered once.
#[derive(Clone, Copy)]
struct Scene<'a> {
    cx: &'a ViewCx<'a>,
    theme: &'a Theme,
    id: &'a RunId,
    followed: &'a Followed,
    desk: &'a Desk,
    width: usize,
}

impl Scene<'_> {
    fn plain(&self, words: impl Into<String>) -> Parts {
        vec![(words.into().into(), self.theme.text())]
    }

    fn styled(words: impl Into<String>, style: Style) -> Parts {
        vec![(words.into().into(), style)]
    }

    /// Words wrapped, each line indented.
    fn wrapped(&self, words: &str, indent: usize, style: Style) -> Vec<Parts> {
        let clean = harmless_within(words, LONGEST);
        let room = self.width.saturating_sub(indent).max(8);
        let lines = text::wrap(&clean, room);
        let indent = " ".repeat(indent);
        lines.into_iter().map(|line| Scene::styled(format!("{indent}{line}"), style)).collect()
    }

    /// A text whose every character counts: its lines as they are, broken at the edge.
    fn verbatim(&self, words: &str, indent: usize, style: Style) -> Vec<Parts> {
        let room = self.width.saturating_sub(indent).max(8);
        let indent = " ".repeat(indent);
        let mut lines = Vec::new();
        for line in words.lines() {
            for part in text::fold(&harmless(&line.replace('\t', "    ")), room) {
                lines.push(Scene::styled(format!("{indent}{part}"), style));
            }
        }
        lines
    }

    fn title(&self, title: &str) -> Parts {
        self.titled(title, "")
    }

    /// A title with something to be said at the other end of its line.
    fn titled(&self, title: &str, right: &str) -> Parts {
        let rule = self.theme.glyphs.rule;
        let lead = rule.repeat(2);
        let title = harmless_within(title, 200);
        let told = if right.is_empty() { 0 } else { text::width(right) + 4 };
        let room = self.width.saturating_sub(6 + told);
        let title = text::cut(&title, room, self.theme.glyphs.cut);
        let used = 4 + text::width(&title) + told;
        let mut parts: Parts = vec![
            (format!("{lead} ").into(), self.theme.faint()),
            (title.into_owned().into(), self.theme.title()),
            (
                format!(" {}", rule.repeat(self.width.saturating_sub(used))).into(),
                self.theme.faint(),
            ),
        ];
        if !right.is_empty() {
            parts.push((format!(" {right} ").into(), self.theme.key()));
            parts.push((lead.into(), self.theme.faint()));
        }
        parts
    }
}

/// The step that a run is at: the one it asks about, runs, or will.
fn current(followed: &Followed) -> Option<StepId> {
    let run = followed.run.as_ref()?;
    if let Some(ask) = desk::ask(followed) {
        return Some(ask.step);
    }
    let running = run.steps.iter().find(|of| of.state == StepState::Running);
    running.map(|of| of.step).or_else(|| match run.next() {
        Next::Step { step, .. } | Next::Decide(step) | Next::Settle(step) => Some(step),
        Next::End(..) => None,
    })
}

/// The steps that stand in the list: those that undo only once they are needed.
fn listed(run: &Run, at: Option<StepId>) -> Vec<StepId> {
    let is_needed = |of: &&Standing| of.state != StepState::Reserve || at == Some(of.step);
    run.steps.iter().filter(is_needed).map(|of| of.step).collect()
}

/// The step that the one which is next undoes.
fn undoing(run: &Run) -> Option<StepId> {
    match run.next() {
        Next::Step { undoing, .. } => undoing,
        _ => None,
    }
}

impl OneRun {
    fn followed<'a>(cx: &ActCx<'a>) -> Option<(&'a RunId, &'a Followed)> {
        let Some(Chosen::Run(id)) = cx.subject else { return None };
        Some((id, cx.known.runs.followed.get(id)?))
    }

    /// The lines that are scrolled, where some are.
    fn scrolled(&self, scene: &Scene<'_>) -> Option<(String, Vec<Parts>)> {
        let before = scene.followed.run.is_none();
        match self.look {
            Aspect::Output => {
                let cut = scene.followed.output.from();
                let title = match self.output.len() {
                    0 => "OUTPUT: none yet".to_owned(),
                    count if cut > 0 => format!("OUTPUT, the last {count} lines"),
                    count => format!("OUTPUT, {count} lines"),
                };
                let style = scene.theme.text();
                let room = scene.width;
                let lines = self.output.iter().flat_map(|line| text::fold(line, room));
                Some((title, lines.map(|line| Scene::styled(line, style)).collect()))
            }
            Aspect::Plan => Some(("PLAN".into(), plan::lines(scene))),
            Aspect::Work if before && scene.followed.plan.is_some() => {
                Some(("PLAN: nothing has been done yet".into(), plan::lines(scene)))
            }
            Aspect::Work => None,
        }
    }
}

impl Panel for OneRun {
    fn scope(&self) -> Scope {
        Scope::Run
    }

    fn need(&self, _: &ActCx<'_>) -> Need {
        Need { least: 3, most: u16::MAX, order: 0 }
    }

    fn refresh(&mut self, cx: &ActCx<'_>) {
        let id = match cx.subject {
            Some(Chosen::Run(id)) => Some(id.clone()),
            _ => None,
        };
        let look = cx.words.desk.look;
        if self.id != id {
            *self = Self { id, ..Self::default() };
        }
        if self.look != look {
            (self.look, self.from) = (look, None);
        }
        let Some((_, followed)) = Self::followed(cx) else { return };
        for signal in &followed.doing.signals {
            let (Some(seen), Some(value)) = (signal.finding.seen, signal.finding.value) else {
                continue;
            };
            let known = self.history.entry(signal.line.clone()).or_default();
            if known.last().is_none_or(|(last, _)| *last < seen) {
                known.push((seen, value));
                let extra = known.len().saturating_sub(REMEMBERED);
                known.drain(..extra);
            }
        }
        let text = followed.output.text();
        let of = (followed.output.from(), text.len());
        if self.cleaned != of {
            self.cleaned = of;
            self.output = output::lines(text);
        }
    }

    fn act(&mut self, action: Action, cx: &ActCx<'_>) -> Option<Vec<Effect>> {
        // How far there is to scroll is known when it is drawn; it is held to that there.
        let page = usize::from(cx.area.height / 2).max(1);
        let follows = self.look == Aspect::Output;
        let end = if follows { self.output.len() } else { usize::MAX / 2 };
        let from = self.from.unwrap_or(if follows { end } else { 0 });
        let to = match action {
            Action::Up => from.saturating_sub(1),
            Action::Down => from.saturating_add(1),
            Action::HalfUp => from.saturating_sub(page),
            Action::HalfDown => from.saturating_add(page),
            Action::First => 0,
            Action::Last => end,
            _ => return None,
        };
        let height = usize::from(cx.area.height.saturating_sub(1));
        self.from = if follows {
            let last = self.output.len().saturating_sub(height);
            let to =
                if self.from.is_none() && to < end { last.saturating_sub(end - to) } else { to };
            (to < last).then_some(to)
        } else {
            Some(to.min(Self::last(cx)))
        };
        Some(Vec::new())
    }

    fn chosen(&self, _: &ActCx<'_>) -> Option<Chosen> {
        None
    }

    fn copied(&self, cx: &ActCx<'_>) -> Option<String> {
        let (id, followed) = Self::followed(cx)?;
        if self.look == Aspect::Output {
            return Some(self.output.join("\n"));
        }
        match desk::ask(followed).map(|ask| &ask.kind) {
            Some(crate::runbook::AskKind::Confirm { preview, .. }) => Some(preview.clone()),
            _ => Some(format!("opsroom attach {id}")),
        }
    }

    fn view(&self, cx: &ViewCx<'_>, area: Rect, buf: &mut Buffer) -> Option<Position> {
        let width = usize::from(area.width);
        let Some(Chosen::Run(id)) = cx.act.subject else {
            waiting(cx, area, buf);
            return None;
        };
        let Some(followed) = desk::followed(cx.act.known, id) else {
            let words = format!("RUN {id}: asking its process");
            draw(cx, area, buf, vec![vec![(words.into(), cx.theme.strong())]]);
            return None;
        };
        let desk = &cx.act.words.desk;
        let followed = followed.as_ref();
        let scene = Scene { cx, theme: cx.theme, id, followed, desk, width };
        let head = head::lines(&scene);
        let (ask, cursor) = question::lines(&scene);
        let height = usize::from(area.height);
        let room = height.saturating_sub(head.len() + ask.len());
        let body = match self.scrolled(&scene) {
            Some((title, lines)) => self.window(&scene, &title, lines, room),
            None => self.work(&scene, room),
        };
        let top = head.len() + room;
        draw(cx, area, buf, head.iter().cloned().chain(body).take(top).collect());
        let below = Rect {
            y: area.y + u16::try_from(top).unwrap_or(0),
            height: area.height.saturating_sub(u16::try_from(top).unwrap_or(0)),
            ..area
        };
        draw(cx, below, buf, ask);
        let (x, line) = cursor?;
        let x = area.x + u16::try_from(x).unwrap_or(0).min(area.width.saturating_sub(1));
        Some(Position { x, y: below.y + u16::try_from(line).unwrap_or(0) })
    }
}

impl OneRun {
    /// The first line from which the scrolled text still fills its place.
    fn last(cx: &ActCx<'_>) -> usize {
        let Some((_, followed)) = Self::followed(cx) else { return 0 };
        // As many as there can be: drawing holds it to what there is.
        let plan = desk::plan(followed);
        plan.map_or(0, |plan| plan::height(plan, usize::from(cx.area.width)))
    }

    fn window(&self, scene: &Scene<'_>, title: &str, lines: Vec<Parts>, room: usize) -> Vec<Parts> {
        let height = room.saturating_sub(1);
        let last = lines.len().saturating_sub(height);
        let from =
            self.from.unwrap_or(if self.look == Aspect::Output { last } else { 0 }).min(last);
        let below = lines.len().saturating_sub(from + height);
        let more = match (from, below) {
            (0, 0) => String::new(),
            (0, below) => format!(", {below} more lines below: down, pgdn"),
            (above, 0) => format!(", {above} lines above"),
            (above, below) => format!(", {above} lines above, {below} below"),
        };
        let mut shown = vec![scene.title(&format!("{title}{more}"))];
        shown.extend(lines.into_iter().skip(from).take(height));
        shown.resize(room.max(shown.len()), Vec::new());
        shown
    }

    /// Steps, what will run, signals: each as much as there is room for.
    fn work(&self, scene: &Scene<'_>, room: usize) -> Vec<Parts> {
        let followed = scene.followed;
        let mut lines = if !followed.impossible.is_empty() {
            let mut lines = vec![scene.title("it cannot be run")];
            for why in &followed.impossible {
                lines.extend(scene.wrapped(why, 3, scene.theme.text()));
            }
            lines
        } else if let Some(run) = &followed.run {
            if run.ended.is_some() {
                done::lines(scene, run, room)
            } else {
                self.going(scene, run, room)
            }
        } else if followed.parameters.is_empty() {
            vec![Scene::styled("  its process reads the runbook", scene.theme.faint())]
        } else {
            form::lines(scene, room)
        };
        lines.truncate(room);
        lines.resize(room, Vec::new());
        lines
    }

    fn going(&self, scene: &Scene<'_>, run: &Run, room: usize) -> Vec<Parts> {
        let at = current(scene.followed);
        let middle::Middle { title, mut lines, said } = middle::lines(scene, run, at);
        let live = steps::live(scene, run, &self.history);
        let listed = listed(run, at);
        // What will run matters most, then what the commands said, then the signals
        // and the other steps.
        let least_steps = listed.len().min(3);
        let mut for_live = live.len().min(room.saturating_sub(least_steps + 4)).min(room / 3);
        let for_lines = (lines.len() + 1).min(room.saturating_sub(least_steps + for_live));
        let mut for_steps = listed.len().min(room.saturating_sub(for_live + for_lines));
        let wanted = said.lines.len() + usize::from(said.title.is_some());
        let spare = |of: usize| room.saturating_sub(of + for_lines);
        while spare(for_live + for_steps) < wanted.min(SAID) && (for_live > 3 || for_steps > 3) {
            if for_live > 3 {
                for_live -= 1;
            } else {
                for_steps -= 1;
            }
        }
        let for_said = wanted.min(spare(for_live + for_steps));
        if lines.len() >= for_lines && for_lines > 1 {
            let hidden = lines.len() - for_lines + 2;
            lines.truncate(for_lines - 2);
            let words = format!("   {hidden} more lines: t shows the full text");
            lines.push(Scene::styled(words, scene.theme.key()));
        }
        let (list, hidden) = steps::lines(scene, run, &listed, at, for_steps);
        let mut shown = list;
        shown.push(scene.titled(&title, &hidden));
        shown.extend(lines);
        shown.truncate(for_steps + for_lines);
        shown.extend(said.within(scene, for_said));
        shown.resize(room.saturating_sub(for_live).max(shown.len()), Vec::new());
        shown.extend(live.into_iter().take(for_live));
        shown
    }
}

/// Before the process of a run is there.
fn waiting(cx: &ViewCx<'_>, area: Rect, buf: &mut Buffer) {
    if let Some(line) = text::line_of(area, 0) {
        rule(cx.theme, line, buf, "RUN", true);
    }
    let desk = &cx.act.words.desk;
    let runs = &cx.act.known.runs;
    let book = desk.preparing.as_ref().map(|request| harmless_within(&request.book, 60));
    let (words, style) = match (book, runs.unprepared.as_ref().map(|(_, why)| why)) {
        (Some(book), _) => (format!("  starting the process of a run of {book}"), cx.theme.faint()),
        (None, Some(why)) => (
            format!("  it cannot be run: {}", harmless_within(why, LONGEST)),
            cx.theme.bad_notice(),
        ),
        (None, None) => ("  nothing is prepared".to_owned(), cx.theme.faint()),
    };
    let lines = text::wrap(&words, area.width.saturating_sub(4).into());
    let lines = lines.into_iter().map(|line| vec![(format!("  {line}").into(), style)]);
    let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    draw(cx, body, buf, lines.collect());
}

/// How long ago something was told.
fn ago(scene: &Scene<'_>, at: Timestamp) -> String {
    text::age_in_steps(scene.cx.act.now.since(at))
}

/// Why nothing may be ordered now, if so.
fn stale_now(scene: &Scene<'_>) -> Option<String> {
    stale(scene.followed, scene.cx.act.now)
}
