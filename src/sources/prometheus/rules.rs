//! The rules of a metrics server: what they fire, and which of them are broken.

use super::super::client::{Shared, said_status};
use super::super::loose::{annotations, labels, list, moment, number, shown, text};
use super::super::{Brought, Source};
use super::{Api, LARGEST, answer};
use crate::config::Client;
use crate::domain::alert::ALERT_NAME;
use crate::domain::{
    AlertState, AlertsReading, BrokenRule, ListedRule, Num, PollError, Reading, Reported,
    RuleStands, Severity, SourceInfo, Timestamp,
};
use futures_util::future::BoxFuture;
use serde_json::Value;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Recording rules are looked at in every so many polls: they fire nothing and
/// there may be thousands; but a broken one starves the alerts built on it.
const RECORDING_EVERY: u32 = 4;
/// So many alerts are taken, the most severe first.
const MOST_ALERTS: usize = 20_000;
/// So many broken rules are described.
const MOST_BROKEN: usize = 200;
/// What is shown of a name or an error.
const LONGEST: usize = 300;

/// What the rules of a server say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    /// Alerts that fire or are pending.
    pub alerts: Vec<Reported>,
    /// Rules that cannot be evaluated.
    pub broken: Vec<BrokenRule>,
    /// Each rule and how it stands.
    pub listed: Vec<ListedRule>,
    /// How many groups there are.
    pub groups: usize,
    /// How many alerting rules there are.
    pub alerting: u64,
    /// How many recording rules there are.
    pub recording: u64,
    /// More groups are there than the server told of.
    pub cut: bool,
    /// What the server warns of.
    pub warnings: Vec<String>,
}

/// Reads `/api/v1/rules`. Annotations and labels were filled in by the server.
pub fn parse(body: &[u8]) -> Result<Rules, PollError> {
    let (data, warnings) = data(body)?;
    let groups = data.get("groups").unwrap_or(&Value::Null);
    if !groups.is_array() && !groups.is_null() {
        return Err(PollError::broken("the answer holds no groups of rules"));
    }
    let cut = text(&data["groupNextToken"]).is_some_and(|token| !token.is_empty());
    let mut rules = Rules { groups: list(groups).len(), cut, warnings, ..Rules::default() };
    for group in list(groups) {
        for rule in list(&group["rules"]) {
            rules.take(&shown(&group["name"], LONGEST), rule);
        }
    }
    Ok(rules)
}

/// The data of an answer.
fn data(body: &[u8]) -> Result<(Value, Vec<String>), PollError> {
    answer::data(body).map_err(|error| PollError::broken(error.message))
}

impl Rules {
    fn take(&mut self, group: &str, rule: &Value) {
        let name = shown(&rule["name"], LONGEST);
        // Old servers do not say of which type a rule is.
        let alerting = match rule["type"].as_str() {
            Some(kind) => kind == "alerting",
            None => rule.get("alerts").is_some() || rule.get("duration").is_some(),
        };
        *(if alerting { &mut self.alerting } else { &mut self.recording }) += 1;
        let severity = &rule["labels"]["severity"];
        let query = shown(&rule["query"], 2_000);
        let of_rule = self.alerts.len();
        for alert in list(&rule["alerts"]) {
            self.alerts.extend(reported(alert, &name, severity, &query));
        }
        let stands = match rule["health"].as_str() {
            Some("err") => {
                let error = shown(&rule["lastError"], LONGEST);
                let none = "the server gives no reason";
                let error = if error.is_empty() { none.into() } else { error };
                let (name, group) = (name.clone(), group.into());
                self.broken.push(BrokenRule { name, group, error: error.clone() });
                RuleStands::Broken(error)
            }
            Some("unknown") => RuleStands::Waiting,
            _ => RuleStands::of_alerts(self.alerts[of_rule..].iter().map(|alert| alert.state)),
        };
        let took = number(&rule["evaluationTime"]);
        self.listed.push(ListedRule {
            name,
            group: group.into(),
            records: !alerting,
            stands,
            // One that was not evaluated yet has the year 1.
            evaluated: moment(&rule["lastEvaluation"]).filter(|at| at.millis() > 0),
            took: took.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
        });
    }
}

fn reported(alert: &Value, rule: &str, severity: &Value, query: &str) -> Option<Reported> {
    let state = match alert["state"].as_str() {
        Some("firing") => AlertState::Firing,
        Some("pending") => AlertState::Pending,
        // `inactive` is told by some servers, and is no alert.
        _ => return None,
    };
    let mut labels = labels(&alert["labels"]);
    if labels.get(ALERT_NAME).is_none() {
        labels = labels.with(ALERT_NAME, rule);
    }
    let of_rule = text(severity);
    let severity = Severity::of_label(labels.get("severity").or(of_rule.as_deref()));
    Some(Reported {
        labels,
        annotations: annotations(&alert["annotations"]),
        state,
        severity,
        since: moment(&alert["activeAt"]).unwrap_or_default(),
        since_at_least: false,
        quiet: Vec::new(),
        receivers: Vec::new(),
        expression: query.to_owned(),
        value: number(&alert["value"]).map(Num),
        link: None,
    })
}

/// The rules of a metrics server, as a source of alerts.
pub struct AlertRules {
    info: SourceInfo,
    api: Api,
    /// How many polls were made.
    polls: AtomicU32,
    /// Recording rules as they were when they were last looked at.
    recording: Mutex<Rules>,
}

impl AlertRules {
    /// Asks the server at `url`, which may have a path; fails where it is no URL.
    pub fn new(
        mut info: SourceInfo,
        url: &str,
        client: &Client,
        connect_timeout: Duration,
        shared: Arc<Shared>,
    ) -> Result<Self, String> {
        let api = Api::new(&mut info, url, client, connect_timeout, shared, LARGEST)?;
        info.kind = "rules".into();
        info.asks = format!("{}/api/v1/rules", info.asks.trim_end_matches('/'));
        info.cost = "1 GET, every fourth poll 2; no query is evaluated".into();
        let recording = Mutex::default();
        Ok(Self { info, api, polls: AtomicU32::new(0), recording })
    }

    async fn ask(&self, now: Timestamp) -> Result<AlertsReading, PollError> {
        let begun = self.api.shared.monotonic();
        let turn = self.polls.fetch_add(1, Ordering::Relaxed);
        let look = turn.is_multiple_of(RECORDING_EVERY);
        let recording = async {
            if look {
                Some(self.api.get("api/v1/rules", &[("type", "record")]).await)
            } else {
                None
            }
        };
        let alerting = self.api.get("api/v1/rules", &[("type", "alert")]);
        let (alerting, recording) = tokio::join!(alerting, recording);
        let fetched = alerting?;
        let skew_ms = fetched.skew_ms(now);
        let mut notes = Vec::new();
        let mut rules = match fetched.status {
            200..=299 => parse(&fetched.body)?,
            // Some that speak the API have queries alone.
            404 | 405 | 501 => {
                notes.push(format!("HTTP {}: it tells of no rules", fetched.status));
                Rules::default()
            }
            _ => return Err(super::unusable(&fetched)),
        };
        let told = notes.is_empty();
        notes.append(&mut rules.warnings);
        if rules.cut {
            notes.push("the server tells of a part of its rules only".into());
        }
        if rules.alerts.len() > MOST_ALERTS {
            notes.push(format!("{MOST_ALERTS} of {} alerts are shown", rules.alerts.len()));
            rules.alerts.sort_by_key(|alert| std::cmp::Reverse((alert.severity, alert.state)));
            rules.alerts.truncate(MOST_ALERTS);
        }
        let mut broken = rules.broken;
        match recording {
            Some(Ok(fetched)) if (200..300).contains(&fetched.status) => {
                let found = parse(&fetched.body).unwrap_or_default();
                *self.recording.lock().unwrap_or_else(PoisonError::into_inner) = found;
            }
            Some(Ok(fetched)) if told => {
                let error = said_status(fetched.status, "", &fetched.body);
                notes.push(format!("recording rules: {error}"));
            }
            Some(Err(error)) => notes.push(format!("recording rules: {error}")),
            Some(Ok(_)) | None => {}
        }
        let recording = self.recording.lock().unwrap_or_else(PoisonError::into_inner);
        // A server that knows no `type` gives all rules both times.
        if recording.alerting == 0 {
            broken.extend(recording.broken.iter().cloned());
            rules.listed.extend(recording.listed.iter().cloned());
            rules.listed.sort_by(|a, b| a.group.cmp(&b.group));
        }
        drop(recording);
        broken.truncate(MOST_BROKEN);
        rules.alerts.sort_by(|a, b| a.labels.cmp(&b.labels));
        Ok(AlertsReading {
            alerts: rules.alerts,
            broken_rules: broken,
            rules: told.then_some(rules.alerting),
            listed: rules.listed,
            notes,
            took: self.api.shared.monotonic().saturating_sub(begun),
            skew_ms,
            ..AlertsReading::default()
        })
    }
}

impl Source for AlertRules {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn poll(&self, now: Timestamp) -> BoxFuture<'_, Result<Brought, PollError>> {
        Box::pin(async move {
            let reading = self.ask(now).await?;
            Ok(Brought::Reading(Reading::Alerts(Arc::new(reading))))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(name: &str) -> Vec<u8> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/prometheus/");
        std::fs::read(format!("{folder}{name}")).unwrap()
    }

    #[test]
    fn rules_tell_what_fires_what_is_pending_and_what_is_broken() {
        let rules = parse(&recorded("rules.json")).unwrap();
        let told: Vec<(&str, AlertState, Severity)> = rules
            .alerts
            .iter()
            .map(|alert| (alert.labels.get(ALERT_NAME).unwrap(), alert.state, alert.severity))
            .collect();
        let firing = AlertState::Firing;
        assert_eq!(
            told,
            [
                ("AlwaysFiring", firing, Severity::Info),
                ("TargetDown", firing, Severity::Critical),
                ("ProbeFailed", firing, Severity::Warning),
                ("CertExpiresSoon", firing, Severity::Warning),
                ("LongPending", AlertState::Pending, Severity::Info),
            ]
        );
        let down = &rules.alerts[1];
        assert_eq!(down.annotations["summary"], "dead on 127.0.0.1:18998 is down");
        assert_eq!(down.since.to_string(), "2026-11-21T08:45:43.989Z");
        assert_eq!((down.expression.as_str(), down.value), ("up == 0", Some(Num(0.0))));
        assert_eq!(rules.broken.len(), 1);
        assert_eq!(rules.broken[0].group, "broken");
        assert!(rules.broken[0].error.contains("same labelset"), "{:?}", rules.broken);
        assert_eq!((rules.alerting, rules.recording), (7, 2));
    }

    #[test]
    fn a_server_without_rules_has_none_and_another_answer_is_an_error() {
        let none = br#"{"status":"success","data":{"groups":[]}}"#;
        assert_eq!(parse(none).unwrap(), Rules::default());
        assert!(parse(br#"{"status":"success","data":null}"#).unwrap().alerts.is_empty());
        for body in
            ["", "404 page not found", "{}", "[]", r#"{"status":"success","data":{"groups":7}}"#]
        {
            assert!(parse(body.as_bytes()).is_err(), "{body}");
        }
        let error = parse(br#"{"status":"error","error":"TSDB not ready"}"#).unwrap_err();
        assert_eq!(error.message, "TSDB not ready");
    }

    #[test]
    fn what_is_missing_odd_or_hostile_in_a_rule_costs_only_itself() {
        let body = r#"{"status":"success","warnings":["half"],"data":{"groupNextToken":"x","groups":[
            {"name":"g","rules":[
                null,
                {"name":"Old","duration":60,"health":"err","alerts":null,"labels":{"severity":"page"}},
                {"name":"X","type":"alerting","labels":{"severity":"crit"},"alerts":[
                    {"state":"firing","labels":{"a":1},"activeAt":"never","value":7},
                    {"state":"inactive"},
                    {"state":"firing","labels":{"alertname":"Y\u001b[2J","severity":"info"},"annotations":{"x":null}}
                ]}
            ]}]}}"#;
        let rules = parse(body.as_bytes()).unwrap();
        assert!(rules.cut);
        assert_eq!(rules.warnings, ["half"]);
        assert_eq!(rules.broken[0].error, "the server gives no reason");
        assert_eq!(rules.alerts.len(), 2);
        let first = &rules.alerts[0];
        assert_eq!(first.labels.to_string(), "{a=\"1\", alertname=\"X\"}");
        assert_eq!((first.severity, first.value), (Severity::Critical, Some(Num(7.0))));
        let second = &rules.alerts[1];
        assert_eq!(second.labels.get(ALERT_NAME), Some("Y\u{fffd}"));
        assert_eq!(second.severity, Severity::Info);
    }
}
