use super::*;
use crate::metrics::Limits as MemoryLimits;
use crate::rules::{BookFile, Names, read};

fn target() -> Target {
    Target::new("shop", "a:1", std::iter::empty::<(String, String)>())
}

fn book(rules: &str) -> Arc<Book> {
    let file = read(format!("groups:\n- name: g\n  rules:\n{rules}").as_bytes(), Names::Utf8);
    assert!(file.is_sound(), "{:?}", file.mistakes);
    let files = vec![BookFile { path: "r.yml".into(), groups: file.groups, wrong: None }];
    let jobs = ["shop".to_owned()].into();
    Arc::new(Book { files, jobs, keep: Duration::from_hours(6), ..Book::default() })
}

struct Bench {
    memory: Memory,
    rules: Rules,
}

impl Bench {
    fn new(rules: &str) -> Self {
        let mut bench =
            Self { memory: Memory::new(MemoryLimits::default()), rules: Rules::default() };
        bench.rules.install(&book(rules), &mut bench.memory, at(0));
        bench
    }

    /// A page at a second, and what the rules say then.
    fn page(&mut self, second: i64, page: &str) -> AlertsReading {
        let took = Duration::ZERO;
        self.memory.take_page(&target(), "", page.as_bytes(), took, at(second)).unwrap();
        self.rules.scraped(&target());
        self.evaluate(second)
    }

    fn evaluate(&mut self, second: i64) -> AlertsReading {
        while self.rules.step(&mut self.memory, at(second), Limits::default) {}
        self.rules.reading()
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_millis(1_000_000_000 + second * 1000)
}

fn told(reading: &AlertsReading) -> Vec<String> {
    let alerts = reading.alerts.iter();
    let alerts = alerts
        .map(|it| format!("{} {:?}", it.labels.get("alertname").unwrap_or_default(), it.state));
    let unknown = reading.unknown_rules.iter();
    let unknown =
        unknown.map(|it| format!("{} {} of {}", it.name, it.seen.as_secs(), it.wanted.as_secs()));
    let broken = reading.broken_rules.iter().map(|it| format!("{}: {}", it.name, it.error));
    alerts.chain(unknown).chain(broken).collect()
}

#[test]
fn an_alert_fires_on_the_page_that_brings_it() {
    let mut bench = Bench::new("  - {alert: A, expr: x > 1, for: 2s}\n");
    assert_eq!(told(&bench.page(0, "x 1\n")), Vec::<String>::new());
    assert_eq!(told(&bench.page(2, "x 2\n")), ["A Pending"]);
    // No page has come, and the group's interval is a minute.
    assert_eq!(told(&bench.evaluate(4)), ["A Pending"]);
    let reading = bench.page(5, "x 2\n");
    assert_eq!(told(&reading), ["A Firing"]);
    assert_eq!((reading.alerts[0].since, reading.alerts[0].since_at_least), (at(2), false));
    assert_eq!(reading.alerts[0].expression, "x > 1");
    assert_eq!(told(&bench.page(6, "x 1\n")), Vec::<String>::new());
}

#[test]
fn templates_know_the_labels_and_the_url_of_their_place() {
    let rules = "  - alert: A\n    expr: x > 1\n    labels: {where: '{{ $externalLabels.cluster }}'}\n    \
                 annotations: {link: '{{ externalURL }}/graph'}\n";
    let mut bench = Bench::new("");
    let mut named = Arc::unwrap_or_clone(book(rules));
    named.external.labels = Labels::new([("cluster", "eu-1")]);
    named.external.url = "https://prom.shop.example".into();
    bench.rules.install(&Arc::new(named), &mut bench.memory, at(0));
    let reading = bench.page(0, "x 2\n");
    let alert = &reading.alerts[0];
    assert_eq!(alert.labels.get("where"), Some("eu-1"));
    assert_eq!(alert.labels.get("cluster"), None, "as in Prometheus: only who is told has it");
    assert_eq!(alert.annotations["link"], "https://prom.shop.example/graph");
}

#[test]
fn without_pages_the_interval_is_the_ceiling() {
    let mut bench = Bench::new("  - {alert: A, expr: x > 1, for: 1m}\n");
    assert_eq!(told(&bench.page(0, "x 2\n")), ["A Pending"]);
    assert_eq!(told(&bench.evaluate(59)), ["A Pending"]);
    assert_eq!(told(&bench.evaluate(60)), ["A Firing"]);
}

#[test]
fn what_looks_further_back_than_was_seen_is_unknown() {
    let mut bench = Bench::new(
        "  - {record: 'r', expr: 'rate(x_total[10s])'}\n  - {alert: A, expr: 'rate(x_total{job=\"shop\"}[10s]) > 0.5'}\n  - {alert: B, expr: r > 0.5}\n  - {alert: C, expr: 'absent_over_time(y[5s])'}\n  - {alert: D, expr: 'up{job=\"shop\"} == 0'}\n",
    );
    assert_eq!(told(&bench.page(0, "x_total 0\n")), ["A 0 of 10", "B 0 of 10", "C 0 of 5"]);
    assert_eq!(told(&bench.page(4, "x_total 4\n")), ["A 4 of 10", "B 4 of 10", "C 4 of 5"]);
    assert_eq!(told(&bench.page(8, "x_total 8\n")), ["C Firing", "A 8 of 10", "B 8 of 10"]);
    assert_eq!(told(&bench.page(12, "x_total 12\n")), ["A Firing", "B Firing", "C Firing"]);
}

#[test]
fn absence_counts_once_a_job_was_asked() {
    let mut bench = Bench::new("  - {alert: A, expr: 'absent(y{job=\"shop\"})'}\n");
    assert_eq!(told(&bench.evaluate(0)), ["A 0 of 1"]);
    bench.memory.target_failed(&target(), Duration::ZERO, at(60));
    bench.rules.scraped(&target());
    assert_eq!(told(&bench.evaluate(60)), ["A Firing"]);
}

#[test]
fn a_window_that_is_never_kept_is_a_broken_rule() {
    let mut bench = Bench::new("  - {alert: A, expr: 'increase(x_total[1d]) > 0'}\n");
    let told = told(&bench.page(0, "x_total 0\n"));
    assert_eq!(told, ["A: it looks back 24h, and 6h are kept: [memory] keep"]);
}

#[test]
fn what_was_there_from_the_beginning_began_before() {
    let mut bench = Bench::new("  - {alert: A, expr: x > 1}\n");
    let reading = bench.page(0, "x 2\n");
    assert!(reading.alerts[0].since_at_least);
}

#[test]
fn states_survive_a_restart_through_the_window() {
    let rules = "  - {alert: A, expr: x > 1, for: 10s}\n";
    let mut bench = Bench::new(rules);
    bench.page(0, "x 2\n");
    assert_eq!(told(&bench.page(10, "x 2\n")), ["A Firing"]);
    let kept = crate::metrics::window::write(&bench.memory);
    let memory = crate::metrics::window::read(&kept, MemoryLimits::default()).unwrap();
    let mut later = Bench { memory, rules: Rules::default() };
    later.rules.install(&book(rules), &mut later.memory, at(20));
    let reading = later.page(20, "x 2\n");
    assert_eq!(told(&reading), ["A Firing"]);
    assert_eq!((reading.alerts[0].since, reading.alerts[0].since_at_least), (at(0), false));
}

#[test]
fn a_file_that_is_read_anew_goes_on_and_what_is_gone_ends() {
    let mut bench = Bench::new("  - {alert: A, expr: x > 1, for: 1s}\n  - {record: r, expr: x}\n");
    bench.page(0, "x 2\n");
    let anew = book("  - {alert: A, expr: x > 1, for: 1s}\n");
    bench.rules.install(&anew, &mut bench.memory, at(1));
    assert_eq!(told(&bench.page(2, "x 2\n")), ["A Firing"]);
    let expr = crate::metrics::promql::parse("r").unwrap();
    let value =
        crate::metrics::promql::instant(&expr, &bench.memory, at(2), &Limits::default()).unwrap();
    assert_eq!(value.data, crate::metrics::Data::Vector(Vec::new()));
}

#[test]
fn a_rule_without_value_says_why_and_the_others_go_on() {
    let mut bench = Bench::new("  - {alert: A, expr: 'x + on() y'}\n  - {alert: B, expr: x > 1}\n");
    let reading = bench.page(0, "x{a=\"1\"} 2\nx{a=\"2\"} 2\ny{a=\"1\"} 1\ny{a=\"2\"} 1\n");
    assert_eq!(reading.broken_rules.len(), 1);
    assert_eq!((reading.alerts.len(), reading.rules), (2, Some(2)));
}
