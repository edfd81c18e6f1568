//! The poller on a paused clock, with sources that are fakes.

use super::*;
use crate::domain::{CheckReading, Reading, SourceInfo};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

#[derive(Clone, Copy)]
enum Does {
    Answer,
    Fail,
    Hang,
    Panic,
    Wish(u64),
}

struct Fake {
    info: SourceInfo,
    does: Does,
    takes: Duration,
    flying: Arc<AtomicUsize>,
    most_flying: Arc<AtomicUsize>,
}

impl Source for Fake {
    fn info(&self) -> &SourceInfo {
        &self.info
    }
    fn poll(&self, _now: Timestamp) -> BoxFuture<'_, Result<Brought, PollError>> {
        Box::pin(async move {
            let flying = self.flying.fetch_add(1, Ordering::Relaxed) + 1;
            self.most_flying.fetch_max(flying, Ordering::Relaxed);
            tokio::time::sleep(self.takes).await;
            self.flying.fetch_sub(1, Ordering::Relaxed);
            match self.does {
                Does::Answer => Ok(Brought::Reading(Reading::Check(CheckReading::default()))),
                Does::Fail => Err(PollError::new(PollFailure::Refused, "connection refused")),
                Does::Hang => std::future::pending().await,
                Does::Panic => panic!("index out of bounds"),
                Does::Wish(seconds) => Err(PollError {
                    retry_after: Some(Duration::from_secs(seconds)),
                    ..PollError::new(PollFailure::Limited, "HTTP 429")
                }),
            }
        })
    }
}

struct Bench {
    flying: Arc<AtomicUsize>,
    most_flying: Arc<AtomicUsize>,
    ends: Arc<Mutex<Vec<PollEnd>>>,
    deliveries: Arc<AtomicUsize>,
    handle: PollerHandle,
    start: Timestamp,
}

impl Bench {
    fn new(most: usize) -> Self {
        let start = Timestamp::from_millis(1_000_000);
        let ends = Arc::new(Mutex::new(Vec::new()));
        let deliveries = Arc::new(AtomicUsize::new(0));
        let (into, count) = (ends.clone(), deliveries.clone());
        let (poller, handle) = Poller::new(
            Clock::following_tokio(start),
            most,
            Box::new(move |more| {
                count.fetch_add(1, Ordering::Relaxed);
                into.lock().unwrap().extend(more);
            }),
        );
        tokio::spawn(poller.run());
        Self {
            flying: Arc::default(),
            most_flying: Arc::default(),
            ends,
            deliveries,
            handle,
            start,
        }
    }

    fn source(&self, name: &str, does: Does, role: Role) -> Arc<dyn Source> {
        Arc::new(Fake {
            info: SourceInfo {
                id: name.into(),
                kind: "fake".into(),
                label: name.into(),
                asks: String::new(),
                every: Duration::from_secs(10),
                timeout: Duration::from_secs(5),
                role,
                network: true,
                note: None,
                cost: String::new(),
            },
            does,
            takes: Duration::from_millis(3),
            flying: self.flying.clone(),
            most_flying: self.most_flying.clone(),
        })
    }

    fn sources(&self, sources: Vec<Arc<dyn Source>>) {
        self.handle.order(Order::Sources(sources));
    }

    async fn run(&self, seconds: u64) -> Vec<PollEnd> {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        std::mem::take(&mut self.ends.lock().unwrap())
    }

    /// When the polls began, in milliseconds after the start.
    fn begun(&self, ends: &[PollEnd]) -> Vec<i64> {
        ends.iter().map(|end| end.taken.millis() - self.start.millis()).collect()
    }
}

fn server() -> Role {
    Role::Server
}

fn canary() -> Role {
    Role::Canary
}

#[tokio::test(start_paused = true)]
async fn a_source_is_polled_at_once_and_then_at_its_own_moment_without_drift() {
    let bench = Bench::new(8);
    bench.sources(vec![bench.source("a", Does::Answer, canary())]);
    let begun = bench.begun(&bench.run(1_000).await);
    assert_eq!(begun[0], 0);
    assert!((5_000..=15_000).contains(&begun[1]), "{}", begun[1]);
    assert!((99..=101).contains(&begun.len()), "{}", begun.len());
    for pair in begun[1..].windows(2) {
        assert_eq!(pair[1] - pair[0], 10_000);
    }
}

#[tokio::test(start_paused = true)]
async fn many_sources_are_spread_and_all_seen_within_one_interval() {
    let bench = Bench::new(256);
    let sources: Vec<_> =
        (0..2_000).map(|n| bench.source(&format!("check/{n}"), Does::Answer, canary())).collect();
    bench.sources(sources);
    let first = bench.run(10).await;
    let seen: std::collections::BTreeSet<_> = first.iter().map(|end| end.source.clone()).collect();
    assert_eq!(seen.len(), 2_000);
    bench.run(20).await;
    let steady = bench.run(10).await;
    assert_eq!(steady.len(), 2_000);
    let mut busiest = std::collections::BTreeMap::new();
    for begun in bench.begun(&steady) {
        *busiest.entry(begun / 1_000).or_insert(0) += 1;
    }
    assert!(busiest.values().all(|polls| (120..280).contains(polls)), "{busiest:?}");
    assert!(steady.iter().all(|end| end.late <= Duration::from_millis(2)));
}

#[tokio::test(start_paused = true)]
async fn what_ends_together_comes_together() {
    let bench = Bench::new(256);
    let sources: Vec<_> =
        (0..5_000).map(|n| bench.source(&format!("check/{n}"), Does::Answer, canary())).collect();
    bench.sources(sources);
    bench.run(20).await;
    let before = bench.deliveries.load(Ordering::Relaxed);
    assert_eq!(bench.run(10).await.len(), 5_000);
    let deliveries = bench.deliveries.load(Ordering::Relaxed) - before;
    assert!(deliveries <= 600, "{deliveries}");
}

#[tokio::test(start_paused = true)]
async fn a_hung_source_ends_at_its_time_out_and_a_panicking_one_alone() {
    let bench = Bench::new(8);
    bench.sources(vec![
        bench.source("hung", Does::Hang, canary()),
        bench.source("broken", Does::Panic, canary()),
        bench.source("well", Does::Answer, canary()),
    ]);
    let ends = bench.run(100).await;
    let of = |name: &str| {
        ends.iter().filter(|end| end.source.as_str() == name).cloned().collect::<Vec<_>>()
    };
    for name in ["hung", "broken", "well"] {
        assert!(of(name).len() >= 9, "{name}: {}", of(name).len());
    }
    let hung = of("hung")[0].outcome.clone().unwrap_err();
    assert_eq!((hung.cause, hung.message.as_str()), (PollFailure::Timeout, "no answer within 5s"));
    let broken = of("broken")[0].outcome.clone().unwrap_err();
    assert_eq!(broken.message, "this check has a mistake: index out of bounds");
}

#[tokio::test(start_paused = true)]
async fn no_more_polls_are_under_way_than_allowed_and_waiting_shows_as_lateness() {
    let bench = Bench::new(4);
    let sources: Vec<_> =
        (0..50).map(|n| bench.source(&format!("check/{n}"), Does::Answer, canary())).collect();
    bench.sources(sources);
    bench.run(2).await;
    bench.handle.order(Order::All);
    let ends = bench.run(1).await;
    assert_eq!(ends.len(), 50);
    assert_eq!(bench.most_flying.load(Ordering::Relaxed), 4);
    assert!(ends.iter().any(|end| end.late > Duration::from_millis(20)));
}

#[tokio::test(start_paused = true)]
async fn many_hung_sources_do_not_hold_up_those_that_answer() {
    let bench = Bench::new(16);
    let mut sources: Vec<_> =
        (0..500).map(|n| bench.source(&format!("hung/{n}"), Does::Hang, canary())).collect();
    sources.extend((0..20).map(|n| bench.source(&format!("well/{n}"), Does::Answer, canary())));
    bench.sources(sources);
    bench.run(60).await;
    let ends = bench.run(60).await;
    let well: Vec<_> = ends.iter().filter(|end| end.source.as_str().starts_with("well")).collect();
    // 500 that each count for a second, 16 at a time, take longer than their
    // interval; nobody is left out for that.
    assert!(well.len() >= 20 * 2, "{}", well.len());
    assert!(ends.len() >= 16 * 55, "{}", ends.len());
}

fn backup() -> Role {
    Role::Backup(crate::domain::BackupRole {
        name: "orders".into(),
        service: None,
        rpo: Duration::from_hours(1),
        rto: None,
        keep: None,
        keep_for: None,
        restore_test: None,
        min_free: None,
        at_most: crate::domain::Status::Critical,
    })
}

#[tokio::test(start_paused = true)]
async fn few_backups_are_looked_at_at_once_and_hold_up_nobody_else() {
    let bench = Bench::new(64);
    let mut sources: Vec<_> =
        (0..40).map(|n| bench.source(&format!("backup/{n}"), Does::Answer, backup())).collect();
    bench.sources(sources.clone());
    bench.run(2).await;
    bench.handle.order(Order::All);
    assert_eq!(bench.run(1).await.iter().filter(|end| !end.late.is_zero()).count(), 40 - LOOKS);
    assert_eq!(bench.most_flying.load(Ordering::Relaxed), LOOKS);

    // Those that hang make room after a while; a check never waits for them.
    let bench = Bench::new(64);
    sources = (0..8).map(|n| bench.source(&format!("hung/{n}"), Does::Hang, backup())).collect();
    sources.extend((0..8).map(|n| bench.source(&format!("backup/{n}"), Does::Answer, backup())));
    sources.push(bench.source("check", Does::Answer, canary()));
    bench.sources(sources);
    let ends = bench.run(10).await;
    assert!(ends.iter().any(|end| end.source.as_str() == "check"));
    let ends = bench.run(30).await;
    assert!(ends.iter().any(|end| end.source.as_str() == "backup/7"));
}

#[tokio::test(start_paused = true)]
async fn a_server_is_asked_less_and_less_often_while_it_fails_and_a_check_is_not() {
    let bench = Bench::new(8);
    bench.sources(vec![
        bench.source("prometheus", Does::Fail, server()),
        bench.source("check", Does::Fail, canary()),
    ]);
    let ends = bench.run(4_000).await;
    let count = |name: &str| ends.iter().filter(|end| end.source.as_str() == name).count();
    assert!(count("check") >= 399, "{}", count("check"));
    // 10 s, 20 s, 40 s … and never more than 5 minutes apart.
    assert!((15..=22).contains(&count("prometheus")), "{}", count("prometheus"));
    let last = ends.iter().rfind(|end| end.source.as_str() == "prometheus").unwrap();
    assert!(last.next.since(last.taken) <= CEILING + Duration::from_secs(11));
}

#[tokio::test(start_paused = true)]
async fn a_wish_to_be_left_alone_is_kept_within_reason() {
    let bench = Bench::new(8);
    bench.sources(vec![
        bench.source("minute", Does::Wish(60), canary()),
        bench.source("ages", Does::Wish(1_000_000_000), canary()),
    ]);
    let ends = bench.run(3_000).await;
    let count = |name: &str| ends.iter().filter(|end| end.source.as_str() == name).count();
    assert!((42..=51).contains(&count("minute")), "{}", count("minute"));
    assert!((9..=11).contains(&count("ages")), "{}", count("ages"));
}

#[tokio::test(start_paused = true)]
async fn asking_again_is_beside_the_schedule() {
    let bench = Bench::new(8);
    bench.sources(vec![bench.source("a", Does::Answer, canary())]);
    let undisturbed = bench.begun(&bench.run(40).await);
    bench.handle.order(Order::Again("a".into(), Duration::from_secs(1)));
    bench.handle.order(Order::Now("nobody".into()));
    let with = bench.begun(&bench.run(40).await);
    assert!(with.contains(&41_000), "{with:?}");
    let phase = undisturbed[1] % 10_000;
    assert_eq!(with.iter().filter(|begun| **begun % 10_000 == phase).count(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_reload_keeps_the_schedule_of_those_that_stay() {
    let bench = Bench::new(8);
    bench.sources(vec![
        bench.source("stays", Does::Answer, canary()),
        bench.source("goes", Does::Hang, canary()),
    ]);
    let before = bench.run(33).await;
    let phase = bench.begun(&before).last().copied().unwrap_or(0);
    bench.sources(vec![
        bench.source("new", Does::Answer, canary()),
        bench.source("stays", Does::Answer, canary()),
        bench.source("stays", Does::Fail, canary()),
    ]);
    let after = bench.run(40).await;
    let stays: Vec<_> =
        after.iter().filter(|end| end.source.as_str() == "stays").cloned().collect();
    assert_eq!(stays.len(), 4);
    assert!(stays.iter().all(|end| end.outcome.is_ok()));
    let kept = before.iter().rfind(|end| end.source.as_str() == "stays").unwrap();
    assert_eq!((bench.begun(&stays)[0] - bench.begun(std::slice::from_ref(kept))[0]) % 10_000, 0);
    assert!(after.iter().all(|end| end.source.as_str() != "goes"));
    assert_eq!(bench.begun(&after[..1])[0], 33_000, "the new one is polled at once");
    let _ = phase;
}
