//! Health answers in JSON: the verdict an object gives of itself, and its parts.
//!
//! One reader for all: Spring Boot, `MicroProfile`, ASP.NET, the IETF draft, Nest,
//! Dropwizard, Consul, Ceph, Vault, status pages and what people write by hand
//! differ in names and nesting, not in kind.

use super::{Body, MOST_COMPONENTS, detail, keys, name, words};
use crate::domain::{Component, Status};
use serde_json::{Map, Value};

type Object = Map<String, Value>;

/// Objects in objects are read so far down.
const DEEPEST: usize = 6;

/// Reads a JSON answer.
pub(super) fn read(value: &Value) -> Body {
    match value {
        Value::Bool(good) => Body { status: Some(by_bool(*good)), ..Body::default() },
        Value::String(text) => Body { status: words::phrase(text), ..Body::default() },
        Value::Object(map) => read_object(map, 0),
        Value::Array(items) => {
            let mut parts = Parts::default();
            parts.items(items, "", 0);
            parts.into_body(Verdict::default(), None)
        }
        Value::Null | Value::Number(_) => Body::default(),
    }
}

fn read_object(map: &Object, depth: usize) -> Body {
    let own = Verdict::of(map, depth);
    let mut parts = Parts::default();
    parts.of_object(map, "", depth);
    // `{"code": 0, "data": {"status": "UP"}}`: an envelope, and the health inside of it.
    let inside = WRAPPERS.iter().find_map(|key| match map.get(*key) {
        Some(Value::Object(inner)) if depth < DEEPEST && speaks_of_health(inner, depth) => {
            Some(read_object(inner, depth + 1))
        }
        _ => None,
    });
    if let Some(inside) = inside.filter(|_| parts.list.is_empty())
        && own.unclear.is_none()
        && (own.status.is_none() || inside.status > own.status)
    {
        return inside;
    }
    let code_is_state = map.get("initialized").is_some_and(Value::is_boolean)
        && map.get("sealed").is_some_and(Value::is_boolean);
    Body { code_is_state, ..parts.into_body(own, complaint(map)) }
}

/// Keys of envelopes that hold the health itself.
const WRAPPERS: &[&str] = &["data", "payload", "response", "body", "result", "page"];

/// Whether an object gives a verdict or lists parts.
fn speaks_of_health(map: &Object, depth: usize) -> bool {
    Verdict::of(map, depth).status.is_some()
        || map.iter().any(|(key, value)| {
            keys::is_container(&keys::normal(key)) && (value.is_object() || value.is_array())
                || keys::names_a_part(key) && value.as_str().and_then(words::phrase).is_some()
        })
}

fn by_bool(good: bool) -> Status {
    if good { Status::Ok } else { Status::Critical }
}

/// What an object says of itself.
#[derive(Default)]
struct Verdict {
    status: Option<Status>,
    /// The word that said it.
    word: Option<String>,
    /// A word in the place of a verdict that is none of ours.
    unclear: Option<String>,
}

impl Verdict {
    fn of(map: &Object, depth: usize) -> Self {
        let mut found = Self::default();
        let mut weak: Option<(Status, String)> = None;
        let mut last: Option<(Status, String)> = None;
        for (key, value) in map {
            let normal = keys::normal(key);
            if keys::is_strong(&normal) {
                found.strong(value, depth);
            } else if keys::is_weak(&normal) {
                match value {
                    Value::Bool(good) => found.worse(by_bool(*good), key),
                    Value::String(text) => {
                        let none = normal == "indicator" && text == "none";
                        let said = if none { Some(Status::Ok) } else { words::word(text) };
                        if let (Some(status), None) = (said, &weak) {
                            weak = Some((status, text.clone()));
                        }
                    }
                    _ => {}
                }
            } else if let (Some(failure), Value::Bool(true)) = (keys::inverse(&normal), value) {
                found.worse(if failure { Status::Critical } else { Status::Warning }, key);
            } else if let ("code", Value::String(text)) = (&*normal, value) {
                if let (Some(status), None) = (words::word(text), &weak) {
                    weak = Some((status, text.clone()));
                }
            } else if let ("unhealthycount", Some(1..)) = (&*normal, value.as_u64()) {
                let none = map.get("healthy_count").and_then(Value::as_u64) == Some(0);
                let status = if none { Status::Critical } else { Status::Warning };
                found.worse(status, &format!("{key} {value}"));
            } else if let ("code" | "statuscode", Some(code)) = (&*normal, value.as_u64()) {
                if (400..600).contains(&code) {
                    found.worse(Status::Critical, &format!("{key} {code}"));
                }
            } else if let ("severity", Value::String(text)) = (&*normal, value) {
                last = words::word(text).map(|status| (status, text.clone()));
            }
        }
        if found.status.is_none()
            && let Some((status, word)) = weak.or(last)
        {
            found.worse(status, &word);
            found.unclear = None;
        }
        found
    }

    fn strong(&mut self, value: &Value, depth: usize) {
        match value {
            Value::String(text) => match words::phrase(text) {
                Some(status) => self.worse(status, text),
                None => self.unclear = Some(text.clone()),
            },
            Value::Bool(good) => self.worse(by_bool(*good), if *good { "true" } else { "false" }),
            Value::Number(number) => match number.as_u64() {
                Some(200..=299) => self.worse(Status::Ok, &number.to_string()),
                Some(400..=599) => self.worse(Status::Critical, &number.to_string()),
                // 0 is good in one world and bad in the other.
                _ => self.unclear = Some(number.to_string()),
            },
            Value::Object(inner) if depth < DEEPEST => {
                let inner = Self::of(inner, depth + 1);
                if let Some(status) = inner.status {
                    self.worse(status, inner.word.as_deref().unwrap_or_default());
                } else if self.unclear.is_none() {
                    self.unclear = inner.unclear;
                }
            }
            _ => {}
        }
    }

    fn worse(&mut self, status: Status, word: &str) {
        if self.status.is_none_or(|before| status > before) {
            self.status = Some(status);
            self.word = Some(detail(word));
        }
    }

    /// As a part: what is there but not understood is unknown.
    fn as_part(&self) -> Option<Status> {
        self.status.or_else(|| self.unclear.as_ref().map(|_| Status::Unknown))
    }
}

/// An error that an object carries where it has no verdict: JSON-RPC, `GraphQL`, plain APIs.
fn complaint(map: &Object) -> Option<(Status, String)> {
    let partial = map.get("data").is_some_and(|data| !data.is_null());
    for (key, value) in map {
        if !matches!(&*keys::normal(key), "error" | "errors" | "exception") {
            continue;
        }
        let says = match value {
            Value::String(text) if !text.trim().is_empty() => text.clone(),
            Value::Bool(true) => key.clone(),
            Value::Object(inner) if !inner.is_empty() => reason(inner),
            Value::Array(items) if !items.is_empty() => {
                items.first().and_then(Value::as_object).map_or_else(|| key.clone(), reason)
            }
            _ => continue,
        };
        let status = if partial { Status::Warning } else { Status::Critical };
        return Some((status, if says.is_empty() { key.clone() } else { says }));
    }
    None
}

/// What an object says of its trouble.
fn reason(map: &Object) -> String {
    const SAYS: &[&str] = &[
        "error",
        "message",
        "reason",
        "description",
        "exception",
        "output",
        "symptom",
        "notificationmessage",
        "summary",
        "shortsummary",
        "detail",
        "msg",
        "cause",
    ];
    for wanted in SAYS {
        for (key, value) in map {
            if keys::normal(key) != *wanted {
                continue;
            }
            match value {
                Value::String(text) if !text.trim().is_empty() => return detail(text),
                Value::Object(inner) => {
                    let inner = reason(inner);
                    if !inner.is_empty() {
                        return inner;
                    }
                }
                _ => {}
            }
        }
    }
    for nested in ["details", "data"] {
        if let Some(Value::Object(inner)) = map.get(nested) {
            let inner = reason(inner);
            if !inner.is_empty() {
                return inner;
            }
        }
    }
    // draft-inadarei-api-health-check, "observedValue"
    match (map.get("observedValue"), map.get("observedUnit").and_then(Value::as_str)) {
        (Some(Value::Number(value)), unit) => detail(&format!("{value} {}", unit.unwrap_or(""))),
        _ => String::new(),
    }
}

/// A part that does not bring the whole down says so in one of these ways.
fn is_optional(map: &Object) -> bool {
    map.iter().any(|(key, value)| match &*keys::normal(key) {
        "critical" | "required" | "fatal" | "iscritical" | "essential" => {
            *value == Value::Bool(false)
        }
        "optional" | "soft" => *value == Value::Bool(true),
        _ => false,
    })
}

struct Part {
    component: Component,
    counts: Status,
}

#[derive(Default)]
struct Parts {
    list: Vec<Part>,
    /// Texts beside the parts that are no known words.
    unsure: Vec<String>,
}

impl Parts {
    fn into_body(mut self, own: Verdict, complaint: Option<(Status, String)>) -> Body {
        let silent = own.status.is_none() && own.unclear.is_none();
        if silent && !self.list.is_empty() {
            for called in std::mem::take(&mut self.unsure) {
                self.push(&called, Status::Unknown, String::new(), false);
            }
        }
        let worst = self.list.iter().map(|part| part.counts).max();
        let (status, word) = match own.status {
            // The whole says ok, and a part says that it is not.
            Some(Status::Ok) if worst == Some(Status::Critical) => {
                (Some(Status::Warning), own.word)
            }
            Some(status) => (Some(status), own.word),
            None => match own.unclear {
                Some(unclear) => {
                    let word = format!("status {} is none that is known", detail(&unclear));
                    (worst.max(Some(Status::Unknown)), Some(word))
                }
                None if worst.is_some() => (worst, None),
                None => match complaint {
                    Some((status, says)) => (Some(status), Some(detail(&says))),
                    None => (None, None),
                },
            },
        };
        let components = self.list.into_iter().map(|part| part.component).collect();
        Body { status, word, components, ..Body::default() }
    }

    fn push(&mut self, called: &str, status: Status, says: String, optional: bool) {
        let counts = if optional && status == Status::Critical { Status::Warning } else { status };
        let called = name(called);
        let component = Component { name: called, status, detail: says };
        let same = self.list.iter().position(|part| part.component.name == component.name);
        match same {
            Some(at) if self.list[at].counts < counts => {
                self.list[at] = Part { component, counts };
            }
            None if self.list.len() < MOST_COMPONENTS => self.list.push(Part { component, counts }),
            _ => {}
        }
    }

    /// The parts that stand in an object, whose own verdict is read elsewhere.
    fn of_object(&mut self, map: &Object, prefix: &str, depth: usize) {
        if depth > DEEPEST {
            return;
        }
        let has_details = matches!(map.get("details"), Some(Value::Object(d)) if !d.is_empty());
        for (key, value) in map {
            let normal = keys::normal(key);
            let normal = normal.as_str();
            let path = || format!("{prefix}{key}");
            match value {
                Value::Object(inner) if keys::is_strong(normal) => {
                    if Verdict::of(inner, depth + 1).as_part().is_some() {
                        self.of_object(inner, prefix, depth + 1);
                    } else {
                        self.children(inner, prefix, false, depth + 1);
                    }
                }
                Value::Array(items) if keys::is_strong(normal) => {
                    self.items(items, prefix, depth + 1);
                }
                _ if keys::is_strong(normal) => {}
                // Nest's terminus repeats under these what `details` holds.
                Value::Object(inner) if matches!(normal, "info" | "error" | "errors") => {
                    if !has_details {
                        self.children_with_verdict(inner, prefix, depth + 1);
                    }
                }
                Value::Object(inner) if normal == "failures" => self.failures(inner, prefix),
                Value::Object(inner) if keys::is_container(normal) => {
                    let loose = matches!(normal, "details" | "results" | "entries");
                    self.children(inner, prefix, loose, depth + 1);
                }
                Value::Array(items) if normal == "conditions" => self.conditions(items, prefix),
                Value::Array(items) if keys::is_container(normal) => {
                    self.items(items, prefix, depth + 1);
                }
                Value::Object(_) | Value::Array(_) if keys::speaks_of_something_else(normal) => {}
                Value::Object(inner) => self.object(&path(), inner, depth + 1),
                Value::Array(items) => self.list_of(&path(), items, depth + 1),
                Value::String(text) => self.text_beside(key, normal, text, prefix),
                Value::Bool(good) => {
                    let verdict = keys::is_weak(normal) || keys::inverse(normal).is_some();
                    if !verdict && keys::names_a_part(key) {
                        let called = keys::without_ending(key).unwrap_or(key);
                        self.push(
                            &format!("{prefix}{called}"),
                            by_bool(*good),
                            String::new(),
                            false,
                        );
                    }
                }
                Value::Null | Value::Number(_) => {}
            }
        }
    }

    /// An object beside the verdict: a part, or a group of parts under its name.
    fn object(&mut self, path: &str, map: &Object, depth: usize) {
        if Verdict::of(map, depth).as_part().is_some() {
            self.part(path, map, depth);
            return;
        }
        let said = |value: &Value| match value {
            Value::Bool(_) => true,
            Value::String(text) => words::phrase(text).is_some(),
            Value::Object(inner) => Verdict::of(inner, depth + 1).as_part().is_some(),
            _ => false,
        };
        let described = |key: &String| keys::describes(key);
        if !map.is_empty() && map.iter().all(|(key, value)| said(value) && !described(key)) {
            self.children(map, &format!("{path}/"), false, depth + 1);
        }
    }

    fn part(&mut self, path: &str, map: &Object, depth: usize) {
        let Some(status) = Verdict::of(map, depth).as_part() else { return };
        let says = if status == Status::Ok { String::new() } else { reason(map) };
        self.push(path, status, says, is_optional(map));
        if depth > DEEPEST {
            return;
        }
        for (key, value) in map {
            if keys::is_container(&keys::normal(key))
                && let Value::Object(inner) = value
            {
                self.children_with_verdict(inner, &format!("{path}/"), depth + 1);
            }
        }
    }

    /// Only those children that are objects with a verdict.
    fn children_with_verdict(&mut self, map: &Object, prefix: &str, depth: usize) {
        for (key, value) in map {
            if let Value::Object(inner) = value {
                self.part(&format!("{prefix}{key}"), inner, depth);
            }
        }
    }

    /// Everything in a container is a part. In a loose one, texts and the like
    /// count only where they are known words.
    fn children(&mut self, map: &Object, prefix: &str, loose: bool, depth: usize) {
        if depth > DEEPEST {
            return;
        }
        for (key, value) in map {
            let path = format!("{prefix}{key}");
            match value {
                Value::Object(inner) => self.object(&path, inner, depth),
                Value::Array(items) => self.list_of(&path, items, depth),
                Value::String(_) if keys::describes(key) => {}
                Value::String(text) => match words::phrase(text) {
                    Some(Status::Ok) => self.push(&path, Status::Ok, String::new(), false),
                    Some(status) => self.push(&path, status, detail(text), false),
                    None if loose => {}
                    None => self.push(&path, Status::Unknown, detail(text), false),
                },
                Value::Bool(good) if !loose || keys::names_a_part(key) => {
                    self.push(&path, by_bool(*good), String::new(), false);
                }
                Value::Null if !loose => {
                    self.push(&path, Status::Unknown, String::new(), false);
                }
                _ => {}
            }
        }
    }

    /// A list under the name of one part (measurements of it), or of named parts.
    fn list_of(&mut self, path: &str, items: &[Value], depth: usize) {
        let objects: Vec<&Object> = items.iter().filter_map(Value::as_object).collect();
        if objects.is_empty() || objects.len() < items.len() {
            return;
        }
        let measured = |map: &Object| map.contains_key("observedValue");
        if objects.iter().all(|map| keys::own_name(map).is_none() || measured(map)) {
            let worst = objects
                .iter()
                .filter_map(|map| Some((Verdict::of(map, depth).as_part()?, *map)))
                .max_by_key(|(status, _)| *status);
            if let Some((status, map)) = worst {
                let says = if status == Status::Ok { String::new() } else { reason(map) };
                self.push(path, status, says, false);
                return;
            }
        }
        self.items(items, &format!("{path}/"), depth);
    }

    /// Parts in a list, each with its own name.
    fn items(&mut self, items: &[Value], prefix: &str, depth: usize) {
        for (at, item) in items.iter().enumerate().take(MOST_COMPONENTS) {
            let Value::Object(map) = item else { continue };
            if Verdict::of(map, depth).as_part().is_some() {
                let called = keys::own_name(map).unwrap_or_else(|| (at + 1).to_string());
                self.part(&format!("{prefix}{called}"), map, depth + 1);
            } else {
                self.of_object(map, prefix, depth + 1);
            }
        }
    }

    /// Kubernetes' conditions: `{"type": "Ready", "status": "True"}`; of some the
    /// good value is `False`.
    fn conditions(&mut self, items: &[Value], prefix: &str) {
        for map in items.iter().filter_map(Value::as_object).take(MOST_COMPONENTS) {
            let text = |key: &str| map.get(key).and_then(Value::as_str);
            let (Some(kind), Some(value)) = (text("type"), text("status")) else { continue };
            let lower = kind.to_lowercase();
            let bad_when_true = ["pressure", "unavailable", "failure", "degraded", "stalled"]
                .iter()
                .any(|end| lower.ends_with(end));
            let status = match value.to_lowercase().as_str() {
                "true" => by_bool(!bad_when_true),
                "false" => by_bool(bad_when_true),
                _ => Status::Unknown,
            };
            let says = if status == Status::Ok { String::new() } else { reason(map) };
            self.push(&format!("{prefix}{kind}"), status, says, false);
        }
    }

    /// A list of nothing but what failed (hellofresh/health-go).
    fn failures(&mut self, map: &Object, prefix: &str) {
        for (key, value) in map {
            let says = match value {
                Value::String(text) => detail(text),
                Value::Object(inner) => reason(inner),
                _ => String::new(),
            };
            self.push(&format!("{prefix}{key}"), Status::Critical, says, false);
        }
    }

    /// A text beside the verdict: `"redis": "connected"`, `"database_status": "OK"`.
    fn text_beside(&mut self, key: &str, normal: &str, text: &str, prefix: &str) {
        if keys::is_weak(normal) || matches!(normal, "error" | "exception" | "severity") {
            return;
        }
        if let Some(stem) = keys::without_ending(key) {
            let known = words::phrase(text);
            let Some(status) = known.or(keys::names_a_part(stem).then_some(Status::Unknown)) else {
                return;
            };
            let says = if status == Status::Ok { String::new() } else { detail(text) };
            self.push(&format!("{prefix}{stem}"), status, says, false);
        } else if keys::describes(key) {
        } else if let Some(status) = words::phrase(text) {
            let says = if status == Status::Ok { String::new() } else { detail(text) };
            self.push(&format!("{prefix}{key}"), status, says, false);
        } else if !keys::names(key) && !text.is_empty() {
            self.unsure.push(format!("{prefix}{key}"));
        }
    }
}

#[cfg(test)]
mod tests;
