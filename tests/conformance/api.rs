//! Set `api`: bodies of Alertmanager, Prometheus and Sentry with facts that a
//! reader must find in them.

mod alertmanager;
mod prometheus;
mod sentry;

use crate::{folder, tell};
use serde_json::{Map, Value};
use std::fs;

/// A body with what is known of it.
pub(crate) struct Case<'c> {
    /// `GET /api/v2/alerts`, or words.
    pub(crate) endpoint: &'c str,
    /// The HTTP status that it came with, where told; 200 otherwise.
    pub(crate) http_status: u16,
    /// What must be found in it, by the name of the fact.
    pub(crate) facts: &'c Map<String, Value>,
    /// The body as it came.
    pub(crate) body: &'c [u8],
}

impl Case<'_> {
    /// What differs between a fact and what was read: `alerts: expected 3, read 2`.
    pub(crate) fn differs(name: &str, expected: &Value, read: impl Into<Value>) -> Option<String> {
        let read = read.into();
        // A list of facts is in no order.
        let sorted = |value: &Value| match value.as_array() {
            Some(items) => {
                let mut items: Vec<String> = items.iter().map(ToString::to_string).collect();
                items.sort();
                items
            }
            None => vec![value.to_string()],
        };
        let same = *expected == read || sorted(expected) == sorted(&read);
        (!same).then(|| format!("{name}: expected {expected}, read {read}"))
    }

    /// A fact that no reader here knows.
    pub(crate) fn unknown(name: &str) -> String {
        format!("`{name}` is a fact that this test does not know")
    }
}

/// What differs in a case, if anything does.
fn difference(case: &Value, body: &[u8]) -> Option<String> {
    let Some(facts) = case["facts"].as_object() else { return Some("it has no facts".into()) };
    let status = &case["http_status"];
    let status = status.as_u64().or_else(|| status.as_str()?.parse().ok());
    let case_of = Case {
        endpoint: case["endpoint"].as_str().unwrap_or_default(),
        http_status: status.and_then(|status| u16::try_from(status).ok()).unwrap_or(200),
        facts,
        body,
    };
    match case["api"].as_str().unwrap_or_default() {
        "alertmanager" => alertmanager::difference(&case_of),
        "prometheus" => prometheus::difference(&case_of),
        "sentry" => sentry::difference(&case_of),
        other => Some(format!("`{other}` is an API that this test does not know")),
    }
}

#[test]
fn api_bodies_hold_what_their_facts_say() {
    let Some(folder) = folder("api") else { return };
    let index = fs::read_to_string(folder.join("index.json")).unwrap();
    let cases: Vec<Value> = serde_json::from_str(&index).unwrap();
    assert!(!cases.is_empty());
    let failed = |case: &Value| {
        let file = case["file"].as_str().unwrap_or_default();
        let difference = match fs::read(folder.join(file)) {
            Ok(body) => difference(case, &body),
            Err(error) => Some(error.to_string()),
        };
        difference.map(|difference| format!("{file}: {difference}"))
    };
    let failures: Vec<String> = cases.iter().filter_map(failed).collect();
    tell("api", cases.len(), &failures);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
