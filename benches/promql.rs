//! How long the usual latency question takes over many series.

#![expect(clippy::unwrap_used, reason = "a benchmark may stop at the first surprise")]

use divan::Bencher;
use opsroom::domain::Timestamp;
use opsroom::metrics::promql::{Limits, instant, parse, range, selectors};
use opsroom::metrics::{Memory, Storage, Target};
use std::fmt::Write as _;
use std::time::Duration;

const SCRAPES: i64 = 24;
const EVERY_S: i64 = 15;
const BOUNDS: [&str; 11] =
    ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "+Inf"];

fn main() {
    divan::main();
}

/// `series` buckets of ten services, from ten targets, over six minutes.
fn filled(series: usize) -> Memory {
    let mut memory = Memory::new(opsroom::metrics::Limits::default());
    let each = series / 10 / BOUNDS.len();
    for scrape in 0..SCRAPES {
        for target in 0..10 {
            let mut page = String::from("# TYPE x histogram\n");
            for route in 0..each {
                let service = route % 10;
                for (i, bound) in BOUNDS.iter().enumerate() {
                    let value = scrape * 7 * i64::try_from(i + route % 5 + 1).unwrap();
                    writeln!(
                        page,
                        "x_bucket{{service=\"service-{service}\",route=\"/route/{route}\",method=\"GET\",le=\"{bound}\"}} {value}"
                    )
                    .unwrap();
                }
            }
            let target = Target::new::<&str, &str>("api", &format!("10.0.0.{target}:9100"), []);
            let at = Timestamp::from_millis(scrape * EVERY_S * 1000);
            memory
                .take_page(
                    &target,
                    "text/plain; version=0.0.4",
                    page.as_bytes(),
                    Duration::from_millis(10),
                    at,
                )
                .unwrap();
        }
    }
    memory
}

const P95: &str = "histogram_quantile(0.95, sum by (service, le) (rate(x_bucket[5m])))";

fn end() -> Timestamp {
    Timestamp::from_millis((SCRAPES - 1) * EVERY_S * 1000)
}

#[divan::bench(args = [1_100, 11_000, 110_000], sample_count = 20)]
fn p95_by_service_now(bencher: Bencher<'_, '_>, series: usize) {
    let memory = filled(series);
    let expr = parse(P95).unwrap();
    bencher.bench(|| instant(&expr, &memory, end(), &Limits::default()).unwrap());
}

#[divan::bench(args = [1_100, 11_000], sample_count = 20)]
fn p95_by_service_over_60_steps(bencher: Bencher<'_, '_>, series: usize) {
    let memory = filled(series);
    let expr = parse(P95).unwrap();
    let start = Timestamp::from_millis(end().millis() - 59_000);
    let step = Duration::from_secs(1);
    bencher.bench(|| range(&expr, &memory, start, end(), step, &Limits::default()).unwrap());
}

#[divan::bench(args = [11_000], sample_count = 20)]
fn latest_values_summed(bencher: Bencher<'_, '_>, series: usize) {
    let memory = filled(series);
    let expr = parse("sum(x_bucket)").unwrap();
    bencher.bench(|| instant(&expr, &memory, end(), &Limits::default()).unwrap());
}

/// What of it the storage takes.
#[divan::bench(args = [1_100, 11_000, 110_000], sample_count = 20)]
fn selecting_alone(bencher: Bencher<'_, '_>, series: usize) {
    let memory = filled(series);
    let expr = parse(P95).unwrap();
    let matchers = &selectors(&expr)[0].matchers;
    let after = Timestamp::from_millis(end().millis() - 300_000);
    bencher.bench(|| {
        let mut samples = 0;
        memory.select(matchers, after, end(), &mut |_, found| samples += found.len());
        samples
    });
}

#[divan::bench]
fn parsing_the_question(bencher: Bencher<'_, '_>) {
    bencher.bench(|| parse(divan::black_box(P95)).unwrap());
}
