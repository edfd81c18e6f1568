//! Alertmanager, and Prometheus whose rules it is told of: each fault with its
//! words, and how long it took until they were there.

use super::prometheus::WEB_CONFIG;
use super::support::{Server, free_port, listens, monotonic, now, poll, program, sources, until};
use futures_util::future::join_all;
use opsroom::config::Found;
use opsroom::domain::reading::PollFailure;
use opsroom::domain::{
    Alert, AlertState, AlertsReading, EventKind, PollError, Quiet, Reading, Status,
};
use opsroom::runtime::assemble::Assembled;
use opsroom::sources::{Brought, Source};
use opsroom::store::{Glance, Known, Msg, Polled};
use rustix::process::Signal;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

/// Asked so often, by the config and by this test.
const EVERY: Duration = Duration::from_secs(1);

/// An Alertmanager under the path `/am`.
struct Alertmanager {
    server: Server,
    program: PathBuf,
    folder: PathBuf,
    port: u16,
    more: Vec<String>,
}

impl Alertmanager {
    async fn start(folder: &Path, more: &[String]) -> Option<Self> {
        let program = program("prometheus-alertmanager")?;
        std::fs::write(folder.join("am.yml"), config(None)).unwrap();
        let (port, more) = (free_port(), more.to_vec());
        let server = spawn(&program, folder, port, &more);
        listens(port).await;
        Some(Self { server, program, folder: folder.to_owned(), port, more })
    }

    async fn restart(&mut self) {
        self.server = spawn(&self.program, &self.folder, self.port, &self.more);
        listens(self.port).await;
    }

    /// Lets the receiver `pager` tell whoever listens on this port.
    fn page(&self, hook: u16) {
        std::fs::write(self.folder.join("am.yml"), config(Some(hook))).unwrap();
        self.server.signal(Signal::HUP);
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/am/", self.port)
    }

    fn post(&self, path: &str, body: &str) -> String {
        ask(self.port, "POST", &format!("/am/api/v2/{path}"), body)
    }
}

fn spawn(program: &Path, folder: &Path, port: u16, more: &[String]) -> Server {
    Server::start(
        Command::new(program)
            .arg(format!("--config.file={}", folder.join("am.yml").display()))
            .arg(format!("--storage.path={}", folder.join("am").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .args(["--web.route-prefix=/am", "--cluster.listen-address="])
            .args(more),
    )
}

fn config(hook: Option<u16>) -> String {
    let hook =
        hook.map(|port| format!("  webhook_configs: [ {{ url: 'http://127.0.0.1:{port}/' }} ]\n"));
    format!(
        "route:\n  receiver: team\n  group_by: [alertname]\n  group_wait: 1s\n  group_interval: 2s\n\
         \x20 routes: [ {{ receiver: pager, matchers: ['severity=\"critical\"'] }} ]\n\
         inhibit_rules:\n\
         - source_matchers: ['severity=\"critical\"']\n\
         \x20 target_matchers: ['severity=\"warning\"']\n\
         \x20 equal: [instance]\n\
         receivers:\n- name: team\n- name: pager\n{}",
        hook.unwrap_or_default()
    )
}

/// One request without credentials; gives the answer as it came.
fn ask(port: u16, method: &str, path: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 2"), "{answer}");
    answer
}

/// A Prometheus with rules that are evaluated each second.
struct Prometheus {
    server: Server,
    folder: PathBuf,
    port: u16,
}

impl Prometheus {
    async fn start(folder: &Path, alertmanager: u16, dead: u16) -> Option<Self> {
        let (program, port) = (program("prometheus")?, free_port());
        let config = format!(
            "global: {{ scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s, external_labels: {{ cluster: lab }} }}\n\
             rule_files: ['{}']\n\
             alerting: {{ alertmanagers: [ {{ path_prefix: /am, static_configs: [ {{ targets: ['127.0.0.1:{alertmanager}'] }} ] }} ] }}\n\
             scrape_configs:\n\
             - {{ job_name: self, static_configs: [ {{ targets: ['127.0.0.1:{port}'] }} ] }}\n\
             - {{ job_name: dead, static_configs: [ {{ targets: ['127.0.0.1:{dead}'] }} ] }}\n",
            folder.join("rules.yml").display()
        );
        std::fs::write(folder.join("p.yml"), config).unwrap();
        std::fs::write(folder.join("rules.yml"), rules(false, true)).unwrap();
        let server = Server::start(
            Command::new(program)
                .arg(format!("--config.file={}", folder.join("p.yml").display()))
                .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
                .arg(format!("--web.listen-address=127.0.0.1:{port}"))
                .arg("--rules.alert.resend-delay=5s"),
        );
        listens(port).await;
        Some(Self { server, folder: folder.to_owned(), port })
    }

    fn set(&self, down: bool, watchdog: bool) {
        std::fs::write(self.folder.join("rules.yml"), rules(down, watchdog)).unwrap();
        self.server.signal(Signal::HUP);
    }
}

fn rules(down: bool, watchdog: bool) -> String {
    let expr = |fires: bool| if fires { "vector(1) > 0" } else { "vector(0) > 0" };
    format!(
        "groups:\n\
         - name: shop\n\
         \x20 rules:\n\
         \x20 - {{ alert: Down, expr: '{}', labels: {{ severity: critical, service: api, instance: a }}, annotations: {{ summary: api is gone }} }}\n\
         \x20 - {{ alert: Slow, expr: vector(1), labels: {{ severity: warning, instance: a }} }}\n\
         \x20 - {{ alert: Later, expr: vector(1), for: 1h, labels: {{ severity: critical, service: api }} }}\n\
         \x20 - {{ alert: Watchdog, expr: '{}', labels: {{ severity: none }} }}\n\
         - name: broken\n\
         \x20 rules:\n\
         \x20 - alert: Odd\n\
         \x20   expr: 'up * on (job) group_left () (up or label_replace(up, \"instance\", \"x\", \"\", \"\"))'\n",
        expr(down),
        expr(watchdog)
    )
}

/// A console's knowledge, brought up to date at every look.
struct Eyes {
    sources: Vec<Arc<dyn Source>>,
    known: Known,
    file: PathBuf,
}

impl Eyes {
    fn open(folder: &Path, text: &str) -> Self {
        let file = folder.join("config.toml");
        std::fs::write(&file, text).unwrap();
        rustix::fs::chmod(&file, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
        let found = Found { path: file.clone(), text: text.to_owned() };
        let made = Assembled::of(&found, false).unwrap();
        Self { sources: made.sources, known: Known::new(made.inventory, now()), file }
    }

    /// Asks all once and takes in what they say.
    async fn look(&mut self) {
        let polls = self.sources.iter().map(|source| async move {
            let (taken, begun) = (now(), monotonic());
            let outcome = source.poll(taken).await.map(|brought| match brought {
                Brought::Reading(reading) => reading,
                Brought::Page(_) => panic!("a page"),
            });
            let (next, took) = (taken + EVERY, monotonic().saturating_sub(begun));
            let source = source.info().id.clone();
            Polled { source, taken, next, took, late: Duration::ZERO, outcome }
        });
        let polls = join_all(polls).await;
        self.known.take(now(), &Msg::Polled(polls));
        self.known.take(now(), &Msg::Ticked);
    }

    /// Looks each second until it holds, and says how long that took.
    async fn until(&mut self, what: &str, holds: impl Fn(&Known) -> bool) {
        let begun = monotonic();
        loop {
            let looked = monotonic();
            self.look().await;
            if holds(&self.known) {
                break;
            }
            let so_far = monotonic().saturating_sub(begun);
            assert!(
                so_far < Duration::from_secs(45),
                "{what}: never\n{}{:#?}",
                self.text(),
                self.known.alerts
            );
            tokio::time::sleep((looked + EVERY).saturating_sub(monotonic())).await;
        }
        println!("  {what}: {:.1} s", monotonic().saturating_sub(begun).as_secs_f64());
    }

    fn glance(&self) -> Glance {
        Glance::of(&self.known)
    }

    fn text(&self) -> String {
        self.glance().text(now())
    }
}

fn all<'k>(known: &'k Known, name: &str) -> Vec<&'k Alert> {
    known.alerts.iter().filter(|alert| alert.name() == name).collect()
}

/// The only alert of this name, if it is there.
fn one<'k>(known: &'k Known, name: &str) -> Option<&'k Alert> {
    let found = all(known, name);
    assert!(found.len() < 2, "{found:#?}");
    found.first().copied()
}

/// It fires, loudly, and both tell of it.
fn fires(known: &Known, name: &str) -> bool {
    one(known, name).is_some_and(|alert| {
        alert.status() != Status::Ok && alert.origins == ["alertmanager", "prometheus"]
    })
}

fn stands(known: &Known, source: &str) -> (Status, String) {
    let standing = &known.sources[source].standing;
    (standing.status, standing.reason.clone())
}

/// There is an alert of opsroom's own that Alertmanager does not do well.
fn says_down(known: &Known) -> bool {
    let of_it = |alert: &&Alert| alert.labels.get("source") == Some("alertmanager");
    all(known, "SourceDown").iter().any(of_it)
}

fn api(known: &Known) -> (Status, &str) {
    let standing = &known.services["api"].standing;
    (standing.status, &standing.reason)
}

fn told<'k>(known: &'k Known, source: &str) -> &'k AlertsReading {
    match &known.sources[source].reading {
        Some(Reading::Alerts(reading)) => reading,
        other => panic!("no alerts: {other:?}"),
    }
}

/// What `opsroom glance` prints and how it ends.
fn glance(eyes: &Eyes, home: &Path) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_opsroom"));
    command.arg("--config").arg(&eyes.file).arg("glance").env("HOME", home);
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[expect(clippy::too_many_lines, reason = "one pair of servers goes through all its faults")]
#[tokio::test]
async fn alerts_fire_are_kept_quiet_and_end_and_each_fault_has_its_words() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let dead = free_port();
    let Some(mut am) = Alertmanager::start(folder, &[]).await else { return };
    let Some(prom) = Prometheus::start(folder, am.port, dead).await else { return };
    let times = "every = '1s'\ntimeout = '3s'";
    let mut eyes = Eyes::open(
        folder,
        &format!(
            "environment = 'lab'\n\
             [prometheus]\nurl = 'http://127.0.0.1:{port}'\n{times}\nalerts_every = '1s'\ntargets_every = '1s'\n\
             [alertmanager]\nurl = '{}'\n{times}\n\
             [service.api]\nhealth = 'http://127.0.0.1:{port}/-/healthy'\n",
            am.url(),
            port = prom.port,
        ),
    );
    eyes.until("all is read", |known| {
        let both = ["alertmanager", "prometheus/alerts"];
        let whole = |id: &&str| matches!(&known.sources[*id].reading, Some(Reading::Alerts(_)));
        both.iter().all(whole)
            && fires(known, "Slow")
            && told(known, "alertmanager").watchdog.is_some()
            && api(known).0 == Status::Ok
    })
    .await;
    assert!(
        told(&eyes.known, "alertmanager").version.as_ref().unwrap().starts_with("Alertmanager ")
    );
    assert_eq!(told(&eyes.known, "alertmanager").receivers, ["team", "pager"]);
    assert_eq!(told(&eyes.known, "alertmanager").notes, [] as [String; 0]);
    assert_eq!(told(&eyes.known, "prometheus/alerts").notes, [] as [String; 0]);
    assert!(all(&eyes.known, "Watchdog").is_empty(), "it is no news");

    // Firing, pending, inhibited, broken, a target down.
    prom.set(true, true);
    eyes.until("an alert fires", |known| {
        fires(known, "Down") && api(known) == (Status::Critical, "alert Down: api is gone")
    })
    .await;
    let down = one(&eyes.known, "Down").unwrap();
    assert_eq!(
        (down.receivers.as_slice(), down.reason.as_str()),
        (&["pager".to_owned()][..], "api is gone")
    );
    assert_eq!(down.expression, "vector(1) > 0");
    assert_eq!(down.labels.get("cluster"), Some("lab"));
    let later = one(&eyes.known, "Later").unwrap();
    assert_eq!((later.state, later.status()), (AlertState::Pending, Status::Ok));
    eyes.until("it inhibits another", |known| one(known, "Slow").is_some_and(Alert::is_quiet))
        .await;
    let Quiet::Inhibited { by } = &one(&eyes.known, "Slow").unwrap().quiet[0] else {
        panic!("not inhibited")
    };
    assert_eq!(by, "Down cluster=lab, instance=a, service=api, severity=critical");
    eyes.until("a rule is broken", |known| {
        let (status, reason) = stands(known, "prometheus/alerts");
        status == Status::Warning && reason.starts_with("rule Odd is broken: ")
    })
    .await;
    eyes.until("a target is down", |known| {
        known.targets().is_some_and(|(_, targets)| {
            targets.up == 1
                && targets.down.len() == 1
                && targets.down[0].job == "dead"
                && targets.down[0].error.ends_with("connection refused")
        })
    })
    .await;
    let (code, text) = glance(&eyes, folder);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.starts_with("critical: api alert Down: api is gone "), "{text}");
    assert!(text.contains("rule Odd is broken: "), "{text}");
    assert!(text.contains(&format!(" down: dead 127.0.0.1:{dead}")), "{text}");
    assert!(
        !text.contains("Slow") && !text.contains("Later") && !text.contains("Watchdog"),
        "{text}"
    );

    // Silenced, and no longer.
    let end = now() + Duration::from_hours(1);
    let answer = am.post(
        "silences",
        &format!(
            "{{\"matchers\":[{{\"name\":\"alertname\",\"value\":\"Down\",\"isRegex\":false}}],\
             \"startsAt\":\"{}\",\"endsAt\":\"{end}\",\"createdBy\":\"li\",\"comment\":\"known since noon\"}}",
            now()
        ),
    );
    let id =
        answer.rsplit("\"silenceID\":\"").next().unwrap().split('"').next().unwrap().to_owned();
    eyes.until("it is silenced", |known| {
        one(known, "Down").is_some_and(Alert::is_quiet) && api(known).0 == Status::Ok
    })
    .await;
    let silenced = Quiet::Silenced {
        id: id.clone(),
        by: "li".into(),
        until: Some(end),
        comment: "known since noon".into(),
    };
    assert_eq!(one(&eyes.known, "Down").unwrap().quiet, [silenced]);
    assert_eq!(told(&eyes.known, "alertmanager").silences[0].matchers, ["alertname=\"Down\""]);
    let glanced = eyes.glance();
    assert_eq!((glanced.verdict, glanced.verdict.exit_code()), (Status::Warning, 1));
    ask(am.port, "DELETE", &format!("/am/api/v2/silence/{id}"), "");
    eyes.until("the silence is taken back", |known| {
        fires(known, "Down") && api(known).0 == Status::Critical
    })
    .await;

    // A receiver that nobody reaches.
    am.page(dead);
    eyes.until("notifications fail", |known| {
        let (status, reason) = stands(known, "alertmanager");
        status == Status::Warning && reason.starts_with("webhook notifications fail")
    })
    .await;
    assert_eq!(eyes.known.failing_notifications().count(), 1);
    assert!(eyes.text().contains("webhook"), "{}", eyes.text());

    // It hangs: what it told stays, and is old.
    am.post("alerts", "[{\"labels\":{\"alertname\":\"Ext\",\"severity\":\"critical\"},\"annotations\":{\"description\":\"by hand\"}},{\"labels\":{\"alertname\":\"Soft\"}}]");
    eyes.until("one comes by hand", |known| {
        all(known, "Ext").len() == 1 && all(known, "Soft").len() == 1
    })
    .await;
    am.server.signal(Signal::STOP);
    eyes.until("Alertmanager hangs", |known| {
        let told = (Status::Warning, "no answer in 3s".to_owned());
        stands(known, "alertmanager") == told && says_down(known)
    })
    .await;
    assert!(eyes.text().contains("alertmanager"), "{}", eyes.text());
    eyes.until("what it told is old", |known| {
        let soft = known.standing_of_alert(one(known, "Soft").unwrap());
        let ext = known.standing_of_alert(one(known, "Ext").unwrap());
        soft.status == Status::Unknown
            && ext.status == Status::Critical
            && ext.mark == Some(opsroom::domain::Mark::Stale)
    })
    .await;
    assert_eq!(api(&eyes.known).0, Status::Critical, "Prometheus tells of it too");
    let text = eyes.text();
    assert!(text.contains("by hand") && text.contains("no answer in 3s"), "{text}");
    am.server.signal(Signal::CONT);
    eyes.until("it goes on", |known| {
        stands(known, "alertmanager").1.starts_with("webhook notifications fail")
            && fires(known, "Down")
            && known.standing_of_alert(one(known, "Soft").unwrap()).status == Status::Warning
    })
    .await;

    // It dies and comes back without what it was told by hand.
    am.server.kill();
    eyes.until("Alertmanager is dead", |known| {
        let told = (Status::Warning, "connection refused".to_owned());
        stands(known, "alertmanager") == told && says_down(known)
    })
    .await;
    assert_eq!(one(&eyes.known, "Ext").unwrap().status(), Status::Critical);
    assert_eq!(eyes.glance().verdict, Status::Critical);
    std::fs::write(folder.join("am.yml"), config(None)).unwrap();
    am.restart().await;
    eyes.until("it is back", |known| {
        !says_down(known)
            && all(known, "Ext").is_empty()
            && fires(known, "Down")
            && stands(known, "alertmanager").0 == Status::Ok
    })
    .await;

    // The end, told once.
    prom.set(false, true);
    eyes.until("it is over", |known| {
        all(known, "Down").is_empty() && api(known).0 == Status::Ok && fires(known, "Slow")
    })
    .await;
    let count = |wanted: fn(&EventKind) -> bool| {
        eyes.known.events.iter().filter(|event| wanted(&event.kind)).count()
    };
    let fired = count(|kind| matches!(kind, EventKind::AlertFired { name, .. } if name == "Down"));
    let ended =
        count(|kind| matches!(kind, EventKind::AlertResolved { name, .. } if name == "Down"));
    assert_eq!((fired, ended), (1, 1), "{:#?}", eyes.known.events);

    // The alert that must always fire.
    prom.set(false, false);
    eyes.until("the watchdog is missed", |known| {
        known.missing_watchdog() == Some("Watchdog")
            && stands(known, "alertmanager").0 == Status::Warning
    })
    .await;
    let text = eyes.text();
    assert!(text.contains("Watchdog does not fire: alerts may not arrive"), "{text}");
}

async fn read(table: &str) -> Result<AlertsReading, PollError> {
    let all = sources(&format!("[alertmanager]\ntimeout = '4s'\n{table}"));
    match poll(&*all.all[0]).await? {
        Brought::Reading(Reading::Alerts(reading)) => Ok((*reading).clone()),
        other => panic!("no alerts: {other:?}"),
    }
}

#[tokio::test]
async fn members_credentials_paths_and_errors_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("web.yml"), WEB_CONFIG).unwrap();
    let web = format!("--web.config.file={}", folder.join("web.yml").display());
    let Some(mut am) = Alertmanager::start(folder, &[web]).await else { return };
    let auth = |password: &str| {
        let file = folder.join(password);
        std::fs::write(&file, password).unwrap();
        rustix::fs::chmod(&file, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
        format!("auth = {{ basic = {{ user = 'ops', password = 'file:{}' }} }}", file.display())
    };
    let good = auth("opspass");
    let url = am.url();
    let with = |url: &str, more: &str| format!("url = '{url}'\n{good}\n{more}");
    until("Alertmanager is ready", || async { read(&with(&url, "")).await.is_ok() }).await;
    let reading = read(&with(&url, "")).await.unwrap();
    assert_eq!(reading.receivers, ["team", "pager"]);
    assert!(reading.notes.is_empty(), "{reading:?}");

    // Credentials.
    for table in [format!("url = '{url}'"), format!("url = '{url}'\n{}", auth("wrong-secret"))] {
        let denied = read(&table).await.unwrap_err();
        assert_eq!(denied.cause, PollFailure::Denied, "{denied}");
        assert!(!denied.message.contains("wrong-secret"), "{denied}");
    }

    // Another member answers, whether the first is dead or hangs.
    let dead = free_port();
    let members = |first: u16| format!("url = ['http://127.0.0.1:{first}/am', '{url}']\n{good}");
    let reading = read(&members(dead)).await.unwrap();
    assert_eq!(reading.notes, [format!("127.0.0.1:{dead} did not answer: connection refused")]);
    let hung = TcpListener::bind("127.0.0.1:0").unwrap();
    let hangs = hung.local_addr().unwrap().port();
    let reading = read(&members(hangs)).await.unwrap();
    assert_eq!(reading.notes, [format!("127.0.0.1:{hangs} did not answer: no answer in 2s")]);

    // Errors: bare JSON, an object, text; a path that is not its own.
    let error = read(&with(&url, "filter = 'foo~bar'")).await.unwrap_err();
    assert_eq!(error.message, "HTTP 400: bad matcher format: foo~bar");
    let deep = read(&with(&format!("{url}api/v2"), "")).await.unwrap_err();
    assert_eq!(deep.cause, PollFailure::Absent, "{deep}");
    assert!(deep.message.starts_with("HTTP 404: path /"), "{deep}");
    let shallow = read(&with(&format!("http://127.0.0.1:{}", am.port), "")).await.unwrap_err();
    assert_eq!(shallow.cause, PollFailure::Absent, "{shallow}");
    println!("  of a wrong path it says: {shallow}");

    am.server.kill();
    let table = format!("url = ['http://127.0.0.1:{dead}/am', '{url}']\n{good}");
    let none = read(&table).await.unwrap_err();
    assert_eq!(none.cause, PollFailure::Refused);
    assert_eq!(none.message, format!("no member answers; 127.0.0.1:{dead}: connection refused"));
}
