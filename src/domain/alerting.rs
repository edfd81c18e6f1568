//! What Alertmanager and Prometheus say of alerts, and of themselves.

use super::{AlertState, Labels, Num, Severity, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// What one poll of Alertmanager, or of the rules of Prometheus, brought.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AlertsReading {
    /// Product and version where it tells: `Alertmanager 0.25.0`.
    pub version: Option<String>,
    /// Alerts that fire or are pending, in the order of their labels.
    pub alerts: Vec<Reported>,
    /// Silences that are active or pending, those that ended in the last hours too.
    pub silences: Vec<Silence>,
    /// The receivers' names.
    pub receivers: Vec<String>,
    /// `ready`, `settling`, `disabled`, and the number of peers.
    pub cluster: Option<Cluster>,
    /// Notifications since the start of the server, by integration.
    pub notifications: Vec<Notifications>,
    /// The alert that must always fire, where one is expected.
    pub watchdog: Option<Watchdog>,
    /// Rules that cannot be evaluated: nothing else will say so.
    pub broken_rules: Vec<BrokenRule>,
    /// Alerting rules that look further back than has been seen.
    #[serde(default)]
    pub unknown_rules: Vec<UnknownRule>,
    /// How many alerting rules there are, where told.
    pub rules: Option<u64>,
    /// Each rule and how it stands, in the order of their groups. It is asked
    /// afresh by whoever wants it, and not kept.
    #[serde(skip)]
    pub listed: Vec<ListedRule>,
    /// Parts that could not be read: `silences: HTTP 500`.
    pub notes: Vec<String>,
    /// How long all of it took.
    pub took: Duration,
    /// How far the server's clock is ahead of this host's, in milliseconds.
    pub skew_ms: Option<i64>,
}

/// The names of alerts that always fire where nobody says another.
const WATCHDOGS: [&str; 2] = ["Watchdog", "DeadMansSwitch"];

/// Whether an alert of this name is one that must always fire. `wanted` is the
/// name that the config gives.
pub fn is_watchdog(name: &str, wanted: Option<&str>) -> bool {
    match wanted {
        Some(wanted) => name == wanted,
        None => WATCHDOGS.iter().any(|known| known.eq_ignore_ascii_case(name)),
    }
}

impl AlertsReading {
    /// Whether an alert of it is the one that must always fire, and so no news.
    pub fn is_watchdog(&self, name: &str) -> bool {
        let wanted = self.watchdog.as_ref().map(|watchdog| watchdog.name.as_str());
        wanted == Some(name) || is_watchdog(name, None)
    }

    /// What is wrong with the alerting itself, in words, if anything is.
    pub fn complaint(&self) -> Option<String> {
        let mut words = Vec::new();
        if let Some(watchdog) = self.watchdog.as_ref().filter(|watchdog| !watchdog.fires) {
            words.push(format!("{} does not fire: alerts may not arrive", watchdog.name));
        }
        for one in self.notifications.iter().filter(|one| one.failing) {
            let (failed, tried) = (one.failed_lately, one.tried_lately);
            let of = if tried > 0 { format!(", {failed} of {tried} in 5m") } else { String::new() };
            words.push(format!("{} notifications fail{of}", one.integration));
        }
        if let Some(first) = self.broken_rules.first() {
            let more = match self.broken_rules.len() {
                1 => String::new(),
                many => format!(" (and {} more)", many - 1),
            };
            words.push(format!("rule {} is broken{more}: {}", first.name, first.error));
        }
        (!words.is_empty()).then(|| words.join("; "))
    }

    /// The rules of which nothing is known yet, in words: `2 rules unknown: 40s
    /// of 5m seen`, of the one that takes longest.
    pub fn unknown_words(&self) -> Option<String> {
        let furthest = |rule: &&UnknownRule| rule.wanted.saturating_sub(rule.seen);
        let rule = self.unknown_rules.iter().max_by_key(furthest)?;
        let count = super::units::count(self.unknown_rules.len(), "rule");
        let (seen, wanted) = (super::units::age(rule.seen), super::units::age(rule.wanted));
        Some(format!("{count} unknown: {seen} of {wanted} seen"))
    }

    /// What it tells, in a few words: `12 alerts fire, 3 silenced`.
    pub fn words(&self) -> String {
        let (mut firing, mut pending, mut silenced, mut inhibited, mut muted) = (0, 0, 0, 0, 0);
        for alert in &self.alerts {
            let name = alert.labels.get(super::alert::ALERT_NAME).unwrap_or_default();
            let count = match (alert.quiet.first(), alert.state) {
                _ if self.is_watchdog(name) => continue,
                (Some(Quiet::Silenced { .. }), _) => &mut silenced,
                (Some(Quiet::Inhibited { .. }), _) => &mut inhibited,
                (Some(Quiet::Muted { .. }), _) => &mut muted,
                (None, AlertState::Firing) => &mut firing,
                (None, AlertState::Pending) => &mut pending,
            };
            *count += 1;
        }
        let fire = match firing {
            0 => "no alert fires".to_owned(),
            1 => "1 alert fires".to_owned(),
            many => format!("{many} alerts fire"),
        };
        let others = [
            (pending, "pending"),
            (silenced, "silenced"),
            (inhibited, "inhibited"),
            (muted, "muted"),
        ];
        let others = others.iter().filter(|(many, _)| *many > 0);
        let others = others.map(|(many, word)| format!(", {many} {word}"));
        let unknown = self.unknown_words().map(|words| format!(", {words}"));
        std::iter::once(fire).chain(others).chain(unknown).collect()
    }
}

impl TargetsReading {
    /// What it tells, in a few words: `41 targets up, 1 down`.
    pub fn words(&self) -> String {
        let plural = if self.up == 1 { "" } else { "s" };
        let up = format!("{} target{plural} up", self.up);
        let others = [(self.down_count, "down"), (self.unknown, "not scraped yet")];
        let others = others.iter().filter(|(many, _)| *many > 0);
        std::iter::once(up).chain(others.map(|(many, word)| format!(", {many} {word}"))).collect()
    }
}

/// An alert as a server reports it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reported {
    /// All labels, `alertname` among them.
    pub labels: Labels,
    /// Annotations, harmless to show.
    pub annotations: BTreeMap<String, String>,
    /// How far it is.
    pub state: AlertState,
    /// How much it matters, from its `severity` label.
    pub severity: Severity,
    /// Since when; the epoch where that is not told.
    pub since: Timestamp,
    /// Its beginning was not seen: `since` is the latest it can be.
    #[serde(default)]
    pub since_at_least: bool,
    /// What keeps it quiet; empty where nothing does.
    pub quiet: Vec<Quiet>,
    /// Who is told of it.
    pub receivers: Vec<String>,
    /// The expression of its rule, where told.
    pub expression: String,
    /// Its value, where told.
    pub value: Option<Num>,
    /// Where it comes from: `generatorURL`.
    pub link: Option<String>,
}

/// What keeps an alert from telling anyone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Quiet {
    /// Somebody silenced it.
    Silenced {
        /// The silence's id.
        id: String,
        /// Who made it; empty where the silence itself could not be read.
        by: String,
        /// Until when, where that is known.
        until: Option<Timestamp>,
        /// Why.
        comment: String,
    },
    /// Another alert inhibits it: that one's name and telling labels.
    Inhibited { by: String },
    /// A mute time interval is active.
    Muted { by: String },
}

/// A silence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// Its id.
    pub id: String,
    /// Whether it has begun or ended.
    pub state: SilenceState,
    /// What it silences, as Alertmanager writes it: `service="api"`, `job=~"a|b"`.
    pub matchers: Vec<String>,
    /// Who made it.
    pub by: String,
    /// Why.
    pub comment: String,
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
}

/// How far a silence is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SilenceState {
    /// It silences.
    Active,
    /// It will.
    Pending,
    /// It did.
    Expired,
}

/// The cluster that an Alertmanager is in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// `ready`, `settling`, `disabled`.
    pub status: String,
    /// How many members it sees, itself among them.
    pub peers: u64,
}

/// Notifications of one integration since the server's start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notifications {
    /// `slack`, `webhook`, `pagerduty`.
    pub integration: String,
    /// So many were tried.
    pub tried: u64,
    /// So many failed.
    pub failed: u64,
    /// Attempts in the last five minutes, as far as they were watched.
    pub tried_lately: u64,
    /// So many of those failed.
    pub failed_lately: u64,
    /// Nobody is told through it at present: a notification was given up
    /// lately, or no attempt came through.
    pub failing: bool,
}

/// An alert that must always fire, so that its absence tells of a broken path
/// from the metrics to the person on call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watchdog {
    /// Its name.
    pub name: String,
    /// Whether it fires.
    pub fires: bool,
}

/// A rule that cannot be evaluated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokenRule {
    /// Its name.
    pub name: String,
    /// The group that it is in.
    pub group: String,
    /// Why, in words, harmless to show.
    pub error: String,
}

/// A rule and how it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedRule {
    /// Its name, harmless to show.
    pub name: String,
    /// The group that it is in.
    pub group: String,
    /// It records a series, and raises no alert.
    pub records: bool,
    /// How it stands.
    pub stands: RuleStands,
    /// When it was last evaluated, where it was and that is told.
    pub evaluated: Option<Timestamp>,
    /// How long that took.
    pub took: Option<Duration>,
}

impl ListedRule {
    /// Whether it took so long that others may come late.
    pub fn is_slow(&self) -> bool {
        const SLOW: Duration = Duration::from_millis(500);
        self.took.is_some_and(|took| took > SLOW)
    }
}

/// How a rule stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleStands {
    /// It was not evaluated yet.
    Waiting,
    /// It can be evaluated; no alert of it is active.
    Well,
    /// So many of its alerts fire, so many are pending.
    Active { firing: usize, pending: usize },
    /// It cannot be evaluated: why.
    Broken(String),
    /// It looks further back than has been seen.
    Unknown {
        /// This much was seen.
        seen: Duration,
        /// This much is needed.
        wanted: Duration,
    },
}

impl RuleStands {
    /// Of a rule that can be evaluated.
    pub fn of_alerts(states: impl Iterator<Item = AlertState>) -> Self {
        let (mut firing, mut pending) = (0, 0);
        for state in states {
            *(if state == AlertState::Firing { &mut firing } else { &mut pending }) += 1;
        }
        if firing + pending == 0 { Self::Well } else { Self::Active { firing, pending } }
    }

    /// One word for it, as Prometheus has it where it has one.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Well => "inactive",
            Self::Active { firing: 0, .. } => "pending",
            Self::Active { .. } => "firing",
            Self::Broken(_) => "broken",
            Self::Unknown { .. } => "unknown",
        }
    }
}

/// An alerting rule of which nobody knows yet whether it fires: it looks further
/// back than has been seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnknownRule {
    /// Its name.
    pub name: String,
    /// The group that it is in.
    pub group: String,
    /// This much was seen.
    pub seen: Duration,
    /// This much is needed.
    pub wanted: Duration,
}

/// What a metrics server says of the targets that it scrapes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TargetsReading {
    /// So many answer.
    pub up: u64,
    /// So many were not scraped yet.
    pub unknown: u64,
    /// Those that do not answer; of many the first 500.
    pub down: Vec<TargetDown>,
    /// So many do not answer.
    pub down_count: u64,
    /// What a reader must know beside: `HTTP 404: it tells of no targets`.
    pub notes: Vec<String>,
    /// How long it took.
    pub took: Duration,
}

/// A target that does not answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetDown {
    /// Its job.
    pub job: String,
    /// Its instance.
    pub instance: String,
    /// Why, as the server tells, harmless to show.
    pub error: String,
    /// When it was last scraped.
    pub scraped: Option<Timestamp>,
}
