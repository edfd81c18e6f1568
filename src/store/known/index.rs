//! Who belongs to whom, worked out once for each inventory.

use super::names::{Needs, needs_of};
use crate::domain::{EngineKind, Inventory, Role, ServiceName, SignalId, SourceId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Places in the inventory, and members of services, jobs and host groups.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Index {
    /// Place in `Inventory::sources`.
    pub(super) sources: BTreeMap<SourceId, usize>,
    /// Place in `Inventory::signals`.
    pub(super) signals: BTreeMap<SignalId, usize>,
    /// What a service is judged by.
    pub(super) services: BTreeMap<ServiceName, Members>,
    /// What a host group shows.
    pub(super) groups: BTreeMap<String, Group>,
    /// Signals of the embedded engine that speak of a scraped job.
    pub(super) jobs: BTreeMap<String, Vec<SignalId>>,
    /// Whom services need, where they need any.
    pub(super) needs: BTreeMap<ServiceName, Needs>,
    /// The canaries.
    pub(super) canaries: Vec<SourceId>,
    /// Places of the few sources that tell of many things: servers, alerts,
    /// targets, issues, releases.
    pub(super) tellers: Vec<usize>,
    /// Servers and scraped targets that are in no host's verdict.
    pub(super) alone: Vec<SourceId>,
}

/// What a service is judged by, in the order of the inventory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Members {
    pub(super) checks: Vec<SourceId>,
    pub(super) signals: Vec<SignalId>,
}

/// What tells of a group's hosts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Group {
    pub(super) signals: Vec<SignalId>,
    /// The scrapes of its exporters, by the host's `instance`.
    pub(super) scrapes: BTreeMap<Arc<str>, SourceId>,
}

impl Index {
    pub(super) fn of(inventory: &Inventory) -> Self {
        let mut index = Self { needs: needs_of(inventory), ..Self::default() };
        for service in &inventory.services {
            index.services.insert(service.name.clone(), Members::default());
        }
        for group in &inventory.hosts {
            index.groups.insert(group.name.clone(), Group::default());
        }
        for (place, info) in inventory.sources.iter().enumerate() {
            index.sources.insert(info.id.clone(), place);
            match &info.role {
                Role::Check(role) => {
                    if let Some(members) = index.services.get_mut(&role.service) {
                        members.checks.push(info.id.clone());
                    }
                }
                Role::Scrape { job } => {
                    index.jobs.entry(job.clone()).or_default();
                    let mut alone = true;
                    for group in inventory.hosts.iter().filter(|group| group.job == *job) {
                        let group = index.groups.get_mut(&group.name);
                        if let Some((group, instance)) = group.zip(instance_of(&info.id)) {
                            group.scrapes.insert(instance, info.id.clone());
                            alone = false;
                        }
                    }
                    if alone {
                        index.alone.push(info.id.clone());
                    }
                }
                Role::Server | Role::Alerts | Role::Targets | Role::Issues | Role::Releases => {
                    index.tellers.push(place);
                    index.alone.push(info.id.clone());
                }
                // It counts by how the backups stand.
                Role::Backup(_) => {}
                Role::Canary => index.canaries.push(info.id.clone()),
            }
        }
        for (place, signal) in inventory.signals.iter().enumerate() {
            index.signals.insert(signal.id.clone(), place);
            if let Some(members) =
                signal.service.as_ref().and_then(|name| index.services.get_mut(name))
            {
                members.signals.push(signal.id.clone());
            }
            if let Some(group) = signal.hosts.as_ref().and_then(|name| index.groups.get_mut(name)) {
                group.signals.push(signal.id.clone());
            }
            if signal.engine == EngineKind::Embedded {
                index.add_to_jobs(&signal.id, &signal.expr);
            }
        }
        index
    }

    /// A signal speaks of the jobs whose quoted names its expression holds, and
    /// of all jobs where it holds none.
    fn add_to_jobs(&mut self, id: &SignalId, expr: &str) {
        let named = |job: &str| {
            let in_quotes = |quote: char| expr.contains(&format!("{quote}{job}{quote}"));
            in_quotes('"') || in_quotes('\'') || in_quotes('`')
        };
        let names_any = self.jobs.keys().any(|job| named(job));
        for (job, signals) in &mut self.jobs {
            if !names_any || named(job) {
                signals.push(id.clone());
            }
        }
    }
}

/// The `instance` that a scraped target's samples carry: the last part of its
/// identity, `scrape/NAME/INSTANCE`.
fn instance_of(id: &SourceId) -> Option<Arc<str>> {
    id.as_str().splitn(3, '/').nth(2).filter(|instance| !instance.is_empty()).map(Arc::from)
}
