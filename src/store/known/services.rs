//! The verdict of a service: the worst of its checks, signals and alerts.

use super::checks::counts;
use super::{Known, ServiceState};
use crate::domain::{EventKind, Mark, Role, ServiceName, Standing, Status, Timestamp};
use std::sync::Arc;

/// So many verdicts of a service are kept.
const HISTORY: usize = 200;

/// Something a service is judged by.
struct Part<'a> {
    standing: &'a Standing,
    /// Put before its reason where the reason alone would not tell which it is.
    name: Option<&'a str>,
}

impl Known {
    /// The worst of all parts that count. What does not count: advisories,
    /// signals without thresholds, and, while a check of the service is `ok`,
    /// signals that had no traffic to judge by: a service that nobody uses at
    /// night is not unknown as long as its checks answer. The signal itself
    /// stays unknown.
    pub(super) fn refresh_service(&mut self, name: &ServiceName) {
        let inventory = Arc::clone(&self.inventory);
        let index = Arc::clone(&self.index);
        let (Some(members), now) = (index.services.get(name), self.now) else { return };
        let several = members.checks.len() > 1;
        let mut parts: Vec<Part<'_>> = Vec::new();
        let mut check_is_ok = false;
        for id in &members.checks {
            let info = index.sources.get(id).and_then(|place| inventory.sources.get(*place));
            let (Some(info), Some(check)) = (info, self.checks.get(id)) else { continue };
            let Role::Check(role) = &info.role else { continue };
            if !counts(role.at_most) {
                continue;
            }
            check_is_ok |= check.standing.status == Status::Ok;
            let name = several.then_some(role.name.as_str());
            parts.push(Part { standing: &check.standing, name });
            if let Some(certificate) = &check.certificate
                && certificate.status != Status::Ok
            {
                parts.push(Part { standing: certificate, name });
            }
        }
        for id in &members.signals {
            let signal = index.signals.get(id).and_then(|place| inventory.signals.get(*place));
            let (Some(signal), Some(state)) = (signal, self.signals.get(id)) else { continue };
            let judged =
                signal.thresholds.warning.is_some() || signal.thresholds.critical.is_some();
            let idle = check_is_ok && state.standing.mark == Some(Mark::NoTraffic);
            if judged && counts(signal.at_most) && !idle {
                let unnamed = state.standing.status == Status::Unknown;
                let name = unnamed.then_some(signal.label.as_str());
                parts.push(Part { standing: &state.standing, name });
            }
        }
        let alerts = self.alert_standing(name);
        parts.extend(alerts.map(|standing| Part { standing, name: None }));
        let issues = self.issue_standings(name);
        parts.extend(issues.iter().map(|standing| Part { standing, name: None }));
        let standing = verdict(&parts, self.services.get(name), self.started);
        let Some(service) = self.services.get_mut(name) else { return };
        let before = std::mem::replace(&mut service.standing, standing);
        let after = &service.standing;
        let last = service.history.back().map(|(_, status)| *status);
        if last != Some(after.status) {
            if service.history.len() >= HISTORY {
                service.history.pop_front();
            }
            // History is in the order of time, whatever `since` reaches back to.
            let floor = service.history.back().map_or(after.since, |(since, _)| *since);
            service.history.push_back((after.since.max(floor).min(now), after.status));
        }
        if before.status != after.status && !(before.is_waiting() && after.status == Status::Ok) {
            let (from, to) = (before.status, after.status);
            let reason = after.reason.clone();
            self.note(EventKind::ServiceChanged { service: name.clone(), from, to, reason });
        }
    }
}

fn verdict(parts: &[Part<'_>], before: Option<&ServiceState>, started: Timestamp) -> Standing {
    let Some(status) = parts.iter().map(|part| part.standing.status).max() else {
        return Standing::unknown("nothing to judge it by", started, None);
    };
    let before = before.map(|service| &service.standing);
    // Of several at the worst status the one that began first tells the reason.
    let worst = parts.iter().filter(|part| part.standing.status == status);
    let Some(worst) = worst.min_by_key(|part| part.standing.since) else {
        return Standing::waiting(started);
    };
    let latest = parts.iter().max_by_key(|part| part.standing.since).unwrap_or(worst);
    let (since, since_at_least) = match before {
        Some(before) if before.status == status && !before.is_waiting() => {
            (before.since, before.since_at_least)
        }
        // Better or ok: since the last part recovered. Worse: since the first
        // part that is so bad, but not before the verdict that it ended.
        Some(before) if status < before.status || status == Status::Ok => {
            (latest.standing.since, latest.standing.since_at_least)
        }
        Some(before) => (worst.standing.since.max(before.since), worst.standing.since_at_least),
        None => (worst.standing.since, worst.standing.since_at_least),
    };
    let confirming = parts.iter().filter_map(|part| match part.standing.mark {
        Some(Mark::Confirming { to }) if to > status => Some(to),
        _ => None,
    });
    let mark = match confirming.max() {
        Some(to) => Some(Mark::Confirming { to }),
        None => worst.standing.mark,
    };
    let reason = match worst.name {
        Some(name) if !worst.standing.reason.is_empty() => {
            format!("{name}: {}", worst.standing.reason)
        }
        _ => worst.standing.reason.clone(),
    };
    Standing { status, reason, since, since_at_least, seen: worst.standing.seen, mark }
}
