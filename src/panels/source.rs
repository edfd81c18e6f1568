//! One source: what it is asked, what it last brought, what could not be read.

use super::texts::{Fact, Scroll, draw, plain};
use super::{ActCx, Chosen, Kind, Panel, ViewCx, brought, cells};
use crate::domain::{Role, SourceId, SourceInfo, units};
use crate::store::{Action, Effect, WatchKind};
use crate::ui::Scope;
use crate::ui::layout::Need;
use crate::ui::table::rule;
use crate::ui::text;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// As the registry knows it.
pub const KIND: Kind =
    Kind { name: "source", filtered: false, build: || Box::new(OneSource::default()) };

#[derive(Debug, Default)]
struct OneSource {
    scroll: Scroll<SourceId>,
}

fn chosen<'a>(cx: &ActCx<'a>) -> Option<&'a SourceInfo> {
    let Some(Chosen::Source(id)) = cx.subject else { return None };
    cx.index.source(id)
}

impl Panel for OneSource {
    fn scope(&self) -> Scope {
        Scope::Text
    }

    fn need(&self, _: &ActCx<'_>) -> Need {
        Need { least: 8, most: u16::MAX, order: 1 }
    }

    fn refresh(&mut self, cx: &ActCx<'_>) {
        self.scroll.turn_to(chosen(cx).map(|source| source.id.clone()));
    }

    fn act(&mut self, action: Action, cx: &ActCx<'_>) -> Option<Vec<Effect>> {
        let facts = chosen(cx).map_or_else(Vec::new, |source| facts(cx, source, 0));
        self.scroll.act(action, cx.area, &facts).then(Vec::new)
    }

    fn chosen(&self, _: &ActCx<'_>) -> Option<Chosen> {
        None
    }

    fn copied(&self, cx: &ActCx<'_>) -> Option<String> {
        chosen(cx).map(|source| source.asks.clone())
    }

    fn view(&self, cx: &ViewCx<'_>, area: Rect, buf: &mut Buffer) -> Option<Position> {
        if let Some(line) = text::line_of(area, 0) {
            rule(cx.theme, line, buf, "SOURCE", cx.focused);
        }
        let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
        match chosen(&cx.act) {
            Some(source) => {
                self.scroll.draw(cx, body, buf, &facts(&cx.act, source, cx.offset_min));
            }
            None => draw(cx, body, buf, vec![plain(cx, "no source is selected")]),
        }
        None
    }
}

fn facts(cx: &ActCx<'_>, source: &SourceInfo, offset_min: i32) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut add = |name: &str, value: &str| facts.push((name.to_owned(), value.to_owned()));
    add("asks", &source.asks);
    let role = match &source.role {
        Role::Check(role) => format!("check {} of service {}", role.name, role.service),
        Role::Scrape { job } => format!("samples of job {job}"),
        Role::Server => "metrics server".into(),
        Role::Alerts => "alerts".into(),
        Role::Targets => "targets of the metrics server".into(),
        Role::Issues => "issues".into(),
        Role::Backup(role) => format!("backups of {}", role.name),
        Role::Releases => "releases".into(),
        Role::Canary => "tells whether this host has a network".into(),
    };
    let every = units::duration(source.every);
    let most = units::duration(source.timeout);
    add("for", &format!("{role}; every {every}, {most} at most; kind {}", source.kind));
    if let Some(note) = &source.note {
        add("note", note);
    }
    if !source.cost.is_empty() {
        add("costs", &source.cost);
    }
    let Some(state) = cx.known.sources.get(&source.id) else { return facts };
    if let Some((since, error)) = &state.failing {
        let for_how_long = text::age_in_steps(cx.now.since(*since));
        add("fails", &format!("{} (for {for_how_long})", error.message));
    }
    let answered = state.answered.filter(|_| !cells::unreached(cx.known, &source.id));
    let answered = answered.map_or_else(
        || {
            if state.answered.is_some() { "not by the last poll" } else { "never since the start" }
                .into()
        },
        |at| {
            let clock = text::clock_s(at, offset_min);
            format!("{clock}, {} ago", text::age_in_steps(cx.now.since(at)))
        },
    );
    add("answered", &answered);
    let took = units::duration(state.took);
    let late = units::duration(state.late);
    let polls = state.polls;
    let failed = match (state.failures, &source.role) {
        (0, Role::Check(_)) => String::new(),
        (failures, _) => format!(", {failures} failed"),
    };
    add("polls", &format!("{polls}{failed}; the last took {took}, {late} late"));
    facts.extend(brought::facts(cx, source, offset_min));
    for watch in cx.known.watch() {
        if watch.source.as_ref() == Some(&source.id) && watch.kind != WatchKind::Source {
            facts.push(("watching".to_owned(), watch.words));
        }
    }
    // What a check last brought is the check's, not the source's.
    let check = cx.known.checks.get(&source.id).map(|check| &check.standing);
    let backup = cx.known.backups.get(&source.id).map(|backup| &backup.standing);
    if let Some(standing) = check.or(backup) {
        let said = format!("{}: {}", standing.status, cells::reason(standing));
        facts.push(("says".to_owned(), said));
    }
    facts
}
