//! What of all that a config names has to be watched to answer a few conditions.

use crate::domain::alert::ALERT_NAME;
use crate::domain::runs::{AlertSeen, Condition};
use crate::domain::{
    EngineKind, Inventory, Labels, Role, ServiceName, Signal, SignalId, SourceId, SourceInfo,
};
use crate::metrics::promql;
use crate::store::signal_alert_name;
use std::collections::BTreeSet;

/// What conditions are asked about.
#[derive(Clone, Debug, Default)]
pub(super) struct Subject {
    /// The service that a run is about.
    pub(super) service: Option<ServiceName>,
    /// The alert that it was started from.
    pub(super) alert: Option<AlertSeen>,
}

impl Subject {
    /// The labels of the alert that the run was started from, if it has this name.
    pub(super) fn identity(&self, name: &str) -> Option<&Labels> {
        let labels = &self.alert.as_ref()?.labels;
        (labels.get(ALERT_NAME) == Some(name)).then_some(labels)
    }
}

/// Whoever may raise an alert.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Origins {
    pub(super) signals: Vec<SignalId>,
    /// `CheckFailing`
    pub(super) checks: Vec<SourceId>,
    /// `CertificateExpiring`
    pub(super) certificates: Vec<SourceId>,
    /// `BackupStale`
    pub(super) backups: Vec<SourceId>,
    /// `SourceDown`
    pub(super) sources: Vec<SourceId>,
    /// Alertmanager, the rules of Prometheus.
    pub(super) tellers: Vec<SourceId>,
}

impl Origins {
    /// Of an alert of this name; of the one with these labels alone, where given.
    pub(super) fn of(inventory: &Inventory, name: &str, identity: Option<&Labels>) -> Self {
        let mut all = Self::of_name(inventory, name);
        let Some(labels) = identity else { return all };
        let label = |name: &str| labels.get(name);
        let signal = |id: &SignalId| {
            let signal = inventory.signals.iter().find(|signal| signal.id == *id);
            signal.is_some_and(|signal| {
                let service = signal.service.as_ref().map(ServiceName::as_str);
                label("signal") == Some(last_part(signal.id.as_str()))
                    && label("service").or(service) == service.or(label("service"))
            })
        };
        let check = |id: &SourceId| {
            inventory.sources.iter().filter(|info| info.id == *id).any(|info| match &info.role {
                Role::Check(role) => {
                    label("check") == Some(&role.name)
                        && label("service") == Some(role.service.as_str())
                }
                _ => false,
            })
        };
        let own = Self {
            signals: all.signals.iter().filter(|id| signal(id)).cloned().collect(),
            checks: all.checks.iter().filter(|id| check(id)).cloned().collect(),
            certificates: all.certificates.iter().filter(|id| check(id)).cloned().collect(),
            backups: named(&all.backups, |id| label("backup") == id.strip_prefix("backup/")),
            sources: named(&all.sources, |id| label("source") == Some(id)),
            tellers: Vec::new(),
        };
        if own.is_own() {
            return own;
        }
        // Nothing of opsroom's own carries these labels: somebody else raised it.
        Self { tellers: std::mem::take(&mut all.tellers), ..Self::default() }
    }

    /// Whether opsroom raises it by itself.
    pub(super) fn is_own(&self) -> bool {
        let Self { signals, checks, certificates, backups, sources, tellers: _ } = self;
        !signals.is_empty()
            || [checks, certificates, backups, sources].iter().any(|of| !of.is_empty())
    }

    fn of_name(inventory: &Inventory, name: &str) -> Self {
        let sources = |wanted: fn(&Role) -> bool| -> Vec<SourceId> {
            let found = inventory.sources.iter().filter(|info| wanted(&info.role));
            found.map(|info| info.id.clone()).collect()
        };
        let when = |is: bool, wanted: fn(&Role) -> bool| {
            if is { sources(wanted) } else { Vec::new() }
        };
        let signals = inventory.signals.iter().filter(|signal| signal_alert_name(signal) == name);
        Self {
            signals: signals.map(|signal| signal.id.clone()).collect(),
            checks: when(name == "CheckFailing", |role| matches!(role, Role::Check(_))),
            certificates: when(name == "CertificateExpiring", |role| {
                matches!(role, Role::Check(_))
            }),
            backups: when(name == "BackupStale", |role| matches!(role, Role::Backup(_))),
            sources: when(name == "SourceDown", |role| {
                !matches!(role, Role::Check(_) | Role::Backup(_) | Role::Canary)
            }),
            tellers: sources(|role| matches!(role, Role::Alerts)),
        }
    }
}

fn named(ids: &[SourceId], wanted: impl Fn(&str) -> bool) -> Vec<SourceId> {
    ids.iter().filter(|id| wanted(id.as_str())).cloned().collect()
}

pub(super) fn last_part(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or_default()
}

/// The check of this name: `SERVICE/NAME`, or `NAME` where one service alone has it.
pub(super) fn check_named<'i>(
    inventory: &'i Inventory,
    name: &str,
) -> Result<&'i SourceInfo, String> {
    let roles = inventory.sources.iter().filter_map(|info| match &info.role {
        Role::Check(role) => Some((info, role)),
        _ => None,
    });
    let all: Vec<_> = roles.collect();
    let whole = |role: &crate::domain::CheckRole| format!("{}/{}", role.service, role.name) == name;
    if let Some((info, _)) = all.iter().find(|(_, role)| whole(role)) {
        return Ok(info);
    }
    let mut short = all.iter().filter(|(_, role)| role.name == name);
    match (short.next(), short.next()) {
        (Some((info, _)), None) => Ok(info),
        (Some(_), Some(_)) => Err(format!("several services have a check {name}")),
        (None, _) => Err(format!("the config has no check {name}")),
    }
}

/// The backups of this data set.
pub(super) fn backup_named<'i>(inventory: &'i Inventory, name: &str) -> Option<&'i SourceInfo> {
    inventory
        .sources
        .iter()
        .find(|info| matches!(&info.role, Role::Backup(role) if role.name == name))
}

/// What is polled and asked for some conditions.
#[derive(Clone, Debug, Default)]
pub(super) struct Needs {
    pub(super) sources: BTreeSet<SourceId>,
    pub(super) signals: BTreeSet<SignalId>,
}

impl Needs {
    /// Of these conditions alone.
    pub(super) fn of<'c>(
        inventory: &Inventory,
        conditions: impl IntoIterator<Item = &'c Condition>,
        subject: &Subject,
    ) -> Self {
        let mut needs = Self::default();
        let mut jobs = Jobs::default();
        for condition in conditions {
            match condition {
                Condition::Service { name, .. } => needs.service(inventory, name),
                Condition::Check { name, .. } => {
                    needs.sources.extend(check_named(inventory, name).ok().map(|it| it.id.clone()));
                }
                Condition::Alert { name, .. } => {
                    let origins = Origins::of(inventory, name, subject.identity(name));
                    needs.signals.extend(origins.signals);
                    let sources = [
                        origins.checks,
                        origins.certificates,
                        origins.backups,
                        origins.sources,
                        origins.tellers,
                    ];
                    needs.sources.extend(sources.into_iter().flatten());
                }
                Condition::Backup { name } => {
                    let found = backup_named(inventory, name);
                    needs.sources.extend(found.map(|info| info.id.clone()));
                    if found.is_some_and(|info| info.kind == "promql") {
                        jobs.all = true;
                    }
                }
                Condition::Promql { expr } => jobs.add(inventory.engine, expr),
            }
        }
        let local = |info: &&SourceInfo| info.kind == crate::sources::local::KIND;
        if inventory.sources.iter().filter(local).any(|it| needs.sources.contains(&it.id)) {
            // Its rules may ask for anything that is scraped.
            jobs.all = true;
        }
        for signal in inventory.signals.iter().filter(|it| needs.signals.contains(&it.id)) {
            jobs.add(Some(signal.engine), &signal.expr);
            if let Some((requests, _)) = &signal.min_requests {
                jobs.add(Some(signal.engine), requests);
            }
        }
        let wanted = inventory.sources.iter().filter(|info| match &info.role {
            Role::Scrape { job } => jobs.all || jobs.names.contains(job),
            Role::Server => jobs.server,
            _ => false,
        });
        needs.sources.extend(wanted.map(|info| info.id.clone()));
        needs
    }

    fn service(&mut self, inventory: &Inventory, name: &ServiceName) {
        let service = inventory.services.iter().find(|service| service.name == *name);
        let tracked =
            inventory.issues.count() && service.is_some_and(|service| !service.projects.is_empty());
        let wanted = inventory.sources.iter().filter(|info| match &info.role {
            Role::Check(role) => role.service == *name,
            Role::Alerts => true,
            Role::Issues => tracked,
            _ => false,
        });
        self.sources.extend(wanted.map(|info| info.id.clone()));
        self.signals.extend(signals_of(inventory, name).map(|signal| signal.id.clone()));
    }
}

fn signals_of<'i>(
    inventory: &'i Inventory,
    name: &'i ServiceName,
) -> impl Iterator<Item = &'i Signal> {
    inventory.signals.iter().filter(move |signal| signal.service.as_ref() == Some(name))
}

/// The jobs that expressions speak of.
#[derive(Default)]
struct Jobs {
    names: BTreeSet<String>,
    all: bool,
    server: bool,
}

impl Jobs {
    fn add(&mut self, engine: Option<EngineKind>, expr: &str) {
        match engine {
            Some(EngineKind::Server) => self.server = true,
            None => {}
            Some(EngineKind::Embedded) => {
                let Ok(expr) = promql::parse(expr) else { return };
                for selector in promql::selectors(&expr) {
                    match selector.equal("job") {
                        Some(job) => {
                            self.names.insert(job.to_owned());
                        }
                        None => self.all = true,
                    }
                }
            }
        }
    }
}

/// What of an inventory is needed for these conditions and for the signals of
/// the run's service.
pub(super) fn reduced(
    inventory: &Inventory,
    conditions: &[&Condition],
    subject: &Subject,
) -> Inventory {
    let mut needs = Needs::of(inventory, conditions.iter().copied(), subject);
    if let Some(name) = &subject.service {
        let service = Condition::Service { name: name.clone(), status: crate::domain::Status::Ok };
        let more = Needs::of(inventory, [&service], subject);
        needs.sources.extend(more.sources);
        needs.signals.extend(more.signals);
    }
    let sources = inventory
        .sources
        .iter()
        .filter(|info| needs.sources.contains(&info.id) || matches!(info.role, Role::Canary));
    let signals = inventory.signals.iter().filter(|signal| needs.signals.contains(&signal.id));
    Inventory {
        sources: sources.cloned().collect(),
        signals: signals.cloned().collect(),
        ..inventory.clone()
    }
}
