//! The whole config, typed, with all defaults in it.

use super::alerting::{Alertmanager, alertmanager};
use super::backup::{Backup, Releases, backups, check_promql, check_services, releases};
use super::bindings::{Binding, bindings};
use super::client::Client;
use super::forms::is_address;
use super::keys::KindKeys;
use super::mistakes::{Mistakes, Span};
use super::read::document;
use super::root::ROOT;
use super::rules::{Rules, rules};
use super::runbooks::{Journal, Role, Runbooks, journal, roles, runbooks};
use super::service::{Limits, Service, limits, services};
use super::table::Table;
use super::tracker::{Tracker, check_projects, tracker};
use crate::domain::{EngineKind, Labels, Status};
use crate::metrics::promql;
use std::time::Duration;

/// The whole config.
#[derive(Clone, Debug)]
pub struct Config {
    /// `production` unless the file says otherwise.
    pub environment: String,
    /// What runs there; may be empty.
    pub site: String,
    /// The metrics server.
    pub prometheus: Option<Server>,
    /// Alertmanager.
    pub alertmanager: Option<Alertmanager>,
    /// The error tracker.
    pub sentry: Option<Tracker>,
    /// All services, in the order of the file.
    pub services: Vec<Service>,
    /// Pages that are scraped.
    pub scrapes: Vec<Scrape>,
    /// Rules that are evaluated here.
    pub rules: Rules,
    /// Groups of hosts.
    pub hosts: Vec<Hosts>,
    /// Backups of data sets.
    pub backups: Vec<Backup>,
    /// Sources of releases.
    pub releases: Vec<Releases>,
    /// Runbooks: where they are, and how they run.
    pub runbooks: Runbooks,
    /// Where runs are recorded.
    pub journal: Journal,
    /// Who may do what; everybody everything where empty.
    pub roles: Vec<Role>,
    /// `host:port` that answer whenever this host has a network.
    pub canary: Vec<String>,
    /// Defaults of all polls.
    pub poll: Poll,
    /// How much is kept of what was scraped.
    pub memory: Memory,
    /// How the console looks.
    pub screen: Screen,
    /// Keys of one's own.
    pub bindings: Vec<Binding>,
}

/// A metrics server.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// Base URL.
    pub url: String,
    /// How often it is asked whether it answers.
    pub every: Duration,
    /// For one answer.
    pub timeout: Duration,
    /// How often its rules are read; not at all where none.
    pub alerts: Option<Duration>,
    /// How often its targets are read; not at all where none.
    pub targets: Option<Duration>,
    /// Credentials and trust.
    pub client: Client,
}

/// A job that is scraped.
#[derive(Clone, Debug, PartialEq)]
pub struct Scrape {
    /// The job's name.
    pub job: String,
    /// Its targets.
    pub targets: Vec<Target>,
    /// From the start of one poll to the start of the next.
    pub every: Duration,
    /// For the whole page.
    pub timeout: Duration,
    /// Labels that all samples get, beside `job` and `instance`.
    pub labels: Labels,
    /// Credentials and trust.
    pub client: Client,
}

/// One target of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// `host:port`: the label `instance`.
    pub instance: String,
    /// The page.
    pub url: String,
}

/// Hosts of one job of node exporters.
#[derive(Clone, Debug, PartialEq)]
pub struct Hosts {
    /// The table's name.
    pub name: String,
    /// The job.
    pub job: String,
    /// Where the job, or else the table, stands.
    pub span: Span,
    /// CPU in use.
    pub cpu: Limits,
    /// Memory in use.
    pub memory: Limits,
    /// Share of a disk that is free.
    pub disk: Limits,
    /// Seconds until a disk is full.
    pub disk_full: Limits,
    /// Rates are taken over this time.
    pub window: Duration,
    /// How often they are asked.
    pub every: Duration,
}

/// Defaults of all polls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poll {
    /// From the start of one poll to the start of the next.
    pub every: Duration,
    /// For the whole of one poll.
    pub timeout: Duration,
    /// To connect.
    pub connect_timeout: Duration,
    /// How often a change is asked again before it counts.
    pub confirm: u32,
    /// The time between those.
    pub confirm_after: Duration,
    /// How many polls there are at once at most.
    pub in_flight: usize,
}

/// How much is kept of what was scraped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Older samples are dropped.
    pub keep: Duration,
    /// Beyond this many bytes the oldest samples are dropped.
    pub bytes: u64,
    /// Of a page with more series the others are left out.
    pub series_per_target: u64,
}

/// How the console looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Screen {
    /// A theme's name, or a path.
    pub theme: String,
    /// Unicode, ASCII, or what the environment says.
    pub glyphs: Glyphs,
    /// How many colours, or what the environment says.
    pub colors: Colors,
}

/// Which characters are drawn with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Glyphs {
    /// What the environment says.
    #[default]
    Auto,
    /// All of Unicode.
    Unicode,
    /// ASCII alone.
    Ascii,
}

/// How many colours there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colors {
    /// What the environment says.
    #[default]
    Auto,
    /// None.
    None,
    /// The 16 of the terminal.
    Ansi,
    /// 256.
    Indexed,
    /// All.
    True,
}

impl Config {
    /// Reads a file's text. `kinds` are the kinds of checks that are known.
    /// With mistakes in it the config is complete in form and not to be used.
    pub fn read(text: &str, kinds: &[KindKeys], mistakes: &mut Mistakes) -> Self {
        let root = document(text, ROOT, kinds, mistakes);
        let poll = poll(&root);
        let config = Self {
            environment: root.text("environment"),
            site: root.text("site"),
            prometheus: root.table("prometheus").map(|table| Server {
                url: table.text("url"),
                every: table.duration("every"),
                timeout: table.duration("timeout"),
                alerts: table.flag("alerts").then(|| table.duration("alerts_every")),
                targets: table.flag("targets").then(|| table.duration("targets_every")),
                client: Client::read(table, mistakes),
            }),
            alertmanager: root.table("alertmanager").map(|table| alertmanager(table, mistakes)),
            sentry: root.table("sentry").map(|table| tracker(table, mistakes)),
            services: services(&root, &poll, kinds, mistakes),
            scrapes: root.named("scrape").iter().map(|table| scrape(table, mistakes)).collect(),
            hosts: root.named("hosts").iter().map(|table| hosts(table, mistakes)).collect(),
            rules: rules(&root, mistakes),
            backups: backups(&root),
            releases: releases(&root),
            runbooks: runbooks(&root, &root.text("environment")),
            journal: journal(&root),
            roles: roles(&root),
            canary: root.table("self").map(|table| table.texts("canary")).unwrap_or_default(),
            poll,
            memory: memory(&root),
            screen: screen(&root),
            bindings: bindings(&root, mistakes),
        };
        check_services(&root, mistakes);
        check_projects(&root, mistakes);
        if !config.rules.files.is_empty() && config.scrapes.is_empty() {
            let words = "nothing is scraped here, so no rule has samples to look at";
            let help = "add a [scrape.NAME], or leave the rules to the metrics server";
            mistakes.unwise(root.span_of("rules"), words, help);
        }
        config.check_jobs(mistakes);
        config.check_expressions(text, mistakes);
        check_promql(&config, text, mistakes);
        config
    }

    /// Nothing is watched.
    pub fn is_empty(&self) -> bool {
        self.services.is_empty()
            && self.scrapes.is_empty()
            && self.hosts.is_empty()
            && self.backups.is_empty()
            && self.prometheus.is_none()
            && self.alertmanager.is_none()
            && self.sentry.is_none()
    }

    /// Whether opsroom itself scrapes this job.
    pub fn scrapes_job(&self, job: &str) -> bool {
        self.scrapes.iter().any(|scrape| scrape.job == job)
    }

    /// Without a metrics server every job must be one that is scraped.
    fn check_jobs(&self, mistakes: &mut Mistakes) {
        if self.prometheus.is_some() {
            return;
        }
        let services = self.services.iter().filter_map(|service| service.requests.as_ref());
        let jobs = services
            .map(|requests| (&requests.job, &requests.span))
            .chain(self.hosts.iter().map(|hosts| (&hosts.job, &hosts.span)));
        for (job, span) in jobs.filter(|(job, _)| !self.scrapes_job(job)) {
            let known = self.scrapes.iter().map(|scrape| scrape.job.as_str());
            let help = match super::keys::nearest(job, known) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "set `prometheus`, or scrape the job with a `[scrape.NAME]` table".into(),
            };
            mistakes.wrong_but(span.clone(), format!("nobody has metrics of job `{job}`"), help);
        }
        let own = self.services.iter().flat_map(|service| &service.signals);
        let nobody = |signal: &&super::service::OwnSignal| {
            self.scrapes.is_empty() || signal.engine == Some(EngineKind::Server)
        };
        for signal in own.filter(nobody) {
            let help = "set `prometheus`, or scrape a job with a `[scrape.NAME]` table";
            mistakes.wrong_but(signal.span.clone(), "nobody can answer this", help);
        }
    }

    /// What opsroom itself shall answer must be PromQL as it understands it; a
    /// server may speak a dialect.
    fn check_expressions(&self, text: &str, mistakes: &mut Mistakes) {
        for service in &self.services {
            for own in service.signals.iter().filter(|own| !own.expr.trim().is_empty()) {
                let Err(error) = promql::parse(&own.expr) else { continue };
                let span = within(text, &own.span, &own.expr, error.start..error.end);
                if self.engine_of_own(service, own) == EngineKind::Embedded {
                    mistakes.wrong(span, format!("not PromQL: {error}"));
                } else {
                    let help = "the server may understand it; opsroom cannot split it by a label";
                    mistakes.unwise(span, format!("not PromQL as opsroom knows it: {error}"), help);
                }
            }
            let Some(requests) = &service.requests else { continue };
            let Some(matchers) = &requests.matchers else { continue };
            if promql::parse(&format!("x{{{matchers}}}")).is_err() {
                let help = "expected conditions on labels, such as route!=\"/healthz\"";
                mistakes.wrong_but(requests.matchers_span.clone(), "these are no matchers", help);
            }
        }
    }
}

/// Where a part of a text that stands in quotes at `span` is in the file; all
/// of it where escapes moved the letters.
pub(super) fn within(file: &str, span: &Span, text: &str, part: Span) -> Span {
    let quoted = file.get(span.clone()).unwrap_or_default();
    match quoted.find(text) {
        Some(at) => {
            let from = (span.start + at + part.start).min(span.end);
            from..(span.start + at + part.end).clamp(from, span.end)
        }
        None => span.clone(),
    }
}

fn poll(root: &Table) -> Poll {
    let table = root.table_or_defaults("poll");
    Poll {
        every: table.duration("every"),
        timeout: table.duration("timeout"),
        connect_timeout: table.duration("connect_timeout"),
        confirm: table.whole("confirm"),
        confirm_after: table.duration("confirm_after"),
        in_flight: table.whole("in_flight"),
    }
}

fn memory(root: &Table) -> Memory {
    let table = root.table_or_defaults("memory");
    Memory {
        keep: table.duration("keep"),
        bytes: table.size("bytes"),
        series_per_target: table.whole("series_per_target"),
    }
}

fn screen(root: &Table) -> Screen {
    let table = root.table_or_defaults("screen");
    Screen {
        theme: table.text("theme"),
        glyphs: match table.text("glyphs").as_str() {
            "unicode" => Glyphs::Unicode,
            "ascii" => Glyphs::Ascii,
            _ => Glyphs::Auto,
        },
        colors: match table.text("colors").as_str() {
            "none" => Colors::None,
            "16" => Colors::Ansi,
            "256" => Colors::Indexed,
            "true" => Colors::True,
            _ => Colors::Auto,
        },
    }
}

fn hosts(table: &Table, mistakes: &mut Mistakes) -> Hosts {
    // Resources warn at most unless told otherwise.
    let worst = Status::Warning;
    let mut limits = |name, below| limits(table, name, below, worst, mistakes);
    Hosts {
        name: table.name().into(),
        job: table.optional_text("job").unwrap_or_else(|| table.name().into()),
        span: table.span_of("job"),
        cpu: limits("cpu", false),
        memory: limits("memory", false),
        disk: limits("disk", true),
        disk_full: limits("disk_full", true),
        window: table.duration("window"),
        every: table.duration("every"),
    }
}

fn scrape(table: &Table, mistakes: &mut Mistakes) -> Scrape {
    let mut targets: Vec<Target> = Vec::new();
    for text in table.placed_texts("targets") {
        match target(&text.it, &table.text("scheme"), &table.text("path")) {
            None => {
                let help = "expected host and port such as \"app-1:9100\", or a whole URL";
                mistakes.wrong_but(text.span, "this is no target", help);
            }
            Some(target) if targets.iter().any(|known| known.url == target.url) => {
                mistakes.wrong_but(text.span, "this target is there twice", "take one out");
            }
            Some(target) => targets.push(target),
        }
    }
    tell_apart(&mut targets);
    if table.has("targets") && table.list("targets").is_empty() {
        mistakes.wrong_but(table.span_of("targets"), "there is no target", "name at least one");
    }
    for (name, _) in table.map("labels") {
        if matches!(name.it.as_str(), "job" | "instance") || name.it.starts_with("__") {
            let help = "`job` is the table's name, `instance` the target";
            mistakes.wrong_but(name.span, "this label is not yours to set", help);
        }
    }
    Scrape {
        job: table.name().into(),
        targets,
        every: table.duration("every"),
        timeout: table.duration("timeout"),
        labels: Labels::new(table.text_map("labels")),
        client: Client::read(table, mistakes),
    }
}

/// Pages of one host and port have the path in their `instance`, too: series of
/// two pages must never be taken for those of one.
fn tell_apart(targets: &mut [Target]) {
    let instances: Vec<String> = targets.iter().map(|target| target.instance.clone()).collect();
    for target in targets {
        let twice = instances.iter().filter(|instance| **instance == target.instance).nth(1);
        if twice.is_some()
            && let Some((_, after)) = target.url.split_once("://")
        {
            target.instance = match after.find('/') {
                Some(path) => format!("{}{}", target.instance, &after[path..]),
                None => target.url.clone(),
            };
        }
    }
}

fn target(text: &str, scheme: &str, path: &str) -> Option<Target> {
    if text.contains("://") {
        let mut url = reqwest::Url::parse(text).ok()?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return None;
        }
        if matches!(url.path(), "" | "/") {
            url.set_path(path);
        }
        let port = url.port_or_known_default()?;
        let instance = format!("{}:{port}", url.host_str()?);
        return Some(Target { instance, url: url.into() });
    }
    // A host and port may carry a path: `app-1:8080/actuator/prometheus`.
    let (address, own_path) = match text.find('/') {
        Some(at) => (&text[..at], &text[at..]),
        None => (text, path),
    };
    if !is_address(address) {
        return None;
    }
    let slash = if own_path.starts_with('/') { "" } else { "/" };
    let url = reqwest::Url::parse(&format!("{scheme}://{address}{slash}{own_path}")).ok()?;
    Some(Target { instance: address.into(), url: url.into() })
}

#[cfg(test)]
#[path = "shape_tests.rs"]
mod tests;
