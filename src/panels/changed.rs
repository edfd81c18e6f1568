//! What changed last, while it may matter: one line above the others.

use super::{ActCx, Chosen, Kind, Panel, ViewCx};
use crate::domain::{Release, Status, harmless_within, units};
use crate::store::{Action, Change, Effect};
use crate::ui::Scope;
use crate::ui::layout::Need;
use crate::ui::text;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use std::time::Duration;

/// As the registry knows it.
pub const KIND: Kind =
    Kind { name: "changed", filtered: false, build: || Box::new(Changed::default()) };
/// On the page of one service: what bears on that one.
pub const HERE: Kind = Kind {
    name: "changed here",
    filtered: false,
    build: || Box::new(Changed { here: true, ..Changed::default() }),
};

/// A change is told for so long, whatever else is.
const FRESH: Duration = Duration::from_hours(1);
/// While something is wrong, one that nothing is known to have come of is told for so long.
const SUSPECT: Duration = Duration::from_hours(24);
const VERSION: usize = 24;

#[derive(Debug, Default)]
struct Changed {
    /// It is on the page of one service.
    here: bool,
    change: Option<Change>,
    /// The version before it.
    before: Option<String>,
    wrong: bool,
}

impl Changed {
    fn shown(&self, cx: &ActCx<'_>) -> Option<&Change> {
        let change = self.change.as_ref()?;
        let age = cx.now.since(change.release.at);
        let matters =
            age < FRESH || self.wrong && (change.before_first_error.is_some() || age < SUSPECT);
        matters.then_some(change)
    }
}

/// What is told on this page: of a service, what may bear on it.
fn found(cx: &ActCx<'_>, here: bool) -> Option<Change> {
    let last = cx.known.last_change();
    let Some(Chosen::Service(name)) = cx.subject.filter(|_| here) else { return last };
    let bears = |release: &Release| match &release.service {
        None => true,
        Some(of) => {
            let needs = cx.index.service(name).map_or(&[][..], |of| &of.depends_on);
            of == name || needs.contains(of)
        }
    };
    last.filter(|change| bears(&change.release)).or_else(|| {
        let release = cx.known.newest_release(name)?.clone();
        Some(Change { release, before_first_error: None, at_most: false })
    })
}

impl Panel for Changed {
    fn scope(&self) -> Scope {
        Scope::Global
    }

    fn takes_keys(&self) -> bool {
        false
    }

    fn need(&self, cx: &ActCx<'_>) -> Need {
        let lines = u16::from(self.shown(cx).is_some());
        Need { least: lines, most: lines, order: 0 }
    }

    fn refresh(&mut self, cx: &ActCx<'_>) {
        if !cx.changed {
            return;
        }
        self.change = if cx.known.releases.is_empty() { None } else { found(cx, self.here) };
        let before = self.change.as_ref().and_then(|of| cx.known.version_before(&of.release));
        self.before = before.map(ToOwned::to_owned);
        self.wrong = cx.known.verdict() >= Status::Warning;
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
        let (Some(change), Some(line)) = (self.shown(&cx.act), text::line_of(area, 0)) else {
            return None;
        };
        let release = &change.release;
        let at = text::moment(release.at, cx.act.now, cx.offset_min);
        let of = release.service.as_ref().map_or(String::new(), |of| format!("{of} "));
        let version = harmless_within(&release.version, VERSION);
        let from = self.before.as_ref().map_or(String::new(), |before| {
            format!("{}{}", harmless_within(before, VERSION), cx.theme.glyphs.arrow)
        });
        let by = if release.by.is_empty() {
            String::new()
        } else {
            format!(" by {}", harmless_within(&release.by, 30))
        };
        let issues = match release.new_issues {
            None | Some(0) => String::new(),
            Some(1) => ", 1 new issue".to_owned(),
            Some(many) => format!(", {many} new issues"),
        };
        let what = format!("{}{from}{version}", harmless_within(&of, 40));
        let first = change.before_first_error.map_or(String::new(), |before| {
            let most = if change.at_most { "at most " } else { "" };
            format!(", {most}{} before first error", units::age(before))
        });
        let style = if change.before_first_error.is_some() {
            cx.theme.status(Status::Warning)
        } else {
            cx.theme.text()
        };
        let parts = [
            (format!("changed: {at} ").into(), cx.theme.faint()),
            (what.into(), cx.theme.strong()),
            (by.into(), cx.theme.text()),
            (first.into(), style),
            (issues.into(), cx.theme.text()),
        ];
        text::write(buf, line, parts, cx.theme.glyphs.cut);
        None
    }
}
