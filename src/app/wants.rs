//! Which questions the visible panels need, and which of them are due.

use super::state::State;
use crate::panels::range::aligned;
use crate::store::{Ask, Effect};
use std::time::Duration;

/// How often a question about one instant is asked.
const INSTANT_EVERY: Duration = Duration::from_secs(10);
/// More questions than this are not remembered.
const REMEMBERED: usize = 500;

/// Asks what is visible and not asked yet, or due again.
pub(crate) fn due(state: &mut State) -> Vec<Effect> {
    let Some(body) = state.body() else { return Vec::new() };
    let now = state.shown_at();
    let mut wanted = Vec::new();
    if let Some(sheet) = state.sheets.get(&state.page) {
        let subject = state.subject(sheet);
        let places = state.places(sheet, subject.as_ref(), body);
        for ((_, panel), place) in sheet.panels.iter().zip(places) {
            if place.height > 0 {
                wanted.extend(panel.questions(&state.act_cx(
                    sheet,
                    subject.as_ref(),
                    place,
                    false,
                )));
            }
        }
    }
    if state.asked.len() > REMEMBERED {
        state.asked.retain(|id, _| wanted.iter().any(|question| question.id == *id));
    }
    let mut effects = Vec::new();
    for question in wanted {
        let step = question.range.map_or(INSTANT_EVERY, |range| range.step);
        let ask = Ask {
            id: question.id,
            expr: question.expr,
            split: question.split,
            range: question.range,
            at: aligned(now, step),
            engine: question.engine,
        };
        if state.asked.get(&ask.id) != Some(&ask) {
            state.asked.insert(ask.id.clone(), ask.clone());
            effects.push(Effect::Ask(ask));
        }
    }
    effects
}
