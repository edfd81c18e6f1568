//! What checks, signals, backups, services and those who tell of alerts say of
//! themselves, on readings taken after a moment.

use super::finding::{Part, comes_in_time, window_words};
use super::needs::check_named;
use super::seen::Polls;
use crate::domain::{
    Mark, Reading, Role, ServiceName, Signal, SignalId, SourceId, SourceInfo, Status, Timestamp,
    units,
};
use crate::metrics::promql;
use crate::store::Known;
use std::time::Duration;

/// So long after its return whoever keeps alerts may not know all of them
/// again: they are sent anew each minute, after an evaluation.
const RELEARNS: Duration = Duration::from_secs(90);
/// What keeps alerts says so while it does not know them all.
const SETTLING: &str = "settling";

/// What is known, as far as it is looked at here.
#[derive(Clone, Copy)]
pub(super) struct View<'k> {
    pub(super) known: &'k Known,
    pub(super) polls: &'k Polls,
    pub(super) after: Timestamp,
}

impl View<'_> {
    fn info(&self, id: &SourceId) -> Option<&SourceInfo> {
        self.known.inventory.sources.iter().find(|info| info.id == *id)
    }

    fn signal(&self, id: &SignalId) -> Option<&Signal> {
        self.known.inventory.signals.iter().find(|signal| signal.id == *id)
    }

    /// `check NAME is …`
    pub(super) fn check_named(&self, name: &str) -> Part {
        match check_named(&self.known.inventory, name) {
            Ok(info) => self.check(&info.id),
            Err(why) => Part::unknown(why, None),
        }
    }

    /// A check. A good answer counts when it was given as often as a change has
    /// to be seen before it counts: what dies again at once is not ok.
    pub(super) fn check(&self, id: &SourceId) -> Part {
        let Some((check, info)) = self.known.checks.get(id).zip(self.info(id)) else {
            return Part::unknown("it is not watched", None);
        };
        let part = Part::of(&check.standing, self.after);
        let Role::Check(role) = &info.role else { return part };
        if part.status != Some(Status::Ok) {
            return part;
        }
        let wanted = role.confirm.saturating_add(1);
        let good = self.polls.good_since(id, self.after);
        if good < wanted {
            let words = format!("not sure yet: {good} of {wanted} ok answers");
            return Part::yet(words, part.seen);
        }
        part
    }

    /// The certificate that a check was last shown, where it was shown one.
    pub(super) fn certificate(&self, id: &SourceId) -> Option<Part> {
        let check = self.known.checks.get(id)?;
        Some(Part::of(check.certificate.as_ref()?, self.after))
    }

    /// A signal: judged on one whole window after the moment.
    pub(super) fn signal_part(&self, id: &SignalId) -> Part {
        let Some((signal, state)) = self.signal(id).zip(self.known.signals.get(id)) else {
            return Part::unknown("it is not watched", None);
        };
        let standing = &state.standing;
        let exprs = [Some(&signal.expr), signal.min_requests.as_ref().map(|(expr, _)| expr)];
        let mut window = Duration::ZERO;
        for expr in exprs.into_iter().flatten() {
            if let Ok(expr) = promql::parse(expr) {
                window = window.max(promql::window(&expr));
            } else {
                let words = "nobody can tell how far its expression looks back";
                return Part::unknown(words, standing.seen);
            }
        }
        let whole = self.after + window;
        if standing.seen.is_none_or(|seen| seen < whole) {
            let so_far = self.known.now.since(self.after);
            if so_far < window {
                return Part::yet(window_words(so_far, window), standing.seen);
            }
            let words = match standing.mark {
                Some(Mark::Waiting) | None => "waiting for an answer",
                Some(_) => &standing.reason,
            };
            let in_time = comes_in_time(standing);
            return Part { in_time, ..Part::unknown(words, standing.seen) };
        }
        let part = Part::of(standing, whole);
        Part { value: state.values.first().map(|value| value.value), ..part }
    }

    /// Whoever tells of alerts: `Ok` where what it told is of after the moment.
    pub(super) fn teller(&self, id: &SourceId) -> Part {
        let Some((info, state)) = self.info(id).zip(self.known.sources.get(id)) else {
            return Part::unknown("it is not watched", None);
        };
        let unknown =
            |words: String| Part::unknown(format!("{}: {words}", info.label), state.answered);
        if let Some((_, error)) = &state.failing {
            return unknown(error.message.clone());
        }
        let Some(answered) = state.answered.filter(|answered| *answered >= self.after) else {
            return unknown("waiting for a reading".into());
        };
        if state.is_stale(self.known.now, info.every) {
            return unknown("its last answer is old".into());
        }
        if let Some(back) = self.polls.came_back(id)
            && self.known.now.since(back) < RELEARNS
        {
            let age = units::age(self.known.now.since(back));
            let words = format!("back since {age}, it may not know all alerts again");
            return Part { in_time: true, ..unknown(words) };
        }
        let Some(Reading::Alerts(reading)) = &state.reading else {
            return unknown("it tells of no alerts".into());
        };
        if let Some(watchdog) = reading.watchdog.as_ref().filter(|watchdog| !watchdog.fires) {
            return unknown(format!("{} does not fire: alerts may not arrive", watchdog.name));
        }
        if reading.cluster.as_ref().is_some_and(|cluster| cluster.status == SETTLING) {
            let words = "it is settling, and may not know all alerts";
            return Part { in_time: true, ..unknown(words.into()) };
        }
        Part::says(Status::Ok, info.label.clone(), Some(answered))
    }

    /// `backup NAME is fresh`
    pub(super) fn backup(&self, id: &SourceId) -> Part {
        let Some(backup) = self.known.backups.get(id) else {
            return Part::unknown("it is not watched", None);
        };
        let failing = self.known.sources.get(id).and_then(|state| state.failing.as_ref());
        if let Some((_, error)) = failing {
            return Part::unknown(error.message.clone(), backup.looked);
        }
        match backup.looked {
            Some(looked) if looked >= self.after => {
                let mut standing = backup.standing.clone();
                standing.seen = Some(looked);
                Part::of(&standing, self.after)
            }
            looked => Part::unknown("waiting for a look at it", looked),
        }
    }

    /// A source as a source, for `SourceDown`.
    pub(super) fn source(&self, id: &SourceId) -> Part {
        let Some(state) = self.known.sources.get(id) else {
            return Part::unknown("it is not watched", None);
        };
        let mut standing = state.standing.clone();
        standing.seen = if state.failing.is_some() { state.polled } else { state.answered };
        Part::of(&standing, self.after)
    }

    /// All that a service is judged by, and who proves nothing among it. Without
    /// requests nobody knows whether it is well, whatever its checks say.
    pub(super) fn service(&self, name: &ServiceName) -> Vec<Part> {
        let known = self.known;
        if !known.inventory.services.iter().any(|service| service.name == *name) {
            return vec![Part::unknown(format!("the config has no service {name}"), None)];
        }
        let mut parts = Vec::new();
        let checks = known.checks_of(name);
        for id in checks {
            let Some(Role::Check(role)) = self.info(id).map(|info| &info.role) else { continue };
            if role.at_most < Status::Warning {
                continue;
            }
            let name = |part: Part| if checks.len() > 1 { part.named(&role.name) } else { part };
            parts.push(name(self.check(id)));
            parts.extend(
                self.certificate(id).filter(|part| part.status != Some(Status::Ok)).map(name),
            );
        }
        for id in known.signals_of(name) {
            let Some(signal) = self.signal(id) else { continue };
            let thresholds = &signal.thresholds;
            let judged = thresholds.warning.is_some() || thresholds.critical.is_some();
            if judged && signal.at_most >= Status::Warning {
                let part = self.signal_part(id);
                let tells = part.status.is_some();
                parts.push(if tells { part } else { part.named(&signal.label) });
            }
        }
        if parts.is_empty() {
            return parts;
        }
        let tellers = known.inventory.sources.iter().filter(|it| matches!(it.role, Role::Alerts));
        parts
            .extend(tellers.map(|info| self.teller(&info.id)).filter(|part| part.status.is_none()));
        let alerts = known.alerts.iter().filter(|alert| {
            alert.source.is_some()
                && alert.service.as_ref() == Some(name)
                && alert.status() != Status::Ok
        });
        parts.extend(alerts.map(|alert| {
            let words = format!("alert {}: {}", alert.name(), alert.reason);
            Part::says(alert.status(), words, Some(alert.seen))
        }));
        let issues = known.issue_standings(name);
        parts.extend(issues.iter().map(|standing| Part::of(standing, self.after)));
        parts
    }
}
