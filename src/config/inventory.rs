//! From the config to what is watched: services, signals and groups of hosts.

use super::backup::Backup;
use super::presets::Node;
use super::service::{Limits, OwnSignal, Requests, Service};
use super::shape::{Config, Hosts};
use crate::domain::{
    self, EngineKind, HostGroup, Inventory, Labels, Signal, SignalId, SignalKind, Status,
    Thresholds, Unit, harmless,
};
use crate::metrics::promql::{LabelMatch, MatchKind, parse, selectors};
use std::time::Duration;

/// Shown and not judged.
const SHOWN: Limits = Limits {
    thresholds: Thresholds { below: false, warning: None, critical: None },
    at_most: Status::Ok,
};

impl Config {
    /// What is watched, apart from the sources: these say themselves what
    /// they are when they are built.
    pub fn inventory(&self) -> Inventory {
        let mut signals = Vec::new();
        for service in &self.services {
            self.service_signals(service, &mut signals);
        }
        for hosts in &self.hosts {
            self.host_signals(hosts, &mut signals);
        }
        Inventory {
            environment: harmless(&self.environment).into_owned(),
            site: harmless(&self.site).into_owned(),
            sources: Vec::new(),
            services: self.services.iter().map(known_service).collect(),
            signals,
            hosts: self
                .hosts
                .iter()
                .map(|hosts| HostGroup { name: hosts.name.clone(), job: hosts.job.clone() })
                .collect(),
            engine: self.main_engine(),
            issues: self.sentry.as_ref().map(|tracker| tracker.rules.clone()).unwrap_or_default(),
            armed_only: self.runbooks.armed_only,
            shared: self.journal.shared,
        }
    }

    /// The engine that questions go to which name no job.
    pub fn main_engine(&self) -> Option<EngineKind> {
        match (&self.prometheus, self.scrapes.is_empty()) {
            (Some(_), _) => Some(EngineKind::Server),
            (None, false) => Some(EngineKind::Embedded),
            (None, true) => None,
        }
    }

    /// Who answers about a job: opsroom itself where it scrapes it, else the server.
    pub fn engine_of_job(&self, job: &str) -> EngineKind {
        if self.prometheus.is_none() || self.scrapes_job(job) {
            EngineKind::Embedded
        } else {
            EngineKind::Server
        }
    }

    /// Who answers an expression: opsroom itself where it asks for a job that
    /// is scraped, or where there is nobody else.
    pub fn engine_of(&self, expr: &str) -> EngineKind {
        if self.prometheus.is_none() {
            return EngineKind::Embedded;
        }
        let scraped = parse(expr).is_ok_and(|expr| {
            let mut matches = selectors(&expr).into_iter().flat_map(|selector| &selector.matches);
            matches.any(|one| self.scrapes.iter().any(|scrape| asks_for(one, &scrape.job)))
        });
        if scraped { EngineKind::Embedded } else { EngineKind::Server }
    }

    /// Who answers the PromQL of a backup, where it has some and somebody can.
    pub fn engine_of_backup(&self, backup: &Backup) -> Option<EngineKind> {
        if !backup.table.has("promql") {
            return None;
        }
        let expr = backup.table.optional_text("promql")?;
        let main = self.main_engine()?;
        match backup.table.optional_text("engine").as_deref() {
            Some("server") => (main == EngineKind::Server).then_some(EngineKind::Server),
            Some("embedded") => (!self.scrapes.is_empty()).then_some(EngineKind::Embedded),
            _ => Some(self.engine_of(&expr)),
        }
    }

    /// Who answers a signal of a service's own.
    pub(super) fn engine_of_own(&self, service: &Service, own: &OwnSignal) -> EngineKind {
        own.engine.unwrap_or_else(|| match &service.requests {
            Some(requests) if self.scrapes_job(&requests.job) => EngineKind::Embedded,
            _ => self.engine_of(&own.expr),
        })
    }

    fn service_signals(&self, service: &Service, signals: &mut Vec<Signal>) {
        let name = service.name.as_str();
        let start = signals.len();
        if let Some(requests) = &service.requests {
            signals.extend(self.request_signals(name, requests));
        }
        for own in &service.signals {
            let id = SignalId(format!("{name}/{}", own.name).into());
            let engine = self.engine_of_own(service, own);
            let signal = own_signal(id, own, engine);
            // One of the service's own takes the place of a ready-made one.
            match signals[start..].iter_mut().find(|known| known.id == signal.id) {
                Some(known) => *known = signal,
                None => signals.push(signal),
            }
        }
        for signal in &mut signals[start..] {
            signal.service = Some(service.name.clone());
        }
    }

    fn request_signals(&self, service: &str, requests: &Requests) -> Vec<Signal> {
        let count = |expr: Option<String>| {
            (requests.min_requests > 0)
                .then(|| expr.map(|expr| (expr.into(), requests.min_requests as f64)))
                .flatten()
        };
        let engine = self.engine_of_job(&requests.job);
        let errors_label = if requests.preset == "grpc" { "errors" } else { "5xx" };
        let all = [
            (
                SignalKind::Errors,
                "errors",
                errors_label,
                requests.error_ratio(),
                Unit::Ratio,
                requests.errors,
            ),
            (
                SignalKind::Latency,
                "latency",
                "p95",
                requests.latency(0.95),
                Unit::Seconds,
                requests.latency,
            ),
            (SignalKind::Traffic, "traffic", "req/s", requests.traffic(), Unit::PerSecond, SHOWN),
        ];
        all.into_iter()
            .filter_map(|(kind, id, label, expr, unit, limits)| {
                let made = Made { id: format!("{service}/{id}"), kind, label, unit, limits };
                let mut signal = made.signal(expr?, engine, requests.every);
                signal.min_requests = match kind {
                    SignalKind::Errors => count(requests.request_count()),
                    SignalKind::Latency => count(requests.latency_count()),
                    _ => None,
                };
                Some(signal)
            })
            .collect()
    }

    fn host_signals(&self, hosts: &Hosts, signals: &mut Vec<Signal>) {
        let engine = self.engine_of_job(&hosts.job);
        let long_history = engine == EngineKind::Server;
        let node = Node { job: &hosts.job, window: hosts.window, long_history };
        let all = [
            (SignalKind::Cpu, "cpu", node.cpu(), Unit::Ratio, hosts.cpu),
            (SignalKind::Memory, "memory", node.memory(), Unit::Ratio, hosts.memory),
            (SignalKind::Disk, "disk", node.disk(), Unit::Ratio, hosts.disk),
            (SignalKind::DiskFull, "disk_full", node.disk_full(), Unit::Seconds, hosts.disk_full),
            (SignalKind::DiskIo, "io", node.disk_io(), Unit::Ratio, SHOWN),
            (SignalKind::Network, "net", node.network(), Unit::BytesPerSecond, SHOWN),
        ];
        for (kind, id, expr, unit, limits) in all {
            let label = match kind {
                SignalKind::Memory => "mem",
                SignalKind::DiskFull => "full in",
                _ => id,
            };
            let made = Made { id: format!("host/{}/{id}", hosts.name), kind, label, unit, limits };
            let mut signal = made.signal(expr, engine, hosts.every);
            signal.hosts = Some(hosts.name.clone());
            signal.labels = Labels::new([("job", hosts.job.as_str())]);
            signals.push(signal);
        }
    }
}

/// A ready-made signal, before it has an expression.
struct Made {
    id: String,
    kind: SignalKind,
    label: &'static str,
    unit: Unit,
    limits: Limits,
}

impl Made {
    fn signal(self, expr: String, engine: EngineKind, every: Duration) -> Signal {
        Signal {
            id: SignalId(self.id.into()),
            service: None,
            hosts: None,
            kind: self.kind,
            label: self.label.into(),
            expr: expr.into(),
            engine,
            unit: self.unit,
            thresholds: self.limits.thresholds,
            at_most: self.limits.at_most,
            min_requests: None,
            every,
            labels: Labels::default(),
        }
    }
}

fn own_signal(id: SignalId, own: &OwnSignal, engine: EngineKind) -> Signal {
    Signal {
        id,
        service: None,
        hosts: None,
        kind: own.kind(),
        label: harmless(&own.label).into_owned(),
        expr: own.expr.as_str().into(),
        engine,
        unit: own.unit,
        thresholds: own.limits.thresholds,
        at_most: own.limits.at_most,
        min_requests: None,
        every: own.every,
        labels: Labels::new([("signal", own.name.as_str())]),
    }
}

fn known_service(service: &Service) -> domain::Service {
    let shown = |text: &Option<String>| text.as_deref().map(|text| harmless(text).into_owned());
    domain::Service {
        name: service.name.clone(),
        owner: shown(&service.owner),
        contact: shown(&service.contact),
        link: shown(&service.link),
        depends_on: service.depends_on.clone(),
        has_logs: service.logs.is_some(),
        job: service.requests.as_ref().map(|requests| requests.job.clone()),
        projects: service.projects.clone(),
    }
}

/// Whether a condition on labels asks for this job.
fn asks_for(one: &LabelMatch, job: &str) -> bool {
    one.name == "job"
        && match one.kind {
            MatchKind::Equal => one.value == job,
            MatchKind::Regex => regex::Regex::new(&format!("^(?s:{})$", one.value))
                .is_ok_and(|pattern| pattern.is_match(job)),
            MatchKind::NotEqual | MatchKind::NotRegex => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Mistakes;

    fn inventory(text: &str) -> Inventory {
        let mut mistakes = Mistakes::default();
        let config = Config::read(text, &[], &mut mistakes);
        assert!(mistakes.is_empty(), "{mistakes:?}");
        config.inventory()
    }

    fn signal<'i>(inventory: &'i Inventory, id: &str) -> &'i Signal {
        inventory.signals.iter().find(|signal| signal.id.as_str() == id).unwrap()
    }

    #[test]
    fn a_job_gives_a_service_its_signals() {
        let inventory = inventory(
            "prometheus = 'http://p:9090'\n[service.api]\njob = 'api'\npreset = 'micrometer'\n\
             min_requests = 7",
        );
        let ids: Vec<&str> = inventory.signals.iter().map(|signal| signal.id.as_str()).collect();
        assert_eq!(ids, ["api/errors", "api/latency", "api/traffic"]);
        let errors = signal(&inventory, "api/errors");
        let all =
            "sum(rate(http_server_requests_seconds_count{job=\"api\",status=~\"[1-5]..\"}[5m]))";
        assert_eq!(
            &*errors.expr,
            format!(
                "(sum(rate(http_server_requests_seconds_count{{job=\"api\",status=~\"5..\"}}[5m])) \
                 or 0 * {all}) / {all}"
            )
        );
        assert_eq!((errors.engine, errors.kind), (EngineKind::Server, SignalKind::Errors));
        let (count, least) = errors.min_requests.as_ref().unwrap();
        assert_eq!(
            (&**count, *least),
            (
                "sum(increase(http_server_requests_seconds_count{job=\"api\",status=~\"[1-5]..\"}[5m]))",
                7.0
            )
        );
        assert_eq!(
            &*signal(&inventory, "api/latency").expr,
            "histogram_quantile(0.95, sum by (le) \
             (rate(http_server_requests_seconds_bucket{job=\"api\"}[5m])))"
        );
        assert_eq!(inventory.engine, Some(EngineKind::Server));
    }

    #[test]
    fn what_is_scraped_is_answered_here_and_all_else_by_the_server() {
        let inventory = inventory(
            "prometheus = 'http://p:9090'\n[scrape.web]\ntargets = 'w:1'\n\
             [service.web]\njob = 'web'\nsignal.q = { expr = 'sum(q)' }\n\
             [service.api]\njob = 'api'\n\
             signal.a = { expr = 'sum(q{job=\"web\"})' }\nsignal.b = { expr = 'sum(q)' }\n\
             signal.c = { expr = 'sum(q{job=\"web\"})', engine = 'server' }",
        );
        let engine = |id| signal(&inventory, id).engine;
        assert_eq!(engine("web/errors"), EngineKind::Embedded);
        assert_eq!(engine("web/q"), EngineKind::Embedded);
        assert_eq!(engine("api/errors"), EngineKind::Server);
        assert_eq!(engine("api/a"), EngineKind::Embedded);
        assert_eq!(engine("api/b"), EngineKind::Server);
        assert_eq!(engine("api/c"), EngineKind::Server);
    }

    #[test]
    fn a_signal_called_errors_stands_for_the_ready_made_one() {
        let inventory = inventory(
            "prometheus = 'http://p:9090'\n[service.api]\njob = 'api'\n\
             [service.api.signal.errors]\nexpr = 'my:errors'\n\
             [service.db.signal.latency]\nexpr = 'my:latency'\nwarning = '1s'\n",
        );
        let errors = signal(&inventory, "api/errors");
        assert_eq!((&*errors.expr, errors.kind), ("my:errors", SignalKind::Errors));
        assert_eq!((errors.unit, errors.thresholds.critical), (Unit::Ratio, Some(0.05)));
        assert_eq!(errors.kind.alert_name(), "HighErrorRate");
        let latency = signal(&inventory, "db/latency");
        assert_eq!((latency.unit, latency.thresholds.warning), (Unit::Seconds, Some(1.0)));
        assert_eq!(latency.thresholds.critical, None);
        assert_eq!(inventory.signals.len(), 4);
    }

    #[test]
    fn hosts_are_judged_by_their_resources_and_warn_at_most() {
        let inventory = inventory(
            "[scrape.node]\ntargets = 'n:9100'\n[hosts.db]\njob = 'node'\n\
             cpu = { warning = '50%', at_most = 'critical' }",
        );
        let cpu = signal(&inventory, "host/db/cpu");
        assert_eq!((cpu.thresholds.warning, cpu.at_most), (Some(0.5), Status::Critical));
        assert_eq!(signal(&inventory, "host/db/memory").at_most, Status::Warning);
        assert_eq!(signal(&inventory, "host/db/disk_full").thresholds.warning, Some(86_400.0));
        assert_eq!(
            &*cpu.expr,
            "1 - avg by (instance) (rate(node_cpu_seconds_total{job=\"node\",mode=\"idle\"}[5m]))"
        );
        assert_eq!(cpu.hosts.as_deref(), Some("db"));
    }

    #[test]
    fn a_job_is_found_in_an_expression_and_not_in_another_word() {
        let config = "prometheus = 'http://p:9090'\n[scrape.a]\ntargets = 'w:1'\n";
        let config = Config::read(config, &[], &mut Mistakes::default());
        for yes in ["x{job=\"a\"}", "x{job = 'a'}", "1 + x{b=\"c\",job=~\"a|b\"}", "x{job=`a`}"] {
            assert_eq!(config.engine_of(yes), EngineKind::Embedded, "{yes}");
        }
        for no in
            ["x{job=\"ab\"}", "x{myjob=\"a\"}", "x{job!=\"a\"}", "job", "x{b='job=\"a\"'}", "("]
        {
            assert_eq!(config.engine_of(no), EngineKind::Server, "{no}");
        }
    }

    /// Every ready-made expression is PromQL, whatever the job is called.
    #[test]
    fn ready_made_expressions_are_promql() {
        for preset in super::super::root::PRESETS {
            let text = format!(
                "prometheus = 'http://p:9090'\n[hosts.h]\n[scrape.s]\ntargets='a:1'\n\
                 [hosts.g]\njob = 's'\n[service.a]\njob = 'we\"i\\r{{d'\nmatchers = 'a=\"b\",'\n\
                 preset = '{preset}'"
            );
            let inventory = inventory(&text);
            assert_eq!(inventory.signals.len(), if *preset == "none" { 12 } else { 15 });
            for signal in &inventory.signals {
                let counts = signal.min_requests.as_ref().map(|(count, _)| count);
                for expr in std::iter::once(&signal.expr).chain(counts) {
                    promql_parser::parser::parse(expr)
                        .unwrap_or_else(|error| panic!("{expr}: {error}"));
                }
            }
        }
    }
}
