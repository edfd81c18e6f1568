//! The backups of one data set: all that is known of them, and their history.

use super::backups::{age_of, bytes, percent, restore_of};
use super::texts::{Scroll, Toned, draw, plain};
use super::{ActCx, Chosen, Kind, Panel, ViewCx, cells};
use crate::domain::{
    BackupReading, BackupRole, SourceId, Status, Timestamp, harmless_within, units,
};
use crate::store::{Action, BackupState, Effect, Look, Seen};
use crate::ui::glyphs::{Glyphs, UNICODE, short_word};
use crate::ui::layout::Need;
use crate::ui::sparkline::{bar, heights};
use crate::ui::table::rule;
use crate::ui::{Scope, text};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// As the registry knows it.
pub const KIND: Kind =
    Kind { name: "backup", filtered: false, build: || Box::new(OneBackup::default()) };

/// So many sizes are drawn.
const DRAWN: usize = 30;
/// Cells of the longest bar.
const BAR: usize = 24;

#[derive(Debug, Default)]
struct OneBackup {
    scroll: Scroll<SourceId>,
}

fn chosen<'a>(cx: &ActCx<'a>) -> Option<(&'a SourceId, &'a BackupRole, &'a BackupState)> {
    let Some(Chosen::Backup(id)) = cx.subject else { return None };
    Some((id, cx.index.backup(id)?, cx.known.backups.get(id)?))
}

impl Panel for OneBackup {
    fn scope(&self) -> Scope {
        Scope::Text
    }

    fn need(&self, cx: &ActCx<'_>) -> Need {
        Need { least: cx.area.height / 2, most: u16::MAX, order: 1 }
    }

    fn refresh(&mut self, cx: &ActCx<'_>) {
        self.scroll.turn_to(chosen(cx).map(|(id, ..)| id.clone()));
    }

    fn act(&mut self, action: Action, cx: &ActCx<'_>) -> Option<Vec<Effect>> {
        let facts = facts(cx, (0, &UNICODE));
        self.scroll.act(action, cx.area, &facts).then(Vec::new)
    }

    fn chosen(&self, _: &ActCx<'_>) -> Option<Chosen> {
        None
    }

    fn copied(&self, cx: &ActCx<'_>) -> Option<String> {
        let (_, role, state) = chosen(cx)?;
        let place = state.last.as_ref().map_or("", |reading| &reading.place);
        Some(format!("{} {place}", role.name).trim().to_owned())
    }

    fn view(&self, cx: &ViewCx<'_>, area: Rect, buf: &mut Buffer) -> Option<Position> {
        let found = chosen(&cx.act);
        if let Some(line) = text::line_of(area, 0) {
            let name = found.map_or("", |(_, role, _)| role.name.as_str());
            let title = format!("BACKUP {}", harmless_within(name, 60));
            rule(cx.theme, line, buf, title.trim_end(), cx.focused);
        }
        let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
        if found.is_some() {
            let facts = facts(&cx.act, (cx.offset_min, cx.theme.glyphs));
            self.scroll.draw(cx, body, buf, &facts);
        } else {
            draw(cx, body, buf, vec![plain(cx, "no backup is selected")]);
        }
        None
    }
}

fn facts(cx: &ActCx<'_>, (offset_min, glyphs): (i32, &Glyphs)) -> Vec<Toned> {
    let Some((id, role, state)) = chosen(cx) else { return Vec::new() };
    let mut facts = Vec::new();
    standing(cx, id, state, offset_min, &mut facts);
    let Some(reading) = state.last.as_deref() else {
        wanted(role, &mut facts);
        full_check(cx, id, &mut facts);
        return facts;
    };
    last(cx, role, state, offset_min, &mut facts);
    sizes(cx, state, offset_min, glyphs, &mut facts);
    kept(cx, role, reading, &mut facts);
    restore(cx, role, state, reading, &mut facts);
    full_check(cx, id, &mut facts);
    place(cx, role, reading, &mut facts);
    history(cx, reading, offset_min, glyphs, &mut facts);
    facts
}

/// How they stand, and all that is wrong.
fn standing(
    cx: &ActCx<'_>,
    id: &SourceId,
    state: &BackupState,
    offset_min: i32,
    facts: &mut Vec<Toned>,
) {
    let of = &state.standing;
    let reason = cells::reason(of);
    let since = if of.is_waiting() {
        String::new()
    } else {
        let moment = text::moment(of.since, cx.now, offset_min);
        if of.since_at_least {
            format!(" (since {moment} or earlier)")
        } else {
            format!(" (since {moment}, for {})", text::age_in_steps(cx.now.since(of.since)))
        }
    };
    let separator = if reason.is_empty() { "" } else { ": " };
    facts.push(Toned::new("is", format!("{}{separator}{reason}{since}", of.status)).of(of.status));
    for concern in &state.concerns {
        // The first one is the reason.
        if !reason.contains(&*harmless_within(&concern.words, cells::LONGEST)) {
            facts.push(Toned::new("also", &concern.words).of(concern.status));
        }
    }
    // Why the last look found nothing is the last of the notes.
    let failing = cx.known.sources.get(id).and_then(|source| source.failing.as_ref());
    let (why, notes) = match (failing, state.notes.split_last()) {
        (Some((since, _)), Some((why, notes))) => (Some((since, why)), notes),
        _ => (None, &state.notes[..]),
    };
    if let Some((since, why)) = why {
        let held = text::age_in_steps(cx.now.since(*since));
        facts.push(Toned::new("looks fail", format!("{why} (for {held})")).of(Status::Unknown));
    }
    for note in notes {
        facts.push(Toned::new("note", note));
    }
    for note in &state.advisories {
        facts.push(Toned::new("advisory", note));
    }
    if let Some(looked) = state.looked {
        let clock = text::moment(looked, cx.now, offset_min);
        let took = state.last.as_ref().map(|reading| units::duration(reading.took));
        let took = took.map_or_else(String::new, |took| format!(", took {took}"));
        let age = text::age_in_steps(cx.now.since(looked));
        facts.push(Toned::new("looked", format!("{age} ago, {clock}{took}")));
    }
}

/// When something was: the time of day, with its date if that was not today.
fn when(cx: &ActCx<'_>, at: Timestamp, offset_min: i32) -> String {
    let (moment, clock) = (text::moment(at, cx.now, offset_min), text::clock(at, offset_min));
    if moment == clock { clock } else { format!("{moment} {clock}") }
}

/// What is wanted, where nothing else can be told yet.
fn wanted(role: &BackupRole, facts: &mut Vec<Toned>) {
    facts.push(Toned::new("wanted", format!("one every {}", units::age(role.rpo))));
}

fn last(
    cx: &ActCx<'_>,
    role: &BackupRole,
    state: &BackupState,
    offset_min: i32,
    facts: &mut Vec<Toned>,
) {
    let (_, status) = age_of(cx, role, state);
    let wanted = units::age(role.rpo);
    let told = match state.last_good() {
        Some(good) => {
            let age = units::age(cx.now.since(good.taken));
            let moment = when(cx, good.taken, offset_min);
            let took = good
                .took
                .map_or_else(String::new, |took| format!(", took {}", units::duration(took)));
            let host = good.host.as_ref().map_or_else(String::new, |host| format!(", from {host}"));
            format!("{age} old, {wanted} allowed: {moment}, {}{took}{host}", good.id)
        }
        None => format!("none, one every {wanted} wanted"),
    };
    facts.push(Toned::new("last good", told).of(status));
    if let Some(running) = state.last.as_ref().and_then(|reading| reading.running.as_ref()) {
        let since = running.since.map(|since| text::age_in_steps(cx.now.since(since)));
        let since = since.map_or_else(String::new, |since| format!(" for {since}"));
        let by = if running.by.is_empty() { String::new() } else { format!(", by {}", running.by) };
        facts.push(Toned::new("runs now", format!("one is being made{since}{by}")));
    }
}

fn sizes(
    cx: &ActCx<'_>,
    state: &BackupState,
    offset_min: i32,
    glyphs: &Glyphs,
    facts: &mut Vec<Toned>,
) {
    if let Some(change) = state.size_change() {
        let status = if change.is_half() { Status::Warning } else { Status::Ok };
        let told = format!(
            "{}, {} against the {} usual (of the {} before)",
            bytes(change.size),
            percent(change.share()),
            bytes(change.usual),
            change.of
        );
        facts.push(Toned::new("size", told).of(status));
    } else if let Some(size) = state.last_good().and_then(|good| good.size) {
        facts.push(Toned::new("size", bytes(size)));
    }
    let sizes = state.sizes();
    let shown = &sizes[sizes.len().saturating_sub(DRAWN)..];
    if let (true, Some((first, ..))) = (shown.len() > 1, shown.first()) {
        #[expect(clippy::cast_precision_loss, reason = "drawn in eight heights")]
        let values: Vec<_> = shown.iter().map(|(_, size, _)| Some(*size as f64)).collect();
        let drawn = heights(&values, DRAWN, glyphs);
        let cells = drawn.chars().zip(shown);
        let marked: String =
            cells.map(|(cell, (.., good))| if *good { cell } else { 'x' }).collect();
        let faults = shown.iter().filter(|(.., good)| !good).count();
        let faults = if faults > 0 { format!(", x: {faults} faulty") } else { String::new() };
        let from = text::moment(*first, cx.now, offset_min);
        let told = format!("{marked} the last {} since {from}{faults}", shown.len());
        facts.push(Toned::new("sizes", told).one_line());
    }
}

fn kept(cx: &ActCx<'_>, role: &BackupRole, reading: &BackupReading, facts: &mut Vec<Toned>) {
    let few = role.keep.is_some_and(|keep| reading.count < u64::from(keep));
    let keep = role.keep.map_or_else(String::new, |keep| format!(", {keep} wanted"));
    let oldest = reading.snapshots.iter().map(|one| one.taken).min();
    // Of very many only the newest are known.
    let whole = u64::try_from(reading.snapshots.len()).is_ok_and(|known| known >= reading.count);
    let oldest = oldest.filter(|_| whole).map_or_else(String::new, |oldest| {
        format!("; the oldest is {} old", units::age(cx.now.since(oldest)))
    });
    let span =
        role.keep_for.map_or_else(String::new, |wanted| format!(", {} wanted", units::age(wanted)));
    let told = format!("{}{keep}{oldest}{span}", reading.count);
    facts.push(Toned::new("kept", told).of(if few { Status::Warning } else { Status::Ok }));
}

fn restore(
    cx: &ActCx<'_>,
    role: &BackupRole,
    state: &BackupState,
    reading: &BackupReading,
    facts: &mut Vec<Toned>,
) {
    let (shown, status) = restore_of(cx, role, reading);
    let wanted = role
        .restore_test
        .map_or_else(String::new, |wanted| format!("; wanted every {}", units::age(wanted)));
    let told = match &reading.restore {
        Some(restore) => {
            let said = if restore.good { "tried and verified" } else { "tried and failed" };
            let age = units::age(cx.now.since(restore.at));
            let took = restore.took.map_or_else(String::new, |took| {
                let of =
                    restore.size.map_or_else(String::new, |size| format!(" for {}", bytes(size)));
                format!(", took {}{of}", units::duration(took))
            });
            let words = if restore.words.is_empty() {
                String::new()
            } else {
                format!(", {}", restore.words)
            };
            format!("{said} {age} ago{took}{words}{wanted}")
        }
        None => format!("{shown}{wanted}"),
    };
    facts.push(Toned::new("restore", told).of(status));
    if let Some(estimate) = state.restore_estimate() {
        let rto = role.rto.map_or_else(String::new, |rto| format!(", {} allowed", units::age(rto)));
        let late = role.rto.is_some_and(|rto| estimate.takes > rto);
        let told = format!("~{} {}{rto}", units::duration(estimate.takes), estimate.basis);
        facts.push(Toned::new("would take", told).of(if late {
            Status::Warning
        } else {
            Status::Ok
        }));
    } else if let Some(rto) = role.rto {
        let told = format!("unknown, {} allowed: nothing tells how fast", units::age(rto));
        facts.push(Toned::new("would take", told));
    }
}

/// What the last full check found, and how one is made.
fn full_check(cx: &ActCx<'_>, id: &SourceId, facts: &mut Vec<Toned>) {
    const NAME: &str = "full check";
    if let Some(since) = cx.looking(id, &Look::Verify) {
        let held = text::age_in_steps(cx.now.since(since));
        facts.push(Toned::new(NAME, format!("checking all of it, for {held}")));
    }
    let Some(looked) = cx.looked(id, &Look::Verify) else {
        if cx.looking(id, &Look::Verify).is_none() {
            facts.push(
                Toned::new(NAME, "none since the start; v makes one and reads all of it").faint(),
            );
        }
        return;
    };
    let (told, status) = result(looked);
    let ago = text::age_in_steps(cx.now.since(looked.at));
    facts.push(Toned::new(NAME, format!("{ago} ago: {told}")).of(status));
}

/// What a full check found, in words.
pub(crate) fn result(looked: &crate::store::Looked) -> (String, Status) {
    match &looked.outcome {
        Ok(Seen::Verified(check)) => {
            let took = units::duration(check.took);
            (format!("{}: {} ({}, took {took})", check.status, check.words, check.of), check.status)
        }
        Ok(Seen::Event(_)) => ("it answers something else".into(), Status::Unknown),
        Err(error) => (format!("not done: {}", error.message), Status::Unknown),
    }
}

fn place(cx: &ActCx<'_>, role: &BackupRole, reading: &BackupReading, facts: &mut Vec<Toned>) {
    let told = |is: Option<bool>, yes: &'static str, no: &'static str| match is {
        Some(true) => Some(yes),
        Some(false) => Some(no),
        None => None,
    };
    let encrypted = told(reading.encrypted, "encrypted", "not encrypted");
    let off_host = told(reading.off_host, "on another host", "on the same host");
    let place = Some(reading.place.as_str()).filter(|place| !place.is_empty());
    let parts = [place, encrypted, off_host].into_iter().flatten().collect::<Vec<_>>().join(", ");
    if !parts.is_empty() {
        facts.push(Toned::new("place", parts));
    }
    if let Some(free) = reading.free {
        let wanted =
            role.min_free.map_or_else(String::new, |wanted| format!(", {} wanted", bytes(wanted)));
        let low = role.min_free.is_some_and(|wanted| free < wanted);
        let told = format!("{}{wanted}", bytes(free));
        facts.push(Toned::new("free", told).of(if low { Status::Warning } else { Status::Ok }));
    }
    for problem in &reading.problems {
        facts.push(Toned::new("problem", &problem.words).of(problem.status));
    }
    let source = match cx.subject {
        Some(Chosen::Backup(id)) => cx.index.source(id),
        _ => None,
    };
    let kind = source.map_or("", |source| source.kind.as_str());
    let tool = reading.tool.as_deref().unwrap_or(kind);
    let service =
        role.service.as_ref().map_or_else(String::new, |name| format!(", for service {name}"));
    facts.push(Toned::new("tool", format!("{tool}{service}")));
}

/// The newest backups, one a line with its size as a bar.
fn history(
    cx: &ActCx<'_>,
    reading: &BackupReading,
    offset_min: i32,
    glyphs: &Glyphs,
    facts: &mut Vec<Toned>,
) {
    let shown: Vec<_> = reading.snapshots.iter().rev().take(DRAWN).collect();
    let top = shown.iter().filter_map(|one| one.size).max().unwrap_or(0);
    for (i, one) in shown.into_iter().enumerate() {
        let moment = text::pad(&when(cx, one.taken, offset_min), 11, true, "");
        let age = text::pad(&units::age(cx.now.since(one.taken)), 6, true, "");
        let size = text::pad(&one.size.map_or_else(|| "-".into(), bytes), 7, true, "");
        #[expect(clippy::cast_precision_loss, reason = "drawn in a few cells")]
        let drawn = bar(one.size.unwrap_or(0) as f64, top as f64, BAR, glyphs);
        let fault = one.fault.as_ref().map(|fault| {
            format!(
                "{} {}: {}",
                short_word(fault.status),
                harmless_within(&one.id, 40),
                fault.words
            )
        });
        let after = fault.unwrap_or_default();
        let gap = if drawn.is_empty() { "" } else { " " };
        let name = if i == 0 { "history" } else { "" };
        let told = format!("{moment} {age} {size} {drawn}{gap}{after}");
        let status = one.fault.as_ref().map_or(Status::Ok, |fault| fault.status);
        facts.push(Toned::new(name, told).of(status).one_line());
    }
}
