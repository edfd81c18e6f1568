//! A page of 100,000 series (13.5 MB of histograms): read, taken in first and
//! warm, selected from, and how much memory 15 minutes at 5 s take.

#![expect(clippy::unwrap_used, reason = "a benchmark may stop at the first surprise")]
#![expect(clippy::print_stdout, reason = "the figures are what it is run for")]

use divan::{Bencher, black_box};
use opsroom::domain::Timestamp;
use opsroom::metrics::exposition::{Format, SampleLine, Sink, Value, parse};
use opsroom::metrics::window::{read, write};
use opsroom::metrics::{Limits, MatchOp, Matcher, Memory, Storage, Target};
use std::fmt::Write as _;
use std::time::Duration;

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
    let pages: Vec<String> = (0..8).map(|_| load.page().to_owned()).collect();
    for page in &pages {
        scrape += 1;
        take(&mut memory, &target, page, scrape);
    }
    bencher.bench_local(|| {
        scrape += 1;
        let page = usize::try_from(scrape).unwrap() % pages.len();
        take(&mut memory, &target, &pages[page], scrape);
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

/// 15 minutes at 5 s: memory, and the CPU of the first and of the other scrapes.
fn tell(series: usize) {
    let mut load = Load::new(series);
    load.page();
    let before = mebibytes("VmRSS:");
    let mut memory = Memory::new(limits());
    let target = target();
    let mut costs = Vec::new();
    for scrape in 1..=180 {
        let page = load.page();
        let from = cpu();
        take(&mut memory, &target, page, scrape);
        costs.push(cpu() - from);
    }
    let grown = mebibytes("VmRSS:").saturating_sub(before);
    let name = "http_request_duration_seconds_bucket".to_owned();
    let matchers = [Matcher { name: "__name__".to_owned(), op: MatchOp::Equal(name) }];
    let until = Timestamp::from_millis(180 * STEP);
    let from = cpu();
    let mut samples = 0;
    memory.select(&matchers, until - Duration::from_mins(5), until, &mut |_, found| {
        samples += found.len();
    });
    let select = cpu() - from;
    let from = cpu();
    let kept = write(&memory);
    let writing = cpu() - from;
    let from = cpu();
    black_box(read(&kept, limits()).unwrap());
    let reading = cpu() - from;
    let stats = memory.stats();
    let first = costs.remove(0);
    costs.sort_by(f64::total_cmp);
    println!(
        "{} series, page of {:.1} MB: CPU first scrape {first:.1} ms, warm median {:.1} ms, \
         p95 {:.1} ms; selecting {samples} samples of 5 min {select:.1} ms",
        stats.series,
        load.body.len() as f64 / 1e6,
        costs[costs.len() / 2],
        costs[costs.len() * 95 / 100],
    );
    println!(
        "  15 min at 5 s: {} samples, {:.1} MB counted, {grown} MiB more resident, {:.2} bytes a \
         sample; kept as {:.1} MB, written in {writing:.0} ms, read in {reading:.0} ms of CPU",
        stats.samples,
        stats.bytes as f64 / 1e6,
        stats.bytes as f64 / stats.samples as f64,
        kept.len() as f64 / 1e6,
    );
}

fn main() {
    // First, while the process is fresh: freed memory would hide what is taken.
    if !std::env::args().any(|argument| argument == "--test") {
        tell(10_000);
        tell(100_000);
    }
    divan::main();
}
