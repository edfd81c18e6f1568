//! The alerts that opsroom raises by itself.

use super::checks::counts;
use super::judge::words;
use super::{Known, Turn};
use crate::domain::alert::ALERT_NAME;
use crate::domain::{
    Alert, AlertState, BackupRole, CheckRole, EventKind, Labels, Mark, Role, Severity, Signal,
    SignalKind, SourceInfo, Standing, Status, Timestamp, harmless_within,
};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The origin of all alerts that are raised here.
const ORIGIN: &str = "opsroom";
/// One signal raises so many alerts at most: its worst series.
const PER_SIGNAL: usize = 100;
/// A label's value from outside is cut to so many characters.
const LABEL_CHARS: usize = 200;

/// Where an alert stands in the order of alerts: worst first, then longest
/// first; after those that count the others, the quiet ones last. Its identity is in its labels alone: the severity is none of them, so
/// that a warning that becomes critical stays the same alert.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Key {
    status: Reverse<Status>,
    quiet: bool,
    severity: Reverse<Severity>,
    since: Timestamp,
    labels: Labels,
}

impl Key {
    fn of(alert: &Alert) -> Self {
        let labels = alert.labels.clone();
        Self {
            status: Reverse(alert.status()),
            quiet: alert.is_quiet(),
            severity: Reverse(alert.severity),
            since: alert.since,
            labels,
        }
    }
}

/// What is to be done with the alerts of one thing.
enum Say {
    /// These fire, and no others.
    Fire(Vec<Alert>),
    /// Nobody knows: those that fire go on, as last seen.
    Keep,
}

impl Say {
    fn is_nothing(&self) -> bool {
        match self {
            Self::Fire(alerts) => alerts.is_empty(),
            Self::Keep => true,
        }
    }
}

fn severity(status: Status) -> Option<Severity> {
    match status {
        Status::Critical => Some(Severity::Critical),
        Status::Warning => Some(Severity::Warning),
        Status::Unknown | Status::Ok => None,
    }
}

fn alert(labels: Labels, standing: &Standing, severity: Severity, expression: String) -> Alert {
    Alert {
        labels,
        origins: vec![ORIGIN.into()],
        state: AlertState::Firing,
        severity,
        service: None,
        since: standing.since,
        since_at_least: standing.since_at_least,
        reason: standing.reason.clone(),
        expression,
        seen: standing.seen.unwrap_or(standing.since),
        annotations: BTreeMap::new(),
        quiet: Vec::new(),
        receivers: Vec::new(),
        link: None,
        source: None,
    }
}

/// The name of the alert that a signal raises: for one of the config's own its
/// name in one word.
pub fn signal_alert_name(signal: &Signal) -> String {
    if signal.kind != SignalKind::Custom {
        return signal.kind.alert_name().into();
    }
    let name = signal.id.as_str().rsplit('/').next().unwrap_or_default();
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let mut joined = String::new();
    for word in words {
        let mut letters = word.chars();
        joined.extend(letters.next().into_iter().flat_map(char::to_uppercase));
        joined.push_str(letters.as_str());
    }
    if joined.is_empty() { signal.kind.alert_name().into() } else { joined }
}

impl Known {
    /// `CheckFailing` and `CertificateExpiring`.
    pub(super) fn raise_for_check(&mut self, turn: &mut Turn, info: &SourceInfo, role: &CheckRole) {
        let several = self.checks_of(&role.service).len() > 1;
        let Some(state) = self.checks.get_mut(&info.id) else { return };
        let certificate = state.certificate.as_ref();
        let certificate = certificate.filter(|standing| severity(standing.status).is_some());
        let standing = &state.standing;
        let quiet = standing.status == Status::Ok && certificate.is_none();
        if state.memory.raised.is_empty() && (quiet || !counts(role.at_most)) {
            return;
        }
        let labels = |name: &str| {
            let service: &str = role.service.as_str();
            Labels::new([(ALERT_NAME, name), ("service", service), ("check", &role.name)])
        };
        let expression = format!("check {}/{}", role.service, role.name);
        let mut wanted = Vec::new();
        if counts(role.at_most) {
            if let Some(severity) = severity(standing.status) {
                wanted.push(alert(labels("CheckFailing"), standing, severity, expression.clone()));
            } else if standing.status == Status::Unknown {
                // Nobody knows whether it has ended.
                let failing = labels("CheckFailing");
                let old = state.memory.raised.iter().find(|key| key.labels == failing);
                let old = old.and_then(|key| find(&self.alerts, key));
                wanted.extend(old.map(|place| self.alerts[place].clone()));
            }
            if let Some(standing) = certificate
                && let Some(severity) = severity(standing.status)
            {
                wanted.push(alert(labels("CertificateExpiring"), standing, severity, expression));
            }
        }
        for alert in &mut wanted {
            alert.service = Some(role.service.clone());
        }
        if several {
            // Which of them it is has to be told, once: an alert that is kept says it already.
            let begin = format!("{}: ", role.name);
            for alert in wanted.iter_mut().filter(|alert| !alert.reason.starts_with(&begin)) {
                alert.reason.insert_str(0, &begin);
            }
        }
        let old = std::mem::take(&mut state.memory.raised);
        let raised = self.say(turn, old, Say::Fire(wanted));
        if let Some(state) = self.checks.get_mut(&info.id) {
            state.memory.raised = raised;
        }
    }

    /// `SourceDown`, for servers and scraped targets. Warns at most: what the
    /// source would have told of is unknown, which is not known to be bad.
    pub(super) fn raise_for_source(&mut self, turn: &mut Turn, info: &SourceInfo) {
        let Some(state) = self.sources.get_mut(&info.id) else { return };
        let job = match &info.role {
            Role::Scrape { job } => job.as_str(),
            Role::Server | Role::Alerts | Role::Targets | Role::Issues | Role::Releases => "",
            Role::Canary | Role::Check(_) | Role::Backup(_) => return,
        };
        let standing = &state.standing;
        let say = match standing.status {
            Status::Ok if state.memory.raised.is_empty() => return,
            Status::Ok => Say::Fire(Vec::new()),
            Status::Unknown => Say::Keep,
            Status::Warning | Status::Critical => {
                let id = info.id.as_str();
                let labels =
                    Labels::new([(ALERT_NAME, "SourceDown"), ("source", id), ("job", job)]);
                let expression = format!("source {id}");
                let mut alert = alert(labels, standing, Severity::Warning, expression);
                alert.reason = format!("{}: {}", info.label, standing.reason);
                Say::Fire(vec![alert])
            }
        };
        let old = std::mem::take(&mut state.memory.raised);
        let raised = self.say(turn, old, say);
        if let Some(state) = self.sources.get_mut(&info.id) {
            state.memory.raised = raised;
        }
    }

    /// `BackupStale`, for whatever is wrong with the backups of a data set.
    pub(super) fn raise_for_backup(
        &mut self,
        turn: &mut Turn,
        info: &SourceInfo,
        role: &BackupRole,
    ) {
        let Some(state) = self.backups.get_mut(&info.id) else { return };
        let standing = &state.standing;
        let say = match severity(standing.status) {
            Some(severity) if counts(role.at_most) => {
                let mut labels = vec![(ALERT_NAME, "BackupStale"), ("backup", &*role.name)];
                labels.extend(role.service.as_ref().map(|service| ("service", service.as_str())));
                let expression = format!("backup {}", role.name);
                let mut alert = alert(Labels::new(labels), standing, severity, expression);
                alert.reason = format!("{}: {}", role.name, standing.reason);
                alert.service.clone_from(&role.service);
                Say::Fire(vec![alert])
            }
            None if standing.status == Status::Unknown && counts(role.at_most) => Say::Keep,
            Some(_) | None => Say::Fire(Vec::new()),
        };
        if state.memory.raised.is_empty() && say.is_nothing() {
            return;
        }
        let old = std::mem::take(&mut state.memory.raised);
        let raised = self.say(turn, old, say);
        if let Some(state) = self.backups.get_mut(&info.id) {
            state.memory.raised = raised;
        }
    }

    /// One alert for each series of a signal that is beyond a threshold. It
    /// ends when an answer says so: a series that is good again, or no longer
    /// in the answer beside others, or without traffic.
    pub(super) fn raise_for_signal(&mut self, turn: &mut Turn, signal: &Signal) {
        let Some(state) = self.signals.get_mut(&signal.id) else { return };
        let standing = &state.standing;
        let say = match (standing.status, standing.mark) {
            _ if !counts(signal.at_most) => Say::Fire(Vec::new()),
            (Status::Unknown, Some(Mark::NoTraffic)) => Say::Fire(Vec::new()),
            (Status::Unknown, _) | (_, Some(Mark::Stale | Mark::Confirming { .. })) => Say::Keep,
            _ => {
                let alone = state.values.len() == 1;
                let bad = state.values.iter().filter_map(|value| {
                    let severity = severity(value.status)?;
                    let bad = &state.memory.bad;
                    let since = bad.iter().find(|(labels, _)| *labels == value.labels);
                    let mut standing = standing.clone();
                    standing.since = since.map_or(standing.since, |(_, since)| *since);
                    if !alone {
                        standing.reason = words(signal, value, alone);
                    }
                    let labels = signal_labels(signal, &value.labels);
                    let mut alert = alert(labels, &standing, severity, signal.expr.to_string());
                    alert.service.clone_from(&signal.service);
                    Some(alert)
                });
                Say::Fire(bad.take(PER_SIGNAL).collect())
            }
        };
        if state.memory.raised.is_empty() && say.is_nothing() {
            return;
        }
        let old = std::mem::take(&mut state.memory.raised);
        let raised = self.say(turn, old, say);
        if let Some(state) = self.signals.get_mut(&signal.id) {
            state.memory.raised = raised;
        }
    }

    /// Ends alerts whose subject is no longer watched.
    pub(super) fn end(&mut self, turn: &mut Turn, raised: Vec<Key>) {
        let rest = self.say(turn, raised, Say::Fire(Vec::new()));
        debug_assert!(rest.is_empty(), "nothing was wanted");
    }

    /// Updates, raises and ends the alerts of one thing. Gives those that fire.
    fn say(&mut self, turn: &mut Turn, old: Vec<Key>, say: Say) -> Vec<Key> {
        let Say::Fire(wanted) = say else { return old };
        let mut keys = Vec::with_capacity(wanted.len());
        for mut alert in wanted {
            let known = old.iter().find(|key| key.labels == alert.labels);
            let place = known.and_then(|key| find(&self.alerts, key));
            if let Some(place) = place {
                // The same alert goes on, whatever its severity is now.
                alert.since = self.alerts[place].since;
                alert.since_at_least = self.alerts[place].since_at_least;
            }
            let key = Key::of(&alert);
            match (place, known) {
                (Some(place), Some(known)) if *known == key => self.alerts[place] = alert,
                (Some(_), Some(known)) => {
                    turn.ended.push(known.clone());
                    turn.raised.push(alert);
                }
                (Some(_) | None, _) => {
                    self.note(EventKind::AlertFired {
                        identity: alert.identity(),
                        name: alert.name().to_owned(),
                        service: alert.service.clone(),
                        reason: alert.reason.clone(),
                    });
                    turn.raised.push(alert);
                }
            }
            keys.push(key);
        }
        for key in old {
            if keys.iter().any(|kept| kept.labels == key.labels) {
                continue;
            }
            if let Some(place) = find(&self.alerts, &key) {
                let alert = &self.alerts[place];
                let (identity, name) = (alert.identity(), alert.name().to_owned());
                let service = alert.service.clone();
                self.note(EventKind::AlertResolved { identity, name, service });
            }
            turn.ended.push(key);
        }
        keys
    }

    /// Brings the list of alerts up to date, in order, once for each message.
    pub(super) fn settle_alerts(&mut self, turn: &mut Turn) {
        if turn.raised.is_empty() && turn.ended.is_empty() && turn.others.is_none() {
            return;
        }
        turn.explain = true;
        turn.ended.sort();
        let others = turn.others.take();
        self.alerts.retain(|alert| match alert.source {
            Some(_) => others.is_none(),
            None => turn.ended.binary_search(&Key::of(alert)).is_err(),
        });
        self.alerts.extend(others.into_iter().flatten());
        self.alerts.append(&mut turn.raised);
        turn.ended.clear();
        self.alerts.sort_by_cached_key(Key::of);
    }
}

/// The place of an alert in the sorted list.
fn find(alerts: &[Alert], key: &Key) -> Option<usize> {
    alerts.binary_search_by(|alert| Key::of(alert).cmp(key)).ok()
}

fn signal_labels(signal: &Signal, series: &Labels) -> Labels {
    let mut pairs: Vec<(Arc<str>, Arc<str>)> = Vec::new();
    for (name, value) in series.iter().filter(|(name, _)| &***name != "__name__") {
        let value = match value.chars().nth(LABEL_CHARS) {
            Some(_) => harmless_within(value, LABEL_CHARS).into(),
            None => Arc::clone(value),
        };
        pairs.push((Arc::clone(name), value));
    }
    pairs.extend(signal.labels.iter().map(|(name, value)| (Arc::clone(name), Arc::clone(value))));
    pairs.push((ALERT_NAME.into(), signal_alert_name(signal).into()));
    if let Some(service) = &signal.service {
        pairs.push(("service".into(), Arc::clone(&service.0)));
    }
    // Two signals of one kind are two alerts.
    let name = signal.id.as_str().rsplit('/').next().unwrap_or_default();
    pairs.push(("signal".into(), name.into()));
    Labels::new(pairs)
}
