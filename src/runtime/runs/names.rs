//! What runbooks can speak of: services and their fields, checks, backups, alerts.

use crate::config::Config;
use crate::domain::ServiceName;
use crate::runbook::Names;
use crate::store::signal_alert_name;
use std::collections::BTreeMap;

/// Alerts that opsroom raises by itself, beside those of signals.
const OWN_ALERTS: &[&str] = &["CheckFailing", "CertificateExpiring", "BackupStale", "SourceDown"];
/// The names that a config knows.
pub fn names(config: &Config) -> Names {
    let services = config.services.iter().map(|service| {
        let mut fields = BTreeMap::new();
        let mut put = |name: &str, value: Option<String>| {
            fields.extend(value.map(|value| (format!("SERVICE_{name}"), value)));
        };
        put("OWNER", service.owner.clone());
        put("CONTACT", service.contact.clone());
        put("LINK", service.link.clone());
        put("JOB", service.requests.as_ref().map(|requests| requests.job.clone()));
        let needs: Vec<&str> = service.depends_on.iter().map(ServiceName::as_str).collect();
        put("DEPENDS_ON", (!needs.is_empty()).then(|| needs.join(" ")));
        // Those that the config spells out for runbooks count before all others.
        for (name, value) in &service.vars {
            put(&name.to_uppercase(), Some(value.clone()));
        }
        (service.name.as_str().to_owned(), fields)
    });
    let checks = config.services.iter().flat_map(|service| {
        service.checks.iter().map(move |check| format!("{}/{}", service.name, check.role.name))
    });
    let signals = config.inventory().signals;
    let of_signals = signals.iter().map(signal_alert_name);
    Names {
        services: services.collect(),
        checks: checks.collect(),
        backups: config.backups.iter().map(|backup| backup.table.name().to_owned()).collect(),
        alerts: of_signals.chain(OWN_ALERTS.iter().map(|name| (*name).to_owned())).collect(),
        more_alerts: config.prometheus.is_some() || config.alertmanager.is_some(),
    }
}
