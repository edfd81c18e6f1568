//! What one poll of Alertmanager comes to: alerts with what keeps them quiet.

use super::Rest;
use super::answer::{ApiAlert, ApiSilence};
use super::lately::Counters;
use crate::domain::alert::ALERT_NAME;
use crate::domain::{
    AlertState, AlertsReading, Labels, Notifications, Quiet, Reported, Severity, Silence,
    SilenceState, Timestamp, Watchdog, harmless_within, is_watchdog, units,
};
use reqwest::Url;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::Duration;

/// So many alerts are taken, the most severe first.
const MOST_ALERTS: usize = 20_000;
/// So many silences that are in force or to come are taken, and so many old ones.
const MOST_SILENCES: usize = 2_000;
const MOST_EXPIRED: usize = 100;
/// A silence that ended this long ago is no longer told of.
const EXPIRED_FOR: Duration = Duration::from_hours(6);
/// So many receivers are taken.
const MOST_RECEIVERS: usize = 500;

/// Puts together what a member told. `fares` turns its counters into what
/// became of notifications of late.
pub(super) fn reading(
    mut alerts: Vec<ApiAlert>,
    rest: Rest,
    now: Timestamp,
    fares: impl FnOnce(&Counters) -> Vec<Notifications>,
) -> AlertsReading {
    let mut reading = AlertsReading::default();
    let notes = &mut reading.notes;
    if rest.unread > 0 {
        notes.push(format!("{} of its lists could not be read", units::count(rest.unread, "line")));
    }
    match rest.status {
        Ok(status) => (reading.version, reading.cluster) = (status.version, status.cluster),
        Err(error) => notes.push(format!("status: {error}")),
    }
    match rest.receivers {
        Ok(receivers) => reading.receivers = receivers,
        Err(error) => notes.push(format!("receivers: {error}")),
    }
    reading.receivers.truncate(MOST_RECEIVERS);
    match rest.counters {
        Ok(counters) => {
            if counters.bad_config {
                notes.push("the last reload of its config failed".into());
            }
            reading.notifications = fares(&counters);
        }
        Err(error) => {
            notes.push(format!("no /metrics ({error}): notifications that fail are not seen"));
        }
    }
    let silences = rest.silences.unwrap_or_else(|error| {
        notes.push(format!("silences: {error}"));
        Vec::new()
    });
    if alerts.len() > MOST_ALERTS {
        notes.push(format!("{MOST_ALERTS} of {} alerts are shown", alerts.len()));
        alerts.sort_by_key(|alert| Reverse(Severity::of_label(alert.labels.get("severity"))));
        alerts.truncate(MOST_ALERTS);
    }
    let hush = Hush {
        alerts: alerts.iter().map(|alert| (alert.fingerprint.as_str(), &alert.labels)).collect(),
        silences: silences.iter().map(|one| (one.silence.id.as_str(), &one.silence)).collect(),
    };
    reading.alerts = alerts.iter().map(|alert| reported(alert, &hush)).collect();
    reading.alerts.sort_by(|a, b| a.labels.cmp(&b.labels));
    reading.silences = worth_telling(silences, now);
    reading
}

/// Whether the alert that must always fire does. One that nobody named is
/// expected once it was seen. Gives the name that is expected from now on.
pub(super) fn watchdog(
    reading: &mut AlertsReading,
    wanted: Option<&str>,
    seen: Option<&str>,
) -> Option<String> {
    let expected = wanted.or(seen);
    let names = reading.alerts.iter().filter_map(|alert| alert.labels.get(ALERT_NAME));
    let found = match expected {
        Some(expected) => names.into_iter().find(|name| *name == expected),
        None => names.into_iter().find(|name| is_watchdog(name, None)),
    };
    let name = found.or(expected).map(ToOwned::to_owned);
    let fires = found.is_some();
    reading.watchdog = name.clone().map(|name| Watchdog { name, fires });
    name
}

/// Silences in force and to come, the next to end first, and those that ended of late.
fn worth_telling(silences: Vec<ApiSilence>, now: Timestamp) -> Vec<Silence> {
    let silences = silences.into_iter().map(|one| one.silence);
    let (mut expired, mut open): (Vec<Silence>, Vec<Silence>) =
        silences.partition(|silence| silence.state == SilenceState::Expired);
    expired.retain(|silence| now.since(silence.until) <= EXPIRED_FOR);
    expired.sort_by_key(|silence| Reverse(silence.until));
    expired.truncate(MOST_EXPIRED);
    open.sort_by(|a, b| (a.state, a.until, &a.id).cmp(&(b.state, b.until, &b.id)));
    open.truncate(MOST_SILENCES);
    open.append(&mut expired);
    open
}

/// What keeps alerts quiet.
struct Hush<'h> {
    /// Labels by the server's fingerprint.
    alerts: HashMap<&'h str, &'h Labels>,
    /// Silences by their id.
    silences: HashMap<&'h str, &'h Silence>,
}

impl Hush<'_> {
    fn of(&self, alert: &ApiAlert) -> Vec<Quiet> {
        let silenced = alert.silenced_by.iter().map(|id| match self.silences.get(id.as_str()) {
            Some(silence) => Quiet::Silenced {
                id: id.clone(),
                by: silence.by.clone(),
                until: Some(silence.until),
                comment: silence.comment.clone(),
            },
            None => Quiet::Silenced {
                id: id.clone(),
                by: String::new(),
                until: None,
                comment: String::new(),
            },
        });
        let inhibited = alert.inhibited_by.iter().map(|fingerprint| Quiet::Inhibited {
            by: self.alerts.get(fingerprint.as_str()).map_or_else(
                || "an alert that is not listed".to_owned(),
                |labels| in_words(labels),
            ),
        });
        let muted = alert.muted_by.iter().map(|by| Quiet::Muted { by: by.clone() });
        let mut quiet: Vec<Quiet> = silenced.chain(inhibited).chain(muted).collect();
        if quiet.is_empty() && alert.state == "suppressed" {
            quiet.push(Quiet::Muted { by: "it does not say by what".into() });
        }
        quiet
    }
}

/// An alert's name with its labels: `HostDown instance=h1, severity=critical`.
fn in_words(labels: &Labels) -> String {
    let name = labels.get(ALERT_NAME).unwrap_or("unnamed");
    let others = labels.iter().filter(|(name, _)| &***name != ALERT_NAME);
    let others: Vec<String> = others.map(|(name, value)| format!("{name}={value}")).collect();
    harmless_within(format!("{name} {}", others.join(", ")).trim_end(), 160)
}

fn reported(alert: &ApiAlert, hush: &Hush<'_>) -> Reported {
    let generator = Url::parse(&alert.generator).ok();
    let generator = generator.filter(|url| matches!(url.scheme(), "http" | "https"));
    let expression = generator.as_ref().and_then(|url| {
        let (_, expr) = url.query_pairs().find(|(name, _)| name == "g0.expr")?;
        Some(harmless_within(&expr, 2_000))
    });
    let link = generator.map(|mut url| {
        let _ = url.set_username("");
        let _ = url.set_password(None);
        harmless_within(url.as_str(), 2_000)
    });
    Reported {
        severity: Severity::of_label(alert.labels.get("severity")),
        labels: alert.labels.clone(),
        annotations: alert.annotations.clone(),
        state: AlertState::Firing,
        since: alert.starts.unwrap_or_default(),
        since_at_least: false,
        quiet: hush.of(alert),
        receivers: alert.receivers.clone(),
        expression: expression.unwrap_or_default(),
        value: None,
        link,
    }
}
