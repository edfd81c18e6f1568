//! What the config says there is: services, their checks and signals, hosts,
//! and the sources that are polled for them.

use super::{BackupRole, Labels, ServiceName, SignalId, SourceId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// All that is watched, in the order of the config.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Inventory {
    /// `production` unless the config says otherwise; shown in upper case.
    pub environment: String,
    /// What runs there, in a word: `shop`. May be empty.
    pub site: String,
    /// All that is polled.
    pub sources: Vec<SourceInfo>,
    /// All services.
    pub services: Vec<Service>,
    /// All signals, of services and of hosts.
    pub signals: Vec<Signal>,
    /// Groups of hosts whose resources are shown.
    pub hosts: Vec<HostGroup>,
    /// The engine that the metrics page asks; none where there are no metrics.
    pub engine: Option<EngineKind>,
    /// What issues of the error tracker count for.
    #[serde(default)]
    pub issues: super::IssueRules,
    /// Whether changing steps of runbooks need `arm` first.
    #[serde(default)]
    pub armed_only: bool,
    /// Whether runs of all users of this host share one journal: how far the
    /// lock of a target reaches.
    #[serde(default)]
    pub shared: bool,
}

/// One source that is polled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceInfo {
    /// Its identity.
    pub id: SourceId,
    /// Its kind, the key of its registry: `http`, `tcp`, `scrape`, `prometheus`.
    pub kind: String,
    /// Its name on the screen, short: `api/health`, `node 10.0.0.1:9100`.
    pub label: String,
    /// What it is asked, without secrets: a URL, an address, a command's first words.
    pub asks: String,
    /// From the start of one poll to the start of the next.
    pub every: Duration,
    /// For the whole of one poll.
    pub timeout: Duration,
    /// What its readings count for.
    pub role: Role,
    /// It goes over the network, so that a dead network of one's own explains its failure.
    pub network: bool,
    /// What a reader must know at all times: `TLS not verified`.
    pub note: Option<String>,
    /// What one poll costs whoever is asked: `1 GET`, `restic snapshots, no lock`.
    pub cost: String,
}

/// What a source's readings count for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Role {
    /// It answers a check.
    Check(CheckRole),
    /// It brings samples of a job to the embedded engine.
    Scrape { job: String },
    /// It is a metrics server.
    Server,
    /// It tells whether this host has a network: `[self] canary`.
    Canary,
    /// It tells of alerts: Alertmanager, the rules of Prometheus.
    Alerts,
    /// It tells of the targets that a metrics server scrapes.
    Targets,
    /// It tells of issues: Sentry and its relatives.
    Issues,
    /// It tells of the backups of a data set.
    Backup(BackupRole),
    /// It tells of releases.
    Releases,
}

/// How a check's readings are judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckRole {
    /// The service it belongs to.
    pub service: ServiceName,
    /// Its name there.
    pub name: String,
    /// How often a change for the worse, or back, is asked again before it counts.
    pub confirm: u32,
    /// The time between those.
    pub confirm_after: Duration,
    /// The worst status that it may count for (`Warning` for third parties), as an advisory if `Ok`.
    pub at_most: super::Status,
    /// Days of validity left under which its certificate is a warning, and critical.
    pub certificate_days: Thresholds,
}

/// A service: something that users depend on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// Its name.
    pub name: ServiceName,
    /// Who owns it.
    pub owner: Option<String>,
    /// Whom to call.
    pub contact: Option<String>,
    /// Where to read on.
    pub link: Option<String>,
    /// The services that it needs.
    pub depends_on: Vec<ServiceName>,
    /// It has a `logs` command.
    pub has_logs: bool,
    /// The job of its metrics: alerts with this `job` are its own.
    pub job: Option<String>,
    /// Its projects in the error tracker.
    pub projects: Vec<String>,
}

/// Hosts of one job of node exporters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostGroup {
    /// The name of its table in the config.
    pub name: String,
    /// The job of the exporters.
    pub job: String,
}

/// A PromQL expression that something is judged by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// Its identity.
    pub id: SignalId,
    /// The service it belongs to; none for a host's.
    pub service: Option<ServiceName>,
    /// The host group it belongs to; none for a service's.
    pub hosts: Option<String>,
    /// What it measures.
    pub kind: SignalKind,
    /// Short name on the screen: `5xx`, `p95`, `req/s`, `cpu`.
    pub label: String,
    /// The expression. Each series of its answer is judged; the worst counts.
    pub expr: Arc<str>,
    /// Who answers it.
    pub engine: EngineKind,
    /// The unit of its value.
    pub unit: Unit,
    /// Where warning and critical begin; without any it is shown and not judged.
    pub thresholds: Thresholds,
    /// The worst status that it may count for: resources warn at most unless told otherwise.
    pub at_most: super::Status,
    /// How many requests there were in the window, and how many it takes to be more than a warning.
    pub min_requests: Option<(Arc<str>, f64)>,
    /// How often it is asked.
    pub every: Duration,
    /// Labels that its alert carries beside `alertname` and `service`.
    pub labels: Labels,
}

/// What a signal measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignalKind {
    /// Share of requests that failed.
    Errors,
    /// Latency at the 95th percentile, in seconds.
    Latency,
    /// Requests a second.
    Traffic,
    /// Share of CPU in use.
    Cpu,
    /// Share of memory in use.
    Memory,
    /// Share of a disk that is free.
    Disk,
    /// Seconds until a disk is full at the present rate.
    DiskFull,
    /// Share of time with disk I/O.
    DiskIo,
    /// Bytes a second over the network.
    Network,
    /// Anything else from the config.
    Custom,
}

impl SignalKind {
    /// The name of the alert that it raises.
    pub fn alert_name(self) -> &'static str {
        match self {
            Self::Errors => "HighErrorRate",
            Self::Latency => "HighLatency",
            Self::Cpu => "HighCpu",
            Self::Memory => "HighMemory",
            Self::Disk | Self::DiskFull => "LowDisk",
            Self::Traffic | Self::DiskIo | Self::Network | Self::Custom => "SignalFailing",
        }
    }
}

/// The unit of a signal's value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A plain number.
    #[default]
    Number,
    /// 0 to 1, shown in percent.
    Ratio,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// Bytes a second.
    BytesPerSecond,
    /// Something a second.
    PerSecond,
}

/// Where warning and critical begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Thresholds {
    /// Bad is below them instead of above.
    pub below: bool,
    /// Warning begins beyond this value.
    pub warning: Option<f64>,
    /// Critical begins beyond this value.
    pub critical: Option<f64>,
}

/// Who answers an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineKind {
    /// The metrics server of the config.
    Server,
    /// opsroom's own, over what it scraped.
    Embedded,
}
