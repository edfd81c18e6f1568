//! Which questions the visible panels need, which of them are due, and at what
//! a closer look is due.

use super::pages::Page;
use super::state::State;
use crate::domain::SourceId;
use crate::panels::Chosen;
use crate::panels::range::aligned;
use crate::store::{Ask, Effect, Look};
use std::time::Duration;

/// How often a question about one instant is asked.
const INSTANT_EVERY: Duration = Duration::from_secs(10);
/// More questions than this are not remembered.
const REMEMBERED: usize = 500;

/// An issue whose details are shown for this long is looked at: scrolling past asks nothing.
const RESTING: Duration = Duration::from_secs(1);
/// An issue that was seen again is looked at again after this time.
const LOOK_AGAIN: Duration = Duration::from_mins(5);
/// After a look that failed, and where none ended, another one may be made.
const RETRY: Duration = Duration::from_mins(1);

/// Begins a closer look, unless the same one is under way.
pub(crate) fn look(state: &mut State, source: SourceId, look: Look) -> Option<Effect> {
    let now = state.known.now;
    let key = (source, look);
    // A full check may take hours; an event that did not come in a minute will not.
    let patient = key.1 == Look::Verify;
    let under_way = |since| patient || now.since(since) < RETRY;
    if state.words.looking.get(&key).is_some_and(|since| under_way(*since)) {
        return None;
    }
    state.words.looking.insert(key.clone(), now);
    let (source, look) = key;
    Some(Effect::Look { source, look })
}

/// Looks at the issue whose details have been shown for a while.
fn rested(state: &mut State) -> Option<Effect> {
    let now = state.known.now;
    let chosen = match (&state.page, state.chosen()) {
        (Page::Issues, Some(Chosen::Issue { source, id })) => Some((source, id)),
        _ => None,
    };
    let Some((source, id)) = chosen else {
        state.resting = None;
        return None;
    };
    let since = match &state.resting {
        Some((of, known, since)) if *of == source && *known == id => *since,
        _ => {
            state.resting = Some((source, id, now));
            return None;
        }
    };
    if now.since(since) < RESTING || state.frozen.is_some() {
        return None;
    }
    let wanted = Look::Issue(id);
    let known = &state.known;
    let looked = known.looked.iter().find(|of| of.source == source && of.look == wanted);
    let due = match looked.map(|looked| (now.since(looked.at), &looked.outcome)) {
        None => true,
        Some((age, Err(error))) => age >= RETRY.max(error.retry_after.unwrap_or_default()),
        Some((age, Ok(_))) => {
            let Look::Issue(id) = &wanted else { return None };
            let seen = known.issue(&source, id).map(|issue| issue.last);
            let read = looked.map(|looked| looked.at);
            age >= LOOK_AGAIN && seen > read
        }
    };
    if due { look(state, source, wanted) } else { None }
}

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
        let asked = &state.asked;
        state.words.waiting.retain(|id, _| asked.contains_key(id));
    }
    let mut effects: Vec<Effect> = rested(state).into_iter().collect();
    for question in wanted {
        let step = question.range.map_or(INSTANT_EVERY, |range| range.step);
        let ask = Ask {
            id: question.id,
            expr: question.expr,
            split: question.split,
            range: question.range,
            at: aligned(question.at.unwrap_or(now), step),
            engine: question.engine,
        };
        let before = state.asked.get(&ask.id);
        if before == Some(&ask) {
            continue;
        }
        // The same question at another moment: an answer that takes longer than
        // a step would never come if each step asked anew.
        let same = before.is_some_and(|before| Ask { at: ask.at, ..before.clone() } == ask);
        let since = state.words.waiting.get(&ask.id).copied().filter(|_| same);
        let waits = since.is_some_and(|since| state.known.now.since(since) < RETRY);
        if waits && question.at.is_none() && state.frozen.is_none() {
            continue;
        }
        let since = since.unwrap_or(state.known.now);
        state.words.waiting.insert(ask.id.clone(), since);
        state.asked.insert(ask.id.clone(), ask.clone());
        effects.push(Effect::Ask(ask));
    }
    effects
}
