//! An event of an issue: the exception with its innermost frames, and nothing
//! of whoever met it. Both as the web API gives it (`entries`) and as SDKs send it.

use super::issues::{level, release};
use super::json::{plain, read, text, time, whole};
use crate::domain::{Frame, IssueEvent, Level, PollError, harmless_within};
use serde_json::Value;

/// So many frames are kept.
const FRAMES: usize = 20;
/// So many tags are kept.
const TAGS: usize = 12;
/// Messages are cut to so many characters.
const WORDS: usize = 500;
const NAME: usize = 120;

/// Tags that say where and in what it happened and never to whom: no user, no
/// URL, no header, nothing of an application's own.
const HARMLESS: [&str; 19] = [
    "browser",
    "client_os",
    "cluster",
    "datacenter",
    "device",
    "device.family",
    "dist",
    "handled",
    "level",
    "logger",
    "mechanism",
    "os",
    "region",
    "runtime",
    "server_name",
    "site",
    "subprocess",
    "transaction",
    "zone",
];

/// An event as its server tells of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// What all trackers tell.
    pub event: IssueEvent,
    /// `TypeError: x is undefined`.
    pub title: String,
    /// Where it happened.
    pub culprit: String,
    /// How bad it is.
    pub level: Level,
    /// `error`, `default`, `csp`, `transaction`; empty where not told.
    pub kind: String,
}

/// The event of a body.
pub fn parse(body: &[u8]) -> Result<Told, PollError> {
    let value = read(body)?;
    let told = event(&value);
    told.ok_or_else(|| PollError::broken("the answer is no event"))
}

/// The event in a value: itself, or framed as `data`.
fn event(value: &Value) -> Option<Told> {
    let inner = value.get("data").filter(|data| data.is_object()).unwrap_or(value);
    let of = |key: &str, most: usize| text(inner, key, most).or_else(|| text(value, key, most));
    let ids = ["eventID", "event_id", "id"];
    let says = ["entries", "exception", "logentry", "message", "title", "level"];
    if !ids.iter().chain(&says).any(|key| inner.get(*key).is_some()) {
        return None;
    }
    let id = ids.iter().find_map(|key| of(key, NAME)).unwrap_or_default();
    let values = exceptions(inner);
    // The one that ended it stands last; those before it are its causes.
    let last = values.last();
    let meta = inner.get("metadata").unwrap_or(&Value::Null);
    let message = message(inner);
    let title = of("title", WORDS);
    let kind = last
        .and_then(|one| text(one, "type", NAME))
        .or_else(|| text(meta, "type", NAME))
        .unwrap_or_default();
    let value_said = last
        .and_then(|one| text(one, "value", WORDS))
        .or_else(|| text(meta, "value", WORDS))
        .or_else(|| message.clone())
        .or_else(|| if kind.is_empty() { title.clone() } else { None })
        .unwrap_or_default();
    let holders = values.iter().rev().copied().chain([inner]);
    let frames = holders.filter_map(frames_of).find(|frames| !frames.is_empty());
    let tags = tags(inner.get("tags"));
    let tag = |name: &str| tags.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    let moment = |key: &str| time(inner, key).or_else(|| time(value, key));
    let at = ["dateCreated", "timestamp", "dateReceived", "received", "ingested_at"];
    let title = title.unwrap_or_else(|| match (kind.as_str(), value_said.as_str()) {
        ("", said) => said.to_owned(),
        (kind, "") => kind.to_owned(),
        (kind, said) => format!("{kind}: {said}"),
    });
    let said_level = inner.get("level").cloned().or_else(|| tag("level").map(Value::String));
    Some(Told {
        event: IssueEvent {
            id,
            at: at.iter().find_map(|key| moment(key)).unwrap_or_default(),
            kind,
            value: value_said,
            frames: frames.unwrap_or_default(),
            release: release(inner.get("release")).or_else(|| tag("release")),
            environment: of("environment", NAME).or_else(|| tag("environment")),
            tags: harmless_tags(inner, &tags),
        },
        title,
        culprit: of("culprit", WORDS).or_else(|| of("transaction", WORDS)).unwrap_or_default(),
        level: level(said_level.as_ref()),
        kind: of("type", NAME).unwrap_or_default(),
    })
}

/// The chain of exceptions, the last one last: of an entry, or as SDKs send it,
/// in a frame of `values` or as a list or alone.
fn exceptions(event: &Value) -> Vec<&Value> {
    let entry = entry(event, "exception").and_then(|entry| entry.get("data"));
    let Some(told) = entry.or_else(|| event.get("exception")) else { return Vec::new() };
    let list = told.get("values").unwrap_or(told);
    match list {
        Value::Array(values) => values.iter().filter(|one| one.is_object()).collect(),
        Value::Object(_) => vec![list],
        _ => Vec::new(),
    }
}

fn entry<'a>(event: &'a Value, kind: &str) -> Option<&'a Value> {
    let entries = event.get("entries")?.as_array()?;
    entries.iter().find(|entry| entry.get("type").and_then(Value::as_str) == Some(kind))
}

/// What was logged, where nothing was thrown.
fn message(event: &Value) -> Option<String> {
    let entry = entry(event, "message").and_then(|entry| entry.get("data"));
    let logged = entry.or_else(|| event.get("logentry"));
    let said = logged.and_then(|logged| {
        text(logged, "formatted", WORDS).or_else(|| text(logged, "message", WORDS))
    });
    said.or_else(|| text(event, "message", WORDS))
}

/// The frames of an exception, a thread or an event, the innermost first.
/// Local variables are left where they are.
fn frames_of(holder: &Value) -> Option<Vec<Frame>> {
    let stack = holder.get("stacktrace").filter(|stack| stack.is_object());
    let frames = stack?.get("frames")?.as_array()?;
    Some(frames.iter().rev().take(FRAMES).map(frame).collect())
}

fn frame(value: &Value) -> Frame {
    let any = |keys: &[&str], most| keys.iter().find_map(|key| text(value, key, most));
    let number = |keys: &[&str]| keys.iter().find_map(|key| whole(value, key));
    let line = number(&["lineNo", "lineno"]);
    let own = ["inApp", "in_app"].iter().find_map(|key| value.get(key)?.as_bool());
    Frame {
        file: any(&["filename", "absPath", "abs_path", "module", "package"], 200)
            .unwrap_or_default(),
        function: any(&["function", "rawFunction", "symbol"], 200).unwrap_or_default(),
        line,
        own: own.unwrap_or(false),
        code: any(&["context_line", "contextLine"], 200)
            .or_else(|| line_of(value.get("context")?, line?))
            .unwrap_or_default(),
    }
}

/// The line of code itself among those around it: pairs of number and text.
fn line_of(context: &Value, line: u64) -> Option<String> {
    let around = context.as_array()?;
    let is_it = |pair: &&Value| pair.get(0).and_then(Value::as_u64) == Some(line);
    let code = around.iter().find(is_it)?.get(1)?.as_str()?;
    Some(harmless_within(code.trim(), 200))
}

/// Tags as pairs: from a list of `{key, value}`, a list of pairs, or a table.
fn tags(value: Option<&Value>) -> Vec<(String, String)> {
    let pair = |key: &Value, value: &Value| Some((plain(key, NAME)?, plain(value, NAME)?));
    match value {
        Some(Value::Array(list)) => list
            .iter()
            .filter_map(|tag| match tag {
                Value::Array(both) => pair(both.first()?, both.get(1)?),
                tag => pair(tag.get("key")?, tag.get("value")?),
            })
            .collect(),
        Some(Value::Object(table)) => table
            .iter()
            .filter_map(|(key, value)| Some((harmless_within(key, NAME), plain(value, NAME)?)))
            .collect(),
        _ => Vec::new(),
    }
}

fn harmless_tags(event: &Value, tags: &[(String, String)]) -> Vec<(String, String)> {
    let known = |(name, _): &&(String, String)| HARMLESS.contains(&name.as_str());
    let mut kept: Vec<(String, String)> = tags.iter().filter(known).cloned().collect();
    // SDKs send these beside the tags.
    for name in ["transaction", "server_name", "logger"] {
        if !kept.iter().any(|(key, _)| key == name)
            && let Some(value) = text(event, name, NAME)
        {
            kept.push((name.into(), value));
        }
    }
    let runtime = event.get("contexts").and_then(|contexts| contexts.get("runtime"));
    if !kept.iter().any(|(key, _)| key == "runtime")
        && let Some(runtime) = runtime
        && let Some(name) = text(runtime, "name", NAME)
    {
        let version = text(runtime, "version", NAME).unwrap_or_default();
        kept.push(("runtime".into(), format!("{name} {version}").trim().to_owned()));
    }
    for (name, value) in &mut kept {
        // A path may carry what was asked for, and by whom.
        if name == "transaction"
            && let Some(at) = value.find('?')
        {
            value.truncate(at);
        }
    }
    kept.truncate(TAGS);
    kept
}

#[cfg(test)]
#[path = "event_tests.rs"]
mod tests;
