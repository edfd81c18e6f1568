//! What a message does to the state, and what it asks of the world.

use super::act::{self, act};
use super::pages::Page;
use super::state::{Overlay, State};
use super::strip::Survey;
use super::{ages, completion, run_keys, runs, typing, wants};
use crate::domain::{Event, Reading, Status, harmless, harmless_within};
use crate::panels::{Logs, backup};
use crate::store::{Action, Answered, Effect, Key, KeyCode, Look, Looked, Mods, Msg, Stamped};
use crate::ui::{Scope, layout};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// Longer messages are cut off on the screen.
const LONGEST_NOTICE: usize = 400;
/// More lines of a log are not kept; the last ones are.
const MOST_LINES: usize = 1_000;
const LONGEST_LINE: usize = 2_000;
/// Up to so many sources the strip is counted anew with every poll; beyond, every second.
const FEW_SOURCES: usize = 300;

/// Takes a message in. Pure: the same state and message give the same state
/// and effects.
pub fn update(state: &mut State, stamped: Stamped) -> Vec<Effect> {
    let Stamped { at, msg } = stamped;
    let before = marker(state);
    state.words.clock = at;
    let mut effects = state.known.take(at, &msg);
    let mut changed = before != marker(state);
    let mut visible = true;
    let mut survey = false;
    match msg {
        Msg::KeyPressed(key) => effects.extend(press(state, key)),
        Msg::Pasted(_) if state.is_blind() => visible = false,
        Msg::Pasted(text) => match state.overlay.take() {
            Some(Overlay::Typing(line)) => effects.extend(typing::paste(state, line, &text)),
            None if matches!(state.page, Page::Run(_)) => {
                effects.extend(run_keys::paste(state, &text));
            }
            other => {
                state.overlay = other;
                visible = false;
            }
        },
        Msg::Resized { width, height } => {
            let before = std::mem::replace(&mut state.size, (width, height));
            // What comes to light by it has to be read first.
            if layout::is_too_small(before)
                && let Some(shown) = &mut state.words.desk.shown
            {
                shown.since = at;
            }
        }
        Msg::Polled(_) => survey = state.known.sources.len() <= FEW_SOURCES,
        Msg::Answered(answers) => answered(state, &answers),
        Msg::Completed(completed) => visible = completion::answered(state, completed),
        Msg::Looked(looked) => looked_at(state, &looked),
        Msg::LogsRead { service, lines } => {
            let wanted = state.words.logs.as_ref().is_some_and(|logs| logs.service == service);
            if wanted {
                let lines = lines.map(|lines| bounded(&lines));
                let lines = lines.map_err(|why| harmless_within(&why, LONGEST_NOTICE));
                state.words.logs = Some(Logs { service, read: Some(at), lines });
            }
        }
        Msg::Reloaded(Ok(_)) => {
            state.asked.clear();
            state.words.waiting.clear();
            changed = true;
            state.say("the config was read anew", false);
        }
        Msg::Reloaded(Err(mistakes)) => {
            let first = mistakes.lines().find(|line| !line.trim().is_empty()).unwrap_or("");
            let first = harmless_within(first.trim(), LONGEST_NOTICE);
            state.say(format!("the old config stays: {first}"), true);
        }
        Msg::Remembered(_) => (changed, survey) = (true, true),
        Msg::Said { text, bad } => state.say(harmless_within(&text, LONGEST_NOTICE), bad),
        Msg::Runs(msg) => effects.extend(runs::heard(state, &msg)),
        Msg::Resumed => effects.push(Effect::Redraw),
        Msg::Terminated => effects.push(Effect::Quit),
        Msg::Ticked => {
            effects.extend(state.known.runs.due(at, state.page == Page::Runs));
            visible = changed || ages::change(state, state.aged, at);
            survey = visible;
            state.aged = at;
        }
    }
    if survey && state.frozen.is_none() {
        state.survey = Survey::of(&state.known, at);
    }
    if visible || changed {
        state.settle(changed);
        state.touch();
    }
    runs::settle(state);
    effects.extend(wants::due(state));
    effects
}

/// Takes in that a closer look has ended; what came of it belongs on a frozen
/// screen too, since the operator asked for it there.
fn looked_at(state: &mut State, looked: &Looked) {
    let key = (looked.source.clone(), looked.look.clone());
    state.words.looking.remove(&key);
    if let Some(frozen) = &mut state.frozen {
        frozen.known.looked.clone_from(&state.known.looked);
    }
    if looked.look == Look::Verify {
        let (told, status) = backup::result(looked);
        let name = state.index.backup(&looked.source).map_or("", |role| role.name.as_str());
        let told = harmless_within(&format!("{name}, full check: {told}"), LONGEST_NOTICE);
        state.say(told, status != Status::Ok);
    }
}

/// Something that differs when rows may have come, gone or moved.
fn marker(state: &State) -> (usize, Option<Event>, [usize; 3], [u64; 2]) {
    let known = &state.known;
    let mut told = DefaultHasher::new();
    for source in state.index.trackers().filter_map(|source| known.sources.get(&source.id)) {
        // Every reading is a new one; what it holds need not be compared.
        let reading = source.reading.as_ref().map(|reading| match reading {
            Reading::Issues(reading) => Arc::as_ptr(reading).addr(),
            _ => 0,
        });
        (reading, source.failing.is_some(), source.standing.status).hash(&mut told);
    }
    for backup in known.backups.values() {
        (backup.standing.status, backup.looked).hash(&mut told);
    }
    let events = &known.events;
    let rows = [known.alerts.len(), known.services.len(), known.sources.len()];
    (events.len(), events.back().cloned(), rows, [known.moved, told.finish()])
}

fn bounded(lines: &[String]) -> Arc<[String]> {
    let from = lines.len().saturating_sub(MOST_LINES);
    lines[from..].iter().map(|line| harmless_within(line, LONGEST_LINE)).collect()
}

/// Takes in that questions are answered.
fn answered(state: &mut State, answers: &[Answered]) {
    for answered in answers {
        let asked = state.asked.get(&answered.id);
        if asked.is_some_and(|ask| *ask == answered.answer.ask) {
            state.words.waiting.remove(&answered.id);
        }
    }
    keep_for_frozen(state, answers);
}

/// Answers about moments up to the frozen one belong on the frozen screen too.
fn keep_for_frozen(state: &mut State, answers: &[Answered]) {
    let Some(frozen) = &mut state.frozen else { return };
    for answered in answers {
        if answered.answer.ask.at <= frozen.at {
            frozen.known.answers.insert(answered.id.clone(), Arc::clone(&answered.answer));
        }
    }
}

fn press(state: &mut State, key: Key) -> Vec<Effect> {
    // What was said stands until it was seen: the next key is the proof.
    for notice in &mut state.notices {
        notice.at = notice.at.min(state.known.now - ages::stands(notice));
    }
    if state.is_blind() {
        return press_blind(state, key);
    }
    match state.overlay.take() {
        Some(Overlay::Typing(line)) => typing::press(state, line, key),
        Some(Overlay::Confirm(asked)) => act::confirm(state, asked, key),
        Some(Overlay::Help { from }) => {
            in_help(state, from, key);
            Vec::new()
        }
        None => {
            if let Some(effects) = run_keys::press(state, key) {
                return effects;
            }
            let found = state.keys.find(state.scope(), key).map(|binding| binding.action);
            if let Some(action) = found {
                return act(state, action);
            }
            if key.mods.alt {
                // Escape and a key that came in one go, as over a slow link.
                let mut effects = press(state, Key::plain(KeyCode::Esc));
                let mods = Mods { alt: false, ..key.mods };
                effects.extend(press(state, Key { mods, ..key }));
                return effects;
            }
            let key = harmless(&key.to_string()).into_owned();
            state.say(format!("{key} does nothing here; ? shows the keys"), false);
            Vec::new()
        }
    }
}

/// Where nothing can be shown nothing is agreed to either: only what has to do
/// with the terminal itself is done.
fn press_blind(state: &mut State, key: Key) -> Vec<Effect> {
    match state.keys.find(state.scope(), key).map(|binding| binding.action) {
        Some(action @ (Action::Quit | Action::Suspend | Action::Redraw)) => act(state, action),
        _ => Vec::new(),
    }
}

fn in_help(state: &mut State, from: usize, key: Key) {
    let height = act::help_height(state);
    let lines = super::help::lines(state).len();
    let last = lines.saturating_sub(height.saturating_sub(1));
    let from = match state.keys.find(Scope::Text, key).map(|binding| binding.action) {
        Some(Action::Up) => from.saturating_sub(1),
        Some(Action::Down) => from + 1,
        Some(Action::HalfUp) => from.saturating_sub(height / 2),
        Some(Action::HalfDown) => from + height / 2,
        Some(Action::First) => 0,
        Some(Action::Last) => last,
        Some(Action::Back | Action::Help | Action::Quit) => return,
        _ => from,
    };
    state.overlay = Some(Overlay::Help { from: from.min(last) });
}
