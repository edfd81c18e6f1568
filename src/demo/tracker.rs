//! The shop's error tracker: takes reports of what went wrong, and tells of
//! them as Sentry's web API does (docs.sentry.io/api, endpoints under `/api/0/`).

use super::shop::Member;
use crate::domain::Timestamp;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The organization's slug.
pub(super) const ORGANIZATION: &str = "shop";
/// What it wants to be asked with; nothing behind it is worth a better one.
const TOKEN: &str = "practice-token";

/// The file that holds the token.
pub(super) fn token_file(practice: &Path) -> PathBuf {
    practice.join("tracker.token")
}

/// Writes it, for its owner's eyes.
pub(super) fn write_token(practice: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(token_file(practice))?;
    file.write_all(TOKEN.as_bytes())
}

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
/// Requests that are allowed in a second, as it says of itself.
const ALLOWED: u64 = 40;

/// Something that went wrong, as it was reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Report {
    /// The service.
    pub(super) project: Member,
    /// The kind of exception.
    pub(super) kind: String,
    /// What it says.
    pub(super) value: String,
    /// `pricing.rs:88`.
    pub(super) place: String,
    /// What was asked of the service.
    pub(super) route: String,
    /// The release that ran.
    pub(super) release: String,
}

impl Report {
    /// The path that it is sent to the tracker with.
    pub(super) fn path(&self) -> String {
        let fields = [
            ("project", self.project.name()),
            ("kind", &self.kind),
            ("value", &self.value),
            ("place", &self.place),
            ("route", &self.route),
            ("release", &self.release),
        ];
        let url = reqwest::Url::parse_with_params("http://tracker/report", fields);
        url.map_or_else(
            |_| "/report".into(),
            |url| format!("/report?{}", url.query().unwrap_or("")),
        )
    }

    fn of_path(path: &str) -> Option<Self> {
        let url = reqwest::Url::parse("http://tracker").ok()?.join(path).ok()?;
        let fields: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        let field = |name: &str| fields.get(name).cloned();
        Some(Self {
            project: Member::named(&field("project")?)?,
            kind: field("kind")?,
            value: field("value")?,
            place: field("place")?,
            route: field("route")?,
            release: field("release")?,
        })
    }
}

/// An answer: code, further headers, body.
pub(super) type Answer = (u16, Vec<(&'static str, String)>, String);

/// All that was reported.
#[derive(Debug)]
pub(super) struct Tracker {
    issues: Vec<Issue>,
    releases: Vec<(Member, String, Timestamp)>,
    asked: (i64, u64),
}

#[derive(Debug)]
struct Issue {
    first: Report,
    latest: Report,
    first_seen: Timestamp,
    last_seen: Timestamp,
    events: u64,
    /// Events by the hour of the epoch.
    hours: BTreeMap<i64, u64>,
    users: BTreeSet<u64>,
}

impl Tracker {
    /// With what has gone wrong in the days before `now`.
    pub(super) fn new(now: Timestamp) -> Self {
        let mut tracker = Self { issues: Vec::new(), releases: Vec::new(), asked: (0, 0) };
        for member in [Member::Web, Member::Api, Member::Payments, Member::Worker] {
            let since = now - DAY * (2 + member as u32);
            tracker.releases.push((member, member.releases().0.into(), since));
        }
        let before = [
            (Member::Web, "ImageTooLarge", "banner.jpg has 9 MB", "images.rs:31", "/", 31, 41),
            (Member::Worker, "MailBounced", "no such mailbox", "mail.rs:112", "job", 9, 3),
            (Member::Payments, "CardExpired", "card ended 10/26", "cards.rs:57", "/charge", 50, 9),
        ];
        for (project, kind, value, place, route, hours_ago, events) in before {
            let report = Report {
                project,
                kind: kind.into(),
                value: value.into(),
                place: place.into(),
                route: route.into(),
                release: project.releases().0.into(),
            };
            for event in 0..events {
                let ago = HOUR * hours_ago * (events - event) / events;
                tracker.take(&report, now - ago, u64::from(event) * 7 % 30);
            }
        }
        tracker
    }

    fn take(&mut self, report: &Report, at: Timestamp, user: u64) {
        let same = |issue: &&mut Issue| {
            (issue.first.project, &issue.first.kind) == (report.project, &report.kind)
        };
        let hour = at.millis().div_euclid(3_600_000);
        let known = self.releases.iter();
        if !known
            .clone()
            .any(|(who, version, _)| *who == report.project && *version == report.release)
        {
            self.releases.push((report.project, report.release.clone(), at));
        }
        if let Some(issue) = self.issues.iter_mut().find(same) {
            issue.latest = report.clone();
            issue.last_seen = at;
            issue.events += 1;
            *issue.hours.entry(hour).or_default() += 1;
            issue.users.insert(user);
            return;
        }
        self.issues.push(Issue {
            first: report.clone(),
            latest: report.clone(),
            first_seen: at,
            last_seen: at,
            events: 1,
            hours: BTreeMap::from([(hour, 1)]),
            users: BTreeSet::from([user]),
        });
    }

    /// Answers a request of `path`, with its query; `user` is whose request
    /// went wrong, where it is a report.
    pub(super) fn answer(&mut self, path: &str, token: &str, now: Timestamp, user: u64) -> Answer {
        if path.starts_with("/report?") {
            if let Some(report) = Report::of_path(path) {
                self.take(&report, now, user);
            }
            return (200, Vec::new(), "{}".into());
        }
        if path == "/health" {
            return (200, Vec::new(), json!({ "status": "ok" }).to_string());
        }
        let mut headers = self.limits(now);
        if token != format!("Bearer {TOKEN}") {
            return (401, headers, json!({ "detail": "Invalid token" }).to_string());
        }
        let organization = format!("/api/0/organizations/{ORGANIZATION}/");
        let plain = path.split('?').next().unwrap_or_default();
        let body = match plain.strip_prefix(&organization) {
            Some("issues/") => {
                let url = format!("http://tracker.practice.example{plain}?cursor=0:100:0");
                let end = "results=\"false\"";
                headers.push((
                    "link",
                    format!(
                        "<{url}>; rel=\"previous\"; {end}; cursor=\"0:0:1\", \
                         <{url}>; rel=\"next\"; {end}; cursor=\"0:100:0\""
                    ),
                ));
                self.list(now)
            }
            Some("projects/") => Self::projects(),
            Some("releases/") => self.told_releases(),
            Some("sessions/") => Self::sessions(now),
            Some(rest) => match self.event_of(rest) {
                Some(event) => event,
                None => return (404, headers, json!({ "detail": "Not found" }).to_string()),
            },
            None => return (404, headers, json!({ "detail": "Not found" }).to_string()),
        };
        (200, headers, body.to_string())
    }

    fn limits(&mut self, now: Timestamp) -> Vec<(&'static str, String)> {
        let second = now.millis().div_euclid(1_000);
        if self.asked.0 != second {
            self.asked = (second, 0);
        }
        self.asked.1 += 1;
        vec![
            ("x-sentry-rate-limit-limit", ALLOWED.to_string()),
            ("x-sentry-rate-limit-remaining", ALLOWED.saturating_sub(self.asked.1).to_string()),
            ("x-sentry-rate-limit-reset", (second + 1).to_string()),
        ]
    }

    fn list(&self, now: Timestamp) -> Value {
        let mut all: Vec<(usize, &Issue)> = self.issues.iter().enumerate().collect();
        all.sort_by_key(|(_, issue)| std::cmp::Reverse(issue.last_seen));
        all.into_iter().map(|(place, issue)| issue.told(place, now)).collect()
    }

    fn projects() -> Value {
        let slugs = [Member::Web, Member::Api, Member::Payments, Member::Worker];
        slugs
            .into_iter()
            .map(|member| {
                let name = member.name();
                json!({ "id": id_of(member), "slug": name, "name": name, "platform": "rust" })
            })
            .collect()
    }

    fn told_releases(&self) -> Value {
        let mut releases: Vec<_> = self.releases.iter().collect();
        releases.sort_by_key(|(_, _, at)| std::cmp::Reverse(*at));
        releases
            .into_iter()
            .map(|(member, version, at)| {
                let new = self.issues.iter().filter(|issue| {
                    (issue.first.project, &issue.first.release) == (*member, version)
                });
                let new = new.count();
                json!({
                    "id": at.millis() / 1_000,
                    "version": version,
                    "shortVersion": version,
                    "status": "open",
                    "dateCreated": at.to_string(),
                    "dateReleased": at.to_string(),
                    "newGroups": new,
                    "projects": [{
                        "id": id_of(*member).parse::<u64>().unwrap_or(0),
                        "slug": member.name(),
                        "name": member.name(),
                        "newGroups": new,
                    }],
                    "lastDeploy": { "environment": "practice", "dateFinished": at.to_string(), "name": "ci" },
                    "authors": [],
                })
            })
            .collect()
    }

    /// Nobody's browser crashes in a practice.
    fn sessions(now: Timestamp) -> Value {
        let whole = |member: Member| {
            json!({
                "by": { "project": id_of(member).parse::<u64>().unwrap_or(0) },
                "totals": { "crash_free_rate(session)": 0.9991, "crash_free_rate(user)": 0.9987 },
                "series": {},
            })
        };
        json!({
            "start": (now - DAY).to_string(),
            "end": now.to_string(),
            "intervals": [],
            "groups": [whole(Member::Web), whole(Member::Api)],
            "query": "",
        })
    }

    /// The latest event, of `issues/ID/events/latest/`.
    fn event_of(&self, rest: &str) -> Option<Value> {
        let id = rest.strip_prefix("issues/")?.strip_suffix("/events/latest/")?;
        let place: usize = id.parse().ok()?;
        let issue = self.issues.get(place.checked_sub(FIRST_ID)?)?;
        Some(issue.told_event(id))
    }
}

/// The id of the first issue.
const FIRST_ID: usize = 4_101;

fn id_of(member: Member) -> String {
    (member as u64 + 11).to_string()
}

impl Issue {
    fn told(&self, place: usize, now: Timestamp) -> Value {
        let Report { project, kind, value, place: at, route, .. } = &self.latest;
        let name = project.name();
        let id = (place + FIRST_ID).to_string();
        let (file, _) = at.split_once(':').unwrap_or((at, ""));
        let this_hour = now.millis().div_euclid(3_600_000);
        let hours: Vec<[u64; 2]> = (this_hour - 23..=this_hour)
            .map(|hour| {
                let start = u64::try_from(hour * 3_600).unwrap_or(0);
                [start, self.hours.get(&hour).copied().unwrap_or(0)]
            })
            .collect();
        let substatus = if now.since(self.first_seen) < DAY { "new" } else { "ongoing" };
        json!({
            "id": id,
            "shortId": format!("{}-{}", name.to_uppercase(), place + 1),
            "title": format!("{kind}: {value}"),
            "culprit": route,
            "permalink": format!("https://tracker.practice.example/organizations/{ORGANIZATION}/issues/{id}/"),
            "level": "error",
            "status": "unresolved",
            "substatus": substatus,
            "platform": "rust",
            "project": { "id": id_of(*project), "name": name, "slug": name, "platform": "rust" },
            "type": "error",
            "metadata": { "type": kind, "value": value, "filename": file, "function": "handle" },
            "isUnhandled": true,
            "count": self.events.to_string(),
            "userCount": self.users.len(),
            "firstSeen": self.first_seen.to_string(),
            "lastSeen": self.last_seen.to_string(),
            "firstRelease": { "version": self.first.release },
            "lastRelease": { "version": self.latest.release },
            "stats": { "24h": hours },
            "lifetime": null,
            "filtered": null,
        })
    }

    fn told_event(&self, id: &str) -> Value {
        let Report { project, kind, value, place, route, release } = &self.latest;
        let (file, line) = place.split_once(':').unwrap_or((place, "0"));
        let frame = |file: &str, function: &str, line: u64, own: bool, code: &str| {
            json!({
                "filename": file, "absPath": file, "module": null, "function": function,
                "lineNo": line, "colNo": null, "inApp": own, "context": [[line, code]],
            })
        };
        json!({
            "id": format!("{:032x}", self.last_seen.millis()),
            "eventID": format!("{:032x}", self.last_seen.millis()),
            "groupID": id,
            "projectID": id_of(*project),
            "title": format!("{kind}: {value}"),
            "dateCreated": self.last_seen.to_string(),
            "dateReceived": self.last_seen.to_string(),
            "platform": "rust",
            "type": "error",
            "release": { "version": release },
            "tags": [
                { "key": "environment", "value": "practice" },
                { "key": "level", "value": "error" },
                { "key": "release", "value": release },
                { "key": "transaction", "value": route },
            ],
            // Outermost first, as Sentry sends frames.
            "entries": [{ "type": "exception", "data": { "values": [{
                "type": kind,
                "value": value,
                "stacktrace": { "frames": [
                    frame("hyper/server/conn.rs", "serve", 412, false, ""),
                    frame("server.rs", "answer", 77, true, "let done = handle(&request).await?;"),
                    frame(file, "handle", line.parse().unwrap_or(0), true, &format!("return Err({kind}::new(order));")),
                ] },
            }] } }],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_250_777_000);

    fn report() -> Report {
        Report {
            project: Member::Api,
            kind: "PriceMissing".into(),
            value: "order 12 has no price & no tax".into(),
            place: "pricing.rs:88".into(),
            route: "/cart".into(),
            release: "v142".into(),
        }
    }

    fn ask(tracker: &mut Tracker, path: &str) -> Value {
        let path = format!("/api/0/organizations/shop/{path}");
        let (code, _, body) = tracker.answer(&path, "Bearer practice-token", NOW, 0);
        assert_eq!(code, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    #[test]
    fn a_report_becomes_an_issue_that_is_new_and_counts_its_release() {
        let mut tracker = Tracker::new(NOW);
        for user in 0..3 {
            assert_eq!(tracker.answer(&report().path(), "", NOW, user).0, 200);
        }
        let issues = ask(&mut tracker, "issues/?query=is:unresolved");
        let first = &issues[0];
        assert_eq!(first["title"], "PriceMissing: order 12 has no price & no tax");
        assert_eq!((&first["count"], &first["userCount"]), (&json!("3"), &json!(3)));
        assert_eq!(first["substatus"], "new");
        assert_eq!(issues.as_array().unwrap().len(), 4);
        let releases = ask(&mut tracker, "releases/");
        assert_eq!(
            (&releases[0]["version"], &releases[0]["newGroups"]),
            (&json!("v142"), &json!(1))
        );
        let id = first["id"].as_str().unwrap();
        let event = ask(&mut tracker, &format!("issues/{id}/events/latest/"));
        let frames = &event["entries"][0]["data"]["values"][0]["stacktrace"]["frames"];
        assert_eq!(frames[2]["filename"], "pricing.rs");
    }

    #[test]
    fn who_has_no_token_and_who_asks_for_what_is_not_there_is_told_so() {
        let mut tracker = Tracker::new(NOW);
        assert_eq!(tracker.answer("/api/0/organizations/shop/issues/", "", NOW, 0).0, 401);
        for path in ["x/", "issues/1/events/latest/", "issues/99999999999999999999/events/latest/"]
        {
            let path = format!("/api/0/organizations/shop/{path}");
            assert_eq!(tracker.answer(&path, "Bearer practice-token", NOW, 0).0, 404);
        }
    }
}
