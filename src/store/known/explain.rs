//! What is explained by something else: a service that broke after one that it
//! needs, and in the way that a broken one causes, folds under that one.

use super::Known;
use super::checks::counts;
use super::names::Needs;
use super::sources::rules;
use crate::domain::{
    Alert, Cause, CheckReading, Mark, PollFailure, Reading, Role, ServiceName, SignalKind,
    SourceId, Standing, Status, Timestamp,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A release of its own so shortly before it broke is the likelier reason.
const OWN_RELEASE: Duration = Duration::from_mins(10);
/// No answer has more bad components that are looked at.
const COMPONENTS: usize = 100;
/// Labels of an alert that say what was not reached or asked.
const TELLING: [&str; 9] = [
    "dependency",
    "depends_on",
    "upstream",
    "backend",
    "component",
    "peer",
    "remote",
    "destination",
    "server",
];

/// What folds under what. It hides nothing and counts for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explained {
    services: BTreeMap<ServiceName, ServiceName>,
    alerts: BTreeMap<u64, ServiceName>,
}

impl Explained {
    /// The service that explains all that is wrong with this one.
    pub fn root_of(&self, service: &ServiceName) -> Option<&ServiceName> {
        self.services.get(service)
    }

    /// The service that explains this alert.
    pub fn root_of_alert(&self, identity: u64) -> Option<&ServiceName> {
        self.alerts.get(&identity)
    }

    /// The services that this one explains, in the order of their names.
    pub fn under<'e>(&'e self, root: &'e ServiceName) -> impl Iterator<Item = &'e ServiceName> {
        self.services.iter().filter(move |(_, of)| *of == root).map(|(name, _)| name)
    }

    /// The services that explain others.
    pub fn roots(&self) -> BTreeSet<&ServiceName> {
        self.services.values().chain(self.alerts.values()).collect()
    }

    /// How many alerts are explained.
    pub fn alerts(&self) -> usize {
        self.alerts.len()
    }

    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        self.services.is_empty() && self.alerts.is_empty()
    }
}

/// How a check last failed: kept while it recovers, so that what folds does not
/// unfold with the first good answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Broke {
    /// It was not reached: no name, refused, no answer in time, cut off.
    Unreached,
    /// It answered, and these of its parts are bad.
    Answered(Vec<(String, Status)>),
    /// Anything else.
    Otherwise,
}

impl Broke {
    /// What a poll says of it; nothing where the poll found nothing bad.
    pub(super) fn of(outcome: &Result<Reading, crate::domain::PollError>) -> Option<Self> {
        match outcome {
            Ok(Reading::Check(reading)) if reading.status == Status::Ok => None,
            Ok(Reading::Check(reading)) => Some(Self::of_reading(reading)),
            Ok(_) => Some(Self::Otherwise),
            Err(error) => Some(match error.cause {
                PollFailure::Name
                | PollFailure::Refused
                | PollFailure::Timeout
                | PollFailure::Network => Self::Unreached,
                PollFailure::Tls
                | PollFailure::Denied
                | PollFailure::Absent
                | PollFailure::Busy
                | PollFailure::Broken
                | PollFailure::TooBig
                | PollFailure::Limited => Self::Otherwise,
            }),
        }
    }

    fn of_reading(reading: &CheckReading) -> Self {
        match reading.cause {
            Some(Cause::Name | Cause::Refused | Cause::Timeout | Cause::Network) => Self::Unreached,
            Some(Cause::Tls | Cause::Check) => Self::Otherwise,
            Some(Cause::Answer) | None => {
                let bad = reading.components.iter().filter(|part| part.status >= Status::Warning);
                let bad = bad.take(COMPONENTS).map(|part| (part.name.clone(), part.status));
                Self::Answered(bad.collect())
            }
        }
    }
}

/// Whether what a standing explains, or what explains it, may have changed.
pub(super) fn differs(before: &Standing, after: &Standing) -> bool {
    let told = |of: &Standing| (of.status, of.since, of.since_at_least, of.mark);
    told(before) != told(after)
}

/// Something bad that a service is judged by.
struct Part<'k> {
    kind: PartKind<'k>,
    status: Status,
    since: Timestamp,
    at_least: bool,
    /// Its beginning may be seen this much too late.
    slack: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum PartKind<'k> {
    Check(&'k SourceId),
    /// Errors and latency: they go with a check that is explained.
    Follows,
    /// Any other signal.
    Own,
    /// A date, which breaks nobody else before it comes.
    Certificate,
}

/// All that is bad of each service that is not `ok`.
type AllBad<'k> = BTreeMap<&'k ServiceName, Vec<Part<'k>>>;

/// When something broke, as far as it was seen.
#[derive(Clone, Copy)]
struct Break {
    since: Timestamp,
    at_least: bool,
    slack: Duration,
}

impl Break {
    /// Whether what is bad since `since` may have come of it.
    fn may_have_caused(&self, since: Timestamp, at_least: bool) -> bool {
        // Whose beginning was not seen may have been bad long before one that was.
        let slack = if at_least && !self.at_least { Duration::ZERO } else { self.slack };
        since + slack >= self.since
    }
}

impl Known {
    /// What folds under what.
    pub fn explained(&self) -> &Explained {
        &self.explained
    }

    /// Works out anew what is explained by what, where it may have changed.
    pub(super) fn settle_explained(&mut self) {
        self.moved += 1;
        if !self.index.needs.is_empty() || !self.explained.is_empty() {
            self.explained = self.explain();
        }
    }

    fn explain(&self) -> Explained {
        // Many are held against few: what is bad of each is worked out once.
        let bad = self.services.iter().filter(|(_, service)| service.standing.status != Status::Ok);
        let bad: AllBad<'_> = bad.map(|(name, _)| (name, self.bad_parts(name))).collect();
        let mut checks: BTreeMap<&SourceId, (&ServiceName, Break)> = BTreeMap::new();
        let mut direct: BTreeMap<&ServiceName, &ServiceName> = BTreeMap::new();
        for (name, needs) in &self.index.needs {
            let (Some(service), Some(parts)) = (self.services.get(name), bad.get(name)) else {
                continue;
            };
            for part in parts {
                if let PartKind::Check(id) = part.kind
                    && let Some(found) = self.parent_of(&bad, name, needs, (id, part))
                {
                    checks.insert(id, found);
                }
            }
            if let Some(parent) = whole(service.standing.status, parts, &checks) {
                direct.insert(name, parent);
            }
        }
        let roots = roots_of(&direct);
        let mut explained = Explained::default();
        for (name, root) in &roots {
            explained.services.insert((*name).clone(), (*root).clone());
        }
        for alert in &self.alerts {
            if let Some(parent) = self.parent_of_alert(&bad, alert, &checks) {
                let root = roots.get(parent).copied().unwrap_or(parent);
                if Some(root) != alert.service.as_ref() {
                    explained.alerts.insert(alert.identity(), root.clone());
                }
            }
        }
        explained
    }

    /// All that is bad of a service and counts.
    fn bad_parts(&self, name: &ServiceName) -> Vec<Part<'_>> {
        let mut parts = Vec::new();
        let Some(members) = self.index.services.get(name) else { return parts };
        for id in &members.checks {
            let info = self.index.sources.get(id).and_then(|i| self.inventory.sources.get(*i));
            let (Some(info), Some(check)) = (info, self.checks.get(id)) else { continue };
            let Role::Check(role) = &info.role else { continue };
            if !counts(role.at_most) {
                continue;
            }
            let took = self.sources.get(id).map_or(Duration::ZERO, |source| source.took);
            let rules = rules(info, took);
            let slack = rules.every + rules.confirm_after * rules.confirm;
            let mut add = |kind, standing: &Standing| {
                if standing.status != Status::Ok {
                    parts.push(Part {
                        kind,
                        status: standing.status,
                        since: standing.since,
                        at_least: standing.since_at_least,
                        slack,
                    });
                }
            };
            add(PartKind::Check(id), &check.standing);
            if let Some(certificate) = &check.certificate {
                add(PartKind::Certificate, certificate);
            }
        }
        for id in &members.signals {
            let signal = self.index.signals.get(id).and_then(|i| self.inventory.signals.get(*i));
            let (Some(signal), Some(state)) = (signal, self.signals.get(id)) else { continue };
            let judged =
                signal.thresholds.warning.is_some() || signal.thresholds.critical.is_some();
            let standing = &state.standing;
            if !judged || !counts(signal.at_most) || standing.status == Status::Ok {
                continue;
            }
            let follows = matches!(signal.kind, SignalKind::Errors | SignalKind::Latency);
            parts.push(Part {
                kind: if follows { PartKind::Follows } else { PartKind::Own },
                status: standing.status,
                since: standing.since,
                at_least: standing.since_at_least,
                slack: signal.every * 2,
            });
        }
        // What others raise tells no cause, and may have one of its own.
        if let Some(standing) = self.alert_standing(name) {
            parts.push(Part {
                kind: PartKind::Own,
                status: standing.status,
                since: standing.since,
                at_least: standing.since_at_least,
                slack: Duration::from_mins(1),
            });
        }
        // New errors in a tracker go with the service's other errors.
        let issues = self.issue_standings(name).into_iter();
        for standing in issues.filter(|standing| standing.status != Status::Ok) {
            parts.push(Part {
                kind: PartKind::Follows,
                status: standing.status,
                since: standing.since,
                at_least: standing.since_at_least,
                slack: Duration::from_mins(1),
            });
        }
        parts
    }

    /// When a service broke so badly that it can make another one this bad.
    fn break_of(&self, bad: &AllBad<'_>, name: &ServiceName, status: Status) -> Option<Break> {
        let wanted = status.max(Status::Warning);
        if self.services.get(name)?.standing.status < wanted {
            return None;
        }
        let parts = bad.get(name)?.iter().filter(|part| part.status >= wanted);
        let first = parts
            .filter(|part| part.kind != PartKind::Certificate)
            .min_by_key(|part| part.since)?;
        Some(Break { since: first.since, at_least: first.at_least, slack: first.slack })
    }

    /// The service whose break made this check fail, if one did.
    fn parent_of<'k>(
        &'k self,
        bad: &AllBad<'_>,
        name: &ServiceName,
        needs: &'k Needs,
        (id, part): (&SourceId, &Part<'_>),
    ) -> Option<(&'k ServiceName, Break)> {
        let check = self.checks.get(id)?;
        if let Some(Mark::Stale | Mark::Offline | Mark::Waiting) = check.standing.mark {
            return None;
        }
        let found = |parent: &'k ServiceName| {
            let broke = self.break_of(bad, parent, part.status)?;
            broke.may_have_caused(part.since, part.at_least).then_some((parent, broke))
        };
        let first = |(_, broke): &(&ServiceName, Break)| broke.since;
        match check.memory.broke.as_ref()? {
            Broke::Otherwise => None,
            Broke::Unreached if self.own_release(name, part.since + part.slack) => None,
            Broke::Unreached => needs.direct().filter_map(found).min_by_key(first),
            Broke::Answered(components) => {
                let worst = components.iter().map(|(_, status)| *status).max()?;
                if worst < part.status {
                    return None;
                }
                // What only sums its parts up is not looked at by itself.
                let sums_up = |name: &str| {
                    let mut others = components.iter().map(|(other, _)| other);
                    others.any(|other| {
                        other.strip_prefix(name).is_some_and(|rest| rest.starts_with('/'))
                    })
                };
                let telling = components.iter().filter(|(name, _)| !sums_up(name));
                let parents: Option<Vec<_>> =
                    telling.map(|(name, _)| found(needs.named(name)?)).collect();
                parents?.into_iter().min_by_key(first)
            }
        }
    }

    /// Whether a release of the service came shortly before.
    fn own_release(&self, name: &ServiceName, broke: Timestamp) -> bool {
        self.releases.iter().any(|release| {
            release.service.as_ref() == Some(name)
                && release.at <= broke
                && broke.since(release.at) <= OWN_RELEASE
        })
    }

    /// The service whose break raised this alert, if one did.
    fn parent_of_alert<'k>(
        &'k self,
        bad: &AllBad<'_>,
        alert: &Alert,
        checks: &BTreeMap<&SourceId, (&'k ServiceName, Break)>,
    ) -> Option<&'k ServiceName> {
        let service = alert.service.as_ref()?;
        let needs = self.index.needs.get(service)?;
        if alert.source.is_none() {
            let members = self.index.services.get(service)?;
            let of_service = || members.checks.iter().filter_map(|id| checks.get(id));
            return match alert.name() {
                "CheckFailing" => {
                    let id = format!("check/{service}/{}", alert.labels.get("check")?);
                    checks.get(&SourceId::from(id)).map(|(parent, _)| *parent)
                }
                "HighErrorRate" | "HighLatency" => of_service()
                    .filter(|(_, broke)| broke.may_have_caused(alert.since, alert.since_at_least))
                    .min_by_key(|(_, broke)| broke.since)
                    .map(|(parent, _)| *parent),
                _ => None,
            };
        }
        let parent = TELLING.iter().find_map(|label| needs.named(alert.labels.get(label)?))?;
        let broke = self.break_of(bad, parent, alert.severity.status())?;
        broke.may_have_caused(alert.since, alert.since_at_least).then_some(parent)
    }
}

/// Where the links from each of these end.
fn roots_of<'k>(
    direct: &BTreeMap<&'k ServiceName, &'k ServiceName>,
) -> BTreeMap<&'k ServiceName, &'k ServiceName> {
    let mut roots: BTreeMap<&ServiceName, &ServiceName> = BTreeMap::new();
    for name in direct.keys().copied() {
        let (mut way, mut at) = (Vec::new(), name);
        while let (Some(parent), true) = (direct.get(at), way.len() <= direct.len()) {
            way.push(at);
            at = roots.get(at).copied().unwrap_or(parent);
        }
        if direct.contains_key(at) {
            // A circle, which the config refuses, has no root.
            continue;
        }
        roots.extend(way.into_iter().map(|on_the_way| (on_the_way, at)));
    }
    roots
}

/// The one that explains a service as a whole: nothing of it may be bad for a
/// reason of its own.
fn whole<'k>(
    status: Status,
    parts: &[Part<'_>],
    checks: &BTreeMap<&SourceId, (&'k ServiceName, Break)>,
) -> Option<&'k ServiceName> {
    let found = |part: &Part<'_>| match part.kind {
        PartKind::Check(id) => checks.get(id).copied(),
        PartKind::Follows | PartKind::Own | PartKind::Certificate => None,
    };
    // Beside what is known to be bad, what nobody knows tells nothing; where
    // all is unknown, signals without an answer go with their check.
    let telling = |part: &&Part<'_>| match part.kind {
        PartKind::Check(_) => part.status >= status.min(Status::Warning),
        _ => part.status >= Status::Warning,
    };
    let worst = parts.iter().map(|part| part.status).max();
    if worst != Some(status) {
        return None;
    }
    let linked: Vec<_> = parts.iter().filter_map(|part| Some((part, found(part)?))).collect();
    let first = linked.iter().filter(|(part, _)| part.status == status);
    let (_, (parent, broke)) = first
        .min_by_key(|(_, (_, broke))| broke.since)
        .or_else(|| linked.iter().min_by_key(|(_, (_, broke))| broke.since))?;
    let explained = |part: &Part<'_>| match part.kind {
        PartKind::Check(_) => found(part).is_some(),
        PartKind::Follows => broke.may_have_caused(part.since, part.at_least),
        PartKind::Own | PartKind::Certificate => false,
    };
    parts.iter().filter(telling).all(explained).then_some(*parent)
}
