//! Bodies of Alertmanager's API v2.

use super::Case;
use opsroom::domain::SilenceState;
use opsroom::sources::alertmanager::answer::{self, ApiAlert, Listed};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// How many of each word there are.
fn tally<'w>(words: impl Iterator<Item = &'w str>) -> Value {
    let mut tally: BTreeMap<&str, u64> = BTreeMap::new();
    for word in words {
        *tally.entry(word).or_default() += 1;
    }
    json!(tally)
}

/// Sorted, each once.
fn distinct<'w>(words: impl Iterator<Item = &'w str>) -> Value {
    json!(words.collect::<BTreeSet<&str>>())
}

/// What is true of a list of alerts.
fn of_alerts(alerts: &[&ApiAlert]) -> Map<String, Value> {
    let with = |ids: fn(&ApiAlert) -> &Vec<String>| {
        alerts.iter().filter(|alert| !ids(alert).is_empty()).count()
    };
    let labelled = |name: &str| distinct(alerts.iter().filter_map(|alert| alert.labels.get(name)));
    let receivers = alerts.iter().flat_map(|alert| &alert.receivers).map(String::as_str);
    let prints: BTreeSet<&str> = alerts.iter().map(|alert| alert.fingerprint.as_str()).collect();
    let facts = json!({
        "alerts": alerts.len(),
        "distinct_fingerprints": prints.len(),
        "states": tally(alerts.iter().map(|alert| alert.state.as_str())),
        "silenced": with(|alert| &alert.silenced_by),
        "inhibited": with(|alert| &alert.inhibited_by),
        "muted": with(|alert| &alert.muted_by),
        "receivers": distinct(receivers),
        "alertnames": labelled("alertname"),
        "severities": labelled("severity"),
    });
    facts.as_object().cloned().unwrap_or_default()
}

/// Everything that this test can say of a body, or why it cannot be read.
fn read(case: &Case<'_>) -> Result<Map<String, Value>, String> {
    let all = |unread: usize| match unread {
        0 => Ok(()),
        some => Err(format!("{some} entries could not be read")),
    };
    let body = case.body;
    let path = case.endpoint.split_whitespace().find(|word| word.starts_with('/'));
    let path = path.unwrap_or(case.endpoint);
    if !(200..300).contains(&case.http_status) {
        let error = answer::error(case.http_status, "", body);
        let facts = json!({ "message": error.message, "error": error.message });
        return Ok(facts.as_object().cloned().unwrap_or_default());
    }
    let facts = if path.ends_with("/groups") {
        let Listed { items: groups, unread } = answer::groups(body).map_err(|e| e.to_string())?;
        all(unread)?;
        let alerts: Vec<&ApiAlert> = groups.iter().flat_map(|group| &group.alerts).collect();
        let mut facts = of_alerts(&alerts);
        facts.insert("groups".into(), json!(groups.len()));
        let receivers = groups.iter().map(|group| group.receiver.as_str());
        facts.insert("receivers".into(), distinct(receivers));
        facts
    } else if path.ends_with("/alerts") {
        let Listed { items, unread } = answer::alerts(body).map_err(|e| e.to_string())?;
        all(unread)?;
        of_alerts(&items.iter().collect::<Vec<_>>())
    } else if path.contains("/silence") {
        // One silence alone is read as a list of one.
        let one = body.trim_ascii_start().starts_with(b"{");
        let list = [b"[".as_slice(), body, b"]".as_slice()].concat();
        let body = if one { &list } else { body };
        let Listed { items, unread } = answer::silences(body).map_err(|e| e.to_string())?;
        all(unread)?;
        let matchers = || items.iter().flat_map(|item| &item.matchers);
        let words = items.iter().map(|item| match item.silence.state {
            SilenceState::Active => "active",
            SilenceState::Pending => "pending",
            SilenceState::Expired => "expired",
        });
        let facts = json!({
            "silences": items.len(),
            "states": tally(words),
            "matchers": matchers().count(),
            "regex_matchers": matchers().filter(|matcher| matcher.regex).count(),
            "negative_matchers": matchers().filter(|matcher| !matcher.equal).count(),
        });
        facts.as_object().cloned().unwrap_or_default()
    } else if path.ends_with("/receivers") {
        let Listed { items, unread } = answer::receivers(body).map_err(|e| e.to_string())?;
        all(unread)?;
        let mut facts = Map::new();
        facts.insert("receivers".into(), distinct(items.iter().map(String::as_str)));
        facts
    } else if path.ends_with("/status") {
        let status = answer::status(body).map_err(|e| e.to_string())?;
        let version = status.version.as_deref().and_then(|text| text.split(' ').next_back());
        let cluster = status.cluster.as_ref();
        let facts = json!({
            "version": version,
            "cluster": cluster.map(|cluster| cluster.status.clone()),
            "cluster_status": cluster.map(|cluster| cluster.status.clone()),
            "peers": cluster.map(|cluster| cluster.peers),
        });
        facts.as_object().cloned().unwrap_or_default()
    } else {
        return Err(format!("`{path}` is an endpoint that this test does not know"));
    };
    Ok(facts)
}

pub(super) fn difference(case: &Case<'_>) -> Option<String> {
    let read = match read(case) {
        Ok(read) => read,
        Err(why) => return Some(why),
    };
    let differences: Vec<String> = case
        .facts
        .iter()
        .filter_map(|(name, expected)| match read.get(name) {
            Some(found) => Case::differs(name, expected, found.clone()),
            None => Some(Case::unknown(name)),
        })
        .collect();
    (!differences.is_empty()).then(|| differences.join("; "))
}
