//! The runs of this host, the newest first; those that wait for a person before all.

use super::desk;
use super::offers::outcome_status;
use super::{ActCx, Chosen, Kind, Panel, Rows, ViewCx, cells};
use crate::domain::runs::RunId;
use crate::domain::{Status, harmless_within};
use crate::runbook::{Next, Run, StepState};
use crate::store::{Action, Effect, Followed, Known};
use crate::ui::Scope;
use crate::ui::layout::Need;
use crate::ui::table::{Cell, Column, Table};
use crate::ui::text;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use std::fmt::Write as _;

/// As the registry knows it.
pub const KIND: Kind = Kind { name: "runs", filtered: true, build: || Box::new(Runs::default()) };

const COLUMNS: [Column; 6] = [
    Column::new("run", 5),
    Column::new("", 24).sharing(2),
    Column::new("who", 8).sharing(1).goes(2),
    Column::new("target", 12).sharing(1).goes(1),
    Column::new("state", 26).sharing(2),
    Column::new("began", 6).right(),
];

#[derive(Debug, Default)]
struct Runs {
    rows: Rows<RunId>,
}

/// The run as it is known best: as it is followed, else as it was read.
pub(crate) fn newest<'a>(known: &'a Known, run: &'a Run) -> &'a Run {
    known.runs.run(&run.id).unwrap_or(run)
}

/// Whether its process has died, and nobody has taken it up.
fn has_died(known: &Known, run: &Run) -> bool {
    run.ended.is_none() && heard(known, run).is_none() && known.runs.dead.contains(&run.id)
}

/// What its process tells, where that is followed and heard.
fn heard<'a>(known: &'a Known, run: &Run) -> Option<&'a Followed> {
    let followed = known.runs.followed.get(&run.id);
    followed.filter(|of| of.lost.is_none() && of.run.is_some())
}

/// Whether it waits for a person.
pub(crate) fn waits(known: &Known, run: &Run) -> bool {
    if run.ended.is_some() {
        return false;
    }
    if has_died(known, run) {
        return true;
    }
    match heard(known, run) {
        Some(followed) => desk::ask(followed).is_some(),
        None => match run.next() {
            Next::Step { step, .. } => run.plan.step(step).is_some_and(|step| match &step.kind {
                crate::domain::runs::StepKind::Command(command) => command.changes,
                crate::domain::runs::StepKind::Manual { .. } => true,
                crate::domain::runs::StepKind::Check(_) => false,
            }),
            Next::Decide(_) => true,
            Next::Settle(step) => {
                run.standing(step).is_some_and(|of| of.state == StepState::Unknown)
            }
            Next::End(..) => false,
        },
    }
}

/// What is to be said of a run in a few words, and how that looks.
pub(crate) fn state_of(known: &Known, run: &Run) -> (String, Status) {
    if let Some((_, outcome, _)) = &run.ended {
        return (outcome.word().to_owned(), outcome_status(*outcome));
    }
    let at = match run.next() {
        Next::Step { step, .. } | Next::Decide(step) | Next::Settle(step) => step.0,
        Next::End(..) => 0,
    };
    if has_died(known, run) {
        let words = if at == 0 { "died".to_owned() } else { format!("died at step {at}") };
        return (words, Status::Critical);
    }
    let failed = matches!(run.next(), Next::Decide(_));
    if waits(known, run) {
        let words =
            if failed { format!("step {at} failed, waits") } else { format!("waits at step {at}") };
        return (words, Status::Warning);
    }
    (format!("at step {at}"), Status::Ok)
}

impl Panel for Runs {
    fn scope(&self) -> Scope {
        Scope::Rows
    }

    fn need(&self, _: &ActCx<'_>) -> Need {
        self.rows.need(3, 0)
    }

    fn refresh(&mut self, cx: &ActCx<'_>) {
        let known = cx.known;
        let passing = known.runs.list.iter().map(|run| newest(known, run)).filter(|run| {
            let book = &run.plan.book;
            let told =
                [run.id.as_str(), book.id.as_str(), &book.title, &run.who.user, &run.plan.target];
            cells::passes(cx.filter, told)
        });
        let mut list: Vec<(bool, bool, RunId)> =
            passing.map(|run| (!waits(known, run), run.ended.is_some(), run.id.clone())).collect();
        list.sort_by_key(|(rests, ended, _)| (*rests, *ended));
        let exists = |id: &RunId| known.runs.list.iter().any(|run| run.id == *id);
        self.rows.set(list.into_iter().map(|(.., id)| id).collect(), exists);
    }

    fn act(&mut self, action: Action, cx: &ActCx<'_>) -> Option<Vec<Effect>> {
        let height = cx.area.height.saturating_sub(1);
        self.rows.act(action, height.into()).then(Vec::new)
    }

    fn chosen(&self, _: &ActCx<'_>) -> Option<Chosen> {
        self.rows.selected().cloned().map(Chosen::Run)
    }

    fn copied(&self, _: &ActCx<'_>) -> Option<String> {
        self.rows.selected().map(|id| format!("opsroom attach {id}"))
    }

    fn view(&self, cx: &ViewCx<'_>, area: Rect, buf: &mut Buffer) -> Option<Position> {
        let known = cx.act.known;
        let all = known.runs.list.len();
        let waiting = known.runs.list.iter().filter(|run| waits(known, newest(known, run))).count();
        let mut title = self.rows.title("RUNS on this host", all);
        if waiting > 0 {
            let _ = write!(
                title,
                ", {waiting} {} for a person",
                if waiting == 1 { "waits" } else { "wait" }
            );
        }
        let failure = known.runs.failure.as_ref().map(|why| {
            format!("the runs cannot be read: {}", harmless_within(why, cells::LONGEST))
        });
        let none = if all > 0 {
            "no run holds the filter's text"
        } else {
            "no runs on this host yet: r on an alert or a service offers its runbooks"
        };
        let empty = failure.as_deref().unwrap_or(none);
        let table = Table {
            title: &title,
            columns: &COLUMNS,
            rows: self.rows.len(),
            from: self.rows.from(area.height.saturating_sub(1).into()),
            selected: self.rows.at(),
            focused: cx.focused,
            empty,
        };
        table.draw(cx.theme, area, buf, |at| {
            let run = self.rows.get(at).and_then(|id| known.runs.run(id));
            run.map_or_else(Vec::new, |run| row(cx, run))
        });
        if let Some(why) = failure.filter(|_| !self.rows.is_empty())
            && let Some(line) = text::line_of(area, usize::from(area.height.saturating_sub(1)))
        {
            text::write(buf, line, [(format!("  {why}").into(), cx.theme.bad_notice())], "");
        }
        None
    }
}

fn row(cx: &ViewCx<'_>, run: &Run) -> Vec<Cell<'static>> {
    let theme = cx.theme;
    let (words, status) = state_of(cx.act.known, run);
    let proved = run.ended.is_some();
    let style = if status == Status::Ok && !proved { theme.text() } else { theme.status(status) };
    let glyph = if status == Status::Ok && !proved { " " } else { theme.glyphs.status(status) };
    let began = text::moment(run.started, cx.act.now, cx.offset_min);
    vec![
        Cell::new(harmless_within(run.id.as_str(), 20), theme.strong()),
        Cell::new(harmless_within(&run.plan.book.title, cells::LONGEST), theme.text()),
        Cell::new(harmless_within(&run.who.user, 40), theme.text()),
        Cell::new(harmless_within(&run.plan.target, 80), theme.text()),
        Cell::new(format!("{glyph} {words}"), style),
        Cell::new(began, theme.faint()),
    ]
}
