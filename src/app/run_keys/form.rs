//! Keys while the parameters of a run are filled in.

use super::order;
use crate::app::state::State;
use crate::domain::runs::RunId;
use crate::panels::desk::{self, Line, Question};
use crate::runbook::{Hidden, Order};
use crate::store::{Effect, Key, KeyCode};
use std::collections::BTreeMap;

/// A key while parameters are filled in.
pub(super) fn form(state: &mut State, id: &RunId, key: Key) -> Option<Vec<Effect>> {
    let now = state.known.now;
    let form = state.words.desk.form.as_mut().filter(|form| form.run == *id)?;
    let last = form.fields.len().saturating_sub(1);
    let count = form.choices().len();
    match (key.code, key.mods.ctrl) {
        (KeyCode::Esc, _) => return None,
        (KeyCode::Enter, _) => {
            take_choice(form);
            let wrong = form.mistake(form.at).filter(|_| changed(form, form.at));
            if let Some(mistake) = wrong {
                state.say(crate::domain::harmless_within(&mistake, 200), true);
            } else if form.at < last {
                (form.at, form.row) = (form.at + 1, None);
            } else {
                return Some(values(state, id));
            }
        }
        (KeyCode::Tab, _) => (form.at, form.row) = ((form.at + 1) % (last + 1), None),
        (KeyCode::BackTab, _) => (form.at, form.row) = ((form.at + last) % (last + 1), None),
        (KeyCode::Down, _) if count > 0 => {
            form.row = Some(form.row.map_or(0, |row| (row + 1).min(count - 1)));
        }
        (KeyCode::Up, _) if count > 0 => {
            form.row = Some(form.row.map_or(0, |row| row.saturating_sub(1)));
        }
        (KeyCode::Down, _) => form.at = (form.at + 1).min(last),
        (KeyCode::Up, _) => form.at = form.at.saturating_sub(1),
        (code, ctrl) => {
            let field = form.fields.get_mut(form.at)?;
            match (code, ctrl) {
                (KeyCode::Backspace, _) => field.back(),
                (KeyCode::Char('u'), true) => *field = Line::default(),
                (KeyCode::Char('w'), true) => field.back_word(),
                (KeyCode::Char(c), false) => field.push(c, now),
                _ => return None,
            }
            form.row = None;
        }
    }
    Some(Vec::new())
}

/// Whether a field holds something else than what the run was last told.
fn changed(form: &desk::Form, at: usize) -> bool {
    let told = form.asked.get(at).and_then(|ask| ask.value.as_deref()).unwrap_or_default();
    form.fields.get(at).is_some_and(|field| field.text() != told)
}

/// The choice that the arrows are on is filled in; the only one left, too.
fn take_choice(form: &mut desk::Form) {
    let found = form.choices();
    let row = form.row.or_else(|| (found.len() == 1).then_some(0));
    let choice = row.and_then(|row| found.get(row)).map(|choice| (*choice).to_owned());
    if let Some(choice) = choice
        && let Some(field) = form.fields.get_mut(form.at)
    {
        *field = Line::with(&choice);
    }
    form.row = None;
}

/// All that is filled in goes to the run.
fn values(state: &mut State, id: &RunId) -> Vec<Effect> {
    let now = state.known.now;
    let question = Question::Form(id.clone());
    if state.words.desk.is_sent(&question, now) {
        return Vec::new();
    }
    let Some(form) = &state.words.desk.form else { return Vec::new() };
    let (mut values, mut secrets) = (BTreeMap::new(), BTreeMap::new());
    for (ask, field) in form.asked.iter().zip(&form.fields) {
        let name = ask.param.name.clone();
        if ask.param.secret {
            secrets.insert(name, Hidden(field.text().to_owned()));
        } else {
            values.insert(name, field.text().to_owned());
        }
    }
    let effects = order(state, id, Order::Values { values, secrets });
    if !effects.is_empty() {
        state.words.desk.sent = Some((question, now));
    }
    effects
}
