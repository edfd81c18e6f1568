use super::server::ASKED_AT_ONCE;
use super::*;
use crate::domain::Num;
use crate::metrics::window;
use crate::store::AskRange;
use std::sync::atomic::AtomicBool;

const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn ask(id: &str, expr: &str, at: Timestamp, engine: EngineKind) -> Ask {
    Ask { id: AskId(id.into()), expr: expr.into(), split: None, range: None, at, engine }
}

fn page(text: &str) -> Page {
    Page {
        content_type: "text/plain; version=0.0.4".into(),
        body: bytes::Bytes::copy_from_slice(text.as_bytes()),
        took: Duration::from_millis(3),
    }
}

fn target() -> Target {
    Target::new("api", "a:1", [("zone", "x")])
}

fn started(server: Option<AskServer>) -> (Engine, mpsc::Receiver<Msg>) {
    let (out, answers) = mpsc::channel(16);
    let limits = MemoryLimits::default();
    let (engine, _worker) = Engine::start(Memory::new(limits), limits, server, out).unwrap();
    (engine, answers)
}

async fn next(answers: &mut mpsc::Receiver<Msg>) -> Vec<Answered> {
    match answers.recv().await {
        Some(Msg::Answered(answered)) => answered,
        other => panic!("no answer but {other:?}"),
    }
}

#[tokio::test]
async fn what_is_scraped_is_answered() {
    let (engine, mut answers) = started(None);
    let read = engine.take_page(target(), page("hits 7\nbad line {\n"), START).await.unwrap();
    assert_eq!((read.samples, read.malformed, read.bytes), (1, 1, 18));
    engine.ask(ask("q", "hits * 2", START, EngineKind::Embedded));
    let answered = next(&mut answers).await;
    let answer = &answered[0].answer;
    let Ok(Data::Vector(points)) = &answer.outcome else { panic!("{answer:?}") };
    assert_eq!(points[0].value, Num(14.0));
    assert_eq!(answer.coverage, Coverage::Whole);
}

#[tokio::test]
async fn a_rate_over_more_than_was_seen_says_how_much_was_seen() {
    let (engine, mut answers) = started(None);
    for (i, value) in [10, 20, 30].into_iter().enumerate() {
        let at = START + Duration::from_secs(10 * i as u64);
        engine.take_page(target(), page(&format!("hits_total {value}\n")), at).await.unwrap();
    }
    let at = START + Duration::from_secs(20);
    engine.ask(ask("q", "rate(hits_total{job=\"api\"}[1m])", at, EngineKind::Embedded));
    let seconds = Duration::from_secs;
    assert_eq!(
        next(&mut answers).await[0].answer.coverage,
        Coverage::Partial { seen: seconds(20), wanted: seconds(60) }
    );
}

#[tokio::test]
async fn a_wrong_expression_is_pointed_at() {
    let (engine, mut answers) = started(None);
    engine.ask(ask("q", "sum(", START, EngineKind::Embedded));
    let answered = next(&mut answers).await;
    let wrong = answered[0].answer.outcome.as_ref().unwrap_err();
    assert_eq!(wrong.span.map(|(start, _)| start), Some(4), "{wrong:?}");
}

#[tokio::test]
async fn a_page_that_is_not_metrics_is_an_error_and_the_target_is_down() {
    let (engine, mut answers) = started(None);
    let html = Page { content_type: "text/html".into(), ..page("<html>") };
    let refused = engine.take_page(target(), html, START).await.unwrap_err();
    assert_eq!(refused.cause, crate::domain::PollFailure::Broken);
    engine.ask(ask("q", "up", START, EngineKind::Embedded));
    let answered = next(&mut answers).await;
    let Ok(Data::Vector(points)) = &answered[0].answer.outcome else { panic!() };
    assert_eq!(points[0].value, Num(0.0));
}

#[tokio::test]
async fn without_a_server_the_answer_says_how_to_set_one() {
    let (engine, mut answers) = started(None);
    engine.ask(ask("q", "up", START, EngineKind::Server));
    let answered = next(&mut answers).await;
    assert!(answered[0].answer.outcome.as_ref().unwrap_err().message.contains("prometheus ="));
}

#[tokio::test]
async fn of_two_questions_with_one_id_the_newer_is_answered() {
    // The first question hangs until it is dropped.
    let server: AskServer = Arc::new(|ask: Ask| {
        Box::pin(async move {
            if &*ask.expr == "slow" {
                std::future::pending::<()>().await;
            }
            let notes = Notes { warnings: vec!["partial".to_owned()], infos: Vec::new() };
            (Ok(Data::Text(ask.expr.to_string())), notes)
        })
    });
    let (engine, mut answers) = started(Some(server));
    for _ in 0..2 * ASKED_AT_ONCE {
        engine.ask(ask("q", "slow", START, EngineKind::Server));
    }
    engine.ask(ask("q", "quick", START, EngineKind::Server));
    let answered = next(&mut answers).await;
    assert_eq!(answered.len(), 1);
    assert_eq!(answered[0].answer.outcome, Ok(Data::Text("quick".into())));
    assert_eq!(answered[0].answer.warnings, ["partial"]);
}

#[test]
fn a_waiting_question_gives_way_to_a_newer_one_and_an_unfinished_one_is_stopped() {
    let limits = MemoryLimits::default();
    let (out, _answers) = mpsc::channel(1);
    let mut worker = Worker::new(Memory::new(limits), limits, out);
    for expr in ["1", "2"] {
        worker.take(Job::Ask(ask("a", expr, START, EngineKind::Embedded)));
        worker.take(Job::Ask(ask("b", expr, START, EngineKind::Embedded)));
    }
    let waiting: Vec<_> = worker.asks.iter().map(|ask| &*ask.expr).collect();
    assert_eq!(waiting, ["2", "2"]);

    // A range over many steps ends early once its flag is raised.
    worker.memory.take_page(&target(), "", b"x 1\n", Duration::ZERO, START).unwrap();
    let mut long = ask("c", "sum_over_time(x[5m])", START, EngineKind::Embedded);
    long.range =
        Some(AskRange { length: Duration::from_secs(1_000), step: Duration::from_secs(1) });
    let stop = Arc::new(AtomicBool::new(true));
    let (outcome, ..) = worker.evaluate(&long, &stop);
    assert!(outcome.is_err());
}

#[tokio::test]
async fn what_one_engine_keeps_another_goes_on_with() {
    let (engine, _) = started(None);
    engine.take_page(target(), page("hits 7\n"), START).await.unwrap();
    let (reply, kept) = oneshot::channel();
    engine.with_memory(move |memory| reply.send(window::write(memory)).unwrap());
    let kept = kept.await.unwrap();
    let limits = MemoryLimits::default();
    let memory = window::read(&kept, limits).unwrap();
    let (out, mut answers) = mpsc::channel(16);
    let (later, _worker) = Engine::start(memory, limits, None, out).unwrap();
    later.ask(ask("q", "hits", START, EngineKind::Embedded));
    let answered = next(&mut answers).await;
    let Ok(Data::Vector(points)) = &answered[0].answer.outcome else { panic!() };
    assert_eq!(points[0].value, Num(7.0));
}

#[tokio::test]
async fn a_split_question_is_answered_split_by_either_engine() {
    let server: AskServer = Arc::new(|ask: Ask| {
        assert_eq!(ask.split, None);
        Box::pin(async move { (Ok(Data::Text(ask.expr.to_string())), Notes::default()) })
    });
    let (engine, mut answers) = started(Some(server));
    let page = page("hits{route=\"/a\"} 1\nhits{route=\"/b\"} 2\n");
    engine.take_page(target(), page, START).await.unwrap();
    let split =
        |engine| Ask { split: Some("route".into()), ..ask("q", "sum(hits)", START, engine) };
    engine.ask(split(EngineKind::Embedded));
    let answered = next(&mut answers).await;
    assert_eq!(answered[0].answer.ask, split(EngineKind::Embedded));
    let Ok(Data::Vector(points)) = &answered[0].answer.outcome else { panic!() };
    assert_eq!(points.len(), 2);
    engine.ask(split(EngineKind::Server));
    let answered = next(&mut answers).await;
    let Ok(Data::Text(asked)) = &answered[0].answer.outcome else { panic!() };
    assert_eq!(asked.replace(' ', ""), "sumby(route)(hits)");
}

#[tokio::test]
async fn a_question_under_way_gives_way_to_a_newer_one_of_its_id_alone() {
    let (engine, mut answers) = started(None);
    let under_way = Arc::new(AtomicBool::new(false));
    *engine.current.lock().unwrap() = Some((AskId("q".into()), Arc::clone(&under_way)));
    engine.ask(ask("other", "1", START, EngineKind::Embedded));
    assert!(!under_way.load(Ordering::Relaxed));
    next(&mut answers).await;
    *engine.current.lock().unwrap() = Some((AskId("q".into()), Arc::clone(&under_way)));
    engine.ask(ask("q", "1", START, EngineKind::Embedded));
    assert!(under_way.load(Ordering::Relaxed));
}

#[test]
fn a_question_that_was_stopped_midway_is_not_answered() {
    let limits = MemoryLimits::default();
    let (out, _answers) = mpsc::channel(1);
    let mut worker = Worker::new(Memory::new(limits), limits, out);
    let current = Arc::clone(&worker.current);
    let at = |i: u64| START + Duration::from_secs(5 * i);
    for i in 0..200 {
        worker.memory.take_page(&target(), "", b"x 1\ny 2\n", Duration::ZERO, at(i)).unwrap();
    }
    // A newer question comes as soon as this one is under way.
    let newer = std::thread::spawn(move || {
        loop {
            if let Some((_, stop)) = &*current.lock().unwrap() {
                stop.store(true, Ordering::Relaxed);
                return;
            }
            std::thread::yield_now();
        }
    });
    // Some seconds' work where nobody stops it.
    let expensive =
        "sum(quantile_over_time(0.5, x[15m]) + mad_over_time(max_over_time(x[1m])[15m:5s]))";
    let mut long = ask("q", expensive, at(200), EngineKind::Embedded);
    long.range =
        Some(AskRange { length: Duration::from_secs(1_000), step: Duration::from_millis(100) });
    assert!(worker.answer(long).is_none());
    newer.join().unwrap();
    assert!(worker.answer(ask("q", "x", at(200), EngineKind::Embedded)).is_some());
}
