//! Which signals are asked when: as due, after a scrape of their job, never
//! twice at once, and again where an answer was lost.

use super::{ANSWERS, Known, Turn, signals::Stage};
use crate::domain::{Signal, SignalId, Timestamp};
use crate::store::{Answered, Ask, AskId, Effect};
use std::sync::Arc;
use std::time::Duration;

/// The place of a signal's own question begins so.
const SIGNAL: &str = "signal/";
/// The place of the question for its number of requests.
const REQUESTS: &str = "requests/";
/// Who asks at such a place walks through time: what is asked later may be
/// about an earlier moment.
const WALKS: &str = "page/";
/// An answer that has not come for so long is given up.
const LOST_AFTER: Duration = Duration::from_mins(1);
/// A question that was not answered is asked again after this time at most.
const RETRY_AFTER: Duration = Duration::from_secs(2);
/// A scrape asks a signal again after this part of its interval, not sooner:
/// a job of a thousand targets is not a thousand questions.
const SCRAPE_SHARE: u32 = 5;
const SCRAPE_GAP: Duration = Duration::from_secs(1);

impl Known {
    /// Asks all signals that are due.
    pub(super) fn ask_what_is_due(&mut self, turn: &mut Turn) {
        let (now, inventory) = (self.now, Arc::clone(&self.inventory));
        for signal in &inventory.signals {
            let Some(state) = self.signals.get_mut(&signal.id) else { continue };
            let memory = &mut state.memory;
            let lost = memory.asked.is_some_and(|asked| now.since(asked) >= LOST_AFTER);
            if (memory.asked.is_none() && memory.due <= now) || lost {
                // The first questions go out together; after that they spread.
                let first = memory.last_asked.is_none();
                memory.ask(signal, now, &mut turn.effects);
                if first {
                    memory.due = now + spread(&signal.id, signal.every);
                }
            }
        }
    }

    /// A scrape of `job` was read: its signals may have changed.
    pub(super) fn ask_after_scrape(&mut self, turn: &mut Turn, job: &str) {
        let (now, inventory) = (self.now, Arc::clone(&self.inventory));
        let index = Arc::clone(&self.index);
        for id in index.jobs.get(job).into_iter().flatten() {
            let signal = index.signals.get(id).and_then(|place| inventory.signals.get(*place));
            let (Some(signal), Some(state)) = (signal, self.signals.get_mut(id)) else { continue };
            let memory = &mut state.memory;
            let gap = (signal.every / SCRAPE_SHARE).max(SCRAPE_GAP);
            let lately = memory.last_asked.is_some_and(|last| now.since(last) < gap);
            if memory.asked.is_none() && !lately {
                memory.ask(signal, now, &mut turn.effects);
            }
        }
    }

    /// Takes an answer in: judged if it is a signal's, kept if it is a panel's.
    pub(super) fn answered(&mut self, turn: &mut Turn, answered: &Answered) {
        let place = &*answered.id.0;
        let asked = place.strip_prefix(SIGNAL).map(|id| (id, false));
        let asked = asked.or_else(|| place.strip_prefix(REQUESTS).map(|id| (id, true)));
        let Some((id, requests)) = asked else { return self.keep_answer(answered) };
        let inventory = Arc::clone(&self.inventory);
        let Some(place) = self.index.signals.get(id).copied() else { return };
        let Some(signal) = inventory.signals.get(place) else { return };
        let Some(state) = self.signals.get_mut(&signal.id) else { return };
        let expr = match (&signal.min_requests, requests) {
            (Some((expr, _)), true) => expr,
            (None, true) => return,
            (_, false) => &signal.expr,
        };
        let answer = &answered.answer;
        let memory = &mut state.memory;
        if memory.asked != Some(answer.ask.at) || answer.ask.expr != *expr {
            return;
        }
        let slot = if requests { &mut memory.requests } else { &mut memory.answer };
        *slot = Some(Arc::clone(answer));
        if memory.answer.is_some() && (memory.requests.is_some() || signal.min_requests.is_none()) {
            memory.asked = None;
            self.signal_answered(turn, signal);
        }
    }

    fn keep_answer(&mut self, answered: &Answered) {
        let at = answered.answer.ask.at;
        let older = self.answers.get(&answered.id).filter(|_| !answered.id.0.starts_with(WALKS));
        if older.is_some_and(|kept| at < kept.ask.at && kept.ask.at <= self.now) {
            return;
        }
        self.answers.insert(answered.id.clone(), Arc::clone(&answered.answer));
        if self.answers.len() > ANSWERS {
            let oldest = self.answers.iter().min_by_key(|(_, answer)| answer.ask.at);
            if let Some(id) = oldest.map(|(id, _)| id.clone()) {
                self.answers.remove(&id);
            }
        }
    }
}

impl super::signals::Memory {
    /// Asks now, and is due again after the signal's interval.
    fn ask(&mut self, signal: &Signal, now: Timestamp, effects: &mut Vec<Effect>) {
        let ask = |place: &str, expr: &Arc<str>| {
            Effect::Ask(Ask {
                id: AskId(format!("{place}{}", signal.id).into()),
                expr: Arc::clone(expr),
                split: None,
                range: None,
                at: now,
                engine: signal.engine,
            })
        };
        effects.push(ask(SIGNAL, &signal.expr));
        if let Some((expr, _)) = &signal.min_requests {
            effects.push(ask(REQUESTS, expr));
        }
        self.asked = Some(now);
        self.last_asked = Some(now);
        self.due = now + signal.every;
        self.answer = None;
        self.requests = None;
    }

    /// It was not answered: it is asked again before it is due.
    pub(super) fn ask_soon(&mut self, now: Timestamp) {
        if matches!(self.stage, Stage::Failing { .. }) {
            self.due = self.due.min(now + RETRY_AFTER);
        }
    }
}

/// Between half an interval and a whole one, always the same for one signal:
/// so that not all questions go out in one moment for ever.
fn spread(id: &SignalId, every: Duration) -> Duration {
    let sum = id
        .as_str()
        .bytes()
        .fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    every / 2 + (every / 2) * (sum % 64) / 64
}
