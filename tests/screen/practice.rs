//! The practice environment without a console: its services, its faults, its end.

use super::waiting::{SOON, eventually, get};
use opsroom::demo::Practice;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

struct Shop {
    practice: Practice,
    /// Address and path of each service's health, and the address of each page of metrics.
    health: BTreeMap<String, (SocketAddr, String)>,
    metrics: BTreeMap<String, SocketAddr>,
}

fn shop(parent: &Path) -> Shop {
    let practice = Practice::start_as(
        Path::new(env!("CARGO_BIN_EXE_opsroom")),
        parent,
        7,
        opsroom::runtime::clock::Clock::Wall.now(),
    )
    .unwrap();
    let config: toml::Table = practice.config_text().parse().unwrap();
    let health = config["service"]
        .as_table()
        .unwrap()
        .iter()
        .map(|(name, service)| {
            let url = service["health"].as_str().unwrap().strip_prefix("http://").unwrap();
            let (address, path) = url.split_once('/').unwrap();
            (name.clone(), (address.parse().unwrap(), format!("/{path}")))
        })
        .collect();
    let metrics = config["scrape"]
        .as_table()
        .unwrap()
        .iter()
        .map(|(name, scrape)| {
            (name.clone(), scrape["targets"][0].as_str().unwrap().parse().unwrap())
        })
        .collect();
    Shop { practice, health, metrics }
}

impl Shop {
    fn status(&self, service: &str) -> Option<u16> {
        let (address, path) = &self.health[service];
        get(*address, path).map(|(status, _)| status)
    }

    fn page(&self, service: &str) -> String {
        get(self.metrics[service], "/metrics").map(|(_, page)| page).unwrap_or_default()
    }

    fn all_well(&self) -> bool {
        self.health.keys().all(|name| self.status(name) == Some(200))
    }
}

fn processes_of(folder: &Path) -> usize {
    let folder = folder.to_str().unwrap();
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let commands = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    commands.filter(|command| String::from_utf8_lossy(command).contains(folder)).count()
}

#[test]
fn the_shop_is_well_and_busy_and_leaves_nothing_behind() {
    let parent = tempfile::tempdir().unwrap();
    let shop = shop(parent.path());
    eventually("all services are well", SOON, || shop.all_well());
    eventually("visitors come through to the database", SOON, || {
        shop.page("db").contains("http_requests_total{code=\"200\",method=\"GET\",route=\"/query\"")
    });
    eventually("histograms are filled", SOON, || {
        let page = shop.page("web");
        page.contains(
            "http_request_duration_seconds_bucket{route=\"/\",version=\"v87\",le=\"+Inf\"}",
        )
    });
    assert!(shop.page("host").contains("node_cpu_seconds_total{cpu=\"0\",mode=\"idle\"}"));
    assert!(shop.page("worker").contains("jobs_processed_total{result=\"failed\"} 0"));
    let folder = shop.practice.folder().to_owned();
    assert_eq!(processes_of(&folder), 8);
    let validate = std::process::Command::new(env!("CARGO_BIN_EXE_opsroom"))
        .args(["validate", "--live", "--config"])
        .arg(shop.practice.config_path())
        .output()
        .unwrap();
    assert!(validate.status.success(), "{}", String::from_utf8_lossy(&validate.stdout));
    let log = std::fs::read_to_string(folder.join("api.log")).unwrap();
    assert!(log.lines().any(|line| line.contains(" INFO  api v141 GET /")), "{log}");
    drop(shop);
    assert!(!folder.exists());
    assert_eq!(processes_of(&folder), 0);
}

#[test]
fn each_fault_is_real_and_heal_all_mends_it() {
    let parent = tempfile::tempdir().unwrap();
    let shop = shop(parent.path());
    eventually("all services are well", SOON, || shop.all_well());

    shop.practice.fault("kill").unwrap();
    let (api, _) = shop.health["api"];
    let refused = std::net::TcpStream::connect(api).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    assert!(shop.practice.fault("kill").is_err());
    assert!(shop.practice.fault("bad release").is_err());
    eventually("web says that api is down", SOON, || shop.status("web") == Some(500));
    shop.practice.fault("heal all").unwrap();
    eventually("all is well again", SOON, || shop.all_well());

    shop.practice.fault("hang").unwrap();
    let (payments, _) = shop.health["payments"];
    eventually("payments hangs", SOON, || shop.status("payments").is_none());
    assert!(std::net::TcpStream::connect(payments).is_ok());
    shop.practice.fault("heal all").unwrap();
    eventually("payments answers again", SOON, || shop.status("payments").is_some());

    shop.practice.fault("bad release").unwrap();
    eventually("v142 fails", SOON, || {
        let page = shop.page("api");
        page.contains("code=\"500\"") && page.contains("version=\"v142\"")
    });
    eventually("web suffers", SOON, || shop.page("web").contains("code=\"502\""));
    shop.practice.fault("heal all").unwrap();
    eventually("v141 runs again", SOON, || {
        let page = shop.page("api");
        page.contains("build_info{version=\"v141\"} 1") && !page.contains("v142")
    });

    assert!(shop.practice.fault("earthquake").unwrap_err().to_string().contains("slow database"));
    for name in Practice::names() {
        assert!(shop.practice.fault(name).is_ok(), "{name}");
    }
}

/// A tool of the practice: whether it went well, and what it said.
fn tool(shop: &Shop, name: &str, words: &[&str]) -> (bool, String) {
    let tool = shop.practice.folder().join("bin").join(name);
    let out = std::process::Command::new(tool).args(words).env_clear().output().unwrap();
    let text = [out.stdout, out.stderr].concat();
    (out.status.success(), String::from_utf8(text).unwrap())
}

fn said(shop: &Shop, name: &str, words: &[&str]) -> String {
    let (well, text) = tool(shop, name, words);
    assert!(well, "{name} {words:?}: {text}");
    text.trim().to_owned()
}

#[test]
fn shopctl_really_restarts_a_process_and_deployctl_really_changes_its_release() {
    let parent = tempfile::tempdir().unwrap();
    let shop = shop(parent.path());
    eventually("all services are well", SOON, || shop.all_well());
    let first = said(&shop, "shopctl", &["pid", "api"]);
    said(&shop, "shopctl", &["restart", "api"]);
    let second = said(&shop, "shopctl", &["pid", "api"]);
    assert_ne!(first, second);
    assert!(!Path::new("/proc").join(&first).exists());
    shop.practice.fault("kill").unwrap();
    assert!(said(&shop, "shopctl", &["status", "api"]).contains("GONE"));
    assert!(!tool(&shop, "shopctl", &["pid", "api"]).0);
    said(&shop, "shopctl", &["restart", "api"]);
    eventually("api is well again", SOON, || shop.status("api") == Some(200));

    shop.practice.fault("bad release").unwrap();
    eventually("v142 runs", SOON, || said(&shop, "deployctl", &["current", "api"]) == "v142");
    // A restart keeps the release, and what is wrong with it.
    let before = said(&shop, "shopctl", &["pid", "api"]);
    said(&shop, "shopctl", &["restart", "api"]);
    eventually("v142 still runs", SOON, || shop.page("api").contains("version=\"v142\""));
    assert_eq!(said(&shop, "deployctl", &["list", "api", "--short"]), "v141\nv140");
    // Not every way back helps: this one has the same fault.
    said(&shop, "deployctl", &["rollback", "api", "v140"]);
    eventually("v140 fails too", SOON, || {
        let page = shop.page("api");
        page.contains("code=\"500\"") && page.contains("version=\"v140\"")
    });
    said(&shop, "deployctl", &["rollback", "api", "v141"]);
    assert_ne!(said(&shop, "shopctl", &["pid", "api"]), before);
    eventually("v141 runs", SOON, || shop.page("api").contains("build_info{version=\"v141\"} 1"));
    let deploys = std::fs::read_to_string(shop.practice.folder().join("deploys.jsonl")).unwrap();
    let last: serde_json::Value = serde_json::from_str(deploys.lines().last().unwrap()).unwrap();
    assert_eq!((&last["version"], &last["before"]), (&"v141".into(), &"v140".into()));
    assert_ne!(last["by"], "ci");
    assert!(!tool(&shop, "deployctl", &["rollback", "api", "v9"]).0);
    assert!(!tool(&shop, "deployctl", &["rollback", "nope", "v141"]).0);
    assert!(!tool(&shop, "shopctl", &["restart", "visitors"]).0);

    shop.practice.fault("slow database").unwrap();
    let query = said(&shop, "shopctl", &["queries", "--short"]);
    assert!(!tool(&shop, "shopctl", &["cancel", "1"]).0);
    said(&shop, "shopctl", &["cancel", &query]);
    assert_eq!(said(&shop, "shopctl", &["queries"]), "no query takes long");
    assert!(!tool(&shop, "shopctl", &["cancel", &query]).0);
}
