//! The same scrapes in a real Prometheus and in opsroom's memory, asked the same.

mod expressions;
mod made;
mod page;

use super::support::{Server, free_port, listens, now, program, sources, until};
use opsroom::domain::{Labels, Num, Timestamp};
use opsroom::metrics::memory::{Limits as MemoryLimits, Memory, Target};
use opsroom::metrics::promql::{self, Limits};
use opsroom::metrics::{Data, Line};
use opsroom::sources::prometheus::Prometheus;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// So many scrapes of each target, a second apart.
const SCRAPES: usize = 45;
const STEP: Duration = Duration::from_secs(5);

/// What a target answered, scrape by scrape; none where it failed.
type Pages = Arc<Mutex<Vec<Option<Vec<u8>>>>>;

/// Serves what `page` gives for each scrape, and keeps it.
fn serve(page: impl Fn(usize) -> Option<Vec<u8>> + Send + 'static) -> (u16, Pages) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let pages = Pages::default();
    let kept = Arc::clone(&pages);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
            let _ = stream.read(&mut [0; 4096]);
            let body = page(kept.lock().unwrap().len());
            let (status, bytes) = match &body {
                Some(body) => (200, &body[..]),
                None => (500, &b"broken"[..]),
            };
            kept.lock().unwrap().push(body.clone());
            let head = format!(
                "HTTP/1.1 {status} X\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                bytes.len()
            );
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(bytes));
        }
    });
    (port, pages)
}

/// The page of another server.
fn fetched(port: u16) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.write_all(b"GET /metrics HTTP/1.0\r\nHost: x\r\n\r\n").ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let at = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    answer.starts_with(b"HTTP/1.0 200").then(|| answer.split_off(at + 4))
}

fn matrix(data: Data) -> Vec<Line> {
    match data {
        Data::Matrix(lines) => lines,
        other => panic!("no matrix: {other:?}"),
    }
}

/// When each scrape of a job was, and whether it was good, as Prometheus has them.
async fn scrapes(prom: &Prometheus, job: &str, until: Timestamp) -> Vec<(Timestamp, bool)> {
    let told = prom.instant(&format!("up{{job=\"{job}\"}}[10m]"), until).await.outcome.unwrap();
    let lines = matrix(told.data);
    assert_eq!(lines.len(), 1);
    lines[0].points.iter().map(|(at, value)| (*at, value.0 > 0.5)).collect()
}

/// Values by labels and moment.
type Values = BTreeMap<(Labels, Timestamp), f64>;

fn values(data: Data) -> Option<Values> {
    let zero = Timestamp::default();
    Some(match data {
        Data::Scalar(value) => [((Labels::default(), zero), value.0)].into(),
        Data::Text(_) => return None,
        Data::Vector(points) => {
            points.into_iter().map(|point| ((point.labels, zero), point.value.0)).collect()
        }
        Data::Matrix(lines) => lines
            .into_iter()
            .flat_map(|line| {
                let labels = line.labels;
                line.points.into_iter().map(move |(at, Num(value))| ((labels.clone(), at), value))
            })
            .collect(),
    })
}

fn near(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits()
        || (a.is_nan() && b.is_nan())
        || (a.is_finite() && b.is_finite() && (a - b).abs() <= 1e-9 * a.abs().max(b.abs()))
}

/// Whether both say the same; of equal values any series may be chosen.
fn same(text: &str, ours: &Values, theirs: &Values) -> Result<(), String> {
    if ours.len() != theirs.len() {
        return Err(format!("{} values, Prometheus has {}", ours.len(), theirs.len()));
    }
    if text.contains("topk") || text.contains("bottomk") {
        let sorted = |all: &Values| {
            let mut all: Vec<f64> = all.values().copied().collect();
            all.sort_by(f64::total_cmp);
            all
        };
        let (ours, theirs) = (sorted(ours), sorted(theirs));
        return match ours.iter().zip(&theirs).find(|(a, b)| !near(**a, **b)) {
            Some(pair) => Err(format!("{pair:?}")),
            None => Ok(()),
        };
    }
    for ((key, a), (other, b)) in ours.iter().zip(theirs) {
        if key != other || !near(*a, *b) {
            return Err(format!("{key:?} {a}, Prometheus has {other:?} {b}"));
        }
    }
    Ok(())
}

#[derive(Debug, Default)]
struct Count {
    compared: usize,
    equal: usize,
    with_values: usize,
    refused_by_both: usize,
}

/// Both engines, and the moments they are asked about.
struct Both {
    prom: Arc<Prometheus>,
    memory: Memory,
    moments: [Timestamp; 2],
    range: (Timestamp, Timestamp),
}

impl Both {
    async fn compare(&self, text: &str, count: &mut Count, wrong: &mut Vec<String>) {
        let limits = Limits::default();
        let expr = match promql::parse(text) {
            Ok(expr) => expr,
            Err(error) => panic!("{text}: {error}"),
        };
        let mut with_values = false;
        let mut failures = Vec::new();
        let mut refused = 0;
        for at in self.moments {
            let ours = promql::instant(&expr, &self.memory, at, &limits);
            let theirs = self.prom.instant(text, at).await.outcome;
            let (ours, theirs) =
                (ours.map(|it| it.data).map_err(|it| it.message), theirs.map(|it| it.data));
            match (ours, theirs.map_err(|it| it.message)) {
                (Ok(ours), Ok(theirs)) => {
                    let (Some(ours), Some(theirs)) = (values(ours), values(theirs)) else {
                        continue;
                    };
                    with_values |= !theirs.is_empty();
                    failures.extend(same(text, &ours, &theirs).err());
                }
                (Err(_), Err(_)) => refused += 1,
                (ours, theirs) => failures.push(format!("{ours:?}, Prometheus: {theirs:?}")),
            }
        }
        let (start, end) = self.range;
        let ours = promql::range(&expr, &self.memory, start, end, STEP, &limits);
        let theirs = self.prom.range(text, start, end, STEP).await.outcome;
        match (ours.map_err(|it| it.message), theirs.map_err(|it| it.message)) {
            (Ok(ours), Ok(theirs)) => {
                let (ours, theirs) = (values(ours.data).unwrap(), values(theirs.data).unwrap());
                with_values |= !theirs.is_empty();
                failures.extend(same(text, &ours, &theirs).err().map(|it| format!("range: {it}")));
            }
            (Err(_), Err(_)) => refused += 1,
            (ours, theirs) => failures.push(format!("range: {ours:?}, Prometheus: {theirs:?}")),
        }
        if refused == 3 {
            count.refused_by_both += 1;
            return;
        }
        count.compared += 1;
        count.with_values += usize::from(with_values);
        count.equal += usize::from(failures.is_empty());
        if !failures.is_empty() {
            let words: String = failures.join("; ").chars().take(600).collect();
            wrong.push(format!("{text}: {words}"));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_prometheus_says_the_same_of_the_same_scrapes() {
    let (Some(prometheus), Some(exporter)) =
        (program("prometheus"), program("prometheus-node-exporter"))
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (port, node) = (free_port(), free_port());
    let targets = [
        ("node", serve(move |_| fetched(node))),
        ("prometheus", serve(move |_| fetched(port))),
        ("app", serve(page::page)),
    ];
    let mut config =
        "global: { scrape_interval: 1s, scrape_timeout: 1s }\nscrape_configs:\n".to_owned();
    for (job, (at, _)) in &targets {
        let targets = format!("[ {{ targets: ['127.0.0.1:{at}'] }} ]");
        config.extend(["- { job_name: ", job, ", static_configs: ", &*targets, " }\n"]);
    }
    std::fs::write(folder.path().join("p.yml"), config).unwrap();
    let mut command = Command::new(exporter);
    let _exporter = Server::start(command.arg(format!("--web.listen-address=127.0.0.1:{node}")));
    listens(node).await;
    let mut command = Command::new(prometheus);
    let _server = Server::start(
        command
            .arg(format!("--config.file={}", folder.path().join("p.yml").display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}")),
    );
    listens(port).await;
    let all = sources(&format!("[prometheus]\nurl = 'http://127.0.0.1:{port}/'\ntimeout = '9s'\n"));
    let prom = all.server.clone().unwrap();
    // A target that Prometheus scrapes each second has enough after so many of them.
    for half in [SCRAPES / 2, SCRAPES] {
        until("enough scrapes", || async {
            targets.iter().all(|(_, (_, pages))| pages.lock().unwrap().len() > half)
        })
        .await;
    }
    // What is being scraped just now is left out.
    let over = now() - Duration::from_secs(2);
    let mut memory = Memory::new(MemoryLimits::default());
    let mut offsets = Vec::new();
    let mut all_scrapes = Vec::new();
    for (job, (at, pages)) in &targets {
        let instance = format!("127.0.0.1:{at}");
        let target = Target::new(job, instance.as_str(), Vec::<(String, String)>::new());
        let pages = pages.lock().unwrap().clone();
        for ((at, good), page) in scrapes(&prom, job, over).await.into_iter().zip(pages) {
            all_scrapes.push((at, target.clone(), page.filter(|_| good)));
        }
    }
    all_scrapes.sort_by_key(|(at, ..)| *at);
    for (at, target, page) in all_scrapes {
        offsets.push(at.millis().rem_euclid(1_000));
        match page {
            Some(page) => {
                let took = Duration::from_millis(1);
                memory.take_page(&target, "text/plain; version=0.0.4", &page, took, at).unwrap();
            }
            None => memory.target_failed(&target, Duration::ZERO, at),
        }
    }
    // The older version counts a sample that lies on the left edge of a range.
    let free = (5..1_000).find(|f| offsets.iter().all(|o| (o - f).abs() > 2)).unwrap();
    let last = Timestamp::from_millis(over.millis() / 1_000 * 1_000 - 5_000 + free);
    let second = Duration::from_secs;
    let both =
        Both { prom, memory, moments: [last, last - second(7)], range: (last - second(15), last) };
    let mut wrong = Vec::new();
    let mut own = Count::default();
    for text in expressions::all() {
        both.compare(&text, &mut own, &mut wrong).await;
    }
    println!("differential, own expressions: {own:?}");
    let mut of_rules = Count::default();
    match made::from_rules(&both.memory, last) {
        None => println!("skipped: OPSROOM_CONFORMANCE names no rules"),
        Some(texts) => {
            for text in &texts {
                both.compare(text, &mut of_rules, &mut wrong).await;
            }
            println!("differential, expressions of rule files: {of_rules:?}");
            assert!(of_rules.compared >= 200, "{of_rules:?}");
            assert!(of_rules.with_values * 2 > of_rules.compared, "{of_rules:?}");
        }
    }
    for words in &wrong {
        println!("differential: DIFFERS {words}");
    }
    assert!(own.compared >= 100 && own.with_values * 10 > own.compared * 8, "{own:?}");
    assert!(wrong.is_empty(), "{} differ", wrong.len());
}

#[test]
fn a_difference_is_seen() {
    let of = |value: f64, job: &str| -> Values {
        [((Labels::new([("job", job)]), Timestamp::default()), value)].into()
    };
    assert!(same("x", &of(1.0, "a"), &of(1.0 + 1e-10, "a")).is_ok());
    assert!(same("x", &of(f64::NAN, "a"), &of(f64::NAN, "a")).is_ok());
    for (ours, theirs) in [
        (of(1.0, "a"), of(1.0 + 1e-8, "a")),
        (of(1.0, "a"), of(1.0, "b")),
        (of(1.0, "a"), Values::new()),
        (of(f64::INFINITY, "a"), of(f64::NEG_INFINITY, "a")),
        (of(f64::NAN, "a"), of(0.0, "a")),
    ] {
        assert!(same("x", &ours, &theirs).is_err());
    }
    assert!(same("topk(1, x)", &of(1.0, "a"), &of(1.0, "b")).is_ok());
    assert!(same("topk(1, x)", &of(1.0, "a"), &of(2.0, "b")).is_err());
}
