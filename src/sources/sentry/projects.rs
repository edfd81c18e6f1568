//! Projects, releases and sessions: what changes seldom.

use super::issues::titled;
use super::json::{items, number, plain, read, text, time, whole};
use crate::domain::{CrashFree, Num, PollError, Release, ServiceName};
use serde_json::Value;
use std::cmp::Reverse;

const NAME: usize = 120;

/// A project, as the server knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// Its id, which some parts of the API want.
    pub id: String,
    /// Its slug, which people say.
    pub slug: String,
}

/// The projects of a list.
pub fn projects(body: &[u8]) -> Result<Vec<Project>, PollError> {
    Ok(items(read(body)?)?.iter().filter_map(project).collect())
}

/// One project.
pub fn project(value: &Value) -> Option<Project> {
    let id = text(value, "id", NAME)?;
    let slug = text(value, "slug", NAME).or_else(|| text(value, "name", NAME));
    Some(Project { slug: slug.unwrap_or_else(|| id.clone()), id })
}

/// The releases of a list, the newest first: one for each service among its
/// projects, else one for nobody. `service_of` knows the service of a project's slug.
pub fn releases(
    body: &[u8],
    environment: Option<&str>,
    service_of: impl Fn(&str) -> Option<ServiceName>,
) -> Result<Vec<Release>, PollError> {
    let list = items(read(body)?)?;
    let mut releases: Vec<Release> = Vec::new();
    for value in &list {
        let Some(release) = release(value, environment) else { continue };
        let projects = value.get("projects").and_then(Value::as_array);
        let mut found: Vec<(ServiceName, Option<u64>)> = Vec::new();
        for project in projects.into_iter().flatten() {
            let slug = text(project, "slug", NAME).or_else(|| plain(project, NAME));
            let Some(service) = slug.and_then(|slug| service_of(&slug)) else { continue };
            let fresh = whole(project, "newGroups");
            match found.iter_mut().find(|(known, _)| *known == service) {
                Some((_, count)) => *count = count.map_or(fresh, |n| Some(n + fresh.unwrap_or(0))),
                None => found.push((service, fresh)),
            }
        }
        if found.is_empty() {
            releases.push(release);
            continue;
        }
        let alone = found.len() == 1;
        for (service, fresh) in found {
            let new_issues = fresh.or(release.new_issues.filter(|_| alone));
            releases.push(Release { service: Some(service), new_issues, ..release.clone() });
        }
    }
    releases.sort_by_key(|release| Reverse(release.at));
    for place in 0..releases.len() {
        let same = |other: &&Release| other.service == releases[place].service;
        let before = releases[place + 1..].iter().find(same);
        releases[place].before = before.map(|release| release.version.clone());
    }
    Ok(releases)
}

/// One release: in use since its last deployment in this environment, else
/// since it was released, else since it was made.
pub fn release(value: &Value, environment: Option<&str>) -> Option<Release> {
    let deployed = value.get("lastDeploy").filter(|deploy| {
        let place = text(deploy, "environment", NAME);
        environment.is_none() || place.is_none() || place.as_deref() == environment
    });
    let finished = deployed
        .and_then(|deploy| time(deploy, "dateFinished").or_else(|| time(deploy, "dateStarted")));
    let at = finished
        .or_else(|| time(value, "dateReleased"))
        .or_else(|| time(value, "dateStarted"))
        .or_else(|| time(value, "dateCreated"))?;
    let owner = value.get("owner").and_then(|owner| text(owner, "name", NAME));
    let mut authors = value.get("authors").and_then(Value::as_array).into_iter().flatten();
    let author = || match (authors.next(), authors.next()) {
        (Some(one), None) => text(one, "name", NAME),
        _ => None,
    };
    Some(Release {
        version: text(value, "version", NAME)?,
        at,
        by: owner.or_else(author).unwrap_or_default(),
        new_issues: whole(value, "newGroups"),
        ..Release::default()
    })
}

/// The crash-free shares of an answer of `sessions`, by project. Where there
/// were no sessions the server says null, and there is no share.
pub fn crash_free(body: &[u8], projects: &[Project]) -> Result<Vec<CrashFree>, PollError> {
    let value = read(body)?;
    let Some(groups) = value.get("groups").and_then(Value::as_array) else {
        return Err(PollError::broken("the answer tells of no sessions"));
    };
    let mut told = Vec::new();
    for group in groups {
        let totals = group.get("totals").unwrap_or(&Value::Null);
        let share = |field: &str| {
            let crashed = || number(totals, &format!("crash_rate({field})")).map(|rate| 1.0 - rate);
            let share = number(totals, &format!("crash_free_rate({field})")).or_else(crashed)?;
            (0.0..=1.0).contains(&share).then_some(Num(share))
        };
        let (sessions, users) = (share("session"), share("user"));
        if sessions.is_none() && users.is_none() {
            continue;
        }
        let by = group.get("by").and_then(|by| text(by, "project", NAME)).unwrap_or_default();
        let known = projects.iter().find(|project| project.id == by || project.slug == by);
        let project = known.map_or(by, |project| project.slug.clone());
        told.push(CrashFree { project, sessions, users });
    }
    Ok(told)
}

/// What a GlitchTip says of itself under `/api/settings/`; none where it is no
/// GlitchTip: Sentry has nothing there.
pub fn glitchtip(body: &[u8]) -> Option<String> {
    let value = read(body).ok()?;
    let own = ["glitchtipInstanceName", "iPaidForGlitchTip"];
    if !own.iter().any(|key| value.get(key).is_some()) {
        return None;
    }
    let version = text(&value, "version", 40);
    let version = version.filter(|version| version.starts_with(|c: char| c.is_ascii_digit()));
    titled(None, version.map(|version| format!("GlitchTip {version}"))).or(Some("GlitchTip".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_projects_and_releases_of_glitchtip_are_read() {
        let body = include_bytes!("../../../tests/data/sentry-glitchtip/org_projects.json");
        let slugs: Vec<String> = projects(body).unwrap().into_iter().map(|p| p.slug).collect();
        assert_eq!(slugs, ["shop-api", "worker"]);
        let body = include_bytes!("../../../tests/data/sentry-glitchtip/releases.json");
        let service = |slug: &str| (slug == "shop-api").then(|| ServiceName::from("api"));
        let told = releases(body, None, service).unwrap();
        let of: Vec<(&str, Option<&str>, Option<&str>)> = told
            .iter()
            .map(|r| {
                (&*r.version, r.service.as_ref().map(ServiceName::as_str), r.before.as_deref())
            })
            .collect();
        assert_eq!(
            of,
            [
                ("worker@0.9.0", None, None),
                ("shop@1.4.1", Some("api"), Some("shop@1.4.0")),
                ("shop@1.4.0", Some("api"), None),
            ]
        );
        let body = include_bytes!("../../../tests/data/sentry-glitchtip/settings.json");
        assert_eq!(glitchtip(body).as_deref(), Some("GlitchTip"));
        assert_eq!(
            glitchtip(br#"{"glitchtipInstanceName":null,"version":"4.2.1"}"#).as_deref(),
            Some("GlitchTip 4.2.1")
        );
        assert_eq!(glitchtip(br#"{"detail":"not found"}"#), None);
    }

    #[test]
    fn a_release_counts_from_its_deployment_in_this_environment() {
        let body = br#"[
            {"version":"shop@2","dateCreated":"2026-01-01T10:00:00Z","dateReleased":null,
             "lastDeploy":{"environment":"production","dateFinished":"2026-01-02T10:00:00"},
             "newGroups":5,"owner":null,"authors":[{"name":"Wang","email":"w@shop.example"}],
             "projects":[{"slug":"api","newGroups":2},{"slug":"api-jobs","newGroups":1},{"slug":"web","newGroups":2}]},
            {"version":"shop@1","dateCreated":"2026-01-01T09:00:00Z","projects":[{"slug":"api"}],"newGroups":"4",
             "lastDeploy":{"environment":"staging","dateFinished":"2026-01-09T10:00:00Z"}},
            {"version":null},{"dateCreated":"2026-01-01T09:00:00Z"},7]"#;
        let service =
            |slug: &str| Some(ServiceName::from(slug.split('-').next().unwrap_or_default()));
        let told = releases(body, Some("production"), service).unwrap();
        let of: Vec<(&str, &str, Option<u64>, &str)> = told
            .iter()
            .map(|r| (&*r.version, r.service.as_ref().unwrap().as_str(), r.new_issues, &*r.by))
            .collect();
        assert_eq!(
            of,
            [
                ("shop@2", "api", Some(3), "Wang"),
                ("shop@2", "web", Some(2), "Wang"),
                ("shop@1", "api", Some(4), ""),
            ]
        );
        assert_eq!(told[0].at.to_string(), "2026-01-02T10:00:00.000Z");
        assert_eq!(told[2].at.to_string(), "2026-01-01T09:00:00.000Z");
    }

    #[test]
    fn crash_free_shares_may_be_missing_null_or_the_other_way_round() {
        let body = br#"{"groups":[
            {"by":{"project":3},"totals":{"crash_free_rate(session)":0.9942,"crash_free_rate(user)":null}},
            {"by":{"project":4},"totals":{"crash_free_rate(session)":null,"crash_free_rate(user)":null}},
            {"by":{"project":9},"totals":{"crash_rate(session)":0.25}},
            {"by":{},"totals":{"crash_free_rate(session)":"none"}},{}],"intervals":[]}"#;
        let known = [Project { id: "3".into(), slug: "api".into() }];
        let told = crash_free(body, &known).unwrap();
        assert_eq!(told.len(), 2);
        assert_eq!(
            (told[0].project.as_str(), told[0].sessions, told[0].users),
            ("api", Some(Num(0.9942)), None)
        );
        assert_eq!((told[1].project.as_str(), told[1].sessions), ("9", Some(Num(0.75))));
        assert!(crash_free(b"[]", &[]).is_err());
    }
}
