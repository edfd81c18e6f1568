//! `opsroom watch` as a process of its own: what it keeps, who reads it, and
//! what a second one, a kill and damage do.

use super::support::{Server, free_port, until};
use rustix::process::Signal;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::TempDir;

/// A page whose counter counts its scrapes.
fn counting() -> (u16, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let scrapes = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&scrapes);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let _ = stream.read(&mut [0; 4096]);
            let n = counted.fetch_add(1, Ordering::Relaxed) + 1;
            let body = format!("# TYPE scrapes_total counter\nscrapes_total {n}\n");
            let length = body.len();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
            );
            let _ = stream.write_all((head + &body).as_bytes());
        }
    });
    (port, scrapes)
}

/// Fires some seconds after the beginning of a scraping that is known to the last.
const RULES: &str = "groups: [{name: g, rules: [{alert: Scraped, expr: scrapes_total > 0, \
    for: 4s, labels: {severity: critical}}]}]\n";

struct Bench {
    scratch: TempDir,
    config: PathBuf,
}

impl Bench {
    fn new(port: u16) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let config = scratch.path().join("config.toml");
        let rules = scratch.path().join("rules.yml");
        std::fs::write(&rules, RULES).unwrap();
        let text = format!(
            "environment = 'test'\nrules = 'rules.yml'\n[scrape.app]\ntargets = ['127.0.0.1:{port}']\nevery = '1s'\n\
             [service.gone]\ntcp = '127.0.0.1:{}'\n[poll]\nevery = '1s'\n",
            free_port()
        );
        std::fs::write(&config, text).unwrap();
        std::fs::set_permissions(&config, std::fs::Permissions::from_mode(0o600)).unwrap();
        Self { scratch, config }
    }

    fn opsroom(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_opsroom"));
        command.env_remove("NOTIFY_SOCKET").env("HOME", self.scratch.path());
        command.env("XDG_STATE_HOME", self.scratch.path().join("state"));
        command.arg("--config").arg(&self.config);
        command
    }

    fn watch(&self) -> Server {
        Server::start(self.opsroom().arg("watch"))
    }

    fn ask(&self, arguments: &[&str]) -> Output {
        self.opsroom().args(arguments).output().unwrap()
    }

    fn kept(&self, begin: &str) -> Option<PathBuf> {
        let folder = std::fs::read_dir(self.scratch.path().join("state/opsroom")).ok()?;
        let mut names = folder.map(|entry| entry.unwrap().path());
        names.find(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(begin) && !name.contains(".bin.")
        })
    }

    async fn until_kept(&self, begin: &str) -> PathBuf {
        until(begin, || async { self.kept(begin).is_some() }).await;
        self.kept(begin).unwrap()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// How many samples a query sees of what was scraped.
fn seen(bench: &Bench) -> u64 {
    let asked = bench.ask(&["query", "count_over_time(scrapes_total[10m])"]);
    let out = text(&asked.stdout);
    let number = out.split_whitespace().last().map(str::parse);
    number.unwrap_or_else(|| panic!("{out} {}", text(&asked.stderr))).unwrap()
}

#[tokio::test]
async fn what_watch_has_seen_is_there_for_queries_and_glances_and_outlives_a_kill() {
    let (port, scrapes) = counting();
    let bench = Bench::new(port);
    let mut watch = bench.watch();
    let window = bench.until_kept("window-").await;
    let by_then = scrapes.load(Ordering::Relaxed);
    assert!(by_then >= 3, "{by_then}");
    // The query itself scrapes once.
    assert!(seen(&bench) + 1 >= by_then, "{} of {by_then}", seen(&bench));

    let cached = bench.ask(&["glance", "--cached"]);
    assert_eq!(cached.status.code(), Some(2), "{}", text(&cached.stderr));
    assert!(text(&cached.stdout).contains("  gone "), "{}", text(&cached.stdout));
    // Since when, a look that begins from nothing cannot know.
    let since = |arguments: &[&str]| {
        let told: serde_json::Value = serde_json::from_slice(&bench.ask(arguments).stdout).unwrap();
        let problems = told["problems"].as_array().unwrap();
        problems.iter().find(|problem| problem["name"] == "gone").unwrap()["since"].clone()
    };
    assert_eq!(since(&["glance", "--json"]), since(&["glance", "--cached", "--json"]));

    // A second one leaves it alone, and says who has it.
    let second = bench.ask(&["watch"]);
    assert_eq!(second.status.code(), Some(1));
    assert!(text(&second.stderr).contains("is watched already: watch, process"));

    watch.kill();
    assert!(seen(&bench) >= by_then);
    // Another takes up what the killed one kept, and goes on.
    let watch = bench.watch();
    let started = scrapes.load(Ordering::Relaxed);
    until("it scrapes", || async { scrapes.load(Ordering::Relaxed) > started + 1 }).await;
    let before = std::fs::metadata(&window).unwrap().modified().unwrap();
    watch.signal(Signal::TERM);
    until("kept at the end", || async {
        std::fs::metadata(&window).is_ok_and(|now| now.modified().unwrap() > before)
    })
    .await;
    assert!(seen(&bench) >= by_then);
}

#[tokio::test]
async fn a_damaged_window_is_left_aside_and_said() {
    let (port, _) = counting();
    let bench = Bench::new(port);
    let watch = bench.watch();
    let window = bench.until_kept("window-").await;
    drop(watch);
    let bytes = std::fs::read(&window).unwrap();
    std::fs::write(&window, &bytes[..bytes.len() / 2]).unwrap();
    // Who only reads leaves it where it is.
    assert!(seen(&bench) >= 1);
    assert!(window.exists());
    let said = bench.scratch.path().join("said");
    let out = std::fs::File::create(&said).unwrap();
    let _watch = Server::telling(bench.opsroom().arg("watch"), out);
    until("put aside", || async {
        text(&std::fs::read(&said).unwrap()).contains("the kept history was put aside")
    })
    .await;
    assert_eq!(std::fs::read(aside(&window)).unwrap(), bytes[..bytes.len() / 2]);
}

fn aside(window: &Path) -> PathBuf {
    let mut aside = window.as_os_str().to_owned();
    aside.push(".damaged");
    aside.into()
}

#[test]
fn a_service_manager_is_told() {
    let (port, _) = counting();
    let bench = Bench::new(port);
    let path = bench.scratch.path().join("notify");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    let mut command = bench.opsroom();
    command.arg("watch");
    let watch = Server::start(command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "2000000"));
    let mut told = String::new();
    let hear = |wanted: &str, told: &mut String| {
        while !told.contains(wanted) {
            let mut bytes = [0; 256];
            let many = socket.recv(&mut bytes).unwrap_or_else(|_| panic!("{wanted}: {told}"));
            told.push_str(&text(&bytes[..many]));
            told.push('\n');
        }
    };
    hear("READY=1", &mut told);
    hear("STATUS=1 critical", &mut told);
    hear("WATCHDOG=1", &mut told);
    watch.signal(Signal::TERM);
    hear("STOPPING=1", &mut told);
}

#[tokio::test]
async fn an_alert_that_fires_for_watch_fires_at_once_for_a_glance() {
    let (port, _) = counting();
    let bench = Bench::new(port);
    let _watch = bench.watch();
    let fires = |arguments: &[&str]| {
        let out = bench.ask(arguments).stdout;
        let told: serde_json::Value = serde_json::from_slice(&out).unwrap_or_default();
        let problems = told["problems"].as_array().cloned().unwrap_or_default();
        problems
            .iter()
            .any(|problem| problem["name"].as_str().is_some_and(|n| n.contains("Scraped")))
    };
    until("it fires for watch", || async { fires(&["glance", "--cached", "--json"]) }).await;
    // What is known is written with the summary or right after.
    until("it is known", || async {
        bench.kept("known-").is_some_and(|path| {
            let known = std::fs::read_to_string(path).unwrap();
            known.contains("Scraped") && known.contains("firing")
        })
    })
    .await;
    assert!(fires(&["glance", "--json"]));
}
