//! What belongs to what in an inventory, so that a row is drawn without looking
//! through all of it.

use crate::domain::{
    BackupRole, CheckRole, Inventory, Role, Service, ServiceName, Signal, SignalKind, SourceId,
    SourceInfo,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Places in an inventory, by name.
#[derive(Clone, Debug, Default)]
pub struct Index {
    inventory: Arc<Inventory>,
    services: BTreeMap<ServiceName, Parts>,
    sources: BTreeMap<SourceId, usize>,
    hosts: BTreeMap<String, Vec<usize>>,
    trackers: Vec<usize>,
    backups: Vec<usize>,
}

#[derive(Clone, Debug, Default)]
struct Parts {
    service: usize,
    signals: Vec<usize>,
    checks: Vec<usize>,
}

impl Index {
    /// Of this inventory.
    pub fn of(inventory: &Arc<Inventory>) -> Self {
        let mut services: BTreeMap<ServiceName, Parts> = BTreeMap::new();
        let mut hosts: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        let mut sources = BTreeMap::new();
        let (mut trackers, mut backups) = (Vec::new(), Vec::new());
        for (i, service) in inventory.services.iter().enumerate() {
            services.entry(service.name.clone()).or_default().service = i;
        }
        for (i, signal) in inventory.signals.iter().enumerate() {
            if let Some(parts) = signal.service.as_ref().and_then(|name| services.get_mut(name)) {
                parts.signals.push(i);
            }
            if let Some(group) = &signal.hosts {
                hosts.entry(group.clone()).or_default().push(i);
            }
        }
        for (i, source) in inventory.sources.iter().enumerate() {
            sources.insert(source.id.clone(), i);
            match &source.role {
                Role::Issues => trackers.push(i),
                Role::Backup(_) => backups.push(i),
                _ => {}
            }
            if let Role::Check(role) = &source.role
                && let Some(parts) = services.get_mut(&role.service)
            {
                parts.checks.push(i);
            }
        }
        Self { inventory: Arc::clone(inventory), services, sources, hosts, trackers, backups }
    }

    /// Whether it is of this very inventory.
    pub fn is_of(&self, inventory: &Arc<Inventory>) -> bool {
        Arc::ptr_eq(&self.inventory, inventory)
    }

    /// The service of this name.
    pub fn service(&self, name: &ServiceName) -> Option<&Service> {
        self.inventory.services.get(self.services.get(name)?.service)
    }

    /// The signals of a service, in the order of the config.
    pub fn signals_of(&self, name: &ServiceName) -> impl Iterator<Item = &Signal> {
        let places = self.services.get(name).map_or(&[][..], |parts| &parts.signals);
        places.iter().filter_map(|i| self.inventory.signals.get(*i))
    }

    /// A service's signal of one kind.
    pub fn signal(&self, name: &ServiceName, kind: SignalKind) -> Option<&Signal> {
        self.signals_of(name).find(|signal| signal.kind == kind)
    }

    /// The checks of a service, in the order of the config.
    pub fn checks_of(&self, name: &ServiceName) -> impl Iterator<Item = (&SourceInfo, &CheckRole)> {
        let places = self.services.get(name).map_or(&[][..], |parts| &parts.checks);
        places.iter().filter_map(|i| {
            let source = self.inventory.sources.get(*i)?;
            match &source.role {
                Role::Check(role) => Some((source, role)),
                _ => None,
            }
        })
    }

    /// The source of this identity.
    pub fn source(&self, id: &SourceId) -> Option<&SourceInfo> {
        self.inventory.sources.get(*self.sources.get(id)?)
    }

    /// The sources of issues, in the order of the config.
    pub fn trackers(&self) -> impl Iterator<Item = &SourceInfo> {
        self.trackers.iter().filter_map(|i| self.inventory.sources.get(*i))
    }

    /// The data sets whose backups are looked at, in the order of the config.
    pub fn backups(&self) -> impl Iterator<Item = (&SourceInfo, &BackupRole)> {
        self.backups.iter().filter_map(|i| {
            let source = self.inventory.sources.get(*i)?;
            match &source.role {
                Role::Backup(role) => Some((source, role)),
                _ => None,
            }
        })
    }

    /// What is wanted of the backups of this source.
    pub fn backup(&self, id: &SourceId) -> Option<&BackupRole> {
        match &self.source(id)?.role {
            Role::Backup(role) => Some(role),
            _ => None,
        }
    }

    /// The signals of a group of hosts.
    pub fn host_signals(&self, group: &str) -> impl Iterator<Item = &Signal> {
        let places = self.hosts.get(group).map_or(&[][..], |places| places);
        places.iter().filter_map(|i| self.inventory.signals.get(*i))
    }

    /// The place of a service in the config.
    pub fn place(&self, name: &ServiceName) -> usize {
        self.services.get(name).map_or(usize::MAX, |parts| parts.service)
    }

    /// The inventory itself.
    pub fn inventory(&self) -> &Inventory {
        &self.inventory
    }
}
