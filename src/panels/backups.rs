//! The backups of all data sets against what is wanted of them, worst first.

use super::{ActCx, Chosen, Kind, Panel, Rows, ViewCx, cells};
use crate::domain::{BackupReading, BackupRole, SourceId, Status, harmless_within, units};
use crate::store::{Action, BackupState, Effect, Look};
use crate::ui::Scope;
use crate::ui::layout::Need;
use crate::ui::table::{Cell, Column, Table, fit};
use crate::ui::text;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use std::cmp::Reverse;

/// As the registry knows it.
pub const KIND: Kind =
    Kind { name: "backups", filtered: true, build: || Box::new(Backups::default()) };

#[derive(Debug, Default)]
struct Backups {
    rows: Rows<SourceId>,
    all: usize,
}

/// Which columns are numbers, and which tells why.
const FIRST_NUMBER: usize = 3;
const WHY: usize = 10;
const COLUMNS: [Column; 12] = [
    Column::new("", 1),
    Column::new("", 4),
    Column::new("", 12).sharing(1),
    Column::new("last/rpo", 10).right(),
    Column::new("size", 7).right(),
    Column::new("change", 6).right(),
    Column::new("kept", 4).right().goes(2),
    Column::new("restore", 11),
    Column::new("takes/rto", 9).right().goes(3),
    Column::new("tool", 10).goes(4),
    Column::new("why", 25).sharing(3).goes(5),
    Column::new("looked", 6).right(),
];

/// A data set: its source, what is wanted, and how it stands.
pub(super) type Found<'a> = (&'a SourceId, &'a BackupRole, &'a BackupState);

/// All data sets, worst first, then in the order of the config.
pub(super) fn in_order<'a>(cx: &ActCx<'a>) -> Vec<Found<'a>> {
    let found = cx
        .index
        .backups()
        .filter_map(|(source, role)| Some((&source.id, role, cx.known.backups.get(&source.id)?)));
    let mut all: Vec<_> = found.collect();
    all.sort_by_key(|(_, _, state)| Reverse(state.standing.status));
    all
}

/// `27h/26h`: the age of the last good one against what is allowed.
pub(super) fn age_of(cx: &ActCx<'_>, role: &BackupRole, state: &BackupState) -> (String, Status) {
    let rpo = units::age(role.rpo);
    match (state.age(cx.now), &state.last) {
        (Some(age), _) => {
            let status = if age > role.rpo { Status::Critical } else { Status::Ok };
            (format!("{}/{rpo}", units::age(age)), status)
        }
        (None, Some(_)) => (format!("none/{rpo}"), Status::Critical),
        (None, None) => (format!("?/{rpo}"), Status::Unknown),
    }
}

/// `6d ago`, `never tried`: the last restore that was tried.
pub(super) fn restore_of(
    cx: &ActCx<'_>,
    role: &BackupRole,
    reading: &BackupReading,
) -> (String, Status) {
    let Some(restore) = &reading.restore else {
        let status = if role.restore_test.is_some() { Status::Warning } else { Status::Ok };
        return ("never tried".into(), status);
    };
    let age = cx.now.since(restore.at);
    let shown = units::age(age);
    if !restore.good {
        return (format!("failed {shown}"), Status::Warning);
    }
    let late = role.restore_test.is_some_and(|wanted| age > wanted);
    (format!("{shown} ago"), if late { Status::Warning } else { Status::Ok })
}

/// Bytes in few columns.
#[expect(clippy::cast_precision_loss, reason = "three digits of it are shown")]
pub(super) fn bytes(of: u64) -> String {
    units::bytes(of as f64)
}

/// `-52%`
pub(super) fn percent(share: f64) -> String {
    if share >= 9.995 { ">+999%".into() } else { format!("{:+.0}%", share * 100.0) }
}

impl Panel for Backups {
    fn scope(&self) -> Scope {
        Scope::Rows
    }

    fn need(&self, _: &ActCx<'_>) -> Need {
        self.rows.need(6, 0)
    }

    fn refresh(&mut self, cx: &ActCx<'_>) {
        if !cx.changed && !self.rows.is_empty() {
            return;
        }
        let all = in_order(cx);
        self.all = all.len();
        let passes = |role: &BackupRole, state: &BackupState| {
            let service = role.service.as_ref().map_or("", |name| name.as_str());
            let standing = &state.standing;
            let reading = state.last.as_ref();
            let tool = reading.and_then(|of| of.tool.as_deref()).unwrap_or_default();
            let texts =
                [role.name.as_str(), service, standing.status.word(), &standing.reason, tool];
            cells::passes(cx.filter, texts)
        };
        let shown = all.into_iter().filter(|(_, role, state)| passes(role, state));
        let list = shown.map(|(id, ..)| id.clone()).collect();
        self.rows.set(list, |id| cx.known.backups.contains_key(id));
    }

    fn act(&mut self, action: Action, cx: &ActCx<'_>) -> Option<Vec<Effect>> {
        let height = cx.area.height.saturating_sub(1);
        self.rows.act(action, height.into()).then(Vec::new)
    }

    fn chosen(&self, _: &ActCx<'_>) -> Option<Chosen> {
        self.rows.selected().cloned().map(Chosen::Backup)
    }

    fn choose(&mut self, wanted: &Chosen) {
        if let Chosen::Backup(id) = wanted {
            self.rows.choose(id);
        }
    }

    fn copied(&self, cx: &ActCx<'_>) -> Option<String> {
        let id = self.rows.selected()?;
        let standing = &cx.known.backups.get(id)?.standing;
        let name = &cx.index.backup(id)?.name;
        Some(format!("backup {name} {}: {}", standing.status, cells::reason(standing)))
    }

    fn view(&self, cx: &ViewCx<'_>, area: Rect, buf: &mut Buffer) -> Option<Position> {
        let title = self.rows.title("BACKUPS", self.all);
        let told = fit(&COLUMNS, area.width)[WHY].is_some();
        let table = Table {
            title: &title,
            columns: &COLUMNS,
            rows: self.rows.len(),
            from: self.rows.from(area.height.saturating_sub(1).into()),
            selected: self.rows.at(),
            focused: cx.focused,
            empty: if self.all == 0 {
                "no backups: the config names none"
            } else {
                "no backup holds the filter's text"
            },
        };
        table.draw(cx.theme, area, buf, |i| {
            let Some(id) = self.rows.get(i) else { return Vec::new() };
            let (role, state) = (cx.act.index.backup(id), cx.act.known.backups.get(id));
            let Some((role, state)) = role.zip(state) else { return Vec::new() };
            row(cx, id, role, state, told)
        });
        None
    }
}

/// `told`: there is a column that tells why.
fn row(
    cx: &ViewCx<'_>,
    id: &SourceId,
    role: &BackupRole,
    state: &BackupState,
    told: bool,
) -> Vec<Cell<'static>> {
    let theme = cx.theme;
    let coloured = |(text, status): (String, Status)| {
        let style = if status == Status::Ok { theme.text() } else { theme.status(status) };
        Cell::new(text, style)
    };
    let standing = &state.standing;
    let [glyph, word] = cells::standing(cx, standing);
    let reading = state.last.as_deref();
    let checked = cx.act.looking(id, &Look::Verify).is_some();
    let running = match reading.and_then(|of| of.running.as_ref()) {
        _ if checked => ", in full check",
        Some(_) => ", running",
        None => "",
    };
    let name = format!("{}{running}", harmless_within(&role.name, 100));
    let mut row = vec![glyph, word, Cell::new(name, theme.strong())];
    let bad = standing.status != Status::Ok;
    let reason = cells::reason(standing);
    let old = standing.mark == Some(crate::store::Mark::Stale);
    let looked = cells::age(cx, state.looked, old);
    let Some(reading) = reading.filter(|_| told || !bad) else {
        // The reason is worth more than the numbers that it follows from.
        row.push(coloured(age_of(&cx.act, role, state)));
        row.push(Cell::new(format!("  {reason}"), theme.text()).over(WHY - FIRST_NUMBER - 1));
        row.extend((FIRST_NUMBER + 2..=WHY).map(|_| Cell::default()));
        row.push(looked);
        return row;
    };
    row.push(coloured(age_of(&cx.act, role, state)));
    let size = state.last_good().and_then(|good| good.size);
    row.push(Cell::new(size.map_or_else(|| "-".into(), bytes), theme.text()));
    row.push(state.size_change().map_or_else(
        || Cell::new("-", theme.faint()),
        |change| {
            let status = if change.is_half() { Status::Warning } else { Status::Ok };
            coloured((percent(change.share()), status))
        },
    ));
    let few = role.keep.is_some_and(|keep| reading.count < u64::from(keep));
    let kept = if few { Status::Warning } else { Status::Ok };
    row.push(coloured((reading.count.to_string(), kept)));
    row.push(coloured(restore_of(&cx.act, role, reading)));
    row.push(match state.restore_estimate() {
        Some(estimate) => {
            let late = role.rto.is_some_and(|rto| estimate.takes > rto);
            let wanted = role.rto.map_or_else(String::new, |rto| format!("/{}", units::age(rto)));
            let status = if late { Status::Warning } else { Status::Ok };
            coloured((format!("{}{wanted}", units::duration(estimate.takes)), status))
        }
        None => Cell::new("-", theme.faint()),
    });
    let tool = reading.tool.as_deref().and_then(|tool| tool.split(' ').next()).unwrap_or("-");
    row.push(Cell::new(harmless_within(tool, 40), theme.faint()));
    let running = reading.running.as_ref().map(|running| {
        let since = running.since.map(|since| text::age_in_steps(cx.act.now.since(since)));
        since.map_or_else(|| "running".to_owned(), |since| format!("running for {since}"))
    });
    let why = if bad { reason } else { running.unwrap_or_default() };
    row.push(Cell::new(why, theme.text()));
    row.push(looked);
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_of_size_have_a_sign_and_few_columns() {
        assert_eq!([percent(-0.516), percent(0.0), percent(1.2)], ["-52%", "+0%", "+120%"]);
        assert_eq!(percent(1e9), ">+999%");
    }

    #[test]
    fn there_is_a_column_for_every_cell() {
        assert_eq!(COLUMNS[FIRST_NUMBER].name, "last/rpo");
        assert_eq!(COLUMNS[WHY].name, "why");
        assert!(fit(&COLUMNS, 80)[WHY].is_none() && fit(&COLUMNS, 120)[WHY].is_some());
    }
}
