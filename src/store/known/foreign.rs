//! Alerts that others raise, and what they say of themselves.
//!
//! Prometheus and Alertmanager tell of the same alerts; here they are one. What
//! a source told last stays until it tells something else: one that is down
//! ends no alert.

mod same;

use super::{Known, Turn};
use crate::domain::alert::ALERT_NAME;
use crate::domain::{
    Alert, AlertState, AlertsReading, BrokenRule, Counts, EventKind, Labels, Mark, Notifications,
    Reading, Reported, Role, ServiceName, SourceId, SourceInfo, Standing, Status, TargetsReading,
    Timestamp, harmless_within,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The kind of the source that tells what rules of one's own say.
pub const LOCAL_RULES: &str = "local rules";
/// So many alerts that began, and so many that ended, are events of their own in
/// one go: a storm must not push all else out of the history.
const EVENTS_AT_ONCE: usize = 200;
/// Annotations that tell the reason, the best one first.
const REASONS: [&str; 5] = ["summary", "description", "message", "title", "help"];
/// A reason is cut to so many characters.
const REASON_CHARS: usize = 300;

/// What is remembered of alerts that others raise.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Foreign {
    /// Alerts that were said to have begun: each fingerprint that one is known
    /// by, and the identity with which its beginning was told.
    told: BTreeMap<u64, u64>,
    /// The moment after which time alone changes what they count for.
    pub(super) turns: Option<Timestamp>,
    /// Those that count and belong to no service.
    alone: Counts,
    /// The worst of each service.
    services: BTreeMap<ServiceName, Standing>,
}

/// One source of alerts, with what it told last.
struct Teller<'t> {
    info: &'t SourceInfo,
    reading: &'t AlertsReading,
    seen: Timestamp,
    stale: bool,
}

impl Teller<'_> {
    fn is_alertmanager(&self) -> bool {
        self.info.kind == "alertmanager"
    }

    /// What it is called among an alert's origins.
    fn origin(&self) -> &'static str {
        match self.info.kind.as_str() {
            "alertmanager" => "alertmanager",
            LOCAL_RULES => "local",
            _ => "prometheus",
        }
    }
}

/// An alert of others on its way into the list.
struct Found {
    alert: Alert,
    /// The fingerprint of the same alert's labels as its other teller has them.
    alias: Option<u64>,
    /// Nobody who tells of it has been heard of lately.
    stale: bool,
}

impl Known {
    /// A source of alerts has answered; `alike` where it told the same as
    /// before, which was not too old yet. A failure changes nothing until what
    /// was told is too old.
    pub(super) fn reported(turn: &mut Turn, alike: bool) {
        turn.foreign |= !alike;
        turn.foreign_alike |= alike;
    }

    /// Brings the alerts of others up to date with what was last told of them.
    pub(super) fn refold_foreign(&mut self, turn: &mut Turn) {
        let tellers = self.alert_tellers();
        let turns = self.foreign_turns();
        let mut found = same::merged(&tellers);
        let homes = Homes::of(&self.inventory.services);
        for one in &mut found {
            one.alert.service = homes.of_alert(&one.alert.labels);
        }
        self.foreign.turns = turns;
        self.keep_beginnings(&mut found);
        self.judge_foreign(turn, found.iter().map(|found| (&found.alert, found.stale)));
        self.tell_foreign(&found);
        turn.others = Some(found.into_iter().map(|one| one.alert).collect());
    }

    /// The same as [`Known::refold_foreign`] where everybody told what they told
    /// before, which they do nearly always: only when it was seen is news.
    pub(super) fn reseen_foreign(&mut self, turn: &mut Turn) {
        let tellers = self.alert_tellers();
        let mut of_origin: BTreeMap<&'static str, (Timestamp, bool)> = BTreeMap::new();
        for teller in &tellers {
            of_origin.insert(teller.origin(), (teller.seen, teller.stale));
        }
        if of_origin.len() < tellers.len() {
            // Which of two told of an alert is not kept.
            self.refold_foreign(turn);
            return;
        }
        self.foreign.turns = self.foreign_turns();
        let mut alerts = std::mem::take(&mut self.alerts);
        let mut judged = Vec::with_capacity(alerts.len());
        for alert in alerts.iter_mut().filter(|alert| alert.source.is_some()) {
            let told = alert.origins.iter().filter_map(|origin| of_origin.get(origin.as_str()));
            let stale = told.clone().all(|(_, stale)| *stale);
            alert.seen = told.map(|(seen, _)| *seen).max().unwrap_or(alert.seen);
            judged.push((&*alert, stale));
        }
        self.judge_foreign(turn, judged.into_iter());
        self.alerts = alerts;
    }

    /// Sources of alerts that have told something.
    fn alert_tellers(&self) -> Vec<Teller<'_>> {
        let tellers = self.tellers().filter(|(info, _)| matches!(info.role, Role::Alerts));
        let tellers = tellers.filter_map(|(info, source)| {
            let Some(Reading::Alerts(reading)) = &source.reading else { return None };
            let seen = source.answered.unwrap_or(self.started);
            let stale = source.is_stale(self.now, info.every);
            Some(Teller { info, reading, seen, stale })
        });
        tellers.collect()
    }

    /// The moment after which time alone changes what alerts count for.
    fn foreign_turns(&self) -> Option<Timestamp> {
        let tellers = self.tellers().filter(|(info, _)| matches!(info.role, Role::Alerts));
        let turns = tellers.filter_map(|(info, source)| source.stale_at(info.every));
        turns.filter(|moment| *moment >= self.now).min()
    }

    /// An alert whose beginning nobody tells began when it was first seen here.
    fn keep_beginnings(&self, found: &mut [Found]) {
        if found.iter().all(|one| one.alert.since != Timestamp::default()) {
            return;
        }
        let foreign = self.alerts.iter().filter(|alert| alert.source.is_some());
        let known: HashMap<u64, Timestamp> =
            foreign.map(|alert| (alert.identity(), alert.since)).collect();
        for Found { alert, .. } in found {
            if alert.since == Timestamp::default() {
                alert.since = known.get(&alert.identity()).copied().unwrap_or(alert.seen);
                alert.since_at_least = true;
            }
        }
    }

    /// What the alerts count for: those of a service in its verdict, others by
    /// themselves.
    fn judge_foreign<'a>(
        &mut self,
        turn: &mut Turn,
        found: impl Iterator<Item = (&'a Alert, bool)>,
    ) {
        let mut alone = Counts::default();
        let mut services: BTreeMap<ServiceName, Standing> = BTreeMap::new();
        for (alert, stale) in found {
            let status = status_of(alert, stale);
            if status == Status::Ok {
                continue;
            }
            let Some(service) = &alert.service else {
                alone.add(status);
                continue;
            };
            let worse = services.get(service).is_none_or(|worst| {
                (status, std::cmp::Reverse(alert.since))
                    > (worst.status, std::cmp::Reverse(worst.since))
            });
            if worse {
                let mut standing = standing(alert, stale);
                standing.reason = format!("alert {}: {}", alert.name(), alert.reason);
                services.insert(service.clone(), standing);
            }
        }
        let before = &self.foreign.services;
        let names: BTreeSet<&ServiceName> = before.keys().chain(services.keys()).collect();
        let changed = names.into_iter().filter(|name| before.get(*name) != services.get(*name));
        turn.services.extend(changed.cloned());
        self.foreign.services = services;
        self.foreign.alone = alone;
    }

    /// Beginnings and ends, once each. One that was never loud is no event; one
    /// that is silenced meanwhile has not ended.
    fn tell_foreign(&mut self, found: &[Found]) {
        let before = std::mem::take(&mut self.foreign.told);
        let mut told: BTreeMap<u64, u64> = BTreeMap::new();
        let mut begun = 0;
        for Found { alert, alias, .. } in found {
            if alert.state != AlertState::Firing {
                continue;
            }
            let identity = alert.identity();
            let prints = [Some(identity), *alias];
            let known = prints.iter().flatten().find_map(|print| before.get(print)).copied();
            let is_loud = alert.status() != Status::Ok;
            if known.is_none() && !is_loud {
                continue;
            }
            let first = known.unwrap_or(identity);
            for print in prints.into_iter().flatten() {
                told.insert(print, first);
            }
            if known.is_none() {
                begun += 1;
                if begun <= EVENTS_AT_ONCE {
                    self.note(EventKind::AlertFired {
                        identity,
                        name: alert.name().to_owned(),
                        service: alert.service.clone(),
                        reason: alert.reason.clone(),
                    });
                }
            }
        }
        let go_on: BTreeSet<u64> = told.values().copied().collect();
        let over: BTreeSet<u64> =
            before.values().copied().filter(|first| !go_on.contains(first)).collect();
        let ended = over.len();
        if !over.is_empty() {
            let prints: HashMap<u64, u64> = before.into_iter().collect();
            let gone: Vec<(u64, String, Option<ServiceName>)> = self
                .alerts
                .iter()
                .filter(|alert| alert.source.is_some())
                .filter_map(|alert| {
                    let first = prints.get(&alert.identity()).filter(|first| over.contains(first));
                    Some((*first?, alert.name().to_owned(), alert.service.clone()))
                })
                .take(EVENTS_AT_ONCE)
                .collect();
            for (identity, name, service) in gone {
                self.note(EventKind::AlertResolved { identity, name, service });
            }
        }
        for (many, what) in [(begun, "began to fire"), (ended, "ended")] {
            if many > EVENTS_AT_ONCE {
                let text = format!("{} more alerts {what}", many - EVENTS_AT_ONCE);
                self.note(EventKind::Note { text });
            }
        }
        self.foreign.told = told;
    }

    /// How the alerts of others make a service stand, if any counts.
    pub(super) fn alert_standing(&self, service: &ServiceName) -> Option<&Standing> {
        self.foreign.services.get(service)
    }

    /// How many alerts of others count by themselves, by their status.
    pub(super) fn alerts_alone(&self) -> impl Iterator<Item = Status> {
        let Counts { critical, warning, unknown, .. } = self.foreign.alone;
        let repeat = std::iter::repeat_n;
        repeat(Status::Critical, critical)
            .chain(repeat(Status::Warning, warning))
            .chain(repeat(Status::Unknown, unknown))
    }

    /// Alerts of others that count and belong to no service, worst first.
    pub fn lone_alerts(&self) -> impl Iterator<Item = (&Alert, Standing)> {
        let alone = self.alerts.iter().filter(|alert| alert.source.is_some());
        alone.filter(|alert| alert.service.is_none()).filter_map(|alert| {
            let standing = self.standing_of_alert(alert);
            (standing.status != Status::Ok).then_some((alert, standing))
        })
    }

    /// What an alert counts for now. One that nobody has told of for too long
    /// is unknown, unless it is critical.
    pub fn standing_of_alert(&self, alert: &Alert) -> Standing {
        let stale = alert.source.as_ref().is_some_and(|id| {
            let place = self.index.sources.get(id);
            let info = place.and_then(|place| self.inventory.sources.get(*place));
            let source = self.sources.get(id);
            info.zip(source).is_some_and(|(info, source)| source.is_stale(self.now, info.every))
        });
        standing(alert, stale)
    }

    /// What each source of alerts told last.
    fn told_of_alerts(&self) -> impl Iterator<Item = (&SourceId, &AlertsReading)> {
        self.tellers().filter_map(|(info, state)| match &state.reading {
            Some(Reading::Alerts(reading)) => Some((&info.id, &**reading)),
            _ => None,
        })
    }

    /// Rules that cannot be evaluated, and the source that tells of each.
    pub fn broken_rules(&self) -> impl Iterator<Item = (&SourceId, &BrokenRule)> {
        self.told_of_alerts()
            .flat_map(|(id, reading)| reading.broken_rules.iter().map(move |rule| (id, rule)))
    }

    /// Integrations through which nobody is told at present.
    pub fn failing_notifications(&self) -> impl Iterator<Item = (&SourceId, &Notifications)> {
        self.told_of_alerts()
            .flat_map(|(id, reading)| reading.notifications.iter().map(move |one| (id, one)))
            .filter(|(_, one)| one.failing)
    }

    /// The alert that must always fire and does not.
    pub fn missing_watchdog(&self) -> Option<&str> {
        let mut watchdogs = self.told_of_alerts().filter_map(|(_, told)| told.watchdog.as_ref());
        watchdogs.find(|watchdog| !watchdog.fires).map(|watchdog| watchdog.name.as_str())
    }

    /// The targets of the metrics server as it told of them last.
    pub fn targets(&self) -> Option<(&SourceId, &TargetsReading)> {
        self.tellers().find_map(|(info, state)| match &state.reading {
            Some(Reading::Targets(reading)) => Some((&info.id, &**reading)),
            _ => None,
        })
    }
}

/// What an alert counts for, where nobody was heard of it for too long or not.
fn status_of(alert: &Alert, stale: bool) -> Status {
    match alert.status() {
        Status::Warning if stale => Status::Unknown,
        status => status,
    }
}

fn standing(alert: &Alert, stale: bool) -> Standing {
    Standing {
        status: status_of(alert, stale),
        reason: alert.reason.clone(),
        since: alert.since,
        since_at_least: alert.since_at_least,
        seen: Some(alert.seen),
        mark: stale.then_some(Mark::Stale),
    }
}

/// Which service an alert speaks of.
struct Homes<'h> {
    names: BTreeSet<&'h str>,
    /// None where several services have the job.
    jobs: HashMap<&'h str, Option<&'h str>>,
}

impl<'h> Homes<'h> {
    fn of(services: &'h [crate::domain::Service]) -> Self {
        let mut jobs: HashMap<&str, Option<&str>> = HashMap::new();
        for service in services {
            if let Some(job) = &service.job {
                let name = Some(service.name.as_str());
                jobs.entry(job).and_modify(|home| *home = None).or_insert(name);
            }
        }
        Self { names: services.iter().map(|service| service.name.as_str()).collect(), jobs }
    }

    /// The service that the label `service` names, else the one whose job it is.
    fn of_alert(&self, labels: &Labels) -> Option<ServiceName> {
        let named = labels.get("service").filter(|name| self.names.contains(name));
        let by_job = || self.jobs.get(labels.get("job")?).copied().flatten();
        named.or_else(by_job).map(ServiceName::from)
    }
}

/// An alert as one source tells it.
fn alert_of(teller: &Teller<'_>, told: &Reported) -> Found {
    let alert = Alert {
        labels: told.labels.clone(),
        origins: vec![teller.origin().into()],
        state: told.state,
        severity: told.severity,
        service: None,
        since: told.since,
        since_at_least: told.since_at_least,
        reason: reason_of(told),
        expression: told.expression.clone(),
        seen: teller.seen,
        annotations: told.annotations.clone(),
        quiet: told.quiet.clone(),
        receivers: told.receivers.clone(),
        link: told.link.clone(),
        source: Some(teller.info.id.clone()),
    };
    Found { alert, alias: None, stale: teller.stale }
}

/// What an alert is about: its annotation, or else its labels.
fn reason_of(told: &Reported) -> String {
    let annotation = REASONS.iter().find_map(|name| told.annotations.get(*name));
    if let Some(text) = annotation.map(|text| text.trim()).filter(|text| !text.is_empty()) {
        return harmless_within(text, REASON_CHARS);
    }
    let plain = |name: &str| !matches!(name, ALERT_NAME | "severity");
    let labels = told.labels.iter().filter(|(name, _)| plain(name));
    let labels: Vec<String> = labels.map(|(name, value)| format!("{name}={value}")).collect();
    let text = if labels.is_empty() { told.expression.clone() } else { labels.join(", ") };
    let text = if text.is_empty() { "it gives no reason".to_owned() } else { text };
    harmless_within(&text, REASON_CHARS)
}
