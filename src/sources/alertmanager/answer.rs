//! Answers of Alertmanager's API v2, 0.16 to 0.34.
//!
//! <https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml>.
//! What one version has and another lacks is left out where it is not there.

use super::super::client::said_status;
use super::super::loose::{annotations, labels, list, moment, shown, text, truth};
use crate::domain::{
    Cluster, Labels, PollError, Silence, SilenceState, Timestamp, harmless, harmless_within,
};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// What is shown of a name or a comment.
const LONGEST: usize = 300;
/// So many ids, receivers, matchers of one thing are kept.
const MOST: usize = 50;

/// An alert as Alertmanager tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiAlert {
    /// Its labels.
    pub labels: Labels,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// The server's name for its labels.
    pub fingerprint: String,
    /// `active`, `suppressed`, `unprocessed`; another word stays as it is.
    pub state: String,
    /// Ids of the silences that keep it quiet.
    pub silenced_by: Vec<String>,
    /// Fingerprints of the alerts that inhibit it.
    pub inhibited_by: Vec<String>,
    /// Names of the time intervals that mute it (since 0.28).
    pub muted_by: Vec<String>,
    /// Who is told of it.
    pub receivers: Vec<String>,
    /// Since when it fires.
    pub starts: Option<Timestamp>,
    /// Where it comes from.
    pub generator: String,
}

/// A group of alerts, as it is sent to one receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiGroup {
    /// What the group has in common.
    pub labels: Labels,
    /// Who is told of it.
    pub receiver: String,
    /// Its alerts.
    pub alerts: Vec<ApiAlert>,
}

/// A silence as Alertmanager tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiSilence {
    /// What it silences.
    pub matchers: Vec<Matcher>,
    /// All else.
    pub silence: Silence,
}

/// A condition on one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matcher {
    /// The label.
    pub name: String,
    /// What it is held against.
    pub value: String,
    /// `value` is a regular expression.
    pub regex: bool,
    /// It must match, not differ.
    pub equal: bool,
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match (self.equal, self.regex) {
            (true, false) => "=",
            (true, true) => "=~",
            (false, false) => "!=",
            (false, true) => "!~",
        };
        write!(f, "{}{sign}{:?}", self.name, self.value)
    }
}

/// What a list held, and how many of its entries could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<T> {
    /// Those that could.
    pub items: Vec<T>,
    /// So many could not.
    pub unread: usize,
}

/// What Alertmanager says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiStatus {
    /// `Alertmanager 0.25.0`.
    pub version: Option<String>,
    /// The cluster that it is in.
    pub cluster: Option<Cluster>,
}

fn json(body: &[u8]) -> Result<Value, PollError> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    serde_json::from_slice(body)
        .map_err(|_| PollError::broken("the answer is not the JSON of Alertmanager"))
}

/// Reads a list entry by entry. An envelope with the list in `data` is opened,
/// as the old API and some gateways have it.
fn read<T>(body: &[u8], entry: impl Fn(&Value) -> Option<T>) -> Result<Listed<T>, PollError> {
    let value = json(body)?;
    let told = value.get("data").filter(|data| data.is_array()).unwrap_or(&value);
    let Some(entries) = told.as_array() else {
        return Err(match complaint(&value) {
            Some(says) => PollError::broken(format!("it answers: {says}")),
            None if value.is_null() => return Ok(Listed { items: Vec::new(), unread: 0 }),
            None => PollError::broken("the answer is no list"),
        });
    };
    let items: Vec<T> = entries.iter().filter_map(entry).collect();
    let unread = entries.len() - items.len();
    Ok(Listed { items, unread })
}

fn names(value: &Value) -> Vec<String> {
    let name = |value: &Value| {
        let name = value.get("name").unwrap_or(value);
        text(name).map(|name| harmless_within(&name, LONGEST)).filter(|name| !name.is_empty())
    };
    match value {
        Value::Array(values) => values.iter().filter_map(name).take(MOST).collect(),
        one => name(one).into_iter().collect(),
    }
}

fn alert(value: &Value) -> Option<ApiAlert> {
    let labels = labels(&value["labels"]);
    if labels.is_empty() {
        return None;
    }
    let status = &value["status"];
    let ids = |key: &str| names(&status[key]);
    let (silenced_by, inhibited_by, muted_by) =
        (ids("silencedBy"), ids("inhibitedBy"), ids("mutedBy"));
    let mut state = shown(status.get("state").unwrap_or(status), 40);
    if state.is_empty() {
        let quiet = [&silenced_by, &inhibited_by, &muted_by].iter().any(|ids| !ids.is_empty());
        state = if quiet { "suppressed" } else { "active" }.into();
    }
    let mut fingerprint = shown(&value["fingerprint"], 40);
    if fingerprint.is_empty() {
        fingerprint = format!("{:016x}", labels.fingerprint());
    }
    Some(ApiAlert {
        annotations: annotations(&value["annotations"]),
        fingerprint,
        state,
        silenced_by,
        inhibited_by,
        muted_by,
        receivers: names(&value["receivers"]),
        starts: moment(&value["startsAt"]),
        generator: text(&value["generatorURL"]).unwrap_or_default(),
        labels,
    })
}

/// Reads `/api/v2/alerts`.
pub fn alerts(body: &[u8]) -> Result<Listed<ApiAlert>, PollError> {
    read(body, alert)
}

/// Reads `/api/v2/alerts/groups`. An alert that cannot be read counts as unread
/// with its group's others staying.
pub fn groups(body: &[u8]) -> Result<Listed<ApiGroup>, PollError> {
    let mut all = read(body, |value| {
        let alerts = list(&value["alerts"]);
        let read: Vec<ApiAlert> = alerts.iter().filter_map(alert).collect();
        let unread = alerts.len() - read.len();
        value.as_object()?;
        let receiver = names(&value["receiver"]).into_iter().next().unwrap_or_default();
        Some((unread, ApiGroup { labels: labels(&value["labels"]), receiver, alerts: read }))
    })?;
    let unread = all.unread + all.items.iter().map(|(unread, _)| unread).sum::<usize>();
    let items = all.items.drain(..).map(|(_, group)| group).collect();
    Ok(Listed { items, unread })
}

fn matcher(value: &Value) -> Option<Matcher> {
    Some(Matcher {
        name: harmless_within(&text(&value["name"])?, LONGEST),
        value: shown(&value["value"], LONGEST),
        regex: truth(&value["isRegex"]).unwrap_or(false),
        equal: truth(&value["isEqual"]).unwrap_or(true),
    })
}

fn silence(value: &Value) -> Option<ApiSilence> {
    let id = shown(&value["id"], 80);
    let until = moment(&value["endsAt"])?;
    if id.is_empty() {
        return None;
    }
    let matchers: Vec<Matcher> =
        list(&value["matchers"]).iter().filter_map(matcher).take(MOST).collect();
    let state = match shown(value["status"].get("state").unwrap_or(&value["status"]), 40).as_str() {
        "pending" => SilenceState::Pending,
        "expired" => SilenceState::Expired,
        _ => SilenceState::Active,
    };
    let silence = Silence {
        id,
        state,
        matchers: matchers.iter().map(ToString::to_string).collect(),
        by: shown(&value["createdBy"], LONGEST),
        comment: shown(&value["comment"], LONGEST),
        from: moment(&value["startsAt"]).unwrap_or_default(),
        until,
    };
    Some(ApiSilence { matchers, silence })
}

/// Reads `/api/v2/silences`.
pub fn silences(body: &[u8]) -> Result<Listed<ApiSilence>, PollError> {
    read(body, silence)
}

/// Reads `/api/v2/receivers`.
pub fn receivers(body: &[u8]) -> Result<Listed<String>, PollError> {
    read(body, |value| names(value).into_iter().next())
}

/// Reads `/api/v2/status`.
pub fn status(body: &[u8]) -> Result<ApiStatus, PollError> {
    let value = json(body)?;
    if !value.is_object() {
        return Err(PollError::broken("the answer is no status"));
    }
    let version = shown(&value["versionInfo"]["version"], 60);
    let cluster = value.get("cluster").filter(|cluster| cluster.is_object()).map(|cluster| {
        let peers = list(&cluster["peers"]).len() as u64;
        Cluster { status: shown(&cluster["status"], 40), peers }
    });
    let version = (!version.is_empty()).then(|| format!("Alertmanager {version}"));
    Ok(ApiStatus { version, cluster })
}

/// What a body complains of: a bare text, an object with `message` or `error`.
fn complaint(value: &Value) -> Option<String> {
    let says = match value {
        Value::String(says) => says.clone(),
        Value::Object(_) => text(&value["message"]).or_else(|| text(&value["error"]))?,
        _ => return None,
    };
    let says = harmless(says.trim());
    (!says.is_empty()).then(|| harmless_within(&says, LONGEST))
}

/// An answer with a code other than 2xx. Its body is a bare text in JSON, an
/// object with `code` and `message`, plain text, or empty.
pub fn error(status: u16, retry_after: &str, body: &[u8]) -> PollError {
    let mut error = said_status(status, retry_after, body);
    let says = serde_json::from_slice::<Value>(body).ok().as_ref().and_then(complaint);
    if let Some(says) = says.filter(|_| !matches!(status, 401 | 403)) {
        error.message = format!("HTTP {status}: {says}");
    }
    error
}
