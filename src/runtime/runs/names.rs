//! What runbooks can speak of: services and their fields, checks, backups, alerts.

use crate::config::Config;
use crate::domain::{ServiceName, Signal, Status};
use crate::metrics::promql;
use crate::runbook::Names;
use crate::store::signal_alert_name;
use std::collections::BTreeMap;
use std::time::Duration;

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
    let (mut service_windows, mut alert_windows) = (BTreeMap::new(), BTreeMap::new());
    for signal in &signals {
        let limits = &signal.thresholds;
        if limits.warning.is_none() && limits.critical.is_none() {
            continue;
        }
        let window = window_of(signal);
        let longest = |of: &mut BTreeMap<String, Duration>, name: String| {
            let known = of.entry(name).or_default();
            *known = window.max(*known);
        };
        longest(&mut alert_windows, signal_alert_name(signal));
        if let Some(service) = signal.service.as_ref().filter(|_| signal.at_most >= Status::Warning)
        {
            longest(&mut service_windows, service.as_str().to_owned());
        }
    }
    Names {
        services: services.collect(),
        checks: checks.collect(),
        backups: config.backups.iter().map(|backup| backup.table.name().to_owned()).collect(),
        alerts: of_signals.chain(OWN_ALERTS.iter().map(|name| (*name).to_owned())).collect(),
        more_alerts: config.prometheus.is_some()
            || config.alertmanager.is_some()
            || !config.rules.files.is_empty(),
        service_windows,
        alert_windows,
    }
}

/// How far back a signal looks.
fn window_of(signal: &Signal) -> Duration {
    let requests = signal.min_requests.as_ref().map(|(expr, _)| expr);
    let exprs = [Some(&signal.expr), requests].into_iter().flatten();
    let parsed = exprs.filter_map(|expr| promql::parse(expr).ok());
    parsed.map(|expr| promql::window(&expr)).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Mistakes;

    #[test]
    fn what_a_proof_asks_has_the_window_of_its_signals() {
        let text = r#"
            rules = "rules/*.yml"
            [[scrape]]
            job = "api"
            targets = ["127.0.0.1:9/metrics"]
            [service.api]
            health = "http://127.0.0.1:9/"
            [service.api.signal.errors]
            expr = 'sum(rate(r{code=~"5.."}[5m] offset 1m))'
            critical = 1
            [service.api.signal.shown]
            expr = 'sum(rate(r[1h]))'
            [service.web]
            health = "http://127.0.0.1:9/"
        "#;
        let mut mistakes = Mistakes::default();
        let config = Config::read(text, &crate::sources::kind_keys(), &mut mistakes);
        let names = names(&config);
        let six = Duration::from_mins(6);
        assert_eq!(names.service_windows, [("api".to_owned(), six)].into());
        assert!(names.alert_windows.values().all(|window| *window == six), "{names:?}");
        assert_eq!(names.alert_windows.len(), 1);
        // Rule files raise others.
        assert!(names.more_alerts);
    }
}
