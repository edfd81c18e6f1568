//! The proof of a run against a real Prometheus and Alertmanager: a fix that
//! fixes nothing, Alertmanager killed, traffic gone. None of them is proved.

use super::support::{Server, free_port, listens, monotonic, now, program};
use opsroom::config::Found;
use opsroom::domain::runs::{AlertSeen, BookRef, Condition, Finding, Holds, Plan};
use opsroom::domain::{Labels, ServiceName, Status, Timestamp};
use opsroom::runbook::Evidence;
use opsroom::runtime::assemble::Assembled;
use opsroom::runtime::clock::Clock;
use opsroom::runtime::runs::evidence::Eyes;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Of all requests so many are counted each time it is scraped.
const REQUESTS: u64 = 100;
/// More than a twentieth of them fails, over ten seconds.
const EXPR: &str = r#"sum by (service) (rate(shop_requests_total{code=~"5.."}[10s])) / sum by (service) (rate(shop_requests_total[10s])) > 0.05"#;

/// A shop whose requests are counted, and fail or not.
#[derive(Default)]
pub(crate) struct Shop {
    pub(crate) fails: AtomicBool,
    closed: AtomicBool,
    good: AtomicU64,
    bad: AtomicU64,
}

impl Shop {
    pub(crate) fn open() -> (Arc<Self>, u16) {
        let shop = Arc::new(Self::default());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let serving = Arc::clone(&shop);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut request = [0; 4_096];
                let Ok(read @ 1..) = stream.read(&mut request) else { continue };
                let body = if request[..read].starts_with(b"GET /metrics") {
                    serving.page()
                } else {
                    "ok\n".to_owned()
                };
                let length = body.len();
                // Whoever asked may be gone.
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\
                     Content-Length: {length}\r\n\r\n{body}"
                );
            }
        });
        (shop, port)
    }

    fn page(&self) -> String {
        if !self.closed.load(Ordering::SeqCst) {
            let bad = if self.fails.load(Ordering::SeqCst) { REQUESTS / 4 } else { 0 };
            self.good.fetch_add(REQUESTS - bad, Ordering::SeqCst);
            self.bad.fetch_add(bad, Ordering::SeqCst);
        }
        let (good, bad) = (self.good.load(Ordering::SeqCst), self.bad.load(Ordering::SeqCst));
        format!(
            "# TYPE shop_requests_total counter\n\
             shop_requests_total{{service=\"api\",code=\"200\"}} {good}\n\
             shop_requests_total{{service=\"api\",code=\"500\"}} {bad}\n"
        )
    }
}

/// Both, and the config that asks them.
pub(crate) struct Servers {
    alertmanager: Server,
    _prometheus: Server,
    pub(crate) config: String,
}

impl Servers {
    pub(crate) async fn start(folder: &Path, shop: u16) -> Option<Self> {
        let (am, prom) = (program("prometheus-alertmanager")?, program("prometheus")?);
        let (am_port, port) = (free_port(), free_port());
        let file = |name: &str| folder.join(name).display().to_string();
        std::fs::write(
            file("am.yml"),
            "route: { receiver: team }\nreceivers: [ { name: team } ]\n",
        )
        .unwrap();
        std::fs::write(
            file("rules.yml"),
            format!(
                "groups:\n- name: shop\n  rules:\n  - alert: ShopErrors\n    expr: '{EXPR}'\n\
                 \x20   labels: {{ severity: critical }}\n"
            ),
        )
        .unwrap();
        std::fs::write(
            file("p.yml"),
            format!(
                "global: {{ scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }}\n\
                 rule_files: ['{}']\n\
                 alerting: {{ alertmanagers: [ {{ static_configs: [ {{ targets: ['127.0.0.1:{am_port}'] }} ] }} ] }}\n\
                 scrape_configs:\n\
                 - {{ job_name: shop, static_configs: [ {{ targets: ['127.0.0.1:{shop}'] }} ] }}\n",
                file("rules.yml")
            ),
        )
        .unwrap();
        let alertmanager = Server::start(
            Command::new(am)
                .arg(format!("--config.file={}", file("am.yml")))
                .arg(format!("--storage.path={}", file("am")))
                .arg(format!("--web.listen-address=127.0.0.1:{am_port}"))
                .arg("--cluster.listen-address="),
        );
        listens(am_port).await;
        let prometheus = Server::start(
            Command::new(prom)
                .arg(format!("--config.file={}", file("p.yml")))
                .arg(format!("--storage.tsdb.path={}", file("data")))
                .arg(format!("--web.listen-address=127.0.0.1:{port}"))
                .arg("--rules.alert.resend-delay=5s"),
        );
        listens(port).await;
        let config = format!(
            "environment = 'lab'\n\
             [poll]\nconfirm = 1\nconfirm_after = '200ms'\n\
             [prometheus]\nurl = 'http://127.0.0.1:{port}'\nevery = '1s'\nalerts_every = '1s'\n\
             [alertmanager]\nurl = 'http://127.0.0.1:{am_port}'\nevery = '1s'\n\
             [service.api]\nhealth = 'http://127.0.0.1:{shop}/'\nevery = '1s'\n"
        );
        Some(Self { alertmanager, _prometheus: prometheus, config })
    }
}

struct House {
    servers: Servers,
    assembled: Assembled,
}

impl House {
    async fn start(folder: &Path, shop: u16) -> Option<Self> {
        let servers = Servers::start(folder, shop).await?;
        let (path, text) = (folder.join("config.toml"), servers.config.clone());
        let assembled = match Assembled::of(&Found { path, text }, false) {
            Ok(assembled) => assembled,
            Err(mistakes) => panic!("{}", mistakes.text),
        };
        Some(Self { servers, assembled })
    }

    fn eyes(&self, conditions: &[&Condition]) -> Eyes {
        let plan = plan(&alert());
        Eyes::open(&self.assembled, &plan, conditions, Clock::Wall, None).unwrap()
    }
}

/// The alert, as it is seen.
pub(crate) fn alert() -> AlertSeen {
    let labels =
        Labels::new([("alertname", "ShopErrors"), ("service", "api"), ("severity", "critical")]);
    AlertSeen {
        identity: labels.fingerprint(),
        labels,
        expression: EXPR.into(),
        reason: "too many errors".into(),
        since: now(),
        pending: false,
    }
}

fn plan(alert: &AlertSeen) -> Plan {
    let text = serde_json::json!({
        "book": BookRef {
            id: "proof".into(),
            title: "Proof".into(),
            path: "built in".into(),
            hash: String::new(),
            foreign: false,
        },
        "environment": "lab", "armed_only": false, "config": "", "host": "", "user": "",
        "folder": "/", "target": "service/api", "service": "api", "alert": alert, "values": [],
        "environ": BTreeMap::<String, String>::new(), "steps": [], "pins": [],
        "timeout": Duration::from_mins(1), "warnings": [],
    });
    serde_json::from_value(text).unwrap()
}

/// What a condition says once it says this, within so much time.
async fn until(
    eyes: &Eyes,
    condition: &Condition,
    after: Timestamp,
    what: &str,
    wanted: impl Fn(&Finding) -> bool,
) -> Finding {
    let begun = monotonic();
    loop {
        let finding = eyes.ask(condition, after).await;
        let so_far = monotonic().saturating_sub(begun);
        if wanted(&finding) {
            println!("  {what}: {:.1} s: {}", so_far.as_secs_f64(), finding.words);
            return finding;
        }
        assert!(so_far < Duration::from_secs(90), "{what}: never: {finding:?}");
        eyes.hurry(&[condition]);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// For so long it never says that it holds.
async fn never_proved(eyes: &Eyes, conditions: &[&Condition], after: Timestamp, seconds: u64) {
    let begun = monotonic();
    while monotonic().saturating_sub(begun) < Duration::from_secs(seconds) {
        for condition in conditions {
            let finding = eyes.ask(condition, after).await;
            assert_ne!(finding.holds, Holds::Yes, "{condition:?}: {finding:?}");
        }
        eyes.hurry(conditions);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test]
async fn what_is_not_fixed_is_not_proved_and_what_is_fixed_is() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let (shop, port) = Shop::open();
    let Some(mut house) = House::start(folder.path(), port).await else { return };
    let resolved = Condition::Alert { name: "ShopErrors".into(), firing: false };
    let firing = Condition::Alert { name: "ShopErrors".into(), firing: true };
    let well = Condition::Service { name: ServiceName::from("api"), status: Status::Ok };
    let few = Condition::Promql { expr: EXPR.replace("> 0.05", "< 0.05") };
    let all = [&resolved, &well, &few];
    let eyes = house.eyes(&all);

    shop.fails.store(true, Ordering::SeqCst);
    let is = |holds: Holds| move |finding: &Finding| finding.holds == holds;
    until(&eyes, &firing, Timestamp::from_millis(0), "it fires", is(Holds::Yes)).await;
    // Its expression may hold before anybody raises it.
    until(&eyes, &well, Timestamp::from_millis(0), "it is raised", is(Holds::No)).await;

    // A fix that ends well and changes nothing.
    let after = now();
    never_proved(&eyes, &all, after, 14).await;
    until(&eyes, &resolved, after, "nothing is fixed: alert", is(Holds::No)).await;
    until(&eyes, &well, after, "nothing is fixed: service", is(Holds::No)).await;
    until(&eyes, &few, after, "nothing is fixed: expression", is(Holds::No)).await;

    // A real one is proved, after one whole window and not before.
    shop.fails.store(false, Ordering::SeqCst);
    let after = now();
    for condition in all {
        let finding = eyes.ask(condition, after).await;
        assert_ne!(finding.holds, Holds::Yes, "too early: {finding:?}");
    }
    until(&eyes, &few, after, "fixed: expression", is(Holds::Yes)).await;
    assert!(now().since(after) >= Duration::from_secs(10));
    until(&eyes, &resolved, after, "fixed: alert", is(Holds::Yes)).await;
    until(&eyes, &well, after, "fixed: service", is(Holds::Yes)).await;

    // No requests come any more: the alert is gone, and nothing is known.
    shop.closed.store(true, Ordering::SeqCst);
    let after = now();
    never_proved(&eyes, &[&resolved, &few], after, 16).await;
    let no_traffic =
        |finding: &Finding| finding.holds == Holds::Unknown && finding.words.contains("no traffic");
    until(&eyes, &resolved, after, "traffic gone: alert", no_traffic).await;
    until(&eyes, &few, after, "traffic gone: expression", no_traffic).await;

    // Alertmanager dies while it is being proved.
    shop.closed.store(false, Ordering::SeqCst);
    let after = now();
    house.servers.alertmanager.kill();
    let unheard = |finding: &Finding| {
        finding.holds == Holds::Unknown && finding.words.starts_with("alertmanager: ")
    };
    until(&eyes, &resolved, after, "alertmanager killed: alert", unheard).await;
    never_proved(&eyes, &[&resolved, &well], after, 14).await;
}
