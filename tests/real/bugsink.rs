//! Bugsink, with events that a real SDK sends it.

use super::support::{Server, free_port, now, poll, sources, until};
use opsroom::domain::reading::PollFailure;
use opsroom::domain::{Issue, IssuesReading, Reading, Trend};
use opsroom::sources::{Brought, Source};
use opsroom::store::{Look, Seen};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The folder into which `tests/run` installs it, or `None` with a printed reason.
fn folder() -> Option<PathBuf> {
    let cache = || {
        let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or(home)?;
        Some(cache.join("opsroom-tests/bugsink-2.6.1-sdk-2.48.0"))
    };
    let folder = std::env::var_os("OPSROOM_BUGSINK").map(PathBuf::from).or_else(cache);
    let found = folder.filter(|folder| folder.join("ready").is_file());
    if found.is_none() {
        let all = std::env::var_os("OPSROOM_REAL").is_some_and(|value| value == "all");
        assert!(!all, "Bugsink is not installed");
        println!("skipped: Bugsink is not installed, tests/run does it");
    }
    found
}

/// A Bugsink with an empty database.
struct Bugsink {
    program: PathBuf,
    scratch: tempfile::TempDir,
    port: u16,
    token: String,
    server: Server,
}

impl Bugsink {
    fn start(folder: &Path) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        for file in ["bugsink_conf.py", "db.sqlite3", "snappea.sqlite3"] {
            std::fs::copy(folder.join("new").join(file), scratch.path().join(file)).unwrap();
        }
        let program = folder.join("bin");
        let port = free_port();
        let mut manage = Command::new(program.join("bugsink-manage"));
        let out = manage.arg("create_auth_token").current_dir(scratch.path()).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let token = String::from_utf8(out.stdout).unwrap().trim().to_owned();
        let mut gunicorn = Command::new(program.join("gunicorn"));
        gunicorn
            .args([&format!("--bind=127.0.0.1:{port}"), "--workers=1", "bugsink.wsgi"])
            .env("DJANGO_SETTINGS_MODULE", "bugsink_conf")
            .env("BUGSINK_PORT", port.to_string())
            .env("PYTHONPATH", scratch.path())
            .current_dir(scratch.path());
        let server = Server::start(&mut gunicorn);
        Self { program, scratch, port, token, server }
    }

    /// Asks its API for something that a person would do there.
    async fn post(&self, path: &str, body: Option<Value>) -> Value {
        self.call("POST", path, body).await
    }

    async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let request = format!(
            "{method} /api/canonical/0/{path} HTTP/1.0\r\nHost: 127.0.0.1:{}\r\n\
             Authorization: Bearer {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.port,
            self.token,
            body.len()
        );
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.split(' ').nth(1).unwrap().starts_with('2'), "{path}: {answer}");
        serde_json::from_str(body).unwrap_or_default()
    }

    async fn send(&self, dsn: &str, release: &str, kinds: &[&str]) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/send_events.py");
        let mut python = tokio::process::Command::new(self.program.join("python"));
        let out = python.arg(script).args([dsn, release]).args(kinds).output().await.unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    }

    /// The tracker as a config has it; the token comes from a file.
    fn source(&self, token: &str, more: &str) -> Arc<dyn Source> {
        let path = self.scratch.path().join("token");
        std::fs::write(&path, format!("{token}\n")).unwrap();
        rustix::fs::chmod(&path, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
        let text = format!(
            "[sentry]\nurl = 'http://127.0.0.1:{}'\ntoken = 'file:{}'\ntimeout = '4s'\n{more}\n\
             [service.api]\ntcp = '127.0.0.1:1'\nsentry = 'shop-api'",
            self.port,
            path.display()
        );
        let sources = sources(&text);
        let is_tracker = |source: &&Arc<dyn Source>| source.info().kind == "sentry";
        Arc::clone(sources.all.iter().find(is_tracker).unwrap())
    }
}

async fn reading(source: &dyn Source) -> Arc<IssuesReading> {
    match poll(source).await {
        Ok(Brought::Reading(Reading::Issues(reading))) => reading,
        other => panic!("no issues: {other:?}"),
    }
}

fn titled<'r>(reading: &'r IssuesReading, begin: &str) -> Option<&'r Issue> {
    reading.issues.iter().find(|issue| issue.title.starts_with(begin))
}

#[tokio::test]
async fn events_become_issues_that_go_and_come_back_and_a_dead_server_has_its_word() {
    let Some(folder) = folder() else { return };
    let mut bugsink = Bugsink::start(&folder);
    let (right, auto) = (bugsink.token.clone(), "org = 'shop'");
    let source = bugsink.source(&right, auto);
    until("Bugsink answers", || async {
        poll(&*source).await.is_err_and(|error| error.cause == PollFailure::Absent)
    })
    .await;
    let error = poll(&*source).await.unwrap_err();
    assert_eq!(error.message, "no project `shop-api` that the token may see");

    // What goes wrong in a program becomes issues, found out of the box.
    let team = bugsink.post("teams/", Some(json!({ "name": "core" }))).await;
    let body = json!({ "team": team["id"], "name": "shop-api" });
    let project = bugsink.post("projects/", Some(body)).await;
    let project =
        bugsink.call("GET", &format!("projects/{}/", project["id"].as_str().unwrap()), None).await;
    let dsn = project["dsn"].as_str().unwrap().to_owned();
    bugsink.send(&dsn, "shop@1.4.0", &["pay", "pay", "pay", "wait"]).await;
    let first = reading(&*source).await;
    assert_eq!((first.server.as_str(), first.issues.len()), ("Bugsink", 2), "{first:?}");
    assert!(!first.more && first.notes.is_empty(), "{:?}", first.notes);
    let issue = titled(&first, "KeyError: 'total'").unwrap();
    assert_eq!((issue.events, issue.users, issue.trend), (3, None, Trend::New));
    assert_eq!((issue.project.as_str(), issue.service.as_ref()), ("shop-api", Some(&"api".into())));
    assert!(now().since(issue.last).as_secs() < 60 && issue.link.is_some());
    assert_eq!(first.releases[0].version, "shop@1.4.0");
    assert_eq!(first.releases[0].service, Some("api".into()));
    assert!(first.skew_ms.is_some_and(|skew| skew.abs() < 5_000), "{:?}", first.skew_ms);

    // The latest event, without whom it happened to and what was in memory.
    let id = issue.id.clone();
    let look = source.look(&Look::Issue(id.clone()), now()).unwrap().await.unwrap();
    let Seen::Event(event) = &look else { panic!("no event: {look:?}") };
    assert_eq!((event.kind.as_str(), event.value.as_str()), ("KeyError", "'total'"));
    assert_eq!(event.frames[0].function, "pay");
    assert_eq!(event.frames[0].code, "return order[\"total\"] / 0");
    assert!(event.frames[0].own);
    assert_eq!(event.release.as_deref(), Some("shop@1.4.0"));
    assert_eq!(event.environment.as_deref(), Some("production"));
    assert!(event.tags.contains(&("region".into(), "eu-1".into())), "{:?}", event.tags);
    let all = format!("{event:?}");
    for secret in ["swordfish", "li@shop", "203.0.113"] {
        assert!(!all.contains(secret), "{secret} in {all}");
    }

    // Resolved it is gone, and with a new event it is back and has regressed.
    bugsink.post(&format!("issues/{id}/resolve/"), None).await;
    let resolved = reading(&*source).await;
    assert!(titled(&resolved, "KeyError").is_none() && resolved.issues.len() == 1);
    bugsink.send(&dsn, "shop@1.4.1", &["pay"]).await;
    let back = reading(&*source).await;
    let issue = titled(&back, "KeyError").unwrap();
    assert_eq!((issue.trend, issue.events), (Trend::Regressed, 4));
    let muted = titled(&back, "TimeoutError").unwrap().id.clone();
    bugsink.post(&format!("issues/{muted}/mute/"), None).await;
    assert!(titled(&*reading(&*source).await, "TimeoutError").is_none());

    // Each fault has its word, and none shows the token.
    let wrong = bugsink.source("0123456789012345678901234567890123456789", auto);
    let error = poll(&*wrong).await.unwrap_err();
    assert_eq!(error.cause, PollFailure::Denied, "{error}");
    assert_eq!(error.message, "HTTP 401: the token is missing or not accepted");
    // The right token again: a refused one is read anew.
    bugsink.source(&right, auto);
    assert!(poll(&*wrong).await.is_ok());
    let other = bugsink.source(&right, "server = 'sentry'\norg = 'shop'");
    let error = poll(&*other).await.unwrap_err();
    assert_eq!(error.cause, PollFailure::Absent, "{error}");
    let gone = source.look(&Look::Issue("no-such-issue".into()), now()).unwrap().await;
    assert!(gone.is_err(), "{gone:?}");
    bugsink.server.signal(Signal::STOP);
    let error = poll(&*source).await.unwrap_err();
    assert_eq!((error.cause, error.message.as_str()), (PollFailure::Timeout, "no answer in 4s"));
    bugsink.server.signal(Signal::CONT);
    until("Bugsink goes on", || async { poll(&*source).await.is_ok() }).await;
    bugsink.server.kill();
    let error = poll(&*source).await.unwrap_err();
    assert_eq!((error.cause, error.message.as_str()), (PollFailure::Refused, "connection refused"));
}
