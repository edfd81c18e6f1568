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
mod state;
mod turn;
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
pub use state::{
    CheckState, HostState, Online, ServiceState, SignalState, SignalValue, SourceState,
};
pub use watch::{Watch, WatchKind};

use crate::domain::{
    Alert, Counts, Event, EventKind, Inventory, Release, Role, ServiceName, SignalId, SourceId,
    SourceInfo, Standing, Status, Timestamp,
};
use crate::store::{Answer, AskId, Effect, Looked, Msg, Runs, Seen};
use index::Index;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use turn::Turn;

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
