//! A run as it was agreed to: frozen when it starts.

use super::{BookId, Pin, Step, StepId};
use crate::domain::{Alert, AlertState, Labels, ServiceName, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// Everything that a run is started with, as the plan view shows it and the
/// journal keeps it. Secrets are named in it and never held.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The runbook.
    pub book: BookRef,
    /// The environment of the config: `production`.
    pub environment: String,
    /// Whether changing steps need the console to be armed there.
    pub armed_only: bool,
    /// The config file that the run reads for itself, as it is called from anywhere.
    pub config: String,
    /// The host on which it runs.
    pub host: String,
    /// As whom.
    pub user: String,
    /// In which folder.
    pub folder: String,
    /// What one changing run at a time means: `service/api`, or `host/bastion-2`.
    pub target: String,
    /// The service it is about.
    pub service: Option<ServiceName>,
    /// The alert that it was started from.
    pub alert: Option<AlertSeen>,
    /// Every variable that its commands get by name: parameters, labels, the service's fields.
    pub values: Vec<Value>,
    /// The rest of the environment of its commands: PATH, HOME, LANG …
    pub environ: BTreeMap<String, String>,
    /// Its steps, in the order of the text, undo blocks among them.
    pub steps: Vec<Step>,
    /// What must stay as it is.
    pub pins: Vec<Pin>,
    /// Steps without a `timeout` are ended after this.
    pub timeout: Duration,
    /// What a person should know before the start; in words.
    pub warnings: Vec<String>,
}

/// SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    use std::fmt::Write as _;
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

impl Plan {
    /// SHA-256 of all of it, in hexadecimal: what an operator has seen is what is run.
    pub fn hash(&self) -> String {
        // Plain data of this program's own: it always has a JSON form.
        let text = serde_json::to_string(self).unwrap_or_default();
        sha256(text.as_bytes())
    }

    /// The step of this number.
    pub fn step(&self, id: StepId) -> Option<&Step> {
        self.steps.iter().find(|step| step.id == id)
    }
}

/// The runbook that is run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookRef {
    /// Its name.
    pub id: BookId,
    /// Its title.
    pub title: String,
    /// The file, or `built in`.
    pub path: String,
    /// SHA-256 of the whole text, in hexadecimal.
    pub hash: String,
    /// Written for people only: each command block is confirmed by itself.
    pub foreign: bool,
}

/// The alert from which a run was started, as it was then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertSeen {
    /// Its identity.
    pub identity: u64,
    /// All labels.
    pub labels: Labels,
    /// The expression or the check behind it.
    pub expression: String,
    /// The reason in words, then.
    pub reason: String,
    /// Since when it fired.
    pub since: Timestamp,
    /// It did not fire yet: what it is about has to last longer first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pending: bool,
}

impl From<&Alert> for AlertSeen {
    fn from(alert: &Alert) -> Self {
        Self {
            identity: alert.identity(),
            labels: alert.labels.clone(),
            expression: alert.expression.clone(),
            reason: alert.reason.clone(),
            since: alert.since,
            pending: alert.state == AlertState::Pending,
        }
    }
}

/// A variable of the commands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Value {
    /// Its name: `RELEASE`, `LABEL_instance`, `SERVICE`.
    pub name: String,
    /// What it holds.
    pub held: Held,
    /// Where it comes from.
    pub origin: Origin,
    /// The regular expression that the whole of it has to match where it goes into a
    /// changing step; the usual one where none is given.
    pub pattern: Option<String>,
}

/// What a variable holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Held {
    /// This text.
    Text(String),
    /// A secret, which is asked for and lives in memory alone.
    Secret,
    /// What a step captures: known when that has ended.
    Captured(StepId),
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The operator typed or chose it.
    Chosen,
    /// The runbook's default.
    Default,
    /// A label of the alert.
    Label,
    /// A field of the service in the config.
    Service,
    /// A step of the run.
    Step,
}
