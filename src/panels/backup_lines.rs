//! Backups in a line or a few: what is wrong first, the rest beside each other.

use super::backups::{Found, age_of, in_order, restore_of};
use super::issue_lines::{AGE, WORD, room, write_line};
use super::{ActCx, Chosen, Kind, Panel, Rows, ViewCx, cells};
use crate::domain::{SourceId, Status, harmless_within};
use crate::store::{Action, Effect};
use crate::ui::Scope;
use crate::ui::layout::Need;
use crate::ui::text;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use std::borrow::Cow;

/// On the overview.
pub const KIND: Kind =
    Kind { name: "backup-lines", filtered: false, build: || Box::new(Lines::default()) };

/// On the page of a service: its own.
pub const OF_SERVICE: Kind = Kind {
    name: "service-backups",
    filtered: false,
    build: || Box::new(Lines { of_service: true, ..Lines::default() }),
};

/// A data set says something in this many columns.
const LEAST: usize = 20;
/// One that is ok, with its restore test, takes about so many.
const A_SET: u16 = 50;

#[derive(Debug, Default)]
struct Lines {
    of_service: bool,
    rows: Rows<SourceId>,
    /// So many of them are not ok; they come first.
    wrong: usize,
    known: bool,
}

impl Panel for Lines {
    fn scope(&self) -> Scope {
        Scope::Rows
    }

    fn need(&self, cx: &ActCx<'_>) -> Need {
        if self.rows.is_empty() {
            return Need { least: 0, most: 0, order: 3 };
        }
        // Those that are ok share lines.
        let each = usize::from(cx.area.width / A_SET).max(1);
        let lines = self.wrong + (self.rows.len() - self.wrong).div_ceil(each);
        let most = room(cx, self.of_service);
        let most = u16::try_from(lines).unwrap_or(u16::MAX).min(most);
        // What is wrong keeps its line on the smallest screen.
        Need { least: 1, most, order: if self.wrong > 0 { 0 } else { 3 } }
    }

    fn refresh(&mut self, cx: &ActCx<'_>) {
        if !cx.changed && self.known {
            return;
        }
        self.known = true;
        let all =
            in_order(cx).into_iter().filter(|(_, role, _)| match (self.of_service, cx.subject) {
                (true, Some(Chosen::Service(name))) => role.service.as_ref() == Some(name),
                (true, _) => false,
                (false, _) => true,
            });
        let all: Vec<Found<'_>> = all.collect();
        self.wrong = all.iter().filter(|(.., state)| state.standing.status != Status::Ok).count();
        let list = all.into_iter().map(|(id, ..)| id.clone()).collect();
        self.rows.set(list, |_| false);
    }

    fn act(&mut self, action: Action, cx: &ActCx<'_>) -> Option<Vec<Effect>> {
        self.rows.act(action, cx.area.height.into()).then(Vec::new)
    }

    fn chosen(&self, _: &ActCx<'_>) -> Option<Chosen> {
        self.rows.selected().cloned().map(Chosen::Backup)
    }

    fn copied(&self, cx: &ActCx<'_>) -> Option<String> {
        let id = self.rows.selected()?;
        let standing = &cx.known.backups.get(id)?.standing;
        let name = &cx.index.backup(id)?.name;
        Some(format!("backup {name} {}: {}", standing.status, cells::reason(standing)))
    }

    fn view(&self, cx: &ViewCx<'_>, area: Rect, buf: &mut Buffer) -> Option<Position> {
        let height = usize::from(area.height);
        let chosen = self.rows.at().unwrap_or(0);
        let mut from = 0;
        for at in 0..height {
            let Some(place) = text::line_of(area, at) else { break };
            if from >= self.rows.len() {
                break;
            }
            let last = at + 1 == height;
            let alone = from < self.wrong && !last;
            // Where several share a line it begins with the selected one.
            let begins = if cx.focused && !alone { chosen.max(from) } else { from };
            let selected = cx.focused && if alone { chosen == from } else { chosen >= from };
            let until = if alone { begins + 1 } else { self.rows.len() };
            let sets = (begins..until).filter_map(|i| self.rows.get(i));
            let shown = line(cx, place, buf, sets, selected, last);
            from = begins + shown.max(1);
        }
        None
    }
}

/// One line with as many data sets as there is room for; gives how many. The
/// last line tells how many are left.
fn line<'a>(
    cx: &ViewCx<'_>,
    place: Rect,
    buf: &mut Buffer,
    sets: impl Iterator<Item = &'a SourceId>,
    selected: bool,
    closing: bool,
) -> usize {
    let theme = cx.theme;
    let sets: Vec<&SourceId> = sets.collect();
    let room = usize::from(place.width.saturating_sub(AGE)).saturating_sub(WORD + 1);
    let bar = format!(" {} ", theme.glyphs.bar);
    let more = |left: usize| {
        if left == 0 || !closing { String::new() } else { format!("{bar}+{left} more") }
    };
    let mut parts: Vec<(Cow<'static, str>, Style)> = Vec::new();
    let (mut used, mut shown, mut oldest) = (0, 0, None);
    for (at, id) in sets.iter().enumerate() {
        let Some((part, style)) = set(cx, id) else { continue };
        let end = text::width(&more(sets.len() - at - 1));
        let wide = text::width(&part) + text::width(&bar);
        let least = wide.min(text::width(&bar) + LEAST);
        if shown > 0 && used + least + end > room {
            break;
        }
        if shown > 0 {
            parts.push((bar.clone().into(), theme.faint()));
        }
        let gap = if shown > 0 { text::width(&bar) } else { 0 };
        let left = room.saturating_sub(used + gap + end);
        // Its restore test is told whole or not at all.
        let part = match part.split_once(", restore") {
            Some((head, _)) if text::width(&part) > left => head.to_owned(),
            _ => part,
        };
        let part = text::cut(&part, left, theme.glyphs.cut).into_owned();
        used += gap + text::width(&part);
        parts.push((part.into(), style));
        shown += 1;
        let looked = cx.act.known.backups.get(*id).and_then(|state| state.looked);
        oldest = oldest.into_iter().chain(looked).min();
    }
    parts.push((more(sets.len() - shown).into(), theme.faint()));
    let age = oldest.map_or_else(|| "-".into(), |at| text::age_in_steps(cx.act.now.since(at)));
    write_line(cx, place, buf, ("BACKUP", &age), parts, selected);
    shown
}

/// `files 3h/26h, restored 6d ago`, `orders ! 27h old, 26h allowed`.
fn set(cx: &ViewCx<'_>, id: &SourceId) -> Option<(String, Style)> {
    let theme = cx.theme;
    let role = cx.act.index.backup(id)?;
    let state = cx.act.known.backups.get(id)?;
    let name = harmless_within(&role.name, 24);
    let standing = &state.standing;
    let status = standing.status;
    if status != Status::Ok {
        let reason = cells::reason(standing);
        let style = theme.status(status);
        return Some((format!("{name} {} {reason}", theme.glyphs.status(status)), style));
    }
    let (age, _) = age_of(&cx.act, role, state);
    let restored = match state.last.as_deref().map(|reading| restore_of(&cx.act, role, reading)) {
        Some((shown, _)) if shown.ends_with("ago") => format!(", restored {shown}"),
        Some((shown, _)) => format!(", restore {shown}"),
        None => String::new(),
    };
    Some((format!("{name} {age}{restored}"), theme.text()))
}
