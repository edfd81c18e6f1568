//! Bugsink's own API, `/api/canonical/0/`: pages of `next`, `previous`,
//! `results`; it tells of resolved issues too, and of neither level nor release.

use super::issues::{Told, cursor_of, titled};
use super::json::{items, read, text, time, whole};
use super::projects::Project;
use crate::domain::{Issue, PollError, Release, ServiceName};
use reqwest::Url;
use serde_json::Value;

const WORDS: usize = 300;
const NAME: usize = 120;

/// A page: its items, and the cursor of the next one.
pub fn page(body: &[u8]) -> Result<(Vec<Value>, Option<String>), PollError> {
    let value = read(body)?;
    let next = value.get("next").and_then(Value::as_str).and_then(cursor_of);
    Ok((items(value)?, next))
}

/// An issue of a project. `base` is the server's own address.
pub fn issue(value: &Value, project: &Project, base: &Url) -> Option<Told> {
    let id = text(value, "id", NAME)?;
    let is = |key: &str| value.get(key).and_then(Value::as_bool).unwrap_or(false);
    let title =
        titled(text(value, "calculated_type", NAME), text(value, "calculated_value", WORDS));
    let (first, last) = (time(value, "first_seen"), time(value, "last_seen"));
    let status = match (is("is_resolved"), is("is_muted")) {
        (true, _) => "resolved",
        (false, true) => "muted",
        (false, false) => "unresolved",
    };
    let mut link = base.clone();
    if let Ok(mut path) = link.path_segments_mut() {
        path.pop_if_empty().extend(["issues", "issue", &id, "event", "last", ""]);
    }
    let events = ["digested_event_count", "stored_event_count"];
    let issue = Issue {
        short: text(value, "friendly_id", NAME).unwrap_or_else(|| id.clone()),
        project: project.slug.clone(),
        title: title.unwrap_or_else(|| "without a title".into()),
        culprit: text(value, "transaction", WORDS).unwrap_or_default(),
        events: events.iter().find_map(|key| whole(value, key)).unwrap_or_default(),
        first: first.or(last).unwrap_or_default(),
        last: last.or(first).unwrap_or_default(),
        link: Some(super::shown(&link)),
        id,
        ..Issue::default()
    };
    Some(Told { issue, status: status.into(), kind: String::new(), trend_told: false })
}

/// Releases of a project, the newest first.
pub fn releases(items: &[Value], service: Option<&ServiceName>) -> Vec<Release> {
    let release = |value: &Value| {
        Some(Release {
            version: text(value, "version", NAME)?,
            service: service.cloned(),
            at: time(value, "date_released")?,
            ..Release::default()
        })
    };
    let mut releases: Vec<Release> = items.iter().filter_map(release).collect();
    releases.sort_by_key(|release| std::cmp::Reverse(release.at));
    releases
}

/// The id of the first of a list of events: the latest where asked for in that order.
pub fn latest(items: &[Value]) -> Option<String> {
    items.iter().find_map(|event| text(event, "id", NAME))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Level;

    const ISSUES: &[u8] = include_bytes!("../../../tests/data/sentry-bugsink/issues.json");
    const RELEASES: &[u8] = include_bytes!("../../../tests/data/sentry-bugsink/releases.json");
    const EVENTS: &[u8] = include_bytes!("../../../tests/data/sentry-bugsink/events.json");

    fn project() -> Project {
        Project { id: "1".into(), slug: "shop-api".into() }
    }

    #[test]
    fn recorded_issues_have_title_count_and_page() {
        let (items, next) = page(ISSUES).unwrap();
        assert_eq!((items.len(), next), (8, None));
        let base = Url::parse("http://bugs.example/deep").unwrap();
        let told: Vec<Told> =
            items.iter().filter_map(|item| issue(item, &project(), &base)).collect();
        let first = &told[0].issue;
        assert_eq!(
            (first.short.as_str(), first.title.as_str()),
            ("SHOP-API-1", "KeyError: 'total'")
        );
        assert_eq!((first.events, first.users, first.level), (3, None, Level::Error));
        assert_eq!(first.project, "shop-api");
        let page = "http://bugs.example/deep/issues/issue/a19c7203-c87c-4dcc-b68b-d36e0e3aa5ea/event/last/";
        assert_eq!(first.link.as_deref(), Some(page));
        assert!(told.iter().all(Told::is_open));
    }

    #[test]
    fn what_is_resolved_or_muted_is_not_open() {
        let base = Url::parse("http://bugs.example/").unwrap();
        for (json, open) in [
            (r#"{"id":"a","is_resolved":true,"is_muted":false}"#, false),
            (r#"{"id":"a","is_resolved":false,"is_muted":true}"#, false),
            (r#"{"id":"a","is_muted":null}"#, true),
        ] {
            let value = serde_json::from_str(json).unwrap();
            assert_eq!(issue(&value, &project(), &base).unwrap().is_open(), open, "{json}");
        }
    }

    #[test]
    fn recorded_releases_and_events_are_read() {
        let (items, _) = page(RELEASES).unwrap();
        let told = releases(&items, Some(&"api".into()));
        assert_eq!(
            (told[0].version.as_str(), told[0].service.as_ref()),
            ("shop@1.4.0", Some(&"api".into()))
        );
        let (items, _) = page(EVENTS).unwrap();
        assert_eq!(latest(&items).as_deref(), Some("d09611ce-acbe-4575-965f-5b51045f229b"));
    }

    #[test]
    fn the_next_page_is_known_by_its_cursor_whatever_the_server_calls_itself() {
        let body = br#"{"next":"http://inside:8000/api/canonical/0/issues/?cursor=cD0x%3D&project=1","results":[]}"#;
        assert_eq!(page(body).unwrap().1.as_deref(), Some("cD0x="));
    }
}
