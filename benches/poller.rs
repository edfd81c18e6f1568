//! 1,000 and 10,000 http targets at 10 s, served by another process on
//! loopback: CPU per 1,000 polls, memory, lateness, polls missed.
//!
//! `cargo bench --bench poller [-- TARGETS...]`; takes about 45 s a size.

#![expect(clippy::unwrap_used, reason = "a benchmark may stop at the first surprise")]
#![expect(clippy::print_stdout, reason = "the figures are what it is run for")]

use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, body::Bytes, body::Incoming};
use hyper_util::rt::TokioIo;
use opsroom::config::Found;
use opsroom::runtime::assemble::Assembled;
use opsroom::runtime::clock::{Clock, instant};
use opsroom::runtime::poller::{IN_FLIGHT, Order, PollEnd, Poller};
use std::convert::Infallible;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const EVERY: Duration = Duration::from_secs(10);
/// Intervals that are measured, after one that is not.
const ROUNDS: u32 = 3;

fn main() {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if arguments.first().is_some_and(|word| word == "serve") {
        return serve();
    }
    let _ = rustls::crypto::ring::default_provider().install_default();
    if let [only] = arguments.as_slice() {
        return measure(only.parse().unwrap());
    }
    // Each size in a process of its own, so that its memory is its own.
    for size in ["1000", "10000"] {
        let program = std::env::current_exe().unwrap();
        assert!(Command::new(program).arg(size).status().unwrap().success());
    }
}

/// Answers every request on a port of its own until its input ends.
fn serve() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        std::thread::spawn(|| {
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            std::process::exit(0);
        });
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(Duration::from_millis(5)).await;
                continue;
            };
            let answer = service_fn(|_: Request<Incoming>| async {
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(
                    b"{\"status\":\"ok\"}",
                ))))
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
        }
    });
}

/// CPU of this process so far, and its resident memory.
fn used() -> (Duration, u64) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kilobytes = resident.split_whitespace().next().unwrap().parse().unwrap();
    (Duration::from_millis(ticks * 10), kilobytes)
}

fn measure(targets: usize) {
    let mut server = Command::new(std::env::current_exe().unwrap())
        .arg("serve")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut address = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut address).unwrap();
    let address = address.trim();

    let mut text = String::from("[poll]\nevery = \"10s\"\n");
    for i in 0..targets {
        writeln!(text, "[service.s{i}]\nhealth = \"http://{address}/health/{i}\"").unwrap();
    }
    let (_, before) = used();
    let found = Found { path: "bench.toml".into(), text };
    let assembled = Assembled::of(&found, false).unwrap();
    drop(found);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ends: Arc<Mutex<Vec<(Duration, bool)>>> = Arc::default();
    let (begin, end, first_round) = runtime.block_on(async {
        let kept = ends.clone();
        let deliver = Box::new(move |polls: Vec<PollEnd>| {
            let mut kept = kept.lock().unwrap();
            kept.extend(polls.iter().map(|poll| (poll.late, poll.outcome.is_ok())));
        });
        let (poller, handle) = Poller::new(Clock::Wall, IN_FLIGHT, deliver);
        tokio::spawn(poller.run());
        let start = instant();
        handle.order(Order::Sources(assembled.sources.clone()));
        while ends.lock().unwrap().len() < targets {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let first_round = instant() - start;
        // All polls of a whole interval later the first round is over.
        tokio::time::sleep_until(start + 2 * EVERY).await;
        ends.lock().unwrap().clear();
        let begin = used();
        tokio::time::sleep_until(start + (2 + ROUNDS) * EVERY).await;
        (begin, used(), first_round)
    });
    let _ = server.kill();
    let _ = server.wait();

    let ends = ends.lock().unwrap();
    let mut late: Vec<Duration> = ends.iter().map(|(late, _)| *late).collect();
    late.sort();
    let at = |percent: usize| late[(late.len() - 1) * percent / 100];
    let expected = targets * ROUNDS as usize;
    let cpu = end.0.saturating_sub(begin.0).as_secs_f64();
    let memory = end.1.saturating_sub(before) as f64 / 1024.0;
    println!("{targets} targets at 10 s, {} polls in {ROUNDS} intervals", ends.len());
    println!("  all seen after            {first_round:?}");
    println!("  CPU per 1,000 polls       {:.3} s", cpu / ends.len() as f64 * 1000.0);
    println!("  memory per 1,000 targets  {:.1} MB", memory * 1000.0 / targets as f64);
    println!("  resident                  {:.1} MB", end.1 as f64 / 1024.0);
    println!("  late p50 / p99 / max      {:?} / {:?} / {:?}", at(50), at(99), at(100));
    println!("  missed                    {}", expected.saturating_sub(ends.len()));
    println!("  failed                    {}", ends.iter().filter(|(_, good)| !good).count());
}
