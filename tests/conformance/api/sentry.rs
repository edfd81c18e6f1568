//! Sentry: issues, events, projects and releases through the readers of the
//! tracker; of what opsroom does not ask for, the parts that those are made of.

use super::Case;
use opsroom::domain::{Level, Timestamp, harmless};
use opsroom::sources::sentry::{event, issues, json, projects};
use serde_json::{Value, json};

/// What a body is read as.
enum Read {
    /// The first of a list of issues, or an issue.
    Issue(Box<issues::Told>),
    Event(Box<event::Told>),
    Release(String),
    Project(projects::Project),
    /// Nothing that opsroom asks for.
    Other,
}

pub(super) fn difference(case: &Case<'_>) -> Option<String> {
    let value = match json::read(case.body) {
        Ok(value) => value,
        Err(error) => return Some(error.to_string()),
    };
    let is_list = value.is_array();
    // Facts of a list are those of its first item.
    let list = if is_list { json::items(value.clone()).ok() } else { None };
    let item = match &list {
        Some(list) => list.first().cloned().unwrap_or(Value::Null),
        None => value.clone(),
    };
    let read = match what(case, &item) {
        Ok(read) => read,
        Err(error) => return Some(error),
    };
    let mut differences = Vec::new();
    for (name, expected) in case.facts {
        let is_shape = matches!(expected.as_str(), Some("list" | "dict"));
        let found = match name.as_str() {
            "type" if is_shape => Some(json!(if is_list { "list" } else { "dict" })),
            "items" => Some(json!(list.as_ref().map_or(0, Vec::len))),
            name => fact(name, expected, &read, &item),
        };
        match found {
            // Text is shown without what a terminal would act upon.
            Some(Value::String(said))
                if expected.as_str().is_some_and(|text| harmless(text.trim()) == said) => {}
            Some(Value::String(said)) if said.is_empty() && expected.is_null() => {}
            Some(found) => differences.extend(Case::differs(name, expected, found)),
            None => differences.push(Case::unknown(name)),
        }
    }
    (!differences.is_empty()).then(|| differences.join("; "))
}

/// Reads a body as what its endpoint gives, or, where the endpoint is only
/// words, as what it looks like.
fn what(case: &Case<'_>, item: &Value) -> Result<Read, String> {
    let path = case.endpoint.split_whitespace().last().unwrap_or_default();
    let parts: Vec<&str> =
        path.split('/').filter(|part| !part.is_empty() && !part.starts_with('{')).collect();
    let last = parts.last().copied().unwrap_or_default();
    let has = |key: &str| item.get(key).is_some();
    let is_path = path.starts_with('/');
    let looks_like_event =
        ["eventID", "event_id", "entries", "exception"].iter().any(|key| has(key));
    let failed = |what: &str| format!("this is not read as {what}");
    if item.is_null() {
        Ok(Read::Other)
    } else if looks_like_event && (!is_path || last == "events") {
        let event = event::parse(item.to_string().as_bytes());
        event.map(|told| Read::Event(told.into())).map_err(|error| error.to_string())
    } else if has("shortId") && has("count") && (!is_path || last == "issues") {
        let told = issues::issue(item).ok_or_else(|| failed("an issue"))?;
        // The list's own reader has to take it too.
        if json::read(case.body).is_ok_and(|value| value.is_array()) {
            let (page, odd) = issues::page(case.body).map_err(|error| error.to_string())?;
            if odd > 0 || page.first() != Some(&told) {
                return Err(failed("a page of issues"));
            }
        }
        Ok(Read::Issue(told.into()))
    } else if last == "releases" {
        let told = projects::release(item, None).ok_or_else(|| failed("a release"))?;
        Ok(Read::Release(told.version))
    } else if last == "projects" && has("slug") {
        projects::project(item).map(Read::Project).ok_or_else(|| failed("a project"))
    } else {
        Ok(Read::Other)
    }
}

/// A fact as our readers know it. What they leave aside is looked up with the
/// patient getters that they are made of.
fn fact(name: &str, expected: &Value, read: &Read, item: &Value) -> Option<Value> {
    let number = |told: u64| match expected {
        Value::String(_) => json!(told.to_string()),
        _ => json!(told),
    };
    let moment = |told: Timestamp| match expected.as_str().and_then(json::time_of) {
        // The same moment may be written in several ways.
        Some(wanted) if wanted == told => expected.clone(),
        _ => json!(told.to_string()),
    };
    let level = |level: Level| serde_json::to_value(level).unwrap_or_default();
    let said = match (read, name) {
        (Read::Issue(told), "shortId") => json!(told.issue.short),
        (Read::Issue(told), "title") => json!(told.issue.title),
        (Read::Issue(told), "culprit") => json!(told.issue.culprit),
        (Read::Issue(told), "level") => level(told.issue.level),
        (Read::Issue(told), "status") => json!(told.status),
        (Read::Issue(told), "type") => json!(told.kind),
        (Read::Issue(told), "count") => number(told.issue.events),
        (Read::Issue(told), "userCount") => told.issue.users.map_or(Value::Null, number),
        (Read::Issue(told), "firstSeen") => moment(told.issue.first),
        (Read::Issue(told), "lastSeen") => moment(told.issue.last),
        (Read::Issue(told), "id") => json!(told.issue.id),
        (Read::Event(told), "eventID" | "event_id") => json!(told.event.id),
        (Read::Event(told), "title") => json!(told.title),
        (Read::Event(told), "culprit") => json!(told.culprit),
        (Read::Event(told), "level") => level(told.level),
        (Read::Event(told), "type") => json!(told.kind),
        (Read::Release(version), "version") => json!(version),
        (Read::Project(project), "slug") => json!(project.slug),
        (_, "firstSeen" | "lastSeen" | "dateCreated") => moment(json::time(item, name)?),
        (_, "count" | "userCount" | "newGroups") => number(json::whole(item, name)?),
        _ if expected.is_string() => json!(json::text(item, name, 1_000)?),
        _ if expected.is_null() => item.get(name).cloned().unwrap_or_default(),
        _ => return None,
    };
    Some(said)
}
