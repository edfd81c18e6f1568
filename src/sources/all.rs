//! All sources of a config.

use super::alertmanager::Alertmanager;
use super::backup::WithRestores;
use super::canary::Canary;
use super::guard::Guard;
use super::local::{self, LocalRules};
use super::prometheus::Prometheus;
use super::prometheus::rules::AlertRules;
use super::prometheus::targets::Targets;
use super::scrape::Scrape;
use super::sentry::Sentry;
use super::{Shared, Source, of_kind};
use crate::config::{Config, Family, Mistakes, home_path};
use crate::domain::{Role, SourceId, SourceInfo};
use crate::rules::{Book, External};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Everything that a config has polled.
pub struct Sources {
    /// In the order of the config; the metrics server and the canary among them.
    pub all: Vec<Arc<dyn Source>>,
    /// The metrics server once more, to be asked.
    pub server: Option<Arc<Prometheus>>,
}

/// How often the canary is asked.
const CANARY_EVERY: Duration = Duration::from_secs(5);
/// How long it has to answer.
const CANARY_TIMEOUT: Duration = Duration::from_secs(2);

impl Sources {
    /// Makes them all. Nothing is asked or read yet.
    pub fn of(config: &Config, shared: &Arc<Shared>, mistakes: &mut Mistakes) -> Self {
        let mut all: Vec<Arc<dyn Source>> = Vec::new();
        let connect = config.poll.connect_timeout;
        let server = config.prometheus.as_ref().and_then(|server| {
            let info =
                info("prometheus", "prometheus", (server.every, server.timeout), Role::Server);
            Prometheus::new(info, &server.url, &server.client, connect, Arc::clone(shared)).ok()
        });
        let server = server.map(Arc::new);
        if let Some(server) = &server {
            shared.asking.set_server(server);
            all.push(Arc::clone(server) as Arc<dyn Source>);
        }
        all.extend(alerting(config, shared));
        all.extend(local_rules(config, shared));
        if !config.canary.is_empty() {
            let every = (CANARY_EVERY, CANARY_TIMEOUT);
            let info = info("self/canary", "own network", every, Role::Canary);
            all.push(Arc::new(Canary::new(info, config.canary.clone(), Arc::clone(shared))));
        }
        for one in config.services.iter().flat_map(|service| &service.checks) {
            let label = format!("{}/{}", one.role.service, one.role.name);
            let role = Role::Check(one.role.clone());
            let info = info(&format!("check/{label}"), &label, (one.every, one.timeout), role);
            let kind = (Family::Check, one.kind);
            all.extend(of_kind(
                kind,
                &one.table,
                info,
                (one.connect_timeout, None),
                shared,
                mistakes,
            ));
        }
        if let Some(tracker) = &config.sentry {
            let every = (tracker.every, tracker.timeout);
            let info = info("sentry", "sentry", every, Role::Issues);
            let services = config.services.iter().flat_map(|service| {
                service.projects.iter().map(|slug| (slug.clone(), service.name.clone()))
            });
            let made = Sentry::new(info, tracker, services.collect(), connect, Arc::clone(shared));
            if let Ok(source) = made {
                all.push(Arc::new(source));
            }
        }
        for one in &config.backups {
            let id = format!("backup/{}", one.role.name);
            let role = Role::Backup(one.role.clone());
            let info = info(&id, &one.role.name, (one.every, one.timeout), role);
            let kind = (Family::Backup, one.kind);
            let engine = config.engine_of_backup(one);
            let made = of_kind(kind, &one.table, info, (connect, engine), shared, mistakes);
            let mark = one.restored.as_deref().map(home_path);
            all.extend(made.map(|made| WithRestores::of(made, mark)));
        }
        for one in &config.releases {
            let name = one.table.name();
            let info =
                info(&format!("release/{name}"), name, (one.every, one.timeout), Role::Releases);
            let kind = (Family::Release, one.kind);
            all.extend(of_kind(kind, &one.table, info, (connect, None), shared, mistakes));
        }
        for scrape in &config.scrapes {
            for target in &scrape.targets {
                let id = format!("scrape/{}/{}", scrape.job, target.instance);
                let label = format!("{} {}", scrape.job, target.instance);
                let role = Role::Scrape { job: scrape.job.clone() };
                let info = info(&id, &label, (scrape.every, scrape.timeout), role);
                let client = scrape.client.clone();
                let made = Scrape::new(info, &target.url, client, connect, Arc::clone(shared));
                if let Ok(scrape) = made {
                    all.push(Arc::new(scrape));
                }
            }
        }
        let all = all.into_iter().map(|source| Guard::around(source, shared)).collect();
        Self { all, server }
    }
}

/// Whoever tells of alerts and targets.
fn alerting(config: &Config, shared: &Arc<Shared>) -> Vec<Arc<dyn Source>> {
    let connect = config.poll.connect_timeout;
    let mut all: Vec<Arc<dyn Source>> = Vec::new();
    if let Some(server) = &config.prometheus {
        let (url, client) = (&server.url, &server.client);
        if let Some(every) = server.alerts {
            let times = (every, server.timeout);
            let info = info("prometheus/alerts", "prometheus alerts", times, Role::Alerts);
            let made = AlertRules::new(info, url, client, connect, Arc::clone(shared));
            all.extend(made.ok().map(|made| Arc::new(made) as Arc<dyn Source>));
        }
        if let Some(every) = server.targets {
            let times = (every, server.timeout);
            let info = info("prometheus/targets", "prometheus targets", times, Role::Targets);
            let made = Targets::new(info, url, client, connect, Arc::clone(shared));
            all.extend(made.ok().map(|made| Arc::new(made) as Arc<dyn Source>));
        }
    }
    if let Some(told) = &config.alertmanager {
        let info = info("alertmanager", "alertmanager", (told.every, told.timeout), Role::Alerts);
        let made = Alertmanager::new(info, told, connect, Arc::clone(shared));
        all.extend(made.ok().map(|made| Arc::new(made) as Arc<dyn Source>));
    }
    all
}

/// The rules of rule files, where something is scraped that they can ask for.
fn local_rules(config: &Config, shared: &Arc<Shared>) -> Option<Arc<dyn Source>> {
    if config.rules.files.is_empty() || config.scrapes.is_empty() {
        return None;
    }
    let info = info("rules", "rules", (local::EVERY, local::TIMEOUT), Role::Alerts);
    let patterns: Vec<PathBuf> = config.rules.files.iter().map(|path| home_path(path)).collect();
    let external = External {
        labels: config.rules.external_labels.clone(),
        url: config.rules.external_url.clone(),
    };
    let place = Book {
        jobs: config.scrapes.iter().map(|scrape| scrape.job.clone()).collect(),
        keep: config.memory.keep,
        external,
        ..Book::default()
    };
    Some(Arc::new(LocalRules::new(info, &patterns, place, Arc::clone(shared))))
}

/// Who a source is; what it asks it says itself.
fn info(id: &str, label: &str, (every, timeout): (Duration, Duration), role: Role) -> SourceInfo {
    SourceInfo {
        id: SourceId::from(id),
        kind: String::new(),
        label: label.into(),
        asks: String::new(),
        every,
        timeout,
        role,
        network: false,
        note: None,
        cost: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::kind_keys;

    #[test]
    fn a_config_becomes_its_sources_without_asking_anyone() {
        let text = r#"
            prometheus = "https://me:pass@prom.example/base"
            alertmanager = "https://me:pass@am.example/base/"
            [service.api]
            health = "http://api.example/healthz?key=1"
            [service.api.check.port]
            tcp = "db-1:5432"
            [service.api.check.cert]
            tls = "mail.example:993"
            skip_verify = true
            [service.api.check.disk]
            command = ["check_disk", "-w", "20%"]
            [service.api.check.rpc]
            http = "https://api.example/rpc"
            method = "POST"
            body = '{"id":1}'
            expect = { status = [200, "3xx"], json = "$.result exists", latency_warning = "1s" }
            [scrape.node]
            targets = ["10.0.0.1:9100"]
            [self]
            canary = ["1.1.1.1:443"]
        "#;
        let mut mistakes = Mistakes::default();
        let config = Config::read(text, &kind_keys(), &mut mistakes);
        let sources = Sources::of(&config, &Shared::new(|| Duration::ZERO, 5), &mut mistakes);
        let errors: Vec<_> = mistakes.in_order().into_iter().filter(|m| !m.advisory).collect();
        assert!(errors.is_empty(), "{errors:?}");
        let told: Vec<String> = sources
            .all
            .iter()
            .map(|source| source.info())
            .map(|info| format!("{} {} {}", info.id, info.kind, info.asks))
            .collect();
        for expected in [
            "prometheus prometheus https://prom.example/base",
            "prometheus/alerts rules https://prom.example/base/api/v1/rules",
            "prometheus/targets targets https://prom.example/base/api/v1/targets",
            "alertmanager alertmanager https://am.example/base/api/v2/alerts",
            "self/canary canary 1.1.1.1:443",
            "check/api/health http http://api.example/healthz?…",
            "check/api/port tcp db-1:5432",
            "check/api/cert tls mail.example:993",
            "check/api/disk command check_disk -w …",
            "check/api/rpc http POST https://api.example/rpc",
            "scrape/node/10.0.0.1:9100 scrape http://10.0.0.1:9100/metrics",
        ] {
            assert!(told.iter().any(|line| line == expected), "{expected} is not in {told:#?}");
        }
        assert_eq!(told.len(), 11);
    }

    #[test]
    fn mistakes_in_expectations_are_told_with_the_rest() {
        let text = "[service.a.check.x]\nhttp = 'http://h/'\n\
                    expect = { status = '999', json = 'a ~ b', header = { X = '~ (' } }";
        let mut mistakes = Mistakes::default();
        let config = Config::read(text, &kind_keys(), &mut mistakes);
        Sources::of(&config, &Shared::new(|| Duration::ZERO, 1), &mut mistakes);
        let told: Vec<&str> =
            mistakes.in_order().iter().map(|mistake| mistake.message.as_str()).collect();
        assert_eq!(told.len(), 3, "{told:?}");
    }
}
