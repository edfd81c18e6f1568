//! Signals: how the answer to a question becomes a standing.

use super::explain::differs;
use super::judge::{Judged, Outcome, judge};
use super::{Known, SignalState, Turn};
use crate::domain::{
    EventKind, Labels, Mark, Signal, SignalId, SignalKind, Standing, Status, Timestamp, units,
};
use crate::store::Answer;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A question that was not answered so often makes the signal unknown.
const FAILURES: u32 = 3;
/// A judged answer is stale when it is older than this many intervals.
const STALE_INTERVALS: u32 = 3;

/// What the rules remember of a signal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// When it is asked next.
    pub(super) due: Timestamp,
    /// The moment of the question that is on its way.
    pub(super) asked: Option<Timestamp>,
    pub(super) last_asked: Option<Timestamp>,
    /// What has come of the answer so far.
    pub(super) answer: Option<Arc<Answer>>,
    pub(super) requests: Option<Arc<Answer>>,
    pub(super) stage: Stage,
    /// How it stood when it was last answered.
    judged: Option<Standing>,
    /// The series that are beyond a threshold, and since when.
    pub(super) bad: Vec<(Labels, Timestamp)>,
    /// The moment after which time alone changes how it stands.
    pub(super) turns: Option<Timestamp>,
    pub(super) raised: Vec<super::alerts::Key>,
}

/// How it went with the last questions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Stage {
    #[default]
    Answered,
    Failing {
        times: u32,
    },
}

impl Memory {
    pub(super) fn not_after(&mut self, now: Timestamp) {
        for moment in [&mut self.asked, &mut self.last_asked].into_iter().flatten() {
            *moment = (*moment).min(now);
        }
        if let Some(judged) = &mut self.judged {
            judged.since = judged.since.min(now);
            judged.seen = judged.seen.map(|seen| seen.min(now));
        }
        for (_, since) in &mut self.bad {
            *since = (*since).min(now);
        }
        // What is on its way was asked for a moment that has not come yet.
        self.asked = None;
        self.due = self.due.min(now);
    }
}

impl Known {
    /// All parts of an answer are there.
    pub(super) fn signal_answered(&mut self, turn: &mut Turn, signal: &Signal) {
        let now = self.now;
        let traffic = self.traffic_of(signal);
        let Some(state) = self.signals.get_mut(&signal.id) else { return };
        turn.signals.insert(signal.id.clone());
        let Some(answer) = state.memory.answer.take() else { return };
        let requests = state.memory.requests.take();
        match judge(signal, &answer, requests.as_deref(), traffic.as_deref()) {
            Outcome::Judged(judged) => state.take_in(judged, answer.ask.at.min(now)),
            Outcome::Failed { reason, for_good } => {
                let times = match state.memory.stage {
                    Stage::Failing { times } => times.saturating_add(1),
                    Stage::Answered => 1,
                };
                let times = if for_good { FAILURES.max(times) } else { times };
                state.memory.stage = Stage::Failing { times };
                state.notes = vec![reason];
                if times < FAILURES {
                    state.memory.ask_soon(now);
                }
            }
        }
    }

    /// `41 req/s`, where the signal's service has that.
    fn traffic_of(&self, signal: &Signal) -> Option<String> {
        if !matches!(signal.kind, SignalKind::Errors | SignalKind::Latency) {
            return None;
        }
        let members = self.index.services.get(signal.service.as_ref()?)?;
        let kind = |id: &SignalId| {
            let place = self.index.signals.get(id)?;
            self.inventory.signals.get(*place).map(|signal| signal.kind)
        };
        let mut ids = members.signals.iter().filter(|id| kind(id) == Some(SignalKind::Traffic));
        let state = self.signals.get(ids.next()?)?;
        match (state.standing.status, state.values.as_slice()) {
            (Status::Unknown, _) => None,
            (_, [value]) if value.value.0.is_finite() => {
                Some(format!("{} req/s", units::number(value.value.0)))
            }
            _ => None,
        }
    }

    /// How a signal stands, from what was answered and the time.
    pub(super) fn refresh_signal(&mut self, turn: &mut Turn, id: &SignalId) {
        let Some(place) = self.index.signals.get(id).copied() else { return };
        let inventory = Arc::clone(&self.inventory);
        let Some(signal) = inventory.signals.get(place) else { return };
        let (now, started) = (self.now, self.started);
        let Some(state) = self.signals.get_mut(id) else { return };
        let stale_after = signal.every.saturating_mul(STALE_INTERVALS);
        let stale_at = state.memory.judged.as_ref().and_then(|judged| judged.seen);
        let stale_at = stale_at.map(|seen| seen + stale_after);
        let standing = state.now_standing(now, started, stale_at);
        state.memory.turns = stale_at.filter(|moment| *moment >= now);
        let before = std::mem::replace(&mut state.standing, standing);
        let after = &state.standing;
        turn.explain |= differs(&before, after);
        if before.status != after.status && !(before.is_waiting() && after.status == Status::Ok) {
            let (from, to) = (before.status, after.status);
            let reason = after.reason.clone();
            self.note(EventKind::SignalChanged { signal: id.clone(), from, to, reason });
        }
        if let Some(service) = &signal.service {
            turn.services.insert(service.clone());
        }
        if let Some(group) = &signal.hosts {
            turn.groups.insert(group.clone());
        }
        self.raise_for_signal(turn, signal);
    }
}

impl SignalState {
    fn take_in(&mut self, judged: Judged, seen: Timestamp) {
        let Judged { status, reason, mark, values, notes } = judged;
        let memory = &mut self.memory;
        memory.stage = Stage::Answered;
        let (since, since_at_least) = match &memory.judged {
            Some(before) if before.status == status => (before.since, before.since_at_least),
            Some(before) => (seen, before.status == Status::Unknown),
            None => (seen, true),
        };
        let (at, seen) = (seen, Some(seen));
        memory.judged = Some(Standing { status, reason, since, since_at_least, seen, mark });
        let bad = values.iter().filter(|value| value.status >= Status::Warning);
        // A series that joins others that are bad already is bad since now.
        let begun = if memory.bad.is_empty() { since } else { at };
        let known = |labels: &Labels| {
            let known = memory.bad.iter().find(|(bad, _)| bad == labels);
            known.map_or(begun, |(_, since)| *since)
        };
        let bad = bad.map(|value| (value.labels.clone(), known(&value.labels))).collect();
        memory.bad = bad;
        self.values = values;
        self.notes = notes;
    }

    fn now_standing(
        &self,
        now: Timestamp,
        started: Timestamp,
        stale_at: Option<Timestamp>,
    ) -> Standing {
        let failing = match self.memory.stage {
            Stage::Failing { times } => Some((times, self.notes.first().cloned())),
            Stage::Answered => None,
        };
        let Some(judged) = &self.memory.judged else {
            return match failing {
                Some((_, why)) => Standing::unknown(why.unwrap_or_default(), started, None),
                None => Standing::waiting(started),
            };
        };
        let mut standing = judged.clone();
        let old = stale_at.is_some_and(|moment| now > moment);
        match failing {
            Some((times, _)) if times < FAILURES && !old => {
                standing.mark = Some(Mark::Confirming { to: Status::Unknown });
            }
            Some((_, why)) => {
                standing.mark = Some(Mark::Stale);
                if standing.status != Status::Critical {
                    standing.status = Status::Unknown;
                    standing.reason = why.unwrap_or_default();
                    standing.since = judged.seen.unwrap_or(judged.since);
                }
            }
            None if old => {
                standing.mark = Some(Mark::Stale);
                if standing.status != Status::Critical {
                    standing.reason = format!("was {}: {}", judged.status, judged.reason);
                    standing.status = Status::Unknown;
                    standing.since = stale_at.unwrap_or(now);
                }
            }
            None => {}
        }
        standing
    }
}
