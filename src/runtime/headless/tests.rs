//! Looks at real sockets on loopback, with real time and short deadlines.

use super::*;
use crate::config::Found;
use crate::domain::{EngineKind, Status};
use crate::metrics::Data;
use crate::store::AskRange;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

/// Answers every request with what `answer` says to its path, until the test ends.
fn serve(answer: impl Fn(&str) -> (u16, &'static str, String) + Send + Sync + 'static) -> String {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let answer = answer.clone();
            std::thread::spawn(move || {
                let mut stream = stream.unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                while let Some(Ok(first)) = lines.next() {
                    while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {
                    }
                    let path = first.split(' ').nth(1).unwrap_or("/").to_owned();
                    let (status, kind, body) = answer(&path);
                    let head = format!(
                        "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
                        body.len()
                    );
                    if stream.write_all(format!("{head}{body}").as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

fn assembled(text: &str) -> Assembled {
    let found = Found { path: "/nowhere/config.toml".into(), text: text.into() };
    match Assembled::of(&found, false) {
        Ok(assembled) => assembled,
        Err(mistakes) => panic!("{}", mistakes.text),
    }
}

fn spared() -> BTreeSet<String> {
    BTreeSet::new()
}

fn page(_path: &str) -> (u16, &'static str, String) {
    (200, "text/plain; version=0.0.4", "queue_length 7\n".to_owned())
}

#[test]
fn a_look_asks_everything_and_confirms_before_it_judges() {
    let well = serve(|_| (200, "text/plain", "ok".to_owned()));
    let ill = serve(|_| (503, "text/plain", "no".to_owned()));
    let text = format!(
        "[poll]\nconfirm = 1\nconfirm_after = '100ms'\n\
         [service.well]\nhealth = 'http://{well}/'\n\
         [service.ill]\nhealth = 'http://{ill}/'\n"
    );
    let known = look(assembled(&text), None, Duration::from_secs(20), &spared()).unwrap();
    let status = |name: &str| known.services[name].standing.status;
    assert_eq!(status("well"), Status::Ok);
    assert_eq!(status("ill"), Status::Critical);
    assert_eq!(known.verdict(), Status::Critical);
}

#[test]
fn what_has_not_answered_at_the_deadline_is_unknown() {
    // Takes connections into its backlog and never answers.
    let hung = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = hung.local_addr().unwrap();
    let text = format!("[service.hung]\nhealth = 'http://{address}/'\n");
    let known = look(assembled(&text), None, Duration::from_millis(600), &spared()).unwrap();
    assert_eq!(known.verdict(), Status::Unknown);
}

#[test]
fn backups_that_take_too_long_say_so_and_those_that_are_spared_are_not_asked() {
    let text = "[backup.slow]\nrestic = '/tmp'\nprogram = ['sh', '-c', 'sleep 60']\nrpo = '1d'\n\
                password = 'env:HOME'\n\
                [backup.spared]\nrestic = '/tmp'\nprogram = ['false']\nrpo = '1d'\n\
                password = 'env:HOME'\n";
    let spared = BTreeSet::from(["spared".into()]);
    let known = look(assembled(text), None, Duration::from_millis(600), &spared).unwrap();
    let standing = |id: &str| known.backups[&SourceId::from(id)].standing.clone();
    assert_eq!(standing("backup/slow").reason, "no answer within 600ms, it may take 2m");
    assert!(standing("backup/spared").is_waiting());
    assert_eq!(known.verdict(), Status::Unknown);
}

#[test]
fn a_signal_is_judged_on_one_scrape_only_where_one_is_enough() {
    let target = serve(page);
    let text = format!(
        "[scrape.app]\ntargets = ['{target}']\n\
         [service.app.signal.queue]\nexpr = 'queue_length{{job=\"app\"}}'\nwarning = 5\n\
         [service.app.signal.growth]\nexpr = 'rate(queue_length{{job=\"app\"}}[5m])'\nwarning = 5\n"
    );
    let known = look(assembled(&text), None, Duration::from_secs(20), &spared()).unwrap();
    let signal = |name: &str| known.signals[name].standing.clone();
    assert_eq!(signal("app/queue").status, Status::Warning);
    assert_eq!(signal("app/growth").status, Status::Unknown);
    assert!(matches!(signal("app/growth").mark, Some(Mark::Uncovered { .. })));
}

#[test]
fn each_source_is_asked_once_and_a_silent_one_is_told_as_such() {
    let target = serve(page);
    let hung = TcpListener::bind("127.0.0.1:0").unwrap();
    let text = format!(
        "[scrape.app]\ntargets = ['{target}']\n\
         [service.hung]\nhealth = 'http://{}/'\n",
        hung.local_addr().unwrap()
    );
    let ends = poll_once(&assembled(&text), Duration::from_millis(600)).unwrap();
    let told: Vec<_> = ends.iter().map(|end| (end.source.as_str(), end.outcome.is_ok())).collect();
    let scraped = format!("scrape/app/{target}");
    assert_eq!(told, [("check/hung/health", false), (scraped.as_str(), true)]);
}

#[test]
fn a_question_is_answered_from_a_fresh_scrape() {
    let target = serve(page);
    let text = format!("[scrape.app]\ntargets = ['{target}']\n");
    let ask = |expr: &str, range| Ask {
        id: AskId("query".into()),
        expr: expr.into(),
        split: None,
        range,
        at: Timestamp::default(),
        engine: EngineKind::Embedded,
    };
    let wait = Duration::from_secs(20);
    let answer = ask_once(assembled(&text), None, ask("queue_length * 2", None), wait);
    let answer = answer.unwrap().unwrap();
    let Ok(Data::Vector(points)) = &answer.outcome else { panic!("{answer:?}") };
    assert_eq!(points[0].value, crate::domain::Num(14.0));
    let range = AskRange { length: Duration::from_mins(1), step: Duration::from_secs(15) };
    let wrong = ask_once(assembled(&text), None, ask("queue_length +", Some(range)), wait);
    assert!(wrong.unwrap().unwrap().outcome.as_ref().unwrap_err().span.is_some());
}
