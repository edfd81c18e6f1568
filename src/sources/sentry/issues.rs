//! Issues as Sentry and GlitchTip list them, and the way from page to page.

use super::json::{items, plain, read, text, time, whole, whole_of};
use crate::domain::{Issue, Level, PollError, Timestamp, Trend};
use reqwest::Url;
use serde_json::Value;

/// Titles and the like are cut to so many characters.
const WORDS: usize = 300;
/// Names are cut to so many characters.
const NAME: usize = 120;

/// An issue as its server tells of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// What all trackers tell.
    pub issue: Issue,
    /// `unresolved`, `resolved`, `ignored`; empty where not told.
    pub status: String,
    /// `error`, `default`, `csp`, `transaction`; empty where not told.
    pub kind: String,
    /// The server says which way it goes.
    pub trend_told: bool,
}

impl Told {
    /// Whether it is open: not resolved, ignored, muted or about to go.
    pub fn is_open(&self) -> bool {
        !matches!(
            self.status.as_str(),
            "resolved"
                | "ignored"
                | "muted"
                | "archived"
                | "pending_deletion"
                | "deletion_in_progress"
                | "pending_merge"
        )
    }
}

/// A page of issues: those that could be read, and how many could not.
pub fn page(body: &[u8]) -> Result<(Vec<Told>, usize), PollError> {
    let items = items(read(body)?)?;
    let issues: Vec<Told> = items.iter().filter_map(issue).collect();
    let odd = items.len() - issues.len();
    if odd > 0 && issues.is_empty() {
        return Err(PollError::broken("the answer is no list of issues"));
    }
    Ok((issues, odd))
}

/// One issue; none where it has no id.
pub fn issue(value: &Value) -> Option<Told> {
    let id = text(value, "id", NAME)?;
    let meta = value.get("metadata").unwrap_or(&Value::Null);
    let title = text(value, "title", WORDS)
        .or_else(|| titled(text(meta, "type", NAME), text(meta, "value", WORDS)))
        .or_else(|| text(meta, "title", WORDS))
        .unwrap_or_else(|| "without a title".into());
    let (first, last) = (time(value, "firstSeen"), time(value, "lastSeen"));
    let substatus = value.get("substatus");
    let status = text(value, "status", NAME).unwrap_or_default();
    let issue = Issue {
        short: text(value, "shortId", NAME).unwrap_or_else(|| id.clone()),
        project: project(value.get("project")),
        title,
        culprit: text(value, "culprit", WORDS).unwrap_or_default(),
        level: level(value.get("level")),
        trend: substatus.and_then(Value::as_str).and_then(Trend::of).unwrap_or_default(),
        unhandled: value.get("isUnhandled").and_then(Value::as_bool),
        events: whole(value, "count").unwrap_or_default(),
        users: whole(value, "userCount"),
        first: first.or(last).unwrap_or_default(),
        last: last.or(first).unwrap_or_default(),
        first_release: release(value.get("firstRelease")),
        last_release: release(value.get("lastRelease")),
        hours: hours(value),
        link: text(value, "permalink", 500).filter(|link| is_web(link)),
        id,
        ..Issue::default()
    };
    let kind = text(value, "type", NAME).unwrap_or_default();
    Some(Told { issue, status, kind, trend_told: substatus.is_some() })
}

/// `TypeError: x is undefined` of its parts.
pub(super) fn titled(kind: Option<String>, value: Option<String>) -> Option<String> {
    match (kind, value) {
        (Some(kind), Some(value)) => Some(format!("{kind}: {value}")),
        (kind, value) => kind.or(value),
    }
}

fn is_web(link: &str) -> bool {
    Url::parse(link).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}

fn project(value: Option<&Value>) -> String {
    let Some(value) = value else { return String::new() };
    let slug = text(value, "slug", NAME).or_else(|| text(value, "name", NAME));
    slug.or_else(|| plain(value, NAME)).unwrap_or_default()
}

/// How bad events are, by the word of any tracker.
pub(super) fn level(value: Option<&Value>) -> Level {
    let word = value.and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
    match word.as_str() {
        "fatal" | "critical" => Level::Fatal,
        "warning" | "warn" => Level::Warning,
        "info" => Level::Info,
        "debug" | "sample" => Level::Debug,
        _ => Level::Error,
    }
}

/// A release: an object with its `version`, or the version itself.
pub(super) fn release(value: Option<&Value>) -> Option<String> {
    let value = value?;
    text(value, "version", NAME).or_else(|| plain(value, NAME))
}

/// The last 24 points of `stats`: pairs of a moment and a count.
fn hours(value: &Value) -> Vec<u32> {
    let told = value.get("stats").and_then(|stats| stats.get("24h")).and_then(Value::as_array);
    let Some(points) = told else { return Vec::new() };
    let last = points.iter().skip(points.len().saturating_sub(24));
    let count = |point: &Value| point.get(1).and_then(whole_of).unwrap_or_default();
    last.map(|point| u32::try_from(count(point)).unwrap_or(u32::MAX)).collect()
}

/// The cursor of the next page in a `Link` header, whatever it is wrapped in:
/// `<URL>; rel="next"; results="true"; cursor="…"`. Sentry always gives a next
/// link, and says by `results` whether anything is behind it
/// (docs.sentry.io/api/pagination). Only the cursor is taken: behind a proxy the
/// server may not know its own address.
pub fn next_cursor(link: &str) -> Option<String> {
    let mut rest = link;
    while let Some(open) = rest.find('<') {
        rest = &rest[open + 1..];
        let close = rest.find('>')?;
        let (url, after) = (&rest[..close], &rest[close + 1..]);
        let end = after.find('<').unwrap_or(after.len());
        let about = &after[..end];
        rest = &after[end..];
        if attribute(about, "rel") != Some("next")
            || attribute(about, "results").is_some_and(|results| results != "true")
        {
            continue;
        }
        let cursor = cursor_of(url).or_else(|| attribute(about, "cursor").map(Into::into));
        return cursor.filter(|cursor| !cursor.is_empty());
    }
    None
}

fn attribute<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.split(';').find_map(|part| {
        let (key, value) = part.split_once('=')?;
        let value = value.trim().trim_end_matches([',', ' ', '}', '\'']);
        (key.trim() == name).then(|| value.trim_matches('"'))
    })
}

/// The `cursor` in the query of a URL, absolute or not.
pub(super) fn cursor_of(url: &str) -> Option<String> {
    let (_, query) = url.split_once('?')?;
    let query = query.split('#').next().unwrap_or_default();
    // Only the query matters; any base makes it a whole URL.
    let url = Url::parse(&format!("http://page.invalid/?{query}")).ok()?;
    let found = url.query_pairs().find(|(key, _)| key == "cursor");
    found.map(|(_, value)| value.into_owned())
}

/// Issues of servers that do not say which way they go: what is not a day old
/// is new, and what was gone and is back has regressed.
#[derive(Clone, Debug, Default)]
pub(super) struct Watched {
    /// Open at the last look.
    open: std::collections::BTreeSet<String>,
    /// Not open any more, since when.
    gone: std::collections::BTreeMap<String, Timestamp>,
    /// Open again, since when.
    back: std::collections::BTreeMap<String, Timestamp>,
}

/// An issue is new so long.
const NEW: std::time::Duration = std::time::Duration::from_hours(24);
/// An issue that came back has regressed so long, as Sentry counts it.
const REGRESSED: std::time::Duration = std::time::Duration::from_hours(7 * 24);
/// So many issues are remembered.
const MOST: usize = 5_000;

impl Watched {
    /// An issue that the server itself calls resolved.
    pub(super) fn closed(&mut self, id: &str, now: Timestamp) {
        self.open.remove(id);
        self.back.remove(id);
        self.gone.entry(id.to_owned()).or_insert(now);
    }

    /// Says of each issue which way it goes. `whole` where these are all that
    /// are open: only then is a missing one gone.
    pub(super) fn judge(&mut self, issues: &mut [Told], whole: bool, now: Timestamp) {
        for told in issues.iter_mut().filter(|told| !told.trend_told) {
            let id = &told.issue.id;
            if self.gone.remove(id).is_some() {
                self.back.insert(id.clone(), now);
            }
            let is_back = self.back.get(id).is_some_and(|back| now.since(*back) < REGRESSED);
            told.issue.trend = if is_back {
                Trend::Regressed
            } else if now.since(told.issue.first) < NEW && told.issue.first.millis() > 0 {
                Trend::New
            } else {
                Trend::Ongoing
            };
        }
        let open = issues.iter().filter(|told| !told.trend_told).map(|told| told.issue.id.clone());
        if whole {
            let open: std::collections::BTreeSet<String> = open.collect();
            for id in std::mem::take(&mut self.open).difference(&open) {
                self.closed(id, now);
            }
            self.open = open;
        } else {
            self.open.extend(open);
        }
        self.back.retain(|_, back| now.since(*back) < REGRESSED);
        self.forget();
    }

    fn forget(&mut self) {
        while self.open.len() > MOST {
            self.open.pop_first();
        }
        let beyond = self.gone.len().saturating_sub(MOST);
        if beyond > 0 {
            let mut moments: Vec<Timestamp> = self.gone.values().copied().collect();
            moments.sort_unstable();
            let from = moments[beyond];
            self.gone.retain(|_, since| *since >= from);
            while self.gone.len() > MOST {
                self.gone.pop_first();
            }
        }
    }
}

#[cfg(test)]
#[path = "issues_tests.rs"]
mod tests;
