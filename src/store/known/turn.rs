//! One message's turn: what it touched, and the conclusions from that.

use super::{Known, alerts};
use crate::domain::{Alert, ServiceName, SignalId, SourceId, Timestamp};
use crate::store::Effect;
use std::collections::{BTreeMap, BTreeSet};

/// What one message touched, settled once at its end.
#[derive(Debug, Default)]
pub(super) struct Turn {
    pub(super) effects: Vec<Effect>,
    pub(super) sources: BTreeSet<SourceId>,
    pub(super) checks: BTreeSet<SourceId>,
    pub(super) signals: BTreeSet<SignalId>,
    pub(super) services: BTreeSet<ServiceName>,
    pub(super) groups: BTreeSet<String>,
    pub(super) backups: BTreeSet<SourceId>,
    pub(super) raised: Vec<Alert>,
    pub(super) ended: Vec<alerts::Key>,
    /// What explains what may have changed.
    pub(super) explain: bool,
    /// Somebody told of alerts, or has not for too long.
    pub(super) foreign: bool,
    /// Somebody told of alerts what was told before.
    pub(super) foreign_alike: bool,
    /// All alerts that others raise, where they were told of anew.
    pub(super) others: Option<Vec<Alert>>,
}

impl Known {
    /// Time went by: what is old turns stale, and what is due is asked.
    pub(super) fn ticked(&mut self, turn: &mut Turn) {
        let now = self.now;
        let is_over = |moment: Option<Timestamp>| moment.is_some_and(|moment| now > moment);
        for (id, check) in &self.checks {
            if is_over(check.memory.turns) {
                turn.checks.insert(id.clone());
            }
        }
        for (id, source) in &self.sources {
            if is_over(source.memory.turns) {
                turn.sources.insert(id.clone());
            }
        }
        for (id, signal) in &self.signals {
            if is_over(signal.memory.turns) {
                turn.signals.insert(id.clone());
            }
        }
        for (id, backup) in &self.backups {
            if is_over(backup.memory.turns) {
                turn.backups.insert(id.clone());
            }
        }
        for (name, hosts) in &self.hosts {
            if hosts.values().any(|host| host.is_long_gone(now)) {
                turn.groups.insert(name.clone());
            }
        }
        self.ask_what_is_due(turn);
    }

    /// Draws the conclusions from all that a message touched.
    pub(super) fn settle(&mut self, turn: &mut Turn) {
        if !turn.sources.is_empty() {
            for id in std::mem::take(&mut turn.sources) {
                self.refresh_source(turn, &id);
            }
            self.refresh_online(turn);
            if !turn.sources.is_empty() {
                // Judged a second time: what the first time raised is in the list by then.
                self.settle_alerts(turn);
            }
            for id in std::mem::take(&mut turn.sources) {
                self.refresh_source(turn, &id);
            }
        }
        for id in std::mem::take(&mut turn.checks) {
            self.refresh_check(turn, &id);
        }
        for id in std::mem::take(&mut turn.signals) {
            self.refresh_signal(turn, &id);
        }
        for id in std::mem::take(&mut turn.backups) {
            self.refresh_backup(turn, &id);
        }
        for name in std::mem::take(&mut turn.groups) {
            self.refresh_hosts(&name);
        }
        if std::mem::take(&mut turn.foreign) {
            self.refold_foreign(turn);
        } else if std::mem::take(&mut turn.foreign_alike) {
            self.reseen_foreign(turn);
        }
        for name in std::mem::take(&mut turn.services) {
            self.refresh_service(&name);
        }
        self.settle_alerts(turn);
        if turn.explain {
            self.settle_explained();
        }
    }

    pub(super) fn touch_all(&self, turn: &mut Turn) {
        turn.explain = true;
        turn.sources = self.sources.keys().cloned().collect();
        turn.checks = self.checks.keys().cloned().collect();
        turn.signals = self.signals.keys().cloned().collect();
        turn.services = self.services.keys().cloned().collect();
        turn.groups = self.hosts.keys().cloned().collect();
        turn.backups = self.backups.keys().cloned().collect();
        turn.foreign = true;
    }

    /// Nothing that is known may be of a later moment than now, or it would
    /// stay fresh until the clock has caught up.
    pub(super) fn clock_went_back(&mut self, now: Timestamp) {
        let earlier = |moment: &mut Option<Timestamp>| {
            if let Some(moment) = moment {
                *moment = (*moment).min(now);
            }
        };
        for source in self.sources.values_mut() {
            earlier(&mut source.polled);
            earlier(&mut source.answered);
            if let Some((since, _)) = &mut source.failing {
                *since = (*since).min(now);
            }
            source.memory.not_after(now);
        }
        for check in self.checks.values_mut() {
            check.memory.not_after(now);
        }
        for backup in self.backups.values_mut() {
            backup.not_after(now);
        }
        for signal in self.signals.values_mut() {
            earlier(&mut signal.standing.seen);
            signal.standing.since = signal.standing.since.min(now);
            signal.memory.not_after(now);
        }
        for host in self.hosts.values_mut().flat_map(BTreeMap::values_mut) {
            earlier(&mut host.missing);
        }
        for service in self.services.values_mut() {
            service.standing.since = service.standing.since.min(now);
            for (since, _) in &mut service.history {
                *since = (*since).min(now);
            }
        }
        earlier(&mut self.nudged);
        self.runs.not_after(now);
        self.started = self.started.min(now);
    }
}
