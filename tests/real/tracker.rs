//! Error trackers against a server of a few lines that answers as Sentry and
//! GlitchTip do: pages, limits, refusals, and answers that are none.

use super::support::sources;
use opsroom::domain::reading::PollFailure;
use opsroom::domain::{IssuesReading, PollError, Reading, Timestamp, Trend};
use opsroom::sources::{Brought, Source};
use opsroom::store::{Look, Seen};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const START: Timestamp = Timestamp::from_millis(1_795_251_784_000);
const TOKEN: &str = "sntrys_not-a-real-token";

/// What the server answers to a path with its query.
type Answers = Arc<dyn Fn(&str) -> Answer + Send + Sync>;

#[derive(Clone)]
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// Says that more will come than comes.
    cut: bool,
    /// Never ends.
    hangs: bool,
}

fn say(status: u16, body: impl Into<Vec<u8>>) -> Answer {
    Answer { status, headers: Vec::new(), body: body.into(), cut: false, hangs: false }
}

fn json_of(body: &Value) -> Answer {
    say(200, body.to_string()).with("content-type", "application/json")
}

impl Answer {
    fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// With the rate limit that Sentry puts on every answer.
    fn left(self, remaining: u32) -> Self {
        self.with("x-sentry-rate-limit-limit", "40")
            .with("x-sentry-rate-limit-remaining", &remaining.to_string())
            .with("x-sentry-rate-limit-reset", "1795251790")
    }
}

/// A server, and what it was asked so far: paths with their queries.
struct Tracker {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Tracker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Tracker {
    async fn start(answers: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let (answers, log): (Answers, _) = (Arc::new(answers), Arc::clone(&asked));
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (answers, log) = (Arc::clone(&answers), Arc::clone(&log));
                tokio::spawn(async move {
                    let mut request = vec![0; 16_384];
                    let read = stream.read(&mut request).await.unwrap_or(0);
                    let text = String::from_utf8_lossy(&request[..read]).into_owned();
                    let path = text.split_whitespace().nth(1).unwrap_or_default().to_owned();
                    let bearer = format!("authorization: bearer {}", TOKEN.to_lowercase());
                    let answer = if text.to_lowercase().contains(&bearer) {
                        answers(&path)
                    } else {
                        say(401, r#"{"detail":"Authentication credentials were not provided."}"#)
                    };
                    log.lock().unwrap().push(path);
                    let more = if answer.cut { 1_000 } else { 0 };
                    let mut head = format!(
                        "HTTP/1.1 {} X\r\nConnection: close\r\nContent-Length: {}\r\n",
                        answer.status,
                        answer.body.len() + more
                    );
                    for (name, value) in &answer.headers {
                        head = format!("{head}{name}: {value}\r\n");
                    }
                    let _ = stream.write_all(format!("{head}\r\n").as_bytes()).await;
                    if answer.hangs {
                        tokio::time::sleep(Duration::from_mins(1)).await;
                    }
                    let _ = stream.write_all(&answer.body).await;
                });
            }
        });
        Self { url, asked, task }
    }

    fn source(&self, more: &str) -> Arc<dyn Source> {
        let text = format!(
            "[sentry]\norg = 'shop'\nurl = '{}'\ntoken = '{TOKEN}'\ntimeout = '2s'\n{more}\n\
             [service.api]\ntcp = '127.0.0.1:1'\nsentry = 'api'",
            self.url
        );
        let text = text.replace(&format!("'{TOKEN}'"), "'cmd:printf sntrys_not-a-real-token'");
        let sources = sources(&text);
        let is_tracker = |source: &&Arc<dyn Source>| source.info().kind == "sentry";
        Arc::clone(sources.all.iter().find(is_tracker).unwrap())
    }

    /// What it was asked since the last time, without the queries.
    fn asked(&self) -> Vec<String> {
        let asked = std::mem::take(&mut *self.asked.lock().unwrap());
        let plain = |path: &String| path.split('?').next().unwrap_or_default().to_owned();
        asked.iter().map(|path| plain(path).replace("/api/0/organizations/shop/", "")).collect()
    }
}

async fn read(source: &dyn Source, at: Timestamp) -> Result<Arc<IssuesReading>, PollError> {
    match source.poll(at).await? {
        Brought::Reading(Reading::Issues(reading)) => Ok(reading),
        other => panic!("no issues: {other:?}"),
    }
}

fn issue(n: usize) -> Value {
    json!({
        "id": n.to_string(), "shortId": format!("API-{n}"), "title": format!("Error {n}"),
        "count": (n * 10).to_string(), "userCount": n, "level": "error", "status": "unresolved",
        "substatus": if n == 1 { "escalating" } else { "ongoing" },
        "firstSeen": "2026-11-01T00:00:00Z", "project": { "id": "3", "slug": "api" },
        "lastSeen": format!("2026-11-20T{:02}:{:02}:00Z", n / 60, n % 60),
        "stats": { "24h": [[1_795_248_000, 3], [1_795_251_600, 1]] },
    })
}

/// A page of a hundred issues, with links as sentry.io gives them: to its own
/// name, which behind a proxy is not the one that it was asked by.
fn page(path: &str, all: usize) -> Answer {
    let from: usize = path
        .split_once("cursor=0%3A")
        .and_then(|(_, rest)| rest.split("%3A").next()?.parse().ok())
        .unwrap_or(0);
    let to = (from + 100).min(all);
    let link = format!(
        "<https://inside.invalid/api/0/x/?&cursor=0:{from}:1>; rel=\"previous\"; results=\"{}\"; cursor=\"0:{from}:1\", \
         <https://inside.invalid/api/0/x/?&cursor=0:{to}:0>; rel=\"next\"; results=\"{}\"; cursor=\"0:{to}:0\"",
        from > 0,
        to < all
    );
    json_of(&(from..to).map(issue).collect()).with("link", &link)
}

fn sentry(path: &str, all: usize) -> Answer {
    let end = path.split('?').next().unwrap_or_default().trim_end_matches('/');
    match end.rsplit('/').next().unwrap_or_default() {
        "projects" => json_of(&json!([{ "id": "3", "slug": "api" }, { "id": "4", "slug": "web" }])),
        "issues" => page(path, all),
        "releases" => json_of(&json!([{
            "version": "shop@142", "dateCreated": "2026-11-20T03:00:00Z", "newGroups": 2,
            "projects": [{ "slug": "api", "newGroups": 2 }],
        }])),
        "sessions" => json_of(&json!({ "groups": [
            { "by": { "project": 3 }, "totals": { "crash_free_rate(session)": 0.994 } },
            { "by": { "project": 4 }, "totals": { "crash_free_rate(session)": null } },
        ] })),
        "latest" => json_of(&json!({ "eventID": "e1", "entries": [], "message": "hello" })),
        _ => say(404, "<html>not here</html>"),
    }
}

#[tokio::test]
async fn sentry_is_read_page_by_page_and_seldom_things_seldom() {
    let tracker = Tracker::start(|path| sentry(path, 250).left(39)).await;
    let source = tracker.source("environment = 'production'");
    let first = read(&*source, START).await.unwrap();
    assert_eq!((first.server.as_str(), first.issues.len(), first.more), ("Sentry", 250, false));
    let queries = tracker.asked.lock().unwrap().join(" ");
    assert!(
        queries.contains("query=is%3Aunresolved") && queries.contains("project=3"),
        "{queries}"
    );
    assert!(!queries.contains("project=4") && queries.contains("environment=production"));
    let all = ["projects/", "issues/", "issues/", "issues/", "releases/", "sessions/"];
    assert_eq!(tracker.asked(), all);
    let limit = first.limit.unwrap();
    assert_eq!((limit.limit, limit.remaining, limit.reset.millis()), (40, 39, 1_795_251_790_000));
    assert_eq!(first.crash_free.len(), 1);
    assert_eq!(
        (first.releases[0].version.as_str(), first.releases[0].new_issues),
        ("shop@142", Some(2))
    );
    let one = first.issues.iter().find(|issue| issue.id == "1").unwrap();
    assert_eq!((one.events, one.users, one.trend), (10, Some(1), Trend::Escalating));
    assert_eq!((one.hours.as_slice(), one.service.as_ref()), (&[3, 1][..], Some(&"api".into())));
    assert!(first.issues.is_sorted_by(|a, b| a.last >= b.last));

    let minute = Duration::from_mins(1);
    for n in 1..5 {
        let again = read(&*source, START + n * minute).await.unwrap();
        assert_eq!((again.releases.len(), again.crash_free.len()), (1, 1), "kept from before");
        assert_eq!(tracker.asked(), ["issues/"; 3]);
    }
    read(&*source, START + 5 * minute).await.unwrap();
    assert_eq!(tracker.asked(), all);

    let seen = source.look(&Look::Issue("7/../8".into()), START).unwrap().await.unwrap();
    assert!(matches!(seen, Seen::Event(event) if event.value == "hello"));
    assert_eq!(tracker.asked(), ["issues/7%2F..%2F8/events/latest/"]);

    let many = Tracker::start(|path| sentry(path, 5_000).left(39)).await;
    let source = many.source("");
    let reading = read(&*source, START).await.unwrap();
    assert_eq!((reading.issues.len(), reading.more), (1_000, true));
    let few = Tracker::start(|path| sentry(path, 40).left(39)).await;
    let source = few.source("server = 'sentry'");
    read(&*source, START).await.unwrap();
    few.asked();
    read(&*source, START + minute).await.unwrap();
    assert_eq!(few.asked(), ["issues/"], "a normal poll is one request");
}

fn glitchtip(path: &str) -> Answer {
    let body = |name: &str| {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/sentry-glitchtip");
        let bytes = std::fs::read(format!("{folder}/{name}.json")).unwrap();
        say(200, bytes).with("content-type", "application/json; charset=utf-8")
    };
    let link = |cursor: &str, results: bool| {
        format!(
            "{{'<http://127.0.0.1:18000/api/0/x/?limit=2>; rel=\"previous\"; results=\"false\", \
             <http://127.0.0.1:18000/api/0/x/?cursor={cursor}&limit=2>; rel=\"next\"; results=\"{results}\"; cursor=\"{cursor}\"'}}"
        )
    };
    let end = path.split('?').next().unwrap_or_default();
    match end.trim_start_matches("/api/0/organizations/shop/") {
        "projects/" => body("org_projects"),
        "/api/settings/" => body("settings"),
        "issues/" if path.contains("cursor=second") => {
            body("issues_page2").with("link", &link("", false))
        }
        "issues/" => body("issues_page1").with("link", &link("second", true)),
        "releases/" => body("releases"),
        "/api/0/issues/16/events/latest/" => body("issue_event_latest"),
        end if end.ends_with("/events/latest/") => say(405, "Method not allowed"),
        _ => say(404, format!("<!doctype html>{}", " ".repeat(73_000))),
    }
}

#[tokio::test]
async fn glitchtip_is_found_out_and_read_in_its_own_dialect() {
    let tracker = Tracker::start(glitchtip).await;
    let source = tracker.source("projects = ['shop-api', 'worker', 'api']");
    let first = read(&*source, START).await.unwrap();
    assert_eq!((first.server.as_str(), first.issues.len()), ("GlitchTip", 4));
    assert_eq!(first.notes, ["no project `api` that the token may see"]);
    assert!(first.issues.iter().all(|issue| issue.users.is_none()), "it does not count users");
    assert_eq!((first.limit, first.crash_free.len(), first.more), (None, 0, false));
    assert_eq!(first.releases.len(), 3);
    let asked = tracker.asked();
    assert_eq!(asked, ["projects/", "/api/settings/", "issues/", "issues/", "releases/"]);
    read(&*source, START + Duration::from_mins(1)).await.unwrap();
    assert_eq!(tracker.asked(), ["issues/"; 2]);
    let seen = source.look(&Look::Issue("16".into()), START).unwrap().await.unwrap();
    assert!(matches!(seen, Seen::Event(event) if event.kind == "KeyError"));
    assert_eq!(tracker.asked(), ["/api/0/issues/16/events/latest/"]);
    let gone = source.look(&Look::Issue("99".into()), START).unwrap().await.unwrap_err();
    assert_eq!(gone.cause, PollFailure::Absent);
}

#[tokio::test]
async fn an_old_server_is_asked_on_its_old_path_and_that_is_remembered() {
    let tracker = Tracker::start(|path| match path {
        path if path.contains("/organizations/shop/issues/7/") => say(404, "{\"detail\":\"\"}"),
        path => sentry(path, 1),
    })
    .await;
    let source = tracker.source("server = 'sentry'");
    for asked in [2, 1] {
        assert!(source.look(&Look::Issue("7".into()), START).unwrap().await.is_ok());
        assert_eq!(tracker.asked().len(), asked);
    }
}

/// The only poll of a server whose list of issues is answered like this.
async fn failing(answer: Answer) -> PollError {
    let tracker = Tracker::start(move |path| match path {
        path if path.contains("/issues/") => answer.clone(),
        path => sentry(path, 1),
    })
    .await;
    let source = tracker.source("server = 'sentry'");
    let error = read(&*source, START).await.unwrap_err();
    assert!(!format!("{error:?}").contains(TOKEN));
    error
}

#[tokio::test]
async fn each_refusal_and_each_bad_answer_has_its_word() {
    use PollFailure::{Absent, Broken, Busy, Denied, Limited, Network, Timeout};
    let html = format!("<!doctype html>{}", "x".repeat(73_000));
    let cut = Answer { cut: true, ..say(200, "[{\"id\":\"1\"") };
    let hangs = Answer { hangs: true, ..say(200, "[]") };
    let mut endless = say(200, vec![b' '; 17 << 20]);
    endless.headers.clear();
    for (answer, cause, words) in [
        (say(401, r#"{"detail":"Invalid token"}"#), Denied, "the token is missing or not accepted"),
        (
            say(403, r#"{"detail":"No permission"}"#),
            Denied,
            "the token may not read this (No permission)",
        ),
        (say(404, r#"{"detail":"Not Found"}"#), Absent, "organization `shop` is not there"),
        (say(404, html.clone()), Absent, "there is no such API"),
        (say(405, "Method not allowed"), Absent, "there is no such API"),
        (say(500, html.clone()), Broken, "HTTP 500"),
        (say(503, ""), Busy, "HTTP 503"),
        (say(200, html), Broken, "a web page, not JSON"),
        (say(200, ""), Broken, "the answer is empty"),
        (say(200, "[{\"id\":\"1\""), Broken, "the answer is cut off"),
        (say(200, "{\"detail\":\"hm\"}"), Broken, "no list"),
        (say(200, vec![0xff, 0xfe, 0x00]), Broken, "no JSON"),
        (cut, Network, "closed in the middle"),
        (hangs, Timeout, "not complete in 2s"),
        (endless, PollFailure::TooBig, "larger than 16MB"),
        (say(429, "\"slow down\"").left(0), Limited, "asked too often (slow down)"),
        (say(429, ""), Limited, "asked too often"),
    ] {
        let error = failing(answer).await;
        assert_eq!(error.cause, cause, "{error}");
        assert!(error.message.contains(words), "{words}: {error}");
    }
    let limited = failing(say(429, r#"{"message":"later"}"#).with("retry-after", "30")).await;
    assert_eq!(limited.retry_after, Some(Duration::from_secs(30)));
    let limited = failing(say(429, r#"{"detail":"later"}"#).left(0)).await;
    assert_eq!(limited.retry_after, Some(Duration::from_secs(6)), "until the window begins anew");
}

#[tokio::test]
async fn what_was_read_is_kept_when_the_rest_is_refused_and_little_is_left_for_what_matters() {
    let tracker = Tracker::start(|path| match path {
        path if path.contains("cursor=0%3A100") => say(429, "\"slow down\""),
        path if path.contains("/sessions/") => say(403, r#"{"detail":"No permission"}"#),
        path => sentry(path, 250),
    })
    .await;
    let reading = read(&*tracker.source("server = 'sentry'"), START).await.unwrap();
    assert_eq!((reading.issues.len(), reading.more), (100, true));
    assert_eq!(
        reading.notes,
        [
            "issues after 100: HTTP 429: asked too often (slow down)",
            "crash-free rate: HTTP 403: the token may not read this (No permission)",
        ]
    );

    let tracker = Tracker::start(|path| sentry(path, 40).left(1)).await;
    let source = tracker.source("");
    for at in [START, START + Duration::from_mins(1)] {
        let reading = read(&*source, at).await.unwrap();
        assert_eq!(reading.issues.len(), 40);
        let note = "releases and crash-free rate: left out, 1 of 40 requests are left";
        assert_eq!(reading.notes, [note]);
    }
    assert_eq!(tracker.asked(), ["projects/", "issues/", "issues/"]);
}

#[tokio::test]
async fn a_token_that_may_not_list_projects_still_reads_issues_of_those_that_are_wanted() {
    let tracker = Tracker::start(|path| match path {
        path if path.contains("/projects/") => say(403, r#"{"detail":"No permission"}"#).left(30),
        path if path.contains("/issues/") => {
            let mut other = issue(2);
            other["project"]["slug"] = json!("web");
            json_of(&json!([issue(1), other])).left(30)
        }
        path => sentry(path, 1).left(30),
    })
    .await;
    let source = tracker.source("");
    for at in [START, START + Duration::from_mins(1)] {
        let reading = read(&*source, at).await.unwrap();
        assert_eq!(reading.issues.len(), 1, "that of another project is left out");
        assert_eq!(
            reading.notes,
            ["projects: HTTP 403: the token may not read this (No permission)"]
        );
    }
    assert_eq!(tracker.asked(), ["projects/", "issues/", "releases/", "sessions/", "issues/"]);
}

#[tokio::test]
async fn the_token_goes_to_no_other_host() {
    let other = Tracker::start(|_| json_of(&json!([]))).await;
    let there = format!("{}/stolen", other.url.replace("127.0.0.1", "localhost"));
    let tracker = Tracker::start(move |_| say(302, "").with("location", &there)).await;
    let error = read(&*tracker.source("server = 'sentry'"), START).await.unwrap_err();
    assert_eq!(error.cause, PollFailure::Denied, "it was asked without the token: {error}");
}
