//! Followers against sockets that tests answer.

use super::*;
use crate::domain::Timestamp;
use crate::domain::runs::{BookRef, Plan, RunOutcome, StepId, Who};
use crate::journal::Place;
use crate::runbook::{Doing, Hidden};
use std::collections::BTreeMap;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::UnixListener;
use tokio::sync::mpsc;

struct Bench {
    scratch: tempfile::TempDir,
    listener: Option<UnixListener>,
    orders: Option<Sender<Order>>,
    heard: Receiver<Heard>,
}

impl Bench {
    /// A follower of the run `4f2k`, and whoever listens there.
    fn new(listens: bool) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let listener =
            listens.then(|| UnixListener::bind(scratch.path().join("4f2k.sock")).unwrap());
        let folder = scratch.path().to_path_buf();
        let place = Place { sockets: folder.clone(), ..Place::own(&folder) };
        let (orders, ordered) = mpsc::channel(8);
        let (hears, heard) = mpsc::channel(64);
        let journal = Reader::new(place);
        let wanted = Wanted { run: "4f2k".into(), journal, listens: false, past_first: false };
        tokio::spawn(follow(wanted, ordered, hears));
        Self { scratch, listener, orders: Some(orders), heard }
    }

    /// The follower's connection and what it said first.
    async fn met(&self) -> (BufReader<UnixStream>, Hello) {
        let (stream, _) = self.listener.as_ref().unwrap().accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        let hello = serde_json::from_str(&line(&mut stream).await).unwrap();
        (stream, hello)
    }

    async fn hears(&mut self) -> Option<Heard> {
        self.heard.recv().await
    }

    /// All that is told, one by one, until so much was.
    async fn told(&mut self, count: usize) -> Vec<Told> {
        let mut all = Vec::new();
        while all.len() < count {
            match self.hears().await {
                Some(Heard::Told(told)) => all.extend(told),
                other => panic!("not told: {other:?}"),
            }
        }
        all
    }
}

async fn line(stream: &mut BufReader<UnixStream>) -> String {
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    line
}

async fn tell(stream: &mut BufReader<UnixStream>, told: &Told) {
    stream.get_mut().write_all(&line_of(told)).await.unwrap();
}

fn output(from: u64, text: &str) -> Told {
    Told::Output { step: StepId(1), from, text: text.into() }
}

fn entry(place: i64, what: RunRecord) -> Told {
    Told::Entry(Entry {
        place,
        writer: "w".into(),
        seq: 1,
        at: Timestamp::from_millis(5),
        record: Record::Run { run: "4f2k".into(), what },
        hash: String::new(),
    })
}

/// The start of a run by this very process.
fn started() -> Told {
    let book = BookRef {
        id: "restart".into(),
        title: "Restart".into(),
        path: "built in".into(),
        hash: String::new(),
        foreign: false,
    };
    let plan = Plan {
        book,
        environment: "test".into(),
        armed_only: false,
        config: "/c.toml".into(),
        host: "h".into(),
        user: "u".into(),
        folder: "/".into(),
        target: "host/h".into(),
        service: None,
        alert: None,
        values: Vec::new(),
        environ: BTreeMap::new(),
        steps: Vec::new(),
        pins: Vec::new(),
        timeout: Duration::from_secs(1),
        warnings: Vec::new(),
    };
    let process = process::own().unwrap();
    let before = Vec::new();
    entry(1, RunRecord::Started { who: Who::default(), plan: Box::new(plan), process, before })
}

fn ended() -> Told {
    let outcome = RunOutcome::Proved;
    entry(2, RunRecord::Ended { outcome, reason: String::new(), proof: None })
}

#[tokio::test]
async fn what_is_told_is_heard_and_what_is_ordered_arrives() {
    let mut bench = Bench::new(true);
    let (mut stream, hello) = bench.met().await;
    assert_eq!(hello, Hello { run: "4f2k".into(), output_from: 0, listens: false });
    for told in [&started(), &output(0, "one\n"), &Told::Doing(Doing::default())] {
        tell(&mut stream, told).await;
    }
    assert_eq!(bench.told(3).await[1], output(0, "one\n"));
    let cancel = Order::Cancel { step: StepId(1) };
    bench.orders.as_ref().unwrap().send(cancel.clone()).await.unwrap();
    let arrived: Order = serde_json::from_str(&line(&mut stream).await).unwrap();
    assert_eq!(arrived, cancel);
    // One's own process may have one's secrets.
    let secrets = BTreeMap::from([("TOKEN".to_owned(), Hidden("s3cret".into()))]);
    let values = Order::Values { values: BTreeMap::new(), secrets };
    bench.orders.as_ref().unwrap().send(values).await.unwrap();
    assert!(line(&mut stream).await.contains("s3cret"));
    tell(&mut stream, &ended()).await;
    bench.told(1).await;
    drop(stream);
    assert_eq!(bench.hears().await, Some(Heard::Ended));
    assert_eq!(bench.hears().await, None);
}

#[tokio::test]
async fn a_line_that_is_cut_is_taken_up_where_it_was() {
    let mut bench = Bench::new(true);
    let (mut stream, _) = bench.met().await;
    tell(&mut stream, &started()).await;
    tell(&mut stream, &output(100, "four\n")).await;
    bench.told(2).await;
    drop(stream);
    assert!(matches!(bench.hears().await, Some(Heard::Lost(_))));
    let (stream, hello) = bench.met().await;
    assert_eq!(hello.output_from, 105);
    drop(stream);
}

#[tokio::test]
async fn orders_to_nobody_are_refused_in_words() {
    let mut bench = Bench::new(true);
    let (mut stream, _) = bench.met().await;
    tell(&mut stream, &started()).await;
    bench.told(1).await;
    bench.listener = None;
    std::fs::remove_file(bench.scratch.path().join("4f2k.sock")).unwrap();
    drop(stream);
    assert!(matches!(bench.hears().await, Some(Heard::Lost(_))));
    bench.orders.as_ref().unwrap().send(Order::Start("h".into())).await.unwrap();
    loop {
        match bench.hears().await {
            Some(Heard::Lost(_)) => {}
            Some(Heard::Told(told)) => {
                assert!(matches!(&told[..], [Told::Refused(why)] if why.starts_with("not sent")));
                return;
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn who_leaves_is_gone_and_what_was_ordered_last_arrives() {
    let mut bench = Bench::new(true);
    let (mut stream, _) = bench.met().await;
    bench.orders.as_ref().unwrap().send(Order::Start("hash".into())).await.unwrap();
    bench.orders = None;
    assert!(line(&mut stream).await.contains("hash"));
    assert_eq!(line(&mut stream).await, "");
    assert_eq!(bench.hears().await, None);
}

#[tokio::test]
async fn a_run_that_is_not_there_is_told_as_such() {
    let mut bench = Bench::new(false);
    assert_eq!(bench.hears().await, Some(Heard::Died("there is no run 4f2k".into())));
    assert_eq!(bench.hears().await, None);
}

#[tokio::test]
async fn a_run_that_ends_before_its_start_has_done_nothing() {
    let mut bench = Bench::new(true);
    drop(bench.met().await);
    let Some(Heard::Died(why)) = bench.hears().await else { panic!("not told") };
    assert!(why.contains("nothing was done"), "{why}");

    let mut bench = Bench::new(true);
    let (mut stream, _) = bench.met().await;
    tell(&mut stream, &Told::Impossible(vec!["no such host".into()])).await;
    drop(stream);
    bench.told(1).await;
    assert_eq!(bench.hears().await, Some(Heard::Ended));
}

#[tokio::test]
async fn nonsense_is_passed_over_and_endless_lines_are_cut() {
    let mut bench = Bench::new(true);
    let (mut stream, _) = bench.met().await;
    let nonsense = b"\n\n{\"new_thing\":{}}\n\xff\xfe\n[[[[\n{\"refused\":7}\n";
    stream.get_mut().write_all(nonsense).await.unwrap();
    tell(&mut stream, &Told::Refused("no".into())).await;
    assert_eq!(bench.told(1).await, [Told::Refused("no".into())]);
    let endless = vec![b'x'; 1 << 20];
    while stream.get_mut().write_all(&endless).await.is_ok() {}
    assert!(matches!(bench.hears().await, Some(Heard::Died(_))));
}
