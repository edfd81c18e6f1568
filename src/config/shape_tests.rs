//! The whole config, as it is read from a file.

use super::*;
use crate::config::keys::{Shape, key};
use crate::domain::Unit;

const KINDS: &[KindKeys] = &[
    KindKeys {
        family: crate::config::Family::Check,
        name: "http",
        keys: &[&[key("http", Shape::Url, "URL.").needed()]],
    },
    KindKeys {
        family: crate::config::Family::Check,
        name: "tcp",
        keys: &[&[key("tcp", Shape::Address, "Port.").needed()]],
    },
];

fn read(text: &str) -> (Config, Vec<String>) {
    let mut mistakes = Mistakes::default();
    let config = Config::read(text, KINDS, &mut mistakes);
    let line = |mistake: &crate::config::Mistake| {
        format!("{}: {}", &text[mistake.span.clone()], mistake.message)
    };
    (config, mistakes.in_order().into_iter().map(line).collect())
}

#[test]
fn an_empty_file_is_production_with_all_defaults() {
    let (config, mistakes) = read("");
    assert_eq!(mistakes, Vec::<String>::new());
    assert!(config.is_empty());
    assert_eq!((config.environment.as_str(), config.site.as_str()), ("production", ""));
    let poll = Poll {
        every: Duration::from_secs(10),
        timeout: Duration::from_secs(5),
        connect_timeout: Duration::from_secs(3),
        confirm: 2,
        confirm_after: Duration::from_secs(1),
        in_flight: 64,
    };
    assert_eq!(config.poll, poll);
    assert_eq!(config.memory.keep, Duration::from_hours(2));
    assert_eq!(config.memory.bytes, 256 << 20);
    assert_eq!(config.screen.theme, "dark");
}

#[test]
fn ten_lines_are_enough() {
    let (config, mistakes) = read(
        r#"
        prometheus = "http://prom.internal:9090"
        [hosts.node]
        [service.api]
        health = "https://api.shop.example/healthz"
        job = "api"
        depends_on = "db"
        [service.db]
        tcp = "db-1:5432"
        third_party = true
    "#,
    );
    assert_eq!(mistakes, Vec::<String>::new());
    let api = &config.services[0];
    assert_eq!(api.checks[0].role.name, "health");
    assert_eq!(api.checks[0].table.text("http"), "https://api.shop.example/healthz");
    assert_eq!(api.checks[0].role.at_most, Status::Critical);
    assert_eq!(api.checks[0].role.certificate_days.warning, Some(21.0));
    let requests = api.requests.as_ref().unwrap();
    assert_eq!(requests.errors.thresholds.critical, Some(0.05));
    assert_eq!(requests.latency.thresholds.warning, Some(0.5));
    assert_eq!(requests.min_requests, 20);
    let db = &config.services[1];
    assert_eq!((db.checks[0].kind, db.checks[0].role.at_most), ("tcp", Status::Warning));
    let hosts = &config.hosts[0];
    assert_eq!((hosts.job.as_str(), hosts.cpu.at_most), ("node", Status::Warning));
    assert_eq!(hosts.disk.thresholds.warning, Some(0.2));
    assert!(hosts.disk.thresholds.below);
    assert_eq!(hosts.disk_full.thresholds.critical, None);
}

#[test]
fn checks_and_signals_are_set_one_by_one() {
    let (config, mistakes) = read(
        r#"
        prometheus = "http://prom.internal:9090"
        poll = { every = "30s", confirm = 3 }
        [service.api]
        job = "api"
        errors = { warning = "10%" }
        latency = { critical = "100ms", at_most = "warning" }
        [service.api.check.login]
        http = "https://api.shop.example/login"
        confirm = 0
        certificate = { warning = "30d" }
        at_most = "ok"
        [service.api.signal.queue]
        expr = "sum(queue_length)"
        unit = "bytes"
        warning = "1 KiB"
    "#,
    );
    assert_eq!(mistakes, Vec::<String>::new());
    let api = &config.services[0];
    let login = &api.checks[0];
    assert_eq!((login.every, login.role.confirm), (Duration::from_secs(30), 0));
    assert_eq!(login.role.at_most, Status::Ok);
    assert_eq!(login.role.certificate_days.warning, Some(30.0));
    assert_eq!(login.role.certificate_days.critical, Some(7.0));
    let requests = api.requests.as_ref().unwrap();
    // A warning beyond the default of critical leaves no critical.
    assert_eq!(requests.errors.thresholds.critical, None);
    assert_eq!(requests.latency.thresholds.warning, None);
    assert_eq!(requests.latency.at_most, Status::Warning);
    let queue = &api.signals[0];
    assert_eq!((queue.unit, queue.limits.thresholds.warning), (Unit::Bytes, Some(1024.0)));
    assert_eq!(queue.label, "queue");
}

#[test]
fn targets_become_pages() {
    let (config, mistakes) = read(
        r#"
        [scrape.app]
        targets = ["app-1:9100", "https://app.example", "app-2:80/actuator/prometheus", "[::1]:1"]
        labels = { zone = "a" }
    "#,
    );
    assert_eq!(mistakes, Vec::<String>::new());
    let pages: Vec<(&str, &str)> = config.scrapes[0]
        .targets
        .iter()
        .map(|target| (target.instance.as_str(), target.url.as_str()))
        .collect();
    assert_eq!(
        pages,
        [
            ("app-1:9100", "http://app-1:9100/metrics"),
            ("app.example:443", "https://app.example/metrics"),
            ("app-2:80", "http://app-2/actuator/prometheus"),
            ("[::1]:1", "http://[::1]:1/metrics"),
        ]
    );
}

#[test]
fn what_contradicts_itself_is_told() {
    let (_, mistakes) = read(
        r#"
        [service.a]
        health = "http://x"
        job = "ap"
        depends_on = ["b", "bb", "zzz"]
        check.health = { tcp = "x:1" }
        errors = { warning = "5%", critical = "1%" }
        [service.b]
        depends_on = ["c"]
        latency = { warning = "1s" }
        [service.c]
        depends_on = ["a"]
        [scrape.app]
        targets = ["x:1", "x:1", "y"]
        labels = { job = "z" }
    "#,
    );
    assert_eq!(
        mistakes,
        [
            "\"http://x\": a check called `health` is there already",
            "\"ap\": nobody has metrics of job `ap`",
            "[\"b\", \"bb\", \"zzz\"]: services need each other in a circle: a > b > c > a",
            "\"bb\": there is no such service",
            "\"zzz\": there is no such service",
            "\"1%\": critical begins before warning does",
            "latency: `latency` without `job`",
            "\"x:1\": this target is there twice",
            "\"y\": this is no target",
            "job: this label is not yours to set",
        ]
    );
}

#[test]
fn a_service_may_not_need_itself_and_a_long_chain_is_no_circle() {
    let (_, mistakes) = read("[service.a]\ndepends_on = 'a'");
    assert_eq!(mistakes, ["'a': services need each other in a circle: a > a"]);
    let link = |i: usize| format!("[service.s{i}]\ndepends_on = ['s{}', 's0']\n", i - 1);
    let text: String = "[service.s0]\n"
        .chars()
        .chain((1..5_000).flat_map(|i| link(i).into_bytes()).map(char::from))
        .collect();
    assert_eq!(read(&text).1, Vec::<String>::new());
}

#[test]
fn keys_of_ones_own_are_read() {
    let (config, mistakes) = read(
        r#"
        [keys]
        reload = "ctrl-r f5"
        page-3 = "a"
        qiut = "Q"
        help = "hyper-x"
        up = " "
    "#,
    );
    assert_eq!(mistakes.len(), 3, "{mistakes:?}");
    assert_eq!(mistakes[0], "qiut: there is no such action");
    assert!(mistakes[1].starts_with("\"hyper-x\": "), "{mistakes:?}");
    assert_eq!(mistakes[2], "\" \": there is no key");
    let reload = &config.bindings[0];
    assert_eq!((reload.action.as_str(), reload.keys.as_str()), ("reload", "ctrl-r f5"));
}

#[test]
fn expressions_are_checked_where_opsroom_answers_them() {
    let (_, mistakes) = read(
        r#"
        [scrape.a]
        targets = "x:1"
        [service.a]
        job = "a"
        matchers = "route!="
        signal.one = { expr = "sum(up) +" }
        signal.two = { expr = "sum by (x) up)" }
        signal.three = { expr = "sum(\"\\u00e4\" ) )" }
    "#,
    );
    assert_eq!(mistakes.len(), 4, "{mistakes:?}");
    assert_eq!(mistakes[0], "\"route!=\": these are no matchers");
    assert!(mistakes[2].starts_with("up: not PromQL: "), "{mistakes:?}");
    let (_, mistakes) =
        read("prometheus = 'http://p'\n[service.a.signal.x]\nexpr = 'keep_last_value(up)'");
    assert!(mistakes[0].contains("not PromQL as opsroom knows it"), "{mistakes:?}");
}

/// Every way that leads to a value: `service.a.errors.warning`.
fn paths(keys: crate::config::Keys, before: &str, into: &mut Vec<String>) {
    for key in crate::config::keys::all(keys) {
        let path = format!("{before}{}", key.name);
        match key.shape {
            Shape::Table(keys) | Shape::TableOr(_, keys) => paths(keys, &format!("{path}."), into),
            Shape::Named(keys) | Shape::Kinds(_, keys) => paths(keys, &format!("{path}.a."), into),
            _ => {}
        }
        into.push(path);
    }
}

const VALUES: &[&str] = &[
    "1",
    "-1",
    "0",
    "9223372036854775807",
    "0x10",
    "1.5",
    "nan",
    "inf",
    "true",
    "1979-05-27",
    "\"\"",
    "\"x\"",
    "\"10s\"",
    "\"5%\"",
    "\"1 MiB\"",
    "\"a:1\"",
    "\"http://x/\"",
    "\"env:X\"",
    "\"/p\"",
    "\"auto\"",
    "\"critical\"",
    "\"\\u001b[31m\"",
    "\"sum(up\"",
    "[]",
    "[1, \"x\", []]",
    "[\"a\", \"a:1\"]",
    "{}",
    "{ a = 1 }",
    "{ a = \"b\" }",
    "{ a = {} }",
    "{ a = { http = \"http://x\" } }",
    "{ warning = \"1s\" }",
];

proptest::proptest! {
    #[test]
    fn no_config_makes_the_program_fall_over(
        lines in proptest::collection::vec((0..10_000_usize, 0..VALUES.len()), 1..12),
    ) {
        let mut all = Vec::new();
        paths(super::ROOT, "", &mut all);
        let line = |(path, value): &(usize, usize)| {
            format!("{} = {}", all[path % all.len()], VALUES[*value])
        };
        let text = lines.iter().map(line).collect::<Vec<_>>().join("\n");
        let mut mistakes = Mistakes::default();
        let config = Config::read(&text, KINDS, &mut mistakes);
        let inventory = config.inventory();
        let shown = inventory.services.iter().flat_map(|service| [&service.owner, &service.contact]);
        for text in shown.flatten().chain([&inventory.environment, &inventory.site]) {
            proptest::prop_assert!(!text.chars().any(char::is_control));
        }
        crate::config::render("x".as_ref(), &text, &mistakes, true);
    }
}

#[test]
fn pages_of_one_host_and_port_are_told_apart() {
    let text = r#"
        [scrape.shop]
        targets = ["http://app:80/a", "http://app:80/b?x=1", "app-2:80"]
    "#;
    let mut mistakes = Mistakes::default();
    let config = Config::read(text, &[], &mut mistakes);
    assert!(mistakes.is_empty(), "{:?}", mistakes.in_order());
    let instances: Vec<&str> =
        config.scrapes[0].targets.iter().map(|target| target.instance.as_str()).collect();
    assert_eq!(instances, ["app:80/a", "app:80/b?x=1", "app-2:80"]);
}
