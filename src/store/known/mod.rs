//! What is known now: the fold of everything that came in, as panels,
//! `glance` and runs read it.

mod alerts;
mod asks;
mod backups;
mod checks;
mod explain;
mod foreign;
mod hosts;
mod index;
mod issues;
mod judge;
mod names;
mod releases;
mod reload;
mod remember;
mod services;
mod signals;
mod sources;
mod watch;

#[cfg(test)]
mod tests;

pub use alerts::signal_alert_name;
pub use backups::{BackupState, Concern, Estimate, SizeChange};
pub use checks::certificate_at;
pub use explain::Explained;
pub use foreign::LOCAL_RULES;
pub use issues::ServiceIssues;
pub use releases::Change;
pub use watch::{Watch, WatchKind};

use crate::domain::{
    Alert, CheckReading, Counts, Event, EventKind, Inventory, Labels, Num, PollError, Reading,
    Release, Role, ServiceName, SignalId, SourceId, SourceInfo, Standing, Status, Timestamp,
};
use crate::store::{Answer, AskId, Effect, Looked, Msg, Runs, Seen};
use index::Index;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// So many events are kept.
const EVENTS: usize = 2_000;
/// So many closer looks are kept.
const LOOKS: usize = 100;
/// So many answers to questions of panels are kept: more than any screen asks.
const ANSWERS: usize = 1_024;

/// Everything known at `now`. All statuses in it already count staleness,
/// confirming, flapping and the state of one's own network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Known {
    /// What is watched.
    pub inventory: Arc<Inventory>,
    /// When watching began.
    pub started: Timestamp,
    /// The moment that all of this is about.
    pub now: Timestamp,
    /// Whether this host has a network, as the canaries say.
    pub online: Online,
    /// Every source, by its identity.
    pub sources: BTreeMap<SourceId, SourceState>,
    /// Every check, by its source.
    pub checks: BTreeMap<SourceId, CheckState>,
    /// Every signal.
    pub signals: BTreeMap<SignalId, SignalState>,
    /// Every service.
    pub services: BTreeMap<ServiceName, ServiceState>,
    /// Every host that was seen, by its group's name and its `instance`.
    pub hosts: BTreeMap<String, BTreeMap<Arc<str>, HostState>>,
    /// The backups of every data set, by their source.
    pub backups: BTreeMap<SourceId, BackupState>,
    /// Releases, the newest first, bounded.
    pub releases: Vec<Release>,
    /// Closer looks that the operator asked for, the newest first, bounded; one
    /// of each thing.
    pub looked: VecDeque<Looked>,
    /// Runbooks, and their runs on this host.
    pub runs: Runs,
    /// Alerts that fire or are pending, worst first, then longest first.
    pub alerts: Vec<Alert>,
    /// The last answers to the questions of panels, by their place. Those of
    /// signals are judged and kept in `signals`.
    pub answers: BTreeMap<AskId, Arc<Answer>>,
    /// What happened, oldest first, bounded.
    pub events: VecDeque<Event>,
    /// What folds under what; see [`Known::explained`].
    explained: Explained,
    /// Grows when rows of services or alerts may have to stand elsewhere
    /// though nothing has happened to them.
    pub moved: u64,
    /// What is remembered of alerts that others raise.
    foreign: foreign::Foreign,
    /// Who belongs to whom; follows from the inventory.
    index: Arc<Index>,
    /// When the canaries were last asked out of turn.
    nudged: Option<Timestamp>,
}

/// Whether this host has a network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Online {
    /// No canary is set, or none has answered yet: sources are believed.
    #[default]
    Untold,
    /// A canary answers.
    Yes,
    /// No canary answers.
    No { since: Timestamp },
}

/// What is known of a source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SourceState {
    /// How it stands as a source: `ok` while it answers. For a source that
    /// answers a check see [`Known::standing_of_source`].
    pub standing: Standing,
    /// When its last poll began.
    pub polled: Option<Timestamp>,
    /// When it last brought something.
    pub answered: Option<Timestamp>,
    /// What it last brought; for a check see [`CheckState::last`].
    pub reading: Option<Reading>,
    /// Why the last poll brought nothing, if so, and since when that is so.
    pub failing: Option<(Timestamp, PollError)>,
    /// When it is asked next.
    pub next: Option<Timestamp>,
    /// How long the last poll took.
    pub took: Duration,
    /// How late the last poll began.
    pub late: Duration,
    /// How many polls ended.
    pub polls: u64,
    /// How many of them brought nothing.
    pub failures: u64,
    /// What the rules remember of it.
    pub memory: sources::Memory,
}

impl SourceState {
    /// When its last answer is older than three of its intervals; one whose
    /// polls take longer than its interval cannot answer as often as that.
    fn stale_at(&self, every: Duration) -> Option<Timestamp> {
        let answered = self.answered?;
        Some(answered + every.max(self.took).saturating_mul(3))
    }

    /// Whether its last answer is so old that it says nothing of now.
    pub fn is_stale(&self, now: Timestamp, every: Duration) -> bool {
        self.stale_at(every).is_some_and(|moment| now > moment)
    }
}

/// How a check stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CheckState {
    /// Its status and reason.
    pub standing: Standing,
    /// Its last answer, with components and certificate.
    pub last: Option<CheckReading>,
    /// How the certificate stands that it was last shown.
    pub certificate: Option<Standing>,
    /// What the rules remember of it.
    pub memory: checks::Memory,
}

/// How a signal stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SignalState {
    /// Its status and reason.
    pub standing: Standing,
    /// Its values, worst first; empty where there is no answer or no data.
    pub values: Vec<SignalValue>,
    /// What the engine warned of, or why it did not answer.
    pub notes: Vec<String>,
    /// What the rules remember of it.
    pub memory: signals::Memory,
}

/// One series of a signal's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalValue {
    /// Its labels.
    pub labels: Labels,
    /// Its value in the signal's unit.
    pub value: Num,
    /// How it is judged.
    pub status: Status,
}

/// How a service stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceState {
    /// The worst of its checks and signals, with that one's reason.
    pub standing: Standing,
    /// Its verdicts over time, oldest first, bounded: `(since, status)`.
    pub history: VecDeque<(Timestamp, Status)>,
}

/// How a host stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostState {
    /// The worst of its signals, or of the scrape that brings them.
    pub standing: Standing,
    /// Since when nothing told of it, where that is so.
    pub missing: Option<Timestamp>,
}

/// What one message touched, settled once at its end.
#[derive(Debug, Default)]
struct Turn {
    effects: Vec<Effect>,
    sources: BTreeSet<SourceId>,
    checks: BTreeSet<SourceId>,
    signals: BTreeSet<SignalId>,
    services: BTreeSet<ServiceName>,
    groups: BTreeSet<String>,
    backups: BTreeSet<SourceId>,
    raised: Vec<Alert>,
    ended: Vec<alerts::Key>,
    /// What explains what may have changed.
    explain: bool,
    /// Somebody told of alerts, or has not for too long.
    foreign: bool,
    /// Somebody told of alerts what was told before.
    foreign_alike: bool,
    /// All alerts that others raise, where they were told of anew.
    others: Option<Vec<Alert>>,
}

impl Known {
    /// Nothing is known yet of all that the inventory names.
    pub fn new(inventory: Arc<Inventory>, now: Timestamp) -> Self {
        let index = Arc::new(Index::of(&inventory));
        let mut known = Self {
            inventory,
            started: now,
            now,
            online: Online::Untold,
            sources: BTreeMap::new(),
            checks: BTreeMap::new(),
            signals: BTreeMap::new(),
            services: BTreeMap::new(),
            hosts: BTreeMap::new(),
            backups: BTreeMap::new(),
            releases: Vec::new(),
            looked: VecDeque::new(),
            runs: Runs::default(),
            alerts: Vec::new(),
            answers: BTreeMap::new(),
            events: VecDeque::new(),
            explained: Explained::default(),
            moved: 0,
            foreign: foreign::Foreign::default(),
            index,
            nudged: None,
        };
        known.fill_up();
        known
    }

    /// Takes a message in that was taken up at `at`, and says what the world
    /// shall do about it: poll again, ask an engine. Messages that bring no
    /// knowledge only set `now`.
    pub fn take(&mut self, at: Timestamp, msg: &Msg) -> Vec<Effect> {
        let mut turn = Turn::default();
        if at < self.now {
            self.clock_went_back(at);
            self.touch_all(&mut turn);
        }
        self.now = at;
        match msg {
            Msg::Polled(polls) => {
                for polled in polls {
                    self.polled(&mut turn, polled);
                }
            }
            Msg::Answered(answers) => {
                for answered in answers {
                    self.answered(&mut turn, answered);
                }
            }
            Msg::Looked(looked) => self.looked(&mut turn, looked),
            Msg::Reloaded(Ok(inventory)) => self.reloaded(&mut turn, inventory),
            Msg::Remembered(kept) => self.remember(&mut turn, kept),
            Msg::Ticked => self.ticked(&mut turn),
            Msg::Runs(msg) => turn.effects.extend(self.runs.take(at, msg)),
            Msg::KeyPressed(_)
            | Msg::Pasted(_)
            | Msg::Resized { .. }
            | Msg::Completed(_)
            | Msg::LogsRead { .. }
            | Msg::Reloaded(Err(_))
            | Msg::Said { .. }
            | Msg::Resumed
            | Msg::Terminated => {}
        }
        turn.foreign |= self.foreign.turns.is_some_and(|moment| at > moment);
        self.settle(&mut turn);
        turn.effects
    }

    /// How many services, hosts, data sets, sources and alerts of others have
    /// each status. Each problem counts once: a service counts by its verdict,
    /// in which its checks, signals, issues and the alerts are that others raise
    /// for it; a host by its own, in which its exporter's scrape is; a group of
    /// hosts of which nothing was seen counts as one unknown. A data set counts
    /// by itself, whatever service it belongs to; an alert only where it belongs
    /// to no service. Canaries do not count.
    pub fn counts(&self) -> Counts {
        let services = self.services.values().map(|service| service.standing.status);
        let hosts = self.hosts.values().flat_map(BTreeMap::values).map(|host| host.standing.status);
        let empty = self.hosts.values().filter(|hosts| hosts.is_empty()).map(|_| Status::Unknown);
        let sources = self.lone_sources().map(|(_, source)| source.standing.status);
        let backups = self.backups_that_count().map(|(_, backup)| backup.standing.status);
        let alerts = self.alerts_alone();
        services.chain(hosts).chain(empty).chain(sources).chain(backups).chain(alerts).collect()
    }

    /// The worst of all that [`Known::counts`] counts.
    pub fn verdict(&self) -> Status {
        self.counts().verdict()
    }

    /// Servers and scraped targets that are in no other verdict.
    pub fn lone_sources(&self) -> impl Iterator<Item = (&SourceInfo, &SourceState)> {
        self.index.alone.iter().filter_map(|id| {
            let place = self.index.sources.get(id)?;
            self.inventory.sources.get(*place).zip(self.sources.get(id))
        })
    }

    /// The few sources that tell of many things, in the order of the inventory.
    fn tellers(&self) -> impl Iterator<Item = (&SourceInfo, &SourceState)> {
        self.index.tellers.iter().filter_map(|place| {
            let info = self.inventory.sources.get(*place)?;
            Some((info, self.sources.get(&info.id)?))
        })
    }

    /// How a source stands, whatever its role.
    pub fn standing_of_source(&self, id: &SourceId) -> Option<&Standing> {
        match self.checks.get(id) {
            Some(check) => Some(&check.standing),
            None => self.sources.get(id).map(|source| &source.standing),
        }
    }

    /// The checks of a service, in the order of the inventory.
    pub fn checks_of(&self, service: &ServiceName) -> &[SourceId] {
        self.index.services.get(service).map_or(&[], |members| &members.checks)
    }

    /// The signals of a service, in the order of the inventory.
    pub fn signals_of(&self, service: &ServiceName) -> &[SignalId] {
        self.index.services.get(service).map_or(&[], |members| &members.signals)
    }

    /// Time went by: what is old turns stale, and what is due is asked.
    fn ticked(&mut self, turn: &mut Turn) {
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
    fn settle(&mut self, turn: &mut Turn) {
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

    fn touch_all(&self, turn: &mut Turn) {
        turn.explain = true;
        turn.sources = self.sources.keys().cloned().collect();
        turn.checks = self.checks.keys().cloned().collect();
        turn.signals = self.signals.keys().cloned().collect();
        turn.services = self.services.keys().cloned().collect();
        turn.groups = self.hosts.keys().cloned().collect();
        turn.backups = self.backups.keys().cloned().collect();
        turn.foreign = true;
    }

    /// Keeps the last closer look at each thing.
    fn looked(&mut self, turn: &mut Turn, looked: &Looked) {
        if let Ok(Seen::Verified(check)) = &looked.outcome {
            self.backup_checked(turn, &looked.source, check);
        }
        let same = |known: &Looked| known.source == looked.source && known.look == looked.look;
        self.looked.retain(|known| !same(known));
        self.looked.push_front(looked.clone());
        self.looked.truncate(LOOKS);
    }

    fn note(&mut self, kind: EventKind) {
        if self.events.len() >= EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(Event { at: self.now, kind });
    }

    /// Nothing that is known may be of a later moment than now, or it would
    /// stay fresh until the clock has caught up.
    fn clock_went_back(&mut self, now: Timestamp) {
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

    /// Makes sure that everything the inventory names is there, waiting.
    fn fill_up(&mut self) {
        let inventory = Arc::clone(&self.inventory);
        let waiting = Standing::waiting(self.now);
        for info in &inventory.sources {
            self.sources.entry(info.id.clone()).or_insert_with(|| SourceState {
                standing: waiting.clone(),
                ..SourceState::default()
            });
            if matches!(info.role, Role::Check(_)) {
                self.checks.entry(info.id.clone()).or_insert_with(|| CheckState {
                    standing: waiting.clone(),
                    ..CheckState::default()
                });
            }
        }
        for info in &inventory.sources {
            if matches!(info.role, Role::Backup(_)) {
                self.backups.entry(info.id.clone()).or_insert_with(|| BackupState {
                    standing: waiting.clone(),
                    ..BackupState::default()
                });
            }
        }
        for signal in &inventory.signals {
            self.signals.entry(signal.id.clone()).or_insert_with(|| SignalState {
                standing: waiting.clone(),
                ..SignalState::default()
            });
        }
        for group in &inventory.hosts {
            self.hosts.entry(group.name.clone()).or_default();
            self.refresh_hosts(&group.name);
        }
        for service in &inventory.services {
            self.services.entry(service.name.clone()).or_insert_with(|| ServiceState {
                standing: waiting.clone(),
                ..ServiceState::default()
            });
            self.refresh_service(&service.name);
        }
    }
}
