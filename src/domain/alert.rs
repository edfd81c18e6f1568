//! Alerts, whatever their origin.

use super::{Labels, Quiet, ServiceName, SourceId, Status, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The label that holds an alert's name.
pub const ALERT_NAME: &str = "alertname";

/// How far an alert is, as in Prometheus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertState {
    /// The condition holds, not yet for long enough.
    Pending,
    /// It fires.
    Firing,
}

/// How much an alert matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; counts for nothing.
    Info,
    /// Worth a look in working hours.
    Warning,
    /// Worth a person's night.
    Critical,
}

impl Severity {
    /// What a `severity` label means. Case does not matter:
    ///
    /// | severity | words |
    /// |---|---|
    /// | critical | critical, crit, page, paging, pager, emergency, emerg, disaster, fatal, error, err, high, major, severe, P0 to P2, S0 to S2, sev0 to sev2 |
    /// | info | info, information, informational, notice, none, low, debug, ok, P4, P5, S4, S5, sev4, sev5 |
    /// | warning | all else: warning, warn, medium, minor, ticket, P3, an unknown word, no label |
    pub fn of_label(value: Option<&str>) -> Self {
        let word = value.unwrap_or_default().trim().to_ascii_lowercase();
        match word.trim_start_matches("sev").trim_start_matches(['p', 's', '-']) {
            "0" | "1" | "2" if word.len() > 1 => return Self::Critical,
            "4" | "5" if word.len() > 1 => return Self::Info,
            _ => {}
        }
        match word.as_str() {
            "critical" | "crit" | "page" | "paging" | "pager" | "emergency" | "emerg"
            | "disaster" | "fatal" | "error" | "err" | "high" | "major" | "severe" => {
                Self::Critical
            }
            "info" | "information" | "informational" | "notice" | "none" | "low" | "debug"
            | "ok" => Self::Info,
            _ => Self::Warning,
        }
    }

    /// The status that a firing alert of this severity stands for.
    pub fn status(self) -> Status {
        match self {
            Self::Info => Status::Ok,
            Self::Warning => Status::Warning,
            Self::Critical => Status::Critical,
        }
    }
}

/// An alert: raised by opsroom itself or brought by a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// All labels, `alertname` among them; their fingerprint is its identity.
    pub labels: Labels,
    /// Who says so: `opsroom`, `prometheus`, `alertmanager`; several where they
    /// tell of the same alert.
    pub origins: Vec<String>,
    /// How far it is.
    pub state: AlertState,
    /// How much it matters.
    pub severity: Severity,
    /// The service it speaks of, where known.
    pub service: Option<ServiceName>,
    /// Since when the condition holds.
    pub since: Timestamp,
    /// The beginning was not seen: `since` is the latest it can be.
    pub since_at_least: bool,
    /// The reason in words: `5xx 12.4% > 5%, 41 req/s`.
    pub reason: String,
    /// The PromQL expression or the check (`check api/health`) behind it.
    pub expression: String,
    /// When the data behind it was taken.
    pub seen: Timestamp,
    /// Annotations that came with it.
    pub annotations: BTreeMap<String, String>,
    /// What keeps it quiet: silences, inhibition, mute times. A quiet alert
    /// counts for nothing and stays in the list.
    pub quiet: Vec<Quiet>,
    /// Who is told of it, as Alertmanager routes it.
    pub receivers: Vec<String>,
    /// The page that it comes from.
    pub link: Option<String>,
    /// The source that told of it; none where opsroom raised it itself.
    pub source: Option<SourceId>,
}

impl Alert {
    /// Whether nobody is told of it.
    pub fn is_quiet(&self) -> bool {
        !self.quiet.is_empty()
    }

    /// The status that it counts for: none where it is pending or quiet.
    pub fn status(&self) -> Status {
        if self.is_quiet() || self.state == AlertState::Pending {
            return Status::Ok;
        }
        self.severity.status()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.labels.get(ALERT_NAME).unwrap_or("unnamed")
    }

    /// Its identity: the fingerprint of its labels.
    pub fn identity(&self) -> u64 {
        self.labels.fingerprint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severities_go_by_many_names() {
        let of = |word| Severity::of_label(Some(word));
        for word in
            ["critical", "CRIT", " page", "emergency", "error", "fatal", "high", "P1", "sev-2"]
        {
            assert_eq!(of(word), Severity::Critical, "{word}");
        }
        for word in ["warning", "Warn", "medium", "P3", "sev3", "purple", "", "1", "p", "sev"] {
            assert_eq!(of(word), Severity::Warning, "{word}");
        }
        for word in ["info", "none", "LOW", "notice", "P5", "sev4"] {
            assert_eq!(of(word), Severity::Info, "{word}");
        }
        assert_eq!(Severity::of_label(None), Severity::Warning);
    }
}
