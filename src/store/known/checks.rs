//! Checks: their answers folded into what counts, and their certificates.

use super::explain::{Broke, differs};
use super::sources::{masked, rules};
use super::{Known, Turn};
use crate::domain::{
    Certificate, CheckRole, EventKind, Fold, Mark, Probe, Reading, Role, SourceId, SourceInfo,
    Standing, Status, Thresholds, Timestamp, units,
};
use crate::store::Polled;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

const DAY_MS: f64 = 86_400_000.0;

/// What the rules remember of a check.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    pub(super) fold: Fold,
    /// The certificate that was last shown.
    certificate: Option<Certificate>,
    certificate_seen: Timestamp,
    /// How it last failed.
    pub(super) broke: Option<Broke>,
    /// The moment after which time alone changes how it stands.
    pub(super) turns: Option<Timestamp>,
    pub(super) raised: Vec<super::alerts::Key>,
}

impl Memory {
    pub(super) fn not_after(&mut self, now: Timestamp) {
        self.fold.not_after(now);
        self.certificate_seen = self.certificate_seen.min(now);
    }
}

/// A status as it may count: third parties and advisories warn at most.
/// An unknown stays unknown, whatever it may count for.
pub(super) fn at_most(status: Status, most: Status) -> Status {
    if most == Status::Critical { status } else { status.min(Status::Warning) }
}

/// Whether something of this `at_most` counts at all, or is an advisory.
pub(super) fn counts(most: Status) -> bool {
    most >= Status::Warning
}

impl Known {
    /// Takes a check's answer in. Gives the time after which it is asked again.
    pub(super) fn check_polled(
        &mut self,
        turn: &mut Turn,
        info: &SourceInfo,
        role: &CheckRole,
        polled: &Polled,
    ) -> Option<Duration> {
        let state = self.checks.get_mut(&info.id)?;
        turn.checks.insert(info.id.clone());
        let (status, reason, answered) = match &polled.outcome {
            Ok(Reading::Check(reading)) => {
                if reading.certificate.is_some() || reading.status == Status::Ok {
                    state.memory.certificate.clone_from(&reading.certificate);
                    state.memory.certificate_seen = polled.taken.min(self.now);
                }
                state.last = Some(reading.clone());
                (at_most(reading.status, role.at_most), reading.summary.as_str(), true)
            }
            Ok(_) => (Status::Unknown, "what it answers is not a check's answer", false),
            Err(error) => (Status::Unknown, error.message.as_str(), false),
        };
        let broke = Broke::of(&polled.outcome);
        if broke.is_some() && broke != state.memory.broke {
            state.memory.broke = broke;
            turn.explain = true;
        }
        let probe = Probe { at: polled.taken, status, reason, answered };
        state.memory.fold.take(&rules(info, polled.took), self.now, &probe)
    }

    /// How a check stands, from what was heard of it and the time.
    pub(super) fn refresh_check(&mut self, turn: &mut Turn, id: &SourceId) {
        let Some(place) = self.index.sources.get(id).copied() else { return };
        let inventory = Arc::clone(&self.inventory);
        let Some(info) = inventory.sources.get(place) else { return };
        let Role::Check(role) = &info.role else { return };
        let offline = self.offline_since(info);
        let (now, started) = (self.now, self.started);
        let Some(source) = self.sources.get(id) else { return };
        let (reached, took) = (source.memory.reached, source.took);
        let Some(state) = self.checks.get_mut(id) else { return };
        let rules = rules(info, took);
        let fold = &state.memory.fold;
        let standing = masked(fold.standing(&rules, now, started), reached, offline);
        let mut turns = fold.stale_at(&rules).filter(|moment| *moment >= now);
        state.certificate = state.memory.certificate.as_ref().map(|certificate| {
            let before = state.certificate.as_ref();
            let seen = state.memory.certificate_seen;
            let days = &role.certificate_days;
            let next = crossings(certificate, days).into_iter().flatten().filter(|at| *at >= now);
            turns = turns.into_iter().chain(next).min();
            certificate_standing(certificate, role, before, now, seen)
        });
        state.memory.turns = turns;
        let before = std::mem::replace(&mut state.standing, standing);
        let after = &state.standing;
        // Where one's own network is the reason, that is one event, not one a check.
        let own_network = [&before, after].iter().any(|is| is.mark == Some(Mark::Offline));
        let learnt = before.is_waiting() && after.status == Status::Ok;
        turn.explain |= differs(&before, after);
        if before.status != after.status && !learnt && !own_network {
            let (from, to) = (before.status, after.status);
            let reason = after.reason.clone();
            self.note(EventKind::CheckChanged { source: id.clone(), from, to, reason });
        }
        turn.services.insert(role.service.clone());
        self.raise_for_check(turn, info, role);
    }
}

/// The moments at which a certificate becomes a warning, critical, and expires.
fn crossings(certificate: &Certificate, days: &Thresholds) -> [Option<Timestamp>; 3] {
    let before = |days: f64| {
        let span = Duration::try_from_secs_f64(days.max(0.0) * DAY_MS / 1000.0);
        certificate.not_after - span.unwrap_or(Duration::MAX)
    };
    [days.warning.map(before), days.critical.map(before), Some(certificate.not_after)]
}

/// How a certificate stands by its check's thresholds, for a single look at it.
pub fn certificate_at(certificate: &Certificate, role: &CheckRole, now: Timestamp) -> Standing {
    certificate_standing(certificate, role, None, now, now)
}

/// How a certificate stands. Its date is a fact that no age takes back.
fn certificate_standing(
    certificate: &Certificate,
    role: &CheckRole,
    before: Option<&Standing>,
    now: Timestamp,
    seen: Timestamp,
) -> Standing {
    let [warning, critical, _] = crossings(certificate, &role.certificate_days);
    let over = |moment: Option<Timestamp>| moment.is_some_and(|moment| now > moment);
    let expired = now > certificate.not_after;
    let status = if over(critical) || expired && critical.is_some() {
        Status::Critical
    } else if over(warning) || expired && warning.is_some() {
        Status::Warning
    } else {
        Status::Ok
    };
    let reason = if expired {
        format!("certificate expired {} ago", units::age(now.since(certificate.not_after)))
    } else if certificate.not_before > now {
        let wait = units::age(certificate.not_before.since(now));
        format!("certificate is valid in {wait} only")
    } else {
        format!("certificate ends in {}", units::age(certificate.not_after.since(now)))
    };
    let status = at_most(status, role.at_most);
    let begun = match status {
        Status::Critical => critical,
        Status::Warning => warning,
        Status::Unknown | Status::Ok => None,
    };
    let since = match before {
        Some(before) if before.status == status => before.since,
        Some(_) | None => begun.filter(|moment| *moment <= now).unwrap_or(now),
    };
    Standing { status, reason, since, since_at_least: false, seen: Some(seen), mark: None }
}
