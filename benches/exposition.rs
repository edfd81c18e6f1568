//! A page of 100,000 series (13.5 MB of histograms): read, taken in first and
//! warm, selected from, and how much memory 15 minutes at 5 s take.

#![expect(clippy::unwrap_used, reason = "a benchmark may stop at the first surprise")]
#![expect(clippy::print_stdout, reason = "the figures are what it is run for")]

use divan::{AllocProfiler, Bencher, black_box};
use opsroom::domain::Timestamp;
use opsroom::metrics::exposition::{Format, SampleLine, Sink, Value, parse};
use opsroom::metrics::promql;
use opsroom::metrics::window::{read, snapshot, write};
use opsroom::metrics::{Limits, MatchOp, Matcher, Memory, Storage, Target};
use std::fmt::Write as _;
use std::time::Duration;

/// Counts: a warm scrape shows none, but where a chunk is full.
#[global_allocator]
static ALLOC: AllocProfiler = AllocProfiler::system();

const BOUNDS: [&str; 12] =
    ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1.0", "2.5", "5.0", "10.0", "+Inf"];
const STEP: i64 = 5_000;

/// Histograms whose counters all move from scrape to scrape.
struct Load {
    series: Vec<[u64; 12]>,
    random: u64,
    body: String,
}

impl Load {
    fn new(series: usize) -> Self {
        let series = vec![[0; 12]; series.div_ceil(14)];
        Self { series, random: 0x9e37_79b9_7f4a_7c15, body: String::new() }
    }

    fn page(&mut self) -> &str {
        self.body.clear();
        self.body.push_str("# HELP http_request_duration_seconds Time to answer.\n");
        self.body.push_str("# TYPE http_request_duration_seconds histogram\n");
        for (i, counts) in self.series.iter_mut().enumerate() {
            let mut more = 0;
            for count in counts.iter_mut() {
                self.random ^= self.random << 13;
                self.random ^= self.random >> 7;
                self.random ^= self.random << 17;
                more += self.random % 12;
                *count += more;
            }
            let labels = format!(
                "service=\"service-{}\",method=\"GET\",route=\"/api/v1/orders/{{id}}/{}\",code=\"200\",pod=\"web-{:05}\"",
                i % 40,
                i % 23,
                i
            );
            for (bound, count) in BOUNDS.iter().zip(counts.iter()) {
                writeln!(
                    self.body,
                    "http_request_duration_seconds_bucket{{{labels},le=\"{bound}\"}} {count}"
                )
                .unwrap();
            }
            let total = counts[11];
            let sum = total as f64 * 0.043_217;
            writeln!(self.body, "http_request_duration_seconds_sum{{{labels}}} {sum}").unwrap();
            writeln!(self.body, "http_request_duration_seconds_count{{{labels}}} {total}").unwrap();
        }
        &self.body
    }
}

fn target() -> Target {
    Target::new("shop", "10.0.0.1:9100", [("zone", "a")])
}

fn limits() -> Limits {
    Limits { bytes: 1 << 30, ..Limits::default() }
}

fn take(memory: &mut Memory, target: &Target, body: &str, scrape: i64) {
    let at = Timestamp::from_millis(scrape * STEP);
    let took = Duration::from_millis(50);
    memory.take_page(target, "text/plain; version=0.0.4", body.as_bytes(), took, at).unwrap();
}

struct Sum(f64);

impl Sink for Sum {
    fn sample(&mut self, sample: &SampleLine<'_, '_>) {
        if let Value::Float(value) = sample.value {
            self.0 += value;
        }
    }
}

#[divan::bench(sample_count = 20)]
fn read_100k(bencher: Bencher<'_, '_>) {
    let mut load = Load::new(100_000);
    let page = load.page();
    bencher.bench_local(|| {
        let mut sum = Sum(0.0);
        black_box(parse(page.as_bytes(), Format::Text, &mut sum));
        sum.0
    });
}

#[divan::bench(sample_count = 3)]
fn read_100k_by_prometheus_parse(bencher: Bencher<'_, '_>) {
    let mut load = Load::new(100_000);
    // It drops lines whose values hold a brace, so it gets none.
    let page = load.page().replace("{id}", "id");
    bencher.bench_local(|| {
        let lines = page.lines().map(|line| Ok(line.to_owned()));
        prometheus_parse::Scrape::parse(lines).unwrap().samples.len()
    });
}

#[divan::bench(sample_count = 10)]
fn first_scrape_of_100k(bencher: Bencher<'_, '_>) {
    let mut load = Load::new(100_000);
    let page = load.page();
    bencher.with_inputs(|| Memory::new(limits())).bench_local_values(|mut memory| {
        take(&mut memory, &target(), page, 1);
        memory
    });
}

#[divan::bench(sample_count = 40, sample_size = 1)]
fn warm_scrape_of_100k(bencher: Bencher<'_, '_>) {
    let mut load = Load::new(100_000);
    let mut memory = Memory::new(limits());
    let mut scrape = 0;
    let target = target();
    // Until the room for samples has been made.
    while scrape < 10 {
        scrape += 1;
        take(&mut memory, &target, load.page(), scrape);
    }
    bencher.with_inputs(|| load.page().to_owned()).bench_local_refs(|page| {
        scrape += 1;
        take(&mut memory, &target, page, scrape);
    });
}

#[divan::bench(sample_count = 20)]
fn select_5_minutes_of_100k(bencher: Bencher<'_, '_>) {
    let mut load = Load::new(100_000);
    let mut memory = Memory::new(limits());
    let target = target();
    for scrape in 1..=70 {
        let page = load.page().to_owned();
        take(&mut memory, &target, &page, scrape);
    }
    let name = "http_request_duration_seconds_bucket".to_owned();
    let matchers = [Matcher { name: "__name__".to_owned(), op: MatchOp::Equal(name) }];
    let until = Timestamp::from_millis(70 * STEP);
    bencher.bench_local(|| {
        let mut samples = 0;
        memory.select(&matchers, until - Duration::from_mins(5), until, &mut |_, found| {
            samples += found.len();
        });
        samples
    });
}

/// A figure of this process in MiB.
fn mebibytes(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// Milliseconds of CPU that this process has had, whatever else ran beside it.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    stat.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1e6
}

const LATENCY: &str = "histogram_quantile(0.95, sum by (le, service) (rate(http_request_duration_seconds_bucket[5m])))";

/// Milliseconds of CPU of each of so many rounds.
fn cpu_each(rounds: u32, mut round: impl FnMut()) -> f64 {
    let from = cpu();
    (0..rounds).for_each(|_| round());
    (cpu() - from) / f64::from(rounds)
}

/// 15 minutes at 5 s: memory, and the CPU of scrapes, questions and keeping. One
/// line of JSON.
fn tell(series: usize) {
    let mut load = Load::new(series);
    load.page();
    let target = target();
    let before = mebibytes("VmRSS:");
    let mut memory = Memory::new(limits());
    take(&mut memory, &target, load.page(), 1);
    let mut warm = 0.0;
    for scrape in 2..=180 {
        let page = load.page();
        let from = cpu();
        take(&mut memory, &target, page, scrape);
        warm += cpu() - from;
    }
    let (grown, whole) = (mebibytes("VmRSS:").saturating_sub(before), mebibytes("VmRSS:"));
    let until = Timestamp::from_millis(180 * STEP);
    let expr = promql::parse(LATENCY).unwrap();
    let ask = |memory: &Memory| {
        promql::instant(&expr, memory, until, &promql::Limits::default()).unwrap()
    };
    let from = cpu();
    black_box(ask(&memory));
    let asked_first = cpu() - from;
    let asked = cpu_each(50, || drop(black_box(ask(&memory))));
    let taken = cpu_each(5, || drop(black_box(snapshot(&memory))));
    let kept = write(&memory);
    let reading = cpu_each(3, || drop(black_box(read(&kept, limits()).unwrap())));
    let stats = memory.stats();
    drop(memory);
    let page = load.page();
    let first = cpu_each(5, || {
        let mut memory = Memory::new(limits());
        take(&mut memory, &target, page, 1);
        // Giving it back is no part of a scrape, but costs little.
        black_box(memory);
    });
    println!(
        "{{\"series\": {}, \"page_mb\": {:.1}, \"first_ms\": {first:.1}, \"warm_ms\": {:.2}, \
         \"query_ms\": {asked:.3}, \"query_first_ms\": {asked_first:.1}, \"memory_mib\": {grown}, \
         \"process_mib\": {whole}, \"counted_mb\": {:.1}, \"samples\": {}, \"snapshot_ms\": {taken:.1}, \
         \"read_ms\": {reading:.1}, \"file_mb\": {:.1}}}",
        stats.series,
        page.len() as f64 / 1e6,
        warm / 179.0,
        stats.bytes as f64 / 1e6,
        stats.samples,
        kept.len() as f64 / 1e6,
    );
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--tell") {
        let series = arguments.get(at + 1).and_then(|series| series.parse().ok());
        return tell(series.unwrap_or(100_000));
    }
    divan::main();
}
