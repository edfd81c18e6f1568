//! Bodies of Prometheus' API v1.

use super::Case;
use opsroom::metrics::Data;
use opsroom::sources::prometheus::{answer, rules, targets};
use serde_json::{Value, json};

/// What each reader that a body could be for says of an error.
fn complaints(body: &[u8]) -> Vec<Result<(), String>> {
    vec![
        answer::data(body).map(drop).map_err(|error| error.message),
        answer::query(body, "up").map(drop).map_err(|error| error.message),
        answer::names(body).map(drop).map_err(|error| error.message),
        rules::parse(body).map(drop).map_err(|error| error.message),
        targets::parse(body).map(drop).map_err(|error| error.message),
    ]
}

/// Reads a body with the reader of its shape and says what was in it.
fn read(body: &[u8]) -> Result<Value, String> {
    let (data, _) = answer::data(body).map_err(|error| error.message)?;
    let many = |value: &Value| value.as_array().map_or(0, Vec::len);
    let mut facts = json!({ "status": "success", "resultType": null });
    if let Some(kind) = data["resultType"].as_str() {
        let told = answer::query(body, "up").map_err(|error| error.message)?;
        let (read, points) = match &told.data {
            Data::Vector(points) => ("vector", points.len()),
            Data::Matrix(lines) => ("matrix", lines.len()),
            Data::Scalar(_) => ("scalar", 1),
            Data::Text(_) => ("string", 1),
        };
        facts["resultType"] = json!(read);
        if matches!(kind, "vector" | "matrix") {
            // Native histograms are left out, and that is said.
            let native = |one: &&Value| one.get("value").is_none() && one.get("values").is_none();
            let series = data["result"].as_array().cloned().unwrap_or_default();
            let left_out = series.iter().filter(native).count();
            let said = told.warnings.iter().any(|text| text.contains("native histogram"));
            if points + left_out != series.len() || (left_out > 0) != said {
                return Err(format!("{points} of {} series were read", series.len()));
            }
            facts["series"] = json!(series.len());
        }
    } else if data.get("activeTargets").is_some() {
        let read = targets::parse(body).map_err(|error| error.message)?;
        let all = many(&data["activeTargets"]);
        let found = read.up + read.down_count + read.unknown;
        if found != all as u64 {
            return Err(format!("{found} of {all} targets were read"));
        }
        facts["targets"] = json!(all);
        facts["up"] = json!(read.up);
        facts["down"] = json!(read.down_count);
    } else if data.get("groups").is_some() {
        let read = rules::parse(body).map_err(|error| error.message)?;
        let groups = data["groups"].as_array().cloned().unwrap_or_default();
        let rules = groups.iter().map(|group| many(&group["rules"])).sum::<usize>();
        let found = read.alerting + read.recording;
        if read.groups != groups.len() || found != rules as u64 {
            return Err(format!("{found} of {rules} rules were read"));
        }
        facts["groups"] = json!(read.groups);
        facts["rules"] = json!(found);
        facts["alerts"] = json!(read.alerts.len());
        facts["broken"] = json!(read.broken.len());
    } else if let Some(names) = data.as_array()
        && names.iter().all(Value::is_string)
    {
        let read = answer::names(body).map_err(|error| error.message)?;
        if read.len() != names.len() {
            return Err(format!("{} of {} names were read", read.len(), names.len()));
        }
        facts["names"] = json!(read.len());
    }
    Ok(facts)
}

pub(super) fn difference(case: &Case<'_>) -> Option<String> {
    let mut read_facts = match read(case.body) {
        Ok(facts) => facts,
        Err(message) => {
            // An error is one to every reader, with the server's own words.
            let mute = complaints(case.body).into_iter().any(|said| said != Err(message.clone()));
            if mute {
                return Some("an error that is not told in one way".into());
            }
            json!({ "status": "error", "resultType": null, "error": message })
        }
    };
    let body: Value = serde_json::from_slice(case.body).unwrap_or_default();
    if read_facts["status"] == "error" {
        // A body without an error that could not be read is a fault of ours.
        if body["status"] == "success" {
            return Some(format!("it cannot be read: {}", read_facts["error"]));
        }
        read_facts["errorType"] = body["errorType"].clone();
    }
    let differences: Vec<String> = case
        .facts
        .iter()
        .filter_map(|(name, expected)| match read_facts.get(name) {
            Some(found) => Case::differs(name, expected, found.clone()),
            None => Some(Case::unknown(name)),
        })
        .collect();
    (!differences.is_empty()).then(|| differences.join("; "))
}
