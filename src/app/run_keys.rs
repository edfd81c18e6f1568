//! Keys on the page of a run. Whatever begins or decides something has to be
//! typed by a person who could read the question.

mod form;
mod terminal;

use super::act::REFUSED_FROZEN;
use super::pages::Page;
use super::runs;
use super::state::State;
use crate::domain::runs::{Decision, RunId, StepId};
use crate::panels::desk::{self, APPROVE, Intent, Line, Question, READ_IN, START, Wants};
use crate::runbook::{Answer, AskKind, Hidden, Order, StepState};
use crate::store::{Action, Effect, Key, KeyCode, RunsEffect};
use crate::ui::Scope;
use crate::ui::input::cannot_be_taken;
use form::form;
use std::time::Duration;
use terminal::terminal;

/// So long the second key counts that ends a changing step.
const MEANT_IN: Duration = Duration::from_secs(10);
/// Said when a key came before the question could be read.
const EARLY: &str = "that key came before the question could be read: it was dropped";

/// A key that is not a global one on the page of a run; nothing where it is
/// to be looked up in the key table.
pub(crate) fn press(state: &mut State, key: Key) -> Option<Vec<Effect>> {
    let Page::Run(id) = state.page.clone() else { return None };
    if let Some(effects) = terminal(state, &id, key) {
        return Some(effects);
    }
    // ctrl-c leaves from anywhere.
    if key.mods.ctrl && key.code == KeyCode::Char('c') {
        return None;
    }
    let shown = state.words.desk.shown.clone()?;
    let answers = matches!(key.code, KeyCode::Char(_) | KeyCode::Enter) && !key.mods.ctrl;
    let looks = state.keys.find(Scope::Run, key).is_some_and(|of| is_look(of.action));
    let looks = looks && !is_letter_of_word(state, &id, key);
    if answers && !looks && !matches!(shown.question, Question::Form(_)) {
        let now = state.known.now;
        if now.since(shown.since) < READ_IN {
            // A key that is held down, or a text that comes in, is not over yet.
            if let Some(shown) = &mut state.words.desk.shown {
                shown.since = now;
            }
            state.say(EARLY, false);
            return Some(Vec::new());
        }
    }
    if key.mods.alt {
        return None;
    }
    let followed = state.known.runs.followed.get(&id)?;
    let wants = match desk::wants(&state.words.desk, followed)? {
        Wants::Word(word) => Wanted::Word(word.to_owned()),
        Wants::Text => Wanted::Text,
        Wants::Secret => Wanted::Secret,
        Wants::Lines => Wanted::Lines,
        Wants::Values => Wanted::Values,
    };
    match wants {
        Wanted::Values => form(state, &id, key),
        Wanted::Lines => lines(state, &id, key),
        Wanted::Word(word) => word_key(state, &id, key, &word),
        Wanted::Text | Wanted::Secret => text_key(state, &id, key),
    }
}

/// As [`Wants`], by itself.
enum Wanted {
    Word(String),
    Text,
    Secret,
    Lines,
    Values,
}

/// Pasted text: it fills in parameters, reasons, secrets and lines, and
/// answers nothing.
pub(crate) fn paste(state: &mut State, text: &str) -> Vec<Effect> {
    let Page::Run(id) = state.page.clone() else { return Vec::new() };
    let now = state.known.now;
    if state.words.desk.terminal.is_some() {
        return order(state, &id, Order::Input(text.as_bytes().to_vec()));
    }
    let Some(followed) = state.known.runs.followed.get(&id) else { return Vec::new() };
    let is_asked = desk::ask(followed).is_some() || state.words.desk.shown.is_some();
    let wanted = desk::wants(&state.words.desk, followed);
    let is_value = match wanted {
        Some(Wants::Values) => true,
        Some(Wants::Secret | Wants::Lines) => !state.words.desk.keys,
        _ => false,
    };
    if let Some(why) = cannot_be_taken(text, desk::LONGEST).filter(|_| is_value) {
        return nothing(state, why);
    }
    match wanted {
        Some(Wants::Values) => {
            if let Some(form) = &mut state.words.desk.form
                && let Some(field) = form.fields.get_mut(form.at)
            {
                field.paste(text, now);
                form.row = None;
            }
        }
        Some(Wants::Text | Wants::Secret) if !state.words.desk.keys => {
            state.words.desk.line.paste(text, now);
        }
        Some(Wants::Lines) if !state.words.desk.keys => {
            if let Some(editor) = &mut state.words.desk.editor
                && let Some(line) = editor.lines.get_mut(editor.at)
            {
                line.paste(text);
            }
        }
        _ if is_asked => {
            // What was typed before a paste is not an answer by hand any more.
            state.words.desk.line = Line::default();
            if let Some(shown) = &mut state.words.desk.shown {
                shown.since = now;
            }
            state.say("a paste answers nothing: type it", true);
        }
        _ => {}
    }
    Vec::new()
}

/// Whether something may be ordered now; says why where not.
fn may_order(state: &mut State, id: &RunId) -> bool {
    if state.frozen.is_some() {
        state.say(REFUSED_FROZEN, true);
        return false;
    }
    let now = state.known.now;
    let why = match state.known.runs.followed.get(id) {
        None => Some("the run is not followed".to_owned()),
        Some(followed) => desk::stale(followed, now),
    };
    match why {
        Some(why) => {
            state.say(format!("refused, the screen is STALE: {why}"), true);
            false
        }
        None => true,
    }
}

fn order(state: &mut State, id: &RunId, order: Order) -> Vec<Effect> {
    if !may_order(state, id) {
        return Vec::new();
    }
    vec![Effect::Runs(RunsEffect::Order { run: id.clone(), order: Box::new(order) })]
}

/// Answers the question on the screen, once.
fn answer(state: &mut State, id: &RunId, with: Answer) -> Vec<Effect> {
    let now = state.known.now;
    let Some(Question::Ask(_, number)) =
        state.words.desk.shown.as_ref().map(|of| of.question.clone())
    else {
        return Vec::new();
    };
    let question = Question::Ask(id.clone(), number);
    if state.words.desk.is_sent(&question, now) {
        state.say("it is answered already: the run takes it up", false);
        return Vec::new();
    }
    let effects = order(state, id, Order::Answer { ask: number, answer: with });
    if !effects.is_empty() {
        state.words.desk.clear();
        state.words.desk.sent = Some((question, now));
    }
    effects
}

/// A key while a certain word is wanted.
fn word_key(state: &mut State, id: &RunId, key: Key, word: &str) -> Option<Vec<Effect>> {
    let now = state.known.now;
    let is_key = is_key_beside(state, key, word);
    let desk = &mut state.words.desk;
    if desk.keys {
        if matches!(key.code, KeyCode::Enter | KeyCode::Tab) {
            desk.keys = false;
            return Some(Vec::new());
        }
        return None;
    }
    if is_key {
        return None;
    }
    match (key.code, key.mods.ctrl) {
        (KeyCode::Enter, _) => return Some(word_entered(state, id, word)),
        (KeyCode::Tab, _) => {
            (desk.keys, desk.line) = (true, Line::default());
        }
        (KeyCode::Esc, _) if !desk.line.text().is_empty() => desk.line = Line::default(),
        (KeyCode::Esc, _)
            if word == START && matches!(desk.shown.as_ref()?.question, Question::Start(..)) =>
        {
            return None;
        }
        (KeyCode::Esc, _) => desk.keys = true,
        (KeyCode::Backspace, _) => desk.line.back(),
        (KeyCode::Char('u' | 'w'), true) => desk.line = Line::default(),
        (KeyCode::Char(c), false) => desk.line.push_typed(c, now),
        _ => return None,
    }
    Some(Vec::new())
}

/// Keys that only show something.
fn is_look(action: Action) -> bool {
    matches!(action, Action::FullText | Action::Output | Action::Help)
}

/// Whether the word that is wanted begins with this letter, or is being typed.
fn is_letter_of_word(state: &State, id: &RunId, key: Key) -> bool {
    let desk = &state.words.desk;
    let followed = state.known.runs.followed.get(id);
    let wants = followed.and_then(|followed| desk::wants(desk, followed)).filter(|_| !desk.keys);
    match (wants, key.code) {
        (Some(Wants::Word(word)), KeyCode::Char(c)) => {
            word.starts_with(c) || !desk.line.text().is_empty()
        }
        (wants, _) => wants.is_some(),
    }
}

/// Whether a letter is a key even while a word is wanted: nothing is typed yet,
/// and the word does not begin with it.
fn is_key_beside(state: &State, key: Key, word: &str) -> bool {
    let KeyCode::Char(c) = key.code else { return false };
    if key.mods.ctrl || !state.words.desk.line.text().is_empty() || word.starts_with(c) {
        return false;
    }
    let found = state.keys.find(Scope::Run, key).map(|binding| binding.action);
    found.is_some_and(is_beside)
}

/// The keys that work beside a word that is wanted, as the hint line shows them.
pub(crate) fn is_beside(action: Action) -> bool {
    matches!(
        action,
        Action::Undo
            | Action::FullText
            | Action::Output
            | Action::Help
            | Action::Skip
            | Action::Abandon
    )
}

fn word_entered(state: &mut State, id: &RunId, word: &str) -> Vec<Effect> {
    let now = state.known.now;
    let desk = &mut state.words.desk;
    let typed = std::mem::take(&mut desk.line);
    if typed.text().is_empty() {
        state.say("enter alone runs nothing: type it first", false);
        return Vec::new();
    }
    if typed.text() != word {
        state.say("that is something else: nothing was run", true);
        return Vec::new();
    }
    if !typed.by_hand(now) {
        state.say("that came in one go, as a paste does: type it", true);
        return Vec::new();
    }
    match desk.shown.as_ref().map(|shown| shown.question.clone()) {
        Some(Question::Start(_, hash)) => {
            let question = Question::Start(id.clone(), hash.clone());
            if state.words.desk.is_sent(&question, now) {
                return Vec::new();
            }
            let effects = order(state, id, Order::Start(hash));
            if !effects.is_empty() {
                state.words.desk.sent = Some((question, now));
            }
            effects
        }
        Some(Question::Ask(..)) => answer(state, id, Answer::Go { typed: Some(word.to_owned()) }),
        _ => Vec::new(),
    }
}

/// A key while a reason, a note, a secret or an arming is typed.
fn text_key(state: &mut State, id: &RunId, key: Key) -> Option<Vec<Effect>> {
    let now = state.known.now;
    let desk = &mut state.words.desk;
    if desk.keys {
        if matches!(key.code, KeyCode::Enter | KeyCode::Tab) {
            desk.keys = false;
            return Some(Vec::new());
        }
        return None;
    }
    match (key.code, key.mods.ctrl) {
        (KeyCode::Enter, _) => return Some(text_entered(state, id)),
        (KeyCode::Esc, _) if desk.intent.is_some() => desk.clear(),
        (KeyCode::Esc, _) if !desk.line.text().is_empty() => desk.line = Line::default(),
        (KeyCode::Esc | KeyCode::Tab, _) => desk.keys = true,
        (KeyCode::Backspace, _) => desk.line.back(),
        (KeyCode::Char('u'), true) => desk.line = Line::default(),
        (KeyCode::Char('w'), true) => desk.line.back_word(),
        (KeyCode::Char(c), false) => desk.line.push(c, now),
        _ => return None,
    }
    Some(Vec::new())
}

fn text_entered(state: &mut State, id: &RunId) -> Vec<Effect> {
    let text = state.words.desk.line.text().to_owned();
    if let Some(intent) = state.words.desk.intent.clone() {
        if intent.needs_reason() && text.trim().is_empty() {
            state.say("a reason is needed: it is kept in the journal", false);
            return Vec::new();
        }
        if intent == Intent::Approve && text != APPROVE {
            state.say(format!("not approved: it takes the word {APPROVE}"), true);
            return Vec::new();
        }
        return answer(state, id, intent.answer(&text));
    }
    let followed = state.known.runs.followed.get(id);
    match followed.and_then(desk::ask).map(|ask| (ask.number, ask.kind.clone())) {
        Some((_, AskKind::Secret { .. })) if text.is_empty() => {
            state.say("nothing was typed", false);
            Vec::new()
        }
        Some((_, AskKind::Secret { .. })) => answer(state, id, Answer::Secret(Hidden(text))),
        Some((number, AskKind::Arm)) => {
            if !may_order(state, id) {
                return Vec::new();
            }
            let Some(effects) = runs::arm_for(state, &text) else { return Vec::new() };
            state.words.desk.line = Line::default();
            state.words.desk.armed_for = Some((id.clone(), number));
            effects
        }
        _ => Vec::new(),
    }
}

/// A key while the lines of a step are edited.
fn lines(state: &mut State, id: &RunId, key: Key) -> Option<Vec<Effect>> {
    let desk = &mut state.words.desk;
    if desk.keys {
        if matches!(key.code, KeyCode::Enter | KeyCode::Tab) {
            desk.keys = false;
            return Some(Vec::new());
        }
        return None;
    }
    if key.mods.ctrl && key.code == KeyCode::Char('x') {
        let text = desk.editor.as_ref().map(desk::Editor::text).unwrap_or_default();
        return Some(answer(state, id, Answer::Edited(text)));
    }
    let editor = desk.editor.as_mut()?;
    let last = editor.lines.len().saturating_sub(1);
    match key.code {
        KeyCode::Up => editor.at = editor.at.saturating_sub(1),
        KeyCode::Down | KeyCode::Enter => editor.at = (editor.at + 1).min(last),
        KeyCode::Esc | KeyCode::Tab => desk.keys = true,
        _ => {
            if let Some(line) = editor.lines.get_mut(editor.at) {
                line.press(key);
            }
        }
    }
    Some(Vec::new())
}

/// Carries out an action of the page of a run.
pub(crate) fn act(state: &mut State, action: Action) -> Vec<Effect> {
    let Page::Run(id) = state.page.clone() else {
        state.say("this is for the page of a run: 8 lists them", false);
        return Vec::new();
    };
    let Some(followed) = desk::followed(&state.known, &id) else { return Vec::new() };
    let followed = followed.as_ref();
    let ended = followed.has_ended();
    if action == Action::SaveProof {
        if ended {
            return vec![Effect::Runs(RunsEffect::SaveProof(id))];
        }
        state.say("the run is not over: there is nothing to write yet", false);
        return Vec::new();
    }
    if action == Action::Yes && followed.lost.is_some() && !ended {
        return runs::take_up(state, &id);
    }
    let running = followed.run.as_ref().and_then(|run| {
        run.steps.iter().find(|of| of.state == StepState::Running).map(|of| of.step)
    });
    let has_terminal = followed.doing.terminal.is_some();
    let ask = desk::ask(followed).map(|ask| ask.kind.clone());
    match (action, running, &ask) {
        (Action::Cancel, Some(step), None) => {
            let changes = followed.run.as_ref().is_some_and(|run| run.changes(step));
            if changes && !is_meant(state, step) {
                return Vec::new();
            }
            let effects = order(state, &id, Order::Cancel { step });
            if !effects.is_empty() {
                state.say(format!("step {step} is told to end"), false);
            }
            effects
        }
        (Action::Terminal, Some(step), _) if has_terminal => {
            if may_order(state, &id) {
                state.words.desk.terminal = Some((id, step));
            }
            Vec::new()
        }
        (Action::Cancel, _, Some(AskKind::Unknown { alive: true })) => {
            let step = desk::ask(followed).map(|ask| ask.step);
            step.map_or_else(Vec::new, |step| order(state, &id, Order::Cancel { step }))
        }
        (Action::Cancel, ..) => nothing(state, "no step runs"),
        (Action::Terminal, ..) => nothing(state, "no step has a terminal now"),
        (_, _, None) => nothing(state, "the run asks nothing now"),
        (_, _, Some(kind)) => decide(state, &id, action, kind),
    }
}

/// A step that changes something is ended by a second key that comes after it could
/// be read what that means, and not by one that is held down.
fn is_meant(state: &mut State, step: StepId) -> bool {
    let now = state.known.now;
    let said = state.words.desk.ending.filter(|(of, _)| *of == step);
    match said.map(|(_, since)| now.since(since)) {
        Some(waited) if waited >= READ_IN && waited <= MEANT_IN => {
            state.words.desk.ending = None;
            true
        }
        _ => {
            state.words.desk.ending = Some((step, now));
            state
                .say(format!("K again ends step {step}: nobody knows then what it has done"), true);
            false
        }
    }
}

fn nothing(state: &mut State, why: &str) -> Vec<Effect> {
    state.say(why, false);
    Vec::new()
}

fn decide(state: &mut State, id: &RunId, action: Action, asked: &AskKind) -> Vec<Effect> {
    let unknown = matches!(asked, AskKind::Unknown { .. });
    let intent = match (action, asked) {
        (Action::Yes, AskKind::Confirm { typed: None, .. }) => {
            return answer(state, id, Answer::Go { typed: None });
        }
        (Action::Yes, AskKind::Manual) => Intent::Tick,
        (Action::LookAgain, _) => return answer(state, id, Answer::Again),
        (Action::Retry, AskKind::Changed { .. }) => Intent::Decide(Decision::Retry),
        (Action::Yes, AskKind::Approve { .. }) => {
            let runs = &state.known.runs;
            let own = runs.run(id).is_some_and(|run| run.who.user == state.setting.user);
            if own {
                return nothing(state, "a second person approves, from a login of their own");
            }
            Intent::Approve
        }
        (Action::Retry, AskKind::Failed { choices, .. }) if choices.contains(&Decision::Retry) => {
            Intent::Decide(Decision::Retry)
        }
        (Action::WasDone, AskKind::Unknown { alive: false }) => Intent::Decide(Decision::WasDone),
        (Action::WasNotDone, AskKind::Unknown { alive: false }) => {
            Intent::Decide(Decision::WasNotDone)
        }
        (Action::Skip, AskKind::Failed { skip: false, .. }) => {
            return nothing(state, "this step cannot be left out");
        }
        (Action::Skip, _) if !unknown => Intent::Skip,
        (Action::Undo, AskKind::Failed { choices, .. }) if !choices.contains(&Decision::Undo) => {
            return nothing(state, "nothing was done that can be undone");
        }
        (Action::Undo, _) if !unknown => Intent::Decide(Decision::Undo),
        (Action::Abandon, _) => Intent::Decide(Decision::Abandon),
        _ => return nothing(state, "that is not what is asked"),
    };
    if may_order(state, id) {
        state.words.desk.clear();
        state.words.desk.intent = Some(intent);
    }
    Vec::new()
}
