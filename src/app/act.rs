//! Carrying out what the operator wants.

use super::pages::Page;
use super::palette;
use super::state::{Confirm, Frozen, Overlay, State};
use super::typing::{Typing, What};
use super::{completion, explore, run_keys, runs, wants};
use crate::domain::{Role, harmless_within};
use crate::panels::desk::Aspect;
use crate::panels::{Chosen, Logs};
use crate::store::{Action, Effect, Key, KeyCode, Look};
use crate::ui::{Scope, layout};
use std::sync::Arc;
use std::time::Duration;

/// Said when a key is refused because the screen is held still.
pub(crate) const REFUSED_FROZEN: &str = "refused: the screen is frozen (f goes on)";

/// Nobody reads a question in less: a key that comes sooner was pasted, or typed ahead.
const READ_IN: Duration = Duration::from_millis(250);

/// Carries an action out, in the panel that has the keys or else here.
pub(crate) fn act(state: &mut State, action: Action) -> Vec<Effect> {
    let changes = |b: &&crate::ui::Binding| b.action == action && b.dangerous;
    if state.frozen.is_some() && state.keys.bindings().iter().any(|b| changes(&b)) {
        state.say(REFUSED_FROZEN, true);
        return Vec::new();
    }
    if touches(action)
        && let Some(sheet) = state.sheets.get_mut(&state.page)
    {
        sheet.touched = true;
    }
    if let Some(effects) = in_panel(state, action) {
        for effect in &effects {
            if let Effect::StopAsking(id) = effect {
                state.words.waiting.remove(id);
                state.asked.remove(id);
            }
        }
        return effects;
    }
    match action {
        Action::Page(number) => {
            if let Some(page) = Page::numbered(number) {
                return go(state, page);
            }
        }
        Action::Open if state.page == Page::Metrics => return act(state, Action::Edit),
        Action::Open if state.scope() == Scope::Charts => explore::explore(state),
        Action::Open => return open_chosen(state),
        Action::Back => return back(state),
        Action::Help => state.overlay = Some(Overlay::Help { from: 0 }),
        Action::Filter => type_filter(state),
        Action::Palette => {
            let found = palette::found(state, "");
            type_line(state, What::Palette { chosen: None, found }, "");
        }
        Action::Edit => {
            let mut effects = go(state, Page::Metrics);
            let text = state.words.expression.clone();
            effects.extend(completion::begin(state, &text));
            return effects;
        }
        Action::Split => {
            let text = state.words.split.clone().unwrap_or_default();
            type_line(state, What::Split, &text);
        }
        Action::NextPanel => turn(state, true),
        Action::PreviousPanel => turn(state, false),
        Action::Whole => state.whole = !state.whole,
        Action::Freeze => freeze(state),
        Action::Logs => return logs(state),
        Action::Verify => verify(state),
        Action::Copy => return copy(state),
        Action::PollNow => return poll(state),
        Action::PollAll => {
            state.say("polling all sources", false);
            return vec![Effect::PollAll];
        }
        Action::ZoomIn => state.range = Some(state.range().shorter()),
        Action::ZoomOut => state.range = Some(state.range().longer()),
        Action::Live => state.range = None,
        Action::Output => runs::look(state, Aspect::Output),
        Action::FullText => runs::look(state, Aspect::Plan),
        Action::Runbook => return runs::runbook(state),
        Action::Arm => return runs::arm(state),
        Action::Yes
        | Action::Retry
        | Action::Skip
        | Action::Undo
        | Action::Abandon
        | Action::Cancel
        | Action::WasDone
        | Action::WasNotDone
        | Action::LookAgain
        | Action::Terminal
        | Action::SaveProof => return run_keys::act(state, action),
        Action::Reload => return vec![Effect::Reload],
        Action::Redraw => return vec![Effect::Redraw],
        Action::Suspend => return vec![Effect::Suspend],
        Action::Quit => return vec![Effect::Quit],
        Action::Explore => explore::explore(state),
        Action::Toggle
        | Action::Table
        | Action::Sort
        | Action::NextSeries
        | Action::PreviousSeries
        | Action::Scale
        | Action::Earlier
        | Action::Later
        | Action::Export
        | Action::Up
        | Action::Down
        | Action::Left
        | Action::Right
        | Action::HalfUp
        | Action::HalfDown
        | Action::NextMatch
        | Action::First
        | Action::Last => {}
    }
    Vec::new()
}

/// Whether an action means something that is selected, or a place on the page.
fn touches(action: Action) -> bool {
    !matches!(
        action,
        Action::Page(_)
            | Action::Back
            | Action::Help
            | Action::Palette
            | Action::Freeze
            | Action::PollNow
            | Action::PollAll
            | Action::Reload
            | Action::Redraw
            | Action::Suspend
            | Action::Quit
    )
}

fn in_panel(state: &mut State, action: Action) -> Option<Vec<Effect>> {
    let body = state.body()?;
    let mut sheet = state.sheets.remove(&state.page)?;
    let subject = state.subject(&sheet);
    let places = state.places(&sheet, subject.as_ref(), body);
    let mut panels = std::mem::take(&mut sheet.panels);
    let mut done = None;
    if let (Some((_, panel)), Some(place)) = (panels.get_mut(sheet.focus), places.get(sheet.focus))
    {
        done = panel.act(action, &state.act_cx(&sheet, subject.as_ref(), *place, false));
    }
    sheet.panels = panels;
    state.sheets.insert(state.page.clone(), sheet);
    done
}

/// Shows a page of a number; pages that were opened from others are left behind.
fn go(state: &mut State, page: Page) -> Vec<Effect> {
    if state.page == page {
        return Vec::new();
    }
    let mut before = std::mem::take(&mut state.trail);
    before.push(state.page.clone());
    show(state, page);
    before.iter().filter_map(|page| runs::left(state, page)).collect()
}

/// Shows a page in the place of this one.
pub(crate) fn replace(state: &mut State, page: Page) {
    show(state, page);
}

/// Opens a page from this one: `esc` comes back here.
pub(crate) fn open(state: &mut State, page: Page) {
    if state.page != page {
        // Who goes in circles comes back in as many steps as there are pages.
        match state.trail.iter().position(|before| *before == page) {
            Some(at) => state.trail.truncate(at),
            None => state.trail.push(state.page.clone()),
        }
        show(state, page);
    }
}

fn show(state: &mut State, page: Page) {
    leave_details(state);
    state.words.split = None;
    state.page = page;
    let kept = |page: &Page| {
        !matches!(page, Page::Service(_) | Page::Logs(_) | Page::Offers(_))
            && !matches!(page, Page::Book(..) | Page::Run(_) | Page::Preparing(_))
    };
    let (here, trail) = (&state.page, &state.trail);
    state.sheets.retain(|page, _| kept(page) || page == here || trail.contains(page));
    state.settle(true);
}

fn back(state: &mut State) -> Vec<Effect> {
    let filter = state.sheets.get_mut(&state.page).map(|sheet| &mut sheet.filter);
    let look = std::mem::take(&mut state.words.desk.look);
    if look != Aspect::Work || state.words.split.take().is_some() {
    } else if state.whole {
        leave_details(state);
    } else if let Some(filter) = filter.filter(|filter| !filter.is_empty()) {
        filter.clear();
        state.settle(true);
    } else if let Some(page) = state.trail.pop() {
        let before = state.page.clone();
        show(state, page);
        return runs::left(state, &before).into_iter().collect();
    } else {
        return go(state, Page::Overview);
    }
    Vec::new()
}

/// From the details of a thing on the whole screen back to where it was selected.
fn leave_details(state: &mut State) {
    if std::mem::take(&mut state.whole)
        && matches!(state.page, Page::Issues | Page::Backups)
        && let Some(sheet) = state.sheets.get_mut(&state.page)
    {
        sheet.focus = 0;
    }
}

/// Opens a page with this thing selected on it.
fn open_at(state: &mut State, page: Page, wanted: &Chosen) {
    open(state, page);
    if let Some(sheet) = state.sheets.get_mut(&state.page) {
        sheet.filter.clear();
    }
    state.settle(true);
    if let Some(sheet) = state.sheets.get_mut(&state.page) {
        for (_, panel) in &mut sheet.panels {
            panel.choose(wanted);
        }
    }
}

/// The details of what is selected on the whole screen: `esc` gives the list back.
fn open_details(state: &mut State) {
    if let Some(sheet) = state.sheets.get_mut(&state.page) {
        sheet.focus = sheet.panels.len().saturating_sub(1);
        state.whole = true;
    }
}

fn open_chosen(state: &mut State) -> Vec<Effect> {
    match (&state.page, state.chosen_in_panel()) {
        (Page::Book(id, _), _) => {
            let id = id.clone();
            return runs::prepare(state, &id);
        }
        (Page::Run(_) | Page::Preparing(_), _) => {}
        (Page::Offers(_), None) => {
            state.say("none is chosen: these are guesses; choose one with the arrow keys", false);
        }
        (_, Some(Chosen::Book(id))) => runs::open_book(state, id),
        (_, Some(Chosen::Run(id))) => return runs::open_run(state, &id),
        (Page::Issues, Some(Chosen::Issue { source, id })) => {
            open_details(state);
            return wants::look(state, source, Look::Issue(id)).into_iter().collect();
        }
        (Page::Backups, Some(Chosen::Backup(_))) => open_details(state),
        (_, Some(issue @ Chosen::Issue { .. })) => open_at(state, Page::Issues, &issue),
        (_, Some(backup @ Chosen::Backup(_))) => open_at(state, Page::Backups, &backup),
        (Page::Service(_) | Page::Issues | Page::Overview, Some(source @ Chosen::Source(_))) => {
            open_at(state, Page::Sources, &source);
        }
        _ => match runs::book_of_chosen(state) {
            Some(book) => runs::open_book(state, book),
            None => open_subject(state),
        },
    }
    Vec::new()
}

/// Asks whether all of the backup that is selected shall be read.
fn verify(state: &mut State) {
    let Some(Chosen::Backup(source)) = state.chosen() else {
        state.say("select a backup to check it in full", false);
        return;
    };
    let name = state.index.backup(&source).map_or("", |role| role.name.as_str());
    let name = harmless_within(name, 24);
    if state.words.looking.contains_key(&(source.clone(), Look::Verify)) {
        state.say(format!("{name}: is being checked already"), false);
        return;
    }
    state.overlay = Some(Overlay::Confirm(Confirm { source, name, at: state.known.now }));
}

/// The answer to that question: `y` is yes, any other key is no.
pub(crate) fn confirm(state: &mut State, asked: Confirm, key: Key) -> Vec<Effect> {
    let Confirm { source, name, at } = asked;
    let early = state.known.now.since(at) < READ_IN;
    if key != Key::plain(KeyCode::Char('y')) || early {
        let why = if early { " (that key came before the question could be read)" } else { "" };
        state.say(format!("{name}: not checked{why}"), false);
        return Vec::new();
    }
    let effect = wants::look(state, source, Look::Verify);
    state.say(format!("{name}: checking all of it"), false);
    effect.into_iter().collect()
}

/// The backups that an alert is about, if it is about some.
fn backup_of(state: &State, alert: &Chosen) -> Option<Chosen> {
    let Chosen::Alert(identity) = alert else { return None };
    let alert = state.shown().alerts.iter().find(|alert| alert.identity() == *identity)?;
    let name = alert.labels.get("backup").filter(|_| alert.source.is_none())?;
    let mut backups = state.index.backups();
    let found = backups.find(|(_, role)| role.name == name)?;
    Some(Chosen::Backup(found.0.id.clone()))
}

fn open_subject(state: &mut State) {
    if let Some(backup) = state.chosen_in_panel().and_then(|alert| backup_of(state, &alert)) {
        open_at(state, Page::Backups, &backup);
        return;
    }
    match (state.chosen(), state.subject_service()) {
        (_, Some(name)) if state.index.service(&name).is_some() => open(state, Page::Service(name)),
        (Some(alert @ Chosen::Alert(_)), _) => open_at(state, Page::Alerts, &alert),
        (Some(source @ Chosen::Source(_)), _) => open_at(state, Page::Sources, &source),
        (Some(Chosen::Host { .. }), _) => state.say("a host has no page of its own", false),
        (Some(_), _) => state.say("it belongs to no service of the config", false),
        (None, _) => state.say("nothing is selected", false),
    }
}

fn type_line(state: &mut State, what: What, text: &str) {
    state.overlay = Some(Overlay::Typing(Typing::of(what, text)));
}

fn type_filter(state: &mut State) {
    let Some(sheet) = state.sheets.get(&state.page) else { return };
    let empty = state.page.empty(&state.index).is_some();
    if !empty && sheet.panels.iter().any(|(kind, _)| kind.filtered) {
        let before = sheet.filter.clone();
        type_line(state, What::Filter { before: before.clone() }, &before);
    } else {
        state.say("this page has no rows to filter", false);
    }
}

fn turn(state: &mut State, forward: bool) {
    let Some(sheet) = state.sheets.get(&state.page) else { return };
    let body = state.body().unwrap_or_default();
    let subject = state.subject(sheet);
    let count = sheet.panels.len();
    let whole = std::mem::take(&mut state.whole);
    let Some(sheet) = state.sheets.get(&state.page) else { return };
    let places = state.places(sheet, subject.as_ref(), body);
    let mut to = sheet.focus;
    for _ in 0..count {
        to = if forward { to + 1 } else { to + count - 1 } % count;
        let takes_keys = sheet.panels.get(to).is_some_and(|(_, panel)| panel.takes_keys());
        if takes_keys && places.get(to).is_some_and(|place| place.height > 0) {
            break;
        }
    }
    state.whole = whole;
    if let Some(sheet) = state.sheets.get_mut(&state.page) {
        sheet.focus = to;
    }
}

fn freeze(state: &mut State) {
    state.frozen = match state.frozen.take() {
        Some(_) => None,
        None => Some(Frozen { at: state.known.now, known: state.known.clone() }),
    };
    state.settle(true);
}

fn logs(state: &mut State) -> Vec<Effect> {
    let Some(name) = state.subject_service() else {
        state.say("select a service to read its logs", false);
        return Vec::new();
    };
    if !state.index.service(&name).is_some_and(|service| service.has_logs) {
        let name = harmless_within(name.as_str(), 60);
        state.say(format!("{name} has no logs command in the config"), false);
        return Vec::new();
    }
    let empty: Arc<[String]> = Arc::new([]);
    state.words.logs = Some(Logs { service: name.clone(), read: None, lines: Ok(empty) });
    open(state, Page::Logs(name.clone()));
    vec![Effect::ReadLogs(name)]
}

fn copy(state: &mut State) -> Vec<Effect> {
    let copied = state.sheets.get(&state.page).and_then(|sheet| {
        let subject = state.subject(sheet);
        let body = state.body()?;
        let cx = state.act_cx(sheet, subject.as_ref(), body, false);
        sheet.panels.get(sheet.focus)?.1.copied(&cx)
    });
    if let Some(text) = copied {
        let text = crate::domain::harmless(&text).into_owned();
        state.say(format!("copied: {}", harmless_within(&text, 60)), false);
        return vec![Effect::Copy(text)];
    }
    state.say("nothing here to copy", false);
    Vec::new()
}

fn poll(state: &mut State) -> Vec<Effect> {
    let mut sources = Vec::new();
    if let Some(Chosen::Source(id) | Chosen::Backup(id) | Chosen::Issue { source: id, .. }) =
        state.chosen()
    {
        sources.push(id);
    } else if let Some(name) = state.subject_service() {
        sources.extend(state.index.checks_of(&name).map(|(source, _)| source.id.clone()));
    } else if let Some(Chosen::Host { group, .. }) = state.chosen() {
        let inventory = &state.known.inventory;
        let job = inventory.hosts.iter().find(|hosts| hosts.name == group).map(|hosts| &hosts.job);
        let of_job =
            |role: &Role| matches!(role, Role::Scrape { job: scraped } if Some(scraped) == job);
        let found = inventory.sources.iter().filter(|source| of_job(&source.role));
        sources.extend(found.map(|source| source.id.clone()));
    }
    if sources.is_empty() {
        state.say("nothing here to poll; P polls everything", false);
    } else {
        let what = match sources.as_slice() {
            [one] => harmless_within(one.as_str(), 60),
            many => format!("{} sources", many.len()),
        };
        state.say(format!("polling {what}"), false);
    }
    sources.into_iter().map(Effect::PollNow).collect()
}

/// The lines that the help page has on a screen of this size.
pub(crate) fn help_height(state: &State) -> usize {
    let area = ratatui::layout::Rect::new(0, 0, state.size.0, state.size.1);
    layout::outer(area).map_or(0, |outer| usize::from(outer.body.height))
}
