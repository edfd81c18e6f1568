//! Runs and runbooks in a line each, on the overview: what goes on here, and
//! the runbook for what is selected.

use super::desk::About;
use super::issue_lines::write_line;
use super::offers::{fitting, last_run, of_service, rehearsed, why};
use super::runs::{newest, state_of, waits};
use super::{ActCx, Chosen, Kind, Panel, ViewCx};
use crate::domain::{Status, harmless_within};
use crate::runbook::{BookLine, Library};
use crate::store::{Action, Effect};
use crate::ui::Scope;
use crate::ui::layout::Need;
use crate::ui::text;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use std::borrow::Cow;
use std::sync::Arc;

/// As the registry knows it.
pub const KIND: Kind =
    Kind { name: "run-lines", filtered: false, build: || Box::new(Lines::default()) };

#[derive(Debug, Default)]
struct Lines {
    about: About,
    fitting: Vec<BookLine>,
    known: bool,
    /// The library that was looked through.
    library: Arc<Library>,
}

/// What is selected, as something that runbooks are for.
pub(crate) fn about(cx: &ActCx<'_>) -> About {
    match cx.subject {
        Some(Chosen::Alert(identity)) => About { alert: Some(*identity), service: None },
        Some(Chosen::Service(name)) => of_service(cx.known, Some(name.clone())),
        _ => About::default(),
    }
}

impl Lines {
    fn has_runs(cx: &ActCx<'_>) -> bool {
        !cx.known.runs.list.is_empty()
    }
}

impl Panel for Lines {
    fn scope(&self) -> Scope {
        Scope::Global
    }

    fn takes_keys(&self) -> bool {
        false
    }

    fn need(&self, cx: &ActCx<'_>) -> Need {
        let lines = u16::from(Self::has_runs(cx)) + u16::from(!self.fitting.is_empty());
        Need { least: lines, most: lines, order: 0 }
    }

    fn refresh(&mut self, cx: &ActCx<'_>) {
        let about = about(cx);
        let library = &cx.known.runs.library;
        let same = Arc::ptr_eq(&self.library, library) && self.about == about;
        if cx.changed || !self.known || !same {
            self.known = true;
            self.library = Arc::clone(library);
            self.fitting =
                if about == About::default() { Vec::new() } else { fitting(cx.known, &about) };
            self.about = about;
        }
    }

    fn act(&mut self, _: Action, _: &ActCx<'_>) -> Option<Vec<Effect>> {
        None
    }

    fn chosen(&self, _: &ActCx<'_>) -> Option<Chosen> {
        None
    }

    fn copied(&self, _: &ActCx<'_>) -> Option<String> {
        None
    }

    fn view(&self, cx: &ViewCx<'_>, area: Rect, buf: &mut Buffer) -> Option<Position> {
        let mut at = 0;
        if Self::has_runs(&cx.act) {
            if let Some(line) = text::line_of(area, at) {
                runs(cx, line, buf);
            }
            at += 1;
        }
        if let Some(first) = self.fitting.first()
            && let Some(line) = text::line_of(area, at)
        {
            books(cx, line, buf, first, self.fitting.len() - 1);
        }
        None
    }
}

fn runs(cx: &ViewCx<'_>, line: Rect, buf: &mut Buffer) {
    let known = cx.act.known;
    let theme = cx.theme;
    let all = || known.runs.list.iter().map(|run| newest(known, run));
    let going = all().filter(|run| run.ended.is_none()).count();
    let waiting = all().filter(|run| waits(known, run)).count();
    let mut parts: Vec<(Cow<'static, str>, Style)> = Vec::new();
    let count = if going == 0 { "none goes on".to_owned() } else { format!("{going} here") };
    parts.push((count.into(), theme.text()));
    // Where none goes on, none waits.
    if going > 0 {
        let style = if waiting > 0 { theme.status(Status::Warning) } else { theme.text() };
        let wait = if waiting == 1 { "waits" } else { "wait" };
        parts.push(("; ".into(), theme.text()));
        parts.push((format!("{waiting} {wait} for a person").into(), style));
    }
    let first = all().find(|run| waits(known, run)).or_else(|| all().next());
    if let Some(run) = first {
        let (state, status) = state_of(known, run);
        let looks = run.ended.is_some() || status != Status::Ok;
        let style = if looks { theme.status(status) } else { theme.text() };
        let title = harmless_within(&run.plan.book.title, 60);
        let who = harmless_within(&run.who.user, 30);
        parts.push((
            format!(" {} {} {title} by {who}: ", theme.glyphs.bar, run.id).into(),
            theme.text(),
        ));
        parts.push((state.into(), style));
        let at = run.ended.as_ref().map_or(run.started, |(at, ..)| *at);
        let age = text::age_in_steps(cx.act.now.since(at));
        write_line(cx, line, buf, ("RUNS", &age), parts, false);
        return;
    }
    write_line(cx, line, buf, ("RUNS", ""), parts, false);
}

fn books(cx: &ViewCx<'_>, line: Rect, buf: &mut Buffer, first: &BookLine, more: usize) {
    let theme = cx.theme;
    let past = cx.act.known.runs.library.past.get(&first.book);
    let (run, status) = last_run(past, cx.act.now);
    let (tried, tried_status) = rehearsed(past, cx.act.now);
    let look = |status: Status| {
        if status == Status::Ok { theme.text() } else { theme.status(status) }
    };
    let name = harmless_within(first.book.as_str(), 60);
    let more = if more > 0 { format!(" {} +{more} more", theme.glyphs.bar) } else { String::new() };
    let why = match first.lacks.first() {
        Some(lacks) => harmless_within(&format!("needs vars.{lacks}"), 60),
        None => why(first.fit).to_owned(),
    };
    let run = if run == "never" { "never run".to_owned() } else { format!("last run {run}") };
    let tried =
        if tried == "never" { "never rehearsed".into() } else { format!("rehearsed {tried} ago") };
    let parts: Vec<(Cow<'static, str>, Style)> = vec![
        (name.into(), theme.strong()),
        (format!(": {why}, ").into(), theme.text()),
        (run.into(), look(status)),
        (", ".into(), theme.text()),
        (tried.into(), look(tried_status)),
        (more.into(), theme.key()),
    ];
    write_line(cx, line, buf, ("BOOKS", "r"), parts, false);
}
