//! Health bodies of public projects: `health/cases.json`.

use opsroom::domain::Status;
use opsroom::sources::health::understand;
use serde_json::Value;
use std::collections::BTreeMap;

fn word(status: Status) -> &'static str {
    match status {
        Status::Ok => "up",
        Status::Warning => "degraded",
        Status::Critical => "down",
        Status::Unknown => "unknown",
    }
}

/// What differs between a case and what is read, if anything does.
fn difference(case: &Value) -> Option<String> {
    let http = u16::try_from(case["http_status"].as_u64().unwrap()).unwrap();
    let content_type = case["content_type"].as_str().unwrap_or("");
    let read = understand(http, content_type, case["body"].as_str().unwrap().as_bytes());
    let parts: BTreeMap<String, String> = read
        .components
        .iter()
        .map(|part| (part.name.clone(), word(part.status).to_owned()))
        .collect();
    let expected: BTreeMap<String, String> =
        serde_json::from_value(case["expected"]["components"].clone()).unwrap();
    let verdict = case["expected"]["verdict"].as_str().unwrap();
    (word(read.status) != verdict || parts != expected).then(|| {
        format!(
            "{} ({}): expected {verdict} {expected:?}, read {} {parts:?}",
            case["id"],
            case["basis"],
            word(read.status)
        )
    })
}

#[test]
fn health_bodies_are_read_as_their_sources_and_specifications_say() {
    let Some(folder) = super::folder("health") else { return };
    let text = std::fs::read_to_string(folder.join("cases.json")).unwrap();
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert!(!cases.is_empty());
    let (judged, binding): (Vec<&Value>, Vec<&Value>) =
        cases.iter().partition(|case| case["basis"] == "judgement");
    for case in &judged {
        if let Some(difference) = difference(case) {
            println!("open to discussion: {difference}");
        }
    }
    let wrong: Vec<String> = binding.iter().filter_map(|case| difference(case)).collect();
    super::tell("health", binding.len(), &wrong);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
